/*
 * mem.h - bytes out of a stopped tracee's memory.
 *
 * process_vm_readv(2) first; where that is refused (a target that made itself
 * undumpable under a tracer without CAP_SYS_PTRACE) PTRACE_PEEKDATA, which the kernel always
 * grants to the tracer. Nothing is ever written.
 *
 * A page that is not there yet may be somebody's answer: of the program itself, who handles its
 * faults (userfaultfd(2)), or of a recorded file server. process_vm_readv would wait for it, and
 * could not even be interrupted, while the one who answers is stopped. mem_careful() has only pages
 * read from then on that are there, by /proc/TID/mem; which also sees what the program itself may
 * not read (PROT_NONE).
 */
#ifndef FREC_MEM_H
#define FREC_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

void mem_careful(void);
/* Reads up to n bytes at addr; returns how many could be read from the front (0: none). */
size_t mem_read(pid_t tid, uint64_t addr, void *buf, size_t n);
/* All n bytes or false. */
bool mem_read_all(pid_t tid, uint64_t addr, void *buf, size_t n);

enum mem_str { MEM_STR_OK, MEM_STR_CUT, MEM_STR_FAULT };
/* A NUL-terminated string of at most cap bytes, NUL not stored; *len is what was stored.
 * CUT: no NUL within cap. FAULT: memory ended before the NUL; *len bytes were still read. */
enum mem_str mem_read_str(pid_t tid, uint64_t addr, uint8_t *buf, size_t cap, size_t *len);

#endif
