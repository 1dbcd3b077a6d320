/*
 * lifecycle.c - threads and processes as records: birth, exec, signals, death; the kernel's
 * own byte counters; and the two ledgers, of what was not seen and of what frec did.
 */
#include "capture_private.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/kcmp.h>

#include "keep.h"
#include "mapped.h"
#include "procinfo.h"
#include "uring.h"

#define STRANGERS_MAX 256u	   /* processes compared with one that is attached to */
#define CONTEXT_ROOM  (160u << 10) /* cmdline and cgroup are cut at 64 KiB each */

static void fill_process(struct process *p, pid_t tid)
{
	struct proc_stat st;
	struct proc_status status;
	char exe[4200];

	if (proc_stat(p->pid, &st)) {
		p->start_ticks = st.start_ticks;
		p->ppid = st.ppid;
		memcpy(p->comm, st.comm, sizeof(p->comm));
	}
	if (proc_status(tid, &status))
		p->uid = status.uid;
	free(p->exe);
	p->exe = proc_link(tid, "exe", exe, sizeof(exe)) > 0 ? strdup(exe) : NULL;
	p->segment = 0;
}

void life_comm(struct tracee *t)
{
	char comm[64];
	ssize_t n = proc_read(t->tid, "comm", comm, sizeof(comm) - 1);

	if (n <= 0)
		return;
	comm[n - (comm[n - 1] == '\n')] = '\0';
	if (!strcmp(comm, t->comm))
		return;
	memcpy(t->comm, comm, sizeof(comm));
	t->segment = 0;
	if (t->tid == t->proc->pid) {
		memcpy(t->proc->comm, comm, sizeof(comm));
		t->proc->segment = 0;
	}
}

void life_credentials(struct tracee *t)
{
	struct proc_status st;

	if (proc_status(t->tid, &st) && st.uid != t->proc->uid) {
		t->proc->uid = st.uid;
		t->proc->segment = 0;
	}
}

static bool same_files(pid_t a, pid_t b, bool likely)
{
	long r = syscall(SYS_kcmp, a, b, KCMP_FILES, 0, 0);

	return r < 0 ? likely : r == 0; /* kcmp(2) may be configured out */
}

static void put_context(struct capture *c, struct tracee *t, enum frz_context reason,
			uint64_t now_ns)
{
	struct frz_buf *b;

	if (c->full || !emit_begin(c->emit, CONTEXT_ROOM, 0))
		return;
	emit_process(c->emit, t->proc);
	b = emit_body(c->emit);
	frz_buf_varint(b, reason);
	frz_buf_varint(b, (uint64_t)t->proc->pid);
	procinfo_context(t->proc->pid, c->o->env, c->o->redact, b);
	emit_put(c->emit, FRZ_R_CONTEXT, now_ns, 0);
	emit_commit(c->emit);
}

struct map_state {
	struct capture *c;
	struct tracee *t;
	uint64_t now_ns;
};

static void put_mapping(void *arg, const struct proc_mapping *m)
{
	struct map_state *x = arg;
	struct fileinfo file = { 0 };
	struct frz_buf *b;
	uint32_t number;

	if (!m->path || m->path[0] != '/' || !emit_begin(x->c->emit, 0, 0))
		return;
	file.f.mask = FRZ_F_PATH | FRZ_F_DEV | FRZ_F_INO;
	file.f.dev_major = m->dev_major;
	file.f.dev_minor = m->dev_minor;
	file.f.ino = m->ino;
	file.path = (char *)(uintptr_t)m->path; /* borrowed for this call */
	file.path_len = (uint32_t)strlen(m->path);
	emit_process(x->c->emit, x->t->proc);
	number = emit_file(x->c->emit, &file);
	b = emit_body(x->c->emit);
	frz_buf_varint(b, (uint64_t)x->t->proc->pid);
	frz_buf_varint(b, number);
	frz_buf_varint(b, m->start);
	frz_buf_varint(b, m->len);
	frz_buf_varint(b, m->prot);
	frz_buf_varint(b, m->flags);
	frz_buf_varint(b, m->offset);
	emit_put(x->c->emit, FRZ_R_MAPPED, x->now_ns, 0);
	emit_commit(x->c->emit);
	mapped_at_attach(x->c, x->t, m);
}

uint64_t life_clone_flags(const struct tracee *parent)
{
	const struct pending *p = &parent->call;

	if (!p->ent || p->ent->effect != FRZ_FX_CLONE || !p->ent->nargs)
		return 0;
	return p->def[0]->kind == FRZ_ARG_NUMS_IN ? item_number(parent) : (uint64_t)p->arg[0];
}

static void put_thread_start(struct capture *c, struct tracee *t, enum frz_born how, pid_t parent,
			     uint64_t clone_flags, uint64_t now_ns)
{
	struct frz_buf *b;

	if (c->full || !emit_begin(c->emit, 0, 0))
		return;
	emit_thread(c->emit, t);
	b = emit_body(c->emit);
	frz_buf_varint(b, (uint64_t)t->tid);
	frz_buf_varint(b, (uint64_t)t->proc->pid);
	frz_buf_varint(b, how);
	frz_buf_varint(b, (uint64_t)parent);
	frz_buf_varint(b, clone_flags);
	emit_put(c->emit, FRZ_R_THREAD_START, now_ns, 0);
	emit_commit(c->emit);
}

/* Attached to: threads of a process share a table almost always, processes hardly ever. */
static void share_files(struct capture *c, struct tracee *t)
{
	const struct fdtable *asked = NULL;
	unsigned strangers = 0;

	for (unsigned i = 0; i < c->tracees->buckets; i++)
		for (struct tracee *o = c->tracees->thread_bucket[i]; o; o = o->next) {
			bool mine = o->proc == t->proc;

			if (o == t || !o->fds || o->fds == asked ||
			    (!mine && strangers == STRANGERS_MAX))
				continue;
			asked = o->fds;
			strangers += !mine;
			if (same_files(t->tid, o->tid, mine)) {
				t->fds = o->fds;
				fdtable_use(t->fds);
				return;
			}
		}
}

void life_born(void *arg, struct tracee *t, enum frz_born how, struct tracee *parent,
	       uint64_t now_ns)
{
	struct capture *c = arg;
	struct process *p = t->proc;
	bool first = p->threads == 1;
	uint64_t clone_flags = 0;

	if (first)
		fill_process(p, t->tid);
	if (parent) {
		bool thread = parent->proc == p;

		memcpy(t->comm, parent->comm, sizeof(t->comm));
		clone_flags = parent->call.active ? life_clone_flags(parent) : 0;
		if (!thread)
			mapped_forked(t, parent);
		if (same_files(t->tid, parent->tid, thread || (clone_flags & CLONE_FILES))) {
			t->fds = parent->fds;
			fdtable_use(t->fds);
		} else {
			t->fds = fdtable_new(parent->fds, now_ns);
		}
	} else {
		struct proc_stat st;

		memcpy(t->comm, proc_stat(t->tid, &st) ? st.comm : p->comm, sizeof(t->comm));
		resolve_note_root(t->tid);
		share_files(c, t);
		if (!t->fds)
			t->fds = fdtable_new(NULL, now_ns);
	}
	if (t->fds && fdtable_users(t->fds) == 0) {
		fdtable_use(t->fds);
		fdtable_unref(t->fds);
	}
	if (!t->fds) {
		t->leave = true;
		capture_coverage(c, p->pid, t->tid, "thread not followed", 1, "out of memory");
		return;
	}
	t->prelude = how == FRZ_BORN_LAUNCH;
	put_thread_start(c, t, how, parent ? parent->tid : 0, clone_flags, now_ns);
}

void life_settled(void *arg, struct tracee *t, uint64_t now_ns)
{
	struct capture *c = arg;
	struct map_state x = { c, t, now_ns };
	bool attached = t->interrupts > 0;

	if (attached)
		life_io(c, t, FRZ_IO_ATTACH, now_ns);
	if (t->proc->described || t->prelude)
		return;
	t->proc->described = true;
	put_context(c, t, attached ? FRZ_X_ATTACH : FRZ_X_FORK, now_ns);
	if (!attached)
		return;
	fds_at_attach(c, t, now_ns);
	proc_mappings(t->proc->pid, put_mapping, &x);
}

/* ---- the kernel's counters ---- */

static void put_io(struct capture *c, pid_t tid, enum frz_io_when when, uint64_t rchar,
		   uint64_t wchar, uint64_t now_ns)
{
	struct frz_buf *b;

	if (c->full || !emit_begin(c->emit, 0, 0))
		return;
	b = emit_body(c->emit);
	frz_buf_varint(b, (uint64_t)tid);
	frz_buf_varint(b, when);
	frz_buf_varint(b, rchar);
	frz_buf_varint(b, wchar);
	emit_put(c->emit, FRZ_R_IO, now_ns, 0);
	emit_commit(c->emit);
}

void life_io(struct capture *c, struct tracee *t, enum frz_io_when when, uint64_t now_ns)
{
	uint64_t rchar, wchar;

	if (!proc_io(t->proc->pid, t->tid, &rchar, &wchar)) {
		capture_coverage(c, t->proc->pid, t->tid, "io counters not readable", 1,
				 "/proc/PID/task/TID/io");
		return;
	}
	if (when == FRZ_IO_BEFORE_EXEC) {
		t->exec_rchar = rchar;
		t->exec_wchar = wchar;
	}
	put_io(c, t->tid, when, rchar, wchar, now_ns);
}

/* ---- exec ---- */

static void put_thread_end(struct capture *c, pid_t tid, enum frz_gone how, int status,
			   uint64_t now_ns)
{
	struct frz_buf *b;

	if (c->full || !emit_begin(c->emit, 0, 0))
		return;
	b = emit_body(c->emit);
	frz_buf_varint(b, (uint64_t)tid);
	frz_buf_varint(b, how);
	frz_buf_varint(b, (uint32_t)status);
	emit_put(c->emit, FRZ_R_THREAD_END, now_ns, 0);
	emit_commit(c->emit);
}

void keep_copy(struct capture *c, struct tracee *t, int from, const struct fileinfo *file, bool now)
{
	if (!(file->f.mask & FRZ_F_MODE) || !S_ISREG(file->f.mode)) {
		if (from >= 0)
			close(from);
		return;
	}
	if (from >= 0 && file->f.size > KEEP_FILE_MAX) {
		close(from);
		capture_coverage(c, t->proc->pid, t->tid, "file not kept", 1, "larger than 64 MiB");
	} else if (from < 0 || !keep_file(c->keep, from, file, now)) {
		capture_coverage(c, t->proc->pid, t->tid, "file not kept", 1,
				 "it could not be copied");
	} else {
		t->files_copied++;
	}
}

void capture_set_keep(struct capture *c, struct keep *k) { c->keep = k; }

void capture_hashes(struct capture *c, bool all)
{
	struct keep_done d;

	if (!c->keep)
		return;
	if (all)
		keep_finish(c->keep);
	while (keep_next(c->keep, &d)) {
		if (!d.copied) {
			capture_coverage(c, 0, 0, "file not kept", 1,
					 d.file.path ? d.file.path : "");
		} else if (emit_begin(c->emit, d.file.path_len, 0)) {
			uint32_t number = emit_file(c->emit, &d.file);
			struct frz_buf *b = emit_body(c->emit);

			frz_buf_varint(b, number);
			frz_buf_bytes(b, d.sha256, sizeof(d.sha256));
			emit_put(c->emit, FRZ_R_FILE_HASH, engine_clock(), 0);
			emit_commit(c->emit);
		}
		fileinfo_release(&d.file);
	}
}

/* What launching behind a filter changed for the command: launch.c. */
static void note_filter(struct capture *c, struct tracee *t)
{
	const char *what = "without no_new_privs: set-user-ID programs work as ever";
	const char *nnp = NULL;
	char text[4096];
	size_t len;

	if (proc_status_text(t->tid, text, sizeof(text)) > 0)
		nnp = proc_status_line(text, "NoNewPrivs", &len);
	if (nnp && *nnp == '1')
		what = "with no_new_privs: set-user-ID programs run without privileges";
	capture_observer(c, t->proc->pid, t->tid, "seccomp filter installed", 1, 0, what);
}

/* Traced without CAP_SYS_PTRACE a program does not get its owner's privileges: execve(2). */
static void note_set_id(struct capture *c, struct tracee *t, const struct fileinfo *file)
{
	struct proc_status st;

	if ((file->f.mask & FRZ_F_MODE) && (file->f.mask & FRZ_F_OWNER) &&
	    (file->f.mode & S_ISUID) && proc_status(t->tid, &st) && st.euid != file->f.uid)
		capture_observer(c, t->proc->pid, t->tid, "set-user-ID without effect", 1, 0,
				 "frec has no CAP_SYS_PTRACE, or no_new_privs or a nosuid mount "
				 "is in force");
}

static bool is_other_file(const struct frz_file *a, const struct frz_file *b)
{
	return a->mask & b->mask & FRZ_F_INO &&
	       (a->ino != b->ino || a->dev_major != b->dev_major || a->dev_minor != b->dev_minor);
}

/* What is executed is the file that was named, when that is a script; else what the kernel says. */
static void take_executed(struct capture *c, struct tracee *t)
{
	const struct item *path = item_path(t, FRZ_SLOT_NONE);
	struct item *named = tracee_find_item(t, FRZ_A_FILE, FRZ_SLOT_NONE);
	struct fileinfo *exe = malloc(sizeof(*exe));

	if (!exe)
		return;
	if (!resolve_exe(t->tid, exe))
		goto drop;
	note_set_id(c, t, exe);
	if (c->keep)
		keep_copy(c, t, resolve_open_fd(t->tid, -1), exe, false);
	if (named && is_other_file(&named->file->f, &exe->f)) {
		if (c->keep)
			keep_copy(c, t, open_path(t, named->slot, true), named->file, false);
		goto drop;
	}
	if (!named) {
		named = tracee_item(t, FRZ_A_FILE, path ? path->slot : 0);
		if (!named)
			goto drop;
	} else {
		fileinfo_release(named->file);
		free(named->file);
	}
	named->file = exe;
	return;
drop:
	fileinfo_release(exe);
	free(exe);
}

void life_exec(void *arg, struct tracee *t, pid_t old_tid, uint64_t now_ns)
{
	struct capture *c = arg;
	struct proc_stat st;
	uint64_t rchar, wchar;
	bool launched = !t->proc->described;

	fill_process(t->proc, t->tid);
	memcpy(t->comm, proc_stat(t->tid, &st) ? st.comm : t->proc->comm, sizeof(t->comm));
	t->segment = 0;
	if (old_tid > 0 && old_tid != t->tid) {
		/* the thread goes on under the leader's tid: its account is split there */
		put_io(c, old_tid, FRZ_IO_EXIT, t->exec_rchar, t->exec_wchar, now_ns);
		put_thread_end(c, old_tid, FRZ_GONE_EXEC, 0, now_ns);
		put_thread_start(c, t, FRZ_BORN_EXEC, old_tid, 0, now_ns);
		if (proc_io(t->proc->pid, t->tid, &rchar, &wchar))
			put_io(c, t->tid, FRZ_IO_ATTACH, rchar, wchar, now_ns);
	} else {
		life_io(c, t, FRZ_IO_AFTER_EXEC, now_ns);
	}
	mapped_end(c, t->proc, "execve");
	fds_after_exec(c, t);
	t->proc->described = true;
	put_context(c, t, launched ? FRZ_X_LAUNCH : FRZ_X_EXEC, now_ns);
	if (launched && c->o->command && !c->o->no_seccomp && !c->o->no_follow)
		note_filter(c, t);
	if (t->call.active && t->call.wanted)
		take_executed(c, t);
}

/* ---- signals and stops ---- */

void life_signal(void *arg, struct tracee *t, const siginfo_t *si, uint64_t now_ns)
{
	struct capture *c = arg;
	bool from_process = si->si_code <= 0 || si->si_signo == SIGCHLD;
	struct frz_buf *b;

	if (c->full || t->prelude || !emit_begin(c->emit, 0, 0))
		return;
	emit_thread(c->emit, t);
	b = emit_body(c->emit);
	frz_buf_varint(b, (uint64_t)t->tid);
	frz_buf_varint(b, (uint64_t)si->si_signo);
	frz_buf_zigzag(b, si->si_code);
	frz_buf_varint(b, from_process ? (uint32_t)si->si_pid : 0);
	frz_buf_varint(b, from_process ? si->si_uid : 0);
	emit_put(c->emit, FRZ_R_SIGNAL, now_ns, 0);
	emit_commit(c->emit);
}

void life_group_stop(void *arg, struct tracee *t, int signo, uint64_t now_ns)
{
	struct capture *c = arg;
	struct frz_buf *b;

	if (c->full || t->prelude || !emit_begin(c->emit, 0, 0))
		return;
	emit_thread(c->emit, t);
	b = emit_body(c->emit);
	frz_buf_varint(b, (uint64_t)t->tid);
	frz_buf_varint(b, (uint64_t)signo);
	emit_put(c->emit, FRZ_R_STOPPED, now_ns, 0);
	emit_commit(c->emit);
}

/* ---- ends ---- */

void life_leaving(void *arg, struct tracee *t, bool detached, uint64_t now_ns)
{
	struct capture *c = arg;

	if (t->call.active && !t->prelude)
		capture_call(c, t, 0, FRZ_C_NO_RETURN, now_ns);
	life_io(c, t, detached ? FRZ_IO_DETACH : FRZ_IO_EXIT, now_ns);
}

void life_gone(void *arg, struct tracee *t, enum frz_gone how, int status, uint64_t now_ns)
{
	struct capture *c = arg;

	if (t->call.active && !t->prelude)
		capture_call(c, t, 0, FRZ_C_NO_RETURN, now_ns);
	capture_observer(c, t->proc->pid, t->tid, "stops", t->stops, t->stopped_ns,
			 "time between frec's wake-up and the restart");
	if (t->fds_inspected)
		capture_observer(c, t->proc->pid, t->tid, "fds duplicated", t->fds_inspected, 0,
				 "pidfd_getfd to read a socket's addresses, closed at once");
	if (t->files_copied)
		capture_observer(c, t->proc->pid, t->tid, "files copied", t->files_copied, 0,
				 "--keep");
	put_thread_end(c, t->tid, how, status, now_ns);
	if (t->fds) {
		fdtable_unuse(t->fds);
		t->fds = NULL;
	}
}

void life_process_gone(void *arg, struct process *p, enum frz_gone how, int status, uint64_t now_ns)
{
	struct capture *c = arg;
	struct frz_buf *b;

	uring_process_gone(c, p, now_ns);
	mapped_end(c, p, how == FRZ_GONE_DETACHED ? "detach" : "exit");
	if (c->full || !emit_begin(c->emit, 0, 0))
		return;
	emit_process(c->emit, p);
	b = emit_body(c->emit);
	frz_buf_varint(b, (uint64_t)p->pid);
	frz_buf_varint(b, how);
	frz_buf_varint(b, (uint32_t)status);
	emit_put(c->emit, FRZ_R_PROC_END, now_ns, 0);
	emit_commit(c->emit);
}

/* ---- the ledgers ---- */

static void put_ledger(struct capture *c, enum frz_rec type, pid_t pid, pid_t tid, const char *what,
		       uint64_t count, uint64_t total_ns, const char *detail)
{
	struct frz_buf *b;
	uint32_t what_s, detail_s;

	if (!emit_begin(c->emit, strlen(detail), 0))
		return;
	what_s = emit_string(c->emit, what, strlen(what));
	detail_s = emit_string(c->emit, detail, strlen(detail));
	b = emit_body(c->emit);
	frz_buf_varint(b, (uint64_t)pid);
	frz_buf_varint(b, (uint64_t)tid);
	frz_buf_varint(b, what_s);
	frz_buf_varint(b, count);
	if (type == FRZ_R_OBSERVER)
		frz_buf_varint(b, total_ns);
	frz_buf_varint(b, detail_s);
	emit_put(c->emit, type, engine_clock(), 0);
	emit_commit(c->emit);
}

void capture_observer(struct capture *c, pid_t pid, pid_t tid, const char *what, uint64_t count,
		      uint64_t total_ns, const char *detail)
{
	put_ledger(c, FRZ_R_OBSERVER, pid, tid, what, count, total_ns, detail);
}

void capture_coverage(struct capture *c, pid_t pid, pid_t tid, const char *what, uint64_t count,
		      const char *detail)
{
	put_ledger(c, FRZ_R_COVERAGE, pid, tid, what, count, 0, detail);
}

void life_interrupted(void *arg, struct tracee *t, const char *why, const char *hit)
{
	struct capture *c = arg;
	char what[64], detail[128];
	unsigned long long sp;
	long nr;
	const struct frz_sysent *ent = NULL;

	/* proc_pid_syscall(5): "running", or number, arguments, stack and place of the blocked
	 * call; a stack within 32 bits is that of a 32-bit program */
	if (sscanf(hit, "%ld %*x %*x %*x %*x %*x %*x %llx", &nr, &sp) == 2 && nr >= 0) {
		if (nr & FRZ_X32_BIT)
			ent = frz_sysent(FRZ_ABI_X32, (uint32_t)nr & ~FRZ_X32_BIT);
		else
			ent = frz_sysent(sp >> 32 ? FRZ_ABI_OWN : FRZ_ABI_I386, (uint32_t)nr);
	}
	snprintf(what, sizeof(what), "interrupt at %s", why);
	if (ent)
		snprintf(detail, sizeof(detail), "it was in %s", ent->name);
	else
		snprintf(detail, sizeof(detail), "%s",
			 !strncmp(hit, "running", 7) ? "it was running" : "not in a known call");
	capture_observer(c, t->proc->pid, t->tid, what, 1, 0, detail);
}

void life_eintr(void *arg, struct tracee *t, enum frz_abi abi, uint32_t nr)
{
	struct capture *c = arg;
	const struct frz_sysent *ent = frz_sysent(abi, nr);

	capture_observer(c, t->proc->pid, t->tid, "EINTR caused", 1, 0,
			 ent ? ent->name : "a call not in the table");
}

void life_missed(void *arg, pid_t pid, pid_t tid, const char *what, const char *detail)
{
	capture_coverage(arg, pid, tid, what, 1, detail);
}
