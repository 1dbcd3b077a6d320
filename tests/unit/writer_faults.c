/*
 * writer_faults.c - the writer on a medium that fails at byte N, stalls, vanishes, or is taken
 * away: the tracer is told, never blocked for good, never killed; what was committed comes back.
 */
#include "tap.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/resource.h>

#include "fakecase.h"
#include "recover.h"
#include "tailfile.h"

static char err[600];

/* The library's calls come here first: fdatasync can be slow or fail. */
static atomic_uint slow_ms;
static atomic_int sync_error;
static atomic_uint syncs;

int fdatasync(int fd)
{
	unsigned ms = atomic_load(&slow_ms);

	atomic_fetch_add(&syncs, 1);
	if (ms)
		usleep(ms * 1000);
	if (atomic_load(&sync_error)) {
		errno = atomic_load(&sync_error);
		return -1;
	}
	return fsync(fd);
}

static uint64_t size_of(const char *path)
{
	struct stat st;

	return stat(path, &st) ? 0 : (uint64_t)st.st_size;
}

static bool holds(const char *path, uint64_t events)
{
	struct fake_seen s;

	fake_read(path, &s);
	if (s.err == FRZ_END && !s.breaks && s.events == events && (!events || s.first == 1))
		return true;
	diag("%s: %s: %llu events of %llu, %llu breaks", frz_strerror(s.err), s.fault.what,
	     (unsigned long long)s.events, (unsigned long long)events,
	     (unsigned long long)s.breaks);
	return false;
}

static void set_limit(rlim_t n)
{
	struct rlimit r;

	getrlimit(RLIMIT_FSIZE, &r);
	r.rlim_cur = n;
	setrlimit(RLIMIT_FSIZE, &r);
}

/* The case can grow to N bytes and no more: every N from GENESIS to the last byte of the seal. */
static void fails_at_every_byte(bool full)
{
	const unsigned groups = 30, per = 5;
	char *path = fake_path("byte.frz");
	struct writer_options o = { .sync = WRITER_SYNC_SEGMENT };
	unsigned tried = 0, told = 0, kept = 0, whole_end = 0, recovered = 0;
	uint64_t genesis = 0, end = UINT64_MAX;

	for (uint64_t n = 0; n < end; n += full || n == 0 ? 1 : 5) {
		struct fake_writer f = { .w = fake_open(path, &o, err, sizeof err), .next = 1 };
		uint8_t head[FRZ_HASH_LEN];
		struct recover_result r;
		struct frz_case *c;
		struct frz_case_item it;
		struct frz_fault fault;
		int sealed;

		if (!f.w)
			bail_out(err);
		genesis = size_of(path);
		n = n < genesis ? genesis : n;
		set_limit(n);
		for (unsigned i = 0; i < groups; i++)
			fake_group(&f, per);
		sealed = writer_seal(f.w, "test", head);
		set_limit(RLIM_INFINITY);
		if (sealed == 0) { /* there was room for all of it */
			end = n;
			writer_free(f.w);
			fake_remove(path);
			break;
		}
		tried++;
		told += writer_failed(f.w) && strstr(writer_failed(f.w), "File too large") != NULL;
		writer_free(f.w);
		kept += fake_exists(path, ".tail");
		/* it ends behind a whole block: nothing torn is left */
		if (frz_case_open(path, 0, &c, &fault) == FRZ_OK) {
			enum frz_err e;

			while ((e = frz_case_next(c, &it, &fault)) == FRZ_OK)
				;
			whole_end += e == FRZ_E_UNSEALED;
			frz_case_close(c);
		}
		recovered += recover_case(path, &r, err, sizeof err) == 0 &&
			     holds(path, groups * per);
		fake_remove(path);
	}
	ok(end != UINT64_MAX && tried > 20, "a case of %llu bytes is stopped at %u lengths",
	   (unsigned long long)end, tried);
	is_int(told, tried, "  each time the writer says so");
	is_int(kept, tried, "  and keeps the tail");
	is_int(whole_end, tried, "  and the case ends behind a whole block");
	is_int(recovered, tried, "  and recovery brings back every event");
	free(path);
}

static void fails_under_load(int error, const char *text)
{
	char *path = fake_path("load.frz");
	struct writer_options o = { .sync = error == EIO ? WRITER_SYNC_SECONDS :
							   WRITER_SYNC_SEGMENT };
	struct fake_writer f = { .w = fake_open(path, &o, err, sizeof err), .next = 1 };
	uint64_t t = fake_now(), committed = 0;
	uint8_t head[FRZ_HASH_LEN];
	struct recover_result r;

	for (int i = 0; i < 3000 && fake_group(&f, 10); i++)
		committed = f.next - 1;
	if (error == EFBIG)
		set_limit(size_of(path));
	else
		atomic_store(&sync_error, error);
	while (fake_now() - t < 10000000000u && fake_group(&f, 10))
		committed = f.next - 1;
	t = fake_now() - t;
	set_limit(RLIM_INFINITY);
	ok(writer_failed(f.w) && strstr(writer_failed(f.w), text), "%s: %s", text,
	   writer_failed(f.w));
	ok(t < 5000000000u, "  the tracer knows soon: %llu ms", (unsigned long long)(t / 1000000));
	is_int(writer_seal(f.w, "test", head), -1, "  there is no seal");
	atomic_store(&sync_error, 0);
	writer_free(f.w);
	ok(fake_exists(path, ".tail"), "  the tail is kept");
	ok(recover_case(path, &r, err, sizeof err) == 0 && holds(path, committed),
	   "  recovery finds every committed event");
	fake_remove(path);
	free(path);
}

/* A disk that hangs for seconds: the target waits stall_ms, then events are dropped and counted. */
static void stalls(void)
{
	char *path = fake_path("stall.frz");
	struct writer_options o = { .sync = WRITER_SYNC_SEGMENT, .stall_ms = 100 };
	struct fake_writer f = { .w = fake_open(path, &o, err, sizeof err),
				 .next = 1,
				 .data = 100 };
	uint64_t start = fake_now(), worst = 0, now;
	uint8_t head[FRZ_HASH_LEN];
	struct writer_stats st;
	struct fake_seen s;
	bool good = true;

	atomic_store(&slow_ms, 700);
	while ((now = fake_now()) - start < 2500000000u && good) {
		good = fake_group(&f, 10);
		now = fake_now() - now;
		worst = now > worst ? now : worst;
		if (now < 1000000)
			usleep(20);
	}
	writer_stats(f.w, &st);
	atomic_store(&slow_ms, 0);
	ok(good, "a stalling disk is no failure");
	ok(worst < 400000000u, "the tracer never waits for much longer than stall_ms 100: %llu ms",
	   (unsigned long long)(worst / 1000000));
	ok(st.lost > 0, "events were dropped: %llu", (unsigned long long)st.lost);
	is_int(writer_seal(f.w, "test", head), 0, "seals");
	writer_free(f.w);
	fake_read(path, &s);
	is_int(s.err, FRZ_END, "the case is whole");
	is_int(s.events + s.head.lost, f.next - 1,
	       "what is in it and what it counts as lost is everything");
	ok(s.gaps > 0 && s.gap_lost == s.head.lost,
	   "GAP records tell where: %llu gaps, %llu events", (unsigned long long)s.gaps,
	   (unsigned long long)s.gap_lost);
	ok(s.breaks <= s.gaps, "there is no other hole");
	fake_remove(path);
	free(path);
}

/* Somebody cuts the tail while it is in use: SIGBUS, which must not kill the recorder. */
static void tail_cut(void)
{
	char *path = fake_path("bus.frz"), *tail = fake_path("bus.frz.tail");
	struct writer_options o = { .sync = WRITER_SYNC_SEGMENT };
	struct fake_writer f = { .w = fake_open(path, &o, err, sizeof err), .next = 1 };
	uint8_t head[FRZ_HASH_LEN];
	struct fake_seen s;
	uint64_t put;
	int i;

	for (i = 0; i < 500; i++)
		fake_group(&f, 2);
	if (truncate(tail, FRZ_TAIL_PAGE + FRZ_TAIL_AFFINITY + 3 * FRZ_TAIL_PAGE))
		bail_out("truncate");
	for (i = 0; i < 100000 && fake_group(&f, 2); i++)
		;
	put = f.next - 1;
	ok(i < 100000, "a tail that was cut stops the writer after %d groups", i);
	ok(strstr(writer_failed(f.w), "it was cut"), "  which says so: %s", writer_failed(f.w));
	is_int(writer_seal(f.w, "write failed", head), 1, "  as does the seal");
	writer_free(f.w);
	fake_read(path, &s);
	ok(s.err == FRZ_END && !s.breaks && s.events > 0,
	   "  yet the case is sealed with what was left: %llu events",
	   (unsigned long long)s.events);
	ok(s.events + s.head.lost <= put && s.head.lost > 0, "  and tells how many are lost: %llu",
	   (unsigned long long)s.head.lost);
	fake_remove(path);
	free(path), free(tail);
}

static void deleted(void)
{
	char *path = fake_path("gone.frz"), *tail = fake_path("gone.frz.tail");
	struct writer_options o = { .sync = WRITER_SYNC_SEGMENT, .tick_seconds = 1 };
	struct fake_writer f = { .w = fake_open(path, &o, err, sizeof err), .next = 1 };
	uint8_t head[FRZ_HASH_LEN];

	fake_group(&f, 2);
	unlink(path);
	usleep(1100000);
	ok(!fake_group(&f, 2) && strstr(writer_failed(f.w), "was deleted"),
	   "a deleted case is noticed: %s", writer_failed(f.w));
	is_int(writer_seal(f.w, "test", head), -1, "  and not sealed");
	writer_free(f.w);
	fake_remove(path);

	f = (struct fake_writer){ .w = fake_open(path, &o, err, sizeof err), .next = 1 };
	fake_group(&f, 2);
	unlink(tail);
	usleep(1100000);
	ok(!fake_group(&f, 2) && strstr(writer_failed(f.w), "was deleted"),
	   "so is a deleted tail: %s", writer_failed(f.w));
	is_int(writer_seal(f.w, "test", head), 1, "  the seal says so");
	writer_free(f.w);
	ok(holds(path, 2), "  and the case has what was committed");
	fake_remove(path);
	free(path), free(tail);
}

static void refused(void)
{
	char *path = fake_path("none/x.frz"), *good = fake_path("x.frz"),
	     *tail = fake_path("x.frz.tail");
	struct writer_options o = { .sync = WRITER_SYNC_SEGMENT };
	struct writer *w;

	ok(!fake_open(path, &o, err, sizeof err) && strstr(err, "cannot be created"),
	   "no such folder: %s", err);
	ok(!fake_open(fake_dir(), &o, err, sizeof err) && strstr(err, "exists already"),
	   "a folder: %s", err);
	fclose(fopen(tail, "w"));
	ok(!fake_open(good, &o, err, sizeof err) && strstr(err, "did not finish"),
	   "a tail without a case: %s", err);
	ok(!fake_exists(good, "") && fake_exists(tail, ""),
	   "  no case was made, the tail is as it was");
	unlink(tail);
	set_limit(100000);
	w = fake_open(good, &o, err, sizeof err);
	set_limit(RLIM_INFINITY);
	ok(!w && strstr(err, "no room"), "no room for the tail: %s", err);
	ok(!fake_exists(good, "") && !fake_exists(tail, ""), "  nothing is left behind");
	set_limit(100);
	w = fake_open(good, &o, err, sizeof err);
	set_limit(RLIM_INFINITY);
	ok(!w && strstr(err, "too large"), "no room for GENESIS: %s", err);
	ok(!fake_exists(good, "") && !fake_exists(tail, ""), "  nothing is left behind");
	free(path), free(good), free(tail);
}

int main(void)
{
	bool full = getenv("FREC_FULL") != NULL;

	refused();
	fails_at_every_byte(full);
	fails_under_load(EFBIG, "File too large");
	fails_under_load(EIO, "Input/output error");
	stalls();
	tail_cut();
	deleted();
	fake_cleanup();
	return tap_done();
}
