/*
 * noise.c - random system calls with random arguments, at full speed, by several threads: pointers
 * into good memory, across its edges, to nowhere, to structures of pointers that overlap.
 *
 * `noise FOLDER SECONDS THREADS SEED` gives up its privileges, changes to FOLDER and prints one
 * line for each thread, "tid calls" (tests/e2e/noise.t), counting every call that it made between
 * the two calls of faccessat "/noise/begin" and "/noise/end", these included. Calls that would end
 * it, stop it for good or reach beyond its folder are left out.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define PAGE  4096u
#define PAGES 16u /* of good memory, with holes behind and in between */
#if defined(__x86_64__) && defined(__ILP32__)
#define NR_BIT 0x40000000u /* of x32 */
#define NR_TOP 548u
#else
#define NR_BIT 0u
#define NR_TOP 472u
#endif
#define FDS 100 /* the last lines go to FDS - 1, which value() never gives */

struct worker {
	pthread_t thread;
	pid_t tid;
	uint64_t calls, seed;
	char *arena;
	bool done;
};

static volatile bool over;
static bool left_out[NR_TOP];

/* By number, for what the ABI does not have is no macro. Each for one of these reasons: it ends or
 * replaces the thread or its memory, changes which signals wake it, waits for what nobody does,
 * makes another that is not counted, or concerns other processes. */
static const int numbers[] = {
	SYS_exit,
	SYS_exit_group,
	SYS_fork,
	SYS_vfork,
	SYS_clone,
	SYS_execve,
	SYS_rt_sigreturn,
	SYS_rt_sigaction,
	SYS_rt_sigprocmask,
	SYS_rt_sigsuspend,
	SYS_sigaltstack,
	SYS_pause,
	SYS_kill,
	SYS_tkill,
	SYS_tgkill,
	SYS_rt_sigqueueinfo,
	SYS_rt_tgsigqueueinfo,
	SYS_munmap,
	SYS_mmap,
	SYS_mremap,
	SYS_mprotect,
	SYS_brk,
	SYS_madvise,
	SYS_remap_file_pages,
	SYS_shmat,
	SYS_shmdt,
	SYS_mlockall,
	SYS_ptrace,
	SYS_prctl,
	SYS_futex,
	SYS_set_tid_address,
	SYS_set_robust_list,
	SYS_setrlimit,
	SYS_prlimit64,
	SYS_restart_syscall,
	SYS_pselect6,
	SYS_ppoll,
	SYS_epoll_pwait,
	SYS_signalfd4,
	SYS_vhangup,
	SYS_personality,
	SYS_setsid,
	SYS_setpgid,
	SYS_modify_ldt,
#ifdef SYS_set_thread_area
	SYS_set_thread_area,
#endif
	SYS_unshare,
	SYS_seccomp,
	SYS_sched_setaffinity,
	SYS_sched_setscheduler,
	SYS_sched_setparam,
	SYS_sched_setattr,
	SYS_setpriority,
	SYS_ioprio_set,
	SYS_chroot,
	SYS_sync,
	SYS_syncfs,
	SYS_rt_sigtimedwait,
	SYS_shmget,
	SYS_shmctl,
	SYS_semget,
	SYS_semctl,
	SYS_msgget,
	SYS_msgsnd,
	SYS_msgrcv,
	SYS_msgctl,
	SYS_mq_open,
	SYS_mq_unlink,
	SYS_add_key,
	SYS_request_key,
	SYS_keyctl,
	SYS_close,
	SYS_dup2,
	SYS_dup3,
	SYS_clone3,
	SYS_rseq,
	SYS_pkey_mprotect,
	SYS_userfaultfd,
	SYS_execveat,
	SYS_wait4,
	SYS_waitid,
	SYS_process_vm_writev,
	SYS_mlock,
	SYS_mlock2,
	SYS_fcntl,
	SYS_ioctl,
	SYS_landlock_restrict_self,
	SYS_memfd_secret,
	SYS_process_madvise,
	SYS_bpf,
	SYS_perf_event_open,
	SYS_io_pgetevents,
	SYS_swapon,
	SYS_reboot,
	SYS_fsync,
	SYS_fdatasync,
	SYS_msync,
	SYS_sync_file_range,
	436 /* close_range */,
	434 /* pidfd_open: other processes */,
	424,
	438,
	441 /* epoll_pwait2 */,
	449,
	453,
	454,
	455,
	456,
	462,
#ifdef SYS_arch_prctl
	SYS_arch_prctl,
#endif
#if !defined(__i386__)
	SYS_semop,
	SYS_semtimedop,
	335,
	336,
#else
	SYS_signal,
	SYS_sigaction,
	SYS_sigsuspend,
	SYS_sigprocmask,
	SYS_sigreturn,
	SYS_ssetmask,
	SYS_ipc,
	SYS_vm86,
	SYS_vm86old,
	SYS_waitpid,
	SYS_nice,
	SYS_fcntl64,
	SYS_ppoll_time64,
	SYS_pselect6_time64,
	SYS_io_pgetevents_time64,
	SYS_rt_sigtimedwait_time64,
	SYS_futex_time64,
	SYS_mmap2,
	SYS_signalfd,
	SYS_semtimedop_time64,
#endif
#ifdef SYS_signalfd
	SYS_signalfd,
#endif
};

static void die(const char *what)
{
	fprintf(stderr, "noise: %s: %s\n", what, strerror(errno));
	_exit(99);
}

static uint64_t roll(struct worker *w)
{
	w->seed ^= w->seed << 13;
	w->seed ^= w->seed >> 7;
	w->seed ^= w->seed << 17;
	return w->seed;
}

/* A value that the kernel may take for a pointer, a length, an fd, flags. */
static long value(struct worker *w)
{
	static const long odd[] = { 0,
				    -1,
				    1,
				    2,
				    8,
				    16,
				    0x10,
				    4095,
				    4096,
				    4097,
				    -4096,
				    0x7fffffff,
				    (long)0x80000000,
				    AT_FDCWD,
				    0x80000,
				    0x800,
				    1024,
				    1025,
				    65536 };
	uint64_t r = roll(w);

	switch (r & 7) {
	case 0:
		return odd[r / 8 % (sizeof(odd) / sizeof(odd[0]))];
	case 1:
		return (long)(r / 8 % 40); /* an fd, maybe */
	case 2:				   /* at the end of what is readable */
		return (long)(uintptr_t)(w->arena + PAGES * PAGE - r / 8 % 70);
	case 3: /* around the hole in the middle */
		return (long)(uintptr_t)(w->arena + PAGES / 2 * PAGE - 40 + r / 8 % 80);
	case 4:
		return (long)(r / 8 % 80);
	default:
		return (long)(uintptr_t)(w->arena + (r / 8 % (PAGES * PAGE) & ~7ul));
	}
}

/* Strings, lengths, fds and pointers to more of them, so that structures have some sense. */
static void fill(struct worker *w)
{
	static const char *const names[] = { "a", "b", "d/x",	"d", "\xff\x1b[31m\n",
					     "",  "l", "e/../a" };

	for (unsigned page = 0; page < PAGES; page++) {
		char *p = w->arena + page * PAGE;

		if (page == PAGES / 2)
			continue;
		for (unsigned i = 0; i + 16 <= PAGE; i += 16) {
			uint64_t r = roll(w);

			if (r & 1) {
				strcpy(p + i, names[r / 2 % (sizeof(names) / sizeof(names[0]))]);
			} else {
				long v[16 / sizeof(long)];

				for (unsigned k = 0; k < 16 / sizeof(long); k++)
					v[k] = value(w);
				memcpy(p + i, v, 16);
			}
		}
	}
}

static void *work(void *arg)
{
	struct worker *w = arg;
	unsigned until_fill = 0;

	w->tid = (pid_t)syscall(SYS_gettid);
	w->arena = mmap(NULL, (PAGES + 1) * PAGE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (w->arena == MAP_FAILED || mprotect(w->arena + PAGES / 2 * PAGE, PAGE, PROT_NONE) != 0 ||
	    mprotect(w->arena + PAGES * PAGE, PAGE, PROT_NONE) != 0)
		die("mmap");
	fill(w);
	syscall(SYS_faccessat, AT_FDCWD, "/noise/begin", F_OK);
	w->calls = 2; /* and the last one */
	while (!over) {
		unsigned nr = (unsigned)(roll(w) % NR_TOP);

		if (left_out[nr])
			continue;
		if (!until_fill--) {
			fill(w);
			until_fill = 200;
			/* so that not all are taken */
			syscall(NR_BIT + 436 /* close_range */, 8 + (unsigned)(roll(w) % 30),
				FDS - 2, 0);
			w->calls++;
		}
		syscall((long)(NR_BIT + nr), value(w), value(w), value(w), value(w), value(w),
			value(w));
		w->calls++;
	}
	syscall(SYS_faccessat, AT_FDCWD, "/noise/end", F_OK);
	w->done = true;
	return NULL;
}

static void woken(int sig) { (void)sig; }

int main(int argc, char **argv)
{
	struct sigaction sa = { .sa_handler = woken }; /* no SA_RESTART: a call that waits ends */
	struct rlimit files = { FDS, FDS }, size = { 1 << 20, 1 << 20 };
	struct worker workers[16] = { 0 };
	unsigned n = argc > 3 ? (unsigned)atoi(argv[3]) : 2;
	struct timespec now, end;
	bool all = false;

	if (argc < 5 || n < 1 || n > 16 || chdir(argv[1]) != 0)
		die("usage: noise FOLDER SECONDS THREADS SEED");
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (numbers[i] >= 0 && ((unsigned)numbers[i] & ~NR_BIT) < NR_TOP)
			left_out[(unsigned)numbers[i] & ~NR_BIT] = true;
	if (geteuid() == 0 &&
	    (chown(".", 65534, 65534) != 0 || setgroups(0, NULL) != 0 ||
	     setresgid(65534, 65534, 65534) != 0 || setresuid(65534, 65534, 65534) != 0))
		die("giving up privileges");
	if (dup2(1, FDS - 1) < 0 || !freopen("/dev/null", "r", stdin) ||
	    !freopen("/dev/null", "w", stdout) || mkdir("d", 0755) != 0 || mkdir("e", 0755) != 0)
		die(argv[1]);
	setrlimit(RLIMIT_NOFILE, &files);
	setrlimit(RLIMIT_FSIZE, &size);
	setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
	for (int sig = 1; sig < 32; sig++)
		if (sig != SIGSEGV && sig != SIGBUS && sig != SIGILL && sig != SIGTERM &&
		    sig != SIGFPE && sig != SIGABRT)
			sigaction(sig, &sa, NULL);
	if (!freopen("/dev/null", "w", stderr))
		_exit(97);
	for (unsigned i = 0; i < n; i++) {
		workers[i].seed = strtoull(argv[4], NULL, 0) * 2654435761u + i + 1;
		if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0)
			die("pthread_create");
	}
	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += atoi(argv[2]);
	while (!all) {
		nanosleep(&(struct timespec){ 0, 5000000 }, NULL);
		clock_gettime(CLOCK_MONOTONIC, &now);
		over = now.tv_sec > end.tv_sec ||
		       (now.tv_sec == end.tv_sec && now.tv_nsec >= end.tv_nsec);
		all = true;
		for (unsigned i = 0; i < n; i++) {
			all &= workers[i].done;
			if (workers[i].tid && !workers[i].done)
				syscall(SYS_tgkill, getpid(), workers[i].tid, SIGUSR1);
		}
	}
	for (unsigned i = 0; i < n; i++) {
		char line[64];
		int len = snprintf(line, sizeof(line), "%d %llu\n", workers[i].tid,
				   (unsigned long long)workers[i].calls);

		if (write(FDS - 1, line, (size_t)len) != len)
			_exit(98);
	}
	_exit(0);
}
