/*
 * sha256.c - SHA-256 by nettle.
 */
#include "sha256.h"

void frz_sha256_init(struct frz_sha256 *h) { sha256_init(&h->ctx); }

void frz_sha256_add(struct frz_sha256 *h, const void *p, size_t n)
{
	if (n)
		sha256_update(&h->ctx, n, p);
}

void frz_sha256_peek(const struct frz_sha256 *h, uint8_t out[FRZ_HASH_LEN])
{
	/* nettle's digest resets its context, so a copy is finished instead */
	struct sha256_ctx copy = h->ctx;

	sha256_digest(&copy, FRZ_HASH_LEN, out);
}

void frz_sha256_of(const void *p, size_t n, uint8_t out[FRZ_HASH_LEN])
{
	struct frz_sha256 h;

	frz_sha256_init(&h);
	frz_sha256_add(&h, p, n);
	frz_sha256_peek(&h, out);
}

void frz_hex(const uint8_t *p, size_t n, char *out)
{
	static const char digit[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		*out++ = digit[p[i] >> 4];
		*out++ = digit[p[i] & 15];
	}
	*out = '\0';
}
