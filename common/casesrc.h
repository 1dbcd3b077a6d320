/*
 * casesrc.h - the bytes of a case, in a file or in memory, behind bounded views.
 * Used by the case reader only.
 */
#ifndef FRZ_CASESRC_H
#define FRZ_CASESRC_H

#include "frz.h"

/* One view's storage; a view stays valid until its storage is used again. */
struct frz_view {
	uint8_t *buf;
	size_t cap;
};

struct frz_source {
	int fd; /* -1: mem */
	const uint8_t *mem;
	uint64_t size; /* when last looked at */
};

/* FRZ_OK or FRZ_E_IO with errno. */
enum frz_err frz_source_open(struct frz_source *s, const char *path);
void frz_source_close(struct frz_source *s);
enum frz_err frz_source_refresh(struct frz_source *s); /* looks at the size again */
/* n bytes at offset, which must lie within size. FRZ_OK; FRZ_E_IO; FRZ_E_NOMEM;
 * FRZ_E_TRUNCATED when the file shrank meanwhile. */
enum frz_err frz_source_view(const struct frz_source *s, struct frz_view *v, uint64_t offset,
			     size_t n, const uint8_t **p);

#endif
