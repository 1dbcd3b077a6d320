/* rules.c - rules of redaction, as they are read; GLOBs (contract in rules.h). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "anchors.h"
#include "rules_private.h"
#include "sha256.h"

#define RULES_FILE_MAX ((size_t)1 << 20)
#define RULES_MAX      10000

/* ---- reading ---- */

static bool word(const char **p, const char *end, const char *w)
{
	size_t n = strlen(w);

	if ((size_t)(end - *p) <= n || memcmp(*p, w, n) != 0 || (*p)[n] != ' ')
		return false;
	*p += n + 1;
	return true;
}

static bool parse_key(struct rules *r, const char *p, const char *end)
{
	static const char digits[] = "0123456789abcdef0123456789ABCDEF";

	if (end - p != 2 * RULES_KEY_LEN)
		return false;
	for (size_t i = 0; i < 2 * RULES_KEY_LEN; i++) {
		const char *d = memchr(digits, p[i], 32);

		if (!d)
			return false;
		r->key[i / 2] = (uint8_t)(r->key[i / 2] << 4 | ((d - digits) & 15));
	}
	return true;
}

/* NULL, or what is wrong with the line. */
static const char *parse_line(struct rules *r, const char *p, const char *end)
{
	static const char *const kinds[] = { "whole", "part", "names" };
	struct rule rule = { .kind = WHOLE }, *more;
	unsigned k = 0;

	if (p == end || *p == '#')
		return NULL;
	if (memchr(p, 0, (size_t)(end - p)))
		return "holds a NUL byte";
	if (word(&p, end, "key")) {
		if (r->have_key || !parse_key(r, p, end))
			return "a key is 64 hexadecimal digits, and there is one";
		r->have_key = true;
		return NULL;
	}
	rule.pseudonym = word(&p, end, "pseudonym");
	if (!rule.pseudonym && !word(&p, end, "redact"))
		return "begins with none of redact, pseudonym, key and #";
	while (k < 3 && !word(&p, end, kinds[k]))
		k++;
	if (k == 3)
		return "behind redact or pseudonym comes whole, part or names, and a pattern";
	rule.kind = (enum kind)k;
	rule.n = (size_t)(end - p);
	while (rule.kind == NAMES && rule.n && p[rule.n - 1] == '/')
		rule.n--;
	if (rule.kind == NAMES && (!rule.n || *p != '/'))
		return "names are those in a directory, given by its absolute path";
	if (!rule.n)
		return "the pattern is empty";
	if (r->n == RULES_MAX)
		return "one rule too many";
	more = realloc(r->rule, (r->n + 1) * sizeof(*more));
	if (!more)
		return "out of memory";
	r->rule = more;
	rule.pattern = malloc(rule.n + 1);
	if (!rule.pattern)
		return "out of memory";
	memcpy(rule.pattern, p, rule.n);
	r->rule[r->n++] = rule;
	return NULL;
}

struct rules *rules_parse(const char *text, size_t n, const char *name, char *err, size_t cap)
{
	struct rules *r = calloc(1, sizeof(*r));
	const char *why = NULL;
	unsigned line = 0;

	if (!r) {
		snprintf(err, cap, "out of memory");
		return NULL;
	}
	frz_sha256_of(text, n, r->sha256);
	for (size_t at = 0; at < n && !why; line++) {
		const char *nl = memchr(text + at, '\n', n - at);
		size_t len = nl ? (size_t)(nl - text) - at : n - at;

		why = parse_line(r, text + at, text + at + len);
		at += len + 1;
	}
	if (why)
		snprintf(err, cap, "%s line %u: %s", name, line, why);
	else if (!r->have_key && getrandom(r->key, RULES_KEY_LEN, 0) != RULES_KEY_LEN)
		snprintf(err, cap, "%s: no random numbers: %s", name, strerror(errno));
	else
		return r;
	rules_free(r);
	return NULL;
}

struct rules *rules_load(const char *path, char *err, size_t cap)
{
	size_t n;
	char *text = anchors_slurp(path, RULES_FILE_MAX, &n, err, cap);
	struct rules *r = text ? rules_parse(text, n, path, err, cap) : NULL;

	free(text);
	return r;
}

void rules_free(struct rules *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->n; i++)
		free(r->rule[i].pattern);
	free(r->rule);
	known_release(&r->names);
	known_release(&r->wholes);
	free(r);
}

bool rules_have_key(const struct rules *r) { return r->have_key; }

const uint8_t *rules_sha256(const struct rules *r) { return r->sha256; }

/* ---- GLOB ---- */

/* Does c fit the set at g[0] == '['? *next is where the pattern goes on; a set that does not
 * end is an ordinary [. */
static bool in_set(const char *g, size_t n, uint8_t c, size_t *next)
{
	size_t i = 1;
	bool negated = i < n && g[i] == '^', in = false;

	i += negated;
	for (bool first = true; i < n && (g[i] != ']' || first); first = false) {
		uint8_t lo = (uint8_t)g[i], hi = lo;

		if (i + 2 < n && g[i + 1] == '-' && g[i + 2] != ']') {
			hi = (uint8_t)g[i + 2];
			i += 2;
		}
		in |= c >= lo && c <= hi;
		i++;
	}
	if (i == n) {
		*next = 1;
		return c == '[';
	}
	*next = i + 1;
	return in != negated;
}

bool rules_glob(const char *g, size_t ng, const uint8_t *t, size_t n, bool cut)
{
	size_t gi = 0, ti = 0, star = SIZE_MAX, star_at = 0, next;

	while (ti < n) {
		bool fits = false;

		next = gi + 1;
		if (gi < ng && g[gi] == '*') {
			star = gi++;
			star_at = ti;
			continue;
		}
		if (gi < ng && g[gi] == '?') {
			fits = true;
		} else if (gi < ng && g[gi] == '[') {
			fits = in_set(g + gi, ng - gi, t[ti], &next);
			next += gi;
		} else if (gi < ng) {
			fits = (uint8_t)g[gi] == t[ti];
		}
		if (fits) {
			gi = next;
			ti++;
		} else if (star != SIZE_MAX) {
			gi = star + 1;
			ti = ++star_at;
		} else {
			return false;
		}
	}
	while (gi < ng && g[gi] == '*')
		gi++;
	return gi == ng || cut;
}
