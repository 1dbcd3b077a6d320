/*
 * walk.c - a path, walked as a stopped tracee would (contract in walk.h).
 *
 * The kernel would take an absolute symlink to frec's own root and /proc/self to be frec. So each
 * name is opened by itself (O_PATH: nothing is opened that counts), and symlinks are followed here.
 */
#include "walk.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>
#include <linux/magic.h>

#define LINKS_MAX     40 /* the kernel's own limit, path_resolution(7) */
#define PROC_ROOT_INO 1	 /* of the root of every procfs */
#define STEP	      (O_PATH | O_CLOEXEC)

struct walk {
	pid_t tid;
	int root, at; /* at: where it has got to */
	unsigned links;
	char rest[2 * PATH_MAX]; /* what is left of the path */
};

static int open_proc(pid_t tid, const char *what, int n)
{
	char path[64];

	if (n < 0)
		snprintf(path, sizeof(path), "/proc/%d/%s", (int)tid, what);
	else
		snprintf(path, sizeof(path), "/proc/%d/%s/%d", (int)tid, what, n);
	return open(path, STEP);
}

static bool step_to(struct walk *w, int fd)
{
	if (fd < 0)
		return false;
	if (w->at >= 0)
		close(w->at);
	w->at = fd;
	return true;
}

/* What is known of a file without asking whoever serves it. */
static bool look(int fd, struct statx *st)
{
	return statx(fd, "", AT_EMPTY_PATH | AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC,
		     STATX_TYPE | STATX_INO, st) == 0;
}

static bool at_root(const struct walk *w)
{
	struct statx a, b;

	return look(w->at, &a) && look(w->root, &b) && a.stx_ino == b.stx_ino &&
	       a.stx_dev_major == b.stx_dev_major && a.stx_dev_minor == b.stx_dev_minor;
}

static bool careful;

void walk_careful(void) { careful = true; }

/* Whether that device is a FUSE file system among the mounts of tid: proc_pid_mountinfo(5). */
static bool is_served(pid_t tid, unsigned major, unsigned minor)
{
	char path[64], *line = NULL;
	unsigned a, b;
	bool found = false;
	size_t cap = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/mountinfo", (int)tid);
	f = fopen(path, "re");
	while (f && !found && getline(&line, &cap, f) > 0) {
		const char *type = strstr(line, " - ");

		found = type && !strncmp(type + 3, "fuse", 4) &&
			sscanf(line, "%*s %*s %u:%u", &a, &b) == 2 && a == major && b == minor;
	}
	if (f)
		fclose(f);
	free(line);
	return found;
}

bool walk_would_wait(pid_t tid, int fd)
{
	struct statx st;

	return careful && look(fd, &st) && is_served(tid, st.stx_dev_major, st.stx_dev_minor);
}

/* What is left begins with the symlink's text from now on. */
static bool substitute(struct walk *w, int link)
{
	char text[PATH_MAX];
	ssize_t n = readlinkat(link, "", text, sizeof(text));
	size_t left = strlen(w->rest);

	if (n <= 0 || (size_t)n + 1 + left >= sizeof(w->rest)) {
		if (n >= 0)
			errno = ENAMETOOLONG;
		return false;
	}
	memmove(w->rest + n + 1, w->rest, left + 1);
	memcpy(w->rest, text, (size_t)n);
	w->rest[n] = '/';
	return text[0] != '/' || step_to(w, openat(w->root, ".", STEP));
}

/* The links of a process's folder in procfs lead to what they stand for, whatever their text says;
 * those at the top of procfs are text but for the two that mean whoever looks. */
static bool follow_link(struct walk *w, const char *name, int link)
{
	struct statfs fs;
	struct statx st;

	if (++w->links > LINKS_MAX) {
		errno = ELOOP;
		return false;
	}
	if (fstatfs(link, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC && look(w->at, &st)) {
		if (st.stx_ino != PROC_ROOT_INO)
			return step_to(w, openat(w->at, name, STEP));
		if (!strcmp(name, "self") || !strcmp(name, "thread-self"))
			return step_to(w, open_proc(w->tid, "", -1));
	}
	return substitute(w, link);
}

static bool walk_on(struct walk *w, bool follow)
{
	for (;;) {
		char name[NAME_MAX + 1];
		size_t skip = strspn(w->rest, "/"), n = strcspn(w->rest + skip, "/");
		bool last, good;
		struct statx st;
		int next;

		if (!n)
			return true;
		if (n > NAME_MAX) {
			errno = ENAMETOOLONG;
			return false;
		}
		memcpy(name, w->rest + skip, n);
		name[n] = '\0';
		memmove(w->rest, w->rest + skip + n, strlen(w->rest + skip + n) + 1);
		last = !*w->rest;
		if (!strcmp(name, "..") && at_root(w))
			continue;
		if (walk_would_wait(w->tid, w->at)) {
			errno = EREMOTE;
			return false;
		}
		next = openat(w->at, name, STEP | O_NOFOLLOW);
		if (next < 0)
			return false;
		if (look(next, &st) && S_ISLNK(st.stx_mode) && (!last || follow)) {
			good = follow_link(w, name, next);
			close(next);
		} else {
			good = step_to(w, next);
		}
		if (!good)
			return false;
	}
}

int walk_path(pid_t tid, int dirfd, const uint8_t *path, size_t n, bool follow)
{
	struct walk w = { .tid = tid, .at = -1 };
	int saved;

	if (n == 0 || n >= PATH_MAX || memchr(path, 0, n)) {
		errno = n ? ENAMETOOLONG : ENOENT;
		return -1;
	}
	memcpy(w.rest, path, n);
	w.rest[n] = '\0';
	w.root = open_proc(tid, "root", -1);
	if (w.root < 0)
		return -1;
	if (path[0] == '/')
		w.at = openat(w.root, ".", STEP);
	else
		w.at = dirfd == AT_FDCWD ? open_proc(tid, "cwd", -1) : open_proc(tid, "fd", dirfd);
	if (w.at >= 0 && !walk_on(&w, follow)) {
		saved = errno;
		close(w.at);
		w.at = -1;
		errno = saved;
	}
	saved = errno;
	close(w.root);
	errno = saved;
	return w.at;
}
