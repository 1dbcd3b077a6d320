/* clone.c - what clone, clone3 and unshare share, split and report. */
#include "hazard.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static char stacks[4][65536] __attribute__((aligned(64)));
static volatile int shared;

static pid_t start(int (*fn)(void *), int flags, void *arg)
{
	static unsigned turn;

	return (pid_t)MUST(clone(fn, stacks[turn++ % 4] + sizeof(stacks[0]), flags, arg));
}

/* ---- CLONE_FILES without CLONE_THREAD ---- */

static int open_and_close(void *arg)
{
	int *fd = arg;

	close(fd[0]);
	if (dup2(fd[1], 200) != 200)
		return 1;
	fd[2] = open("/dev/zero", O_RDONLY);
	return fd[2] < 0;
}

static void clone_files(void)
{
	int fd[3];
	char c = 'x';

	fd[0] = (int)MUST(open("/dev/null", O_RDWR));
	fd[1] = (int)MUST(open("/proc/self/exe", O_RDONLY));
	reap_ok(start(open_and_close, CLONE_FILES | CLONE_VM | SIGCHLD, fd));
	CHECK(fd[2] == fd[0]); /* the number was free again, in both */
	IS(read(fd[2], &c, 1), 1);
	IS(c, 0);
	IS(read(200, &c, 1), 1);
	IS(c, 0x7f);
	close(fd[2]);
	close(200);
	reap_ok(start(open_and_close, CLONE_VM | SIGCHLD, (int[3]){ 150, fd[1], 0 }));
	IS(read(200, &c, 1), -1); /* not shared */
	IS(errno, EBADF);
}

static int unshares_files(void *arg)
{
	int *fd = arg;

	if (unshare(CLONE_FILES) < 0)
		return 1;
	close(fd[0]);
	fd[2] = dup2(fd[1], 201);
	return fd[2] != 201;
}

static void *thread_unshares(void *arg) { return (void *)(intptr_t)unshares_files(arg); }

static void unshare_files(void)
{
	int fd[3];
	char c;
	pthread_t t;
	void *got;

	fd[0] = (int)MUST(open("/dev/zero", O_RDONLY));
	fd[1] = (int)MUST(open("/proc/self/exe", O_RDONLY));
	reap_ok(start(unshares_files, CLONE_FILES | CLONE_VM | SIGCHLD, fd));
	IS(read(fd[0], &c, 1), 1); /* still open here */
	IS(read(201, &c, 1), -1);
	IS(pthread_create(&t, NULL, thread_unshares, fd), 0);
	pthread_join(t, &got);
	IS(got, 0);
	IS(read(fd[0], &c, 1), 1);
	IS(read(201, &c, 1), -1);
}

static void close_range_unshare(void)
{
	int fd = (int)MUST(open("/dev/zero", O_RDONLY)), moved = (int)MUST(dup2(fd, 300));
	char c;

	for (int i = 301; i < 340; i++)
		MUST(dup2(fd, i));
	MUST(syscall(SYS_close_range, 300, 320, 2 /* CLOSE_RANGE_UNSHARE */));
	IS(read(moved, &c, 1), -1);
	IS(errno, EBADF);
	IS(read(321, &c, 1), 1);
	MUST(syscall(SYS_close_range, 301, 339, 4 /* CLOSE_RANGE_CLOEXEC */));
	IS(fcntl(330, F_GETFD), FD_CLOEXEC);
	IS(read(330, &c, 1), 1);
	MUST(syscall(SYS_close_range, 301, ~0u, 0));
	IS(read(330, &c, 1), -1);
}

/* ---- CLONE_FS, CLONE_VM, CLONE_SIGHAND ---- */

static int moves(void *arg)
{
	(void)arg;
	umask(0123);
	return chdir("/proc") != 0;
}

static void clone_fs(void)
{
	char cwd[256];

	MUST(chdir("/"));
	reap_ok(start(moves, CLONE_FS | SIGCHLD, NULL));
	CHECK(!strcmp(getcwd(cwd, sizeof(cwd)), "/proc"));
	IS(umask(022), 0123);
	MUST(chdir("/"));
	reap_ok(start(moves, SIGCHLD, NULL));
	CHECK(!strcmp(getcwd(cwd, sizeof(cwd)), "/"));
	IS(umask(022), 022);
}

static void nothing(int sig) { (void)sig; }

static int sets_handler(void *arg)
{
	(void)arg;
	signal(SIGUSR2, nothing);
	shared = 5;
	return 0;
}

static void clone_sighand(void)
{
	struct sigaction sa;

	reap_ok(start(sets_handler, CLONE_VM | CLONE_SIGHAND | SIGCHLD, NULL));
	MUST(sigaction(SIGUSR2, NULL, &sa));
	CHECK(sa.sa_handler == nothing);
	IS(shared, 5);
	signal(SIGUSR2, SIG_DFL);
	shared = 0;
	reap_ok(start(sets_handler, SIGCHLD, NULL));
	MUST(sigaction(SIGUSR2, NULL, &sa));
	CHECK(sa.sa_handler == SIG_DFL);
	IS(shared, 0);
}

/* ---- whose child it is ---- */

static int parent_is(void *arg) { return getppid() != *(pid_t *)arg; }

static int clones_sibling(void *arg)
{
	pid_t pid = start(parent_is, CLONE_PARENT | SIGCHLD, arg);

	if (waitpid(pid, NULL, 0) != -1 || errno != ECHILD)
		return 1; /* it is not ours */
	return 0;
}

static void clone_parent(void)
{
	pid_t me = getpid();
	int status, n = 0;

	start(clones_sibling, SIGCHLD, &me);
	while (waitpid(-1, &status, 0) > 0) {
		IS(status, 0);
		n++;
	}
	IS(n, 2);
}

static int ends_9(void *arg)
{
	(void)arg;
	return 9;
}

/* CLONE_UNTRACED: no tracer may follow; to the program it is a child like any other. */
static void clone_untraced(void)
{
	for (int i = 0; i < 5; i++)
		IS(reap(start(ends_9, CLONE_UNTRACED | SIGCHLD, NULL)), 9 << 8);
}

static volatile sig_atomic_t hits;

static void count(int sig, siginfo_t *si, void *context)
{
	(void)sig, (void)context;
	if (si->si_code == CLD_EXITED && si->si_status == 9)
		hits++;
}

/* A child that ends with another signal than SIGCHLD, or none, is seen with __WCLONE only. */
static void exit_signal(void)
{
	pid_t pid;
	int status;

	handle(SIGUSR1, count, SA_RESTART);
	handle(SIGCHLD, count, SA_RESTART);
	pid = start(ends_9, SIGUSR1, NULL);
	for (int i = 0; i < 5000 && !hits; i++)
		usleep(1000);
	IS(hits, 1);
	IS(waitpid(pid, &status, WNOHANG), -1);
	IS(errno, ECHILD);
	IS(waitpid(pid, &status, (int)__WCLONE), pid);
	IS(status, 9 << 8);
	pid = start(ends_9, 0, NULL);
	IS(waitpid(pid, &status, __WALL), pid);
	IS(status, 9 << 8);
	sleep_ms(5);
	IS(hits, 1); /* silent */
}

/* ---- where the kernel stores ids ---- */

static int waits(void *arg)
{
	char c;

	return read(*(int *)arg, &c, 1) != 1;
}

static void set_tid(void)
{
	pid_t in_parent = 0, in_child = 7, pid;
	int fds[2], pidfd = -1;
	struct pollfd p;
	struct clone_args a = { 0 };

	MUST(pipe(fds));
	pid = (pid_t)MUST(clone(waits, stacks[0] + sizeof(stacks[0]),
				CLONE_VM | CLONE_PARENT_SETTID | CLONE_CHILD_SETTID |
					CLONE_CHILD_CLEARTID | SIGCHLD,
				fds, &in_parent, NULL, &in_child));
	IS(in_parent, pid);
	for (int i = 0; i < 1000 && *(volatile pid_t *)&in_child != pid; i++)
		usleep(1000);
	IS(in_child, pid);
	MUST(write(fds[1], "x", 1));
	reap_ok(pid);
	IS(in_child, 0);

	a.flags = CLONE_PIDFD | CLONE_CLEAR_SIGHAND;
	a.pidfd = (uintptr_t)&pidfd;
	a.exit_signal = SIGCHLD;
	signal(SIGUSR1, nothing);
	pid = (pid_t)MUST(syscall(SYS_clone3, &a, sizeof(a)));
	if (pid == 0) {
		struct sigaction sa;

		sigaction(SIGUSR1, NULL, &sa);
		_exit(sa.sa_handler == SIG_DFL ? waits(fds) : 3);
	}
	CHECK(pidfd > 2);
	p = (struct pollfd){ .fd = pidfd, .events = POLLIN };
	IS(poll(&p, 1, 3), 0);
	MUST(write(fds[1], "x", 1));
	IS(poll(&p, 1, 5000), 1);
	reap_ok(pid);
	a.flags = CLONE_SIGHAND; /* not without CLONE_VM */
	IS(syscall(SYS_clone3, &a, sizeof(a)), -1);
	IS(errno, EINVAL);
}

/* vfork's flags by hand, on a stack of its own. */
static int slow(void *arg)
{
	struct timespec t = { 0, 20000000 };

	nanosleep(&t, NULL);
	shared = (int)(intptr_t)arg;
	return 2;
}

static void clone_vfork(void)
{
	for (intptr_t i = 1; i < 4; i++) {
		pid_t pid = start(slow, CLONE_VM | CLONE_VFORK | SIGCHLD, (void *)i);

		IS(shared, i);
		IS(reap(pid), 2 << 8);
	}
}

/* Asked to be traced by its maker's tracer: without one it means nothing. */
static void clone_ptrace(void) { IS(reap(start(ends_9, CLONE_PTRACE | SIGCHLD, NULL)), 9 << 8); }

const struct hazard hazards_clone[] = {
	{ "clone-files", clone_files, "" },
	{ "unshare-files", unshare_files, "" },
	{ "close-range-unshare", close_range_unshare, "" },
	{ "clone-fs", clone_fs, "" },
	{ "clone-sighand", clone_sighand, "" },
	{ "clone-parent", clone_parent, "" },
	{ "clone-untraced", clone_untraced, "nofilter" },
	{ "exit-signal", exit_signal, "" },
	{ "set-tid", set_tid, "" },
	{ "clone-vfork", clone_vfork, "" },
	{ "clone-ptrace", clone_ptrace, "" },
	{ NULL, NULL, NULL },
};
