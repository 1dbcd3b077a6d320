/* table.h - rows as a table for people: aligned text within a width, or HTML. */
#ifndef FANALYZE_TABLE_H
#define FANALYZE_TABLE_H

#include "output.h"

/* As output_rows. */
int table_text(struct output *o, struct sqlite3_stmt *st, unsigned long max, bool *more);
int table_html(struct output *o, struct sqlite3_stmt *st, unsigned long max, bool *more);

#endif
