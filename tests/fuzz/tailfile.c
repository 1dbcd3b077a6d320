/*
 * tailfile.c - fuzzes the tail's reader: the input as a whole tail, and as the halves of one whose
 * checksums are right, so that the walk over its entries is reached.
 *
 * The second: each half takes generation:u8 committed:u16 n:u16 and n bytes of entries, each
 * entry with its 24 bytes of head; an entry's CRC is made right unless its first byte is 0xff.
 */
#include <stdlib.h>

#include "unfinished.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HALF 4096u

static const uint8_t link_of_case[FRZ_HASH_LEN] = { 42 };

/* As far as the records make sense. */
static void decode(const struct frz_tail_half *h)
{
	struct frz_decoder *d = frz_decoder_new();
	struct frz_record rec;
	struct frz_half_cur c;
	uint64_t events = 0, records = 0;

	if (!d)
		return;
	frz_half_begin(&c, h, d);
	while (frz_half_next(&c, d, &rec) == FRZ_OK) {
		records++;
		events += rec.seq != 0;
		if (rec.seq && rec.seq != c.seq - 1)
			abort();
	}
	if (records > h->records || events > h->events || c.seq != h->first_event + events)
		abort();
	frz_decoder_free(d);
}

static void check_half(const struct frz_tail_half *h, const uint8_t *mem, size_t len)
{
	struct frz_tail_entry e = { 0 };
	uint64_t at = 0, records = 0, events = 0;

	if (h->usable > h->committed || h->data < mem || h->data + h->committed > mem + len)
		abort();
	while (frz_tail_next(h, &at, &e) == FRZ_OK) {
		if (e.rec < h->data || e.rec + e.len > h->data + h->usable || e.len < 2)
			abort();
		records++;
		events += e.rec[0] >= 0x80 && e.rec[0] < 0xc0;
	}
	if (at != h->usable || records != h->records || events != h->events || (records && !e.last))
		abort();
	decode(h);
}

static void parse(const uint8_t *mem, size_t len, const uint8_t *link, uint64_t segments)
{
	struct frz_tail t;
	const char *why = NULL;

	if (frz_tail_parse(mem, len, link, segments, 0, &t, &why) != FRZ_OK) {
		if (!why || !*why)
			abort();
		return;
	}
	if (t.nhalves > t.npending || t.npending > FRZ_TAIL_HALVES || !t.unusable != !t.damage)
		abort();
	for (unsigned i = 0; i < t.nhalves; i++) {
		if (t.half[i].generation != segments + 1 + i)
			abort();
		check_half(&t.half[i], mem, len);
	}
}

static void put_half(uint8_t *page, struct frz_cur *in)
{
	unsigned generation = frz_take8(in), committed = frz_take8(in), n;
	uint8_t *to = page + FRZ_TAIL_PAGE;
	uint32_t seed = frz_tail_seed(link_of_case, generation);
	const uint8_t *p;
	size_t at = 0;

	committed |= (unsigned)frz_take8(in) << 8;
	n = frz_take8(in);
	n |= (unsigned)frz_take8(in) << 8;
	if (n > frz_cur_left(in))
		n = (unsigned)frz_cur_left(in);
	if (n > HALF)
		n = HALF;
	p = frz_take(in, n);
	if (p)
		memcpy(to, p, n);
	frz_tail_put_half(page, link_of_case, generation, 1, 2, 3);
	frz_put64(page + FRZ_TAIL_P_COMMITTED, committed);
	while (p && n - at >= FRZ_TAIL_ENTRY) {
		uint32_t len = frz_get32(p + at + 4) & ~FRZ_TAIL_LAST;

		if (len > n - at - FRZ_TAIL_ENTRY)
			break;
		if (p[at] != 0xff) {
			frz_tail_put_entry(to, at, seed, p + at + FRZ_TAIL_ENTRY, len,
					   frz_get64(p + at + 8), frz_get64(p + at + 16));
			if (frz_get32(p + at + 4) & FRZ_TAIL_LAST)
				frz_tail_mark_last(to, at);
		}
		at += FRZ_TAIL_ENTRY + len;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct frz_tail_head head = { .half_bytes = HALF };
	struct frz_cur in = frz_cur_of(data, size);
	uint8_t link[FRZ_HASH_LEN] = { 0 };
	size_t len;
	uint8_t *mem;

	if (size >= 64)
		memcpy(link, data + 32, sizeof(link));
	parse(data, size, link, size ? data[size - 1] % 4 : 0);

	memcpy(head.genesis_link, link_of_case, FRZ_HASH_LEN);
	len = frz_tail_size(&head);
	mem = calloc(1, len);
	if (!mem)
		return 0;
	frz_tail_put_head(mem, &head);
	for (unsigned i = 0; i < FRZ_TAIL_HALVES; i++)
		put_half(mem + frz_tail_half_offset(&head, i), &in);
	for (uint64_t segments = 0; segments < 3; segments++)
		parse(mem, len, link_of_case, segments);
	free(mem);
	return 0;
}
