/*
 * tree.c - processes: fork, vfork, clone, nested forks, exec, exec from a thread that is not
 * the leader, close-on-exec, inherited fds, exit codes and deaths by signal.
 *
 * `tree ACCOUNT FOLDER leaf` is what the execs start: it writes 5 bytes to fd 70 and
 * finds fd 71 closed.
 */
#include "account.h"

#include <signal.h>
#include <sys/wait.h>

static char *const *self;

static void leaf(void)
{
	const char *shared = in_cwd("shared");

	IO("write", 70, shared, NULL, SYS_write, 70, "leaf\n", 5);
	IO("write", 71, NULL, NULL, SYS_write, 71, "none", 4); /* EBADF: was close-on-exec */
}

static void exec_self(void)
{
	char *args[] = { self[0], self[1], acc_cwd, (char *)"leaf", NULL };
	char *env[] = { NULL };

	execve("/proc/self/exe", args, env);
	_exit(97);
}

static void *exec_from_thread(void *arg)
{
	(void)arg;
	exec_self();
	return NULL;
}

static void *sleeper(void *arg)
{
	(void)arg;
	for (;;)
		pause();
	return NULL;
}

static void reap(pid_t pid, int want)
{
	int status;

	if (waitpid(pid, &status, 0) != pid || status != want) {
		fprintf(stderr, "target: child %d ended with %#x, not %#x\n", pid, status, want);
		_exit(96);
	}
}

int main(int argc, char **argv)
{
	const char *shared, *own;
	pid_t pid;
	int fd;

	self = argv;
	acc_start(argc, argv);
	shared = in_cwd("shared");
	if (argc > 3 && strcmp(argv[3], "leaf") == 0) {
		leaf();
		acc_end();
		return 3;
	}

	fd = MUST(OPEN("openat", shared, SYS_openat, AT_FDCWD, "shared",
		       O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
	OP("dup3", fd, shared, NULL, SYS_dup3, fd, 70, 0);
	OP("dup3", fd, shared, NULL, SYS_dup3, fd, 71, O_CLOEXEC);
	OP("close", fd, shared, NULL, SYS_close, fd);

	/* a child that writes through the inherited fd, closes it, and exits with 7 */
	pid = fork();
	if (pid == 0) {
		acc_begin();
		IO("write", 70, shared, NULL, SYS_write, 70, "child\n", 6);
		OP("close", 70, shared, NULL, SYS_close, 70);
		IO("write", 70, NULL, NULL, SYS_write, 70, "x", 1); /* EBADF, here only */
		acc_end();
		_exit(7);
	}
	reap(pid, 7 << 8);
	IO("write", 70, shared, NULL, SYS_write, 70, "parent\n", 7);

	/* a grandchild that outlives its parent for a moment */
	pid = fork();
	if (pid == 0) {
		int p[2];

		if (pipe(p) != 0)
			_exit(95);
		pid = fork();
		if (pid == 0) {
			char c;

			close(p[1]);
			if (read(p[0], &c, 1) != 0)
				_exit(94);
			acc_begin();
			own = in_cwd("grandchild");
			fd = MUST(OPEN("openat", own, SYS_openat, AT_FDCWD, "grandchild",
				       O_WRONLY | O_CREAT, 0600));
			IO("write", fd, own, NULL, SYS_write, fd, "grand", 5);
			acc_end();
			_exit(0);
		}
		_exit(0);
	}
	reap(pid, 0);

	/* fork and exec */
	pid = fork();
	if (pid == 0)
		exec_self();
	reap(pid, 3 << 8);

	/* vfork and exec */
	pid = vfork();
	if (pid == 0) {
		char *args[] = { argv[0], argv[1], acc_cwd, (char *)"leaf", NULL };

		execve("/proc/self/exe", args, NULL);
		_exit(97);
	}
	reap(pid, 3 << 8);

	/* an execve by a thread that is not the leader, while others sleep */
	pid = fork();
	if (pid == 0) {
		pthread_t t;

		pthread_create(&t, NULL, sleeper, NULL);
		pthread_create(&t, NULL, exec_from_thread, NULL);
		pthread_join(t, NULL);
		_exit(93);
	}
	reap(pid, 3 << 8);

	/* a failed execve changes nothing */
	pid = fork();
	if (pid == 0) {
		char *args[] = { argv[0], NULL };

		acc_begin();
		execve(in_cwd("not-there"), args, NULL);
		IO("write", 71, shared, NULL, SYS_write, 71, "kept", 4);
		acc_end();
		_exit(1);
	}
	reap(pid, 1 << 8);

	/* death by a signal */
	pid = fork();
	if (pid == 0) {
		kill(getpid(), SIGTERM);
		_exit(92);
	}
	reap(pid, SIGTERM);

	acc_end();
	return 0;
}
