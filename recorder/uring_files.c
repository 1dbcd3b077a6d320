/*
 * uring_files.c - the table of registered files of a ring, as far as frec knows it. What an
 * operation puts there, and not a call, has no descriptor by which to ask what it is: the
 * place then counts as not known, never as what stood there before.
 *
 * Layouts: struct io_uring_rsrc_register, _update, _update2 of linux/io_uring.h.
 */
#include "uring_private.h"

#include <stdlib.h>

#include "mem.h"

#define REGISTER_FILES	 2u
#define UNREGISTER_FILES 3u
#define FILES_UPDATE	 6u
#define REGISTER_FILES2	 13u
#define FILES_UPDATE2	 14u
#define REGISTER_SPARSE	 1u
#define SKIP_FD		 (-2)  /* leaves what stands there */
#define FIXED_MAX	 4096u /* beyond these a file counts as not known */

void files_drop(struct ring *r)
{
	files_forget(r, 0, r->nfixed);
	free(r->fixed);
	r->fixed = NULL;
	r->nfixed = 0;
}

void files_forget(struct ring *r, uint64_t index, uint64_t n)
{
	for (; n && index < r->nfixed; n--, index++) {
		if (r->fixed[index])
			fdent_unref(r->fixed[index]);
		r->fixed[index] = NULL;
	}
}

struct fdent *files_get(const struct ring *r, uint32_t index)
{
	struct fdent *ent = index < r->nfixed ? r->fixed[index] : NULL;

	if (ent)
		fdent_ref(ent);
	return ent;
}

/* n places from `index` on, from an array of fds at addr. */
static void take(struct capture *c, struct tracee *t, struct ring *r, uint32_t index, uint64_t n,
		 uint64_t addr, uint64_t now_ns)
{
	for (uint64_t i = 0; i < n && index + i < r->nfixed; i++) {
		bool read;
		uint8_t raw[4];
		int fd;

		read = mem_read_all(t->tid, addr + i * 4, raw, 4);
		fd = read ? (int)frz_get32(raw) : -1;
		if (fd == SKIP_FD)
			continue;
		files_forget(r, index + i, 1);
		r->fixed[index + i] = fd_entry(c, t, fd, now_ns);
		if (r->fixed[index + i])
			fdent_ref(r->fixed[index + i]);
	}
}

static void make(struct ring *r, uint64_t n)
{
	files_drop(r);
	if (n > FIXED_MAX)
		n = FIXED_MAX;
	r->fixed = calloc(n + 1, sizeof(struct fdent *));
	r->nfixed = r->fixed ? (uint32_t)n : 0;
}

void files_registered(struct capture *c, struct tracee *t, struct ring *r, uint32_t opcode,
		      int64_t ret, uint64_t now_ns)
{
	uint64_t addr = t->call.mem[2], n = (uint64_t)t->call.arg[3];
	uint8_t raw[32];

	switch (opcode) {
	case REGISTER_FILES:
		make(r, n);
		take(c, t, r, 0, n, addr, now_ns);
		break;
	case REGISTER_FILES2:
		if (!mem_read_all(t->tid, addr, raw, sizeof(raw))) {
			files_drop(r);
			break;
		}
		n = frz_get32(raw);
		make(r, n);
		if (!(frz_get32(raw + 4) & REGISTER_SPARSE))
			take(c, t, r, 0, n, frz_get64(raw + 16), now_ns);
		break;
	case UNREGISTER_FILES:
		files_drop(r);
		break;
	case FILES_UPDATE:
	case FILES_UPDATE2:
		if (mem_read_all(t->tid, addr, raw, 16))
			take(c, t, r, frz_get32(raw), (uint64_t)ret, frz_get64(raw + 8), now_ns);
		else
			files_forget(r, 0, r->nfixed);
		break;
	default:
		break;
	}
}
