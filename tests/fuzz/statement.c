/*
 * statement.c - fuzzes the parsers of what others hand over as text: custody statements,
 * receipts, armoured signatures. What parses must be written again as the same bytes.
 */
#include <stdlib.h>
#include <string.h>

#include "receipt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void statement(const uint8_t *data, size_t size)
{
	struct frz_statement s;
	char again[FRZ_STATEMENT_MAX + 1];
	const char *why = NULL;

	if (frz_statement_parse(data, size, &s, &why) != FRZ_OK) {
		if (!why || !*why)
			abort();
		return;
	}
	if (frz_statement_format(&s, again, sizeof(again)) != size ||
	    memcmp(again, data, size) != 0)
		abort();
	for (size_t i = 0; i < size; i++)
		if (data[i] != '\n' && (data[i] < ' ' || data[i] == 0x7f))
			abort();
}

static void receipt(const uint8_t *data, size_t size)
{
	struct frz_receipt r;
	char again[FRZ_RECEIPT_MAX + 1];
	const char *why = NULL;

	if (frz_receipt_parse(data, size, &r, &why) != FRZ_OK) {
		if (!why || !*why)
			abort();
		return;
	}
	if (frz_receipt_format(&r, again, sizeof(again)) != size || memcmp(again, data, size) != 0)
		abort();
}

/* Makes the head of a receipt right, so that the check of it can be passed. */
static void receipt_around(const uint8_t *data, size_t size)
{
	static const char sig[] =
		"-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----\n";
	uint8_t mem[FRZ_RECEIPT_MAX];
	struct frz_buf b = { .p = mem, .cap = sizeof(mem) };
	struct frz_statement s;
	char text[FRZ_RECEIPT_MAX + 1], statement_text[FRZ_STATEMENT_MAX + 1];
	struct frz_receipt r = { .statement_text = statement_text, .signature = sig };
	const char *why;

	if (frz_statement_parse(data, size, &s, &why) != FRZ_OK)
		return;
	memcpy(statement_text, data, size);
	statement_text[size] = '\0';
	r.statement_len = size;
	r.signature_len = sizeof(sig) - 1;
	if (frz_custody_block(&b, s.block, s.prefix_bytes, s.before, statement_text, sig,
			      r.signature_len, r.head) != FRZ_OK)
		abort();
	r.case_bytes = s.prefix_bytes + b.len;
	if (r.case_bytes >= 10000000000000000000u)
		return;
	size = frz_receipt_format(&r, text, sizeof(text));
	if (!size || frz_receipt_parse(text, size, &r, &why) != FRZ_OK)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char line[FRZ_REMARK_MAX + 2];

	statement(data, size);
	receipt(data, size);
	receipt_around(data, size);
	frz_signature_ok(data, size);
	if (size < sizeof(line)) {
		memcpy(line, data, size);
		line[size] = '\0';
		frz_remark_ok(line);
		frz_person_ok(line);
	}
	return 0;
}
