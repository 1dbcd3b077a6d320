/*
 * lies.h - what hostile.c lies with: a call that claims its row, memory that ends, paths of any
 * length.
 */
#ifndef TARGET_LIES_H
#define TARGET_LIES_H

#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NOWHERE ((void *)0x10) /* below what can be mapped */
#define KERNEL	((void *)0xffffffff81000000ul)

static char cwd[PATH_MAX];
static FILE *out;

static void die(const char *what)
{
	fprintf(stderr, "hostile: %s: %s\n", what, strerror(errno));
	_exit(99);
}

static void say(const char *name, long ret, const char *detail, const char *path)
{
	fprintf(out, "%s\t%ld\t%s\t", name, ret, detail ? detail : "*");
	if (!path)
		fputc('*', out);
	for (; path && *path; path++)
		fprintf(out, "%02x", (unsigned char)*path);
	fputc('\n', out);
}

/* syscall(SYS_name, ...), and the line that says what its row must have. Its result, or -errno. */
#define CALL(name, detail, path, ...)                                                              \
	({                                                                                         \
		long r_ = syscall(SYS_##name, __VA_ARGS__);                                        \
		if (r_ == -1)                                                                      \
			r_ = -errno;                                                               \
		say(#name, r_, detail, path);                                                      \
		r_;                                                                                \
	})

/* cwd "/" name, in one of eight buffers that take turns. */
static char *in_cwd(const char *name)
{
	static char buf[8][3 * PATH_MAX];
	static unsigned turn;
	char *b = buf[turn++ % 8];

	snprintf(b, sizeof(buf[0]), "%s/%s", cwd, name);
	return b;
}

/* n bytes that end where nothing is mapped. */
static char *at_the_edge(size_t n)
{
	size_t page = 4096, size = (n + page - 1) / page * page;
	char *p =
		mmap(NULL, size + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED || mprotect(p + size, page, PROT_NONE) != 0)
		die("mmap");
	return p + size - n;
}

/* n times c, and a NUL. */
static char *filled(size_t n, char c)
{
	char *p = malloc(n + 1);

	if (!p)
		die("malloc");
	memset(p, c, n);
	p[n] = '\0';
	return p;
}

#endif
