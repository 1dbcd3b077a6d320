/*
 * recover.c - recorders killed at random moments, and what recovery makes of it: nothing that was
 * committed is missing, nothing is there twice, however often recovery itself is stopped; pages
 * of the tail that fell back to older content leave a prefix.
 */
#include "tap.h"

#include <signal.h>
#include <stdatomic.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/wait.h>

#include "append.h"
#include "fakecase.h"
#include "record.h"
#include "recover.h"
#include "tail.h"
#include "tailfile.h"

#define GROUP 7

/* The recorder's own account: events committed, as it knows right after each commit. */
struct account {
	_Atomic uint64_t committed;
	_Atomic int ready;
	_Atomic uint64_t synced, unsynced;
	_Atomic uint64_t tail_committed; /* what the tail that was synced last must have */
};

static struct account *account;
static uint8_t *synced_tail; /* as it was at the end of its last sync */
static size_t synced_size;   /* 0: not asked for */
static char err[600];
static unsigned seed = 1;

static unsigned rnd(unsigned below)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % below;
}

static pid_t start_recorder(const char *path, enum writer_sync sync)
{
	pid_t pid;

	atomic_store(&account->committed, 0);
	atomic_store(&account->ready, 0);
	pid = fork();
	if (pid == 0) {
		struct writer_options o = { .sync = sync, .tick_seconds = 1 };
		struct fake_writer f = { .w = fake_open(path, &o, err, sizeof err),
					 .next = 1,
					 .data = 20 };

		if (!f.w)
			_exit(2);
		atomic_store(&account->ready, 1);
		while (fake_group(&f, GROUP))
			atomic_store(&account->committed, f.next - 1);
		_exit(3);
	}
	while (!atomic_load(&account->ready) && kill(pid, 0) == 0)
		usleep(200);
	return pid;
}

static int reap(pid_t pid)
{
	int status = -1;

	waitpid(pid, &status, 0);
	return status;
}

static void kill_recorder(const char *path, enum writer_sync sync, unsigned us)
{
	pid_t pid = start_recorder(path, sync);

	usleep(us);
	kill(pid, SIGKILL);
	reap(pid);
}

static void copy_file(const char *from, const char *to)
{
	int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	ssize_t n;

	while ((n = sendfile(out, in, NULL, 1 << 30)) > 0)
		;
	if (in < 0 || out < 0 || n < 0)
		bail_out("copy");
	close(in);
	close(out);
}

static char *suffixed(const char *path, const char *suffix)
{
	char *p;

	return asprintf(&p, "%s%s", path, suffix) < 0 ? NULL : p;
}

static uint64_t size_of(const char *path)
{
	struct stat st;

	return stat(path, &st) ? 0 : (uint64_t)st.st_size;
}

static char *hash_of(const char *path)
{
	static char out[2][80];
	static int turn;
	char cmd[1100], *o = out[turn++ % 2];
	FILE *f;

	snprintf(cmd, sizeof cmd, "sha256sum < '%s'", path);
	f = popen(cmd, "r");
	if (!f || !fgets(o, 80, f))
		o[0] = '\0';
	if (f)
		pclose(f);
	return o;
}

/* One line of TAP for one killed recorder: that the case is whole and holds what it must. */
static bool good_case(const char *path, uint64_t at_least, uint64_t at_most, const char *name,
		      unsigned round)
{
	struct fake_seen s;
	bool good;

	fake_read(path, &s);
	/* A machine so busy that the helper gets no turn for two seconds makes the recorder drop
	 * events, which it counts: those are in the case as lost, and no other may be missing. */
	good = s.err == FRZ_END && (!s.breaks || s.head.lost) &&
	       s.events + s.head.lost >= at_least && s.events + s.head.lost <= at_most &&
	       (!s.events || s.first == 1) &&
	       (s.head.lost ? s.last <= s.events + s.head.lost : s.last == s.events) &&
	       !fake_exists(path, ".tail");
	if (!good) {
		ok(false, "%s, round %u", name, round);
		diag("%s: %s; events %llu, lost %llu, account %llu to %llu, breaks %llu, first %llu",
		     frz_strerror(s.err), s.fault.what, (unsigned long long)s.events,
		     (unsigned long long)s.head.lost, (unsigned long long)at_least,
		     (unsigned long long)at_most, (unsigned long long)s.breaks,
		     (unsigned long long)s.first);
	}
	return good;
}

static void recorder_killed(unsigned rounds)
{
	char *path = fake_path("killed.frz");
	uint64_t all = 0, from_tail = 0, torn = 0;
	unsigned good = 0;

	for (unsigned i = 0; i < rounds; i++) {
		struct recover_result r;
		uint64_t committed;

		kill_recorder(path, i % 2 ? WRITER_SYNC_SEGMENT : WRITER_SYNC_SECONDS,
			      rnd(i % 3 ? 60000 : 3000));
		committed = atomic_load(&account->committed);
		if (recover_case(path, &r, err, sizeof err)) {
			ok(false, "round %u: %s", i, err);
			break;
		}
		good += good_case(path, committed, committed + GROUP, "killed and recovered", i);
		all += r.events;
		from_tail += r.tail_events;
		torn += r.torn_bytes != 0;
		if (i < 3) {
			char *before = hash_of(path);

			is_int(recover_case(path, &r, err, sizeof err), 0, "a second recovery");
			ok(r.was_sealed, "  finds a sealed case");
			is_str(hash_of(path), before, "  and changes no byte");
		}
		fake_remove(path);
	}
	ok(good == rounds,
	   "%u of %u recorders killed at random: every committed event is in the case", good,
	   rounds);
	diag("%llu events, %llu of them out of tails, %llu cases ended torn",
	     (unsigned long long)all, (unsigned long long)from_tail, (unsigned long long)torn);
	free(path);
}

static void recovery_killed(unsigned rounds)
{
	char *path = fake_path("twice.frz");
	unsigned good = 0, stopped = 0;

	for (unsigned i = 0; i < rounds; i++) {
		struct recover_result r;
		uint64_t committed;

		kill_recorder(path, WRITER_SYNC_SEGMENT, 5000 + rnd(40000));
		committed = atomic_load(&account->committed);
		for (unsigned k = 0; k < 3; k++) {
			pid_t pid = fork();

			if (pid == 0)
				_exit(recover_case(path, &r, err, sizeof err) ? 1 : 0);
			usleep(rnd(k == 2 ? 60000 : 15000));
			kill(pid, SIGKILL);
			stopped += WIFSIGNALED(reap(pid));
		}
		if (recover_case(path, &r, err, sizeof err)) {
			ok(false, "round %u: %s", i, err);
			break;
		}
		good += good_case(path, committed, committed + GROUP, "recovery killed three times",
				  i);
		fake_remove(path);
	}
	ok(good == rounds && stopped > 0,
	   "%u of %u: recovery itself killed %u times, and run again", good, rounds, stopped);
	free(path);
}

/* A recovery stopped while it writes leaves a prefix of what it appends: every such prefix. */
static void recovery_cut_short(bool full)
{
	char *path = fake_path("short.frz"), *tail = suffixed(path, ".tail");
	char *case0 = fake_path("case0"), *tail0 = fake_path("tail0"), *done = fake_path("done");
	uint64_t committed, whole, end, step;
	unsigned good = 0, tried = 0;
	struct recover_result r;

	kill_recorder(path, WRITER_SYNC_SEGMENT, 0);
	committed = atomic_load(&account->committed);
	copy_file(path, case0);
	copy_file(tail, tail0);
	is_int(recover_case(path, &r, err, sizeof err), 0, "a small case is recovered");
	copy_file(path, done);
	whole = size_of(case0);
	end = size_of(done);
	step = full ? 1 : (end - whole) / 60 + 1;
	for (uint64_t n = whole; n < end; n += step, tried++) {
		uint64_t torn_before = n - whole;

		copy_file(done, path);
		copy_file(tail0, tail);
		if (truncate(path, (off_t)n))
			bail_out("truncate");
		if (recover_case(path, &r, err, sizeof err)) {
			ok(false, "stopped after %llu bytes: %s", (unsigned long long)torn_before,
			   err);
			break;
		}
		good += good_case(path, committed, committed + GROUP, "recovery cut short",
				  (unsigned)torn_before);
	}
	ok(good == tried && tried > 10,
	   "recovery stopped after any number of its %llu bytes goes on (%u tried)",
	   (unsigned long long)(end - whole), tried);
	fake_remove(path);
	free(path), free(tail), free(case0), free(tail0), free(done);
}

/* Power lost while recovery synced one of its blocks: pages of that one may be missing. */
static void recovery_lost(unsigned rounds)
{
	char *path = fake_path("lost.frz"), *tail = suffixed(path, ".tail");
	char *tail0 = fake_path("tail0"), *done = fake_path("done");
	uint64_t committed, at[8], whole;
	unsigned good = 0, tried = 0, blocks = 0;
	struct recover_result r;
	struct frz_case_item it;
	struct frz_fault fault;
	struct frz_case *c;

	kill_recorder(path, WRITER_SYNC_SEGMENT, 8000);
	committed = atomic_load(&account->committed);
	whole = size_of(path);
	copy_file(tail, tail0);
	is_int(recover_case(path, &r, err, sizeof err), 0, "a case is recovered");
	copy_file(path, done);
	if (frz_case_open(done, 0, &c, &fault))
		bail_out(fault.what);
	while (frz_case_next(c, &it, &fault) == FRZ_OK)
		if (it.block.offset >= whole && blocks < 7)
			at[blocks++] = it.block.offset;
	frz_case_close(c);
	at[blocks] = size_of(done);
	for (; tried < rounds; tried++) {
		static const uint8_t zero[4096];
		unsigned k = tried % blocks, missing = 0;
		int fd;

		copy_file(done, path);
		copy_file(tail0, tail);
		fd = open(path, O_WRONLY);
		if (fd < 0 || ftruncate(fd, (off_t)at[k + 1]))
			bail_out("ftruncate");
		for (uint64_t p = at[k]; p < at[k + 1]; p = (p | 4095) + 1) {
			uint64_t n = (p | 4095) + 1 < at[k + 1] ? (p | 4095) + 1 - p :
								  at[k + 1] - p;

			if (rnd(2) && pwrite(fd, zero, n, (off_t)p) == (ssize_t)n)
				missing++;
		}
		close(fd);
		if (recover_case(path, &r, err, sizeof err)) {
			ok(false, "block %u of recovery lost, %u pages: %s", k, missing, err);
			break;
		}
		good += good_case(path, committed, committed + GROUP, "recovery lost", tried);
	}
	ok(good == tried && blocks >= 3,
	   "%u of %u: a block of recovery's %u that did not reach the disk", good, tried, blocks);
	fake_remove(path);
	free(path), free(tail), free(tail0), free(done);
}

/* A tail as recovery sees it, mapped so that a test can change it. */
static void look_at_tail(const char *path, struct tail *m, struct frz_tail *t)
{
	struct frz_tail_head h;
	struct fake_seen s;
	const char *why;
	bool absent;

	fake_read(path, &s);
	if (!tail_open(m, path, &absent, err, sizeof err) ||
	    frz_tail_parse_head(m->map, m->size, &h, &why) ||
	    frz_tail_parse(m->map, m->size, h.genesis_link, s.head.segments, s.head.events, t,
			   &why))
		bail_out("no tail");
}

/* The older of two halves loses its end, or it does not follow on the case. What can be had is
 * taken, what cannot is told, and being stopped before the tail is removed changes nothing. */
static void tail_destroyed(void)
{
	char *path = fake_path("destroyed.frz"), *tail = suffixed(path, ".tail");
	char *case0 = fake_path("case0"), *tail0 = fake_path("tail0");
	uint64_t whole, newer, was;
	struct recover_result r;
	struct frz_tail t;
	struct fake_seen s;
	struct tail m;

	for (unsigned tries = 0;; tries++) {
		kill_recorder(path, WRITER_SYNC_SEGMENT, 15000 + rnd(20000));
		look_at_tail(path, &m, &t);
		if (t.nhalves == 2 || tries == 300)
			break;
		tail_close(&m);
		fake_remove(path);
	}
	if (!is_int(t.nhalves, 2, "a recorder is killed with two halves to be written"))
		return;
	fake_read(path, &s);
	whole = s.events;
	newer = t.half[1].committed;
	copy_file(path, case0);
	m.map[(size_t)(t.half[0].data - m.map) + t.half[0].committed / 2] ^= 1;
	tail_close(&m);
	copy_file(tail, tail0);
	is_int(recover_case(path, &r, err, sizeof err), 0, "a flipped bit in the older one");
	fake_read(path, &s);
	ok(s.err == FRZ_END && !s.breaks && s.events > whole && s.events == r.events,
	   "  what stands before it is recovered: %llu events", (unsigned long long)r.tail_events);
	ok(r.tail_unusable > newer && s.not_had == r.tail_unusable,
	   "  the case tells what is not: %llu bytes", (unsigned long long)s.not_had);
	was = size_of(path);
	copy_file(tail0, tail);
	is_int(recover_case(path, &r, err, sizeof err), 0,
	       "  stopped before the tail was removed, it goes on");
	ok(r.was_sealed && size_of(path) == was && !fake_exists(path, ".tail"),
	   "  and does no more than that");

	/* As if only part of the segment before had come into the case, for the tail was destroyed
	 * while the recorder ran: what follows was numbered as if all of it had. */
	copy_file(case0, path);
	copy_file(tail0, tail);
	look_at_tail(path, &m, &t);
	frz_tail_put_half(m.map + (t.half[0].data - m.map) - FRZ_TAIL_PAGE, t.head.genesis_link,
			  t.half[0].generation, t.half[0].first_event + 5, t.half[0].mono,
			  t.half[0].real);
	tail_close(&m);
	is_int(recover_case(path, &r, err, sizeof err), 0,
	       "a half that does not follow on the case");
	fake_read(path, &s);
	ok(s.err == FRZ_END && s.events == whole && s.not_had == r.tail_unusable &&
		   strstr(r.damage, "do not follow"),
	   "  is not taken, and that is told: %s", r.damage);
	fake_remove(path);
	free(path), free(tail), free(case0), free(tail0);
}

/* An entry in the middle of a half says something else, and its checksum is right. */
static void forge_entry(struct frz_tail *t, struct tail *m, uint8_t type, uint64_t mono,
			uint64_t dur)
{
	struct frz_tail_half *h = &t->half[0];
	uint64_t at = 0, from;
	struct frz_tail_entry e;
	uint8_t rec[4096];

	do {
		from = at;
		if (frz_tail_next(h, &at, &e) != FRZ_OK)
			bail_out("no entry");
	} while (at < h->usable / 2 || e.len > sizeof(rec) || !FRZ_REC_EVENT(e.rec[0]));
	memcpy(rec, e.rec, e.len);
	rec[0] = type;
	frz_tail_put_entry(m->map + (h->data - m->map), from, h->seed, rec, e.len,
			   mono ? mono : e.mono_ns, dur);
	if (e.last)
		frz_tail_mark_last(m->map + (h->data - m->map), from);
}

/* Whatever is in a tail, what comes of it is a case that can be read. */
static void tail_nonsense(void)
{
	const uint64_t now = moment_now().mono, hour = 3600000000000;
	const struct {
		const char *name;
		uint8_t type;
		uint64_t mono, dur;
		bool half; /* the half's own time instead */
		bool taken;
	} rows[] = {
		{ "a record of no type", 0, 0, 0, false, false },
		{ "a body that is another record's", FRZ_R_FILE_HASH, 0, 0, false, false },
		{ "a time beyond all clocks", FRZ_R_SYSCALL, UINT64_MAX, 0, false, false },
		{ "a time that has not come", FRZ_R_SYSCALL, now + hour, 0, false, true },
		{ "a call longer than its time", FRZ_R_SYSCALL, 5, 6, false, false },
		{ "a half opened beyond all clocks", 0, UINT64_MAX, 0, true, false },
		{ "a half opened in the future", 0, now + hour, 0, true, true },
	};
	char *path = fake_path("nonsense.frz"), *tail = suffixed(path, ".tail");
	char *case0 = fake_path("case0"), *tail0 = fake_path("tail0");
	struct recover_result r;
	struct fake_seen s;
	struct frz_tail t;
	struct tail m;
	uint64_t whole;

	do {
		fake_remove(path);
		kill_recorder(path, WRITER_SYNC_SEGMENT, 5000 + rnd(20000));
		look_at_tail(path, &m, &t);
		tail_close(&m);
	} while (!t.nhalves || t.half[0].events < 100);
	fake_read(path, &s);
	whole = s.events;
	copy_file(path, case0);
	copy_file(tail, tail0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		copy_file(case0, path);
		copy_file(tail0, tail);
		look_at_tail(path, &m, &t);
		if (rows[i].half)
			frz_tail_put_half(m.map + (t.half[0].data - m.map) - FRZ_TAIL_PAGE,
					  t.head.genesis_link, t.half[0].generation,
					  t.half[0].first_event, rows[i].mono, t.half[0].real);
		else
			forge_entry(&t, &m, rows[i].type, rows[i].mono, rows[i].dur);
		tail_close(&m);
		*err = '\0';
		ok(recover_case(path, &r, err, sizeof err) == 0, "with a right checksum, %s: %s",
		   rows[i].name, err);
		fake_read(path, &s);
		ok(s.err == FRZ_END && !s.breaks && s.events == r.events &&
			   s.not_had == r.tail_unusable &&
			   (r.tail_unusable == 0) == rows[i].taken &&
			   (s.events > whole) == (rows[i].taken || !rows[i].half),
		   "  what stands before it is recovered, the rest is told: %s",
		   r.damage ? r.damage : "");
	}
	fake_remove(path);
	free(path), free(tail), free(case0), free(tail0);
}

/* Killed while the recorder made its files. */
static void not_begun(void)
{
	char *path = fake_path("begun.frz"), *tail = suffixed(path, ".tail"),
	     *done = fake_path("done");
	struct recover_result r;
	struct fake_seen s;
	struct frz_case *c;
	struct frz_case_item it;
	struct frz_fault fault;
	uint64_t genesis;
	unsigned refused = 0, tried = 0;

	kill_recorder(path, WRITER_SYNC_SEGMENT, 0);
	copy_file(path, done);
	if (frz_case_open(done, 0, &c, &fault) || frz_case_next(c, &it, &fault))
		bail_out(fault.what);
	genesis = it.block.total;
	frz_case_close(c);
	unlink(tail);
	for (uint64_t n = 0; n < genesis; n += 13, tried++) {
		copy_file(done, path);
		if (truncate(path, (off_t)n))
			bail_out("truncate");
		refused += recover_case(path, &r, err, sizeof err) == -1 &&
			   strstr(err, "nothing was recorded") && size_of(path) == n;
	}
	is_int(refused, tried, "a GENESIS that is not whole, of any length: nothing to finish");
	for (unsigned size = 0; size <= 140000; size += 70000) {
		copy_file(done, path);
		fclose(fopen(tail, "w"));
		if (truncate(path, (off_t)genesis) || truncate(tail, size))
			bail_out("truncate");
		is_int(recover_case(path, &r, err, sizeof err), 0, "a tail that was being made");
		fake_read(path, &s);
		ok(s.err == FRZ_END && !s.events && !fake_exists(path, ".tail"),
		   "  and has %u bytes of zeros is none", size);
	}
	fake_remove(path);
	free(path), free(tail), free(done);
}

static void no_room_for_recovery(bool full)
{
	char *path = fake_path("room.frz"), *tail = suffixed(path, ".tail"),
	     *case0 = fake_path("case0");
	struct rlimit none, limit;
	struct recover_result r;
	uint64_t committed, step, end;
	unsigned refused = 0, tried = 0;
	bool same = true;

	kill_recorder(path, WRITER_SYNC_SEGMENT, 0);
	committed = atomic_load(&account->committed);
	copy_file(path, case0);
	getrlimit(RLIMIT_FSIZE, &none);
	end = size_of(path) + 1400;
	step = full ? 1 : 50;
	for (uint64_t n = size_of(path); n < end; n += step, tried++) {
		limit = none;
		limit.rlim_cur = n;
		setrlimit(RLIMIT_FSIZE, &limit);
		refused += recover_case(path, &r, err, sizeof err) != 0 &&
			   strstr(err, "no room") != NULL;
		setrlimit(RLIMIT_FSIZE, &none);
		same &= size_of(path) == size_of(case0) && fake_exists(path, ".tail");
	}
	ok(refused == tried, "without room recovery fails (%u of %u): %s", refused, tried, err);
	ok(same, "  and leaves case and tail as they were");
	ok(recover_case(path, &r, err, sizeof err) == 0 &&
		   good_case(path, committed, committed + GROUP, "with room again", 0),
	   "  with room again it succeeds");
	fake_remove(path);
	free(path), free(tail), free(case0);
}

/* The recorder was killed between the write and the end of the write. */
static void torn_case(void)
{
	char *path = fake_path("torn.frz"), *tail = suffixed(path, ".tail"),
	     *done = fake_path("done");
	static const char junk[] = "this is no block";
	struct recover_result r;
	struct fake_seen s;
	uint64_t committed, whole;
	FILE *f;

	do { /* until it was killed before the first segment */
		fake_remove(path);
		kill_recorder(path, WRITER_SYNC_SEGMENT, 0);
		whole = size_of(path);
		fake_read(path, &s);
	} while (s.events || s.head.bytes != whole);
	committed = atomic_load(&account->committed);
	f = fopen(path, "a");
	for (int i = 0; i < 100; i++)
		fputs(junk, f);
	fclose(f);
	copy_file(path, done);
	is_int(recover_case(path, &r, err, sizeof err), 0, "a torn end is cut");
	fake_read(path, &s);
	ok(s.torn_bytes == 1600 && r.torn_bytes == 1600 && s.recoveries == 1, "  and counted: %llu",
	   (unsigned long long)s.torn_bytes);
	good_case(path, committed, committed + GROUP, "torn", 0);
	is_int(s.tail_events, s.events, "  what the tail gave is counted too");
	ok(s.head.bytes > whole, "  the case is longer than what was whole");

	/* the same without a tail: only an end that is cut short can be told from damage */
	copy_file(done, path);
	ok(recover_case(path, &r, err, sizeof err) == -1 && strstr(err, "no torn end"),
	   "damage that no tail explains is left alone: %s", err);
	is_int(size_of(path), size_of(done), "  and nothing is cut");
	fake_remove(path);
	free(path), free(tail), free(done);
}

static void damage_inside(void)
{
	char *path = fake_path("inside.frz");
	struct recover_result r;
	struct fake_seen s;
	uint64_t before;
	FILE *f;

	do { /* until there is a whole segment */
		fake_remove(path);
		kill_recorder(path, WRITER_SYNC_SEGMENT, 150000);
		before = size_of(path);
		fake_read(path, &s);
	} while (!s.events);
	f = fopen(path, "r+");
	fseek(f, 3000, SEEK_SET);
	fputs("damage", f);
	fclose(f);
	ok(recover_case(path, &r, err, sizeof err) == -1 && strstr(err, "nothing was changed"),
	   "damage in the middle is refused: %s", err);
	ok(size_of(path) == before && fake_exists(path, ".tail"), "  and nothing is cut");
	fake_remove(path);
	free(path);
}

static void wrong_tails(void)
{
	char *path = fake_path("a.frz"), *other = fake_path("b.frz");
	char *tail = suffixed(path, ".tail"), *other_tail = suffixed(other, ".tail");
	struct recover_result r;
	struct fake_seen s;
	pid_t pid;

	kill_recorder(path, WRITER_SYNC_SEGMENT, 1000);
	kill_recorder(other, WRITER_SYNC_SEGMENT, 1000);
	copy_file(other_tail, tail);
	ok(recover_case(path, &r, err, sizeof err) == -1 && strstr(err, "another case"),
	   "a foreign tail: %s", err);
	if (truncate(tail, 100000))
		bail_out("truncate");
	copy_file(other_tail, tail);
	if (truncate(other_tail, 100000))
		bail_out("truncate");
	ok(recover_case(other, &r, err, sizeof err) == -1 &&
		   strstr(err, "shorter than its head says"),
	   "a tail cut short: %s", err);
	unlink(tail);
	is_int(recover_case(path, &r, err, sizeof err), 0,
	       "no tail: the case is finished with what it has");
	fake_read(path, &s);
	ok(s.err == FRZ_END && !s.breaks, "  and whole");
	fake_remove(path);
	fake_remove(other);

	pid = start_recorder(path, WRITER_SYNC_SEGMENT);
	ok(recover_case(path, &r, err, sizeof err) == -1 && strstr(err, "being written"),
	   "a live recorder: %s", err);
	/* the file system may know no locks: then the pid in the tail speaks */
	copy_file(path, other);
	copy_file(tail, other_tail);
	ok(recover_case(other, &r, err, sizeof err) == -1 &&
		   strstr(err, "being written by process"),
	   "  also by its pid");
	kill(pid, SIGKILL);
	reap(pid);
	fake_remove(path);
	fake_remove(other);
	ok(recover_case(path, &r, err, sizeof err) == -1 && strstr(err, "No such file"),
	   "no case: %s", err);
	free(path), free(other), free(tail), free(other_tail);
}

static void revert_pages(const char *tail, uint8_t *const *older, unsigned n_older, size_t size,
			 unsigned percent)
{
	int fd = open(tail, O_WRONLY);
	static const uint8_t zero[FRZ_TAIL_PAGE];

	/* the head was synced when the case was opened, and the area behind it is not looked at */
	for (size_t at = FRZ_TAIL_PAGE; at < size; at += FRZ_TAIL_PAGE) {
		unsigned from = rnd(n_older + 1);

		if (rnd(100) < percent && pwrite(fd, from == n_older ? zero : older[from] + at,
						 FRZ_TAIL_PAGE, (off_t)at) < 0)
			bail_out("pwrite");
	}
	close(fd);
}

/* Pages of the tail that were not synced yet come back as they were at any earlier time. */
static void power_lost(unsigned recorders, unsigned rounds)
{
	enum { OLDER = 4 };
	char *path = fake_path("power.frz"), *tail = suffixed(path, ".tail");
	char *case0 = fake_path("case0"), *tail0 = fake_path("tail0");
	uint8_t *older[OLDER];
	unsigned good = 0, tried = 0;
	uint64_t whole = 0, kept = 0, lost = 0;
	struct recover_result r;
	struct fake_seen s;

	for (unsigned k = 0; k < recorders; k++) {
		pid_t pid = start_recorder(path, WRITER_SYNC_SEGMENT);
		size_t size = size_of(tail);
		uint64_t committed;

		for (unsigned i = 0; i < OLDER; i++) {
			int fd = open(tail, O_RDONLY);

			older[i] = calloc(1, size);
			usleep(rnd(15000));
			if (read(fd, older[i], size) != (ssize_t)size)
				bail_out("read");
			close(fd);
		}
		usleep(rnd(15000));
		kill(pid, SIGKILL);
		reap(pid);
		committed = atomic_load(&account->committed);
		copy_file(path, case0);
		copy_file(tail, tail0);
		fake_read(path, &s);
		whole = s.events;
		for (unsigned i = 0; i < rounds; i++, tried++) {
			copy_file(case0, path);
			copy_file(tail0, tail);
			revert_pages(tail, older, OLDER, size, i % 4 ? 2 + rnd(10) : 60);
			if (recover_case(path, &r, err, sizeof err)) {
				ok(false, "power lost, round %u: %s", i, err);
				break;
			}
			good += good_case(path, whole, committed + GROUP, "power lost", i);
			kept += r.tail_events;
			lost += committed - (r.events < committed ? r.events : committed);
		}
		for (unsigned i = 0; i < OLDER; i++)
			free(older[i]);
		fake_remove(path);
	}
	ok(good == tried, "%u of %u tails with pages of other times: a prefix, never garbage", good,
	   tried);
	ok(kept > 0 && lost > 0, "  some events kept (%llu), some lost (%llu)",
	   (unsigned long long)kept, (unsigned long long)lost);
	free(path), free(tail), free(case0), free(tail0);
}

/* A sync that ended: from now on these bytes are on the medium. */
static void tail_synced(int fd, uint64_t committed)
{
	struct stat st;

	if (!synced_size || fstat(fd, &st) || (size_t)st.st_size != synced_size)
		return;
	if (pread(fd, synced_tail, synced_size, 0) != (ssize_t)synced_size)
		_exit(4);
	atomic_store(&account->tail_committed, committed);
}

static void bring_back(const char *tail, size_t size, unsigned percent)
{
	int fd = open(tail, O_WRONLY);

	for (size_t at = 0; at < size; at += FRZ_TAIL_PAGE)
		if (rnd(100) < percent &&
		    pwrite(fd, synced_tail + at, FRZ_TAIL_PAGE, (off_t)at) < 0)
			bail_out("pwrite");
	close(fd);
}

/* Power lost at any time: what was in the tail when it was synced last stays, whichever of the
 * pages that were written since reached the medium. */
static void synced_stays(enum writer_sync sync, unsigned recorders, unsigned rounds)
{
	char *path = fake_path("synced.frz"), *tail = suffixed(path, ".tail");
	char *case0 = fake_path("case0"), *tail0 = fake_path("tail0");
	unsigned good = 0, tried = 0;
	uint64_t kept = 0, lost = 0;
	struct recover_result r;

	for (unsigned k = 0; k < recorders; k++) {
		struct frz_tail_head h = { .half_bytes = 2 << 20,
					   .affinity_bytes = FRZ_TAIL_AFFINITY };
		size_t size = frz_tail_size(&h);
		uint64_t committed, sure;
		pid_t pid;

		synced_size = size;
		synced_tail =
			mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		if (synced_tail == MAP_FAILED)
			bail_out("mmap");
		atomic_store(&account->tail_committed, 0);
		pid = start_recorder(path, sync);
		while (!atomic_load(&account->tail_committed) && kill(pid, 0) == 0)
			usleep(1000);
		usleep(rnd(sync == WRITER_SYNC_EVENT ? 50000 : 1200000));
		kill(pid, SIGKILL);
		reap(pid);
		synced_size = 0;
		committed = atomic_load(&account->committed);
		sure = atomic_load(&account->tail_committed);
		copy_file(path, case0);
		copy_file(tail, tail0);
		for (unsigned i = 0; i < rounds; i++, tried++) {
			copy_file(case0, path);
			copy_file(tail0, tail);
			bring_back(tail, size, 1 + rnd(99));
			if (recover_case(path, &r, err, sizeof err)) {
				ok(false, "synced, round %u: %s", i, err);
				break;
			}
			good += good_case(path, sure, committed + GROUP, "synced", i);
			kept += r.events - sure;
			lost += committed - (r.events < committed ? r.events : committed);
		}
		munmap(synced_tail, size);
		fake_remove(path);
	}
	ok(good == tried && tried > 0,
	   "%u of %u: what was synced is there, the rest is a prefix (--sync %s)", good, tried,
	   sync == WRITER_SYNC_EVENT ? "event" : "1");
	diag("%llu later events came with it, %llu did not", (unsigned long long)kept,
	     (unsigned long long)lost);
	free(path), free(tail), free(case0), free(tail0);
}

int msync(void *addr, size_t len, int flags)
{
	uint64_t committed = atomic_load(&account->committed);
	char name[64];

	(void)addr, (void)len, (void)flags;
	/* the recorder's own tail: its fd is the only one of that length */
	for (int fd = 3; synced_size && fd < 20; fd++) {
		struct stat st;

		snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
		if (stat(name, &st) == 0 && (size_t)st.st_size == synced_size)
			tail_synced(fd, committed);
	}
	return 0;
}

/* The library's calls come here first; a child can be made to hang in one of them. */
static unsigned hang_at;

int fdatasync(int fd)
{
	uint64_t committed = atomic_load(&account->committed);
	struct stat st;

	if (hang_at && --hang_at == 0 && fstat(fd, &st) == 0) {
		atomic_store(&account->unsynced, (uint64_t)st.st_size);
		pause();
	}
	if (fstat(fd, &st) == 0)
		atomic_store(&account->synced, (uint64_t)st.st_size);
	tail_synced(fd, committed);
	return 0;
}

/* Power lost between an append and the end of its fdatasync: any pages of it may be missing. */
static void append_lost(unsigned rounds)
{
	char *path = fake_path("append.frz");
	unsigned good = 0;
	uint64_t torn = 0;

	for (unsigned i = 0; i < rounds; i++) {
		uint64_t committed, from, to, at;
		struct recover_result r;
		pid_t pid;
		int fd;

		atomic_store(&account->unsynced, 0);
		hang_at =
			3 + i % 5; /* GENESIS is synced twice; 3 is the first segment, or a tick */
		pid = start_recorder(path, WRITER_SYNC_SEGMENT);
		hang_at = 0;
		while (!atomic_load(&account->unsynced))
			usleep(500);
		usleep(2000);
		kill(pid, SIGKILL);
		reap(pid);
		committed = atomic_load(&account->committed);
		from = atomic_load(&account->synced);
		to = atomic_load(&account->unsynced);
		fd = open(path, O_RDWR);
		if (i % 3 == 0 && ftruncate(fd, (off_t)(from + rnd((unsigned)(to - from)))))
			bail_out("ftruncate");
		for (at = from; i % 3 && at < to; at = (at | 4095) + 1) {
			uint64_t n = (at | 4095) + 1 < to ? (at | 4095) + 1 - at : to - at;
			static const uint8_t zero[4096];

			if (rnd(i % 3) == 0 && pwrite(fd, zero, n, (off_t)at) < 0)
				bail_out("pwrite");
		}
		close(fd);
		if (recover_case(path, &r, err, sizeof err))
			ok(false, "append lost, round %u: %s", i, err);
		else
			good += good_case(path, committed, committed + GROUP, "append lost", i);
		torn += r.torn_bytes;
		fake_remove(path);
	}
	ok(good == rounds && torn > 0,
	   "%u of %u: an append that did not reach the disk is made again from the tail", good,
	   rounds);
	free(path);
}

static void behind_the_seal(void)
{
	char *path = fake_path("sealed.frz");
	struct recover_result r;
	uint64_t n, whole;
	FILE *f;
	int byte;

	kill_recorder(path, WRITER_SYNC_SEGMENT, 0);
	is_int(recover_case(path, &r, err, sizeof err), 0, "a sealed case");
	whole = size_of(path);
	f = fopen(path, "a");
	fputs("W*M\030 more", f);
	fclose(f);
	n = size_of(path);
	ok(recover_case(path, &r, err, sizeof err) == -1 && size_of(path) == n,
	   "  with something behind it: %s", err);
	if (truncate(path, (off_t)whole))
		bail_out("truncate");
	f = fopen(path, "r+");
	fseek(f, (long)whole - 20, SEEK_SET);
	byte = fgetc(f);
	fseek(f, (long)whole - 20, SEEK_SET);
	fputc(byte ^ 1, f);
	fclose(f);
	n = size_of(path);
	ok(recover_case(path, &r, err, sizeof err) == -1 && size_of(path) == n,
	   "  with a damaged seal: %s", err);
	fake_remove(path);
	free(path);
}

int main(void)
{
	bool full = getenv("FREC_FULL") != NULL;

	account = mmap(NULL, sizeof *account, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		       -1, 0);
	if (account == MAP_FAILED)
		bail_out("mmap");
	seed = getenv("FREC_SEED") ? (unsigned)atoi(getenv("FREC_SEED")) : (unsigned)getpid();
	diag("FREC_SEED=%u", seed);
	recorder_killed(full ? 1000 : 30);
	recovery_killed(full ? 300 : 10);
	recovery_cut_short(full);
	recovery_lost(full ? 2000 : 100);
	tail_destroyed();
	tail_nonsense();
	not_begun();
	no_room_for_recovery(full);
	torn_case();
	damage_inside();
	behind_the_seal();
	wrong_tails();
	append_lost(full ? 300 : 15);
	power_lost(full ? 50 : 2, full ? 200 : 15);
	synced_stays(WRITER_SYNC_SECONDS, full ? 20 : 1, full ? 100 : 20);
	synced_stays(WRITER_SYNC_EVENT, full ? 20 : 2, full ? 100 : 15);
	fake_cleanup();
	return tap_done();
}
