/*
 * limit.c - the limit loop that every tracer is measured against: wait, PTRACE_GET_SYSCALL_INFO
 * at both stops of a call, PTRACE_SYSCALL, and nothing else. Counts stops and prints the time.
 *
 *   limit [--placement sleep|spin|spin-pinned|colocate] [--wait any|nocldstop|siginfo]
 *         [--cpu N] [--seconds N] -p PID[,PID...]
 *   limit [...] [--] COMMAND [ARG...]
 *
 * - sleep: waitpid(-1), nobody pinned. spin: waitpid with WNOHANG, nobody pinned.
 *   spin-pinned: the same, tracer on CPU N and tracees on the next one the tracer may use.
 *   colocate: waitpid(-1), tracer and all tracees on CPU N (default: the highest allowed).
 * - How it waits: any is waitpid(-1); nocldstop the same without SIGCHLD for stops; siginfo takes
 *   the thread's id from SIGCHLD and waits for that one, and for any when none came for 10 ms.
 * - Ends when no tracee is left, or on SIGINT, SIGTERM or --seconds by detaching. Masks
 *   of attached threads are put back; born threads get the mask of the first one.
 * - The result is one line on stderr, key=value; the exit status is the command's.
 */
#include <errno.h>
#include <dirent.h>
#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define OPTIONS                                                                                    \
	(PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |  \
	 PTRACE_O_TRACEEXEC)
#define SIGTRAP_SYSCALL (SIGTRAP | 0x80)

enum mode { SLEEP, SPIN, SPIN_PINNED, COLOCATE };
static const char *const mode_names[] = { "sleep", "spin", "spin-pinned", "colocate" };

struct thread {
	pid_t tid;
	cpu_set_t mask; /* before we pinned it */
};

static struct {
	struct thread *v;
	size_t n, cap;
} threads;

enum waiting { ANY, NOCLDSTOP, SIGINFO };
static const char *const waiting_names[] = { "any", "nocldstop", "siginfo" };

static enum mode mode;
static enum waiting waiting;
static int cpu = -1;
static cpu_set_t own_mask, tracee_mask;
static uint64_t stops;
static volatile sig_atomic_t stop_asked;

static void die(const char *what)
{
	fprintf(stderr, "limit: %s: %s\n", what, strerror(errno));
	exit(125);
}

static long request(unsigned long req, pid_t tid, unsigned long addr, unsigned long data)
{
	return ptrace((enum __ptrace_request)req, tid, addr, data);
}

static bool pins_tracees(void) { return mode == SPIN_PINNED || mode == COLOCATE; }

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* The signal may land between the check of stop_asked and the wait: keep sending. */
static void rearm(long first_s)
{
	struct itimerval it = { .it_interval = { 0, 20000 },
				.it_value = { first_s, first_s ? 0 : 20000 } };

	setitimer(ITIMER_REAL, &it, NULL);
}

static void on_signal(int sig)
{
	int saved = errno;

	stop_asked = 1;
	if (sig != SIGALRM)
		rearm(0);
	errno = saved;
}

static struct thread *thread_find(pid_t tid)
{
	for (size_t i = threads.n; i-- > 0;)
		if (threads.v[i].tid == tid)
			return &threads.v[i];
	return NULL;
}

static struct thread *thread_add(pid_t tid)
{
	struct thread *t = thread_find(tid);

	if (t)
		return t;
	if (threads.n == threads.cap) {
		threads.cap = threads.cap ? threads.cap * 2 : 64;
		threads.v = realloc(threads.v, threads.cap * sizeof(*threads.v));
		if (!threads.v)
			die("realloc");
	}
	t = &threads.v[threads.n++];
	t->tid = tid;
	t->mask = threads.v[0].mask;
	return t;
}

static void thread_remove(pid_t tid)
{
	struct thread *t = thread_find(tid);

	if (t)
		*t = threads.v[--threads.n];
}

static void seize(pid_t tid, bool interrupt)
{
	struct thread *t;

	if (request(PTRACE_SEIZE, tid, 0, OPTIONS) != 0) {
		if (errno == ESRCH)
			return;
		die("PTRACE_SEIZE");
	}
	t = thread_add(tid);
	if (sched_getaffinity(tid, sizeof(t->mask), &t->mask) != 0)
		CPU_ZERO(&t->mask);
	if (pins_tracees())
		sched_setaffinity(tid, sizeof(tracee_mask), &tracee_mask);
	if (interrupt && request(PTRACE_INTERRUPT, tid, 0, 0) != 0 && errno != ESRCH)
		die("PTRACE_INTERRUPT");
}

/* Passes over the task directory until one finds no new thread. */
static void seize_process(pid_t pid)
{
	char path[64];
	bool found;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	do {
		DIR *d = opendir(path);
		struct dirent *e;

		if (!d)
			die(path);
		found = false;
		while ((e = readdir(d)) != NULL) {
			pid_t tid = (pid_t)atoi(e->d_name);

			if (tid > 0 && !thread_find(tid)) {
				size_t before = threads.n;

				seize(tid, true);
				found |= threads.n != before;
			}
		}
		closedir(d);
	} while (found);
}

static void choose_waiting(enum waiting how)
{
	struct sigaction sa = { .sa_handler = SIG_DFL };
	sigset_t chld;

	if (how == NOCLDSTOP)
		sa.sa_flags = SA_NOCLDSTOP;
	sigaction(SIGCHLD, &sa, NULL);
	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigprocmask(how == SIGINFO ? SIG_BLOCK : SIG_UNBLOCK, &chld, NULL);
}

/* Traced from its exec on: a seized thread first stops at PTRACE_EVENT_EXEC. */
static pid_t launch(char **argv)
{
	int go[2];
	pid_t pid;

	if (pipe(go) != 0)
		die("pipe");
	pid = fork();
	if (pid < 0)
		die("fork");
	if (pid == 0) {
		char c;

		close(go[1]);
		if (read(go[0], &c, 1) != 1)
			_exit(125);
		close(go[0]);
		choose_waiting(ANY);
		execvp(argv[0], argv);
		fprintf(stderr, "limit: %s: %s\n", argv[0], strerror(errno));
		_exit(127);
	}
	close(go[0]);
	seize(pid, false);
	if (write(go[1], "g", 1) != 1)
		die("write");
	close(go[1]);
	return pid;
}

static pid_t wait_named(int *status)
{
	static const struct timespec patience = { 0, 10000000 };
	sigset_t chld;
	siginfo_t si;
	pid_t tid = 0;

	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	while (tid == 0) {
		pid_t id = sigtimedwait(&chld, &si, &patience) == SIGCHLD ? si.si_pid : -1;

		if (id < 0 && errno == EINTR)
			return -1;
		tid = waitpid(id, status, __WALL | WNOHANG);
		if (tid < 0 && id > 0)
			tid = 0; /* it is gone by now */
	}
	return tid;
}

static pid_t wait_next(int *status)
{
	pid_t tid;

	if (waiting == SIGINFO)
		return wait_named(status);
	if (mode == SLEEP || mode == COLOCATE)
		return waitpid(-1, status, __WALL);
	do
		tid = waitpid(-1, status, __WALL | WNOHANG);
	while (tid == 0 && !stop_asked);
	if (tid == 0) {
		errno = EINTR;
		return -1;
	}
	return tid;
}

static bool is_group_stop(int sig)
{
	return sig == SIGSTOP || sig == SIGTSTP || sig == SIGTTIN || sig == SIGTTOU;
}

/* What the tracee gets when it goes on: for a signal-delivery-stop the signal. */
static int signal_of(int status)
{
	int sig = WSTOPSIG(status);

	return status >> 16 || sig == SIGTRAP_SYSCALL ? 0 : sig;
}

static void note_birth(pid_t tid, int event)
{
	unsigned long msg;

	if (event != PTRACE_EVENT_CLONE && event != PTRACE_EVENT_FORK &&
	    event != PTRACE_EVENT_VFORK)
		return;
	if (request(PTRACE_GETEVENTMSG, tid, 0, (unsigned long)&msg) == 0)
		thread_add((pid_t)msg);
}

static void handle_stop(pid_t tid, int status)
{
	struct __ptrace_syscall_info info;
	int event = status >> 16;

	if (WSTOPSIG(status) == SIGTRAP_SYSCALL) {
		stops++;
		request(PTRACE_GET_SYSCALL_INFO, tid, sizeof(info), (unsigned long)&info);
		request(PTRACE_SYSCALL, tid, 0, 0);
		return;
	}
	if (event) {
		note_birth(tid, event);
		thread_add(tid);
		if (event == PTRACE_EVENT_STOP && is_group_stop(WSTOPSIG(status))) {
			request(PTRACE_LISTEN, tid, 0, 0);
			return;
		}
		if (event == PTRACE_EVENT_EXEC) {
			unsigned long old;

			if (request(PTRACE_GETEVENTMSG, tid, 0, (unsigned long)&old) == 0 &&
			    (pid_t)old != tid)
				thread_remove((pid_t)old);
		}
	}
	request(PTRACE_SYSCALL, tid, 0, (unsigned long)signal_of(status));
}

static void detach(pid_t tid, int sig)
{
	struct thread *t = thread_find(tid);

	if (t && pins_tracees() && CPU_COUNT(&t->mask))
		sched_setaffinity(tid, sizeof(t->mask), &t->mask);
	if (request(PTRACE_DETACH, tid, 0, (unsigned long)sig) == 0)
		thread_remove(tid);
}

/* Interrupts all and then takes whoever stops: a vfork parent stops only after its child. */
static void detach_all(void)
{
	for (size_t i = 0; i < threads.n; i++)
		request(PTRACE_INTERRUPT, threads.v[i].tid, 0, 0);
	while (threads.n) {
		int status;
		pid_t tid = waitpid(-1, &status, __WALL);

		if (tid < 0 && errno == EINTR)
			continue;
		if (tid < 0)
			break;
		if (!WIFSTOPPED(status)) {
			thread_remove(tid);
			continue;
		}
		note_birth(tid, status >> 16);
		detach(tid, signal_of(status));
	}
}

static int run(pid_t command)
{
	int status, result = 0;

	while (threads.n && !stop_asked) {
		pid_t tid = wait_next(&status);

		if (tid < 0) {
			if (errno == EINTR)
				continue;
			break;
		}
		if (WIFSTOPPED(status)) {
			handle_stop(tid, status);
			continue;
		}
		thread_remove(tid);
		if (tid == command)
			result = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	}
	return result;
}

static int cpu_from(const cpu_set_t *set, int start, int step)
{
	for (int i = start; i >= 0 && i < CPU_SETSIZE; i += step)
		if (CPU_ISSET((size_t)i, set))
			return i;
	return -1;
}

static void place(void)
{
	cpu_set_t mine;
	int other;

	if (sched_getaffinity(0, sizeof(own_mask), &own_mask) != 0)
		die("sched_getaffinity");
	if (cpu < 0)
		cpu = cpu_from(&own_mask, CPU_SETSIZE - 1, -1);
	if (!pins_tracees())
		return;
	other = cpu;
	if (mode == SPIN_PINNED) {
		other = cpu_from(&own_mask, cpu + 1, 1);
		if (other < 0)
			other = cpu_from(&own_mask, 0, 1);
	}
	CPU_ZERO(&mine);
	CPU_SET((size_t)cpu, &mine);
	CPU_ZERO(&tracee_mask);
	CPU_SET((size_t)other, &tracee_mask);
	if (sched_setaffinity(0, sizeof(mine), &mine) != 0)
		die("sched_setaffinity");
}

static int index_of(const char *name, const char *const *names, int n)
{
	for (int i = 0; i < n; i++)
		if (strcmp(name, names[i]) == 0)
			return i;
	fprintf(stderr, "limit: %s: none of the choices\n", name);
	exit(2);
}

int main(int argc, char **argv)
{
	static const struct option longs[] = { { "placement", required_argument, NULL, 'm' },
					       { "wait", required_argument, NULL, 'w' },
					       { "cpu", required_argument, NULL, 'c' },
					       { "seconds", required_argument, NULL, 's' },
					       { NULL, 0, NULL, 0 } };
	struct sigaction sa = { .sa_handler = on_signal };
	char *pids[64];
	size_t npids = 0;
	long seconds = 0;
	pid_t command = 0;
	uint64_t start, end;
	int opt, result;

	while ((opt = getopt_long(argc, argv, "+p:", longs, NULL)) != -1) {
		if (opt == 'm')
			mode = (enum mode)index_of(optarg, mode_names, 4);
		else if (opt == 'w')
			waiting = (enum waiting)index_of(optarg, waiting_names, 3);
		else if (opt == 'c')
			cpu = atoi(optarg);
		else if (opt == 's')
			seconds = atol(optarg);
		else if (opt == 'p' && npids < 64)
			pids[npids++] = optarg;
		else
			return 2;
	}
	if ((npids != 0) == (optind < argc)) {
		fprintf(stderr, "usage: limit [--placement sleep|spin|spin-pinned|colocate] "
				"[--wait any|nocldstop|siginfo]\n"
				"             [--cpu N] [--seconds N] -p PID | COMMAND...\n");
		return 2;
	}
	place();
	choose_waiting(waiting);
	sigaction(SIGALRM, &sa, NULL);
	if (npids) {
		sigaction(SIGINT, &sa, NULL);
	} else {
		command = launch(argv + optind);
		signal(SIGINT, SIG_IGN); /* the command's */
	}
	sigaction(SIGTERM, &sa, NULL);
	if (seconds > 0)
		rearm(seconds);
	for (size_t i = 0; i < npids; i++)
		for (char *p = strtok(pids[i], ", \n"); p; p = strtok(NULL, ", \n"))
			seize_process((pid_t)atoi(p));

	start = now_ns();
	result = run(command);
	end = now_ns();
	detach_all();
	fprintf(stderr, "limit placement=%s wait=%s stops=%llu seconds=%.3f us_per_stop=%.3f\n",
		mode_names[mode], waiting_names[waiting], (unsigned long long)stops,
		(double)(end - start) / 1e9,
		stops ? (double)(end - start) / 1e3 / (double)stops : 0.0);
	return result;
}
