/*
 * judge.h - the verdict of `fanalyze CASE --verify` over bytes in memory, without a process for
 * each: what verify_run() returns is the exit code, and its text is read back for the place that
 * it names. The bytes lie in a memory file, since the verifier opens a name.
 */
#ifndef TESTS_TAMPER_JUDGE_H
#define TESTS_TAMPER_JUDGE_H

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "custody.h"
#include "tap.h"
#include "verify.h"

struct judged {
	int exit;
	bool placed; /* the text names a block and an offset: the first are */
	uint64_t block, offset;
	char text[8192];
};

struct judge {
	int fd;
	char path[40];
	FILE *out;
	struct judged is;
};

static inline void judge_init(struct judge *j)
{
	*j = (struct judge){ .fd = memfd_create("case", MFD_CLOEXEC) };
	snprintf(j->path, sizeof(j->path), "/proc/self/fd/%d", j->fd);
	j->out = fmemopen(j->is.text, sizeof(j->is.text), "w");
	if (j->fd < 0 || !j->out)
		bail_out("no memory file");
}

static inline void judge_release(struct judge *j)
{
	fclose(j->out);
	close(j->fd);
}

/* Writes n bytes there; the rest stays. */
static inline void judge_put(struct judge *j, const void *p, size_t n, size_t at)
{
	if (pwrite(j->fd, p, n, (off_t)at) != (ssize_t)n)
		bail_out("a memory file that cannot be written");
}

/* The end is cut off. */
static inline void judge_cut(struct judge *j, size_t n)
{
	if (ftruncate(j->fd, (off_t)n))
		bail_out("a memory file that cannot be cut");
}

/* The case is these bytes and no more. */
static inline void judge_load(struct judge *j, const void *p, size_t n)
{
	judge_put(j, p, n, 0);
	judge_cut(j, n);
}

/* head: a chain head to expect, NULL for none. The signatures are looked at, as --verify does when
 * nobody says whom to trust. */
static inline const struct judged *judge(struct judge *j, const uint8_t head[FRZ_HASH_LEN])
{
	struct anchor a = { .line = 0 };
	struct anchors anchors = { .from = "--expect-head", .a = &a, .n = 1 };
	struct verify_options o = { .path = j->path, .custody = custody_verify };
	const char *at;

	if (head) {
		memcpy(a.link, head, FRZ_HASH_LEN);
		o.anchors = &anchors;
		o.nanchors = 1;
	}
	rewind(j->out);
	memset(j->is.text, 0, sizeof(j->is.text));
	j->is.exit = verify_run(&o, j->out);
	fflush(j->out);
	at = strstr(j->is.text, "\nblock ");
	j->is.placed = at && sscanf(at, "\nblock %" SCNu64 " at offset %" SCNu64 ": ", &j->is.block,
				    &j->is.offset) == 2;
	return &j->is;
}

#endif
