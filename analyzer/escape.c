/* escape.c - one value as text, CSV, JSON or HTML: hostile bytes made harmless. */
#include <string.h>

#include "output.h"
#include "utf8.h"

/* Characters that a terminal or a reader's eye must not be given as they are. */
static bool harmful(uint32_t c) { return c < 0x20 || c == 0x7f || utf8_deceives(c); }

/* How many bytes from p on are printable ASCII. */
static size_t plain(const uint8_t *p, size_t n)
{
	size_t i = 0;

	while (i < n && p[i] >= 0x20 && p[i] < 0x7f)
		i++;
	return i;
}

/* The escape of the character (or stray byte) at p in out, at least 16 bytes. */
static int spelled(const uint8_t *p, unsigned len, uint32_t c, char *out)
{
	if (!len)
		return snprintf(out, 16, "\\x%02x", *p);
	if (c == '\n' || c == '\t' || c == '\r')
		return snprintf(out, 16, "\\%c", c == '\n' ? 'n' : c == '\t' ? 't' : 'r');
	if (c < 0x80)
		return snprintf(out, 16, "\\x%02x", (unsigned)c);
	return snprintf(out, 16, "\\u{%x}", (unsigned)c);
}

size_t output_escape(const char *text, size_t n, char *out, size_t cap)
{
	const uint8_t *p = (const uint8_t *)text;
	size_t o = plain(p, n), i = o;

	if (o < cap)
		memcpy(out, p, o);
	else if (cap)
		memcpy(out, p, cap - 1);
	while (i < n) {
		uint32_t c = 0;
		unsigned len = utf8_char(p + i, n - i, &c);
		char tmp[16];
		const char *from = (const char *)p + i;
		size_t m = len;

		if (!len || harmful(c)) {
			m = (size_t)spelled(p + i, len, c, tmp);
			from = tmp;
		}
		if (o + m < cap)
			memcpy(out + o, from, m);
		else if (o < cap)
			cap = o + 1; /* no half characters */
		o += m;
		i += len ? len : 1;
	}
	if (cap)
		out[o < cap ? o : cap - 1] = '\0';
	return o;
}

static void put_escaped(FILE *f, const uint8_t *p, size_t n)
{
	size_t i = plain(p, n);

	fwrite(p, 1, i, f);
	while (i < n) {
		uint32_t c = 0;
		unsigned len = utf8_char(p + i, n - i, &c);
		char tmp[16];

		if (!len || harmful(c)) {
			fwrite(tmp, 1, (size_t)spelled(p + i, len, c, tmp), f);
			i += len ? len : 1;
		} else {
			fwrite(p + i, 1, len, f);
			i += len;
		}
	}
}

void output_csv(FILE *f, const char *p, size_t n, bool tty)
{
	bool quote = n == 0 || p[0] == ' ' || p[n - 1] == ' ';

	for (size_t i = 0; i < n && !quote; i++)
		quote = p[i] == ',' || p[i] == '"' || p[i] == '\n' || p[i] == '\r';
	if (!quote) {
		if (tty)
			put_escaped(f, (const uint8_t *)p, n);
		else
			fwrite(p, 1, n, f);
		return;
	}
	putc('"', f);
	for (size_t i = 0, from = 0; i <= n; i++) {
		if (i < n && p[i] != '"')
			continue;
		if (tty)
			put_escaped(f, (const uint8_t *)p + from, i - from);
		else
			fwrite(p + from, 1, i - from, f);
		if (i < n)
			fputs("\"\"", f);
		from = i + 1;
	}
	putc('"', f);
}

void output_json(FILE *f, const char *text, size_t n)
{
	const uint8_t *p = (const uint8_t *)text;
	size_t i = 0, from = 0;

	putc('"', f);
	while (i < n) {
		uint32_t c = 0;
		unsigned len;

		if (p[i] >= 0x20 && p[i] < 0x7f && p[i] != '"' && p[i] != '\\') {
			i++;
			continue;
		}
		len = utf8_char(p + i, n - i, &c);
		if (len > 1 && !harmful(c)) {
			i += len;
			continue;
		}
		fwrite(p + from, 1, i - from, f);
		if (!len)
			fprintf(f, "\\ufffd");
		else if (c == '"' || c == '\\')
			fprintf(f, "\\%c", (int)c);
		else if (c == '\n')
			fputs("\\n", f);
		else if (c < 0x10000)
			fprintf(f, "\\u%04x", (unsigned)c);
		else
			fprintf(f, "\\u%04x\\u%04x", 0xd7c0u + (unsigned)(c >> 10),
				0xdc00u + (unsigned)(c & 0x3ff));
		i += len ? len : 1;
		from = i;
	}
	fwrite(p + from, 1, i - from, f);
	putc('"', f);
}

void output_html(FILE *f, const char *text, size_t n)
{
	const uint8_t *p = (const uint8_t *)text;
	size_t i = 0;

	while (i < n) {
		uint32_t c = 0;
		unsigned len = utf8_char(p + i, n - i, &c);

		switch (len ? c : 0) {
		case '&':
			fputs("&amp;", f);
			break;
		case '<':
			fputs("&lt;", f);
			break;
		case '>':
			fputs("&gt;", f);
			break;
		case '"':
			fputs("&quot;", f);
			break;
		case '\'':
			fputs("&#39;", f);
			break;
		default:
			put_escaped(f, p + i, len ? len : 1);
			break;
		}
		i += len ? len : 1;
	}
}
