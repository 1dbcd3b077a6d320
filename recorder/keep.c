/* keep.c - copies of files that go or are run (contract in keep.h). */
#include "keep.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <linux/fs.h>

#include "lockdown.h"
#include "sha256.h"

#define QUEUE_MAX 256u
#define COPY_STEP (128u << 10)

struct job {
	struct job *next;
	int from; /* the file, or its copy in a file without a name */
	struct keep_done done;
};

struct keep {
	int dir;
	pthread_t thread;
	bool started;
	pthread_mutex_t lock;
	pthread_cond_t work, idle;
	struct job *waiting, **waiting_end, *ready;
	unsigned queued;
	bool ending;
	atomic_bool any_ready;
	atomic_uint next_name;
};

static bool copy_bytes(int from, int to)
{
	static _Thread_local uint8_t buf[COPY_STEP];
	off_t at = 0;

	if (ioctl(to, FICLONE, from) == 0) /* reflink: no byte is moved */
		return true;
	for (;;) {
		ssize_t n = pread(from, buf, sizeof(buf), at), done = 0;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n == 0;
		while (done < n) {
			ssize_t w = pwrite(to, buf + done, (size_t)(n - done), at + done);

			if (w < 0)
				return false;
			done += w;
		}
		at += n;
	}
}

static int temporary(struct keep *k, char name[32])
{
	snprintf(name, 32, ".frec-%d-%u", (int)getpid(), atomic_fetch_add(&k->next_name, 1u));
	return openat(k->dir, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0400);
}

static bool hash_file(int fd, uint8_t out[FRZ_HASH_LEN])
{
	static _Thread_local uint8_t buf[COPY_STEP];
	struct frz_sha256 h;
	off_t at = 0;
	ssize_t n;

	frz_sha256_init(&h);
	while ((n = pread(fd, buf, sizeof(buf), at)) > 0) {
		frz_sha256_add(&h, buf, (size_t)n);
		at += n;
	}
	frz_sha256_peek(&h, out);
	return n == 0;
}

static void do_job(struct keep *k, struct job *j)
{
	char name[32], hex[FRZ_HEX_LEN];
	struct stat st;
	int fd;

	/* a file that changes while it is copied: the hash is that of the copy */
	fd = temporary(k, name);
	if (fd < 0)
		return;
	if (copy_bytes(j->from, fd) && hash_file(fd, j->done.sha256) && fsync(fd) == 0) {
		frz_hex(j->done.sha256, FRZ_HASH_LEN, hex);
		if (fstatat(k->dir, hex, &st, AT_SYMLINK_NOFOLLOW) == 0)
			j->done.copied = true; /* kept before */
		else
			j->done.copied = renameat(k->dir, name, k->dir, hex) == 0;
	}
	close(fd);
	unlinkat(k->dir, name, 0); /* ENOENT when it was renamed */
}

static void *worker(void *arg)
{
	struct keep *k = arg;

	lockdown_capabilities(1ull << 1 | 1ull << 2);
	pthread_mutex_lock(&k->lock);
	for (;;) {
		struct job *j = k->waiting;

		if (!j) {
			pthread_cond_broadcast(&k->idle);
			if (k->ending)
				break;
			pthread_cond_wait(&k->work, &k->lock);
			continue;
		}
		pthread_mutex_unlock(&k->lock);
		do_job(k, j);
		close(j->from);
		pthread_mutex_lock(&k->lock);
		k->waiting = j->next;
		if (!k->waiting)
			k->waiting_end = &k->waiting;
		k->queued--;
		j->next = k->ready;
		k->ready = j;
		atomic_store(&k->any_ready, true);
	}
	pthread_mutex_unlock(&k->lock);
	return NULL;
}

struct keep *keep_open(const char *dir, char *err, size_t err_cap)
{
	struct keep *k = calloc(1, sizeof(*k));
	sigset_t all, old;
	int r;

	if (!k) {
		snprintf(err, err_cap, "--keep: out of memory");
		return NULL;
	}
	k->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (k->dir < 0 || faccessat(k->dir, ".", W_OK | X_OK, 0) < 0) {
		snprintf(err, err_cap,
			 "--keep %s: %s; it must be a directory that frec may write to", dir,
			 strerror(errno));
		if (k->dir >= 0)
			close(k->dir);
		free(k);
		return NULL;
	}
	k->waiting_end = &k->waiting;
	pthread_mutex_init(&k->lock, NULL);
	pthread_cond_init(&k->work, NULL);
	pthread_cond_init(&k->idle, NULL);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(&k->thread, NULL, worker, k);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (r) {
		snprintf(err, err_cap, "--keep: cannot start a thread: %s", strerror(r));
		keep_close(k);
		return NULL;
	}
	k->started = true;
	return k;
}

int keep_dirfd(const struct keep *k) { return k->dir; }

static bool copy_info(struct fileinfo *to, const struct fileinfo *from)
{
	*to = *from;
	to->sock = NULL;
	to->path = NULL;
	if (!from->path)
		return true;
	to->path = malloc(from->path_len + 1u);
	if (!to->path)
		return false;
	memcpy(to->path, from->path, from->path_len + 1u);
	return true;
}

/* Copies now, into a file that has no name yet. */
static int copy_now(struct keep *k, int from)
{
	char name[32];
	int fd = temporary(k, name);

	if (fd < 0)
		return -1;
	unlinkat(k->dir, name, 0);
	if (copy_bytes(from, fd))
		return fd;
	close(fd);
	return -1;
}

bool keep_file(struct keep *k, int from, const struct fileinfo *file, bool now)
{
	struct job *j = calloc(1, sizeof(*j));
	bool full;

	if (!j || !copy_info(&j->done.file, file)) {
		free(j);
		close(from);
		return false;
	}
	j->from = from;
	if (now) {
		j->from = copy_now(k, from);
		close(from);
	}
	pthread_mutex_lock(&k->lock);
	full = j->from < 0 || k->queued >= QUEUE_MAX;
	if (!full) {
		*k->waiting_end = j;
		k->waiting_end = &j->next;
		k->queued++;
		pthread_cond_signal(&k->work);
	}
	pthread_mutex_unlock(&k->lock);
	if (full) {
		if (j->from >= 0)
			close(j->from);
		fileinfo_release(&j->done.file);
		free(j);
	}
	return !full;
}

bool keep_next(struct keep *k, struct keep_done *out)
{
	struct job *j;

	if (!atomic_load_explicit(&k->any_ready, memory_order_relaxed))
		return false;
	pthread_mutex_lock(&k->lock);
	j = k->ready;
	if (j)
		k->ready = j->next;
	atomic_store(&k->any_ready, k->ready != NULL);
	pthread_mutex_unlock(&k->lock);
	if (!j)
		return false;
	*out = j->done;
	free(j);
	return true;
}

void keep_finish(struct keep *k)
{
	pthread_mutex_lock(&k->lock);
	while (k->queued)
		pthread_cond_wait(&k->idle, &k->lock);
	pthread_mutex_unlock(&k->lock);
}

void keep_close(struct keep *k)
{
	struct keep_done d;

	if (!k)
		return;
	if (k->started) {
		pthread_mutex_lock(&k->lock);
		k->ending = true;
		pthread_cond_signal(&k->work);
		pthread_mutex_unlock(&k->lock);
		pthread_join(k->thread, NULL);
	}
	while (keep_next(k, &d))
		fileinfo_release(&d.file);
	pthread_mutex_destroy(&k->lock);
	pthread_cond_destroy(&k->work);
	pthread_cond_destroy(&k->idle);
	if (k->dir >= 0)
		close(k->dir);
	free(k);
}
