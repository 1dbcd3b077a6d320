/*
 * aggregate.h - tables of integers that grow while a case is imported and are written to
 * the database at the end of it. Texts are numbers of `strings`.
 */
#ifndef FANALYZE_AGGREGATE_H
#define FANALYZE_AGGREGATE_H

#include <stdbool.h>
#include <stdint.h>

#include "tables.h"

struct sqlite3;
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

/* From and to the database; false: sqlite3_errmsg says why (or no memory, then it says "not
 * an error"). Flush writes only rows touched since the last. */
bool aggregates_load(struct aggregates *a, struct sqlite3 *db);
bool aggregates_flush(struct aggregates *a, struct sqlite3 *db);

#endif
