/*
 * extract_records.c - the records of a segment told anew, for those that are kept (contracts
 * in extract_private.h).
 *
 * - Numbers of strings and files are those of the new segment: what nothing kept refers to is
 *   not in it. So are names that the rules replace.
 * - Processes, threads and bindings are declared when a kept record needs them, unless the new
 *   segment says the same already. `out` is a decoder over what was written: it knows what
 *   a reader of the extract will know, and checks every record on the way.
 * - A BIND that belongs to an event which is left out is told later as what it then is, the fd
 *   met without its opening having been seen. An UNBIND is told when the record that gives
 *   its time is kept.
 * - A segment that becomes too long is ended early, and its declarations begin anew.
 */
#include <stdlib.h>
#include <string.h>

#include "extract_private.h"

#define ROOM      (15u << 20)   /* bytes of records in a segment */
#define LONG      (8u << 20)    /* with so many it is ended, */
#define MANY      (FRZ_DECLARED_MAX / 2)        /* or with so many declarations */
#define ZSTD_LEVEL 6
#define BODY_MAX  FRZ_RECORD_MAX
#define COMM_CUT  15            /* a comm of this length can have been cut by the kernel */

enum mode { AS_TEXT, AS_COMM, MODES };

struct numbers { uint32_t *v; size_t cap; };

struct extract_records {
	struct extract_file *w;
	const struct rules *rules;
	const struct frz_decoder *in;
	struct frz_decoder *out;
	struct frz_packer *packer;
	struct numbers strings[MODES], files;
	struct frz_buf body, rec;
	struct rules_text text;
	uint8_t *sock;                  /* two sockaddrs told anew */
	enum frz_err err;               /* sticky, until the segment's end */
	/* the segment under way */
	struct frz_case_item it;
	struct frz_moment first, latest;
	size_t bytes, declared;
	bool open, lost_told;
	/* bindings */
	struct frz_dbind *pending;      /* since the last timed record */
	size_t npending, cap_pending;
	struct map how;                 /* instance: how it came about, 0 not met */
	struct map told;                /* instances that the extract has */
	bool last_kept;                 /* the last timed record */
};

struct extract_records *extract_records_new(struct extract_file *w, const struct rules *rules)
{
	struct extract_records *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	e->w = w;
	e->rules = rules;
	e->out = frz_decoder_new();
	e->packer = frz_packer_new(ROOM, ROOM / 4);
	e->body = (struct frz_buf){ .p = malloc(BODY_MAX), .cap = BODY_MAX };
	e->rec = (struct frz_buf){ .p = malloc(BODY_MAX + 16), .cap = BODY_MAX + 16 };
	e->sock = malloc(2 * (size_t)UINT16_MAX);
	if (e->out && e->packer && e->body.p && e->rec.p && e->sock)
		return e;
	extract_records_free(e);
	return NULL;
}

void extract_records_free(struct extract_records *e)
{
	if (!e)
		return;
	frz_decoder_free(e->out);
	frz_packer_free(e->packer);
	for (int m = 0; m < MODES; m++)
		free(e->strings[m].v);
	free(e->files.v);
	free(e->body.p);
	free(e->rec.p);
	free(e->text.p);
	free(e->sock);
	free(e->pending);
	map_release(&e->how);
	map_release(&e->told);
	free(e);
}

static void failed(struct extract_records *e, enum frz_err err)
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
			failed(e, FRZ_E_NOMEM);
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

/* ---- one record out ---- */

/* What stands in e->rec; *got is what a reader makes of it. */
static void put_record(struct extract_records *e, uint64_t mono, uint64_t dur, struct frz_record *got)
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
		failed(e, err);
	e->rec.len = 0;
	e->rec.full = false;
}

/* What stands in e->body, as a record of this type. */
static void put_body(struct extract_records *e, enum frz_rec type, uint64_t mono, uint64_t dur)
{
	struct frz_record got;

	frz_enc_record(&e->rec, type, &e->body);
	put_record(e, mono, dur, &got);
	e->body.len = 0;
	e->body.full = false;
}

/* ---- declarations ---- */

static uint32_t out_string(struct extract_records *e, uint64_t number, enum mode mode)
{
	uint32_t known = number_get(&e->strings[mode], number);
	struct frz_str s = frz_dec_string(e->in, number);
	enum rules_result res;
	struct frz_record got;
	size_t n;
	bool cut;

	if (!number || known || e->err != FRZ_OK)
		return known;
	res = rules_apply(e->rules, s.p, s.len, s.cut || (mode == AS_COMM && s.len >= COMM_CUT), &e->text);
	if (res == RULES_NOMEM) {
		failed(e, FRZ_E_NOMEM);
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

/* A sockaddr told anew into dst (UINT16_MAX bytes): the name of a Unix socket is a name. */
static size_t out_sockaddr(struct extract_records *e, const uint8_t *p, size_t n, uint8_t *dst)
{
	bool abstract = n > 3 && p[2] == 0;
	size_t start = abstract ? 3 : 2, len;

	if (n)
		memcpy(dst, p, n);
	if (!e->rules || n < 4 || frz_get16(p) != 1 /* AF_UNIX */)
		return n;
	len = abstract ? n - start : strnlen((const char *)p + start, n - start);
	switch (rules_apply(e->rules, p + start, len, n >= 110, &e->text)) {
	case RULES_SAME:
		return n;
	case RULES_NOMEM:
		failed(e, FRZ_E_NOMEM);
		return 0;
	case RULES_CHANGED:
		break;
	}
	len = e->text.n < UINT16_MAX - start - 1 ? e->text.n : UINT16_MAX - start - 1;
	memcpy(dst + start, e->text.p, len);
	if (!abstract)
		dst[start + len++] = 0;
	return start + len;
}

static uint32_t out_file(struct extract_records *e, uint64_t number)
{
	uint32_t known = number_get(&e->files, number);
	const struct frz_file *of = frz_dec_file(e->in, number);
	struct frz_record got;
	struct frz_file f;

	if (!of || known || e->err != FRZ_OK)
		return known;
	f = *of;
	f.path = out_string(e, f.path, AS_TEXT);
	f.owner_name = out_string(e, f.owner_name, AS_TEXT);
	f.group_name = out_string(e, f.group_name, AS_TEXT);
	if (f.mask & FRZ_F_SOCK) {
		f.sock.local_len = (uint16_t)out_sockaddr(e, f.sock.local, f.sock.local_len, e->sock);
		f.sock.local = e->sock;
		f.sock.peer_len = (uint16_t)out_sockaddr(e, f.sock.peer, f.sock.peer_len, e->sock + UINT16_MAX);
		f.sock.peer = e->sock + UINT16_MAX;
	}
	frz_enc_file(&e->rec, &f);
	put_record(e, 0, 0, &got);
	number_set(e, &e->files, number, got.u.number);
	return got.u.number;
}

static void out_proc(struct extract_records *e, uint32_t pid)
{
	const struct frz_dproc *p = frz_dec_proc(e->in, pid), *q;
	uint32_t comm, exe;

	if (!p)
		return;
	comm = out_string(e, p->comm, AS_COMM);
	exe = out_string(e, p->exe, AS_TEXT);
	q = frz_dec_proc(e->out, pid);
	if (q && q->ppid == p->ppid && q->start == p->start && q->uid == p->uid && q->comm == comm && q->exe == exe)
		return;
	frz_buf_varint(&e->body, p->pid);
	frz_buf_varint(&e->body, p->ppid);
	frz_buf_varint(&e->body, p->start);
	frz_buf_varint(&e->body, p->uid);
	frz_buf_varint(&e->body, comm);
	frz_buf_varint(&e->body, exe);
	put_body(e, FRZ_R_PROC, 0, 0);
}

static void out_thread(struct extract_records *e, uint32_t tid)
{
	const struct frz_dthread *t = frz_dec_thread(e->in, tid), *q;
	uint32_t comm;

	if (!t)
		return;
	out_proc(e, t->pid);
	comm = out_string(e, t->comm, AS_COMM);
	q = frz_dec_thread(e->out, tid);
	if (q && q->pid == t->pid && q->table == t->table && q->comm == comm)
		return;
	frz_buf_varint(&e->body, t->tid);
	frz_buf_varint(&e->body, t->pid);
	frz_buf_varint(&e->body, t->table);
	frz_buf_varint(&e->body, comm);
	put_body(e, FRZ_R_THREAD, 0, 0);
}

/* how: as the extract can say it. */
static void put_bind(struct extract_records *e, const struct frz_dbind *b, unsigned how)
{
	uint32_t file = out_file(e, b->file);

	frz_buf_varint(&e->body, b->table);
	frz_buf_varint(&e->body, (uint64_t)b->fd);
	frz_buf_varint(&e->body, b->instance);
	frz_buf_varint(&e->body, file);
	frz_buf_varint(&e->body, how);
	frz_buf_varint(&e->body, b->parent);
	frz_buf_zigzag(&e->body, b->flags);
	frz_buf_zigzag(&e->body, b->position);
	put_body(e, FRZ_R_BIND, 0, 0);
	if (e->err == FRZ_OK && !map_set(&e->told, b->instance, 1))
		failed(e, FRZ_E_NOMEM);
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

/* Makes the extract's segment know the instance, if the original's does. */
static void need_bind(struct extract_records *e, uint64_t instance)
{
	const struct frz_dbind *b = frz_dec_instance(e->in, instance), *q;

	if (!b || !instance)
		return;
	q = frz_dec_instance(e->out, instance);
	if (q && q->table == b->table && q->fd == b->fd && q->file == number_get(&e->files, b->file))
		return;
	put_bind(e, b, how_now(e, instance));
}

/* ---- bindings as they come ---- */

static void remember_bind(struct extract_records *e, const struct frz_dbind *b)
{
	if (!map_get(&e->how, b->instance) && !map_set(&e->how, b->instance, b->how ? (uint32_t)b->how : FRZ_B_RESTATE))
		failed(e, FRZ_E_NOMEM);
	if (e->npending == e->cap_pending) {
		size_t cap = e->cap_pending * 2 + 64;
		struct frz_dbind *more = realloc(e->pending, cap * sizeof(*more));

		if (!more) {
			failed(e, FRZ_E_NOMEM);
			return;
		}
		e->pending = more;
		e->cap_pending = cap;
	}
	e->pending[e->npending++] = *b;
}

/* Those that were declared for the record at hand, which is kept. */
static void put_pending(struct extract_records *e, const struct extract_filter *x)
{
	for (size_t i = 0; i < e->npending; i++) {
		const struct frz_dbind *b = &e->pending[i], *now = frz_dec_bind(e->in, b->table, b->fd);
		const struct frz_file *f = frz_dec_file(e->in, b->file);

		if (!now || now->instance != b->instance)
			continue; /* ended already */
		if (!extract_path_fits(x, frz_dec_string(e->in, f ? f->path : 0)))
			continue; /* told when it is needed */
		put_bind(e, b, b->how == FRZ_B_RESTATE ? how_now(e, b->instance) : (unsigned)b->how);
	}
}

static void put_unbind(struct extract_records *e, const struct frz_dbind *b)
{
	const struct frz_dbind *q = frz_dec_bind(e->out, b->table, b->fd);

	if (!q || q->instance != b->instance)
		put_bind(e, b, FRZ_B_RESTATE);
	frz_buf_varint(&e->body, b->table);
	frz_buf_varint(&e->body, (uint64_t)b->fd);
	put_body(e, FRZ_R_UNBIND, 0, 0);
}

/* ---- events ---- */

/* The instance that an attachment names, or implies in the original. */
static uint64_t instance_of(const struct extract_records *e, const struct frz_call *call,
			    const struct frz_attachment *a)
{
	struct frz_cur v = a->value;
	int32_t fd;

	if (a->kind == FRZ_A_FDNUM)
		frz_take_varint(&v);
	return v.p != v.end ? frz_take_varint(&v) : frz_att_instance(e->in, call, a, &fd);
}

/* Declares what the attachments need; then they can be written without a record in between. */
static void need_attachments(struct extract_records *e, const struct frz_call *call)
{
	struct frz_cur atts = call->atts, v;
	struct frz_attachment a;

	while (frz_att_next(&atts, &a)) {
		v = a.value;
		switch (a.kind) {
		case FRZ_A_FD:
		case FRZ_A_FDNUM:
			need_bind(e, instance_of(e, call, &a));
			break;
		case FRZ_A_PATH:
		case FRZ_A_DIR:
		case FRZ_A_STR:
		case FRZ_A_SIGN:
			out_string(e, frz_take_varint(&v), AS_TEXT);
			break;
		case FRZ_A_LIST:
			while (v.p != v.end)
				out_string(e, frz_take_varint(&v), AS_TEXT);
			break;
		case FRZ_A_VICTIM:
		case FRZ_A_FILE:
			out_file(e, frz_take_varint(&v));
			break;
		default:
			break;
		}
	}
}

/* The instance stays implied where the extract implies the same. */
static void put_fd(struct extract_records *e, const struct frz_call *call, const struct frz_attachment *a)
{
	struct frz_attachment implied = { .kind = FRZ_A_FD, .slot = a->slot };
	uint64_t instance = instance_of(e, call, a);
	int32_t fd;

	if (a->value.p == a->value.end && frz_att_instance(e->out, call, &implied, &fd) == instance)
		frz_enc_att(&e->body, FRZ_A_FD, a->slot, 0);
	else
		frz_enc_att_varint(&e->body, FRZ_A_FD, a->slot, instance);
}

static void put_list(struct extract_records *e, const struct frz_attachment *a)
{
	struct frz_cur v = a->value, again = a->value;
	uint8_t tmp[FRZ_VARINT_MAX];
	size_t len = 0;

	while (v.p != v.end)
		len += frz_put_varint(tmp, out_string(e, frz_take_varint(&v), AS_TEXT));
	frz_enc_att(&e->body, FRZ_A_LIST, a->slot, len);
	while (again.p != again.end)
		frz_buf_varint(&e->body, out_string(e, frz_take_varint(&again), AS_TEXT));
}

static void put_attachment(struct extract_records *e, const struct frz_call *call, const struct frz_attachment *a)
{
	struct frz_cur v = a->value;
	size_t n = frz_cur_left(&v);

	switch (a->kind) {
	case FRZ_A_FD:
		put_fd(e, call, a);
		break;
	case FRZ_A_PATH:
	case FRZ_A_DIR:
	case FRZ_A_STR:
	case FRZ_A_SIGN:
		frz_enc_att_varint(&e->body, a->kind, a->slot, out_string(e, frz_take_varint(&v), AS_TEXT));
		break;
	case FRZ_A_LIST:
		put_list(e, a);
		break;
	case FRZ_A_VICTIM:
	case FRZ_A_FILE:
		frz_enc_att_varint(&e->body, a->kind, a->slot, out_file(e, frz_take_varint(&v)));
		break;
	case FRZ_A_ADDR:
		n = out_sockaddr(e, v.p, n < UINT16_MAX ? n : UINT16_MAX, e->sock);
		frz_enc_att(&e->body, a->kind, a->slot, n);
		frz_buf_bytes(&e->body, e->sock, n);
		break;
	default: /* numbers, and the content of buffers */
		frz_enc_att(&e->body, a->kind, a->slot, n);
		frz_buf_bytes(&e->body, v.p, n);
		break;
	}
}

static void put_event(struct extract_records *e, const struct frz_record *rec, const struct extract_filter *x)
{
	const struct frz_call *call = &rec->u.call;
	struct frz_cur atts = call->atts;
	struct frz_attachment a;

	out_thread(e, call->tid);
	put_pending(e, x);
	need_attachments(e, call);
	frz_buf_varint(&e->body, call->tid);
	frz_buf_varint(&e->body, rec->type == FRZ_R_URING ? call->nr : (uint64_t)call->nr * 4 + (uint64_t)call->abi);
	frz_buf_varint(&e->body, call->flags);
	if (!(call->flags & FRZ_C_NO_RETURN))
		frz_buf_zigzag(&e->body, call->ret);
	frz_buf_varint(&e->body, call->arg_mask);
	for (unsigned i = 0; i < 6; i++)
		if (call->arg_mask >> i & 1)
			frz_buf_zigzag(&e->body, call->arg[i]);
	while (frz_att_next(&atts, &a))
		if (extract_knows_attachment(x, a.kind))
			put_attachment(e, call, &a);
	put_body(e, rec->type, rec->mono_ns, rec->dur_ns);
}

/* ---- notes ---- */

static bool is_list(uint64_t key) { return key == FRZ_CTX_CMDLINE || key == FRZ_CTX_ENV; }

/* Is this key among those whose value was cut? */
static bool context_cut(struct frz_cur c, uint64_t key)
{
	while (c.p != c.end) {
		uint64_t k = frz_take_varint(&c), n = frz_take_varint(&c);
		const uint8_t *p = frz_take(&c, n);
		char text[256];

		if (k != FRZ_CTX_CUT || !p || n >= sizeof(text))
			continue;
		memcpy(text, p, n);
		text[n] = '\0';
		for (char *at = text, *end; *at; at = end) {
			if (strtoull(at, &end, 10) == key && end != at)
				return true;
			if (end == at)
				end++;
		}
	}
	return false;
}

static void put_context(struct extract_records *e, const struct frz_record *rec)
{
	struct frz_cur c = rec->body, pairs;

	frz_buf_varint(&e->body, frz_take_varint(&c));
	frz_buf_varint(&e->body, frz_take_varint(&c));
	pairs = c;
	while (c.p != c.end) {
		uint64_t key = frz_take_varint(&c), n = frz_take_varint(&c);
		const uint8_t *p = frz_take(&c, n);
		bool cut = context_cut(pairs, key);

		if ((is_list(key) ? rules_apply_list(e->rules, p, n, cut, &e->text) :
				    rules_apply(e->rules, p, n, cut, &e->text)) == RULES_NOMEM) {
			failed(e, FRZ_E_NOMEM);
			return;
		}
		frz_buf_varint(&e->body, key);
		frz_buf_varint(&e->body, e->text.n);
		frz_buf_bytes(&e->body, e->text.p, e->text.n);
	}
}

/* Numbers, up to the first part that is another. */
static void copy_numbers(struct extract_records *e, struct frz_cur *c, unsigned n)
{
	while (n--)
		frz_buf_varint(&e->body, frz_take_varint(c));
}

static void copy_rest(struct extract_records *e, const struct frz_cur *c)
{
	frz_buf_bytes(&e->body, c->p, frz_cur_left(c));
}

/* Strings come before the body that names them: they are declared first, then looked up. */
static void put_ledger(struct extract_records *e, const struct frz_record *rec, unsigned numbers)
{
	struct frz_cur c = rec->body, look = rec->body;
	uint32_t what, detail;

	frz_take_varint(&look);
	frz_take_varint(&look);
	what = out_string(e, frz_take_varint(&look), AS_TEXT);
	for (unsigned i = 0; i < numbers; i++)
		frz_take_varint(&look);
	detail = out_string(e, frz_take_varint(&look), AS_TEXT);
	copy_numbers(e, &c, 2);
	frz_take_varint(&c);
	frz_buf_varint(&e->body, what);
	copy_numbers(e, &c, numbers);
	frz_buf_varint(&e->body, detail);
}

static void put_note(struct extract_records *e, const struct frz_record *rec, const struct extract_filter *x)
{
	struct frz_cur c = rec->body, look = rec->body;
	uint64_t a = frz_take_varint(&look), b = frz_take_varint(&look);
	uint32_t n;

	switch (rec->type) {
	case FRZ_R_CONTEXT:
		out_proc(e, (uint32_t)b);
		put_pending(e, x);
		put_context(e, rec);
		break;
	case FRZ_R_MAPPED:
		out_proc(e, (uint32_t)a);
		put_pending(e, x);
		n = out_file(e, b);
		copy_numbers(e, &c, 1);
		frz_take_varint(&c);
		frz_buf_varint(&e->body, n);
		copy_rest(e, &c);
		break;
	case FRZ_R_FILE_HASH:
		put_pending(e, x);
		n = out_file(e, a);
		frz_take_varint(&c);
		frz_buf_varint(&e->body, n);
		copy_rest(e, &c);
		break;
	case FRZ_R_COVERAGE:
	case FRZ_R_OBSERVER:
		if (b)
			out_thread(e, (uint32_t)b);
		put_pending(e, x);
		put_ledger(e, rec, rec->type == FRZ_R_OBSERVER ? 2 : 1);
		break;
	case FRZ_R_GAP:
		put_pending(e, x);
		n = out_string(e, b, AS_TEXT);
		copy_numbers(e, &c, 1);
		frz_buf_varint(&e->body, n);
		break;
	case FRZ_R_PROC_END:
		out_proc(e, (uint32_t)a);
		put_pending(e, x);
		copy_rest(e, &c);
		break;
	default: /* of a thread, numbers only */
		out_thread(e, (uint32_t)a);
		put_pending(e, x);
		copy_rest(e, &c);
		break;
	}
	put_body(e, rec->type, rec->mono_ns, rec->dur_ns);
}

/* ---- a segment ---- */

static void open_segment(struct extract_records *e)
{
	for (int m = 0; m < MODES; m++)
		forget(&e->strings[m]);
	forget(&e->files);
	frz_decoder_begin_loose(e->out);
	frz_packer_begin(e->packer, e->first.mono_ns);
	e->bytes = e->declared = 0;
	e->open = true;
}

/* last NULL: it is ended early. */
static enum frz_err close_segment(struct extract_records *e, const struct frz_moment *last)
{
	struct frz_packed packed;
	struct extract_segment s = { .origin = &e->it.block,
				     .packed = &packed,
				     .first = e->first,
				     .recovered = e->it.segment.recovered };
	enum frz_err err = frz_packer_finish(e->packer, ZSTD_LEVEL, &packed);

	e->open = false;
	if (err != FRZ_OK)
		return err;
	if (last) {
		s.last = *last;
	} else {
		s.last.mono_ns = packed.last_mono;
		s.last.real_ns = e->first.real_ns + (packed.last_mono - e->first.mono_ns);
	}
	if (!e->lost_told)
		s.lost = e->it.segment.lost;
	e->lost_told = true;
	e->first = s.last;
	return extract_put_segment(e->w, &s);
}

enum frz_err extract_records_begin(struct extract_records *e, const struct frz_decoder *in,
				   const struct frz_case_item *it)
{
	e->in = in;
	e->it = *it;
	e->first = it->segment.first;
	e->open = e->lost_told = false;
	e->npending = 0;
	e->err = FRZ_OK;
	return FRZ_OK;
}

enum frz_err extract_records_take(struct extract_records *e, const struct frz_record *rec, bool wanted,
				  const struct extract_filter *x)
{
	if (rec->type == FRZ_R_BIND) {
		remember_bind(e, &rec->u.bind);
		return e->err;
	}
	if (rec->type == FRZ_R_UNBIND) {
		if (e->last_kept && map_get(&e->told, rec->u.bind.instance)) {
			if (!e->open)
				open_segment(e);
			put_unbind(e, &rec->u.bind);
		}
		return e->err;
	}
	if (!FRZ_REC_TIMED((unsigned)rec->type))
		return e->err;
	e->last_kept = wanted;
	if (wanted) {
		enum frz_err err;

		if (e->open && (e->bytes > LONG || e->declared > MANY) && (err = close_segment(e, NULL)) != FRZ_OK)
			return err;
		if (!e->open)
			open_segment(e);
		if (FRZ_REC_EVENT((unsigned)rec->type))
			put_event(e, rec, x);
		else
			put_note(e, rec, x);
	}
	e->npending = 0;
	return e->err;
}

enum frz_err extract_records_end(struct extract_records *e)
{
	return e->open ? close_segment(e, &e->it.segment.last) : FRZ_OK;
}
