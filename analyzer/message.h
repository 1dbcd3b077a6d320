/* message.h - how fanalyze speaks to people on standard error: one line a message. */
#ifndef FANALYZE_MESSAGE_H
#define FANALYZE_MESSAGE_H

#include "verify.h"

/* "fanalyze: ...", control bytes escaped. Returns code, so that it can be returned on. */
int complain(int code, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
