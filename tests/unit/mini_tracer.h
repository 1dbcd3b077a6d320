/*
 * mini_tracer.h - a tracer of a few lines that drives recorder/placement.c, for its tests.
 *
 * It does what the engine does about placement, and nothing else: seizes all threads of a process,
 * follows children, tells placement of stops, births and ends, and detaches when asked to.
 */
#ifndef TESTS_MINI_TRACER_H
#define TESTS_MINI_TRACER_H

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "placement.h"

#define MINI_THREADS 4096

struct mini_thread {
	pid_t tid;
	struct placement_thread place;
};

struct mini {
	struct placement *place;
	struct mini_thread *thread[MINI_THREADS];
	unsigned n;
	struct mini_thread *last;
	uint64_t stops;
	volatile sig_atomic_t *stop; /* leave when it is set, after an interrupted wait */
	uint64_t max_stops;	     /* leave after so many; 0: never */
};

#define MINI_OPTIONS                                                                               \
	(PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |  \
	 PTRACE_O_TRACEEXEC)

static uint64_t mini_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void mini_nap_ms(unsigned ms)
{
	struct timespec ts = { ms / 1000, (long)(ms % 1000) * 1000000 };

	while (nanosleep(&ts, &ts) != 0)
		;
}

/* On a CPU so far: what others do on a busy machine is not in it. */
static uint64_t mini_cpu_ns(pid_t pid)
{
	clockid_t clock = CLOCK_PROCESS_CPUTIME_ID;
	struct timespec ts = { 0, 0 };

	clock_getcpuclockid(pid, &clock);
	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static long mini_ptrace(unsigned req, pid_t tid, unsigned long addr, unsigned long data)
{
	return ptrace((enum __ptrace_request)req, tid, addr, data);
}

static struct mini_thread *mini_find(struct mini *m, pid_t tid)
{
	if (m->last && m->last->tid == tid)
		return m->last;
	for (unsigned i = 0; i < m->n; i++)
		if (m->thread[i]->tid == tid)
			return m->last = m->thread[i];
	return NULL;
}

static struct mini_thread *mini_add(struct mini *m, pid_t tid)
{
	struct mini_thread *t = mini_find(m, tid);

	if (t || m->n == MINI_THREADS)
		return t;
	t = calloc(1, sizeof(*t));
	if (!t)
		return NULL;
	t->tid = tid;
	return m->thread[m->n++] = t;
}

static void mini_remove(struct mini *m, struct mini_thread *t, bool gone)
{
	placement_leave(m->place, t->tid, &t->place, gone);
	for (unsigned i = 0; i < m->n; i++)
		if (m->thread[i] == t) {
			m->thread[i] = m->thread[--m->n];
			break;
		}
	m->last = NULL;
	free(t);
}

static __attribute__((unused)) bool mini_attach(struct mini *m, pid_t pid)
{
	char path[64];
	bool found;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	do {
		DIR *d = opendir(path);
		struct dirent *e;

		found = false;
		while (d && (e = readdir(d)) != NULL) {
			pid_t tid = (pid_t)atoi(e->d_name);

			if (tid <= 0 || mini_find(m, tid))
				continue;
			if (mini_ptrace(PTRACE_SEIZE, tid, 0, MINI_OPTIONS) != 0)
				continue;
			mini_add(m, tid);
			mini_ptrace(PTRACE_INTERRUPT, tid, 0, 0);
			found = true;
		}
		if (d)
			closedir(d);
	} while (found);
	return m->n > 0;
}

static void mini_syscall_stop(struct mini *m, struct mini_thread *t)
{
	struct __ptrace_syscall_info si;

	m->stops++;
	if (mini_ptrace(PTRACE_GET_SYSCALL_INFO, t->tid, sizeof(si), (unsigned long)&si) > 0 &&
	    si.op == PTRACE_SYSCALL_INFO_ENTRY) {
		switch (si.entry.nr) {
		case SYS_sched_getaffinity:
		case SYS_sched_setaffinity:
		case SYS_getcpu:
			placement_before_look(m->place, t->tid, &t->place);
			break;
		case SYS_clone:
		case SYS_clone3:
		case SYS_fork:
		case SYS_vfork:
		case SYS_execve:
		case SYS_execveat:
			placement_pause(m->place, t->tid, &t->place);
			break;
		default:
			break;
		}
	}
	placement_stop(m->place, t->tid, &t->place, mini_now());
}

static void mini_status(struct mini *m, pid_t tid, int status, bool leaving)
{
	struct mini_thread *t = mini_find(m, tid);
	int event = status >> 16, sig = WSTOPSIG(status);
	unsigned long msg;

	if (!WIFSTOPPED(status)) {
		if (t)
			mini_remove(m, t, true);
		return;
	}
	if (!t)
		t = mini_add(m, tid);
	if (sig == (SIGTRAP | 0x80)) {
		if (!leaving)
			mini_syscall_stop(m, t);
		sig = 0;
	} else if (event) {
		if ((event == PTRACE_EVENT_CLONE || event == PTRACE_EVENT_FORK ||
		     event == PTRACE_EVENT_VFORK) &&
		    mini_ptrace(PTRACE_GETEVENTMSG, tid, 0, (unsigned long)&msg) == 0) {
			struct mini_thread *child = mini_add(m, (pid_t)msg);

			if (child)
				placement_born(m->place, child->tid, &child->place, &t->place);
		}
		sig = 0;
	}
	if (leaving) {
		placement_leave(m->place, tid, &t->place, false);
		mini_ptrace(PTRACE_DETACH, tid, 0, (unsigned long)sig);
		mini_remove(m, t, true);
	} else {
		mini_ptrace(PTRACE_SYSCALL, tid, 0, (unsigned long)sig);
	}
}

/* Until no tracee is left, or told to leave: then all are detached. */
static __attribute__((unused)) void mini_run(struct mini *m)
{
	int status;
	pid_t tid;

	while (m->n && !(m->stop && *m->stop) && !(m->max_stops && m->stops >= m->max_stops)) {
		tid = placement_wait(m->place, &status);
		if (tid < 0)
			break;
		if (tid > 0)
			mini_status(m, tid, status, false);
	}
	for (unsigned i = 0; i < m->n; i++)
		mini_ptrace(PTRACE_INTERRUPT, m->thread[i]->tid, 0, 0);
	while (m->n) {
		tid = placement_poll(m->place, &status);
		if (tid == 0)
			tid = waitpid(-1, &status, __WALL);
		if (tid < 0 && errno == ECHILD)
			break;
		if (tid > 0)
			mini_status(m, tid, status, true);
	}
}

#endif
