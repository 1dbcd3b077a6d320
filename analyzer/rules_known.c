/* rules_known.c - a set of texts (contract in rules_known.h). */
#include "rules_known.h"

#include <stdlib.h>
#include <string.h>

#include "hash.h"

static struct known_text *find(const struct known *k, const void *p, size_t n)
{
	size_t i = (size_t)hash_bytes(p, n) & k->mask;

	while (k->slot[i].p && (k->slot[i].n != n || memcmp(k->slot[i].p, p, n) != 0))
		i = (i + 1) & k->mask;
	return &k->slot[i];
}

static bool grow(struct known *k)
{
	struct known more = { .mask = k->slot ? 2 * k->mask + 1 : 63, .used = k->used };

	more.slot = calloc(more.mask + 1, sizeof(*more.slot));
	if (!more.slot)
		return false;
	for (size_t i = 0; k->slot && i <= k->mask; i++)
		if (k->slot[i].p)
			*find(&more, k->slot[i].p, k->slot[i].n) = k->slot[i];
	free(k->slot);
	*k = more;
	return true;
}

bool known_add(struct known *k, const void *p, size_t n, uint32_t rule)
{
	struct known_text *t;

	if (!n)
		return true;
	if ((!k->slot || 2 * k->used > k->mask) && !grow(k))
		return false;
	t = find(k, p, n);
	if (t->p)
		return true;
	t->p = malloc(n);
	if (!t->p)
		return false;
	memcpy(t->p, p, n);
	t->n = n;
	t->rule = rule;
	k->used++;
	return true;
}

int64_t known_get(const struct known *k, const void *p, size_t n)
{
	const struct known_text *t = k->slot && n ? find(k, p, n) : NULL;

	return t && t->p ? (int64_t)t->rule : -1;
}

int64_t known_begun(const struct known *k, const void *p, size_t n)
{
	for (size_t i = 0; n && k->slot && i <= k->mask; i++)
		if (k->slot[i].p && k->slot[i].n >= n && !memcmp(k->slot[i].p, p, n))
			return k->slot[i].rule;
	return -1;
}

void known_release(struct known *k)
{
	for (size_t i = 0; k->slot && i <= k->mask; i++)
		free(k->slot[i].p);
	free(k->slot);
	*k = (struct known){ .slot = NULL };
}
