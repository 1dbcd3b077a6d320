/*
 * embedded.h - the SQL files of this folder, as they are built into fanalyze.
 *
 * Made by embed.awk from the list SQL in the Makefile, in its order.
 */
#ifndef SCHEMA_EMBEDDED_H
#define SCHEMA_EMBEDDED_H

struct schema_file {
	const char *name; /* path below schema/ without ".sql", e.g. "queries/deleted" */
	const char *sql;  /* the file's text, NUL-terminated */
};

extern const struct schema_file schema_files[];
extern const unsigned schema_files_n;

#endif
