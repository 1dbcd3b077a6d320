/* rules.c - rules of redaction, read and applied (contract in rules.h). */
#include "rules.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "anchors.h"
#include "sha256.h"

#define RULES_FILE_MAX ((size_t)1 << 20)
#define RULES_MAX      10000
#define KEY_LEN        32

enum kind { WHOLE, PART, NAMES };

struct rule {
	enum kind kind;
	bool pseudonym;
	char *pattern;
	size_t n;
};

struct rules {
	struct rule *rule;
	size_t n;
	uint8_t sha256[FRZ_HASH_LEN], key[KEY_LEN];
	bool have_key;
};

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

	if (end - p != 2 * KEY_LEN)
		return false;
	for (size_t i = 0; i < 2 * KEY_LEN; i++) {
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
	if (!rule.n || (rule.kind == NAMES && *p != '/'))
		return rule.kind == NAMES ? "names are those in a directory, given by its absolute path" :
					    "the pattern is empty";
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
	else if (!r->have_key && getrandom(r->key, KEY_LEN, 0) != KEY_LEN)
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
	bool not = i < n && g[i] == '^', in = false;

	i += not;
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
	return in != not;
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

/* ---- applying ---- */

static bool put(struct rules_text *out, const void *p, size_t n)
{
	if (n > out->cap - out->n) {
		size_t cap = 2 * (out->n + n) + 64;
		uint8_t *more = realloc(out->p, cap);

		if (!more)
			return false;
		out->p = more;
		out->cap = cap;
	}
	if (n)
		memcpy(out->p + out->n, p, n);
	out->n += n;
	return true;
}

static bool put_instead(const struct rules *r, const struct rule *rule, const void *p, size_t n,
			struct rules_text *out)
{
	uint8_t sha[FRZ_HASH_LEN], len[8];
	struct frz_sha256 h;
	char text[5 + 16 + 1] = "name-";

	if (!rule->pseudonym)
		return put(out, "[redacted]", 10);
	for (unsigned i = 0; i < 8; i++)
		len[i] = (uint8_t)((uint64_t)n >> (8 * i));
	frz_sha256_init(&h);
	frz_sha256_add(&h, r->key, KEY_LEN);
	frz_sha256_add(&h, len, sizeof(len));
	frz_sha256_add(&h, p, n);
	frz_sha256_peek(&h, sha);
	frz_hex(sha, 8, text + 5);
	return put(out, text, 5 + 16);
}

/* The name behind each DIR/ in p. */
static bool apply_names(const struct rules *r, const struct rule *rule, const uint8_t *p, size_t n,
			struct rules_text *out)
{
	size_t at = 0;

	while (at < n) {
		const uint8_t *dir = memmem(p + at, n - at, rule->pattern, rule->n), *end;
		size_t from, len;

		if (!dir)
			break;
		from = (size_t)(dir - p) + rule->n;
		if (from >= n || p[from] != '/') {
			if (!put(out, p + at, from - at))
				return false;
			at = from;
			continue;
		}
		while (from < n && p[from] == '/')
			from++;
		if (!put(out, p + at, from - at))
			return false;
		end = memchr(p + from, '/', n - from);
		len = end ? (size_t)(end - p) - from : n - from;
		if (len && !put_instead(r, rule, p + from, len, out))
			return false;
		at = from + len;
	}
	return put(out, p + at, n - at);
}

/* How much of the text's end is a beginning of the pattern. */
static size_t begun(const struct rule *rule, const uint8_t *p, size_t n)
{
	size_t k = rule->n - 1 < n ? rule->n - 1 : n;

	while (k && memcmp(p + n - k, rule->pattern, k) != 0)
		k--;
	return k;
}

static bool apply_part(const struct rules *r, const struct rule *rule, const uint8_t *p, size_t n,
		       bool cut, struct rules_text *out)
{
	size_t at = 0, k;

	while (at < n) {
		const uint8_t *hit = memmem(p + at, n - at, rule->pattern, rule->n);

		if (!hit)
			break;
		if (!put(out, p + at, (size_t)(hit - p) - at) ||
		    !put_instead(r, rule, rule->pattern, rule->n, out))
			return false;
		at = (size_t)(hit - p) + rule->n;
	}
	k = cut ? begun(rule, p + at, n - at) : 0;
	return put(out, p + at, n - at - k) && (!k || put_instead(r, rule, rule->pattern, rule->n, out));
}

static enum rules_result append(const struct rules *r, const void *p, size_t n, bool cut,
				struct rules_text *out)
{
	struct rules_text now = { .n = 0 }, next = { .n = 0 };
	enum rules_result res = RULES_NOMEM;

	if (!n)
		return RULES_SAME;
	for (size_t i = 0; r && i < r->n; i++)
		if (r->rule[i].kind == WHOLE && rules_glob(r->rule[i].pattern, r->rule[i].n, p, n, cut))
			return put_instead(r, &r->rule[i], p, n, out) ? RULES_CHANGED : RULES_NOMEM;
	if (!put(&now, p, n))
		goto out;
	for (int kind = NAMES; r && kind >= PART; kind--) /* NAMES, then PART */
		for (size_t i = 0; i < r->n; i++) {
			struct rules_text swap = now;

			if ((int)r->rule[i].kind != kind)
				continue;
			next.n = 0;
			if (kind == NAMES ? !apply_names(r, &r->rule[i], now.p, now.n, &next) :
					    !apply_part(r, &r->rule[i], now.p, now.n, cut, &next))
				goto out;
			now = next;
			next = swap;
		}
	res = now.n == n && (!n || !memcmp(now.p, p, n)) ? RULES_SAME : RULES_CHANGED;
	if (!put(out, now.p, now.n))
		res = RULES_NOMEM;
out:
	free(now.p);
	free(next.p);
	return res;
}

enum rules_result rules_apply(const struct rules *r, const void *p, size_t n, bool cut,
			      struct rules_text *out)
{
	out->n = 0;
	return append(r, p, n, cut, out);
}

enum rules_result rules_apply_list(const struct rules *r, const void *list, size_t n, bool cut,
				   struct rules_text *out)
{
	const uint8_t *p = list;
	enum rules_result all = RULES_SAME;

	out->n = 0;
	for (size_t at = 0; at < n;) {
		const uint8_t *nul = memchr(p + at, 0, n - at);
		size_t len = nul ? (size_t)(nul - p) - at : n - at;
		enum rules_result one = append(r, p + at, len, cut && at + len + (nul != NULL) >= n, out);

		if (one == RULES_NOMEM || (nul && !put(out, "", 1)))
			return RULES_NOMEM;
		if (one == RULES_CHANGED)
			all = RULES_CHANGED;
		at += len + (nul != NULL);
	}
	return all;
}
