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
#include <stdint.h>
#include <sys/types.h>

#include "options.h"

struct placement;

/* Called when a thread's mask was changed (set true) or put back; mask as hex text. */
typedef void placement_observer(void *arg, pid_t tid, bool set, const char *old_mask, const char *new_mask);

/* Call before tracing and from the tracer thread. Forks the guardian unless mode is NONE or SPIN.
 * NULL with errno when that fails. */
struct placement *placement_new(enum placement_mode mode, placement_observer *fn, void *arg);

/* The next wait status of any tracee, like waitpid(-1, status, __WALL): tid; 0 when
 * interrupted by a signal (look at control_stop_reason); -1 with ECHILD when no tracee is left. */
pid_t placement_wait(struct placement *p, int *status);

/* Per-tracee state, embedded in the engine's own; zeroed when the tracee is new. */
struct placement_thread { uint64_t window_start_ns; uint32_t stops; uint8_t state; uint8_t asks; void *pinned; };

/* At each syscall stop of tid, after the record was made and before the restart; now_ns: CLOCK_MONOTONIC.
 * Cheap (a few ns when nothing changes). Decides hot and cold. */
void placement_stop(struct placement *p, pid_t tid, struct placement_thread *t, uint64_t now_ns);
/* At the entry of a call that looks at or sets its own mask or CPU (FRZ_FX_AFFINITY): puts the
 * thread's own mask back first, and leaves that thread alone from then on. */
void placement_before_look(struct placement *p, pid_t tid, struct placement_thread *t);
/* The tracee is about to create a thread or process (its child would inherit the mask):
 * called for the new tracee at its first stop with its parent, so that the child gets the parent's own mask. */
void placement_born(struct placement *p, pid_t tid, struct placement_thread *t, struct placement_thread *parent);
/* Detached or gone. gone: it no longer exists, there is nothing to put back. */
void placement_leave(struct placement *p, pid_t tid, struct placement_thread *t, bool gone);
/* Puts everything back, ends the guardian. */
void placement_free(struct placement *p);

#endif
