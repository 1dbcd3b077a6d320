/* verbose.h - frec -v: the records just made, decoded again and printed as they happen. */
#ifndef FREC_VERBOSE_H
#define FREC_VERBOSE_H

#include "emit.h"

struct verbose;

struct verbose *verbose_new(void); /* NULL: no memory */
void verbose_free(struct verbose *v);
/* An emit_tap; arg is the struct verbose. Writes to standard error. */
void verbose_tap(void *arg, const uint8_t *rec, size_t len, uint64_t mono_ns, uint64_t dur_ns,
		 bool new_segment);

#endif
