/*
 * recover.c - scan, plan, cut, append, tidy (recover.h).
 *
 * - A live recorder keeps the case locked. Where the file system knows no locks, the pid in
 *   the tail tells whether it lives.
 * - The end of a case is torn when a block or frame is cut short, or when it does not hold
 *   its hashes, the recorder's tail is there, and nothing whole follows: a half is reused only
 *   after its segment was on disk, so what is cut is in the tail. Any other damage is not
 *   for us to cut away.
 * - Nothing of a tail that cannot be read, for whatever reason, is given up here: the error says
 *   so. What was read and does not hold its checksums, or makes no sense, is given up, and the case
 *   says so.
 */
#include "recover_private.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "genesis.h"
#include "guardian.h"
#include "procinfo.h"
#include "unfinished.h"

#define LOCK_TRIES   40 /* 50 ms apart: a guardian may outlive its frec by a moment */
#define CHUNK	     (64u << 10)
#define SMALL_APPEND (64u << 10) /* a TICK, a RECOVERY, a SEAL without its index */

int recover_fail(struct recovery *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(r->err, r->err_cap, fmt, ap);
	va_end(ap);
	return -1;
}

/* ---- scan ---- */

static int lock_case(struct recovery *r)
{
	const struct timespec pause = { 0, 50000000 };
	struct stat st;

	r->fd = open(r->path, O_RDWR | O_CLOEXEC);
	if (r->fd < 0)
		return recover_fail(r, "%s: cannot be opened for writing: %s", r->path,
				    strerror(errno));
	if (fstat(r->fd, &st) || !S_ISREG(st.st_mode))
		return recover_fail(r, "%s: is no regular file", r->path);
	for (int i = 0; flock(r->fd, LOCK_EX | LOCK_NB); i++) {
		if (errno == ENOLCK || errno == EOPNOTSUPP || errno == ENOSYS || errno == EINVAL)
			return 0;
		if (errno != EWOULDBLOCK)
			return recover_fail(r, "%s: cannot be locked: %s", r->path,
					    strerror(errno));
		if (i == LOCK_TRIES)
			return recover_fail(r, "%s: is being written; stop that frec first",
					    r->path);
		nanosleep(&pause, NULL);
	}
	return 0;
}

static void take_text(const struct frz_block *b, enum frz_key key, char *out, size_t cap)
{
	const uint8_t *p;
	size_t n;

	if (frz_field_bytes(b, key, &p, &n))
		snprintf(out, cap, "%.*s", (int)n, (const char *)p);
}

static int not_begun(struct recovery *r)
{
	return recover_fail(
		r,
		"%s: frec ended before the first block was whole: nothing was recorded, and "
		"there is nothing to finish",
		r->path);
}

/* False: no memory. */
static bool take_block(struct recovery *r, const struct frz_case_item *it)
{
	struct append *a = &r->append;
	const uint8_t *hash;
	size_t n;

	switch (it->type) {
	case FRZ_GENESIS:
		memcpy(r->genesis_link, it->block.link, FRZ_HASH_LEN);
		take_text(&it->block, FRZ_K_BOOT_ID, r->recorded_boot, sizeof r->recorded_boot);
		r->last = (struct moment){ it->at.mono_ns, it->at.real_ns };
		return true;
	case FRZ_SEGMENT:
		r->placed_lost += it->segment.lost;
		r->last = (struct moment){ it->segment.last.mono_ns, it->segment.last.real_ns };
		a->segments++;
		a->events += it->segment.events;
		return append_index(a, it->block.offset, it->segment.events);
	case FRZ_RECOVERY:
		r->earlier_segments = a->segments;
		r->earlier_events = a->events;
		if (frz_field_bytes(&it->block, FRZ_K_TAIL_SHA256, &hash, &n))
			memcpy(r->earlier_tail, hash, FRZ_HASH_LEN);
		return true;
	default:
		return true;
	}
}

static int scan(struct recovery *r)
{
	struct frz_case *c = NULL;
	struct frz_case_item it;
	int ret = 0;

	r->scan = frz_case_open(r->path, 0, &c, &r->fault);
	if (r->scan == FRZ_E_NOT_FRZ)
		return not_begun(r);
	if (!c)
		return recover_fail(r, "%s: %s", r->path, r->fault.what);
	while ((r->scan = frz_case_next(c, &it, &r->fault)) == FRZ_OK && !ret)
		if (!take_block(r, &it))
			ret = recover_fail(r, "out of memory");
	frz_case_head(c, &r->head);
	frz_case_close(c);
	if (!ret && r->head.blocks == 0 && r->scan == FRZ_E_TRUNCATED)
		ret = not_begun(r);
	if (!ret && (r->scan == FRZ_E_IO || r->scan == FRZ_E_NOMEM))
		ret = recover_fail(r, "%s: %s", r->path, r->fault.what);
	if (!ret && r->head.sealed && r->scan != FRZ_END)
		ret = recover_fail(r,
				   "%s: is sealed, and what stands behind the seal is damaged: "
				   "block %" PRIu64 " at offset %" PRIu64
				   ": %s; nothing was changed",
				   r->path, r->fault.block, r->fault.offset, r->fault.what);
	if (!ret && r->head.blocks == 0)
		ret = recover_fail(r,
				   "%s: there is no whole GENESIS at its start, "
				   "so there is no case to finish: %s",
				   r->path, r->fault.what);
	return ret;
}

int recover_hash_range(struct recovery *r, uint64_t from, uint64_t to, struct frz_sha256 *h,
		       bool *zeros, bool *later)
{
	static uint8_t buf[CHUNK + 32];
	uint64_t at = from;
	size_t kept = 0;

	if (zeros)
		*zeros = true;
	if (later)
		*later = false;
	while (at < to) {
		size_t want = to - at < CHUNK ? (size_t)(to - at) : CHUNK;
		ssize_t n = pread(r->fd, buf + kept, want, (off_t)at);

		if (n <= 0)
			return recover_fail(r, "%s: cannot be read at offset %" PRIu64 ": %s",
					    r->path, at, n ? strerror(errno) : "it became shorter");
		frz_sha256_add(h, buf + kept, (size_t)n);
		at += (uint64_t)n;
		n += (ssize_t)kept;
		for (ssize_t i = 0; zeros && i < n; i++)
			*zeros &= buf[i] == 0;
		for (ssize_t i = 0; later && i + 32 <= n; i++) {
			uint64_t here = at - (uint64_t)(n - i);

			*later |= here > from && frz_get32(buf + i) == FRZ_BLOCK_MAGIC &&
				  !memcmp(buf + i + 8, "frz", 3) && frz_get64(buf + i + 24) == here;
		}
		kept = later ? (n < 31 ? (size_t)n : 31) : 0;
		memmove(buf, buf + n - kept, kept);
	}
	return 0;
}

/* ---- the tail ---- */

static bool recorder_lives(const struct recovery *r)
{
	struct proc_stat p;

	return !strcmp(r->t.head.boot_id, r->boot) && r->t.head.pid <= INT32_MAX &&
	       r->t.head.pid != (uint64_t)getpid() && proc_stat((pid_t)r->t.head.pid, &p) &&
	       p.start_ticks == r->t.head.start_ticks && p.state != 'Z' && p.state != 'X';
}

/* A recorder that was stopped while it made its tail had recorded nothing: what it leaves is
 * empty, or zeros. Also finds out whether the tail can be read at all, as looking at
 * a page of the map that cannot be would end us. */
static int look_at_tail(struct recovery *r, bool *unmade)
{
	uint8_t buf[4096];
	uint64_t at = 0;
	ssize_t n;

	*unmade = r->head.blocks == 1;
	while ((n = pread(r->tail.fd, buf, sizeof buf, (off_t)at)) > 0) {
		for (ssize_t i = 0; i < n && *unmade; i++)
			*unmade = buf[i] == 0;
		at += (uint64_t)n;
	}
	if (n < 0)
		return recover_fail(r, "%s: cannot be read at offset %" PRIu64 ": %s", r->tail.path,
				    at, strerror(errno));
	return 0;
}

/* Whatever is in the tail, what is made of it is a case that can be read. */
static int cut_nonsense(struct recovery *r)
{
	struct frz_decoder *d = frz_decoder_new();

	if (!d)
		return recover_fail(r, "out of memory");
	frz_tail_cut_nonsense(&r->t, d);
	frz_decoder_free(d);
	return 0;
}

static int read_tail(struct recovery *r)
{
	const char *why = NULL;
	enum frz_err err;
	bool unmade;

	if (!tail_open(&r->tail, r->path, &r->no_tail, r->err, r->err_cap))
		return r->no_tail ? 0 : -1;
	if (look_at_tail(r, &unmade))
		return -1;
	if (unmade) {
		if (tail_remove(&r->tail))
			return recover_fail(r, "%s: cannot be removed: %s", r->tail.path,
					    strerror(errno));
		tail_close(&r->tail);
		r->no_tail = true;
		return 0;
	}
	if (r->tail.size < FRZ_TAIL_PAGE)
		return recover_fail(
			r, "%s: is no tail file; move it away to finish the case without it",
			r->tail.path);
	err = frz_tail_parse(r->tail.map, r->tail.size, r->genesis_link, r->head.segments,
			     r->head.events, &r->t, &why);
	if (err == FRZ_E_FOREIGN)
		return recover_fail(
			r,
			"%s: belongs to another case; move it away to finish this one without it",
			r->tail.path);
	if (err)
		return recover_fail(r, "%s: %s; move it away to finish the case without it",
				    r->tail.path, why);
	if (recorder_lives(r))
		return recover_fail(r,
				    "%s: is being written by process %" PRIu64 "; stop that first",
				    r->path, r->t.head.pid);
	return cut_nonsense(r);
}

/* What does not hold its hashes behind the last whole block: was it on its way to the disk
 * when the power went? Then there is a tail beside it, and it is no more than one append. */
static bool unsynced(const struct recovery *r, bool zeros)
{
	return !r->no_tail &&
	       (zeros || r->t.npending || r->torn_bytes <= SMALL_APPEND + r->append.index.len);
}

/* What is behind the last whole block: may it be cut? */
static int look_at_end(struct recovery *r)
{
	struct frz_sha256 h;
	bool zeros, later;

	frz_sha256_init(&h);
	frz_sha256_peek(&h, r->torn_sha256);
	r->torn_bytes = r->head.file_bytes - r->head.bytes;
	if (r->torn_bytes) {
		if (recover_hash_range(r, r->head.bytes, r->head.file_bytes, &h, &zeros, &later))
			return -1;
		frz_sha256_peek(&h, r->torn_sha256);
		if (later || (r->scan != FRZ_E_TRUNCATED && !unsynced(r, zeros)))
			return recover_fail(
				r,
				"%s: block %" PRIu64 " at offset %" PRIu64
				": %s: that is damage and no torn "
				"end, so nothing was changed; fanalyze --allow-damaged reads it",
				r->path, r->fault.block, r->fault.offset, r->fault.what);
	}
	/* an earlier run cut, and was stopped before its RECOVERY was whole */
	if (r->t.has_journal && r->t.journal.offset == r->head.bytes) {
		r->torn_bytes = r->t.journal.torn_bytes;
		memcpy(r->torn_sha256, r->t.journal.torn_sha256, FRZ_HASH_LEN);
	}
	return 0;
}

/* ---- cut and append ---- */

static int not_written(struct recovery *r)
{
	if (errno == ENOSPC || errno == EDQUOT || errno == EFBIG)
		return recover_fail(
			r,
			"%s: no room for the %zu bytes that finish it: %s; make room and run it "
			"again",
			r->path, r->out.len, strerror(errno));
	return recover_fail(
		r, "%s: the %zu bytes that finish it cannot be written: %s; run it again later",
		r->path, r->out.len, strerror(errno));
}

/* Blocks behind the end of the file, not yet part of it: 0 also where that cannot be had. */
static int ask_for_room(struct recovery *r)
{
	if (fallocate(r->fd, FALLOC_FL_KEEP_SIZE, (off_t)r->head.bytes, (off_t)r->out.len) == 0 ||
	    errno == EOPNOTSUPP || errno == ENOSYS || errno == EINTR)
		return 0;
	return not_written(r);
}

static int cut(struct recovery *r)
{
	struct frz_tail_journal j = { .offset = r->head.bytes, .torn_bytes = r->torn_bytes };

	if (r->head.file_bytes == r->head.bytes)
		return 0;
	if (r->no_tail) {
		struct frz_tail_head h = { 0 };

		memcpy(h.genesis_link, r->genesis_link, FRZ_HASH_LEN);
		memcpy(h.case_id, r->head.case_id, sizeof h.case_id);
		if (!tail_create(&r->tail, r->path, &h, r->err, r->err_cap))
			return -1;
		r->no_tail = false;
	}
	memcpy(j.torn_sha256, r->torn_sha256, FRZ_HASH_LEN);
	frz_tail_put_journal(r->tail.map, &j);
	if (tail_sync(&r->tail, r->tail.map, FRZ_TAIL_PAGE))
		return recover_fail(r, "%s: cannot be written: %s", r->tail.path, strerror(errno));
	if (ftruncate(r->fd, (off_t)r->head.bytes) || fdatasync(r->fd))
		return recover_fail(r, "%s: cannot be cut to %" PRIu64 " bytes: %s", r->path,
				    r->head.bytes, strerror(errno));
	return 0;
}

static int append_all(struct recovery *r)
{
	size_t done = 0;

	for (size_t i = 0; i < r->nblocks; i++) {
		while (done < r->end[i]) {
			ssize_t n = pwrite(r->fd, r->out.p + done, r->end[i] - done,
					   (off_t)(r->head.bytes + done));

			if (n < 0 && errno == EINTR)
				continue;
			if (n < 0)
				goto fail;
			done += (size_t)n;
		}
		if (fdatasync(r->fd))
			goto fail;
	}
	return 0;
fail:
	not_written(r);
	if (ftruncate(r->fd, (off_t)r->head.bytes))
		return recover_fail(r, "%s: cannot be written, nor cut back: %s", r->path,
				    strerror(errno));
	return -1;
}

static int finish(struct recovery *r, struct recover_result *res)
{
	if (r->scan == FRZ_END) {
		res->was_sealed = true;
		res->events = r->head.events;
		res->bytes = r->head.bytes;
		memcpy(res->head, r->head.seal_link, FRZ_HASH_LEN);
		if (r->t.npending && !recover_told_already(r))
			return recover_fail(r,
					    "%s: the case is sealed, and yet there are %" PRIu64
					    " events here that it "
					    "lacks; it is left where it is",
					    r->tail.path, r->t.half[0].events);
	} else {
		if (look_at_end(r) || recover_plan(r, res) || ask_for_room(r) || cut(r) ||
		    ask_for_room(r) || append_all(r))
			return -1;
		res->torn_bytes = r->torn_bytes;
		res->tail_unusable = r->t.unusable;
		res->damage = r->t.damage;
	}
	if (r->tail.map && r->t.head.affinity_bytes >= sizeof(struct guardian_area) &&
	    !strcmp(r->t.head.boot_id, r->boot))
		res->masks_restored =
			guardian_restore((void *)(r->tail.map + FRZ_TAIL_PAGE)).restored;
	if (r->tail.map && tail_remove(&r->tail))
		return recover_fail(r, "%s: the case is whole, but this cannot be removed: %s",
				    r->tail.path, strerror(errno));
	return 0;
}

int recover_case(const char *path, struct recover_result *res, char *err, size_t err_cap)
{
	struct recovery r = {
		.path = path, .fd = -1, .tail = TAIL_NONE, .err = err, .err_cap = err_cap
	};
	sigset_t old;
	int ret = -1;

	memset(res, 0, sizeof *res);
	tail_signals_block(&old);
	if (!genesis_boot_id(r.boot))
		recover_fail(&r, "/proc/sys/kernel/random/boot_id: %s", strerror(errno));
	else if (!lock_case(&r) && !scan(&r) && !read_tail(&r))
		ret = finish(&r, res);
	if (r.fd >= 0 && close(r.fd) && ret == 0)
		ret = recover_fail(&r, "%s: cannot be closed: %s", path, strerror(errno));
	tail_close(&r.tail);
	append_release(&r.append);
	free(r.out.p);
	tail_signals_restore(&old);
	return ret;
}

int recover_run(const char *path, bool quiet)
{
	struct recover_result r;
	char err[600], hex[FRZ_HEX_LEN];

	if (recover_case(path, &r, err, sizeof err)) {
		fprintf(stderr, "frec: %s\n", err);
		return 1;
	}
	if (r.tail_unusable)
		fprintf(stderr, "frec: %s: %" PRIu64 " bytes of the tail could not be used: %s\n",
			path, r.tail_unusable, r.damage);
	if (quiet)
		return 0;
	if (r.masks_restored)
		fprintf(stderr, "frec: CPU masks of %u threads put back\n", r.masks_restored);
	frz_hex(r.head, FRZ_HASH_LEN, hex);
	if (r.was_sealed)
		fprintf(stderr,
			"frec: %s: is sealed already, nothing to recover; %" PRIu64 " events\n",
			path, r.events);
	else
		fprintf(stderr,
			"frec: %s: recovered; %" PRIu64 " events, %" PRIu64
			" of them from the tail; %" PRIu64 " torn bytes cut off; %" PRIu64
			" bytes\n",
			path, r.events, r.tail_events, r.torn_bytes, r.bytes);
	fprintf(stderr, "frec: seal %s\n", hex);
	return 0;
}
