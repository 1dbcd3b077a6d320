/*
 * verify.h - `fanalyze CASE --verify`: reads a whole case strictly, record by record, and
 * says in plain words what can and cannot be relied on.
 */
#ifndef FANALYZE_VERIFY_H
#define FANALYZE_VERIFY_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "anchors.h"
#include "casefile.h"

/* Exit codes of fanalyze (design: command lines). */
enum verify_exit {
	VERIFY_GOOD = 0,
	VERIFY_DAMAGED = 1,   /* or not what an anchor says */
	VERIFY_USAGE = 2,     /* or the file cannot be read */
	VERIFY_UNSEALED = 3,  /* intact up to its end, but not sealed */
	VERIFY_UNTRUSTED = 4, /* a required signature is missing, or one is not trusted */
};

/* --require */
enum verify_require { VERIFY_SEALED = 1, VERIFY_SIGNED = 2, VERIFY_ANCHORED = 4 };

/* A CUSTODY block. The memory is the verifier's, for the length of the call. Of a statement or
 * signature that is too long to be one only a byte more than the longest is there. */
struct verify_custody_entry {
	uint64_t block, offset;
	const uint8_t *statement, *signature;
	size_t statement_len, signature_len;
	uint8_t prev[FRZ_HASH_LEN], link[FRZ_HASH_LEN]; /* of the block before; its own */
	uint8_t before_sha256[FRZ_HASH_LEN];		/* of the file's first `offset` bytes */
};

enum verify_trust {
	VERIFY_NOT_CHECKED, /* there was nothing to check signatures with */
	VERIFY_NOT_SIGNED,
	VERIFY_TRUSTED, /* every signature is good, by a signer whom the verifier allows */
	VERIFY_NOT_TRUSTED,
};

/* Checks signatures and the custody state machine of an intact, sealed case. line gets what was
 * found in plain words: a paragraph, or nothing. */
typedef enum verify_trust verify_custody_fn(void *arg, const struct frz_case_head *head,
					    const struct verify_custody_entry *e, size_t n,
					    char *line, size_t line_cap);

struct verify_options {
	const char *path;
	bool json;
	unsigned require;	 /* verify_require bits */
	struct anchors *anchors; /* each is held against the case, and tells what came of it */
	size_t nanchors;
	verify_custody_fn *custody; /* NULL: CUSTODY blocks are counted, not checked */
	void *custody_arg;
};

/* "sealed,signed,anchored" into bits; 0: a word that is none of these, or no word. */
unsigned verify_parse_require(const char *list);
/* 64 hex digits (either case) into link; false when it is something else. */
bool verify_parse_head(const char *hex, uint8_t link[FRZ_HASH_LEN]);

/* Writes the whole verdict to out (text or JSON, as options say). Returns a verify_exit. */
int verify_run(const struct verify_options *o, FILE *out);

#endif
