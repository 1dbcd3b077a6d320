#!/usr/bin/env python3
"""frzread.py - a second reader of .frz cases, written from docs/frz.5 alone.

    frzread.py [--events] CASE      a JSON line for each block and record (only events)

Shares no code with frec or fanalyze; frames are decompressed by the stock zstd tool.
Checks links, hashes, order, numbers, times and totals. Exit codes: 0 sealed and whole,
1 damaged (one line on standard error names block and offset), 3 whole but not sealed.
"""
import hashlib
import json
import struct
import subprocess
import sys

MAGIC = 0x184D2A57
TYPES = {1: 'GENESIS', 2: 'SEGMENT', 3: 'TICK', 4: 'SEAL', 5: 'RECOVERY', 6: 'CUSTODY'}
U64, I64, BYTES, TEXT = 1, 2, 3, 4

# key: (name, type, exact length or None, blocks that need it, blocks that may have it)
G, S, T, E, R, C = 'GENESIS', 'SEGMENT', 'TICK', 'SEAL', 'RECOVERY', 'CUSTODY'
FIELDS = {
    1: ('case-id', BYTES, 16, [G], []),
    2: ('exhibit', TEXT, None, [], [G]),
    3: ('examiner', TEXT, None, [], [G]),
    4: ('note', TEXT, None, [], [G]),
    5: ('hostname', TEXT, None, [G], []),
    6: ('machine-id', TEXT, None, [G], []),
    7: ('boot-id', TEXT, None, [G, S, T, E, R], []),
    8: ('kernel', TEXT, None, [G], []),
    9: ('timezone', TEXT, None, [G], []),
    10: ('clock-state', TEXT, None, [G], []),
    11: ('uid', U64, 8, [G], []),
    12: ('argv', BYTES, None, [G], []),
    13: ('recorder', TEXT, None, [G], []),
    14: ('recorder-sha256', BYTES, 32, [G], []),
    15: ('tick-seconds', U64, 8, [G], []),
    16: ('records', TEXT, None, [G], []),
    17: ('snap', U64, 8, [G], []),
    18: ('capabilities', U64, 8, [G], []),
    19: ('euid', U64, 8, [G], []),
    20: ('origin-case-id', BYTES, 16, [], [G]),
    21: ('origin-head', BYTES, 32, [], [G]),
    22: ('origin-state', TEXT, None, [], [G]),
    23: ('origin-events', U64, 8, [], [G]),
    24: ('origin-recorder', TEXT, None, [], [G]),
    25: ('origin-recorder-sha256', BYTES, 32, [], [G]),
    26: ('extract-filter', TEXT, None, [], [G]),
    27: ('extract-rules-sha256', BYTES, 32, [], [G]),
    28: ('extract-left-out', TEXT, None, [], [G]),
    29: ('extract-real', U64, 8, [], [G]),
    32: ('mono', U64, 8, [G, T, E, R], []),
    33: ('real', U64, 8, [G, T, E, R], []),
    48: ('frame-bytes', U64, 8, [S], []),
    49: ('frame-sha256', BYTES, 32, [S], []),
    50: ('raw-bytes', U64, 8, [S], []),
    51: ('raw-sha256', BYTES, 32, [S], []),
    52: ('first-event', U64, 8, [S], []),
    53: ('events', U64, 8, [S, T, E, R], []),
    54: ('lost', U64, 8, [S, T, E, R], []),
    55: ('first-mono', U64, 8, [S], []),
    56: ('first-real', U64, 8, [S], []),
    57: ('last-mono', U64, 8, [S], []),
    58: ('last-real', U64, 8, [S], []),
    59: ('recovered', U64, 8, [], [S]),
    64: ('end-reason', TEXT, None, [E], []),
    65: ('segments', U64, 8, [E], []),
    66: ('ticks', U64, 8, [E], []),
    67: ('index', BYTES, None, [E], []),
    68: ('chain-head', BYTES, 32, [E], []),
    69: ('prefix-bytes', U64, 8, [E], []),
    70: ('prefix-sha256', BYTES, 32, [E], []),
    80: ('torn-bytes', U64, 8, [R], []),
    81: ('torn-sha256', BYTES, 32, [R], []),
    82: ('tail-bytes', U64, 8, [R], []),
    83: ('tail-sha256', BYTES, 32, [R], []),
    84: ('tail-events', U64, 8, [R], []),
    96: ('statement', TEXT, None, [C], []),
    97: ('signature', BYTES, None, [C], []),
}


class Damage(Exception):
    pass


def need(good, what):
    if not good:
        raise Damage(what)


class Cursor:
    """Reads bytes front to back; running out of them is damage."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def left(self):
        return len(self.data) - self.at

    def take(self, n):
        need(n <= self.left(), 'bytes are missing')
        self.at += n
        return self.data[self.at - n:self.at]

    def varint(self, limit=2**64 - 1):
        value = shift = 0
        while True:
            byte = self.take(1)[0]
            need(byte or not shift, 'a padded varint')
            value |= (byte & 0x7f) << shift
            shift += 7
            if byte < 0x80:
                break
        need(value <= limit, 'a number out of bounds')
        return value

    def signed(self):
        v = self.varint()
        return v >> 1 if not v & 1 else -(v >> 1) - 1


def latin(data):
    """Bytes as code points 0 to 255, so that nothing is lost."""
    return data.decode('latin-1')


# ---- blocks ----

class Block:
    def __init__(self, data, at):
        need(len(data) - at >= 104, 'a block is cut short')
        magic, size = struct.unpack_from('<II', data, at)
        need(magic == MAGIC, 'no block stands here')
        need(96 <= size <= (64 << 20) - 8, "a block's size is out of bounds")
        need(at + 8 + size <= len(data), 'a block is cut short')
        self.bytes = data[at:at + 8 + size]
        tag, version, kind, zeros, self.index, self.offset = struct.unpack_from(
            '<3sBB3sQQ', self.bytes, 8)
        self.prev = self.bytes[32:64]
        nfields, zero = struct.unpack_from('<II', self.bytes, 64)
        need(tag == b'frz', 'a skippable frame that is no block')
        need(version == 1, 'version %d' % version)
        self.link = self.bytes[-32:]
        need(hashlib.sha256(b'frz1-block\0' + self.bytes[:-32]).digest() == self.link,
             'the link is wrong')
        need(zeros == b'\0\0\0' and zero == 0, 'reserved bytes are not zero')
        need(kind in TYPES, 'an unknown type of block')
        need(nfields <= 64, 'too many fields')
        self.type = TYPES[kind]
        self.fields = self.read_fields(self.bytes[72:-32], nfields)

    def read_fields(self, data, count):
        fields, last, at = {}, -1, Cursor(data)
        for _ in range(count):
            key, kind, flags, size = struct.unpack('<HBBI', at.take(8))
            value = at.take(size)
            need(key > last, 'fields out of order')
            last = key
            need(flags in (0, 1), 'reserved flags of a field')
            need(U64 <= kind <= TEXT, 'a type of field that is none')
            need(kind > I64 or size == 8, 'a number that has not 8 bytes')
            need(kind != TEXT or b'\0' not in value, 'a NUL in a text')
            if key not in FIELDS:
                need(flags == 1, 'critical field %d is not known' % key)
                continue
            name, want, exact, must, may = FIELDS[key]
            need(flags == 0, 'field %s is critical' % name)
            need(kind == want, 'field %s has another type' % name)
            need(exact in (None, size), 'field %s has another length' % name)
            need(self.type in must + may, 'field %s does not belong here' % name)
            need(name != 'boot-id' or size <= 64, 'a boot id too long')
            fields[name] = (struct.unpack('<Q', value)[0] if kind == U64 else
                            latin(value) if kind == TEXT else value)
        need(not at.left(), 'bytes behind the fields')
        for name, _, _, must, _ in FIELDS.values():
            need(self.type not in must or name in fields, 'field %s is missing' % name)
        origin = [FIELDS[key][0] in fields for key in range(20, 30) if key != 27]
        need(all(origin) or not any(origin) and 'extract-rules-sha256' not in fields,
             'half an extract')
        return fields


# ---- records ----

class Segment:
    """The records of one segment and what they declare."""

    # of each class of types the number of token columns
    CLASSES = [(range(0x00, 0x03), 1), (range(0x03, 0x80), 6), (range(0x80, 0xc0), 7),
               (range(0xc0, 0x100), 1)]

    def __init__(self, raw, first_event, first_mono):
        head = Cursor(raw)
        n, records, len_g, len_d = (head.varint() for _ in range(4))
        lengths = [[head.varint() for _ in range(1 + tokens)] for _, tokens in self.CLASSES]
        self.types = head.take(records)
        self.columns = [[Cursor(head.take(n)) for n in row] for row in lengths]
        self.noise, self.gap_mid, self.dur_mid = head.take(2 * n), head.take(n), head.take(n)
        self.gap_high, self.dur_high = Cursor(head.take(len_g)), Cursor(head.take(len_d))
        need(not head.left(), 'bytes behind the planes')
        self.n, self.i = n, 0
        self.seq, self.mono = first_event, first_mono
        self.strings, self.files = [], []
        self.tables, self.bound = {}, {}

    def body(self, kind):
        """The next body of a record of this type, put together from its columns."""
        columns = next(columns for columns, (types, _) in zip(self.columns, self.CLASSES)
                       if kind in types)
        left = columns[0].varint(4 << 20)
        body = b''
        for column in columns[1:-1]:
            token = b''
            while len(token) < left and (not token or token[-1] >= 0x80):
                token += column.take(1)
            left -= len(token)
            body += token
        return body + columns[-1].take(left)

    def __iter__(self):
        for kind in self.types:
            need(kind, 'a record of type 0')
            body = Cursor(self.body(kind))
            out = {'record': kind}
            if 0x80 <= kind < 0xc0:
                out['seq'] = self.seq
                self.seq += 1
            if kind >= 0x80:
                out['mono'], out['dur'] = self.time()
            reader = READERS.get(kind)
            if reader:
                reader(self, body, out)
                need(not body.left(), 'bytes behind a record of type %d' % kind)
            else:
                out['body'] = body.data.hex()
            yield out
        need(not any(c.left() for columns in self.columns for c in columns),
             'columns are left over')
        need(self.i == self.n and not self.gap_high.left() and not self.dur_high.left(),
             'times are left over')

    def time(self):
        i = self.i
        need(i < self.n, 'times are missing')
        self.i += 1
        g = self.gap_high.varint(2**49 - 1)
        gap = (g >> 1) << 16 | self.gap_mid[i] << 8 | self.noise[2 * i]
        dur = self.dur_high.varint(2**48 - 1) << 16 | self.dur_mid[i] << 8 | self.noise[2 * i + 1]
        if g & 1:
            step = gap >> 1 if not gap & 1 else -(gap >> 1) - 1
            need(not 0 <= dur <= step, 'a needless crossing')
        else:
            step = gap + dur
            need(step < 2**63, 'a time beyond all clocks')
        self.mono = (self.mono + step) % 2**64
        need(dur <= self.mono, 'a call from before the clock')
        return self.mono, dur

    def text(self, c):
        n = c.varint(len(self.strings))
        return self.strings[n - 1] if n else ''

    def file_number(self, c):
        return c.varint(len(self.files))

    # declarations

    def string(self, c, out):
        data = c.take(c.left())
        need(len(data) <= 1 << 20, 'a string too long')
        need(len(self.strings) < 1 << 18, 'too many strings')
        self.strings.append(latin(data))
        out.update(number=len(self.strings), text=latin(data), true=len(data))

    def string_cut(self, c, out):
        true = c.varint()
        self.string(c, out)
        need(true == 0 or true >= out['true'], 'a cut string longer than whole')
        out['true'] = true

    def proc(self, c, out):
        out.update(pid=c.varint(2**32 - 1), ppid=c.varint(2**32 - 1), start=c.varint(),
                   uid=c.varint(2**32 - 1), comm=self.text(c), exe=self.text(c))

    def thread(self, c, out):
        out.update(tid=c.varint(2**32 - 1), pid=c.varint(2**32 - 1), table=c.varint(),
                   comm=self.text(c))
        self.tables[out['tid']] = out['table']

    def file(self, c, out):
        mask = c.varint()
        known = mask & 0xffff

        def u32():
            return c.varint(2**32 - 1)

        def moment():
            return [c.signed(), c.varint(999999999)]

        def sock():
            s = [c.varint(65535) for _ in range(3)]
            return s + [c.take(c.varint(65535)).hex(), c.take(c.varint(65535)).hex()]

        parts = [('path', lambda: self.text(c)), ('mode', u32), ('owner', lambda: [u32(), u32()]),
                 ('dev', lambda: [u32(), u32()]), ('ino', c.varint), ('size', c.varint),
                 ('mtime', moment), ('ctime', moment), ('btime', moment), ('mnt', c.varint),
                 ('nlink', u32), (None, lambda: None), ('rdev', lambda: [u32(), u32()]),
                 ('sock', sock), ('cookie', c.varint),
                 ('names', lambda: [self.text(c), self.text(c)])]
        values = {'mask': known}
        for bit, (name, read) in enumerate(parts):
            if known >> bit & 1:
                value = read()
                if name:
                    values[name] = value
        if mask >> 16:
            c.take(c.left())
        need(len(self.files) < 1 << 18, 'too many files')
        self.files.append(values)
        out.update(number=len(self.files), **values)

    def bind(self, c, out):
        out.update(table=c.varint(), fd=c.varint(2**31 - 1), instance=c.varint(),
                   file=self.file_number(c), how=c.varint(255), parent=c.varint(),
                   flags=c.signed(), position=c.signed())
        need(out['instance'], 'instance 0')
        self.bound[out['table'], out['fd']] = out['instance']

    def unbind(self, c, out):
        key = c.varint(), c.varint(2**31 - 1)
        out.update(table=key[0], fd=key[1], instance=self.bound.pop(key, 0))

    # calls

    def call(self, c, out):
        uring = out['record'] == 0x81
        out['tid'] = c.varint(2**32 - 1)
        nr = c.varint(2**32 - 1 if uring else 2**34 - 1)
        out['abi'], out['nr'] = (0, nr) if uring else (nr & 3, nr >> 2)
        out['flags'] = c.varint(7)
        if not out['flags'] & 1:
            out['ret'] = c.signed()
        mask = c.varint(63)
        out['args'] = {str(i): c.signed() for i in range(6) if mask >> i & 1}
        out['atts'] = []
        while c.left():
            tag = c.varint()
            need(8 <= tag < 2**34, 'an attachment of kind 0, or of none')
            value = Cursor(c.take(c.varint()))
            out['atts'].append(self.attachment(tag >> 3, tag & 7, value, out))
            need(not value.left(), 'bytes behind an attachment')

    def attachment(self, kind, slot, v, call):
        att = {'kind': kind, 'slot': slot}
        if kind == 1:
            implied = not v.left()
            instance = None if implied else v.varint()
            number = call.get('ret', -1) if slot == 6 else call['args'].get(str(slot), -1)
            if implied:
                need(slot == 6 and 'ret' in call or str(slot) in call['args'],
                     'an fd that is not there')
            if 0 <= number < 2**31:
                if implied:
                    instance = self.bound.get((self.tables.get(call['tid']), number), 0)
                att.update(fd=number, instance=instance)
            else:
                att.update(fd=-1, instance=0)
        elif kind == 2:
            att.update(fd=v.varint(2**31 - 1), instance=v.varint())
        elif kind in (3, 4, 5, 14):
            att['string'] = self.text(v)
        elif kind in (7, 8):
            att['file'] = self.file_number(v)
        elif kind == 10:
            att['strings'] = []
            while v.left():
                att['strings'].append(self.text(v))
        elif kind == 11:
            att['numbers'] = []
            while v.left():
                att['numbers'].append(v.signed())
        elif kind == 12:
            att['true'] = v.varint()
        else:
            need(kind != 13 or not v.left(), 'a fault with a value')
            att['bytes'] = v.take(v.left()).hex()
        return att

    # notes: checked, shown raw

    def note(self, shape):
        def read(c, out):
            out['body'] = c.data.hex()
            for part in shape:
                if part == 'v':
                    c.varint()
                elif part == 'i':
                    c.varint(2**32 - 1)
                elif part == 's':
                    self.text(c)
                elif part == 'f':
                    self.file_number(c)
                elif part == 'h':
                    c.take(32)
                else:
                    while c.left():
                        c.varint()
                        c.take(c.varint())
        return read


def note_of(shape):
    return lambda self, c, out: self.note(shape)(c, out)


READERS = {
    0x01: Segment.string, 0x02: Segment.string_cut, 0x03: Segment.proc, 0x04: Segment.thread,
    0x05: Segment.file, 0x06: Segment.bind, 0x07: Segment.unbind,
    0x80: Segment.call, 0x81: Segment.call,
    0xc0: note_of('vi*'), 0xc1: note_of('iiviv'), 0xc2: note_of('ivv'), 0xc3: note_of('ivv'),
    0xc4: note_of('ivvii'), 0xc5: note_of('ivvv'), 0xc6: note_of('iisvs'),
    0xc7: note_of('iisvvs'), 0xc8: note_of('vs'), 0xc9: note_of('ifvvvvv'), 0xca: note_of('iv'),
    0xcb: note_of('fh'),
}


# ---- the case ----

def check_frame_header(frame):
    need(len(frame) >= 6 and frame[:4] == b'\x28\xb5\x2f\xfd', 'no zstd frame')
    flags = frame[4]
    need(not flags & 0x18, 'reserved bits of the frame')
    need(not flags & 3, 'a dictionary')
    need(flags & 4, 'no checksum')
    need(flags >> 6 or flags & 0x20, 'no content size')
    need(flags & 0x20 or (8 + (frame[5] & 7)) << (frame[5] >> 3) + 7 <= 16 << 20, 'a window too large')


def leb128(v):
    out = bytearray()
    while v >= 0x80:
        out.append(v & 0x7f | 0x80)
        v >>= 7
    out.append(v)
    return bytes(out)


class Case:
    def __init__(self, data, emit):
        self.data, self.emit = data, emit
        self.at = self.blocks = self.segments = self.ticks = self.events = self.lost = 0
        self.prev, self.sealed, self.boot = bytes(32), False, None
        self.segment_end = self.tick_time = self.latest = self.last_segment = 0
        self.index = b''
        self.from_tail, self.extract = 0, False

    def read(self):
        while self.at < len(self.data):
            block = Block(self.data, self.at)
            f = block.fields
            need(block.index == self.blocks, 'index %d' % block.index)
            need(block.offset == self.at, 'the offset is wrong')
            need(block.prev == self.prev, 'it does not follow the block before')
            need((block.type == G) == (self.blocks == 0), 'GENESIS comes first, and once')
            need((block.type == C) == self.sealed, 'only CUSTODY follows the SEAL')
            shown = {k: v.hex() if isinstance(v, bytes) else v for k, v in f.items()}
            line = {'block': block.index, 'type': block.type, 'offset': block.offset,
                    'link': block.link.hex(), 'fields': shown}
            end = self.at + len(block.bytes)
            if block.type == G:
                self.boot = f['boot-id']
                self.extract = 'origin-case-id' in f
                need(f.get('origin-case-id') != f['case-id'], 'an extract of itself')
                self.segment_end = self.tick_time = self.latest = f['mono']
            elif block.type in (T, R, E):
                self.check_totals(block)
            if block.type == E:
                self.check_seal(block)
            self.emit(line)
            if block.type == S:
                end = self.segment(block, end)
            self.at, self.prev = end, block.link
            self.blocks += 1

    def check_totals(self, block):
        f = block.fields
        need(f['events'] == self.events, 'the number of events is wrong')
        need(f['lost'] >= self.lost, 'the number of lost events falls')
        self.lost = f['lost']
        if block.type == T:
            need(f['boot-id'] == self.boot, 'another boot')
            need(f['mono'] >= self.tick_time, 'ticks run backwards')
            self.tick_time = f['mono']
            self.ticks += 1
        if block.type == R:
            self.from_tail = f['tail-events']
        if block.type != T and f['boot-id'] == self.boot:
            need(f['mono'] >= self.latest, 'time runs backwards')
        if f['boot-id'] == self.boot:
            self.latest = max(self.latest, f['mono'])

    def check_seal(self, block):
        f = block.fields
        need(f['segments'] == self.segments, 'the number of segments is wrong')
        need(f['ticks'] == self.ticks, 'the number of ticks is wrong')
        need(f['index'] == self.index, 'the index is wrong')
        need(self.extract or not self.from_tail, 'events of the tail are missing')
        need(f['chain-head'] == self.prev, 'the chain head is wrong')
        need(f['prefix-bytes'] == self.at, 'the prefix is wrong')
        need(f['prefix-sha256'] == hashlib.sha256(self.data[:self.at]).digest(),
             "the prefix's hash is wrong")
        self.sealed = True

    def segment(self, block, at):
        f = block.fields
        need(f['boot-id'] == self.boot, 'another boot')
        need(f.get('recovered', 1) == 1, 'recovered is 1 or absent')
        need(f['first-event'] == self.events + 1, 'the first event is wrong')
        need(f['events'] <= f['raw-bytes'] // 2, 'more events than its bytes can hold')
        need(f['first-event'] < 2**63 and f['lost'] < 2**63, 'a number beyond all bounds')
        need(self.lost + f['lost'] < 2**64, 'a number beyond all bounds')
        need(f['last-mono'] >= f['first-mono'] >= self.segment_end, 'segments run backwards')
        need(f['frame-bytes'] <= 32 << 20 and f['raw-bytes'] <= 16 << 20, 'a segment too large')
        frame = self.data[at:at + f['frame-bytes']]
        need(len(frame) == f['frame-bytes'], 'a frame is cut short')
        need(hashlib.sha256(frame).digest() == f['frame-sha256'], "the frame's hash is wrong")
        check_frame_header(frame)
        raw = subprocess.run(['zstd', '-dcq'], input=frame, stdout=subprocess.PIPE,
                             check=True).stdout
        need(len(raw) == f['raw-bytes'], 'the raw size is wrong')
        need(hashlib.sha256(raw).digest() == f['raw-sha256'], "the content's hash is wrong")
        count = 0
        for record in Segment(raw, f['first-event'], f['first-mono']):
            count += 'seq' in record
            need(record.get('mono', 0) <= f['last-mono'], 'a record later than its segment')
            if 'mono' in record:
                record['real'] = (f['first-real'] + record['mono'] - f['first-mono']) % 2**64
            self.emit(record)
        need(count == f['events'], 'the number of events is wrong')
        self.index += leb128(self.at - self.last_segment) + leb128(count)
        self.last_segment = self.at
        self.segments += 1
        self.events += count
        if 'recovered' in f and not self.extract:
            need(count <= self.from_tail, 'more events from the tail than RECOVERY counts')
            self.from_tail -= count
        self.lost += f['lost']
        self.segment_end = f['last-mono']
        self.latest = max(self.latest, f['last-mono'])
        return at + len(frame)


def main(argv):
    only_events = '--events' in argv
    paths = [a for a in argv if not a.startswith('--')]
    if len(paths) != 1:
        print('usage: frzread.py [--events] CASE', file=sys.stderr)
        return 2
    with open(paths[0], 'rb') as f:
        data = f.read()

    def emit(line):
        if not only_events or 'seq' in line:
            print(json.dumps(line))

    case = Case(data, emit)
    try:
        need(data, 'the file is empty')
        case.read()
    except (Damage, subprocess.CalledProcessError) as error:
        print('%s: block %d at offset %d: %s' % (paths[0], case.blocks, case.at, error),
              file=sys.stderr)
        return 1
    return 0 if case.sealed else 3


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
