/*
 * tailmark.h - the tail of a case without a SEAL, as a database sees it: which records of the
 * segments in the making it has, so that it can be gone on with when the tail or the case has
 * more, and made anew when they have something else.
 */
#ifndef FANALYZE_TAILMARK_H
#define FANALYZE_TAILMARK_H

#include <stdbool.h>
#include <stdint.h>

#include "sha256.h"
#include "unfinished.h"

/* The first records of the segment with this number (from 1). */
struct tail_mark {
	uint64_t generation, records;
	uint64_t events;	      /* among those records */
	uint8_t sha256[FRZ_HASH_LEN]; /* of them, see tail_hash_add */
};

struct tail_state {
	enum frz_writer writer;
	bool present, readable; /* the tail */
	uint64_t events;	/* taken from it: the case's segments lack them */
	uint64_t lost;		/* likewise, events that the recorder had to drop */
	uint64_t unusable;	/* committed bytes of it that cannot be had */
	char why[160];		/* not readable, or not usable: why */
	unsigned nmarks;	/* lowest generation first */
	struct tail_mark mark[FRZ_TAIL_HALVES];
};

/* For meta: says all of a tail_state that a database tells or depends on. */
#define TAIL_TEXT_MAX 640
void tail_state_text(const struct tail_state *t, char text[TAIL_TEXT_MAX]);
/* The marks out of such a text; false: it is none. */
bool tail_state_marks(const char *text, struct tail_mark mark[FRZ_TAIL_HALVES], unsigned *n);

struct tail_hash {
	struct frz_sha256 sha;
	uint64_t records, events;
};
void tail_hash_begin(struct tail_hash *h);
/* A record counts with what a segment keeps of it, so its hash is the same from either. */
void tail_hash_add(struct tail_hash *h, const struct frz_record *rec);
/* What was added is what the mark says. */
bool tail_hash_is(const struct tail_hash *h, const struct tail_mark *m);

/* Who takes the records. NULL functions: nobody, it is only looked at. */
struct tail_taker {
	struct frz_decoder *d;
	/* A segment in the making begins. known: some of its records are marked. False: stop. */
	bool (*half)(void *arg, const struct frz_tail_half *h, bool known);
	/* known: within the mark. */
	bool (*record)(void *arg, const struct frz_record *rec, bool known);
	void *arg;
};

enum tail_walked {
	TAIL_GOOD,
	TAIL_STALE,   /* what is marked is not, or not any more, what the tail says */
	TAIL_STOPPED, /* by the taker */
};

/* All of a tail after frz_unfinished_fit(), into t, whose marks and writer are those of before.
 * A record that makes no sense ends it. */
enum tail_walked tail_walk(const struct frz_unfinished *u, const struct tail_taker *to,
			   struct tail_state *t);

#endif
