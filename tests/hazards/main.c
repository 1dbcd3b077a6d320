/* main.c - picks a target by name: hazards [-w] NAME [ARG...], or --list. */
#include "hazard.h"

#include <stdarg.h>

char **hazard_args;
const char *hazard_self;

static const struct hazard *const themes[] = {
	hazards_signals, hazards_siginfo, hazards_sleeps, hazards_stops,   hazards_threads,
	hazards_procs,	 hazards_clone,	  hazards_exec,	  hazards_seccomp, hazards_surroundings,
	hazards_waits,	 hazards_shapes,  hazards_ends,
};
#define NTHEMES (sizeof(themes) / sizeof(themes[0]))

static volatile bool failed;

void say(const char *fmt, ...)
{
	char line[1024];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line) - 1, fmt, ap);
	va_end(ap);
	if (n < 0 || n >= (int)sizeof(line) - 1)
		abort();
	line[n++] = '\n';
	if (write(1, line, (size_t)n) != n)
		_exit(90);
}

void check_at(bool good, const char *what, long got, long want, const char *file, int line)
{
	if (good)
		return;
	failed = true;
	if (got || want)
		say("MISMATCH %s:%d: %s is %ld, not %ld", file, line, what, got, want);
	else
		say("MISMATCH %s:%d: %s", file, line, what);
}

long must_at(long value, const char *what, const char *file, int line)
{
	if (value == -1)
		must_failed(what, file, line);
	return value;
}

void must_failed(const char *what, const char *file, int line)
{
	say("MISMATCH %s:%d: %s failed: %s", file, line, what, strerror(errno));
	_exit(1);
}

bool hazard_failed(void) { return failed; }

pid_t child(void (*fn)(void *), void *arg)
{
	pid_t pid = fork();

	if (pid < 0)
		must_failed("fork()", __FILE__, __LINE__);
	if (pid == 0) {
		failed = false;
		fn(arg);
		_exit(failed);
	}
	return pid;
}

int reap(pid_t pid)
{
	int status;
	pid_t got;

	do
		got = waitpid(pid, &status, __WALL);
	while (got < 0 && errno == EINTR);
	if (got != pid)
		must_failed("waitpid()", __FILE__, __LINE__);
	return status;
}

void reap_ok(pid_t pid) { IS(reap(pid), 0); }

const char *status_text(int status)
{
	static char text[64];
	const char *core = WIFSIGNALED(status) && WCOREDUMP(status) ? " core" : "";

	if (WIFEXITED(status))
		snprintf(text, sizeof(text), "exit %d", WEXITSTATUS(status));
	else if (WIFSTOPPED(status))
		snprintf(text, sizeof(text), "stopped SIG%s", sigabbrev_np(WSTOPSIG(status)));
	else if (WIFCONTINUED(status))
		snprintf(text, sizeof(text), "continued");
	else
		snprintf(text, sizeof(text), "SIG%s%s", sigabbrev_np(WTERMSIG(status)), core);
	return text;
}

void handle(int sig, void (*fn)(int, siginfo_t *, void *), int flags)
{
	struct sigaction sa = { .sa_sigaction = fn, .sa_flags = SA_SIGINFO | flags };

	sigemptyset(&sa.sa_mask);
	MUST(sigaction(sig, &sa, NULL));
}

void sleep_ms(unsigned ms)
{
	struct timespec t = { ms / 1000, (long)(ms % 1000) * 1000000 };

	while (nanosleep(&t, &t) < 0 && errno == EINTR)
		;
}

uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static bool read_file(char *buf, size_t cap, const char *fmt, pid_t pid, pid_t tid)
{
	char path[64];
	FILE *f;
	size_t n;

	snprintf(path, sizeof(path), fmt, (int)pid, (int)tid);
	f = fopen(path, "re");
	if (!f)
		return false;
	n = fread(buf, 1, cap - 1, f);
	fclose(f);
	buf[n] = '\0';
	return n > 0;
}

char state_of(pid_t pid, pid_t tid)
{
	char buf[512], *p;

	if (!read_file(buf, sizeof(buf), "/proc/%d/task/%d/stat", pid, tid))
		return 0;
	p = strrchr(buf, ')');
	return p ? p[2] : '\0';
}

bool is_blocked(pid_t pid, pid_t tid, long nr)
{
	char buf[256];
	long in;

	return read_file(buf, sizeof(buf), "/proc/%d/task/%d/syscall", pid, tid) &&
	       sscanf(buf, "%ld", &in) == 1 && (nr < 0 || in == nr) && state_of(pid, tid) == 'S';
}

void wait_blocked(pid_t pid, pid_t tid, long nr)
{
	for (int i = 0; i < 20000; i++) {
		if (is_blocked(pid, tid, nr))
			return;
		usleep(1000);
	}
	must_failed("wait_blocked(): not there after 20 s;", __FILE__, __LINE__);
}

static int list(void)
{
	for (size_t i = 0; i < NTHEMES; i++)
		for (const struct hazard *h = themes[i]; h->name; h++)
			printf("%s %s\n", h->name, h->flags);
	return 0;
}

int main(int argc, char **argv)
{
	static char self[4096];
	char byte;
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n <= 0)
		return 91;
	hazard_self = self;
	if (argc > 1 && !strcmp(argv[1], "--list"))
		return list();
	if (argc > 1 && !strcmp(argv[1], "-w")) {
		/* until the driver has attached its tracer */
		if (read(0, &byte, 1) != 1)
			return 92;
		argv++;
		argc--;
	}
	if (argc < 2)
		return 93;
	hazard_args = argv + 2;
	for (size_t i = 0; i < NTHEMES; i++)
		for (const struct hazard *h = themes[i]; h->name; h++)
			if (!strcmp(h->name, argv[1])) {
				h->run();
				if (!failed)
					say("end");
				return failed;
			}
	fprintf(stderr, "hazards: no target %s\n", argv[1]);
	return 94;
}
