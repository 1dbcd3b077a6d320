/*
 * quantity.c - parses numbers, sizes and durations exactly, in integers, with overflow an error.
 */
#include "quantity.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#define FRACTION_DIGITS 9

struct unit {
	const char *name;
	uint64_t factor;
};

static const struct unit sizes[] = {
	{ "", 1 },	     { "B", 1 },
	{ "K", 1ULL << 10 }, { "KiB", 1ULL << 10 },
	{ "M", 1ULL << 20 }, { "MiB", 1ULL << 20 },
	{ "G", 1ULL << 30 }, { "GiB", 1ULL << 30 },
	{ "T", 1ULL << 40 }, { "TiB", 1ULL << 40 },
	{ NULL, 0 },
};

#define NS_PER_S 1000000000ULL
static const struct unit durations[] = {
	{ "", NS_PER_S },	   { "s", NS_PER_S },
	{ "ms", NS_PER_S / 1000 }, { "m", 60 * NS_PER_S },
	{ "min", 60 * NS_PER_S },  { "h", 3600 * NS_PER_S },
	{ "d", 86400 * NS_PER_S }, { NULL, 0 },
};

/* Whole part: false when there is no digit or it overflows (*over tells which). */
static bool digits(const char **s, uint64_t *out, bool *over)
{
	const char *p = *s;
	uint64_t v = 0;

	*over = false;
	if (*p < '0' || *p > '9')
		return false;
	for (; *p >= '0' && *p <= '9'; p++) {
		if (__builtin_mul_overflow(v, 10u, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(*p - '0'), &v)) {
			*over = true;
			return false;
		}
	}
	*s = p;
	*out = v;
	return true;
}

enum scaled { SCALED_OK, SCALED_BAD, SCALED_OVERFLOW };

static enum scaled scaled(const char *s, const struct unit *units, uint64_t *out)
{
	uint64_t whole, fraction = 0, divisor = 1, total;
	bool over;

	if (!digits(&s, &whole, &over))
		return over ? SCALED_OVERFLOW : SCALED_BAD;
	if (*s == '.') {
		const char *from = ++s;

		if (!digits(&s, &fraction, &over) || s - from > FRACTION_DIGITS)
			return SCALED_BAD;
		for (; from < s; from++)
			divisor *= 10;
	}
	for (; units->name; units++)
		if (!strcasecmp(s, units->name))
			break;
	if (!units->name)
		return SCALED_BAD;
	if (__builtin_mul_overflow(whole, units->factor, &total))
		return SCALED_OVERFLOW;
	/* fraction < divisor <= 10^9 and factor < 2^47: the product may need more than 64 bits */
	fraction = (uint64_t)((unsigned __int128)fraction * units->factor / divisor);
	if (__builtin_add_overflow(total, fraction, out))
		return SCALED_OVERFLOW;
	return SCALED_OK;
}

const char *quantity_count(const char *s, uint64_t *out)
{
	bool over;

	if (digits(&s, out, &over) && !*s)
		return NULL;
	return over ? "is too large" : "is not a number; use decimal digits only";
}

const char *quantity_size(const char *s, uint64_t *out)
{
	switch (scaled(s, sizes, out)) {
	case SCALED_OK:
		return NULL;
	case SCALED_OVERFLOW:
		return "is too large";
	default:
		return "is not a size; write bytes, or a number with K, M, G or T, such as 10M";
	}
}

const char *quantity_duration(const char *s, uint64_t *ns)
{
	switch (scaled(s, durations, ns)) {
	case SCALED_OK:
		if (*ns <= INT64_MAX)
			return NULL;
		/* fall through */
	case SCALED_OVERFLOW:
		return "is too long";
	default:
		return "is not a duration; write seconds, or a number with ms, s, m, h or d, "
		       "such as 30, 1.5s or 2h";
	}
}
