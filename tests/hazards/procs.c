/* procs.c - processes: how they are waited for, who their parent is, how many there may be. */
#include "hazard.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

extern char **environ;

static void ends_with(void *arg) { _exit((int)(intptr_t)arg); }

/* ---- numbers ---- */

/* 200 forks, 20 at a time, waited for in any order. */
static void fork_storm(void)
{
	int sum = 0, status;

	for (int round = 0; round < 10; round++) {
		for (intptr_t i = 0; i < 20; i++)
			child(ends_with, (void *)(i + 1));
		for (int i = 0; i < 20; i++) {
			MUST(waitpid(-1, &status, 0));
			CHECK(WIFEXITED(status));
			sum += WEXITSTATUS(status);
		}
	}
	IS(sum, 10 * 210);
	IS(waitpid(-1, &status, WNOHANG), -1);
	IS(errno, ECHILD);
}

/* 200 generations, each of which passes on what its child said. */
static void deep_tree(void)
{
	int generation = 0;
	pid_t pid;

	do
		pid = fork();
	while (pid == 0 && ++generation < 200);
	MUST(pid);
	if (pid == 0)
		_exit(3);
	if (generation > 0)
		_exit(reap(pid) >> 8);
	say("%s", status_text(reap(pid)));
}

static void bush(void *arg)
{
	intptr_t left = (intptr_t)arg;

	if (left == 0)
		_exit(0);
	for (int i = 0; i < 3; i++)
		child(bush, (void *)(left - 1));
	for (int i = 0; i < 3; i++) {
		int status;

		MUST(waitpid(-1, &status, 0));
		IS(status, 0);
	}
}

static void fork_bush(void) { reap_ok(child(bush, (void *)4)); }

/* Children killed in the moment they are born. */
static void killed_newborn(void)
{
	for (int i = 0; i < 60; i++) {
		pid_t pid = fork();

		MUST(pid);
		if (pid == 0)
			for (;;)
				getppid();
		if (i % 3)
			usleep((useconds_t)(i * 3));
		MUST(kill(pid, SIGKILL));
		IS(reap(pid), SIGKILL);
	}
}

static void killed_while_forking_child(void *arg)
{
	(void)arg;
	for (;;) {
		pid_t pid = fork();

		if (pid == 0)
			_exit(0);
		if (pid > 0)
			waitpid(pid, NULL, 0);
	}
}

/* The parent dies in the middle of fork: whatever child there was lives, and ends. */
static void killed_while_forking(void)
{
	MUST(prctl(PR_SET_CHILD_SUBREAPER, 1));
	for (int i = 0; i < 40; i++) {
		pid_t pid = child(killed_while_forking_child, NULL), got;
		int status;

		usleep((useconds_t)(500 + i * 73 % 1500));
		MUST(kill(pid, SIGKILL));
		IS(reap(pid), SIGKILL);
		while ((got = waitpid(-1, &status, 0)) > 0)
			IS(status, 0);
		IS(errno, ECHILD);
	}
}

/* ---- waiting ---- */

static void wait_kinds(void)
{
	struct rusage ru = { 0 };
	siginfo_t si;
	pid_t a = child(ends_with, (void *)1), b, c;
	int status;

	IS(waitpid(a, &status, 0), a);
	IS(status, 1 << 8);
	IS(waitpid(a, &status, 0), -1);
	IS(errno, ECHILD);
	b = child(ends_with, (void *)2);
	IS(wait4(b, &status, 0, &ru), b);
	CHECK(ru.ru_maxrss > 0);
	c = fork();
	if (c == 0) {
		setpgid(0, 0);
		pause();
		_exit(0);
	}
	setpgid(c, c);
	IS(waitpid(0, &status, WNOHANG), -1); /* none in our own group */
	IS(errno, ECHILD);
	IS(waitpid(-c, &status, WNOHANG), 0);
	memset(&si, 0, sizeof(si));
	IS(waitid(P_PGID, (id_t)c, &si, WEXITED | WNOHANG), 0);
	IS(si.si_pid, 0);
	MUST(kill(c, SIGTERM));
	IS(waitid(P_PGID, (id_t)c, &si, WEXITED | WNOWAIT), 0);
	IS(si.si_pid, c);
	IS(si.si_code, CLD_KILLED);
	IS(si.si_status, SIGTERM);
	IS(waitpid(-c, &status, 0), c);
	IS(status, SIGTERM);
	for (int i = 0; i < 256; i += 15)
		IS(reap(child(ends_with, (void *)(intptr_t)i)), i << 8);
	say("%s", status_text(reap(child(ends_with, (void *)0x1234))));
}

/* A zombie stays one until it is waited for, and only its parent gets it. */
static void zombie(void)
{
	pid_t pid = child(ends_with, (void *)5);
	siginfo_t si;

	for (int i = 0; i < 5000 && state_of(pid, pid) != 'Z'; i++)
		usleep(1000);
	for (int i = 0; i < 3; i++) {
		sleep_ms(3);
		IS(state_of(pid, pid), 'Z');
		memset(&si, 0, sizeof(si));
		MUST(waitid(P_PID, (id_t)pid, &si, WEXITED | WNOWAIT));
		IS(si.si_pid, pid);
		IS(si.si_status, 5);
	}
	MUST(kill(pid, 0));
	IS(reap(pid), 5 << 8);
	IS(kill(pid, 0), -1);
	IS(errno, ESRCH);
}

/* SIGCHLD ignored, or SA_NOCLDWAIT: no zombies, wait returns when all are gone. */
static void auto_reaped(void)
{
	struct sigaction sa = { .sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT };

	for (int how = 0; how < 2; how++) {
		if (how == 0)
			signal(SIGCHLD, SIG_IGN);
		else
			MUST(sigaction(SIGCHLD, &sa, NULL));
		for (intptr_t i = 0; i < 10; i++)
			child(ends_with, (void *)i);
		IS(wait(NULL), -1);
		IS(errno, ECHILD);
	}
}

static void pidfds(void)
{
	pid_t pid = fork();
	struct pollfd p = { .events = POLLIN };
	siginfo_t si;

	if (pid == 0) {
		pause();
		_exit(0);
	}
	p.fd = (int)MUST(syscall(SYS_pidfd_open, pid, 0));
	IS(poll(&p, 1, 5), 0);
	MUST(syscall(SYS_pidfd_send_signal, p.fd, SIGINT, NULL, 0));
	IS(poll(&p, 1, 5000), 1);
	MUST(waitid((idtype_t)3 /* P_PIDFD */, (id_t)p.fd, &si, WEXITED));
	IS(si.si_status, SIGINT);
	IS(si.si_code, CLD_KILLED);
}

/* ---- orphans ---- */

static void orphan(void *arg)
{
	int *fds = arg;
	pid_t first;
	char c;

	MUST(read(fds[0], &first, sizeof(first))); /* the pid of the one that adopts */
	for (int i = 0; i < 3000 && getppid() != first; i++)
		usleep(1000);
	IS(getppid(), first);
	MUST(read(fds[0], &c, 1));
	_exit(hazard_failed() ? 1 : 11);
}

static void makes_orphan(void *arg) { child(orphan, arg); }

/* An orphan goes to the nearest subreaper, which then can wait for it. */
static void subreaper(void)
{
	int fds[2], status;
	pid_t me = getpid();

	MUST(prctl(PR_SET_CHILD_SUBREAPER, 1));
	MUST(pipe(fds));
	reap_ok(child(makes_orphan, fds));
	IS(waitpid(-1, &status, WNOHANG), 0);
	MUST(write(fds[1], &me, sizeof(me)));
	sleep_ms(5);
	MUST(write(fds[1], "x", 1));
	MUST(waitpid(-1, &status, 0));
	say("%s", status_text(status));
	IS(waitpid(-1, &status, 0), -1);
	IS(errno, ECHILD);
}

/* ---- vfork and spawn ---- */

static void vforks(void)
{
	volatile int shared = 0;
	char *args[] = { (char *)"true", NULL };
	uint64_t from;
	pid_t pid;

	for (int i = 0; i < 10; i++) {
		pid = vfork();
		if (pid == 0) {
			shared++;
			_exit(i);
		}
		IS(shared, i + 1); /* the child was first, in our memory */
		IS(reap(pid), i << 8);
	}
	pid = vfork();
	if (pid == 0) {
		execve("/nonexistent", args, environ);
		shared = errno;
		_exit(1);
	}
	IS(shared, ENOENT);
	IS(reap(pid), 1 << 8);
	pid = vfork();
	if (pid == 0) {
		execve("/bin/true", args, environ);
		_exit(1);
	}
	reap_ok(pid);
	from = now_ms();
	pid = vfork();
	if (pid == 0) {
		struct timespec t = { 0, 60000000 };

		nanosleep(&t, NULL);
		kill(getpid(), SIGKILL);
	}
	CHECK(now_ms() - from >= 60);
	IS(reap(pid), SIGKILL);
	/* one in another */
	pid = vfork();
	if (pid == 0) {
		pid_t inner = vfork();

		if (inner == 0)
			_exit(21);
		if (waitpid(inner, (int *)(uintptr_t)&shared, 0) == inner && shared == 21 << 8)
			_exit(22);
		_exit(1);
	}
	IS(reap(pid), 22 << 8);
}

static volatile sig_atomic_t hits;

static void count(int sig, siginfo_t *si, void *context)
{
	(void)sig, (void)si, (void)context;
	hits++;
}

/* A signal for the parent of a vfork waits until the child has gone on. */
static void vfork_signal(void)
{
	pid_t me = getpid(), pid;
	volatile int early = 0;

	handle(SIGUSR1, count, SA_RESTART);
	pid = vfork();
	if (pid == 0) {
		syscall(SYS_kill, me, SIGUSR1);
		early = hits;
		_exit(0);
	}
	IS(early, 0);
	for (int i = 0; i < 1000 && !hits; i++)
		usleep(1000);
	IS(hits, 1);
	reap_ok(pid);
}

static void spawn(void)
{
	char *args[] = { (char *)"sh", (char *)"-c", (char *)"exit 7", NULL };
	char line[64] = "";
	pid_t pid;
	FILE *f;

	IS(posix_spawn(&pid, "/bin/sh", NULL, NULL, args, environ), 0);
	IS(reap(pid), 7 << 8);
	IS(posix_spawn(&pid, "/nonexistent", NULL, NULL, args, environ), ENOENT);
	IS(system("exit 9"), 9 << 8);
	IS(system("kill -TERM $$"), SIGTERM);
	f = popen("echo one; echo two | tr a-z A-Z; exit 3", "r");
	CHECK(f);
	while (fgets(line, sizeof(line), f))
		say("popen: %.*s", (int)strcspn(line, "\n"), line);
	IS(pclose(f), 3 << 8);
}

/* ---- pid namespace: other numbers for the same processes ---- */

static void in_namespace(void *arg)
{
	pid_t pid, inner;
	int status;

	(void)arg;
	IS(getpid(), 1);
	IS(getppid(), 0);
	pid = child(ends_with, (void *)6);
	CHECK(pid > 1 && pid < 20);
	IS(waitpid(pid, &status, 0), pid);
	IS(status, 6 << 8);
	inner = vfork();
	if (inner == 0) {
		char *args[] = { (char *)"true", NULL };

		execve("/bin/true", args, environ);
		_exit(1);
	}
	IS(waitpid(inner, &status, 0), inner);
	IS(status, 0);
	/* whoever is left is killed with the namespace */
	pid = fork();
	if (pid == 0)
		for (;;)
			pause();
}

static void pid_namespace(void)
{
	MUST(unshare(CLONE_NEWPID));
	reap_ok(child(in_namespace, NULL));
}

const struct hazard hazards_procs[] = {
	{ "fork-storm", fork_storm, "" },
	{ "deep-tree", deep_tree, "" },
	{ "fork-bush", fork_bush, "" },
	{ "killed-newborn", killed_newborn, "" },
	{ "killed-while-forking", killed_while_forking, "" },
	{ "wait-kinds", wait_kinds, "" },
	{ "zombie", zombie, "" },
	{ "auto-reaped", auto_reaped, "" },
	{ "pidfd", pidfds, "" },
	{ "subreaper", subreaper, "" },
	{ "vfork", vforks, "" },
	{ "vfork-signal", vfork_signal, "" },
	{ "spawn", spawn, "" },
	{ "pid-namespace", pid_namespace, "root" },
	{ NULL, NULL, NULL },
};
