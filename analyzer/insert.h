/*
 * insert.h - the thread that inserts rows, so that decoding and inserting overlap.
 *
 * The decoding thread fills a batch and submits it; SQLite works on the one before. While an
 * inserter exists the connection is its own.
 */
#ifndef FANALYZE_INSERT_H
#define FANALYZE_INSERT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "aggregate.h"
#include "intern.h"

struct sqlite3;
struct insert;

#define BATCH_EVENTS 8192u

/* A row of `events`; 0 is NULL for what numbers texts, NIL for the other ones. */
struct event_row {
	int64_t ts, seq, dur, ret, bytes;
	uint32_t thread, call, path, path2, detail;
	int32_t fd;  /* -1: NULL */
	int32_t err; /* 0: NULL */
};

struct detail_row {
	uint32_t id, off, len;
};
struct mark_row {
	int64_t ts, seq;
	const char *mark;
};

struct batch {
	unsigned nevents, ndetails, nmarks;
	struct event_row event[BATCH_EVENTS];
	struct detail_row detail[BATCH_EVENTS]; /* at most one an event, like marks */
	struct mark_row mark[2 * BATCH_EVENTS];
	char *text; /* of the details */
	size_t text_len, text_cap;
	uint32_t strings;		  /* strings up to this number are to be in */
	struct settled settled[TABLES_N]; /* of the counted tables */
};

/* strings: those up to its present count are taken to be in the database. NULL: no memory,
 * no thread, or SQLite refuses; one line in err. */
struct insert *insert_new(struct sqlite3 *db, const struct intern *strings, char *err, size_t cap);
/* The batch being filled. The caller submits it when any of its arrays is full. */
struct batch *insert_batch(struct insert *w);
/* Hands it over and waits for an empty one. False: inserting has failed. */
bool insert_submit(struct insert *w);
/* Room for a detail text in the batch; false: no memory. */
bool batch_detail(struct batch *b, uint32_t id, const char *text, size_t len);
/* Submits what is left, with all strings, and waits until all is in. False with one line in err. */
bool insert_drain(struct insert *w, char *err, size_t cap);
void insert_free(struct insert *w);

#endif
