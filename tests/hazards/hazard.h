/*
 * hazard.h - what the hazard targets share: checks that print, children that are waited for.
 *
 * A target does something that a careless tracer breaks, and says on standard output what it
 * saw. It prints nothing that differs from run to run (no pid, no time), so that the driver
 * can compare a traced run with an untraced one; and it checks by itself what must hold.
 */
#ifndef HAZARD_H
#define HAZARD_H

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct hazard {
	const char *name;
	void (*run)(void);
	/* words for the driver, or "":
	 *   nofilter  differs behind any seccomp filter, by the kernel's rules
	 *   nofollow  needs its children untraced (frec --no-follow)
	 *   root      needs root
	 *   mortal    ends by a signal or with a status of its own, on purpose
	 *   killall   ends by SIGKILL while its threads are busy */
	const char *flags;
};

extern const struct hazard hazards_signals[], hazards_siginfo[], hazards_sleeps[], hazards_stops[],
	hazards_threads[], hazards_procs[], hazards_clone[], hazards_exec[], hazards_seccomp[],
	hazards_surroundings[], hazards_waits[], hazards_shapes[], hazards_ends[];

extern char **hazard_args;	/* behind the name of the target */
extern const char *hazard_self; /* /proc/self/exe resolved */

/* A line of output, whole even when threads and children print. */
void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Prints nothing when good; else the place and the values, and the target ends with status 1. */
void check_at(bool good, const char *what, long got, long want, const char *file, int line);
#define CHECK(cond) check_at((cond), #cond, 0, 0, __FILE__, __LINE__)
#define IS(got, want)                                                                              \
	({                                                                                         \
		long g_ = (long)(got), w_ = (long)(want);                                          \
		check_at(g_ == w_, #got, g_, w_, __FILE__, __LINE__);                              \
	})
/* A call that must not fail: its value. */
#define MUST(call) must_at((long)(call), #call, __FILE__, __LINE__)
long must_at(long value, const char *what, const char *file, int line);
__attribute__((noreturn)) void must_failed(const char *what, const char *file, int line);
bool hazard_failed(void);

/* Runs fn(arg) in a child, which then ends with 0, or 1 when a check failed there. */
pid_t child(void (*fn)(void *), void *arg);
int reap(pid_t pid);		     /* its wait status */
void reap_ok(pid_t pid);	     /* checks that it is 0 */
const char *status_text(int status); /* "exit 3", "SIGSEGV", "stopped SIGTSTP" */

void handle(int sig, void (*fn)(int, siginfo_t *, void *), int flags);
void sleep_ms(unsigned ms); /* goes on after EINTR */
uint64_t now_ms(void);
/* The state letter of /proc/PID/task/TID/stat, 0 when it is gone. */
char state_of(pid_t pid, pid_t tid);
/* The thread sleeps in that system call (any, when nr < 0). */
bool is_blocked(pid_t pid, pid_t tid, long nr);
/* Waits until it does. */
void wait_blocked(pid_t pid, pid_t tid, long nr);

/* waits.c: reads lines of standard input, answers "?" with the rounds made so far, until "end N";
 * returns N, the number of times that the target was attached to. */
int driven(void);
extern volatile unsigned long rounds;

#endif
