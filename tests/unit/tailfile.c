/*
 * tailfile.c - the tail's layout: what is written is read, every flipped bit is noticed or
 * harmless, other cases' and cut tails are told apart, any bytes at all can be parsed.
 */
#include "tap.h"

#include "tailfile.h"

#define HALF 8192u

static uint8_t link_of_case[FRZ_HASH_LEN] = { 1, 2, 3 };
static struct frz_tail_head head;
static uint8_t *mem;
static size_t size;

static void start(void)
{
	free(mem);
	head = (struct frz_tail_head){ .half_bytes = HALF,
				       .affinity_bytes = FRZ_TAIL_PAGE,
				       .pid = 12,
				       .start_ticks = 34,
				       .boot_id = "boot",
				       .case_id = { 9 } };
	memcpy(head.genesis_link, link_of_case, FRZ_HASH_LEN);
	size = frz_tail_size(&head);
	mem = calloc(1, size);
	frz_tail_put_head(mem, &head);
}

/* `groups` groups of two events and a note in a half. */
static void fill(unsigned half, uint64_t generation, uint64_t first_event, unsigned groups)
{
	uint8_t *page = mem + frz_tail_half_offset(&head, half), *data = page + FRZ_TAIL_PAGE;
	uint32_t seed = frz_tail_seed(link_of_case, generation);
	size_t at = 0, last = 0;

	frz_tail_put_half(page, link_of_case, generation, first_event, 1000, 2000);
	for (unsigned g = 0; g < groups; g++) {
		at += frz_tail_put_entry(data, at, seed, "\x80\x02hi", 4, 1000 + g, 5);
		at += frz_tail_put_entry(data, at, seed, "\xc8\x01y", 3, 1000 + g, 0);
		last = at;
		at += frz_tail_put_entry(data, at, seed, "\x81\x03you", 5, 1000 + g, 6);
		frz_tail_mark_last(data, last);
	}
	frz_put64(page + FRZ_TAIL_P_COMMITTED, at);
}

static enum frz_err parse_after(uint64_t segments, uint64_t events, struct frz_tail *t)
{
	const char *why;

	return frz_tail_parse(mem, size, link_of_case, segments, events, t, &why);
}

static enum frz_err parse(uint64_t segments, struct frz_tail *t)
{
	return parse_after(segments, 0, t);
}

static void whole(void)
{
	struct frz_tail_entry e;
	struct frz_tail t;
	uint64_t at = 0;
	unsigned n = 0, lasts = 0;

	start();
	is_int(parse(0, &t), FRZ_OK, "an empty tail");
	ok(t.nhalves == 0 && t.unusable == 0 && t.damage == NULL && !t.has_journal,
	   "  has nothing");
	ok(t.head.pid == 12 && t.head.start_ticks == 34 && !strcmp(t.head.boot_id, "boot") &&
		   t.head.case_id[0] == 9,
	   "  but its head");
	fill(1, 5, 101, 10);
	fill(0, 6, 121, 3);
	is_int(parse_after(4, 100, &t), FRZ_OK, "two halves that the case lacks");
	ok(t.nhalves == 2 && t.half[0].generation == 5 && t.half[1].generation == 6, "  in order");
	ok(t.half[0].events == 20 && t.half[0].records == 30 && t.half[1].events == 6,
	   "  with their events");
	ok(t.half[0].first_event == 101 && t.half[0].mono == 1000 && t.half[0].real == 2000,
	   "  and anchors");
	while (frz_tail_next(&t.half[1], &at, &e) == FRZ_OK) {
		lasts += e.last;
		n += n == 2 ? e.len == 5 && !memcmp(e.rec, "\x81\x03you", 5) && e.mono_ns == 1000 &&
				      e.dur_ns == 6 :
			      e.len > 2;
	}
	ok(n == 9 && lasts == 3, "  entries come as they were put");
	parse_after(5, 120, &t);
	ok(t.nhalves == 1 && t.half[0].generation == 6, "one of them is in the case");
	for (unsigned events = 119; events <= 121; events += 2) {
		parse_after(5, events, &t);
		ok(t.nhalves == 0 && t.unusable == t.half[0].committed &&
			   strstr(t.damage, "do not follow on those of the case"),
		   "  but with another number of events, %u: %s", events, t.damage);
	}
	parse_after(6, 126, &t);
	is_int(t.nhalves, 0, "both are");
	parse_after(3, 100, &t);
	ok(t.nhalves == 0 && t.npending == 2 && t.unusable > 0 && strstr(t.damage, "missing"),
	   "a segment is missing: %s", t.damage);
	fill(1, 5, 101, 9);
	parse_after(4, 100, &t);
	ok(t.nhalves == 1 && t.half[0].generation == 5 && t.unusable == t.half[1].committed &&
		   strstr(t.damage, "end of a half"),
	   "the older half is an older one than it was: %s", t.damage);
}

static void journal(void)
{
	struct frz_tail_journal j = { .offset = 77, .torn_bytes = 5, .torn_sha256 = { 1 } };
	struct frz_tail t;

	start();
	frz_tail_put_journal(mem, &j);
	parse(0, &t);
	ok(t.has_journal && t.journal.offset == 77 && t.journal.torn_bytes == 5 &&
		   t.journal.torn_sha256[0] == 1,
	   "recovery's journal is read");
	mem[FRZ_TAIL_H_JOURNAL]++;
	parse(0, &t);
	ok(!t.has_journal, "a torn one is none");
}

static void every_bit(void)
{
	struct frz_tail t;
	size_t page, used;
	unsigned wrong = 0, noticed = 0;

	start();
	fill(0, 1, 1, 4);
	page = frz_tail_half_offset(&head, 0) + FRZ_TAIL_PAGE;
	parse(0, &t);
	used = t.half[0].usable;
	for (size_t bit = 0; bit < used * 8; bit++) {
		mem[page + bit / 8] ^= (uint8_t)(1 << bit % 8);
		parse(0, &t);
		/* nothing at and behind the damaged group, everything before it */
		noticed += t.unusable > 0;
		wrong += t.nhalves ? t.half[0].usable > bit / 8 ||
					     t.half[0].usable + used / 4 <= bit / 8 :
				     bit / 8 >= used / 4;
		mem[page + bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	is_int(noticed, used * 8, "every flipped bit of every entry is noticed");
	is_int(wrong, 0, "  and leaves exactly the groups before it");
	wrong = 0;
	for (uint64_t c = 1; c < used; c++) {
		frz_put64(mem + page - FRZ_TAIL_PAGE + FRZ_TAIL_P_COMMITTED, c);
		parse(0, &t);
		wrong += (t.nhalves ? t.half[0].usable : 0) != c / (used / 4) * (used / 4);
	}
	is_int(wrong, 0, "a committed offset within a group yields the groups before it");
	frz_put64(mem + page - FRZ_TAIL_PAGE + FRZ_TAIL_P_COMMITTED, UINT64_MAX);
	parse(0, &t);
	ok(t.half[0].usable == used && t.unusable, "one beyond all bounds yields what is there");
}

static void stale(void)
{
	struct frz_tail t;

	start();
	fill(0, 1, 1, 40);
	fill(0, 3, 200, 2);
	frz_put64(mem + frz_tail_half_offset(&head, 0) + FRZ_TAIL_P_COMMITTED, HALF / 2);
	parse_after(2, 199, &t);
	ok(t.nhalves == 1 && t.half[0].events == 4,
	   "entries of an earlier generation are not taken");
	fill(0, 3, 200, 2);
	frz_tail_put_half(mem + frz_tail_half_offset(&head, 0), link_of_case, 5, 300, 1, 1);
	parse_after(4, 299, &t);
	ok(t.nhalves == 0 && t.unusable, "nor under a new name");
}

static void errors(void)
{
	uint8_t other[FRZ_HASH_LEN] = { 4 };
	struct frz_tail t;
	const char *why;

	start();
	is_int(frz_tail_parse(mem, size, other, 0, 0, &t, &why), FRZ_E_FOREIGN,
	       "another case's tail");
	is_int(frz_tail_parse(mem, size - 1, link_of_case, 0, 0, &t, &why), FRZ_E_TRUNCATED,
	       "one that is too short");
	is_int(frz_tail_parse(mem, 100, link_of_case, 0, 0, &t, &why), FRZ_E_TRUNCATED,
	       "much too short");
	is_int(frz_tail_parse(mem, 3, link_of_case, 0, 0, &t, &why), FRZ_E_NOT_FRZ, "three bytes");
	is_int(frz_tail_parse(mem, 0, link_of_case, 0, 0, &t, &why), FRZ_E_NOT_FRZ, "none");
	mem[20] ^= 1;
	is_int(parse(0, &t), FRZ_E_CORRUPT, "a flipped bit in the head");
	mem[0] ^= 1;
	is_int(parse(0, &t), FRZ_E_NOT_FRZ, "no tail");
	start();
	head.half_bytes = FRZ_TAIL_HALF_MAX * 2;
	frz_tail_put_head(mem, &head);
	is_int(parse(0, &t), FRZ_E_LIMIT, "halves beyond the limit");
}

static void any_bytes(void)
{
	uint32_t x = 7;
	struct frz_tail t;
	uint64_t sum = 0;

	for (int round = 0; round < 3000; round++) {
		start();
		fill(0, 1, 1, 20);
		fill(1, 2, 41, 20);
		for (int i = 0; i < 30; i++) {
			x = x * 1664525 + 1013904223;
			mem[FRZ_TAIL_PAGE * 2 + (x >> 8) % (size - FRZ_TAIL_PAGE * 2)] = (uint8_t)x;
		}
		parse(0, &t);
		for (unsigned i = 0; i < t.nhalves; i++) {
			struct frz_tail_entry e;
			uint64_t at = 0;

			while (frz_tail_next(&t.half[i], &at, &e) == FRZ_OK)
				sum += e.rec[e.len - 1];
		}
	}
	ok(sum > 0, "damaged tails are parsed without harm");
}

int main(void)
{
	whole();
	journal();
	every_bit();
	stale();
	errors();
	any_bytes();
	free(mem);
	return tap_done();
}
