/*
 * writer.c - the writer from open to seal: what was put is in the case, in order, once; ticks;
 * old halves; sizes; what an event costs and how much memory it all takes.
 */
#include "tap.h"

#include <sys/resource.h>

#include "fakecase.h"
#include "tailfile.h"

static char err[600];

/* A line of /proc/self/status, e.g. "VmHWM:". */
static long kib_of(const char *what)
{
	char line[200];
	long kib = 0;
	FILE *f = fopen("/proc/self/status", "r");

	while (f && fgets(line, sizeof line, f))
		if (!strncmp(line, what, strlen(what)))
			kib = atol(line + strlen(what));
	if (f)
		fclose(f);
	return kib;
}

static int shell(const char *fmt, const char *path, uint64_t n)
{
	char cmd[1000];

	snprintf(cmd, sizeof cmd, fmt, path, (unsigned long long)n);
	return system(cmd);
}

static char *output_of(const char *fmt, const char *path, uint64_t n)
{
	static char out[200];
	char cmd[1000];
	FILE *f;

	snprintf(cmd, sizeof cmd, fmt, path, (unsigned long long)n);
	f = popen(cmd, "r");
	if (!f || !fgets(out, sizeof out, f))
		out[0] = '\0';
	if (f)
		pclose(f);
	out[strcspn(out, " \n")] = '\0';
	return out;
}

static void check_case(const char *path, uint64_t events, const char *name)
{
	struct fake_seen s;
	char hex[FRZ_HASH_LEN * 2 + 1];

	fake_read(path, &s);
	if (!is_int(s.err, FRZ_END, name))
		diag("block %llu offset %llu: %s", (unsigned long long)s.fault.block,
		     (unsigned long long)s.fault.offset, s.fault.what);
	is_int(s.events, events, "  with every event");
	is_int(s.breaks, 0, "  in order");
	ok(!events || (s.first == 1 && s.last == events), "  from the first to the last");
	is_int(s.head.events, events, "  which the seal counts too");
	ok(!fake_exists(path, ".tail"), "  the tail is gone");
	for (int i = 0; i < FRZ_HASH_LEN; i++)
		sprintf(hex + 2 * i, "%02x", s.head.prefix_sha256[i]);
	is_str(output_of("head -c %2$llu '%1$s' | sha256sum", path, s.head.prefix_bytes), hex,
	       "  the prefix hash is what stock tools compute");
	is_int(shell("zstd -qt '%s'", path, 0), 0, "  zstd -t is content");
}

static void empty_case(void)
{
	char *path = fake_path("empty.frz");
	struct writer_options o = { .sync = WRITER_SYNC_SECONDS };
	struct writer *w = fake_open(path, &o, err, sizeof err), *again;
	uint8_t head[FRZ_HASH_LEN];

	if (!ok(w != NULL, "opens"))
		diag("%s", err);
	again = fake_open(path, &o, err, sizeof err);
	ok(!again && strstr(err, "exists already"), "an existing case is never overwritten: %s",
	   err);
	ok(fake_exists(path, ".tail"), "there is a tail");
	is_int(writer_seal(w, "test", head), 0, "seals");
	writer_free(w);
	check_case(path, 0, "a case without events is whole");
	fake_remove(path);
	free(path);
}

static void throughput(unsigned group, uint64_t events, enum writer_sync sync)
{
	char *path = fake_path("many.frz");
	struct writer_options o = { .sync = sync };
	struct fake_writer f = { .w = fake_open(path, &o, err, sizeof err), .next = 1 };
	uint8_t head[FRZ_HASH_LEN];
	struct writer_stats st;
	uint64_t t = fake_now(), took;
	struct stat file;
	bool good = true;

	while (good && f.next <= events)
		good = fake_group(&f, group);
	took = fake_now() - t;
	ok(good, "%llu events in groups of %u are taken", (unsigned long long)events, group);
	events = f.next - 1;
	writer_stats(f.w, &st);
	is_int(st.events, events, "  and counted");
	is_int(writer_seal(f.w, "test", head), 0, "  and sealed");
	writer_free(f.w);
	check_case(path, events, "  and in the case");
	stat(path, &file);
	diag("%.1f ns an event made, put and committed (packing included), %.2f bytes each, %llu segments",
	     (double)took / (double)events, (double)file.st_size / (double)events,
	     (unsigned long long)f.new_segments);
	fake_remove(path);
	free(path);
}

/* Only as much as fits into the halves, so that the helper is not in the way. */
static void put_cost(void)
{
	char *path = fake_path("cost.frz");
	struct writer_options o = { .sync = WRITER_SYNC_SEGMENT };
	uint8_t rec[100], head[FRZ_HASH_LEN];
	size_t len = fake_event(rec, sizeof rec, 1, 0);
	double best = 1e9;
	bool new_segment, good = true;
	struct writer *w;

	for (int round = 0; round < 5; round++) {
		const unsigned n = 15000;
		uint64_t t;

		w = fake_open(path, &o, err, sizeof err);
		writer_reserve(w, len, 1, &new_segment);
		writer_put(w, rec, len, 1, 1);
		writer_commit(w);
		t = fake_now();
		for (unsigned i = 0; i < n; i++) {
			good &= writer_reserve(w, len, 1, &new_segment) && !new_segment;
			writer_put(w, rec, len, t, 100);
			writer_commit(w);
		}
		t = fake_now() - t;
		if ((double)t / n < best)
			best = (double)t / n;
		writer_seal(w, "test", head);
		writer_free(w);
		fake_remove(path);
	}
	ok(good, "one half takes 15,000 small events");
	diag("%.1f ns for reserve + put + commit of a record of %zu bytes (fresh pages included)",
	     best, len);
	free(path);
}

static void tick_and_age(void)
{
	char *path = fake_path("tick.frz");
	struct writer_options o = { .sync = WRITER_SYNC_SECONDS, .tick_seconds = 1 };
	struct fake_writer f = { .w = fake_open(path, &o, err, sizeof err), .next = 1 };
	struct fake_seen s;
	uint8_t head[FRZ_HASH_LEN];

	fake_group(&f, 10);
	usleep(1100000);
	fake_read(path, &s);
	is_int(s.err, FRZ_E_UNSEALED, "while it is written a case is unsealed");
	is_int(s.events, 10, "records do not stay in the tail for longer than a tick");
	usleep(1100000);
	fake_group(&f, 10);
	is_int(f.new_segments, 2, "after that a new segment begins");
	is_int(writer_seal(f.w, "test", head), 0, "seals");
	writer_free(f.w);
	fake_read(path, &s);
	ok(s.err == FRZ_END && s.head.ticks >= 1 && s.head.segments == 2 && s.events == 20 &&
		   !s.breaks,
	   "silence shows as ticks: %llu, segments %llu", (unsigned long long)s.head.ticks,
	   (unsigned long long)s.head.segments);
	fake_remove(path);
	free(path);
}

static void sizes(void)
{
	char *path = fake_path("full.frz");
	struct writer_options o = { .sync = WRITER_SYNC_SEGMENT, .max_bytes = 200000 };
	struct fake_writer f = { .w = fake_open(path, &o, err, sizeof err), .next = 1 };
	uint8_t head[FRZ_HASH_LEN];
	struct stat st;
	char *out;

	while (!writer_full(f.w) && fake_group(&f, 100))
		;
	writer_seal(f.w, "max-size", head);
	writer_free(f.w);
	stat(path, &st);
	ok(st.st_size > 100000 && st.st_size < 300000, "max_bytes 200000 ends a case at %lld bytes",
	   (long long)st.st_size);
	check_case(path, f.next - 1, "and it is whole");
	out = output_of("zstd -qdc '%s' | wc -c", path, 0);
	ok(atol(out) > 100000, "zstd -dc yields the segments: %s bytes", out);
	fake_remove(path);
	free(path);
}

/* However long a recording lasts: nothing grows but the index, by some bytes a segment. */
static void memory_stays(uint64_t bytes)
{
	char *path = fake_path("long.frz");
	struct writer_options o = { .sync = WRITER_SYNC_SEGMENT };
	struct fake_writer f = { .w = fake_open(path, &o, err, sizeof err), .next = 1, .data = 40 };
	uint64_t put = 0, of_group = 20 * (40 + 12 + FRZ_TAIL_ENTRY); /* about */
	long early = 0, late;
	uint8_t head[FRZ_HASH_LEN];

	while (put < bytes && fake_group(&f, 20)) {
		put += of_group;
		if (!early && f.new_segments == 6)
			early = kib_of("RssAnon:");
	}
	late = kib_of("RssAnon:");
	ok(put >= bytes && early && late - early < 200,
	   "%llu MB of records in %llu segments: memory grows by %ld KiB",
	   (unsigned long long)put / 1000000, (unsigned long long)f.new_segments, late - early);
	is_int(writer_seal(f.w, "test", head), 0, "  and it is sealed");
	writer_free(f.w);
	fake_remove(path);
	free(path);
}

static void lost_events(void)
{
	char *path = fake_path("lost.frz");
	struct writer_options o = { .sync = WRITER_SYNC_EVENT };
	struct fake_writer f = { .w = fake_open(path, &o, err, sizeof err), .next = 1 };
	struct fake_seen s;
	uint8_t head[FRZ_HASH_LEN];

	fake_group(&f, 3);
	writer_lost(f.w, 7);
	fake_group(&f, 3);
	writer_seal(f.w, "test", head);
	writer_free(f.w);
	fake_read(path, &s);
	ok(s.err == FRZ_END && s.head.lost == 7 && s.events == 6,
	   "lost events are counted into the seal: %llu", (unsigned long long)s.head.lost);
	fake_remove(path);
	free(path);
}

int main(void)
{
	uint64_t scale = getenv("FREC_FULL") ? 10 : 1;

	empty_case();
	put_cost();
	throughput(1, 300000 * scale, WRITER_SYNC_SEGMENT);
	throughput(1, 300000 * scale, WRITER_SYNC_SECONDS);
	throughput(500, 100000 * scale, WRITER_SYNC_SECONDS);
	throughput(3, 3000 * scale, WRITER_SYNC_EVENT);
	tick_and_age();
	sizes();
	lost_events();
	if (getenv("SANITIZE") && *getenv("SANITIZE")) {
		diag("a sanitizer's memory is not measured");
	} else {
		memory_stays(30000000 * scale);
		ok(kib_of("VmHWM:") < 16 << 10,
		   "peak memory of all of this is below 16 MiB: %ld KiB", kib_of("VmHWM:"));
	}
	fake_cleanup();
	return tap_done();
}
