/* spans.c - what occurs when (contract in spans.h). */
#include "spans.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "feed.h"

#define SPAN_EVENTS 1024u
#define SEEN	    (1u << 12)
#define SET_BITS    (1u << 18) /* ids are told apart by as many */

struct ids {
	uint8_t *p; /* 4 bytes each, lowest first: as they stand in the database */
	uint32_t n, cap;
};

struct span {
	int64_t first; /* time of its begin; it ends where the next begins */
	uint32_t events, failures;
	bool dirty;
	struct ids ids[SPAN_KINDS];
};

struct spans {
	struct span *span;
	uint32_t n, cap;
	int64_t last; /* greatest time of an event */
	/* what was noted lately, and in which span: spares most of noting it again */
	struct {
		uint32_t id, span;
	} seen[SPAN_KINDS][SEEN];
};

static bool begin(struct spans *s, int64_t first)
{
	if (s->n == s->cap) {
		uint32_t cap = s->cap * 2 + 64;
		struct span *bigger = realloc(s->span, cap * sizeof(*bigger));

		if (!bigger)
			return false;
		s->span = bigger;
		s->cap = cap;
	}
	if (s->n)
		s->span[s->n - 1].dirty = true; /* its end is known now */
	s->span[s->n++] = (struct span){ .first = first, .dirty = true };
	return true;
}

struct spans *spans_new(void)
{
	struct spans *s = calloc(1, sizeof(*s));

	if (s)
		s->last = INT64_MIN;
	return s;
}

void spans_free(struct spans *s)
{
	if (!s)
		return;
	for (uint32_t i = 0; i < s->n; i++)
		for (unsigned k = 0; k < SPAN_KINDS; k++)
			free(s->span[i].ids[k].p);
	free(s->span);
	free(s);
}

static bool room(struct ids *ids)
{
	uint32_t cap = ids->cap * 2 + 16;
	uint8_t *bigger;

	if (ids->n < ids->cap)
		return true;
	bigger = realloc(ids->p, (size_t)cap * 4);
	if (!bigger)
		return false;
	ids->p = bigger;
	ids->cap = cap;
	return true;
}

static bool note(struct spans *s, uint32_t at, enum span_kind k, uint32_t id)
{
	struct ids *ids = &s->span[at].ids[k];
	unsigned slot = id % SEEN;

	if (!id || (s->seen[k][slot].id == id && s->seen[k][slot].span == at))
		return true;
	s->seen[k][slot].id = id;
	s->seen[k][slot].span = at;
	if (!room(ids))
		return false;
	frz_put32(ids->p + (size_t)ids->n++ * 4, id);
	return true;
}

/* The span of a time that lies before the newest one: a long call that ended only now. */
static uint32_t find(const struct spans *s, int64_t ts)
{
	uint32_t low = 0, high = s->n - 1;

	while (low < high) {
		uint32_t middle = low + (high - low + 1) / 2;

		if (s->span[middle].first <= ts)
			low = middle;
		else
			high = middle - 1;
	}
	return low;
}

bool spans_add(struct spans *s, int64_t ts, uint32_t thread, uint64_t call, uint32_t path,
	       uint32_t path2, bool failed)
{
	uint32_t at;

	/* the first one begins before all time: whatever may come is within one */
	if ((!s->n && !begin(s, INT64_MIN)) ||
	    (ts > s->last && s->span[s->n - 1].events >= SPAN_EVENTS && !begin(s, ts)))
		return false;
	if (ts > s->last)
		s->last = ts;
	at = ts >= s->span[s->n - 1].first ? s->n - 1 : find(s, ts);
	s->span[at].events++;
	s->span[at].failures += failed;
	s->span[at].dirty = true;
	return note(s, at, SPAN_THREAD, thread) && note(s, at, SPAN_CALL, (uint32_t)call) &&
	       note(s, at, SPAN_PATH, path) && note(s, at, SPAN_PATH, path2);
}

/* ---- the database ---- */

bool spans_load(struct spans *s, sqlite3 *db)
{
	sqlite3_stmt *st = NULL;
	int rc;

	if (sqlite3_prepare_v2(
		    db,
		    "SELECT first, events, failures, threads, calls, paths FROM spans ORDER BY id",
		    -1, &st, NULL) != SQLITE_OK)
		return false;
	while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
		struct span *p;

		if (!begin(s, sqlite3_column_int64(st, 0))) {
			rc = SQLITE_NOMEM;
			break;
		}
		p = &s->span[s->n - 1];
		p->events = (uint32_t)sqlite3_column_int64(st, 1);
		p->failures = (uint32_t)sqlite3_column_int64(st, 2);
		for (int k = 0; k < SPAN_KINDS; k++) {
			const void *from = sqlite3_column_blob(st, 3 + k);
			uint32_t n = (uint32_t)sqlite3_column_bytes(st, 3 + k) / 4;

			if (!n)
				continue;
			p->ids[k].p = malloc((size_t)n * 4);
			if (!p->ids[k].p) {
				rc = SQLITE_NOMEM;
				break;
			}
			memcpy(p->ids[k].p, from, (size_t)n * 4);
			p->ids[k].n = p->ids[k].cap = n;
		}
		if (rc != SQLITE_ROW)
			break;
	}
	for (uint32_t i = 0; i < s->n; i++)
		s->span[i].dirty = false;
	sqlite3_finalize(st);
	if (rc != SQLITE_DONE || !s->n)
		return rc == SQLITE_DONE;
	if (sqlite3_prepare_v2(db, "SELECT max(ts) FROM events", -1, &st, NULL) != SQLITE_OK)
		return false;
	rc = sqlite3_step(st);
	s->last = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	return rc == SQLITE_ROW;
}

static uint32_t next_dirty(const struct feed *f, uint32_t row)
{
	const struct spans *s = f->data;

	while (row < s->n && !s->span[row].dirty)
		row++;
	return row;
}

static void span_value(const struct feed *f, uint32_t row, int column, sqlite3_context *out)
{
	const struct spans *s = f->data;
	const struct span *p = &s->span[row];

	switch (column) {
	case 0:
		sqlite3_result_int64(out, row + 1);
		break;
	case 1:
		sqlite3_result_int64(out, p->first);
		break;
	case 2:
		sqlite3_result_int64(out, row + 1 < s->n ? p[1].first : INT64_MAX);
		break;
	case 3:
		sqlite3_result_int64(out, p->events);
		break;
	case 4:
		sqlite3_result_int64(out, p->failures);
		break;
	default:
		if (p->ids[column - 5].n)
			sqlite3_result_blob64(out, p->ids[column - 5].p,
					      (uint64_t)p->ids[column - 5].n * 4, SQLITE_STATIC);
		else
			sqlite3_result_zeroblob(out, 0);
	}
}

bool spans_flush(struct spans *s, sqlite3 *db)
{
	struct feed f = { .rows = s->n, .value = span_value, .next = next_dirty, .data = s };
	sqlite3_stmt *st = NULL;
	bool good = feed_register(db, "feed_spans", &f) &&
		    (st = feed_prepare(db, "feed_spans", "spans", 5 + SPAN_KINDS, true)) &&
		    sqlite3_step(st) == SQLITE_DONE;

	sqlite3_finalize(st);
	/* f ends with this function */
	sqlite3_create_module(db, "feed_spans", NULL, NULL);
	for (uint32_t i = 0; good && i < s->n; i++)
		s->span[i].dirty = false;
	return good;
}

/* ---- functions ---- */

static void set_step(sqlite3_context *c, int argc, sqlite3_value **v)
{
	uint8_t *set = sqlite3_aggregate_context(c, SET_BITS / 8);
	uint32_t bit = (uint32_t)sqlite3_value_int64(v[0]) % SET_BITS;

	(void)argc;
	if (set)
		set[bit / 8] |= (uint8_t)(1 << bit % 8);
	else
		sqlite3_result_error_nomem(c);
}

static void set_final(sqlite3_context *c)
{
	const uint8_t *set = sqlite3_aggregate_context(c, 0);

	if (set)
		sqlite3_result_blob(c, set, SET_BITS / 8, SQLITE_TRANSIENT);
}

static void meet(sqlite3_context *c, int argc, sqlite3_value **v)
{
	const uint8_t *ids = sqlite3_value_blob(v[0]), *set = sqlite3_value_blob(v[1]);
	size_t n = (size_t)sqlite3_value_bytes(v[0]) / 4;
	bool met = false;

	(void)argc;
	if (sqlite3_value_bytes(v[1]) != SET_BITS / 8)
		n = 0; /* an empty set */
	for (size_t i = 0; i < n && !met; i++) {
		uint32_t bit = frz_get32(ids + i * 4) % SET_BITS;

		met = set[bit / 8] >> bit % 8 & 1;
	}
	sqlite3_result_int(c, met);
}

bool spans_functions(sqlite3 *db)
{
	const int flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS;

	return sqlite3_create_function(db, "spans_set", 1, flags, NULL, NULL, set_step,
				       set_final) == SQLITE_OK &&
	       sqlite3_create_function(db, "spans_meet", 2, flags, NULL, meet, NULL, NULL) ==
		       SQLITE_OK;
}
