/*
 * launch.c - starting the command that is recorded.
 *
 * The child waits on a pipe until it has been seized, so that nothing of it is missed, and
 * reports through a second, close-on-exec pipe why its execve failed. It gets back
 * the signal mask and the process group that frec was started with.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/filter.h>
#include <linux/ptrace.h>
#include <linux/seccomp.h>

#include "engine_private.h"
#include "front.h"

struct failure {
	int error;
	int step;
};
enum { STEP_FILTER, STEP_EXEC };

extern char **environ;

static void child_main(const struct engine *e, int go, int report, const char *file, char **argv,
		       const struct sock_fprog *filter)
{
	struct failure f = { 0, STEP_EXEC };
	char byte;
	ssize_t n;

	if (front_pgrp() != getpgrp())
		setpgid(0, front_pgrp());
	/* frec gone before the word came: nothing was promised, nothing is run */
	if (read(go, &byte, 1) != 1)
		_exit(126);
	placement_child(e->cfg.placement);
	control_child_signals(e->cfg.control);
	if (filter) {
		/* with CAP_SYS_ADMIN the filter needs no no_new_privs, and set-user-ID programs
		 * work as ever; without it NNP is the kernel's condition: seccomp(2) */
		if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, filter) < 0 &&
		    (errno != EACCES || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		     syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, filter) < 0)) {
			f = (struct failure){ errno, STEP_FILTER };
			n = write(report, &f, sizeof(f));
			_exit(n == sizeof(f) ? 126 : 125);
		}
	}
	execve(file, argv, environ);
	f.error = errno;
	n = write(report, &f, sizeof(f));
	_exit(n == sizeof(f) ? 127 : 125);
}

int engine_launch(struct engine *e, const char *file, char **argv, const struct sock_fprog *filter,
		  char *err, size_t err_cap)
{
	int go[2] = { -1, -1 }, report[2] = { -1, -1 };
	struct tracee *t;
	pid_t pid = -1;
	int ret = -1;

	if (pipe2(go, O_CLOEXEC) < 0 || pipe2(report, O_CLOEXEC | O_NONBLOCK) < 0) {
		snprintf(err, err_cap, "%s: cannot make a pipe: %s", argv[0], strerror(errno));
		goto out;
	}
	pid = fork();
	if (pid < 0) {
		snprintf(err, err_cap, "%s: cannot fork: %s", argv[0], strerror(errno));
		goto out;
	}
	if (pid == 0) {
		close(go[1]);
		close(report[0]);
		child_main(e, go[0], report[1], file, argv, filter);
	}
	front_follow(0, front_pgrp());
	e->filtered = filter != NULL;
	if (ptrace(PTRACE_SEIZE, pid, NULL, (void *)engine_options(e)) < 0) {
		snprintf(err, err_cap,
			 "%s: the new process %d cannot be traced: %s; "
			 "is ptrace forbidden here (container, Yama ptrace_scope 3)?",
			 argv[0], (int)pid, strerror(errno));
		goto out;
	}
	t = tracees_add(e->cfg.tracees, pid, pid);
	if (!t) {
		snprintf(err, err_cap, "%s: out of memory", argv[0]);
		goto out;
	}
	CALL(e, born, t, FRZ_BORN_LAUNCH, NULL, engine_clock());
	if (!filter) /* with a filter, the first traced call stops by itself */
		ptrace(PTRACE_INTERRUPT, pid, NULL, NULL);
	e->launched = pid;
	e->launch_report = report[0];
	report[0] = -1;
	if (write(go[1], "g", 1) != 1) {
		snprintf(err, err_cap, "%s: the new process ended at once", argv[0]);
		goto out;
	}
	ret = 0;
out:
	if (ret < 0 && pid > 0)
		kill(pid, SIGKILL); /* it has run nothing yet */
	for (int i = 0; i < 2; i++) {
		if (go[i] >= 0)
			close(go[i]);
		if (report[i] >= 0)
			close(report[i]);
	}
	return ret;
}

bool engine_launch_failure(struct engine *e, char *err, size_t err_cap)
{
	const char *what = "cannot be executed";
	struct failure f;

	if (e->launch_report < 0 || read(e->launch_report, &f, sizeof(f)) != sizeof(f))
		return false;
	if (f.step == STEP_FILTER)
		what = "the seccomp filter was refused (--no-seccomp does without it)";
	snprintf(err, err_cap, "%s: %s", what, strerror(f.error));
	return true;
}
