/*
 * anchors.h - what somebody noted of a case and kept elsewhere: a chain head, frec's
 * checkpoint lines, a receipt. --verify holds the case against them.
 *
 * A source is one of these; it agrees when everything noted in it does. Made by anchors_*(),
 * then shown every intact block in order by anchors_block(), then judged.
 */
#ifndef FANALYZE_ANCHORS_H
#define FANALYZE_ANCHORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "casefile.h"

struct anchor {
	uint8_t link[FRZ_HASH_LEN];
	bool has_counts, has_sha256;
	uint64_t blocks, events;      /* in the case when it was noted */
	uint8_t sha256[FRZ_HASH_LEN]; /* of the file then */
	unsigned line;		      /* of the file, from 1 */
};

enum anchors_fault {
	ANCHORS_AGREE,
	ANCHORS_NONE,	     /* the file says nothing of this case */
	ANCHORS_ABSENT,	     /* no block has this chain head */
	ANCHORS_OTHER_HEAD,  /* the block with this number has another link */
	ANCHORS_OTHER_COUNT, /* the link is right, the number of events is not */
	ANCHORS_OTHER_HASH,  /* the link is right, the hash of the file is not */
	ANCHORS_BEYOND,	     /* the case has fewer blocks */
};

struct anchors {
	char from[300];	  /* "--checkpoint FILE" */
	struct anchor *a; /* by rising number of blocks */
	size_t n;
	unsigned other_cases; /* checkpoints of other cases, passed over */
	bool cut_line;	      /* the file's last line was cut short, and passed over */
	/* found out */
	size_t next, agree;
	enum anchors_fault fault; /* the first that does not agree ... */
	struct anchor bad;	  /* ... and which it was */
	bool found;		  /* the furthest that agrees: */
	uint64_t block, events;
	uint8_t link[FRZ_HASH_LEN];
};

/* --expect-head: 64 hex digits. False: it is something else. */
bool anchors_head(struct anchors *s, const char *hex);
/* A file of frec's checkpoint lines, with anything in front of them (syslog's header) and other
 * lines between. False with one line in err. */
bool anchors_checkpoints(struct anchors *s, const char *path, const uint8_t case_id[16], char *err,
			 size_t cap);
/* A receipt (receipt.h). False with one line in err. */
bool anchors_receipt(struct anchors *s, const char *path, const uint8_t case_id[16], char *err,
		     size_t cap);
void anchors_release(struct anchors *s);

/* The case up to the next intact block. */
void anchors_block(struct anchors *s, const struct frz_case_head *h);
/* There are no more blocks that can be relied on. True: all of it agrees. */
bool anchors_end(struct anchors *s);

/* Reads a small text file whole; NULL with one line in err. malloc'ed, with a NUL behind. */
char *anchors_slurp(const char *path, size_t max, size_t *n, char *err, size_t cap);

#endif
