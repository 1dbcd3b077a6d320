/*
 * casestate.h - what each block of a case must say, given the blocks before it: order,
 * numbers, times, totals. Sees parsed blocks only. Used by the case reader only.
 */
#ifndef FRZ_CASESTATE_H
#define FRZ_CASESTATE_H

#include "casefile.h"

#define FRZ_BOOT_ID_MAX 64

struct frz_case_state {
	struct frz_case_head head;
	char boot_id[FRZ_BOOT_ID_MAX + 1]; /* of the recording */
	bool have_boot;
	uint64_t segment_mono, tick_mono; /* end of the last segment; last tick */
	uint64_t latest_mono;		  /* of any block of this boot */
	uint64_t last_segment_offset;
	bool extract;	    /* its RECOVERY tells of the original */
	uint64_t from_tail; /* events that RECOVERY took and no segment had yet */
	uint8_t *index;	    /* what the SEAL's index must be */
	size_t index_len, index_cap;
};

void frz_case_state_release(struct frz_case_state *s);

/* Can a block of this type stand here at all? */
enum frz_err frz_case_state_order(const struct frz_case_state *s, const struct frz_block *blk,
				  const char **why);
/* Reads the typed fields of blk into it (at, segment); without the frame's place. */
void frz_case_state_fields(const struct frz_block *blk, struct frz_case_item *it);
/* Compares with what came before. FRZ_E_CORRUPT and a line in why, or FRZ_OK. With
 * `loose`, after damage, only what would break the promises of casefile.h is an error. */
enum frz_err frz_case_state_check(const struct frz_case_state *s, const struct frz_case_item *it,
				  bool loose, char *why, size_t why_cap);
/* Takes the block over. FRZ_OK or FRZ_E_NOMEM (nothing was changed). */
enum frz_err frz_case_state_apply(struct frz_case_state *s, const struct frz_case_item *it);
/* Events up to this number are accounted for, whether or not they could be read. */
void frz_case_state_skip_events(struct frz_case_state *s, uint64_t total);

#endif
