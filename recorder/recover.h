/*
 * recover.h - finishes a case whose recorder was killed.
 *
 *   scan      the strict reader goes through the case; what ends torn is what will be cut
 *   plan      RECOVERY, a SEGMENT for each half of the tail that the case lacks, one that tells
 *             (coverage) if something of the tail could not be had, SEAL: all of it made in
 *             memory, so that its size is known
 *   cut       what is cut is first written down in the tail (its length and hash), then cut
 *   append    room is asked for, then block by block is written and synced: so what is torn is
 *             never more than one block
 *   tidy      masks of threads that a killed guardian left pinned are put back, the tail goes
 *
 * Stopped at any point, the next run finds a case and a tail that it can go on from.
 * A sealed case is left as it is.
 */
#ifndef FREC_RECOVER_H
#define FREC_RECOVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frz.h"

struct recover_result {
	bool was_sealed;	    /* nothing was to be done but perhaps to remove a tail */
	uint64_t torn_bytes;	    /* cut off */
	uint64_t tail_events;	    /* taken from the tail, */
	uint64_t tail_unusable;	    /* bytes of it that could not be: torn by a power loss, */
	const char *damage;	    /* how; static, NULL when 0 */
	uint64_t events, bytes;	    /* of the case now */
	uint8_t head[FRZ_HASH_LEN]; /* the SEAL's link */
	unsigned masks_restored;
};

/* 0, or -1 with one line in err; then the case is as it was, or shorter by its torn end. */
int recover_case(const char *path, struct recover_result *r, char *err, size_t err_cap);

/* The same as a program: prints, returns the exit code. */
int recover_run(const char *path, bool quiet);

#endif
