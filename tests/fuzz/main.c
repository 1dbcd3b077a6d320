/*
 * main.c - runs a fuzz harness over files given as arguments: how `make check` replays a
 * corpus without libFuzzer. Every file is also run cut to half, and with a byte changed.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Of exactly the right size, so that a sanitizer sees a read beyond the end. */
static void run(const uint8_t *data, size_t n)
{
	uint8_t *copy = malloc(n ? n : 1);

	if (!copy)
		abort();
	memcpy(copy, data, n);
	LLVMFuzzerTestOneInput(copy, n);
	free(copy);
}

int main(int argc, char **argv)
{
	static uint8_t data[16 << 20];

	for (int i = 1; i < argc; i++) {
		FILE *f = fopen(argv[i], "rb");
		size_t n;

		if (!f) {
			fprintf(stderr, "%s: %s\n", argv[i], strerror(errno));
			return 1;
		}
		n = fread(data, 1, sizeof(data), f);
		fclose(f);
		run(data, n);
		run(data, n / 2);
		if (n) {
			data[n / 3] ^= 0x41;
			run(data, n);
		}
	}
	printf("%d files\n", argc - 1);
	return 0;
}
