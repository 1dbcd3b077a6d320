/*
 * resolve.h - what the kernel says an fd or path of a stopped tracee is.
 *
 * Only through /proc/TID/fd, /proc/TID/cwd and /proc/TID/root, never by following the
 * target's strings or symlinks in frec's own name space. Sockets are looked at through
 * pidfd_getfd(2) (Linux 5.6), the duplicate closed at once.
 */
#ifndef FREC_RESOLVE_H
#define FREC_RESOLVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "record.h"

struct process;

struct sockinfo {
	uint16_t family, type, protocol;
	uint16_t local_len, peer_len;
	uint64_t cookie;
	uint8_t local[128], peer[128];
};

/* A file as found. `f` holds the numbers; strings and addresses stand beside it until
 * emit.c declares them. */
struct fileinfo {
	struct frz_file f;
	char *path; /* owned; NULL when only numbers are known */
	uint32_t path_len;
	struct sockinfo *sock; /* owned; NULL: not a socket, or could not be looked at */
};

void fileinfo_release(struct fileinfo *fi);

/* /proc/TID/fd/FD: link text and statx. False with errno when it is not open (ENOENT) or
 * cannot be looked at. For a socket, addresses too; *duplicated says that the fd was
 * duplicated into frec to see them (observer ledger). */
bool resolve_fd(struct process *p, pid_t tid, int fd, struct fileinfo *out, bool *duplicated);
/* The same for the program that tid runs (/proc/TID/exe). */
bool resolve_exe(pid_t tid, struct fileinfo *out);
/* Reads a socket's addresses again (after connect, bind); fi is what it was. */
bool resolve_socket(struct process *p, pid_t tid, int fd, struct fileinfo *fi);
/* An IP socket that was never bound: the first datagram it sends gives it its port. */
bool socket_without_port(const struct fileinfo *fi);
/* Offset and open flags (with O_CLOEXEC) from fdinfo; -1 when not to be had. */
void resolve_fdinfo(pid_t tid, int fd, int64_t *flags, int64_t *position);
/* The file at path (n bytes, as the tracee passed it) relative to dirfd (AT_FDCWD: cwd);
 * follow: a symlink at the end. Found as the tracee would find it (walk.h); out->path is the
 * kernel's, whatever symlinks and dots led there. */
bool resolve_path(pid_t tid, int dirfd, const uint8_t *path, size_t n, bool follow,
		  struct fileinfo *out);
/* The same file opened to be read (only a regular one); -1 with errno. */
int resolve_open(pid_t tid, int dirfd, const uint8_t *path, size_t n, bool follow);
int resolve_open_fd(pid_t tid, int fd); /* of an open fd; the program run: fd -1 */
/* Whether a root other than "/" is about: to be called for a process that is met, and for one that
 * may have changed its root. */
void resolve_note_root(pid_t tid);
/* The directory that a path (n bytes) begins at, as the kernel names it: that of dirfd or AT_FDCWD,
 * or for an absolute one the program's root, 0 when that is "/". Its length, or -1 with errno. */
ssize_t resolve_base(pid_t tid, int dirfd, const uint8_t *path, size_t n, char *buf, size_t cap);
/* A number that differs, almost certainly, for files that fileinfo_same tells apart and that
 * have the same inode number. */
uint32_t fileinfo_check(const struct fileinfo *fi);
/* The same file (device, inode, and for sockets and pipes the link text)? */
bool fileinfo_same(const struct fileinfo *a, const struct fileinfo *b);

#endif
