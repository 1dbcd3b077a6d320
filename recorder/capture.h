/*
 * capture.h - from what the engine tells to records: the policy of what is taken and when.
 *
 * At a syscall's entry everything is taken that the call could destroy or that the kernel
 * reads (paths, addresses, victims); at its exit what the kernel wrote and what it says of
 * a new fd. Then one group of records is emitted.
 */
#ifndef FREC_CAPTURE_H
#define FREC_CAPTURE_H

#include "emit.h"
#include "engine.h"
#include "options.h"

struct capture;

/* The last argument of an engine_config's ops is this. NULL: no memory. */
struct capture *capture_new(const struct frec_options *o, struct emit *emit,
			    struct tracees *tracees, struct control *control);
struct keep;
void capture_set_keep(struct capture *c, struct keep *k); /* stays the caller's */
/* Records the hashes that are ready; all: waits for what is under way. */
void capture_hashes(struct capture *c, bool all);
void capture_free(struct capture *c);

extern const struct engine_ops capture_ops;

/* A line for the ledgers, from outside the engine's events. total_ns as in record.h. */
void capture_observer(struct capture *c, pid_t pid, pid_t tid, const char *what, uint64_t count,
		      uint64_t total_ns, const char *detail);
void capture_coverage(struct capture *c, pid_t pid, pid_t tid, const char *what, uint64_t count,
		      const char *detail);

#endif
