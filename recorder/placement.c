/*
 * placement.c - how the tracer waits for the next stop, and where tracer and tracees run.
 */
#include "placement.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/wait.h>

struct placement {
	placement_observer *fn;
	void *arg;
	enum placement_mode mode;
};

struct placement *placement_new(enum placement_mode mode, placement_observer *fn, void *arg)
{
	struct placement *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->mode = mode;
	p->fn = fn;
	p->arg = arg;
	return p;
}

pid_t placement_wait(struct placement *p, int *status)
{
	pid_t tid = waitpid(-1, status, __WALL);

	(void)p;
	return tid < 0 && errno == EINTR ? 0 : tid;
}

void placement_stop(struct placement *p, pid_t tid, struct placement_thread *t, uint64_t now_ns)
{
	(void)p, (void)tid, (void)t, (void)now_ns;
}

void placement_before_look(struct placement *p, pid_t tid, struct placement_thread *t)
{
	(void)p, (void)tid, (void)t;
}

void placement_born(struct placement *p, pid_t tid, struct placement_thread *t,
                    struct placement_thread *parent)
{
	(void)p, (void)tid, (void)t, (void)parent;
}

void placement_leave(struct placement *p, pid_t tid, struct placement_thread *t, bool gone)
{
	(void)p, (void)tid, (void)t, (void)gone;
}

void placement_free(struct placement *p)
{
	free(p);
}
