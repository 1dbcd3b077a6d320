/*
 * diagnose.h - why a process cannot be traced, in one line that names it and the remedy.
 *
 * What is so is gathered first (diagnose_gather), what to say of it decided by functions that
 * look at nothing else, so that every verdict can be tested on any host.
 */
#ifndef FREC_DIAGNOSE_H
#define FREC_DIAGNOSE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Before PTRACE_SEIZE: no such process, a zombie, a kernel thread, frec itself, frec's own
 * tracer, already traced (by whom). True: go on. False: line in err, which names the pid. */
bool diagnose_before_seize(pid_t pid, char *err, size_t cap);
/* After PTRACE_SEIZE of a live thread of process pid failed with `error` (errno value; for a thread
 * that has become a zombie the kernel says EPERM too: look at its state first): reads TracerPid,
 * uids, CAP_SYS_PTRACE, Yama's ptrace_scope, and names the one in the way and the setcap or sudo
 * that helps. */
void diagnose_seize_failed(pid_t pid, int error, char *err, size_t cap);
/* PTRACE_GET_SYSCALL_INFO needs Linux 5.3: false with a line when the running kernel is older. */
bool diagnose_kernel(char *err, size_t cap);
/* The same for a given uname(2) release text. */
bool diagnose_kernel_release(const char *release, char *err, size_t cap);

struct diagnose_who {
	pid_t pid;
	char name[64];
}; /* pid 0: nobody */

/* All that a verdict depends on. Names are as the kernel has them, not escaped. */
struct diagnose_facts {
	/* the target */
	pid_t pid;
	bool exists; /* there is such a process or thread */
	bool hidden; /* it exists, but /proc does not show it (hidepid) */
	char name[64];
	pid_t tgid; /* != pid: a thread of that process */
	char state; /* of its leader, proc_pid_stat(5) */
	bool alive; /* some thread of it is not a zombie */
	bool kthread, nondumpable, other_userns;
	struct diagnose_who parent, tracer;
	uid_t uid, euid;
	/* frec */
	pid_t self;
	bool traces_us;	     /* the target is frec's tracer, or that one's, and so on */
	bool cap_sys_ptrace; /* effective */
	bool self_seccomp;   /* frec runs under a seccomp filter of somebody else's */
	uid_t self_uid;
	/* the host */
	bool no_proc; /* /proc is not mounted, nothing else is known */
	int yama;     /* kernel.yama.ptrace_scope; -1: no Yama */
};

void diagnose_gather(pid_t pid, struct diagnose_facts *f);
/* True: nothing is known to be in the way. */
bool diagnose_verdict(const struct diagnose_facts *f, char *err, size_t cap);
void diagnose_refusal(const struct diagnose_facts *f, int error, char *err, size_t cap);

#endif
