/*
 * statement.c - custody statements and receipts: what is written is read back, and any other
 * spelling of it is refused.
 */
#include "receipt.h"
#include "tap.h"

static const char sig[] =
	"-----BEGIN SSH SIGNATURE-----\nU1NIU0lHAAAAAQ==\n-----END SSH SIGNATURE-----\n";

static struct frz_statement release_of(void)
{
	struct frz_statement s = { .kind = FRZ_CUSTODY_RELEASE,
				   .entry = 2,
				   .block = 17,
				   .prefix_bytes = 10342,
				   .claimed_time = 1795415400,
				   .who = "alice@ir",
				   .to = "bob@lab" };

	memset(s.case_id, 0xab, sizeof(s.case_id));
	memset(s.prefix_sha256, 0x12, sizeof(s.prefix_sha256));
	memset(s.before, 0x34, sizeof(s.before));
	strcpy(s.remark[FRZ_REMARK_PURPOSE], "analysis at the lab");
	strcpy(s.remark[FRZ_REMARK_NOTE], "bag 7, seal \\ 4711 \xc3\xa4");
	return s;
}

static const char wanted[] =
	"frz-custody: 1\n"
	"kind: release\n"
	"case: abababababababababababababababab\n"
	"entry: 2\n"
	"block: 17\n"
	"prefix-bytes: 10342\n"
	"prefix-sha256: 1212121212121212121212121212121212121212121212121212121212121212\n"
	"before: 3434343434343434343434343434343434343434343434343434343434343434\n"
	"who: alice@ir\n"
	"to: bob@lab\n"
	"purpose: analysis at the lab\n"
	"note: bag 7, seal \\ 4711 \xc3\xa4\n"
	"claimed-time: 2026-11-23T06:30:00Z\n";

static bool parses(const char *text)
{
	struct frz_statement s;
	const char *why = NULL;
	enum frz_err err = frz_statement_parse(text, strlen(text), &s, &why);

	return err == FRZ_OK || !why;
}

static void there_and_back(void)
{
	struct frz_statement s = release_of(), back;
	char text[FRZ_STATEMENT_MAX + 1];
	const char *why = "";
	size_t n = frz_statement_format(&s, text, sizeof(text));

	is_str(text, wanted, "a release as text");
	is_int(frz_statement_parse(text, n, &back, &why), FRZ_OK, "it parses");
	ok(!memcmp(&s, &back, sizeof(s)), "as what it was");
	for (size_t cut = 0; cut < n; cut++)
		if (frz_statement_parse(text, cut, &back, &why) == FRZ_OK)
			ok(false, "cut to %zu bytes it parses", cut);
	is_int(frz_statement_format(&s, text, n), 0, "not into too little room");

	s.kind = FRZ_CUSTODY_RECEIVE;
	is_int(frz_statement_format(&s, text, sizeof(text)), 0, "a receive with `to` is none");
	strcpy(s.from, s.to);
	*s.to = '\0';
	is_int(frz_statement_format(&s, text, sizeof(text)), 0, "nor one without release-entry");
	s.release_entry = 1;
	ok(frz_statement_format(&s, text, sizeof(text)) &&
		   strstr(text, "from: bob@lab\nrelease-entry: 1\n"),
	   "a receive");
	ok(parses(text), "parses");
	s.kind = FRZ_CUSTODY_SIGN;
	is_int(frz_statement_format(&s, text, sizeof(text)), 0, "a sign with `from` is none");
}

/* Each: a piece of the wanted text, and what stands there instead. */
static const struct {
	const char *was, *now, *name;
} spellings[] = {
	{ "", "", NULL },
	{ "entry: 2", "entry: 02", "a leading zero" },
	{ "entry: 2", "entry: +2", "a sign before a number" },
	{ "entry: 2", "entry: 0", "entry 0" },
	{ "entry: 2", "entry:2", "no space" },
	{ "entry: 2", "entry:  2", "two spaces" },
	{ "entry: 2", "entry: 2 ", "a space behind" },
	{ "entry: 2\n", "entry: 2\r\n", "a carriage return" },
	{ "entry: 2\n", "entry: 2\n\n", "an empty line" },
	{ "entry: 2\n", "", "a line missing" },
	{ "entry: 2\n", "entry: 2\nentry: 2\n", "a line twice" },
	{ "entry: 2\nblock: 17\n", "block: 17\nentry: 2\n", "lines exchanged" },
	{ "entry: 2\n", "entry: 2\nextra: 1\n", "a line that is not known" },
	{ "entry: 2", "entry: 18446744073709551617", "a number beyond all bounds" },
	{ "case: ab", "case: AB", "hex in upper case" },
	{ "case: ab", "case: ", "hex too short" },
	{ "case: ab", "case: abab", "hex too long" },
	{ "who: alice@ir", "who: *@ir", "a wildcard signer" },
	{ "who: alice@ir", "who: alice ir", "a space in a name" },
	{ "who: alice@ir", "who: alice,bob", "a list of names" },
	{ "who: alice@ir", "who: !alice", "a negated name" },
	{ "who: alice@ir", "who: -n", "a name like an option" },
	{ "who: alice@ir", "who: ", "an empty name" },
	{ "to: bob@lab\n", "", "a release to nobody" },
	{ "to: bob@lab\n", "to: bob@lab\nfrom: alice@ir\n", "a release with `from`" },
	{ "purpose: analysis at the lab\n", "", "a release without purpose" },
	{ "purpose: analysis at", "purpose: \x1b[2Jat", "a control character" },
	{ "purpose: analysis at", "purpose: \xff\xfe at", "what is not UTF-8" },
	{ "purpose: analysis at", "purpose: \xe2\x80\xae at", "a character that turns text round" },
	{ "purpose: ", "purpose:  ", "a space in front of a text" },
	{ "note: bag", "Note: bag", "a key in upper case" },
	{ "note: bag 7, seal \\ 4711 \xc3\xa4", "note: ", "an empty remark" },
	{ "2026-11-23T06:30:00Z", "2026-11-31T06:30:00Z", "a day that is none" },
	{ "2026-11-23T06:30:00Z", "2026-11-23T06:30:60Z", "a second that is none" },
	{ "2026-11-23T06:30:00Z", "2026-11-23 06:30:00Z", "another form of time" },
	{ "2026-11-23T06:30:00Z", "2026-11-23T06:30:00+00:00", "another zone" },
	{ "kind: release", "kind: Release", "a kind in upper case" },
	{ "kind: release", "kind: destroy", "a kind that is not known" },
	{ "frz-custody: 1", "frz-custody: 2", "another version" },
	{ "06:30:00Z\n", "06:30:00Z", "no newline at the end" },
	{ "06:30:00Z\n", "06:30:00Z\nmore\n", "something behind" },
};

static void other_spellings(void)
{
	char text[2 * sizeof(wanted)];

	ok(parses(wanted), "the statement that is altered below parses");
	for (size_t i = 1; i < sizeof(spellings) / sizeof(spellings[0]); i++) {
		const char *at = strstr(wanted, spellings[i].was);

		if (!at) {
			ok(false, "%s: not found", spellings[i].was);
			continue;
		}
		snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - wanted), wanted,
			 spellings[i].now, at + strlen(spellings[i].was));
		ok(!parses(text), "refused: %s", spellings[i].name);
	}
	memcpy(text, wanted, sizeof(wanted));
	text[40] = '\0';
	struct frz_statement s;
	const char *why;
	ok(frz_statement_parse(text, sizeof(wanted) - 1, &s, &why) != FRZ_OK, "refused: a NUL");
}

static void receipts(void)
{
	struct frz_statement s = release_of();
	uint8_t mem[8192];
	struct frz_buf b = { .p = mem, .cap = sizeof(mem) };
	static const char bad[] = "-----BEGIN SSH SIGNATURE-----\n"
				  "\x1b[2J\n"
				  "-----END SSH SIGNATURE-----\n";
	char text[FRZ_RECEIPT_MAX + 1], again[FRZ_STATEMENT_MAX + 1];
	struct frz_receipt r = { .statement_text = wanted,
				 .statement_len = sizeof(wanted) - 1,
				 .signature = sig,
				 .signature_len = sizeof(sig) - 1 };
	struct frz_receipt back;
	const char *why = "";
	unsigned passed = 0;
	size_t n;

	is_int(frz_custody_block(&b, s.block, s.prefix_bytes, s.before, wanted, sig,
				 sizeof(sig) - 1, r.head),
	       FRZ_OK, "the block of an entry");
	r.case_bytes = s.prefix_bytes + b.len;
	n = frz_receipt_format(&r, text, sizeof(text));
	is_int(frz_receipt_parse(text, n, &back, &why), FRZ_OK, "its receipt");
	ok(back.statement.entry == 2 && back.signature_len == sizeof(sig) - 1,
	   "names entry and signature");
	for (size_t i = 0; i < n; i++) {
		/* the hash of the whole file is the one thing that only the file can confirm */
		char *sha = strstr(text, "case-sha256: ");

		if (text + i >= sha + 13 && text + i < sha + 13 + 64)
			continue;
		text[i] ^= 1;
		passed += frz_receipt_parse(text, n, &back, &why) == FRZ_OK;
		text[i] ^= 1;
	}
	is_int(passed, 0, "a receipt with any character changed contradicts itself");
	for (size_t cut = 0; cut < n; cut++)
		passed += frz_receipt_parse(text, cut, &back, &why) == FRZ_OK;
	is_int(passed, 0, "so does a receipt cut anywhere");
	strcpy(s.remark[FRZ_REMARK_NOTE], "-----BEGIN SSH SIGNATURE-----");
	r.statement_text = again;
	r.statement_len = frz_statement_format(&s, again, sizeof(again));
	b.len = 0;
	frz_custody_block(&b, s.block, s.prefix_bytes, s.before, again, sig, sizeof(sig) - 1,
			  r.head);
	r.case_bytes = s.prefix_bytes + b.len;
	n = frz_receipt_format(&r, text, sizeof(text));
	is_int(frz_receipt_parse(text, n, &back, &why), FRZ_OK,
	       "a remark that looks like a signature's begin is none");
	ok(!frz_signature_ok(bad, sizeof(bad) - 1), "a signature with control characters is none");
}

/* Every character there is, against the list in docs/frz.5. */
static void characters(void)
{
	static const uint32_t refused[][2] = {
		{ 0, 0x1f },	    { 0x7f, 0x9f },	{ 0xad, 0xad },	     { 0x61c, 0x61c },
		{ 0x180e, 0x180e }, { 0x200b, 0x200f }, { 0x2028, 0x202e },  { 0x2060, 0x206f },
		{ 0xd800, 0xdfff }, /* no characters, and so no UTF-8 */
		{ 0xfeff, 0xfeff }, { 0xfff9, 0xfffb }, { 0xe0000, 0xe007f }
	};
	unsigned wrong = 0;

	for (uint32_t c = 1; c < 0x110000; c++) {
		char s[8] = "a";
		size_t n = 1;
		bool good = true;

		if (c < 0x80) {
			s[n++] = (char)c;
		} else if (c < 0x800) {
			s[n++] = (char)(0xc0 | c >> 6);
		} else if (c < 0x10000) {
			s[n++] = (char)(0xe0 | c >> 12);
			s[n++] = (char)(0x80 | (c >> 6 & 0x3f));
		} else {
			s[n++] = (char)(0xf0 | c >> 18);
			s[n++] = (char)(0x80 | (c >> 12 & 0x3f));
			s[n++] = (char)(0x80 | (c >> 6 & 0x3f));
		}
		if (c >= 0x80)
			s[n++] = (char)(0x80 | (c & 0x3f));
		s[n] = 'z';
		for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
			good &= c < refused[i][0] || c > refused[i][1];
		wrong += frz_remark_ok(s) != good;
	}
	is_int(wrong, 0, "characters of a remark: none too many, none too few");
}

int main(void)
{
	there_and_back();
	other_spellings();
	receipts();
	characters();
	return tap_done();
}
