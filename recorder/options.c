/*
 * options.c - frec's command line: words to rows of the table, and what must hold between them.
 */
#include "options.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "options_private.h"
#include "shown.h"

/* ---- messages ------------------------------------------------------------------------------ */

void complain(const char *fmt, ...)
{
	char line[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	fprintf(stderr, "frec: %s\n", line);
}

bool complain_no_memory(struct parse *p)
{
	complain("out of memory");
	p->failed = true;
	return false;
}

/* ---- words to rows ------------------------------------------------------------------------- */

static const struct option_row *by_letter(char c)
{
	for (size_t i = 0; i < option_rows_n; i++)
		if (option_rows[i].letter && option_rows[i].letter == c)
			return &option_rows[i];
	return NULL;
}

static const struct option_row *by_name(const char *name, size_t len)
{
	for (size_t i = 0; i < option_rows_n; i++)
		if (strlen(option_rows[i].name) == len && !memcmp(option_rows[i].name, name, len))
			return &option_rows[i];
	return NULL;
}

static int unknown_option(const char *word, const char *name, size_t len)
{
	const char *names[64], *near;

	for (size_t i = 0; i < option_rows_n; i++)
		names[i] = option_rows[i].name;
	near = name ? nearest(name, len, names, option_rows_n) : NULL;
	if (near)
		complain("%s: no such option; did you mean --%s?", SHOWN(word), near);
	else
		complain("%s: no such option; frec --help lists them", SHOWN(word));
	return MISUSE;
}

static int take(struct parse *p, const struct option_row *r, const char *v)
{
	uint64_t bit = 1ULL << (r - option_rows);

	if ((p->seen & bit) && (r->flags & TAKES_VALUE) && !(r->flags & REPEATABLE)) {
		complain("%s %s: given a second time; give it once", p->given, SHOWN(v));
		return MISUSE;
	}
	p->seen |= bit;
	if (!r->take(p, v))
		return p->failed ? FAILED : MISUSE;
	return r->flags & ANSWERS ? ANSWERED : GO_ON;
}

/* The word behind an option, when it can be that option's value: "-o -p" is a value forgotten
 * rather than a file called "-p". A negative number passes, to be refused for what it is. */
static const char *next_value(const struct parse *p, const struct option_row *r, int argc,
			      char **argv, int *i)
{
	const char *v = *i + 1 < argc ? argv[*i + 1] : NULL;

	if (!v || (v[0] == '-' && v[1] && !isdigit((unsigned char)v[1]))) {
		complain("%s: needs a value: %s %s%s", p->given, p->given, r->value,
			 v ? "; one that begins with - goes behind =, as in --output=-x" : "");
		return NULL;
	}
	++*i;
	return v;
}

static int long_option(struct parse *p, int argc, char **argv, int *i)
{
	const char *word = argv[*i], *name = word + 2, *eq = strchr(name, '=');
	size_t len = eq ? (size_t)(eq - name) : strlen(name);
	const struct option_row *r = by_name(name, len);
	const char *v = eq ? eq + 1 : NULL;

	if (!r)
		return unknown_option(word, name, len);
	snprintf(p->given, sizeof(p->given), "--%s", r->name);
	if (!(r->flags & TAKES_VALUE)) {
		if (v) {
			complain("%s: takes no value; write %s alone", SHOWN(word), p->given);
			return MISUSE;
		}
		v = "";
	} else if (!v) {
		v = next_value(p, r, argc, argv, i);
		if (!v)
			return MISUSE;
	}
	return take(p, r, v);
}

static int short_options(struct parse *p, int argc, char **argv, int *i)
{
	const char *word = argv[*i];
	int rc = GO_ON;

	for (const char *c = word + 1; *c && rc == GO_ON; c++) {
		const struct option_row *r = by_letter(*c);
		const char *v = "";

		if (!r)
			return unknown_option(word, NULL, 0);
		snprintf(p->given, sizeof(p->given), "-%c", *c);
		if (r->flags & TAKES_VALUE) {
			v = c[1] ? c + 1 : next_value(p, r, argc, argv, i);
			if (!v)
				return MISUSE;
			c += strlen(c) - 1;
		}
		rc = take(p, r, v);
	}
	return rc;
}

static bool all_digits(const char *s) { return *s && !s[strspn(s, "0123456789")]; }

static int stray_word(const struct parse *p, const char *word)
{
	if (p->o->npids && all_digits(word))
		complain("%s: stray word; several process ids go into one -p, as in "
			 "-p \"$(pgrep nginx)\"",
			 SHOWN(word));
	else
		complain("%s: stray word; a command to start goes behind --, as in "
			 "frec -o CASE.frz -- %s",
			 SHOWN(word), SHOWN(word));
	return MISUSE;
}

/* ---- what must hold between options -------------------------------------------------------- */

static int check_recover(const struct parse *p)
{
	const struct frec_options *o = p->o;

	for (size_t i = 0; i < option_rows_n; i++) {
		if (!(p->seen >> i & 1) || (option_rows[i].flags & WITH_RECOVER))
			continue;
		complain("--recover %s: goes without --%s; it only finishes a case",
			 SHOWN(o->recover), option_rows[i].name);
		return MISUSE;
	}
	if (o->command) {
		complain("--recover %s: goes without a command; it only finishes a case",
			 SHOWN(o->recover));
		return MISUSE;
	}
	return GO_ON;
}

static int check_whole(struct parse *p)
{
	struct frec_options *o = p->o;

	if (o->recover)
		return check_recover(p);
	if (o->npids && o->command) {
		complain("-p %d: goes without a command (%s); attach or start, one case for each",
			 (int)o->pids[0], SHOWN(o->command[0]));
		return MISUSE;
	}
	if (!o->npids && !o->command) {
		complain("nothing to record; give -p PID, or -- COMMAND (frec --help tells more)");
		return MISUSE;
	}
	if (!o->output) {
		complain("no case file; add -o CASE.frz");
		return MISUSE;
	}
	if (o->redact && !o->env) {
		complain("--redact %s: no environment is recorded without --env",
			 SHOWN(o->redact[0]));
		return MISUSE;
	}
	return GO_ON;
}

static int finish_set(struct parse *p)
{
	if (!recordset_finish(&p->set)) {
		if (errno == ENOMEM) {
			complain_no_memory(p);
			return FAILED;
		}
		complain("-e: what is left out leaves nothing to record; drop a !NAME");
		return MISUSE;
	}
	p->o->record = p->set.record;
	p->o->record_text = p->set.text;
	p->o->anonymous = p->set.anonymous;
	p->set.record = NULL;
	p->set.text = NULL;
	return GO_ON;
}

static int parse_words(struct parse *p, int argc, char **argv)
{
	int rc = GO_ON;

	for (int i = 1; i < argc && rc == GO_ON; i++) {
		const char *word = argv[i];

		if (!strcmp(word, "--")) {
			if (i + 1 == argc || !*argv[i + 1]) {
				complain("--: no command behind it; write frec -o CASE.frz -- "
					 "COMMAND [ARG...]");
				return MISUSE;
			}
			p->o->command = argv + i + 1;
			break;
		}
		if (word[0] == '-' && word[1] == '-')
			rc = long_option(p, argc, argv, &i);
		else if (word[0] == '-' && word[1])
			rc = short_options(p, argc, argv, &i);
		else
			rc = stray_word(p, word);
	}
	return rc;
}

int options_parse(int argc, char **argv, struct frec_options *o)
{
	struct parse p = { .o = o };
	int rc;

	memset(o, 0, sizeof(*o));
	o->sync = WRITER_SYNC_SECONDS;
	o->sync_seconds = 1;
	o->placement = PLACE_AUTO;
	if (!recordset_init(&p.set)) {
		complain_no_memory(&p);
		return FAILED;
	}
	rc = parse_words(&p, argc, argv);
	if (rc == GO_ON)
		rc = check_whole(&p);
	if (rc == GO_ON)
		rc = finish_set(&p);
	recordset_release(&p.set);
	if (rc != GO_ON)
		options_release(o);
	return rc;
}

void options_release(struct frec_options *o)
{
	free(o->pids);
	free(o->record);
	free(o->record_text);
	free((char *)o->case_id);
	for (char **r = o->redact; r && *r; r++)
		free(*r);
	free(o->redact);
	memset(o, 0, sizeof(*o));
}
