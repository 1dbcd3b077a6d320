/*
 * threads.c - threads that open, write, read and close as fast as they can, each on files of
 * its own, so that a number which one closes is at once another's.
 */
#include "account.h"

#define THREADS 8
#define ROUNDS	150

static pthread_barrier_t start;

static void *work(void *arg)
{
	unsigned me = (unsigned)(size_t)arg, i;
	char name[32], path[2 * PATH_MAX], buf[512];

	memset(buf, (int)('a' + me), sizeof(buf));
	pthread_barrier_wait(&start);
	for (i = 0; i < ROUNDS; i++) {
		int fd;

		/* ten files a thread, each opened many times */
		snprintf(name, sizeof(name), "t%u-%u", me, i % 10);
		snprintf(path, sizeof(path), "%s/%s", acc_cwd, name);
		fd = MUST(OPEN("openat", path, SYS_openat, AT_FDCWD, name, O_RDWR | O_CREAT, 0644));
		IO("write", fd, path, NULL, SYS_write, fd, buf,
		   (size_t)(1 + (me * 31 + i * 7) % 500));
		if (i % 3 == 0)
			IO("pread64", fd, path, NULL, SYS_pread64, fd, buf, 100 + me,
			   ACC_OFFSET(0));
		OP("close", fd, path, NULL, SYS_close, fd);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t t[THREADS];
	size_t i;

	acc_start(argc, argv);
	pthread_barrier_init(&start, NULL, THREADS);
	for (i = 0; i < THREADS; i++)
		if (pthread_create(&t[i], NULL, work, (void *)i) != 0)
			acc_die("pthread_create");
	for (i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	acc_end();
	return 0;
}
