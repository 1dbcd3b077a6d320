/*
 * sysent.h - what is known of each system call. Made from common/syscalls.tab, flags.tab and
 * structs.tab, whose heads explain them; recorder, analyzer, seccomp filter, SQL and docs all
 * use this.
 */
#ifndef FRZ_SYSENT_H
#define FRZ_SYSENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "record.h"

/* clang-format off */

/* Classes for -e. Everything but OTHER is recorded by default. */
enum frz_class {
	FRZ_CL_FILE    = 1 << 0,    /* takes a path, or changes a file's metadata */
	FRZ_CL_DESC    = 1 << 1,    /* makes, ends, duplicates, positions, polls or passes an fd */
	FRZ_CL_IO      = 1 << 2,    /* moves bytes through an fd */
	FRZ_CL_NET     = 1 << 3,
	FRZ_CL_PROCESS = 1 << 4,    /* creates, ends, signals or changes a process or its
				     * credentials; changes the running system (modules, clock,
				     * host name) */
	FRZ_CL_MEMORY  = 1 << 5,    /* maps */
	FRZ_CL_OTHER   = 1 << 6,    /* in the table, outside the purpose: time, signals,
				     * scheduling, futexes */
};
#define FRZ_CL_DEFAULT (FRZ_CL_OTHER - 1)
#define FRZ_CL_ALL     (2 * FRZ_CL_OTHER - 1)

/* How the recorder takes an argument (and how describe.c shows it). "param" is given in
 * parentheses in the table: another argument's slot, or the name of a flag set. */
enum frz_argkind {
	FRZ_ARG_NONE = 0,     /* not kept (buffers' addresses and the like) */
	FRZ_ARG_INT,          /* C int, sign-extended from 32 bits */
	FRZ_ARG_UINT,         /* unsigned int */
	FRZ_ARG_LONG,         /* one whole register, signed: 32 bits on i386, else 64 */
	FRZ_ARG_ULONG,        /* the same, unsigned: sizes and counts; shown in decimal */
	FRZ_ARG_LEN,          /* ULONG, length of a buffer: need only be kept when the call does not
			       * return exactly this number */
	FRZ_ARG_HEX,          /* ULONG, shown in hex: addresses, masks */
	FRZ_ARG_OFF,          /* LONG, an offset in a file */
	FRZ_ARG_OFF_LO, FRZ_ARG_OFF_HI, /* i386: an offset in two registers next to each other; HI
			       * comes first in _llseek alone. Each kept as 32 unsigned bits */
	FRZ_ARG_PGOFF,        /* ULONG, an offset in units of 4096 bytes (mmap2) */
	FRZ_ARG_FD,           /* may be -1 or not open */
	FRZ_ARG_DIRFD,        /* the directory for the path argument right behind it; AT_FDCWD
			       * (-100) */
	FRZ_ARG_PATH,         /* NUL-terminated path; relative to the DIRFD before it, else to the
			       * cwd. NULL or "" with a DIRFD: that fd's own file */
	FRZ_ARG_STR,          /* another NUL-terminated string; may be NULL */
	FRZ_ARG_STRV,         /* NULL-terminated vector of strings; frz_abi_ptr() bytes a pointer */
	FRZ_ARG_BUF_IN,       /* read by the kernel; param: slot of the length */
	FRZ_ARG_BUF_OUT,      /* written by the kernel; its length is what was returned; param
			       * alike */
	/* pointers and sizes in these have frz_abi_ptr() bytes too */
	FRZ_ARG_IOV_IN, FRZ_ARG_IOV_OUT,    /* struct iovec[]; param: slot of the count */
	FRZ_ARG_MSG_IN, FRZ_ARG_MSG_OUT,    /* struct msghdr */
	/* struct mmsghdr[]; param: slot of the count. The call returns a count of messages: their
	 * msg_len, as many as returned, are kept as NUMS of this slot, and add up to the bytes. */
	FRZ_ARG_MMSG_IN, FRZ_ARG_MMSG_OUT,
	FRZ_ARG_ADDR_IN,      /* sockaddr; param: slot of its length */
	FRZ_ARG_ADDR_OUT,     /* sockaddr; param: slot of the pointer to its length */
	FRZ_ARG_FD2_OUT,      /* int[2] stored by the kernel */
	FRZ_ARG_FLAGS,        /* param: flag set, shown symbolically */
	FRZ_ARG_ENUM,         /* param: set of names for single values */
	FRZ_ARG_MODE,         /* permission bits (and type bits: mknod), shown in octal */
	FRZ_ARG_DEV,          /* dev_t as the kernel takes it, shown major:minor */
	FRZ_ARG_ID16,         /* i386: 16-bit uid or gid, 65535 is -1 */
	FRZ_ARG_NUMS_IN,      /* small structure read at entry; param: for frz_numsdef() */
	FRZ_ARG_NUMS_OUT,     /* the same, read at exit when the call succeeded */
	FRZ_ARG_NUMS_INOUT,   /* read at entry, and again at exit when the call returned
			       * more than 0 */
	FRZ_ARG_FDSET,        /* fd_set as select(2) was given it; param: slot of nfds. NUMS: the
			       * fds in it */
	FRZ_ARG_HANDLE_IN, FRZ_ARG_HANDLE_OUT,  /* struct file_handle. DATA: its bytes, whole */
	FRZ_ARG_IOCBS,        /* io_submit: vector of pointers to struct iocb (frz_iocb_def()),
			       * param: slot of the count. NUMS: the members of each in turn */
	FRZ_ARG_BYCMD,        /* depends on the command in slot param: ask frz_argdef() */
};

enum frz_retkind {
	FRZ_RET_INT = 0,    /* a number, 0 mostly */
	FRZ_RET_FD,         /* a new fd */
	FRZ_RET_SIZE,       /* bytes moved */
	FRZ_RET_SENT,       /* 0; then as many bytes moved as the LEN argument says */
	FRZ_RET_PID,
	FRZ_RET_PTR,
	FRZ_RET_NEVER,      /* does not return when it works */
};

/* What a call does beyond its arguments, for the recorder's fd tables and process tree. */
enum frz_effect {
	FRZ_FX_NONE = 0,
	FRZ_FX_CLOSE,       /* arg 0 ends */
	FRZ_FX_DUP,         /* the returned fd (dup, dup2, dup3) duplicates arg 0; an open one
			     * there ends first */
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
	FRZ_FX_CWD,         /* changes the working directory, the root or the mounts seen */
	FRZ_FX_PRCTL, FRZ_FX_PTRACE, FRZ_FX_IOCTL,
	FRZ_FX_MMAP, FRZ_FX_MUNMAP, FRZ_FX_MPROTECT, FRZ_FX_MREMAP,
	FRZ_FX_AFFINITY,    /* looks at or sets where it runs: sched_*affinity, getcpu */
	FRZ_FX_URING_SETUP, FRZ_FX_URING_ENTER, FRZ_FX_URING_REGISTER,
	FRZ_FX_RESTART,     /* restart_syscall */
	FRZ_FX_SECCOMP,     /* may install a filter of the program's own */
	FRZ_FX_MULTI,       /* socketcall: stands for another call (frz_call_number), so it must be
			     * looked at whenever any call that it may stand for is recorded */
};

/* clang-format on */

struct frz_argdef {
	const char *name;
	uint8_t kind;  /* frz_argkind */
	int16_t param; /* slot, flag set (flags.h) or structure (frz_numsdef); -1 none */
};

struct frz_sysent {
	const char *name;
	/* index in the table; the same for all ABIs of one row. A name may have several rows, for
	 * ABIs with another argument layout */
	uint16_t id;
	uint16_t classes; /* frz_class bits */
	uint8_t ret;	  /* frz_retkind */
	uint8_t effect;	  /* frz_effect */
	uint8_t nargs;
	int8_t read_slot; /* fd argument that bytes (the return value) are read from; -1 none */
	/* likewise written to; the same as read_slot (vmsplice): which of the two depends on how
	 * the fd was opened */
	int8_t write_slot;
	bool counted; /* the kernel counts these bytes in rchar / wchar (proc_pid_io(5)) */
	struct frz_argdef arg[6];
};

extern const struct frz_sysent frz_sysents[];
extern const unsigned frz_sysents_n;

/* i386: numbers from here on stand for socketcall(2) calls: FRZ_NR_SOCKETCALL + call. The
 * kernel never uses them; frz_call_number() makes them, and records hold them. */
#define FRZ_NR_SOCKETCALL 0x8000u
/* Every number that a kernel answers to is below this. */
#define FRZ_NR_MAX 1024u

/* What marks an x32 call in the number's register; asm/unistd.h. */
#define FRZ_X32_BIT 0x40000000u
/* The ABI that frec itself is built for. */
#if defined(__x86_64__)
#define FRZ_ABI_OWN FRZ_ABI_X86_64
#else
#define FRZ_ABI_OWN FRZ_ABI_AARCH64
#endif

/* NULL when the table has no such number. x32 numbers come without bit 30. */
const struct frz_sysent *frz_sysent(enum frz_abi abi, uint32_t nr);
/* Number of the named call on an ABI, -1 if it has none there; FRZ_NR_SOCKETCALL and up when
 * it can only be made through socketcall(2). */
int frz_sysnum(enum frz_abi abi, const char *name);
/* Some i386 calls pass their arguments as an array of 32-bit words in memory: socketcall(2),
 * the oldest mmap(2) and select(2). Returns how many words to read, 0: arguments are in the
 * registers. *slot: the register argument that points at them. *nr becomes the number to
 * record; where the array cannot be read, record the call as it came. */
unsigned frz_call_number(enum frz_abi abi, uint32_t *nr, const uint64_t arg[6], unsigned *slot);
/* What argument `slot` is, BYCMD resolved by the arguments given. Never NULL for slot < nargs. */
const struct frz_argdef *frz_argdef(const struct frz_sysent *e, unsigned slot,
				    const int64_t arg[6]);
/* Whether a call that succeeded with these arguments returned a new fd: more than
 * FRZ_RET_FD, as fcntl, bpf, seccomp and ioctl may do so too. */
bool frz_returns_fd(const struct frz_sysent *e, const int64_t arg[6]);

#define FRZ_NUMS_MAX   12 /* members of one structure */
#define FRZ_NUMS_ELEMS 64 /* structures of an array that are kept; more: FRZ_A_CUT */
#define FRZ_COUNT_RET  (-2)

struct frz_member {
	const char *name; /* NULL: padding */
	uint8_t size[4];  /* bytes, by enum frz_abi; 0: not there */
	bool is_signed;
	bool out; /* the kernel's to write: 0 until the call succeeded */
	/* how it is shown: LONG ULONG HEX MODE FD FLAGS ENUM; no number but the text of a STR
	 * attachment: STR (it points there), BUF_IN (it begins there) */
	uint8_t kind;
	int16_t param; /* flag set */
};

struct frz_numsdef {
	const char *name;
	int8_t len_slot;   /* argument with the length of the caller's structure; -1 none */
	int8_t count_slot; /* argument with the number of them; FRZ_COUNT_RET; -1: one */
	uint8_t nfields;   /* entries of field[], padding included */
	uint8_t nmembers;  /* without padding and text: what a NUMS attachment has per structure */
	const struct frz_member *field;
};

/* A member that stands in a NUMS attachment, where the ABI has it. */
static inline bool frz_member_is_number(const struct frz_member *m)
{
	return m->name && m->kind != FRZ_ARG_STR && m->kind != FRZ_ARG_BUF_IN;
}
/* The member that is text, its place in *at; NULL: there is none. */
const struct frz_member *frz_nums_text(const struct frz_numsdef *def, enum frz_abi abi, size_t *at);

/* The structure of a NUMS_IN, NUMS_OUT or NUMS_INOUT argument, NULL when param is none. */
const struct frz_numsdef *frz_numsdef(int param);
const struct frz_numsdef *frz_iocb_def(void);
/* Bytes of one structure in memory. */
size_t frz_nums_size(const struct frz_numsdef *def, enum frz_abi abi);
/* Takes the members of one structure out of `len` bytes of it; members that do not lie
 * wholly within them are left out, and so are all behind. Returns their number. */
unsigned frz_nums_take(const struct frz_numsdef *def, enum frz_abi abi, const void *mem, size_t len,
		       int64_t out[FRZ_NUMS_MAX]);

/* Bytes of a pointer, and of size_t, in structures of an ABI: 4 on i386 and x32. */
static inline unsigned frz_abi_ptr(enum frz_abi abi)
{
	return abi == FRZ_ABI_I386 || abi == FRZ_ABI_X32 ? 4 : 8;
}

/* A register's value as an argument of that kind has it: cut to its width on the ABI, with
 * its sign. kind is never BYCMD. */
int64_t frz_arg_value(enum frz_abi abi, enum frz_argkind kind, uint64_t reg);

/* Class bits of "file", "desc", ... or "all"; 0: no such class. */
unsigned frz_class_by_name(const char *name);
const char *frz_abi_name(enum frz_abi abi); /* "x86_64", "i386", "x32", "aarch64" */
const char *frz_errno_name(int err);	    /* "ENOENT"; NULL if it has none */
/* The fd of io_uring_enter or io_uring_register is the thread's number of a registered ring. */
bool frz_fd_is_index(const struct frz_sysent *e, const int64_t arg[6]);
/* What the fd of an operation submitted through io_uring is: a file, the directory of its path,
 * or nothing at all. Of an opcode that is not known: a file. */
enum frz_uring_fd { FRZ_UFD_FILE, FRZ_UFD_DIR, FRZ_UFD_NONE };
enum frz_uring_fd frz_uring_fd(unsigned opcode); /* describe_uring.c */
const char *frz_uring_op_name(unsigned opcode);	 /* "io_uring.read"; NULL if not known */

#endif
