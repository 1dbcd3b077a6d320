/* intern.c - each distinct string once (contract in intern.h). */
#include "intern.h"

#include <stdlib.h>
#include <string.h>

#include "hash.h"

#define PAGE_STRINGS 4096u
#define PAGES	     (1u << 16)
#define ARENA_BYTES  (1u << 20)

struct entry {
	const uint8_t *p;
	uint32_t len;
	uint32_t hash;
};

struct intern {
	struct entry *page[PAGES];
	uint32_t count;
	uint32_t *slot, mask;
	uint8_t *arena; /* the one being filled; begins with a pointer to the one before */
	size_t arena_used, arena_cap;
};

static struct entry *entry_of(const struct intern *t, uint32_t number)
{
	return &t->page[(number - 1) / PAGE_STRINGS][(number - 1) % PAGE_STRINGS];
}

struct intern *intern_new(void)
{
	struct intern *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->mask = 4095;
	t->slot = calloc((size_t)t->mask + 1, sizeof(*t->slot));
	if (!t->slot) {
		free(t);
		return NULL;
	}
	return t;
}

void intern_free(struct intern *t)
{
	if (!t)
		return;
	for (unsigned i = 0; i < PAGES && t->page[i]; i++)
		free(t->page[i]);
	while (t->arena) {
		uint8_t *before;

		memcpy(&before, t->arena, sizeof(before));
		free(t->arena);
		t->arena = before;
	}
	free(t->slot);
	free(t);
}

static bool grow(struct intern *t)
{
	uint32_t mask = t->mask * 2 + 1;
	uint32_t *slot = calloc((size_t)mask + 1, sizeof(*slot));

	if (!slot)
		return false;
	for (uint32_t n = 1; n <= t->count; n++) {
		uint32_t i = entry_of(t, n)->hash & mask;

		while (slot[i])
			i = (i + 1) & mask;
		slot[i] = n;
	}
	free(t->slot);
	t->slot = slot;
	t->mask = mask;
	return true;
}

static uint8_t *keep(struct intern *t, const void *p, size_t n)
{
	uint8_t *at;

	if (!t->arena || n > t->arena_cap - t->arena_used) {
		size_t cap = sizeof(void *) + (n > ARENA_BYTES ? n : ARENA_BYTES);
		uint8_t *a = malloc(cap);

		if (!a)
			return NULL;
		memcpy(a, &t->arena, sizeof(t->arena));
		t->arena = a;
		t->arena_used = sizeof(void *);
		t->arena_cap = cap;
	}
	at = t->arena + t->arena_used;
	if (n)
		memcpy(at, p, n);
	t->arena_used += n;
	return at;
}

uint32_t intern_bytes(struct intern *t, const void *p, size_t n)
{
	uint32_t hash = (uint32_t)hash_bytes(p, n), i;
	struct entry *e;
	uint8_t *kept;

	for (i = hash & t->mask; t->slot[i]; i = (i + 1) & t->mask) {
		e = entry_of(t, t->slot[i]);
		if (e->hash == hash && e->len == n && (n == 0 || !memcmp(e->p, p, n)))
			return t->slot[i];
	}
	if (t->count == PAGES * PAGE_STRINGS - 1 || n > UINT32_MAX)
		return 0;
	if (t->count % PAGE_STRINGS == 0 && !t->page[t->count / PAGE_STRINGS]) {
		t->page[t->count / PAGE_STRINGS] = malloc(PAGE_STRINGS * sizeof(struct entry));
		if (!t->page[t->count / PAGE_STRINGS])
			return 0;
	}
	kept = keep(t, p, n);
	if (!kept)
		return 0;
	t->count++;
	*entry_of(t, t->count) = (struct entry){ .p = kept, .len = (uint32_t)n, .hash = hash };
	t->slot[i] = t->count;
	if (t->count * 2 > t->mask && !grow(t) && t->count == t->mask)
		return 0;
	return t->count;
}

uint32_t intern_count(const struct intern *t) { return t->count; }

const uint8_t *intern_get(const struct intern *t, uint32_t number, uint32_t *len)
{
	const struct entry *e = entry_of(t, number);

	*len = e->len;
	return e->p;
}
