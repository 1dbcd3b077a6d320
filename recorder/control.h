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

/* Call before any thread is made: blocks the signals that control handles in the calling
 * thread (and so in every thread made from then on). launch: a SIGINT or SIGQUIT from the terminal
 * (si_code SI_KERNEL) is the command's, not ours; one sent by kill(2) stops frec. */
struct control *control_new(const struct frec_options *o, bool launch);
/* Starts the thread. The calling thread is the tracer: the one whose wait is interrupted.
 * threads: number of tracees, read for the status line (updated by the tracer). */
void control_start(struct control *c, struct writer *w, const unsigned *threads);
/* Cheap; called by the tracer after each wait. NULL, or why to stop: "signal SIGINT",
 * "duration", "max-size", "max-events", "write failed". */
const char *control_stop_reason(struct control *c);
/* The tracer says why it stops by itself (e.g. "max-events"); the first reason wins. */
void control_stop(struct control *c, const char *reason);
/* Ends the thread and clears the status line. */
void control_end(struct control *c);

#endif
