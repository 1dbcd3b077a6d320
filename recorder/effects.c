/*
 * effects.c - what calls do: before them, files that they destroy or run are looked at; after them
 * what has changed, of descriptors (fds.c), sockets, mappings, credentials, is taken note of.
 */
#include "capture_private.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <linux/fs.h>
#include <linux/seccomp.h>

#include "mapped.h"

/* ---- before it is gone ---- */

/* Takes over file as an item, when it was found. */
static const struct fileinfo *take_found(struct tracee *t, enum frz_att kind, unsigned slot,
					 bool found, struct fileinfo *file)
{
	struct item *it = found ? tracee_item(t, kind, slot) : NULL;

	if (!it) {
		fileinfo_release(file);
		free(file);
		return NULL;
	}
	it->file = file;
	return file;
}

int open_path(const struct tracee *t, unsigned slot, bool follow)
{
	const struct item *path = item_path(t, slot);

	return resolve_open(t->tid, path_dirfd(t, path->slot), t->bytes + path->off, path->len,
			    follow);
}

static void take_victim(struct capture *c, struct tracee *t, unsigned slot, bool follow, bool cut)
{
	const struct item *path = item_path(t, slot);
	struct fileinfo *file = path && !path->cut ? malloc(sizeof(*file)) : NULL;
	bool found;

	if (!file)
		return;
	slot = path->slot;
	found = resolve_path(t->tid, path_dirfd(t, slot), t->bytes + path->off, path->len, follow,
			     file);
	if (!found && errno == EREMOTE) {
		item_text(t, FRZ_A_SIGN, FRZ_SLOT_NONE,
			  "not looked at: a recorded process serves it");
		capture_coverage(
			c, t->proc->pid, t->tid, "file not looked at", 1,
			"removed, replaced or cut in a file system that a recorded process serves");
	}
	/* a name less is no loss of content while there is another */
	if (take_found(t, FRZ_A_VICTIM, slot, found, file) && c->keep &&
	    (cut || file->f.nlink == 1))
		keep_copy(c, t, open_path(t, slot, follow), file, cut);
}

/* The file that execve names: of a script /proc/TID/exe does not tell afterwards. */
static void take_program(struct tracee *t)
{
	const struct item *path = t->call.wanted ? item_path(t, FRZ_SLOT_NONE) : NULL;
	struct fileinfo *file = path && !path->cut && path->len ? malloc(sizeof(*file)) : NULL;
	unsigned slot;

	if (!file)
		return;
	slot = path->slot;
	take_found(t, FRZ_A_FILE, slot,
		   resolve_path(t->tid, path_dirfd(t, slot), t->bytes + path->off, path->len, true,
				file),
		   file);
}

static void take_fd_victim(struct capture *c, struct tracee *t, unsigned slot)
{
	struct fileinfo *file = malloc(sizeof(*file));
	bool duplicated, found;

	if (!file)
		return;
	found = resolve_fd(t->proc, t->tid, (int)t->call.arg[slot], file, &duplicated);
	if (take_found(t, FRZ_A_VICTIM, slot, found, file) && c->keep)
		keep_copy(c, t, resolve_open_fd(t->tid, (int)t->call.arg[slot]), file, true);
}

static bool opens_with_trunc(const struct tracee *t)
{
	const struct frz_sysent *ent = t->call.ent;

	if (!strcmp(ent->name, "creat"))
		return true;
	for (unsigned i = 0; i < ent->nargs; i++)
		if (ent->arg[i].kind == FRZ_ARG_FLAGS && !strcmp(ent->arg[i].name, "flags"))
			return t->call.arg[i] & O_TRUNC;
	return item_number(t) & O_TRUNC; /* openat2: of struct open_how */
}

void effects_at_entry(struct capture *c, struct tracee *t)
{
	const struct frz_sysent *ent = t->call.ent;

	mark_signs(t);
	switch (ent->effect) {
	case FRZ_FX_CLOSE:
	case FRZ_FX_CLOSE_RANGE:
	case FRZ_FX_DUP:
		fds_note_ending(t);
		break;
	case FRZ_FX_RENAME:
		/* renameat2: both stay */
		if (ent->nargs > 4 && t->call.arg[4] & RENAME_EXCHANGE)
			break;
		/* fall through */
	case FRZ_FX_UNLINK:
		take_victim(c, t, FRZ_SLOT_NONE, false, false);
		break;
	case FRZ_FX_TRUNCATE:
		if (ent->arg[0].kind == FRZ_ARG_FD)
			take_fd_victim(c, t, 0);
		else
			take_victim(c, t, FRZ_SLOT_NONE, true, true);
		break;
	case FRZ_FX_OPEN:
		if (opens_with_trunc(t))
			take_victim(c, t, FRZ_SLOT_NONE, true, true);
		break;
	case FRZ_FX_EXEC:
		take_program(t);
		life_io(c, t, FRZ_IO_BEFORE_EXEC, t->call.entry_ns);
		break;
	default:
		break;
	}
}

/* ---- after the event ---- */

/* A connection under way has no peer that the kernel would tell: it is whom connect named. */
static void take_peer(const struct tracee *t, struct sockinfo *s)
{
	const struct item *it = tracee_find_item(t, FRZ_A_ADDR, FRZ_SLOT_NONE);

	if (!it || s->peer_len || it->len > sizeof(s->peer))
		return;
	memcpy(s->peer, t->bytes + it->off, it->len);
	s->peer_len = (uint16_t)it->len;
}

/* The socket's addresses have changed: it is declared again. */
static void readdress(struct capture *c, struct tracee *t, struct fdent *fd, int64_t ret)
{
	t->fds_inspected += resolve_socket(t->proc, t->tid, fd->fd, &fd->file);
	if (ret == -EINPROGRESS && fd->file.sock)
		take_peer(t, fd->file.sock);
	if (!fd->opening)
		fd->segment = 0;
	emit_bind(c->emit, fd);
}

/* Behind frec's filter the stricter verdict counts: a call that it refuses is not seen. Without,
 * a call stops before any filter is asked. */
static void note_own_filter(struct capture *c, struct tracee *t)
{
	if (c->o->command && !c->o->no_seccomp && !c->o->no_follow)
		capture_coverage(c, t->proc->pid, t->tid, "seccomp filter of its own", 1,
				 "calls that it refuses are not seen; --no-seccomp shows them");
}

void effects_at_exit(struct capture *c, struct tracee *t, int64_t ret, uint64_t now_ns)
{
	const struct frz_sysent *ent = t->call.ent;
	struct fdent *fd;
	char text[80];

	if (!ent)
		return;
	switch (ent->effect) {
	case FRZ_FX_CLOSE:
		/* the kernel frees the number whatever close returns, but for EBADF: close(2) */
		fd = item_fd(t, 0);
		if (fd && ret != -EBADF)
			fd_end(c, t->fds, fd);
		break;
	case FRZ_FX_CLOSE_RANGE:
		if (ret == 0)
			fds_close_range(c, t, now_ns);
		break;
	case FRZ_FX_CONNECT:
		fd = item_fd(t, 0);
		if (fd && fd->bound && (ret == 0 || ret == -EINPROGRESS))
			readdress(c, t, fd, ret);
		break;
	case FRZ_FX_EXEC:
		if (ret < 0) /* it may have read the file's head before it refused it */
			life_io(c, t, FRZ_IO_AFTER_EXEC, now_ns);
		break;
	case FRZ_FX_MMAP:
	case FRZ_FX_MUNMAP:
	case FRZ_FX_MPROTECT:
	case FRZ_FX_MREMAP:
		if (ret >= 0 || ret < -4095)
			mapped_call(c, t, item_fd(t, FRZ_SLOT_NONE), ret);
		break;
	case FRZ_FX_PRCTL:
		if (t->call.arg[0] == PR_SET_NAME && ret == 0)
			life_comm(t);
		if (t->call.arg[0] == PR_SET_SECCOMP && ret == 0)
			note_own_filter(c, t);
		break;
	case FRZ_FX_SECCOMP:
		if (t->call.arg[0] <= SECCOMP_SET_MODE_FILTER && ret >= 0)
			note_own_filter(c, t);
		break;
	case FRZ_FX_CLONE:
		if (ret > 0 && (life_clone_flags(t) & CLONE_UNTRACED)) {
			snprintf(text, sizeof(text),
				 "CLONE_UNTRACED: what its child %" PRId64 " does is not seen",
				 ret);
			capture_coverage(c, t->proc->pid, t->tid, "child not traced", 1, text);
		} else if (ret > 0 && c->o->no_follow && !(life_clone_flags(t) & CLONE_THREAD)) {
			capture_coverage(c, t->proc->pid, t->tid, "child not traced", 1,
					 "--no-follow: what its children do is not seen");
		}
		break;
	case FRZ_FX_CRED:
		if (ret == 0)
			life_credentials(t);
		break;
	case FRZ_FX_CWD:
		if (ret == 0)
			resolve_note_root(t->tid);
		break;
	case FRZ_FX_UNSHARE:
		if (ret == 0 && (t->call.arg[0] & CLONE_FILES))
			fds_split(t, now_ns);
		break;
	default:
		if (ret < 0 || ent->write_slot < 0 || !(ent->classes & FRZ_CL_NET))
			break;
		fd = item_fd(t, 0);
		if (fd && fd->bound && socket_without_port(&fd->file))
			readdress(c, t, fd, ret);
		break;
	}
}
