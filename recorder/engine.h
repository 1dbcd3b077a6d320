/*
 * engine.h - the ptrace engine: attaches, waits, tells what happened, restarts, detaches.
 *
 * It knows threads, processes and stops, and no policy: what an event means and what is
 * recorded of it is the business of the ops. All ptrace requests and all ops run in one
 * thread, the one that called engine_new. A tracee is stopped while an op runs.
 *
 * What it never does: PTRACE_ATTACH, SIGSTOP, any write to a tracee's memory or
 * registers; PTRACE_O_EXITKILL only for a launched command behind a seccomp filter.
 */
#ifndef FREC_ENGINE_H
#define FREC_ENGINE_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "control.h"
#include "placement.h"
#include "tracee.h"

struct engine_ops {
	/* t is traced from now on. parent: the tracee that made it, or NULL. */
	void (*born)(void *arg, struct tracee *t, enum frz_born how, struct tracee *parent,
		     uint64_t now_ns);
	/* the first stop of t: nothing it does from now on goes unseen */
	void (*settled)(void *arg, struct tracee *t, uint64_t now_ns);
	/* syscall-entry-stop; t->call.active is still that of before */
	void (*entry)(void *arg, struct tracee *t, enum frz_abi abi, uint32_t nr,
		      const uint64_t arg6[6], uint64_t now_ns);
	void (*exit)(void *arg, struct tracee *t, int64_t ret, uint64_t now_ns);
	/* PTRACE_EVENT_EXEC: t already has its new tid; old_tid differs if it was no leader */
	void (*exec)(void *arg, struct tracee *t, pid_t old_tid, uint64_t now_ns);
	void (*signal)(void *arg, struct tracee *t, const siginfo_t *si, uint64_t now_ns);
	void (*group_stop)(void *arg, struct tracee *t, int signo, uint64_t now_ns);
	/* its /proc files can be read for the last time: PTRACE_EVENT_EXIT, or a detach follows */
	void (*leaving)(void *arg, struct tracee *t, bool detached, uint64_t now_ns);
	void (*gone)(void *arg, struct tracee *t, enum frz_gone how, int status, uint64_t now_ns);
	void (*process_gone)(void *arg, struct process *p, enum frz_gone how, int status,
			     uint64_t now_ns);
	/* an INTERRUPT was sent to t; hit: what it was doing, from /proc/TID/syscall */
	void (*interrupted)(void *arg, struct tracee *t, const char *why, const char *hit);
	/* the INTERRUPT made a call of t return EINTR that would have gone on */
	void (*eintr)(void *arg, struct tracee *t, enum frz_abi abi, uint32_t nr);
	/* the call that t was in at attach will go on as restart_syscall */
	void (*goes_on)(void *arg, struct tracee *t, enum frz_abi abi, uint32_t nr,
			const uint64_t arg6[6]);
	/* something that frec could not see or do: one line, for the coverage ledger */
	void (*missed)(void *arg, pid_t pid, pid_t tid, const char *what, const char *detail);
};

struct engine;

uint64_t engine_clock(void); /* CLOCK_MONOTONIC, ns */

struct engine_config {
	const struct engine_ops *ops;
	void *arg;
	struct tracees *tracees;
	struct placement *placement;
	struct control *control;
	bool follow; /* children, not only threads */
};

/* NULL: no memory. */
struct engine *engine_new(const struct engine_config *cfg);
void engine_free(struct engine *e);

/* Seizes every thread of a running process. 0, or -1 with one line in err; then nothing of
 * this process is left traced. */
int engine_attach(struct engine *e, pid_t pid, char *err, size_t err_cap);

/* Starts file (a path, already looked up) with argv in a child of frec's. filter: classic BPF
 * installed in the child before its execve, or NULL. 0, or -1 with one line in err. */
struct sock_fprog;
int engine_launch(struct engine *e, const char *file, char **argv, const struct sock_fprog *filter,
		  char *err, size_t err_cap);

/* Returned to ptrace at the exit stop, never to the program; the kernel's linux/errno.h. */
#define ERESTART_RESTARTBLOCK 516

/* What the program never sees of a call that was interrupted: ERESTARTSYS and its kin. The kernel
 * starts the call again, or makes EINTR of it. */
static inline bool engine_restarts(int64_t ret)
{
	return ret <= -512 && ret >= -ERESTART_RESTARTBLOCK;
}

/* Runs until the last tracee is gone or control says stop; then detaches what is left.
 * Returns the reason: "targets exited" or control's. A command behind a seccomp filter
 * cannot be detached, for without a tracer its filtered calls fail (seccomp(2)): its recording is
 * ended all the same, and engine_keep must follow. */
const char *engine_run(struct engine *e);
/* True: a filtered command still runs. */
bool engine_must_keep(const struct engine *e);
/* Keeps it running, recording nothing and calling no op, until it has ended. */
void engine_keep(struct engine *e);
/* Lets everything go at once (an attach failed half-way). */
void engine_detach_all(struct engine *e);
/* Wait status of the launched command; -1 while it lives. */
int engine_launch_status(struct engine *e);
/* True: the command could not be started, one line in err. */
bool engine_launch_failure(struct engine *e, char *err, size_t err_cap);

#endif
