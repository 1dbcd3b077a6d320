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
	struct { pid_t tid; int64_t lo, hi; } ending[ENDING_KEEP];
	unsigned nending, more_ending;  /* more: of which nothing is known but that they are */
};

#define FIRST_SLOTS 16u

static uint64_t next_table = 1, next_instance = 1;

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

void fdtable_ref(struct fdtable *t)
{
	t->refs++;
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
			t->slot[i]->bound = false;
			fdent_unref(t->slot[i]);
		}
	drop_origin(t);
	free(t->slot);
	free(t);
}

uint64_t fdtable_id(const struct fdtable *t)
{
	return t->id;
}

void fdtable_use(struct fdtable *t)
{
	t->users++;
	fdtable_ref(t);
}

void fdtable_unuse(struct fdtable *t)
{
	t->users--;
	fdtable_unref(t);
}

unsigned fdtable_users(const struct fdtable *t)
{
	return t->users;
}

struct fdtable *fdtable_origin(const struct fdtable *t, uint64_t *forked_ns)
{
	*forked_ns = t->forked_ns;
	return t->origin;
}

static uint32_t home(const struct fdtable *t, int fd)
{
	return (uint32_t)fd & t->mask;
}

static uint32_t find(const struct fdtable *t, int fd)
{
	uint32_t i = home(t, fd);

	while (t->slot[i] && t->slot[i]->fd != fd)
		i = (i + 1) & t->mask;
	return i;
}

struct fdent *fdtable_get(const struct fdtable *t, int fd)
{
	return t->slot[find(t, fd)];
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

struct fdent *fdtable_bind(struct fdtable *t, int fd, struct fileinfo *file, enum frz_bind_how how,
                           uint64_t now_ns, struct fdent **old)
{
	struct fdent *e = calloc(1, sizeof(*e));
	uint32_t i;

	*old = NULL;
	if (!e)
		return NULL;
	if (t->used * 2 > t->mask && !grow(t)) {
		free(e);
		return NULL;
	}
	e->refs = 1;
	e->fd = fd;
	e->table = t->id;
	e->instance = next_instance++;
	e->how = (uint8_t)how;
	e->bound = e->opening = true;
	e->flags = e->position = -1;
	e->since_ns = now_ns;
	e->file = *file;
	memset(file, 0, sizeof(*file));
	i = find(t, fd);
	if (t->slot[i]) {
		*old = t->slot[i];
		(*old)->bound = false;
	} else {
		t->used++;
	}
	t->slot[i] = e;
	return e;
}

bool fdtable_unbind(struct fdtable *t, struct fdent *ent)
{
	uint32_t i = find(t, ent->fd);

	if (t->slot[i] != ent)
		return false;
	remove_at(t, i);
	ent->bound = false;
	return true;
}

void fdtable_each(struct fdtable *t, int64_t lo, int64_t hi, void (*fn)(void *arg, struct fdent *e), void *arg)
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

void fdent_ref(struct fdent *e)
{
	e->refs++;
}

void fdent_unref(struct fdent *e)
{
	if (--e->refs)
		return;
	fileinfo_release(&e->file);
	free(e);
}
