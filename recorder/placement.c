/*
 * placement.c - which threads share a CPU with the tracer, from when until when (contract in
 * placement.h; waiting is in stopwait.c, setting masks in pins.c).
 *
 * - A thread is hot when WINDOW stops took at most HOT_NS. Then its CPU time per stop is measured
 *   over one more window. A thread alone is pinned unless it computes and others wait for the
 *   tracer; of several, only those that do little between stops: on one CPU they would wait for
 *   each other. A pin is also a trial, for only on the tracer's CPU does a stop cost a thread no
 *   wake-up of another CPU, and its CPU time tells what it does by itself.
 * - Every TICK_NS each pinned thread is looked at again: cold or computing ones get their mask
 *   back. The clock of that is the stops themselves; a timer only helps out when none come.
 * - A CPU that somebody else uses, too, is left: all pins are undone, and the next ones are made on
 *   another CPU. When that is no better the time until the next such move doubles.
 */
#include "placement.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "affinity.h"
#include "clock.h"
#include "pins.h"
#include "stopwait.h"

#define WINDOW	     16u      /* stops */
#define HOT_NS	     8000000u /* 2,000 stops/s */
#define COLD_PER_S   500u
#define COLD_TICKS   3u
#define TICK_NS	     10000000u
#define IDLE_TICK_NS 25000000 /* of the timer */
/* CPU time per stop: of the only pinned thread, when others stop as well; of each of several;
 * and what a stop costs a thread on another CPU, which has to wake the tracer */
#define ALONE_NS    100000u
#define TOGETHER_NS 12000u
#define AWAY_NS	    15000u
/* not pinned again: after it turned out to compute, after it asked; doubles each time */
#define RETRY_NS	200000000u
#define RETRY_DOUBLINGS 4u
#define ASK_NS		100000000u
#define ASK_DOUBLINGS	7u
#define EMBARGO_NS	20000000u /* nobody is pinned while somebody looks */
#define SPIN_HOT_NS	5000000u
#define CROWDED_TICKS	3u
#define MOVE_NS		250000000u /* between two moves, at least; doubles each time */
#define MOVE_DOUBLINGS	8u

/* placement_thread.state */
#define KNOWN	  1u /* counted as a tracee */
#define MEASURING 2u /* cpu_ns is that of the window's start */
#define NEVER	  4u /* cannot be pinned */
#define SKIP_STOP 8u

struct placement {
	enum placement_mode mode;
	bool may_pin, has_timer, has_wait;
	struct stopwait wait;
	struct pins pins;
	timer_t timer;
	cpu_set_t own; /* the tracer's mask at the start */
	uint64_t tick_ns, embargo_ns, spin_until_ns;
	const struct placement_thread *free_one; /* hot, and left alone; only compared */
	uint64_t free_until_ns;
	uint64_t stops, tick_stops; /* of all; at the last tick */
	bool others;		    /* stopped since the tick before, beside the pinned ones */
	uint64_t run_ns, delay_ns;  /* of the tracer, at the last tick */
	unsigned crowded, moves;
	uint64_t no_move_ns; /* before that */
};

/* ---- making and ending ---- */

struct placement *placement_new_in(enum placement_mode mode, void *area, size_t area_len,
				   placement_observer *fn, void *arg)
{
	struct placement *p = calloc(1, sizeof(*p));
	int saved;

	if (!p)
		return NULL;
	p->mode = mode;
	p->has_wait = stopwait_init(&p->wait);
	if (!p->has_wait)
		goto fail;
	if (!affinity_get(0, &p->own)) {
		/* EINVAL: more CPUs than CPU_SETSIZE, none of which auto then uses */
		if (errno != EINVAL || mode == PLACE_COLOCATE)
			goto fail;
		memset(&p->own, 0xff, sizeof(p->own));
		return p;
	}
	if (mode != PLACE_AUTO && mode != PLACE_COLOCATE)
		return p;
	if (area && area_len < sizeof(struct guardian_area)) {
		errno = ENOBUFS;
		goto fail;
	}
	p->has_timer = stopwait_timer(&p->timer, STOPWAIT_USER);
	if (!p->has_timer)
		goto fail;
	p->pins.own = p->own;
	p->may_pin = pins_init(&p->pins, area, fn, arg);
	if (p->may_pin)
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

void placement_free(struct placement *p)
{
	if (!p)
		return;
	if (p->may_pin)
		pins_release(&p->pins);
	if (p->has_timer)
		timer_delete(p->timer);
	if (p->has_wait)
		stopwait_release(&p->wait);
	free(p);
}

void placement_child(const struct placement *p) { stopwait_child(&p->wait); }

/* ---- pinning ---- */

static void look_at_self(struct placement *p)
{
	affinity_sched(gettid(), &p->run_ns, &p->delay_ns);
}

/* Not permitted is for good; another mask, another CPU of the tracer's may come. */
static void cannot(struct placement_thread *t, uint64_t now)
{
	if (errno == EPERM)
		t->state |= NEVER;
	t->not_before_ns = now + RETRY_NS;
}

static void pin(struct placement *p, pid_t tid, struct placement_thread *t, uint64_t now)
{
	struct pin *pin = pins_add(&p->pins, tid, t);

	if (!pin) {
		cannot(t, now);
		return;
	}
	pin->stops = t->stops;
	pin->cpu_ns = t->cpu_ns;
	if (p->pins.n > 1)
		return;
	p->tick_ns = now;
	p->tick_stops = p->stops;
	p->others = false;
	p->crowded = 0;
	look_at_self(p);
	stopwait_arm(p->timer, IDLE_TICK_NS, IDLE_TICK_NS);
}

static void unpinned(struct placement *p, struct placement_thread *t)
{
	t->state &= (uint8_t)~MEASURING;
	t->stops = 0;
	if (!p->pins.n)
		stopwait_arm(p->timer, 0, 0);
}

static void unpin(struct placement *p, struct pin *pin)
{
	struct placement_thread *t = pin->thread;

	if (!pins_remove(&p->pins, pin))
		t->state |= NEVER; /* somebody else decided meanwhile */
	unpinned(p, t);
}

static void unpin_all(struct placement *p)
{
	while (p->pins.n)
		unpin(p, p->pins.v[p->pins.n - 1]);
}

/* ---- hot and cold ---- */

/* CPU time per stop that a pinned thread may take. One beside another that is hot and free is
 * not alone either: the tracer would be away from that one, on a busy CPU. */
static uint64_t cpu_limit(const struct placement *p, const struct placement_thread *t,
			  unsigned pinned, uint64_t now)
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

/* Returns the thread's CPU time since the last look. */
static uint64_t look_again(struct placement *p, struct pin *pin, uint64_t now, uint64_t elapsed)
{
	struct placement_thread *t = pin->thread;
	uint32_t stops = t->stops - pin->stops;
	uint64_t cpu_ns, delay, used = 0;

	pin->stops = t->stops;
	pin->cold = stops * 1000000000ull < elapsed * COLD_PER_S ? pin->cold + 1 : 0;
	if (affinity_sched(pin->tid, &cpu_ns, &delay)) {
		used = cpu_ns - pin->cpu_ns;
		pin->cpu_ns = cpu_ns;
	}
	if (used > cpu_limit(p, t, p->pins.n, now) * (stops ? stops : 1)) {
		leave_alone(p, t, now);
		unpin(p, pin);
	} else if (pin->cold >= COLD_TICKS) {
		t->retries = 0;
		unpin(p, pin);
	}
	return used;
}

/* The tracer has to wait for its CPU, and it is not the pinned threads that use it. */
static void look_for_crowd(struct placement *p, uint64_t now, uint64_t elapsed, uint64_t used)
{
	uint64_t run = p->run_ns, delay = p->delay_ns;

	look_at_self(p);
	used += p->run_ns - run;
	if (p->delay_ns - delay < elapsed / 4 || used > elapsed * 5 / 8) {
		p->crowded = 0;
		return;
	}
	if (++p->crowded < CROWDED_TICKS || now < p->no_move_ns || CPU_COUNT(&p->own) < 2)
		return;
	if (now > p->no_move_ns + ((uint64_t)MOVE_NS << p->moves))
		p->moves = 0; /* the last move did some good */
	p->no_move_ns = now + ((uint64_t)MOVE_NS << p->moves);
	if (p->moves < MOVE_DOUBLINGS)
		p->moves++;
	p->pins.avoid = p->pins.cpu;
	unpin_all(p);
}

static void tick(struct placement *p, uint64_t now)
{
	uint64_t elapsed = now - p->tick_ns, others = p->stops - p->tick_stops, used = 0;

	p->tick_ns = now;
	p->tick_stops = p->stops;
	if (p->mode == PLACE_COLOCATE)
		return;
	for (unsigned i = 0; i < p->pins.n; i++)
		others -= p->pins.v[i]->thread->stops - p->pins.v[i]->stops;
	p->others = others > 0;
	for (unsigned i = p->pins.n; i-- > 0;)
		used += look_again(p, p->pins.v[i], now, elapsed);
	if (p->pins.n)
		look_for_crowd(p, now, elapsed, used);
	if (p->pins.n)
		stopwait_arm(p->timer, IDLE_TICK_NS, IDLE_TICK_NS);
}

/* A hot window is over. */
static void consider(struct placement *p, pid_t tid, struct placement_thread *t, uint64_t now)
{
	uint64_t cpu_ns, delay, used;

	if (!p->may_pin)
		return;
	if (t->state & NEVER) {
		p->spin_until_ns = now + SPIN_HOT_NS;
		return;
	}
	if (now < t->not_before_ns || now < p->embargo_ns)
		return;
	if (!affinity_sched(tid, &cpu_ns, &delay)) {
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
	if (used > (cpu_limit(p, t, p->pins.n + 1, now) + AWAY_NS) * WINDOW)
		leave_alone(p, t, now);
	else
		pin(p, tid, t, now);
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

/* ---- what the engine tells ---- */

static void know(struct placement *p, struct placement_thread *t)
{
	if (t->state & KNOWN)
		return;
	t->state |= KNOWN;
	stopwait_count(&p->wait, 1);
}

void placement_stop(struct placement *p, pid_t tid, struct placement_thread *t, uint64_t now_ns)
{
	t->stops++;
	p->stops++;
	if (p->pins.n && now_ns - p->tick_ns >= TICK_NS)
		tick(p, now_ns);
	if (t->pinned) {
		struct pin *mine = t->pinned;

		if (mine->tid != tid)
			pins_rename(mine, tid);
		return;
	}
	know(p, t);
	if (p->mode == PLACE_COLOCATE) {
		if (t->state & SKIP_STOP)
			t->state &= (uint8_t)~SKIP_STOP;
		else if (!(t->state & NEVER) && now_ns >= p->embargo_ns &&
			 now_ns >= t->not_before_ns)
			pin(p, tid, t, now_ns);
	} else if (p->mode == PLACE_AUTO && t->stops >= WINDOW) {
		window_over(p, tid, t, now_ns);
	}
}

void placement_pause(struct placement *p, pid_t tid, struct placement_thread *t)
{
	(void)tid;
	if (t->pinned)
		unpin(p, t->pinned);
	t->stops = 0; /* never again at this very stop */
	t->state |= SKIP_STOP;
}

void placement_before_look(struct placement *p, pid_t tid, struct placement_thread *t)
{
	uint64_t now;

	if (!p->may_pin)
		return;
	now = now_ns();
	unpin_all(p);
	placement_pause(p, tid, t);
	p->embargo_ns = now + EMBARGO_NS;
	t->not_before_ns = now + ((uint64_t)ASK_NS << t->asks);
	if (t->asks < ASK_DOUBLINGS)
		t->asks++;
}

void placement_born(struct placement *p, pid_t tid, struct placement_thread *t,
		    struct placement_thread *parent)
{
	know(p, t);
	if (parent->pinned)
		pins_born(&p->pins, parent->pinned, tid);
}

void placement_leave(struct placement *p, pid_t tid, struct placement_thread *t, bool gone)
{
	(void)tid;
	if (t->pinned && gone) {
		pins_drop(&p->pins, t->pinned);
		unpinned(p, t);
	} else if (t->pinned) {
		unpin(p, t->pinned);
	}
	if (t->state & KNOWN)
		stopwait_count(&p->wait, -1);
	t->state = 0;
}

/* ---- waiting ---- */

static bool should_spin(const struct placement *p)
{
	if (p->pins.n || CPU_COUNT(&p->own) < 2)
		return false;
	return p->mode == PLACE_SPIN || (p->spin_until_ns && now_ns() < p->spin_until_ns);
}

pid_t placement_wait(struct placement *p, int *status)
{
	if (stopwait_fired & STOPWAIT_USER) {
		stopwait_fired &= ~STOPWAIT_USER;
		if (p->pins.n)
			tick(p, now_ns());
	}
	return stopwait_next(&p->wait, status, should_spin(p));
}

pid_t placement_poll(struct placement *p, int *status) { return stopwait_poll(&p->wait, status); }
