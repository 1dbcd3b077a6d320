/*
 * casebuild.h - whole cases made in memory, byte for byte the same each time for the same
 * zstd: for unit tests, the tamper test, fuzz seeds and the golden case.
 *
 *	struct cb b;
 *	cb_init(&b, seed); cb_genesis(&b); cb_segment(&b, 40, 0); cb_tick(&b);
 *	cb_seal(&b); ... b.file.p, b.file.len ...; cb_release(&b);
 */
#ifndef TESTS_CASEBUILD_H
#define TESTS_CASEBUILD_H

#include <stdlib.h>

#include "block.h"
#include "record.h"
#include "segment.h"
#include "sha256.h"

#define CB_BOOT "6c2fe1f0-8e30-4d39-9a6c-2d1a3f5b7c90"
#define CB_MAX	((size_t)64 << 20)

struct cb {
	struct frz_buf file;
	uint64_t blocks, segments, ticks, events, lost;
	uint64_t mono, real, seed;
	uint8_t prev[FRZ_HASH_LEN];
	uint8_t index[65536];
	size_t index_len;
	uint64_t last_segment;
	uint64_t block_at[4096]; /* offset of each block */
	struct frz_packer *packer;
	/* while a segment is made */
	uint32_t strings, files;
};

static inline uint64_t cb_random(struct cb *b)
{
	b->seed = b->seed * 6364136223846793005u + 1442695040888963407u;
	return b->seed >> 33;
}

static inline void cb_die(const char *what)
{
	fprintf(stderr, "casebuild: %s\n", what);
	abort();
}

static inline void cb_init(struct cb *b, uint64_t seed)
{
	memset(b, 0, sizeof(*b));
	b->file.p = malloc(CB_MAX);
	b->file.cap = CB_MAX;
	b->packer = frz_packer_new(4u << 20, 1u << 20);
	if (!b->file.p || !b->packer)
		cb_die("out of memory");
	b->seed = seed;
	b->mono = 5000000000u;
	b->real = 1700000000000000000u;
}

static inline void cb_release(struct cb *b)
{
	free(b->file.p);
	frz_packer_free(b->packer);
}

static inline void cb_begin(struct cb *b, struct frz_block_builder *w, enum frz_block_type type)
{
	b->block_at[b->blocks] = b->file.len;
	frz_block_begin(w, &b->file, type, b->blocks++, b->file.len, b->prev);
}

static inline void cb_finish(struct cb *b, struct frz_block_builder *w)
{
	if (frz_block_finish(w, b->prev) != FRZ_OK)
		cb_die("a block that cannot be");
}

static inline void cb_genesis(struct cb *b)
{
	struct frz_block_builder w;
	uint8_t id[16], sha[32];

	for (unsigned i = 0; i < 16; i++)
		id[i] = (uint8_t)cb_random(b);
	memset(sha, 0xa5, sizeof(sha));
	cb_begin(b, &w, FRZ_GENESIS);
	frz_block_bytes(&w, FRZ_K_CASE_ID, id, sizeof(id));
	frz_block_text(&w, FRZ_K_EXHIBIT, "EX-7");
	frz_block_text(&w, FRZ_K_EXAMINER, "alice");
	frz_block_text(&w, FRZ_K_NOTE, "a made-up case");
	frz_block_text(&w, FRZ_K_HOSTNAME, "suspect");
	frz_block_text(&w, FRZ_K_MACHINE_ID, "");
	frz_block_text(&w, FRZ_K_BOOT_ID, CB_BOOT);
	frz_block_text(&w, FRZ_K_KERNEL, "Linux 6.18.0 #1 SMP x86_64");
	frz_block_text(&w, FRZ_K_TIMEZONE, "UTC+0000");
	frz_block_text(&w, FRZ_K_CLOCK_STATE, "synchronised");
	frz_block_u64(&w, FRZ_K_UID, 0);
	frz_block_bytes(&w, FRZ_K_ARGV, "frec\0-p\00042\0", 11);
	frz_block_text(&w, FRZ_K_RECORDER, "frec 0.1.0");
	frz_block_bytes(&w, FRZ_K_RECORDER_SHA256, sha, sizeof(sha));
	frz_block_u64(&w, FRZ_K_TICK_SECONDS, 5);
	frz_block_text(&w, FRZ_K_RECORDS, "default");
	frz_block_u64(&w, FRZ_K_SNAP, 0);
	frz_block_u64(&w, FRZ_K_CAPABILITIES, 0x1ffffffffff);
	frz_block_u64(&w, FRZ_K_EUID, 0);
	frz_block_u64(&w, FRZ_K_MONO, b->mono);
	frz_block_u64(&w, FRZ_K_REAL, b->real);
	cb_finish(b, &w);
}

/* ---- a segment: open, any records, close ---- */

static inline void cb_segment_open(struct cb *b)
{
	frz_packer_begin(b->packer, b->mono);
	b->strings = b->files = 0;
}

static inline void cb_put(struct cb *b, const struct frz_buf *rec, uint64_t step, uint64_t dur)
{
	b->mono += step;
	b->real += step;
	if (rec->full || frz_packer_add(b->packer, rec->p, rec->len, b->mono, dur) != FRZ_OK)
		cb_die("a record that does not fit");
}

static inline uint32_t cb_string(struct cb *b, const void *p, size_t n, bool cut, uint64_t true_len)
{
	size_t cap = n + 32;
	struct frz_buf rec = { .p = malloc(cap), .cap = cap };

	frz_enc_string(&rec, p, n, cut, true_len);
	cb_put(b, &rec, 0, 0);
	free(rec.p);
	return ++b->strings;
}

static inline uint32_t cb_text(struct cb *b, const char *s)
{
	return cb_string(b, s, strlen(s), false, 0);
}

static inline uint32_t cb_file(struct cb *b, const struct frz_file *f)
{
	uint8_t mem[1024];
	struct frz_buf rec = { .p = mem, .cap = sizeof(mem) };

	frz_enc_file(&rec, f);
	cb_put(b, &rec, 0, 0);
	return ++b->files;
}

/* A record of n varints (already zigzagged where the type wants that) and maybe bytes. */
static inline void cb_record(struct cb *b, unsigned type, const uint64_t *v, size_t n,
			     const void *bytes, size_t nbytes, uint64_t step, uint64_t dur)
{
	uint8_t body_mem[8192], rec_mem[8300];
	struct frz_buf body = { .p = body_mem, .cap = sizeof(body_mem) };
	struct frz_buf rec = { .p = rec_mem, .cap = sizeof(rec_mem) };

	for (size_t i = 0; i < n; i++)
		frz_buf_varint(&body, v[i]);
	frz_buf_bytes(&body, bytes, nbytes);
	frz_enc_record(&rec, (enum frz_rec)type, &body);
	cb_put(b, &rec, step, dur);
}

#define CB_REC(b, type, step, dur, ...)                                                            \
	cb_record(b, type, (const uint64_t[]){ __VA_ARGS__ },                                      \
		  sizeof((const uint64_t[]){ __VA_ARGS__ }) / sizeof(uint64_t), NULL, 0, step,     \
		  dur)

static inline void cb_segment_close(struct cb *b, uint64_t start_mono, uint64_t start_real,
				    uint64_t lost, bool recovered)
{
	struct frz_block_builder w;
	struct frz_packed packed;

	if (frz_packer_finish(b->packer, 3, &packed) != FRZ_OK)
		cb_die("packing failed");
	cb_begin(b, &w, FRZ_SEGMENT);
	b->index_len += frz_put_varint(b->index + b->index_len,
				       b->block_at[b->blocks - 1] - b->last_segment);
	b->index_len += frz_put_varint(b->index + b->index_len, packed.events);
	b->last_segment = b->block_at[b->blocks - 1];
	frz_block_text(&w, FRZ_K_BOOT_ID, CB_BOOT);
	frz_block_u64(&w, FRZ_K_FRAME_BYTES, packed.frame_len);
	frz_block_bytes(&w, FRZ_K_FRAME_SHA256, packed.frame_sha256, FRZ_HASH_LEN);
	frz_block_u64(&w, FRZ_K_RAW_BYTES, packed.raw_len);
	frz_block_bytes(&w, FRZ_K_RAW_SHA256, packed.raw_sha256, FRZ_HASH_LEN);
	frz_block_u64(&w, FRZ_K_FIRST_EVENT, b->events + 1);
	frz_block_u64(&w, FRZ_K_EVENTS, packed.events);
	frz_block_u64(&w, FRZ_K_LOST, lost);
	frz_block_u64(&w, FRZ_K_FIRST_MONO, start_mono);
	frz_block_u64(&w, FRZ_K_FIRST_REAL, start_real);
	frz_block_u64(&w, FRZ_K_LAST_MONO, b->mono);
	frz_block_u64(&w, FRZ_K_LAST_REAL, b->real);
	if (recovered)
		frz_block_u64(&w, FRZ_K_RECOVERED, 1);
	cb_finish(b, &w);
	frz_buf_bytes(&b->file, packed.frame, packed.frame_len);
	b->segments++;
	b->events += packed.events;
	b->lost += lost;
}

/* A segment of plain reads and writes by one thread on fds 3 to 6. */
static inline void cb_segment(struct cb *b, unsigned events, uint64_t lost)
{
	uint64_t mono = b->mono, real = b->real;
	char path[64];

	cb_segment_open(b);
	CB_REC(b, FRZ_R_PROC, 0, 0, 42, 1, 12345, 1000, cb_text(b, "made-up"),
	       cb_text(b, "/usr/bin/made-up"));
	CB_REC(b, FRZ_R_THREAD, 0, 0, 42, 42, 1, 1);
	for (unsigned i = 0; i < 4; i++) {
		struct frz_file f = { .mask = FRZ_F_PATH | FRZ_F_MODE | FRZ_F_INO | FRZ_F_SIZE };

		snprintf(path, sizeof(path), "/var/lib/made-up/%u.db", i);
		f.path = cb_text(b, path);
		f.mode = 0100644;
		f.ino = 1000 + i;
		f.size = cb_random(b) % 100000;
		CB_REC(b, FRZ_R_BIND, 0, 0, 1, 3 + i, 10 + i, cb_file(b, &f), FRZ_B_ATTACH, 0,
		       frz_zigzag(2), frz_zigzag(0));
	}
	for (unsigned i = 0; i < events; i++) {
		uint64_t n = cb_random(b) % 4096, dur = 800 + cb_random(b) % 300;
		uint64_t nr = cb_random(b) % 2, fd = 3 + cb_random(b) % 4;

		CB_REC(b, FRZ_R_SYSCALL, dur + 500 + cb_random(b) % 2000, dur, 42, nr * 4, 0,
		       frz_zigzag((int64_t)n), 5, frz_zigzag((int64_t)fd), frz_zigzag(4096),
		       FRZ_A_FD * 8, 0);
	}
	cb_segment_close(b, mono, real, lost, false);
}

/* ---- the other blocks ---- */

static inline void cb_moment(struct cb *b, struct frz_block_builder *w)
{
	frz_block_u64(w, FRZ_K_MONO, b->mono);
	frz_block_u64(w, FRZ_K_REAL, b->real);
	frz_block_u64(w, FRZ_K_EVENTS, b->events);
	frz_block_u64(w, FRZ_K_LOST, b->lost);
}

static inline void cb_tick(struct cb *b)
{
	struct frz_block_builder w;

	b->mono += 5000000000u;
	b->real += 5000000000u;
	b->ticks++;
	cb_begin(b, &w, FRZ_TICK);
	frz_block_text(&w, FRZ_K_BOOT_ID, CB_BOOT);
	cb_moment(b, &w);
	cb_finish(b, &w);
}

static inline void cb_recovery(struct cb *b)
{
	struct frz_block_builder w;
	uint8_t sha[FRZ_HASH_LEN];

	b->mono += 100000000000u;
	b->real += 100000000000u;
	frz_sha256_of("", 0, sha);
	cb_begin(b, &w, FRZ_RECOVERY);
	frz_block_text(&w, FRZ_K_BOOT_ID, CB_BOOT);
	cb_moment(b, &w);
	frz_block_u64(&w, FRZ_K_TORN_BYTES, 0);
	frz_block_bytes(&w, FRZ_K_TORN_SHA256, sha, sizeof(sha));
	frz_block_u64(&w, FRZ_K_TAIL_BYTES, 0);
	frz_block_bytes(&w, FRZ_K_TAIL_SHA256, sha, sizeof(sha));
	frz_block_u64(&w, FRZ_K_TAIL_EVENTS, 0);
	cb_finish(b, &w);
}

static inline void cb_seal(struct cb *b)
{
	struct frz_block_builder w;
	uint8_t sha[FRZ_HASH_LEN], head[FRZ_HASH_LEN];

	b->mono += 1000;
	b->real += 1000;
	frz_sha256_of(b->file.p, b->file.len, sha);
	memcpy(head, b->prev, FRZ_HASH_LEN);
	cb_begin(b, &w, FRZ_SEAL);
	frz_block_text(&w, FRZ_K_BOOT_ID, CB_BOOT);
	cb_moment(b, &w);
	frz_block_text(&w, FRZ_K_END_REASON, "signal SIGINT");
	frz_block_u64(&w, FRZ_K_SEGMENTS, b->segments);
	frz_block_u64(&w, FRZ_K_TICKS, b->ticks);
	frz_block_bytes(&w, FRZ_K_INDEX, b->index, b->index_len);
	frz_block_bytes(&w, FRZ_K_CHAIN_HEAD, head, FRZ_HASH_LEN);
	frz_block_u64(&w, FRZ_K_PREFIX_BYTES, b->block_at[b->blocks - 1]);
	frz_block_bytes(&w, FRZ_K_PREFIX_SHA256, sha, FRZ_HASH_LEN);
	cb_finish(b, &w);
}

static inline void cb_custody(struct cb *b, const char *statement, const char *signature)
{
	struct frz_block_builder w;

	cb_begin(b, &w, FRZ_CUSTODY);
	frz_block_text(&w, FRZ_K_STATEMENT, statement);
	frz_block_bytes(&w, FRZ_K_SIGNATURE, signature, strlen(signature));
	cb_finish(b, &w);
}

#endif
