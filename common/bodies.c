/*
 * bodies.c - the bodies of records (record.h), read and checked whole.
 *
 * Input is hostile: nothing of a body is handed out or remembered before all of it was found
 * to be what its type says, and what is remembered is bounded by FRZ_DECLARED_MAX.
 */
#include "decoder.h"

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
		return frz_decoder_corrupt(d, "a string whose lengths cannot be");
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
		return frz_decoder_corrupt(d, "a FILE record that contradicts its mask");
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
	if (!frz_used_up(c))
		return frz_decoder_corrupt(d, "a malformed PROC record");
	return declared(d, frz_declare_proc(&d->decl, p));
}

static enum frz_err thread_body(struct frz_decoder *d, struct frz_cur *c, struct frz_dthread *t)
{
	t->tid = take32(c);
	t->pid = take32(c);
	t->table = frz_take_varint(c);
	t->comm = take_string(d, c);
	if (!frz_used_up(c))
		return frz_decoder_corrupt(d, "a malformed THREAD record");
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
	if (!frz_used_up(c) || b->instance == 0)
		return frz_decoder_corrupt(d, "a malformed BIND record");
	return declared(d, frz_declare_bind(&d->decl, b));
}

static enum frz_err unbind_body(struct frz_decoder *d, struct frz_cur *c, struct frz_dbind *b)
{
	uint64_t table = frz_take_varint(c);
	int32_t fd = take_fd(c);
	const struct frz_dbind *was;

	if (!frz_used_up(c))
		return frz_decoder_corrupt(d, "a malformed UNBIND record");
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
	return frz_used_up(&c);
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
		return frz_decoder_corrupt(d, "a malformed call record");
	call->atts = *c;
	atts = *c;
	while (frz_att_next(&atts, &a))
		if (!att_value_good(d, call, &a))
			return frz_decoder_corrupt(d, "an attachment that contradicts its kind");
	return atts.bad ? frz_decoder_corrupt(d, "an attachment longer than its record") : FRZ_OK;
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
	return frz_used_up(c) ? FRZ_OK : frz_decoder_corrupt(d, "a malformed note");
}

enum frz_err frz_decode_body(struct frz_decoder *d, struct frz_record *out)
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
