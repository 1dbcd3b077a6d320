/*
 * describe.c - tests of calls as people read them: each case is a record built by hand, fed
 * to the decoder, described, and compared.
 */
#include "describe.h"

#include <stdarg.h>
#include <time.h>

#include "flags.h"
#include "tap.h"

#define NONE (-100000)

static struct frz_decoder *dec;
static struct frz_desc desc;
static uint8_t arena[4 << 20]; /* strings stay where they were fed from */
static size_t arena_len;
static uint64_t strings, files;

/* ---- records ---- */

static struct frz_record feed(const struct frz_buf *b)
{
	struct frz_cur c = frz_cur_of(b->p, b->len);
	struct frz_record rec;

	if (b->full || frz_decoder_feed(dec, &c, 1, 1000, 10, &rec) != FRZ_OK)
		bail_out("a record of this test's own is refused");
	arena_len += b->len;
	return rec;
}

static struct frz_buf room(void)
{
	return (struct frz_buf){ .p = arena + arena_len, .cap = sizeof(arena) - arena_len };
}

static uint64_t string_n(const void *p, size_t n, bool cut, uint64_t true_len)
{
	struct frz_buf b = room();

	frz_enc_string(&b, p, n, cut, true_len);
	feed(&b);
	return ++strings;
}

static uint64_t string(const char *s) { return string_n(s, strlen(s), false, 0); }

static uint64_t file_path(const char *path, uint32_t mode)
{
	struct frz_file f = { .mask = FRZ_F_PATH | FRZ_F_MODE | FRZ_F_SIZE,
			      .mode = mode,
			      .size = 77 };
	struct frz_buf b;

	f.path = (uint32_t)string(path);
	b = room();
	frz_enc_file(&b, &f);
	feed(&b);
	return ++files;
}

static void record(enum frz_rec type, struct frz_buf *body, struct frz_record *out)
{
	struct frz_buf b = room();

	frz_enc_record(&b, type, body);
	*out = feed(&b);
}

/* fd of the one file table is `instance` of a file with this path. */
static void bind_fd(int fd, uint64_t instance, const char *path, int64_t flags)
{
	uint8_t mem[64];
	struct frz_buf body = { .p = mem, .cap = sizeof(mem) };
	struct frz_record rec;

	frz_buf_varint(&body, 1);
	frz_buf_varint(&body, (uint64_t)fd);
	frz_buf_varint(&body, instance);
	frz_buf_varint(&body, file_path(path, 0100644));
	frz_buf_varint(&body, FRZ_B_OPEN);
	frz_buf_varint(&body, 0);
	frz_buf_zigzag(&body, flags);
	frz_buf_zigzag(&body, -1);
	record(FRZ_R_BIND, &body, &rec);
}

static void fresh(void)
{
	uint8_t mem[64];
	struct frz_buf body = { .p = mem, .cap = sizeof(mem) };
	struct frz_record rec;

	frz_decoder_begin_loose(dec);
	arena_len = 0;
	strings = files = 0;
	frz_buf_varint(&body, 7);
	frz_buf_varint(&body, 7);
	frz_buf_varint(&body, 1);
	frz_buf_varint(&body, 0);
	record(FRZ_R_THREAD, &body, &rec);
	bind_fd(3, 30, "/srv/data", 2);
	bind_fd(4, 40, "/srv/dir", 0);
	bind_fd(5, 50, "socket:[5]", -1);
}

/* ---- a call, piece by piece ---- */

static struct {
	bool uring;
	enum frz_abi abi;
	uint32_t nr, flags;
	int64_t ret, arg[6];
	uint32_t mask;
	uint8_t mem[16384];
	struct frz_buf atts;
} call;

static const enum frz_abi X64 = FRZ_ABI_X86_64;

/* Arguments as the recorder has them; NONE: not kept. */
static void start(enum frz_abi abi, const char *name, int64_t ret, int nargs, ...)
{
	int nr = frz_sysnum(abi, name);
	va_list ap;

	if (nr < 0)
		bail_out(name);
	call.uring = false;
	call.abi = abi;
	call.nr = (uint32_t)nr;
	call.flags = 0;
	call.ret = ret;
	call.mask = 0;
	call.atts = (struct frz_buf){ .p = call.mem, .cap = sizeof(call.mem) };
	va_start(ap, nargs);
	for (int i = 0; i < nargs; i++) {
		call.arg[i] = va_arg(ap, int64_t);
		if (call.arg[i] != NONE)
			call.mask |= 1u << i;
	}
	va_end(ap);
}
#define NARGS(...) (int)(sizeof((int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t))
#define L(x)	   (int64_t)(x)

static void with_fd(unsigned slot) { frz_enc_att(&call.atts, FRZ_A_FD, slot, 0); }

static void with_text(enum frz_att kind, unsigned slot, const char *s)
{
	frz_enc_att_varint(&call.atts, kind, slot, string(s));
}

static void with_path(unsigned slot, const char *path, const char *dir)
{
	with_text(FRZ_A_PATH, slot, path);
	if (dir)
		with_text(FRZ_A_DIR, slot, dir);
}

static void with_nums(unsigned slot, int n, ...)
{
	uint8_t mem[512];
	struct frz_buf b = { .p = mem, .cap = sizeof(mem) };
	va_list ap;

	va_start(ap, n);
	for (int i = 0; i < n; i++)
		frz_buf_zigzag(&b, va_arg(ap, int64_t));
	va_end(ap);
	frz_enc_att(&call.atts, FRZ_A_NUMS, slot, b.len);
	frz_buf_bytes(&call.atts, b.p, b.len);
}

static void with_bytes(enum frz_att kind, unsigned slot, const void *p, size_t n)
{
	frz_enc_att(&call.atts, kind, slot, n);
	frz_buf_bytes(&call.atts, p, n);
}

static void with_fdnum(unsigned slot, int fd, uint64_t instance)
{
	uint8_t mem[2 * FRZ_VARINT_MAX];
	size_t n = frz_put_varint(mem, (uint64_t)fd);

	n += frz_put_varint(mem + n, instance);
	with_bytes(FRZ_A_FDNUM, slot, mem, n);
}

static void describe(void)
{
	static uint8_t mem[32768];
	struct frz_buf body = { .p = mem, .cap = sizeof(mem) };
	struct frz_record rec;

	frz_buf_varint(&body, 7);
	frz_buf_varint(&body, call.uring ? call.nr : call.abi + 4ull * call.nr);
	frz_buf_varint(&body, call.flags);
	if (!(call.flags & FRZ_C_NO_RETURN))
		frz_buf_zigzag(&body, call.ret);
	frz_buf_varint(&body, call.mask);
	for (unsigned i = 0; i < 6; i++)
		if (call.mask & 1u << i)
			frz_buf_zigzag(&body, call.arg[i]);
	frz_buf_bytes(&body, call.atts.p, call.atts.len);
	record(call.uring ? FRZ_R_URING : FRZ_R_SYSCALL, &body, &rec);
	memset(&desc, 0xee, sizeof(desc));
	frz_describe(dec, &rec, &desc);
}

/* The call so far has this detail, and is described by it. */
static void detail(const char *want)
{
	describe();
	is_str(desc.detail, want, desc.name);
}

static void path_is(struct frz_str got, const char *want)
{
	is_mem(got.p, got.len, want, strlen(want), want[0] ? want : "no path");
}

#define CALL(abi, name, ret, ...) start(abi, name, L(ret), NARGS(__VA_ARGS__), __VA_ARGS__)

/* ---- cases ---- */

static void transfers(void)
{
	fresh();
	CALL(X64, "read", 100, L(3), L(NONE), L(NONE));
	with_fd(0);
	detail("");
	is_str(desc.name, "read", "its name");
	is_int(desc.fd, 3, "its fd");
	is_int(desc.bytes, 100, "its bytes");
	ok(desc.instance == 30 && desc.read_instance == 30 && desc.write_instance == 0,
	   "read from instance 30");
	path_is(desc.path, "/srv/data");
	path_is(desc.path2, "");
	ok(desc.returned && !desc.err && desc.ent && !strcmp(desc.ent->name, "read"),
	   "it returned without error");

	CALL(X64, "read", 100, L(3), L(NONE), L(4096));
	detail("count=4096");
	CALL(X64, "write", -28, L(3), L(NONE), L(10));
	with_fd(0);
	detail("count=10");
	ok(desc.bytes == -1 && desc.write_instance == 0, "a failed one moves nothing");
	is_str(desc.err, "ENOSPC", "and has its error");
	CALL(X64, "write", -700, L(3));
	describe();
	is_str(desc.err, "E?", "an error without a name is still one");
	CALL(X64, "pread64", 4, L(3), L(NONE), L(NONE), L(4096));
	detail("offset=4096");
	CALL(FRZ_ABI_I386, "pread64", 4, L(3), L(NONE), L(NONE), L(4096), L(2));
	detail("offset=8589938688");
	CALL(X64, "preadv2", 4, L(3), L(NONE), L(2), L(-1), L(NONE), L(1));
	detail("iovcnt=2 offset=-1 RWF_HIPRI");
	CALL(X64, "sendfile", 50, L(5), L(3), L(NONE), L(50));
	with_fd(0);
	with_fd(1);
	with_nums(2, 1, L(7));
	detail("in_fd=3 offset=7");
	ok(desc.read_instance == 30 && desc.write_instance == 50 && desc.fd == 5,
	   "sendfile reads one, writes the other");
	path_is(desc.path, "socket:[5]");
	path_is(desc.path2, "/srv/data");
	CALL(X64, "vmsplice", 9, L(4), L(NONE), L(1), L(0));
	with_fd(0);
	describe();
	ok(desc.read_instance == 40 && desc.write_instance == 0,
	   "vmsplice of an fd opened for reading reads");
	CALL(X64, "vmsplice", 9, L(3), L(NONE), L(1), L(0));
	with_fd(0);
	describe();
	ok(desc.read_instance == 0 && desc.write_instance == 30, "of one opened for both writes");
	CALL(X64, "recvmmsg", 2, L(5), L(NONE), L(8), L(0x40));
	with_fd(0);
	with_nums(1, 2, L(100), L(11));
	detail("vlen=8 MSG_DONTWAIT");
	ok(desc.bytes == 111 && desc.read_instance == 50, "recvmmsg's bytes are its messages'");
	CALL(X64, "recvmmsg", 2, L(5), L(NONE), L(8), L(0));
	with_fd(0);
	describe();
	is_int(desc.bytes, -1, "unknown when their lengths could not be had");
	CALL(X64, "process_vm_readv", 64, L(99), L(NONE), L(NONE), L(NONE), L(1), L(0));
	with_nums(3, 2, L(0x1000), L(64));
	detail("pid=99 rvec=[{base=0x1000 len=64}] riovcnt=1");
	is_int(desc.bytes, 64, "process_vm_readv moves bytes without an fd");
	CALL(X64, "close", 0, L(3));
	with_fd(0);
	detail("");
	is_int(desc.bytes, -1, "close moves nothing");
	CALL(X64, "read", 0, L(3));
	call.flags = FRZ_C_NO_RETURN;
	describe();
	ok(!desc.returned && !desc.err && desc.bytes == -1, "a read that never returned");
}

static void opens(void)
{
	fresh();
	CALL(X64, "openat", 3, L(-100), L(NONE), L(01101 | 02000000), L(0644));
	with_path(1, "out.txt", "/srv");
	with_fd(FRZ_SLOT_RET);
	detail("O_WRONLY|O_CREAT|O_TRUNC|O_CLOEXEC 0644 name=\"out.txt\"");
	is_int(desc.fd, 3, "the fd returned");
	path_is(desc.path, "/srv/data");
	CALL(X64, "openat", 3, L(-100), L(NONE), L(0), L(0777));
	with_path(1, "/srv/data", NULL);
	with_fd(FRZ_SLOT_RET);
	detail("O_RDONLY");
	CALL(X64, "open", -2, L(NONE), L(0), L(0));
	with_path(0, "./sub/../x", "/srv");
	detail("O_RDONLY name=\"./sub/../x\"");
	path_is(desc.path, "/srv/sub/../x");
	is_int(desc.fd, -1, "a failed open has no fd");
	CALL(X64, "openat", -2, L(4), L(NONE), L(0), L(0));
	with_fd(0);
	with_path(1, "x", NULL);
	describe();
	path_is(desc.path, "/srv/dir/x");
	CALL(X64, "openat2", -40, L(-100), L(NONE), L(NONE), L(NONE));
	with_path(1, "x", "/");
	with_nums(2, 3, L(02000001), L(0), L(4));
	detail("O_WRONLY|O_CLOEXEC resolve=RESOLVE_NO_SYMLINKS name=\"x\"");
	path_is(desc.path, "/x");
	CALL(FRZ_ABI_AARCH64, "openat", -2, L(-100), L(NONE), L(0x14000), L(0));
	with_path(1, "/x", NULL);
	detail("O_RDONLY|O_DIRECTORY|O_DIRECT");
	CALL(X64, "dup2", 9, L(3), L(9));
	with_fd(0);
	detail("newfd=9");
	CALL(X64, "pipe2", 0, L(NONE), L(02000000));
	with_fdnum(0, 11, 110);
	with_fdnum(0, 12, 120);
	detail("fds=[11,12] O_CLOEXEC");
	CALL(X64, "epoll_ctl", 0, L(4), L(1), L(5), L(NONE));
	with_fd(0);
	with_fd(2);
	with_nums(3, 2, L(0x80000001), L(0));
	detail("EPOLL_CTL_ADD fd=5 event={events=EPOLLIN|EPOLLET}");
	path_is(desc.path2, "socket:[5]");
}

static void names(void)
{
	fresh();
	CALL(X64, "rename", 0, L(NONE), L(NONE));
	with_path(0, "a", "/d");
	with_path(1, "/e/b", NULL);
	detail("name=\"a\"");
	path_is(desc.path, "/d/a");
	path_is(desc.path2, "/e/b");
	CALL(X64, "unlinkat", 0, L(-100), L(NONE), L(0x200));
	with_path(1, "/d", NULL);
	frz_enc_att_varint(&call.atts, FRZ_A_VICTIM, 1, file_path("/d", 040755));
	detail("AT_REMOVEDIR was={dir size=77}");
	CALL(X64, "symlink", 0, L(NONE), L(NONE));
	with_text(FRZ_A_STR, 0, "../target");
	with_path(1, "/l", NULL);
	detail("");
	path_is(desc.path, "/l");
	path_is(desc.path2, "../target");
	CALL(X64, "mount", 0, L(NONE), L(NONE), L(NONE), L(0x1001), L(NONE));
	with_text(FRZ_A_STR, 0, "/dev/sda1");
	with_path(1, "/mnt", NULL);
	with_text(FRZ_A_STR, 2, "ext4");
	detail("MS_RDONLY|MS_BIND fstype=\"ext4\"");
	path_is(desc.path, "/mnt");
	path_is(desc.path2, "/dev/sda1");
	CALL(X64, "newfstatat", 0, L(3), L(NONE), L(NONE), L(0x1000));
	with_fd(0);
	with_path(1, "", NULL);
	detail("AT_EMPTY_PATH");
	ok(desc.fd == 3 && desc.instance == 30, "an empty path means the directory fd itself");
	path_is(desc.path, "/srv/data");
	CALL(X64, "chown", 0, L(NONE), L(0), L(-1));
	with_path(0, "/f", NULL);
	detail("uid=0 gid=-1");
	CALL(X64, "mknod", 0, L(NONE), L(020666), L(0x103));
	with_path(0, "/f", NULL);
	detail("S_IFCHR|0666 dev=1:3");
	CALL(X64, "utimensat", 0, L(-100), L(NONE), L(NONE), L(0));
	with_path(1, "/f", NULL);
	with_nums(2, 4, L(1), L(5), L(0), L(1073741822));
	detail("times={atime=1 nsec=5 mtime=0 nsec=UTIME_OMIT}");
	CALL(X64, "setxattr", 0, L(NONE), L(NONE), L(NONE), L(3), L(1));
	with_path(0, "/f", NULL);
	with_text(FRZ_A_STR, 1, "user.x");
	with_bytes(FRZ_A_DATA, 2, "a\0b", 3);
	detail("size=3 XATTR_CREATE xattr=\"user.x\" data=\"a\\x00b\"");
	CALL(X64, "truncate", 0, L(NONE), L(10));
	with_path(0, "/f", NULL);
	frz_enc_att_varint(&call.atts, FRZ_A_FILE, 0, file_path("/real/f", 0100644));
	detail("length=10 name=\"/f\"");
	path_is(desc.path, "/real/f");
	CALL(X64, "lseek", 5, L(3), L(-5), L(2));
	with_fd(0);
	detail("SEEK_END -5");
	CALL(FRZ_ABI_I386, "_llseek", 0, L(3), L(1), L(2), L(NONE), L(0));
	with_nums(3, 1, L(4294967298));
	detail("result=4294967298 SEEK_SET 4294967298");
}

static void sockets(void)
{
	static const uint8_t inet[16] = { 2, 0, 0, 80, 127, 0, 0, 1 };

	fresh();
	CALL(X64, "socket", 5, L(2), L(02000001), L(6));
	with_fd(FRZ_SLOT_RET);
	detail("AF_INET SOCK_STREAM|SOCK_CLOEXEC protocol=6");
	is_int(desc.fd, 5, "the socket");
	CALL(X64, "connect", -115, L(5), L(NONE), L(NONE));
	with_fd(0);
	with_bytes(FRZ_A_ADDR, 1, inet, sizeof(inet));
	detail("127.0.0.1:80");
	is_str(desc.err, "EINPROGRESS", "connect under way");
	CALL(X64, "accept4", 3, L(5), L(NONE), L(NONE), L(0));
	with_fd(0);
	with_fd(FRZ_SLOT_RET);
	with_bytes(FRZ_A_ADDR, 1, inet, sizeof(inet));
	detail("127.0.0.1:80");
	ok(desc.fd == 5 && desc.instance == 50, "accept's fd is the listening socket");
	path_is(desc.path2, "/srv/data");
	CALL(X64, "sendmsg", 1, L(5), L(NONE), L(0x4000));
	with_fd(0);
	with_fdnum(1, 0, 1);
	detail("fds=[0] MSG_NOSIGNAL");
	for (int i = 1; i < 40; i++)
		with_fdnum(1, i, 1);
	detail("fds=[0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,"
	       "30,31,... 40] MSG_NOSIGNAL");
	CALL(X64, "setsockopt", 0, L(5), L(1), L(2), L(NONE), L(4));
	with_nums(3, 1, L(1));
	detail("SOL_SOCKET SO_REUSEADDR optval=1");
	CALL(X64, "setsockopt", 0, L(5), L(6), L(1), L(NONE), L(16));
	with_nums(3, 1, L(1));
	detail("SOL_TCP optname=1 optlen=16");
	CALL(FRZ_ABI_I386, "accept", 3, L(5), L(NONE), L(NONE));
	with_fd(0);
	describe();
	is_str(desc.name, "accept", "a call through socketcall(2) has its own name");
}

static void processes(void)
{
	uint8_t list[64];
	size_t n = 0;

	fresh();
	n += frz_put_varint(list + n, string("ls"));
	n += frz_put_varint(list + n, string("a \"b\"\n"));
	n += frz_put_varint(list + n, 0);
	CALL(X64, "execve", 0, L(NONE), L(NONE), L(NONE));
	with_path(0, "/bin/ls", NULL);
	with_bytes(FRZ_A_LIST, 1, list, n);
	detail("argv=[\"ls\", \"a \\\"b\\\"\\n\", \"\"]");
	CALL(X64, "clone", 99, L(0x11 | 0x100), L(0));
	detail("SIGCHLD|CLONE_VM");
	CALL(X64, "clone3", 99, L(NONE), L(NONE));
	with_nums(0, 8, L(0x100), L(0), L(0), L(0), L(17), L(0), L(0), L(0));
	detail("CLONE_VM exit_signal=SIGCHLD stack_size=0");
	CALL(X64, "wait4", 99, L(-1), L(NONE), L(1));
	with_nums(1, 1, L(0x300));
	detail("pid=-1 exit 3 WNOHANG");
	with_nums(1, 1, L(9));
	CALL(X64, "wait4", 99, L(-1), L(NONE), L(0));
	with_nums(1, 1, L(0x8b));
	detail("pid=-1 killed SIGSEGV core");
	CALL(X64, "wait4", 99, L(-1), L(NONE), L(2));
	with_nums(1, 1, L(0x137f));
	detail("pid=-1 stopped SIGSTOP WUNTRACED");
	CALL(X64, "wait4", 0, L(-1), L(NONE), L(1));
	with_nums(1, 1, L(0));
	detail("pid=-1 WNOHANG");
	CALL(X64, "kill", 0, L(-5), L(9));
	detail("pid=-5 SIGKILL");
	CALL(X64, "ptrace", 0, L(0), L(0), L(0), L(0));
	with_text(FRZ_A_SIGN, FRZ_SLOT_NONE, "anti-debugging: PTRACE_TRACEME");
	detail("PTRACE_TRACEME pid=0 anti-debugging: PTRACE_TRACEME");
	CALL(X64, "prctl", 0, L(15), L(NONE), L(0), L(0), L(0));
	with_text(FRZ_A_STR, 1, "nginx");
	detail("PR_SET_NAME arg=\"nginx\"");
	CALL(X64, "prctl", 0, L(4), L(0), L(0), L(0), L(0));
	detail("PR_SET_DUMPABLE arg=0");
	CALL(X64, "setgroups", 0, L(2), L(NONE));
	with_nums(1, 2, L(4), L(27));
	detail("count=2 groups=[4,27]");
	CALL(X64, "setns", 0, L(3), L(0x20000));
	detail("CLONE_NEWNS");
	CALL(X64, "exit_group", 0, L(3));
	call.flags = FRZ_C_NO_RETURN;
	detail("status=3");
}

/* Sets, handles, structures with text, commands with several arguments; a path of another root. */
static void structures(void)
{
	CALL(X64, "poll", 1, L(NONE), L(2), L(-1));
	with_nums(0, 6, L(3), L(1), L(0), L(4), L(4), L(4));
	detail("fds=[{fd=3 events=POLLIN},{fd=4 events=POLLOUT revents=POLLOUT}] nfds=2 timeout=-1");
	CALL(X64, "select", 1, L(6), L(NONE), L(NONE), L(NONE), L(NONE));
	with_nums(1, 2, L(3), L(5));
	with_nums(2, 0);
	detail("nfds=6 readfds=[3,5] writefds=[]");
	CALL(X64, "open_by_handle_at", -116, L(4), L(NONE), L(0));
	with_bytes(FRZ_A_DATA, 1, "\3\0\0\0\xfe\xff\xff\xff\1\xab\xff", 11);
	detail("handle={type=-2 01abff} O_RDONLY");
	CALL(X64, "open_by_handle_at", -116, L(4), L(NONE), L(0));
	with_bytes(FRZ_A_DATA, 1, "\3\0\0", 3);
	detail("O_RDONLY");
	CALL(X64, "mq_timedsend", 0, L(3), L(NONE), L(12), L(7), L(NONE));
	with_fd(0);
	detail("prio=7");
	is_int(desc.bytes, 12, "its length is what it sent");
	is_int((int64_t)desc.write_instance, 30, "to that fd");
	CALL(X64, "mq_timedsend", -11, L(3), L(NONE), L(12), L(7), L(NONE));
	detail("len=12 prio=7");
	is_int(desc.bytes, -1, "nothing when it failed");
	CALL(X64, "keyctl", 5, L(10), L(-3), L(NONE), L(NONE), L(0));
	call.arg[1] = 0xfffffffd;
	with_text(FRZ_A_STR, 2, "user");
	with_text(FRZ_A_STR, 3, "a \"key\"");
	detail("KEYCTL_SEARCH KEY_SPEC_SESSION_KEYRING link_to=0 type=\"user\" description=\"a \\\"key\\\"\"");
	CALL(X64, "keyctl", -95, L(99), L(1), L(2), L(3), L(4));
	detail("cmd=99 arg=0x1 arg3=0x2 arg4=0x3 arg5=0x4");
	CALL(X64, "bpf", -2, L(7), L(NONE), L(16));
	with_nums(1, 2, L(0), L(0));
	with_text(FRZ_A_STR, 1, "/sys/fs/bpf/x");
	detail("BPF_OBJ_GET attr={bpf_fd=0} size=16 path=\"/sys/fs/bpf/x\"");
	CALL(X64, "unlink", 0, L(NONE));
	with_path(0, "/etc/passwd", "/srv/jail");
	detail("name=\"/etc/passwd\"");
	path_is(desc.path, "/srv/jail/etc/passwd");
}

static void memory_and_commands(void)
{
	fresh();
	CALL(X64, "mmap", 0x7f0000000000, L(0), L(4096), L(3), L(1), L(3), L(0));
	with_fd(4);
	detail("PROT_READ|PROT_WRITE MAP_SHARED offset=0 len=4096");
	is_int(desc.fd, 3, "mmap's fd");
	path_is(desc.path, "/srv/data");
	CALL(X64, "mmap", 0x7f0000000000, L(0x1000), L(4096), L(0), L(0x32), L(-1), L(0));
	detail("PROT_NONE MAP_PRIVATE|MAP_FIXED|MAP_ANONYMOUS addr=0x1000 len=4096");
	is_int(desc.fd, -1, "an anonymous one has none");
	CALL(FRZ_ABI_I386, "mmap2", 0x1000, L(0), L(4096), L(1), L(2), L(3), L(3));
	detail("PROT_READ MAP_PRIVATE offset=12288 len=4096");
	CALL(X64, "fcntl", 0, L(3), L(4), L(02000));
	with_fd(0);
	detail("F_SETFL O_APPEND");
	CALL(X64, "fcntl", 0x8002, L(3), L(3), L(NONE));
	detail("F_GETFL O_RDWR|O_LARGEFILE");
	CALL(X64, "fcntl", 9, L(3), L(1030), L(5));
	with_fd(0);
	detail("F_DUPFD_CLOEXEC arg=5");
	CALL(X64, "fcntl", 0, L(3), L(6), L(NONE));
	with_nums(2, 4, L(1), L(0), L(10), L(20));
	detail("F_SETLK arg={F_WRLCK whence=SEEK_SET start=10 len=20}");
	CALL(X64, "fcntl", 0, L(3), L(12345), L(7));
	detail("cmd=0x3039 arg=0x7");
	CALL(X64, "ioctl", 0, L(3), L(0x40086602), L(NONE));
	with_nums(2, 1, L(0x30));
	detail("FS_IOC_SETFLAGS arg=FS_IMMUTABLE_FL|FS_APPEND_FL");
	CALL(X64, "ioctl", 0, L(3), L(0x40049409), L(5));
	detail("FICLONE arg=5");
	CALL(X64, "ioctl", 0, L(3), L(0x5412), L(NONE));
	with_nums(2, 1, L('a'));
	detail("TIOCSTI arg=97");
	CALL(X64, "io_submit", 1, L(0), L(1), L(NONE));
	with_nums(2, 5, L(0), L(1), L(3), L(512), L(1024));
	detail("nr=1 iocbs=[{IOCB_CMD_PWRITE fd=3 nbytes=512 offset=1024}]");
	CALL(X64, "io_uring_setup", 5, L(8), L(NONE));
	with_nums(1, 7, L(8), L(16), L(2), L(0), L(0), L(1), L(0));
	detail("entries=8 params={sq_entries=8 cq_entries=16 IORING_SETUP_SQPOLL sq_cpu=0 sq_idle=0 "
	       "features=IORING_FEAT_SINGLE_MMAP wq_fd=0}");
}

static void hostile(void)
{
	static char big[5000];
	const char *p;
	bool plain = true;

	fresh();
	CALL(X64, "open", -36, L(NONE), L(0100), L(0600));
	memset(big, '\n', sizeof(big));
	frz_enc_att_varint(&call.atts, FRZ_A_PATH, 0, string_n(big, sizeof(big), true, 9000));
	with_text(FRZ_A_DIR, 0, "/d");
	frz_enc_att_varint(&call.atts, FRZ_A_CUT, 0, 9000);
	describe();
	ok(!strncmp(desc.detail, "O_RDONLY|O_CREAT 0600 cut(path of 9000) name=\"\\n\\n", 50),
	   "a long path: flags, mode and cut come first");
	ok(strlen(desc.detail) == FRZ_DETAIL_MAX - 1 &&
		   !strcmp(desc.detail + FRZ_DETAIL_MAX - 4, "..."),
	   "and the end is marked");
	ok(desc.path.len == 5003 && desc.path.cut && desc.path.true_len == 9003,
	   "the path itself is whole, and marked");

	CALL(X64, "open", -14, L(NONE), L(0), L(0));
	frz_enc_att(&call.atts, FRZ_A_FAULT, 0, 0);
	detail("O_RDONLY unreadable(path)");
	path_is(desc.path, "");
	memset(big, '/', sizeof(big));
	CALL(X64, "open", -2, L(NONE), L(0), L(0));
	frz_enc_att_varint(&call.atts, FRZ_A_PATH, 0, string_n("x/", 2, false, 0));
	frz_enc_att_varint(&call.atts, FRZ_A_DIR, 0, string_n(big, sizeof(big), false, 0));
	describe();
	is_int(desc.path.len, 5002, "a long directory is joined");
	{
		static char huge[9000];

		memset(huge, 'd', sizeof(huge));
		CALL(X64, "open", -2, L(NONE), L(0), L(0));
		frz_enc_att_varint(&call.atts, FRZ_A_PATH, 0, string("x"));
		frz_enc_att_varint(&call.atts, FRZ_A_DIR, 0,
				   string_n(huge, sizeof(huge), false, 0));
		describe();
		ok(desc.path.cut && desc.path.len == sizeof(desc.join[0]) - 1 &&
			   desc.path.true_len == 9002,
		   "one too long is cut and marked");
	}
	fresh();
	CALL(X64, "open", -2, L(NONE), L(0), L(0));
	with_path(0, "e\xcc\x81\xe2\x80\xae\x1b[2Jgpj\xff.\xc3\xa4\\", "/");
	describe();
	is_str(desc.detail,
	       "O_RDONLY name=\"e\xcc\x81\\xe2\\x80\\xae\\x1b[2Jgpj\\xff.\xc3\xa4\\\\\"",
	       "escapes, direction marks, invalid UTF-8");

	/* characters of four bytes up to the very end: the cut falls on a boundary */
	for (size_t i = 0; i + 4 <= 504; i += 4)
		memcpy(big + i, "\xf0\x9f\x98\x80", 4);
	for (unsigned shift = 0; shift < 4; shift++) {
		char out[FRZ_DETAIL_MAX * 4 + 1];

		CALL(X64, "mount", 0, L(NONE), L(NONE), L(NONE), L(0), L(NONE));
		with_text(FRZ_A_STR, 0, "s");
		with_path(1, &"////"[shift], NULL);
		frz_enc_att_varint(&call.atts, FRZ_A_STR, 2, string_n(big, 504, false, 0));
		frz_enc_att_varint(&call.atts, FRZ_A_STR, 4, string_n(big, 504, false, 0));
		with_text(FRZ_A_SIGN, FRZ_SLOT_NONE, &"abcd"[shift]);
		describe();
		frz_escape((const uint8_t *)desc.detail, strlen(desc.detail), out, sizeof(out));
		plain &= !strcmp(out, desc.detail);
	}
	ok(plain, "a cut detail never ends inside a character");

	CALL(X64, "read", 5, L(3));
	call.nr = 1000;
	call.mask = 0x3f;
	memset(call.arg, 0, sizeof(call.arg));
	call.arg[0] = 3;
	call.arg[1] = 16;
	detail("0x3 0x10 0x0 0x0 0x0 0x0");
	is_str(desc.name, "syscall_1000", "a call that is not in the table");
	ok(!desc.ent && desc.bytes == -1, "nothing is guessed of it");
	for (p = desc.detail; *p; p++)
		;
	ok(p < desc.detail + sizeof(desc.detail), "the detail is terminated");

	/* arguments missing, as for a call under way at attach: every row, nothing kept */
	for (unsigned a = 0; a < 4; a++) {
		for (uint32_t nr = 0; nr < FRZ_NR_MAX; nr++) {
			CALL(X64, "read", 0, L(NONE));
			call.abi = (enum frz_abi)a;
			call.nr = nr;
			call.flags = FRZ_C_NO_ENTRY;
			if (!frz_sysent(call.abi, nr))
				continue;
			describe();
			call.mask = 0x3f;
			for (unsigned i = 0; i < 6; i++)
				call.arg[i] = -1;
			for (unsigned i = 0; i < 6; i++)
				with_nums(i, 1, L(-1));
			describe();
			arena_len = 0;
			fresh();
		}
	}
	ok(true, "every call of the table without arguments, and with all bits set");
}

static uint64_t seed = 1;

static uint32_t chance(uint32_t n)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(seed >> 33) % n;
}

static int64_t any_number(void)
{
	static const int64_t some[] = { 0,    1,    -1,	  3,	     4,		5,
					-100, 0x7f, 4096, INT64_MAX, INT64_MIN, 0xffffffff };

	return chance(3) ? some[chance(12)] : (int64_t)seed;
}

/* One attachment of any kind, well formed or not as its kind goes; the decoder refuses some. */
static void any_attachment(void)
{
	uint8_t mem[64], n = (uint8_t)chance(40);
	unsigned kind = 1 + chance(15), slot = chance(8);
	size_t len = 0;

	switch (kind) {
	case FRZ_A_PATH:
	case FRZ_A_DIR:
	case FRZ_A_STR:
	case FRZ_A_SIGN:
		frz_enc_att_varint(&call.atts, (enum frz_att)kind, slot,
				   chance((uint32_t)strings + 1));
		return;
	case FRZ_A_VICTIM:
	case FRZ_A_FILE:
		frz_enc_att_varint(&call.atts, (enum frz_att)kind, slot,
				   chance((uint32_t)files + 1));
		return;
	case FRZ_A_FDNUM:
		with_fdnum(slot, (int)chance(99), chance(99));
		return;
	case FRZ_A_NUMS:
		for (; n && len < 40; n--)
			len += frz_put_varint(mem + len, frz_zigzag(any_number()));
		break;
	default:
		for (; len < n; len++)
			mem[len] = (uint8_t)chance(256);
	}
	with_bytes((enum frz_att)kind, slot, mem, len);
}

/* Calls that no recorder would write but a forger might. */
static void forged(void)
{
	static uint8_t body_mem[32768], rec_mem[33000];
	unsigned described = 0, good = 0;
	size_t backslashes;

	fresh();
	string_n("\0\xff\x1b/\"", 5, true, 0);
	string("./");
	for (unsigned i = 0; i < 60000; i++) {
		struct frz_buf body = { .p = body_mem, .cap = sizeof(body_mem) };
		struct frz_buf rec_bytes = { .p = rec_mem, .cap = sizeof(rec_mem) };
		struct frz_record rec;
		struct frz_cur c;
		uint32_t flags = chance(4) ? 0 : chance(8), mask = chance(64);
		bool ring = chance(8) == 0;

		call.atts = (struct frz_buf){ .p = call.mem, .cap = sizeof(call.mem) };
		for (unsigned k = chance(7); k; k--)
			any_attachment();
		frz_buf_varint(&body, 7);
		frz_buf_varint(&body, ring ? chance(80) :
					     chance(4) + 4ull * chance(chance(9) ? 480 : 40000));
		frz_buf_varint(&body, flags);
		if (!(flags & FRZ_C_NO_RETURN))
			frz_buf_zigzag(&body, any_number());
		frz_buf_varint(&body, mask);
		for (unsigned k = 0; k < 6; k++)
			if (mask & 1u << k)
				frz_buf_zigzag(&body, any_number());
		frz_buf_bytes(&body, call.atts.p, call.atts.len);
		frz_enc_record(&rec_bytes, ring ? FRZ_R_URING : FRZ_R_SYSCALL, &body);
		c = frz_cur_of(rec_bytes.p, rec_bytes.len);
		if (frz_decoder_feed(dec, &c, 1, 1, 1, &rec) != FRZ_OK)
			continue;
		described++;
		frz_describe(dec, &rec, &desc);
		backslashes = 0;
		for (const char *p = desc.detail; *p; p++)
			backslashes += *p == '\\';
		/* nothing in it needs escaping but its own backslashes */
		good += frz_escape((const uint8_t *)desc.detail, strlen(desc.detail), NULL, 0) ==
				strlen(desc.detail) + backslashes &&
			memchr(desc.name, 0, sizeof(desc.name));
	}
	ok(described > 10000, "%u forged calls got past the decoder", described);
	is_int(good, described, "each is described in printable text");
}

static void uring(void)
{
	fresh();
	CALL(X64, "read", 512, L(3), L(4096), L(0x7000), L(512), L(0), L(0xabc));
	call.uring = true;
	call.nr = 22;
	with_fd(0);
	detail("offset=4096 user_data=0xabc");
	is_str(desc.name, "io_uring.read", "an operation's name");
	ok(desc.bytes == 512 && desc.read_instance == 30 && desc.fd == 3 && !desc.ent,
	   "its bytes and fd");
	path_is(desc.path, "/srv/data");
	call.nr = 23;
	call.ret = -28;
	detail("offset=4096 len=512 user_data=0xabc");
	is_str(desc.err, "ENOSPC", "a failed write");
	CALL(X64, "read", 3, L(-100), L(0), L(0x7000), L(0644), L(02000000), L(0));
	call.uring = true;
	call.nr = 18;
	with_path(2, "x", "/d");
	with_fd(FRZ_SLOT_RET);
	detail("O_RDONLY|O_CLOEXEC name=\"x\"");
	ok(desc.fd == 3 && desc.instance == 30, "openat's fd");
	CALL(X64, "read", 3, L(3));
	call.uring = true;
	call.nr = 200;
	describe();
	is_str(desc.name, "io_uring.200", "an opcode that is not known");
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* An import describes every event; the figure is for people, the bound is generous. */
static void speed(void)
{
	enum { TIMES = 200000 };
	uint8_t mem[32];
	struct frz_buf body = { .p = mem, .cap = sizeof(mem) };
	struct frz_record rec;
	double t;

	fresh();
	frz_buf_varint(&body, 7);
	frz_buf_varint(&body, 0);
	frz_buf_varint(&body, 0);
	frz_buf_zigzag(&body, 1);
	frz_buf_varint(&body, 5);
	frz_buf_zigzag(&body, 3);
	frz_buf_zigzag(&body, 1);
	frz_enc_att(&body, FRZ_A_FD, 0, 0);
	record(FRZ_R_SYSCALL, &body, &rec);
	t = seconds();
	for (unsigned i = 0; i < TIMES; i++)
		frz_describe(dec, &rec, &desc);
	t = (seconds() - t) / TIMES * 1e9;
	ok(t < 3000, "a read is described in %.0f ns", t);
}

int main(void)
{
	dec = frz_decoder_new();
	if (!dec)
		bail_out("no memory");
	transfers();
	opens();
	names();
	sockets();
	processes();
	memory_and_commands();
	structures();
	hostile();
	forged();
	uring();
	speed();
	frz_decoder_free(dec);
	return tap_done();
}
