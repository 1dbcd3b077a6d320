/*
 * decode.c - records out of a segment's columns and planes (segment.h), or one by one out of
 * loose bytes; and looking up what they declared.
 */
#include <stdlib.h>

#include "casefile.h"
#include "columns.h"
#include "decoder.h"

struct frz_decoder *frz_decoder_new(void)
{
	struct frz_decoder *d = calloc(1, sizeof(*d));

	if (d)
		frz_declared_init(&d->decl);
	return d;
}

void frz_decoder_free(struct frz_decoder *d)
{
	if (!d)
		return;
	frz_declared_release(&d->decl);
	free(d->records);
	free(d);
}

/* Type, length and body of the record at the head of c. */
static enum frz_err frame_of(struct frz_decoder *d, struct frz_cur *c, struct frz_record *out)
{
	unsigned type = frz_take8(c);
	uint64_t len = frz_take_varint(c);
	const uint8_t *p;

	if (type == 0)
		return frz_decoder_corrupt(d, "a record of type 0");
	if (len > FRZ_RECORD_MAX)
		return frz_decoder_corrupt(d, "a record over the length limit");
	p = frz_take(c, len);
	if (!p)
		return frz_decoder_corrupt(d, "a record that reaches beyond the records");
	out->type = (enum frz_rec)type;
	out->seq = out->mono_ns = out->dur_ns = 0;
	out->body = frz_cur_of(p, (size_t)len);
	return FRZ_OK;
}

/* ---- a segment ---- */

static struct frz_cur take_plane(struct frz_cur *c, uint64_t n)
{
	const uint8_t *p = frz_take(c, n);

	return p ? frz_cur_of(p, (size_t)n) : (struct frz_cur){ 0 };
}

/* The records, from their columns, into the decoder's own memory. */
static enum frz_err join(struct frz_decoder *d, struct frz_cur *c, size_t records,
			 const uint64_t len[FRZ_COLUMNS])
{
	const uint8_t *types = frz_take(c, records);
	struct frz_cur col[FRZ_COLUMNS];
	size_t total = records;

	for (unsigned i = 0; i < FRZ_COLUMNS; i++) {
		col[i] = take_plane(c, len[i]);
		total += frz_cur_left(&col[i]);
	}
	if (c->bad)
		return FRZ_E_CORRUPT;
	if (total > d->records_cap) {
		uint8_t *bigger = realloc(d->records, total);

		if (!bigger)
			return FRZ_E_NOMEM;
		d->records = bigger;
		d->records_cap = total;
	}
	if (!frz_columns_join(types, records, col, d->records))
		return FRZ_E_CORRUPT;
	d->r = total ? frz_cur_of(d->records, total) : (struct frz_cur){ 0 };
	return FRZ_OK;
}

enum frz_err frz_decoder_begin(struct frz_decoder *d, const void *raw,
			       const struct frz_case_segment *s)
{
	struct frz_cur c = frz_cur_of(raw, s->raw_len);
	uint64_t n = frz_take_varint(&c), records = frz_take_varint(&c);
	uint64_t g = frz_take_varint(&c), dd = frz_take_varint(&c), len[FRZ_COLUMNS];
	enum frz_err err;

	frz_decoder_begin_loose(d);
	for (unsigned i = 0; i < FRZ_COLUMNS; i++)
		len[i] = frz_take_varint(&c);
	if (c.bad || n > s->raw_len || records > s->raw_len)
		return FRZ_E_CORRUPT;
	err = join(d, &c, (size_t)records, len);
	if (err == FRZ_OK) {
		d->n = frz_take(&c, 2 * n);
		d->a = frz_take(&c, n);
		d->b = frz_take(&c, n);
		d->g = take_plane(&c, g);
		d->d = take_plane(&c, dd);
		if (!frz_used_up(&c))
			err = FRZ_E_CORRUPT;
	}
	if (err != FRZ_OK) {
		frz_decoder_begin_loose(d);
		return err;
	}
	d->timed = (size_t)n;
	d->seq = s->first_event;
	d->end_seq = s->first_event + s->events;
	d->mono = s->first.mono_ns;
	d->last_mono = s->last.mono_ns;
	return FRZ_OK;
}

void frz_decoder_begin_loose(struct frz_decoder *d)
{
	frz_declared_clear(&d->decl);
	d->r = d->g = d->d = (struct frz_cur){ 0 };
	d->timed = d->timed_done = 0;
	d->why = NULL;
}

/* The next time of the planes: segment.h. */
static enum frz_err take_step(struct frz_decoder *d, struct frz_record *out)
{
	size_t i = d->timed_done;
	uint64_t g, high, gap, dur;

	if (i == d->timed)
		return frz_decoder_corrupt(d, "more timed records than times");
	g = frz_take_varint(&d->g);
	high = frz_take_varint(&d->d);
	if (d->g.bad || d->d.bad || g >> 49 || high >> 48)
		return frz_decoder_corrupt(d, "a malformed time");
	gap = (g >> 1) << 16 | (uint64_t)d->a[i] << 8 | d->n[2 * i];
	dur = high << 16 | (uint64_t)d->b[i] << 8 | d->n[2 * i + 1];
	d->timed_done++;
	if (g & 1) {
		int64_t step = frz_unzigzag(gap);

		if (step >= 0 && dur <= (uint64_t)step)
			return frz_decoder_corrupt(d,
						   "a time that should have been told otherwise");
		d->mono += (uint64_t)step;
	} else {
		if (gap > INT64_MAX || dur > INT64_MAX - gap)
			return frz_decoder_corrupt(d, "a time beyond all clocks");
		d->mono += gap + dur;
	}
	if (dur > d->mono)
		return frz_decoder_corrupt(d, "a call that began before the clock did");
	if (d->mono > d->last_mono)
		return frz_decoder_corrupt(d, "a time after the end that its block says");
	out->mono_ns = d->mono;
	out->dur_ns = dur;
	return FRZ_OK;
}

enum frz_err frz_decoder_next(struct frz_decoder *d, struct frz_record *out, const char **why)
{
	enum frz_err err;

	if (frz_cur_left(&d->r) == 0) {
		if (d->timed_done != d->timed || !frz_used_up(&d->g) || !frz_used_up(&d->d))
			*why = "times are left over";
		else if (d->seq != d->end_seq)
			*why = "fewer events than its block says";
		else
			return FRZ_END;
		return FRZ_E_CORRUPT;
	}
	err = frame_of(d, &d->r, out);
	if (err == FRZ_OK && FRZ_REC_TIMED((unsigned)out->type))
		err = take_step(d, out);
	if (err == FRZ_OK && FRZ_REC_EVENT((unsigned)out->type)) {
		if (d->seq == d->end_seq)
			err = frz_decoder_corrupt(d, "more events than its block says");
		else
			out->seq = d->seq++;
	}
	if (err == FRZ_OK)
		err = frz_decode_body(d, out);
	if (err != FRZ_OK)
		*why = d->why;
	return err;
}

enum frz_err frz_decoder_feed(struct frz_decoder *d, struct frz_cur *rec, uint64_t seq,
			      uint64_t mono_ns, uint64_t dur_ns, struct frz_record *out)
{
	enum frz_err err = frame_of(d, rec, out);

	if (err != FRZ_OK)
		return err;
	if (FRZ_REC_TIMED((unsigned)out->type)) {
		out->mono_ns = mono_ns;
		out->dur_ns = dur_ns;
	}
	if (FRZ_REC_EVENT((unsigned)out->type))
		out->seq = seq;
	return frz_decode_body(d, out);
}

/* ---- look-ups ---- */

struct frz_str frz_dec_string(const struct frz_decoder *d, uint64_t number)
{
	if (number == 0 || number > d->decl.nstrings)
		return (struct frz_str){ .p = (const uint8_t *)"" };
	return d->decl.strings[number - 1];
}

const struct frz_file *frz_dec_file(const struct frz_decoder *d, uint64_t number)
{
	if (number == 0 || number > d->decl.files.n)
		return NULL;
	return frz_pool_at(&d->decl.files, (size_t)number - 1);
}

static const void *look_up(const struct frz_pool *pool, const struct frz_map *map, uint64_t a,
			   uint32_t b)
{
	uint32_t i = frz_map_get(map, a, b);

	return i == FRZ_MAP_NONE ? NULL : frz_pool_at(pool, i);
}

const struct frz_dproc *frz_dec_proc(const struct frz_decoder *d, uint32_t pid)
{
	return look_up(&d->decl.procs, &d->decl.by_pid, pid, 0);
}

const struct frz_dthread *frz_dec_thread(const struct frz_decoder *d, uint32_t tid)
{
	return look_up(&d->decl.threads, &d->decl.by_tid, tid, 0);
}

const struct frz_dbind *frz_dec_bind(const struct frz_decoder *d, uint64_t table, int32_t fd)
{
	return fd < 0 ? NULL : look_up(&d->decl.binds, &d->decl.by_fd, table, (uint32_t)fd);
}

const struct frz_dbind *frz_dec_instance(const struct frz_decoder *d, uint64_t instance)
{
	return look_up(&d->decl.binds, &d->decl.by_instance, instance, 0);
}

bool frz_att_next(struct frz_cur *atts, struct frz_attachment *a)
{
	uint64_t tag;
	const uint8_t *p;
	uint64_t n;

	if (frz_cur_left(atts) == 0)
		return false;
	tag = frz_take_varint(atts);
	n = frz_take_varint(atts);
	p = frz_take(atts, n);
	if (!p || tag < 8 || tag >> 3 > INT32_MAX) {
		frz_cur_fail(atts);
		return false;
	}
	a->kind = (enum frz_att)(tag >> 3);
	a->slot = tag & 7;
	a->value = frz_cur_of(p, (size_t)n);
	return true;
}

bool frz_att_find(const struct frz_call *c, enum frz_att kind, unsigned slot,
		  struct frz_attachment *a)
{
	struct frz_cur atts = c->atts;

	while (frz_att_next(&atts, a))
		if (a->kind == kind && a->slot == slot)
			return true;
	return false;
}

uint64_t frz_att_instance(const struct frz_decoder *d, const struct frz_call *c,
			  const struct frz_attachment *a, int32_t *fd)
{
	struct frz_cur v = a->value;
	const struct frz_dthread *t;
	const struct frz_dbind *b;
	int64_t n = -1;

	*fd = -1;
	if (a->kind == FRZ_A_FDNUM) {
		*fd = (int32_t)frz_take_varint(&v);
		return frz_take_varint(&v);
	}
	if (a->kind != FRZ_A_FD)
		return 0;
	if (a->slot == FRZ_SLOT_RET)
		n = c->ret;
	else if (a->slot < 6)
		n = c->arg[a->slot];
	if (n < 0 || n > INT32_MAX)
		return 0;
	*fd = (int32_t)n;
	if (frz_cur_left(&v))
		return frz_take_varint(&v);
	t = frz_dec_thread(d, c->tid);
	b = t ? frz_dec_bind(d, t->table, *fd) : NULL;
	return b ? b->instance : 0;
}
