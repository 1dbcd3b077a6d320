/*
 * describe.c - the columns of a decoded call: fd, paths, bytes, error (contract in describe.h).
 * The line of detail is detail.c's. No snprintf and no allocation: it runs for every event.
 */
#include "describe.h"

#include "detail.h"
#include "flags.h"

#define ERRNO_MAX 4095 /* a return value from -4095 to -1 is an error on every ABI */

struct fds {
	uint64_t instance[FRZ_SLOT_NONE]; /* by slot, 0 not known */
	bool has_att;			  /* there is more than fds attached */
};

struct frz_str frz_path_of_instance(const struct frz_decoder *d, uint64_t instance)
{
	const struct frz_dbind *bind = instance ? frz_dec_instance(d, instance) : NULL;
	const struct frz_file *file = bind ? frz_dec_file(d, bind->file) : NULL;

	return file ? frz_dec_string(d, file->path) : (struct frz_str){ 0 };
}

static bool string_att(const struct frz_decoder *d, const struct frz_call *c, enum frz_att kind,
		       unsigned slot, struct frz_str *s)
{
	struct frz_attachment a;

	if (!frz_att_find(c, kind, slot, &a))
		return false;
	*s = frz_dec_string(d, frz_take_varint(&a.value));
	return true;
}

/* dir/name in `join`, without the "./" that may lead a name. */
static struct frz_str join_path(struct frz_str dir, struct frz_str name, char *join, size_t cap)
{
	struct frz_text t = frz_text_of(join, cap);
	struct frz_str s = { .cut = dir.cut || name.cut };
	bool known = (!dir.cut || dir.true_len) && (!name.cut || name.true_len);
	uint64_t missing = (dir.true_len > dir.len ? dir.true_len - dir.len : 0) +
			   (name.true_len > name.len ? name.true_len - name.len : 0);

	while (name.len >= 2 && name.p[0] == '.' && name.p[1] == '/') {
		name.p += 2;
		name.len -= 2;
	}
	frz_text_put(&t, dir.p, dir.len);
	if (name.len && !(name.len == 1 && name.p[0] == '.')) {
		if (dir.len && dir.p[dir.len - 1] != '/' && name.p[0] != '/')
			frz_text_char(&t, '/');
		frz_text_put(&t, name.p, name.len);
	}
	s.cut |= t.len > t.cap;
	s.true_len = known ? t.len + missing : 0;
	s.len = (uint32_t)(t.len < t.cap ? t.len : t.cap);
	s.p = (const uint8_t *)join;
	return s;
}

struct frz_str frz_path_of_slot(const struct frz_decoder *d, const struct frz_call *c,
				unsigned slot, struct frz_str dir, char *join, size_t cap)
{
	struct frz_attachment a;
	struct frz_str name, s;
	bool has_dir;

	if (frz_att_find(c, FRZ_A_FILE, slot, &a)) {
		const struct frz_file *file = frz_dec_file(d, frz_take_varint(&a.value));

		s = file ? frz_dec_string(d, file->path) : (struct frz_str){ 0 };
		if (s.len)
			return s;
	}
	if (!string_att(d, c, FRZ_A_PATH, slot, &name))
		return dir;
	if (!name.len)
		return dir;
	has_dir = string_att(d, c, FRZ_A_DIR, slot, &dir);
	if (name.p[0] == '/')
		return has_dir ? join_path(dir, name, join, cap) : name;
	return dir.len ? join_path(dir, name, join, cap) : name;
}

static void take_fds(const struct frz_decoder *d, const struct frz_call *c, struct fds *fds)
{
	struct frz_cur atts = c->atts;
	struct frz_attachment a;
	int32_t fd;

	*fds = (struct fds){ 0 };
	while (frz_att_next(&atts, &a)) {
		if (a.kind == FRZ_A_FD && a.slot < FRZ_SLOT_NONE)
			fds->instance[a.slot] = frz_att_instance(d, c, &a, &fd);
		else
			fds->has_att = true;
	}
}

static bool kept(const struct frz_call *c, unsigned slot) { return c->arg_mask >> slot & 1; }

/* The fd column, the second fd behind it (-1 none): slots, or FRZ_SLOT_RET. */
static void pick_fds(const struct frz_call *c, struct frz_desc *out, bool returned_fd, int *first,
		     int *second)
{
	const struct frz_sysent *e = out->ent;

	*first = *second = -1;
	if (returned_fd && e->effect == FRZ_FX_OPEN)
		*first = FRZ_SLOT_RET;
	for (unsigned i = 0; i < e->nargs && *first < 0 && !frz_fd_is_index(e, c->arg); i++)
		if (e->arg[i].kind == FRZ_ARG_FD && kept(c, i) && c->arg[i] >= 0)
			*first = (int)i;
	if (*first < 0 && returned_fd)
		*first = FRZ_SLOT_RET;
	for (unsigned i = (unsigned)*first + 1; *first >= 0 && i < e->nargs && *second < 0; i++)
		if (e->arg[i].kind == FRZ_ARG_FD && kept(c, i) && c->arg[i] >= 0)
			*second = (int)i;
	if (*second < 0 && *first != FRZ_SLOT_RET && returned_fd && e->effect != FRZ_FX_DUP &&
	    e->effect != FRZ_FX_FCNTL)
		*second = FRZ_SLOT_RET;
	if (*first >= 0)
		out->fd = (int32_t)(*first == FRZ_SLOT_RET ? c->ret : c->arg[*first]);
}

/* Paths of PATH arguments, in order; the text of a symlink's target or a mount's source is the
 * second. True: the call has a PATH argument. */
static bool paths_of_args(const struct frz_decoder *d, const struct frz_call *c,
			  const struct fds *fds, struct frz_desc *out)
{
	const struct frz_sysent *e = out->ent;
	unsigned n = 0;

	for (unsigned i = 0; i < e->nargs; i++) {
		struct frz_str dir = { 0 }, s;

		if (e->arg[i].kind != FRZ_ARG_PATH || n == 2)
			continue;
		if (i && e->arg[i - 1].kind == FRZ_ARG_DIRFD)
			dir = frz_path_of_instance(d, fds->instance[i - 1]);
		s = frz_path_of_slot(d, c, i, dir, out->join[n], sizeof(out->join[n]));
		if (n++)
			out->path2 = s;
		else
			out->path = s;
		/* nothing but the directory's own fd was meant */
		if (n == 1 && out->fd < 0 && dir.p && s.p == dir.p) {
			out->fd = (int32_t)c->arg[i - 1];
			out->instance = fds->instance[i - 1];
		}
	}
	if (n == 1 && e->arg[0].kind == FRZ_ARG_STR)
		string_att(d, c, FRZ_A_STR, 0, &out->path2);
	return n > 0;
}

static int64_t messages_bytes(const struct frz_call *c)
{
	struct frz_attachment a;
	int64_t sum = 0;

	if (c->ret == 0)
		return 0;
	if (!frz_att_find(c, FRZ_A_NUMS, 1, &a))
		return -1;
	while (frz_cur_left(&a.value))
		sum = frz_add(sum, frz_take_zigzag(&a.value));
	return sum;
}

static int64_t sent_length(const struct frz_sysent *e, const struct frz_call *c)
{
	unsigned i = 0;

	while (i < e->nargs && e->arg[i].kind != FRZ_ARG_LEN)
		i++;
	return i < e->nargs ? c->arg[i] : -1;
}

static bool opened_for_reading(const struct frz_decoder *d, uint64_t instance)
{
	const struct frz_dbind *bind = instance ? frz_dec_instance(d, instance) : NULL;

	return bind && bind->flags >= 0 && (bind->flags & 3) == 0;
}

static void transfer(const struct frz_decoder *d, const struct frz_call *c, const struct fds *fds,
		     struct frz_desc *out)
{
	const struct frz_sysent *e = out->ent;
	bool reads = e->read_slot >= 0, writes = e->write_slot >= 0;

	if (!out->returned || c->ret < 0)
		return;
	if (e->ret == FRZ_RET_SIZE)
		out->bytes = c->ret;
	else if (e->ret == FRZ_RET_SENT)
		out->bytes = sent_length(e, c);
	else if (reads || writes)
		out->bytes = messages_bytes(c);
	if (out->bytes < 0)
		return;
	if (reads && writes && e->read_slot == e->write_slot) {
		reads = opened_for_reading(d, fds->instance[e->read_slot]);
		writes = !reads;
	}
	if (reads)
		out->read_instance = fds->instance[e->read_slot];
	if (writes)
		out->write_instance = fds->instance[e->write_slot];
}

static void set_name(struct frz_desc *out, const char *known, const char *prefix, uint32_t nr)
{
	struct frz_text t = frz_text_of(out->name, sizeof(out->name));

	if (known) {
		frz_text_str(&t, known);
	} else {
		frz_text_str(&t, prefix);
		frz_text_u64(&t, nr, 10);
	}
	frz_text_end(&t, sizeof(out->name));
}

static void set_error(struct frz_desc *out, const struct frz_call *c)
{
	out->returned = !(c->flags & FRZ_C_NO_RETURN);
	if (!out->returned || c->ret >= 0 || c->ret < -ERRNO_MAX)
		return;
	out->err = frz_errno_name((int)-c->ret);
	if (!out->err)
		out->err = "E?";
}

static void raw_detail(const struct frz_call *c, struct frz_text *t)
{
	for (unsigned i = 0; i < 6; i++) {
		if (!kept(c, i))
			continue;
		frz_detail_gap(t);
		frz_text_hex(t, (uint64_t)c->arg[i]);
	}
}

/* Marks a detail that did not fit, on a character's boundary. */
static void end_detail(struct frz_desc *out, struct frz_text *t)
{
	size_t at = t->cap - 3;

	if (frz_text_end(t, sizeof(out->detail)) <= t->cap)
		return;
	while (at > 0 && ((uint8_t)out->detail[at] & 0xc0) == 0x80)
		at--;
	memcpy(out->detail + at, "...", 4);
}

static void describe_syscall(const struct frz_decoder *d, const struct frz_call *c,
			     struct frz_desc *out)
{
	const struct frz_sysent *e = frz_sysent(c->abi, c->nr);
	struct frz_text t = frz_text_of(out->detail, sizeof(out->detail));
	struct fds fds;
	bool returned_fd;
	int first, second;

	out->ent = e;
	set_name(out, e ? e->name : NULL, "syscall_", c->nr);
	if (!e) {
		raw_detail(c, &t);
		frz_detail_marks(d, c, &t);
		end_detail(out, &t);
		return;
	}
	take_fds(d, c, &fds);
	returned_fd = out->returned && c->ret >= 0 && frz_returns_fd(e, c->arg) &&
		      /* a ring may have none */
		      (e->effect != FRZ_FX_URING_SETUP || fds.instance[FRZ_SLOT_RET]);
	pick_fds(c, out, returned_fd, &first, &second);
	if (first >= 0)
		out->instance = fds.instance[first];
	if (!fds.has_att || !paths_of_args(d, c, &fds, out)) {
		out->path = frz_path_of_instance(d, out->instance);
		if (second >= 0)
			out->path2 = frz_path_of_instance(d, fds.instance[second]);
	} else if (first == FRZ_SLOT_RET) {
		/* what was opened is what the kernel says it is */
		struct frz_str opened = frz_path_of_instance(d, out->instance);

		if (opened.len)
			out->path = opened;
	}
	transfer(d, c, &fds, out);
	frz_detail(d, c, out, &t);
	end_detail(out, &t);
}

static void describe_uring(const struct frz_decoder *d, const struct frz_call *c,
			   struct frz_desc *out)
{
	struct frz_text t = frz_text_of(out->detail, sizeof(out->detail));

	set_name(out, frz_uring_op_name(c->nr), "io_uring.", c->nr);
	frz_describe_uring(d, c, out, &t);
	end_detail(out, &t);
}

void frz_describe(const struct frz_decoder *d, const struct frz_record *rec, struct frz_desc *out)
{
	const struct frz_call *c = &rec->u.call;

	out->ent = NULL;
	out->fd = -1;
	out->instance = out->read_instance = out->write_instance = 0;
	out->path = out->path2 = (struct frz_str){ 0 };
	out->bytes = -1;
	out->err = NULL;
	out->detail[0] = '\0';
	set_error(out, c);
	if (rec->type == FRZ_R_URING)
		describe_uring(d, c, out);
	else
		describe_syscall(d, c, out);
}
