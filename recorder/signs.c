/*
 * signs.c - signs of a program that looks for its tracer. It sees one: frec does not hide.
 */
#include "capture_private.h"

#include <string.h>
#include <sys/prctl.h>

#define PTRACE_TRACEME_REQUEST 0u
#define PTRACE_ATTACH_REQUEST  0x10u
#define PTRACE_SEIZE_REQUEST   0x4206u

static bool begins_with_proc(const uint8_t *p, size_t n)
{
	return n >= 5 && !memcmp(p, "/proc", 5) && (n == 5 || p[5] == '/');
}

/* /proc/PID/status, /proc/PID/task/TID/status: by its whole path or from its folder. */
static bool names_status(const struct tracee *t)
{
	const struct item *path = item_path(t, FRZ_SLOT_NONE);
	const uint8_t *s = path ? t->bytes + path->off : NULL;

	if (!path || path->len < 6 || memcmp(s + path->len - 6, "status", 6) ||
	    (path->len > 6 && s[path->len - 7] != '/'))
		return false;
	if (s[0] == '/')
		return begins_with_proc(s, path->len);
	for (uint32_t i = 0; i < t->nitems; i++)
		if (t->items[i].kind == FRZ_A_DIR)
			return begins_with_proc(t->bytes + t->items[i].off, t->items[i].len);
	return false;
}

void mark_signs(struct tracee *t)
{
	const struct pending *p = &t->call;

	switch (p->ent->effect) {
	case FRZ_FX_PTRACE:
		if (p->arg[0] == PTRACE_TRACEME_REQUEST)
			item_text(t, FRZ_A_SIGN, FRZ_SLOT_NONE, "anti-debugging: PTRACE_TRACEME");
		else if ((p->arg[0] == PTRACE_ATTACH_REQUEST ||
			  p->arg[0] == PTRACE_SEIZE_REQUEST) &&
			 p->arg[1] == t->proc->ppid)
			item_text(t, FRZ_A_SIGN, FRZ_SLOT_NONE,
				  "anti-debugging: traces its parent");
		break;
	case FRZ_FX_PRCTL:
		if (p->arg[0] == PR_SET_DUMPABLE && p->arg[1] == 0)
			item_text(t, FRZ_A_SIGN, FRZ_SLOT_NONE, "anti-debugging: PR_SET_DUMPABLE");
		else if (p->arg[0] == PR_SET_PTRACER)
			item_text(t, FRZ_A_SIGN, FRZ_SLOT_NONE, "anti-debugging: PR_SET_PTRACER");
		else if (p->arg[0] == PR_SET_TSC && p->arg[1] == PR_TSC_SIGSEGV)
			item_text(t, FRZ_A_SIGN, FRZ_SLOT_NONE,
				  "anti-debugging: timing trap, a signal for reading the clock");
		break;
	case FRZ_FX_OPEN:
		if (names_status(t)) {
			item_text(t, FRZ_A_SIGN, FRZ_SLOT_NONE, "may read TracerPid");
			t->looks = true; /* Cpus_allowed stands there, too */
		}
		break;
	default:
		break;
	}
}
