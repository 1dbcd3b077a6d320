/*
 * uring.c - io_uring rings of the tracees (contract in uring.h).
 *
 * Layouts: struct io_uring_params, io_uring_sqe, io_uring_cqe of linux/io_uring.h, the same on
 * every ABI. Read by offset, for the target writes what it likes into its rings.
 */
#include "uring.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "capture_private.h"
#include "mem.h"

#define PARAMS_BYTES   120u
#define SETUP_SQPOLL   (1u << 1)
#define SETUP_SQE128   (1u << 10)
#define SETUP_CQE32    (1u << 11)
#define SETUP_NO_MMAP  (1u << 14)
#define SETUP_NO_SQARRAY (1u << 16)
#define FEAT_SINGLE_MMAP 1u
#define OFF_SQ_RING    0ull
#define OFF_CQ_RING    0x8000000ull
#define OFF_SQES       0x10000000ull
#define ENTER_REGISTERED (1u << 4)
#define REGISTER_FILES 2
#define REGISTER_RING_FDS 20
#define SQE_FIXED_FILE  1u
#define SQE_SKIP_SUCCESS (1u << 6)
#define CQE_MORE       2u
#define CQE_NOTIF      8u
#define BATCH_MAX      4096u    /* IORING_MAX_ENTRIES is 32768; more at once is named, not read */
#define FIXED_MAX      4096u
#define PENDING_MAX    8192u    /* of one ring, without a completion */
#define SQ_MAX         32768u   /* IORING_MAX_ENTRIES, IORING_MAX_CQ_ENTRIES of the kernel */
#define CQ_MAX         65536u
#define HELD_MAX       (2u << 20)       /* bytes of paths of operations under way, of all rings */

enum { OP_OPENAT = 18, OP_CLOSE = 19, OP_ACCEPT = 13, OP_CONNECT = 16, OP_STATX = 21, OP_OPENAT2 = 28,
       OP_SPLICE = 30, OP_TEE = 33, OP_RENAMEAT = 35, OP_UNLINKAT = 36, OP_MKDIRAT = 37, OP_SYMLINKAT = 38,
       OP_LINKAT = 39, OP_SOCKET = 45, OP_BIND = 56 };

struct op {
	struct op *next;
	uint64_t user_data, submit_ns;
	pid_t tid;
	uint8_t opcode;
	bool direct;                    /* its new fd goes into the ring's own table, not the process's */
	bool quiet;                     /* posts no completion when it succeeds */
	int64_t arg[6];
	struct fdent *fd, *fd2;         /* references held */
	struct item_text { uint8_t *p; uint32_t len; bool cut, fault; } path[2], dir[2];
	struct fileinfo *victim;
	const char *sign;
};

struct ring {
	struct ring *next;
	pid_t pid;
	struct fdent *ent;              /* reference held */
	int registered;                 /* index by which it is entered, -1 */
	uint32_t sq_entries, cq_entries, flags, features;
	uint32_t sq_head, sq_tail, sq_array, cq_tail, cqes;   /* offsets in the rings */
	uint64_t sq_addr, cq_addr, sqe_addr;    /* where the target mapped them; 0 not yet */
	uint32_t seen;                  /* completions up to this tail were looked at */
	bool unreadable;                /* and that was told */
	uint32_t head_at_entry;
	struct op *batch, *pending;     /* read at entry; consumed and not completed */
	struct fdent **fixed;
	uint32_t nfixed;
};

/* ---- rings ---- */

static struct ring **rings(struct capture *c)
{
	return (struct ring **)&c->rings;
}

static size_t held_bytes;

static void op_free(struct op *o)
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

static void drop_fixed(struct ring *r)
{
	for (uint32_t i = 0; i < r->nfixed; i++)
		if (r->fixed[i])
			fdent_unref(r->fixed[i]);
	free(r->fixed);
	r->fixed = NULL;
	r->nfixed = 0;
}

static void drop_list(struct op **list)
{
	while (*list) {
		struct op *next = (*list)->next;

		op_free(*list);
		*list = next;
	}
}

static void ring_free(struct ring *r)
{
	drop_list(&r->batch);
	drop_list(&r->pending);
	drop_fixed(r);
	fdent_unref(r->ent);
	free(r);
}

static struct ring *ring_of(struct capture *c, const struct tracee *t, const struct fdent *ent)
{
	for (struct ring *r = *rings(c); r; r = r->next)
		if (r->pid == t->proc->pid && ent && r->ent->instance == ent->instance)
			return r;
	return NULL;
}

static struct ring *entered(struct capture *c, const struct tracee *t)
{
	if (!((uint64_t)t->call.arg[3] & ENTER_REGISTERED))
		return ring_of(c, t, item_fd(t, 0));
	for (struct ring *r = *rings(c); r; r = r->next)
		if (r->pid == t->proc->pid && r->registered == t->call.arg[0])
			return r;
	return NULL;
}

static bool power_of_two(uint32_t n, uint32_t max)
{
	return n && n <= max && !(n & (n - 1));
}

static void setup(struct capture *c, struct tracee *t, int64_t fd, uint64_t now_ns)
{
	uint8_t p[PARAMS_BYTES];
	struct fdent *ent = fd_entry(c, t, (int)fd, now_ns);
	struct ring *r;

	/* the target may have written over what the kernel said */
	if (!ent || !mem_read_all(t->tid, t->call.mem[1], p, sizeof(p)) || !power_of_two(frz_get32(p), SQ_MAX) ||
	    !power_of_two(frz_get32(p + 4), CQ_MAX) || !(r = calloc(1, sizeof(*r)))) {
		capture_coverage(c, t->proc->pid, t->tid, "io_uring ring not followed", 1,
		                 "its parameters could not be read");
		return;
	}
	r->pid = t->proc->pid;
	r->ent = ent;
	fdent_ref(ent);
	r->registered = -1;
	r->sq_entries = frz_get32(p);
	r->cq_entries = frz_get32(p + 4);
	r->flags = frz_get32(p + 8);
	r->features = frz_get32(p + 20);
	r->sq_head = frz_get32(p + 40);
	r->sq_tail = frz_get32(p + 44);
	r->sq_array = frz_get32(p + 64);
	r->cq_tail = frz_get32(p + 84);
	r->cqes = frz_get32(p + 100);
	if (r->flags & SETUP_NO_MMAP) {
		r->sqe_addr = frz_get64(p + 72);
		r->sq_addr = r->cq_addr = frz_get64(p + 112);
	}
	r->next = *rings(c);
	*rings(c) = r;
	if (r->flags & SETUP_SQPOLL)
		capture_coverage(c, t->proc->pid, t->tid, "io_uring with SQPOLL", 1,
		                 "a kernel thread takes submissions without a call: what is not seen at an io_uring_enter is not recorded");
}

static void mapped(struct capture *c, struct tracee *t, uint64_t addr)
{
	struct ring *r = ring_of(c, t, item_fd(t, FRZ_SLOT_NONE));

	if (!r)
		return;
	/* i386's mmap2 counts in pages */
	switch ((uint64_t)t->call.arg[5] << (t->call.ent->arg[5].kind == FRZ_ARG_PGOFF ? 12 : 0)) {
	case OFF_SQ_RING:
		r->sq_addr = addr;
		if (r->features & FEAT_SINGLE_MMAP)
			r->cq_addr = addr;
		break;
	case OFF_CQ_RING:
		r->cq_addr = addr;
		break;
	case OFF_SQES:
		r->sqe_addr = addr;
		break;
	default:
		break;
	}
}

static void registered(struct capture *c, struct tracee *t, uint64_t now_ns)
{
	uint64_t addr = t->call.mem[2], n = (uint64_t)t->call.arg[3];
	struct ring *r = ring_of(c, t, item_fd(t, 0));
	uint8_t raw[16];

	if (t->call.arg[1] == REGISTER_RING_FDS)
		for (uint64_t i = 0; i < n && i < 16; i++)
			if (mem_read_all(t->tid, addr + i * 16, raw, 16)) {
				struct ring *of = ring_of(c, t, fd_entry(c, t, (int)frz_get64(raw + 8), now_ns));

				if (of)
					of->registered = (int)frz_get32(raw);
			}
	if (!r || t->call.arg[1] != REGISTER_FILES)
		return;
	drop_fixed(r);
	if (n > FIXED_MAX)
		n = FIXED_MAX;
	r->fixed = calloc(n + 1, sizeof(*r->fixed));
	if (!r->fixed)
		return;
	r->nfixed = (uint32_t)n;
	for (uint32_t i = 0; i < n; i++)
		if (mem_read_all(t->tid, addr + i * 4, raw, 4)) {
			r->fixed[i] = fd_entry(c, t, (int)frz_get32(raw), now_ns);
			if (r->fixed[i])
				fdent_ref(r->fixed[i]);
		}
}

/* ---- submissions ---- */

static void take_text(struct tracee *t, struct item_text *s, uint64_t addr)
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

static void take_victim(struct tracee *t, struct op *o, unsigned which, int dirfd, bool follow)
{
	struct fileinfo *f;

	if (!o->path[which].len || !(f = malloc(sizeof(*f))))
		return;
	if (resolve_path(t->tid, dirfd, o->path[which].p, o->path[which].len, follow, f))
		o->victim = f;
	else
		free(f);
}

static struct fdent *held(struct capture *c, struct tracee *t, int fd, uint64_t now_ns)
{
	struct fdent *e = fd_entry(c, t, fd, now_ns);

	if (e)
		fdent_ref(e);
	return e;
}

static struct op *decode(struct capture *c, struct tracee *t, struct ring *r, const uint8_t *sqe, uint64_t now_ns)
{
	struct op *o = calloc(1, sizeof(*o));
	uint64_t off = frz_get64(sqe + 8), addr = frz_get64(sqe + 16), how;
	uint32_t len = frz_get32(sqe + 24), opf = frz_get32(sqe + 28), index = frz_get32(sqe + 44);
	int fd = (int)frz_get32(sqe + 4);
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
	switch (o->opcode) {
	case OP_OPENAT2:
		if (mem_read_all(t->tid, off, raw, 8)) {
			how = frz_get64(raw);
			o->arg[4] = (int64_t)how;
			opf = (uint32_t)how;
		}
		/* fall through */
	case OP_OPENAT:
		take_path(t, o, 0, addr, fd);
		o->direct = index != 0;
		if (opf & O_TRUNC)
			take_victim(t, o, 0, fd, true);
		break;
	case OP_STATX:
	case OP_MKDIRAT:
		take_path(t, o, 0, addr, fd);
		break;
	case OP_UNLINKAT:
		take_path(t, o, 0, addr, fd);
		take_victim(t, o, 0, fd, false);
		break;
	case OP_SYMLINKAT:
		take_text(t, &o->path[0], addr);
		take_path(t, o, 1, off, fd);
		break;
	case OP_RENAMEAT:
	case OP_LINKAT:
		take_path(t, o, 0, addr, fd);
		take_path(t, o, 1, off, (int)len);
		if (o->opcode == OP_RENAMEAT)
			take_victim(t, o, 1, (int)len, false);
		break;
	case OP_SPLICE:
	case OP_TEE:
		o->fd2 = held(c, t, (int)index, now_ns);
		o->arg[2] = (int)index;
		break;
	case OP_ACCEPT:
	case OP_SOCKET:
		o->direct = index != 0;
		break;
	default:
		break;
	}
	if (sqe[1] & SQE_FIXED_FILE) {
		if ((uint32_t)fd < r->nfixed && r->fixed[fd]) {
			o->fd = r->fixed[fd];
			fdent_ref(o->fd);
			o->arg[0] = o->fd->fd;
		} else {
			o->arg[0] = -1;
		}
		o->sign = "registered file";
	} else if (o->opcode != OP_SOCKET) {
		o->fd = held(c, t, fd, now_ns);
	}
	return o;
}

static void unreadable(struct capture *c, struct tracee *t, struct ring *r)
{
	if (!r->unreadable)
		capture_coverage(c, t->proc->pid, t->tid, "io_uring ring not readable", 1,
		                 "operations submitted through it were not seen");
	r->unreadable = true;
}

static void read_batch(struct capture *c, struct tracee *t, struct ring *r, uint64_t now_ns)
{
	uint32_t n = (uint32_t)t->call.arg[1], head, tail, mask, step = r->flags & SETUP_SQE128 ? 128 : 64;
	struct op **last = &r->batch;
	uint8_t raw[4], sqe[64];

	drop_list(&r->batch);
	if (!n)
		return;
	if (!r->sq_addr || !r->sqe_addr || !mem_read_all(t->tid, r->sq_addr + r->sq_head, raw, 4)) {
		unreadable(c, t, r);
		return;
	}
	head = r->head_at_entry = frz_get32(raw);
	if (!mem_read_all(t->tid, r->sq_addr + r->sq_tail, raw, 4))
		return;
	tail = frz_get32(raw);
	mask = r->sq_entries - 1;
	if (n > tail - head)
		n = tail - head;
	if (n > r->sq_entries)
		n = r->sq_entries;
	if (n > BATCH_MAX) {
		capture_coverage(c, t->proc->pid, t->tid, "io_uring submissions not read", n - BATCH_MAX,
		                 "more at once than are decoded");
		n = BATCH_MAX;
	}
	for (uint32_t i = 0; i < n; i++) {
		uint32_t at = (head + i) & mask;

		if (!(r->flags & SETUP_NO_SQARRAY)) {
			if (!mem_read_all(t->tid, r->sq_addr + r->sq_array + at * 4ull, raw, 4)) {
				unreadable(c, t, r);
				return;
			}
			at = frz_get32(raw);
			if (at >= r->sq_entries)
				continue;       /* the kernel drops such an entry, too */
		}
		if (!mem_read_all(t->tid, r->sqe_addr + (uint64_t)at * step, sqe, 64)) {
			unreadable(c, t, r);
			return;
		}
		*last = decode(c, t, r, sqe, now_ns);
		if (!*last)
			return;
		last = &(*last)->next;
	}
}

/* ---- records ---- */

static void put_text(struct emit *e, struct frz_buf *b, enum frz_att kind, unsigned slot, const struct item_text *s)
{
	if (s->p)
		frz_enc_att_varint(b, kind, slot, s->cut ? emit_string_cut(e, s->p, s->len, 0) : emit_string(e, s->p, s->len));
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
	n = frz_put_varint(raw, ent->instance);         /* always explicit: the number may be an index */
	frz_enc_att(b, FRZ_A_FD, slot, n);
	frz_buf_bytes(b, raw, n);
}

static void put_sign(struct emit *e, struct frz_buf *b, const char *s)
{
	if (s)
		frz_enc_att_varint(b, FRZ_A_SIGN, FRZ_SLOT_NONE, emit_string(e, s, strlen(s)));
}

/* t: the submitter or, when that is gone, a thread of its process; NULL: none lives. */
static void put_op(struct capture *c, struct tracee *t, struct op *o, bool done, int32_t res, uint64_t now_ns)
{
	bool new_fd = done && res >= 0 && !o->direct && t &&
	              (o->opcode == OP_OPENAT || o->opcode == OP_OPENAT2 || o->opcode == OP_ACCEPT || o->opcode == OP_SOCKET);
	size_t room = 4096 + o->path[0].len + o->path[1].len + o->dir[0].len + o->dir[1].len +
	              (o->fd ? o->fd->file.path_len : 0) + (o->victim ? o->victim->path_len : 0);
	struct fdent *got = NULL;
	struct frz_buf *b;

	if (c->full || !c->o->record[c->uring_row] || !emit_begin(c->emit, room, 0))
		return;
	if (t)
		emit_thread(c->emit, t);
	if (new_fd)
		got = fd_new(c, t, res, FRZ_B_URING, NULL, now_ns);
	b = emit_body(c->emit);
	frz_buf_varint(b, (uint64_t)o->tid);
	frz_buf_varint(b, o->opcode);
	frz_buf_varint(b, done ? 0 : FRZ_C_NO_RETURN);
	if (done)
		frz_buf_zigzag(b, res);
	frz_buf_varint(b, 0x3f & ~(1u << 2));   /* buffer addresses are of no interest */
	for (unsigned i = 0; i < 6; i++)
		if (i != 2)
			frz_buf_zigzag(b, o->arg[i]);
	put_ent(c->emit, b, 0, o->fd);
	put_ent(c->emit, b, 2, o->fd2);
	put_text(c->emit, b, FRZ_A_PATH, 2, &o->path[0]);
	put_text(c->emit, b, FRZ_A_DIR, 2, &o->dir[0]);
	put_text(c->emit, b, FRZ_A_PATH, 1, &o->path[1]);
	put_text(c->emit, b, FRZ_A_DIR, 1, &o->dir[1]);
	if (o->victim)
		frz_enc_att_varint(b, FRZ_A_VICTIM, o->path[1].p ? 1 : 2, emit_file(c->emit, o->victim));
	put_sign(c->emit, b, o->sign);
	if (!done)
		put_sign(c->emit, b, o->quiet ? "posts no completion when it succeeds" : "its completion was not seen");
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

static void complete(struct capture *c, struct tracee *t, struct ring *r, const uint8_t *cqe, uint64_t now_ns)
{
	uint64_t user_data = frz_get64(cqe);
	uint32_t flags = frz_get32(cqe + 12);
	struct op **at = &r->pending, *o;

	if (flags & CQE_NOTIF)
		return;
	while (*at && (*at)->user_data != user_data)
		at = &(*at)->next;
	o = *at;
	if (!o)
		return;
	put_op(c, t, o, true, (int32_t)frz_get32(cqe + 8), now_ns);
	if (flags & CQE_MORE)
		return;                 /* a multishot operation goes on */
	*at = o->next;
	op_free(o);
}

static void reap(struct capture *c, struct tracee *t, struct ring *r, uint64_t now_ns)
{
	uint32_t tail, step = r->flags & SETUP_CQE32 ? 32 : 16;
	uint8_t raw[16];

	if (!r->cq_addr)
		return;
	if (!mem_read_all(t->tid, r->cq_addr + r->cq_tail, raw, 4)) {
		unreadable(c, t, r);
		return;
	}
	tail = frz_get32(raw);
	if (tail - r->seen > r->cq_entries) {
		capture_coverage(c, t->proc->pid, t->tid, "io_uring completions overwritten",
		                 tail - r->seen - r->cq_entries, "taken by the program before frec looked");
		r->seen = tail - r->cq_entries;
	}
	for (; r->seen != tail; r->seen++) {
		if (!mem_read_all(t->tid, r->cq_addr + r->cqes + (uint64_t)(r->seen & (r->cq_entries - 1)) * step, raw, 16))
			return;
		complete(c, t, r, raw, now_ns);
	}
}

/* ---- what capture calls ---- */

void uring_entry(struct capture *c, struct tracee *t, uint64_t now_ns)
{
	struct ring *r = entered(c, t);

	if (!r) {
		capture_coverage(c, t->proc->pid, t->tid, "io_uring ring not followed", 1,
		                 "set up before frec attached, or elsewhere");
		return;
	}
	reap(c, t, r, now_ns);
	read_batch(c, t, r, now_ns);
}

/* Gives up on operations submitted before: those that say nothing when they succeed, and the oldest
 * of too many. */
static void give_up(struct capture *c, struct tracee *t, struct ring *r, uint64_t now_ns)
{
	uint32_t n = 0;

	for (const struct op *o = r->pending; o; o = o->next)
		n++;
	for (struct op **at = &r->pending; *at;) {
		struct op *o = *at;

		if (!o->quiet && n <= PENDING_MAX) {
			at = &o->next;
			continue;
		}
		put_op(c, t, o, false, 0, now_ns);
		*at = o->next;
		op_free(o);
		n--;
	}
}

static void after_enter(struct capture *c, struct tracee *t, int64_t ret, uint64_t now_ns)
{
	struct ring *r = entered(c, t);
	uint8_t raw[4];
	uint32_t consumed = ret > 0 ? (uint32_t)ret : 0;
	struct op **end;

	if (!r)
		return;
	if (r->batch && r->sq_addr && mem_read_all(t->tid, r->sq_addr + r->sq_head, raw, 4) &&
	    frz_get32(raw) - r->head_at_entry != consumed) {
		consumed = frz_get32(raw) - r->head_at_entry;
		if (ret >= 0)
			capture_coverage(c, t->proc->pid, t->tid, "io_uring threads race", 1,
			                 "several threads submit to one ring: which operation was whose is not certain");
	}
	give_up(c, t, r, now_ns);
	for (end = &r->pending; *end; end = &(*end)->next)
		;
	while (consumed-- && r->batch) {
		*end = r->batch;
		r->batch = r->batch->next;
		(*end)->next = NULL;
		end = &(*end)->next;
	}
	drop_list(&r->batch);
	reap(c, t, r, now_ns);
}

void uring_exit(struct capture *c, struct tracee *t, int64_t ret, uint64_t now_ns)
{
	switch (t->call.ent->effect) {
	case FRZ_FX_URING_SETUP:
		if (ret >= 0)
			setup(c, t, ret, now_ns);
		break;
	case FRZ_FX_URING_ENTER:
		after_enter(c, t, ret, now_ns);
		break;
	case FRZ_FX_URING_REGISTER:
		if (ret >= 0)
			registered(c, t, now_ns);
		break;
	case FRZ_FX_MMAP:
		if (*rings(c) && (ret >= 0 || ret < -4095))
			mapped(c, t, (uint64_t)ret);
		break;
	default:
		break;
	}
}

static void end_ring(struct capture *c, struct ring *r, uint64_t now_ns)
{
	for (struct op *o = r->pending; o; o = o->next)
		put_op(c, NULL, o, false, 0, now_ns);
}

void uring_process_gone(struct capture *c, struct process *p, uint64_t now_ns)
{
	for (struct ring **at = rings(c); *at;) {
		struct ring *r = *at;

		if (r->pid != p->pid) {
			at = &r->next;
			continue;
		}
		*at = r->next;
		end_ring(c, r, now_ns);
		ring_free(r);
	}
}

void uring_release(struct capture *c)
{
	while (*rings(c)) {
		struct ring *next = (*rings(c))->next;

		ring_free(*rings(c));
		*rings(c) = next;
	}
}
