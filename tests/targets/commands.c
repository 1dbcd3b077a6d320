/*
 * commands.c - calls whose arguments stand in structures, sets and strings of memory, and depend
 * on commands: keys, bpf, polling, file handles, message queues, quotas, mounts, watches.
 *
 * `commands FOLDER` changes to FOLDER, makes its calls and prints one line for each:
 *
 *     syscall ret bytes detail
 *
 * separated by tabs. ret is a negated errno when the call failed, bytes "-" when nothing was
 * moved, detail what the row's detail is, word for word. They stand between two calls of
 * faccessat, "/commands/begin" and "/commands/end".
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/bpf.h>
#include <linux/fs.h>
#include <linux/keyctl.h>
#include <linux/perf_event.h>
#include <linux/seccomp.h>
#include <linux/filter.h>
#include <linux/userfaultfd.h>

#define NOWHERE ((void *)0x10)

static long ret;   /* of the call made last */
static long moved; /* -1: it moves nothing */

static void die(const char *what)
{
	fprintf(stderr, "commands: %s: %s\n", what, strerror(errno));
	_exit(99);
}

/* Makes the call; then say() what its row is to hold. */
#define DO(...) (moved = -1, ret = syscall(__VA_ARGS__), ret = ret == -1 ? -errno : ret)

__attribute__((format(printf, 2, 3))) static void say(const char *name, const char *detail, ...)
{
	va_list ap;

	printf("%s\t%ld\t", name, ret);
	if (moved >= 0 && ret >= 0)
		printf("%ld\t", moved);
	else
		printf("-\t");
	va_start(ap, detail);
	vprintf(detail, ap);
	va_end(ap);
	putchar('\n');
}

static const char *key_name(long key)
{
	static char buf[4][32];
	static unsigned turn;
	char *b = buf[turn++ % 4];

	snprintf(b, sizeof(buf[0]), "key=%s%lx", key < 10000 ? "" : "0x", key);
	if (key < 10000)
		snprintf(b, sizeof(buf[0]), "key=%ld", key);
	return b;
}

/* ---- waiting for fds ---- */

static void polling(void)
{
	struct pollfd fds[100];
	struct epoll_event ev = { .events = EPOLLOUT | EPOLLET, .data.u64 = 0x1122334455667788 },
			   got[4];
	fd_set r, w;
	int p[2], ep;

	if (pipe(p) != 0)
		die("pipe");
	fds[0] = (struct pollfd){ p[0], POLLIN | POLLPRI, POLLNVAL };
	fds[1] = (struct pollfd){ p[1], POLLOUT, POLLIN };
	fds[2] = (struct pollfd){ -1, POLLIN, 0 };
#ifdef SYS_poll
	DO(SYS_poll, fds, 3, 0);
	say("poll",
	    "fds=[{fd=%d events=POLLIN|POLLPRI},{fd=%d events=POLLOUT revents=POLLOUT},{fd=-1 events=POLLIN}] "
	    "nfds=3 timeout=0",
	    p[0], p[1]);
	fds[0].revents = POLLNVAL; /* none of it: nothing was ready */
	DO(SYS_poll, fds, 1, 0);
	say("poll", "fds=[{fd=%d events=POLLIN|POLLPRI}] nfds=1 timeout=0", p[0]);
	DO(SYS_poll, NOWHERE, 2, 0);
	say("poll", "nfds=2 timeout=0 unreadable(fds)");
#endif
	for (unsigned i = 0; i < 100; i++)
		fds[i] = (struct pollfd){ -1, 0, 0 };
	DO(SYS_ppoll, fds, 100, &(struct timespec){ 0 }, NULL, 8);
	printf("ppoll\t%ld\t-\t*nfds=100 cut(fds of 100)\n", ret);
	FD_ZERO(&r);
	FD_ZERO(&w);
	FD_SET(p[0], &r);
	FD_SET(p[1], &w);
	FD_SET(p[0], &w);
#if !defined(__i386__)
#define SELECT "select"
#ifdef SYS_select
	DO(SYS_select, p[1] + 1, &r, &w, NULL, &(struct timeval){ 0 });
#else
#undef SELECT
#define SELECT "pselect6"
	DO(SYS_pselect6, p[1] + 1, &r, &w, NULL, &(struct timespec){ 0 }, NULL);
#endif
#else
#define SELECT "_newselect"
	DO(SYS__newselect, p[1] + 1, &r, &w, NULL, &(struct timeval){ 0 });
#endif
	say(SELECT, "nfds=%d readfds=[%d] writefds=[%d,%d]", p[1] + 1, p[0], p[0], p[1]);
	ep = epoll_create1(0);
	ret = epoll_ctl(ep, EPOLL_CTL_ADD, p[1], &ev);
	moved = -1;
	say("epoll_ctl",
	    "EPOLL_CTL_ADD fd=%d event={events=EPOLLOUT|EPOLLET data=0x1122334455667788}", p[1]);
	DO(SYS_epoll_pwait, ep, got, 4, 0, NULL, 8);
	say("epoll_pwait",
	    "events=[{events=EPOLLOUT data=0x1122334455667788}] maxevents=4 timeout=0");
	DO(SYS_epoll_pwait, ep, got, 4, 0, NULL, 8);
	say("epoll_pwait", "maxevents=4 timeout=0");
	close(ep);
	close(p[0]);
	close(p[1]);
}

/* ---- file handles ---- */

static void handles(void)
{
	struct {
		struct file_handle h;
		unsigned char bytes[128];
	} f = { .h.handle_bytes = 128 };
	char hex[300] = "", mount_fd[32];
	int mount, dir = open(".", O_RDONLY | O_DIRECTORY);

	DO(SYS_name_to_handle_at, AT_FDCWD, ".", &f, &mount, 0);
	if (ret == 0) {
		for (unsigned i = 0; i < f.h.handle_bytes; i++)
			sprintf(hex + 2 * i, "%02x", f.h.f_handle[i]);
		say("name_to_handle_at", "handle={type=%d %s} name=\".\"", f.h.handle_type, hex);
		DO(SYS_open_by_handle_at, dir, &f, O_RDONLY | O_DIRECTORY);
		/* the call's fd is the new one, or, where it may not, the one given */
		sprintf(mount_fd, "mount_fd=%d ", dir);
		say("open_by_handle_at", "%shandle={type=%d %s} O_RDONLY|O_DIRECTORY",
		    ret < 0 ? "" : mount_fd, f.h.handle_type, hex);
	}
	f.h.handle_bytes = 1000;
	DO(SYS_open_by_handle_at, -1, &f, O_RDONLY);
	say("open_by_handle_at", "O_RDONLY cut(handle of 1000)");
	DO(SYS_open_by_handle_at, -1, NOWHERE, O_RDONLY);
	say("open_by_handle_at", "O_RDONLY unreadable(handle)");
	close(dir);
}

/* ---- message queues: the bytes of a message ---- */

static void queues(void)
{
	char name[64], text[8192];
	unsigned prio;
	int q;

	snprintf(name, sizeof(name), "frec-test-%d", (int)getpid());
	q = (int)DO(SYS_mq_open, name, O_RDWR | O_CREAT, 0600, NULL);
	say("mq_open", "O_RDWR|O_CREAT 0600 name=\"%s\"", name);
	if (q < 0)
		return;
	DO(SYS_mq_timedsend, q, "0123456789", 10, 7, NULL);
	moved = 10;
	say("mq_timedsend", "prio=7");
	DO(SYS_mq_timedsend, q, "", 0, 1, NULL);
	moved = 0;
	say("mq_timedsend", "prio=1");
	DO(SYS_mq_timedsend, q, text, 100000, 0, NULL); /* EMSGSIZE */
	say("mq_timedsend", "len=100000 prio=0");
	DO(SYS_mq_timedreceive, q, text, sizeof(text), &prio, NULL);
	moved = ret;
	say("mq_timedreceive", "len=8192 prio=7");
	DO(SYS_mq_timedreceive, q, text, sizeof(text), NULL, NULL);
	moved = ret;
	say("mq_timedreceive", "len=8192");
	DO(SYS_mq_unlink, name);
	say("mq_unlink", "name=\"%s\"", name);
	close(q);
}

/* ---- keys ---- */

static void keys(void)
{
	long key, ring;

	ring = DO(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, "frec test");
	say("keyctl", "KEYCTL_JOIN_SESSION_KEYRING name=\"frec test\"");
	key = DO(SYS_add_key, "user", "frec:test", "secret", 6, KEY_SPEC_SESSION_KEYRING);
	say("add_key", "plen=6 KEY_SPEC_SESSION_KEYRING type=\"user\" description=\"frec:test\"");
	DO(SYS_request_key, "user", "frec:test", NULL, KEY_SPEC_PROCESS_KEYRING);
	say("request_key", "KEY_SPEC_PROCESS_KEYRING type=\"user\" description=\"frec:test\"");
	DO(SYS_keyctl, KEYCTL_SEARCH, KEY_SPEC_SESSION_KEYRING, "user", "frec:test", 0);
	say("keyctl",
	    "KEYCTL_SEARCH KEY_SPEC_SESSION_KEYRING link_to=0 type=\"user\" description=\"frec:test\"");
	DO(SYS_keyctl, KEYCTL_UPDATE, key, "new", 3);
	say("keyctl", "KEYCTL_UPDATE %s len=3", key_name(key));
	DO(SYS_keyctl, KEYCTL_CHOWN, key, -1, -1);
	say("keyctl", "KEYCTL_CHOWN %s uid=-1 gid=-1", key_name(key));
	DO(SYS_keyctl, KEYCTL_SETPERM, key, 0x3f3f0000);
	say("keyctl", "KEYCTL_SETPERM %s perm=0x3f3f0000", key_name(key));
	DO(SYS_keyctl, KEYCTL_LINK, key, KEY_SPEC_THREAD_KEYRING);
	say("keyctl", "KEYCTL_LINK %s KEY_SPEC_THREAD_KEYRING", key_name(key));
	DO(SYS_keyctl, KEYCTL_SET_TIMEOUT, key, 100);
	say("keyctl", "KEYCTL_SET_TIMEOUT %s timeout=100", key_name(key));
	DO(SYS_keyctl, KEYCTL_READ, key, NULL, 0);
	say("keyctl", "KEYCTL_READ %s", key_name(key));
	DO(SYS_keyctl, KEYCTL_REVOKE, key);
	say("keyctl", "KEYCTL_REVOKE %s", key_name(key));
	DO(SYS_keyctl, 9999, 1, 2, 3, 4);
	say("keyctl", "cmd=9999 arg=0x1 arg3=0x2 arg4=0x3 arg5=0x4");
	(void)ring;
}

/* ---- bpf, perf ---- */

static void programs(void)
{
	struct bpf_insn insns[] = { { .code = 0xb7, .dst_reg = 0 },
				    { .code = 0x95 } }; /* r0 = 0; exit */
	struct perf_event_attr perf = { .type = PERF_TYPE_SOFTWARE,
					.size = sizeof(perf),
					.config = PERF_COUNT_SW_CPU_CLOCK };
	union bpf_attr a;
	uint32_t zero = 0;
	uint64_t value = 5;
	int map;

	memset(&a, 0, sizeof(a));
	a.map_type = BPF_MAP_TYPE_ARRAY;
	a.key_size = 4;
	a.value_size = 8;
	a.max_entries = 3;
	strcpy(a.map_name, "frec_map");
	map = (int)DO(SYS_bpf, BPF_MAP_CREATE, &a, sizeof(a));
	say("bpf",
	    "BPF_MAP_CREATE attr={BPF_MAP_TYPE_ARRAY key_size=4 value_size=8 max_entries=3} size=%zu name=\"frec_map\"",
	    sizeof(a));
	memset(&a, 0, sizeof(a));
	a.map_fd = (uint32_t)map;
	a.key = (uintptr_t)&zero;
	a.value = (uintptr_t)&value;
	DO(SYS_bpf, BPF_MAP_UPDATE_ELEM, &a, 32);
	say("bpf", "BPF_MAP_UPDATE_ELEM attr=%u size=32", (unsigned)map);
	memset(&a, 0, sizeof(a));
	a.prog_type = BPF_PROG_TYPE_SOCKET_FILTER;
	a.insn_cnt = 2;
	a.insns = (uintptr_t)insns;
	a.license = (uintptr_t) "GPL";
	strcpy(a.prog_name, "frec_prog");
	DO(SYS_bpf, BPF_PROG_LOAD, &a, 72);
	say("bpf",
	    "BPF_PROG_LOAD attr={BPF_PROG_TYPE_SOCKET_FILTER insns=2 attach=0} size=72 name=\"frec_prog\"");
	memset(&a, 0, sizeof(a));
	a.pathname = (uintptr_t) "pin/here";
	a.bpf_fd = (uint32_t)map;
	DO(SYS_bpf, BPF_OBJ_PIN, &a, 16);
	say("bpf", "BPF_OBJ_PIN attr={bpf_fd=%u} size=16 path=\"pin/here\"", (unsigned)map);
	a.bpf_fd = 0;
	DO(SYS_bpf, BPF_OBJ_GET, &a, 16);
	say("bpf", "BPF_OBJ_GET attr={bpf_fd=0} size=16 path=\"pin/here\"");
	memset(&a, 0, sizeof(a));
	a.link_create.prog_fd = 77;
	a.link_create.target_fd = 78;
	a.link_create.attach_type = BPF_CGROUP_INET_EGRESS;
	DO(SYS_bpf, BPF_LINK_CREATE, &a, 16);
	say("bpf",
	    "BPF_LINK_CREATE attr={prog_fd=77 target_fd=78 attach=BPF_CGROUP_INET_EGRESS} size=16");
	DO(SYS_bpf, BPF_OBJ_GET, NOWHERE, 16);
	say("bpf", "BPF_OBJ_GET size=16 unreadable(attr)");
	DO(SYS_perf_event_open, &perf, 0, -1, -1, 8);
	say("perf_event_open",
	    "attr={PERF_TYPE_SOFTWARE size=%zu} pid=0 cpu=-1%s PERF_FLAG_FD_CLOEXEC", sizeof(perf),
	    ret < 0 ? "" : " group_fd=-1"); /* then that is the call's fd */
}

/* ---- what a process may do ---- */

static void limits(void)
{
	struct sock_filter allow[] = { BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW) };
	struct sock_fprog prog = { 1, allow };
	uint32_t action = SECCOMP_RET_USER_NOTIF;
	uint64_t ruleset[1] = { 5 };
	char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd;

	DO(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, 21, 0, 0);
	say("prctl", "PR_CAP_AMBIENT PR_CAP_AMBIENT_IS_SET CAP_SYS_ADMIN");
	DO(SYS_prctl, 0x53564d41 /* PR_SET_VMA */, 0, page, 4096, "frec arena");
	say("prctl", "PR_SET_VMA PR_SET_VMA_ANON_NAME addr=%#lx len=4096 name=\"frec arena\"",
	    (unsigned long)page);
	DO(SYS_prctl, PR_SET_SECCOMP, 2, NOWHERE, 0, 0);
	say("prctl", "PR_SET_SECCOMP SECCOMP_MODE_FILTER");
	DO(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action);
	say("seccomp", "SECCOMP_GET_ACTION_AVAIL arg=SECCOMP_RET_USER_NOTIF");
	DO(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0x80, &prog); /* a flag that is none */
	say("seccomp", "SECCOMP_SET_MODE_FILTER 0x80 filter=1");
	fd = (int)DO(SYS_landlock_create_ruleset, ruleset, 8, 0);
	say("landlock_create_ruleset",
	    "attr={fs=LANDLOCK_ACCESS_FS_EXECUTE|LANDLOCK_ACCESS_FS_READ_FILE}");
	if (fd >= 0) {
		struct {
			uint64_t allowed;
			int32_t parent;
		} __attribute__((packed)) rule = { 4, open(".", O_PATH) };

		DO(SYS_landlock_add_rule, fd, 1, &rule, 0);
		say("landlock_add_rule",
		    "LANDLOCK_RULE_PATH_BENEATH attr={allowed=LANDLOCK_ACCESS_FS_READ_FILE parent=%d}",
		    rule.parent);
	}
	DO(SYS_kexec_load, 0l, 1l, NOWHERE, 0x3e0000l | 1 | 0x100); /* a flag that is none */
	say("kexec_load", "segments=1 KEXEC_ON_CRASH|KEXEC_ARCH_X86_64|0x100");
}

/* ---- quotas, mounts, watches, ioctls ---- */

static void files(void)
{
	struct {
		uint64_t set, clear, propagation, userns;
	} attr = { 1, 2, 0, 0 };
	struct file_clone_range range = { 999, 4096, 8192, 12288 };
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .range = { 0x10000, 4096 },
				       .mode = UFFDIO_REGISTER_MODE_MISSING };
	int fd = open("file", O_RDWR | O_CREAT, 0644), watch, fs, flags = FS_NODUMP_FL;

	DO(SYS_quotactl, 0x80000701u /* Q_GETQUOTA, GRPQUOTA */, "/dev/nothing", 1000, NULL);
	say("quotactl", "Q_GETQUOTA|GRPQUOTA id=1000");
	DO(SYS_quotactl, 0x00580300u /* Q_XGETQUOTA, USRQUOTA */, "/dev/nothing", 1000, NULL);
	say("quotactl", "Q_XGETQUOTA|USRQUOTA id=1000");
	DO(SYS_quotactl_fd, fd, 0x80000400u /* Q_GETFMT, USRQUOTA */, 0, NULL);
	say("quotactl_fd", "Q_GETFMT|USRQUOTA id=0");
	fs = (int)DO(SYS_fsopen, "tmpfs", 1);
	say("fsopen", "FSOPEN_CLOEXEC fsname=\"tmpfs\"");
	DO(SYS_fsconfig, fs, 1, "size", "1m", 0);
	say("fsconfig", "FSCONFIG_SET_STRING aux=0 key=\"size\" value=\"1m\"");
	DO(SYS_fsconfig, fs, 6, NULL, NULL, 0);
	say("fsconfig", "FSCONFIG_CMD_CREATE aux=0");
	DO(SYS_mount_setattr, -1, "", 0x1000, &attr, 32);
	say("mount_setattr",
	    "AT_EMPTY_PATH attr={set=MOUNT_ATTR_RDONLY clear=MOUNT_ATTR_NOSUID userns=0} name=\"\"");
	watch = (int)DO(SYS_inotify_init1, 0x80000);
	say("inotify_init1", "O_CLOEXEC");
	DO(SYS_inotify_add_watch, watch, "file", 0x102);
	say("inotify_add_watch", "IN_MODIFY|IN_CREATE name=\"file\"");
	DO(SYS_fanotify_mark, -1, 0x1, (uint64_t)0x8, AT_FDCWD, "file");
#if !defined(__i386__)
	say("fanotify_mark", "FAN_MARK_ADD FAN_CLOSE_WRITE name=\"file\"");
#else
	printf("fanotify_mark\t%ld\t-\t*FAN_MARK_ADD FAN_CLOSE_WRITE\n", ret);
#endif
	DO(SYS_ioctl, fd, FICLONE, 999);
	say("ioctl", "FICLONE arg=999");
	DO(SYS_ioctl, fd, FICLONERANGE, &range);
	say("ioctl",
	    "FICLONERANGE arg={src=999 src_offset=4096 src_length=8192 dest_offset=12288}");
	DO(SYS_ioctl, fd, FS_IOC_SETFLAGS, &flags);
#if defined(__LP64__)
	say("ioctl", "FS_IOC_SETFLAGS arg=FS_NODUMP_FL");
#else
	say("ioctl", "FS_IOC32_SETFLAGS arg=FS_NODUMP_FL");
#endif
	DO(SYS_ioctl, fd, TIOCSTI, "x");
	say("ioctl", "TIOCSTI arg=120");
	close(fd);
	fd = (int)DO(SYS_userfaultfd, 0x80001);
	say("userfaultfd", "UFFD_USER_MODE_ONLY|O_CLOEXEC");
	if (fd < 0)
		return;
	DO(SYS_ioctl, fd, UFFDIO_API, &api);
	say("ioctl", "UFFDIO_API arg={api=0xaa}");
	DO(SYS_ioctl, fd, UFFDIO_REGISTER, &reg);
	say("ioctl",
	    "UFFDIO_REGISTER arg={start=0x10000 len=4096 mode=UFFDIO_REGISTER_MODE_MISSING}");
}

int main(int argc, char **argv)
{
	if (argc < 2 || chdir(argv[1]) != 0)
		die("usage: commands FOLDER");
	setvbuf(stdout, NULL, _IOFBF, 1 << 16);
	syscall(SYS_faccessat, AT_FDCWD, "/commands/begin", F_OK);
	polling();
	handles();
	queues();
	keys();
	programs();
	limits();
	files();
	syscall(SYS_faccessat, AT_FDCWD, "/commands/end", F_OK);
	return 0;
}
