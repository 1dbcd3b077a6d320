/*
 * extract_write.c - the blocks of an extract, one behind the other (contracts in
 * extract_private.h).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "block.h"
#include "extract_private.h"

#define BLOCK_ROOM 4096 /* of a block's fields beside its texts */

static enum frz_err write_all(struct extract_file *w, const uint8_t *p, size_t n)
{
	frz_sha256_add(&w->sha, p, n);
	w->offset += n;
	while (n) {
		ssize_t done = write(w->fd, p, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return FRZ_E_IO;
		p += done;
		n -= (size_t)done;
	}
	return FRZ_OK;
}

enum frz_err extract_file_open(struct extract_file *w, const char *path)
{
	*w = (struct extract_file){ .path = path };
	frz_sha256_init(&w->sha);
	w->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOCTTY, 0600);
	return w->fd < 0 ? FRZ_E_IO : FRZ_OK;
}

bool extract_file_close(struct extract_file *w, bool keep)
{
	bool good = true;
	int saved;

	if (w->fd >= 0) {
		good = !keep || fdatasync(w->fd) == 0;
		good &= close(w->fd) == 0;
		saved = errno;
		if (!keep || !good)
			unlink(w->path);
		errno = saved;
	}
	free(w->index.p);
	free(w->block.p);
	return good;
}

static bool room(struct frz_buf *b, size_t n)
{
	uint8_t *p;

	if (b->cap - b->len >= n)
		return true;
	p = realloc(b->p, b->len + n + b->cap);
	if (!p)
		return false;
	b->p = p;
	b->cap += b->len + n;
	return true;
}

static enum frz_err begin(struct extract_file *w, struct frz_block_builder *bb,
			  enum frz_block_type type, size_t texts)
{
	w->block.len = 0;
	w->block.full = false;
	if (!room(&w->block, BLOCK_ROOM + texts))
		return FRZ_E_NOMEM;
	frz_block_begin(bb, &w->block, type, w->blocks, w->offset, w->link);
	return FRZ_OK;
}

static enum frz_err finish(struct extract_file *w, struct frz_block_builder *bb)
{
	enum frz_err err = frz_block_finish(bb, w->link);

	if (err != FRZ_OK)
		return err;
	w->blocks++;
	return write_all(w, w->block.p, w->block.len);
}

/* ---- fields taken over ---- */

static uint64_t num(const struct frz_block *blk, enum frz_key key)
{
	uint64_t v = 0;

	frz_field_u64(blk, key, &v);
	return v;
}

static void copy_num(struct frz_block_builder *bb, const struct frz_block *from, enum frz_key key)
{
	uint64_t v;

	if (frz_field_u64(from, key, &v))
		frz_block_u64(bb, key, v);
}

static void copy_bytes(struct frz_block_builder *bb, const struct frz_block *from, enum frz_key key)
{
	const uint8_t *p;
	size_t n;

	if (frz_field_bytes(from, key, &p, &n))
		frz_block_bytes(bb, key, p, n);
}

/* A text field has no NUL within, and one behind it is needed. */
static bool put_text(struct frz_block_builder *bb, enum frz_key key, const void *p, size_t n)
{
	char *s = strndup(p ? p : "", n);

	if (s)
		frz_block_text(bb, key, s);
	free(s);
	return s != NULL;
}

static bool copy_text_as(struct frz_block_builder *bb, enum frz_key as,
			 const struct frz_block *from, enum frz_key key, const struct rules *rules)
{
	struct rules_text t = { .n = 0 };
	const uint8_t *p;
	bool good;
	size_t n;

	if (!frz_field_bytes(from, key, &p, &n))
		return true;
	good = rules_apply(rules, p, n, false, &t) != RULES_NOMEM && put_text(bb, as, t.p, t.n);
	free(t.p);
	return good;
}

static bool copy_text(struct frz_block_builder *bb, const struct frz_block *from, enum frz_key key,
		      const struct rules *rules)
{
	return copy_text_as(bb, key, from, key, rules);
}

static bool copy_list(struct frz_block_builder *bb, const struct frz_block *from, enum frz_key key,
		      const struct rules *rules)
{
	struct rules_text t = { .n = 0 };
	const uint8_t *p;
	bool good;
	size_t n;

	if (!frz_field_bytes(from, key, &p, &n))
		return true;
	good = rules_apply_list(rules, p, n, false, &t) != RULES_NOMEM;
	if (good)
		frz_block_bytes(bb, key, t.p, t.n);
	free(t.p);
	return good;
}

/* ---- GENESIS ---- */

static bool hash_self(uint8_t out[FRZ_HASH_LEN])
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct frz_sha256 h;
	uint8_t buf[16384];
	ssize_t n = -1;

	frz_sha256_init(&h);
	while (fd >= 0 && (n = read(fd, buf, sizeof(buf))) > 0)
		frz_sha256_add(&h, buf, (size_t)n);
	if (fd >= 0)
		close(fd);
	frz_sha256_peek(&h, out);
	return n == 0;
}

static uint64_t now_real(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

enum frz_err extract_put_genesis(struct extract_file *w, const struct frz_block *g,
				 const struct extract_origin *o, const struct rules *rules)
{
	/* every field may become longer by what stands for names: one character by 21 */
	size_t texts = 22 * g->total + sizeof(o->filter) + sizeof(o->left_out);
	struct frz_block_builder bb;
	uint8_t id[16], self[FRZ_HASH_LEN];
	const uint8_t *p;
	bool good;
	size_t n;
	enum frz_err err = begin(w, &bb, FRZ_GENESIS, texts);

	if (err != FRZ_OK)
		return err;
	if (getrandom(id, sizeof(id), 0) != sizeof(id) || !hash_self(self))
		return FRZ_E_IO;
	frz_block_bytes(&bb, FRZ_K_CASE_ID, id, sizeof(id));
	good = copy_text(&bb, g, FRZ_K_EXHIBIT, rules) &&
	       copy_text(&bb, g, FRZ_K_EXAMINER, rules) && copy_text(&bb, g, FRZ_K_NOTE, rules) &&
	       copy_text(&bb, g, FRZ_K_HOSTNAME, rules) &&
	       copy_text(&bb, g, FRZ_K_MACHINE_ID, rules) &&
	       copy_text(&bb, g, FRZ_K_BOOT_ID, NULL) && copy_text(&bb, g, FRZ_K_KERNEL, rules) &&
	       copy_text(&bb, g, FRZ_K_TIMEZONE, rules) &&
	       copy_text(&bb, g, FRZ_K_CLOCK_STATE, rules);
	copy_num(&bb, g, FRZ_K_UID);
	good = good && copy_list(&bb, g, FRZ_K_ARGV, rules);
	frz_block_text(&bb, FRZ_K_RECORDER, "fanalyze " FREC_VERSION " (extract)");
	frz_block_bytes(&bb, FRZ_K_RECORDER_SHA256, self, FRZ_HASH_LEN);
	copy_num(&bb, g, FRZ_K_TICK_SECONDS);
	good = good && copy_text(&bb, g, FRZ_K_RECORDS, rules);
	copy_num(&bb, g, FRZ_K_SNAP);
	copy_num(&bb, g, FRZ_K_CAPABILITIES);
	copy_num(&bb, g, FRZ_K_EUID);
	frz_block_bytes(&bb, FRZ_K_ORIGIN_CASE_ID, o->case_id, sizeof(o->case_id));
	frz_block_bytes(&bb, FRZ_K_ORIGIN_HEAD, o->head, FRZ_HASH_LEN);
	frz_block_text(&bb, FRZ_K_ORIGIN_STATE, o->state);
	frz_block_u64(&bb, FRZ_K_ORIGIN_EVENTS, o->events);
	good = good && copy_text_as(&bb, FRZ_K_ORIGIN_RECORDER, g, FRZ_K_RECORDER, rules);
	if (frz_field_bytes(g, FRZ_K_RECORDER_SHA256, &p, &n))
		frz_block_bytes(&bb, FRZ_K_ORIGIN_RECORDER_SHA256, p, n);
	frz_block_text(&bb, FRZ_K_EXTRACT_FILTER, o->filter);
	if (rules)
		frz_block_bytes(&bb, FRZ_K_EXTRACT_RULES_SHA256, rules_sha256(rules), FRZ_HASH_LEN);
	frz_block_text(&bb, FRZ_K_EXTRACT_LEFT_OUT, o->left_out);
	frz_block_u64(&bb, FRZ_K_EXTRACT_REAL, now_real());
	copy_num(&bb, g, FRZ_K_MONO);
	copy_num(&bb, g, FRZ_K_REAL);
	return good ? finish(w, &bb) : FRZ_E_NOMEM;
}

/* ---- the others ---- */

enum frz_err extract_put_segment(struct extract_file *w, const struct extract_segment *s)
{
	struct frz_block_builder bb;
	uint64_t at = w->offset;
	enum frz_err err = begin(w, &bb, FRZ_SEGMENT, 256);

	if (err != FRZ_OK || !room(&w->index, 2 * FRZ_VARINT_MAX))
		return err != FRZ_OK ? err : FRZ_E_NOMEM;
	if (!copy_text(&bb, s->origin, FRZ_K_BOOT_ID, NULL))
		return FRZ_E_NOMEM;
	frz_block_u64(&bb, FRZ_K_FRAME_BYTES, s->packed->frame_len);
	frz_block_bytes(&bb, FRZ_K_FRAME_SHA256, s->packed->frame_sha256, FRZ_HASH_LEN);
	frz_block_u64(&bb, FRZ_K_RAW_BYTES, s->packed->raw_len);
	frz_block_bytes(&bb, FRZ_K_RAW_SHA256, s->packed->raw_sha256, FRZ_HASH_LEN);
	frz_block_u64(&bb, FRZ_K_FIRST_EVENT, w->events + 1);
	frz_block_u64(&bb, FRZ_K_EVENTS, s->packed->events);
	frz_block_u64(&bb, FRZ_K_LOST, s->lost);
	frz_block_u64(&bb, FRZ_K_FIRST_MONO, s->first.mono_ns);
	frz_block_u64(&bb, FRZ_K_FIRST_REAL, s->first.real_ns);
	frz_block_u64(&bb, FRZ_K_LAST_MONO, s->last.mono_ns);
	frz_block_u64(&bb, FRZ_K_LAST_REAL, s->last.real_ns);
	if (s->recovered)
		frz_block_u64(&bb, FRZ_K_RECOVERED, 1);
	err = finish(w, &bb);
	if (err != FRZ_OK)
		return err;
	frz_buf_varint(&w->index, at - w->last_segment);
	frz_buf_varint(&w->index, s->packed->events);
	w->last_segment = at;
	w->segments++;
	w->events += s->packed->events;
	return write_all(w, s->packed->frame, s->packed->frame_len);
}

enum frz_err extract_put_block(struct extract_file *w, const struct frz_block *blk)
{
	struct frz_block_builder bb;
	enum frz_err err = begin(w, &bb, blk->type, 256);

	if (err != FRZ_OK)
		return err;
	if (!copy_text(&bb, blk, FRZ_K_BOOT_ID, NULL))
		return FRZ_E_NOMEM;
	copy_num(&bb, blk, FRZ_K_MONO);
	copy_num(&bb, blk, FRZ_K_REAL);
	frz_block_u64(&bb, FRZ_K_EVENTS, w->events);
	frz_block_u64(&bb, FRZ_K_LOST, num(blk, FRZ_K_LOST));
	copy_num(&bb, blk, FRZ_K_TORN_BYTES);
	copy_bytes(&bb, blk, FRZ_K_TORN_SHA256);
	copy_num(&bb, blk, FRZ_K_TAIL_BYTES);
	copy_bytes(&bb, blk, FRZ_K_TAIL_SHA256);
	copy_num(&bb, blk, FRZ_K_TAIL_EVENTS);
	w->ticks += blk->type == FRZ_TICK;
	return finish(w, &bb);
}

/* "extract; the original: targets exited" */
static char *end_reason(const char *reason, const struct rules *rules)
{
	struct rules_text t = { .n = 0 };
	char *s = NULL;

	if (!*reason)
		return strdup("extract; the original has no end");
	if (rules_apply(rules, reason, strlen(reason), false, &t) == RULES_NOMEM ||
	    asprintf(&s, "extract; the original: %.*s", (int)t.n, (const char *)t.p) < 0)
		s = NULL;
	free(t.p);
	return s;
}

enum frz_err extract_put_seal(struct extract_file *w, const char *boot_id, const char *reason,
			      const struct rules *rules, struct frz_moment at, uint64_t lost)
{
	struct frz_block_builder bb;
	uint8_t prefix[FRZ_HASH_LEN], head[FRZ_HASH_LEN];
	char *ended = end_reason(reason, rules);
	enum frz_err err = FRZ_E_NOMEM;

	if (ended)
		err = begin(w, &bb, FRZ_SEAL, 256 + strlen(ended) + w->index.len);
	if (err != FRZ_OK) {
		free(ended);
		return err;
	}
	frz_sha256_peek(&w->sha, prefix);
	memcpy(head, w->link, FRZ_HASH_LEN);
	frz_block_text(&bb, FRZ_K_BOOT_ID, boot_id);
	frz_block_u64(&bb, FRZ_K_MONO, at.mono_ns);
	frz_block_u64(&bb, FRZ_K_REAL, at.real_ns);
	frz_block_u64(&bb, FRZ_K_EVENTS, w->events);
	frz_block_u64(&bb, FRZ_K_LOST, lost);
	frz_block_text(&bb, FRZ_K_END_REASON, ended);
	free(ended);
	frz_block_u64(&bb, FRZ_K_SEGMENTS, w->segments);
	frz_block_u64(&bb, FRZ_K_TICKS, w->ticks);
	frz_block_bytes(&bb, FRZ_K_INDEX, w->index.p, w->index.len);
	frz_block_bytes(&bb, FRZ_K_CHAIN_HEAD, head, FRZ_HASH_LEN);
	frz_block_u64(&bb, FRZ_K_PREFIX_BYTES, w->offset);
	frz_block_bytes(&bb, FRZ_K_PREFIX_SHA256, prefix, FRZ_HASH_LEN);
	return finish(w, &bb);
}
