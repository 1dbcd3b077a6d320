/*
 * control.c - the control thread: what stops frec, how fast the tracer hears of it, and that it
 * always does; what the status line writes, and that it writes nothing elsewhere.
 *
 * Each scene is a process of its own, since signal masks and terminals stay changed.
 */
#include "control.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "status.h"
#include "tap.h"

/* ---- a writer that says what it is told to ------------------------------------------------- */

static _Atomic uint64_t fake_events;
static atomic_bool fake_full;
static const char *_Atomic fake_failure, *_Atomic fake_news;

void writer_stats(const struct writer *w, struct writer_stats *s)
{
	(void)w;
	*s = (struct writer_stats){ .events = fake_events, .file_bytes = 3 << 20 };
}

bool writer_full(const struct writer *w)
{
	(void)w;
	return fake_full;
}

const char *writer_failed(const struct writer *w)
{
	(void)w;
	return fake_failure;
}

bool writer_news(struct writer *w, char *line, size_t cap)
{
	const char *news = atomic_exchange(&fake_news, NULL);

	(void)w;
	if (news)
		snprintf(line, cap, "%s", news);
	return news != NULL;
}

/* ---- scenes -------------------------------------------------------------------------------- */

struct scene {
	char text[4000];
	int status;
};

/* Runs fn in a child; what it writes into its argument comes back, and its wait status. */
static struct scene *play(void (*fn)(char *out))
{
	static struct scene *s;
	pid_t pid;

	if (!s)
		s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
			 0);
	memset(s, 0, sizeof(*s));
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		fn(s->text);
		_exit(0);
	}
	for (unsigned ms = 0; waitpid(pid, &s->status, WUNTRACED | WNOHANG) != pid; ms++) {
		usleep(1000);
		if (ms == 20000) {
			diag("a scene hangs");
			kill(pid, SIGKILL);
		}
	}
	if (WIFSTOPPED(s->status)) {
		diag("a scene was stopped by signal %d", WSTOPSIG(s->status));
		kill(pid, SIGKILL);
		waitpid(pid, &s->status, 0);
	}
	return s;
}

static void is_scene(void (*fn)(char *), const char *want, const char *name)
{
	struct scene *s = play(fn);

	is_str(s->status == 0 ? s->text : "died", want, name);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* As the tracer does: waits for a child that never changes, until there is a reason. */
static const char *wait_for_reason(struct control *c)
{
	static pid_t never;
	const char *reason;

	if (!never) {
		never = fork();
		if (never == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			close_range(0, ~0u, 0);
			for (;;)
				pause();
		}
	}
	while (!(reason = control_stop_reason(c)))
		waitpid(-1, NULL, __WALL);
	return reason;
}

static struct control *begin(const struct frec_options *o, bool launch)
{
	static unsigned threads = 3;
	struct control *c = control_new(o, launch);

	if (!c || control_start(c, NULL, &threads))
		_exit(9);
	return c;
}

/* Sends what it is told to the process after a while. */
struct later {
	int signo;
	unsigned us;
};

static void *send_later(void *arg)
{
	const struct later *l = arg;

	usleep(l->us);
	kill(getpid(), l->signo);
	return NULL;
}

static void signal_scene(char *out, int signo)
{
	struct frec_options o = { .quiet = true };
	struct control *c = begin(&o, false);
	struct later l = { signo, 20000 };
	pthread_t t;

	pthread_create(&t, NULL, send_later, &l);
	strcpy(out, wait_for_reason(c));
	pthread_join(t, NULL);
	control_end(c);
}

static void on_int(char *out) { signal_scene(out, SIGINT); }
static void on_term(char *out) { signal_scene(out, SIGTERM); }
static void on_hup(char *out) { signal_scene(out, SIGHUP); }
static void on_quit(char *out) { signal_scene(out, SIGQUIT); }
static void on_usr1(char *out) { signal_scene(out, SIGUSR1); }
static void on_xcpu(char *out) { signal_scene(out, SIGXCPU); }
/* sent by kill, and so meant, although a shell's background job ignores it */
static void on_ignored_int(char *out)
{
	signal(SIGINT, SIG_IGN);
	signal_scene(out, SIGINT);
}

/* A second and third Ctrl-C, and what else one might try, while the case is being sealed. */
static void on_more_signals(char *out)
{
	static const int more[] = { SIGINT,  SIGINT,  SIGTERM, SIGQUIT, SIGHUP, SIGTSTP,
				    SIGTTOU, SIGTTIN, SIGPIPE, SIGXFSZ, SIGALRM };
	struct frec_options o = { .quiet = true };
	struct control *c = begin(&o, false);

	kill(getpid(), SIGTERM);
	wait_for_reason(c);
	for (size_t i = 0; i < sizeof(more) / sizeof(more[0]); i++) {
		kill(getpid(), more[i]);
		usleep(2000);
	}
	strcpy(out, control_stop_reason(c));
	control_end(c);
	for (size_t i = 0; i < sizeof(more) / sizeof(more[0]); i++)
		kill(getpid(), more[i]);
}

static void not_stopped(char *out)
{
	struct frec_options o = { .duration_ns = 50000000 };
	struct control *c = begin(&o, false);

	kill(getpid(), SIGTSTP);
	kill(getpid(), SIGTTIN);
	kill(getpid(), SIGTTOU);
	strcpy(out, wait_for_reason(c));
	control_end(c);
}

static void nohup(char *out)
{
	struct frec_options o = { .quiet = true, .duration_ns = 150000000 };
	struct control *c;

	signal(SIGHUP, SIG_IGN);
	c = begin(&o, false);
	kill(getpid(), SIGHUP);
	strcpy(out, wait_for_reason(c));
	control_end(c);
}

static void duration(char *out)
{
	struct frec_options o = { .quiet = true, .duration_ns = 130000000 };
	uint64_t start = now_ns();
	struct control *c = begin(&o, false);
	const char *reason = wait_for_reason(c);
	uint64_t took = (now_ns() - start) / 1000000;

	control_end(c);
	if (took < 130 || took > 1000)
		snprintf(out, 100, "%s after %" PRIu64 " ms", reason, took);
	else
		strcpy(out, reason);
}

static void *change_later(void *arg)
{
	usleep(30000);
	switch (*(int *)arg) {
	case 1:
		fake_events = 1000;
		break;
	case 2:
		fake_full = true;
		break;
	case 3:
		fake_failure = "case.frz: No space left on device";
		break;
	}
	return NULL;
}

static void limit_scene(char *out, int which)
{
	struct frec_options o = { .quiet = true, .max_events = 1000, .max_size = 1 << 20 };
	struct control *c;
	pthread_t t;

	fake_events = 999;
	c = begin(&o, false);
	pthread_create(&t, NULL, change_later, &which);
	strcpy(out, wait_for_reason(c));
	pthread_join(t, NULL);
	control_end(c);
}

static void max_events(char *out) { limit_scene(out, 1); }
static void max_size(char *out) { limit_scene(out, 2); }
static void write_failed(char *out) { limit_scene(out, 3); }

static void first_reason(char *out)
{
	struct frec_options o = { .quiet = true };
	struct control *c = begin(&o, false);

	control_stop(c, "max-events");
	control_stop(c, "something else");
	kill(getpid(), SIGTERM);
	usleep(20000);
	strcpy(out, control_stop_reason(c));
	control_end(c);
}

/* The command that is launched must start with the mask and dispositions that frec had. */
static void child_mask(char *out)
{
	struct frec_options o = { .quiet = true };
	sigset_t before, inside, after;
	struct control *c;
	bool same = true;
	int status;
	pid_t pid;

	sigemptyset(&before);
	sigaddset(&before, SIGUSR2);
	sigprocmask(SIG_SETMASK, &before, NULL);
	signal(SIGCHLD, SIG_IGN);
	c = control_new(&o, true);
	pthread_sigmask(SIG_SETMASK, NULL, &inside);
	pid = fork();
	if (pid == 0) {
		struct sigaction chld, kick;

		control_child_signals(c);
		sigprocmask(SIG_SETMASK, NULL, &after);
		for (int s = 1; s < NSIG; s++)
			same &= sigismember(&before, s) == sigismember(&after, s);
		sigaction(SIGCHLD, NULL, &chld);
		sigaction(SIGRTMIN, NULL, &kick);
		_exit(same && chld.sa_handler == SIG_IGN && kick.sa_handler == SIG_DFL ? 42 : 1);
	}
	if (waitpid(pid, &status, 0) != pid)
		strcpy(out, "the child's status was lost");
	else if (!sigismember(&inside, SIGINT) || !sigismember(&inside, SIGTSTP) ||
		 sigismember(&inside, SIGRTMIN))
		strcpy(out, "frec's own mask is wrong");
	else
		strcpy(out, WIFEXITED(status) && WEXITSTATUS(status) == 42 ? "same" : "different");
	control_end(c);
}

/* ---- wake-ups ------------------------------------------------------------------------------ */

#define ROUNDS 1000

/* The signal falls anywhere: before the tracer looks, between look and sleep, in its sleep. */
static void wake_ups(char *out)
{
	unsigned late = 0;
	uint64_t worst = 0;

	for (unsigned i = 0; i < ROUNDS; i++) {
		struct frec_options o = { .quiet = true };
		struct control *c = begin(&o, false);
		uint64_t sent, took;
		pid_t sender;

		if (i % 4 == 0) {
			/* the tracer sleeps for certain */
			struct later l = { SIGTERM, 200 };
			pthread_t t;

			sent = now_ns() + 200000;
			pthread_create(&t, NULL, send_later, &l);
			wait_for_reason(c);
			took = now_ns() - sent;
			pthread_join(t, NULL);
		} else {
			/* another process: its kill is not ordered with anything here */
			sent = now_ns();
			sender = fork();
			if (sender == 0) {
				for (volatile unsigned j = 0; j < i * 37 % 20000; j++)
					;
				kill(getppid(), SIGINT);
				_exit(0);
			}
			while (!control_stop_reason(c))
				waitpid(-1, NULL, __WALL);
			took = now_ns() - sent;
			waitpid(sender, NULL, 0);
		}
		late += (int64_t)took > 50000000;
		if ((int64_t)took > (int64_t)worst)
			worst = took;
		control_end(c);
	}
	snprintf(out, 100, "%u %" PRIu64, late, worst / 1000);
}

static void test_wake_ups(void)
{
	struct scene *s = play(wake_ups);
	unsigned late = ROUNDS;
	uint64_t worst_us = 0;

	if (!ok(s->status == 0 && sscanf(s->text, "%u %" SCNu64, &late, &worst_us) == 2,
		"no wake-up was lost in %d rounds", ROUNDS))
		return;
	diag("worst %" PRIu64 " us, %u above 50 ms", worst_us, late);
	/* a busy machine may hold any process up now and then */
	ok(late <= ROUNDS / 100, "heard within 50 ms");
	ok(worst_us < 5000000, "and always within 5 s");
}

/* ---- terminals ----------------------------------------------------------------------------- */

static int master = -1;

/* A terminal of our own; its other end becomes standard error and the controlling terminal. */
static bool open_terminal(void)
{
	int slave;

	master = posix_openpt(O_RDWR | O_NOCTTY);
	if (master < 0 || grantpt(master) || unlockpt(master) || setsid() < 0)
		return false;
	slave = open(ptsname(master), O_RDWR);
	if (slave < 0 || ioctl(slave, TIOCSCTTY, 0) < 0)
		return false;
	dup2(slave, 2);
	return isatty(2) && tcgetpgrp(2) == getpgrp();
}

static size_t read_terminal(char *out, size_t cap)
{
	struct pollfd p = { .fd = master, .events = POLLIN };
	size_t len = 0;

	while (len < cap - 1 && poll(&p, 1, 50) == 1) {
		ssize_t n = read(master, out + len, cap - 1 - len);

		if (n <= 0)
			break;
		len += (size_t)n;
	}
	out[len] = '\0';
	return len;
}

static void ctrl_c(char *out, bool launch, char key, bool ignored)
{
	struct frec_options o = { .quiet = true, .duration_ns = 400000000 };
	struct control *c;

	if (!open_terminal()) {
		strcpy(out, "no terminal");
		return;
	}
	if (ignored) {
		signal(SIGINT, SIG_IGN);
		signal(SIGQUIT, SIG_IGN);
	}
	c = begin(&o, launch);
	if (write(master, &key, 1) != 1)
		_exit(8);
	strcpy(out, wait_for_reason(c));
	control_end(c);
}

static void ctrl_c_attached(char *out) { ctrl_c(out, false, 3, false); }
static void ctrl_backslash_attached(char *out) { ctrl_c(out, false, 28, false); }
static void ctrl_c_launched(char *out) { ctrl_c(out, true, 3, false); }
static void ctrl_backslash_launched(char *out) { ctrl_c(out, true, 28, false); }
static void ctrl_c_background(char *out) { ctrl_c(out, false, 3, true); }
static void ctrl_z(char *out) { ctrl_c(out, false, 26, false); }

/* One second of status lines, then the end; what the terminal got is the answer. */
static void status_scene(char *out, const struct frec_options *base, bool say)
{
	struct frec_options o = *base;
	struct control *c;

	if (!open_terminal()) {
		strcpy(out, "no terminal");
		return;
	}
	o.duration_ns = 1100000000;
	fake_events = 12345;
	c = begin(&o, false);
	if (say) {
		usleep(400000);
		control_say(c, "frec: a message");
	}
	wait_for_reason(c);
	control_end(c);
	read_terminal(out, 4000);
}

static void status_shown(char *out) { status_scene(out, &(struct frec_options){ 0 }, false); }

static void status_said(char *out) { status_scene(out, &(struct frec_options){ 0 }, true); }

static void status_quiet(char *out)
{
	status_scene(out, &(struct frec_options){ .quiet = true }, false);
}

static void status_verbose(char *out)
{
	status_scene(out, &(struct frec_options){ .verbose = true }, false);
}

/* A terminal that nobody reads: the line must not hold up the stop. */
static void status_stuck(char *out)
{
	struct frec_options o = { .duration_ns = 300000000 };
	struct control *c;
	char junk[4096];

	if (!open_terminal()) {
		strcpy(out, "no terminal");
		return;
	}
	memset(junk, '.', sizeof(junk));
	fcntl(2, F_SETFL, O_RDWR | O_NONBLOCK);
	while (write(2, junk, sizeof(junk)) > 0)
		;
	fcntl(2, F_SETFL, O_RDWR);
	c = begin(&o, false);
	strcpy(out, wait_for_reason(c));
	control_end(c);
}

/* Reads junk, then messages, each a line; returns how many came whole and in order. */
static int read_messages(int fd)
{
	FILE *f = fdopen(fd, "r");
	char *line = NULL;
	size_t cap = 0;
	int n = 0;

	while (getline(&line, &cap, f) > 0) {
		char *m = strstr(line, "message ");
		int i = -1;

		n += m && sscanf(m, "message %d ", &i) == 1 && i == n && strlen(m) > 1000 &&
		     m[strlen(m) - 1] == '\n';
	}
	return n;
}

/* Messages for a pipe that is full: who says them does not wait, and none is lost or torn. */
static void say_to_full_pipe(char *out)
{
	struct frec_options o = { .duration_ns = 300000000 };
	struct control *c;
	int fds[2], go[2];
	char junk[4096], line[1100];
	uint64_t start;
	pid_t reader;

	if (pipe(fds) || pipe(go))
		_exit(8);
	memset(junk, '.', sizeof(junk));
	fcntl(fds[1], F_SETFL, O_NONBLOCK);
	while (write(fds[1], junk, sizeof(junk)) > 0)
		;
	fcntl(fds[1], F_SETFL, 0);
	reader = fork();
	if (reader == 0) {
		close(fds[1]);
		close(go[1]);
		if (read(go[0], junk, 1) == 1)
			sprintf(out + strlen(out), ", %d messages", read_messages(fds[0]));
		_exit(0);
	}
	close(go[0]);
	dup2(fds[1], 2);
	close(fds[1]);
	c = begin(&o, false);
	start = now_ns();
	for (int i = 0; i < 100; i++) {
		snprintf(line, sizeof(line), "message %d %.1000s", i, junk);
		control_say(c, line);
	}
	if (now_ns() - start > 200000000u)
		strcpy(out, "waited ");
	strcat(out, wait_for_reason(c));
	if (write(go[1], "g", 1) != 1)
		_exit(7);
	control_end(c);
	close(2);
	waitpid(reader, NULL, 0);
}

static void status_to_pipe(char *out)
{
	struct frec_options o = { .duration_ns = 300000000 };
	struct control *c;
	int fds[2];

	if (pipe2(fds, O_NONBLOCK))
		_exit(8);
	dup2(fds[1], 2);
	c = begin(&o, false);
	wait_for_reason(c);
	control_end(c);
	snprintf(out, 100, "%zd", read(fds[0], out, 100));
}

static void news_said(char *out)
{
	struct frec_options o = { .duration_ns = 300000000, .quiet = true };
	struct control *c;
	int fds[2];
	ssize_t n;

	if (pipe2(fds, O_NONBLOCK))
		_exit(8);
	dup2(fds[1], 2);
	fake_news = "c.frz: a slow medium";
	c = begin(&o, false);
	wait_for_reason(c);
	control_end(c);
	n = read(fds[0], out, 100);
	out[n < 0 ? 0 : n] = '\0';
}

static unsigned count(const char *s, const char *what)
{
	unsigned n = 0;

	for (; (s = strstr(s, what)) != NULL; s++)
		n++;
	return n;
}

/* What a terminal would show of s: carriage returns overwrite, line feeds keep. */
static void shown_after(const char *s, char *last, size_t cap)
{
	size_t at = 0, len = 0;

	for (; *s; s++) {
		if (*s == '\r')
			at = 0;
		else if (*s == '\n')
			at = len = 0;
		else if (at < cap - 1) {
			last[at++] = *s;
			len = at > len ? at : len;
		}
	}
	while (len && last[len - 1] == ' ')
		len--;
	last[len] = '\0';
}

static void test_status(void)
{
	struct scene *s = play(status_shown);
	char last[1000], *line;

	if (!strcmp(s->text, "no terminal")) {
		diag("no terminal can be made here");
		return;
	}
	ok(strstr(s->text, "\rfrec: 0:0") && strstr(s->text, "12,345 events") &&
		   strstr(s->text, "3.0 MiB") && strstr(s->text, "3 threads"),
	   "the status line tells");
	ok(count(s->text, "frec:") >= 3 && count(s->text, "frec:") <= 5,
	   "and is drawn four times a second");
	ok(!strchr(s->text, '\n') && !strchr(s->text, '\033'), "in place");
	shown_after(s->text, last, sizeof(last));
	is_str(last, "", "and cleared at the end");

	s = play(status_said);
	line = strstr(s->text, "frec: a message\r\n");
	ok(line && line > s->text && line[-1] == '\r', "a message takes the line's place");

	s = play(status_quiet);
	is_str(s->text, "", "-q: no line");
	s = play(status_verbose);
	is_str(s->text, "", "-v: no line");
	is_scene(status_stuck, "duration", "a stuck terminal holds nothing up");
}

static void test_status_text(void)
{
	char t[200];

	status_text(t, sizeof(t), 0, 0, 0, 0, 0);
	is_str(t, "frec: 0:00  0 events  0/s  0 B  0 threads", "nothing yet");
	status_text(t, sizeof(t), 1, 999, 1023, 1, 59);
	is_str(t, "frec: 0:59  1 event  999/s  1023 B  1 thread", "one of each");
	status_text(t, sizeof(t), 1000, 1234567, 1536, 2, 3599);
	is_str(t, "frec: 59:59  1,000 events  1,234,567/s  1.5 KiB  2 threads", "groups of three");
	status_text(t, sizeof(t), UINT64_MAX, 0, 5ull << 40, 4000, 360000);
	is_str(t, "frec: 100:00:00  18,446,744,073,709,551,615 events  0/s  5.0 TiB  4000 threads",
	       "much");
}

int main(void)
{
	struct scene *s;

	is_scene(on_int, "signal SIGINT", "SIGINT");
	is_scene(on_term, "signal SIGTERM", "SIGTERM");
	is_scene(on_hup, "signal SIGHUP", "SIGHUP");
	is_scene(on_quit, "signal SIGQUIT", "SIGQUIT");
	is_scene(on_usr1, "signal SIGUSR1", "SIGUSR1");
	is_scene(on_xcpu, "signal SIGXCPU", "SIGXCPU");
	is_scene(on_ignored_int, "signal SIGINT", "SIGINT sent to a background job");
	is_scene(on_more_signals, "signal SIGTERM", "more signals break nothing");
	is_scene(not_stopped, "duration", "SIGTSTP, SIGTTIN, SIGTTOU do not stop frec");
	is_scene(nohup, "duration", "SIGHUP under nohup");
	is_scene(duration, "duration", "--duration");
	is_scene(max_events, "max-events", "--max-events");
	is_scene(max_size, "max-size", "--max-size");
	is_scene(write_failed, "write failed", "a failed write");
	is_scene(news_said, "frec: c.frz: a slow medium\n", "what the writer tells is said once");
	is_scene(first_reason, "max-events", "the first reason stays");
	is_scene(child_mask, "same", "the launched command's signals");
	test_wake_ups();

	s = play(ctrl_c_attached);
	if (strcmp(s->text, "no terminal") != 0) {
		is_str(s->text, "signal SIGINT", "Ctrl-C, attached");
		is_scene(ctrl_backslash_attached, "signal SIGQUIT", "Ctrl-\\, attached");
		is_scene(ctrl_c_launched, "duration", "Ctrl-C is the launched command's");
		is_scene(ctrl_backslash_launched, "duration", "and so is Ctrl-\\");
		is_scene(ctrl_c_background, "duration", "Ctrl-C is not for a background job");
		is_scene(ctrl_z, "duration", "Ctrl-Z");
	}
	test_status();
	is_scene(say_to_full_pipe, "duration, 100 messages",
		 "messages wait for a full pipe, nobody else does");
	is_scene(status_to_pipe, "-1", "no status line where there is no terminal");
	test_status_text();
	return tap_done();
}
