/*
 * sysent.c - tests of the table of system calls: look-ups both ways, what every row must
 * hold, i386's calls with their arguments in memory, structures by ABI.
 */
#include "sysent.h"

#include <sys/syscall.h>

#include "flags.h"
#include "tap.h"

static const enum frz_abi abis[] = { FRZ_ABI_X86_64, FRZ_ABI_I386, FRZ_ABI_X32, FRZ_ABI_AARCH64 };

static const char *name_of(enum frz_abi abi, uint32_t nr)
{
	const struct frz_sysent *e = frz_sysent(abi, nr);

	return e ? e->name : NULL;
}

static void look_ups(void)
{
	unsigned wrong = 0, found = 0;

	is_str(name_of(FRZ_ABI_X86_64, 0), "read", "x86_64 0");
	is_str(name_of(FRZ_ABI_X86_64, 469), "file_setattr", "x86_64 469");
	is_str(name_of(FRZ_ABI_I386, 5), "open", "i386 5");
	is_str(name_of(FRZ_ABI_I386, 192), "mmap2", "i386 192");
	is_str(name_of(FRZ_ABI_X32, 515), "readv", "x32 515");
	is_str(name_of(FRZ_ABI_AARCH64, 56), "openat", "aarch64 56");
	ok(!frz_sysent(FRZ_ABI_X86_64, 400), "a number in a gap");
	ok(!frz_sysent(FRZ_ABI_X86_64, UINT32_MAX), "a number far beyond");
	ok(!frz_sysent(FRZ_ABI_AARCH64, 245), "aarch64 245, another architecture's");
	ok(!frz_sysent((enum frz_abi)9, 0), "an ABI that is none");
	is_int(frz_sysnum(FRZ_ABI_X86_64, "openat2"), 437, "openat2 by name");
	is_int(frz_sysnum(FRZ_ABI_AARCH64, "open"), -1, "open, which aarch64 has not");
	is_int(frz_sysnum(FRZ_ABI_X86_64, "nonsense"), -1, "nonsense");
	is_int(frz_sysnum((enum frz_abi)9, "read"), -1, "read on an ABI that is none");
#ifdef __x86_64__
	is_int(frz_sysnum(FRZ_ABI_X86_64, "execveat"), SYS_execveat, "execveat as in the headers");
#endif
	for (size_t a = 0; a < 4; a++) {
		for (uint32_t nr = 0; nr < FRZ_NR_MAX; nr++) {
			const struct frz_sysent *e = frz_sysent(abis[a], nr);

			if (!e)
				continue;
			found++;
			/* a row may have a second number for socketcall, never the other way
			 * round */
			wrong += frz_sysnum(abis[a], e->name) != (int)nr;
			wrong += e != &frz_sysents[e->id];
		}
	}
	is_int(wrong, 0, "every number leads to a name that leads back");
	ok(found > 1400, "%u numbers on four ABIs", found);
}

/* Each rule is one that recorder or analyzer relies on. */
static void rows(void)
{
	unsigned no_path = 0, no_fd = 0, one_register = 0, io = 0, counted = 0, strange = 0;

	for (unsigned i = 0; i < frz_sysents_n; i++) {
		const struct frz_sysent *e = &frz_sysents[i];
		bool path = false, fd = false;

		for (unsigned k = 0; k < e->nargs; k++) {
			path |= e->arg[k].kind == FRZ_ARG_PATH;
			fd |= e->arg[k].kind == FRZ_ARG_FD;
		}
		switch (e->effect) {
		case FRZ_FX_UNLINK:
		case FRZ_FX_RENAME:
			no_path += !path;
			break;
		case FRZ_FX_CLOSE:
		case FRZ_FX_DUP:
		case FRZ_FX_FCNTL:
		case FRZ_FX_CONNECT:
		case FRZ_FX_ACCEPT:
		case FRZ_FX_IOCTL:
			no_fd += !fd || e->arg[0].kind != FRZ_ARG_FD;
			break;
		default:
			break;
		}
		if ((e->classes & FRZ_CL_OTHER) && e->classes != FRZ_CL_OTHER)
			strange++;
		if (e->ret == FRZ_RET_SIZE && !(e->classes & FRZ_CL_IO))
			io++;
		counted += e->counted;
		/* one register for a 64-bit offset cannot be on i386 unless it is its `long` */
		if (e == frz_sysent(FRZ_ABI_I386, (uint32_t)frz_sysnum(FRZ_ABI_I386, e->name)))
			for (unsigned k = 0; k < e->nargs; k++)
				one_register += e->arg[k].kind == FRZ_ARG_OFF &&
						strstr(e->name, "64");
	}
	is_int(no_path, 0, "unlink and rename name paths");
	is_int(no_fd, 0, "effects on argument 0 have an fd there");
	is_int(strange, 0, "class other stands alone");
	is_int(io, 0, "what moves bytes is of class io");
	is_int(one_register, 0, "i386: no 64-bit call with an offset in one register");
	ok(counted >= 18, "%u rows whose bytes the kernel counts", counted);
}

static void kinds(void)
{
	const struct frz_sysent *e = frz_sysent(FRZ_ABI_X86_64, 257);
	int64_t arg[6] = { 0 };

	ok(e->arg[0].kind == FRZ_ARG_DIRFD && e->arg[1].kind == FRZ_ARG_PATH &&
		   e->arg[2].kind == FRZ_ARG_FLAGS && e->arg[2].param == FRZ_SET_OPEN &&
		   e->arg[3].kind == FRZ_ARG_MODE,
	   "openat's arguments");
	ok(e->ret == FRZ_RET_FD && e->effect == FRZ_FX_OPEN &&
		   e->classes == (FRZ_CL_FILE | FRZ_CL_DESC),
	   "openat's return, effect, classes");
	e = frz_sysent(FRZ_ABI_X86_64, 40);
	ok(e->write_slot == 0 && e->read_slot == 1 && e->counted,
	   "sendfile moves from 1 to 0, counted");
	e = frz_sysent(FRZ_ABI_X86_64, 275);
	ok(e->read_slot == 0 && e->write_slot == 2 && !e->counted,
	   "splice from 0 to 2, not counted");
	e = frz_sysent(FRZ_ABI_X86_64, 47);
	ok(e->read_slot == 0 && e->write_slot == -1 && !e->counted, "recvmsg reads, not counted");
	e = frz_sysent(FRZ_ABI_I386, 180);
	ok(!strcmp(e->name, "pread64") && e->arg[3].kind == FRZ_ARG_OFF_LO &&
		   e->arg[4].kind == FRZ_ARG_OFF_HI,
	   "i386 pread64 has its offset in two registers");
	e = frz_sysent(FRZ_ABI_X32, 546);
	ok(!strcmp(e->name, "preadv2") && e->arg[4].kind == FRZ_ARG_FLAGS,
	   "x32 preadv2 has its flags in slot 4");
	e = frz_sysent(FRZ_ABI_I386, 120);
	ok(!strcmp(e->arg[3].name, "tls"), "i386 clone has tls in slot 3");
	e = frz_sysent(FRZ_ABI_X86_64, 56);
	ok(!strcmp(e->arg[4].name, "tls"), "x86_64 clone in slot 4");

	e = frz_sysent(FRZ_ABI_X86_64, 72);
	arg[1] = 4;
	ok(frz_argdef(e, 2, arg)->kind == FRZ_ARG_FLAGS, "F_SETFL's argument is flags");
	arg[1] = 6;
	ok(frz_argdef(e, 2, arg)->kind == FRZ_ARG_NUMS_IN, "F_SETLK's a structure");
	arg[1] = 1;
	ok(frz_argdef(e, 2, arg)->kind == FRZ_ARG_NONE, "F_GETFD's nothing");
	arg[1] = 999999;
	ok(frz_argdef(e, 2, arg)->kind == FRZ_ARG_HEX, "an unknown command's is shown in hex");
	arg[1] = 0;
	ok(frz_returns_fd(e, arg), "F_DUPFD returns an fd");
	arg[1] = 1;
	ok(!frz_returns_fd(e, arg), "F_GETFD does not");
	e = frz_sysent(FRZ_ABI_X86_64, 16);
	arg[1] = (int64_t)0xffffffff40049409ull;
	ok(frz_argdef(e, 2, arg)->kind == FRZ_ARG_FD,
	   "FICLONE's is an fd, whatever the upper half holds");
	arg[1] = 0x5441;
	ok(frz_returns_fd(e, arg), "TIOCGPTPEER returns an fd");
	e = frz_sysent(FRZ_ABI_X86_64, 321);
	arg[0] = 5;
	ok(frz_returns_fd(e, arg), "bpf(BPF_PROG_LOAD) returns an fd");
	arg[0] = 1;
	ok(!frz_returns_fd(e, arg), "bpf(BPF_MAP_LOOKUP_ELEM) does not");
	e = frz_sysent(FRZ_ABI_X86_64, 317);
	arg[1] = 8;
	ok(frz_returns_fd(e, arg), "seccomp with NEW_LISTENER returns an fd");
	e = frz_sysent(FRZ_ABI_X86_64, 444);
	arg[2] = 0;
	ok(frz_returns_fd(e, arg), "landlock_create_ruleset returns an fd");
	arg[2] = 1;
	ok(!frz_returns_fd(e, arg), "asked for the version it does not");
	e = frz_sysent(FRZ_ABI_X86_64, 426);
	arg[3] = 1;
	ok(!frz_fd_is_index(e, arg), "io_uring_enter's fd is one");
	arg[3] = 0x11;
	ok(frz_fd_is_index(e, arg), "with ENTER_REGISTERED_RING it is a number");
	e = frz_sysent(FRZ_ABI_X86_64, 427);
	arg[1] = 2;
	ok(!frz_fd_is_index(e, arg), "io_uring_register's fd is one");
	arg[1] = 0x80000002;
	ok(frz_fd_is_index(e, arg), "with USE_REGISTERED_RING it is a number");
	e = frz_sysent(FRZ_ABI_X86_64, 16);
	ok(!frz_fd_is_index(e, arg), "ioctl's fd is one whatever its arguments");
	ok(frz_uring_fd(22) == FRZ_UFD_FILE && frz_uring_fd(18) == FRZ_UFD_DIR &&
		   frz_uring_fd(51) == FRZ_UFD_NONE && frz_uring_fd(250) == FRZ_UFD_FILE,
	   "what the fd of an io_uring operation is");
}

static void in_memory(void)
{
	uint64_t arg[6] = { 5, 0x1000 };
	uint32_t nr = 102;
	unsigned slot = 9;

	is_int(frz_call_number(FRZ_ABI_I386, &nr, arg, &slot), 3,
	       "socketcall(SYS_ACCEPT) has 3 arguments");
	is_int(slot, 1, "at argument 1");
	is_str(name_of(FRZ_ABI_I386, nr), "accept", "and is accept");
	is_int(nr, FRZ_NR_SOCKETCALL + 5, "under a number of its own");
	is_int(frz_sysnum(FRZ_ABI_I386, "accept"), FRZ_NR_SOCKETCALL + 5,
	       "which is all that i386 has for it");
	is_int(frz_sysnum(FRZ_ABI_I386, "accept4"), 364, "accept4 has a plain one");
	for (unsigned call = 1; call <= 20; call++) {
		arg[0] = call;
		nr = 102;
		ok(frz_call_number(FRZ_ABI_I386, &nr, arg, &slot) > 0 &&
			   frz_sysent(FRZ_ABI_I386, nr),
		   "socketcall %u is %s", call, name_of(FRZ_ABI_I386, nr));
	}
	arg[0] = 21;
	nr = 102;
	ok(frz_call_number(FRZ_ABI_I386, &nr, arg, &slot) == 0 && nr == 102,
	   "socketcall 21 is no call");
	nr = 90;
	is_int(frz_call_number(FRZ_ABI_I386, &nr, arg, &slot), 6,
	       "the oldest mmap has 6 arguments");
	ok(slot == 0 && nr == 90, "at argument 0, under its own number");
	nr = 82;
	is_int(frz_call_number(FRZ_ABI_I386, &nr, arg, &slot), 5, "the oldest select has 5");
	nr = 192;
	is_int(frz_call_number(FRZ_ABI_I386, &nr, arg, &slot), 0, "mmap2 has them in registers");
	nr = 90;
	is_int(frz_call_number(FRZ_ABI_X86_64, &nr, arg, &slot), 0, "as has x86_64's 90");
	ok(!frz_sysent(FRZ_ABI_X86_64, FRZ_NR_SOCKETCALL + 5), "x86_64 has no socketcall");
}

static void values(void)
{
	const uint64_t all = UINT64_MAX, m1 = 0xffffffff;

	is_int(frz_arg_value(FRZ_ABI_X86_64, FRZ_ARG_FD, m1), -1, "an fd of -1 in 32 bits");
	is_int(frz_arg_value(FRZ_ABI_X86_64, FRZ_ARG_DIRFD, 0xdeadbeefffffff9cull), -100,
	       "AT_FDCWD with rubbish above");
	is_int(frz_arg_value(FRZ_ABI_I386, FRZ_ARG_OFF, m1), -1, "i386: an offset of -1");
	is_int(frz_arg_value(FRZ_ABI_X32, FRZ_ARG_OFF, m1), 4294967295,
	       "x32: the same bits are 4 GiB - 1");
	is_int(frz_arg_value(FRZ_ABI_X86_64, FRZ_ARG_LONG, all), -1, "a long of -1");
	is_int(frz_arg_value(FRZ_ABI_I386, FRZ_ARG_ULONG, all), 4294967295, "i386: a size");
	is_int(frz_arg_value(FRZ_ABI_X86_64, FRZ_ARG_FLAGS, all), 4294967295, "flags have 32 bits");
	is_int(frz_arg_value(FRZ_ABI_I386, FRZ_ARG_ID16, 0xffff), -1, "a 16-bit uid of -1");
	is_int(frz_arg_value(FRZ_ABI_I386, FRZ_ARG_ID16, 0x1fffe), 65534, "of 65534");
	is_int(frz_arg_value(FRZ_ABI_AARCH64, FRZ_ARG_UINT, all), 4294967295, "an unsigned int");
}

static void structures(void)
{
	const struct frz_numsdef *how = frz_numsdef(FRZ_STRUCT_OPEN_HOW),
				 *lock = frz_numsdef(FRZ_STRUCT_FLOCK);
	const struct frz_numsdef *lock64 = frz_numsdef(FRZ_STRUCT_FLOCK64);
	const struct frz_numsdef *ev = frz_numsdef(FRZ_STRUCT_EPOLL_EVENT);
	int64_t v[FRZ_NUMS_MAX];
	uint8_t mem[64];

	for (unsigned i = 0; i < sizeof(mem); i++)
		mem[i] = (uint8_t)i;
	is_int(frz_nums_size(how, FRZ_ABI_X86_64), 24, "struct open_how has 24 bytes");
	is_int(how->len_slot, 3, "its length is argument 3");
	is_int(frz_nums_take(how, FRZ_ABI_X86_64, mem, 24, v), 3, "and three members");
	ok(v[0] == 0x0706050403020100 && v[2] == 0x1716151413121110, "read in order");
	is_int(frz_nums_take(how, FRZ_ABI_X86_64, mem, 23, v), 2, "23 bytes hold two");
	is_int(frz_nums_take(how, FRZ_ABI_X86_64, mem, 0, v), 0, "none hold none");
	is_int(frz_nums_size(ev, FRZ_ABI_X86_64), 12, "struct epoll_event has 12 bytes on x86_64");
	is_int(frz_nums_size(ev, FRZ_ABI_AARCH64), 16, "16 on aarch64");
	frz_nums_take(ev, FRZ_ABI_AARCH64, mem, 16, v);
	ok(v[0] == 0x03020100 && v[1] == 0x0f0e0d0c0b0a0908, "where its data comes behind a gap");
	is_int(frz_nums_size(lock, FRZ_ABI_X86_64), 24,
	       "struct flock up to its pid: 24 bytes on x86_64");
	is_int(frz_nums_size(lock, FRZ_ABI_I386), 12, "12 on i386");
	is_int(frz_nums_size(lock64, FRZ_ABI_I386), 20, "struct flock64: 20 on i386");
	memset(mem, 0xff, sizeof(mem));
	is_int(frz_nums_take(lock, FRZ_ABI_I386, mem, 12, v), 4, "four members");
	ok(v[0] == -1 && v[2] == -1, "with their signs");
	is_int(frz_nums_size(frz_iocb_def(), FRZ_ABI_X86_64), 48,
	       "struct iocb up to its offset: 48 bytes");
	ok(!frz_numsdef(-1) && !frz_numsdef(30000), "structures that are none");
	is_int(frz_abi_ptr(FRZ_ABI_X32), 4, "x32 pointers have 4 bytes");
}

static void names(void)
{
	is_int(frz_class_by_name("file"), FRZ_CL_FILE, "class file");
	is_int(frz_class_by_name("all"), FRZ_CL_ALL, "class all");
	is_int(frz_class_by_name("files"), 0, "class files is none");
	is_str(frz_abi_name(FRZ_ABI_X32), "x32", "an ABI's name");
	is_str(frz_abi_name((enum frz_abi)7), "unknown", "one that is none");
}

int main(void)
{
	look_ups();
	rows();
	kinds();
	in_memory();
	values();
	structures();
	names();
	return tap_done();
}
