/*
 * sysent.h - what is known of each system call. Made from common/syscalls.tab, whose head
 * explains its columns; recorder, analyzer, seccomp filter, SQL and docs all use this.
 */
#ifndef FRZ_SYSENT_H
#define FRZ_SYSENT_H

#include <stdbool.h>
#include <stdint.h>

#include "record.h"

/* Classes for -e. Everything but OTHER is recorded by default. */
enum frz_class {
	FRZ_CL_FILE    = 1 << 0,    /* takes a path, or changes a file's metadata */
	FRZ_CL_DESC    = 1 << 1,    /* makes, ends, duplicates, positions, polls or passes an fd */
	FRZ_CL_IO      = 1 << 2,    /* moves bytes through an fd */
	FRZ_CL_NET     = 1 << 3,
	FRZ_CL_PROCESS = 1 << 4,    /* creates, ends, replaces or changes a process or its credentials */
	FRZ_CL_MEMORY  = 1 << 5,    /* maps */
	FRZ_CL_OTHER   = 1 << 6,    /* in the table, outside the purpose: time, signals, scheduling, futexes */
};
#define FRZ_CL_DEFAULT (FRZ_CL_OTHER - 1)
#define FRZ_CL_ALL     (2 * FRZ_CL_OTHER - 1)

/* How the recorder takes an argument (and how describe.c shows it). "param" is given in
 * parentheses in the table: another argument's slot, or the name of a flag set. */
enum frz_argkind {
	FRZ_ARG_NONE = 0,     /* not kept (buffers' addresses and the like) */
	FRZ_ARG_INT,          /* C int, sign-extended from 32 bits */
	FRZ_ARG_UINT,         /* unsigned int */
	FRZ_ARG_LONG,         /* the ABI's long, signed */
	FRZ_ARG_ULONG,        /* the ABI's unsigned long or size_t; shown in decimal */
	FRZ_ARG_HEX,          /* the same, shown in hex: addresses, masks */
	FRZ_ARG_OFF,          /* 64-bit signed offset in one register */
	FRZ_ARG_OFF_LO, FRZ_ARG_OFF_HI, /* i386 and friends: two registers; LO comes first */
	FRZ_ARG_FD,
	FRZ_ARG_DIRFD,        /* the directory for the path argument right behind it */
	FRZ_ARG_PATH,         /* NUL-terminated path; relative to the DIRFD before it, else to the cwd */
	FRZ_ARG_STR,          /* another NUL-terminated string */
	FRZ_ARG_STRV,         /* NULL-terminated vector of strings */
	FRZ_ARG_BUF_IN,       /* read by the kernel; param: slot of the length */
	FRZ_ARG_BUF_OUT,      /* written by the kernel; length is what was returned */
	FRZ_ARG_IOV_IN, FRZ_ARG_IOV_OUT,    /* struct iovec[]; param: slot of the count */
	FRZ_ARG_MSG_IN, FRZ_ARG_MSG_OUT,    /* struct msghdr */
	FRZ_ARG_MMSG_IN, FRZ_ARG_MMSG_OUT,  /* struct mmsghdr[]; param: slot of the count */
	FRZ_ARG_ADDR_IN,      /* sockaddr; param: slot of its length */
	FRZ_ARG_ADDR_OUT,     /* sockaddr; param: slot of the pointer to its length */
	FRZ_ARG_FD2_OUT,      /* int[2] stored by the kernel */
	FRZ_ARG_FLAGS,        /* param: flag set, shown symbolically */
	FRZ_ARG_ENUM,         /* param: set of names for single values */
	FRZ_ARG_MODE,         /* permission bits, shown in octal */
	FRZ_ARG_NUMS_IN,      /* small structure read at entry; param: its name in describe.c/capture */
	FRZ_ARG_NUMS_OUT,     /* the same, read at exit */
};

enum frz_retkind {
	FRZ_RET_INT = 0,    /* a number, 0 mostly */
	FRZ_RET_FD,         /* a new fd */
	FRZ_RET_SIZE,       /* bytes moved */
	FRZ_RET_PID,
	FRZ_RET_PTR,
	FRZ_RET_NEVER,      /* does not return when it works */
};

/* What a call does beyond its arguments, for the recorder's fd tables and process tree. */
enum frz_effect {
	FRZ_FX_NONE = 0,
	FRZ_FX_CLOSE,       /* arg 0 ends */
	FRZ_FX_DUP,         /* the returned fd (dup, dup2, dup3) duplicates arg 0; an open one there ends first */
	FRZ_FX_FCNTL,       /* F_DUPFD*, F_SETFD, F_SETFL */
	FRZ_FX_CLOSE_RANGE,
	FRZ_FX_PAIR,        /* two new fds in the FD2_OUT argument */
	FRZ_FX_ACCEPT,      /* the returned fd is a connection */
	FRZ_FX_CONNECT,     /* arg 0's addresses change: connect, bind, listen */
	FRZ_FX_RECVMSG, FRZ_FX_RECVMMSG,    /* may receive fds */
	FRZ_FX_PIDFD_GETFD,
	FRZ_FX_CLONE,       /* fork, vfork, clone, clone3 */
	FRZ_FX_EXEC, FRZ_FX_EXIT,
	FRZ_FX_UNSHARE,     /* may split the file table */
	FRZ_FX_UNLINK,      /* the last PATH argument's file loses this name */
	FRZ_FX_RENAME,      /* an existing file at the last PATH argument is replaced */
	FRZ_FX_TRUNCATE,    /* the PATH or FD argument's file is cut */
	FRZ_FX_OPEN,        /* may carry O_TRUNC, O_CREAT */
	FRZ_FX_CRED,        /* changes credentials */
	FRZ_FX_PRCTL, FRZ_FX_PTRACE, FRZ_FX_IOCTL,
	FRZ_FX_MMAP, FRZ_FX_MUNMAP, FRZ_FX_MPROTECT,
	FRZ_FX_AFFINITY,    /* looks at or sets where it runs: sched_*affinity, getcpu */
	FRZ_FX_URING_SETUP, FRZ_FX_URING_ENTER, FRZ_FX_URING_REGISTER,
	FRZ_FX_RESTART,     /* restart_syscall */
};

struct frz_argdef {
	const char *name;
	uint8_t kind;       /* frz_argkind */
	int8_t param;       /* slot, or flag set number (flags.h); -1 none */
};

struct frz_sysent {
	const char *name;
	uint16_t id;        /* index in the table; the same for all ABIs of one row */
	uint16_t classes;   /* frz_class bits */
	uint8_t ret;        /* frz_retkind */
	uint8_t effect;     /* frz_effect */
	uint8_t nargs;
	int8_t read_slot;   /* fd argument that bytes (the return value) are read from; -1 none */
	int8_t write_slot;  /* likewise written to */
	bool counted;       /* the kernel counts these bytes in rchar / wchar (proc_pid_io(5)) */
	struct frz_argdef arg[6];
};

extern const struct frz_sysent frz_sysents[];
extern const unsigned frz_sysents_n;

/* NULL when the table has no such number. x32 numbers come without bit 30. */
const struct frz_sysent *frz_sysent(enum frz_abi abi, uint32_t nr);
/* Number of the named call on an ABI, -1 if it has none there. */
int frz_sysnum(enum frz_abi abi, const char *name);
/* Class bits of "file", "desc", ... or "all"; 0: no such class. */
unsigned frz_class_by_name(const char *name);
const char *frz_abi_name(enum frz_abi abi);     /* "x86_64", "i386", "x32", "aarch64" */
const char *frz_errno_name(int err);            /* "ENOENT"; NULL if it has none */
const char *frz_uring_op_name(unsigned opcode); /* "io_uring.read"; NULL if not known */

#endif
