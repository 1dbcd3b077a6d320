/*
 * emit.h - records of one event put together: what it refers to is declared first, once a
 * segment, then the event itself, then all of it is committed.
 *
 * A group is emit_begin, any number of declarations and emit_put, emit_commit. Between
 * begin and commit the segment does not change, so numbers handed out stay good.
 */
#ifndef FREC_EMIT_H
#define FREC_EMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "fdtable.h"
#include "record.h"
#include "tracee.h"
#include "writer.h"

struct emit;

/* Called after every record put, with its bytes (frec -v). */
typedef void emit_tap(void *arg, const uint8_t *rec, size_t len, uint64_t mono_ns, uint64_t dur_ns,
		      bool new_segment);

struct emit *emit_new(struct writer *w, emit_tap *tap, void *tap_arg); /* NULL: no memory */
void emit_free(struct emit *e);

/* Room for `bytes` of strings and data beyond what a plain event needs, and `records` records
 * beyond 64; capped at what a group may hold. Within a group already begun it only nests.
 * False: the writer has failed, and there is no group to commit. */
bool emit_begin(struct emit *e, size_t bytes, unsigned records);
uint32_t emit_segment(const struct emit *e); /* changes when declarations were forgotten; never 0 */

uint32_t emit_string(struct emit *e, const void *p, size_t n); /* 0 when n is 0 */
uint32_t emit_string_cut(struct emit *e, const void *p, size_t n, uint64_t true_len);
uint32_t emit_file(struct emit *e, const struct fileinfo *fi);
void emit_process(struct emit *e, struct process *p);
void emit_thread(struct emit *e, struct tracee *t); /* and its process */
void emit_bind(struct emit *e, struct fdent *ent);  /* if it was not declared yet in this segment */
/* If it was ever declared. Comes before the BIND of whatever follows at the same fd. */
void emit_unbind(struct emit *e, struct fdent *ent);

struct frz_buf *emit_body(struct emit *e); /* an empty buffer for the next record's body */
void emit_put(struct emit *e, enum frz_rec type, uint64_t mono_ns, uint64_t dur_ns);
void emit_commit(struct emit *e);

#endif
