/*
 * decoder.h - the inside of the record decoder: decode.c takes segments and loose records
 * apart, bodies.c reads their bodies.
 */
#ifndef FRZ_DECODER_H
#define FRZ_DECODER_H

#include "declared.h"
#include "record.h"

struct frz_decoder {
	struct frz_declared decl;
	uint8_t *records; /* put together from the columns */
	size_t records_cap;
	struct frz_cur r, g, d; /* records; planes (segment.h) */
	const uint8_t *n, *a, *b;
	size_t timed, timed_done;
	uint64_t seq, mono; /* of the next event; of the last timed record */
	/* what the SEGMENT block says: behind the last event; latest time */
	uint64_t end_seq, last_mono;
	const char *why;
};

/* True: c was read without fault to its last byte. */
static inline bool frz_used_up(const struct frz_cur *c) { return !c->bad && c->p == c->end; }

static inline enum frz_err frz_decoder_corrupt(struct frz_decoder *d, const char *why)
{
	d->why = why;
	return FRZ_E_CORRUPT;
}

/* Reads out->body by out->type: fills out->u, applies declarations. On error d->why is set
 * and nothing was applied. */
enum frz_err frz_decode_body(struct frz_decoder *d, struct frz_record *out);

#endif
