/* spans.c - a filtered timeline finds every event, also those that took long. */
#include <sqlite3.h>
#include <stdlib.h>

#include "db.h"
#include "query.h"
#include "spans.h"
#include "tap.h"

#define EVENTS	20000
#define THREADS 5
#define CALLS	40
#define PATHS	400

static sqlite3 *db;
static uint64_t seed = 88172645463325252u;

static uint32_t below(uint32_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 33) % n;
}

static void run(const char *sql)
{
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		bail_out(sqlite3_errmsg(db));
}

static int64_t number(const char *sql)
{
	sqlite3_stmt *st = NULL;
	int64_t v = -1;

	if (sqlite3_prepare_v2(db, sql, -1, &st, NULL) == SQLITE_OK &&
	    sqlite3_step(st) == SQLITE_ROW)
		v = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	return v;
}

/* Events from..to: time goes on, one in ten began long before it ends. Some have a rare path. */
static bool events(struct spans *s, int from, int to)
{
	sqlite3_stmt *st = NULL;
	bool good =
		sqlite3_prepare_v2(db,
				   "INSERT INTO events (ts, seq, dur, thread, call, path, errno)"
				   " VALUES (?, ?, 1, ?, ?, ?, ?)",
				   -1, &st, NULL) == SQLITE_OK;

	for (int seq = from; good && seq < to; seq++) {
		int64_t ts = seq * 10 - (below(10) ? 0 : (int64_t)below((uint32_t)seq * 10));
		uint32_t thread = 1 + below(THREADS), call = 1 + below(CALLS) * below(2);
		uint32_t path = below(50) ? 1 + below(20) : 1 + below(PATHS);
		bool failed = below(100) == 0;

		good = spans_add(s, ts, thread, call, path, 0, failed);
		sqlite3_bind_int64(st, 1, ts);
		sqlite3_bind_int(st, 2, seq);
		sqlite3_bind_int64(st, 3, thread);
		sqlite3_bind_int64(st, 4, call);
		sqlite3_bind_int64(st, 5, path);
		if (failed)
			sqlite3_bind_int(st, 6, 2);
		else
			sqlite3_bind_null(st, 6);
		good &= sqlite3_step(st) == SQLITE_DONE;
		sqlite3_reset(st);
	}
	sqlite3_finalize(st);
	return good;
}

/* Rows of the filtered timeline, -1 when they are not in order. */
static int64_t rows_of(struct filters f)
{
	sqlite3_stmt *st = query_prepare(db, "timeline", &f, false, NULL);
	int64_t n = 0, ts = INT64_MIN, seq = -1;

	while (st && n >= 0 && sqlite3_step(st) == SQLITE_ROW) {
		int64_t t = sqlite3_column_int64(st, 2), q = sqlite3_column_int64(st, 0);

		n = t > ts || (t == ts && q > seq) ? n + 1 : -1;
		ts = t;
		seq = q;
	}
	sqlite3_finalize(st);
	return n;
}

#define NONE .since_ns = FILTER_NONE, .until_ns = FILTER_NONE, .limit = FILTER_NONE

static void same(int64_t got, int64_t want, const char *what, const char *when)
{
	ok(got == want && got >= 0, "%s: %s, %lld rows", when, what, (long long)want);
}

static void compare(const char *when)
{
	same(rows_of((struct filters){ NONE }), number("SELECT count(*) FROM events"), "all", when);
	same(rows_of((struct filters){ NONE, .pid = "102,103" }),
	     number("SELECT count(*) FROM events WHERE thread IN (2, 3)"), "by pid", when);
	for (int path = 1; path < PATHS; path += 33) {
		char name[16], sql[80];

		snprintf(name, sizeof(name), "/p/%d", path);
		snprintf(sql, sizeof(sql), "SELECT count(*) FROM events WHERE path = %d", path);
		same(rows_of((struct filters){ NONE, .path = name }), number(sql), name, when);
	}
	same(rows_of((struct filters){ NONE, .path = "/p/2?7" }),
	     number("SELECT count(*) FROM events WHERE path BETWEEN 200 AND 299 AND path % 10 = 7"),
	     "by pattern", when);
	same(rows_of((struct filters){ NONE, .syscall = "c33" }),
	     number("SELECT count(*) FROM events WHERE call = 33"), "by call", when);
	same(rows_of((struct filters){ NONE, .failed = true }),
	     number("SELECT count(*) FROM events WHERE errno IS NOT NULL"), "those that failed",
	     when);
	same(rows_of((struct filters){
		     .limit = FILTER_NONE, .since_ns = 70000, .until_ns = 90001 }),
	     number("SELECT count(*) FROM events WHERE ts >= 70000 AND ts < 90001"), "by time",
	     when);
	same(rows_of((struct filters){ .limit = FILTER_NONE,
				       .since_ns = 50000,
				       .until_ns = FILTER_NONE,
				       .failed = true,
				       .pid = "101",
				       .syscall = "c1" }),
	     number("SELECT count(*) FROM events WHERE ts >= 50000"
		    " AND errno IS NOT NULL AND thread = 1 AND call = 1"),
	     "by several", when);
	same(rows_of((struct filters){ NONE, .path = "/no/such" }), 0, "by a path that nothing had",
	     when);
}

int main(void)
{
	struct spans *s = spans_new();

	if (!s || sqlite3_open(":memory:", &db) != SQLITE_OK || !db_create_tables(db) ||
	    !query_functions(db))
		bail_out("no database");
	run("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400)"
	    " INSERT INTO strings SELECT i, '/p/' || i, NULL FROM n");
	run("INSERT INTO calls SELECT id, NULL, 'c' || id FROM strings WHERE id <= 40");
	run("INSERT INTO threads SELECT id, id, 1, 100 + id, 100 + id, 1 FROM strings WHERE id <= 5");
	run("INSERT INTO errnos VALUES (2, 'ENOENT')");
	ok(events(s, 1, EVENTS / 2) && spans_flush(s, db), "some thousand events");
	compare("first");
	ok(number("SELECT count(*) FROM spans") >= 8, "there are several spans");
	ok(number("SELECT count(*) = 1 + sum(first = before) FROM"
		  " (SELECT first, lag(until) OVER (ORDER BY id) AS before FROM spans)") == 1,
	   "end to end");
	spans_free(s);
	s = spans_new();
	ok(s && spans_load(s, db) && events(s, EVENTS / 2, EVENTS) && spans_flush(s, db),
	   "gone on with from the database");
	compare("then");
	spans_free(s);
	sqlite3_close(db);
	return tap_done();
}
