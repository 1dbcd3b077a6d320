/*
 * control.c - the thread that listens: signals, limits, the end.
 *
 * - control_new blocks every signal that would end or stop frec, so that all threads made later
 *   have them blocked and only this one takes them. A second Ctrl-C is read and ignored.
 * - It takes them with sigtimedwait. A thread that polls a signalfd is woken by every signal of
 *   the process, also by the SIGCHLD of each stop that the tracer waits for when it has many
 *   tracees (stopwait.c), and that made a stop half as dear again.
 * - SIGTSTP, SIGTTIN and SIGTTOU are blocked and never taken: a stopped frec would leave its
 *   tracees hanging at their next stop.
 * - The wake-up is a real-time signal with an empty handler and no SA_RESTART. One that hits the
 *   tracer between its check and its sleep is lost, so it is sent every 10 ms until the
 *   tracer has called control_stop_reason().
 */
#include "control.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "status.h"

#define KICK_SIGNAL   SIGRTMIN
#define KICK_EVERY_MS 10
#define LOOK_EVERY_MS 100 /* at the writer's state, and to redraw when it is time */

struct control {
	const struct frec_options *o;
	struct writer *w;
	bool launch;
	bool started;
	bool hup_ignored, int_ignored, quit_ignored, chld_ignored, setxid_ignored;
	sigset_t old_mask;
	struct sigaction old_kick;
	sigset_t taken; /* what ends frec, and KICK_SIGNAL, which makes the thread look */
	pthread_t thread, tracer;
	uint64_t deadline_ns;	    /* CLOCK_MONOTONIC; 0 none */
	const char *_Atomic reason; /* static text; the first one stays */
	atomic_bool seen;	    /* the tracer knows */
	atomic_bool ending;
	struct status *status;
};

/* Those that end frec cleanly. All others that would end it by default are blocked as well. */
static const struct {
	int signo;
	const char *reason;
} enders[] = {
	{ SIGINT, "signal SIGINT" },   { SIGTERM, "signal SIGTERM" }, { SIGHUP, "signal SIGHUP" },
	{ SIGQUIT, "signal SIGQUIT" }, { SIGUSR1, "signal SIGUSR1" }, { SIGUSR2, "signal SIGUSR2" },
	{ SIGALRM, "signal SIGALRM" }, { SIGXCPU, "signal SIGXCPU" }, { SIGPWR, "signal SIGPWR" },
};
#define NENDERS (sizeof(enders) / sizeof(enders[0]))

/* Failed writes report EPIPE and EFBIG instead; the terminal cannot stop frec. */
static const int blocked_only[] = { SIGPIPE, SIGXFSZ, SIGTSTP, SIGTTIN, SIGTTOU };

/* The signal by which glibc sets ids in all threads; sigaction(3) does not let one ask for it. It
 * takes it when the first thread is made, so that a command started by frec would no longer
 * have it ignored, as make and some other programs leave it. */
#define SETXID_SIGNAL 33

struct kernel_sigaction {
	void (*handler)(int);
	unsigned long flags;
	void (*restorer)(void);
	uint64_t mask;
};

static bool setxid_ignored(void)
{
	struct kernel_sigaction sa = { 0 };

	return !syscall(SYS_rt_sigaction, SETXID_SIGNAL, NULL, &sa, sizeof(sa.mask)) &&
	       sa.handler == SIG_IGN;
}

static bool ignored(int signo)
{
	struct sigaction sa;

	return !sigaction(signo, NULL, &sa) && sa.sa_handler == SIG_IGN;
}

static void wake_up(int signo) { (void)signo; }

struct control *control_new(const struct frec_options *o, bool launch)
{
	struct control *c = calloc(1, sizeof(*c));
	struct sigaction sa = { .sa_handler = wake_up };
	sigset_t block, kick;
	int e;

	if (!c)
		return NULL;
	c->o = o;
	c->launch = launch;
	c->hup_ignored = ignored(SIGHUP);
	c->int_ignored = ignored(SIGINT);
	c->quit_ignored = ignored(SIGQUIT);
	c->chld_ignored = ignored(SIGCHLD);
	c->setxid_ignored = setxid_ignored();
	sigemptyset(&block);
	for (size_t i = 0; i < NENDERS; i++)
		sigaddset(&block, enders[i].signo);
	c->taken = block;
	sigaddset(&c->taken, KICK_SIGNAL);
	for (size_t i = 0; i < sizeof(blocked_only) / sizeof(blocked_only[0]); i++)
		sigaddset(&block, blocked_only[i]);
	sigemptyset(&sa.sa_mask);
	if (sigaction(KICK_SIGNAL, &sa, &c->old_kick))
		goto fail;
	if (pthread_sigmask(SIG_BLOCK, &block, &c->old_mask))
		goto fail;
	if (c->chld_ignored) /* it would take the wait status of our own children away */
		signal(SIGCHLD, SIG_DFL);
	sigemptyset(&kick);
	sigaddset(&kick, KICK_SIGNAL);
	pthread_sigmask(SIG_UNBLOCK, &kick, NULL);
	return c;
fail:
	e = errno;
	free(c);
	errno = e;
	return NULL;
}

void control_child_signals(const struct control *c)
{
	const struct kernel_sigaction ignore = { .handler = SIG_IGN };

	sigaction(KICK_SIGNAL, &c->old_kick, NULL);
	if (c->chld_ignored)
		signal(SIGCHLD, SIG_IGN);
	if (c->setxid_ignored)
		syscall(SYS_rt_sigaction, SETXID_SIGNAL, &ignore, NULL, sizeof(ignore.mask));
	sigprocmask(SIG_SETMASK, &c->old_mask, NULL);
}

/* ---- the reason ---------------------------------------------------------------------------- */

static void wake_thread(const struct control *c)
{
	/* EAGAIN: too many are queued, and so the thread will wake anyhow */
	if (c->started)
		pthread_kill(c->thread, KICK_SIGNAL);
}

void control_stop(struct control *c, const char *reason)
{
	const char *none = NULL;

	if (atomic_compare_exchange_strong(&c->reason, &none, reason))
		wake_thread(c);
}

const char *control_stop_reason(struct control *c)
{
	const char *reason = atomic_load_explicit(&c->reason, memory_order_acquire);

	if (reason)
		atomic_store_explicit(&c->seen, true, memory_order_release);
	return reason;
}

/* Whether this delivery of a signal asks frec to stop. */
static bool meant_for_us(const struct control *c, const siginfo_t *si)
{
	bool from_terminal = si->si_code == SI_KERNEL;

	switch (si->si_signo) {
	case SIGHUP: /* nohup frec ... */
		return !c->hup_ignored;
	case SIGINT: /* ignored at start: a shell's background job */
		return !from_terminal || !(c->launch || c->int_ignored);
	case SIGQUIT:
		return !from_terminal || !(c->launch || c->quit_ignored);
	default:
		return true;
	}
}

/* Sleeps until one comes or the time is over, then takes all that came. */
static void take_signals(struct control *c, int ms)
{
	struct timespec wait = { ms / 1000, (long)(ms % 1000) * 1000000 };
	siginfo_t si;
	int signo;

	while ((signo = sigtimedwait(&c->taken, &si, &wait)) > 0) {
		for (size_t i = 0; i < NENDERS; i++)
			if (enders[i].signo == signo && meant_for_us(c, &si))
				control_stop(c, enders[i].reason);
		wait = (struct timespec){ 0, 0 };
	}
}

static void look_at_limits(struct control *c, uint64_t now, const struct writer_stats *s)
{
	if (writer_failed(c->w))
		control_stop(c, "write failed");
	else if (c->o->max_events && s->events >= c->o->max_events)
		control_stop(c, "max-events");
	else if (writer_full(c->w))
		control_stop(c, "max-size");
	else if (c->deadline_ns && now >= c->deadline_ns)
		control_stop(c, "duration");
}

/* ---- the thread ---------------------------------------------------------------------------- */

static int wait_ms(const struct control *c, uint64_t now)
{
	uint64_t left;

	if (atomic_load(&c->reason))
		return atomic_load(&c->seen) ? LOOK_EVERY_MS : KICK_EVERY_MS;
	if (!c->deadline_ns)
		return LOOK_EVERY_MS;
	left = c->deadline_ns > now ? (c->deadline_ns - now + 999999) / 1000000 : 0;
	return left < LOOK_EVERY_MS ? (int)left : LOOK_EVERY_MS;
}

static void *control_thread(void *arg)
{
	struct control *c = arg;

	for (;;) {
		struct writer_stats s;
		uint64_t now = now_ns();
		char text[512], line[520];

		take_signals(c, wait_ms(c, now));
		if (atomic_load(&c->ending))
			return NULL;
		now = now_ns();
		writer_stats(c->w, &s);
		look_at_limits(c, now, &s);
		if (writer_news(c->w, text, sizeof(text))) {
			snprintf(line, sizeof(line), "frec: %s", text);
			control_say(c, line);
		}
		if (atomic_load(&c->reason) && !atomic_load(&c->seen))
			pthread_kill(c->tracer, KICK_SIGNAL);
		status_flush(c->status);
		status_draw(c->status, now, &s);
	}
}

int control_start(struct control *c, struct writer *w, const unsigned *threads)
{
	sigset_t all, old;
	int e;

	c->w = w;
	c->tracer = pthread_self();
	if (c->o->duration_ns)
		c->deadline_ns = now_ns() + c->o->duration_ns;
	c->status = status_new(!c->o->quiet && !c->o->verbose, threads);
	take_signals(c, 0); /* those that came before */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	e = pthread_create(&c->thread, NULL, control_thread, c);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	c->started = !e;
	errno = e;
	return e ? -1 : 0;
}

void control_say(struct control *c, const char *line) { status_say(c->status, line); }

void control_end(struct control *c)
{
	if (!c)
		return;
	if (c->started) {
		atomic_store(&c->ending, true);
		wake_thread(c);
		pthread_join(c->thread, NULL);
	}
	status_free(c->status);
	free(c);
}
