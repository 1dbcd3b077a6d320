/*
 * flags.h - sets of flags and of single values to text. Made from common/flags.tab.
 */
#ifndef FRZ_FLAGS_H
#define FRZ_FLAGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRZ_GEN_SET_NUMBERS
#include "syscalls.inc" /* FRZ_SET_OPEN, FRZ_SET_AT, ...; FRZ_STRUCT_IOCB, ... */
#undef FRZ_GEN_SET_NUMBERS

/* Names of value's bits, or of the value itself for an enum; bits without a name follow in
 * hex: "O_RDWR|O_CREAT|0x4000000". Nothing set and no name for that: "0". An enum's unknown
 * value: decimal, or hex when 10,000 or more. Always NUL-terminated; returns the length
 * that a large enough out would hold. set -1 (or none): the number in hex. */
size_t frz_flags_text(int set, uint64_t value, char *out, size_t cap);
/* Name of a single value of an enum, or of the first member that fits it; NULL. */
const char *frz_flag_name(int set, uint64_t value);
/* Number of the named set, -1. */
int frz_flag_set(const char *name);
/* Value of a named member. */
bool frz_flag_value(int set, const char *name, uint64_t *value);

#endif
