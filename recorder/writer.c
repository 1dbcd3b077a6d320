/*
 * writer.c - the tracer's side puts records into the tail; a helper thread turns full halves
 * into segments of the case.
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
#include "writer.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "append.h"
#include "genesis.h"
#include "procinfo.h"
#include "record.h"
#include "tail.h"

/* Larger halves pack a little better and bridge longer stalls of the medium; the writer's
 * memory is about three of them and 4 MiB for the compressor. */
#define HALF_BYTES   (2u << 20)
#define DEFAULT_STALL_MS 2000
#define GAP_BYTES    32             /* a GAP record and its entry head fit */
#define RETRY_NS     1000000u       /* the helper found the tracer within a group */
#define NEVER        UINT64_MAX
#define SEAL_BYTES   1024           /* about what a SEAL needs besides its index */

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
	int cur;                        /* current half; -1 none */
	uint8_t *data;
	_Atomic uint64_t *committed;    /* of the current half, in the tail */
	size_t at, group_at, last_at;
	uint32_t seed;
	bool in_group, dropping;
	uint64_t group_events;
	uint64_t next_event, generations;
	uint64_t unplaced, drop_first, drop_last;       /* dropped since there was no half, and when */

	_Atomic uint64_t events, lost, file_bytes, blocks;
	_Atomic(const char *) failed;
	atomic_bool case_failed;        /* else it was the tail */

	pthread_mutex_t mutex;
	pthread_cond_t to_helper, to_tracer;
	struct half half[FRZ_TAIL_HALVES];
	bool stop;

	/* the helper's, and of whoever seals after it ended */
	struct append append;
	uint64_t last_append_ns, last_sync_ns, synced[FRZ_TAIL_HALVES][2];
	_Atomic uint64_t packed_in, packed_out;         /* bytes of the last half and its frame */

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

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static struct timespec timespec_of(uint64_t ns)
{
	return (struct timespec){ (time_t)(ns / 1000000000u), (long)(ns % 1000000000u) };
}

/* The first failure wins. */
__attribute__((format(printf, 3, 4)))
static void writer_fail(struct writer *w, bool of_case, const char *fmt, ...)
{
	va_list ap;

	pthread_mutex_lock(&w->mutex);
	if (of_case)
		atomic_store(&w->case_failed, true);
	if (!atomic_load(&w->failed)) {
		va_start(ap, fmt);
		vsnprintf(w->failure, sizeof w->failure, fmt, ap);
		va_end(ap);
		atomic_store(&w->failed, w->failure);
	}
	pthread_cond_broadcast(&w->to_tracer);
	pthread_cond_broadcast(&w->to_helper);
	pthread_mutex_unlock(&w->mutex);
}

const char *writer_failed(const struct writer *w)
{
	return atomic_load_explicit(&w->failed, memory_order_acquire);
}

/* ---- the case file ---- */

/* append_sink: all of it, or the file is cut back to the end of its last whole block. */
static int sink(void *arg, const struct iovec *iov, int n)
{
	struct writer *w = arg;
	struct iovec left[2];
	int i = 0;

	memcpy(left, iov, (size_t)n * sizeof *iov);
	while (i < n) {
		ssize_t done = writev(w->fd, left + i, n - i);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0) {
			int e = errno;

			/* should this fail too, the file ends torn, and recovery cuts it */
			if (ftruncate(w->fd, (off_t)w->append.offset) == 0)
				fdatasync(w->fd);
			errno = e;
			return -1;
		}
		while (i < n && (size_t)done >= left[i].iov_len)
			done -= (ssize_t)left[i++].iov_len;
		if (i < n) {
			left[i].iov_base = (uint8_t *)left[i].iov_base + done;
			left[i].iov_len -= (size_t)done;
		}
	}
	return 0;
}

static bool deleted(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_nlink == 0;
}

/* True when err is FRZ_OK and the block is on disk. */
static bool appended(struct writer *w, enum frz_err err)
{
	int e = errno;

	if (err != FRZ_OK) {
		writer_fail(w, true, "%s: cannot be written: %s; what is committed is kept in %s: make room "
			    "or bring the medium back, then run frec --recover %s", w->path,
			    err == FRZ_E_IO ? strerror(e) : frz_strerror(err), w->tail.path, w->path);
		return false;
	}
	if (fdatasync(w->fd)) {
		writer_fail(w, true, "%s: cannot be written to its medium: %s; what is committed is kept in "
			    "%s", w->path, strerror(errno), w->tail.path);
		return false;
	}
	if (deleted(w->fd)) {
		writer_fail(w, true, "%s: was deleted while it was written", w->path);
		return false;
	}
	if (deleted(w->tail.fd))
		writer_fail(w, false, "%s: was deleted while it was needed; the case is sealed with what it "
			    "got", w->tail.path);
	w->last_append_ns = now_ns();
	atomic_store(&w->file_bytes, w->append.offset);
	atomic_store(&w->blocks, w->append.blocks);
	if (w->o.on_block)
		w->o.on_block(w->o.on_block_arg, w->head.case_id, w->append.blocks, w->append.events,
			      w->append.link);
	return true;
}

static _Atomic uint64_t *committed_of(const struct half *h)
{
	return (_Atomic uint64_t *)(void *)(h->page + FRZ_TAIL_P_COMMITTED);
}

static uint64_t half_committed(const struct half *h)
{
	return le64toh(atomic_load_explicit(committed_of(h), memory_order_relaxed));
}

static uint64_t half_lost(const struct half *h) { return frz_get64(h->page + FRZ_TAIL_P_LOST); }

/* Helper: a READY half into the case. What of it is not as it was put, because the tail was
 * cut or its medium vanished, is lost. */
static bool append_half(struct writer *w, struct half *h)
{
	struct frz_tail_half src = {
		.generation = h->generation,
		.first_event = w->append.events + 1,
		.mono = h->opened.mono,
		.real = h->opened.real,
		.committed = half_committed(h),
		.data = h->data,
		.seed = frz_tail_seed(w->head.genesis_link, h->generation),
	};
	uint64_t before = w->append.offset, lost = half_lost(h);

	frz_tail_check(&src);
	if (src.usable < src.committed) {
		writer_fail(w, false, "%s: records in it were destroyed while they waited to be written",
			    w->tail.path);
		atomic_fetch_add(&w->lost, h->events - src.events);
		lost += h->events - src.events;
	}
	if (!appended(w, append_segment(&w->append, &src, lost, w->boot_id, &h->closed)))
		return false;
	atomic_store(&w->packed_in, src.usable);
	atomic_store(&w->packed_out, w->append.offset - before);
	return true;
}

/* ---- halves; the caller holds `busy` and `mutex` ---- */

/* full: its last record was the moment before. */
static void close_half(struct writer *w, bool full)
{
	struct half *h = &w->half[w->cur];

	h->events = w->next_event - h->first_event;
	h->closed = full ? (struct moment){ 0 } : moment_now();
	h->state = HALF_READY;
	w->cur = -1;
	pthread_cond_signal(&w->to_helper);
}

static void open_half(struct writer *w, int i)
{
	struct half *h = &w->half[i];

	h->state = HALF_CURRENT;
	h->generation = ++w->generations;
	h->first_event = w->next_event;
	h->opened = moment_now();
	w->cur = i;
	w->data = h->data;
	w->committed = committed_of(h);
	w->at = w->group_at = 0;
	w->seed = frz_tail_seed(w->head.genesis_link, h->generation);
	/* it was emptied when it became free: whoever stops us here leaves an empty half */
	frz_put64(h->page + FRZ_TAIL_P_LOST, 0);
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

static void lock_busy(struct writer *w)
{
	while (atomic_exchange_explicit(&w->busy, 1, memory_order_acquire))
		sched_yield();
}

static void unlock_busy(struct writer *w) { atomic_store_explicit(&w->busy, 0, memory_order_release); }

/* ---- the tracer ---- */

static void publish(struct writer *w)
{
	frz_tail_mark_last(w->data, w->last_at);
	atomic_store_explicit(w->committed, htole64(w->at), memory_order_release);
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
	uint8_t *p;

	atomic_fetch_add(&w->lost, n);
	if (w->cur >= 0) {
		p = w->half[w->cur].page + FRZ_TAIL_P_LOST;
		frz_put64(p, frz_get64(p) + n);
	} else {
		w->unplaced += n;
		frz_put64(w->tail.map + FRZ_TAIL_H_UNPLACED, w->unplaced);
	}
}

/* The first thing in a half after records were dropped. */
static void put_gap(struct writer *w)
{
	uint8_t *lost = w->half[w->cur].page + FRZ_TAIL_P_LOST;
	uint8_t body_mem[GAP_BYTES], rec_mem[GAP_BYTES];
	struct frz_buf body = { .p = body_mem, .cap = sizeof body_mem };
	struct frz_buf rec = { .p = rec_mem, .cap = sizeof rec_mem };

	frz_buf_varint(&body, w->unplaced);
	frz_buf_varint(&body, 0);
	frz_enc_record(&rec, FRZ_R_GAP, &body);
	put(w, rec.p, rec.len, w->drop_last, w->drop_last - w->drop_first);
	publish(w);
	frz_put64(lost, frz_get64(lost) + w->unplaced);
	w->unplaced = 0;
	frz_put64(w->tail.map + FRZ_TAIL_H_UNPLACED, 0);
}

/* A new half for the tracer, which holds `busy`. deadline: until when to wait for one. False: none. */
static bool next_half(struct writer *w, uint64_t deadline)
{
	struct timespec until = timespec_of(deadline);
	int i;

	pthread_mutex_lock(&w->mutex);
	if (w->cur >= 0)
		close_half(w, true);
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
	if (need > HALF_BYTES)
		writer_fail(w, false, "%s: a group of %zu bytes in %u records is larger than a segment",
			    w->path, bytes, records);
	if (tail_broken())
		writer_fail(w, false, "%s: its medium is gone or became read-only, or it was cut: what could "
			    "still be read of it goes into %s", w->tail.path, w->path);
	if (writer_failed(w))
		return false;
	lock_busy(w);
	if (w->cur < 0 || HALF_BYTES - w->at < need) {
		uint64_t now = now_ns();

		*new_segment = next_half(w, w->dropping ? now : now + w->o.stall_ms * UINT64_C(1000000));
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
			writer_fail(w, false, "%s: cannot be written to its medium: %s", w->tail.path,
				    strerror(errno));
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

/* ---- the helper ---- */

static struct half *ready_half(struct writer *w)
{
	struct half *first = NULL;

	for (unsigned i = 0; i < FRZ_TAIL_HALVES; i++)
		if (w->half[i].state == HALF_READY && (!first || w->half[i].generation < first->generation))
			first = &w->half[i];
	return first;
}

/* With the mutex held, which it gives up meanwhile. */
static void work_on(struct writer *w, struct half *h)
{
	bool good;

	pthread_mutex_unlock(&w->mutex);
	good = append_half(w, h);
	pthread_mutex_lock(&w->mutex);
	if (good) {
		atomic_store_explicit(committed_of(h), 0, memory_order_release);
		h->state = HALF_FREE;
		pthread_cond_signal(&w->to_tracer);
	}
}

/* Tick time: a half with something in it becomes a segment, else there is a TICK.
 * Returns when to look again. With the mutex held. */
static uint64_t tick(struct writer *w, uint64_t now)
{
	if (atomic_exchange_explicit(&w->busy, 1, memory_order_acquire)) {
		/* a group takes microseconds; a tracer that waits for a free half does not,
		 * but then there is a half for us to work on */
		if (now < w->last_append_ns + w->tick_ns + 100 * RETRY_NS)
			return now + RETRY_NS;
	} else {
		bool take = w->cur >= 0 && (half_committed(&w->half[w->cur]) || half_lost(&w->half[w->cur]));

		if (take)
			close_half(w, false);
		unlock_busy(w);
		if (take)
			return now;
	}
	pthread_mutex_unlock(&w->mutex);
	appended(w, append_tick(&w->append, w->boot_id, moment_now()));
	pthread_mutex_lock(&w->mutex);
	return now;
}

/* The tail onto its medium, when something was committed since the last time. With the mutex held. */
static void sync_tail(struct writer *w)
{
	bool dirty = false;

	for (unsigned i = 0; i < FRZ_TAIL_HALVES; i++) {
		uint64_t is[2] = { w->half[i].generation, half_committed(&w->half[i]) };

		if (memcmp(is, w->synced[i], sizeof is) != 0 && is[1])
			dirty = true;
		memcpy(w->synced[i], is, sizeof is);
	}
	if (!dirty)
		return;
	pthread_mutex_unlock(&w->mutex);
	if (fdatasync(w->tail.fd))
		writer_fail(w, false, "%s: cannot be written to its medium: %s", w->tail.path, strerror(errno));
	pthread_mutex_lock(&w->mutex);
}

static void *helper_main(void *arg)
{
	struct writer *w = arg;
	uint64_t sync_ns = w->o.sync_seconds * UINT64_C(1000000000);
	uint64_t look = 0;

	pthread_mutex_lock(&w->mutex);
	for (;;) {
		struct half *h = ready_half(w);
		uint64_t now = now_ns(), due, wake;
		struct timespec until;

		if (atomic_load(&w->case_failed)) {
			if (w->stop)
				break;
			pthread_cond_wait(&w->to_helper, &w->mutex);
			continue;
		}
		if (h) {
			work_on(w, h);
			continue;
		}
		if (w->stop)
			break;
		due = w->last_append_ns + w->tick_ns;
		if (due < look)
			due = look;
		if (now >= due) {
			look = tick(w, now);
			continue;
		}
		wake = due;
		if (w->o.sync == WRITER_SYNC_SECONDS) {
			if (now >= w->last_sync_ns + sync_ns) {
				w->last_sync_ns = now;
				sync_tail(w);
				continue;
			}
			if (wake > w->last_sync_ns + sync_ns)
				wake = w->last_sync_ns + sync_ns;
		}
		until = timespec_of(wake);
		pthread_cond_timedwait(&w->to_helper, &w->mutex, &until);
	}
	pthread_mutex_unlock(&w->mutex);
	return NULL;
}

/* ---- opening, sealing ---- */

static bool start_helper(struct writer *w)
{
	sigset_t all, old;
	int e;

	sigfillset(&all);
	sigdelset(&all, SIGBUS);        /* handled by the tail's guard */
	sigdelset(&all, SIGSEGV);
	sigdelset(&all, SIGFPE);
	sigdelset(&all, SIGILL);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	e = pthread_create(&w->helper, NULL, helper_main, w);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	errno = e;
	w->helper_runs = e == 0;
	return w->helper_runs;
}

static void stop_helper(struct writer *w)
{
	if (!w->helper_runs)
		return;
	pthread_mutex_lock(&w->mutex);
	w->stop = true;
	pthread_cond_signal(&w->to_helper);
	pthread_mutex_unlock(&w->mutex);
	pthread_join(w->helper, NULL);
	w->helper_runs = false;
}

/* A new file's name is on disk only when its directory is. */
static bool sync_directory(const char *path)
{
	char *copy = strdup(path);
	int fd = copy ? open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	bool good = fd >= 0 && (fsync(fd) == 0 || errno == EINVAL);

	if (fd >= 0)
		close(fd);
	free(copy);
	return good;
}

static void set_defaults(struct writer *w, const struct writer_options *o)
{
	w->o = *o;
	if (!w->o.sync_seconds)
		w->o.sync_seconds = 1;
	if (!w->o.tick_seconds)
		w->o.tick_seconds = 5;
	if (!w->o.zstd_level)
		w->o.zstd_level = 3;
	if (!w->o.stall_ms)
		w->o.stall_ms = DEFAULT_STALL_MS;
	/* what is promised is a little more than what is aimed at */
	w->tick_ns = w->o.tick_seconds * UINT64_C(1000000000) / 8 * 7;
}

static struct writer *writer_new(const char *path, const struct writer_options *o)
{
	struct writer *w = calloc(1, sizeof *w);
	pthread_condattr_t attr;

	if (!w)
		return NULL;
	pthread_mutex_init(&w->mutex, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&w->to_helper, &attr);
	pthread_cond_init(&w->to_tracer, &attr);
	pthread_condattr_destroy(&attr);
	w->fd = -1;
	w->cur = -1;
	w->tail = TAIL_NONE;
	w->next_event = 1;
	set_defaults(w, o);
	w->path = strdup(path);
	if (w->path && append_init(&w->append, sink, w, w->o.zstd_level, HALF_BYTES))
		return w;
	writer_free(w);
	return NULL;
}

static bool create_case(struct writer *w, char *err, size_t cap)
{
	w->fd = open(w->path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
	if (w->fd < 0) {
		if (errno == EEXIST)
			snprintf(err, cap, "%s: exists already and is never overwritten; choose another name",
				 w->path);
		else
			snprintf(err, cap, "%s: cannot be created: %s", w->path, strerror(errno));
		return false;
	}
	/* some network file systems know no locks; recovery then goes by the pid in the tail */
	if (flock(w->fd, LOCK_EX | LOCK_NB) && errno != ENOLCK && errno != EOPNOTSUPP &&
	    errno != ENOSYS && errno != EINVAL) {
		snprintf(err, cap, "%s: cannot be locked: %s", w->path, strerror(errno));
		unlink(w->path);
		return false;
	}
	return true;
}

static bool write_genesis(struct writer *w, const struct writer_genesis *g, char *err, size_t cap)
{
	struct genesis_host host;
	sigset_t old;
	enum frz_err e;
	bool good;

	if (!genesis_collect(&host, err, cap))
		return false;
	if (g->case_id_hex ? !genesis_parse_id(g->case_id_hex, w->head.case_id) :
			     !genesis_random_id(w->head.case_id)) {
		snprintf(err, cap, "%s: no case id: %s", g->case_id_hex ? g->case_id_hex : "getrandom",
			 g->case_id_hex ? "32 hex digits are needed" : strerror(errno));
		return false;
	}
	memcpy(w->boot_id, host.boot_id, sizeof w->boot_id);
	tail_signals_block(&old);
	e = append_genesis(&w->append, &host, g, w->head.case_id, w->o.tick_seconds, moment_now());
	good = !e && fdatasync(w->fd) == 0;
	if (!good)
		snprintf(err, cap, "%s: cannot be written: %s", w->path,
			 !e || e == FRZ_E_IO ? strerror(errno) : frz_strerror(e));
	tail_signals_restore(&old);
	return good;
}

static bool create_tail(struct writer *w, char *err, size_t cap)
{
	struct proc_stat self;

	w->head.half_bytes = HALF_BYTES;
	w->head.affinity_bytes = FRZ_TAIL_AFFINITY;
	memcpy(w->head.genesis_link, w->append.link, FRZ_HASH_LEN);
	memcpy(w->head.boot_id, w->boot_id, sizeof w->head.boot_id);
	if (!proc_stat(getpid(), &self)) {
		snprintf(err, cap, "/proc/self/stat: cannot be read: is /proc mounted?");
		return false;
	}
	w->head.pid = (uint64_t)self.pid;
	w->head.start_ticks = self.start_ticks;
	if (!tail_create(&w->tail, w->path, &w->head, err, cap))
		return false;
	for (unsigned i = 0; i < FRZ_TAIL_HALVES; i++) {
		w->half[i].page = tail_half_page(&w->tail, &w->head, i);
		w->half[i].data = w->half[i].page + FRZ_TAIL_PAGE;
	}
	if (fsync(w->tail.fd) || !sync_directory(w->path)) {
		snprintf(err, cap, "%s: cannot be written to its medium: %s", w->tail.path, strerror(errno));
		tail_remove(&w->tail);
		return false;
	}
	tail_guard(&w->tail);
	return true;
}

struct writer *writer_open(const char *path, const struct writer_genesis *g,
			   const struct writer_options *o, char *err, size_t err_cap)
{
	struct writer *w = writer_new(path, o);

	if (!w) {
		snprintf(err, err_cap, "out of memory");
		return NULL;
	}
	if (!create_case(w, err, err_cap))
		goto fail;
	if (!write_genesis(w, g, err, err_cap) || !create_tail(w, err, err_cap))
		goto fail_unlink;
	if (!appended(w, FRZ_OK)) {
		snprintf(err, err_cap, "%s", writer_failed(w));
		goto fail_tail;
	}
	w->last_sync_ns = w->last_append_ns;
	if (start_helper(w))
		return w;
	snprintf(err, err_cap, "no thread for the writer: %s", strerror(errno));
fail_tail:
	tail_remove(&w->tail);
fail_unlink:
	unlink(w->path);
fail:
	writer_free(w);
	return NULL;
}

/* Hands over what is left, and what was dropped last as a gap of its own. */
static void flush(struct writer *w)
{
	lock_busy(w);
	if (w->dropping && !atomic_load(&w->case_failed))
		next_half(w, NEVER);
	pthread_mutex_lock(&w->mutex);
	if (w->cur >= 0 && (half_committed(&w->half[w->cur]) || half_lost(&w->half[w->cur])))
		close_half(w, false);
	pthread_mutex_unlock(&w->mutex);
	unlock_busy(w);
}

int writer_seal(struct writer *w, const char *reason, uint8_t head[FRZ_HASH_LEN])
{
	sigset_t old;
	bool good;

	if (w->in_group)
		writer_commit(w);
	flush(w);
	stop_helper(w);
	if (atomic_load(&w->case_failed)) {
		fdatasync(w->tail.fd);
		return -1;
	}
	tail_signals_block(&old);
	good = appended(w, append_seal(&w->append, reason, w->boot_id, moment_now()));
	tail_signals_restore(&old);
	if (!good)
		return -1;
	memcpy(head, w->append.link, FRZ_HASH_LEN);
	if (tail_remove(&w->tail) && errno != ENOENT)
		writer_fail(w, false, "%s: cannot be removed: %s; the case is sealed without it",
			    w->tail.path, strerror(errno));
	if (close(w->fd))
		writer_fail(w, true, "%s: cannot be closed: %s", w->path, strerror(errno));
	w->fd = -1;
	return writer_failed(w) ? -1 : 0;
}

void writer_free(struct writer *w)
{
	if (!w)
		return;
	stop_helper(w);
	tail_close(&w->tail);
	if (w->fd >= 0)
		close(w->fd);
	append_release(&w->append);
	pthread_mutex_destroy(&w->mutex);
	pthread_cond_destroy(&w->to_helper);
	pthread_cond_destroy(&w->to_tracer);
	free(w->path);
	free(w);
}
