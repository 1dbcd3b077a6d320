/*
 * crc32c.c - CRC-32C by SSE4.2's instruction where the processor has it, else eight bytes a
 * step by tables that are made on first use.
 */
#include "crc32c.h"

#include <pthread.h>
#include <stdbool.h>

#include "bytes.h"

#define POLY 0x82F63B78u

static uint32_t table[8][256];
static pthread_once_t table_once = PTHREAD_ONCE_INIT;

static void make_table(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t c = i;

		for (int k = 0; k < 8; k++)
			c = c & 1 ? c >> 1 ^ POLY : c >> 1;
		table[0][i] = c;
	}
	for (uint32_t i = 0; i < 256; i++)
		for (int k = 1; k < 8; k++)
			table[k][i] = table[k - 1][i] >> 8 ^ table[0][table[k - 1][i] & 0xff];
}

uint32_t frz_crc32c_table(uint32_t crc, const void *mem, size_t n)
{
	const uint8_t *p = mem;

	pthread_once(&table_once, make_table);
	crc = ~crc;
	for (; n >= 8; p += 8, n -= 8) {
		uint32_t lo = frz_get32(p) ^ crc, hi = frz_get32(p + 4);

		crc = table[7][lo & 0xff] ^ table[6][lo >> 8 & 0xff] ^ table[5][lo >> 16 & 0xff] ^
		      table[4][lo >> 24] ^ table[3][hi & 0xff] ^ table[2][hi >> 8 & 0xff] ^
		      table[1][hi >> 16 & 0xff] ^ table[0][hi >> 24];
	}
	for (; n; p++, n--)
		crc = crc >> 8 ^ table[0][(crc ^ *p) & 0xff];
	return ~crc;
}

#ifdef __x86_64__

#include <immintrin.h>

__attribute__((target("sse4.2"))) static uint32_t crc32c_sse42(uint32_t crc, const uint8_t *p,
							       size_t n)
{
	uint64_t c = ~crc;

	for (; n >= 8; p += 8, n -= 8)
		c = _mm_crc32_u64(c, frz_get64(p));
	if (n & 4) {
		c = _mm_crc32_u32((uint32_t)c, frz_get32(p));
		p += 4;
	}
	if (n & 2) {
		c = _mm_crc32_u16((uint32_t)c, frz_get16(p));
		p += 2;
	}
	if (n & 1)
		c = _mm_crc32_u8((uint32_t)c, *p);
	return ~(uint32_t)c;
}

/* Before main, so that the hot path tests a plain flag. */
static bool have_sse42;

__attribute__((constructor)) static void look(void)
{
	__builtin_cpu_init();
	have_sse42 = __builtin_cpu_supports("sse4.2") != 0;
}

uint32_t frz_crc32c(uint32_t crc, const void *p, size_t n)
{
	return have_sse42 ? crc32c_sse42(crc, p, n) : frz_crc32c_table(crc, p, n);
}

#else

uint32_t frz_crc32c(uint32_t crc, const void *p, size_t n) { return frz_crc32c_table(crc, p, n); }

#endif
