/*
 * detail.c - the line of detail of a call: numbers first, then what was cut or could not be
 * read, then strings, so that a long string takes nothing else with it.
 */
#include "detail.h"

#include "flags.h"

#define QUOTED_MAX     512 /* bytes of one string that are shown */
#define DATA_SHOWN     64
#define FDS_SHOWN      32

#define GETFL	       3
#define CREATES	       0x400040u /* O_CREAT and the bit of O_TMPFILE that is not O_DIRECTORY */
#define MAP_FIXED_FLAG 0x10u

static bool kept(const struct frz_call *c, unsigned slot) { return c->arg_mask >> slot & 1; }

static void put_escaped(struct frz_text *t, const uint8_t *p, size_t n)
{
	size_t room = t->len <= t->cap ? t->cap - t->len + 1 : 0;

	t->len += frz_escape(p, n, room ? t->p + t->len : NULL, room);
}

void frz_detail_quoted(struct frz_text *t, struct frz_str s)
{
	size_t n = s.len < QUOTED_MAX ? s.len : QUOTED_MAX;
	const uint8_t *p = s.p, *end, *q;

	while (n < s.len && n > QUOTED_MAX - 4 && (p[n] & 0xc0) == 0x80)
		n--;
	end = p + n;
	frz_text_char(t, '"');
	while (p && (q = memchr(p, '"', (size_t)(end - p)))) {
		put_escaped(t, p, (size_t)(q - p));
		frz_text_put(t, "\\\"", 2);
		p = q + 1;
	}
	if (p)
		put_escaped(t, p, (size_t)(end - p));
	frz_text_char(t, '"');
	if (n < s.len || s.cut)
		frz_text_str(t, "...");
}

static bool same(struct frz_str a, struct frz_str b)
{
	return a.len == b.len && (!a.len || !memcmp(a.p, b.p, a.len));
}

static bool string_of(const struct frz_decoder *d, const struct frz_call *c, enum frz_att kind,
		      unsigned slot, struct frz_str *s)
{
	struct frz_attachment a;

	if (!frz_att_find(c, kind, slot, &a))
		return false;
	*s = frz_dec_string(d, frz_take_varint(&a.value));
	return true;
}

void frz_detail_passed(const struct frz_decoder *d, const struct frz_call *c, unsigned slot,
		       struct frz_str shown, const char *label, struct frz_text *t)
{
	struct frz_str s;

	if (!string_of(d, c, FRZ_A_PATH, slot, &s))
		return;
	if (s.len ? same(s, shown) : shown.len != 0)
		return;
	frz_detail_label(t, label);
	frz_detail_quoted(t, s);
}

void frz_detail_addr(const struct frz_call *c, unsigned slot, struct frz_text *t)
{
	struct frz_cur atts = c->atts;
	struct frz_attachment a;
	char tmp[1100];

	while (frz_att_next(&atts, &a)) {
		if (a.kind != FRZ_A_ADDR || a.slot != slot)
			continue;
		frz_sockaddr_text(a.value.p, frz_cur_left(&a.value), tmp, sizeof(tmp));
		frz_detail_gap(t);
		frz_text_str(t, tmp);
	}
}

void frz_detail_fdnums(const struct frz_decoder *d, const struct frz_call *c, unsigned slot,
		       struct frz_text *t)
{
	struct frz_cur atts = c->atts;
	struct frz_attachment a;
	unsigned n = 0;
	int32_t fd;

	while (frz_att_next(&atts, &a)) {
		if (a.kind != FRZ_A_FDNUM || a.slot != slot)
			continue;
		if (n++ == 0)
			frz_detail_label(t, "fds");
		if (n > FDS_SHOWN)
			continue;
		frz_att_instance(d, c, &a, &fd);
		frz_text_char(t, n == 1 ? '[' : ',');
		frz_text_i64(t, fd);
	}
	if (n > FDS_SHOWN) {
		frz_text_str(t, ",... ");
		frz_text_u64(t, n, 10);
	}
	if (n)
		frz_text_char(t, ']');
}

/* ---- numbers ---- */

/* The offset that an argument (OFF, PGOFF, or the LO half) stands for. */
static int64_t offset_at(const struct frz_sysent *e, const struct frz_call *c, unsigned i)
{
	unsigned hi;

	switch (e->arg[i].kind) {
	case FRZ_ARG_OFF_LO:
		hi = i < 5 && e->arg[i + 1].kind == FRZ_ARG_OFF_HI ? i + 1 : i ? i - 1 : 0;
		return (int64_t)((uint64_t)(uint32_t)c->arg[hi] << 32 | (uint32_t)c->arg[i]);
	case FRZ_ARG_PGOFF:
		return (int64_t)((uint64_t)c->arg[i] << 12);
	default:
		return c->arg[i];
	}
}

/* Without a creating flag beside it the kernel does not look at a mode. */
static bool mode_counts(const struct frz_sysent *e, const struct frz_call *c)
{
	for (unsigned i = 0; i < e->nargs; i++)
		if (e->arg[i].kind == FRZ_ARG_FLAGS && e->arg[i].param == FRZ_SET_OPEN)
			return (c->arg[i] & CREATES) != 0;
	return true;
}

static void put_seek(const struct frz_sysent *e, const struct frz_call *c, unsigned whence,
		     struct frz_text *t)
{
	frz_detail_gap(t);
	frz_detail_number(t, c->abi, FRZ_ARG_ENUM, FRZ_SET_SEEK, c->arg[whence]);
	for (unsigned i = 0; i < e->nargs; i++) {
		if (e->arg[i].kind == FRZ_ARG_OFF || e->arg[i].kind == FRZ_ARG_OFF_LO) {
			frz_text_char(t, ' ');
			frz_text_i64(t, offset_at(e, c, i));
		}
	}
}

static void put_sockopt(const struct frz_call *c, unsigned slot, struct frz_text *t)
{
	const char *name =
		c->arg[slot - 1] == 1 ? frz_flag_name(FRZ_SET_SO, (uint32_t)c->arg[slot]) : NULL;

	if (name) {
		frz_detail_gap(t);
		frz_text_str(t, name);
	} else {
		frz_detail_label(t, "optname");
		frz_text_i64(t, c->arg[slot]);
	}
}

/* F_GETFL: the flags are what it returned. */
static void put_got_flags(const struct frz_call *c, struct frz_text *t)
{
	if (c->arg[1] == GETFL && c->ret >= 0 && !(c->flags & FRZ_C_NO_RETURN))
		frz_detail_flags(t, c->abi, FRZ_SET_OPEN, (uint32_t)c->ret);
}

static void put_mmap(const struct frz_sysent *e, const struct frz_call *c, struct frz_text *t)
{
	frz_detail_flags(t, c->abi, FRZ_SET_PROT, (uint32_t)c->arg[2]);
	frz_detail_flags(t, c->abi, FRZ_SET_MAP, (uint32_t)c->arg[3]);
	if (c->arg[3] & MAP_FIXED_FLAG) {
		frz_detail_label(t, "addr");
		frz_text_hex(t, (uint64_t)c->arg[0]);
	}
	if (c->arg[4] >= 0) {
		frz_detail_label(t, "offset");
		frz_text_i64(t, offset_at(e, c, 5));
	}
	frz_detail_label(t, "len");
	frz_text_u64(t, (uint64_t)c->arg[1], 10);
}

static void put_dev(struct frz_text *t, uint32_t dev)
{
	frz_text_u64(t, dev >> 8 & 0xfff, 10);
	frz_text_char(t, ':');
	frz_text_u64(t, (dev & 0xff) | (dev >> 12 & 0xfff00), 10);
}

/* A number of the record with the name of its argument. */
static void put_named(const struct frz_call *c, unsigned i, const struct frz_argdef *a,
		      struct frz_text *t)
{
	frz_detail_label(t, a->name);
	frz_detail_number(t, c->abi, a->kind, a->param, c->arg[i]);
}

static void number_arg(const struct frz_call *c, const struct frz_desc *out, unsigned i,
		       const struct frz_argdef *a, struct frz_text *t)
{
	const struct frz_sysent *e = out->ent;

	switch (a->kind) {
	case FRZ_ARG_INT:
	case FRZ_ARG_UINT:
	case FRZ_ARG_LONG:
	case FRZ_ARG_ULONG:
	case FRZ_ARG_ID16:
		if (i && e->arg[i - 1].kind == FRZ_ARG_ENUM && e->arg[i - 1].param == FRZ_SET_SOL)
			put_sockopt(c, i, t);
		else if (!(e->arg[i].param < 0 && c->arg[i] == 4 && !strcmp(a->name, "optlen")))
			put_named(c, i, a, t);
		break;
	case FRZ_ARG_HEX:
		if (c->arg[i])
			put_named(c, i, a, t);
		break;
	case FRZ_ARG_LEN:
		if (out->returned && c->ret != c->arg[i] && out->bytes != c->arg[i])
			put_named(c, i, a, t);
		break;
	case FRZ_ARG_OFF:
	case FRZ_ARG_OFF_LO:
	case FRZ_ARG_PGOFF:
		if (e->arg[e->nargs - 1].kind == FRZ_ARG_ENUM &&
		    e->arg[e->nargs - 1].param == FRZ_SET_SEEK)
			break; /* shown behind its whence */
		frz_detail_label(t, a->name);
		frz_text_i64(t, offset_at(e, c, i));
		break;
	case FRZ_ARG_FD:
		if (c->arg[i] != out->fd) {
			frz_detail_label(t, a->name);
			frz_text_i64(t, c->arg[i]);
		}
		break;
	case FRZ_ARG_FLAGS:
		frz_detail_flags(t, c->abi, a->param, (uint32_t)c->arg[i]);
		break;
	case FRZ_ARG_ENUM:
		if (a->param == FRZ_SET_SEEK) {
			put_seek(e, c, i, t);
		} else if (frz_flag_name(a->param, (uint32_t)c->arg[i])) {
			frz_detail_gap(t);
			frz_detail_number(t, c->abi, a->kind, a->param, (uint32_t)c->arg[i]);
		} else {
			frz_detail_label(t, a->name);
			frz_detail_number(t, c->abi, a->kind, a->param, (uint32_t)c->arg[i]);
		}
		break;
	case FRZ_ARG_MODE:
		if (mode_counts(e, c)) {
			frz_detail_gap(t);
			frz_detail_number(t, c->abi, a->kind, -1, c->arg[i]);
		}
		break;
	case FRZ_ARG_DEV:
		frz_detail_label(t, a->name);
		put_dev(t, (uint32_t)c->arg[i]);
		break;
	default:
		break;
	}
}

/* Arguments that are no number of the record but come out of memory. */
static void memory_arg(const struct frz_decoder *d, const struct frz_call *c, unsigned i,
		       const struct frz_argdef *a, struct frz_text *t)
{
	switch (a->kind) {
	case FRZ_ARG_ADDR_IN:
	case FRZ_ARG_ADDR_OUT:
		frz_detail_addr(c, i, t);
		break;
	case FRZ_ARG_MSG_IN:
	case FRZ_ARG_MSG_OUT:
	case FRZ_ARG_MMSG_IN:
	case FRZ_ARG_MMSG_OUT:
		frz_detail_addr(c, i, t);
		frz_detail_fdnums(d, c, i, t);
		break;
	case FRZ_ARG_FD2_OUT:
		frz_detail_fdnums(d, c, i, t);
		break;
	case FRZ_ARG_NUMS_IN:
	case FRZ_ARG_NUMS_OUT:
	case FRZ_ARG_NUMS_INOUT:
		frz_detail_nums(c, i, a->name, frz_numsdef(a->param), t);
		break;
	case FRZ_ARG_FDSET:
		frz_detail_fdset(c, i, a->name, t);
		break;
	case FRZ_ARG_HANDLE_IN:
	case FRZ_ARG_HANDLE_OUT:
		frz_detail_handle(c, i, a->name, t);
		break;
	case FRZ_ARG_IOCBS:
		frz_detail_nums(c, i, a->name, frz_iocb_def(), t);
		break;
	default:
		break;
	}
}

/* ---- marks ---- */

static void put_slot(const struct frz_call *c, unsigned slot, struct frz_text *t)
{
	const struct frz_sysent *e = frz_sysent(c->abi, c->nr);

	if (slot == FRZ_SLOT_RET)
		frz_text_str(t, "result");
	else if (e && slot < e->nargs)
		frz_text_str(t, e->arg[slot].name);
	else if (slot != FRZ_SLOT_NONE)
		frz_text_u64(t, slot, 10);
}

static void put_victim(const struct frz_file *f, struct frz_text *t)
{
	frz_detail_label(t, "was");
	frz_text_char(t, '{');
	if (f->mask & FRZ_F_MODE)
		frz_text_str(t, frz_file_kind(f, (struct frz_str){ 0 }));
	if (f->mask & FRZ_F_SIZE) {
		frz_text_str(t, " size=");
		frz_text_u64(t, f->size, 10);
	}
	if (f->mask & FRZ_F_INO) {
		frz_text_str(t, " ino=");
		frz_text_u64(t, f->ino, 10);
	}
	if ((f->mask & FRZ_F_NLINK) && f->nlink != 1) {
		frz_text_str(t, " links=");
		frz_text_u64(t, f->nlink, 10);
	}
	frz_text_char(t, '}');
}

static void put_cut(const struct frz_call *c, unsigned slot, uint64_t true_len, struct frz_text *t)
{
	frz_detail_gap(t);
	frz_text_str(t, "cut(");
	put_slot(c, slot, t);
	if (true_len) {
		frz_text_str(t, slot == FRZ_SLOT_NONE ? "of " : " of ");
		frz_text_u64(t, true_len, 10);
	}
	frz_text_char(t, ')');
}

void frz_detail_marks(const struct frz_decoder *d, const struct frz_call *c, struct frz_text *t)
{
	struct frz_cur atts = c->atts;
	struct frz_attachment a, other;

	while (frz_att_next(&atts, &a)) {
		const struct frz_file *f;
		struct frz_str s;

		switch (a.kind) {
		case FRZ_A_CUT:
			put_cut(c, a.slot, frz_take_varint(&a.value), t);
			break;
		case FRZ_A_FAULT:
			frz_detail_gap(t);
			frz_text_str(t, "unreadable(");
			put_slot(c, a.slot, t);
			frz_text_char(t, ')');
			break;
		case FRZ_A_PATH:
		case FRZ_A_STR:
			s = frz_dec_string(d, frz_take_varint(&a.value));
			if (s.cut && !frz_att_find(c, FRZ_A_FAULT, a.slot, &other) &&
			    !frz_att_find(c, FRZ_A_CUT, a.slot, &other))
				put_cut(c, a.slot, s.true_len, t);
			break;
		case FRZ_A_SIGN:
			s = frz_dec_string(d, frz_take_varint(&a.value));
			frz_detail_gap(t);
			put_escaped(t, s.p, s.len);
			break;
		case FRZ_A_VICTIM:
			f = frz_dec_file(d, frz_take_varint(&a.value));
			if (f)
				put_victim(f, t);
			break;
		default:
			break;
		}
	}
}

/* ---- strings ---- */

static void put_list(const struct frz_decoder *d, const struct frz_call *c, unsigned slot,
		     const char *label, struct frz_text *t)
{
	struct frz_attachment a;

	if (!frz_att_find(c, FRZ_A_LIST, slot, &a))
		return;
	frz_detail_label(t, label);
	frz_text_char(t, '[');
	for (bool first = true; frz_cur_left(&a.value) && t->len <= t->cap; first = false) {
		if (!first)
			frz_text_put(t, ", ", 2);
		frz_detail_quoted(t, frz_dec_string(d, frz_take_varint(&a.value)));
	}
	frz_text_char(t, ']');
}

static void put_data(const struct frz_call *c, unsigned slot, struct frz_text *t)
{
	struct frz_attachment a;
	struct frz_str s = { 0 };

	if (!frz_att_find(c, FRZ_A_DATA, slot, &a))
		return;
	s.p = a.value.p;
	s.len = (uint32_t)frz_cur_left(&a.value);
	s.cut = s.len > DATA_SHOWN;
	if (s.cut)
		s.len = DATA_SHOWN;
	frz_detail_label(t, "data");
	frz_detail_quoted(t, s);
}

static void string_args(const struct frz_decoder *d, const struct frz_call *c,
			const struct frz_desc *out, struct frz_text *t)
{
	const struct frz_sysent *e = out->ent;
	const struct frz_numsdef *def;
	const struct frz_member *text;
	unsigned paths = 0;
	struct frz_str s;
	size_t at;

	for (unsigned i = 0; i < e->nargs; i++) {
		const struct frz_argdef *a = frz_argdef(e, i, c->arg);

		switch (a->kind) {
		case FRZ_ARG_PATH:
			frz_detail_passed(d, c, i, paths ? out->path2 : out->path,
					  paths ? "name2" : "name", t);
			paths++;
			break;
		case FRZ_ARG_STR:
			if (string_of(d, c, FRZ_A_STR, i, &s) && !(s.p && s.p == out->path2.p)) {
				frz_detail_label(t, a->name);
				frz_detail_quoted(t, s);
			}
			break;
		case FRZ_ARG_NUMS_IN:
			def = frz_numsdef(a->param);
			text = def ? frz_nums_text(def, c->abi, &at) : NULL;
			if (text && string_of(d, c, FRZ_A_STR, i, &s)) {
				frz_detail_label(t, text->name);
				frz_detail_quoted(t, s);
			}
			break;
		case FRZ_ARG_STRV:
			put_list(d, c, i, a->name, t);
			break;
		case FRZ_ARG_BUF_IN:
		case FRZ_ARG_BUF_OUT:
		case FRZ_ARG_IOV_IN:
		case FRZ_ARG_IOV_OUT:
		case FRZ_ARG_MSG_IN:
		case FRZ_ARG_MSG_OUT:
			put_data(c, i, t);
			break;
		default:
			break;
		}
	}
}

void frz_detail(const struct frz_decoder *d, const struct frz_call *c, const struct frz_desc *out,
		struct frz_text *t)
{
	const struct frz_sysent *e = out->ent;
	bool more = frz_cur_left(&c->atts) != 0;

	if (e->effect == FRZ_FX_MMAP && (c->arg_mask & 0x1e) == 0x1e) {
		put_mmap(e, c, t);
	} else {
		for (unsigned i = 0; i < e->nargs; i++) {
			const struct frz_argdef *a = frz_argdef(e, i, c->arg);

			if (kept(c, i))
				number_arg(c, out, i, a, t);
			if (more)
				memory_arg(d, c, i, a, t);
		}
		if (e->effect == FRZ_FX_FCNTL)
			put_got_flags(c, t);
	}
	if (!more)
		return;
	frz_detail_marks(d, c, t);
	string_args(d, c, out, t);
}
