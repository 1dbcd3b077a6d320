/*
 * other.c - the same small program for another ABI of an x86-64 kernel: i386 (-m32) and x32
 * (-mx32). Freestanding, so that no library for it is needed.
 *
 * Called with the path of a 64-bit program that ends with 0, it goes through the calls that a
 * tracer may take for those of another ABI, and through execve across ABIs.
 */
typedef unsigned long word;

#if defined(__i386__)
/* clang-format off */
enum {
	NR_exit = 252, NR_fork = 2, NR_write = 4, NR_read = 3, NR_wait4 = 114, NR_execve = 11,
	NR_getpid = 20, NR_kill = 37, NR_pipe = 42, NR_nanosleep = 162, NR_sigaction = 174,
	NR_sigreturn = 173, NR_openat = 295, NR_close = 6, NR_gettid = 224, NR_getppid = 64,
};
/* clang-format on */
#define CODE "i386"

static long sys(long nr, word a, word b, word c, word d)
{
	long r;

	__asm__ volatile("int $0x80"
			 : "=a"(r)
			 : "a"(nr), "b"(a), "c"(b), "d"(c), "S"(d)
			 : "memory");
	return r;
}
#else
#define X    0x40000000
/* clang-format off */
enum {
	NR_exit = X + 231, NR_fork = X + 57, NR_write = X + 1, NR_read = X + 0, NR_wait4 = X + 61,
	NR_execve = X + 520, NR_getpid = X + 39, NR_kill = X + 62, NR_pipe = X + 22,
	NR_nanosleep = X + 35, NR_sigaction = X + 512, NR_sigreturn = X + 513,
	NR_openat = X + 257, NR_close = X + 3, NR_gettid = X + 186, NR_getppid = X + 110,
};
/* clang-format on */
#define CODE "x32"

static long sys(long nr, word a, word b, word c, word d)
{
	register word r10 __asm__("r10") = d;
	long r;

	__asm__ volatile("syscall"
			 : "=a"(r)
			 : "0"(nr), "D"(a), "S"(b), "d"(c), "r"(r10)
			 : "rcx", "r11", "memory");
	return r;
}
#endif

void start_c(word *stack) __attribute__((used, noreturn));
__asm__(".globl _start\n_start:\n"
#if defined(__i386__)
	"mov %esp, %eax\n and $-16, %esp\n sub $12, %esp\n push %eax\n call start_c\n"
#else
	"mov %esp, %edi\n and $-16, %esp\n call start_c\n"
#endif
	".globl restore\nrestore:\n"
#if defined(__i386__)
	"mov $173, %eax\n int $0x80\n"
#else
	"mov $0x40000201, %eax\n syscall\n"
#endif
);
void restore(void);

static void print(const char *s)
{
	word n = 0;

	while (s[n])
		n++;
	sys(NR_write, 1, (word)s, n, 0);
}

__attribute__((noreturn)) static void leave(int code)
{
	for (;;)
		sys(NR_exit, (word)code, 0, 0, 0);
}

static void check(int good, const char *what)
{
	if (good)
		return;
	print("MISMATCH " CODE ": ");
	print(what);
	print("\n");
	leave(1);
}

static volatile int hits;

static void caught(int sig) { hits += sig; }

static int child_status(long pid)
{
	int status = -1;

	check(pid > 0 && sys(NR_wait4, (word)pid, (word)&status, 0x40000000, 0) == pid, "wait4");
	return status;
}

static int run(const char *file, const char *arg)
{
	const char *argv[3] = { file, arg, 0 }, *envp[1] = { 0 };
	long pid = sys(NR_fork, 0, 0, 0, 0);

	if (pid == 0) {
		sys(NR_execve, (word)file, (word)argv, (word)envp, 0);
		leave(99);
	}
	return child_status(pid);
}

void start_c(word *stack)
{
	/* x32 keeps 8-byte slots for argc and 4-byte pointers behind it */
	const char *const *argv = (const char *const *)(stack + 1);
	struct {
		word handler, flags, restorer, mask[2];
	} sa = { (word)caught, 0x04000004 /* RESTORER, SIGINFO */, (word)restore, { 0, 0 } };
	struct {
		word sec, nsec;
	} t = { 0, 3000000 };
	const char *absent = "/nonexistent";
	int fds[2] = { -1, -1 };
	long pid = sys(NR_getpid, 0, 0, 0, 0);
	char c = 'x';

	if (argv[1] && argv[1][0] == '-') {
		print(CODE " again\n");
		leave(21);
	}
	check(pid == sys(NR_gettid, 0, 0, 0, 0), "getpid and gettid");
	check(sys(NR_openat, (word)-100, (word)absent, 0, 0) == -2, "ENOENT");
	check(sys(NR_openat, (word)-100, 8, 0, 0) == -14, "EFAULT");
	check(sys(NR_close, 999, 0, 0, 0) == -9, "EBADF");
	check(sys(NR_pipe, (word)fds, 0, 0, 0) == 0 && fds[0] > 2 && fds[1] > fds[0], "pipe");
	for (int i = 0; i < 100; i++) {
		check(sys(NR_write, (word)fds[1], (word)&c, 1, 0) == 1, "write");
		check(sys(NR_read, (word)fds[0], (word)&c, 1, 0) == 1 && c == 'x', "read");
	}
#if defined(__i386__)
	check(sys(NR_nanosleep, (word)&t, 0, 0, 0) == 0, "nanosleep");
#else
	(void)t;
#endif
	check(sys(NR_sigaction, 10, (word)&sa, 0, 8) == 0, "sigaction");
	for (int i = 1; i <= 20; i++) {
		check(sys(NR_kill, (word)pid, 10, 0, 0) == 0, "kill");
		check(hits == 10 * i, "its signal");
	}
	for (int i = 0; i < 10; i++) {
		long kid = sys(NR_fork, 0, 0, 0, 0);

		if (kid == 0)
			leave(sys(NR_getppid, 0, 0, 0, 0) == pid ? 5 : 6);
		check(child_status(kid) == 5 << 8, "a child");
	}
	check(run("/proc/self/exe", "-again") == 21 << 8, "execve of itself");
	check(argv[1] && run(argv[1], "--list") == 0, "execve of a 64-bit program");
	print(CODE " end\n");
	leave(0);
}
