/* import.c - blocks to segments to records to rows (contract in import.h). */
#include "import.h"

#include <errno.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "caseinfo.h"
#include "record.h"
#include "rows.h"
#include "sysent.h"
#include "verify.h"

#define CLOCK_STEP_NS 50000000 /* more than NTP slews within a segment */
#define LOST_EVENTS   "events lost"
#define UNREADABLE    "damaged, events unreadable"

struct import {
	struct sqlite3 *db;
	struct import_options o;
	struct frz_case *c;
	struct frz_decoder *dec;
	struct rows *rows;
	struct caseinfo *info;
	bool has_anchor;
	int64_t anchor; /* real - mono of the last segment */
	uint64_t news;
	int64_t news_first;
	uint64_t damages; /* segments whose records do not decode */
	uint64_t last_seq;
	uint64_t next_event; /* by the blocks read so far */
	/* the tail of a case that has no SEAL */
	struct frz_unfinished tail;
	struct tail_state state; /* of it at the last run; its marks are what the rows have */
	uint8_t genesis_link[FRZ_HASH_LEN];
	off_t bytes; /* of the case then */
	/* progress */
	struct timespec begun, drawn;
	bool drew;
};

static double seconds_since(const struct timespec *t)
{
	struct timespec n;

	clock_gettime(CLOCK_MONOTONIC, &n);
	return (double)(n.tv_sec - t->tv_sec) + (double)(n.tv_nsec - t->tv_nsec) / 1e9;
}

static void progress(struct import *im, bool end)
{
	struct frz_case_head h;
	struct rows_stats st;
	double took;

	if (!im->o.progress || (end && !im->drew))
		return;
	if (!end && seconds_since(&im->drawn) < 0.2)
		return;
	clock_gettime(CLOCK_MONOTONIC, &im->drawn);
	if (end) {
		fprintf(stderr, "\r\033[K");
		return;
	}
	frz_case_head(im->c, &h);
	rows_stats(im->rows, &st);
	took = seconds_since(&im->begun);
	fprintf(stderr, "\rimporting: %3.0f%%, %" PRIu64 " events, %.0f/s\033[K",
		h.file_bytes ? 100.0 * (double)h.bytes / (double)h.file_bytes : 0.0, st.events,
		took > 0 ? (double)im->news / took : 0.0);
	fflush(stderr);
	im->drew = true;
}

/* Does a list of names and classes (the language of frec -e) say wanted (or with "!",
 * unwanted) of this call? */
static bool listed(const char *set, bool negated, const struct frz_sysent *e, bool *any)
{
	char *copy = strdup(set), *save = NULL;
	bool found = false;

	for (char *w = copy ? strtok_r(copy, ", \t", &save) : NULL; w;
	     w = strtok_r(NULL, ", \t", &save)) {
		if ((*w == '!') != negated)
			continue;
		w += negated;
		*any = true;
		found |= !strcmp(w, e->name) || (e->classes & frz_class_by_name(w)) ||
			 (!strcmp(w, "default") && (e->classes & FRZ_CL_DEFAULT));
	}
	free(copy);
	return found;
}

/* Were all calls recorded that the kernel counts in rchar and wchar? */
static bool records_counted(const char *set)
{
	for (unsigned i = 0; i < frz_sysents_n; i++) {
		const struct frz_sysent *e = &frz_sysents[i];
		bool any = false, none = false;

		if (e->counted &&
		    ((!listed(set, false, e, &any) && any) || listed(set, true, e, &none)))
			return false;
	}
	return true;
}

static bool nomem(char *err, size_t cap, int *code)
{
	snprintf(err, cap, "out of memory");
	*code = VERIFY_USAGE;
	return false;
}

static bool fault_line(const struct import *im, const struct frz_fault *f, char *err, size_t cap,
		       int *code)
{
	if (f->err == FRZ_E_IO)
		snprintf(err, cap, "%s: %s", im->o.path, f->what);
	else
		snprintf(err, cap, "%s: %s at block %" PRIu64 ", offset %" PRIu64 ": %s",
			 im->o.path, frz_strerror(f->err), f->block, f->offset, f->what);
	*code = fault_exit(f);
	return false;
}

struct import *import_new(sqlite3 *db, const struct import_options *o, char *err, size_t cap,
			  int *code)
{
	struct import *im = calloc(1, sizeof(*im));
	struct frz_fault fault;

	if (!im) {
		nomem(err, cap, code);
		return NULL;
	}
	im->db = db;
	im->o = *o;
	clock_gettime(CLOCK_MONOTONIC, &im->begun);
	im->drawn = im->begun;
	im->dec = frz_decoder_new();
	im->info = caseinfo_new();
	if (!frz_unfinished_init(&im->tail, o->path) || !im->dec || !im->info) {
		nomem(err, cap, code);
		goto fail;
	}
	im->next_event = 1;
	im->state.nmarks = o->nmarks;
	memcpy(im->state.mark, o->mark, sizeof(im->state.mark));
	if (frz_case_open(o->path, o->allow_damaged ? FRZ_CASE_ALLOW_DAMAGED : 0, &im->c, &fault) !=
	    FRZ_OK) {
		fault_line(im, &fault, err, cap, code);
		goto fail;
	}
	im->rows = rows_new(db, err, cap);
	if (im->rows)
		return im;
	*code = VERIFY_USAGE;
fail:
	import_free(im);
	return NULL;
}

void import_free(struct import *im)
{
	if (!im)
		return;
	rows_free(im->rows);
	frz_unfinished_release(&im->tail);
	frz_decoder_free(im->dec);
	frz_case_close(im->c);
	caseinfo_free(im->info);
	free(im);
}

static bool note(struct import *im, const char *what, uint64_t count, int64_t ts, const char *fmt,
		 ...) __attribute__((format(printf, 5, 6)));
static bool note(struct import *im, const char *what, uint64_t count, int64_t ts, const char *fmt,
		 ...)
{
	char text[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return rows_coverage(im->rows, what, count, ts, text);
}

/* A segment begins, or is gone on with. False: no memory. */
static bool begin_segment(struct import *im, uint64_t first_event, struct frz_moment first,
			  bool known)
{
	int64_t to_real = (int64_t)(first.real_ns - first.mono_ns);
	int64_t step = frz_add(to_real, im->anchor == INT64_MIN ? INT64_MAX : -im->anchor);
	bool good = true;

	if (im->has_anchor && !known && (step > CLOCK_STEP_NS || step < -CLOCK_STEP_NS))
		good = note(
			im, "clock stepped", 1, (int64_t)first.real_ns,
			"real time moved by %+.3f s against monotonic time before event %" PRIu64,
			(double)step / 1e9, first_event);
	im->has_anchor = true;
	im->anchor = to_real;
	rows_segment(im->rows, im->dec, to_real);
	return good;
}

/* known: its rows are there already. False: no memory, or the database failed. */
static bool take_record(struct import *im, const struct frz_record *rec, bool known)
{
	if (rec->seq)
		im->last_seq = rec->seq;
	if (known)
		return rows_known(im->rows, rec);
	if (FRZ_REC_EVENT((unsigned)rec->type)) {
		int64_t ts = frz_add((int64_t)(rec->mono_ns - rec->dur_ns), im->anchor);

		if (!im->news++ || ts < im->news_first)
			im->news_first = ts;
	}
	return rows_record(im->rows, rec);
}

/* The segment with this number is whole now: what it had in the tail is out of *was. False:
 * none of it was known. */
static bool unmark(struct import *im, uint64_t generation, struct tail_mark *was)
{
	struct tail_state *t = &im->state;

	if (!t->nmarks || t->mark[0].generation != generation)
		return false;
	*was = t->mark[0];
	t->mark[0] = t->mark[1];
	t->nmarks--;
	return true;
}

/* The records of one segment. FRZ_OK, or what is wrong with them in *fault; FRZ_E_NOMEM
 * also when the database failed; FRZ_E_FOREIGN: its first records are not those that were
 * taken from the tail. */
static enum frz_err segment(struct import *im, const struct frz_case_item *it,
			    struct frz_fault *fault)
{
	const struct frz_case_segment *s = &it->segment;
	struct tail_mark was = { .records = 0 };
	struct tail_hash h;
	struct frz_record rec;
	const char *why = NULL;
	uint8_t *raw = NULL;
	enum frz_err err = frz_case_raw(im->c, &raw, fault);

	if (err != FRZ_OK)
		return err;
	err = frz_decoder_begin(im->dec, raw, s);
	unmark(im, s->number + 1, &was);
	tail_hash_begin(&h);
	if (err == FRZ_OK && !begin_segment(im, s->first_event, s->first, was.records))
		err = FRZ_E_NOMEM;
	while (err == FRZ_OK && (err = frz_decoder_next(im->dec, &rec, &why)) == FRZ_OK) {
		bool known = h.records < was.records;

		if (known)
			tail_hash_add(&h, &rec);
		if (known && h.records == was.records && !tail_hash_is(&h, &was))
			err = FRZ_E_FOREIGN;
		else if (!take_record(im, &rec, known))
			err = FRZ_E_NOMEM;
	}
	free(raw);
	if (err == FRZ_END && h.records < was.records)
		err = FRZ_E_FOREIGN;
	if (err == FRZ_END)
		return FRZ_OK;
	if (err != FRZ_E_NOMEM)
		frz_fault_set(fault, err, it->block.index, s->frame_offset, "%s",
			      why ? why : "records do not decode");
	return err;
}

static bool damage(struct import *im, const struct frz_fault *f, uint64_t events)
{
	return note(im, events ? UNREADABLE : "damaged", events ? events : 1, 0,
		    "%s at block %" PRIu64 ", offset %" PRIu64 ": %s", frz_strerror(f->err),
		    f->block, f->offset, f->what);
}

/* Lost events that no GAP record told of. */
static bool tell_lost(struct import *im, uint64_t lost)
{
	sqlite3_stmt *st = NULL;
	uint64_t told = 0;

	if (sqlite3_prepare_v2(
		    im->db,
		    "SELECT coalesce(sum(count), 0) FROM coverage WHERE what = '" LOST_EVENTS "'",
		    -1, &st, NULL) == SQLITE_OK &&
	    sqlite3_step(st) == SQLITE_ROW)
		told = (uint64_t)sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	return lost <= told ||
	       rows_coverage(im->rows, LOST_EVENTS, lost - told, 0, "counted by the recorder");
}

static bool finish(struct import *im, struct case_state *state, char *err, size_t cap)
{
	struct rows_stats st;
	struct caseinfo_totals t;

	if (!rows_flush(im->rows, err, cap))
		return false;
	if (!tell_lost(im, state->head.lost + state->tail.lost) || !rows_flush(im->rows, err, cap))
		return false;
	rows_stats(im->rows, &st);
	t = (struct caseinfo_totals){ st.events, st.first_ts, st.last_ts };
	if (caseinfo_store(im->info, im->db, im->o.path, state, &t))
		return true;
	snprintf(err, cap, "%s", sqlite3_errmsg(im->db));
	return false;
}

static bool stale(const struct import *im, char *err, size_t cap, int *code)
{
	snprintf(err, cap, "%s: what was read from its tail before is not what it holds now",
		 im->o.path);
	*code = IMPORT_STALE;
	return false;
}

/* A failed database says more when it is flushed. */
static bool no_rows(struct import *im, char *err, size_t cap, int *code)
{
	progress(im, true);
	if (rows_flush(im->rows, err, cap))
		return nomem(err, cap, code);
	*code = VERIFY_USAGE;
	return false;
}

/* Events up to this one, of which nothing was said yet, cannot be read. */
static bool gap(struct import *im, uint64_t to)
{
	uint64_t from = im->next_event;

	if (to <= from)
		return true;
	im->next_event = to;
	return note(im, UNREADABLE, to - from, 0, "events %" PRIu64 " to %" PRIu64 " are gone",
		    from, to - 1);
}

static bool take_segment(struct import *im, const struct frz_case_item *it, char *err, size_t cap,
			 int *code)
{
	const struct frz_case_segment *s = &it->segment;
	struct frz_fault fault;
	enum frz_err e;

	if (!gap(im, s->first_event))
		return no_rows(im, err, cap, code);
	im->next_event = s->first_event + s->events;
	if (it->block.index < im->o.skip_blocks) {
		im->has_anchor = true;
		im->anchor = (int64_t)(s->first.real_ns - s->first.mono_ns);
		return true;
	}
	e = segment(im, it, &fault);
	if (e == FRZ_OK)
		return true;
	if (e == FRZ_E_NOMEM)
		return no_rows(im, err, cap, code);
	progress(im, true);
	if (e == FRZ_E_FOREIGN)
		return stale(im, err, cap, code);
	if (!im->o.allow_damaged)
		return fault_line(im, &fault, err, cap, code);
	if (im->last_seq + 1 < s->first_event)
		im->last_seq = s->first_event - 1;
	im->damages++;
	return damage(im, &fault, s->first_event + s->events - 1 - im->last_seq) ||
	       no_rows(im, err, cap, code);
}

static bool take_damage(struct import *im, const struct frz_case_item *it)
{
	uint64_t first = it->segment_skipped ? it->segment.first_event : 0;

	if (first < im->next_event)
		return damage(im, &it->fault, 0);
	if (!gap(im, first))
		return false;
	im->next_event = first + it->segment.events;
	return damage(im, &it->fault, it->segment.events);
}

/* The blocks up to limit, in bytes, of a case that may grow meanwhile; state->end says how they
 * end. False: nothing of use. */
static bool take_blocks(struct import *im, uint64_t limit, struct case_state *state, char *err,
			size_t cap, int *code)
{
	struct frz_case_item it;

	for (;;) {
		frz_case_head(im->c, &state->head);
		state->end = FRZ_E_UNSEALED;
		if (!state->head.sealed && state->head.bytes >= limit)
			break;
		state->end = frz_case_next(im->c, &it, &state->fault);
		if (state->end != FRZ_OK)
			break;
		if (it.type == FRZ_SEGMENT) {
			if (!take_segment(im, &it, err, cap, code))
				return false;
		} else if (it.type == 0) {
			if (!take_damage(im, &it))
				return no_rows(im, err, cap, code);
		} else if (!caseinfo_block(im->info, &it)) {
			return no_rows(im, err, cap, code);
		}
		if (it.type == FRZ_GENESIS) {
			const char *set = caseinfo_get(im->info, "records");

			rows_audit(im->rows, records_counted(set ? set : "default"));
			memcpy(im->genesis_link, it.block.link, FRZ_HASH_LEN);
		}
		progress(im, false);
	}
	frz_case_head(im->c, &state->head);
	state->head.damages += im->damages;
	return true;
}

static bool tail_half(void *arg, const struct frz_tail_half *h, bool known)
{
	return begin_segment(arg, h->first_event, (struct frz_moment){ h->mono, h->real }, known);
}

static bool tail_record(void *arg, const struct frz_record *rec, bool known)
{
	return take_record(arg, rec, known);
}

/* What the segments lack. False: nothing of use. */
static bool take_tail(struct import *im, const struct case_state *state, char *err, size_t cap,
		      int *code)
{
	struct tail_taker to = {
		.d = im->dec, .half = tail_half, .record = tail_record, .arg = im
	};
	struct tail_state *t = &im->state;

	frz_unfinished_fit(&im->tail, im->genesis_link, case_segments(state), state->head.events);
	/* at work, and yet there is no copy: it will be had the next time */
	if (t->writer == FRZ_WRITER_AT_WORK && !im->tail.copied && t->nmarks)
		return true;
	switch (tail_walk(&im->tail, &to, t)) {
	case TAIL_STALE:
		return stale(im, err, cap, code);
	case TAIL_STOPPED:
		return no_rows(im, err, cap, code);
	default:
		return true;
	}
}

/* A case as it is at one moment: the tail is copied first, and the blocks that there are then are
 * read. What comes later stays for the next time, or with a fast recorder there would be no end. */
static bool take_all(struct import *im, struct case_state *state, char *err, size_t cap, int *code)
{
	const struct timespec moment = { .tv_nsec = 10000000 };
	enum frz_writer writer = frz_case_writer(im->o.path);
	struct stat st;
	int tries = 0;

	frz_unfinished_copy(&im->tail);
	if (stat(im->o.path, &st) != 0) {
		snprintf(err, cap, "%s: %s", im->o.path, strerror(errno));
		*code = VERIFY_USAGE;
		return false;
	}
	im->bytes = st.st_size;
	for (;;) {
		if (!take_blocks(im, (uint64_t)st.st_size, state, err, cap, code))
			return false;
		/* within a block that is being written */
		if (state->end != FRZ_E_TRUNCATED || writer != FRZ_WRITER_AT_WORK || im->o.live ||
		    tries++ == 100)
			break;
		nanosleep(&moment, NULL);
	}
	if (!case_unfinished(state)) {
		im->state = (struct tail_state){ .nmarks = 0 };
		return true;
	}
	im->state.writer = writer;
	if (!take_tail(im, state, err, cap, code))
		return false;
	if (im->o.live && state->end == FRZ_E_TRUNCATED)
		state->end = FRZ_E_UNSEALED;
	state->tail = im->state;
	return true;
}

bool import_run(struct import *im, struct case_state *state, char *err, size_t cap, int *code)
{
	memset(state, 0, sizeof(*state));
	*err = '\0';
	if (!take_all(im, state, err, cap, code))
		return false;
	progress(im, true);
	/* told by a SEAL or TICK, and in no segment that was found */
	if (state->head.damages && !gap(im, state->head.events + 1))
		return no_rows(im, err, cap, code);
	if (!case_whole(state)) {
		if (!im->o.allow_damaged || state->end != FRZ_E_TRUNCATED || !state->head.blocks)
			return fault_line(im, &state->fault, err, cap, code);
		damage(im, &state->fault, 0);
	}
	if (!finish(im, state, err, cap)) {
		*code = VERIFY_USAGE;
		return false;
	}
	return true;
}

bool import_moved(struct import *im)
{
	struct stat st;

	return stat(im->o.path, &st) != 0 || st.st_size != im->bytes ||
	       frz_case_writer(im->o.path) != im->state.writer || frz_unfinished_moved(&im->tail);
}

uint64_t import_news(struct import *im, int64_t *first_ts)
{
	uint64_t n = im->news;

	*first_ts = im->news_first;
	im->news = 0;
	im->news_first = 0;
	return n;
}
