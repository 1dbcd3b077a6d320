/*
 * quantity.h - numbers, sizes and durations as people write them on a command line.
 *
 * Each parser takes the whole string or nothing. NULL: *out is set. Otherwise a static
 * text that says what is wrong and how to write it, fit to follow "OPTION VALUE: ".
 */
#ifndef FREC_QUANTITY_H
#define FREC_QUANTITY_H

#include <stdint.h>

/* Decimal digits only. */
const char *quantity_count(const char *s, uint64_t *out);
/* Bytes: 4096, 10M, 1.5G, 64KiB. K, M, G, T are powers of 1024, in either case. */
const char *quantity_size(const char *s, uint64_t *out);
/* Nanoseconds from 30, 30s, 250ms, 5m, 2h, 1d, 1.5s. Without a unit: seconds. */
const char *quantity_duration(const char *s, uint64_t *ns);

#endif
