/*
 * segment.h - a segment's raw bytes: records and their times laid out in planes, and
 * the zstd frame around them.
 *
 *   raw := v n, v records, v len(G), v len(D), v len(column) for each column,
 *          T, the columns, N, A, B, G, D
 *   T   := type:u8 of every record
 *   N   := per timed record two bytes: gap & 255, dur & 255
 *   A   := per timed record one byte:  gap >> 8 & 255
 *   B   := per timed record one byte:  dur >> 8 & 255
 *   G   := per timed record a varint:  (gap >> 16) * 2 + crossing
 *   D   := per timed record a varint:  dur >> 16
 *
 * The columns hold the rest of the records (columns.h): for each of the classes strings,
 * other declarations, events, notes, first the varints of the lengths, then the bodies cut
 * into tokens. A token ends with a byte below 0x80 or with the body. Token k of a body goes
 * to token column k of its class, and from the last one on all of them to that.
 *
 * n is the number of timed records. For each, step is its time minus that of the timed
 * record before (for the first: minus FIRST_MONO), modulo 2^64 and taken as signed. When
 * 0 <= dur <= step, the call began after the record before was made: crossing is 0 and
 * gap = step - dur. Otherwise, crossing is 1 and gap = zigzag(step). A crossing that is
 * not needed is an error: one spelling for each time.
 *
 * gap and dur are independent of each other, step and dur are not. The lowest bytes are
 * noise, the middle ones have a distribution, the highest are almost always 0; a call's tid
 * repeats, its number has few values, its result many: kept apart, zstd prices each at what
 * it is worth. Measured against records kept whole: 1 byte less an event for gcc and tar.
 */
#ifndef FRZ_SEGMENT_H
#define FRZ_SEGMENT_H

#include "frz.h"

/* Collects records of one segment; buffers are allocated once and reused, and memory that
 * no record reached is never touched. */
struct frz_packer;

struct frz_packer *frz_packer_new(size_t max_records_bytes, size_t max_timed); /* NULL: no memory */
void frz_packer_free(struct frz_packer *p);
void frz_packer_begin(struct frz_packer *p, uint64_t first_mono);
/* One encoded record, of up to FRZ_RECORD_MAX bytes of body. mono_ns and dur_ns count only
 * for timed types; a time may lie before the one before it. FRZ_OK, FRZ_E_SPACE, or
 * FRZ_E_CORRUPT when it is not exactly one record; nothing is added then. */
enum frz_err frz_packer_add(struct frz_packer *p, const void *rec, size_t len, uint64_t mono_ns,
			    uint64_t dur_ns);

struct frz_packed {
	const uint8_t *frame; /* owned by the packer, valid until the next finish */
	size_t frame_len, raw_len;
	uint8_t frame_sha256[FRZ_HASH_LEN], raw_sha256[FRZ_HASH_LEN];
	uint64_t events;    /* records of an event type */
	uint64_t last_mono; /* largest time added, first_mono when none is larger */
};
/* Compresses what was added; begin must come before the next add. FRZ_OK or FRZ_E_NOMEM. */
enum frz_err frz_packer_finish(struct frz_packer *p, int zstd_level, struct frz_packed *out);

/* Decompresses one frame that must fill `frame` exactly: single frame, content size
 * present and == raw_len (<= FRZ_RAW_MAX), checksum present, window within limits.
 * Allocates *raw (caller frees). FRZ_OK, FRZ_E_NOMEM, FRZ_E_CORRUPT, FRZ_E_LIMIT; *why one line. */
enum frz_err frz_unpack(const void *frame, size_t frame_len, size_t raw_len, uint8_t **raw,
			const char **why);

#endif
