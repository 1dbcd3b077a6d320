/*
 * casestate.c - order, numbers, times and totals of a case's blocks.
 */
#include <stdio.h>
#include <stdlib.h>

#include "casestate.h"

void frz_case_state_release(struct frz_case_state *s) { free(s->index); }

enum frz_err frz_case_state_order(const struct frz_case_state *s, const struct frz_block *blk,
				  const char **why)
{
	if ((blk->type == FRZ_GENESIS) != (blk->index == 0)) {
		*why = blk->index == 0 ? "the case does not begin with GENESIS" :
					 "a second GENESIS";
		return FRZ_E_CORRUPT;
	}
	if (s->head.sealed && blk->type != FRZ_CUSTODY) {
		*why = "a block other than CUSTODY behind the SEAL";
		return FRZ_E_CORRUPT;
	}
	if (!s->head.sealed && blk->type == FRZ_CUSTODY) {
		*why = "a CUSTODY block before the SEAL";
		return FRZ_E_CORRUPT;
	}
	return FRZ_OK;
}

/* A field that frz_block_parse() has found; 0 for optional ones that are absent. */
static uint64_t num(const struct frz_block *blk, enum frz_key key)
{
	uint64_t v = 0;

	frz_field_u64(blk, key, &v);
	return v;
}

void frz_case_state_fields(const struct frz_block *blk, struct frz_case_item *it)
{
	it->type = blk->type;
	it->block = *blk;
	it->at.mono_ns = num(blk, FRZ_K_MONO);
	it->at.real_ns = num(blk, FRZ_K_REAL);
	if (blk->type == FRZ_SEGMENT) {
		struct frz_case_segment *g = &it->segment;

		g->frame_len = (size_t)num(blk, FRZ_K_FRAME_BYTES);
		g->raw_len = (size_t)num(blk, FRZ_K_RAW_BYTES);
		g->first_event = num(blk, FRZ_K_FIRST_EVENT);
		g->events = num(blk, FRZ_K_EVENTS);
		g->lost = num(blk, FRZ_K_LOST);
		g->first.mono_ns = num(blk, FRZ_K_FIRST_MONO);
		g->first.real_ns = num(blk, FRZ_K_FIRST_REAL);
		g->last.mono_ns = num(blk, FRZ_K_LAST_MONO);
		g->last.real_ns = num(blk, FRZ_K_LAST_REAL);
		g->recovered = num(blk, FRZ_K_RECOVERED) != 0;
	}
}

/* ---- checks ---- */

#define BAD(...) (snprintf(why, cap, __VA_ARGS__), FRZ_E_CORRUPT)

static bool same_boot(const struct frz_case_state *s, const struct frz_block *blk)
{
	const uint8_t *p;
	size_t n;

	return frz_field_bytes(blk, FRZ_K_BOOT_ID, &p, &n) && n == strlen(s->boot_id) &&
	       memcmp(p, s->boot_id, n) == 0;
}

static enum frz_err check_segment(const struct frz_case_state *s, const struct frz_case_item *it,
				  bool loose, char *why, size_t cap)
{
	const struct frz_case_segment *g = &it->segment;
	uint64_t recovered, next = s->head.events + 1;

	if (frz_field_u64(&it->block, FRZ_K_RECOVERED, &recovered) && recovered != 1)
		return BAD("field recovered is %ju, not 1", (uintmax_t)recovered);
	if (g->events > g->raw_len / 2)
		return BAD("%ju events cannot be in %zu bytes", (uintmax_t)g->events, g->raw_len);
	if (g->first_event < next || (!loose && g->first_event != next))
		return BAD("its first event is %ju, the next one would be %ju",
			   (uintmax_t)g->first_event, (uintmax_t)next);
	if (g->first_event > UINT64_MAX / 2 || g->lost > UINT64_MAX / 2 ||
	    g->lost > UINT64_MAX - s->head.lost)
		return BAD("a number of events beyond all bounds");
	if (g->last.mono_ns < g->first.mono_ns)
		return BAD("it ends before it begins");
	if (loose)
		return FRZ_OK;
	if (!same_boot(s, &it->block))
		return BAD("its boot id is not that of GENESIS");
	if (g->first.mono_ns < s->segment_mono)
		return BAD("it begins before the segment in front of it ends");
	if (g->recovered && g->events > s->from_tail && !s->extract && !s->head.damages)
		return BAD("%ju events from the tail, of which RECOVERY counts %ju more",
			   (uintmax_t)g->events, (uintmax_t)s->from_tail);
	return FRZ_OK;
}

/* An extract is another case than the one it is of. */
static enum frz_err check_genesis(const struct frz_block *blk, char *why, size_t cap)
{
	const uint8_t *id, *origin;
	size_t n;

	if (frz_field_bytes(blk, FRZ_K_ORIGIN_CASE_ID, &origin, &n) &&
	    frz_field_bytes(blk, FRZ_K_CASE_ID, &id, &n) && !memcmp(id, origin, n))
		return BAD("an extract with the id of its origin");
	return FRZ_OK;
}

/* The totals that TICK, RECOVERY and SEAL state. */
static enum frz_err check_totals(const struct frz_case_state *s, const struct frz_block *blk,
				 char *why, size_t cap)
{
	uint64_t events = num(blk, FRZ_K_EVENTS), lost = num(blk, FRZ_K_LOST);

	if (events != s->head.events)
		return BAD("it counts %ju events, the segments before it hold %ju",
			   (uintmax_t)events, (uintmax_t)s->head.events);
	if (lost < s->head.lost)
		return BAD("it counts %ju lost events, %ju were told before", (uintmax_t)lost,
			   (uintmax_t)s->head.lost);
	return FRZ_OK;
}

static enum frz_err check_seal(const struct frz_case_state *s, const struct frz_block *blk,
			       char *why, size_t cap)
{
	uint64_t segments = num(blk, FRZ_K_SEGMENTS), ticks = num(blk, FRZ_K_TICKS);
	const uint8_t *p;
	size_t n;

	if (segments != s->head.segments)
		return BAD("it counts %ju segments, there are %ju", (uintmax_t)segments,
			   (uintmax_t)s->head.segments);
	if (ticks != s->head.ticks)
		return BAD("it counts %ju ticks, there are %ju", (uintmax_t)ticks,
			   (uintmax_t)s->head.ticks);
	if (!frz_field_bytes(blk, FRZ_K_INDEX, &p, &n) || n != s->index_len ||
	    (n && memcmp(p, s->index, n) != 0))
		return BAD("its index is not that of the segments in the file");
	if (s->from_tail && !s->extract)
		return BAD("RECOVERY took %ju events from the tail that no segment has",
			   (uintmax_t)s->from_tail);
	return FRZ_OK;
}

enum frz_err frz_case_state_check(const struct frz_case_state *s, const struct frz_case_item *it,
				  bool loose, char *why, size_t cap)
{
	const struct frz_block *blk = &it->block;
	enum frz_err err = FRZ_OK;
	const uint8_t *p;
	size_t n;

	if (frz_field_bytes(blk, FRZ_K_BOOT_ID, &p, &n) && n > FRZ_BOOT_ID_MAX)
		return BAD("a boot id of %zu bytes", n);
	if (blk->type == FRZ_SEAL) {
		if (!frz_field_bytes(blk, FRZ_K_CHAIN_HEAD, &p, &n) ||
		    memcmp(p, blk->prev, FRZ_HASH_LEN) != 0)
			return BAD("its chain head is not the link of the block before");
		if (num(blk, FRZ_K_PREFIX_BYTES) != blk->offset)
			return BAD("its prefix is not what stands before it");
	}
	if (blk->type == FRZ_SEGMENT)
		return check_segment(s, it, loose, why, cap);
	if (blk->type == FRZ_GENESIS)
		return check_genesis(blk, why, cap);
	if (blk->type == FRZ_CUSTODY || loose)
		return FRZ_OK;

	err = check_totals(s, blk, why, cap);
	if (err != FRZ_OK)
		return err;
	if (blk->type == FRZ_TICK) {
		if (!same_boot(s, blk))
			return BAD("its boot id is not that of GENESIS");
		if (it->at.mono_ns < s->tick_mono)
			return BAD("its time is before that of the tick in front of it");
	} else if (same_boot(s, blk) && it->at.mono_ns < s->latest_mono) {
		return BAD("its time is before that of a block in front of it");
	}
	/* after damage the seal's counts cannot be met, and that was said already */
	return blk->type == FRZ_SEAL && !s->head.damages ? check_seal(s, blk, why, cap) : FRZ_OK;
}

/* ---- taking over ---- */

static enum frz_err index_add(struct frz_case_state *s, uint64_t offset, uint64_t events)
{
	if (s->index_cap - s->index_len < 2 * FRZ_VARINT_MAX) {
		size_t cap = s->index_cap ? 2 * s->index_cap : 1024;
		uint8_t *bigger = realloc(s->index, cap);

		if (!bigger)
			return FRZ_E_NOMEM;
		s->index = bigger;
		s->index_cap = cap;
	}
	s->index_len += frz_put_varint(s->index + s->index_len, offset - s->last_segment_offset);
	s->index_len += frz_put_varint(s->index + s->index_len, events);
	s->last_segment_offset = offset;
	return FRZ_OK;
}

static void told(struct frz_case_state *s, const struct frz_block *blk, struct frz_moment at)
{
	const uint8_t *p = NULL;
	size_t n = 0;

	if (!s->have_boot && frz_field_bytes(blk, FRZ_K_BOOT_ID, &p, &n)) {
		memcpy(s->boot_id, p, n);
		s->boot_id[n] = '\0';
		s->have_boot = true;
		s->latest_mono = at.mono_ns;
		s->head.start = at;
	}
	s->head.last = at;
	if (!same_boot(s, blk) || at.mono_ns <= s->latest_mono)
		return;
	if (at.mono_ns - s->latest_mono > s->head.silence_ns) {
		s->head.silence_ns = at.mono_ns - s->latest_mono;
		s->head.silence_block = blk->index;
	}
	s->latest_mono = at.mono_ns;
}

void frz_case_state_skip_events(struct frz_case_state *s, uint64_t total)
{
	if (total > s->head.events && total < UINT64_MAX / 2)
		s->head.events = total;
}

enum frz_err frz_case_state_apply(struct frz_case_state *s, const struct frz_case_item *it)
{
	const struct frz_block *blk = &it->block;
	const struct frz_case_segment *g = &it->segment;
	struct frz_case_head *h = &s->head;
	struct frz_cur unknown = { 0 };
	const uint8_t *p;
	unsigned key;
	size_t n;

	switch (blk->type) {
	case FRZ_GENESIS:
		if (frz_field_bytes(blk, FRZ_K_CASE_ID, &p, &n))
			memcpy(h->case_id, p, sizeof(h->case_id));
		h->tick_seconds = num(blk, FRZ_K_TICK_SECONDS);
		s->extract = frz_field_bytes(blk, FRZ_K_ORIGIN_CASE_ID, &p, &n);
		told(s, blk, it->at);
		s->segment_mono = s->tick_mono = it->at.mono_ns;
		break;
	case FRZ_SEGMENT:
		if (index_add(s, blk->offset, g->events) != FRZ_OK)
			return FRZ_E_NOMEM;
		h->segments++;
		h->events = g->first_event - 1 + g->events;
		h->lost += g->lost;
		if (g->recovered && !s->extract)
			s->from_tail -= g->events < s->from_tail ? g->events : s->from_tail;
		s->segment_mono = g->last.mono_ns;
		told(s, blk, g->last);
		break;
	case FRZ_TICK:
		h->ticks++;
		s->tick_mono = it->at.mono_ns;
		break;
	case FRZ_RECOVERY:
		h->recoveries++;
		s->from_tail = num(blk, FRZ_K_TAIL_EVENTS);
		break;
	case FRZ_SEAL:
		h->sealed = true;
		h->prefix_bytes = blk->offset;
		memcpy(h->seal_link, blk->link, FRZ_HASH_LEN);
		break;
	case FRZ_CUSTODY:
		h->custodies++;
		break;
	}
	if (blk->type == FRZ_TICK || blk->type == FRZ_RECOVERY || blk->type == FRZ_SEAL) {
		/* equal to what is known, unless something before could not be read */
		frz_case_state_skip_events(s, num(blk, FRZ_K_EVENTS));
		if (num(blk, FRZ_K_LOST) > h->lost)
			h->lost = num(blk, FRZ_K_LOST);
		told(s, blk, it->at);
	}
	while (frz_block_next_unknown(blk, &unknown, &key, &n))
		h->unknown_fields++;
	memcpy(h->link, blk->link, FRZ_HASH_LEN);
	h->blocks = blk->index + 1;
	return FRZ_OK;
}
