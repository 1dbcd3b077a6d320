/*
 * text.c - text of what a target controls or the kernel names: bytes made safe for a
 * terminal, socket addresses, kinds of file, times (contracts in describe.h).
 */
#include "describe.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "bytes.h"
#include "flags.h"
#include "textbuf.h"
#include "utf8.h"

/* ---- escaping ---- */

static void put_hex_byte(struct frz_text *t, uint8_t c)
{
	const char s[4] = { '\\', 'x', "0123456789abcdef"[c >> 4], "0123456789abcdef"[c & 15] };

	frz_text_put(t, s, sizeof(s));
}

static void put_special(struct frz_text *t, uint8_t c)
{
	switch (c) {
	case '\n':
		frz_text_put(t, "\\n", 2);
		break;
	case '\t':
		frz_text_put(t, "\\t", 2);
		break;
	case '\\':
		frz_text_put(t, "\\\\", 2);
		break;
	default:
		put_hex_byte(t, c);
	}
}

size_t frz_escape(const uint8_t *p, size_t n, char *out, size_t cap)
{
	struct frz_text t = frz_text_of(out, cap);
	size_t i = 0;

	while (i < n) {
		size_t run = i, len;
		uint32_t cp = 0;

		while (run < n && p[run] >= 0x20 && p[run] < 0x7f && p[run] != '\\')
			run++;
		frz_text_put(&t, p + i, run - i);
		i = run;
		if (i == n)
			break;
		len = p[i] >= 0x80 ? utf8_char(p + i, n - i, &cp) : 0;
		if (len && !utf8_deceives(cp)) {
			frz_text_put(&t, p + i, len);
			i += len;
		} else {
			put_special(&t, p[i++]);
		}
	}
	return frz_text_end(&t, cap);
}

/* ---- sockets ---- */

const char *frz_socktype_name(unsigned type)
{
	static const char *const names[] = { NULL,   "stream", "dgram", "raw", "rdm",	"seqpacket",
					     "dccp", NULL,     NULL,	NULL,  "packet" };

	return type < sizeof(names) / sizeof(names[0]) ? names[type] : NULL;
}

static void put_escaped(struct frz_text *t, const uint8_t *p, size_t n)
{
	char tmp[4 * 256 + 1];

	frz_text_put(t, tmp, frz_escape(p, n < 256 ? n : 256, tmp, sizeof(tmp)));
}

static void unix_text(struct frz_text *t, const uint8_t *p, size_t n)
{
	size_t len = 0;

	if (n == 0) {
		frz_text_str(t, "unnamed");
	} else if (p[0] == '\0') {
		frz_text_char(t, '@'); /* abstract: every byte counts, NULs too */
		put_escaped(t, p + 1, n - 1);
	} else {
		while (len < n && p[len])
			len++;
		put_escaped(t, p, len);
	}
}

static void inet_text(struct frz_text *t, const uint8_t *p)
{
	char host[INET_ADDRSTRLEN];

	if (inet_ntop(AF_INET, p + 4, host, sizeof(host)))
		frz_text_str(t, host);
	frz_text_char(t, ':');
	frz_text_u64(t, (uint64_t)p[2] << 8 | p[3], 10);
}

static void inet6_text(struct frz_text *t, const uint8_t *p, size_t n)
{
	char host[INET6_ADDRSTRLEN];

	frz_text_char(t, '[');
	if (inet_ntop(AF_INET6, p + 8, host, sizeof(host)))
		frz_text_str(t, host);
	if (n >= 28 && frz_get32(p + 24)) {
		frz_text_char(t, '%');
		frz_text_u64(t, frz_get32(p + 24), 10);
	}
	frz_text_str(t, "]:");
	frz_text_u64(t, (uint64_t)p[2] << 8 | p[3], 10);
}

static void other_text(struct frz_text *t, unsigned family, const uint8_t *p, size_t n)
{
	const char *name = frz_family_name(family);

	if (name) {
		frz_text_str(t, name);
	} else {
		frz_text_str(t, "family ");
		frz_text_u64(t, family, 10);
	}
	if (n)
		frz_text_char(t, ':');
	for (size_t i = 0; i < n && i < 24; i++) {
		frz_text_char(t, "0123456789abcdef"[p[i] >> 4]);
		frz_text_char(t, "0123456789abcdef"[p[i] & 15]);
	}
	if (n > 24)
		frz_text_str(t, "...");
}

#define FAM_UNIX    1
#define FAM_INET    2
#define FAM_INET6   10
#define FAM_NETLINK 16
#define FAM_PACKET  17
#define FAM_VSOCK   40

void frz_sockaddr_text(const uint8_t *p, size_t n, char *out, size_t cap)
{
	struct frz_text t = frz_text_of(out, cap);
	unsigned family = n >= 2 ? frz_get16(p) : 0;

	if (n < 2) {
		frz_text_str(&t, n ? "cut" : "none");
	} else if (family == FAM_UNIX) {
		unix_text(&t, p + 2, n - 2);
	} else if (family == FAM_INET && n >= 8) {
		inet_text(&t, p);
	} else if (family == FAM_INET6 && n >= 24) {
		inet6_text(&t, p, n);
	} else if (family == FAM_NETLINK && n >= 8) {
		frz_text_str(&t, "netlink:");
		frz_text_u64(&t, frz_get32(p + 4), 10);
	} else if (family == FAM_VSOCK && n >= 12) {
		frz_text_str(&t, "vsock:");
		frz_text_u64(&t, frz_get32(p + 8), 10);
		frz_text_char(&t, ':');
		frz_text_u64(&t, frz_get32(p + 4), 10);
	} else if (family == FAM_PACKET && n >= 8) {
		frz_text_str(&t, "packet:if");
		frz_text_u64(&t, frz_get32(p + 4), 10);
		frz_text_char(&t, ':');
		frz_text_hex(&t, (uint64_t)p[2] << 8 | p[3]);
	} else {
		other_text(&t, family, p + 2, n - 2);
	}
	frz_text_end(&t, cap);
}

/* ---- kinds of file ---- */

static bool begins(struct frz_str s, const char *with)
{
	size_t n = strlen(with);

	return s.len >= n && !memcmp(s.p, with, n);
}

/* "anon_inode:[eventpoll]", "anon_inode:inotify": what stands behind the colon. */
static const char *anon_kind(struct frz_str path)
{
	static const char *const kinds[] = {
		"eventpoll",	    "eventfd",	      "signalfd", "timerfd",	 "inotify",
		"fanotify",	    "io_uring",	      "pidfd",	  "userfaultfd", "perf_event",
		"bpf-map",	    "bpf-prog",	      "bpf_link", "btf",	 "fscontext",
		"landlock-ruleset", "seccomp notify", "kvm-vm",	  "kvm-vcpu",	 "secretmem"
	};
	size_t skip = sizeof("anon_inode:") - 1;

	if (path.len > skip && path.p[skip] == '[')
		skip++;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		size_t n = strlen(kinds[i]);

		if (path.len - skip >= n && !memcmp(path.p + skip, kinds[i], n))
			return kinds[i];
	}
	return "anon";
}

const char *frz_file_kind(const struct frz_file *f, struct frz_str path)
{
	static const struct {
		const char *begin, *kind;
	} special[] = {
		{ "pipe:[", "pipe" },	   { "socket:[", "socket" },	{ "/memfd:", "memfd" },
		{ "pidfd:[", "pidfd" },	   { "mnt:[", "namespace" },	{ "net:[", "namespace" },
		{ "user:[", "namespace" }, { "pid:[", "namespace" },	{ "ipc:[", "namespace" },
		{ "uts:[", "namespace" },  { "cgroup:[", "namespace" }, { "time:[", "namespace" },
	};
	/* by S_IFMT >> 12 */
	static const char *const types[16] = {
		[1] = "fifo", [2] = "char",	[4] = "dir",	[6] = "block",
		[8] = "file", [10] = "symlink", [12] = "socket"
	};

	if (path.len && path.p[0] != '/') {
		if (begins(path, "anon_inode:"))
			return anon_kind(path);
		for (size_t i = 0; i < sizeof(special) / sizeof(special[0]); i++)
			if (begins(path, special[i].begin))
				return special[i].kind;
	} else if (begins(path, "/memfd:")) {
		return "memfd";
	}
	if (f && (f->mask & FRZ_F_MODE) && types[f->mode >> 12 & 15])
		return types[f->mode >> 12 & 15];
	return "unknown";
}

/* ---- times ---- */

#define YEAR_1000  (-30610224000)
#define YEAR_10000 253402300800

void frz_time_text(int64_t sec, uint32_t nsec, char out[FRZ_TIME_MAX])
{
	time_t t = (time_t)sec;
	struct tm tm;
	size_t n;

	if (sec < YEAR_1000 || sec >= YEAR_10000) {
		snprintf(out, FRZ_TIME_MAX, "@%" PRId64, sec);
		return;
	}
	gmtime_r(&t, &tm);
	n = strftime(out, FRZ_TIME_MAX, "%Y-%m-%dT%H:%M:%S", &tm);
	if (nsec == FRZ_WHOLE_SECOND)
		snprintf(out + n, FRZ_TIME_MAX - n, "Z");
	else
		snprintf(out + n, FRZ_TIME_MAX - n, ".%09" PRIu32 "Z", nsec);
}
