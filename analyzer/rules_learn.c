/*
 * rules_learn.c - what rules learn of a case before they are applied (contract in rules.h).
 *
 * - Names behind DIR/, as they are written, and those that a path passes by once `.` and `..` in it
 *   are followed. A name is found again as a component of a path, as a word, or as part of a word:
 *   alice in alice/x, USER=alice, alice@host, alice.txt.
 * - Relative paths that a `whole` fits with their directory in front.
 */
#include <stdlib.h>
#include <string.h>

#include "rules_private.h"

bool rules_ends(enum level level, uint8_t c)
{
	bool joins = c == '.' || c == '-' || c == '_';

	if (level <= COMPONENT)
		return level == COMPONENT && c == '/';
	if (c >= 0x80 || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
		return false;
	return level == WORD_PART || !joins;
}

static size_t part_len(const uint8_t *p, size_t n)
{
	const uint8_t *end = memchr(p, '/', n);

	return end ? (size_t)(end - p) : n;
}

bool rules_next_name(const struct rule *rule, const uint8_t *p, size_t n, size_t *at, size_t *len)
{
	const uint8_t *dir;

	while (*at < n && (dir = memmem(p + *at, n - *at, rule->pattern, rule->n)) != NULL) {
		*at = (size_t)(dir - p) + rule->n;
		*len = 0;
		while (*at < n && p[*at] == '/' && *len == 0) {
			*at += 1;
			*len = part_len(p + *at, n - *at);
			if (*len == 1 && p[*at] == '.') {
				*at += 1;
				*len = 0;
			}
		}
		if (*len && !(*len == 2 && !memcmp(p + *at, "..", 2)))
			return true;
	}
	return false;
}

/* And its first word, if it is followed by something else: "alice --for". */
static bool learn_name(struct rules *r, uint32_t rule, const uint8_t *p, size_t n)
{
	size_t word = 0;

	while (word < n && !rules_ends(WORD, p[word]))
		word++;
	return known_add(&r->names, p, n, rule) && known_add(&r->names, p, word, rule);
}

static bool learn_names(struct rules *r, const uint8_t *p, size_t n, bool cut)
{
	for (uint32_t i = 0; i < r->n; i++) {
		size_t at = 0, len;

		if (r->rule[i].kind != NAMES)
			continue;
		for (; rules_next_name(&r->rule[i], p, n, &at, &len); at += len)
			/* of one that is cut nobody knows how it goes on */
			if (!(cut && at + len == n) && !learn_name(r, i, p + at, len))
				return false;
	}
	return true;
}

/* A component p + at, with the slash in front of it, is about to be entered from the folder p. */
static bool pass(struct rules *r, const uint8_t *p, size_t at, size_t len)
{
	for (uint32_t i = 0; i < r->n; i++) {
		const struct rule *rule = &r->rule[i];

		if (rule->kind == NAMES && len > 1 && p[at] == '/' && at >= rule->n &&
		    !memcmp(p + at - rule->n, rule->pattern, rule->n) &&
		    !learn_name(r, i, p + at + 1, len - 1))
			return false;
	}
	return true;
}

/* Takes `.` and `..` out of p, as far as that can be told from the text, and learns what is passed
 * by. *n is the new length. */
static bool follow(struct rules *r, uint8_t *p, size_t *n, bool cut)
{
	size_t out = 0, floor = 0, end = *n;

	for (size_t at = 0, len; at < end; at += len) {
		bool slash = p[at] == '/';

		len = slash + part_len(p + at + slash, end - at - slash);
		if (len == (size_t)slash + 1 && p[at + slash] == '.')
			continue;
		if (len == (size_t)slash + 2 && !memcmp(p + at + slash, "..", 2) && out > floor) {
			while (out > floor && p[--out] != '/')
				;
			continue;
		}
		if (slash && len == 1 && at + 1 < end)
			continue; /* one of several slashes */
		memmove(p + out, p + at, len);
		out += len;
		if (!slash || (len == 3 && !memcmp(p + out - 3, "/..", 3)))
			floor = out; /* nothing goes back behind it */
		else if (!(cut && at + len == end) && !pass(r, p, out - len, len))
			return false;
	}
	*n = out;
	return true;
}

static bool learns(const struct rules *r)
{
	size_t i = 0;

	while (r && i < r->n && r->rule[i].kind == PART)
		i++;
	return r && i < r->n;
}

bool rules_learn(struct rules *r, const void *p, size_t n, bool cut)
{
	uint8_t *copy;
	bool good;

	if (!learns(r) || !n)
		return true;
	good = learn_names(r, p, n, cut);
	if (!good || !memmem(p, n, "/.", 2))
		return good;
	copy = malloc(n);
	if (!copy)
		return false;
	memcpy(copy, p, n);
	good = follow(r, copy, &n, cut);
	free(copy);
	return good;
}

bool rules_learn_list(struct rules *r, const void *list, size_t n, bool cut)
{
	const uint8_t *p = list;
	bool good = true;

	for (size_t at = 0, len; good && at < n; at += len + 1) {
		len = strnlen((const char *)p + at, n - at);
		good = rules_learn(r, p + at, len, cut && at + len == n);
	}
	return good;
}

bool rules_learn_path(struct rules *r, const void *dir, size_t ndir, const void *path, size_t n,
		      bool cut)
{
	uint8_t *whole;
	size_t len = ndir + 1 + n;
	bool good;

	if (!learns(r) || !n || !ndir || *(const uint8_t *)path == '/')
		return true;
	whole = malloc(len);
	if (!whole)
		return false;
	memcpy(whole, dir, ndir);
	whole[ndir] = '/';
	memcpy(whole + ndir + 1, path, n);
	good = follow(r, whole, &len, cut);
	for (uint32_t i = 0; good && i < r->n; i++)
		if (r->rule[i].kind == WHOLE &&
		    rules_glob(r->rule[i].pattern, r->rule[i].n, whole, len, cut))
			good = known_add(&r->wholes, path, n, i);
	free(whole);
	return good;
}
