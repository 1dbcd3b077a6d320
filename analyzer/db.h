/*
 * db.h - the database of a case: where it is, whether it can be used as it is, gone on with or must
 * be made anew; opened for reading.
 *
 * - A new one is built in a temporary file in the same folder and renamed into place.
 * - It belongs to one case. That of another case, or of another program, is never touched.
 * - It can be made again from the case at any time and is no evidence.
 */
#ifndef FANALYZE_DB_H
#define FANALYZE_DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "import.h"

struct sqlite3;
struct options;

/* Opens the database of o->case_path for reading only, made or brought up to date before.
 * NULL: one line was printed, *code is the exit code. Otherwise *code is that of the case's
 * state, and one line was printed if it is damaged. */
struct sqlite3 *db_open(const struct options *o, int *code);
/* That line: the state of the case, its id and its chain head. */
bool db_state(struct sqlite3 *db, char *line, size_t cap);
/* The file that db_open used; valid until the program ends. */
const char *db_path(void);

/* Opens for going on with an import while others read (--follow). NULL: one line was printed. */
struct sqlite3 *db_open_writable(const char *path);
/* Notes in the database how far the case is in it, and commits. */
bool db_commit(struct sqlite3 *db, const char *case_path, const struct case_state *s);
/* "blocks" or "events" as db_commit noted them. */
uint64_t db_noted(struct sqlite3 *db, const char *what);
/* What it has of the tail of a case without a SEAL; false: it does not say. */
bool db_noted_tail(struct sqlite3 *db, struct tail_mark mark[FRZ_TAIL_HALVES], unsigned *n);
/* It is as db_commit(s) left it: nobody else went on with it. */
bool db_noted_is(struct sqlite3 *db, const struct case_state *s);
bool db_begin(struct sqlite3 *db);

/* Creates tables, and indexes after the rows are in. False: sqlite3_errmsg says why. */
bool db_create_tables(struct sqlite3 *db);
bool db_create_indexes(struct sqlite3 *db);

#endif
