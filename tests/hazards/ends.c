/* ends.c - how a process ends, and what is told of it. */
#include "hazard.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static void dies(void *arg)
{
	signal((int)(intptr_t)arg, SIG_DFL);
	raise((int)(intptr_t)arg);
	_exit(8);
}

/* Each signal in a child that leaves it alone: dead by it, with a core or not, or alive. */
static void fatal(bool cores)
{
	struct rlimit none = { 0, 0 }, some = { 1 << 22, 1 << 22 };
	char folder[] = "/tmp/hazard-XXXXXX", cmd[64];

	CHECK(mkdtemp(folder));
	MUST(chdir(folder));
	MUST(setrlimit(RLIMIT_CORE, cores ? &some : &none));
	for (int s = 1; s <= SIGRTMAX; s++) {
		if (s == SIGSTOP || s == SIGTSTP || s == SIGTTIN || s == SIGTTOU ||
		    (s > 31 && s < SIGRTMIN))
			continue;
		if (s > SIGRTMIN + 1 && s < SIGRTMAX)
			continue;
		int status = reap(child(dies, (void *)(intptr_t)s));

		if (WIFSIGNALED(status))
			say("%d: signal %d%s", s, WTERMSIG(status),
			    WCOREDUMP(status) ? " core" : "");
		else
			say("%d: exit %d", s, WEXITSTATUS(status));
	}
	MUST(chdir("/"));
	snprintf(cmd, sizeof(cmd), "rm -rf %s", folder);
	IS(system(cmd), 0);
}

static void fatal_signals(void) { fatal(false); }

static void core_dumps(void) { fatal(true); }

/* The wait status of a process of many threads, one of which faults. */
static void *faults(void *arg)
{
	usleep(1000);
	*(volatile int *)arg = 1;
	return NULL;
}

static void *idles(void *arg)
{
	(void)arg;
	for (;;)
		pause();
	return NULL;
}

static void thread_faults_child(void *arg)
{
	pthread_t t;

	(void)arg;
	for (int i = 0; i < 5; i++)
		pthread_create(&t, NULL, idles, NULL);
	pthread_create(&t, NULL, faults, (void *)16);
	idles(NULL);
}

static void thread_faults(void)
{
	struct rlimit none = { 0, 0 };

	MUST(setrlimit(RLIMIT_CORE, &none));
	for (int i = 0; i < 3; i++)
		say("%s", status_text(reap(child(thread_faults_child, NULL))));
}

/* ---- ends of the target itself: what its parent is told ---- */

static void no_core(void)
{
	struct rlimit none = { 0, 0 };

	setrlimit(RLIMIT_CORE, &none);
}

static void end_exit(void)
{
	say("exits");
	exit(42);
}

static void end_255(void) { _exit(255); }

static void end_by(int sig)
{
	no_core();
	say("dies");
	raise(sig);
}

static void end_term(void) { end_by(SIGTERM); }
static void end_int(void) { end_by(SIGINT); }
static void end_kill(void) { end_by(SIGKILL); }
static void end_abort(void) { end_by(SIGABRT); }
static void end_trap(void) { end_by(SIGTRAP); }
static void end_rt(void) { end_by(SIGRTMIN + 7); }
static void end_pipe(void) { end_by(SIGPIPE); }

static void end_segv(void)
{
	no_core();
	*(volatile int *)16 = 1;
}

static void *exits_17(void *arg)
{
	usleep(5000);
	exit((int)(intptr_t)arg);
}

static void end_by_thread(void)
{
	pthread_t t;

	for (int i = 0; i < 3; i++)
		pthread_create(&t, NULL, idles, NULL);
	pthread_create(&t, NULL, exits_17, (void *)17);
	pthread_exit(NULL);
}

/* A child that outlives the target for a moment. */
static void outlives(void *arg)
{
	(void)arg;
	sleep_ms(30);
	say("outlived");
}

static void end_with_orphan(void)
{
	child(outlives, NULL);
	_exit(5);
}

const struct hazard hazards_ends[] = {
	{ "fatal-signals", fatal_signals, "" },
	{ "core-dumps", core_dumps, "" },
	{ "thread-faults", thread_faults, "" },
	{ "end-exit", end_exit, "" },
	{ "end-255", end_255, "" },
	{ "end-term", end_term, "" },
	{ "end-int", end_int, "" },
	{ "end-kill", end_kill, "" },
	{ "end-abort", end_abort, "" },
	{ "end-trap", end_trap, "" },
	{ "end-rt", end_rt, "" },
	{ "end-pipe", end_pipe, "" },
	{ "end-segv", end_segv, "" },
	{ "end-by-thread", end_by_thread, "" },
	{ "end-with-orphan", end_with_orphan, "" },
	{ NULL, NULL, NULL },
};
