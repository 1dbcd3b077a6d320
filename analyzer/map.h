/*
 * map.h - from a 64-bit number to a 32-bit one, for live tids, pids and fd tables.
 *
 * Value 0 means "not there": it is what a look-up of an unknown key gives, and setting it
 * forgets the key's value (the slot stays, the map never shrinks).
 */
#ifndef FANALYZE_MAP_H
#define FANALYZE_MAP_H

#include <stdbool.h>
#include <stdlib.h>

#include "hash.h"

struct map_slot {
	uint64_t key;
	uint32_t value;
	bool used;
};
struct map {
	struct map_slot *slot;
	uint32_t mask, used;
};

static inline struct map_slot *map_slot(const struct map *m, uint64_t key)
{
	uint32_t i = (uint32_t)hash_mix(key, 1) & m->mask;

	while (m->slot[i].used && m->slot[i].key != key)
		i = (i + 1) & m->mask;
	return &m->slot[i];
}

static inline uint32_t map_get(const struct map *m, uint64_t key)
{
	return m->slot ? map_slot(m, key)->value : 0;
}

/* False: no memory. */
static inline bool map_set(struct map *m, uint64_t key, uint32_t value)
{
	struct map_slot *s;

	if (!m->slot || m->used * 2 > m->mask) {
		struct map old = *m;

		m->mask = old.slot ? old.mask * 2 + 1 : 63;
		m->slot = calloc((size_t)m->mask + 1, sizeof(*m->slot));
		if (!m->slot) {
			*m = old;
			return false;
		}
		if (old.slot)
			for (uint32_t i = 0; i <= old.mask; i++)
				if (old.slot[i].used)
					*map_slot(m, old.slot[i].key) = old.slot[i];
		free(old.slot);
	}
	s = map_slot(m, key);
	if (!s->used)
		m->used++;
	*s = (struct map_slot){ .key = key, .value = value, .used = true };
	return true;
}

static inline void map_release(struct map *m)
{
	free(m->slot);
	*m = (struct map){ 0 };
}

#endif
