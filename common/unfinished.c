/*
 * unfinished.c - copies and checks the tail of a case that has no SEAL.
 *
 * - The writer stores records, then `committed`; it empties a half (committed 0) once its
 *   segment is on disk, and only then opens it anew, under a generation two higher. So a half
 *   is read `committed` first. And the generations of both are read before and after: when
 *   they are the same, the older half, if it has anything, was complete all the while.
 * - What a half held that was emptied is in the case, which is read afterwards.
 */
#include "unfinished.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define COPIES	  200		   /* a half lasts many times as long as its copy takes */
#define CLOCK_MAX (UINT64_MAX / 4) /* ns: 146 years of uptime, or the year 2116 */

bool frz_unfinished_init(struct frz_unfinished *u, const char *case_path)
{
	*u = (struct frz_unfinished){ 0 };
	u->path = malloc(strlen(case_path) + sizeof(".tail"));
	if (u->path)
		strcpy(stpcpy(u->path, case_path), ".tail");
	return u->path != NULL;
}

void frz_unfinished_release(struct frz_unfinished *u)
{
	free(u->path);
	free(u->mem);
	*u = (struct frz_unfinished){ 0 };
}

/* ---- the copy ---- */

static bool refuse(struct frz_unfinished *u, const char *why)
{
	snprintf(u->why, sizeof(u->why), "%s", why);
	return false;
}

static bool read_at(struct frz_unfinished *u, int fd, uint8_t *to, size_t at, size_t n)
{
	while (n) {
		ssize_t r = pread(fd, to, n, (off_t)at);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return refuse(u, strerror(errno));
		if (r == 0)
			return refuse(u, "the tail became shorter while it was read");
		to += r;
		at += (size_t)r;
		n -= (size_t)r;
	}
	return true;
}

/* Into the copy, at the same place. */
static bool take(struct frz_unfinished *u, int fd, size_t at, size_t n)
{
	return read_at(u, fd, u->mem + at, at, n);
}

static bool make_room(struct frz_unfinished *u, size_t n)
{
	uint8_t *bigger;

	if (n <= u->cap)
		return true;
	bigger = calloc(1, n);
	if (!bigger)
		return refuse(u, "out of memory");
	if (u->mem)
		memcpy(bigger, u->mem, u->cap);
	free(u->mem);
	u->mem = bigger;
	u->cap = n;
	return true;
}

/* The head, and room for the rest. */
static bool take_head(struct frz_unfinished *u, int fd, struct frz_tail_head *h)
{
	const char *why = NULL;
	struct stat st;
	size_t n;

	if (fstat(fd, &st) != 0)
		return refuse(u, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return refuse(u, "it is no regular file");
	n = st.st_size < (off_t)FRZ_TAIL_PAGE ? (size_t)st.st_size : FRZ_TAIL_PAGE;
	if (!make_room(u, FRZ_TAIL_PAGE) || !take(u, fd, 0, n))
		return false;
	if (frz_tail_parse_head(u->mem, n, h, &why) != FRZ_OK)
		return refuse(u, why);
	u->len = frz_tail_size(h);
	if ((uintmax_t)st.st_size < u->len)
		return refuse(u, "the tail is shorter than its head says");
	return make_room(u, u->len);
}

static bool generations(struct frz_unfinished *u, int fd, const struct frz_tail_head *h,
			uint64_t g[FRZ_TAIL_HALVES])
{
	uint8_t b[sizeof(*g)];

	for (unsigned i = 0; i < FRZ_TAIL_HALVES; i++) {
		if (!read_at(u, fd, b, frz_tail_half_offset(h, i), sizeof(b)))
			return false;
		g[i] = frz_get64(b);
	}
	return true;
}

static bool take_half(struct frz_unfinished *u, int fd, const struct frz_tail_head *h, unsigned i)
{
	size_t at = frz_tail_half_offset(h, i);
	uint64_t committed;

	/* in two steps: committed is there before the records up to it are looked at */
	if (!take(u, fd, at, FRZ_TAIL_PAGE))
		return false;
	committed = frz_get64(u->mem + at + FRZ_TAIL_P_COMMITTED);
	if (committed > h->half_bytes)
		committed = h->half_bytes;
	return take(u, fd, at + FRZ_TAIL_PAGE, (size_t)committed);
}

static bool copy(struct frz_unfinished *u, int fd)
{
	uint64_t before[FRZ_TAIL_HALVES], after[FRZ_TAIL_HALVES];
	struct frz_tail_head h;

	if (!take_head(u, fd, &h))
		return false;
	for (unsigned n = 0; h.half_bytes && n < COPIES; n++) {
		if (!generations(u, fd, &h, before))
			return false;
		for (unsigned i = 0; i < FRZ_TAIL_HALVES; i++)
			if (!take_half(u, fd, &h, i))
				return false;
		if (!generations(u, fd, &h, after))
			return false;
		if (memcmp(before, after, sizeof(before)) == 0)
			return true;
	}
	return h.half_bytes ? refuse(u, "it changes faster than it can be copied") : true;
}

void frz_unfinished_copy(struct frz_unfinished *u)
{
	int fd;

	u->copied = u->readable = false;
	u->why[0] = '\0';
	u->events = 0;
	/* O_NONBLOCK: a FIFO of that name is refused and not waited for */
	fd = open(u->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW);
	u->present = fd >= 0 || errno != ENOENT;
	if (fd < 0) {
		if (u->present)
			refuse(u, strerror(errno));
		return;
	}
	u->copied = copy(u, fd);
	close(fd);
}

/* A half's page up to here tells everything that is new. */
#define PAGE_TELLS (FRZ_TAIL_P_LOST + 8)

static bool half_moved(const struct frz_unfinished *u, int fd, size_t at)
{
	uint8_t now[PAGE_TELLS];

	return pread(fd, now, sizeof(now), (off_t)at) != (ssize_t)sizeof(now) ||
	       memcmp(now, u->mem + at, sizeof(now)) != 0;
}

bool frz_unfinished_moved(const struct frz_unfinished *u)
{
	int fd = open(u->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW);
	uint8_t page[FRZ_TAIL_PAGE];
	struct frz_tail_head h;
	bool moved = false;
	const char *why;
	ssize_t n;

	if (fd < 0)
		return u->present != (errno != ENOENT);
	if (u->copied && frz_tail_parse_head(u->mem, u->len, &h, &why) == FRZ_OK) {
		for (unsigned i = 0; i < FRZ_TAIL_HALVES && h.half_bytes; i++)
			moved |= half_moved(u, fd, frz_tail_half_offset(&h, i));
	} else {
		/* what could not be copied may be a tail now */
		n = pread(fd, page, sizeof(page), 0);
		moved = n > 0 && frz_tail_parse_head(page, (size_t)n, &h, &why) == FRZ_OK;
	}
	close(fd);
	return moved;
}

/* ---- what of it the case lacks ---- */

/* What is not kept of halves i and later. */
static void cut(struct frz_tail *t, unsigned i, const char *damage)
{
	for (unsigned k = i; k < t->nhalves; k++)
		t->unusable += t->half[k].usable;
	t->nhalves = i;
	if (!t->damage)
		t->damage = damage;
}

static void cut_beyond_bounds(struct frz_tail *t)
{
	for (unsigned i = 0; i < t->nhalves; i++) {
		const struct frz_tail_half *h = &t->half[i];

		if (h->mono > CLOCK_MAX || h->real > CLOCK_MAX || h->lost > CLOCK_MAX)
			cut(t, i, "numbers in it are beyond all bounds");
	}
	if (t->unplaced > CLOCK_MAX)
		t->unplaced = CLOCK_MAX;
}

/* The number of segments in front of the half that begins with this event; 0: there is none. */
static uint64_t segments_before(const struct frz_unfinished *u, const uint8_t link[FRZ_HASH_LEN],
				uint64_t first_event)
{
	struct frz_tail t;
	const char *why;

	if (frz_tail_parse(u->mem, u->len, link, 0, 0, &t, &why) != FRZ_OK)
		return 0;
	for (unsigned i = 0; i < t.npending; i++)
		if (t.half[i].first_event == first_event)
			return t.half[i].generation - 1;
	return 0;
}

void frz_unfinished_fit(struct frz_unfinished *u, const uint8_t link[FRZ_HASH_LEN],
			uint64_t segments, uint64_t events)
{
	const char *why = NULL;

	u->readable = false;
	u->events = 0;
	u->tail = (struct frz_tail){ 0 };
	if (!u->copied)
		return;
	if (segments == FRZ_SEGMENTS_UNKNOWN)
		segments = segments_before(u, link, events + 1);
	if (frz_tail_parse(u->mem, u->len, link, segments, events, &u->tail, &why) != FRZ_OK) {
		u->tail = (struct frz_tail){ 0 };
		refuse(u, why);
		return;
	}
	u->readable = true;
	cut_beyond_bounds(&u->tail);
	for (unsigned i = 0; i < u->tail.nhalves; i++)
		u->events += u->tail.half[i].events;
	snprintf(u->why, sizeof(u->why), "%s", u->tail.damage ? u->tail.damage : "");
}

/* ---- records ---- */

void frz_half_begin(struct frz_half_cur *c, const struct frz_tail_half *half, struct frz_decoder *d)
{
	*c = (struct frz_half_cur){ .half = half, .seq = half->first_event };
	frz_decoder_begin_loose(d);
}

enum frz_err frz_half_next(struct frz_half_cur *c, struct frz_decoder *d, struct frz_record *rec)
{
	struct frz_tail_entry e;
	struct frz_cur one;
	enum frz_err err;

	if (frz_tail_next(c->half, &c->at, &e) != FRZ_OK)
		return FRZ_END;
	if (FRZ_REC_TIMED(e.rec[0]) && (e.mono_ns > CLOCK_MAX || e.dur_ns > e.mono_ns))
		return FRZ_E_CORRUPT;
	one = frz_cur_of(e.rec, e.len);
	err = frz_decoder_feed(d, &one, c->seq, e.mono_ns, e.dur_ns, rec);
	if (err == FRZ_OK && frz_cur_left(&one))
		err = FRZ_E_CORRUPT;
	if (err == FRZ_OK)
		c->seq += rec->seq != 0;
	return err;
}

void frz_tail_cut_nonsense(struct frz_tail *t, struct frz_decoder *d)
{
	cut_beyond_bounds(t);
	for (unsigned i = 0; i < t->nhalves; i++) {
		struct frz_tail_half *h = &t->half[i];
		struct frz_half_cur c;
		struct frz_record rec;
		enum frz_err err;
		uint64_t at;

		frz_half_begin(&c, h, d);
		while (at = c.at, (err = frz_half_next(&c, d, &rec)) == FRZ_OK)
			;
		if (err == FRZ_END)
			continue;
		cut(t, i + 1, FRZ_TAIL_NONSENSE);
		t->unusable += h->usable - at;
		t->damage = FRZ_TAIL_NONSENSE;
		h->usable = at;
		h->events = c.seq - h->first_event;
		t->nhalves = i + (at > 0);
		return;
	}
}

/* ---- who writes ---- */

enum frz_writer frz_case_writer(const char *case_path)
{
	int fd = open(case_path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	enum frz_writer w = FRZ_WRITER_UNKNOWN;

	if (fd < 0)
		return w;
	if (flock(fd, LOCK_SH | LOCK_NB) == 0)
		w = FRZ_WRITER_NONE;
	else if (errno == EWOULDBLOCK)
		w = FRZ_WRITER_AT_WORK;
	close(fd);
	return w;
}
