/*
 * placement.h - where tracer and tracees run, and how the tracer waits for the next stop
 * (design: docs/architecture.md, "Placement").
 *
 * - colocate: a hot thread and the tracer are pinned to one CPU, so that a stop is a
 *   context switch and no wake-up of another CPU.
 * - spin: nothing in the target changes; the tracer polls while stops keep coming.
 * - Every mask changed is told to the observer callback, is put back on leave, detach and
 *   end, and by a guardian process if the tracer dies.
 */
#ifndef FREC_PLACEMENT_H
#define FREC_PLACEMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "options.h"

struct placement;

/* Called when a thread's mask was changed (set true) or put back; masks as hex text (affinity.h).
 * Runs in the tracer thread, for a tracee that need not be stopped: out of placement_stop,
 * placement_before_look (any pinned thread), placement_pause, placement_leave, placement_wait. */
typedef void placement_observer(void *arg, pid_t tid, bool set, const char *old_mask,
				const char *new_mask);

/* Call before tracing and from the tracer thread, and before threads are made that do not block all
 * signals (it blocks SIGCHLD). Forks the guardian unless mode is NONE or SPIN. NULL with
 * errno when that fails. area: shared memory of area_len zeroed bytes, in which
 * guardian_restore (guardian.h) finds what is pinned, or NULL. */
struct placement *placement_new_in(enum placement_mode mode, void *area, size_t area_len,
				   placement_observer *fn, void *arg);
struct placement *placement_new(enum placement_mode mode, placement_observer *fn, void *arg);
/* In a forked child before its execve: SIGCHLD as frec was given it. */
void placement_child(const struct placement *p);

/* The next wait status of any tracee, like waitpid(-1, status, __WALL): tid; 0 when
 * interrupted by a signal (look at control_stop_reason); -1 with ECHILD when no tracee is left. */
pid_t placement_wait(struct placement *p, int *status);
/* The same without waiting, 0 when there is none. Whoever waits for tracees by another way than
 * placement_wait takes what this has first: statuses that were collected and not handed out. */
pid_t placement_poll(struct placement *p, int *status);

/* Per-tracee state, embedded in the engine's own; zeroed when the tracee is new, at the same
 * address until placement_leave. */
struct placement_thread {
	uint64_t window_start_ns;
	uint64_t cpu_ns;	/* time on a CPU when the window began */
	uint64_t not_before_ns; /* no pin until then */
	uint32_t stops;
	uint8_t state;
	uint8_t asks, retries;
	void *pinned;
};

/* At each syscall stop of tid, after the record was made and before the restart; now_ns:
 * CLOCK_MONOTONIC. Cheap (a few ns when nothing changes). Decides hot and cold. */
void placement_stop(struct placement *p, pid_t tid, struct placement_thread *t, uint64_t now_ns);
/* At the entry of a call that looks at or sets a mask or CPU (FRZ_FX_AFFINITY): puts back first the
 * thread's own mask and that of all others, for it may ask about any of them. */
void placement_before_look(struct placement *p, pid_t tid, struct placement_thread *t);
/* At the entry of fork, vfork, clone, clone3, execve, execveat (FRZ_FX_CLONE, FRZ_FX_EXEC): puts
 * the thread's own mask back, so that a child is born with it, traced or not, whoever dies
 * meanwhile. The thread may be pinned again at a later stop. */
void placement_pause(struct placement *p, pid_t tid, struct placement_thread *t);
/* At the first stop of a new tracee, with its parent: should it have the parent's pin
 * after all, it gets the parent's own mask. */
void placement_born(struct placement *p, pid_t tid, struct placement_thread *t,
		    struct placement_thread *parent);
/* Detached or gone; may be called twice. gone: it no longer exists, nothing is to be put back. */
void placement_leave(struct placement *p, pid_t tid, struct placement_thread *t, bool gone);
/* Puts everything back, ends the guardian. */
void placement_free(struct placement *p);

#endif
