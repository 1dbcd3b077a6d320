/*
 * recover_plan.c - what finishes a killed recorder's case: RECOVERY, the tail's segments, SEAL.
 */
#include "recover_private.h"

#include <stdlib.h>

#include "record.h"

/* append_sink into r->out: one block. */
static int collect(void *arg, const struct iovec *iov, int n)
{
	struct recovery *r = arg;

	if (r->nblocks == RECOVER_BLOCKS)
		return -1;
	for (int i = 0; i < n; i++) {
		size_t need = r->out.len + iov[i].iov_len;

		if (need > r->out.cap) {
			uint8_t *p = realloc(r->out.p, 2 * need);

			if (!p)
				return -1;
			r->out.p = p;
			r->out.cap = 2 * need;
		}
		frz_buf_bytes(&r->out, iov[i].iov_base, iov[i].iov_len);
	}
	r->end[r->nblocks++] = r->out.len;
	return 0;
}

/* Of the committed bytes of all halves that the case lacks. */
static void hash_tail(const struct frz_tail *t, uint8_t out[FRZ_HASH_LEN])
{
	struct frz_sha256 h;

	frz_sha256_init(&h);
	for (unsigned i = 0; i < t->npending; i++)
		frz_sha256_add(&h, t->half[i].data, t->half[i].committed);
	frz_sha256_peek(&h, out);
}

static size_t put_record(uint8_t *data, size_t at, uint32_t seed, enum frz_rec type,
			 const struct frz_buf *body, uint64_t mono)
{
	uint8_t mem[400];
	struct frz_buf rec = { .p = mem, .cap = sizeof mem };

	frz_enc_record(&rec, type, body);
	return frz_tail_put_entry(data, at, seed, rec.p, rec.len, mono, 0);
}

/* A segment without events that tells what of the tail could not be had. */
static enum frz_err tell_unusable(struct recovery *r)
{
	static const char what[] = "bytes of the tail not usable";
	uint8_t data[1024], mem[300];
	const struct frz_tail *t = &r->t;
	struct moment then = t->npending ? (struct moment){ t->half[0].mono, t->half[0].real } :
					   r->last;
	struct frz_tail_half h = { .first_event = r->append.events + 1,
				   .mono = then.mono,
				   .real = then.real,
				   .data = data };
	struct frz_buf body = { .p = mem, .cap = sizeof mem };
	size_t at = 0, last;

	frz_buf_bytes(&body, what, sizeof what - 1);
	at += put_record(data, at, h.seed, FRZ_R_STRING, &body, 0);
	body.len = 0;
	frz_buf_bytes(&body, t->damage, strlen(t->damage));
	at += put_record(data, at, h.seed, FRZ_R_STRING, &body, 0);
	body.len = 0;
	frz_buf_varint(&body, 0); /* of no process */
	frz_buf_varint(&body, 0);
	frz_buf_varint(&body, 1);
	frz_buf_varint(&body, t->unusable);
	frz_buf_varint(&body, 2);
	last = at;
	at += put_record(data, at, h.seed, FRZ_R_COVERAGE, &body, r->append.last_mono);
	frz_tail_mark_last(data, last);
	h.committed = at;
	frz_tail_check(&h);
	return append_segment(&r->append, &h, 0, r->recorded_boot, NULL);
}

/* RECOVERY and SEAL are not written before what stands in front of them, whatever the clock says:
 * another time namespace has another CLOCK_MONOTONIC. */
static void not_before(const struct recovery *r, struct moment *now, uint64_t mono)
{
	if (now->mono >= mono || strcmp(r->boot, r->recorded_boot))
		return;
	now->real += mono - now->mono;
	now->mono = mono;
}

static enum frz_err plan_blocks(struct recovery *r, struct recover_result *res)
{
	struct append_recovery rec = { .torn_bytes = r->torn_bytes };
	struct append *a = &r->append;
	struct moment now = moment_now();
	enum frz_err err;

	for (unsigned i = 0; i < r->t.npending; i++) {
		const struct frz_tail_half *h = &r->t.half[i];

		rec.tail_bytes += h->committed;
		if (i < r->t.nhalves)
			rec.tail_events += h->events;
	}
	hash_tail(&r->t, rec.tail_sha256);
	memcpy(rec.torn_sha256, r->torn_sha256, FRZ_HASH_LEN);
	res->tail_events = rec.tail_events;
	/* dropped while there was no half: no segment counts them, so RECOVERY does, once */
	if (a->lost == r->placed_lost)
		a->lost += r->t.unplaced;

	not_before(r, &now, r->head.last.mono_ns);
	err = append_recovery(a, &rec, r->boot, now);
	for (unsigned i = 0; i < r->t.nhalves && !err; i++)
		err = append_segment(a, &r->t.half[i], r->t.half[i].lost, r->recorded_boot, NULL);
	if (!err && r->t.unusable)
		err = tell_unusable(r);
	not_before(r, &now, a->last_mono);
	if (!err)
		err = append_seal(a, "recovered", r->boot, now);
	return err;
}

int recover_plan(struct recovery *r, struct recover_result *res)
{
	struct append *a = &r->append;
	struct frz_buf index = a->index;
	uint64_t last_segment = a->last_segment;
	enum frz_err err;

	if (!append_init(a, collect, r, 3, r->t.head.half_bytes))
		return recover_fail(r, "out of memory");
	a->index = index;
	a->last_mono = r->last.mono;
	a->last_segment = last_segment;
	memcpy(a->link, r->head.link, FRZ_HASH_LEN);
	a->offset = r->head.bytes;
	a->blocks = r->head.blocks;
	a->segments = r->head.segments;
	a->ticks = r->head.ticks;
	a->events = r->head.events;
	a->lost = r->head.lost;
	if (recover_hash_range(r, 0, r->head.bytes, &a->sha, NULL, NULL))
		return -1;
	err = plan_blocks(r, res);
	if (err)
		return recover_fail(r, "%s: cannot be finished: %s", r->path,
				    err == FRZ_E_IO ? "out of memory" : frz_strerror(err));
	res->events = a->events;
	res->bytes = a->offset;
	memcpy(res->head, a->link, FRZ_HASH_LEN);
	return 0;
}

bool recover_told_already(const struct recovery *r)
{
	uint8_t hash[FRZ_HASH_LEN];
	struct frz_tail t;
	const char *why;

	if (!r->head.recoveries ||
	    frz_tail_parse(r->tail.map, r->tail.size, r->genesis_link, r->earlier_segments,
			   r->earlier_events, &t, &why) != FRZ_OK)
		return false;
	hash_tail(&t, hash);
	return !memcmp(hash, r->earlier_tail, FRZ_HASH_LEN);
}
