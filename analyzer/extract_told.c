/*
 * extract_told.c - declarations of an extract, made when a kept record needs them (contracts in
 * extract_told.h).
 *
 * - Numbers of strings and files are those of the new segment: what nothing kept refers to is
 *   not in it. So are names that the rules replace.
 * - Processes, threads and bindings are declared unless the new segment says the same already:
 *   `out`, a decoder over what was written, knows what a reader of the extract will know, and
 *   checks every record on the way.
 * - A BIND that belongs to an event which is left out is told later as what it then is, the fd
 *   met without its opening having been seen. An UNBIND is told when the record that gives
 *   its time is kept.
 */
#include <stdlib.h>
#include <string.h>

#include "extract_told.h"

#define COMM_CUT 15 /* a comm of this length can have been cut by the kernel */

void told_failed(struct extract_records *e, enum frz_err err)
{
	if (e->err == FRZ_OK)
		e->err = err;
}

/* ---- numbers of the original to numbers of the extract ---- */

static uint32_t number_get(const struct numbers *n, uint64_t i) { return i < n->cap ? n->v[i] : 0; }

static void number_set(struct extract_records *e, struct numbers *n, uint64_t i, uint32_t v)
{
	if (i >= n->cap) {
		size_t cap = (size_t)i * 2 + 64;
		uint32_t *more = realloc(n->v, cap * sizeof(*more));

		if (!more) {
			told_failed(e, FRZ_E_NOMEM);
			return;
		}
		memset(more + n->cap, 0, (cap - n->cap) * sizeof(*more));
		n->v = more;
		n->cap = cap;
	}
	n->v[i] = v;
}

static void forget(struct numbers *n)
{
	if (n->v)
		memset(n->v, 0, n->cap * sizeof(*n->v));
}

void told_forget(struct extract_records *e)
{
	for (int m = 0; m < MODES; m++)
		forget(&e->strings[m]);
	forget(&e->files);
	frz_decoder_begin_loose(e->out);
	e->bytes = e->declared = 0;
}

/* ---- one record out ---- */

/* What stands in e->rec; *got is what a reader makes of it. */
static void put_record(struct extract_records *e, uint64_t mono, uint64_t dur,
		       struct frz_record *got)
{
	struct frz_cur c = frz_cur_of(e->rec.p, e->rec.len);
	enum frz_err err = e->rec.full ? FRZ_E_SPACE : FRZ_OK;

	memset(got, 0, sizeof(*got));
	if (e->err != FRZ_OK)
		return;
	if (err == FRZ_OK)
		err = frz_packer_add(e->packer, e->rec.p, e->rec.len, mono, dur);
	if (err == FRZ_OK)
		err = frz_decoder_feed(e->out, &c, 0, mono, dur, got);
	e->bytes += e->rec.len;
	e->declared += !FRZ_REC_TIMED((unsigned)got->type);
	if (err != FRZ_OK)
		told_failed(e, err);
	e->rec.len = 0;
	e->rec.full = false;
}

void told_record(struct extract_records *e, enum frz_rec type, uint64_t mono, uint64_t dur)
{
	struct frz_record got;

	frz_enc_record(&e->rec, type, &e->body);
	put_record(e, mono, dur, &got);
	e->body.len = 0;
	e->body.full = false;
}

/* ---- declarations ---- */

uint32_t told_string(struct extract_records *e, uint64_t number, enum mode mode)
{
	uint32_t known = number_get(&e->strings[mode], number);
	struct frz_str s = frz_dec_string(e->in, number);
	enum rules_result res;
	struct frz_record got;
	size_t n;
	bool cut;

	if (!number || known || e->err != FRZ_OK)
		return known;
	res = rules_apply(e->rules, s.p, s.len, s.cut || (mode == AS_COMM && s.len >= COMM_CUT),
			  &e->text);
	if (res == RULES_NOMEM) {
		told_failed(e, FRZ_E_NOMEM);
		return 0;
	}
	n = e->text.n > FRZ_STRING_MAX ? FRZ_STRING_MAX : e->text.n;
	cut = s.cut || n < e->text.n;
	/* how long it was before is not told of what was replaced */
	frz_enc_string(&e->rec, e->text.p, n, cut, res == RULES_CHANGED ? 0 : s.true_len);
	put_record(e, 0, 0, &got);
	number_set(e, &e->strings[mode], number, got.u.number);
	return got.u.number;
}

/* Bytes of an address, other than a Unix socket's, that are numbers. What a program has behind
 * them, out of its memory, or in addresses of other families, can be anything. */
static size_t address_len(unsigned family)
{
	static const struct {
		unsigned family;
		size_t len;
	} known[] = {
		{ 2, 8 },   /* AF_INET: port, address */
		{ 10, 28 }, /* AF_INET6 */
		{ 16, 12 }, /* AF_NETLINK */
		{ 17, 12 }, /* AF_PACKET, without the hardware's address */
		{ 40, 12 }, /* AF_VSOCK */
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (known[i].family == family)
			return known[i].len;
	return 2;
}

size_t told_sockaddr(struct extract_records *e, const uint8_t *p, size_t n, uint8_t *dst)
{
	unsigned family = n >= 2 ? frz_get16(p) : 0;
	bool abstract = n > 3 && p[2] == 0;
	size_t start = abstract ? 3 : 2, len = n;
	enum rules_result res;

	if (e->rules && family != FRZ_AF_UNIX && len > address_len(family))
		len = address_len(family);
	if (len)
		memcpy(dst, p, len);
	if (!e->rules || n < 3 || family != FRZ_AF_UNIX)
		return len;
	/* an abstract name can hold NULs; behind the one that ends another stands nothing of it */
	len = abstract ? n - start : strnlen((const char *)p + start, n - start);
	res = rules_apply_list(e->rules, p + start, len, n >= FRZ_SUN_MAX, &e->text);
	if (res == RULES_NOMEM) {
		told_failed(e, FRZ_E_NOMEM);
		return 0;
	}
	len = e->text.n < UINT16_MAX - start - 1 ? e->text.n : UINT16_MAX - start - 1;
	if (len)
		memcpy(dst + start, e->text.p, len);
	if (!abstract && strnlen((const char *)p + start, n - start) < n - start)
		dst[start + len++] = 0;
	return start + len;
}

uint32_t told_file(struct extract_records *e, uint64_t number)
{
	uint32_t known = number_get(&e->files, number);
	const struct frz_file *of = frz_dec_file(e->in, number);
	struct frz_record got;
	struct frz_file f;

	if (!of || known || e->err != FRZ_OK)
		return known;
	f = *of;
	f.path = told_string(e, f.path, AS_TEXT);
	f.owner_name = told_string(e, f.owner_name, AS_TEXT);
	f.group_name = told_string(e, f.group_name, AS_TEXT);
	if (f.mask & FRZ_F_SOCK) {
		struct frz_sock *s = &f.sock;
		uint8_t *local = e->sock, *peer = e->sock + UINT16_MAX;

		s->local_len = (uint16_t)told_sockaddr(e, s->local, s->local_len, local);
		s->local = local;
		s->peer_len = (uint16_t)told_sockaddr(e, s->peer, s->peer_len, peer);
		s->peer = peer;
	}
	frz_enc_file(&e->rec, &f);
	put_record(e, 0, 0, &got);
	number_set(e, &e->files, number, got.u.number);
	return got.u.number;
}

void told_proc(struct extract_records *e, uint32_t pid)
{
	const struct frz_dproc *p = frz_dec_proc(e->in, pid), *q;
	uint32_t comm, exe;

	if (!p)
		return;
	comm = told_string(e, p->comm, AS_COMM);
	exe = told_string(e, p->exe, AS_TEXT);
	q = frz_dec_proc(e->out, pid);
	if (q && q->ppid == p->ppid && q->start == p->start && q->uid == p->uid &&
	    q->comm == comm && q->exe == exe)
		return;
	frz_buf_varint(&e->body, p->pid);
	frz_buf_varint(&e->body, p->ppid);
	frz_buf_varint(&e->body, p->start);
	frz_buf_varint(&e->body, p->uid);
	frz_buf_varint(&e->body, comm);
	frz_buf_varint(&e->body, exe);
	told_record(e, FRZ_R_PROC, 0, 0);
}

void told_thread(struct extract_records *e, uint32_t tid)
{
	const struct frz_dthread *t = frz_dec_thread(e->in, tid), *q;
	uint32_t comm;

	if (!t)
		return;
	told_proc(e, t->pid);
	comm = told_string(e, t->comm, AS_COMM);
	q = frz_dec_thread(e->out, tid);
	if (q && q->pid == t->pid && q->table == t->table && q->comm == comm)
		return;
	frz_buf_varint(&e->body, t->tid);
	frz_buf_varint(&e->body, t->pid);
	frz_buf_varint(&e->body, t->table);
	frz_buf_varint(&e->body, comm);
	told_record(e, FRZ_R_THREAD, 0, 0);
}

/* how: as the extract can say it. */
static void put_bind(struct extract_records *e, const struct frz_dbind *b, unsigned how)
{
	uint32_t file = told_file(e, b->file);

	frz_buf_varint(&e->body, b->table);
	frz_buf_varint(&e->body, (uint64_t)b->fd);
	frz_buf_varint(&e->body, b->instance);
	frz_buf_varint(&e->body, file);
	frz_buf_varint(&e->body, how);
	frz_buf_varint(&e->body, b->parent);
	frz_buf_zigzag(&e->body, b->flags);
	frz_buf_zigzag(&e->body, b->position);
	told_record(e, FRZ_R_BIND, 0, 0);
	if (e->err == FRZ_OK && !map_set(&e->told, b->instance, 1))
		told_failed(e, FRZ_E_NOMEM);
}

/* Of an instance whose BIND is not one of the record at hand. */
static unsigned how_now(const struct extract_records *e, uint64_t instance)
{
	unsigned how = map_get(&e->how, instance);

	if (map_get(&e->told, instance))
		return FRZ_B_RESTATE;
	/* only these say nothing of an event that may be missing */
	return how == FRZ_B_ATTACH || how == FRZ_B_INHERIT ? how : FRZ_B_FIRST_USE;
}

void told_bind(struct extract_records *e, uint64_t instance)
{
	const struct frz_dbind *b = frz_dec_instance(e->in, instance), *q;

	if (!b || !instance)
		return;
	q = frz_dec_instance(e->out, instance);
	if (q && q->table == b->table && q->fd == b->fd &&
	    q->file == number_get(&e->files, b->file))
		return;
	put_bind(e, b, how_now(e, instance));
}

/* ---- bindings as they come ---- */

void told_take_bind(struct extract_records *e, const struct frz_dbind *b)
{
	if (!map_get(&e->how, b->instance) &&
	    !map_set(&e->how, b->instance, b->how ? (uint32_t)b->how : FRZ_B_RESTATE))
		told_failed(e, FRZ_E_NOMEM);
	if (e->npending == e->cap_pending) {
		size_t cap = e->cap_pending * 2 + 64;
		struct frz_dbind *more = realloc(e->pending, cap * sizeof(*more));

		if (!more) {
			told_failed(e, FRZ_E_NOMEM);
			return;
		}
		e->pending = more;
		e->cap_pending = cap;
	}
	e->pending[e->npending++] = *b;
}

void told_pending(struct extract_records *e, const struct extract_filter *x)
{
	for (size_t i = 0; i < e->npending; i++) {
		const struct frz_dbind *b = &e->pending[i];
		const struct frz_dbind *now = frz_dec_bind(e->in, b->table, b->fd);
		const struct frz_file *f = frz_dec_file(e->in, b->file);

		if (!now || now->instance != b->instance)
			continue; /* ended already */
		if (!extract_path_fits(x, frz_dec_string(e->in, f ? f->path : 0)))
			continue; /* told when it is needed */
		put_bind(e, b,
			 b->how == FRZ_B_RESTATE ? how_now(e, b->instance) : (unsigned)b->how);
	}
}

void told_take_unbind(struct extract_records *e, const struct frz_dbind *b)
{
	const struct frz_dbind *q = frz_dec_bind(e->out, b->table, b->fd);

	if (!q || q->instance != b->instance)
		put_bind(e, b, FRZ_B_RESTATE);
	frz_buf_varint(&e->body, b->table);
	frz_buf_varint(&e->body, (uint64_t)b->fd);
	told_record(e, FRZ_R_UNBIND, 0, 0);
}
