/*
 * option_rows.c - the table of frec's options: each row with its help and the function that
 * checks and takes its value.
 */
#include "options_private.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quantity.h"
#include "shown.h"

#ifndef FREC_VERSION
#define FREC_VERSION "unversioned"
#endif

#define PID_LIMIT	 (4u << 20) /* PID_MAX_LIMIT of 64-bit Linux */
#define SYNC_SECONDS_MAX 3600
#define SIZE_MIN	 (64u << 10) /* a case with less room holds no events */

static bool bad_value(const struct parse *p, const char *v, const char *what)
{
	complain("%s %s: %s", p->given, *v ? SHOWN(v) : "\"\"", what);
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
			what = word[0] == '-' ? "a process id is positive; ps or pgrep shows it" :
						"is no process id; ps or pgrep shows it";
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
		return complain_no_memory(p);
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
		complain("%s %s: no such system call or class; %s", p->given, SHOWN_N(bad, len),
			 known);
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
		return bad_value(p, v,
				 "is no case id; write 32 hex digits or a UUID, or use "
				 "--exhibit or --note for a text");
	id[32] = '\0';
	p->o->case_id = strdup(id);
	return p->o->case_id ? true : complain_no_memory(p);
}

static bool take_exhibit(struct parse *p, const char *v)
{
	return text_value(p, v, &p->o->exhibit);
}

static bool take_examiner(struct parse *p, const char *v)
{
	return text_value(p, v, &p->o->examiner);
}

static bool take_note(struct parse *p, const char *v) { return text_value(p, v, &p->o->note); }

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
		return bad_value(p, v,
				 "is no pattern for the name of a variable; write it "
				 "without a value, such as '*_TOKEN'");
	grown = realloc(p->o->redact, (p->nredact + 2) * sizeof(*grown));
	if (!grown)
		return complain_no_memory(p);
	p->o->redact = grown;
	grown[p->nredact] = strdup(v);
	grown[p->nredact + 1] = NULL;
	return grown[p->nredact++] ? true : complain_no_memory(p);
}

static bool take_placement(struct parse *p, const char *v)
{
	static const struct {
		const char *name;
		enum placement_mode mode;
	} modes[] = {
		{ "auto", PLACE_AUTO },
		{ "spin", PLACE_SPIN },
		{ "colocate", PLACE_COLOCATE },
		{ "none", PLACE_NONE },
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

/* ---- the table ----------------------------------------------------------------------------- */

const struct option_row option_rows[] = {
	{ 'p', "pid", "PID[,PID...]", TAKES_VALUE | REPEATABLE, take_pids,
	  "attach to these processes, all their threads" },
	{ 'o', "output", "CASE.frz", TAKES_VALUE, take_output,
	  "the case file to make, never one that exists" },
	{ 'e', "events", "SET[,SET...]", TAKES_VALUE | REPEATABLE, take_set,
	  "only these: file desc io net process memory other\n"
	  "all, or calls by name; !NAME leaves one out\n"
	  "(default: all but other)" },
	{ 0, "no-follow", NULL, 0, flag_no_follow, "leave new child processes alone" },
	{ 0, "snap", "N", TAKES_VALUE, take_snap,
	  "keep the first N bytes of each buffer (default 0)" },
	{ 0, "duration", "TIME", TAKES_VALUE, take_duration, "stop after that long: 30s, 5m, 2h" },
	{ 0, "max-size", "SIZE", TAKES_VALUE, take_max_size,
	  "stop when the case is that large: 10M, 1G" },
	{ 0, "max-events", "N", TAKES_VALUE, take_max_events, "stop after that many events" },
	{ 0, "sync", "WHEN", TAKES_VALUE, take_sync,
	  "write through to disk: segment, event, or seconds\n"
	  "(default 1)" },
	{ 0, "case-id", "HEX", TAKES_VALUE, take_case_id,
	  "128 bits that name the case (default: random)" },
	{ 0, "exhibit", "TEXT", TAKES_VALUE, take_exhibit, "the exhibit's number or name" },
	{ 0, "examiner", "TEXT", TAKES_VALUE, take_examiner, "who records" },
	{ 0, "note", "TEXT", TAKES_VALUE, take_note, "anything else worth keeping" },
	{ 0, "checkpoint", "WHERE", TAKES_VALUE, take_checkpoint,
	  "write the growing chain's head to a file,\n"
	  "journald or stderr" },
	{ 0, "keep", "DIR", TAKES_VALUE, take_keep,
	  "copy files that are executed or about to be\n"
	  "destroyed into DIR" },
	{ 0, "env", NULL, 0, flag_env, "record the environment of each process" },
	{ 0, "redact", "NAME", TAKES_VALUE | REPEATABLE, take_redact,
	  "with --env: hide values of variables like '*_KEY'" },
	{ 0, "no-seccomp", NULL, 0, flag_no_seccomp,
	  "start the command unfiltered: slower, but it\n"
	  "outlives a killed frec" },
	{ 0, "placement", "MODE", TAKES_VALUE, take_placement,
	  "where frec runs beside its targets: auto, spin,\n"
	  "colocate, none" },
	{ 0, "recover", "CASE.frz", TAKES_VALUE | WITH_RECOVER, take_recover,
	  "finish a case whose recorder was killed" },
	{ 'q', "quiet", NULL, WITH_RECOVER, flag_quiet, "no start-up lines, no status line" },
	{ 'v', "verbose", NULL, WITH_RECOVER, flag_verbose, "print events as they happen" },
	{ 'h', "help", NULL, ANSWERS | WITH_RECOVER, answer_help, "print this and exit" },
	{ 'V', "version", NULL, ANSWERS | WITH_RECOVER, answer_version,
	  "print the version and exit" },
};
#define NROWS (sizeof(option_rows) / sizeof(option_rows[0]))
_Static_assert(NROWS <= 64, "parse.seen has a bit for each row");
const size_t option_rows_n = NROWS;

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
	for (size_t i = 0; i < option_rows_n; i++) {
		const char *h = option_rows[i].help;
		char left[64];

		snprintf(left, sizeof(left), "%c%c%c --%s%s%s", option_rows[i].letter ? '-' : ' ',
			 option_rows[i].letter ? option_rows[i].letter : ' ',
			 option_rows[i].letter ? ',' : ' ', option_rows[i].name,
			 option_rows[i].value ? " " : "",
			 option_rows[i].value ? option_rows[i].value : "");
		printf("  %-28s ", left);
		for (const char *nl; (nl = strchr(h, '\n')) != NULL; h = nl + 1)
			printf("%.*s\n%31s", (int)(nl - h), h, "");
		printf("%s\n", h);
	}
	printf("\nExit status: 0 good, 1 failed, 2 misuse; after -- the command's own.\n");
	return to_stdout_failed(p);
}
