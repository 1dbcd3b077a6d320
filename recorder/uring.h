/*
 * uring.h - operations submitted through io_uring: read from the target's rings at
 * io_uring_enter, recorded like calls (FRZ_R_URING).
 *
 * - At the entry of io_uring_enter the submission entries about to be consumed are read; at its
 *   exit those that were consumed are pending. Completions are matched by user_data
 *   whenever the ring is looked at: at each entry and exit of io_uring_enter, and at the end.
 * - Which file stands at a place of the ring's table of registered files is known as long as calls
 *   put it there; of what an operation puts there the row names the place alone.
 * - What cannot be seen is said, never guessed: rings with a polling kernel thread, rings set up
 *   before attach, threads that race for one ring, completions already overwritten,
 *   completions whose user_data several operations had.
 */
#ifndef FREC_URING_H
#define FREC_URING_H

#include "capture.h"

/* At the entry of io_uring_enter, before anything of it is recorded. */
void uring_entry(struct capture *c, struct tracee *t, uint64_t now_ns);
/* After a call of one of the effects URING_*, MMAP succeeded or (ENTER) returned; its record has
 * been made, its items are still there. Outside any group. */
void uring_exit(struct capture *c, struct tracee *t, int64_t ret, uint64_t now_ns);
/* ent was met, not made by a call that frec saw: a ring is named, for it may be one that no call
 * enters. Outside any group. */
void uring_met(struct capture *c, const struct tracee *t, const struct fdent *ent);
/* The call is io_uring_setup of a ring without a file descriptor: what it returns is none. */
bool uring_without_fd(const struct tracee *t);
/* The process is gone or let go: what is pending is recorded as not returned. */
void uring_process_gone(struct capture *c, struct process *p, uint64_t now_ns);
void uring_release(struct capture *c);

#endif
