/* insert.c - rows into SQLite by a thread of their own (contract in insert.h). */
#include "insert.h"

#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "utf8.h"

#define BATCHES 3u

struct insert {
	sqlite3 *db;
	const struct intern *strings;
	uint32_t strings_in;            /* the inserter's: strings that are in */
	sqlite3_stmt *event, *string, *detail, *mark;
	struct batch *batch[BATCHES];
	unsigned filling;               /* the decoder's */
	pthread_t thread;
	bool started;
	pthread_mutex_t lock;
	pthread_cond_t change;
	/* under lock */
	unsigned queued, taken;         /* batches submitted and done, ever */
	bool end, failed;
	char why[200];
};

int insert_string(sqlite3 *db, void *statement, uint32_t number, const uint8_t *p, uint32_t len)
{
	sqlite3_stmt *st = statement;
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
	(void)db;
	return rc;
}

static void bind_text_number(sqlite3_stmt *st, int i, uint32_t v)
{
	if (v)
		sqlite3_bind_int64(st, i, v);
	else
		sqlite3_bind_null(st, i);
}

static void bind_number(sqlite3_stmt *st, int i, int64_t v, int64_t null)
{
	if (v != null)
		sqlite3_bind_int64(st, i, v);
	else
		sqlite3_bind_null(st, i);
}

static int put_event(sqlite3_stmt *st, const struct event_row *e)
{
	int rc;

	sqlite3_bind_int64(st, 1, e->ts);
	sqlite3_bind_int64(st, 2, e->seq);
	sqlite3_bind_int64(st, 3, e->dur);
	sqlite3_bind_int64(st, 4, e->thread);
	sqlite3_bind_int64(st, 5, e->call);
	bind_number(st, 6, e->fd, -1);
	bind_text_number(st, 7, e->path);
	bind_text_number(st, 8, e->path2);
	bind_number(st, 9, e->ret, NIL);
	bind_number(st, 10, e->err, 0);
	bind_number(st, 11, e->bytes, NIL);
	bind_text_number(st, 12, e->detail);
	rc = sqlite3_step(st);
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

		rc = insert_string(w->db, w->string, ++w->strings_in, p, len);
	}
	for (unsigned i = 0; rc == SQLITE_DONE && i < b->ndetails; i++) {
		sqlite3_bind_int64(w->detail, 1, b->detail[i].id);
		sqlite3_bind_text(w->detail, 2, b->text + b->detail[i].off, (int)b->detail[i].len, SQLITE_STATIC);
		rc = sqlite3_step(w->detail);
		sqlite3_reset(w->detail);
	}
	for (unsigned i = 0; rc == SQLITE_DONE && i < b->nevents; i++)
		rc = put_event(w->event, &b->event[i]);
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
		w->batch[i]->text = NULL;
		w->batch[i]->text_len = w->batch[i]->text_cap = 0;
	}
	if (sqlite3_prepare_v3(db, "INSERT INTO events VALUES (?,?,?,?,?,?,?,?,?,?,?,?)", -1, SQLITE_PREPARE_PERSISTENT, &w->event, NULL) ||
	    sqlite3_prepare_v3(db, "INSERT INTO strings VALUES (?,?,?)", -1, SQLITE_PREPARE_PERSISTENT, &w->string, NULL) ||
	    sqlite3_prepare_v3(db, "INSERT INTO details VALUES (?,?)", -1, SQLITE_PREPARE_PERSISTENT, &w->detail, NULL) ||
	    sqlite3_prepare_v3(db, "INSERT OR IGNORE INTO marks VALUES (?,?,?)", -1, SQLITE_PREPARE_PERSISTENT, &w->mark, NULL)) {
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

struct batch *insert_batch(struct insert *w)
{
	return w->batch[w->filling];
}

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
	for (unsigned i = 0; i < BATCHES; i++) {
		if (w->batch[i])
			free(w->batch[i]->text);
		free(w->batch[i]);
	}
	free(w);
}
