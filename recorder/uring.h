/*
 * uring.h - operations submitted through io_uring: read from the target's rings at
 * io_uring_enter, recorded like calls (FRZ_R_URING).
 *
 * - At the entry of io_uring_enter the submission entries about to be consumed are read; at its
 *   exit those that were consumed are pending. Completions are matched by user_data
 *   whenever the ring is looked at: at each entry and exit of io_uring_enter, and at the end.
 * - What cannot be seen is said, never guessed: rings with a polling kernel thread, rings set up
 *   before attach, threads that race for one ring, completions already overwritten.
 */
#ifndef FREC_URING_H
#define FREC_URING_H

#include "capture.h"

/* At the entry of io_uring_enter, before anything of it is recorded. */
void uring_entry(struct capture *c, struct tracee *t, uint64_t now_ns);
/* After a call of one of the effects URING_*, MMAP succeeded or (ENTER) returned; its record has been
 * made, its items are still there. Outside any group. */
void uring_exit(struct capture *c, struct tracee *t, int64_t ret, uint64_t now_ns);
/* The process is gone or let go: what is pending is recorded as not returned. */
void uring_process_gone(struct capture *c, struct process *p, uint64_t now_ns);
void uring_release(struct capture *c);

#endif
