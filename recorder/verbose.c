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

#include "clock.h"
#include "describe.h"
#include "detail.h"
#include "procinfo.h"

#define TOLD 4096

struct kept {
	struct kept *next;
	uint8_t rec[];
};

struct verbose {
	struct frz_decoder *dec;
	struct frz_desc desc;
	struct kept *kept;   /* declarations of this segment: the decoder points into them */
	int64_t real_offset; /* CLOCK_REALTIME - CLOCK_MONOTONIC at the segment's start */
	uint64_t told[TOLD]; /* instances whose file was told since they were last looked at */
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

static const char *escaped(char *out, size_t cap, struct frz_str s)
{
	frz_escape(s.p, s.len, out, cap);
	return out;
}

static void print_name(struct verbose *v, uint32_t name, uint32_t id)
{
	struct frz_str s = frz_dec_string(v->dec, name);

	if (s.len)
		fprintf(stderr, "%s", escaped(v->comm, sizeof(v->comm), s));
	else
		fprintf(stderr, "%" PRIu32, id);
}

static void print_socket(const struct frz_sock *k)
{
	const char *family = frz_family_name(k->family), *type = frz_socktype_name(k->type & 0xf);
	char addr[300];

	fprintf(stderr, " {%s/%s", family ? family : "?", type ? type : "?");
	if (k->local_len) {
		frz_sockaddr_text(k->local, k->local_len, addr, sizeof(addr));
		fprintf(stderr, "%s %s", k->type & FRZ_SOCK_LISTENS ? " listens" : "", addr);
	}
	if (k->peer_len) {
		frz_sockaddr_text(k->peer, k->peer_len, addr, sizeof(addr));
		fprintf(stderr, " > %s", addr);
	}
	fputc('}', stderr);
}

static void print_file(struct verbose *v, const struct frz_file *f)
{
	const uint32_t need = FRZ_F_MODE | FRZ_F_OWNER | FRZ_F_SIZE | FRZ_F_MTIME;
	char when[FRZ_TIME_MAX];
	struct frz_str path = frz_dec_string(v->dec, f->path);

	if ((f->mask & need) != need || !path.len || path.p[0] != '/')
		return; /* pipes, eventfds and the like have nothing to tell */
	frz_time_text(f->mtime.sec, FRZ_WHOLE_SECOND, when);
	fprintf(stderr, " {%s %04o ", frz_file_kind(f, path), f->mode & 07777);
	print_name(v, f->owner_name, f->uid);
	fputc(':', stderr);
	print_name(v, f->group_name, f->gid);
	fprintf(stderr, " size=%" PRIu64 " mtime=%s}", f->size, when);
}

/*
 * What stands behind a descriptor. A socket's addresses each time; owner, mode, size and time of a
 * file when it was just opened or looked at again, for later they would be those of another moment.
 */
static void print_instance(struct verbose *v, uint64_t instance)
{
	const struct frz_dbind *b = instance ? frz_dec_instance(v->dec, instance) : NULL;
	const struct frz_file *f = b ? frz_dec_file(v->dec, b->file) : NULL;

	if (!f)
		return;
	if (f->mask & FRZ_F_SOCK) {
		print_socket(&f->sock);
		return;
	}
	if (v->told[instance % TOLD] == instance)
		return;
	v->told[instance % TOLD] = instance;
	print_file(v, f);
}

/* sendfile(to, from): the arrow points where the bytes go. */
static const char *arrow(const struct frz_sysent *e)
{
	return e && e->write_slot >= 0 && e->write_slot < e->read_slot ? "<-" : "->";
}

/* The descriptor that path2 is the path of; 0 when it is that of none. */
static uint64_t second_instance(const struct verbose *v, const struct frz_call *call)
{
	const struct frz_desc *d = &v->desc;
	struct frz_cur atts = call->atts;
	struct frz_attachment a;

	while (frz_att_next(&atts, &a)) {
		uint64_t instance = 0;
		int32_t fd;

		if (a.kind == FRZ_A_FD)
			instance = frz_att_instance(v->dec, call, &a, &fd);
		if (instance && instance != d->instance &&
		    frz_path_of_instance(v->dec, instance).p == d->path2.p)
			return instance;
	}
	return 0;
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
		t ? escaped(v->comm, sizeof(v->comm), frz_dec_string(v->dec, t->comm)) : "?",
		call->tid, who, d->name);
	if (d->fd >= 0)
		fprintf(stderr, " fd=%d", d->fd);
	if (d->path.len)
		fprintf(stderr, " %s", escaped(v->path, sizeof(v->path), d->path));
	print_instance(v, d->instance);
	if (d->path2.len) {
		fprintf(stderr, " %s %s", arrow(d->ent),
			escaped(v->path, sizeof(v->path), d->path2));
		print_instance(v, second_instance(v, call));
	}
	if (d->detail[0])
		fprintf(stderr, " %s", d->detail);
	if (!d->returned)
		fprintf(stderr, " = ?\n");
	else if (d->err)
		fprintf(stderr, " = %s\n", d->err);
	else
		fprintf(stderr, " = %" PRId64 "\n", call->ret);
}

void verbose_tap(void *arg, const uint8_t *rec, size_t len, uint64_t mono_ns, uint64_t dur_ns,
		 bool new_segment)
{
	struct verbose *v = arg;
	struct frz_cur c;
	struct frz_record r;

	if (new_segment) {
		frz_decoder_begin_loose(v->dec);
		drop_kept(v);
		v->real_offset = (int64_t)(clock_ns(CLOCK_REALTIME) - now_ns());
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
	if (r.type == FRZ_R_BIND && v->told[r.u.bind.instance % TOLD] == r.u.bind.instance)
		v->told[r.u.bind.instance % TOLD] = 0;
	if (r.type == FRZ_R_SYSCALL || r.type == FRZ_R_URING)
		print_call(v, &r);
}
