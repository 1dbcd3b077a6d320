/*
 * uring_op.c - one operation submitted through io_uring: from its entry in the ring to its record.
 *
 * Layout: struct io_uring_sqe of linux/io_uring.h, the same on every ABI. Read by offset.
 */
#include "uring_private.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"

#define SQE_FIXED_FILE	 1u
#define SQE_SKIP_SUCCESS (1u << 6)
#define SPLICE_IN_FIXED	 (1u << 31)
#define SEND_FD		 1u	    /* of msg_ring: a registered file goes to another ring */
#define INDEX_ALLOC	 UINT32_MAX /* the kernel takes an empty place */
#define HELD_MAX	 (2u << 20) /* bytes of paths of operations under way, of all rings */

/* clang-format off */
enum {
	OP_SENDMSG = 9, OP_ACCEPT = 13, OP_CONNECT = 16, OP_OPENAT = 18, OP_CLOSE = 19,
	OP_FILES_UPDATE = 20, OP_STATX = 21, OP_SEND = 26, OP_OPENAT2 = 28, OP_SPLICE = 30,
	OP_TEE = 33, OP_RENAMEAT = 35, OP_UNLINKAT = 36, OP_MKDIRAT = 37, OP_SYMLINKAT = 38,
	OP_LINKAT = 39, OP_MSG_RING = 40, OP_SETXATTR = 42, OP_GETXATTR = 44, OP_SOCKET = 45,
	OP_SEND_ZC = 47, OP_SENDMSG_ZC = 48, OP_FIXED_FD_INSTALL = 54, OP_FTRUNCATE = 55,
	OP_BIND = 56, OP_PIPE = 62,
};
/* clang-format on */

static size_t held_bytes;

void op_free(struct op *o)
{
	if (o->fd)
		fdent_unref(o->fd);
	if (o->fd2)
		fdent_unref(o->fd2);
	for (unsigned i = 0; i < 2; i++) {
		held_bytes -= o->path[i].len + o->dir[i].len;
		free(o->path[i].p);
		free(o->dir[i].p);
	}
	if (o->victim) {
		fileinfo_release(o->victim);
		free(o->victim);
	}
	free(o);
}

/* ---- what the entry points to ---- */

static void take_text(struct tracee *t, struct op_text *s, uint64_t addr)
{
	uint8_t buf[PATH_MAX];
	size_t len;
	enum mem_str got;

	if (!addr)
		return;
	got = mem_read_str(t->tid, addr, buf, sizeof(buf), &len);
	s->cut = got == MEM_STR_CUT;
	s->fault = got == MEM_STR_FAULT;
	if (held_bytes + len > HELD_MAX) {
		len = 0;
		s->cut = true;
	}
	s->p = malloc(len + 1);
	if (!s->p)
		return;
	memcpy(s->p, buf, len);
	s->len = (uint32_t)len;
	held_bytes += len;
}

static void take_path(struct tracee *t, struct op *o, unsigned which, uint64_t addr, int dirfd)
{
	char dir[PATH_MAX + 64];
	ssize_t n;

	take_text(t, &o->path[which], addr);
	if (!o->path[which].len)
		return;
	n = resolve_base(t->tid, dirfd, o->path[which].p, o->path[which].len, dir, sizeof(dir));
	if (n <= 0 || !(o->dir[which].p = malloc((size_t)n)))
		return;
	memcpy(o->dir[which].p, dir, (size_t)n);
	o->dir[which].len = (uint32_t)n;
	held_bytes += (size_t)n;
}

static void take_addr(struct tracee *t, struct op *o, uint64_t addr, uint64_t len)
{
	if (!addr || !len)
		return;
	o->addr_true = (uint32_t)len;
	o->addr_len = (uint32_t)mem_read(t->tid, addr, o->addr,
					 len < sizeof(o->addr) ? (size_t)len : sizeof(o->addr));
}

/* struct msghdr: its name; that it passes something besides. */
static void take_msg(struct tracee *t, struct op *o, uint64_t addr)
{
	size_t used = strlen(o->sign);
	uint8_t raw[6 * 8];

	if (!mem_read_all(t->tid, addr, raw, 6 * word_size(t)))
		return;
	take_addr(t, o, word_at(t, raw, 0), frz_get32(raw + word_size(t)));
	if (word_at(t, raw, 4) && word_at(t, raw, 5))
		snprintf(o->sign + used, sizeof(o->sign) - used, "%scontrol data is not decoded",
			 used ? "; " : "");
}

/* What stands at the path is about to go (cut: only its content). */
static void take_victim(struct capture *c, struct tracee *t, struct op *o, unsigned which,
			int dirfd, bool cut)
{
	const struct op_text *path = &o->path[which];
	struct fileinfo *f;

	if (!path->len || path->cut || !(f = malloc(sizeof(*f))))
		return;
	if (!resolve_path(t->tid, dirfd, path->p, path->len, cut, f)) {
		free(f);
		return;
	}
	o->victim = f;
	if (c->keep && (cut || f->f.nlink == 1))
		keep_copy(c, t, resolve_open(t->tid, dirfd, path->p, path->len, cut), f, cut);
}

static void take_fd_victim(struct capture *c, struct tracee *t, struct op *o)
{
	struct fileinfo *f = o->fd && o->fd->bound ? malloc(sizeof(*f)) : NULL;
	bool duplicated;

	if (!f)
		return;
	if (!resolve_fd(t->proc, t->tid, o->fd->fd, f, &duplicated)) {
		free(f);
		return;
	}
	o->victim = f;
	if (c->keep)
		keep_copy(c, t, resolve_open_fd(t->tid, o->fd->fd), f, true);
}

static struct fdent *held(struct capture *c, struct tracee *t, int fd, uint64_t now_ns)
{
	struct fdent *e = fd_entry(c, t, fd, now_ns);

	if (e)
		fdent_ref(e);
	return e;
}

/* ---- registered files ---- */

static struct fdent *registered_file(const struct ring *r, struct op *o, uint32_t index)
{
	struct fdent *ent = files_get(r, index);

	o->unknown |= !ent;
	snprintf(o->sign, sizeof(o->sign), "registered file %u%s", index,
		 ent ? "" : ", which is not known");
	return ent;
}

/* The place of the ring's table that an operation fills or empties; from 1, 0 is none. */
static void take_place(struct ring *r, struct op *o, uint32_t index, const char *what)
{
	o->direct = index != 0;
	if (index == INDEX_ALLOC) {
		snprintf(o->sign, sizeof(o->sign), "%s registered file of the kernel's choice",
			 what);
	} else if (index) {
		snprintf(o->sign, sizeof(o->sign), "%sregistered file %u", what, index - 1);
		files_forget(r, index - 1, 1);
	}
}

static void take_fd(struct capture *c, struct tracee *t, struct ring *r, struct op *o, bool fixed,
		    uint64_t now_ns)
{
	int fd = (int)o->arg[0];

	if (frz_uring_fd(o->opcode) == FRZ_UFD_NONE || (o->opcode == OP_CLOSE && o->direct))
		return;
	if (!fixed || frz_uring_fd(o->opcode) == FRZ_UFD_DIR) {
		o->fd = held(c, t, fd, now_ns);
		return;
	}
	o->fd = registered_file(r, o, (uint32_t)fd);
	o->arg[0] = o->fd ? o->fd->fd : -1;
}

struct op *op_decode(struct capture *c, struct tracee *t, struct ring *r, const uint8_t *sqe,
		     uint64_t now_ns)
{
	struct op *o = calloc(1, sizeof(*o));
	uint64_t off = frz_get64(sqe + 8), addr = frz_get64(sqe + 16);
	uint32_t len = frz_get32(sqe + 24), opf = frz_get32(sqe + 28), index = frz_get32(sqe + 44);
	int fd = (int)frz_get32(sqe + 4);
	struct ring *to;
	uint8_t raw[8];

	if (!o)
		return NULL;
	o->opcode = sqe[0];
	o->quiet = sqe[1] & SQE_SKIP_SUCCESS;
	o->user_data = frz_get64(sqe + 32);
	o->submit_ns = now_ns;
	o->tid = t->tid;
	o->arg[0] = fd;
	o->arg[1] = (int64_t)off;
	o->arg[2] = (int64_t)addr;
	o->arg[3] = len;
	o->arg[4] = opf;
	o->arg[5] = (int64_t)o->user_data;
	if (o->opcode == OP_CLOSE && index) {
		take_place(r, o, index, "");
		o->arg[0] = -1;
	}
	take_fd(c, t, r, o, sqe[1] & SQE_FIXED_FILE, now_ns);
	switch (o->opcode) {
	case OP_OPENAT2:
		if (mem_read_all(t->tid, off, raw, 8)) {
			o->arg[4] = (int64_t)frz_get64(raw);
			opf = frz_get32(raw);
		}
		/* fall through */
	case OP_OPENAT:
		take_path(t, o, 0, addr, fd);
		take_place(r, o, index, "into ");
		if (opf & O_TRUNC)
			take_victim(c, t, o, 0, fd, true);
		break;
	case OP_ACCEPT:
	case OP_SOCKET:
	case OP_PIPE:
		take_place(r, o, index, "into ");
		break;
	case OP_FILES_UPDATE:
		files_forget(r, off, len);
		break;
	case OP_MSG_RING:
		to = ring_of(c, t, o->fd);
		if (to && addr == SEND_FD && index && index != INDEX_ALLOC)
			files_forget(to, index - 1, 1);
		break;
	case OP_STATX:
	case OP_MKDIRAT:
		take_path(t, o, 0, addr, fd);
		break;
	case OP_SETXATTR:
	case OP_GETXATTR:
		take_path(t, o, 0, frz_get64(sqe + 48), AT_FDCWD);
		break;
	case OP_UNLINKAT:
		take_path(t, o, 0, addr, fd);
		take_victim(c, t, o, 0, fd, false);
		break;
	case OP_SYMLINKAT:
		take_text(t, &o->path[0], addr);
		take_path(t, o, 1, off, fd);
		break;
	case OP_RENAMEAT:
	case OP_LINKAT:
		take_path(t, o, 0, addr, fd);
		take_path(t, o, 1, off, (int)len);
		if (o->opcode == OP_RENAMEAT && !(opf & RENAME_EXCHANGE))
			take_victim(c, t, o, 1, (int)len, false);
		break;
	case OP_FTRUNCATE:
		take_fd_victim(c, t, o);
		break;
	case OP_SPLICE:
	case OP_TEE:
		o->fd2 = opf & SPLICE_IN_FIXED ? registered_file(r, o, index) :
						 held(c, t, (int)index, now_ns);
		o->arg[2] = o->fd2 ? o->fd2->fd : -1;
		break;
	case OP_CONNECT:
	case OP_BIND:
		take_addr(t, o, addr, off);
		break;
	case OP_SEND:
	case OP_SEND_ZC:
		take_addr(t, o, off, index & 0xffff);
		break;
	case OP_SENDMSG:
	case OP_SENDMSG_ZC:
		take_msg(t, o, addr);
		break;
	default:
		break;
	}
	return o;
}

/* ---- its record ---- */

static void put_text(struct emit *e, struct frz_buf *b, enum frz_att kind, unsigned slot,
		     const struct op_text *s)
{
	if (s->p)
		frz_enc_att_varint(b, kind, slot,
				   s->cut ? emit_string_cut(e, s->p, s->len, 0) :
					    emit_string(e, s->p, s->len));
	if (s->fault)
		frz_enc_att(b, FRZ_A_FAULT, slot, 0);
}

static void put_ent(struct emit *e, struct frz_buf *b, unsigned slot, struct fdent *ent)
{
	uint8_t raw[FRZ_VARINT_MAX];
	size_t n;

	if (!ent)
		return;
	if (ent->bound)
		emit_bind(e, ent);
	n = frz_put_varint(raw, ent->instance); /* always explicit: the number may be an index */
	frz_enc_att(b, FRZ_A_FD, slot, n);
	frz_buf_bytes(b, raw, n);
}

static void put_addr(struct frz_buf *b, const struct op *o)
{
	if (o->addr_len) {
		frz_enc_att(b, FRZ_A_ADDR, 2, o->addr_len);
		frz_buf_bytes(b, o->addr, o->addr_len);
	}
	if (o->addr_true > sizeof(o->addr))
		frz_enc_att_varint(b, FRZ_A_CUT, 2, o->addr_true);
	else if (o->addr_true > o->addr_len)
		frz_enc_att(b, FRZ_A_FAULT, 2, 0);
}

static void put_sign(struct emit *e, struct frz_buf *b, const char *s)
{
	if (s && *s)
		frz_enc_att_varint(b, FRZ_A_SIGN, FRZ_SLOT_NONE, emit_string(e, s, strlen(s)));
}

static bool makes_fd(const struct op *o)
{
	return !o->direct &&
	       (o->opcode == OP_OPENAT || o->opcode == OP_OPENAT2 || o->opcode == OP_ACCEPT ||
		o->opcode == OP_SOCKET || o->opcode == OP_FIXED_FD_INSTALL);
}

void op_put(struct capture *c, struct tracee *t, struct op *o, bool done, int32_t res,
	    const char *remark, uint64_t now_ns)
{
	size_t room = 4096 + o->path[0].len + o->path[1].len + o->dir[0].len + o->dir[1].len +
		      (o->fd ? o->fd->file.path_len : 0) + (o->victim ? o->victim->path_len : 0);
	struct fdent *got = NULL;
	struct frz_buf *b;

	if (c->full || !c->o->record[c->uring_row])
		return;
	if (o->unknown)
		capture_coverage(c, t ? t->proc->pid : o->tid, o->tid,
				 "io_uring registered file not known", 1,
				 "put there by an operation, or before frec saw the ring: "
				 "its rows name the place alone");
	if (!emit_begin(c->emit, room, 0))
		return;
	if (t)
		emit_thread(c->emit, t);
	if (done && res >= 0 && t && makes_fd(o))
		got = fd_new(c, t, res, FRZ_B_URING, NULL, now_ns);
	b = emit_body(c->emit);
	frz_buf_varint(b, (uint64_t)o->tid);
	frz_buf_varint(b, o->opcode);
	frz_buf_varint(b, done ? 0 : FRZ_C_NO_RETURN);
	if (done)
		frz_buf_zigzag(b, res);
	frz_buf_varint(b, 0x3f & ~(1u << 2)); /* buffer addresses are of no interest */
	for (unsigned i = 0; i < 6; i++)
		if (i != 2)
			frz_buf_zigzag(b, o->arg[i]);
	put_ent(c->emit, b, 0, o->fd);
	put_ent(c->emit, b, 2, o->fd2);
	put_text(c->emit, b, FRZ_A_PATH, 2, &o->path[0]);
	put_text(c->emit, b, FRZ_A_DIR, 2, &o->dir[0]);
	put_text(c->emit, b, FRZ_A_PATH, 1, &o->path[1]);
	put_text(c->emit, b, FRZ_A_DIR, 1, &o->dir[1]);
	put_addr(b, o);
	if (o->victim)
		frz_enc_att_varint(b, FRZ_A_VICTIM, o->path[1].p ? 1 : 2,
				   emit_file(c->emit, o->victim));
	put_sign(c->emit, b, o->sign);
	put_sign(c->emit, b, remark);
	if (!done)
		put_sign(c->emit, b,
			 o->quiet ? "posts no completion when it succeeds" :
				    "its completion was not seen");
	if (got) {
		emit_bind(c->emit, got);
		frz_enc_att(b, FRZ_A_FD, FRZ_SLOT_RET, 0);
	}
	emit_put(c->emit, FRZ_R_URING, now_ns, now_ns - o->submit_ns);
	if (done && res == 0 && o->opcode == OP_CLOSE && o->fd && t)
		fd_end(c, t->fds, o->fd);
	if (done && (o->opcode == OP_CONNECT || o->opcode == OP_BIND) && o->fd)
		o->fd->stale = true;
	emit_commit(c->emit);
	capture_counted(c);
}
