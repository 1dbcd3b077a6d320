/* placement.c - masks during and after tracing, whoever ends first; waiting with many tracees. */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mman.h>

#include "affinity.h"
#include "mini_tracer.h"
#include "tap.h"

#define KILLS 20

static cpu_set_t all;
static int first_cpu, second_cpu;

/* What the processes of a test tell each other. */
struct shared {
	_Atomic int go, leave;
	_Atomic unsigned sets, restores, bad_looks, looks, done;
	_Atomic uint64_t worst_ns, ns;
	_Atomic int children[64];
	_Atomic unsigned nchildren;
};

static struct shared *sh;

static void sh_reset(void) { memset((void *)sh, 0, sizeof(*sh)); }

/* ---- the tracer, a child ---- */

static volatile sig_atomic_t leave_now;

static void on_leave(int sig)
{
	(void)sig;
	leave_now = 1;
}

static void count(void *arg, pid_t tid, bool set, const char *old_mask, const char *new_mask)
{
	(void)arg, (void)tid, (void)old_mask, (void)new_mask;
	atomic_fetch_add(set ? &sh->sets : &sh->restores, 1);
}

/* Traces the process until it ends or SIGUSR1 comes (again and again, as control does it). */
static pid_t trace(enum placement_mode mode, pid_t target, const cpu_set_t *tracer_mask)
{
	pid_t pid = fork();

	if (pid == 0) {
		struct sigaction sa = { .sa_handler = on_leave };
		struct mini *m = calloc(1, sizeof(*m));

		sigaction(SIGUSR1, &sa, NULL);
		if (tracer_mask)
			affinity_set(0, tracer_mask);
		m->place = placement_new(mode, count, NULL);
		m->stop = &leave_now;
		if (!m->place || !mini_attach(m, target))
			_exit(1);
		atomic_store(&sh->go, getpid());
		mini_run(m);
		placement_free(m->place);
		_exit(0);
	}
	while (!atomic_load(&sh->go))
		mini_nap_ms(1);
	return pid;
}

static int leave(pid_t tracer)
{
	int status = -1;

	for (int i = 0; i < 1000 && waitpid(tracer, &status, WNOHANG) == 0; i++) {
		kill(tracer, SIGUSR1);
		mini_nap_ms(10);
	}
	return status;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, __WALL);
}

static uint64_t own_worst_ns; /* the longest nap of 1 ms of this process, which nobody traces */

static bool until(const _Atomic unsigned *n, unsigned at_least, unsigned ms)
{
	for (; ms && atomic_load(n) < at_least; ms--) {
		uint64_t t = mini_now();

		mini_nap_ms(1);
		t = mini_now() - t;
		own_worst_ns = t > own_worst_ns ? t : own_worst_ns;
	}
	return atomic_load(n) >= at_least;
}

/* ---- targets ---- */

static void await_tracer(void)
{
	while (!atomic_load(&sh->go))
		mini_nap_ms(1);
}

static void *hot_thread(void *arg)
{
	(void)arg;
	for (;;)
		syscall(SYS_getppid);
	return NULL;
}

static void more_threads(unsigned n, void *(*fn)(void *))
{
	pthread_attr_t attr;
	pthread_t t;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 64 << 10);
	while (n-- > 0)
		if (pthread_create(&t, &attr, fn, NULL) != 0)
			_exit(3);
}

static void run_hot(void)
{
	more_threads(1, hot_thread);
	hot_thread(NULL);
}

static void *quiet_thread(void *arg)
{
	(void)arg;
	for (;;)
		pause();
	return NULL;
}

static pid_t start(void (*fn)(void), const cpu_set_t *mask)
{
	pid_t pid = fork();

	if (pid == 0) {
		if (mask)
			affinity_set(0, mask);
		fn();
		_exit(0);
	}
	return pid;
}

/* All threads of the process have this mask, and nobody traces them. */
static bool masks_are(pid_t pid, const cpu_set_t *want)
{
	char path[64], line[256];
	DIR *d;
	struct dirent *e;
	bool same = true;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	d = opendir(path);
	while (d && (e = readdir(d)) != NULL) {
		pid_t tid = (pid_t)atoi(e->d_name);
		cpu_set_t now;

		if (tid > 0 && affinity_get(tid, &now) && !CPU_EQUAL(&now, want))
			same = false;
		snprintf(line, sizeof(line), "/proc/%d/status", (int)tid);
		f = tid > 0 ? fopen(line, "r") : NULL;
		while (f && fgets(line, sizeof(line), f))
			if (!strncmp(line, "TracerPid:", 10) && atoi(line + 10) != 0)
				same = false;
		if (f)
			fclose(f);
	}
	if (d)
		closedir(d);
	return same;
}

static bool masks_become(pid_t pid, const cpu_set_t *want)
{
	for (int i = 0; i < 200; i++, mini_nap_ms(10))
		if (masks_are(pid, want))
			return true;
	return false;
}

static bool mask_becomes(pid_t tid, const cpu_set_t *want)
{
	for (int i = 0; i < 200; i++, mini_nap_ms(10)) {
		cpu_set_t now;

		if (affinity_get(tid, &now) && CPU_EQUAL(&now, want))
			return true;
	}
	return false;
}

/* ---- ends ---- */

static void test_detach(enum placement_mode mode, const char *name)
{
	pid_t target, tracer;

	sh_reset();
	target = start(run_hot, NULL);
	mini_nap_ms(20);
	tracer = trace(mode, target, NULL);
	if (mode == PLACE_AUTO || mode == PLACE_COLOCATE)
		ok(until(&sh->sets, 2, 2000), "%s: both hot threads are pinned", name);
	else
		ok(!until(&sh->sets, 1, 100), "%s: nothing is pinned", name);
	is_int(leave(tracer), 0, "the tracer leaves");
	ok(masks_are(target, &all), "%s: masks after detaching are those before", name);
	ok(sh->sets == sh->restores, "%s: %u set, %u restored", name, sh->sets, sh->restores);
	end(target);
}

static void test_sigkill(void)
{
	unsigned good = 0, pinned = 0;

	srand(7);
	for (int i = 0; i < KILLS; i++) {
		pid_t target, tracer;

		sh_reset();
		target = start(run_hot, NULL);
		tracer = trace(PLACE_AUTO, target, NULL);
		usleep((unsigned)(rand() % (i % 2 ? 3000 : 40000)));
		end(tracer);
		pinned += sh->sets > sh->restores;
		good += masks_become(target, &all);
		end(target);
	}
	diag("%u of %u tracers were killed while threads were pinned", pinned, KILLS);
	is_int(good, KILLS, "masks after SIGKILL of the tracer are those before");
}

static void run_brief(void)
{
	await_tracer();
	for (int i = 0; i < 20000; i++)
		syscall(SYS_getppid);
}

static void test_target_ends(void)
{
	pid_t target, tracer;
	int status = -1;

	sh_reset();
	target = start(run_brief, NULL);
	tracer = trace(PLACE_AUTO, target, NULL);
	waitpid(target, NULL, 0);
	for (int i = 0; i < 500 && waitpid(tracer, &status, WNOHANG) == 0; i++)
		mini_nap_ms(10);
	is_int(status, 0, "the tracer ends with its last tracee");
}

/* ---- a target that looks ---- */

static void look(pid_t tid)
{
	cpu_set_t now;
	unsigned cpu = 0;

	atomic_fetch_add(&sh->looks, 1);
	if (!affinity_get(tid, &now) || !CPU_EQUAL(&now, &all))
		atomic_fetch_add(&sh->bad_looks, 1);
	if (syscall(SYS_getcpu, &cpu, NULL, NULL) != 0 || !CPU_ISSET(cpu, &all))
		atomic_fetch_add(&sh->bad_looks, 1);
}

static _Atomic pid_t sibling;

static void *hot_sibling(void *arg)
{
	atomic_store(&sibling, gettid());
	return hot_thread(arg);
}

static void run_looking(void)
{
	await_tracer();
	more_threads(1, hot_sibling);
	while (!atomic_load(&sibling))
		;
	for (int i = 0; i < 12; i++) {
		/* long enough that the sibling is pinned again */
		for (int j = 0; j < 1500; j++)
			syscall(SYS_getppid);
		look(0);
		look(atomic_load(&sibling));
	}
	atomic_store(&sh->done, 1);
	for (;;)
		pause();
}

static void test_looks(void)
{
	pid_t target, tracer;

	sh_reset();
	target = start(run_looking, NULL);
	tracer = trace(PLACE_AUTO, target, NULL);
	ok(until(&sh->done, 1, 20000), "a target that looks at its masks runs to its end");
	ok(sh->sets > 0, "it was pinned between looks (%u times)", sh->sets);
	ok(sh->looks > 0 && sh->bad_looks == 0,
	   "%u looks, at itself and its sibling: its own mask always", sh->looks);
	leave(tracer);
	end(target);
}

/* ---- children ---- */

static void *brief_thread(void *arg)
{
	(void)arg;
	atomic_store(&sh->children[atomic_fetch_add(&sh->nchildren, 1)], gettid());
	for (;;)
		pause();
	return NULL;
}

static void run_births(void)
{
	await_tracer();
	for (int i = 0; i < 10; i++) {
		pid_t pid;

		for (int j = 0; j < 500; j++)
			syscall(SYS_getppid);
		pid = fork();
		if (pid == 0) {
			atomic_store(&sh->children[atomic_fetch_add(&sh->nchildren, 1)], getpid());
			for (;;)
				pause();
		}
		for (int j = 0; j < 500; j++)
			syscall(SYS_getppid);
		more_threads(1, brief_thread);
	}
	atomic_store(&sh->done, 1);
	hot_thread(NULL);
}

static unsigned children_with(const cpu_set_t *mask)
{
	unsigned n = 0;

	for (unsigned i = 0; i < sh->nchildren; i++) {
		cpu_set_t now;

		n += affinity_get(sh->children[i], &now) && CPU_EQUAL(&now, mask);
	}
	return n;
}

static void end_children(void)
{
	for (unsigned i = 0; i < sh->nchildren; i++)
		kill(sh->children[i], SIGKILL);
}

static void test_births(void)
{
	pid_t target, tracer;

	sh_reset();
	target = start(run_births, NULL);
	tracer = trace(PLACE_AUTO, target, NULL);
	ok(until(&sh->done, 1, 20000) && until(&sh->nchildren, 20, 2000),
	   "a hot target makes 20 children");
	ok(sh->sets > 0, "it was pinned between births (%u times)", sh->sets);
	is_int(children_with(&all), 20, "each has the mask of its parent, not the pin");
	leave(tracer);
	is_int(children_with(&all), 20, "and after the tracer left, too");
	end_children();
	end(target);
}

static void test_births_sigkill(void)
{
	unsigned good = 0, born = 0;

	for (int i = 0; i < 8; i++) {
		pid_t target, tracer;

		sh_reset();
		target = start(run_births, NULL);
		tracer = trace(PLACE_AUTO, target, NULL);
		usleep((unsigned)(rand() % 60000));
		end(tracer);
		masks_become(target, &all);
		until(&sh->nchildren, 20, 5000);
		for (int j = 0; j < 200 && children_with(&all) < sh->nchildren; j++)
			mini_nap_ms(10);
		born += sh->nchildren;
		good += children_with(&all);
		end_children();
		end(target);
	}
	is_int(good, born, "children born around the SIGKILL of the tracer have the right mask");
}

/* ---- restricted masks ---- */

static void test_restricted(void)
{
	cpu_set_t one, other;
	pid_t target, tracer;

	affinity_one(first_cpu, &one);
	affinity_one(second_cpu, &other);
	sh_reset();
	target = start(run_hot, &one);
	tracer = trace(PLACE_AUTO, target, &other);
	ok(!until(&sh->sets, 1, 200),
	   "a target on one CPU, the tracer on another: nothing is pinned");
	ok(leave(tracer) == 0 && masks_are(target, &one), "its mask is as before");
	end(target);

	sh_reset();
	target = start(run_hot, NULL);
	tracer = trace(PLACE_COLOCATE, target, &other);
	ok(mask_becomes(target, &other), "a tracer on one CPU pins there");
	leave(tracer);
	ok(masks_are(target, &all), "masks after that are those before");
	end(target);
}

static void test_foreign(void)
{
	cpu_set_t now, theirs;
	pid_t target, tracer;

	sh_reset();
	target = start(run_hot, NULL);
	tracer = trace(PLACE_COLOCATE, target, NULL);
	until(&sh->sets, 2, 2000);
	affinity_get(target, &now);
	ok(CPU_COUNT(&now) == 1, "pinned");
	affinity_one(CPU_ISSET((size_t)first_cpu, &now) ? second_cpu : first_cpu, &theirs);
	affinity_set(target, &theirs);
	leave(tracer);
	ok(affinity_get(target, &now) && CPU_EQUAL(&now, &theirs),
	   "a mask set by somebody else meanwhile stays");
	end(target);
}

static void run_realtime(void)
{
	struct sched_param sp = { .sched_priority = 1 };

	await_tracer();
	if (sched_setscheduler(0, SCHED_FIFO, &sp) != 0)
		atomic_store(&sh->done, 2);
	for (int i = 0; i < 20000; i++)
		syscall(SYS_getppid);
	atomic_fetch_or(&sh->done, 1);
	for (;;)
		pause();
}

static void test_realtime(void)
{
	pid_t target, tracer;

	sh_reset();
	target = start(run_realtime, NULL);
	tracer = trace(PLACE_AUTO, target, NULL);
	ok(until(&sh->done, 1, 20000), "a SCHED_FIFO target goes on");
	if (sh->done & 2)
		diag("SCHED_FIFO is not permitted here");
	else
		ok(sh->sets == 0, "and is not pinned");
	leave(tracer);
	end(target);
}

/* ---- hot, cold, computing ---- */

static void run_then_idle(void)
{
	await_tracer();
	for (int i = 0; i < 3000; i++)
		syscall(SYS_getppid);
	atomic_store(&sh->done, 1);
	for (;;)
		pause();
}

static void test_cold(void)
{
	pid_t target, tracer;

	sh_reset();
	target = start(run_then_idle, NULL);
	tracer = trace(PLACE_AUTO, target, NULL);
	ok(until(&sh->done, 1, 5000) && sh->sets > 0, "a hot thread is pinned");
	ok(until(&sh->restores, sh->sets, 1000), "and un-pinned once it is idle");
	leave(tracer);
	end(target);
}

static void *computing_thread(void *arg)
{
	(void)arg;
	for (;;) {
		syscall(SYS_getppid);
		for (volatile int i = 0; i < 400000; i++) /* about 0.1 ms */
			;
	}
	return NULL;
}

static void run_computing(void)
{
	more_threads(1, computing_thread);
	computing_thread(NULL);
}

static void test_computing(void)
{
	pid_t target, tracer;
	unsigned together = 0, looks = 0;

	sh_reset();
	target = start(run_computing, NULL);
	tracer = trace(PLACE_AUTO, target, NULL);
	mini_nap_ms(100);
	for (; looks < 100; looks++, mini_nap_ms(3))
		together += atomic_load(&sh->sets) >= atomic_load(&sh->restores) + 2;
	diag("%u set, %u restored", sh->sets, sh->restores);
	ok(together < 20, "threads that compute are not held on a CPU (%u of %u)", together, looks);
	leave(tracer);
	ok(masks_are(target, &all), "their masks after that are those before");
	end(target);
}

/* ---- many tracees ---- */

static unsigned many;

static void run_one_hot(void)
{
	uint64_t t;

	more_threads(many - 1, quiet_thread);
	while (!atomic_load(&sh->go))
		mini_nap_ms(5);
	mini_nap_ms(150);
	t = mini_cpu_ns(0) + mini_cpu_ns((pid_t)sh->go);
	for (int i = 0; i < 8000; i++)
		syscall(SYS_getppid);
	atomic_store(&sh->ns, mini_cpu_ns(0) + mini_cpu_ns((pid_t)sh->go) - t);
	atomic_store(&sh->done, 1);
	for (;;)
		pause();
}

static double ns_per_stop(unsigned n)
{
	pid_t target, tracer;
	double best = 1e9;

	for (int i = 0; i < 3; i++) {
		sh_reset();
		many = n;
		target = start(run_one_hot, NULL);
		mini_nap_ms(n / 10);
		tracer = trace(PLACE_AUTO, target, NULL);
		if (until(&sh->done, 1, 20000) && (double)sh->ns / 16000 < best)
			best = (double)sh->ns / 16000;
		leave(tracer);
		end(target);
	}
	return best;
}

static void test_cost(void)
{
	double one = ns_per_stop(1), hundred = ns_per_stop(100), thousand = ns_per_stop(1000);

	diag("one hot thread, us of CPU time per stop: %.2f of 1, %.2f of 100, %.2f of 1,000 traced",
	     one / 1000, hundred / 1000, thousand / 1000);
	ok(thousand < 2 * one, "a stop with 1,000 tracees costs %.2f times one with 1",
	   thousand / one);
}

#define TURNS 60

/* Sleeps 1 ms and makes a call, again and again; reports the longest turn. */
static void *turning_thread(void *arg)
{
	(void)arg;
	for (int i = 0; i < TURNS; i++) {
		uint64_t t = mini_now(), worst;

		mini_nap_ms(1);
		syscall(SYS_getppid);
		t = mini_now() - t;
		worst = atomic_load(&sh->worst_ns);
		while (t > worst && !atomic_compare_exchange_weak(&sh->worst_ns, &worst, t))
			;
	}
	atomic_fetch_add(&sh->done, 1);
	return NULL;
}

static unsigned quiet;

static void run_turns(void)
{
	more_threads(quiet, quiet_thread);
	await_tracer();
	mini_nap_ms(100);
	more_threads(20, turning_thread);
	more_threads(1, hot_thread);
	hot_thread(NULL);
}

/* Threads that stop seldom, beside two that stop always: one lost or overlooked would not end its
 * turns. */
static void test_none_lost(enum placement_mode mode, unsigned others, const char *name)
{
	pid_t target, tracer;

	sh_reset();
	own_worst_ns = 0;
	quiet = others;
	target = start(run_turns, NULL);
	mini_nap_ms(50);
	tracer = trace(mode, target, NULL);
	ok(until(&sh->done, 20, 30000), "%s: 20 of %u threads get through %u turns beside two hot",
	   name, others + 22, TURNS);
	diag("%s: the longest turn of 1 ms took %.1f ms, here %.1f ms", name,
	     (double)sh->worst_ns / 1e6, (double)own_worst_ns / 1e6);
	/* a turn takes both four times on a CPU that others may want, a nap takes one once */
	ok(sh->worst_ns < 1000000000 + 16 * own_worst_ns, "%s: none waited for a second", name);
	leave(tracer);
	ok(masks_are(target, &all), "%s: masks after that are those before", name);
	end(target);
}

static const struct {
	enum placement_mode mode;
	const char *name;
} modes[] = {
	{ PLACE_AUTO, "auto" },
	{ PLACE_NONE, "none" },
	{ PLACE_SPIN, "spin" },
	{ PLACE_COLOCATE, "colocate" },
};

int main(void)
{
	pid_t probe;

	if (!affinity_get(0, &all) || CPU_COUNT(&all) < 2)
		skip_all("needs two CPUs");
	while (!CPU_ISSET((size_t)first_cpu, &all))
		first_cpu++;
	for (second_cpu = first_cpu + 1; !CPU_ISSET((size_t)second_cpu, &all);)
		second_cpu++;
	sh = mmap(NULL, sizeof(*sh), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (sh == MAP_FAILED)
		bail_out("mmap");
	probe = start(run_hot, NULL);
	if (mini_ptrace(PTRACE_SEIZE, probe, 0, 0) != 0)
		skip_all("ptrace is not permitted here");
	end(probe);

	for (unsigned i = 0; i < 4; i++)
		test_detach(modes[i].mode, modes[i].name);
	test_sigkill();
	test_target_ends();
	test_looks();
	test_births();
	test_births_sigkill();
	test_restricted();
	test_foreign();
	test_realtime();
	test_cold();
	test_computing();
	for (unsigned i = 0; i < 6; i++)
		test_none_lost(modes[i / 2].mode, i % 2 ? 10 : 200, modes[i / 2].name);
	test_cost();
	return tap_done();
}
