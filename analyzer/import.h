/*
 * import.h - a case into a database: blocks to segments, segments to records, records to
 * rows.h; and what the case as a whole says, into `info` and `meta`.
 *
 * An importer stays alive while a case grows: import_run again takes what was added.
 */
#ifndef FANALYZE_IMPORT_H
#define FANALYZE_IMPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "casefile.h"
#include "tailmark.h"

struct sqlite3;
struct import;

/* What is known of a case as a whole. */
struct case_state {
	enum frz_err end;	/* FRZ_END sealed, FRZ_E_UNSEALED, else damaged */
	struct frz_fault fault; /* when end < 0 */
	struct frz_case_head head;
	uint8_t link_at[FRZ_HASH_LEN]; /* of the block asked for */
	bool has_link_at;
	uint8_t genesis_link[FRZ_HASH_LEN];
	struct tail_state tail; /* of a case without a SEAL */
};

/* It has blocks and no SEAL: there may be more of it in its tail. */
bool case_unfinished(const struct case_state *s);
/* For frz_unfinished_fit(). */
uint64_t case_segments(const struct case_state *s);
/* Good to its end: sealed; or unfinished and whole, where it counts as whole too when
 * the recorder ended while it wrote a block, and what that was to hold is in the tail. */
bool case_whole(const struct case_state *s);

/* Reads the blocks of a case to its end; flags: enum frz_case_flag. want_block: whose link to
 * note in link_at, UINT64_MAX for none. */
void case_look(const char *path, unsigned flags, uint64_t want_block, struct case_state *out);
/* The same without frames, and with the tail when there is no SEAL. A block that is being
 * written is waited for. */
void case_look_live(const char *path, bool allow_damaged, struct case_state *out);
/* One line in plain words; and the exit code that belongs to it (enum verify_exit). */
void case_verdict(const struct case_state *s, char *line, size_t cap);
int case_exit(const struct case_state *s);
/* Of a fault that leaves nothing to read: usage or I/O, or a damaged case. */
int fault_exit(const struct frz_fault *f);

struct import_options {
	const char *path;
	bool allow_damaged;
	bool progress;	      /* draw a line on standard error */
	bool live;	      /* a block cut short at the end is being written */
	uint64_t skip_blocks; /* already in the database */
	unsigned nmarks;      /* and of segments after those */
	struct tail_mark mark[FRZ_TAIL_HALVES];
};

/* *code of an import that cannot go on from what the database has: make it anew. */
#define IMPORT_STALE (-1)

/* NULL: one line in err, and *code. */
struct import *import_new(struct sqlite3 *db, const struct import_options *o, char *err, size_t cap,
			  int *code);
void import_free(struct import *im);
/* Takes all there is, the tail included, and writes it to the database (no commit). *state is the
 * case's after it. False: nothing of use, one line in err, and *code. Damage is an error unless
 * allow_damaged. */
bool import_run(struct import *im, struct case_state *state, char *err, size_t cap, int *code);
/* May there be more than at the last import_run? A cheap look. */
bool import_moved(struct import *im);
/* Since the last call of this: number of events, and the earliest of their times. */
uint64_t import_news(struct import *im, int64_t *first_ts);

#endif
