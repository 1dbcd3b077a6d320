/* signals.c - which signals arrive, in which order, with which handler in which state. */
#include "hazard.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <ucontext.h>

static volatile sig_atomic_t hits;
static struct {
	int sig, code, value;
	pid_t pid;
} seen[512];
static volatile sig_atomic_t nseen;

static void note(int sig, siginfo_t *si, void *context)
{
	(void)context;
	if (nseen < 512) {
		seen[nseen].sig = sig;
		seen[nseen].code = si->si_code;
		seen[nseen].value = si->si_value.sival_int;
		seen[nseen].pid = si->si_pid;
	}
	nseen++;
}

static void count(int sig, siginfo_t *si, void *context)
{
	(void)sig, (void)si, (void)context;
	hits++;
}

static void block_all(sigset_t *old)
{
	sigset_t all;

	sigfillset(&all);
	MUST(sigprocmask(SIG_SETMASK, &all, old));
}

/* Queued real-time signals come lowest number first, each number in the order sent, none lost. */
static void rt_order(void)
{
	sigset_t old;
	int at = 0;

	for (int s = SIGRTMIN; s < SIGRTMIN + 8; s++)
		handle(s, note, 0);
	block_all(&old);
	for (int i = 0; i < 20; i++)
		for (int s = SIGRTMIN + 7; s >= SIGRTMIN; s--)
			MUST(sigqueue(getpid(), s, (union sigval){ .sival_int = i * 100 + s }));
	/* taken one by one: all let in at once would interrupt the handlers of each other */
	for (int n = 0; n < 160; n++) {
		sigset_t now = old;

		for (int s = SIGRTMIN; s < SIGRTMIN + 8; s++)
			sigdelset(&now, s);
		hits = nseen;
		for (int s = SIGRTMIN; s < SIGRTMIN + 8 && nseen == hits; s++) {
			sigset_t one;

			sigfillset(&one);
			sigdelset(&one, s);
			MUST(sigprocmask(SIG_SETMASK, &one, NULL));
			sigfillset(&one);
			MUST(sigprocmask(SIG_SETMASK, &one, NULL));
		}
	}
	IS(nseen, 160);
	for (int s = SIGRTMIN; s < SIGRTMIN + 8; s++)
		for (int i = 0; i < 20; i++, at++) {
			IS(seen[at].sig, s);
			IS(seen[at].value, i * 100 + s);
			IS(seen[at].code, SI_QUEUE);
			IS(seen[at].pid, getpid());
		}
}

/* All let in at once: the order in which the handlers run is the kernel's, and is printed. */
static void unblock_order(void)
{
	static const int sigs[] = { SIGUSR2, SIGTERM, SIGUSR1, SIGHUP, SIGALRM, SIGCHLD, SIGWINCH };
	sigset_t old;

	for (size_t i = 0; i < sizeof(sigs) / sizeof(*sigs); i++)
		handle(sigs[i], note, 0);
	handle(SIGRTMIN + 1, note, 0);
	block_all(&old);
	for (size_t i = 0; i < sizeof(sigs) / sizeof(*sigs); i++)
		for (int k = 0; k < 3; k++)
			MUST(kill(getpid(), sigs[i])); /* three become one */
	for (int k = 0; k < 3; k++)
		MUST(sigqueue(getpid(), SIGRTMIN + 1, (union sigval){ .sival_int = k }));
	MUST(sigprocmask(SIG_SETMASK, &old, NULL));
	IS(nseen, 7 + 3);
	for (int i = 0; i < nseen; i++)
		say("%d: signal %s code %d value %d", i,
		    sigabbrev_np(seen[i].sig) ? sigabbrev_np(seen[i].sig) : "RT", seen[i].code,
		    seen[i].code == SI_QUEUE ? seen[i].value : 0);
}

/* Every signal that can be caught, by kill, by tgkill and by raise. */
static void every_signal(void)
{
	for (int s = 1; s <= SIGRTMAX; s++) {
		if (s == SIGKILL || s == SIGSTOP || (s > 31 && s < SIGRTMIN))
			continue;
		handle(s, note, 0);
		nseen = 0;
		MUST(kill(getpid(), s));
		IS(nseen, 1);
		IS(seen[0].code, SI_USER);
		MUST(syscall(SYS_tgkill, getpid(), gettid(), s));
		IS(nseen, 2);
		IS(seen[1].code, SI_TKILL);
		MUST(raise(s));
		IS(nseen, 3);
		for (int i = 0; i < 3; i++) {
			IS(seen[i].sig, s);
			IS(seen[i].pid, getpid());
		}
		signal(s, SIG_IGN);
		MUST(kill(getpid(), s));
		IS(nseen, 3);
	}
	say("all signals");
}

/* A storm from another process: real-time signals queue, so the count and the values hold. */
static void storm_sender(void *arg)
{
	pid_t to = *(pid_t *)arg;

	for (int i = 0; i < 400; i++) {
		while (sigqueue(to, SIGRTMIN + 3, (union sigval){ .sival_int = i }) < 0)
			CHECK(errno == EAGAIN);
		if (i % 7 == 0)
			MUST(kill(to, SIGUSR1));
	}
}

static void storm(void)
{
	pid_t me = getpid(), pid;
	uint64_t end = now_ms() + 20000;

	handle(SIGRTMIN + 3, note, 0);
	handle(SIGUSR1, count, 0);
	pid = child(storm_sender, &me);
	while (nseen < 400 && now_ms() < end) {
		char c;

		if (read(-1, &c, 1) == 0)
			abort();
	}
	reap_ok(pid);
	IS(nseen, 400);
	for (int i = 0; i < 400; i++)
		IS(seen[i].value, i);
	CHECK(hits >= 1 && hits <= 58);
}

/* ---- handlers ---- */

static volatile int on_alt;
static char alt[65536];

static void on_altstack(int sig, siginfo_t *si, void *context)
{
	stack_t st;
	char here;

	(void)sig, (void)si, (void)context;
	sigaltstack(NULL, &st);
	on_alt = (&here > alt && &here < alt + sizeof(alt)) +
		 2 * ((st.ss_flags & (int)SS_ONSTACK) != 0);
}

static int overflow(int n)
{
	volatile char big[4096];

	big[0] = (char)n;
	return n > 1000000 ? 0 : overflow(n + 1) + big[0];
}

static void overflowed(int sig, siginfo_t *si, void *context)
{
	on_altstack(sig, si, context);
	_exit(sig == SIGSEGV && on_alt == 3 ? 42 : 43);
}

static void overflow_child(void *arg)
{
	(void)arg;
	handle(SIGSEGV, overflowed, SA_ONSTACK);
	overflow(0);
}

static void altstack(void)
{
	stack_t st = { .ss_sp = alt, .ss_size = sizeof(alt) };

	MUST(sigaltstack(&st, NULL));
	handle(SIGUSR1, on_altstack, SA_ONSTACK);
	handle(SIGUSR2, on_altstack, 0);
	raise(SIGUSR1);
	IS(on_alt, 3);
	raise(SIGUSR2);
	IS(on_alt, 0);
	say("overflow: %s", status_text(reap(child(overflow_child, NULL))));
}

static volatile sig_atomic_t depth, deepest, blocked_inside, runs;

static void nested(int sig, siginfo_t *si, void *context)
{
	sigset_t now;

	(void)si, (void)context;
	depth++;
	if (depth > deepest)
		deepest = depth;
	sigprocmask(SIG_SETMASK, NULL, &now);
	blocked_inside = sigismember(&now, sig) + 2 * sigismember(&now, SIGTERM);
	if (runs++ < 3)
		raise(sig);
	depth--;
}

static void handler_masks(void)
{
	struct sigaction sa = { .sa_sigaction = nested, .sa_flags = SA_SIGINFO }, got;
	sigset_t now;

	sigemptyset(&sa.sa_mask);
	sigaddset(&sa.sa_mask, SIGTERM);
	MUST(sigaction(SIGUSR1, &sa, NULL));
	raise(SIGUSR1); /* blocked inside: runs again after it, each time raising once more */
	say("plain: %d runs, deepest %d, inside %d", runs, deepest, blocked_inside);
	sa.sa_flags |= SA_NODEFER;
	deepest = runs = 0;
	MUST(sigaction(SIGUSR2, &sa, NULL));
	raise(SIGUSR2);
	say("nodefer: %d runs, deepest %d, inside %d", runs, deepest, blocked_inside);
	sa.sa_sigaction = count;
	sa.sa_flags = (int)(SA_SIGINFO | SA_RESETHAND);
	MUST(sigaction(SIGWINCH, &sa, NULL));
	raise(SIGWINCH);
	raise(SIGWINCH); /* ignored by default */
	IS(hits, 1);
	MUST(sigaction(SIGWINCH, NULL, &got));
	CHECK(got.sa_handler == SIG_DFL);
	sigprocmask(SIG_SETMASK, NULL, &now);
	CHECK(!sigismember(&now, SIGTERM) && !sigismember(&now, SIGUSR1));
}

static void plain_nested_guard(int sig, siginfo_t *si, void *context)
{
	(void)si, (void)context;
	if (++hits < 50)
		raise(sig);
}

/* A handler that raises its own signal: once more after each return. */
static void raise_again(void)
{
	handle(SIGUSR1, plain_nested_guard, 0);
	raise(SIGUSR1);
	IS(hits, 50);
}

/* Registers and vector registers survive any number of signals. */
static void registers(void)
{
	struct itimerspec it = { { 0, 200000 }, { 0, 200000 } };
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM };
	double d = 0, want = 0;
	uint64_t a = 1, b = 1;
	timer_t t;
	volatile int turns = 300000;

	for (int i = 1; i <= turns; i++) {
		want = want * 0.5 + (double)i;
		b = b * 6364136223846793005u + 1442695040888963407u;
	}
	handle(SIGALRM, count, SA_RESTART);
	MUST(timer_create(CLOCK_MONOTONIC, &ev, &t));
	MUST(timer_settime(t, 0, &it, NULL));
	for (int n = 0; n < 200 && hits < 60; n++) {
		d = 0;
		a = 1;
		for (int i = 1; i <= turns; i++) {
			d = d * 0.5 + (double)i;
			a = a * 6364136223846793005u + 1442695040888963407u;
			if (i % 30000 == 0)
				getppid();
		}
		CHECK(d > want - 1e-9 && d < want + 1e-9);
		CHECK(a == b);
	}
	timer_delete(t);
	CHECK(hits > 0);
}

/* ---- waiting for signals ---- */

static void late_sender(void *arg)
{
	pid_t to = *(pid_t *)arg;

	wait_blocked(to, to, -1);
	MUST(sigqueue(to, SIGUSR1, (union sigval){ .sival_int = 7 }));
}

static void suspend(void)
{
	sigset_t block, open;
	pid_t me = getpid(), pid;

	handle(SIGUSR1, note, 0);
	sigemptyset(&block);
	sigaddset(&block, SIGUSR1);
	MUST(sigprocmask(SIG_BLOCK, &block, &open));
	for (int i = 0; i < 3; i++) {
		pid = child(late_sender, &me);
		IS(sigsuspend(&open), -1);
		IS(errno, EINTR);
		IS(nseen, i + 1);
		IS(seen[i].value, 7);
		reap_ok(pid);
	}
}

static void wait_info(void)
{
	struct timespec soon = { 0, 20000000 }, none = { 0, 0 };
	siginfo_t si;
	sigset_t set;
	pid_t pid = getpid(), c;
	uint64_t from;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGRTMIN);
	sigaddset(&set, SIGTRAP);
	MUST(sigprocmask(SIG_BLOCK, &set, NULL));
	for (int i = 0; i < 3; i++)
		MUST(sigqueue(pid, SIGRTMIN, (union sigval){ .sival_int = i }));
	MUST(kill(pid, SIGUSR1));
	MUST(kill(pid, SIGTRAP));
	for (int i = 0; i < 5; i++) {
		int s = sigwaitinfo(&set, &si);

		say("%s code %d value %d", s == SIGRTMIN ? "RTMIN" : sigabbrev_np(s), si.si_code,
		    si.si_code == SI_QUEUE ? si.si_value.sival_int : 0);
	}
	IS(sigtimedwait(&set, &si, &none), -1);
	IS(errno, EAGAIN);
	from = now_ms();
	IS(sigtimedwait(&set, &si, &soon), -1);
	IS(errno, EAGAIN);
	CHECK(now_ms() - from >= 19);
	c = child(late_sender, &pid);
	IS(sigwaitinfo(&set, &si), SIGUSR1);
	IS(si.si_pid, c);
	reap_ok(c);
}

static void signal_fd(void)
{
	struct signalfd_siginfo si[8];
	sigset_t set;
	ssize_t n;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGTRAP);
	sigaddset(&set, SIGRTMIN + 2);
	MUST(sigprocmask(SIG_BLOCK, &set, NULL));
	fd = (int)MUST(signalfd(-1, &set, SFD_CLOEXEC));
	MUST(kill(getpid(), SIGUSR1));
	MUST(kill(getpid(), SIGTRAP));
	for (int i = 0; i < 2; i++)
		MUST(sigqueue(getpid(), SIGRTMIN + 2, (union sigval){ .sival_int = 50 + i }));
	n = MUST(read(fd, si, sizeof(si)));
	IS(n, 4 * (ssize_t)sizeof(si[0]));
	for (int i = 0; i < 4; i++)
		say("signal %s code %d int %d",
		    si[i].ssi_signo > 31 ? "RT" : sigabbrev_np((int)si[i].ssi_signo),
		    si[i].ssi_code, si[i].ssi_int);
}

/* ---- one thread of several ---- */

struct receiver {
	pthread_t thread;
	volatile pid_t tid;
	volatile int got;
};
static _Thread_local struct receiver *mine;
static volatile bool over;

static void mark(int sig, siginfo_t *si, void *context)
{
	(void)sig, (void)si, (void)context;
	if (mine)
		mine->got++;
}

static void *receive(void *arg)
{
	mine = arg;
	mine->tid = gettid();
	while (!over)
		usleep(500);
	return NULL;
}

static void thread_directed(void)
{
	struct receiver r[6] = { 0 };
	sigset_t set;

	handle(SIGUSR1, mark, SA_RESTART);
	handle(SIGRTMIN + 4, mark, SA_RESTART);
	for (int i = 0; i < 6; i++)
		IS(pthread_create(&r[i].thread, NULL, receive, &r[i]), 0);
	for (int i = 0; i < 6; i++)
		while (!r[i].tid)
			usleep(200);
	for (int i = 0; i < 6; i++)
		for (int k = 0; k <= i; k++)
			MUST(syscall(SYS_tgkill, getpid(), r[i].tid, SIGRTMIN + 4));
	for (int i = 0; i < 6; i++)
		for (int k = 0; k < 2000 && r[i].got < i + 1; k++)
			usleep(1000);
	/* for the process: somebody who does not block it, so not this thread, gets it, once */
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	MUST(pthread_sigmask(SIG_BLOCK, &set, NULL));
	MUST(kill(getpid(), SIGUSR1));
	sleep_ms(20);
	over = true;
	for (int i = 0; i < 6; i++)
		pthread_join(r[i].thread, NULL);
	hits = 0;
	for (int i = 0; i < 6; i++) {
		CHECK(r[i].got == i + 1 || r[i].got == i + 2);
		hits += r[i].got;
	}
	IS(hits, 22);
}

/* ---- across fork and exec ---- */

static void across_child(void *arg)
{
	sigset_t pending;

	(void)arg;
	sigpending(&pending);
	CHECK(!sigismember(&pending, SIGUSR1)); /* fork: none pending */
	IS(nseen, 0);
	MUST(kill(getpid(), SIGUSR2));
	execl(hazard_self, hazard_self, "signals-after-exec", NULL);
}

static void across(void)
{
	sigset_t set;

	handle(SIGUSR1, note, 0);
	handle(SIGUSR2, note, 0);
	signal(SIGHUP, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	MUST(sigprocmask(SIG_BLOCK, &set, NULL));
	MUST(kill(getpid(), SIGUSR1));
	reap_ok(child(across_child, NULL));
}

static void after_exec(void)
{
	sigset_t pending, now;
	struct sigaction sa;

	sigpending(&pending);
	sigprocmask(SIG_SETMASK, NULL, &now);
	for (int s = 1; s < 32; s++) {
		sigaction(s, NULL, &sa);
		if (sigismember(&pending, s) || sigismember(&now, s) || sa.sa_handler != SIG_DFL)
			say("%s pending %d blocked %d disposition %s", sigabbrev_np(s),
			    sigismember(&pending, s), sigismember(&now, s),
			    sa.sa_handler == SIG_DFL ? "default" :
			    sa.sa_handler == SIG_IGN ? "ignored" :
						       "handler");
	}
}

static void pdeath_grandchild(void *arg)
{
	int *ready = arg;

	handle(SIGUSR1, note, 0);
	MUST(prctl(PR_SET_PDEATHSIG, SIGUSR1));
	MUST(write(ready[1], "r", 1));
	for (int i = 0; i < 3000 && !nseen; i++)
		usleep(1000);
	IS(nseen, 1);
	say("parent death signal: code %d", seen[0].code);
}

static void pdeath_child(void *arg)
{
	int *ready = arg;
	char c;

	child(pdeath_grandchild, ready);
	MUST(read(ready[0], &c, 1));
}

static void pdeath(void)
{
	int ready[2], status;

	MUST(prctl(PR_SET_CHILD_SUBREAPER, 1));
	MUST(pipe(ready));
	reap_ok(child(pdeath_child, ready));
	MUST(waitpid(-1, &status, 0));
	IS(status, 0);
}

/* clang-format off */
const struct hazard hazards_signals[] = {
	{ "rt-order", rt_order, "" },
	{ "unblock-order", unblock_order, "" },
	{ "every-signal", every_signal, "" },
	{ "signal-storm", storm, "" },
	{ "sigaltstack", altstack, "" },
	{ "handler-masks", handler_masks, "" },
	{ "raise-again", raise_again, "" },
	{ "registers", registers, "" },
	{ "sigsuspend", suspend, "" },
	{ "sigwaitinfo", wait_info, "" },
	{ "signalfd", signal_fd, "" },
	{ "thread-directed", thread_directed, "" },
	{ "signals-across-exec", across, "" },
	{ "signals-after-exec", after_exec, "" },
	{ "parent-death-signal", pdeath, "" },
	{ NULL, NULL, NULL },
};
/* clang-format on */
