/* paths.c - names in every shape: relative, by dirfd, by symlinks, hostile, removed, replaced. */
#include "account.h"

#include <sys/stat.h>

static const char text[] = "0123456789";

static void make(const char *name, size_t n)
{
	const char *p = in_cwd(name);
	int fd = MUST(
		OPEN("openat", p, SYS_openat, AT_FDCWD, name, O_WRONLY | O_CREAT | O_TRUNC, 0644));

	IO("write", fd, p, NULL, SYS_write, fd, text, n);
	OP("close", fd, p, NULL, SYS_close, fd);
}

static void look(int dirfd, const char *name, const char *resolved)
{
	char buf[16];
	int fd = OPEN("openat", resolved, SYS_openat, dirfd, name, O_RDONLY);

	if (fd < 0)
		return;
	IO("read", fd, resolved, NULL, SYS_read, fd, buf, sizeof(buf));
	OP("close", fd, resolved, NULL, SYS_close, fd);
}

static void relative_and_links(void)
{
	char cwd[PATH_MAX];
	int dir;

	OP("mkdirat", -1, NULL, NULL, SYS_mkdirat, AT_FDCWD, "sub", 0755);
	OP("mkdirat", -1, NULL, NULL, SYS_mkdirat, AT_FDCWD, "sub/deep", 0700);
	make("sub/one", 3);
	make("sub/deep/two", 4);
	dir = MUST(
		OPEN("openat", in_cwd("sub"), SYS_openat, AT_FDCWD, "sub", O_RDONLY | O_DIRECTORY));
	look(dir, "one", in_cwd("sub/one"));
	look(dir, "deep/../one", in_cwd("sub/one"));
	look(dir, "./deep//two", in_cwd("sub/deep/two"));
	look(dir, "../sub/one", in_cwd("sub/one"));
	look(dir, "absent", NULL);    /* ENOENT */
	look(dir, "one/below", NULL); /* ENOTDIR */
	OP("symlinkat", -1, NULL, NULL, SYS_symlinkat, "sub/deep", AT_FDCWD, "short");
	OP("symlinkat", -1, NULL, NULL, SYS_symlinkat, "loop", AT_FDCWD, "loop");
	look(AT_FDCWD, "short/two", in_cwd("sub/deep/two"));
	look(AT_FDCWD, "loop", NULL); /* ELOOP */
	OP("chdir", -1, NULL, NULL, SYS_chdir, "short");
	look(AT_FDCWD, "two", in_cwd("sub/deep/two"));
	look(AT_FDCWD, "../one", in_cwd("sub/one"));
	OP("fchdir", dir, in_cwd("sub"), NULL, SYS_fchdir, dir);
	look(AT_FDCWD, "one", in_cwd("sub/one"));
	snprintf(cwd, sizeof(cwd), "%s", acc_cwd);
	OP("chdir", -1, NULL, NULL, SYS_chdir, cwd);
	OP("close", dir, in_cwd("sub"), NULL, SYS_close, dir);
}

static void hostile(void)
{
	/* clang-format off */
	static const char *const names[] = {
		"new\nline", "tab\tbed", "esc\x1b[31mred", "back\\slash", "quote'\"both",
		" lead and trail ", "-n", "\xff\xfe not utf-8", "\xc3\xa9t\xc3\xa9", "%s%n",
		"$(id)", "a,b;c|d", "\x01\x7f",
	};
	/* clang-format on */
	char longest[256];
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		make(names[i], i % 10 + 1);
		look(AT_FDCWD, names[i], in_cwd(names[i]));
	}
	memset(longest, 'x', 255);
	longest[255] = '\0';
	make(longest, 1);
}

static void removed_and_replaced(void)
{
	char p[PATH_MAX];
	int fd;

	make("victim", 10);
	make("victim", 2); /* O_TRUNC of 10 bytes */
	make("gone", 6);
	fd = MUST(OPEN("openat", in_cwd("gone"), SYS_openat, AT_FDCWD, "gone", O_RDWR));
	OP("unlinkat", -1, NULL, NULL, SYS_unlinkat, AT_FDCWD, "gone", 0);
	OP("unlinkat", -1, NULL, NULL, SYS_unlinkat, AT_FDCWD, "gone", 0); /* ENOENT */
	/* still open: it keeps the name that it was opened by */
	IO("write", fd, in_cwd("gone"), NULL, SYS_write, fd, text, 5);
	OP("close", fd, in_cwd("gone"), NULL, SYS_close, fd);
	make("old", 7);
	make("new", 8);
	fd = MUST(OPEN("openat", in_cwd("old"), SYS_openat, AT_FDCWD, "old", O_WRONLY | O_APPEND));
#ifdef SYS_renameat
	OP("renameat", -1, NULL, NULL, SYS_renameat, AT_FDCWD, "old", AT_FDCWD, "new");
#else
	OP("renameat2", -1, NULL, NULL, SYS_renameat2, AT_FDCWD, "old", AT_FDCWD, "new", 0);
#endif
	IO("write", fd, in_cwd("old"), NULL, SYS_write, fd, text, 9); /* the same */
	OP("close", fd, in_cwd("old"), NULL, SYS_close, fd);
	look(AT_FDCWD, "new", in_cwd("new"));
	make("x", 1);
	make("y", 2);
	OP("renameat2", -1, NULL, NULL, SYS_renameat2, AT_FDCWD, "x", AT_FDCWD, "y",
	   2 /* EXCHANGE */);
	OP("linkat", -1, NULL, NULL, SYS_linkat, AT_FDCWD, "x", AT_FDCWD, "hard", 0);
	look(AT_FDCWD, "hard", in_cwd("hard"));
	OP("truncate", -1, NULL, NULL, SYS_truncate, "x", 1L);
	OP("fchmodat", -1, NULL, NULL, SYS_fchmodat, AT_FDCWD, "x", 0600);
	OP("unlinkat", -1, NULL, NULL, SYS_unlinkat, AT_FDCWD, "sub/deep/two", 0);
	OP("unlinkat", -1, NULL, NULL, SYS_unlinkat, AT_FDCWD, "sub/deep", AT_REMOVEDIR);
	snprintf(p, sizeof(p), "/proc/%d/cmdline", getpid());
	fd = MUST(OPEN("openat", p, SYS_openat, AT_FDCWD, p, O_RDONLY));
	OP("close", fd, p, NULL, SYS_close, fd);
	OPEN("openat", NULL, SYS_openat, AT_FDCWD, (char *)1, O_RDONLY); /* EFAULT */
	OPEN("openat", NULL, SYS_openat, AT_FDCWD, "", O_RDONLY);	 /* ENOENT */
	OPEN("openat", NULL, SYS_openat, 999, "x", O_RDONLY);		 /* EBADF */
}

int main(int argc, char **argv)
{
	acc_start(argc, argv);
	umask(022);
	relative_and_links();
	hostile();
	removed_and_replaced();
	acc_end();
	return 0;
}
