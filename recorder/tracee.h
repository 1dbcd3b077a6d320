/*
 * tracee.h - who is traced: threads, the processes they belong to, and the tables to find them.
 *
 * A tracee is one thread. A process lives from its first to its last tracee; a zombie
 * leader keeps it alive. Both are owned by the table; others borrow.
 */
#ifndef FREC_TRACEE_H
#define FREC_TRACEE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "placement.h"
#include "sysent.h"

struct fdtable;
struct fdent;
struct fileinfo;
struct mapping;

struct process {
	pid_t pid;
	int pidfd; /* -1: not opened yet, -2: could not be */
	uint64_t start_ticks;
	pid_t ppid;
	uid_t uid;
	char comm[64];
	char *exe;		/* owned; NULL unknown */
	unsigned threads;	/* living tracees */
	uint32_t segment;	/* in which it was declared last */
	bool described;		/* its CONTEXT and fds at attach were recorded */
	struct mapping *mapped; /* mapped.c: files that it has mapped shared */
	struct process *next;	/* hash chain */
};

/* One thing taken at syscall entry (or exit), to become an attachment. */
struct item {
	uint8_t kind, slot; /* enum frz_att; FRZ_A_FD: `ent` */
	bool cut;
	uint32_t off, len; /* into the tracee's bytes */
	uint64_t true_len;
	struct fdent *ent;     /* reference held */
	struct fileinfo *file; /* owned: FRZ_A_VICTIM, FRZ_A_FILE */
	int32_t fd;
};

/* A struct msghdr at entry, or an address and the length of its buffer: by exit the target may
 * have written another there, which the kernel did not see. */
struct msg_room {
	bool known;
	uint64_t name, name_len, iov, iov_count, control, control_len;
};

/* The call that a thread is in. */
struct pending {
	bool active;	 /* entry seen, exit not yet */
	bool wanted;	 /* to be recorded, not only followed */
	bool ends_fds;	 /* told to its table: fdtable_ending() */
	bool restart_of; /* continued by restart_syscall */
	uint8_t abi;
	uint32_t nr;
	const struct frz_sysent *ent; /* NULL: not in the table */
	uint64_t entry_ns;
	int64_t arg[6];	 /* as frz_arg_value() has them */
	uint64_t mem[6]; /* the registers: addresses, for what is read by them later */
	const struct frz_argdef *def[6]; /* BYCMD resolved; set up to ent->nargs */
	struct msg_room out;		 /* where the kernel was told to put what it receives */
};

enum tracee_state {
	TRACEE_NEW, /* seized or announced, first stop not seen */
	TRACEE_RUNNING,
	TRACEE_LISTENING, /* in a group-stop, restarted by PTRACE_LISTEN */
	TRACEE_EXITING,	  /* PTRACE_EVENT_EXIT seen */
};

struct tracee {
	pid_t tid;
	struct process *proc;
	struct fdtable *fds; /* used (fdtable_use) */
	enum tracee_state state;
	char comm[64];
	bool interrupted;		 /* an INTERRUPT was sent, its stop not seen */
	bool prelude;			 /* launched, before its own execve: not recorded */
	uint64_t exec_rchar, exec_wchar; /* counters read before the execve under way */
	bool leave;			 /* --no-follow, or no memory: detach at its next stop */
	bool announced;			 /* the child that the call under way has made */
	bool looks;			 /* the call under way may show it its CPU mask */
	uint32_t segment;		 /* declared last in */
	struct pending call;
	struct item *items; /* of the pending call */
	uint32_t nitems, cap_items;
	uint8_t *bytes; /* storage behind the items */
	uint32_t nbytes, cap_bytes;
	/* ledger: what frec did to it */
	uint64_t stops, stopped_ns, woke_ns, interrupts, fds_inspected, files_copied;
	struct placement_thread place;
	struct tracee *next; /* hash chain */
};

struct tracees {
	struct tracee **thread_bucket;
	struct process **proc_bucket;
	unsigned buckets; /* a power of two, for both */
	unsigned nthreads, nprocs;
	struct tracee *last; /* of tracees_find: stops of a hot thread repeat */
};

bool tracees_init(struct tracees *s);
void tracees_release(struct tracees *s); /* frees all, detaches nothing */

struct tracee *tracees_find(struct tracees *s, pid_t tid);
/* NULL: no memory. The process is found or made; fds is left NULL. */
struct tracee *tracees_add(struct tracees *s, pid_t tid, pid_t pid);
/* Forgets the thread; *proc_ended tells that it was its process's last (the process is then
 * still valid until process_drop). */
void tracees_remove(struct tracees *s, struct tracee *t, bool *proc_ended);
void process_drop(struct tracees *s, struct process *p);
/* execve by a thread that is not the leader: the kernel gives it the leader's tid. */
void tracees_rename(struct tracees *s, struct tracee *t, pid_t new_tid);
/* Calls fn for each; fn may remove the tracee it is given, no other. */
void tracees_each(struct tracees *s, void (*fn)(void *arg, struct tracee *t), void *arg);

/* Items of the pending call. Storage of n bytes for a new item, NULL: no memory. */
struct item *tracee_item(struct tracee *t, enum frz_att kind, unsigned slot);
/* The first of its kind in the slot (FRZ_SLOT_NONE: in any); NULL: none. */
struct item *tracee_find_item(const struct tracee *t, enum frz_att kind, unsigned slot);
uint8_t *tracee_bytes(struct tracee *t, size_t n); /* room behind nbytes; caller advances it */
void tracee_clear_items(struct tracee *t);	   /* and gives back large storage */

#endif
