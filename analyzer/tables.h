/*
 * tables.h - the columns of the tables that are counted in memory (schema/tables.sql), in
 * the order in which they stand there behind `id`. X(name, first value): 0 for counts,
 * NIL for what is not known. tests/unit/tables.c compares both.
 */
#ifndef FANALYZE_TABLES_H
#define FANALYZE_TABLES_H

#include <stdint.h>

#define NIL INT64_MIN

/* clang-format off */
/* A_TABLE(table, number of leading columns that are its key; 0: rows are only added) */
#define ALL_TABLES(A) \
	A(procs, 2) A(tasks, 3) A(threads, 2) A(files, 3) A(file_procs, 2) A(fds, 1) \
	A(peers, 2) \
	A(call_counts, 2) A(failure_counts, 4) A(victims, 0) A(contexts, 0) A(signals, 0) \
	A(mappings, 0) A(hashes, 0) A(coverage_notes, 4) A(observer_notes, 4)

#define COLS_procs(X) X(pid, 0) X(start_ticks, 0) X(ppid, NIL) X(uid, NIL) X(comm, NIL) \
	X(exe, NIL) X(cmdline, NIL) X(cwd, NIL) X(root, NIL) X(user, NIL) X(started, NIL) \
	X(ended, NIL) X(gone, NIL) X(exit_code, NIL) X(exit_signal, NIL) X(core, 0) \
	X(first_touch, NIL) X(last_touch, NIL)
#define COLS_tasks(X) X(tid, 0) X(proc, 0) X(life, 0) X(fdtable, NIL) X(born, NIL) X(gone, NIL) \
	X(started, NIL) X(ended, NIL) X(io_state, 0) X(base_read, 0) X(base_written, 0) \
	X(kernel_read, 0) X(kernel_written, 0) X(recorded_read, 0) X(recorded_written, 0) \
	X(copied, 0)
#define COLS_threads(X) X(task, 0) X(comm, 0) X(tid, 0) X(pid, 0) X(proc, 0)
#define COLS_files(X) X(path, 0) X(dev, 0) X(ino, 0) X(kind, NIL) X(mode, NIL) X(uid, NIL) \
	X(gid, NIL) X(owner, NIL) X(grp, NIL) X(size, NIL) X(mtime_s, NIL) X(mtime_ns, NIL) \
	X(victim, 0) X(opens, 0) X(failures, 0) X(reads, 0) X(writes, 0) X(bytes_read, 0) \
	X(bytes_written, 0) X(mapped, 0) X(created, 0) X(deleted, 0) X(renamed, 0) X(executed, 0) \
	X(first, NIL) X(last, NIL) X(processes, 0) X(first_write, NIL) X(first_exec, NIL) \
	X(first_delete, NIL) X(latest, 0)
#define COLS_file_procs(X) X(file, 0) X(proc, 0) X(reads, 0) X(writes, 0) \
	X(bytes_read, 0) X(bytes_written, 0)
#define COLS_fds(X) X(instance, 0) X(fdtable, 0) X(fd, 0) X(proc, NIL) X(file, NIL) X(path, NIL) \
	X(kind, NIL) X(how, 0) X(parent, NIL) X(flags, NIL) X(opened, NIL) X(closed, NIL) \
	X(reads, 0) X(writes, 0) X(bytes_read, 0) X(bytes_written, 0) X(family, NIL) X(type, NIL) \
	X(local, NIL) X(remote, NIL) X(direction, NIL) X(is_socket, 0) X(pid, NIL) X(peers, 0)
#define COLS_peers(X) X(fd, 0) X(remote, 0) X(bytes_read, 0) X(bytes_written, 0)
#define COLS_call_counts(X) X(proc, 0) X(call, 0) X(count, 0) X(failures, 0) X(bytes, 0) X(dur, 0) \
	X(max_dur, 0) X(first, NIL) X(last, NIL)
#define COLS_failure_counts(X) X(proc, 0) X(call, 0) X(errno, 0) X(path, 0) X(count, 0) \
	X(first, NIL) X(last, NIL)
#define COLS_victims(X) X(seq, 0) X(ts, 0) X(thread, 0) X(how, 0) X(file, 0) X(mode, NIL) \
	X(owner, NIL) X(grp, NIL) X(size, NIL) X(mtime_s, NIL) X(mtime_ns, NIL) X(nlink, NIL)
#define COLS_contexts(X) X(proc, 0) X(ts, 0) X(reason, 0) X(key, 0) X(value, 0)
#define COLS_signals(X) X(ts, 0) X(task, 0) X(signo, 0) X(code, NIL) X(sender_pid, NIL) \
	X(sender_uid, NIL)
#define COLS_mappings(X) X(ts, 0) X(proc, 0) X(file, 0) X(address, 0) X(length, 0) X(prot, 0) \
	X(flags, 0) X(offset, 0)
#define COLS_hashes(X) X(file, 0) X(sha256, 0) X(ts, 0)
#define COLS_coverage_notes(X) X(pid, 0) X(tid, 0) X(what, 0) X(detail, 0) X(count, 0) X(first, NIL)
#define COLS_observer_notes(X) X(pid, 0) X(tid, 0) X(what, 0) X(detail, 0) X(count, 0) \
	X(total_ns, 0)

enum table {
#define A(table, nkeys) TABLE_##table,
	ALL_TABLES(A)
#undef A
	TABLES_N
};
/* clang-format on */

/* Columns as enumerators: procs_pid, files_bytes_read ... */
#define COLUMN_procs(name, first) procs_##name,
enum { COLS_procs(COLUMN_procs) procs_N };
#define COLUMN_tasks(name, first) tasks_##name,
enum { COLS_tasks(COLUMN_tasks) tasks_N };
#define COLUMN_threads(name, first) threads_##name,
enum { COLS_threads(COLUMN_threads) threads_N };
#define COLUMN_files(name, first) files_##name,
enum { COLS_files(COLUMN_files) files_N };
#define COLUMN_file_procs(name, first) file_procs_##name,
enum { COLS_file_procs(COLUMN_file_procs) file_procs_N };
#define COLUMN_fds(name, first) fds_##name,
enum { COLS_fds(COLUMN_fds) fds_N };
#define COLUMN_peers(name, first) peers_##name,
enum { COLS_peers(COLUMN_peers) peers_N };
#define COLUMN_call_counts(name, first) call_counts_##name,
enum { COLS_call_counts(COLUMN_call_counts) call_counts_N };
#define COLUMN_failure_counts(name, first) failure_counts_##name,
enum { COLS_failure_counts(COLUMN_failure_counts) failure_counts_N };
#define COLUMN_victims(name, first) victims_##name,
enum { COLS_victims(COLUMN_victims) victims_N };
#define COLUMN_contexts(name, first) contexts_##name,
enum { COLS_contexts(COLUMN_contexts) contexts_N };
#define COLUMN_signals(name, first) signals_##name,
enum { COLS_signals(COLUMN_signals) signals_N };
#define COLUMN_mappings(name, first) mappings_##name,
enum { COLS_mappings(COLUMN_mappings) mappings_N };
#define COLUMN_hashes(name, first) hashes_##name,
enum { COLS_hashes(COLUMN_hashes) hashes_N };
#define COLUMN_coverage_notes(name, first) coverage_notes_##name,
enum { COLS_coverage_notes(COLUMN_coverage_notes) coverage_notes_N };
#define COLUMN_observer_notes(name, first) observer_notes_##name,
enum { COLS_observer_notes(COLUMN_observer_notes) observer_notes_N };

/* tasks.io_state: what is known of the kernel's own counters of a thread */
enum io_state {
	IO_NO_START = 0, /* no reading to start from */
	IO_NO_END = 1,	 /* counting, no last reading yet */
	IO_WHOLE = 2,
	IO_NOT_RECORDED = 3, /* the counted calls were not all recorded */
};

/* victims.how */
enum victim_how { VICTIM_UNLINK = 1, VICTIM_REPLACED = 2, VICTIM_TRUNCATED = 3 };

#endif
