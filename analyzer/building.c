/* building.c - files in which databases are built (contract in building.h). */
#include "building.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define MARK   ".building-"
#define RANDOM 6 /* what mkostemp makes of XXXXXX */
#define TRIES  100

static bool is_ours(const char *name, const char *base)
{
	size_t n = strlen(base);

	if (strncmp(name, base, n) != 0 || strncmp(name + n, MARK, strlen(MARK)) != 0)
		return false;
	name += n + strlen(MARK);
	if (strlen(name) != RANDOM)
		return false;
	while (*name && isalnum((unsigned char)*name))
		name++;
	return !*name;
}

/* Removes the file of this name in folder dir, unless somebody holds it. Who makes one looks again
 * after taking its lock, so a file that was made but is not yet held can be removed as well. */
static void remove_left_over(int dir, const char *name)
{
	int fd = openat(dir, name, O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW);
	struct stat st, there;

	if (fd < 0)
		return;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() &&
	    flock(fd, LOCK_EX | LOCK_NB) == 0 &&
	    fstatat(dir, name, &there, AT_SYMLINK_NOFOLLOW) == 0 && st.st_ino == there.st_ino &&
	    st.st_dev == there.st_dev)
		unlinkat(dir, name, 0);
	close(fd);
}

static void clear_away(const char *path)
{
	const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
	char *folder = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
	DIR *d = folder ? opendir(folder) : NULL;
	struct dirent *e;

	while (d && (e = readdir(d)))
		if (is_ours(e->d_name, base))
			remove_left_over(dirfd(d), e->d_name);
	if (d)
		closedir(d);
	free(folder);
}

int building_open(const char *path, char *name, size_t cap)
{
	clear_away(path);
	for (int i = 0; i < TRIES; i++) {
		struct stat st;
		int fd;

		if ((size_t)snprintf(name, cap, "%s" MARK "XXXXXX", path) >= cap) {
			errno = ENAMETOOLONG;
			return -1;
		}
		fd = mkostemp(name, O_CLOEXEC);
		if (fd < 0)
			return -1;
		/* a file system without locks: nobody clears away there */
		if ((flock(fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) &&
		    fstat(fd, &st) == 0 && st.st_nlink)
			return fd;
		close(fd); /* another took it for left over, between its making and its lock */
	}
	errno = EBUSY;
	return -1;
}
