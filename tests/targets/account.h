/*
 * account.h - how a traced program keeps its own account of the calls it makes.
 *
 * A target is called as `NAME ACCOUNT FOLDER [wait]`. It changes to FOLDER, with `wait` reads one
 * byte from its standard input (so that a tracer can attach first), does its calls and
 * appends its account to the file ACCOUNT when it ends, one line a call:
 *
 *     pid tid syscall fd ret bytes path path2
 *
 * - Separated by tabs; "*" is a value that the program does not know or claim, "-" is none.
 * - ret is a negated errno when the call failed. bytes is "-" for anything but a transfer.
 * - Paths are absolute, as the kernel resolved them when the fd was opened; bytes outside
 *   0x21..0x7e and the backslash are \xNN.
 * - Calls go straight to the kernel by number, so that libc cannot choose another.
 * - The lines of a process stand between two calls that nobody else makes:
 *   faccessat("/account/begin") and faccessat("/account/end").
 */
#ifndef TARGETS_ACCOUNT_H
#define TARGETS_ACCOUNT_H

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ACC_MAX (8u << 20)

static char *acc_file;	       /* absolute path of the account */
static char acc_cwd[PATH_MAX]; /* FOLDER, with symlinks resolved */
static char *acc_text;
static size_t acc_len;
static pthread_mutex_t acc_lock = PTHREAD_MUTEX_INITIALIZER;

/* Not every program uses all of it. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"

static _Noreturn void acc_die(const char *what)
{
	fprintf(stderr, "target: %s: %s\n", what, strerror(errno));
	_exit(99);
}

static void acc_path(char **p, const char *path)
{
	char *o = *p;

	*o++ = '\t';
	if (!path || !*path)
		*o++ = '*';
	for (; path && *path; path++) {
		unsigned char c = (unsigned char)*path;

		if (c > 0x20 && c < 0x7f && c != '\\')
			*o++ = (char)c;
		else
			o += sprintf(o, "\\x%02x", c);
	}
	*p = o;
}

/* fd -1: not claimed. path, path2: NULL is not claimed. */
static void acc_line(const char *name, int fd, long ret, bool transfer, const char *path,
		     const char *path2)
{
	char line[64 + 2 * 4 * PATH_MAX], *p = line;

	p += sprintf(p, "%d\t%ld\t%s\t", getpid(), syscall(SYS_gettid), name);
	p += fd < 0 ? sprintf(p, "*") : sprintf(p, "%d", fd);
	p += sprintf(p, "\t%ld\t", ret);
	p += transfer && ret >= 0 ? sprintf(p, "%ld", ret) : sprintf(p, "-");
	acc_path(&p, path);
	acc_path(&p, path2);
	*p++ = '\n';
	pthread_mutex_lock(&acc_lock);
	if (acc_len + (size_t)(p - line) > ACC_MAX) {
		errno = ENOSPC;
		acc_die("account");
	}
	memcpy(acc_text + acc_len, line, (size_t)(p - line));
	acc_len += (size_t)(p - line);
	pthread_mutex_unlock(&acc_lock);
}

/* A 64-bit offset of pread64 and pwrite64, which take two registers on i386; syscall(2). */
#if defined(__i386__)
#define ACC_OFFSET(n) (long)(n), 0L
#else
#define ACC_OFFSET(n) (long)(n)
#endif

/* The call itself: the result, or a negated errno. */
#define acc_call(...)                                                                              \
	({                                                                                         \
		long r_ = syscall(__VA_ARGS__);                                                    \
		r_ == -1 ? -(long)errno : r_;                                                      \
	})

/* A call that moves no bytes: OP("close", fd, path, NULL, SYS_close, fd). */
#define OP(name, fd, path, path2, ...)                                                             \
	({                                                                                         \
		const char *path_ = path, *path2_ = path2;                                         \
		long ret_ = acc_call(__VA_ARGS__);                                                 \
		acc_line(name, fd, ret_, false, path_, path2_);                                    \
		ret_;                                                                              \
	})
/* A call whose result is a number of bytes moved. */
#define IO(name, fd, path, path2, ...)                                                             \
	({                                                                                         \
		const char *path_ = path, *path2_ = path2;                                         \
		long ret_ = acc_call(__VA_ARGS__);                                                 \
		acc_line(name, fd, ret_, true, path_, path2_);                                     \
		ret_;                                                                              \
	})
/* A call whose result is an fd for path. */
#define OPEN(name, path, ...)                                                                      \
	({                                                                                         \
		long ret_ = acc_call(__VA_ARGS__);                                                 \
		acc_line(name, ret_ < 0 ? -1 : (int)ret_, ret_, false, path, NULL);                \
		(int)ret_;                                                                         \
	})

/* For a call whose failure would make the rest of the program pointless. */
#define MUST(expr)                                                                                 \
	({                                                                                         \
		long m_ = (expr);                                                                  \
		if (m_ < 0) {                                                                      \
			errno = (int)-m_;                                                          \
			acc_die(#expr);                                                            \
		}                                                                                  \
		(int)m_;                                                                           \
	})

/* acc_cwd "/" name, in one of eight buffers of this thread that take turns. */
static const char *in_cwd(const char *name)
{
	static __thread char buf[8][2 * PATH_MAX];
	static __thread unsigned turn;
	char *b = buf[turn++ % 8];

	snprintf(b, sizeof(buf[0]), "%s/%s", acc_cwd, name);
	return b;
}

/* What /proc/self/fd/N says: "pipe:[123]". Costs a readlink, which is not in the account. */
static const char *link_of(int fd)
{
	static __thread char buf[4][PATH_MAX];
	static __thread unsigned turn;
	char *b = buf[turn++ % 4], name[64];
	ssize_t n;

	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	n = readlink(name, b, sizeof(buf[0]) - 1);
	if (n < 0)
		return NULL;
	b[n] = '\0';
	return b;
}

/* Starts the account of this process; also what a forked child calls first. */
static void acc_begin(void)
{
	acc_len = 0;
	pthread_mutex_init(&acc_lock, NULL);
	syscall(SYS_faccessat, AT_FDCWD, "/account/begin", F_OK);
}

/* Ends it and writes it out. */
static void acc_end(void)
{
	int fd;

	syscall(SYS_faccessat, AT_FDCWD, "/account/end", F_OK);
	fd = open(acc_file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0 || write(fd, acc_text, acc_len) != (ssize_t)acc_len || close(fd) != 0)
		acc_die(acc_file);
	acc_len = 0;
}

static void acc_start(int argc, char **argv)
{
	char c;

	if (argc < 3) {
		fprintf(stderr, "usage: %s ACCOUNT FOLDER [wait]\n", argv[0]);
		_exit(98);
	}
	acc_file = argv[1];
	if (acc_file[0] != '/' || chdir(argv[2]) != 0 || !getcwd(acc_cwd, sizeof(acc_cwd)))
		acc_die(argv[2]);
	acc_text = malloc(ACC_MAX);
	if (!acc_text)
		acc_die("malloc");
	memset(acc_text, 0, 65536);
	if (argc > 3 && strcmp(argv[3], "wait") == 0 && read(0, &c, 1) != 1)
		acc_die("waiting");
	acc_begin();
}

#pragma GCC diagnostic pop

#endif
