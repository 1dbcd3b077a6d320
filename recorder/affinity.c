/*
 * affinity.c - CPU masks of threads, and the few numbers of /proc that go with them.
 *
 * No stdio, no malloc: the guardian calls this in a process forked from a threaded one.
 */
#include "affinity.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PATH_CAP 512

bool affinity_get(pid_t tid, cpu_set_t *mask)
{
	return sched_getaffinity(tid, sizeof(*mask), mask) == 0;
}

bool affinity_set(pid_t tid, const cpu_set_t *mask)
{
	return sched_setaffinity(tid, sizeof(*mask), mask) == 0;
}

void affinity_one(int cpu, cpu_set_t *mask)
{
	CPU_ZERO(mask);
	CPU_SET((size_t)cpu, mask);
}

bool affinity_is_one(const cpu_set_t *mask, int cpu)
{
	return CPU_COUNT(mask) == 1 && CPU_ISSET((size_t)cpu, mask);
}

void affinity_hex(const cpu_set_t *mask, char out[AFFINITY_HEX_MAX])
{
	char *p = out;

	for (int digit = CPU_SETSIZE / 4 - 1; digit >= 0; digit--) {
		unsigned v = 0;

		for (int bit = 0; bit < 4; bit++)
			if (CPU_ISSET((size_t)(digit * 4 + bit), mask))
				v |= 1u << bit;
		if (v == 0 && p == out && digit > 0)
			continue;
		*p++ = "0123456789abcdef"[v];
		if (digit % 8 == 0 && digit > 0)
			*p++ = ',';
	}
	*p = '\0';
}

/* ---- small files, read whole ---- */

static char *put_text(char *p, const char *end, const char *s)
{
	while (*s && p < end - 1)
		*p++ = *s++;
	*p = '\0';
	return p;
}

static char *put_number(char *p, const char *end, unsigned n)
{
	char digits[12];
	size_t i = sizeof(digits) - 1;

	digits[i] = '\0';
	do
		digits[--i] = (char)('0' + n % 10);
	while ((n /= 10) != 0);
	return put_text(p, end, digits + i);
}

static ssize_t read_file(const char *path, char *buf, size_t cap)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -1;
	do
		n = read(fd, buf, cap - 1);
	while (n < 0 && errno == EINTR);
	close(fd);
	if (n >= 0)
		buf[n] = '\0';
	return n;
}

static ssize_t read_proc(pid_t tid, const char *name, char *buf, size_t cap)
{
	char path[64];
	const char *end = path + sizeof(path);
	char *p = put_text(path, end, "/proc/");

	p = put_number(p, end, (unsigned)tid);
	p = put_text(p, end, "/");
	put_text(p, end, name);
	return read_file(path, buf, cap);
}

static const char *parse_number(const char *p, uint64_t *out)
{
	uint64_t v = 0;

	if (*p < '0' || *p > '9')
		return NULL;
	while (*p >= '0' && *p <= '9')
		v = v * 10 + (uint64_t)(*p++ - '0');
	*out = v;
	return p;
}

bool affinity_sched(pid_t tid, uint64_t *run_ns, uint64_t *delay_ns)
{
	char buf[128];
	const char *p;

	if (read_proc(tid, "schedstat", buf, sizeof(buf)) <= 0)
		return false;
	p = parse_number(buf, run_ns);
	return p && *p == ' ' && parse_number(p + 1, delay_ns) && *run_ns > 0;
}

bool affinity_stat(pid_t tid, struct affinity_stat *st)
{
	char buf[1024];
	const char *p;
	uint64_t v;

	if (read_proc(tid, "stat", buf, sizeof(buf)) <= 0)
		return false;
	p = strrchr(buf, ')'); /* the name may hold anything, this too */
	for (int field = 3; field <= 22; field++) {
		p = p ? strchr(p, ' ') : NULL;
		if (!p)
			return false;
		p++;
		if (field == 4 || field == 6) {
			if (!parse_number(p, &v))
				return false;
			*(field == 4 ? &st->ppid : &st->session) = (pid_t)v;
		}
	}
	return parse_number(p, &st->start_ticks) != NULL;
}

bool affinity_tgid(pid_t tid, pid_t *tgid)
{
	char buf[2048];
	const char *p;
	uint64_t v;

	if (read_proc(tid, "status", buf, sizeof(buf)) <= 0 || !(p = strstr(buf, "\nTgid:\t")) ||
	    !parse_number(p + 7, &v))
		return false;
	*tgid = (pid_t)v;
	return true;
}

uint64_t affinity_now_ticks(void)
{
	uint64_t per_second = (uint64_t)sysconf(_SC_CLK_TCK);
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (uint64_t)ts.tv_sec * per_second + (uint64_t)ts.tv_nsec * per_second / 1000000000u;
}

/* ---- the cpuset ---- */

/* "0-3,8" into a mask. */
static bool parse_list(const char *p, cpu_set_t *mask)
{
	CPU_ZERO(mask);
	while (*p && *p != '\n') {
		uint64_t first, last;

		p = parse_number(p, &first);
		if (!p)
			return false;
		last = first;
		if (*p == '-' && !(p = parse_number(p + 1, &last)))
			return false;
		for (; first <= last; first++)
			if (first < CPU_SETSIZE)
				CPU_SET((size_t)first, mask);
		if (*p == ',')
			p++;
	}
	return true;
}

/* From the thread's group upwards: only groups with the controller enabled have the file. */
static bool cpuset_under(const char *root, const char *group, const char *file, cpu_set_t *mask)
{
	char path[PATH_CAP], buf[4096];
	const char *end = path + sizeof(path);
	size_t len = strlen(group);

	if (strlen(root) + len + strlen(file) + 2 > sizeof(path))
		return false;
	for (;;) {
		char *p = put_text(path, end, root);

		memcpy(p, group, len);
		p = put_text(p + len, end, "/");
		put_text(p, end, file);
		if (read_file(path, buf, sizeof(buf)) > 0)
			return parse_list(buf, mask);
		if (len == 0)
			return false;
		do
			len--;
		while (len > 0 && group[len] != '/');
	}
}

static bool cpuset_of(pid_t tid, cpu_set_t *mask)
{
	char group[PATH_CAP];
	ssize_t n = read_proc(tid, "cpuset", group, sizeof(group));

	if (n <= 0 || group[0] != '/' || (size_t)n >= sizeof(group) - 1)
		return false;
	group[strcspn(group, "\n")] = '\0';
	return cpuset_under("/sys/fs/cgroup", group, "cpuset.cpus.effective", mask) ||
	       cpuset_under("/sys/fs/cgroup/cpuset", group, "cpuset.effective_cpus", mask);
}

void affinity_to_restore(pid_t tid, const cpu_set_t *old, cpu_set_t *out)
{
	cpu_set_t all;
	char buf[4096];

	*out = *old;
	if (!cpuset_of(tid, &all) &&
	    !(read_file("/sys/devices/system/cpu/online", buf, sizeof(buf)) > 0 &&
	      parse_list(buf, &all)))
		return;
	if (CPU_EQUAL(old, &all))
		memset(out, 0xff, sizeof(*out));
}
