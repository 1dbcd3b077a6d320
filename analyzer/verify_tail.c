/*
 * verify_tail.c - what the tail beside a case that is not sealed holds, for --verify.
 */
#include <string.h>

#include "verify_private.h"

/* The tail is copied before the case is read: what moves into the case meanwhile is then seen
 * in both places, and not in none (unfinished.h). */
bool verify_tail_copy(const char *case_path, struct verify_tail *t)
{
	if (!frz_unfinished_init(&t->copy, case_path))
		return false;
	t->is.writer = frz_case_writer(case_path);
	frz_unfinished_copy(&t->copy);
	return true;
}

static bool begin(void *arg, const struct frz_tail_half *h, bool known)
{
	struct verify_tail *t = arg;

	(void)known;
	t->to_real = h->real - h->mono;
	return true;
}

static bool take(void *arg, const struct frz_record *rec, bool known)
{
	struct verify_tail *t = arg;

	(void)known;
	if (rec->seq)
		t->last_real = rec->mono_ns + t->to_real;
	return true;
}

void verify_tail_read(struct verify_tail *t, struct frz_decoder *d,
		      const uint8_t genesis_link[FRZ_HASH_LEN], const struct frz_case_head *h)
{
	struct tail_taker to = { .d = d, .half = begin, .record = take, .arg = t };

	frz_unfinished_fit(&t->copy, genesis_link, h->segments, h->events);
	tail_walk(&t->copy, &to, &t->is);
}

void verify_tail_release(struct verify_tail *t) { frz_unfinished_release(&t->copy); }
