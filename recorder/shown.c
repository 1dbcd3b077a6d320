/*
 * shown.c - escapes and cuts text from outside, so that it cannot break or forge a message.
 */
#include "shown.h"

#include <string.h>

#include "describe.h"

char *shown_n(const void *p, size_t n, char *out, size_t cap)
{
	size_t at;

	out[0] = '\0';
	if (frz_escape(p, n, out, cap) < cap)
		return out;
	at = strlen(out);
	if (at > cap - 4)
		at = cap - 4;
	/* not into the middle of a UTF-8 character */
	while (at && ((unsigned char)out[at] & 0xc0) == 0x80)
		at--;
	strcpy(out + at, "...");
	return out;
}

char *shown(const char *s, char *out, size_t cap)
{
	return s ? shown_n(s, strlen(s), out, cap) : shown_n("?", 1, out, cap);
}
