/* io.c - every way to move bytes through an fd, once or a few times, in a fixed order. */
#include "account.h"

#include <sys/socket.h>
#include <sys/uio.h>

static char data[65536];

static void plain_files(void)
{
	const char *a = in_cwd("a"), *b = in_cwd("b"), *c = in_cwd("c");
	struct iovec iov[3] = {
		{ data, 100 },
		{ data + 100, 0 },
		{ data + 200, 4000 },
	};
	int fa, fb, fc;
	loff_t off;

#ifdef SYS_creat
	fa = MUST(OPEN("creat", a, SYS_creat, "a", 0640));
#else
	fa = MUST(OPEN("openat", a, SYS_openat, AT_FDCWD, "a", O_WRONLY | O_CREAT | O_TRUNC, 0640));
#endif
	IO("write", fa, a, NULL, SYS_write, fa, data, 5000);
	IO("write", fa, a, NULL, SYS_write, fa, data, 0);
	IO("writev", fa, a, NULL, SYS_writev, fa, iov, 3);
	IO("pwrite64", fa, a, NULL, SYS_pwrite64, fa, data, 70, ACC_OFFSET(123456));
	IO("read", fa, a, NULL, SYS_read, fa, data, 10); /* EBADF: write-only */
	OP("fsync", fa, a, NULL, SYS_fsync, fa);
	OP("close", fa, a, NULL, SYS_close, fa);
	OP("close", fa, NULL, NULL, SYS_close, fa); /* EBADF */

#ifdef SYS_open
	fb = MUST(OPEN("open", b, SYS_open, "b", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
	OPEN("open", NULL, SYS_open, "b", O_RDWR | O_CREAT | O_EXCL, 0600); /* EEXIST */
#else
	fb = MUST(OPEN("openat", b, SYS_openat, AT_FDCWD, "b", O_RDWR | O_CREAT | O_EXCL, 0600));
#endif
	fa = MUST(OPEN("openat", a, SYS_openat, AT_FDCWD, "a", O_RDONLY));
	IO("read", fa, a, NULL, SYS_read, fa, data, 4096);
	IO("read", fa, a, NULL, SYS_read, fa, data, 65536);
	IO("readv", fa, a, NULL, SYS_readv, fa, iov, 3);
	OP("lseek", fa, a, NULL, SYS_lseek, fa, 100, SEEK_SET);
	IO("pread64", fa, a, NULL, SYS_pread64, fa, data, 1000, ACC_OFFSET(123000));
	IO("preadv", fa, a, NULL, SYS_preadv, fa, iov, 3, 0L, 0L);
	IO("preadv2", fa, a, NULL, SYS_preadv2, fa, iov, 1, 50L, 0L, 0);
	IO("pwritev", fb, b, NULL, SYS_pwritev, fb, iov, 3, 10L, 0L);
	IO("pwritev2", fb, b, NULL, SYS_pwritev2, fb, iov, 3, 20L, 0L, 0);
	IO("sendfile", fb, b, a, SYS_sendfile, fb, fa, NULL, 3000);
	off = 10;
	IO("sendfile", fb, b, a, SYS_sendfile, fb, fa, &off, 200000); /* to the end: short */
	fc = MUST(OPEN("openat", c, SYS_openat, AT_FDCWD, "c", O_RDWR | O_CREAT | O_APPEND, 0666));
	IO("write", fc, c, NULL, SYS_write, fc, data, 17);
	OP("close", fc, c, NULL, SYS_close, fc);
	fc = MUST(OPEN("openat", c, SYS_openat, AT_FDCWD, "c", O_RDWR | O_TRUNC));
	OP("lseek", fb, b, NULL, SYS_lseek, fb, 0L, SEEK_SET);
	IO("copy_file_range", fb, b, c, SYS_copy_file_range, fb, NULL, fc, NULL, 4096L, 0);
	OP("ftruncate", fc, c, NULL, SYS_ftruncate, fc, 10L);
	OP("close", fc, c, NULL, SYS_close, fc);
	OP("close", fb, b, NULL, SYS_close, fb);
	OP("close", fa, a, NULL, SYS_close, fa);
}

static void duplicates(void)
{
	const char *d = in_cwd("d");
	int fd, e, f;

	fd = MUST(OPEN("openat", d, SYS_openat, AT_FDCWD, "d", O_RDWR | O_CREAT, 0644));
	e = MUST(OP("dup", fd, d, NULL, SYS_dup, fd));
	IO("write", e, d, NULL, SYS_write, e, data, 11);
#ifdef SYS_dup2
	OP("dup2", e, d, NULL, SYS_dup2, e, 40);
	OP("dup2", 40, d, NULL, SYS_dup2, 40, 40);
#else
	OP("dup3", e, d, NULL, SYS_dup3, e, 40, 0);
#endif
	IO("write", 40, d, NULL, SYS_write, 40, data, 12);
	OP("dup3", fd, d, NULL, SYS_dup3, fd, 41, O_CLOEXEC);
	OP("dup3", fd, NULL, NULL, SYS_dup3, fd, fd, 0); /* EINVAL */
	f = MUST(OP("fcntl", 41, d, NULL, SYS_fcntl, 41, F_DUPFD, 50));
	IO("write", f, d, NULL, SYS_write, f, data, 13);
	f = MUST(OP("fcntl", 41, d, NULL, SYS_fcntl, 41, F_DUPFD_CLOEXEC, 60));
	IO("write", f, d, NULL, SYS_write, f, data, 14);
	OP("fcntl", 41, d, NULL, SYS_fcntl, 41, F_GETFL);
	OP("fcntl", 41, d, NULL, SYS_fcntl, 41, F_SETFD, 0);
#ifdef SYS_close_range
	OP("close_range", -1, NULL, NULL, SYS_close_range, 40, 60, 0);
	IO("write", 41, NULL, NULL, SYS_write, 41, data, 1); /* EBADF */
#endif
	OP("close", e, d, NULL, SYS_close, e);
	OP("close", fd, d, NULL, SYS_close, fd);
}

static void pipes_and_splices(void)
{
	const char *a = in_cwd("a"), *s = in_cwd("s");
	char r[PATH_MAX], w[PATH_MAX];
	struct iovec iov = { data, 500 };
	int p[2], q[2], fa, fs, sv[2];
	loff_t off = 100;

	MUST(OP("pipe2", -1, NULL, NULL, SYS_pipe2, p, O_CLOEXEC));
	snprintf(r, sizeof(r), "%s", link_of(p[0]));
	snprintf(w, sizeof(w), "%s", link_of(p[1]));
	IO("write", p[1], w, NULL, SYS_write, p[1], data, 300);
	IO("read", p[0], r, NULL, SYS_read, p[0], data, 1000);
	fa = MUST(OPEN("openat", a, SYS_openat, AT_FDCWD, "a", O_RDONLY));
	fs = MUST(OPEN("openat", s, SYS_openat, AT_FDCWD, "s", O_WRONLY | O_CREAT, 0644));
	IO("splice", fa, a, w, SYS_splice, fa, &off, p[1], NULL, 2000L, 0);
	IO("splice", p[0], r, s, SYS_splice, p[0], NULL, fs, NULL, 1500L, 0);
	IO("vmsplice", p[1], w, NULL, SYS_vmsplice, p[1], &iov, 1L, 0);
#ifdef SYS_pipe
	MUST(OP("pipe", -1, NULL, NULL, SYS_pipe, q));
#else
	MUST(OP("pipe2", -1, NULL, NULL, SYS_pipe2, q, 0));
#endif
	IO("tee", p[0], r, link_of(q[1]), SYS_tee, p[0], q[1], 400L, 0);
	IO("read", q[0], link_of(q[0]), NULL, SYS_read, q[0], data, 1000);
	OP("close", q[0], link_of(q[0]), NULL, SYS_close, q[0]);
	OP("close", q[1], link_of(q[1]), NULL, SYS_close, q[1]);
	OP("close", p[0], r, NULL, SYS_close, p[0]);
	OP("close", p[1], w, NULL, SYS_close, p[1]);
	OP("close", fa, a, NULL, SYS_close, fa);
	OP("close", fs, s, NULL, SYS_close, fs);

	MUST(OP("socketpair", -1, NULL, NULL, SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, sv));
	IO("write", sv[0], link_of(sv[0]), NULL, SYS_write, sv[0], data, 77);
	IO("sendto", sv[0], link_of(sv[0]), NULL, SYS_sendto, sv[0], data, 33, 0, NULL, 0);
	IO("recvfrom", sv[1], link_of(sv[1]), NULL, SYS_recvfrom, sv[1], data, 50, 0, NULL, NULL);
	IO("read", sv[1], link_of(sv[1]), NULL, SYS_read, sv[1], data, 500);
	IO("recvfrom", sv[1], link_of(sv[1]), NULL, SYS_recvfrom, sv[1], data, 50, MSG_DONTWAIT,
	   NULL, NULL); /* EAGAIN */
	OP("close", sv[0], link_of(sv[0]), NULL, SYS_close, sv[0]);
	OP("close", sv[1], link_of(sv[1]), NULL, SYS_close, sv[1]);
}

int main(int argc, char **argv)
{
	size_t i;

	for (i = 0; i < sizeof(data); i++)
		data[i] = (char)('a' + i % 26);
	acc_start(argc, argv);
	plain_files();
	duplicates();
	pipes_and_splices();
	acc_end();
	return 0;
}
