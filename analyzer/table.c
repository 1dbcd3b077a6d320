/*
 * table.c - rows as a table for people (contract in table.h).
 *
 * - Widths come from the first rows; later ones are fitted in, so any number can stream.
 * - Nothing is cut: what does not fit its column goes on in the next line of that column.
 * - A row that cannot be made to fit the width at all is shown as one line a column.
 */
#include "table.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "utf8.h"

#define SAMPLE_ROWS 400u
#define MAX_COLUMNS 64
#define NARROWEST   8u

struct cell {
	char *text;
	size_t len;
	bool number, null;
};

struct table {
	struct output *o;
	int columns, first; /* first: 1 when column 0 is the day */
	unsigned width[MAX_COLUMNS];
	bool right[MAX_COLUMNS];
	unsigned gap;
	bool listed; /* one line a column */
};

/* Characters; escaped text has only ones that take a place. */
static unsigned columns_of(const char *p, size_t n)
{
	unsigned w = 0;

	for (size_t i = 0; i < n; i++)
		w += ((uint8_t)p[i] & 0xc0) != 0x80;
	return w;
}

static bool get_cell(sqlite3_stmt *st, int i, struct cell *c)
{
	int type = sqlite3_column_type(st, i);
	const char *p = type == SQLITE_NULL ? "-" : (const char *)sqlite3_column_text(st, i);
	size_t n = type == SQLITE_NULL ? 1 : (size_t)sqlite3_column_bytes(st, i), need;

	if (!p)
		p = "";
	if (type == SQLITE_BLOB) {
		c->text = sqlite3_mprintf("(%d bytes)", sqlite3_column_bytes(st, i));
		c->len = c->text ? strlen(c->text) : 0;
		return c->text != NULL;
	}
	need = output_escape(p, n, NULL, 0);
	c->text = sqlite3_malloc64(need + 1);
	if (!c->text)
		return false;
	c->len = output_escape(p, n, c->text, need + 1);
	/* "1.2M 1258291" is a number too */
	c->number = type == SQLITE_INTEGER || type == SQLITE_FLOAT ||
		    (n && strspn(p, "0123456789.KMGTPE ") == n && p[0] >= '0' && p[0] <= '9');
	c->null = type == SQLITE_NULL;
	return true;
}

static void free_row(struct cell *row, int n)
{
	for (int i = 0; i < n; i++)
		sqlite3_free(row[i].text);
	free(row);
}

static struct cell *get_row(sqlite3_stmt *st, int n)
{
	struct cell *row = calloc((size_t)n, sizeof(*row));

	for (int i = 0; row && i < n; i++)
		if (!get_cell(st, i, &row[i])) {
			free_row(row, n);
			return NULL;
		}
	return row;
}

/* Whether a line may end behind p[i]: not between a blank and the path that begins there. */
static bool breaks(const char *p, size_t i)
{
	return strchr(" ,|", p[i]) || (p[i] == '/' && i && p[i - 1] != ' ');
}

/* Bytes of p that fill at most w columns; up to where a line may end, if that is late enough. */
static size_t piece(const char *p, size_t n, unsigned w)
{
	unsigned cols = 0;
	size_t i = 0, good = 0;

	if (n <= w)
		return n;
	while (i < n) {
		size_t len = 1;

		while (i + len < n && ((uint8_t)p[i + len] & 0xc0) == 0x80)
			len++;
		if (cols == w)
			break;
		cols++;
		i += len;
		if (breaks(p, i - 1))
			good = cols * 3 > w ? i : good;
	}
	return i < n && good ? good : i;
}

static void put_blanks(FILE *f, unsigned n)
{
	static const char blanks[] =
		"                                                                ";

	for (; n >= sizeof(blanks); n -= (unsigned)sizeof(blanks) - 1)
		fwrite_unlocked(blanks, 1, sizeof(blanks) - 1, f);
	fwrite_unlocked(blanks, 1, n, f);
}

static void put_padded(FILE *f, const char *p, size_t n, unsigned w, bool right, bool last)
{
	unsigned pad;

	while (n && p[n - 1] == ' ')
		n--;
	pad = w - columns_of(p, n);
	if (right)
		put_blanks(f, pad);
	fwrite_unlocked(p, 1, n, f);
	if (!right && !last)
		put_blanks(f, pad);
}

static void put_listed(struct table *t, sqlite3_stmt *st, const struct cell *row)
{
	int widest = 0;

	for (int i = 0; i < t->columns; i++) {
		int n = (int)strlen(sqlite3_column_name(st, i));

		widest = n > widest ? n : widest;
	}
	if (t->o->rows)
		putc('\n', t->o->f);
	for (int i = 0; i < t->columns; i++) {
		size_t off = 0;
		bool begun = false;

		if (row[i].null)
			continue;
		while (!begun || off < row[i].len) {
			size_t n = piece(row[i].text + off, row[i].len - off,
					 t->o->width - (unsigned)widest - 2);

			fprintf(t->o->f, "%*s  %.*s\n", widest,
				begun ? "" : sqlite3_column_name(st, i), (int)n, row[i].text + off);
			off += n;
			begun = true;
		}
	}
}

static void put_row(struct table *t, sqlite3_stmt *st, const struct cell *row)
{
	size_t off[MAX_COLUMNS] = { 0 };
	bool more = true;

	if (t->first && strcmp(t->o->day, row[0].text)) {
		snprintf(t->o->day, sizeof(t->o->day), "%s", row[0].text);
		fprintf(t->o->f, "--- %s UTC\n", t->o->day);
	}
	if (t->listed) {
		put_listed(t, st, row);
		return;
	}
	while (more) {
		int last = t->first;

		more = false;
		for (int i = t->first; i < t->columns; i++)
			if (off[i] < row[i].len)
				last = i;
		for (int i = t->first; i <= last; i++) {
			const char *p = row[i].text + off[i];
			size_t n = piece(p, row[i].len - off[i], t->width[i]);

			if (i > t->first)
				put_blanks(t->o->f, t->gap);
			put_padded(t->o->f, p, n, t->width[i], t->right[i], i == last);
			off[i] += n;
			more |= off[i] < row[i].len;
		}
		putc('\n', t->o->f);
	}
}

static unsigned total(const struct table *t)
{
	unsigned w = 0;

	for (int i = t->first; i < t->columns; i++)
		w += t->width[i] + (i > t->first ? t->gap : 0);
	return w;
}

/* Narrows the widest columns of text until all fit. */
static void fit(struct table *t, sqlite3_stmt *st, struct cell **row, unsigned rows)
{
	for (int i = t->first; i < t->columns; i++) {
		bool numbers = true, any = false;

		t->width[i] =
			columns_of(sqlite3_column_name(st, i), strlen(sqlite3_column_name(st, i)));
		for (unsigned r = 0; r < rows; r++) {
			const struct cell *c = &row[r][i];
			unsigned w = columns_of(c->text, c->len);

			if (w > t->width[i])
				t->width[i] = w;
			numbers &= c->number || c->null;
			any |= c->number;
		}
		t->right[i] = numbers && any;
	}
	t->gap = 2;
	if (total(t) > t->o->width)
		t->gap = 1;
	while (total(t) > t->o->width) {
		int widest = -1;
		unsigned over = total(t) - t->o->width, second = NARROWEST, cut;

		for (int i = t->first; i < t->columns; i++)
			if (!t->right[i] && t->width[i] > NARROWEST &&
			    (widest < 0 || t->width[i] > t->width[widest]))
				widest = i;
		if (widest < 0) {
			t->listed = true;
			return;
		}
		for (int i = t->first; i < t->columns; i++)
			if (i != widest && !t->right[i] && t->width[i] > second)
				second = t->width[i];
		cut = t->width[widest] > second ? t->width[widest] - second : 1;
		t->width[widest] -= cut < over ? cut : over;
	}
}

static void put_header(struct table *t, sqlite3_stmt *st)
{
	for (int i = t->first; i < t->columns; i++) {
		const char *name = sqlite3_column_name(st, i);

		if (i > t->first)
			put_blanks(t->o->f, t->gap);
		if (i == t->columns - 1 && !t->right[i])
			fputs(name, t->o->f);
		else
			fprintf(t->o->f, t->right[i] ? "%*s" : "%-*s", (int)t->width[i], name);
	}
	putc('\n', t->o->f);
}

int table_text(struct output *o, sqlite3_stmt *st, unsigned long max, bool *more)
{
	struct table t = { .o = o, .columns = sqlite3_column_count(st) };
	struct cell **sample = calloc(SAMPLE_ROWS, sizeof(*sample)), *row = NULL;
	unsigned n = 0;
	unsigned long start = o->rows;
	int rc = SQLITE_NOMEM;

	if (!sample)
		return rc;
	if (t.columns > MAX_COLUMNS) {
		t.columns = MAX_COLUMNS;
		t.listed = true;
	}
	t.first = t.columns > 1 && !strcmp(sqlite3_column_name(st, 0), "day");
	while (n < SAMPLE_ROWS && (!max || n <= max) && (rc = sqlite3_step(st)) == SQLITE_ROW) {
		sample[n] = get_row(st, t.columns);
		if (!sample[n]) {
			rc = SQLITE_NOMEM;
			break;
		}
		n++;
	}
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		goto out;
	if (!n) {
		fputs("(none)\n", o->f);
		goto out;
	}
	if (!t.listed)
		fit(&t, st, sample, n);
	if (!t.listed && !start)
		put_header(&t, st);
	for (unsigned r = 0; r < n && (!max || r < max); r++, o->rows++)
		put_row(&t, st, sample[r]);
	if (max && n > max) {
		*more = true;
		rc = SQLITE_DONE;
	}
	while (rc == SQLITE_ROW && !*more && (rc = sqlite3_step(st)) == SQLITE_ROW &&
	       !ferror(o->f)) {
		if (max && o->rows - start == max) {
			*more = true;
			rc = SQLITE_DONE;
			break;
		}
		row = get_row(st, t.columns);
		if (!row) {
			rc = SQLITE_NOMEM;
			break;
		}
		put_row(&t, st, row);
		free_row(row, t.columns);
		o->rows++;
	}
out:
	for (unsigned r = 0; r < n; r++)
		free_row(sample[r], t.columns);
	free(sample);
	return rc;
}

int table_html(struct output *o, sqlite3_stmt *st, unsigned long max, bool *more)
{
	int columns = sqlite3_column_count(st), rc;
	unsigned long rows = 0;

	fputs("<table>\n<thead><tr>", o->f);
	for (int i = 0; i < columns; i++) {
		fputs("<th>", o->f);
		output_html(o->f, sqlite3_column_name(st, i), strlen(sqlite3_column_name(st, i)));
	}
	fputs("</tr></thead>\n<tbody>\n", o->f);
	while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
		if (max && rows == max) {
			*more = true;
			rc = SQLITE_DONE;
			break;
		}
		rows++;
		fputs("<tr>", o->f);
		for (int i = 0; i < columns; i++) {
			const char *p = (const char *)sqlite3_column_text(st, i);
			int type = sqlite3_column_type(st, i);

			fputs(type == SQLITE_INTEGER || type == SQLITE_FLOAT ? "<td class=n>" :
									       "<td>",
			      o->f);
			if (p)
				output_html(o->f, p, (size_t)sqlite3_column_bytes(st, i));
			fputs("</td>", o->f);
		}
		fputs("</tr>\n", o->f);
	}
	fputs("</tbody></table>\n", o->f);
	o->rows += rows;
	return rc;
}
