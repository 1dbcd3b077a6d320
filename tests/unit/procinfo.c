/*
 * procinfo.c - what is read of /proc/PID against a child that knows its own facts, hostile name,
 * directory, arguments and file name included; and of processes that are not there.
 */
#include "procinfo.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "record.h"
#include "tap.h"

#define COMM	    ") R 1 (\n\033x" /* 9 of the 15 bytes that a name may have */
#define DIR_NAME    "dir \n\033[31m)"
#define MAPPED_NAME "mapped\nfile \\012"

static char top[64], dir[128], mapped[192];
static pid_t child;
static int to_child = -1;

/* The child: executed anew, so that its arguments and environment are its own. */
static int be_child(void)
{
	char c = 'r';
	int fd = open(getenv("MAPPED"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	char *p;

	if (fd < 0 || ftruncate(fd, 8192) || chdir(getenv("DIR")) || prctl(PR_SET_NAME, COMM))
		return 1;
	p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 4096);
	if (p == MAP_FAILED)
		return 1;
	if (geteuid() == 0 && setresgid(65534, 65533, 65533))
		return 1;
	if (geteuid() == 0 && setresuid(65534, 0, 0))
		return 1;
	if (write(1, &c, 1) != 1)
		return 1;
	return read(0, &c, 1) == 0 ? 0 : 1;
}

static void start_child(char *const *extra_env)
{
	char *argv[] = { (char *)"child", (char *)"", (char *)"two words", (char *)"\033[1mx\n",
			 NULL };
	char *env[16], env_dir[200], env_mapped[300], c;
	int in[2], out[2], n = 0;

	snprintf(env_dir, sizeof(env_dir), "DIR=%s", dir);
	snprintf(env_mapped, sizeof(env_mapped), "MAPPED=%s", mapped);
	env[n++] = env_dir;
	env[n++] = env_mapped;
	while (*extra_env)
		env[n++] = *extra_env++;
	env[n] = NULL;
	if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC))
		bail_out("no pipes");
	child = fork();
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(in[0], 0);
		dup2(out[1], 1);
		execve("/proc/self/exe", argv, env);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	to_child = in[1];
	if (child < 0 || read(out[0], &c, 1) != 1)
		bail_out("the child did not come up");
	close(out[0]);
}

static void end_child(void)
{
	close(to_child);
	waitpid(child, NULL, 0);
}

static void test_stat(void)
{
	struct proc_stat st;
	struct proc_status s;
	struct timespec now;
	uint64_t r = 1, w = 1, start, age;

	/* the child has said that it is ready, and may take a moment more to fall asleep */
	for (int i = 0; i < 1000 && proc_stat(child, &st) && st.state != 'S'; i++)
		usleep(1000);
	if (ok(proc_stat(child, &st), "stat of the child")) {
		is_int(st.pid, child, "pid");
		is_int(st.ppid, getpid(), "ppid");
		is_int(st.pgrp, getpgrp(), "pgrp");
		is_int(st.session, getsid(0), "session");
		is_str(st.comm, COMM, "a name with parentheses");
		is_int(st.state, 'S', "it sleeps");
		clock_gettime(CLOCK_REALTIME, &now);
		start = proc_start_real_ns(st.start_ticks);
		age = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec - start;
		ok((int64_t)age > -20000000 && (int64_t)age < 60000000000, "it started just now");
		is_int(proc_start_real_ns(st.start_ticks), (intmax_t)start,
		       "at the same time each time");
	}
	if (ok(proc_status(child, &s), "status of the child")) {
		is_int(s.tgid, child, "tgid");
		is_int(s.tracer, 0, "no tracer");
		ok(!s.kthread, "no kernel thread");
		if (geteuid() == 0) {
			is_int(s.uid, 65534, "real uid");
			is_int(s.euid, 0, "effective uid");
			is_int(s.gid, 65534, "gid");
		}
	}
	ok(proc_io(child, child, &r, &w) && r > 0 && w == 1,
	   "its reads, and the one byte it wrote");
	ok(proc_status(2, &s) == s.kthread || s.tgid != 2,
	   "pid 2, where it is seen, is a kernel thread");
}

/* ---- CONTEXT ------------------------------------------------------------------------------- */

struct ctx {
	const uint8_t *p;
	size_t len;
	bool there;
};

static bool parse_context(const struct frz_buf *b, struct ctx *keys, unsigned n)
{
	struct frz_cur c = frz_cur_of(b->p, b->len);

	memset(keys, 0, n * sizeof(*keys));
	while (frz_cur_left(&c)) {
		uint64_t key = frz_take_varint(&c), len = frz_take_varint(&c);
		const uint8_t *p = frz_take(&c, len);

		if (!p || !key || key >= n || keys[key].there)
			return false;
		keys[key] = (struct ctx){ p, len, true };
	}
	return !c.bad && !b->full;
}

static void is_ctx(const struct ctx *k, const char *want, const char *name)
{
	is_mem(k->p, k->len, want, strlen(want), name);
}

static void test_context(void)
{
	static uint8_t room[800 << 10];
	static const char args[] = "child\0\0two words\0\033[1mx\n";
	struct frz_buf b = { .p = room, .cap = sizeof(room) };
	struct ctx k[FRZ_CTX_CUT + 1];
	char exe[4200], want[512];
	struct proc_stat st;
	ssize_t n;

	procinfo_context(child, false, NULL, &b);
	if (!ok(parse_context(&b, k, FRZ_CTX_CUT + 1), "a context that reads back"))
		return;
	is_mem(k[FRZ_CTX_CMDLINE].p, k[FRZ_CTX_CMDLINE].len, args, sizeof(args),
	       "arguments to the byte");
	is_ctx(&k[FRZ_CTX_CWD], dir, "cwd");
	is_ctx(&k[FRZ_CTX_ROOT], "/", "root");
	n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	exe[n > 0 ? n : 0] = '\0';
	is_ctx(&k[FRZ_CTX_EXE], exe, "exe");
	if (geteuid() == 0) {
		is_ctx(&k[FRZ_CTX_UIDS], "65534 0 0 0", "uids");
		is_ctx(&k[FRZ_CTX_GIDS], "65534 65533 65533 65533", "gids");
		is_ctx(&k[FRZ_CTX_USER], "nobody", "name of the real uid");
	}
	ok(k[FRZ_CTX_CAPS].len == 5 * 16 + 4, "five capability sets");
	proc_stat(child, &st);
	snprintf(want, sizeof(want), "%d", (int)getsid(0));
	is_ctx(&k[FRZ_CTX_SESSION], want, "session");
	snprintf(want, sizeof(want), "%" PRIu64, proc_start_real_ns(st.start_ticks));
	is_ctx(&k[FRZ_CTX_STARTED], want, "start");
	ok(k[FRZ_CTX_TTY].there && k[FRZ_CTX_CGROUP].there && k[FRZ_CTX_SECCOMP].there,
	   "terminal, cgroup, seccomp");
	n = readlink("/proc/self/ns/mnt", want, sizeof(want) - 1);
	want[n > 0 ? n : 0] = '\0';
	ok(k[FRZ_CTX_NS].there && memmem(k[FRZ_CTX_NS].p, k[FRZ_CTX_NS].len, want, strlen(want)),
	   "namespaces, %s among them", want);
	ok(!k[FRZ_CTX_ENV].there && !k[FRZ_CTX_CUT].there,
	   "no environment unless asked, nothing cut");
}

static void test_env(void)
{
	static uint8_t room[800 << 10];
	struct frz_buf b = { .p = room, .cap = sizeof(room) };
	struct ctx k[FRZ_CTX_CUT + 1];
	char *redact[] = { (char *)"*_KEY", (char *)"EMPTY", NULL };
	static const char hidden[] =
		"API_KEY=[redacted]\0EMPTY=[redacted]\0_KEYS=kept\0odd\0LAST=a=b";
	char want[1024];
	size_t n;

	n = (size_t)snprintf(want, sizeof(want), "DIR=%s", dir) + 1;
	n += (size_t)snprintf(want + n, sizeof(want) - n, "MAPPED=%s", mapped) + 1;
	memcpy(want + n, hidden, sizeof(hidden));
	n += sizeof(hidden);
	procinfo_context(child, true, redact, &b);
	if (ok(parse_context(&b, k, FRZ_CTX_CUT + 1), "a context with the environment"))
		is_mem(k[FRZ_CTX_ENV].p, k[FRZ_CTX_ENV].len, want, n,
		       "redacted by name, else to the byte");
	b = (struct frz_buf){ .p = room, .cap = sizeof(room) };
	procinfo_context(child, true, NULL, &b);
	if (ok(parse_context(&b, k, FRZ_CTX_CUT + 1), "the same without patterns"))
		ok(memmem(k[FRZ_CTX_ENV].p, k[FRZ_CTX_ENV].len, "API_KEY=secret", 15) != NULL,
		   "in full");
}

/* Whatever room there is: never overrun, never `full`, and what was cut is named. */
static void test_small_room(void)
{
	unsigned wrong = 0, marked = 0;

	for (size_t cap = 128; cap < 4096; cap += 7) {
		uint8_t *room = malloc(cap);
		struct frz_buf b = { .p = room, .cap = cap };
		struct ctx k[FRZ_CTX_CUT + 1];

		procinfo_context(child, true, NULL, &b);
		wrong += !parse_context(&b, k, FRZ_CTX_CUT + 1);
		marked += k[FRZ_CTX_CUT].there;
		wrong += !k[FRZ_CTX_ENV].there && !k[FRZ_CTX_CUT].there;
		free(room);
	}
	is_int(wrong, 0, "contexts in little room");
	ok(marked > 20, "and marked as cut, %u of them", marked);
}

/* ---- the rest ------------------------------------------------------------------------------ */

struct seen {
	unsigned n, hit;
	struct proc_mapping m;
	char path[256];
};

static void on_mapping(void *arg, const struct proc_mapping *m)
{
	struct seen *s = arg;

	s->n++;
	if (strncmp(m->path, mapped, strlen(top) + 7) != 0)
		return;
	s->hit++;
	s->m = *m;
	snprintf(s->path, sizeof(s->path), "%s", m->path);
}

static void test_mappings(void)
{
	struct seen s = { 0 };
	struct stat st;

	proc_mappings(child, on_mapping, &s);
	ok(s.n >= 3, "%u mapped files", s.n);
	if (!is_int(s.hit, 1, "the child's own mapping") || stat(mapped, &st))
		return;
	if (geteuid() == 0)
		is_str(s.path, mapped, "with the true bytes of its name");
	is_int(s.m.offset, 4096, "offset");
	is_int(s.m.len, 4096, "length");
	is_int(s.m.prot, PROT_READ | PROT_WRITE, "protection");
	is_int(s.m.flags, MAP_SHARED, "shared");
	is_int(s.m.ino, (intmax_t)st.st_ino, "inode");
	ok(s.m.dev_major == major(st.st_dev) && s.m.dev_minor == minor(st.st_dev), "device");
}

static void test_banner(void)
{
	char line[4096], want[512], small[40];
	struct proc_stat st;
	struct tm tm;
	time_t t;

	proc_stat(child, &st);
	t = (time_t)(proc_start_real_ns(st.start_ticks) / 1000000000u);
	gmtime_r(&t, &tm);
	procinfo_banner(child, line, sizeof(line));
	diag("%s", line);
	ok(!strpbrk(line, "\n\033"), "no control bytes in the start-up line");
	snprintf(want, sizeof(want), "pid %d ) R 1 (", (int)child);
	ok(!strncmp(line, want, strlen(want)), "begins with pid and name");
	if (geteuid() == 0)
		ok(strstr(line, ", user nobody (effective root), cwd ") != NULL, "both users");
	strftime(want, sizeof(want), ", started %Y-%m-%dT%H:%M:%SZ: child  two words ", &tm);
	ok(strstr(line, want) != NULL, "start and arguments");
	memset(small, 'x', sizeof(small));
	procinfo_banner(child, small, sizeof(small));
	ok(memchr(small, '\0', sizeof(small)) != NULL, "ends within little room");
}

static void test_names(void)
{
	is_str(user_name(0), "root", "uid 0");
	is_str(group_name(0), "root", "gid 0");
	is_str(user_name(65534), "nobody", "uid 65534");
	is_str(user_name(3999999999u), NULL, "a uid without a name");
	is_str(user_name(3999999999u), NULL, "the same again");
	is_str(user_name(64), NULL, "a uid in the same cache slot as 0");
	is_str(user_name(0), "root", "and uid 0 again");
}

static void test_gone(void)
{
	struct frz_buf b = { .p = (uint8_t[512]){ 0 }, .cap = 512 };
	struct seen seen = { 0 };
	struct proc_status s;
	struct proc_stat st;
	char buf[64], name[300];
	uint64_t r, w;

	ok(!proc_stat(child, &st) && !proc_status(child, &s) && !proc_io(child, child, &r, &w),
	   "gone");
	errno = 0;
	ok(proc_read(child, "stat", buf, sizeof(buf)) == -1 && errno == ENOENT, "read says so");
	ok(proc_link(child, "exe", buf, sizeof(buf)) == -1 && !*buf, "and the link");
	procinfo_context(child, true, NULL, &b);
	ok(!b.len && !b.full, "an empty context");
	proc_mappings(child, on_mapping, &seen);
	is_int(seen.n, 0, "no mappings");
	procinfo_banner(child, buf, sizeof(buf));
	ok(strstr(buf, "gone") != NULL, "%s", buf);
	memset(name, 'a', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	ok(proc_read(getpid(), name, buf, sizeof(buf)) == -1 && errno == ENAMETOOLONG,
	   "too long a name");
}

/* Read while processes come and go: each answer is whole or a failure. */
static void test_race(void)
{
	unsigned wrong = 0, whole = 0;

	for (int i = 0; i < 200; i++) {
		pid_t pid = fork();
		struct proc_stat st;
		struct proc_status s;

		if (pid == 0) {
			if (i % 2)
				usleep(200);
			_exit(0);
		}
		for (int j = 0; j < 20; j++) {
			if (proc_stat(pid, &st)) {
				wrong += st.pid != pid || st.ppid != getpid();
				whole++;
			}
			if (proc_status(pid, &s))
				wrong += s.tgid != pid;
			if (j == 15)
				waitpid(pid, NULL, 0);
		}
	}
	is_int(wrong, 0, "no half-read answers");
	ok(whole >= 200 * 15, "%u whole ones", whole);
}

int main(int argc, char **argv)
{
	char *env[] = { (char *)"API_KEY=secret", (char *)"EMPTY=",
			(char *)"_KEYS=kept",	  (char *)"odd",
			(char *)"LAST=a=b",	  NULL };

	(void)argc;
	if (!strcmp(argv[0], "child"))
		return be_child();
	snprintf(top, sizeof(top), "/tmp/procinfo-XXXXXX");
	if (!mkdtemp(top))
		bail_out("no temporary directory");
	snprintf(dir, sizeof(dir), "%s/%s", top, DIR_NAME);
	snprintf(mapped, sizeof(mapped), "%s/%s", top, MAPPED_NAME);
	if (mkdir(dir, 0755))
		bail_out("no directory");
	start_child(env);
	test_stat();
	test_context();
	test_env();
	test_small_room();
	test_mappings();
	test_banner();
	test_names();
	end_child();
	test_gone();
	test_race();
	unlink(mapped);
	rmdir(dir);
	rmdir(top);
	return tap_done();
}
