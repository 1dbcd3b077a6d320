/*
 * recordset.c - turns the -e items into one flag a row of the syscall table, and back into
 * the one canonical text that says the same.
 */
#include "recordset.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sysent.h"

enum { WANTED = 1, LEFT_OUT = 2 };

static const struct {
	const char *name;
	unsigned classes;
} classes[] = {
	{ "all", FRZ_CL_ALL },	       { "default", FRZ_CL_DEFAULT }, { "file", FRZ_CL_FILE },
	{ "desc", FRZ_CL_DESC },       { "io", FRZ_CL_IO },	      { "net", FRZ_CL_NET },
	{ "process", FRZ_CL_PROCESS }, { "memory", FRZ_CL_MEMORY },   { "other", FRZ_CL_OTHER },
};
#define PREFIX_MIN 3
#define NCLASSES   (sizeof(classes) / sizeof(classes[0]))

bool recordset_init(struct recordset *s)
{
	size_t n = frz_sysents_n ? frz_sysents_n : 1;

	memset(s, 0, sizeof(*s));
	s->record = calloc(n, sizeof(*s->record));
	s->named = calloc(n, 1);
	if (s->record && s->named)
		return true;
	recordset_release(s);
	return false;
}

void recordset_release(struct recordset *s)
{
	free(s->record);
	free(s->named);
	free(s->text);
	memset(s, 0, sizeof(*s));
}

/* Edit distance in which swapping two neighbours counts once; gives up above `limit`. */
static unsigned distance(const char *a, size_t na, const char *b, size_t nb, unsigned limit)
{
	unsigned row[3][48] = { { 0 } };
	size_t i, j;

	if (na >= 48 || nb >= 48 || (na > nb ? na - nb : nb - na) > limit)
		return limit + 1;
	for (j = 0; j <= nb; j++)
		row[0][j] = (unsigned)j;
	for (i = 1; i <= na; i++) {
		unsigned *now = row[i % 3], *up = row[(i + 2) % 3], *up2 = row[(i + 1) % 3];

		now[0] = (unsigned)i;
		for (j = 1; j <= nb; j++) {
			unsigned best = up[j - 1] + (a[i - 1] != b[j - 1]);

			if (up[j] + 1 < best)
				best = up[j] + 1;
			if (now[j - 1] + 1 < best)
				best = now[j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    up2[j - 2] + 1 < best)
				best = up2[j - 2] + 1;
			now[j] = best;
		}
	}
	return row[na % 3][nb];
}

struct closest {
	const char *word;
	unsigned d;
};

static void closer(struct closest *c, const char *word, size_t len, const char *candidate)
{
	unsigned d = distance(word, len, candidate, strlen(candidate), c->d - 1);

	/* a word cut short (pread for pread64) is better than one misspelt (read) */
	if (len >= PREFIX_MIN && !strncmp(candidate, word, len))
		d = 0;
	if (d < c->d) {
		c->d = d;
		c->word = candidate;
	}
}

/* A third of the letters may be wrong, at least one and at most three. */
static struct closest closest_of(size_t len)
{
	size_t limit = len / 3;

	limit = limit < 1 ? 1 : limit > 3 ? 3 : limit;
	return (struct closest){ NULL, (unsigned)limit + 1 };
}

const char *nearest(const char *word, size_t len, const char *const *words, size_t n)
{
	struct closest c = closest_of(len);

	for (size_t i = 0; i < n && c.d; i++)
		closer(&c, word, len, words[i]);
	return c.word;
}

static const char *nearest_item(const char *word, size_t len)
{
	struct closest c = closest_of(len);

	for (size_t i = 0; i < NCLASSES && c.d; i++)
		closer(&c, word, len, classes[i].name);
	for (unsigned i = 0; i < frz_sysents_n && c.d; i++)
		closer(&c, word, len, frz_sysents[i].name);
	return c.word;
}

static bool same(const char *name, const char *word, size_t len)
{
	return strlen(name) == len && !memcmp(name, word, len);
}

static bool add_item(struct recordset *s, const char *word, size_t len, bool not )
{
	bool found = false;

	for (size_t i = 0; i < NCLASSES; i++) {
		if (!same(classes[i].name, word, len))
			continue;
		*(not ? &s->minus : &s->plus) |= classes[i].classes;
		s->any_plus |= !not ;
		return true;
	}
	/* one name may stand in several rows when its arguments differ between ABIs */
	for (unsigned i = 0; i < frz_sysents_n; i++) {
		if (!same(frz_sysents[i].name, word, len))
			continue;
		s->named[i] |= not ? LEFT_OUT : WANTED;
		found = true;
	}
	s->any_plus |= found && !not ;
	return found;
}

bool recordset_add(struct recordset *s, const char *arg, const char **bad, size_t *bad_len,
		   char *near, size_t near_cap)
{
	static const char sep[] = ", \t\r\n\v\f";
	const char *p = arg;
	bool any = false;

	near[0] = '\0';
	for (;;) {
		size_t len;
		bool not = false;

		p += strspn(p, sep);
		len = strcspn(p, sep);
		if (!len && any)
			return true;
		*bad = p;
		*bad_len = len;
		if (len && *p == '!') {
			not = true;
			p++;
			len--;
		}
		if (!len || !add_item(s, p, len, not )) {
			const char *n = len ? nearest_item(p, len) : NULL;

			if (n)
				snprintf(near, near_cap, "%s%s", not ? "!" : "", n);
			return false;
		}
		any = true;
		p += len;
	}
}

/* ---- the result, and its canonical text ---------------------------------------------------- */

struct text {
	char *p;
	size_t len, cap;
	bool failed;
};

static void text_item(struct text *t, const char *bang, const char *name)
{
	size_t need = strlen(bang) + strlen(name) + 2;

	if (t->failed)
		return;
	if (t->len + need > t->cap) {
		size_t cap = 2 * t->cap + need;
		char *p = realloc(t->p, cap);

		if (!p) {
			t->failed = true;
			return;
		}
		t->p = p;
		t->cap = cap;
	}
	t->len += (size_t)sprintf(t->p + t->len, "%s%s%s", t->len ? "," : "", bang, name);
}

static bool in_classes(unsigned i, unsigned plus, unsigned minus)
{
	return (frz_sysents[i].classes & plus) && !(frz_sysents[i].classes & minus);
}

/* One name can have several rows: whether an earlier one has already been written. */
static bool written(const bool *record, unsigned plus, unsigned minus, unsigned i)
{
	for (unsigned j = 0; j < i; j++)
		if (!strcmp(frz_sysents[j].name, frz_sysents[i].name) && record[j] == record[i] &&
		    in_classes(j, plus, minus) == in_classes(i, plus, minus))
			return true;
	return false;
}

static void text_names(struct text *t, const bool *record, unsigned plus, unsigned minus, bool want)
{
	for (unsigned i = 0; i < frz_sysents_n; i++)
		if (record[i] == want && in_classes(i, plus, minus) != want &&
		    !written(record, plus, minus, i))
			text_item(t, want ? "" : "!", frz_sysents[i].name);
}

/* Classes and names wanted, then classes and names left out, each in the table's order and
 * only where they make a difference. Read back, it gives the same set. */
static char *canonical(const bool *record, unsigned plus, unsigned minus)
{
	struct text t = { NULL, 0, 0, false };
	unsigned rest = plus, hit = 0;

	for (unsigned i = 0; i < frz_sysents_n; i++)
		if (frz_sysents[i].classes & plus)
			hit |= frz_sysents[i].classes & minus;
	for (size_t i = 0; i < NCLASSES; i++) {
		if ((plus & classes[i].classes) != classes[i].classes ||
		    !(rest & classes[i].classes))
			continue;
		text_item(&t, "", classes[i].name);
		rest &= ~classes[i].classes;
	}
	text_names(&t, record, plus, minus, true);
	for (size_t i = 0; i < NCLASSES; i++)
		if (!(classes[i].classes & (classes[i].classes - 1)) && (hit & classes[i].classes))
			text_item(&t, "!", classes[i].name);
	text_names(&t, record, plus, minus, false);
	if (t.failed) {
		free(t.p);
		return NULL;
	}
	return t.p;
}

bool recordset_finish(struct recordset *s)
{
	unsigned plus = s->any_plus ? s->plus : FRZ_CL_DEFAULT;
	bool any = false;

	for (unsigned i = 0; i < frz_sysents_n; i++) {
		unsigned cl = frz_sysents[i].classes;

		s->record[i] = ((cl & plus) || (s->named[i] & WANTED)) && !(cl & s->minus) &&
			       !(s->named[i] & LEFT_OUT);
		any |= s->record[i];
	}
	if (!any) {
		errno = 0;
		return false;
	}
	s->anonymous = plus & FRZ_CL_OTHER & ~s->minus;
	free(s->text);
	s->text = canonical(s->record, plus, s->minus);
	if (!s->text)
		errno = ENOMEM;
	return s->text != NULL;
}
