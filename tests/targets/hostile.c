/*
 * hostile.c - a target that lies to whoever reads its memory: paths of any bytes and length,
 * pointers to nowhere, strings without an end, counts and lengths that are not true.
 *
 * `hostile SCENARIO FOLDER` changes to FOLDER, makes its calls and prints one line for each that it
 * expects to be seen, in order:
 *
 *     syscall ret detail path
 *
 * separated by tabs. ret is a negated errno when the call failed. detail is a text that the
 * row's detail must hold, path the bytes of its path in hex; "*" is not claimed.
 * The lines stand between two calls of faccessat, "/hostile/begin" and "/hostile/end".
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lies.h"

/* ---- paths ---- */

static void paths(void)
{
	/* clang-format off */
	static const char *const names[] = {
		"new\nline", "\x1b]0;title\x07\x1b[2J", "\xff\xfe\x80 not UTF-8 \xc3",
		"tab\tquote\"back\\slash'", " ", "\x01\x02\x7f", "\xe2\x80\xaegpj.exe", "-rf",
		"%s%n%n", "\xed\xa0\x80", "name => other = -1",
	};
	/* clang-format on */
	char *p, *q;
	int fd;

	for (unsigned i = 0; i < sizeof(names) / sizeof(*names); i++) {
		fd = (int)CALL(openat, NULL, in_cwd(names[i]), AT_FDCWD, names[i], O_RDWR | O_CREAT,
			       0644);
		CALL(write, NULL, in_cwd(names[i]), fd, "x", 1);
		CALL(close, NULL, in_cwd(names[i]), fd);
		CALL(unlink, "was={file size=1", in_cwd(names[i]), names[i]);
	}
	/* 4,095 bytes are the longest, 4,096 one too many */
	p = filled(PATH_MAX - 1, '/');
	memcpy(p + PATH_MAX - 5, "null", 4);
	memcpy(p, "/dev", 4);
	fd = (int)CALL(openat, NULL, "/dev/null", AT_FDCWD, p, O_RDONLY);
	close(fd);
	say("close", 0, NULL, NULL);
	CALL(access, NULL, p, p, F_OK);
	p = filled(PATH_MAX, 'a');
	CALL(openat, "cut(path)", NULL, AT_FDCWD, p, O_RDONLY);
	CALL(unlink, "cut(path)", NULL, p);
	p = filled(1 << 20, 'b');
	CALL(openat, "cut(path)", NULL, AT_FDCWD, p, O_RDONLY);
	CALL(rename, "cut(old", NULL, p, p);
	CALL(execve, "cut(path)", NULL, p, NULL, NULL);
	p = filled(255, 'c');
	CALL(mkdir, NULL, in_cwd(p), p, 0755);
	CALL(rmdir, NULL, in_cwd(p), p);
	p = filled(256, 'c');
	CALL(mkdir, NULL, in_cwd(p), p, 0755); /* ENAMETOOLONG */
	/* nothing, nowhere, and not the program's */
	CALL(openat, NULL, NULL, AT_FDCWD, NULL, O_RDONLY);
	CALL(openat, "unreadable(path)", NULL, AT_FDCWD, NOWHERE, O_RDONLY);
	CALL(openat, "unreadable(path)", NULL, AT_FDCWD, KERNEL, O_RDONLY);
	CALL(openat, "unreadable(path)", NULL, AT_FDCWD, (void *)-1l, O_RDONLY);
	CALL(openat, NULL, NULL, AT_FDCWD, "", O_RDONLY);
	CALL(openat, NULL, NULL, -7, "x", O_RDONLY);
	/* up to the last mapped byte, and over it */
	p = at_the_edge(4);
	memcpy(p, "edg", 4);
	CALL(access, NULL, in_cwd("edg"), p, F_OK);
	memcpy(p, "edge", 4);
	CALL(access, "unreadable(path)", NULL, p, F_OK);
	p = at_the_edge(5000);
	memset(p, 'd', 5000);
	CALL(access, "cut(path)", NULL, p, F_OK);
	p = at_the_edge(4000);
	memset(p, 'e', 4000);
	CALL(access, "unreadable(path)", NULL, p, F_OK);
	/* memory that may not be read, though it is there */
	p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	strcpy(p, "hidden");
	mprotect(p, 4096, PROT_NONE);
	CALL(access, "unreadable(path)", NULL, p, F_OK);
	/* a folder deeper than a path can say */
	p = filled(200, 'f');
	for (unsigned i = 0; i < 25; i++)
		if (mkdir(p, 0755) != 0 || chdir(p) != 0)
			die("deep");
	for (unsigned i = 0; i < 50; i++)
		say(i & 1 ? "chdir" : "mkdir", 0, NULL, NULL);
	fd = (int)CALL(openat, NULL, NULL, AT_FDCWD, "deep", O_RDWR | O_CREAT, 0644);
	CALL(write, NULL, NULL, fd, "deep", 4);
	CALL(unlink, "was={file size=4", NULL, "deep");
	q = in_cwd("");
	CALL(chdir, NULL, q, q);
}

/* ---- arguments that are read from memory ---- */

static void pointers(void)
{
	struct iovec iov[4] = {
		{ (void *)"a", 1 }, { NOWHERE, 5 }, { NULL, 0 }, { (void *)"b", 1 }
	};
	int fd = (int)CALL(openat, NULL, in_cwd("file"), AT_FDCWD, "file", O_RDWR | O_CREAT, 0644);
	struct iovec *many = calloc(2000, sizeof(*many));
	char *edge = at_the_edge(16);
	int pair[2];
	uint64_t how[3] = { O_RDONLY, 0, 0 };

	CALL(write, NULL, in_cwd("file"), fd, NOWHERE, 5);
	CALL(write, NULL, in_cwd("file"), fd, NOWHERE, 1ul << 40);
	CALL(write, NULL, in_cwd("file"), fd, edge, 4096); /* 16, or EFAULT */
	CALL(read, NULL, in_cwd("file"), fd, NOWHERE, 5);
	CALL(pread64, NULL, in_cwd("file"), fd, edge, SIZE_MAX, 0l);
	CALL(writev, NULL, in_cwd("file"), fd, iov, 4);
	CALL(writev, NULL, in_cwd("file"), fd, NOWHERE, 4);
	CALL(writev, NULL, in_cwd("file"), fd, iov, -1);
	for (unsigned i = 0; i < 2000; i++)
		many[i] = (struct iovec){ (void *)"0123456789", 10 };
	CALL(writev, NULL, in_cwd("file"), fd, many, 1024);
	CALL(writev, NULL, in_cwd("file"), fd, many, 1025); /* EINVAL */
	CALL(pwritev2, NULL, in_cwd("file"), fd, many, 1024, 0l, 0l, 0);
	for (unsigned i = 0; i < 2000; i++)
		many[i].iov_len = SIZE_MAX;
	CALL(writev, NULL, in_cwd("file"), fd, many, 1024);
	CALL(vmsplice, NULL, in_cwd("file"), fd, many, 1ul << 62, 0);
	CALL(openat2, "unreadable(how)", NULL, AT_FDCWD, "file", NOWHERE, 24);
	CALL(openat2, NULL, NULL, AT_FDCWD, "file", how, 8); /* too small */
	CALL(openat2, NULL, NULL, AT_FDCWD, "file", how, 1 << 20);
	CALL(pipe2, NULL, NULL, NOWHERE, 0);
	CALL(pipe2, NULL, NULL, pair, 0x7fffffff);
	CALL(socketpair, NULL, NULL, AF_UNIX, SOCK_STREAM, 0, NOWHERE);
	CALL(clone3, "unreadable", NULL, NOWHERE, 88);
	CALL(clone3, NULL, NULL, how, 1ul << 40);
	CALL(epoll_ctl, NULL, NULL, -1, 1, -1, NOWHERE);
	CALL(setxattr, "unreadable(xattr)", in_cwd("file"), "file", NOWHERE, NOWHERE, 1ul << 40, 0);
	CALL(setxattr, "cut(xattr)", in_cwd("file"), "file", filled(70000, 'n'), "v", 1, 0);
	CALL(mount, "unreadable(", NULL, NOWHERE, NOWHERE, NOWHERE, 0, NOWHERE);
	CALL(prctl, NULL, NULL, 15 /* PR_SET_NAME */, "a\nb\x1b[31m\xff", 0, 0, 0);
	CALL(prctl, NULL, NULL, 15, NOWHERE, 0, 0, 0);
	CALL(fcntl, NULL, in_cwd("file"), fd, F_SETLK, NOWHERE);
	CALL(ioctl, NULL, in_cwd("file"), fd, 0xffffffff, -1l);
	CALL(ioctl, NULL, in_cwd("file"), fd, 0x40049409 /* FICLONE */, -1l);
	CALL(copy_file_range, "unreadable(off_in)", in_cwd("file"), fd, NOWHERE, fd, NOWHERE, -1l,
	     0);
	CALL(io_submit, NULL, NULL, 1, 1l << 40, NOWHERE);
	CALL(fanotify_mark, NULL, NULL, -1, 1, 1ull << 40, -1, NOWHERE);
	CALL(bpf, NULL, NULL, 5, NOWHERE, 1 << 30);
	CALL(close, NULL, in_cwd("file"), fd);
}

/* ---- sockets ---- */

static void addresses(void)
{
	union {
		struct sockaddr_un un;
		char bytes[512];
	} a = { .un = { AF_UNIX, "sock" } };
	char *edge = at_the_edge(10), small[32];
	socklen_t len;
	int s = socket(AF_UNIX, SOCK_STREAM, 0), in = socket(AF_INET, SOCK_DGRAM, 0), pair[2];

	say("socket", s, NULL, NULL);
	say("socket", in, NULL, NULL);
	memset(a.bytes + 2, 'l', sizeof(a.bytes) - 2);
	CALL(bind, NULL, NULL, s, &a, sizeof(a.un)); /* 108 bytes, no NUL */
	CALL(bind, "cut(addr of 500)", NULL, s, &a, 500);
	CALL(bind, NULL, NULL, s, &a, -1);
	CALL(bind, NULL, NULL, s, &a, 0);
	CALL(bind, NULL, NULL, s, &a, 1);
	CALL(connect, "unreadable(addr)", NULL, s, NOWHERE, 16);
	CALL(connect, "unreadable(addr)", NULL, s, edge, 110);
	CALL(connect, "cut(addr of 2147483647)", NULL, s, &a, INT_MAX);
	CALL(connect, NULL, NULL, in, &a, 16);
	CALL(sendto, "unreadable(addr)", NULL, in, "x", 1, 0, NOWHERE, 16);
	/* room for 4 bytes of an address that is longer: no more than those came */
	memset(small, 'Z', sizeof(small));
	len = 4;
	CALL(getsockname, NULL, NULL, s, small, &len);
	len = (socklen_t)-1;
	CALL(getsockname, NULL, NULL, s, small, &len);
	CALL(getsockname, NULL, NULL, s, small, NOWHERE);
	CALL(getsockname, NULL, NULL, s, NOWHERE, &len);
	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) != 0)
		die("socketpair");
	say("socketpair", 0, NULL, NULL);
	CALL(write, NULL, NULL, pair[0], "datagram", 8);
	len = sizeof(small);
	CALL(recvfrom, NULL, NULL, pair[1], small, sizeof(small), 0, NOWHERE, &len);
	CALL(setsockopt, NULL, NULL, in, SOL_SOCKET, SO_RCVBUF, NOWHERE, -1);
}

struct fds_message {
	char data[4];
	struct iovec iov;
	struct msghdr m;
	char control[8192];
};

static struct msghdr *message(struct fds_message *x, size_t control)
{
	*x = (struct fds_message){ .iov = { x->data, 1 } };
	x->m = (struct msghdr){ .msg_iov = &x->iov,
				.msg_iovlen = 1,
				.msg_control = x->control,
				.msg_controllen = control };
	return &x->m;
}

static void put_cmsg(char *at, size_t len, int level, int type, const int *fds, unsigned n)
{
	struct cmsghdr c = { .cmsg_len = len, .cmsg_level = level, .cmsg_type = type };

	memcpy(at, &c, sizeof(c));
	if (n)
		memcpy(at + sizeof(c), fds, n * sizeof(int));
}

static void control(void)
{
	static struct fds_message x;
	static struct mmsghdr mm[2000];
	static char data[1];
	static struct iovec iov = { data, 1 };
	int p[2], one, many[300];
	char *edge = at_the_edge(40), *huge = filled(1 << 20, 0);

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, p) != 0)
		die("socketpair");
	say("socketpair", 0, NULL, NULL);
	one = p[0];
	CALL(sendmsg, "unreadable(msg)", NULL, p[0], NOWHERE, 0);
	/* a chain that does not get on, one that leads out, one that is cut short */
	message(&x, 64);
	put_cmsg(x.control, 0, SOL_SOCKET, SCM_RIGHTS, &one, 1);
	CALL(sendmsg, "cut(msg", NULL, p[0], &x.m, 0);
	message(&x, 64);
	put_cmsg(x.control, SIZE_MAX, SOL_SOCKET, SCM_RIGHTS, &one, 1);
	CALL(sendmsg, "cut(msg", NULL, p[0], &x.m, 0);
	message(&x, 48);
	put_cmsg(x.control, CMSG_LEN(4), SOL_SOCKET, SCM_RIGHTS, &one, 1);
	put_cmsg(x.control + 24, 100, SOL_SOCKET, SCM_RIGHTS, &one, 1);
	CALL(sendmsg, "cut(msg", NULL, p[0], &x.m, 0);
	message(&x, 15);
	CALL(sendmsg, NULL, NULL, p[0], &x.m, 0);
	message(&x, 24);
	put_cmsg(x.control, 19, SOL_SOCKET, SCM_RIGHTS, &one, 1);
	CALL(sendmsg, NULL, NULL, p[0], &x.m, 0);
	/* fds that are none */
	message(&x, 32);
	put_cmsg(x.control, CMSG_LEN(12), SOL_SOCKET, SCM_RIGHTS, (int[]){ -1, INT_MAX, 77777 }, 3);
	CALL(sendmsg, NULL, NULL, p[0], &x.m, 0);
	/* control data that is not there, or more than anybody sends */
	message(&x, 100);
	x.m.msg_control = NOWHERE;
	CALL(sendmsg, "unreadable(msg)", NULL, p[0], &x.m, 0);
	x.m.msg_control = edge;
	CALL(sendmsg, "unreadable(msg)", NULL, p[0], &x.m, 0);
	message(&x, 1 << 20);
	x.m.msg_control = huge;
	CALL(sendmsg, "cut(msg of 1048576)", NULL, p[0], &x.m, 0);
	x.m.msg_controllen = SIZE_MAX;
	CALL(sendmsg, "cut(msg of 18446744073709551615)", NULL, p[0], &x.m, 0);
	message(&x, 0);
	x.m.msg_iovlen = SIZE_MAX;
	CALL(sendmsg, NULL, NULL, p[0], &x.m, 0);
	x.m.msg_iovlen = 1;
	x.m.msg_name = NOWHERE;
	x.m.msg_namelen = 0x80000000u;
	CALL(sendmsg, NULL, NULL, p[0], &x.m, 0);
	/* 253 fds are the most; 254 too many */
	for (unsigned i = 0; i < 300; i++)
		many[i] = one;
	message(&x, CMSG_SPACE(253 * 4));
	put_cmsg(x.control, CMSG_LEN(253 * 4), SOL_SOCKET, SCM_RIGHTS, many, 253);
	CALL(sendmsg, NULL, NULL, p[0], &x.m, 0);
	message(&x, CMSG_SPACE(254 * 4));
	put_cmsg(x.control, CMSG_LEN(254 * 4), SOL_SOCKET, SCM_RIGHTS, many, 254);
	CALL(sendmsg, NULL, NULL, p[0], &x.m, 0);
	/* received with room for 3: the kernel says that it cut */
	message(&x, CMSG_SPACE(3 * 4));
	CALL(recvmsg, NULL, NULL, p[1], &x.m, 0);
	/* many messages, and more than the kernel takes */
	for (unsigned i = 0; i < 2000; i++)
		mm[i].msg_hdr = (struct msghdr){ .msg_iov = &iov, .msg_iovlen = 1 };
	CALL(sendmmsg, NULL, NULL, p[0], mm, 0, 0);
	CALL(sendmmsg, NULL, NULL, p[0], NOWHERE, 100, 0);
	one = 1 << 20;
	if (CALL(setsockopt, NULL, NULL, p[0], SOL_SOCKET, SO_SNDBUFFORCE, &one, sizeof(one)))
		CALL(setsockopt, NULL, NULL, p[0], SOL_SOCKET, SO_SNDBUF, &one, sizeof(one));
	CALL(sendmmsg, NULL, NULL, p[0], mm, 2000, MSG_DONTWAIT);
	CALL(recvmmsg, NULL, NULL, p[1], mm, UINT_MAX, MSG_DONTWAIT, NULL);
	CALL(close, NULL, NULL, p[0]);
	CALL(close, NULL, NULL, p[1]);
}

/* 253 fds whose paths are as long as paths can be, sent and received. */
static void long_fds(void)
{
	static struct fds_message x;
	char *dir = filled(200, 'g');
	int p[2], fds[253];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, p) != 0)
		die("socketpair");
	say("socketpair", 0, NULL, NULL);
	for (unsigned i = 0; i < 18; i++) {
		if (mkdir(dir, 0755) != 0 || chdir(dir) != 0)
			die("deep");
		say("mkdir", 0, NULL, NULL);
		say("chdir", 0, NULL, NULL);
	}
	for (unsigned i = 0; i < 253; i++) {
		char name[128];

		snprintf(name, sizeof(name), "%0100u", i);
		fds[i] = (int)CALL(openat, NULL, NULL, AT_FDCWD, name, O_RDWR | O_CREAT, 0644);
	}
	message(&x, CMSG_SPACE(253 * 4));
	put_cmsg(x.control, CMSG_LEN(253 * 4), SOL_SOCKET, SCM_RIGHTS, fds, 253);
	CALL(sendmsg, NULL, NULL, p[0], &x.m, 0);
	message(&x, CMSG_SPACE(253 * 4));
	CALL(recvmsg, NULL, NULL, p[1], &x.m, 0);
	memcpy(fds, x.control + sizeof(struct cmsghdr), sizeof(fds));
	for (unsigned i = 0; i < 253; i++)
		CALL(write, NULL, NULL, fds[i], "y", 1);
	CALL(close_range, NULL, NULL, 3, ~0u, 0);
}

/* Thousands of fds at once, and signals from processes that there are not. */
static void flood(void)
{
	enum { MESSAGES = 12, EACH = 253 };
	static struct fds_message x[MESSAGES];
	static struct mmsghdr mm[MESSAGES];
	struct rlimit lim;
	int p[2], fds[EACH], size = 1 << 20;
	siginfo_t si = { .si_signo = SIGWINCH, .si_code = SI_QUEUE };

	getrlimit(RLIMIT_NOFILE, &lim);
	lim.rlim_cur = lim.rlim_max;
	setrlimit(RLIMIT_NOFILE, &lim);
	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, p) != 0)
		die("socketpair");
	setsockopt(p[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	for (unsigned i = 0; i < EACH; i++)
		fds[i] = p[i % 2];
	for (unsigned i = 0; i < MESSAGES; i++) {
		mm[i].msg_hdr = *message(&x[i], CMSG_SPACE(sizeof(fds)));
		put_cmsg(x[i].control, CMSG_LEN(sizeof(fds)), SOL_SOCKET, SCM_RIGHTS, fds, EACH);
	}
	CALL(sendmmsg, "cut(msgs", NULL, p[0], mm, MESSAGES, MSG_DONTWAIT);
	CALL(recvmmsg, "cut(msgs", NULL, p[1], mm, MESSAGES, MSG_DONTWAIT, NULL);
	CALL(write, NULL, NULL, 2000, "past what was kept", 18);
	CALL(close_range, NULL, NULL, 3, ~0u, 0);
	for (int pid = -3; pid < 3; pid++) {
		si.si_pid = pid == 2 ? INT_MIN : pid;
		si.si_uid = (uid_t)-1;
		CALL(rt_sigqueueinfo, NULL, NULL, getpid(), SIGWINCH, &si);
	}
}

/* ---- programs ---- */

static void arguments(void)
{
	size_t n = 10000;
	char **argv = calloc(n + 1, sizeof(*argv)), *big = filled(100000, 'A');
	char *bad[] = { (char *)"true", NOWHERE, NULL };
	pid_t pid;
	int status;

	for (size_t i = 0; i < n; i++)
		argv[i] = (char *)"argument";
	argv[0] = (char *)"true";
	CALL(execve, "unreadable(argv)", NULL, "/bin/true", NOWHERE, NULL);
	CALL(execve, "unreadable(argv)", NULL, "/bin/true", bad, NULL);
	for (unsigned i = 0; i < 2; i++) {
		fflush(out);
		pid = fork();
		if (pid == 0) {
			if (i == 1)
				for (size_t k = 1; k < 11; k++)
					argv[k] = big;
			execve("/bin/true", argv, NULL);
			_exit(98);
		}
		if (waitpid(pid, &status, 0) != pid || status != 0) {
			fprintf(stderr, "hostile: true ended with %#x\n", status);
			_exit(97);
		}
		say("clone", pid, NULL, NULL);
		say("wait4", pid, NULL, NULL);
	}
}

/* ---- calls that are none ---- */

static long int80(long nr, long a, long b, long c, long d, long e)
{
#if defined(__x86_64__)
	long r;

	__asm__ volatile("int $0x80"
			 : "=a"(r)
			 : "0"(nr), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e)
			 : "memory", "r8", "r9", "r10", "r11");
	return r;
#else
	(void)nr, (void)a, (void)b, (void)c, (void)d, (void)e;
	return -ENOSYS;
#endif
}

static void numbers(void)
{
	for (unsigned i = 0; i < 3; i++)
		syscall((long[]){ 999, 0x7fffffff, -1 }[i], -1l, -1l, -1l, -1l, -1l, -1l);
	syscall(0x40000000l | 521, -1l, NOWHERE, -1l); /* x32, which may not be there */
#if defined(__x86_64__)
	/* i386 calls with pointers that 32 bits cannot hold, and with ones that they can */
	int80(5, (long)NOWHERE, O_RDONLY, 0, 0, 0); /* open */
	int80(102, 3, (long)NOWHERE, 0, 0, 0);	    /* socketcall: connect */
	int80(102, 99, 0, 0, 0, 0);
	int80(90, (long)NOWHERE, 0, 0, 0, 0);		  /* mmap */
	int80(11, (long)NOWHERE, (long)NOWHERE, 0, 0, 0); /* execve */
	int80(9999, -1, -1, -1, -1, -1);
#endif
}

/* ---- memory that changes while it is read ---- */

static volatile bool stop;
static char *volatile shared_path;
static struct msghdr *volatile shared_msg;

static void *change(void *arg)
{
	(void)arg;
	while (!stop) {
		memcpy(shared_path, "one\0xxxxxxxx", 12);
		shared_msg->msg_controllen = 24;
		shared_msg->msg_namelen = 5;
		memset(shared_path, 'z', 4000);
		shared_msg->msg_controllen = SIZE_MAX;
		shared_msg->msg_namelen = 0x7fffffff;
		memcpy(shared_path, "two", 4);
		shared_msg->msg_iovlen = SIZE_MAX;
		mprotect(shared_path, 4096, PROT_NONE);
		mprotect(shared_path, 4096, PROT_READ | PROT_WRITE);
		shared_msg->msg_iovlen = 1;
	}
	return NULL;
}

/* Which call gets what is not known: what is asked is that all are rows and the case is whole. */
static void racing(void)
{
	static struct fds_message x;
	pthread_t t;
	int p[2];

	shared_path = at_the_edge(4096);
	message(&x, 24);
	put_cmsg(x.control, CMSG_LEN(4), SOL_SOCKET, SCM_RIGHTS, (int[]){ 1 }, 1);
	shared_msg = &x.m;
	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, p) != 0 ||
	    pthread_create(&t, NULL, change, NULL) != 0)
		die("racing");
	for (unsigned i = 0; i < 400; i++) {
		int fd = (int)syscall(SYS_openat, AT_FDCWD, shared_path, O_RDWR | O_CREAT | O_TRUNC,
				      0644);

		if (fd >= 0)
			syscall(SYS_close, fd);
		syscall(SYS_rename, shared_path, "three");
		syscall(SYS_unlink, shared_path);
		syscall(SYS_sendmsg, p[0], &x.m, MSG_DONTWAIT);
		syscall(SYS_recvmsg, p[1], &x.m, MSG_DONTWAIT);
		syscall(SYS_execve, shared_path, (char *[]){ shared_path, shared_path, NULL },
			NULL);
	}
	stop = true;
	pthread_join(t, NULL);
}

/* ---- rings ---- */

static uint32_t *volatile shared_params;

static void *change_params(void *arg)
{
	(void)arg;
	for (unsigned i = 0; !stop; i++)
		for (unsigned k = 0; k < 30; k++)
			if (k != 2) /* flags */
				shared_params[k] = (uint32_t)(i * 0x9e3779b9u);
	return NULL;
}

/* Submissions that point nowhere, counts that are not true, a completion queue that the target
 * wrote itself, parameters that change while they are read. */
static void rings(void)
{
	static uint32_t p[30], q[30];
	pthread_t t;
	int fd = (int)syscall(SYS_io_uring_setup, 8, p);
	uint8_t *sq, *sqe;

	if (fd < 0)
		_exit(77);
	sq = mmap(NULL, 1 << 16, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	sqe = mmap(NULL, 1 << 12, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0x10000000);
	if (sq == MAP_FAILED || sqe == MAP_FAILED)
		die("ring");
	for (unsigned round = 0; round < 20; round++) {
		uint32_t *tail = (uint32_t *)(sq + p[11]), *array = (uint32_t *)(sq + p[16]);
		static const uint8_t ops[8] = { 18, 28, 35, 36, 255, 9, 21, 16 };

		for (unsigned i = 0; i < 8; i++) {
			uint8_t *e = sqe + i * 64;
			uint64_t text = (uint64_t)(uintptr_t)filled(100000, 'u');
			uint64_t where = (uint64_t[]){ 0x10, UINT64_MAX, text, 0 }[round % 4];

			memset(e, 0xff, 64);
			e[0] = ops[i];
			e[1] = round & 1 ? 0xff : 0;
			memcpy(e + 4, &(int){ (int)round - 10 }, 4);
			memcpy(e + 8, &where, 8);
			memcpy(e + 16, &where, 8);
			array[i] = round % 5 == 4 ? 9999 + i : i;
		}
		__atomic_store_n(tail, *tail + (round % 3 ? 8 : 100000), __ATOMIC_RELEASE);
		syscall(SYS_io_uring_enter, fd, round % 2 ? 8 : UINT_MAX, 0, 0, NULL, 0);
		*(uint32_t *)(sq + p[21]) += round * 1000; /* completions that never were */
		syscall(SYS_io_uring_enter, fd, 0, 0, 1, NULL, 0);
		syscall(SYS_io_uring_enter, (int)round, 8, 0, 1u << 4, NULL, 0);
		syscall(SYS_io_uring_register, fd, round * 3, round & 1 ? NOWHERE : sqe, UINT_MAX);
	}
	syscall(SYS_io_uring_setup, UINT_MAX, NOWHERE);
	shared_params = q;
	if (pthread_create(&t, NULL, change_params, NULL) != 0)
		die("rings");
	for (unsigned i = 0; i < 200; i++) {
		int r = (int)syscall(SYS_io_uring_setup, 4, q);

		if (r < 0)
			continue;
		sq = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, r, 0);
		syscall(SYS_io_uring_enter, r, 4, 0, 1, NULL, 0);
		if (sq != MAP_FAILED)
			munmap(sq, 4096);
		close(r);
	}
	stop = true;
	pthread_join(t, NULL);
}

/* ---- a process that flees from one pid to the next ---- */

static void chain(void)
{
	for (unsigned i = 0; i < 3000; i++) {
		pid_t pid = fork();

		if (pid < 0)
			die("fork");
		if (pid)
			_exit(0);
		if (i % 100 == 0)
			write(2, "", 0); /* inherited, and now known */
	}
}

/* ---- very many fds ---- */

static void many_fds(const char *number)
{
	rlim_t n = strtoul(number, NULL, 10);
	struct rlimit lim = { n + 100, n + 100 };
	char c;
	int fd = open("many", O_RDWR | O_CREAT, 0644);

	if (fd < 0 || setrlimit(RLIMIT_NOFILE, &lim) != 0)
		die("many fds");
	for (rlim_t i = 4; i < n; i++)
		if (dup2(fd, (int)i) < 0)
			die("dup2");
	fputs("begin\n", out);
	fflush(out);
	if (read(0, &c, 1) < 0) /* so that a tracer can attach */
		die("read");
	syscall(SYS_faccessat, AT_FDCWD, "/hostile/begin", F_OK);
	for (rlim_t i = 4; i < n; i += 100)
		CALL(write, NULL, in_cwd("many"), (int)i, "z", 1);
	for (rlim_t i = 4; i < n; i++)
		if (write((int)i, "z", 1) != 1)
			die("write");
	CALL(close_range, NULL, NULL, 4, ~0u, 0);
}

/* Ends the account, and waits until frec's own memory has been looked at. */
static void finish(void)
{
	char c;

	syscall(SYS_faccessat, AT_FDCWD, "/hostile/end", F_OK);
	fputs("end\n", out);
	fflush(out);
	_exit(read(0, &c, 1) < 0);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*fn)(void);
	} all[] = {
		{ "paths", paths },	{ "pointers", pointers }, { "addresses", addresses },
		{ "control", control }, { "long-fds", long_fds }, { "arguments", arguments },
		{ "flood", flood },	{ "numbers", numbers },	  { "racing", racing },
		{ "rings", rings },	{ "chain", chain },
	};

	if (argc < 3 || chdir(argv[2]) != 0 || !getcwd(cwd, sizeof(cwd)))
		die("usage: hostile SCENARIO FOLDER");
	out = stdout;
	setvbuf(stdout, malloc(4 << 20), _IOFBF, 4 << 20);
	for (unsigned i = 0; i < sizeof(all) / sizeof(*all); i++)
		if (!strcmp(argv[1], all[i].name)) {
			syscall(SYS_faccessat, AT_FDCWD, "/hostile/begin", F_OK);
			all[i].fn();
			finish();
		}
	if (!strcmp(argv[1], "many-fds") && argc > 3) {
		many_fds(argv[3]);
		finish();
	}
	die("no such scenario");
}
