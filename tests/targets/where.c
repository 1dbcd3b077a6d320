/*
 * where.c - programs that know on which CPUs they may run: for the tests of placement.
 *
 *   where hot THREADS IDLE   THREADS that call as fast as they can, IDLE that sleep; for ever
 *   where looks ROUNDS       calls fast and looks at its own and a sibling's mask and at its CPU
 *                            between; prints "looks N bad M" and ends
 *   where births ROUNDS      calls fast and makes a child and a thread between, all of which
 *                            sleep; prints "born" and sleeps
 *   where orphans 0          calls fast and makes orphans, named "orphan", which sleep 2 s
 *   where time CALLS IDLE    IDLE sleeping threads and one that makes CALLS calls; prints "ns N",
 *                            per call
 *
 * It takes the mask that it starts with for its own. A line "ready" says that all are there; all
 * but "hot" then wait for a byte, or the end, of standard input.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static cpu_set_t own;
static int zero;
static _Atomic pid_t sibling;

static void die(const char *what)
{
	fprintf(stderr, "where: %s: %s\n", what, strerror(errno));
	exit(99);
}

static void call(long n)
{
	char c;

	while (n-- > 0)
		if (syscall(SYS_pread64, zero, &c, 1, 0) != 1)
			die("pread64");
}

static void *hot(void *arg)
{
	(void)arg;
	atomic_store(&sibling, (pid_t)syscall(SYS_gettid));
	for (;;)
		call(1000000);
	return NULL;
}

static void *idle(void *arg)
{
	(void)arg;
	for (;;)
		pause();
	return NULL;
}

static void threads(long n, void *(*fn)(void *))
{
	pthread_attr_t attr;
	pthread_t t;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 64 << 10);
	while (n-- > 0)
		if (pthread_create(&t, &attr, fn, NULL) != 0)
			die("pthread_create");
}

static void say(const char *line)
{
	puts(line);
	fflush(stdout);
}

static unsigned look(pid_t tid)
{
	cpu_set_t now;
	unsigned cpu = 0, bad = 0;

	bad += sched_getaffinity(tid, sizeof(now), &now) != 0 || !CPU_EQUAL(&now, &own);
	bad += syscall(SYS_getcpu, &cpu, NULL, NULL) != 0 || !CPU_ISSET(cpu, &own);
	return bad;
}

static void looks(long rounds)
{
	unsigned n = 0, bad = 0;
	char line[64];

	threads(1, hot);
	while (!atomic_load(&sibling))
		usleep(1000);
	for (; rounds > 0; rounds--) {
		call(1500);
		bad += look(0);
		bad += look(atomic_load(&sibling));
		n += 2;
	}
	snprintf(line, sizeof(line), "looks %u bad %u", n, bad);
	say(line);
}

static void births(long rounds)
{
	for (; rounds > 0; rounds--) {
		pid_t pid;

		call(1000);
		pid = fork();
		if (pid < 0)
			die("fork");
		if (pid == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			idle(NULL);
		}
		call(1000);
		threads(1, idle);
	}
	say("born");
	idle(NULL);
}

static void orphans(void)
{
	for (;;) {
		pid_t pid;

		call(1500);
		usleep(1000);
		pid = fork();
		if (pid < 0)
			die("fork");
		if (pid == 0) {
			if (fork() == 0) {
				prctl(PR_SET_NAME, "orphan");
				sleep(2);
			}
			_exit(0);
		}
		waitpid(pid, NULL, 0);
	}
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void timed(long calls)
{
	uint64_t start;
	char line[64];

	call(1000);
	start = now_ns();
	call(calls);
	snprintf(line, sizeof(line), "ns %llu",
		 (unsigned long long)((now_ns() - start) / (uint64_t)calls));
	say(line);
}

int main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[1] : "";
	long n = argc > 2 ? atol(argv[2]) : 0, idlers = argc > 3 ? atol(argv[3]) : 0;
	char c;

	zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	if (zero < 0 || sched_getaffinity(0, sizeof(own), &own) != 0)
		die("start");
	threads(idlers, idle);
	if (!strcmp(what, "hot"))
		threads(n - 1, hot);
	say("ready");
	if (!strcmp(what, "hot"))
		hot(NULL);
	/* whoever attaches first does so now */
	if (read(0, &c, 1) < 0)
		die("waiting");
	if (!strcmp(what, "looks"))
		looks(n);
	else if (!strcmp(what, "births"))
		births(n);
	else if (!strcmp(what, "orphans"))
		orphans();
	else if (!strcmp(what, "time"))
		timed(n);
	else
		return 98;
	return 0;
}
