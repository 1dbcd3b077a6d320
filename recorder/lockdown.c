/*
 * lockdown.c - frec's own seccomp filter and capabilities (contract in lockdown.h).
 *
 * The filter is a list of what is allowed; everything else fails with EPERM, which frec
 * treats as any failed call. It is laid out as a chain: number equal, then either "allow" or
 * a check of one argument.
 */
#include "lockdown.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/fs.h>
#include <linux/ptrace.h>
#include <linux/seccomp.h>

#if defined(__x86_64__)
#define OWN_ARCH AUDIT_ARCH_X86_64
#else
#define OWN_ARCH AUDIT_ARCH_AARCH64
#endif

void lockdown_capabilities(unsigned long long keep)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &head, data) < 0)
		return;
	for (unsigned i = 0; i < 2; i++) {
		uint32_t mask = (uint32_t)(keep >> (32 * i));

		data[i].effective &= mask;
		data[i].permitted &= mask;
		data[i].inheritable &= mask;
	}
	syscall(SYS_capset, &head, data);
}

/* clang-format off */
static const uint16_t allowed[] = {
	SYS_wait4, SYS_waitid, SYS_process_vm_readv, SYS_kcmp, SYS_pidfd_open, SYS_pidfd_getfd,
	SYS_read, SYS_write, SYS_readv, SYS_writev, SYS_pread64, SYS_pwrite64, SYS_close, SYS_lseek,
	SYS_fstat, SYS_fstatfs, SYS_newfstatat, SYS_statx, SYS_readlinkat, SYS_getdents64,
	SYS_faccessat, SYS_fdatasync, SYS_fsync, SYS_msync, SYS_ftruncate, SYS_fallocate, SYS_flock,
	SYS_unlinkat, SYS_fcntl,
	SYS_munmap, SYS_mremap, SYS_brk, SYS_madvise, SYS_futex,
	SYS_clock_gettime, SYS_clock_nanosleep, SYS_nanosleep, SYS_gettimeofday,
	SYS_rt_sigaction, SYS_rt_sigprocmask, SYS_rt_sigreturn, SYS_rt_sigtimedwait,
	SYS_sigaltstack, SYS_restart_syscall, SYS_exit, SYS_exit_group, SYS_getpid, SYS_gettid,
	SYS_getuid, SYS_geteuid,
	SYS_sched_setaffinity, SYS_sched_getaffinity, SYS_sched_getscheduler, SYS_sched_yield,
	SYS_getcpu, SYS_timer_settime, SYS_timer_delete,
	SYS_getsockopt, SYS_getsockname, SYS_getpeername, SYS_sendto, SYS_sendmsg,
	SYS_ppoll, SYS_epoll_ctl, SYS_epoll_pwait, SYS_timerfd_settime, SYS_timerfd_gettime,
	SYS_getrandom, SYS_uname, SYS_sysinfo, SYS_prlimit64, SYS_getrusage,
	SYS_set_robust_list, SYS_rseq, SYS_membarrier, SYS_capset, SYS_capget,
#if defined(__x86_64__)
	SYS_stat, SYS_lstat, SYS_readlink, SYS_access, SYS_unlink, SYS_poll, SYS_epoll_wait,
	SYS_time, SYS_arch_prctl,
#endif
};

/* The only requests that recording takes: nothing that writes to a tracee. */
static const uint32_t ptrace_requests[] = {
	PTRACE_SEIZE, PTRACE_INTERRUPT, PTRACE_LISTEN, PTRACE_CONT, PTRACE_SYSCALL, PTRACE_DETACH,
	PTRACE_GETEVENTMSG, PTRACE_GETSIGINFO, PTRACE_GET_SYSCALL_INFO, PTRACE_PEEKDATA,
	PTRACE_PEEKUSER,
};
/* clang-format on */

/* Is it a terminal, how wide, and whose foreground; clone a file for --keep. */
static const uint32_t ioctl_requests[] = { TCGETS, TIOCGWINSZ, TIOCGPGRP, FICLONE };

struct program {
	struct sock_filter insn[400];
	unsigned n;
};

static void add(struct program *p, uint16_t code, uint8_t jt, uint8_t jf, uint32_t k)
{
	p->insn[p->n++] = (struct sock_filter){ code, jt, jf, k };
}

static void load(struct program *p, size_t off)
{
	add(p, BPF_LD | BPF_W | BPF_ABS, 0, 0, (uint32_t)off);
}

static void allow(struct program *p) { add(p, BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW); }

static void refuse(struct program *p) { add(p, BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | EPERM); }

#define ARG_LO(i) offsetof(struct seccomp_data, args[i]) /* little-endian */

/* If nr: the masked argument must equal want. */
static void need(struct program *p, uint32_t nr, unsigned arg, uint32_t mask, uint32_t want)
{
	add(p, BPF_JMP | BPF_JEQ | BPF_K, 0, 5, nr);
	load(p, ARG_LO(arg));
	add(p, BPF_ALU | BPF_AND | BPF_K, 0, 0, mask);
	add(p, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, want);
	allow(p);
	refuse(p);
}

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

/* If nr: the argument must be one of n values. */
static void need_any(struct program *p, uint32_t nr, unsigned arg, const uint32_t *values,
		     unsigned n)
{
	add(p, BPF_JMP | BPF_JEQ | BPF_K, 0, (uint8_t)(n + 3), nr);
	load(p, ARG_LO(arg));
	for (unsigned i = 0; i < n; i++)
		add(p, BPF_JMP | BPF_JEQ | BPF_K, (uint8_t)(n - i), 0, values[i]);
	refuse(p);
	allow(p);
}

static void begin(struct program *p)
{
	p->n = 0;
	load(p, offsetof(struct seccomp_data, arch));
	add(p, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, OWN_ARCH);
	refuse(p);
	load(p, offsetof(struct seccomp_data, nr));
}

static void allow_all(struct program *p, const uint16_t *numbers, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		add(p, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, numbers[i]);
		allow(p);
	}
}

/* Refuses all else, for all threads. Undumpable: no core, and nobody of the same uid may trace
 * this process. Limits are left alone. */
static int install(struct program *p)
{
	struct sock_fprog prog;

	refuse(p);
	prog.len = (unsigned short)p->n;
	prog.filter = p->insn;
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -1;
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &prog) != 0)
		return -1;
	return 0;
}

int lockdown_filter(int keep_dirfd)
{
	static struct program p;
	const uint32_t writes = O_WRONLY | O_RDWR | O_CREAT | O_TRUNC | O_APPEND;

	if (SANITIZED)
		return 0;
	begin(&p);
	need_any(&p, SYS_ptrace, 0, ptrace_requests,
		 sizeof(ptrace_requests) / sizeof(*ptrace_requests));
	/* hot calls first: the list begins with what each stop takes */
	allow_all(&p, allowed, sizeof(allowed) / sizeof(*allowed));
	if (keep_dirfd >= 0) {
		/* arg 0 is the folder: any flags, else fall through to the check for all */
		add(&p, BPF_JMP | BPF_JEQ | BPF_K, 0, 4, SYS_openat);
		load(&p, ARG_LO(0));
		add(&p, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, (uint32_t)keep_dirfd);
		allow(&p);
		load(&p, offsetof(struct seccomp_data, nr));
		need(&p, SYS_renameat, 2, UINT32_MAX, (uint32_t)keep_dirfd);
	}
	need(&p, SYS_openat, 2, writes, 0);
#if defined(__x86_64__)
	need(&p, SYS_open, 1, writes, 0);
#endif
	need(&p, SYS_mmap, 2, PROT_EXEC, 0);
	need(&p, SYS_mprotect, 2, PROT_EXEC, 0);
	need_any(&p, SYS_ioctl, 1, ioctl_requests,
		 sizeof(ioctl_requests) / sizeof(*ioctl_requests));
	need(&p, SYS_tgkill, 0, UINT32_MAX, (uint32_t)getpid());
	need(&p, SYS_prctl, 0, UINT32_MAX, PR_SET_NAME);
	return install(&p);
}

int lockdown_front(pid_t recorder)
{
	static const uint16_t calls[] = {
		/* clang-format off */
		SYS_rt_sigtimedwait, SYS_rt_sigprocmask, SYS_rt_sigaction, SYS_rt_sigreturn,
		SYS_restart_syscall, SYS_read, SYS_wait4, SYS_getpid, SYS_gettid, SYS_getsid,
		SYS_exit, SYS_exit_group,
		/* clang-format on */
	};
	static const uint32_t ioctls[] = { TIOCGPGRP, TIOCSPGRP };
	static struct program p;

	if (SANITIZED)
		return 0;
	begin(&p);
	allow_all(&p, calls, sizeof(calls) / sizeof(*calls));
	/* the recorder any signal, others only SIGCONT */
	add(&p, BPF_JMP | BPF_JEQ | BPF_K, 0, 6, SYS_kill);
	load(&p, ARG_LO(0));
	add(&p, BPF_JMP | BPF_JEQ | BPF_K, 2, 0, (uint32_t)recorder);
	load(&p, ARG_LO(1));
	add(&p, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, SIGCONT);
	allow(&p);
	refuse(&p);
	need(&p, SYS_tgkill, 0, UINT32_MAX, (uint32_t)getpid());
	need(&p, SYS_prlimit64, 1, UINT32_MAX, RLIMIT_CORE);
	need_any(&p, SYS_ioctl, 1, ioctls, sizeof(ioctls) / sizeof(*ioctls));
	return install(&p);
}
