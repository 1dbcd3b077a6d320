/*
 * options.h - frec's command line, parsed and checked.
 */
#ifndef FREC_OPTIONS_H
#define FREC_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "sysent.h"
#include "writer.h"

#define FREC_SNAP_MAX (64u << 10) /* --snap: bytes kept of one buffer */

enum placement_mode { PLACE_AUTO, PLACE_SPIN, PLACE_COLOCATE, PLACE_NONE };

struct frec_options {
	const char *output;
	const char *recover; /* --recover CASE: nothing else is done */
	pid_t *pids;	     /* distinct, in the order given */
	size_t npids;
	char **command; /* launch mode: argv, NULL-terminated; NULL otherwise */
	/* -e: what to record, by row of the syscall table (index frz_sysent.id) */
	bool *record;	   /* frz_sysents_n entries */
	char *record_text; /* canonical spelling of the set ("default"); into GENESIS */
	bool anonymous;	   /* -e all, other: also mmap of anonymous memory */
	bool no_follow, no_seccomp, quiet, verbose, env;
	char **redact; /* NULL-terminated or NULL */
	uint64_t snap;
	uint64_t duration_ns, max_size, max_events; /* 0: no limit */
	enum writer_sync sync;
	unsigned sync_seconds;
	const char *case_id; /* 32 lower-case hex digits; NULL: random */
	const char *exhibit, *examiner, *note;
	const char *checkpoint; /* a file, "journald", "stderr"; NULL none */
	const char *keep_dir;
	enum placement_mode placement;
};

/* 0: go on. Otherwise o is released and the program ends with the code - 1 (1: --help or
 * --version were printed, exit 0; 2: no memory or no standard output, exit 1; 3: misuse, exit 2;
 * 2 and 3: one line was printed to stderr). Strings in o point into argv, which must outlive it. */
int options_parse(int argc, char **argv, struct frec_options *o);
void options_release(struct frec_options *o);

#endif
