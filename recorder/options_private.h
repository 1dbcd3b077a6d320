/*
 * options_private.h - what the walk over the words (options.c) and the table of options
 * (option_rows.c) share.
 */
#ifndef FREC_OPTIONS_PRIVATE_H
#define FREC_OPTIONS_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "options.h"
#include "recordset.h"

/* What options_parse ends with. */
enum { GO_ON = 0, ANSWERED = 1, FAILED = 2, MISUSE = 3 };

struct parse {
	struct frec_options *o;
	struct recordset set;
	size_t nredact;
	uint64_t seen;	/* bit per row of the table */
	char given[32]; /* the option as it was written: "-p", "--pid" */
	bool failed;	/* no memory or no output, rather than misuse */
};

enum row_flags {
	TAKES_VALUE = 1,
	REPEATABLE = 2,	  /* with a value: adds to what was given before */
	WITH_RECOVER = 4, /* makes sense together with --recover */
	ANSWERS = 8,	  /* prints and ends */
};

struct option_row {
	char letter; /* 0 none */
	const char *name;
	const char *value; /* its name in the help; NULL takes none */
	unsigned flags;
	bool (*take)(struct parse *p, const char *v); /* false: complained */
	const char *help;
};

/* At most 64, a bit of parse.seen each. */
extern const struct option_row option_rows[];
extern const size_t option_rows_n;

/* One line on standard error. */
__attribute__((format(printf, 1, 2))) void complain(const char *fmt, ...);
/* False, after the complaint. */
bool complain_no_memory(struct parse *p);

#endif
