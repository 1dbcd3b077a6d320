/* query.c - canned queries and --sql (contract in query.h). */
#include "query.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "caseinfo.h"
#include "db.h"
#include "embedded.h"
#include "flags.h"
#include "message.h"
#include "spans.h"

#define FOLDER "queries/"

static const char *const filter_names[] = { ":pid",   ":path",	 ":syscall", ":since",
					    ":until", ":failed", ":limit" };
#define FILTERS (sizeof(filter_names) / sizeof(filter_names[0]))

const char *query_text(const char *name)
{
	for (unsigned i = 0; i < schema_files_n; i++)
		if (!strncmp(schema_files[i].name, FOLDER, strlen(FOLDER)) &&
		    !strcmp(schema_files[i].name + strlen(FOLDER), name))
			return schema_files[i].sql;
	return NULL;
}

void query_title(const char *sql, char *out, size_t cap)
{
	size_t n = strcspn(sql, "\n");

	if (!strncmp(sql, "-- ", 3)) {
		sql += 3;
		n -= 3;
	}
	snprintf(out, cap, "%.*s", (int)n, sql);
}

void query_each(void (*fn)(void *arg, const char *name, const char *sql), void *arg)
{
	for (unsigned i = 0; i < schema_files_n; i++)
		if (!strncmp(schema_files[i].name, FOLDER, strlen(FOLDER)))
			fn(arg, schema_files[i].name + strlen(FOLDER), schema_files[i].sql);
}

static bool given(const struct filters *f, unsigned i)
{
	const bool is[FILTERS] = { f->pid,
				   f->path,
				   f->syscall,
				   f->since_ns != FILTER_NONE,
				   f->until_ns != FILTER_NONE,
				   f->failed,
				   f->limit != FILTER_NONE };

	return is[i];
}

enum mention { MENTION_NONE, MENTION_NEEDS, MENTION_DEFAULT };

/* How the line mentions this filter, as a whole word. */
static enum mention mentions(const char *line, size_t n, const char *filter)
{
	static const char with_default[] = "coalesce(";
	size_t m = strlen(filter), d = strlen(with_default);

	for (size_t i = 0; i + m <= n; i++)
		if (!strncmp(line + i, filter, m) &&
		    (i + m == n || !strchr("abcdefghijklmnopqrstuvwxyz_", line[i + m])))
			return i >= d && !strncmp(line + i - d, with_default, d) ? MENTION_DEFAULT :
										   MENTION_NEEDS;
	return MENTION_NONE;
}

/* Copies sql without the lines of filters that are not given; notes those that it has. */
static size_t keep_lines(const char *sql, size_t len, const struct filters *f, bool used[FILTERS],
			 char *out)
{
	size_t o = 0;

	while (len) {
		const char *nl = memchr(sql, '\n', len);
		size_t n = nl ? (size_t)(nl - sql) + 1 : len;
		bool keep = true;

		for (unsigned i = 0; i < FILTERS; i++)
			switch (mentions(sql, n, filter_names[i])) {
			case MENTION_NONE:
				break;
			case MENTION_NEEDS:
				keep &= given(f, i);
				used[i] = true;
				break;
			case MENTION_DEFAULT:
				used[i] = true;
				break;
			}
		if (keep) {
			memcpy(out + o, sql, n);
			o += n;
		}
		sql += n;
		len -= n;
	}
	return o;
}

/* The SQL of a canned query; malloc'ed. NULL: a line was printed. */
static char *compose(const char *name, const struct filters *f, bool people, const char *extra)
{
	const char *sql = query_text(name), *text, *order;
	bool used[FILTERS] = { false };
	size_t len, o = 0, extra_len = extra ? strlen(extra) : 0;
	char *out;

	if (!sql) {
		complain(0, "no query is called %s: --list-queries shows them all", name);
		return NULL;
	}
	text = strstr(sql, "\n-- text\n");
	len = text ? (size_t)(text - sql) + 1 : strlen(sql);
	text = text && people ? text + strlen("\n-- text\n") : NULL;
	out = malloc(strlen(sql) + extra_len + 64);
	if (!out) {
		complain(0, "out of memory");
		return NULL;
	}
	if (text)
		o = (size_t)sprintf(out, "WITH rows AS (\n");
	order = extra ? strstr(sql, "\nORDER BY") : NULL;
	if (order && order < sql + len) {
		o += keep_lines(sql, (size_t)(order - sql) + 1, f, used, out + o);
		memcpy(out + o, extra, extra_len);
		o += extra_len;
		len -= (size_t)(order - sql) + 1;
		sql = order + 1;
	}
	o += keep_lines(sql, len, f, used, out + o);
	if (text)
		o += (size_t)sprintf(out + o, ")\n%s", text);
	out[o] = '\0';
	for (unsigned i = 0; i < FILTERS; i++)
		if (given(f, i) && !used[i]) {
			complain(0, "--%s does not apply to %s", filter_names[i] + 1, name);
			free(out);
			return NULL;
		}
	return out;
}

static void bind_text(sqlite3_stmt *st, const char *name, const char *value)
{
	int i = sqlite3_bind_parameter_index(st, name);

	if (i)
		sqlite3_bind_text(st, i, value, -1, SQLITE_STATIC);
}

static void bind_int(sqlite3_stmt *st, const char *name, int64_t value)
{
	int i = sqlite3_bind_parameter_index(st, name);

	if (i && value != FILTER_NONE)
		sqlite3_bind_int64(st, i, value);
}

sqlite3_stmt *query_prepare(sqlite3 *db, const char *name, const struct filters *f, bool people,
			    const char *extra)
{
	char *sql = compose(name, f, people, extra);
	sqlite3_stmt *st = NULL;

	if (!sql)
		return NULL;
	if (sqlite3_prepare_v2(db, sql, -1, &st, NULL) != SQLITE_OK)
		complain(0, "query %s: %s", name, sqlite3_errmsg(db));
	free(sql);
	if (!st)
		return NULL;
	bind_text(st, ":pid", f->pid);
	bind_text(st, ":path", f->path);
	bind_text(st, ":syscall", f->syscall);
	bind_int(st, ":since", f->since_ns);
	bind_int(st, ":until", f->until_ns);
	bind_int(st, ":limit", f->limit);
	return st;
}

/* ---- functions for the text forms ---- */

/* size(bytes): exact, and short for the eye: 1.2M 1258291 */
static void fn_size(sqlite3_context *c, int argc, sqlite3_value **v)
{
	static const char unit[] = "KMGTPE";
	sqlite3_int64 n = sqlite3_value_int64(v[0]);
	double d = (double)n;
	char text[64];
	int u = -1;

	(void)argc;
	if (sqlite3_value_type(v[0]) == SQLITE_NULL)
		return;
	if (n < 1024) {
		sqlite3_result_int64(c, n);
		return;
	}
	for (; d >= 1023.95 && unit[u + 1]; u++)
		d /= 1024;
	snprintf(text, sizeof(text), "%.1f%c %lld", d, unit[u], (long long)n);
	sqlite3_result_text(c, text, -1, SQLITE_TRANSIENT);
}

/* dur(ns) */
static void fn_dur(sqlite3_context *c, int argc, sqlite3_value **v)
{
	double ns = sqlite3_value_double(v[0]);
	char text[64];

	(void)argc;
	if (sqlite3_value_type(v[0]) == SQLITE_NULL)
		return;
	if (ns < 1e6)
		snprintf(text, sizeof(text), "%.1fus", ns / 1e3);
	else if (ns < 1e9)
		snprintf(text, sizeof(text), "%.2fms", ns / 1e6);
	else
		snprintf(text, sizeof(text), "%.3fs", ns / 1e9);
	sqlite3_result_text(c, text, -1, SQLITE_TRANSIENT);
}

/* iso(ns): a time as the views write it. */
static void fn_iso(sqlite3_context *c, int argc, sqlite3_value **v)
{
	char text[40];

	(void)argc;
	if (sqlite3_value_type(v[0]) == SQLITE_NULL)
		return;
	iso_time(sqlite3_value_int64(v[0]), text);
	sqlite3_result_text(c, text, -1, SQLITE_TRANSIENT);
}

/* listed('812,813', 812): is the value one of the list? */
static void fn_listed(sqlite3_context *c, int argc, sqlite3_value **v)
{
	const char *list = (const char *)sqlite3_value_text(v[0]),
		   *word = (const char *)sqlite3_value_text(v[1]);
	size_t n = word ? strlen(word) : 0;
	bool found = false;

	(void)argc;
	while (list && word && *list && !found) {
		size_t m = strcspn(list, ",");

		found = m == n && !memcmp(list, word, n);
		list += m + (list[m] == ',');
	}
	sqlite3_result_int(c, found);
}

/* what(path, path2, detail, [call]): the parts that there are, in one text; a path twice only
 * once. The arrow between two paths points where the bytes go, or what is mounted. */
static void fn_what(sqlite3_context *c, int argc, sqlite3_value **v)
{
	const char *call = argc > 3 ? (const char *)sqlite3_value_text(v[3]) : NULL;
	bool back = call && (!strncmp(call, "sendfile", 8) || !strcmp(call, "mount"));
	const char *arrow = back ? "<- " : "-> ";
	const char *part[3];
	char *text;

	for (int i = 0; i < 3; i++)
		part[i] = (const char *)sqlite3_value_text(v[i]);
	if (part[0] && part[1] && !strcmp(part[0], part[1]))
		part[1] = NULL;
	text = sqlite3_mprintf("%s%s%s%s%s%s", part[0] ? part[0] : "",
			       part[0] && part[1] ? " " : "", part[1] ? arrow : "",
			       part[1] ? part[1] : "", part[2] && (part[0] || part[1]) ? "  " : "",
			       part[2] ? part[2] : "");
	if (text)
		sqlite3_result_text(c, text, -1, sqlite3_free);
	else
		sqlite3_result_error_nomem(c);
}

/* also(count, 'word', ...): "[word, word 3]", those whose count is not 0; NULL: there is none. */
static void fn_also(sqlite3_context *c, int argc, sqlite3_value **v)
{
	char text[300] = "";
	size_t n = 0;

	for (int i = 0; i + 1 < argc; i += 2) {
		sqlite3_int64 count = sqlite3_value_int64(v[i]);
		const char *word = (const char *)sqlite3_value_text(v[i + 1]);

		if (count <= 0 || !word || n >= sizeof(text))
			continue;
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s", n ? ", " : "[", word);
		if (count > 1 && n < sizeof(text))
			n += (size_t)snprintf(text + n, sizeof(text) - n, " %lld",
					      (long long)count);
	}
	if (!n)
		return;
	if (n + 1 < sizeof(text))
		strcpy(text + n, "]");
	sqlite3_result_text(c, text, -1, SQLITE_TRANSIENT);
}

/* signame(number): "SIGTERM"; NULL: it has no name. */
static void fn_signame(sqlite3_context *c, int argc, sqlite3_value **v)
{
	const char *name = frz_flag_name(FRZ_SET_SIGNAL, (uint64_t)sqlite3_value_int64(v[0]));

	(void)argc;
	if (name)
		sqlite3_result_text(c, name, -1, SQLITE_STATIC);
}

bool query_functions(sqlite3 *db)
{
	static const struct {
		const char *name;
		int args;
		void (*fn)(sqlite3_context *, int, sqlite3_value **);
	} all[] = {
		{ "size", 1, fn_size },	      { "dur", 1, fn_dur },    { "iso", 1, fn_iso },
		{ "listed", 2, fn_listed },   { "what", -1, fn_what }, { "also", -1, fn_also },
		{ "signame", 1, fn_signame },
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (sqlite3_create_function(db, all[i].name, all[i].args,
					    SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS,
					    NULL, all[i].fn, NULL, NULL) != SQLITE_OK)
			return false;
	return spans_functions(db);
}

/* ---- actions ---- */

/* Prints all rows of st (finalized here); code: what to return when all is well. */
static int print(const struct options *o, sqlite3 *db, sqlite3_stmt *st, int code, int failed)
{
	struct output out;
	int rc;

	if (!output_open(&out, o->output, o->format)) {
		sqlite3_finalize(st);
		return VERIFY_USAGE;
	}
	rc = output_rows(&out, st, 0, NULL);
	if (rc != SQLITE_DONE && rc != SQLITE_ROW) {
		fflush(out.f);
		complain(0, "SQL: %s", sqlite3_errmsg(db));
		output_abandon(&out);
		sqlite3_finalize(st);
		return failed;
	}
	sqlite3_finalize(st);
	return output_close(&out) ? code : VERIFY_USAGE;
}

static int run(const struct options *o, const char *name)
{
	sqlite3_stmt *st = NULL;
	sqlite3 *db;
	int code;

	if (!query_text(name))
		return complain(VERIFY_USAGE,
				"no query is called %s: --list-queries shows them all", name);
	db = db_open(o, &code);
	if (!db)
		return code;
	if (query_functions(db))
		st = query_prepare(db, name, &o->filters, o->format == OUTPUT_TEXT, NULL);
	code = st ? print(o, db, st, code, VERIFY_USAGE) : VERIFY_USAGE;
	sqlite3_close(db);
	return code;
}

int query_run_action(const struct options *o) { return run(o, o->action->query); }

int query_run_named(const struct options *o) { return run(o, o->arg); }

static void list_one(void *arg, const char *name, const char *sql)
{
	char title[200];

	query_title(sql, title, sizeof(title));
	fprintf(arg, "%-18s %s\n", name, title);
}

int query_list(const struct options *o)
{
	struct output out;

	if (!output_open(&out, o->output, OUTPUT_TEXT))
		return VERIFY_USAGE;
	query_each(list_one, out.f);
	return output_close(&out) ? VERIFY_GOOD : VERIFY_USAGE;
}

/* Only reading, and only what is in the database. */
static int authorize(void *arg, int action, const char *a, const char *b, const char *database,
		     const char *trigger)
{
	(void)arg;
	(void)a;
	(void)database;
	(void)trigger;
	switch (action) {
	case SQLITE_SELECT:
	case SQLITE_READ:
	case SQLITE_RECURSIVE:
		return SQLITE_OK;
	case SQLITE_FUNCTION:
		return b && (!sqlite3_stricmp(b, "load_extension") ||
			     !sqlite3_stricmp(b, "fts3_tokenizer")) ?
			       SQLITE_DENY :
			       SQLITE_OK;
	default:
		return SQLITE_DENY;
	}
}

static bool only_space(const char *s) { return s[strspn(s, " \t\r\n;")] == '\0'; }

int query_run_sql(const struct options *o)
{
	sqlite3_stmt *st = NULL;
	const char *tail = "";
	sqlite3 *db;
	int code, rc;

	if (only_space(o->arg))
		return complain(VERIFY_USAGE, "--sql: there is no statement");
	for (unsigned i = 0; i < FILTERS; i++)
		if (given(&o->filters, i))
			return complain(VERIFY_USAGE,
					"--%s does not apply to --sql: put it into the statement",
					filter_names[i] + 1);
	db = db_open(o, &code);
	if (!db)
		return code;
	sqlite3_limit(db, SQLITE_LIMIT_LENGTH, 256 << 20);
	sqlite3_limit(db, SQLITE_LIMIT_ATTACHED, 0);
	sqlite3_limit(db, SQLITE_LIMIT_VDBE_OP, 1000000);
	query_functions(db);
	sqlite3_set_authorizer(db, authorize, NULL);
	rc = sqlite3_prepare_v2(db, o->arg, -1, &st, &tail);
	if (rc == SQLITE_AUTH)
		code = complain(VERIFY_USAGE, "--sql reads only, and only the case's database: %s",
				sqlite3_errmsg(db));
	else if (rc != SQLITE_OK)
		code = complain(VERIFY_USAGE, "SQL: %s", sqlite3_errmsg(db));
	else if (!st)
		code = complain(VERIFY_USAGE, "--sql: there is no statement");
	else if (!only_space(tail))
		code = complain(VERIFY_USAGE,
				"--sql takes one statement, and there is more behind it");
	else if (!sqlite3_stmt_readonly(st))
		code = complain(VERIFY_USAGE, "--sql reads only");
	else {
		code = print(o, db, st, code, VERIFY_USAGE);
		st = NULL;
	}
	sqlite3_finalize(st);
	sqlite3_close(db);
	return code;
}
