/*
 * tailfile.h - CASE.frz.tail: records that are committed but not yet in the case file.
 *
 *   tail   := head affinity half half
 *   head   := page: magic[8] version:u32 half_bytes:u32 case_id[16] genesis_link[32]
 *             boot_id[40] pid:u64 start:u64 affinity_bytes:u32 crc:u32, zeros;
 *             at 512 unplaced:u64; at 1024 a journal of recovery
 *   half   := page: generation:u64 first_event:u64 mono:u64 real:u64 crc:u32, zeros;
 *             at 64 committed:u64; at 72 lost:u64
 *             data:u8[half_bytes], of which the first `committed` are entries
 *   entry  := crc:u32 len:u32 mono:u64 dur:u64 record:u8[len & ~FRZ_TAIL_LAST]
 *
 * - All integers are little-endian. The file is preallocated, mapped MAP_SHARED and thrown
 *   away once the case is sealed; it is no part of the evidence.
 * - Generation n is the n-th SEGMENT of the case: what a half holds is already in a case
 *   that has n or more of them, and a half is reused only after its segment is on disk.
 * - Records are published in groups. FRZ_TAIL_LAST marks a group's last entry; `committed`
 *   is stored after its entries and always stands behind such an entry.
 * - Power loss brings back older content of any pages. So an entry's CRC-32C is bound to the
 *   case, the generation and the entry's place, and what does not fit ends the half: the
 *   reader yields whole groups from the front, never something stale, and nothing of a half
 *   whose first event does not follow on the half or the case before. (On the case it does
 *   not when part of the half before was destroyed as it went there.)
 * - lost: events that the recorder had to drop while this half was filled; unplaced: those
 *   dropped while it had no half at all.
 */
#ifndef FRZ_TAILFILE_H
#define FRZ_TAILFILE_H

#include "bytes.h"
#include "frz.h"

#define FRZ_TAIL_MAGIC	  "frztail" /* with its NUL */
#define FRZ_TAIL_VERSION  1
#define FRZ_TAIL_PAGE	  4096u
#define FRZ_TAIL_HALVES	  2u
#define FRZ_TAIL_HALF_MAX (8u << 20)
#define FRZ_TAIL_AFFINITY (64u << 10) /* what writers reserve */
#define FRZ_TAIL_ENTRY	  24u	      /* an entry's bytes before its record */
#define FRZ_TAIL_LAST	  0x80000000u

/* offsets in the head page */
#define FRZ_TAIL_H_UNPLACED 512u
#define FRZ_TAIL_H_JOURNAL  1024u
/* offsets in a half's page */
#define FRZ_TAIL_P_COMMITTED 64u
#define FRZ_TAIL_P_LOST	     72u

struct frz_tail_head {
	uint32_t half_bytes;	 /* a multiple of the page; 0: no halves, only the journal */
	uint32_t affinity_bytes; /* likewise */
	uint8_t case_id[16];
	uint8_t genesis_link[FRZ_HASH_LEN];
	char boot_id[40];	   /* NUL-padded */
	uint64_t pid, start_ticks; /* of the recorder, proc_pid_stat(5) field 22 */
};

/* What recovery was about to cut, written down before the cut. */
struct frz_tail_journal {
	uint64_t offset; /* length of the case after the cut */
	uint64_t torn_bytes;
	uint8_t torn_sha256[FRZ_HASH_LEN];
};

size_t frz_tail_size(const struct frz_tail_head *h);
size_t frz_tail_half_offset(const struct frz_tail_head *h, unsigned half); /* of its page */

/* ---- writing: into the mapping, see recorder/tail.c ---- */

void frz_tail_put_head(uint8_t *page, const struct frz_tail_head *h);
/* Of a half whose committed is 0 already. */
void frz_tail_put_half(uint8_t *page, const uint8_t genesis_link[FRZ_HASH_LEN], uint64_t generation,
		       uint64_t first_event, uint64_t mono, uint64_t real);
void frz_tail_put_journal(uint8_t *head_page, const struct frz_tail_journal *j);
/* Seed of the CRCs of a half's entries. */
uint32_t frz_tail_seed(const uint8_t genesis_link[FRZ_HASH_LEN], uint64_t generation);
/* An entry at `at` of a half's data, where there is room for it; returns its length. */
size_t frz_tail_put_entry(uint8_t *data, size_t at, uint32_t seed, const void *rec, size_t len,
			  uint64_t mono_ns, uint64_t dur_ns);
/* The entry at `at` is the last of its group. */
void frz_tail_mark_last(uint8_t *data, size_t at);

/* ---- reading: takes memory, touches no file ---- */

struct frz_tail_half {
	uint64_t generation, first_event;
	uint64_t mono, real; /* read together when the half was opened, ns */
	uint64_t lost;
	uint64_t committed;	  /* as the half claims it, at most half_bytes */
	uint64_t usable;	  /* bytes of whole groups that hold their checks */
	uint64_t events, records; /* in those */
	const uint8_t *data;
	uint32_t seed;
};

struct frz_tail {
	struct frz_tail_head head;
	uint64_t unplaced;
	bool has_journal;
	struct frz_tail_journal journal;
	/* Halves with records that the case lacks and that can be had without a hole: lowest
	 * generation first, which is segments + 1; only the last can be torn. */
	unsigned nhalves;
	unsigned npending; /* half[nhalves..npending) cannot be had */
	struct frz_tail_half half[FRZ_TAIL_HALVES];
	uint64_t unusable;  /* committed bytes that cannot be had */
	const char *damage; /* why not, one line; NULL when unusable is 0 */
};

/*
 * Parses a whole tail. genesis_link: of the case it lies beside; segments, events: the SEGMENT
 * blocks which that case has, and what is in them. Whoever reads a case that is still being
 * written must take its copy of the tail before it counts the segments: a half is reused once
 * its segment is in the case.
 *
 * FRZ_OK (also when something in the halves is torn: look at unusable), FRZ_E_NOT_FRZ (no
 * tail), FRZ_E_VERSION, FRZ_E_TRUNCATED (shorter than its head says), FRZ_E_LIMIT,
 * FRZ_E_CORRUPT (the head), FRZ_E_FOREIGN (another case's). On error *why is one line.
 */
enum frz_err frz_tail_parse(const void *mem, size_t len, const uint8_t genesis_link[FRZ_HASH_LEN],
			    uint64_t segments, uint64_t events, struct frz_tail *t,
			    const char **why);

/* The head alone, from its page, with the checks that need no case: before a copy is made. */
enum frz_err frz_tail_parse_head(const void *page, size_t len, struct frz_tail_head *h,
				 const char **why);

/* Sets usable, events and records from data, seed and committed. frz_tail_parse has done it. */
void frz_tail_check(struct frz_tail_half *h);

struct frz_tail_entry {
	const uint8_t *rec;
	size_t len;
	uint64_t mono_ns, dur_ns;
	bool last; /* of its group */
};

/* Iterates the usable entries; *at starts at 0. FRZ_OK or FRZ_END. */
enum frz_err frz_tail_next(const struct frz_tail_half *h, uint64_t *at, struct frz_tail_entry *e);

#endif
