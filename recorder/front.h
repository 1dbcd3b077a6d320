/*
 * front.h - the process that a shell knows while a command is recorded at a terminal.
 *
 * A shell is told by its child's stop that the job was stopped. A stopped recorder would leave
 * whoever goes on hanging at the next system call: a child in another session, a command that
 * somebody else continues. So at a terminal frec is two processes: the front, the shell's
 * child, which stops and ends as the command does and hands on what it is sent, and the
 * recorder, which never stops.
 */
#ifndef FREC_FRONT_H
#define FREC_FRONT_H

#include <sys/types.h>

/* Without a controlling terminal it does nothing. Else it forks: the child
 * returns and goes on as the recorder, in a process group of its own, which Ctrl-C and Ctrl-Z
 * do not reach; the parent never returns. When the front is killed the recorder gets a SIGTERM. -1
 * with errno when it cannot fork. Call it before any thread is made and while the signal mask and
 * dispositions are those that frec was started with. */
int front_split(void);
/* The process group that belongs to the shell's job, for the command to be put in. */
pid_t front_pgrp(void);
/* The command, which is in process group pgrp, was stopped by sig, or goes on (0) or begins. The
 * front follows. Until it begins, Ctrl-C is the recorder's. */
void front_follow(int sig, pid_t pgrp);
/* Ends this process with the exit status, or the signal, of a wait status. */
int front_end_like(int status);

#endif
