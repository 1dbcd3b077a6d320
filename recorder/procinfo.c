/*
 * procinfo.c - reads and checks single files of /proc/PID; see context.c and names.c for
 * what is made of them.
 *
 * A process may vanish between any two reads: every function says so by failing, none
 * assumes that an earlier success still holds.
 */
#include "procinfo.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PF_KTHREAD 0x00200000u /* linux/sched.h; field 9 of /proc/PID/stat */

static bool proc_path(char *path, size_t cap, pid_t tid, const char *name)
{
	int n = snprintf(path, cap, "/proc/%d/%s", (int)tid, name);

	if (n > 0 && (size_t)n < cap)
		return true;
	errno = ENAMETOOLONG;
	return false;
}

ssize_t proc_read(pid_t tid, const char *name, void *buf, size_t cap)
{
	char path[256];
	size_t len = 0;
	int fd;

	if (!proc_path(path, sizeof(path), tid, name))
		return -1;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return -1;
	while (len < cap) {
		ssize_t n = read(fd, (char *)buf + len, cap - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			int e = errno;

			close(fd);
			errno = e;
			return -1;
		}
		if (n == 0)
			break;
		len += (size_t)n;
	}
	close(fd);
	return (ssize_t)len;
}

ssize_t proc_link(pid_t tid, const char *name, char *buf, size_t cap)
{
	char path[256];
	ssize_t n;

	if (!cap) {
		errno = EINVAL;
		return -1;
	}
	buf[0] = '\0';
	if (!proc_path(path, sizeof(path), tid, name))
		return -1;
	n = readlink(path, buf, cap - 1);
	if (n >= 0)
		buf[n] = '\0';
	return n;
}

/* ---- stat, status, io ---------------------------------------------------------------------- */

bool proc_stat(pid_t tid, struct proc_stat *out)
{
	char buf[1024], *open, *close;
	long long ppid, pgrp, session, tty, flags, start;
	size_t comm;
	ssize_t n;
	char state;

	memset(out, 0, sizeof(*out));
	n = proc_read(tid, "stat", buf, sizeof(buf) - 1);
	if (n <= 0)
		return false;
	buf[n] = '\0';
	/* the name may itself hold ") R 1 ": it ends at the last parenthesis */
	open = strchr(buf, '(');
	close = strrchr(buf, ')');
	if (!open || !close || close < open)
		return false;
	if (sscanf(close + 1,
		   " %c %lld %lld %lld %lld %*d %lld %*u %*u %*u %*u %*u %*u %*d %*d %*d "
		   "%*d %*d %*d %lld",
		   &state, &ppid, &pgrp, &session, &tty, &flags, &start) != 7)
		return false;
	comm = (size_t)(close - open - 1);
	if (comm >= sizeof(out->comm))
		comm = sizeof(out->comm) - 1;
	memcpy(out->comm, open + 1, comm);
	out->comm[comm] = '\0';
	out->pid = (pid_t)strtol(buf, NULL, 10);
	out->state = state;
	out->ppid = (pid_t)ppid;
	out->pgrp = (pid_t)pgrp;
	out->session = (pid_t)session;
	out->tty_nr = (int)tty;
	out->flags = (uint64_t)flags;
	out->start_ticks = (uint64_t)start;
	return true;
}

const char *proc_status_line(const char *status, const char *key, size_t *len)
{
	size_t n = strlen(key);

	for (const char *line = status; line && *line;) {
		const char *end = strchr(line, '\n');

		if (!strncmp(line, key, n) && line[n] == ':') {
			const char *v = line + n + 1;

			if (!end)
				end = v + strlen(v);
			while (v < end && (*v == '\t' || *v == ' '))
				v++;
			while (end > v && (end[-1] == '\t' || end[-1] == ' '))
				end--;
			*len = (size_t)(end - v);
			return v;
		}
		line = end ? end + 1 : NULL;
	}
	return NULL;
}

static long long status_number(const char *status, const char *key, unsigned nth, long long none)
{
	size_t len;
	const char *v = proc_status_line(status, key, &len), *end;
	char *after;

	if (!v)
		return none;
	end = v + len;
	for (;; nth--) {
		long long n;

		while (v < end && isspace((unsigned char)*v))
			v++;
		if (v == end)
			return none;
		n = strtoll(v, &after, 10);
		if (after == v || after > end)
			return none;
		if (!nth)
			return n;
		v = after;
	}
}

ssize_t proc_status_text(pid_t tid, char *buf, size_t cap)
{
	ssize_t n = proc_read(tid, "status", buf, cap - 1);

	buf[n > 0 ? n : 0] = '\0';
	return n;
}

bool proc_status(pid_t tid, struct proc_status *out)
{
	char buf[16384];
	long long kthread;

	memset(out, 0, sizeof(*out));
	/* the supplementary groups may make it longer; all that is asked for but Kthread stands
	 * before them, and for that there is another way */
	if (proc_status_text(tid, buf, sizeof(buf)) <= 0)
		return false;
	out->tgid = (pid_t)status_number(buf, "Tgid", 0, 0);
	if (!out->tgid)
		return false;
	out->tracer = (pid_t)status_number(buf, "TracerPid", 0, 0);
	out->uid = (uid_t)status_number(buf, "Uid", 0, 0);
	out->euid = (uid_t)status_number(buf, "Uid", 1, 0);
	out->gid = (gid_t)status_number(buf, "Gid", 0, 0);
	/* Kthread: is there since Linux 6.8 */
	kthread = status_number(buf, "Kthread", 0, -1);
	if (kthread < 0) {
		struct proc_stat st;

		kthread = proc_stat(tid, &st) && (st.flags & PF_KTHREAD);
	}
	out->kthread = kthread > 0;
	return true;
}

bool proc_io(pid_t pid, pid_t tid, uint64_t *rchar, uint64_t *wchar)
{
	char name[64], buf[512];
	ssize_t n;

	snprintf(name, sizeof(name), "task/%d/io", (int)tid);
	n = proc_read(pid, name, buf, sizeof(buf) - 1);
	if (n <= 0)
		return false;
	buf[n] = '\0';
	return sscanf(buf, "rchar: %" SCNu64 " wchar: %" SCNu64, rchar, wchar) == 2;
}

uint64_t proc_start_real_ns(uint64_t start_ticks)
{
	static uint64_t boot_real_ns;
	long hz = sysconf(_SC_CLK_TCK);
	struct timespec real, boot;

	/* Read once, so that a process keeps one start time throughout a recording. */
	if (!boot_real_ns) {
		clock_gettime(CLOCK_BOOTTIME, &boot);
		clock_gettime(CLOCK_REALTIME, &real);
		boot_real_ns = ((uint64_t)real.tv_sec - (uint64_t)boot.tv_sec) * 1000000000u +
			       (uint64_t)real.tv_nsec - (uint64_t)boot.tv_nsec;
	}
	if (hz <= 0)
		hz = 100;
	return boot_real_ns + start_ticks / (uint64_t)hz * 1000000000u +
	       start_ticks % (uint64_t)hz * 1000000000u / (uint64_t)hz;
}

/* ---- maps ---------------------------------------------------------------------------------- */

/* maps writes a newline in a path as \012 but leaves a backslash alone; where that is
 * ambiguous the link in map_files (not open to everybody) has the true bytes. */
static const char *true_path(pid_t pid, uint64_t start, uint64_t end, char *path, char *link,
			     size_t cap)
{
	char name[80];

	if (!strstr(path, "\\012"))
		return path;
	snprintf(name, sizeof(name), "map_files/%" PRIx64 "-%" PRIx64, start, end);
	return proc_link(pid, name, link, cap) > 0 ? link : path;
}

void proc_mappings(pid_t pid, void (*fn)(void *arg, const struct proc_mapping *m), void *arg)
{
	char file[64], link[4200], *line = NULL;
	size_t cap = 0;
	ssize_t n;
	FILE *f;

	snprintf(file, sizeof(file), "/proc/%d/maps", (int)pid);
	f = fopen(file, "re");
	if (!f)
		return;
	while ((n = getline(&line, &cap, f)) > 0) {
		struct proc_mapping m = { 0 };
		uint64_t end;
		char perm[5];
		int at = 0;

		if (line[n - 1] == '\n')
			line[n - 1] = '\0';
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %x:%x %" SCNu64 " %n",
			   &m.start, &end, perm, &m.offset, &m.dev_major, &m.dev_minor, &m.ino,
			   &at) != 7 ||
		    !at || end < m.start || strlen(perm) != 4)
			continue;
		if (line[at] != '/' && !m.ino)
			continue;
		m.len = end - m.start;
		m.prot = (perm[0] == 'r' ? PROT_READ : 0u) | (perm[1] == 'w' ? PROT_WRITE : 0u) |
			 (perm[2] == 'x' ? PROT_EXEC : 0u);
		m.flags = perm[3] == 's' ? MAP_SHARED : MAP_PRIVATE;
		m.path = true_path(pid, m.start, end, line + at, link, sizeof(link));
		fn(arg, &m);
	}
	free(line);
	fclose(f);
}
