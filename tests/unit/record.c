/*
 * record.c - tests of the record encoder and decoder: every type there and back, every
 * declaration looked up, and records that lie.
 */
#include "record.h"
#include "tap.h"

static uint8_t mem[1 << 16];
static struct frz_decoder *d;

static struct frz_buf fresh(void) { return (struct frz_buf){ .p = mem, .cap = sizeof(mem) }; }

static enum frz_err feed(const void *p, size_t n, struct frz_record *out)
{
	struct frz_cur c = frz_cur_of(p, n);
	enum frz_err err = frz_decoder_feed(d, &c, 77, 5000, 400, out);

	return err == FRZ_OK && c.p != c.end ? FRZ_E_TRUNCATED : err;
}

/* A record of this type with this body. */
static enum frz_err feed_body(unsigned type, const void *body, size_t n, struct frz_record *out)
{
	static uint8_t rec_mem[1 << 16];
	struct frz_buf rec = { .p = rec_mem, .cap = sizeof(rec_mem) };
	struct frz_buf b = { .p = (uint8_t *)(uintptr_t)body, .len = n, .cap = n };

	frz_enc_record(&rec, (enum frz_rec)type, &b);
	return rec.full ? FRZ_E_SPACE : feed(rec.p, rec.len, out);
}

static void strings(void)
{
	struct frz_record rec;
	struct frz_buf b = fresh();
	struct frz_str s;

	frz_decoder_begin_loose(d);
	frz_enc_string(&b, "abc", 3, false, 0);
	ok(feed(b.p, b.len, &rec) == FRZ_OK && rec.type == FRZ_R_STRING && rec.u.number == 1,
	   "the first string is number 1");
	b = (struct frz_buf){ .p = mem + 100,
			      .cap = 100 }; /* strings stay where they were fed from */
	frz_enc_string(&b, "a\0\n", 3, true, 4096);
	ok(feed(b.p, b.len, &rec) == FRZ_OK && rec.type == FRZ_R_STRING_CUT && rec.u.number == 2,
	   "the second, cut, is number 2");
	b = (struct frz_buf){ .p = mem + 200, .cap = 100 };
	frz_enc_string(&b, "", 0, false, 0);
	ok(feed(b.p, b.len, &rec) == FRZ_OK && rec.u.number == 3, "an empty one is number 3");
	s = frz_dec_string(d, 1);
	ok(s.len == 3 && !memcmp(s.p, "abc", 3) && !s.cut && s.true_len == 3,
	   "the first reads back");
	s = frz_dec_string(d, 2);
	ok(s.len == 3 && !memcmp(s.p, "a\0\n", 3) && s.cut && s.true_len == 4096,
	   "so does the second, with its true length");
	ok(frz_dec_string(d, 3).len == 0 && frz_dec_string(d, 0).len == 0 &&
		   frz_dec_string(d, 4).len == 0 && frz_dec_string(d, UINT64_MAX).len == 0,
	   "a number that is none is the empty string");
	ok(feed_body(FRZ_R_STRING_CUT,
		     "\x02"
		     "abc",
		     4, &rec) == FRZ_E_CORRUPT,
	   "a cut string longer than it ever was");
	ok(feed_body(FRZ_R_STRING_CUT, "\0abc", 4, &rec) == FRZ_OK, "unless that is not known");
	ok(feed_body(FRZ_R_STRING_CUT, "", 0, &rec) == FRZ_E_CORRUPT,
	   "a cut string without length");
	ok(rec.seq == 0 && rec.mono_ns == 0, "a declaration has neither time nor number");
	frz_decoder_begin_loose(d);
	ok(frz_dec_string(d, 1).len == 0, "a new segment forgets");
}

static const struct frz_file whole = {
	.mask = FRZ_F_ALL,
	.path = 1,
	.mode = 0140755,
	.uid = 4294967295,
	.gid = 100,
	.dev_major = 8,
	.dev_minor = 1,
	.rdev_major = 4,
	.rdev_minor = 64,
	.nlink = 3,
	.owner_name = 2,
	.group_name = 3,
	.ino = UINT64_MAX,
	.size = 1 << 20,
	.mnt_id = 29,
	.cookie = 0x1234567890,
	.mtime = { -1, 999999999 },
	.ctime = { 1700000000, 1 },
	.btime = { INT64_MIN, 0 },
	.sock = { 10, 1, 6, (const uint8_t *)"\x0a\0\0\x50", (const uint8_t *)"peer", 4, 4 },
};

static bool same_file(const struct frz_file *a, const struct frz_file *b)
{
	return a->mask == b->mask && a->path == b->path && a->mode == b->mode && a->uid == b->uid &&
	       a->gid == b->gid && a->dev_major == b->dev_major && a->dev_minor == b->dev_minor &&
	       a->rdev_major == b->rdev_major && a->rdev_minor == b->rdev_minor &&
	       a->nlink == b->nlink && a->owner_name == b->owner_name &&
	       a->group_name == b->group_name && a->ino == b->ino && a->size == b->size &&
	       a->mnt_id == b->mnt_id && a->cookie == b->cookie && a->mtime.sec == b->mtime.sec &&
	       a->mtime.nsec == b->mtime.nsec && a->ctime.sec == b->ctime.sec &&
	       a->ctime.nsec == b->ctime.nsec && a->btime.sec == b->btime.sec &&
	       a->btime.nsec == b->btime.nsec && a->sock.family == b->sock.family &&
	       a->sock.type == b->sock.type && a->sock.protocol == b->sock.protocol &&
	       a->sock.local_len == b->sock.local_len && a->sock.peer_len == b->sock.peer_len &&
	       (!a->sock.local_len || !memcmp(a->sock.local, b->sock.local, a->sock.local_len)) &&
	       (!a->sock.peer_len || !memcmp(a->sock.peer, b->sock.peer, a->sock.peer_len));
}

static void declare_strings(unsigned n)
{
	struct frz_record rec;

	for (unsigned i = 0; i < n; i++)
		feed_body(FRZ_R_STRING, "s", 1, &rec);
}

static void files(void)
{
	static uint8_t big_addr[300];
	struct frz_record rec;
	unsigned wrong = 0;
	struct frz_file f;
	struct frz_buf b;

	frz_decoder_begin_loose(d);
	declare_strings(3);
	b = fresh();
	frz_enc_file(&b, &whole);
	ok(feed(b.p, b.len, &rec) == FRZ_OK && rec.type == FRZ_R_FILE && rec.u.number == 1 &&
		   same_file(frz_dec_file(d, 1), &whole),
	   "a FILE with every part");
	for (unsigned bit = 0; bit < 16; bit++) {
		struct frz_file one = { .mask = 1u << bit };

		f = whole;
		f.mask = one.mask;
		b = fresh();
		frz_enc_file(&b, &f);
		wrong += feed(b.p, b.len, &rec) != FRZ_OK ||
			 frz_dec_file(d, rec.u.number)->mask != one.mask;
		for (size_t cut = 3; cut < b.len; cut++) {
			mem[1] = (uint8_t)(cut - 2);
			wrong += feed(b.p, cut, &rec) == FRZ_OK;
		}
	}
	is_int(wrong, 0, "each part alone, and none of them when cut short");
	f = (struct frz_file){ .mask = FRZ_F_SOCK, .sock.local = big_addr, .sock.local_len = 300 };
	b = fresh();
	frz_enc_file(&b, &f);
	ok(feed(b.p, b.len, &rec) == FRZ_OK && same_file(frz_dec_file(d, rec.u.number), &f),
	   "a FILE whose length takes two bytes");
	for (size_t cap = 0; cap < b.len; cap++) {
		struct frz_buf small = { .p = mem + 1000, .cap = cap };

		frz_enc_file(&small, &f);
		wrong += !small.full || small.len != 0;
	}
	is_int(wrong, 0, "with too little room nothing is written");
	ok(!frz_dec_file(d, 0) && !frz_dec_file(d, 1000), "numbers that are no FILE");
	ok(feed_body(FRZ_R_FILE, "\x01\x04", 2, &rec) == FRZ_E_CORRUPT, "a path not declared");
	ok(feed_body(FRZ_R_FILE, "\x40\0\x80\x94\xeb\xdc\x03", 7, &rec) == FRZ_E_CORRUPT,
	   "a second of nanoseconds");
	ok(feed_body(FRZ_R_FILE, "\x02\x01\x01", 3, &rec) == FRZ_E_CORRUPT, "a part too many");
	ok(feed_body(FRZ_R_FILE, "\x82\x80\x04\x01\x01", 5, &rec) == FRZ_OK &&
		   frz_dec_file(d, rec.u.number)->mask == FRZ_F_MODE,
	   "parts of a later version, under a mask bit of their own, are passed over");
}

static void processes(void)
{
	struct frz_record rec;

	frz_decoder_begin_loose(d);
	declare_strings(2);
	ok(feed_body(FRZ_R_PROC, "\x2a\x01\xb9\x60\x05\x01\x02", 7, &rec) == FRZ_OK &&
		   rec.u.proc.pid == 42 && rec.u.proc.ppid == 1 && rec.u.proc.start == 12345 &&
		   rec.u.proc.uid == 5 && rec.u.proc.comm == 1 && rec.u.proc.exe == 2 &&
		   frz_dec_proc(d, 42)->start == 12345,
	   "PROC");
	ok(feed_body(FRZ_R_THREAD, "\x2b\x2a\x07\x01", 4, &rec) == FRZ_OK &&
		   rec.u.thread.tid == 43 && frz_dec_thread(d, 43)->table == 7 &&
		   frz_dec_thread(d, 43)->pid == 42,
	   "THREAD");
	ok(feed_body(FRZ_R_THREAD, "\x2b\x2a\x08\x01", 4, &rec) == FRZ_OK &&
		   frz_dec_thread(d, 43)->table == 8,
	   "declared again, it is replaced");
	ok(!frz_dec_proc(d, 43) && !frz_dec_thread(d, 42), "others are not there");
	ok(feed_body(FRZ_R_THREAD, "\x80\x80\x80\x80\x10\x2a\x07\x01", 8, &rec) == FRZ_E_CORRUPT,
	   "a tid of 33 bits");
	ok(feed_body(FRZ_R_THREAD, "\x2b\x2a\x07\x03", 4, &rec) == FRZ_E_CORRUPT,
	   "a name that was not declared");
}

static void bindings(void)
{
	struct frz_record rec;

	frz_decoder_begin_loose(d);
	declare_strings(1);
	feed_body(FRZ_R_FILE, "\x01\x01", 2, &rec);
	feed_body(FRZ_R_THREAD, "\x2b\x2a\x07\x01", 4, &rec);
	ok(feed_body(FRZ_R_BIND, "\x07\x03\x64\x01\x05\x63\x04\x01", 8, &rec) == FRZ_OK &&
		   rec.u.bind.table == 7 && rec.u.bind.fd == 3 && rec.u.bind.instance == 100 &&
		   rec.u.bind.file == 1 && rec.u.bind.how == FRZ_B_DUP && rec.u.bind.parent == 99 &&
		   rec.u.bind.flags == 2 && rec.u.bind.position == -1,
	   "BIND");
	ok(frz_dec_bind(d, 7, 3) && frz_dec_bind(d, 7, 3)->instance == 100 &&
		   frz_dec_instance(d, 100)->fd == 3,
	   "is found by fd and by instance");
	ok(!frz_dec_bind(d, 8, 3) && !frz_dec_bind(d, 7, 4) && !frz_dec_bind(d, 7, -1) &&
		   !frz_dec_instance(d, 99),
	   "and by nothing else");
	ok(feed_body(FRZ_R_BIND, "\x07\x03\x65\x01\x01\0\x04\x01", 8, &rec) == FRZ_OK &&
		   frz_dec_bind(d, 7, 3)->instance == 101 &&
		   frz_dec_instance(d, 100)->instance == 100,
	   "a newer one takes the fd, the older instance is still known");
	ok(feed_body(FRZ_R_UNBIND, "\x07\x03", 2, &rec) == FRZ_OK && rec.u.bind.instance == 101 &&
		   !frz_dec_bind(d, 7, 3) && frz_dec_instance(d, 101),
	   "UNBIND tells what ended, and the fd is free");
	ok(feed_body(FRZ_R_UNBIND, "\x07\x03", 2, &rec) == FRZ_OK && rec.u.bind.instance == 0 &&
		   rec.u.bind.fd == 3 && rec.u.bind.table == 7,
	   "once more, nothing ends");
	ok(feed_body(FRZ_R_BIND, "\x07\x03\x66\x01\x01\0\x04\x01", 8, &rec) == FRZ_OK &&
		   frz_dec_bind(d, 7, 3)->instance == 102,
	   "and it can be bound again");
	ok(feed_body(FRZ_R_BIND, "\x08\x05\x66\x01\x01\0\x04\x01", 8, &rec) == FRZ_OK &&
		   frz_dec_bind(d, 7, 3)->fd == 3 && frz_dec_bind(d, 8, 5)->instance == 102 &&
		   frz_dec_instance(d, 102)->table == 8,
	   "the same instance at another fd leaves the first as it is");
	ok(feed_body(FRZ_R_BIND, "\x07\x03\0\x01\x01\0\x04\x01", 8, &rec) == FRZ_E_CORRUPT,
	   "instance 0");
	ok(feed_body(FRZ_R_BIND, "\x07\x03\x67\x02\x01\0\x04\x01", 8, &rec) == FRZ_E_CORRUPT,
	   "a file that was not declared");
	ok(feed_body(FRZ_R_BIND, "\x07\x80\x80\x80\x80\x08\x67\x01\x01\0\x04\x01", 12, &rec) ==
		   FRZ_E_CORRUPT,
	   "an fd of 32 bits");
}

/* A call by thread 43 with fd 3 as its first argument. */
static struct frz_buf call_body(struct frz_buf *atts, uint64_t flags)
{
	static uint8_t body_mem[8192];
	struct frz_buf b = { .p = body_mem, .cap = sizeof(body_mem) };

	frz_buf_varint(&b, 43);
	frz_buf_varint(&b, FRZ_ABI_I386 + 4 * 257);
	frz_buf_varint(&b, flags);
	if (!(flags & FRZ_C_NO_RETURN))
		frz_buf_zigzag(&b, -2);
	frz_buf_varint(&b, 0x25);
	frz_buf_zigzag(&b, 3);
	frz_buf_zigzag(&b, -100);
	frz_buf_zigzag(&b, INT64_MIN);
	if (atts)
		frz_buf_bytes(&b, atts->p, atts->len);
	return b;
}

static void calls(void)
{
	uint8_t att_mem[4096];
	struct frz_buf atts = { .p = att_mem, .cap = sizeof(att_mem) }, b;
	struct frz_attachment a;
	struct frz_record rec;
	struct frz_cur c;
	unsigned n = 0;
	int32_t fd;

	bindings(); /* leaves (7, 3) bound to 102 */
	b = call_body(NULL, 0);
	ok(feed_body(FRZ_R_SYSCALL, b.p, b.len, &rec) == FRZ_OK && rec.seq == 77 &&
		   rec.mono_ns == 5000 && rec.dur_ns == 400,
	   "a call has a number and a time");
	ok(rec.u.call.tid == 43 && rec.u.call.abi == FRZ_ABI_I386 && rec.u.call.nr == 257 &&
		   rec.u.call.ret == -2 && rec.u.call.arg_mask == 0x25 && rec.u.call.arg[0] == 3 &&
		   rec.u.call.arg[1] == 0 && rec.u.call.arg[2] == -100 &&
		   rec.u.call.arg[5] == INT64_MIN,
	   "its parts read back");
	b = call_body(NULL, FRZ_C_NO_RETURN | FRZ_C_NO_ENTRY);
	ok(feed_body(FRZ_R_SYSCALL, b.p, b.len, &rec) == FRZ_OK && rec.u.call.ret == 0 &&
		   rec.u.call.flags == (FRZ_C_NO_RETURN | FRZ_C_NO_ENTRY) &&
		   rec.u.call.arg[5] == INT64_MIN,
	   "a call that never returned");

	frz_enc_att(&atts, FRZ_A_FD, 0, 0);
	frz_enc_att_varint(&atts, FRZ_A_FD, 2, 55);
	frz_enc_att(&atts, FRZ_A_FDNUM, 7, 2);
	frz_buf_varint(&atts, 9);
	frz_buf_varint(&atts, 90);
	frz_enc_att_varint(&atts, FRZ_A_PATH, 1, 1);
	frz_enc_att_varint(&atts, FRZ_A_DIR, 1, 0);
	frz_enc_att_varint(&atts, FRZ_A_STR, 3, 1);
	frz_enc_att(&atts, FRZ_A_ADDR, 4, 3);
	frz_buf_bytes(&atts, "abc", 3);
	frz_enc_att_varint(&atts, FRZ_A_VICTIM, 1, 1);
	frz_enc_att_varint(&atts, FRZ_A_FILE, 1, 1);
	frz_enc_att(&atts, FRZ_A_DATA, 1, 0);
	frz_enc_att(&atts, FRZ_A_LIST, 1, 3);
	frz_buf_bytes(&atts, "\x01\x00\x01", 3);
	frz_enc_att(&atts, FRZ_A_NUMS, 1, 2);
	frz_buf_bytes(&atts, "\x80\x01", 2);
	frz_enc_att_varint(&atts, FRZ_A_CUT, 1, 100000);
	frz_enc_att(&atts, FRZ_A_FAULT, 1, 0);
	frz_enc_att_varint(&atts, FRZ_A_SIGN, 7, 1);
	frz_enc_att(&atts, (enum frz_att)500, 7, 4);
	frz_buf_bytes(&atts, "what", 4);
	b = call_body(&atts, 0);
	ok(feed_body(FRZ_R_URING, b.p, b.len, &rec) == FRZ_OK && rec.type == FRZ_R_URING &&
		   rec.u.call.nr == FRZ_ABI_I386 + 4 * 257,
	   "a URING record, with every kind of attachment and one that is not known");
	c = rec.u.call.atts;
	while (frz_att_next(&c, &a))
		n++;
	ok(n == 16 && !c.bad, "all of which are found");
	ok(frz_att_find(&rec.u.call, FRZ_A_STR, 3, &a) && a.slot == 3 &&
		   frz_take_varint(&a.value) == 1,
	   "one is found by kind and slot");
	ok(!frz_att_find(&rec.u.call, FRZ_A_STR, 1, &a), "in another slot it is not");
	frz_att_find(&rec.u.call, FRZ_A_FD, 0, &a);
	ok(frz_att_instance(d, &rec.u.call, &a, &fd) == 102 && fd == 3,
	   "an implied fd is what is bound there now");
	frz_att_find(&rec.u.call, FRZ_A_FD, 2, &a);
	ok(frz_att_instance(d, &rec.u.call, &a, &fd) == 0 && fd == -1, "a negative fd is none");
	frz_att_find(&rec.u.call, FRZ_A_FDNUM, 7, &a);
	ok(frz_att_instance(d, &rec.u.call, &a, &fd) == 90 && fd == 9, "an fd in a message");
	frz_att_find(&rec.u.call, FRZ_A_PATH, 1, &a);
	ok(frz_att_instance(d, &rec.u.call, &a, &fd) == 0 && fd == -1, "a path is no fd");
}

static void lying_calls(void)
{
	static const struct {
		const char *name;
		size_t n;
		const char *att;
		bool good;
	} rows[] = {
		{ "an implied fd of an argument kept", 2, "\x08\0", true },
		{ "of one that was not kept", 2, "\x09\0", false },
		{ "of the return value", 2, "\x0e\0", true },
		{ "of nothing", 2, "\x0f\0", false },
		{ "an fd with two instances", 4, "\x08\x02\x01\x01", false },
		{ "an fd in a message without instance", 3, "\x17\x01\x05", false },
		{ "a path with a number not declared", 3, "\x18\x01\x02", false },
		{ "a path of two strings", 4, "\x18\x02\x01\x01", false },
		{ "a file not declared", 3, "\x40\x01\x02", false },
		{ "a list with a string not declared", 4, "\x50\x02\x01\x02", false },
		{ "numbers that stop in the middle", 3, "\x58\x01\x80", false },
		{ "a cut without a number", 2, "\x60\0", false },
		{ "a fault with a value", 3, "\x68\x01\0", false },
		{ "kind 0", 2, "\x01\0", false },
		{ "a length beyond the record", 3, "\x38\x02\0", false },
		{ "a length beyond memory", 11, "\x38\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
		  false },
		{ "a kind without a length", 1, "\x38", false },
	};
	struct frz_record rec;
	struct frz_buf b;
	unsigned wrong = 0;

	bindings();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct frz_buf atts = { .p = (uint8_t *)(uintptr_t)rows[i].att,
					.len = rows[i].n,
					.cap = rows[i].n };

		b = call_body(&atts, 0);
		ok((feed_body(FRZ_R_SYSCALL, b.p, b.len, &rec) == FRZ_OK) == rows[i].good, "%s",
		   rows[i].name);
	}
	b = call_body(&(struct frz_buf){ .p = (uint8_t *)(uintptr_t) "\x0e\0", .len = 2 },
		      FRZ_C_NO_RETURN);
	ok(feed_body(FRZ_R_SYSCALL, b.p, b.len, &rec) == FRZ_E_CORRUPT,
	   "an fd returned by a call that did not return");
	b = call_body(NULL, 8);
	ok(feed_body(FRZ_R_SYSCALL, b.p, b.len, &rec) == FRZ_E_CORRUPT, "a reserved flag");
	b = call_body(NULL, 0);
	for (size_t n = 0; n < b.len; n++)
		wrong += feed_body(FRZ_R_SYSCALL, b.p, n, &rec) == FRZ_OK;
	is_int(wrong, 0, "a call cut anywhere");
	ok(feed_body(FRZ_R_SYSCALL, "\x2b\0\0\0\x40", 5, &rec) == FRZ_E_CORRUPT,
	   "a seventh argument");
}

static void notes(void)
{
	static const struct {
		unsigned type;
		size_t n;
		const char *body;
	} rows[] = {
		{ FRZ_R_CONTEXT, 10, "\x01\x2a\x01\x02xx\x7f\x01yz" },
		{ FRZ_R_THREAD_START, 5, "\x2b\x02\x02\x2a\0" },
		{ FRZ_R_THREAD_END, 3, "\x2b\x01\0" },
		{ FRZ_R_PROC_END, 3, "\x2a\x01\0" },
		{ FRZ_R_SIGNAL, 5, "\x2b\x09\x01\x01\0" },
		{ FRZ_R_IO, 4, "\x2b\x01\x64\x64" },
		{ FRZ_R_COVERAGE, 5, "\x2a\x2b\x01\x01\0" },
		{ FRZ_R_OBSERVER, 6, "\x2a\x2b\x01\x01\x64\x01" },
		{ FRZ_R_GAP, 2, "\x05\x01" },
		{ FRZ_R_MAPPED, 7, "\x2a\x01\x64\x64\x05\x02\0" },
		{ FRZ_R_STOPPED, 2, "\x2b\x13" },
		{ FRZ_R_FILE_HASH, 33,
		  "\x01"
		  "0123456789abcdef0123456789abcdef" },
	};
	struct frz_record rec;
	unsigned wrong = 0;

	bindings();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t n = rows[i].type == FRZ_R_CONTEXT ? 9 : rows[i].n;

		ok(feed_body(rows[i].type, rows[i].body, n, &rec) == FRZ_OK && rec.seq == 0 &&
			   rec.mono_ns == 5000 && frz_cur_left(&rec.body) == n,
		   "note %#x: a time, but no number", rows[i].type);
		for (size_t cut = 0; cut < n; cut++)
			if (rows[i].type != FRZ_R_CONTEXT || (cut != 2 && cut != 6))
				wrong += feed_body(rows[i].type, rows[i].body, cut, &rec) == FRZ_OK;
		if (rows[i].type != FRZ_R_CONTEXT) {
			uint8_t longer[64];

			memcpy(longer, rows[i].body, n);
			longer[n] = 0;
			wrong += feed_body(rows[i].type, longer, n + 1, &rec) == FRZ_OK;
		}
	}
	is_int(wrong, 0, "a note cut anywhere, or a byte longer, is refused");
	ok(feed_body(FRZ_R_GAP, "\x05\x02", 2, &rec) == FRZ_E_CORRUPT, "a reason not declared");
	ok(feed_body(0x7e, "junk", 4, &rec) == FRZ_OK && !rec.mono_ns && !rec.seq,
	   "a declaration of a later version is passed over");
	ok(feed_body(0xbf, "junk", 4, &rec) == FRZ_OK && rec.seq == 77 && rec.mono_ns,
	   "an event of a later version keeps its number");
	ok(feed_body(0xfe, "junk", 4, &rec) == FRZ_OK && !rec.seq && rec.mono_ns,
	   "a note of a later version its time");
	ok(feed("\0\0", 2, &rec) == FRZ_E_CORRUPT, "type 0 is none");
	ok(feed("\x01", 1, &rec) == FRZ_E_CORRUPT && feed("", 0, &rec) == FRZ_E_CORRUPT &&
		   feed("\x01\x05"
			"abcd",
			6, &rec) == FRZ_E_CORRUPT,
	   "nor is half a record");
}

static void many(void)
{
	uint8_t body_mem[64];
	struct frz_record rec;
	unsigned wrong = 0;

	frz_decoder_begin_loose(d);
	for (uint32_t i = 0; i < 100000; i++) {
		struct frz_buf b = { .p = body_mem, .cap = sizeof(body_mem) };

		frz_buf_varint(&b, i % 3);
		frz_buf_varint(&b, i / 3);
		frz_buf_varint(&b, (uint64_t)i + 1);
		frz_buf_bytes(&b, "\0\x01\0\0\0", 5);
		wrong += feed_body(FRZ_R_BIND, b.p, b.len, &rec) != FRZ_OK;
	}
	for (uint32_t i = 0; i < 100000; i++) {
		const struct frz_dbind *b = frz_dec_bind(d, i % 3, (int32_t)(i / 3));

		wrong += !b || b->instance != (uint64_t)i + 1 ||
			 frz_dec_instance(d, (uint64_t)i + 1) != b;
	}
	is_int(wrong, 0, "100,000 bindings, each found");
	frz_decoder_begin_loose(d);
	for (uint32_t i = 0; i < FRZ_DECLARED_MAX; i++)
		wrong += feed("\x05\x01\0", 3, &rec) != FRZ_OK;
	is_int(wrong, 0, "as many files as there may be");
	ok(feed("\x05\x01\0", 3, &rec) == FRZ_E_LIMIT, "and not one more");
}

int main(void)
{
	d = frz_decoder_new();
	strings();
	files();
	processes();
	calls();
	lying_calls();
	notes();
	many();
	frz_decoder_free(d);
	return tap_done();
}
