/*
 * server.c - a file server that is recorded along with who uses it: the kernel asks the one process
 * while the other waits. `server FOLDER` mounts a file system of one folder and two files at
 * FOLDER/mnt, serves it, and has a child truncate, read, rename over and remove them there. Nothing
 * may be remembered of names and attributes, so that each look is a question. Exit code 77: this
 * system does not let it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <linux/fuse.h>

#define FILE_SIZE 8192u

static int device;

static void reply(uint64_t unique, int error, const void *data, size_t n)
{
	char out[sizeof(struct fuse_out_header) + FILE_SIZE];
	struct fuse_out_header h = { (uint32_t)(sizeof(h) + n), error, unique };

	memcpy(out, &h, sizeof(h));
	if (n)
		memcpy(out + sizeof(h), data, n);
	if (write(device, out, sizeof(h) + n) < 0 && errno != ENOENT)
		_exit(98);
}

static struct fuse_attr attributes(uint64_t node)
{
	bool dir = node == FUSE_ROOT_ID;

	return (struct fuse_attr){ .ino = node,
				   .size = dir ? 0 : FILE_SIZE,
				   .mode = dir ? S_IFDIR | 0755u : S_IFREG | 0644u,
				   .nlink = 1,
				   .blksize = 4096 };
}

static void answer(const struct fuse_in_header *in, const void *body)
{
	struct fuse_init_out init = { .major = FUSE_KERNEL_VERSION,
				      .minor = FUSE_KERNEL_MINOR_VERSION,
				      .max_readahead = 4096,
				      .max_write = 4096 };
	struct fuse_attr_out attr = { .attr = attributes(in->nodeid) };
	struct fuse_entry_out entry = { 0 };
	struct fuse_open_out opened = { 0 };
	static char page[FILE_SIZE];

	switch (in->opcode) {
	case FUSE_INIT:
		reply(in->unique, 0, &init, sizeof(init));
		break;
	case FUSE_LOOKUP:
		entry.nodeid = !strcmp(body, "one") ? 2 : !strcmp(body, "two") ? 3 : 0;
		entry.attr = attributes(entry.nodeid);
		reply(in->unique, entry.nodeid ? 0 : -ENOENT, &entry,
		      entry.nodeid ? sizeof(entry) : 0);
		break;
	case FUSE_GETATTR:
	case FUSE_SETATTR:
		reply(in->unique, 0, &attr, sizeof(attr));
		break;
	case FUSE_OPEN:
		reply(in->unique, 0, &opened, sizeof(opened));
		break;
	case FUSE_READ:
		memcpy(page, "two", 4); /* a path, for who maps the file */
		reply(in->unique, 0, page, ((const struct fuse_read_in *)body)->size);
		break;
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_INTERRUPT:
		break; /* no answer is wanted */
	case FUSE_UNLINK:
	case FUSE_RENAME:
	case FUSE_RENAME2:
	case FUSE_FLUSH:
	case FUSE_RELEASE:
	case FUSE_ACCESS:
		reply(in->unique, 0, NULL, 0);
		break;
	default:
		reply(in->unique, -ENOSYS, NULL, 0);
	}
}

static int use(void)
{
	char *map;
	int fd;

	if (chdir("mnt") != 0)
		return 97;
	fd = open("one", O_RDWR | O_TRUNC);
	if (fd < 0 || truncate("one", 5) != 0 || rename("one", "two") != 0)
		return 96;
	map = mmap(NULL, FILE_SIZE, PROT_READ, MAP_PRIVATE, fd, 0);
	/* its path stands in a page that nobody has read yet */
	if (map == MAP_FAILED || syscall(SYS_faccessat, AT_FDCWD, map, F_OK) != 0 ||
	    unlink("two") != 0)
		return 95;
	munmap(map, FILE_SIZE);
	close(fd);
	return chdir("..");
}

int main(int argc, char **argv)
{
	static char in[65536 + 4096];
	char options[64];
	pid_t server;
	int used;

	if (argc < 2 || chdir(argv[1]) != 0 || mkdir("mnt", 0755) != 0)
		return 99;
	device = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=%d,group_id=%d", device,
		 (int)getuid(), (int)getgid());
	if (device < 0 || mount("server", "mnt", "fuse", 0, options) != 0)
		return 77;
	server = fork();
	if (server == 0) {
		while (read(device, in, sizeof(in)) > 0)
			answer((struct fuse_in_header *)(void *)in,
			       in + sizeof(struct fuse_in_header));
		_exit(0); /* the mount is gone */
	}
	used = use();
	umount2("mnt", MNT_DETACH);
	close(device);
	waitpid(server, NULL, 0);
	return used;
}
