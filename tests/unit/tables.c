/* tables.c - the analyzer's column lists are the schema's, and its counting tables keep what they
 * are given. */
#include <sqlite3.h>

#include "aggregate.h"
#include "db.h"
#include "feed.h"
#include "tables.h"
#include "tap.h"

struct list {
	const char *table;
	const char *columns;
};

#define NAME(name, first) "," #name
#define A(table, nkeys)	  { #table, "id" COLS_##table(NAME) },
static const struct list lists[] = { ALL_TABLES(A) };
#undef A

static sqlite3 *fresh(void)
{
	sqlite3 *db;

	if (sqlite3_open(":memory:", &db) != SQLITE_OK || !db_create_tables(db) ||
	    !db_create_indexes(db))
		bail_out(sqlite3_errmsg(db));
	return db;
}

static void columns(void)
{
	sqlite3 *db = fresh();
	sqlite3_stmt *st;

	sqlite3_prepare_v2(db,
			   "SELECT group_concat(name) FROM"
			   " (SELECT name FROM pragma_table_info(?) ORDER BY cid)",
			   -1, &st, NULL);
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		sqlite3_bind_text(st, 1, lists[i].table, -1, SQLITE_STATIC);
		sqlite3_step(st);
		is_str((const char *)sqlite3_column_text(st, 0), lists[i].columns, lists[i].table);
		sqlite3_reset(st);
	}
	sqlite3_finalize(st);
	sqlite3_close(db);
}

static void keep(void)
{
	struct aggregates a, b;
	sqlite3 *db = fresh();
	bool good = true;

	ok(aggregates_init(&a), "empty tables");
	is_int(aggregate_find(&a, TABLE_file_procs, (const int64_t[]){ 1, 2 }), 0,
	       "nothing is there");
	for (int64_t i = 1; i <= 5000; i++) {
		uint32_t row = aggregate_get(&a, TABLE_files, (const int64_t[]){ i, i % 7, -i });

		good &= row == (uint32_t)i;
		aggregate_row(&a, TABLE_files, row)[files_reads] = i * 3;
	}
	ok(good, "5,000 rows get numbers in turn");
	is_int(aggregate_get(&a, TABLE_files, (const int64_t[]){ 77, 0, -77 }), 77,
	       "a key is found again");
	is_int(aggregate_peek(&a, TABLE_files, 77)[files_size], NIL, "what is not known is NIL");
	is_int(aggregate_peek(&a, TABLE_files, 77)[files_writes], 0, "counts begin at 0");
	ok(aggregate_rekey(&a, TABLE_files, 77, (const int64_t[]){ 77, 9, 9 }),
	   "a row gets another key");
	is_int(aggregate_find(&a, TABLE_files, (const int64_t[]){ 77, 9, 9 }), 77, "found by it");
	is_int(aggregate_find(&a, TABLE_files, (const int64_t[]){ 77, 0, -77 }), 0,
	       "and not by the old one");
	for (int i = 0; i < 3; i++)
		aggregate_get(&a, TABLE_signals, (const int64_t[]){ i, 1, 15, NIL, 2, 3 });
	is_int(aggregate_rows(&a, TABLE_signals), 3, "a table without a key takes equal rows");
	ok(aggregates_flush(&a, db), "written to a database");

	ok(aggregates_init(&b) && aggregates_load(&b, db), "and read back");
	is_int(aggregate_rows(&b, TABLE_files), 5000, "as many");
	good = true;
	for (int64_t i = 1; i <= 5000; i++) {
		uint32_t row = aggregate_find(&b, TABLE_files, (const int64_t[]){ i, i % 7, -i });

		good &= i == 77 || (row == (uint32_t)i &&
				    aggregate_peek(&b, TABLE_files, row)[files_reads] == i * 3);
	}
	ok(good, "each with its key and columns");
	is_int(aggregate_find(&b, TABLE_files, (const int64_t[]){ 77, 9, 9 }), 77,
	       "the one with another key too");
	is_int(aggregate_peek(&b, TABLE_signals, 2)[signals_code], NIL, "NIL went through NULL");
	is_int(aggregate_get(&b, TABLE_files, (const int64_t[]){ 6000, 0, 0 }), 5001,
	       "and it goes on from there");
	aggregates_release(&a);
	aggregates_release(&b);
	sqlite3_close(db);
}

static bool put(sqlite3 *db, enum table t, const struct settled *rows)
{
	const struct settled_of of = { t, rows };
	struct feed f = { .rows = rows->rows, .value = settled_value, .data = &of };
	sqlite3_stmt *st;
	bool good;

	if (!feed_register(db, "feed_settled", &f) ||
	    !(st = settled_prepare(db, "feed_settled", t)))
		return false;
	good = sqlite3_step(st) == SQLITE_DONE;
	sqlite3_finalize(st);
	return good && sqlite3_create_module(db, "feed_settled", NULL, NULL) == SQLITE_OK;
}

static int64_t number(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *st;
	int64_t v = -1;

	if (sqlite3_prepare_v2(db, sql, -1, &st, NULL) == SQLITE_OK &&
	    sqlite3_step(st) == SQLITE_ROW)
		v = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	return v;
}

/* Rows written ahead of the flush are the same in the end. */
static void settle(void)
{
	struct settled s = { 0 };
	struct aggregates a;
	sqlite3 *db = fresh();

	ok(aggregates_init(&a) && aggregate_settle(&a, TABLE_files, &s) && s.rows == 0,
	   "nothing settles of nothing");
	for (int64_t i = 1; i <= 3000; i++) {
		uint32_t row = aggregate_get(&a, TABLE_files, (const int64_t[]){ i, 1, i });

		aggregate_row(&a, TABLE_files, row)[files_reads] = i;
	}
	ok(aggregate_settle(&a, TABLE_files, &s) && s.rows == 0, "what is new may still change");
	for (int64_t i = 3001; i <= 3500; i++)
		aggregate_get(&a, TABLE_files, (const int64_t[]){ i, 1, i });
	ok(aggregate_settle(&a, TABLE_files, &s) && s.rows == 3000,
	   "what was new two calls ago is taken");
	ok(put(db, TABLE_files, &s), "and written");
	is_int(number(db, "SELECT sum(reads = id AND path = id AND size IS NULL) FROM files"), 3000,
	       "as it was then");
	aggregate_row(&a, TABLE_files, 10)[files_reads] = 77;
	ok(aggregate_settle(&a, TABLE_files, &s) && s.rows == 500, "each row is taken once");
	ok(put(db, TABLE_files, &s) && aggregates_flush(&a, db), "and the rest flushed");
	is_int(number(db, "SELECT count(*) FROM files"), 3500, "all rows are there, once");
	is_int(number(db, "SELECT reads FROM files WHERE id = 10"), 77,
	       "one that changed after it was taken is as it is now");
	settled_release(&s);
	aggregates_release(&a);
	sqlite3_close(db);
}

int main(void)
{
	columns();
	keep();
	settle();
	return tap_done();
}
