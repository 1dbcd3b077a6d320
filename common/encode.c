/*
 * encode.c - records (record.h) into bytes.
 *
 * Every function appends all of its bytes or none: when something does not fit, the
 * buffer keeps its old length and only `full` tells.
 */
#include "record.h"

void frz_enc_record(struct frz_buf *b, enum frz_rec type, const struct frz_buf *body)
{
	uint8_t head[1 + FRZ_VARINT_MAX];
	size_t n;

	if (body->full) {
		b->full = true;
		return;
	}
	head[0] = (uint8_t)type;
	n = 1 + frz_put_varint(head + 1, body->len);
	if (b->full || b->cap - b->len < n || b->cap - b->len - n < body->len) {
		b->full = true;
		return;
	}
	memcpy(b->p + b->len, head, n);
	b->len += n;
	frz_buf_bytes(b, body->p, body->len);
}

void frz_enc_string(struct frz_buf *b, const void *p, size_t len, bool cut, uint64_t true_len)
{
	uint8_t lead[FRZ_VARINT_MAX];
	size_t lead_len = cut ? frz_put_varint(lead, true_len) : 0;
	size_t start = b->len;

	frz_buf_u8(b, cut ? FRZ_R_STRING_CUT : FRZ_R_STRING);
	frz_buf_varint(b, lead_len + len);
	frz_buf_bytes(b, lead, lead_len);
	frz_buf_bytes(b, p, len);
	if (b->full)
		b->len = start;
}

static void put_time(struct frz_buf *b, struct frz_time t)
{
	frz_buf_zigzag(b, t.sec);
	frz_buf_varint(b, t.nsec);
}

static void put_sock(struct frz_buf *b, const struct frz_sock *s)
{
	frz_buf_varint(b, s->family);
	frz_buf_varint(b, s->type);
	frz_buf_varint(b, s->protocol);
	frz_buf_varint(b, s->local_len);
	frz_buf_bytes(b, s->local, s->local_len);
	frz_buf_varint(b, s->peer_len);
	frz_buf_bytes(b, s->peer, s->peer_len);
}

static void put_file_parts(struct frz_buf *b, const struct frz_file *f)
{
	uint32_t mask = f->mask & FRZ_F_ALL;

	frz_buf_varint(b, mask);
	if (mask & FRZ_F_PATH)
		frz_buf_varint(b, f->path);
	if (mask & FRZ_F_MODE)
		frz_buf_varint(b, f->mode);
	if (mask & FRZ_F_OWNER) {
		frz_buf_varint(b, f->uid);
		frz_buf_varint(b, f->gid);
	}
	if (mask & FRZ_F_DEV) {
		frz_buf_varint(b, f->dev_major);
		frz_buf_varint(b, f->dev_minor);
	}
	if (mask & FRZ_F_INO)
		frz_buf_varint(b, f->ino);
	if (mask & FRZ_F_SIZE)
		frz_buf_varint(b, f->size);
	if (mask & FRZ_F_MTIME)
		put_time(b, f->mtime);
	if (mask & FRZ_F_CTIME)
		put_time(b, f->ctime);
	if (mask & FRZ_F_BTIME)
		put_time(b, f->btime);
	if (mask & FRZ_F_MNT)
		frz_buf_varint(b, f->mnt_id);
	if (mask & FRZ_F_NLINK)
		frz_buf_varint(b, f->nlink);
	if (mask & FRZ_F_RDEV) {
		frz_buf_varint(b, f->rdev_major);
		frz_buf_varint(b, f->rdev_minor);
	}
	if (mask & FRZ_F_SOCK)
		put_sock(b, &f->sock);
	if (mask & FRZ_F_COOKIE)
		frz_buf_varint(b, f->cookie);
	if (mask & FRZ_F_NAMES) {
		frz_buf_varint(b, f->owner_name);
		frz_buf_varint(b, f->group_name);
	}
}

void frz_enc_file(struct frz_buf *b, const struct frz_file *f)
{
	uint8_t head[FRZ_VARINT_MAX];
	size_t start = b->len, body, n, more;

	/* the body is made in place behind a one-byte length and moved up when it is longer */
	frz_buf_u8(b, FRZ_R_FILE);
	frz_buf_u8(b, 0);
	body = b->len;
	put_file_parts(b, f);
	if (b->full) {
		b->len = start;
		return;
	}
	n = b->len - body;
	more = frz_put_varint(head, n) - 1;
	if (more > b->cap - b->len) {
		b->full = true;
		b->len = start;
		return;
	}
	if (more)
		memmove(b->p + body + more, b->p + body, n);
	memcpy(b->p + body - 1, head, more + 1);
	b->len += more;
}

void frz_enc_att(struct frz_buf *body, enum frz_att kind, unsigned slot, size_t len)
{
	size_t start = body->len;

	frz_buf_varint(body, (uint64_t)kind * 8 + slot);
	frz_buf_varint(body, len);
	if (body->full)
		body->len = start;
}

void frz_enc_att_varint(struct frz_buf *body, enum frz_att kind, unsigned slot, uint64_t v)
{
	uint8_t value[FRZ_VARINT_MAX];
	size_t n = frz_put_varint(value, v);
	size_t start = body->len;

	frz_enc_att(body, kind, slot, n);
	frz_buf_bytes(body, value, n);
	if (body->full)
		body->len = start;
}
