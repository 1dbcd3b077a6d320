/* seccomp.c - the target's own filters and its own tracing; calls of another ABI. */
#include "hazard.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>

/* A filter with one verdict for getppid and another for getpgrp; everything else passes. */
static long filter(uint32_t for_getppid, uint32_t for_getpgrp, unsigned flags)
{
	struct sock_filter insn[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, for_getppid),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getpgrp, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, for_getpgrp),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { sizeof(insn) / sizeof(insn[0]), insn };

	MUST(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	return MUST(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &prog));
}

static void own_errno(void)
{
	IS(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 0);
	filter(SECCOMP_RET_ERRNO | 77, SECCOMP_RET_ERRNO | 1, 0);
	for (int i = 0; i < 3; i++) {
		IS(syscall(SYS_getppid), -1);
		IS(errno, 77);
		IS(syscall(SYS_getpgrp), -1);
		IS(errno, EPERM);
	}
	IS(prctl(PR_GET_SECCOMP), 2);
	/* a second filter, stricter */
	filter(SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO | 78, 0);
	IS(syscall(SYS_getpgrp), -1);
	say("getpgrp: %d", errno);
	IS(syscall(SYS_getppid), -1);
	IS(errno, 77);
}

static void killed_by_filter(void *arg)
{
	filter((uint32_t)(uintptr_t)arg, SECCOMP_RET_ALLOW, 0);
	syscall(SYS_getppid);
	_exit(3);
}

static void *thread_killed(void *arg)
{
	syscall(SYS_getppid);
	return arg;
}

static void thread_killed_child(void *arg)
{
	pthread_t t;

	(void)arg;
	filter(SECCOMP_RET_KILL_THREAD, SECCOMP_RET_ALLOW, 0);
	IS(pthread_create(&t, NULL, thread_killed, NULL), 0);
	pthread_join(t, NULL);
	_exit(19);
}

static void own_kill(void)
{
	void *process = (void *)(uintptr_t)SECCOMP_RET_KILL_PROCESS;
	void *thread = (void *)(uintptr_t)SECCOMP_RET_KILL_THREAD;

	say("process: %s", status_text(reap(child(killed_by_filter, process)) & ~0x80));
	say("only thread: %s", status_text(reap(child(killed_by_filter, thread)) & ~0x80));
	say("one thread: %s", status_text(reap(child(thread_killed_child, NULL)) & ~0x80));
}

static siginfo_t trapped;
static volatile int traps;

static void on_sys(int sig, siginfo_t *si, void *context)
{
	(void)sig, (void)context;
	trapped = *si;
	traps++;
}

static void own_trap(void)
{
	handle(SIGSYS, on_sys, 0);
	filter(SECCOMP_RET_TRAP | 99, SECCOMP_RET_ALLOW, 0);
	for (int i = 1; i < 5; i++) {
		syscall(SYS_getppid);
		IS(traps, i);
		IS(trapped.si_signo, SIGSYS);
		IS(trapped.si_code, 1); /* SYS_SECCOMP */
		IS(trapped.si_errno, 99);
		IS(trapped.si_syscall, SYS_getppid);
	}
}

/* RET_TRACE without a tracer that asked for it fails the call. */
static void own_trace(void)
{
	filter(SECCOMP_RET_TRACE | 5, SECCOMP_RET_ALLOW, 0);
	IS(syscall(SYS_getppid), -1);
	IS(errno, ENOSYS);
}

static void *allowed_thread(void *arg)
{
	while (!*(volatile int *)arg)
		usleep(500);
	return (void *)(intptr_t)(syscall(SYS_getppid) == -1 ? errno : 0);
}

/* SECCOMP_FILTER_FLAG_TSYNC puts the filter on threads that run already. */
static void own_tsync(void)
{
	int go = 0;
	pthread_t t;
	void *got;

	IS(pthread_create(&t, NULL, allowed_thread, &go), 0);
	filter(SECCOMP_RET_ERRNO | 55, SECCOMP_RET_ALLOW, SECCOMP_FILTER_FLAG_TSYNC);
	*(volatile int *)&go = 1;
	pthread_join(t, &got);
	IS(got, 55);
}

static void *supervised(void *arg)
{
	int *fd = arg;

	fd[0] = (int)filter(SECCOMP_RET_USER_NOTIF, SECCOMP_RET_ALLOW,
			    SECCOMP_FILTER_FLAG_NEW_LISTENER);
	return (void *)(intptr_t)syscall(SYS_getppid);
}

/* A supervisor answers for the call. */
static void own_supervisor(void)
{
	struct seccomp_notif req = { 0 };
	struct seccomp_notif_resp resp = { 0 };
	int fd[1] = { -1 };
	pthread_t t;
	void *got;

	IS(pthread_create(&t, NULL, supervised, fd), 0);
	while (*(volatile int *)fd < 0)
		usleep(500);
	MUST(ioctl(fd[0], SECCOMP_IOCTL_NOTIF_RECV, &req));
	IS(req.data.nr, SYS_getppid);
	resp.id = req.id;
	resp.val = 4321;
	MUST(ioctl(fd[0], SECCOMP_IOCTL_NOTIF_SEND, &resp));
	pthread_join(t, &got);
	IS(got, 4321);
}

static void strict_child(void *arg)
{
	ssize_t n;

	MUST(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT));
	n = write(1, "strict\n", 7);
	if (arg)
		syscall(SYS_getppid);
	syscall(SYS_exit, n == 7 ? 14 : 1);
}

static void own_strict(void)
{
	say("%s", status_text(reap(child(strict_child, NULL))));
	say("%s", status_text(reap(child(strict_child, (void *)1))));
}

/* ---- a target that traces another process ---- */

static void debuggee(void *arg)
{
	(void)arg;
	MUST(ptrace(PTRACE_TRACEME, 0, NULL, NULL));
	raise(SIGSTOP);
	for (int i = 0; i < 5; i++)
		syscall(SYS_getpgrp);
	raise(SIGUSR1);
	_exit(23);
}

static void traces_itself(void)
{
	pid_t pid = child(debuggee, NULL);
	int status, stops = 0, got_usr1 = 0;

	IS(waitpid(pid, &status, 0), pid);
	say("%s", status_text(status));
	MUST(ptrace(PTRACE_SETOPTIONS, pid, NULL, (void *)PTRACE_O_TRACESYSGOOD));
	MUST(ptrace(PTRACE_SYSCALL, pid, NULL, NULL));
	while (waitpid(pid, &status, 0) == pid && WIFSTOPPED(status)) {
		struct user_regs_struct regs;

		if (WSTOPSIG(status) == (SIGTRAP | 0x80)) {
			MUST(ptrace(PTRACE_GETREGS, pid, NULL, &regs));
			stops += regs.orig_rax == SYS_getpgrp;
		} else if (WSTOPSIG(status) == SIGUSR1) {
			got_usr1++; /* and not passed on */
		}
		MUST(ptrace(PTRACE_SYSCALL, pid, NULL, NULL));
	}
	say("%s", status_text(status));
	IS(stops, 10);
	IS(got_usr1, 1);
}

/* ---- other ABIs in one process ---- */

#if defined(__x86_64__)
static long int80(long nr, long a, long b, long c)
{
	long r;

	__asm__ volatile("int $0x80"
			 : "=a"(r)
			 : "a"(nr), "b"(a), "c"(b), "d"(c)
			 : "memory", "r8", "r9", "r10", "r11");
	return r;
}

/* i386 numbers from 64-bit code: 20 getpid, 6 close, 39 mkdir. */
static void int_0x80(void)
{
	for (int i = 0; i < 50; i++) {
		IS(int80(20, 0, 0, 0), getpid());
		IS(int80(6, 999, 0, 0), -EBADF);
		IS(int80(39, 8, 0, 0), -EFAULT);
		IS(syscall(SYS_getpid), getpid());
		IS(int80(9999, 0, 0, 0), -ENOSYS);
	}
}

/* Numbers with the x32 bit; a kernel without x32 says ENOSYS, traced or not. */
static void x32_numbers(void)
{
	long r = syscall(0x40000000L | SYS_getpid);

	say("x32 getpid: %s", r == getpid() ? "its pid" :
			      r == -1	    ? strerrorname_np(errno) :
					      "another value");
	r = syscall(0x40000000L | SYS_close, 999);
	say("x32 close: %s", r == -1 ? strerrorname_np(errno) : "no error");
}
#else
static void int_0x80(void) {}
static void x32_numbers(void) {}
#endif

const struct hazard hazards_seccomp[] = {
	{ "seccomp-errno", own_errno, "" },
	{ "seccomp-kill", own_kill, "" },
	{ "seccomp-trap", own_trap, "" },
	{ "seccomp-trace", own_trace, "nofilter" },
	{ "seccomp-tsync", own_tsync, "" },
	{ "seccomp-supervisor", own_supervisor, "" },
	{ "seccomp-strict", own_strict, "nofilter" },
	{ "target-traces", traces_itself, "nofollow" },
	{ "int-0x80", int_0x80, "" },
	{ "x32-numbers", x32_numbers, "" },
	{ NULL, NULL, NULL },
};
