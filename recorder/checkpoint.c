/*
 * checkpoint.c - checkpoint lines to a file, to standard error or to journald's socket.
 */
#include "checkpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "describe.h"
#include "sha256.h"

#define LINE_MAX_BYTES 320
#define EVERY_NS       1000000000u

struct checkpoint {
	int fd;
	bool journal, regular, complained;
	char *name;
	/* what was told last, and what is there to tell */
	uint64_t told_ns, told_blocks;
	uint64_t blocks, events;
	uint8_t case_id[16], link[FRZ_HASH_LEN];
};

static struct checkpoint *new_checkpoint(const char *name, char *err, size_t cap)
{
	struct checkpoint *c = calloc(1, sizeof *c);

	if (c) {
		c->fd = -1;
		c->name = strdup(name);
	}
	if (c && c->name)
		return c;
	free(c);
	snprintf(err, cap, "out of memory");
	return NULL;
}

static void free_checkpoint(struct checkpoint *c)
{
	if (c->fd >= 0 && c->fd != STDERR_FILENO)
		close(c->fd);
	free(c->name);
	free(c);
}

struct checkpoint *checkpoint_open_journal(const char *path, char *err, size_t cap)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	struct checkpoint *c = new_checkpoint(path, err, cap);

	if (!c)
		return NULL;
	snprintf(to.sun_path, sizeof to.sun_path, "%s", path);
	c->journal = true;
	c->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (c->fd >= 0 && connect(c->fd, (struct sockaddr *)&to, sizeof to) == 0)
		return c;
	snprintf(err, cap, "--checkpoint journald: %s: %s; a file or stderr would do", path,
		 strerror(errno));
	free_checkpoint(c);
	return NULL;
}

struct checkpoint *checkpoint_open(const char *where, char *err, size_t cap)
{
	struct checkpoint *c;
	struct stat st;

	if (!strcmp(where, "journald"))
		return checkpoint_open_journal(CHECKPOINT_JOURNAL, err, cap);
	c = new_checkpoint(where, err, cap);
	if (!c)
		return NULL;
	c->fd = !strcmp(where, "stderr") ?
			STDERR_FILENO :
			open(where, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0600);
	if (c->fd < 0 || fstat(c->fd, &st)) {
		snprintf(err, cap, "--checkpoint %s: cannot be opened: %s", where, strerror(errno));
		free_checkpoint(c);
		return NULL;
	}
	c->regular = S_ISREG(st.st_mode);
	return c;
}

/* A pipe or terminal whose reader does not read must not hold the writer up. */
static bool can_take(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };

	return poll(&p, 1, 0) == 1 && (p.revents & POLLOUT);
}

/* 0, or -1 with errno. */
static int send_line(struct checkpoint *c, const char *line, size_t n, const char *id,
		     const char *head)
{
	char msg[3 * LINE_MAX_BYTES];
	int len;

	if (c->journal) {
		len = snprintf(msg, sizeof msg,
			       "MESSAGE=%.*s\nPRIORITY=5\nSYSLOG_IDENTIFIER=frec\nFRZ_CASE=%s\n"
			       "FRZ_BLOCKS=%" PRIu64 "\nFRZ_EVENTS=%" PRIu64 "\nFRZ_HEAD=%s\n",
			       (int)n - 1, line, id, c->blocks, c->events, head);
		return send(c->fd, msg, (size_t)len, MSG_DONTWAIT | MSG_NOSIGNAL) == len ? 0 : -1;
	}
	if (!c->regular && !can_take(c->fd)) {
		errno = EAGAIN;
		return -1;
	}
	if (write(c->fd, line, n) != (ssize_t)n)
		return -1;
	return c->regular ? fdatasync(c->fd) : 0;
}

static void tell(struct checkpoint *c)
{
	char line[LINE_MAX_BYTES], id[33], head[FRZ_HEX_LEN], when[FRZ_TIME_MAX];
	struct timespec now;
	int n;

	frz_hex(c->case_id, sizeof c->case_id, id);
	frz_hex(c->link, FRZ_HASH_LEN, head);
	clock_gettime(CLOCK_REALTIME, &now);
	frz_time_text(now.tv_sec, (uint32_t)now.tv_nsec, when);
	n = snprintf(line, sizeof line,
		     "frz-checkpoint case=%s blocks=%" PRIu64 " events=%" PRIu64
		     " head=%s time=%s\n",
		     id, c->blocks, c->events, head, when);
	errno = 0;
	if (send_line(c, line, (size_t)n, id, head) == 0) {
		c->told_blocks = c->blocks;
	} else if (!c->complained) {
		int e = errno ? errno : EIO;

		c->complained = true;
		if (can_take(STDERR_FILENO))
			fprintf(stderr,
				"frec: --checkpoint %s: cannot be written: %s; recording goes on\n",
				c->name, strerror(e));
	}
}

void checkpoint_block(void *arg, const uint8_t case_id[16], uint64_t blocks, uint64_t events,
		      const uint8_t link[FRZ_HASH_LEN])
{
	struct checkpoint *c = arg;
	uint64_t now = now_ns();

	memcpy(c->case_id, case_id, sizeof c->case_id);
	memcpy(c->link, link, FRZ_HASH_LEN);
	c->blocks = blocks;
	c->events = events;
	if (c->told_ns && now - c->told_ns < EVERY_NS)
		return;
	c->told_ns = now;
	tell(c);
}

void checkpoint_close(struct checkpoint *c)
{
	if (!c)
		return;
	if (c->blocks != c->told_blocks)
		tell(c);
	free_checkpoint(c);
}
