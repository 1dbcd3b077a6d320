/*
 * decode.c - records (record.h) out of a segment's planes or out of loose bytes.
 *
 * Input is hostile: a record is checked whole before anything of it is handed out or
 * remembered, and what is remembered is bounded by FRZ_DECLARED_MAX.
 */
#include <stdlib.h>

#include "columns.h"
#include "declared.h"
#include "record.h"

struct frz_decoder {
	struct frz_declared decl;
	uint8_t *records; /* put together from the columns */
	size_t records_cap;
	struct frz_cur r, g, d; /* records; planes (segment.h) */
	const uint8_t *n, *a, *b;
	size_t timed, timed_done;
	uint64_t seq, mono; /* of the next event; of the last timed record */
	const char *why;
};

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

static enum frz_err corrupt(struct frz_decoder *d, const char *why)
{
	d->why = why;
	return FRZ_E_CORRUPT;
}

static enum frz_err declared(struct frz_decoder *d, enum frz_err err)
{
	if (err == FRZ_E_NOMEM)
		d->why = "out of memory";
	else if (err == FRZ_E_LIMIT)
		d->why = "too many declarations in one segment";
	return err;
}

/* ---- parts of bodies; each marks the cursor bad when the value cannot be ---- */

static uint64_t take_max(struct frz_cur *c, uint64_t max)
{
	uint64_t v = frz_take_varint(c);

	if (v > max) {
		frz_cur_fail(c);
		return 0;
	}
	return v;
}

static uint32_t take32(struct frz_cur *c) { return (uint32_t)take_max(c, UINT32_MAX); }

static int32_t take_fd(struct frz_cur *c) { return (int32_t)take_max(c, INT32_MAX); }

static uint32_t take_string(const struct frz_decoder *d, struct frz_cur *c)
{
	return (uint32_t)take_max(c, d->decl.nstrings);
}

static uint32_t take_file(const struct frz_decoder *d, struct frz_cur *c)
{
	return (uint32_t)take_max(c, d->decl.files.n);
}

static bool used_up(const struct frz_cur *c) { return !c->bad && c->p == c->end; }

/* ---- declarations ---- */

static enum frz_err string_body(struct frz_decoder *d, struct frz_cur *c, bool cut,
				struct frz_record *out)
{
	struct frz_str s = { .cut = cut };
	enum frz_err err;

	if (cut)
		s.true_len = frz_take_varint(c);
	else
		s.true_len = frz_cur_left(c);
	s.len = (uint32_t)frz_cur_left(c);
	s.p = c->p;
	if (c->bad || s.len > FRZ_STRING_MAX || (cut && s.true_len && s.true_len < s.len))
		return corrupt(d, "a string whose lengths cannot be");
	err = frz_declare_string(&d->decl, s);
	out->u.number = (uint32_t)d->decl.nstrings;
	return declared(d, err);
}

static struct frz_time take_time(struct frz_cur *c)
{
	struct frz_time t;

	t.sec = frz_take_zigzag(c);
	t.nsec = (uint32_t)take_max(c, 999999999);
	return t;
}

static void take_sock(struct frz_cur *c, struct frz_sock *s)
{
	s->family = (uint16_t)take_max(c, UINT16_MAX);
	s->type = (uint16_t)take_max(c, UINT16_MAX);
	s->protocol = (uint16_t)take_max(c, UINT16_MAX);
	s->local_len = (uint16_t)take_max(c, UINT16_MAX);
	s->local = s->local_len ? frz_take(c, s->local_len) : NULL;
	s->peer_len = (uint16_t)take_max(c, UINT16_MAX);
	s->peer = s->peer_len ? frz_take(c, s->peer_len) : NULL;
}

static enum frz_err file_body(struct frz_decoder *d, struct frz_cur *c, struct frz_record *out)
{
	uint64_t mask = frz_take_varint(c);
	struct frz_file f = { .mask = (uint32_t)(mask & FRZ_F_ALL) };
	enum frz_err err;

	if (mask & FRZ_F_PATH)
		f.path = take_string(d, c);
	if (mask & FRZ_F_MODE)
		f.mode = take32(c);
	if (mask & FRZ_F_OWNER) {
		f.uid = take32(c);
		f.gid = take32(c);
	}
	if (mask & FRZ_F_DEV) {
		f.dev_major = take32(c);
		f.dev_minor = take32(c);
	}
	if (mask & FRZ_F_INO)
		f.ino = frz_take_varint(c);
	if (mask & FRZ_F_SIZE)
		f.size = frz_take_varint(c);
	if (mask & FRZ_F_MTIME)
		f.mtime = take_time(c);
	if (mask & FRZ_F_CTIME)
		f.ctime = take_time(c);
	if (mask & FRZ_F_BTIME)
		f.btime = take_time(c);
	if (mask & FRZ_F_MNT)
		f.mnt_id = frz_take_varint(c);
	if (mask & FRZ_F_NLINK)
		f.nlink = take32(c);
	if (mask & FRZ_F_RDEV) {
		f.rdev_major = take32(c);
		f.rdev_minor = take32(c);
	}
	if (mask & FRZ_F_SOCK)
		take_sock(c, &f.sock);
	if (mask & FRZ_F_COOKIE)
		f.cookie = frz_take_varint(c);
	if (mask & FRZ_F_NAMES) {
		f.owner_name = take_string(d, c);
		f.group_name = take_string(d, c);
	}
	/* parts that a later version added come last, under mask bits of their own */
	if (c->bad || (c->p != c->end && !(mask & ~(uint64_t)FRZ_F_ALL)))
		return corrupt(d, "a FILE record that contradicts its mask");
	err = frz_declare_file(&d->decl, &f);
	out->u.number = (uint32_t)d->decl.files.n;
	return declared(d, err);
}

static enum frz_err proc_body(struct frz_decoder *d, struct frz_cur *c, struct frz_dproc *p)
{
	p->pid = take32(c);
	p->ppid = take32(c);
	p->start = frz_take_varint(c);
	p->uid = take32(c);
	p->comm = take_string(d, c);
	p->exe = take_string(d, c);
	if (!used_up(c))
		return corrupt(d, "a malformed PROC record");
	return declared(d, frz_declare_proc(&d->decl, p));
}

static enum frz_err thread_body(struct frz_decoder *d, struct frz_cur *c, struct frz_dthread *t)
{
	t->tid = take32(c);
	t->pid = take32(c);
	t->table = frz_take_varint(c);
	t->comm = take_string(d, c);
	if (!used_up(c))
		return corrupt(d, "a malformed THREAD record");
	return declared(d, frz_declare_thread(&d->decl, t));
}

static enum frz_err bind_body(struct frz_decoder *d, struct frz_cur *c, struct frz_dbind *b)
{
	b->table = frz_take_varint(c);
	b->fd = take_fd(c);
	b->instance = frz_take_varint(c);
	b->file = take_file(d, c);
	b->how = (enum frz_bind_how)take_max(c, UINT8_MAX);
	b->parent = frz_take_varint(c);
	b->flags = frz_take_zigzag(c);
	b->position = frz_take_zigzag(c);
	if (!used_up(c) || b->instance == 0)
		return corrupt(d, "a malformed BIND record");
	return declared(d, frz_declare_bind(&d->decl, b));
}

static enum frz_err unbind_body(struct frz_decoder *d, struct frz_cur *c, struct frz_dbind *b)
{
	uint64_t table = frz_take_varint(c);
	int32_t fd = take_fd(c);
	const struct frz_dbind *was;

	if (!used_up(c))
		return corrupt(d, "a malformed UNBIND record");
	was = frz_dec_bind(d, table, fd);
	*b = was ? *was : (struct frz_dbind){ .table = table, .fd = fd };
	frz_declare_unbind(&d->decl, table, (uint32_t)fd);
	return FRZ_OK;
}

/* ---- calls ---- */

static bool att_value_good(const struct frz_decoder *d, const struct frz_call *call,
			   const struct frz_attachment *a)
{
	struct frz_cur c = a->value;

	switch (a->kind) {
	case FRZ_A_FD:
		if (c.p != c.end) {
			frz_take_varint(&c);
			break;
		}
		if (a->slot == FRZ_SLOT_RET)
			return !(call->flags & FRZ_C_NO_RETURN);
		return a->slot < 6 && (call->arg_mask >> a->slot & 1);
	case FRZ_A_FDNUM:
		take_fd(&c);
		frz_take_varint(&c);
		break;
	case FRZ_A_PATH:
	case FRZ_A_DIR:
	case FRZ_A_STR:
	case FRZ_A_SIGN:
		take_string(d, &c);
		break;
	case FRZ_A_VICTIM:
	case FRZ_A_FILE:
		take_file(d, &c);
		break;
	case FRZ_A_LIST:
		while (c.p != c.end)
			take_string(d, &c);
		break;
	case FRZ_A_NUMS:
		while (c.p != c.end)
			frz_take_varint(&c);
		break;
	case FRZ_A_CUT:
		frz_take_varint(&c);
		break;
	case FRZ_A_FAULT:
		break;
	case FRZ_A_ADDR:
	case FRZ_A_DATA:
	default:
		return true;
	}
	return used_up(&c);
}

static enum frz_err call_body(struct frz_decoder *d, struct frz_cur *c, bool uring,
			      struct frz_call *call)
{
	struct frz_attachment a;
	struct frz_cur atts;
	uint64_t nr;

	call->tid = take32(c);
	nr = take_max(c, uring ? UINT32_MAX : (uint64_t)UINT32_MAX * 4 + 3);
	call->abi = uring ? FRZ_ABI_X86_64 : (enum frz_abi)(nr & 3);
	call->nr = (uint32_t)(uring ? nr : nr >> 2);
	call->flags = (uint32_t)take_max(c, FRZ_C_NO_RETURN | FRZ_C_NO_ENTRY | FRZ_C_RESTARTS);
	call->ret = call->flags & FRZ_C_NO_RETURN ? 0 : frz_take_zigzag(c);
	call->arg_mask = (uint32_t)take_max(c, 0x3f);
	for (unsigned i = 0; i < 6; i++)
		call->arg[i] = call->arg_mask >> i & 1 ? frz_take_zigzag(c) : 0;
	if (c->bad)
		return corrupt(d, "a malformed call record");
	call->atts = *c;
	atts = *c;
	while (frz_att_next(&atts, &a))
		if (!att_value_good(d, call, &a))
			return corrupt(d, "an attachment that contradicts its kind");
	return atts.bad ? corrupt(d, "an attachment longer than its record") : FRZ_OK;
}

/* ---- notes: their shapes, a letter a part as in record.h; f: a FILE's number, h: 32 bytes,
 * i: 32 bits, *: pairs of key and counted bytes to the end ---- */

static const char *note_shape(unsigned type)
{
	switch (type) {
	case FRZ_R_CONTEXT:
		return "vi*";
	case FRZ_R_THREAD_START:
		return "iiviv";
	case FRZ_R_THREAD_END:
	case FRZ_R_PROC_END:
		return "ivv";
	case FRZ_R_SIGNAL:
		return "ivzii";
	case FRZ_R_IO:
		return "ivvv";
	case FRZ_R_COVERAGE:
		return "iisvs";
	case FRZ_R_OBSERVER:
		return "iisvvs";
	case FRZ_R_GAP:
		return "vs";
	case FRZ_R_MAPPED:
		return "ifvvvvv";
	case FRZ_R_STOPPED:
		return "iv";
	case FRZ_R_FILE_HASH:
		return "fh";
	default:
		return NULL;
	}
}

static enum frz_err note_body(struct frz_decoder *d, struct frz_cur *c, unsigned type)
{
	const char *shape = note_shape(type);

	if (!shape)
		return FRZ_OK;
	for (; *shape; shape++) {
		switch (*shape) {
		case 'v':
		case 'z':
			frz_take_varint(c);
			break;
		case 'i':
			take32(c);
			break;
		case 's':
			take_string(d, c);
			break;
		case 'f':
			take_file(d, c);
			break;
		case 'h':
			frz_take(c, FRZ_HASH_LEN);
			break;
		case '*':
			while (c->p != c->end) {
				frz_take_varint(c);
				frz_take(c, frz_take_varint(c));
			}
			break;
		}
	}
	return used_up(c) ? FRZ_OK : corrupt(d, "a malformed note");
}

static enum frz_err body(struct frz_decoder *d, struct frz_record *out)
{
	struct frz_cur c = out->body;
	unsigned type = out->type;

	switch (type) {
	case FRZ_R_STRING:
	case FRZ_R_STRING_CUT:
		return string_body(d, &c, type == FRZ_R_STRING_CUT, out);
	case FRZ_R_PROC:
		return proc_body(d, &c, &out->u.proc);
	case FRZ_R_THREAD:
		return thread_body(d, &c, &out->u.thread);
	case FRZ_R_FILE:
		return file_body(d, &c, out);
	case FRZ_R_BIND:
		return bind_body(d, &c, &out->u.bind);
	case FRZ_R_UNBIND:
		return unbind_body(d, &c, &out->u.bind);
	case FRZ_R_SYSCALL:
	case FRZ_R_URING:
		return call_body(d, &c, type == FRZ_R_URING, &out->u.call);
	default:
		return note_body(d, &c, type);
	}
}

/* Type, length and body of the record at the head of c. */
static enum frz_err frame_of(struct frz_decoder *d, struct frz_cur *c, struct frz_record *out)
{
	unsigned type = frz_take8(c);
	uint64_t len = frz_take_varint(c);
	const uint8_t *p;

	if (type == 0)
		return corrupt(d, "a record of type 0");
	if (len > FRZ_RECORD_MAX)
		return corrupt(d, "a record over the length limit");
	p = frz_take(c, len);
	if (!p)
		return corrupt(d, "a record that reaches beyond the records");
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

enum frz_err frz_decoder_begin(struct frz_decoder *d, const void *raw, size_t raw_len,
			       uint64_t first_event, uint64_t first_mono)
{
	struct frz_cur c = frz_cur_of(raw, raw_len);
	uint64_t n = frz_take_varint(&c), records = frz_take_varint(&c);
	uint64_t g = frz_take_varint(&c), dd = frz_take_varint(&c), len[FRZ_COLUMNS];
	enum frz_err err;

	frz_decoder_begin_loose(d);
	for (unsigned i = 0; i < FRZ_COLUMNS; i++)
		len[i] = frz_take_varint(&c);
	if (c.bad || n > raw_len || records > raw_len)
		return FRZ_E_CORRUPT;
	err = join(d, &c, (size_t)records, len);
	if (err == FRZ_OK) {
		d->n = frz_take(&c, 2 * n);
		d->a = frz_take(&c, n);
		d->b = frz_take(&c, n);
		d->g = take_plane(&c, g);
		d->d = take_plane(&c, dd);
		if (!used_up(&c))
			err = FRZ_E_CORRUPT;
	}
	if (err != FRZ_OK) {
		frz_decoder_begin_loose(d);
		return err;
	}
	d->timed = (size_t)n;
	d->seq = first_event;
	d->mono = first_mono;
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
		return corrupt(d, "more timed records than times");
	g = frz_take_varint(&d->g);
	high = frz_take_varint(&d->d);
	if (d->g.bad || d->d.bad || g >> 49 || high >> 48)
		return corrupt(d, "a malformed time");
	gap = (g >> 1) << 16 | (uint64_t)d->a[i] << 8 | d->n[2 * i];
	dur = high << 16 | (uint64_t)d->b[i] << 8 | d->n[2 * i + 1];
	d->timed_done++;
	if (g & 1) {
		int64_t step = frz_unzigzag(gap);

		if (step >= 0 && dur <= (uint64_t)step)
			return corrupt(d, "a time that should have been told otherwise");
		d->mono += (uint64_t)step;
	} else {
		if (gap > INT64_MAX || dur > INT64_MAX - gap)
			return corrupt(d, "a time beyond all clocks");
		d->mono += gap + dur;
	}
	if (dur > d->mono)
		return corrupt(d, "a call that began before the clock did");
	out->mono_ns = d->mono;
	out->dur_ns = dur;
	return FRZ_OK;
}

enum frz_err frz_decoder_next(struct frz_decoder *d, struct frz_record *out, const char **why)
{
	enum frz_err err;

	if (frz_cur_left(&d->r) == 0) {
		if (d->timed_done == d->timed && used_up(&d->g) && used_up(&d->d))
			return FRZ_END;
		*why = "times are left over";
		return FRZ_E_CORRUPT;
	}
	err = frame_of(d, &d->r, out);
	if (err == FRZ_OK && FRZ_REC_TIMED((unsigned)out->type)) {
		err = take_step(d, out);
		if (FRZ_REC_EVENT((unsigned)out->type))
			out->seq = d->seq++;
	}
	if (err == FRZ_OK)
		err = body(d, out);
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
	return body(d, out);
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
