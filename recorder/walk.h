/*
 * walk.h - what a stopped tracee means by a path, in its own root, with its own /proc/self.
 */
#ifndef FREC_WALK_H
#define FREC_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* An O_PATH fd of what n bytes of path are for thread tid, relative to its dirfd or AT_FDCWD; the
 * caller's to close. -1: errno says why, EREMOTE: it would have waited, see below. follow: also a
 * symlink at its end. */
int walk_path(pid_t tid, int dirfd, const uint8_t *path, size_t n, bool follow);

/* A recorded process serves a file system (it has /dev/fuse): whoever asks for a file of it may
 * wait for a thread that is stopped. From then on no path is walked within such a file system. */
void walk_careful(void);
/* So that holds for what fd, of frec's, stands for and the mounts of tid. */
bool walk_would_wait(pid_t tid, int fd);

#endif
