/*
 * context.c - the CONTEXT record and the start-up line of a process, from /proc.
 *
 * - What cannot be read is left out: a reader sees a missing key, never a made-up value.
 * - A value that is cut is named in FRZ_CTX_CUT.
 * - The environment comes last, since it is the largest.
 */
#include "procinfo.h"

#include <fnmatch.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "describe.h"
#include "shown.h"

#define TEXT_MAX    (64u << 10) /* cmdline, cgroup, groups */
#define ENV_MAX	    (256u << 10)
#define STATUS_MAX  (1u << 20) /* 65,536 supplementary groups are the longest part */
#define ROOM_KEPT   96	       /* of the body, for the CUT triple at the end */
#define TRIPLE_HEAD (2 + 5)    /* key and length, at most */

struct context {
	struct frz_buf *body;
	char cut[64]; /* keys whose value was cut */
};

static void add(struct context *c, enum frz_ctx_key key, const void *value, size_t len, bool cut)
{
	size_t room = c->body->cap - c->body->len;

	if (room < ROOM_KEPT + TRIPLE_HEAD) {
		len = 0;
		cut = true;
	} else if (len > room - ROOM_KEPT - TRIPLE_HEAD) {
		len = room - ROOM_KEPT - TRIPLE_HEAD;
		cut = true;
	}
	if (len) {
		frz_buf_varint(c->body, key);
		frz_buf_varint(c->body, len);
		frz_buf_bytes(c->body, value, len);
	}
	if (cut) {
		size_t at = strlen(c->cut);

		snprintf(c->cut + at, sizeof(c->cut) - at, "%s%d", at ? " " : "", key);
	}
}

static void add_text(struct context *c, enum frz_ctx_key key, const char *text)
{
	if (*text)
		add(c, key, text, strlen(text), false);
}

static void add_link(struct context *c, pid_t pid, enum frz_ctx_key key, const char *name)
{
	char path[4200];
	ssize_t n = proc_link(pid, name, path, sizeof(path));

	if (n > 0)
		add(c, key, path, (size_t)n, (size_t)n == sizeof(path) - 1);
}

/* Reads at most max bytes into memory that the caller frees; *cut tells that there was more. */
static char *read_some(pid_t pid, const char *name, size_t max, size_t *len, bool *cut)
{
	char *buf = NULL;

	for (size_t cap = 4096;; cap = 4 * cap < max ? 4 * cap : max) {
		char *grown = realloc(buf, cap + 1);
		ssize_t n;

		if (!grown)
			break;
		buf = grown;
		n = proc_read(pid, name, buf, cap + 1);
		if (n < 0)
			break;
		if ((size_t)n <= cap || cap >= max) {
			*cut = (size_t)n > cap;
			*len = *cut ? cap : (size_t)n;
			buf[*len] = '\0';
			return buf;
		}
	}
	free(buf);
	return NULL;
}

static void add_file(struct context *c, pid_t pid, enum frz_ctx_key key, const char *name,
		     size_t max, bool trim)
{
	size_t len;
	bool cut;
	char *text = read_some(pid, name, max, &len, &cut);

	if (!text)
		return;
	while (trim && len && (text[len - 1] == '\n' || text[len - 1] == '\0'))
		len--;
	if (len || cut)
		add(c, key, text, len, cut);
	free(text);
}

/* ---- from /proc/PID/status ----------------------------------------------------------------- */

static void add_status_line(struct context *c, const char *status, enum frz_ctx_key key,
			    const char *name)
{
	size_t len;
	const char *v = proc_status_line(status, name, &len);
	char *text;

	if (!v)
		return;
	text = malloc(len + 1);
	if (!text)
		return;
	memcpy(text, v, len);
	for (size_t i = 0; i < len; i++)
		if (text[i] == '\t')
			text[i] = ' ';
	if (len)
		add(c, key, text, len < TEXT_MAX ? len : TEXT_MAX, len > TEXT_MAX);
	free(text);
}

static void add_caps(struct context *c, const char *status)
{
	static const char *const names[] = { "CapEff", "CapPrm", "CapInh", "CapBnd", "CapAmb" };
	char text[5 * 32] = "";
	size_t at = 0;

	for (size_t i = 0; i < 5; i++) {
		size_t len;
		const char *v = proc_status_line(status, names[i], &len);

		if (!v || len > 24)
			return;
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%.*s", i ? " " : "",
				       (int)len, v);
	}
	add_text(c, FRZ_CTX_CAPS, text);
}

static void add_from_status(struct context *c, pid_t pid)
{
	size_t len;
	bool cut;
	char *status = read_some(pid, "status", STATUS_MAX, &len, &cut);
	const char *v;

	if (!status)
		return;
	add_status_line(c, status, FRZ_CTX_UIDS, "Uid");
	add_status_line(c, status, FRZ_CTX_GIDS, "Gid");
	add_status_line(c, status, FRZ_CTX_GROUPS, "Groups");
	add_caps(c, status);
	add_status_line(c, status, FRZ_CTX_SECCOMP, "Seccomp");
	v = proc_status_line(status, "Uid", &len);
	if (v) {
		const char *name = user_name((uid_t)strtoul(v, NULL, 10));

		if (name)
			add_text(c, FRZ_CTX_USER, name);
	}
	free(status);
}

/* ---- from /proc/PID/stat ------------------------------------------------------------------- */

/* Controlling terminal: major in bits 8..19, minor in the rest (proc_pid_stat(5)). */
static void tty_text(int tty_nr, char *out, size_t cap)
{
	unsigned n = (unsigned)tty_nr, major = n >> 8 & 0xfff,
		 minor = (n & 0xff) | (n >> 12 & 0xfff00);

	if (!n)
		snprintf(out, cap, "none");
	else if (major >= 136 && major <= 143)
		snprintf(out, cap, "pts/%u", (major - 136) * 256 + minor);
	else if (major == 4 && minor < 64)
		snprintf(out, cap, "tty%u", minor);
	else if (major == 4)
		snprintf(out, cap, "ttyS%u", minor - 64);
	else
		snprintf(out, cap, "%u:%u", major, minor);
}

static void add_from_stat(struct context *c, pid_t pid)
{
	struct proc_stat st;
	char text[32];

	if (!proc_stat(pid, &st))
		return;
	snprintf(text, sizeof(text), "%d", (int)st.session);
	add_text(c, FRZ_CTX_SESSION, text);
	tty_text(st.tty_nr, text, sizeof(text));
	add_text(c, FRZ_CTX_TTY, text);
	snprintf(text, sizeof(text), "%" PRIu64, proc_start_real_ns(st.start_ticks));
	add_text(c, FRZ_CTX_STARTED, text);
}

/* ---- the rest ------------------------------------------------------------------------------ */

static void add_namespaces(struct context *c, pid_t pid)
{
	static const char *const names[] = { "cgroup", "ipc",  "mnt",  "net",
					     "pid",    "time", "user", "uts" };
	char text[512];
	size_t at = 0;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char file[32], link[64];

		snprintf(file, sizeof(file), "ns/%s", names[i]);
		if (proc_link(pid, file, link, sizeof(link)) > 0)
			at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%s", at ? " " : "",
					       link);
	}
	if (at)
		add(c, FRZ_CTX_NS, text, at, false);
}

static void add_loginuid(struct context *c, pid_t pid)
{
	char text[32];
	ssize_t n = proc_read(pid, "loginuid", text, sizeof(text) - 1);

	if (n <= 0)
		return;
	text[n] = '\0';
	text[strcspn(text, "\n")] = '\0';
	add_text(c, FRZ_CTX_LOGINUID, strcmp(text, "4294967295") ? text : "unset");
}

static bool matches(const char *name, char *const *patterns)
{
	for (; patterns && *patterns; patterns++)
		if (!fnmatch(*patterns, name, 0))
			return true;
	return false;
}

/* NAME=VALUE NUL ... with the values of matching names replaced; what has no '=' stays. */
static void add_env(struct context *c, pid_t pid, char *const *redact)
{
	static const char hidden[] = "[redacted]";
	size_t len, out_len = 0, at = 0;
	bool cut;
	char *env = read_some(pid, "environ", ENV_MAX, &len, &cut), *out;

	if (!env)
		return;
	/* an entry is "=" and NUL at least, and may grow by the length of the mark */
	out = malloc(len + (len / 2 + 1) * sizeof(hidden));
	while (out && at < len) {
		size_t n = strnlen(env + at, len - at);
		char *eq = memchr(env + at, '=', n);
		size_t end = at + n < len ? at + n + 1 : len;

		if (eq) {
			size_t name = (size_t)(eq - (env + at));

			*eq = '\0';
			memcpy(out + out_len, env + at, name);
			out_len += name;
			out[out_len++] = '=';
			if (matches(env + at, redact)) {
				memcpy(out + out_len, hidden, sizeof(hidden) - 1);
				out_len += sizeof(hidden) - 1;
				at += n;
			} else {
				at += name + 1;
			}
		}
		memcpy(out + out_len, env + at, end - at);
		out_len += end - at;
		at = end;
	}
	if (out && out_len)
		add(c, FRZ_CTX_ENV, out, out_len, cut);
	free(out);
	free(env);
}

void procinfo_context(pid_t pid, bool env, char *const *redact, struct frz_buf *body)
{
	struct context c = { .body = body };

	add_link(&c, pid, FRZ_CTX_EXE, "exe");
	add_link(&c, pid, FRZ_CTX_CWD, "cwd");
	add_link(&c, pid, FRZ_CTX_ROOT, "root");
	add_from_stat(&c, pid);
	add_loginuid(&c, pid);
	add_namespaces(&c, pid);
	add_file(&c, pid, FRZ_CTX_LABEL, "attr/current", 4096, true);
	add_from_status(&c, pid);
	add_file(&c, pid, FRZ_CTX_CMDLINE, "cmdline", TEXT_MAX, false);
	add_file(&c, pid, FRZ_CTX_CGROUP, "cgroup", TEXT_MAX, true);
	if (env)
		add_env(&c, pid, redact);
	if (*c.cut) {
		frz_buf_varint(body, FRZ_CTX_CUT);
		frz_buf_varint(body, strlen(c.cut));
		frz_buf_bytes(body, c.cut, strlen(c.cut));
	}
}

/* ---- the start-up line --------------------------------------------------------------------- */

static void user_text(const struct proc_status *s, char *out, size_t cap)
{
	char real[80], effective[80] = "";
	const char *name = user_name(s->uid);

	if (name)
		snprintf(real, sizeof(real), "user %s", name);
	else
		snprintf(real, sizeof(real), "uid %u", s->uid);
	if (s->euid != s->uid) {
		name = user_name(s->euid);
		if (name)
			snprintf(effective, sizeof(effective), " (effective %s)", name);
		else
			snprintf(effective, sizeof(effective), " (effective uid %u)", s->euid);
	}
	snprintf(out, cap, "%s%s", real, effective);
}

static void cmdline_text(pid_t pid, char *out, size_t cap)
{
	char raw[2048];
	ssize_t n = proc_read(pid, "cmdline", raw, sizeof(raw));

	*out = '\0';
	while (n > 0 && (raw[n - 1] == '\0' || raw[n - 1] == ' '))
		n--;
	for (ssize_t i = 0; i < n; i++)
		if (!raw[i])
			raw[i] = ' ';
	if (n > 0)
		shown_n(raw, (size_t)n, out, cap);
}

void procinfo_banner(pid_t pid, char *out, size_t cap)
{
	char user[200], cwd[4200], where[512] = "", when[FRZ_TIME_MAX], args[1024];
	struct proc_status status;
	struct proc_stat st;

	if (!proc_stat(pid, &st) || !proc_status(pid, &status)) {
		snprintf(out, cap, "pid %d, gone", (int)pid);
		return;
	}
	user_text(&status, user, sizeof(user));
	if (proc_link(pid, "cwd", cwd, sizeof(cwd)) > 0) {
		memcpy(where, ", cwd ", 6);
		shown(cwd, where + 6, sizeof(where) - 6);
	}
	frz_time_text((int64_t)(proc_start_real_ns(st.start_ticks) / 1000000000u), FRZ_WHOLE_SECOND,
		      when);
	cmdline_text(pid, args, sizeof(args));
	snprintf(out, cap, "pid %d %s, %s%s, started %s%s%s", (int)pid, SHOWN(st.comm), user, where,
		 when, *args ? ": " : "", args);
}
