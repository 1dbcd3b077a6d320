/* sleeps.c - timers, sleeps and their remainders, calls that restart and calls that do not. */
#include "hazard.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>

static volatile sig_atomic_t hits;

static void count(int sig, siginfo_t *si, void *context)
{
	(void)sig, (void)si, (void)context;
	hits++;
}

static uint64_t ns(const struct timespec *t)
{
	return (uint64_t)t->tv_sec * 1000000000u + (uint64_t)t->tv_nsec;
}

static uint64_t clock_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return ns(&t);
}

/* SIGALRM every so many ms; 0 ends it. */
static void every_ms(unsigned ms)
{
	struct itimerval it = { { 0, (suseconds_t)ms * 1000 }, { 0, (suseconds_t)ms * 1000 } };

	MUST(setitimer(ITIMER_REAL, &it, NULL));
}

/* A sleep that signals break into, gone on with from the remainder: no shorter, not much longer. */
static void remainder_of_sleep(void)
{
	struct timespec want = { 0, 120000000 }, left = want;
	uint64_t from = clock_ns(), total = 0, before;
	int broken = 0;

	handle(SIGALRM, count, SA_RESTART); /* nanosleep is never restarted over a handler */
	every_ms(15);
	while (before = ns(&left), nanosleep(&left, &left) < 0) {
		IS(errno, EINTR);
		CHECK(ns(&left) < before);
		broken++;
	}
	every_ms(0);
	total = clock_ns() - from;
	CHECK(broken >= 2);
	CHECK(total >= 120000000);
	CHECK(total < 2000000000);
}

/* A sleep that a stop and SIGCONT break into goes on by restart_syscall and returns 0. */
static void sleeper(void *arg)
{
	struct timespec t = { 0, 80000000 }, left, end;
	int fds[2];
	struct pollfd pfd;
	uint32_t word = 1;
	uint64_t from;

	(void)arg;
	MUST(pipe(fds));
	MUST(write(fds[1], "a", 1));
	from = clock_ns();
	IS(nanosleep(&t, &left), 0);
	CHECK(clock_ns() - from >= 80000000);

	MUST(write(fds[1], "b", 1));
	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_nsec += 80000000;
	if (end.tv_nsec >= 1000000000) {
		end.tv_sec++;
		end.tv_nsec -= 1000000000;
	}
	IS(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, NULL), 0);
	CHECK(clock_ns() >= ns(&end));

	pfd = (struct pollfd){ .fd = fds[1], .events = POLLIN };
	from = clock_ns();
	IS(poll(&pfd, 1, 80), 0);
	CHECK(clock_ns() - from >= 80000000);

	from = clock_ns();
	IS(syscall(SYS_futex, &word, FUTEX_WAIT, 1, &t, NULL, 0), -1);
	IS(errno, ETIMEDOUT);
	CHECK(clock_ns() - from >= 80000000);
}

static void restart_block(void)
{
	pid_t pid = child(sleeper, NULL);
	int status;

	for (int i = 0; waitpid(pid, &status, WNOHANG) == 0; i++) {
		sleep_ms(10);
		MUST(kill(pid, SIGSTOP));
		sleep_ms(5);
		MUST(kill(pid, SIGCONT));
		sleep_ms(10);
		if (i > 500) {
			kill(pid, SIGKILL);
			must_failed("the sleeper's end", __FILE__, __LINE__);
		}
	}
	IS(status, 0);
}

/* ---- SA_RESTART, call by call ---- */

struct wait_case {
	const char *name;
	long (*call)(void);
	long nr; /* what it blocks in */
};

static int fds[2], listening, epfd;
static uint32_t word;
static sigset_t usr2;

/* clang-format off */
static long do_read(void) { char c; return read(fds[0], &c, 1); }
static long do_accept(void) { return accept(listening, NULL, NULL); }
static long do_recv(void) { char c; return recv(fds[0], &c, 1, 0); }
static long do_wait(void) { return waitpid(-1, NULL, __WALL); }
static long do_futex(void) { return syscall(SYS_futex, &word, FUTEX_WAIT, 0, NULL, NULL, 0); }
static long do_poll(void) { struct pollfd p = { fds[0], POLLIN, 0 }; return poll(&p, 1, -1); }
static long do_epoll(void) { struct epoll_event e; return epoll_wait(epfd, &e, 1, -1); }
static long do_pause(void) { return pause(); }
static long do_sigwait(void) { return sigwaitinfo(&usr2, NULL); }
static long do_sleep(void) { struct timespec t = { 100, 0 }; return nanosleep(&t, NULL); }
static long do_flock(void) { return flock(listening, LOCK_EX); }
/* clang-format on */

static long do_select(void)
{
	fd_set set;

	FD_ZERO(&set);
	FD_SET(fds[0], &set);
	return select(fds[0] + 1, &set, NULL, NULL, NULL);
}

static void *blocked_thread(void *arg)
{
	const struct wait_case *c = arg;
	sigset_t set;
	long r;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	fds[1] = gettid();
	r = c->call();
	return (void *)(intptr_t)(r < 0 ? -errno : r);
}

/* In a child: one thread blocks in the call, SIGUSR1 hits it; prints whether the call came back. */
static void restart_child(void *arg)
{
	const struct wait_case *c = arg;
	int dev = open("/dev/null", O_RDWR);
	pthread_t t;
	void *result = NULL;
	sigset_t set;
	pid_t tid;

	(void)dev;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fds[1] = 0;
	IS(pthread_create(&t, NULL, blocked_thread, (void *)(uintptr_t)c), 0);
	while (!(tid = *(volatile int *)&fds[1]))
		usleep(200);
	wait_blocked(getpid(), tid, c->nr);
	for (int i = 0; i < 3; i++) {
		int before = hits;

		MUST(syscall(SYS_tgkill, getpid(), tid, SIGUSR1));
		for (int k = 0; k < 5000 && hits == before; k++)
			usleep(500);
		/* either the call is restarted, or the thread ends */
		for (int k = 0; k < 20000 && !is_blocked(getpid(), tid, c->nr); k++) {
			if (pthread_tryjoin_np(t, &result) == 0) {
				say("  %s: %s after %d", c->name,
				    strerrorname_np((int)-(intptr_t)result), i + 1);
				return;
			}
			usleep(1000);
		}
	}
	say("  %s: restarted", c->name);
}

static void idle(void *arg)
{
	(void)arg;
	for (;;)
		pause();
}

static void sa_restart(void)
{
	static const struct wait_case cases[] = {
		{ "read", do_read, SYS_read },
		{ "accept", do_accept, SYS_accept },
		{ "recv", do_recv, SYS_recvfrom },
		{ "wait4", do_wait, SYS_wait4 },
		{ "futex", do_futex, SYS_futex },
		{ "poll", do_poll, SYS_poll },
		{ "select", do_select, -1 },
		{ "epoll_wait", do_epoll, -1 },
		{ "pause", do_pause, SYS_pause },
		{ "sigwaitinfo", do_sigwait, SYS_rt_sigtimedwait },
		{ "nanosleep", do_sleep, -1 },
		{ "flock", do_flock, SYS_flock },
	};
	struct sockaddr_in any = { .sin_family = AF_INET };
	struct epoll_event ev = { .events = EPOLLIN };
	int pair[2], locked;
	pid_t pid;

	sigemptyset(&usr2);
	sigaddset(&usr2, SIGUSR2);
	sigprocmask(SIG_BLOCK, &usr2, NULL);
	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	fds[0] = pair[0];
	listening = (int)MUST(socket(AF_INET, SOCK_STREAM, 0));
	any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	MUST(bind(listening, (struct sockaddr *)&any, sizeof(any)));
	MUST(listen(listening, 5));
	epfd = (int)MUST(epoll_create1(0));
	MUST(epoll_ctl(epfd, EPOLL_CTL_ADD, pair[0], &ev));
	for (int flags = 0; flags <= SA_RESTART; flags += SA_RESTART) {
		say(flags ? "with SA_RESTART" : "without");
		handle(SIGUSR1, count, flags);
		for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
			int sock = listening;

			pid = -1;
			locked = -1;
			if (cases[i].call == do_wait) {
				/* its child is made inside, by the thread's process */
				continue;
			}
			if (cases[i].call == do_flock) {
				listening = (int)MUST(open("/proc/self/exe", O_RDONLY));
				locked = (int)MUST(open("/proc/self/exe", O_RDONLY));
				MUST(flock(locked, LOCK_EX));
			}
			pid = child(restart_child, (void *)(uintptr_t)&cases[i]);
			reap_ok(pid);
			if (locked >= 0) {
				close(locked);
				close(listening);
				listening = sock;
			}
		}
	}
}

static void wait_restart_child(void *arg)
{
	static const struct wait_case c = { "wait4", do_wait, SYS_wait4 };
	pid_t pid = child(idle, NULL);

	(void)arg;
	restart_child((void *)(uintptr_t)&c);
	kill(pid, SIGKILL);
}

static void wait_restarts(void)
{
	handle(SIGUSR1, count, 0);
	reap_ok(child(wait_restart_child, NULL));
	handle(SIGUSR1, count, SA_RESTART);
	reap_ok(child(wait_restart_child, NULL));
}

/* ---- timers ---- */

static void interval_timers(void)
{
	struct itimerval it = { { 0, 5000 }, { 0, 5000 } }, left;
	volatile unsigned long spin = 0;
	uint64_t end = now_ms() + 10000;

	handle(SIGALRM, count, SA_RESTART);
	handle(SIGVTALRM, count, SA_RESTART);
	handle(SIGPROF, count, SA_RESTART);
	every_ms(5);
	while (hits < 5 && now_ms() < end)
		pause();
	every_ms(0);
	hits = 0;
	/* the time in the program itself goes on while it computes, traced or not */
	MUST(setitimer(ITIMER_VIRTUAL, &it, NULL));
	while (hits < 3 && now_ms() < end)
		spin++;
	CHECK(hits >= 3);
	MUST(setitimer(ITIMER_PROF, &it, NULL));
	hits = 0;
	while (hits < 6 && now_ms() < end)
		spin++;
	CHECK(hits >= 6);
	memset(&it, 0, sizeof(it));
	MUST(setitimer(ITIMER_VIRTUAL, &it, NULL));
	MUST(setitimer(ITIMER_PROF, &it, &left));
	alarm(100);
	sleep_ms(20);
	CHECK(alarm(0) >= 99);
}

static void timer_fd(void)
{
	int fd = (int)MUST(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC));
	struct itimerspec it = { { 0, 4000000 }, { 0, 4000000 } };
	uint64_t from = clock_ns(), n, total = 0;

	MUST(timerfd_settime(fd, 0, &it, NULL));
	for (int i = 0; i < 10; i++) {
		IS(read(fd, &n, sizeof(n)), sizeof(n));
		total += n;
	}
	CHECK(total >= 10);
	CHECK(clock_ns() - from >= total * 4000000);
}

/* A timeout passed to the kernel is kept, however often the wait is broken into and restarted. */
static void timeouts(void)
{
	struct timeval tv;
	struct timespec ts;
	uint64_t from = clock_ns();
	struct epoll_event ev;
	int ep = (int)MUST(epoll_create1(0)), pair[2];
	char c;

	for (int i = 0; i < 5; i++) {
		tv = (struct timeval){ 0, 10000 };
		IS(select(0, NULL, NULL, NULL, &tv), 0);
		IS(tv.tv_usec, 0);
		ts = (struct timespec){ 0, 10000000 };
		IS(ppoll(NULL, 0, &ts, NULL), 0);
		IS(epoll_wait(ep, &ev, 1, 10), 0);
	}
	CHECK(clock_ns() - from >= 150000000);
	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	tv = (struct timeval){ 0, 20000 };
	MUST(setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
	IS(recv(pair[0], &c, 1, 0), -1);
	IS(errno, EAGAIN);
}

const struct hazard hazards_sleeps[] = {
	{ "sleep-remainder", remainder_of_sleep, "" },
	{ "restart-block", restart_block, "" },
	{ "sa-restart", sa_restart, "" },
	{ "wait-restarts", wait_restarts, "" },
	{ "interval-timers", interval_timers, "" },
	{ "timerfd", timer_fd, "" },
	{ "timeouts", timeouts, "" },
	{ NULL, NULL, NULL },
};
