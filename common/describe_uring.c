/*
 * describe_uring.c - columns and detail of an operation submitted through io_uring.
 */
#include "detail.h"
#include "flags.h"

/* What the submission entry's members mean, by opcode (io_uring_enter(2)). */
enum { MOVES_NONE, READS, WRITES, COPIES };
enum { NO_OFFSET, OFFSET };

struct op {
	uint8_t moves;
	uint8_t offset; /* `off` is a file offset */
	uint8_t fd;	/* enum frz_uring_fd */
	uint8_t flags;	/* set of the operation's flags, + 1; 0 none */
};

/* Argument numbers of a URING record (record.h). */
enum { ARG_FD, ARG_OFF, ARG_ADDR, ARG_LEN, ARG_FLAGS, ARG_USER };

static const struct op ops[] = {
	[0] = { MOVES_NONE, NO_OFFSET, FRZ_UFD_NONE, 0 },		       /* nop */
	[1] = { READS, OFFSET, FRZ_UFD_FILE, FRZ_SET_RWF + 1 },		       /* readv */
	[2] = { WRITES, OFFSET, FRZ_UFD_FILE, FRZ_SET_RWF + 1 },	       /* writev */
	[4] = { READS, OFFSET, FRZ_UFD_FILE, FRZ_SET_RWF + 1 },		       /* read_fixed */
	[5] = { WRITES, OFFSET, FRZ_UFD_FILE, FRZ_SET_RWF + 1 },	       /* write_fixed */
	[7] = { MOVES_NONE, NO_OFFSET, FRZ_UFD_NONE, 0 },		       /* poll_remove */
	[8] = { MOVES_NONE, OFFSET, FRZ_UFD_FILE, FRZ_SET_SYNC_RANGE + 1 },    /* sync_file_range */
	[9] = { WRITES, NO_OFFSET, FRZ_UFD_FILE, FRZ_SET_MSG + 1 },	       /* sendmsg */
	[10] = { READS, NO_OFFSET, FRZ_UFD_FILE, FRZ_SET_MSG + 1 },	       /* recvmsg */
	[11] = { MOVES_NONE, NO_OFFSET, FRZ_UFD_NONE, 0 },		       /* timeout */
	[12] = { MOVES_NONE, NO_OFFSET, FRZ_UFD_NONE, 0 },		       /* timeout_remove */
	[13] = { MOVES_NONE, NO_OFFSET, FRZ_UFD_FILE, FRZ_SET_SOCKFLAGS + 1 }, /* accept */
	[14] = { MOVES_NONE, NO_OFFSET, FRZ_UFD_NONE, 0 },		       /* async_cancel */
	[15] = { MOVES_NONE, NO_OFFSET, FRZ_UFD_NONE, 0 },		       /* link_timeout */
	[17] = { MOVES_NONE, OFFSET, FRZ_UFD_FILE, 0 },			       /* fallocate */
	[18] = { MOVES_NONE, NO_OFFSET, FRZ_UFD_DIR, FRZ_SET_OPEN + 1 },       /* openat */
	[20] = { MOVES_NONE, NO_OFFSET, FRZ_UFD_NONE, 0 },		       /* files_update */
	[21] = { MOVES_NONE, NO_OFFSET, FRZ_UFD_DIR, FRZ_SET_AT + 1 },	       /* statx */
	[22] = { READS, OFFSET, FRZ_UFD_FILE, FRZ_SET_RWF + 1 },	       /* read */
	[23] = { WRITES, OFFSET, FRZ_UFD_FILE, FRZ_SET_RWF + 1 },	       /* write */
	[24] = { MOVES_NONE, OFFSET, FRZ_UFD_FILE, FRZ_SET_FADVISE + 1 },      /* fadvise */
	[25] = { MOVES_NONE, NO_OFFSET, FRZ_UFD_NONE, FRZ_SET_MADVISE + 1 },   /* madvise */
	[26] = { WRITES, NO_OFFSET, FRZ_UFD_FILE, FRZ_SET_MSG + 1 },	       /* send */
	[27] = { READS, NO_OFFSET, FRZ_UFD_FILE, FRZ_SET_MSG + 1 },	       /* recv */
	[28] = { MOVES_NONE, NO_OFFSET, FRZ_UFD_DIR, 0 },		       /* openat2 */
	[30] = { COPIES, OFFSET, FRZ_UFD_FILE, FRZ_SET_SPLICE + 1 },	       /* splice */
	[31] = { MOVES_NONE, NO_OFFSET, FRZ_UFD_NONE, 0 },		       /* provide_buffers */
	[32] = { MOVES_NONE, NO_OFFSET, FRZ_UFD_NONE, 0 },		       /* remove_buffers */
	[33] = { COPIES, NO_OFFSET, FRZ_UFD_FILE, FRZ_SET_SPLICE + 1 },	       /* tee */
	[35] = { MOVES_NONE, NO_OFFSET, FRZ_UFD_DIR, FRZ_SET_RENAME + 1 },     /* renameat */
	[36] = { MOVES_NONE, NO_OFFSET, FRZ_UFD_DIR, FRZ_SET_UNLINK + 1 },     /* unlinkat */
	[37] = { MOVES_NONE, NO_OFFSET, FRZ_UFD_DIR, 0 },		       /* mkdirat */
	[38] = { MOVES_NONE, NO_OFFSET, FRZ_UFD_DIR, 0 },		       /* symlinkat */
	[39] = { MOVES_NONE, NO_OFFSET, FRZ_UFD_DIR, FRZ_SET_AT + 1 },	       /* linkat */
	[41] = { MOVES_NONE, NO_OFFSET, FRZ_UFD_FILE, FRZ_SET_XATTR + 1 },     /* fsetxattr */
	[42] = { MOVES_NONE, NO_OFFSET, FRZ_UFD_NONE, FRZ_SET_XATTR + 1 },     /* setxattr */
	[44] = { MOVES_NONE, NO_OFFSET, FRZ_UFD_NONE, 0 },		       /* getxattr */
	[45] = { MOVES_NONE, NO_OFFSET, FRZ_UFD_NONE, 0 },		       /* socket */
	[47] = { WRITES, NO_OFFSET, FRZ_UFD_FILE, FRZ_SET_MSG + 1 },	       /* send_zc */
	[48] = { WRITES, NO_OFFSET, FRZ_UFD_FILE, FRZ_SET_MSG + 1 },	       /* sendmsg_zc */
	[49] = { READS, OFFSET, FRZ_UFD_FILE, FRZ_SET_RWF + 1 },	       /* read_multishot */
	[50] = { MOVES_NONE, NO_OFFSET, FRZ_UFD_NONE, 0 },		       /* waitid */
	[51] = { MOVES_NONE, NO_OFFSET, FRZ_UFD_NONE, 0 },		       /* futex_wait */
	[52] = { MOVES_NONE, NO_OFFSET, FRZ_UFD_NONE, 0 },		       /* futex_wake */
	[53] = { MOVES_NONE, NO_OFFSET, FRZ_UFD_NONE, 0 },		       /* futex_waitv */
	[58] = { READS, NO_OFFSET, FRZ_UFD_FILE, FRZ_SET_MSG + 1 },	       /* recv_zc */
	[60] = { READS, OFFSET, FRZ_UFD_FILE, FRZ_SET_RWF + 1 },	       /* readv_fixed */
	[61] = { WRITES, OFFSET, FRZ_UFD_FILE, FRZ_SET_RWF + 1 },	       /* writev_fixed */
	[62] = { MOVES_NONE, NO_OFFSET, FRZ_UFD_NONE, 0 },		       /* pipe */
};

static const struct op *op_of(uint32_t opcode)
{
	static const struct op other = { 0 };

	return opcode < sizeof(ops) / sizeof(ops[0]) ? &ops[opcode] : &other;
}

enum frz_uring_fd frz_uring_fd(unsigned opcode) { return (enum frz_uring_fd)op_of(opcode)->fd; }

static uint64_t instance_of(const struct frz_decoder *d, const struct frz_call *c, unsigned slot)
{
	struct frz_attachment a;
	int32_t fd;

	return frz_att_find(c, FRZ_A_FD, slot, &a) ? frz_att_instance(d, c, &a, &fd) : 0;
}

static void columns(const struct frz_decoder *d, const struct frz_call *c, const struct op *op,
		    struct frz_desc *out)
{
	struct frz_attachment a;
	uint64_t in = 0;

	if (op->fd == FRZ_UFD_FILE && (c->arg_mask & 1 << ARG_FD)) {
		out->fd = (int32_t)c->arg[ARG_FD];
		out->instance = instance_of(d, c, ARG_FD);
	} else if (out->returned && c->ret >= 0 && frz_att_find(c, FRZ_A_FD, FRZ_SLOT_RET, &a)) {
		out->fd = (int32_t)c->ret;
		out->instance = instance_of(d, c, FRZ_SLOT_RET);
	}
	if (op->moves != MOVES_NONE && out->returned && c->ret >= 0)
		out->bytes = c->ret;
	if (op->moves == COPIES) { /* splice_fd_in stands in `addr`'s place */
		in = instance_of(d, c, ARG_ADDR);
		out->path2 = frz_path_of_instance(d, in);
	}
	if (out->bytes >= 0) {
		out->read_instance = op->moves == READS ? out->instance : in;
		out->write_instance = op->moves == WRITES || op->moves == COPIES ? out->instance :
										   0;
	}
	out->path = frz_path_of_instance(d, out->instance);
	if (!out->path.len || op->fd != FRZ_UFD_FILE) {
		struct frz_str dir = op->fd == FRZ_UFD_FILE ?
					     (struct frz_str){ 0 } :
					     frz_path_of_instance(d, instance_of(d, c, ARG_FD));
		struct frz_str s =
			frz_path_of_slot(d, c, ARG_ADDR, dir, out->join[0], sizeof(out->join[0]));

		if (!out->path.len)
			out->path = s;
	}
	if (frz_att_find(c, FRZ_A_PATH, ARG_OFF, &a)) /* the second path's address is in `off` */
		out->path2 = frz_path_of_slot(d, c, ARG_OFF, (struct frz_str){ 0 }, out->join[1],
					      sizeof(out->join[1]));
}

void frz_describe_uring(const struct frz_decoder *d, const struct frz_call *c, struct frz_desc *out,
			struct frz_text *t)
{
	const struct op *op = op_of(c->nr);

	columns(d, c, op, out);
	if (c->arg_mask & 1 << ARG_FLAGS) {
		if (op->flags) {
			frz_detail_flags(t, c->abi, op->flags - 1, (uint32_t)c->arg[ARG_FLAGS]);
		} else if (c->arg[ARG_FLAGS]) {
			frz_detail_label(t, "flags");
			frz_text_hex(t, (uint32_t)c->arg[ARG_FLAGS]);
		}
	}
	if (op->offset && (c->arg_mask & 1 << ARG_OFF)) {
		frz_detail_label(t, "offset");
		frz_text_i64(t, c->arg[ARG_OFF]);
	}
	if (op->moves != MOVES_NONE && (c->arg_mask & 1 << ARG_LEN) &&
	    !(out->returned && c->ret == c->arg[ARG_LEN])) {
		frz_detail_label(t, "len");
		frz_text_u64(t, (uint64_t)c->arg[ARG_LEN], 10);
	}
	if ((c->arg_mask & 1 << ARG_USER) && c->arg[ARG_USER]) {
		frz_detail_label(t, "user_data");
		frz_text_hex(t, (uint64_t)c->arg[ARG_USER]);
	}
	frz_detail_addr(c, ARG_ADDR, t);
	frz_detail_fdnums(d, c, ARG_ADDR, t);
	frz_detail_marks(d, c, t);
	frz_detail_passed(d, c, ARG_ADDR, out->path, "name", t);
	frz_detail_passed(d, c, ARG_OFF, out->path2, "name2", t);
}
