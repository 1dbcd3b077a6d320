/*
 * casescan.h - finding the next whole block behind damage. Used by the case reader only.
 */
#ifndef FRZ_CASESCAN_H
#define FRZ_CASESCAN_H

#include <stdbool.h>

#include "casesrc.h"

struct frz_found {
	uint64_t pos, index, offset; /* where it is; what it claims */
	uint8_t prev[FRZ_HASH_LEN];
};

/* A hostile file can offer many false beginnings of huge blocks; what hashing them may cost
 * in all is bounded by this many bytes. */
#define FRZ_SCAN_BUDGET(file_size) (8 * (uint64_t)(file_size) + (64u << 20))

/* True: a block whose own link is right stands at pos. */
bool frz_case_block_at(const struct frz_source *s, struct frz_view *v, uint64_t pos,
		       uint64_t *budget, struct frz_found *found);
/* The first such block from `from` on whose index is at least min_index. */
bool frz_case_scan(const struct frz_source *s, struct frz_view *v, uint64_t from,
		   uint64_t min_index, uint64_t *budget, struct frz_found *found);

#endif
