/*
 * aggregate.h - tables of integers that grow while a case is imported. They are written to the
 * database at the end of it, most rows ahead of that. Texts are numbers of `strings`.
 */
#ifndef FANALYZE_AGGREGATE_H
#define FANALYZE_AGGREGATE_H

#include <stdbool.h>
#include <stdint.h>

#include "tables.h"

struct sqlite3;
struct sqlite3_stmt;
struct sqlite3_context;
struct feed;
struct aggregate;

struct aggregates {
	struct aggregate *table[TABLES_N];
};

/* False: no memory. Release in any case. */
bool aggregates_init(struct aggregates *a);
void aggregates_release(struct aggregates *a);

/* Row number (from 1) of the row with this key, 0: there is none. */
uint32_t aggregate_find(const struct aggregates *a, enum table t, const int64_t *key);
/* The same, made when there is none. 0: no memory. For a table without a key: a new row,
 * its columns as given, as many as it has. */
uint32_t aggregate_get(struct aggregates *a, enum table t, const int64_t *key);
/* The row's columns, to be changed; valid as long as the aggregates. Key columns must not
 * be changed except by aggregate_rekey. */
int64_t *aggregate_row(struct aggregates *a, enum table t, uint32_t row);
const int64_t *aggregate_peek(const struct aggregates *a, enum table t, uint32_t row);
bool aggregate_rekey(struct aggregates *a, enum table t, uint32_t row, const int64_t *key);
uint32_t aggregate_rows(const struct aggregates *a, enum table t);

/* Rows to be written ahead of a flush, copied: ids, and their columns one row behind the other. */
struct settled {
	uint32_t rows, cap;
	uint32_t *id;
	int64_t *value;
};
/* Takes those rows of the table that were new two calls ago, or before, and that no call has
 * taken: most of them will not change any more, and one that does is written again by the
 * flush. False: no memory. */
bool aggregate_settle(struct aggregates *a, enum table t, struct settled *out);
void settled_release(struct settled *s);
/* The statement that writes what a feed of this name has, by settled_value: data is a struct
 * settled_of. NULL: sqlite3_errmsg says why. */
struct settled_of {
	enum table table;
	const struct settled *rows;
};
struct sqlite3_stmt *settled_prepare(struct sqlite3 *db, const char *feed, enum table t);
void settled_value(const struct feed *f, uint32_t row, int column, struct sqlite3_context *out);

/* From and to the database; false: sqlite3_errmsg says why (or no memory, then it says "not
 * an error"). Flush writes only rows touched since the last. */
bool aggregates_load(struct aggregates *a, struct sqlite3 *db);
bool aggregates_flush(struct aggregates *a, struct sqlite3 *db);

#endif
