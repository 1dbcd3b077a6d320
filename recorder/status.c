/*
 * status.c - the status line, and messages while the recording runs, to standard error.
 *
 * - A carriage return and blanks draw and clear the line: no terminal is too plain.
 * - Nothing here waits for whoever reads: a terminal or pipe is opened anew without blocking
 *   (O_NONBLOCK on the descriptor that frec was given would be everybody's who shares it).
 *   What cannot be opened anew is written to only when poll(2) says there is room.
 */
#include "status.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "front.h"

#define REDRAW_NS 250000000u

/* A message waiting for room. */
struct line {
	struct line *next;
	size_t len, sent;
	char text[];
};

struct status {
	bool on;    /* standard error is a terminal and the line is wanted */
	int fd;	    /* what is written to: never blocks, or standard error itself */
	pid_t pgrp; /* the one that is in the foreground when frec is */
	const unsigned *threads;
	size_t drawn; /* columns the line takes now */
	uint64_t start_ns, last_ns, last_events, rate;
	pthread_mutex_t lock; /* the list */
	struct line *first, **end;
};

static int open_anew(void)
{
	struct stat st;
	int fd = -1;

	/* a file opened anew would be written from its beginning */
	if (isatty(STDERR_FILENO) || (!fstat(STDERR_FILENO, &st) && S_ISFIFO(st.st_mode)))
		fd = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	return fd < 0 ? STDERR_FILENO : fd;
}

struct status *status_new(bool wanted, const unsigned *threads)
{
	struct status *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	pthread_mutex_init(&s->lock, NULL);
	s->end = &s->first;
	s->threads = threads;
	s->pgrp = front_pgrp();
	s->on = wanted && isatty(STDERR_FILENO);
	s->fd = open_anew();
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

static bool writable(const struct status *s)
{
	struct pollfd p = { .fd = s->fd, .events = POLLOUT };

	return poll(&p, 1, 0) == 1 && (p.revents & (POLLOUT | POLLERR | POLLHUP)) == POLLOUT;
}

static bool foreground(const struct status *s)
{
	pid_t pg = tcgetpgrp(STDERR_FILENO);

	return pg < 0 || pg == s->pgrp;
}

static void put(const struct status *s, const char *p, size_t n)
{
	if (write(s->fd, p, n) < 0)
		return; /* a terminal that went away is no reason to stop recording */
}

/* Replaces the line by text, which has no line feed. */
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
	put(s, out, n);
	s->drawn = len;
}

void status_draw(struct status *s, uint64_t now_ns, const struct writer_stats *w)
{
	char text[200];
	struct winsize size;
	size_t columns = 80;

	if (!s || !s->on)
		return;
	if (!s->start_ns)
		s->start_ns = now_ns;
	if (s->last_ns && now_ns - s->last_ns < REDRAW_NS)
		return;
	if (s->last_ns)
		s->rate = (uint64_t)((double)(w->events - s->last_events) * 1e9 /
				     (double)(now_ns - s->last_ns));
	s->last_ns = now_ns;
	s->last_events = w->events;
	if (!foreground(s) || !status_flush(s) || !writable(s))
		return;
	status_text(text, sizeof(text), w->events, s->rate, w->file_bytes,
		    s->threads ? __atomic_load_n(s->threads, __ATOMIC_RELAXED) : 0,
		    (now_ns - s->start_ns) / 1000000000u);
	if (!ioctl(STDERR_FILENO, TIOCGWINSZ, &size) && size.ws_col > 1)
		columns = size.ws_col;
	if (columns - 1 < strlen(text))
		text[columns - 1] = '\0';
	replace(s, text);
}

/* ---- messages ------------------------------------------------------------------------------- */

void status_say(struct status *s, const char *text)
{
	size_t len = strlen(text);
	struct line *l = s ? malloc(sizeof(*l) + len + 1) : NULL;

	if (!l) {
		fprintf(stderr, "%s\n", text);
		return;
	}
	l->next = NULL;
	l->sent = 0;
	l->len = len + 1;
	memcpy(l->text, text, len);
	l->text[len] = '\n';
	pthread_mutex_lock(&s->lock);
	*s->end = l;
	s->end = &l->next;
	pthread_mutex_unlock(&s->lock);
}

static struct line *first_line(struct status *s)
{
	struct line *l;

	pthread_mutex_lock(&s->lock);
	l = s->first;
	pthread_mutex_unlock(&s->lock);
	return l;
}

static void drop_first(struct status *s)
{
	struct line *l;

	pthread_mutex_lock(&s->lock);
	l = s->first;
	s->first = l->next;
	if (!s->first)
		s->end = &s->first;
	pthread_mutex_unlock(&s->lock);
	free(l);
}

bool status_flush(struct status *s)
{
	struct line *l;

	while (s && (l = first_line(s)) != NULL) {
		ssize_t n;

		if (!writable(s))
			return false;
		if (!l->sent)
			replace(s, "");
		n = write(s->fd, l->text + l->sent, l->len - l->sent);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return false;
		l->sent = n < 0 ? l->len : l->sent + (size_t)n;
		if (l->sent == l->len)
			drop_first(s);
	}
	return true;
}

void status_free(struct status *s)
{
	struct line *l;

	if (!s)
		return;
	if (s->drawn && foreground(s) && writable(s))
		replace(s, "");
	while ((l = first_line(s)) != NULL) {
		fwrite(l->text + l->sent, 1, l->len - l->sent, stderr);
		drop_first(s);
	}
	if (s->fd != STDERR_FILENO)
		close(s->fd);
	pthread_mutex_destroy(&s->lock);
	free(s);
}
