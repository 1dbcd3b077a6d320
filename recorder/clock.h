/* clock.h - what time it is, in ns. */
#ifndef FREC_CLOCK_H
#define FREC_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint64_t clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* CLOCK_MONOTONIC, which records and their deadlines go by. */
static inline uint64_t now_ns(void) { return clock_ns(CLOCK_MONOTONIC); }

#endif
