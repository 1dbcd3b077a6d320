/*
 * bytes.c - tests of common/bytes.h: integers to bytes and back, hostile varints, bounds.
 */
#include "bytes.h"
#include "tap.h"

static const uint64_t values[] = {
	0,
	1,
	0x7f,
	0x80,
	0xff,
	0x3fff,
	0x4000,
	0xffff,
	0x10000,
	0x1fffff,
	0x200000,
	0xffffffff,
	0x100000000,
	0x7fffffffffffffff,
	0x8000000000000000,
	0xffffffffffffffff,
};
#define NVALUES (sizeof(values) / sizeof(values[0]))

static void fixed_width(void)
{
	uint8_t b[8];

	frz_put16(b, 0x1234);
	ok(b[0] == 0x34 && b[1] == 0x12 && frz_get16(b) == 0x1234, "16 bits, little end first");
	frz_put32(b, 0x89abcdef);
	ok(b[0] == 0xef && b[3] == 0x89 && frz_get32(b) == 0x89abcdef, "32 bits");
	frz_put64(b, 0xfedcba9876543210);
	ok(b[0] == 0x10 && b[7] == 0xfe && frz_get64(b) == 0xfedcba9876543210, "64 bits");
}

static void varints(void)
{
	bool same = true, shortest = true, cut = true, zig = true;

	for (size_t i = 0; i < NVALUES; i++) {
		uint8_t b[FRZ_VARINT_MAX];
		size_t n = frz_put_varint(b, values[i]), want = 1;
		struct frz_cur c = frz_cur_of(b, n);

		for (uint64_t v = values[i]; v >= 0x80; v >>= 7)
			want++;
		shortest = shortest && n == want;
		same = same && frz_take_varint(&c) == values[i] && !c.bad && c.p == c.end;
		for (size_t k = 0; k < n; k++) {
			c = frz_cur_of(b, k);
			cut = cut && frz_take_varint(&c) == 0 && c.bad && frz_cur_left(&c) == 0;
		}
		zig = zig && frz_zigzag(frz_unzigzag(values[i])) == values[i];
	}
	ok(same, "a varint reads back as what was written");
	ok(shortest, "in as few bytes as it can");
	ok(cut, "a varint cut anywhere is bad, and nothing is left then");
	ok(zig, "zigzag is one to one");
	ok(frz_zigzag(0) == 0 && frz_zigzag(-1) == 1 && frz_zigzag(1) == 2 &&
		   frz_zigzag(INT64_MIN) == UINT64_MAX,
	   "zigzag: small magnitudes are small numbers");
}

static bool refused(const uint8_t *p, size_t n)
{
	struct frz_cur c = frz_cur_of(p, n);

	return frz_take_varint(&c) == 0 && c.bad;
}

static void hostile_varints(void)
{
	static const uint8_t padded[] = { 0x80, 0x00 }, padded2[] = { 0xff, 0x80, 0x00 };
	static const uint8_t over[] = {
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02
	};
	static const uint8_t endless[] = { 0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
					   0x80, 0x80, 0x80, 0x80, 0x80, 0x00 };
	static const uint8_t largest[] = { 0xff, 0xff, 0xff, 0xff, 0xff,
					   0xff, 0xff, 0xff, 0xff, 0x01 };
	struct frz_cur c = frz_cur_of(largest, sizeof(largest));

	ok(refused(padded, sizeof(padded)), "a zero written in two bytes is refused");
	ok(refused(padded2, sizeof(padded2)), "padding is refused");
	ok(refused(over, sizeof(over)), "more than 64 bits are refused");
	ok(refused(endless, sizeof(endless)), "an eleventh byte is refused");
	ok(frz_take_varint(&c) == UINT64_MAX && !c.bad, "the largest number is not");
}

static void cursor(void)
{
	static const uint8_t b[4] = { 1, 2, 3, 4 };
	struct frz_cur c = frz_cur_of(b, sizeof(b));

	ok(frz_take(&c, 3) == b && frz_take8(&c) == 4 && !c.bad, "taking all of it");
	ok(frz_take8(&c) == 0 && c.bad, "and one more is bad");
	c = frz_cur_of(b, sizeof(b));
	ok(!frz_take(&c, UINT64_MAX) && c.bad, "a length beyond all memory is bad");
	ok(!frz_take(&c, 0) && frz_take8(&c) == 0, "bad stays bad");
}

static void buffer(void)
{
	uint8_t mem[12];
	struct frz_buf b = { .p = mem, .cap = 11 };

	mem[11] = 0x55;
	frz_buf_bytes(&b, "0123456789", 10);
	frz_buf_varint(&b, 0x80);
	ok(b.full && b.len == 10, "a varint that does not fit is not written at all");
	frz_buf_u8(&b, 1);
	ok(b.len == 10, "full stays full");
	b = (struct frz_buf){ .p = mem, .cap = 11, .len = 9 };
	frz_buf_varint(&b, 0x80);
	ok(!b.full && b.len == 11 && mem[9] == 0x80 && mem[10] == 1, "one that just fits is");
	frz_buf_u8(&b, 1);
	ok(b.full && mem[11] == 0x55, "nothing is written beyond the end");
}

static void sums(void)
{
	static const struct {
		int64_t a, b, sum;
	} rows[] = {
		{ 2, -3, -1 },
		{ INT64_MAX, 0, INT64_MAX },
		{ INT64_MAX, 1, INT64_MAX },
		{ INT64_MAX, INT64_MAX, INT64_MAX },
		{ INT64_MAX, INT64_MIN, -1 },
		{ INT64_MIN, -1, INT64_MIN },
		{ -1, INT64_MIN, INT64_MIN },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		is_int(frz_add(rows[i].a, rows[i].b), rows[i].sum,
		       "a sum stays within what there is");
	is_int(frz_i64(UINT64_MAX), INT64_MAX, "the largest number");
	is_int(frz_i64((uint64_t)INT64_MAX + 1), INT64_MAX, "one too large");
	is_int(frz_i64(INT64_MAX), INT64_MAX, "one that fits");
}

int main(void)
{
	fixed_width();
	varints();
	hostile_varints();
	cursor();
	buffer();
	sums();
	return tap_done();
}
