/*
 * peers.c - whom a socket spoke with, where that is not always the same.
 *
 * A socket that is not connected names the other side with every message, and a connected one may
 * still do so, or be connected anew. Once that happens the socket's bytes are kept by
 * address: the rows of `peers` add up to what its row in `fds` says.
 */
#include <stdlib.h>

#include "rows_private.h"

#define NOT_KNOWN 0

/* The columns of a socket's row for one address, made if need be. */
static int64_t *peer(struct rows *r, uint32_t fd_row, uint32_t remote)
{
	const int64_t key[] = { fd_row, remote };
	uint32_t row = aggregate_find(&r->agg, TABLE_peers, key);

	if (!row) {
		row = aggregate_get(&r->agg, TABLE_peers, key);
		if (!row)
			r->failed = true;
		else
			COL(r, fds, fd_row, peers)++;
	}
	return rows_columns(r, TABLE_peers, row);
}

static uint32_t connected_to(struct rows *r, uint32_t fd_row)
{
	int64_t remote = PEEK(r, fds, fd_row, remote);

	return remote == NIL ? NOT_KNOWN : (uint32_t)remote;
}

/* Another address than until now: what moved so far gets a row, too. */
static void begin(struct rows *r, uint32_t fd_row)
{
	const int64_t *c = rows_columns(r, TABLE_fds, fd_row);
	uint32_t until_now = connected_to(r, fd_row);
	int64_t *p;

	if (c[fds_peers] || (!until_now && !c[fds_bytes_read] && !c[fds_bytes_written]))
		return;
	p = peer(r, fd_row, until_now);
	p[peers_bytes_read] = c[fds_bytes_read];
	p[peers_bytes_written] = c[fds_bytes_written];
}

/* An address in the text that rows have; 0: none, or one that says nothing. */
static uint32_t address(struct rows *r, const struct frz_attachment *a)
{
	size_t len = frz_cur_left(&a->value);
	char text[1100];

	if (len <= 2)
		return 0;
	frz_sockaddr_text(a->value.p, len, text, sizeof(text));
	return rows_text(r, text);
}

static void put(struct rows *r, uint32_t fd_row, uint32_t remote, bool write, int64_t bytes)
{
	int64_t *sum;

	if (remote != connected_to(r, fd_row))
		begin(r, fd_row);
	else if (!PEEK(r, fds, fd_row, peers))
		return;
	sum = &peer(r, fd_row, remote)[write ? peers_bytes_written : peers_bytes_read];
	*sum = frz_add(*sum, bytes);
}

/* A call with several messages has their lengths, and an address where it is another than that of
 * the message before: with as many of one as of the other it is known which is whose. */
static bool put_each(struct rows *r, uint32_t fd_row, const struct frz_call *c, unsigned naddrs,
		     unsigned slot, bool write)
{
	struct frz_attachment lengths, a;
	struct frz_cur atts = c->atts, count;
	unsigned n = 0;

	if (!frz_att_find(c, FRZ_A_NUMS, slot, &lengths))
		return false;
	for (count = lengths.value; frz_cur_left(&count); n++)
		frz_take_zigzag(&count);
	if (n != naddrs)
		return false;
	while (frz_att_next(&atts, &a))
		if (a.kind == FRZ_A_ADDR)
			put(r, fd_row, address(r, &a), write, frz_take_zigzag(&lengths.value));
	return true;
}

void peers_moved(struct rows *r, uint32_t fd_row, const struct frz_call *c, bool write)
{
	struct frz_cur atts = c->atts;
	struct frz_attachment a, first = { 0 };
	unsigned naddrs = 0;

	while (frz_att_next(&atts, &a))
		if (a.kind == FRZ_A_ADDR && naddrs++ == 0)
			first = a;
	/* a stream's other side is the one it is connected to, whatever a call names */
	if (!naddrs || PEEK(r, fds, fd_row, type) == rows_text(r, "stream"))
		put(r, fd_row, connected_to(r, fd_row), write, r->desc.bytes);
	else if (naddrs == 1)
		put(r, fd_row, address(r, &first), write, r->desc.bytes);
	else if (!put_each(r, fd_row, c, naddrs, first.slot, write))
		put(r, fd_row, NOT_KNOWN, write, r->desc.bytes);
}

void peers_connected(struct rows *r, uint32_t fd_row, uint32_t remote)
{
	int64_t *c = rows_columns(r, TABLE_fds, fd_row);

	if (connected_to(r, fd_row) == remote)
		return;
	begin(r, fd_row);
	c[fds_remote] = remote;
	if (c[fds_peers])
		peer(r, fd_row, remote);
}
