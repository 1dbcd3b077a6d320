/*
 * flags.c - tests of flags to text: fields, several bits under one name, leftovers, and the
 * values of the table against this machine's headers.
 */
#include "flags.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/uio.h>

#include "sysent.h"
#include "tap.h"

static void is_text(int set, uint64_t value, const char *want)
{
	char out[256];

	frz_flags_text(set, value, out, sizeof(out));
	is_str(out, want, want);
}

static void text(void)
{
	char small[8];
	uint64_t v;

	is_text(FRZ_SET_OPEN, 0, "O_RDONLY");
	is_text(FRZ_SET_OPEN, 01101, "O_WRONLY|O_CREAT|O_TRUNC");
	is_text(FRZ_SET_OPEN, 2, "O_RDWR");
	is_text(FRZ_SET_OPEN, 3, "0x3");
	is_text(FRZ_SET_OPEN, 04010002, "O_RDWR|O_SYNC");
	is_text(FRZ_SET_OPEN, 010000, "O_RDONLY|O_DSYNC");
	is_text(FRZ_SET_OPEN, 020200002, "O_RDWR|O_TMPFILE");
	is_text(FRZ_SET_OPEN, 0200000, "O_RDONLY|O_DIRECTORY");
	is_text(FRZ_SET_OPEN, 0x80000000, "O_RDONLY|0x80000000");
	is_text(FRZ_SET_OPEN_ARM, 0x4000, "O_RDONLY|O_DIRECTORY");
	is_text(FRZ_SET_AT, 0, "0");
	is_text(FRZ_SET_AT, 0x1100, "AT_SYMLINK_NOFOLLOW|AT_EMPTY_PATH");
	is_text(FRZ_SET_MAP, 0x22, "MAP_PRIVATE|MAP_ANONYMOUS");
	is_text(FRZ_SET_MAP, 0x80000000000001, "MAP_SHARED|0x80000000000000");
	is_text(FRZ_SET_PROT, 0, "PROT_NONE");
	is_text(FRZ_SET_PROT, 7, "PROT_READ|PROT_WRITE|PROT_EXEC");
	is_text(FRZ_SET_ACCESS, 0, "F_OK");
	is_text(FRZ_SET_ACCESS, 6, "R_OK|W_OK");
	is_text(FRZ_SET_CLONE, 0x11, "SIGCHLD");
	is_text(FRZ_SET_CLONE, 0x4111, "SIGCHLD|CLONE_VM|CLONE_VFORK");
	is_text(FRZ_SET_CLONE, 0x7f, "0x7f");
	is_text(FRZ_SET_CLONE3, 0x80, "CLONE_NEWTIME");
	is_text(FRZ_SET_SOCKTYPE, 02004001, "SOCK_STREAM|SOCK_NONBLOCK|SOCK_CLOEXEC");
	is_text(FRZ_SET_QUOTACTL, 0x80000701, "Q_GETQUOTA|GRPQUOTA");
	is_text(FRZ_SET_SEEK, 2, "SEEK_END");
	is_text(FRZ_SET_SEEK, 77, "77");
	is_text(FRZ_SET_IOCTL, 0x40049409, "FICLONE");
	is_text(FRZ_SET_IOCTL, 0xdeadbeef, "0xdeadbeef");
	is_text(-1, 16, "0x10");
	is_text(30000, 0, "0x0");
	is_text(FRZ_SET_FAN_MASK, UINT64_MAX << 32, "0xffffffff00000000");

	is_int(frz_flags_text(FRZ_SET_OPEN, 1, small, sizeof(small)), 8,
	       "the length of what does not fit");
	is_str(small, "O_WRONL", "cut and terminated");
	is_int(frz_flags_text(FRZ_SET_OPEN, 1, NULL, 0), 8, "the same without room at all");

	is_str(frz_flag_name(FRZ_SET_SIGNAL, 9), "SIGKILL", "a name");
	ok(!frz_flag_name(FRZ_SET_SIGNAL, 900), "a value without one");
	is_int(frz_flag_set("open"), FRZ_SET_OPEN, "a set by name");
	is_int(frz_flag_set("nonsense"), -1, "a set that is none");
	ok(frz_flag_value(FRZ_SET_FCNTL, "F_SETFL", &v) && v == 4, "a value by name");
	ok(!frz_flag_value(FRZ_SET_FCNTL, "F_NONSENSE", &v), "a name that is none");
	is_str(frz_errno_name(2), "ENOENT", "errno 2");
	is_str(frz_errno_name(11), "EAGAIN", "errno 11 is not called EWOULDBLOCK");
	is_str(frz_errno_name(512), "ERESTARTSYS", "errno 512, the kernel's own");
	ok(!frz_errno_name(0) && !frz_errno_name(-1) && !frz_errno_name(41) &&
		   !frz_errno_name(100000),
	   "numbers that are no errno");
	is_str(frz_uring_op_name(22), "io_uring.read", "io_uring opcode 22");
	is_str(frz_uring_op_name(18), "io_uring.openat", "io_uring opcode 18");
	ok(!frz_uring_op_name(250), "one without a name");
}

struct pair {
	const char *name;
	uint64_t value;
};
#define P(name)                                                                                    \
	{                                                                                          \
#name, (uint64_t)(name)                                                            \
	}

static void same_values(const char *set, const struct pair *pairs, size_t n)
{
	unsigned wrong = 0;

	for (size_t i = 0; i < n; i++) {
		uint64_t v = UINT64_MAX;

		if (!frz_flag_value(frz_flag_set(set), pairs[i].name, &v) ||
		    (uint32_t)v != (uint32_t)pairs[i].value) {
			diag("%s: headers 0x%" PRIx64 ", table 0x%" PRIx64, pairs[i].name,
			     pairs[i].value, v);
			wrong++;
		}
	}
	ok(wrong == 0, "%zu of \"%s\" as the C library has them", n, set);
}

/* The kernel's headers are compared by tests/e2e/syscall-headers.t; these are names that
 * only the C library's have. */
static void headers(void)
{
	static const struct pair map[] = { P(MAP_SHARED),    P(MAP_PRIVATE),   P(MAP_FIXED),
					   P(MAP_ANONYMOUS), P(MAP_NORESERVE), P(MAP_STACK),
					   P(MAP_HUGETLB),   P(MAP_SYNC) };
	static const struct pair type[] = { P(SOCK_STREAM),    P(SOCK_DGRAM),	 P(SOCK_RAW),
					    P(SOCK_SEQPACKET), P(SOCK_NONBLOCK), P(SOCK_CLOEXEC) };
	static const struct pair msg[] = {
		P(MSG_OOB),	 P(MSG_PEEK),	  P(MSG_TRUNC),	   P(MSG_DONTWAIT),
		P(MSG_WAITALL),	 P(MSG_NOSIGNAL), P(MSG_MORE),	   P(MSG_CMSG_CLOEXEC),
		P(MSG_ERRQUEUE), P(MSG_ZEROCOPY), P(MSG_FASTOPEN), P(MSG_WAITFORONE)
	};
	static const struct pair family[] = { P(AF_UNIX),     P(AF_INET),   P(AF_INET6),
					      P(AF_NETLINK),  P(AF_PACKET), P(AF_VSOCK),
					      P(AF_ALG),      P(AF_XDP),    P(AF_CAN),
					      P(AF_BLUETOOTH) };
	static const struct pair splice_flags[] = { P(SPLICE_F_MOVE), P(SPLICE_F_NONBLOCK),
						    P(SPLICE_F_MORE), P(SPLICE_F_GIFT) };
	static const struct pair epoll[] = { P(EPOLLIN),      P(EPOLLOUT),	P(EPOLLERR),
					     P(EPOLLHUP),     P(EPOLLRDHUP),	P(EPOLLET),
					     P(EPOLLONESHOT), P(EPOLLEXCLUSIVE) };
	static const struct pair type_bits[] = { P(S_IFREG), P(S_IFDIR), P(S_IFCHR), P(S_IFBLK),
						 P(S_IFIFO), P(S_IFLNK), P(S_IFSOCK) };
	static const struct pair signals[] = { P(SIGHUP), P(SIGCHLD), P(SIGSTKFLT), P(SIGPWR),
					       P(SIGSYS) };
	static const struct pair swap_flags[] = { P(SWAP_FLAG_PREFER), P(SWAP_FLAG_DISCARD) };
	static const struct pair seek[] = { P(SEEK_SET), P(SEEK_CUR), P(SEEK_END), P(SEEK_DATA),
					    P(SEEK_HOLE) };
	static const struct pair rwf[] = { P(RWF_HIPRI), P(RWF_DSYNC), P(RWF_SYNC), P(RWF_NOWAIT),
					   P(RWF_APPEND) };
	static const struct pair errnos[] = { P(EPERM), P(EDEADLK), P(ENOTSUP), P(EHWPOISON) };
#define SAME(set, pairs) same_values(set, pairs, sizeof(pairs) / sizeof((pairs)[0]))

	SAME("map", map);
	SAME("socktype", type);
	SAME("msg", msg);
	SAME("family", family);
	SAME("splice", splice_flags);
	SAME("epoll", epoll);
	SAME("filetype", type_bits);
	SAME("signal", signals);
	SAME("swap", swap_flags);
	SAME("seek", seek);
	SAME("rwf", rwf);
	for (size_t i = 0; i < sizeof(errnos) / sizeof(errnos[0]); i++)
		ok(frz_errno_name((int)errnos[i].value) != NULL, "%s is %s", errnos[i].name,
		   frz_errno_name((int)errnos[i].value));
	for (int e = 1; e < 134; e++) {
		const char *want = strerrorname_np(e), *got = frz_errno_name(e);

		if (want && (!got || strcmp(want, got)) && strcmp(want, "ENOTSUP") != 0)
			ok(false, "errno %d is %s, not %s", e, want, got ? got : "(none)");
	}
}

int main(void)
{
	text();
#ifdef __x86_64__
	headers();
#endif
	return tap_done();
}
