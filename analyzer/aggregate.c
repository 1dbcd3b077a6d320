/* aggregate.c - tables counted in memory, keyed by their first columns (see aggregate.h). */
#include "aggregate.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "feed.h"
#include "hash.h"

#define CHUNK_ROWS 1024u

struct table_def {
	const char *name;
	unsigned nkeys, ncols;
	const int64_t *first;
};

#define FIRST(name, first) first,
#define A(table, nkeys)	   static const int64_t first_##table[] = { COLS_##table(FIRST) };
ALL_TABLES(A)
#undef A

static const struct table_def defs[TABLES_N] = {
#define A(table, nkeys) { #table, nkeys, table##_N, first_##table },
	ALL_TABLES(A)
#undef A
};

/* tag: the hash's upper half, which spares a look at most rows of another key. */
struct slot {
	uint32_t row, tag; /* row 0: empty */
};

struct aggregate {
	const struct table_def *def;
	uint32_t rows, chunks, cap_chunks;
	uint32_t settled, settling; /* rows taken by aggregate_settle; to be taken by the next */
	int64_t **chunk;	    /* CHUNK_ROWS rows each, never moved */
	uint8_t *dirty;		    /* a bit a row */
	struct slot *slot;	    /* by hash of the key */
	uint32_t mask, used;
};

static int64_t *columns(const struct aggregate *t, uint32_t row)
{
	return t->chunk[(row - 1) / CHUNK_ROWS] + (size_t)((row - 1) % CHUNK_ROWS) * t->def->ncols;
}

bool aggregates_init(struct aggregates *a)
{
	memset(a, 0, sizeof(*a));
	for (unsigned i = 0; i < TABLES_N; i++) {
		a->table[i] = calloc(1, sizeof(*a->table[i]));
		if (!a->table[i])
			return false;
		a->table[i]->def = &defs[i];
	}
	return true;
}

void aggregates_release(struct aggregates *a)
{
	for (unsigned i = 0; i < TABLES_N; i++) {
		struct aggregate *t = a->table[i];

		if (!t)
			continue;
		for (uint32_t c = 0; c < t->chunks; c++)
			free(t->chunk[c]);
		free(t->chunk);
		free(t->dirty);
		free(t->slot);
		free(t);
	}
	memset(a, 0, sizeof(*a));
}

static bool has_key(const struct aggregate *t, uint32_t row, const int64_t *key)
{
	const int64_t *c = columns(t, row);
	unsigned i = 0;

	while (i < t->def->nkeys && c[i] == key[i])
		i++;
	return i == t->def->nkeys;
}

/* The slot that holds the key, or the empty one where it belongs, its tag set. */
static struct slot *slot_of(const struct aggregate *t, const int64_t *key)
{
	uint64_t hash = hash_ints(key, t->def->nkeys);
	uint32_t i = (uint32_t)hash & t->mask, tag = (uint32_t)(hash >> 32);

	while (t->slot[i].row && (t->slot[i].tag != tag || !has_key(t, t->slot[i].row, key)))
		i = (i + 1) & t->mask;
	t->slot[i].tag = tag;
	return &t->slot[i];
}

static bool grow_slots(struct aggregate *t)
{
	struct slot *old = t->slot;
	uint32_t old_mask = t->mask;

	if (old && t->used * 2 <= t->mask)
		return true;
	t->mask = old ? old_mask * 2 + 1 : 255;
	while (t->mask < t->rows * 2)
		t->mask = t->mask * 2 + 1;
	t->slot = calloc((size_t)t->mask + 1, sizeof(*t->slot));
	if (!t->slot) {
		t->slot = old;
		t->mask = old_mask;
		return false;
	}
	t->used = 0;
	/* from the rows, so that slots left behind by a rekey go away */
	for (uint32_t r = 1; r <= t->rows; r++) {
		struct slot *s = slot_of(t, columns(t, r));

		t->used += !s->row;
		s->row = r;
	}
	free(old);
	return true;
}

static uint32_t add_row(struct aggregate *t, const int64_t *v, unsigned given)
{
	int64_t *c;

	if (t->rows == t->chunks * CHUNK_ROWS) {
		if (t->chunks == t->cap_chunks) {
			uint32_t cap = t->cap_chunks ? t->cap_chunks * 2 : 16;
			int64_t **bigger = realloc(t->chunk, cap * sizeof(*bigger));
			uint8_t *d;

			if (!bigger)
				return 0;
			t->chunk = bigger;
			d = realloc(t->dirty, (size_t)cap * CHUNK_ROWS / 8);
			if (!d)
				return 0;
			memset(d + (size_t)t->cap_chunks * CHUNK_ROWS / 8, 0,
			       (size_t)(cap - t->cap_chunks) * CHUNK_ROWS / 8);
			t->dirty = d;
			t->cap_chunks = cap;
		}
		t->chunk[t->chunks] = malloc((size_t)CHUNK_ROWS * t->def->ncols * sizeof(int64_t));
		if (!t->chunk[t->chunks])
			return 0;
		t->chunks++;
	}
	t->rows++;
	c = columns(t, t->rows);
	memcpy(c, t->def->first, t->def->ncols * sizeof(*c));
	memcpy(c, v, given * sizeof(*c));
	t->dirty[(t->rows - 1) / 8] |= (uint8_t)(1 << ((t->rows - 1) % 8));
	return t->rows;
}

uint32_t aggregate_find(const struct aggregates *a, enum table table, const int64_t *key)
{
	const struct aggregate *t = a->table[table];

	return t->slot ? slot_of(t, key)->row : 0;
}

uint32_t aggregate_get(struct aggregates *a, enum table table, const int64_t *key)
{
	struct aggregate *t = a->table[table];
	struct slot *s;

	if (!t->def->nkeys)
		return add_row(t, key, t->def->ncols);
	if (!grow_slots(t))
		return 0;
	s = slot_of(t, key);
	if (!s->row) {
		s->row = add_row(t, key, t->def->nkeys);
		t->used += s->row != 0;
	}
	return s->row;
}

int64_t *aggregate_row(struct aggregates *a, enum table table, uint32_t row)
{
	struct aggregate *t = a->table[table];

	t->dirty[(row - 1) / 8] |= (uint8_t)(1 << ((row - 1) % 8));
	return columns(t, row);
}

const int64_t *aggregate_peek(const struct aggregates *a, enum table table, uint32_t row)
{
	return columns(a->table[table], row);
}

bool aggregate_rekey(struct aggregates *a, enum table table, uint32_t row, const int64_t *key)
{
	struct aggregate *t = a->table[table];
	struct slot *s;

	if (!grow_slots(t))
		return false;
	memcpy(aggregate_row(a, table, row), key, t->def->nkeys * sizeof(*key));
	s = slot_of(t, key);
	t->used += !s->row;
	s->row = row;
	return true;
}

uint32_t aggregate_rows(const struct aggregates *a, enum table table)
{
	return a->table[table]->rows;
}

static bool load_table(struct aggregate *t, struct sqlite3 *db)
{
	int64_t v[32];
	sqlite3_stmt *st = NULL;
	char sql[64];
	int rc;

	_Static_assert(files_N < FEED_COLUMNS && fds_N < FEED_COLUMNS, "columns fit");
	snprintf(sql, sizeof(sql), "SELECT * FROM %s ORDER BY id", t->def->name);
	if (sqlite3_prepare_v2(db, sql, -1, &st, NULL) != SQLITE_OK)
		return false;
	while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
		for (unsigned i = 0; i < t->def->ncols; i++)
			v[i] = sqlite3_column_type(st, (int)i + 1) == SQLITE_NULL ?
				       NIL :
				       sqlite3_column_int64(st, (int)i + 1);
		if ((uint32_t)sqlite3_column_int64(st, 0) != t->rows + 1 ||
		    !add_row(t, v, t->def->ncols)) {
			rc = SQLITE_NOMEM;
			break;
		}
	}
	sqlite3_finalize(st);
	if (rc != SQLITE_DONE)
		return false;
	if (t->dirty)
		memset(t->dirty, 0, (size_t)t->cap_chunks * CHUNK_ROWS / 8);
	t->settled = t->settling = t->rows;
	return !t->def->nkeys || !t->rows || grow_slots(t);
}

bool aggregates_load(struct aggregates *a, struct sqlite3 *db)
{
	for (unsigned i = 0; i < TABLES_N; i++)
		if (!load_table(a->table[i], db))
			return false;
	return true;
}

static void row_value(const struct feed *f, uint32_t row, int column, sqlite3_context *out)
{
	int64_t v = column ? columns(f->data, row + 1)[column - 1] : row + 1;

	if (v != NIL)
		sqlite3_result_int64(out, v);
}

static uint32_t next_dirty(const struct feed *f, uint32_t row)
{
	const struct aggregate *t = f->data;

	while (row < t->rows && !(t->dirty[row / 8] & 1 << (row % 8)))
		row += t->dirty[row / 8] >> (row % 8) ? 1 : 8 - row % 8;
	return row;
}

static bool is_dirty(const struct aggregate *t, uint32_t row)
{
	return t->dirty[(row - 1) / 8] & 1 << ((row - 1) % 8);
}

bool aggregate_settle(struct aggregates *a, enum table table, struct settled *out)
{
	struct aggregate *t = a->table[table];
	uint32_t n = t->settling - t->settled;
	size_t ncols = t->def->ncols;

	out->rows = 0;
	if (n > out->cap) {
		settled_release(out);
		out->id = malloc(n * sizeof(*out->id));
		out->value = malloc(n * ncols * sizeof(*out->value));
		if (!out->id || !out->value)
			return false;
		out->cap = n;
	}
	for (uint32_t row = t->settled + 1; row <= t->settling; row++) {
		if (!is_dirty(t, row))
			continue;
		out->id[out->rows] = row;
		memcpy(out->value + out->rows++ * ncols, columns(t, row), ncols * sizeof(int64_t));
		t->dirty[(row - 1) / 8] &= (uint8_t) ~(1 << ((row - 1) % 8));
	}
	t->settled = t->settling;
	t->settling = t->rows;
	return true;
}

void settled_release(struct settled *s)
{
	free(s->id);
	free(s->value);
	*s = (struct settled){ 0 };
}

void settled_value(const struct feed *f, uint32_t row, int column, sqlite3_context *out)
{
	const struct settled_of *of = f->data;
	size_t ncols = defs[of->table].ncols;
	int64_t v = column ? of->rows->value[row * ncols + (size_t)column - 1] : of->rows->id[row];

	if (v != NIL)
		sqlite3_result_int64(out, v);
}

sqlite3_stmt *settled_prepare(sqlite3 *db, const char *feed, enum table t)
{
	return feed_prepare(db, feed, defs[t].name, defs[t].ncols + 1, true);
}

static bool flush_table(struct aggregate *t, struct sqlite3 *db, struct feed *f)
{
	sqlite3_stmt *st;
	bool good;

	f->data = t;
	f->rows = t->rows;
	if (!t->rows || next_dirty(f, 0) >= t->rows)
		return true;
	st = feed_prepare(db, "feed_rows", t->def->name, t->def->ncols + 1, true);
	good = st && sqlite3_step(st) == SQLITE_DONE;
	sqlite3_finalize(st);
	if (good)
		memset(t->dirty, 0, (size_t)t->cap_chunks * CHUNK_ROWS / 8);
	return good;
}

bool aggregates_flush(struct aggregates *a, struct sqlite3 *db)
{
	struct feed f = { .value = row_value, .next = next_dirty };
	bool good = feed_register(db, "feed_rows", &f);

	for (unsigned i = 0; good && i < TABLES_N; i++)
		good = flush_table(a->table[i], db, &f);
	/* f ends with this function */
	sqlite3_create_module(db, "feed_rows", NULL, NULL);
	return good;
}
