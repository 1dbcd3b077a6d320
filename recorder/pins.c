/*
 * pins.c - setting masks and putting them back (contract in pins.h).
 *
 * - A pin is written into the guardian's area before the mask is set and taken out after it was put
 *   back, so that at no moment a mask is set which nobody would put back.
 * - A mask is put back only if it is still the one that was set.
 * - Real-time and idle-priority threads are never pinned: with them on its CPU the tracer would
 *   not run, or they would not.
 */
#include "pins.h"

#include <errno.h>
#include <stdlib.h>

#include "affinity.h"

bool pins_init(struct pins *s, struct guardian_area *area, placement_observer *fn, void *arg)
{
	s->n = 0;
	s->cpu = s->avoid = -1;
	s->fn = fn;
	s->arg = arg;
	s->guardian = guardian_new(area);
	return s->guardian != NULL;
}

void pins_release(struct pins *s)
{
	while (s->n)
		pins_remove(s, s->v[s->n - 1]);
	guardian_free(s->guardian);
	s->guardian = NULL;
}

static void tell(const struct pins *s, pid_t tid, bool set, const cpu_set_t *from,
		 const cpu_set_t *to)
{
	char a[AFFINITY_HEX_MAX], b[AFFINITY_HEX_MAX];

	if (!s->fn)
		return;
	affinity_hex(from, a);
	affinity_hex(to, b);
	s->fn(s->arg, tid, set, a, b);
}

/* ---- the tracer ---- */

static int first_cpu(const cpu_set_t *set, int but)
{
	for (int i = 0; i < CPU_SETSIZE; i++)
		if (i != but && CPU_ISSET((size_t)i, set))
			return i;
	return -1;
}

/* The tracer's CPU of the moment, if the thread may run there; else the first that both may. */
static int choose_cpu(const struct pins *s, const cpu_set_t *mask)
{
	int here = sched_getcpu(), other;
	cpu_set_t both;

	CPU_AND(&both, &s->own, mask);
	if (here >= 0 && here < CPU_SETSIZE && here != s->avoid && CPU_ISSET((size_t)here, &both))
		return here;
	other = first_cpu(&both, s->avoid);
	return other >= 0 ? other : first_cpu(&both, -1);
}

/* With the tracer on the CPU of the pins, which the thread must allow. */
static bool tracer_there(struct pins *s, const cpu_set_t *mask)
{
	int cpu = s->n ? s->cpu : choose_cpu(s, mask);

	if (cpu < 0 || !CPU_ISSET((size_t)cpu, mask))
		return false;
	if (s->n)
		return true;
	affinity_one(cpu, &s->one);
	if (!affinity_set(0, &s->one))
		return false;
	s->cpu = cpu;
	return true;
}

static void tracer_home(struct pins *s)
{
	cpu_set_t now;

	if (s->cpu >= 0 && affinity_get(0, &now) && affinity_is_one(&now, s->cpu))
		affinity_set(0, &s->own);
	s->cpu = -1;
}

/* ---- one pin ---- */

static bool schedules_normally(pid_t tid)
{
	int policy = sched_getscheduler(tid);

	policy = policy < 0 ? policy : policy & ~SCHED_RESET_ON_FORK;
	return policy == SCHED_OTHER || policy == SCHED_BATCH;
}

static bool set_mask(struct pins *s, struct pin *pin)
{
	if (!affinity_get(pin->tid, &pin->old) || CPU_COUNT(&pin->old) < 2 ||
	    !schedules_normally(pin->tid) || !tracer_there(s, &pin->old))
		return false;
	affinity_to_restore(pin->tid, &pin->old, &pin->restore);
	errno = 0;
	pin->guarded = guardian_take(s->guardian, pin->tid, s->cpu, &pin->restore);
	if (!pin->guarded)
		return false;
	if (affinity_set(pin->tid, &s->one))
		return true;
	guardian_give_back(pin->guarded);
	return false;
}

struct pin *pins_add(struct pins *s, pid_t tid, struct placement_thread *thread)
{
	struct pin *pin = s->n < GUARDIAN_PINS ? calloc(1, sizeof(*pin)) : NULL;
	int error;

	errno = 0;
	if (!pin)
		return NULL;
	pin->thread = thread;
	pin->tid = tid;
	if (!set_mask(s, pin)) {
		error = errno;
		if (!s->n)
			tracer_home(s);
		free(pin);
		errno = error;
		return NULL;
	}
	s->v[s->n++] = pin;
	thread->pinned = pin;
	tell(s, tid, true, &pin->old, &s->one);
	return pin;
}

void pins_drop(struct pins *s, struct pin *pin)
{
	for (unsigned i = 0; i < s->n; i++)
		if (s->v[i] == pin) {
			s->v[i] = s->v[--s->n];
			break;
		}
	pin->thread->pinned = NULL;
	guardian_give_back(pin->guarded);
	free(pin);
	if (!s->n)
		tracer_home(s);
}

bool pins_remove(struct pins *s, struct pin *pin)
{
	cpu_set_t now;
	bool foreign = false;

	if (affinity_get(pin->tid, &now)) {
		foreign = !affinity_is_one(&now, s->cpu);
		if (!foreign && affinity_set(pin->tid, &pin->restore))
			tell(s, pin->tid, false, &s->one, &pin->old);
	}
	pins_drop(s, pin);
	return !foreign;
}

void pins_rename(struct pin *pin, pid_t tid)
{
	pin->tid = tid;
	pin->guarded->tid = tid;
}

void pins_born(struct pins *s, const struct pin *parent, pid_t tid)
{
	cpu_set_t mask;

	if (affinity_get(tid, &mask) && affinity_is_one(&mask, s->cpu) &&
	    affinity_set(tid, &parent->restore))
		tell(s, tid, false, &s->one, &parent->old);
}
