/*
 * append.c - builds GENESIS, SEGMENT, TICK, RECOVERY and SEAL and hands them to a sink.
 */
#include "append.h"

#include <stdlib.h>

#include "block.h"
#include "clock.h"
#include "genesis.h"
#include "record.h"
#include "segment.h"
#include "writer.h"

#define SMALL_BLOCK 1024 /* any block but GENESIS and SEAL, with a boot id in it */

struct moment moment_now(void)
{
	struct moment m, best = { 0 };
	uint64_t width = UINT64_MAX;

	/* the pair whose two reads of one clock lie closest around the other's */
	for (int i = 0; i < 3; i++) {
		uint64_t before = now_ns();

		m.real = clock_ns(CLOCK_REALTIME);
		m.mono = now_ns();
		if (m.mono - before < width) {
			width = m.mono - before;
			best = (struct moment){ before + width / 2, m.real };
		}
	}
	return best;
}

bool append_init(struct append *a, append_sink *sink, void *arg, int zstd_level, size_t max_bytes)
{
	*a = (struct append){ .sink = sink, .sink_arg = arg, .zstd_level = zstd_level };
	frz_sha256_init(&a->sha);
	if (!max_bytes)
		return true;
	/* a timed record is at least two bytes long and has an entry's head before it */
	a->packer = frz_packer_new(max_bytes, max_bytes / (FRZ_TAIL_ENTRY + 2) + 1);
	return a->packer != NULL;
}

void append_release(struct append *a)
{
	frz_packer_free(a->packer);
	free(a->index.p);
	a->packer = NULL;
	a->index = (struct frz_buf){ 0 };
}

static bool index_room(struct append *a)
{
	size_t cap = a->index.cap ? 2 * a->index.cap : 256;
	uint8_t *p;

	if (a->index.cap - a->index.len >= 2 * FRZ_VARINT_MAX)
		return true;
	p = realloc(a->index.p, cap);
	if (!p)
		return false;
	a->index.p = p;
	a->index.cap = cap;
	return true;
}

bool append_index(struct append *a, uint64_t offset, uint64_t events)
{
	if (!index_room(a))
		return false;
	frz_buf_varint(&a->index, offset - a->last_segment);
	frz_buf_varint(&a->index, events);
	a->last_segment = offset;
	return true;
}

static void begin(struct append *a, struct frz_block_builder *w, struct frz_buf *b,
		  enum frz_block_type type)
{
	frz_block_begin(w, b, type, a->blocks, a->offset, a->link);
}

/* Ends the block in b and appends it, with a frame behind it or none. */
static enum frz_err finish(struct append *a, struct frz_block_builder *w, struct frz_buf *b,
			   const void *frame, size_t frame_len)
{
	uint8_t link[FRZ_HASH_LEN];
	struct iovec iov[2];
	enum frz_err err = frz_block_finish(w, link);

	if (err)
		return err;
	iov[0] = (struct iovec){ .iov_base = b->p, .iov_len = b->len };
	iov[1] = (struct iovec){ .iov_base = (void *)(uintptr_t)frame, .iov_len = frame_len };
	if (a->sink(a->sink_arg, iov, frame_len ? 2 : 1))
		return FRZ_E_IO;
	frz_sha256_add(&a->sha, b->p, b->len);
	if (frame_len)
		frz_sha256_add(&a->sha, frame, frame_len);
	memcpy(a->link, link, FRZ_HASH_LEN);
	a->offset += b->len + frame_len;
	a->blocks++;
	return FRZ_OK;
}

static void put_moment(struct frz_block_builder *w, struct moment now)
{
	frz_block_u64(w, FRZ_K_MONO, now.mono);
	frz_block_u64(w, FRZ_K_REAL, now.real);
}

static void put_optional(struct frz_block_builder *w, enum frz_key key, const char *text)
{
	if (text)
		frz_block_text(w, key, text);
}

static size_t text_len(const char *s) { return s ? strlen(s) : 0; }

enum frz_err append_genesis(struct append *a, const struct genesis_host *host,
			    const struct writer_genesis *g, const uint8_t case_id[16],
			    unsigned tick_seconds, struct moment now)
{
	struct frz_block_builder w;
	struct frz_buf b = { 0 }, argv = { 0 };
	enum frz_err err = FRZ_E_NOMEM;

	for (char **arg = g->argv; arg && *arg; arg++)
		argv.cap += strlen(*arg) + 1;
	b.cap = 4096 + argv.cap + text_len(g->exhibit) + text_len(g->examiner) + text_len(g->note) +
		text_len(g->records);
	b.p = malloc(b.cap);
	argv.p = malloc(argv.cap + 1);
	if (!b.p || !argv.p)
		goto out;
	for (char **arg = g->argv; arg && *arg; arg++)
		frz_buf_bytes(&argv, *arg, strlen(*arg) + 1);

	begin(a, &w, &b, FRZ_GENESIS);
	frz_block_bytes(&w, FRZ_K_CASE_ID, case_id, 16);
	put_optional(&w, FRZ_K_EXHIBIT, g->exhibit);
	put_optional(&w, FRZ_K_EXAMINER, g->examiner);
	put_optional(&w, FRZ_K_NOTE, g->note);
	frz_block_text(&w, FRZ_K_HOSTNAME, host->hostname);
	frz_block_text(&w, FRZ_K_MACHINE_ID, host->machine_id);
	frz_block_text(&w, FRZ_K_BOOT_ID, host->boot_id);
	frz_block_text(&w, FRZ_K_KERNEL, host->kernel);
	frz_block_text(&w, FRZ_K_TIMEZONE, host->timezone);
	frz_block_text(&w, FRZ_K_CLOCK_STATE, host->clock_state);
	frz_block_u64(&w, FRZ_K_UID, host->uid);
	frz_block_bytes(&w, FRZ_K_ARGV, argv.p, argv.len);
	frz_block_text(&w, FRZ_K_RECORDER, host->recorder);
	frz_block_bytes(&w, FRZ_K_RECORDER_SHA256, host->recorder_sha256, FRZ_HASH_LEN);
	frz_block_u64(&w, FRZ_K_TICK_SECONDS, tick_seconds);
	frz_block_text(&w, FRZ_K_RECORDS, g->records ? g->records : "default");
	frz_block_u64(&w, FRZ_K_SNAP, g->snap);
	frz_block_u64(&w, FRZ_K_CAPABILITIES, host->capabilities);
	frz_block_u64(&w, FRZ_K_EUID, host->euid);
	put_moment(&w, now);
	err = finish(a, &w, &b, NULL, 0);
	a->last_mono = now.mono;
out:
	free(b.p);
	free(argv.p);
	return err;
}

static void shift(struct moment *m, uint64_t mono)
{
	m->real += mono - m->mono;
	m->mono = mono;
}

/* When the first timed record was made: it can be a little older than its half. */
static uint64_t first_time(const struct frz_tail_half *h)
{
	struct frz_tail_entry e;
	uint64_t at = 0;

	while (frz_tail_next(h, &at, &e) == FRZ_OK)
		if (FRZ_REC_TIMED(e.rec[0]))
			return e.mono_ns;
	return UINT64_MAX;
}

enum frz_err append_segment(struct append *a, const struct frz_tail_half *h, uint64_t lost,
			    const char *boot_id, const struct moment *closed)
{
	uint8_t mem[SMALL_BLOCK];
	struct frz_buf b = { .p = mem, .cap = sizeof mem };
	struct frz_block_builder w;
	struct frz_packed packed;
	struct frz_tail_entry e;
	struct moment first = { h->mono, h->real }, last;
	uint64_t at = 0, t = first_time(h);
	enum frz_err err;

	/* not before the segment in front of it ended; a time before the base is no harm */
	if (t < first.mono)
		shift(&first, t);
	if (first.mono < a->last_mono)
		shift(&first, a->last_mono);
	frz_packer_begin(a->packer, first.mono);
	while (frz_tail_next(h, &at, &e) == FRZ_OK) {
		err = frz_packer_add(a->packer, e.rec, e.len, e.mono_ns, e.dur_ns);
		if (err)
			return err;
	}
	err = frz_packer_finish(a->packer, a->zstd_level, &packed);
	if (err)
		return err;
	last = closed && closed->mono ? *closed : first;
	if (last.mono < packed.last_mono)
		shift(&last, packed.last_mono);
	if (!index_room(a))
		return FRZ_E_NOMEM;

	begin(a, &w, &b, FRZ_SEGMENT);
	frz_block_text(&w, FRZ_K_BOOT_ID, boot_id);
	frz_block_u64(&w, FRZ_K_FRAME_BYTES, packed.frame_len);
	frz_block_bytes(&w, FRZ_K_FRAME_SHA256, packed.frame_sha256, FRZ_HASH_LEN);
	frz_block_u64(&w, FRZ_K_RAW_BYTES, packed.raw_len);
	frz_block_bytes(&w, FRZ_K_RAW_SHA256, packed.raw_sha256, FRZ_HASH_LEN);
	frz_block_u64(&w, FRZ_K_FIRST_EVENT, h->first_event);
	frz_block_u64(&w, FRZ_K_EVENTS, packed.events);
	frz_block_u64(&w, FRZ_K_LOST, lost);
	frz_block_u64(&w, FRZ_K_FIRST_MONO, first.mono);
	frz_block_u64(&w, FRZ_K_FIRST_REAL, first.real);
	frz_block_u64(&w, FRZ_K_LAST_MONO, last.mono);
	frz_block_u64(&w, FRZ_K_LAST_REAL, last.real);
	if (!closed)
		frz_block_u64(&w, FRZ_K_RECOVERED, 1);
	t = a->offset;
	err = finish(a, &w, &b, packed.frame, packed.frame_len);
	if (err)
		return err;
	append_index(a, t, packed.events); /* has room */
	a->segments++;
	a->events += packed.events;
	a->lost += lost;
	a->last_mono = last.mono;
	return FRZ_OK;
}

enum frz_err append_tick(struct append *a, const char *boot_id, struct moment now)
{
	uint8_t mem[SMALL_BLOCK];
	struct frz_buf b = { .p = mem, .cap = sizeof mem };
	struct frz_block_builder w;
	enum frz_err err;

	begin(a, &w, &b, FRZ_TICK);
	frz_block_text(&w, FRZ_K_BOOT_ID, boot_id);
	put_moment(&w, now);
	frz_block_u64(&w, FRZ_K_EVENTS, a->events);
	frz_block_u64(&w, FRZ_K_LOST, a->lost);
	err = finish(a, &w, &b, NULL, 0);
	if (!err)
		a->ticks++;
	return err;
}

enum frz_err append_recovery(struct append *a, const struct append_recovery *r, const char *boot_id,
			     struct moment now)
{
	uint8_t mem[SMALL_BLOCK];
	struct frz_buf b = { .p = mem, .cap = sizeof mem };
	struct frz_block_builder w;

	begin(a, &w, &b, FRZ_RECOVERY);
	frz_block_text(&w, FRZ_K_BOOT_ID, boot_id);
	put_moment(&w, now);
	frz_block_u64(&w, FRZ_K_EVENTS, a->events);
	frz_block_u64(&w, FRZ_K_LOST, a->lost);
	frz_block_u64(&w, FRZ_K_TORN_BYTES, r->torn_bytes);
	frz_block_bytes(&w, FRZ_K_TORN_SHA256, r->torn_sha256, FRZ_HASH_LEN);
	frz_block_u64(&w, FRZ_K_TAIL_BYTES, r->tail_bytes);
	frz_block_bytes(&w, FRZ_K_TAIL_SHA256, r->tail_sha256, FRZ_HASH_LEN);
	frz_block_u64(&w, FRZ_K_TAIL_EVENTS, r->tail_events);
	return finish(a, &w, &b, NULL, 0);
}

enum frz_err append_seal(struct append *a, const char *reason, const char *boot_id,
			 struct moment now)
{
	struct frz_buf b = { .cap = SMALL_BLOCK + strlen(reason) + a->index.len };
	struct frz_block_builder w;
	uint8_t prefix[FRZ_HASH_LEN];
	enum frz_err err;

	b.p = malloc(b.cap);
	if (!b.p)
		return FRZ_E_NOMEM;
	frz_sha256_peek(&a->sha, prefix);
	begin(a, &w, &b, FRZ_SEAL);
	frz_block_text(&w, FRZ_K_BOOT_ID, boot_id);
	put_moment(&w, now);
	frz_block_u64(&w, FRZ_K_EVENTS, a->events);
	frz_block_u64(&w, FRZ_K_LOST, a->lost);
	frz_block_text(&w, FRZ_K_END_REASON, reason);
	frz_block_u64(&w, FRZ_K_SEGMENTS, a->segments);
	frz_block_u64(&w, FRZ_K_TICKS, a->ticks);
	frz_block_bytes(&w, FRZ_K_INDEX, a->index.p, a->index.len);
	frz_block_bytes(&w, FRZ_K_CHAIN_HEAD, a->link, FRZ_HASH_LEN);
	frz_block_u64(&w, FRZ_K_PREFIX_BYTES, a->offset);
	frz_block_bytes(&w, FRZ_K_PREFIX_SHA256, prefix, FRZ_HASH_LEN);
	err = finish(a, &w, &b, NULL, 0);
	free(b.p);
	return err;
}
