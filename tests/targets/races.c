/*
 * races.c - threads that use a descriptor while others replace it: fd 100 is file A now and
 * file B then, by dup2 and by close and open, while it is written to.
 *
 * `races FOLDER ROUNDS [wait]`, with `wait` once it has read a byte, prints what the kernel says in
 * the end: the size of each file.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SHARED 100
#define FILES  4

static int file[FILES];
static unsigned rounds;
static volatile bool stop;
static pthread_barrier_t gate;

static void *replace(void *arg)
{
	(void)arg;
	pthread_barrier_wait(&gate);
	for (unsigned i = 0; i < rounds; i++)
		dup2(file[i % FILES], SHARED);
	stop = true;
	return NULL;
}

static void *use(void *arg)
{
	char byte[64] = { 0 };
	size_t n = 1 + (size_t)arg;

	pthread_barrier_wait(&gate);
	while (!stop)
		if (write(SHARED, byte, n) < 0)
			_exit(97);
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t t[3];

	if (argc < 3 || chdir(argv[1]) != 0)
		return 98;
	rounds = (unsigned)atoi(argv[2]);
	for (int i = 0; i < FILES; i++) {
		char name[16];

		snprintf(name, sizeof(name), "file%d", i);
		file[i] = open(name, O_RDWR | O_CREAT | O_APPEND, 0644);
		if (file[i] < 0)
			return 99;
	}
	if (dup2(file[0], SHARED) < 0)
		return 99;
	pthread_barrier_init(&gate, NULL, 4);
	for (size_t i = 0; i < 3; i++)
		if (pthread_create(&t[i], NULL, i ? use : replace, (void *)i) != 0)
			return 99;
	if (argc > 3 && read(0, &(char){ 0 }, 1) != 1)
		return 98;
	pthread_barrier_wait(&gate);
	for (size_t i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
	for (int i = 0; i < FILES; i++) {
		struct stat st;

		if (fstat(file[i], &st) != 0)
			return 99;
		printf("file%d\t%lld\n", i, (long long)st.st_size);
	}
	return 0;
}
