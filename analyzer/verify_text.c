/*
 * verify_text.c - what --verify found, in plain words.
 */
#include <string.h>

#include "sha256.h"
#include "verify_private.h"

const char *verify_verdict(const struct verify_result *r)
{
	if (r->end == FRZ_E_IO)
		return "not readable";
	if (r->end == FRZ_E_NOMEM)
		return "not checked";
	if (r->end == FRZ_E_NOT_FRZ)
		return "not a case";
	if (r->end == FRZ_E_VERSION)
		return "unknown version";
	/* cut off, and nothing else wrong */
	if (r->end == FRZ_E_TRUNCATED && r->ndamage == 1)
		return "truncated";
	if (r->ndamage)
		return "damaged";
	return r->end == FRZ_E_UNSEALED ? "not sealed" : "intact";
}

void verify_time(uint64_t real_ns, char out[FRZ_TIME_MAX])
{
	frz_time_text((int64_t)(real_ns / 1000000000u), (uint32_t)(real_ns % 1000000000u), out);
}

/* A text of the case, made harmless; at most a few hundred characters of it. */
static void put_escaped(FILE *out, const char *s)
{
	char line[400];

	if (frz_escape((const uint8_t *)s, strlen(s), line, sizeof(line)) >= sizeof(line))
		strcpy(line + sizeof(line) - 4, "...");
	fputs(line, out);
}

static void put_row(FILE *out, const char *name, const char *value)
{
	if (!value || !*value)
		return;
	fprintf(out, "  %-12s", name);
	put_escaped(out, value);
	fputc('\n', out);
}

/* 1234567 as 1,234,567 */
static const char *grouped(uint64_t v, char out[32])
{
	char digits[24];
	int n = snprintf(digits, sizeof(digits), "%ju", (uintmax_t)v), o = 0;

	for (int i = 0; i < n; i++) {
		if (i && (n - i) % 3 == 0)
			out[o++] = ',';
		out[o++] = digits[i];
	}
	out[o] = '\0';
	return out;
}

/* Can it stand in a command as it is? What is printed may be pasted, and names are hostile. */
static bool shell_word(const char *s)
{
	return *s != '-' && *s != '~' &&
	       !s[strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
			    "0123456789/._-+@%:,=~")];
}

static void print_facts(const struct verify_options *o, const struct verify_result *r, FILE *out)
{
	const struct frz_case_head *h = &r->head;
	char hex[FRZ_HEX_LEN], a[FRZ_TIME_MAX], b[FRZ_TIME_MAX], n1[32], n2[32];

	if (!h->blocks)
		return;
	frz_hex(h->case_id, sizeof(h->case_id), hex);
	put_row(out, "case id", hex);
	put_row(out, "exhibit", r->exhibit);
	put_row(out, "examiner", r->examiner);
	put_row(out, "host", r->hostname);
	put_row(out, "kernel", r->kernel);
	put_row(out, "recorder", r->recorder);
	verify_time(h->start.real_ns, a);
	verify_time(h->last.real_ns, b);
	fprintf(out, "  recorded    %s to %s\n", a, b);
	put_row(out, "ended", r->end_reason);
	fprintf(out, "  events      %s, %s lost\n", grouped(h->events, n1), grouped(h->lost, n2));
	if (r->recovered_events)
		fprintf(out, "  recovered   %s of them, from the tail\n",
			grouped(r->recovered_events, n1));
	fprintf(out, "  file        %s bytes, %ju blocks, %ju segments, %ju ticks\n",
		grouped(h->file_bytes, n1), (uintmax_t)h->blocks, (uintmax_t)h->segments,
		(uintmax_t)h->ticks);
	if (r->ndamage)
		return;
	frz_hex(h->link, FRZ_HASH_LEN, hex);
	fprintf(out, "  chain head  %s\n", hex);
	if (!h->sealed)
		return;
	frz_hex(h->seal_link, FRZ_HASH_LEN, hex);
	fprintf(out, "  seal        %s\n", hex);
	frz_hex(h->prefix_sha256, FRZ_HASH_LEN, hex);
	fprintf(out, "  by hand     head -c %ju %s | sha256sum\n              %s\n",
		(uintmax_t)h->prefix_bytes, shell_word(o->path) ? o->path : "CASE", hex);
}

static void print_damage(const struct verify_result *r, FILE *out)
{
	fputc('\n', out);
	for (size_t i = 0; i < r->ndamage_kept; i++) {
		const struct verify_damage *d = &r->damage[i];

		if (d->fault.err == FRZ_E_IO && !r->head.file_bytes)
			fprintf(out, "%s\n", d->fault.what);
		else
			fprintf(out, "block %ju at offset %ju: %s: %s\n", (uintmax_t)d->fault.block,
				(uintmax_t)d->fault.offset, frz_strerror(d->fault.err),
				d->fault.what);
		if (d->events)
			fprintf(out, "    events %ju to %ju cannot be read\n",
				(uintmax_t)d->first_event,
				(uintmax_t)(d->first_event + d->events - 1));
		if (d->resume_offset > d->fault.offset && d->resume_offset < r->head.file_bytes)
			fprintf(out, "    a whole block follows at offset %ju\n",
				(uintmax_t)d->resume_offset);
	}
	if (r->ndamage > r->ndamage_kept)
		fprintf(out, "and %zu more\n", r->ndamage - r->ndamage_kept);
}

static void print_good_part(const struct verify_result *r, FILE *out)
{
	char t[FRZ_TIME_MAX], n[32];

	if (!r->good_blocks) {
		fputs("- Nothing in the file can be relied on.\n", out);
		return;
	}
	verify_time(r->good.real_ns, t);
	fprintf(out,
		"- Intact to event %s at %s:\n"
		"  the first %ju blocks, %ju bytes. Up to there every byte is under a hash and all\n"
		"  hashes agree.\n",
		grouped(r->good_events, n), t, (uintmax_t)r->good_blocks, (uintmax_t)r->good_bytes);
}

void verify_put_item(FILE *out, const char *text)
{
	char shown[6000];
	size_t col = 1, n;

	if (frz_escape((const uint8_t *)text, strlen(text), shown, sizeof(shown)) >= sizeof(shown))
		strcpy(shown + sizeof(shown) - 4, "...");
	fputc('-', out);
	for (const char *p = shown; *p; p += n) {
		p += strspn(p, " ");
		n = strcspn(p, " ");
		if (col + 1 + n > 80 && col > 2) {
			fputs("\n ", out);
			col = 1;
		}
		fprintf(out, " %.*s", (int)n, p);
		col += 1 + n;
	}
	fputc('\n', out);
}

static void describe_anchors(const struct anchors *s, char *line, size_t cap)
{
	char head[FRZ_HEX_LEN], where[32] = "", n1[32], n2[32];

	frz_hex(s->bad.link, FRZ_HASH_LEN, head);
	if (s->bad.line)
		snprintf(where, sizeof(where), " line %u", s->bad.line);
	switch (s->fault) {
	case ANCHORS_AGREE:
		snprintf(line, cap,
			 "%s: %s%s the link of block %ju. Everything up to there, %s events, is "
			 "what stood in the file when it was noted.",
			 s->from, s->n > 1 ? grouped(s->agree, n2) : "is",
			 s->n > 1 ? " chain heads agree; the last is" : "", (uintmax_t)s->block,
			 grouped(s->events, n1));
		break;
	case ANCHORS_NONE:
		snprintf(line, cap, "%s: says NOTHING of this case%s.", s->from,
			 s->other_cases ? ", only of others" : "");
		break;
	case ANCHORS_ABSENT:
		snprintf(line, cap,
			 "%s: NO BLOCK of the intact part has the chain head %s. The case was cut, "
			 "rewritten, or is another one.",
			 s->from, head);
		break;
	case ANCHORS_OTHER_HEAD:
		snprintf(line, cap,
			 "%s%s: block %ju had ANOTHER chain head when it was noted, %s. The case "
			 "was rewritten.",
			 s->from, where, (uintmax_t)(s->bad.blocks - 1), head);
		break;
	case ANCHORS_OTHER_COUNT:
		snprintf(line, cap,
			 "%s%s: has the chain head of block %ju, but ANOTHER number of events, "
			 "%ju.",
			 s->from, where, (uintmax_t)(s->bad.blocks - 1), (uintmax_t)s->bad.events);
		break;
	case ANCHORS_OTHER_HASH:
		snprintf(line, cap,
			 "%s: has the chain head of this case, but ANOTHER SHA-256 of the file: "
			 "the receipt was altered.",
			 s->from);
		break;
	case ANCHORS_BEYOND:
		snprintf(line, cap,
			 "%s%s: the case had %ju blocks and %s events when it was noted. The "
			 "intact part has FEWER: the case was cut.",
			 s->from, where, (uintmax_t)s->bad.blocks, grouped(s->bad.events, n1));
		break;
	}
}

static void print_anchors(const struct verify_options *o, const struct verify_result *r, FILE *out)
{
	char line[900];

	for (size_t i = 0; i < o->nanchors; i++) {
		const struct anchors *s = &o->anchors[i];

		describe_anchors(s, line, sizeof(line));
		verify_put_item(out, line);
		if (s->cut_line) {
			snprintf(line, sizeof(line),
				 "%s: its last line was cut short and is left out.", s->from);
			verify_put_item(out, line);
		}
	}
	if (r->anchored_to && !r->anchored && !r->ndamage && r->head.sealed)
		fprintf(out, "- What stands behind block %ju is not anchored.\n",
			(uintmax_t)r->anchored_to - 1);
}

static void print_trust(const struct verify_result *r, bool anchored, FILE *out)
{
	if (*r->trust_line) {
		verify_put_item(out, r->trust_line);
		return;
	}
	if (r->trust == VERIFY_NOT_CHECKED)
		fprintf(out, "- %zu custody entr%s present; the signatures were NOT checked.\n",
			r->ncustody, r->ncustody == 1 ? "y is" : "ies are");
	else if (anchored)
		fputs("- Not signed: it says nothing about who vouches for it.\n", out);
	else
		fputs("- Not signed: the hashes show accidents, not the work of someone who "
		      "rewrote the\n  file and computed them anew. Compare the chain head "
		      "with a note kept elsewhere\n  (--expect-head, --checkpoint) or have "
		      "it signed.\n",
		      out);
}

static void print_tail(const struct verify_result *r, FILE *out)
{
	static const char *const who[] = {
		[FRZ_WRITER_UNKNOWN] = "whether a recorder is still at work cannot be told here",
		[FRZ_WRITER_NONE] =
			"no recorder is at work any more; frec --recover seals the case",
		[FRZ_WRITER_AT_WORK] = "a recorder is at work",
	};
	const struct tail_state *t = &r->tail.is;
	char n[32], last[32], time[FRZ_TIME_MAX];

	fprintf(out, "- It is not finished: %s.\n", who[t->writer]);
	if (!t->present) {
		fputs("- No tail lies beside it: events recorded last can be missing.\n", out);
		return;
	}
	if (!t->readable) {
		fputs("- A tail lies beside it that cannot be read: ", out);
		put_escaped(out, *t->why ? t->why : "out of memory");
		fputs(".\n", out);
		return;
	}
	verify_time(r->tail.last_real, time);
	if (t->events)
		fprintf(out,
			"- Its tail lies beside it and holds %s more events, to event %s at\n"
			"  %s. Their checksums agree; hashes they will have in the case.\n",
			grouped(t->events, n), grouped(r->head.events + t->events, last), time);
	else
		fputs("- Its tail lies beside it and holds no more events.\n", out);
	if (t->unusable) {
		fprintf(out, "- %s bytes in the tail cannot be had: ", grouped(t->unusable, n));
		put_escaped(out, t->why);
		fputs(".\n", out);
	}
}

/* "a: 1\nb: 2\n" as "a: 1, b: 2" */
static void one_line(const char *text, char *out, size_t cap)
{
	size_t n = 0;

	for (; text && *text && n + 3 < cap; text++) {
		if (*text != '\n')
			out[n++] = *text;
		else if (text[1])
			n += (size_t)snprintf(out + n, cap - n, ", ");
	}
	out[n] = '\0';
}

static void print_origin(const struct verify_origin *o, FILE *out)
{
	char id[33], head[FRZ_HEX_LEN], rules[FRZ_HEX_LEN], when[FRZ_TIME_MAX], n[32];
	char filter[1200], left_out[600], line[3000];

	if (!o->is_extract)
		return;
	frz_hex(o->case_id, sizeof(o->case_id), id);
	frz_hex(o->head, FRZ_HASH_LEN, head);
	frz_hex(o->rules_sha256, FRZ_HASH_LEN, rules);
	verify_time(o->made_ns, when);
	one_line(o->filter, filter, sizeof(filter));
	one_line(o->left_out, left_out, sizeof(left_out));
	snprintf(line, sizeof(line),
		 "This is NOT the original but an extract, made at %s, as it says: of case %s, "
		 "%s, %s events, chain head %s. Asked for: %s. Left out: %s.",
		 when, id, o->state ? o->state : "", grouped(o->events, n), head, filter, left_out);
	verify_put_item(out, line);
	if (!o->has_rules)
		return;
	snprintf(line, sizeof(line), "Names in it were replaced by rules whose SHA-256 is %s.",
		 rules);
	verify_put_item(out, line);
}

static void print_meaning(const struct verify_options *o, const struct verify_result *r, FILE *out)
{
	const struct frz_case_head *h = &r->head;

	fputc('\n', out);
	if (r->end == FRZ_E_TRUNCATED && r->ndamage == 1) {
		print_good_part(r, out);
		fputs("- The file ends in the middle of a block: ", out);
		fputs(r->tail.is.readable && !r->tail.is.unusable ?
			      "the recorder ended while it wrote it, and\n  what it was to hold is "
			      "in the tail.\n" :
			      "what came after is gone, or is not yet written.\n",
		      out);
		print_tail(r, out);
		print_anchors(o, r, out);
		return;
	}
	if (r->ndamage) {
		print_good_part(r, out);
		if (r->good_blocks)
			fputs("- Nothing can be said for certain after that. Blocks that follow the damage\n"
			      "  are whole in themselves, but what is missing between them, and whether they\n"
			      "  belong here, cannot be known.\n",
			      out);
		print_anchors(o, r, out);
		return;
	}
	if (r->end == FRZ_E_UNSEALED) {
		print_good_part(r, out);
		fputs("- Nothing can be said after that: there is no SEAL. It looks the same whether\n"
		      "  the case went no further, or went on, or was sealed and then cut at the end\n"
		      "  of a block. The file cannot show which; what was noted elsewhere can:\n"
		      "  checkpoints of frec (--checkpoint), a chain head (--expect-head), a receipt\n"
		      "  (--receipt).\n",
		      out);
		print_tail(r, out);
	} else {
		fputs("- Every byte of the file is under a hash, all hashes agree, every record can be\n"
		      "  read: nothing was changed, cut, put in or moved since it was sealed, short of\n"
		      "  computing every hash anew.\n",
		      out);
	}
	print_origin(&r->origin, out);
	if (h->lost)
		fprintf(out, "- The recorder itself says that it lost %ju events.\n",
			(uintmax_t)h->lost);
	if (h->tick_seconds && h->silence_ns / 1000000000u > 3 * h->tick_seconds &&
	    !r->origin.is_extract)
		fprintf(out,
			"- Silence of %ju s before block %ju, where a sign of life was promised\n"
			"  every %ju s: the recorder was stopped or could not write.\n",
			(uintmax_t)(h->silence_ns / 1000000000u), (uintmax_t)h->silence_block,
			(uintmax_t)h->tick_seconds);
	if (h->unknown_fields)
		fprintf(out,
			"- %ju additional fields come from a later version and were skipped.\n",
			(uintmax_t)h->unknown_fields);
	print_anchors(o, r, out);
	if (r->end != FRZ_E_UNSEALED)
		print_trust(r, o->nanchors > 0, out);
}

static void print_required(const struct verify_options *o, const struct verify_result *r, FILE *out)
{
	if ((o->require & VERIFY_SEALED) && !r->head.sealed)
		fputs("- Required, and not so: sealed.\n", out);
	if ((o->require & VERIFY_SIGNED) && r->trust != VERIFY_TRUSTED)
		fputs("- Required, and not so: signed by someone who is trusted.\n", out);
	if ((o->require & VERIFY_ANCHORED) && !o->nanchors)
		fputs("- Required, and not so: anchored. Give --expect-head, --checkpoint or\n"
		      "  --receipt.\n",
		      out);
	else if ((o->require & VERIFY_ANCHORED) && !r->anchored)
		fputs("- Required, and not so: anchored, up to the SEAL.\n", out);
}

void verify_print_text(const struct verify_options *o, const struct verify_result *r, FILE *out)
{
	put_escaped(out, o->path);
	fprintf(out, ": %s%s%s\n", verify_verdict(r),
		r->end == FRZ_END && !r->ndamage ? " and sealed" : "",
		r->origin.is_extract ? ", an EXTRACT of another case" : "");
	print_facts(o, r, out);
	if (r->ndamage)
		print_damage(r, out);
	if (r->end != FRZ_E_IO && r->end != FRZ_E_NOMEM && r->end != FRZ_E_NOT_FRZ &&
	    r->end != FRZ_E_VERSION)
		print_meaning(o, r, out);
	print_required(o, r, out);
}
