/* capture.c - a syscall from its entry to its record (contract in capture.h). */
#include "capture_private.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "control.h"
#include "mem.h"
#include "uring.h"

/* room from which on passed fds are declared apart */
#define PASSED_APART ((size_t)WRITER_GROUP_MAX / 4)

struct capture *capture_new(const struct frec_options *o, struct emit *emit,
			    struct tracees *tracees, struct control *control)
{
	struct capture *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->o = o;
	c->emit = emit;
	c->tracees = tracees;
	c->control = control;
	c->uring_row =
		frz_sysent(FRZ_ABI_OWN, (uint32_t)frz_sysnum(FRZ_ABI_OWN, "io_uring_enter"))->id;
	return c;
}

void capture_free(struct capture *c)
{
	if (c)
		uring_release(c);
	free(c);
}

/* i386's socketcall(2) and the like: the true call and its arguments stand in memory. *unread: the
 * slot that points there, when they could not be read. */
static uint32_t unpack_call(struct tracee *t, enum frz_abi abi, uint32_t nr, uint64_t reg[6],
			    int *unread)
{
	uint32_t inner = nr;
	unsigned slot, words = frz_call_number(abi, &inner, reg, &slot);
	uint8_t raw[6 * 4];

	*unread = -1;
	if (!words || words > 6)
		return nr;
	if (!mem_read_all(t->tid, reg[slot], raw, words * 4)) {
		*unread = (int)slot;
		/* nothing is known of the others, nor that fd 0 is meant */
		for (unsigned i = 0; i < 6 && inner == nr; i++)
			if (i != slot)
				reg[i] = UINT64_MAX;
		return nr;
	}
	for (unsigned i = 0; i < words; i++)
		reg[i] = frz_get32(raw + i * 4);
	return inner;
}

static void on_entry(void *arg, struct tracee *t, enum frz_abi abi, uint32_t nr,
		     const uint64_t arg6[6], uint64_t now_ns)
{
	struct capture *c = arg;
	struct pending *p = &t->call;
	uint64_t reg[6];
	const struct frz_sysent *ent;
	bool restart;
	int unread;

	memcpy(reg, arg6, sizeof(reg));
	nr = unpack_call(t, abi, nr, reg, &unread);
	ent = frz_sysent(abi, nr);
	restart = ent && ent->effect == FRZ_FX_RESTART && p->restart_of;
	if (p->active) /* its exit was not seen: cannot be, but never lose a row over it */
		capture_call(c, t, 0, FRZ_C_NO_RETURN, now_ns);
	p->active = true;
	p->entry_ns = now_ns;
	if (restart) {
		/* the kernel goes on with the interrupted call: same call, same arguments */
		item_text(t, FRZ_A_SIGN, FRZ_SLOT_NONE, "restart_syscall");
		return;
	}
	p->restart_of = false;
	p->abi = (uint8_t)abi;
	p->nr = nr;
	p->ent = ent;
	p->wanted = !c->full && (ent ? c->o->record[ent->id] : true);
	if (t->prelude) {
		if (!ent || ent->effect != FRZ_FX_EXEC) {
			p->wanted = false;
			p->ent = NULL;
			return;
		}
		t->prelude = false;
		life_io(c, t, FRZ_IO_ATTACH, now_ns); /* what it did before does not count */
	}
	if (!ent) {
		for (unsigned i = 0; i < 6; i++)
			p->arg[i] = (int64_t)reg[i];
		return;
	}
	args_from_registers(p, reg);
	if (ent->effect == FRZ_FX_MMAP && (p->arg[3] & MAP_ANONYMOUS) && unread < 0 &&
	    !c->o->anonymous) {
		p->wanted = false; /* concerns no file; as launch mode's filter has it */
		p->ent = NULL;
		return;
	}
	if (!p->wanted && ent->effect == FRZ_FX_NONE && ent->ret != FRZ_RET_FD)
		return;
	args_at_entry(c, t, now_ns);
	if (unread >= 0)
		tracee_item(t, FRZ_A_FAULT, (unsigned)unread);
	effects_at_entry(c, t);
	if (ent->effect == FRZ_FX_URING_ENTER)
		uring_entry(c, t, now_ns);
	if (ent->ret == FRZ_RET_NEVER)
		capture_call(c, t, 0, FRZ_C_NO_RETURN, now_ns);
}

static void on_goes_on(void *arg, struct tracee *t, enum frz_abi abi, uint32_t nr,
		       const uint64_t arg6[6])
{
	struct capture *c = arg;
	struct pending *p = &t->call;

	p->ent = frz_sysent(abi, nr);
	if (!p->ent)
		return;
	p->abi = (uint8_t)abi;
	p->nr = nr;
	p->wanted = c->o->record[p->ent->id];
	args_from_registers(p, arg6);
	p->restart_of = true;
}

static void on_exit_stop(void *arg, struct tracee *t, int64_t ret, uint64_t now_ns)
{
	struct capture *c = arg;
	struct pending *p = &t->call;
	uint32_t flags = 0;

	if (!p->active) {
		/* was under way when frec attached: what it was is not known for certain */
		capture_coverage(c, t->proc->pid, t->tid, "call under way at attach", 1,
				 "its exit was seen, its entry was not");
		return;
	}
	if (t->prelude) {
		p->active = false;
		return;
	}
	if (engine_restarts(ret))
		flags |= FRZ_C_RESTARTS;
	if (p->ent && !(flags & FRZ_C_RESTARTS) && (p->wanted || p->ent->effect != FRZ_FX_NONE))
		args_at_exit(c, t, ret, now_ns);
	capture_call(c, t, ret, flags, now_ns);
	if (ret == -ERESTART_RESTARTBLOCK)
		p->restart_of = true;
}

static void put_string(struct emit *e, struct frz_buf *b, const struct tracee *t,
		       const struct item *it)
{
	const uint8_t *p = t->bytes + it->off;

	frz_enc_att_varint(b, it->kind, it->slot,
			   it->cut ? emit_string_cut(e, p, it->len, it->true_len) :
				     emit_string(e, p, it->len));
}

static void put_list(struct emit *e, struct frz_buf *b, const struct tracee *t,
		     const struct item *it)
{
	uint8_t room[8192];
	struct frz_buf v = { .p = room, .cap = sizeof(room) };
	struct frz_cur c = frz_cur_of(t->bytes + it->off, it->len);

	while (frz_cur_left(&c) >= 4) {
		uint32_t n = frz_get32(frz_take(&c, 4));
		const uint8_t *s = frz_take(&c, n);

		if (!s)
			break;
		frz_buf_varint(&v, n ? emit_string(e, s, n) : 0);
	}
	frz_enc_att(b, it->kind, it->slot, v.len);
	frz_buf_bytes(b, v.p, v.len);
	if (it->cut)
		frz_enc_att_varint(b, FRZ_A_CUT, it->slot, it->true_len);
}

static void put_fd(struct emit *e, struct frz_buf *b, const struct item *it, bool declared)
{
	uint8_t room[2 * FRZ_VARINT_MAX];
	size_t n = 0;
	uint64_t instance = it->ent ? it->ent->instance : 0;

	if (it->ent && it->ent->bound) {
		if (it->kind == FRZ_A_FD || !declared)
			emit_bind(e, it->ent);
		if (it->kind == FRZ_A_FD) { /* the binding in force says it */
			frz_enc_att(b, FRZ_A_FD, it->slot, 0);
			return;
		}
	}
	if (it->kind == FRZ_A_FDNUM)
		n = frz_put_varint(room, (uint64_t)it->fd);
	n += frz_put_varint(room + n, instance);
	frz_enc_att(b, it->kind, it->slot, n);
	frz_buf_bytes(b, room, n);
}

static void put_nums(struct frz_buf *b, const struct tracee *t, const struct item *it)
{
	uint8_t room[MMSG_KEEP * FRZ_VARINT_MAX];
	struct frz_buf v = { .p = room, .cap = sizeof(room) };

	for (uint32_t i = 0; i + 8 <= it->len; i += 8)
		frz_buf_zigzag(&v, (int64_t)frz_get64(t->bytes + it->off + i));
	frz_enc_att(b, FRZ_A_NUMS, it->slot, v.len);
	frz_buf_bytes(b, v.p, v.len);
}

/* declared: by declare_passed() */
static void put_items(struct emit *e, struct frz_buf *b, const struct tracee *t, bool declared)
{
	for (uint32_t i = 0; i < t->nitems; i++) {
		const struct item *it = &t->items[i];

		switch (it->kind) {
		case FRZ_A_FD:
		case FRZ_A_FDNUM:
			put_fd(e, b, it, declared);
			break;
		case FRZ_A_PATH:
		case FRZ_A_DIR:
		case FRZ_A_STR:
		case FRZ_A_SIGN:
			put_string(e, b, t, it);
			break;
		case FRZ_A_LIST:
			put_list(e, b, t, it);
			break;
		case FRZ_A_NUMS:
			put_nums(b, t, it);
			break;
		case FRZ_A_VICTIM:
		case FRZ_A_FILE:
			frz_enc_att_varint(b, it->kind, it->slot, emit_file(e, it->file));
			break;
		case FRZ_A_CUT:
			frz_enc_att_varint(b, it->kind, it->slot, it->true_len);
			break;
		case FRZ_A_FAULT:
			frz_enc_att(b, it->kind, it->slot, 0);
			break;
		default: /* ADDR, DATA */
			frz_enc_att(b, it->kind, it->slot, it->len);
			frz_buf_bytes(b, t->bytes + it->off, it->len);
			if (it->cut)
				frz_enc_att_varint(b, FRZ_A_CUT, it->slot, it->true_len);
		}
	}
}

static enum frz_bind_how returned_how(const struct tracee *t)
{
	switch (t->call.ent->effect) {
	case FRZ_FX_DUP:
	case FRZ_FX_FCNTL:
		return FRZ_B_DUP;
	case FRZ_FX_PIDFD_GETFD:
		return FRZ_B_RECEIVED;
	default:
		return FRZ_B_OPEN;
	}
}

/* The fd a call returned, bound; NULL when it returned none. */
static struct fdent *bind_returned(struct capture *c, struct tracee *t, int64_t ret,
				   uint64_t now_ns)
{
	const struct pending *p = &t->call;
	enum frz_bind_how how;
	const struct fdent *parent;

	if (!p->ent || ret < 0 || ret > INT32_MAX || !frz_returns_fd(p->ent, p->arg) ||
	    uring_without_fd(t))
		return NULL;
	how = returned_how(t);
	parent = how == FRZ_B_DUP ? item_fd(t, 0) : NULL;
	if (how == FRZ_B_DUP && p->arg[0] == ret)
		return fd_entry(c, t, (int)ret, now_ns); /* dup2(n, n) */
	return fd_new(c, t, (int)ret, how, parent, now_ns);
}

/* What the items and their declarations take at most. */
static size_t room_for(const struct tracee *t)
{
	size_t n = t->nbytes;

	for (uint32_t i = 0; i < t->nitems; i++) {
		const struct item *it = &t->items[i];

		n += 512 + (it->ent ? it->ent->file.path_len : 0) +
		     (it->file ? it->file->path_len : 0);
	}
	return n;
}

/* Hundreds of passed fds with long paths are more than one group holds: each gets its own, before
 * the event that names it. True: so it was. */
static bool declare_passed(struct capture *c, const struct tracee *t, size_t room)
{
	if (room < PASSED_APART)
		return false;
	for (uint32_t i = 0; i < t->nitems; i++) {
		const struct item *it = &t->items[i];

		if (it->kind == FRZ_A_FDNUM && it->ent && it->ent->bound &&
		    emit_begin(c->emit, it->ent->file.path_len, 0)) {
			emit_bind(c->emit, it->ent);
			emit_commit(c->emit);
		}
	}
	return true;
}

void capture_call(struct capture *c, struct tracee *t, int64_t ret, uint32_t flags, uint64_t now_ns)
{
	struct pending *p = &t->call;
	bool returned = !(flags & (FRZ_C_NO_RETURN | FRZ_C_RESTARTS));
	struct frz_buf *b;
	struct fdent *got;
	uint32_t mask = 0;
	size_t room;
	bool declared;

	p->active = false;
	if (p->ends_fds || (t->nitems && fdtable_users(t->fds) > 1))
		fds_in_doubt(c, t, returned);
	if (c->full || (!p->wanted && !(p->ent && (p->ent->effect != FRZ_FX_NONE ||
						   p->ent->ret == FRZ_RET_FD)))) {
		tracee_clear_items(t);
		return;
	}
	room = room_for(t);
	declared = declare_passed(c, t, room);
	if (!emit_begin(c->emit, room, t->nitems * 4u)) {
		tracee_clear_items(t);
		return;
	}
	if (!p->wanted) {
		/* only followed: what the numbers mean afterwards matters, not the call */
		if (returned) {
			bind_returned(c, t, ret, now_ns);
			effects_at_exit(c, t, ret, now_ns);
		}
		emit_commit(c->emit);
		if (returned && p->ent)
			uring_exit(c, t, ret, now_ns);
		tracee_clear_items(t);
		return;
	}
	if (t->segment != emit_segment(c->emit))
		life_comm(t); /* once a segment: another thread may have renamed it */
	emit_thread(c->emit, t);
	got = returned ? bind_returned(c, t, ret, now_ns) : NULL;

	b = emit_body(c->emit);
	frz_buf_varint(b, (uint64_t)t->tid);
	frz_buf_varint(b, p->abi + 4ull * p->nr);
	frz_buf_varint(b, flags);
	if (!(flags & FRZ_C_NO_RETURN))
		frz_buf_zigzag(b, ret);
	if (!p->ent)
		mask = 0x3f;
	else
		for (unsigned i = 0; i < p->ent->nargs; i++)
			if (arg_is_kept(p->def[i]->kind) &&
			    !(p->def[i]->kind == FRZ_ARG_LEN && !(flags & FRZ_C_NO_RETURN) &&
			      p->arg[i] == ret))
				mask |= 1u << i;
	frz_buf_varint(b, mask);
	for (unsigned i = 0; i < 6; i++)
		if (mask & 1u << i)
			frz_buf_zigzag(b, p->arg[i]);
	put_items(c->emit, b, t, declared);
	if (got) {
		emit_bind(c->emit, got);
		frz_enc_att(b, FRZ_A_FD, FRZ_SLOT_RET, 0);
	}
	emit_put(c->emit, FRZ_R_SYSCALL, now_ns, now_ns - p->entry_ns);
	if (returned)
		effects_at_exit(c, t, ret, now_ns);
	emit_commit(c->emit);
	if (returned && p->ent)
		uring_exit(c, t, ret, now_ns);
	tracee_clear_items(t);
	capture_hashes(c, false);
	if (!p->ent) {
		char which[40];

		snprintf(which, sizeof(which), "%s %" PRIu32, frz_abi_name(p->abi), p->nr);
		capture_coverage(c, t->proc->pid, t->tid, "syscall not in the table", 1, which);
	}
	capture_counted(c);
}

void capture_counted(struct capture *c)
{
	if (++c->events == c->o->max_events) {
		c->full = true;
		control_stop(c->control, "max-events");
	}
}

const struct engine_ops capture_ops = {
	.born = life_born,
	.settled = life_settled,
	.entry = on_entry,
	.exit = on_exit_stop,
	.exec = life_exec,
	.signal = life_signal,
	.group_stop = life_group_stop,
	.leaving = life_leaving,
	.gone = life_gone,
	.process_gone = life_process_gone,
	.interrupted = life_interrupted,
	.goes_on = on_goes_on,
	.eintr = life_eintr,
	.missed = life_missed,
};
