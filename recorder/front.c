/*
 * front.c - the front and how it follows the command (contract in front.h).
 *
 * - The recorder writes a word for each change to a pipe. The pipe's signal (F_SETSIG) is
 *   SIGCONT, which the kernel then sends: it wakes the front, stopped or not, and the recorder
 *   needs no right to send signals. The end of the recorder closes the pipe, which is the same.
 * - All signals are blocked in the front and taken one by one. To stop, it sends itself the
 *   blocked signal, looks whether a newer word has come, and only then lets it in: a word that
 *   comes after the look brings a SIGCONT, which takes the stop away.
 * - A SIGCONT of the shell's reaches the job's process group. A command that has left it, a shell
 *   say, gets it from the front, and the terminal if the job has it (fg).
 */
#include "front.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lockdown.h"

static const int by_default[] = { SIGCHLD, SIGCONT, SIGTSTP, SIGTTIN, SIGTTOU };
/* The job was stopped by sig; 0: it goes on. */
struct word {
	int sig;
	pid_t pgrp;
};

static int tell = -1; /* the recorder's end of the pipe */
static int told = -1; /* the newest sig */
static pid_t pgrp;    /* the job's */
static int tty;	      /* the front's */

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

/* Replaces *w by the newest word. False: there is none. */
static bool newest(int fd, struct word *w)
{
	struct word words[16];
	bool found = false;
	ssize_t n;

	while ((n = read(fd, words, sizeof(words))) > 0) {
		*w = words[(size_t)n / sizeof(*words) - 1];
		found = true;
	}
	if (n < 0)
		return found;
	*w = (struct word){ 0, 0 }; /* closed: the recorder ends */
	return true;
}

static void stop(int fd, struct word *w)
{
	const struct timespec now = { 0, 0 };
	sigset_t one;

	sigemptyset(&one);
	sigaddset(&one, w->sig);
	raise(w->sig);
	if (newest(fd, w) && w->sig == 0) {
		sigtimedwait(&one, NULL, &now);
		return;
	}
	sigprocmask(SIG_UNBLOCK, &one, NULL);
	sigprocmask(SIG_BLOCK, &one, NULL);
}

/* The shell lets its job go on. */
static void pass_on(const struct word *w)
{
	if (w->pgrp == pgrp || getsid(w->pgrp) != getsid(0))
		return;
	if (tcgetpgrp(tty) == pgrp)
		tcsetpgrp(tty, w->pgrp);
	kill(-w->pgrp, SIGCONT);
}

static _Noreturn void be_front(pid_t recorder, int fd)
{
	struct word w = { 0, 0 }; /* no group: no command yet */
	sigset_t all;

	sigfillset(&all);
	for (;;) {
		siginfo_t si;
		int status;

		switch (sigwaitinfo(&all, &si)) {
		case -1:
			break;
		case SIGCONT:
			if (!newest(fd, &w) && w.sig && si.si_code <= 0) {
				w.sig = 0; /* not the pipe's, and nothing new in it */
				pass_on(&w);
			} else if (w.sig) {
				stop(fd, &w);
			}
			break;
		case SIGCHLD:
			if (waitpid(recorder, &status, WNOHANG) == recorder)
				_exit(front_end_like(status));
			break;
		case SIGTSTP:
		case SIGTTIN:
		case SIGTTOU:
			break; /* the command got it, too, and decides */
		case SIGINT:
		case SIGQUIT:
			/* from the terminal: likewise */
			if (si.si_code == SI_KERNEL && w.pgrp)
				break;
			/* fall through */
		default:
			kill(recorder, si.si_signo);
		}
	}
}

int front_split(void)
{
	int words[2], saved;
	sigset_t all, old;
	pid_t front = getpid(), recorder;

	pgrp = getpgrp();
	tty = open("/dev/tty", O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (tty < 0)
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
		if (lockdown_front(recorder) < 0) {
			fprintf(stderr, "frec: cannot lock itself down: %s\n", strerror(errno));
			_exit(1); /* which ends the recorder */
		}
		raise(SIGCONT); /* for a word that came before */
		raise(SIGCHLD); /* or an end */
		be_front(recorder, words[0]);
	}
	saved = errno;
	close(tty);
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

pid_t front_pgrp(void) { return pgrp ? pgrp : getpgrp(); }

void front_follow(int sig, pid_t command_pgrp)
{
	/* a SIGSTOP of its own could not be held back until the front has looked */
	struct word word = { sig == SIGSTOP ? SIGTSTP : sig, command_pgrp };

	if (tell < 0 || word.sig == told)
		return;
	told = word.sig;
	if (write(tell, &word, sizeof(word)) != sizeof(word))
		return; /* the front was killed: nobody is to be told */
}
