/* mapped.c - files that a target has mapped shared (contract in mapped.h). */
#include "mapped.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "describe.h"
#include "fdtable.h"

#define FOLLOWED_MAX	     256u /* of one process */
#define HELD_MAX	     256  /* fds, of all */
#define REMAP_DONTUNMAP_FLAG 4u	  /* linux/mman.h */
#define PAGE_MASK	     4095ull

struct state {
	uint64_t size;
	struct statx_timestamp mtime, ctime;
};

/* The file behind one mapping or several: a fork shares it. */
struct held {
	unsigned refs;
	int fd; /* O_PATH; -1: could not be had */
	char *path;
};

struct mapping {
	struct mapping *next;
	uint64_t start, end;
	bool writable, inherited, looked;
	struct state was;
	struct held *file;
};

static int held_fds;

static void drop_held(struct held *h)
{
	if (--h->refs)
		return;
	if (h->fd >= 0) {
		close(h->fd);
		held_fds--;
	}
	free(h->path);
	free(h);
}

static bool look(int fd, struct state *s)
{
	struct statx st;

	if (fd < 0 || statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_BASIC_STATS, &st) < 0)
		return false;
	*s = (struct state){ st.stx_size, st.stx_mtime, st.stx_ctime };
	return true;
}

static bool same_time(const struct statx_timestamp *a, const struct statx_timestamp *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static struct mapping *follow(struct capture *c, struct tracee *t, uint64_t start, uint64_t len,
			      int fd, const char *path, size_t path_len)
{
	struct mapping *m = calloc(1, sizeof(*m));
	struct held *h = calloc(1, sizeof(*h));
	unsigned n = 0;

	for (const struct mapping *o = t->proc->mapped; o; o = o->next)
		n++;
	if (n < FOLLOWED_MAX && m && h && (h->path = strndup(path, path_len))) {
		h->refs = 1;
		h->fd = fd;
		held_fds += fd >= 0;
		*m = (struct mapping){ .next = t->proc->mapped,
				       .start = start,
				       .end = start + ((len + PAGE_MASK) & ~PAGE_MASK),
				       .file = h };
		m->looked = look(fd, &m->was);
		t->proc->mapped = m;
		return m;
	}
	free(m);
	free(h);
	if (fd >= 0)
		close(fd);
	capture_coverage(c, t->proc->pid, t->tid, "shared mapping not followed", 1,
			 n < FOLLOWED_MAX ? "no memory" : "more than 256");
	return NULL;
}

static void note_writable(struct capture *c, struct tracee *t, struct mapping *m, const char *by)
{
	char detail[4400];

	m->writable = true;
	snprintf(detail, sizeof(detail), "%s%s", m->file->path, by);
	capture_coverage(c, t->proc->pid, t->tid, "writable shared mapping", 1, detail);
}

/* The mapping is over: what became of the file meanwhile. */
static void conclude(struct capture *c, const struct process *p, const struct mapping *m,
		     const char *how)
{
	char detail[4700], from[FRZ_TIME_MAX], to[FRZ_TIME_MAX];
	struct state is;
	bool known = m->looked && look(m->file->fd, &is);
	const char *what = "mapped file not seen to change";
	int n = snprintf(detail, sizeof(detail), "%s", m->file->path);
	size_t at = n > 0 && (size_t)n < sizeof(detail) ? (size_t)n : sizeof(detail) - 1;

	if (!known) {
		what = "mapped file not looked at again";
	} else if (is.size != m->was.size || !same_time(&is.mtime, &m->was.mtime) ||
		   !same_time(&is.ctime, &m->was.ctime)) {
		what = "mapped file changed";
		frz_time_text(m->was.mtime.tv_sec, m->was.mtime.tv_nsec, from);
		frz_time_text(is.mtime.tv_sec, is.mtime.tv_nsec, to);
		n = snprintf(detail + at, sizeof(detail) - at,
			     ": size %" PRIu64 " to %" PRIu64 ", mtime %s to %s", m->was.size,
			     is.size, from, to);
		at += n > 0 ? (size_t)n : 0;
	}
	if (at < sizeof(detail))
		snprintf(detail + at, sizeof(detail) - at, " (%s)", how);
	capture_coverage(c, p->pid, 0, what, 1, detail);
}

static void forget(struct mapping *m)
{
	drop_held(m->file);
	free(m);
}

/* [start, end) is mapped no more, wholly or in parts. */
static void cut_out(struct capture *c, struct process *p, uint64_t start, uint64_t end,
		    const char *how)
{
	for (struct mapping **at = &p->mapped; *at;) {
		struct mapping *m = *at;

		if (m->end <= start || end <= m->start) {
			at = &m->next;
		} else if (start <= m->start && m->end <= end) {
			*at = m->next;
			if (m->writable)
				conclude(c, p, m, how);
			forget(m);
		} else if (start <= m->start) {
			m->start = end;
			at = &m->next;
		} else {
			struct mapping *rest = end < m->end ? malloc(sizeof(*rest)) : NULL;

			if (rest) {
				*rest = *m;
				rest->start = end;
				rest->file->refs++;
				m->next = rest;
			}
			m->end = start;
			at = &m->next;
		}
	}
}

/* The file that fd of the tracee is; -1: not one that can be written to. */
static int hold(pid_t tid, int fd, bool *may_write)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)tid, fd);
	/* how it was opened: proc_pid_fd(5) */
	*may_write = lstat(path, &st) == 0 && (st.st_mode & S_IWUSR);
	return *may_write && held_fds < HELD_MAX ? open(path, O_PATH | O_CLOEXEC) : -1;
}

static void mapped_new(struct capture *c, struct tracee *t, const struct fdent *fd, uint64_t addr)
{
	const struct pending *p = &t->call;
	struct mapping *m;
	bool may_write;
	int held;

	cut_out(c, t->proc, addr, addr + (uint64_t)p->arg[1], "mapped over");
	if (!(p->arg[3] & MAP_SHARED) || (p->arg[3] & MAP_ANONYMOUS) || !fd || !fd->file.path)
		return;
	if (!strcmp(fd->file.path, "anon_inode:[io_uring]"))
		return; /* has its own entries in coverage */
	held = hold(t->tid, fd->fd, &may_write);
	if (!may_write)
		return;
	m = follow(c, t, addr, (uint64_t)p->arg[1], held, fd->file.path, fd->file.path_len);
	if (m && (p->arg[2] & PROT_WRITE))
		note_writable(c, t, m, "");
}

void mapped_call(struct capture *c, struct tracee *t, const struct fdent *fd, int64_t ret)
{
	const struct pending *p = &t->call;
	uint64_t addr = (uint64_t)p->arg[0], len = ((uint64_t)p->arg[1] + PAGE_MASK) & ~PAGE_MASK;

	switch (p->ent->effect) {
	case FRZ_FX_MMAP:
		mapped_new(c, t, fd, (uint64_t)ret);
		break;
	case FRZ_FX_MUNMAP:
		cut_out(c, t->proc, addr, addr + len, "munmap");
		break;
	case FRZ_FX_MPROTECT:
		for (struct mapping *m = (p->arg[2] & PROT_WRITE) ? t->proc->mapped : NULL; m;
		     m = m->next)
			if (!m->writable && m->start < addr + len && addr < m->end)
				note_writable(c, t, m, ", by mprotect");
		break;
	case FRZ_FX_MREMAP:
		for (struct mapping *m = t->proc->mapped; m; m = m->next)
			if (m->start <= addr && addr < m->end) {
				uint64_t to = (uint64_t)ret +
					      (((uint64_t)p->arg[2] + PAGE_MASK) & ~PAGE_MASK);

				if ((uint64_t)p->arg[3] & REMAP_DONTUNMAP_FLAG)
					break; /* private mappings only */
				m->start = (uint64_t)ret;
				m->end = to;
				break;
			}
		break;
	default:
		break;
	}
}

void mapped_at_attach(struct capture *c, struct tracee *t, const struct proc_mapping *pm)
{
	char path[4200];
	struct mapping *m;
	struct stat st;
	int fd = -1;

	if (!(pm->flags & MAP_SHARED) || pm->path[0] != '/' ||
	    !strncmp(pm->path, "/dev/zero (", 11) || !strncmp(pm->path, "/SYSV", 5))
		return; /* shared memory without a file */
	snprintf(path, sizeof(path), "/proc/%d/root%s", (int)t->tid, pm->path);
	if (held_fds < HELD_MAX)
		fd = open(path, O_PATH | O_CLOEXEC | O_NOFOLLOW);
	if (fd >= 0 && (fstat(fd, &st) < 0 || st.st_ino != pm->ino ||
			major(st.st_dev) != pm->dev_major || minor(st.st_dev) != pm->dev_minor)) {
		close(fd); /* another file by that name now */
		fd = -1;
	}
	m = follow(c, t, pm->start, pm->len, fd, pm->path, strlen(pm->path));
	if (m && (pm->prot & PROT_WRITE))
		note_writable(c, t, m, ", mapped before frec attached");
}

void mapped_forked(struct tracee *child, const struct tracee *parent)
{
	struct mapping **last = &child->proc->mapped;

	for (const struct mapping *m = parent->proc->mapped; m; m = m->next) {
		struct mapping *copy = malloc(sizeof(*copy));

		if (!copy)
			return;
		*copy = *m;
		copy->next = NULL;
		copy->inherited = true;
		copy->file->refs++;
		copy->looked = look(copy->file->fd, &copy->was);
		*last = copy;
		last = &copy->next;
	}
}

void mapped_end(struct capture *c, struct process *p, const char *how)
{
	unsigned inherited = 0;
	char detail[4400];

	for (const struct mapping *m = p->mapped; m; m = m->next)
		if (m->inherited && m->writable && !inherited++)
			snprintf(detail, sizeof(detail), "%s, inherited", m->file->path);
	if (inherited)
		capture_coverage(c, p->pid, 0, "writable shared mapping", inherited, detail);
	while (p->mapped) {
		struct mapping *m = p->mapped;
		struct state is;

		p->mapped = m->next;
		/* of those that came with a fork, only what happened is told */
		if (m->writable && (!m->inherited || (m->looked && look(m->file->fd, &is) &&
						      !same_time(&is.mtime, &m->was.mtime))))
			conclude(c, p, m, how);
		forget(m);
	}
}
