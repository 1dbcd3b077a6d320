/*
 * extract_told.h - what an extract has told so far in the segment under way, and what it has
 * to tell before the next record: strings, files, processes, threads and bindings.
 */
#ifndef FANALYZE_EXTRACT_TOLD_H
#define FANALYZE_EXTRACT_TOLD_H

#include "extract_private.h"

enum mode { AS_TEXT, AS_COMM, MODES };

struct numbers {
	uint32_t *v;
	size_t cap;
};

struct extract_records {
	struct extract_file *w;
	const struct rules *rules;
	const struct frz_decoder *in;
	struct frz_decoder *out;
	struct frz_packer *packer;
	struct numbers strings[MODES], files;
	struct frz_buf body, rec;
	struct rules_text text;
	uint8_t *sock;	  /* two sockaddrs told anew */
	enum frz_err err; /* sticky, until the segment's end */
	/* the segment under way */
	struct frz_case_item it;
	struct frz_moment first;
	size_t bytes, declared;
	bool open, lost_told;
	/* bindings */
	struct frz_dbind *pending; /* since the last timed record */
	size_t npending, cap_pending;
	struct map how;	 /* instance: how it came about, 0 not met */
	struct map told; /* instances that the extract has */
	bool last_kept;	 /* the last timed record */
};

/* ---- extract_told.c. Errors stick in e->err; nothing more is told then. ---- */

void told_failed(struct extract_records *e, enum frz_err err);
/* A segment begins: nothing has been told in it. */
void told_forget(struct extract_records *e);
/* What stands in e->body becomes a record of this type; the body is empty then. */
void told_record(struct extract_records *e, enum frz_rec type, uint64_t mono, uint64_t dur);

/* From numbers of the original to those of the extract; what was not told yet is told. Not while
 * e->body is being filled, unless it was told before. */
uint32_t told_string(struct extract_records *e, uint64_t number, enum mode mode);
uint32_t told_file(struct extract_records *e, uint64_t number);
/* A sockaddr told anew into dst (UINT16_MAX bytes): the name of a Unix socket is a name. */
size_t told_sockaddr(struct extract_records *e, const uint8_t *p, size_t n, uint8_t *dst);
/* Makes a reader know as much of them as one of the original does. */
void told_proc(struct extract_records *e, uint32_t pid);
void told_thread(struct extract_records *e, uint32_t tid);
void told_bind(struct extract_records *e, uint64_t instance);

/* BIND and UNBIND as they come. */
void told_take_bind(struct extract_records *e, const struct frz_dbind *b);
void told_take_unbind(struct extract_records *e, const struct frz_dbind *b);
/* The BINDs since the last timed record belong to the one at hand, which is kept. */
void told_pending(struct extract_records *e, const struct extract_filter *x);

#endif
