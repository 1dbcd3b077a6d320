/*
 * rules.h - what must not be told in an extract: a file of rules, applied to names and paths.
 *
 *   # a comment
 *   redact whole GLOB          a string that matches as a whole (* ? [a-z] [^a-z], / is like
 *   others) redact part TEXT           wherever the text stands in a string
 *   redact names DIR           the name behind DIR/, up to the next /
 *   pseudonym whole|part|names ...     likewise
 *   key HEX64                  makes pseudonyms the same in all extracts with this key
 *
 * redact puts "[redacted]" there, pseudonym "name-" and 16 hex digits that are the same for the
 * same text throughout an extract and, without the key, say nothing of it. The pattern is
 * the rest of the line, as it stands. The first `whole` that matches ends it; otherwise all
 * `names` and then all `part` are applied, in their order.
 *
 * A name is told in more ways than one. So every string of the case is learned from first; what
 * was found behind DIR/ is then replaced wherever it stands as a word, and a path that a `whole`
 * fits together with the directory it is relative to, wherever it stands as a string.
 *
 * Of a string that was cut when it was recorded, only the beginning is known: it is dealt with
 * as if the rest could be anything.
 */
#ifndef FANALYZE_RULES_H
#define FANALYZE_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frz.h"

struct rules;

/* NULL with one line in err. */
struct rules *rules_load(const char *path, char *err, size_t cap);
/* The same from memory; name is for err. */
struct rules *rules_parse(const char *text, size_t n, const char *name, char *err, size_t cap);
void rules_free(struct rules *r);		    /* NULL is fine */
const uint8_t *rules_sha256(const struct rules *r); /* of the file */
/* Without one, a short file of rules can be guessed from its hash. */
bool rules_have_key(const struct rules *r);

/* All that the case holds, before anything is applied. False: no memory. */
bool rules_learn(struct rules *r, const void *p, size_t n, bool cut);
bool rules_learn_list(struct rules *r, const void *p, size_t n, bool cut);
/* A path and the directory that it is relative to. */
bool rules_learn_path(struct rules *r, const void *dir, size_t ndir, const void *path, size_t n,
		      bool cut);

/* A text that grows. */
struct rules_text {
	uint8_t *p;
	size_t n, cap;
};

enum rules_result { RULES_SAME, RULES_CHANGED, RULES_NOMEM };
/* One string; *out is set whatever the result, but for RULES_NOMEM. r NULL: RULES_SAME. */
enum rules_result rules_apply(const struct rules *r, const void *p, size_t n, bool cut,
			      struct rules_text *out);
/* Strings with a NUL behind each but perhaps the last, one by one. cut: the last of them is. */
enum rules_result rules_apply_list(const struct rules *r, const void *p, size_t n, bool cut,
				   struct rules_text *out);

/* GLOB as a whole. cut: text is only a beginning; could all of it match? */
bool rules_glob(const char *glob, size_t nglob, const uint8_t *text, size_t n, bool cut);

#endif
