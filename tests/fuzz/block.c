/*
 * block.c - fuzzes the block parser: as it is, and with the link made right, so that the
 * fields behind it are reached.
 */
#include <stdlib.h>

#include "block.h"
#include "sha256.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void parse(const uint8_t *p, size_t n)
{
	uint8_t prev[FRZ_HASH_LEN] = { 0 };
	struct frz_cur unknown = { 0 };
	struct frz_block blk = { 0 };
	const char *why = NULL;
	const uint8_t *value;
	unsigned key;
	uint64_t v;
	size_t len;

	if (n >= 64)
		memcpy(prev, p + 32, sizeof(prev));
	if (frz_block_parse(p, n, n >= 24 ? frz_get64(p + 16) : 0, n >= 32 ? frz_get64(p + 24) : 0,
			    prev, &blk, &why) != FRZ_OK) {
		if (!why || !*why)
			abort();
		return;
	}
	for (unsigned k = 0; k < 128; k++) {
		frz_field_u64(&blk, (enum frz_key)k, &v);
		if (frz_field_bytes(&blk, (enum frz_key)k, &value, &len) &&
		    (value < p || value + len > p + n))
			abort();
	}
	while (frz_block_next_unknown(&blk, &unknown, &key, &len))
		if (len > n)
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct frz_sha256 h;
	uint8_t *copy;

	parse(data, size);
	if (size < FRZ_HEAD_LEN + FRZ_HASH_LEN || size > FRZ_BLOCK_MAX)
		return 0;
	copy = malloc(size);
	if (!copy)
		return 0;
	memcpy(copy, data, size);
	frz_put32(copy, FRZ_BLOCK_MAGIC);
	frz_put32(copy + 4, (uint32_t)size - 8);
	memcpy(copy + 8, "frz\1", 4);
	frz_sha256_init(&h);
	frz_sha256_add(&h, FRZ_LINK_DOMAIN, sizeof(FRZ_LINK_DOMAIN));
	frz_sha256_add(&h, copy, size - FRZ_HASH_LEN);
	frz_sha256_peek(&h, copy + size - FRZ_HASH_LEN);
	parse(copy, size);
	free(copy);
	return 0;
}
