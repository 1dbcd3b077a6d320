/*
 * declared.c - the decoder's memory of one segment's declarations.
 *
 * Everything is reached by index or by an open-addressing hash and reused between segments.
 * The hashes are seeded, so that a hostile case cannot choose keys that collide.
 */
#include <stdlib.h>
#include <time.h>

#include "declared.h"

#define CHUNK	  256 /* items in a pool's chunk */
#define MAP_FIRST 64  /* slots of the smallest map */
#define FREE_SLOT 0xfffffffeu

/* ---- pool ---- */

void *frz_pool_at(const struct frz_pool *p, size_t i)
{
	return (uint8_t *)p->chunk[i / CHUNK] + i % CHUNK * p->item;
}

/* Room for one more item, which becomes index n - 1. */
static enum frz_err pool_add(struct frz_pool *p, const void *item)
{
	if (p->n == FRZ_DECLARED_MAX)
		return FRZ_E_LIMIT;
	if (p->n == p->nchunks * CHUNK) {
		void **chunk = realloc(p->chunk, (p->nchunks + 1) * sizeof(*chunk));

		if (!chunk)
			return FRZ_E_NOMEM;
		p->chunk = chunk;
		chunk[p->nchunks] = malloc(CHUNK * p->item);
		if (!chunk[p->nchunks])
			return FRZ_E_NOMEM;
		p->nchunks++;
	}
	memcpy(frz_pool_at(p, p->n++), item, p->item);
	return FRZ_OK;
}

static void pool_release(struct frz_pool *p)
{
	for (size_t i = 0; i < p->nchunks; i++)
		free(p->chunk[i]);
	free(p->chunk);
}

/* ---- map ---- */

static uint64_t mix(uint64_t x)
{
	x ^= x >> 32;
	x *= 0xd6e8feb86659fd93u;
	x ^= x >> 32;
	x *= 0xd6e8feb86659fd93u;
	x ^= x >> 32;
	return x;
}

static size_t home(const struct frz_map *m, uint64_t a, uint32_t b)
{
	return mix(a ^ mix(b ^ m->seed)) & (m->cap - 1);
}

static struct frz_map_slot *find(const struct frz_map *m, uint64_t a, uint32_t b)
{
	size_t i = home(m, a, b);

	while (m->slot[i].value != FREE_SLOT && (m->slot[i].a != a || m->slot[i].b != b))
		i = (i + 1) & (m->cap - 1);
	return &m->slot[i];
}

static void map_clear(struct frz_map *m)
{
	if (m->used)
		for (size_t i = 0; i < m->cap; i++)
			m->slot[i].value = FREE_SLOT;
	m->used = 0;
}

static enum frz_err map_grow(struct frz_map *m)
{
	struct frz_map bigger = { .seed = m->seed };

	bigger.cap = m->cap ? 2 * m->cap : MAP_FIRST;
	bigger.slot = malloc(bigger.cap * sizeof(*bigger.slot));
	if (!bigger.slot)
		return FRZ_E_NOMEM;
	bigger.used = 1;
	map_clear(&bigger);
	for (size_t i = 0; i < m->cap; i++) {
		const struct frz_map_slot *s = &m->slot[i];

		if (s->value != FREE_SLOT)
			*find(&bigger, s->a, s->b) = *s;
	}
	bigger.used = m->used;
	free(m->slot);
	*m = bigger;
	return FRZ_OK;
}

static enum frz_err map_set(struct frz_map *m, uint64_t a, uint32_t b, uint32_t value)
{
	struct frz_map_slot *s;

	if (m->used >= m->cap / 2) {
		enum frz_err err = map_grow(m);

		if (err != FRZ_OK)
			return err;
	}
	s = find(m, a, b);
	m->used += s->value == FREE_SLOT;
	*s = (struct frz_map_slot){ a, b, value };
	return FRZ_OK;
}

uint32_t frz_map_get(const struct frz_map *m, uint64_t a, uint32_t b)
{
	const struct frz_map_slot *s;

	if (!m->used)
		return FRZ_MAP_NONE;
	s = find(m, a, b);
	return s->value == FREE_SLOT ? FRZ_MAP_NONE : s->value;
}

/* ---- declarations ---- */

void frz_declared_init(struct frz_declared *d)
{
	struct timespec t = { 0 };

	clock_gettime(CLOCK_MONOTONIC, &t);
	*d = (struct frz_declared){ 0 };
	d->files.item = sizeof(struct frz_file);
	d->procs.item = sizeof(struct frz_dproc);
	d->threads.item = sizeof(struct frz_dthread);
	d->binds.item = sizeof(struct frz_dbind);
	d->by_pid.seed = mix((uint64_t)t.tv_nsec ^ mix((uint64_t)t.tv_sec ^ mix((uintptr_t)d)));
	d->by_tid.seed = d->by_fd.seed = d->by_instance.seed = d->by_pid.seed;
}

void frz_declared_clear(struct frz_declared *d)
{
	d->nstrings = 0;
	d->files.n = d->procs.n = d->threads.n = d->binds.n = 0;
	map_clear(&d->by_pid);
	map_clear(&d->by_tid);
	map_clear(&d->by_fd);
	map_clear(&d->by_instance);
}

void frz_declared_release(struct frz_declared *d)
{
	free(d->strings);
	pool_release(&d->files);
	pool_release(&d->procs);
	pool_release(&d->threads);
	pool_release(&d->binds);
	free(d->by_pid.slot);
	free(d->by_tid.slot);
	free(d->by_fd.slot);
	free(d->by_instance.slot);
}

enum frz_err frz_declare_string(struct frz_declared *d, struct frz_str s)
{
	if (d->nstrings == FRZ_DECLARED_MAX)
		return FRZ_E_LIMIT;
	if (d->nstrings == d->cap_strings) {
		size_t cap = d->cap_strings ? 2 * d->cap_strings : CHUNK;
		struct frz_str *bigger = realloc(d->strings, cap * sizeof(*bigger));

		if (!bigger)
			return FRZ_E_NOMEM;
		d->strings = bigger;
		d->cap_strings = cap;
	}
	d->strings[d->nstrings++] = s;
	return FRZ_OK;
}

enum frz_err frz_declare_file(struct frz_declared *d, const struct frz_file *f)
{
	return pool_add(&d->files, f);
}

/* One item per key: declared again, it is replaced where it is. */
static enum frz_err declare_keyed(struct frz_pool *pool, struct frz_map *map, uint64_t key,
				  const void *item)
{
	uint32_t i = frz_map_get(map, key, 0);
	enum frz_err err;

	if (i != FRZ_MAP_NONE) {
		memcpy(frz_pool_at(pool, i), item, pool->item);
		return FRZ_OK;
	}
	err = pool_add(pool, item);
	if (err != FRZ_OK)
		return err;
	return map_set(map, key, 0, (uint32_t)pool->n - 1);
}

enum frz_err frz_declare_proc(struct frz_declared *d, const struct frz_dproc *p)
{
	return declare_keyed(&d->procs, &d->by_pid, p->pid, p);
}

enum frz_err frz_declare_thread(struct frz_declared *d, const struct frz_dthread *t)
{
	return declare_keyed(&d->threads, &d->by_tid, t->tid, t);
}

enum frz_err frz_declare_bind(struct frz_declared *d, const struct frz_dbind *b)
{
	uint32_t i = frz_map_get(&d->by_instance, b->instance, 0);
	const struct frz_dbind *was = i == FRZ_MAP_NONE ? NULL : frz_pool_at(&d->binds, i);
	enum frz_err err;

	/* an instance met at another fd is a binding of its own there: what the first fd is
	 * bound to does not change with it */
	if (was && was->table == b->table && was->fd == b->fd) {
		memcpy(frz_pool_at(&d->binds, i), b, sizeof(*b));
	} else {
		err = pool_add(&d->binds, b);
		if (err != FRZ_OK)
			return err;
		i = (uint32_t)d->binds.n - 1;
		err = map_set(&d->by_instance, b->instance, 0, i);
		if (err != FRZ_OK)
			return err;
	}
	return map_set(&d->by_fd, b->table, (uint32_t)b->fd, i);
}

void frz_declare_unbind(struct frz_declared *d, uint64_t table, uint32_t fd)
{
	/* the slot stays, so that others beyond it are still found */
	if (frz_map_get(&d->by_fd, table, fd) != FRZ_MAP_NONE)
		find(&d->by_fd, table, fd)->value = FRZ_MAP_NONE;
}
