/* mem.c - bytes out of a stopped tracee's memory (contract in mem.h). */
#include "mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <unistd.h>

#define PAGE 4096u /* the smallest page size of any supported ABI */

static bool careful;

void mem_careful(void) { careful = true; }

static size_t peek(pid_t tid, uint64_t addr, uint8_t *buf, size_t n)
{
	size_t got = 0;

	while (got < n) {
		uint64_t at = addr + got;
		uint64_t word_at = at & ~(uint64_t)(sizeof(long) - 1);
		size_t skip = (size_t)(at - word_at), take = sizeof(long) - skip;
		long word;

		errno = 0;
		word = ptrace(PTRACE_PEEKDATA, tid, (void *)(uintptr_t)word_at, NULL);
		if (errno)
			break;
		if (take > n - got)
			take = n - got;
		memcpy(buf + got, (const uint8_t *)&word + skip, take);
		got += take;
	}
	return got;
}

static int open_proc(pid_t tid, const char *what)
{
	char path[48];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)tid, what);
	return open(path, O_RDONLY | O_CLOEXEC);
}

/* How many bytes from addr on lie in pages that are there; proc_pid_pagemap(5). */
static size_t present(int pagemap, uint64_t addr, size_t n)
{
	const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), there = 3ull << 62;
	uint64_t at = addr / page, entry;

	for (; at * page < addr + n; at++) {
		off_t off = (off_t)(at * sizeof(entry));

		if (pread(pagemap, &entry, sizeof(entry), off) != sizeof(entry) || !(entry & there))
			break;
	}
	return at * page <= addr ? 0 : at * page - addr < n ? (size_t)(at * page - addr) : n;
}

static size_t read_present(pid_t tid, uint64_t addr, uint8_t *buf, size_t n)
{
	int mem = open_proc(tid, "mem"), pagemap = open_proc(tid, "pagemap");
	size_t got = 0;
	ssize_t r;

	n = mem >= 0 && pagemap >= 0 && addr <= INT64_MAX - n ? present(pagemap, addr, n) : 0;
	while (got < n && (r = pread(mem, buf + got, n - got, (off_t)(addr + got))) > 0)
		got += (size_t)r;
	if (mem >= 0)
		close(mem);
	if (pagemap >= 0)
		close(pagemap);
	return got;
}

size_t mem_read(pid_t tid, uint64_t addr, void *buf, size_t n)
{
	size_t got = 0;

	if (careful)
		return read_present(tid, addr, buf, n);
	/* Split at page borders: one call takes what is mapped in front of a hole. */
	while (got < n) {
		struct iovec local = { (uint8_t *)buf + got, n - got };
		struct iovec remote[64];
		unsigned long nr = 0;
		uint64_t at = addr + got;
		size_t left = n - got;
		size_t asked = 0;
		ssize_t r;

		while (left && nr < 64) {
			size_t part = PAGE - (size_t)(at & (PAGE - 1));

			if (part > left)
				part = left;
			remote[nr].iov_base = (void *)(uintptr_t)at;
			remote[nr++].iov_len = part;
			at += part;
			left -= part;
			asked += part;
		}
		local.iov_len = asked;
		r = process_vm_readv(tid, &local, 1, remote, nr, 0);
		if (r < 0) {
			if (errno == EPERM || errno == ENOSYS)
				got += peek(tid, addr + got, (uint8_t *)buf + got, n - got);
			break;
		}
		got += (size_t)r;
		if ((size_t)r < asked)
			break;
	}
	return got;
}

bool mem_read_all(pid_t tid, uint64_t addr, void *buf, size_t n)
{
	return mem_read(tid, addr, buf, n) == n;
}

enum mem_str mem_read_str(pid_t tid, uint64_t addr, uint8_t *buf, size_t cap, size_t *len)
{
	size_t have = 0, step = 256;

	*len = 0;
	while (have < cap) {
		size_t want = cap - have < step ? cap - have : step;
		size_t got = mem_read(tid, addr + have, buf + have, want);
		const uint8_t *nul = memchr(buf + have, 0, got);

		if (nul) {
			*len = (size_t)(nul - buf);
			return MEM_STR_OK;
		}
		have += got;
		*len = have;
		if (got < want)
			return MEM_STR_FAULT;
		step = PAGE;
	}
	return MEM_STR_CUT;
}
