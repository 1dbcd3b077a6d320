/*
 * threads.c - a process with many threads of which one, or each, makes many short calls.
 *
 *   threads N CALLS [busy]
 *
 * Prints "ready", waits for a line on standard input, makes CALLS one-byte writes to
 * /dev/null in its first thread (with `busy` in every thread), prints the nanoseconds each
 * of the first thread's took, and ends at the end of its input.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static pthread_barrier_t start;
static long calls;
static bool busy;
static int null;

static void work(void)
{
	long i;

	for (i = 0; i < calls; i++)
		if (write(null, "x", 1) != 1)
			abort();
}

static void *thread(void *arg)
{
	(void)arg;
	if (busy) {
		pthread_barrier_wait(&start);
		work();
	}
	for (;;)
		pause();
	return NULL;
}

int main(int argc, char **argv)
{
	struct timespec a, b;
	pthread_attr_t attr;
	pthread_t t;
	long i, n;
	double ns;
	int c;

	if (argc < 3 || (n = atol(argv[1])) < 1 || (calls = atol(argv[2])) < 1) {
		fprintf(stderr, "usage: threads N CALLS [busy]\n");
		return 2;
	}
	busy = argc > 3 && strcmp(argv[3], "busy") == 0;
	null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	pthread_barrier_init(&start, NULL, (unsigned)n);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 64 << 10);
	for (i = 1; i < n; i++)
		if (null < 0 || pthread_create(&t, &attr, thread, NULL) != 0) {
			perror("threads");
			return 1;
		}
	printf("ready\n");
	fflush(stdout);
	c = getchar();
	if (busy)
		pthread_barrier_wait(&start);
	clock_gettime(CLOCK_MONOTONIC, &a);
	work();
	clock_gettime(CLOCK_MONOTONIC, &b);
	ns = (double)(b.tv_sec - a.tv_sec) * 1e9 + (double)(b.tv_nsec - a.tv_nsec);
	printf("%.0f\n", ns / (double)calls);
	fflush(stdout);
	while (c != EOF)
		c = getchar();
	return 0;
}
