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
 * - The tail is written and never believed: what was committed and lost stands in the halves
 *   here, and its records are checked as they go into the case.
 */
#ifndef FREC_WRITER_PRIVATE_H
#define FREC_WRITER_PRIVATE_H

#include <endian.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <time.h>

#include "append.h"
#include "clock.h"
#include "tail.h"
#include "writer.h"

/* Larger halves pack a little better and bridge longer stalls of the medium; the writer's
 * memory is about three of them and 4 MiB for the compressor. */
#define WRITER_HALF (2u << 20)

enum half_state { HALF_FREE, HALF_CURRENT, HALF_READY };

struct half {
	enum half_state state;
	uint8_t *page, *data;
	_Atomic uint64_t committed; /* bytes; in the tail too */
	uint64_t lost;		    /* events; in the tail too. Under busy; READY: the helper's */
	uint64_t generation, first_event, events;
	struct moment opened, closed;
};

struct writer {
	/* the tracer's own, and the helper's while it holds `busy` */
	atomic_int busy;
	int cur; /* current half; -1 none */
	uint8_t *data;
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
	uint64_t synced_bytes; /* of the case: so much of it is on its medium */
	uint64_t last_append_ns, last_sync_ns, last_look_ns, synced[FRZ_TAIL_HALVES][2];
	bool moved;				/* and that was told */
	_Atomic uint64_t packed_in, packed_out; /* bytes of the last half and its frame */
	_Atomic uint64_t at_work_ns;		/* since when it is at one append; 0: at none */

	uint64_t told_work_ns; /* which of them was told; writer_news()'s own */
	char news[512];	       /* not asked for yet; under the mutex */

	pthread_t helper;
	bool helper_runs;
	int fd;
	char *path;
	struct tail tail;
	struct frz_tail_head head;
	struct writer_options o;
	uint64_t tick_ns;
	char boot_id[40];
	char failure[2][512]; /* of the tail; of the case, which counts for more */
};

static inline struct timespec timespec_of(uint64_t ns)
{
	return (struct timespec){ (time_t)(ns / 1000000000u), (long)(ns % 1000000000u) };
}

/* What is in the half up to here is part of the evidence. */
static inline void half_commit(struct half *h, uint64_t bytes)
{
	_Atomic uint64_t *in_tail = (void *)(h->page + FRZ_TAIL_P_COMMITTED);

	atomic_store_explicit(in_tail, htole64(bytes), memory_order_release);
	atomic_store_explicit(&h->committed, bytes, memory_order_relaxed);
}

static inline uint64_t half_committed(const struct half *h)
{
	return atomic_load_explicit(&h->committed, memory_order_relaxed);
}

static inline bool half_empty(const struct half *h) { return !half_committed(h) && !h->lost; }

static inline void half_set_lost(struct half *h, uint64_t events)
{
	h->lost = events;
	frz_put64(h->page + FRZ_TAIL_P_LOST, events);
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

/* The first failure is told, but the case's rather than the tail's. of_case: the case cannot be
 * written; else it is the tail. */
void writer_fail(struct writer *w, bool of_case, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* For writer_news(). */
void writer_tell(struct writer *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The current half becomes READY. With busy and mutex held. full: its last record was the
 * moment before; else it ends now. */
void writer_close_half(struct writer *w, bool full);
/* Hands over what is left, and what was dropped last as a gap of its own. */
void writer_flush(struct writer *w);

/* ---- writer_helper.c ---- */

/* append_sink of the case file. */
int writer_sink(void *arg, const struct iovec *iov, int n);
/* err: of an append. True when it is FRZ_OK and the block is on disk; else the writer failed, and
 * the file was cut back to what is. */
bool writer_appended(struct writer *w, enum frz_err err);
/* Whether case and tail are still there, under their names: fails, or tells. */
void writer_look(struct writer *w);
bool writer_start_helper(struct writer *w); /* false with errno */
/* Ends it after all READY halves were appended. */
void writer_stop_helper(struct writer *w);

#endif
