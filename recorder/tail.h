/*
 * tail.h - CASE.frz.tail on disk and in memory (layout: common/tailfile.h): made, mapped,
 * locked in memory, guarded against a medium that vanishes, removed.
 */
#ifndef FREC_TAIL_H
#define FREC_TAIL_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tailfile.h"

struct tail {
	int fd;	      /* -1: none */
	uint8_t *map; /* MAP_SHARED, `size` bytes */
	size_t size;
	char *path;
	int dir; /* O_PATH: of its folder, which may be moved */
};

#define TAIL_NONE ((struct tail){ .fd = -1, .dir = -1 })

/* CASE.frz.tail for CASE.frz; allocated. NULL: no memory. */
char *tail_path(const char *case_path);

/* Creates the file (never an existing one), gives it all its blocks so that storing into the
 * map cannot run out of space, maps it and writes the head. False with a line in err. */
bool tail_create(struct tail *t, const char *case_path, const struct frz_tail_head *h, char *err,
		 size_t err_cap);
/* Maps an existing one, of whatever length (0: map is NULL); *absent is set, and no line
 * written, when there is none. */
bool tail_open(struct tail *t, const char *case_path, bool *absent, char *err, size_t err_cap);
void tail_close(struct tail *t);
/* `len` bytes from `from` in the map onto the medium, and wait: 0, or -1 with errno. */
int tail_sync(const struct tail *t, uint8_t *from, size_t len);
/* Unlinks the file: 0, or -1 with errno. */
int tail_remove(struct tail *t);

uint8_t *tail_half_page(const struct tail *t, const struct frz_tail_head *h, unsigned half);

/*
 * A medium that vanishes, a file system gone read-only, a quota where even blocks that a file
 * has are counted anew, or a file cut from outside turn a store into the map into SIGBUS. While one
 * tail is guarded, the page at fault is replaced by private memory with what can still be read of
 * it, and the store goes on; the process lives and tail_broken() says why, the same text each time;
 * NULL: it is not. One tail at a time.
 */
void tail_guard(struct tail *t);
void tail_unguard(struct tail *t);
const char *tail_broken(void);

/* Around writes that can meet RLIMIT_FSIZE: blocks SIGXFSZ in the calling thread, and
 * afterwards takes away one that came, so that only EFBIG remains. */
void tail_signals_block(sigset_t *old);
void tail_signals_restore(const sigset_t *old);

#endif
