/*
 * checkpoint.h - the chain head told to someone outside the case while it grows: who keeps
 * the lines elsewhere can later show that nothing was cut off or rewritten.
 *
 *   frz-checkpoint case=<32 hex> blocks=N events=N head=<64 hex>
 *                  time=2024-05-01T12:00:00.123456789Z
 *
 * blocks counts from GENESIS, which is 1; head is the link of the last of them. One line a
 * second at most, the last one when the recording ends.
 */
#ifndef FREC_CHECKPOINT_H
#define FREC_CHECKPOINT_H

#include <stddef.h>
#include <stdint.h>

#include "frz.h"

struct checkpoint;

#define CHECKPOINT_JOURNAL "/run/systemd/journal/socket"

/* where: "stderr", "journald", or a file that is appended to. NULL with a line in err. */
struct checkpoint *checkpoint_open(const char *where, char *err, size_t err_cap);
/* journald's native protocol over another socket: for its test. */
struct checkpoint *checkpoint_open_journal(const char *socket, char *err, size_t err_cap);
/* writer_options.on_block, with the checkpoint as its argument. Never waits for a reader of
 * a pipe, terminal or socket. The first line that cannot be written is told on stderr. */
void checkpoint_block(void *c, const uint8_t case_id[16], uint64_t blocks, uint64_t events,
		      const uint8_t link[FRZ_HASH_LEN]);
/* After writer_free. NULL is fine. */
void checkpoint_close(struct checkpoint *c);

#endif
