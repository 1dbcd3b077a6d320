/*
 * stopwait.c - waiting for the next stop: by waitpid(-1), or by name when there are many tracees.
 *
 * waitpid(-1) looks at every tracee before it sleeps, about 13 ns each; with 1,000 of them a stop
 * costs three times as much. SIGCHLD names the thread that stopped, and waiting for one id is a
 * direct look-up, at about 1 us more than waitpid(-1) with one tracee. So:
 *
 * - Few tracees: waitpid(-1), and no SIGCHLD for stops (SA_NOCLDSTOP).
 * - Many (by_name): SIGCHLD is blocked and taken with sigwaitinfo, then waitpid(si_pid). Threads
 *   that stopped lately are asked by name before that.
 *
 * No stop is lost. SIGCHLD is one bit with one siginfo: a stop that comes while the signal
 * is pending leaves no trace of its own. But then that signal is taken after the stop, and taking
 * one sets `dirty`, as does every status. Only a sweep clears it: waitpid(-1, WNOHANG) that
 * finds nothing, and so would have found whoever stopped before it. While dirty a timer
 * makes sweeps due; so such a stop waits SWEEP_MIN_NS to SWEEP_MAX_NS at the most, and less
 * when the thread stopped lately, for then it is asked by name. A siginfo that could not be
 * allocated (si_pid 0) calls for a sweep at once. Going over to by_name starts with one,
 * after the disposition was changed. A sweep meets the tracees' kernel structures cold, at
 * about 0.1 us each, and each stop that it finds costs it a walk: it is no way to wait, and
 * the timer's period is SWEEP_SHARE times what the last empty one took.
 *
 * None is starved. The kernel hands out whoever is first in its list, and so do we with the
 * threads asked by name: two that stop as fast as they are restarted could hide a third. So
 * every FAIR_ONE statuses (FAIR_MIXED when several threads take turns), or at every tick of
 * the timer, all that are ready are collected and handed out before any other.
 *
 * No signal is lost with frec. In a signal-delivery-stop the signal lies where the wait status is
 * taken from (task_struct's exit_code), and taking it leaves 0: if the tracer is killed between
 * that and its restart, the kernel lets the thread go on without its signal. So the status of
 * such a stop is looked at and left (WNOWAIT), and the restart says again which signal. What is
 * not taken stays the first that waitpid finds until the thread is restarted.
 */
#include "stopwait.h"

#include <errno.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>
#include <linux/ptrace.h>

#include "clock.h"

#define MANY	      64u
#define FEW	      48u
#define FAIR_ONE      32u
#define FAIR_MIXED    4u
#define SWEEP_MIN_NS  1000000u
#define SWEEP_MAX_NS  20000000u
#define SWEEP_SHARE   25u
#define IDLE_SWEEP_NS 900000000u
#define ASK_FEW	      4u /* recent threads asked by name before a sleep, at least */
#define FORGET_MISSES 64u
#define SPIN_NS	      60000u /* about what a sleep and a wake-up on another CPU cost */

volatile sig_atomic_t stopwait_fired;

static void on_timer(int sig, siginfo_t *si, void *context)
{
	(void)sig, (void)context;
	stopwait_fired |= si->si_value.sival_int;
}

bool stopwait_timer(timer_t *t, int which)
{
	struct sigevent ev = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = STOPWAIT_SIGNAL };

	ev.sigev_value.sival_int = which;
	ev._sigev_un._tid = gettid();
	return timer_create(CLOCK_MONOTONIC, &ev, t) == 0;
}

void stopwait_arm(timer_t t, long first_ns, long every_ns)
{
	struct itimerspec it = { .it_interval = { 0, every_ns }, .it_value = { 0, first_ns } };

	timer_settime(t, 0, &it, NULL);
}

static bool take_disposition(bool stops_too, struct sigaction *old)
{
	struct sigaction sa = { .sa_handler = SIG_DFL, .sa_flags = stops_too ? 0 : SA_NOCLDSTOP };

	sigemptyset(&sa.sa_mask);
	return sigaction(SIGCHLD, &sa, old) == 0;
}

bool stopwait_init(struct stopwait *w)
{
	struct sigaction sa = { .sa_sigaction = on_timer, .sa_flags = SA_SIGINFO };
	sigset_t set;

	memset(w, 0, sizeof(*w));
	stopwait_fired = 0;
	sigemptyset(&sa.sa_mask);
	if (sigaction(STOPWAIT_SIGNAL, &sa, &w->old_own) != 0 ||
	    !take_disposition(false, &w->old_chld))
		return false;
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	sigemptyset(&set);
	sigaddset(&set, STOPWAIT_SIGNAL);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	return stopwait_timer(&w->timer, STOPWAIT_SWEEP);
}

void stopwait_release(struct stopwait *w)
{
	timer_delete(w->timer);
	sigaction(SIGCHLD, &w->old_chld, NULL);
}

void stopwait_child(const struct stopwait *w)
{
	sigaction(SIGCHLD, &w->old_chld, NULL);
	sigaction(STOPWAIT_SIGNAL, &w->old_own, NULL);
}

/* Fast while a sweep is owed; slow otherwise, in case that a thread of ours which did not block
 * SIGCHLD swallowed one. */
static void sweep_timer(struct stopwait *w, bool fast)
{
	uint32_t every = fast ? w->sweep_every_ns : IDLE_SWEEP_NS;

	if (w->timer_ns == every)
		return;
	w->timer_ns = every;
	stopwait_arm(w->timer, every, every);
}

void stopwait_count(struct stopwait *w, int delta)
{
	w->tracees += (unsigned)delta;
	if (w->by_name ? w->tracees >= FEW : w->tracees <= MANY)
		return;
	w->by_name = !w->by_name;
	take_disposition(w->by_name, NULL);
	w->dirty = w->sweep_now = w->by_name;
	w->sweep_every_ns = SWEEP_MIN_NS;
	w->nrecent = 0;
	w->ask = ASK_FEW;
	if (w->by_name) {
		sweep_timer(w, true);
	} else {
		w->timer_ns = 0;
		stopwait_arm(w->timer, 0, 0);
	}
}

/* ---- collecting ---- */

static pid_t held_next(struct stopwait *w, int *status)
{
	pid_t tid = w->held[w->next_held].tid;

	*status = w->held[w->next_held].status;
	if (++w->next_held == w->nheld)
		w->next_held = w->nheld = 0;
	return tid;
}

static bool holds_signal(int status)
{
	return WIFSTOPPED(status) && status >> 16 == 0 && !(WSTOPSIG(status) & 0x80);
}

/* As waitpid(id, status, __WALL | flags), but leaves the status of a stop that holds a signal, and,
 * to save a system call, of one in a call: the thread is restarted before the next wait. */
static pid_t look(pid_t id, int *status, int flags, bool leave_calls)
{
	siginfo_t si = { .si_pid = 0 };
	int event;

	if (waitid(id < 0 ? P_ALL : P_PID, (id_t)id, &si, WEXITED | WNOWAIT | __WALL | flags) < 0)
		return -1;
	if (si.si_pid == 0)
		return 0;
	if (si.si_code == CLD_TRAPPED) {
		*status = W_STOPCODE(si.si_status);
		event = *status >> 16;
		if (holds_signal(*status) ||
		    (leave_calls && (event == 0 || event == PTRACE_EVENT_SECCOMP)))
			return si.si_pid;
	}
	return waitpid(si.si_pid, status, __WALL | WNOHANG); /* 0: killed meanwhile */
}

static void keep(struct stopwait *w, pid_t tid, int status)
{
	w->held[w->nheld].tid = tid;
	w->held[w->nheld++].status = status;
}

/* Holds whatever is ready, up to the first that has a signal. The last look's result: 0 when it
 * found nothing more. */
static pid_t collect(struct stopwait *w)
{
	pid_t tid = 1;

	while (w->nheld < STOPWAIT_HELD) {
		int status;

		tid = look(-1, &status, WNOHANG, false);
		if (tid <= 0)
			break;
		keep(w, tid, status);
		if (holds_signal(status))
			break;
	}
	return tid;
}

/* After a status that came alone, whose thread is not restarted yet. */
static void be_fair(struct stopwait *w, pid_t tid, int status)
{
	int newer;

	if (tid != w->last)
		w->mixed = true;
	if (++w->run < (w->mixed ? FAIR_MIXED : FAIR_ONE) || holds_signal(status))
		return;
	w->run = 0;
	w->mixed = false;
	/* taken, so that others are found; when it was killed meanwhile there may be another */
	if (waitpid(tid, &newer, __WALL | WNOHANG) == tid && newer != status)
		keep(w, tid, newer);
	collect(w);
}

/* ---- few tracees ---- */

static pid_t ask_recent(struct stopwait *w, int *status, pid_t but);

/* Polls until something comes, SPIN_NS are over or a signal handler ran. 0: nothing came. */
static pid_t poll_a_while(struct stopwait *w, int *status, uint64_t start)
{
	do {
		for (int i = 0; i < 8; i++) {
			pid_t tid = w->by_name ? ask_recent(w, status, 0) :
						 look(-1, status, WNOHANG, true);

			if (tid != 0)
				return tid;
		}
	} while (!stopwait_fired && (!w->by_name || w->nrecent) && now_ns() - start < SPIN_NS);
	return 0;
}

static pid_t next_any(int *status)
{
	pid_t tid = look(-1, status, 0, true);

	return tid < 0 && errno == EINTR ? 0 : tid;
}

/* ---- many tracees ---- */

static void remember(struct stopwait *w, pid_t tid)
{
	unsigned i;

	for (i = 0; i < w->nrecent; i++)
		if (w->recent[i].tid == tid) {
			w->recent[i].misses = 0;
			return;
		}
	if (w->nrecent < STOPWAIT_RECENT)
		i = w->nrecent++;
	else
		i = w->next_recent % STOPWAIT_RECENT;
	w->recent[i].tid = tid;
	w->recent[i].misses = 0;
}

/* Asks those that stopped lately, going round: all as long as that finds some, else a few. but: not
 * this one, which was only just restarted. */
static pid_t ask_recent(struct stopwait *w, int *status, pid_t but)
{
	for (unsigned n = w->nrecent < w->ask ? w->nrecent : w->ask; n > 0; n--) {
		unsigned i = ++w->next_recent % w->nrecent;
		pid_t tid = w->recent[i].tid;

		w->next_recent = i;
		if (tid == but)
			continue;
		tid = look(tid, status, WNOHANG, true);
		if (tid > 0) {
			w->recent[i].misses = 0;
			w->ask = STOPWAIT_RECENT;
			return tid;
		}
		if (tid < 0 || ++w->recent[i].misses >= FORGET_MISSES)
			w->recent[i] = w->recent[--w->nrecent];
		if (w->nrecent == 0)
			break;
	}
	w->ask = w->ask / 2 > ASK_FEW ? w->ask / 2 : ASK_FEW;
	return 0;
}

static bool sweep_is_due(struct stopwait *w)
{
	if (stopwait_fired & STOPWAIT_SWEEP) {
		stopwait_fired &= ~STOPWAIT_SWEEP;
		if (w->dirty || w->timer_ns == IDLE_SWEEP_NS)
			return true;
		sweep_timer(w, false);
	}
	return w->sweep_now;
}

/* 1: something is held. 0, or -1 with errno: nothing is there. */
static pid_t sweep(struct stopwait *w)
{
	uint64_t start = now_ns(), every;
	pid_t last = collect(w);

	every = (now_ns() - start) * SWEEP_SHARE;
	every = every < SWEEP_MIN_NS ? SWEEP_MIN_NS : every > SWEEP_MAX_NS ? SWEEP_MAX_NS : every;
	if (!w->nheld && (every > 2 * w->sweep_every_ns || 2 * every < w->sweep_every_ns))
		w->sweep_every_ns = (uint32_t)every;
	for (unsigned i = 0; i < w->nheld; i++)
		remember(w, w->held[i].tid);
	w->sweep_now = false;
	if (last <= 0)
		w->dirty = false;
	return w->nheld ? 1 : last;
}

/* Sleeps until a SIGCHLD. 1: *status of *tid. 0: try again. -1: a signal handler ran. */
static int await_signal(struct stopwait *w, pid_t *tid, int *status)
{
	sigset_t chld;
	siginfo_t si;

	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	if (w->dirty)
		sweep_timer(w, true);
	if (sigwaitinfo(&chld, &si) < 0)
		return stopwait_fired & STOPWAIT_SWEEP ? 0 : -1;
	w->dirty = true;
	if (si.si_pid <= 0) {
		w->sweep_now = true;
		return 0;
	}
	*tid = look(si.si_pid, status, WNOHANG, true);
	if (*tid <= 0)
		return 0;
	remember(w, *tid);
	return 1;
}

static pid_t next_by_name(struct stopwait *w, int *status)
{
	for (;;) {
		bool due = sweep_is_due(w);
		pid_t tid = due ? 0 : ask_recent(w, status, w->last);
		int got;

		if (tid > 0)
			return tid;
		if (due) {
			tid = sweep(w);
			if (tid != 0)
				return tid < 0 ? tid : held_next(w, status);
		}
		got = await_signal(w, &tid, status);
		if (got != 0)
			return got < 0 ? 0 : tid;
	}
}

/* ---- the way in ---- */

pid_t stopwait_next(struct stopwait *w, int *status, bool spin)
{
	uint64_t start = 0;
	pid_t tid = 0;

	if (w->nheld)
		return held_next(w, status);
	if (spin) {
		start = now_ns();
		/* not when stops come so seldom that the last one was not worth it */
		if (w->waited_ns < 4 * SPIN_NS)
			tid = poll_a_while(w, status, start);
	}
	if (tid == 0)
		tid = w->by_name ? next_by_name(w, status) : next_any(status);
	if (spin)
		w->waited_ns = now_ns() - start;
	if (tid <= 0)
		return tid;
	if (w->by_name)
		w->dirty = true;
	else if (!w->nheld)
		be_fair(w, tid, *status);
	w->last = tid;
	return tid;
}

pid_t stopwait_poll(struct stopwait *w, int *status)
{
	if (w->nheld)
		return held_next(w, status);
	return look(-1, status, WNOHANG, true);
}
