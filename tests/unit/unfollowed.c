/*
 * unfollowed.c - children for which the engine has no memory: whatever makes them, and in whichever
 * order their stops come, they run and end, and their parents learn it.
 */
#include "engine.h"

#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tap.h"

#define ROUNDS 40

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define OWN_CALLOC 0
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define OWN_CALLOC 0
#endif
#ifndef OWN_CALLOC
#define OWN_CALLOC 1
#endif

static bool no_tracees; /* there is memory for all but them */
static unsigned refused;

#if OWN_CALLOC
void *calloc(size_t n, size_t size)
{
	void *p;

	if (no_tracees && size == sizeof(struct tracee)) {
		refused++;
		return NULL;
	}
	p = malloc(n * size);
	if (p)
		explicit_bzero(p, n * size); /* of memset the compiler makes calloc */
	return p;
}
#endif

struct shared {
	_Atomic unsigned go, forks, vforks, threads;
};
static struct shared *sh;

static void *thread(void *arg)
{
	sh->threads++;
	return arg;
}

static int target(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	alarm(60);
	while (!sh->go)
		usleep(1000);
	for (unsigned i = 0; i < ROUNDS; i++) {
		int status;
		pid_t pid = fork();
		pthread_t t;

		if (pid == 0)
			_exit(3);
		sh->forks += waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 3;
		pid = vfork();
		if (pid == 0) {
			sched_yield(); /* more calls than one */
			_exit(4);
		}
		sh->vforks += waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 4;
		if (pthread_create(&t, NULL, thread, NULL) || pthread_join(t, NULL))
			return 1;
	}
	return 0;
}

/* ---- ops that know no more than which calls make children ---- */

static unsigned missed;

static void born(void *a, struct tracee *t, enum frz_born how, struct tracee *p, uint64_t now)
{
	(void)a, (void)t, (void)how, (void)p, (void)now;
}
static void at(void *a, struct tracee *t, uint64_t now) { (void)a, (void)t, (void)now; }
static void entry(void *a, struct tracee *t, enum frz_abi abi, uint32_t nr, const uint64_t reg[6],
		  uint64_t now)
{
	(void)a, (void)reg, (void)now;
	t->call.active = true;
	t->call.abi = (uint8_t)abi;
	t->call.nr = nr;
	t->call.ent = frz_sysent(abi, nr);
}
static void leave_call(void *a, struct tracee *t, int64_t ret, uint64_t now)
{
	(void)a, (void)ret, (void)now;
	t->call.active = false;
}
static void exec(void *a, struct tracee *t, pid_t old, uint64_t now)
{
	(void)a, (void)t, (void)old, (void)now;
}
static void signalled(void *a, struct tracee *t, const siginfo_t *si, uint64_t now)
{
	(void)a, (void)t, (void)si, (void)now;
}
static void group_stop(void *a, struct tracee *t, int signo, uint64_t now)
{
	(void)a, (void)t, (void)signo, (void)now;
}
static void leaving(void *a, struct tracee *t, bool detached, uint64_t now)
{
	(void)a, (void)t, (void)detached, (void)now;
}
static void gone(void *a, struct tracee *t, enum frz_gone how, int status, uint64_t now)
{
	(void)a, (void)t, (void)how, (void)status, (void)now;
}
static void process_gone(void *a, struct process *p, enum frz_gone how, int status, uint64_t now)
{
	(void)p, (void)how, (void)now;
	*(int *)a = status;
}
static void interrupted(void *a, struct tracee *t, const char *why, const char *hit)
{
	(void)a, (void)t, (void)why, (void)hit;
}
static void eintr(void *a, struct tracee *t, enum frz_abi abi, uint32_t nr)
{
	(void)a, (void)t, (void)abi, (void)nr;
}
static void goes_on(void *a, struct tracee *t, enum frz_abi abi, uint32_t nr, const uint64_t reg[6])
{
	(void)a, (void)t, (void)abi, (void)nr, (void)reg;
}
static void miss(void *a, pid_t pid, pid_t tid, const char *what, const char *detail)
{
	(void)a, (void)pid, (void)tid, (void)detail;
	missed += !strcmp(what, "thread not followed");
}

static const struct engine_ops ops = {
	.born = born,
	.settled = at,
	.entry = entry,
	.exit = leave_call,
	.exec = exec,
	.signal = signalled,
	.group_stop = group_stop,
	.leaving = leaving,
	.gone = gone,
	.process_gone = process_gone,
	.interrupted = interrupted,
	.eintr = eintr,
	.goes_on = goes_on,
	.missed = miss,
};

int main(void)
{
	struct frec_options o = { .placement = PLACE_NONE };
	struct tracees tracees;
	struct engine_config cfg;
	struct engine *e;

	sigset_t alrm;
	char err[512] = "";
	int status = -1;
	pid_t pid;

	if (!OWN_CALLOC) {
		printf("1..0 # SKIP the sanitizer has an allocator of its own\n");
		return 0;
	}
	sh = mmap(NULL, sizeof(*sh), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (sh == MAP_FAILED)
		return 1;
	pid = fork();
	if (pid == 0)
		_exit(target());
	cfg = (struct engine_config){ &ops, &status, &tracees, NULL, control_new(&o, false), true };
	cfg.placement = placement_new(PLACE_NONE, NULL, NULL);
	e = cfg.control && cfg.placement && tracees_init(&tracees) ? engine_new(&cfg) : NULL;
	if (!e)
		return 1;
	sigemptyset(&alrm); /* blocked for frec's own thread that listens */
	sigaddset(&alrm, SIGALRM);
	sigprocmask(SIG_UNBLOCK, &alrm, NULL);
	alarm(90);
	ok(engine_attach(e, pid, err, sizeof(err)) == 0, "attached %s", err);
	no_tracees = true;
	sh->go = 1;
	ok(!strcmp(engine_run(e), "targets exited"), "all came to their end");
	no_tracees = false;
	ok(WIFEXITED(status) && WEXITSTATUS(status) == 0 && sh->forks == ROUNDS &&
		   sh->vforks == ROUNDS && sh->threads == ROUNDS,
	   "status %#x: forks %u, vforks %u, threads %u of %u", (unsigned)status, sh->forks,
	   sh->vforks, sh->threads, ROUNDS);
	ok(refused && missed >= 3 * ROUNDS, "which nobody followed: %u refusals, %u told", refused,
	   missed);
	engine_free(e);
	placement_free(cfg.placement);
	control_end(cfg.control);
	tracees_release(&tracees);
	return tap_done();
}
