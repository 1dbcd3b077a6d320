/*
 * options.c - frec's command line: a table of options, each row with its help and the
 * function that checks its value.
 */
#include "options.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quantity.h"
#include "recordset.h"
#include "shown.h"

#ifndef FREC_VERSION
#define FREC_VERSION "unversioned"
#endif

#define PID_LIMIT (4u << 20)            /* PID_MAX_LIMIT of 64-bit Linux */
#define SYNC_SECONDS_MAX 3600
#define SIZE_MIN (64u << 10)            /* a case with less room holds no events */

/* What options_parse ends with. */
enum { GO_ON = 0, ANSWERED = 1, FAILED = 2, MISUSE = 3 };

struct parse {
	struct frec_options *o;
	struct recordset set;
	size_t nredact;
	uint64_t seen;                  /* bit per row of the table */
	const char *given;              /* the option as it was written: "-p", "--pid" */
	bool failed;                    /* no memory or no output, rather than misuse */
};

enum row_flags {
	TAKES_VALUE   = 1,
	REPEATABLE    = 2,              /* with a value: adds to what was given before */
	WITH_RECOVER  = 4,              /* makes sense together with --recover */
	ANSWERS       = 8,              /* prints and ends */
};

struct row {
	char letter;                    /* 0 none */
	const char *name;
	const char *value;              /* its name in the help; NULL takes none */
	unsigned flags;
	bool (*take)(struct parse *p, const char *v);   /* false: complained */
	const char *help;
};

/* ---- messages ---------------------------------------------------------------------------- */

__attribute__((format(printf, 1, 2)))
static void complain(const char *fmt, ...)
{
	char line[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	fprintf(stderr, "frec: %s\n", line);
}

static bool bad_value(const struct parse *p, const char *v, const char *what)
{
	complain("%s %s: %s", p->given, *v ? SHOWN(v) : "\"\"", what);
	return false;
}

static bool no_memory(struct parse *p)
{
	complain("out of memory");
	p->failed = true;
	return false;
}

/* ---- one function an option ---------------------------------------------------------------- */

static bool add_pid(struct parse *p, const char *word, size_t len)
{
	struct frec_options *o = p->o;
	const char *what = NULL;
	uint64_t pid = 0;
	pid_t *grown;

	for (size_t i = 0; i < len && !what; i++) {
		if (!isdigit((unsigned char)word[i]))
			what = word[0] == '-' ? "a process id is positive; ps or pgrep shows it"
					      : "is no process id; ps or pgrep shows it";
		else if ((pid = 10 * pid + (uint64_t)(word[i] - '0')) > PID_LIMIT)
			what = "is larger than any process id; ps or pgrep shows it";
	}
	if (!what && pid == 0)
		what = "0 is no process; ps or pgrep shows the id";
	if (what) {
		complain("%s %s: %s", p->given, SHOWN_N(word, len), what);
		return false;
	}
	for (size_t i = 0; i < o->npids; i++)
		if (o->pids[i] == (pid_t)pid)
			return true;
	grown = realloc(o->pids, (o->npids + 1) * sizeof(*grown));
	if (!grown)
		return no_memory(p);
	o->pids = grown;
	o->pids[o->npids++] = (pid_t)pid;
	return true;
}

static bool take_pids(struct parse *p, const char *v)
{
	static const char sep[] = ", \t\r\n\v\f";
	bool any = false;

	for (size_t len; v += strspn(v, sep), (len = strcspn(v, sep)) != 0; v += len) {
		if (!add_pid(p, v, len))
			return false;
		any = true;
	}
	if (!any)
		complain("%s: no process id given; did pgrep or pidof find nothing?", p->given);
	return any;
}

static bool text_value(struct parse *p, const char *v, const char **out)
{
	if (!*v)
		return bad_value(p, v, "is empty; give a text or leave the option out");
	*out = v;
	return true;
}

static bool take_output(struct parse *p, const char *v)
{
	if (!*v)
		return bad_value(p, v, "a case needs a file name, such as CASE.frz");
	if (!strcmp(v, "-"))
		return bad_value(p, v, "a case cannot go to standard output; name a file");
	p->o->output = v;
	return true;
}

static bool take_recover(struct parse *p, const char *v)
{
	if (!*v)
		return bad_value(p, v, "name the case to finish, such as CASE.frz");
	p->o->recover = v;
	return true;
}

static bool take_set(struct parse *p, const char *v)
{
	static const char known[] = "classes are all, default, file, desc, io, net, process, "
				    "memory, other; frec(1) tells more";
	const char *bad;
	size_t len;
	char near[64];

	if (recordset_add(&p->set, v, &bad, &len, near, sizeof(near)))
		return true;
	if (!len)
		complain("%s: no system call or class given; %s", p->given, known);
	else if (*near)
		complain("%s %s: no such system call or class; did you mean %s?", p->given,
			 SHOWN_N(bad, len), near);
	else
		complain("%s %s: no such system call or class; %s", p->given,
			 SHOWN_N(bad, len), known);
	return false;
}

static bool take_snap(struct parse *p, const char *v)
{
	const char *what = quantity_size(v, &p->o->snap);

	if (!what && p->o->snap > FREC_SNAP_MAX)
		what = "is more than can be kept of a buffer; at most 64K";
	return what ? bad_value(p, v, what) : true;
}

static bool take_duration(struct parse *p, const char *v)
{
	const char *what = quantity_duration(v, &p->o->duration_ns);

	if (!what && !p->o->duration_ns)
		what = "would record nothing; leave the option out to record without end";
	return what ? bad_value(p, v, what) : true;
}

static bool take_max_size(struct parse *p, const char *v)
{
	const char *what = quantity_size(v, &p->o->max_size);

	if (!what && p->o->max_size < SIZE_MIN)
		what = "is too small for a case; at least 64K, or leave the option out";
	return what ? bad_value(p, v, what) : true;
}

static bool take_max_events(struct parse *p, const char *v)
{
	const char *what = quantity_count(v, &p->o->max_events);

	if (!what && !p->o->max_events)
		what = "would record nothing; leave the option out to record without end";
	return what ? bad_value(p, v, what) : true;
}

static bool take_sync(struct parse *p, const char *v)
{
	static const char how[] = "is none of segment, event, or seconds from 1 to 3600";
	uint64_t s;

	if (!strcmp(v, "segment")) {
		p->o->sync = WRITER_SYNC_SEGMENT;
	} else if (!strcmp(v, "event")) {
		p->o->sync = WRITER_SYNC_EVENT;
	} else {
		if (quantity_count(v, &s) || !s || s > SYNC_SECONDS_MAX)
			return bad_value(p, v, how);
		p->o->sync = WRITER_SYNC_SECONDS;
		p->o->sync_seconds = (unsigned)s;
	}
	return true;
}

/* 128 bits in hex, with or without the hyphens of a UUID; kept as 32 lower-case digits. */
static bool take_case_id(struct parse *p, const char *v)
{
	char id[33];
	size_t n = 0;

	for (const char *s = v; *s; s++) {
		if (*s == '-' && n && n < 32)
			continue;
		if (!isxdigit((unsigned char)*s) || n == 32) {
			n = 0;
			break;
		}
		id[n++] = (char)tolower((unsigned char)*s);
	}
	if (n != 32)
		return bad_value(p, v, "is no case id; write 32 hex digits or a UUID, or use "
				       "--exhibit or --note for a text");
	id[32] = '\0';
	p->o->case_id = strdup(id);
	return p->o->case_id ? true : no_memory(p);
}

static bool take_exhibit(struct parse *p, const char *v)
{
	return text_value(p, v, &p->o->exhibit);
}

static bool take_examiner(struct parse *p, const char *v)
{
	return text_value(p, v, &p->o->examiner);
}

static bool take_note(struct parse *p, const char *v)
{
	return text_value(p, v, &p->o->note);
}


static bool take_checkpoint(struct parse *p, const char *v)
{
	if (!*v)
		return bad_value(p, v, "name a file, or journald, or stderr");
	p->o->checkpoint = v;
	return true;
}

static bool take_keep(struct parse *p, const char *v)
{
	if (!*v)
		return bad_value(p, v, "name the directory that the copies go to");
	p->o->keep_dir = v;
	return true;
}

static bool take_redact(struct parse *p, const char *v)
{
	char **grown;

	if (!*v || strchr(v, '='))
		return bad_value(p, v, "is no pattern for the name of a variable; write it "
				       "without a value, such as '*_TOKEN'");
	grown = realloc(p->o->redact, (p->nredact + 2) * sizeof(*grown));
	if (!grown)
		return no_memory(p);
	p->o->redact = grown;
	grown[p->nredact] = strdup(v);
	grown[p->nredact + 1] = NULL;
	return grown[p->nredact++] ? true : no_memory(p);
}

static bool take_placement(struct parse *p, const char *v)
{
	static const struct { const char *name; enum placement_mode mode; } modes[] = {
		{ "auto", PLACE_AUTO }, { "spin", PLACE_SPIN },
		{ "colocate", PLACE_COLOCATE }, { "none", PLACE_NONE },
	};

	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		if (strcmp(v, modes[i].name))
			continue;
		p->o->placement = modes[i].mode;
		return true;
	}
	return bad_value(p, v, "is none of auto, spin, colocate, none");
}

static bool flag_no_follow(struct parse *p, const char *v)
{
	(void)v;
	return p->o->no_follow = true;
}

static bool flag_no_seccomp(struct parse *p, const char *v)
{
	(void)v;
	return p->o->no_seccomp = true;
}

static bool flag_env(struct parse *p, const char *v)
{
	(void)v;
	return p->o->env = true;
}

static bool flag_quiet(struct parse *p, const char *v)
{
	(void)v;
	return p->o->quiet = true;
}

static bool flag_verbose(struct parse *p, const char *v)
{
	(void)v;
	return p->o->verbose = true;
}


static bool answer_help(struct parse *p, const char *v);
static bool answer_version(struct parse *p, const char *v);

/* ---- the table ------------------------------------------------------------------------------ */

static const struct row rows[] = {
	{ 'p', "pid", "PID[,PID...]", TAKES_VALUE | REPEATABLE, take_pids,
	  "attach to these processes, all their threads" },
	{ 'o', "output", "CASE.frz", TAKES_VALUE, take_output,
	  "the case file to make; an existing one is never touched" },
	{ 'e', "events", "SET[,SET...]", TAKES_VALUE | REPEATABLE, take_set,
	  "record only these: file desc io net process memory other all,\n"
	  "system calls by name; !NAME leaves one out (default: all but other)" },
	{ 0, "no-follow", NULL, 0, flag_no_follow,
	  "leave new child processes alone" },
	{ 0, "snap", "N", TAKES_VALUE, take_snap,
	  "keep the first N bytes of each buffer (default 0)" },
	{ 0, "duration", "TIME", TAKES_VALUE, take_duration,
	  "stop after that long: 30s, 5m, 2h" },
	{ 0, "max-size", "SIZE", TAKES_VALUE, take_max_size,
	  "stop when the case is that large: 10M, 1G" },
	{ 0, "max-events", "N", TAKES_VALUE, take_max_events,
	  "stop after that many events" },
	{ 0, "sync", "WHEN", TAKES_VALUE, take_sync,
	  "write through to the disk: segment, event, or seconds (default 1)" },
	{ 0, "case-id", "HEX", TAKES_VALUE, take_case_id,
	  "128 bits that name the case (default: random)" },
	{ 0, "exhibit", "TEXT", TAKES_VALUE, take_exhibit, "the exhibit's number or name" },
	{ 0, "examiner", "TEXT", TAKES_VALUE, take_examiner, "who records" },
	{ 0, "note", "TEXT", TAKES_VALUE, take_note, "anything else worth keeping" },
	{ 0, "checkpoint", "WHERE", TAKES_VALUE, take_checkpoint,
	  "write the chain's head, as it grows, to a file, journald or stderr" },
	{ 0, "keep", "DIR", TAKES_VALUE, take_keep,
	  "copy files that are executed or about to be destroyed into DIR" },
	{ 0, "env", NULL, 0, flag_env, "record the environment of each process" },
	{ 0, "redact", "NAME", TAKES_VALUE | REPEATABLE, take_redact,
	  "with --env: hide the values of variables such as '*_KEY'" },
	{ 0, "no-seccomp", NULL, 0, flag_no_seccomp,
	  "start the command unfiltered: slower, but outlives a killed frec" },
	{ 0, "placement", "MODE", TAKES_VALUE, take_placement,
	  "where frec runs beside its targets: auto, spin, colocate, none" },
	{ 0, "recover", "CASE.frz", TAKES_VALUE | WITH_RECOVER, take_recover,
	  "finish a case whose recorder was killed" },
	{ 'q', "quiet", NULL, WITH_RECOVER, flag_quiet,
	  "no start-up lines, no status line" },
	{ 'v', "verbose", NULL, WITH_RECOVER, flag_verbose,
	  "print events as they happen" },
	{ 'h', "help", NULL, ANSWERS | WITH_RECOVER, answer_help, "print this and exit" },
	{ 'V', "version", NULL, ANSWERS | WITH_RECOVER, answer_version,
	  "print the version and exit" },
};
#define NROWS (sizeof(rows) / sizeof(rows[0]))
_Static_assert(NROWS <= 64, "parse.seen has a bit for each row");

static bool to_stdout_failed(struct parse *p)
{
	if (fflush(stdout) != EOF && !ferror(stdout))
		return true;
	complain("standard output: %s", strerror(errno));
	p->failed = true;
	return false;
}

static bool answer_version(struct parse *p, const char *v)
{
	(void)v;
	printf("frec %s, case format %d\n", FREC_VERSION, FRZ_VERSION);
	return to_stdout_failed(p);
}

static bool answer_help(struct parse *p, const char *v)
{
	(void)v;
	printf("frec - record what processes do with files, descriptors and the network\n\n"
	       "usage: frec -p PID[,PID...] -o CASE.frz [options]\n"
	       "       frec -o CASE.frz [options] -- COMMAND [ARG...]\n"
	       "       frec --recover CASE.frz\n\n");
	for (size_t i = 0; i < NROWS; i++) {
		const char *h = rows[i].help;
		char left[64];

		snprintf(left, sizeof(left), "%c%c%c --%s%s%s", rows[i].letter ? '-' : ' ',
			 rows[i].letter ? rows[i].letter : ' ', rows[i].letter ? ',' : ' ',
			 rows[i].name, rows[i].value ? " " : "",
			 rows[i].value ? rows[i].value : "");
		printf("  %-28s ", left);
		for (const char *nl; (nl = strchr(h, '\n')) != NULL; h = nl + 1)
			printf("%.*s\n%31s", (int)(nl - h), h, "");
		printf("%s\n", h);
	}
	printf("\nExit status: 0 good, 1 failed, 2 misuse; after -- the command's own.\n");
	return to_stdout_failed(p);
}

/* ---- words to rows -------------------------------------------------------------------------- */

static const struct row *by_letter(char c)
{
	for (size_t i = 0; i < NROWS; i++)
		if (rows[i].letter && rows[i].letter == c)
			return &rows[i];
	return NULL;
}

static const struct row *by_name(const char *name, size_t len)
{
	for (size_t i = 0; i < NROWS; i++)
		if (strlen(rows[i].name) == len && !memcmp(rows[i].name, name, len))
			return &rows[i];
	return NULL;
}

static int unknown_option(const char *word, const char *name, size_t len)
{
	const char *names[NROWS], *near;

	for (size_t i = 0; i < NROWS; i++)
		names[i] = rows[i].name;
	near = name ? nearest(name, len, names, NROWS) : NULL;
	if (near)
		complain("%s: no such option; did you mean --%s?", SHOWN(word), near);
	else
		complain("%s: no such option; frec --help lists them", SHOWN(word));
	return MISUSE;
}

static int take(struct parse *p, const struct row *r, const char *v)
{
	uint64_t bit = 1ULL << (r - rows);

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
static const char *next_value(const struct parse *p, const struct row *r, int argc, char **argv,
			      int *i)
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
	const struct row *r = by_name(name, len);
	const char *v = eq ? eq + 1 : NULL;
	char given[64];
	int rc;

	if (!r)
		return unknown_option(word, name, len);
	snprintf(given, sizeof(given), "--%s", r->name);
	p->given = given;
	if (!(r->flags & TAKES_VALUE)) {
		if (v) {
			complain("%s: takes no value; write %s alone", SHOWN(word), given);
			return MISUSE;
		}
		v = "";
	} else if (!v) {
		v = next_value(p, r, argc, argv, i);
		if (!v)
			return MISUSE;
	}
	rc = take(p, r, v);
	p->given = NULL;
	return rc;
}

static int short_options(struct parse *p, int argc, char **argv, int *i)
{
	const char *word = argv[*i];
	int rc = GO_ON;

	for (const char *c = word + 1; *c && rc == GO_ON; c++) {
		const struct row *r = by_letter(*c);
		char given[3] = { '-', *c, '\0' };
		const char *v = "";

		if (!r)
			return unknown_option(word, NULL, 0);
		p->given = given;
		if (r->flags & TAKES_VALUE) {
			v = c[1] ? c + 1 : next_value(p, r, argc, argv, i);
			if (!v)
				return MISUSE;
			c += strlen(c) - 1;
		}
		rc = take(p, r, v);
		p->given = NULL;
	}
	return rc;
}

static bool all_digits(const char *s)
{
	return *s && !s[strspn(s, "0123456789")];
}

static int stray_word(const struct parse *p, const char *word)
{
	if (p->o->npids && all_digits(word))
		complain("%s: stray word; several process ids go into one -p, as in "
			 "-p \"$(pgrep nginx)\"", SHOWN(word));
	else
		complain("%s: stray word; a command to start goes behind --, as in "
			 "frec -o CASE.frz -- %s", SHOWN(word), SHOWN(word));
	return MISUSE;
}

/* ---- what must hold between options ------------------------------------------------------------ */

static int check_recover(const struct parse *p)
{
	const struct frec_options *o = p->o;

	for (size_t i = 0; i < NROWS; i++) {
		if (!(p->seen >> i & 1) || (rows[i].flags & WITH_RECOVER))
			continue;
		complain("--recover %s: goes without --%s; it only finishes a case",
			 SHOWN(o->recover), rows[i].name);
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
			no_memory(p);
			return FAILED;
		}
		complain("-e: what is left out leaves nothing to record; drop a !NAME");
		return MISUSE;
	}
	p->o->record = p->set.record;
	p->o->record_text = p->set.text;
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
		no_memory(&p);
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
