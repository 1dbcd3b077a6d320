/*
 * fdtable.h - which fd is what, per file table (not per pid): the identity of descriptors.
 *
 * - A table belongs to all threads that share it: threads of a process, CLONE_FILES.
 *   fork gives the child a table of its own that knows where it came from; its entries
 *   are looked up in the kernel at first use, so a fork costs nothing for fds never used.
 * - An entry (fdent) is one time that an fd was open: its instance number is unique in the
 *   case. A call under way holds a reference, so a close that overtakes it changes nothing.
 * - Of 2048 entries of all tables everything is kept; of those that were not used for longest
 * only what tells whether they are still the same: they sleep, and wake when used.
 * - Two threads race: when close(5) and open()=5 overlap, the exit stops may come in the
 *   wrong order. close names the entry it saw at its entry stop and ends that one only.
 */
#ifndef FREC_FDTABLE_H
#define FREC_FDTABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "resolve.h"

struct fdent {
	uint32_t refs;
	int32_t fd;
	uint64_t table; /* id of the table it is or was in */
	uint64_t instance, parent;
	uint8_t how;	  /* enum frz_bind_how */
	bool bound;	  /* still what the table says for fd */
	bool opening;	  /* its declaring BIND has not been written yet */
	bool stale;	  /* to be looked at again before it is declared again */
	bool aio;	  /* coverage names it: read or written by io_submit */
	bool used;	  /* since it was last thought of putting it to sleep */
	uint32_t segment; /* declared last in; 0 never */
	int64_t flags, position;
	uint64_t since_ns; /* CLOCK_MONOTONIC when first known */
	struct fileinfo file;
	struct fdtable *in;	/* while bound */
	struct fdent *round[2]; /* all that are awake: next, previous */
};

struct sleeper {
	uint64_t instance; /* 0: none */
	uint64_t ino, since_ns;
	uint32_t check; /* fileinfo_check() */
	int32_t fd, flags;
};

struct fdtable;

/* origin: the table it was copied from, or NULL; forked_ns: when. NULL: no memory. */
struct fdtable *fdtable_new(struct fdtable *origin, uint64_t forked_ns);
void fdtable_ref(struct fdtable *t);
void fdtable_unref(struct fdtable *t);
uint64_t fdtable_id(const struct fdtable *t);
/* Threads that use the table now (a child's memory of its origin does not count). */
void fdtable_use(struct fdtable *t);   /* takes a reference too */
void fdtable_unuse(struct fdtable *t); /* and gives it back */
unsigned fdtable_users(const struct fdtable *t);
struct fdtable *fdtable_origin(const struct fdtable *t, uint64_t *forked_ns);

/* Borrowed, or NULL when nothing is known of fd. */
struct fdent *fdtable_get(const struct fdtable *t, int fd);
/* What sleeps at fd; instance 0 when nothing does. */
struct sleeper fdtable_asleep(const struct fdtable *t, int fd);
/* Wakes it: an entry with its instance, to be declared again. Takes over *file; NULL: nothing is
 * known of it but that it ends. Borrowed; NULL: nothing sleeps there, or no memory. */
struct fdent *fdtable_wake(struct fdtable *t, int fd, struct fileinfo *file);
/* Each fd with lo <= fd <= hi at which something sleeps; fn may wake it. */
void fdtable_each_asleep(struct fdtable *t, int64_t lo, int64_t hi, void (*fn)(void *arg, int fd),
			 void *arg);
/* A new entry bound at fd, with a new instance number; what stood there is unbound and
 * returned in *old (reference passed on) or NULL. Takes over *file. NULL: no memory. */
struct fdent *fdtable_bind(struct fdtable *t, int fd, struct fileinfo *file, enum frz_bind_how how,
			   uint64_t now_ns, struct fdent **old);
/* Unbinds ent if it is still what its fd means in t. The reference that the table held is
 * passed to the caller (fdent_unref it). False: something else is bound there. */
bool fdtable_unbind(struct fdtable *t, struct fdent *ent);
/* Each bound entry with lo <= fd <= hi; fn may unbind the one it is given. */
void fdtable_each(struct fdtable *t, int64_t lo, int64_t hi, void (*fn)(void *arg, struct fdent *e),
		  void *arg);

/* A call of tid is under way that ends or replaces what is at lo..hi, and it is over. Until then
 * nobody can tell what another thread's call by such an fd refers to. */
void fdtable_ending(struct fdtable *t, pid_t tid, int64_t lo, int64_t hi);
void fdtable_ended(struct fdtable *t, pid_t tid);
bool fdtable_is_ending(const struct fdtable *t, int fd);

void fdent_ref(struct fdent *e);
void fdent_unref(struct fdent *e);

#endif
