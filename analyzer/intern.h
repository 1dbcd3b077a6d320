/*
 * intern.h - each distinct string of a case once, with a number from 1 on.
 *
 * One thread adds; another may read strings up to a number that was handed to it through
 * a lock: what was added is never moved.
 */
#ifndef FANALYZE_INTERN_H
#define FANALYZE_INTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct intern;

struct intern *intern_new(void); /* NULL: no memory */
void intern_free(struct intern *t);

/* The number of these bytes; 0: no memory. */
uint32_t intern_bytes(struct intern *t, const void *p, size_t n);
uint32_t intern_count(const struct intern *t);
/* 1 <= number <= intern_count */
const uint8_t *intern_get(const struct intern *t, uint32_t number, uint32_t *len);

#endif
