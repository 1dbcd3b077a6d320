/*
 * casefile.c - the strict case reader: blocks and frames in order, damage and what follows it.
 *
 * - A step looks at one block (and its frame) without changing anything, then takes it over.
 *   So an end that is only not there yet can be looked at again.
 * - Damage is an error that sticks; or, with FRZ_CASE_ALLOW_DAMAGED, an item, after which
 *   the reader stands somewhere else. `loose` then lets the next block state what could
 *   not be followed.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "casefile.h"
#include "casescan.h"
#include "casesrc.h"
#include "casestate.h"
#include "segment.h"
#include "sha256.h"

struct frz_case {
	struct frz_source src;
	struct frz_view block_view, frame_view, scan_view;
	unsigned flags;
	struct frz_case_state state;
	uint64_t pos;	/* where the next block must begin */
	uint64_t index; /* and its index */
	uint8_t prev[FRZ_HASH_LEN];
	int64_t shift; /* after damage: pos minus the offset that blocks claim */
	bool loose;
	uint64_t scan_budget;		     /* bytes that looking for blocks may still hash */
	struct frz_sha256 sha;		     /* of all that was taken */
	uint8_t prefix_sha256[FRZ_HASH_LEN]; /* what it was in front of the SEAL */
	enum frz_err stuck;
	struct frz_fault stuck_fault;
	struct frz_case_segment segment; /* of the last item, when it was a SEGMENT */
	uint8_t frame_sha256[FRZ_HASH_LEN], raw_sha256[FRZ_HASH_LEN];
	uint64_t segment_block;
	const uint8_t *frame; /* in frame_view; NULL: not read (skim) */
	bool have_segment;
};

enum frz_err frz_fault_set(struct frz_fault *f, enum frz_err err, uint64_t block, uint64_t offset,
			   const char *fmt, ...)
{
	va_list ap;

	f->err = err;
	f->block = block;
	f->offset = offset;
	va_start(ap, fmt);
	vsnprintf(f->what, sizeof(f->what), fmt, ap);
	va_end(ap);
	for (char *p = f->what; *p; p++)
		if (*p < ' ' || *p > '~')
			*p = '?';
	return err;
}

/* ---- open, close ---- */

static enum frz_err start(struct frz_source src, unsigned flags, struct frz_case **out,
			  struct frz_fault *fault)
{
	struct frz_case *c;

	if (src.size == 0) {
		frz_source_close(&src);
		return frz_fault_set(fault, FRZ_E_NOT_FRZ, 0, 0, "the file is empty");
	}
	c = calloc(1, sizeof(*c));
	if (!c) {
		frz_source_close(&src);
		return frz_fault_set(fault, FRZ_E_NOMEM, 0, 0, "out of memory");
	}
	c->src = src;
	c->flags = flags;
	c->scan_budget = FRZ_SCAN_BUDGET(src.size);
	frz_sha256_init(&c->sha);
	*out = c;
	return FRZ_OK;
}

enum frz_err frz_case_open(const char *path, unsigned flags, struct frz_case **out,
			   struct frz_fault *fault)
{
	struct frz_source src;

	*out = NULL;
	if (frz_source_open(&src, path) != FRZ_OK) {
		int saved = errno;

		frz_fault_set(fault, FRZ_E_IO, 0, 0, "cannot be opened: %s",
			      saved == EINVAL ? "Not a regular file" : strerror(saved));
		errno = saved;
		return FRZ_E_IO;
	}
	return start(src, flags, out, fault);
}

enum frz_err frz_case_open_memory(const void *p, size_t n, unsigned flags, struct frz_case **out,
				  struct frz_fault *fault)
{
	struct frz_source src = { .fd = -1, .mem = p, .size = n };

	*out = NULL;
	return start(src, flags, out, fault);
}

void frz_case_close(struct frz_case *c)
{
	if (!c)
		return;
	frz_source_close(&c->src);
	free(c->block_view.buf);
	free(c->frame_view.buf);
	free(c->scan_view.buf);
	frz_case_state_release(&c->state);
	free(c);
}

void frz_case_head(const struct frz_case *c, struct frz_case_head *h)
{
	*h = c->state.head;
	h->bytes = c->pos;
	h->file_bytes = c->src.size;
	if (c->flags & FRZ_CASE_SKIM)
		return;
	frz_sha256_peek(&c->sha, h->sha256);
	memcpy(h->prefix_sha256, c->prefix_sha256, FRZ_HASH_LEN);
}

void frz_case_sha256(const struct frz_case *c, struct frz_sha256 *out) { *out = c->sha; }

/* ---- looking at one block ---- */

/* What a step found out besides the item. */
struct step {
	const uint8_t *block, *frame;
	bool linked; /* the block's own link is right: its length can be believed */
	bool placed; /* and it stands where it should */
};

static enum frz_err view_failed(struct frz_fault *f, enum frz_err err, uint64_t block,
				uint64_t offset)
{
	if (err == FRZ_E_IO)
		return frz_fault_set(f, err, block, offset, "cannot be read: %s", strerror(errno));
	if (err == FRZ_E_NOMEM)
		return frz_fault_set(f, err, block, offset, "out of memory");
	return frz_fault_set(f, err, block, offset, "the file became shorter while it was read");
}

/* What stands at pos when it is no block. */
static enum frz_err no_block(const struct frz_case *c, const uint8_t *p, size_t n,
			     struct frz_fault *f)
{
	const char *what = "bytes that belong to no block";

	if (c->index == 0)
		return frz_fault_set(f, FRZ_E_NOT_FRZ, 0, c->pos,
				     "the file does not begin like a case");
	if (n >= 4 && frz_get32(p) == FRZ_ZSTD_MAGIC)
		what = "a zstd frame that no SEGMENT block announces";
	else if (n >= 4 && (frz_get32(p) & 0xfffffff0u) == 0x184D2A50u)
		what = "a skippable frame that is no block";
	return frz_fault_set(f, FRZ_E_CORRUPT, c->index, c->pos, "%s", what);
}

static enum frz_err cut_short(const struct frz_case *c, const char *what, uint64_t want,
			      uint64_t got, struct frz_fault *f)
{
	return frz_fault_set(f, FRZ_E_TRUNCATED, c->index, c->pos,
			     "the %s is cut short: wanted %ju bytes, got %ju", what,
			     (uintmax_t)want, (uintmax_t)got);
}

static enum frz_err look_at_block(struct frz_case *c, struct frz_case_item *it, struct step *st,
				  struct frz_fault *f)
{
	static const uint8_t magic[4] = { FRZ_BLOCK_MAGIC & 0xff, FRZ_BLOCK_MAGIC >> 8 & 0xff,
					  FRZ_BLOCK_MAGIC >> 16 & 0xff, FRZ_BLOCK_MAGIC >> 24 };
	uint64_t left = c->src.size - c->pos;
	size_t head = left < 12 ? (size_t)left : 12, total = 0;
	const char *why = "";
	enum frz_err err;

	err = frz_source_view(&c->src, &c->block_view, c->pos, head, &st->block);
	if (err != FRZ_OK)
		return view_failed(f, err, c->index, c->pos);
	if (memcmp(st->block, magic, head < 4 ? head : 4) != 0 ||
	    (head == 12 && memcmp(st->block + 8, "frz", 3) != 0))
		return no_block(c, st->block, head, f);
	if (head < 12)
		return cut_short(c, "block", FRZ_HEAD_LEN + FRZ_HASH_LEN, left, f);
	if (c->index == 0 && st->block[11] != FRZ_VERSION)
		return frz_fault_set(f, FRZ_E_VERSION, 0, c->pos,
				     "format version %u, this program reads version %d",
				     st->block[11], FRZ_VERSION);
	err = frz_block_size(st->block, head, &total);
	if (err != FRZ_OK)
		return frz_fault_set(f, err, c->index, c->pos, "the block's size is out of bounds");
	if (total > left)
		return cut_short(c, "block", total, left, f);

	err = frz_source_view(&c->src, &c->block_view, c->pos, total, &st->block);
	if (err != FRZ_OK)
		return view_failed(f, err, c->index, c->pos);
	it->block.total = 0;
	err = frz_block_parse(st->block, total, c->index, c->pos - (uint64_t)c->shift, c->prev,
			      &it->block, &why);
	st->linked = it->block.total != 0;
	st->placed = st->linked && it->block.index == c->index &&
		     it->block.offset == c->pos - (uint64_t)c->shift &&
		     memcmp(it->block.prev, c->prev, FRZ_HASH_LEN) == 0;
	if (err == FRZ_OK)
		err = frz_case_state_order(&c->state, &it->block, &why);
	if (err == FRZ_E_VERSION || err == FRZ_E_NOT_FRZ)
		err = FRZ_E_CORRUPT; /* only the first block can make it another format */
	if (err != FRZ_OK)
		return frz_fault_set(f, err, c->index, c->pos, "%s", why);
	return FRZ_OK;
}

static enum frz_err look_at_frame(struct frz_case *c, struct frz_case_item *it, struct step *st,
				  struct frz_fault *f)
{
	const struct frz_case_segment *g = &it->segment;
	uint64_t left = c->src.size - c->pos - it->block.total;
	uint8_t sha[FRZ_HASH_LEN];
	const uint8_t *want;
	enum frz_err err;
	size_t n;

	if (g->frame_len > left)
		return cut_short(c, "segment's frame", g->frame_len, left, f);
	if (c->flags & FRZ_CASE_SKIM)
		return FRZ_OK;
	err = frz_source_view(&c->src, &c->frame_view, g->frame_offset, g->frame_len, &st->frame);
	if (err != FRZ_OK)
		return view_failed(f, err, c->index, g->frame_offset);
	frz_sha256_of(st->frame, g->frame_len, sha);
	if (!frz_field_bytes(&it->block, FRZ_K_FRAME_SHA256, &want, &n) ||
	    memcmp(want, sha, FRZ_HASH_LEN) != 0)
		return frz_fault_set(
			f, FRZ_E_CORRUPT, c->index, g->frame_offset,
			"the frame of segment %ju (events %ju to %ju) does not have its SHA-256",
			(uintmax_t)g->number, (uintmax_t)g->first_event,
			(uintmax_t)(g->first_event + g->events - 1));
	return FRZ_OK;
}

static enum frz_err look_at_seal(struct frz_case *c, const struct frz_case_item *it,
				 struct frz_fault *f)
{
	uint8_t sha[FRZ_HASH_LEN];
	const uint8_t *want;
	size_t n;

	if ((c->flags & FRZ_CASE_SKIM) || c->state.head.damages)
		return FRZ_OK;
	frz_sha256_peek(&c->sha, sha);
	if (!frz_field_bytes(&it->block, FRZ_K_PREFIX_SHA256, &want, &n) ||
	    memcmp(want, sha, FRZ_HASH_LEN) != 0)
		return frz_fault_set(
			f, FRZ_E_CORRUPT, c->index, c->pos,
			"the file before the SEAL does not have the SHA-256 that it states");
	return FRZ_OK;
}

static enum frz_err look(struct frz_case *c, struct frz_case_item *it, struct step *st,
			 struct frz_fault *f)
{
	enum frz_err err = frz_source_refresh(&c->src);
	char why[160];

	if (err != FRZ_OK)
		return view_failed(f, err, c->index, c->pos);
	if (c->src.size < c->pos)
		return frz_fault_set(f, FRZ_E_TRUNCATED, c->index, c->pos,
				     "the file became shorter while it was read");
	if (c->src.size == c->pos) {
		if (c->state.head.sealed)
			return FRZ_END;
		return frz_fault_set(f, FRZ_E_UNSEALED, c->index, c->pos,
				     "the file ends here, and there is no SEAL");
	}
	err = look_at_block(c, it, st, f);
	if (err != FRZ_OK)
		return err;
	frz_case_state_fields(&it->block, it);
	it->segment.number = c->state.head.segments;
	it->segment.frame_offset = c->pos + it->block.total;
	if (it->type == FRZ_SEGMENT &&
	    (it->segment.frame_len > FRZ_FRAME_MAX || it->segment.raw_len > FRZ_RAW_MAX))
		return frz_fault_set(f, FRZ_E_LIMIT, c->index, c->pos,
				     "a segment over the size limit");
	err = frz_case_state_check(&c->state, it, c->loose, why, sizeof(why));
	if (err != FRZ_OK)
		return frz_fault_set(f, err, c->index, c->pos, "%s: %s",
				     frz_block_type_name(it->type), why);
	if (it->type == FRZ_SEGMENT)
		return look_at_frame(c, it, st, f);
	if (it->type == FRZ_SEAL)
		return look_at_seal(c, it, f);
	return FRZ_OK;
}

/* ---- taking it over ---- */

static enum frz_err take(struct frz_case *c, const struct frz_case_item *it, const struct step *st)
{
	const uint8_t *p;
	size_t n;

	if (frz_case_state_apply(&c->state, it) != FRZ_OK)
		return FRZ_E_NOMEM;
	if (!(c->flags & FRZ_CASE_SKIM)) {
		if (it->type == FRZ_SEAL)
			frz_sha256_peek(&c->sha, c->prefix_sha256);
		frz_sha256_add(&c->sha, st->block, it->block.total);
		if (it->type == FRZ_SEGMENT)
			frz_sha256_add(&c->sha, st->frame, it->segment.frame_len);
	}
	c->have_segment = it->type == FRZ_SEGMENT;
	if (c->have_segment) {
		c->segment = it->segment;
		c->segment_block = it->block.index;
		c->frame = st->frame;
		if (frz_field_bytes(&it->block, FRZ_K_FRAME_SHA256, &p, &n))
			memcpy(c->frame_sha256, p, FRZ_HASH_LEN);
		if (frz_field_bytes(&it->block, FRZ_K_RAW_SHA256, &p, &n))
			memcpy(c->raw_sha256, p, FRZ_HASH_LEN);
		c->pos += it->segment.frame_len;
	}
	c->pos += it->block.total;
	c->index++;
	memcpy(c->prev, it->block.link, FRZ_HASH_LEN);
	c->loose = false;
	return FRZ_OK;
}

/* ---- damage ---- */

/* True: a block that continues the one with this link stands at pos, or the file ends there. */
static bool goes_on_at(struct frz_case *c, uint64_t pos, const uint8_t prev[FRZ_HASH_LEN])
{
	struct frz_found found;

	if (pos == c->src.size)
		return true;
	return frz_case_block_at(&c->src, &c->scan_view, pos, &c->scan_budget, &found) &&
	       memcmp(found.prev, prev, FRZ_HASH_LEN) == 0;
}

static void stand_at(struct frz_case *c, const struct frz_found *found)
{
	c->pos = found->pos;
	c->index = found->index;
	c->shift = (int64_t)(found->pos - found->offset);
	memcpy(c->prev, found->prev, FRZ_HASH_LEN);
}

/* Turns an error into an item and moves the reader behind the damage. */
static enum frz_err skip(struct frz_case *c, struct frz_case_item *it, const struct step *st,
			 struct frz_fault *fault)
{
	struct frz_case_item damage = { .fault = *fault };
	uint64_t from = c->pos + 1, after = c->pos + it->block.total;
	struct frz_found found;

	if (st->placed && it->type == FRZ_SEGMENT && it->segment.frame_len <= FRZ_FRAME_MAX)
		after += it->segment.frame_len;
	if (st->placed && !c->loose && fault->err == FRZ_E_CORRUPT && !st->frame && it->type != 0)
		goto out; /* whole, but it contradicts what came before: told, then taken */
	if (st->placed && goes_on_at(c, after, it->block.link)) {
		/* only this block, or only its frame, is bad */
		damage.segment_skipped = it->type == FRZ_SEGMENT;
		damage.segment = it->segment;
		if (damage.segment_skipped && it->segment.first_event > c->state.head.events)
			frz_case_state_skip_events(&c->state, it->segment.first_event - 1 +
								      it->segment.events);
		c->pos = after;
		c->index++;
		memcpy(c->prev, it->block.link, FRZ_HASH_LEN);
		goto out;
	}
	if (st->linked && !st->placed)
		from = c->pos;
	else if (st->linked)
		from = c->pos + it->block.total;
	if (frz_case_scan(&c->src, &c->scan_view, from, c->index, &c->scan_budget, &found)) {
		stand_at(c, &found);
	} else if (fault->err == FRZ_E_TRUNCATED || c->index == 0) {
		return fault->err;
	} else {
		c->pos = c->src.size;
	}
out:
	c->loose = true;
	c->state.head.damages++;
	damage.resume_offset = c->pos;
	*it = damage;
	return FRZ_OK;
}

enum frz_err frz_case_next(struct frz_case *c, struct frz_case_item *it, struct frz_fault *fault)
{
	struct step st = { 0 };
	enum frz_err err;

	if (c->stuck) {
		*fault = c->stuck_fault;
		return c->stuck;
	}
	memset(it, 0, sizeof(*it));
	c->have_segment = false;
	err = look(c, it, &st, fault);
	if (err == FRZ_OK) {
		err = take(c, it, &st);
		return err == FRZ_OK ? err : view_failed(fault, err, c->index, c->pos);
	}
	if (err == FRZ_END || err == FRZ_E_UNSEALED || err == FRZ_E_IO || err == FRZ_E_NOMEM)
		return err;
	if (c->flags & FRZ_CASE_ALLOW_DAMAGED)
		return skip(c, it, &st, fault);
	if (err != FRZ_E_TRUNCATED) {
		c->stuck = err;
		c->stuck_fault = *fault;
	}
	return err;
}

enum frz_err frz_case_raw(struct frz_case *c, uint8_t **raw, struct frz_fault *fault)
{
	const struct frz_case_segment *g = &c->segment;
	uint8_t sha[FRZ_HASH_LEN];
	const char *why = "";
	enum frz_err err;

	*raw = NULL;
	if (!c->have_segment)
		return frz_fault_set(fault, FRZ_E_CORRUPT, c->index, c->pos,
				     "no segment stands here");
	if (!c->frame) {
		err = frz_source_view(&c->src, &c->frame_view, g->frame_offset, g->frame_len,
				      &c->frame);
		if (err != FRZ_OK)
			return view_failed(fault, err, c->segment_block, g->frame_offset);
		frz_sha256_of(c->frame, g->frame_len, sha);
		if (memcmp(sha, c->frame_sha256, FRZ_HASH_LEN) != 0) {
			c->frame = NULL;
			return frz_fault_set(fault, FRZ_E_CORRUPT, c->segment_block,
					     g->frame_offset,
					     "the frame of segment %ju does not have its SHA-256",
					     (uintmax_t)g->number);
		}
	}
	err = frz_unpack(c->frame, g->frame_len, g->raw_len, raw, &why);
	if (err != FRZ_OK)
		return frz_fault_set(fault, err, c->segment_block, g->frame_offset, "%s", why);
	frz_sha256_of(*raw, g->raw_len, sha);
	if (memcmp(sha, c->raw_sha256, FRZ_HASH_LEN) != 0) {
		free(*raw);
		*raw = NULL;
		return frz_fault_set(fault, FRZ_E_CORRUPT, c->segment_block, g->frame_offset,
				     "the content of segment %ju does not have its SHA-256",
				     (uintmax_t)g->number);
	}
	return FRZ_OK;
}
