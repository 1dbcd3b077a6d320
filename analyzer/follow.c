/*
 * follow.c - the timeline of a case that still grows (contract in follow.h).
 *
 * The database is extended as segments come, and as records come into the tail; what is new is
 * then printed from it. Ends when the case is sealed, when the recorder ends without that, or
 * at Ctrl-C, with the exit code of the case's state.
 */
#include "follow.h"

#include <inttypes.h>
#include <signal.h>
#include <sqlite3.h>
#include <time.h>

#include "db.h"
#include "message.h"
#include "query.h"

#define POLL_NS 100000000

static volatile sig_atomic_t stopped;

static void stop(int signo)
{
	(void)signo;
	stopped = 1;
}

/* What came since after_seq, whose earliest time is from_ts; -1 a line was printed. */
static int print_new(struct output *out, sqlite3 *db, const struct options *o, int64_t from_ts,
		     uint64_t after_seq)
{
	char extra[120];
	sqlite3_stmt *st;
	int rc;

	snprintf(extra, sizeof(extra),
		 "\tAND until > %" PRId64 " AND ts_ns >= %" PRId64 " AND seq > %" PRIu64 "\n",
		 from_ts, from_ts, after_seq);
	st = query_prepare(db, "timeline", &o->filters, o->format == OUTPUT_TEXT, extra);
	if (!st)
		return -1;
	rc = output_rows(out, st, 0, NULL);
	sqlite3_finalize(st);
	fflush(out->f);
	if (rc == SQLITE_DONE)
		return ferror(out->f) ? -1 : 0;
	complain(0, "timeline: %s", sqlite3_errmsg(db));
	return -1;
}

/* The importer goes on from what the database has; *im is NULL at first. seq: of the last event
 * printed. False: a line was printed. */
static bool go_on(struct import **im, sqlite3 *db, const struct options *o,
		  const struct case_state *last, bool *anew, int *code)
{
	struct import_options io = { .path = o->case_path, .live = true };
	char err[600];

	*anew = !*im || !db_noted_is(db, last);
	if (!*anew)
		return true;
	/* another fanalyze brought it up to date meanwhile */
	import_free(*im);
	io.skip_blocks = db_noted(db, "blocks");
	db_noted_tail(db, io.mark, &io.nmarks);
	*im = import_new(db, &io, err, sizeof(err), code);
	if (!*im)
		complain(0, "%s", err);
	return *im != NULL;
}

/* What there is now into the database, and what of it is new printed. */
static bool round_of(struct output *out, sqlite3 *db, struct import **im, const struct options *o,
		     uint64_t seq, struct case_state *s, int *code)
{
	int64_t from = INT64_MIN + 1;
	bool anew = false;
	char err[600];

	if (!db_begin(db)) {
		complain(0, "%s: %s", db_path(), sqlite3_errmsg(db));
		return false;
	}
	if (!go_on(im, db, o, s, &anew, code))
		return false;
	if (!import_run(*im, s, err, sizeof(err), code)) {
		complain(0, "%s", err);
		if (*code == IMPORT_STALE)
			*code = VERIFY_DAMAGED;
		return false;
	}
	*code = case_exit(s);
	/* printed before it is committed: that can take a moment */
	if (s->head.events + s->tail.events > seq) {
		int64_t news;

		if (import_news(*im, &news) && !anew)
			from = news;
		if (print_new(out, db, o, from, seq) < 0)
			return false;
	}
	if (db_commit(db, o->case_path, s))
		return true;
	complain(0, "%s: %s", db_path(), sqlite3_errmsg(db));
	return false;
}

static int loop(struct output *out, sqlite3 *db, const struct options *o, uint64_t seq, int *code)
{
	const struct timespec pause = { .tv_nsec = POLL_NS };
	struct case_state s = { .end = FRZ_OK };
	struct import *im = NULL;
	bool at_work = false;
	int good = 0;

	for (; !stopped; nanosleep(&pause, NULL)) {
		if (im && !import_moved(im))
			continue;
		if (!round_of(out, db, &im, o, seq, &s, code)) {
			good = -1;
			break;
		}
		seq = s.head.events + s.tail.events;
		if (s.end == FRZ_END)
			break;
		if (at_work && s.tail.writer == FRZ_WRITER_NONE) {
			complain(0, "%s: the recorder ended without a seal: use frec --recover",
				 o->case_path);
			break;
		}
		at_work |= s.tail.writer == FRZ_WRITER_AT_WORK;
	}
	import_free(im);
	return good;
}

int follow_run(const struct options *o)
{
	struct sigaction sa = { .sa_handler = stop };
	struct output out;
	sqlite3 *db;
	int code, good = -1;

	if (o->format == OUTPUT_JSON)
		return complain(VERIFY_USAGE, "--follow has no end to a list: use --format jsonl");
	db = db_open(o, &code);
	if (!db)
		return code;
	if (!output_open(&out, o->output, o->format)) {
		sqlite3_close(db);
		return VERIFY_USAGE;
	}
	query_functions(db);
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	/* first what is there, of one moment, then what comes */
	if (sqlite3_exec(db, "BEGIN", NULL, NULL, NULL) == SQLITE_OK &&
	    print_new(&out, db, o, INT64_MIN + 1, 0) == 0) {
		uint64_t seq = db_noted(db, "events");

		if (code == VERIFY_GOOD) {
			good = 0;
		} else {
			sqlite3_close(db);
			db = db_open_writable(db_path());
			if (db && query_functions(db))
				good = loop(&out, db, o, seq, &code);
		}
	}
	sqlite3_close(db);
	if (good < 0) {
		output_abandon(&out);
		return code == VERIFY_GOOD || code == VERIFY_UNSEALED ? VERIFY_USAGE : code;
	}
	return output_close(&out) ? code : VERIFY_USAGE;
}
