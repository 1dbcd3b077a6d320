/*
 * lockdown.h - what frec itself may still do once it records: the least that recording takes.
 *
 * A hostile target chooses every byte that frec parses. Should a parser ever be fooled, the
 * kernel still refuses to let frec write to a tracee, signal it, reach the network, open a file
 * for writing, start a program or leave a core dump behind.
 */
#ifndef FREC_LOCKDOWN_H
#define FREC_LOCKDOWN_H

#include <stddef.h>
#include <sys/types.h>

/* In each thread, when it needs no capability but those given (CAP_* bits); keeps none that
 * the thread did not have. */
void lockdown_capabilities(unsigned long long keep);
/* keep_dirfd: the folder of --keep, in which files may be made; -1 none.
 * For all threads at once: no core dump, no tracing of frec by others of its uid, and the
 * filter. When targets are attached, the command is started and every file
 * that will be written is open. 0, or -1 with errno. In builds under a sanitizer it does
 * nothing: their run-time needs more than frec does. */
int lockdown_filter(int keep_dirfd);
/* The same for the front (front.h), which may signal the recorder, tell others to go on
 * (SIGCONT), say whose the terminal is, and end. */
int lockdown_front(pid_t recorder);

#define LOCKDOWN_TRACER_CAPS                                                                       \
	(1ull << 1 /* DAC_OVERRIDE: remove the tail */ | 1ull << 2 /* DAC_READ_SEARCH */ |         \
	 1ull << 19 /* SYS_PTRACE */ | 1ull << 23 /* SYS_NICE: affinity of others' threads */)

#endif
