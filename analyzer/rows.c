/* rows.c - an event's row and what it adds to the counts (contract in rows.h). */
#include "rows.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

#include "rows_private.h"

#define DETAIL_SLOTS  (1u << 15)
#define KNOWN_TEXTS   (1u << 12)
#define CALL_IO_URING 4u /* beside enum frz_abi in a call's id */

int64_t *rows_columns(struct rows *r, enum table t, uint32_t row)
{
	static int64_t nobody[64];

	if (!row) {
		memset(nobody, 0, sizeof(nobody));
		return nobody;
	}
	return aggregate_row(&r->agg, t, row);
}

uint32_t rows_string(struct rows *r, struct frz_str s)
{
	uint32_t n;

	if (s.cut) {
		/* a cut is marked, so that it cannot pass for the whole */
		char tail[64];
		size_t t = (size_t)(s.true_len ?
					    snprintf(tail, sizeof(tail), "[cut: %u of %llu bytes]",
						     s.len, (unsigned long long)s.true_len) :
					    snprintf(tail, sizeof(tail), "[cut after %u bytes]",
						     s.len));
		char *p = malloc(s.len + t);

		n = 0;
		if (p) {
			if (s.len)
				memcpy(p, s.p, s.len);
			memcpy(p + s.len, tail, t);
			n = intern_bytes(r->strings, p, s.len + t);
		}
		free(p);
	} else if (!s.len) {
		return 0;
	} else {
		n = intern_bytes(r->strings, s.p, s.len);
	}
	if (!n)
		r->failed = true;
	return n;
}

uint32_t rows_text(struct rows *r, const char *s)
{
	return rows_string(r,
			   (struct frz_str){ .p = (const uint8_t *)s, .len = (uint32_t)strlen(s) });
}

uint32_t rows_dec_string(struct rows *r, uint32_t number)
{
	return number ? rows_string(r, frz_dec_string(r->d, number)) : 0;
}

/* The same for a path of r->desc. The decoder's strings stay where they are for a segment, so that
 * most need not be read again. */
static uint32_t path_string(struct rows *r, struct frz_str s)
{
	const uint8_t *joined = (const uint8_t *)&r->desc.join;
	struct known_text *k;

	if (!s.len || s.cut || (s.p >= joined && s.p < joined + sizeof(r->desc.join)))
		return rows_string(r, s);
	k = &r->known[(uintptr_t)s.p / 8 % KNOWN_TEXTS];
	if (k->p != s.p || k->len != s.len)
		*k = (struct known_text){ s.p, s.len, rows_string(r, s) };
	return k->string;
}

static uint32_t call_id(struct rows *r, const struct frz_record *rec)
{
	const struct frz_call *c = &rec->u.call;
	bool uring = rec->type == FRZ_R_URING;
	uint32_t id = c->nr * 8 + (uring ? CALL_IO_URING : (uint32_t)c->abi) + 1;

	if (!map_get(&r->calls, id)) {
		uint32_t name = rows_text(r, r->desc.name);

		if (!name || !map_set(&r->calls, id, name))
			r->failed = true;
	}
	return id;
}

static uint32_t detail_id(struct rows *r, const char *text)
{
	size_t len = strlen(text);
	uint64_t h;
	struct detail_slot *s;

	if (!len)
		return 0;
	h = hash_bytes(text, len);
	s = &r->details[h % DETAIL_SLOTS];
	if (s->id && s->hash == h && s->len == len && !memcmp(s->text, text, len))
		return s->id;
	if (s->cap < len) {
		char *p = realloc(s->text, len + 32);

		if (!p) {
			r->failed = true;
			return 0;
		}
		s->text = p;
		s->cap = (uint32_t)len + 32;
	}
	memcpy(s->text, text, len);
	s->hash = h;
	s->len = (uint32_t)len;
	s->id = r->next_detail++;
	if (!batch_detail(insert_batch(r->insert), s->id, text, len))
		r->failed = true;
	return s->id;
}

void rows_mark(struct rows *r, int64_t ts, uint64_t seq, const char *what)
{
	struct batch *b = insert_batch(r->insert);

	if (b->nmarks < sizeof(b->mark) / sizeof(b->mark[0]))
		b->mark[b->nmarks++] = (struct mark_row){ ts, (int64_t)seq, what };
}

static void put_row(struct rows *r, const struct frz_record *rec, int64_t ts, uint32_t thread,
		    uint32_t call, uint32_t path, uint32_t path2, int err)
{
	const struct frz_desc *d = &r->desc;
	uint32_t detail = detail_id(r, d->detail);
	struct batch *b = insert_batch(r->insert);

	b->event[b->nevents++] = (struct event_row){
		.ts = ts,
		.seq = (int64_t)rec->seq,
		.dur = (int64_t)rec->dur_ns,
		.ret = d->returned ? rec->u.call.ret : NIL,
		.bytes = d->bytes >= 0 ? d->bytes : NIL,
		.thread = thread,
		.call = call,
		.path = path,
		.path2 = path2,
		.detail = detail,
		.fd = d->fd,
		.err = err,
	};
}

static void count_call(struct rows *r, struct live *l, uint32_t call, const struct frz_record *rec,
		       int64_t ts, bool failed)
{
	unsigned slot = call / 8 % (sizeof(l->counted) / sizeof(l->counted[0]));
	int64_t *c, dur = (int64_t)rec->dur_ns;

	if (l->counted[slot].call != call) {
		l->counted[slot].row = aggregate_get(&r->agg, TABLE_call_counts,
						     (const int64_t[]){ l->proc, call });
		l->counted[slot].call = call;
		if (!l->counted[slot].row)
			r->failed = true;
	}
	c = rows_columns(r, TABLE_call_counts, l->counted[slot].row);
	c[call_counts_count]++;
	c[call_counts_failures] += failed;
	if (r->desc.bytes > 0)
		c[call_counts_bytes] = frz_add(c[call_counts_bytes], r->desc.bytes);
	c[call_counts_dur] = frz_add(c[call_counts_dur], dur);
	if (dur > c[call_counts_max_dur])
		c[call_counts_max_dur] = dur;
	if (c[call_counts_first] == NIL || ts < c[call_counts_first])
		c[call_counts_first] = ts;
	if (c[call_counts_last] == NIL || ts > c[call_counts_last])
		c[call_counts_last] = ts;
}

static void count_failure(struct rows *r, uint32_t proc, uint32_t call, int err, uint32_t path,
			  int64_t ts)
{
	int64_t *c = rows_columns(r, TABLE_failure_counts,
				  aggregate_get(&r->agg, TABLE_failure_counts,
						(const int64_t[]){ proc, call, err, path }));

	c[failure_counts_count]++;
	if (c[failure_counts_first] == NIL)
		c[failure_counts_first] = ts;
	c[failure_counts_last] = ts;
}

/* Room for one more event in the batch: a full one goes to the inserter, and with it what will
 * hardly change any more. */
static bool make_room(struct rows *r)
{
	struct batch *b = insert_batch(r->insert);

	if (b->nevents < BATCH_EVENTS && b->ndetails < BATCH_EVENTS &&
	    b->nmarks + 8 <= 2 * BATCH_EVENTS)
		return true;
	for (unsigned t = 0; t < TABLES_N; t++)
		if (!aggregate_settle(&r->agg, (enum table)t, &b->settled[t]))
			return false;
	return insert_submit(r->insert);
}

static bool event(struct rows *r, const struct frz_record *rec)
{
	struct frz_desc *d = &r->desc;
	const struct frz_call *c = &rec->u.call;
	int64_t ts = frz_add((int64_t)(rec->mono_ns - rec->dur_ns), r->to_real);
	struct live *l = notes_live(r, c->tid);
	const struct frz_sysent *ent;
	const struct call_info *ci;
	struct frz_attachment a;
	const char *mark;
	uint32_t call, path, path2;
	bool failed;
	int err;

	if (!l || !l->thread)
		return false;
	if (!make_room(r)) {
		r->failed = true;
		return false;
	}
	r->last_ts = ts;
	frz_describe(r->d, rec, d);
	ent = effects_entry(r, rec);
	ci = effects_info(r, ent);
	err = d->err && c->ret < 0 && c->ret > -4096 ? (int)-c->ret : 0;
	if (err)
		r->errnos[err] = true;
	failed = err && !(c->flags & FRZ_C_RESTARTS); /* the program does not see a restart */
	if (r->nfresh)
		fds_settle(r, l->proc, ts);
	call = call_id(r, rec);
	path = path_string(r, d->path);
	path2 = path_string(r, d->path2);
	put_row(r, rec, ts, l->thread, call, path, path2, err);
	if (!spans_add(r->spans, ts, l->thread, call, path, path2, err != 0))
		r->failed = true;
	count_call(r, l, call, rec, ts, failed);
	mark = effects_mark(c, ci);
	if (mark && (!err || mark[0] != 'd'))
		rows_mark(r, ts, rec->seq, mark);
	if (frz_att_find(c, FRZ_A_SIGN, FRZ_SLOT_NONE, &a))
		rows_mark(r, ts, rec->seq, "sign");
	if (failed) {
		uint32_t file = ci->has_path && path ? files_of_path(r, path) :
						       file_behind(r, fds_of(r, d->instance));

		count_failure(r, l->proc, call, err, path, ts);
		if (err == EINPROGRESS && ent && ent->effect == FRZ_FX_CONNECT)
			effects_of(r, rec, ent, ci, l, path, path2, ts); /* it goes on */
		COL(r, files, file, failures)++;
		files_touch(r, file, l->proc, ts);
	} else if (d->returned && !err) {
		if (d->bytes >= 0 && d->read_instance)
			effects_transfer(r, c, d->read_instance, false, l->proc, ts);
		if (d->bytes >= 0 && d->write_instance)
			effects_transfer(r, c, d->write_instance, true, l->proc, ts);
		if (!d->read_instance && !d->write_instance)
			effects_of(r, rec, ent, ci, l, path, path2, ts);
		if (d->bytes > 0 && rec->type == FRZ_R_SYSCALL && ent && ent->counted) {
			int64_t *t = rows_columns(r, TABLE_tasks, l->task);

			if (ent->read_slot >= 0)
				t[tasks_recorded_read] = frz_add(t[tasks_recorded_read], d->bytes);
			if (ent->write_slot >= 0)
				t[tasks_recorded_written] =
					frz_add(t[tasks_recorded_written], d->bytes);
			if (ent->read_slot >= 0 && !strcmp(ent->name, "copy_file_range"))
				t[tasks_copied] = frz_add(t[tasks_copied], d->bytes);
		}
	}
	r->stats.events++;
	if (!r->stats.first_ts || ts < r->stats.first_ts)
		r->stats.first_ts = ts;
	if (ts > r->stats.last_ts)
		r->stats.last_ts = ts;
	return !r->failed;
}

bool rows_record(struct rows *r, const struct frz_record *rec)
{
	if (rec->type == FRZ_R_SYSCALL || rec->type == FRZ_R_URING)
		return event(r, rec);
	if (FRZ_REC_TIMED((unsigned)rec->type))
		r->last_ts = frz_add((int64_t)rec->mono_ns, r->to_real);
	notes_record(r, rec);
	return !r->failed;
}

bool rows_known(struct rows *r, const struct frz_record *rec)
{
	if (FRZ_REC_EVENT((unsigned)rec->type)) {
		r->last_ts = frz_add((int64_t)(rec->mono_ns - rec->dur_ns), r->to_real);
		r->nfresh = 0;
	} else if (FRZ_REC_TIMED((unsigned)rec->type)) {
		r->last_ts = frz_add((int64_t)rec->mono_ns, r->to_real);
	} else if (rec->type == FRZ_R_FILE) {
		files_known(r, rec->u.number);
	} else if (rec->type == FRZ_R_BIND) {
		fds_known(r, &rec->u.bind);
	} else if (rec->type == FRZ_R_THREAD) {
		notes_known(r, &rec->u.thread);
	}
	return !r->failed;
}

void rows_segment(struct rows *r, const struct frz_decoder *d, int64_t mono_to_real_ns)
{
	r->d = d;
	r->to_real = mono_to_real_ns;
	memset(r->known, 0, KNOWN_TEXTS * sizeof(*r->known));
	if (r->seg_file)
		memset(r->seg_file, 0, r->cap_seg_file * sizeof(*r->seg_file));
}

void rows_audit(struct rows *r, bool audit) { r->audit = audit; }

void rows_stats(const struct rows *r, struct rows_stats *s) { *s = r->stats; }

static bool load(struct rows *r)
{
	sqlite3_stmt *st = NULL;
	bool good = true;

	if (!aggregates_load(&r->agg, r->db) || !spans_load(r->spans, r->db) || !files_load(r) ||
	    !notes_load(r))
		return false;
	if (sqlite3_prepare_v2(r->db,
			       "SELECT coalesce(raw, CAST(text AS BLOB)) FROM strings ORDER BY id",
			       -1, &st, NULL))
		return false;
	for (uint32_t n = 1; good && sqlite3_step(st) == SQLITE_ROW; n++) {
		const void *p = sqlite3_column_blob(st, 0);

		good = intern_bytes(r->strings, p ? p : "", (size_t)sqlite3_column_bytes(st, 0)) ==
		       n;
	}
	good &= sqlite3_finalize(st) == SQLITE_OK;
	if (sqlite3_prepare_v2(r->db, "SELECT coalesce(max(id), 0) + 1 FROM details", -1, &st,
			       NULL))
		return false;
	good &= sqlite3_step(st) == SQLITE_ROW;
	r->next_detail = (uint32_t)sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	if (sqlite3_prepare_v2(r->db, "SELECT value FROM meta WHERE key = 'last_ts'", -1, &st,
			       NULL))
		return false;
	if (sqlite3_step(st) == SQLITE_ROW)
		r->last_ts = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	if (sqlite3_prepare_v2(
		    r->db,
		    "SELECT count(*), coalesce(min(ts), 0), coalesce(max(ts), 0) FROM events", -1,
		    &st, NULL))
		return false;
	good &= sqlite3_step(st) == SQLITE_ROW;
	r->stats.events = (uint64_t)sqlite3_column_int64(st, 0);
	r->stats.first_ts = sqlite3_column_int64(st, 1);
	r->stats.last_ts = sqlite3_column_int64(st, 2);
	sqlite3_finalize(st);
	return good && !r->failed;
}

struct rows *rows_new(sqlite3 *db, char *err, size_t cap)
{
	struct rows *r = calloc(1, sizeof(*r));

	if (r) {
		r->db = db;
		r->audit = true;
		r->strings = intern_new();
		r->info = calloc(frz_sysents_n + 1, sizeof(*r->info));
		r->spans = spans_new();
		r->known = calloc(KNOWN_TEXTS, sizeof(*r->known));
		r->details = calloc(DETAIL_SLOTS, sizeof(*r->details));
	}
	if (!r || !aggregates_init(&r->agg) || !r->strings || !r->info || !r->spans || !r->known ||
	    !r->details) {
		snprintf(err, cap, "out of memory");
		rows_free(r);
		return NULL;
	}
	if (!load(r)) {
		snprintf(err, cap, "cannot be gone on with: %s",
			 sqlite3_errcode(db) == SQLITE_OK ? "contents do not fit together" :
							    sqlite3_errmsg(db));
		rows_free(r);
		return NULL;
	}
	r->insert = insert_new(db, r->strings, err, cap);
	if (!r->insert) {
		rows_free(r);
		return NULL;
	}
	return r;
}

void rows_free(struct rows *r)
{
	if (!r)
		return;
	insert_free(r->insert);
	aggregates_release(&r->agg);
	intern_free(r->strings);
	free(r->info);
	free(r->known);
	spans_free(r->spans);
	for (unsigned i = 0; r->details && i < DETAIL_SLOTS; i++)
		free(r->details[i].text);
	free(r->details);
	map_release(&r->calls);
	map_release(&r->live_by_tid);
	map_release(&r->proc_by_pid);
	map_release(&r->proc_by_table);
	map_release(&r->table_users);
	map_release(&r->proc_threads);
	map_release(&r->open_by_table);
	map_release(&r->listening);
	free(r->live);
	free(r->file_by_path);
	free(r->seg_file);
	free(r->next_open);
	free(r->fresh);
	free(r);
}

/* The names of calls and errors that occur. */
static bool flush_names(struct rows *r)
{
	sqlite3_stmt *st = NULL;
	bool good = true;

	if (sqlite3_prepare_v2(
		    r->db,
		    "INSERT OR IGNORE INTO calls SELECT ?, ?, text FROM strings WHERE id = ?", -1,
		    &st, NULL))
		return false;
	for (uint32_t i = 0; r->calls.slot && i <= r->calls.mask && good; i++) {
		const struct map_slot *s = &r->calls.slot[i];
		unsigned abi = ((unsigned)s->key - 1) % 8;

		if (!s->used)
			continue;
		sqlite3_bind_int64(st, 1, (int64_t)s->key);
		if (abi == CALL_IO_URING)
			sqlite3_bind_null(st, 2);
		else
			sqlite3_bind_text(st, 2, frz_abi_name((enum frz_abi)abi), -1,
					  SQLITE_STATIC);
		sqlite3_bind_int64(st, 3, s->value);
		good = sqlite3_step(st) == SQLITE_DONE;
		sqlite3_reset(st);
	}
	sqlite3_finalize(st);
	if (!good ||
	    sqlite3_prepare_v2(r->db, "INSERT OR IGNORE INTO errnos VALUES (?, ?)", -1, &st, NULL))
		return false;
	for (int i = 1; i < 4096 && good; i++) {
		const char *name = r->errnos[i] ? frz_errno_name(i) : NULL;
		char number[16];

		if (!r->errnos[i])
			continue;
		snprintf(number, sizeof(number), "E%d", i);
		sqlite3_bind_int(st, 1, i);
		sqlite3_bind_text(st, 2, name ? name : number, -1, SQLITE_STATIC);
		good = sqlite3_step(st) == SQLITE_DONE;
		sqlite3_reset(st);
	}
	sqlite3_finalize(st);
	return good;
}

/* What an UNBIND at the head of the next segment refers to. */
static bool flush_last_ts(struct rows *r)
{
	sqlite3_stmt *st = NULL;
	bool good = sqlite3_prepare_v2(r->db, "INSERT OR REPLACE INTO meta VALUES ('last_ts', ?)",
				       -1, &st, NULL) == SQLITE_OK;

	if (good) {
		sqlite3_bind_int64(st, 1, r->last_ts);
		good = sqlite3_step(st) == SQLITE_DONE;
	}
	sqlite3_finalize(st);
	return good;
}

bool rows_flush(struct rows *r, char *err, size_t cap)
{
	if (!insert_drain(r->insert, err, cap))
		return false;
	if (!aggregates_flush(&r->agg, r->db) || !spans_flush(r->spans, r->db) || !flush_names(r) ||
	    !flush_last_ts(r)) {
		snprintf(err, cap, "%s", sqlite3_errmsg(r->db));
		return false;
	}
	return true;
}
