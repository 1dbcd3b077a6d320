/*
 * status.c - draws the status line with a carriage return and blanks: no terminal is too plain.
 */
#include "status.h"

#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define REDRAW_NS 250000000u

struct status {
	bool on; /* standard error is a terminal and the line is wanted */
	const unsigned *threads;
	pthread_mutex_t lock; /* the members below, and writes to the terminal */
	size_t drawn;	      /* columns the line takes now */
	uint64_t start_ns, last_ns, last_events, rate;
};

struct status *status_new(bool wanted, const unsigned *threads)
{
	struct status *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	pthread_mutex_init(&s->lock, NULL);
	s->threads = threads;
	s->on = wanted && isatty(STDERR_FILENO);
	return s;
}

/* 12345 as "12,345". */
static void grouped(char *out, size_t cap, uint64_t n)
{
	char digits[24];
	int len = snprintf(digits, sizeof(digits), "%" PRIu64, n);
	size_t at = 0;

	for (int i = 0; i < len && at + 2 < cap; i++) {
		if (i && (len - i) % 3 == 0)
			out[at++] = ',';
		out[at++] = digits[i];
	}
	out[at] = '\0';
}

static void size_text(char *out, size_t cap, uint64_t bytes)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	double v = (double)bytes;
	size_t u = 0;

	while (v >= 1024 && u < 4) {
		v /= 1024;
		u++;
	}
	snprintf(out, cap, u ? "%.1f %s" : "%.0f %s", v, units[u]);
}

void status_text(char *out, size_t cap, uint64_t events, uint64_t rate, uint64_t bytes,
		 unsigned threads, uint64_t seconds)
{
	char n[32], r[32], size[32], time[40];

	grouped(n, sizeof(n), events);
	grouped(r, sizeof(r), rate);
	size_text(size, sizeof(size), bytes);
	if (seconds < 3600)
		snprintf(time, sizeof(time), "%" PRIu64 ":%02" PRIu64, seconds / 60, seconds % 60);
	else
		snprintf(time, sizeof(time), "%" PRIu64 ":%02" PRIu64 ":%02" PRIu64, seconds / 3600,
			 seconds / 60 % 60, seconds % 60);
	snprintf(out, cap, "frec: %s  %s event%s  %s/s  %s  %u thread%s", time, n,
		 events == 1 ? "" : "s", r, size, threads, threads == 1 ? "" : "s");
}

static bool writable(void)
{
	struct pollfd p = { .fd = STDERR_FILENO, .events = POLLOUT };

	return poll(&p, 1, 0) == 1 && (p.revents & (POLLOUT | POLLERR | POLLHUP)) == POLLOUT;
}

static bool foreground(void)
{
	pid_t pg = tcgetpgrp(STDERR_FILENO);

	return pg < 0 || pg == getpgrp();
}

static void put(const char *p, size_t n)
{
	if (write(STDERR_FILENO, p, n) < 0)
		return; /* a terminal that went away is no reason to stop recording */
}

/* Replaces the line by text, which has no line feed. With the lock held. */
static void replace(struct status *s, const char *text)
{
	char out[600];
	size_t len = strlen(text), n;

	if (!len && !s->drawn)
		return;
	n = (size_t)snprintf(out, sizeof(out), "\r%s%*s", text,
			     s->drawn > len ? (int)(s->drawn - len) : 0, "");
	if (s->drawn > len && n + 1 < sizeof(out)) {
		/* back to the end of the text, so that what is printed next starts clean */
		n += (size_t)snprintf(out + n, sizeof(out) - n, "\r%s", text);
	}
	if (n >= sizeof(out))
		n = sizeof(out) - 1;
	put(out, n);
	s->drawn = len;
}

void status_draw(struct status *s, uint64_t now_ns, const struct writer_stats *w)
{
	char text[200];
	struct winsize size;
	size_t columns = 80;

	if (!s || !s->on)
		return;
	pthread_mutex_lock(&s->lock);
	if (!s->start_ns)
		s->start_ns = now_ns;
	if (s->last_ns && now_ns - s->last_ns < REDRAW_NS)
		goto out;
	if (s->last_ns)
		s->rate = (uint64_t)((double)(w->events - s->last_events) * 1e9 /
				     (double)(now_ns - s->last_ns));
	s->last_ns = now_ns;
	s->last_events = w->events;
	if (!foreground() || !writable())
		goto out;
	status_text(text, sizeof(text), w->events, s->rate, w->file_bytes,
		    s->threads ? __atomic_load_n(s->threads, __ATOMIC_RELAXED) : 0,
		    (now_ns - s->start_ns) / 1000000000u);
	if (!ioctl(STDERR_FILENO, TIOCGWINSZ, &size) && size.ws_col > 1)
		columns = size.ws_col;
	if (columns - 1 < strlen(text))
		text[columns - 1] = '\0';
	replace(s, text);
out:
	pthread_mutex_unlock(&s->lock);
}

void status_say(struct status *s, const char *line)
{
	if (s) {
		pthread_mutex_lock(&s->lock);
		if (s->drawn && writable())
			replace(s, "");
	}
	fprintf(stderr, "%s\n", line);
	if (s)
		pthread_mutex_unlock(&s->lock);
}

void status_free(struct status *s)
{
	if (!s)
		return;
	if (s->drawn && foreground() && writable())
		replace(s, "");
	pthread_mutex_destroy(&s->lock);
	free(s);
}
