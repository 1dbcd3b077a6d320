/* emit.c - records of one event put together (contract in emit.h). */
#include "emit.h"

#include <stdlib.h>
#include <string.h>

#include "procinfo.h"

#define PLAIN_BYTES   (24u << 10) /* a few paths of 4,096 bytes and their records */
#define PLAIN_RECORDS 64u
/* Of one segment; what comes later is declared each time, which is legal. */
#define KNOWN_MAX 16384u
#define ARENA_MAX (1u << 20)

/* What has been declared in this segment, by content: strings, and encoded FILE bodies. */
struct known {
	uint32_t hash;
	uint32_t number;   /* 0: empty */
	uint32_t off, len; /* content in the arena */
	uint8_t kind;	   /* FRZ_R_STRING or FRZ_R_FILE */
};

struct emit {
	struct writer *w;
	emit_tap *tap;
	void *tap_arg;
	uint32_t segment;
	unsigned depth;	   /* groups within groups are one */
	size_t room_bytes; /* of the group, still unused */
	unsigned room_records;
	bool overflow; /* the group did not fit: the rest of it is dropped */
	uint64_t overflow_events;
	uint64_t last_ns; /* of the last timed record */
	bool fresh;	  /* the next record is the first of a segment */
	uint32_t next_string, next_file;
	struct known *known;
	uint32_t known_mask, known_used;
	uint8_t *arena;
	size_t arena_len, arena_cap;
	struct frz_buf body; /* of the event under construction */
	struct frz_buf rec;  /* one whole record */
};

struct emit *emit_new(struct writer *w, emit_tap *tap, void *tap_arg)
{
	struct emit *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	e->w = w;
	e->tap = tap;
	e->tap_arg = tap_arg;
	e->known_mask = 1023;
	e->known = calloc(e->known_mask + 1, sizeof(*e->known));
	e->arena_cap = 64u << 10;
	e->arena = malloc(e->arena_cap);
	/* the largest group at once, mostly never touched: no event is lost for want of memory */
	e->body.cap = WRITER_GROUP_MAX;
	e->body.p = malloc(e->body.cap);
	e->rec.cap = WRITER_GROUP_MAX + 16;
	e->rec.p = malloc(e->rec.cap);
	if (!e->known || !e->arena || !e->body.p || !e->rec.p) {
		emit_free(e);
		return NULL;
	}
	return e;
}

void emit_free(struct emit *e)
{
	if (!e)
		return;
	free(e->known);
	free(e->arena);
	free(e->body.p);
	free(e->rec.p);
	free(e);
}

bool emit_begin(struct emit *e, size_t bytes, unsigned records)
{
	size_t need = bytes + PLAIN_BYTES;
	bool new_segment = false;

	if (e->depth) {
		e->depth++;
		return true;
	}
	if (need > WRITER_GROUP_MAX)
		need = WRITER_GROUP_MAX;
	if (records > WRITER_GROUP_RECORDS - PLAIN_RECORDS)
		records = WRITER_GROUP_RECORDS - PLAIN_RECORDS;
	if (!writer_reserve(e->w, need, records + PLAIN_RECORDS, &new_segment))
		return false;
	if (new_segment) {
		e->segment++;
		e->fresh = true;
		e->next_string = e->next_file = 1;
		e->arena_len = 0;
		if (e->known_used)
			memset(e->known, 0, (e->known_mask + 1) * sizeof(*e->known));
		e->known_used = 0;
	}
	e->depth = 1;
	e->room_bytes = need;
	e->room_records = records + PLAIN_RECORDS;
	return true;
}

uint32_t emit_segment(const struct emit *e) { return e->segment; }

/* e->rec into the writer. False: it does not fit into what was reserved. What a target
 * makes frec record is bounded, but not by frec's estimate: this is the wall. */
static bool put_rec(struct emit *e, uint64_t mono_ns, uint64_t dur_ns)
{
	if (e->overflow || e->rec.full || e->rec.len > e->room_bytes || e->room_records == 0) {
		e->overflow = true;
		return false;
	}
	e->room_bytes -= e->rec.len;
	e->room_records--;
	writer_put(e->w, e->rec.p, e->rec.len, mono_ns, dur_ns);
	if (e->tap)
		e->tap(e->tap_arg, e->rec.p, e->rec.len, mono_ns, dur_ns, e->fresh);
	e->fresh = false;
	return true;
}

static bool put_wrapped(struct emit *e, enum frz_rec type, const struct frz_buf *body,
			uint64_t mono_ns, uint64_t dur_ns)
{
	e->rec.len = 0;
	e->rec.full = body->full;
	if (!body->full)
		frz_enc_record(&e->rec, type, body);
	if (put_rec(e, mono_ns, dur_ns))
		return true;
	e->overflow_events += FRZ_REC_EVENT((unsigned)type);
	return false;
}

static uint32_t hash_bytes(const uint8_t *p, size_t n, uint32_t h)
{
	h ^= 2166136261u;
	for (; n >= 4; p += 4, n -= 4) {
		h = (h ^ frz_get32(p)) * 0x9e3779b1u;
		h ^= h >> 15;
	}
	for (; n; p++, n--)
		h = (h ^ *p) * 16777619u;
	return h ^ h >> 13;
}

static void grow_known(struct emit *e)
{
	uint32_t mask = e->known_mask * 2 + 1;
	struct known *bigger = calloc((size_t)mask + 1, sizeof(*bigger));

	if (!bigger)
		return;
	for (uint32_t i = 0; i <= e->known_mask; i++)
		if (e->known[i].number) {
			uint32_t j = e->known[i].hash & mask;

			while (bigger[j].number)
				j = (j + 1) & mask;
			bigger[j] = e->known[i];
		}
	free(e->known);
	e->known = bigger;
	e->known_mask = mask;
}

/* The slot of this content: occupied (already declared) or empty and filled in by the
 * caller. NULL when it cannot be remembered: it is then declared once more, which is legal. */
static struct known *lookup(struct emit *e, uint8_t kind, const uint8_t *p, size_t n)
{
	uint32_t h = hash_bytes(p, n, kind), i;

	if (e->known_used * 2 > e->known_mask)
		grow_known(e);
	if (e->known_used * 2 > e->known_mask)
		return NULL;
	for (i = h & e->known_mask; e->known[i].number; i = (i + 1) & e->known_mask) {
		const struct known *k = &e->known[i];

		if (k->hash == h && k->kind == kind && k->len == n &&
		    !memcmp(e->arena + k->off, p, n))
			return &e->known[i];
	}
	if (e->known_used >= KNOWN_MAX || e->arena_len + n > ARENA_MAX)
		return NULL;
	if (n > e->arena_cap - e->arena_len) {
		size_t cap = e->arena_cap * 2 + n;
		uint8_t *a = realloc(e->arena, cap);

		if (!a)
			return NULL;
		e->arena = a;
		e->arena_cap = cap;
	}
	memcpy(e->arena + e->arena_len, p, n);
	e->known[i].hash = h;
	e->known[i].kind = kind;
	e->known[i].off = (uint32_t)e->arena_len;
	e->known[i].len = (uint32_t)n;
	e->arena_len += n;
	return &e->known[i];
}

uint32_t emit_string(struct emit *e, const void *p, size_t n)
{
	struct known *k;
	struct frz_buf body;

	if (n == 0)
		return 0;
	k = lookup(e, FRZ_R_STRING, p, n);
	if (k && k->number)
		return k->number;
	body = (struct frz_buf){ .p = (uint8_t *)(uintptr_t)p, .len = n, .cap = n };
	if (!put_wrapped(e, FRZ_R_STRING, &body, 0, 0))
		return 0;
	if (k) {
		k->number = e->next_string;
		e->known_used++;
	}
	return e->next_string++;
}

uint32_t emit_string_cut(struct emit *e, const void *p, size_t n, uint64_t true_len)
{
	e->rec.len = 0;
	e->rec.full = false;
	frz_enc_string(&e->rec, p, n, true, true_len);
	if (!put_rec(e, 0, 0))
		return 0;
	return e->next_string++;
}

static uint32_t emit_text(struct emit *e, const char *s)
{
	return s ? emit_string(e, s, strlen(s)) : 0;
}

uint32_t emit_file(struct emit *e, const struct fileinfo *fi)
{
	uint8_t room[1024], bodyroom[1024];
	struct frz_buf rec = { .p = room, .cap = sizeof(room) };
	struct frz_cur c;
	struct frz_file f = fi->f;
	struct known *k;
	uint64_t len;

	if (fi->path)
		f.path = emit_string(e, fi->path, fi->path_len);
	if (f.mask & FRZ_F_OWNER) {
		f.mask |= FRZ_F_NAMES;
		f.owner_name = emit_text(e, user_name(f.uid));
		f.group_name = emit_text(e, group_name(f.gid));
	}
	if (fi->sock) {
		f.mask |= FRZ_F_SOCK;
		f.sock.family = fi->sock->family;
		f.sock.type = fi->sock->type;
		f.sock.protocol = fi->sock->protocol;
		f.sock.local = fi->sock->local;
		f.sock.local_len = fi->sock->local_len;
		f.sock.peer = fi->sock->peer;
		f.sock.peer_len = fi->sock->peer_len;
		if (fi->sock->cookie) {
			f.mask |= FRZ_F_COOKIE;
			f.cookie = fi->sock->cookie;
		}
	}
	frz_enc_file(&rec, &f);
	c = frz_cur_of(rec.p, rec.len);
	frz_take8(&c);
	len = frz_take_varint(&c);
	memcpy(bodyroom, c.p, len);
	k = lookup(e, FRZ_R_FILE, bodyroom, len);
	if (k && k->number)
		return k->number;
	if (!put_wrapped(e, FRZ_R_FILE, &(struct frz_buf){ .p = bodyroom, .len = len, .cap = len },
			 0, 0))
		return 0;
	if (k) {
		k->number = e->next_file;
		e->known_used++;
	}
	return e->next_file++;
}

void emit_process(struct emit *e, struct process *p)
{
	uint8_t room[80];
	struct frz_buf b = { .p = room, .cap = sizeof(room) };
	uint32_t comm, exe;

	if (p->segment == e->segment)
		return;
	p->segment = e->segment;
	comm = emit_text(e, p->comm);
	exe = emit_text(e, p->exe);
	frz_buf_varint(&b, (uint64_t)p->pid);
	frz_buf_varint(&b, (uint64_t)p->ppid);
	frz_buf_varint(&b, p->start_ticks);
	frz_buf_varint(&b, p->uid);
	frz_buf_varint(&b, comm);
	frz_buf_varint(&b, exe);
	put_wrapped(e, FRZ_R_PROC, &b, 0, 0);
}

void emit_thread(struct emit *e, struct tracee *t)
{
	uint8_t room[60];
	struct frz_buf b = { .p = room, .cap = sizeof(room) };
	uint32_t comm;

	if (t->segment == e->segment)
		return;
	emit_process(e, t->proc);
	t->segment = e->segment;
	comm = emit_text(e, t->comm);
	frz_buf_varint(&b, (uint64_t)t->tid);
	frz_buf_varint(&b, (uint64_t)t->proc->pid);
	frz_buf_varint(&b, t->fds ? fdtable_id(t->fds) : 0);
	frz_buf_varint(&b, comm);
	put_wrapped(e, FRZ_R_THREAD, &b, 0, 0);
}

void emit_bind(struct emit *e, struct fdent *ent)
{
	uint8_t room[100];
	struct frz_buf b = { .p = room, .cap = sizeof(room) };
	uint32_t file;

	if (ent->segment == e->segment && !ent->opening)
		return;
	/* of one that slept and ends nothing more is known */
	file = ent->file.f.mask ? emit_file(e, &ent->file) : 0;
	frz_buf_varint(&b, ent->table);
	frz_buf_varint(&b, (uint64_t)ent->fd);
	frz_buf_varint(&b, ent->instance);
	frz_buf_varint(&b, file);
	frz_buf_varint(&b, ent->opening ? ent->how : FRZ_B_RESTATE);
	frz_buf_varint(&b, ent->parent);
	frz_buf_zigzag(&b, ent->flags);
	frz_buf_zigzag(&b, ent->position);
	if (!put_wrapped(e, FRZ_R_BIND, &b, 0, 0))
		return;
	ent->segment = e->segment;
	ent->opening = false;
}

void emit_unbind(struct emit *e, struct fdent *ent)
{
	uint8_t room[24];
	struct frz_buf b = { .p = room, .cap = sizeof(room) };

	if (ent->opening)
		return;
	emit_bind(e, ent); /* so that the segment says which instance it was */
	frz_buf_varint(&b, ent->table);
	frz_buf_varint(&b, (uint64_t)ent->fd);
	put_wrapped(e, FRZ_R_UNBIND, &b, 0, 0);
}

struct frz_buf *emit_body(struct emit *e)
{
	e->body.len = 0;
	e->body.full = false;
	return &e->body;
}

void emit_put(struct emit *e, enum frz_rec type, uint64_t mono_ns, uint64_t dur_ns)
{
	e->last_ns = mono_ns;
	put_wrapped(e, type, &e->body, mono_ns, dur_ns);
}

/* An event whose declarations did not fit into a group is lost, and that is said. */
static void put_gap(struct emit *e)
{
	static const char why[] = "an event larger than a group of records";
	uint64_t lost = e->overflow_events;
	struct frz_buf *b;
	uint32_t s;

	e->overflow = false;
	e->overflow_events = 0;
	if (lost)
		writer_lost(e->w, lost);
	if (!emit_begin(e, 0, 0))
		return;
	s = emit_string(e, why, sizeof(why) - 1);
	b = emit_body(e);
	frz_buf_varint(b, lost);
	frz_buf_varint(b, s);
	emit_put(e, FRZ_R_GAP, e->last_ns, 0);
	emit_commit(e);
}

void emit_commit(struct emit *e)
{
	if (--e->depth)
		return;
	writer_commit(e->w);
	if (e->overflow)
		put_gap(e);
}
