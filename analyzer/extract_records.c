/*
 * extract_records.c - the records of a segment told anew, for those that are kept (contracts
 * in extract_private.h). What they refer to is told first (extract_told.c); a segment that
 * becomes too long is ended early, and its declarations begin anew.
 */
#include <stdlib.h>
#include <string.h>

#include "extract_told.h"

#define ROOM	   (15u << 20)		  /* bytes of records in a segment */
#define LONG	   (8u << 20)		  /* with so many it is ended, */
#define MANY	   (FRZ_DECLARED_MAX / 2) /* or with so many declarations */
#define ZSTD_LEVEL 6
#define BODY_MAX   FRZ_RECORD_MAX

struct extract_records *extract_records_new(struct extract_file *w, const struct rules *rules)
{
	struct extract_records *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	e->w = w;
	e->rules = rules;
	e->out = frz_decoder_new();
	e->packer = frz_packer_new(ROOM, ROOM / 4);
	e->body = (struct frz_buf){ .p = malloc(BODY_MAX), .cap = BODY_MAX };
	e->rec = (struct frz_buf){ .p = malloc(BODY_MAX + 16), .cap = BODY_MAX + 16 };
	e->sock = malloc(2 * (size_t)UINT16_MAX);
	if (e->out && e->packer && e->body.p && e->rec.p && e->sock)
		return e;
	extract_records_free(e);
	return NULL;
}

void extract_records_free(struct extract_records *e)
{
	if (!e)
		return;
	frz_decoder_free(e->out);
	frz_packer_free(e->packer);
	for (int m = 0; m < MODES; m++)
		free(e->strings[m].v);
	free(e->files.v);
	free(e->body.p);
	free(e->rec.p);
	free(e->text.p);
	free(e->sock);
	free(e->pending);
	map_release(&e->how);
	map_release(&e->told);
	free(e);
}

/* ---- events ---- */

/* The instance that an attachment names, or implies in the original. */
static uint64_t instance_of(const struct extract_records *e, const struct frz_call *call,
			    const struct frz_attachment *a)
{
	struct frz_cur v = a->value;
	int32_t fd;

	if (a->kind == FRZ_A_FDNUM)
		frz_take_varint(&v);
	return v.p != v.end ? frz_take_varint(&v) : frz_att_instance(e->in, call, a, &fd);
}

/* Declares what the attachments need; then they can be written without a record in between. */
static void need_attachments(struct extract_records *e, const struct frz_call *call)
{
	struct frz_cur atts = call->atts, v;
	struct frz_attachment a;

	while (frz_att_next(&atts, &a)) {
		v = a.value;
		switch (a.kind) {
		case FRZ_A_FD:
		case FRZ_A_FDNUM:
			told_bind(e, instance_of(e, call, &a));
			break;
		case FRZ_A_PATH:
		case FRZ_A_DIR:
		case FRZ_A_STR:
		case FRZ_A_SIGN:
			told_string(e, frz_take_varint(&v), AS_TEXT);
			break;
		case FRZ_A_LIST:
			while (v.p != v.end)
				told_string(e, frz_take_varint(&v), AS_TEXT);
			break;
		case FRZ_A_VICTIM:
		case FRZ_A_FILE:
			told_file(e, frz_take_varint(&v));
			break;
		default:
			break;
		}
	}
}

/* The instance stays implied where the extract implies the same. */
static void put_fd(struct extract_records *e, const struct frz_call *call,
		   const struct frz_attachment *a)
{
	struct frz_attachment implied = { .kind = FRZ_A_FD, .slot = a->slot };
	uint64_t instance = instance_of(e, call, a);
	int32_t fd;

	if (a->value.p == a->value.end && frz_att_instance(e->out, call, &implied, &fd) == instance)
		frz_enc_att(&e->body, FRZ_A_FD, a->slot, 0);
	else
		frz_enc_att_varint(&e->body, FRZ_A_FD, a->slot, instance);
}

static void put_list(struct extract_records *e, const struct frz_attachment *a)
{
	struct frz_cur v = a->value, again = a->value;
	uint8_t tmp[FRZ_VARINT_MAX];
	size_t len = 0;

	while (v.p != v.end)
		len += frz_put_varint(tmp, told_string(e, frz_take_varint(&v), AS_TEXT));
	frz_enc_att(&e->body, FRZ_A_LIST, a->slot, len);
	while (again.p != again.end)
		frz_buf_varint(&e->body, told_string(e, frz_take_varint(&again), AS_TEXT));
}

static void put_attachment(struct extract_records *e, const struct frz_call *call,
			   const struct frz_attachment *a)
{
	struct frz_cur v = a->value;
	size_t n = frz_cur_left(&v);

	switch (a->kind) {
	case FRZ_A_FD:
		put_fd(e, call, a);
		break;
	case FRZ_A_PATH:
	case FRZ_A_DIR:
	case FRZ_A_STR:
	case FRZ_A_SIGN:
		frz_enc_att_varint(&e->body, a->kind, a->slot,
				   told_string(e, frz_take_varint(&v), AS_TEXT));
		break;
	case FRZ_A_LIST:
		put_list(e, a);
		break;
	case FRZ_A_VICTIM:
	case FRZ_A_FILE:
		frz_enc_att_varint(&e->body, a->kind, a->slot, told_file(e, frz_take_varint(&v)));
		break;
	case FRZ_A_ADDR:
		n = told_sockaddr(e, v.p, n < UINT16_MAX ? n : UINT16_MAX, e->sock);
		frz_enc_att(&e->body, a->kind, a->slot, n);
		frz_buf_bytes(&e->body, e->sock, n);
		break;
	default: /* numbers, and the content of buffers */
		frz_enc_att(&e->body, a->kind, a->slot, n);
		frz_buf_bytes(&e->body, v.p, n);
		break;
	}
}

static void put_event(struct extract_records *e, const struct frz_record *rec,
		      const struct extract_filter *x)
{
	const struct frz_call *call = &rec->u.call;
	struct frz_cur atts = call->atts;
	struct frz_attachment a;

	told_thread(e, call->tid);
	told_pending(e, x);
	need_attachments(e, call);
	frz_buf_varint(&e->body, call->tid);
	if (rec->type == FRZ_R_URING)
		frz_buf_varint(&e->body, call->nr);
	else
		frz_buf_varint(&e->body, (uint64_t)call->nr * 4 + (uint64_t)call->abi);
	frz_buf_varint(&e->body, call->flags);
	if (!(call->flags & FRZ_C_NO_RETURN))
		frz_buf_zigzag(&e->body, call->ret);
	frz_buf_varint(&e->body, call->arg_mask);
	for (unsigned i = 0; i < 6; i++)
		if (call->arg_mask >> i & 1)
			frz_buf_zigzag(&e->body, call->arg[i]);
	while (frz_att_next(&atts, &a))
		if (extract_knows_attachment(x, a.kind))
			put_attachment(e, call, &a);
	told_record(e, rec->type, rec->mono_ns, rec->dur_ns);
}

/* ---- notes ---- */

static bool is_list(uint64_t key) { return key == FRZ_CTX_CMDLINE || key == FRZ_CTX_ENV; }

/* Is this key among those whose value was cut? */
static bool context_cut(struct frz_cur c, uint64_t key)
{
	while (c.p != c.end) {
		uint64_t k = frz_take_varint(&c), n = frz_take_varint(&c);
		const uint8_t *p = frz_take(&c, n);
		char text[256];

		if (k != FRZ_CTX_CUT || !p || n >= sizeof(text))
			continue;
		memcpy(text, p, n);
		text[n] = '\0';
		for (char *at = text, *end; *at; at = end) {
			if (strtoull(at, &end, 10) == key && end != at)
				return true;
			if (end == at)
				end++;
		}
	}
	return false;
}

static void put_context(struct extract_records *e, const struct frz_record *rec)
{
	struct frz_cur c = rec->body, pairs;

	frz_buf_varint(&e->body, frz_take_varint(&c));
	frz_buf_varint(&e->body, frz_take_varint(&c));
	pairs = c;
	while (c.p != c.end) {
		uint64_t key = frz_take_varint(&c), n = frz_take_varint(&c);
		const uint8_t *p = frz_take(&c, n);
		bool cut = context_cut(pairs, key);

		if ((is_list(key) ? rules_apply_list(e->rules, p, n, cut, &e->text) :
				    rules_apply(e->rules, p, n, cut, &e->text)) == RULES_NOMEM) {
			told_failed(e, FRZ_E_NOMEM);
			return;
		}
		frz_buf_varint(&e->body, key);
		frz_buf_varint(&e->body, e->text.n);
		frz_buf_bytes(&e->body, e->text.p, e->text.n);
	}
}

/* Numbers, up to the first part that is another. */
static void copy_numbers(struct extract_records *e, struct frz_cur *c, unsigned n)
{
	while (n--)
		frz_buf_varint(&e->body, frz_take_varint(c));
}

static void copy_rest(struct extract_records *e, const struct frz_cur *c)
{
	frz_buf_bytes(&e->body, c->p, frz_cur_left(c));
}

/* Strings come before the body that names them: they are declared first, then looked up. */
static void put_ledger(struct extract_records *e, const struct frz_record *rec, unsigned numbers)
{
	struct frz_cur c = rec->body, look = rec->body;
	uint32_t what, detail;

	frz_take_varint(&look);
	frz_take_varint(&look);
	what = told_string(e, frz_take_varint(&look), AS_TEXT);
	for (unsigned i = 0; i < numbers; i++)
		frz_take_varint(&look);
	detail = told_string(e, frz_take_varint(&look), AS_TEXT);
	copy_numbers(e, &c, 2);
	frz_take_varint(&c);
	frz_buf_varint(&e->body, what);
	copy_numbers(e, &c, numbers);
	frz_buf_varint(&e->body, detail);
}

static void put_note(struct extract_records *e, const struct frz_record *rec,
		     const struct extract_filter *x)
{
	struct frz_cur c = rec->body, look = rec->body;
	uint64_t a = frz_take_varint(&look), b = frz_take_varint(&look);
	uint32_t n;

	switch (rec->type) {
	case FRZ_R_CONTEXT:
		told_proc(e, (uint32_t)b);
		told_pending(e, x);
		put_context(e, rec);
		break;
	case FRZ_R_MAPPED:
		told_proc(e, (uint32_t)a);
		told_pending(e, x);
		n = told_file(e, b);
		copy_numbers(e, &c, 1);
		frz_take_varint(&c);
		frz_buf_varint(&e->body, n);
		copy_rest(e, &c);
		break;
	case FRZ_R_FILE_HASH:
		told_pending(e, x);
		n = told_file(e, a);
		frz_take_varint(&c);
		frz_buf_varint(&e->body, n);
		copy_rest(e, &c);
		break;
	case FRZ_R_COVERAGE:
	case FRZ_R_OBSERVER:
		if (b)
			told_thread(e, (uint32_t)b);
		told_pending(e, x);
		put_ledger(e, rec, rec->type == FRZ_R_OBSERVER ? 2 : 1);
		break;
	case FRZ_R_GAP:
		told_pending(e, x);
		n = told_string(e, b, AS_TEXT);
		copy_numbers(e, &c, 1);
		frz_buf_varint(&e->body, n);
		break;
	case FRZ_R_PROC_END:
		told_proc(e, (uint32_t)a);
		told_pending(e, x);
		copy_rest(e, &c);
		break;
	default: /* of a thread, numbers only */
		told_thread(e, (uint32_t)a);
		told_pending(e, x);
		copy_rest(e, &c);
		break;
	}
	told_record(e, rec->type, rec->mono_ns, rec->dur_ns);
}

/* ---- a segment ---- */

static void open_segment(struct extract_records *e)
{
	told_forget(e);
	frz_packer_begin(e->packer, e->first.mono_ns);
	e->open = true;
}

/* last NULL: it is ended early. */
static enum frz_err close_segment(struct extract_records *e, const struct frz_moment *last)
{
	struct frz_packed packed;
	struct extract_segment s = { .origin = &e->it.block,
				     .packed = &packed,
				     .first = e->first,
				     .recovered = e->it.segment.recovered };
	enum frz_err err = frz_packer_finish(e->packer, ZSTD_LEVEL, &packed);

	e->open = false;
	if (err != FRZ_OK)
		return err;
	if (last) {
		s.last = *last;
	} else {
		s.last.mono_ns = packed.last_mono;
		s.last.real_ns = e->first.real_ns + (packed.last_mono - e->first.mono_ns);
	}
	if (!e->lost_told)
		s.lost = e->it.segment.lost;
	e->lost_told = true;
	e->first = s.last;
	return extract_put_segment(e->w, &s);
}

enum frz_err extract_records_begin(struct extract_records *e, const struct frz_decoder *in,
				   const struct frz_case_item *it)
{
	e->in = in;
	e->it = *it;
	e->first = it->segment.first;
	e->open = e->lost_told = false;
	e->npending = 0;
	e->err = FRZ_OK;
	return FRZ_OK;
}

enum frz_err extract_records_take(struct extract_records *e, const struct frz_record *rec,
				  bool wanted, const struct extract_filter *x)
{
	if (rec->type == FRZ_R_BIND) {
		told_take_bind(e, &rec->u.bind);
		return e->err;
	}
	if (rec->type == FRZ_R_UNBIND) {
		if (e->last_kept && map_get(&e->told, rec->u.bind.instance)) {
			if (!e->open)
				open_segment(e);
			told_take_unbind(e, &rec->u.bind);
		}
		return e->err;
	}
	if (!FRZ_REC_TIMED((unsigned)rec->type))
		return e->err;
	e->last_kept = wanted;
	if (wanted) {
		enum frz_err err;

		if (e->open && (e->bytes > LONG || e->declared > MANY) &&
		    (err = close_segment(e, NULL)) != FRZ_OK)
			return err;
		if (!e->open)
			open_segment(e);
		if (FRZ_REC_EVENT((unsigned)rec->type))
			put_event(e, rec, x);
		else
			put_note(e, rec, x);
	}
	e->npending = 0;
	return e->err;
}

enum frz_err extract_records_end(struct extract_records *e)
{
	return e->open ? close_segment(e, &e->it.segment.last) : FRZ_OK;
}
