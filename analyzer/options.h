/*
 * options.h - fanalyze's command line, parsed and checked. What the actions are, main.c says.
 */
#ifndef FANALYZE_OPTIONS_H
#define FANALYZE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "output.h"
#include "statement.h"

struct options;

/* A row of the table of actions: an option --NAME that says what to do. */
struct action {
	const char *name;
	const char *arg; /* name of its argument for the help text; NULL: it takes none */
	const char *help;
	int (*run)(const struct options *o); /* returns the exit code */
	const char *query;		     /* for those that are a canned query */
	unsigned flags;
};
#define ACTION_NO_CASE 2u /* works without a case */
#define ACTION_SIGN    4u /* --sign: alone, or along with one that SIGNS */
#define ACTION_SIGNS   8u
/* which of the options that not all actions have a use for it takes */
#define ACTION_ROWS    16u /* filters and --format; what it has no use for it refuses itself */
#define ACTION_FORMAT  32u
#define ACTION_TRUST   64u  /* who may sign */
#define ACTION_VERIFY  128u /* what else is to be held against the case */
#define ACTION_RECEIVE 256u
#define ACTION_EXTRACT 512u

/* What rows are wanted. Bound as parameters, never pasted into SQL. */
struct filters {
	const char *pid;	    /* "812" or "812,813"; NULL: any */
	const char *path;	    /* GLOB */
	const char *syscall;	    /* a name or several with commas, all known */
	int64_t since_ns, until_ns; /* FILTER_NONE: not given; until is exclusive */
	bool failed;
	int64_t limit; /* FILTER_NONE */
};
#define FILTER_NONE INT64_MIN

struct options {
	const char *case_path; /* NULL only for an action that needs none */
	const struct action *action;
	const char *arg;
	struct filters filters;
	enum output_format format;
	bool format_given;
	const char *db;	    /* --db, or NULL */
	const char *output; /* --output, or NULL */
	bool allow_damaged, quiet;
	/* for --verify and custody */
	unsigned require;
	const char *allowed_signers, *revoked, *checkpoint, *receipt, *expect_head;
	const char *rules; /* for --extract */
	/* for custody entries */
	const char *sign_key, *as, *to, *from;
	const char *remark[FRZ_REMARKS];
};

/* 0: go on. Otherwise the program ends with the code - 1 (1: help or version was printed; 3:
 * misuse, one line was printed). */
int options_parse(int argc, char **argv, const struct action *actions, size_t n, struct options *o);

/* "2024-05-06", "2024-05-06T07:08:09.5", with Z (the default) or +hh:mm behind, or "@SECONDS"
 * since 1970. False: none of these. */
bool parse_time(const char *s, int64_t *ns);

#endif
