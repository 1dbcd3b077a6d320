/*
 * uring.c - file work done through io_uring alone, with its own account on standard output:
 * one line an operation, `name fd path result` (tab between, "-" none). No liburing: the rings
 * are driven by hand. Usage: uring FOLDER [wait|sqpoll|before|files]; sqpoll: a kernel thread takes
 * what is submitted, as soon as it is there; before: the same, with a tracer that comes when it
 * runs; files: registered files and rings, fds that are none, addresses, with one more member a
 * line: what the detail must have in it
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* newer than some headers */
#define ENTER_REGISTERED_RING 16
#define REGISTER_FILES2	      13
#define REGISTER_RING_FDS     20
#define OP_FTRUNCATE	      55

#define DIE(what)                                                                                  \
	do {                                                                                       \
		perror(what);                                                                      \
		exit(1);                                                                           \
	} while (0)

static __thread int ring;
static __thread uint8_t *sq, *cq;
static __thread struct io_uring_params params;
static __thread struct io_uring_sqe *sqes;
static __thread uint64_t next_data = 100;
static __thread int entered = -1; /* the ring's number when it is registered */
static char folder[3000];

static void setup(void)
{
	size_t sq_len, cq_len;

	ring = (int)syscall(SYS_io_uring_setup, 8, &params);
	if (ring < 0) {
		if (errno == ENOSYS || errno == EPERM)
			exit(77);
		DIE("io_uring_setup");
	}
	sq_len = params.sq_off.array + params.sq_entries * 4;
	cq_len = params.cq_off.cqes + params.cq_entries * sizeof(struct io_uring_cqe);
	if (params.features & IORING_FEAT_SINGLE_MMAP && cq_len > sq_len)
		sq_len = cq_len;
	sq = mmap(NULL, sq_len, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQ_RING);
	cq = sq;
	if (!(params.features & IORING_FEAT_SINGLE_MMAP))
		cq = mmap(NULL, cq_len, PROT_READ | PROT_WRITE, MAP_SHARED, ring,
			  IORING_OFF_CQ_RING);
	sqes = mmap(NULL, params.sq_entries * sizeof(*sqes), PROT_READ | PROT_WRITE, MAP_SHARED,
		    ring, IORING_OFF_SQES);
	if (sq == MAP_FAILED || cq == MAP_FAILED || sqes == MAP_FAILED)
		DIE("mmap");
}

static uint32_t *at(uint8_t *base, uint32_t off) { return (uint32_t *)(void *)(base + off); }

static uint32_t acquire(uint8_t *base, uint32_t off)
{
	return __atomic_load_n(at(base, off), __ATOMIC_ACQUIRE);
}

static struct io_uring_sqe *sqe(int opcode, int fd, const void *addr, uint32_t len, uint64_t off)
{
	uint32_t tail = *at(sq, params.sq_off.tail), slot = tail & *at(sq, params.sq_off.ring_mask);
	struct io_uring_sqe *e = &sqes[slot];

	memset(e, 0, sizeof(*e));
	e->opcode = (uint8_t)opcode;
	e->fd = fd;
	e->addr = (uint64_t)(uintptr_t)addr;
	e->len = len;
	e->off = off;
	e->user_data = next_data++;
	at(sq, params.sq_off.array)[slot] = slot;
	__atomic_store_n(at(sq, params.sq_off.tail), tail + 1, __ATOMIC_RELEASE);
	return e;
}

static struct io_uring_sqe *renameat_sqe(const char *from, const char *to)
{
	return sqe(IORING_OP_RENAMEAT, AT_FDCWD, from, (uint32_t)AT_FDCWD, (uint64_t)(uintptr_t)to);
}

/* Submits n and waits for as many. */
static long enter(int fd, unsigned n, unsigned flags)
{
	return syscall(SYS_io_uring_enter, fd, n, n, flags, NULL, 0);
}

/* Submits what is queued and waits for n completions; results by order of submission. */
static void submit(unsigned n, int *results)
{
	uint64_t first = next_data - n;
	unsigned flags = IORING_ENTER_GETEVENTS | (entered < 0 ? 0 : ENTER_REGISTERED_RING);
	int to = entered < 0 ? ring : entered;

	if (params.flags & IORING_SETUP_SQPOLL) {
		while (acquire(cq, params.cq_off.tail) - *at(cq, params.cq_off.head) < n)
			if (acquire(sq, params.sq_off.flags) & IORING_SQ_NEED_WAKEUP &&
			    enter(ring, 0, IORING_ENTER_SQ_WAKEUP) < 0)
				DIE("io_uring_enter");
	} else if (enter(to, n, flags) != (long)n) {
		DIE("io_uring_enter");
	}
	for (unsigned i = 0; i < n; i++) {
		uint32_t head = *at(cq, params.cq_off.head);
		struct io_uring_cqe *e = (struct io_uring_cqe *)(void *)(cq + params.cq_off.cqes) +
					 (head & *at(cq, params.cq_off.ring_mask));

		results[e->user_data - first] = e->res;
		__atomic_store_n(at(cq, params.cq_off.head), head + 1, __ATOMIC_RELEASE);
	}
}

static int one(void)
{
	int r;

	submit(1, &r);
	return r;
}

static void say(const char *name, int fd, const char *path, int res)
{
	char number[16] = "-";

	if (fd >= 0)
		snprintf(number, sizeof(number), "%d", fd);
	printf("io_uring.%s\t%s\t%s%s%s\t%d\n", name, number, path ? folder : "-", path ? "/" : "",
	       path ? path : "", res);
}

/* One more member behind the last line. */
static void detail(const char *name, int fd, const char *path, int res, const char *has)
{
	char number[16] = "-";

	if (fd >= 0)
		snprintf(number, sizeof(number), "%d", fd);
	printf("io_uring.%s\t%s\t%s%s%s\t%d\t%s\n", name, number, path ? folder : "-",
	       path ? "/" : "", path ? path : "", res, has);
}

static void enter_by_number(void)
{
	struct {
		uint32_t offset, resv;
		uint64_t data;
	} up = { UINT32_MAX, 0, (uint64_t)ring };

	if (syscall(SYS_io_uring_register, ring, REGISTER_RING_FDS, &up, 1) != 1)
		DIE("IORING_REGISTER_RING_FDS");
	entered = (int)up.offset;
}

/* Another thread's ring has the same number. */
static void *other_thread(void *fd)
{
	static char data[300];

	setup();
	enter_by_number();
	sqe(IORING_OP_READ, *(int *)fd, data, sizeof(data), 0);
	detail("read", *(int *)fd, "b", one(), "-");
	return NULL;
}

static int file(const char *name, unsigned size)
{
	char data[300];
	int fd = open(name, O_RDWR | O_CREAT, 0644);

	memset(data, name[0], sizeof(data));
	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		DIE(name);
	return fd;
}

static void files(void)
{
	struct {
		uint32_t offset, resv;
		uint64_t data;
	} update = { 0 };
	struct {
		uint32_t nr, flags;
		uint64_t resv, data, tags;
	} sparse = { .nr = 4, .flags = 1 };
	struct sockaddr_in nobody = { .sin_family = AF_INET,
				      .sin_port = htons(9),
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	static char data[300];
	int a = file("a", 100), b = file("b", 200), s, both[2];
	struct iovec iov = { data, 1 };
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(a))] = { 0 };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control,
			      .msg_controllen = sizeof(control) };
	pthread_t thread;

	close(file("c", 50));
	setup();
	enter_by_number();
	if (pthread_create(&thread, NULL, other_thread, &b) || pthread_join(thread, NULL))
		DIE("pthread_create");
	sqe(IORING_OP_READ, a, data, sizeof(data), 0);
	detail("read", a, "a", one(), "-");

	if (syscall(SYS_io_uring_register, ring, IORING_REGISTER_FILES, &a, 1) < 0)
		DIE("IORING_REGISTER_FILES");
	sqe(IORING_OP_READ, 0, data, sizeof(data), 0)->flags = IOSQE_FIXED_FILE;
	detail("read", a, "a", one(), "registered file 0");
	update.data = (uint64_t)(uintptr_t)&b;
	if (syscall(SYS_io_uring_register, ring, IORING_REGISTER_FILES_UPDATE, &update, 1) != 1)
		DIE("IORING_REGISTER_FILES_UPDATE");
	sqe(IORING_OP_READ, 0, data, sizeof(data), 0)->flags = IOSQE_FIXED_FILE;
	detail("read", b, "b", one(), "registered file 0");

	if (syscall(SYS_io_uring_register, ring, IORING_UNREGISTER_FILES, NULL, 0) < 0 ||
	    syscall(SYS_io_uring_register, ring, REGISTER_FILES2, &sparse, sizeof(sparse)) < 0)
		DIE("IORING_REGISTER_FILES2");
	sqe(IORING_OP_OPENAT, AT_FDCWD, "a", 0, 0)->file_index = 2;
	detail("openat", -1, "a", one(), "into registered file 1");
	sqe(IORING_OP_READ, 1, data, sizeof(data), 0)->flags = IOSQE_FIXED_FILE;
	detail("read", -1, NULL, one(), "registered file 1, which is not known");
	sqe(IORING_OP_CLOSE, 0, NULL, 0, 0)->file_index = 2;
	detail("close", -1, NULL, one(), "registered file 1");

	/* whose result is whose only the program knows */
	sqe(IORING_OP_WRITE, a, data, 10, 0)->user_data = next_data - 1;
	sqe(IORING_OP_WRITE, a, data, 10, 50)->user_data = next_data - 2;
	submit(2, both);
	detail("write", a, "a", 10, "same user_data");
	detail("write", a, "a", 10, "same user_data");

	sqe(IORING_OP_PROVIDE_BUFFERS, 1, data, 16, 0);
	detail("provide_buffers", -1, NULL, one(), "-");
	s = socket(AF_INET, SOCK_STREAM, 0);
	sqe(IORING_OP_CONNECT, s, &nobody, 0, sizeof(nobody));
	detail("connect", s, "*", one(), "127.0.0.1:9");
	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, both))
		DIE("socketpair");
	*CMSG_FIRSTHDR(&msg) = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(a)),
						 .cmsg_level = SOL_SOCKET,
						 .cmsg_type = SCM_RIGHTS };
	memcpy(CMSG_DATA(CMSG_FIRSTHDR(&msg)), &a, sizeof(a));
	sqe(IORING_OP_SENDMSG, both[0], &msg, 1, 0);
	detail("sendmsg", both[0], "*", one(), "control data is not decoded");
	sqe(IORING_OP_UNLINKAT, AT_FDCWD, "c", 0, 0);
	detail("unlinkat", -1, "c", one(), "was={file size=50 ");
	sqe(OP_FTRUNCATE, b, NULL, 0, 5);
	detail("ftruncate", b, "b", one(), "was={file size=200 ");
	renameat_sqe("a", "b")->rename_flags = 2;
	detail("renameat", -1, "a", one(), "RENAME_EXCHANGE");
	if (read(0, data, 1) < 0)
		DIE("read");
}

int main(int argc, char **argv)
{
	static char data[5000];
	int fd, r, both[3], fixed[1];

	if (argc < 2 || chdir(argv[1]) || !getcwd(folder, sizeof(folder)))
		DIE("chdir");
	if (argc > 2 && (!strcmp(argv[2], "sqpoll") || !strcmp(argv[2], "before"))) {
		params.flags = IORING_SETUP_SQPOLL;
		params.sq_thread_idle = 20000;
	} else if (argc > 2 && !strcmp(argv[2], "files")) {
		files();
		fflush(stdout);
		return 0;
	} else if (argc > 2 && read(0, data, 1) != 1) {
		DIE("read");
	}
	setup();
	if (argc > 2 && !strcmp(argv[2], "before") &&
	    (write(1, "ready\n", 6) != 6 || read(0, data, 1) != 1))
		DIE("read");

	sqe(IORING_OP_OPENAT, AT_FDCWD, "one", 0644, 0)->open_flags = O_RDWR | O_CREAT | O_TRUNC;
	fd = one();
	say("openat", fd, "one", fd);
	sqe(IORING_OP_WRITE, fd, data, 5000, 0);
	sqe(IORING_OP_FSYNC, fd, NULL, 0, 0);
	submit(2, both);
	say("write", fd, "one", both[0]);
	say("fsync", fd, "one", both[1]);
	sqe(IORING_OP_READ, fd, data, 1000, 4500);
	r = one();
	say("read", fd, "one", r);
	sqe(IORING_OP_OPENAT, AT_FDCWD, "missing", 0, 0);
	say("openat", -1, "missing", one());

	fixed[0] = fd;
	if (syscall(SYS_io_uring_register, ring, IORING_REGISTER_FILES, fixed, 1) < 0)
		DIE("io_uring_register");
	sqe(IORING_OP_READ, 0, data, 10, 0)->flags = IOSQE_FIXED_FILE;
	say("read", fd, "one", one());

	renameat_sqe("one", "two");
	say("renameat", -1, "one", one());
	sqe(IORING_OP_MKDIRAT, AT_FDCWD, "dir", 0755, 0);
	say("mkdirat", -1, "dir", one());
	sqe(IORING_OP_UNLINKAT, AT_FDCWD, "two", 0, 0);
	say("unlinkat", -1, "two", one());
	sqe(IORING_OP_CLOSE, fd, NULL, 0, 0);
	say("close", fd, "one", one());
	fflush(stdout);
	return 0;
}
