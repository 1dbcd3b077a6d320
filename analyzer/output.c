/* output.c - rows of a SELECT to a file (contract in output.h); aligned text is in table.c. */
#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "message.h"
#include "table.h"

#define WIDTH  100u /* where nobody says how wide it is */
#define NARROW 80u  /* at least */

bool output_format_by_name(const char *name, enum output_format *f)
{
	static const char *const names[] = { "text", "csv", "json", "jsonl" };

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(name, names[i])) {
			*f = (enum output_format)i;
			return true;
		}
	return false;
}

bool output_open(struct output *o, const char *file, enum output_format format)
{
	struct winsize ws;
	int fd;

	*o = (struct output){
		.f = stdout, .name = "standard output", .format = format, .width = WIDTH
	};
	if (!file) {
		o->tty = isatty(STDOUT_FILENO);
		if (!o->tty)
			setvbuf(stdout, NULL, _IOFBF, 1 << 16);
		if (o->tty && ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) == 0 && ws.ws_col)
			o->width = ws.ws_col < NARROW ? NARROW : ws.ws_col;
		return true;
	}
	fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	o->f = fd < 0 ? NULL : fdopen(fd, "w");
	if (!o->f) {
		complain(0,
			 errno == EEXIST ?
				 "%s: exists, and is not overwritten: name another with --output" :
				 "%s: %s",
			 file, strerror(errno));
		if (fd >= 0)
			close(fd);
		return false;
	}
	o->name = file;
	o->is_file = true;
	return true;
}

bool output_close(struct output *o)
{
	int bad = ferror(o->f), e;

	errno = 0;
	bad |= fflush(o->f);
	e = errno;
	if (o->is_file && fclose(o->f) != 0) {
		bad = 1;
		e = e ? e : errno;
	}
	if (!bad)
		return true;
	complain(0, "%s: %s", o->name, e ? strerror(e) : "could not be written to");
	if (o->is_file)
		unlink(o->name);
	return false;
}

void output_abandon(struct output *o)
{
	if (!o->is_file)
		return;
	fclose(o->f);
	unlink(o->name);
}

static void put_value(struct output *o, sqlite3_stmt *st, int i)
{
	const char *p;

	switch (sqlite3_column_type(st, i)) {
	case SQLITE_NULL:
		if (o->format != OUTPUT_CSV)
			fputs("null", o->f);
		return;
	case SQLITE_INTEGER:
		fprintf(o->f, "%lld", sqlite3_column_int64(st, i));
		return;
	case SQLITE_FLOAT:
		fprintf(o->f, "%.17g", sqlite3_column_double(st, i));
		return;
	case SQLITE_BLOB: {
		const uint8_t *b = sqlite3_column_blob(st, i);
		int n = sqlite3_column_bytes(st, i);

		if (o->format != OUTPUT_CSV)
			putc('"', o->f);
		for (int k = 0; k < n; k++)
			fprintf(o->f, "%02x", b[k]);
		if (o->format != OUTPUT_CSV)
			putc('"', o->f);
		return;
	}
	default:
		p = (const char *)sqlite3_column_text(st, i);
		if (o->format == OUTPUT_CSV)
			output_csv(o->f, p ? p : "", (size_t)sqlite3_column_bytes(st, i), o->tty);
		else
			output_json(o->f, p ? p : "", (size_t)sqlite3_column_bytes(st, i));
	}
}

static void put_row(struct output *o, sqlite3_stmt *st, int columns)
{
	bool json = o->format != OUTPUT_CSV;

	if (o->format == OUTPUT_JSON)
		fputs(o->rows ? ",\n" : "\n", o->f);
	if (json)
		putc('{', o->f);
	for (int i = 0; i < columns; i++) {
		if (i)
			putc(',', o->f);
		if (json) {
			const char *name = sqlite3_column_name(st, i);

			output_json(o->f, name, strlen(name));
			putc(':', o->f);
		}
		put_value(o, st, i);
	}
	if (json)
		putc('}', o->f);
	if (o->format != OUTPUT_JSON)
		putc('\n', o->f);
}

static int put_rows(struct output *o, sqlite3_stmt *st, unsigned long max, bool *more)
{
	int columns = sqlite3_column_count(st), rc;
	unsigned long start = o->rows;

	if (o->format == OUTPUT_CSV && !o->rows) {
		for (int i = 0; i < columns; i++) {
			const char *name = sqlite3_column_name(st, i);

			if (i)
				putc(',', o->f);
			output_csv(o->f, name, strlen(name), o->tty);
		}
		putc('\n', o->f);
	}
	if (o->format == OUTPUT_JSON)
		putc('[', o->f);
	while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
		if (max && o->rows - start == max) {
			*more = true;
			rc = SQLITE_DONE;
			break;
		}
		put_row(o, st, columns);
		o->rows++;
		if (ferror(o->f))
			break;
	}
	if (o->format == OUTPUT_JSON)
		fputs(o->rows == start ? "]\n" : "\n]\n", o->f);
	return rc;
}

int output_rows(struct output *o, sqlite3_stmt *st, unsigned long max, bool *more)
{
	bool dummy;

	if (!more)
		more = &dummy;
	*more = false;
	if (o->format == OUTPUT_TEXT)
		return table_text(o, st, max, more);
	if (o->format == OUTPUT_HTML)
		return table_html(o, st, max, more);
	return put_rows(o, st, max, more);
}
