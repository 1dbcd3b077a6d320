/*
 * effects.c - what a call did to files: moved bytes, opened, made, renamed, destroyed, ran.
 *
 * What kind a call is comes from its row in the syscall table; io_uring operations count
 * as the plain call of the same name.
 */
#include <fcntl.h>
#include <sys/prctl.h>

#include "rows_private.h"

#define BTIME_BEFORE_NS 20000000 /* file times come from a coarser clock */

/* Calls that are rare, and worth finding again without a walk over all events. */
static const struct {
	const char *name, *mark;
} marks[] = {
	{ "chmod", "mode" },
	{ "fchmod", "mode" },
	{ "fchmodat", "mode" },
	{ "fchmodat2", "mode" },
	{ "chown", "owner" },
	{ "fchown", "owner" },
	{ "lchown", "owner" },
	{ "fchownat", "owner" },
	{ "utime", "times" },
	{ "utimes", "times" },
	{ "utimensat", "times" },
	{ "futimesat", "times" },
	{ "setxattr", "xattr" },
	{ "lsetxattr", "xattr" },
	{ "fsetxattr", "xattr" },
	{ "removexattr", "xattr" },
	{ "lremovexattr", "xattr" },
	{ "fremovexattr", "xattr" },
	{ "setxattrat", "xattr" },
	{ "removexattrat", "xattr" },
	{ "link", "link" },
	{ "linkat", "link" },
	{ "symlink", "link" },
	{ "symlinkat", "link" },
	{ "mount", "mount" },
	{ "umount2", "mount" },
	{ "pivot_root", "mount" },
	{ "move_mount", "mount" },
	{ "fsmount", "mount" },
	{ "open_tree", "mount" },
	{ "mount_setattr", "mount" },
	{ "chroot", "mount" },
	{ "setns", "namespace" },
	{ "unshare", "namespace" },
	{ "init_module", "kernel" },
	{ "finit_module", "kernel" },
	{ "delete_module", "kernel" },
	{ "kexec_load", "kernel" },
	{ "kexec_file_load", "kernel" },
	{ "bpf", "kernel" },
	{ "memfd_create", "memory" },
	{ "memfd_secret", "memory" },
	{ "process_vm_readv", "memory" },
	{ "process_vm_writev", "memory" },
	{ "pidfd_getfd", "memory" },
	{ "userfaultfd", "memory" },
};

static const struct {
	const char *name;
	bool second;
} makers[] = {
	{ "mkdir", false }, { "mkdirat", false }, { "mknod", false },	{ "mknodat", false },
	{ "link", true },   { "linkat", true },	  { "symlink", false }, { "symlinkat", false },
};

static void learn_call(struct call_info *ci, const struct frz_sysent *ent)
{
	ci->known = true;
	ci->flags_slot = -1;
	for (unsigned i = 0; i < ent->nargs; i++) {
		if (ent->arg[i].kind == FRZ_ARG_PATH)
			ci->has_path = true;
		if (ent->effect != FRZ_FX_OPEN || ci->flags_slot >= 0)
			continue;
		if (ent->arg[i].kind == FRZ_ARG_FLAGS || ent->arg[i].kind == FRZ_ARG_NUMS_IN) {
			ci->flags_slot = (int8_t)i;
			ci->flags_nums = ent->arg[i].kind == FRZ_ARG_NUMS_IN;
		}
	}
	ci->fixed_flags = !strcmp(ent->name, "creat");
	for (unsigned i = 0; i < sizeof(makers) / sizeof(makers[0]); i++)
		if (!strcmp(ent->name, makers[i].name)) {
			ci->makes_path = !makers[i].second;
			ci->makes_path2 = makers[i].second;
		}
	switch (ent->effect) {
	case FRZ_FX_EXEC:
		ci->mark = "exec";
		break;
	case FRZ_FX_UNLINK:
	case FRZ_FX_TRUNCATE:
		ci->mark = "destroy";
		break;
	case FRZ_FX_RENAME:
		ci->mark = "rename";
		break;
	case FRZ_FX_CRED:
		ci->mark = "credentials";
		break;
	case FRZ_FX_PTRACE:
		ci->mark = "ptrace";
		break;
	default:
		break;
	}
	for (unsigned i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
		if (!strcmp(ent->name, marks[i].name))
			ci->mark = marks[i].mark;
	ci->is_prctl = !strcmp(ent->name, "prctl");
}

const char *effects_mark(const struct frz_call *c, const struct call_info *ci)
{
	if (!ci->is_prctl || !(c->arg_mask & 1))
		return ci->mark;
	switch (c->arg[0]) {
	case PR_CAP_AMBIENT:
		return c->arg_mask & 2 && c->arg[1] == PR_CAP_AMBIENT_IS_SET ? NULL : "credentials";
	case PR_CAPBSET_DROP:
	case PR_SET_KEEPCAPS:
	case PR_SET_NO_NEW_PRIVS:
	case PR_SET_SECUREBITS:
		return "credentials";
	default:
		return NULL;
	}
}

const struct call_info *effects_info(struct rows *r, const struct frz_sysent *ent)
{
	static const struct call_info none = { .flags_slot = -1 };

	if (!ent)
		return &none;
	if (!r->info[ent->id].known)
		learn_call(&r->info[ent->id], ent);
	return &r->info[ent->id];
}

const struct frz_sysent *effects_entry(struct rows *r, const struct frz_record *rec)
{
	unsigned op = rec->u.call.nr;

	if (rec->type == FRZ_R_SYSCALL)
		return r->desc.ent;
	if (op > 255)
		return NULL;
	if (!r->uring_known[op]) {
		const char *name = frz_uring_op_name(op), *dot = name ? strchr(name, '.') : NULL;
		int nr = dot ? frz_sysnum(FRZ_ABI_X86_64, dot + 1) : -1;

		r->uring_known[op] = true;
		r->uring_ent[op] = nr < 0 ? NULL : frz_sysent(FRZ_ABI_X86_64, (uint32_t)nr);
	}
	return r->uring_ent[op];
}

/* The file behind an fd instance; 0: not known. */
uint32_t file_behind(struct rows *r, uint32_t fd_row)
{
	int64_t file = fd_row ? PEEK(r, fds, fd_row, file) : NIL;

	return file == NIL ? 0 : (uint32_t)file;
}

/* What moved, on the fd and on its file. Returns the file. */
uint32_t effects_transfer(struct rows *r, const struct frz_call *call, uint64_t instance,
			  bool write, uint32_t proc, int64_t ts)
{
	uint32_t row = fds_of(r, instance), file = file_behind(r, row), use;
	int64_t *c, *sum;

	if (row) {
		c = rows_columns(r, TABLE_fds, row);
		if (c[fds_is_socket])
			peers_moved(r, row, call, write);
		c[write ? fds_writes : fds_reads]++;
		sum = &c[write ? fds_bytes_written : fds_bytes_read];
		*sum = frz_add(*sum, r->desc.bytes);
	}
	if (file) {
		c = rows_columns(r, TABLE_files, file);
		c[write ? files_writes : files_reads]++;
		sum = &c[write ? files_bytes_written : files_bytes_read];
		*sum = frz_add(*sum, r->desc.bytes);
		if (write && r->desc.bytes > 0 && c[files_first_write] == NIL)
			c[files_first_write] = ts;
		use = files_touch(r, file, proc, ts);
		c = rows_columns(r, TABLE_file_procs, use);
		c[write ? file_procs_writes : file_procs_reads]++;
		sum = &c[write ? file_procs_bytes_written : file_procs_bytes_read];
		*sum = frz_add(*sum, r->desc.bytes);
	}
	return file;
}

static uint64_t slot_instance(struct rows *r, const struct frz_call *c, unsigned slot)
{
	struct frz_attachment a;
	int32_t fd;

	return frz_att_find(c, FRZ_A_FD, slot, &a) ? frz_att_instance(r->d, c, &a, &fd) : 0;
}

static uint64_t open_flags(const struct frz_record *rec, const struct call_info *ci)
{
	const struct frz_call *c = &rec->u.call;
	struct frz_attachment a;

	if (ci->fixed_flags)
		return O_CREAT | O_TRUNC;
	if (rec->type == FRZ_R_URING)
		return c->arg_mask & 1 << 4 ? (uint64_t)c->arg[4] : 0;
	if (ci->flags_slot < 0)
		return 0;
	if (!ci->flags_nums)
		return (uint64_t)c->arg[ci->flags_slot];
	return frz_att_find(c, FRZ_A_NUMS, (unsigned)ci->flags_slot, &a) ?
		       (uint64_t)frz_take_zigzag(&a.value) :
		       0;
}

/* Did this open make the file? O_EXCL says so; otherwise its birth time does. */
static bool made_it(struct rows *r, const struct frz_record *rec, const struct call_info *ci,
		    uint64_t instance, int64_t ts)
{
	uint64_t flags = open_flags(rec, ci);
	const struct frz_dbind *b;
	const struct frz_file *f;
	int64_t born;

	if (!(flags & O_CREAT))
		return false;
	if (flags & O_EXCL)
		return true;
	b = frz_dec_instance(r->d, instance);
	f = b ? frz_dec_file(r->d, b->file) : NULL;
	if (!f || !(f->mask & FRZ_F_BTIME))
		return false;
	born = f->btime.sec * 1000000000 + f->btime.nsec;
	return born >= ts - BTIME_BEFORE_NS && born <= ts + (int64_t)rec->dur_ns;
}

static void victims(struct rows *r, const struct frz_record *rec, const struct frz_sysent *ent,
		    struct live *l, int64_t ts)
{
	struct frz_cur atts = rec->u.call.atts;
	struct frz_attachment a;
	enum victim_how how = ent && ent->effect == FRZ_FX_UNLINK ? VICTIM_UNLINK :
			      ent && ent->effect == FRZ_FX_RENAME ? VICTIM_REPLACED :
								    VICTIM_TRUNCATED;

	while (frz_att_next(&atts, &a)) {
		const struct frz_file *f;
		uint32_t number, row;
		int64_t v[victims_N], *c;

		if (a.kind != FRZ_A_VICTIM)
			continue;
		number = (uint32_t)frz_take_varint(&a.value);
		f = frz_dec_file(r->d, number);
		row = files_of(r, number, true);
		if (!f || !row)
			continue;
		c = rows_columns(r, TABLE_files, row);
		files_touch(r, row, l->proc, ts);
		if (how != VICTIM_TRUNCATED) {
			c[files_deleted]++;
			if (c[files_first_delete] == NIL)
				c[files_first_delete] = ts;
		}
		memcpy(v, (const int64_t[victims_N]){ (int64_t)rec->seq, ts, l->thread, how, row },
		       sizeof(v));
		for (int i = victims_mode; i < victims_N; i++)
			v[i] = NIL;
		if (f->mask & FRZ_F_MODE)
			v[victims_mode] = f->mode;
		v[victims_owner] = c[files_owner];
		v[victims_grp] = c[files_grp];
		if (f->mask & FRZ_F_SIZE)
			v[victims_size] = (int64_t)f->size;
		if (f->mask & FRZ_F_MTIME) {
			v[victims_mtime_s] = f->mtime.sec;
			v[victims_mtime_ns] = f->mtime.nsec;
		}
		if (f->mask & FRZ_F_NLINK)
			v[victims_nlink] = f->nlink;
		if (!aggregate_get(&r->agg, TABLE_victims, v))
			r->failed = true;
		rows_mark(r, ts, rec->seq, "destroy");
	}
}

/* The row of what the kernel resolved a path argument to; else of the path as it stands. */
static uint32_t resolved(struct rows *r, const struct frz_call *c, uint32_t path)
{
	struct frz_cur atts = c->atts;
	struct frz_attachment a;

	while (frz_att_next(&atts, &a))
		if (a.kind == FRZ_A_FILE) {
			uint32_t row = files_of(r, (uint32_t)frz_take_varint(&a.value), false);

			if (row)
				return row;
		}
	return files_of_path(r, path);
}

/* By a name of its own now: as good as written. */
static void put_there(struct rows *r, uint32_t file, int64_t ts)
{
	if (file && PEEK(r, files, file, first_write) == NIL)
		COL(r, files, file, first_write) = ts;
}

static void renamed(struct rows *r, const struct frz_record *rec, uint32_t path, uint32_t path2,
		    uint32_t proc, int64_t ts)
{
	uint32_t from = resolved(r, &rec->u.call, path), to;

	/* a FILE taken after the call names the new place: what is meant is the old */
	if (from && path && PEEK(r, files, from, path) != path) {
		uint32_t was = files_under(r, from, path);

		from = was ? was : from;
	}
	if (from) {
		COL(r, files, from, renamed)++;
		files_touch(r, from, proc, ts);
	}
	to = files_under(r, from, path2);
	put_there(r, to, ts);
	files_touch(r, to, proc, ts);
}

/* What a call that worked did to files beyond moving bytes. */
void effects_of(struct rows *r, const struct frz_record *rec, const struct frz_sysent *ent,
		const struct call_info *ci, struct live *l, uint32_t path, uint32_t path2,
		int64_t ts)
{
	const struct frz_call *c = &rec->u.call;
	uint64_t instance;
	uint32_t row, file;

	if (path && ent && ent->effect == FRZ_FX_UNLINK && !r->desc.err) {
		struct frz_attachment a;
		bool told = false;

		for (unsigned s = 0; s <= FRZ_SLOT_NONE && !told; s++)
			told = frz_att_find(c, FRZ_A_VICTIM, s, &a);
		if (!told) {
			row = files_of_path(r, path);
			COL(r, files, row, deleted)++;
			if (row && PEEK(r, files, row, first_delete) == NIL)
				COL(r, files, row, first_delete) = ts;
			files_touch(r, row, l->proc, ts);
		}
	}
	victims(r, rec, ent, l, ts);
	if (!ent)
		return;
	switch (ent->effect) {
	case FRZ_FX_OPEN:
		instance = slot_instance(r, c, FRZ_SLOT_RET);
		file = file_behind(r, fds_of(r, instance));
		if (!file)
			file = files_of_path(r, path);
		if (!file)
			break;
		COL(r, files, file, opens)++;
		if (instance && made_it(r, rec, ci, instance, ts))
			COL(r, files, file, created)++;
		files_touch(r, file, l->proc, ts);
		break;
	case FRZ_FX_EXEC:
		file = resolved(r, c, path);
		if (!file)
			break;
		COL(r, files, file, executed)++;
		if (PEEK(r, files, file, first_exec) == NIL)
			COL(r, files, file, first_exec) = ts;
		files_touch(r, file, l->proc, ts);
		break;
	case FRZ_FX_RENAME:
		renamed(r, rec, path, path2, l->proc, ts);
		break;
	case FRZ_FX_MMAP:
		file = file_behind(r, fds_of(r, r->desc.instance));
		if (file) {
			COL(r, files, file, mapped)++;
			files_touch(r, file, l->proc, ts);
		}
		break;
	case FRZ_FX_ACCEPT:
		row = fds_of(r, slot_instance(r, c, FRZ_SLOT_RET));
		if (row)
			COL(r, fds, row, direction) = rows_text(r, "in");
		break;
	case FRZ_FX_CONNECT:
		row = fds_of(r, r->desc.instance);
		if (!row)
			break;
		if (!strcmp(ent->name, "connect"))
			COL(r, fds, row, direction) = rows_text(r, "out");
		else if (!strcmp(ent->name, "listen"))
			COL(r, fds, row, direction) = rows_text(r, "listen");
		break;
	case FRZ_FX_UNLINK:
		break;
	default:
		if (ci->makes_path || ci->makes_path2) {
			file = ci->makes_path ? files_of_path(r, path) :
						files_under(r, resolved(r, c, path), path2);
			if (ci->makes_path2)
				put_there(r, file, ts);
			COL(r, files, file, created)++;
			files_touch(r, file, l->proc, ts);
		}
		if (ci->has_path)
			files_touch(r, ci->makes_path ? 0 : resolved(r, c, path), l->proc, ts);
		else if (r->desc.instance && r->desc.bytes < 0)
			files_touch(r, file_behind(r, fds_of(r, r->desc.instance)), l->proc, ts);
		break;
	}
}
