/* tailmark.c - walks the tail of a case, and notes how far (contract in tailmark.h). */
#include "tailmark.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- marks as text ---- */

void tail_state_text(const struct tail_state *t, char text[TAIL_TEXT_MAX])
{
	char hex[FRZ_HEX_LEN];
	size_t n;

	n = (size_t)snprintf(text, TAIL_TEXT_MAX,
			     "%d %d %d %" PRIu64 " %" PRIu64 " %" PRIu64 " %s;", (int)t->writer,
			     t->present, t->readable, t->events, t->lost, t->unusable, t->why);
	for (unsigned i = 0; i < t->nmarks && n < TAIL_TEXT_MAX; i++) {
		frz_hex(t->mark[i].sha256, FRZ_HASH_LEN, hex);
		n += (size_t)snprintf(
			text + n, TAIL_TEXT_MAX - n, " %" PRIu64 " %" PRIu64 " %" PRIu64 " %s",
			t->mark[i].generation, t->mark[i].records, t->mark[i].events, hex);
	}
}

static bool parse_hex(const char *hex, uint8_t out[FRZ_HASH_LEN])
{
	for (size_t i = 0; i < FRZ_HASH_LEN; i++) {
		unsigned v;

		if (sscanf(hex + 2 * i, "%2x", &v) != 1)
			return false;
		out[i] = (uint8_t)v;
	}
	return true;
}

bool tail_state_marks(const char *text, struct tail_mark mark[FRZ_TAIL_HALVES], unsigned *n)
{
	const char *p = strrchr(text, ';');
	char hex[FRZ_HEX_LEN];
	int used;

	if (!p)
		return false;
	p++;
	for (*n = 0; *p; (*n)++) {
		struct tail_mark *m = &mark[*n];

		_Static_assert(FRZ_HEX_LEN > 64, "64 digits fit");
		if (*n == FRZ_TAIL_HALVES ||
		    sscanf(p, " %" SCNu64 " %" SCNu64 " %" SCNu64 " %64s%n", &m->generation,
			   &m->records, &m->events, hex, &used) != 4 ||
		    strlen(hex) != 64 || !parse_hex(hex, m->sha256))
			return false;
		p += used;
	}
	return true;
}

/* ---- hashes ---- */

void tail_hash_begin(struct tail_hash *h)
{
	frz_sha256_init(&h->sha);
	h->records = h->events = 0;
}

void tail_hash_add(struct tail_hash *h, const struct frz_record *rec)
{
	size_t len = frz_cur_left(&rec->body);
	uint8_t b[32];

	frz_put64(b, (uint64_t)rec->type);
	frz_put64(b + 8, len);
	frz_put64(b + 16, rec->mono_ns);
	frz_put64(b + 24, rec->dur_ns);
	frz_sha256_add(&h->sha, b, sizeof(b));
	if (len)
		frz_sha256_add(&h->sha, rec->body.p, len);
	h->records++;
	h->events += rec->seq != 0;
}

bool tail_hash_is(const struct tail_hash *h, const struct tail_mark *m)
{
	uint8_t sha[FRZ_HASH_LEN];

	if (h->records != m->records || h->events != m->events)
		return false;
	frz_sha256_peek(&h->sha, sha);
	return !memcmp(sha, m->sha256, sizeof(sha));
}

/* ---- the walk ---- */

/* One half, of which `was` is known (NULL: nothing). *good: all its records make sense. */
static enum tail_walked walk_half(const struct frz_tail_half *half, const struct tail_taker *to,
				  const struct tail_mark *was, struct tail_state *t, bool *good)
{
	struct tail_mark *m = &t->mark[t->nmarks];
	struct frz_half_cur c;
	struct frz_record rec;
	struct tail_hash h;
	enum frz_err err;
	uint64_t at;

	frz_half_begin(&c, half, to->d);
	tail_hash_begin(&h);
	if (to->half && !to->half(to->arg, half, was != NULL))
		return TAIL_STOPPED;
	while (at = c.at, (err = frz_half_next(&c, to->d, &rec)) == FRZ_OK) {
		bool known = was && h.records < was->records;

		tail_hash_add(&h, &rec);
		if (known && h.records == was->records && !tail_hash_is(&h, was))
			return TAIL_STALE;
		if (to->record && !to->record(to->arg, &rec, known))
			return TAIL_STOPPED;
	}
	if (was && h.records < was->records)
		return TAIL_STALE;
	*good = err == FRZ_END;
	if (!*good) {
		t->unusable += half->usable - at;
		snprintf(t->why, sizeof(t->why), FRZ_TAIL_NONSENSE);
	}
	*m = (struct tail_mark){ .generation = half->generation,
				 .records = h.records,
				 .events = h.events };
	frz_sha256_peek(&h.sha, m->sha256);
	t->nmarks++;
	t->events += h.events;
	t->lost += half->lost;
	return TAIL_GOOD;
}

enum tail_walked tail_walk(const struct frz_unfinished *u, const struct tail_taker *to,
			   struct tail_state *t)
{
	struct tail_state was = *t;
	enum tail_walked w = TAIL_GOOD;
	unsigned known = 0;
	bool good = true;

	*t = (struct tail_state){ .writer = was.writer,
				  .present = u->present,
				  .readable = u->readable,
				  .unusable = u->tail.unusable };
	snprintf(t->why, sizeof(t->why), "%s", u->why);
	for (unsigned i = 0; i < u->tail.nhalves && good && w == TAIL_GOOD; i++) {
		const struct frz_tail_half *h = &u->tail.half[i];
		const struct tail_mark *m = NULL;

		for (unsigned k = 0; k < was.nmarks; k++)
			if (was.mark[k].generation == h->generation)
				m = &was.mark[k];
		known += m != NULL;
		w = walk_half(h, to, m, t, &good);
	}
	/* dropped while there was no half: the one who dropped them may still say so himself */
	if (t->readable && t->writer == FRZ_WRITER_NONE)
		t->lost += u->tail.unplaced <= UINT64_MAX / 4 ? u->tail.unplaced : 0;
	return w == TAIL_GOOD && known < was.nmarks ? TAIL_STALE : w;
}
