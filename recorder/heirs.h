/*
 * heirs.h - threads and processes that were born with a mask which was set for their parent.
 *
 * When the tracer is killed, its tracees run on at once, and until their masks are put back
 * whoever they make inherits the pin. Nothing here allocates or locks.
 */
#ifndef FREC_HEIRS_H
#define FREC_HEIRS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Calls fn for each thread of process pid, of its living descendants, and of the orphans of its
 * session, that was started at or after `since` (clock ticks since boot, as in proc_pid_stat(5)).
 * An orphan: its parent is of another session, as who adopts it is. */
void heirs_each(pid_t pid, uint64_t since, void (*fn)(void *arg, pid_t tid), void *arg);

#endif
