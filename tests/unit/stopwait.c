/*
 * stopwait.c - a tracer that is killed with a signal of its tracee in hand does not take the signal
 * with it, by whichever way it got the wait status.
 */
#include "stopwait.h"

#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tap.h"

#define SIG  (SIGRTMIN + 5)
#define SENT 12

struct shared {
	_Atomic unsigned ready, got, died;
};
static struct shared *sh;
static unsigned quiet, busy;

static void *sleeps(void *arg)
{
	sh->ready++;
	for (;;)
		pause();
	return arg;
}

static void *calls(void *arg)
{
	sh->ready++;
	for (;;)
		syscall(SYS_getppid);
	return arg;
}

static void on_signal(int sig)
{
	(void)sig;
	sh->got++;
}

static void target(void)
{
	pthread_attr_t small;
	pthread_t t;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIG, on_signal);
	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, 65536);
	for (unsigned i = 0; i < quiet + busy; i++)
		if (pthread_create(&t, &small, i < quiet ? sleeps : calls, NULL))
			_exit(1);
	sleeps(NULL);
}

static void seize(pid_t pid, struct stopwait *w)
{
	char path[64];
	struct dirent *de;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	dir = opendir(path);
	while (dir && (de = readdir(dir))) {
		pid_t tid = (pid_t)atoi(de->d_name);

		if (tid > 0 &&
		    ptrace(PTRACE_SEIZE, tid, NULL, (void *)PTRACE_O_TRACESYSGOOD) == 0) {
			ptrace(PTRACE_INTERRUPT, tid, NULL, NULL);
			stopwait_count(w, 1);
		}
	}
	closedir(dir);
}

/* Traces until it has the nth signal in hand, and dies of SIGKILL. */
static void tracer(pid_t pid, unsigned nth, bool poll)
{
	struct stopwait w;

	if (!stopwait_init(&w))
		_exit(1);
	seize(pid, &w);
	sh->ready = 0;
	for (;;) {
		int status, sig = 0;
		pid_t tid = poll ? stopwait_poll(&w, &status) : stopwait_next(&w, &status, false);

		if (tid < 0)
			_exit(2);
		if (tid == 0 || !WIFSTOPPED(status))
			continue;
		if (status >> 16 == 0 && WSTOPSIG(status) == SIG) {
			sig = SIG;
			if (--nth == 0) {
				sh->died = 1;
				kill(getpid(), SIGKILL);
			}
		}
		ptrace(PTRACE_SYSCALL, tid, NULL, (void *)(intptr_t)sig);
	}
}

static bool until(const _Atomic unsigned *n, unsigned want)
{
	for (int i = 0; i < 20000 && *n != want; i++)
		usleep(1000);
	return *n == want;
}

static void test(const char *name, unsigned with_quiet, unsigned with_busy, bool poll)
{
	unsigned lost = 0, late = 0;
	pid_t pid, t;

	quiet = with_quiet;
	busy = with_busy;
	sh->ready = 0;
	pid = fork();
	if (pid == 0)
		target();
	if (!until(&sh->ready, quiet + busy + 1))
		bail_out("the target does not start");
	for (unsigned nth = 1; nth <= SENT && !late && !lost; nth++) {
		sh->got = sh->died = 0;
		sh->ready = 1;
		t = fork();
		if (t == 0)
			tracer(pid, nth, poll);
		late += !until(&sh->ready, 0); /* all are seized */
		for (unsigned i = 0; i < SENT; i++)
			kill(pid, SIG);
		waitpid(t, NULL, 0);
		late += !sh->died;
		lost += !until(&sh->got, SENT);
	}
	ok(!lost && !late, "%s: %d tracers killed with a signal in hand, none took it along", name,
	   SENT);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

int main(void)
{
	sh = mmap(NULL, sizeof(*sh), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (sh == MAP_FAILED)
		bail_out("mmap");
	test("few threads", 3, 0, false);
	test("few, two of them busy", 3, 2, false);
	test("few, polled", 3, 2, true);
	test("many threads, by name", 100, 0, false);
	test("many, two of them busy", 100, 2, false);
	return tap_done();
}
