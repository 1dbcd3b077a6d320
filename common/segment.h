/*
 * segment.h - a segment's raw bytes: records and their times laid out in planes, and
 * the zstd frame around them.
 *
 *   raw := v len(R), v len(L), v len(H), R, L, H
 *   R   := the records, without times (record.h)
 *   L   := per timed record two bytes: delta & 255, dur & 255
 *   H   := per timed record two varints: delta >> 8, dur >> 8
 *
 * delta is the time since the timed record before (the first: since FIRST_MONO), never
 * negative. The low bytes are noise that cannot be compressed, everything else repeats:
 * kept apart, zstd's entropy coder prices each at what it is worth.
 */
#ifndef FRZ_SEGMENT_H
#define FRZ_SEGMENT_H

#include "frz.h"

/* Collects records of one segment; buffers are allocated once and reused. */
struct frz_packer;

struct frz_packer *frz_packer_new(size_t max_records_bytes, size_t max_timed); /* NULL: no memory */
void frz_packer_free(struct frz_packer *p);
void frz_packer_begin(struct frz_packer *p, uint64_t first_mono);
/* One encoded record. mono_ns and dur_ns count only for timed types; a time before the
 * one before is clamped to it. FRZ_OK or FRZ_E_SPACE. */
enum frz_err frz_packer_add(struct frz_packer *p, const void *rec, size_t len, uint64_t mono_ns, uint64_t dur_ns);

struct frz_packed {
	const uint8_t *frame;           /* owned by the packer, valid until the next begin */
	size_t frame_len, raw_len;
	uint8_t frame_sha256[FRZ_HASH_LEN], raw_sha256[FRZ_HASH_LEN];
	uint64_t events;                /* records of an event type */
	uint64_t last_mono;             /* largest time added, first_mono when none */
};
/* Compresses what was added. FRZ_OK or FRZ_E_NOMEM. */
enum frz_err frz_packer_finish(struct frz_packer *p, int zstd_level, struct frz_packed *out);

/* Decompresses one frame that must fill `frame` exactly: single frame, content size
 * present and == raw_len (<= FRZ_RAW_MAX), checksum present, window within limits.
 * Allocates *raw (caller frees). FRZ_OK, FRZ_E_NOMEM, FRZ_E_CORRUPT, FRZ_E_LIMIT; *why one line. */
enum frz_err frz_unpack(const void *frame, size_t frame_len, size_t raw_len, uint8_t **raw, const char **why);

#endif
