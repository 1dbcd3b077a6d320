/*
 * block.c - building and strictly parsing the blocks of a case.
 *
 * - One table says for each key its type, its length and which blocks must or may carry it.
 * - A parser's checks run from the outside in: size, tag, version, link, position, zeros,
 *   fields. So a damaged block is called damaged before anything in it is believed.
 */
#include <stdio.h>

#include "block.h"
#include "sha256.h"

#define IN(type)    (1u << (type))
#define IN_GENESIS  IN(FRZ_GENESIS)
#define IN_SEGMENT  IN(FRZ_SEGMENT)
#define IN_TICK	    IN(FRZ_TICK)
#define IN_SEAL	    IN(FRZ_SEAL)
#define IN_RECOVERY IN(FRZ_RECOVERY)
#define IN_CUSTODY  IN(FRZ_CUSTODY)
#define IN_MOMENT   (IN_GENESIS | IN_TICK | IN_SEAL | IN_RECOVERY)
#define IN_TOTALS   (IN_SEGMENT | IN_TICK | IN_SEAL | IN_RECOVERY)

struct key_def {
	uint16_t key;
	uint8_t type;
	uint8_t len;  /* exact length of a value; 0: any */
	uint8_t must; /* IN_*: blocks that need it */
	uint8_t may;  /* blocks that can have it besides */
	uint8_t flags;
	const char *name;
};

static const struct key_def keys[] = {
	{ FRZ_K_CASE_ID, FRZ_T_BYTES, 16, IN_GENESIS, 0, 0, "case-id" },
	{ FRZ_K_EXHIBIT, FRZ_T_TEXT, 0, 0, IN_GENESIS, 0, "exhibit" },
	{ FRZ_K_EXAMINER, FRZ_T_TEXT, 0, 0, IN_GENESIS, 0, "examiner" },
	{ FRZ_K_NOTE, FRZ_T_TEXT, 0, 0, IN_GENESIS, 0, "note" },
	{ FRZ_K_HOSTNAME, FRZ_T_TEXT, 0, IN_GENESIS, 0, 0, "hostname" },
	{ FRZ_K_MACHINE_ID, FRZ_T_TEXT, 0, IN_GENESIS, 0, 0, "machine-id" },
	{ FRZ_K_BOOT_ID, FRZ_T_TEXT, 0, IN_MOMENT | IN_SEGMENT, 0, 0, "boot-id" },
	{ FRZ_K_KERNEL, FRZ_T_TEXT, 0, IN_GENESIS, 0, 0, "kernel" },
	{ FRZ_K_TIMEZONE, FRZ_T_TEXT, 0, IN_GENESIS, 0, 0, "timezone" },
	{ FRZ_K_CLOCK_STATE, FRZ_T_TEXT, 0, IN_GENESIS, 0, 0, "clock-state" },
	{ FRZ_K_UID, FRZ_T_U64, 8, IN_GENESIS, 0, 0, "uid" },
	{ FRZ_K_ARGV, FRZ_T_BYTES, 0, IN_GENESIS, 0, 0, "argv" },
	{ FRZ_K_RECORDER, FRZ_T_TEXT, 0, IN_GENESIS, 0, 0, "recorder" },
	{ FRZ_K_RECORDER_SHA256, FRZ_T_BYTES, 32, IN_GENESIS, 0, 0, "recorder-sha256" },
	{ FRZ_K_TICK_SECONDS, FRZ_T_U64, 8, IN_GENESIS, 0, 0, "tick-seconds" },
	{ FRZ_K_RECORDS, FRZ_T_TEXT, 0, IN_GENESIS, 0, 0, "records" },
	{ FRZ_K_SNAP, FRZ_T_U64, 8, IN_GENESIS, 0, 0, "snap" },
	{ FRZ_K_CAPABILITIES, FRZ_T_U64, 8, IN_GENESIS, 0, 0, "capabilities" },
	{ FRZ_K_EUID, FRZ_T_U64, 8, IN_GENESIS, 0, 0, "euid" },
	{ FRZ_K_ORIGIN_CASE_ID, FRZ_T_BYTES, 16, 0, IN_GENESIS, 0, "origin-case-id" },
	{ FRZ_K_ORIGIN_HEAD, FRZ_T_BYTES, 32, 0, IN_GENESIS, 0, "origin-head" },
	{ FRZ_K_ORIGIN_STATE, FRZ_T_TEXT, 0, 0, IN_GENESIS, 0, "origin-state" },
	{ FRZ_K_ORIGIN_EVENTS, FRZ_T_U64, 8, 0, IN_GENESIS, 0, "origin-events" },
	{ FRZ_K_ORIGIN_RECORDER, FRZ_T_TEXT, 0, 0, IN_GENESIS, 0, "origin-recorder" },
	{ FRZ_K_ORIGIN_RECORDER_SHA256, FRZ_T_BYTES, 32, 0, IN_GENESIS, 0,
	  "origin-recorder-sha256" },
	{ FRZ_K_EXTRACT_FILTER, FRZ_T_TEXT, 0, 0, IN_GENESIS, 0, "extract-filter" },
	{ FRZ_K_EXTRACT_RULES_SHA256, FRZ_T_BYTES, 32, 0, IN_GENESIS, 0, "extract-rules-sha256" },
	{ FRZ_K_EXTRACT_LEFT_OUT, FRZ_T_TEXT, 0, 0, IN_GENESIS, 0, "extract-left-out" },
	{ FRZ_K_EXTRACT_REAL, FRZ_T_U64, 8, 0, IN_GENESIS, 0, "extract-real" },
	{ FRZ_K_MONO, FRZ_T_U64, 8, IN_MOMENT, 0, 0, "mono" },
	{ FRZ_K_REAL, FRZ_T_U64, 8, IN_MOMENT, 0, 0, "real" },
	{ FRZ_K_FRAME_BYTES, FRZ_T_U64, 8, IN_SEGMENT, 0, 0, "frame-bytes" },
	{ FRZ_K_FRAME_SHA256, FRZ_T_BYTES, 32, IN_SEGMENT, 0, 0, "frame-sha256" },
	{ FRZ_K_RAW_BYTES, FRZ_T_U64, 8, IN_SEGMENT, 0, 0, "raw-bytes" },
	{ FRZ_K_RAW_SHA256, FRZ_T_BYTES, 32, IN_SEGMENT, 0, 0, "raw-sha256" },
	{ FRZ_K_FIRST_EVENT, FRZ_T_U64, 8, IN_SEGMENT, 0, 0, "first-event" },
	{ FRZ_K_EVENTS, FRZ_T_U64, 8, IN_TOTALS, 0, 0, "events" },
	{ FRZ_K_LOST, FRZ_T_U64, 8, IN_TOTALS, 0, 0, "lost" },
	{ FRZ_K_FIRST_MONO, FRZ_T_U64, 8, IN_SEGMENT, 0, 0, "first-mono" },
	{ FRZ_K_FIRST_REAL, FRZ_T_U64, 8, IN_SEGMENT, 0, 0, "first-real" },
	{ FRZ_K_LAST_MONO, FRZ_T_U64, 8, IN_SEGMENT, 0, 0, "last-mono" },
	{ FRZ_K_LAST_REAL, FRZ_T_U64, 8, IN_SEGMENT, 0, 0, "last-real" },
	{ FRZ_K_RECOVERED, FRZ_T_U64, 8, 0, IN_SEGMENT, 0, "recovered" },
	{ FRZ_K_END_REASON, FRZ_T_TEXT, 0, IN_SEAL, 0, 0, "end-reason" },
	{ FRZ_K_SEGMENTS, FRZ_T_U64, 8, IN_SEAL, 0, 0, "segments" },
	{ FRZ_K_TICKS, FRZ_T_U64, 8, IN_SEAL, 0, 0, "ticks" },
	{ FRZ_K_INDEX, FRZ_T_BYTES, 0, IN_SEAL, 0, 0, "index" },
	{ FRZ_K_CHAIN_HEAD, FRZ_T_BYTES, 32, IN_SEAL, 0, 0, "chain-head" },
	{ FRZ_K_PREFIX_BYTES, FRZ_T_U64, 8, IN_SEAL, 0, 0, "prefix-bytes" },
	{ FRZ_K_PREFIX_SHA256, FRZ_T_BYTES, 32, IN_SEAL, 0, 0, "prefix-sha256" },
	{ FRZ_K_TORN_BYTES, FRZ_T_U64, 8, IN_RECOVERY, 0, 0, "torn-bytes" },
	{ FRZ_K_TORN_SHA256, FRZ_T_BYTES, 32, IN_RECOVERY, 0, 0, "torn-sha256" },
	{ FRZ_K_TAIL_BYTES, FRZ_T_U64, 8, IN_RECOVERY, 0, 0, "tail-bytes" },
	{ FRZ_K_TAIL_SHA256, FRZ_T_BYTES, 32, IN_RECOVERY, 0, 0, "tail-sha256" },
	{ FRZ_K_TAIL_EVENTS, FRZ_T_U64, 8, IN_RECOVERY, 0, 0, "tail-events" },
	{ FRZ_K_STATEMENT, FRZ_T_TEXT, 0, IN_CUSTODY, 0, 0, "statement" },
	{ FRZ_K_SIGNATURE, FRZ_T_BYTES, 0, IN_CUSTODY, 0, 0, "signature" },
};

#define NKEYS (sizeof(keys) / sizeof(keys[0]))

static const struct key_def *key_def(unsigned key)
{
	for (size_t i = 0; i < NKEYS; i++)
		if (keys[i].key == key)
			return &keys[i];
	return NULL;
}

const char *frz_key_name(unsigned key)
{
	const struct key_def *d = key_def(key);

	return d ? d->name : NULL;
}

const char *frz_block_type_name(unsigned type)
{
	/* clang-format off */
	static const char *const name[] = {
		[FRZ_GENESIS] = "GENESIS",
		[FRZ_SEGMENT] = "SEGMENT",
		[FRZ_TICK] = "TICK",
		[FRZ_SEAL] = "SEAL",
		[FRZ_RECOVERY] = "RECOVERY",
		[FRZ_CUSTODY] = "CUSTODY",
	};
	/* clang-format on */

	return type < sizeof(name) / sizeof(name[0]) ? name[type] : NULL;
}

static void block_link(const uint8_t *block, size_t n, uint8_t out[FRZ_HASH_LEN])
{
	struct frz_sha256 h;

	frz_sha256_init(&h);
	frz_sha256_add(&h, FRZ_LINK_DOMAIN, sizeof(FRZ_LINK_DOMAIN));
	frz_sha256_add(&h, block, n);
	frz_sha256_peek(&h, out);
}

/* ---- building ---- */

void frz_block_begin(struct frz_block_builder *w, struct frz_buf *b, enum frz_block_type type,
		     uint64_t index, uint64_t offset, const uint8_t prev[FRZ_HASH_LEN])
{
	uint8_t head[FRZ_HEAD_LEN] = { 0 };

	*w = (struct frz_block_builder){ .b = b, .start = b->len, .nfields = 0, .last_key = -1 };
	frz_put32(head, FRZ_BLOCK_MAGIC);
	memcpy(head + 8, "frz", 3);
	head[11] = FRZ_VERSION;
	head[12] = (uint8_t)type;
	frz_put64(head + 16, index);
	frz_put64(head + 24, offset);
	memcpy(head + 32, prev, FRZ_HASH_LEN);
	frz_buf_bytes(b, head, sizeof(head));
}

static void put_field(struct frz_block_builder *w, enum frz_key key, uint8_t type, const void *p,
		      size_t n)
{
	const struct key_def *d = key_def(key);
	uint8_t head[FRZ_FIELD_HEAD];

	/* a key out of order or of another type would make a block that no reader takes */
	if ((int)key <= w->last_key || !d || d->type != type || (d->len && d->len != n) ||
	    n > FRZ_BLOCK_MAX || w->nfields == FRZ_FIELDS_MAX) {
		w->b->full = true;
		return;
	}
	frz_put16(head, (uint16_t)key);
	head[2] = d->type;
	head[3] = d->flags;
	frz_put32(head + 4, (uint32_t)n);
	frz_buf_bytes(w->b, head, sizeof(head));
	frz_buf_bytes(w->b, p, n);
	w->last_key = (int)key;
	w->nfields++;
}

void frz_block_u64(struct frz_block_builder *w, enum frz_key key, uint64_t v)
{
	uint8_t value[8];

	frz_put64(value, v);
	put_field(w, key, FRZ_T_U64, value, sizeof(value));
}

void frz_block_bytes(struct frz_block_builder *w, enum frz_key key, const void *p, size_t n)
{
	put_field(w, key, FRZ_T_BYTES, p, n);
}

void frz_block_text(struct frz_block_builder *w, enum frz_key key, const char *s)
{
	put_field(w, key, FRZ_T_TEXT, s, strlen(s));
}

enum frz_err frz_block_finish(struct frz_block_builder *w, uint8_t link_out[FRZ_HASH_LEN])
{
	struct frz_buf *b = w->b;
	size_t n = b->len - w->start;

	if (b->full || n + FRZ_HASH_LEN > FRZ_BLOCK_MAX || b->cap - b->len < FRZ_HASH_LEN)
		return FRZ_E_SPACE;
	frz_put32(b->p + w->start + 4, (uint32_t)(n + FRZ_HASH_LEN - 8));
	frz_put32(b->p + w->start + 64, w->nfields);
	block_link(b->p + w->start, n, link_out);
	frz_buf_bytes(b, link_out, FRZ_HASH_LEN);
	return FRZ_OK;
}

/* ---- parsing ---- */

enum frz_err frz_block_size(const void *p, size_t avail, size_t *total)
{
	const uint8_t *b = p;
	uint64_t n;

	if (avail < 8)
		return FRZ_E_TRUNCATED;
	if (frz_get32(b) != FRZ_BLOCK_MAGIC)
		return FRZ_E_NOT_FRZ;
	n = (uint64_t)frz_get32(b + 4) + 8;
	if (n < FRZ_HEAD_LEN + FRZ_HASH_LEN || n > FRZ_BLOCK_MAX)
		return FRZ_E_LIMIT;
	*total = (size_t)n;
	return FRZ_OK;
}

struct field {
	unsigned key, type, flags;
	const uint8_t *p;
	size_t n;
};

/* 1: *f is a field; 0: no more; -1: the field does not fit. */
static int next_field(struct frz_cur *c, struct field *f)
{
	const uint8_t *h;

	if (frz_cur_left(c) == 0)
		return 0;
	h = frz_take(c, FRZ_FIELD_HEAD);
	if (!h)
		return -1;
	f->key = frz_get16(h);
	f->type = h[2];
	f->flags = h[3];
	f->n = frz_get32(h + 4);
	f->p = frz_take(c, f->n);
	return f->p ? 1 : -1;
}

static enum frz_err fail(const char **why, enum frz_err err, const char *what)
{
	*why = what;
	return err;
}

static enum frz_err fail_field(const char **why, enum frz_err err, unsigned key, const char *what)
{
	static _Thread_local char line[120];
	const struct key_def *d = key_def(key);

	if (d)
		snprintf(line, sizeof(line), "field %s %s", d->name, what);
	else
		snprintf(line, sizeof(line), "field %u %s", key, what);
	*why = line;
	return err;
}

static bool find_field(const struct frz_block *blk, unsigned key, struct field *f)
{
	struct frz_cur c = blk->fields;

	while (next_field(&c, f) > 0)
		if (f->key == key)
			return true;
	return false;
}

static enum frz_err check_value(const struct field *f, const struct key_def *d, unsigned block_bit,
				const char **why)
{
	if (f->flags != d->flags)
		return fail_field(why, FRZ_E_CORRUPT, f->key, "has flags that it cannot have");
	if (f->type != d->type)
		return fail_field(why, FRZ_E_CORRUPT, f->key, "has another type than it must have");
	if (!((d->must | d->may) & block_bit))
		return fail_field(why, FRZ_E_CORRUPT, f->key, "does not belong into this block");
	if (d->len && f->n != d->len)
		return fail_field(why, FRZ_E_CORRUPT, f->key, "has the wrong length");
	if (d->type == FRZ_T_TEXT && memchr(f->p, 0, f->n))
		return fail_field(why, FRZ_E_CORRUPT, f->key, "holds a NUL byte");
	return FRZ_OK;
}

/* What makes a case an extract stands in GENESIS whole or not at all. */
static enum frz_err check_origin(const struct frz_block *blk, const char **why)
{
	struct field f;
	bool is = find_field(blk, FRZ_K_ORIGIN_CASE_ID, &f);

	for (unsigned key = FRZ_K_ORIGIN_CASE_ID; key <= FRZ_K_EXTRACT_REAL; key++) {
		bool has = find_field(blk, key, &f);

		if (is && !has && key != FRZ_K_EXTRACT_RULES_SHA256)
			return fail_field(why, FRZ_E_CORRUPT, key, "is missing");
		if (!is && has)
			return fail_field(why, FRZ_E_CORRUPT, key, "stands in no extract");
	}
	return FRZ_OK;
}

static enum frz_err check_fields(const struct frz_block *blk, const char **why)
{
	struct frz_cur c = blk->fields;
	unsigned block_bit = IN(blk->type), n = 0;
	struct field f;
	int last = -1, r;

	while ((r = next_field(&c, &f)) > 0) {
		const struct key_def *d = key_def(f.key);
		enum frz_err err;

		n++;
		if ((int)f.key <= last)
			return fail_field(why, FRZ_E_CORRUPT, f.key, "stands out of order");
		last = (int)f.key;
		if (f.flags & ~(unsigned)FRZ_FIELD_ANCILLARY)
			return fail_field(why, FRZ_E_CORRUPT, f.key, "has reserved flags set");
		if (d) {
			err = check_value(&f, d, block_bit, why);
			if (err != FRZ_OK)
				return err;
		} else if (!(f.flags & FRZ_FIELD_ANCILLARY)) {
			return fail_field(why, FRZ_E_UNKNOWN, f.key,
					  "is critical and not known to this version");
		} else if (f.type < FRZ_T_U64 || f.type > FRZ_T_TEXT ||
			   (f.type <= FRZ_T_I64 && f.n != 8) ||
			   (f.type == FRZ_T_TEXT && memchr(f.p, 0, f.n))) {
			return fail_field(why, FRZ_E_CORRUPT, f.key,
					  "has a type or value that cannot be");
		}
	}
	if (r < 0)
		return fail(why, FRZ_E_CORRUPT, "a field is longer than its block");
	if (n != blk->nfields)
		return fail(why, FRZ_E_CORRUPT, "the number of fields is not the one stated");
	for (size_t i = 0; i < NKEYS; i++)
		if ((keys[i].must & block_bit) && !find_field(blk, keys[i].key, &f))
			return fail_field(why, FRZ_E_CORRUPT, keys[i].key, "is missing");
	if (blk->type == FRZ_GENESIS)
		return check_origin(blk, why);
	return FRZ_OK;
}

enum frz_err frz_block_parse(const void *p, size_t len, uint64_t want_index, uint64_t want_offset,
			     const uint8_t want_prev[FRZ_HASH_LEN], struct frz_block *out,
			     const char **why)
{
	const uint8_t *b = p;
	uint8_t link[FRZ_HASH_LEN];
	size_t total = 0;
	enum frz_err err = frz_block_size(p, len, &total);

	if (err == FRZ_E_TRUNCATED || (err == FRZ_OK && total > len))
		return fail(why, FRZ_E_TRUNCATED, "the block is cut short");
	if (err == FRZ_E_NOT_FRZ)
		return fail(why, err, "no block begins here");
	if (err != FRZ_OK)
		return fail(why, err, "the block's size is out of bounds");
	if (memcmp(b + 8, "frz", 3) != 0)
		return fail(why, FRZ_E_NOT_FRZ, "a skippable frame that is no block");
	if (b[11] != FRZ_VERSION)
		return fail(why, FRZ_E_VERSION, "the block's version is not known");

	block_link(b, total - FRZ_HASH_LEN, link);
	if (memcmp(link, b + total - FRZ_HASH_LEN, FRZ_HASH_LEN) != 0)
		return fail(why, FRZ_E_CORRUPT, "the link does not match the block's bytes");
	*out = (struct frz_block){
		.type = b[12],
		.index = frz_get64(b + 16),
		.offset = frz_get64(b + 24),
		.nfields = frz_get32(b + 64),
		.fields = frz_cur_of(b + FRZ_HEAD_LEN, total - FRZ_HEAD_LEN - FRZ_HASH_LEN),
		.total = total,
	};
	memcpy(out->prev, b + 32, FRZ_HASH_LEN);
	memcpy(out->link, link, FRZ_HASH_LEN);
	if (out->index != want_index)
		return fail(why, FRZ_E_CORRUPT, "the block's index is not the next one");
	if (out->offset != want_offset)
		return fail(why, FRZ_E_CORRUPT, "the block says that it stands elsewhere");
	if (memcmp(out->prev, want_prev, FRZ_HASH_LEN) != 0)
		return fail(why, FRZ_E_CORRUPT, "the block does not continue the one before it");
	if (b[13] || b[14] || b[15] || frz_get32(b + 68))
		return fail(why, FRZ_E_CORRUPT, "reserved bytes are not zero");
	if (out->nfields > FRZ_FIELDS_MAX)
		return fail(why, FRZ_E_LIMIT, "too many fields");
	if (!frz_block_type_name(out->type))
		return fail(why, FRZ_E_UNKNOWN, "the block's type is not known");
	return check_fields(out, why);
}

bool frz_field_u64(const struct frz_block *blk, enum frz_key key, uint64_t *v)
{
	struct field f;

	if (!find_field(blk, key, &f) || f.n != 8)
		return false;
	*v = frz_get64(f.p);
	return true;
}

bool frz_field_bytes(const struct frz_block *blk, enum frz_key key, const uint8_t **p, size_t *n)
{
	struct field f;

	if (!find_field(blk, key, &f))
		return false;
	*p = f.p;
	*n = f.n;
	return true;
}

bool frz_block_next_unknown(const struct frz_block *blk, struct frz_cur *c, unsigned *key,
			    size_t *n)
{
	struct field f;

	if (!c->p)
		*c = blk->fields;
	while (next_field(c, &f) > 0) {
		if (!key_def(f.key)) {
			*key = f.key;
			*n = f.n;
			return true;
		}
	}
	return false;
}
