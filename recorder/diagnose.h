/*
 * diagnose.h - why a process cannot be traced, in one line that names it and the remedy.
 */
#ifndef FREC_DIAGNOSE_H
#define FREC_DIAGNOSE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Before PTRACE_SEIZE: no such process, a zombie, a kernel thread, frec itself, frec's own
 * tracer, already traced (by whom). True: go on. False: line in err, which names the pid. */
bool diagnose_before_seize(pid_t pid, char *err, size_t cap);
/* After PTRACE_SEIZE of a thread of pid failed with `error` (errno value): reads TracerPid, uids,
 * CAP_SYS_PTRACE, Yama's ptrace_scope, and names the one in the way and the setcap or sudo
 * that helps. */
void diagnose_seize_failed(pid_t pid, int error, char *err, size_t cap);
/* PTRACE_GET_SYSCALL_INFO needs Linux 5.3: false with a line when the running kernel is older. */
bool diagnose_kernel(char *err, size_t cap);

#endif
