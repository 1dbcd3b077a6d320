/*
 * files.c - which file is which, and what each fd was.
 *
 * - A row of `files` is a file under a name: path, device, inode. A path that was never
 *   resolved has a row of its own until the first resolution adopts it.
 * - A row of `fds` is one time that an fd was open. It belongs to an fd table; its process
 *   is the one that opened it, or the first that was seen with the table.
 */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "rows_private.h"

static bool grow(void **p, uint32_t *cap, uint32_t want, size_t size)
{
	uint32_t n = *cap ? *cap : 1024;
	void *bigger;

	if (want < *cap)
		return true;
	while (n <= want)
		n *= 2;
	bigger = realloc(*p, n * size);
	if (!bigger)
		return false;
	memset((char *)bigger + *cap * size, 0, (n - *cap) * size);
	*p = bigger;
	*cap = n;
	return true;
}

static void remember_path(struct rows *r, uint32_t path, uint32_t row)
{
	if (!grow((void **)&r->file_by_path, &r->cap_file_by_path, path,
		  sizeof(*r->file_by_path))) {
		r->failed = true;
		return;
	}
	if (r->file_by_path[path] == row)
		return;
	COL(r, files, r->file_by_path[path], latest) = 0;
	COL(r, files, row, latest) = 1;
	r->file_by_path[path] = row;
}

static uint32_t last_of_path(const struct rows *r, uint32_t path)
{
	return path < r->cap_file_by_path ? r->file_by_path[path] : 0;
}

static uint32_t file_row(struct rows *r, uint32_t path, int64_t dev, int64_t ino)
{
	const int64_t key[] = { path, dev, ino };
	uint32_t row = aggregate_find(&r->agg, TABLE_files, key), last = last_of_path(r, path);

	if (!row && last && dev != -1 && PEEK(r, files, last, dev) == -1) {
		if (!aggregate_rekey(&r->agg, TABLE_files, last, key))
			r->failed = true;
		row = last;
	}
	if (!row)
		row = aggregate_get(&r->agg, TABLE_files, key);
	if (!row)
		r->failed = true;
	else if (path)
		remember_path(r, path, row);
	return row;
}

uint32_t files_of_path(struct rows *r, uint32_t path)
{
	uint32_t row;

	if (!path)
		return 0;
	row = last_of_path(r, path);
	return row ? row : file_row(r, path, -1, -1);
}

static void describe_file(struct rows *r, uint32_t row, const struct frz_file *f, bool victim)
{
	int64_t *c = rows_columns(r, TABLE_files, row);
	const char *kind = frz_file_kind(f, frz_dec_string(r->d, f->path));

	if (kind)
		c[files_kind] = rows_text(r, kind);
	if (c[files_victim] && !victim)
		return;
	if (victim)
		c[files_victim] = 1;
	if (f->mask & FRZ_F_MODE)
		c[files_mode] = f->mode;
	if (f->mask & FRZ_F_OWNER) {
		c[files_uid] = f->uid;
		c[files_gid] = f->gid;
	}
	if (f->mask & FRZ_F_NAMES) {
		c[files_owner] = f->owner_name ? rows_dec_string(r, f->owner_name) : NIL;
		c[files_grp] = f->group_name ? rows_dec_string(r, f->group_name) : NIL;
	}
	if (f->mask & FRZ_F_SIZE)
		c[files_size] = (int64_t)f->size;
	if (f->mask & FRZ_F_MTIME) {
		c[files_mtime_s] = f->mtime.sec;
		c[files_mtime_ns] = f->mtime.nsec;
	}
}

static bool is_resolved(const struct frz_file *f)
{
	return (f->mask & (FRZ_F_DEV | FRZ_F_INO)) == (FRZ_F_DEV | FRZ_F_INO);
}

static int64_t dev_of(const struct frz_file *f)
{
	return (int64_t)((uint64_t)f->dev_major << 32 | f->dev_minor);
}

void files_known(struct rows *r, uint32_t number)
{
	const struct frz_file *f = frz_dec_file(r->d, number);
	uint32_t path = f ? rows_dec_string(r, f->path) : 0, row = 0;

	if (f && is_resolved(f))
		row = aggregate_find(&r->agg, TABLE_files,
				     (const int64_t[]){ path, dev_of(f), (int64_t)f->ino });
	else if (path)
		row = last_of_path(r, path);
	if (!row)
		return;
	if (!grow((void **)&r->seg_file, &r->cap_seg_file, number, sizeof(*r->seg_file)))
		r->failed = true;
	else
		r->seg_file[number].row = row;
}

uint32_t files_of(struct rows *r, uint32_t number, bool victim)
{
	const struct frz_file *f = frz_dec_file(r->d, number);
	uint32_t row, path;

	if (!f)
		return 0;
	if (!victim && number < r->cap_seg_file && r->seg_file[number].row)
		return r->seg_file[number].row;
	path = rows_dec_string(r, f->path);
	if (is_resolved(f))
		row = file_row(r, path, dev_of(f), (int64_t)f->ino);
	else if (path)
		row = files_of_path(r, path);
	else
		return 0;
	if (!row)
		return 0;
	describe_file(r, row, f, victim);
	if (!grow((void **)&r->seg_file, &r->cap_seg_file, number, sizeof(*r->seg_file)))
		r->failed = true;
	else
		r->seg_file[number].row = row;
	return row;
}

uint32_t files_under(struct rows *r, uint32_t row, uint32_t path)
{
	uint32_t to;
	int64_t *c, *n;

	if (!path)
		return 0;
	if (!row || PEEK(r, files, row, dev) == -1)
		return files_of_path(r, path);
	to = file_row(r, path, PEEK(r, files, row, dev), PEEK(r, files, row, ino));
	if (!to || to == row)
		return to;
	c = rows_columns(r, TABLE_files, row);
	n = rows_columns(r, TABLE_files, to);
	if (!n[files_victim])
		for (int i = files_kind; i <= files_mtime_ns; i++)
			if (n[i] == NIL)
				n[i] = c[i];
	return to;
}

/* The row that says what this process had to do with this file; 0: no memory. */
static uint32_t file_proc(struct rows *r, uint32_t file, uint32_t proc)
{
	const int64_t key[] = { file, proc };
	uint32_t row = aggregate_find(&r->agg, TABLE_file_procs, key);
	int64_t *p;

	if (row)
		return row;
	row = aggregate_get(&r->agg, TABLE_file_procs, key);
	if (!row) {
		r->failed = true;
		return 0;
	}
	COL(r, files, file, processes)++;
	p = rows_columns(r, TABLE_procs, proc);
	if (p[procs_first_touch] == NIL)
		p[procs_first_touch] = row;
	p[procs_last_touch] = row;
	return row;
}

uint32_t files_touch(struct rows *r, uint32_t file, uint32_t proc, int64_t ts)
{
	struct touch *last =
		&r->last_touch[file % (sizeof(r->last_touch) / sizeof(r->last_touch[0]))];
	int64_t *c;

	if (!file)
		return 0;
	c = rows_columns(r, TABLE_files, file);
	if (c[files_first] == NIL || ts < c[files_first])
		c[files_first] = ts;
	if (c[files_last] == NIL || ts > c[files_last])
		c[files_last] = ts;
	if (proc && (last->file != file || last->proc != proc))
		*last = (struct touch){ file, proc, file_proc(r, file, proc) };
	return proc ? last->row : 0;
}

uint32_t fds_of(struct rows *r, uint64_t instance)
{
	const int64_t key[] = { (int64_t)instance };

	return instance ? aggregate_find(&r->agg, TABLE_fds, key) : 0;
}

/* Unix sockets with a name that is not the connecting side's. */
static bool named(const uint8_t *addr, size_t len) { return addr && len > 2; }

static uint64_t port_key(const struct frz_sock *s)
{
	bool inet = s->family == AF_INET || s->family == AF_INET6;

	return inet && s->local_len >= 4 ?
		       1 + (uint64_t)s->protocol * 65536 + s->local[2] * 256u + s->local[3] :
		       0;
}

/* Of a socket whose listen, connect or accept was not seen: what the kernel says of it now. A
 * TCP connection by a port that something recorded listens on came in; of others it is not
 * known. */
static const char *direction_found(struct rows *r, const struct frz_sock *s)
{
	uint64_t key = port_key(s);

	if (s->type & FRZ_SOCK_LISTENS) {
		if (key && !map_set(&r->listening, key, 1))
			r->failed = true;
		return "listen";
	}
	if ((s->type & 0xf) != SOCK_STREAM || !s->peer_len)
		return NULL;
	if (s->family == AF_UNIX)
		return named(s->peer, s->peer_len)   ? "out" :
		       named(s->local, s->local_len) ? "in" :
						       NULL;
	return key && map_get(&r->listening, key) ? "in" : NULL;
}

static void describe_socket(struct rows *r, uint32_t row, const struct frz_sock *s)
{
	int64_t *c = rows_columns(r, TABLE_fds, row);
	char text[512];
	const char *name;

	c[fds_is_socket] = 1;
	name = frz_family_name(s->family);
	if (!name) {
		snprintf(text, sizeof(text), "%u", s->family);
		name = text;
	}
	c[fds_family] = rows_text(r, name);
	name = frz_socktype_name(s->type & (FRZ_SOCK_LISTENS - 1));
	if (!name) {
		snprintf(text, sizeof(text), "%u", s->type & (FRZ_SOCK_LISTENS - 1));
		name = text;
	}
	c[fds_type] = rows_text(r, name);
	if (s->local_len) {
		frz_sockaddr_text(s->local, s->local_len, text, sizeof(text));
		if (*text)
			c[fds_local] = rows_text(r, text);
	}
	if (s->peer_len) {
		frz_sockaddr_text(s->peer, s->peer_len, text, sizeof(text));
		if (*text)
			peers_connected(r, row, rows_text(r, text));
	}
	name = direction_found(r, s);
	if (name && c[fds_direction] == NIL)
		c[fds_direction] = rows_text(r, name);
}

/* Bound by the next event, when it was not there all along. */
static void is_fresh(struct rows *r, const struct frz_dbind *b, uint32_t row)
{
	if (b->how == FRZ_B_ATTACH || b->how == FRZ_B_INHERIT || b->how == FRZ_B_RESTATE)
		return;
	if (grow((void **)&r->fresh, &r->cap_fresh, r->nfresh, sizeof(*r->fresh)))
		r->fresh[r->nfresh++] = row;
	else
		r->failed = true;
}

/* c: columns of a row of `fds`. proc 0: not known. */
static void own(struct rows *r, int64_t *c, uint32_t proc)
{
	if (!proc)
		return;
	c[fds_proc] = proc;
	c[fds_pid] = PEEK(r, procs, proc, pid);
}

void fds_bind(struct rows *r, const struct frz_dbind *b)
{
	const int64_t key[] = { (int64_t)b->instance };
	const struct frz_file *f = frz_dec_file(r->d, b->file);
	uint32_t row = fds_of(r, b->instance), file = files_of(r, b->file, false);
	bool is_new = !row;
	int64_t *c;

	if (!b->instance)
		return;
	if (is_new) {
		row = aggregate_get(&r->agg, TABLE_fds, key);
		if (!row) {
			r->failed = true;
			return;
		}
	}
	c = rows_columns(r, TABLE_fds, row);
	c[fds_fdtable] = (int64_t)b->table;
	c[fds_fd] = b->fd;
	c[fds_flags] = b->flags >= 0 ? b->flags : NIL;
	if (file)
		c[fds_file] = file;
	if (f && (is_new || c[fds_path] == NIL)) {
		const char *kind = frz_file_kind(f, frz_dec_string(r->d, f->path));

		if (f->path)
			c[fds_path] = rows_dec_string(r, f->path);
		if (kind)
			c[fds_kind] = rows_text(r, kind);
	}
	if (f && (f->mask & FRZ_F_SOCK))
		describe_socket(r, row, &f->sock);
	if (!is_new)
		return;
	c[fds_how] = b->how;
	if (b->parent) {
		uint32_t parent = fds_of(r, b->parent);

		c[fds_parent] = (int64_t)b->parent;
		if (parent && c[fds_direction] == NIL)
			c[fds_direction] = PEEK(r, fds, parent, direction);
	}
	own(r, c, map_get(&r->proc_by_table, b->table));
	if (!grow((void **)&r->next_open, &r->cap_next_open, row, sizeof(*r->next_open))) {
		r->failed = true;
		return;
	}
	r->next_open[row] = map_get(&r->open_by_table, b->table);
	if (!map_set(&r->open_by_table, b->table, row))
		r->failed = true;
	is_fresh(r, b, row);
}

void fds_known(struct rows *r, const struct frz_dbind *b)
{
	uint32_t row = fds_of(r, b->instance);

	if (row && PEEK(r, fds, row, how) == (int64_t)b->how && PEEK(r, fds, row, opened) == NIL)
		is_fresh(r, b, row);
}

void fds_unbind(struct rows *r, const struct frz_dbind *b)
{
	uint32_t row = fds_of(r, b->instance);

	if (row && PEEK(r, fds, row, closed) == NIL)
		COL(r, fds, row, closed) = r->last_ts;
}

void fds_settle(struct rows *r, uint32_t proc, int64_t ts)
{
	for (uint32_t i = 0; i < r->nfresh; i++) {
		int64_t *c = rows_columns(r, TABLE_fds, r->fresh[i]);

		if (c[fds_how] != FRZ_B_FIRST_USE)
			c[fds_opened] = ts;
		/* a table may be shared by processes: this is the one that did it */
		own(r, c, proc);
	}
	r->nfresh = 0;
}

void fds_own_table(struct rows *r, uint64_t table, uint32_t proc)
{
	uint32_t owner = map_get(&r->proc_by_table, table);

	if (!table || (owner && (owner == proc || PEEK(r, procs, owner, gone) == NIL)))
		return;
	if (!map_set(&r->proc_by_table, table, proc))
		r->failed = true;
	for (uint32_t row = map_get(&r->open_by_table, table); row; row = r->next_open[row])
		if (PEEK(r, fds, row, proc) == NIL)
			own(r, rows_columns(r, TABLE_fds, row), proc);
}

void fds_close_table(struct rows *r, uint64_t table)
{
	for (uint32_t row = map_get(&r->open_by_table, table); row; row = r->next_open[row])
		if (PEEK(r, fds, row, closed) == NIL)
			COL(r, fds, row, closed) = r->last_ts;
	if (!map_set(&r->open_by_table, table, 0))
		r->failed = true;
}

bool files_load(struct rows *r)
{
	uint32_t n = aggregate_rows(&r->agg, TABLE_files);

	for (uint32_t row = 1; row <= n; row++)
		if (PEEK(r, files, row, latest))
			remember_path(r, (uint32_t)PEEK(r, files, row, path), row);
	n = aggregate_rows(&r->agg, TABLE_fds);
	for (uint32_t row = 1; row <= n; row++) {
		uint64_t table = (uint64_t)PEEK(r, fds, row, fdtable);

		if (!grow((void **)&r->next_open, &r->cap_next_open, row, sizeof(*r->next_open)))
			return false;
		if (PEEK(r, fds, row, closed) != NIL)
			continue;
		r->next_open[row] = map_get(&r->open_by_table, table);
		if (!map_set(&r->open_by_table, table, row))
			return false;
	}
	return !r->failed;
}
