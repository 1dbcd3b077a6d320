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
 * caller's to close. -1: errno says why. follow: also a symlink at its end. */
int walk_path(pid_t tid, int dirfd, const uint8_t *path, size_t n, bool follow);

#endif
