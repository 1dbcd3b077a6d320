/* engine_private.h - what engine.c, attach.c and launch.c share. */
#ifndef FREC_ENGINE_PRIVATE_H
#define FREC_ENGINE_PRIVATE_H

#include "engine.h"

struct held {
	pid_t tid;
	int status;
};

struct engine {
	struct engine_config cfg;
	struct held *held; /* stopped children whose parent's event has not come */
	unsigned nheld, cap_held;
	pid_t launched;
	int launch_status;
	int launch_report; /* pipe from the child: why it could not start; -1 none */
	bool filtered;	   /* launch mode behind a seccomp filter: run with PTRACE_CONT */
	bool detaching;
	bool mute; /* recording has ended; a filtered command is only kept running */
};

#define CALL(e, op, ...)                                                                           \
	do {                                                                                       \
		if (!(e)->mute)                                                                    \
			(e)->cfg.ops->op((e)->cfg.arg, __VA_ARGS__);                               \
	} while (0)

long engine_options(const struct engine *e);
void engine_stop(struct engine *e, struct tracee *t, int status, uint64_t now);
void engine_status(struct engine *e, pid_t tid, int status);
void engine_restart(struct engine *e, struct tracee *t, int sig);
void engine_forget(struct engine *e, struct tracee *t, enum frz_gone how, int status, uint64_t now);
void engine_adopt_orphans(struct engine *e, uint64_t now);
void engine_interrupt(struct engine *e, struct tracee *t, const char *why);
void engine_detach(struct engine *e, struct tracee *t, int sig); /* t is stopped */

#endif
