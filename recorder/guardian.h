/*
 * guardian.h - puts the masks of pinned threads back when the tracer dies without doing so.
 *
 * - Every pin is written into a shared area before the mask is changed, and taken out after it
 *   was put back. The area may lie in a file, so that a later process can do the same.
 * - The guardian is a process of its own: child of init, own session, no signal but SIGKILL,
 *   no file but the two it waits on. It waits for the end of the process that made it.
 * - Putting back touches only a thread that is the same one (tid and start time) and has
 *   exactly the mask that was set for it: whatever anybody else decided stays. And what
 *   such a thread's process has made since the pin, if it has that mask too (heirs.h).
 */
#ifndef FREC_GUARDIAN_H
#define FREC_GUARDIAN_H

#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define GUARDIAN_PINS 256u

struct guardian_pin {
	_Atomic uint32_t used; /* stored last when taken, first when given back */
	int32_t tid;
	int32_t cpu; /* the mask that was set is this one CPU */
	int32_t tgid;
	uint64_t start_ticks; /* of the thread, clock ticks since boot */
	uint64_t tgid_start_ticks;
	uint64_t pinned_ticks; /* when the mask was set */
	cpu_set_t restore;     /* what to set in the end */
};

/* Zeroed memory is an empty area. Meaningful on the boot that wrote it only. */
struct guardian_area {
	struct guardian_pin pin[GUARDIAN_PINS];
};

struct guardian;

/* area: in a MAP_SHARED mapping that outlives the guardian's user, or NULL: one is made. NULL with
 * errno when a process cannot be made. Call it when no child can report to waitpid by pid. */
struct guardian *guardian_new(struct guardian_area *area);
/* NULL: all places are taken, or there is no such thread. The caller sets the mask afterwards. */
struct guardian_pin *guardian_take(struct guardian *g, pid_t tid, int cpu,
				   const cpu_set_t *restore);
void guardian_give_back(struct guardian_pin *pin);
/* Ends the process. Pins still taken are left to nobody. */
void guardian_free(struct guardian *g);

struct guardian_result {
	unsigned restored;
	unsigned gone;	  /* no such thread any more, or another one */
	unsigned foreign; /* its mask is somebody else's by now */
	unsigned failed;  /* not permitted */
	unsigned heirs;	  /* born with the pin, and restored */
};

/* For recovery and the guardian itself; pins that failed stay taken. Allocates nothing; takes about
 * 0.1 s when anything was pinned. */
struct guardian_result guardian_restore(struct guardian_area *area);

#endif
