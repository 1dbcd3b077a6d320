/*
 * writer.h - records into the case file. One thread (the tracer) puts records; a helper
 * thread of the writer's own compresses and appends. Sees bytes, knows no syscalls.
 *
 * - Records go into one half of CASE.frz.tail, mapped MAP_SHARED, each with length and
 *   CRC-32C, and become part of the evidence when the committed offset is stored
 *   (release). SIGKILL at any later instant does not lose them.
 * - A full half, or one older than the tick interval, is handed to the helper: packed
 *   (common/segment.h), appended with one write, fdatasync'ed, and only then reused.
 * - Nothing to append for a tick interval: the helper appends a TICK block.
 * - When the file cannot be written any more, the writer keeps the tail, stops taking
 *   records and says so once through writer_failed(); the tracer then detaches.
 * - The case file is locked (flock) as long as the writer lives, which keeps recovery away.
 */
#ifndef FREC_WRITER_H
#define FREC_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frz.h"

enum writer_sync { WRITER_SYNC_SEGMENT, WRITER_SYNC_SECONDS, WRITER_SYNC_EVENT };

/* Everything GENESIS holds that the writer cannot find out by itself. Strings may be NULL
 * where frz.h calls the field optional; they stay the caller's. */
struct writer_genesis {
	const char *case_id_hex; /* 32 hex digits, or NULL: random */
	const char *exhibit, *examiner, *note;
	char **argv;
	const char *records; /* what is recorded */
	uint64_t snap;
};

struct writer_options {
	enum writer_sync sync;
	unsigned sync_seconds; /* for WRITER_SYNC_SECONDS; default 1 */
	unsigned tick_seconds; /* default 5 */
	int zstd_level;	       /* default 3 */
	unsigned stall_ms;     /* longest wait for a slow medium, default 2000; then drop */
	uint64_t max_bytes;    /* --max-size: writer_full() tells when reached; 0 none */
	/* called after each block appended (checkpoints), by the helper thread but for GENESIS
	 * and SEAL; may be NULL */
	void (*on_block)(void *arg, const uint8_t case_id[16], uint64_t blocks, uint64_t events,
			 const uint8_t link[FRZ_HASH_LEN]);
	void *on_block_arg;
};

struct writer;

/* Creates path (O_EXCL: an existing file is never touched), path.tail, writes GENESIS and
 * starts the helper thread with all signals blocked. NULL on error with one line in err. */
struct writer *writer_open(const char *path, const struct writer_genesis *g,
			   const struct writer_options *o, char *err, size_t err_cap);

/* Begins a group: makes sure that `records` more records of `bytes` bytes in all fit into the
 * current half, switching halves when needed; *new_segment is then set (declarations must
 * be made again), as it is on the very first call. Every group ends with writer_commit;
 * reserving again commits first. Between the two the helper cannot take the half, so
 * nothing slow belongs there.
 *
 * Waits for the helper when both halves are full, stall_ms at most. When that was not
 * enough it returns true all the same and drops what is put, counted as lost, until a
 * half is free again: then *new_segment is set and a GAP record (why: string 0, "the
 * medium was too slow") stands before everything else. So the target never waits for good.
 * False: failed, nothing to do but stop.
 * bytes is at most WRITER_GROUP_MAX and records at most WRITER_GROUP_RECORDS. */
#define WRITER_GROUP_MAX     (768u << 10)
#define WRITER_GROUP_RECORDS 8192u
bool writer_reserve(struct writer *w, size_t bytes, unsigned records, bool *new_segment);
/* Copies one encoded record (record.h: type, length, body) behind those before it, within
 * what was reserved. Times as in record.h, 0 for declarations. Counts an event by its type. */
void writer_put(struct writer *w, const uint8_t *rec, size_t len, uint64_t mono_ns,
		uint64_t dur_ns);
/* Publishes everything put since the last commit, as one: recovery sees all or nothing of it. */
void writer_commit(struct writer *w);

/* Counts into the segment's and the seal's LOST. The tracer only. */
void writer_lost(struct writer *w, uint64_t events);

/* Memory in the tail file, zeroed at the start, that outlives a killed recorder: placement keeps
 * there what must be put back. NULL never. */
void *writer_affinity_area(struct writer *w, size_t *len);

struct writer_stats {
	uint64_t events, file_bytes, blocks, lost;
};
void writer_stats(const struct writer *w, struct writer_stats *s); /* any thread */
bool writer_full(const struct writer *w);			   /* any thread */
/* NULL, or one line naming the file and the reason; stays set, and when first the tail and then the
 * case fails, it becomes another line. Any thread. */
const char *writer_failed(const struct writer *w);

/* What is no failure and yet must be said at once: true and one line, once each. To be asked
 * every now and then, by one thread. */
bool writer_news(struct writer *w, char *line, size_t cap);

/* Flushes, seals with the reason, removes the tail. 0: head is the SEAL's link. Above 0: it is,
 * but the tail had failed and the case has what it got, or the case is no longer where it was.
 * Below 0: not sealed, the tail is kept. writer_failed() is set unless 0. w is released by
 * writer_free in any case; without a seal before it the case stays unfinished, for recovery. */
int writer_seal(struct writer *w, const char *reason, uint8_t head[FRZ_HASH_LEN]);
void writer_free(struct writer *w);

#endif
