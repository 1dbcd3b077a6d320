/*
 * engine.c - the ptrace engine: waiting, and what each stop means (contract in engine.h;
 * attaching and detaching are in attach.c, starting a command in launch.c).
 *
 * - Entry and exit are told apart by PTRACE_GET_SYSCALL_INFO, never by toggling.
 * - A new tracee whose parent's event has not come yet is held at its first stop, so that
 *   the parent's fork comes before anything of the child's.
 * - ESRCH from a request means that the thread is dying (SIGKILL): its status will come, so it is
 *   not forgotten.
 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <linux/audit.h>
#include <linux/ptrace.h>

#include "engine_private.h"
#include "front.h"
#include "procinfo.h"

#define SYSCALL_STOP_SIG (SIGTRAP | 0x80)

uint64_t engine_clock(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

struct engine *engine_new(const struct engine_config *cfg)
{
	struct engine *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	e->cfg = *cfg;
	e->launched = -1;
	e->launch_status = -1;
	e->launch_report = -1;
	return e;
}

void engine_free(struct engine *e)
{
	if (!e)
		return;
	if (e->launch_report >= 0)
		close(e->launch_report);
	free(e->held);
	free(e);
}

int engine_launch_status(struct engine *e)
{
	int status;

	/* let go of, it is still our child: what ended the recording may have ended it, too */
	if (e->launched > 0 && e->launch_status == -1 &&
	    waitpid(e->launched, &status, WNOHANG) == e->launched)
		e->launch_status = status;
	return e->launch_status;
}

/* ---- restarting ---- */

void engine_restart(struct engine *e, struct tracee *t, int sig)
{
	bool trace_calls = !e->filtered || t->call.active;

	if (e->detaching || t->leave) {
		engine_detach(e, t, sig);
		return;
	}
	t->stopped_ns += engine_clock() - t->woke_ns;
	if (t->state != TRACEE_EXITING)
		t->state = TRACEE_RUNNING;
	/* ESRCH: killed meanwhile; its exit status follows */
	ptrace(trace_calls ? PTRACE_SYSCALL : PTRACE_CONT, t->tid, NULL, (void *)(intptr_t)sig);
}

/* ---- children ---- */

/* There is no memory to follow one that has stopped: it goes on, unseen. Behind the filter it
 * needs its tracer, and is asked for again at its next stop. */
static void go_on_unseen(struct engine *e, pid_t tid, int status)
{
	int sig = status >> 16 || WSTOPSIG(status) == SYSCALL_STOP_SIG ? 0 : WSTOPSIG(status);

	ptrace(e->filtered ? PTRACE_CONT : PTRACE_DETACH, tid, NULL, (void *)(intptr_t)sig);
}

static void hold(struct engine *e, pid_t tid, int status)
{
	if (e->nheld == e->cap_held) {
		unsigned cap = e->cap_held ? e->cap_held * 2 : 16;
		struct held *h = realloc(e->held, cap * sizeof(*h));

		if (!h) {
			go_on_unseen(e, tid, status);
			CALL(e, missed, 0, tid, "thread not followed", "out of memory");
			return;
		}
		e->held = h;
		e->cap_held = cap;
	}
	e->held[e->nheld++] = (struct held){ tid, status };
}

static bool unhold(struct engine *e, pid_t tid, int *status)
{
	for (unsigned i = 0; i < e->nheld; i++)
		if (e->held[i].tid == tid) {
			*status = e->held[i].status;
			e->held[i] = e->held[--e->nheld];
			return true;
		}
	return false;
}

static struct tracee *adopt(struct engine *e, pid_t tid, enum frz_born how, struct tracee *parent,
			    uint64_t now)
{
	struct proc_status st;
	struct tracee *t;
	pid_t tgid = tid;

	if (proc_status(tid, &st))
		tgid = st.tgid;
	t = tracees_add(e->cfg.tracees, tid, tgid);
	if (!t) {
		CALL(e, missed, tgid, tid, "thread not followed", "out of memory");
		return NULL;
	}
	if (!e->cfg.follow && parent && tgid != parent->proc->pid) {
		t->leave = true;
		return t;
	}
	if (parent)
		placement_born(e->cfg.placement, tid, &t->place, &parent->place);
	CALL(e, born, t, how, parent, now);
	return t;
}

static void parent_event(struct engine *e, struct tracee *parent, int event, uint64_t now)
{
	unsigned long msg = 0;
	enum frz_born how = event == PTRACE_EVENT_CLONE ? FRZ_BORN_CLONE :
			    event == PTRACE_EVENT_FORK	? FRZ_BORN_FORK :
							  FRZ_BORN_VFORK;
	struct proc_status st;
	struct tracee *child;
	bool stopped;
	int status;

	if (ptrace(PTRACE_GETEVENTMSG, parent->tid, NULL, &msg) < 0 || msg == 0)
		return;
	parent->announced = true;
	stopped = unhold(e, (pid_t)msg, &status);
	child = tracees_find(e->cfg.tracees, (pid_t)msg); /* met while attaching */
	if (!child) {
		/* stopped before this event and let go, or killed and collected: no longer ours */
		if (!stopped && (!proc_status((pid_t)msg, &st) || st.tracer != getpid()))
			return;
		child = adopt(e, (pid_t)msg, how, parent, now);
	}
	if (child && stopped)
		engine_stop(e, child, status, now);
	if (!child && stopped)
		go_on_unseen(e, (pid_t)msg, status);
}

/* One who may still announce a held child: a thread in clone of its process, of its parent's or
 * (CLONE_PARENT) of its parent's other children. */
struct announcer {
	pid_t tgid, ppid;
	bool found;
};

static void find_announcer(void *arg, struct tracee *t)
{
	struct announcer *a = arg;
	struct proc_stat st;

	if (a->found || t->announced || !t->call.active || !t->call.ent ||
	    t->call.ent->effect != FRZ_FX_CLONE)
		return;
	if (t->proc->pid != a->tgid && t->proc->pid != a->ppid && t->proc->ppid != a->ppid)
		return;
	/* killed: SIGKILL may skip all stops, and a leader's end is not told before its threads' */
	a->found = t->state != TRACEE_EXITING && proc_stat(t->tid, &st) && st.state != 'Z' &&
		   st.state != 'X';
}

static bool will_be_announced(struct engine *e, pid_t tid)
{
	struct announcer a = { 0, 0, false };
	struct proc_status status;
	struct proc_stat st;

	if (e->detaching || !proc_status(tid, &status) || !proc_stat(tid, &st))
		return false;
	a.tgid = status.tgid;
	a.ppid = st.ppid;
	tracees_each(e->cfg.tracees, find_announcer, &a);
	return a.found;
}

/* One whose parent's event will not come. */
static void adopt_stopped(struct engine *e, pid_t tid, int status, uint64_t now)
{
	struct tracee *t = adopt(e, tid, FRZ_BORN_CLONE, NULL, now);

	if (t)
		engine_stop(e, t, status, now);
	else
		go_on_unseen(e, tid, status);
}

/* Held children whose parent was killed before its event: nobody will announce them any more. */
void engine_adopt_orphans(struct engine *e, uint64_t now)
{
	for (unsigned i = 0; i < e->nheld;) {
		struct held h = e->held[i];

		if (will_be_announced(e, h.tid)) {
			i++;
			continue;
		}
		e->held[i] = e->held[--e->nheld];
		adopt_stopped(e, h.tid, h.status, now);
	}
}

/* ---- stops ---- */

/* arch: AUDIT_ARCH_... *nr loses the bit that marks an x32 call. */
static enum frz_abi abi_of(uint32_t arch, uint64_t *nr)
{
	switch (arch) {
	case AUDIT_ARCH_X86_64:
		if (!(*nr & FRZ_X32_BIT))
			return FRZ_ABI_X86_64;
		*nr &= ~(uint64_t)FRZ_X32_BIT;
		return FRZ_ABI_X32;
	case AUDIT_ARCH_I386:
		return FRZ_ABI_I386;
	default:
		return FRZ_ABI_AARCH64;
	}
}

static void syscall_stop(struct engine *e, struct tracee *t, bool seccomp, uint64_t now)
{
	struct ptrace_syscall_info info;
	enum frz_abi abi;
	uint64_t nr, args[6];

	if (ptrace(PTRACE_GET_SYSCALL_INFO, t->tid, (void *)sizeof(info), &info) <= 0)
		return; /* ESRCH: dying */
	if (info.op == PTRACE_SYSCALL_INFO_EXIT) {
		if (e->detaching && engine_restarts(info.exit.rval))
			return; /* it goes on: it has not returned when recording ends */
		if (t->interrupted && info.exit.rval == -EINTR && t->call.active)
			CALL(e, eintr, t, (enum frz_abi)t->call.abi, t->call.nr);
		CALL(e, exit, t, info.exit.rval, now);
		return;
	}
	if (info.op != (seccomp ? PTRACE_SYSCALL_INFO_SECCOMP : PTRACE_SYSCALL_INFO_ENTRY))
		return;
	nr = info.entry.nr; /* entry and seccomp begin alike: nr, args */
	abi = abi_of(info.arch, &nr);
	for (unsigned i = 0; i < 6; i++)
		args[i] = info.entry.args[i];
	t->announced = false;
	CALL(e, entry, t, abi, (uint32_t)nr, args, now);
	if (t->looks) {
		t->looks = false;
		placement_before_look(e->cfg.placement, t->tid, &t->place);
	}
	switch (t->call.ent ? t->call.ent->effect : FRZ_FX_NONE) {
	case FRZ_FX_AFFINITY:
		placement_before_look(e->cfg.placement, t->tid, &t->place);
		break;
	case FRZ_FX_CLONE:
	case FRZ_FX_EXEC:
		placement_pause(e->cfg.placement, t->tid, &t->place);
		break;
	default:
		break;
	}
}

/* Threads of the process that execve ended without a word. */
struct exec_sweep {
	struct engine *e;
	struct tracee *keep;
	uint64_t now;
};

static void sweep_sibling(void *arg, struct tracee *t)
{
	struct exec_sweep *s = arg;

	if (t->proc == s->keep->proc && t != s->keep)
		engine_forget(s->e, t, FRZ_GONE_EXEC, 0, s->now);
}

static struct tracee *exec_event(struct engine *e, struct tracee *t, uint64_t now)
{
	unsigned long old = 0;
	struct tracee *doer = t;
	pid_t pid = t->tid;
	struct exec_sweep sweep;

	/* t is found by the tid of the leader, which the thread that called execve now has */
	if (ptrace(PTRACE_GETEVENTMSG, pid, NULL, &old) == 0 && old && (pid_t)old != pid) {
		doer = tracees_find(e->cfg.tracees, (pid_t)old);
		if (!doer) {
			doer = t;
		} else {
			doer->woke_ns = t->woke_ns;
			engine_forget(e, t, FRZ_GONE_EXEC, 0, now);
			tracees_rename(e->cfg.tracees, doer, pid);
		}
	}
	sweep = (struct exec_sweep){ e, doer, now };
	tracees_each(e->cfg.tracees, sweep_sibling, &sweep);
	CALL(e, exec, doer, (pid_t)old, now);
	return doer;
}

/* The leader was a zombie when frec attached and so is no tracee; now one that is has its tid. */
static struct tracee *exec_as_leader(struct engine *e, pid_t tid)
{
	unsigned long old = 0;
	struct tracee *t;

	if (ptrace(PTRACE_GETEVENTMSG, tid, NULL, &old) < 0)
		return NULL;
	t = tracees_find(e->cfg.tracees, (pid_t)old);
	if (t)
		tracees_rename(e->cfg.tracees, t, tid);
	return t;
}

/* At the stop of an INTERRUPT that hit a call whose exit was not traced (at attach): what it is
 * about to return. Most are started again by the kernel as they were and notice nothing; those
 * with a time-out go on as restart_syscall, which does not say what they are. */
static void find_interrupted(struct engine *e, struct tracee *t)
{
#if defined(__x86_64__)
#define REG_AT(name) (void *)offsetof(struct user_regs_struct, name)
#define REG(name)    ((uint64_t)ptrace(PTRACE_PEEKUSER, t->tid, REG_AT(name), NULL))
#define REG32(name)  ((uint32_t)REG(name))
	struct ptrace_syscall_info info;
	enum frz_abi abi;
	uint64_t nr;
	int32_t ret;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, t->tid, (void *)sizeof(info), &info) <= 0)
		return;
	errno = 0;
	nr = REG(orig_rax);
	ret = (int32_t)REG(rax);
	if (errno || (int32_t)nr < 0 || t->call.active)
		return;
	abi = abi_of(info.arch, &nr);
	if (ret == -EINTR) {
		CALL(e, eintr, t, abi, (uint32_t)nr);
	} else if (ret == -ERESTART_RESTARTBLOCK) {
		const uint64_t args[6] = {
			REG(rdi), REG(rsi), REG(rdx), REG(r10), REG(r8), REG(r9)
		};
		const uint64_t args32[6] = { REG32(rbx), REG32(rcx), REG32(rdx),
					     REG32(rsi), REG32(rdi), REG32(rbp) };

		CALL(e, goes_on, t, abi, (uint32_t)nr, abi == FRZ_ABI_I386 ? args32 : args);
	}
#undef REG32
#undef REG
#undef REG_AT
#else
	/* arm64 has taken the result out of the registers before this stop */
	(void)e;
	(void)t;
#endif
}

/* The command has stopped by sig or goes on (0): the shell's job does the same. */
static void tell_front(const struct engine *e, const struct tracee *t, int sig)
{
	struct proc_stat st;

	if (t->proc->pid == e->launched && proc_stat(t->tid, &st))
		front_follow(sig, st.pgrp);
}

void engine_stop(struct engine *e, struct tracee *t, int status, uint64_t now)
{
	int sig = WSTOPSIG(status), event = (status >> 16) & 0xffff;
	siginfo_t si;

	t->woke_ns = now;
	t->stops++;
	if (t->state == TRACEE_NEW) {
		t->state = TRACEE_RUNNING;
		if (!t->leave)
			CALL(e, settled, t, now);
	}
	if (event == 0 && sig == SYSCALL_STOP_SIG) {
		syscall_stop(e, t, false, now);
		if (!t->leave && !e->detaching)
			placement_stop(e->cfg.placement, t->tid, &t->place, now);
		engine_restart(e, t, 0);
		return;
	}
	switch (event) {
	case 0: /* signal-delivery-stop */
		memset(&si, 0, sizeof(si));
		si.si_signo = sig;
		ptrace(PTRACE_GETSIGINFO, t->tid, NULL, &si);
		CALL(e, signal, t, &si, now);
		engine_restart(e, t, sig);
		return;
	case PTRACE_EVENT_SECCOMP:
		syscall_stop(e, t, true, now);
		break;
	case PTRACE_EVENT_CLONE:
	case PTRACE_EVENT_FORK:
	case PTRACE_EVENT_VFORK:
		parent_event(e, t, event, now);
		break;
	case PTRACE_EVENT_EXEC:
		t = exec_event(e, t, now);
		break;
	case PTRACE_EVENT_EXIT:
		t->state = TRACEE_EXITING;
		CALL(e, leaving, t, false, now);
		break;
	case PTRACE_EVENT_STOP:
		if (t->interrupted && sig == SIGTRAP)
			find_interrupted(e, t);
		t->interrupted = false;
		if (sig == SIGTRAP) {
			/* our INTERRUPT, a new tracee, or the end of a group-stop */
			if (t->state == TRACEE_LISTENING)
				tell_front(e, t, 0);
			break;
		}
		CALL(e, group_stop, t, sig, now);
		if (e->detaching || t->leave)
			break;
		t->stopped_ns += engine_clock() - t->woke_ns;
		t->state = TRACEE_LISTENING;
		ptrace(PTRACE_LISTEN, t->tid, NULL, NULL);
		tell_front(e, t, sig);
		return;
	default:
		break;
	}
	engine_restart(e, t, 0);
}

/* ---- ends ---- */

void engine_forget(struct engine *e, struct tracee *t, enum frz_gone how, int status, uint64_t now)
{
	struct process *p = t->proc;
	bool told = !t->leave, proc_ended;

	placement_leave(e->cfg.placement, t->tid, &t->place, how != FRZ_GONE_DETACHED);
	if (told)
		CALL(e, gone, t, how, status, now);
	tracees_remove(e->cfg.tracees, t, &proc_ended);
	if (!proc_ended)
		return;
	if (told)
		CALL(e, process_gone, p, how, status, now);
	process_drop(e->cfg.tracees, p);
}

void engine_status(struct engine *e, pid_t tid, int status)
{
	struct tracee *t = tracees_find(e->cfg.tracees, tid);
	uint64_t now = engine_clock();
	int unused;

	if (WIFSTOPPED(status)) {
		if (!t && status >> 16 == PTRACE_EVENT_EXEC)
			t = exec_as_leader(e, tid);
		if (t)
			engine_stop(e, t, status, now);
		else if (e->detaching)
			ptrace(PTRACE_DETACH, tid, NULL,
			       (void *)(intptr_t)(status >> 16 ? 0 : WSTOPSIG(status)));
		else if (status >> 16 == PTRACE_EVENT_EXIT) {
			/* killed before it ran, perhaps its parent, too: nothing to wait for */
			unhold(e, tid, &unused);
			ptrace(PTRACE_CONT, tid, NULL, NULL);
		} else if (status >> 16 != PTRACE_EVENT_STOP)
			/* not its first: it had gone on unseen */
			adopt_stopped(e, tid, status, now);
		else
			hold(e, tid, status);
		engine_adopt_orphans(e, now);
		return;
	}
	if (tid == e->launched)
		e->launch_status = status;
	if (t)
		engine_forget(e, t, FRZ_GONE_EXIT, status, now);
	else
		unhold(e, tid, &unused); /* killed while it was held */
	engine_adopt_orphans(e, now);
}

/* The end of a thread's record without its detachment. */
static void end_record(void *arg, struct tracee *t)
{
	struct engine *e = arg;
	uint64_t now = engine_clock();

	if (t->state != TRACEE_EXITING)
		CALL(e, leaving, t, true, now);
	CALL(e, gone, t, FRZ_GONE_DETACHED, 0, now);
}

const char *engine_run(struct engine *e)
{
	const char *reason;

	for (;;) {
		int status;
		pid_t tid;

		reason = control_stop_reason(e->cfg.control);
		if (reason)
			break;
		tid = placement_wait(e->cfg.placement, &status);
		if (tid > 0)
			engine_status(e, tid, status);
		else if (tid < 0)
			return "targets exited";
	}
	if (e->filtered)
		tracees_each(e->cfg.tracees, end_record, e);
	else
		engine_detach_all(e);
	return reason;
}

bool engine_must_keep(const struct engine *e)
{
	return e->filtered && (e->cfg.tracees->nthreads || e->nheld);
}

static void forget_call(void *arg, struct tracee *t)
{
	(void)arg;
	t->call.active = false;
}

void engine_keep(struct engine *e)
{
	int status;
	pid_t tid;

	e->mute = true;
	tracees_each(e->cfg.tracees, forget_call, e);
	engine_adopt_orphans(e, engine_clock());
	while ((tid = placement_wait(e->cfg.placement, &status)) >= 0)
		if (tid > 0)
			engine_status(e, tid, status);
}
