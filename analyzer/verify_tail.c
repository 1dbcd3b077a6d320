/*
 * verify_tail.c - what the tail beside a case that is not sealed holds, for --verify.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "record.h"
#include "verify_private.h"

#define TAIL_MAX ((off_t)64 << 20)

/* The tail is copied before the case is read: what moves into the case meanwhile is then seen
 * in both places, and not in none (tailfile.h). */
void verify_tail_copy(const char *case_path, struct verify_tail *t)
{
	char *path = NULL;
	struct stat st;
	ssize_t r;
	int fd;

	if (asprintf(&path, "%s.tail", case_path) < 0)
		return;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	free(path);
	if (fd < 0) {
		t->present = errno != ENOENT;
		snprintf(t->why, sizeof(t->why), "%s", strerror(errno));
		return;
	}
	t->present = true;
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size > TAIL_MAX) {
		snprintf(t->why, sizeof(t->why), "it is no tail");
	} else {
		t->mem = malloc((size_t)st.st_size + 1);
		while (t->mem && t->len < (size_t)st.st_size) {
			r = read(fd, t->mem + t->len, (size_t)st.st_size - t->len);
			if (r <= 0)
				break;
			t->len += (size_t)r;
		}
	}
	close(fd);
}

/* Every record of a half; events that can be decoded are counted. */
static void read_half(const struct frz_tail_half *h, struct verify_tail *t)
{
	struct frz_decoder *d = frz_decoder_new();
	struct frz_tail_entry e;
	struct frz_record rec;
	uint64_t at = 0, seq = h->first_event;

	if (!d)
		return;
	frz_decoder_begin_loose(d);
	while (frz_tail_next(h, &at, &e) == FRZ_OK) {
		struct frz_cur c = frz_cur_of(e.rec, e.len);

		if (frz_decoder_feed(d, &c, seq, e.mono_ns, e.dur_ns, &rec) != FRZ_OK) {
			t->bad_records++;
			continue;
		}
		seq += rec.seq != 0;
		t->events += rec.seq != 0;
	}
	frz_decoder_free(d);
}

void verify_tail_read(struct verify_tail *t, const uint8_t genesis_link[FRZ_HASH_LEN],
		      uint64_t segments)
{
	struct frz_tail tail;
	const char *why = "";

	if (!t->mem)
		return;
	if (frz_tail_parse(t->mem, t->len, genesis_link, segments, &tail, &why) != FRZ_OK) {
		snprintf(t->why, sizeof(t->why), "%s", why);
		return;
	}
	t->readable = true;
	for (unsigned i = 0; i < tail.nhalves; i++)
		read_half(&tail.half[i], t);
	t->unusable = tail.unusable;
	if (tail.unusable && tail.damage)
		snprintf(t->why, sizeof(t->why), "%s", tail.damage);
}
