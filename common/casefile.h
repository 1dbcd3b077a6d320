/*
 * casefile.h - the strict reader of a whole case: from bytes on disk to checked blocks.
 *
 * Opens read-only, changes nothing, never maps the file: a case that still grows, shrinks
 * or whose medium fails yields an error and not a signal. One frz_case_next() a block:
 *
 *	struct frz_case_item it;
 *	while ((err = frz_case_next(c, &it, &fault)) == FRZ_OK)
 *		switch (it.type) ...
 *	FRZ_END          sealed and whole
 *	FRZ_E_UNSEALED   whole up to its last byte, no SEAL (yet)
 *	FRZ_E_TRUNCATED  ends in the middle of a block or frame
 *	other < 0        damaged, or not readable
 *
 * Before a block is handed out all of this was checked: size, tag, version, link, index,
 * offset, the link of the block before, fields; order of blocks (frz.h); for a SEGMENT, that
 * the frame is all there and has its SHA-256, that event numbers go on without a gap and
 * times of one boot run forward; for TICK and RECOVERY, the running totals; for the SEAL its
 * totals, index, chain head, prefix length and prefix hash. What a frame holds is checked
 * by frz_case_raw() (decompression, raw hash) and by the record decoder (record.h).
 *
 * A case that is still being written: FRZ_E_UNSEALED and FRZ_E_TRUNCATED leave the reader in
 * front of what was missing; a later frz_case_next() looks again and goes on from there.
 * After any other error the same error comes again.
 *
 * Not thread-safe for one reader; readers do not share anything.
 */
#ifndef FRZ_CASEFILE_H
#define FRZ_CASEFILE_H

#include "block.h"
#include "frz.h"

struct frz_case;

enum frz_case_flag {
	/* Go past damage: frz_case_next() then returns what is wrong as an item of type 0 and
	 * goes on at the next block whose own link is right (see frz_case_item). Only failing
	 * I/O, lack of memory, a file without any block, and the ends FRZ_E_UNSEALED and
	 * FRZ_E_TRUNCATED are still returned as errors. What is found behind damage is no
	 * longer bound to what stands before it, and a damaged GENESIS is not handed out. */
	FRZ_CASE_ALLOW_DAMAGED = 1,
	/* Blocks only: frames are stepped over unread. Frame hashes and the SEAL's prefix hash
	 * stay unchecked. For a first look; never for a verdict. */
	FRZ_CASE_SKIM = 2,
};

/* path must name a regular file. FRZ_OK and *out; or FRZ_E_IO (errno set), FRZ_E_NOMEM, and
 * FRZ_E_NOT_FRZ for an empty file, with *fault filled. What is in the file is first looked
 * at by frz_case_next(). */
enum frz_err frz_case_open(const char *path, unsigned flags, struct frz_case **out,
			   struct frz_fault *fault);
/* The same over memory, which stays the caller's and unchanged until close. */
enum frz_err frz_case_open_memory(const void *p, size_t n, unsigned flags, struct frz_case **out,
				  struct frz_fault *fault);
void frz_case_close(struct frz_case *c); /* NULL is fine */

/* CLOCK_MONOTONIC and CLOCK_REALTIME, read together. */
struct frz_moment {
	uint64_t mono_ns, real_ns;
};

struct frz_case_segment {
	uint64_t number; /* of this segment in the case, from 0 */
	uint64_t frame_offset;
	size_t frame_len, raw_len;
	uint64_t first_event, events, lost;
	/* real time of a record: first.real_ns + (its mono - first.mono_ns) */
	struct frz_moment first, last;
	bool recovered;
};

struct frz_case_item {
	enum frz_block_type type; /* 0: damage (FRZ_CASE_ALLOW_DAMAGED only) */
	/* The block; other fields by frz_field_*(), whose pointers stay valid until the next
	 * frz_case_next(). Not set for damage. */
	struct frz_block block;
	struct frz_moment at;		 /* GENESIS, TICK, SEAL, RECOVERY */
	struct frz_case_segment segment; /* SEGMENT; damage too, when segment_skipped */
	/* Damage: what and where; reading goes on at resume_offset (the file's end: nothing
	 * more was found). Segments handed out afterwards still have rising event numbers,
	 * each number at most once; numbers left out are the ones that are gone. */
	struct frz_fault fault;
	uint64_t resume_offset;
	bool segment_skipped; /* `segment` names the events that could not be read */
};

/* FRZ_OK and *it, FRZ_END, or an error with *fault filled. */
enum frz_err frz_case_next(struct frz_case *c, struct frz_case_item *it, struct frz_fault *fault);

/* The raw bytes of the segment that frz_case_next() returned last: frame decompressed, raw
 * hash checked. *raw is the caller's to free(), its length is segment.raw_len. FRZ_OK, or
 * an error with *fault filled (the reader can go on with frz_case_next()). */
enum frz_err frz_case_raw(struct frz_case *c, uint8_t **raw, struct frz_fault *fault);

/* What has been read so far. */
struct frz_case_head {
	uint8_t case_id[16];		 /* zeros before GENESIS was read */
	uint8_t link[FRZ_HASH_LEN];	 /* of the last whole block: the chain head */
	uint8_t seal_link[FRZ_HASH_LEN]; /* what frec printed at the end; when sealed */
	/* of the file up to the SEAL; when sealed, not skimmed */
	uint8_t prefix_sha256[FRZ_HASH_LEN];
	/* of the first `bytes` bytes; not skimmed, no damage */
	uint8_t sha256[FRZ_HASH_LEN];
	uint64_t prefix_bytes; /* when sealed */
	uint64_t blocks, segments, ticks, recoveries, custodies;
	uint64_t events, lost;
	uint64_t bytes;	       /* length of the whole blocks and frames read */
	uint64_t file_bytes;   /* length of the file when last looked at */
	uint64_t tick_seconds; /* promised */
	/* longest time between two blocks of one boot, ns, and where it ended */
	uint64_t silence_ns, silence_block;
	struct frz_moment start, last; /* GENESIS; the latest moment told by a block */
	uint64_t damages;	       /* items of type 0 */
	uint64_t unknown_fields;       /* ancillary fields that were skipped */
	bool sealed;
};
void frz_case_head(const struct frz_case *c, struct frz_case_head *h);
/* The hash whose digest is head.sha256, to go on with. */
struct frz_sha256;
void frz_case_sha256(const struct frz_case *c, struct frz_sha256 *out);

/* Fills *f: block, offset and a formatted line, made printable. Returns err. */
enum frz_err frz_fault_set(struct frz_fault *f, enum frz_err err, uint64_t block, uint64_t offset,
			   const char *fmt, ...) __attribute__((format(printf, 5, 6)));

#endif
