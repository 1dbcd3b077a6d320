/*
 * diagnose.c - says in one line why a process cannot be traced, who is in the way, and what helps.
 */
#include "diagnose.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "procinfo.h"
#include "shown.h"

#define CAP_SYS_PTRACE_BIT 19
#define TRACER_CHAIN_MAX   64 /* a chain of tracers this long is not followed further */

#define BY_ROOT                                                                                    \
	"run it with sudo frec, or once: sudo setcap cap_sys_ptrace+ep \"$(command -v frec)\""

/* ---- the facts ----------------------------------------------------------------------------- */

static struct diagnose_who who(pid_t pid)
{
	struct diagnose_who w = { .pid = pid };
	struct proc_status status;
	struct proc_stat st;

	/* a tracer is named by its thread: what people know is the process */
	if (pid && proc_status(pid, &status))
		w.pid = status.tgid;
	if (w.pid && proc_stat(w.pid, &st))
		memcpy(w.name, st.comm, sizeof(w.name));
	return w;
}

/* Calls fn for each thread of pid until it returns true; returns whether one did. */
static bool any_thread(pid_t pid, bool (*fn)(pid_t tid, void *arg), void *arg)
{
	char path[64];
	struct dirent *e;
	bool found = false;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	d = opendir(path);
	if (!d)
		return false;
	while (!found && (e = readdir(d)) != NULL) {
		pid_t tid = (pid_t)strtol(e->d_name, NULL, 10);

		if (tid > 0)
			found = fn(tid, arg);
	}
	closedir(d);
	return found;
}

static bool is_alive(pid_t tid, void *arg)
{
	struct proc_stat st;

	(void)arg;
	return proc_stat(tid, &st) && st.state != 'Z' && st.state != 'X' && st.state != 'x';
}

/* Somebody else's: frec may hold some threads of the process already. */
static bool has_tracer(pid_t tid, void *arg)
{
	struct proc_status s, tracer;

	if (!proc_status(tid, &s) || !s.tracer)
		return false;
	if (proc_status(s.tracer, &tracer) && tracer.tgid == getpid())
		return false;
	*(pid_t *)arg = s.tracer;
	return true;
}

/* Whether following "is traced by" from frec upwards meets the process tgid. */
static bool traces(pid_t tgid)
{
	pid_t at = getpid();

	for (int i = 0; i < TRACER_CHAIN_MAX; i++) {
		pid_t tracer = 0;

		if (!any_thread(at, has_tracer, &tracer))
			return false;
		at = who(tracer).pid;
		if (at == tgid)
			return true;
	}
	return false;
}

static int yama_scope(void)
{
	char text[16];
	FILE *f = fopen("/proc/sys/kernel/yama/ptrace_scope", "re");
	int scope = -1;

	if (!f)
		return -1;
	if (fgets(text, sizeof(text), f))
		scope = atoi(text);
	fclose(f);
	return scope;
}

static void gather_self(struct diagnose_facts *f)
{
	char status[16384];
	size_t len;
	const char *v;

	f->self = getpid();
	f->self_uid = getuid();
	f->yama = yama_scope();
	if (proc_status_text(f->self, status, sizeof(status)) <= 0)
		return;
	v = proc_status_line(status, "CapEff", &len);
	f->cap_sys_ptrace = v && (strtoull(v, NULL, 16) >> CAP_SYS_PTRACE_BIT & 1);
	v = proc_status_line(status, "Seccomp", &len);
	f->self_seccomp = v && *v != '0';
}

/* task_dump_owner() of the kernel: files of a process that may not be dumped are root's. */
static bool is_nondumpable(pid_t pid, uid_t euid)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	return euid != 0 && !stat(path, &st) && st.st_uid != euid;
}

/* Whether there is such a process or thread, whatever /proc shows. Not by kill(2), which frec
 * forbids itself when it records. The pidfd of a thread is refused with EINVAL or ENOENT. */
static bool exists(pid_t pid)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);

	if (fd >= 0)
		close(fd);
	return fd >= 0 || errno == EINVAL || errno == ENOENT;
}

static bool in_other_userns(pid_t pid)
{
	char theirs[64], ours[64];

	return proc_link(pid, "ns/user", theirs, sizeof(theirs)) > 0 &&
	       proc_link(getpid(), "ns/user", ours, sizeof(ours)) > 0 && strcmp(theirs, ours) != 0;
}

void diagnose_gather(pid_t pid, struct diagnose_facts *f)
{
	struct proc_status status;
	struct proc_stat st;
	pid_t tracer = 0;

	memset(f, 0, sizeof(*f));
	f->pid = pid;
	gather_self(f);
	if (!proc_stat(f->self, &st)) {
		f->no_proc = true;
		return;
	}
	if (!proc_status(pid, &status) || !proc_stat(status.tgid, &st)) {
		f->hidden = f->exists = exists(pid);
		return;
	}
	f->exists = true;
	memcpy(f->name, st.comm, sizeof(f->name));
	f->tgid = status.tgid;
	f->state = st.state;
	f->alive = any_thread(status.tgid, is_alive, NULL);
	f->kthread = status.kthread;
	f->nondumpable = is_nondumpable(pid, status.euid);
	f->other_userns = in_other_userns(pid);
	f->parent = who(st.ppid);
	if (any_thread(status.tgid, has_tracer, &tracer))
		f->tracer = who(tracer);
	f->uid = status.uid;
	f->euid = status.euid;
	f->traces_us = traces(status.tgid);
}

/* ---- what to say of them ------------------------------------------------------------------- */

__attribute__((format(printf, 4, 5))) static bool say(const struct diagnose_facts *f, char *err,
						      size_t cap, const char *fmt, ...)
{
	char what[768];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	if (*f->name)
		snprintf(err, cap, "pid %d (%s): %s", (int)f->pid, SHOWN(f->name), what);
	else
		snprintf(err, cap, "pid %d: %s", (int)f->pid, what);
	return false;
}

static const char *who_text(const struct diagnose_who *w, char *out, size_t cap)
{
	if (*w->name)
		snprintf(out, cap, "pid %d (%s)", (int)w->pid, SHOWN(w->name));
	else
		snprintf(out, cap, "pid %d", (int)w->pid);
	return out;
}

static const char *uid_text(uid_t uid, char *out, size_t cap)
{
	const char *name = user_name(uid);

	if (name)
		snprintf(out, cap, "%s", SHOWN(name));
	else
		snprintf(out, cap, "uid %u", uid);
	return out;
}

bool diagnose_verdict(const struct diagnose_facts *f, char *err, size_t cap)
{
	char w[300];

	*err = '\0';
	if (f->no_proc)
		return say(f, err, cap,
			   "/proc is not mounted, and frec sees processes only there; "
			   "mount -t proc proc /proc");
	if (!f->exists)
		return say(f, err, cap, "no such process; ps or pgrep shows the id");
	if (f->hidden)
		return say(f, err, cap, "not permitted: /proc hides it (hidepid); " BY_ROOT);
	if (f->tgid == f->self)
		return say(f, err, cap, "is frec itself; name the process to record");
	if (f->tgid != f->pid)
		return say(f, err, cap,
			   "is a thread of process %d; use -p %d, which records all its "
			   "threads",
			   (int)f->tgid, (int)f->tgid);
	if (f->kthread)
		return say(f, err, cap,
			   "is a kernel thread, which makes no system calls and cannot be "
			   "traced; leave it out");
	if (!f->alive)
		return say(f, err, cap,
			   "is a zombie: it has ended and only waits for its parent, %s, to "
			   "collect its status; leave it out, or record the parent with -p %d",
			   who_text(&f->parent, w, sizeof(w)), (int)f->parent.pid);
	if (f->traces_us)
		return say(f, err, cap,
			   "traces frec, and both would wait for each other for ever; run "
			   "frec outside of it");
	if (f->tracer.pid)
		return say(f, err, cap,
			   "is already traced by %s, and a process can have one tracer only; "
			   "end that one first",
			   who_text(&f->tracer, w, sizeof(w)));
	return true;
}

/* EPERM: the reasons in the order in which the kernel would have them decide. */
static void not_permitted(const struct diagnose_facts *f, char *err, size_t cap)
{
	char them[100], us[100];

	uid_text(f->euid, them, sizeof(them));
	uid_text(f->self_uid, us, sizeof(us));
	if (f->yama == 3) {
		say(f, err, cap,
		    "not permitted: kernel.yama.ptrace_scope is 3, which forbids tracing "
		    "to everybody, root too, until the next boot; boot with another value");
	} else if (f->cap_sys_ptrace && f->other_userns) {
		say(f, err, cap,
		    "not permitted: it lives in another user namespace, where frec's "
		    "CAP_SYS_PTRACE does not count; run frec as root of the host, outside of "
		    "containers");
	} else if (f->cap_sys_ptrace) {
		say(f, err, cap, "not permitted although frec has CAP_SYS_PTRACE: %s; %s",
		    f->self_seccomp ?
			    "a seccomp filter that frec was started under may forbid ptrace" :
			    "a tracer in another pid namespace, or a security module "
			    "(SELinux, AppArmor), is in the way",
		    f->self_seccomp ? "start frec outside of the container or sandbox" :
				      "look into the kernel's log, or run frec on the host");
	} else if (f->uid != f->self_uid || f->euid != f->self_uid) {
		say(f, err, cap,
		    "not permitted: it runs as %s, frec as %s without CAP_SYS_PTRACE; " BY_ROOT,
		    them, us);
	} else if (f->nondumpable) {
		say(f, err, cap,
		    "not permitted: it is not dumpable (set-id or privileged program, or "
		    "prctl PR_SET_DUMPABLE), so that tracing takes CAP_SYS_PTRACE; " BY_ROOT);
	} else if (f->yama > 0) {
		say(f, err, cap,
		    "not permitted: kernel.yama.ptrace_scope is %d, which %s without "
		    "CAP_SYS_PTRACE; " BY_ROOT,
		    f->yama,
		    f->yama == 1 ? "allows tracing only of one's own children" : "forbids tracing");
	} else {
		say(f, err, cap, "not permitted, and frec has no CAP_SYS_PTRACE; " BY_ROOT);
	}
}

void diagnose_refusal(const struct diagnose_facts *f, int error, char *err, size_t cap)
{
	/* what was true before may have changed since: another tracer, the process gone */
	if (!diagnose_verdict(f, err, cap))
		return;
	switch (error) {
	case EPERM:
	case EACCES:
		not_permitted(f, err, cap);
		return;
	case ESRCH:
		say(f, err, cap, "ended while frec attached to it");
		return;
	case ENOSYS:
		say(f, err, cap,
		    "ptrace is not there: a seccomp filter that frec was started under, "
		    "or a kernel without it; run frec on the host, outside of containers");
		return;
	default:
		say(f, err, cap, "cannot be traced: %s", strerror(error));
		return;
	}
}

bool diagnose_before_seize(pid_t pid, char *err, size_t cap)
{
	struct diagnose_facts f;

	diagnose_gather(pid, &f);
	return diagnose_verdict(&f, err, cap);
}

void diagnose_seize_failed(pid_t pid, int error, char *err, size_t cap)
{
	struct diagnose_facts f;

	diagnose_gather(pid, &f);
	diagnose_refusal(&f, error, err, cap);
}

bool diagnose_kernel_release(const char *release, char *err, size_t cap)
{
	int major = 0, minor = 0;

	if (sscanf(release, "%d.%d", &major, &minor) == 2 &&
	    (major > 5 || (major == 5 && minor >= 3)))
		return true;
	snprintf(err, cap,
		 "Linux %s: too old, frec needs 5.3 or later (PTRACE_GET_SYSCALL_INFO); use "
		 "strace on this host",
		 SHOWN(release));
	return false;
}

bool diagnose_kernel(char *err, size_t cap)
{
	struct utsname u;

	if (!uname(&u))
		return diagnose_kernel_release(u.release, err, cap);
	snprintf(err, cap, "uname: %s", strerror(errno));
	return false;
}
