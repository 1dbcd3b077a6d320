/*
 * control.h - the thread that listens: signals, --duration, the status line, the end.
 *
 * The tracer thread sleeps in waitpid(2). Whatever must reach it sets the stop reason and
 * then interrupts the wait with a signal, again and again until the tracer has seen it,
 * so that no moment between check and sleep can swallow it.
 */
#ifndef FREC_CONTROL_H
#define FREC_CONTROL_H

#include <stdbool.h>

#include "options.h"
#include "writer.h"

struct control;

/* Call before any thread is made and before writer_open: blocks the signals that control handles in
 * the calling thread (and so in every thread made from then on), and SIGPIPE, SIGXFSZ, SIGTSTP,
 * SIGTTIN, SIGTTOU. launch: a SIGINT or SIGQUIT from the terminal (si_code SI_KERNEL) is the
 * command's, not ours; one sent by kill(2) stops frec. NULL with errno when it fails. */
struct control *control_new(const struct frec_options *o, bool launch);
/* In a forked child before execve: the signal mask and dispositions that frec was
 * started with. Async-signal-safe. */
void control_child_signals(const struct control *c);
/* Starts the thread; --duration counts from here. The calling thread is the tracer: the one whose
 * wait is interrupted. threads: number of tracees, read for the status line (updated by the
 * tracer). 0, or -1 with errno. */
int control_start(struct control *c, struct writer *w, const unsigned *threads);
/* Cheap; called by the tracer after each wait, and often enough while it waits for other things:
 * it is woken every 10 ms until it has. NULL, or why to stop: "signal SIGINT", "duration",
 * "max-size", "max-events", "write failed". */
const char *control_stop_reason(struct control *c);
/* The tracer says why it stops by itself (e.g. "max-events"); the first reason wins. Kept by
 * pointer: a static text. Any thread. */
void control_stop(struct control *c, const char *reason);
/* One line to standard error, written by the control thread: whoever says something while tracees
 * are stopped does not wait for a terminal or pipe that takes no output. Any thread. */
void control_say(struct control *c, const char *line);
/* Ends the thread, clears the status line, releases c (NULL is nothing). The signals stay blocked,
 * so that a second Ctrl-C cannot break what is left to do. */
void control_end(struct control *c);

#endif
