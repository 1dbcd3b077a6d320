/*
 * tamper.c - everything that can be done to a case without computing hashes anew, done to
 * four small cases: sealed, not sealed, recovered, with custody entries. Each is shown to the
 * strict reader and to the verifier of fanalyze, which must agree: what is checked is the exit
 * code of --verify and the block and offset that it names.
 *
 * - every bit of every byte changed: damage, in the very block that holds the bit
 * - cut at every length: truncated; not sealed only at the end of a block; whole only at the
 *   end of the SEAL or of a custody entry; never what was noted elsewhere
 * - every byte left out, and a byte put in at every place
 * - blocks left out, doubled, exchanged, taken from another case of the same host; frames of
 *   others put in; segments compressed anew; junk behind the end
 *
 * FREC_FULL=1 does the first on larger cases. Given names of files, the first two are done to
 * the cases in them.
 */
#include <stdio.h>
#include <zstd.h>

#include "casebuild.h"
#include "casefile.h"
#include "judge.h"

#define BLOCKS_MAX 4096

enum form { SEALED, UNSEALED, RECOVERED, CUSTODY, FORMS };
static const char *const form_name[] = { "sealed", "not sealed", "recovered", "in custody" };

/* A case, and where its blocks are. */
struct subject {
	const uint8_t *p;
	size_t n;
	uint64_t blocks, seal; /* seal: index of the SEAL, or blocks */
	size_t block_at[BLOCKS_MAX];
	uint8_t head[FRZ_HASH_LEN];
	const char *name;
};

static struct cb other;
static struct frz_decoder *decoder;
static uint8_t *work;
static struct judge user;

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
static uint64_t block_of(const struct subject *b, size_t at)
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
			seg = frz_decoder_begin(decoder, raw, &it.segment);
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

/* Finds the blocks of a case, which must be intact. */
static void survey(struct subject *s, const uint8_t *p, size_t n, const char *name)
{
	struct frz_case_item it;
	struct frz_case_head h;
	struct frz_fault fault;
	struct frz_case *c;
	enum frz_err err = frz_case_open_memory(p, n, 0, &c, &fault);

	*s = (struct subject){ .p = p, .n = n, .name = name };
	while (err == FRZ_OK && (err = frz_case_next(c, &it, &fault)) == FRZ_OK) {
		if (s->blocks == BLOCKS_MAX)
			bail_out("a case of too many blocks");
		if (it.type == FRZ_SEAL)
			s->seal = s->blocks;
		s->block_at[s->blocks++] = it.block.offset;
	}
	if (err != FRZ_END && err != FRZ_E_UNSEALED)
		bail_out("a case that is not intact to begin with");
	if (!s->seal)
		s->seal = s->blocks;
	frz_case_head(c, &h);
	memcpy(s->head, h.link, FRZ_HASH_LEN);
	frz_case_close(c);
}

static bool places(const struct judged *is, const struct subject *b, size_t at)
{
	return is->exit == VERIFY_DAMAGED && is->placed && is->block == block_of(b, at) &&
	       is->offset <= at;
}

static void every_bit(const struct subject *b)
{
	unsigned missed = 0, misplaced = 0, stuck = 0, untold = 0;
	struct frz_fault fault;

	memcpy(work, b->p, b->n);
	judge_load(&user, b->p, b->n);
	for (size_t bit = 0; bit < 8 * b->n; bit++) {
		size_t at = bit / 8;
		enum frz_err err;

		work[at] ^= (uint8_t)(1 << bit % 8);
		err = verdict(work, b->n, 0, &fault);
		missed += !damaged(err);
		misplaced += fault.block != block_of(b, at) || fault.offset > at || !*fault.what;
		if (bit % 13 == 0)
			stuck += verdict(work, b->n, FRZ_CASE_ALLOW_DAMAGED, &fault) == FRZ_E_SPACE;
		judge_put(&user, work + at, 1, at);
		untold += !places(judge(&user, NULL), b, at);
		work[at] ^= (uint8_t)(1 << bit % 8);
		judge_put(&user, work + at, 1, at);
	}
	is_int(missed, 0, "no changed bit goes unseen");
	is_int(misplaced, 0, "the block that holds it is named");
	is_int(untold, 0, "--verify: exit 1 for each, block and offset told");
	is_int(stuck, 0, "reading past it never repeats an event");
	diag("%s: %zu bytes, %zu bits", b->name, b->n, 8 * b->n);
}

static enum frz_err want_cut(const struct subject *b, size_t n)
{
	if (n == 0)
		return FRZ_E_NOT_FRZ;
	for (uint64_t i = 1; i < b->blocks; i++)
		if (b->block_at[i] == n)
			return i > b->seal ? FRZ_END : FRZ_E_UNSEALED;
	return FRZ_E_TRUNCATED;
}

/* What --verify must exit with. A case that was cut behind its SEAL is whole, and then its
 * signatures count; the made ones are none. */
static bool exit_of(int code, enum frz_err err)
{
	if (err == FRZ_END)
		return code == VERIFY_GOOD || code == VERIFY_UNTRUSTED;
	return code == (err == FRZ_E_UNSEALED ? VERIFY_UNSEALED : VERIFY_DAMAGED);
}

static void every_length(const struct subject *b)
{
	unsigned wrong = 0, untold = 0, unanchored = 0;
	struct frz_fault fault;

	judge_load(&user, b->p, b->n);
	for (size_t n = b->n; n--;) {
		enum frz_err err = verdict(b->p, n, 0, &fault), want = want_cut(b, n);

		wrong += err != want;
		if (err == FRZ_E_TRUNCATED || err == FRZ_E_UNSEALED)
			wrong += fault.offset > n;
		err = verdict(b->p, n, FRZ_CASE_ALLOW_DAMAGED, &fault);
		wrong += err != want;
		judge_cut(&user, n);
		untold += !exit_of(judge(&user, NULL)->exit, want);
		if (want == FRZ_E_TRUNCATED)
			untold += !user.is.placed || user.is.block != block_of(b, n) ||
				  user.is.offset > n;
		unanchored += judge(&user, b->head)->exit != VERIFY_DAMAGED;
	}
	is_int(wrong, 0, "cut at every length: truncated, or not sealed at the end of a block");
	is_int(untold, 0, "--verify: exit 1, or 3 at the end of a block");
	is_int(unanchored, 0, "with a chain head noted elsewhere: 1 always");
}

static void every_byte(const struct subject *b)
{
	unsigned missed = 0, untold = 0;
	struct frz_fault fault;
	size_t n = b->n;

	for (size_t at = 0; at < n; at++) {
		memcpy(work, b->p, at);
		memcpy(work + at, b->p + at + 1, n - at - 1);
		missed += !damaged(verdict(work, n - 1, 0, &fault));
		judge_load(&user, work, n - 1);
		untold += judge(&user, NULL)->exit != VERIFY_DAMAGED || !user.is.placed;
		/* a byte that differs from its neighbours, so that something really changed */
		work[at] = (uint8_t)(~b->p[at] & 0x7f);
		memcpy(work + at + 1, b->p + at, n - at);
		missed += !damaged(verdict(work, n + 1, 0, &fault));
		judge_load(&user, work, n + 1);
		untold += judge(&user, NULL)->exit != VERIFY_DAMAGED || !user.is.placed;
	}
	work[0] = 0;
	is_int(missed, 0, "no byte can be left out, none put in");
	is_int(untold, 0, "--verify: exit 1 for each, block and offset told");
}

/* ---- whole blocks ---- */

struct piece {
	const uint8_t *p;
	size_t n;
};

static struct piece block(const struct subject *b, uint64_t i)
{
	size_t end = i + 1 < b->blocks ? b->block_at[i + 1] : b->n;

	return (struct piece){ b->p + b->block_at[i], end - b->block_at[i] };
}

static size_t put(size_t at, struct piece p)
{
	memcpy(work + at, p.p, p.n);
	return at + p.n;
}

static bool refused(size_t n, const struct subject *b)
{
	struct frz_fault fault;
	enum frz_err err = verdict(work, n, 0, &fault);

	judge_load(&user, work, n);
	return damaged(err) && fault.block <= b->blocks && *fault.what &&
	       judge(&user, NULL)->exit == VERIFY_DAMAGED && user.is.placed &&
	       user.is.block == fault.block && user.is.offset == fault.offset;
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

static void rearranged(const struct subject *b, const struct subject *o)
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
			n = put(n, block(i == k ? o : b, i < o->blocks ? i : 1));
		if (k < o->blocks) {
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
	for (uint64_t k = 0; k < b->blocks; k++) {
		struct piece p = block(b, k);
		size_t head = 8 + frz_get32(p.p + 4);

		for (unsigned f = 0; f < 4 && head < p.n; f++) {
			size_t n = put(0, (struct piece){ b->p, b->block_at[k] + head });

			n = put(n, frames_of_others(f));
			n = put(n, (struct piece){ p.p + head, b->n - b->block_at[k] - head });
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
	   tried, b->name);
}

/* Both halves of a segment: its block from here, its frame from there. */
static void exchanged_frames(const struct subject *b)
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

static void junk_behind(const struct subject *b)
{
	/* as long as a block's head */
	static const char long_junk[] =
		"junkjunkjunkjunkjunkjunkjunkjunkjunkjunkjunkjunkjunkjunkjunkjunkjunkjunkjunk";
	static const char *const junk[] = { "j", "\0", "\n", long_junk };
	unsigned missed = 0;

	for (size_t i = 0; i < sizeof(junk) / sizeof(junk[0]); i++) {
		size_t n = put(0, (struct piece){ b->p, b->n });

		n = put(n,
			(struct piece){ (const uint8_t *)junk[i], i == 1 ? 1 : strlen(junk[i]) });
		missed += !refused(n, b);
	}
	is_int(missed, 0, "junk behind the end");
}

/* ---- subjects ---- */

static void made_up(enum form form, const struct subject *o, unsigned events)
{
	struct subject s;
	struct cb b;

	make(&b, form, 1, 8);
	survey(&s, b.file.p, b.file.len, form_name[form]);
	judge_load(&user, s.p, s.n);
	ok(exit_of(judge(&user, NULL)->exit, form == UNSEALED ? FRZ_E_UNSEALED : FRZ_END),
	   "a case that is %s: intact", s.name);
	every_length(&s);
	every_byte(&s);
	rearranged(&s, o);
	exchanged_frames(&s);
	junk_behind(&s);
	if (events != 8) {
		cb_release(&b);
		make(&b, form, 1, events);
		survey(&s, b.file.p, b.file.len, form_name[form]);
	}
	every_bit(&s);
	cb_release(&b);
}

static void from_file(const char *path)
{
	uint8_t *p = malloc(CB_MAX);
	FILE *f = fopen(path, "rb");
	struct subject s;

	if (!p || !f)
		bail_out("a case that cannot be read");
	survey(&s, p, fread(p, 1, CB_MAX, f), path);
	fclose(f);
	every_length(&s);
	every_bit(&s);
	free(p);
}

int main(int argc, char **argv)
{
	const char *full = getenv("FREC_FULL");
	unsigned events = full && *full && *full != '0' ? 200 : 8;
	struct subject o;

	decoder = frz_decoder_new();
	work = malloc(CB_MAX);
	if (!decoder || !work)
		bail_out("out of memory");
	judge_init(&user);
	make(&other, SEALED, 999, 8);
	survey(&o, other.file.p, other.file.len, "another");
	for (int i = 1; i < argc; i++)
		from_file(argv[i]);
	for (unsigned f = 0; f < FORMS && argc == 1; f++)
		made_up((enum form)f, &o, events);
	cb_release(&other);
	judge_release(&user);
	frz_decoder_free(decoder);
	free(work);
	return tap_done();
}
