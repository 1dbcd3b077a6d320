/*
 * affinity.h - CPU masks of threads: read, set, compare, show; and how much CPU time they use.
 *
 * Masks are cpu_set_t, so hosts with more than CPU_SETSIZE CPUs are refused by the kernel
 * (EINVAL), which callers take as "cannot be placed". Nothing here allocates or locks: all of
 * it may be called in a process forked from one with threads.
 */
#ifndef FREC_AFFINITY_H
#define FREC_AFFINITY_H

#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* As the kernel writes it in /proc/PID/status: groups of 8 hex digits, highest first. */
#define AFFINITY_HEX_MAX (CPU_SETSIZE / 4 + CPU_SETSIZE / 32 + 1)
void affinity_hex(const cpu_set_t *mask, char out[AFFINITY_HEX_MAX]);

bool affinity_get(pid_t tid, cpu_set_t *mask); /* false with errno */
bool affinity_set(pid_t tid, const cpu_set_t *mask);
void affinity_one(int cpu, cpu_set_t *mask);
/* The mask is this CPU and no other. */
bool affinity_is_one(const cpu_set_t *mask, int cpu);

/*
 * What to set so that the thread is again as it was with the mask `old`. A thread that nobody
 * restricted runs wherever its cpuset lets it: it gets "everywhere" rather than a copy of
 * today's cpuset, which would hold it back when the cpuset grows.
 */
void affinity_to_restore(pid_t tid, const cpu_set_t *old, cpu_set_t *out);

/* ns on a CPU so far, and ns waiting for one; false when the kernel does not count them or the
 * thread is gone. */
bool affinity_sched(pid_t tid, uint64_t *run_ns, uint64_t *delay_ns);
/* From /proc/TID/stat: parent, session, and start in clock ticks since boot (proc_pid_stat(5),
 * fields 4, 6 and 22). */
struct affinity_stat {
	pid_t ppid, session;
	uint64_t start_ticks;
};
bool affinity_stat(pid_t tid, struct affinity_stat *st);
bool affinity_tgid(pid_t tid, pid_t *tgid);
/* Now, in the same ticks. */
uint64_t affinity_now_ticks(void);

#endif
