/*
 * extract_filter.c - which records belong to an extract (contracts in extract_private.h).
 *
 * - Events: those that --timeline shows with the same filters.
 * - Notes of a process: with it. When time or path pick events, a process belongs to the
 *   extract when one of its events does. Notes then have to lie in the time, too; but who a
 *   process is was told when it began or was attached to, and is kept from before.
 * - What was not seen and what frec did (COVERAGE, OBSERVER), and gaps: whatever the time.
 * - Byte counts of the kernel (IO) say nothing of a part of a thread's events, and hashes of
 *   files nothing of a process: they are kept only where no filter tears them from their like.
 */
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "extract_private.h"
#include "utf8.h"

bool extract_filter_init(struct extract_filter *x, const struct filters *f, bool rules)
{
	*x = (struct extract_filter){ .f = f, .rules = rules, .counting = true };
	x->picks = f->path || f->since_ns != FILTER_NONE || f->until_ns != FILTER_NONE;
	if (!f->pid)
		return true;
	x->pid = calloc(strlen(f->pid) / 2 + 1, sizeof(*x->pid));
	if (!x->pid)
		return false;
	for (const char *p = f->pid; *p; p += strspn(p, ",")) {
		char *end;

		x->pid[x->npid++] = (uint32_t)strtoul(p, &end, 10);
		p = end;
	}
	return true;
}

void extract_filter_release(struct extract_filter *x)
{
	free(x->pid);
	map_release(&x->with_events);
	map_release(&x->undecided);
}

bool extract_knows_record(unsigned type)
{
	return (type >= FRZ_R_STRING && type <= FRZ_R_UNBIND) || type == FRZ_R_SYSCALL ||
	       type == FRZ_R_URING || (type >= FRZ_R_CONTEXT && type <= FRZ_R_FILE_HASH);
}

bool extract_knows_attachment(const struct extract_filter *x, unsigned kind)
{
	return kind >= FRZ_A_FD && kind <= FRZ_A_SIGN && !(x->rules && kind == FRZ_A_DATA);
}

static bool listed(const struct extract_filter *x, uint32_t pid)
{
	if (!x->f->pid)
		return true;
	for (size_t i = 0; i < x->npid; i++)
		if (x->pid[i] == pid)
			return true;
	return false;
}

static bool after(const struct extract_filter *x, int64_t ts)
{
	return x->f->until_ns != FILTER_NONE && ts >= x->f->until_ns;
}

static bool before(const struct extract_filter *x, int64_t ts)
{
	return x->f->since_ns != FILTER_NONE && ts < x->f->since_ns;
}

bool extract_in_time(const struct extract_filter *x, uint64_t real_ns)
{
	return !before(x, (int64_t)real_ns) && !after(x, (int64_t)real_ns);
}

/* Compared as the views have it: what is not UTF-8 as \xNN. */
bool extract_path_fits(const struct extract_filter *x, struct frz_str path)
{
	char small[4096], *text = small;
	bool fits;

	if (!x->f->path)
		return true;
	if (!path.len)
		return false;
	if (4 * (size_t)path.len + 1 > sizeof(small))
		text = malloc(4 * (size_t)path.len + 1);
	if (!text)
		return false;
	text[utf8_repair(path.p, path.len, text)] = '\0';
	fits = sqlite3_strglob(x->f->path, text) == 0;
	if (text != small)
		free(text);
	return fits;
}

static uint32_t pid_of(const struct frz_decoder *d, uint32_t tid)
{
	const struct frz_dthread *t = frz_dec_thread(d, tid);

	return t ? t->pid : tid;
}

static void count_attachments(struct extract_filter *x, const struct frz_call *call)
{
	struct frz_cur atts = call->atts;
	struct frz_attachment a;

	while (frz_att_next(&atts, &a)) {
		if (a.kind < FRZ_A_FD || a.kind > FRZ_A_SIGN)
			x->out.unknown_attachments++;
		else if (x->rules && a.kind == FRZ_A_DATA)
			x->out.buffers++;
	}
}

static bool wants_event(struct extract_filter *x, const struct frz_decoder *d,
			const struct frz_record *rec, int64_t to_real, bool *nomem)
{
	int64_t ts = frz_add((int64_t)(rec->mono_ns - rec->dur_ns), to_real);
	uint32_t pid = pid_of(d, rec->u.call.tid);

	if (!listed(x, pid) || before(x, ts) || after(x, ts))
		return false;
	if (x->f->path) {
		frz_describe(d, rec, &x->desc);
		if (!extract_path_fits(x, x->desc.path) && !extract_path_fits(x, x->desc.path2))
			return false;
	}
	if (x->counting) {
		x->events++;
		count_attachments(x, &rec->u.call);
		if (x->picks && !map_get(&x->with_events, pid) && !map_set(&x->with_events, pid, 1))
			*nomem = true;
	}
	return true;
}

/* Kept if the process has an event that is kept: not known before the first pass is over. */
static bool with_process(struct extract_filter *x, uint32_t pid, bool *nomem)
{
	if (!listed(x, pid))
		return false;
	if (!x->picks)
		return true;
	if (x->counting && !map_set(&x->undecided, pid, map_get(&x->undecided, pid) + 1))
		*nomem = true;
	return x->counting || map_get(&x->with_events, pid);
}

static struct frz_str file_path(const struct frz_decoder *d, uint64_t number)
{
	const struct frz_file *f = frz_dec_file(d, number);

	return frz_dec_string(d, f ? f->path : 0);
}

static bool wants_note(struct extract_filter *x, const struct frz_decoder *d,
		       const struct frz_record *rec, int64_t to_real, bool *nomem)
{
	int64_t ts = frz_add((int64_t)rec->mono_ns, to_real);
	struct frz_cur c = rec->body;
	uint64_t a = frz_take_varint(&c), b = frz_take_varint(&c);

	switch (rec->type) {
	case FRZ_R_GAP:
		return true;
	case FRZ_R_COVERAGE:
	case FRZ_R_OBSERVER:
		return a == 0 || with_process(x, (uint32_t)a, nomem);
	case FRZ_R_CONTEXT:
	case FRZ_R_THREAD_START:
		return !after(x, ts) && with_process(x, (uint32_t)b, nomem);
	case FRZ_R_MAPPED:
		return !after(x, ts) && extract_path_fits(x, file_path(d, b)) &&
		       with_process(x, (uint32_t)a, nomem);
	case FRZ_R_PROC_END:
		return !before(x, ts) && !after(x, ts) && with_process(x, (uint32_t)a, nomem);
	case FRZ_R_THREAD_END:
	case FRZ_R_SIGNAL:
	case FRZ_R_STOPPED:
		return !before(x, ts) && !after(x, ts) &&
		       with_process(x, pid_of(d, (uint32_t)a), nomem);
	case FRZ_R_IO:
		return !x->picks && listed(x, pid_of(d, (uint32_t)a));
	case FRZ_R_FILE_HASH:
		return !x->f->pid && !before(x, ts) && !after(x, ts) &&
		       extract_path_fits(x, file_path(d, a)) && (x->f->path || !x->picks);
	default:
		return false;
	}
}

bool extract_wants(struct extract_filter *x, const struct frz_decoder *d,
		   const struct frz_record *rec, int64_t to_real, bool *nomem)
{
	bool event = FRZ_REC_EVENT((unsigned)rec->type), known = extract_knows_record(rec->type);
	bool wanted = false;

	if (known && event)
		wanted = wants_event(x, d, rec, to_real, nomem);
	else if (known)
		wanted = wants_note(x, d, rec, to_real, nomem);
	if (x->counting && !known)
		x->out.unknown_records++;
	else if (x->counting && !wanted && event)
		x->out.events++;
	else if (x->counting && !wanted)
		x->out.notes++;
	return wanted;
}

void extract_counted(struct extract_filter *x)
{
	for (uint32_t i = 0; x->undecided.slot && i <= x->undecided.mask; i++) {
		const struct map_slot *s = &x->undecided.slot[i];

		if (s->used && !map_get(&x->with_events, s->key))
			x->out.notes += s->value;
	}
	x->counting = false;
}
