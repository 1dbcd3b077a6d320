/*
 * diagnose.c - why a process cannot be traced: real refusals by the kernel where this host can
 * produce them, and the verdict on given facts for those it cannot.
 */
#include "diagnose.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "procinfo.h"
#include "tap.h"

#define LINE 1024

/* One line, no control bytes, naming the pid first. */
static bool well_formed(pid_t pid, const char *line)
{
	char want[32];

	snprintf(want, sizeof(want), "pid %d", (int)pid);
	for (const char *p = line; *p; p++)
		if ((unsigned char)*p < 32)
			return false;
	return !strncmp(line, want, strlen(want)) && strlen(line) < LINE - 1;
}

static void refused(pid_t pid, const char *what, const char *remedy)
{
	char line[LINE] = "";

	ok(!diagnose_before_seize(pid, line, sizeof(line)), "refused: %s", what);
	if (!ok(well_formed(pid, line) && strstr(line, what) && strstr(line, remedy),
		"says why and what to do"))
		diag("said: %s", line);
}

/* A child that runs fn and then waits until it is killed; returns when fn has returned. */
static pid_t child_doing(void (*fn)(void))
{
	int ready[2];
	char c;
	pid_t pid;

	if (pipe(ready))
		bail_out("no pipe");
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		fn();
		if (write(ready[1], "r", 1) != 1)
			_exit(1);
		close(ready[0]);
		close(ready[1]);
		for (;;)
			pause();
	}
	close(ready[1]);
	if (read(ready[0], &c, 1) != 1)
		bail_out("a child did not come up");
	close(ready[0]);
	return pid;
}

static void end_child(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void nothing(void) {}
static void weird_name(void) { prctl(PR_SET_NAME, ") \n\033[1m"); }
static void not_dumpable(void) { prctl(PR_SET_DUMPABLE, 0); }

/* ---- what the kernel shows ----------------------------------------------------------------- */

static void test_fine(void)
{
	pid_t pid = child_doing(nothing);
	char line[LINE];

	if (!ok(diagnose_before_seize(pid, line, sizeof(line)), "nothing is in the way of a child"))
		diag("said: %s", line);
	is_str(line, "", "and nothing is said");
	end_child(pid);
	refused(pid, "no such process", "ps or pgrep");
	refused(4194304, "no such process", "ps or pgrep");
}

static void test_zombie(void)
{
	pid_t pid = fork();
	siginfo_t si;
	char parent[64];

	if (pid == 0)
		_exit(0);
	waitid(P_PID, (id_t)pid, &si, WEXITED | WNOWAIT);
	snprintf(parent, sizeof(parent), "its parent, pid %d (", (int)getpid());
	refused(pid, parent, "leave it out");
	refused(pid, "is a zombie", "leave it out");
	waitpid(pid, NULL, 0);
}

static void *sleeper(void *arg)
{
	for (;;)
		pause();
	return arg;
}

static void second_thread(void)
{
	pthread_t t;

	pthread_create(&t, NULL, sleeper, NULL);
}

/* A process whose leader has exited while another thread lives is still to be recorded. */
static void test_dead_leader(void)
{
	pid_t pid = fork();
	char line[LINE];
	struct proc_stat st;

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		second_thread();
		syscall(SYS_exit, 0);
	}
	for (int i = 0; i < 500 && !(proc_stat(pid, &st) && st.state == 'Z'); i++)
		usleep(1000);
	is_int(st.state, 'Z', "the leader is a zombie");
	if (!ok(diagnose_before_seize(pid, line, sizeof(line)), "its process is not"))
		diag("said: %s", line);
	end_child(pid);
}

static void test_thread_id(void)
{
	pid_t pid = child_doing(second_thread), tid = 0;
	char want[64], name[64];
	struct proc_status s;

	/* the thread got one of the ids after its process */
	for (pid_t t = pid + 1; t < pid + 200 && !tid; t++)
		if (proc_status(t, &s) && s.tgid == pid)
			tid = t;
	snprintf(name, sizeof(name), "is a thread of process %d", (int)pid);
	snprintf(want, sizeof(want), "use -p %d", (int)pid);
	if (ok(tid != 0, "a thread's id"))
		refused(tid, name, want);
	end_child(pid);
}

static void test_kernel_thread(void)
{
	struct proc_status s;

	if (proc_status(2, &s) && s.kthread)
		refused(2, "kernel thread", "leave it out");
	else
		diag("pid 2 is no kernel thread here; see the verdicts on given facts");
}

static void test_self(void) { refused(getpid(), "frec itself", "name the process to record"); }

static void test_hostile_name(void)
{
	pid_t pid = child_doing(weird_name);
	char line[LINE] = "";

	diagnose_seize_failed(pid, EINVAL, line, sizeof(line));
	if (!ok(well_formed(pid, line) && strstr(line, "(\\)") == NULL && strstr(line, ")"),
		"a hostile name"))
		diag("said: %s", line);
	end_child(pid);
}

/* ---- tracers ------------------------------------------------------------------------------- */

/* A process that traces another until killed; from a thread of its own when asked. */
static pid_t the_tracee;

static void *seize(void *arg)
{
	if (ptrace(PTRACE_SEIZE, the_tracee, 0, 0))
		_exit(3);
	if (write(*(int *)arg, "r", 1) != 1)
		_exit(4);
	for (;;)
		pause();
	return NULL;
}

static pid_t tracer_of(pid_t tracee, bool by_thread)
{
	int ready[2];
	char c;
	pid_t pid;

	if (pipe(ready))
		bail_out("no pipe");
	pid = fork();
	if (pid == 0) {
		pthread_t t;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		prctl(PR_SET_NAME, "thetracer");
		the_tracee = tracee;
		if (!by_thread)
			seize(&ready[1]);
		pthread_create(&t, NULL, seize, &ready[1]);
		pause();
		_exit(0);
	}
	close(ready[1]);
	if (read(ready[0], &c, 1) != 1)
		bail_out("a tracer did not come up");
	close(ready[0]);
	return pid;
}

static void test_traced(bool by_thread)
{
	pid_t pid = child_doing(nothing), tracer = tracer_of(pid, by_thread);
	char want[80], line[LINE];
	long rc;

	snprintf(want, sizeof(want), "already traced by pid %d (thetracer)", (int)tracer);
	refused(pid, want, "end that one first");
	/* the same when the kernel says so */
	rc = ptrace(PTRACE_SEIZE, pid, 0, 0);
	ok(rc == -1 && errno == EPERM, "the kernel refuses");
	diagnose_seize_failed(pid, EPERM, line, sizeof(line));
	if (!ok(strstr(line, want) != NULL, "and the tracer is named"))
		diag("said: %s", line);
	end_child(tracer);
	ok(diagnose_before_seize(pid, line, sizeof(line)), "free again");
	end_child(pid);
}

/* What frec itself traces already is no obstacle: it may hold one thread of several. */
static void test_traced_by_us(void)
{
	pid_t pid = child_doing(nothing);
	char line[LINE];

	if (ptrace(PTRACE_SEIZE, pid, 0, 0))
		bail_out("a child cannot be traced");
	ok(diagnose_before_seize(pid, line, sizeof(line)), "traced by ourselves");
	end_child(pid);
}

/* In a child, as frec: its tracer, and its tracer's tracer, must not be recorded. */
static void test_own_tracer(void)
{
	int go[2], result[2];
	char line[LINE] = "";
	pid_t frec, tracer, second;
	struct {
		pid_t tracer, second;
	} ids;
	ssize_t n;

	if (pipe(go) || pipe(result))
		bail_out("no pipes");
	frec = fork();
	if (frec == 0) {
		char out[2][LINE] = { "", "" };

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (read(go[0], &ids, sizeof(ids)) != sizeof(ids))
			_exit(1);
		diagnose_before_seize(ids.tracer, out[0], LINE);
		diagnose_before_seize(ids.second, out[1], LINE);
		_exit(write(result[1], out, sizeof(out)) != sizeof(out));
	}
	tracer = tracer_of(frec, true);
	second = tracer_of(tracer, false);
	ids.tracer = tracer;
	ids.second = second;
	if (write(go[1], &ids, sizeof(ids)) != sizeof(ids))
		bail_out("the child is gone");
	for (int i = 0; i < 2; i++) {
		n = read(result[0], line, LINE);
		if (!ok(n == LINE && well_formed(i ? second : tracer, line) &&
				strstr(line, "traces frec") &&
				strstr(line, "run frec outside of it"),
			"%s", i ? "its tracer's tracer" : "its own tracer"))
			diag("said: %s", line);
	}
	end_child(second);
	end_child(tracer);
	end_child(frec);
}

/* ---- rights -------------------------------------------------------------------------------- */

/* Runs diagnose_seize_failed after a real attempt, as `uid`, without capabilities. */
static void as_user(uid_t uid, pid_t target, const char *why, const char *remedy)
{
	char line[LINE] = "", verdict = 0;
	int out[2];
	pid_t pid;

	if (pipe(out))
		bail_out("no pipe");
	pid = fork();
	if (pid == 0) {
		if (setresgid(uid, uid, uid) || setresuid(uid, uid, uid))
			_exit(1);
		verdict = diagnose_before_seize(target, line, sizeof(line)) ? 'y' : 'n';
		if (verdict == 'y' && ptrace(PTRACE_SEIZE, target, 0, 0) == 0)
			_exit(2);
		if (verdict == 'y')
			diagnose_seize_failed(target, errno, line, sizeof(line));
		_exit(write(out[1], line, sizeof(line)) != sizeof(line));
	}
	close(out[1]);
	if (read(out[0], line, sizeof(line)) != sizeof(line))
		line[0] = '\0';
	close(out[0]);
	waitpid(pid, NULL, 0);
	if (!ok(well_formed(target, line) && strstr(line, why) && strstr(line, remedy),
		"as uid %u: %s", uid, why))
		diag("said: %s", line);
}

static void become_nobody_not_dumpable(void)
{
	if (setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534))
		_exit(1);
	not_dumpable();
}

static void test_rights(void)
{
	struct diagnose_facts f;
	pid_t pid;

	if (geteuid() != 0) {
		diag("not root: see the verdicts on given facts");
		return;
	}
	pid = child_doing(nothing);
	as_user(65534, pid, "it runs as root, frec as nobody without CAP_SYS_PTRACE",
		"setcap cap_sys_ptrace+ep");
	end_child(pid);
	pid = child_doing(become_nobody_not_dumpable);
	diagnose_gather(pid, &f);
	ok(f.nondumpable && f.euid == 65534, "a process that is not dumpable is known as such");
	as_user(65534, pid, "not dumpable", "sudo frec");
	end_child(pid);
}

static void test_gather(void)
{
	pid_t pid = child_doing(nothing);
	struct diagnose_facts f;

	diagnose_gather(pid, &f);
	ok(f.exists && !f.hidden && f.alive && !f.kthread && !f.nondumpable && !f.other_userns &&
		   !f.traces_us && !f.no_proc,
	   "plain facts of a child");
	is_int(f.parent.pid, getpid(), "its parent");
	is_int(f.self, getpid(), "ourselves");
	is_int(f.self_uid, getuid(), "our uid");
	if (geteuid() == 0 && prctl(PR_CAPBSET_READ, 19) == 1)
		ok(f.cap_sys_ptrace, "root has CAP_SYS_PTRACE");
	end_child(pid);
}

static void new_userns(void)
{
	if (unshare(CLONE_NEWUSER))
		_exit(1);
}

static void test_userns(void)
{
	struct diagnose_facts f;
	pid_t probe = fork(), pid;
	int status;

	if (probe == 0)
		_exit(unshare(CLONE_NEWUSER) != 0);
	waitpid(probe, &status, 0);
	if (status) {
		diag("no user namespaces here; see the verdicts on given facts");
		return;
	}
	pid = child_doing(new_userns);
	diagnose_gather(pid, &f);
	ok(f.other_userns, "a process in another user namespace is known as such");
	end_child(pid);
}

/* ---- verdicts on given facts --------------------------------------------------------------- */

static const struct diagnose_facts plain = {
	.pid = 812,
	.exists = true,
	.name = "nginx",
	.tgid = 812,
	.state = 'S',
	.alive = true,
	.parent = { 1, "systemd" },
	.uid = 33,
	.euid = 33,
	.self = 99,
	.self_uid = 33,
	.yama = -1,
};

static const struct {
	const char *line;
	bool no_proc, hidden, kthread, zombie, traces_us;
	struct diagnose_who tracer;
} verdicts[] = {
	{ "/proc is not mounted", .no_proc = true },
	{ "not permitted: /proc hides it (hidepid); run it with sudo frec", .hidden = true },
	{ "is a kernel thread, which makes no system calls", .kthread = true },
	{ "is a zombie: it has ended and only waits for its parent, pid 1 (systemd),",
	  .zombie = true },
	{ "traces frec", .traces_us = true },
	{ "is already traced by pid 77 (gdb)", .tracer = { 77, "gdb" } },
};

static const struct {
	const char *why, *remedy;
	int error;
	bool cap;
	int yama;
	uid_t uid;
	bool nondumpable, userns, seccomp;
} refusals[] = {
	{ "kernel.yama.ptrace_scope is 3", "boot with another value", EPERM, true, 3, 0, 0, 0, 0 },
	{ "kernel.yama.ptrace_scope is 3", "boot with another value", EPERM, false, 3, 33, 0, 0,
	  0 },
	{ "kernel.yama.ptrace_scope is 2, which forbids tracing without CAP_SYS_PTRACE",
	  "sudo frec", EPERM, false, 2, 33, 0, 0, 0 },
	{ "kernel.yama.ptrace_scope is 1, which allows tracing only of one's own children",
	  "setcap", EPERM, false, 1, 33, 0, 0, 0 },
	{ "it runs as ", "sudo frec", EPERM, false, 1, 34, 0, 0, 0 },
	{ "it is not dumpable", "sudo frec", EPERM, false, 1, 33, true, 0, 0 },
	{ "not permitted, and frec has no CAP_SYS_PTRACE", "sudo frec", EPERM, false, 0, 33, 0, 0,
	  0 },
	{ "another user namespace", "root of the host", EPERM, true, 0, 33, 0, true, 0 },
	{ "a seccomp filter that frec was started under may forbid", "outside of the container",
	  EPERM, true, 1, 33, 0, 0, true },
	{ "a tracer in another pid namespace, or a security module", "kernel's log", EPERM, true,
	  -1, 33, 0, 0, 0 },
	{ "ended while frec attached", "", ESRCH, true, -1, 33, 0, 0, 0 },
	{ "ptrace is not there", "outside of containers", ENOSYS, true, -1, 33, 0, 0, 0 },
	{ "cannot be traced: Input/output error", "", EIO, true, -1, 33, 0, 0, 0 },
};

static void test_verdicts(void)
{
	char line[LINE];

	for (size_t i = 0; i < sizeof(verdicts) / sizeof(verdicts[0]); i++) {
		struct diagnose_facts f = plain;

		f.no_proc = verdicts[i].no_proc;
		f.hidden = verdicts[i].hidden;
		f.kthread = verdicts[i].kthread;
		f.alive = !verdicts[i].zombie;
		f.traces_us = verdicts[i].traces_us;
		f.tracer = verdicts[i].tracer;
		line[0] = '\0';
		ok(!diagnose_verdict(&f, line, sizeof(line)), "%s", verdicts[i].line);
		if (!ok(well_formed(812, line) && strstr(line, verdicts[i].line), "said"))
			diag("said: %s", line);
	}
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		struct diagnose_facts f = plain;

		f.cap_sys_ptrace = refusals[i].cap;
		f.yama = refusals[i].yama;
		f.uid = f.euid = refusals[i].uid;
		f.nondumpable = refusals[i].nondumpable;
		f.other_userns = refusals[i].userns;
		f.self_seccomp = refusals[i].seccomp;
		diagnose_refusal(&f, refusals[i].error, line, sizeof(line));
		if (!ok(well_formed(812, line) && strstr(line, refusals[i].why) &&
				strstr(line, refusals[i].remedy),
			"%s", refusals[i].why))
			diag("said: %s", line);
	}
	ok(diagnose_verdict(&plain, line, sizeof(line)) && !*line,
	   "plain facts: nothing in the way");
}

static void test_kernel(void)
{
	static const struct {
		const char *release;
		bool good;
	} releases[] = {
		{ "6.18.0", true },	      { "5.3.0", true },   { "5.3-rc1", true },
		{ "5.10.0-28-amd64", true },  { "10.0", true },	   { "5.2.21", false },
		{ "4.19.0-26-amd64", false }, { "3.10.0", false }, { "", false },
		{ "garbage\n", false },
	};
	char line[LINE];

	for (size_t i = 0; i < sizeof(releases) / sizeof(releases[0]); i++) {
		bool good = diagnose_kernel_release(releases[i].release, line, sizeof(line));

		ok(good == releases[i].good &&
			   (good || (strstr(line, "5.3 or later") && !strchr(line, '\n'))),
		   "Linux %zu %s", i, releases[i].good ? "will do" : "is too old");
	}
	ok(diagnose_kernel(line, sizeof(line)), "this kernel will do");
}

static bool can_trace(void)
{
	pid_t pid = child_doing(nothing);
	bool can = ptrace(PTRACE_SEIZE, pid, 0, 0) == 0;

	end_child(pid);
	return can;
}

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	if (!can_trace())
		skip_all("ptrace is forbidden here");
	test_fine();
	test_zombie();
	test_dead_leader();
	test_thread_id();
	test_kernel_thread();
	test_self();
	test_hostile_name();
	test_verdicts();
	test_kernel();
	test_gather();
	test_userns();
	test_rights();
	test_traced(false);
	test_traced(true);
	test_traced_by_us();
	test_own_tracer();
	return tap_done();
}
