/* extract.c - reads the original twice and puts the extract together (contract in extract.h). */
#include "extract_private.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "caseinfo.h"
#include "message.h"
#include "verify_private.h"

struct job {
	const struct options *o;
	struct rules *rules; /* NULL: none */
	struct extract_filter filter;
	struct extract_origin origin;
	struct extract_file w;
	struct extract_records *records;
	struct frz_decoder *d;
	/* of the original, from the first pass */
	struct frz_case_head head;
	enum frz_err end;
	char boot_id[65], reason[501]; /* of its end */
	struct frz_moment last;
	bool writing, same_end; /* the second pass met the last block of the first */
	int code;
};

static bool fail(struct job *j, int code, const char *what)
{
	j->code = complain(code, "%s: %s", j->o->case_path, what);
	return false;
}

static bool fail_at(struct job *j, const struct frz_fault *f)
{
	bool ours = f->err == FRZ_E_IO || f->err == FRZ_E_NOMEM;

	j->code = complain(ours ? VERIFY_USAGE : VERIFY_DAMAGED, "%s: block %ju at offset %ju: %s",
			   j->o->case_path, (uintmax_t)f->block, (uintmax_t)f->offset, f->what);
	return false;
}

/* What writing came to. */
static bool wrote(struct job *j, enum frz_err err)
{
	if (err == FRZ_OK)
		return true;
	if (err == FRZ_E_IO)
		j->code = complain(VERIFY_USAGE, "%s: cannot be written: %s", j->o->arg,
				   strerror(errno));
	else if (err == FRZ_E_NOMEM)
		j->code = complain(VERIFY_USAGE, "out of memory");
	else
		j->code = complain(VERIFY_DAMAGED, "%s: a record cannot be told anew: %s",
				   j->o->case_path, frz_strerror(err));
	return false;
}

/* ---- one segment ---- */

/* Damage: passed over and counted when that was asked for. */
static bool damaged(struct job *j, const struct frz_fault *f)
{
	if (!j->o->allow_damaged)
		return fail_at(j, f);
	if (!j->writing)
		j->filter.out.damages++;
	return true;
}

static bool take_records(struct job *j, const struct frz_case_item *it, bool *nomem)
{
	int64_t to_real = (int64_t)(it->segment.first.real_ns - it->segment.first.mono_ns);
	struct frz_record rec;
	struct frz_fault fault;
	const char *why = "";
	enum frz_err err;

	while ((err = frz_decoder_next(j->d, &rec, &why)) == FRZ_OK) {
		bool timed = FRZ_REC_TIMED((unsigned)rec.type), wanted = false;

		if (timed)
			wanted = extract_wants(&j->filter, j->d, &rec, to_real, nomem);
		else if (!j->writing && !extract_knows_record(rec.type))
			j->filter.out.unknown_records++;
		if (!j->writing && !extract_learn(j->rules, j->d, &rec))
			*nomem = true;
		if (j->writing &&
		    !wrote(j, extract_records_take(j->records, &rec, wanted, &j->filter)))
			return false;
	}
	if (err == FRZ_END)
		return true;
	frz_fault_set(&fault, err, it->block.index, it->segment.frame_offset, "segment %ju: %s",
		      (uintmax_t)it->segment.number, why);
	return damaged(j, &fault);
}

static bool take_segment(struct job *j, struct frz_case *c, const struct frz_case_item *it)
{
	struct frz_fault fault;
	bool good, nomem = false;
	uint8_t *raw = NULL;
	enum frz_err err = frz_case_raw(c, &raw, &fault);

	if (err != FRZ_OK)
		return err == FRZ_E_NOMEM ? fail_at(j, &fault) : damaged(j, &fault);
	err = frz_decoder_begin(j->d, raw, &it->segment);
	if (err != FRZ_OK) {
		free(raw);
		frz_fault_set(&fault, err, it->block.index, it->segment.frame_offset,
			      "segment %ju: its planes do not fill it",
			      (uintmax_t)it->segment.number);
		return damaged(j, &fault);
	}
	good = !j->writing || wrote(j, extract_records_begin(j->records, j->d, it));
	good = good && take_records(j, it, &nomem);
	good = good && (!j->writing || wrote(j, extract_records_end(j->records)));
	free(raw);
	if (nomem)
		return fail(j, VERIFY_USAGE, "out of memory");
	return good;
}

/* ---- a pass ---- */

static void keep_end(struct job *j, const struct frz_case_item *it)
{
	const uint8_t *p;
	size_t n;

	if (frz_field_bytes(&it->block, FRZ_K_BOOT_ID, &p, &n))
		snprintf(j->boot_id, sizeof(j->boot_id), "%.*s", (int)n, (const char *)p);
	if (frz_field_bytes(&it->block, FRZ_K_END_REASON, &p, &n))
		snprintf(j->reason, sizeof(j->reason), "%.*s", (int)(n < 500 ? n : 500),
			 (const char *)p);
	if (it->type == FRZ_SEAL)
		j->last = it->at;
}

static bool take_item(struct job *j, struct frz_case *c, const struct frz_case_item *it)
{
	if (!it->type)
		return damaged(j, &it->fault);
	if (it->type == FRZ_SEGMENT)
		return take_segment(j, c, it);
	if (!j->writing) {
		keep_end(j, it);
		if (it->type == FRZ_GENESIS && !extract_learn_genesis(j->rules, &it->block))
			return fail(j, VERIFY_USAGE, "out of memory");
		return true;
	}
	if (it->type == FRZ_GENESIS)
		return wrote(j, extract_put_genesis(&j->w, &it->block, &j->origin, j->rules));
	if ((it->type == FRZ_TICK && extract_in_time(&j->filter, it->at.real_ns)) ||
	    it->type == FRZ_RECOVERY)
		return wrote(j, extract_put_block(&j->w, &it->block));
	return true;
}

static bool pass(struct job *j)
{
	struct frz_case_item it;
	struct frz_fault fault;
	struct frz_case *c;
	bool good = true;
	unsigned flags = j->o->allow_damaged ? FRZ_CASE_ALLOW_DAMAGED : 0;
	enum frz_err err = frz_case_open(j->o->case_path, flags, &c, &fault);

	if (err != FRZ_OK)
		return fail_at(j, &fault);
	while (good && (err = frz_case_next(c, &it, &fault)) == FRZ_OK) {
		/* what was added since the first pass is not in what it counted */
		if (j->writing && it.type && it.block.index >= j->head.blocks)
			break;
		j->same_end |= it.type && it.block.index + 1 == j->head.blocks &&
			       memcmp(it.block.link, j->head.link, FRZ_HASH_LEN) == 0;
		good = take_item(j, c, &it);
	}
	if (good && err == FRZ_E_TRUNCATED)
		good = damaged(j, &fault);
	else if (good && err != FRZ_OK && err != FRZ_END && err != FRZ_E_UNSEALED)
		good = fail_at(j, &fault);
	if (good && !j->writing) {
		frz_case_head(c, &j->head);
		j->end = err;
		if (!j->head.sealed)
			j->last = j->head.last;
	} else if (good && !j->same_end) {
		good = fail(j, VERIFY_USAGE, "was changed while it was read");
	}
	frz_case_close(c);
	return good;
}

/* ---- what GENESIS will say ---- */

struct text {
	char *p;
	size_t n, cap;
};

static void add(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void add(struct text *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(t->p + t->n, t->cap - t->n, fmt, ap);
	va_end(ap);
	if (n > 0)
		t->n += (size_t)n < t->cap - t->n ? (size_t)n : t->cap - t->n - 1;
}

static bool describe_filter(struct job *j)
{
	struct text t = { j->origin.filter, 0, sizeof(j->origin.filter) };
	const struct filters *f = &j->o->filters;
	struct rules_text glob = { .n = 0 };
	char when[40];

	if (f->since_ns != FILTER_NONE) {
		iso_time(f->since_ns, when);
		add(&t, "since: %s\n", when);
	}
	if (f->until_ns != FILTER_NONE) {
		iso_time(f->until_ns, when);
		add(&t, "until: %s\n", when);
	}
	if (f->pid)
		add(&t, "pid: %s\n", f->pid);
	if (f->path) {
		if (rules_apply(j->rules, f->path, strlen(f->path), false, &glob) == RULES_NOMEM)
			return fail(j, VERIFY_USAGE, "out of memory");
		add(&t, "path: %.*s\n", (int)glob.n, (const char *)glob.p);
		free(glob.p);
	}
	if (!t.n)
		add(&t, "everything\n");
	return true;
}

static bool describe_origin(struct job *j)
{
	const struct extract_counts *c = &j->filter.out;
	struct extract_origin *o = &j->origin;
	struct text t = { o->left_out, 0, sizeof(o->left_out) };

	memcpy(o->case_id, j->head.case_id, sizeof(o->case_id));
	memcpy(o->head, j->head.link, FRZ_HASH_LEN);
	o->events = j->head.events;
	o->state = j->filter.out.damages ? "damaged" : j->head.sealed ? "sealed" : "not sealed";
	add(&t, "events: %ju\nnotes: %ju\n", (uintmax_t)c->events, (uintmax_t)c->notes);
	add(&t, "unknown-records: %ju\nunknown-attachments: %ju\n", (uintmax_t)c->unknown_records,
	    (uintmax_t)c->unknown_attachments);
	add(&t, "buffers: %ju\ncustody-entries: %ju\ndamaged-places: %ju\n", (uintmax_t)c->buffers,
	    (uintmax_t)j->head.custodies, (uintmax_t)c->damages);
	return describe_filter(j);
}

/* ---- the whole ---- */

static bool write_extract(struct job *j)
{
	enum frz_err err = extract_file_open(&j->w, j->o->arg);

	if (err == FRZ_E_IO && errno == EEXIST) {
		j->code = complain(VERIFY_USAGE, "%s: exists, and is not overwritten: name another",
				   j->o->arg);
		return false;
	}
	if (!wrote(j, err))
		return false;
	j->records = extract_records_new(&j->w, j->rules);
	if (!j->records)
		return fail(j, VERIFY_USAGE, "out of memory");
	j->writing = true;
	signal(SIGXFSZ, SIG_IGN); /* a file size limit is an error like others */
	if (!pass(j))
		return false;
	return wrote(
		j, extract_put_seal(&j->w, j->boot_id, j->reason, j->rules, j->last, j->head.lost));
}

/* What was written is read as a stranger would read it. */
static bool check_extract(struct job *j)
{
	struct verify_options v = { .path = j->o->arg };
	const char *what = "its events are not those wanted";
	struct verify_result r;
	bool good;

	verify_read(&v, &r);
	if (r.ndamage_kept)
		what = r.damage->fault.what;
	good = r.exit == VERIFY_GOOD && r.events_read == j->filter.events;
	if (!good)
		j->code = complain(VERIFY_DAMAGED, "%s: did not come out whole, and is removed: %s",
				   j->o->arg, what);
	verify_release(&r);
	return good;
}

static void tell(const struct job *j)
{
	char id[33], head[FRZ_HEX_LEN];

	frz_hex(j->head.case_id, 16, id);
	frz_hex(j->w.link, FRZ_HASH_LEN, head);
	printf("%s: an extract of case %s\n  events      %ju of %ju\n  chain head  %s\n", j->o->arg,
	       id, (uintmax_t)j->filter.events, (uintmax_t)j->head.events, head);
}

static int check_options(const struct options *o)
{
	const struct filters *f = &o->filters;
	const char *other = f->syscall		    ? "syscall" :
			    f->failed		    ? "failed" :
			    f->limit != FILTER_NONE ? "limit" :
			    o->output		    ? "output" :
						      NULL;

	if (other)
		return complain(VERIFY_USAGE, "--%s does not apply to --extract", other);
	return o->format_given ? complain(VERIFY_USAGE, "--format does not apply to --extract") : 0;
}

int extract_run(const struct options *o)
{
	struct job j = { .o = o, .w.fd = -1 };
	char err[400];
	bool good = false;
	int code = check_options(o);

	if (code)
		return code;
	if (o->rules && !(j.rules = rules_load(o->rules, err, sizeof(err))))
		return complain(VERIFY_USAGE, "--rules %s", err);
	if (j.rules && !rules_have_key(j.rules) && !o->quiet)
		complain(0,
			 "--rules %s: has no key, so that short rules can be guessed from their "
			 "hash, which is in the extract",
			 o->rules);
	j.d = frz_decoder_new();
	if (!j.d || !extract_filter_init(&j.filter, &o->filters, j.rules != NULL)) {
		fail(&j, VERIFY_USAGE, "out of memory");
	} else if (pass(&j)) {
		extract_counted(&j.filter);
		good = describe_origin(&j) && write_extract(&j);
		if (!extract_file_close(&j.w, good) && good) {
			j.code = complain(VERIFY_USAGE, "%s: cannot be written: %s", o->arg,
					  strerror(errno));
			good = false;
		}
		if (good && !check_extract(&j)) {
			unlink(o->arg);
			good = false;
		}
		if (good)
			tell(&j);
	}
	extract_records_free(j.records);
	extract_filter_release(&j.filter);
	frz_decoder_free(j.d);
	rules_free(j.rules);
	return good ? VERIFY_GOOD : j.code;
}
