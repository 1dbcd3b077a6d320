/*
 * describe.h - a decoded call as people read it: path, fd, bytes, and a line of detail.
 * The analyzer's rows and `frec -v` both come from here. Formats into memory, prints nothing.
 */
#ifndef FRZ_DESCRIBE_H
#define FRZ_DESCRIBE_H

#include "record.h"
#include "sysent.h"

#define FRZ_DETAIL_MAX 1024

struct frz_desc {
	const struct frz_sysent *ent; /* NULL: not in the table */
	char name[40];		      /* "openat", "io_uring.read", "syscall_512" */
	/* first fd argument that is open (for open and its kin: the fd returned), else the fd
	 * returned, else the directory fd when that alone was meant; -1 none */
	int32_t fd;
	uint64_t instance;	/* of fd; 0 not known */
	uint64_t read_instance; /* fd instances that bytes moved from / to; 0 none */
	uint64_t write_instance;
	/* path: what the kernel resolved (of the fd returned or used, or FILE attachment);
	 * failing that the passed path made absolute by joining it to its directory, with no
	 * guess about symlinks. path2: the second path of rename, link, ...; the text that a
	 * symlink holds; what is mounted; or the second fd's of sendfile, splice, epoll_ctl,
	 * accept (the connection). Not NUL-terminated, may hold any byte; they point into the
	 * decoder's strings or into `join`. */
	struct frz_str path, path2;
	/* moved, as the kernel returned it; -1: not a transfer, failed, or not known */
	int64_t bytes;
	const char *err; /* errno name, "E?" if it has none; NULL: no error */
	bool returned;	 /* false: ret is not known */
	/* printable ASCII apart from UTF-8 taken over as it is; control bytes escaped as \xNN.
	 * e.g. `O_WRONLY|O_CREAT|O_CLOEXEC 0644 name="out.txt"`. What was cut or unreadable
	 * and signs come before strings; a detail that was too long ends in "..." */
	char detail[FRZ_DETAIL_MAX];
	char join[2][8192]; /* storage for joined paths */
};

/* rec is a SYSCALL or URING record just decoded by d. */
void frz_describe(const struct frz_decoder *d, const struct frz_record *rec, struct frz_desc *out);

/* Text of a sockaddr: "192.0.2.1:80", "[2001:db8::1]:443", "/run/x.sock", "@abstract",
 * "netlink:pid", "vsock:cid:port"; hostile bytes escaped. Always NUL-terminated. */
void frz_sockaddr_text(const uint8_t *p, size_t n, char *out, size_t cap);
/* "inet", "inet6", "unix", "netlink", ... ; "stream", "dgram", ... NULL if not known. */
const char *frz_family_name(unsigned family);
const char *frz_socktype_name(unsigned type);
/* Kind of file from st_mode, and from a link text such as "pipe:[12]" or "anon_inode:[eventpoll]":
 * "file" "dir" "char" "block" "fifo" "pipe" "socket" "symlink" "eventpoll" "eventfd" ... */
const char *frz_file_kind(const struct frz_file *f, struct frz_str path);
/* Escapes n bytes of p for a terminal: control bytes, DEL, invalid UTF-8, backslash, and
 * characters that hide or reorder others (C1, zero-width, bidirectional marks) as
 * \xNN (\n, \t, \\ short); returns the length that a large enough out would hold. */
size_t frz_escape(const uint8_t *p, size_t n, char *out, size_t cap);
/* UTC: "2024-05-06T07:08:09.123456789Z", without the fraction for FRZ_WHOLE_SECOND. A year that has
 * not four digits is told as "@" and the seconds since 1970. */
#define FRZ_TIME_MAX	 40
#define FRZ_WHOLE_SECOND UINT32_MAX
void frz_time_text(int64_t sec, uint32_t nsec, char out[FRZ_TIME_MAX]);

#endif
