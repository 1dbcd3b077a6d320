/*
 * verify.c - the checks of --verify: the strict reader over the whole file, the record
 * decoder over every segment, anchors and signatures. Printing is verify_text.c's and
 * verify_json.c's.
 *
 * The file is read past damage, so that one run names everything that is wrong; but the
 * verdict, and what is said to be intact, end at the first damage.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "record.h"
#include "statement.h"
#include "verify_private.h"

unsigned verify_parse_require(const char *list)
{
	static const struct {
		const char *word;
		unsigned bit;
	} words[] = {
		{ "sealed", VERIFY_SEALED },
		{ "signed", VERIFY_SIGNED },
		{ "anchored", VERIFY_ANCHORED },
	};
	unsigned bits = 0;

	for (;;) {
		size_t n = strcspn(list, ","), i = 0;

		while (i < 3 && (strlen(words[i].word) != n || memcmp(words[i].word, list, n) != 0))
			i++;
		if (i == 3)
			return 0;
		bits |= words[i].bit;
		if (!list[n])
			return bits;
		list += n + 1;
	}
}

bool verify_parse_head(const char *hex, uint8_t link[FRZ_HASH_LEN])
{
	static const char digits[] = "0123456789abcdef0123456789ABCDEF";

	if (strlen(hex) != 2 * FRZ_HASH_LEN)
		return false;
	for (size_t i = 0; i < FRZ_HASH_LEN; i++) {
		const char *hi = strchr(digits, hex[2 * i]), *lo = strchr(digits, hex[2 * i + 1]);

		if (!hi || !lo)
			return false;
		link[i] = (uint8_t)(((hi - digits) & 15) << 4 | ((lo - digits) & 15));
	}
	return true;
}

/* ---- what is kept of the blocks ---- */

static void keep_text(const struct frz_block *blk, enum frz_key key, char **to)
{
	const uint8_t *p;
	size_t n;

	if (frz_field_bytes(blk, key, &p, &n))
		*to = strndup((const char *)p, n);
}

static void keep_origin(struct verify_origin *o, const struct frz_block *blk)
{
	const uint8_t *p;
	size_t n;

	if (!frz_field_bytes(blk, FRZ_K_ORIGIN_CASE_ID, &p, &n))
		return;
	o->is_extract = true;
	memcpy(o->case_id, p, sizeof(o->case_id));
	if (frz_field_bytes(blk, FRZ_K_ORIGIN_HEAD, &p, &n))
		memcpy(o->head, p, FRZ_HASH_LEN);
	o->has_rules = frz_field_bytes(blk, FRZ_K_EXTRACT_RULES_SHA256, &p, &n);
	if (o->has_rules)
		memcpy(o->rules_sha256, p, FRZ_HASH_LEN);
	frz_field_u64(blk, FRZ_K_ORIGIN_EVENTS, &o->events);
	frz_field_u64(blk, FRZ_K_EXTRACT_REAL, &o->made_ns);
	keep_text(blk, FRZ_K_ORIGIN_STATE, &o->state);
	keep_text(blk, FRZ_K_EXTRACT_FILTER, &o->filter);
	keep_text(blk, FRZ_K_EXTRACT_LEFT_OUT, &o->left_out);
}

/* before: hash of the file in front of the block */
static bool keep_custody(struct verify_result *r, const struct frz_block *blk,
			 const uint8_t before[FRZ_HASH_LEN])
{
	struct verify_custody_entry *e, *more;
	const uint8_t *st, *sig;
	size_t nst, nsig;
	uint8_t *mem;

	if (!frz_field_bytes(blk, FRZ_K_STATEMENT, &st, &nst) ||
	    !frz_field_bytes(blk, FRZ_K_SIGNATURE, &sig, &nsig))
		return true;
	if (nst > FRZ_STATEMENT_MAX)
		nst = FRZ_STATEMENT_MAX + 1;
	if (nsig > FRZ_SIGNATURE_MAX)
		nsig = FRZ_SIGNATURE_MAX + 1;
	more = realloc(r->custody, (r->ncustody + 1) * sizeof(*more));
	if (!more)
		return false;
	r->custody = more;
	mem = malloc(nst + nsig + 1);
	if (!mem)
		return false;
	if (nst)
		memcpy(mem, st, nst);
	if (nsig)
		memcpy(mem + nst, sig, nsig);
	e = &r->custody[r->ncustody++];
	*e = (struct verify_custody_entry){ .block = blk->index,
					    .offset = blk->offset,
					    .statement = mem,
					    .signature = mem + nst,
					    .statement_len = nst,
					    .signature_len = nsig };
	memcpy(e->prev, blk->prev, FRZ_HASH_LEN);
	memcpy(e->link, blk->link, FRZ_HASH_LEN);
	memcpy(e->before_sha256, before, FRZ_HASH_LEN);
	return true;
}

static bool keep_damage(struct verify_result *r, const struct frz_case_item *it,
			const struct frz_fault *fault)
{
	struct verify_damage d = { .fault = *fault };

	if (it) {
		d.resume_offset = it->resume_offset;
		if (it->segment_skipped) {
			d.first_event = it->segment.first_event;
			d.events = it->segment.events;
		}
	}
	if (r->ndamage++ >= VERIFY_FAULTS_KEPT)
		return true;
	if (!r->damage) {
		r->damage = calloc(VERIFY_FAULTS_KEPT, sizeof(*r->damage));
		if (!r->damage)
			return false;
	}
	r->damage[r->ndamage_kept++] = d;
	return true;
}

/* ---- segments ---- */

/* Decodes every record. FRZ_OK, or an error with *fault. */
static enum frz_err check_records(struct frz_decoder *d, const struct frz_case_item *it,
				  const uint8_t *raw, struct frz_fault *fault)
{
	const struct frz_case_segment *g = &it->segment;
	uint64_t records = 0;
	struct frz_record rec;
	const char *why = "";
	enum frz_err err;

	if (frz_decoder_begin(d, raw, g) != FRZ_OK)
		return frz_fault_set(fault, FRZ_E_CORRUPT, it->block.index, g->frame_offset,
				     "segment %ju: its planes do not fill it",
				     (uintmax_t)g->number);
	while ((err = frz_decoder_next(d, &rec, &why)) == FRZ_OK)
		records++;
	if (err != FRZ_END)
		return frz_fault_set(fault, err, it->block.index, g->frame_offset,
				     "segment %ju, record %ju: %s", (uintmax_t)g->number,
				     (uintmax_t)records + 1, why);
	return FRZ_OK;
}

/* False: no memory. A bad segment is kept as damage. */
static bool check_segment(struct frz_case *c, struct frz_decoder *d, const struct frz_case_item *it,
			  struct verify_result *r)
{
	struct frz_fault fault;
	enum frz_err err;
	uint8_t *raw;

	err = frz_case_raw(c, &raw, &fault);
	if (err == FRZ_OK) {
		err = check_records(d, it, raw, &fault);
		free(raw);
	}
	if (err == FRZ_OK) {
		r->events_read += it->segment.events;
		if (it->segment.recovered)
			r->recovered_events += it->segment.events;
		return true;
	}
	if (err == FRZ_E_NOMEM)
		return false;
	return keep_damage(r,
			   &(struct frz_case_item){ .segment_skipped = true,
						    .segment = it->segment,
						    .resume_offset = it->segment.frame_offset +
								     it->segment.frame_len },
			   &fault);
}

/* ---- the whole ---- */

/* before: hash of the file in front of the item's block; brought up to behind it */
static bool take_item(const struct verify_options *o, struct frz_case *c, struct frz_decoder *d,
		      const struct frz_case_item *it, struct verify_result *r,
		      uint8_t before[FRZ_HASH_LEN])
{
	bool intact = !r->ndamage;

	if (!it->type)
		return keep_damage(r, it, &it->fault);
	if (it->type == FRZ_GENESIS) {
		memcpy(r->genesis_link, it->block.link, FRZ_HASH_LEN);
		keep_text(&it->block, FRZ_K_HOSTNAME, &r->hostname);
		keep_text(&it->block, FRZ_K_EXHIBIT, &r->exhibit);
		keep_text(&it->block, FRZ_K_EXAMINER, &r->examiner);
		keep_text(&it->block, FRZ_K_RECORDER, &r->recorder);
		keep_text(&it->block, FRZ_K_KERNEL, &r->kernel);
		keep_origin(&r->origin, &it->block);
	} else if (it->type == FRZ_SEAL) {
		keep_text(&it->block, FRZ_K_END_REASON, &r->end_reason);
	} else if (it->type == FRZ_CUSTODY) {
		if (!keep_custody(r, &it->block, before))
			return false;
	} else if (it->type == FRZ_SEGMENT) {
		if (!check_segment(c, d, it, r))
			return false;
	}
	if (intact && !r->ndamage) {
		struct frz_case_head h;

		frz_case_head(c, &h);
		r->good_events = h.events;
		r->good_bytes = h.bytes;
		r->good_blocks = h.blocks;
		r->good = h.last;
		memcpy(before, h.sha256, FRZ_HASH_LEN);
		for (size_t i = 0; i < o->nanchors; i++)
			anchors_block(&o->anchors[i], &h);
	}
	return true;
}

static void judge_anchors(const struct verify_options *o, struct verify_result *r, bool *agree)
{
	/* custody entries follow the SEAL, and nothing else does */
	uint64_t seal = r->head.sealed ? r->head.blocks - r->head.custodies : 0;

	*agree = true;
	for (size_t i = 0; i < o->nanchors; i++) {
		struct anchors *s = &o->anchors[i];

		*agree &= anchors_end(s);
		if (s->found && s->block + 1 > r->anchored_to)
			r->anchored_to = s->block + 1;
	}
	r->anchored = *agree && r->anchored_to && r->anchored_to >= seal;
}

static int decide(const struct verify_options *o, struct verify_result *r)
{
	bool agree;

	judge_anchors(o, r, &agree);
	if (r->end == FRZ_E_IO || r->end == FRZ_E_NOMEM)
		return VERIFY_USAGE;
	if (r->ndamage || (r->end != FRZ_END && r->end != FRZ_E_UNSEALED))
		return VERIFY_DAMAGED;
	if (!agree)
		return VERIFY_DAMAGED;
	if ((o->require & VERIFY_ANCHORED) && !r->anchored)
		return o->nanchors ? VERIFY_DAMAGED : VERIFY_USAGE;
	if (r->end == FRZ_E_UNSEALED)
		return VERIFY_UNSEALED;
	if (r->trust == VERIFY_NOT_TRUSTED)
		return VERIFY_UNTRUSTED;
	if ((o->require & VERIFY_SIGNED) && r->trust != VERIFY_TRUSTED)
		return VERIFY_UNTRUSTED;
	return VERIFY_GOOD;
}

/* The next item of a case as it was when it was opened: what a recorder adds meanwhile is left
 * out, or a fast one would never be caught up with; a block that it is writing is waited for. */
static enum frz_err next_item(struct frz_case *c, struct verify_result *r, struct frz_case_item *it,
			      struct frz_fault *fault)
{
	const struct timespec moment = { .tv_nsec = 10000000 };
	bool live = r->tail.is.writer == FRZ_WRITER_AT_WORK;
	struct frz_case_head h;
	enum frz_err err;

	frz_case_head(c, &h);
	if (!r->file_bytes)
		r->file_bytes = h.file_bytes;
	if (live && !h.sealed && h.bytes >= r->file_bytes)
		return FRZ_E_UNSEALED;
	err = frz_case_next(c, it, fault);
	for (int i = 0; live && err == FRZ_E_TRUNCATED && i < 100; i++) {
		nanosleep(&moment, NULL);
		err = frz_case_next(c, it, fault);
	}
	return err;
}

static void read_all(const struct verify_options *o, struct frz_case *c, struct frz_decoder *d,
		     struct verify_result *r)
{
	uint8_t before[FRZ_HASH_LEN] = { 0 };
	struct frz_case_item it;
	struct frz_fault fault;

	while ((r->end = next_item(c, r, &it, &fault)) == FRZ_OK) {
		if (!take_item(o, c, d, &it, r, before)) {
			r->end = FRZ_E_NOMEM;
			frz_fault_set(&fault, FRZ_E_NOMEM, it.block.index, it.block.offset,
				      "out of memory");
			break;
		}
	}
	frz_case_head(c, &r->head);
	frz_case_sha256(c, &r->sha);
	if (r->end != FRZ_END && r->end != FRZ_E_UNSEALED && !keep_damage(r, NULL, &fault))
		r->end = FRZ_E_NOMEM;
}

static void check_custody(const struct verify_options *o, struct verify_result *r)
{
	if (!r->ncustody)
		r->trust = VERIFY_NOT_SIGNED;
	if (!r->ncustody || !o->custody || r->ndamage || r->end != FRZ_END)
		return;
	r->trust = o->custody(o->custody_arg, &r->head, r->custody, r->ncustody, r->trust_line,
			      sizeof(r->trust_line));
}

void verify_release(struct verify_result *r)
{
	for (size_t i = 0; i < r->ncustody; i++)
		free((void *)(uintptr_t)r->custody[i].statement);
	free(r->custody);
	verify_tail_release(&r->tail);
	free(r->damage);
	free(r->hostname);
	free(r->exhibit);
	free(r->examiner);
	free(r->recorder);
	free(r->kernel);
	free(r->end_reason);
	free(r->origin.state);
	free(r->origin.filter);
	free(r->origin.left_out);
}

void verify_read(const struct verify_options *o, struct verify_result *r)
{
	struct frz_decoder *d = frz_decoder_new();
	struct frz_case *c = NULL;
	struct frz_fault fault;

	*r = (struct verify_result){ .end = FRZ_E_NOMEM };
	if (d && verify_tail_copy(o->path, &r->tail)) {
		r->end = frz_case_open(o->path, FRZ_CASE_ALLOW_DAMAGED, &c, &fault);
		if (r->end == FRZ_OK)
			read_all(o, c, d, r);
		else if (!keep_damage(r, NULL, &fault))
			r->end = FRZ_E_NOMEM;
	}
	if (!r->head.sealed && r->good_blocks && r->good_blocks == r->head.blocks)
		verify_tail_read(&r->tail, d, r->genesis_link, &r->head);
	check_custody(o, r);
	r->exit = decide(o, r);
	frz_case_close(c);
	frz_decoder_free(d);
}

int verify_run(const struct verify_options *o, FILE *out)
{
	struct verify_result r;

	verify_read(o, &r);
	if (o->json)
		verify_print_json(o, &r, out);
	else
		verify_print_text(o, &r, out);
	verify_release(&r);
	return r.exit;
}
