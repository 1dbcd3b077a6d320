/*
 * writer_open.c - a case and its tail are created, sealed, released.
 */
#include "writer_private.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "genesis.h"
#include "procinfo.h"

#define DEFAULT_STALL_MS 2000

/* A new file's name is on disk only when its directory is. */
static bool sync_directory(const char *path)
{
	char *copy = strdup(path);
	int fd = copy ? open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	bool good = fd >= 0 && (fsync(fd) == 0 || errno == EINVAL);

	if (fd >= 0)
		close(fd);
	free(copy);
	return good;
}

static void set_defaults(struct writer *w, const struct writer_options *o)
{
	w->o = *o;
	if (!w->o.sync_seconds)
		w->o.sync_seconds = 1;
	if (!w->o.tick_seconds)
		w->o.tick_seconds = 5;
	if (!w->o.zstd_level)
		w->o.zstd_level = 3;
	if (!w->o.stall_ms)
		w->o.stall_ms = DEFAULT_STALL_MS;
	/* what is promised is a little more than what is aimed at */
	w->tick_ns = w->o.tick_seconds * UINT64_C(1000000000) / 8 * 7;
}

static struct writer *writer_new(const char *path, const struct writer_options *o)
{
	struct writer *w = calloc(1, sizeof *w);
	pthread_condattr_t attr;

	if (!w)
		return NULL;
	pthread_mutex_init(&w->mutex, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&w->to_helper, &attr);
	pthread_cond_init(&w->to_tracer, &attr);
	pthread_condattr_destroy(&attr);
	w->fd = -1;
	w->cur = -1;
	w->tail = TAIL_NONE;
	w->next_event = 1;
	set_defaults(w, o);
	w->path = strdup(path);
	if (w->path && append_init(&w->append, writer_sink, w, w->o.zstd_level, WRITER_HALF))
		return w;
	writer_free(w);
	return NULL;
}

static bool create_case(struct writer *w, char *err, size_t cap)
{
	w->fd = open(w->path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
	if (w->fd < 0) {
		if (errno == EEXIST)
			snprintf(err, cap,
				 "%s: exists already and is never overwritten; choose another name",
				 w->path);
		else
			snprintf(err, cap, "%s: cannot be created: %s", w->path, strerror(errno));
		return false;
	}
	/* some network file systems know no locks; recovery then goes by the pid in the tail */
	if (flock(w->fd, LOCK_EX | LOCK_NB) && errno != ENOLCK && errno != EOPNOTSUPP &&
	    errno != ENOSYS && errno != EINVAL) {
		snprintf(err, cap, "%s: cannot be locked: %s", w->path, strerror(errno));
		unlink(w->path);
		return false;
	}
	return true;
}

static bool collect_genesis(struct writer *w, const struct writer_genesis *g,
			    struct genesis_host *host, char *err, size_t cap)
{
	if (!genesis_collect(host, err, cap))
		return false;
	memcpy(w->boot_id, host->boot_id, sizeof w->boot_id);
	if (g->case_id_hex ? !genesis_parse_id(g->case_id_hex, w->head.case_id) :
			     !genesis_random_id(w->head.case_id)) {
		snprintf(err, cap, "%s: no case id: %s",
			 g->case_id_hex ? g->case_id_hex : "getrandom",
			 g->case_id_hex ? "32 hex digits are needed" : strerror(errno));
		return false;
	}
	return true;
}

static bool write_genesis(struct writer *w, const struct writer_genesis *g,
			  const struct genesis_host *host, char *err, size_t cap)
{
	sigset_t old;
	enum frz_err e;
	bool good;

	tail_signals_block(&old);
	e = append_genesis(&w->append, host, g, w->head.case_id, w->o.tick_seconds, moment_now());
	good = !e && fdatasync(w->fd) == 0;
	if (!good)
		snprintf(err, cap, "%s: cannot be written: %s", w->path,
			 !e || e == FRZ_E_IO ? strerror(errno) : frz_strerror(e));
	tail_signals_restore(&old);
	return good;
}

static bool create_tail(struct writer *w, char *err, size_t cap)
{
	struct proc_stat self;

	w->head.half_bytes = WRITER_HALF;
	w->head.affinity_bytes = FRZ_TAIL_AFFINITY;
	memcpy(w->head.genesis_link, w->append.link, FRZ_HASH_LEN);
	memcpy(w->head.boot_id, w->boot_id, sizeof w->head.boot_id);
	if (!proc_stat(getpid(), &self)) {
		snprintf(err, cap, "/proc/self/stat: cannot be read: is /proc mounted?");
		return false;
	}
	w->head.pid = (uint64_t)self.pid;
	w->head.start_ticks = self.start_ticks;
	if (!tail_create(&w->tail, w->path, &w->head, err, cap))
		return false;
	for (unsigned i = 0; i < FRZ_TAIL_HALVES; i++) {
		w->half[i].page = tail_half_page(&w->tail, &w->head, i);
		w->half[i].data = w->half[i].page + FRZ_TAIL_PAGE;
	}
	if (fsync(w->tail.fd) || !sync_directory(w->path)) {
		snprintf(err, cap, "%s: cannot be written to its medium: %s", w->tail.path,
			 strerror(errno));
		tail_remove(&w->tail);
		return false;
	}
	tail_guard(&w->tail);
	return true;
}

struct writer *writer_open(const char *path, const struct writer_genesis *g,
			   const struct writer_options *o, char *err, size_t err_cap)
{
	struct writer *w = writer_new(path, o);
	struct genesis_host host;

	if (!w) {
		snprintf(err, err_cap, "out of memory");
		return NULL;
	}
	if (!collect_genesis(w, g, &host, err, err_cap) || !create_case(w, err, err_cap))
		goto fail;
	if (!write_genesis(w, g, &host, err, err_cap) || !create_tail(w, err, err_cap))
		goto fail_unlink;
	if (!writer_appended(w, FRZ_OK)) {
		snprintf(err, err_cap, "%s", writer_failed(w));
		goto fail_tail;
	}
	w->last_sync_ns = w->last_append_ns;
	if (writer_start_helper(w))
		return w;
	snprintf(err, err_cap, "no thread for the writer: %s", strerror(errno));
fail_tail:
	tail_remove(&w->tail);
fail_unlink:
	unlink(w->path);
fail:
	writer_free(w);
	return NULL;
}

int writer_seal(struct writer *w, const char *reason, uint8_t head[FRZ_HASH_LEN])
{
	sigset_t old;
	bool good;

	if (w->in_group)
		writer_commit(w);
	writer_flush(w);
	writer_stop_helper(w);
	if (atomic_load(&w->case_failed)) {
		fdatasync(w->tail.fd);
		return -1;
	}
	tail_signals_block(&old);
	good = writer_appended(w, append_seal(&w->append, reason, w->boot_id, moment_now()));
	tail_signals_restore(&old);
	if (!good)
		return -1;
	memcpy(head, w->append.link, FRZ_HASH_LEN);
	if (tail_remove(&w->tail) && errno != ENOENT)
		writer_fail(w, false, "%s: cannot be removed: %s; the case is sealed without it",
			    w->tail.path, strerror(errno));
	if (w->moved)
		writer_fail(w, false,
			    "%s: is sealed, but has no longer that name: "
			    "it or its folder was moved, or its medium was unmounted",
			    w->path);
	if (close(w->fd))
		writer_fail(w, false, "%s: is sealed, but cannot be closed: %s", w->path,
			    strerror(errno));
	w->fd = -1;
	return writer_failed(w) != NULL;
}

void writer_free(struct writer *w)
{
	if (!w)
		return;
	writer_stop_helper(w);
	tail_close(&w->tail);
	if (w->fd >= 0)
		close(w->fd);
	append_release(&w->append);
	pthread_mutex_destroy(&w->mutex);
	pthread_cond_destroy(&w->to_helper);
	pthread_cond_destroy(&w->to_tracer);
	free(w->path);
	free(w);
}
