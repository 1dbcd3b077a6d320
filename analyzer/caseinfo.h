/*
 * caseinfo.h - what the blocks of a case say beside events, as the key-value pairs of `info`.
 */
#ifndef FANALYZE_CASEINFO_H
#define FANALYZE_CASEINFO_H

#include <stdbool.h>
#include <stdint.h>

#include "casefile.h"

struct sqlite3;
struct case_state;
struct caseinfo;

struct caseinfo *caseinfo_new(void); /* NULL: no memory */
void caseinfo_free(struct caseinfo *ci);
/* Takes up a GENESIS, SEAL or RECOVERY block. False: no memory. */
bool caseinfo_block(struct caseinfo *ci, const struct frz_case_item *it);
/* The value of a pair taken up, NULL if there is none. */
const char *caseinfo_get(const struct caseinfo *ci, const char *key);

struct caseinfo_totals {
	uint64_t events;
	int64_t first_ts, last_ts;
};
/* Replaces all of `info`. False: sqlite3_errmsg says why. */
bool caseinfo_store(const struct caseinfo *ci, struct sqlite3 *db, const char *path,
		    const struct case_state *s, const struct caseinfo_totals *t);
/* ISO 8601, ns, UTC. out: 40 bytes */
void iso_time(int64_t ns, char *out);

#endif
