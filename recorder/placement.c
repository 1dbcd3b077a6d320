/*
 * placement.c - which threads share a CPU with the tracer, and since when and until when
 * (contract in placement.h; waiting is in stopwait.c, the guardian in guardian.c).
 *
 * - A thread is hot when WINDOW stops took at most HOT_NS. Then its CPU time per stop is measured over
 *   one more window. A thread alone is pinned unless it computes and others wait for the tracer;
 *   of several, only those that do little between stops: on one CPU they would wait for each
 *   other. A pin is also a trial, for only on the tracer's CPU does a stop cost a thread no
 *   wake-up of another CPU, and its CPU time tells what it does by itself.
 * - The CPU is where the tracer runs when the first pin is made, if both masks allow it. The tracer
 *   itself is pinned there while any thread is.
 * - Every TICK_NS each pinned thread is looked at again: cold or computing ones get their mask
 *   back. The clock of that is the stops themselves; a timer only helps out when none come.
 * - A mask is put back only if it is still the one that was set.
 * - Real-time and idle-priority threads are left alone: with them on its CPU the tracer would not
 *   run, or they would not.
 */
#include "placement.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "affinity.h"
#include "guardian.h"
#include "stopwait.h"

#define WINDOW          16u             /* stops */
#define HOT_NS          8000000u        /* 2,000 stops/s */
#define COLD_PER_S      500u
#define COLD_TICKS      3u
#define TICK_NS         10000000u
#define IDLE_TICK_NS    25000000        /* of the timer */
#define ALONE_NS        100000u         /* CPU time per stop of the only pinned thread, others stop, too */
#define TOGETHER_NS     12000u          /* of each of several */
#define AWAY_NS         15000u          /* that a stop costs a thread on another CPU: it wakes the tracer */
#define RETRY_NS        200000000u      /* until a thread that computes is tried again; doubles each time */
#define RETRY_DOUBLINGS 4u
#define ASK_NS          100000000u      /* unpinned after it asked; doubles each time */
#define ASK_DOUBLINGS   7u
#define EMBARGO_NS      20000000u       /* nobody is pinned while somebody looks */
#define SPIN_HOT_NS     5000000u

/* placement_thread.state */
#define KNOWN     1u                    /* counted as a tracee */
#define MEASURING 2u                    /* cpu_ns is that of the window's start */
#define NEVER     4u                    /* cannot be pinned */
#define SKIP_STOP 8u

struct pin {
	struct placement_thread *thread;
	pid_t tid;
	unsigned cold;
	uint32_t stops;                 /* of the thread, at the last tick */
	uint64_t cpu_ns;
	cpu_set_t old, restore;
	struct guardian_pin *guarded;
};

struct placement {
	enum placement_mode mode;
	placement_observer *fn;
	void *arg;
	struct stopwait wait;
	struct guardian *guardian;
	timer_t timer;
	bool has_timer;
	cpu_set_t own;                  /* the tracer's mask at the start */
	cpu_set_t one;                  /* the CPU of all pins */
	int cpu;
	struct pin *pins[GUARDIAN_PINS];
	unsigned npins;
	uint64_t tick_ns, embargo_ns, spin_until_ns;
	const struct placement_thread *free_one;        /* hot, and left alone; only compared */
	uint64_t free_until_ns;
	uint64_t stops, tick_stops;     /* of all; at the last tick */
	bool others;                    /* stopped since the tick before, beside the pinned ones */
};

static uint64_t clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static bool pins(const struct placement *p)
{
	return p->mode == PLACE_AUTO || p->mode == PLACE_COLOCATE;
}

/* ---- making and ending ---- */

struct placement *placement_new_in(enum placement_mode mode, void *area, size_t area_len,
                                   placement_observer *fn, void *arg)
{
	struct placement *p = calloc(1, sizeof(*p));
	int saved;

	if (!p)
		return NULL;
	p->mode = mode;
	p->fn = fn;
	p->arg = arg;
	p->cpu = -1;
	if (!stopwait_init(&p->wait) || !affinity_get(0, &p->own))
		goto fail;
	if (!pins(p))
		return p;
	if (area_len < sizeof(struct guardian_area))
		area = NULL;
	p->has_timer = stopwait_timer(&p->timer, STOPWAIT_USER);
	if (!p->has_timer)
		goto fail;
	p->guardian = guardian_new(area);
	if (p->guardian)
		return p;
fail:
	saved = errno;
	placement_free(p);
	errno = saved;
	return NULL;
}

struct placement *placement_new(enum placement_mode mode, placement_observer *fn, void *arg)
{
	return placement_new_in(mode, NULL, 0, fn, arg);
}

void placement_child(const struct placement *p)
{
	stopwait_child(&p->wait);
}

/* ---- one pin ---- */

static void tell(const struct placement *p, pid_t tid, bool set, const cpu_set_t *from, const cpu_set_t *to)
{
	char a[AFFINITY_HEX_MAX], b[AFFINITY_HEX_MAX];

	if (!p->fn)
		return;
	affinity_hex(from, a);
	affinity_hex(to, b);
	p->fn(p->arg, tid, set, a, b);
}

static void tracer_home(struct placement *p)
{
	cpu_set_t now;

	if (affinity_get(0, &now) && affinity_is_one(&now, p->cpu))
		affinity_set(0, &p->own);
	p->cpu = -1;
}

static void drop(struct placement *p, struct pin *pin)
{
	for (unsigned i = 0; i < p->npins; i++)
		if (p->pins[i] == pin) {
			p->pins[i] = p->pins[--p->npins];
			break;
		}
	pin->thread->pinned = NULL;
	pin->thread->state &= (uint8_t)~MEASURING;
	pin->thread->stops = 0;
	guardian_give_back(pin->guarded);
	free(pin);
	if (p->npins)
		return;
	stopwait_arm(p->timer, 0, 0);
	tracer_home(p);
}

static void unpin(struct placement *p, struct pin *pin)
{
	cpu_set_t now;

	if (affinity_get(pin->tid, &now)) {
		if (!affinity_is_one(&now, p->cpu))
			pin->thread->state |= NEVER;    /* somebody else decided meanwhile */
		else if (affinity_set(pin->tid, &pin->restore))
			tell(p, pin->tid, false, &p->one, &pin->old);
	}
	drop(p, pin);
}

/* The tracer's CPU of the moment, if the thread may run there; else the first that both may. */
static int choose_cpu(const struct placement *p, const cpu_set_t *mask)
{
	int here = sched_getcpu();
	cpu_set_t both;

	CPU_AND(&both, &p->own, mask);
	if (here >= 0 && here < CPU_SETSIZE && CPU_ISSET((size_t)here, &both))
		return here;
	for (int i = 0; i < CPU_SETSIZE; i++)
		if (CPU_ISSET((size_t)i, &both))
			return i;
	return -1;
}

static bool schedules_normally(pid_t tid)
{
	int policy = sched_getscheduler(tid) & ~SCHED_RESET_ON_FORK;

	return policy == SCHED_OTHER || policy == SCHED_BATCH;
}

/* The CPU for this thread, with the tracer on it; -1 when there is none. */
static int tracer_beside(struct placement *p, const cpu_set_t *mask)
{
	int cpu = p->npins ? p->cpu : choose_cpu(p, mask);

	if (cpu < 0 || !CPU_ISSET((size_t)cpu, mask))
		return -1;
	if (p->npins)
		return cpu;
	affinity_one(cpu, &p->one);
	if (!affinity_set(0, &p->one))
		return -1;
	p->cpu = cpu;
	return cpu;
}

static bool pin_thread(struct placement *p, pid_t tid, struct placement_thread *t, uint64_t now)
{
	struct pin *pin = p->npins < GUARDIAN_PINS ? calloc(1, sizeof(*pin)) : NULL;
	int error;

	if (!pin)
		return false;
	errno = 0;
	pin->thread = t;
	pin->tid = tid;
	pin->stops = t->stops;
	pin->cpu_ns = t->cpu_ns;
	if (!affinity_get(tid, &pin->old) || CPU_COUNT(&pin->old) < 2 || !schedules_normally(tid) ||
	    tracer_beside(p, &pin->old) < 0)
		goto no;
	affinity_to_restore(tid, &pin->old, &pin->restore);
	pin->guarded = guardian_take(p->guardian, tid, p->cpu, &pin->restore);
	if (!pin->guarded)
		goto no;
	if (!affinity_set(tid, &p->one)) {
		guardian_give_back(pin->guarded);
		goto no;
	}
	p->pins[p->npins++] = pin;
	t->pinned = pin;
	if (p->npins == 1) {
		p->tick_ns = now;
		p->tick_stops = p->stops;
		p->others = false;
		stopwait_arm(p->timer, IDLE_TICK_NS, IDLE_TICK_NS);
	}
	tell(p, tid, true, &pin->old, &p->one);
	return true;
no:
	error = errno;
	if (!p->npins && p->cpu >= 0)
		tracer_home(p);
	free(pin);
	errno = error;
	return false;
}

/* ---- hot and cold ---- */

/* CPU time per stop that a pinned thread may take. One beside another that is hot and free is
 * not alone either: the tracer would be away from that one, on a busy CPU. */
static uint64_t cpu_limit(const struct placement *p, const struct placement_thread *t, unsigned pinned,
                          uint64_t now)
{
	if (pinned > 1 || (now < p->free_until_ns && p->free_one != t))
		return TOGETHER_NS;
	return p->others ? ALONE_NS : UINT32_MAX;
}

static void leave_alone(struct placement *p, struct placement_thread *t, uint64_t now)
{
	t->not_before_ns = now + ((uint64_t)RETRY_NS << t->retries);
	p->free_until_ns = t->not_before_ns + RETRY_NS;
	p->free_one = t;
	if (t->retries < RETRY_DOUBLINGS)
		t->retries++;
}

static void look_again(struct placement *p, struct pin *pin, uint64_t now, uint64_t elapsed)
{
	uint32_t stops = pin->thread->stops - pin->stops;
	uint64_t cpu_ns, used = 0;

	pin->stops = pin->thread->stops;
	pin->cold = stops * 1000000000ull < elapsed * COLD_PER_S ? pin->cold + 1 : 0;
	if (affinity_cpu_ns(pin->tid, &cpu_ns)) {
		used = cpu_ns - pin->cpu_ns;
		pin->cpu_ns = cpu_ns;
	}
	if (used > cpu_limit(p, pin->thread, p->npins, now) * (stops ? stops : 1)) {
		leave_alone(p, pin->thread, now);
		unpin(p, pin);
	} else if (pin->cold >= COLD_TICKS) {
		pin->thread->retries = 0;
		unpin(p, pin);
	}
}

static void tick(struct placement *p, uint64_t now)
{
	uint64_t elapsed = now - p->tick_ns, others = p->stops - p->tick_stops;

	p->tick_ns = now;
	p->tick_stops = p->stops;
	if (p->mode == PLACE_COLOCATE)
		return;
	for (unsigned i = 0; i < p->npins; i++)
		others -= p->pins[i]->thread->stops - p->pins[i]->stops;
	p->others = others > 0;
	for (unsigned i = p->npins; i-- > 0;)
		look_again(p, p->pins[i], now, elapsed);
	if (p->npins)
		stopwait_arm(p->timer, IDLE_TICK_NS, IDLE_TICK_NS);
}

/* Not permitted is for good; another mask, another CPU of the tracer's may come. */
static void cannot(struct placement_thread *t, uint64_t now)
{
	if (errno == EPERM)
		t->state |= NEVER;
	t->not_before_ns = now + RETRY_NS;
}

/* A hot window is over. */
static void consider(struct placement *p, pid_t tid, struct placement_thread *t, uint64_t now)
{
	uint64_t cpu_ns, used;

	if (!pins(p))
		return;
	if (t->state & NEVER) {
		p->spin_until_ns = now + SPIN_HOT_NS;
		return;
	}
	if (now < t->not_before_ns || now < p->embargo_ns)
		return;
	if (!affinity_cpu_ns(tid, &cpu_ns)) {
		t->state |= NEVER;
		return;
	}
	if (!(t->state & MEASURING)) {
		t->state |= MEASURING;
		t->cpu_ns = cpu_ns;
		return;
	}
	used = cpu_ns - t->cpu_ns;
	t->cpu_ns = cpu_ns;
	t->state &= (uint8_t)~MEASURING;
	if (used > (cpu_limit(p, t, p->npins + 1, now) + AWAY_NS) * WINDOW)
		leave_alone(p, t, now);
	else if (!pin_thread(p, tid, t, now))
		cannot(t, now);
}

static void window_over(struct placement *p, pid_t tid, struct placement_thread *t, uint64_t now)
{
	bool hot = now - t->window_start_ns <= HOT_NS;

	t->window_start_ns = now;
	t->stops = 0;
	if (hot)
		consider(p, tid, t, now);
	else
		t->state &= (uint8_t)~MEASURING;
}

static void know(struct placement *p, struct placement_thread *t)
{
	if (t->state & KNOWN)
		return;
	t->state |= KNOWN;
	stopwait_count(&p->wait, 1);
}

void placement_stop(struct placement *p, pid_t tid, struct placement_thread *t, uint64_t now_ns)
{
	struct pin *pin = t->pinned;

	t->stops++;
	p->stops++;
	if (p->npins && now_ns - p->tick_ns >= TICK_NS) {
		tick(p, now_ns);
		pin = t->pinned;
	}
	if (pin) {
		if (pin->tid != tid) {          /* execve renamed it */
			pin->tid = tid;
			pin->guarded->tid = tid;
		}
		return;
	}
	know(p, t);
	if (p->mode == PLACE_COLOCATE) {
		if (t->state & SKIP_STOP)
			t->state &= (uint8_t)~SKIP_STOP;
		else if (!(t->state & NEVER) && now_ns >= p->embargo_ns && now_ns >= t->not_before_ns && !pin_thread(p, tid, t, now_ns))
			cannot(t, now_ns);
	} else if (p->mode != PLACE_NONE && t->stops >= WINDOW) {
		window_over(p, tid, t, now_ns);
	}
}

/* ---- moments at which the mask must be the thread's own ---- */

void placement_pause(struct placement *p, pid_t tid, struct placement_thread *t)
{
	(void)tid;
	if (t->pinned)
		unpin(p, t->pinned);
	t->stops = 0;                   /* never again at this very stop */
	t->state |= SKIP_STOP;
}

void placement_before_look(struct placement *p, pid_t tid, struct placement_thread *t)
{
	uint64_t now = clock_ns();

	while (p->npins)
		unpin(p, p->pins[p->npins - 1]);
	placement_pause(p, tid, t);
	p->embargo_ns = now + EMBARGO_NS;
	t->not_before_ns = now + ((uint64_t)ASK_NS << t->asks);
	if (t->asks < ASK_DOUBLINGS)
		t->asks++;
}

void placement_born(struct placement *p, pid_t tid, struct placement_thread *t,
                    struct placement_thread *parent)
{
	struct pin *pin = parent->pinned;
	cpu_set_t mask;

	know(p, t);
	if (!pin || !affinity_get(tid, &mask) || !affinity_is_one(&mask, p->cpu))
		return;
	if (affinity_set(tid, &pin->restore))
		tell(p, tid, false, &p->one, &pin->old);
}

void placement_leave(struct placement *p, pid_t tid, struct placement_thread *t, bool gone)
{
	(void)tid;
	if (t->pinned && gone)
		drop(p, t->pinned);
	else if (t->pinned)
		unpin(p, t->pinned);
	if (t->state & KNOWN)
		stopwait_count(&p->wait, -1);
	t->state = 0;
}

void placement_free(struct placement *p)
{
	if (!p)
		return;
	while (p->npins)
		unpin(p, p->pins[p->npins - 1]);
	if (p->has_timer)
		timer_delete(p->timer);
	guardian_free(p->guardian);
	stopwait_release(&p->wait);
	free(p);
}

/* ---- waiting ---- */

static bool should_spin(const struct placement *p)
{
	if (p->npins || CPU_COUNT(&p->own) < 2)
		return false;
	return p->mode == PLACE_SPIN || (p->spin_until_ns && clock_ns() < p->spin_until_ns);
}

pid_t placement_wait(struct placement *p, int *status)
{
	if (stopwait_fired & STOPWAIT_USER) {
		stopwait_fired &= ~STOPWAIT_USER;
		if (p->npins)
			tick(p, clock_ns());
	}
	return stopwait_next(&p->wait, status, should_spin(p));
}

pid_t placement_poll(struct placement *p, int *status)
{
	return stopwait_poll(&p->wait, status);
}
