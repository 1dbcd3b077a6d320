/* export.c - the timeline for other tools (contract in export.h). */
#include "export.h"

#include <sqlite3.h>
#include <string.h>

#include "db.h"
#include "message.h"
#include "query.h"

static int put_rows(struct output *out, sqlite3_stmt *st) { return output_rows(out, st, 0, NULL); }

static void put_escaped(FILE *f, const char *p)
{
	char shown[4096];
	size_t n = strlen(p);

	while (n) {
		/* in pieces that fit, never within a character */
		size_t part = n < sizeof(shown) / 16 ? n : sizeof(shown) / 16;

		while (part < n && ((unsigned char)p[part] & 0xc0) == 0x80)
			part++;
		output_escape(p, part, shown, sizeof(shown));
		fputs(shown, f);
		p += part;
		n -= part;
	}
}

/* A line a call, in the manner of strace -f -ttt -T -y. */
static int put_strace(struct output *out, sqlite3_stmt *st)
{
	enum {
		SEQ,
		TIME,
		TS,
		DUR,
		PID,
		TID,
		COMM,
		ABI,
		SYSCALL,
		FD,
		PATH,
		PATH2,
		RET,
		ERRNO,
		BYTES,
		DETAIL
	};
	FILE *f = out->f;
	int rc;

	while ((rc = sqlite3_step(st)) == SQLITE_ROW && !ferror(f)) {
		sqlite3_int64 ts = sqlite3_column_int64(st, TS);
		const char *path = (const char *)sqlite3_column_text(st, PATH);
		const char *path2 = (const char *)sqlite3_column_text(st, PATH2);
		const char *detail = (const char *)sqlite3_column_text(st, DETAIL);
		const char *error = (const char *)sqlite3_column_text(st, ERRNO);
		const char *comma = "";

		fprintf(f, "%lld %lld.%06lld %s(", sqlite3_column_int64(st, TID), ts / 1000000000,
			ts / 1000 % 1000000, (const char *)sqlite3_column_text(st, SYSCALL));
		if (sqlite3_column_type(st, FD) != SQLITE_NULL) {
			fprintf(f, "fd=%lld", sqlite3_column_int64(st, FD));
			comma = ", ";
		}
		if (path) {
			fprintf(f, "%s<", comma);
			put_escaped(f, path);
			putc('>', f);
			comma = ", ";
		}
		if (path2) {
			fprintf(f, "%s<", comma);
			put_escaped(f, path2);
			putc('>', f);
			comma = ", ";
		}
		if (detail) {
			fputs(comma, f);
			put_escaped(f, detail);
		}
		fputs(") = ", f);
		if (sqlite3_column_type(st, RET) == SQLITE_NULL)
			putc('?', f);
		else if (error)
			fprintf(f, "-1 %s", error);
		else
			fprintf(f, "%lld", sqlite3_column_int64(st, RET));
		fprintf(f, " <%.6f>\n", (double)sqlite3_column_int64(st, DUR) / 1e9);
	}
	return rc;
}

static const struct form {
	const char *name;
	enum output_format format;
	int (*put)(struct output *out, sqlite3_stmt *st);
} forms[] = {
	{ "csv", OUTPUT_CSV, put_rows },
	{ "json", OUTPUT_JSON, put_rows },
	{ "jsonl", OUTPUT_JSONL, put_rows },
	{ "strace", OUTPUT_TEXT, put_strace },
};

int export_run(const struct options *o)
{
	const struct form *form = NULL;
	sqlite3_stmt *st = NULL;
	char state[800] = "";
	struct output out;
	sqlite3 *db;
	int code, rc = SQLITE_ERROR;

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
		if (!strcmp(forms[i].name, o->arg))
			form = &forms[i];
	if (!form)
		return complain(VERIFY_USAGE, "--export %s: it is csv, json, jsonl or strace",
				o->arg);
	db = db_open(o, &code);
	if (!db)
		return code;
	if (!output_open(&out, o->output, form->format)) {
		sqlite3_close(db);
		return VERIFY_USAGE;
	}
	/* an export of what is not whole, or not the original, must not pass for one that is */
	if (db_state(db, state, sizeof(state)) &&
	    (code != VERIFY_GOOD || !strncmp(state, "an EXTRACT ", strlen("an EXTRACT ")))) {
		if (code != VERIFY_DAMAGED)
			complain(0, "%s: %s", o->case_path, state);
		if (form->put == put_strace) {
			fputs("# ", out.f);
			put_escaped(out.f, state);
			putc('\n', out.f);
		}
	}
	if (query_functions(db))
		st = query_prepare(db, "timeline", &o->filters, false, NULL);
	if (st) {
		rc = form->put(&out, st);
		if (rc != SQLITE_DONE && rc != SQLITE_ROW)
			complain(0, "timeline: %s", sqlite3_errmsg(db));
	}
	sqlite3_finalize(st);
	sqlite3_close(db);
	if (rc != SQLITE_DONE && rc != SQLITE_ROW) {
		output_abandon(&out);
		return VERIFY_USAGE;
	}
	return output_close(&out) ? code : VERIFY_USAGE;
}
