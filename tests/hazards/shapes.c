/*
 * shapes.c - programs that have one shape all the time, to be attached to at that very moment:
 * inside vfork, in execve, without a leader, many threads, short-lived ones, forks, signals.
 *
 * Driven like those of waits.c.
 */
#include "hazard.h"

#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

static volatile bool over;

static void bad(const char *what)
{
	say("MISMATCH: %s: %s", what, strerror(errno));
	_exit(1);
}

static void *brief(void *arg)
{
	getppid();
	return arg;
}

/* A parent inside vfork for as many ms as said, or with "-" until there is a line to read. */
static void in_vfork(void)
{
	unsigned ms = hazard_args[0] ? (unsigned)atoi(hazard_args[0]) : 60;
	struct timespec t = { ms / 1000, (long)(ms % 1000) * 1000000 };
	pid_t pid;

	say("ready");
	pid = vfork();
	if (pid == 0) {
		if (hazard_args[0] && hazard_args[0][0] == '-')
			_exit(driven() == 1 ? 44 : 45);
		while (nanosleep(&t, &t) < 0)
			;
		_exit(44);
	}
	IS(reap(pid), 44 << 8);
}

/* Nothing but execve, as fast as it goes, out of a thread, for so many times. */
static void *exec_again(void *arg)
{
	char left[16];

	snprintf(left, sizeof(left), "%d", *(int *)arg - 1);
	execl(hazard_self, hazard_self, "exec-storm", left, NULL);
	bad("execl");
	return NULL;
}

static void *looks_on(void *arg)
{
	(void)arg;
	for (;;)
		getppid();
	return NULL;
}

static void exec_storm(void)
{
	static int left;
	pthread_t t;

	left = hazard_args[0] ? atoi(hazard_args[0]) : 400;
	if (left % 100 == 0)
		say("%d left", left);
	if (left == 0)
		return;
	for (int i = 0; i < 3; i++)
		IS(pthread_create(&t, NULL, looks_on, NULL), 0);
	IS(pthread_create(&t, NULL, exec_again, &left), 0);
	for (;;)
		pause();
}

/* The leader is gone; others work until told to end, or to execve. */
static void *without_leader(void *arg)
{
	int cycles;

	(void)arg;
	while (state_of(getpid(), getpid()) != 'Z')
		usleep(500);
	say("ready");
	cycles = driven();
	if (cycles < 0) {
		char pid[16];

		snprintf(pid, sizeof(pid), "%d", getpid());
		execl(hazard_self, hazard_self, "exec-landed", pid, NULL);
	}
	exit(hazard_failed() ? 1 : 18);
}

static void *counts_rounds(void *arg)
{
	(void)arg;
	for (;;) {
		rounds++;
		getppid();
	}
	return NULL;
}

static void zombie_leader(void)
{
	pthread_t t;

	for (int i = 0; i < 3; i++)
		IS(pthread_create(&t, NULL, i ? counts_rounds : without_leader, NULL), 0);
	pthread_exit(NULL);
}

/* Threads born and gone without end. */
static void *endless(void *arg)
{
	(void)arg;
	while (!over) {
		pthread_t t;

		if (pthread_create(&t, NULL, brief, NULL) || pthread_join(t, NULL))
			bad("thread");
		rounds++;
	}
	return NULL;
}

static void breeding(void)
{
	pthread_t t[4];

	for (int i = 0; i < 4; i++)
		IS(pthread_create(&t[i], NULL, endless, NULL), 0);
	say("ready");
	driven();
	over = true;
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
}

static void computing(void)
{
	pthread_t t;

	for (int i = 0; i < 3; i++)
		IS(pthread_create(&t, NULL, counts_rounds, NULL), 0);
	say("ready");
	driven();
}

/* Sleeps and answers. */
static void idle(void)
{
	say("ready");
	driven();
}

/* 150 threads, or as many as said, that sleep, a little at a time. */
static unsigned crowd_size = 150;

static void *naps(void *arg)
{
	struct timespec t = { 0, 4000000 / 150 * crowd_size };

	(void)arg;
	while (!over) {
		if (nanosleep(&t, NULL) != 0)
			bad("nanosleep");
		__atomic_add_fetch(&rounds, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

static void crowd(void)
{
	static pthread_t t[4000];
	pthread_attr_t a;

	if (hazard_args[0])
		crowd_size = (unsigned)atoi(hazard_args[0]);
	pthread_attr_init(&a);
	pthread_attr_setstacksize(&a, 65536);
	for (unsigned i = 0; i < crowd_size; i++)
		IS(pthread_create(&t[i], &a, naps, NULL), 0);
	say("ready");
	driven();
	over = true;
	for (unsigned i = 0; i < crowd_size; i++)
		pthread_join(t[i], NULL);
}

/* Processes born and gone without end, out of two threads, some with children of their own. */
static void *forks(void *arg)
{
	for (unsigned n = 0; !over; n++) {
		pid_t pid = fork();
		int status = 0;

		if (pid == 0) {
			pid_t inner = n % 3 ? -1 : vfork();

			if (inner == 0)
				_exit(9);
			if (inner > 0 && (waitpid(inner, &status, 0) != inner || status != 9 << 8))
				_exit(1);
			_exit(8);
		}
		if (pid < 0 || waitpid(pid, &status, 0) != pid)
			bad("fork");
		if (status != 8 << 8) {
			say("MISMATCH: a child ended with %#x", (unsigned)status);
			_exit(1);
		}
		rounds++;
	}
	return arg;
}

static void forking(void)
{
	pthread_t t[2];

	for (int i = 0; i < 2; i++)
		IS(pthread_create(&t[i], NULL, forks, NULL), 0);
	say("ready");
	driven();
	over = true;
	for (int i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
}

/* Signals with numbers: each comes once and in order. "flood": each as soon as the one before has
 * come, so that the target is hardly ever not about to get one. */
static volatile int expected, missing, twice;
static _Atomic int *arrived;

static void numbered(int sig, siginfo_t *si, void *context)
{
	int n = si->si_value.sival_int;

	(void)sig, (void)context;
	if (n < expected)
		twice++;
	else
		missing += n - expected;
	expected = n + 1;
	*arrived = n;
	rounds++;
}

static void sends_numbers(void *arg)
{
	pid_t to = *(pid_t *)arg;
	bool flood = hazard_args[0] && !strcmp(hazard_args[0], "flood");

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (int i = 0;; i++) {
		while (sigqueue(to, SIGRTMIN + 3, (union sigval){ .sival_int = i }) < 0)
			usleep(1000);
		if (!flood)
			usleep(200);
		/* one that is lost is told by the next */
		for (int spins = 0; flood && *arrived < i && spins < 20000; spins++)
			sched_yield();
	}
}

static void numbered_signals(void)
{
	pid_t me = getpid(), pid;

	arrived = mmap(NULL, sizeof(*arrived), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		       -1, 0);
	CHECK(arrived != MAP_FAILED);
	handle(SIGRTMIN + 3, numbered, SA_RESTART);
	pid = child(sends_numbers, &me);
	say("ready");
	driven();
	MUST(kill(pid, SIGKILL));
	reap(pid);
	if (missing || twice)
		say("MISMATCH: of %d signals %d are missing, %d came late or twice", expected,
		    missing, twice);
	CHECK(!missing && !twice);
	CHECK(expected > 0);
}

const struct hazard hazards_shapes[] = {
	{ "in-vfork", in_vfork, "" },
	{ "exec-storm", exec_storm, "driven" },
	{ "zombie-leader", zombie_leader, "driven" },
	{ "breeding", breeding, "driven" },
	{ "computing", computing, "driven" },
	{ "idle", idle, "driven" },
	{ "crowd", crowd, "driven" },
	{ "forking", forking, "driven" },
	{ "numbered-signals", numbered_signals, "driven" },
	{ NULL, NULL, NULL },
};
