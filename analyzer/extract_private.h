/* extract_private.h - what the parts of --extract share. */
#ifndef FANALYZE_EXTRACT_PRIVATE_H
#define FANALYZE_EXTRACT_PRIVATE_H

#include "casefile.h"
#include "describe.h"
#include "extract.h"
#include "map.h"
#include "options.h"
#include "record.h"
#include "rules.h"
#include "segment.h"
#include "sha256.h"

/* ---- extract_filter.c: what is kept ---- */

struct extract_counts {
	uint64_t events, notes; /* left out */
	uint64_t unknown_records, unknown_attachments;
	uint64_t buffers; /* contents of buffers, left out where there are rules */
	uint64_t damages; /* places of the original that could not be read */
};

struct extract_filter {
	const struct filters *f;
	uint32_t *pid;
	size_t npid;
	bool picks;		/* by time or path: of each process only a part is kept */
	bool rules;		/* buffers are left out */
	bool counting;		/* first pass */
	struct map with_events; /* pids that have an event which is kept */
	struct map undecided;	/* first pass: notes that are kept if their pid is among them */
	uint64_t events;	/* kept */
	struct extract_counts out;
	struct frz_desc desc;
};

bool extract_filter_init(struct extract_filter *x, const struct filters *f, bool rules);
void extract_filter_release(struct extract_filter *x);
/* Is the timed record just decoded by d kept? to_real: added to mono gives real time. Counts
 * while counting. False also when memory is short; *nomem says so. */
bool extract_wants(struct extract_filter *x, const struct frz_decoder *d,
		   const struct frz_record *rec, int64_t to_real, bool *nomem);
/* Is a moment of a block within the time asked for? */
bool extract_in_time(const struct extract_filter *x, uint64_t real_ns);
/* Ends the first pass. */
void extract_counted(struct extract_filter *x);
bool extract_path_fits(const struct extract_filter *x, struct frz_str path);
/* Is the record or attachment of a kind that this version can check for names? */
bool extract_knows_record(unsigned type);
bool extract_knows_attachment(const struct extract_filter *x, unsigned kind);

/* ---- extract_learn.c: what rules have to know before the first string is told ---- */

#define FRZ_AF_UNIX 1
#define FRZ_SUN_MAX 110 /* a sockaddr_un that is full */

/* False: no memory. rec was just decoded by d. r NULL: nothing to do. */
bool extract_learn(struct rules *r, const struct frz_decoder *d, const struct frz_record *rec);
bool extract_learn_genesis(struct rules *r, const struct frz_block *genesis);

/* ---- extract_write.c: blocks of the new case ---- */

struct extract_file {
	int fd;
	const char *path;
	uint8_t link[FRZ_HASH_LEN];
	uint64_t offset, blocks, segments, ticks, events;
	struct frz_sha256 sha;
	uint64_t last_segment; /* offset of its block */
	struct frz_buf index;
	struct frz_buf block; /* being made */
};

/* All: FRZ_OK, FRZ_E_IO with errno, FRZ_E_NOMEM, FRZ_E_SPACE. */
enum frz_err extract_file_open(struct extract_file *w, const char *path);
/* Removes it again when !keep. False: it could not be made durable (errno). */
bool extract_file_close(struct extract_file *w, bool keep);

struct extract_origin {
	uint8_t case_id[16], head[FRZ_HASH_LEN];
	const char *state;
	uint64_t events;
	char filter[2000], left_out[400];
};
/* genesis: of the original; rules NULL: none. */
enum frz_err extract_put_genesis(struct extract_file *w, const struct frz_block *genesis,
				 const struct extract_origin *origin, const struct rules *rules);
struct extract_segment {
	const struct frz_block *origin; /* its boot id */
	const struct frz_packed *packed;
	struct frz_moment first, last;
	uint64_t lost;
	bool recovered;
};
enum frz_err extract_put_segment(struct extract_file *w, const struct extract_segment *s);
/* TICK and RECOVERY of the original, with the totals of the extract. */
enum frz_err extract_put_block(struct extract_file *w, const struct frz_block *blk);
/* boot id, reason (empty: it has none) and moment: of the original's end. lost: in all of it. */
enum frz_err extract_put_seal(struct extract_file *w, const char *boot_id, const char *reason,
			      const struct rules *rules, struct frz_moment at, uint64_t lost);

/* ---- extract_records.c: records of a segment told anew ---- */

struct extract_records;

struct extract_records *extract_records_new(struct extract_file *w, const struct rules *rules);
void extract_records_free(struct extract_records *e);
/* A segment of the original begins, decoded by `in`. */
enum frz_err extract_records_begin(struct extract_records *e, const struct frz_decoder *in,
				   const struct frz_case_item *it);
/* A record of it. wanted: timed and kept. */
enum frz_err extract_records_take(struct extract_records *e, const struct frz_record *rec,
				  bool wanted, const struct extract_filter *x);
enum frz_err extract_records_end(struct extract_records *e);

#endif
