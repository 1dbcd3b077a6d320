/* exec.c - execve: from threads, in chains, with and without a leader, failing. */
#include "hazard.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/syscall.h>

extern char **environ;

static void self(const char *target, const char *arg)
{
	execl(hazard_self, hazard_self, target, arg, NULL);
	must_failed("execl()", __FILE__, __LINE__);
}

/* ---- chains ---- */

static void exec_chain(void)
{
	int left = hazard_args[0] ? atoi(hazard_args[0]) : 60;
	char next[16];

	if (left == 0)
		return;
	snprintf(next, sizeof(next), "%d", left - 1);
	self("exec-chain", next);
}

/* ---- by a thread that is not the leader ---- */

static void *sleeps(void *arg)
{
	(void)arg;
	for (;;)
		pause();
	return NULL;
}

static void *computes(void *arg)
{
	for (;;)
		__atomic_add_fetch((int *)arg, getppid() > 0, __ATOMIC_RELAXED);
	return NULL;
}

static void *execs(void *arg)
{
	char pid[16];

	usleep((useconds_t)(uintptr_t)arg);
	snprintf(pid, sizeof(pid), "%d", getpid());
	self("exec-landed", pid);
	return NULL;
}

/* After the exec: alone, with the pid of before as its tid. */
static void exec_landed(void)
{
	IS(getpid(), atoi(hazard_args[0]));
	IS(gettid(), getpid());
	if (hazard_args[1]) /* one of several at once, whose lines would mix */
		_exit(hazard_failed());
	say("landed");
}

struct how {
	int sleepers, busy, execers;
	bool leader_goes;
};

static void exec_child(void *arg)
{
	const struct how *h = arg;
	static int counter;
	pthread_t t;

	for (int i = 0; i < h->sleepers; i++)
		pthread_create(&t, NULL, sleeps, NULL);
	for (int i = 0; i < h->busy; i++)
		pthread_create(&t, NULL, computes, &counter);
	for (int i = 0; i < h->execers; i++)
		pthread_create(&t, NULL, execs, (void *)(uintptr_t)(h->leader_goes ? 8000 : 0));
	if (h->leader_goes)
		pthread_exit(NULL);
	sleeps(NULL);
}

static void exec_thread(void)
{
	/* clang-format off */
	static const struct how ways[] = {
		{ 0, 0, 1, false }, { 5, 0, 1, false }, { 3, 3, 1, false },
		{ 2, 2, 3, false },                     /* several at once: one wins */
		{ 4, 1, 1, true },                      /* the leader is a zombie by then */
		{ 0, 0, 1, true },
	};
	/* clang-format on */

	for (int round = 0; round < 3; round++)
		for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
			reap_ok(child(exec_child, (void *)(uintptr_t)&ways[i]));
}

static void leader_execs_child(void *arg)
{
	static int counter;
	pthread_t t;
	char pid[16];

	(void)arg;
	for (int i = 0; i < 6; i++)
		pthread_create(&t, NULL, i % 2 ? computes : sleeps, &counter);
	snprintf(pid, sizeof(pid), "%d", getpid());
	self("exec-landed", pid);
}

static void exec_leader(void)
{
	for (int i = 0; i < 5; i++)
		reap_ok(child(leader_execs_child, NULL));
}

static void *forks_and_execs(void *arg)
{
	for (int i = 0; i < 6; i++) {
		char pid[16];
		pid_t p = arg ? vfork() : fork();

		if (p == 0) {
			snprintf(pid, sizeof(pid), "%d", getpid());
			execl(hazard_self, hazard_self, "exec-landed", pid, "quiet", NULL);
			_exit(9);
		}
		reap_ok(p);
	}
	return NULL;
}

static void exec_in_parallel(void)
{
	pthread_t t[4];

	for (intptr_t i = 0; i < 4; i++)
		IS(pthread_create(&t[i], NULL, forks_and_execs, (void *)(i % 2)), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
}

/* ---- failing, scripts, by fd ---- */

static void exec_fails(void)
{
	char *args[] = { (char *)"x", NULL };
	char name[] = "/tmp/hazard-XXXXXX";
	int fd = (int)MUST(mkstemp(name));
	char long_name[5000];

	memset(long_name, 'a', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	IS(execve("/nonexistent/x", args, environ), -1);
	IS(errno, ENOENT);
	IS(execve("/etc/passwd", args, environ), -1);
	IS(errno, EACCES);
	IS(execve("/", args, environ), -1);
	IS(errno, EACCES);
	IS(execve("/etc/passwd/x", args, environ), -1);
	IS(errno, ENOTDIR);
	IS(execve(long_name, args, environ), -1);
	IS(errno, ENAMETOOLONG);
	MUST(write(fd, "\1\2\3", 3));
	MUST(fchmod(fd, 0755));
	close(fd);
	IS(execve(name, args, environ), -1);
	IS(errno, ENOEXEC);
	unlink(name);
	IS(syscall(SYS_execveat, 99, "x", args, environ, 0), -1);
	IS(errno, EBADF);
	reap_ok(child(leader_execs_child, NULL)); /* nothing of it left a trace */
}

static void script_child(void *arg) { execl(arg, "script", "argument", NULL); }

static void exec_script(void)
{
	char name[] = "/tmp/hazard-XXXXXX", text[256];
	int fd = (int)MUST(mkstemp(name));
	int n = snprintf(text, sizeof(text), "#!/bin/sh\necho \"script $1\"\nexit 12\n");

	MUST(write(fd, text, (size_t)n));
	MUST(fchmod(fd, 0755));
	close(fd);
	say("%s", status_text(reap(child(script_child, name))));
	unlink(name);
}

static void by_fd_child(void *arg)
{
	char pid[16], *args[] = { (char *)"self", (char *)"exec-landed", pid, NULL };

	snprintf(pid, sizeof(pid), "%d", getpid());
	syscall(SYS_execveat, *(int *)arg, "", args, environ, AT_EMPTY_PATH);
}

static void exec_by_fd(void)
{
	int fd = (int)MUST(open(hazard_self, O_RDONLY | O_CLOEXEC));

	reap_ok(child(by_fd_child, &fd));
}

/* A program of another ABI, which is given the path of this one. */
static void other_child(void *arg)
{
	execl(arg, arg, hazard_self, NULL);
	say("%s", strerrorname_np(errno));
}

static void exec_other(void)
{
	for (int i = 0; i < 3; i++)
		say("%s", status_text(reap(child(other_child, hazard_args[0]))));
}

/* ---- what exec keeps and what it ends ---- */

static void exec_keeps(void)
{
	int fd, keep, gone;
	char list[64];

	if (hazard_args[0]) {
		IS(sscanf(hazard_args[0], "%d,%d,%d", &fd, &keep, &gone), 3);
		IS(lseek(keep, 0, SEEK_CUR), 10);
		IS(fcntl(gone, F_GETFD), -1);
		IS(errno, EBADF);
		IS(fcntl(fd, F_GETFD), -1);
		CHECK(getenv("HAZARD_KEPT"));
		IS(umask(0), 031);
		IS(alarm(0), 100);
		return;
	}
	fd = (int)MUST(open(hazard_self, O_RDONLY | O_CLOEXEC));
	keep = (int)MUST(open(hazard_self, O_RDONLY));
	gone = (int)MUST(fcntl(keep, F_DUPFD_CLOEXEC, 100));
	MUST(lseek(keep, 10, SEEK_SET));
	setenv("HAZARD_KEPT", "1", 1);
	umask(031);
	alarm(100);
	snprintf(list, sizeof(list), "%d,%d,%d", fd, keep, gone);
	self("exec-keeps", list);
}

const struct hazard hazards_exec[] = {
	{ "exec-chain", exec_chain, "" },
	{ "exec-landed", exec_landed, "inner" },
	{ "exec-thread", exec_thread, "" },
	{ "exec-leader", exec_leader, "" },
	{ "exec-in-parallel", exec_in_parallel, "" },
	{ "exec-fails", exec_fails, "" },
	{ "exec-script", exec_script, "" },
	{ "exec-by-fd", exec_by_fd, "" },
	{ "exec-keeps", exec_keeps, "" },
	{ "exec-other", exec_other, "inner" },
	{ NULL, NULL, NULL },
};
