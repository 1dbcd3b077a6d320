/*
 * unfinished.h - what a case without a SEAL has beside its file: the committed records in
 * CASE.frz.tail that are in no segment yet, and whether a recorder is at work. Changes
 * neither file.
 *
 *	frz_unfinished_copy(u)                  first
 *	... read the case to its end ...        then: what moved there meanwhile is in both
 *	frz_unfinished_fit(u, link, segments, events)
 *	for each u->tail.half[0..nhalves)       the next segments, in the making
 *		frz_half_begin(&c, half, d);
 *		while (frz_half_next(&c, d, &rec) == FRZ_OK) ...
 *
 * A half is generation n for the n-th segment (tailfile.h), and holds the very records, in
 * the order, with the event numbers and the clocks, that this segment will have.
 */
#ifndef FRZ_UNFINISHED_H
#define FRZ_UNFINISHED_H

#include "record.h"
#include "tailfile.h"

struct frz_unfinished {
	char *path; /* of the tail */
	uint8_t *mem;
	size_t len, cap;
	bool present;  /* something has that name */
	bool copied;   /* as a tail, at one moment */
	bool readable; /* and it is this case's: `tail` is set. By fit */
	/* Halves that follow on the case without a gap, and on each other; nhalves 0 unless
	 * readable. Their data is in the copy. */
	struct frz_tail tail;
	uint64_t events; /* in those halves */
	char why[160];	 /* not readable, or tail.unusable: why, one line */
};

/* False: no memory. */
bool frz_unfinished_init(struct frz_unfinished *u, const char *case_path);
void frz_unfinished_release(struct frz_unfinished *u);

/* Copies the tail as it is at one moment, though a recorder writes to it: a copy during which a
 * half was handed over is made again. Of the affinity area nothing is copied. */
void frz_unfinished_copy(struct frz_unfinished *u);
/* Does the tail differ from the copy? A cheap look, not at every byte. */
bool frz_unfinished_moved(const struct frz_unfinished *u);
/* Of a damaged case. Then it is the event numbers alone that tell whether the tail follows. */
#define FRZ_SEGMENTS_UNKNOWN UINT64_MAX
/* What of the copy a case lacks whose whole segments were counted after it was made. link: of
 * its GENESIS; segments, events: as frz_case_head() tells them. */
void frz_unfinished_fit(struct frz_unfinished *u, const uint8_t link[FRZ_HASH_LEN],
			uint64_t segments, uint64_t events);

#define FRZ_TAIL_NONSENSE "records in it make no sense"

struct frz_half_cur {
	const struct frz_tail_half *half;
	uint64_t at, seq; /* byte and event number of the next record */
};

/* d forgets what was declared before, as at the begin of a segment. */
void frz_half_begin(struct frz_half_cur *c, const struct frz_tail_half *half,
		    struct frz_decoder *d);
/* The next record: FRZ_OK, FRZ_END, or an error when it holds its checksum and yet makes no
 * sense. */
enum frz_err frz_half_next(struct frz_half_cur *c, struct frz_decoder *d, struct frz_record *rec);

/* Cuts from the halves of a tail what holds its checksums and yet makes no sense: no recorder
 * wrote that. It counts as unusable. */
void frz_tail_cut_nonsense(struct frz_tail *t, struct frz_decoder *d);

enum frz_writer {
	FRZ_WRITER_UNKNOWN, /* the file system knows no locks, or the file cannot be opened */
	FRZ_WRITER_NONE,
	FRZ_WRITER_AT_WORK, /* frec, or frec --recover, has it locked */
};

/* To be asked once there is a GENESIS: a recorder that just made its file wants the lock. */
enum frz_writer frz_case_writer(const char *case_path);

#endif
