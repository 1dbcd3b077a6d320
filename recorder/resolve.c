/* resolve.c - what the kernel says an fd or path of a stopped tracee is (contract in resolve.h). */
#include "resolve.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tracee.h"
#include "walk.h"

#ifndef PIDFD_THREAD
#define PIDFD_THREAD O_EXCL /* linux/pidfd.h */
#endif
#define PROC_PATH_MAX  64
#define LINK_MAX_BYTES 8192 /* "/proc" may name longer paths than PATH_MAX for deleted files */

static const char deleted_mark[] = " (deleted)";
static const char too_long[] = "(a path longer than 4095 bytes)";

void fileinfo_release(struct fileinfo *fi)
{
	free(fi->path);
	free(fi->sock);
	fi->path = NULL;
	fi->sock = NULL;
}

static char *put_dec(char *p, unsigned v)
{
	char tmp[12];
	size_t n = 0;

	do
		tmp[n++] = (char)('0' + v % 10);
	while (v /= 10);
	while (n)
		*p++ = tmp[--n];
	return p;
}

/* "/proc/TID/what" [ "/" N ]: by hand, for it is made at every open. */
static char *proc_path(char buf[PROC_PATH_MAX], pid_t tid, const char *what, int n)
{
	char *p = buf;

	memcpy(p, "/proc/", 6);
	p = put_dec(p + 6, (unsigned)tid);
	*p++ = '/';
	p = stpcpy(p, what);
	if (n >= 0) {
		*p++ = '/';
		p = put_dec(p, (unsigned)n);
	}
	*p = '\0';
	return p;
}

/* A file server may say anything; a time with more nanoseconds than a second is none. */
static struct frz_time take_time(struct frz_file *f, uint32_t part,
				 const struct statx_timestamp *at)
{
	if (at->tv_nsec >= 1000000000u)
		return (struct frz_time){ 0 };
	f->mask |= part;
	return (struct frz_time){ at->tv_sec, at->tv_nsec };
}

static void take_statx(struct frz_file *f, const struct statx *st)
{
	f->mask |= FRZ_F_DEV;
	f->dev_major = st->stx_dev_major;
	f->dev_minor = st->stx_dev_minor;
	if (st->stx_mask & (STATX_TYPE | STATX_MODE)) {
		f->mask |= FRZ_F_MODE;
		f->mode = st->stx_mode;
	}
	if (st->stx_mask & STATX_UID) {
		f->mask |= FRZ_F_OWNER;
		f->uid = st->stx_uid;
		f->gid = st->stx_gid;
	}
	if (st->stx_mask & STATX_INO) {
		f->mask |= FRZ_F_INO;
		f->ino = st->stx_ino;
	}
	if (st->stx_mask & STATX_SIZE) {
		f->mask |= FRZ_F_SIZE;
		f->size = st->stx_size;
	}
	if (st->stx_mask & STATX_NLINK) {
		f->mask |= FRZ_F_NLINK;
		f->nlink = st->stx_nlink;
	}
	if (st->stx_mask & STATX_MTIME)
		f->mtime = take_time(f, FRZ_F_MTIME, &st->stx_mtime);
	if (st->stx_mask & STATX_CTIME)
		f->ctime = take_time(f, FRZ_F_CTIME, &st->stx_ctime);
	if (st->stx_mask & STATX_BTIME)
		f->btime = take_time(f, FRZ_F_BTIME, &st->stx_btime);
#ifdef STATX_MNT_ID
	if (st->stx_mask & STATX_MNT_ID) {
		f->mask |= FRZ_F_MNT;
		f->mnt_id = st->stx_mnt_id;
	}
#endif
	if (S_ISCHR(st->stx_mode) || S_ISBLK(st->stx_mode)) {
		f->mask |= FRZ_F_RDEV;
		f->rdev_major = st->stx_rdev_major;
		f->rdev_minor = st->stx_rdev_minor;
	}
}

#ifndef STATX_MNT_ID
#define STATX_MNT_ID 0
#endif
/* What a file server has said lately is good enough: a target must not wait for a server that
 * hangs, and the server may be a target itself. */
#define LOOK_FLAGS   (AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC)
#define STATX_WANTED (STATX_BASIC_STATS | STATX_BTIME | STATX_MNT_ID)

static bool set_path(struct fileinfo *fi, const char *p, size_t n)
{
	fi->path = malloc(n + 1);
	if (!fi->path)
		return false;
	memcpy(fi->path, p, n);
	fi->path[n] = '\0';
	fi->path_len = (uint32_t)n;
	fi->f.mask |= FRZ_F_PATH;
	return true;
}

/* A pidfd leads to the leader's file table: it may have ended, a thread may have one of its own.
 * So a thread's duplicate is checked, and looked for by way of the thread (Linux 6.9). */
static int duplicate(struct process *p, pid_t tid, int fd, const struct fileinfo *fi)
{
	struct stat st;
	int dup = -1, pidfd;

	if (p->pidfd == -1)
		p->pidfd = (int)syscall(SYS_pidfd_open, p->pid, 0);
	if (p->pidfd < 0)
		p->pidfd = -2;
	else
		dup = (int)syscall(SYS_pidfd_getfd, p->pidfd, fd, 0);
	if (tid == p->pid || (dup >= 0 && fstat(dup, &st) == 0 && st.st_ino == fi->f.ino))
		return dup;
	if (dup >= 0)
		close(dup);
	pidfd = (int)syscall(SYS_pidfd_open, tid, PIDFD_THREAD);
	if (pidfd < 0)
		return -1;
	dup = (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0);
	close(pidfd);
	return dup;
}

bool resolve_socket(struct process *p, pid_t tid, int fd, struct fileinfo *fi)
{
	struct sockinfo s = { 0 };
	socklen_t len;
	int v, dup = duplicate(p, tid, fd, fi);

	if (dup < 0)
		return false;
	len = sizeof(v);
	if (!getsockopt(dup, SOL_SOCKET, SO_DOMAIN, &v, &len))
		s.family = (uint16_t)v;
	len = sizeof(v);
	if (!getsockopt(dup, SOL_SOCKET, SO_TYPE, &v, &len))
		s.type = (uint16_t)v;
	len = sizeof(v);
	if (!getsockopt(dup, SOL_SOCKET, SO_ACCEPTCONN, &v, &len) && v)
		s.type |= FRZ_SOCK_LISTENS;
	len = sizeof(v);
	if (!getsockopt(dup, SOL_SOCKET, SO_PROTOCOL, &v, &len))
		s.protocol = (uint16_t)v;
	len = sizeof(s.cookie);
	if (getsockopt(dup, SOL_SOCKET, SO_COOKIE, &s.cookie, &len))
		s.cookie = 0;
	len = sizeof(s.local);
	if (!getsockname(dup, (struct sockaddr *)s.local, &len) && len <= sizeof(s.local))
		s.local_len = (uint16_t)len;
	len = sizeof(s.peer);
	if (!getpeername(dup, (struct sockaddr *)s.peer, &len) && len <= sizeof(s.peer))
		s.peer_len = (uint16_t)len;
	close(dup);
	if (!fi->sock)
		fi->sock = malloc(sizeof(s));
	if (!fi->sock)
		return false;
	*fi->sock = s;
	return true;
}

bool socket_without_port(const struct fileinfo *fi)
{
	const struct sockinfo *s = fi->sock;

	return s && (s->family == AF_INET || s->family == AF_INET6) && s->local_len >= 4 &&
	       !s->local[2] && !s->local[3];
}

/* Link text and statx of a magic link below /proc/TID. */
static bool resolve_link(const char *path, struct fileinfo *out)
{
	char link[LINK_MAX_BYTES];
	struct statx st;
	ssize_t n;

	memset(out, 0, sizeof(*out));
	n = readlink(path, link, sizeof(link));
	if (n < 0 && errno == ENAMETOOLONG) /* deeper than /proc can say; it is open all the same */
		n = (ssize_t)strlen(strcpy(link, too_long));
	if (n < 0)
		return false;
	if (statx(AT_FDCWD, path, LOOK_FLAGS, STATX_WANTED, &st) == 0)
		take_statx(&out->f, &st);
	if ((size_t)n > sizeof(deleted_mark) - 1 && link[0] == '/' && out->f.nlink == 0 &&
	    !memcmp(link + n - (sizeof(deleted_mark) - 1), deleted_mark,
		    sizeof(deleted_mark) - 1)) {
		n -= (ssize_t)sizeof(deleted_mark) - 1;
		out->f.mask |= FRZ_F_GONE;
	}
	if (!set_path(out, link, (size_t)n)) {
		errno = ENOMEM;
		return false;
	}
	return true;
}

bool resolve_fd(struct process *p, pid_t tid, int fd, struct fileinfo *out, bool *duplicated)
{
	char path[PROC_PATH_MAX];

	*duplicated = false;
	proc_path(path, tid, "fd", fd);
	if (!resolve_link(path, out))
		return false;
	if ((out->f.mask & FRZ_F_MODE) && S_ISSOCK(out->f.mode))
		*duplicated = resolve_socket(p, tid, fd, out);
	return true;
}

bool resolve_exe(pid_t tid, struct fileinfo *out)
{
	char path[PROC_PATH_MAX];

	proc_path(path, tid, "exe", -1);
	return resolve_link(path, out);
}

void resolve_fdinfo(pid_t tid, int fd, int64_t *flags, int64_t *position)
{
	char path[PROC_PATH_MAX], text[512];
	const char *at;
	ssize_t n;
	int in;

	*flags = *position = -1;
	proc_path(path, tid, "fdinfo", fd);
	in = open(path, O_RDONLY | O_CLOEXEC);
	if (in < 0)
		return;
	n = read(in, text, sizeof(text) - 1);
	close(in);
	if (n <= 0)
		return;
	text[n] = '\0';
	at = strstr(text, "pos:");
	if (at)
		*position = strtoll(at + 4, NULL, 10);
	at = strstr(text, "flags:");
	if (at)
		*flags = strtoll(at + 6, NULL, 8);
}

/* The directory behind dirfd or AT_FDCWD, as the kernel names it; its length, or -1 with errno. */
static ssize_t resolve_dir(pid_t tid, int dirfd, char *buf, size_t cap)
{
	char path[PROC_PATH_MAX];

	if (dirfd == AT_FDCWD)
		proc_path(path, tid, "cwd", -1);
	else if (dirfd >= 0)
		proc_path(path, tid, "fd", dirfd);
	else {
		errno = EBADF;
		return -1;
	}
	return readlink(path, buf, cap);
}

static bool roots_differ; /* most systems have but one: nobody need be asked for it */

static ssize_t root_of(pid_t tid, char *buf, size_t cap)
{
	char path[PROC_PATH_MAX];
	ssize_t n;

	proc_path(path, tid, "root", -1);
	n = readlink(path, buf, cap);
	return n == 1 ? 0 : n;
}

void resolve_note_root(pid_t tid)
{
	char root[2];

	roots_differ |= root_of(tid, root, sizeof(root)) > 0;
}

ssize_t resolve_base(pid_t tid, int dirfd, const uint8_t *path, size_t n, char *buf, size_t cap)
{
	if (n && path[0] == '/')
		return roots_differ ? root_of(tid, buf, cap) : 0;
	return resolve_dir(tid, dirfd, buf, cap);
}

bool resolve_path(pid_t tid, int dirfd, const uint8_t *path, size_t n, bool follow,
		  struct fileinfo *out)
{
	char own[PROC_PATH_MAX];
	int at = walk_path(tid, dirfd, path, n, follow);
	bool found;

	memset(out, 0, sizeof(*out));
	if (at < 0)
		return false;
	proc_path(own, getpid(), "fd", at);
	found = resolve_link(own, out);
	close(at);
	return found;
}

/* O_NONBLOCK: should it have become a fifo since it was looked at. O_NOATIME where the kernel
 * grants it, for reading it must not show. */
static int open_to_read(const char *path)
{
	const int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
	int fd = open(path, flags | O_NOATIME);

	return fd < 0 && errno == EPERM ? open(path, flags) : fd;
}

/* What the O_PATH fd `at`, which is closed, stands for. */
static int open_found(pid_t tid, int at)
{
	char own[PROC_PATH_MAX];
	int fd = -1;

	if (at < 0)
		return -1;
	proc_path(own, getpid(), "fd", at);
	if (walk_would_wait(tid, at))
		errno = EREMOTE;
	else
		fd = open_to_read(own);
	close(at);
	return fd;
}

int resolve_open(pid_t tid, int dirfd, const uint8_t *path, size_t n, bool follow)
{
	return open_found(tid, walk_path(tid, dirfd, path, n, follow));
}

int resolve_open_fd(pid_t tid, int fd)
{
	char path[PROC_PATH_MAX];

	proc_path(path, tid, fd < 0 ? "exe" : "fd", fd);
	return open_found(tid, open(path, O_PATH | O_CLOEXEC));
}

bool fileinfo_same(const struct fileinfo *a, const struct fileinfo *b)
{
	const uint32_t id = FRZ_F_DEV | FRZ_F_INO;

	if ((a->f.mask & id) == id && (b->f.mask & id) == id) {
		if (a->f.ino != b->f.ino || a->f.dev_major != b->f.dev_major ||
		    a->f.dev_minor != b->f.dev_minor)
			return false;
		/* anonymous inodes share one inode: only the text tells eventfd from epoll */
		if (!a->path || !b->path || a->path[0] == '/' || b->path[0] == '/')
			return true;
	}
	return a->path && b->path && a->path_len == b->path_len &&
	       !memcmp(a->path, b->path, a->path_len);
}

uint32_t fileinfo_check(const struct fileinfo *fi)
{
	uint32_t h = 2166136261u ^ fi->f.dev_major * 31 ^ fi->f.dev_minor;

	/* as in fileinfo_same: what has a device and a path is known by its inode */
	if (fi->path && (fi->path[0] != '/' || !(fi->f.mask & FRZ_F_INO)))
		for (uint32_t i = 0; i < fi->path_len; i++)
			h = (h ^ (uint8_t)fi->path[i]) * 16777619u;
	return h;
}
