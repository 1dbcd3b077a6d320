/*
 * custody_check.c - custody entries held against the case, against each other, and against
 * whom the verifier trusts (contract in custody.h).
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "custody.h"

#define CLOCKS_DIFFER 600  /* seconds that are nobody's fault */
#define ENTRIES_MAX   1000 /* each costs some runs of ssh-keygen */

static void bad(struct custody *c, size_t i, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static void bad(struct custody *c, size_t i, const char *fmt, ...)
{
	struct custody_entry *e = &c->e[i];
	va_list ap;

	if (e->state == CUSTODY_BAD)
		return;
	e->state = CUSTODY_BAD;
	va_start(ap, fmt);
	vsnprintf(e->why, sizeof(e->why), fmt, ap);
	va_end(ap);
	if (!c->first_bad || i + 1 < c->first_bad)
		c->first_bad = i + 1;
}

/* ---- does the statement say where it stands? ---- */

static void check_place(struct custody *c, size_t i, const struct frz_case_head *head,
			const struct verify_custody_entry *at)
{
	struct custody_entry *e = &c->e[i];
	const struct frz_statement *s = &e->statement;
	const char *why = "";

	if (frz_statement_parse(at->statement, at->statement_len, &e->statement, &why) != FRZ_OK) {
		bad(c, i, "the statement cannot be read: %s", why);
		return;
	}
	e->understood = true;
	if (memcmp(s->case_id, head->case_id, sizeof(s->case_id)) != 0)
		bad(c, i, "the statement is about another case");
	else if (s->entry != i + 1 || s->block != at->block)
		bad(c, i,
		    "the statement belongs to another place in the case: entry %ju, block %ju",
		    (uintmax_t)s->entry, (uintmax_t)s->block);
	else if (s->prefix_bytes != at->offset || memcmp(s->before, at->prev, FRZ_HASH_LEN) != 0 ||
		 memcmp(s->prefix_sha256, at->before_sha256, FRZ_HASH_LEN) != 0)
		bad(c, i, "the statement was made for other content in front of it");
	else if (!frz_signature_ok(at->signature, at->signature_len))
		bad(c, i, "what stands for a signature is none");
	else
		e->placed = true;
}

/* ---- who has it ---- */

static void move(struct custody *c, size_t i)
{
	const struct frz_statement *s = &c->e[i].statement, *open = NULL;

	if (c->open)
		open = &c->e[c->open - 1].statement;
	switch (s->kind) {
	case FRZ_CUSTODY_SIGN:
		break;
	case FRZ_CUSTODY_RELEASE:
		if (c->custodian && strcmp(c->custodian, s->who) != 0) {
			bad(c, i, "released by %s, but it is in the custody of %s", s->who,
			    c->custodian);
			return;
		}
		if (!strcmp(s->who, s->to)) {
			bad(c, i, "released by %s to nobody else", s->who);
			return;
		}
		if (c->open)
			c->e[c->open - 1].withdrawn = true;
		c->open = i + 1;
		break;
	case FRZ_CUSTODY_RECEIVE:
		if (!open || strcmp(open->to, s->who) != 0) {
			bad(c, i, "received by %s, to whom nobody released it", s->who);
			return;
		}
		if (strcmp(open->who, s->from) != 0 || s->release_entry != c->open) {
			bad(c, i,
			    "received as from %s by entry %ju, but the release is by %s, entry %zu",
			    s->from, (uintmax_t)s->release_entry, open->who, c->open);
			return;
		}
		c->e[c->open - 1].received_by = i + 1;
		c->open = 0;
		c->custodian = NULL;
		break;
	}
	if (!c->custodian) {
		c->custodian = s->who;
		c->since = i + 1;
	}
}

/* ---- signatures ---- */

static void check_signature(struct custody *c, size_t i, const struct signers *t,
			    const struct verify_custody_entry *at, int64_t when, int64_t now)
{
	const struct sshsig_bytes message = { at->statement, at->statement_len };
	const struct sshsig_bytes sig = { at->signature, at->signature_len };
	struct custody_entry *e = &c->e[i];
	char why[SSHSIG_WHY_MAX] = "";
	enum sshsig_verdict v = sshsig_fits(FRZ_CUSTODY_NAMESPACE, message, sig, e->key, why);

	if (v == SSHSIG_GOOD && t) {
		struct sshsig_trust trust = { { t->text, t->n }, t->revoked };
		char unused[SSHSIG_WHY_MAX] = "";

		v = sshsig_verify(&trust, FRZ_CUSTODY_NAMESPACE, e->statement.who, when, message,
				  sig, why);
		if (v == SSHSIG_GOOD && t->expiry && when < now)
			e->expired_since = sshsig_verify(&trust, FRZ_CUSTODY_NAMESPACE,
							 e->statement.who, now, message, sig,
							 unused) == SSHSIG_BAD;
		if (v == SSHSIG_GOOD)
			e->state = CUSTODY_TRUSTED;
	} else if (v == SSHSIG_GOOD) {
		e->state = CUSTODY_FITS;
	}
	if (v == SSHSIG_BAD && t && t->wildcards && *e->key)
		bad(c, i, "%.200s (wildcards, as in line %u of %.40s, do not count)", why,
		    t->wildcard_line, t->path);
	else if (v == SSHSIG_BAD)
		bad(c, i, "%s", why);
	if (v == SSHSIG_NOT_RUN) {
		e->state = CUSTODY_UNCHECKED;
		snprintf(e->why, sizeof(e->why), "%s", why);
		if (!c->first_unchecked)
			c->first_unchecked = i + 1;
	}
}

void custody_check(const struct signers *signers, const struct frz_case_head *head,
		   const struct verify_custody_entry *e, size_t n, struct custody *c)
{
	int64_t latest = 0, now = (int64_t)time(NULL);

	*c = (struct custody){ .e = calloc(n + 1, sizeof(*c->e)), .n = n };
	if (!c->e) {
		c->n = 0;
		c->nomem = true;
		return;
	}
	for (size_t i = 0; i < n; i++) {
		struct custody_entry *ce = &c->e[i];
		int64_t claimed;

		if (i == ENTRIES_MAX) {
			bad(c, i, "there are more entries than can be checked, %d", ENTRIES_MAX);
			break;
		}
		check_place(c, i, head, &e[i]);
		if (!ce->placed)
			continue;
		claimed = ce->statement.claimed_time;
		ce->earlier = claimed < latest;
		ce->future = claimed > now + CLOCKS_DIFFER;
		if (claimed > latest)
			latest = claimed;
		check_signature(c, i, signers, &e[i], latest, now);
		move(c, i);
	}
	if (c->first_bad) {
		c->custodian = NULL;
		c->open = 0;
	}
}

void custody_release(struct custody *c)
{
	free(c->e);
	c->e = NULL;
}

/* ---- in words ---- */

struct para {
	char *p;
	size_t n, cap;
};

static void say(struct para *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void say(struct para *t, const char *fmt, ...)
{
	size_t room = t->cap - t->n;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(t->p + t->n, room, fmt, ap);
	va_end(ap);
	if (n > 0)
		t->n += (size_t)n < room ? (size_t)n : room - 1;
}

static void say_who_has_it(struct para *t, const struct custody *c)
{
	char when[FRZ_TIME_MAX];

	if (!c->custodian)
		return;
	frz_claimed_time(c->e[c->since - 1].statement.claimed_time, when);
	say(t, " In the custody of %s since %s.", c->custodian, when);
	if (!c->open)
		return;
	frz_claimed_time(c->e[c->open - 1].statement.claimed_time, when);
	say(t, " Released to %s at %s and NOT YET RECEIVED.", c->e[c->open - 1].statement.to, when);
}

static void say_times(struct para *t, const struct custody *c)
{
	say(t, " Times of custody are what the signers claimed.");
	for (size_t i = 0; i < c->n; i++) {
		if (c->e[i].earlier)
			say(t, " Entry %zu claims a time before that of an entry in front of it.",
			    i + 1);
		if (c->e[i].future)
			say(t, " Entry %zu claims a time that has not come.", i + 1);
		if (c->e[i].expired_since)
			say(t, " The key of entry %zu has expired since.", i + 1);
	}
}

static void say_signers(struct para *t, const struct custody *c)
{
	const char *comma = "";

	for (size_t i = 0; i < c->n; i++) {
		const char *who = c->e[i].statement.who;
		size_t j = 0;

		while (j < i && strcmp(c->e[j].statement.who, who) != 0)
			j++;
		if (j < i)
			continue;
		say(t, "%s%s", comma, who);
		comma = ", ";
	}
}

enum verify_trust custody_verdict(const struct signers *signers, const struct custody *c,
				  const struct verify_custody_entry *e, char *line, size_t cap)
{
	struct para t = { .p = line, .cap = cap };
	const char *entries = c->n == 1 ? "entry" : "entries";

	*line = '\0';
	if (c->nomem) {
		say(&t, "Custody was NOT checked: out of memory.");
		return VERIFY_NOT_TRUSTED;
	}
	if (c->first_bad) {
		size_t i = c->first_bad - 1;

		say(&t, "Custody entry %zu of %zu, block %ju at offset %ju, is NOT TRUSTED: %s.",
		    i + 1, c->n, (uintmax_t)e[i].block, (uintmax_t)e[i].offset, c->e[i].why);
		for (i++; i < c->n; i++)
			if (c->e[i].state == CUSTODY_BAD)
				say(&t, " Entry %zu, block %ju: %s.", i + 1, (uintmax_t)e[i].block,
				    c->e[i].why);
		return VERIFY_NOT_TRUSTED;
	}
	if (c->first_unchecked) {
		say(&t, "%zu custody %s: the signatures were NOT checked: %s.", c->n, entries,
		    c->e[c->first_unchecked - 1].why);
		say_who_has_it(&t, c);
		return signers ? VERIFY_NOT_TRUSTED : VERIFY_NOT_CHECKED;
	}
	say(&t, "Signed by ");
	say_signers(&t, c);
	if (signers)
		say(&t, ": %zu custody %s, good signatures by keys that %s allows.", c->n, entries,
		    signers->path);
	else
		say(&t,
		    ", as they say: %zu custody %s, signatures that fit, but whose keys they are "
		    "was NOT checked: give --allowed-signers.",
		    c->n, entries);
	say_who_has_it(&t, c);
	say_times(&t, c);
	return signers ? VERIFY_TRUSTED : VERIFY_NOT_CHECKED;
}

enum verify_trust custody_verify(void *arg, const struct frz_case_head *head,
				 const struct verify_custody_entry *e, size_t n, char *line,
				 size_t cap)
{
	enum verify_trust trust;
	struct custody c;

	custody_check(arg, head, e, n, &c);
	trust = custody_verdict(arg, &c, e, line, cap);
	custody_release(&c);
	return trust;
}
