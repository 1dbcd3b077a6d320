/*
 * record.c - fuzzes the record decoder: the input as a segment's raw bytes, then as loose
 * records. Everything that a caller may read of a record is read.
 */
#include <stdlib.h>

#include "casefile.h"
#include "record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile unsigned sink;

static void touch(struct frz_str s)
{
	for (uint32_t i = 0; i < s.len; i++)
		sink += s.p[i];
}

static void touch_file(const struct frz_decoder *d, uint64_t number)
{
	const struct frz_file *f = frz_dec_file(d, number);

	if (!f)
		return;
	touch(frz_dec_string(d, f->path));
	touch(frz_dec_string(d, f->owner_name));
	touch((struct frz_str){ .p = f->sock.local, .len = f->sock.local_len });
	touch((struct frz_str){ .p = f->sock.peer, .len = f->sock.peer_len });
}

static void use_call(const struct frz_decoder *d, const struct frz_call *c)
{
	struct frz_cur atts = c->atts;
	struct frz_attachment a;
	int32_t fd;

	while (frz_att_next(&atts, &a)) {
		const struct frz_dbind *b = frz_dec_instance(d, frz_att_instance(d, c, &a, &fd));

		if (b)
			touch_file(d, b->file);
		touch((struct frz_str){ .p = a.value.p, .len = (uint32_t)frz_cur_left(&a.value) });
		if (a.kind == FRZ_A_PATH || a.kind == FRZ_A_LIST)
			touch(frz_dec_string(d, frz_take_varint(&a.value)));
		if (a.kind == FRZ_A_FILE || a.kind == FRZ_A_VICTIM)
			touch_file(d, frz_take_varint(&a.value));
	}
	/* checked whole beforehand: iterating cannot fail */
	if (atts.bad)
		abort();
	frz_att_find(c, FRZ_A_PATH, 1, &a);
}

static void use(const struct frz_decoder *d, const struct frz_record *r)
{
	switch ((unsigned)r->type) {
	case FRZ_R_STRING:
	case FRZ_R_STRING_CUT:
		touch(frz_dec_string(d, r->u.number));
		break;
	case FRZ_R_FILE:
		touch_file(d, r->u.number);
		break;
	case FRZ_R_PROC:
		if (frz_dec_proc(d, r->u.proc.pid)->start != r->u.proc.start)
			abort();
		touch(frz_dec_string(d, r->u.proc.exe));
		break;
	case FRZ_R_THREAD:
		if (frz_dec_thread(d, r->u.thread.tid)->table != r->u.thread.table)
			abort();
		break;
	case FRZ_R_BIND:
		if (frz_dec_bind(d, r->u.bind.table, r->u.bind.fd)->instance != r->u.bind.instance)
			abort();
		touch_file(d, r->u.bind.file);
		break;
	case FRZ_R_UNBIND:
		if (frz_dec_bind(d, r->u.bind.table, r->u.bind.fd))
			abort();
		break;
	case FRZ_R_SYSCALL:
	case FRZ_R_URING:
		use_call(d, &r->u.call);
		break;
	default:
		touch((struct frz_str){ .p = r->body.p, .len = (uint32_t)frz_cur_left(&r->body) });
	}
	if (r->dur_ns > r->mono_ns)
		abort();
}

/* A segment of so many events. How it ends, and how many there were. */
static enum frz_err segment(struct frz_decoder *d, const uint8_t *data, size_t size,
			    uint64_t events, uint64_t *seen)
{
	const struct frz_case_segment seg = { .raw_len = size,
					      .first_event = 1,
					      .events = events,
					      .first.mono_ns = 1000,
					      .last.mono_ns = UINT64_MAX };
	enum frz_err err = frz_decoder_begin(d, data, &seg);
	const char *why = NULL;
	struct frz_record rec;

	*seen = 0;
	while (err == FRZ_OK) {
		err = frz_decoder_next(d, &rec, &why);
		if (err == FRZ_OK) {
			use(d, &rec);
			*seen += rec.seq != 0;
		} else if (err < 0 && (!why || !*why)) {
			abort();
		}
	}
	return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct frz_decoder *d;
	struct frz_cur c = frz_cur_of(data, size);
	struct frz_record rec;
	uint64_t events, seen;

	if (!d)
		d = frz_decoder_new();
	if (!d)
		return 0;
	/* more than there can be; then as many as there were, and that many at most must come */
	if (segment(d, data, size, size + 1, &events) == FRZ_END)
		abort();
	segment(d, data, size, events, &seen);
	if (seen != events || (events && segment(d, data, size, events - 1, &seen) == FRZ_END))
		abort();
	frz_decoder_begin_loose(d);
	while (frz_cur_left(&c) && frz_decoder_feed(d, &c, 5, 2000, 100, &rec) == FRZ_OK)
		use(d, &rec);
	return 0;
}
