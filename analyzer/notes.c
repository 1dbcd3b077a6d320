/* notes.c - processes, threads and the ledgers: everything timed that is not an event. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "rows_private.h"

static uint32_t string_or_zero(struct rows *r, uint64_t number)
{
	return number <= UINT32_MAX ? rows_dec_string(r, (uint32_t)number) : 0;
}

static void set_if(int64_t *column, uint32_t string)
{
	if (string)
		*column = string;
}

static uint32_t proc_row(struct rows *r, uint32_t pid, uint64_t start)
{
	const int64_t key[] = { pid, (int64_t)start };
	uint32_t row = map_get(&r->proc_by_pid, pid);

	/* declared at last, after being referred to */
	if (row && start && COL(r, procs, row, start_ticks) == 0) {
		if (!aggregate_rekey(&r->agg, TABLE_procs, row, key))
			r->failed = true;
		return row;
	}
	if (row && (!start || COL(r, procs, row, start_ticks) == (int64_t)start))
		return row;
	row = aggregate_get(&r->agg, TABLE_procs, key);
	if (!row || !map_set(&r->proc_by_pid, pid, row))
		r->failed = true;
	return row;
}

static void declare_proc(struct rows *r, const struct frz_dproc *p)
{
	int64_t *c = rows_columns(r, TABLE_procs, proc_row(r, p->pid, p->start));

	c[procs_ppid] = p->ppid;
	if (c[procs_uid] != NIL && c[procs_uid] != p->uid)
		c[procs_user] = NIL; /* the name was another's */
	c[procs_uid] = p->uid;
	set_if(&c[procs_comm], rows_dec_string(r, p->comm));
	set_if(&c[procs_exe], rows_dec_string(r, p->exe));
}

static void count(struct rows *r, struct map *m, uint64_t key, int by)
{
	if (!map_set(m, key, (uint32_t)((int)map_get(m, key) + by)))
		r->failed = true;
}

/* The thread uses this fd table from now on. The last one that leaves a table closes its
 * fds, unless it only left the recording. */
static void use_table(struct rows *r, struct live *l, uint64_t table, bool closes)
{
	uint64_t old = l->fdtable;

	if (old == table)
		return;
	if (table)
		count(r, &r->table_users, table, 1);
	l->fdtable = table;
	if (l->task && table)
		COL(r, tasks, l->task, fdtable) = (int64_t)table;
	if (!old)
		return;
	count(r, &r->table_users, old, -1);
	if (closes && !map_get(&r->table_users, old))
		fds_close_table(r, old);
}

static void thread_end(struct rows *r, struct live *l, uint64_t how)
{
	int64_t *t;

	if (!l || l->gone || !l->task)
		return;
	l->gone = true;
	t = rows_columns(r, TABLE_tasks, l->task);
	t[tasks_gone] = (int64_t)how;
	t[tasks_ended] = r->last_ts;
	use_table(r, l, 0, how != FRZ_GONE_DETACHED);
	count(r, &r->proc_threads, l->proc, -1);
}

/* The place of this tid; its task is 0 when the tid is new. NULL: no memory. */
static struct live *live_slot(struct rows *r, uint32_t tid)
{
	uint32_t i = map_get(&r->live_by_tid, tid);

	if (i)
		return &r->live[i - 1];
	if (r->nlive == r->cap_live) {
		uint32_t cap = r->cap_live ? r->cap_live * 2 : 64;
		struct live *bigger = realloc(r->live, cap * sizeof(*bigger));

		if (!bigger) {
			r->failed = true;
			return NULL;
		}
		r->live = bigger;
		r->cap_live = cap;
	}
	if (!map_set(&r->live_by_tid, tid, r->nlive + 1)) {
		r->failed = true;
		return NULL;
	}
	r->live[r->nlive] = (struct live){ 0 };
	return &r->live[r->nlive++];
}

static struct live *new_life(struct rows *r, uint32_t tid, uint32_t proc)
{
	int64_t key[3] = { tid, proc, 0 };
	struct live *l = live_slot(r, tid);

	if (!l)
		return NULL;
	if (l->task && !l->gone)
		thread_end(r, l, FRZ_GONE_LOST);
	*l = (struct live){ .proc = proc };
	count(r, &r->proc_threads, proc, 1);
	while (aggregate_find(&r->agg, TABLE_tasks, key))
		key[2]++;
	l->task = aggregate_get(&r->agg, TABLE_tasks, key);
	if (!l->task)
		r->failed = true;
	else if (!r->audit)
		COL(r, tasks, l->task, io_state) = IO_NOT_RECORDED;
	return l;
}

static void name_live(struct rows *r, struct live *l, uint32_t comm)
{
	const int64_t key[] = { l->task, comm };
	int64_t *c;

	if (!l->task)
		return;
	l->thread = aggregate_get(&r->agg, TABLE_threads, key);
	if (!l->thread) {
		r->failed = true;
		return;
	}
	c = rows_columns(r, TABLE_threads, l->thread);
	c[threads_tid] = COL(r, tasks, l->task, tid);
	c[threads_pid] = COL(r, procs, l->proc, pid);
	c[threads_proc] = l->proc;
}

static struct live *find_live(struct rows *r, uint32_t tid)
{
	uint32_t i = map_get(&r->live_by_tid, tid);

	return i ? &r->live[i - 1] : NULL;
}

static void declare_thread(struct rows *r, const struct frz_dthread *t)
{
	uint32_t proc = proc_row(r, t->pid, 0);
	struct live *l = find_live(r, t->tid);

	if (!l || l->gone || l->proc != proc)
		l = new_life(r, t->tid, proc);
	if (!l)
		return;
	use_table(r, l, t->table, true);
	name_live(r, l, rows_dec_string(r, t->comm));
	fds_own_table(r, t->table, proc);
}

struct live *notes_live(struct rows *r, uint32_t tid)
{
	struct live *l = find_live(r, tid);

	if (!l)
		l = new_life(r, tid, proc_row(r, tid, 0));
	else if (l->gone) /* its tid was taken over by another thread's execve */
		l = new_life(r, tid, l->proc);
	if (l && !l->thread)
		name_live(r, l, 0);
	return l;
}

static void thread_start(struct rows *r, struct frz_cur c)
{
	uint32_t tid = (uint32_t)frz_take_varint(&c), pid = (uint32_t)frz_take_varint(&c);
	uint64_t how = frz_take_varint(&c);
	uint32_t proc = proc_row(r, pid, 0);
	struct live *l = find_live(r, tid);
	int64_t *t;

	/* declared just before, or a tid in its next life */
	if (!l || l->gone || l->proc != proc || COL(r, tasks, l->task, born) != NIL)
		l = new_life(r, tid, proc);
	if (!l || !l->task)
		return;
	if (!l->thread)
		name_live(r, l,
			  proc ? (uint32_t)(COL(r, procs, proc, comm) == NIL ?
						    0 :
						    COL(r, procs, proc, comm)) :
				 0);
	t = rows_columns(r, TABLE_tasks, l->task);
	t[tasks_born] = (int64_t)how;
	t[tasks_started] = r->last_ts;
	/* A new thread's counters are 0; a launched one's count what frec's child did before. */
	if (how != FRZ_BORN_ATTACH && how != FRZ_BORN_LAUNCH && t[tasks_io_state] == IO_NO_START)
		t[tasks_io_state] = IO_NO_END;
	if (how != FRZ_BORN_ATTACH && how != FRZ_BORN_CLONE && COL(r, procs, proc, started) == NIL)
		COL(r, procs, proc, started) = r->last_ts;
}

static void proc_end(struct rows *r, struct frz_cur c)
{
	uint32_t pid = (uint32_t)frz_take_varint(&c);
	uint64_t how = frz_take_varint(&c);
	int status = (int)frz_take_varint(&c);
	uint32_t proc = map_get(&r->proc_by_pid, pid);
	int64_t *p;

	if (!proc)
		return;
	for (uint32_t i = 0; i < r->nlive && map_get(&r->proc_threads, proc); i++)
		if (r->live[i].proc == proc)
			thread_end(r, &r->live[i], how);
	p = rows_columns(r, TABLE_procs, proc);
	p[procs_gone] = (int64_t)how;
	if (how == FRZ_GONE_EXIT || how == FRZ_GONE_LOST)
		p[procs_ended] = r->last_ts;
	if (how == FRZ_GONE_EXIT && WIFEXITED(status))
		p[procs_exit_code] = WEXITSTATUS(status);
	if (how == FRZ_GONE_EXIT && WIFSIGNALED(status)) {
		p[procs_exit_signal] = WTERMSIG(status);
		p[procs_core] = WCOREDUMP(status) != 0;
	}
}

static void io_reading(struct rows *r, struct frz_cur c)
{
	struct live *l = notes_live(r, (uint32_t)frz_take_varint(&c));
	uint64_t when = frz_take_varint(&c);
	int64_t rchar = frz_i64(frz_take_varint(&c)), wchar = frz_i64(frz_take_varint(&c));
	int64_t *t;

	if (!l || !l->task)
		return;
	t = rows_columns(r, TABLE_tasks, l->task);
	if (t[tasks_io_state] == IO_NOT_RECORDED)
		return;
	if (when == FRZ_IO_ATTACH || when == FRZ_IO_AFTER_EXEC) {
		t[tasks_base_read] = rchar;
		t[tasks_base_written] = wchar;
		/* What was counted up to an earlier end stays. A start that was not known is made
		 * good by any reading before the first byte was recorded: a launched command's
		 * execve, or a leader's tid taken over by another thread's execve. */
		if (when == FRZ_IO_ATTACH || t[tasks_io_state] != IO_NO_START ||
		    (!t[tasks_recorded_read] && !t[tasks_recorded_written]))
			t[tasks_io_state] = IO_NO_END;
		return;
	}
	if (t[tasks_io_state] == IO_NO_START)
		return;
	t[tasks_kernel_read] = frz_add(t[tasks_kernel_read], rchar - t[tasks_base_read]);
	t[tasks_kernel_written] = frz_add(t[tasks_kernel_written], wchar - t[tasks_base_written]);
	t[tasks_base_read] = rchar;
	t[tasks_base_written] = wchar;
	t[tasks_io_state] = IO_WHOLE;
}

/* NUL-terminated arguments as one line: blanks between them, quotes where they are needed
 * to tell the arguments apart. */
static uint32_t command_line(struct rows *r, const uint8_t *p, size_t n)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "_-./=:,+@%^~";
	char *out;
	size_t o = 0, args = 0;
	uint32_t s;

	while (n && !p[n - 1])
		n--;
	if (!n)
		return 0;
	for (size_t i = 0; i < n; i++)
		args += !p[i];
	if (!args)
		return rows_string(r, (struct frz_str){ .p = p, .len = (uint32_t)n });
	out = malloc(n * 4 + args * 3 + 16);
	if (!out) {
		r->failed = true;
		return 0;
	}
	for (size_t i = 0; i <= n; i++) {
		size_t from = i;
		bool quote;

		while (i < n && p[i])
			i++;
		quote = i == from;
		for (size_t k = from; k < i && !quote; k++)
			quote = !strchr(plain, p[k]);
		if (from)
			out[o++] = ' ';
		if (quote)
			out[o++] = '\'';
		for (size_t k = from; k < i; k++) {
			if (p[k] == '\'') {
				memcpy(out + o, "'\\'", 3);
				o += 3;
			}
			out[o++] = (char)p[k];
		}
		if (quote)
			out[o++] = '\'';
	}
	s = rows_string(r, (struct frz_str){ .p = (const uint8_t *)out, .len = (uint32_t)o });
	free(out);
	return s;
}

static void context(struct rows *r, struct frz_cur c)
{
	uint64_t reason = frz_take_varint(&c);
	uint32_t proc = proc_row(r, (uint32_t)frz_take_varint(&c), 0);
	int64_t *p = rows_columns(r, TABLE_procs, proc);

	while (proc && !c.bad && frz_cur_left(&c)) {
		uint64_t key = frz_take_varint(&c), len = frz_take_varint(&c);
		const uint8_t *v = frz_take(&c, len);
		char number[24];
		uint32_t s;

		if (!v)
			break;
		s = key == FRZ_CTX_CMDLINE ?
			    command_line(r, v, len) :
			    rows_string(r, (struct frz_str){ .p = v, .len = (uint32_t)len });
		if (!s)
			continue;
		if (key == FRZ_CTX_CMDLINE)
			p[procs_cmdline] = s;
		else if (key == FRZ_CTX_CWD)
			p[procs_cwd] = s;
		else if (key == FRZ_CTX_ROOT)
			p[procs_root] = s;
		else if (key == FRZ_CTX_EXE)
			p[procs_exe] = s;
		else if (key == FRZ_CTX_USER)
			p[procs_user] = s;
		else if (key == FRZ_CTX_STARTED && len < sizeof(number)) {
			memcpy(number, v, len);
			number[len] = '\0';
			p[procs_started] = strtoll(number, NULL, 10);
		}
		if (!aggregate_get(&r->agg, TABLE_contexts,
				   (const int64_t[]){ proc, r->last_ts, (int64_t)reason,
						      (int64_t)key, s }))
			r->failed = true;
	}
}

static void cover(struct rows *r, int64_t pid, int64_t tid, uint32_t what, uint32_t detail,
		  uint64_t count, int64_t ts)
{
	int64_t *c = rows_columns(r, TABLE_coverage_notes,
				  aggregate_get(&r->agg, TABLE_coverage_notes,
						(const int64_t[]){ pid, tid, what, detail }));

	c[coverage_notes_count] = frz_add(c[coverage_notes_count], frz_i64(count));
	if (c[coverage_notes_first] == NIL && ts)
		c[coverage_notes_first] = ts;
}

static void ledger(struct rows *r, struct frz_cur c, bool observer)
{
	int64_t pid = (int64_t)frz_take_varint(&c), tid = (int64_t)frz_take_varint(&c);
	uint32_t what = string_or_zero(r, frz_take_varint(&c));
	uint64_t count = frz_take_varint(&c), total = observer ? frz_take_varint(&c) : 0;
	uint32_t detail = string_or_zero(r, frz_take_varint(&c));
	int64_t *o;

	if (!observer) {
		cover(r, pid, tid, what, detail, count, r->last_ts);
		return;
	}
	o = rows_columns(r, TABLE_observer_notes,
			 aggregate_get(&r->agg, TABLE_observer_notes,
				       (const int64_t[]){ pid, tid, what, detail }));
	o[observer_notes_count] = frz_add(o[observer_notes_count], frz_i64(count));
	o[observer_notes_total_ns] = frz_add(o[observer_notes_total_ns], frz_i64(total));
}

bool rows_coverage(struct rows *r, const char *what, uint64_t count, int64_t ts, const char *detail)
{
	cover(r, 0, 0, rows_text(r, what), detail ? rows_text(r, detail) : 0, count, ts);
	return !r->failed;
}

static void signal_row(struct rows *r, struct frz_cur c, bool stopped)
{
	uint32_t tid = (uint32_t)frz_take_varint(&c);
	struct live *l = find_live(r, tid);
	int64_t v[signals_N] = {
		r->last_ts, l ? l->task : 0, (int64_t)frz_take_varint(&c), NIL, NIL, NIL
	};

	if (stopped) {
		v[signals_signo] = -v[signals_signo];
	} else {
		v[signals_code] = frz_take_zigzag(&c);
		v[signals_sender_pid] = (int64_t)frz_take_varint(&c);
		v[signals_sender_uid] = (int64_t)frz_take_varint(&c);
	}
	if (!aggregate_get(&r->agg, TABLE_signals, v))
		r->failed = true;
}

static void mapped(struct rows *r, struct frz_cur c)
{
	uint32_t proc = proc_row(r, (uint32_t)frz_take_varint(&c), 0);
	uint32_t file = files_of(r, (uint32_t)frz_take_varint(&c), false);
	int64_t v[mappings_N] = { r->last_ts, proc, file };

	for (int i = mappings_address; i < mappings_N; i++)
		v[i] = (int64_t)frz_take_varint(&c);
	if (!aggregate_get(&r->agg, TABLE_mappings, v))
		r->failed = true;
	if (file) {
		COL(r, files, file, mapped)++;
		files_touch(r, file, proc, r->last_ts);
	}
}

static void file_hash(struct rows *r, struct frz_cur c)
{
	uint32_t file = files_of(r, (uint32_t)frz_take_varint(&c), false);
	const uint8_t *h = frz_take(&c, FRZ_HASH_LEN);
	char hex[2 * FRZ_HASH_LEN + 1];

	if (!file || !h)
		return;
	for (unsigned i = 0; i < FRZ_HASH_LEN; i++)
		snprintf(hex + 2 * i, 3, "%02x", h[i]);
	if (!aggregate_get(&r->agg, TABLE_hashes,
			   (const int64_t[]){ file, rows_text(r, hex), r->last_ts }))
		r->failed = true;
}

static void gap(struct rows *r, struct frz_cur c)
{
	uint64_t lost = frz_take_varint(&c);

	cover(r, 0, 0, rows_text(r, "events lost"), string_or_zero(r, frz_take_varint(&c)), lost,
	      r->last_ts);
}

void notes_record(struct rows *r, const struct frz_record *rec)
{
	struct frz_cur c = rec->body;

	switch ((unsigned)rec->type) {
	case FRZ_R_PROC:
		declare_proc(r, &rec->u.proc);
		break;
	case FRZ_R_THREAD:
		declare_thread(r, &rec->u.thread);
		break;
	case FRZ_R_BIND:
		fds_bind(r, &rec->u.bind);
		break;
	case FRZ_R_UNBIND:
		fds_unbind(r, &rec->u.bind);
		break;
	case FRZ_R_CONTEXT:
		context(r, c);
		break;
	case FRZ_R_THREAD_START:
		thread_start(r, c);
		break;
	case FRZ_R_THREAD_END: {
		struct live *l = find_live(r, (uint32_t)frz_take_varint(&c));

		thread_end(r, l, frz_take_varint(&c));
		break;
	}
	case FRZ_R_PROC_END:
		proc_end(r, c);
		break;
	case FRZ_R_SIGNAL:
		signal_row(r, c, false);
		break;
	case FRZ_R_STOPPED:
		signal_row(r, c, true);
		break;
	case FRZ_R_IO:
		io_reading(r, c);
		break;
	case FRZ_R_COVERAGE:
		ledger(r, c, false);
		break;
	case FRZ_R_OBSERVER:
		ledger(r, c, true);
		break;
	case FRZ_R_GAP:
		gap(r, c);
		break;
	case FRZ_R_MAPPED:
		mapped(r, c);
		break;
	case FRZ_R_FILE_HASH:
		file_hash(r, c);
		break;
	default:
		/* STRING and FILE are looked up when something refers to them. What this version
		 * does not know is told, never dropped in silence. */
		if (rec->type > FRZ_R_UNBIND && FRZ_REC_TIMED((unsigned)rec->type)) {
			char what[64];

			snprintf(what, sizeof(what), "records of unknown type 0x%02x",
				 (unsigned)rec->type);
			cover(r, 0, 0, rows_text(r, what), 0, 1, r->last_ts);
		}
		break;
	}
}

void notes_known(struct rows *r, const struct frz_dthread *t)
{
	struct live *l = find_live(r, t->tid);
	uint32_t comm = rows_dec_string(r, t->comm), row;

	if (!l || l->gone || PEEK(r, procs, l->proc, pid) != (int64_t)t->pid)
		return;
	row = aggregate_find(&r->agg, TABLE_threads, (const int64_t[]){ l->task, comm });
	if (row)
		l->thread = row;
}

bool notes_load(struct rows *r)
{
	uint32_t n;

	n = aggregate_rows(&r->agg, TABLE_procs);
	for (uint32_t p = 1; p <= n; p++)
		if (!map_set(&r->proc_by_pid, (uint64_t)PEEK(r, procs, p, pid), p))
			return false;
	n = aggregate_rows(&r->agg, TABLE_tasks);
	for (uint32_t t = 1; t <= n; t++) {
		int64_t table = PEEK(r, tasks, t, fdtable);
		struct live *l = live_slot(r, (uint32_t)PEEK(r, tasks, t, tid));

		if (!l)
			return false;
		*l = (struct live){ .task = t,
				    .proc = (uint32_t)PEEK(r, tasks, t, proc),
				    .fdtable = table == NIL ? 0 : (uint64_t)table,
				    .gone = PEEK(r, tasks, t, gone) != NIL };
		if (l->gone)
			continue;
		count(r, &r->proc_threads, l->proc, 1);
		if (!l->fdtable)
			continue;
		count(r, &r->table_users, l->fdtable, 1);
		if (!map_get(&r->proc_by_table, l->fdtable) &&
		    !map_set(&r->proc_by_table, l->fdtable, l->proc))
			return false;
	}
	n = aggregate_rows(&r->agg, TABLE_threads);
	for (uint32_t t = 1; t <= n; t++) {
		struct live *l = find_live(r, (uint32_t)PEEK(r, threads, t, tid));

		if (l && l->task == (uint32_t)PEEK(r, threads, t, task))
			l->thread = t;
	}
	return true;
}
