/* look.c - the state of a case as a whole, without its events (contract in import.h). */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "import.h"
#include "sha256.h"
#include "verify.h"

void case_look(const char *path, unsigned flags, uint64_t want_block, struct case_state *out)
{
	struct frz_case *c = NULL;
	struct frz_case_item it;

	memset(out, 0, sizeof(*out));
	out->end = frz_case_open(path, flags, &c, &out->fault);
	if (out->end != FRZ_OK)
		return;
	while ((out->end = frz_case_next(c, &it, &out->fault)) == FRZ_OK) {
		if (it.type == FRZ_GENESIS)
			memcpy(out->genesis_link, it.block.link, FRZ_HASH_LEN);
		if (it.type && it.block.index == want_block) {
			memcpy(out->link_at, it.block.link, FRZ_HASH_LEN);
			out->has_link_at = true;
		}
	}
	frz_case_head(c, &out->head);
	frz_case_close(c);
}

bool case_unfinished(const struct case_state *s)
{
	return (s->end == FRZ_E_UNSEALED || s->end == FRZ_E_TRUNCATED) && s->head.blocks &&
	       !s->head.sealed;
}

uint64_t case_segments(const struct case_state *s)
{
	return s->head.damages ? FRZ_SEGMENTS_UNKNOWN : s->head.segments;
}

bool case_whole(const struct case_state *s)
{
	return s->end == FRZ_END || s->end == FRZ_E_UNSEALED ||
	       (s->end == FRZ_E_TRUNCATED && case_unfinished(s) && s->tail.readable &&
		!s->tail.unusable);
}

/* One look. True: the case ends within a block that is being written. */
static bool look_once(const char *path, unsigned flags, struct frz_unfinished *u,
		      struct frz_decoder *d, struct case_state *s)
{
	enum frz_writer w = frz_case_writer(path);

	frz_unfinished_copy(u);
	case_look(path, flags, UINT64_MAX, s);
	s->tail.writer = w;
	if (!case_unfinished(s))
		return false;
	frz_unfinished_fit(u, s->genesis_link, case_segments(s), s->head.events);
	tail_walk(u, &(struct tail_taker){ .d = d }, &s->tail);
	return s->end == FRZ_E_TRUNCATED;
}

void case_look_live(const char *path, bool allow_damaged, struct case_state *s)
{
	const unsigned flags = FRZ_CASE_SKIM | (allow_damaged ? FRZ_CASE_ALLOW_DAMAGED : 0);
	const struct timespec moment = { .tv_nsec = 50000000 };
	struct frz_decoder *d;
	struct frz_unfinished u;
	uint64_t bytes;
	int tries = 0;

	case_look(path, flags, UINT64_MAX, s);
	if (!case_unfinished(s))
		return;
	d = frz_decoder_new();
	if (frz_unfinished_init(&u, path) && d) {
		/* a file that grows without anybody having it locked may be on its way here */
		do {
			bytes = s->head.file_bytes;
			if (tries)
				nanosleep(&moment, NULL);
		} while (look_once(path, flags, &u, d, s) && tries++ < 20 &&
			 (tries == 1 || s->tail.writer == FRZ_WRITER_AT_WORK ||
			  s->head.file_bytes != bytes));
	} else {
		s->end = frz_fault_set(&s->fault, FRZ_E_NOMEM, 0, 0, "out of memory");
	}
	frz_unfinished_release(&u);
	frz_decoder_free(d);
}

/* What became of the tail. */
static void tail_verdict(const struct tail_state *t, char *line, size_t cap)
{
	int n = 0;

	if (t->events)
		n = snprintf(line, cap, "; %" PRIu64 " events are in its tail", t->events);
	if (n >= 0 && (size_t)n < cap && t->unusable)
		snprintf(line + n, cap - (size_t)n,
			 "; %" PRIu64 " bytes of the tail CANNOT be had: %s", t->unusable, t->why);
	else if (t->present && !t->readable)
		snprintf(line + n, cap - (size_t)n, "; the tail beside it was NOT read: %s",
			 t->why);
	else if (!t->present)
		snprintf(line + n, cap - (size_t)n,
			 "; no tail lies beside it: the last events may be missing");
}

static void unfinished_verdict(const struct case_state *s, char *line, size_t cap)
{
	static const char *const who[] = {
		[FRZ_WRITER_UNKNOWN] = "NOT SEALED",
		[FRZ_WRITER_NONE] =
			"NOT SEALED: the recorder ended without a seal, use frec --recover",
		[FRZ_WRITER_AT_WORK] = "being written, NOT SEALED yet",
	};
	char tail[260] = "";

	tail_verdict(&s->tail, tail, sizeof(tail));
	snprintf(line, cap, "%s; %s%s", who[s->tail.writer],
		 s->end == FRZ_E_UNSEALED ? "whole to its last byte" :
					    "its last block was not finished",
		 tail);
}

void case_verdict(const struct case_state *s, char *line, size_t cap)
{
	char tail[260] = "";

	if (s->head.damages && case_unfinished(s))
		tail_verdict(&s->tail, tail, sizeof(tail));
	if (s->head.damages)
		snprintf(line, cap,
			 "DAMAGED, read past %" PRIu64 " damaged place%s: see coverage%s%s",
			 s->head.damages, s->head.damages == 1 ? "" : "s",
			 case_unfinished(s) ? "; NOT SEALED" : "", tail);
	else if (s->end == FRZ_END)
		snprintf(line, cap, "sealed and whole");
	else if (case_whole(s))
		unfinished_verdict(s, line, cap);
	else
		snprintf(line, cap, "DAMAGED: %s at block %" PRIu64 ", offset %" PRIu64 ": %s",
			 frz_strerror(s->end), s->fault.block, s->fault.offset, s->fault.what);
}

int fault_exit(const struct frz_fault *f)
{
	return f->err == FRZ_E_IO || f->err == FRZ_E_NOMEM ? VERIFY_USAGE : VERIFY_DAMAGED;
}

int case_exit(const struct case_state *s)
{
	if (s->head.damages)
		return VERIFY_DAMAGED;
	if (s->end == FRZ_END)
		return VERIFY_GOOD;
	if (s->end == FRZ_E_UNSEALED)
		return VERIFY_UNSEALED;
	return fault_exit(&s->fault);
}
