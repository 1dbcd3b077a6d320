/*
 * shown.h - words of others (arguments, process names, paths) made fit for one line of a message.
 */
#ifndef FREC_SHOWN_H
#define FREC_SHOWN_H

#include <stddef.h>

/* n bytes of p into out: control bytes and invalid UTF-8 escaped (frz_escape), ending in "..."
 * where it was cut. cap is at least 8. Returns out, always NUL-terminated. */
char *shown_n(const void *p, size_t n, char *out, size_t cap);
/* The same for a string; NULL is shown as "?". */
char *shown(const char *s, char *out, size_t cap);

/* Storage for one use in an argument list: SHOWN(name). */
struct shown {
	char s[200];
};
#define SHOWN(str)	shown((str), (struct shown){ "" }.s, sizeof(struct shown))
#define SHOWN_N(str, n) shown_n((str), (n), (struct shown){ "" }.s, sizeof(struct shown))

#endif
