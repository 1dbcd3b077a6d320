/*
 * custody_list.c - custody entries for reading, and their raw parts for the stock tools
 * (contract in custody.h).
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "custody.h"
#include "message.h"
#include "receipt.h"
#include "sha256.h"
#include "verify_private.h"

struct listing {
	const struct options *o;
	struct verify_result r;
	struct signers signers;
	bool have_signers;
	struct custody c;
	enum verify_trust trust;
	int code;
};

static void put_text(FILE *f, const char *s)
{
	char shown[5 * FRZ_REMARK_MAX];

	output_escape(s, strlen(s), shown, sizeof(shown));
	fputs(shown, f);
}

static void put_json(FILE *f, const char *key, const char *value)
{
	fprintf(f, ", \"%s\": ", key);
	if (value && *value)
		output_json(f, value, strlen(value));
	else
		fputs("null", f);
}

static void put_json_hex(FILE *f, const char *key, const uint8_t *p, size_t n)
{
	char hex[FRZ_HEX_LEN];

	frz_hex(p, n, hex);
	put_json(f, key, hex);
}

static const char *state_name(const struct custody_entry *e)
{
	switch (e->state) {
	case CUSTODY_FITS:
		return "fits";
	case CUSTODY_TRUSTED:
		return "good";
	case CUSTODY_BAD:
		return "bad";
	case CUSTODY_UNCHECKED:
		break;
	}
	return "not checked";
}

/* What became of a release. */
static const char *transfer_name(const struct listing *l, size_t i)
{
	const struct custody_entry *e = &l->c.e[i];

	if (!e->understood || e->statement.kind != FRZ_CUSTODY_RELEASE || e->state == CUSTODY_BAD)
		return NULL;
	return e->received_by	  ? "received" :
	       e->withdrawn	  ? "withdrawn" :
	       l->c.open == i + 1 ? "open" :
				    NULL;
}

/* ---- text ---- */

static void row(FILE *f, const char *name, const char *value)
{
	if (!*value)
		return;
	fprintf(f, "      %-13s ", name);
	put_text(f, value);
	fputc('\n', f);
}

static void print_entry(const struct listing *l, size_t i, FILE *f)
{
	const struct verify_custody_entry *at = &l->r.custody[i];
	const struct custody_entry *e = &l->c.e[i];
	const struct frz_statement *s = &e->statement;
	const char *transfer = transfer_name(l, i);
	char hex[FRZ_HEX_LEN], when[FRZ_TIME_MAX];

	frz_claimed_time(s->claimed_time, when);
	if (!e->understood) {
		fprintf(f, "%5zu  %s\n", i + 1, "cannot be read");
	} else {
		fprintf(f, "%5zu  %-8s ", i + 1, frz_custody_kind_name(s->kind));
		put_text(f, s->who);
		if (*s->to)
			fprintf(f, " to %s", s->to);
		if (*s->from)
			fprintf(f, " from %s, entry %ju", s->from, (uintmax_t)s->release_entry);
		fprintf(f, "\n      %-13s %s%s%s\n", "claimed time", when,
			e->earlier ? ", BEFORE that of an entry in front of it" : "",
			e->future ? ", which has not come" : "");
		for (int r = 0; r < FRZ_REMARKS; r++)
			row(f, frz_remark_name((enum frz_remark)r), s->remark[r]);
	}
	fprintf(f, "      %-13s %s%s%s%s\n", "signature",
		e->state == CUSTODY_FITS ? "fits, signer not checked" :
		e->state == CUSTODY_BAD	 ? "NOT TRUSTED" :
					   state_name(e),
		*e->key ? ", " : "", e->key, e->expired_since ? ", expired since" : "");
	row(f, "because", e->why);
	if (transfer && e->received_by)
		fprintf(f, "      %-13s received by entry %zu\n", "transfer", e->received_by);
	else if (transfer)
		fprintf(f, "      %-13s %s\n", "transfer",
			e->withdrawn ? "not received; another release took its place" :
				       "OPEN: not received yet");
	frz_hex(at->link, FRZ_HASH_LEN, hex);
	fprintf(f, "      %-13s block %ju at offset %ju, %s\n", "chain head", (uintmax_t)at->block,
		(uintmax_t)at->offset, hex);
}

static void print_list(const struct listing *l, FILE *f)
{
	char id[33];

	frz_hex(l->r.head.case_id, 16, id);
	put_text(f, l->o->case_path);
	fprintf(f, ": %s%s%s, %zu custody entr%s\n  case id     %s\n", verify_verdict(&l->r),
		l->r.end == FRZ_END && !l->r.ndamage ? " and sealed" : "",
		l->r.origin.is_extract ? ", an EXTRACT of another case" : "", l->c.n,
		l->c.n == 1 ? "y" : "ies", id);
	for (size_t i = 0; i < l->c.n; i++)
		print_entry(l, i, f);
	if (*l->r.trust_line) {
		fputc('\n', f);
		verify_put_item(f, l->r.trust_line);
	}
}

/* ---- JSON ---- */

static void json_entry(const struct listing *l, size_t i, FILE *f)
{
	const struct verify_custody_entry *at = &l->r.custody[i];
	const struct custody_entry *e = &l->c.e[i];
	const struct frz_statement *s = &e->statement;
	char when[FRZ_TIME_MAX];

	frz_claimed_time(s->claimed_time, when);
	fprintf(f, "%s\n    { \"entry\": %zu, \"block\": %ju, \"offset\": %ju", i ? "," : "", i + 1,
		(uintmax_t)at->block, (uintmax_t)at->offset);
	put_json(f, "kind", e->understood ? frz_custody_kind_name(s->kind) : NULL);
	put_json(f, "who", s->who);
	put_json(f, "to", s->to);
	put_json(f, "from", s->from);
	put_json(f, "claimed_time", e->understood ? when : NULL);
	for (int r = 0; r < FRZ_REMARKS; r++)
		put_json(f, frz_remark_name((enum frz_remark)r), s->remark[r]);
	put_json(f, "signature", state_name(e));
	put_json(f, "why", e->why);
	put_json(f, "key", e->key);
	put_json(f, "transfer", transfer_name(l, i));
	fprintf(f,
		", \"received_by\": %zu, \"time_earlier\": %s, \"time_future\": %s, "
		"\"key_expired_since\": %s",
		e->received_by, e->earlier ? "true" : "false", e->future ? "true" : "false",
		e->expired_since ? "true" : "false");
	put_json_hex(f, "chain_head", at->link, FRZ_HASH_LEN);
	fputs(" }", f);
}

static void json_list(const struct listing *l, FILE *f)
{
	static const char *const trust[] = {
		[VERIFY_NOT_CHECKED] = "not checked",
		[VERIFY_NOT_SIGNED] = "not signed",
		[VERIFY_TRUSTED] = "trusted",
		[VERIFY_NOT_TRUSTED] = "not trusted",
	};

	fputs("{\n  \"case\": ", f);
	output_json(f, l->o->case_path, strlen(l->o->case_path));
	put_json_hex(f, "case_id", l->r.head.case_id, 16);
	put_json(f, "verdict", verify_verdict(&l->r));
	if (l->r.origin.is_extract)
		put_json_hex(f, "extract_of", l->r.origin.case_id, 16);
	else
		put_json(f, "extract_of", NULL);
	fprintf(f, ",\n  \"exit\": %d", l->code);
	put_json(f, "signatures", trust[l->trust]);
	put_json(f, "signatures_why", l->r.trust_line);
	put_json(f, "custodian", l->c.custodian);
	fprintf(f, ", \"since_entry\": %zu, \"open_release\": %zu", l->c.custodian ? l->c.since : 0,
		l->c.open);
	put_json(f, "open_to", l->c.open ? l->c.e[l->c.open - 1].statement.to : NULL);
	fputs(",\n  \"entries\": [", f);
	for (size_t i = 0; i < l->c.n; i++)
		json_entry(l, i, f);
	fprintf(f, "%s]\n}\n", l->c.n ? "\n  " : "");
}

/* ---- actions ---- */

/* 0, or the exit code after a line: nothing can be listed then. */
static int read_case(struct listing *l)
{
	struct verify_options v = { .path = l->o->case_path };
	struct verify_result *r = &l->r;

	verify_read(&v, r);
	if (r->end == FRZ_E_NOMEM || (r->end == FRZ_E_IO && !r->head.file_bytes))
		return complain(VERIFY_USAGE, "%s: %s", l->o->case_path,
				r->ndamage_kept ? r->damage->fault.what : "out of memory");
	if (!r->good_blocks)
		return complain(VERIFY_DAMAGED, "%s: %s", l->o->case_path, r->damage->fault.what);
	return 0;
}

static int check(struct listing *l)
{
	struct verify_result *r = &l->r;
	char err[400];

	if (l->o->allowed_signers) {
		l->have_signers = signers_load(&l->signers, l->o->allowed_signers, l->o->revoked,
					       err, sizeof(err));
		if (!l->have_signers)
			return complain(VERIFY_USAGE, "--allowed-signers %s", err);
	}
	custody_check(l->have_signers ? &l->signers : NULL, &r->head, r->custody, r->ncustody,
		      &l->c);
	if (l->c.nomem)
		return complain(VERIFY_USAGE, "out of memory");
	l->trust = VERIFY_NOT_SIGNED;
	if (l->c.n)
		l->trust = custody_verdict(l->have_signers ? &l->signers : NULL, &l->c, r->custody,
					   r->trust_line, sizeof(r->trust_line));
	/* what the case itself comes to counts for more */
	l->code = r->exit != VERIFY_GOOD && r->exit != VERIFY_UNTRUSTED ? r->exit :
		  l->trust == VERIFY_NOT_TRUSTED			? VERIFY_UNTRUSTED :
									  VERIFY_GOOD;
	return 0;
}

int custody_list(const struct options *o)
{
	struct listing l = { .o = o };
	struct output out;
	int rc;

	if (o->format == OUTPUT_CSV || o->format == OUTPUT_JSONL)
		return complain(VERIFY_USAGE, "--custody writes text or json");
	rc = read_case(&l);
	if (!rc)
		rc = check(&l);
	if (!rc && !output_open(&out, o->output, o->format))
		rc = VERIFY_USAGE;
	if (!rc) {
		if (o->format == OUTPUT_JSON)
			json_list(&l, out.f);
		else
			print_list(&l, out.f);
		rc = output_close(&out) ? l.code : VERIFY_USAGE;
	}
	custody_release(&l.c);
	if (l.have_signers)
		signers_release(&l.signers);
	verify_release(&l.r);
	return rc;
}

/* Raw bytes, as they are in the case; to a terminal only when they can do no harm there. */
static int put_raw(const struct options *o, const void *p, size_t n, bool harmless)
{
	struct output out;

	if (!o->output && !harmless && isatty(STDOUT_FILENO))
		return complain(VERIFY_USAGE,
				"it is not as it should be, and not for a terminal: --output FILE");
	if (!output_open(&out, o->output, OUTPUT_TEXT))
		return VERIFY_USAGE;
	fwrite(p, 1, n, out.f);
	return output_close(&out) ? VERIFY_GOOD : VERIFY_USAGE;
}

const uint8_t *custody_sha256_behind(const struct verify_result *r, size_t i)
{
	return i + 1 < r->ncustody ? r->custody[i + 1].before_sha256 : r->head.sha256;
}

static int put_receipt(const struct options *o, const struct verify_result *r, size_t i)
{
	const struct verify_custody_entry *e = &r->custody[i];
	struct frz_receipt rc = { .statement_text = (const char *)e->statement,
				  .statement_len = e->statement_len,
				  .signature = (const char *)e->signature,
				  .signature_len = e->signature_len };
	char text[FRZ_RECEIPT_MAX + 1];
	struct frz_receipt back;
	const char *why = "";
	size_t n;

	memcpy(rc.head, e->link, FRZ_HASH_LEN);
	rc.case_bytes = i + 1 < r->ncustody ? r->custody[i + 1].offset : r->head.bytes;
	memcpy(rc.case_sha256, custody_sha256_behind(r, i), FRZ_HASH_LEN);
	n = frz_receipt_format(&rc, text, sizeof(text));
	if (!n || frz_receipt_parse(text, n, &back, &why) != FRZ_OK)
		return complain(VERIFY_UNTRUSTED, "%s: entry %zu: %s", o->case_path, i + 1,
				n ? why : "too long");
	return put_raw(o, text, n, true);
}

enum part { STATEMENT, SIGNATURE, RECEIPT };

static int put_part(const struct options *o, enum part part)
{
	struct listing l = { .o = o };
	const struct verify_custody_entry *e;
	struct frz_statement s;
	const char *why;
	char *end;
	unsigned long n = *o->arg >= '0' && *o->arg <= '9' ? strtoul(o->arg, &end, 10) : 0;
	int rc;

	if (!n || *end)
		return complain(VERIFY_USAGE,
				"%s: not the number of a custody entry: the first is 1", o->arg);
	rc = read_case(&l);
	if (!rc && l.r.ndamage)
		rc = complain(VERIFY_DAMAGED, "%s: block %ju at offset %ju: %s", o->case_path,
			      (uintmax_t)l.r.damage->fault.block,
			      (uintmax_t)l.r.damage->fault.offset, l.r.damage->fault.what);
	else if (!rc && n > l.r.ncustody)
		rc = complain(VERIFY_USAGE, "%s: has %zu custody entr%s, no entry %lu",
			      o->case_path, l.r.ncustody, l.r.ncustody == 1 ? "y" : "ies", n);
	if (!rc) {
		e = &l.r.custody[n - 1];
		if ((part == STATEMENT && e->statement_len > FRZ_STATEMENT_MAX) ||
		    (part == SIGNATURE && e->signature_len > FRZ_SIGNATURE_MAX))
			rc = complain(VERIFY_UNTRUSTED, "%s: entry %lu: too long to be one",
				      o->case_path, n);
		else if (part == RECEIPT)
			rc = put_receipt(o, &l.r, n - 1);
		else if (part == STATEMENT)
			rc = put_raw(o, e->statement, e->statement_len,
				     frz_statement_parse(e->statement, e->statement_len, &s,
							 &why) == FRZ_OK);
		else
			rc = put_raw(o, e->signature, e->signature_len,
				     frz_signature_ok(e->signature, e->signature_len));
	}
	verify_release(&l.r);
	return rc;
}

int custody_statement(const struct options *o) { return put_part(o, STATEMENT); }
int custody_signature(const struct options *o) { return put_part(o, SIGNATURE); }
int custody_print_receipt(const struct options *o) { return put_part(o, RECEIPT); }
