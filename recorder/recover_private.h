/*
 * recover_private.h - what the two files of recovery share.
 *
 *   recover.c        scan, look at the end, cut, append, tidy
 *   recover_plan.c   what will be appended, made in memory
 */
#ifndef FREC_RECOVER_PRIVATE_H
#define FREC_RECOVER_PRIVATE_H

#include "append.h"
#include "casefile.h"
#include "recover.h"
#include "tail.h"

#define RECOVER_BLOCKS (3 + FRZ_TAIL_HALVES) /* at most */

struct recovery {
	const char *path;
	int fd;
	struct frz_case_head head; /* of what is whole */
	enum frz_err scan; /* how it ended: FRZ_END, FRZ_E_UNSEALED, FRZ_E_TRUNCATED, damage */
	struct frz_fault fault;
	uint8_t genesis_link[FRZ_HASH_LEN];
	char recorded_boot[40], boot[40];
	uint64_t placed_lost; /* LOST of the segments */
	struct moment last;   /* that GENESIS or a segment tells */
	/* at the last RECOVERY that the case has already */
	uint64_t earlier_segments, earlier_events;
	uint8_t earlier_tail[FRZ_HASH_LEN];
	uint64_t torn_bytes;
	uint8_t torn_sha256[FRZ_HASH_LEN];
	struct append append;
	struct frz_buf out;		     /* what will be appended: */
	size_t end[RECOVER_BLOCKS], nblocks; /* blocks that end there */
	struct tail tail;
	bool no_tail;
	struct frz_tail t;
	char *err;
	size_t err_cap;
};

/* ---- recover.c ---- */

/* The line for the user; returns -1. */
int recover_fail(struct recovery *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Hashes the file's bytes from..to into *h; *zeros: all of them are 0; *later: somewhere in
 * them, but not at their start, stands a block that belongs there. Both may be NULL. */
int recover_hash_range(struct recovery *r, uint64_t from, uint64_t to, struct frz_sha256 *h,
		       bool *zeros, bool *later);

/* ---- recover_plan.c ---- */

/* Fills r->out, and the new totals of the case into *res. 0, or -1 after recover_fail(). */
int recover_plan(struct recovery *r, struct recover_result *res);
/* Of a sealed case: whether an earlier run saw what is in this tail, and was stopped before
 * it removed it. */
bool recover_told_already(const struct recovery *r);

#endif
