#!/usr/bin/env python3
"""golden.t - the golden case of format version 1, read by two readers that share no code.

tests/golden/v1.frz never changes once version 1 is out; v1.jsonl is what it says. A reader
of today must read it as the reader of then did. Before that, GOLDEN_UPDATE=1 makes both anew
from golden.c (the case), fanalyze (its custody, by keys made for it and thrown away) and the C
reader (the dump): look at the difference as a diff.
"""
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile

here = os.path.dirname(os.path.abspath(__file__))
build = os.environ['BUILD']
golden = os.path.join(build, 'golden', 'golden')
reader = os.path.join(here, '..', 'reader', 'frzread.py')
case = os.path.join(here, 'v1.frz')
dump = os.path.join(here, 'v1.jsonl')
signers = os.path.join(here, 'v1.signers')
fanalyze = os.environ['FANALYZE']
count = failed = 0


def check(good, name, *why):
    global count, failed
    count += 1
    failed += not good
    print('%s %d - %s' % ('ok' if good else 'not ok', count, name))
    if not good:
        for line in why:
            print('#   ' + str(line)[:300])


def run(*args, **kw):
    return subprocess.run(args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **kw)


def lines(data):
    return [json.loads(line) for line in data.splitlines()]


def same(name, got, want):
    first = next((p for p in zip(got, want) if p[0] != p[1]), ('', ''))
    check(got == want, name, '%d lines, want %d' % (len(got), len(want)), *first)


def put_in_custody():
    """Signed by alice, released to bob, received by bob; their public keys stay."""
    tmp = tempfile.mkdtemp()
    with open(signers, 'w') as f:
        for who in ('alice@ir', 'bob@lab'):
            key = os.path.join(tmp, who)
            subprocess.check_call(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', who, '-f', key])
            with open(key + '.pub') as pub:
                f.write(who + ' ' + pub.read())
    alice, bob = (['--sign', os.path.join(tmp, who), '--as', who, '--quiet'] for who in ('alice@ir', 'bob@lab'))
    receipt = os.path.join(tmp, 'receipt')
    subprocess.check_call([fanalyze, case, *alice], stdout=subprocess.DEVNULL)
    subprocess.check_call([fanalyze, case, '--release', '--to', 'bob@lab', '--purpose', 'analysis',
                           '--authority', 'order 12/23', '--via', 'courier', '--place', 'Bonn', '--note',
                           'bag 4711', '--output', receipt, *alice])
    subprocess.check_call([fanalyze, case, '--receive', '--from', 'alice@ir', '--receipt', receipt, *bob],
                          stdout=subprocess.DEVNULL)
    shutil.rmtree(tmp)


if os.environ.get('GOLDEN_UPDATE') == '1':
    if os.path.exists(case):
        os.unlink(case)
    subprocess.check_call([golden, 'make', case])
    put_in_custody()
    with open(dump, 'wb') as f:
        subprocess.check_call([golden, 'dump', case], stdout=f)

with open(dump, 'rb') as f:
    want = lines(f.read())
with open(case, 'rb') as f:
    data = f.read()

first = run(golden, 'dump', case)
check(first.returncode == 0, 'the reader finds the golden case sealed and whole', first.stderr)
same('and reads what it says', lines(first.stdout), want)
second = run(sys.executable, reader, case)
check(second.returncode == 0, 'so does the second reader', second.stderr)
same('which reads the same', lines(second.stdout), want)

types = {line['record'] for line in want if 'record' in line}
check(types == {1, 2, 3, 4, 5, 6, 7, 0x80, 0x81, 0x7f, 0xbf, 0xff} | set(range(0xc0, 0xcc)),
      'it holds every type of record', sorted(types))
kinds = {a['kind'] for line in want for a in line.get('atts', [])}
check(kinds == set(range(1, 15)) | {300}, 'every kind of attachment', sorted(kinds))
blocks = [line['type'] for line in want if 'block' in line]
check(set(blocks) == {'GENESIS', 'SEGMENT', 'TICK', 'RECOVERY', 'SEAL', 'CUSTODY'},
      'every type of block', blocks)

# stock tools
check(run('zstd', '-tq', case).returncode == 0, 'zstd -t takes it')
raw = sum(line['fields']['raw-bytes'] for line in want if line.get('type') == 'SEGMENT')
out = run('zstd', '-dcq', case).stdout
check(len(out) == raw, 'zstd -dc yields as many bytes as the segments hold', len(out), raw)
seal = next(line for line in want if line.get('type') == 'SEAL')
prefix = run('sh', '-c', 'head -c %d "$1" | sha256sum' % seal['fields']['prefix-bytes'], 'sh', case)
check(prefix.stdout.decode().split()[0] == seal['fields']['prefix-sha256'],
      'head -c N | sha256sum is what the SEAL says')

# its custody is as good as on the first day
trusted = run(fanalyze, case, '--verify', '--require', 'sealed,signed', '--allowed-signers', signers)
check(trusted.returncode == 0 and b'In the custody of bob@lab' in trusted.stdout,
      'the golden case is in good custody', trusted.returncode, trusted.stdout, trusted.stderr)

# a case made today reads alike, whatever zstd made of it
fresh = os.path.join(build, 'golden', 'fresh.frz')
if os.path.exists(fresh):
    os.unlink(fresh)
check(run(golden, 'make', fresh).returncode == 0, 'the case can be made anew')
same('and says the same again, but for what depends on zstd',
     [line for line in lines(run(golden, 'dump', fresh).stdout) if 'record' in line],
     [line for line in want if 'record' in line])

# the second reader is strict as well: a changed bit in each block, and cuts
bad = os.path.join(build, 'golden', 'bad.frz')
missed = []
starts = [line['offset'] for line in want if 'block' in line] + [len(data)]
spots = [s + k for s in starts[:-1] for k in (1, 9, 20, 40, 70, 100)] + [s - 5 for s in starts[1:]]
for at in spots:
    changed = bytearray(data)
    changed[at] ^= 1 << at % 8
    with open(bad, 'wb') as f:
        f.write(changed)
    result = run(sys.executable, reader, '--events', bad)
    if result.returncode != 1 or b'offset' not in result.stderr:
        missed.append((at, result.returncode, result.stderr))
check(not missed, 'the second reader sees %d changed bits' % len(spots), *missed)
codes = []
for n in starts[1:-1]:
    with open(bad, 'wb') as f:
        f.write(data[:n])
    codes.append(run(sys.executable, reader, '--events', bad).returncode)
# behind the SEAL, leaving out custody entries is no damage to the case
custody = blocks.count('CUSTODY')
check(codes == [3] * (len(codes) - custody) + [0] * custody, 'and that a case is not sealed', codes)
with open(bad, 'wb') as f:
    f.write(data[:starts[3] + 10])
check(run(sys.executable, reader, bad).returncode == 1, 'or cut short')
os.unlink(bad)

print('1..%d' % count)
sys.exit(1 if failed else 0)
