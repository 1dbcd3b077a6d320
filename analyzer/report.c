/* report.c - the HTML page (contract in report.h). No script, no link, nothing from elsewhere. */
#include "report.h"

#include <sqlite3.h>
#include <string.h>
#include <time.h>

#include "caseinfo.h"
#include "db.h"
#include "message.h"
#include "query.h"

#define SECTION_ROWS 1000u

static const struct {
	const char *title, *query;
} sections[] = {
	{ "Worth a second look", "alerts" },
	{ "Case", "info" },
	{ "Processes", "processes" },
	{ "Files touched", "files" },
	{ "Destroyed", "destroyed" },
	{ "Executed", "executed" },
	{ "Bytes through each fd", "bytes" },
	{ "Connections", "connections" },
	{ "Failures", "failures" },
	{ "Calls", "syscalls" },
	{ "Not seen, or not for certain", "coverage" },
	{ "Done to the recorded processes", "observer" },
	{ "Bytes: the kernel's count against what was recorded", "audit" },
	{ "Timeline", "timeline" },
};

static const char style[] =
	"body{font:14px/1.4 sans-serif;margin:2em;max-width:110em;color:#111;background:#fff}"
	"h1{font-size:1.5em}h2{font-size:1.15em;margin:2em 0 .4em;border-bottom:1px solid #999}"
	"table{border-collapse:collapse;font:12px/1.35 monospace}"
	"th,td{text-align:left;vertical-align:top;padding:.1em .6em;border-bottom:1px solid #ddd;overflow-wrap:anywhere}"
	"th{background:#eee;position:sticky;top:0}td.n{text-align:right;white-space:nowrap}"
	"dl{display:grid;grid-template-columns:max-content auto;gap:.2em 1em}dt{color:#555}dd{margin:0;font-family:monospace;overflow-wrap:anywhere}"
	"p.more{color:#555}nav a{margin-right:1em}@media print{th{position:static}}";

static void put_info(FILE *f, sqlite3 *db, const char *label, const char *key)
{
	sqlite3_stmt *st = NULL;

	if (sqlite3_prepare_v2(db, "SELECT value FROM case_info WHERE key = ?", -1, &st, NULL) !=
	    SQLITE_OK)
		return;
	sqlite3_bind_text(st, 1, key, -1, SQLITE_STATIC);
	if (sqlite3_step(st) == SQLITE_ROW && sqlite3_column_type(st, 0) != SQLITE_NULL) {
		fprintf(f, "<dt>%s</dt><dd>", label);
		output_html(f, (const char *)sqlite3_column_text(st, 0),
			    (size_t)sqlite3_column_bytes(st, 0));
		fputs("</dd>\n", f);
	}
	sqlite3_finalize(st);
}

static void put_head(FILE *f, sqlite3 *db)
{
	struct timespec now;
	char time[40];

	clock_gettime(CLOCK_REALTIME, &now);
	iso_time((int64_t)now.tv_sec * 1000000000 + now.tv_nsec, time);
	fprintf(f,
		"<!DOCTYPE html>\n<html lang=en><head><meta charset=utf-8>\n"
		"<meta http-equiv=Content-Security-Policy content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
		"<title>Case report</title><style>%s</style></head><body>\n<h1>Case report</h1>\n<dl>\n",
		style);
	put_info(f, db, "Case", "case_id");
	put_info(f, db, "State", "verdict");
	put_info(f, db, "Chain head", "chain_head");
	put_info(f, db, "Seal", "seal");
	put_info(f, db, "File", "file");
	put_info(f, db, "Exhibit", "exhibit");
	put_info(f, db, "Examiner", "examiner");
	put_info(f, db, "Host", "hostname");
	put_info(f, db, "Recorded from", "started");
	put_info(f, db, "to", "ended");
	put_info(f, db, "Events", "events");
	put_info(f, db, "Events lost", "events_lost");
	fprintf(f, "<dt>This page</dt><dd>fanalyze %s, %s; times are UTC</dd>\n</dl>\n<nav>",
		FREC_VERSION, time);
	for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++)
		fprintf(f, "<a href=\"#%s\">%s</a> ", sections[i].query, sections[i].title);
	fputs("</nav>\n", f);
}

static bool put_section(struct output *out, sqlite3 *db, size_t i)
{
	const struct filters none = { .since_ns = FILTER_NONE,
				      .until_ns = FILTER_NONE,
				      .limit = FILTER_NONE };
	sqlite3_stmt *st = query_prepare(db, sections[i].query, &none, false, NULL);
	char title[200];
	bool more = false;
	int rc;

	if (!st)
		return false;
	query_title(query_text(sections[i].query), title, sizeof(title));
	fprintf(out->f, "<h2 id=\"%s\">%s</h2>\n<p>", sections[i].query, sections[i].title);
	output_html(out->f, title, strlen(title));
	fputs("</p>\n", out->f);
	rc = output_rows(out, st, SECTION_ROWS, &more);
	sqlite3_finalize(st);
	if (more)
		fprintf(out->f,
			"<p class=more>The first %u rows. All of them: fanalyze CASE --query %s</p>\n",
			SECTION_ROWS, sections[i].query);
	if (rc == SQLITE_DONE)
		return true;
	complain(0, "query %s: %s", sections[i].query, sqlite3_errmsg(db));
	return false;
}

int report_run(const struct options *o)
{
	struct output out;
	bool good = true;
	sqlite3 *db;
	int code;

	if (o->output)
		return complain(VERIFY_USAGE, "--report names its file itself: leave --output out");
	db = db_open(o, &code);
	if (!db)
		return code;
	if (!query_functions(db) || !output_open(&out, o->arg, OUTPUT_HTML)) {
		sqlite3_close(db);
		return VERIFY_USAGE;
	}
	put_head(out.f, db);
	for (size_t i = 0; good && i < sizeof(sections) / sizeof(sections[0]); i++)
		good = put_section(&out, db, i);
	fputs("</body></html>\n", out.f);
	sqlite3_close(db);
	if (!good) {
		output_abandon(&out);
		return VERIFY_USAGE;
	}
	return output_close(&out) ? code : VERIFY_USAGE;
}
