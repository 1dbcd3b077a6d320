/*
 * writer_helper.c - the writer's helper thread: packs and appends READY halves, takes a half that
 * grew old, ticks when there is nothing else to say, syncs the tail.
 */
#include "writer_private.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RETRY_NS 1000000u    /* the helper found the tracer within a group */
#define LOOK_NS	 1000000000u /* between two looks whether the files are still there */

/* ---- the case file ---- */

int writer_sink(void *arg, const struct iovec *iov, int n)
{
	struct writer *w = arg;
	struct iovec left[2];
	int i = 0;

	atomic_store(&w->at_work_ns, now_ns());
	memcpy(left, iov, (size_t)n * sizeof *iov);
	while (i < n) {
		ssize_t done = writev(w->fd, left + i, n - i);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -1;
		while (i < n && (size_t)done >= left[i].iov_len)
			done -= (ssize_t)left[i++].iov_len;
		if (i < n) {
			left[i].iov_base = (uint8_t *)left[i].iov_base + done;
			left[i].iov_len -= (size_t)done;
		}
	}
	return 0;
}

static int sync_file(struct writer *w, int fd)
{
	int ret;

	atomic_store(&w->at_work_ns, now_ns());
	ret = fdatasync(fd);
	atomic_store(&w->at_work_ns, 0);
	return ret;
}

static bool deleted(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_nlink == 0;
}

static bool has_its_name(const struct writer *w)
{
	struct stat file, named;

	return fstat(w->fd, &file) == 0 && stat(w->path, &named) == 0 &&
	       file.st_dev == named.st_dev && file.st_ino == named.st_ino;
}

void writer_look(struct writer *w)
{
	bool named = has_its_name(w);
	struct stat st;

	if (deleted(w->fd))
		writer_fail(w, true, "%s: was deleted while it was written", w->path);
	else if (fstat(w->fd, &st) == 0 && (uint64_t)st.st_size != w->synced_bytes)
		writer_fail(w, true,
			    "%s: was changed by another while it was written: it has %jd bytes, "
			    "and %ju were written; the newest events are kept in %s",
			    w->path, (intmax_t)st.st_size, (uintmax_t)w->synced_bytes,
			    w->tail.path);
	else if (deleted(w->tail.fd))
		writer_fail(w, false,
			    "%s: was deleted while it was needed; the case is sealed with what it "
			    "got",
			    w->tail.path);
	else if (!named && !w->moved)
		writer_tell(
			w,
			"%s: has no longer that name: it or its folder was moved, or its medium "
			"was unmounted; recording goes on",
			w->path);
	w->moved = !named;
	w->last_look_ns = now_ns();
}

/* What did not reach the medium goes again: the tail still has it, and should a later sync succeed,
 * that would not make it good. When this fails too, the file ends torn, and recovery cuts it. */
static void cut_back(struct writer *w)
{
	if (ftruncate(w->fd, (off_t)w->synced_bytes) == 0)
		fdatasync(w->fd);
}

static void case_failed(struct writer *w, const char *how, const char *why)
{
	cut_back(w);
	if (sync_file(w, w->tail.fd) == 0)
		writer_fail(
			w, true,
			"%s: cannot be written%s: %s; what is committed is kept in %s: make room "
			"or bring the medium back, then run frec --recover %s",
			w->path, how, why, w->tail.path, w->path);
	else
		writer_fail(
			w, true,
			"%s: cannot be written%s: %s; nor can %s, which keeps what is committed "
			"up to its last sync: bring the medium back, then run frec --recover %s",
			w->path, how, why, w->tail.path, w->path);
}

bool writer_appended(struct writer *w, enum frz_err err)
{
	if (err != FRZ_OK) {
		case_failed(w, "", err == FRZ_E_IO ? strerror(errno) : frz_strerror(err));
		return false;
	}
	if (sync_file(w, w->fd)) {
		case_failed(w, " to its medium", strerror(errno));
		return false;
	}
	w->synced_bytes = w->append.offset;
	writer_look(w);
	if (atomic_load(&w->case_failed))
		return false;
	w->last_append_ns = now_ns();
	atomic_store(&w->file_bytes, w->append.offset);
	atomic_store(&w->blocks, w->append.blocks);
	if (w->o.on_block)
		w->o.on_block(w->o.on_block_arg, w->head.case_id, w->append.blocks,
			      w->append.events, w->append.link);
	return true;
}

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
	uint64_t before = w->append.offset, lost = h->lost;

	frz_tail_check(&src);
	if (src.usable < src.committed) {
		writer_fail(w, false,
			    "%s: records in it were destroyed while they waited to be written",
			    w->tail.path);
		atomic_fetch_add(&w->lost, h->events - src.events);
		lost += h->events - src.events;
	}
	if (!writer_appended(w, append_segment(&w->append, &src, lost, w->boot_id, &h->closed)))
		return false;
	atomic_store(&w->packed_in, src.usable);
	atomic_store(&w->packed_out, w->append.offset - before);
	return true;
}

/* ---- the helper ---- */

static struct half *ready_half(struct writer *w)
{
	struct half *first = NULL;

	for (unsigned i = 0; i < FRZ_TAIL_HALVES; i++)
		if (w->half[i].state == HALF_READY &&
		    (!first || w->half[i].generation < first->generation))
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
		half_commit(h, 0);
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
		bool take = w->cur >= 0 && !half_empty(&w->half[w->cur]);

		if (take)
			writer_close_half(w, false);
		unlock_busy(w);
		if (take)
			return now;
	}
	pthread_mutex_unlock(&w->mutex);
	writer_appended(w, append_tick(&w->append, w->boot_id, moment_now()));
	pthread_mutex_lock(&w->mutex);
	return now;
}

/* The tail onto its medium, when something was committed since the last time. With the
 * mutex held. */
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
	if (sync_file(w, w->tail.fd))
		writer_fail(w, false,
			    "%s: cannot be written to its medium: %s; what it holds goes into %s",
			    w->tail.path, strerror(errno), w->path);
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
		if (now >= w->last_look_ns + LOOK_NS) {
			pthread_mutex_unlock(&w->mutex);
			writer_look(w);
			pthread_mutex_lock(&w->mutex);
			continue;
		}
		wake = due < w->last_look_ns + LOOK_NS ? due : w->last_look_ns + LOOK_NS;
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

bool writer_start_helper(struct writer *w)
{
	sigset_t all, old;
	int e;

	sigfillset(&all);
	sigdelset(&all, SIGBUS); /* handled by the tail's guard */
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

void writer_stop_helper(struct writer *w)
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
