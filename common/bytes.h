/*
 * bytes.h - integers to and from bytes, by shifts; a cursor to read, a buffer to write.
 *
 * A varint is LEB128: seven bits a byte, lowest first, at most ten bytes, the last
 * byte non-zero unless it is the only one (one spelling for each number).
 * zigzag maps signed to unsigned so that small magnitudes stay short.
 */
#ifndef FRZ_BYTES_H
#define FRZ_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define FRZ_VARINT_MAX 10

static inline void frz_put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}

static inline void frz_put32(uint8_t *p, uint32_t v)
{
	frz_put16(p, (uint16_t)v);
	frz_put16(p + 2, (uint16_t)(v >> 16));
}

static inline void frz_put64(uint8_t *p, uint64_t v)
{
	frz_put32(p, (uint32_t)v);
	frz_put32(p + 4, (uint32_t)(v >> 32));
}

static inline uint16_t frz_get16(const uint8_t *p) { return (uint16_t)(p[0] | p[1] << 8); }

static inline uint32_t frz_get32(const uint8_t *p)
{
	return (uint32_t)frz_get16(p) | (uint32_t)frz_get16(p + 2) << 16;
}

static inline uint64_t frz_get64(const uint8_t *p)
{
	return (uint64_t)frz_get32(p) | (uint64_t)frz_get32(p + 4) << 32;
}

static inline uint64_t frz_zigzag(int64_t v) { return ((uint64_t)v << 1) ^ (uint64_t)(v >> 63); }

static inline int64_t frz_unzigzag(uint64_t v) { return (int64_t)(v >> 1) ^ -(int64_t)(v & 1); }

/* What fits, and a + b or what is nearest to it: numbers in a case are hostile. */
static inline int64_t frz_i64(uint64_t v) { return v > INT64_MAX ? INT64_MAX : (int64_t)v; }

static inline int64_t frz_add(int64_t a, int64_t b)
{
	int64_t sum;

	if (__builtin_add_overflow(a, b, &sum))
		return a < 0 ? INT64_MIN : INT64_MAX;
	return sum;
}

/* Writes v at p, which has room for FRZ_VARINT_MAX bytes; returns the bytes used. */
static inline size_t frz_put_varint(uint8_t *p, uint64_t v)
{
	size_t n = 0;

	while (v >= 0x80) {
		p[n++] = (uint8_t)(v | 0x80);
		v >>= 7;
	}
	p[n++] = (uint8_t)v;
	return n;
}

/* A reader over memory it does not own. After the first bad read `bad` stays set, nothing
 * is left, everything read is 0, and nothing beyond `end` is ever touched. */
struct frz_cur {
	const uint8_t *p;
	const uint8_t *end;
	bool bad;
};

static inline struct frz_cur frz_cur_of(const void *p, size_t n)
{
	return (struct frz_cur){ .p = p, .end = (const uint8_t *)p + n, .bad = false };
}

static inline size_t frz_cur_left(const struct frz_cur *c) { return (size_t)(c->end - c->p); }

static inline void frz_cur_fail(struct frz_cur *c)
{
	c->bad = true;
	c->p = c->end;
}

/* n bytes, or NULL (and bad) when fewer are left. */
static inline const uint8_t *frz_take(struct frz_cur *c, uint64_t n)
{
	const uint8_t *p = c->p;

	if (c->bad || n > frz_cur_left(c)) {
		frz_cur_fail(c);
		return NULL;
	}
	c->p += n;
	return p;
}

static inline uint8_t frz_take8(struct frz_cur *c)
{
	const uint8_t *p = frz_take(c, 1);
	return p ? *p : 0;
}

static inline uint64_t frz_take_long_varint(struct frz_cur *c)
{
	uint64_t v = 0;

	for (unsigned shift = 0; shift <= 63; shift += 7) {
		uint8_t b = frz_take8(c);

		if (c->bad)
			return 0;
		if ((shift == 63 && b > 1) || (b == 0 && shift != 0))
			break;
		v |= (uint64_t)(b & 0x7f) << shift;
		if (!(b & 0x80))
			return v;
	}
	frz_cur_fail(c);
	return 0;
}

static inline uint64_t frz_take_varint(struct frz_cur *c)
{
	if (c->p < c->end && *c->p < 0x80)
		return *c->p++;
	return frz_take_long_varint(c);
}

static inline int64_t frz_take_zigzag(struct frz_cur *c)
{
	return frz_unzigzag(frz_take_varint(c));
}

/* A writer into memory it does not own. When something does not fit, `full` is set
 * and stays set, and nothing is written. */
struct frz_buf {
	uint8_t *p;
	size_t len;
	size_t cap;
	bool full;
};

static inline void frz_buf_bytes(struct frz_buf *b, const void *src, size_t n)
{
	if (b->full || n > b->cap - b->len) {
		b->full = true;
		return;
	}
	if (n)
		memcpy(b->p + b->len, src, n);
	b->len += n;
}

static inline void frz_buf_u8(struct frz_buf *b, uint8_t v)
{
	if (b->full || b->len == b->cap)
		b->full = true;
	else
		b->p[b->len++] = v;
}

static inline void frz_buf_varint(struct frz_buf *b, uint64_t v)
{
	uint8_t tmp[FRZ_VARINT_MAX];

	if (!b->full && b->cap - b->len >= FRZ_VARINT_MAX)
		b->len += frz_put_varint(b->p + b->len, v);
	else
		frz_buf_bytes(b, tmp, frz_put_varint(tmp, v));
}

static inline void frz_buf_zigzag(struct frz_buf *b, int64_t v)
{
	frz_buf_varint(b, frz_zigzag(v));
}

#endif
