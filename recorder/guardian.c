/*
 * guardian.c - the process that outlives a killed tracer, and what it does then.
 *
 * - It is forked twice, so that init reaps it and the tracer's waitpid(-1) never sees it.
 * - It waits on a pidfd of the tracer, opened before the fork: no pid can be reused under it,
 *   and no copy of a pipe in some child can keep it waiting.
 * - It puts masks back before others run, where that is permitted: until then, who has a pin passes
 *   it on.
 * - Forked from a process that may have threads: only system calls and affinity.h below.
 */
#include "guardian.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "affinity.h"
#include "heirs.h"

struct guardian {
	struct guardian_area *area;
	bool own_area;
	int end_fd;
};

struct heirs {
	const struct guardian_pin *pin;
	unsigned restored;
};

static void restore_heir(void *arg, pid_t tid)
{
	struct heirs *h = arg;
	cpu_set_t now;

	if (affinity_get(tid, &now) && affinity_is_one(&now, h->pin->cpu) &&
	    affinity_set(tid, &h->pin->restore))
		h->restored++;
}

/* Of the process that the pin belongs to, since its first pin. Until a look finds none: while it
 * looked, one with the pin may have made another. */
static unsigned restore_heirs(const struct guardian_area *area, const bool *had, unsigned of)
{
	const struct guardian_pin *pin = &area->pin[of];
	struct heirs h = { pin, 0 };
	struct affinity_stat st;
	uint64_t since = pin->pinned_ticks;
	unsigned before;

	for (unsigned i = 0; i < GUARDIAN_PINS; i++) {
		if (!had[i] || area->pin[i].tgid != pin->tgid)
			continue;
		if (i < of)
			return 0; /* looked after with that one */
		if (area->pin[i].pinned_ticks < since)
			since = area->pin[i].pinned_ticks;
	}
	if (!affinity_stat(pin->tgid, &st) || st.start_ticks != pin->tgid_start_ticks)
		return 0;
	do {
		before = h.restored;
		heirs_each(pin->tgid, since, restore_heir, &h);
	} while (h.restored != before);
	return h.restored;
}

static void restore_pinned(struct guardian_area *area, bool *had, struct guardian_result *r)
{
	for (unsigned i = 0; i < GUARDIAN_PINS; i++) {
		struct guardian_pin *pin = &area->pin[i];
		struct affinity_stat st;
		cpu_set_t now;

		had[i] = atomic_load_explicit(&pin->used, memory_order_acquire) != 0;
		if (!had[i])
			continue;
		if (!affinity_stat(pin->tid, &st) || st.start_ticks != pin->start_ticks ||
		    !affinity_get(pin->tid, &now)) {
			r->gone++;
		} else if (!affinity_is_one(&now, pin->cpu)) {
			r->foreign++;
		} else if (affinity_set(pin->tid, &pin->restore)) {
			r->restored++;
		} else if (errno == ESRCH) {
			r->gone++;
		} else {
			r->failed++;
			had[i] = false;
		}
	}
}

/* Of the processes of those threads, what was born with a pin; then their places are given back. */
static void restore_born(struct guardian_area *area, const bool *had, struct guardian_result *r)
{
	/* a child whose fork had copied the mask when its parent got its own back may not be in
	 * /proc yet: look again a little later */
	static const long pauses_ns[] = { 10000000, 100000000 };
	unsigned pinned = r->restored + r->foreign + r->gone;

	for (unsigned pass = 0; pinned && pass <= sizeof(pauses_ns) / sizeof(*pauses_ns); pass++) {
		if (pass > 0)
			nanosleep(&(struct timespec){ 0, pauses_ns[pass - 1] }, NULL);
		for (unsigned i = 0; i < GUARDIAN_PINS; i++)
			if (had[i])
				r->heirs += restore_heirs(area, had, i);
	}
	for (unsigned i = 0; i < GUARDIAN_PINS; i++)
		if (had[i])
			guardian_give_back(&area->pin[i]);
}

struct guardian_result guardian_restore(struct guardian_area *area)
{
	struct guardian_result r = { 0 };
	bool had[GUARDIAN_PINS];

	restore_pinned(area, had, &r);
	restore_born(area, had, &r);
	return r;
}

struct guardian_pin *guardian_take(struct guardian *g, pid_t tid, int cpu, const cpu_set_t *restore)
{
	struct affinity_stat st, process;
	pid_t tgid;

	if (!affinity_stat(tid, &st) || !affinity_tgid(tid, &tgid) ||
	    !affinity_stat(tgid, &process))
		return NULL;
	for (unsigned i = 0; i < GUARDIAN_PINS; i++) {
		struct guardian_pin *pin = &g->area->pin[i];

		if (atomic_load_explicit(&pin->used, memory_order_relaxed))
			continue;
		pin->tid = tid;
		pin->tgid = tgid;
		pin->cpu = cpu;
		pin->start_ticks = st.start_ticks;
		pin->tgid_start_ticks = process.start_ticks;
		pin->pinned_ticks = affinity_now_ticks();
		pin->restore = *restore;
		atomic_store_explicit(&pin->used, 1, memory_order_release);
		return pin;
	}
	return NULL;
}

void guardian_give_back(struct guardian_pin *pin)
{
	atomic_store_explicit(&pin->used, 0, memory_order_release);
}

/* ---- the process ---- */

/* Both ends included. close_range(2) came with Linux 5.9. */
static void close_from_to(unsigned first, unsigned last)
{
	struct rlimit limit = { .rlim_cur = 1024 };

	if (first > last || syscall(SYS_close_range, first, last, 0u) == 0)
		return;
	getrlimit(RLIMIT_NOFILE, &limit);
	for (; first <= last && first < limit.rlim_cur; first++)
		close((int)first);
}

static void close_all_but(int a, int b)
{
	unsigned low = (unsigned)(a < b ? a : b), high = (unsigned)(a < b ? b : a);

	if (low > 0)
		close_from_to(0, low - 1);
	close_from_to(low + 1, high - 1);
	close_from_to(high + 1, ~0u);
}

static _Noreturn void guard(struct guardian_area *area, int tracer, int end_fd)
{
	struct pollfd fds[2] = {
		{ .fd = tracer, .events = POLLIN },
		{ .fd = end_fd, .events = POLLIN },
	};
	const struct sched_param first = { .sched_priority = 1 }, normal = { .sched_priority = 0 };
	struct guardian_result r = { 0 };
	bool had[GUARDIAN_PINS];
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	setsid();
	sched_setscheduler(0, SCHED_FIFO, &first);
	if (chdir("/") != 0) /* so that the case's file system can be unmounted */
		_exit(1);
	close_all_but(tracer, end_fd);
	prctl(PR_SET_NAME, "frec-guardian");
	while (poll(fds, 2, -1) < 0 && errno == EINTR)
		;
	if (!fds[1].revents) {
		restore_pinned(area, had, &r);
		/* the rest looks through all of /proc */
		sched_setscheduler(0, SCHED_OTHER, &normal);
		restore_born(area, had, &r);
	}
	_exit(0);
}

static bool start(struct guardian *g)
{
	int tracer = (int)syscall(SYS_pidfd_open, getpid(), 0), status, saved;
	sigset_t all, old;
	pid_t middle;

	if (tracer < 0)
		return false;
	sigfillset(&all); /* nothing may end it before it is in its own session */
	sigprocmask(SIG_SETMASK, &all, &old);
	middle = fork();
	if (middle == 0) {
		pid_t pid = fork();

		if (pid == 0)
			guard(g->area, tracer, g->end_fd);
		_exit(pid < 0 ? (errno & 0x7f) : 0);
	}
	saved = errno;
	sigprocmask(SIG_SETMASK, &old, NULL);
	close(tracer);
	if (middle < 0) {
		errno = saved;
		return false;
	}
	while (waitpid(middle, &status, __WALL) < 0)
		if (errno != EINTR)
			return false;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		errno = WIFEXITED(status) ? WEXITSTATUS(status) : ECHILD;
		return false;
	}
	return true;
}

struct guardian *guardian_new(struct guardian_area *area)
{
	struct guardian *g = calloc(1, sizeof(*g));
	int saved;

	if (!g)
		return NULL;
	g->end_fd = eventfd(0, EFD_CLOEXEC);
	if (g->end_fd < 0)
		goto fail;
	if (!area) {
		void *m = mmap(NULL, sizeof(*area), PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

		if (m == MAP_FAILED)
			goto fail;
		area = m;
		g->own_area = true;
	}
	g->area = area;
	if (start(g))
		return g;
fail:
	saved = errno;
	if (g->own_area)
		munmap(g->area, sizeof(*g->area));
	if (g->end_fd >= 0)
		close(g->end_fd);
	free(g);
	errno = saved;
	return NULL;
}

void guardian_free(struct guardian *g)
{
	uint64_t one = 1;

	if (!g)
		return;
	while (write(g->end_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
	close(g->end_fd);
	if (g->own_area)
		munmap(g->area, sizeof(*g->area));
	free(g);
}
