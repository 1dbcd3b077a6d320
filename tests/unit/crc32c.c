/*
 * crc32c.c - the checksum against the vectors of RFC 3720 B.4 and the two ways against each other.
 */
#include "tap.h"

#include "crc32c.h"

int main(void)
{
	uint8_t b[300];
	uint32_t x = 1;
	bool same = true, parts = true;

	is_int(frz_crc32c(0, "123456789", 9), 0xE3069283, "123456789");
	is_int(frz_crc32c_table(0, "123456789", 9), 0xE3069283, "123456789 by tables");
	memset(b, 0, 32);
	is_int(frz_crc32c(0, b, 32), 0x8A9136AA, "32 bytes of zero");
	memset(b, 0xff, 32);
	is_int(frz_crc32c(0, b, 32), 0x62A8AB43, "32 bytes of ones");
	for (int i = 0; i < 32; i++)
		b[i] = (uint8_t)i;
	is_int(frz_crc32c(0, b, 32), 0x46DD794E, "rising bytes");
	for (int i = 0; i < 32; i++)
		b[i] = (uint8_t)(31 - i);
	is_int(frz_crc32c(0, b, 32), 0x113FDB5C, "falling bytes");
	is_int(frz_crc32c(7, b, 0), 7, "nothing changes nothing");

	for (size_t i = 0; i < sizeof b; i++)
		b[i] = (uint8_t)((x = x * 1664525 + 1013904223) >> 24);
	for (size_t from = 0; from < 9; from++)
		for (size_t n = 0; n + from <= sizeof b; n++) {
			uint32_t whole = frz_crc32c(0, b + from, n);

			same &= whole == frz_crc32c_table(0, b + from, n);
			parts &= whole == frz_crc32c(frz_crc32c(0, b + from, n / 3),
						     b + from + n / 3, n - n / 3);
		}
	ok(same, "instruction and tables agree for every length and alignment");
	ok(parts, "a checksum in two parts is the checksum of the whole");
	return tap_done();
}
