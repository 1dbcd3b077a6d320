/* rows_private.h - the state that rows.c, files.c and notes.c share. */
#ifndef FANALYZE_ROWS_PRIVATE_H
#define FANALYZE_ROWS_PRIVATE_H

#include "aggregate.h"
#include "describe.h"
#include "insert.h"
#include "intern.h"
#include "map.h"
#include "rows.h"
#include "spans.h"

/* What is known of a call from its row in the syscall table, worked out once. */
struct call_info {
	bool known;
	bool has_path;		      /* takes a path: a failure is that path's, not the fd's */
	bool makes_path, makes_path2; /* success creates what `path` or `path2` names */
	int8_t flags_slot;	      /* of open flags, -1 none */
	bool flags_nums;	      /* open flags are the first number of the structure there */
	uint8_t fixed_flags;	      /* creat: as if O_CREAT were given */
	const char *mark;	      /* NULL: not rare enough to mark */
	bool is_prctl;		      /* its first argument decides about a mark */
};

/* A thread as it is now, behind a tid. */
struct live {
	uint32_t task, thread, proc; /* row numbers; thread 0: none */
	uint64_t fdtable;
	bool gone;
	/* what it did last, to spare looking it up: call ids and their rows in call_counts */
	struct {
		uint32_t call, row;
	} counted[16];
};

struct known_text {
	const uint8_t *p;
	uint32_t len, string;
};

struct detail_slot {
	uint64_t hash;
	uint32_t id, len;
	char *text;
	uint32_t cap;
};

/* A segment's numbers for files, as rows. */
struct seg_file {
	uint32_t row;
};

struct rows {
	struct sqlite3 *db;
	struct aggregates agg;
	struct intern *strings;
	struct insert *insert;
	bool failed; /* no memory */
	bool audit;
	const struct frz_decoder *d;
	int64_t to_real;
	int64_t last_ts; /* of the last timed record */
	struct frz_desc desc;
	struct call_info *info;			 /* by frz_sysent.id */
	const struct frz_sysent *uring_ent[256]; /* plain call of an io_uring operation */
	bool uring_known[256];
	struct map calls; /* call ids that are in the database */
	bool errnos[4096];
	struct spans *spans;
	/* texts of the segment that were looked up, by where they stand */
	struct known_text *known;
	/* details: a cache, so a text may be there twice */
	struct detail_slot *details;
	uint32_t next_detail;
	/* who is who now */
	struct live *live;
	uint32_t nlive, cap_live;
	struct map live_by_tid, proc_by_pid, proc_by_table;
	struct map table_users, proc_threads; /* how many living threads */
	/* files */
	uint32_t *file_by_path; /* latest row of `files` by number of string */
	uint32_t cap_file_by_path;
	struct seg_file *seg_file; /* by number of FILE in the segment */
	uint32_t cap_seg_file;
	/* fds */
	uint32_t *next_open; /* list of a table's open fds: next one, by row of `fds` */
	uint32_t cap_next_open;
	struct map open_by_table; /* first of that list */
	struct map listening;	  /* ports that something listens on: port_key() */
	uint32_t *fresh;	  /* fds bound since the last event */
	uint32_t nfresh, cap_fresh;
	struct touch {
		uint32_t file, proc, row;
	} last_touch[1024]; /* row: of file_procs */
	struct rows_stats stats;
};

/* rows.c */
/* 0: empty, or no memory (failed is set) */
uint32_t rows_string(struct rows *r, struct frz_str s);
uint32_t rows_text(struct rows *r, const char *s);
uint32_t rows_dec_string(struct rows *r, uint32_t number);
void rows_mark(struct rows *r, int64_t ts, uint64_t seq, const char *what);

/* A row's column in one of the tables. Row 0 is nobody's: reads and writes go to a dummy. */
#define COL(r, table, row, column) (rows_columns((r), TABLE_##table, (row))[table##_##column])
int64_t *rows_columns(struct rows *r, enum table t, uint32_t row);
/* To look only: the row need not be written again. Not for row 0. */
#define PEEK(r, table, row, column)                                                                \
	(aggregate_peek(&(r)->agg, TABLE_##table, (row))[table##_##column])

/* files.c */
/* The row of what a FILE record describes, its columns brought up to date. victim: it is about
 * to be destroyed, this is what it was. 0: unknown number. */
uint32_t files_of(struct rows *r, uint32_t number, bool victim);
/* The row that a path alone leads to. */
uint32_t files_of_path(struct rows *r, uint32_t path);
/* The row of the same file under another name. */
uint32_t files_under(struct rows *r, uint32_t row, uint32_t path);
/* The process had to do with it. Returns their row of file_procs; 0: one of them is not known. */
uint32_t files_touch(struct rows *r, uint32_t file, uint32_t proc, int64_t ts);

/* rows_known: the row that a FILE led to; a binding whose event may be still to come. */
void files_known(struct rows *r, uint32_t number);
void fds_known(struct rows *r, const struct frz_dbind *b);

void fds_bind(struct rows *r, const struct frz_dbind *b);
void fds_unbind(struct rows *r, const struct frz_dbind *b);
/* What was bound since the last event is that event's. */
void fds_settle(struct rows *r, uint32_t proc, int64_t ts);
void fds_close_table(struct rows *r, uint64_t table);
void fds_own_table(struct rows *r, uint64_t table, uint32_t proc);
uint32_t fds_of(struct rows *r, uint64_t instance);    /* 0: not known */
uint32_t file_behind(struct rows *r, uint32_t fd_row); /* the file behind it; 0: not known */
bool files_load(struct rows *r); /* after an earlier import's tables were loaded */

/* effects.c */
const struct call_info *effects_info(struct rows *r, const struct frz_sysent *ent); /* never NULL */
/* The syscall table's row for what was just described; NULL: none. */
const struct frz_sysent *effects_entry(struct rows *r, const struct frz_record *rec);
/* What it is found by (table `marks`); NULL: not rare enough. */
const char *effects_mark(const struct frz_call *c, const struct call_info *ci);
/* What moved, on the fd and on its file; returns the file. */
uint32_t effects_transfer(struct rows *r, const struct frz_call *call, uint64_t instance,
			  bool write, uint32_t proc, int64_t ts);
/* What a call that worked did to files beyond moving bytes. path, path2: strings. */
void effects_of(struct rows *r, const struct frz_record *rec, const struct frz_sysent *ent,
		const struct call_info *ci, struct live *l, uint32_t path, uint32_t path2,
		int64_t ts);

/* peers.c */
/* r->desc.bytes are about to be added to a socket's row: by whose address? */
void peers_moved(struct rows *r, uint32_t fd_row, const struct frz_call *c, bool write);
/* The kernel names this as the other side now. */
void peers_connected(struct rows *r, uint32_t fd_row, uint32_t remote);

/* notes.c: everything that is neither an event nor about fds */
void notes_record(struct rows *r, const struct frz_record *rec);
/* A thread that does something now: made up when it was never declared, and a new life when
 * the last one with this tid has ended. NULL: no memory. */
struct live *notes_live(struct rows *r, uint32_t tid);
/* rows_known: the name that a thread bore last. */
void notes_known(struct rows *r, const struct frz_dthread *t);
bool notes_load(struct rows *r);

#endif
