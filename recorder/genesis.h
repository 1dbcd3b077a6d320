/*
 * genesis.h - what GENESIS says of the host and of frec itself.
 */
#ifndef FREC_GENESIS_H
#define FREC_GENESIS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frz.h"

struct genesis_host {
	char hostname[65];
	char machine_id[64]; /* empty when the host has none */
	char boot_id[40];
	char kernel[280];
	char timezone[32]; /* "UTC+0200" */
	char clock_state[200];
	char recorder[64];
	uint64_t uid, euid, capabilities;
	uint8_t recorder_sha256[FRZ_HASH_LEN];
};

/* False with one line in err: something that a case must say could not be read. */
bool genesis_collect(struct genesis_host *h, char *err, size_t err_cap);
/* The current boot's id alone. */
bool genesis_boot_id(char out[40]);
/* 128 random bits; false: getrandom(2) failed. */
bool genesis_random_id(uint8_t id[16]);
/* 32 hex digits to 16 bytes; false: they are not that. */
bool genesis_parse_id(const char *hex, uint8_t id[16]);

#endif
