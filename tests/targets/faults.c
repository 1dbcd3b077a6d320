/*
 * faults.c - a program that answers faults on its own memory (userfaultfd(2)): whoever reads a page
 * of it that is not there waits for one of its threads. `faults FOLDER [wait]` opens FOLDER/file
 * three times by a path in such a page; exit code 77: this system does not let it. With `wait` it
 * says "ready" and reads a byte from its standard input first.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/userfaultfd.h>

#define PAGE 4096u

static int faults;

static void *answer(void *arg)
{
	static char page[PAGE] = "file";
	struct uffd_msg m;

	(void)arg;
	while (read(faults, &m, sizeof(m)) == sizeof(m)) {
		struct uffdio_copy c = { .dst = m.arg.pagefault.address &
						~(unsigned long long)(PAGE - 1),
					 .src = (unsigned long)page,
					 .len = PAGE };

		if (ioctl(faults, UFFDIO_COPY, &c) != 0)
			_exit(98);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	char *p = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
	     c;
	pthread_t t;
	int fd;

	if (argc < 2 || p == MAP_FAILED || chdir(argv[1]) != 0)
		return 99;
	fd = open("file", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0 || close(fd) != 0)
		return 99;
	faults = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
	reg.range.start = (unsigned long)p;
	reg.range.len = 3 * PAGE;
	if (faults < 0 || ioctl(faults, UFFDIO_API, &api) != 0 ||
	    ioctl(faults, UFFDIO_REGISTER, &reg) != 0)
		return 77;
	if (pthread_create(&t, NULL, answer, NULL) != 0)
		return 99;
	if (argc > 2 && (puts("ready") < 0 || fflush(stdout) != 0 || read(0, &c, 1) != 1))
		return 99;
	for (unsigned i = 0; i < 3; i++) {
		fd = (int)syscall(SYS_openat, AT_FDCWD, p + i * PAGE, O_RDONLY);
		if (fd < 0)
			return 97;
	}
	return 0;
}
