/*
 * golden.c - the golden case of format version 1: makes it, and dumps any case as JSON lines.
 *
 *	golden make FILE        writes the case (FILE must not exist)
 *	golden dump FILE        a line for each block and record, as tests/reader/frzread.py
 *	                        prints them; exit 0 sealed, 3 not sealed, 1 damaged
 *
 * The case holds every block type, every record type, every part of a FILE, every kind of
 * attachment and times of every shape. Once a version is out, its case stays as it is.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "casebuild.h"
#include "casefile.h"

/* ---- making ---- */

static struct cb b;

static uint64_t z(int64_t v) { return frz_zigzag(v); }

/* A call: attachments as given in atts. */
static void call(unsigned type, uint64_t nr, uint64_t flags, int64_t ret, unsigned mask,
		 const int64_t *args, const struct frz_buf *atts, uint64_t step, uint64_t dur)
{
	uint64_t v[16];
	size_t n = 0;

	v[n++] = 42;
	v[n++] = nr;
	v[n++] = flags;
	if (!(flags & FRZ_C_NO_RETURN))
		v[n++] = z(ret);
	v[n++] = mask;
	for (unsigned i = 0; i < 6; i++)
		if (mask >> i & 1)
			v[n++] = z(args[i]);
	cb_record(&b, type, v, n, atts ? atts->p : NULL, atts ? atts->len : 0, step, dur);
}

static void declarations(void)
{
	struct frz_file whole = {
		.mask = FRZ_F_ALL,
		.mode = 0140777,
		.uid = 33,
		.gid = 4294967294,
		.dev_major = 0,
		.dev_minor = 8,
		.rdev_major = 1,
		.rdev_minor = 3,
		.nlink = 1,
		.ino = UINT64_MAX,
		.size = 0,
		.mnt_id = 30,
		.cookie = 0x1000000000000001,
		.mtime = { -1, 999999999 },
		.ctime = { 1700000000, 123456789 },
		.btime = { 0, 0 },
		.sock = { 2, 1, 6, (const uint8_t *)"\x02\0\x1f\x90\x7f\0\0\1",
			  (const uint8_t *)"\xff", 8, 1 },
	};
	struct frz_file plain = { .mask = FRZ_F_PATH | FRZ_F_MODE | FRZ_F_SIZE,
				  .mode = 0100644,
				  .size = 4096 };
	struct frz_file bare = { .mask = 0 };

	cb_text(&b, "/etc/passwd");				     /* 1 */
	cb_string(&b, "/tmp/evil\n\x1b[2J\xff\0.txt", 20, false, 0); /* 2 */
	cb_string(&b, "/very/lo", 8, true, 5000);		     /* 3 */
	cb_string(&b, "", 0, true, 0);				     /* 4 */
	cb_text(&b, "www-data");				     /* 5 */
	cb_text(&b, "nginx");					     /* 6 */
	cb_text(&b, "/usr/sbin/nginx");				     /* 7 */
	cb_text(&b, "io_uring ring");				     /* 8 */
	CB_REC(&b, FRZ_R_PROC, 0, 0, 42, 1, 123456, 33, 6, 7);
	CB_REC(&b, FRZ_R_THREAD, 0, 0, 42, 42, 1, 6);
	CB_REC(&b, FRZ_R_THREAD, 0, 0, 43, 42, 1, 0);
	whole.path = 2;
	whole.owner_name = 5;
	whole.group_name = 0;
	plain.path = 1;
	cb_file(&b, &whole);
	cb_file(&b, &plain);
	cb_file(&b, &bare);
	CB_REC(&b, FRZ_R_BIND, 0, 0, 1, 0, 1, 2, FRZ_B_ATTACH, 0, z(0), z(4095));
	CB_REC(&b, FRZ_R_BIND, 0, 0, 1, 7, 2, 1, FRZ_B_OPEN, 0, z(02000000), z(-1));
	CB_REC(&b, FRZ_R_BIND, 0, 0, 1, 8, 3, 0, FRZ_B_DUP, 2, z(-1), z(-1));
	CB_REC(&b, FRZ_R_BIND, 0, 0, 1, 9, 4, 3, FRZ_B_RECEIVED, 0, z(2), z(0));
}

static void calls(void)
{
	static const int64_t args[6] = { 7, -100, 3, INT64_MIN, INT64_MAX, 0 };
	uint8_t mem[512];
	struct frz_buf a = { .p = mem, .cap = sizeof(mem) };

	/* every kind of attachment */
	frz_enc_att(&a, FRZ_A_FD, 0, 0);
	frz_enc_att_varint(&a, FRZ_A_FD, 2, 3);
	frz_enc_att(&a, FRZ_A_FDNUM, 1, 3);
	frz_buf_varint(&a, 200);
	frz_buf_varint(&a, 4);
	frz_enc_att_varint(&a, FRZ_A_PATH, 1, 3);
	frz_enc_att_varint(&a, FRZ_A_DIR, 1, 1);
	frz_enc_att_varint(&a, FRZ_A_STR, 4, 8);
	frz_enc_att(&a, FRZ_A_ADDR, 3, 4);
	frz_buf_bytes(&a, "\x01\0/x", 4);
	frz_enc_att_varint(&a, FRZ_A_VICTIM, 1, 2);
	frz_enc_att_varint(&a, FRZ_A_FILE, 1, 1);
	frz_enc_att(&a, FRZ_A_DATA, 1, 5);
	frz_buf_bytes(&a, "GET /", 5);
	frz_enc_att(&a, FRZ_A_LIST, 1, 3);
	frz_buf_bytes(&a, "\x01\x00\x02", 3);
	frz_enc_att(&a, FRZ_A_NUMS, 5, 3);
	frz_buf_bytes(&a, "\x03\xd0\x0f", 3);
	frz_enc_att_varint(&a, FRZ_A_CUT, 1, 70000);
	frz_enc_att(&a, FRZ_A_FAULT, 4, 0);
	frz_enc_att_varint(&a, FRZ_A_SIGN, 7, 8);
	frz_enc_att(&a, (enum frz_att)300, 7, 2);
	frz_buf_bytes(&a, "?!", 2);
	call(FRZ_R_SYSCALL, 4 * 257 + FRZ_ABI_X86_64, 0, 7, 0x3f, args, &a, 5000, 4000);
	call(FRZ_R_SYSCALL, 4 * 5 + FRZ_ABI_I386, 0, -2, 0x05, args, NULL, 300, 255);
	call(FRZ_R_SYSCALL, 4 * 1 + FRZ_ABI_X32, FRZ_C_RESTARTS, -512, 0, args, NULL, 0, 0);
	call(FRZ_R_SYSCALL, 4 * 64 + FRZ_ABI_AARCH64, FRZ_C_NO_ENTRY, 100000, 0, args, NULL, 70000,
	     65536);
	/* longer than since the record before; then longer than 2^32 ns */
	call(FRZ_R_SYSCALL, 4 * 0, 0, 0, 0x01, args, NULL, 10, 100000);
	call(FRZ_R_SYSCALL, 4 * 0, 0, 1, 0x01, args, NULL, 6000000000, 5000000000);
	call(FRZ_R_URING, 22, 0, 4096, 0x3f, args, NULL, 1, 1);
	call(FRZ_R_SYSCALL, 4 * 231, FRZ_C_NO_RETURN, 0, 0x02, args, NULL, 0x123456, 0);
	b.mono -= 50; /* two tracers: a time that runs back */
	call(FRZ_R_SYSCALL, 4 * 3, 0, 0, 0x01, args, NULL, 0, 20);
	CB_REC(&b, FRZ_R_UNBIND, 0, 0, 1, 7);
	b.mono += 50;
	call(FRZ_R_SYSCALL, 4 * 3, 0, -9, 0x01, args, NULL, 1000, 100);
}

static void notes(void)
{
	static const uint8_t context[] = "\x01\x2a"
					 "\x01\x0anginx\0-g\0x"
					 "\x02\x01/"
					 "\x63\x00";
	static const uint8_t hash[] = "\x02"
				      "0123456789abcdef0123456789ABCDEF";

	cb_record(&b, FRZ_R_CONTEXT, NULL, 0, context, sizeof(context) - 1, 100, 0);
	CB_REC(&b, FRZ_R_THREAD_START, 10, 0, 44, 42, FRZ_BORN_CLONE, 42, 0x3d0f00);
	CB_REC(&b, FRZ_R_THREAD_END, 10, 0, 44, FRZ_GONE_EXIT, 256);
	CB_REC(&b, FRZ_R_PROC_END, 10, 0, 42, FRZ_GONE_DETACHED, 0);
	CB_REC(&b, FRZ_R_SIGNAL, 10, 0, 42, 11, z(-6), 1, 0);
	CB_REC(&b, FRZ_R_IO, 10, 0, 42, FRZ_IO_DETACH, 4096, UINT64_MAX);
	CB_REC(&b, FRZ_R_COVERAGE, 10, 0, 42, 43, 8, 1, 0);
	CB_REC(&b, FRZ_R_OBSERVER, 10, 0, 42, 43, 8, 2, 12345, 4);
	CB_REC(&b, FRZ_R_GAP, 10, 0, 3, 5);
	CB_REC(&b, FRZ_R_MAPPED, 10, 0, 42, 2, 0x7f0000000000, 4096, 5, 2, 0);
	CB_REC(&b, FRZ_R_STOPPED, 10, 0, 42, 19);
	cb_record(&b, FRZ_R_FILE_HASH, NULL, 0, hash, sizeof(hash) - 1, 10, 0);
	/* of a later version */
	cb_record(&b, 0x7f, NULL, 0, "later", 5, 0, 0);
	cb_record(&b, 0xbf, NULL, 0, "later", 5, 10, 5);
	cb_record(&b, 0xff, NULL, 0, "later", 5, 10, 0);
}

static void make_case(void)
{
	uint64_t mono, real;

	cb_init(&b, 20240229);
	cb_genesis(&b);
	b.mono += 1000;
	b.real += 1000;
	mono = b.mono;
	real = b.real;
	cb_segment_open(&b);
	declarations();
	calls();
	notes();
	cb_segment_close(&b, mono, real, 3, false);
	cb_tick(&b);
	b.real += 3600000000000; /* the clock was set */
	cb_segment(&b, 60, 0);
	mono = b.mono;
	real = b.real;
	cb_segment_open(&b);
	cb_segment_close(&b, mono, real, 0, true);
	cb_recovery(&b);
	cb_seal(&b);
}

static int make(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0644);

	make_case();
	if (fd < 0 || write(fd, b.file.p, b.file.len) != (ssize_t)b.file.len || close(fd) != 0) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return 2;
	}
	cb_release(&b);
	return 0;
}

/* ---- dumping ---- */

/* Bytes as a JSON string of code points 0 to 255. */
static void put_str(const uint8_t *p, size_t n)
{
	putchar('"');
	for (size_t i = 0; i < n; i++) {
		if (p[i] == '"' || p[i] == '\\')
			printf("\\%c", p[i]);
		else if (p[i] >= ' ' && p[i] <= '~')
			putchar(p[i]);
		else
			printf("\\u%04x", p[i]);
	}
	putchar('"');
}

static void put_hex(const uint8_t *p, size_t n)
{
	putchar('"');
	for (size_t i = 0; i < n; i++)
		printf("%02x", p[i]);
	putchar('"');
}

static void dump_block(const struct frz_case_item *it)
{
	static const uint8_t none[1];
	struct frz_cur c = it->block.fields;
	const char *sep = "";

	printf("{\"block\": %ju, \"type\": \"%s\", \"offset\": %ju, \"link\": ",
	       (uintmax_t)it->block.index, frz_block_type_name(it->type),
	       (uintmax_t)it->block.offset);
	put_hex(it->block.link, FRZ_HASH_LEN);
	printf(", \"fields\": {");
	while (frz_cur_left(&c)) {
		const uint8_t *h = frz_take(&c, FRZ_FIELD_HEAD);
		size_t n = frz_get32(h + 4);
		const uint8_t *p = n ? frz_take(&c, n) : none;

		printf("%s\"%s\": ", sep, frz_key_name(frz_get16(h)));
		if (h[2] == FRZ_T_U64)
			printf("%ju", (uintmax_t)frz_get64(p));
		else if (h[2] == FRZ_T_TEXT)
			put_str(p, n);
		else
			put_hex(p, n);
		sep = ", ";
	}
	puts("}}");
}

static void put_string_number(const struct frz_decoder *d, uint64_t n)
{
	struct frz_str s = frz_dec_string(d, n);

	put_str(s.p, s.len);
}

static void put_time(const char *name, struct frz_time t)
{
	printf(", \"%s\": [%jd, %u]", name, (intmax_t)t.sec, t.nsec);
}

static void dump_file(const struct frz_decoder *d, uint32_t number)
{
	const struct frz_file *f = frz_dec_file(d, number);

	printf(", \"number\": %u, \"mask\": %u", number, f->mask);
	if (f->mask & FRZ_F_PATH) {
		printf(", \"path\": ");
		put_string_number(d, f->path);
	}
	if (f->mask & FRZ_F_MODE)
		printf(", \"mode\": %u", f->mode);
	if (f->mask & FRZ_F_OWNER)
		printf(", \"owner\": [%u, %u]", f->uid, f->gid);
	if (f->mask & FRZ_F_DEV)
		printf(", \"dev\": [%u, %u]", f->dev_major, f->dev_minor);
	if (f->mask & FRZ_F_INO)
		printf(", \"ino\": %ju", (uintmax_t)f->ino);
	if (f->mask & FRZ_F_SIZE)
		printf(", \"size\": %ju", (uintmax_t)f->size);
	if (f->mask & FRZ_F_MTIME)
		put_time("mtime", f->mtime);
	if (f->mask & FRZ_F_CTIME)
		put_time("ctime", f->ctime);
	if (f->mask & FRZ_F_BTIME)
		put_time("btime", f->btime);
	if (f->mask & FRZ_F_MNT)
		printf(", \"mnt\": %ju", (uintmax_t)f->mnt_id);
	if (f->mask & FRZ_F_NLINK)
		printf(", \"nlink\": %u", f->nlink);
	if (f->mask & FRZ_F_RDEV)
		printf(", \"rdev\": [%u, %u]", f->rdev_major, f->rdev_minor);
	if (f->mask & FRZ_F_SOCK) {
		printf(", \"sock\": [%u, %u, %u, ", f->sock.family, f->sock.type, f->sock.protocol);
		put_hex(f->sock.local, f->sock.local_len);
		printf(", ");
		put_hex(f->sock.peer, f->sock.peer_len);
		printf("]");
	}
	if (f->mask & FRZ_F_COOKIE)
		printf(", \"cookie\": %ju", (uintmax_t)f->cookie);
	if (f->mask & FRZ_F_NAMES) {
		printf(", \"names\": [");
		put_string_number(d, f->owner_name);
		printf(", ");
		put_string_number(d, f->group_name);
		printf("]");
	}
}

static void put_strings(const struct frz_decoder *d, struct frz_cur c)
{
	const char *sep = "";

	printf("[");
	while (frz_cur_left(&c)) {
		printf("%s", sep);
		put_string_number(d, frz_take_varint(&c));
		sep = ", ";
	}
	printf("]");
}

static void put_signed(struct frz_cur c)
{
	const char *sep = "";

	printf("[");
	while (frz_cur_left(&c)) {
		printf("%s%jd", sep, (intmax_t)frz_take_zigzag(&c));
		sep = ", ";
	}
	printf("]");
}

static void dump_att(const struct frz_decoder *d, const struct frz_call *c,
		     struct frz_attachment *a)
{
	uint64_t instance;
	int32_t fd;

	printf("{\"kind\": %u, \"slot\": %u", a->kind, a->slot);
	switch ((unsigned)a->kind) {
	case FRZ_A_FD:
	case FRZ_A_FDNUM:
		instance = frz_att_instance(d, c, a, &fd);
		printf(", \"fd\": %d, \"instance\": %ju", fd, (uintmax_t)instance);
		break;
	case FRZ_A_PATH:
	case FRZ_A_DIR:
	case FRZ_A_STR:
	case FRZ_A_SIGN:
		printf(", \"string\": ");
		put_string_number(d, frz_take_varint(&a->value));
		break;
	case FRZ_A_VICTIM:
	case FRZ_A_FILE:
		printf(", \"file\": %ju", (uintmax_t)frz_take_varint(&a->value));
		break;
	case FRZ_A_LIST:
		printf(", \"strings\": ");
		put_strings(d, a->value);
		break;
	case FRZ_A_NUMS:
		printf(", \"numbers\": ");
		put_signed(a->value);
		break;
	case FRZ_A_CUT:
		printf(", \"true\": %ju", (uintmax_t)frz_take_varint(&a->value));
		break;
	default:
		printf(", \"bytes\": ");
		put_hex(a->value.p, frz_cur_left(&a->value));
	}
	printf("}");
}

static void dump_call(const struct frz_decoder *d, const struct frz_call *c, bool uring)
{
	struct frz_cur atts = c->atts;
	struct frz_attachment a;
	const char *sep = "";

	printf(", \"tid\": %u, \"abi\": %d, \"nr\": %u, \"flags\": %u", c->tid,
	       uring ? 0 : (int)c->abi, c->nr, c->flags);
	if (!(c->flags & FRZ_C_NO_RETURN))
		printf(", \"ret\": %jd", (intmax_t)c->ret);
	printf(", \"args\": {");
	for (unsigned i = 0; i < 6; i++) {
		if (c->arg_mask >> i & 1) {
			printf("%s\"%u\": %jd", sep, i, (intmax_t)c->arg[i]);
			sep = ", ";
		}
	}
	printf("}, \"atts\": [");
	sep = "";
	while (frz_att_next(&atts, &a)) {
		printf("%s", sep);
		dump_att(d, c, &a);
		sep = ", ";
	}
	printf("]");
}

static void dump_bind(const struct frz_dbind *x)
{
	printf(", \"table\": %ju, \"fd\": %d, \"instance\": %ju, \"file\": %u, \"how\": %u, "
	       "\"parent\": %ju, \"flags\": %jd, \"position\": %jd",
	       (uintmax_t)x->table, x->fd, (uintmax_t)x->instance, x->file, (unsigned)x->how,
	       (uintmax_t)x->parent, (intmax_t)x->flags, (intmax_t)x->position);
}

static void dump_record(const struct frz_decoder *d, const struct frz_case_segment *g,
			const struct frz_record *r)
{
	unsigned type = r->type;

	printf("{\"record\": %u", type);
	if (FRZ_REC_EVENT(type))
		printf(", \"seq\": %ju", (uintmax_t)r->seq);
	if (FRZ_REC_TIMED(type))
		printf(", \"mono\": %ju, \"dur\": %ju, \"real\": %ju", (uintmax_t)r->mono_ns,
		       (uintmax_t)r->dur_ns,
		       (uintmax_t)(g->first.real_ns + r->mono_ns - g->first.mono_ns));
	switch (type) {
	case FRZ_R_STRING:
	case FRZ_R_STRING_CUT: {
		struct frz_str s = frz_dec_string(d, r->u.number);

		printf(", \"number\": %u, \"text\": ", r->u.number);
		put_str(s.p, s.len);
		printf(", \"true\": %ju", (uintmax_t)s.true_len);
		break;
	}
	case FRZ_R_FILE:
		dump_file(d, r->u.number);
		break;
	case FRZ_R_PROC:
		printf(", \"pid\": %u, \"ppid\": %u, \"start\": %ju, \"uid\": %u, \"comm\": ",
		       r->u.proc.pid, r->u.proc.ppid, (uintmax_t)r->u.proc.start, r->u.proc.uid);
		put_string_number(d, r->u.proc.comm);
		printf(", \"exe\": ");
		put_string_number(d, r->u.proc.exe);
		break;
	case FRZ_R_THREAD:
		printf(", \"tid\": %u, \"pid\": %u, \"table\": %ju, \"comm\": ", r->u.thread.tid,
		       r->u.thread.pid, (uintmax_t)r->u.thread.table);
		put_string_number(d, r->u.thread.comm);
		break;
	case FRZ_R_BIND:
		dump_bind(&r->u.bind);
		break;
	case FRZ_R_UNBIND:
		printf(", \"table\": %ju, \"fd\": %d, \"instance\": %ju",
		       (uintmax_t)r->u.bind.table, r->u.bind.fd, (uintmax_t)r->u.bind.instance);
		break;
	case FRZ_R_SYSCALL:
	case FRZ_R_URING:
		dump_call(d, &r->u.call, type == FRZ_R_URING);
		break;
	default:
		printf(", \"body\": ");
		put_hex(r->body.p, frz_cur_left(&r->body));
	}
	puts("}");
}

static enum frz_err dump_segment(struct frz_case *c, struct frz_decoder *d,
				 const struct frz_case_item *it, struct frz_fault *fault)
{
	const struct frz_case_segment *g = &it->segment;
	struct frz_record rec;
	const char *why = "";
	uint8_t *raw;
	enum frz_err err = frz_case_raw(c, &raw, fault);

	if (err != FRZ_OK)
		return err;
	err = frz_decoder_begin(d, raw, g);
	while (err == FRZ_OK) {
		err = frz_decoder_next(d, &rec, &why);
		if (err == FRZ_OK)
			dump_record(d, g, &rec);
	}
	free(raw);
	if (err != FRZ_END)
		return frz_fault_set(fault, err, it->block.index, g->frame_offset, "%s", why);
	return FRZ_OK;
}

static int dump(const char *path)
{
	struct frz_decoder *d = frz_decoder_new();
	struct frz_case_item it;
	struct frz_fault fault;
	struct frz_case *c;
	enum frz_err err = frz_case_open(path, 0, &c, &fault);

	if (err == FRZ_OK) {
		while ((err = frz_case_next(c, &it, &fault)) == FRZ_OK) {
			dump_block(&it);
			if (it.type == FRZ_SEGMENT)
				err = dump_segment(c, d, &it, &fault);
			if (err != FRZ_OK)
				break;
		}
		frz_case_close(c);
	}
	frz_decoder_free(d);
	if (err == FRZ_END)
		return 0;
	fprintf(stderr, "%s: block %ju at offset %ju: %s\n", path, (uintmax_t)fault.block,
		(uintmax_t)fault.offset, fault.what);
	return err == FRZ_E_UNSEALED ? 3 : 1;
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "make"))
		return make(argv[2]);
	if (argc == 3 && !strcmp(argv[1], "dump"))
		return dump(argv[2]);
	fputs("usage: golden make|dump FILE\n", stderr);
	return 2;
}
