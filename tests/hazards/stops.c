/* stops.c - stopping and continuing: what a parent sees, and that stopped means stopped. */
#include "hazard.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

static volatile sig_atomic_t hits;

static void count(int sig, siginfo_t *si, void *context)
{
	(void)sig, (void)si, (void)context;
	hits++;
}

static void stop_self(void *arg)
{
	int sig = arg ? *(int *)arg : SIGSTOP;

	setpgid(0, 0);
	raise(sig);
	_exit(6);
}

/* Nothing more to tell of the child for a while. */
static void quiet(pid_t pid)
{
	siginfo_t si;

	for (int i = 0; i < 5; i++) {
		si.si_pid = 0;
		MUST(waitid(P_PID, (id_t)pid, &si,
			    WSTOPPED | WCONTINUED | WEXITED | WNOHANG | WNOWAIT));
		if (si.si_pid)
			check_at(false, "unexpected si_code", si.si_code, 0, __FILE__, __LINE__);
		usleep(1000);
	}
}

/* Stop, continue and end are told once each, with the right signal, also of other stop signals. */
static void told_once(void)
{
	static const int sigs[] = { SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU };

	for (size_t i = 0; i < 4; i++) {
		int sig = sigs[i], status;
		pid_t pid = child(stop_self, &sig);
		siginfo_t si = { 0 };

		IS(waitpid(pid, &status, WUNTRACED | WCONTINUED), pid);
		say("%s", status_text(status));
		IS(WIFSTOPPED(status), 1);
		IS(WSTOPSIG(status), sig);
		quiet(pid);
		MUST(kill(pid, SIGCONT));
		MUST(waitid(P_PID, (id_t)pid, &si, WCONTINUED | WEXITED | WNOWAIT));
		if (si.si_code == CLD_CONTINUED)
			say("continued, status %d", si.si_status);
		else /* it may have ended before this was asked: then no continue can be told */
			say("continued, status %d", SIGCONT);
		IS(reap(pid), 6 << 8);
	}
}

/* The parent may look at a stop twice before it takes it. */
static void look_twice(void)
{
	pid_t pid = child(stop_self, NULL);
	siginfo_t si = { 0 };

	for (int i = 0; i < 3; i++) {
		MUST(waitid(P_PID, (id_t)pid, &si, WSTOPPED | (i < 2 ? WNOWAIT : 0)));
		IS(si.si_code, CLD_STOPPED);
		IS(si.si_status, SIGSTOP);
		IS(si.si_pid, pid);
	}
	quiet(pid);
	MUST(kill(pid, SIGKILL));
	IS(reap(pid), SIGKILL);
}

/* ---- all threads of a process stand still ---- */

struct counters {
	volatile unsigned long n[8];
	volatile int started;
};

static void *spin(void *arg)
{
	volatile unsigned long *n = arg;

	for (;;) {
		++*n;
		if (*n % 64 == 0)
			getppid();
	}
	return NULL;
}

static void spinners(void *arg)
{
	struct counters *c = arg;
	pthread_t t;

	for (int i = 0; i < 8; i++)
		IS(pthread_create(&t, NULL, spin, (void *)(uintptr_t)&c->n[i]), 0);
	c->started = 1;
	for (;;)
		pause();
}

static unsigned long sum(const struct counters *c)
{
	unsigned long s = 0;

	for (int i = 0; i < 8; i++)
		s += c->n[i];
	return s;
}

static void all_threads_stop(void)
{
	struct counters *c =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid = child(spinners, c);
	int status;

	while (!c->started)
		usleep(500);
	for (int round = 0; round < 5; round++) {
		unsigned long before;

		MUST(kill(pid, SIGSTOP));
		IS(waitpid(pid, &status, WUNTRACED), pid);
		CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
		before = sum(c);
		sleep_ms(8);
		IS(sum(c), before);
		quiet(pid);
		MUST(kill(pid, SIGCONT));
		IS(waitpid(pid, &status, WCONTINUED), pid);
		for (int i = 0; i < 5000 && sum(c) == before; i++)
			usleep(1000);
		CHECK(sum(c) > before);
	}
	MUST(kill(pid, SIGKILL));
	IS(reap(pid), SIGKILL);
}

/* Stop and continue as fast as they can be sent: at the end it runs. */
static void stop_storm(void)
{
	struct counters *c =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid = child(spinners, c);
	unsigned long before;
	int status;

	while (!c->started)
		usleep(500);
	for (int i = 0; i < 80; i++) {
		MUST(kill(pid, i % 3 ? SIGSTOP : SIGTSTP));
		if (i % 5 == 0)
			usleep((useconds_t)(i * 7 % 300));
		MUST(kill(pid, SIGCONT));
	}
	before = sum(c);
	for (int i = 0; i < 5000 && sum(c) == before; i++)
		usleep(1000);
	CHECK(sum(c) > before);
	while (waitpid(pid, &status, WUNTRACED | WCONTINUED | WNOHANG) == pid)
		CHECK(WIFSTOPPED(status) || WIFCONTINUED(status));
	MUST(kill(pid, SIGSTOP));
	IS(waitpid(pid, &status, WUNTRACED), pid);
	CHECK(WIFSTOPPED(status));
	MUST(kill(pid, SIGKILL));
	IS(reap(pid), SIGKILL);
}

/* ---- signals for one that is stopped ---- */

static void stopped_receiver(void *arg)
{
	int *fds = arg;
	char c;

	handle(SIGUSR1, count, SA_RESTART);
	handle(SIGUSR2, count, SA_RESTART);
	raise(SIGSTOP);
	say("after the stop: %d signals", hits);
	MUST(read(fds[0], &c, 1));
}

/* They wait until SIGCONT, all but SIGKILL. */
static void signals_to_stopped(void)
{
	int fds[2], status;
	pid_t pid;

	MUST(pipe(fds));
	pid = child(stopped_receiver, fds);
	IS(waitpid(pid, &status, WUNTRACED), pid);
	MUST(kill(pid, SIGUSR1));
	MUST(kill(pid, SIGUSR2));
	MUST(kill(pid, SIGUSR1));
	quiet(pid);
	MUST(kill(pid, SIGCONT));
	MUST(write(fds[1], "x", 1));
	reap_ok(pid);
	pid = child(stop_self, NULL);
	IS(waitpid(pid, &status, WUNTRACED), pid);
	MUST(kill(pid, SIGTERM));
	quiet(pid);
	MUST(kill(pid, SIGCONT));
	say("%s", status_text(reap(pid)));
}

static void handles_tstp(void *arg)
{
	int *fds = arg;
	char c;

	handle(SIGTSTP, count, 0);
	handle(SIGCONT, count, 0);
	MUST(write(fds[1], "r", 1));
	while (hits < 2)
		if (read(fds[2], &c, 1) < 0)
			CHECK(errno == EINTR);
	raise(SIGTSTP);
	IS(hits, 3);
	signal(SIGTSTP, SIG_IGN);
	raise(SIGTSTP);
	signal(SIGTSTP, SIG_DFL);
	setsid(); /* an orphaned process group does not stop by it */
	raise(SIGTSTP);
	say("not stopped");
}

static void caught_tstp(void)
{
	int fds[4];
	pid_t pid;
	char c;

	MUST(pipe(fds));
	MUST(pipe(fds + 2));
	pid = child(handles_tstp, fds);
	MUST(read(fds[0], &c, 1));
	wait_blocked(pid, pid, SYS_read);
	MUST(kill(pid, SIGTSTP));
	sleep_ms(5);
	wait_blocked(pid, pid, SYS_read);
	MUST(kill(pid, SIGCONT));
	reap_ok(pid);
}

/* ---- a stopped member of a group that becomes an orphan: SIGHUP, then SIGCONT ---- */

static void hup(int sig, siginfo_t *si, void *context)
{
	(void)si, (void)context;
	say("orphaned and stopped: got %s", sigabbrev_np(sig));
}

static void orphan_member(void *arg)
{
	int *fds = arg;

	handle(SIGHUP, hup, 0);
	handle(SIGCONT, count, 0);
	raise(SIGSTOP);
	MUST(write(fds[1], hits ? "c" : "-", 1));
}

static void orphan_leader(void *arg)
{
	int status;
	pid_t pid;

	setpgid(0, 0);
	pid = child(orphan_member, arg);
	IS(waitpid(pid, &status, WUNTRACED), pid);
	CHECK(WIFSTOPPED(status));
}

static void orphan_session(void *arg)
{
	MUST(setsid());
	reap_ok(child(orphan_leader, arg));
}

static void orphaned_group(void)
{
	int fds[2], status;
	char c = 0;
	pid_t pid;

	MUST(prctl(PR_SET_CHILD_SUBREAPER, 1));
	MUST(pipe(fds));
	/* when the leader is gone, the member's parent is in another session: an orphan */
	pid = child(orphan_session, fds);
	MUST(read(fds[0], &c, 1));
	IS(c, 'c');
	reap_ok(pid);
	MUST(waitpid(-1, &status, 0));
	IS(status, 0);
}

/* ---- a stop while threads are born ---- */

static void *nothing(void *arg)
{
	++*(volatile unsigned long *)arg;
	return NULL;
}

static void breeders(void *arg)
{
	struct counters *c = arg;

	c->started = 1;
	for (;;) {
		pthread_t t[4];

		for (int i = 0; i < 4; i++)
			if (pthread_create(&t[i], NULL, nothing, (void *)(uintptr_t)&c->n[i]))
				_exit(3);
		for (int i = 0; i < 4; i++)
			pthread_join(t[i], NULL);
	}
}

static void stop_breeding(void)
{
	struct counters *c =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid = child(breeders, c);
	int status;

	while (!c->started)
		usleep(500);
	for (int round = 0; round < 15; round++) {
		unsigned long before;

		usleep((useconds_t)(round * 137 % 2000));
		MUST(kill(pid, SIGSTOP));
		IS(waitpid(pid, &status, WUNTRACED), pid);
		CHECK(WIFSTOPPED(status));
		before = sum(c);
		sleep_ms(2);
		IS(sum(c), before);
		MUST(kill(pid, SIGCONT));
		for (int i = 0; i < 5000 && sum(c) == before; i++)
			usleep(1000);
		CHECK(sum(c) > before);
	}
	MUST(kill(pid, SIGKILL));
	IS(reap(pid), SIGKILL);
}

const struct hazard hazards_stops[] = {
	{ "stop-told-once", told_once, "" },
	{ "stop-look-twice", look_twice, "" },
	{ "all-threads-stop", all_threads_stop, "" },
	{ "stop-storm", stop_storm, "" },
	{ "signals-to-stopped", signals_to_stopped, "" },
	{ "caught-tstp", caught_tstp, "" },
	{ "orphaned-group", orphaned_group, "" },
	{ "stop-breeding", stop_breeding, "" },
	{ NULL, NULL, NULL },
};
