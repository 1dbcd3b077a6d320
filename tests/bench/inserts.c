/*
 * inserts.c - what bare SQLite needs to insert the rows of a database's largest table.
 *
 *   inserts DATABASE SCRATCH
 *
 * Reads that table into memory, then times one prepared INSERT a row into the same table of a
 * new database SCRATCH: one transaction, no journal, no fsync, no index of its own.
 * Prints "TABLE ROWS SECONDS".
 */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void die(sqlite3 *db, const char *what)
{
	fprintf(stderr, "inserts: %s: %s\n", what, db ? sqlite3_errmsg(db) : "out of memory");
	exit(1);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static sqlite3_stmt *prepare(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *s;

	if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) != SQLITE_OK)
		die(db, sql);
	return s;
}

/* Name and CREATE statement of the table with the most rows. */
static void largest(sqlite3 *db, char **name, char **create)
{
	sqlite3_stmt *s = prepare(db,
				  "SELECT name, sql FROM sqlite_master WHERE type = 'table' AND "
				  "name NOT LIKE 'sqlite_%' AND sql NOT LIKE 'CREATE VIRTUAL%'");
	sqlite3_int64 most = -1;

	*name = *create = NULL;
	while (sqlite3_step(s) == SQLITE_ROW) {
		char *sql =
			sqlite3_mprintf("SELECT COUNT(*) FROM \"%w\"", sqlite3_column_text(s, 0));
		sqlite3_stmt *c = prepare(db, sql);

		if (sqlite3_step(c) == SQLITE_ROW && sqlite3_column_int64(c, 0) > most) {
			most = sqlite3_column_int64(c, 0);
			*name = sqlite3_mprintf("%s", sqlite3_column_text(s, 0));
			*create = sqlite3_mprintf("%s", sqlite3_column_text(s, 1));
		}
		sqlite3_finalize(c);
		sqlite3_free(sql);
	}
	sqlite3_finalize(s);
	if (!*name)
		die(db, "no table");
}

int main(int argc, char **argv)
{
	sqlite3 *from, *to;
	sqlite3_stmt *s;
	sqlite3_value **v = NULL;
	size_t n = 0, cap = 0, rows, i;
	char *name, *create, *insert;
	double start;
	int columns, c;

	if (argc != 3) {
		fprintf(stderr, "usage: inserts DATABASE SCRATCH\n");
		return 2;
	}
	if (sqlite3_open_v2(argv[1], &from, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK)
		die(from, argv[1]);
	largest(from, &name, &create);
	s = prepare(from, sqlite3_mprintf("SELECT * FROM \"%w\"", name));
	columns = sqlite3_column_count(s);
	while (sqlite3_step(s) == SQLITE_ROW) {
		for (c = 0; c < columns; c++) {
			if (n == cap) {
				cap = cap ? 2 * cap : 1 << 16;
				v = realloc(v, cap * sizeof(*v));
				if (!v)
					die(NULL, "rows");
			}
			v[n++] = sqlite3_value_dup(sqlite3_column_value(s, c));
		}
	}
	sqlite3_finalize(s);
	rows = n / (size_t)columns;

	if (sqlite3_open(argv[2], &to) != SQLITE_OK)
		die(to, argv[2]);
	insert = sqlite3_mprintf("INSERT INTO \"%w\" VALUES(?", name);
	for (c = 1; c < columns; c++)
		insert = sqlite3_mprintf("%z,?", insert);
	insert = sqlite3_mprintf("%z)", insert);
	if (sqlite3_exec(to, "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF", NULL, NULL, NULL) ||
	    sqlite3_exec(to, create, NULL, NULL, NULL))
		die(to, create);
	start = now();
	sqlite3_exec(to, "BEGIN", NULL, NULL, NULL);
	s = prepare(to, insert);
	for (i = 0; i < rows; i++) {
		for (c = 0; c < columns; c++)
			sqlite3_bind_value(s, c + 1, v[i * (size_t)columns + (size_t)c]);
		if (sqlite3_step(s) != SQLITE_DONE)
			die(to, insert);
		sqlite3_reset(s);
	}
	sqlite3_finalize(s);
	if (sqlite3_exec(to, "COMMIT", NULL, NULL, NULL))
		die(to, "commit");
	printf("%s %zu %.6f\n", name, rows, now() - start);
	sqlite3_close(to);
	sqlite3_close(from);
	return 0;
}
