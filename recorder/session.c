/*
 * session.c - one recording: the parts are made, joined, run and released (session.h).
 *
 * Order matters: signals are blocked before any thread exists; the case is created only
 * when the targets could be seized, so that a refusal leaves no file behind; targets are let
 * go before the seal is written, so that a slow disk never holds them.
 */
#include "session.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "capture.h"
#include "checkpoint.h"
#include "control.h"
#include "diagnose.h"
#include "engine.h"
#include "filter.h"
#include "front.h"
#include "keep.h"
#include "lockdown.h"
#include "procinfo.h"
#include "sha256.h"
#include "verbose.h"

struct session {
	const struct frec_options *o;
	struct control *control;
	struct checkpoint *checkpoint;
	struct writer *writer;
	struct verbose *verbose;
	struct emit *emit;
	struct tracees tracees;
	struct capture *capture;
	struct placement *placement;
	struct engine *engine;
	struct filter *filter;
	struct keep *keep;
	char err[512];
};

static void complain(const char *line) { fprintf(stderr, "frec: %s\n", line); }

/* PATH as execvp(3) looks it up, but once and before anything is started. */
static bool find_command(const char *name, char *out, size_t cap, char *err, size_t err_cap)
{
	const char *path = getenv("PATH");
	struct stat st;
	int seen = ENOENT;

	if (strchr(name, '/')) {
		snprintf(out, cap, "%s", name);
		if (access(out, X_OK) < 0 || stat(out, &st) < 0)
			seen = errno;
		else if (S_ISDIR(st.st_mode))
			seen = EISDIR;
		else
			return true;
	}
	for (path = path ? path : "/usr/local/bin:/usr/bin:/bin"; !strchr(name, '/') && *path;) {
		size_t n = strcspn(path, ":");

		if (n == 0)
			snprintf(out, cap, "./%s", name);
		else
			snprintf(out, cap, "%.*s/%s", (int)n, path, name);
		if (access(out, X_OK) == 0 && stat(out, &st) == 0) {
			if (S_ISREG(st.st_mode))
				return true;
		} else if (errno == EACCES) {
			seen = EACCES;
		}
		path += n;
		path += *path == ':';
	}
	snprintf(err, err_cap, "%s: %s; nothing was started", name,
		 seen == ENOENT ? "command not found" : strerror(seen));
	return false;
}

static void on_mask(void *arg, pid_t tid, bool set, const char *old_mask, const char *new_mask)
{
	struct session *s = arg;
	struct tracee *t = tracees_find(&s->tracees, tid);
	char detail[256];

	snprintf(detail, sizeof(detail), "%s -> %s", old_mask, new_mask);
	if (s->capture)
		capture_observer(s->capture, t ? t->proc->pid : 0, tid,
				 set ? "affinity set" : "affinity restored", 1, 0, detail);
}

static bool open_case(struct session *s, char **argv)
{
	const struct frec_options *o = s->o;
	struct writer_genesis g = {
		.case_id_hex = o->case_id,
		.exhibit = o->exhibit,
		.examiner = o->examiner,
		.note = o->note,
		.argv = argv,
		.records = o->record_text,
		.snap = o->snap,
	};
	struct writer_options w = {
		.sync = o->sync,
		.sync_seconds = o->sync_seconds,
		.tick_seconds = 5,
		.zstd_level = 3,
		.max_bytes = o->max_size,
	};

	if (o->checkpoint) {
		s->checkpoint = checkpoint_open(o->checkpoint, s->err, sizeof(s->err));
		if (!s->checkpoint)
			return false;
		w.on_block = checkpoint_block;
		w.on_block_arg = s->checkpoint;
	}
	if (o->keep_dir) {
		s->keep = keep_open(o->keep_dir, s->err, sizeof(s->err));
		if (!s->keep)
			return false;
	}
	s->writer = writer_open(o->output, &g, &w, s->err, sizeof(s->err));
	if (!s->writer)
		return false;
	if (o->verbose)
		s->verbose = verbose_new();
	s->emit = emit_new(s->writer, s->verbose ? verbose_tap : NULL, s->verbose);
	s->capture = s->emit ? capture_new(o, s->emit, &s->tracees, s->control) : NULL;
	if (!s->capture || (o->verbose && !s->verbose)) {
		snprintf(s->err, sizeof(s->err), "out of memory");
		return false;
	}
	capture_set_keep(s->capture, s->keep);
	return true;
}

/* Of several processes given (a pgrep's output, say) one may end at any time: the others are
 * recorded, and what is missing is said. */
static bool ended(pid_t pid)
{
	struct proc_stat st;

	return !proc_stat(pid, &st) || st.state == 'Z' || st.state == 'X';
}

/* False: s->err says why no target can be attached to, or why one that lives cannot. */
static bool check_targets(struct session *s)
{
	size_t left = 0;

	for (size_t i = 0; i < s->o->npids; i++) {
		if (diagnose_before_seize(s->o->pids[i], s->err, sizeof(s->err)))
			left++;
		else if (!ended(s->o->pids[i]))
			return false;
	}
	return left > 0;
}

static bool attach_all(struct session *s)
{
	char banner[1024], line[1100];
	size_t attached = 0;

	for (size_t i = 0; i < s->o->npids; i++) {
		pid_t pid = s->o->pids[i];

		if (engine_attach(s->engine, pid, s->err, sizeof(s->err)) < 0) {
			if (!ended(pid))
				return false;
			snprintf(line, sizeof(line), "frec: %s; going on without it", s->err);
			control_say(s->control, line);
			capture_coverage(s->capture, pid, 0, "target not attached", 1, s->err);
			continue;
		}
		attached++;
		if (!s->o->quiet) {
			procinfo_banner(pid, banner, sizeof(banner));
			snprintf(line, sizeof(line), "frec: attached to %s", banner);
			control_say(s->control, line);
		}
	}
	return attached > 0;
}

static void report(struct session *s, const char *reason, const uint8_t head[FRZ_HASH_LEN])
{
	struct writer_stats st;
	char hex[FRZ_HEX_LEN];

	if (s->o->quiet)
		return;
	writer_stats(s->writer, &st);
	frz_hex(head, FRZ_HASH_LEN, hex);
	fprintf(stderr, "frec: %s: %s; %" PRIu64 " events", s->o->output, reason, st.events);
	if (st.lost)
		fprintf(stderr, ", %" PRIu64 " LOST", st.lost);
	fprintf(stderr, ", %" PRIu64 " bytes\nfrec: seal %s\n", st.file_bytes, hex);
}

static void release(struct session *s)
{
	engine_free(s->engine);
	if (s->placement)
		placement_free(s->placement);
	if (s->control)
		control_end(s->control);
	tracees_release(&s->tracees);
	capture_free(s->capture);
	emit_free(s->emit);
	verbose_free(s->verbose);
	writer_free(s->writer);
	checkpoint_close(s->checkpoint);
	filter_free(s->filter);
	keep_close(s->keep);
}

static int run(struct session *s, char **argv)
{
	const struct frec_options *o = s->o;
	struct engine_config cfg;
	char file[4400];
	uint8_t head[FRZ_HASH_LEN];
	const char *reason;
	int status, sealed, code = 0;
	void *area;
	size_t area_len;

	if (!diagnose_kernel(s->err, sizeof(s->err)))
		return -1;
	if (o->command && !find_command(o->command[0], file, sizeof(file), s->err, sizeof(s->err)))
		return -1;
	if (!o->command && !check_targets(s))
		return -1;
	if (o->command && front_split() < 0) {
		snprintf(s->err, sizeof(s->err), "cannot fork: %s", strerror(errno));
		return -1;
	}
	s->control = control_new(o, o->command != NULL);
	if (!s->control || !tracees_init(&s->tracees)) {
		snprintf(s->err, sizeof(s->err), "cannot start: %s", strerror(errno));
		return -1;
	}
	if (!open_case(s, argv))
		return -1;
	area = writer_affinity_area(s->writer, &area_len);
	s->placement = placement_new_in(o->placement, area, area_len, on_mask, s);
	if (!s->placement) {
		snprintf(s->err, sizeof(s->err),
			 "--placement: the guardian cannot be started: %s; "
			 "--placement none does without it",
			 strerror(errno));
		return -1;
	}
	if (control_start(s->control, s->writer, &s->tracees.nthreads) < 0) {
		snprintf(s->err, sizeof(s->err), "cannot start a thread: %s", strerror(errno));
		return -1;
	}
	cfg = (struct engine_config){ &capture_ops, s->capture, &s->tracees,
				      s->placement, s->control, !o->no_follow };
	s->engine = engine_new(&cfg);
	if (!s->engine) {
		snprintf(s->err, sizeof(s->err), "out of memory");
		return -1;
	}
	if (o->command) {
		/* children that are let go could not live behind it: without a tracer it fails
		 * their calls */
		if (!o->no_seccomp && !o->no_follow) {
			s->filter = filter_new(o->record, o->anonymous);
			if (!s->filter) {
				snprintf(s->err, sizeof(s->err), "out of memory");
				return -1;
			}
		}
		if (control_stop_reason(s->control)) {
			snprintf(s->err, sizeof(s->err), "%s: not started: frec was told to stop",
				 o->command[0]);
			return -1;
		}
		if (engine_launch(s->engine, file, o->command, filter_program(s->filter), s->err,
				  sizeof(s->err)) < 0)
			return -1;
		if (!o->quiet)
			control_say(s->control,
				    "frec: recording the command, its threads and children");
	} else if (!attach_all(s)) {
		engine_detach_all(s->engine);
		return -1;
	}
	lockdown_capabilities(LOCKDOWN_TRACER_CAPS);
	if (lockdown_filter(s->keep ? keep_dirfd(s->keep) : -1) < 0) {
		snprintf(s->err, sizeof(s->err), "frec cannot lock itself down: %s",
			 strerror(errno));
		engine_detach_all(s->engine);
		return -1;
	}
	reason = engine_run(s->engine);
	if (!engine_must_keep(s->engine)) {
		placement_free(s->placement);
		s->placement = NULL;
	}
	capture_hashes(s->capture, true);
	if (o->command && engine_launch_failure(s->engine, s->err, sizeof(s->err))) {
		complain(s->err);
		code = 1;
	}
	sealed = writer_seal(s->writer, reason, head);
	control_end(s->control);
	s->control = NULL;
	if (sealed >= 0)
		report(s, reason, head);
	if (sealed) {
		complain(writer_failed(s->writer));
		code = 1;
	}
	if (engine_must_keep(s->engine)) {
		if (!o->quiet)
			fprintf(stderr,
				"frec: the case is closed; frec stays until the command ends, "
				"for its seccomp filter needs a tracer "
				"(--no-seccomp does without)\n");
		engine_keep(s->engine);
	}
	status = engine_launch_status(s->engine);
	if (o->command && status != -1 && !code) {
		release(s);
		memset(s, 0, sizeof(*s));
		return front_end_like(status);
	}
	return code;
}

/* Nothing was recorded: leave no case behind that looks like one. */
static void discard(struct session *s)
{
	struct writer_stats st;
	char tail[4400];

	writer_stats(s->writer, &st);
	writer_free(s->writer);
	s->writer = NULL;
	if (st.events)
		return;
	snprintf(tail, sizeof(tail), "%s.tail", s->o->output);
	unlink(s->o->output);
	unlink(tail);
}

int session_run(const struct frec_options *o, char **argv)
{
	struct session s = { .o = o };
	int code = run(&s, argv);

	if (code >= 0) {
		if (s.o)
			release(&s);
		return code;
	}
	control_end(s.control); /* it looks at the writer */
	s.control = NULL;
	if (s.writer && !writer_failed(s.writer))
		discard(&s);
	complain(s.err);
	release(&s);
	return 1;
}
