/* madehere.c - marks of databases (contract in madehere.h). */
#include "madehere.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bytes.h"

#define KEY_LEN	   32
#define PATH_BYTES 4200

bool cache_folder(char *out, size_t cap)
{
	const char *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	char base[PATH_BYTES - 100];

	if (xdg && *xdg == '/')
		snprintf(base, sizeof(base), "%s", xdg);
	else if (home && *home == '/')
		snprintf(base, sizeof(base), "%s/.cache", home);
	else
		return false;
	mkdir(base, 0700);
	return (size_t)snprintf(out, cap, "%s/fanalyze", base) < cap &&
	       (mkdir(out, 0700) == 0 || errno == EEXIST);
}

static bool read_key(const char *path, uint8_t key[KEY_LEN])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW);
	struct stat st;
	bool good;

	if (fd < 0)
		return false;
	/* one that others can read, or gave, is no secret */
	good = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() &&
	       !(st.st_mode & 077) && read(fd, key, KEY_LEN) == KEY_LEN;
	close(fd);
	return good;
}

/* Made under another name and linked into place: nobody sees half of it, and the first stays. */
static bool make_key(const char *path)
{
	uint8_t key[KEY_LEN];
	char tmp[PATH_BYTES];
	bool good;
	int fd;

	if (getrandom(key, KEY_LEN, 0) != KEY_LEN ||
	    (size_t)snprintf(tmp, sizeof(tmp), "%s.XXXXXX", path) >= sizeof(tmp))
		return false;
	fd = mkostemp(tmp, O_CLOEXEC);
	if (fd < 0)
		return false;
	good = write(fd, key, KEY_LEN) == KEY_LEN && fsync(fd) == 0 &&
	       (link(tmp, path) == 0 || errno == EEXIST);
	close(fd);
	unlink(tmp);
	return good;
}

static bool get_key(uint8_t key[KEY_LEN])
{
	char path[PATH_BYTES];
	size_t n;

	if (!cache_folder(path, sizeof(path)))
		return false;
	n = strlen(path);
	if ((size_t)snprintf(path + n, sizeof(path) - n, "/key") >= sizeof(path) - n)
		return false;
	return read_key(path, key) || (make_key(path) && read_key(path, key));
}

bool made_here(const char *path, const char *case_id, char mark[FRZ_HEX_LEN])
{
	uint8_t key[KEY_LEN], file[24], sha[FRZ_HASH_LEN];
	struct frz_sha256 h;
	struct statx st;

	if (!get_key(key) || statx(AT_FDCWD, path, 0, STATX_INO | STATX_BTIME, &st) < 0)
		return false;
	/* not the device: its number can be another after each boot */
	frz_put64(file, st.stx_ino);
	frz_put64(file + 8, (uint64_t)st.stx_btime.tv_sec);
	frz_put64(file + 16, st.stx_btime.tv_nsec);
	frz_sha256_init(&h);
	frz_sha256_add(&h, key, KEY_LEN);
	frz_sha256_add(&h, file, sizeof(file));
	frz_sha256_add(&h, case_id, strlen(case_id));
	frz_sha256_peek(&h, sha);
	frz_hex(sha, sizeof(sha), mark);
	return true;
}
