/*
 * casefile.c - fuzzes the case reader over a whole file: strictly, past damage, and once
 * more with every link, offset and hash in it made right, so that what lies behind the
 * hashes is reached.
 */
#include <stdlib.h>

#include "casefile.h"
#include "record.h"
#include "sha256.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void decode(struct frz_decoder *d, const struct frz_case_item *it, const uint8_t *raw)
{
	struct frz_record rec;
	const char *why = NULL;
	enum frz_err err = frz_decoder_begin(d, raw, &it->segment);

	while (err == FRZ_OK)
		err = frz_decoder_next(d, &rec, &why);
}

static void read_case(const uint8_t *data, size_t size, unsigned flags)
{
	static struct frz_decoder *d;
	struct frz_case_head head;
	struct frz_case_item it;
	struct frz_fault fault = { 0 };
	struct frz_case *c;
	uint64_t next = 1, at = 0, steps = 0;
	enum frz_err err;

	if (!d)
		d = frz_decoder_new();
	if (!d || frz_case_open_memory(data, size, flags, &c, &fault) != FRZ_OK)
		return;
	while ((err = frz_case_next(c, &it, &fault)) == FRZ_OK) {
		uint8_t *raw;

		/* every step comes forward, or was said to be damage */
		frz_case_head(c, &head);
		if (head.bytes < at || steps++ > 4 * size)
			abort();
		at = head.bytes;
		if (it.type != FRZ_SEGMENT)
			continue;
		if (it.segment.first_event < next)
			abort();
		next = it.segment.first_event + it.segment.events;
		if (frz_case_raw(c, &raw, &fault) == FRZ_OK)
			decode(d, &it, raw);
		free(raw);
	}
	if (err < 0 && !*fault.what)
		abort();
	frz_case_close(c);
}

/* Sets the value of a field of exactly this length, wherever it is. */
static void set_field(uint8_t *blk, size_t end, unsigned key, const void *value, size_t n)
{
	size_t at = FRZ_HEAD_LEN;

	while (at + FRZ_FIELD_HEAD <= end) {
		size_t len = frz_get32(blk + at + 4);

		if (len > end - at - FRZ_FIELD_HEAD)
			return;
		if (frz_get16(blk + at) == key && len == n)
			memcpy(blk + at + FRZ_FIELD_HEAD, value, n);
		at += FRZ_FIELD_HEAD + len;
	}
}

static void put_link(uint8_t *blk, size_t total)
{
	struct frz_sha256 h;

	frz_sha256_init(&h);
	frz_sha256_add(&h, FRZ_LINK_DOMAIN, sizeof(FRZ_LINK_DOMAIN));
	frz_sha256_add(&h, blk, total - FRZ_HASH_LEN);
	frz_sha256_peek(&h, blk + total - FRZ_HASH_LEN);
}

static bool find_u64(const uint8_t *blk, size_t end, unsigned key, uint64_t *v)
{
	size_t at = FRZ_HEAD_LEN;

	while (at + FRZ_FIELD_HEAD <= end) {
		size_t len = frz_get32(blk + at + 4);

		if (len > end - at - FRZ_FIELD_HEAD)
			return false;
		if (frz_get16(blk + at) == key && len == 8) {
			*v = frz_get64(blk + at + FRZ_FIELD_HEAD);
			return true;
		}
		at += FRZ_FIELD_HEAD + len;
	}
	return false;
}

static void make_right(uint8_t *p, size_t size)
{
	uint8_t prev[FRZ_HASH_LEN] = { 0 }, sha[FRZ_HASH_LEN], num[8];
	size_t at = 0;

	for (uint64_t index = 0; size - at >= FRZ_HEAD_LEN + FRZ_HASH_LEN; index++) {
		uint8_t *blk = p + at;
		size_t total = (size_t)frz_get32(blk + 4) + 8, end = total - FRZ_HASH_LEN;
		uint64_t frame = 0;

		if (frz_get32(blk) != FRZ_BLOCK_MAGIC || total < FRZ_HEAD_LEN + FRZ_HASH_LEN ||
		    total > size - at)
			return;
		frz_put64(blk + 16, index);
		frz_put64(blk + 24, at);
		memcpy(blk + 32, prev, FRZ_HASH_LEN);
		if (find_u64(blk, end, FRZ_K_FRAME_BYTES, &frame) && frame <= size - at - total) {
			frz_sha256_of(blk + total, (size_t)frame, sha);
			set_field(blk, end, FRZ_K_FRAME_SHA256, sha, sizeof(sha));
		} else {
			frame = 0;
		}
		frz_sha256_of(p, at, sha);
		frz_put64(num, at);
		set_field(blk, end, FRZ_K_PREFIX_BYTES, num, 8);
		set_field(blk, end, FRZ_K_PREFIX_SHA256, sha, sizeof(sha));
		set_field(blk, end, FRZ_K_CHAIN_HEAD, prev, FRZ_HASH_LEN);
		put_link(blk, total);
		memcpy(prev, blk + end, FRZ_HASH_LEN);
		at += total + (size_t)frame;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy;

	read_case(data, size, 0);
	read_case(data, size, FRZ_CASE_ALLOW_DAMAGED);
	copy = malloc(size ? size : 1);
	if (!copy)
		return 0;
	if (size)
		memcpy(copy, data, size);
	make_right(copy, size);
	read_case(copy, size, 0);
	read_case(copy, size, FRZ_CASE_ALLOW_DAMAGED | FRZ_CASE_SKIM);
	free(copy);
	return 0;
}
