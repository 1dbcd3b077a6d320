/*
 * block.h - blocks of a case (grammar in frz.h): built in memory, parsed from memory.
 */
#ifndef FRZ_BLOCK_H
#define FRZ_BLOCK_H

#include "bytes.h"
#include "frz.h"

struct frz_block {
	enum frz_block_type type;
	uint64_t index, offset;
	uint8_t prev[FRZ_HASH_LEN], link[FRZ_HASH_LEN];
	uint32_t nfields;
	struct frz_cur fields; /* into the caller's memory */
	size_t total;	       /* bytes from magic to the end of link */
};

/* Builder: begin, fields with rising keys, finish. All into b, which needs room for
 * everything; a lack of it, a falling key or a key of another type or length sets b->full,
 * and finish then fails. Whether the block has every field it needs is the parser's check.
 * `offset` is where in the file the block will stand; index and prev as in frz.h. */
struct frz_block_builder {
	struct frz_buf *b;
	size_t start;
	uint32_t nfields;
	int last_key;
};
void frz_block_begin(struct frz_block_builder *w, struct frz_buf *b, enum frz_block_type type,
		     uint64_t index, uint64_t offset, const uint8_t prev[FRZ_HASH_LEN]);
void frz_block_u64(struct frz_block_builder *w, enum frz_key key, uint64_t v);
void frz_block_bytes(struct frz_block_builder *w, enum frz_key key, const void *p, size_t n);
void frz_block_text(struct frz_block_builder *w, enum frz_key key, const char *s);
/* Fills in size and field count, appends the link and stores it in link_out too.
 * FRZ_OK or FRZ_E_SPACE. */
enum frz_err frz_block_finish(struct frz_block_builder *w, uint8_t link_out[FRZ_HASH_LEN]);

/* Size of the whole block from its first 8 bytes: FRZ_OK, FRZ_E_NOT_FRZ (other magic),
 * FRZ_E_LIMIT. avail < 8: FRZ_E_TRUNCATED. */
enum frz_err frz_block_size(const void *p, size_t avail, size_t *total);
/* Parses and checks one block in full, in this order: size, tag, version, link, position
 * (the want_*), zeros, type, fields: their order, the known keys' types for the block's
 * type, required ones. p[0..len) may go on behind the block. On error *why is one line,
 * valid until the thread's next call; *out is left alone unless the link is right. */
enum frz_err frz_block_parse(const void *p, size_t len, uint64_t want_index, uint64_t want_offset,
			     const uint8_t want_prev[FRZ_HASH_LEN], struct frz_block *out,
			     const char **why);

/* A field of a parsed block. False: not there. */
bool frz_field_u64(const struct frz_block *blk, enum frz_key key, uint64_t *v);
/* Bytes and text. */
bool frz_field_bytes(const struct frz_block *blk, enum frz_key key, const uint8_t **p, size_t *n);

/* Iterates the ancillary fields whose keys this version does not know: start with a zeroed
 * *c; false at the end. */
bool frz_block_next_unknown(const struct frz_block *blk, struct frz_cur *c, unsigned *key,
			    size_t *n);

const char *frz_block_type_name(unsigned type); /* "SEGMENT"; NULL: no such type */
const char *frz_key_name(unsigned key);		/* "frame-bytes"; NULL: no such key */

#endif
