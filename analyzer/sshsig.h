/*
 * sshsig.h - signatures over bytes, made and checked by the stock ssh-keygen -Y.
 *
 * It is started with an argument vector, never through a shell; what it reads and writes
 * goes through memory files (memfd_create), so that nothing of it touches a disk. Checking
 * runs in a bare environment. Signing has the caller's, for ssh-agent, FIDO keys and
 * passphrases, and its messages and questions go to the terminal.
 */
#ifndef FANALYZE_SSHSIG_H
#define FANALYZE_SSHSIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frz.h"

struct sshsig_bytes {
	const void *p;
	size_t n;
};

/* key: a private key's file, or a public one's whose private half is in the agent. The armoured
 * signature into sig. False with one line in why. */
bool sshsig_sign(const char *key, const char *name_space, struct sshsig_bytes message, char *sig,
		 size_t cap, size_t *sig_len, char *why, size_t why_cap);

enum sshsig_verdict {
	SSHSIG_GOOD,
	SSHSIG_BAD,
	SSHSIG_NOT_RUN, /* ssh-keygen could not be started, or not be used */
};

#define SSHSIG_KEY_MAX 160
#define SSHSIG_WHY_MAX 300

/* Does the signature fit the message, whoever made it? key gets "ED25519 SHA256:...", why one
 * line unless it is good. */
enum sshsig_verdict sshsig_fits(const char *name_space, struct sshsig_bytes message,
				struct sshsig_bytes sig, char key[SSHSIG_KEY_MAX],
				char why[SSHSIG_WHY_MAX]);

struct sshsig_trust {
	struct sshsig_bytes signers; /* an allowed-signers file */
	const char *revoked;	     /* a file for ssh-keygen -r, or NULL */
};

/* Is it by a key that may sign as `who` at that time (seconds since 1970)? */
enum sshsig_verdict sshsig_verify(const struct sshsig_trust *t, const char *name_space,
				  const char *who, int64_t when, struct sshsig_bytes message,
				  struct sshsig_bytes sig, char why[SSHSIG_WHY_MAX]);

#endif
