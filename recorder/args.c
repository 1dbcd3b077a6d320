/*
 * args.c - the arguments of a call, taken from registers and the tracee's memory as the
 * syscall table says. Lengths, counts and pointers are the target's word: each is bounded,
 * what is cut is marked FRZ_A_CUT, what cannot be read FRZ_A_FAULT.
 */
#include "capture_private.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "mem.h"

#define PATH_KEEP    PATH_MAX /* the kernel refuses longer ones */
#define ADDR_KEEP    128u     /* sizeof(struct sockaddr_storage): the kernel's own limit */
#define LIST_STRINGS 1024u
#define LIST_BYTES   (48u << 10)
#define CONTROL_KEEP (64u << 10)
#define IOV_KEEP     1024u
#define MMSG_ADDRS   32u /* different addresses of one call */
#define AIO_PREAD    0u	 /* linux/aio_abi.h: IOCB_CMD_* */
#define AIO_PWRITE   1u
#define AIO_PREADV   7u
#define AIO_PWRITEV  8u
#define PASSED_KEEP  1024u /* fds passed by one call; one message holds 253 at most */

void args_from_registers(struct pending *p, const uint64_t reg[6])
{
	const struct frz_sysent *e = p->ent;

	/* commands first, for what the BYCMD arguments are depends on them */
	memcpy(p->mem, reg, sizeof(p->mem));
	for (unsigned i = 0; i < e->nargs; i++)
		if (e->arg[i].kind != FRZ_ARG_BYCMD)
			p->arg[i] = frz_arg_value((enum frz_abi)p->abi, e->arg[i].kind, reg[i]);
	for (unsigned i = 0; i < e->nargs; i++) {
		p->def[i] = frz_argdef(e, i, p->arg);
		if (e->arg[i].kind == FRZ_ARG_BYCMD)
			p->arg[i] = frz_arg_value((enum frz_abi)p->abi, p->def[i]->kind, reg[i]);
	}
}

/* Not kept as numbers: addresses whose content is kept, or is of no interest. */
bool arg_is_kept(enum frz_argkind kind)
{
	/* clang-format off */
	switch (kind) {
	case FRZ_ARG_NONE: case FRZ_ARG_PATH: case FRZ_ARG_STR: case FRZ_ARG_STRV:
	case FRZ_ARG_BUF_IN: case FRZ_ARG_BUF_OUT: case FRZ_ARG_IOV_IN: case FRZ_ARG_IOV_OUT:
	case FRZ_ARG_MSG_IN: case FRZ_ARG_MSG_OUT: case FRZ_ARG_MMSG_IN: case FRZ_ARG_MMSG_OUT:
	case FRZ_ARG_ADDR_IN: case FRZ_ARG_ADDR_OUT: case FRZ_ARG_FD2_OUT: case FRZ_ARG_NUMS_IN:
	case FRZ_ARG_NUMS_OUT: case FRZ_ARG_NUMS_INOUT: case FRZ_ARG_FDSET:
	case FRZ_ARG_HANDLE_IN: case FRZ_ARG_HANDLE_OUT: case FRZ_ARG_IOCBS: case FRZ_ARG_BYCMD:
		return false;
	default:
		return true;
	}
	/* clang-format on */
}

struct item *item_bytes(struct tracee *t, enum frz_att kind, unsigned slot, const void *p, size_t n)
{
	uint8_t *to = tracee_bytes(t, n);
	struct item *it = to ? tracee_item(t, kind, slot) : NULL;

	if (!it)
		return NULL;
	if (n)
		memcpy(to, p, n);
	it->len = (uint32_t)n;
	t->nbytes += (uint32_t)n;
	return it;
}

void item_text(struct tracee *t, enum frz_att kind, unsigned slot, const char *text)
{
	item_bytes(t, kind, slot, text, strlen(text));
}

void item_fault(struct tracee *t, unsigned slot) { tracee_item(t, FRZ_A_FAULT, slot); }

void item_cut(struct tracee *t, unsigned slot, uint64_t true_len)
{
	struct item *it = tracee_item(t, FRZ_A_CUT, slot);

	if (it)
		it->true_len = true_len;
}

const struct item *item_path(const struct tracee *t, unsigned slot)
{
	const struct item *found = NULL;

	for (uint32_t i = 0; i < t->nitems; i++)
		if (t->items[i].kind == FRZ_A_PATH &&
		    (slot == FRZ_SLOT_NONE || t->items[i].slot == slot))
			found = &t->items[i];
	return found;
}

static const struct item *item_nums(const struct tracee *t)
{
	for (uint32_t i = 0; i < t->nitems; i++)
		if (t->items[i].kind == FRZ_A_NUMS)
			return &t->items[i];
	return NULL;
}

int path_dirfd(const struct tracee *t, unsigned path_slot)
{
	const struct frz_sysent *ent = t->call.ent;

	if (path_slot > 0 && path_slot < 7 && ent->arg[path_slot - 1].kind == FRZ_ARG_DIRFD)
		return (int)t->call.arg[path_slot - 1];
	return AT_FDCWD;
}

/* ent: what fd is, NULL when that is not known yet. */
static void take_fd(struct capture *c, struct tracee *t, enum frz_att kind, unsigned slot, int fd,
		    struct fdent *ent, uint64_t now_ns)
{
	struct item *it;

	if (!ent)
		ent = fd_entry(c, t, fd, now_ns);
	it = tracee_item(t, kind, slot);
	if (!it)
		return;
	if (ent)
		fdent_ref(ent);
	it->ent = ent;
	it->fd = fd;
}

void take_string(struct tracee *t, enum frz_att kind, unsigned slot, uint64_t addr, size_t keep)
{
	struct item *it;
	uint8_t *to;
	size_t len;
	enum mem_str r;

	if (!addr)
		return;
	to = tracee_bytes(t, keep);
	if (!to)
		return;
	r = mem_read_str(t->tid, addr, to, keep, &len);
	if (r != MEM_STR_FAULT || len) {
		it = tracee_item(t, kind, slot);
		if (it) {
			it->len = (uint32_t)len;
			it->cut = r != MEM_STR_OK;
			t->nbytes += (uint32_t)len;
		}
	}
	if (r == MEM_STR_FAULT)
		item_fault(t, slot);
}

static void take_path(struct tracee *t, unsigned slot, uint64_t addr)
{
	char dir[PATH_MAX + 64];
	const struct item *it;
	ssize_t n;

	take_string(t, FRZ_A_PATH, slot, addr, PATH_KEEP);
	it = item_path(t, slot);
	if (!it || !it->len)
		return;
	n = resolve_base(t->tid, path_dirfd(t, slot), t->bytes + it->off, it->len, dir,
			 sizeof(dir));
	if (n > 0)
		item_bytes(t, FRZ_A_DIR, slot, dir, (size_t)n);
	else if (n < 0 && errno == ENAMETOOLONG)
		item_text(t, FRZ_A_SIGN, FRZ_SLOT_NONE,
			  "its folder has a path longer than 4095 bytes");
}

static void take_strv(struct tracee *t, unsigned slot, uint64_t addr)
{
	size_t word = word_size(t);
	uint32_t off = t->nbytes, count = 0;
	bool cut = false, fault = false;
	struct item *it;

	if (!addr)
		return;
	while (count < LIST_STRINGS && t->nbytes - off < LIST_BYTES) {
		uint8_t raw[8], *to;
		uint64_t at;
		size_t len;
		enum mem_str r;

		if (!mem_read_all(t->tid, addr + count * word, raw, word)) {
			fault = true;
			break;
		}
		at = word_at(t, raw, 0);
		if (!at)
			break;
		to = tracee_bytes(t, 4 + PATH_KEEP);
		if (!to)
			return;
		r = mem_read_str(t->tid, at, to + 4, PATH_KEEP, &len);
		frz_put32(to, (uint32_t)len);
		t->nbytes += 4 + (uint32_t)len;
		count++;
		cut |= r == MEM_STR_CUT;
		fault |= r == MEM_STR_FAULT;
	}
	cut |= count == LIST_STRINGS || t->nbytes - off >= LIST_BYTES;
	it = tracee_item(t, FRZ_A_LIST, slot);
	if (it) {
		it->off = off;
		it->len = t->nbytes - off;
		it->cut = cut;
	}
	if (fault)
		item_fault(t, slot);
}

/* true_len: longer than len when only len bytes of it lie there; else 0. */
static void take_addr(struct tracee *t, unsigned slot, uint64_t addr, uint64_t len,
		      uint64_t true_len)
{
	uint8_t buf[ADDR_KEEP];
	size_t n = len < ADDR_KEEP ? (size_t)len : ADDR_KEEP, got;
	struct item *it;

	if (!addr || !len)
		return;
	if (true_len < len)
		true_len = len;
	got = mem_read(t->tid, addr, buf, n);
	if (got) {
		it = item_bytes(t, FRZ_A_ADDR, slot, buf, got);
		if (it && true_len > got) {
			it->cut = true;
			it->true_len = true_len;
		}
	}
	if (got < n)
		item_fault(t, slot);
}

static void take_data(struct capture *c, struct tracee *t, unsigned slot, uint64_t addr,
		      uint64_t len)
{
	size_t n = len < c->o->snap ? (size_t)len : (size_t)c->o->snap, got;
	struct item *it;
	uint8_t *to;

	if (!n || !addr)
		return;
	to = tracee_bytes(t, n);
	if (!to)
		return;
	got = mem_read(t->tid, addr, to, n);
	it = tracee_item(t, FRZ_A_DATA, slot);
	if (!it)
		return;
	it->len = (uint32_t)got;
	it->cut = len > got;
	it->true_len = len;
	t->nbytes += (uint32_t)got;
	if (got < n)
		item_fault(t, slot);
}

/* iovec and msghdr in the target's layout. */
uint64_t word_at(const struct tracee *t, const uint8_t *p, unsigned index)
{
	return word_size(t) == 8 ? frz_get64(p + index * 8u) : frz_get32(p + index * 4u);
}

size_t word_size(const struct tracee *t) { return frz_abi_ptr(tracee_abi(t)); }

static void take_iov(struct capture *c, struct tracee *t, unsigned slot, uint64_t addr,
		     uint64_t count, uint64_t total)
{
	uint64_t left = total < c->o->snap ? total : c->o->snap;
	size_t step = 2 * word_size(t);

	for (uint64_t i = 0; i < count && i < IOV_KEEP && left; i++) {
		uint8_t raw[16];
		uint64_t len;

		if (!mem_read_all(t->tid, addr + i * step, raw, step)) {
			item_fault(t, slot);
			return;
		}
		len = word_at(t, raw, 1);
		if (len > left)
			len = left;
		take_data(c, t, slot, word_at(t, raw, 0), len);
		left -= len;
	}
}

#define MSG_BYTES_64 56u
#define MSG_BYTES_32 28u

static size_t msg_size(const struct tracee *t)
{
	return word_size(t) == 8 ? MSG_BYTES_64 : MSG_BYTES_32;
}

static bool read_msg(const struct tracee *t, uint64_t addr, struct msg_room *m)
{
	uint8_t raw[MSG_BYTES_64];

	if (!mem_read_all(t->tid, addr, raw, msg_size(t)))
		return false;
	m->name = word_at(t, raw, 0);
	m->name_len = frz_get32(raw + word_size(t));
	m->iov = word_at(t, raw, 2);
	m->iov_count = word_at(t, raw, 3);
	m->control = word_at(t, raw, 4);
	m->control_len = word_at(t, raw, 5);
	m->known = true;
	return true;
}

/* m, read after the call, is brought in line with where the kernel was told to write. *true_len:
 * of an address that did not fit, else 0. */
static void confine(const struct msg_room *room, struct msg_room *m, uint64_t *true_len)
{
	*true_len = 0;
	if (!room->known)
		return;
	m->name = room->name;
	m->iov = room->iov;
	m->iov_count = room->iov_count;
	m->control = room->control;
	if (m->name_len > room->name_len) {
		*true_len = m->name_len;
		m->name_len = room->name_len;
	}
	if (m->control_len > room->control_len)
		m->control_len = room->control_len;
}

static void take_passed(struct capture *c, struct tracee *t, unsigned slot, int fd, bool received,
			uint64_t now_ns)
{
	struct fdent *ent = NULL;

	if (t->nitems >= PASSED_KEEP) {
		if (t->items[t->nitems - 1].kind != FRZ_A_CUT)
			item_cut(t, slot, 0);
		return;
	}
	if (fd < 0) {
		item_text(t, FRZ_A_SIGN, FRZ_SLOT_NONE, "passes a negative fd");
		return;
	}
	if (received && emit_begin(c->emit, 0, 0)) {
		ent = fd_new(c, t, fd, FRZ_B_RECEIVED, NULL, now_ns);
		emit_commit(c->emit);
	}
	take_fd(c, t, FRZ_A_FDNUM, slot, fd, ent, now_ns);
}

/* SCM_RIGHTS: fds named in a message's control data; unix(7), cmsg(3). */
static void take_control(struct capture *c, struct tracee *t, unsigned slot,
			 const struct msg_room *m, bool received, uint64_t now_ns)
{
	size_t word = word_size(t), head = word + 8, n;
	uint8_t *buf;
	size_t at = 0;

	if (!m->control || m->control_len < head)
		return;
	n = m->control_len < CONTROL_KEEP ? (size_t)m->control_len : CONTROL_KEEP;
	buf = malloc(n);
	if (!buf)
		return;
	if (m->control_len > CONTROL_KEEP)
		item_cut(t, slot, m->control_len);
	if (mem_read(t->tid, m->control, buf, n) < n) {
		item_fault(t, slot);
		free(buf);
		return;
	}
	while (n - at >= head) {
		uint64_t len = word_at(t, buf + at, 0);
		uint32_t level = frz_get32(buf + at + word), type = frz_get32(buf + at + word + 4);

		if (len < head || len > n - at) {
			item_cut(t, slot, m->control_len); /* the chain leads nowhere */
			break;
		}
		if (level == SOL_SOCKET && type == SCM_RIGHTS)
			for (size_t i = head; i + 4 <= len; i += 4)
				take_passed(c, t, slot, (int)frz_get32(buf + at + i), received,
					    now_ns);
		len = (len + word - 1) & ~(uint64_t)(word - 1);
		if (len > n - at)
			break;
		at += len;
	}
	free(buf);
}

static void take_msg(struct capture *c, struct tracee *t, unsigned slot, uint64_t addr, bool out,
		     int64_t ret, uint64_t now_ns)
{
	uint64_t true_len = 0;
	struct msg_room m;

	if (!addr || !read_msg(t, addr, &m)) {
		item_fault(t, slot);
		return;
	}
	if (out)
		confine(&t->call.out, &m, &true_len);
	take_addr(t, slot, m.name, m.name_len, true_len);
	take_control(c, t, slot, &m, out, now_ns);
	if (c->o->snap)
		take_iov(c, t, slot, m.iov, m.iov_count, out ? (uint64_t)ret : UINT64_MAX);
}

static bool same_addr(const struct tracee *t, const struct item *a, const struct item *b)
{
	return a->len == b->len && a->true_len == b->true_len &&
	       !memcmp(t->bytes + a->off, t->bytes + b->off, a->len);
}

/* The address of message i of several. What is like the one before is not kept again; `last` is
 * that one's item, 0 none, from one on. */
static void take_next_addr(struct tracee *t, unsigned slot, struct msg_room *m, bool out,
			   unsigned *kept, uint32_t *last)
{
	uint32_t before = t->nitems, bytes = t->nbytes;
	uint64_t true_len = 0;

	if (!m->name || !m->name_len)
		return;
	if (*kept == MMSG_ADDRS) {
		item_cut(t, slot, 0);
		++*kept;
	}
	if (*kept > MMSG_ADDRS)
		return;
	if (out && t->call.out.known && m->name_len > t->call.out.name_len) {
		true_len = m->name_len; /* the others are taken to have the first one's room */
		m->name_len = t->call.out.name_len;
	}
	take_addr(t, slot, m->name, m->name_len, true_len);
	if (t->nitems != before + 1 || t->items[before].kind != FRZ_A_ADDR)
		return;
	if (*last && same_addr(t, &t->items[*last - 1], &t->items[before])) {
		t->nitems = before;
		t->nbytes = bytes;
		return;
	}
	*last = before + 1;
	++*kept;
}

/* mmsghdr[]: `done` messages went through; their msg_len add up to the bytes moved. */
static void take_mmsg(struct capture *c, struct tracee *t, unsigned slot, uint64_t addr,
		      int64_t done, bool out, uint64_t now_ns)
{
	size_t size = msg_size(t), step = size + word_size(t);
	uint8_t lengths[MMSG_KEEP * 8], raw[4];
	uint64_t true_len;
	unsigned n = 0, addrs = 0;
	uint32_t last = 0;

	for (int64_t i = 0; i < done && n < MMSG_KEEP; i++) {
		uint64_t at = addr + (uint64_t)i * step;
		struct msg_room m;

		if (!mem_read_all(t->tid, at + size, raw, 4) || !read_msg(t, at, &m)) {
			item_fault(t, slot);
			break;
		}
		frz_put64(lengths + 8 * n++, frz_get32(raw));
		if (i == 0 && out) {
			confine(&t->call.out, &m, &true_len);
			if (true_len)
				m.name_len = (uint32_t)true_len;
		}
		take_next_addr(t, slot, &m, out, &addrs, &last);
		take_control(c, t, slot, &m, out, now_ns);
	}
	item_bytes(t, FRZ_A_NUMS, slot, lengths, n * 8u);
}

/* io_submit returns before its operations have ended, and their results may be taken without a
 * call: what they move is in no sum, so that each file is named, once while it is open. */
static void note_aio(struct capture *c, struct tracee *t, uint64_t now_ns)
{
	const struct item *it = item_nums(t);
	enum { DATA, OP, FD, NBYTES, OFFSET, MEMBERS };

	for (uint32_t at = 0; it && at + 8 * MEMBERS <= it->len; at += 8 * MEMBERS) {
		uint64_t op = frz_get64(t->bytes + it->off + at + 8 * OP);
		struct fdent *ent =
			fd_entry(c, t, (int)frz_get64(t->bytes + it->off + at + 8 * FD), now_ns);

		if (!ent || ent->aio ||
		    !(op == AIO_PREAD || op == AIO_PWRITE || op == AIO_PREADV || op == AIO_PWRITEV))
			continue;
		ent->aio = true;
		capture_coverage(c, t->proc->pid, t->tid, "asynchronous IO by io_submit", 1,
				 ent->file.path ? ent->file.path : "");
	}
}

void args_at_entry(struct capture *c, struct tracee *t, uint64_t now_ns)
{
	struct pending *p = &t->call;
	const struct frz_sysent *ent = p->ent;
	uint8_t raw[4];

	p->out.known = false;

	for (unsigned i = 0; i < ent->nargs; i++) {
		const struct frz_argdef *a = p->def[i];
		uint64_t v = (uint64_t)p->arg[i];
		uint64_t with = a->param >= 0 && a->param < 6 ? (uint64_t)p->arg[a->param] : 0;

		switch (a->kind) {
		case FRZ_ARG_FD:
			if (!frz_fd_is_index(ent, p->arg))
				take_fd(c, t, FRZ_A_FD, i, (int)v, NULL, now_ns);
			break;
		case FRZ_ARG_DIRFD:
			if ((int)v != AT_FDCWD)
				take_fd(c, t, FRZ_A_FD, i, (int)v, NULL, now_ns);
			break;
		case FRZ_ARG_PATH:
			take_path(t, i, v);
			break;
		case FRZ_ARG_STR:
			take_string(t, FRZ_A_STR, i, v, STR_KEEP);
			break;
		case FRZ_ARG_STRV:
			take_strv(t, i, v);
			break;
		case FRZ_ARG_BUF_IN:
			if (c->o->snap)
				take_data(c, t, i, v, with);
			break;
		case FRZ_ARG_IOV_IN:
			if (c->o->snap)
				take_iov(c, t, i, v, with, UINT64_MAX);
			break;
		case FRZ_ARG_MSG_IN:
			take_msg(c, t, i, v, false, 0, now_ns);
			break;
		case FRZ_ARG_ADDR_OUT:
			p->out.known = v && with && mem_read_all(t->tid, with, raw, 4);
			p->out.name_len = p->out.known ? frz_get32(raw) : 0;
			break;
		case FRZ_ARG_MSG_OUT:
		case FRZ_ARG_MMSG_OUT:
			if (!v || !read_msg(t, v, &p->out))
				item_fault(t, i);
			break;
		case FRZ_ARG_ADDR_IN:
			take_addr(t, i, v, (uint32_t)with, 0);
			break;
		case FRZ_ARG_NUMS_IN:
		case FRZ_ARG_NUMS_INOUT:
			take_nums(t, i, a->param, v, NO_RETURN_YET);
			break;
		case FRZ_ARG_FDSET:
			take_fdset(t, i, v, (int64_t)with);
			break;
		case FRZ_ARG_HANDLE_IN:
			take_handle(t, i, v);
			break;
		case FRZ_ARG_IOCBS:
			take_iocbs(t, i, a->param, v);
			note_aio(c, t, now_ns);
			break;
		default:
			break;
		}
	}
}

void args_at_exit(struct capture *c, struct tracee *t, int64_t ret, uint64_t now_ns)
{
	const struct pending *p = &t->call;
	const struct frz_sysent *ent = p->ent;

	for (unsigned i = 0; i < ent->nargs; i++) {
		const struct frz_argdef *a = p->def[i];
		uint64_t v = (uint64_t)p->arg[i];
		uint64_t with = a->param >= 0 && a->param < 6 ? (uint64_t)p->arg[a->param] : 0;
		uint64_t true_len;
		uint8_t raw[8];

		/* the count of a sendmmsg is known only now, its messages were read before */
		if (ret < 0 || (!v && a->kind != FRZ_ARG_FD))
			continue;
		switch (a->kind) {
		case FRZ_ARG_BUF_OUT:
			if (c->o->snap)
				take_data(c, t, i, v, (uint64_t)ret);
			break;
		case FRZ_ARG_IOV_OUT:
			if (c->o->snap)
				take_iov(c, t, i, v, with, (uint64_t)ret);
			break;
		case FRZ_ARG_MSG_OUT:
			take_msg(c, t, i, v, true, ret, now_ns);
			break;
		case FRZ_ARG_MMSG_IN:
			take_mmsg(c, t, i, v, ret, false, now_ns);
			break;
		case FRZ_ARG_MMSG_OUT:
			take_mmsg(c, t, i, v, ret, true, now_ns);
			break;
		case FRZ_ARG_ADDR_OUT:
			if (!with || !p->out.known || !mem_read_all(t->tid, with, raw, 4))
				break;
			true_len = frz_get32(raw);
			take_addr(t, i, v, true_len < p->out.name_len ? true_len : p->out.name_len,
				  true_len);
			break;
		case FRZ_ARG_FD2_OUT:
			if (!mem_read_all(t->tid, v, raw, 8)) {
				item_fault(t, i);
				break;
			}
			for (unsigned k = 0; k < 2; k++) {
				int fd = (int)frz_get32(raw + 4u * k);
				struct fdent *e = NULL;

				if (emit_begin(c->emit, 0, 0)) {
					e = fd_new(c, t, fd, FRZ_B_OPEN, NULL, now_ns);
					emit_commit(c->emit);
				}
				take_fd(c, t, FRZ_A_FDNUM, i, fd, e, now_ns);
			}
			break;
		case FRZ_ARG_NUMS_OUT:
			take_nums(t, i, a->param, v, ret);
			break;
		case FRZ_ARG_NUMS_INOUT:
			if (ret > 0)
				take_nums(t, i, a->param, v, ret);
			break;
		case FRZ_ARG_HANDLE_OUT:
			take_handle(t, i, v);
			break;
		default:
			break;
		}
	}
}
