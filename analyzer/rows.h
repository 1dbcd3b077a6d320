/*
 * rows.h - what the records of a case become: a row of `events` for each event, and the
 * counts of everything else (schema/tables.sql).
 *
 * Feed it every record of a segment in order, declarations included. It knows no blocks and
 * no files; the database it sees only through insert.h and aggregate.h.
 */
#ifndef FANALYZE_ROWS_H
#define FANALYZE_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "record.h"

struct sqlite3;
struct rows;

/* Over a database with the schema in place; loads what an earlier import left there, so that
 * it can be gone on with. NULL with one line in err. */
struct rows *rows_new(struct sqlite3 *db, char *err, size_t cap);
void rows_free(struct rows *r);

/* audit: the calls that the kernel counts are all recorded, so that io_audit can be told. */
void rows_audit(struct rows *r, bool audit);
/* A segment begins. real - mono of its anchor is added to every time. */
void rows_segment(struct rows *r, const struct frz_decoder *d, int64_t mono_to_real_ns);
/* False: no memory, or the database failed. */
bool rows_record(struct rows *r, const struct frz_record *rec);
/* A record of a segment in the making that an earlier import took already: only what is needed
 * to go on behind it is taken up. */
bool rows_known(struct rows *r, const struct frz_record *rec);
/* A remark of the analyzer itself in `coverage`, about the whole recording. ts 0: not known. */
bool rows_coverage(struct rows *r, const char *what, uint64_t count, int64_t ts,
		   const char *detail);
/* Everything so far into the database (no commit). One can go on. False with one line in err. */
bool rows_flush(struct rows *r, char *err, size_t cap);

struct rows_stats {
	uint64_t events;
	int64_t first_ts, last_ts;
}; /* of all imports */
void rows_stats(const struct rows *r, struct rows_stats *s);

#endif
