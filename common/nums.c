/*
 * nums.c - numbers and small structures in a line of detail.
 */
#include "detail.h"
#include "flags.h"

void frz_detail_gap(struct frz_text *t)
{
	if (t->len)
		frz_text_char(t, ' ');
}

void frz_detail_label(struct frz_text *t, const char *name)
{
	frz_detail_gap(t);
	frz_text_str(t, name);
	frz_text_char(t, '=');
}

static int set_of(enum frz_abi abi, int set)
{
	if (abi != FRZ_ABI_AARCH64)
		return set;
	return set == FRZ_SET_OPEN    ? FRZ_SET_OPEN_ARM :
	       set == FRZ_SET_FDFLAGS ? FRZ_SET_FDFLAGS_ARM :
					set;
}

static void put_flags(struct frz_text *t, enum frz_abi abi, int set, uint64_t value)
{
	char tmp[FRZ_DETAIL_MAX];
	size_t n = frz_flags_text(set_of(abi, set), value, tmp, sizeof(tmp));

	frz_text_put(t, tmp, n < sizeof(tmp) ? n : sizeof(tmp) - 1);
}

void frz_detail_flags(struct frz_text *t, enum frz_abi abi, int set, uint64_t value)
{
	if (!value && !frz_flag_name(set_of(abi, set), 0))
		return; /* no flags, and no name for that */
	frz_detail_gap(t);
	put_flags(t, abi, set, value);
}

void frz_detail_number(struct frz_text *t, enum frz_abi abi, unsigned kind, int set, int64_t v)
{
	switch (kind) {
	case FRZ_ARG_FLAGS:
	case FRZ_ARG_ENUM:
		put_flags(t, abi, set, (uint64_t)v);
		break;
	case FRZ_ARG_MODE:
		if (v & 0xf000) {
			put_flags(t, abi, FRZ_SET_FILETYPE, (uint64_t)v & 0xf000);
			frz_text_char(t, '|');
		}
		frz_text_char(t, '0');
		if (v & 07777)
			frz_text_u64(t, (uint64_t)v & 07777, 8);
		break;
	case FRZ_ARG_HEX:
		frz_text_hex(t, (uint64_t)v);
		break;
	case FRZ_ARG_ULONG:
		frz_text_u64(t, (uint64_t)v, 10);
		break;
	default:
		frz_text_i64(t, v);
	}
}

/* wait(2)'s status word. */
static void put_wait_status(struct frz_text *t, uint32_t s)
{
	if ((s & 0x7f) == 0) {
		frz_text_str(t, "exit ");
		frz_text_u64(t, s >> 8 & 0xff, 10);
	} else if (s == 0xffff) {
		frz_text_str(t, "continued");
	} else {
		frz_text_str(t, (s & 0xff) == 0x7f ? "stopped " : "killed ");
		put_flags(t, FRZ_ABI_X86_64, FRZ_SET_SIGNAL,
			  (s & 0xff) == 0x7f ? s >> 8 & 0xff : s & 0x7f);
		if ((s & 0xff) != 0x7f && (s & 0x80))
			frz_text_str(t, " core");
	}
}

/* Shown without its name: the value speaks for itself. */
static bool speaks(const struct frz_member *m)
{
	return (m->kind == FRZ_ARG_FLAGS && !strcmp(m->name, "flags")) ||
	       (m->kind == FRZ_ARG_ENUM && (!strcmp(m->name, "op") || !strcmp(m->name, "type"))) ||
	       m->kind == FRZ_ARG_MODE;
}

/* Zero in an address, a set of flags, a mode says nothing. */
static bool silent(const struct frz_member *m, int64_t v)
{
	return v == 0 && (m->kind == FRZ_ARG_HEX || m->kind == FRZ_ARG_MODE ||
			  (m->kind == FRZ_ARG_FLAGS && strcmp(m->name, "flags")));
}

/* One structure's members, blanks between; stops where the numbers end. */
static void put_members(const struct frz_numsdef *def, enum frz_abi abi, struct frz_cur *nums,
			struct frz_text *t)
{
	bool first = true;

	for (unsigned i = 0; i < def->nfields && frz_cur_left(nums); i++) {
		const struct frz_member *m = &def->field[i];
		int64_t v;

		if (!frz_member_is_number(m) || !m->size[abi])
			continue;
		v = frz_take_zigzag(nums);
		if (silent(m, v))
			continue;
		if (!first)
			frz_text_char(t, ' ');
		first = false;
		if (!speaks(m)) {
			frz_text_str(t, m->name);
			frz_text_char(t, '=');
		}
		frz_detail_number(t, abi, m->kind, m->param, v);
	}
}

static void put_array(const struct frz_numsdef *def, enum frz_abi abi, struct frz_cur *nums,
		      struct frz_text *t)
{
	const struct frz_member *m = def->field;

	frz_text_char(t, '[');
	for (bool first = true; frz_cur_left(nums); first = false) {
		if (!first)
			frz_text_char(t, ',');
		if (def->nmembers == 1) {
			frz_detail_number(t, abi, m->kind, m->param, frz_take_zigzag(nums));
			continue;
		}
		frz_text_char(t, '{');
		put_members(def, abi, nums, t);
		frz_text_char(t, '}');
	}
	frz_text_char(t, ']');
}

void frz_detail_nums(const struct frz_call *c, unsigned slot, const char *label,
		     const struct frz_numsdef *def, struct frz_text *t)
{
	struct frz_attachment a;
	enum frz_abi abi = c->abi;

	if (!def || !frz_att_find(c, FRZ_A_NUMS, slot, &a) || !frz_cur_left(&a.value))
		return;
	if (def == frz_numsdef(FRZ_STRUCT_OPEN_HOW) || def == frz_numsdef(FRZ_STRUCT_CLONE_ARGS)) {
		frz_detail_gap(t);
		put_members(def, abi, &a.value, t);
		return;
	}
	if (def == frz_numsdef(FRZ_STRUCT_WSTATUS)) {
		if (c->ret <= 0)
			return; /* nothing was waited for */
		frz_detail_gap(t);
		put_wait_status(t, (uint32_t)frz_take_zigzag(&a.value));
		return;
	}
	if (def == frz_numsdef(FRZ_STRUCT_SOCKOPT) && c->arg[4] != 4)
		return; /* a structure, not a number */
	frz_detail_label(t, label);
	if (def->count_slot != -1 || def == frz_iocb_def()) {
		put_array(def, abi, &a.value, t);
	} else if (def->nmembers == 1) {
		const struct frz_member *m = def->field;

		while (!frz_member_is_number(m))
			m++;
		frz_detail_number(t, abi, m->kind, m->param, frz_take_zigzag(&a.value));
	} else {
		frz_text_char(t, '{');
		put_members(def, abi, &a.value, t);
		frz_text_char(t, '}');
	}
}

void frz_detail_fdset(const struct frz_call *c, unsigned slot, const char *label,
		      struct frz_text *t)
{
	struct frz_attachment a;

	if (!frz_att_find(c, FRZ_A_NUMS, slot, &a))
		return;
	frz_detail_label(t, label);
	frz_text_char(t, '[');
	for (bool first = true; frz_cur_left(&a.value); first = false) {
		if (!first)
			frz_text_char(t, ',');
		frz_text_i64(t, frz_take_zigzag(&a.value));
	}
	frz_text_char(t, ']');
}

/* struct file_handle: length, type, bytes that mean something to the file system alone. */
void frz_detail_handle(const struct frz_call *c, unsigned slot, const char *label,
		       struct frz_text *t)
{
	struct frz_attachment a;

	if (!frz_att_find(c, FRZ_A_DATA, slot, &a) || frz_cur_left(&a.value) < 8)
		return;
	frz_detail_label(t, label);
	frz_text_str(t, "{type=");
	frz_text_i64(t, (int32_t)frz_get32(a.value.p + 4));
	frz_text_char(t, ' ');
	for (const uint8_t *p = a.value.p + 8; p < a.value.end; p++) {
		frz_text_char(t, "0123456789abcdef"[*p >> 4]);
		frz_text_char(t, "0123456789abcdef"[*p & 15]);
	}
	frz_text_char(t, '}');
}
