/*
 * flags.c - sets of flags and of single values to text.
 */
#include "flags.h"

#include <string.h>

#include "sysent.h"

struct frz_flag {
	const char *name;       /* NULL: values of the set `ref` */
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

struct text {
	char *p;
	size_t len, cap;
};

static void put(struct text *t, const char *s, size_t n)
{
	if (t->len < t->cap)
		memcpy(t->p + t->len, s, n < t->cap - t->len ? n : t->cap - t->len);
	t->len += n;
}

static void put_name(struct text *t, const char *name)
{
	if (t->len)
		put(t, "|", 1);
	put(t, name, strlen(name));
}

static void put_number(struct text *t, uint64_t v, unsigned base)
{
	char tmp[20];
	size_t n = sizeof(tmp);

	do {
		tmp[--n] = "0123456789abcdef"[v % base];
		v /= base;
	} while (v);
	if (base == 16)
		put(t, "0x", 2);
	put(t, tmp + n, sizeof(tmp) - n);
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

static void put_bits(struct text *t, const struct frz_flag_set *s, uint64_t value)
{
	uint64_t rest = value;

	for (const struct frz_flag *f = s->first; f < s->first + s->count; f++) {
		if (!f->name) {
			const char *name = (rest & f->mask) ? frz_flag_name(f->ref, rest & f->mask) : NULL;

			if (name) {
				put_name(t, name);
				rest &= ~f->mask;
			}
		} else if ((value & f->mask) == f->value && (!f->value || (rest & f->value) == f->value)) {
			put_name(t, f->name);
			rest &= ~f->mask;
		}
	}
	if (rest) {
		if (t->len)
			put(t, "|", 1);
		put_number(t, rest, 16);
	}
	if (!t->len)
		put(t, "0", 1);
}

size_t frz_flags_text(int set, uint64_t value, char *out, size_t cap)
{
	const struct frz_flag_set *s = set_at(set);
	struct text t = { out, 0, cap ? cap - 1 : 0 };
	const char *name;

	if (!s)
		put_number(&t, value, 16);
	else if (!s->is_enum)
		put_bits(&t, s, value);
	else if ((name = frz_flag_name(set, value)))
		put_name(&t, name);
	else
		put_number(&t, value, value < 10000 ? 10 : 16);
	if (cap)
		out[t.len < t.cap ? t.len : t.cap] = '\0';
	return t.len;
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
	return opcode < sizeof(frz_uring_names) / sizeof(frz_uring_names[0]) ? frz_uring_names[opcode] : NULL;
}
