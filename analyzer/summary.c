/* summary.c - the pages that are made of several queries (contract in summary.h). */
#include "summary.h"

#include <sqlite3.h>
#include <string.h>

#include "db.h"
#include "message.h"
#include "query.h"

static bool section(struct output *out, sqlite3 *db, const char *title, const char *query,
		    const struct filters *f, unsigned long max)
{
	sqlite3_stmt *st = query_prepare(db, query, f, true, NULL);
	bool more = false;
	int rc;

	if (!st)
		return false;
	fprintf(out->f, "\n%s\n", title);
	out->rows = 0;
	out->day[0] = '\0';
	rc = output_rows(out, st, max, &more);
	if (more)
		fprintf(out->f, "... more: --query %s\n", query);
	sqlite3_finalize(st);
	if (rc == SQLITE_DONE)
		return true;
	complain(0, "query %s: %s", query, sqlite3_errmsg(db));
	return false;
}

/* One text from a SELECT of ours, printed behind a label when it is not empty. */
static bool line(struct output *out, sqlite3 *db, const char *label, const char *sql)
{
	sqlite3_stmt *st = NULL;
	bool good = sqlite3_prepare_v2(db, sql, -1, &st, NULL) == SQLITE_OK;

	if (good && sqlite3_step(st) == SQLITE_ROW) {
		const char *p = (const char *)sqlite3_column_text(st, 0);
		char shown[1200];

		if (p && *p) {
			output_escape(p, strlen(p), shown, sizeof(shown));
			fprintf(out->f, "%-12s %s\n", label, shown);
		}
	}
	if (sqlite3_finalize(st) != SQLITE_OK || !good) {
		complain(0, "summary: %s", sqlite3_errmsg(db));
		return false;
	}
	return true;
}

/* Each by an index of its own: there may be very many files and fds. */
#define FILES(which)                                                                               \
	"(SELECT count(*) FROM files f JOIN strings s ON s.id = f.path WHERE f." which             \
	" AND s.text GLOB '/*')"
#define SUM(column) "(SELECT coalesce(sum(" column "), 0) FROM file_procs WHERE " column " > 0)"

#define INFO(key)   "(SELECT value FROM case_info WHERE key = '" key "')"

static const char audit_sql[] =
	"SELECT CASE WHEN count(*) = 0 THEN 'no thread was recorded'"
	" WHEN sum(verdict = 'not comparable') = count(*) THEN 'not comparable: calls that the kernel counts were left out'"
	" WHEN sum(verdict GLOB 'balanced*') = count(*) THEN 'balances to the byte for all ' || count(*) || ' threads'"
	" || CASE WHEN sum(verdict GLOB 'balanced *') THEN ', copies on overlayfs counted twice' ELSE '' END"
	" ELSE sum(verdict GLOB 'balanced*') || ' of ' || count(*) || ' threads balance'"
	" || CASE WHEN sum(verdict GLOB 'differs*') THEN ', ' || sum(verdict GLOB 'differs*') || ' DIFFER' ELSE '' END"
	" || CASE WHEN sum(verdict = 'unknown') THEN ', ' || sum(verdict = 'unknown') || ' unknown' ELSE '' END"
	" || ': --query audit' END FROM io_audit";

static const char unseen_sql[] =
	"SELECT coalesce(group_concat(what || CASE WHEN n > 1 THEN ' (' || n || ')' ELSE '' END, '; '),"
	" 'nothing known') FROM (SELECT what, sum(count) AS n FROM coverage"
	" WHERE what NOT IN ('attached', 'detached') GROUP BY what ORDER BY what)";

static bool head(struct output *out, sqlite3 *db)
{
	static const struct {
		const char *label, *sql;
	} lines[] = {
		{ "case",
		  "SELECT " INFO("case_id") " || coalesce('  exhibit ' || " INFO(
			  "exhibit") ", '') || coalesce('  by ' || " INFO("examiner") ", '')" },
		{ "note", "SELECT " INFO("note") },
		{ "state", "SELECT " INFO("verdict") },
		{ "chain head", "SELECT " INFO("chain_head") },
		{ "host", "SELECT " INFO("hostname") " || '  ' || " INFO("kernel") },
		{ "recorded",
		  "SELECT " INFO("started") " || coalesce(' to ' || " INFO("ended") ", '')" },
		{ "ended by", "SELECT " INFO("end_reason") },
		{ "command", "SELECT " INFO("recorder_command") },
		{ "events",
		  "SELECT " INFO("events") " || CASE WHEN " INFO("events_lost") " <> '0' THEN ', LOST ' || " INFO(
			  "events_lost") " ELSE ', none lost' END"
					 " || '; ' || (SELECT coalesce(sum(failures), 0) FROM call_counts) || ' failed calls'" },
		{ "processes",
		  "SELECT (SELECT count(*) FROM procs) || ', ' || (SELECT count(*) FROM tasks) || ' threads'" },
		{ "files",
		  "SELECT " FILES("id") " || '; ' || " FILES("created > 0") " || ' created, ' || " FILES("deleted > 0") " || ' deleted, ' || " FILES(
			  "renamed > 0") " || ' renamed, ' || " FILES("executed > 0") " || ' executed'" },
		{ "bytes",
		  "SELECT 'read ' || size(" SUM("bytes_read") ") || ', written ' || size(" SUM(
			  "bytes_written") ")" },
		{ "sockets", "SELECT nullif(count(*), 0) FROM fds WHERE is_socket" },
		{ "audit", audit_sql },
		{ "not seen", unseen_sql },
	};

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		if (!line(out, db, lines[i].label, lines[i].sql))
			return false;
	return true;
}

static bool page(struct output *out, sqlite3 *db)
{
	const struct filters none = { .since_ns = FILTER_NONE,
				      .until_ns = FILTER_NONE,
				      .limit = FILTER_NONE };

	return head(out, db) && section(out, db, "Processes", "processes", &none, 10) &&
	       section(out, db, "Calls", "syscalls", &none, 10) &&
	       section(out, db, "Written most", "written", &none, 8) &&
	       section(out, db, "Read most", "read", &none, 8) &&
	       section(out, db, "Destroyed", "destroyed", &none, 8) &&
	       section(out, db, "Worth a second look", "alerts", &none, 12);
}

static int finish(struct output *out, sqlite3 *db, bool good, int code)
{
	sqlite3_close(db);
	if (!good) {
		output_abandon(out);
		return VERIFY_USAGE;
	}
	return output_close(out) ? code : VERIFY_USAGE;
}

int summary_run(const struct options *o)
{
	struct options as_query = *o;
	const struct action action = { .name = "summary", .query = "summary" };
	struct output out;
	sqlite3 *db;
	int code;

	if (o->format != OUTPUT_TEXT || o->filters.pid || o->filters.path || o->filters.syscall ||
	    o->filters.failed || o->filters.since_ns != FILTER_NONE ||
	    o->filters.until_ns != FILTER_NONE || o->filters.limit != FILTER_NONE) {
		as_query.action = &action;
		return query_run_action(&as_query);
	}
	db = db_open(o, &code);
	if (!db)
		return code;
	if (!output_open(&out, o->output, OUTPUT_TEXT)) {
		sqlite3_close(db);
		return VERIFY_USAGE;
	}
	return finish(&out, db, query_functions(db) && page(&out, db), code);
}

int summary_coverage(const struct options *o)
{
	struct options as_query = *o;
	const struct action action = { .name = "coverage", .query = "coverage" };
	struct output out;
	sqlite3 *db;
	int code;
	bool good;

	if (o->format != OUTPUT_TEXT) {
		as_query.action = &action;
		return query_run_action(&as_query);
	}
	db = db_open(o, &code);
	if (!db)
		return code;
	if (!output_open(&out, o->output, OUTPUT_TEXT)) {
		sqlite3_close(db);
		return VERIFY_USAGE;
	}
	good = query_functions(db) && line(&out, db, "audit", audit_sql) &&
	       line(&out, db, "not seen", unseen_sql) &&
	       section(&out, db, "Not seen, or not for certain", "coverage", &o->filters, 0) &&
	       section(&out, db, "Done to the recorded processes", "observer", &o->filters, 0) &&
	       section(&out, db, "Bytes: the kernel's count against what was recorded", "audit",
		       &o->filters, 0);
	return finish(&out, db, good, code);
}
