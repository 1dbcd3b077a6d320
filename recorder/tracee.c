/* tracee.c - the tables of threads and processes (contract in tracee.h). */
#include "tracee.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fdtable.h"

#define FIRST_BUCKETS 256u
#define KEEP_BYTES    8192u /* a thread's storage above this is given back after the call */
#define KEEP_ITEMS    32u

static unsigned slot_of(const struct tracees *s, pid_t id)
{
	return ((uint32_t)id * 2654435761u >> 8) & (s->buckets - 1);
}

bool tracees_init(struct tracees *s)
{
	memset(s, 0, sizeof(*s));
	s->buckets = FIRST_BUCKETS;
	s->thread_bucket = calloc(s->buckets, sizeof(struct tracee *));
	s->proc_bucket = calloc(s->buckets, sizeof(struct process *));
	return s->thread_bucket && s->proc_bucket;
}

static void tracee_free(struct tracee *t)
{
	tracee_clear_items(t);
	free(t->items);
	free(t->bytes);
	if (t->fds)
		fdtable_unuse(t->fds);
	free(t);
}

static void process_free(struct process *p)
{
	if (p->pidfd >= 0)
		close(p->pidfd);
	free(p->exe);
	free(p);
}

void tracees_release(struct tracees *s)
{
	for (unsigned i = 0; i < s->buckets && s->thread_bucket; i++)
		for (struct tracee *t = s->thread_bucket[i], *next; t; t = next) {
			next = t->next;
			tracee_free(t);
		}
	for (unsigned i = 0; i < s->buckets && s->proc_bucket; i++)
		for (struct process *p = s->proc_bucket[i], *next; p; p = next) {
			next = p->next;
			process_free(p);
		}
	free(s->thread_bucket);
	free(s->proc_bucket);
	memset(s, 0, sizeof(*s));
}

struct tracee *tracees_find(struct tracees *s, pid_t tid)
{
	struct tracee *t = s->last;

	if (t && t->tid == tid)
		return t;
	for (t = s->thread_bucket[slot_of(s, tid)]; t; t = t->next)
		if (t->tid == tid) {
			s->last = t;
			return t;
		}
	return NULL;
}

static struct process *process_find(struct tracees *s, pid_t pid)
{
	struct process *p = s->proc_bucket[slot_of(s, pid)];

	while (p && p->pid != pid)
		p = p->next;
	return p;
}

static void grow(struct tracees *s)
{
	struct tracees bigger = *s;

	bigger.buckets = s->buckets * 2;
	bigger.thread_bucket = calloc(bigger.buckets, sizeof(struct tracee *));
	bigger.proc_bucket = calloc(bigger.buckets, sizeof(struct process *));
	if (!bigger.thread_bucket || !bigger.proc_bucket) {
		free(bigger.thread_bucket); /* longer chains are slower, not wrong */
		free(bigger.proc_bucket);
		return;
	}
	for (unsigned i = 0; i < s->buckets; i++) {
		for (struct tracee *t = s->thread_bucket[i], *next; t; t = next) {
			struct tracee **b = &bigger.thread_bucket[slot_of(&bigger, t->tid)];

			next = t->next;
			t->next = *b;
			*b = t;
		}
		for (struct process *p = s->proc_bucket[i], *next; p; p = next) {
			struct process **b = &bigger.proc_bucket[slot_of(&bigger, p->pid)];

			next = p->next;
			p->next = *b;
			*b = p;
		}
	}
	free(s->thread_bucket);
	free(s->proc_bucket);
	*s = bigger;
}

static struct process *process_get(struct tracees *s, pid_t pid)
{
	struct process *p = process_find(s, pid);
	struct process **b;

	if (p)
		return p;
	p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	p->pid = pid;
	p->pidfd = -1;
	b = &s->proc_bucket[slot_of(s, pid)];
	p->next = *b;
	*b = p;
	s->nprocs++;
	return p;
}

struct tracee *tracees_add(struct tracees *s, pid_t tid, pid_t pid)
{
	struct tracee *t = calloc(1, sizeof(*t));
	struct process *p;
	struct tracee **b;

	if (!t)
		return NULL;
	if (s->nthreads >= 2 * s->buckets)
		grow(s);
	p = process_get(s, pid);
	if (!p) {
		free(t);
		return NULL;
	}
	t->tid = tid;
	t->proc = p;
	p->threads++;
	b = &s->thread_bucket[slot_of(s, tid)];
	t->next = *b;
	*b = t;
	s->nthreads++;
	return t;
}

static void unlink_thread(struct tracees *s, struct tracee *t)
{
	struct tracee **b = &s->thread_bucket[slot_of(s, t->tid)];

	while (*b != t)
		b = &(*b)->next;
	*b = t->next;
	if (s->last == t)
		s->last = NULL;
}

void tracees_remove(struct tracees *s, struct tracee *t, bool *proc_ended)
{
	unlink_thread(s, t);
	s->nthreads--;
	*proc_ended = --t->proc->threads == 0;
	tracee_free(t);
}

void process_drop(struct tracees *s, struct process *p)
{
	struct process **b = &s->proc_bucket[slot_of(s, p->pid)];

	while (*b != p)
		b = &(*b)->next;
	*b = p->next;
	s->nprocs--;
	process_free(p);
}

void tracees_rename(struct tracees *s, struct tracee *t, pid_t new_tid)
{
	struct tracee **b;

	unlink_thread(s, t);
	t->tid = new_tid;
	b = &s->thread_bucket[slot_of(s, new_tid)];
	t->next = *b;
	*b = t;
}

void tracees_each(struct tracees *s, void (*fn)(void *arg, struct tracee *t), void *arg)
{
	for (unsigned i = 0; i < s->buckets; i++)
		for (struct tracee *t = s->thread_bucket[i], *next; t; t = next) {
			next = t->next;
			fn(arg, t);
		}
}

struct item *tracee_item(struct tracee *t, enum frz_att kind, unsigned slot)
{
	struct item *it;

	if (t->nitems == t->cap_items) {
		uint32_t cap = t->cap_items ? t->cap_items * 2 : 8;

		it = realloc(t->items, cap * sizeof(*it));
		if (!it)
			return NULL;
		t->items = it;
		t->cap_items = cap;
	}
	it = &t->items[t->nitems++];
	memset(it, 0, sizeof(*it));
	it->kind = (uint8_t)kind;
	it->slot = (uint8_t)slot;
	it->off = t->nbytes;
	return it;
}

struct item *tracee_find_item(const struct tracee *t, enum frz_att kind, unsigned slot)
{
	for (uint32_t i = 0; i < t->nitems; i++)
		if (t->items[i].kind == kind && (slot == FRZ_SLOT_NONE || t->items[i].slot == slot))
			return &t->items[i];
	return NULL;
}

uint8_t *tracee_bytes(struct tracee *t, size_t n)
{
	if (n > t->cap_bytes - t->nbytes) {
		size_t cap = t->cap_bytes ? t->cap_bytes : 512;
		uint8_t *p;

		while (cap - t->nbytes < n)
			cap *= 2;
		if (cap > UINT32_MAX)
			return NULL;
		p = realloc(t->bytes, cap);
		if (!p)
			return NULL;
		t->bytes = p;
		t->cap_bytes = (uint32_t)cap;
	}
	return t->bytes + t->nbytes;
}

void tracee_clear_items(struct tracee *t)
{
	for (uint32_t i = 0; i < t->nitems; i++) {
		if (t->items[i].ent)
			fdent_unref(t->items[i].ent);
		if (t->items[i].file) {
			fileinfo_release(t->items[i].file);
			free(t->items[i].file);
		}
	}
	t->nitems = 0;
	t->nbytes = 0;
	if (t->cap_bytes > KEEP_BYTES) {
		free(t->bytes);
		t->bytes = NULL;
		t->cap_bytes = 0;
	}
	if (t->cap_items > KEEP_ITEMS) {
		free(t->items);
		t->items = NULL;
		t->cap_items = 0;
	}
}
