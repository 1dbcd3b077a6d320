/*
 * fakecase.h - cases made of invented events for the tests of writer, tail and recovery:
 * event n is a SYSCALL record that returns n, so that every loss, doubling and disorder shows.
 */
#ifndef TESTS_FAKECASE_H
#define TESTS_FAKECASE_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "casefile.h"
#include "record.h"
#include "segment.h"
#include "writer.h"

static inline uint64_t fake_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* A directory of the test's own; removed by fake_cleanup. */
static inline const char *fake_dir(void)
{
	static char dir[] = "/tmp/frec-test-XXXXXX";
	static int made;

	if (!made++ && !mkdtemp(dir))
		exit(255);
	return dir;
}

static inline char *fake_path(const char *name)
{
	char *p;

	return asprintf(&p, "%s/%s", fake_dir(), name) < 0 ? NULL : p;
}

static inline void fake_cleanup(void)
{
	char *cmd;

	if (asprintf(&cmd, "rm -rf '%s'", fake_dir()) < 0)
		return;
	if (system(cmd) != 0)
		perror("rm");
	free(cmd);
}

static inline void fake_remove(const char *path)
{
	char *tail;

	unlink(path);
	if (asprintf(&tail, "%s.tail", path) > 0)
		unlink(tail);
	free(tail);
}

static inline bool fake_exists(const char *path, const char *suffix)
{
	char name[512];
	struct stat st;

	snprintf(name, sizeof name, "%s%s", path, suffix);
	return stat(name, &st) == 0;
}

/* The record of event n; returns its length. */
static inline size_t fake_event(uint8_t *out, size_t cap, uint64_t n, size_t data)
{
	uint8_t mem[4096] = { 0 };
	struct frz_buf body = { .p = mem, .cap = sizeof mem }, rec = { .p = out, .cap = cap };

	frz_buf_varint(&body, 4711);		       /* tid */
	frz_buf_varint(&body, FRZ_ABI_X86_64 + 4 * 0); /* read */
	frz_buf_varint(&body, 0);
	frz_buf_zigzag(&body, (int64_t)n); /* ret */
	frz_buf_varint(&body, 5);
	frz_buf_zigzag(&body, 3);
	frz_buf_zigzag(&body, (int64_t)n + 1);
	if (data) {
		frz_buf_varint(&body, FRZ_A_DATA * 8 + 1);
		frz_buf_varint(&body, data);
		body.len += data;
	}
	frz_enc_record(&rec, FRZ_R_SYSCALL, &body);
	return rec.len;
}

static inline size_t fake_string(uint8_t *out, size_t cap, const char *s)
{
	struct frz_buf rec = { .p = out, .cap = cap };

	frz_enc_string(&rec, s, strlen(s), false, 0);
	return rec.len;
}

struct fake_writer {
	struct writer *w;
	uint64_t next;
	uint64_t new_segments;
	size_t data;
};

/* One group: a declaration when the segment is new, and `events` events. False: failed. */
static inline bool fake_group(struct fake_writer *f, unsigned events)
{
	uint8_t rec[4200];
	bool new_segment;
	uint64_t now = fake_now();

	if (!writer_reserve(f->w, events * (64 + f->data) + 64, events + 1, &new_segment))
		return false;
	if (new_segment) {
		f->new_segments++;
		writer_put(f->w, rec, fake_string(rec, sizeof rec, "declared"), 0, 0);
	}
	for (unsigned i = 0; i < events; i++)
		writer_put(f->w, rec, fake_event(rec, sizeof rec, f->next++, f->data), now,
			   100 + i);
	writer_commit(f->w);
	return true;
}

static inline struct writer *fake_open(const char *path, const struct writer_options *o, char *err,
				       size_t cap)
{
	char *argv[] = { (char *)"frec", (char *)"-o", (char *)path, NULL };
	struct writer_genesis g = { .exhibit = "E-1", .argv = argv, .records = "default" };

	return writer_open(path, &g, o, err, cap);
}

/* What a case holds, as the strict reader and the decoder see it. */
struct fake_seen {
	enum frz_err err; /* FRZ_END: sealed and whole */
	struct frz_fault fault;
	uint64_t events, first, last; /* by the return values */
	uint64_t breaks;	      /* places where they do not go on by one */
	uint64_t gaps, gap_lost;      /* GAP records */
	uint64_t not_had;	      /* bytes of the tail, by COVERAGE records */
	uint64_t recovered, torn_bytes, tail_events, recoveries;
	struct frz_case_head head;
};

static inline enum frz_err fake_read_segment(struct frz_case *c, const struct frz_case_item *it,
					     struct frz_decoder *d, struct fake_seen *s)
{
	struct frz_record r;
	const char *why = NULL;
	uint8_t *raw;
	enum frz_err err = frz_case_raw(c, &raw, &s->fault);

	if (err)
		return err;
	err = frz_decoder_begin(d, raw, &it->segment);
	while (!err && (err = frz_decoder_next(d, &r, &why)) == FRZ_OK) {
		if (r.type == FRZ_R_SYSCALL) {
			uint64_t n = (uint64_t)r.u.call.ret;

			if (!s->events)
				s->first = n;
			else
				s->breaks += n != s->last + 1;
			s->last = n;
			s->events++;
		} else if (r.type == FRZ_R_GAP) {
			s->gaps++;
			s->gap_lost += frz_take_varint(&r.body);
		} else if (r.type == FRZ_R_COVERAGE) {
			for (int skip = 0; skip < 3; skip++)
				frz_take_varint(&r.body);
			s->not_had += frz_take_varint(&r.body);
		}
	}
	if (err < 0)
		snprintf(s->fault.what, sizeof s->fault.what, "decoder: %s", why ? why : "?");
	free(raw);
	return err == FRZ_END ? FRZ_OK : err;
}

static inline void fake_read(const char *path, struct fake_seen *s)
{
	struct frz_decoder *d = frz_decoder_new();
	struct frz_case *c = NULL;
	struct frz_case_item it;

	memset(s, 0, sizeof *s);
	s->err = frz_case_open(path, 0, &c, &s->fault);
	while (!s->err && (s->err = frz_case_next(c, &it, &s->fault)) == FRZ_OK) {
		if (it.type == FRZ_SEGMENT) {
			s->recovered += it.segment.recovered;
			s->err = fake_read_segment(c, &it, d, s);
		} else if (it.type == FRZ_RECOVERY) {
			uint64_t v = 0;

			s->recoveries++;
			frz_field_u64(&it.block, FRZ_K_TORN_BYTES, &v);
			s->torn_bytes += v;
			frz_field_u64(&it.block, FRZ_K_TAIL_EVENTS, &v);
			s->tail_events += v;
		}
	}
	if (c)
		frz_case_head(c, &s->head);
	frz_case_close(c);
	frz_decoder_free(d);
}

#endif
