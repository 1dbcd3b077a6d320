/* message.c - one line a message (contract in message.h). */
#include "message.h"

#include <stdarg.h>

#include "describe.h"

int complain(int code, const char *fmt, ...)
{
	char text[6000], shown[4 * sizeof(text)];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n < 0)
		n = 0;
	if ((size_t)n >= sizeof(text))
		n = (int)sizeof(text) - 1;
	frz_escape((const uint8_t *)text, (size_t)n, shown, sizeof(shown));
	fprintf(stderr, "fanalyze: %s\n", shown);
	return code;
}
