/*
 * sysent.c - look-ups in the table of system calls.
 */
#include "sysent.h"

#include <string.h>

#include "bytes.h"
#include "flags.h"

struct frz_command {
	int16_t set;
	uint64_t value;
	uint8_t n;
	struct frz_argdef def[5]; /* of the call's BYCMD arguments, in order */
};

#define FRZ_GEN_SYSENTS
#include "syscalls.inc"

#define I386_SOCKETCALL	      102
#define CMD_DUPFD	      0
#define CMD_DUPFD_CLOEXEC     1030
#define NEW_LISTENER	      8		 /* SECCOMP_FILTER_FLAG_NEW_LISTENER */
#define ENTER_REGISTERED_RING 0x10	 /* IORING_ENTER_REGISTERED_RING */
#define USE_REGISTERED_RING   0x80000000 /* IORING_REGISTER_USE_REGISTERED_RING */
#define COUNT(a)	      (sizeof(a) / sizeof((a)[0]))

const unsigned frz_sysents_n = COUNT(frz_sysents);

static const struct frz_sysent *at(const uint16_t *by, size_t n, uint32_t nr)
{
	return nr < n && by[nr] ? &frz_sysents[by[nr] - 1] : NULL;
}

const struct frz_sysent *frz_sysent(enum frz_abi abi, uint32_t nr)
{
	switch (abi) {
	case FRZ_ABI_X86_64:
		return at(frz_by_x86_64, COUNT(frz_by_x86_64), nr);
	case FRZ_ABI_I386:
		if (nr >= FRZ_NR_SOCKETCALL)
			return at(frz_by_socketcall, COUNT(frz_by_socketcall),
				  nr - FRZ_NR_SOCKETCALL);
		return at(frz_by_i386, COUNT(frz_by_i386), nr);
	case FRZ_ABI_X32:
		return at(frz_by_x32, COUNT(frz_by_x32), nr);
	case FRZ_ABI_AARCH64:
		return at(frz_by_aarch64, COUNT(frz_by_aarch64), nr);
	}
	return NULL;
}

int frz_sysnum(enum frz_abi abi, const char *name)
{
	if ((unsigned)abi > FRZ_ABI_AARCH64)
		return -1;
	for (size_t i = 0; i < COUNT(frz_row_numbers); i++)
		if (frz_row_numbers[i][abi] >= 0 && !strcmp(frz_sysents[i].name, name))
			return frz_row_numbers[i][abi];
	return -1;
}

unsigned frz_call_number(enum frz_abi abi, uint32_t *nr, const uint64_t arg[6], unsigned *slot)
{
	const struct frz_sysent *e;

	*slot = 0;
	if (abi != FRZ_ABI_I386)
		return 0;
	if (*nr == I386_SOCKETCALL) {
		uint32_t call = (uint32_t)arg[0];

		e = at(frz_by_socketcall, COUNT(frz_by_socketcall), call);
		if (!e)
			return 0;
		*nr = FRZ_NR_SOCKETCALL + call;
		*slot = 1;
		return e->nargs;
	}
	for (size_t i = 0; i < COUNT(frz_in_memory); i++) {
		if (*nr == frz_in_memory[i]) {
			e = frz_sysent(abi, *nr);
			return e ? e->nargs : 0;
		}
	}
	return 0;
}

/* of the BYCMD argument number `index` */
static const struct frz_argdef *by_command(int set, uint64_t value, unsigned index)
{
	static const struct frz_argdef unknown[] = {
		{ "arg", FRZ_ARG_HEX, -1 },  { "arg3", FRZ_ARG_HEX, -1 },
		{ "arg4", FRZ_ARG_HEX, -1 }, { "arg5", FRZ_ARG_HEX, -1 },
		{ "arg6", FRZ_ARG_HEX, -1 },
	};

	static const struct frz_argdef unused = { "arg", FRZ_ARG_NONE, -1 };

	for (size_t i = 0; i < COUNT(frz_commands); i++)
		if (frz_commands[i].set == set && frz_commands[i].value == value)
			return index < frz_commands[i].n ? &frz_commands[i].def[index] : &unused;
	return &unknown[index];
}

const struct frz_argdef *frz_argdef(const struct frz_sysent *e, unsigned slot, const int64_t arg[6])
{
	const struct frz_argdef *d = &e->arg[slot];
	unsigned before = 0;

	if (d->kind != FRZ_ARG_BYCMD)
		return d;
	for (unsigned i = 0; i < slot; i++)
		before += e->arg[i].kind == FRZ_ARG_BYCMD;
	return by_command(e->arg[d->param].param, (uint32_t)arg[d->param], before);
}

bool frz_returns_fd(const struct frz_sysent *e, const int64_t arg[6])
{
	static const char *const ioctls[] = { "TIOCGPTPEER", "NS_GET_USERNS", "NS_GET_PARENT",
					      "KVM_CREATE_VM", "KVM_CREATE_VCPU" };
	static const char *const bpfs[] = { "BPF_MAP_CREATE",	    "BPF_PROG_LOAD",
					    "BPF_OBJ_GET",	    "BPF_PROG_GET_FD_BY_ID",
					    "BPF_MAP_GET_FD_BY_ID", "BPF_RAW_TRACEPOINT_OPEN",
					    "BPF_BTF_LOAD",	    "BPF_BTF_GET_FD_BY_ID",
					    "BPF_LINK_CREATE",	    "BPF_LINK_GET_FD_BY_ID",
					    "BPF_ENABLE_STATS",	    "BPF_ITER_CREATE",
					    "BPF_TOKEN_CREATE" };
	const char *const *list;
	const char *name;
	size_t n;

	if (e->ret == FRZ_RET_FD) /* landlock_create_ruleset with flags: a version */
		return !(e->nargs > 2 && e->arg[2].kind == FRZ_ARG_FLAGS &&
			 e->arg[2].param == FRZ_SET_LANDLOCK_CREATE && arg[2]);
	if (e->effect == FRZ_FX_FCNTL)
		return arg[1] == CMD_DUPFD || arg[1] == CMD_DUPFD_CLOEXEC;
	if (e->nargs && e->arg[0].param == FRZ_SET_SECCOMP)
		return (arg[1] & NEW_LISTENER) != 0;
	if (e->effect == FRZ_FX_IOCTL) {
		list = ioctls;
		n = COUNT(ioctls);
		name = frz_flag_name(FRZ_SET_IOCTL, (uint32_t)arg[1]);
	} else if (e->nargs && e->arg[0].kind == FRZ_ARG_ENUM && e->arg[0].param == FRZ_SET_BPF) {
		list = bpfs;
		n = COUNT(bpfs);
		name = frz_flag_name(FRZ_SET_BPF, (uint32_t)arg[0]);
	} else {
		return false;
	}
	for (size_t i = 0; name && i < n; i++)
		if (!strcmp(list[i], name))
			return true;
	return false;
}

bool frz_fd_is_index(const struct frz_sysent *e, const int64_t arg[6])
{
	return (e->effect == FRZ_FX_URING_ENTER && arg[3] & ENTER_REGISTERED_RING) ||
	       (e->effect == FRZ_FX_URING_REGISTER && arg[1] & USE_REGISTERED_RING);
}

const struct frz_numsdef *frz_numsdef(int param)
{
	return param >= 0 && (size_t)param < COUNT(frz_structs) ? &frz_structs[param] : NULL;
}

const struct frz_numsdef *frz_iocb_def(void) { return &frz_structs[FRZ_STRUCT_IOCB]; }

size_t frz_nums_size(const struct frz_numsdef *def, enum frz_abi abi)
{
	size_t n = 0;

	for (unsigned i = 0; i < def->nfields; i++)
		n += def->field[i].size[abi];
	return n;
}

const struct frz_member *frz_nums_text(const struct frz_numsdef *def, enum frz_abi abi, size_t *at)
{
	*at = 0;
	for (unsigned i = 0; i < def->nfields; i++) {
		const struct frz_member *m = &def->field[i];

		if (m->name && !frz_member_is_number(m))
			return m;
		*at += m->size[abi];
	}
	return NULL;
}

static int64_t number(const uint8_t *p, unsigned size, bool is_signed)
{
	switch (size) {
	case 1:
		return is_signed ? (int8_t)*p : *p;
	case 2:
		return is_signed ? (int16_t)frz_get16(p) : frz_get16(p);
	case 4:
		return is_signed ? (int32_t)frz_get32(p) : (int64_t)frz_get32(p);
	default:
		return (int64_t)frz_get64(p);
	}
}

unsigned frz_nums_take(const struct frz_numsdef *def, enum frz_abi abi, const void *mem, size_t len,
		       int64_t out[FRZ_NUMS_MAX])
{
	const uint8_t *p = mem;
	unsigned n = 0;

	for (unsigned i = 0; i < def->nfields; i++) {
		const struct frz_member *m = &def->field[i];
		unsigned size = m->size[abi];

		if (size > len)
			break;
		if (frz_member_is_number(m) && size)
			out[n++] = number(p, size, m->is_signed);
		p += size;
		len -= size;
	}
	return n;
}

int64_t frz_arg_value(enum frz_abi abi, enum frz_argkind kind, uint64_t reg)
{
	switch (kind) {
	case FRZ_ARG_INT:
	case FRZ_ARG_FD:
	case FRZ_ARG_DIRFD:
		return (int32_t)reg;
	case FRZ_ARG_UINT:
	case FRZ_ARG_MODE:
	case FRZ_ARG_DEV:
	case FRZ_ARG_ENUM:
	case FRZ_ARG_FLAGS:
	case FRZ_ARG_OFF_LO:
	case FRZ_ARG_OFF_HI:
		return (int64_t)(uint32_t)reg;
	case FRZ_ARG_ID16:
		return (reg & 0xffff) == 0xffff ? -1 : (int64_t)(reg & 0xffff);
	case FRZ_ARG_LONG:
	case FRZ_ARG_OFF:
		return abi == FRZ_ABI_I386 ? (int32_t)reg : (int64_t)reg;
	default:
		return abi == FRZ_ABI_I386 ? (int64_t)(uint32_t)reg : (int64_t)reg;
	}
}

unsigned frz_class_by_name(const char *name)
{
	static const struct {
		const char *name;
		unsigned bits;
	} classes[] = {
		{ "file", FRZ_CL_FILE },       { "desc", FRZ_CL_DESC },
		{ "io", FRZ_CL_IO },	       { "net", FRZ_CL_NET },
		{ "process", FRZ_CL_PROCESS }, { "memory", FRZ_CL_MEMORY },
		{ "other", FRZ_CL_OTHER },     { "all", FRZ_CL_ALL },
	};

	for (size_t i = 0; i < COUNT(classes); i++)
		if (!strcmp(classes[i].name, name))
			return classes[i].bits;
	return 0;
}

const char *frz_abi_name(enum frz_abi abi)
{
	static const char *const names[] = { "x86_64", "i386", "x32", "aarch64" };

	return (unsigned)abi < COUNT(names) ? names[abi] : "unknown";
}
