/*
 * segment.c - records into planes into one zstd frame, and the frame back into raw bytes.
 *
 * - Times grow in their planes, records in one piece; at the end the records are cut into
 *   columns. Hashing and compressing walk over all of it in place.
 * - The compressor is flushed between large planes: each then gets entropy tables of its own.
 * - The window is capped: with it the compressor's own memory stays near 3 MiB.
 */
#include <stdlib.h>
#include <zstd.h>

#include "bytes.h"
#include "columns.h"
#include "record.h"
#include "segment.h"
#include "sha256.h"

#define PACK_WINDOW_LOG 20
#define FLUSH_MIN	4096 /* a smaller plane is not worth tables of its own */

enum plane { P_R, P_N, P_A, P_B, P_G, P_D, P_COLUMNS, P_COUNT };

#define HEAD_MAX ((4 + FRZ_COLUMNS) * FRZ_VARINT_MAX)

struct frz_packer {
	uint8_t *plane[P_COUNT];
	size_t len[P_COUNT];
	size_t max_records_bytes, max_timed;
	size_t timed;
	struct frz_columns columns;
	uint64_t prev_mono, last_mono, events;
	uint8_t *frame;
	size_t frame_cap;
	ZSTD_CCtx *cctx;
};

struct frz_packer *frz_packer_new(size_t max_records_bytes, size_t max_timed)
{
	struct frz_packer *p = calloc(1, sizeof(*p));
	size_t cap[P_COUNT], all = 0;

	if (!p)
		return NULL;
	p->max_records_bytes = max_records_bytes;
	p->max_timed = max_timed;
	cap[P_R] = cap[P_COLUMNS] = max_records_bytes;
	cap[P_N] = 2 * max_timed;
	cap[P_A] = cap[P_B] = max_timed;
	cap[P_G] = cap[P_D] = FRZ_VARINT_MAX * max_timed;
	for (unsigned i = 0; i < P_COUNT; i++) {
		p->plane[i] = malloc(cap[i] + 1);
		if (!p->plane[i])
			goto fail;
		all += i == P_R ? HEAD_MAX : cap[i];
	}
	p->frame_cap = ZSTD_compressBound(all) + 16 * (P_COUNT + FRZ_COLUMNS);
	p->frame = malloc(p->frame_cap);
	p->cctx = ZSTD_createCCtx();
	if (!p->frame || !p->cctx)
		goto fail;
	frz_packer_begin(p, 0);
	return p;
fail:
	frz_packer_free(p);
	return NULL;
}

void frz_packer_free(struct frz_packer *p)
{
	if (!p)
		return;
	for (unsigned i = 0; i < P_COUNT; i++)
		free(p->plane[i]);
	free(p->frame);
	ZSTD_freeCCtx(p->cctx);
	free(p);
}

void frz_packer_begin(struct frz_packer *p, uint64_t first_mono)
{
	for (unsigned i = 0; i < P_COUNT; i++)
		p->len[i] = 0;
	p->timed = 0;
	p->events = 0;
	p->columns = (struct frz_columns){ 0 };
	p->prev_mono = p->last_mono = first_mono;
}

static void add_time(struct frz_packer *p, uint64_t mono_ns, uint64_t dur_ns)
{
	int64_t step = (int64_t)(mono_ns - p->prev_mono);
	uint64_t crossing = step < 0 || dur_ns > (uint64_t)step;
	uint64_t gap = crossing ? frz_zigzag(step) : (uint64_t)step - dur_ns;
	size_t i = p->timed++;

	p->plane[P_N][2 * i] = (uint8_t)gap;
	p->plane[P_N][2 * i + 1] = (uint8_t)dur_ns;
	p->plane[P_A][i] = (uint8_t)(gap >> 8);
	p->plane[P_B][i] = (uint8_t)(dur_ns >> 8);
	p->len[P_G] += frz_put_varint(p->plane[P_G] + p->len[P_G], (gap >> 16) << 1 | crossing);
	p->len[P_D] += frz_put_varint(p->plane[P_D] + p->len[P_D], dur_ns >> 16);
	p->prev_mono = mono_ns;
	if (mono_ns > p->last_mono)
		p->last_mono = mono_ns;
}

enum frz_err frz_packer_add(struct frz_packer *p, const void *rec, size_t len, uint64_t mono_ns,
			    uint64_t dur_ns)
{
	uint8_t type;

	if (len == 0 || len > p->max_records_bytes - p->len[P_R])
		return FRZ_E_SPACE;
	type = *(const uint8_t *)rec;
	if (FRZ_REC_TIMED(type) && p->timed == p->max_timed)
		return FRZ_E_SPACE;
	if (!frz_columns_count(&p->columns, rec, len))
		return FRZ_E_CORRUPT;
	if (FRZ_REC_TIMED(type)) {
		add_time(p, mono_ns, dur_ns);
		p->events += FRZ_REC_EVENT(type);
	}
	memcpy(p->plane[P_R] + p->len[P_R], rec, len);
	p->len[P_R] += len;
	return FRZ_OK;
}

static void set_parameters(ZSTD_CCtx *cctx, int level, size_t raw_len)
{
	/* None of these can fail with these values; a failure would surface in compressing. */
	ZSTD_CCtx_reset(cctx, ZSTD_reset_session_and_parameters);
	ZSTD_CCtx_setParameter(cctx, ZSTD_c_compressionLevel, level);
	ZSTD_CCtx_setParameter(cctx, ZSTD_c_checksumFlag, 1);
	ZSTD_CCtx_setParameter(cctx, ZSTD_c_contentSizeFlag, 1);
	if (raw_len > (size_t)1 << PACK_WINDOW_LOG)
		ZSTD_CCtx_setParameter(cctx, ZSTD_c_windowLog, PACK_WINDOW_LOG);
	ZSTD_CCtx_setPledgedSrcSize(cctx, raw_len);
}

/* Feeds one plane; with ZSTD_e_flush or _end also waits for all of it to come out. */
static bool compress_plane(ZSTD_CCtx *cctx, ZSTD_outBuffer *to, const void *p, size_t n,
			   ZSTD_EndDirective mode)
{
	ZSTD_inBuffer from = { p, n, 0 };
	size_t left;

	do {
		left = ZSTD_compressStream2(cctx, to, &from, mode);
		if (ZSTD_isError(left) || (left && to->pos == to->size))
			return false;
	} while (from.pos < from.size || (mode != ZSTD_e_continue && left));
	return true;
}

/* The pieces of the raw bytes, in order. */
struct pieces {
	struct {
		const uint8_t *p;
		size_t n;
	} at[2 + FRZ_COLUMNS + P_COLUMNS];
	unsigned n;
};

static void add_piece(struct pieces *s, const uint8_t *p, size_t n)
{
	s->at[s->n].p = p;
	s->at[s->n++].n = n;
}

static void collect(struct frz_packer *p, uint8_t head_mem[HEAD_MAX], struct pieces *s)
{
	const struct frz_columns *c = &p->columns;
	struct frz_buf head = { .p = head_mem, .cap = HEAD_MAX };
	const uint8_t *at = p->plane[P_COLUMNS];

	p->len[P_N] = 2 * p->timed;
	p->len[P_A] = p->len[P_B] = p->timed;
	frz_columns_split(c, p->plane[P_R], p->len[P_R], p->plane[P_COLUMNS]);
	frz_buf_varint(&head, p->timed);
	frz_buf_varint(&head, c->records);
	frz_buf_varint(&head, p->len[P_G]);
	frz_buf_varint(&head, p->len[P_D]);
	for (unsigned i = 0; i < FRZ_COLUMNS; i++)
		frz_buf_varint(&head, c->len[i]);

	s->n = 0;
	add_piece(s, head.p, head.len);
	add_piece(s, at, c->records);
	at += c->records;
	for (unsigned i = 0; i < FRZ_COLUMNS; i++) {
		add_piece(s, at, c->len[i]);
		at += c->len[i];
	}
	for (unsigned i = P_N; i <= P_D; i++)
		add_piece(s, p->plane[i], p->len[i]);
}

enum frz_err frz_packer_finish(struct frz_packer *p, int zstd_level, struct frz_packed *out)
{
	ZSTD_outBuffer to = { p->frame, p->frame_cap, 0 };
	size_t unflushed = 0;
	uint8_t head[HEAD_MAX];
	struct frz_sha256 sha;
	struct pieces s;

	collect(p, head, &s);
	out->raw_len = 0;
	frz_sha256_init(&sha);
	for (unsigned i = 0; i < s.n; i++) {
		frz_sha256_add(&sha, s.at[i].p, s.at[i].n);
		out->raw_len += s.at[i].n;
	}
	frz_sha256_peek(&sha, out->raw_sha256);

	set_parameters(p->cctx, zstd_level, out->raw_len);
	for (unsigned i = 0; i < s.n; i++) {
		size_t next = i + 1 < s.n ? s.at[i + 1].n : 0;
		ZSTD_EndDirective mode = ZSTD_e_continue;

		unflushed += s.at[i].n;
		if (i + 1 == s.n)
			mode = ZSTD_e_end;
		else if (unflushed >= FLUSH_MIN || (next >= FLUSH_MIN && unflushed))
			mode = ZSTD_e_flush;
		if (!compress_plane(p->cctx, &to, s.at[i].p, s.at[i].n, mode))
			return FRZ_E_NOMEM;
		if (mode == ZSTD_e_flush)
			unflushed = 0;
	}
	out->frame = p->frame;
	out->frame_len = to.pos;
	frz_sha256_of(out->frame, out->frame_len, out->frame_sha256);
	out->events = p->events;
	out->last_mono = p->last_mono;
	return FRZ_OK;
}

/* ---- unpacking ---- */

static enum frz_err fail(const char **why, enum frz_err err, const char *what)
{
	*why = what;
	return err;
}

/* The frame header (RFC 8878, 3.1.1.1) as far as the format is stricter than zstd. */
static enum frz_err check_frame_header(const uint8_t *f, size_t n, size_t raw_len, const char **why)
{
	uint64_t content;
	unsigned fhd;

	if (n < 6 || frz_get32(f) != FRZ_ZSTD_MAGIC)
		return fail(why, FRZ_E_CORRUPT, "no zstd frame stands here");
	fhd = f[4];
	if (fhd & 0x18)
		return fail(why, FRZ_E_CORRUPT, "the frame has reserved bits set");
	if (fhd & 0x03)
		return fail(why, FRZ_E_CORRUPT, "the frame wants a dictionary");
	if (!(fhd & 0x04))
		return fail(why, FRZ_E_CORRUPT, "the frame has no checksum");
	content = ZSTD_getFrameContentSize(f, n);
	if (content == ZSTD_CONTENTSIZE_UNKNOWN || content == ZSTD_CONTENTSIZE_ERROR)
		return fail(why, FRZ_E_CORRUPT, "the frame does not state its content size");
	if (content != raw_len)
		return fail(why, FRZ_E_CORRUPT, "the frame's content size is not the segment's");
	/* its exponent and mantissa, as one number */
	if (!(fhd & 0x20) && f[5] > (FRZ_WINDOW_LOG_MAX - 10) << 3)
		return fail(why, FRZ_E_LIMIT, "the frame's window is over the limit");
	return FRZ_OK;
}

enum frz_err frz_unpack(const void *frame, size_t frame_len, size_t raw_len, uint8_t **raw,
			const char **why)
{
	enum frz_err err;
	uint8_t *out;
	size_t n;

	*raw = NULL;
	if (raw_len > FRZ_RAW_MAX || frame_len > FRZ_FRAME_MAX)
		return fail(why, FRZ_E_LIMIT, "the segment is over the size limit");
	err = check_frame_header(frame, frame_len, raw_len, why);
	if (err != FRZ_OK)
		return err;
	if (ZSTD_findFrameCompressedSize(frame, frame_len) != frame_len)
		return fail(why, FRZ_E_CORRUPT, "the frame does not end where the segment does");
	out = malloc(raw_len + 1);
	if (!out)
		return fail(why, FRZ_E_NOMEM, "out of memory");
	n = ZSTD_decompress(out, raw_len, frame, frame_len);
	if (ZSTD_isError(n) || n != raw_len) {
		free(out);
		return fail(why, FRZ_E_CORRUPT, "the frame does not decompress");
	}
	*raw = out;
	return FRZ_OK;
}
