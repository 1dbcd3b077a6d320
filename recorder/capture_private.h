/* capture_private.h - what the parts of capture share: capture.c (calls), args.c (their
 * arguments), fds.c (descriptors), effects.c (what calls do), lifecycle.c (threads, ledgers). */
#ifndef FREC_CAPTURE_PRIVATE_H
#define FREC_CAPTURE_PRIVATE_H

#include "capture.h"

struct capture {
	const struct frec_options *o;
	struct emit *emit;
	struct tracees *tracees;
	struct control *control;
	uint64_t events;
	struct keep *keep;  /* --keep; NULL without */
	void *rings;	    /* uring.c */
	uint16_t uring_row; /* io_uring_enter's row: recorded, so are its operations */
	bool full;	    /* --max-events reached: nothing more is recorded */
};

/* ---- args.c ---- */
#define STR_KEEP  1024u /* bytes of a text that is no path */
#define MMSG_KEEP 1024u /* messages of one call: UIO_MAXIOV, the kernel's own limit */
/* Sets p->arg and p->def. */
void args_from_registers(struct pending *p, const uint64_t reg[6]);
bool arg_is_kept(enum frz_argkind kind); /* stands in the record as a number */
void args_at_entry(struct capture *c, struct tracee *t, uint64_t now_ns);
void args_at_exit(struct capture *c, struct tracee *t, int64_t ret, uint64_t now_ns);
/* A new item holding a copy of n bytes; NULL: no memory. */
struct item *item_bytes(struct tracee *t, enum frz_att kind, unsigned slot, const void *p,
			size_t n);
void item_text(struct tracee *t, enum frz_att kind, unsigned slot, const char *text);
/* The path item of a slot, or the last one when slot is FRZ_SLOT_NONE; NULL: none. */
const struct item *item_path(const struct tracee *t, unsigned slot);
int path_dirfd(const struct tracee *t, unsigned path_slot); /* AT_FDCWD when it has none */

/* The fd that an argument names (FRZ_SLOT_NONE: the first); NULL: none, or not open. */
static inline struct fdent *item_fd(const struct tracee *t, unsigned slot)
{
	const struct item *it = tracee_find_item(t, FRZ_A_FD, slot);

	return it ? it->ent : NULL;
}
/* The first member of the structure that the call was given, flags mostly; 0: not readable. */
static inline uint64_t item_number(const struct tracee *t)
{
	const struct item *it = tracee_find_item(t, FRZ_A_NUMS, FRZ_SLOT_NONE);

	return it && it->len >= 8 ? frz_get64(t->bytes + it->off) : 0;
}

void item_fault(struct tracee *t, unsigned slot);
void item_cut(struct tracee *t, unsigned slot, uint64_t true_len); /* 0: not known */
void take_string(struct tracee *t, enum frz_att kind, unsigned slot, uint64_t addr, size_t keep);
/* The ABI of the pending call; bytes of its pointers; one of them out of a structure read. */
static inline enum frz_abi tracee_abi(const struct tracee *t) { return (enum frz_abi)t->call.abi; }
size_t word_size(const struct tracee *t);
uint64_t word_at(const struct tracee *t, const uint8_t *p, unsigned index);

/* ---- structs.c: become a NUMS item of the slot, the handle a DATA item ---- */
#define NO_RETURN_YET INT64_MIN
/* One structure, or as many as its count argument says. ret: of the call; at its entry
 * NO_RETURN_YET. */
void take_nums(struct tracee *t, unsigned slot, int param, uint64_t addr, int64_t ret);
void take_fdset(struct tracee *t, unsigned slot, uint64_t addr, int64_t nfds);
void take_handle(struct tracee *t, unsigned slot, uint64_t addr);
void take_iocbs(struct tracee *t, unsigned slot, int param, uint64_t addr);

/* ---- signs.c ---- */
void mark_signs(struct tracee *t); /* of the call entered, as SIGN items */

/* ---- fds.c ---- */
/* What fd is for t now: known, or resolved at this first use. Borrowed; NULL: not open. */
struct fdent *fd_entry(struct capture *c, struct tracee *t, int fd, uint64_t now_ns);
/* A new fd of t, just stored by the kernel: looked at, bound, the old one's end recorded.
 * Belongs between emit_begin and emit_commit. Borrowed; NULL: vanished already. */
struct fdent *fd_new(struct capture *c, struct tracee *t, int fd, enum frz_bind_how how,
		     const struct fdent *parent, uint64_t now_ns);
/* ent, unless it was overtaken and something else stands at its fd, ends. Belongs between
 * emit_begin and emit_commit. */
void fd_end(struct capture *c, struct fdtable *table, struct fdent *ent);
/* t, which shares its table, has entered a call that may end or replace fds. */
void fds_note_ending(struct tracee *t);
/* The call is over, or never will be: marks it when meanwhile another thread was replacing an fd
 * that it used. */
void fds_in_doubt(struct capture *c, struct tracee *t, bool returned);
/* t no longer shares the table it had (unshare, close_range with UNSHARE, execve). */
void fds_split(struct tracee *t, uint64_t now_ns);
/* close_range succeeded. Within the event's group. */
void fds_close_range(struct capture *c, struct tracee *t, uint64_t now_ns);
/* execve succeeded: close-on-exec fds are gone. Makes its own groups. */
void fds_after_exec(struct capture *c, struct tracee *t);
void fds_at_attach(struct capture *c, struct tracee *t, uint64_t now_ns);

/* ---- effects.c ---- */
void effects_at_entry(struct capture *c, struct tracee *t);
/* After the event was put, within the same group. */
void effects_at_exit(struct capture *c, struct tracee *t, int64_t ret, uint64_t now_ns);

/* ---- capture.c ---- */
void capture_counted(struct capture *c); /* one event more: --max-events */
void capture_call(struct capture *c, struct tracee *t, int64_t ret, uint32_t flags,
		  uint64_t now_ns);

/* ---- lifecycle.c: the rest of the ops ---- */
void life_born(void *arg, struct tracee *t, enum frz_born how, struct tracee *parent,
	       uint64_t now_ns);
void life_settled(void *arg, struct tracee *t, uint64_t now_ns);
void life_exec(void *arg, struct tracee *t, pid_t old_tid, uint64_t now_ns);
void life_signal(void *arg, struct tracee *t, const siginfo_t *si, uint64_t now_ns);
void life_group_stop(void *arg, struct tracee *t, int signo, uint64_t now_ns);
void life_leaving(void *arg, struct tracee *t, bool detached, uint64_t now_ns);
void life_gone(void *arg, struct tracee *t, enum frz_gone how, int status, uint64_t now_ns);
void life_process_gone(void *arg, struct process *p, enum frz_gone how, int status,
		       uint64_t now_ns);
void life_interrupted(void *arg, struct tracee *t, const char *why, const char *hit);
void life_eintr(void *arg, struct tracee *t, enum frz_abi abi, uint32_t nr);
void life_missed(void *arg, pid_t pid, pid_t tid, const char *what, const char *detail);
/* --keep: a regular file of which `from` is open (-1: it could not be) is copied; now: before
 * the call goes on, for it cuts the content. */
void keep_copy(struct capture *c, struct tracee *t, int from, const struct fileinfo *file,
	       bool now);
/* For keep_copy: what the path of a slot (FRZ_SLOT_NONE: the last) leads to; there is one. */
int open_path(const struct tracee *t, unsigned slot, bool follow);
/* Of clone(2) its argument, of clone3(2) the first member of its structure; 0 for fork. */
uint64_t life_clone_flags(const struct tracee *parent);
void life_credentials(struct tracee *t); /* they changed */
void life_comm(struct tracee *t);	 /* its name, read again */
void life_io(struct capture *c, struct tracee *t, enum frz_io_when when, uint64_t now_ns);

#endif
