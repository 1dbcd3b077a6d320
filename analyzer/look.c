/* look.c - the state of a case as a whole, without its events (contract in import.h). */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "import.h"
#include "sha256.h"
#include "verify.h"

void case_look(const char *path, bool skim, uint64_t want_block, struct case_state *out)
{
	struct frz_case *c = NULL;
	struct frz_case_item it;

	memset(out, 0, sizeof(*out));
	out->end = frz_case_open(path, skim ? FRZ_CASE_SKIM : 0, &c, &out->fault);
	if (out->end != FRZ_OK)
		return;
	while ((out->end = frz_case_next(c, &it, &out->fault)) == FRZ_OK)
		if (it.block.index == want_block) {
			memcpy(out->link_at, it.block.link, FRZ_HASH_LEN);
			out->has_link_at = true;
		}
	frz_case_head(c, &out->head);
	frz_case_close(c);
}

void case_verdict(const struct case_state *s, char *line, size_t cap)
{
	if (s->head.damages)
		snprintf(line, cap, "DAMAGED, read past %" PRIu64 " damaged place%s: see coverage", s->head.damages,
			 s->head.damages == 1 ? "" : "s");
	else if (s->end == FRZ_END)
		snprintf(line, cap, "sealed and whole");
	else if (s->end == FRZ_E_UNSEALED)
		snprintf(line, cap, "whole to its last byte, NOT SEALED");
	else
		snprintf(line, cap, "DAMAGED: %s at block %" PRIu64 ", offset %" PRIu64 ": %s", frz_strerror(s->end),
			 s->fault.block, s->fault.offset, s->fault.what);
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
