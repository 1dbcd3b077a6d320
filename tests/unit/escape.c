/* escape.c - hostile values as text, CSV, JSON and HTML. */
#include "output.h"
#include "tap.h"
#include "utf8.h"

static char *written(void (*put)(FILE *f, const char *p, size_t n), const char *p, size_t n)
{
	static char buf[4096];
	FILE *f = fmemopen(buf, sizeof(buf) - 1, "w");

	memset(buf, 0, sizeof(buf));
	put(f, p, n);
	fclose(f);
	return buf;
}

static void csv(FILE *f, const char *p, size_t n) { output_csv(f, p, n, false); }

static void csv_tty(FILE *f, const char *p, size_t n) { output_csv(f, p, n, true); }

#define BYTES(s) s, sizeof(s) - 1

static void text(void)
{
	static const struct {
		const char *in;
		size_t n;
		const char *out;
	} row[] = {
		{ BYTES("plain name"), "plain name" },
		{ BYTES("a\nb\tc\rd"), "a\\nb\\tc\\rd" },
		{ BYTES("\033[31mred\033[0m"), "\\x1b[31mred\\x1b[0m" },
		{ BYTES("\0\001\177"), "\\x00\\x01\\x7f" },
		{ BYTES("\302\23331m"), "\\u{9b}31m" },			      /* C1: CSI in UTF-8 */
		{ BYTES("evil\342\200\256gpj.exe"), "evil\\u{202e}gpj.exe" }, /* RLO */
		{ BYTES("\342\200\213x\357\273\277"), "\\u{200b}x\\u{feff}" },
		{ BYTES("\377\376ok\303"), "\\xff\\xfeok\\xc3" },
		{ BYTES("\300\200"), "\\xc0\\x80" },	      /* overlong */
		{ BYTES("\355\240\200"), "\\xed\\xa0\\x80" }, /* surrogate */
		{ BYTES("\303\244\346\227\245\360\237\230\200"),
		  "\303\244\346\227\245\360\237\230\200" },
		{ BYTES("C:\\x41"), "C:\\x41" },
		{ BYTES(""), "" },
	};
	char out[100];

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		size_t n = output_escape(row[i].in, row[i].n, out, sizeof(out));

		is_str(out, row[i].out, row[i].out);
		is_int(n, strlen(row[i].out), "its length");
	}
	memset(out, '#', sizeof(out));
	is_int(output_escape(BYTES("ab\033cd"), out, 5), 8,
	       "a small buffer: the length it would take");
	is_str(out, "ab", "whole characters only, and a NUL");
	is_int(output_escape(BYTES("ab"), NULL, 0), 2, "no buffer: the length");
}

static void others(void)
{
	is_str(written(csv, BYTES("plain")), "plain", "CSV: plain");
	is_str(written(csv, BYTES("a,b")), "\"a,b\"", "CSV: a comma");
	is_str(written(csv, BYTES("say \"hi\"")), "\"say \"\"hi\"\"\"", "CSV: quotes are doubled");
	is_str(written(csv, BYTES("a\nb")), "\"a\nb\"", "CSV: a line end stays, between quotes");
	is_str(written(csv, BYTES("")), "\"\"", "CSV: an empty text is not NULL");
	is_str(written(csv, BYTES(" x")), "\" x\"", "CSV: a blank in front");
	is_str(written(csv, BYTES("\033[2J")), "\033[2J", "CSV: every byte as it is in a file");
	is_str(written(csv_tty, BYTES("\033[2J,")), "\"\\x1b[2J,\"", "CSV: harmless on a terminal");
	is_str(written(csv_tty, BYTES("\033")), "\\x1b", "CSV: the same without quotes");
	is_str(written(output_json, BYTES("a\"b\\c\nd\033\177")),
	       "\"a\\\"b\\\\c\\nd\\u001b\\u007f\"", "JSON: escapes");
	is_str(written(output_json, BYTES("\302\233\342\200\256")), "\"\\u009b\\u202e\"",
	       "JSON: C1 and direction");
	is_str(written(output_json, BYTES("\303\244\360\237\230\200")),
	       "\"\303\244\360\237\230\200\"", "JSON: UTF-8 stays");
	is_str(written(output_json, BYTES("\363\240\200\201")), "\"\\udb40\\udc01\"",
	       "JSON: beyond 16 bits, as a pair");
	is_str(written(output_json, BYTES("\377")), "\"\\ufffd\"", "JSON: never an invalid text");
	is_str(written(output_html, BYTES("<script>alert('x')</script>&\"\033")),
	       "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;&quot;\\x1b",
	       "HTML: markup and control bytes");
}

static void repair(void)
{
	char out[64];
	size_t n = utf8_repair((const uint8_t *)"a\377\0\303\244", 5, out);

	is_mem(out, n, "a\\xff\\x00\303\244", 11, "what goes into the database is UTF-8");
	ok(utf8_clean((const uint8_t *)out, n), "and clean");
	ok(!utf8_clean((const uint8_t *)"a\0b", 3), "a NUL is not clean");
	ok(!utf8_clean((const uint8_t *)"\303", 1), "half a character is not clean");
}

int main(void)
{
	text();
	others();
	repair();
	return tap_done();
}
