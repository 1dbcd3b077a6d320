/* insert.c - rows into SQLite by a thread of their own (contract in insert.h). */
#include "insert.h"

#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "feed.h"
#include "utf8.h"

#define BATCHES 3u

struct insert {
	sqlite3 *db;
	const struct intern *strings;
	uint32_t strings_in; /* the inserter's: strings that are in */
	struct feed events, details, rows;
	sqlite3_stmt *event, *string, *detail, *mark, *table[TABLES_N];
	struct batch *batch[BATCHES];
	unsigned filling; /* the decoder's */
	pthread_t thread;
	bool started;
	pthread_mutex_t lock;
	pthread_cond_t change;
	/* under lock */
	unsigned queued, taken; /* batches submitted and done, ever */
	bool end, failed;
	char why[200];
};

static int put_string(sqlite3_stmt *st, uint32_t number, const uint8_t *p, uint32_t len)
{
	char *fixed = NULL;
	int rc;

	sqlite3_bind_int64(st, 1, number);
	if (utf8_clean(p, len)) {
		sqlite3_bind_text(st, 2, (const char *)p, (int)len, SQLITE_STATIC);
		sqlite3_bind_null(st, 3);
	} else {
		fixed = malloc((size_t)len * 4 + 1);
		if (!fixed)
			return SQLITE_NOMEM;
		sqlite3_bind_text(st, 2, fixed, (int)utf8_repair(p, len, fixed), SQLITE_STATIC);
		sqlite3_bind_blob(st, 3, p, (int)len, SQLITE_STATIC);
	}
	rc = sqlite3_step(st);
	sqlite3_reset(st);
	sqlite3_clear_bindings(st);
	free(fixed);
	return rc;
}

static void put_number(sqlite3_context *out, int64_t v, int64_t null)
{
	if (v != null)
		sqlite3_result_int64(out, v);
}

static void event_value(const struct feed *f, uint32_t row, int column, sqlite3_context *out)
{
	const struct event_row *e = &((const struct batch *)f->data)->event[row];

	switch (column) {
	case 0:
		sqlite3_result_int64(out, e->ts);
		break;
	case 1:
		sqlite3_result_int64(out, e->seq);
		break;
	case 2:
		sqlite3_result_int64(out, e->dur);
		break;
	case 3:
		sqlite3_result_int64(out, e->thread);
		break;
	case 4:
		sqlite3_result_int64(out, e->call);
		break;
	case 5:
		put_number(out, e->fd, -1);
		break;
	case 6:
		put_number(out, e->path, 0);
		break;
	case 7:
		put_number(out, e->path2, 0);
		break;
	case 8:
		put_number(out, e->ret, NIL);
		break;
	case 9:
		put_number(out, e->err, 0);
		break;
	case 10:
		put_number(out, e->bytes, NIL);
		break;
	default:
		put_number(out, e->detail, 0);
		break;
	}
}

static void detail_value(const struct feed *f, uint32_t row, int column, sqlite3_context *out)
{
	const struct batch *b = f->data;
	const struct detail_row *d = &b->detail[row];

	if (column == 0)
		sqlite3_result_int64(out, d->id);
	else
		sqlite3_result_text(out, b->text + d->off, (int)d->len, SQLITE_STATIC);
}

static int run(sqlite3_stmt *st)
{
	int rc = sqlite3_step(st);

	sqlite3_reset(st);
	return rc;
}

/* The whole batch; SQLITE_DONE when all went in. */
static int put_batch(struct insert *w, const struct batch *b)
{
	int rc = SQLITE_DONE;

	while (rc == SQLITE_DONE && w->strings_in < b->strings) {
		uint32_t len;
		const uint8_t *p = intern_get(w->strings, w->strings_in + 1, &len);

		rc = put_string(w->string, ++w->strings_in, p, len);
	}
	w->events.data = w->details.data = b;
	w->events.rows = b->nevents;
	w->details.rows = b->ndetails;
	if (rc == SQLITE_DONE && b->ndetails)
		rc = run(w->detail);
	if (rc == SQLITE_DONE && b->nevents)
		rc = run(w->event);
	for (unsigned t = 0; rc == SQLITE_DONE && t < TABLES_N; t++) {
		const struct settled_of of = { (enum table)t, &b->settled[t] };

		w->rows.data = &of;
		w->rows.rows = of.rows->rows;
		if (of.rows->rows)
			rc = run(w->table[t]);
	}
	for (unsigned i = 0; rc == SQLITE_DONE && i < b->nmarks; i++) {
		sqlite3_bind_int64(w->mark, 1, b->mark[i].ts);
		sqlite3_bind_int64(w->mark, 2, b->mark[i].seq);
		sqlite3_bind_text(w->mark, 3, b->mark[i].mark, -1, SQLITE_STATIC);
		rc = sqlite3_step(w->mark);
		sqlite3_reset(w->mark);
	}
	return rc;
}

static void *inserter(void *arg)
{
	struct insert *w = arg;

	pthread_mutex_lock(&w->lock);
	for (;;) {
		struct batch *b;
		int rc;

		while (w->queued == w->taken && !w->end)
			pthread_cond_wait(&w->change, &w->lock);
		if (w->queued == w->taken)
			break;
		b = w->batch[w->taken % BATCHES];
		pthread_mutex_unlock(&w->lock);
		rc = w->failed ? SQLITE_DONE : put_batch(w, b);
		pthread_mutex_lock(&w->lock);
		if (rc != SQLITE_DONE && !w->failed) {
			snprintf(w->why, sizeof(w->why), "%s", sqlite3_errmsg(w->db));
			w->failed = true;
		}
		w->taken++;
		pthread_cond_broadcast(&w->change);
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

static bool prepare(struct insert *w)
{
	w->events.value = event_value;
	w->details.value = detail_value;
	w->rows.value = settled_value;
	if (!feed_register(w->db, "feed_events", &w->events) ||
	    !feed_register(w->db, "feed_details", &w->details) ||
	    !feed_register(w->db, "feed_settled", &w->rows))
		return false;
	for (unsigned t = 0; t < TABLES_N; t++) {
		w->table[t] = settled_prepare(w->db, "feed_settled", (enum table)t);
		if (!w->table[t])
			return false;
	}
	w->event = feed_prepare(w->db, "feed_events", "events", 12, false);
	w->detail = feed_prepare(w->db, "feed_details", "details", 2, false);
	return w->event && w->detail &&
	       sqlite3_prepare_v3(w->db, "INSERT INTO strings VALUES (?,?,?)", -1,
				  SQLITE_PREPARE_PERSISTENT, &w->string, NULL) == SQLITE_OK &&
	       sqlite3_prepare_v3(w->db, "INSERT OR IGNORE INTO marks VALUES (?,?,?)", -1,
				  SQLITE_PREPARE_PERSISTENT, &w->mark, NULL) == SQLITE_OK;
}

struct insert *insert_new(sqlite3 *db, const struct intern *strings, char *err, size_t cap)
{
	struct insert *w = calloc(1, sizeof(*w));
	sigset_t all, old;

	if (!w)
		goto nomem;
	w->db = db;
	w->strings = strings;
	w->strings_in = intern_count(strings);
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->change, NULL);
	for (unsigned i = 0; i < BATCHES; i++) {
		w->batch[i] = malloc(sizeof(*w->batch[i]));
		if (!w->batch[i])
			goto nomem;
		memset(w->batch[i], 0, offsetof(struct batch, event));
		memset(&w->batch[i]->text, 0, sizeof(*w->batch[i]) - offsetof(struct batch, text));
	}
	if (!prepare(w)) {
		snprintf(err, cap, "%s", sqlite3_errmsg(db));
		insert_free(w);
		return NULL;
	}
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	w->started = pthread_create(&w->thread, NULL, inserter, w) == 0;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (w->started)
		return w;
	snprintf(err, cap, "cannot start a thread");
	insert_free(w);
	return NULL;
nomem:
	snprintf(err, cap, "out of memory");
	insert_free(w);
	return NULL;
}

struct batch *insert_batch(struct insert *w) { return w->batch[w->filling]; }

bool insert_submit(struct insert *w)
{
	struct batch *b = w->batch[w->filling];
	bool good;

	b->strings = intern_count(w->strings);
	pthread_mutex_lock(&w->lock);
	w->queued++;
	pthread_cond_broadcast(&w->change);
	while (w->queued - w->taken == BATCHES)
		pthread_cond_wait(&w->change, &w->lock);
	good = !w->failed;
	w->filling = w->queued % BATCHES;
	pthread_mutex_unlock(&w->lock);
	b = w->batch[w->filling];
	b->nevents = b->ndetails = b->nmarks = 0;
	b->text_len = 0;
	for (unsigned t = 0; t < TABLES_N; t++)
		b->settled[t].rows = 0;
	return good;
}

bool batch_detail(struct batch *b, uint32_t id, const char *text, size_t len)
{
	if (len > b->text_cap - b->text_len) {
		size_t need = b->text_cap * 2 + len + 4096;
		char *p = realloc(b->text, need);

		if (!p)
			return false;
		b->text = p;
		b->text_cap = need;
	}
	memcpy(b->text + b->text_len, text, len);
	b->detail[b->ndetails++] = (struct detail_row){ id, (uint32_t)b->text_len, (uint32_t)len };
	b->text_len += len;
	return true;
}

bool insert_drain(struct insert *w, char *err, size_t cap)
{
	bool good;

	insert_submit(w);
	pthread_mutex_lock(&w->lock);
	while (w->queued != w->taken)
		pthread_cond_wait(&w->change, &w->lock);
	good = !w->failed;
	if (!good)
		snprintf(err, cap, "%s", w->why);
	pthread_mutex_unlock(&w->lock);
	return good;
}

void insert_free(struct insert *w)
{
	if (!w)
		return;
	if (w->started) {
		pthread_mutex_lock(&w->lock);
		w->end = true;
		pthread_cond_broadcast(&w->change);
		pthread_mutex_unlock(&w->lock);
		pthread_join(w->thread, NULL);
	}
	sqlite3_finalize(w->event);
	sqlite3_finalize(w->string);
	sqlite3_finalize(w->detail);
	sqlite3_finalize(w->mark);
	for (unsigned t = 0; t < TABLES_N; t++)
		sqlite3_finalize(w->table[t]);
	for (unsigned i = 0; i < BATCHES; i++) {
		for (unsigned t = 0; w->batch[i] && t < TABLES_N; t++)
			settled_release(&w->batch[i]->settled[t]);
		if (w->batch[i])
			free(w->batch[i]->text);
		free(w->batch[i]);
	}
	free(w);
}
