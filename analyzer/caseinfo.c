/* caseinfo.c - the pairs of `info` (contract in caseinfo.h). */
#include "caseinfo.h"

#include <inttypes.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "describe.h"
#include "import.h"
#include "schema_version.h"
#include "sha256.h"
#include "utf8.h"

struct pair {
	char *key, *value;
};

struct caseinfo {
	struct pair *pair;
	size_t n, cap;
	bool nomem;
};

enum shape { SHAPE_TEXT, SHAPE_NUMBER, SHAPE_HEX, SHAPE_NUMBER_HEX, SHAPE_ARGV };

static const struct {
	enum frz_key field;
	enum shape shape;
	const char *key;
} genesis[] = {
	{ FRZ_K_EXHIBIT, SHAPE_TEXT, "exhibit" },
	{ FRZ_K_EXAMINER, SHAPE_TEXT, "examiner" },
	{ FRZ_K_NOTE, SHAPE_TEXT, "note" },
	{ FRZ_K_HOSTNAME, SHAPE_TEXT, "hostname" },
	{ FRZ_K_MACHINE_ID, SHAPE_TEXT, "machine_id" },
	{ FRZ_K_BOOT_ID, SHAPE_TEXT, "boot_id" },
	{ FRZ_K_KERNEL, SHAPE_TEXT, "kernel" },
	{ FRZ_K_TIMEZONE, SHAPE_TEXT, "timezone" },
	{ FRZ_K_CLOCK_STATE, SHAPE_TEXT, "clock_state" },
	{ FRZ_K_RECORDER, SHAPE_TEXT, "recorder" },
	{ FRZ_K_RECORDER_SHA256, SHAPE_HEX, "recorder_sha256" },
	{ FRZ_K_ARGV, SHAPE_ARGV, "recorder_command" },
	{ FRZ_K_UID, SHAPE_NUMBER, "recorder_uid" },
	{ FRZ_K_EUID, SHAPE_NUMBER, "recorder_euid" },
	{ FRZ_K_CAPABILITIES, SHAPE_NUMBER_HEX, "recorder_capabilities" },
	{ FRZ_K_RECORDS, SHAPE_TEXT, "records" },
	{ FRZ_K_SNAP, SHAPE_NUMBER, "snap" },
	{ FRZ_K_TICK_SECONDS, SHAPE_NUMBER, "tick_seconds" },
	{ FRZ_K_ORIGIN_CASE_ID, SHAPE_HEX, "extract_of_case" },
	{ FRZ_K_ORIGIN_HEAD, SHAPE_HEX, "extract_of_chain_head" },
	{ FRZ_K_ORIGIN_STATE, SHAPE_TEXT, "extract_of_state" },
	{ FRZ_K_ORIGIN_EVENTS, SHAPE_NUMBER, "extract_of_events" },
	{ FRZ_K_ORIGIN_RECORDER, SHAPE_TEXT, "extract_of_recorder" },
	{ FRZ_K_ORIGIN_RECORDER_SHA256, SHAPE_HEX, "extract_of_recorder_sha256" },
	{ FRZ_K_EXTRACT_FILTER, SHAPE_TEXT, "extract_filter" },
	{ FRZ_K_EXTRACT_RULES_SHA256, SHAPE_HEX, "extract_rules_sha256" },
	{ FRZ_K_EXTRACT_LEFT_OUT, SHAPE_TEXT, "extract_left_out" },
}, seal[] = {
	{ FRZ_K_END_REASON, SHAPE_TEXT, "end_reason" },
}, recovery[] = {
	{ FRZ_K_TAIL_EVENTS, SHAPE_NUMBER, "recovered_events" },
	{ FRZ_K_TAIL_SHA256, SHAPE_HEX, "recovered_tail_sha256" },
	{ FRZ_K_TORN_BYTES, SHAPE_NUMBER, "torn_bytes" },
	{ FRZ_K_TORN_SHA256, SHAPE_HEX, "torn_sha256" },
};

void iso_time(int64_t ns, char *out)
{
	/* rows of a timeline share their second with the row before, mostly */
	static _Thread_local struct {
		int64_t sec;
		size_t len;
		char text[FRZ_TIME_MAX];
	} last = { .sec = INT64_MIN };
	int64_t sec = ns / 1000000000, rest = ns % 1000000000;

	if (rest < 0) {
		rest += 1000000000;
		sec--;
	}
	if (sec != last.sec) {
		frz_time_text(sec, FRZ_WHOLE_SECOND, last.text);
		last.len = strlen(last.text) - 1; /* the fraction goes before the Z */
		last.sec = sec;
	}
	memcpy(out, last.text, last.len);
	out += last.len;
	*out++ = '.';
	for (int i = 8; i >= 0; i--, rest /= 10)
		out[i] = (char)('0' + rest % 10);
	memcpy(out + 9, "Z", 2);
}

struct caseinfo *caseinfo_new(void) { return calloc(1, sizeof(struct caseinfo)); }

void caseinfo_free(struct caseinfo *ci)
{
	if (!ci)
		return;
	for (size_t i = 0; i < ci->n; i++) {
		free(ci->pair[i].key);
		free(ci->pair[i].value);
	}
	free(ci->pair);
	free(ci);
}

/* Takes over value; a key given again replaces what was there. */
static void set(struct caseinfo *ci, const char *key, char *value)
{
	struct pair *p;

	if (!value) {
		ci->nomem = true;
		return;
	}
	for (size_t i = 0; i < ci->n; i++)
		if (!strcmp(ci->pair[i].key, key)) {
			free(ci->pair[i].value);
			ci->pair[i].value = value;
			return;
		}
	if (ci->n == ci->cap) {
		p = realloc(ci->pair, (ci->cap + 32) * sizeof(*p));
		if (!p) {
			ci->nomem = true;
			free(value);
			return;
		}
		ci->pair = p;
		ci->cap += 32;
	}
	p = &ci->pair[ci->n];
	p->key = strdup(key);
	p->value = value;
	if (p->key)
		ci->n++;
	else {
		ci->nomem = true;
		free(value);
	}
}

static char *printed(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static char *printed(const char *fmt, ...)
{
	va_list ap;
	char *s = NULL;

	va_start(ap, fmt);
	if (vasprintf(&s, fmt, ap) < 0)
		s = NULL;
	va_end(ap);
	return s;
}

static char *hex_of(const uint8_t *p, size_t n)
{
	char *s = malloc(2 * n + 1);

	if (s)
		frz_hex(p, n, s);
	return s;
}

static char *text_of(const uint8_t *p, size_t n)
{
	char *s = malloc(4 * n + 1);

	if (s)
		s[utf8_repair(p, n, s)] = '\0';
	return s;
}

/* The words, each ended by a NUL, as a shell takes them. */
static char *words_of(const uint8_t *p, size_t n)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				    "0123456789%+,-./:=@_";
	uint8_t *q = malloc(6 * n + 4); /* a NUL makes two quotes and a blank, a quote four bytes */
	size_t len = 0;
	char *s;

	if (!q)
		return NULL;
	if (n && !p[n - 1])
		n--;
	for (size_t i = 0, end; n && i <= n; i = end + 1) {
		bool bare = true;

		for (end = i; end < n && p[end]; end++)
			bare &= strchr(plain, p[end]) != NULL;
		bare &= end > i;
		if (i)
			q[len++] = ' ';
		if (!bare)
			q[len++] = '\'';
		for (size_t k = i; k < end; k++) {
			if (p[k] == '\'') {
				memcpy(q + len, "'\\''", 4);
				len += 4;
			} else {
				q[len++] = p[k];
			}
		}
		if (!bare)
			q[len++] = '\'';
	}
	s = text_of(q, len);
	free(q);
	return s;
}

static void take(struct caseinfo *ci, const struct frz_block *b, enum frz_key field,
		 enum shape shape, const char *key)
{
	const uint8_t *p;
	size_t n;
	uint64_t v;

	if (shape == SHAPE_NUMBER || shape == SHAPE_NUMBER_HEX) {
		if (frz_field_u64(b, field, &v))
			set(ci, key,
			    shape == SHAPE_NUMBER ? printed("%" PRIu64, v) :
						    printed("%016" PRIx64, v));
	} else if (frz_field_bytes(b, field, &p, &n)) {
		set(ci, key,
		    shape == SHAPE_HEX	? hex_of(p, n) :
		    shape == SHAPE_ARGV ? words_of(p, n) :
					  text_of(p, n));
	}
}

bool caseinfo_block(struct caseinfo *ci, const struct frz_case_item *it)
{
	char time[40];

	switch (it->type) {
	case FRZ_GENESIS:
		for (size_t i = 0; i < sizeof(genesis) / sizeof(genesis[0]); i++)
			take(ci, &it->block, genesis[i].field, genesis[i].shape, genesis[i].key);
		iso_time((int64_t)it->at.real_ns, time);
		set(ci, "started", strdup(time));
		break;
	case FRZ_SEAL:
		for (size_t i = 0; i < sizeof(seal) / sizeof(seal[0]); i++)
			take(ci, &it->block, seal[i].field, seal[i].shape, seal[i].key);
		iso_time((int64_t)it->at.real_ns, time);
		set(ci, "ended", strdup(time));
		break;
	case FRZ_RECOVERY:
		for (size_t i = 0; i < sizeof(recovery) / sizeof(recovery[0]); i++)
			take(ci, &it->block, recovery[i].field, recovery[i].shape, recovery[i].key);
		break;
	default:
		break;
	}
	return !ci->nomem;
}

const char *caseinfo_get(const struct caseinfo *ci, const char *key)
{
	for (size_t i = 0; i < ci->n; i++)
		if (!strcmp(ci->pair[i].key, key))
			return ci->pair[i].value;
	return NULL;
}

static bool store(sqlite3_stmt *st, const char *key, const char *value)
{
	bool good;

	sqlite3_bind_text(st, 1, key, -1, SQLITE_STATIC);
	sqlite3_bind_text(st, 2, value, -1, SQLITE_STATIC);
	good = sqlite3_step(st) == SQLITE_DONE;
	return sqlite3_reset(st) == SQLITE_OK && good;
}

static bool store_number(sqlite3_stmt *st, const char *key, uint64_t v)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, v);
	return store(st, key, text);
}

static bool store_hex(sqlite3_stmt *st, const char *key, const uint8_t *p, size_t n)
{
	char text[FRZ_HEX_LEN];

	frz_hex(p, n, text);
	return store(st, key, text);
}

static const char *state_of(const struct case_state *s)
{
	if (s->head.damages || !case_whole(s))
		return "damaged";
	if (s->head.sealed)
		return "sealed";
	return s->tail.writer == FRZ_WRITER_AT_WORK ? "being written" : "not sealed";
}

static bool has_id(const struct frz_case_head *h)
{
	static const uint8_t none[sizeof(h->case_id)];

	return memcmp(h->case_id, none, sizeof(none)) != 0;
}

/* Of a case without a SEAL. */
static bool store_tail(sqlite3_stmt *st, const struct tail_state *t)
{
	const char *what = t->readable ? "read" : t->present ? t->why : "none";

	return store(st, "tail", what) && store_number(st, "tail_events", t->events) &&
	       store_number(st, "tail_events_lost", t->lost) &&
	       store_number(st, "tail_bytes_unreadable", t->unusable) &&
	       (!t->unusable || store(st, "tail_damage", t->why));
}

bool caseinfo_store(const struct caseinfo *ci, sqlite3 *db, const char *path,
		    const struct case_state *s, const struct caseinfo_totals *t)
{
	const struct frz_case_head *h = &s->head;
	const char *slash = strrchr(path, '/');
	const char *origin = caseinfo_get(ci, "extract_of_case");
	char verdict[500], first[40] = "", last[40] = "", *name;
	sqlite3_stmt *st = NULL;
	int n = 0;
	bool good;

	if (sqlite3_exec(db, "DELETE FROM info", NULL, NULL, NULL) != SQLITE_OK ||
	    sqlite3_prepare_v2(db, "INSERT INTO info (key, value) VALUES (?, ?)", -1, &st, NULL) !=
		    SQLITE_OK)
		return false;
	if (origin)
		n = snprintf(verdict, sizeof(verdict),
			     "an EXTRACT of case %s, not the original: ", origin);
	case_verdict(s, verdict + n, sizeof(verdict) - (size_t)n);
	if (t->events) {
		iso_time(t->first_ts, first);
		iso_time(t->last_ts, last);
	}
	slash = slash ? slash + 1 : path;
	name = text_of((const uint8_t *)slash, strlen(slash));
	good = name &&
	       (has_id(h) ? store_hex(st, "case_id", h->case_id, sizeof(h->case_id)) :
			    store(st, "case_id", "not known: its GENESIS cannot be read")) &&
	       store(st, "file", name) && store(st, "verdict", verdict) &&
	       store(st, "state", state_of(s)) && store(st, "sealed", h->sealed ? "yes" : "no") &&
	       (!case_unfinished(s) || store_tail(st, &s->tail)) &&
	       store_hex(st, "chain_head", h->link, sizeof(h->link));
	if (good && h->sealed)
		good = store_hex(st, "seal", h->seal_link, sizeof(h->seal_link)) &&
		       store_number(st, "prefix_bytes", h->prefix_bytes) &&
		       store_hex(st, "prefix_sha256", h->prefix_sha256, sizeof(h->prefix_sha256));
	for (size_t i = 0; good && i < ci->n; i++)
		good = store(st, ci->pair[i].key, ci->pair[i].value);
	if (good && h->damages)
		good = store_number(st, "damaged_places", h->damages) &&
		       store_number(st, "events_unreadable",
				    h->events + s->tail.events - t->events);
	good = good && store_number(st, "events", t->events) &&
	       store_number(st, "events_lost", h->lost + s->tail.lost) &&
	       store(st, "first_event", t->events ? first : NULL) &&
	       store(st, "last_event", t->events ? last : NULL) &&
	       store_number(st, "blocks", h->blocks) && store_number(st, "segments", h->segments) &&
	       store_number(st, "ticks", h->ticks) &&
	       store_number(st, "recoveries", h->recoveries) &&
	       store_number(st, "custody_entries", h->custodies) &&
	       store_number(st, "file_bytes", h->file_bytes) &&
	       store_number(st, "unknown_fields", h->unknown_fields) &&
	       store(st, "analyzer", "fanalyze " FREC_VERSION) &&
	       store_number(st, "schema_version", SCHEMA_VERSION);
	free(name);
	sqlite3_finalize(st);
	return good;
}
