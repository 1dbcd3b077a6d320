/*
 * frz.h - the .frz case format, version 1: grammar, limits, numbers.
 * The manual is docs/frz.5; this header is what the code is built from.
 *
 *   case     := GENESIS { SEGMENT frame | TICK | RECOVERY } [ SEAL { CUSTODY } ]
 *   block    := head { field } link               a zstd skippable frame
 *   head     := magic:u32 size:u32 tag:"frz" version:u8 type:u8 zero:u8[3]
 *               index:u64 offset:u64 prev:u8[32] nfields:u32 zero:u32
 *   field    := key:u16 type:u8 flags:u8 len:u32 value:u8[len]
 *   link     := SHA-256( FRZ_LINK_DOMAIN || every byte of the block before the link )
 *   frame    := one ordinary zstd frame with checksum and content size, holding a
 *   segment  := plane lengths, then the planes R, N, A, B, G and D (segment.h)
 *
 * - All integers are little-endian. `size` counts the bytes after itself.
 * - Keys rise strictly within a block, so a field appears at most once.
 * - `prev` is the link of the block before; 32 zero bytes in GENESIS.
 * - A SEGMENT block names the size and SHA-256 of the frame behind it, so every
 *   byte of the file is under some hash and the links bind their order.
 * - There is no mutable header: the state of a case is found by reading it.
 */
#ifndef FRZ_H
#define FRZ_H

#include <stddef.h>
#include <stdint.h>

/* RFC 8878 skippable frame magics are 0x184D2A50..5F; pzstd uses ..50 and the
 * seekable format ..5E, so a case uses another. */
/* clang-format off */
#define FRZ_BLOCK_MAGIC   0x184D2A57u
#define FRZ_ZSTD_MAGIC    0xFD2FB528u
#define FRZ_VERSION       1
#define FRZ_LINK_DOMAIN   "frz1-block"      /* hashed with its terminating NUL */

#define FRZ_HASH_LEN      32
#define FRZ_HEAD_LEN      72                /* magic up to the first field */
#define FRZ_FIELD_HEAD    8
#define FRZ_BLOCK_MAX     (64u << 20)       /* head, fields and link; SEAL's index is the largest */
#define FRZ_FIELDS_MAX    64
#define FRZ_FRAME_MAX     (32u << 20)       /* compressed bytes of one segment */
#define FRZ_RAW_MAX       (16u << 20)       /* decompressed bytes of one segment */
#define FRZ_WINDOW_LOG_MAX 24
#define FRZ_RECORD_MAX    (4u << 20)        /* body of one record */
#define FRZ_STRING_MAX    (1u << 20)

enum frz_block_type {
	FRZ_GENESIS  = 1,
	FRZ_SEGMENT  = 2,
	FRZ_TICK     = 3,
	FRZ_SEAL     = 4,
	FRZ_RECOVERY = 5,
	FRZ_CUSTODY  = 6,
};

enum frz_field_type {
	FRZ_T_U64   = 1,        /* 8 bytes */
	FRZ_T_I64   = 2,        /* 8 bytes, two's complement */
	FRZ_T_BYTES = 3,
	FRZ_T_TEXT  = 4,        /* bytes without NUL; meant for people, not trusted to be UTF-8 */
};

#define FRZ_FIELD_ANCILLARY 0x01    /* a reader that does not know the key may skip the field */

enum frz_key {
	/* GENESIS */
	FRZ_K_CASE_ID         = 1,  /* bytes[16], random */
	FRZ_K_EXHIBIT         = 2,  /* text, optional; so are the next two */
	FRZ_K_EXAMINER        = 3,
	FRZ_K_NOTE            = 4,
	FRZ_K_HOSTNAME        = 5,  /* text */
	FRZ_K_MACHINE_ID      = 6,  /* text, empty when the host has none */
	FRZ_K_BOOT_ID         = 7,  /* text; in every block that tells a time */
	FRZ_K_KERNEL          = 8,  /* text, uname: sysname release version machine */
	FRZ_K_TIMEZONE        = 9,  /* text, e.g. "UTC+0000" */
	FRZ_K_CLOCK_STATE     = 10, /* text, from adjtimex(2) */
	FRZ_K_UID             = 11, /* u64, real uid of frec */
	FRZ_K_ARGV            = 12, /* bytes, NUL after each argument */
	FRZ_K_RECORDER        = 13, /* text, name and version */
	FRZ_K_RECORDER_SHA256 = 14, /* bytes[32], of /proc/self/exe */
	FRZ_K_TICK_SECONDS    = 15, /* u64, longest silence promised between blocks */
	FRZ_K_RECORDS         = 16, /* text, the syscalls recorded: a class list or names */
	FRZ_K_SNAP            = 17, /* u64, bytes of each buffer kept */
	FRZ_K_CAPABILITIES    = 18, /* u64, effective set of frec */
	FRZ_K_EUID            = 19, /* u64 */
	/* GENESIS of an extract: all of these but the rules, or none. The original's ... */
	FRZ_K_ORIGIN_CASE_ID  = 20, /* bytes[16] */
	FRZ_K_ORIGIN_HEAD     = 21, /* bytes[32], link of its last block */
	FRZ_K_ORIGIN_STATE    = 22, /* text: "sealed", "not sealed", "damaged" */
	FRZ_K_ORIGIN_EVENTS   = 23, /* u64 */
	FRZ_K_ORIGIN_RECORDER = 24, /* text; its RECORDER and RECORDER_SHA256, */
	FRZ_K_ORIGIN_RECORDER_SHA256 = 25,  /* bytes[32]; here these are the extractor's */
	FRZ_K_EXTRACT_FILTER  = 26, /* text, lines: what was asked for */
	FRZ_K_EXTRACT_RULES_SHA256 = 27,    /* bytes[32], of the rules of redaction; absent: none */
	FRZ_K_EXTRACT_LEFT_OUT = 28,        /* text, lines: what was left out, counted */
	FRZ_K_EXTRACT_REAL    = 29, /* u64, CLOCK_REALTIME when it was made */
	/* a moment: CLOCK_MONOTONIC and CLOCK_REALTIME read together, ns, with BOOT_ID. In
	 * GENESIS, TICK, SEAL, RECOVERY */
	FRZ_K_MONO            = 32, /* u64 */
	FRZ_K_REAL            = 33, /* u64 */
	/* SEGMENT */
	FRZ_K_FRAME_BYTES     = 48, /* u64 */
	FRZ_K_FRAME_SHA256    = 49, /* bytes[32] */
	FRZ_K_RAW_BYTES       = 50, /* u64 */
	FRZ_K_RAW_SHA256      = 51, /* bytes[32] */
	FRZ_K_FIRST_EVENT     = 52, /* u64, seq of the first event; the first of a case is 1 */
	FRZ_K_EVENTS          = 53, /* u64; in TICK, SEAL, RECOVERY: of all segments before */
	FRZ_K_LOST            = 54, /* u64, events known to be lost; there: total, never falls */
	FRZ_K_FIRST_MONO      = 55, /* u64, ns; base of the time deltas in the frame */
	FRZ_K_FIRST_REAL      = 56, /* u64, read together with FIRST_MONO */
	FRZ_K_LAST_MONO       = 57, /* u64, when the segment was closed, >= every time in it */
	FRZ_K_LAST_REAL       = 58, /* u64 */
	FRZ_K_RECOVERED       = 59, /* u64, 1: taken from the tail by recovery; absent otherwise */
	/* SEAL */
	FRZ_K_END_REASON      = 64, /* text: "targets exited", "signal SIGINT", "duration", ... */
	FRZ_K_SEGMENTS        = 65, /* u64 */
	FRZ_K_TICKS           = 66, /* u64 */
	FRZ_K_INDEX           = 67, /* bytes: per segment varint(block offset - previous one's)
	                             * varint(events) */
	FRZ_K_CHAIN_HEAD      = 68, /* bytes[32], = prev: link of the last block before the seal */
	FRZ_K_PREFIX_BYTES    = 69, /* u64, = offset of the SEAL block */
	FRZ_K_PREFIX_SHA256   = 70, /* bytes[32], of the file's first PREFIX_BYTES bytes */
	/* RECOVERY */
	FRZ_K_TORN_BYTES      = 80, /* u64, bytes cut off behind the last whole block */
	FRZ_K_TORN_SHA256     = 81, /* bytes[32], of those bytes; of nothing when 0 */
	FRZ_K_TAIL_BYTES      = 82, /* u64, committed bytes found in the tail */
	FRZ_K_TAIL_SHA256     = 83, /* bytes[32], of those bytes */
	FRZ_K_TAIL_EVENTS     = 84, /* u64, events taken from the tail */
	/* CUSTODY */
	FRZ_K_STATEMENT       = 96, /* text, the signed statement, exactly as signed */
	FRZ_K_SIGNATURE       = 97, /* bytes, armoured SSHSIG of the statement */
};

/* What library code returns. Iterators: < 0 an error, 0 an item, > 0 (FRZ_END) the end. */
enum frz_err {
	FRZ_OK          = 0,
	FRZ_END         = 1,    /* iterator: nothing more, and nothing wrong */
	FRZ_E_NOMEM     = -1,   /* malloc failed */
	FRZ_E_IO        = -2,   /* a system call failed; errno says which way */
	FRZ_E_NOT_FRZ   = -3,   /* does not begin like a case */
	FRZ_E_VERSION   = -4,   /* a version this code does not know */
	FRZ_E_TRUNCATED = -5,   /* ends in the middle of something */
	FRZ_E_CORRUPT   = -6,   /* contradicts its hashes, its counts or the format */
	FRZ_E_LIMIT     = -7,   /* a length over the limits above */
	FRZ_E_UNKNOWN   = -8,   /* a critical field or block type this version does not know */
	FRZ_E_SPACE     = -9,   /* the caller's buffer is too small */
	FRZ_E_UNSEALED  = -10,  /* whole up to its last byte, but there is no SEAL */
	FRZ_E_FOREIGN   = -11,  /* a tail file that belongs to another case */
};
/* clang-format on */

/* Where and what: filled by readers when they return < 0. */
struct frz_fault {
	enum frz_err err;
	uint64_t block;	 /* index of the block at fault */
	uint64_t offset; /* in the file, bytes */
	char what[200];	 /* one line, printable ASCII */
};

const char *frz_strerror(enum frz_err err); /* "truncated", "corrupt", ... never NULL */

#endif
