/*
 * casefile.c - tests of the strict case reader: good cases, cases that contradict
 * themselves under right hashes, cases that grow, reading past damage.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "casebuild.h"
#include "casefile.h"
#include "tap.h"

static struct cb b;

struct seen {
	enum frz_err end;
	struct frz_fault fault;
	struct frz_case_head head;
	unsigned items, segments, damages;
	uint64_t events, last_event;
	bool rising;
};

static void read_all(struct frz_case *c, struct seen *s)
{
	struct frz_case_item it;
	struct frz_fault fault;
	uint8_t *raw;

	memset(s, 0, sizeof(*s));
	s->rising = true;
	while ((s->end = frz_case_next(c, &it, &s->fault)) == FRZ_OK) {
		s->items++;
		if (!it.type) {
			s->damages++;
			continue;
		}
		if (it.type != FRZ_SEGMENT)
			continue;
		s->segments++;
		s->events += it.segment.events;
		s->rising = s->rising && it.segment.first_event > s->last_event;
		s->last_event = it.segment.first_event + it.segment.events - 1;
		if (frz_case_raw(c, &raw, &fault) != FRZ_OK)
			s->rising = false;
		free(raw);
	}
	frz_case_head(c, &s->head);
}

static struct seen read_memory(unsigned flags)
{
	struct frz_case *c;
	struct seen s = { .end = FRZ_E_NOMEM };

	s.end = frz_case_open_memory(b.file.p, b.file.len, flags, &c, &s.fault);
	if (s.end == FRZ_OK) {
		read_all(c, &s);
		frz_case_close(c);
	}
	return s;
}

static void begin(void)
{
	cb_init(&b, 1);
	cb_genesis(&b);
	cb_segment(&b, 10, 0);
	cb_tick(&b);
	cb_segment(&b, 20, 3);
}

static void good(void)
{
	uint8_t sha[FRZ_HASH_LEN];
	struct seen s;

	begin();
	s = read_memory(0);
	ok(s.end == FRZ_E_UNSEALED && s.fault.block == 4 && s.fault.offset == b.file.len,
	   "without a SEAL it is not sealed, and where it ends is told");
	ok(s.items == 4 && s.segments == 2 && s.events == 30 && s.rising, "all of it is read");
	ok(!s.head.sealed && s.head.blocks == 4 && s.head.events == 30 && s.head.lost == 3 &&
		   s.head.ticks == 1 && s.head.bytes == b.file.len && s.head.tick_seconds == 5 &&
		   !memcmp(s.head.link, b.prev, FRZ_HASH_LEN),
	   "its head");
	ok(s.head.silence_ns == 5000000000u && s.head.silence_block == 2, "its longest silence");
	cb_recovery(&b);
	cb_seal(&b);
	s = read_memory(0);
	frz_sha256_of(b.file.p, (size_t)s.head.prefix_bytes, sha);
	ok(s.end == FRZ_END && s.head.sealed && s.head.recoveries == 1 &&
		   !memcmp(s.head.seal_link, b.prev, FRZ_HASH_LEN) &&
		   s.head.prefix_bytes == b.block_at[b.blocks - 1] &&
		   !memcmp(sha, s.head.prefix_sha256, sizeof(sha)),
	   "with RECOVERY and SEAL it is whole");
	ok(read_memory(FRZ_CASE_SKIM).end == FRZ_END, "skimmed as well");
	cb_custody(&b, "statement", "signature");
	cb_custody(&b, "another", "signature");
	s = read_memory(0);
	ok(s.end == FRZ_END && s.head.custodies == 2 &&
		   memcmp(s.head.link, s.head.seal_link, FRZ_HASH_LEN) != 0,
	   "custody entries follow the SEAL");
	ok(read_memory(FRZ_CASE_ALLOW_DAMAGED).damages == 0, "nothing is damaged in it");
	cb_release(&b);

	cb_init(&b, 1);
	cb_genesis(&b);
	cb_seal(&b);
	ok(read_memory(0).end == FRZ_END, "a case of no segment is one");
	cb_release(&b);
}

/* ---- forged under right hashes ---- */

static void put_block(enum frz_block_type type, void (*fields)(struct frz_block_builder *w))
{
	struct frz_block_builder w;

	cb_begin(&b, &w, type);
	fields(&w);
	cb_finish(&b, &w);
}

static void other_boot_tick(struct frz_block_builder *w)
{
	frz_block_text(w, FRZ_K_BOOT_ID, "another");
	cb_moment(&b, w);
}

static void long_boot_tick(struct frz_block_builder *w)
{
	char id[100];

	memset(id, 'x', sizeof(id) - 1);
	id[sizeof(id) - 1] = '\0';
	frz_block_text(w, FRZ_K_BOOT_ID, id);
	cb_moment(&b, w);
}

static void f_wrong_total(void)
{
	b.events++;
	cb_tick(&b);
}

static void f_event_gap(void)
{
	b.events++;
	cb_segment(&b, 5, 0);
}

static void f_event_overlap(void)
{
	b.events--;
	cb_segment(&b, 5, 0);
}

static void f_lost_falls(void)
{
	b.lost--;
	cb_tick(&b);
}

static void f_time_back(void)
{
	b.mono -= 1000000000;
	cb_segment(&b, 5, 0);
}

static void f_tick_back(void)
{
	cb_tick(&b);
	b.mono -= 5000000001;
	cb_tick(&b);
}

static void f_seal_early(void)
{
	cb_tick(&b);
	b.mono -= 5000000000;
	cb_seal(&b);
}

static void f_other_boot(void) { put_block(FRZ_TICK, other_boot_tick); }

static void f_long_boot(void) { put_block(FRZ_TICK, long_boot_tick); }

static void f_genesis_twice(void) { cb_genesis(&b); }

static void f_custody_early(void) { cb_custody(&b, "s", "s"); }

static void f_after_seal(void)
{
	cb_seal(&b);
	cb_tick(&b);
}

static void f_two_seals(void)
{
	cb_seal(&b);
	cb_seal(&b);
}

static void f_segments(void)
{
	b.segments++;
	cb_seal(&b);
}

static void f_ticks(void)
{
	b.ticks--;
	cb_seal(&b);
}

static void f_seal_events(void)
{
	b.events--;
	cb_seal(&b);
}

static void f_hidden_entry(void)
{
	b.index_len -= 2;
	cb_seal(&b);
}

static void f_added_entry(void)
{
	b.index_len += frz_put_varint(b.index + b.index_len, 100);
	b.index_len += frz_put_varint(b.index + b.index_len, 1);
	cb_seal(&b);
}

static void f_other_entry(void)
{
	b.index[b.index_len - 1]++;
	cb_seal(&b);
}

static void f_prefix_hash(void)
{
	b.file.p[b.block_at[1] + 10] ^= 1; /* the version's neighbour, put back below */
	cb_seal(&b);
	b.file.p[b.block_at[1] + 10] ^= 1;
}

static void f_no_genesis(void)
{
	cb_release(&b);
	cb_init(&b, 1);
	cb_tick(&b);
}

static void f_unannounced_frame(void)
{
	frz_packer_begin(b.packer, 0);
	struct frz_packed packed;

	if (frz_packer_finish(b.packer, 3, &packed) != FRZ_OK)
		cb_die("packing failed");
	frz_buf_bytes(&b.file, packed.frame, packed.frame_len);
}

static void f_foreign_skippable(void)
{
	frz_buf_bytes(&b.file, "\x50\x2a\x4d\x18\x04\0\0\0abcd", 12);
}

static void f_own_skippable(void) { frz_buf_bytes(&b.file, "\x57\x2a\x4d\x18\x04\0\0\0abcd", 12); }

static void f_junk(void) { frz_buf_u8(&b.file, 'j'); }

static void f_magic_only(void) { frz_buf_bytes(&b.file, "\x57\x2a\x4d", 3); }

static void f_giant(void)
{
	frz_buf_bytes(&b.file,
		      "\x57\x2a\x4d\x18\xff\xff\xff\xff"
		      "frz\1",
		      12);
}

static void forged(void)
{
	static const struct {
		const char *name;
		void (*make)(void);
		enum frz_err want;
		const char *what;
	} rows[] = {
		{ "a tick that counts another number of events", f_wrong_total, FRZ_E_CORRUPT,
		  "counts 31" },
		{ "a segment that leaves out an event", f_event_gap, FRZ_E_CORRUPT, "first event" },
		{ "a segment that has one again", f_event_overlap, FRZ_E_CORRUPT, "first event" },
		{ "a number of lost events that falls", f_lost_falls, FRZ_E_CORRUPT, "lost" },
		{ "a segment that begins too early", f_time_back, FRZ_E_CORRUPT, "begins before" },
		{ "a tick out of time", f_tick_back, FRZ_E_CORRUPT, "time" },
		{ "a seal out of time", f_seal_early, FRZ_E_CORRUPT, "time" },
		{ "a tick of another boot", f_other_boot, FRZ_E_CORRUPT, "boot" },
		{ "a boot id of 99 bytes", f_long_boot, FRZ_E_CORRUPT, "boot" },
		{ "GENESIS twice", f_genesis_twice, FRZ_E_CORRUPT, "GENESIS" },
		{ "no GENESIS", f_no_genesis, FRZ_E_CORRUPT, "GENESIS" },
		{ "CUSTODY before the SEAL", f_custody_early, FRZ_E_CORRUPT, "CUSTODY" },
		{ "a tick behind the SEAL", f_after_seal, FRZ_E_CORRUPT, "SEAL" },
		{ "two SEALs", f_two_seals, FRZ_E_CORRUPT, "SEAL" },
		{ "a SEAL that counts another number of segments", f_segments, FRZ_E_CORRUPT,
		  "segments" },
		{ "of ticks", f_ticks, FRZ_E_CORRUPT, "ticks" },
		{ "of events", f_seal_events, FRZ_E_CORRUPT, "events" },
		{ "an index that hides a segment", f_hidden_entry, FRZ_E_CORRUPT, "index" },
		{ "an index with one too many", f_added_entry, FRZ_E_CORRUPT, "index" },
		{ "an index with another number of events", f_other_entry, FRZ_E_CORRUPT, "index" },
		{ "a SEAL with another prefix hash", f_prefix_hash, FRZ_E_CORRUPT, "SHA-256" },
		{ "a frame that nothing announces", f_unannounced_frame, FRZ_E_CORRUPT,
		  "zstd frame" },
		{ "a skippable frame of someone else", f_foreign_skippable, FRZ_E_CORRUPT,
		  "skippable" },
		{ "a skippable frame with our magic", f_own_skippable, FRZ_E_CORRUPT, "skippable" },
		{ "a byte of junk", f_junk, FRZ_E_CORRUPT, "no block" },
		{ "three bytes of a block", f_magic_only, FRZ_E_TRUNCATED, "got 3" },
		{ "a block of 4 GiB", f_giant, FRZ_E_LIMIT, "size" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct seen s, d;

		begin();
		rows[i].make();
		s = read_memory(0);
		ok(s.end == rows[i].want && strstr(s.fault.what, rows[i].what), "%s: %s",
		   rows[i].name, s.fault.what);
		d = read_memory(FRZ_CASE_ALLOW_DAMAGED);
		if (!d.rising || (d.end == FRZ_OK) || (d.damages == 0 && d.end != rows[i].want))
			ok(false, "%s: reading past it", rows[i].name);
		cb_release(&b);
	}
}

/* ---- files ---- */

static void on_disk(void)
{
	char path[] = "/tmp/casefile-XXXXXX";
	int fd = mkstemp(path);
	struct frz_case *c = NULL;
	struct frz_fault fault;
	struct stat before, after;
	size_t half;
	struct seen s;

	ok(frz_case_open(path, 0, &c, &fault) == FRZ_E_NOT_FRZ && !c && strstr(fault.what, "empty"),
	   "an empty file is no case");
	ok(frz_case_open("/", 0, &c, &fault) == FRZ_E_IO && errno == EISDIR, "nor is a directory");
	ok(frz_case_open("/nowhere/at/all", 0, &c, &fault) == FRZ_E_IO && errno == ENOENT,
	   "nor what is not there");
	ok(frz_case_open("/dev/null", 0, &c, &fault) == FRZ_E_IO, "nor a device");

	begin();
	half = b.block_at[3] + 40;
	if (write(fd, b.file.p, half) != (ssize_t)half)
		bail_out("cannot write");
	fstat(fd, &before);
	ok(frz_case_open(path, 0, &c, &fault) == FRZ_OK, "opening a case that still grows");
	read_all(c, &s);
	ok(s.end == FRZ_E_TRUNCATED && s.items == 3, "it is read to the middle of a block");
	read_all(c, &s);
	ok(s.end == FRZ_E_TRUNCATED && s.items == 0 && s.fault.offset == b.block_at[3],
	   "asked again it says the same");
	if (write(fd, b.file.p + half, b.file.len - half) != (ssize_t)(b.file.len - half))
		bail_out("cannot write");
	read_all(c, &s);
	ok(s.end == FRZ_E_UNSEALED && s.items == 1 && s.events == 20 && s.head.events == 30,
	   "the block is there now");
	half = b.file.len;
	cb_seal(&b);
	if (write(fd, b.file.p + half, b.file.len - half) != (ssize_t)(b.file.len - half))
		bail_out("cannot write");
	read_all(c, &s);
	ok(s.end == FRZ_END && s.items == 1 && s.head.sealed, "and its end too");
	frz_case_close(c);

	frz_case_open(path, FRZ_CASE_SKIM, &c, &fault);
	read_all(c, &s);
	ok(s.end == FRZ_END && s.rising && s.segments == 2,
	   "skimmed, a segment's content can be had all the same");
	frz_case_close(c);

	frz_case_open(path, 0, &c, &fault);
	if (ftruncate(fd, 100) != 0)
		bail_out("cannot truncate");
	read_all(c, &s);
	ok(s.end == FRZ_E_TRUNCATED, "a case that shrinks under the reader is truncated");
	frz_case_close(c);
	fstat(fd, &after);
	ok(before.st_ino == after.st_ino && before.st_mode == after.st_mode,
	   "reading changes nothing");
	close(fd);
	unlink(path);
	cb_release(&b);
}

static void skimmed_damage(void)
{
	struct frz_case_item it;
	struct frz_fault fault;
	struct frz_case *c;
	unsigned bad = 0;
	uint8_t *raw;

	begin();
	b.file.p[b.block_at[2] - 3] ^= 1; /* the end of the first frame */
	frz_case_open_memory(b.file.p, b.file.len, FRZ_CASE_SKIM, &c, &fault);
	while (frz_case_next(c, &it, &fault) == FRZ_OK) {
		if (it.type != FRZ_SEGMENT) {
			bad += frz_case_raw(c, &raw, &fault) == FRZ_OK;
			continue;
		}
		if (it.segment.number == 0)
			bad += frz_case_raw(c, &raw, &fault) != FRZ_E_CORRUPT || raw != NULL ||
			       fault.block != 1;
		else
			bad += frz_case_raw(c, &raw, &fault) != FRZ_OK;
		free(raw);
	}
	frz_case_close(c);
	is_int(bad, 0, "a bad frame shows when it is wanted, and hurts no other");
	cb_release(&b);
}

/* Changes the first byte of a field of the last block, and makes its link right again. */
static void forge_field(enum frz_key key)
{
	uint8_t *blk = b.file.p + b.block_at[b.blocks - 1];
	size_t total = 0, at = FRZ_HEAD_LEN;
	struct frz_sha256 h;

	frz_block_size(blk, 8, &total);
	while (frz_get16(blk + at) != key)
		at += FRZ_FIELD_HEAD + frz_get32(blk + at + 4);
	blk[at + FRZ_FIELD_HEAD] ^= 1;
	frz_sha256_init(&h);
	frz_sha256_add(&h, FRZ_LINK_DOMAIN, sizeof(FRZ_LINK_DOMAIN));
	frz_sha256_add(&h, blk, total - FRZ_HASH_LEN);
	frz_sha256_peek(&h, blk + total - FRZ_HASH_LEN);
}

static void forged_content(void)
{
	static const struct {
		enum frz_key key;
		const char *name, *what;
	} rows[] = {
		{ FRZ_K_RAW_SHA256, "a segment whose content has another hash", "content" },
		{ FRZ_K_RAW_BYTES, "a segment whose content has another size", "size" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct frz_case_item it;
		struct frz_fault fault;
		struct frz_case *c;
		uint8_t *raw;
		unsigned n = 0;

		begin();
		forge_field(rows[i].key);
		frz_case_open_memory(b.file.p, b.file.len, 0, &c, &fault);
		while (frz_case_next(c, &it, &fault) == FRZ_OK)
			if (++n == 4)
				break;
		ok(n == 4 && frz_case_raw(c, &raw, &fault) == FRZ_E_CORRUPT && !raw &&
			   fault.block == 3 && strstr(fault.what, rows[i].what),
		   "%s: %s", rows[i].name, fault.what);
		frz_case_close(c);
		cb_release(&b);
	}
}

/* ---- past damage ---- */

struct damage_row {
	const char *name;
	size_t block; /* which is changed */
	size_t at;    /* byte in it */
	unsigned segments, damages;
	uint64_t events;
	enum frz_err end;
};

static void past_damage(void)
{
	static const struct damage_row rows[] = {
		{ "a changed frame", 1, 500, 2, 1, 40, FRZ_END },
		{ "a changed segment block", 1, 90, 2, 1, 40, FRZ_END },
		{ "a changed size", 1, 4, 2, 1, 40, FRZ_END },
		{ "a size beyond the file", 1, 7, 2, 1, 40, FRZ_END },
		{ "a changed tick", 2, 90, 3, 1, 50, FRZ_END },
		{ "a changed magic", 2, 0, 3, 1, 50, FRZ_END },
		{ "a changed GENESIS", 0, 90, 3, 1, 50, FRZ_END },
		{ "a changed SEAL", 5, 90, 3, 1, 50, FRZ_E_UNSEALED },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct damage_row *r = &rows[i];
		struct seen s;

		begin();
		cb_segment(&b, 20, 0);
		cb_seal(&b);
		b.file.p[b.block_at[r->block] + r->at] ^= 0x40;
		s = read_memory(FRZ_CASE_ALLOW_DAMAGED);
		if (!ok(s.end == r->end && s.segments == r->segments && s.damages == r->damages &&
				s.events == r->events && s.rising && s.head.damages == r->damages,
			"%s: the rest is read", r->name))
			diag("end %d, %u segments, %u damages, %ju events", s.end, s.segments,
			     s.damages, (uintmax_t)s.events);
		cb_release(&b);
	}
}

/* Removes [from, to) from the file. */
static void cut_out(size_t from, size_t to)
{
	memmove(b.file.p + from, b.file.p + to, b.file.len - to);
	b.file.len -= to - from;
}

static void missing_parts(void)
{
	struct frz_case_item it;
	struct frz_fault fault;
	struct frz_case *c;
	struct seen s;

	begin();
	cb_segment(&b, 20, 0);
	cb_seal(&b);
	cut_out(b.block_at[3], b.block_at[4]);
	s = read_memory(FRZ_CASE_ALLOW_DAMAGED);
	ok(s.damages == 1 && s.segments == 2 && s.events == 30 && s.last_event == 50 && s.rising &&
		   s.end == FRZ_END,
	   "a segment cut out: one gap, later numbers kept");
	cb_release(&b);

	begin();
	cb_segment(&b, 20, 0);
	cb_seal(&b);
	cut_out(b.block_at[3] + 450, b.block_at[3] + 500);
	s = read_memory(FRZ_CASE_ALLOW_DAMAGED);
	ok(s.damages == 1 && s.segments == 2 && s.rising && s.end == FRZ_END,
	   "bytes missing in the middle of a frame");
	cb_release(&b);

	begin();
	b.file.p[b.block_at[1] + 500] ^= 1;
	frz_case_open_memory(b.file.p, b.file.len, FRZ_CASE_ALLOW_DAMAGED, &c, &fault);
	frz_case_next(c, &it, &fault);
	frz_case_next(c, &it, &fault);
	ok(it.type == 0 && it.segment_skipped && it.segment.first_event == 1 &&
		   it.segment.events == 10 && it.resume_offset == b.block_at[2] &&
		   it.fault.err == FRZ_E_CORRUPT && it.fault.block == 1,
	   "a bad frame names the events that are gone");
	frz_case_close(c);
	cb_release(&b);
}

int main(void)
{
	good();
	forged();
	on_disk();
	skimmed_damage();
	forged_content();
	past_damage();
	missing_parts();
	return tap_done();
}
