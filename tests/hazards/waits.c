/*
 * waits.c - programs to be attached to and left again while they run, as often as one likes.
 *
 * Driven by standard input: a line "?" is answered with a line "N rounds"; the line "end N" ends
 * the target, which was attached to N times by then, and makes it check its own account.
 */
#include "hazard.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>

static volatile bool over;
volatile unsigned long rounds;

int driven(void)
{
	char line[64];
	size_t n = 0;
	int cycles;

	for (;;) {
		ssize_t got = read(0, line + n, 1);

		if (got != 1) {
			say("MISMATCH: standard input: %s", got ? strerrorname_np(errno) : "ended");
			_exit(1);
		}
		if (line[n] != '\n') {
			n += n < sizeof(line) - 1;
			continue;
		}
		line[n] = '\0';
		n = 0;
		if (sscanf(line, "end %d", &cycles) == 1)
			return cycles;
		say("%lu rounds", rounds);
	}
}

/* ---- threads that sleep, each in another call ---- */

struct sleeper {
	const char *name;
	long (*call)(void);
	bool may_break; /* signal(7): EINTR after a stop, handler or none */
	volatile unsigned broken, returned;
	volatile pid_t tid;
};

static int quiet_pair[2], full_pipe[2], listening, epfd, lock_fd, msgq, sems;
static pid_t idle_child;
static uint32_t word;
static sigset_t usr2;

/* clang-format off */
static long r_read(void) { char c; return read(quiet_pair[0], &c, 1); }
static long r_write(void) { return write(full_pipe[1], "x", 1); }
static long r_recv(void) { char c; return recv(quiet_pair[0], &c, 1, 0); }
static long r_accept(void) { return accept(listening, NULL, NULL); }
static long r_futex(void) { return syscall(SYS_futex, &word, FUTEX_WAIT, 0, NULL, NULL, 0); }
static long r_wait(void) { return waitpid(idle_child, NULL, __WALL); }
static long r_flock(void) { return flock(lock_fd, LOCK_EX); }
static long r_pause(void) { return pause(); }
static long r_msgrcv(void) { struct { long t; char c[8]; } m; return msgrcv(msgq, &m, 8, 0, 0); }
static long r_epoll(void) { struct epoll_event e; return epoll_wait(epfd, &e, 1, -1); }
static long r_sigwait(void) { return sigwaitinfo(&usr2, NULL); }
static long r_semop(void) { struct sembuf b = { 0, -1, 0 }; return semop(sems, &b, 1); }
/* clang-format on */

static long r_futex_timed(void)
{
	struct timespec t = { 1000, 0 };

	return syscall(SYS_futex, &word, FUTEX_WAIT, 0, &t, NULL, 0);
}

static long r_nanosleep(void)
{
	struct timespec t = { 1000, 0 };

	return nanosleep(&t, NULL);
}

static long r_sleep_until(void)
{
	struct timespec t;
	int e;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += 1000;
	e = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
	errno = e;
	return e ? -1 : 0;
}

static long r_poll(void)
{
	struct pollfd p = { quiet_pair[0], POLLIN, 0 };

	return poll(&p, 1, -1);
}

static long r_poll_timed(void)
{
	struct pollfd p = { quiet_pair[0], POLLIN, 0 };

	return poll(&p, 1, 1000000);
}

static long r_select(void)
{
	fd_set set;

	FD_ZERO(&set);
	FD_SET(quiet_pair[0], &set);
	return select(quiet_pair[0] + 1, &set, NULL, NULL, NULL);
}

static long r_sigsuspend(void)
{
	sigset_t none;

	sigemptyset(&none);
	return sigsuspend(&none);
}

static struct sleeper sleepers[] = {
	{ .name = "read", .call = r_read },
	{ .name = "write", .call = r_write },
	{ .name = "recv", .call = r_recv },
	{ .name = "accept", .call = r_accept },
	{ .name = "futex", .call = r_futex },
	{ .name = "futex with time", .call = r_futex_timed },
	{ .name = "wait4", .call = r_wait },
	{ .name = "flock", .call = r_flock },
	{ .name = "pause", .call = r_pause },
	{ .name = "nanosleep", .call = r_nanosleep },
	{ .name = "clock_nanosleep", .call = r_sleep_until },
	{ .name = "poll", .call = r_poll },
	{ .name = "poll with time", .call = r_poll_timed },
	{ .name = "select", .call = r_select },
	{ .name = "sigsuspend", .call = r_sigsuspend },
	{ .name = "msgrcv", .call = r_msgrcv },
	{ .name = "epoll_wait", .call = r_epoll, .may_break = true },
	{ .name = "sigwaitinfo", .call = r_sigwait, .may_break = true },
	{ .name = "semop", .call = r_semop, .may_break = true },
};
#define NSLEEPERS (sizeof(sleepers) / sizeof(sleepers[0]))

static void *sleeper(void *arg)
{
	struct sleeper *s = arg;

	s->tid = gettid();
	while (!over) {
		long r = s->call();

		if (over)
			return NULL;
		if (r == -1 && errno == EINTR)
			s->broken++;
		else
			s->returned++;
		rounds++;
		if (s->returned > 3)
			return NULL;
	}
	return NULL;
}

static void set_up_waits(void)
{
	struct sockaddr_in any = { .sin_family = AF_INET };
	struct epoll_event ev = { .events = EPOLLIN };
	int other;

	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, quiet_pair));
	MUST(pipe2(full_pipe, O_NONBLOCK));
	while (write(full_pipe[1], "x", 1) == 1)
		;
	MUST(fcntl(full_pipe[1], F_SETFL, 0));
	listening = (int)MUST(socket(AF_INET, SOCK_STREAM, 0));
	any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	MUST(bind(listening, (struct sockaddr *)&any, sizeof(any)));
	MUST(listen(listening, 5));
	epfd = (int)MUST(epoll_create1(0));
	MUST(epoll_ctl(epfd, EPOLL_CTL_ADD, quiet_pair[0], &ev));
	lock_fd = (int)MUST(open("/tmp", O_RDONLY | O_TMPFILE | O_RDWR, 0600));
	{
		char name[64];

		snprintf(name, sizeof(name), "/proc/self/fd/%d", lock_fd);
		other = (int)MUST(open(name, O_RDWR));
	}
	MUST(flock(other, LOCK_EX));
	msgq = (int)MUST(msgget(IPC_PRIVATE, 0600));
	sems = (int)MUST(semget(IPC_PRIVATE, 1, 0600));
	sigemptyset(&usr2);
	sigaddset(&usr2, SIGUSR2);
	MUST(sigprocmask(SIG_BLOCK, &usr2, NULL));
	idle_child = fork();
	if (idle_child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
}

/* What can be restarted is restarted without a word; the rest breaks at most twice a cycle. */
static void sleeping(void)
{
	pthread_t t;
	int cycles;

	set_up_waits();
	for (size_t i = 0; i < NSLEEPERS; i++)
		IS(pthread_create(&t, NULL, sleeper, &sleepers[i]), 0);
	for (size_t i = 0; i < NSLEEPERS; i++) {
		while (!sleepers[i].tid)
			usleep(500);
		wait_blocked(getpid(), sleepers[i].tid, -1);
	}
	say("ready");
	cycles = driven();
	over = true;
	for (size_t i = 0; i < NSLEEPERS; i++) {
		const struct sleeper *s = &sleepers[i];

		if (s->returned || s->broken > (s->may_break ? 2u * (unsigned)cycles : 0u))
			say("MISMATCH: %s: EINTR %u times, returned %u times in %d cycles", s->name,
			    s->broken, s->returned, cycles);
		CHECK(!s->returned && s->broken <= (s->may_break ? 2u * (unsigned)cycles : 0u));
	}
	msgctl(msgq, IPC_RMID, NULL);
	semctl(sems, 0, IPC_RMID);
	kill(idle_child, SIGKILL);
}

/* ---- a service under load ---- */

struct pair {
	int fd[2];
	volatile unsigned long n;
};
static volatile unsigned long epoll_eintr, ticks, born;
#define PAIRS 4
static struct pair pairs[PAIRS];
static int event_fd;

static void bad(const char *what)
{
	say("MISMATCH: %s: %s", what, strerror(errno));
	_exit(1);
}

static void *echo(void *arg)
{
	struct pair *p = arg;
	unsigned long v;

	while (read(p->fd[1], &v, sizeof(v)) == sizeof(v)) {
		v ^= 0x5555;
		if (write(p->fd[1], &v, sizeof(v)) != sizeof(v))
			bad("echo");
	}
	return NULL;
}

static void *client(void *arg)
{
	struct pair *p = arg;

	while (!over) {
		unsigned long v = p->n, got;

		if (write(p->fd[0], &v, sizeof(v)) != sizeof(v))
			bad("client: write");
		if (read(p->fd[0], &got, sizeof(got)) != sizeof(got))
			bad("client: read");
		if (got != (v ^ 0x5555))
			bad("client: another answer");
		p->n++;
		rounds++;
		if (p->n % 16 == 0) /* leaves some CPU to those who watch */
			usleep(500);
	}
	shutdown(p->fd[0], SHUT_RDWR);
	return NULL;
}

static void *brief(void *arg)
{
	getppid();
	return arg;
}

static void *breeder(void *arg)
{
	(void)arg;
	while (!over) {
		pthread_t t[3];
		char marks[3];

		for (int i = 0; i < 3; i++)
			if (pthread_create(&t[i], NULL, brief, &marks[i]))
				bad("pthread_create");
		for (int i = 0; i < 3; i++) {
			void *got;

			if (pthread_join(t[i], &got) || got != &marks[i])
				bad("pthread_join");
		}
		born += 3;
		usleep(1000);
	}
	return NULL;
}

static void *forker(void *arg)
{
	(void)arg;
	while (!over) {
		pid_t pid = born % 2 ? fork() : vfork();
		int status;

		if (pid == 0)
			_exit(33);
		if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 33 << 8)
			bad("a child");
		usleep(2000);
	}
	return NULL;
}

static void *event_loop(void *arg)
{
	struct epoll_event ev = { .events = EPOLLIN };
	int ep = epoll_create1(EPOLL_CLOEXEC);
	uint64_t v;

	(void)arg;
	if (ep < 0 || epoll_ctl(ep, EPOLL_CTL_ADD, event_fd, &ev))
		bad("epoll");
	while (!over) {
		int n = epoll_wait(ep, &ev, 1, -1);

		if (n < 0 && errno == EINTR)
			epoll_eintr++;
		else if (n != 1 || read(event_fd, &v, sizeof(v)) != sizeof(v))
			bad("event loop");
	}
	return NULL;
}

static void tick(int sig, siginfo_t *si, void *context)
{
	(void)sig, (void)si, (void)context;
	ticks++;
}

static void service(void)
{
	pthread_t client_thread[PAIRS], echo_thread[PAIRS], other[3];
	struct itimerval it = { { 0, 5000 }, { 0, 5000 } };
	uint64_t one = 1;
	sigset_t alrm;
	int cycles;

	/* Only the leader takes signals, so that none breaks another thread's epoll_wait. That
	 * holds for SIGCHLD, too: ignored here, but of a traced process the kernel queues it. */
	sigemptyset(&alrm);
	sigaddset(&alrm, SIGALRM);
	sigaddset(&alrm, SIGCHLD);
	MUST(sigprocmask(SIG_BLOCK, &alrm, NULL));
	event_fd = (int)MUST(eventfd(0, EFD_CLOEXEC));
	for (int i = 0; i < PAIRS; i++) {
		MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pairs[i].fd));
		IS(pthread_create(&echo_thread[i], NULL, echo, &pairs[i]), 0);
		IS(pthread_create(&client_thread[i], NULL, client, &pairs[i]), 0);
	}
	IS(pthread_create(&other[0], NULL, breeder, NULL), 0);
	IS(pthread_create(&other[1], NULL, event_loop, NULL), 0);
	IS(pthread_create(&other[2], NULL, forker, NULL), 0);
	handle(SIGALRM, tick, SA_RESTART);
	MUST(sigprocmask(SIG_UNBLOCK, &alrm, NULL));
	MUST(setitimer(ITIMER_REAL, &it, NULL));
	say("ready");
	cycles = driven();
	memset(&it, 0, sizeof(it));
	MUST(setitimer(ITIMER_REAL, &it, NULL));
	over = true;
	MUST(write(event_fd, &one, sizeof(one)));
	for (int i = 0; i < PAIRS; i++) {
		pthread_join(client_thread[i], NULL);
		pthread_join(echo_thread[i], NULL);
		CHECK(pairs[i].n > 0);
	}
	for (int i = 0; i < 3; i++)
		pthread_join(other[i], NULL);
	CHECK(born > 0);
	CHECK(ticks > 0);
	if (epoll_eintr > 2 * (unsigned long)cycles)
		say("epoll_wait broke %lu times in %d cycles", epoll_eintr, cycles);
	CHECK(epoll_eintr <= 2 * (unsigned long)cycles);
}

const struct hazard hazards_waits[] = {
	{ "sleeping", sleeping, "driven" },
	{ "service", service, "driven" },
	{ NULL, NULL, NULL },
};
