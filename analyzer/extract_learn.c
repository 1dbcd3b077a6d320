/* extract_learn.c - shows the rules all that a case tells (contract in extract_private.h). */
#include "extract_private.h"

/* The name within the address of a Unix socket. */
static bool learn_sockaddr(struct rules *r, const uint8_t *p, size_t n)
{
	return n < 3 || frz_get16(p) != FRZ_AF_UNIX ||
	       rules_learn_list(r, p + 2, n - 2, n >= FRZ_SUN_MAX);
}

static bool learn_file(struct rules *r, const struct frz_file *f)
{
	return !f || (learn_sockaddr(r, f->sock.local, f->sock.local_len) &&
		      learn_sockaddr(r, f->sock.peer, f->sock.peer_len));
}

static bool learn_call(struct rules *r, const struct frz_decoder *d, const struct frz_call *call)
{
	struct frz_cur atts = call->atts;
	struct frz_attachment a, dir;
	bool good = true;

	while (good && frz_att_next(&atts, &a)) {
		if (a.kind == FRZ_A_ADDR)
			good = learn_sockaddr(r, a.value.p, frz_cur_left(&a.value));
		if (a.kind == FRZ_A_PATH && frz_att_find(call, FRZ_A_DIR, a.slot, &dir)) {
			struct frz_str s = frz_dec_string(d, frz_take_varint(&a.value));
			struct frz_str in = frz_dec_string(d, frz_take_varint(&dir.value));

			good = rules_learn_path(r, in.p, in.len, s.p, s.len, s.cut);
		}
	}
	return good;
}

static bool learn_context(struct rules *r, struct frz_cur c)
{
	bool good = true;

	frz_take_varint(&c);
	frz_take_varint(&c);
	while (good && c.p != c.end) {
		uint64_t n;
		const uint8_t *p;

		frz_take_varint(&c);
		n = frz_take_varint(&c);
		p = frz_take(&c, n);
		/* a list or one string, which has no NUL; that it was cut is told behind it */
		good = !p || rules_learn_list(r, p, (size_t)n, false);
	}
	return good;
}

bool extract_learn(struct rules *r, const struct frz_decoder *d, const struct frz_record *rec)
{
	struct frz_str s;

	switch (rec->type) {
	case FRZ_R_STRING:
	case FRZ_R_STRING_CUT:
		s = frz_dec_string(d, rec->u.number);
		return rules_learn(r, s.p, s.len, s.cut);
	case FRZ_R_FILE:
		return learn_file(r, frz_dec_file(d, rec->u.number));
	case FRZ_R_SYSCALL:
	case FRZ_R_URING:
		return learn_call(r, d, &rec->u.call);
	case FRZ_R_CONTEXT:
		return learn_context(r, rec->body);
	default:
		return true;
	}
}

bool extract_learn_genesis(struct rules *r, const struct frz_block *genesis)
{
	static const enum frz_key keys[] = { FRZ_K_EXHIBIT, FRZ_K_EXAMINER, FRZ_K_NOTE,
					     FRZ_K_ARGV };
	const uint8_t *p;
	size_t n;

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (frz_field_bytes(genesis, keys[i], &p, &n) && !rules_learn_list(r, p, n, false))
			return false;
	return true;
}
