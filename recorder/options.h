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

enum placement_mode { PLACE_AUTO, PLACE_SPIN, PLACE_COLOCATE, PLACE_NONE };

struct frec_options {
	const char *output;
	const char *recover;            /* --recover CASE: nothing else is done */
	pid_t *pids;                    /* distinct, in the order given */
	size_t npids;
	char **command;                 /* launch mode: argv, NULL-terminated; NULL otherwise */
	/* -e: what to record, by row of the syscall table (index frz_sysent.id) */
	bool *record;                   /* frz_sysents_n entries */
	char *record_text;              /* the set as given, or "default"; goes into GENESIS */
	bool no_follow, no_seccomp, quiet, verbose, env;
	char **redact;                  /* NULL-terminated or NULL */
	uint64_t snap;
	uint64_t duration_ns, max_size, max_events;     /* 0: no limit */
	enum writer_sync sync;
	unsigned sync_seconds;
	const char *case_id, *exhibit, *examiner, *note;
	const char *checkpoint;         /* a file, "journald", "stderr"; NULL none */
	const char *keep_dir;
	enum placement_mode placement;
};

/* 0: go on. Otherwise the program ends with the code - 1 (1: --help or --version were
 * printed, exit 0; 3: misuse, one line was printed to stderr, exit 2). */
int options_parse(int argc, char **argv, struct frec_options *o);
void options_release(struct frec_options *o);

#endif
