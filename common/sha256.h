/* sha256.h - SHA-256 (FIPS 180-4) by nettle, in the three shapes that the format needs. */
#ifndef FRZ_SHA256_H
#define FRZ_SHA256_H

#include <nettle/sha2.h>

#include "frz.h"

struct frz_sha256 {
	struct sha256_ctx ctx;
};

void frz_sha256_init(struct frz_sha256 *h);
void frz_sha256_add(struct frz_sha256 *h, const void *p, size_t n);
/* The digest so far; h can go on. */
void frz_sha256_peek(const struct frz_sha256 *h, uint8_t out[FRZ_HASH_LEN]);
void frz_sha256_of(const void *p, size_t n, uint8_t out[FRZ_HASH_LEN]);

#define FRZ_HEX_LEN (2 * FRZ_HASH_LEN + 1)
void frz_hex(const uint8_t *p, size_t n, char *out); /* 2n characters and a NUL */

#endif
