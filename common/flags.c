/*
 * flags.c - sets of flags and of single values to text.
 */
#include "flags.h"

#include <string.h>

#include "describe.h"
#include "sysent.h"
#include "textbuf.h"

struct frz_flag {
	const char *name; /* NULL: values of the set `ref` */
	uint64_t value, mask;
	int ref;
};

struct frz_flag_set {
	const char *name;
	bool is_enum;
	unsigned count;
	const struct frz_flag *first;
};

#define FRZ_GEN_FLAGS
#define FRZ_GEN_NAMES
#include "syscalls.inc"

#define NSETS ((int)(sizeof(frz_flag_sets) / sizeof(frz_flag_sets[0])))

static void put_name(struct frz_text *t, const char *name)
{
	if (t->len)
		frz_text_char(t, '|');
	frz_text_str(t, name);
}

static const struct frz_flag_set *set_at(int set)
{
	return set >= 0 && set < NSETS ? &frz_flag_sets[set] : NULL;
}

const char *frz_flag_name(int set, uint64_t value)
{
	const struct frz_flag_set *s = set_at(set);

	for (unsigned i = 0; s && i < s->count; i++)
		if (s->first[i].name && (value & s->first[i].mask) == s->first[i].value)
			return s->first[i].name;
	return NULL;
}

static void put_bits(struct frz_text *t, const struct frz_flag_set *s, uint64_t value)
{
	uint64_t rest = value;

	for (const struct frz_flag *f = s->first; f < s->first + s->count; f++) {
		if (!f->name) {
			const char *name =
				(rest & f->mask) ? frz_flag_name(f->ref, rest & f->mask) : NULL;

			if (name) {
				put_name(t, name);
				rest &= ~f->mask;
			}
		} else if ((value & f->mask) == f->value &&
			   (!f->value || (rest & f->value) == f->value)) {
			put_name(t, f->name);
			rest &= ~f->mask;
		}
	}
	if (rest) {
		if (t->len)
			frz_text_char(t, '|');
		frz_text_hex(t, rest);
	}
	if (!t->len)
		frz_text_char(t, '0');
}

size_t frz_flags_text(int set, uint64_t value, char *out, size_t cap)
{
	const struct frz_flag_set *s = set_at(set);
	struct frz_text t = frz_text_of(out, cap);
	const char *name;

	if (!s)
		frz_text_hex(&t, value);
	else if (!s->is_enum)
		put_bits(&t, s, value);
	else if ((name = frz_flag_name(set, value)))
		put_name(&t, name);
	else if (value < 10000)
		frz_text_u64(&t, value, 10);
	else
		frz_text_hex(&t, value);
	return frz_text_end(&t, cap);
}

int frz_flag_set(const char *name)
{
	for (int i = 0; i < NSETS; i++)
		if (!strcmp(frz_flag_sets[i].name, name))
			return i;
	return -1;
}

bool frz_flag_value(int set, const char *name, uint64_t *value)
{
	const struct frz_flag_set *s = set_at(set);

	for (unsigned i = 0; s && i < s->count; i++) {
		if (s->first[i].name && !strcmp(s->first[i].name, name)) {
			*value = s->first[i].value;
			return true;
		}
	}
	return false;
}

const char *frz_errno_name(int err)
{
	size_t n = sizeof(frz_errno_names) / sizeof(frz_errno_names[0]);

	return err > 0 && (size_t)err < n ? frz_errno_names[err] : NULL;
}

const char *frz_uring_op_name(unsigned opcode)
{
	return opcode < sizeof(frz_uring_names) / sizeof(frz_uring_names[0]) ?
		       frz_uring_names[opcode] :
		       NULL;
}

const char *frz_family_name(unsigned family)
{
	return family < sizeof(frz_family_names) / sizeof(frz_family_names[0]) ?
		       frz_family_names[family] :
		       NULL;
}
