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
	struct frz_cur fields;          /* into the caller's memory */
	size_t total;                   /* bytes from magic to the end of link */
};

/* Builder: begin, fields with rising keys, finish. All into b, which needs room for
 * everything; a lack of it or a falling key sets b->full. `block->offset`, index, prev
 * and type are inputs. */
struct frz_block_builder { struct frz_buf *b; size_t start; uint32_t nfields; int last_key; };
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
/* Parses and checks one block in full: tag, version, zeros, field grammar, known keys and
 * their types for the block's type, required fields, link. Expected position is compared
 * too. On error *why is one line. Errors as in frz_err. */
enum frz_err frz_block_parse(const void *p, size_t len, uint64_t want_index, uint64_t want_offset,
                             const uint8_t want_prev[FRZ_HASH_LEN], struct frz_block *out, const char **why);

/* A field of a parsed block. False: not there. */
bool frz_field_u64(const struct frz_block *blk, enum frz_key key, uint64_t *v);
bool frz_field_bytes(const struct frz_block *blk, enum frz_key key, const uint8_t **p, size_t *n); /* bytes and text */

#endif
