/* uring_private.h - what the parts of uring share: uring.c (rings, what goes in and comes out),
 * uring_op.c (one operation), uring_files.c (a ring's table of registered files). */
#ifndef FREC_URING_PRIVATE_H
#define FREC_URING_PRIVATE_H

#include "uring.h"

#include <sys/socket.h>

#include "capture_private.h"

struct op {
	struct op *next;
	uint64_t user_data, submit_ns;
	pid_t tid;
	uint8_t opcode;
	bool direct;  /* its new fd goes into the ring's own table, not the process's */
	bool quiet;   /* posts no completion when it succeeds */
	bool twin;    /* its user_data was another's, too */
	bool unknown; /* a registered file of which frec does not know which it is */
	int64_t arg[6];
	struct fdent *fd, *fd2; /* references held */
	struct op_text {
		uint8_t *p;
		uint32_t len;
		bool cut, fault;
	} path[2], dir[2];
	uint8_t addr[sizeof(struct sockaddr_storage)];
	uint32_t addr_len, addr_true; /* bytes of it that are here; that the program named */
	struct fileinfo *victim;
	char sign[80];
};

struct ring {
	struct ring *next;
	pid_t pid;
	struct fdent *ent;  /* reference held */
	struct seat *seats; /* by which it is entered without an fd */
	uint32_t sq_entries, cq_entries, flags, features;
	uint32_t sq_head, sq_tail, sq_array, cq_tail, cqes; /* offsets in the rings */
	uint64_t sq_addr, cq_addr, sqe_addr; /* where the target mapped them; 0 not yet */
	uint32_t seen;			     /* completions up to this tail were looked at */
	bool unreadable;		     /* and that was told */
	uint32_t head_at_entry;
	struct op *batch, *pending; /* read at entry; consumed and not completed */
	struct fdent **fixed;	    /* NULL: empty, or not known */
	uint32_t nfixed;
};

/* ---- uring.c ---- */
/* The ring of t's process that ent refers to; NULL: none that is followed. */
struct ring *ring_of(struct capture *c, const struct tracee *t, const struct fdent *ent);

/* ---- uring_op.c ---- */
/* One submission entry, 64 bytes, before the kernel takes it. NULL: no memory. */
struct op *op_decode(struct capture *c, struct tracee *t, struct ring *r, const uint8_t *sqe,
		     uint64_t now_ns);
/* Its record. done: with the result res. t: the submitter or, when that is gone, a thread of its
 * process; NULL: none lives. remark: one more, or NULL. */
void op_put(struct capture *c, struct tracee *t, struct op *o, bool done, int32_t res,
	    const char *remark, uint64_t now_ns);
void op_free(struct op *o);

/* ---- uring_files.c ---- */
/* io_uring_register with one of the opcodes that concern files returned ret. */
void files_registered(struct capture *c, struct tracee *t, struct ring *r, uint32_t opcode,
		      int64_t ret, uint64_t now_ns);
/* What stands there from now on is not known. */
void files_forget(struct ring *r, uint64_t index, uint64_t n);
struct fdent *files_get(const struct ring *r, uint32_t index); /* a new reference, or NULL */
void files_drop(struct ring *r);

#endif
