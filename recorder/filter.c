/*
 * filter.c - the seccomp filter from the syscall table (contract in filter.h).
 *
 * Per ABI the numbers are cut into blocks of 32. A chain of comparisons finds the block, a
 * 32-bit mask in it says whether the call stops: about 20 instructions for any call. Numbers
 * behind the last block are not in the table and stop, to be recorded by number.
 * An mmap of anonymous memory concerns no file: its flags are looked at in the filter.
 */
#include "filter.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

#include "sysent.h"

#define BLOCKS	  18u /* 576 numbers */
#define MAX_INSNS 1024u

struct filter {
	struct sock_filter insn[MAX_INSNS];
	struct sock_fprog prog;
	unsigned n;
};

static void add(struct filter *f, uint16_t code, uint8_t jt, uint8_t jf, uint32_t k)
{
	f->insn[f->n++] = (struct sock_filter){ code, jt, jf, k };
}

static bool stops(enum frz_abi abi, uint32_t nr, const bool *record)
{
	const struct frz_sysent *ent = frz_sysent(abi, nr);

	return !ent || record[ent->id] || ent->effect != FRZ_FX_NONE || ent->ret == FRZ_RET_FD;
}

/* A holds the number, without the x32 bit. Every path ends in a return. */
static void add_abi(struct filter *f, enum frz_abi abi, const bool *record, bool anonymous)
{
	int mmap_nr = frz_sysnum(abi, abi == FRZ_ABI_I386 ? "mmap2" : "mmap");

	if (mmap_nr >= 0 && !anonymous) {
		add(f, BPF_JMP | BPF_JEQ | BPF_K, 0, 4, (uint32_t)mmap_nr);
		add(f, BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, args[3]));
		add(f, BPF_JMP | BPF_JSET | BPF_K, 0, 1, MAP_ANONYMOUS);
		add(f, BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW);
		add(f, BPF_RET | BPF_K, 0, 0,
		    stops(abi, (uint32_t)mmap_nr, record) ? SECCOMP_RET_TRACE : SECCOMP_RET_ALLOW);
	}
	for (uint32_t b = 0; b < BLOCKS; b++) {
		uint32_t mask = 0;

		for (uint32_t i = 0; i < 32; i++)
			if (stops(abi, b * 32 + i, record))
				mask |= 1u << i;
		add(f, BPF_JMP | BPF_JGE | BPF_K, 8, 0, (b + 1) * 32);
		add(f, BPF_ALU | BPF_AND | BPF_K, 0, 0, 31);
		add(f, BPF_MISC | BPF_TAX, 0, 0, 0);
		add(f, BPF_LD | BPF_IMM, 0, 0, 1);
		add(f, BPF_ALU | BPF_LSH | BPF_X, 0, 0, 0);
		add(f, BPF_ALU | BPF_AND | BPF_K, 0, 0, mask);
		add(f, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, 0);
		add(f, BPF_RET | BPF_K, 0, 0, SECCOMP_RET_TRACE);
		add(f, BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW);
	}
	add(f, BPF_RET | BPF_K, 0, 0, SECCOMP_RET_TRACE);
}

/* The length of add_abi's part, to jump over it: conditional jumps reach 255, JA any distance. */
static void patch_jump(struct filter *f, unsigned at) { f->insn[at].k = f->n - at - 1; }

struct filter *filter_new(const bool *record, bool anonymous)
{
	struct filter *f = calloc(1, sizeof(*f));
	unsigned skip;

	if (!f)
		return NULL;
#if defined(__x86_64__)
	add(f, BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, arch));
	add(f, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, AUDIT_ARCH_I386);
	skip = f->n;
	add(f, BPF_JMP | BPF_JA, 0, 0, 0);
	add(f, BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, nr));
	add_abi(f, FRZ_ABI_I386, record, anonymous);
	patch_jump(f, skip);
	add(f, BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, nr));
	add(f, BPF_JMP | BPF_JSET | BPF_K, 1, 0, FRZ_X32_BIT);
	skip = f->n;
	add(f, BPF_JMP | BPF_JA, 0, 0, 0);
	add(f, BPF_ALU | BPF_AND | BPF_K, 0, 0, ~FRZ_X32_BIT);
	add_abi(f, FRZ_ABI_X32, record, anonymous);
	patch_jump(f, skip);
	add_abi(f, FRZ_ABI_X86_64, record, anonymous);
#else
	(void)skip;
	add(f, BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, nr));
	add_abi(f, FRZ_ABI_AARCH64, record, anonymous);
#endif
	f->prog.len = (unsigned short)f->n;
	f->prog.filter = f->insn;
	return f;
}

const struct sock_fprog *filter_program(const struct filter *f) { return f ? &f->prog : NULL; }

void filter_free(struct filter *f) { free(f); }
