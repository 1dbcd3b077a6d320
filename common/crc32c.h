/*
 * crc32c.h - CRC-32C (Castagnoli, reflected polynomial 0x82F63B78) of memory.
 *
 * Guards against torn pages, not against people: what must resist a forger is hashed.
 */
#ifndef FRZ_CRC32C_H
#define FRZ_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* The checksum of n bytes as RFC 3720 has it: start with crc 0 and hand the result back in
 * to go on with more bytes. Uses the processor's instruction where it has one. */
uint32_t frz_crc32c(uint32_t crc, const void *p, size_t n);

/* The same by tables alone; for the test that compares the two. */
uint32_t frz_crc32c_table(uint32_t crc, const void *p, size_t n);

#endif
