/*
 * output.h - rows of a SELECT to a file: aligned text, CSV, JSON, JSON lines, HTML tables.
 *
 * Names in a case are hostile. Text, HTML and JSON let no control character through. CSV
 * has every byte as it is between its quotes, except on a terminal, where it is as text.
 */
#ifndef FANALYZE_OUTPUT_H
#define FANALYZE_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct sqlite3_stmt;

enum output_format { OUTPUT_TEXT, OUTPUT_CSV, OUTPUT_JSON, OUTPUT_JSONL, OUTPUT_HTML };

/* Of --format; false: no such. HTML is not among them. */
bool output_format_by_name(const char *name, enum output_format *f);

struct output {
	FILE *f;
	const char *name; /* "standard output" or the file's */
	bool is_file, tty;
	unsigned width; /* columns for text */
	enum output_format format;
	char day[16];	    /* text: the day line printed last */
	unsigned long rows; /* printed so far by output_rows */
};

/* Standard output, or a new file: one that exists is refused. False: a line was printed. */
bool output_open(struct output *o, const char *file, enum output_format format);
/* False: a line was printed; a file is left incomplete only if it cannot be removed. */
bool output_close(struct output *o);
/* An open output whose content turned out to be of no use. */
void output_abandon(struct output *o);

/*
 * Steps st to its end and prints the rows; at most max of them (0: all). For text, a first column
 * called "day" becomes a line of its own whenever it changes, and nothing but "(none)" is
 * printed when there is no row. *more, if not NULL, tells that rows were left out.
 * Returns the last result of sqlite3_step.
 */
int output_rows(struct output *o, struct sqlite3_stmt *st, unsigned long max, bool *more);

/* Text for a terminal: control characters, those that turn the direction of text, and
 * bytes that are not UTF-8 become \n, \t, \xNN or \u{N}. Returns the length that a large enough
 * out would hold; out is NUL-terminated when cap > 0. */
size_t output_escape(const char *p, size_t n, char *out, size_t cap);
void output_csv(FILE *f, const char *p, size_t n, bool tty);
void output_json(FILE *f, const char *p, size_t n);
void output_html(FILE *f, const char *p, size_t n);

#endif
