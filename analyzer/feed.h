/*
 * feed.h - rows in memory as a table that SQL can select from, so that one
 * INSERT INTO ... SELECT takes many rows: half the cost of a statement for each.
 */
#ifndef FANALYZE_FEED_H
#define FANALYZE_FEED_H

#include <stdbool.h>
#include <stdint.h>

struct sqlite3;
struct sqlite3_context;

#define FEED_COLUMNS 32

struct feed {
	uint32_t rows;
	/* Sets the result; leaving it unset is NULL. Texts must last until the INSERT is over. */
	void (*value)(const struct feed *f, uint32_t row, int column, struct sqlite3_context *out);
	/* The first row from `row` on that is to be seen, `rows` or more at the end; NULL: all. */
	uint32_t (*next)(const struct feed *f, uint32_t row);
	const void *data; /* the owner's */
};

/* Makes f selectable under this name on db, with columns c0, c1, ... f is looked at anew by each
 * SELECT and must outlive db. False: sqlite3_errmsg says why. */
bool feed_register(struct sqlite3 *db, const char *name, struct feed *f);
/* "INSERT OR FAIL|REPLACE INTO table SELECT c0, ... FROM name" with so many columns, prepared.
 * NULL: as above. */
struct sqlite3_stmt *feed_prepare(struct sqlite3 *db, const char *name, const char *table,
				  unsigned columns, bool replace);

#endif
