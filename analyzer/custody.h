/*
 * custody.h - who had a case: its custody entries checked, listed and added to.
 *
 * - An entry is believed when its statement names this case, this place in the chain and the
 *   hash of everything in front of it, when its signature fits the statement, and, where the
 *   verifier says whom to trust, when the key may sign as the one who is named.
 * - The first who signs or releases a case is its first custodian. Only the custodian releases;
 *   only the one named in the open release receives. A release by the same custodian while one
 *   is open takes the place of that one. Anybody may sign; it moves nothing.
 * - A time is what the signer claimed. Keys are judged at the latest time claimed so far: an
 *   entry is not older than those in front of it.
 */
#ifndef FANALYZE_CUSTODY_H
#define FANALYZE_CUSTODY_H

#include "options.h"
#include "sshsig.h"
#include "statement.h"
#include "verify.h"

/* ---- custody_signers.c: whom the verifier trusts ---- */

struct signers {
	const char *path;
	char *text; /* what is left of the file, for ssh-keygen */
	size_t n;
	unsigned wildcards;	/* lines left out: their principals have * ? or ! */
	unsigned wildcard_line; /* the first of them */
	bool expiry;		/* a line limits its key's time */
	const char *revoked;	/* --revoked, or NULL */
};

/* Reads an allowed-signers file, and looks whether revoked (or NULL) can be read. A line on
 * standard error names wildcard principals, which count for nothing. False with one in err. */
bool signers_load(struct signers *s, const char *path, const char *revoked, char *err, size_t cap);
void signers_release(struct signers *s);

/* ---- custody_check.c ---- */

enum custody_state {
	CUSTODY_UNCHECKED, /* ssh-keygen could not be used */
	CUSTODY_FITS,	   /* the signature fits; nobody said whom to trust */
	CUSTODY_TRUSTED,
	CUSTODY_BAD,
};

struct custody_entry {
	struct frz_statement statement;
	bool understood; /* statement is set */
	bool placed;	 /* and names this case and this place in it */
	enum custody_state state;
	bool expired_since; /* good when it was made, the key has expired by now */
	bool earlier;	    /* claims a time before that of an entry in front of it */
	bool future;	    /* claims a time that has not come */
	size_t received_by; /* release: number of the entry that received it; 0 none */
	bool withdrawn;	    /* release: another took its place */
	char key[SSHSIG_KEY_MAX];
	char why[SSHSIG_WHY_MAX]; /* when CUSTODY_BAD or CUSTODY_UNCHECKED */
};

struct custody {
	struct custody_entry *e;
	size_t n;
	size_t first_bad;	/* number of the first that is bad; 0 none */
	size_t first_unchecked; /* likewise */
	const char *custodian;	/* NULL: nobody yet, or it cannot be told */
	size_t since;		/* entry that made them custodian */
	size_t open;		/* number of the release that was not received; 0 none */
	bool nomem;
};

/* signers NULL: nobody says whom to trust. Always fills *c, which custody_release() frees. */
void custody_check(const struct signers *signers, const struct frz_case_head *head,
		   const struct verify_custody_entry *e, size_t n, struct custody *c);
void custody_release(struct custody *c);
/* What follows from it, as a paragraph. */
enum verify_trust custody_verdict(const struct signers *signers, const struct custody *c,
				  const struct verify_custody_entry *e, char *line, size_t cap);
struct verify_result;
/* SHA-256 of the file up to and with entry i (from 0). */
const uint8_t *custody_sha256_behind(const struct verify_result *r, size_t i);
/* For verify_options.custody; arg is a struct signers or NULL. */
enum verify_trust custody_verify(void *arg, const struct frz_case_head *head,
				 const struct verify_custody_entry *e, size_t n, char *line,
				 size_t cap);

/* ---- custody.c: --sign, --release, --receive, --drop-torn-entry ---- */

int custody_sign(const struct options *o);
int custody_release_to(const struct options *o);
int custody_receive(const struct options *o);
int custody_drop_torn(const struct options *o);

/* ---- custody_list.c: --custody, --statement, --signature, --print-receipt ---- */

int custody_list(const struct options *o);
int custody_statement(const struct options *o);
int custody_signature(const struct options *o);
int custody_print_receipt(const struct options *o);

#endif
