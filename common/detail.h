/*
 * detail.h - the line of detail of a decoded call; for describe.c.
 */
#ifndef FRZ_DETAIL_H
#define FRZ_DETAIL_H

#include "describe.h"
#include "textbuf.h"

/* Appends the detail of a SYSCALL record whose other columns are in `out` already. */
void frz_detail(const struct frz_decoder *d, const struct frz_call *c, const struct frz_desc *out,
		struct frz_text *t);

/* Parts that io_uring's rows share. */
void frz_detail_gap(struct frz_text *t); /* a blank unless at the start */
void frz_detail_label(struct frz_text *t, const char *name);
void frz_detail_flags(struct frz_text *t, enum frz_abi abi, int set, uint64_t value);
void frz_detail_quoted(struct frz_text *t, struct frz_str s);
/* cut(...), unreadable(...), signs, what was destroyed. */
void frz_detail_marks(const struct frz_decoder *d, const struct frz_call *c, struct frz_text *t);
/* fds=[...] of a slot's FDNUM attachments. */
void frz_detail_fdnums(const struct frz_decoder *d, const struct frz_call *c, unsigned slot,
		       struct frz_text *t);
/* The slot's socket address. */
void frz_detail_addr(const struct frz_call *c, unsigned slot, struct frz_text *t);
/* name="..." of the path passed in that slot, when it is not what is shown as path. */
void frz_detail_passed(const struct frz_decoder *d, const struct frz_call *c, unsigned slot,
		       struct frz_str shown, const char *label, struct frz_text *t);

/* describe_uring.c: the columns and the detail of a URING record; name and error are there. */
void frz_describe_uring(const struct frz_decoder *d, const struct frz_call *c, struct frz_desc *out,
			struct frz_text *t);
/* nums.c: the slot's NUMS by the structure's definition; nothing when there are none. */
void frz_detail_nums(const struct frz_call *c, unsigned slot, const char *label,
		     const struct frz_numsdef *def, struct frz_text *t);
/* The slot's set of fds, its struct file_handle; nothing when there is none. */
void frz_detail_fdset(const struct frz_call *c, unsigned slot, const char *label,
		      struct frz_text *t);
void frz_detail_handle(const struct frz_call *c, unsigned slot, const char *label,
		       struct frz_text *t);
/* A number as its kind shows it: decimal, hex, octal, or names of `set`. */
void frz_detail_number(struct frz_text *t, enum frz_abi abi, unsigned kind, int set, int64_t v);

/* describe.c: the path of a slot's PATH argument (see frz_desc.path), joined in `join`. dir:
 * path of the directory fd behind it, empty when there is none. */
struct frz_str frz_path_of_slot(const struct frz_decoder *d, const struct frz_call *c,
				unsigned slot, struct frz_str dir, char *join, size_t cap);
struct frz_str frz_path_of_instance(const struct frz_decoder *d, uint64_t instance);

#endif
