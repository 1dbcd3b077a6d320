/* siginfo.c - what a signal says of itself: faults, traps, children, files, timers. */
#include "hazard.h"

#include <fcntl.h>
#include <setjmp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <ucontext.h>

static siginfo_t last;
static volatile sig_atomic_t hits;
static sigjmp_buf out;

static void caught(int sig, siginfo_t *si, void *context)
{
	(void)sig, (void)context;
	last = *si;
	hits++;
}

static void caught_jump(int sig, siginfo_t *si, void *context)
{
	caught(sig, si, context);
	siglongjmp(out, 1);
}

/* clang-format off */
#define FAULTS(statement) (sigsetjmp(out, 1) ? true : ({ statement; false; }))
/* clang-format on */

/* Faults that the processor raises: number, code and address. */
static void faults(void)
{
	volatile char *page = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	volatile int zero = 0, result = 12345;
	char name[] = "/tmp/hazard-XXXXXX";
	volatile char *past;
	int fd;

	handle(SIGSEGV, caught_jump, 0);
	handle(SIGBUS, caught_jump, 0);
	handle(SIGFPE, caught_jump, 0);
	handle(SIGILL, caught_jump, 0);

	CHECK(FAULTS(*(volatile int *)16 = 1));
	IS(last.si_signo, SIGSEGV);
	IS(last.si_code, SEGV_MAPERR);
	IS(last.si_addr, 16);
	CHECK(FAULTS(page[5] = 1));
	IS(last.si_signo, SIGSEGV);
	IS(last.si_code, SEGV_ACCERR);
	CHECK(last.si_addr == (void *)(page + 5));
	CHECK(FAULTS(result = result / zero));
#if defined(__x86_64__)
	IS(last.si_signo, SIGFPE);
	IS(last.si_code, FPE_INTDIV);
	CHECK(FAULTS(__asm__ volatile("ud2")));
	IS(last.si_signo, SIGILL);
	IS(last.si_code, ILL_ILLOPN);
	CHECK(FAULTS(__asm__ volatile("hlt")));
	IS(last.si_signo, SIGSEGV);
	IS(last.si_code, SI_KERNEL);
#endif
	fd = (int)MUST(mkstemp(name));
	unlink(name);
	MUST(ftruncate(fd, 100));
	past = mmap(NULL, 8192, PROT_READ, MAP_SHARED, fd, 0);
	CHECK(past != MAP_FAILED);
	CHECK(FAULTS(result = past[4096]));
	IS(last.si_signo, SIGBUS);
	IS(last.si_code, BUS_ADRERR);
	CHECK(last.si_addr == (void *)(past + 4096));
	IS(result, 12345);
}

/* A fault inside a system call is EFAULT and no signal. */
static void efault(void)
{
	handle(SIGSEGV, caught, 0);
	IS(syscall(SYS_openat, AT_FDCWD, (char *)8, O_RDONLY), -1);
	IS(errno, EFAULT);
	IS(syscall(SYS_write, 1, (char *)8, 10), -1);
	IS(errno, EFAULT);
	IS(syscall(SYS_execve, (char *)8, NULL, NULL), -1);
	IS(errno, EFAULT);
	IS(syscall(SYS_execve, "/bin/true", (char **)8, NULL), -1);
	IS(errno, EFAULT);
	IS(syscall(SYS_renameat2, AT_FDCWD, "x", -5, (char *)-1, 0), -1);
	say("renameat2: %s", strerrorname_np(errno));
	IS(syscall(SYS_writev, 1, (void *)8, 3), -1);
	IS(errno, EFAULT);
	IS(syscall(SYS_writev, 1, &last, -1), -1);
	IS(errno, EINVAL);
	IS(syscall(SYS_openat2, AT_FDCWD, "/", (void *)8, 24), -1);
	IS(errno, EFAULT);
	IS(syscall(SYS_clone3, (void *)8, 64), -1);
	IS(errno, EFAULT);
	IS(syscall(SYS_close, -1), -1);
	IS(errno, EBADF);
	IS(syscall(99999), -1);
	IS(errno, ENOSYS);
	IS(syscall(-1L), -1);
	IS(errno, ENOSYS);
	IS(syscall(0x7fffffffL), -1);
	IS(errno, ENOSYS);
	IS(hits, 0);
}

/* ---- traps of the target's own ---- */

#if defined(__x86_64__)
static volatile int steps;
static uintptr_t trap_at;

static void on_trap(int sig, siginfo_t *si, void *context)
{
	caught(sig, si, context);
	trap_at = (uintptr_t)((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
}

static void on_step(int sig, siginfo_t *si, void *context)
{
	ucontext_t *u = context;

	(void)sig;
	if (si->si_code == TRAP_TRACE)
		steps++;
	if (steps == 100)
		u->uc_mcontext.gregs[REG_EFL] &= ~0x100LL;
}

static void breakpoint(void)
{
	uintptr_t want;

	handle(SIGTRAP, on_trap, 0);
	for (int i = 0; i < 20; i++) {
		__asm__ volatile("int3\n1: lea 1b(%%rip), %0" : "=r"(want));
		IS(hits, i + 1);
		IS(last.si_signo, SIGTRAP);
		IS(last.si_code, SI_KERNEL);
		CHECK(trap_at == want);
		getppid();
	}
	MUST(raise(SIGTRAP));
	IS(hits, 21);
	IS(last.si_code, SI_TKILL);
	IS(last.si_pid, getpid());
	MUST(kill(getpid(), SIGTRAP));
	IS(hits, 22);
	IS(last.si_code, SI_USER);
}

/* Single-stepping itself by the trap flag, across system calls. */
static void single_step(void)
{
	handle(SIGTRAP, on_step, 0);
	__asm__ volatile("pushf\n orl $0x100, (%%rsp)\n popf" ::: "memory", "cc");
	for (volatile int i = 0; i < 10 && steps < 100; i++)
		getppid();
	for (volatile int i = 0; i < 200 && steps < 100; i++)
		;
	IS(steps, 100);
}
#else
static void breakpoint(void) {}
static void single_step(void) {}
#endif

static void trap_dies(void *arg)
{
	(void)arg;
	raise(SIGTRAP);
}

static void int3_dies(void *arg)
{
	(void)arg;
#if defined(__x86_64__)
	__asm__ volatile("int3");
#else
	raise(SIGTRAP);
#endif
}

static void trap_ignored(void *arg)
{
	(void)arg;
	signal(SIGTRAP, SIG_IGN);
	raise(SIGTRAP);
	_exit(5);
}

static void traps_by_default(void)
{
	say("raise: %s", status_text(reap(child(trap_dies, NULL)) & ~0x80));
	say("int3: %s", status_text(reap(child(int3_dies, NULL)) & ~0x80));
	say("ignored: %s", status_text(reap(child(trap_ignored, NULL))));
}

/* ---- children ---- */

static void exits_9(void *arg)
{
	(void)arg;
	_exit(9);
}

static void killed(void *arg)
{
	(void)arg;
	raise(SIGTERM);
}

static void stops_once(void *arg)
{
	(void)arg;
	raise(SIGSTOP);
	_exit(4);
}

static const char *cld(int code)
{
	static const char *const names[] = { "?",	"EXITED",  "KILLED",   "DUMPED",
					     "TRAPPED", "STOPPED", "CONTINUED" };

	return code >= 1 && code <= 6 ? names[code] : "?";
}

static void wait_hit(int n)
{
	for (int i = 0; i < 5000 && hits < n; i++)
		usleep(1000);
}

/* SIGCHLD: one for each thing that happened to a child, and it says which. */
static void sigchld(void)
{
	pid_t pid;
	sigset_t set;

	handle(SIGCHLD, caught, SA_RESTART);
	sigemptyset(&set);
	pid = child(exits_9, NULL);
	wait_hit(1);
	IS(last.si_pid, pid);
	say("%s status %d", cld(last.si_code), last.si_status);
	IS(reap(pid), 9 << 8);
	pid = child(killed, NULL);
	wait_hit(2);
	IS(last.si_pid, pid);
	say("%s status %d", cld(last.si_code), last.si_status);
	IS(reap(pid), SIGTERM);
	pid = child(stops_once, NULL);
	wait_hit(3);
	IS(last.si_pid, pid);
	say("%s status %d", cld(last.si_code), last.si_status);
	MUST(kill(pid, SIGCONT));
	IS(reap(pid), 4 << 8);
	wait_hit(4); /* continued and ended: two signals, or one of the same number */
	sleep_ms(2);
	CHECK(hits == 4 || hits == 5);
}

/* With SA_NOCLDSTOP nothing is told of stops. */
static void nocldstop(void)
{
	pid_t pid;
	int status;

	handle(SIGCHLD, caught, SA_RESTART | SA_NOCLDSTOP);
	pid = child(stops_once, NULL);
	IS(waitpid(pid, &status, WUNTRACED), pid);
	say("%s", status_text(status));
	IS(hits, 0);
	MUST(kill(pid, SIGCONT));
	IS(reap(pid), 4 << 8);
	wait_hit(1);
	IS(hits, 1);
	say("%s", cld(last.si_code));
}

/* ---- files, timers, pipes ---- */

static void sigio(void)
{
	int p[2];

	MUST(pipe(p));
	handle(SIGRTMIN + 5, caught, SA_RESTART);
	MUST(fcntl(p[0], F_SETOWN, getpid()));
	MUST(fcntl(p[0], F_SETSIG, SIGRTMIN + 5));
	MUST(fcntl(p[0], F_SETFL, O_ASYNC | O_NONBLOCK));
	for (int i = 1; i <= 5; i++) {
		char c;

		MUST(write(p[1], "x", 1));
		wait_hit(i);
		IS(hits, i);
		IS(last.si_code, POLL_IN);
		IS(last.si_fd, p[0]);
		MUST(read(p[0], &c, 1));
	}
	handle(SIGPIPE, caught, 0);
	close(p[0]);
	IS(write(p[1], "x", 1), -1);
	IS(errno, EPIPE);
	IS(last.si_signo, SIGPIPE);
}

static void timer_info(void)
{
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL,
			       .sigev_signo = SIGRTMIN + 6,
			       .sigev_value.sival_int = 77 };
	struct itimerspec it = { { 0, 1000000 }, { 0, 1000000 } }, off = { { 0, 0 }, { 0, 0 } };
	sigset_t set;
	timer_t t;
	int n;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + 6);
	handle(SIGRTMIN + 6, caught, 0);
	MUST(sigprocmask(SIG_BLOCK, &set, NULL));
	MUST(timer_create(CLOCK_MONOTONIC, &ev, &t));
	MUST(timer_settime(t, 0, &it, NULL));
	sleep_ms(30);
	MUST(timer_settime(t, 0, &off, NULL));
	/* one signal, the rest counted as overruns; stopping the timer took it back or not */
	n = (int)MUST(timer_settime(t, 0, &it, NULL));
	sleep_ms(30);
	MUST(sigprocmask(SIG_UNBLOCK, &set, NULL));
	for (int i = 0; i < 1000 && hits < 3; i++)
		usleep(1000);
	MUST(timer_delete(t));
	CHECK(hits >= 3);
	IS(n, 0);
	IS(last.si_code, SI_TIMER);
	IS(last.si_value.sival_int, 77);
}

const struct hazard hazards_siginfo[] = {
	{ "faults", faults, "" },
	{ "efault", efault, "" },
	{ "breakpoint", breakpoint, "" },
	{ "single-step", single_step, "" },
	{ "traps-by-default", traps_by_default, "" },
	{ "sigchld", sigchld, "" },
	{ "nocldstop", nocldstop, "" },
	{ "sigio", sigio, "" },
	{ "timer-siginfo", timer_info, "" },
	{ NULL, NULL, NULL },
};
