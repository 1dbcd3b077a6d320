/*
 * uring.c - io_uring rings of the tracees (contract in uring.h): where they are, what is taken out
 * of them. What an entry means is uring_op.c's.
 *
 * Layouts: struct io_uring_params, io_uring_sqe, io_uring_cqe of linux/io_uring.h, the same on
 * every ABI. Read by offset, for the target writes what it likes into its rings.
 */
#include "uring_private.h"

#include <stdlib.h>
#include <string.h>

#include "mem.h"

#define PARAMS_BYTES	    120u
#define SETUP_SQPOLL	    (1u << 1)
#define SETUP_SQE128	    (1u << 10)
#define SETUP_CQE32	    (1u << 11)
#define SETUP_NO_MMAP	    (1u << 14)
#define SETUP_NO_FD	    (1u << 15) /* the call returns a number by which the thread enters it */
#define SETUP_NO_SQARRAY    (1u << 16)
#define SETUP_CQE_MIXED	    (1u << 18)
#define FEAT_SINGLE_MMAP    1u
#define OFF_SQ_RING	    0ull
#define OFF_CQ_RING	    0x8000000ull
#define OFF_SQES	    0x10000000ull
#define REGISTER_RING_FDS   20u
#define UNREGISTER_RING_FDS 21u
#define REGISTER_RESIZE	    33u
#define REGISTER_OPCODES    0x7fffffffu /* the bit above: IORING_REGISTER_USE_REGISTERED_RING */
#define RING_FDS_MAX	    16u		/* of a thread */
#define CQE_MORE	    2u
#define CQE_NOTIF	    8u
#define CQE_SKIP	    (1u << 5)
#define CQE_TWICE	    (1u << 15) /* with CQE_MIXED: takes two places */
#define BATCH_MAX	    4096u      /* more at once is named, not read */
#define PENDING_MAX	    8192u      /* of one ring, without a completion */
/* IORING_MAX_ENTRIES, IORING_MAX_CQ_ENTRIES of the kernel */
#define SQ_MAX 32768u
#define CQ_MAX 65536u

/* A thread's own number for a ring, which does without an fd. */
struct seat {
	struct seat *next;
	pid_t tid;
	int64_t index;
};

/* ---- rings ---- */

static struct ring **rings(struct capture *c) { return (struct ring **)&c->rings; }

static void drop_list(struct op **list)
{
	while (*list) {
		struct op *next = (*list)->next;

		op_free(*list);
		*list = next;
	}
}

/* A thread's number means another ring from now on, or none. */
static void leave_seat(struct capture *c, pid_t tid, int64_t index)
{
	for (struct ring *r = *rings(c); r; r = r->next)
		for (struct seat **at = &r->seats; *at;) {
			struct seat *s = *at;

			if (s->tid != tid || s->index != index) {
				at = &s->next;
				continue;
			}
			*at = s->next;
			free(s);
		}
}

static void take_seat(struct capture *c, struct ring *r, pid_t tid, int64_t index)
{
	struct seat *s = malloc(sizeof(*s));

	leave_seat(c, tid, index);
	if (!s)
		return;
	*s = (struct seat){ r->seats, tid, index };
	r->seats = s;
}

static void ring_free(struct ring *r)
{
	while (r->seats) {
		struct seat *next = r->seats->next;

		free(r->seats);
		r->seats = next;
	}
	drop_list(&r->batch);
	drop_list(&r->pending);
	files_drop(r);
	fdent_unref(r->ent);
	free(r);
}

struct ring *ring_of(struct capture *c, const struct tracee *t, const struct fdent *ent)
{
	for (struct ring *r = *rings(c); r; r = r->next)
		if (r->pid == t->proc->pid && ent && r->ent->instance == ent->instance)
			return r;
	return NULL;
}

/* The ring that io_uring_enter or io_uring_register is about. */
static struct ring *ring_meant(struct capture *c, const struct tracee *t)
{
	if (!frz_fd_is_index(t->call.ent, t->call.arg))
		return ring_of(c, t, item_fd(t, 0));
	for (struct ring *r = *rings(c); r; r = r->next)
		for (const struct seat *s = r->seats; s; s = s->next)
			if (r->pid == t->proc->pid && s->tid == t->tid &&
			    s->index == t->call.arg[0])
				return r;
	return NULL;
}

static bool power_of_two(uint32_t n, uint32_t max) { return n && n <= max && !(n & (n - 1)); }

/* struct io_uring_params as the kernel filled it. False: the target has written over it. */
static bool take_params(struct ring *r, const uint8_t *p)
{
	if (!power_of_two(frz_get32(p), SQ_MAX) || !power_of_two(frz_get32(p + 4), CQ_MAX))
		return false;
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
	return true;
}

static void not_followed(struct capture *c, const struct tracee *t, const char *why)
{
	capture_coverage(c, t->proc->pid, t->tid, "io_uring ring not followed", 1, why);
}

static void setup(struct capture *c, struct tracee *t, int64_t fd, uint64_t now_ns)
{
	uint8_t p[PARAMS_BYTES];
	struct fdent *ent;
	struct ring *r;

	if (uring_without_fd(t)) {
		not_followed(c, t, "it has no file descriptor");
		return;
	}
	ent = fd_entry(c, t, (int)fd, now_ns);
	r = ent ? calloc(1, sizeof(*r)) : NULL;
	if (!r || !mem_read_all(t->tid, t->call.mem[1], p, sizeof(p)) || !take_params(r, p)) {
		free(r);
		not_followed(c, t, "its parameters could not be read");
		return;
	}
	r->pid = t->proc->pid;
	r->ent = ent;
	fdent_ref(ent);
	r->next = *rings(c);
	*rings(c) = r;
	if (r->flags & SETUP_SQPOLL)
		capture_coverage(c, t->proc->pid, t->tid, "io_uring with SQPOLL", 1,
				 "a kernel thread takes submissions without a call: "
				 "what is not seen at an io_uring_enter is not recorded");
}

/* The rings have other sizes, and are mapped anew. */
static void resized(struct tracee *t, struct ring *r)
{
	uint8_t p[PARAMS_BYTES];

	r->sq_addr = r->cq_addr = r->sqe_addr = 0;
	if (!mem_read_all(t->tid, t->call.mem[2], p, sizeof(p)) || !take_params(r, p))
		r->sq_addr = r->cq_addr = r->sqe_addr = 0;
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

static void ring_fds(struct capture *c, struct tracee *t, uint32_t opcode, uint64_t now_ns)
{
	uint64_t addr = t->call.mem[2], n = (uint64_t)t->call.arg[3];
	struct ring *r;
	uint8_t raw[16];

	for (uint64_t i = 0; i < n && i < RING_FDS_MAX; i++) {
		if (!mem_read_all(t->tid, addr + i * 16, raw, 16))
			break;
		leave_seat(c, t->tid, frz_get32(raw));
		if (opcode != REGISTER_RING_FDS)
			continue;
		r = ring_of(c, t, fd_entry(c, t, (int)frz_get64(raw + 8), now_ns));
		if (r)
			take_seat(c, r, t->tid, frz_get32(raw));
	}
}

static void registered(struct capture *c, struct tracee *t, int64_t ret, uint64_t now_ns)
{
	uint32_t opcode = (uint32_t)t->call.arg[1] & REGISTER_OPCODES;
	struct ring *r;

	if (opcode == REGISTER_RING_FDS || opcode == UNREGISTER_RING_FDS) {
		ring_fds(c, t, opcode, now_ns);
		return;
	}
	r = ring_meant(c, t);
	if (!r)
		return;
	if (opcode == REGISTER_RESIZE)
		resized(t, r);
	else
		files_registered(c, t, r, opcode, ret, now_ns);
}

/* ---- submissions ---- */

static void unreadable(struct capture *c, struct tracee *t, struct ring *r)
{
	if (!r->unreadable)
		capture_coverage(c, t->proc->pid, t->tid, "io_uring ring not readable", 1,
				 "operations submitted through it were not seen");
	r->unreadable = true;
}

static void read_batch(struct capture *c, struct tracee *t, struct ring *r, uint64_t now_ns)
{
	uint32_t n = (uint32_t)t->call.arg[1], step = r->flags & SETUP_SQE128 ? 128 : 64;
	uint32_t head, tail, mask;
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
		capture_coverage(c, t->proc->pid, t->tid, "io_uring submissions not read",
				 n - BATCH_MAX, "more at once than are decoded");
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
				continue; /* the kernel drops such an entry, too */
		}
		if (!mem_read_all(t->tid, r->sqe_addr + (uint64_t)at * step, sqe, 64)) {
			unreadable(c, t, r);
			return;
		}
		*last = op_decode(c, t, r, sqe, now_ns);
		if (!*last)
			return;
		last = &(*last)->next;
	}
}

/* ---- completions ---- */

static const struct op *with_user_data(const struct op *o, uint64_t user_data)
{
	while (o && o->user_data != user_data)
		o = o->next;
	return o;
}

static void complete(struct capture *c, struct tracee *t, struct ring *r, const uint8_t *cqe,
		     uint64_t now_ns)
{
	uint64_t user_data = frz_get64(cqe);
	uint32_t flags = frz_get32(cqe + 12);
	struct op **at = &r->pending, *o;
	const char *remark = NULL;

	if (flags & CQE_NOTIF)
		return;
	while (*at && (*at)->user_data != user_data)
		at = &(*at)->next;
	o = *at;
	if (!o)
		return;
	if (o->twin || with_user_data(o->next, user_data)) {
		remark = "another has the same user_data: whose result it is is not certain";
		for (struct op *p = o->next; p; p = p->next)
			p->twin |= p->user_data == user_data;
	}
	op_put(c, t, o, true, (int32_t)frz_get32(cqe + 8), remark, now_ns);
	if (flags & CQE_MORE)
		return; /* a multishot operation goes on */
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
				 tail - r->seen - r->cq_entries,
				 "taken by the program before frec looked");
		r->seen = tail - r->cq_entries;
	}
	for (; (int32_t)(tail - r->seen) > 0; r->seen++) {
		uint64_t place = r->seen & (r->cq_entries - 1);

		if (!mem_read_all(t->tid, r->cq_addr + r->cqes + place * step, raw, 16))
			return;
		if (!(frz_get32(raw + 12) & CQE_SKIP))
			complete(c, t, r, raw, now_ns);
		if (r->flags & SETUP_CQE_MIXED && frz_get32(raw + 12) & CQE_TWICE)
			r->seen++;
	}
}

/* ---- what capture calls ---- */

void uring_entry(struct capture *c, struct tracee *t, uint64_t now_ns)
{
	struct ring *r = ring_meant(c, t);

	if (!r) {
		not_followed(c, t, "set up before frec attached, or elsewhere");
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
		op_put(c, t, o, false, 0, NULL, now_ns);
		*at = o->next;
		op_free(o);
		n--;
	}
}

static void after_enter(struct capture *c, struct tracee *t, int64_t ret, uint64_t now_ns)
{
	struct ring *r = ring_meant(c, t);
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
					 "several threads submit to one ring: "
					 "which operation was whose is not certain");
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

void uring_met(struct capture *c, const struct tracee *t, const struct fdent *ent)
{
	if (ent->file.path && !strcmp(ent->file.path, "anon_inode:[io_uring]"))
		not_followed(c, t, "set up before frec attached, or elsewhere");
}

bool uring_without_fd(const struct tracee *t)
{
	uint8_t raw[4];

	return t->call.ent && t->call.ent->effect == FRZ_FX_URING_SETUP &&
	       mem_read_all(t->tid, t->call.mem[1] + 8, raw, 4) && frz_get32(raw) & SETUP_NO_FD;
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
			registered(c, t, ret, now_ns);
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
		op_put(c, NULL, o, false, 0, NULL, now_ns);
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
