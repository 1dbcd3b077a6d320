"""counting.py - targets that count by calls and know how far they got (tests/targets/counter.c),
and what a case must hold of their counting."""
import struct

from lib import *


def counters(file):
    """{tid: calls that returned}"""
    with open(file, "rb") as f:
        data = f.read()
    pairs = struct.iter_unpack("<QQ", data)
    return {tid: n for tid, n in pairs if tid}


def counting(name, threads):
    """Starts a counter: (process, file of its account)."""
    file = f"{tmp}/{name}.counters"
    p = start(f"{BUILD}/targets/counter", file, str(threads))
    wait_until(lambda: os.path.exists(file) and len(counters(file)) == threads)
    return p, file


def all_traced(f, file):
    """Waits until the recorder f has every thread, and not only the first."""
    return wait_until(lambda: all(tracer_of(tid) == f.pid for tid in counters(file)), 30, every=0.002)


def alive(p, file):
    """It runs, nobody traces it, and every thread gets on."""
    before = counters(file)
    return (p.poll() is None and wait_until(lambda: tracer_of(p.pid) == 0) and
            wait_until(lambda: all(n > before[t] for t, n in counters(file).items())))


def holes(case, at_least):
    """What is wrong with the counting in a case, a line each."""
    problems = []
    got = {r["tid"]: r for r in rows(case, "SELECT tid, COUNT(*) AS n, MIN(ret) AS lo, MAX(ret) AS hi "
                                           "FROM timeline WHERE syscall = 'lseek' AND ret > 0 GROUP BY tid")}
    for tid, n in at_least.items():
        r = got.get(tid)
        if not r:
            problems.append(f"{tid}: not in the case, {n} calls had returned")
        elif r["n"] != r["hi"] - r["lo"] + 1:
            problems.append(f"{tid}: {r['n']} calls from {r['lo']} to {r['hi']}")
        elif r["hi"] < n:
            problems.append(f"{tid}: the case ends with {r['hi']}, {n} calls had returned")
    return problems
