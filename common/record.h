/*
 * record.h - the records inside a segment: their bytes, an encoder, a decoder.
 *
 *   record  := type:u8 len:varint body:u8[len]
 *
 *   0x01..0x7f  declarations: they name things for the records that follow
 *   0x80..0xbf  events: have a time and a sequence number; a row of the timeline each
 *   0xc0..0xff  notes: have a time but no number
 *
 * - A reader skips a record of unknown type by its length (an unknown type from 0x80
 *   on still consumes one time from the time planes, and an unknown type
 *   0x80..0xbf one sequence number).
 * - Declarations hold until the end of their segment or until declared again.
 *   STRING and FILE are numbered from 1 in the order in which they stand; 0 is "none".
 * - "v" is a varint, "z" a zigzag varint, "s" the number of a STRING.
 * - A time is when the record was made: for a syscall its exit. `dur` is exit minus entry.
 */
#ifndef FRZ_RECORD_H
#define FRZ_RECORD_H

#include "bytes.h"
#include "frz.h"

/* clang-format off */
enum frz_rec {
	/* bytes of the string */
	FRZ_R_STRING     = 0x01,
	/* v true length, 0 if not known; then the bytes kept of a string that was cut */
	FRZ_R_STRING_CUT = 0x02,
	/* v pid, v ppid, v start (clock ticks since boot, proc_pid_stat(5) field 22), v uid,
	 * s comm, s exe. A pid with another start is another process. */
	FRZ_R_PROC       = 0x03,
	/* v tid, v pid, v table (the file table the thread uses), s comm */
	FRZ_R_THREAD     = 0x04,
	/* what an fd or path was found to be: see frz_file. v mask, then the masked parts */
	FRZ_R_FILE       = 0x05,
	/* v table, v fd, v instance, v file, v how, v parent, z flags, z position
	 * From here on `fd` in `table` is `instance`: one per time an fd was open, unique in
	 * the case. parent: instance it was duplicated or inherited from, or 0. flags: open
	 * flags incl. O_CLOEXEC, -1 unknown. position: file offset when met, -1 unknown. */
	FRZ_R_BIND       = 0x06,
	/* v table, v fd: the instance bound there has ended; its time is that of the timed
	 * record before this one */
	FRZ_R_UNBIND     = 0x07,

	/* v tid, v abi + 4 * number, v flags, [z ret unless NO_RETURN], v mask of the arguments
	 * kept (bits 0..5), z each of them, then attachments to the end */
	FRZ_R_SYSCALL    = 0x80,
	/* an operation submitted through io_uring. v tid (submitter), v opcode, v flags as for
	 * SYSCALL, [z res unless NO_RETURN], v mask, z arguments (0 fd, 1 off, 2 addr, 3 len,
	 * 4 op flags, 5 user_data), attachments */
	FRZ_R_URING      = 0x81,

	/* v reason (frz_context), v pid, then v key (frz_ctx_key), v len, bytes, to the end */
	FRZ_R_CONTEXT    = 0xc0,
	/* v tid, v pid, v how (frz_born), v parent tid, v clone flags */
	FRZ_R_THREAD_START = 0xc1,
	/* v tid, v how (frz_gone), v wait status */
	FRZ_R_THREAD_END = 0xc2,
	/* v pid, v how (frz_gone), v wait status */
	FRZ_R_PROC_END   = 0xc3,
	/* v tid, v signo, z si_code, v sender pid, v sender uid: delivered to the thread */
	FRZ_R_SIGNAL     = 0xc4,
	/* v tid, v when (frz_io_when), v rchar, v wchar: /proc/PID/task/TID/io, proc_pid_io(5) */
	FRZ_R_IO         = 0xc5,
	/* v pid, v tid, s what, v count, s detail: not seen, or not for certain */
	FRZ_R_COVERAGE   = 0xc6,
	/* v pid, v tid, s what, v count, v total ns, s detail: done to a target by frec */
	FRZ_R_OBSERVER   = 0xc7,
	/* v events lost, s why */
	FRZ_R_GAP        = 0xc8,
	/* v pid, v file, v address, v length, v prot, v flags, v offset: mapped at attach */
	FRZ_R_MAPPED     = 0xc9,
	/* v tid, v signo: group-stop began; signo 0: it ended */
	FRZ_R_STOPPED    = 0xca,
	/* v file, bytes[32]: SHA-256 of the file's content, made off the target's path */
	FRZ_R_FILE_HASH  = 0xcb,
};

/* Declarations of one kind (strings, files, bindings, threads, processes) in one segment. */
#define FRZ_DECLARED_MAX (1u << 18)

#define FRZ_REC_TIMED(type) ((type) >= 0x80)
#define FRZ_REC_EVENT(type) ((type) >= 0x80 && (type) < 0xc0)

enum frz_abi { FRZ_ABI_X86_64 = 0, FRZ_ABI_I386 = 1, FRZ_ABI_X32 = 2, FRZ_ABI_AARCH64 = 3 };

enum frz_call_flag {
	FRZ_C_NO_RETURN = 1,    /* had not returned when recording ended, or never returns */
	FRZ_C_NO_ENTRY  = 2,    /* was under way at attach: entry time, arguments may be missing */
	FRZ_C_RESTARTS  = 4,    /* returned ERESTART* inside the kernel: will be restarted or
	                         * turned into EINTR */
};

/* attachment := v kind * 8 + slot, v len, value[len]
 * slot: 0..5 the argument it belongs to, 6 the return value, 7 neither. */
enum frz_att {
	FRZ_A_FD     = 1,   /* len 0: the slot's number is an fd, its instance the one bound now;
	                     * else v instance (0: was not open or could not be resolved) */
	FRZ_A_FDNUM  = 2,   /* v fd, v instance: an fd in an array or message (pipe, SCM_RIGHTS) */
	FRZ_A_PATH   = 3,   /* s: the path exactly as the program passed it */
	FRZ_A_DIR    = 4,   /* s: the directory which that (relative) path was relative to; of an
	                     * absolute one the program's root, where that is not "/" */
	FRZ_A_STR    = 5,   /* s: another string: xattr name, file system type, ... */
	FRZ_A_ADDR   = 6,   /* sockaddr as the target laid it out */
	FRZ_A_VICTIM = 7,   /* v file: what stood at the slot's path before the call removed or
	                     * cut it */
	FRZ_A_FILE   = 8,   /* v file: what the slot's path was resolved to by the kernel */
	FRZ_A_DATA   = 9,   /* the first bytes of the slot's buffer (--snap) */
	FRZ_A_LIST   = 10,  /* v s each: argv, ... */
	FRZ_A_NUMS   = 11,  /* z each: the members of a small structure, in the order the syscall
	                     * table gives */
	FRZ_A_CUT    = 12,  /* v true count or size, 0 unknown: the slot's capture was limited */
	FRZ_A_FAULT  = 13,  /* len 0: the slot's memory could not be read */
	FRZ_A_SIGN   = 14,  /* s: a remark, e.g. "anti-debugging: PTRACE_TRACEME" */
};
#define FRZ_SLOT_RET  6
#define FRZ_SLOT_NONE 7

enum frz_bind_how {
	FRZ_B_OPEN = 1,         /* returned or stored by the next event */
	FRZ_B_INHERIT = 2,      /* over fork: first met in the child */
	FRZ_B_ATTACH = 3,       /* was open when frec attached */
	FRZ_B_FIRST_USE = 4,    /* met without its opening having been seen */
	FRZ_B_DUP = 5,          /* dup, dup2, dup3, F_DUPFD by the next event */
	FRZ_B_RECEIVED = 6,     /* SCM_RIGHTS or pidfd_getfd, the next event */
	FRZ_B_RESTATE = 7,      /* same instance as before: new segment, or its file was renamed,
	                         * connected, ... */
	FRZ_B_URING = 8,        /* opened through io_uring */
};

enum frz_context { FRZ_X_ATTACH = 1, FRZ_X_FORK = 2, FRZ_X_EXEC = 3, FRZ_X_LAUNCH = 4 };
enum frz_ctx_key {
	FRZ_CTX_CMDLINE = 1,    /* bytes as in /proc/PID/cmdline: NUL after each argument */
	FRZ_CTX_CWD = 2, FRZ_CTX_ROOT = 3, FRZ_CTX_EXE = 4,
	FRZ_CTX_UIDS = 5,       /* text "real effective saved fs"; likewise GIDS */
	FRZ_CTX_GIDS = 6,
	FRZ_CTX_GROUPS = 7,     /* text, spaces between */
	FRZ_CTX_CAPS = 8,       /* text "CapEff CapPrm CapInh CapBnd CapAmb" in hex */
	FRZ_CTX_USER = 9,       /* name of the real uid on the recorded host */
	FRZ_CTX_LOGINUID = 10, FRZ_CTX_SESSION = 11, FRZ_CTX_TTY = 12,
	FRZ_CTX_CGROUP = 13,
	FRZ_CTX_NS = 14,        /* text "mnt:[4026531841] net:[...] ..." */
	FRZ_CTX_LABEL = 15,     /* security label */
	FRZ_CTX_STARTED = 16,   /* text, CLOCK_REALTIME ns of the process's start */
	FRZ_CTX_ENV = 17,       /* bytes as /proc/PID/environ; only with --env */
	FRZ_CTX_SECCOMP = 18,   /* text, Seccomp: of /proc/PID/status */
	FRZ_CTX_CUT = 19,       /* text, numbers of the keys whose value was cut, spaces between */
};

enum frz_born {
	FRZ_BORN_ATTACH = 1, FRZ_BORN_CLONE = 2, FRZ_BORN_FORK = 3, FRZ_BORN_VFORK = 4,
	FRZ_BORN_LAUNCH = 5,
	FRZ_BORN_EXEC = 6,      /* goes on under the leader's tid after its execve; parent: the
	                         * tid it had */
};
enum frz_gone {
	FRZ_GONE_EXIT = 1,      /* wait status says how */
	FRZ_GONE_EXEC = 2,      /* ended by another thread's execve */
	FRZ_GONE_DETACHED = 3,  /* recording ended, it lives on */
	FRZ_GONE_LOST = 4,      /* vanished without a status */
};
enum frz_io_when {
	FRZ_IO_ATTACH = 1, FRZ_IO_BEFORE_EXEC = 2, FRZ_IO_AFTER_EXEC = 3, FRZ_IO_EXIT = 4,
	FRZ_IO_DETACH = 5,
};

/* The parts of a FILE record, in the order of their mask bits. */
enum frz_file_part {
	FRZ_F_PATH   = 1 << 0,  /* s: readlink of /proc/TID/fd/N, or the path examined */
	FRZ_F_MODE   = 1 << 1,  /* v st_mode with the type bits */
	FRZ_F_OWNER  = 1 << 2,  /* v uid, v gid */
	FRZ_F_DEV    = 1 << 3,  /* v major, v minor */
	FRZ_F_INO    = 1 << 4,  /* v */
	FRZ_F_SIZE   = 1 << 5,  /* v bytes */
	FRZ_F_MTIME  = 1 << 6,  /* z seconds, v nanoseconds; likewise the next two */
	FRZ_F_CTIME  = 1 << 7,
	FRZ_F_BTIME  = 1 << 8,
	FRZ_F_MNT    = 1 << 9,  /* v mount id */
	FRZ_F_NLINK  = 1 << 10, /* v */
	FRZ_F_GONE   = 1 << 11, /* nothing: the kernel calls the path "(deleted)" (removed from
	                         * `path`) */
	FRZ_F_RDEV   = 1 << 12, /* v major, v minor */
	FRZ_F_SOCK   = 1 << 13, /* v family, v type, v protocol, v len, local sockaddr, v len, peer
	                         * sockaddr */
	FRZ_F_COOKIE = 1 << 14, /* v SO_COOKIE */
	FRZ_F_NAMES  = 1 << 15, /* s owner's name, s group's name on the recorded host */
	FRZ_F_ALL    = (1 << 16) - 1,
};
/* clang-format on */

struct frz_time {
	int64_t sec;
	uint32_t nsec;
};

#define FRZ_SOCK_LISTENS 0x100 /* in a socket's type, beside SOCK_*: SO_ACCEPTCONN */

struct frz_sock {
	uint16_t family, type, protocol;
	const uint8_t *local, *peer; /* sockaddr bytes, not owned; NULL when len is 0 */
	uint16_t local_len, peer_len;
};

struct frz_file {
	uint32_t mask; /* FRZ_F_*; parts not in it are 0 */
	uint32_t path; /* string number */
	uint32_t mode, uid, gid, dev_major, dev_minor, rdev_major, rdev_minor, nlink;
	uint32_t owner_name, group_name; /* string numbers */
	uint64_t ino, size, mnt_id, cookie;
	struct frz_time mtime, ctime, btime;
	struct frz_sock sock;
};

struct frz_str {
	const uint8_t *p;
	uint32_t len;
	bool cut;
	uint64_t true_len;
};

/* ---- encode.c: append one record to b. None checks sense; b->full tells of lack of room. ---- */

/* Body into `body`, then this wraps it: type, length, body. */
void frz_enc_record(struct frz_buf *b, enum frz_rec type, const struct frz_buf *body);
void frz_enc_string(struct frz_buf *b, const void *p, size_t len, bool cut, uint64_t true_len);
void frz_enc_file(struct frz_buf *b, const struct frz_file *f);
/* One attachment header; the value's `len` bytes must follow. */
void frz_enc_att(struct frz_buf *body, enum frz_att kind, unsigned slot, size_t len);
/* Attachments whose value is a single varint. */
void frz_enc_att_varint(struct frz_buf *body, enum frz_att kind, unsigned slot, uint64_t v);

/* ---- decode.c ---- */

struct frz_dproc {
	uint32_t pid, ppid, uid, comm, exe;
	uint64_t start;
};
struct frz_dthread {
	uint32_t tid, pid, comm;
	uint64_t table;
};
struct frz_dbind {
	uint64_t table, instance, parent;
	int32_t fd;
	uint32_t file;
	enum frz_bind_how how;
	int64_t flags, position;
};

/* A decoded call (SYSCALL or URING). Pointers reach into the decoder's copy of the records. */
struct frz_call {
	uint32_t tid;
	enum frz_abi abi; /* SYSCALL only */
	uint32_t nr;	  /* syscall number, or io_uring opcode */
	uint32_t flags;	  /* frz_call_flag */
	int64_t ret;	  /* negative errno on failure; 0 when NO_RETURN */
	uint32_t arg_mask;
	int64_t arg[6];
	struct frz_cur atts; /* for frz_att_next, checked whole beforehand */
};

struct frz_attachment {
	enum frz_att kind; /* may be a number that this version does not know */
	unsigned slot;
	struct frz_cur value;
};

/* One record as the decoder hands it out. */
struct frz_record {
	enum frz_rec type;
	uint64_t seq; /* events only, else 0 */
	/* timed only: CLOCK_MONOTONIC when made; entry = mono_ns - dur_ns */
	uint64_t mono_ns;
	uint64_t dur_ns;
	struct frz_cur body;	 /* the raw body, always */
	union {			 /* set by type */
		uint32_t number; /* STRING, STRING_CUT, FILE: its number */
		struct frz_dproc proc;
		struct frz_dthread thread;
		struct frz_dbind bind; /* BIND; UNBIND: the binding that ended */
		struct frz_call call;  /* SYSCALL, URING */
	} u;
};

/* State of decoding one segment: what has been declared so far.
 *
 * Strict: a record's known parts must fill its body exactly (a FILE with unknown mask bits
 * may go on); the number of a STRING or FILE is 0 or that of one declared before; a pid, tid
 * or uid fits 32 bits, an fd 31; everything else is FRZ_E_CORRUPT. A thread, binding or
 * instance need not have been declared: its look-up is then NULL. Numbers of kinds, reasons
 * and ways that are not known pass. Memory grows with what is declared, never with a
 * number that is claimed. */
struct frz_decoder;
struct frz_case_segment; /* casefile.h */

struct frz_decoder *frz_decoder_new(void); /* NULL: no memory */
void frz_decoder_free(struct frz_decoder *d);

/* Starts a segment. raw stays the caller's and must outlive the decoding. s: what its SEGMENT
 * block says; the records must agree with raw_len, events, and the times. Forgets all earlier
 * declarations, and what earlier records pointed to is gone. FRZ_OK, FRZ_E_NOMEM, or
 * FRZ_E_CORRUPT when planes and columns do not fit raw_len and each other. */
enum frz_err frz_decoder_begin(struct frz_decoder *d, const void *raw,
			       const struct frz_case_segment *s);
/* The same state fed with loose records instead of a whole segment (frec -v, the tail):
 * begin_loose forgets declarations; feed decodes the one record at the head of `rec`. */
void frz_decoder_begin_loose(struct frz_decoder *d);
enum frz_err frz_decoder_feed(struct frz_decoder *d, struct frz_cur *rec, uint64_t seq,
			      uint64_t mono_ns, uint64_t dur_ns, struct frz_record *out);
/* Next record: FRZ_OK, FRZ_END (all planes used up exactly, all events that the block says
 * were there), or an error with *why set to one line. Declarations are applied before they
 * are returned, an UNBIND after the record it names was looked up (u.bind.instance is 0 when
 * nothing was bound). The bodies of all known types have been checked, so that reading them
 * in their stated shape cannot fail. */
enum frz_err frz_decoder_next(struct frz_decoder *d, struct frz_record *out, const char **why);

/* Look-ups; pointers are valid until the next begin. NULL or an empty string: not declared. */
struct frz_str frz_dec_string(const struct frz_decoder *d, uint64_t number);
const struct frz_file *frz_dec_file(const struct frz_decoder *d, uint64_t number);
const struct frz_dproc *frz_dec_proc(const struct frz_decoder *d, uint32_t pid);
const struct frz_dthread *frz_dec_thread(const struct frz_decoder *d, uint32_t tid);
const struct frz_dbind *frz_dec_bind(const struct frz_decoder *d, uint64_t table, int32_t fd);
const struct frz_dbind *frz_dec_instance(const struct frz_decoder *d, uint64_t instance);

/* Iterates attachments: true and *a set, or false at the end. */
bool frz_att_next(struct frz_cur *atts, struct frz_attachment *a);
/* Finds the attachment of that kind and slot, false if there is none. */
bool frz_att_find(const struct frz_call *c, enum frz_att kind, unsigned slot,
		  struct frz_attachment *a);
/* The instance behind an FD or FDNUM attachment of call c (follows the binding now in
 * force when it is implied); 0 when there is none. *fd gets the fd number. */
uint64_t frz_att_instance(const struct frz_decoder *d, const struct frz_call *c,
			  const struct frz_attachment *a, int32_t *fd);

#endif
