/*
 * segment.c - fuzzes the unpacking of a frame: the claimed size is the input's first varint.
 */
#include <stdlib.h>

#include "bytes.h"
#include "segment.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct frz_cur c = frz_cur_of(data, size);
	size_t raw_len = (size_t)frz_take_varint(&c);
	const char *why = NULL;
	uint8_t *raw;

	if (c.bad)
		return 0;
	if (frz_unpack(c.p, frz_cur_left(&c), raw_len, &raw, &why) == FRZ_OK) {
		volatile uint8_t sum = 0;

		for (size_t i = 0; i < raw_len; i++)
			sum = (uint8_t)(sum + raw[i]);
	} else if (raw || !why || !*why) {
		abort();
	}
	free(raw);
	return 0;
}
