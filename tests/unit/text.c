/*
 * text.c - tests of what becomes of addresses, kinds of file, hostile bytes and times as text.
 */
#include "describe.h"
#include "tap.h"

static void is_addr(const void *p, size_t n, const char *want)
{
	char out[1100];

	frz_sockaddr_text(p, n, out, sizeof(out));
	is_str(out, want, want);
}

static void addresses(void)
{
	uint8_t v6[28] = { 10, 0, 1, 0xbb, [8] = 0x20, 1, 0x0d, 0xb8, [23] = 1 };
	uint8_t small[6];

	is_addr("\2\0\0\x50\xc0\0\2\1\0\0\0\0\0\0\0\0", 16, "192.0.2.1:80");
	is_addr(v6, 28, "[2001:db8::1]:443");
	v6[24] = 3;
	is_addr(v6, 28, "[2001:db8::1%3]:443");
	is_addr(v6, 24, "[2001:db8::1]:443");
	is_addr("\1\0/run/x.sock\0junk", 19, "/run/x.sock");
	is_addr("\1\0/run/\x1b", 8, "/run/\\x1b");
	is_addr("\1\0\0abs\0x", 8, "@abs\\x00x");
	is_addr("\1\0", 2, "unnamed");
	is_addr("\x10\0\0\0\5\0\0\0\0\0\0\0", 12, "netlink:5");
	is_addr("\x28\0\0\0\x50\0\0\0\3\0\0\0\0\0\0\0", 16, "vsock:3:80");
	is_addr("\x11\0\x08\0\2\0\0\0", 8, "packet:if2:0x800");
	is_addr("\2\0\0", 3, "inet:00");
	is_addr("\xff\x7f\1\2", 4, "family 32767:0102");
	is_addr("\2", 1, "cut");
	is_addr("", 0, "none");
	frz_sockaddr_text((const uint8_t *)"\2\0\0\x50\x7f\0\0\1", 8, (char *)small, sizeof(small));
	is_str((char *)small, "127.0", "cut to the room there is");
	is_str(frz_family_name(10), "inet6", "a family");
	ok(!frz_family_name(200), "a family without a name");
	is_str(frz_socktype_name(2), "dgram", "a type");
	ok(!frz_socktype_name(8) && !frz_socktype_name(99), "types without a name");
}

static const char *kind(uint32_t mode, const char *path)
{
	struct frz_file f = { .mask = FRZ_F_MODE, .mode = mode };

	return frz_file_kind(
		&f, (struct frz_str){ .p = (const uint8_t *)path, .len = (uint32_t)strlen(path) });
}

static void kinds(void)
{
	is_str(kind(0100644, "/etc/passwd"), "file", "a file");
	is_str(kind(040755, "/"), "dir", "a directory");
	is_str(kind(0010600, "/run/fifo"), "fifo", "a named pipe");
	is_str(kind(0010600, "pipe:[12]"), "pipe", "a pipe");
	is_str(kind(0140777, "socket:[12]"), "socket", "a socket");
	is_str(kind(0140777, "/run/x.sock"), "socket", "a socket's name");
	is_str(kind(0020666, "/dev/null"), "char", "a character device");
	is_str(kind(0060660, "/dev/sda"), "block", "a block device");
	is_str(kind(0120777, "/l"), "symlink", "a symlink");
	is_str(kind(0600, "anon_inode:[eventpoll]"), "eventpoll", "an epoll instance");
	is_str(kind(0100600, "anon_inode:inotify"), "inotify",
	       "an inotify instance, whatever its mode");
	is_str(kind(0600, "anon_inode:[new]"), "anon", "an unknown one");
	is_str(kind(0600, "anon_inode:"), "anon", "one without a name");
	is_str(kind(0100777, "/memfd:x"), "memfd", "a memfd");
	is_str(kind(0100444, "net:[4026531840]"), "namespace", "a namespace");
	is_str(kind(0, "/x"), "unknown", "no type bits");
	is_str(frz_file_kind(NULL, (struct frz_str){ 0 }), "unknown", "nothing at all");
}

static void escapes(void)
{
	char out[64];

	is_int(frz_escape((const uint8_t *)"a\tb\n\\\x7f", 6, out, sizeof(out)), 12, "the length");
	is_str(out, "a\\tb\\n\\\\\\x7f", "short and long escapes");
	frz_escape((const uint8_t *)"\xc0\xaf\xed\xa0\x80\xf5\xc3", 7, out, sizeof(out));
	is_str(out, "\\xc0\\xaf\\xed\\xa0\\x80\\xf5\\xc3",
	       "overlong, surrogate, too high, cut short");
	frz_escape((const uint8_t *)"\xc2\x85\xef\xbb\xbf", 5, out, sizeof(out));
	is_str(out, "\\xc2\\x85\\xef\\xbb\\xbf", "a C1 control and a byte order mark");
	is_int(frz_escape((const uint8_t *)"abc", 3, NULL, 0), 3, "no room at all");
	is_int(frz_escape((const uint8_t *)"abcdef", 6, out, 4), 6, "too little room");
	is_str(out, "abc", "what fits");
	is_int(frz_escape(NULL, 0, out, 4), 0, "nothing");
}

static void is_time(int64_t sec, uint32_t nsec, const char *want)
{
	char out[FRZ_TIME_MAX];

	frz_time_text(sec, nsec, out);
	is_str(out, want, want);
}

static void times(void)
{
	is_time(0, FRZ_WHOLE_SECOND, "1970-01-01T00:00:00Z");
	is_time(0, 0, "1970-01-01T00:00:00.000000000Z");
	is_time(1714979289, 7, "2024-05-06T07:08:09.000000007Z");
	is_time(-1, 999999999, "1969-12-31T23:59:59.999999999Z");
	/* a file server may say any */
	is_time(-30610224000, FRZ_WHOLE_SECOND, "1000-01-01T00:00:00Z");
	is_time(-30610224001, FRZ_WHOLE_SECOND, "@-30610224001");
	is_time(253402300799, 999999999, "9999-12-31T23:59:59.999999999Z");
	is_time(253402300800, 0, "@253402300800");
	is_time(INT64_MIN, UINT32_MAX - 1, "@-9223372036854775808");
}

int main(void)
{
	addresses();
	kinds();
	escapes();
	times();
	return tap_done();
}
