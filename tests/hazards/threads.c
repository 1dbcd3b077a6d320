/* threads.c - threads that come and go, in numbers and at awkward moments. */
#include "hazard.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>

static volatile bool over;
static volatile int counter;

/* ---- numbers ---- */

static void *short_life(void *arg)
{
	if (getppid() < 0)
		abort();
	__atomic_add_fetch(&counter, 1, __ATOMIC_RELAXED);
	return arg;
}

static void *spawner(void *arg)
{
	intptr_t bad = 0;

	for (int i = 0; i < (int)(intptr_t)arg / 8; i++) {
		pthread_t t[8];

		for (intptr_t k = 0; k < 8; k++)
			if (pthread_create(&t[k], NULL, short_life, (void *)(k + 1)))
				return (void *)-1;
		for (intptr_t k = 0; k < 8; k++) {
			void *got;

			bad += pthread_join(t[k], &got) != 0 || got != (void *)(k + 1);
		}
	}
	return (void *)bad;
}

/* 2,000 threads made and gone, by four that make them. */
static void thread_storm(void)
{
	pthread_t t[4];
	void *bad;

	for (int i = 0; i < 4; i++)
		IS(pthread_create(&t[i], NULL, spawner, (void *)504), 0);
	for (int i = 0; i < 4; i++) {
		IS(pthread_join(t[i], &bad), 0);
		IS(bad, 0);
	}
	IS(counter, 4 * 504);
}

static void *wait_for_end(void *arg)
{
	uint32_t *gate = arg;

	__atomic_add_fetch(&counter, 1, __ATOMIC_RELAXED);
	while (!__atomic_load_n(gate, __ATOMIC_ACQUIRE))
		syscall(SYS_futex, gate, FUTEX_WAIT, 0, NULL, NULL, 0);
	__atomic_sub_fetch(&counter, 1, __ATOMIC_RELAXED);
	return NULL;
}

/* 300 at once, woken all together. */
static void thread_crowd(void)
{
	static pthread_t t[300];
	pthread_attr_t a;
	uint32_t gate = 0;

	pthread_attr_init(&a);
	pthread_attr_setstacksize(&a, 65536);
	for (int i = 0; i < 300; i++)
		IS(pthread_create(&t[i], &a, wait_for_end, &gate), 0);
	for (int i = 0; i < 10000 && counter < 300; i++)
		usleep(1000);
	IS(counter, 300);
	__atomic_store_n(&gate, 1, __ATOMIC_RELEASE);
	MUST(syscall(SYS_futex, &gate, FUTEX_WAKE, 1000, NULL, NULL, 0));
	for (int i = 0; i < 300; i++)
		pthread_join(t[i], NULL);
	IS(counter, 0);
}

/* ---- the leader goes first ---- */

static void *outlive(void *arg)
{
	int *fds = arg;

	for (int i = 0; i < 2000 && state_of(getpid(), getpid()) != 'Z'; i++)
		usleep(1000);
	IS(state_of(getpid(), getpid()), 'Z');
	for (int i = 0; i < 50; i++)
		MUST(write(fds[1], "x", 1));
	say("the leader is a zombie, this thread works");
	exit(hazard_failed() ? 1 : 17);
}

static void leader_first_child(void *arg)
{
	pthread_t t;

	IS(pthread_create(&t, NULL, outlive, arg), 0);
	pthread_exit(NULL);
}

static void leader_first(void)
{
	int fds[2], status;
	pid_t pid;

	MUST(pipe(fds));
	pid = child(leader_first_child, fds);
	/* a zombie leader is no zombie to its parent while threads live */
	sleep_ms(3);
	if (waitpid(pid, &status, WNOHANG) == 0)
		status = reap(pid);
	say("%s", status_text(status));
}

static void *last_thread(void *arg)
{
	usleep(20000);
	return arg;
}

static void all_leave_child(void *arg)
{
	pthread_t t;

	(void)arg;
	for (int i = 0; i < 5; i++)
		IS(pthread_create(&t, NULL, last_thread, NULL), 0);
	pthread_exit(NULL);
}

/* Nobody calls exit: the process ends with its last thread, with status 0. */
static void all_leave(void) { say("%s", status_text(reap(child(all_leave_child, NULL)))); }

static void *kill_all(void *arg)
{
	for (int i = 0; i < 2000 && state_of(getpid(), getpid()) != 'Z'; i++)
		usleep(1000);
	kill(getpid(), (int)(intptr_t)arg);
	pause();
	return NULL;
}

static void leader_gone_killed_child(void *arg)
{
	pthread_t t;

	IS(pthread_create(&t, NULL, kill_all, arg), 0);
	pthread_exit(NULL);
}

static void leader_gone_killed(void)
{
	say("%s", status_text(reap(child(leader_gone_killed_child, (void *)SIGKILL))));
	say("%s", status_text(reap(child(leader_gone_killed_child, (void *)SIGTERM))));
}

/* ---- ends with threads busy ---- */

static void *busy(void *arg)
{
	(void)arg;
	for (;;)
		__atomic_add_fetch(&counter, getppid() > 0, __ATOMIC_RELAXED);
	return NULL;
}

static void busy_then(void *arg)
{
	pthread_t t;
	int how = (int)(intptr_t)arg;

	for (int i = 0; i < 6; i++)
		pthread_create(&t, NULL, busy, NULL);
	while (counter < 50)
		sched_yield();
	if (how < 0)
		exit(-how);
	kill(getpid(), how);
	pause();
}

static void end_while_busy(void)
{
	static const int how[] = { -3, SIGKILL, SIGTERM, SIGABRT, -200, SIGSEGV };

	for (int round = 0; round < 3; round++)
		for (size_t i = 0; i < sizeof(how) / sizeof(how[0]); i++)
			say("%s",
			    status_text(reap(child(busy_then, (void *)(intptr_t)how[i])) & ~0x80));
}

static void fall_silent(void *arg)
{
	pthread_t t;

	(void)arg;
	for (int i = 0; i < 8; i++)
		pthread_create(&t, NULL, busy, NULL);
	busy(NULL);
}

/* SIGKILL at any instant of a busy process, at once dead. */
static void killed_at_random(void)
{
	for (int i = 0; i < 40; i++) {
		pid_t pid = child(fall_silent, NULL);

		usleep((useconds_t)(i * i * 11 % 3000));
		MUST(kill(pid, SIGKILL));
		IS(reap(pid), SIGKILL);
	}
}

/* ---- forks out of threads ---- */

static void *forker(void *arg)
{
	for (int i = 0; i < 15; i++) {
		pid_t pid = fork();

		if (pid == 0)
			_exit((int)(intptr_t)arg + i);
		if (pid < 0 || reap(pid) != ((int)(intptr_t)arg + i) << 8)
			return (void *)1;
	}
	return NULL;
}

static void forks_out_of_threads(void)
{
	pthread_t t[6];
	void *bad;

	for (intptr_t i = 0; i < 6; i++)
		IS(pthread_create(&t[i], NULL, forker, (void *)(i * 20)), 0);
	for (int i = 0; i < 6; i++) {
		pthread_join(t[i], &bad);
		IS(bad, 0);
	}
}

/* ---- what libc does with signals of its own ---- */

static void *sleeps_for_ever(void *arg)
{
	(void)arg;
	for (;;)
		pause();
	return NULL;
}

static void cancel(void)
{
	for (int i = 0; i < 50; i++) {
		pthread_t t;
		void *got;

		IS(pthread_create(&t, NULL, sleeps_for_ever, NULL), 0);
		IS(pthread_cancel(t), 0);
		IS(pthread_join(t, &got), 0);
		CHECK(got == PTHREAD_CANCELED);
	}
}

static void *own_uid(void *arg)
{
	while (!over)
		usleep(500);
	*(int *)arg = (int)syscall(SYS_getuid);
	return NULL;
}

/* setuid is for the whole process: libc tells each thread by a signal of its own. */
static void setuid_all_threads(void)
{
	pthread_t t[6];
	int uid[6];

	for (int i = 0; i < 6; i++)
		IS(pthread_create(&t[i], NULL, own_uid, &uid[i]), 0);
	MUST(setresgid(12345, 12345, 12345));
	MUST(setresuid(12345, 12345, 12345));
	over = true;
	for (int i = 0; i < 6; i++) {
		pthread_join(t[i], NULL);
		IS(uid[i], 12345);
	}
}

static pthread_mutex_t robust;

static void *dies_with_it(void *arg)
{
	(void)arg;
	pthread_mutex_lock(&robust);
	syscall(SYS_exit, 0);
	return NULL;
}

static void robust_mutex(void)
{
	pthread_mutexattr_t a;
	pthread_t t;

	pthread_mutexattr_init(&a);
	pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
	pthread_mutexattr_setprotocol(&a, PTHREAD_PRIO_INHERIT);
	pthread_mutex_init(&robust, &a);
	IS(pthread_create(&t, NULL, dies_with_it, NULL), 0);
	IS(pthread_join(t, NULL), 0);
	IS(pthread_mutex_lock(&robust), EOWNERDEAD);
	IS(pthread_mutex_consistent(&robust), 0);
	IS(pthread_mutex_unlock(&robust), 0);
}

/* ---- the CPU mask is its own, whenever and however it looks ---- */

static volatile bool wrong_mask;

static void same_mask(const cpu_set_t *want, const char *when)
{
	char buf[4096], *p;
	cpu_set_t now;
	FILE *f;
	size_t n;

	f = fopen("/proc/thread-self/status", "re");
	CHECK(f);
	n = fread(buf, 1, sizeof(buf) - 1, f);
	fclose(f);
	buf[n] = '\0';
	p = strstr(buf, "Cpus_allowed_list:");
	CHECK(p);
	if (p && CPU_COUNT(want) > 1 && !strpbrk(strtok(p, "\n"), ",-")) {
		say("MISMATCH: /proc says another mask: %s", when);
		wrong_mask = true;
	}
	CPU_ZERO(&now);
	MUST(sched_getaffinity(0, sizeof(now), &now));
	if (!CPU_EQUAL(&now, want)) {
		say("MISMATCH: another mask: %s", when);
		wrong_mask = true;
	}
	CHECK(!wrong_mask);
}

static void hot(void)
{
	for (int i = 0; i < 6000; i++)
		getppid();
}

static void *mask_thread(void *arg)
{
	hot();
	same_mask(arg, "in a thread");
	return NULL;
}

static void mask_child(void *arg)
{
	same_mask(arg, "in a child, at once");
	hot();
	same_mask(arg, "in a child, busy");
}

static void own_mask(void)
{
	cpu_set_t want, one;
	pthread_t t;

	CPU_ZERO(&want);
	MUST(sched_getaffinity(0, sizeof(want), &want));
	hot();
	same_mask(&want, "busy");
	hot();
	IS(pthread_create(&t, NULL, mask_thread, &want), 0);
	hot();
	pthread_join(t, NULL);
	hot();
	reap_ok(child(mask_child, &want));
	/* and what it sets stays */
	CPU_ZERO(&one);
	CPU_SET(0, &one);
	hot();
	MUST(sched_setaffinity(0, sizeof(one), &one));
	hot();
	same_mask(&one, "set by itself");
	MUST(sched_setaffinity(0, sizeof(want), &want));
	hot();
	same_mask(&want, "set back");
}

const struct hazard hazards_threads[] = {
	{ "thread-storm", thread_storm, "" },
	{ "thread-crowd", thread_crowd, "" },
	{ "leader-first", leader_first, "" },
	{ "all-leave", all_leave, "" },
	{ "leader-gone-killed", leader_gone_killed, "" },
	{ "end-while-busy", end_while_busy, "" },
	{ "killed-at-random", killed_at_random, "" },
	{ "forks-out-of-threads", forks_out_of_threads, "" },
	{ "cancel", cancel, "" },
	{ "setuid-all-threads", setuid_all_threads, "root" },
	{ "robust-mutex", robust_mutex, "" },
	{ "own-mask", own_mask, "" },
	{ NULL, NULL, NULL },
};
