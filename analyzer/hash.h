/* hash.h - hashing for the importer's tables: fast and seedless, used only in memory. */
#ifndef FANALYZE_HASH_H
#define FANALYZE_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint64_t hash_mix(uint64_t a, uint64_t b)
{
	unsigned __int128 m =
		(unsigned __int128)(a ^ 0x9e3779b97f4a7c15u) * (b ^ 0xe7037ed1a0b428dbu);

	return (uint64_t)m ^ (uint64_t)(m >> 64);
}

static inline uint64_t hash_bytes(const void *p, size_t n)
{
	const uint8_t *s = p;
	uint64_t h = n, w, v;

	for (; n > 16; s += 16, n -= 16) {
		memcpy(&w, s, 8);
		memcpy(&v, s + 8, 8);
		h = hash_mix(h ^ w, v);
	}
	if (n > 8) {
		memcpy(&w, s, 8);
		memcpy(&v, s + n - 8, 8);
	} else {
		w = v = 0;
		memcpy(&w, s, n);
	}
	return hash_mix(h ^ w, v);
}

static inline uint64_t hash_ints(const int64_t *v, unsigned n)
{
	uint64_t h = n;

	for (unsigned i = 0; i < n; i++)
		h = hash_mix(h, (uint64_t)v[i]);
	return h;
}

#endif
