/*
 * textbuf.h - text into memory of a fixed size: what does not fit is counted and left out.
 */
#ifndef FRZ_TEXTBUF_H
#define FRZ_TEXTBUF_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct frz_text {
	char *p;
	size_t len; /* that everything put would have */
	size_t cap; /* room without the terminating NUL */
};

static inline struct frz_text frz_text_of(char *out, size_t cap)
{
	return (struct frz_text){ out, 0, cap ? cap - 1 : 0 };
}

static inline void frz_text_put(struct frz_text *t, const void *s, size_t n)
{
	if (n && t->len < t->cap)
		memcpy(t->p + t->len, s, n < t->cap - t->len ? n : t->cap - t->len);
	t->len += n;
}

static inline void frz_text_str(struct frz_text *t, const char *s)
{
	frz_text_put(t, s, strlen(s));
}

static inline void frz_text_char(struct frz_text *t, char c)
{
	if (t->len < t->cap)
		t->p[t->len] = c;
	t->len++;
}

/* base 8, 10 or 16; no prefix */
static inline void frz_text_u64(struct frz_text *t, uint64_t v, unsigned base)
{
	char tmp[24];
	size_t n = sizeof(tmp);

	do {
		tmp[--n] = "0123456789abcdef"[v % base];
		v /= base;
	} while (v);
	frz_text_put(t, tmp + n, sizeof(tmp) - n);
}

static inline void frz_text_hex(struct frz_text *t, uint64_t v)
{
	frz_text_put(t, "0x", 2);
	frz_text_u64(t, v, 16);
}

static inline void frz_text_i64(struct frz_text *t, int64_t v)
{
	if (v < 0)
		frz_text_char(t, '-');
	frz_text_u64(t, v < 0 ? -(uint64_t)v : (uint64_t)v, 10);
}

/* Terminates what fits; out had at least one byte unless cap was 0 at the start. */
static inline size_t frz_text_end(struct frz_text *t, size_t cap)
{
	if (cap)
		t->p[t->len < t->cap ? t->len : t->cap] = '\0';
	return t->len;
}

#endif
