/*
 * receipt.c - receipts of custody entries to and from text (contract in receipt.h).
 */
#include <stdio.h>

#include "receipt.h"
#include "sha256.h"

#define SIG_BEGIN "-----BEGIN SSH SIGNATURE-----\n"

size_t frz_receipt_format(const struct frz_receipt *r, char *out, size_t cap)
{
	char head[FRZ_HEX_LEN], sha[FRZ_HEX_LEN];
	int n;

	frz_hex(r->head, FRZ_HASH_LEN, head);
	frz_hex(r->case_sha256, FRZ_HASH_LEN, sha);
	n = snprintf(out, cap,
		     "frz-receipt: 1\nhead: %s\ncase-bytes: %ju\n"
		     "case-sha256: %s\n\n%.*s%.*s",
		     head, (uintmax_t)r->case_bytes, sha, (int)r->statement_len, r->statement_text,
		     (int)r->signature_len, r->signature);
	return n < 0 || (size_t)n >= cap ? 0 : (size_t)n;
}

static bool hex_value(const char *v, uint8_t out[FRZ_HASH_LEN])
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < 2 * FRZ_HASH_LEN; i++) {
		const char *d = memchr(digits, v[i], 16);

		if (!d)
			return false;
		out[i / 2] = (uint8_t)(out[i / 2] << 4 | (d - digits));
	}
	return true;
}

/* Behind `key` at *p; false when it is not there. */
static bool expect(const char **p, const char *end, const char *key)
{
	size_t n = strlen(key);

	if ((size_t)(end - *p) < n || memcmp(*p, key, n) != 0)
		return false;
	*p += n;
	return true;
}

static bool take_hex(const char **p, const char *end, const char *key, uint8_t out[FRZ_HASH_LEN])
{
	if (!expect(p, end, key) || end - *p < 2 * FRZ_HASH_LEN + 1 || !hex_value(*p, out))
		return false;
	*p += 2 * FRZ_HASH_LEN;
	return expect(p, end, "\n");
}

static bool take_num(const char **p, const char *end, const char *key, uint64_t *out)
{
	const char *start;

	if (!expect(p, end, key))
		return false;
	start = *p;
	for (*out = 0; *p < end && **p >= '0' && **p <= '9' && *p - start < 19; (*p)++)
		*out = *out * 10 + (uint64_t)(**p - '0');
	return *p != start && *start != '0' && expect(p, end, "\n");
}

/* Statement and signature behind the head: is the chain head theirs? */
static bool follows(const struct frz_receipt *r)
{
	const struct frz_statement *s = &r->statement;
	uint8_t mem[FRZ_RECEIPT_MAX], link[FRZ_HASH_LEN];
	struct frz_buf b = { .p = mem, .cap = sizeof(mem) };
	char text[FRZ_STATEMENT_MAX + 1];

	memcpy(text, r->statement_text, r->statement_len);
	text[r->statement_len] = '\0';
	return frz_custody_block(&b, s->block, s->prefix_bytes, s->before, text, r->signature,
				 r->signature_len, link) == FRZ_OK &&
	       memcmp(link, r->head, FRZ_HASH_LEN) == 0 && r->case_bytes == s->prefix_bytes + b.len;
}

enum frz_err frz_receipt_parse(const void *p, size_t n, struct frz_receipt *out, const char **why)
{
	const char *at = p, *end = at + n, *sig;
	enum frz_err err;

	*out = (struct frz_receipt){ 0 };
	*why = "it does not begin like a receipt";
	if (n > FRZ_RECEIPT_MAX || !expect(&at, end, "frz-receipt: "))
		return FRZ_E_CORRUPT;
	*why = "the receipt's version is not known";
	if (!expect(&at, end, "1\n"))
		return FRZ_E_VERSION;
	*why = "the receipt's head is malformed";
	if (!take_hex(&at, end, "head: ", out->head) ||
	    !take_num(&at, end, "case-bytes: ", &out->case_bytes) ||
	    !take_hex(&at, end, "case-sha256: ", out->case_sha256) || !expect(&at, end, "\n"))
		return FRZ_E_CORRUPT;
	*why = "the receipt holds no signature";
	/* at the beginning of a line, where no remark of the statement can stand */
	sig = memmem(at, (size_t)(end - at), "\n" SIG_BEGIN, sizeof("\n" SIG_BEGIN) - 1);
	if (!sig)
		return FRZ_E_CORRUPT;
	sig++;
	if (!frz_signature_ok(sig, (size_t)(end - sig)))
		return FRZ_E_CORRUPT;
	out->statement_text = at;
	out->statement_len = (size_t)(sig - at);
	out->signature = sig;
	out->signature_len = (size_t)(end - sig);
	err = frz_statement_parse(at, out->statement_len, &out->statement, why);
	if (err != FRZ_OK)
		return err;
	*why = "the receipt's head does not follow from its statement and signature";
	return follows(out) ? FRZ_OK : FRZ_E_CORRUPT;
}
