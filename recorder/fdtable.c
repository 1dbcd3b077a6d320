/* fdtable.c - the identity of descriptors per file table (contract in fdtable.h). */
#include "fdtable.h"

#include <stdlib.h>
#include <string.h>

#define ENDING_KEEP 8u

struct fdtable {
	unsigned refs, users;
	uint64_t id;
	struct fdtable *origin;
	uint64_t forked_ns;
	/* open addressing by fd, linear probing; removal shifts back, so there are no tombstones */
	struct fdent **slot;
	uint32_t mask, used;
	struct sleeper *asleep; /* likewise; NULL: none yet */
	uint32_t asleep_mask, nasleep;
	struct {
		pid_t tid;
		int64_t lo, hi;
	} ending[ENDING_KEEP];
	unsigned nending, more_ending; /* more: of which nothing is known but that they are */
};

#define FIRST_SLOTS  16u
#define FIRST_ASLEEP 64u
#ifndef AWAKE_MAX
#define AWAKE_MAX 2048u
#endif
#define LOOKED_AT 64u /* entries at most, each time one too many is awake */

static uint64_t next_table = 1, next_instance = 1;
static struct fdent *hand; /* one of those awake, in a ring */
static unsigned nawake;

struct fdtable *fdtable_new(struct fdtable *origin, uint64_t forked_ns)
{
	struct fdtable *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->slot = calloc(FIRST_SLOTS, sizeof(struct fdent *));
	if (!t->slot) {
		free(t);
		return NULL;
	}
	t->mask = FIRST_SLOTS - 1;
	t->refs = 1;
	t->id = next_table++;
	t->forked_ns = forked_ns;
	if (origin) {
		t->origin = origin;
		fdtable_ref(origin);
	}
	return t;
}

void fdtable_ref(struct fdtable *t) { t->refs++; }

/* ---- who is awake ---- */

static void join_ring(struct fdtable *t, struct fdent *e)
{
	e->bound = e->used = true;
	e->in = t;
	if (hand) {
		e->round[0] = hand;
		e->round[1] = hand->round[1];
		hand->round[1]->round[0] = e;
		hand->round[1] = e;
	} else {
		hand = e->round[0] = e->round[1] = e;
	}
	nawake++;
}

static void leave_ring(struct fdent *e)
{
	e->bound = false;
	e->in = NULL;
	if (hand == e)
		hand = e->round[0] == e ? NULL : e->round[0];
	e->round[0]->round[1] = e->round[1];
	e->round[1]->round[0] = e->round[0];
	nawake--;
}

static void drop_origin(struct fdtable *t)
{
	if (t->origin) {
		struct fdtable *o = t->origin;

		t->origin = NULL;
		fdtable_unref(o);
	}
}

void fdtable_unref(struct fdtable *t)
{
	if (--t->refs)
		return;
	for (uint32_t i = 0; i <= t->mask; i++)
		if (t->slot[i]) {
			leave_ring(t->slot[i]);
			fdent_unref(t->slot[i]);
		}
	drop_origin(t);
	free(t->slot);
	free(t->asleep);
	free(t);
}

uint64_t fdtable_id(const struct fdtable *t) { return t->id; }

void fdtable_use(struct fdtable *t)
{
	t->users++;
	fdtable_ref(t);
}

void fdtable_unuse(struct fdtable *t)
{
	/* only who uses it asks what it was copied from; chains of forks would pile up */
	if (--t->users == 0)
		drop_origin(t);
	fdtable_unref(t);
}

unsigned fdtable_users(const struct fdtable *t) { return t->users; }

struct fdtable *fdtable_origin(const struct fdtable *t, uint64_t *forked_ns)
{
	*forked_ns = t->forked_ns;
	return t->origin;
}

static uint32_t home(const struct fdtable *t, int fd) { return (uint32_t)fd & t->mask; }

static uint32_t find(const struct fdtable *t, int fd)
{
	uint32_t i = home(t, fd);

	while (t->slot[i] && t->slot[i]->fd != fd)
		i = (i + 1) & t->mask;
	return i;
}

struct fdent *fdtable_get(const struct fdtable *t, int fd)
{
	struct fdent *e = t->slot[find(t, fd)];

	if (e)
		e->used = true;
	return e;
}

static bool grow(struct fdtable *t)
{
	struct fdent **old = t->slot;
	uint32_t n = t->mask + 1;
	struct fdent **bigger = calloc((size_t)n * 2, sizeof(struct fdent *));

	if (!bigger)
		return false;
	t->slot = bigger;
	t->mask = n * 2 - 1;
	for (uint32_t i = 0; i < n; i++)
		if (old[i])
			t->slot[find(t, old[i]->fd)] = old[i];
	free(old);
	return true;
}

static void remove_at(struct fdtable *t, uint32_t i)
{
	uint32_t j = i;

	t->slot[i] = NULL;
	t->used--;
	for (;;) {
		uint32_t h;

		j = (j + 1) & t->mask;
		if (!t->slot[j])
			return;
		h = home(t, t->slot[j]->fd);
		/* may slot j's entry stand in the hole at i? only if its home is not in (i, j] */
		if (i <= j ? (h > i && h <= j) : (h > i || h <= j))
			continue;
		t->slot[i] = t->slot[j];
		t->slot[j] = NULL;
		i = j;
	}
}

/* ---- sleepers ---- */

static uint32_t find_asleep(const struct fdtable *t, int fd)
{
	uint32_t i = (uint32_t)fd & t->asleep_mask;

	while (t->asleep[i].instance && t->asleep[i].fd != fd)
		i = (i + 1) & t->asleep_mask;
	return i;
}

static bool grow_asleep(struct fdtable *t)
{
	struct sleeper *old = t->asleep, *bigger;
	uint32_t n = old ? t->asleep_mask + 1 : 0, size = n ? n * 2 : FIRST_ASLEEP;

	bigger = calloc(size, sizeof(*bigger));
	if (!bigger)
		return false;
	t->asleep = bigger;
	t->asleep_mask = size - 1;
	for (uint32_t i = 0; i < n; i++)
		if (old[i].instance)
			t->asleep[find_asleep(t, old[i].fd)] = old[i];
	free(old);
	return true;
}

static void remove_asleep(struct fdtable *t, uint32_t i)
{
	uint32_t j = i;

	t->nasleep--;
	for (;;) {
		uint32_t h;

		t->asleep[i].instance = 0;
		do {
			j = (j + 1) & t->asleep_mask;
			if (!t->asleep[j].instance)
				return;
			h = (uint32_t)t->asleep[j].fd & t->asleep_mask;
		} while (i <= j ? (h > i && h <= j) : (h > i || h <= j));
		t->asleep[i] = t->asleep[j];
		i = j;
	}
}

struct sleeper fdtable_asleep(const struct fdtable *t, int fd)
{
	return t->nasleep ? t->asleep[find_asleep(t, fd)] : (struct sleeper){ 0 };
}

/* What was never declared is simply forgotten: it is met again at its next use. */
static void put_to_sleep(struct fdent *e)
{
	struct fdtable *t = e->in;

	if (!e->opening) {
		if ((!t->asleep || (t->nasleep + 1) * 4 > (t->asleep_mask + 1) * 3) &&
		    !grow_asleep(t))
			return;
		t->asleep[find_asleep(t, e->fd)] = (struct sleeper){
			.instance = e->instance,
			.ino = e->file.f.ino,
			.since_ns = e->since_ns,
			.check = fileinfo_check(&e->file),
			.fd = e->fd,
			.flags = (int32_t)e->flags,
		};
		t->nasleep++;
	}
	remove_at(t, find(t, e->fd));
	leave_ring(e);
	fdent_unref(e);
}

static void keep_few_awake(const struct fdent *but)
{
	for (unsigned i = 0; i < LOOKED_AT && nawake > AWAKE_MAX; i++) {
		struct fdent *e = hand;

		hand = e->round[0];
		if (e->used || e->refs > 1 || e == but)
			e->used = false;
		else
			put_to_sleep(e);
	}
}

void fdtable_each_asleep(struct fdtable *t, int64_t lo, int64_t hi, void (*fn)(void *arg, int fd),
			 void *arg)
{
	uint32_t n = 0;
	int *fds;

	if (!t->nasleep)
		return;
	fds = malloc(t->nasleep * sizeof(*fds));
	if (!fds)
		return;
	for (uint32_t i = 0; i <= t->asleep_mask; i++)
		if (t->asleep[i].instance && t->asleep[i].fd >= lo && t->asleep[i].fd <= hi)
			fds[n++] = t->asleep[i].fd;
	for (uint32_t i = 0; i < n; i++)
		fn(arg, fds[i]);
	free(fds);
}

/* ---- entries ---- */

static struct fdent *new_entry(struct fdtable *t, int fd)
{
	struct fdent *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	if (t->used * 2 > t->mask && !grow(t)) {
		free(e);
		return NULL;
	}
	e->refs = 1;
	e->fd = fd;
	e->table = t->id;
	e->flags = e->position = -1;
	return e;
}

/* What stood there, not yet unreferenced. */
static struct fdent *put_entry(struct fdtable *t, struct fdent *e)
{
	uint32_t i = find(t, e->fd);
	struct fdent *old = t->slot[i];

	if (old)
		leave_ring(old);
	else
		t->used++;
	t->slot[i] = e;
	join_ring(t, e);
	keep_few_awake(e);
	return old;
}

struct fdent *fdtable_bind(struct fdtable *t, int fd, struct fileinfo *file, enum frz_bind_how how,
			   uint64_t now_ns, struct fdent **old)
{
	struct fdent *e = new_entry(t, fd);

	*old = NULL;
	if (!e)
		return NULL;
	e->instance = next_instance++;
	e->how = (uint8_t)how;
	e->opening = true;
	e->since_ns = now_ns;
	e->file = *file;
	memset(file, 0, sizeof(*file));
	*old = put_entry(t, e);
	return e;
}

struct fdent *fdtable_wake(struct fdtable *t, int fd, struct fileinfo *file)
{
	struct sleeper s = fdtable_asleep(t, fd);
	struct fdent *e = s.instance ? new_entry(t, fd) : NULL;

	if (!e)
		return NULL;
	remove_asleep(t, find_asleep(t, fd));
	e->instance = s.instance;
	e->since_ns = s.since_ns;
	e->flags = s.flags;
	if (file) {
		e->file = *file;
		memset(file, 0, sizeof(*file));
	}
	put_entry(t, e);
	return e;
}

bool fdtable_unbind(struct fdtable *t, struct fdent *ent)
{
	uint32_t i = find(t, ent->fd);

	if (t->slot[i] != ent)
		return false;
	remove_at(t, i);
	leave_ring(ent);
	return true;
}

void fdtable_each(struct fdtable *t, int64_t lo, int64_t hi, void (*fn)(void *arg, struct fdent *e),
		  void *arg)
{
	struct fdent **all;
	uint32_t n = 0;

	/* fn may unbind, which moves entries: work on a copy */
	all = malloc((size_t)t->used * sizeof(struct fdent *) + 1);
	if (!all)
		return;
	for (uint32_t i = 0; i <= t->mask; i++)
		if (t->slot[i] && t->slot[i]->fd >= lo && t->slot[i]->fd <= hi)
			all[n++] = t->slot[i];
	for (uint32_t i = 0; i < n; i++)
		fn(arg, all[i]);
	free(all);
}

void fdtable_ending(struct fdtable *t, pid_t tid, int64_t lo, int64_t hi)
{
	if (t->nending == ENDING_KEEP) {
		t->more_ending++;
		return;
	}
	t->ending[t->nending].tid = tid;
	t->ending[t->nending].lo = lo;
	t->ending[t->nending++].hi = hi;
}

void fdtable_ended(struct fdtable *t, pid_t tid)
{
	for (unsigned i = 0; i < t->nending; i++)
		if (t->ending[i].tid == tid) {
			t->ending[i] = t->ending[--t->nending];
			return;
		}
	if (t->more_ending)
		t->more_ending--;
}

bool fdtable_is_ending(const struct fdtable *t, int fd)
{
	for (unsigned i = 0; i < t->nending; i++)
		if (t->ending[i].lo <= fd && fd <= t->ending[i].hi)
			return true;
	return t->more_ending > 0;
}

void fdent_ref(struct fdent *e) { e->refs++; }

void fdent_unref(struct fdent *e)
{
	if (--e->refs)
		return;
	fileinfo_release(&e->file);
	free(e);
}
