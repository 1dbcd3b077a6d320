/*
 * append.h - the blocks of a case, one behind the other: keeps the chain, the totals, the
 * index and the running hash that a SEAL needs. Used by the writer and by recovery, which
 * differ only in where the bytes go.
 */
#ifndef FREC_APPEND_H
#define FREC_APPEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "bytes.h"
#include "frz.h"
#include "sha256.h"
#include "tailfile.h"

struct genesis_host;
struct writer_genesis;
struct frz_packer;

/* CLOCK_MONOTONIC and CLOCK_REALTIME read together, ns. */
struct moment {
	uint64_t mono, real;
};
struct moment moment_now(void);

/* Appends all of it or nothing that counts: 0, or -1 and the state stays as it was. */
typedef int append_sink(void *arg, const struct iovec *iov, int n);

struct append {
	append_sink *sink;
	void *sink_arg;
	struct frz_packer *packer;
	int zstd_level;
	/* of what was appended so far */
	uint8_t link[FRZ_HASH_LEN];
	uint64_t offset, blocks, segments, ticks, events, lost;
	struct frz_sha256 sha;
	uint64_t last_mono;    /* end of the last segment; before there is one, GENESIS */
	uint64_t last_segment; /* offset of its block */
	struct frz_buf index;  /* as FRZ_K_INDEX */
};

/* max_bytes: of the records of one segment, with their entry heads; 0: no segments will
 * come. False: no memory. */
bool append_init(struct append *a, append_sink *sink, void *arg, int zstd_level, size_t max_bytes);
void append_release(struct append *a);

/* All: FRZ_OK; FRZ_E_NOMEM; FRZ_E_SPACE (more than the format allows); FRZ_E_IO when the sink
 * failed. The moment and boot id are those of the time of writing. */
enum frz_err append_genesis(struct append *a, const struct genesis_host *host,
			    const struct writer_genesis *g, const uint8_t case_id[16],
			    unsigned tick_seconds, struct moment now);
/* The usable entries of a half. boot_id: of when they were recorded. closed: when the half
 * was, 0 for its last record; NULL: not known, it is recovered. */
enum frz_err append_segment(struct append *a, const struct frz_tail_half *h, uint64_t lost,
			    const char *boot_id, const struct moment *closed);
enum frz_err append_tick(struct append *a, const char *boot_id, struct moment now);
struct append_recovery {
	uint64_t torn_bytes, tail_bytes, tail_events;
	uint8_t torn_sha256[FRZ_HASH_LEN], tail_sha256[FRZ_HASH_LEN];
};
enum frz_err append_recovery(struct append *a, const struct append_recovery *r, const char *boot_id,
			     struct moment now);
enum frz_err append_seal(struct append *a, const char *reason, const char *boot_id,
			 struct moment now);

/* A segment block that is already in the case goes into the index: for recovery's scan. */
bool append_index(struct append *a, uint64_t offset, uint64_t events);

#endif
