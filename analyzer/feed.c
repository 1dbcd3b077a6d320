/* feed.c - rows in memory as a virtual table (contract in feed.h). */
#include "feed.h"

#include <sqlite3.h>
#include <stdio.h>

struct feed_table {
	sqlite3_vtab base;
	const struct feed *f;
};
struct feed_cursor {
	sqlite3_vtab_cursor base;
	const struct feed *f;
	uint32_t row;
};

static int connect(sqlite3 *db, void *aux, int argc, const char *const *argv, sqlite3_vtab **out,
		   char **err)
{
	char sql[40 + 5 * FEED_COLUMNS];
	int n = snprintf(sql, sizeof(sql), "CREATE TABLE feed (c0");
	struct feed_table *t;
	int rc;

	(void)argc;
	(void)argv;
	(void)err;
	for (int i = 1; i < FEED_COLUMNS; i++)
		n += snprintf(sql + n, sizeof(sql) - (size_t)n, ",c%d", i);
	snprintf(sql + n, sizeof(sql) - (size_t)n, ")");
	rc = sqlite3_declare_vtab(db, sql);
	if (rc != SQLITE_OK)
		return rc;
	t = sqlite3_malloc64(sizeof(*t));
	if (!t)
		return SQLITE_NOMEM;
	*t = (struct feed_table){ .f = aux };
	*out = &t->base;
	return SQLITE_OK;
}

static int disconnect(sqlite3_vtab *t)
{
	sqlite3_free(t);
	return SQLITE_OK;
}

static int best_index(sqlite3_vtab *t, sqlite3_index_info *info)
{
	(void)t;
	info->estimatedCost = 1e6;
	return SQLITE_OK;
}

static int open_cursor(sqlite3_vtab *t, sqlite3_vtab_cursor **out)
{
	struct feed_cursor *c = sqlite3_malloc64(sizeof(*c));

	if (!c)
		return SQLITE_NOMEM;
	*c = (struct feed_cursor){ .f = ((struct feed_table *)t)->f };
	*out = &c->base;
	return SQLITE_OK;
}

static int close_cursor(sqlite3_vtab_cursor *c)
{
	sqlite3_free(c);
	return SQLITE_OK;
}

static void move_to(struct feed_cursor *c, uint32_t row)
{
	c->row = c->f->next ? c->f->next(c->f, row) : row;
}

static int filter(sqlite3_vtab_cursor *cur, int number, const char *text, int argc,
		  sqlite3_value **argv)
{
	(void)number;
	(void)text;
	(void)argc;
	(void)argv;
	move_to((struct feed_cursor *)cur, 0);
	return SQLITE_OK;
}

static int next(sqlite3_vtab_cursor *cur)
{
	struct feed_cursor *c = (struct feed_cursor *)cur;

	move_to(c, c->row + 1);
	return SQLITE_OK;
}

static int at_end(sqlite3_vtab_cursor *cur)
{
	const struct feed_cursor *c = (struct feed_cursor *)cur;

	return c->row >= c->f->rows;
}

static int column(sqlite3_vtab_cursor *cur, sqlite3_context *out, int i)
{
	const struct feed_cursor *c = (struct feed_cursor *)cur;

	c->f->value(c->f, c->row, i, out);
	return SQLITE_OK;
}

static int rowid(sqlite3_vtab_cursor *cur, sqlite3_int64 *out)
{
	*out = ((struct feed_cursor *)cur)->row;
	return SQLITE_OK;
}

static const sqlite3_module module = {
	.xConnect = connect,
	.xDisconnect = disconnect,
	.xBestIndex = best_index,
	.xOpen = open_cursor,
	.xClose = close_cursor,
	.xFilter = filter,
	.xNext = next,
	.xEof = at_end,
	.xColumn = column,
	.xRowid = rowid,
};

bool feed_register(sqlite3 *db, const char *name, struct feed *f)
{
	return sqlite3_create_module(db, name, &module, f) == SQLITE_OK;
}

sqlite3_stmt *feed_prepare(sqlite3 *db, const char *name, const char *table, unsigned columns,
			   bool replace)
{
	char sql[160 + 5 * FEED_COLUMNS];
	size_t n;
	sqlite3_stmt *st = NULL;

	/* FAIL, not ABORT: a failure ends the import anyway, and ABORT would keep an undo log */
	n = (size_t)snprintf(sql, sizeof(sql), "INSERT OR %s INTO %s SELECT c0",
			     replace ? "REPLACE" : "FAIL", table);
	for (unsigned i = 1; i < columns; i++)
		n += (size_t)snprintf(sql + n, sizeof(sql) - n, ",c%u", i);
	snprintf(sql + n, sizeof(sql) - n, " FROM %s", name);
	return sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &st, NULL) == SQLITE_OK ?
		       st :
		       NULL;
}
