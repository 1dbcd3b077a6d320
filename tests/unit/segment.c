/*
 * segment.c - tests of common/segment.c: planes and times there and back, hostile frames.
 */
#include <zstd.h>

#include "casefile.h"
#include "columns.h"
#include "record.h"
#include "segment.h"
#include "sha256.h"
#include "tap.h"

#define FIRST 1000000000u

struct sample {
	uint64_t mono, dur;
};

static const struct sample hard[] = {
	{ FIRST, 0 },
	{ FIRST, 0 },
	{ FIRST + 1, 1 },
	{ FIRST + 300, 299 },
	{ FIRST + 301, 2 }, /* began before the one before it was made */
	{ FIRST + 300, 0 }, /* backwards */
	{ FIRST + 100000, 99999 },
	{ FIRST + 100000 + 70000, 70000 },
	{ FIRST - 5, 5 }, /* before the segment */
	{ 5, 5 },	  /* began when the clock did */
	{ INT64_MAX, 0 },
	{ 1, 1 },
	{ UINT64_MAX, UINT64_MAX },
	{ 0, 0 },
	{ FIRST, FIRST },
};
#define NHARD (sizeof(hard) / sizeof(hard[0]))

/* A segment without events, as its block tells of it. */
static struct frz_case_segment block(size_t raw_len, uint64_t first, uint64_t last)
{
	return (struct frz_case_segment){
		.raw_len = raw_len, .first_event = 1, .first.mono_ns = first, .last.mono_ns = last
	};
}

static size_t stop_record(uint8_t *mem, unsigned tid)
{
	uint8_t body_mem[32];
	struct frz_buf body = { .p = body_mem, .cap = sizeof(body_mem) };
	struct frz_buf rec = { .p = mem, .cap = 64 };

	frz_buf_varint(&body, tid);
	frz_buf_varint(&body, 19);
	frz_enc_record(&rec, FRZ_R_STOPPED, &body);
	return rec.len;
}

static void times(struct frz_packer *p)
{
	struct frz_decoder *d = frz_decoder_new();
	struct frz_case_segment seg;
	struct frz_packed packed;
	struct frz_record rec;
	const char *why = "";
	uint8_t mem[64], *raw = NULL, sha[FRZ_HASH_LEN];
	bool same = true;
	enum frz_err err;

	frz_packer_begin(p, FIRST);
	for (size_t i = 0; i < NHARD; i++)
		frz_packer_add(p, mem, stop_record(mem, (unsigned)i), hard[i].mono, hard[i].dur);
	ok(frz_packer_finish(p, 3, &packed) == FRZ_OK, "packing");
	ok(packed.events == 0, "notes are no events");
	ok(packed.last_mono == UINT64_MAX, "the largest time is told");
	frz_sha256_of(packed.frame, packed.frame_len, sha);
	ok(!memcmp(sha, packed.frame_sha256, sizeof(sha)), "the frame's hash");
	ok(frz_unpack(packed.frame, packed.frame_len, packed.raw_len, &raw, &why) == FRZ_OK,
	   "unpacking %s", why);
	frz_sha256_of(raw, packed.raw_len, sha);
	ok(!memcmp(sha, packed.raw_sha256, sizeof(sha)), "the content's hash");
	seg = block(packed.raw_len, FIRST, packed.last_mono);
	ok(frz_decoder_begin(d, raw, &seg) == FRZ_OK, "its planes");
	for (size_t i = 0; i < NHARD; i++) {
		err = frz_decoder_next(d, &rec, &why);
		if (err != FRZ_OK || rec.mono_ns != hard[i].mono || rec.dur_ns != hard[i].dur) {
			printf("# %zu: %d %s\n", i, err, why);
			same = false;
		}
	}
	ok(same, "times forwards, backwards and at every edge read back");
	ok(frz_decoder_next(d, &rec, &why) == FRZ_END, "and then it ends");
	free(raw);
	frz_decoder_free(d);
}

static void random_times(struct frz_packer *p)
{
	struct frz_decoder *d = frz_decoder_new();
	static struct sample s[20000];
	uint64_t seed = 7, mono = FIRST;
	struct frz_case_segment seg;
	struct frz_packed packed;
	struct frz_record rec;
	const char *why = "";
	uint8_t mem[64], *raw = NULL;
	unsigned wrong = 0;

	frz_packer_begin(p, FIRST);
	for (size_t i = 0; i < 20000; i++) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		mono += seed >> 32 >> (seed & 31);
		s[i].mono = mono;
		s[i].dur = (seed >> 20) % (mono - FIRST + 1) >> (seed >> 5 & 31);
		frz_packer_add(p, mem, stop_record(mem, (unsigned)i), mono, s[i].dur);
	}
	frz_packer_finish(p, 3, &packed);
	frz_unpack(packed.frame, packed.frame_len, packed.raw_len, &raw, &why);
	seg = block(packed.raw_len, FIRST, packed.last_mono);
	frz_decoder_begin(d, raw, &seg);
	for (size_t i = 0; i < 20000; i++)
		wrong += frz_decoder_next(d, &rec, &why) != FRZ_OK || rec.mono_ns != s[i].mono ||
			 rec.dur_ns != s[i].dur;
	is_int(wrong, 0, "20,000 times of all sizes read back");
	ok(frz_decoder_next(d, &rec, &why) == FRZ_END, "and nothing is left over");
	free(raw);
	frz_decoder_free(d);
}

/* A segment that holds something else than its block says. */
static void contradictions(struct frz_packer *p)
{
	static const struct {
		const char *name, *why;
		int64_t events, last; /* more than there are */
	} rows[] = {
		{ "as it is", "", 0, 0 },
		{ "closed later than its last record", "", 0, 1 },
		{ "an event more in the block", "fewer events", 1, 0 },
		{ "an event less", "more events", -1, 0 },
		{ "no event", "more events", -3, 0 },
		{ "closed before its last record", "a time after the end", 0, -1 },
	};
	static const uint8_t event[] = { 0xbf, 0 };
	struct frz_decoder *d = frz_decoder_new();
	struct frz_packed packed;
	const char *why = "";
	uint8_t mem[64], *raw = NULL;

	frz_packer_begin(p, FIRST);
	for (unsigned i = 1; i <= 3; i++) {
		frz_packer_add(p, event, sizeof(event), FIRST + 10 * i, 1);
		frz_packer_add(p, mem, stop_record(mem, i), FIRST + 10 * i, 0);
	}
	frz_packer_finish(p, 3, &packed);
	frz_unpack(packed.frame, packed.frame_len, packed.raw_len, &raw, &why);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct frz_case_segment seg =
			block(packed.raw_len, FIRST, packed.last_mono + (uint64_t)rows[i].last);
		struct frz_record rec = { .seq = 0 };
		uint64_t past = 0;
		enum frz_err err;

		seg.events = packed.events + (uint64_t)rows[i].events;
		why = "";
		frz_decoder_begin(d, raw, &seg);
		while ((err = frz_decoder_next(d, &rec, &why)) == FRZ_OK)
			past += rec.seq > seg.events;
		ok(err == (*rows[i].why ? FRZ_E_CORRUPT : FRZ_END) && !past &&
			   !strncmp(why, rows[i].why, strlen(rows[i].why)),
		   "%s: %s", rows[i].name, *why ? why : "read to its end");
	}
	free(raw);
	frz_decoder_free(d);
}

static void empty(struct frz_packer *p)
{
	struct frz_decoder *d = frz_decoder_new();
	struct frz_case_segment seg;
	struct frz_packed packed;
	struct frz_record rec;
	const char *why = "";
	uint8_t *raw = NULL;

	frz_packer_begin(p, FIRST);
	ok(frz_packer_finish(p, 3, &packed) == FRZ_OK && packed.events == 0 &&
		   packed.last_mono == FIRST,
	   "a segment of nothing");
	seg = block(packed.raw_len, FIRST, packed.last_mono);
	ok(frz_unpack(packed.frame, packed.frame_len, packed.raw_len, &raw, &why) == FRZ_OK &&
		   frz_decoder_begin(d, raw, &seg) == FRZ_OK &&
		   frz_decoder_next(d, &rec, &why) == FRZ_END,
	   "reads back as nothing");
	free(raw);
	frz_decoder_free(d);
}

static void space(void)
{
	struct frz_packer *p = frz_packer_new(20, 2);
	uint8_t mem[64];
	size_t n = stop_record(mem, 1);
	unsigned added = 0;

	while (added < 100 && frz_packer_add(p, mem, n, FIRST, 0) == FRZ_OK)
		added++;
	ok(added == 2, "no more times than were asked for");
	ok(frz_packer_add(p,
			  "\x01\x0f"
			  "123456789012345",
			  17, 0, 0) == FRZ_E_SPACE,
	   "no more bytes either");
	ok(frz_packer_add(p,
			  "\x01\x01"
			  "1",
			  3, 0, 0) == FRZ_OK,
	   "a smaller record still fits");
	frz_packer_free(p);
}

/* Frames that zstd itself would take. */
/* A window of 16 MiB, and one of an eighth more, as its descriptor tells them. */
static void windows(void)
{
	/* checksum, content size in two bytes: 256 */
	uint8_t frame[] = { 0x28, 0xb5, 0x2f, 0xfd, 0x44, 14 << 3, 0, 0, 1, 0, 0 };
	uint8_t *raw;
	const char *why = "";

	ok(frz_unpack(frame, sizeof(frame), 256, &raw, &why) == FRZ_E_CORRUPT,
	   "a window of 16 MiB");
	frame[5]++;
	ok(frz_unpack(frame, sizeof(frame), 256, &raw, &why) == FRZ_E_LIMIT, "of 18 MiB");
}

static void hostile_frames(void)
{
	static uint8_t text[5000], frame[20000];
	struct {
		int checksum, size;
		const char *name;
		bool good;
	} rows[] = {
		{ 1, 1, "with checksum and content size", true },
		{ 0, 1, "without checksum", false },
		{ 1, 0, "without content size", false },
	};
	ZSTD_CCtx *cctx = ZSTD_createCCtx();
	const char *why = "";
	uint8_t *raw;
	size_t n = 0;

	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (uint8_t)(i * i >> 3);
	for (size_t i = 3; i-- > 0;) {
		ZSTD_CCtx_reset(cctx, ZSTD_reset_session_and_parameters);
		ZSTD_CCtx_setParameter(cctx, ZSTD_c_checksumFlag, rows[i].checksum);
		ZSTD_CCtx_setParameter(cctx, ZSTD_c_contentSizeFlag, rows[i].size);
		n = ZSTD_compress2(cctx, frame, sizeof(frame), text, sizeof(text));
		ok((frz_unpack(frame, n, sizeof(text), &raw, &why) == FRZ_OK) == rows[i].good,
		   "a frame %s", rows[i].name);
		free(raw);
	}
	ZSTD_freeCCtx(cctx);
	/* frame[0..n) is now the good one */
	ok(frz_unpack(frame, n, sizeof(text) - 1, &raw, &why) == FRZ_E_CORRUPT && !raw,
	   "another size than the segment's");
	ok(frz_unpack(frame, n, (size_t)FRZ_RAW_MAX + 1, &raw, &why) == FRZ_E_LIMIT,
	   "over the limit");
	ok(frz_unpack(frame, n + 1, sizeof(text), &raw, &why) == FRZ_E_CORRUPT, "a byte behind it");
	memcpy(frame + n, frame, n);
	ok(frz_unpack(frame, 2 * n, sizeof(text), &raw, &why) == FRZ_E_CORRUPT, "two frames");
	unsigned accepted = 0;
	for (size_t k = 0; k < n; k++)
		accepted += frz_unpack(frame, k, sizeof(text), &raw, &why) == FRZ_OK;
	is_int(accepted, 0, "cut at any length");
	for (size_t k = 0; k < 14 * 8; k++) {
		frame[k / 8] ^= (uint8_t)(1 << k % 8);
		if (frz_unpack(frame, n, sizeof(text), &raw, &why) == FRZ_OK) {
			accepted += raw && memcmp(raw, text, sizeof(text)) != 0;
			free(raw);
		}
		frame[k / 8] ^= (uint8_t)(1 << k % 8);
	}
	is_int(accepted, 0, "no changed bit of its header makes other content");
}

/* Raw bytes with a note in them, or what passes for one. A length of -1 is that of the text. */
struct raw_row {
	const char *name;
	uint64_t n, records;
	const char *types, *lens, *bodies, *times, *g, *d;
	int ntypes, nlens, nbodies, ntimes, ng, nd;
	bool begins; /* the columns fit; an error comes later, if at all */
	bool good;
};

static void put_text(struct frz_buf *b, const char *s, int n) { frz_buf_bytes(b, s, (size_t)n); }

static size_t build_raw(const struct raw_row *r, uint8_t *mem, size_t cap)
{
	struct frz_buf b = { .p = mem, .cap = cap };

	frz_buf_varint(&b, r->n);
	frz_buf_varint(&b, r->records);
	frz_buf_varint(&b, (uint64_t)r->ng);
	frz_buf_varint(&b, (uint64_t)r->nd);
	for (unsigned i = 0; i < FRZ_COLUMNS - 2; i++)
		frz_buf_varint(&b, 0);
	frz_buf_varint(&b, (uint64_t)r->nlens);
	frz_buf_varint(&b, (uint64_t)r->nbodies);
	put_text(&b, r->types, r->ntypes);
	put_text(&b, r->lens, r->nlens);
	put_text(&b, r->bodies, r->nbodies);
	put_text(&b, r->times, r->ntimes);
	put_text(&b, r->g, r->ng);
	put_text(&b, r->d, r->nd);
	return b.len;
}

#define NOTE "\xca", "\x02", "\x01\x13"
#define ZERO "\0\0\0\0"

static void hostile_planes(void)
{
	static const struct raw_row rows[] = {
		{ "a good one", 1, 1, NOTE, ZERO, "\0", "\0", 1, 1, 2, 4, 1, 1, true, true },
		{ "a time for no record", 1, 0, "", "", "", ZERO, "\0", "\0", 0, 0, 0, 4, 1, 1,
		  true, false },
		{ "a low byte of a time for no record", 1, 0, "", "", "", ZERO, "", "", 0, 0, 0, 4,
		  0, 0, true, false },
		{ "a record without a time", 0, 1, NOTE, "", "", "", 1, 1, 2, 0, 0, 0, true,
		  false },
		{ "a time in G only", 1, 1, NOTE, ZERO, "\0", "", 1, 1, 2, 4, 1, 0, true, false },
		{ "two times in D for one", 1, 1, NOTE, ZERO, "\0", "\0\0", 1, 1, 2, 4, 1, 2, true,
		  false },
		{ "a crossing that is none", 1, 1, NOTE, ZERO, "\x01", "\0", 1, 1, 2, 4, 1, 1, true,
		  false },
		{ "a gap of 2^64", 1, 1, NOTE, ZERO, "\x80\x80\x80\x80\x80\x80\x80\x01", "\0", 1, 1,
		  2, 4, 8, 1, true, false },
		{ "a call from before the clock", 1, 1, NOTE, "\0\x10\0\0", "\x01", "\0", 1, 1, 2,
		  4, 1, 1, true, false },
		{ "a record of type 0", 0, 1, "\0", "", "", "", "", "", 1, 0, 0, 0, 0, 0, false,
		  false },
		{ "a record over its column", 1, 1, "\xca", "\x03", "\x01\x13", ZERO, "\0", "\0", 1,
		  1, 2, 4, 1, 1, false, false },
		{ "a record that leaves some of it", 1, 1, "\xca", "\x01", "\x01\x13", ZERO, "\0",
		  "\0", 1, 1, 2, 4, 1, 1, false, false },
		{ "a type without a length", 1, 1, "\xca", "", "\x01\x13", ZERO, "\0", "\0", 1, 0,
		  2, 4, 1, 1, false, false },
		{ "a length without a type", 1, 0, "", "\x02", "\x01\x13", ZERO, "\0", "\0", 0, 1,
		  2, 4, 1, 1, false, false },
		{ "a record of 5 MiB", 1, 1, "\xca", "\x80\x80\xc0\x02", "\x01", ZERO, "\0", "\0",
		  1, 4, 1, 4, 1, 1, false, false },
		{ "a padded length", 1, 1, "\xca", "\x82\0", "\x01\x13", ZERO, "\0", "\0", 1, 2, 2,
		  4, 1, 1, false, false },
		{ "planes beyond the end", 2, 1, NOTE, ZERO, "\0", "\0", 1, 1, 2, 4, 1, 1, false,
		  false },
		{ "bytes left over", 1, 1, NOTE, "\0\0\0\0\0", "\0", "\0", 1, 1, 2, 5, 1, 1, false,
		  false },
		{ "2^63 times", 1ull << 63, 1, NOTE, ZERO, "\0", "\0", 1, 1, 2, 4, 1, 1, false,
		  false },
		{ "2^63 records", 1, 1ull << 63, NOTE, ZERO, "\0", "\0", 1, 1, 2, 4, 1, 1, false,
		  false },
	};
	struct frz_decoder *d = frz_decoder_new();
	unsigned wrong = 0;
	uint8_t mem[256];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t n = build_raw(&rows[i], mem, sizeof(mem));
		struct frz_case_segment seg = block(n, 0, UINT64_MAX);
		enum frz_err err = frz_decoder_begin(d, mem, &seg);
		struct frz_record rec;
		const char *why = NULL;
		bool begins = err == FRZ_OK;

		while (err == FRZ_OK)
			err = frz_decoder_next(d, &rec, &why);
		ok(err == (rows[i].good ? FRZ_END : FRZ_E_CORRUPT) && begins == rows[i].begins,
		   "%s: %s", rows[i].name,
		   why	  ? why :
		   begins ? "" :
			    "refused at once");
		for (seg.raw_len = 0; i == 0 && seg.raw_len < n; seg.raw_len++)
			wrong += frz_decoder_begin(d, mem, &seg) != FRZ_E_CORRUPT;
	}
	is_int(wrong, 0, "cut anywhere it is refused");
	frz_decoder_free(d);
}

/* Bodies of all lengths and with all kinds of bytes come back as they were. */
static void columns(struct frz_packer *p)
{
	static uint8_t r[1 << 20], out[1 << 20];
	struct frz_columns c = { 0 };
	struct frz_cur col[FRZ_COLUMNS];
	struct frz_buf b = { .p = r, .cap = sizeof(r) };
	uint64_t seed = 3;
	size_t at;

	for (unsigned i = 0; i < 20000; i++) {
		uint8_t body_mem[300];
		struct frz_buf body = { .p = body_mem, .cap = sizeof(body_mem) };
		size_t start = b.len;

		seed = seed * 6364136223846793005u + 1442695040888963407u;
		body.len = i % 100 ? (seed >> 40) % 40 : 300;
		for (size_t k = 0; k < body.len; k++)
			body_mem[k] = (uint8_t)(seed >> (k % 50) | (i % 3 == 0 ? 0x80 : 0));
		frz_enc_record(&b, (enum frz_rec)(1 + (seed >> 33) % 255), &body);
		if (b.full || !frz_columns_count(&c, r + start, b.len - start))
			break;
	}
	ok(!b.full && c.records == 20000, "20,000 records of every type");
	frz_columns_split(&c, r, b.len, out);
	at = c.records;
	for (unsigned i = 0; i < FRZ_COLUMNS; i++) {
		col[i] = frz_cur_of(out + at, c.len[i]);
		at += c.len[i];
	}
	ok(at == b.len, "their columns have as many bytes");
	static uint8_t back[1 << 20];
	ok(frz_columns_join(out, c.records, col, back), "and can be joined");
	is_mem(back, at, r, b.len, "to what they were");

	frz_packer_begin(p, 0);
	ok(frz_packer_add(p,
			  "\x01\x05"
			  "1234",
			  6, 0, 0) == FRZ_E_CORRUPT &&
		   frz_packer_add(p,
				  "\x01\x03"
				  "1234",
				  6, 0, 0) == FRZ_E_CORRUPT &&
		   frz_packer_add(p,
				  "\0\x01"
				  "1",
				  3, 0, 0) == FRZ_E_CORRUPT &&
		   frz_packer_add(p, "\x01", 1, 0, 0) == FRZ_E_CORRUPT,
	   "what is not one record is not packed");
}

int main(void)
{
	struct frz_packer *p = frz_packer_new(1u << 20, 50000);

	times(p);
	random_times(p);
	contradictions(p);
	empty(p);
	times(p);
	columns(p);
	frz_packer_free(p);
	space();
	windows();
	hostile_frames();
	hostile_planes();
	return tap_done();
}
