/*
 * tamper.c - everything that can be done to a case without computing hashes anew, done to
 * four small cases: sealed, not sealed, recovered, with custody entries.
 *
 * - every bit of every byte changed: damage, in the very block that holds the bit
 * - cut at every length: truncated; not sealed only at the end of a block; whole only at the
 *   end of the SEAL or of a custody entry
 * - every byte left out, and a byte put in at every place
 * - blocks left out, doubled, exchanged, taken from another case of the same host; frames of
 *   others put in; segments compressed anew; junk behind the end
 *
 * FREC_FULL=1 does the first on larger cases.
 */
#include <stdio.h>
#include <zstd.h>

#include "casebuild.h"
#include "casefile.h"
#include "tap.h"

enum form { SEALED, UNSEALED, RECOVERED, CUSTODY, FORMS };
static const char *const form_name[] = { "sealed", "not sealed", "recovered", "in custody" };

static struct cb made[FORMS], other;
static struct frz_decoder *decoder;
static uint8_t *work;

static void make(struct cb *b, enum form form, uint64_t seed, unsigned events)
{
	cb_init(b, seed);
	cb_genesis(b);
	cb_segment(b, events, 0);
	cb_segment(b, events / 2, 0);
	cb_tick(b);
	cb_segment(b, events, 2);
	if (form == UNSEALED)
		return;
	if (form == RECOVERED)
		cb_recovery(b);
	cb_seal(b);
	if (form != CUSTODY)
		return;
	cb_custody(b, "a statement\n", "-----BEGIN SSH SIGNATURE-----\n");
	cb_custody(b, "another statement\n", "-----BEGIN SSH SIGNATURE-----\n");
}

/* Which block, with the frame behind it, holds this byte. */
static uint64_t block_of(const struct cb *b, size_t at)
{
	uint64_t i = b->blocks - 1;

	while (b->block_at[i] > at)
		i--;
	return i;
}

/* The strict reader over all of it, every record decoded. */
static enum frz_err verdict(const uint8_t *p, size_t n, unsigned flags, struct frz_fault *fault)
{
	struct frz_case_item it;
	struct frz_record rec;
	struct frz_case *c;
	uint64_t next = 1;
	const char *why;
	enum frz_err err = frz_case_open_memory(p, n, flags, &c, fault);

	if (err != FRZ_OK)
		return err;
	while ((err = frz_case_next(c, &it, fault)) == FRZ_OK) {
		enum frz_err seg;
		uint8_t *raw;

		if (it.type != FRZ_SEGMENT)
			continue;
		if (it.segment.first_event < next) {
			err = FRZ_E_SPACE; /* cannot be, whatever the damage */
			break;
		}
		next = it.segment.first_event + it.segment.events;
		seg = frz_case_raw(c, &raw, fault);
		if (seg == FRZ_OK)
			seg = frz_decoder_begin(decoder, raw, it.segment.raw_len,
						it.segment.first_event, it.segment.first.mono_ns);
		while (seg == FRZ_OK)
			seg = frz_decoder_next(decoder, &rec, &why);
		free(raw);
		if (seg != FRZ_END) {
			err = seg;
			break;
		}
	}
	frz_case_close(c);
	return err;
}

static bool damaged(enum frz_err err)
{
	return err < 0 && err != FRZ_E_UNSEALED && err != FRZ_E_SPACE && err != FRZ_E_NOMEM;
}

static void every_bit(const struct cb *b, const char *name)
{
	unsigned missed = 0, misplaced = 0, stuck = 0;
	struct frz_fault fault;
	size_t n = b->file.len;

	memcpy(work, b->file.p, n);
	for (size_t bit = 0; bit < 8 * n; bit++) {
		enum frz_err err;

		work[bit / 8] ^= (uint8_t)(1 << bit % 8);
		err = verdict(work, n, 0, &fault);
		missed += !damaged(err);
		misplaced += fault.block != block_of(b, bit / 8) || fault.offset > bit / 8 ||
			     !*fault.what;
		if (bit % 13 == 0)
			stuck += verdict(work, n, FRZ_CASE_ALLOW_DAMAGED, &fault) == FRZ_E_SPACE;
		work[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	is_int(missed, 0, "no changed bit goes unseen");
	is_int(misplaced, 0, "the block that holds it is named");
	is_int(stuck, 0, "reading past it never repeats an event");
	diag("%s: %zu bytes, %zu bits", name, n, 8 * n);
}

static enum frz_err want_cut(const struct cb *b, enum form form, size_t n)
{
	uint64_t seal = form == UNSEALED ? b->blocks :
			form == CUSTODY	 ? b->blocks - 3 :
					   b->blocks - 1;

	if (n == 0)
		return FRZ_E_NOT_FRZ;
	for (uint64_t i = 1; i < b->blocks; i++)
		if (b->block_at[i] == n)
			return i > seal ? FRZ_END : FRZ_E_UNSEALED;
	return FRZ_E_TRUNCATED;
}

static void every_length(const struct cb *b, enum form form)
{
	unsigned wrong = 0;
	struct frz_fault fault;

	for (size_t n = 0; n < b->file.len; n++) {
		enum frz_err err = verdict(b->file.p, n, 0, &fault), want = want_cut(b, form, n);

		wrong += err != want;
		if (err == FRZ_E_TRUNCATED || err == FRZ_E_UNSEALED)
			wrong += fault.offset > n;
		err = verdict(b->file.p, n, FRZ_CASE_ALLOW_DAMAGED, &fault);
		wrong += err != want;
	}
	is_int(wrong, 0, "cut at every length: truncated, or not sealed at the end of a block");
}

static void every_byte(const struct cb *b)
{
	unsigned missed = 0;
	struct frz_fault fault;
	size_t n = b->file.len;

	for (size_t at = 0; at < n; at++) {
		memcpy(work, b->file.p, at);
		memcpy(work + at, b->file.p + at + 1, n - at - 1);
		missed += !damaged(verdict(work, n - 1, 0, &fault));
		/* a byte that differs from its neighbours, so that something really changed */
		work[at] = (uint8_t)(~b->file.p[at] & 0x7f);
		memcpy(work + at + 1, b->file.p + at, n - at);
		missed += !damaged(verdict(work, n + 1, 0, &fault));
	}
	work[0] = 0;
	is_int(missed, 0, "no byte can be left out, none put in");
}

/* ---- whole blocks ---- */

struct piece {
	const uint8_t *p;
	size_t n;
};

static struct piece block(const struct cb *b, uint64_t i)
{
	size_t end = i + 1 < b->blocks ? b->block_at[i + 1] : b->file.len;

	return (struct piece){ b->file.p + b->block_at[i], end - b->block_at[i] };
}

static size_t put(size_t at, struct piece p)
{
	memcpy(work + at, p.p, p.n);
	return at + p.n;
}

static bool refused(size_t n, const struct cb *b)
{
	struct frz_fault fault;
	enum frz_err err = verdict(work, n, 0, &fault);

	/* only an end can be missing without a trace, in a case that has no SEAL */
	return damaged(err) && fault.block <= b->blocks && *fault.what;
}

/* Frames that stock zstd reads past or through. */
static struct piece frames_of_others(unsigned i)
{
	static uint8_t frame[64];
	static size_t n;

	if (!n)
		n = ZSTD_compress(frame, sizeof(frame), "x", 1, 3);
	switch (i) {
	case 0:
		return (struct piece){ (const uint8_t *)"\x50\x2a\x4d\x18\0\0\0\0", 8 };
	case 1:
		return (struct piece){ (const uint8_t *)"\x57\x2a\x4d\x18\x04\0\0\0abcd", 12 };
	case 2:
		return (struct piece){ (const uint8_t *)"\x5e\x2a\x4d\x18\x04\0\0\0abcd", 12 };
	default:
		return (struct piece){ frame, n };
	}
}

static unsigned accepted_by_zstd;

static void note_zstd(size_t n)
{
	static uint8_t out[1 << 20];

	accepted_by_zstd += !ZSTD_isError(ZSTD_decompress(out, sizeof(out), work, n));
}

static void rearranged(const struct cb *b, enum form form)
{
	unsigned dropped = 0, doubled = 0, swapped = 0, spliced = 0, inserted = 0, tried = 0;
	uint64_t last = b->blocks - 1;

	accepted_by_zstd = 0;
	for (uint64_t k = 0; k < b->blocks; k++) {
		size_t n = 0;

		/* leaving out the last block of a case is a cut; every_length has that */
		for (uint64_t i = 0; i < b->blocks; i++)
			n = i == k ? n : put(n, block(b, i));
		if (k != last) {
			dropped += !refused(n, b);
			note_zstd(n);
			tried++;
		}
		n = 0;
		for (uint64_t i = 0; i < b->blocks; i++) {
			n = put(n, block(b, i));
			n = i == k ? put(n, block(b, i)) : n;
		}
		doubled += !refused(n, b);
		note_zstd(n);
		tried++;
		for (uint64_t j = k + 1; j < b->blocks; j++) {
			n = 0;
			for (uint64_t i = 0; i < b->blocks; i++)
				n = put(n, block(b, i == k ? j : i == j ? k : i));
			swapped += !refused(n, b);
			note_zstd(n);
			tried++;
		}
		n = 0;
		for (uint64_t i = 0; i < b->blocks; i++)
			n = put(n, block(i == k ? &other : b, i < other.blocks ? i : 1));
		if (k < other.blocks) {
			spliced += !refused(n, b);
			note_zstd(n);
			tried++;
		}
	}
	for (uint64_t k = 0; k <= b->blocks; k++) {
		for (unsigned f = 0; f < 4; f++) {
			size_t n = 0;

			for (uint64_t i = 0; i < b->blocks; i++) {
				n = i == k ? put(n, frames_of_others(f)) : n;
				n = put(n, block(b, i));
			}
			n = k == b->blocks ? put(n, frames_of_others(f)) : n;
			inserted += !refused(n, b);
			note_zstd(n);
			tried++;
		}
	}
	is_int(dropped, 0, "no block can be left out");
	is_int(doubled, 0, "none doubled");
	is_int(swapped, 0, "no two exchanged");
	is_int(spliced, 0, "none taken from another case of the same host");
	is_int(inserted, 0, "no frame of another kind put in anywhere");
	ok(accepted_by_zstd > tried / 2, "zstd itself takes %u of these %u (%s)", accepted_by_zstd,
	   tried, form_name[form]);
}

/* Both halves of a segment: its block from here, its frame from there. */
static void exchanged_frames(const struct cb *b)
{
	struct piece s1 = block(b, 1), s2 = block(b, 2);
	size_t h1 = 8 + frz_get32(s1.p + 4), h2 = 8 + frz_get32(s2.p + 4), n = 0;
	static uint8_t raw[1 << 20], frame[1 << 20];
	size_t nraw, nframe;

	n = put(n, block(b, 0));
	n = put(n, (struct piece){ s1.p, h1 });
	n = put(n, (struct piece){ s2.p + h2, s2.n - h2 });
	n = put(n, (struct piece){ s2.p, h2 });
	n = put(n, (struct piece){ s1.p + h1, s1.n - h1 });
	for (uint64_t i = 3; i < b->blocks; i++)
		n = put(n, block(b, i));
	ok(refused(n, b), "the frames of two segments exchanged");

	nraw = ZSTD_decompress(raw, sizeof(raw), s1.p + h1, s1.n - h1);
	nframe = ZSTD_compress(frame, sizeof(frame), raw, nraw, 19);
	ok(!ZSTD_isError(nraw) && !ZSTD_isError(nframe) &&
		   (nframe != s1.n - h1 || memcmp(frame, s1.p + h1, nframe) != 0),
	   "a segment compressed anew is another frame");
	n = put(0, block(b, 0));
	n = put(n, (struct piece){ s1.p, h1 });
	n = put(n, (struct piece){ frame, nframe });
	for (uint64_t i = 2; i < b->blocks; i++)
		n = put(n, block(b, i));
	ok(refused(n, b), "with the same content; refused even so");
}

static void junk_behind(const struct cb *b)
{
	/* as long as a block's head */
	static const char long_junk[] =
		"junkjunkjunkjunkjunkjunkjunkjunkjunkjunkjunkjunkjunkjunkjunkjunkjunkjunkjunk";
	static const char *const junk[] = { "j", "\0", "\n", long_junk };
	unsigned missed = 0;

	for (size_t i = 0; i < sizeof(junk) / sizeof(junk[0]); i++) {
		size_t n = put(0, (struct piece){ b->file.p, b->file.len });

		n = put(n,
			(struct piece){ (const uint8_t *)junk[i], i == 1 ? 1 : strlen(junk[i]) });
		missed += !refused(n, b);
	}
	is_int(missed, 0, "junk behind the end");
}

int main(void)
{
	const char *full = getenv("FREC_FULL");
	unsigned events = full && *full && *full != '0' ? 200 : 8;

	decoder = frz_decoder_new();
	make(&other, SEALED, 999, 8);
	work = malloc(CB_MAX);
	if (!decoder || !work)
		bail_out("out of memory");
	for (unsigned f = 0; f < FORMS; f++) {
		struct frz_fault fault;
		enum frz_err err;

		make(&made[f], (enum form)f, 1, 8);
		err = verdict(made[f].file.p, made[f].file.len, 0, &fault);
		ok(err == (f == UNSEALED ? FRZ_E_UNSEALED : FRZ_END), "a case that is %s: intact",
		   form_name[f]);
		every_length(&made[f], (enum form)f);
		every_byte(&made[f]);
		rearranged(&made[f], (enum form)f);
		exchanged_frames(&made[f]);
		junk_behind(&made[f]);
		if (events != 8) {
			cb_release(&made[f]);
			make(&made[f], (enum form)f, 1, events);
		}
		every_bit(&made[f], form_name[f]);
		cb_release(&made[f]);
	}
	cb_release(&other);
	frz_decoder_free(decoder);
	free(work);
	return tap_done();
}
