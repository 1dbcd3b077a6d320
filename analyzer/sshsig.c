/* sshsig.c - runs ssh-keygen -Y (contract in sshsig.h). */
#include "sshsig.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

/* Where the child finds what it opens by name; its own 0, 1 and 2 are the message and the
 * two outputs. Memory files of ours have higher numbers, so that none is overwritten. */
enum { FD_SIGNATURE = 3, FD_SIGNERS = 4, FD_FIRST_OWN = 10 };
#define PATH_SIGNATURE "/proc/self/fd/3"
#define PATH_SIGNERS   "/proc/self/fd/4"

/* A memory file with these bytes in it, read from its start; -1 with errno. */
static int memory_file(const char *name, struct sshsig_bytes content)
{
	int low = memfd_create(name, MFD_CLOEXEC), fd;
	size_t done = 0;

	if (low < 0)
		return -1;
	fd = fcntl(low, F_DUPFD_CLOEXEC, FD_FIRST_OWN);
	close(low);
	while (fd >= 0 && done < content.n) {
		ssize_t n = write(fd, (const char *)content.p + done, content.n - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			close(fd);
			return -1;
		}
		done += (size_t)n;
	}
	if (fd >= 0)
		lseek(fd, 0, SEEK_SET);
	return fd;
}

/* All that stands in a memory file, at most cap - 1 bytes, with a NUL behind. */
static size_t memory_read(int fd, char *out, size_t cap)
{
	size_t n = 0;
	ssize_t got;

	while (n + 1 < cap && (got = pread(fd, out + n, cap - 1 - n, (off_t)n)) > 0)
		n += (size_t)got;
	out[n] = '\0';
	return n;
}

struct call {
	char *const *argv;
	char *const *env;
	int message, output, errors; /* errors -1: the terminal's */
	int signature, signers;	     /* -1: none */
};

/* The exit status, or -1 with one line in why. */
static int run(const struct call *c, char *why, size_t cap)
{
	posix_spawn_file_actions_t fa;
	posix_spawnattr_t attr;
	sigset_t none, pipe_only;
	int err, status;
	pid_t pid;

	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_adddup2(&fa, c->message, STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&fa, c->output, STDOUT_FILENO);
	if (c->errors >= 0)
		posix_spawn_file_actions_adddup2(&fa, c->errors, STDERR_FILENO);
	if (c->signature >= 0)
		posix_spawn_file_actions_adddup2(&fa, c->signature, FD_SIGNATURE);
	if (c->signers >= 0)
		posix_spawn_file_actions_adddup2(&fa, c->signers, FD_SIGNERS);
	sigemptyset(&none);
	sigemptyset(&pipe_only);
	sigaddset(&pipe_only, SIGPIPE);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &pipe_only);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	err = posix_spawnp(&pid, "ssh-keygen", &fa, &attr, c->argv, c->env);
	posix_spawn_file_actions_destroy(&fa);
	posix_spawnattr_destroy(&attr);
	if (err) {
		snprintf(why, cap, "ssh-keygen cannot be started: %s", strerror(err));
		return -1;
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR) {
			snprintf(why, cap, "ssh-keygen cannot be waited for: %s", strerror(errno));
			return -1;
		}
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	snprintf(why, cap, "ssh-keygen was killed by signal %d", WTERMSIG(status));
	return -1;
}

static bool no_memory_file(char *why, size_t cap)
{
	snprintf(why, cap, "a memory file cannot be made: %s", strerror(errno));
	return false;
}

static void close_all(const int *fd, int n)
{
	while (n--)
		if (fd[n] >= 0)
			close(fd[n]);
}

bool sshsig_sign(const char *key, const char *name_space, struct sshsig_bytes message, char *sig,
		 size_t cap, size_t *sig_len, char *why, size_t why_cap)
{
	/* clang-format off */
	char *const argv[] = { (char[]){ "ssh-keygen" }, (char[]){ "-q" }, (char[]){ "-Y" },
			       (char[]){ "sign" }, (char[]){ "-n" }, (char *)(uintptr_t)name_space,
			       (char[]){ "-f" }, (char *)(uintptr_t)key, NULL };
	/* clang-format on */
	int fd[2] = { memory_file("statement", message),
		      memory_file("signature", (struct sshsig_bytes){ NULL, 0 }) };
	struct call c = { .argv = argv,
			  .env = environ,
			  .message = fd[0],
			  .output = fd[1],
			  .errors = -1,
			  .signature = -1,
			  .signers = -1 };
	bool good = false;
	int rc;

	*sig_len = 0;
	if (fd[0] < 0 || fd[1] < 0) {
		no_memory_file(why, why_cap);
	} else if ((rc = run(&c, why, why_cap)) == 0) {
		*sig_len = memory_read(fd[1], sig, cap);
		good = *sig_len > 0 && *sig_len + 1 < cap;
		if (!good)
			snprintf(why, why_cap, "ssh-keygen gave no signature of a fitting length");
	} else if (rc > 0) {
		/* it has said itself why; a passphrase it could not ask for shows as a wrong one */
		snprintf(why, why_cap,
			 "ssh-keygen -Y sign -f %s failed (exit %d); a key with a passphrase needs "
			 "a terminal, or ssh-agent and the key's .pub here",
			 key, rc);
	}
	close_all(fd, 2);
	return good;
}

/* ---- checking ---- */

/* What ssh-keygen needs to be found, and to tell local times in an allowed-signers file. */
struct bare_env {
	char path[4100], tz[300];
	char *v[5];
};

static void bare_env(struct bare_env *e)
{
	static char locale[] = "LC_ALL=C", home[] = "HOME=/nonexistent";
	const char *path = getenv("PATH"), *tz = getenv("TZ");
	int n = 0;

	snprintf(e->path, sizeof(e->path), "PATH=%s", path ? path : "/usr/bin:/bin");
	e->v[n++] = e->path;
	e->v[n++] = locale;
	e->v[n++] = home;
	if (tz) {
		snprintf(e->tz, sizeof(e->tz), "TZ=%s", tz);
		e->v[n++] = e->tz;
	}
	e->v[n] = NULL;
}

/* Text of ssh-keygen for one of our lines: its first line, printable. */
static void first_line(char *s)
{
	s[strcspn(s, "\r\n")] = '\0';
	for (; *s; s++)
		if (*s < ' ' || *s > '~')
			*s = '?';
}

/* "Good "ns" signature ... with ED25519 key SHA256:..." into "ED25519 SHA256:..." */
static void key_of(const char *said, char key[SSHSIG_KEY_MAX])
{
	const char *kind = strstr(said, " with "), *mark;

	*key = '\0';
	if (!kind)
		return;
	kind += strlen(" with ");
	mark = strstr(kind, " key ");
	if (!mark)
		return;
	snprintf(key, SSHSIG_KEY_MAX, "%.*s %s", (int)(mark - kind), kind, mark + strlen(" key "));
	first_line(key);
}

static bool begins(const char *s, const char *with) { return !strncmp(s, with, strlen(with)); }

/* Did it not come to a verdict at all? Its first words are its own, whatever the case holds. */
static bool unusable(int rc, const char *errors, char why[SSHSIG_WHY_MAX])
{
	if (begins(errors, "No user exists")) {
		snprintf(why, SSHSIG_WHY_MAX, "ssh-keygen does not work here: %.200s", errors);
		first_line(why);
		return true;
	}
	if (begins(errors, "Invalid option") || begins(errors, "Invalid \"verify-time\"") ||
	    (rc == 1 && strstr(errors, "usage:"))) {
		snprintf(why, SSHSIG_WHY_MAX, "this ssh-keygen is too old to check signatures");
		return true;
	}
	return false;
}

/* Runs a check; said and errors get what it printed. */
static enum sshsig_verdict check(char *const *argv, struct sshsig_bytes message,
				 struct sshsig_bytes sig, const struct sshsig_bytes *signers,
				 char said[600], char errors[600], char why[SSHSIG_WHY_MAX])
{
	static const struct sshsig_bytes empty = { NULL, 0 };
	struct bare_env env;
	int fd[5] = { memory_file("statement", message), memory_file("signature", sig),
		      memory_file("output", empty), memory_file("errors", empty),
		      signers ? memory_file("signers", *signers) : -1 };
	struct call c = { .argv = argv,
			  .env = env.v,
			  .message = fd[0],
			  .signature = fd[1],
			  .output = fd[2],
			  .errors = fd[3],
			  .signers = fd[4] };
	enum sshsig_verdict v = SSHSIG_NOT_RUN;
	int rc;

	bare_env(&env);
	*said = *errors = '\0';
	if (fd[0] < 0 || fd[1] < 0 || fd[2] < 0 || fd[3] < 0 || (signers && fd[4] < 0)) {
		no_memory_file(why, SSHSIG_WHY_MAX);
	} else if ((rc = run(&c, why, SSHSIG_WHY_MAX)) >= 0) {
		memory_read(fd[2], said, 600);
		memory_read(fd[3], errors, 600);
		v = rc == 0 && !strncmp(said, "Good ", 5) ? SSHSIG_GOOD :
		    unusable(rc, errors, why)		  ? SSHSIG_NOT_RUN :
							    SSHSIG_BAD;
	}
	close_all(fd, 5);
	return v;
}

enum sshsig_verdict sshsig_fits(const char *name_space, struct sshsig_bytes message,
				struct sshsig_bytes sig, char key[SSHSIG_KEY_MAX],
				char why[SSHSIG_WHY_MAX])
{
	/* clang-format off */
	char *const argv[] = { (char[]){ "ssh-keygen" }, (char[]){ "-Y" },
			       (char[]){ "check-novalidate" }, (char[]){ "-n" },
			       (char *)(uintptr_t)name_space, (char[]){ "-s" },
			       (char[]){ PATH_SIGNATURE }, NULL };
	/* clang-format on */
	char said[600], errors[600];
	enum sshsig_verdict v = check(argv, message, sig, NULL, said, errors, why);

	*key = '\0';
	if (v == SSHSIG_GOOD)
		key_of(said, key);
	if (v != SSHSIG_BAD)
		return v;
	first_line(errors);
	if (strstr(errors, "namespace"))
		snprintf(why, SSHSIG_WHY_MAX,
			 "the signature was made for another purpose (namespace)");
	else
		snprintf(why, SSHSIG_WHY_MAX, "the signature does not fit the statement%s%.200s%s",
			 *errors ? " (" : "", errors, *errors ? ")" : "");
	return v;
}

enum sshsig_verdict sshsig_verify(const struct sshsig_trust *t, const char *name_space,
				  const char *who, int64_t when, struct sshsig_bytes message,
				  struct sshsig_bytes sig, char why[SSHSIG_WHY_MAX])
{
	char at[48] = "", said[600], errors[600];
	time_t sec = (time_t)when;
	struct tm tm;
	/* clang-format off */
	/* -r and its file come last, so that they can be left off */
	char *argv[] = { (char[]){ "ssh-keygen" }, (char[]){ "-Y" }, (char[]){ "verify" },
			 (char[]){ "-n" }, (char *)(uintptr_t)name_space, (char[]){ "-I" },
			 (char *)(uintptr_t)who, (char[]){ "-f" }, (char[]){ PATH_SIGNERS },
			 (char[]){ "-s" }, (char[]){ PATH_SIGNATURE }, (char[]){ "-O" }, at,
			 t->revoked ? (char[]){ "-r" } : NULL, (char *)(uintptr_t)t->revoked,
			 NULL };
	/* clang-format on */
	enum sshsig_verdict v;

	if (!gmtime_r(&sec, &tm) || !strftime(at, sizeof(at), "verify-time=%Y%m%d%H%M%SZ", &tm)) {
		snprintf(why, SSHSIG_WHY_MAX, "a time that cannot be told");
		return SSHSIG_BAD;
	}
	v = check(argv, message, sig, &t->signers, said, errors, why);
	if (v != SSHSIG_BAD)
		return v;
	if (t->revoked) {
		argv[13] = NULL;
		if (check(argv, message, sig, &t->signers, said, errors, why) == SSHSIG_GOOD) {
			snprintf(why, SSHSIG_WHY_MAX, "its key is revoked by %.200s", t->revoked);
			return SSHSIG_BAD;
		}
	}
	if (strstr(errors, "expired"))
		snprintf(why, SSHSIG_WHY_MAX, "its key had expired by then");
	else if (strstr(errors, "not yet valid"))
		snprintf(why, SSHSIG_WHY_MAX, "its key was not valid yet");
	else
		snprintf(why, SSHSIG_WHY_MAX, "its key is not one that may sign as %s", who);
	return SSHSIG_BAD;
}
