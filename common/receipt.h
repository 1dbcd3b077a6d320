/*
 * receipt.h - what each side of a handover keeps: the entry itself and the chain head behind
 * it. Who holds one notices when that entry is cut off or replaced. The manual is docs/frz.5.
 *
 *   frz-receipt: 1
 *   head: 64 hex digits            link of the entry's block
 *   case-bytes: 12345              the case's length with this entry as its last ...
 *   case-sha256: 64 hex digits     ... and its hash: `head -c N CASE | sha256sum`
 *                                  (an empty line)
 *   the statement, the armoured signature
 *
 * Since head follows from statement and signature, a receipt cannot be changed without
 * contradicting itself; and the signature can be checked without the case.
 */
#ifndef FRZ_RECEIPT_H
#define FRZ_RECEIPT_H

#include "statement.h"

#define FRZ_RECEIPT_MAX (FRZ_STATEMENT_MAX + FRZ_SIGNATURE_MAX + 512)

struct frz_receipt {
	uint8_t head[FRZ_HASH_LEN], case_sha256[FRZ_HASH_LEN];
	uint64_t case_bytes;
	struct frz_statement statement;
	/* both within the text that was parsed */
	const char *statement_text, *signature;
	size_t statement_len, signature_len;
};

/* FRZ_OK and *out; FRZ_E_CORRUPT or FRZ_E_VERSION with one line in *why. */
enum frz_err frz_receipt_parse(const void *p, size_t n, struct frz_receipt *out, const char **why);
/* From the fields but `statement`. NUL-terminated; returns the length, 0 when it does not fit. */
size_t frz_receipt_format(const struct frz_receipt *r, char *out, size_t cap);

#endif
