/* rules_apply.c - rules of redaction, applied to strings (contract in rules.h). */
#include <stdlib.h>
#include <string.h>

#include "rules_private.h"
#include "sha256.h"

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
	frz_sha256_add(&h, r->key, RULES_KEY_LEN);
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
	size_t done = 0, at = 0, len;

	while (rules_next_name(rule, p, n, &at, &len)) {
		if (!put(out, p + done, at - done) || !put_instead(r, rule, p + at, len, out))
			return false;
		done = at = at + len;
	}
	return put(out, p + done, n - done);
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
	return put(out, p + at, n - at - k) &&
	       (!k || put_instead(r, rule, rule->pattern, rule->n, out));
}

/* ---- what was learned ---- */

static bool apply_known(const struct rules *r, const uint8_t *p, size_t n, enum level level,
			bool cut, struct rules_text *out)
{
	int64_t rule = known_get(&r->names, p, n);
	size_t from = 0, to = 0;

	if (rule < 0 && cut)
		rule = known_begun(&r->names, p, n);
	if (rule >= 0)
		return put_instead(r, &r->rule[rule], p, n, out);
	if (level + 1 == LEVELS)
		return put(out, p, n);
	for (; to <= n; to++) {
		if (to < n && !rules_ends(level + 1, p[to]))
			continue;
		if (to > from &&
		    !apply_known(r, p + from, to - from, level + 1, cut && to == n, out))
			return false;
		if (to < n && !put(out, p + to, 1))
			return false;
		from = to + 1;
	}
	return true;
}

/* ---- one string ---- */

/* What was made of *now is what comes next; the other is room again. */
static bool turn(bool good, struct rules_text *now, struct rules_text *next)
{
	struct rules_text swap = *now;

	*now = *next;
	*next = swap;
	next->n = 0;
	return good;
}

static enum rules_result append(const struct rules *r, const void *p, size_t n, bool cut,
				struct rules_text *out)
{
	struct rules_text now = { .n = 0 }, next = { .n = 0 };
	enum rules_result res = RULES_NOMEM;
	int64_t known;

	if (!n)
		return RULES_SAME;
	for (size_t i = 0; r && i < r->n; i++)
		if (r->rule[i].kind == WHOLE &&
		    rules_glob(r->rule[i].pattern, r->rule[i].n, p, n, cut))
			return put_instead(r, &r->rule[i], p, n, out) ? RULES_CHANGED : RULES_NOMEM;
	known = r ? known_get(&r->wholes, p, n) : -1;
	if (known >= 0)
		return put_instead(r, &r->rule[known], p, n, out) ? RULES_CHANGED : RULES_NOMEM;
	if (!put(&now, p, n))
		goto out;
	for (size_t i = 0; r && i < r->n; i++)
		if (r->rule[i].kind == NAMES &&
		    !turn(apply_names(r, &r->rule[i], now.p, now.n, &next), &now, &next))
			goto out;
	if (r && r->names.used &&
	    !turn(apply_known(r, now.p, now.n, STRING, cut, &next), &now, &next))
		goto out;
	for (size_t i = 0; r && i < r->n; i++)
		if (r->rule[i].kind == PART &&
		    !turn(apply_part(r, &r->rule[i], now.p, now.n, cut, &next), &now, &next))
			goto out;
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
		enum rules_result one =
			append(r, p + at, len, cut && at + len + (nul != NULL) >= n, out);

		if (one == RULES_NOMEM || (nul && !put(out, "", 1)))
			return RULES_NOMEM;
		if (one == RULES_CHANGED)
			all = RULES_CHANGED;
		at += len + (nul != NULL);
	}
	return all;
}
