/*
 * segment.c - records into planes into one zstd frame, and the frame back into raw bytes.
 *
 * - The planes grow side by side; hashing and compressing walk over them in place, so
 *   they are never copied together.
 * - The compressor is flushed between large planes: each then gets entropy tables of its own.
 * - The window is capped: with it the compressor's own memory stays near 3 MiB.
 */
#include <stdlib.h>
#include <zstd.h>

#include "bytes.h"
#include "record.h"
#include "segment.h"
#include "sha256.h"

#define PACK_WINDOW_LOG 20
#define FLUSH_MIN	4096 /* a smaller plane is not worth tables of its own */

enum plane { P_HEAD, P_R, P_N, P_A, P_B, P_G, P_D, P_COUNT };

struct frz_packer {
	uint8_t *plane[P_COUNT];
	size_t len[P_COUNT];
	size_t max_records_bytes, max_timed;
	size_t timed;
	uint64_t first_mono, prev_mono, last_mono, events;
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
	cap[P_HEAD] = 4 * FRZ_VARINT_MAX;
	cap[P_R] = max_records_bytes;
	cap[P_N] = 2 * max_timed;
	cap[P_A] = cap[P_B] = max_timed;
	cap[P_G] = cap[P_D] = FRZ_VARINT_MAX * max_timed;
	for (unsigned i = 0; i < P_COUNT; i++) {
		p->plane[i] = malloc(cap[i] + 1);
		if (!p->plane[i])
			goto fail;
		all += cap[i];
	}
	p->frame_cap = ZSTD_compressBound(all) + 64;
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
	p->first_mono = p->prev_mono = p->last_mono = first_mono;
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
	if (FRZ_REC_TIMED(type)) {
		if (p->timed == p->max_timed)
			return FRZ_E_SPACE;
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

enum frz_err frz_packer_finish(struct frz_packer *p, int zstd_level, struct frz_packed *out)
{
	struct frz_buf head = { .p = p->plane[P_HEAD], .cap = 4 * FRZ_VARINT_MAX };
	ZSTD_outBuffer to = { p->frame, p->frame_cap, 0 };
	struct frz_sha256 sha;

	p->len[P_N] = 2 * p->timed;
	p->len[P_A] = p->len[P_B] = p->timed;
	frz_buf_varint(&head, p->timed);
	frz_buf_varint(&head, p->len[P_R]);
	frz_buf_varint(&head, p->len[P_G]);
	frz_buf_varint(&head, p->len[P_D]);
	p->len[P_HEAD] = head.len;

	out->raw_len = 0;
	frz_sha256_init(&sha);
	for (unsigned i = 0; i < P_COUNT; i++) {
		frz_sha256_add(&sha, p->plane[i], p->len[i]);
		out->raw_len += p->len[i];
	}
	frz_sha256_peek(&sha, out->raw_sha256);

	set_parameters(p->cctx, zstd_level, out->raw_len);
	for (unsigned i = 0; i < P_COUNT; i++) {
		ZSTD_EndDirective mode = ZSTD_e_continue;

		if (i == P_COUNT - 1)
			mode = ZSTD_e_end;
		else if (i >= P_R && i <= P_B && p->timed >= FLUSH_MIN)
			mode = ZSTD_e_flush;
		if (!compress_plane(p->cctx, &to, p->plane[i], p->len[i], mode))
			return FRZ_E_NOMEM;
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
	if (!(fhd & 0x20) && 10 + (f[5] >> 3) > FRZ_WINDOW_LOG_MAX)
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
