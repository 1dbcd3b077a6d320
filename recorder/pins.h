/*
 * pins.h - the threads that are held on the tracer's CPU, and the mechanics of holding them there.
 *
 * No policy: placement.c says who and when. All pins are on one CPU, and the tracer with them; it
 * is chosen when the first pin is made, and the tracer gets its own mask back with the last.
 */
#ifndef FREC_PINS_H
#define FREC_PINS_H

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "guardian.h"
#include "placement.h"

struct pin {
	struct placement_thread *thread;
	pid_t tid;
	uint32_t stops;	 /* for the policy: of the thread, when last looked at */
	uint64_t cpu_ns; /* likewise, its time on a CPU */
	unsigned cold;	 /* likewise */
	cpu_set_t old, restore;
	struct guardian_pin *guarded;
};

struct pins {
	struct pin *v[GUARDIAN_PINS];
	unsigned n;
	int cpu;	    /* -1: no pins */
	int avoid;	    /* not to be chosen if there is another; -1: none */
	cpu_set_t own, one; /* of the tracer: its mask at the start, and when pinned */
	struct guardian *guardian;
	placement_observer *fn;
	void *arg;
};

/* Forks the guardian. False with errno. */
bool pins_init(struct pins *s, struct guardian_area *area, placement_observer *fn, void *arg);
/* Undoes every pin, ends the guardian. */
void pins_release(struct pins *s);

/* NULL: it cannot be pinned (errno EPERM when that is not permitted, 0 when its mask, its
 * scheduling policy or the number of pins stands against it). thread->pinned is set. */
struct pin *pins_add(struct pins *s, pid_t tid, struct placement_thread *thread);
/* Puts the mask back if it is still the pin. False: it was somebody else's already. */
bool pins_remove(struct pins *s, struct pin *pin);
/* The thread no longer exists. */
void pins_drop(struct pins *s, struct pin *pin);
/* execve gave the thread another tid. */
void pins_rename(struct pin *pin, pid_t tid);
/* tid was born of a pinned thread: it gets that one's mask if it has the pin. */
void pins_born(struct pins *s, const struct pin *parent, pid_t tid);

#endif
