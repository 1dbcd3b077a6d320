/*
 * attach.c - taking hold of a running process, and letting everything go again.
 *
 * - PTRACE_SEIZE, then one PTRACE_INTERRUPT, which is what makes the first syscall seen.
 *   Threads are looked for until a pass over /proc/PID/task finds none new.
 * - The pid is checked to be the same process before and after by its start time.
 * - A thread in execve holds the lock that SEIZE takes until the others of its process are
 *   dead, and those that are tracees die only when their tracer waits for them. So a
 *   SEIZE that takes long is broken off by a timer, the dying are let die, and it is tried again.
 * - Detaching: whatever stops by itself within a moment is let go there, without an
 *   INTERRUPT; the rest is interrupted all at once and let go in whatever order it stops,
 *   for a vfork parent cannot stop before its child has gone on. If that takes long, it is
 *   left to the kernel, which detaches when frec ends.
 */
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <time.h>
#include <unistd.h>
#include <linux/ptrace.h>

#include "diagnose.h"
#include "engine_private.h"
#include "procinfo.h"

#define SEIZE_TRIES	20u
#define SEIZE_AGAIN_NS	500000
#define SEIZE_LIMIT_NS	20000000 /* one try; without an execve it takes microseconds */
#define SEIZE_SIGNAL	(SIGRTMIN + 2)
#define LET_DIE_NS	2000000ull
#define NATURAL_STOP_NS 20000000ull /* how long detach waits for stops of themselves */
#define DETACH_LIMIT_NS 10000000000ull
#define SLEEPERS_NS	150000000ull /* when all that are left sleep uninterruptibly */

long engine_options(const struct engine *e)
{
	long o = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC | PTRACE_O_TRACEEXIT |
		 PTRACE_O_TRACECLONE;

	if (e->cfg.follow)
		o |= PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK;
	if (e->filtered)
		o |= PTRACE_O_TRACESECCOMP | PTRACE_O_EXITKILL;
	return o;
}

void engine_interrupt(struct engine *e, struct tracee *t, const char *why)
{
	char hit[256];
	ssize_t n = proc_read(t->tid, "syscall", hit, sizeof(hit) - 1);

	if (n < 0)
		n = 0;
	hit[n] = '\0';
	hit[strcspn(hit, "\n")] = '\0';
	if (ptrace(PTRACE_INTERRUPT, t->tid, NULL, NULL) == 0) {
		t->interrupted = true;
		t->interrupts++;
		CALL(e, interrupted, t, why, hit);
	}
}

/* Whether there is nothing to seize: no such thread, a dead one, or ours from its birth, whose
 * first stop will come. */
static bool need_not_seize(pid_t tid)
{
	struct proc_status st;
	struct proc_stat ps;

	return !proc_status(tid, &st) || !proc_stat(tid, &ps) || st.tracer == getpid() ||
	       ps.state == 'Z' || ps.state == 'X';
}

static sigjmp_buf seize_broken_off;
static volatile sig_atomic_t in_seize;

static void break_off(int sig)
{
	(void)sig;
	if (in_seize)
		siglongjmp(seize_broken_off, 1);
}

/* A timer of this thread whose signal breaks a SEIZE off; false with errno. */
static bool seize_timer(timer_t *timer)
{
	struct sigaction sa = { .sa_handler = break_off, .sa_flags = SA_RESTART };
	struct sigevent ev = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SEIZE_SIGNAL };
	sigset_t set;

	sigemptyset(&sa.sa_mask);
	sigemptyset(&set);
	sigaddset(&set, SEIZE_SIGNAL);
	ev._sigev_un._tid = gettid();
	return sigaction(SEIZE_SIGNAL, &sa, NULL) == 0 &&
	       pthread_sigmask(SIG_UNBLOCK, &set, NULL) == 0 &&
	       timer_create(CLOCK_MONOTONIC, &ev, timer) == 0;
}

/* 0, or the error; EINTR: it took too long. */
static int try_seize(const struct engine *e, timer_t timer, pid_t tid)
{
	const struct itimerspec limit = { .it_value = { 0, SEIZE_LIMIT_NS } },
				off = { .it_value = { 0, 0 } };
	volatile int error = EINTR;
	struct proc_status st;

	if (sigsetjmp(seize_broken_off, 1) == 0) {
		in_seize = 1;
		timer_settime(timer, 0, &limit, NULL);
		error = ptrace(PTRACE_SEIZE, tid, NULL, (void *)engine_options(e)) == 0 ? 0 : errno;
	}
	in_seize = 0;
	timer_settime(timer, 0, &off, NULL);
	/* broken off when it had just been done */
	if (error == EINTR && proc_status(tid, &st) && st.tracer == getpid())
		return 0;
	return error;
}

static void drain(struct engine *e, uint64_t until_ns);

/* 0, ESRCH when there is nothing to seize, or the error that stays. */
static int seize(struct engine *e, timer_t timer, pid_t tid)
{
	struct timespec nap = { 0, SEIZE_AGAIN_NS };

	for (unsigned tries = 1;; tries++) {
		int error = try_seize(e, timer, tid);

		if (error == EINTR && !control_stop_reason(e->cfg.control)) {
			drain(e, engine_clock() + LET_DIE_NS);
			continue;
		}
		if (error == EPERM && need_not_seize(tid))
			return ESRCH;
		/* in an execve the tid goes from a dead leader, EPERM, to a living thread */
		if (error != EPERM || tries == SEIZE_TRIES)
			return error;
		nanosleep(&nap, NULL);
	}
}

/* One pass over /proc/PID/task. Returns new threads seized, or -1 with errno of the first
 * seize that failed for another reason than the thread's end. */
static int seize_pass(struct engine *e, timer_t timer, pid_t pid)
{
	char path[64];
	DIR *dir;
	struct dirent *de;
	int found = 0, failed = 0;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	dir = opendir(path);
	if (!dir)
		return -1;
	while (!failed && (de = readdir(dir))) {
		pid_t tid = (pid_t)strtol(de->d_name, NULL, 10);
		struct tracee *t;

		if (tid <= 0 || tracees_find(e->cfg.tracees, tid))
			continue;
		failed = seize(e, timer, tid);
		if (failed == ESRCH) {
			failed = 0;
			continue;
		}
		if (failed)
			break;
		t = tracees_add(e->cfg.tracees, tid, pid);
		if (!t) {
			failed = ENOMEM;
			break;
		}
		found++;
		CALL(e, born, t, FRZ_BORN_ATTACH, NULL, engine_clock());
		engine_interrupt(e, t, "attach");
	}
	closedir(dir);
	if (failed) {
		errno = failed;
		return -1;
	}
	return found;
}

int engine_attach(struct engine *e, pid_t pid, char *err, size_t err_cap)
{
	struct proc_stat before, after;
	int found, total = 0, error;
	timer_t timer;

	if (!diagnose_before_seize(pid, err, err_cap))
		return -1;
	if (!proc_stat(pid, &before)) {
		snprintf(err, err_cap, "pid %d: no such process", (int)pid);
		return -1;
	}
	if (!seize_timer(&timer)) {
		snprintf(err, err_cap, "pid %d: no timer: %s", (int)pid, strerror(errno));
		return -1;
	}
	do {
		found = seize_pass(e, timer, pid);
		if (found > 0)
			total += found;
	} while (found > 0);
	error = found < 0 ? errno : ESRCH;
	timer_delete(timer);
	if (found < 0 || total == 0) {
		if (error == ENOMEM)
			snprintf(err, err_cap, "pid %d: out of memory", (int)pid);
		else if (error == EINTR)
			snprintf(err, err_cap,
				 "pid %d: told to stop before all its threads were attached",
				 (int)pid);
		else if (error == ESRCH || error == ENOENT || !proc_stat(pid, &after) ||
			 after.start_ticks != before.start_ticks)
			snprintf(err, err_cap,
				 "pid %d: no such process (it ended while frec attached)",
				 (int)pid);
		else
			diagnose_seize_failed(pid, error, err, err_cap);
		return -1;
	}
	if (!proc_stat(pid, &after) || after.start_ticks != before.start_ticks) {
		snprintf(err, err_cap, "pid %d: no such process (it ended while frec attached)",
			 (int)pid);
		return -1;
	}
	return 0;
}

void engine_detach(struct engine *e, struct tracee *t, int sig)
{
	uint64_t now = engine_clock();

	if (t->state != TRACEE_EXITING && !t->leave)
		CALL(e, leaving, t, true, now);
	placement_leave(e->cfg.placement, t->tid, &t->place, false);
	if (ptrace(PTRACE_DETACH, t->tid, NULL, (void *)(intptr_t)sig) < 0 && errno == ESRCH)
		return; /* killed meanwhile: its status still comes */
	engine_forget(e, t, FRZ_GONE_DETACHED, 0, now);
}

static void interrupt_one(void *arg, struct tracee *t)
{
	if (!t->interrupted)
		engine_interrupt(arg, t, "detach");
}

static void release_listener(void *arg, struct tracee *t)
{
	/* A listening tracee is in a group-stop and will not stop by itself. */
	if (t->state == TRACEE_LISTENING)
		engine_interrupt(arg, t, "detach");
}

/* Takes statuses until none is left to wait for or the time is over. */
static void drain(struct engine *e, uint64_t until_ns)
{
	struct timespec nap = { 0, 200000 };

	while (e->cfg.tracees->nthreads) {
		int status;
		pid_t tid = placement_poll(e->cfg.placement, &status);

		if (tid > 0) {
			engine_status(e, tid, status);
			continue;
		}
		if (tid < 0 && errno == ECHILD)
			return;
		if (engine_clock() >= until_ns)
			return;
		nanosleep(&nap, NULL);
	}
}

static void give_up(void *arg, struct tracee *t)
{
	struct engine *e = arg;

	CALL(e, missed, t->proc->pid, t->tid, "not detached",
	     "did not stop in time; the kernel detaches it when frec ends");
}

static void find_stoppable(void *arg, struct tracee *t)
{
	struct proc_stat st;

	if (proc_stat(t->tid, &st) && st.state != 'D')
		*(bool *)arg = true;
}

/* Whether one is left that will stop soon: in uninterruptible sleep (vfork is one) none does. */
static bool stoppable(struct engine *e)
{
	bool found = false;

	tracees_each(e->cfg.tracees, find_stoppable, &found);
	return found;
}

void engine_detach_all(struct engine *e)
{
	uint64_t now = engine_clock();

	e->detaching = true;
	while (e->nheld) {
		struct held h = e->held[--e->nheld];

		ptrace(PTRACE_DETACH, h.tid, NULL, NULL);
	}
	tracees_each(e->cfg.tracees, release_listener, e);
	drain(e, now + NATURAL_STOP_NS);
	if (e->cfg.tracees->nthreads)
		tracees_each(e->cfg.tracees, interrupt_one, e);
	do
		drain(e, engine_clock() + SLEEPERS_NS);
	while (stoppable(e) && engine_clock() < now + DETACH_LIMIT_NS);
	tracees_each(e->cfg.tracees, give_up, e);
}
