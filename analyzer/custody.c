/*
 * custody.c - adds custody entries to a sealed case (contract in custody.h).
 *
 * The case is opened for appending and locked, read strictly from its first byte to its last,
 * and its custody checked; only then is a statement made, signed, and written behind the rest
 * with one write. What stands in the case already is never touched; a write that fails is
 * taken back.
 */
#include "custody.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "block.h"
#include "message.h"
#include "receipt.h"
#include "sha256.h"
#include "verify_private.h"

#define ENTRY_MAX (FRZ_STATEMENT_MAX + FRZ_SIGNATURE_MAX + 256)

struct job {
	const struct options *o;
	int fd;		  /* the case: O_APPEND, locked */
	char fd_path[40]; /* the same file for the reader, whatever its name means now */
	struct verify_result r;
	bool have_result, have_signers;
	struct signers signers;
	struct custody custody;
};

static int job_close(struct job *j, int code)
{
	if (j->fd >= 0 && close(j->fd) && code == VERIFY_GOOD)
		code = complain(VERIFY_USAGE, "%s: cannot be closed: %s", j->o->case_path,
				strerror(errno));
	custody_release(&j->custody);
	if (j->have_result)
		verify_release(&j->r);
	if (j->have_signers)
		signers_release(&j->signers);
	return code;
}

/* Opens, locks and reads the case. 0, or the exit code after a line. */
static int job_open(struct job *j, const struct options *o)
{
	struct verify_options v = { .path = j->fd_path };
	const char *path = o->case_path;

	*j = (struct job){ .o = o };
	j->fd = open(path, O_RDWR | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (j->fd < 0)
		return complain(VERIFY_USAGE, "%s: cannot be opened to be appended to: %s", path,
				strerror(errno));
	if (flock(j->fd, LOCK_EX | LOCK_NB)) {
		if (errno == EWOULDBLOCK)
			return complain(VERIFY_USAGE,
					"%s: in use: another program is recording, recovering or "
					"signing it",
					path);
		return complain(VERIFY_USAGE, "%s: cannot be locked: %s", path, strerror(errno));
	}
	snprintf(j->fd_path, sizeof(j->fd_path), "/proc/self/fd/%d", j->fd);
	verify_read(&v, &j->r);
	j->have_result = true;
	return 0;
}

/* Cut short behind the SEAL, and nothing else wrong: an append that did not come to its end. */
static bool torn(const struct verify_result *r)
{
	return r->end == FRZ_E_TRUNCATED && r->ndamage == 1 && r->head.sealed;
}

/* 0 when it is whole and sealed; or the exit code after a line. */
static int want_sealed(const struct job *j)
{
	const struct verify_result *r = &j->r;
	const char *path = j->o->case_path;

	if (torn(r))
		return complain(VERIFY_DAMAGED,
				"%s: a custody entry was cut short: block %ju at offset %ju, %ju "
				"bytes; --drop-torn-entry cuts them off",
				path, (uintmax_t)r->head.blocks, (uintmax_t)r->head.bytes,
				(uintmax_t)(r->head.file_bytes - r->head.bytes));
	if (r->end == FRZ_E_NOMEM)
		return complain(VERIFY_USAGE, "out of memory");
	if (r->ndamage)
		return complain(r->end == FRZ_E_IO ? VERIFY_USAGE : VERIFY_DAMAGED,
				"%s: block %ju at offset %ju: %s; a damaged case takes no "
				"custody entry",
				path, (uintmax_t)r->damage->fault.block,
				(uintmax_t)r->damage->fault.offset, r->damage->fault.what);
	if (r->end != FRZ_END)
		return complain(VERIFY_UNSEALED,
				"%s: not sealed: end the recording, or finish it with frec "
				"--recover",
				path);
	return 0;
}

/* Whom to trust and what the entries so far come to. 0, or the exit code after a line. */
static int want_custody(struct job *j)
{
	char line[sizeof(j->r.trust_line)], err[400];

	if (j->o->allowed_signers) {
		if (!signers_load(&j->signers, j->o->allowed_signers, j->o->revoked, err,
				  sizeof(err)))
			return complain(VERIFY_USAGE, "--allowed-signers %s", err);
		j->have_signers = true;
	}
	custody_check(j->have_signers ? &j->signers : NULL, &j->r.head, j->r.custody, j->r.ncustody,
		      &j->custody);
	if (j->custody.first_unchecked)
		return complain(VERIFY_UNTRUSTED, "%s",
				j->custody.e[j->custody.first_unchecked - 1].why);
	if (custody_verdict(j->have_signers ? &j->signers : NULL, &j->custody, j->r.custody, line,
			    sizeof(line)) == VERIFY_NOT_TRUSTED)
		return complain(VERIFY_UNTRUSTED, "%s: %s", j->o->case_path, line);
	if (j->custody.n && !j->have_signers && !j->o->quiet)
		complain(0,
			 "who signed the %zu entr%s so far was not checked: --allowed-signers does",
			 j->custody.n, j->custody.n == 1 ? "y" : "ies");
	return 0;
}

/* ---- the statement ---- */

static void fill_statement(const struct job *j, enum frz_custody_kind kind, struct frz_statement *s)
{
	const struct options *o = j->o;
	const struct frz_case_head *h = &j->r.head;

	*s = (struct frz_statement){ .kind = kind,
				     .entry = h->custodies + 1,
				     .block = h->blocks,
				     .prefix_bytes = h->bytes,
				     .claimed_time = (int64_t)time(NULL) };
	memcpy(s->case_id, h->case_id, sizeof(s->case_id));
	memcpy(s->prefix_sha256, h->sha256, FRZ_HASH_LEN);
	memcpy(s->before, h->link, FRZ_HASH_LEN);
	snprintf(s->who, sizeof(s->who), "%s", o->as);
	if (kind == FRZ_CUSTODY_RELEASE)
		snprintf(s->to, sizeof(s->to), "%s", o->to);
	if (kind == FRZ_CUSTODY_RECEIVE) {
		snprintf(s->from, sizeof(s->from), "%s", o->from);
		s->release_entry = j->custody.open;
	}
	for (int i = 0; i < FRZ_REMARKS; i++)
		if (o->remark[i])
			snprintf(s->remark[i], sizeof(s->remark[i]), "%s", o->remark[i]);
}

/* The signature, looked at by ssh-keygen before anything is written. */
static int make_signature(const struct job *j, const struct frz_statement *s,
			  struct sshsig_bytes text, char *sig, size_t cap, size_t *n)
{
	char why[SSHSIG_WHY_MAX] = "", key[SSHSIG_KEY_MAX];
	enum sshsig_verdict v;

	if (!sshsig_sign(j->o->sign_key, FRZ_CUSTODY_NAMESPACE, text, sig, cap, n, why,
			 sizeof(why)))
		return complain(VERIFY_USAGE, "%s: not signed: %s", j->o->case_path, why);
	if (!frz_signature_ok(sig, *n))
		return complain(VERIFY_USAGE,
				"%s: not signed: what ssh-keygen gave is no signature",
				j->o->case_path);
	v = sshsig_fits(FRZ_CUSTODY_NAMESPACE, text, (struct sshsig_bytes){ sig, *n }, key, why);
	if (v == SSHSIG_GOOD && j->have_signers) {
		struct sshsig_trust t = { { j->signers.text, j->signers.n }, j->signers.revoked };

		v = sshsig_verify(&t, FRZ_CUSTODY_NAMESPACE, s->who, s->claimed_time, text,
				  (struct sshsig_bytes){ sig, *n }, why);
		if (v == SSHSIG_BAD)
			return complain(VERIFY_UNTRUSTED,
					"%s: not signed: %s would not trust it: %s",
					j->o->case_path, j->signers.path, why);
	}
	if (v != SSHSIG_GOOD)
		return complain(VERIFY_USAGE, "%s: not signed: %s", j->o->case_path, why);
	return 0;
}

/* ---- the append ---- */

/* What was not there before goes away again. */
static int take_back(const struct job *j, const char *what)
{
	int saved = errno;
	const char *path = j->o->case_path;

	if (ftruncate(j->fd, (off_t)j->r.head.bytes) || fdatasync(j->fd))
		return complain(VERIFY_USAGE,
				"%s: %s: %s; and what was written cannot be taken back (%s): "
				"--drop-torn-entry",
				path, what, strerror(saved), strerror(errno));
	return complain(VERIFY_USAGE, "%s: %s: %s; the case is as it was", path, what,
			strerror(saved));
}

static int append(const struct job *j, const struct frz_buf *b)
{
	uint8_t back[ENTRY_MAX];
	struct stat st;
	ssize_t n;

	if (fstat(j->fd, &st))
		return complain(VERIFY_USAGE, "%s: %s", j->o->case_path, strerror(errno));
	if ((uint64_t)st.st_size != j->r.head.bytes)
		return complain(VERIFY_USAGE,
				"%s: was changed by another program meanwhile; nothing was written",
				j->o->case_path);
	signal(SIGXFSZ, SIG_IGN); /* a file size limit is an error like others */
	n = write(j->fd, b->p, b->len);
	if (n != (ssize_t)b->len) {
		if (n >= 0)
			errno = ENOSPC;
		if (n > 0 || errno != EPERM)
			return take_back(j, "the entry cannot be written");
		return complain(VERIFY_USAGE, "%s: the entry cannot be written: %s",
				j->o->case_path, strerror(errno));
	}
	if (fdatasync(j->fd))
		return take_back(j, "the entry cannot be made durable");
	if (pread(j->fd, back, b->len, (off_t)j->r.head.bytes) != (ssize_t)b->len ||
	    memcmp(back, b->p, b->len) != 0)
		return complain(VERIFY_DAMAGED,
				"%s: what was appended cannot be read back: another program wrote "
				"to it, or its medium fails",
				j->o->case_path);
	return 0;
}

static void tell(const struct job *j, const struct frz_statement *s)
{
	if (j->o->quiet)
		return;
	if (s->kind == FRZ_CUSTODY_RELEASE)
		complain(0,
			 "%s: entry %ju: released by %s to %s; keep the receipt, and give %s a "
			 "copy on another way than the case",
			 j->o->case_path, (uintmax_t)s->entry, s->who, s->to, s->to);
	else if (s->kind == FRZ_CUSTODY_RECEIVE)
		complain(0,
			 "%s: entry %ju: received by %s from %s; keep the receipt, and give %s a "
			 "copy",
			 j->o->case_path, (uintmax_t)s->entry, s->who, s->from, s->from);
	else
		complain(0, "%s: entry %ju: signed by %s; keep the receipt", j->o->case_path,
			 (uintmax_t)s->entry, s->who);
}

/* Statement, signature, block, file, receipt. */
static int add_entry(struct job *j, enum frz_custody_kind kind, struct output *out)
{
	char text[FRZ_STATEMENT_MAX + 1], sig[FRZ_SIGNATURE_MAX + 2], receipt[FRZ_RECEIPT_MAX + 1];
	uint8_t mem[ENTRY_MAX];
	struct frz_buf b = { .p = mem, .cap = sizeof(mem) };
	struct frz_receipt rc = { .statement_text = text, .signature = sig };
	struct frz_statement s;
	size_t n;
	int code;

	fill_statement(j, kind, &s);
	rc.statement_len = frz_statement_format(&s, text, sizeof(text));
	if (!rc.statement_len)
		return complain(VERIFY_USAGE, "the statement cannot be made of these values");
	code = make_signature(j, &s, (struct sshsig_bytes){ text, rc.statement_len }, sig,
			      sizeof(sig), &rc.signature_len);
	if (code)
		return code;
	if (frz_custody_block(&b, s.block, s.prefix_bytes, s.before, text, sig, rc.signature_len,
			      rc.head) != FRZ_OK)
		return complain(VERIFY_USAGE, "the entry is too long");
	code = append(j, &b);
	if (code)
		return code;
	rc.case_bytes = s.prefix_bytes + b.len;
	frz_sha256_add(&j->r.sha, b.p, b.len);
	frz_sha256_peek(&j->r.sha, rc.case_sha256);
	tell(j, &s);
	n = frz_receipt_format(&rc, receipt, sizeof(receipt));
	if (n && fwrite(receipt, 1, n, out->f) == n && fflush(out->f) == 0)
		return 0;
	return complain(VERIFY_USAGE,
			"%s: the entry is in the case, but its receipt cannot be written here: %s; "
			"--print-receipt %ju has it",
			out->name, strerror(errno), (uintmax_t)s.entry);
}

static int run(const struct options *o, enum frz_custody_kind kind, int (*allowed)(struct job *j))
{
	struct output out;
	struct job j;
	int code = job_open(&j, o);

	if (!code)
		code = want_sealed(&j);
	if (!code)
		code = want_custody(&j);
	if (!code && allowed)
		code = allowed(&j);
	if (!code && !output_open(&out, o->output, OUTPUT_TEXT))
		code = VERIFY_USAGE;
	else if (!code) {
		code = add_entry(&j, kind, &out);
		if (code)
			output_abandon(&out);
		else if (!output_close(&out))
			code = VERIFY_USAGE;
	}
	return job_close(&j, code);
}

/* ---- who may do what ---- */

/* --as, --to, --from and the remarks: each something that a statement can hold. */
static int check_words(const struct options *o, enum frz_custody_kind kind)
{
	static const char *const person[] = { "as", "to", "from" };
	const char *const name[] = { o->as, kind == FRZ_CUSTODY_RELEASE ? o->to : NULL,
				     kind == FRZ_CUSTODY_RECEIVE ? o->from : NULL };
	const char *what = kind == FRZ_CUSTODY_SIGN    ? "sign" :
			   kind == FRZ_CUSTODY_RELEASE ? "release" :
							 "receive";

	if (!o->sign_key)
		return complain(VERIFY_USAGE, "--%s needs --sign KEY: who does it signs for it",
				what);
	if (!o->as)
		return complain(VERIFY_USAGE,
				"--%s needs --as NAME: the name that allowed signers have for "
				"the key",
				what);
	if (kind == FRZ_CUSTODY_RELEASE &&
	    (!o->to || !o->remark[FRZ_REMARK_PURPOSE] || !*o->remark[FRZ_REMARK_PURPOSE]))
		return complain(VERIFY_USAGE, "--release needs --to NAME and --purpose TEXT");
	if (kind == FRZ_CUSTODY_RECEIVE && (!o->from || !o->receipt))
		return complain(VERIFY_USAGE, "--receive needs --from NAME and --receipt FILE");
	for (int i = 0; i < 3; i++)
		if (name[i] && !frz_person_ok(name[i]))
			return complain(VERIFY_USAGE,
					"--%s %s: not a name for a signer: printable ASCII without "
					"space and * ? ! , \" #",
					person[i], name[i]);
	for (int i = 0; i < FRZ_REMARKS; i++)
		if (o->remark[i] && !frz_remark_ok(o->remark[i]))
			return complain(VERIFY_USAGE,
					"--%s: not one line of at most %d bytes of text",
					frz_remark_name((enum frz_remark)i), FRZ_REMARK_MAX);
	return 0;
}

static int may_release(struct job *j)
{
	const struct custody *c = &j->custody;

	if (!strcmp(j->o->as, j->o->to))
		return complain(VERIFY_USAGE, "--to %s: is the one who releases it", j->o->to);
	if (c->custodian && strcmp(c->custodian, j->o->as) != 0)
		return complain(VERIFY_USAGE,
				"%s: is in the custody of %s: only they can release it",
				j->o->case_path, c->custodian);
	if (c->open && !j->o->quiet)
		complain(0,
			 "%s: the release to %s, entry %zu, was not received: this one takes its "
			 "place",
			 j->o->case_path, c->e[c->open - 1].statement.to, c->open);
	return 0;
}

static int may_receive(struct job *j)
{
	const struct custody *c = &j->custody;
	const struct options *o = j->o;
	const struct frz_statement *open = c->open ? &c->e[c->open - 1].statement : NULL;
	struct frz_receipt r;
	const uint8_t *behind;
	const char *why = "";
	char err[400], *text;
	size_t n;
	int code = 0;

	if (!open)
		return complain(VERIFY_USAGE, "%s: nobody released it, or it was received already",
				o->case_path);
	if (strcmp(open->to, o->as) != 0)
		return complain(VERIFY_USAGE, "%s: was released to %s: only they can receive it",
				o->case_path, open->to);
	if (strcmp(open->who, o->from) != 0)
		return complain(VERIFY_USAGE, "%s: was released by %s, not by %s", o->case_path,
				open->who, o->from);
	behind = custody_sha256_behind(&j->r, c->open - 1);
	text = anchors_slurp(o->receipt, FRZ_RECEIPT_MAX, &n, err, sizeof(err));
	if (!text)
		return complain(VERIFY_USAGE, "--receipt %s", err);
	if (frz_receipt_parse(text, n, &r, &why) != FRZ_OK)
		code = complain(VERIFY_USAGE, "--receipt %s: %s", o->receipt, why);
	else if (memcmp(r.head, j->r.custody[c->open - 1].link, FRZ_HASH_LEN) != 0 ||
		 memcmp(r.case_sha256, behind, FRZ_HASH_LEN) != 0)
		code = complain(VERIFY_DAMAGED,
				"--receipt %s: is not the receipt of this case's release, entry "
				"%zu: the case is not what was released",
				o->receipt, c->open);
	free(text);
	return code;
}

int custody_sign(const struct options *o)
{
	int code = check_words(o, FRZ_CUSTODY_SIGN);

	return code ? code : run(o, FRZ_CUSTODY_SIGN, NULL);
}

int custody_release_to(const struct options *o)
{
	int code = check_words(o, FRZ_CUSTODY_RELEASE);

	return code ? code : run(o, FRZ_CUSTODY_RELEASE, may_release);
}

int custody_receive(const struct options *o)
{
	int code = check_words(o, FRZ_CUSTODY_RECEIVE);

	return code ? code : run(o, FRZ_CUSTODY_RECEIVE, may_receive);
}

/* ---- repair ---- */

/* What is left of an entry begins like the block that would come next. */
static bool begins_like_an_entry(const struct job *j, uint8_t *p, size_t n)
{
	uint8_t head[FRZ_HEAD_LEN], mem[FRZ_HEAD_LEN];
	struct frz_buf b = { .p = mem, .cap = sizeof(mem) };
	struct frz_block_builder w;
	size_t known = n < FRZ_HEAD_LEN ? n : FRZ_HEAD_LEN;

	frz_block_begin(&w, &b, FRZ_CUSTODY, j->r.head.blocks, j->r.head.bytes, j->r.head.link);
	memcpy(head, mem, sizeof(head));
	for (size_t i = 0; i < known; i++)
		/* its size and number of fields are not known beforehand */
		if (p[i] != head[i] && !(i >= 4 && i < 8) && !(i >= 64 && i < 68))
			return false;
	return n < ENTRY_MAX;
}

static int drop(struct job *j)
{
	uint64_t left = j->r.head.file_bytes - j->r.head.bytes;
	uint8_t p[ENTRY_MAX], sha[FRZ_HASH_LEN];
	const char *path = j->o->case_path;
	char hex[FRZ_HEX_LEN];

	if (!torn(&j->r))
		return complain(VERIFY_USAGE, "%s: no custody entry is cut short", path);
	if (left > sizeof(p) ||
	    pread(j->fd, p, (size_t)left, (off_t)j->r.head.bytes) != (ssize_t)left ||
	    !begins_like_an_entry(j, p, (size_t)left))
		return complain(VERIFY_DAMAGED,
				"%s: the %ju bytes at offset %ju are not the beginning of a "
				"custody entry, and stay",
				path, (uintmax_t)left, (uintmax_t)j->r.head.bytes);
	frz_sha256_of(p, (size_t)left, sha);
	frz_hex(sha, FRZ_HASH_LEN, hex);
	if (ftruncate(j->fd, (off_t)j->r.head.bytes) || fdatasync(j->fd))
		return complain(VERIFY_USAGE, "%s: cannot be cut: %s", path, strerror(errno));
	complain(0,
		 "%s: cut off %ju bytes of an unfinished entry at offset %ju, SHA-256 %s; whole "
		 "and sealed",
		 path, (uintmax_t)left, (uintmax_t)j->r.head.bytes, hex);
	return 0;
}

int custody_drop_torn(const struct options *o)
{
	struct job j;
	int code = job_open(&j, o);

	return job_close(&j, code ? code : drop(&j));
}
