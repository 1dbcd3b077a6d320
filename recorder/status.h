/*
 * status.h - the one line on the terminal that tells how the recording goes, and the messages
 * that come while it does.
 *
 * The line is drawn only when standard error is a terminal and frec is in its foreground. Nothing
 * waits: a terminal that takes no output (Ctrl-S) or a full pipe is tried again later.
 */
#ifndef FREC_STATUS_H
#define FREC_STATUS_H

#include <stdbool.h>
#include <stdint.h>

#include "writer.h"

struct status;

/* wanted: false for a status that draws nothing, as on no terminal. threads: read at each draw.
 * NULL when there is no memory; all functions take NULL, draw nothing then, and say at once. One
 * thread calls them but for status_say. */
struct status *status_new(bool wanted, const unsigned *threads);
/* Redraws when the last time is 250 ms ago or more. now_ns: CLOCK_MONOTONIC. */
void status_draw(struct status *s, uint64_t now_ns, const struct writer_stats *w);
/* One line for standard error, to be written by status_flush. Any thread. */
void status_say(struct status *s, const char *text);
/* Writes what was said, the status line taken off first. False: not all of it fits now. */
bool status_flush(struct status *s);
/* Clears the line and writes, waiting if it must, what is left of what was said. */
void status_free(struct status *s);

/* The text of the line; pure. seconds: since start; rate: events a second. */
void status_text(char *out, size_t cap, uint64_t events, uint64_t rate, uint64_t bytes,
		 unsigned threads, uint64_t seconds);

#endif
