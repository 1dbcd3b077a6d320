/*
 * spans.h - which threads, calls and paths occur in which part of the time, so that a filtered
 * timeline looks only where there is something to be found, without an index of `events`.
 *
 * - The spans lie end to end and cover all of time; each has about SPAN_EVENTS events.
 * - What is noted is a superset: whoever uses it looks at the events of a span all the same.
 */
#ifndef FANALYZE_SPANS_H
#define FANALYZE_SPANS_H

#include <stdbool.h>
#include <stdint.h>

struct sqlite3;
struct spans;

enum span_kind { SPAN_THREAD, SPAN_CALL, SPAN_PATH, SPAN_KINDS };

struct spans *spans_new(void); /* NULL: no memory */
void spans_free(struct spans *s);
/* An event began at ts. An id of 0 is none. False: no memory. */
bool spans_add(struct spans *s, int64_t ts, uint32_t thread, uint64_t call, uint32_t path,
	       uint32_t path2, bool failed);

/* From and to the database; false: sqlite3_errmsg says why (or no memory, then it says "not an
 * error"). Flush writes only what changed since the last. */
bool spans_load(struct spans *s, struct sqlite3 *db);
bool spans_flush(struct spans *s, struct sqlite3 *db);

/* SQL functions: spans_set(id), an aggregate, makes a set of ids; spans_meet(ids, set) tells
 * whether one of a span's ids may be in it. */
bool spans_functions(struct sqlite3 *db);

#endif
