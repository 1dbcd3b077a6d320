/*
 * genesis.c - collects the host's facts: names, ids, clock, privileges, frec's own binary.
 */
#include "genesis.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/timex.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "sha256.h"

#ifndef FREC_VERSION
#define FREC_VERSION "unknown"
#endif

/* Reads a small file whole, NUL-terminated and without its last newline; -1 with errno. */
static int slurp(const char *path, char *buf, size_t cap)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t n = -1;

	if (fd < 0)
		return -1;
	while (len + 1 < cap && (n = read(fd, buf + len, cap - 1 - len)) > 0)
		len += (size_t)n;
	close(fd);
	if (n < 0)
		return -1;
	if (len && buf[len - 1] == '\n')
		len--;
	buf[len] = '\0';
	return 0;
}

bool genesis_boot_id(char out[40])
{
	return slurp("/proc/sys/kernel/random/boot_id", out, 40) == 0;
}

bool genesis_random_id(uint8_t id[16]) { return getrandom(id, 16, 0) == 16; }

bool genesis_parse_id(const char *hex, uint8_t id[16])
{
	static const char digits[] = "0123456789abcdef";

	if (strlen(hex) != 32)
		return false;
	for (int i = 0; i < 32; i++) {
		const char *d = memchr(digits, hex[i], 16);

		if (!d)
			return false;
		id[i / 2] = (uint8_t)((i % 2 ? id[i / 2] << 4 : 0) | (d - digits));
	}
	return true;
}

static bool hash_self(uint8_t out[FRZ_HASH_LEN])
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct frz_sha256 h;
	uint8_t buf[16384];
	ssize_t n;

	if (fd < 0)
		return false;
	frz_sha256_init(&h);
	while ((n = read(fd, buf, sizeof buf)) > 0)
		frz_sha256_add(&h, buf, (size_t)n);
	close(fd);
	frz_sha256_peek(&h, out);
	return n == 0;
}

static bool effective_caps(uint64_t *caps)
{
	char buf[8192], *p;

	if (slurp("/proc/self/status", buf, sizeof buf))
		return false;
	p = strstr(buf, "\nCapEff:");
	if (!p)
		return false;
	*caps = strtoull(p + 8, NULL, 16);
	return true;
}

static void timezone_text(char *out, size_t cap)
{
	time_t now = time(NULL);
	struct tm tm = { 0 };
	long off;

	localtime_r(&now, &tm);
	off = tm.tm_gmtoff / 60;
	snprintf(out, cap, "UTC%c%02ld%02ld", off < 0 ? '-' : '+', labs(off) / 60, labs(off) % 60);
}

static void clock_text(char *out, size_t cap)
{
	static const char *const state[] = { "ok",
					     "insert leap second",
					     "delete leap second",
					     "leap second in progress",
					     "leap second occurred",
					     "not synchronized" };
	struct timex t = { .modes = 0 };
	int s = adjtimex(&t);

	if (s < 0) {
		snprintf(out, cap, "adjtimex: %s", strerror(errno));
		return;
	}
	snprintf(out, cap,
		 "%s; status 0x%x%s; offset %ld %s; frequency %ld/65536 ppm; "
		 "maximum error %ld us; estimated error %ld us",
		 s < 6 ? state[s] : "unknown", (unsigned)t.status,
		 t.status & STA_UNSYNC ? " (unsynchronized)" : "", t.offset,
		 t.status & STA_NANO ? "ns" : "us", t.freq, t.maxerror, t.esterror);
}

bool genesis_collect(struct genesis_host *h, char *err, size_t err_cap)
{
	struct utsname u;
	const char *what;

	memset(h, 0, sizeof *h);
	what = "uname";
	if (uname(&u))
		goto fail;
	snprintf(h->hostname, sizeof h->hostname, "%s", u.nodename);
	snprintf(h->kernel, sizeof h->kernel, "%s %s %s %s", u.sysname, u.release, u.version,
		 u.machine);
	if (slurp("/etc/machine-id", h->machine_id, sizeof h->machine_id))
		h->machine_id[0] = '\0';
	what = "/proc/sys/kernel/random/boot_id";
	if (!genesis_boot_id(h->boot_id))
		goto fail;
	timezone_text(h->timezone, sizeof h->timezone);
	clock_text(h->clock_state, sizeof h->clock_state);
	h->uid = getuid();
	h->euid = geteuid();
	what = "/proc/self/status";
	if (!effective_caps(&h->capabilities))
		goto fail;
	what = "/proc/self/exe";
	if (!hash_self(h->recorder_sha256))
		goto fail;
	snprintf(h->recorder, sizeof h->recorder, "frec %s", FREC_VERSION);
	return true;
fail:
	snprintf(err, err_cap, "%s: cannot be read: %s", what, strerror(errno));
	return false;
}
