/*
 * columns.h - records of a segment cut into columns, and put together again. What is alike
 * in many records then stands side by side, where zstd finds it. Used by segment.c and
 * decode.c; the layout is in segment.h.
 */
#ifndef FRZ_COLUMNS_H
#define FRZ_COLUMNS_H

#include "bytes.h"
#include "frz.h"

/* Four classes of records; of each a column of lengths and then its token columns. */
#define FRZ_TOKENS_STRING 1 /* types 0x01, 0x02 */
#define FRZ_TOKENS_DECL	  6 /* 0x03..0x7f */
#define FRZ_TOKENS_EVENT  7 /* 0x80..0xbf */
#define FRZ_TOKENS_NOTE	  1 /* 0xc0..0xff */
/* Of all of them together. */
#define FRZ_COLUMNS (4 + FRZ_TOKENS_STRING + FRZ_TOKENS_DECL + FRZ_TOKENS_EVENT + FRZ_TOKENS_NOTE)

struct frz_columns {
	size_t records; /* bytes of the column of types */
	size_t len[FRZ_COLUMNS];
};

/* Adds one record to the sizes. False, and nothing added: it is not exactly one record. */
bool frz_columns_count(struct frz_columns *c, const uint8_t *rec, size_t n);
/* Cuts r[0..n), counted before into c, into out: types, then each column. out has n bytes. */
void frz_columns_split(const struct frz_columns *c, const uint8_t *r, size_t n, uint8_t *out);
/* The reverse: col has a cursor for each column; out has room for the types and all columns
 * together. False when they do not make whole records that use all of them up. */
bool frz_columns_join(const uint8_t *types, size_t records, struct frz_cur col[FRZ_COLUMNS],
		      uint8_t *out);

#endif
