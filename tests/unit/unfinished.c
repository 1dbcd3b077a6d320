/*
 * unfinished.c - the tail of a case that has no SEAL: a writer that gets on at every moment of a
 * copy, step by step and as a thread; tails that are foreign, cut, out of order or lie about
 * their sizes; who has the case locked.
 */
#include "tap.h"

#include <unistd.h>

/* What is tested, with a hook before each of its reads. */
static ssize_t read_hooked(int fd, void *p, size_t n, off_t at);
#define pread read_hooked
#include "../../common/unfinished.c"
#undef pread

#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <time.h>

#define HALF	     4096u
#define EVENTS_OF(x) ((x) & ((UINT64_C(1) << 40) - 1))

static uint8_t link_of_case[FRZ_HASH_LEN] = { 7, 7, 7 };
static char dir[] = "/tmp/frec-unfinished-XXXXXX", case_path[80], tail_path[90];
static struct frz_tail_head head;
static uint8_t *map;
static size_t size;
static struct frz_decoder *dec;

static void make_tail(void)
{
	int fd;

	if (map)
		munmap(map, size);
	head = (struct frz_tail_head){ .half_bytes = HALF, .affinity_bytes = FRZ_TAIL_PAGE };
	memcpy(head.genesis_link, link_of_case, FRZ_HASH_LEN);
	size = frz_tail_size(&head);
	unlink(tail_path);
	fd = open(tail_path, O_RDWR | O_CREAT | O_EXCL, 0600);
	if (fd < 0 || ftruncate(fd, (off_t)size))
		exit(99);
	map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		exit(99);
	close(fd);
	frz_tail_put_head(map, &head);
}

static uint8_t *page_of(unsigned half) { return map + frz_tail_half_offset(&head, half); }

static _Atomic uint64_t *committed_of(unsigned half)
{
	return (_Atomic uint64_t *)(void *)(page_of(half) + FRZ_TAIL_P_COMMITTED);
}

/* A system call whose argument is its own number, so that no two are the same. */
static size_t put_event(uint8_t *data, size_t at, uint32_t seed, uint64_t seq, bool last)
{
	uint8_t body_mem[64], rec_mem[80];
	struct frz_buf body = { .p = body_mem, .cap = sizeof body_mem };
	struct frz_buf rec = { .p = rec_mem, .cap = sizeof rec_mem };
	size_t n;

	frz_buf_varint(&body, 5);     /* tid */
	frz_buf_varint(&body, 4 * 8); /* lseek */
	frz_buf_varint(&body, 0);     /* flags */
	frz_buf_zigzag(&body, (int64_t)seq);
	frz_buf_varint(&body, 0);
	frz_enc_record(&rec, FRZ_R_SYSCALL, &body);
	n = frz_tail_put_entry(data, at, seed, rec.p, rec.len, 1000 + seq, 3);
	if (last)
		frz_tail_mark_last(data, at);
	return n;
}

/* Events first..first+n-1 in groups of two, all at once. */
static void fill(unsigned half, uint64_t generation, uint64_t first, unsigned n)
{
	uint32_t seed = frz_tail_seed(link_of_case, generation);
	size_t at = 0;

	frz_tail_put_half(page_of(half), link_of_case, generation, first, 900, 1700000000);
	for (unsigned i = 0; i < n; i++)
		at += put_event(page_of(half) + FRZ_TAIL_PAGE, at, seed, first + i,
				i % 2 || i + 1 == n);
	atomic_store(committed_of(half), at);
}

/* Reads what fits. Number of events, or -1 when they are not first, first + 1, ... */
static int64_t read_events(const struct frz_unfinished *u, uint64_t first)
{
	uint64_t seq = first;

	for (unsigned i = 0; i < u->tail.nhalves; i++) {
		struct frz_half_cur c;
		struct frz_record rec;
		enum frz_err err;

		frz_half_begin(&c, &u->tail.half[i], dec);
		while ((err = frz_half_next(&c, dec, &rec)) == FRZ_OK) {
			if (rec.type != FRZ_R_SYSCALL || rec.seq != seq ||
			    rec.u.call.ret != (int64_t)seq || rec.mono_ns != 1000 + seq)
				return -1;
			seq++;
		}
		if (err != FRZ_END)
			return -1;
	}
	return seq - first == u->events ? (int64_t)(seq - first) : -1;
}

/* ---- a writer at work ---- */

static _Atomic uint64_t in_case;   /* segments << 40 | events */
static _Atomic uint64_t published; /* events committed anywhere */
static atomic_bool stop;

/* What recorder/writer.c and its helper do, in the order in which they do it. */
static struct {
	unsigned half;
	uint64_t generation, seq, pending, pending_events;
	size_t at;
} w;

static void open_half(void)
{
	uint8_t *page = page_of(w.half);

	w.at = 0;
	frz_put64(page + FRZ_TAIL_P_LOST, 0);
	frz_tail_put_half(page, link_of_case, w.generation, w.seq, 900, 1700000000);
}

static void start_writer(void)
{
	make_tail();
	memset(&w, 0, sizeof w);
	w.generation = w.seq = 1;
	atomic_store(&in_case, 0);
	atomic_store(&published, 0);
	open_half();
}

/* The READY half into the case, and emptied. */
static void append(void)
{
	atomic_store(&in_case, w.pending << 40 | w.pending_events);
	atomic_store_explicit(committed_of(w.half ^ 1), 0, memory_order_release);
	w.pending = 0;
}

/* A group of two; now and then a half changes hands. */
static void step(void)
{
	uint8_t *data = page_of(w.half) + FRZ_TAIL_PAGE;
	uint32_t seed = frz_tail_seed(link_of_case, w.generation);

	if (HALF - w.at < 200) {
		if (w.pending) {
			append();
			return;
		}
		w.pending = w.generation++;
		w.pending_events = w.seq - 1;
		w.half ^= 1;
		open_half();
		return;
	}
	w.at += put_event(data, w.at, seed, w.seq, false);
	w.at += put_event(data, w.at, seed, w.seq + 1, true);
	w.seq += 2;
	atomic_store_explicit(committed_of(w.half), w.at, memory_order_release);
	atomic_store(&published, w.seq - 1);
	/* the other half goes into the case somewhere in the middle of this */
	if (w.pending && w.at > w.generation % 4 * 1300)
		append();
}

static struct {
	unsigned copies, two, some, wrong, behind, unusable, unready;
} seen;

/* One look as a reader takes it. */
static void look(struct frz_unfinished *u)
{
	uint64_t least = atomic_load(&published), is;
	int64_t n;

	frz_unfinished_copy(u);
	is = atomic_load(&in_case);
	frz_unfinished_fit(u, link_of_case, is >> 40, EVENTS_OF(is));
	seen.copies++;
	if (!u->readable) {
		seen.unready++;
		return;
	}
	n = read_events(u, EVENTS_OF(is) + 1);
	seen.wrong += n < 0;
	seen.unusable += u->tail.unusable != 0;
	seen.behind += n >= 0 && EVENTS_OF(is) + (uint64_t)n < least;
	seen.some += n > 0;
	seen.two += u->tail.nhalves == 2;
}

static void report(const char *what)
{
	diag("%u copies: %u with events, %u over two halves, %u not to be had", seen.copies,
	     seen.some, seen.two, seen.unready);
	ok(seen.some > 20, "%s: copies", what);
	is_int(seen.wrong, 0, "  every event once, in order, as it was put");
	is_int(seen.unusable, 0, "  nothing that cannot be read");
	is_int(seen.behind, 0, "  nothing missing that was committed before");
	memset(&seen, 0, sizeof seen);
}

static unsigned hook_at, hook_steps; /* before which read, counted down; how many steps */

static ssize_t read_hooked(int fd, void *p, size_t n, off_t at)
{
	if (hook_at && --hook_at == 0)
		while (hook_steps) {
			hook_steps--;
			step();
		}
	return pread(fd, p, n, at);
}

/* The writer gets on by 1 to 100 steps, three halves' worth, before each read of a copy. */
static void between_reads(void)
{
	struct frz_unfinished u;

	if (!frz_unfinished_init(&u, case_path))
		exit(99);
	for (unsigned at = 1; at <= 9; at++)
		for (unsigned before = 0; before < 100; before += 9)
			for (unsigned steps = 1; steps < 100; steps += 3) {
				start_writer();
				for (unsigned i = 0; i < before; i++)
					step();
				hook_at = at;
				hook_steps = steps;
				look(&u);
				hook_at = 0; /* there was no such read */
			}
	is_int(seen.unready, 0, "every copy could be made");
	report("a writer that gets on within a copy");
	frz_unfinished_release(&u);
}

static void *writer(void *arg)
{
	(void)arg;
	while (!atomic_load(&stop))
		step();
	return NULL;
}

static void beside_a_writer(void)
{
	struct frz_unfinished u;
	struct timespec t;
	pthread_t thread;
	uint64_t end;

	start_writer();
	if (!frz_unfinished_init(&u, case_path) || pthread_create(&thread, NULL, writer, NULL))
		exit(99);
	clock_gettime(CLOCK_MONOTONIC, &t);
	end = (uint64_t)t.tv_sec + 2;
	do {
		look(&u);
		clock_gettime(CLOCK_MONOTONIC, &t);
	} while ((uint64_t)t.tv_sec < end);
	atomic_store(&stop, true);
	pthread_join(thread, NULL);
	report("beside a writer");
	frz_unfinished_release(&u);
}

/* ---- tails that are not what they should be ---- */

static int64_t events_of(struct frz_unfinished *u, uint64_t segments, uint64_t events)
{
	frz_unfinished_copy(u);
	frz_unfinished_fit(u, link_of_case, segments, events);
	return u->readable ? read_events(u, events + 1) : -2;
}

static void misfits(void)
{
	struct frz_unfinished u;
	uint8_t other[FRZ_HASH_LEN] = { 1 };

	if (!frz_unfinished_init(&u, case_path))
		exit(99);
	make_tail();
	is_int(events_of(&u, 0, 0), 0, "an empty tail");
	fill(1, 4, 31, 10);
	fill(0, 5, 41, 6);
	is_int(events_of(&u, 3, 30), 16, "two halves");
	ok(u.tail.half[0].generation == 4 && !u.tail.unusable && !*u.why, "  in order");
	is_int(events_of(&u, 4, 40), 6, "one of them is in the case");
	is_int(events_of(&u, 5, 46), 0, "both are");
	is_int(events_of(&u, FRZ_SEGMENTS_UNKNOWN, 30), 16,
	       "segments unknown: by the event number");
	is_int(events_of(&u, FRZ_SEGMENTS_UNKNOWN, 40), 6, "  of the second half");
	is_int(events_of(&u, FRZ_SEGMENTS_UNKNOWN, 20), 0, "  which must be the next");
	is_int(events_of(&u, 2, 30), 0, "a segment is missing between");
	ok(u.tail.unusable && strstr(u.why, "missing"), "  and it is said: %s", u.why);
	is_int(events_of(&u, 3, 29), 0, "event numbers that leave a gap");
	ok(u.tail.unusable && strstr(u.why, "do not follow"), "  and it is said: %s", u.why);
	fill(0, 5, 42, 6);
	is_int(events_of(&u, 3, 30), 10, "the same between the halves: the first is read");
	ok(u.tail.unusable && strstr(u.why, "missing"), "  and it is said: %s", u.why);
	fill(0, 5, 41, 6);
	page_of(0)[FRZ_TAIL_PAGE + 100] ^= 1;
	ok(events_of(&u, 3, 30) < 16 && u.tail.unusable && *u.why, "a flipped bit: %s", u.why);
	fill(0, 5, 41, 6);
	frz_tail_put_half(page_of(0), link_of_case, 5, 41, UINT64_MAX, 1);
	is_int(events_of(&u, 3, 30), 10, "a clock beyond all bounds");
	frz_put64(page_of(1) + FRZ_TAIL_P_COMMITTED, UINT64_MAX);
	ok(events_of(&u, 3, 30) >= 0 && u.tail.unusable, "more committed than there is room: %s",
	   u.why);

	make_tail();
	fill(0, 1, 1, 4);
	frz_unfinished_copy(&u);
	frz_unfinished_fit(&u, other, 0, 0);
	ok(u.copied && !u.readable && !u.tail.nhalves && strstr(u.why, "another case"),
	   "another case's tail: %s", u.why);
	if (truncate(tail_path, (off_t)size - 1))
		exit(99);
	ok(events_of(&u, 0, 0) == -2 && strstr(u.why, "shorter"), "cut short: %s", u.why);
	if (truncate(tail_path, 100))
		exit(99);
	ok(events_of(&u, 0, 0) == -2 && *u.why, "nothing but 100 bytes: %s", u.why);
	if (truncate(tail_path, 0))
		exit(99);
	ok(events_of(&u, 0, 0) == -2 && *u.why, "empty: %s", u.why);

	make_tail();
	head.half_bytes = 0xfffff000u;
	frz_tail_put_head(map, &head);
	ok(events_of(&u, 0, 0) == -2 && strstr(u.why, "limit"), "4 GiB claimed: %s", u.why);
	unlink(tail_path);
	is_int(events_of(&u, 0, 0), -2, "no tail");
	ok(!u.present && !*u.why, "  is not there");
	if (mkfifo(tail_path, 0600))
		exit(99);
	ok(events_of(&u, 0, 0) == -2 && u.present && *u.why, "a FIFO: %s", u.why);
	unlink(tail_path);
	if (symlink("/etc/passwd", tail_path))
		exit(99);
	ok(events_of(&u, 0, 0) == -2 && u.present && *u.why, "a symbolic link: %s", u.why);
	unlink(tail_path);
	frz_unfinished_release(&u);
}

/* Checksums that hold over records that do not. */
static void nonsense(void)
{
	static const uint8_t trailing[] = { 0xc8, 1, 0, 9 }, early[] = { 0xc8, 2, 1, 0 };
	struct frz_unfinished u;
	struct frz_half_cur c;
	struct frz_record rec;

	if (!frz_unfinished_init(&u, case_path))
		exit(99);
	for (unsigned i = 0; i < 3; i++) {
		uint32_t seed = frz_tail_seed(link_of_case, 1);
		uint8_t *data;
		size_t at;

		make_tail();
		data = page_of(0) + FRZ_TAIL_PAGE;
		frz_tail_put_half(page_of(0), link_of_case, 1, 1, 1, 1);
		at = put_event(data, 0, seed, 1, true);
		frz_tail_put_entry(data, at, seed, i ? early : trailing, 4, 5, i == 1 ? 6 : 5);
		frz_tail_mark_last(data, at);
		atomic_store(committed_of(0), at + FRZ_TAIL_ENTRY + 4);
		frz_unfinished_copy(&u);
		frz_unfinished_fit(&u, link_of_case, 0, 0);
		frz_half_begin(&c, &u.tail.half[0], dec);
		ok(u.tail.nhalves == 1 && frz_half_next(&c, dec, &rec) == FRZ_OK &&
			   frz_half_next(&c, dec, &rec) == (i == 2 ? FRZ_OK : FRZ_E_CORRUPT),
		   i == 2 ? "a record that is right" :
		   i == 1 ? "a call that began before the clock did" :
			    "a byte behind a record");
	}
	frz_unfinished_release(&u);
}

static void locks(void)
{
	int fd = open(case_path, O_RDWR | O_CREAT, 0600);

	is_int(frz_case_writer(case_path), FRZ_WRITER_NONE, "nobody writes");
	flock(fd, LOCK_EX);
	is_int(frz_case_writer(case_path), FRZ_WRITER_AT_WORK, "the file is locked");
	flock(fd, LOCK_UN);
	is_int(frz_case_writer(case_path), FRZ_WRITER_NONE, "not any more");
	is_int(flock(fd, LOCK_EX | LOCK_NB), 0, "the look leaves no lock behind");
	close(fd);
	unlink(case_path);
	is_int(frz_case_writer(case_path), FRZ_WRITER_UNKNOWN, "no such file");
}

int main(void)
{
	if (!mkdtemp(dir))
		return 99;
	snprintf(case_path, sizeof case_path, "%s/c.frz", dir);
	snprintf(tail_path, sizeof tail_path, "%s.tail", case_path);
	dec = frz_decoder_new();
	between_reads();
	beside_a_writer();
	misfits();
	nonsense();
	locks();
	unlink(tail_path);
	rmdir(dir);
	frz_decoder_free(dec);
	munmap(map, size);
	return tap_done();
}
