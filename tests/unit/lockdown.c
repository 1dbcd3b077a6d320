/*
 * lockdown.c - what a locked-down frec, and its front, can no longer do, each by trying it; and
 * what they still can.
 */
#include "lockdown.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "front.h"
#include "tap.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define CLANG_ASAN 1
#endif
#endif

static pid_t victim; /* seized and stopped, by the process that tries */
static long victim_word = 0x1122334455667788;
static int keep = -1;

static long poke(void) { return ptrace(PTRACE_POKEDATA, victim, &victim_word, 1L); }
static long setregs(void)
{
	struct user_regs_struct r;

	memset(&r, 0, sizeof(r));
	return ptrace(PTRACE_SETREGS, victim, NULL, &r);
}
static long setsiginfo(void)
{
	siginfo_t si;

	memset(&si, 0, sizeof(si));
	return ptrace(PTRACE_SETSIGINFO, victim, NULL, &si);
}
static long setregset(void)
{
	struct iovec v = { &victim_word, 8 };

	return ptrace(PTRACE_SETREGSET, victim, (void *)1, &v);
}
static long attach(void) { return ptrace(PTRACE_ATTACH, getppid(), NULL, NULL); }
static long kill_request(void) { return ptrace(PTRACE_KILL, victim, NULL, NULL); }
static long step(void) { return ptrace(PTRACE_SINGLESTEP, victim, NULL, NULL); }
static long write_memory(void)
{
	long w = 1;
	struct iovec l = { &w, 8 }, r = { &victim_word, 8 };

	return syscall(SYS_process_vm_writev, victim, &l, 1, &r, 1, 0);
}
static long signal_it(void) { return kill(victim, SIGTERM); }
static long signal_thread(void) { return syscall(SYS_tgkill, victim, victim, SIGTERM); }
static long queue_it(void)
{
	union sigval v = { 0 };

	return sigqueue(victim, SIGTERM, v);
}
static long inet(void) { return socket(AF_INET, SOCK_STREAM, 0); }
static long unix_socket(void) { return socket(AF_UNIX, SOCK_STREAM, 0); }
static long netlink(void) { return socket(AF_NETLINK, SOCK_RAW, 0); }
static long open_write(void) { return open("/dev/null", O_WRONLY); }
static long open_rdwr(void) { return open("/dev/null", O_RDWR); }
static long open_create(void) { return open("/tmp/frec-lockdown-new", O_RDONLY | O_CREAT, 0600); }
static long open_append(void) { return open("/dev/null", O_RDONLY | O_APPEND); }
static long openat2_any(void)
{
	uint64_t how[3] = { O_WRONLY, 0, 0 };

	return syscall(SYS_openat2, AT_FDCWD, "/dev/null", how, sizeof(how));
}
static long run_program(void)
{
	static char name[] = "true";
	char *const a[] = { name, NULL };

	return execv("/bin/true", a);
}
static long make_process(void) { return syscall(SYS_fork); }
static long map_code(void)
{
	return (long)mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}
static long make_code(void)
{
	return mprotect((void *)((uintptr_t)&victim_word & ~4095ul), 4096, PROT_READ | PROT_EXEC);
}
static long dumpable(void) { return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0); }
static long rename_any(void) { return rename("/tmp/frec-no-1", "/tmp/frec-no-2"); }
static long type_ahead(void) { return syscall(SYS_ioctl, 0, 0x5412 /* TIOCSTI */, "x"); }
static long bpf_any(void) { return syscall(SYS_bpf, 0, NULL, 0); }
static long mount_any(void) { return syscall(SYS_mount, "none", "/tmp", "tmpfs", 0, NULL); }

static const struct {
	const char *what;
	long (*fn)(void);
} refused[] = {
	{ "PTRACE_POKEDATA", poke },
	{ "PTRACE_SETREGS", setregs },
	{ "PTRACE_SETSIGINFO", setsiginfo },
	{ "PTRACE_SETREGSET", setregset },
	{ "PTRACE_ATTACH", attach },
	{ "PTRACE_KILL", kill_request },
	{ "PTRACE_SINGLESTEP", step },
	{ "process_vm_writev", write_memory },
	{ "kill", signal_it },
	{ "tgkill of another", signal_thread },
	{ "sigqueue", queue_it },
	{ "an IPv4 socket", inet },
	{ "a unix socket", unix_socket },
	{ "a netlink socket", netlink },
	{ "open for writing", open_write },
	{ "open for both", open_rdwr },
	{ "open that creates", open_create },
	{ "open to append", open_append },
	{ "openat2", openat2_any },
	{ "execve", run_program },
	{ "fork", make_process },
	{ "executable memory", map_code },
	{ "memory made executable", make_code },
	{ "being dumpable again", dumpable },
	{ "rename", rename_any },
	{ "TIOCSTI", type_ahead },
	{ "bpf", bpf_any },
	{ "mount", mount_any },
};

static bool still_read(void)
{
	char c;
	int fd = open("/proc/self/status", O_RDONLY);
	bool ok = fd >= 0 && read(fd, &c, 1) == 1;

	close(fd);
	return ok;
}
static bool still_peek(void)
{
	errno = 0;
	return ptrace(PTRACE_PEEKDATA, victim, &victim_word, NULL) == victim_word && !errno;
}
static bool still_registers(void)
{
	errno = 0;
	ptrace(PTRACE_PEEKUSER, victim, NULL, NULL);
	return !errno;
}
static bool still_vm(void)
{
	long w = 0;
	struct iovec l = { &w, 8 }, r = { &victim_word, 8 };

	return syscall(SYS_process_vm_readv, victim, &l, 1, &r, 1, 0) == 8 && w == victim_word;
}
static bool still_keep(void)
{
	int fd = openat(keep, ".new", O_RDWR | O_CREAT | O_EXCL, 0600);
	bool ok = fd >= 0 && renameat(keep, ".new", keep, "kept") == 0;

	close(fd);
	return ok;
}
static bool still_detach(void) { return ptrace(PTRACE_DETACH, victim, NULL, NULL) == 0; }

static const struct {
	const char *what;
	bool (*fn)(void);
} allowed[] = {
	{ "reading /proc", still_read },
	{ "PTRACE_PEEKDATA", still_peek },
	{ "PTRACE_PEEKUSER", still_registers },
	{ "process_vm_readv", still_vm },
	{ "a new file in the folder of --keep", still_keep },
	{ "PTRACE_DETACH", still_detach },
};

/* ---- the front: victim is its recorder, keep a terminal's other end ---- */

static long read_memory(void)
{
	long w = 0;
	struct iovec l = { &w, 8 }, r = { &victim_word, 8 };

	return syscall(SYS_process_vm_readv, victim, &l, 1, &r, 1, 0);
}
static long stop_another(void) { return kill(getppid(), SIGSTOP); }
static long end_all(void) { return kill(-1, SIGKILL); }
static long open_read(void) { return open("/proc/self/status", O_RDONLY); }
static long write_any(void) { return write(2, "x", 1); }
static long seize(void) { return ptrace(PTRACE_SEIZE, victim, NULL, NULL); }
static long more_files(void)
{
	struct rlimit l = { 64, 64 };

	return setrlimit(RLIMIT_NOFILE, &l);
}
static long map_data(void)
{
	return (long)mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}
static long other_group(void) { return setpgid(0, 0); }

static const struct {
	const char *what;
	long (*fn)(void);
} front_refused[] = {
	{ "ptrace", seize },
	{ "process_vm_readv", read_memory },
	{ "process_vm_writev", write_memory },
	{ "a signal that stops another", stop_another },
	{ "SIGKILL for all", end_all },
	{ "sigqueue", queue_it },
	{ "tgkill of another", signal_thread },
	{ "an IPv4 socket", inet },
	{ "a unix socket", unix_socket },
	{ "open for reading", open_read },
	{ "open for writing", open_write },
	{ "open that creates", open_create },
	{ "write", write_any },
	{ "execve", run_program },
	{ "fork", make_process },
	{ "memory", map_data },
	{ "executable memory", map_code },
	{ "other limits", more_files },
	{ "another process group", other_group },
	{ "being dumpable again", dumpable },
	{ "TIOCSTI", type_ahead },
	{ "mount", mount_any },
};

static bool front_cont(void) { return kill(getppid(), SIGCONT) == 0; }
static bool front_tell(void) { return kill(victim, SIGTERM) == 0; }
static bool front_wait(void)
{
	int status;

	return waitpid(victim, &status, 0) == victim && WTERMSIG(status) == SIGTERM;
}
static bool front_read(void)
{
	char c;

	return read(keep, &c, 1) == 0;
}
static bool front_whose(void) { return tcgetpgrp(keep) == -1 && errno == ENOTTY; }
static bool front_give(void) { return tcsetpgrp(keep, 1) == -1 && errno == ENOTTY; }
static bool front_no_core(void)
{
	struct rlimit l = { 0, 0 };

	return setrlimit(RLIMIT_CORE, &l) == 0;
}

static const struct {
	const char *what;
	bool (*fn)(void);
} front_allowed[] = {
	{ "SIGCONT for another", front_cont },
	{ "a signal to the recorder", front_tell },
	{ "its status", front_wait },
	{ "reading the pipe", front_read },
	{ "asking whose the terminal is", front_whose },
	{ "giving it to another", front_give },
	{ "no core file", front_no_core },
};

#define NFRONT_REFUSED (sizeof(front_refused) / sizeof(*front_refused))
#define NFRONT_ALLOWED (sizeof(front_allowed) / sizeof(*front_allowed))

/* In a child whose results are in shared memory, for it may not write. Ends by a signal, as its
 * recorder would. */
static void try_front(uint8_t *results)
{
	unsigned n = 0;

	victim = fork();
	if (victim == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	lockdown_capabilities(0);
	if (lockdown_front(victim))
		_exit(2);
	for (unsigned i = 0; i < NFRONT_REFUSED; i++) {
		errno = 0;
		results[n++] = front_refused[i].fn() == -1 && errno == EPERM;
	}
	for (unsigned i = 0; i < NFRONT_ALLOWED; i++)
		results[n++] = front_allowed[i].fn();
	front_end_like(SIGHUP);
	_exit(3);
}

static void front_locked_down(void)
{
	uint8_t *results =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int words[2], status;
	unsigned n = 0;
	pid_t child;

	if (results == MAP_FAILED || pipe(words))
		exit(1);
	close(words[1]);
	keep = words[0];
	child = fork();
	if (child == 0)
		try_front(results);
	waitpid(child, &status, 0);
	ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGHUP,
	   "the front ends by a signal as its recorder does");
	for (unsigned i = 0; i < NFRONT_REFUSED; i++)
		ok(results[n++], "the front is refused: %s", front_refused[i].what);
	for (unsigned i = 0; i < NFRONT_ALLOWED; i++)
		ok(results[n++], "the front still can: %s", front_allowed[i].what);
}

static void *other_thread(void *arg)
{
	int fd = *(int *)arg;
	char c;

	/* filtered too, though it was there before */
	if (read(fd, &c, 1) != 1)
		return NULL;
	return (void *)(intptr_t)(socket(AF_INET, SOCK_STREAM, 0) < 0 && errno == EPERM);
}

#define NREFUSED (sizeof(refused) / sizeof(*refused))
#define NALLOWED (sizeof(allowed) / sizeof(*allowed))

/* In a child: sets everything up, locks itself down, tries all; one byte a result. */
static void try_all(int out)
{
	uint8_t results[NREFUSED + NALLOWED + 2];
	unsigned n = 0;
	pthread_t thread;
	int go[2], status;
	void *seen;

	victim = fork();
	if (victim == 0) {
		close(out);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		alarm(20);
		for (;;)
			pause();
	}
	if (pipe(go) || pthread_create(&thread, NULL, other_thread, &go[0]) ||
	    ptrace(PTRACE_SEIZE, victim, NULL, NULL) ||
	    ptrace(PTRACE_INTERRUPT, victim, NULL, NULL) || waitpid(victim, &status, 0) != victim)
		_exit(1);
	lockdown_capabilities(LOCKDOWN_TRACER_CAPS);
	if (lockdown_filter(keep))
		_exit(2);
	for (unsigned i = 0; i < NREFUSED; i++) {
		errno = 0;
		results[n++] = refused[i].fn() == -1 && errno == EPERM;
	}
	for (unsigned i = 0; i < NALLOWED; i++)
		results[n++] = allowed[i].fn();
	results[n++] = write(go[1], "g", 1) == 1 && pthread_join(thread, &seen) == 0 && seen;
	results[n++] = prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == -1; /* not needed, so refused */
	if (write(out, results, n) != (ssize_t)n)
		_exit(3);
	_exit(0);
}

int main(void)
{
	uint8_t results[NREFUSED + NALLOWED + 2];
	char dir[] = "/tmp/frec-lockdown-XXXXXX";
	int out[2], status;
	unsigned n = 0;
	pid_t child;

#if defined(__SANITIZE_ADDRESS__) || defined(CLANG_ASAN)
	printf("1..0 # SKIP the sanitizer's run-time needs more than a locked-down frec may do\n");
	return 0;
#endif
	if (!mkdtemp(dir) || (keep = open(dir, O_RDONLY | O_DIRECTORY)) < 0 || pipe(out))
		return 1;
	child = fork();
	if (child == 0)
		try_all(out[1]);
	close(out[1]);
	ok(read(out[0], results, sizeof(results)) == sizeof(results),
	   "a locked-down process told what it could do");
	waitpid(child, &status, 0);
	ok(WIFEXITED(status) && WEXITSTATUS(status) == 0, "it ended well");
	for (unsigned i = 0; i < NREFUSED; i++)
		ok(results[n++], "refused: %s", refused[i].what);
	for (unsigned i = 0; i < NALLOWED; i++)
		ok(results[n++], "still possible: %s", allowed[i].what);
	ok(results[n++], "a thread that was there before is filtered, too");
	ok(results[n++], "prctl is refused");
	unlinkat(keep, "kept", 0);
	rmdir(dir);
	front_locked_down();
	return tap_done();
}
