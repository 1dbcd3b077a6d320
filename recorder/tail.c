/*
 * tail.c - the mapped file that records go to first.
 *
 * - posix_fallocate gives the file its blocks before anything is stored, and on btrfs, where
 *   a rewrite would still need new ones, copy-on-write is turned off for it.
 * - mlock keeps the pages: a page given back would have to be read again from a medium that
 *   may be gone. It is worth having, not needed, so its failure is no error.
 */
#include "tail.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <linux/fs.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

char *tail_path(const char *case_path)
{
	char *p;

	return asprintf(&p, "%s.tail", case_path) < 0 ? NULL : p;
}

void tail_signals_block(sigset_t *old)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGXFSZ);
	pthread_sigmask(SIG_BLOCK, &set, old);
}

void tail_signals_restore(const sigset_t *old)
{
	const struct timespec now = { 0 };
	sigset_t set;

	if (!sigismember(old, SIGXFSZ)) {
		sigemptyset(&set);
		sigaddset(&set, SIGXFSZ);
		while (sigtimedwait(&set, NULL, &now) > 0)
			;
	}
	pthread_sigmask(SIG_SETMASK, old, NULL);
}

static bool begin(struct tail *t, const char *case_path, char *err, size_t cap)
{
	char *folder;

	*t = TAIL_NONE;
	t->path = tail_path(case_path);
	folder = t->path ? strdup(t->path) : NULL;
	if (!folder) {
		snprintf(err, cap, "out of memory");
		return false;
	}
	t->dir = open(dirname(folder), O_PATH | O_DIRECTORY | O_CLOEXEC);
	free(folder);
	if (t->dir < 0)
		snprintf(err, cap, "%s: its folder cannot be opened: %s", t->path, strerror(errno));
	return t->dir >= 0;
}

static const char *name_in_folder(const struct tail *t)
{
	const char *slash = strrchr(t->path, '/');

	return slash ? slash + 1 : t->path;
}

static bool map(struct tail *t, char *err, size_t cap)
{
	void *p = mmap(NULL, t->size, PROT_READ | PROT_WRITE, MAP_SHARED, t->fd, 0);

	if (p == MAP_FAILED) {
		snprintf(err, cap, "%s: cannot be mapped: %s; another file system may do better",
			 t->path, strerror(errno));
		return false;
	}
	t->map = p;
	return true;
}

bool tail_create(struct tail *t, const char *case_path, const struct frz_tail_head *h, char *err,
		 size_t cap)
{
	sigset_t old;
	int flags, e;

	if (!begin(t, case_path, err, cap))
		goto fail;
	t->size = frz_tail_size(h);
	t->fd = openat(t->dir, name_in_folder(t), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (t->fd < 0) {
		if (errno == EEXIST)
			snprintf(err, cap,
				 "%s: exists already: it holds what an earlier recording did not "
				 "finish; keep it with its case, or choose another name",
				 t->path);
		else
			snprintf(err, cap, "%s: cannot be created: %s", t->path, strerror(errno));
		goto fail;
	}
	if (ioctl(t->fd, FS_IOC_GETFLAGS, &flags) == 0) {
		flags |= FS_NOCOW_FL;
		ioctl(t->fd, FS_IOC_SETFLAGS, &flags);
	}
	tail_signals_block(&old);
	e = posix_fallocate(t->fd, 0, (off_t)t->size);
	tail_signals_restore(&old);
	if (e) {
		snprintf(err, cap, "%s: no room for its %zu bytes: %s", t->path, t->size,
			 strerror(e));
		goto fail_unlink;
	}
	if (!map(t, err, cap))
		goto fail_unlink;
	mlock(t->map, t->size);
	frz_tail_put_head(t->map, h);
	return true;
fail_unlink:
	tail_remove(t);
fail:
	tail_close(t);
	return false;
}

bool tail_open(struct tail *t, const char *case_path, bool *absent, char *err, size_t cap)
{
	struct stat st;

	*absent = false;
	if (!begin(t, case_path, err, cap))
		goto fail;
	t->fd = openat(t->dir, name_in_folder(t), O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (t->fd < 0 && errno == ENOENT) {
		*absent = true;
		goto fail;
	}
	if (t->fd < 0 || fstat(t->fd, &st)) {
		snprintf(err, cap, "%s: cannot be opened: %s", t->path, strerror(errno));
		goto fail;
	}
	if (!S_ISREG(st.st_mode)) {
		snprintf(err, cap, "%s: is no tail file", t->path);
		goto fail;
	}
	t->size = (size_t)st.st_size;
	if (t->size == 0 || map(t, err, cap))
		return true;
fail:
	tail_close(t);
	return false;
}

void tail_close(struct tail *t)
{
	tail_unguard(t);
	if (t->map)
		munmap(t->map, t->size);
	if (t->fd >= 0)
		close(t->fd);
	if (t->dir >= 0)
		close(t->dir);
	free(t->path);
	*t = TAIL_NONE;
}

int tail_sync(const struct tail *t, uint8_t *from, size_t len)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t over = (size_t)(from - t->map) % page;

	return msync(from - over, len + over, MS_SYNC);
}

int tail_remove(struct tail *t) { return unlinkat(t->dir, name_in_folder(t), 0); }

uint8_t *tail_half_page(const struct tail *t, const struct frz_tail_head *h, unsigned half)
{
	return t->map + frz_tail_half_offset(h, half);
}

/* ---- SIGBUS ---- */

static struct tail *guarded;
static struct sigaction before_guard;
static volatile sig_atomic_t broken; /* an errno, or CUT */
static size_t page_size;
static uint8_t copy[64 << 10]; /* the largest page there is */

#define CUT -1

/* Why a store into the page failed: writing to it in the file says. */
static int why_broken(const struct tail *t, off_t at)
{
	struct stat st;

	if (fstat(t->fd, &st))
		return errno;
	if (st.st_size <= at)
		return CUT;
	if (pwrite(t->fd, copy, 1, at) < 0)
		return errno;
	return EIO;
}

static void on_sigbus(int sig, siginfo_t *si, void *context)
{
	static atomic_flag copying = ATOMIC_FLAG_INIT;
	uint8_t *page = (uint8_t *)((uintptr_t)si->si_addr & ~(uintptr_t)(page_size - 1));
	int saved = errno;

	(void)context;
	if (si->si_code <= 0 || !guarded || page < guarded->map ||
	    page >= guarded->map + guarded->size) {
		sigaction(sig, &before_guard, NULL); /* not ours: it happens again */
		return;
	}
	while (atomic_flag_test_and_set_explicit(&copying, memory_order_acquire))
		;
	memset(copy, 0, page_size);
	if (pread(guarded->fd, copy, page_size, page - guarded->map) < 0)
		memset(copy, 0, page_size);
	else if (!broken)
		broken = why_broken(guarded, page - guarded->map);
	if (!broken)
		broken = EIO;
	if (mmap(page, page_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
		 -1, 0) == MAP_FAILED)
		_exit(1); /* nothing else ends the loop of faults */
	memcpy(page, copy, page_size);
	atomic_flag_clear_explicit(&copying, memory_order_release);
	errno = saved;
}

void tail_guard(struct tail *t)
{
	struct sigaction sa = { .sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO | SA_RESTART };

	page_size = (size_t)sysconf(_SC_PAGESIZE);
	guarded = t;
	broken = 0;
	sigemptyset(&sa.sa_mask);
	sigaction(SIGBUS, &sa, &before_guard);
}

void tail_unguard(struct tail *t)
{
	if (guarded != t)
		return;
	sigaction(SIGBUS, &before_guard, NULL);
	guarded = NULL;
}

const char *tail_broken(void)
{
	return broken == CUT ? "it was cut" : broken ? strerror(broken) : NULL;
}
