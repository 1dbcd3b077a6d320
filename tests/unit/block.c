/*
 * block.c - tests of common/block.c: what is built parses, and nothing else does.
 */
#include "block.h"
#include "sha256.h"
#include "tap.h"

static const uint8_t prev[FRZ_HASH_LEN] = { 1, 2, 3 };
static uint8_t mem[65536];
static uint8_t link_out[FRZ_HASH_LEN];

static size_t tick(uint64_t index, uint64_t offset)
{
	struct frz_buf b = { .p = mem, .cap = sizeof(mem) };
	struct frz_block_builder w;

	frz_block_begin(&w, &b, FRZ_TICK, index, offset, prev);
	frz_block_text(&w, FRZ_K_BOOT_ID, "boot");
	frz_block_u64(&w, FRZ_K_MONO, 1000);
	frz_block_u64(&w, FRZ_K_REAL, 2000);
	frz_block_u64(&w, FRZ_K_EVENTS, 3);
	frz_block_u64(&w, FRZ_K_LOST, 0);
	return frz_block_finish(&w, link_out) == FRZ_OK ? b.len : 0;
}

/* Computes the link anew after mem was changed, as a forger would. */
static void relink(uint8_t *p, size_t len)
{
	struct frz_sha256 h;

	frz_sha256_init(&h);
	frz_sha256_add(&h, FRZ_LINK_DOMAIN, sizeof(FRZ_LINK_DOMAIN));
	frz_sha256_add(&h, p, len - FRZ_HASH_LEN);
	frz_sha256_peek(&h, p + len - FRZ_HASH_LEN);
}

static enum frz_err parse(size_t len, struct frz_block *blk)
{
	const char *why = NULL;
	enum frz_err err = frz_block_parse(mem, len, 7, 4096, prev, blk, &why);

	if (err != FRZ_OK && (!why || !*why || strchr(why, '\n')))
		ok(false, "an error without its one line");
	return err;
}

static void round_trip(void)
{
	size_t len = tick(7, 4096), n = 0, total = 0;
	struct frz_block blk = { 0 };
	const uint8_t *p = NULL;
	uint64_t v = 0;

	ok(parse(len, &blk) == FRZ_OK, "what was built parses");
	ok(blk.type == FRZ_TICK && blk.index == 7 && blk.offset == 4096 && blk.nfields == 5 &&
		   blk.total == len && !memcmp(blk.link, link_out, FRZ_HASH_LEN) &&
		   !memcmp(blk.prev, prev, FRZ_HASH_LEN),
	   "with the same head");
	ok(frz_field_u64(&blk, FRZ_K_MONO, &v) && v == 1000, "a number reads back");
	ok(frz_field_bytes(&blk, FRZ_K_BOOT_ID, &p, &n) && n == 4 && !memcmp(p, "boot", 4),
	   "a text reads back");
	ok(!frz_field_u64(&blk, FRZ_K_INDEX, &v) && !frz_field_bytes(&blk, FRZ_K_INDEX, &p, &n),
	   "a field that is not there is not found");
	ok(frz_block_size(mem, 8, &total) == FRZ_OK && total == len, "its size shows in 8 bytes");
	ok(frz_block_size(mem, 7, &total) == FRZ_E_TRUNCATED, "but not in 7");
	ok(frz_get32(mem) == 0x184D2A57 && frz_get32(mem + 4) == len - 8,
	   "it is a skippable frame of zstd");
}

static void every_bit(void)
{
	size_t len = tick(7, 4096);
	unsigned accepted = 0;
	struct frz_block blk;

	for (size_t i = 0; i < len * 8; i++) {
		mem[i / 8] ^= (uint8_t)(1 << i % 8);
		accepted += parse(len, &blk) == FRZ_OK;
		mem[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	is_int(accepted, 0, "a block with any one bit changed is refused");
	accepted = 0;
	for (size_t n = 0; n < len; n++)
		accepted += parse(n, &blk) != FRZ_E_TRUNCATED;
	is_int(accepted, 0, "cut at any length it is truncated");
}

static void position(void)
{
	struct frz_block blk = { 0 };
	uint8_t other[FRZ_HASH_LEN] = { 0 };
	const char *why;
	size_t len = tick(7, 4096);

	ok(frz_block_parse(mem, len, 8, 4096, prev, &blk, &why) == FRZ_E_CORRUPT, "another index");
	ok(blk.total == len, "a block whose link is right is handed out even so");
	ok(frz_block_parse(mem, len, 7, 4097, prev, &blk, &why) == FRZ_E_CORRUPT, "another offset");
	ok(frz_block_parse(mem, len, 7, 4096, other, &blk, &why) == FRZ_E_CORRUPT,
	   "another block before it");
	blk.total = 0;
	mem[100] ^= 1;
	ok(frz_block_parse(mem, len, 7, 4096, prev, &blk, &why) == FRZ_E_CORRUPT && blk.total == 0,
	   "one whose link is wrong is not");
}

/* A TICK with its fields given raw, and a right link. */
struct raw_field {
	uint16_t key;
	uint8_t type, flags;
	uint32_t len;
	const char *value;
};

static enum frz_err parse_fields(const struct raw_field *f, size_t n, uint32_t claim,
				 enum frz_block_type type)
{
	struct frz_buf b = { .p = mem, .cap = sizeof(mem) };
	struct frz_block_builder w;
	struct frz_block blk;

	frz_block_begin(&w, &b, type, 7, 4096, prev);
	for (size_t i = 0; i < n; i++) {
		uint8_t head[8];

		frz_put16(head, f[i].key);
		head[2] = f[i].type;
		head[3] = f[i].flags;
		frz_put32(head + 4, f[i].len);
		frz_buf_bytes(&b, head, 8);
		frz_buf_bytes(&b, f[i].value, f[i].len < 100 ? f[i].len : 0);
	}
	w.nfields = claim;
	if (frz_block_finish(&w, link_out) != FRZ_OK)
		return FRZ_E_SPACE;
	return parse(b.len, &blk);
}

#define NUM8 "\0\0\0\0\0\0\0\0"
#define TICK_FIELDS                                                                                \
	{ FRZ_K_BOOT_ID, FRZ_T_TEXT, 0, 4, "boot" }, { FRZ_K_MONO, FRZ_T_U64, 0, 8, NUM8 },        \
		{ FRZ_K_REAL, FRZ_T_U64, 0, 8, NUM8 }, { FRZ_K_EVENTS, FRZ_T_U64, 0, 8, NUM8 },    \
	{                                                                                          \
		FRZ_K_LOST, FRZ_T_U64, 0, 8, NUM8                                                  \
	}

static void fields(void)
{
	static const struct {
		const char *name;
		enum frz_err want;
		uint32_t nfields, claim;
		struct raw_field f[8];
	} rows[] = {
		{ "the fields of a tick", FRZ_OK, 5, 5, { TICK_FIELDS } },
		{ "one missing", FRZ_E_CORRUPT, 4, 4, { TICK_FIELDS } },
		{ "fewer than stated", FRZ_E_CORRUPT, 5, 6, { TICK_FIELDS } },
		{ "more than stated", FRZ_E_CORRUPT, 5, 4, { TICK_FIELDS } },
		{ "more stated than can be", FRZ_E_LIMIT, 5, 65, { TICK_FIELDS } },
		{ "an unknown ancillary one is skipped",
		  FRZ_OK,
		  6,
		  6,
		  { TICK_FIELDS, { 900, FRZ_T_BYTES, FRZ_FIELD_ANCILLARY, 2, "xy" } } },
		{ "an unknown critical one is not",
		  FRZ_E_UNKNOWN,
		  6,
		  6,
		  { TICK_FIELDS, { 900, FRZ_T_BYTES, 0, 2, "xy" } } },
		{ "an unknown one of no known type",
		  FRZ_E_CORRUPT,
		  6,
		  6,
		  { TICK_FIELDS, { 900, 9, FRZ_FIELD_ANCILLARY, 2, "xy" } } },
		{ "an unknown number of the wrong length",
		  FRZ_E_CORRUPT,
		  6,
		  6,
		  { TICK_FIELDS, { 900, FRZ_T_I64, FRZ_FIELD_ANCILLARY, 2, "xy" } } },
		{ "an unknown text with a NUL",
		  FRZ_E_CORRUPT,
		  6,
		  6,
		  { TICK_FIELDS, { 900, FRZ_T_TEXT, FRZ_FIELD_ANCILLARY, 2, "x\0" } } },
		{ "a reserved flag",
		  FRZ_E_CORRUPT,
		  6,
		  6,
		  { TICK_FIELDS, { 900, FRZ_T_BYTES, 3, 2, "xy" } } },
		{ "a known one called ancillary",
		  FRZ_E_CORRUPT,
		  5,
		  5,
		  { { FRZ_K_BOOT_ID, FRZ_T_TEXT, 1, 4, "boot" },
		    { FRZ_K_MONO, FRZ_T_U64, 0, 8, NUM8 },
		    { FRZ_K_REAL, FRZ_T_U64, 0, 8, NUM8 },
		    { FRZ_K_EVENTS, FRZ_T_U64, 0, 8, NUM8 },
		    { FRZ_K_LOST, FRZ_T_U64, 0, 8, NUM8 } } },
		{ "twice the same",
		  FRZ_E_CORRUPT,
		  6,
		  6,
		  { TICK_FIELDS, { FRZ_K_LOST, FRZ_T_U64, 0, 8, NUM8 } } },
		{ "keys that fall",
		  FRZ_E_CORRUPT,
		  6,
		  6,
		  { TICK_FIELDS, { FRZ_K_REAL, FRZ_T_U64, 0, 8, NUM8 } } },
		{ "one of another block",
		  FRZ_E_CORRUPT,
		  6,
		  6,
		  { TICK_FIELDS, { FRZ_K_SEGMENTS, FRZ_T_U64, 0, 8, NUM8 } } },
		{ "a number of 7 bytes",
		  FRZ_E_CORRUPT,
		  5,
		  5,
		  { { FRZ_K_BOOT_ID, FRZ_T_TEXT, 0, 4, "boot" },
		    { FRZ_K_MONO, FRZ_T_U64, 0, 7, NUM8 },
		    { FRZ_K_REAL, FRZ_T_U64, 0, 8, NUM8 },
		    { FRZ_K_EVENTS, FRZ_T_U64, 0, 8, NUM8 },
		    { FRZ_K_LOST, FRZ_T_U64, 0, 8, NUM8 } } },
		{ "a number called bytes",
		  FRZ_E_CORRUPT,
		  5,
		  5,
		  { { FRZ_K_BOOT_ID, FRZ_T_TEXT, 0, 4, "boot" },
		    { FRZ_K_MONO, FRZ_T_BYTES, 0, 8, NUM8 },
		    { FRZ_K_REAL, FRZ_T_U64, 0, 8, NUM8 },
		    { FRZ_K_EVENTS, FRZ_T_U64, 0, 8, NUM8 },
		    { FRZ_K_LOST, FRZ_T_U64, 0, 8, NUM8 } } },
		{ "a text with a NUL",
		  FRZ_E_CORRUPT,
		  5,
		  5,
		  { { FRZ_K_BOOT_ID, FRZ_T_TEXT, 0, 4, "bo\0t" },
		    { FRZ_K_MONO, FRZ_T_U64, 0, 8, NUM8 },
		    { FRZ_K_REAL, FRZ_T_U64, 0, 8, NUM8 },
		    { FRZ_K_EVENTS, FRZ_T_U64, 0, 8, NUM8 },
		    { FRZ_K_LOST, FRZ_T_U64, 0, 8, NUM8 } } },
		{ "one longer than the block",
		  FRZ_E_CORRUPT,
		  6,
		  6,
		  { TICK_FIELDS, { 900, FRZ_T_BYTES, FRZ_FIELD_ANCILLARY, 1000, "" } } },
		{ "one of 4 GiB",
		  FRZ_E_CORRUPT,
		  6,
		  6,
		  { TICK_FIELDS, { 900, FRZ_T_BYTES, FRZ_FIELD_ANCILLARY, UINT32_MAX, "" } } },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		is_int(parse_fields(rows[i].f, rows[i].nfields, rows[i].claim, FRZ_TICK),
		       rows[i].want, rows[i].name);
	is_int(parse_fields(rows[0].f, 5, 5, (enum frz_block_type)9), FRZ_E_UNKNOWN,
	       "a block of an unknown type");
	is_int(parse_fields(rows[0].f, 5, 5, FRZ_SEAL), FRZ_E_CORRUPT,
	       "a seal with a tick's fields");
}

static void reserved(void)
{
	static const struct {
		size_t at;
		uint8_t value;
		enum frz_err want;
		const char *name;
	} rows[] = {
		{ 8, 'F', FRZ_E_NOT_FRZ, "another tag" },
		{ 11, 2, FRZ_E_VERSION, "another version" },
		{ 13, 1, FRZ_E_CORRUPT, "the first zero" },
		{ 14, 1, FRZ_E_CORRUPT, "the second" },
		{ 15, 1, FRZ_E_CORRUPT, "the third" },
		{ 68, 1, FRZ_E_CORRUPT, "the zero behind the number of fields" },
		{ 71, 0x80, FRZ_E_CORRUPT, "its last byte" },
		{ 0, 0x58, FRZ_E_NOT_FRZ, "another skippable frame" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t len = tick(7, 4096);
		struct frz_block blk;

		mem[rows[i].at] = rows[i].value;
		relink(mem, len);
		is_int(parse(len, &blk), rows[i].want, rows[i].name);
	}
}

static void builder(void)
{
	uint8_t small[100];
	struct frz_buf b = { .p = small, .cap = sizeof(small) };
	struct frz_block_builder w;

	frz_block_begin(&w, &b, FRZ_TICK, 0, 0, prev);
	frz_block_u64(&w, FRZ_K_MONO, 1);
	ok(frz_block_finish(&w, link_out) == FRZ_E_SPACE, "no room for the link");
	b = (struct frz_buf){ .p = mem, .cap = sizeof(mem) };
	frz_block_begin(&w, &b, FRZ_TICK, 0, 0, prev);
	frz_block_u64(&w, FRZ_K_REAL, 1);
	frz_block_u64(&w, FRZ_K_MONO, 1);
	ok(frz_block_finish(&w, link_out) == FRZ_E_SPACE, "a key out of order cannot be built");
	b = (struct frz_buf){ .p = mem, .cap = sizeof(mem) };
	frz_block_begin(&w, &b, FRZ_TICK, 0, 0, prev);
	frz_block_text(&w, FRZ_K_MONO, "1");
	ok(frz_block_finish(&w, link_out) == FRZ_E_SPACE, "nor a key of another type");
	frz_put32(mem, FRZ_BLOCK_MAGIC);
	frz_put32(mem + 4, FRZ_BLOCK_MAX);
	size_t total;
	ok(frz_block_size(mem, 8, &total) == FRZ_E_LIMIT, "a size over the limit");
	frz_put32(mem + 4, 95);
	ok(frz_block_size(mem, 8, &total) == FRZ_E_LIMIT, "a size under the smallest block's");
}

int main(void)
{
	round_trip();
	every_bit();
	position();
	fields();
	reserved();
	builder();
	return tap_done();
}
