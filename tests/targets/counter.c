/*
 * counter.c - threads that count by a call each, and know at any moment how far they got:
 * `counter FILE THREADS`. Call i of a thread is lseek(fd, i, SEEK_SET); once it has returned, i is
 * stored into FILE, mapped shared, as the thread's pair of 8-byte words {tid, i}. It never ends.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MAX_THREADS 64

struct counter {
	_Atomic uint64_t tid, n;
};

static struct counter *counters;
static const char *file;

static void *count(void *arg)
{
	struct counter *c = arg;
	int fd = open(file, O_RDONLY);
	uint64_t i = 0;

	atomic_store(&c->tid, (uint64_t)syscall(SYS_gettid));
	for (;;) {
		i++;
		if (syscall(SYS_lseek, fd, i, SEEK_SET) != (long)i)
			_exit(98);
		atomic_store(&c->n, i);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	int threads = argc == 3 ? atoi(argv[2]) : 0, fd;

	if (threads < 1 || threads > MAX_THREADS)
		return 2;
	file = argv[1];
	fd = open(file, O_RDWR | O_CREAT, 0600);
	if (fd < 0 || ftruncate(fd, MAX_THREADS * sizeof(*counters)))
		return 99;
	counters = mmap(NULL, MAX_THREADS * sizeof(*counters), PROT_READ | PROT_WRITE, MAP_SHARED,
			fd, 0);
	if (counters == MAP_FAILED)
		return 99;
	for (int i = 1; i < threads; i++) {
		pthread_t t;

		if (pthread_create(&t, NULL, count, &counters[i]))
			return 99;
	}
	count(&counters[0]);
}
