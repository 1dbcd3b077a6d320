/*
 * front.c - the front and how it follows the command (contract in front.h).
 *
 * - The recorder writes a byte for each change to a pipe. The pipe's signal (F_SETSIG) is
 *   SIGCONT, which the kernel then sends: it wakes the front, stopped or not, and the recorder
 *   needs no right to send signals. The end of the recorder closes the pipe, which is the same.
 * - All signals are blocked in the front and taken one by one. To stop, it sends itself the
 *   blocked signal, looks whether a newer word has come, and only then lets it in: a word that
 *   comes after the look brings a SIGCONT, which takes the stop away.
 */
#include "front.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lockdown.h"

static const int by_default[] = { SIGCHLD, SIGCONT, SIGTSTP, SIGTTIN, SIGTTOU };
static int tell = -1;           /* the recorder's end of the pipe */
static unsigned char told;      /* the newest word */
static pid_t pgrp;

int front_end_like(int status)
{
	struct rlimit none = { 0, 0 };
	sigset_t one;

	if (!WIFSIGNALED(status))
		return WEXITSTATUS(status);
	setrlimit(RLIMIT_CORE, &none);
	signal(WTERMSIG(status), SIG_DFL);
	sigemptyset(&one);
	sigaddset(&one, WTERMSIG(status));
	sigprocmask(SIG_UNBLOCK, &one, NULL);
	raise(WTERMSIG(status));
	return 128 + WTERMSIG(status);
}

/* The newest word: a signal to stop by, 0 to go on, -1 when there is none. */
static int newest(int fd)
{
	unsigned char words[64];
	int word = -1;
	ssize_t n;

	while ((n = read(fd, words, sizeof(words))) > 0)
		word = words[n - 1];
	return n == 0 ? 0 : word;       /* closed: the recorder ends */
}

static void follow(int fd)
{
	const struct timespec now = { 0, 0 };
	int sig = newest(fd);
	sigset_t one;

	if (sig <= 0)
		return;
	sigemptyset(&one);
	sigaddset(&one, sig);
	raise(sig);
	if (newest(fd) == 0) {
		sigtimedwait(&one, NULL, &now);
		return;
	}
	sigprocmask(SIG_UNBLOCK, &one, NULL);
	sigprocmask(SIG_BLOCK, &one, NULL);
}

__attribute__((noreturn))
static void be_front(pid_t recorder, int fd)
{
	sigset_t all;

	sigfillset(&all);
	for (;;) {
		siginfo_t si;
		int status;

		switch (sigwaitinfo(&all, &si)) {
		case -1:
			break;
		case SIGCONT:
			follow(fd);
			break;
		case SIGCHLD:
			if (waitpid(recorder, &status, WNOHANG) == recorder)
				_exit(front_end_like(status));
			break;
		case SIGTSTP:
		case SIGTTIN:
		case SIGTTOU:
			break;          /* the command got it, too, and decides */
		case SIGINT:
		case SIGQUIT:
			if (si.si_code == SI_KERNEL)
				break;  /* from the terminal: likewise */
			/* fall through */
		default:
			kill(recorder, si.si_signo);
		}
	}
}

static bool at_terminal(void)
{
	int fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

int front_split(void)
{
	int words[2], saved;
	sigset_t all, old;
	pid_t front = getpid(), recorder;

	pgrp = getpgrp();
	if (!at_terminal())
		return 0;
	if (pipe2(words, O_CLOEXEC | O_NONBLOCK) < 0)
		return -1;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &old);
	recorder = fork();
	if (recorder > 0) {
		close(words[1]);
		for (size_t i = 0; i < sizeof(by_default) / sizeof(*by_default); i++)
			signal(by_default[i], SIG_DFL);
		fcntl(words[0], F_SETOWN, front);
		fcntl(words[0], F_SETSIG, SIGCONT);
		fcntl(words[0], F_SETFL, O_ASYNC | O_NONBLOCK);
		lockdown_capabilities(0);
		raise(SIGCONT);         /* for a word that came before */
		be_front(recorder, words[0]);
	}
	saved = errno;
	close(words[0]);
	if (recorder == 0) {
		tell = words[1];
		setpgid(0, 0);
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		if (getppid() != front)
			_exit(1);
	} else {
		close(words[1]);
	}
	sigprocmask(SIG_SETMASK, &old, NULL);
	errno = saved;
	return recorder < 0 ? -1 : 0;
}

pid_t front_pgrp(void)
{
	return pgrp ? pgrp : getpgrp();
}

void front_follow(int sig)
{
	/* a SIGSTOP of its own could not be held back until the front has looked */
	unsigned char word = (unsigned char)(sig == SIGSTOP ? SIGTSTP : sig);

	if (tell < 0 || word == told)
		return;
	told = word;
	if (write(tell, &word, 1) != 1)
		return;                 /* the front was killed: nobody is to be told */
}
