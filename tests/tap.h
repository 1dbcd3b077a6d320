/*
 * tap.h - the Test Anything Protocol for C unit tests.
 *
 * A test is a program: checks, then `return tap_done();`. The plan comes last, so that a
 * test which dies in the middle has none and fails.
 */
#ifndef TESTS_TAP_H
#define TESTS_TAP_H

#include <inttypes.h>
#include <stdbool.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Not every program uses all of it. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"

static unsigned tap_count, tap_failures;

static bool tap_check(bool good, const char *file, int line, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
static bool tap_check(bool good, const char *file, int line, const char *fmt, ...)
{
	va_list ap;

	tap_count++;
	printf("%sok %u - ", good ? "" : "not ", tap_count);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	if (!good) {
		tap_failures++;
		fprintf(stderr, "#   not ok %u at %s:%d\n", tap_count, file, line);
	}
	fflush(stdout);
	return good;
}

/* ok(condition, "name", ...): the name is a printf format. True when it held. */
#define ok(cond, ...) tap_check((cond), __FILE__, __LINE__, __VA_ARGS__)

static bool tap_is_int(intmax_t got, intmax_t want, const char *file, int line, const char *name)
{
	if (tap_check(got == want, file, line, "%s", name))
		return true;
	fprintf(stderr, "#   got %" PRIdMAX ", want %" PRIdMAX "\n", got, want);
	return false;
}

static bool tap_is_str(const char *got, const char *want, const char *file, int line,
		       const char *name)
{
	bool same = got && want ? !strcmp(got, want) : got == want;

	if (tap_check(same, file, line, "%s", name))
		return true;
	fprintf(stderr, "#   got  %s\n#   want %s\n", got ? got : "(null)", want ? want : "(null)");
	return false;
}

static bool tap_is_mem(const void *got, size_t got_len, const void *want, size_t want_len,
		       const char *file, int line, const char *name)
{
	size_t i, n = got_len < want_len ? got_len : want_len;

	if (tap_check(got_len == want_len && (n == 0 || !memcmp(got, want, n)), file, line, "%s",
		      name))
		return true;
	for (i = 0; i < n && ((const uint8_t *)got)[i] == ((const uint8_t *)want)[i]; i++)
		;
	fprintf(stderr, "#   got %zu bytes, want %zu, first difference at %zu\n", got_len, want_len,
		i);
	return false;
}

#define is_int(got, want, name)                                                                    \
	tap_is_int((intmax_t)(got), (intmax_t)(want), __FILE__, __LINE__, name)
#define is_str(got, want, name) tap_is_str((got), (want), __FILE__, __LINE__, name)
#define is_mem(got, got_len, want, want_len, name)                                                 \
	tap_is_mem((got), (got_len), (want), (want_len), __FILE__, __LINE__, name)

/* A line that explains, not a result. */
#define diag(...) (printf("# "), printf(__VA_ARGS__), putchar('\n'), fflush(stdout))

/* Ends the program: nothing can be tested here, and why. With FREC_MUST_WORK set to
 * anything but "" or "0" that is a failure. */
static _Noreturn void skip_all(const char *why)
{
	const char *must = getenv("FREC_MUST_WORK");

	if (must && *must && strcmp(must, "0") != 0) {
		printf("not ok 1 - would skip, but FREC_MUST_WORK is set: %s\n1..1\n", why);
		exit(1);
	}
	printf("1..0 # SKIP %s\n", why);
	exit(0);
}

/* Something that the rest of the test needs did not work. */
static _Noreturn void bail_out(const char *why)
{
	printf("Bail out! %s\n", why);
	exit(255);
}

static int tap_done(void)
{
	printf("1..%u\n", tap_count);
	return tap_failures || tap_count == 0 ? 1 : 0;
}

#pragma GCC diagnostic pop

#endif
