/*
 * recordset.h - the language of -e: which calls of the syscall table to record.
 *
 *   SET := item { sep item }      sep: commas and white space
 *   item := CLASS | NAME | "!" CLASS | "!" NAME
 *
 * - CLASS is one of the table's classes, "all" (every class, "other" included) or
 *   "default" (every class but "other").
 * - What is recorded is the union of the items without "!" (default when there are
 *   none) less the union of those with "!"; their order does not matter.
 */
#ifndef FREC_RECORDSET_H
#define FREC_RECORDSET_H

#include <stdbool.h>
#include <stddef.h>

struct recordset {
	bool *record;	/* frz_sysents_n entries; the result */
	char *text;	/* the canonical spelling, malloc'ed; the result */
	bool anonymous; /* "other" is in it: so are mappings of no file, where mmap is */
	/* while items come in */
	unsigned plus, minus; /* classes */
	bool any_plus;
	unsigned char *named; /* by row: 1 wanted, 2 left out, 3 both */
};

/* False: no memory. */
bool recordset_init(struct recordset *s);
/* Takes one -e argument. False: *bad and *bad_len are the item at fault (inside arg), and
 * near holds the closest name or class, or "" when nothing is close. */
bool recordset_add(struct recordset *s, const char *arg, const char **bad, size_t *bad_len,
		   char *near, size_t near_cap);
/* Makes record and text. False: no memory (errno ENOMEM), or nothing is left to record
 * (errno 0). */
bool recordset_finish(struct recordset *s);
void recordset_release(struct recordset *s);

/* The one of n words that is closest to word, NULL when none is close. For messages. */
const char *nearest(const char *word, size_t len, const char *const *words, size_t n);

#endif
