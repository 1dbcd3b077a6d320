/*
 * fds.c - descriptors as they are met, found changed, and ended: the one place where fd tables
 * change. The kernel is asked (readlink and statx of /proc/TID/fd/N) while the thread is stopped;
 * nothing is derived from what the program wanted.
 */
#include "capture_private.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "mem.h"
#include "uring.h"
#include "walk.h"

#define CLOSE_RANGE_UNSHARE_FLAG 2u /* linux/close_range.h */
#define CLOSE_RANGE_CLOEXEC_FLAG 4u
#define ATTACH_FDS_MAX		 4096u /* listed at attach; the rest is met at first use */

void fd_end(struct capture *c, struct fdtable *table, struct fdent *ent)
{
	if (fdtable_unbind(table, ent)) {
		emit_unbind(c->emit, ent);
		fdent_unref(ent);
	}
}

/* In a group of its own; ent NULL: nothing stood there. */
static void end_alone(struct capture *c, struct fdtable *table, struct fdent *ent)
{
	if (ent && emit_begin(c->emit, 0, 0)) {
		fd_end(c, table, ent);
		emit_commit(c->emit);
	}
}

static bool is_that(const struct sleeper *s, const struct fileinfo *file)
{
	return s->ino == file->f.ino && s->check == fileinfo_check(file);
}

static void note_changed(struct capture *c, const struct tracee *t)
{
	capture_coverage(c, t->proc->pid, t->tid, "fd changed unseen", 1,
			 "it means another file than when it was last used");
}

/* By such fds a process answers for its memory, or for files: frec must not wait for it. */
static void beware(const struct fileinfo *file)
{
	bool serves = file->path && !strcmp(file->path, "/dev/fuse");

	if (serves)
		walk_careful();
	if (serves || (file->path && (!strcmp(file->path, "anon_inode:[userfaultfd]") ||
				      !strcmp(file->path, "/dev/userfaultfd"))))
		mem_careful();
}

static struct fdent *bind(struct capture *c, struct tracee *t, int fd, struct fileinfo *file,
			  enum frz_bind_how how, uint64_t now_ns)
{
	struct fdent *old, *ent, *was = fdtable_get(t->fds, fd);

	if (!was)
		was = fdtable_wake(t->fds, fd, NULL);
	if (was)
		emit_unbind(c->emit, was);
	beware(file);
	ent = fdtable_bind(t->fds, fd, file, how, now_ns, &old);
	if (!ent)
		fileinfo_release(file);
	if (old)
		fdent_unref(old);
	return ent;
}

struct fdent *fd_new(struct capture *c, struct tracee *t, int fd, enum frz_bind_how how,
		     const struct fdent *parent, uint64_t now_ns)
{
	struct fileinfo file;
	struct fdent *ent;
	bool duplicated;

	if (!resolve_fd(t->proc, t->tid, fd, &file, &duplicated))
		return NULL;
	t->fds_inspected += duplicated;
	ent = bind(c, t, fd, &file, how, now_ns);
	if (ent && parent)
		ent->parent = parent->instance;
	return ent;
}

/* Looks again at a known fd. False: it is not that file any more (or not open). */
static bool still_same(struct tracee *t, struct fdent *ent)
{
	struct fileinfo now;
	bool duplicated, same;

	if (!resolve_fd(t->proc, t->tid, ent->fd, &now, &duplicated))
		return errno != ENOENT; /* not permitted any more: what was known stays */
	t->fds_inspected += duplicated;
	same = fileinfo_same(&ent->file, &now);
	if (same) {
		fileinfo_release(&ent->file);
		ent->file = now;
	} else {
		fileinfo_release(&now);
	}
	return same;
}

/* The instance that fd was in the table which this one was copied from; 0: not known. */
static uint64_t inherited_from(const struct fdtable *from, uint64_t forked_ns, int fd,
			       const struct fileinfo *file)
{
	const struct fdent *origin = fdtable_get(from, fd);
	struct sleeper s;

	if (origin)
		return origin->since_ns <= forked_ns && fileinfo_same(&origin->file, file) ?
			       origin->instance :
			       0;
	s = fdtable_asleep(from, fd);
	return s.instance && s.since_ns <= forked_ns && is_that(&s, file) ? s.instance : 0;
}

struct fdent *fd_entry(struct capture *c, struct tracee *t, int fd, uint64_t now_ns)
{
	struct sleeper asleep;
	struct fdtable *from;
	struct fileinfo file;
	struct fdent *ent;
	uint64_t forked_ns, parent = 0;
	bool duplicated;

	if (fd < 0)
		return NULL;
	ent = fdtable_get(t->fds, fd);
	if (ent && (ent->stale || (ent->segment != emit_segment(c->emit) && !ent->opening))) {
		if (still_same(t, ent)) {
			if (ent->stale && !ent->opening)
				ent->segment = 0;
			ent->stale = false;
		} else {
			end_alone(c, t->fds, ent);
			note_changed(c, t);
			ent = NULL;
		}
	}
	if (ent)
		return ent;
	asleep = fdtable_asleep(t->fds, fd);
	if (!resolve_fd(t->proc, t->tid, fd, &file, &duplicated)) {
		if (asleep.instance && errno == ENOENT)
			end_alone(c, t->fds, fdtable_wake(t->fds, fd, NULL));
		return NULL;
	}
	t->fds_inspected += duplicated;
	if (asleep.instance) {
		if (is_that(&asleep, &file)) {
			ent = fdtable_wake(t->fds, fd, &file);
			if (!ent)
				fileinfo_release(&file);
			return ent;
		}
		end_alone(c, t->fds, fdtable_wake(t->fds, fd, NULL));
		note_changed(c, t);
	}
	from = fdtable_origin(t->fds, &forked_ns);
	if (from)
		parent = inherited_from(from, forked_ns, fd, &file);
	if (!emit_begin(c->emit, 0, 0)) {
		fileinfo_release(&file);
		return NULL;
	}
	ent = bind(c, t, fd, &file, from ? FRZ_B_INHERIT : FRZ_B_FIRST_USE, now_ns);
	emit_commit(c->emit);
	if (ent) {
		resolve_fdinfo(t->tid, fd, &ent->flags, &ent->position);
		ent->parent = parent;
		uring_met(c, t, ent);
	}
	return ent;
}

void fds_split(struct tracee *t, uint64_t now_ns)
{
	struct fdtable *own;

	if (fdtable_users(t->fds) < 2)
		return;
	own = fdtable_new(t->fds, now_ns);
	if (!own)
		return;
	fdtable_use(own);
	fdtable_unref(own);
	fdtable_unuse(t->fds);
	t->fds = own;
	t->segment = 0; /* to be declared anew, with its table */
}

/* ---- several at once ---- */

struct ending {
	struct capture *c;
	struct fdtable *table;
};

static void end_one(void *arg, struct fdent *ent)
{
	struct ending *x = arg;

	/* close_range may end thousands: each gets a group of its own */
	emit_commit(x->c->emit);
	if (emit_begin(x->c->emit, 0, 0))
		fd_end(x->c, x->table, ent);
}

static void end_one_asleep(void *arg, int fd)
{
	struct ending *x = arg;
	struct fdent *ent = fdtable_wake(x->table, fd, NULL);

	if (ent)
		end_one(arg, ent);
}

void fds_close_range(struct capture *c, struct tracee *t, uint64_t now_ns)
{
	uint64_t lo = (uint32_t)t->call.arg[0], hi = (uint32_t)t->call.arg[1],
		 flags = (uint64_t)t->call.arg[2];
	struct ending x;

	if (flags & CLOSE_RANGE_UNSHARE_FLAG)
		fds_split(t, now_ns);
	if (flags & CLOSE_RANGE_CLOEXEC_FLAG)
		return;
	x = (struct ending){ c, t->fds };
	fdtable_each(t->fds, (int64_t)lo, (int64_t)hi, end_one, &x);
	fdtable_each_asleep(t->fds, (int64_t)lo, (int64_t)hi, end_one_asleep, &x);
}

struct exec_check {
	struct capture *c;
	struct tracee *t;
};

static void check_after_exec(void *arg, struct fdent *ent)
{
	struct exec_check *x = arg;

	if (!still_same(x->t, ent))
		end_alone(x->c, x->t->fds, ent);
}

static void check_asleep_after_exec(void *arg, int fd)
{
	struct exec_check *x = arg;
	struct sleeper s = fdtable_asleep(x->t->fds, fd);
	struct fileinfo now;
	bool duplicated, same = resolve_fd(x->t->proc, x->t->tid, fd, &now, &duplicated);

	if (same) {
		x->t->fds_inspected += duplicated;
		same = is_that(&s, &now);
		fileinfo_release(&now);
	}
	if (!same)
		end_alone(x->c, x->t->fds, fdtable_wake(x->t->fds, fd, NULL));
}

void fds_after_exec(struct capture *c, struct tracee *t)
{
	struct exec_check x = { c, t };

	fds_split(t, t->woke_ns); /* execve unshares the table: execve(2) */
	fdtable_each(t->fds, 0, INT32_MAX, check_after_exec, &x);
	fdtable_each_asleep(t->fds, 0, INT32_MAX, check_asleep_after_exec, &x);
}

void fds_at_attach(struct capture *c, struct tracee *t, uint64_t now_ns)
{
	char path[64], text[80];
	unsigned listed = 0;
	bool more = false;
	struct dirent *de;
	struct stat st;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)t->tid);
	dir = opendir(path);
	if (!dir) {
		capture_coverage(c, t->proc->pid, t->tid, "open fds not listed", 1,
				 strerror(errno));
		return;
	}
	while (!more && (de = readdir(dir))) {
		char *end;
		long fd = strtol(de->d_name, &end, 10);
		struct fileinfo file;
		struct fdent *ent;
		bool duplicated;

		if (*end || end == de->d_name || fdtable_get(t->fds, (int)fd))
			continue;
		more = listed == ATTACH_FDS_MAX; /* it waits: a million would take seconds */
		if (more)
			continue;
		if (!resolve_fd(t->proc, t->tid, (int)fd, &file, &duplicated))
			continue;
		t->fds_inspected += duplicated;
		if (!emit_begin(c->emit, 0, 0)) {
			fileinfo_release(&file);
			break;
		}
		ent = bind(c, t, (int)fd, &file, FRZ_B_ATTACH, now_ns);
		if (ent) {
			resolve_fdinfo(t->tid, (int)fd, &ent->flags, &ent->position);
			emit_bind(c->emit, ent);
			listed++;
		}
		emit_commit(c->emit);
		if (ent)
			uring_met(c, t, ent);
	}
	if (more && fstat(dirfd(dir), &st) == 0 &&
	    st.st_size > listed) { /* Linux 6.2: how many there are */
		snprintf(text, sizeof(text),
			 "%u of %" PRIu64 " fds are; the others are resolved at first use", listed,
			 (uint64_t)st.st_size);
		capture_coverage(c, t->proc->pid, t->tid, "open fds not listed",
				 (uint64_t)st.st_size - listed, text);
	} else if (more) {
		snprintf(text, sizeof(text),
			 "there are more than %u; the others are resolved at first use", listed);
		capture_coverage(c, t->proc->pid, t->tid, "open fds not listed", 1, text);
	}
	closedir(dir);
}

/* ---- calls that end what others use ---- */

void fds_note_ending(struct tracee *t)
{
	struct pending *p = &t->call;
	int64_t lo = p->arg[0], hi = lo;

	if (fdtable_users(t->fds) < 2)
		return;
	if (p->ent->effect == FRZ_FX_CLOSE_RANGE)
		hi = (uint32_t)p->arg[1];
	else if (p->ent->effect == FRZ_FX_DUP && p->ent->nargs > 1)
		lo = hi = p->arg[1]; /* dup2, dup3 */
	else if (p->ent->effect != FRZ_FX_CLOSE)
		return;
	fdtable_ending(t->fds, t->tid, lo, hi);
	p->ends_fds = true;
}

void fds_in_doubt(struct capture *c, struct tracee *t, bool returned)
{
	struct pending *p = &t->call;
	const struct fdent *ent = NULL;

	if (p->ends_fds)
		fdtable_ended(t->fds, t->tid);
	p->ends_fds = false;
	if (!returned || !p->wanted || !p->ent || p->ent->effect == FRZ_FX_CLOSE ||
	    fdtable_users(t->fds) < 2)
		return;
	for (uint32_t i = 0; i < t->nitems && !ent; i++)
		if (t->items[i].kind == FRZ_A_FD && t->items[i].ent &&
		    (!t->items[i].ent->bound || fdtable_is_ending(t->fds, t->items[i].ent->fd)))
			ent = t->items[i].ent;
	if (!ent)
		return;
	item_text(t, FRZ_A_SIGN, FRZ_SLOT_NONE, "another thread was replacing this fd");
	capture_coverage(c, t->proc->pid, t->tid, "fd replaced while in use", 1,
			 "which file such a call meant is not certain");
}
