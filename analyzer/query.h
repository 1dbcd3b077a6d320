/*
 * query.h - canned queries and --sql.
 *
 * A canned query is schema/queries/NAME.sql:
 *
 * - The comment at its head is its description; the first line of it is what
 *   --list-queries shows.
 * - A line that mentions a filter (:pid :path :syscall :since :until :failed :limit) stands
 *   only when that filter is given, or has a default: coalesce(:limit, 100). A filter that no
 *   line mentions is refused.
 * - Below a line "-- text" stands a second SELECT, over `rows`: the result of the first
 *   one, made fit for people. Without it people get the first one.
 */
#ifndef FANALYZE_QUERY_H
#define FANALYZE_QUERY_H

#include <stdbool.h>

#include "options.h"
#include "output.h"

struct sqlite3;
struct sqlite3_stmt;

/* The text of the named query, NULL if there is none. */
const char *query_text(const char *name);
/* Its description's first line, into out. */
void query_title(const char *sql, char *out, size_t cap);
/* Calls fn for each query by name. */
void query_each(void (*fn)(void *arg, const char *name, const char *sql), void *arg);

/* Statement with filters bound; people: the text form. extra: one more line of SQL that goes
 * before the ORDER BY of the query, or NULL. NULL: a line was printed. */
struct sqlite3_stmt *query_prepare(struct sqlite3 *db, const char *name, const struct filters *f,
				   bool people, const char *extra);

/* Functions that canned queries use beside SQLite's own; query.c describes each. False:
 * sqlite3_errmsg says why. */
bool query_functions(struct sqlite3 *db);

/* Actions. */
int query_run_action(const struct options *o); /* o->action->query */
int query_run_named(const struct options *o);  /* --query */
int query_run_sql(const struct options *o);    /* --sql */
int query_list(const struct options *o);       /* --list-queries */

#endif
