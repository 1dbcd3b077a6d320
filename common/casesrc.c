/*
 * casesrc.c - reading a case's bytes by pread(2): never mapped, so that a file which
 * shrinks or a medium which fails is an error and no SIGBUS.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "casesrc.h"

enum frz_err frz_source_open(struct frz_source *s, const char *path)
{
	struct stat st;
	int saved;

	/* O_NONBLOCK: a FIFO given by mistake is refused below and not waited for */
	*s = (struct frz_source){ .fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK) };
	if (s->fd < 0)
		return FRZ_E_IO;
	if (fstat(s->fd, &st) < 0)
		goto fail;
	if (!S_ISREG(st.st_mode)) {
		errno = S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
		goto fail;
	}
	s->size = (uint64_t)st.st_size;
	return FRZ_OK;
fail:
	saved = errno;
	close(s->fd);
	s->fd = -1;
	errno = saved;
	return FRZ_E_IO;
}

void frz_source_close(struct frz_source *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}

enum frz_err frz_source_refresh(struct frz_source *s)
{
	struct stat st;

	if (s->fd < 0)
		return FRZ_OK;
	if (fstat(s->fd, &st) < 0)
		return FRZ_E_IO;
	s->size = (uint64_t)st.st_size;
	return FRZ_OK;
}

enum frz_err frz_source_view(const struct frz_source *s, struct frz_view *v, uint64_t offset,
			     size_t n, const uint8_t **p)
{
	size_t got = 0;

	if (s->fd < 0) {
		*p = s->mem + offset;
		return FRZ_OK;
	}
	if (n > v->cap) {
		uint8_t *bigger = realloc(v->buf, n);

		if (!bigger)
			return FRZ_E_NOMEM;
		v->buf = bigger;
		v->cap = n;
	}
	while (got < n) {
		ssize_t r = pread(s->fd, v->buf + got, n - got, (off_t)(offset + got));

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return FRZ_E_IO;
		if (r == 0)
			return FRZ_E_TRUNCATED;
		got += (size_t)r;
	}
	*p = v->buf;
	return FRZ_OK;
}
