/*
 * rules_known.h - what rules have learned of a case: texts that are not to be told wherever they
 * stand, and the rule of each. Used by rules.c only.
 */
#ifndef FANALYZE_RULES_KNOWN_H
#define FANALYZE_RULES_KNOWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct known_text {
	uint8_t *p;
	size_t n;
	uint32_t rule;
};
struct known {
	struct known_text *slot;
	size_t mask, used;
};

/* A text that is known already keeps its rule. False: no memory. */
bool known_add(struct known *k, const void *p, size_t n, uint32_t rule);
/* The rule of this text, or -1. */
int64_t known_get(const struct known *k, const void *p, size_t n);
/* The rule of one that begins with it, or -1. Looks at all of them. */
int64_t known_begun(const struct known *k, const void *p, size_t n);
void known_release(struct known *k);

#endif
