/*
 * heirs.c - looks through /proc for what a process has brought forth since a moment.
 *
 * Most processes are older than that moment, and one read of /proc/PID/stat tells. Only for
 * the others is the line of parents followed upwards. A child whose parent has died meanwhile
 * belongs to init and is known by its session; one that has also left that is not found.
 */
#include "heirs.h"

#include <dirent.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "affinity.h"

#define GENERATIONS 64 /* longest line of parents that is followed */

struct entry { /* struct linux_dirent64, see getdents(2) */
	uint64_t ino;
	int64_t off;
	unsigned short reclen;
	unsigned char type;
	char name[];
};

struct search {
	pid_t pid, session;
	uint64_t since;
	void (*fn)(void *arg, pid_t tid);
	void *arg;
};

static pid_t number(const char *s)
{
	pid_t n = 0;

	for (; *s; s++) {
		if (*s < '0' || *s > '9' || n > 100000000)
			return 0;
		n = n * 10 + (*s - '0');
	}
	return n;
}

/* Calls fn for each name in the directory that is a number. opendir(3) would allocate. */
static void each_number(const char *path, const struct search *s,
			void (*fn)(const struct search *s, pid_t n))
{
	_Alignas(struct entry) char buf[8192];
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	long n;

	if (fd < 0)
		return;
	while ((n = syscall(SYS_getdents64, fd, buf, sizeof(buf))) > 0)
		for (long at = 0; at < n;) {
			const struct entry *e = (const void *)(buf + at);
			pid_t id = number(e->name);

			at += e->reclen;
			if (id > 0)
				fn(s, id);
		}
	close(fd);
}

static void task_path(pid_t pid, char path[32])
{
	static const char head[] = "/proc/", tail[] = "/task";
	char digits[12];
	size_t at = sizeof(head) - 1, i = sizeof(digits);

	for (size_t k = 0; k < sizeof(head) - 1; k++)
		path[k] = head[k];
	do
		digits[--i] = (char)('0' + pid % 10);
	while ((pid /= 10) != 0);
	while (i < sizeof(digits))
		path[at++] = digits[i++];
	for (size_t k = 0; k < sizeof(tail); k++)
		path[at++] = tail[k];
}

static void thread(const struct search *s, pid_t tid)
{
	struct affinity_stat st;

	if (affinity_stat(tid, &st) && st.start_ticks >= s->since)
		s->fn(s->arg, tid);
}

static bool descends(pid_t pid, pid_t ppid, pid_t from)
{
	struct affinity_stat st;

	for (int i = 0; i < GENERATIONS && ppid > 1; i++) {
		if (ppid == from)
			return true;
		pid = ppid;
		if (!affinity_stat(pid, &st))
			return false;
		ppid = st.ppid;
	}
	return false;
}

static bool orphan(const struct affinity_stat *st, pid_t session)
{
	struct affinity_stat parent;

	return st->session == session && affinity_stat(st->ppid, &parent) &&
	       parent.session != session;
}

static void process(const struct search *s, pid_t pid)
{
	struct affinity_stat st;
	char path[32];

	if (!affinity_stat(pid, &st) || st.start_ticks < s->since ||
	    !(descends(pid, st.ppid, s->pid) || orphan(&st, s->session)))
		return;
	task_path(pid, path);
	each_number(path, s, thread);
}

void heirs_each(pid_t pid, uint64_t since, void (*fn)(void *arg, pid_t tid), void *arg)
{
	struct search s = { pid, 0, since, fn, arg };
	struct affinity_stat st;
	char path[32];

	if (!affinity_stat(pid, &st))
		return;
	s.session = st.session;
	task_path(pid, path);
	each_number(path, &s, thread);
	each_number("/proc", &s, process);
}
