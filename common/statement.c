/*
 * statement.c - custody statements to and from text (contract in statement.h).
 *
 * The parser takes line after line in the one order there is; at the end it writes what it
 * understood and compares, so that nothing but the one spelling can pass.
 */
#include <stdio.h>
#include <time.h>

#include "block.h"
#include "describe.h"
#include "sha256.h"
#include "statement.h"
#include "utf8.h"

#define SIG_BEGIN "-----BEGIN SSH SIGNATURE-----\n"
#define SIG_END	  "-----END SSH SIGNATURE-----\n"

static const char *const remark_names[FRZ_REMARKS] = {
	[FRZ_REMARK_PURPOSE] = "purpose", [FRZ_REMARK_AUTHORITY] = "authority",
	[FRZ_REMARK_VIA] = "via",	  [FRZ_REMARK_PLACE] = "place",
	[FRZ_REMARK_NOTE] = "note",
};

static const char *const kind_names[] = {
	[FRZ_CUSTODY_SIGN] = "sign",
	[FRZ_CUSTODY_RELEASE] = "release",
	[FRZ_CUSTODY_RECEIVE] = "receive",
};

const char *frz_remark_name(enum frz_remark remark) { return remark_names[remark]; }

const char *frz_custody_kind_name(enum frz_custody_kind kind)
{
	return kind >= FRZ_CUSTODY_SIGN && kind <= FRZ_CUSTODY_RECEIVE ? kind_names[kind] : "?";
}

/* ---- values ---- */

bool frz_person_ok(const char *name)
{
	size_t n = strlen(name);

	if (n == 0 || n > FRZ_PERSON_MAX || *name == '-')
		return false;
	for (size_t i = 0; i < n; i++)
		if (name[i] <= ' ' || name[i] > '~' || strchr("*?!,\"#", name[i]))
			return false;
	return true;
}

bool frz_remark_ok(const char *text)
{
	const uint8_t *p = (const uint8_t *)text;
	size_t n = strlen(text), len;
	uint32_t c;

	if (n > FRZ_REMARK_MAX || (n && (text[0] == ' ' || text[n - 1] == ' ')))
		return false;
	for (size_t i = 0; i < n; i += len) {
		len = utf8_char(p + i, n - i, &c);
		if (!len || c < 0x20 || c == 0x7f || utf8_deceives(c))
			return false;
	}
	return true;
}

bool frz_signature_ok(const void *p, size_t n)
{
	const char *s = p, *end;

	if (n > FRZ_SIGNATURE_MAX || n < sizeof(SIG_BEGIN) + sizeof(SIG_END))
		return false;
	end = s + n - (sizeof(SIG_END) - 1);
	if (memcmp(s, SIG_BEGIN, sizeof(SIG_BEGIN) - 1) != 0 ||
	    memcmp(end, SIG_END, sizeof(SIG_END) - 1) != 0 || end[-1] != '\n')
		return false;
	for (s += sizeof(SIG_BEGIN) - 1; s < end; s++)
		if (!(*s >= 'a' && *s <= 'z') && !(*s >= 'A' && *s <= 'Z') &&
		    !(*s >= '0' && *s <= '9') && *s != '+' && *s != '/' && *s != '=' && *s != '\n')
			return false;
	return true;
}

static bool time_ok(int64_t t) { return t >= 0 && t <= 253402300799; /* end of 9999 */ }

void frz_claimed_time(int64_t t, char out[FRZ_TIME_MAX])
{
	if (time_ok(t))
		frz_time_text(t, FRZ_WHOLE_SECOND, out);
	else
		strcpy(out, "?");
}

/* ---- to text ---- */

struct text {
	char *p;
	size_t n, cap;
	bool full;
};

static void put(struct text *t, const char *key, const char *value)
{
	size_t room = t->cap - t->n;
	int n = snprintf(t->p + t->n, room, "%s: %s\n", key, value);

	if (n < 0 || (size_t)n >= room)
		t->full = true;
	else
		t->n += (size_t)n;
}

static void put_num(struct text *t, const char *key, uint64_t v)
{
	char digits[24];

	snprintf(digits, sizeof(digits), "%ju", (uintmax_t)v);
	put(t, key, digits);
}

static void put_hex(struct text *t, const char *key, const uint8_t *p, size_t n)
{
	char hex[FRZ_HEX_LEN];

	frz_hex(p, n, hex);
	put(t, key, hex);
}

static bool can_be(const struct frz_statement *s)
{
	if (s->kind < FRZ_CUSTODY_SIGN || s->kind > FRZ_CUSTODY_RECEIVE || !s->entry || !s->block ||
	    !s->prefix_bytes || !frz_person_ok(s->who) || !time_ok(s->claimed_time))
		return false;
	if (s->kind == FRZ_CUSTODY_RELEASE ? !frz_person_ok(s->to) : *s->to != '\0')
		return false;
	if (s->kind == FRZ_CUSTODY_RECEIVE ? !frz_person_ok(s->from) || !s->release_entry :
					     *s->from != '\0' || s->release_entry != 0)
		return false;
	if (s->kind == FRZ_CUSTODY_RELEASE && !*s->remark[FRZ_REMARK_PURPOSE])
		return false;
	for (int i = 0; i < FRZ_REMARKS; i++)
		if (!frz_remark_ok(s->remark[i]))
			return false;
	return true;
}

size_t frz_statement_format(const struct frz_statement *s, char *out, size_t cap)
{
	struct text t = { .p = out, .cap = cap };
	char when[FRZ_TIME_MAX];

	if (!can_be(s))
		return 0;
	put(&t, "frz-custody", "1");
	put(&t, "kind", frz_custody_kind_name(s->kind));
	put_hex(&t, "case", s->case_id, sizeof(s->case_id));
	put_num(&t, "entry", s->entry);
	put_num(&t, "block", s->block);
	put_num(&t, "prefix-bytes", s->prefix_bytes);
	put_hex(&t, "prefix-sha256", s->prefix_sha256, FRZ_HASH_LEN);
	put_hex(&t, "before", s->before, FRZ_HASH_LEN);
	put(&t, "who", s->who);
	if (*s->to)
		put(&t, "to", s->to);
	if (*s->from) {
		put(&t, "from", s->from);
		put_num(&t, "release-entry", s->release_entry);
	}
	for (int i = 0; i < FRZ_REMARKS; i++)
		if (*s->remark[i])
			put(&t, remark_names[i], s->remark[i]);
	frz_claimed_time(s->claimed_time, when);
	put(&t, "claimed-time", when);
	return t.full ? 0 : t.n;
}

/* ---- from text ---- */

struct lines {
	const char *p, *end;
	const char *why;
};

/* The value of the next line when its key is this; the line is then taken. */
static bool take(struct lines *l, const char *key, const char **value, size_t *n)
{
	size_t k = strlen(key);
	const char *nl;

	if ((size_t)(l->end - l->p) < k + 2 || memcmp(l->p, key, k) != 0 || l->p[k] != ':' ||
	    l->p[k + 1] != ' ')
		return false;
	nl = memchr(l->p, '\n', (size_t)(l->end - l->p));
	if (!nl)
		return false;
	*value = l->p + k + 2;
	*n = (size_t)(nl - *value);
	l->p = nl + 1;
	return true;
}

static bool fail(struct lines *l, const char *why)
{
	if (!l->why)
		l->why = why;
	return false;
}

static bool take_text(struct lines *l, const char *key, char *out, size_t max)
{
	const char *v;
	size_t n;

	if (!take(l, key, &v, &n) || n > max)
		return false;
	memcpy(out, v, n);
	out[n] = '\0';
	return true;
}

static bool take_num(struct lines *l, const char *key, uint64_t *out)
{
	const char *v;
	size_t n;

	if (!take(l, key, &v, &n) || n == 0 || n > 19)
		return false;
	for (*out = 0; n; n--, v++) {
		if (*v < '0' || *v > '9')
			return false;
		*out = *out * 10 + (uint64_t)(*v - '0');
	}
	return true;
}

static bool take_hex(struct lines *l, const char *key, uint8_t *out, size_t want)
{
	static const char digits[] = "0123456789abcdef";
	const char *v;
	size_t n;

	if (!take(l, key, &v, &n) || n != 2 * want)
		return false;
	for (size_t i = 0; i < n; i++) {
		const char *d = memchr(digits, v[i], 16);

		if (!d)
			return false;
		out[i / 2] = (uint8_t)(out[i / 2] << 4 | (d - digits));
	}
	return true;
}

static int number(const char *p, size_t n)
{
	int v = 0;

	while (n--) {
		if (*p < '0' || *p > '9')
			return -1;
		v = v * 10 + *p++ - '0';
	}
	return v;
}

static bool take_time(struct lines *l, const char *key, int64_t *out)
{
	struct tm tm = { .tm_isdst = 0 };
	const char *v;
	size_t n;

	if (!take(l, key, &v, &n) || n != 20)
		return false;
	tm.tm_year = number(v, 4) - 1900;
	tm.tm_mon = number(v + 5, 2) - 1;
	tm.tm_mday = number(v + 8, 2);
	tm.tm_hour = number(v + 11, 2);
	tm.tm_min = number(v + 14, 2);
	tm.tm_sec = number(v + 17, 2);
	if (tm.tm_year < 70 || tm.tm_mon < 0 || tm.tm_mday < 1 || tm.tm_hour < 0 || tm.tm_min < 0 ||
	    tm.tm_sec < 0)
		return false;
	*out = timegm(&tm); /* a day that is none comes out as another, which is noticed below */
	return true;
}

static bool parse(struct lines *l, struct frz_statement *s)
{
	char kind[16] = "";

	if (!take_text(l, "kind", kind, sizeof(kind) - 1))
		return fail(l, "the line `kind` is missing or malformed");
	for (unsigned k = FRZ_CUSTODY_SIGN; k <= FRZ_CUSTODY_RECEIVE; k++)
		if (!strcmp(kind, kind_names[k]))
			s->kind = (enum frz_custody_kind)k;
	if (!s->kind)
		return fail(l, "the line `kind` names none that is known");
	if (!take_hex(l, "case", s->case_id, sizeof(s->case_id)))
		return fail(l, "the line `case` is missing or malformed");
	if (!take_num(l, "entry", &s->entry))
		return fail(l, "the line `entry` is missing or malformed");
	if (!take_num(l, "block", &s->block))
		return fail(l, "the line `block` is missing or malformed");
	if (!take_num(l, "prefix-bytes", &s->prefix_bytes))
		return fail(l, "the line `prefix-bytes` is missing or malformed");
	if (!take_hex(l, "prefix-sha256", s->prefix_sha256, FRZ_HASH_LEN))
		return fail(l, "the line `prefix-sha256` is missing or malformed");
	if (!take_hex(l, "before", s->before, FRZ_HASH_LEN))
		return fail(l, "the line `before` is missing or malformed");
	if (!take_text(l, "who", s->who, FRZ_PERSON_MAX))
		return fail(l, "the line `who` is missing or malformed");
	if (s->kind == FRZ_CUSTODY_RELEASE && !take_text(l, "to", s->to, FRZ_PERSON_MAX))
		return fail(l, "the line `to` is missing or malformed");
	if (s->kind == FRZ_CUSTODY_RECEIVE && !take_text(l, "from", s->from, FRZ_PERSON_MAX))
		return fail(l, "the line `from` is missing or malformed");
	if (s->kind == FRZ_CUSTODY_RECEIVE && !take_num(l, "release-entry", &s->release_entry))
		return fail(l, "the line `release-entry` is missing or malformed");
	for (int i = 0; i < FRZ_REMARKS; i++)
		take_text(l, remark_names[i], s->remark[i], FRZ_REMARK_MAX);
	if (!take_time(l, "claimed-time", &s->claimed_time))
		return fail(l, "the line `claimed-time` is missing or malformed, or one before it "
			       "is not known");
	return true;
}

enum frz_err frz_statement_parse(const void *p, size_t n, struct frz_statement *out,
				 const char **why)
{
	struct lines l = { .p = p, .end = (const char *)p + n };
	char again[FRZ_STATEMENT_MAX + 1];
	char version[8];

	*out = (struct frz_statement){ 0 };
	if (n > FRZ_STATEMENT_MAX) {
		*why = "the statement is too long";
		return FRZ_E_CORRUPT;
	}
	if (!take_text(&l, "frz-custody", version, sizeof(version) - 1)) {
		*why = "it does not begin like a statement";
		return FRZ_E_CORRUPT;
	}
	if (strcmp(version, "1") != 0) {
		*why = "the statement's version is not known";
		return FRZ_E_VERSION;
	}
	if (!parse(&l, out)) {
		*why = l.why;
		return FRZ_E_CORRUPT;
	}
	if (l.p != l.end) {
		*why = "something stands behind the statement's last line";
		return FRZ_E_CORRUPT;
	}
	if (frz_statement_format(out, again, sizeof(again)) != n || memcmp(again, p, n) != 0) {
		*why = "a value is not spelled in the one way there is";
		return FRZ_E_CORRUPT;
	}
	return FRZ_OK;
}

/* ---- the block ---- */

enum frz_err frz_custody_block(struct frz_buf *b, uint64_t index, uint64_t offset,
			       const uint8_t prev[FRZ_HASH_LEN], const char *statement,
			       const void *signature, size_t signature_len,
			       uint8_t link[FRZ_HASH_LEN])
{
	struct frz_block_builder w;

	frz_block_begin(&w, b, FRZ_CUSTODY, index, offset, prev);
	frz_block_text(&w, FRZ_K_STATEMENT, statement);
	frz_block_bytes(&w, FRZ_K_SIGNATURE, signature, signature_len);
	return frz_block_finish(&w, link);
}
