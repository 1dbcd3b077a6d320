/* queries.c - every canned query prepares, without filters and with all, in both forms. */
#include <sqlite3.h>

#include "db.h"
#include "query.h"
#include "tap.h"

static sqlite3 *db;
static unsigned long count;

static struct filters none(void)
{
	return (struct filters){ .since_ns = FILTER_NONE,
				 .until_ns = FILTER_NONE,
				 .limit = FILTER_NONE };
}

static bool runs(const char *name, const struct filters *f, bool people)
{
	sqlite3_stmt *st = query_prepare(db, name, f, people, NULL);
	int rc = st ? sqlite3_step(st) : SQLITE_ERROR;

	sqlite3_finalize(st);
	return rc == SQLITE_DONE || rc == SQLITE_ROW;
}

static int rows_of(const char *name, const struct filters *f)
{
	sqlite3_stmt *st = query_prepare(db, name, f, false, NULL);
	int n = 0;

	while (st && sqlite3_step(st) == SQLITE_ROW)
		n++;
	sqlite3_finalize(st);
	return n;
}

static bool has(const char *sql, const char *word) { return strstr(sql, word) != NULL; }

static void each(void *arg, const char *name, const char *sql)
{
	struct filters f = none();
	char title[200];

	(void)arg;
	count++;
	query_title(sql, title, sizeof(title));
	ok(strlen(title) > 10 && title[strlen(title) - 1] == '.', "%s: %s", name, title);
	ok(runs(name, &f, false) && runs(name, &f, true), "%s: without filters", name);
	if (has(sql, ":pid"))
		f.pid = "1,2";
	if (has(sql, ":path"))
		f.path = "/etc/*";
	if (has(sql, ":syscall"))
		f.syscall = "openat";
	if (has(sql, ":since"))
		f.since_ns = 0;
	if (has(sql, ":until"))
		f.until_ns = 1;
	f.failed = has(sql, ":failed");
	if (has(sql, ":limit"))
		f.limit = 5;
	ok(runs(name, &f, false) && runs(name, &f, true), "%s: with every filter that it knows",
	   name);
}

int main(void)
{
	struct filters f = none();

	if (sqlite3_open(":memory:", &db) != SQLITE_OK || !db_create_tables(db) ||
	    !query_functions(db))
		bail_out("no database");
	query_each(each, NULL);
	ok(count >= 30, "%lu queries", count);
	is_int(sqlite3_exec(
		       db,
		       "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 150)"
		       " INSERT INTO fds (instance, fdtable, fd, proc, file, path, how, opened, closed,"
		       " reads, writes, bytes_read, bytes_written, is_socket, peers)"
		       " SELECT i, 1, i, i, i, i, 1, i, i + 1, 1, 1, i, i, 0, 0 FROM n;"
		       " INSERT INTO file_procs (file, proc, reads, writes, bytes_read, bytes_written)"
		       " SELECT file, proc, reads, writes, bytes_read, bytes_written FROM fds",
		       NULL, NULL, NULL),
	       SQLITE_OK, "rows to look for");
	is_int(rows_of("top-writers", &f), 100, "a filter with a default: the default");
	f.limit = 7;
	is_int(rows_of("top-writers", &f), 7, "and what is given");
	f.limit = FILTER_NONE;
	is_int(rows_of("bytes", &f), 150, "a filter without one: all");
	f.since_ns = 101;
	f.until_ns = 131;
	is_int(rows_of("top-writers", &f), 31, "in a time: the fds that were open then");
	f.since_ns = f.until_ns = FILTER_NONE;
	ok(query_text("timeline") && !query_text("no-such") && !query_text("tables"),
	   "found by name, and only queries");
	fclose(stderr); /* what follows complains */
	stderr = fopen("/dev/null", "w");
	f.syscall = "read";
	ok(!query_prepare(db, "destroyed", &f, true, NULL),
	   "a filter that a query does not know is refused");
	ok(!query_prepare(db, "no-such", &f, true, NULL), "so is a query that is not there");
	sqlite3_close(db);
	return tap_done();
}
