/*
 * mapped.h - files that a target has mapped shared: what is written through such a mapping
 * makes no call, so it cannot be counted. `coverage` names each that may be written to, and
 * says when it ends whether the file's times and size had changed since it was mapped.
 *
 * - A mapping is followed from mmap or attach, over fork, mprotect and mremap, to munmap,
 *   execve, exit or detach. Meanwhile frec holds an O_PATH fd of the file, which reads nothing.
 * - The kernel sets a file's times when a page of it is first written to, not each time: no
 *   visible change is no proof that nothing was written.
 */
#ifndef FREC_MAPPED_H
#define FREC_MAPPED_H

#include <stdint.h>

#include "capture.h"
#include "procinfo.h"

/* mmap, mprotect, mremap or munmap returned ret. fd: what mmap's fd is, NULL for others or when
 * not known. */
void mapped_call(struct capture *c, struct tracee *t, const struct fdent *fd, int64_t ret);
/* Mapped already when frec attached. */
void mapped_at_attach(struct capture *c, struct tracee *t, const struct proc_mapping *m);
/* child, in a process of its own, was born with its parent's memory, or a copy of it. */
void mapped_forked(struct tracee *child, const struct tracee *parent);
/* All mappings of p end, by how: "execve", "exit", "detach". Frees what was kept. */
void mapped_end(struct capture *c, struct process *p, const char *how);

#endif
