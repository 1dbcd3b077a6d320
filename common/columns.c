/*
 * columns.c - cutting records into columns of alike bytes, and joining them.
 *
 * A body is a row of tokens: a token ends with a byte below 0x80 or with the body, so that a
 * varint is one token and any other bytes are some. Token k goes to column k of the record's
 * class, everything from the last column on to that one.
 */
#include "columns.h"

struct class
{
	uint8_t first; /* its column of lengths; its tokens' columns follow */
	uint8_t tokens;
};

enum {
	FIRST_STRING = 0,
	FIRST_DECL = FIRST_STRING + 1 + FRZ_TOKENS_STRING,
	FIRST_EVENT = FIRST_DECL + 1 + FRZ_TOKENS_DECL,
	FIRST_NOTE = FIRST_EVENT + 1 + FRZ_TOKENS_EVENT,
};

static const struct class classes[] = {
	{ FIRST_STRING, FRZ_TOKENS_STRING },
	{ FIRST_DECL, FRZ_TOKENS_DECL },
	{ FIRST_EVENT, FRZ_TOKENS_EVENT },
	{ FIRST_NOTE, FRZ_TOKENS_NOTE },
};

static const struct class *class_of(uint8_t type)
{
	if (type < 0x03)
		return &classes[0];
	if (type < 0x80)
		return &classes[1];
	return type < 0xc0 ? &classes[2] : &classes[3];
}

/* Where the token at p ends, end at the latest. */
static const uint8_t *token_end(const uint8_t *p, const uint8_t *end)
{
	while (p < end && *p++ >= 0x80)
		;
	return p;
}

bool frz_columns_count(struct frz_columns *c, const uint8_t *rec, size_t n)
{
	struct frz_cur cur = frz_cur_of(rec, n);
	uint8_t type = frz_take8(&cur);
	const struct class *k = class_of(type);
	uint64_t len = frz_take_varint(&cur);
	const uint8_t *p = cur.p;

	if (type == 0 || cur.bad || len != frz_cur_left(&cur) || len > FRZ_RECORD_MAX)
		return false;
	c->records++;
	c->len[k->first] += (size_t)(p - rec) - 1;
	for (unsigned t = 1; t < k->tokens && p < cur.end; t++) {
		const uint8_t *e = token_end(p, cur.end);

		c->len[k->first + t] += (size_t)(e - p);
		p = e;
	}
	c->len[k->first + k->tokens] += (size_t)(cur.end - p);
	return true;
}

static uint8_t *put(uint8_t *to, const uint8_t *p, const uint8_t *end)
{
	while (p < end)
		*to++ = *p++;
	return to;
}

void frz_columns_split(const struct frz_columns *c, const uint8_t *r, size_t n, uint8_t *out)
{
	struct frz_cur cur = frz_cur_of(r, n);
	uint8_t *types = out, *col[FRZ_COLUMNS];

	out += c->records;
	for (unsigned i = 0; i < FRZ_COLUMNS; i++) {
		col[i] = out;
		out += c->len[i];
	}
	while (cur.p < cur.end) {
		uint8_t type = frz_take8(&cur);
		const struct class *k = class_of(type);
		const uint8_t *p = cur.p;
		uint64_t len = frz_take_varint(&cur);
		const uint8_t *end = cur.p + len;

		*types++ = type;
		col[k->first] = put(col[k->first], p, cur.p);
		p = cur.p;
		for (unsigned t = 1; t < k->tokens && p < end; t++) {
			const uint8_t *e = token_end(p, end);

			col[k->first + t] = put(col[k->first + t], p, e);
			p = e;
		}
		if (p < end)
			memcpy(col[k->first + k->tokens], p, (size_t)(end - p));
		col[k->first + k->tokens] += end - p;
		cur.p = end;
	}
}

/* Moves one token of at most max bytes; returns its length, 0 when the column has none. */
static size_t move_token(struct frz_cur *col, uint8_t *out, size_t max)
{
	size_t left = frz_cur_left(col), n = 0;

	if (max > left)
		max = left;
	while (n < max) {
		uint8_t b = col->p[n];

		out[n++] = b;
		if (b < 0x80)
			break;
	}
	col->p += n;
	return n;
}

bool frz_columns_join(const uint8_t *types, size_t records, struct frz_cur col[FRZ_COLUMNS],
		      uint8_t *out)
{
	for (size_t i = 0; i < records; i++) {
		const struct class *k = class_of(types[i]);
		struct frz_cur *c = &col[k->first];
		const uint8_t *p = c->p;
		uint64_t len = frz_take_varint(c);
		size_t left = (size_t)len;

		if (c->bad || len > FRZ_RECORD_MAX)
			return false;
		*out++ = types[i];
		out = put(out, p, c->p);
		for (unsigned t = 1; t < k->tokens && left; t++) {
			size_t n = move_token(&col[k->first + t], out, left);

			/* a token cut by its column's end, and not by its record's */
			if (n == 0 || (n < left && out[n - 1] >= 0x80))
				return false;
			out += n;
			left -= n;
		}
		if (left) {
			p = frz_take(&col[k->first + k->tokens], left);
			if (!p)
				return false;
			memcpy(out, p, left);
			out += left;
		}
	}
	for (unsigned i = 0; i < FRZ_COLUMNS; i++)
		if (frz_cur_left(&col[i]))
			return false;
	return true;
}
