/* surroundings.c - what a program is started with, which a launcher may spoil. */
#include "hazard.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

extern char **environ;

/* Lines of /proc/self/status that depend on how it was started. */
static void status_lines(void)
{
	/* clang-format off */
	static const char *const names[] = {
		"Umask:", "Uid:", "Gid:", "Groups:", "Threads:", "SigPnd:", "ShdPnd:", "SigBlk:",
		"SigIgn:", "SigCgt:", "CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:",
		"NoNewPrivs:", "Cpus_allowed_list:", "Mems_allowed_list:",
		"Speculation_Store_Bypass:", "CoreDumping:", "THP_enabled:",
	};
	/* clang-format on */
	char line[512];
	FILE *f = fopen("/proc/self/status", "re");

	CHECK(f);
	while (fgets(line, sizeof(line), f))
		for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
			if (!strncmp(line, names[i], strlen(names[i])))
				say("%.*s", (int)strcspn(line, "\n"), line);
	fclose(f);
}

static void file_lines(const char *path)
{
	char line[512];
	FILE *f = fopen(path, "re");

	while (f && fgets(line, sizeof(line), f))
		say("%s: %.*s", path, (int)strcspn(line, "\n"), line);
	if (f)
		fclose(f);
}

static void surroundings(void)
{
	char buf[4096], target[4096];
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *de;
	int fds = 0;
	struct sched_param sp;
	struct timespec t;

	status_lines();
	file_lines("/proc/self/limits");
	file_lines("/proc/self/oom_score_adj");
	file_lines("/proc/self/loginuid");
	file_lines("/proc/self/coredump_filter");
	file_lines("/proc/self/timerslack_ns");
	file_lines("/proc/self/cgroup");
	while ((de = readdir(dir))) {
		if (de->d_name[0] == '.' || atoi(de->d_name) == dirfd(dir))
			continue;
		fds++;
	}
	say("%d fds", fds);
	closedir(dir);
	say("cwd %s", getcwd(buf, sizeof(buf)));
	for (int i = 0; environ[i]; i++)
		if (strncmp(environ[i], "_=", 2))
			say("env %s", environ[i]);
	for (int fd = 0; fd < 3; fd++) {
		ssize_t n = readlink(fd == 0 ? "/proc/self/fd/0" :
				     fd == 1 ? "/proc/self/fd/1" :
					       "/proc/self/fd/2",
				     target, sizeof(target) - 1);

		target[n < 0 ? 0 : n] = '\0';
		say("fd %d is a %.*s, flags %#x, cloexec %d", fd, (int)strcspn(target, ":["),
		    target, fcntl(fd, F_GETFL), fcntl(fd, F_GETFD));
	}
	say("session leader %d, group leader %d", getsid(0) == getpid(), getpgrp() == getpid());
	say("nice %d policy %d", getpriority(PRIO_PROCESS, 0), sched_getscheduler(0));
	sched_getparam(0, &sp);
	say("priority %d, dumpable %d, keepcaps %d, securebits %d", sp.sched_priority,
	    prctl(PR_GET_DUMPABLE), prctl(PR_GET_KEEPCAPS), prctl(PR_GET_SECUREBITS));
	say("timing %d, endian ok, subreaper %d", prctl(PR_GET_TIMING),
	    prctl(PR_GET_CHILD_SUBREAPER, buf) == 0 ? buf[0] : -1);
	IS(prctl(PR_GET_PDEATHSIG, buf), 0);
	say("pdeathsig %d", *(int *)(void *)buf);
	clock_getres(CLOCK_MONOTONIC, &t);
	say("clock %ld", t.tv_nsec);
}

static void io_of_own(void)
{
	char buf[8192], line[128];
	long before = -1, after = -1;
	FILE *f;
	int fd = (int)MUST(open("/dev/zero", O_RDONLY));

	f = fopen("/proc/thread-self/io", "re");
	while (f && fgets(line, sizeof(line), f))
		sscanf(line, "rchar: %ld", &before);
	if (f)
		fclose(f);
	for (int i = 0; i < 100; i++)
		IS(read(fd, buf, sizeof(buf)), sizeof(buf));
	f = fopen("/proc/thread-self/io", "re");
	while (f && fgets(line, sizeof(line), f))
		sscanf(line, "rchar: %ld", &after);
	if (f)
		fclose(f);
	CHECK(after - before >= 819200);
	CHECK(after - before < 819200 + 4096); /* nobody else's reads are counted for it */
}

/* Memory that a tracer reads must not be changed by it: pages not there stay so. */
static void untouched_pages(void)
{
	size_t page = 4096;
	unsigned char vec[64];
	char *p = mmap(NULL, 64 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct stat st;
	int n = 0, fd = (int)MUST(open("/dev/null", O_WRONLY));

	CHECK(p != MAP_FAILED);
	for (int i = 0; i < 64; i++)
		IS(write(fd, p + (size_t)i * page, page), (long)page);
	IS(stat("/", &st), 0);
	MUST(mincore(p, 64 * page, vec));
	for (int i = 0; i < 64; i++)
		n += vec[i] & 1;
	IS(n, 0);
}

/* Who a set-user-ID program is. */
static void who(void)
{
	uid_t r, e, s;

	MUST(getresuid(&r, &e, &s));
	say("real %d effective %d saved %d", (int)r, (int)e, (int)s);
	say("dumpable %d, secure mode %lu", prctl(PR_GET_DUMPABLE), getauxval(AT_SECURE));
}

/* Runs another copy of this program, which may be set-user-ID. */
static void who_child(void *arg)
{
	execl(arg, arg, "who", NULL);
	say("%s", strerrorname_np(errno));
}

static void runs_who(void)
{
	who();
	reap_ok(child(who_child, hazard_args[0]));
	who();
}

const struct hazard hazards_surroundings[] = {
	{ "who", who, "inner" },
	{ "runs-who", runs_who, "inner" },
	{ "surroundings", surroundings, "" },
	{ "io-of-own", io_of_own, "" },
	{ "untouched-pages", untouched_pages, "" },
	{ NULL, NULL, NULL },
};
