/*
 * declared.h - what the records of one segment have declared: strings, files, processes,
 * threads, bindings. Used by the decoder only.
 */
#ifndef FRZ_DECLARED_H
#define FRZ_DECLARED_H

#include "record.h"

/* Open addressing from (a, b) to an index into a pool; reused from segment to segment. */
struct frz_map_slot {
	uint64_t a;
	uint32_t b, value;
};
struct frz_map {
	struct frz_map_slot *slot;
	size_t cap, used; /* cap: 0 or a power of two */
	uint64_t seed;
};
#define FRZ_MAP_NONE 0xffffffffu

/* Items of one size at addresses that never move. */
struct frz_pool {
	void **chunk;
	size_t nchunks, n, item;
};

struct frz_declared {
	struct frz_str *strings;
	size_t nstrings, cap_strings;
	struct frz_pool files, procs, threads, binds;
	struct frz_map by_pid, by_tid, by_fd, by_instance;
};

void frz_declared_init(struct frz_declared *d);
void frz_declared_clear(struct frz_declared *d); /* forgets everything, keeps the memory */
void frz_declared_release(struct frz_declared *d);

/* FRZ_OK, FRZ_E_NOMEM or FRZ_E_LIMIT (FRZ_DECLARED_MAX). */
enum frz_err frz_declare_string(struct frz_declared *d, struct frz_str s);
enum frz_err frz_declare_file(struct frz_declared *d, const struct frz_file *f);
enum frz_err frz_declare_proc(struct frz_declared *d, const struct frz_dproc *p);
enum frz_err frz_declare_thread(struct frz_declared *d, const struct frz_dthread *t);
enum frz_err frz_declare_bind(struct frz_declared *d, const struct frz_dbind *b);
void frz_declare_unbind(struct frz_declared *d, uint64_t table, uint32_t fd);

void *frz_pool_at(const struct frz_pool *p, size_t i); /* i < n */
/* The index stored under (a, b), FRZ_MAP_NONE if there is none. */
uint32_t frz_map_get(const struct frz_map *m, uint64_t a, uint32_t b);

#endif
