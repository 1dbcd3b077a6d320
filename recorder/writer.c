/*
 * writer.c - the tracer's side of the writer: records in groups into the halves of the tail.
 */
#include "writer_private.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "record.h"

#define GAP_BYTES  32 /* a GAP record and its entry head fit */
#define NEVER	   UINT64_MAX
#define SEAL_BYTES 1024 /* about what a SEAL needs besides its index */

void writer_fail(struct writer *w, bool of_case, const char *fmt, ...)
{
	va_list ap;

	pthread_mutex_lock(&w->mutex);
	if (!atomic_load(&w->failed) || (of_case && !atomic_load(&w->case_failed))) {
		va_start(ap, fmt);
		vsnprintf(w->failure[of_case], sizeof w->failure[of_case], fmt, ap);
		va_end(ap);
		atomic_store(&w->failed, w->failure[of_case]);
	}
	if (of_case)
		atomic_store(&w->case_failed, true);
	pthread_cond_broadcast(&w->to_tracer);
	pthread_cond_broadcast(&w->to_helper);
	pthread_mutex_unlock(&w->mutex);
}

void writer_tell(struct writer *w, const char *fmt, ...)
{
	va_list ap;

	pthread_mutex_lock(&w->mutex);
	va_start(ap, fmt);
	vsnprintf(w->news, sizeof w->news, fmt, ap);
	va_end(ap);
	pthread_mutex_unlock(&w->mutex);
}

bool writer_news(struct writer *w, char *line, size_t cap)
{
	uint64_t since = atomic_load(&w->at_work_ns);
	bool any;

	if (since && since != w->told_work_ns &&
	    now_ns() - since > w->o.stall_ms * UINT64_C(1000000)) {
		w->told_work_ns = since;
		writer_tell(w,
			    "%s: its medium has not taken a write for %u ms; until it does targets "
			    "may have to wait, and events that find no room in %s are dropped "
			    "and counted",
			    w->path, w->o.stall_ms, w->tail.path);
	}
	pthread_mutex_lock(&w->mutex);
	any = w->news[0] != '\0';
	snprintf(line, cap, "%s", w->news);
	w->news[0] = '\0';
	pthread_mutex_unlock(&w->mutex);
	return any;
}

const char *writer_failed(const struct writer *w)
{
	return atomic_load_explicit(&w->failed, memory_order_acquire);
}

void writer_close_half(struct writer *w, bool full)
{
	struct half *h = &w->half[w->cur];

	h->events = w->next_event - h->first_event;
	h->closed = full ? (struct moment){ 0 } : moment_now();
	h->state = HALF_READY;
	w->cur = -1;
	pthread_cond_signal(&w->to_helper);
}

/* ---- halves; the caller holds `busy` and `mutex` ---- */

static void open_half(struct writer *w, int i)
{
	struct half *h = &w->half[i];

	h->state = HALF_CURRENT;
	h->generation = ++w->generations;
	h->first_event = w->next_event;
	h->opened = moment_now();
	w->cur = i;
	w->data = h->data;
	w->at = w->group_at = 0;
	w->seed = frz_tail_seed(w->head.genesis_link, h->generation);
	/* it was emptied when it became free: whoever stops us here leaves an empty half */
	half_set_lost(h, 0);
	frz_tail_put_half(h->page, w->head.genesis_link, h->generation, h->first_event,
			  h->opened.mono, h->opened.real);
	atomic_signal_fence(memory_order_seq_cst);
}

/* -1: all are taken. */
static int free_half(const struct writer *w)
{
	for (unsigned i = 0; i < FRZ_TAIL_HALVES; i++)
		if (w->half[i].state == HALF_FREE)
			return (int)i;
	return -1;
}

/* ---- the tracer ---- */

static void publish(struct writer *w)
{
	frz_tail_mark_last(w->data, w->last_at);
	half_commit(&w->half[w->cur], w->at);
	w->next_event += w->group_events;
	atomic_store_explicit(&w->events, w->next_event - 1, memory_order_relaxed);
	w->group_at = w->at;
	w->group_events = 0;
}

static void put(struct writer *w, const uint8_t *rec, size_t len, uint64_t mono_ns, uint64_t dur_ns)
{
	w->last_at = w->at;
	w->at += frz_tail_put_entry(w->data, w->at, w->seed, rec, len, mono_ns, dur_ns);
	w->group_events += FRZ_REC_EVENT(rec[0]);
}

static void count_lost(struct writer *w, uint64_t n)
{
	atomic_fetch_add(&w->lost, n);
	if (w->cur >= 0) {
		half_set_lost(&w->half[w->cur], w->half[w->cur].lost + n);
	} else {
		w->unplaced += n;
		frz_put64(w->tail.map + FRZ_TAIL_H_UNPLACED, w->unplaced);
	}
}

/* The first thing in a half after records were dropped. */
static void put_gap(struct writer *w)
{
	uint8_t body_mem[GAP_BYTES], rec_mem[GAP_BYTES];
	struct frz_buf body = { .p = body_mem, .cap = sizeof body_mem };
	struct frz_buf rec = { .p = rec_mem, .cap = sizeof rec_mem };

	frz_buf_varint(&body, w->unplaced);
	frz_buf_varint(&body, 0);
	frz_enc_record(&rec, FRZ_R_GAP, &body);
	put(w, rec.p, rec.len, w->drop_last, w->drop_last - w->drop_first);
	publish(w);
	half_set_lost(&w->half[w->cur], w->half[w->cur].lost + w->unplaced);
	w->unplaced = 0;
	frz_put64(w->tail.map + FRZ_TAIL_H_UNPLACED, 0);
}

/* A new half for the tracer, which holds `busy`. deadline: until when to wait for one.
 * False: none. */
static bool next_half(struct writer *w, uint64_t deadline)
{
	struct timespec until = timespec_of(deadline);
	int i;

	pthread_mutex_lock(&w->mutex);
	if (w->cur >= 0)
		writer_close_half(w, true);
	while ((i = free_half(w)) < 0 && !atomic_load(&w->case_failed))
		if (deadline != NEVER) {
			if (pthread_cond_timedwait(&w->to_tracer, &w->mutex, &until) == ETIMEDOUT)
				break;
		} else {
			pthread_cond_wait(&w->to_tracer, &w->mutex);
		}
	if (i >= 0)
		open_half(w, i);
	pthread_mutex_unlock(&w->mutex);
	if (i >= 0 && w->dropping) {
		w->dropping = false;
		put_gap(w);
	}
	return i >= 0;
}

bool writer_reserve(struct writer *w, size_t bytes, unsigned records, bool *new_segment)
{
	size_t need = bytes + (size_t)records * FRZ_TAIL_ENTRY + GAP_BYTES + FRZ_TAIL_ENTRY;

	*new_segment = false;
	if (w->in_group)
		writer_commit(w);
	if (need > WRITER_HALF)
		writer_fail(w, false,
			    "%s: a group of %zu bytes in %u records is larger than a segment",
			    w->path, bytes, records);
	if (tail_broken())
		writer_fail(
			w, false,
			"%s: cannot be written: %s; what could still be read of it goes into %s",
			w->tail.path, tail_broken(), w->path);
	if (writer_failed(w))
		return false;
	lock_busy(w);
	if (w->cur < 0 || WRITER_HALF - w->at < need) {
		uint64_t now = now_ns();

		*new_segment =
			next_half(w, w->dropping ? now : now + w->o.stall_ms * UINT64_C(1000000));
		if (!*new_segment) {
			if (writer_failed(w)) {
				unlock_busy(w);
				return false;
			}
			if (!w->dropping)
				w->drop_first = w->drop_last = now;
			w->dropping = true;
		}
	}
	w->in_group = true;
	return true;
}

void writer_put(struct writer *w, const uint8_t *rec, size_t len, uint64_t mono_ns, uint64_t dur_ns)
{
	if (!w->dropping) {
		put(w, rec, len, mono_ns, dur_ns);
		return;
	}
	if (FRZ_REC_TIMED(rec[0]) && mono_ns > w->drop_last)
		w->drop_last = mono_ns;
	if (FRZ_REC_EVENT(rec[0]))
		count_lost(w, 1);
}

void writer_commit(struct writer *w)
{
	if (!w->in_group)
		return;
	if (!w->dropping && w->at != w->group_at) {
		publish(w);
		if (w->o.sync == WRITER_SYNC_EVENT &&
		    tail_sync(&w->tail, w->half[w->cur].page, FRZ_TAIL_PAGE + w->at))
			writer_fail(w, false,
				    "%s: cannot be written to its medium: %s; what it holds goes "
				    "into %s",
				    w->tail.path, strerror(errno), w->path);
	}
	w->in_group = false;
	unlock_busy(w);
}

void writer_lost(struct writer *w, uint64_t events)
{
	if (w->in_group) {
		count_lost(w, events);
		return;
	}
	lock_busy(w);
	count_lost(w, events);
	unlock_busy(w);
}

void *writer_affinity_area(struct writer *w, size_t *len)
{
	*len = w->head.affinity_bytes;
	return w->tail.map + FRZ_TAIL_PAGE;
}

void writer_stats(const struct writer *w, struct writer_stats *s)
{
	s->events = atomic_load_explicit(&w->events, memory_order_relaxed);
	s->file_bytes = atomic_load_explicit(&w->file_bytes, memory_order_relaxed);
	s->blocks = atomic_load_explicit(&w->blocks, memory_order_relaxed);
	s->lost = atomic_load_explicit(&w->lost, memory_order_relaxed);
}

/* What is in the halves will be about as small as what was packed last. */
bool writer_full(const struct writer *w)
{
	uint64_t in = atomic_load_explicit(&w->packed_in, memory_order_relaxed);
	uint64_t out = atomic_load_explicit(&w->packed_out, memory_order_relaxed);
	uint64_t bytes = atomic_load_explicit(&w->file_bytes, memory_order_relaxed) + SEAL_BYTES;

	if (!w->o.max_bytes)
		return false;
	for (unsigned i = 0; i < FRZ_TAIL_HALVES; i++) {
		uint64_t c = half_committed(&w->half[i]);

		bytes += in ? c * out / in : c / 8;
	}
	return bytes >= w->o.max_bytes;
}

void writer_flush(struct writer *w)
{
	lock_busy(w);
	if (w->dropping && !atomic_load(&w->case_failed))
		next_half(w, NEVER);
	pthread_mutex_lock(&w->mutex);
	if (w->cur >= 0 && !half_empty(&w->half[w->cur]))
		writer_close_half(w, false);
	pthread_mutex_unlock(&w->mutex);
	unlock_busy(w);
}
