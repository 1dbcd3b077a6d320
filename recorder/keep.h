/*
 * keep.h - --keep DIR: copies of files that are about to be destroyed, and of every executed
 * file, under their SHA-256; the hash becomes a record of the case (FRZ_R_FILE_HASH).
 *
 * The tracer only opens the file, or, where the call is about to cut it, clones or copies it; a
 * thread of keep's own copies, hashes and names. A copy is DIR/<sha256 in hex>; one that
 * is there already is not made again.
 */
#ifndef FREC_KEEP_H
#define FREC_KEEP_H

#include <stdbool.h>
#include <stdint.h>

#include "resolve.h"

#define KEEP_FILE_MAX (64ull << 20) /* larger files are named in coverage, not copied */

struct keep;

/* DIR must exist and be a directory. NULL with one line in err. */
struct keep *keep_open(const char *dir, char *err, size_t err_cap);
int keep_dirfd(const struct keep *k); /* what lockdown lets through */

/* Takes over the open file descriptor `from` and a copy of what is known of the file. now: its
 * content is about to go, so it is copied before this returns. False: the queue is full
 * or the copy failed; from is closed. */
bool keep_file(struct keep *k, int from, const struct fileinfo *file, bool now);

struct keep_done {
	struct fileinfo file;
	uint8_t sha256[32];
	bool copied;
};
/* A finished one, to be recorded; the caller releases file. False: none is ready. Cheap. */
bool keep_next(struct keep *k, struct keep_done *out);
/* Waits for what is queued; then keep_next until it says false, then keep_close. */
void keep_finish(struct keep *k);
void keep_close(struct keep *k); /* NULL is nothing */

#endif
