/*
 * casescan.c - the search for whole blocks in damaged bytes.
 */
#include "block.h"
#include "casescan.h"

#define WINDOW ((size_t)1 << 18)
#define NEEDED 12 /* magic, size, tag, version */

static bool looks_right(const uint8_t *p)
{
	return frz_get32(p) == FRZ_BLOCK_MAGIC && memcmp(p + 8, "frz", 3) == 0 &&
	       p[11] == FRZ_VERSION;
}

bool frz_case_block_at(const struct frz_source *s, struct frz_view *v, uint64_t pos,
		       uint64_t *budget, struct frz_found *found)
{
	static const uint8_t no_prev[FRZ_HASH_LEN];
	uint64_t left = pos < s->size ? s->size - pos : 0;
	struct frz_block blk = { 0 };
	const char *why = "";
	const uint8_t *p;
	size_t total;

	if (left < FRZ_HEAD_LEN || frz_source_view(s, v, pos, FRZ_HEAD_LEN, &p) != FRZ_OK ||
	    !looks_right(p) || frz_block_size(p, FRZ_HEAD_LEN, &total) != FRZ_OK || total > left ||
	    total > *budget)
		return false;
	*budget -= total;
	if (frz_source_view(s, v, pos, total, &p) != FRZ_OK)
		return false;
	/* any position will do: blk is filled once the link is right */
	frz_block_parse(p, total, 0, 0, no_prev, &blk, &why);
	if (!blk.total)
		return false;
	*found = (struct frz_found){ .pos = pos, .index = blk.index, .offset = blk.offset };
	memcpy(found->prev, blk.prev, FRZ_HASH_LEN);
	return true;
}

bool frz_case_scan(const struct frz_source *s, struct frz_view *v, uint64_t from,
		   uint64_t min_index, uint64_t *budget, struct frz_found *found)
{
	while (from < s->size && s->size - from >= NEEDED) {
		uint64_t left = s->size - from;
		size_t n = left < WINDOW ? (size_t)left : WINDOW, i = 0;
		const uint8_t *p;

		if (frz_source_view(s, v, from, n, &p) != FRZ_OK)
			return false;
		while (i + NEEDED <= n && !looks_right(p + i))
			i++;
		if (i + NEEDED > n) {
			from += n - (NEEDED - 1);
			continue;
		}
		from += i;
		if (frz_case_block_at(s, v, from, budget, found) && found->index >= min_index)
			return true;
		from++;
	}
	return false;
}
