/*
 * verify_json.c - what --verify found, as one JSON object.
 */
#include <string.h>

#include "output.h"
#include "sha256.h"
#include "verify_private.h"

static void put_string(FILE *out, const char *text) { output_json(out, text, strlen(text)); }

static void put_text(FILE *out, const char *key, const char *value)
{
	fprintf(out, ",\n  \"%s\": ", key);
	if (value)
		put_string(out, value);
	else
		fputs("null", out);
}

static void put_num(FILE *out, const char *key, uint64_t v)
{
	fprintf(out, ",\n  \"%s\": %ju", key, (uintmax_t)v);
}

static void put_hex(FILE *out, const char *key, const uint8_t *p, size_t n)
{
	char hex[FRZ_HEX_LEN];

	frz_hex(p, n, hex);
	put_text(out, key, hex);
}

static void put_time(FILE *out, const char *key, uint64_t real_ns)
{
	char t[FRZ_TIME_MAX];

	verify_time(real_ns, t);
	put_text(out, key, t);
}

static void put_faults(const struct verify_result *r, FILE *out)
{
	fputs(",\n  \"faults\": [", out);
	for (size_t i = 0; i < r->ndamage_kept; i++) {
		const struct verify_damage *d = &r->damage[i];

		fprintf(out, "%s\n    { \"block\": %ju, \"offset\": %ju, \"error\": ", i ? "," : "",
			(uintmax_t)d->fault.block, (uintmax_t)d->fault.offset);
		put_string(out, frz_strerror(d->fault.err));
		fputs(", \"what\": ", out);
		put_string(out, d->fault.what);
		if (d->events)
			fprintf(out, ", \"first_event\": %ju, \"events\": %ju",
				(uintmax_t)d->first_event, (uintmax_t)d->events);
		if (d->resume_offset)
			fprintf(out, ", \"resume_offset\": %ju", (uintmax_t)d->resume_offset);
		fputs(" }", out);
	}
	fprintf(out, "%s],\n  \"fault_count\": %zu", r->ndamage_kept ? "\n  " : "", r->ndamage);
}

static void put_anchors(const struct verify_options *o, const struct verify_result *r, FILE *out)
{
	static const char *const fault[] = {
		[ANCHORS_AGREE] = "none",
		[ANCHORS_NONE] = "nothing noted of this case",
		[ANCHORS_ABSENT] = "no block has this head",
		[ANCHORS_OTHER_HEAD] = "another head",
		[ANCHORS_OTHER_COUNT] = "another number of events",
		[ANCHORS_OTHER_HASH] = "another hash of the file",
		[ANCHORS_BEYOND] = "fewer blocks",
	};

	fputs(",\n  \"anchors\": [", out);
	for (size_t i = 0; i < o->nanchors; i++) {
		const struct anchors *s = &o->anchors[i];
		char hex[FRZ_HEX_LEN];

		fprintf(out, "%s\n    { \"from\": ", i ? "," : "");
		put_string(out, s->from);
		fprintf(out, ", \"anchors\": %zu, \"agree\": %zu, \"fault\": ", s->n, s->agree);
		put_string(out, fault[s->fault]);
		if (s->fault != ANCHORS_AGREE && s->n) {
			frz_hex(s->bad.link, FRZ_HASH_LEN, hex);
			fprintf(out, ", \"line\": %u, \"wanted_head\": \"%s\"", s->bad.line, hex);
			if (s->bad.has_counts)
				fprintf(out, ", \"wanted_blocks\": %ju, \"wanted_events\": %ju",
					(uintmax_t)s->bad.blocks, (uintmax_t)s->bad.events);
		}
		if (s->found) {
			frz_hex(s->link, FRZ_HASH_LEN, hex);
			fprintf(out, ", \"block\": %ju, \"events\": %ju, \"chain_head\": \"%s\"",
				(uintmax_t)s->block, (uintmax_t)s->events, hex);
		}
		fputs(" }", out);
	}
	fprintf(out, "%s],\n  \"anchored\": %s", o->nanchors ? "\n  " : "",
		r->anchored ? "true" : "false");
}

static void put_tail(const struct tail_state *t, FILE *out)
{
	static const char *const yes_no[] = {
		[FRZ_WRITER_UNKNOWN] = "null",
		[FRZ_WRITER_NONE] = "false",
		[FRZ_WRITER_AT_WORK] = "true",
	};

	fprintf(out, ",\n  \"being_written\": %s", yes_no[t->writer]);
	fprintf(out, ",\n  \"tail\": { \"present\": %s, \"readable\": %s, \"events\": %ju, ",
		t->present ? "true" : "false", t->readable ? "true" : "false",
		(uintmax_t)t->events);
	fprintf(out, "\"lost\": %ju, \"unusable_bytes\": %ju, \"why\": ", (uintmax_t)t->lost,
		(uintmax_t)t->unusable);
	put_string(out, t->why);
	fputs(" }", out);
}

/* An object for an extract, null for an original. */
static void put_origin(const struct verify_origin *o, FILE *out)
{
	char hex[FRZ_HEX_LEN];

	if (!o->is_extract) {
		fputs(",\n  \"extract_of\": null", out);
		return;
	}
	frz_hex(o->case_id, sizeof(o->case_id), hex);
	fprintf(out, ",\n  \"extract_of\": { \"case_id\": \"%s\"", hex);
	frz_hex(o->head, FRZ_HASH_LEN, hex);
	fprintf(out, ", \"chain_head\": \"%s\", \"events\": %ju, \"state\": ", hex,
		(uintmax_t)o->events);
	put_string(out, o->state ? o->state : "");
	fputs(", \"filter\": ", out);
	put_string(out, o->filter ? o->filter : "");
	fputs(", \"left_out\": ", out);
	put_string(out, o->left_out ? o->left_out : "");
	frz_hex(o->rules_sha256, FRZ_HASH_LEN, hex);
	fprintf(out, ", \"rules_sha256\": %s%s%s }", o->has_rules ? "\"" : "",
		o->has_rules ? hex : "null", o->has_rules ? "\"" : "");
}

void verify_print_json(const struct verify_options *o, const struct verify_result *r, FILE *out)
{
	static const char *const trust[] = {
		[VERIFY_NOT_CHECKED] = "not checked",
		[VERIFY_NOT_SIGNED] = "not signed",
		[VERIFY_TRUSTED] = "trusted",
		[VERIFY_NOT_TRUSTED] = "not trusted",
	};
	const struct frz_case_head *h = &r->head;

	fputs("{\n  \"case\": ", out);
	put_string(out, o->path);
	put_text(out, "verdict", verify_verdict(r));
	fprintf(out, ",\n  \"exit\": %d", r->exit);
	fprintf(out, ",\n  \"sealed\": %s", h->sealed ? "true" : "false");
	put_text(out, "signatures", trust[r->trust]);
	if (*r->trust_line)
		put_text(out, "signatures_why", r->trust_line);
	put_hex(out, "case_id", h->case_id, sizeof(h->case_id));
	put_text(out, "host", r->hostname);
	put_text(out, "exhibit", r->exhibit);
	put_text(out, "examiner", r->examiner);
	put_text(out, "recorder", r->recorder);
	put_text(out, "end_reason", r->end_reason);
	put_origin(&r->origin, out);
	put_time(out, "first_time", h->start.real_ns);
	put_time(out, "last_time", h->last.real_ns);
	put_num(out, "file_bytes", h->file_bytes);
	put_num(out, "blocks", h->blocks);
	put_num(out, "segments", h->segments);
	put_num(out, "ticks", h->ticks);
	put_num(out, "recoveries", h->recoveries);
	put_num(out, "custody_entries", h->custodies);
	put_num(out, "events", h->events);
	put_num(out, "events_read", r->events_read);
	put_num(out, "events_recovered", r->recovered_events);
	put_num(out, "lost", h->lost);
	put_num(out, "longest_silence_ns", h->silence_ns);
	put_num(out, "unknown_fields", h->unknown_fields);
	put_hex(out, "chain_head", h->link, FRZ_HASH_LEN);
	if (h->sealed) {
		put_hex(out, "seal", h->seal_link, FRZ_HASH_LEN);
		put_num(out, "prefix_bytes", h->prefix_bytes);
		put_hex(out, "prefix_sha256", h->prefix_sha256, FRZ_HASH_LEN);
	}
	if (!h->sealed)
		put_tail(&r->tail.is, out);
	fputs(",\n  \"intact_to\": { ", out);
	fprintf(out, "\"event\": %ju, \"blocks\": %ju, \"bytes\": %ju, \"time_ns\": %ju }",
		(uintmax_t)r->good_events, (uintmax_t)r->good_blocks, (uintmax_t)r->good_bytes,
		(uintmax_t)r->good.real_ns);
	put_faults(r, out);
	put_anchors(o, r, out);
	fputs("\n}\n", out);
}
