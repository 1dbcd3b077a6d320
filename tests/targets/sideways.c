/*
 * sideways.c - descriptors that come and go in other ways than open and close: duplicated,
 * made in pairs, anonymous, sent and received, fetched out of another process, inherited over
 * fork and exec, in tables that are shared, split and closed by ranges.
 *
 * `sideways ACCOUNT FOLDER leaf` is what its execve starts: fd 60 came along, 61 did not.
 */
#include "account.h"

#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define GIVEN 3

static char data[4096];

static int make(const char *name)
{
	return MUST(OPEN("openat", in_cwd(name), SYS_openat, AT_FDCWD, name,
			 O_RDWR | O_CREAT | O_APPEND, 0644));
}

static void put(int fd, const char *path, size_t n)
{
	IO("write", fd, path, NULL, SYS_write, fd, data, n);
}

static void end(int fd, const char *path) { OP("close", fd, path, NULL, SYS_close, fd); }

static void reap(pid_t pid, int want)
{
	int status;

	if (waitpid(pid, &status, 0) != pid || status != want) {
		fprintf(stderr, "target: child %d ended with %#x, not %#x\n", pid, status, want);
		_exit(96);
	}
}

static pid_t split(unsigned long flags)
{
	return (pid_t)MUST(acc_call(SYS_clone, flags | SIGCHLD, NULL, NULL, NULL, NULL));
}

static void duplicates(void)
{
	int a = make("dup-a"), b = make("dup-b"), n;

	n = MUST(OP("dup", a, in_cwd("dup-a"), NULL, SYS_dup, a));
	put(n, in_cwd("dup-a"), 10);
	OP("dup2", b, in_cwd("dup-b"), NULL, SYS_dup2, b, n); /* over an open one */
	put(n, in_cwd("dup-b"), 20);
	OP("dup2", n, in_cwd("dup-b"), NULL, SYS_dup2, n, n); /* changes nothing */
	put(n, in_cwd("dup-b"), 30);
	OP("fcntl", a, in_cwd("dup-a"), NULL, SYS_fcntl, a, F_DUPFD_CLOEXEC, 200);
	put(200, in_cwd("dup-a"), 40);
	OP("dup3", 200, in_cwd("dup-a"), NULL, SYS_dup3, 200, b, O_CLOEXEC);
	put(b, in_cwd("dup-a"), 50);
	OP("dup3", -1, NULL, NULL, SYS_dup3, a, a, 0); /* EINVAL */
	OP("dup2", -1, NULL, NULL, SYS_dup2, 199, a);  /* EBADF: a stays */
	put(a, in_cwd("dup-a"), 60);
	OP("close_range", -1, NULL, NULL, SYS_close_range, 200, 300, 0);
	put(200, NULL, 1); /* EBADF */
	end(a, in_cwd("dup-a"));
	end(b, in_cwd("dup-a"));
	end(n, in_cwd("dup-b"));
}

static void anonymous(void)
{
	int p[2], e, m, i;
	unsigned long long one = 1;
	char text[PATH_MAX];

	MUST(acc_call(SYS_pipe2, p, O_NONBLOCK));
	put(p[1], link_of(p[1]), 100);
	IO("read", p[0], link_of(p[0]), NULL, SYS_read, p[0], data, 60);
	end(p[0], link_of(p[0]));
	end(p[1], link_of(p[1]));
	MUST(acc_call(SYS_socketpair, AF_UNIX, SOCK_DGRAM, 0, p));
	put(p[1], link_of(p[1]), 77);
	IO("read", p[0], link_of(p[0]), NULL, SYS_read, p[0], data, 100);
	end(p[0], link_of(p[0]));
	end(p[1], link_of(p[1]));
	e = MUST(OPEN("eventfd2", "anon_inode:[eventfd]", SYS_eventfd2, 0, 0));
	IO("write", e, link_of(e), NULL, SYS_write, e, &one, 8);
	IO("read", e, link_of(e), NULL, SYS_read, e, &one, 8);
	end(e, link_of(e));
	m = MUST(OPEN("memfd_create", "/memfd:mine", SYS_memfd_create, "mine", 0));
	put(m, "/memfd:mine", 123);
	end(m, "/memfd:mine");
	i = MUST(OPEN("openat", in_cwd("gone"), SYS_openat, AT_FDCWD, "gone", O_RDWR | O_CREAT,
		      0644));
	OP("unlinkat", -1, in_cwd("gone"), NULL, SYS_unlinkat, AT_FDCWD, "gone", 0);
	put(i, in_cwd("gone"), 11);
	snprintf(text, sizeof(text), "/proc/self/fd/%d", i);
	/* opened once more */
	e = MUST(OPEN("openat", in_cwd("gone"), SYS_openat, AT_FDCWD, text, O_RDONLY));
	IO("read", e, in_cwd("gone"), NULL, SYS_read, e, data, 50);
	end(e, in_cwd("gone"));
	end(i, in_cwd("gone"));
}

/* n fds in one message; by sendmsg or sendmmsg */
static void send_fds(int s, const int *fd, unsigned n, bool many)
{
	char control[CMSG_SPACE(GIVEN * sizeof(int))] = { 0 };
	struct iovec iov = { data, 1 }; /* so that messages and bytes are as many */
	struct mmsghdr m = { .msg_hdr = { .msg_iov = &iov,
					  .msg_iovlen = 1,
					  .msg_control = control,
					  .msg_controllen = CMSG_SPACE(n * sizeof(int)) } };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m.msg_hdr);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(n * sizeof(int));
	memcpy(CMSG_DATA(c), fd, n * sizeof(int));
	if (many)
		MUST(IO("sendmmsg", s, link_of(s), NULL, SYS_sendmmsg, s, &m, 1, 0));
	else
		MUST(IO("sendmsg", s, link_of(s), NULL, SYS_sendmsg, s, &m.msg_hdr, 0));
}

static unsigned receive_fds(int s, int fd[GIVEN], bool many)
{
	char control[CMSG_SPACE(GIVEN * sizeof(int))] = { 0 };
	struct iovec iov = { data, 1 }; /* so that messages and bytes are as many */
	struct mmsghdr m = { .msg_hdr = { .msg_iov = &iov,
					  .msg_iovlen = 1,
					  .msg_control = control,
					  .msg_controllen = sizeof(control) } };
	struct cmsghdr *c;
	size_t bytes;

	if (many)
		MUST(IO("recvmmsg", s, link_of(s), NULL, SYS_recvmmsg, s, &m, 1, MSG_CMSG_CLOEXEC,
			NULL));
	else
		MUST(IO("recvmsg", s, link_of(s), NULL, SYS_recvmsg, s, &m.msg_hdr, 0));
	c = CMSG_FIRSTHDR(&m.msg_hdr);
	if (!c || c->cmsg_type != SCM_RIGHTS)
		acc_die("SCM_RIGHTS");
	bytes = c->cmsg_len - CMSG_LEN(0);
	memcpy(fd, CMSG_DATA(c), bytes);
	return (unsigned)(bytes / sizeof(int));
}

static void sent(void)
{
	int s[2], give[GIVEN], got[GIVEN] = { -1, -1, -1 };
	pid_t pid;

	MUST(acc_call(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, s));
	pid = split(0);
	if (pid == 0) {
		acc_begin();
		end(s[0], link_of(s[0]));
		receive_fds(s[1], got, false);
		put(got[0], in_cwd("sent-0"), 300);
		put(got[1], in_cwd("sent-1"), 301);
		put(got[2], in_cwd("sent-2"), 302);
		end(got[0], in_cwd("sent-0"));
		receive_fds(s[1], got, true); /* takes the number that is free */
		put(got[0], in_cwd("sent-1"), 303);
		/* and one back, made here */
		give[0] = make("sent-back");
		send_fds(s[1], give, 1, true);
		end(give[0], in_cwd("sent-back"));
		end(s[1], link_of(s[1]));
		acc_end();
		_exit(0);
	}
	end(s[1], link_of(s[1]));
	give[0] = make("sent-0");
	give[1] = make("sent-1");
	give[2] = make("sent-2");
	send_fds(s[0], give, 3, false);
	send_fds(s[0], give + 1, 1, true);
	end(give[0], in_cwd("sent-0"));
	receive_fds(s[0], got, false);
	put(got[0], in_cwd("sent-back"), 310);
	end(got[0], in_cwd("sent-back"));
	reap(pid, 0);
	end(give[1], in_cwd("sent-1"));
	end(give[2], in_cwd("sent-2"));
	end(s[0], link_of(s[0]));
}

/* One byte through a pipe: after you. */
static void go(int fd) { put(fd, link_of(fd), 1); }

static void await(int fd) { MUST(IO("read", fd, link_of(fd), NULL, SYS_read, fd, data, 1) - 1); }

static void fetched(void)
{
	int p[2], q[2], pidfd, fd = make("fetched"), mine;
	pid_t pid;

	MUST(acc_call(SYS_pipe2, p, 0));
	MUST(acc_call(SYS_pipe2, q, 0));
	pid = split(0);
	if (pid == 0) {
		int own;

		acc_begin();
		own = make("fetched-own"); /* the parent has something else there */
		MUST(OP("dup2", own, in_cwd("fetched-own"), NULL, SYS_dup2, own, 90));
		go(p[1]);
		await(q[0]);
		acc_end();
		_exit(0);
	}
	MUST(OP("dup2", fd, in_cwd("fetched"), NULL, SYS_dup2, fd, 90));
	await(p[0]);
	pidfd = MUST(OPEN("pidfd_open", NULL, SYS_pidfd_open, pid, 0));
	mine = MUST(OP("pidfd_getfd", pidfd, NULL, in_cwd("fetched-own"), SYS_pidfd_getfd, pidfd,
		       90, 0));
	put(mine, in_cwd("fetched-own"), 400);
	put(90, in_cwd("fetched"), 401);
	end(mine, in_cwd("fetched-own"));
	end(90, in_cwd("fetched"));
	end(pidfd, NULL);
	go(q[1]);
	reap(pid, 0);
	end(fd, in_cwd("fetched"));
	end(p[0], link_of(p[0]));
	end(p[1], link_of(p[1]));
	end(q[0], link_of(q[0]));
	end(q[1], link_of(q[1]));
}

/* Two processes, one table. */
static void shared_table(void)
{
	int fd = make("table-a"), other = make("table-b");
	pid_t pid;

	pid = split(CLONE_FILES);
	if (pid == 0) {
		acc_begin();
		put(fd, in_cwd("table-a"), 500);
		end(fd, in_cwd("table-a")); /* for the parent, too */
		fd = make("table-c");	    /* the same number */
		put(fd, in_cwd("table-c"), 501);
		/* a table of its own from here on, without the fds from 50 on */
		MUST(OP("dup2", other, in_cwd("table-b"), NULL, SYS_dup2, other, 50));
		MUST(OP("close_range", -1, NULL, NULL, SYS_close_range, 50, ~0U,
			CLOSE_RANGE_UNSHARE));
		put(50, NULL, 502);	    /* EBADF */
		end(fd, in_cwd("table-c")); /* the parent keeps its own */
		OPEN("openat", in_cwd("table-d"), SYS_openat, AT_FDCWD, "table-d", O_RDWR | O_CREAT,
		     0644);
		put(fd, in_cwd("table-d"), 503);
		acc_end();
		_exit(0);
	}
	reap(pid, 0);
	put(fd, in_cwd("table-c"), 504);
	put(50, in_cwd("table-b"), 505);
	end(fd, in_cwd("table-c"));
	end(other, in_cwd("table-b"));
	end(50, in_cwd("table-b"));
}

static pthread_barrier_t step;

static void *leaves_table(void *arg)
{
	int fd = *(int *)arg;

	put(fd, in_cwd("thread-a"), 600);
	MUST(OP("unshare", -1, NULL, NULL, SYS_unshare, CLONE_FILES));
	pthread_barrier_wait(&step);
	end(fd, in_cwd("thread-a"));
	fd = make("thread-b"); /* here, not there */
	put(fd, in_cwd("thread-b"), 601);
	pthread_barrier_wait(&step);
	put(fd, in_cwd("thread-b"), 602);
	end(fd, in_cwd("thread-b"));
	return NULL;
}

static void thread_leaves(void)
{
	int fd = make("thread-a");
	pthread_t t;

	pthread_barrier_init(&step, NULL, 2);
	if (pthread_create(&t, NULL, leaves_table, &fd) != 0)
		acc_die("pthread_create");
	pthread_barrier_wait(&step);
	put(fd, in_cwd("thread-a"), 603);
	pthread_barrier_wait(&step);
	put(fd, in_cwd("thread-a"), 604);
	pthread_join(t, NULL);
	end(fd, in_cwd("thread-a"));
}

static void over_exec(char **argv)
{
	char *args[] = { argv[0], argv[1], acc_cwd, (char *)"leaf", NULL };
	int a = make("exec-kept"), b = make("exec-lost");
	pid_t pid;

	OP("dup2", a, in_cwd("exec-kept"), NULL, SYS_dup2, a, 60);
	OP("dup2", b, in_cwd("exec-lost"), NULL, SYS_dup2, b, 61);
	OP("close_range", -1, NULL, NULL, SYS_close_range, 61, 70, CLOSE_RANGE_CLOEXEC);
	put(61, in_cwd("exec-lost"), 700); /* still there */
	pid = split(0);
	if (pid == 0) {
		execve("/proc/self/exe", args, NULL);
		_exit(97);
	}
	reap(pid, 3 << 8);
}

int main(int argc, char **argv)
{
	acc_start(argc, argv);
	if (argc > 3 && strcmp(argv[3], "leaf") == 0) {
		put(60, in_cwd("exec-kept"), 701);
		put(61, NULL, 702); /* EBADF */
		acc_end();
		return 3;
	}
	duplicates();
	anonymous();
	sent();
	fetched();
	shared_table();
	thread_leaves();
	over_exec(argv);
	acc_end();
	return 0;
}
