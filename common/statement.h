/*
 * statement.h - what a custody entry says and is signed: a small text of `key: value` lines.
 * The manual is docs/frz.5. Memory only; it knows no keys and checks no signature.
 *
 *   frz-custody: 1                 always the same, 1 is the version of the statement
 *   kind: release                  sign, release or receive
 *   case: 32 hex digits
 *   entry: 2                       place among the custody entries of the case, from 1
 *   block: 17                      index of the CUSTODY block
 *   prefix-bytes: 10342            bytes of the file in front of that block ...
 *   prefix-sha256: 64 hex digits   ... and their hash: `head -c N CASE | sha256sum`
 *   before: 64 hex digits          chain head in front of it: the link of the block before
 *   who: alice@ir                  the signer, as in an allowed-signers file
 *   to: bob@lab                    release only
 *   from: alice@ir                 receive only ...
 *   release-entry: 2               ... and which entry it answers
 *   purpose: text                  release: must; sign and receive: may, as the next four
 *   authority: text
 *   via: text
 *   place: text
 *   note: text
 *   claimed-time: 2026-11-23T06:30:00Z
 *
 * One spelling: this order, one space behind the colon, a newline behind each line, decimal
 * numbers without leading zeros, hex in lower case, nothing else. Any other is refused.
 */
#ifndef FRZ_STATEMENT_H
#define FRZ_STATEMENT_H

#include <stdbool.h>

#include "bytes.h"
#include "describe.h"
#include "frz.h"

/* What signatures are made for, so that one made for something else is none of ours. */
#define FRZ_CUSTODY_NAMESPACE "frec-custody@v1"

#define FRZ_PERSON_MAX	      127
#define FRZ_REMARK_MAX	      1000
#define FRZ_STATEMENT_MAX     8192
#define FRZ_SIGNATURE_MAX     32768

enum frz_custody_kind { FRZ_CUSTODY_SIGN = 1, FRZ_CUSTODY_RELEASE = 2, FRZ_CUSTODY_RECEIVE = 3 };

enum frz_remark {
	FRZ_REMARK_PURPOSE,
	FRZ_REMARK_AUTHORITY,
	FRZ_REMARK_VIA,
	FRZ_REMARK_PLACE,
	FRZ_REMARK_NOTE,
	FRZ_REMARKS,
};

struct frz_statement {
	enum frz_custody_kind kind;
	uint8_t case_id[16], prefix_sha256[FRZ_HASH_LEN], before[FRZ_HASH_LEN];
	uint64_t entry, block, prefix_bytes;
	char who[FRZ_PERSON_MAX + 1];
	char to[FRZ_PERSON_MAX + 1];		      /* empty unless kind is release */
	char from[FRZ_PERSON_MAX + 1];		      /* empty unless kind is receive */
	uint64_t release_entry;			      /* 0 unless kind is receive */
	char remark[FRZ_REMARKS][FRZ_REMARK_MAX + 1]; /* empty: not there */
	int64_t claimed_time; /* seconds since 1970, UTC; years 1970 to 9999 */
};

/* FRZ_OK and *out; or FRZ_E_CORRUPT (FRZ_E_VERSION: another version of statement), with one
 * line in *why. */
enum frz_err frz_statement_parse(const void *p, size_t n, struct frz_statement *out,
				 const char **why);
/* The text, NUL-terminated; returns its length, or 0 when s holds a value that cannot be told
 * or does not fit. FRZ_STATEMENT_MAX + 1 bytes are always enough for one that can. */
size_t frz_statement_format(const struct frz_statement *s, char *out, size_t cap);

/* A name of a signer: printable ASCII without space, and none of * ? ! , " # that mean something
 * in an allowed-signers file; not beginning with '-'. */
bool frz_person_ok(const char *name);
/* One line of UTF-8 without control characters and those that hide or reorder others, no space
 * at either end. Empty is fine. */
bool frz_remark_ok(const char *text);

/* An armoured SSHSIG and nothing else, by its look: the two marker lines and base64 between. */
bool frz_signature_ok(const void *p, size_t n);

const char *frz_custody_kind_name(enum frz_custody_kind kind); /* "release" */
const char *frz_remark_name(enum frz_remark remark);	       /* "purpose" */

/* "2026-11-23T06:30:00Z" */
void frz_claimed_time(int64_t t, char out[FRZ_TIME_MAX]);

/* The whole CUSTODY block into b; FRZ_OK or FRZ_E_SPACE. */
enum frz_err frz_custody_block(struct frz_buf *b, uint64_t index, uint64_t offset,
			       const uint8_t prev[FRZ_HASH_LEN], const char *statement,
			       const void *signature, size_t signature_len,
			       uint8_t link[FRZ_HASH_LEN]);

#endif
