/* rules_private.h - rules as they were read, and what they learned, for rules*.c only. */
#ifndef FANALYZE_RULES_PRIVATE_H
#define FANALYZE_RULES_PRIVATE_H

#include "rules.h"
#include "rules_known.h"

#define RULES_KEY_LEN 32

enum kind { WHOLE, PART, NAMES };

struct rule {
	enum kind kind;
	bool pseudonym;
	char *pattern;
	size_t n;
};

struct rules {
	struct rule *rule;
	size_t n;
	uint8_t sha256[FRZ_HASH_LEN], key[RULES_KEY_LEN];
	bool have_key;
	struct known names, wholes; /* learned */
};

/* ---- rules_learn.c ---- */

/* Where a text is taken apart: as a whole, between slashes, into words, into parts of words. */
enum level { STRING, COMPONENT, WORD, WORD_PART, LEVELS };
/* Does c end what is looked at on this level? */
bool rules_ends(enum level level, uint8_t c);
/* The next name behind the DIR/ of a `names` rule, from *at on: true, *at and *len say where. */
bool rules_next_name(const struct rule *rule, const uint8_t *p, size_t n, size_t *at, size_t *len);

#endif
