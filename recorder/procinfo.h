/*
 * procinfo.h - what /proc says of a process: read whole, checked, never blocking on the target.
 * Linux /proc per proc(5); files that are missing or not permitted leave their member empty.
 */
#ifndef FREC_PROCINFO_H
#define FREC_PROCINFO_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "bytes.h"

/* /proc/TID/stat: false when the process is gone. */
struct proc_stat {
	pid_t pid, ppid, pgrp, session;
	char comm[64];
	char state;
	int tty_nr;
	uint64_t start_ticks;
	uint64_t flags;
};
bool proc_stat(pid_t tid, struct proc_stat *out);
/* Tgid, TracerPid, effective uid and so on of /proc/TID/status. */
struct proc_status {
	pid_t tgid, tracer;
	uid_t uid, euid;
	gid_t gid;
	bool kthread;
};
bool proc_status(pid_t tid, struct proc_status *out);
/* Reads /proc/TID/NAME (any name below it, e.g. "task/12/io"); returns the length, at most
 * cap, or -1 with errno. Not NUL-terminated when it fills cap. */
ssize_t proc_read(pid_t tid, const char *name, void *buf, size_t cap);
/* readlink of /proc/TID/NAME; NUL-terminated; -1 with errno. */
ssize_t proc_link(pid_t tid, const char *name, char *buf, size_t cap);
/* rchar and wchar of one thread. */
bool proc_io(pid_t pid, pid_t tid, uint64_t *rchar, uint64_t *wchar);
/* Text of /proc/TID/status, NUL-terminated within cap; length or -1. */
ssize_t proc_status_text(pid_t tid, char *buf, size_t cap);
/* The value of a line "key:\tvalue" of such a text, without white space around it, not
 * NUL-terminated; NULL when it has none. */
const char *proc_status_line(const char *status, const char *key, size_t *len);
/* Name of a uid/gid on this host, from files only (/etc/passwd, /etc/group; no NSS, no
 * network); cached; NULL when it has none. Valid until the next call. Tracer thread only. */
const char *user_name(uid_t uid);
const char *group_name(gid_t gid);
/* Wall-clock start in ns from start_ticks and boot time. */
uint64_t proc_start_real_ns(uint64_t start_ticks);

/* Appends the key/len/value triples of a CONTEXT record (common/record.h) for pid to body:
 * everything enum frz_ctx_key lists that can be had; cmdline and cgroup are cut at 64 KiB.
 * env: include FRZ_CTX_ENV, with the values of variables whose name matches one of the
 * `redact` fnmatch(3) patterns (NULL-terminated list or NULL) replaced by "[redacted]"; the
 * environment is cut at 256 KiB. Never sets body->full for lack of room beyond 128 bytes: what
 * does not fit is cut, and FRZ_CTX_CUT names each key that was cut. */
void procinfo_context(pid_t pid, bool env, char *const *redact, struct frz_buf *body);
/* The start-up line that frec prints: `pid 812 nginx, user www-data, cwd /, started 2024-...:
 * nginx: worker process`; control bytes escaped. Always NUL-terminated. */
void procinfo_banner(pid_t pid, char *out, size_t cap);
/* Calls fn for each file mapped in /proc/PID/maps (once a mapping). */
struct proc_mapping {
	uint64_t start, len, offset;
	unsigned prot, flags;
	unsigned dev_major, dev_minor;
	uint64_t ino;
	const char *path;
};
void proc_mappings(pid_t pid, void (*fn)(void *arg, const struct proc_mapping *m), void *arg);

#endif
