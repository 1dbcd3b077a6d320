/*
 * structs.c - numbers out of a tracee's memory: small structures as structs.tab has them, arrays
 * of them, sets of fds, file handles.
 */
#include "capture_private.h"

#include <string.h>

#include "mem.h"

#define FDSET_BYTES 8192u /* of an fd_set that are looked at: 65,536 fds */
#define HANDLE_KEEP 128u  /* MAX_HANDLE_SZ: the kernel's own limit */
#define STRUCT_MAX  32u	  /* bytes of a structure of an array */

static void add_num(struct tracee *t, int64_t v)
{
	uint8_t *to = tracee_bytes(t, 8);

	if (to) {
		frz_put64(to, (uint64_t)v);
		t->nbytes += 8;
	}
}

/* What was read at the entry gives way to what was read at the exit. */
static void nums_done(struct tracee *t, unsigned slot, uint32_t from)
{
	struct item *it = tracee_find_item(t, FRZ_A_NUMS, slot);

	if (!it)
		it = tracee_item(t, FRZ_A_NUMS, slot);
	if (it) {
		it->off = from;
		it->len = t->nbytes - from;
	}
}

/* Before the call there is nothing of the kernel's in it. */
static void clear_out(const struct frz_numsdef *def, enum frz_abi abi, uint8_t *raw, size_t len)
{
	size_t at = 0;

	for (unsigned i = 0; i < def->nfields && at + def->field[i].size[abi] <= len; i++) {
		if (def->field[i].out)
			memset(raw + at, 0, def->field[i].size[abi]);
		at += def->field[i].size[abi];
	}
}

/* Takes the members out of a structure's bytes. */
static void put_struct(struct tracee *t, const struct frz_numsdef *def, uint8_t *raw, size_t len,
		       bool after)
{
	int64_t nums[FRZ_NUMS_MAX];
	unsigned n;

	if (!after)
		clear_out(def, tracee_abi(t), raw, len);
	n = frz_nums_take(def, tracee_abi(t), raw, len, nums);
	for (unsigned i = 0; i < n; i++)
		add_num(t, nums[i]);
}

static void take_member_text(struct tracee *t, unsigned slot, const struct frz_numsdef *def,
			     uint64_t addr, size_t len)
{
	size_t at;
	const struct frz_member *m = frz_nums_text(def, tracee_abi(t), &at);
	uint8_t raw[8];

	if (!m || at + m->size[tracee_abi(t)] > len)
		return;
	if (m->kind == FRZ_ARG_BUF_IN)
		take_string(t, FRZ_A_STR, slot, addr + at, m->size[tracee_abi(t)]);
	else if (mem_read_all(t->tid, addr + at, raw, sizeof(raw)))
		take_string(t, FRZ_A_STR, slot, frz_get64(raw), STR_KEEP);
}

void take_nums(struct tracee *t, unsigned slot, int param, uint64_t addr, int64_t ret)
{
	const struct frz_numsdef *def = frz_numsdef(param);
	const struct pending *p = &t->call;
	uint32_t from = t->nbytes;
	uint8_t raw[FRZ_NUMS_ELEMS * STRUCT_MAX];
	uint64_t count = 1;
	size_t size, got;

	if (!def || !addr)
		return;
	size = frz_nums_size(def, tracee_abi(t));
	if (def->len_slot >= 0 && (uint64_t)p->arg[def->len_slot] < size)
		size = (size_t)p->arg[def->len_slot];
	if (!size || size > (def->count_slot == -1 ? sizeof(raw) : STRUCT_MAX))
		return;
	if (def->count_slot == FRZ_COUNT_RET)
		count = ret > 0 ? (uint64_t)ret : 0;
	else if (def->count_slot >= 0)
		count = p->arg[def->count_slot] > 0 ? (uint64_t)p->arg[def->count_slot] : 0;
	if (count > FRZ_NUMS_ELEMS) {
		if (!tracee_find_item(t, FRZ_A_CUT, slot))
			item_cut(t, slot, count);
		count = FRZ_NUMS_ELEMS;
	}
	got = mem_read(t->tid, addr, raw, (size_t)count * size);
	for (size_t at = 0; at + size <= got && at < count * size; at += size)
		put_struct(t, def, raw + at, size, ret != NO_RETURN_YET);
	nums_done(t, slot, from);
	if (got < count * size)
		item_fault(t, slot);
	else
		take_member_text(t, slot, def, addr, size);
}

/* select(2): the fds below nfds whose bit is set; on every ABI bytes hold them in order. */
void take_fdset(struct tracee *t, unsigned slot, uint64_t addr, int64_t nfds)
{
	size_t n = nfds > 0 ? ((size_t)nfds + 7) / 8 : 0;
	uint32_t from = t->nbytes;
	uint8_t raw[FDSET_BYTES];
	uint64_t set = 0;

	if (!addr || !n)
		return;
	if (n > sizeof(raw)) {
		item_cut(t, slot, 0);
		n = sizeof(raw);
	}
	if (!mem_read_all(t->tid, addr, raw, n)) {
		item_fault(t, slot);
		return;
	}
	for (int64_t fd = 0; fd < nfds && (size_t)fd < 8 * n; fd++)
		if ((raw[fd / 8] >> fd % 8 & 1) && set++ < FRZ_NUMS_ELEMS)
			add_num(t, fd);
	nums_done(t, slot, from);
	if (set > FRZ_NUMS_ELEMS)
		item_cut(t, slot, set);
}

/* struct file_handle: how many bytes, what type, the bytes. */
void take_handle(struct tracee *t, unsigned slot, uint64_t addr)
{
	uint8_t raw[8 + HANDLE_KEEP];
	uint32_t n;

	if (!addr)
		return;
	if (!mem_read_all(t->tid, addr, raw, 8)) {
		item_fault(t, slot);
		return;
	}
	n = frz_get32(raw);
	if (n > HANDLE_KEEP)
		item_cut(t, slot, n); /* which the kernel refuses */
	else if (!mem_read_all(t->tid, addr + 8, raw + 8, n))
		item_fault(t, slot);
	else
		item_bytes(t, FRZ_A_DATA, slot, raw, 8 + n);
}

void take_iocbs(struct tracee *t, unsigned slot, int param, uint64_t addr)
{
	const struct frz_numsdef *def = frz_iocb_def();
	int64_t count = param >= 0 ? t->call.arg[param] : 0;
	size_t word = word_size(t), size = frz_nums_size(def, tracee_abi(t));
	uint32_t from = t->nbytes;
	uint8_t iocb[64];
	bool fault = size > sizeof(iocb);

	if (count > FRZ_NUMS_ELEMS) {
		item_cut(t, slot, (uint64_t)count);
		count = FRZ_NUMS_ELEMS;
	}
	for (int64_t i = 0; i < count && !fault; i++) {
		uint8_t raw[8];

		if (mem_read_all(t->tid, addr + (uint64_t)i * word, raw, word) &&
		    mem_read_all(t->tid, word_at(t, raw, 0), iocb, size))
			put_struct(t, def, iocb, size, false);
		else
			fault = true;
	}
	nums_done(t, slot, from);
	if (fault)
		item_fault(t, slot);
}
