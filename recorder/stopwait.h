/*
 * stopwait.h - the next wait status of any tracee, at a cost that does not grow with their number,
 * without losing one and without starving one.
 *
 * One per tracer thread. Statuses that were collected but not handed out are held: whoever
 * waits by itself must first take those with stopwait_poll.
 */
#ifndef FREC_STOPWAIT_H
#define FREC_STOPWAIT_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#define STOPWAIT_HELD	64u /* collected at once */
#define STOPWAIT_RECENT 64u /* threads that are asked by name */

struct stopwait {
	struct {
		pid_t tid;
		int status;
	} held[STOPWAIT_HELD];
	unsigned nheld, next_held;
	unsigned tracees; /* about how many there are */
	bool by_name;	  /* many tracees: see stopwait.c */
	struct {
		pid_t tid;
		unsigned misses;
	} recent[STOPWAIT_RECENT];
	unsigned nrecent, next_recent;
	unsigned run; /* statuses since the last collection */
	bool mixed;   /* of more than one thread */
	pid_t last;
	bool dirty; /* a stop may be there that no signal will tell of */
	bool sweep_now;
	unsigned ask; /* how many of recent to ask */
	uint32_t sweep_every_ns;
	timer_t timer;
	uint32_t timer_ns;  /* its period, 0: off */
	uint64_t waited_ns; /* how long the wait before took, when spinning */
	struct sigaction old_chld, old_own;
};

/* Blocks SIGCHLD in this thread and all made by it later (other threads must have it blocked, too),
 * and takes its disposition. False with errno. */
bool stopwait_init(struct stopwait *w);
void stopwait_release(struct stopwait *w);
/* In a child that is about to exec: the disposition of SIGCHLD that frec itself was given. */
void stopwait_child(const struct stopwait *w);

/* One tracee more or less. */
void stopwait_count(struct stopwait *w, int delta);

/* The tid, like waitpid(-1, status, __WALL); 0 when a signal handler ran; -1 with errno
 * (ECHILD: no tracee left). spin: poll a short while before sleeping. */
pid_t stopwait_next(struct stopwait *w, int *status, bool spin);
/* The same without waiting: 0 when no tracee has anything to say. */
pid_t stopwait_poll(struct stopwait *w, int *status);

/* The signal used for timers in the tracer thread: an empty handler, no SA_RESTART. Its sigval
 * says which timer; the bits of those that fired are added to stopwait_fired. */
#define STOPWAIT_SIGNAL (SIGRTMIN + 1)
extern volatile sig_atomic_t stopwait_fired;
#define STOPWAIT_SWEEP 1 /* own */
#define STOPWAIT_USER  2 /* for the caller's timer */

bool stopwait_timer(timer_t *t, int which);		    /* false with errno */
void stopwait_arm(timer_t t, long first_ns, long every_ns); /* 0, 0: off */

#endif
