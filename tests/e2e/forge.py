"""forge.py - a case taken apart and put together again with every hash made right: what somebody
does who can rewrite the file. Knows blocks, not records; shares no code with frec.
"""
import hashlib
import struct
import subprocess

GENESIS, SEGMENT, TICK, SEAL, RECOVERY, CUSTODY = range(1, 7)
FRAME_BYTES, FRAME_SHA, RAW_BYTES, RAW_SHA, EVENTS = 48, 49, 50, 51, 53
INDEX, CHAIN_HEAD, PREFIX_BYTES, PREFIX_SHA = 67, 68, 69, 70
STATEMENT, SIGNATURE = 96, 97


def varint(v):
    out = b""
    while v >= 0x80:
        out += bytes([v & 0x7f | 0x80])
        v >>= 7
    return out + bytes([v])


def u64(v):
    return struct.pack("<Q", v)


class Block:
    def __init__(self, kind, fields, frame=b""):
        self.kind, self.fields, self.frame = kind, fields, frame    # fields: {key: (type, value)}

    def set(self, key, value):
        kind = self.fields[key][0] if key in self.fields else 3
        self.fields[key] = (kind, u64(value) if isinstance(value, int) else value)

    def get(self, key):
        return self.fields[key][1]

    def number(self, key):
        return struct.unpack("<Q", self.get(key))[0]


class Case:
    def __init__(self, data):
        self.blocks, at = [], 0
        self.extra_index = b""      # behind the right entries of the SEAL's index; None: the last is left out
        while at < len(data):
            size, = struct.unpack_from("<I", data, at + 4)
            kind, n = data[at + 12], struct.unpack_from("<I", data, at + 64)[0]
            fields, p = {}, at + 72
            for _ in range(n):
                key, ftype, _, length = struct.unpack_from("<HBBI", data, p)
                fields[key] = (ftype, data[p + 8:p + 8 + length])
                p += 8 + length
            at += 8 + size
            b = Block(kind, fields)
            if kind == SEGMENT:
                b.frame = data[at:at + b.number(FRAME_BYTES)]
                at += len(b.frame)
            self.blocks.append(b)

    def build(self, upto=None):
        """The whole file, or what stands in front of block `upto`; also sets .links, .begins."""
        out, prev, index, last, before_last = b"", bytes(32), b"", 0, b""
        self.links, self.begins = [], []
        for i, b in enumerate(self.blocks):
            if i == upto:
                break
            self.begins.append(len(out))
            if b.kind == SEGMENT:
                b.set(FRAME_BYTES, len(b.frame))
                b.set(FRAME_SHA, hashlib.sha256(b.frame).digest())
                before_last = index
                index += varint(len(out) - last) + varint(b.number(EVENTS))
                last = len(out)
            if b.kind == SEAL:
                b.set(INDEX, before_last if self.extra_index is None else index + self.extra_index)
                b.set(CHAIN_HEAD, prev)
                b.set(PREFIX_BYTES, len(out))
                b.set(PREFIX_SHA, hashlib.sha256(out).digest())
            fields = b"".join(struct.pack("<HBBI", k, t, 0, len(v)) + v
                              for k, (t, v) in sorted(b.fields.items()))
            body = (b"frz\1" + bytes([b.kind, 0, 0, 0]) + u64(i) + u64(len(out)) + prev +
                    struct.pack("<II", len(b.fields), 0) + fields)
            block = struct.pack("<II", 0x184D2A57, len(body) + 32) + body
            prev = hashlib.sha256(b"frz1-block\0" + block).digest()
            self.links.append(prev)
            out += block + prev + b.frame
        return out

    def segments(self):
        return [b for b in self.blocks if b.kind == SEGMENT]

    def custody(self):
        return [b for b in self.blocks if b.kind == CUSTODY]

    def add_custody(self, statement, signature):
        self.blocks.append(Block(CUSTODY, {STATEMENT: (4, statement), SIGNATURE: (3, signature)}))


def raw(segment):
    return subprocess.run(["zstd", "-dcq"], input=segment.frame, stdout=subprocess.PIPE, check=True).stdout


def set_raw(segment, data, tmp):
    """Another content for a segment, compressed as the format wants it."""
    with open(tmp, "wb") as f:
        f.write(data)
    segment.frame = subprocess.run(["zstd", "-qc", "-3", tmp], stdout=subprocess.PIPE, check=True).stdout
    segment.set(RAW_BYTES, len(data))
    segment.set(RAW_SHA, hashlib.sha256(data).digest())
