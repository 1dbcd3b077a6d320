/*
 * writer_private.h - what the writer's three files share.
 *
 *   writer.c         the tracer's side: groups of records into halves of the tail
 *   writer_helper.c  the helper thread: halves into segments, ticks, syncs
 *   writer_open.c    opening, sealing, releasing
 *
 * - A half is FREE, CURRENT (the tracer puts into it) or READY (the helper's). Changes of
 *   state happen under `mutex`. The tracer gives a full half away; one that grew old while
 *   the tracer sleeps in waitpid is taken by the helper.
 * - So that the helper cannot take a half in the middle of a group there is `busy`, a spin
 *   lock which the tracer holds from reserve to commit: one atomic exchange when nobody
 *   else wants it, and the helper only ever tries it. Order: busy, then mutex.
 * - Two ways to fail. The case cannot be written: nothing more is appended, the tail stays.
 *   The tail cannot be trusted any more (SIGBUS, a failed sync, deleted): no more records
 *   are taken, but what is in memory still goes into the case, which is then sealed.
 */
#ifndef FREC_WRITER_PRIVATE_H
#define FREC_WRITER_PRIVATE_H

#include <endian.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <time.h>

#include "append.h"
#include "tail.h"
#include "writer.h"

/* Larger halves pack a little better and bridge longer stalls of the medium; the writer's
 * memory is about three of them and 4 MiB for the compressor. */
#define WRITER_HALF (2u << 20)

enum half_state { HALF_FREE, HALF_CURRENT, HALF_READY };

struct half {
	enum half_state state;
	uint8_t *page, *data;
	uint64_t generation, first_event, events;
	struct moment opened, closed;
};

struct writer {
	/* the tracer's own, and the helper's while it holds `busy` */
	atomic_int busy;
	int cur; /* current half; -1 none */
	uint8_t *data;
	_Atomic uint64_t *committed; /* of the current half, in the tail */
	size_t at, group_at, last_at;
	uint32_t seed;
	bool in_group, dropping;
	uint64_t group_events;
	uint64_t next_event, generations;
	uint64_t unplaced, drop_first, drop_last; /* dropped since there was no half, and when */

	_Atomic uint64_t events, lost, file_bytes, blocks;
	_Atomic(const char *) failed;
	atomic_bool case_failed; /* else it was the tail */

	pthread_mutex_t mutex;
	pthread_cond_t to_helper, to_tracer;
	struct half half[FRZ_TAIL_HALVES];
	bool stop;

	/* the helper's, and of whoever seals after it ended */
	struct append append;
	uint64_t last_append_ns, last_sync_ns, synced[FRZ_TAIL_HALVES][2];
	_Atomic uint64_t packed_in, packed_out; /* bytes of the last half and its frame */

	pthread_t helper;
	bool helper_runs;
	int fd;
	char *path;
	struct tail tail;
	struct frz_tail_head head;
	struct writer_options o;
	uint64_t tick_ns;
	char boot_id[40];
	char failure[512];
};

static inline uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static inline struct timespec timespec_of(uint64_t ns)
{
	return (struct timespec){ (time_t)(ns / 1000000000u), (long)(ns % 1000000000u) };
}

static inline _Atomic uint64_t *committed_of(const struct half *h)
{
	return (_Atomic uint64_t *)(void *)(h->page + FRZ_TAIL_P_COMMITTED);
}

static inline uint64_t half_committed(const struct half *h)
{
	return le64toh(atomic_load_explicit(committed_of(h), memory_order_relaxed));
}

static inline uint64_t half_lost(const struct half *h)
{
	return frz_get64(h->page + FRZ_TAIL_P_LOST);
}

static inline void lock_busy(struct writer *w)
{
	while (atomic_exchange_explicit(&w->busy, 1, memory_order_acquire))
		sched_yield();
}

static inline void unlock_busy(struct writer *w)
{
	atomic_store_explicit(&w->busy, 0, memory_order_release);
}

/* ---- writer.c ---- */

/* The first failure wins. of_case: the case cannot be written; else it is the tail. */
void writer_fail(struct writer *w, bool of_case, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* The current half becomes READY. With busy and mutex held. full: its last record was the
 * moment before; else it ends now. */
void writer_close_half(struct writer *w, bool full);
/* Hands over what is left, and what was dropped last as a gap of its own. */
void writer_flush(struct writer *w);

/* ---- writer_helper.c ---- */

/* append_sink of the case file: all of it, or the file is cut back to its last whole block. */
int writer_sink(void *arg, const struct iovec *iov, int n);
/* err: of an append. True when it is FRZ_OK and the block is on disk; else the writer failed. */
bool writer_appended(struct writer *w, enum frz_err err);
bool writer_start_helper(struct writer *w); /* false with errno */
/* Ends it after all READY halves were appended. */
void writer_stop_helper(struct writer *w);

#endif
