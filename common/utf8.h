/* utf8.h - is a text UTF-8, what stands for the bytes that are not, and which characters deceive. */
#ifndef FRZ_UTF8_H
#define FRZ_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Length of the well-formed character (RFC 3629) at p, 1 to 4; 0 when there is none.
 * *c gets its code point. */
static inline unsigned utf8_char(const uint8_t *p, size_t n, uint32_t *c)
{
	unsigned len;
	uint32_t v;

	if (n == 0)
		return 0;
	if (p[0] < 0x80) {
		*c = p[0];
		return 1;
	}
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	len = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	if (len > n)
		return 0;
	v = p[0] & (0x7fu >> len);
	for (unsigned i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		v = v << 6 | (p[i] & 0x3f);
	}
	if ((len == 3 && (v < 0x800 || (v >= 0xd800 && v < 0xe000))) ||
	    (len == 4 && (v < 0x10000 || v > 0x10ffff)))
		return 0;
	*c = v;
	return len;
}

/* Characters that are not seen, or that move or hide what stands around them: C1 controls, line and
 * paragraph separators, zero-width and bidirectional marks, annotations, tags. */
static inline bool utf8_deceives(uint32_t c)
{
	return (c >= 0x80 && c <= 0x9f) || c == 0xad || c == 0x61c || c == 0x180e ||
	       (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
	       (c >= 0x2060 && c <= 0x206f) || c == 0xfeff || (c >= 0xfff9 && c <= 0xfffb) ||
	       (c >= 0xe0000 && c <= 0xe007f);
}

/* All of it UTF-8, and no NUL. */
static inline bool utf8_clean(const uint8_t *p, size_t n)
{
	size_t i = 0;
	uint32_t c;

	while (i < n) {
		unsigned len;

		if (p[i] && p[i] < 0x80) {
			i++;
			continue;
		}
		len = utf8_char(p + i, n - i, &c);
		if (!len || !c)
			return false;
		i += len;
	}
	return true;
}

/* Copies p with NUL and bytes that are not UTF-8 as \xNN; out needs 4n bytes. The length. */
static inline size_t utf8_repair(const uint8_t *p, size_t n, char *out)
{
	static const char hex[] = "0123456789abcdef";
	size_t i = 0, o = 0;
	uint32_t c;

	while (i < n) {
		unsigned len = utf8_char(p + i, n - i, &c);

		if (len && c) {
			while (len--)
				out[o++] = (char)p[i++];
			continue;
		}
		out[o++] = '\\';
		out[o++] = 'x';
		out[o++] = hex[p[i] >> 4];
		out[o++] = hex[p[i] & 15];
		i++;
	}
	return o;
}

#endif
