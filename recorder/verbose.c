/*
 * verbose.c - frec -v (contract in verbose.h). What is printed went through the encoder and
 * the decoder, so it is what the case says, not what the tracer thinks.
 */
#include "verbose.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "describe.h"
#include "procinfo.h"

struct kept { struct kept *next; uint8_t rec[]; };

struct verbose {
	struct frz_decoder *dec;
	struct frz_desc desc;
	struct kept *kept;              /* declarations of this segment: the decoder points into them */
	int64_t real_offset;            /* CLOCK_REALTIME - CLOCK_MONOTONIC at the segment's start */
	char path[4 * 4096 + 16], comm[80];
};

struct verbose *verbose_new(void)
{
	struct verbose *v = calloc(1, sizeof(*v));

	if (!v)
		return NULL;
	v->dec = frz_decoder_new();
	if (!v->dec) {
		free(v);
		return NULL;
	}
	return v;
}

static void drop_kept(struct verbose *v)
{
	while (v->kept) {
		struct kept *next = v->kept->next;

		free(v->kept);
		v->kept = next;
	}
}

void verbose_free(struct verbose *v)
{
	if (!v)
		return;
	drop_kept(v);
	frz_decoder_free(v->dec);
	free(v);
}

static int64_t clock_ns(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return ts.tv_sec * 1000000000ll + ts.tv_nsec;
}

static const char *escaped(char *out, size_t cap, struct frz_str s)
{
	frz_escape(s.p, s.len, out, cap);
	return out;
}

static void print_call(struct verbose *v, const struct frz_record *r)
{
	const struct frz_call *call = &r->u.call;
	const struct frz_dthread *t = frz_dec_thread(v->dec, call->tid);
	const struct frz_dproc *p = t ? frz_dec_proc(v->dec, t->pid) : NULL;
	struct frz_desc *d = &v->desc;
	int64_t entry = (int64_t)(r->mono_ns - r->dur_ns) + v->real_offset;
	time_t sec = (time_t)(entry / 1000000000);
	struct tm tm;
	char when[16], who[24];
	const char *user = p ? user_name(p->uid) : NULL;

	frz_describe(v->dec, r, d);
	gmtime_r(&sec, &tm);
	strftime(when, sizeof(when), "%H:%M:%S", &tm);
	if (user)
		snprintf(who, sizeof(who), "%.20s", user);
	else
		snprintf(who, sizeof(who), "%u", p ? p->uid : 0);
	fprintf(stderr, "%s.%06" PRId64 " %s[%u] %s %s", when, entry % 1000000000 / 1000,
	        t ? escaped(v->comm, sizeof(v->comm), frz_dec_string(v->dec, t->comm)) : "?", call->tid, who, d->name);
	if (d->fd >= 0)
		fprintf(stderr, " fd=%d", d->fd);
	if (d->path.len)
		fprintf(stderr, " %s", escaped(v->path, sizeof(v->path), d->path));
	if (d->path2.len)
		fprintf(stderr, " -> %s", escaped(v->path, sizeof(v->path), d->path2));
	if (d->detail[0])
		fprintf(stderr, " %s", d->detail);
	if (!d->returned)
		fprintf(stderr, " = ?\n");
	else if (d->err)
		fprintf(stderr, " = %s\n", d->err);
	else
		fprintf(stderr, " = %" PRId64 "\n", call->ret);
}

void verbose_tap(void *arg, const uint8_t *rec, size_t len, uint64_t mono_ns, uint64_t dur_ns, bool new_segment)
{
	struct verbose *v = arg;
	struct frz_cur c;
	struct frz_record r;

	if (new_segment) {
		frz_decoder_begin_loose(v->dec);
		drop_kept(v);
		v->real_offset = clock_ns(CLOCK_REALTIME) - clock_ns(CLOCK_MONOTONIC);
	}
	if (!FRZ_REC_TIMED(rec[0])) {
		struct kept *k = malloc(sizeof(*k) + len);

		if (!k)
			return;
		memcpy(k->rec, rec, len);
		k->next = v->kept;
		v->kept = k;
		rec = k->rec;
	}
	c = frz_cur_of(rec, len);
	if (frz_decoder_feed(v->dec, &c, 0, mono_ns, dur_ns, &r) != FRZ_OK) {
		fprintf(stderr, "frec: -v: a record of type 0x%02x does not decode\n", rec[0]);
		return;
	}
	if (r.type == FRZ_R_SYSCALL || r.type == FRZ_R_URING)
		print_call(v, &r);
}
