/*
 * verify_private.h - what the checks of --verify found, for its two ways of telling.
 */
#ifndef FANALYZE_VERIFY_PRIVATE_H
#define FANALYZE_VERIFY_PRIVATE_H

#include "describe.h"
#include "sha256.h"
#include "tailmark.h"
#include "verify.h"

#define VERIFY_FAULTS_KEPT 100

struct verify_damage {
	struct frz_fault fault;
	uint64_t resume_offset;	      /* 0: reading ended here */
	uint64_t first_event, events; /* that a damaged segment held; events 0: not known */
};

/* CASE.frz.tail, of a case that is not sealed. */
struct verify_tail {
	struct frz_unfinished copy;
	struct tail_state is;
	uint64_t to_real, last_real; /* of the last event in it, ns */
};

/* What GENESIS says of a case that is an extract of another. */
struct verify_origin {
	bool is_extract, has_rules;
	uint8_t case_id[16], head[FRZ_HASH_LEN], rules_sha256[FRZ_HASH_LEN];
	uint64_t events, made_ns;
	char *state, *filter, *left_out; /* as they are in the case */
};

struct verify_result {
	int exit;
	enum frz_err end; /* FRZ_END, FRZ_E_UNSEALED, FRZ_E_TRUNCATED or what stopped it */
	struct frz_case_head head;
	uint64_t file_bytes;	      /* when it was opened */
	struct frz_sha256 sha;	      /* of the intact file, to go on with */
	struct verify_damage *damage; /* the first ndamage_kept of ndamage */
	size_t ndamage, ndamage_kept;
	/* everything up to here was intact when the first damage was met */
	uint64_t good_events, good_bytes, good_blocks;
	struct frz_moment good;
	uint64_t events_read; /* decoded, in all */
	uint64_t recovered_events;
	/* texts of GENESIS and SEAL, as they are in the case; NULL when they were not read */
	char *hostname, *exhibit, *examiner, *recorder, *kernel, *end_reason;
	struct verify_origin origin;
	struct verify_custody_entry *custody;
	size_t ncustody;
	enum verify_trust trust;
	char trust_line[2000];
	bool anchored; /* all anchors agree, and one stands for the SEAL or what follows it */
	uint64_t anchored_to; /* blocks that the furthest one stands for; 0: there is none */
	uint8_t genesis_link[FRZ_HASH_LEN];
	struct verify_tail tail;
};

/* Reads and checks all of it; what is found stays with r until verify_release(). */
void verify_read(const struct verify_options *o, struct verify_result *r);
void verify_release(struct verify_result *r);

bool verify_tail_copy(const char *case_path, struct verify_tail *t); /* false: no memory */
void verify_tail_read(struct verify_tail *t, struct frz_decoder *d,
		      const uint8_t genesis_link[FRZ_HASH_LEN], const struct frz_case_head *h);
void verify_tail_release(struct verify_tail *t);

void verify_print_text(const struct verify_options *o, const struct verify_result *r, FILE *out);
void verify_print_json(const struct verify_options *o, const struct verify_result *r, FILE *out);

/* A paragraph, made harmless, as an item of a list within 96 columns. */
void verify_put_item(FILE *out, const char *text);

/* Shared by both: "intact", "not sealed", "truncated", "damaged", ... */
const char *verify_verdict(const struct verify_result *r);
/* ISO 8601, UTC, nanoseconds. */
void verify_time(uint64_t real_ns, char out[FRZ_TIME_MAX]);

#endif
