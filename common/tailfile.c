/*
 * tailfile.c - the bytes of CASE.frz.tail, for the recorder that writes them and for all
 * who read what a killed recorder left.
 */
#include "tailfile.h"

#include "crc32c.h"

/* offsets in the head page */
#define H_VERSION  8
#define H_HALF	   12
#define H_CASE_ID  16
#define H_GENESIS  32
#define H_BOOT_ID  64
#define H_PID	   104
#define H_START	   112
#define H_AFFINITY 120
#define H_CRC	   124
/* offsets in the journal */
#define J_OFFSET 0
#define J_BYTES	 8
#define J_SHA	 16
#define J_CRC	 48
/* offsets in a half's page */
#define P_GENERATION 0
#define P_FIRST	     8
#define P_MONO	     16
#define P_REAL	     24
#define P_CRC	     32
/* offsets in an entry */
#define E_CRC	 0
#define E_LEN	 4
#define E_MONO	 8
#define E_DUR	 16

#define LAST_MIX 0x5A17C0DEu /* what the mark of a group's end does to the entry's CRC */

size_t frz_tail_size(const struct frz_tail_head *h)
{
	return frz_tail_half_offset(h, h->half_bytes ? FRZ_TAIL_HALVES : 0);
}

size_t frz_tail_half_offset(const struct frz_tail_head *h, unsigned half)
{
	return FRZ_TAIL_PAGE + (size_t)h->affinity_bytes +
	       half * (FRZ_TAIL_PAGE + (size_t)h->half_bytes);
}

uint32_t frz_tail_seed(const uint8_t genesis_link[FRZ_HASH_LEN], uint64_t generation)
{
	uint8_t g[8];

	frz_put64(g, generation);
	return frz_crc32c(frz_crc32c(0, genesis_link, FRZ_HASH_LEN), g, sizeof g);
}

void frz_tail_put_head(uint8_t *page, const struct frz_tail_head *h)
{
	memcpy(page, FRZ_TAIL_MAGIC, sizeof FRZ_TAIL_MAGIC);
	frz_put32(page + H_VERSION, FRZ_TAIL_VERSION);
	frz_put32(page + H_HALF, h->half_bytes);
	memcpy(page + H_CASE_ID, h->case_id, sizeof h->case_id);
	memcpy(page + H_GENESIS, h->genesis_link, FRZ_HASH_LEN);
	memcpy(page + H_BOOT_ID, h->boot_id, sizeof h->boot_id);
	frz_put64(page + H_PID, h->pid);
	frz_put64(page + H_START, h->start_ticks);
	frz_put32(page + H_AFFINITY, h->affinity_bytes);
	frz_put32(page + H_CRC, frz_crc32c(0, page, H_CRC));
}

static uint32_t half_crc(const uint8_t *page, const uint8_t genesis_link[FRZ_HASH_LEN])
{
	return frz_crc32c(frz_crc32c(0, genesis_link, FRZ_HASH_LEN), page, P_CRC);
}

void frz_tail_put_half(uint8_t *page, const uint8_t genesis_link[FRZ_HASH_LEN], uint64_t generation,
		       uint64_t first_event, uint64_t mono, uint64_t real)
{
	frz_put64(page + P_GENERATION, generation);
	frz_put64(page + P_FIRST, first_event);
	frz_put64(page + P_MONO, mono);
	frz_put64(page + P_REAL, real);
	frz_put32(page + P_CRC, half_crc(page, genesis_link));
}

static uint32_t journal_crc(const uint8_t *page)
{
	return frz_crc32c(frz_crc32c(0, page + H_GENESIS, FRZ_HASH_LEN), page + FRZ_TAIL_H_JOURNAL,
			  J_CRC);
}

void frz_tail_put_journal(uint8_t *page, const struct frz_tail_journal *j)
{
	uint8_t *p = page + FRZ_TAIL_H_JOURNAL;

	frz_put64(p + J_OFFSET, j->offset);
	frz_put64(p + J_BYTES, j->torn_bytes);
	memcpy(p + J_SHA, j->torn_sha256, FRZ_HASH_LEN);
	frz_put32(p + J_CRC, journal_crc(page));
}

size_t frz_tail_put_entry(uint8_t *data, size_t at, uint32_t seed, const void *rec, size_t len,
			  uint64_t mono_ns, uint64_t dur_ns)
{
	uint8_t *p = data + at;

	frz_put32(p + E_LEN, (uint32_t)len);
	frz_put64(p + E_MONO, mono_ns);
	frz_put64(p + E_DUR, dur_ns);
	memcpy(p + FRZ_TAIL_ENTRY, rec, len);
	frz_put32(p + E_CRC,
		  frz_crc32c(seed ^ (uint32_t)at, p + E_LEN, FRZ_TAIL_ENTRY - E_LEN + len));
	return FRZ_TAIL_ENTRY + len;
}

void frz_tail_mark_last(uint8_t *data, size_t at)
{
	uint8_t *p = data + at;

	frz_put32(p + E_LEN, frz_get32(p + E_LEN) | FRZ_TAIL_LAST);
	frz_put32(p + E_CRC, frz_get32(p + E_CRC) ^ LAST_MIX);
}

/* One entry of the `len` bytes at data, checked in full; its length, or 0. */
static size_t entry_check(const uint8_t *data, uint64_t at, uint64_t len, uint32_t seed, bool *last)
{
	const uint8_t *p = data + at;
	uint8_t head[FRZ_TAIL_ENTRY];
	uint32_t rec_len, crc;

	if (len - at < FRZ_TAIL_ENTRY)
		return 0;
	memcpy(head, p, sizeof head);
	rec_len = frz_get32(head + E_LEN) & ~FRZ_TAIL_LAST;
	*last = (frz_get32(head + E_LEN) & FRZ_TAIL_LAST) != 0;
	if (rec_len < 2 || rec_len > len - at - FRZ_TAIL_ENTRY)
		return 0;
	frz_put32(head + E_LEN, rec_len);
	crc = frz_crc32c(seed ^ (uint32_t)at, head + E_LEN, sizeof head - E_LEN);
	crc = frz_crc32c(crc, p + FRZ_TAIL_ENTRY, rec_len);
	if ((*last ? crc ^ LAST_MIX : crc) != frz_get32(head + E_CRC))
		return 0;
	return FRZ_TAIL_ENTRY + rec_len;
}

void frz_tail_check(struct frz_tail_half *h)
{
	uint64_t at = 0, events = 0, records = 0;

	h->usable = h->events = h->records = 0;
	while (at < h->committed) {
		bool last;
		size_t n = entry_check(h->data, at, h->committed, h->seed, &last);

		if (!n)
			break;
		/* FRZ_REC_EVENT of record.h, by the number alone */
		events += h->data[at + FRZ_TAIL_ENTRY] >= 0x80 &&
			  h->data[at + FRZ_TAIL_ENTRY] < 0xc0;
		records++;
		at += n;
		if (last) {
			h->usable = at;
			h->events = events;
			h->records = records;
		}
	}
}

/* Everything in the head but its sizes, which are for head_sizes(). */
static enum frz_err head_fields(const uint8_t *m, size_t len, struct frz_tail_head *h,
				const char **why)
{
	*why = "not a tail file";
	if (len < sizeof FRZ_TAIL_MAGIC || memcmp(m, FRZ_TAIL_MAGIC, sizeof FRZ_TAIL_MAGIC) != 0)
		return FRZ_E_NOT_FRZ;
	*why = "the tail is shorter than its head";
	if (len < FRZ_TAIL_PAGE)
		return FRZ_E_TRUNCATED;
	*why = "the tail's head does not match its checksum";
	if (frz_get32(m + H_CRC) != frz_crc32c(0, m, H_CRC))
		return FRZ_E_CORRUPT;
	*why = "a tail of an unknown version";
	if (frz_get32(m + H_VERSION) != FRZ_TAIL_VERSION)
		return FRZ_E_VERSION;
	memcpy(h->genesis_link, m + H_GENESIS, FRZ_HASH_LEN);
	h->half_bytes = frz_get32(m + H_HALF);
	h->affinity_bytes = frz_get32(m + H_AFFINITY);
	memcpy(h->case_id, m + H_CASE_ID, sizeof h->case_id);
	memcpy(h->boot_id, m + H_BOOT_ID, sizeof h->boot_id);
	h->boot_id[sizeof h->boot_id - 1] = '\0';
	h->pid = frz_get64(m + H_PID);
	h->start_ticks = frz_get64(m + H_START);
	return FRZ_OK;
}

static enum frz_err head_sizes(const struct frz_tail_head *h, const char **why)
{
	*why = "the tail claims a size over the limit";
	if (h->half_bytes > FRZ_TAIL_HALF_MAX || h->half_bytes % FRZ_TAIL_PAGE ||
	    h->affinity_bytes > FRZ_TAIL_HALF_MAX || h->affinity_bytes % FRZ_TAIL_PAGE)
		return FRZ_E_LIMIT;
	return FRZ_OK;
}

enum frz_err frz_tail_parse_head(const void *page, size_t len, struct frz_tail_head *h,
				 const char **why)
{
	enum frz_err err = head_fields(page, len, h, why);

	return err ? err : head_sizes(h, why);
}

static enum frz_err head_parse(const uint8_t *m, size_t len, const uint8_t link[FRZ_HASH_LEN],
			       struct frz_tail *t, const char **why)
{
	struct frz_tail_head *h = &t->head;
	const uint8_t *j = m + FRZ_TAIL_H_JOURNAL;
	enum frz_err err = head_fields(m, len, h, why);

	if (err)
		return err;
	*why = "the tail belongs to another case";
	if (memcmp(h->genesis_link, link, FRZ_HASH_LEN) != 0)
		return FRZ_E_FOREIGN;
	err = head_sizes(h, why);
	if (err)
		return err;
	*why = "the tail is shorter than its head says";
	if (len < frz_tail_size(h))
		return FRZ_E_TRUNCATED;
	t->unplaced = frz_get64(m + FRZ_TAIL_H_UNPLACED);
	t->has_journal = frz_get32(j + J_CRC) == journal_crc(m);
	t->journal.offset = frz_get64(j + J_OFFSET);
	t->journal.torn_bytes = frz_get64(j + J_BYTES);
	memcpy(t->journal.torn_sha256, j + J_SHA, FRZ_HASH_LEN);
	return FRZ_OK;
}

static void unusable(struct frz_tail *t, uint64_t bytes, const char *damage)
{
	t->unusable += bytes;
	if (bytes && !t->damage)
		t->damage = damage;
}

/* False: nothing in it that the case lacks. */
static bool half_parse(const uint8_t *p, uint64_t segments, struct frz_tail *t,
		       struct frz_tail_half *h)
{
	const uint8_t *link = t->head.genesis_link;

	*h = (struct frz_tail_half){
		.committed = frz_get64(p + FRZ_TAIL_P_COMMITTED),
		.lost = frz_get64(p + FRZ_TAIL_P_LOST),
		.generation = frz_get64(p + P_GENERATION),
		.first_event = frz_get64(p + P_FIRST),
		.mono = frz_get64(p + P_MONO),
		.real = frz_get64(p + P_REAL),
		.data = p + FRZ_TAIL_PAGE,
	};
	/* 0: not opened yet, or the writer was stopped while it opened it */
	if (h->committed > t->head.half_bytes)
		h->committed = t->head.half_bytes;
	if (!h->committed)
		return false;
	if (frz_get32(p + P_CRC) != half_crc(p, link)) {
		unusable(t, h->committed, "the page of a half does not match its checksum");
		return false;
	}
	if (h->generation <= segments)
		return false;
	h->seed = frz_tail_seed(link, h->generation);
	frz_tail_check(h);
	return true;
}

enum frz_err frz_tail_parse(const void *mem, size_t len, const uint8_t link[FRZ_HASH_LEN],
			    uint64_t segments, uint64_t events, struct frz_tail *t,
			    const char **why)
{
	uint64_t next = events + 1;
	bool hole = false;
	enum frz_err err;

	memset(t, 0, sizeof *t);
	err = head_parse(mem, len, link, t, why);
	if (err)
		return err;
	*why = NULL;
	for (unsigned i = 0; i < FRZ_TAIL_HALVES && t->head.half_bytes; i++) {
		const uint8_t *p = (const uint8_t *)mem + frz_tail_half_offset(&t->head, i);

		t->npending += half_parse(p, segments, t, &t->half[t->npending]);
	}
	if (t->npending == 2 && t->half[0].generation > t->half[1].generation) {
		struct frz_tail_half h = t->half[0];

		t->half[0] = t->half[1];
		t->half[1] = h;
	}
	for (unsigned i = 0; i < t->npending; i++) {
		const struct frz_tail_half *h = &t->half[i];

		if (hole || h->generation != segments + 1 + i) {
			unusable(t, h->committed,
				 "a segment between the case and the tail is missing");
			hole = true;
			continue;
		}
		/* an older `committed` that power loss brought back leaves no other trace */
		if (h->first_event != next) {
			unusable(t, h->committed,
				 i ? "records at the end of a half are missing" :
				     "its events do not follow on those of the case");
			hole = true;
			continue;
		}
		next += h->events;
		unusable(t, h->committed - h->usable,
			 "records of the tail do not match their checksums");
		hole = h->usable < h->committed;
		t->nhalves += h->usable > 0;
	}
	return FRZ_OK;
}

enum frz_err frz_tail_next(const struct frz_tail_half *h, uint64_t *at, struct frz_tail_entry *e)
{
	const uint8_t *p = h->data + *at;
	uint32_t len;

	if (*at >= h->usable)
		return FRZ_END;
	len = frz_get32(p + E_LEN);
	e->last = (len & FRZ_TAIL_LAST) != 0;
	e->len = len & ~FRZ_TAIL_LAST;
	e->mono_ns = frz_get64(p + E_MONO);
	e->dur_ns = frz_get64(p + E_DUR);
	e->rec = p + FRZ_TAIL_ENTRY;
	*at += FRZ_TAIL_ENTRY + e->len;
	return FRZ_OK;
}
