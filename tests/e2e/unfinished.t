#!/usr/bin/env python3
# A case that has no SEAL is read together with its tail, and neither is changed: after frec was
# killed under load, while frec writes, with --follow; the database goes on when the case does. A
# tail that is foreign, torn or a lie, a block that was not finished, a case that is damaged.
import hashlib
import random
import resource
import sqlite3

from counting import *

need_ptrace()
seed = int(os.environ.get("FREC_SEED", os.getpid()))
random.seed(seed)
diag("FREC_SEED =", seed)

VIEWS = ("timeline", "files_touched", "fd_bytes", "processes", "connections", "io_audit", "coverage", "observer")


def beside(case):
    return case[:-4] + ".sqlite"


def everything(db):
    """All rows of all views, by stock SQLite."""
    con = sqlite3.connect(f"file:{db}?mode=ro", uri=True)
    con.create_function("size", 1, str)
    all = {v: sorted(con.execute(f"SELECT * FROM {v}").fetchall(), key=repr) for v in VIEWS}
    con.close()
    return all


def differences(a, b):
    out = []
    for v in a:
        if a[v] != b[v]:
            gone, new = [r for r in a[v] if r not in b[v]], [r for r in b[v] if r not in a[v]]
            out += [f"{v}: {len(a[v])} rows, {len(b[v])} rows"] + [f"- {r}" for r in gone[:3]] + [f"+ {r}" for r in new[:3]]
    return out


def anew(case):
    """Everything, imported at once into another database."""
    db = f"{tmp}/anew.sqlite"
    if os.path.exists(db):
        os.unlink(db)
    r = fanalyze(case, "--info", "--db", db)
    if r.returncode not in (0, 1, 3):
        raise RuntimeError(r.stderr)
    return everything(db)


def info(case, *args):
    r = fanalyze(case, "--info", "--format", "json", *args)
    return r.returncode, {i["key"]: i["value"] for i in json.loads(r.stdout or "[]")}, r.stderr


def sums(*files):
    return [hashlib.sha256(open(f, "rb").read()).hexdigest() for f in files]


def copy(case, name):
    """Another place for a case and its tail."""
    to = f"{fresh(name)}/c.frz"
    shutil.copy(case, to)
    if os.path.exists(case + ".tail"):
        shutil.copy(case + ".tail", to + ".tail")
    return to


def kill(f, case):
    """SIGKILL, and until the guardian has put back the masks and let go of the tail."""
    def used():
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/maps") as maps:
                    if case + ".tail" in maps.read():
                        return True
            except OSError:
                pass
        return False

    f.kill()
    f.communicate()
    wait_until(lambda: not used())


def verify(case):
    r = fanalyze(case, "--verify", "--format", "json")
    return r.returncode, json.loads(r.stdout)


def append(file, data):
    with open(file, "ab") as f:
        f.write(data)


# ---- killed under load ----

def killed(rounds):
    """Returns the last case, as it was before it was recovered."""
    problems, from_tail, kept = [], 0, None
    for i in range(rounds):
        case = f"{fresh(f'killed{i}')}/c.frz"
        p, file = counting(f"k{i}", 1 + i % 3)
        f = attach([p.pid], case, "-q")
        if i % 2:       # it was looked at before
            fanalyze(case, "--info")
        before = counters(file)
        wait_until(lambda: all(n > before[t] + 10 for t, n in counters(file).items()))
        time.sleep(random.random() * 0.4)
        at_least = counters(file)
        kill(f, case)
        p.kill()
        p.wait()
        was = sums(case, case + ".tail")
        kept = copy(case, f"kept{i}")
        problems += [f"round {i}: {h}" for h in holes(case, at_least)]
        code, facts, err = info(case)
        told = int(facts.get("tail_events", 0))        # none, where a segment was written just before
        from_tail += told
        if code not in (1, 3) or facts.get("state") != "not sealed" or facts.get("tail") != "read":
            problems.append(f"round {i}: exit {code}, {facts} {err}")
        if not re.search("^NOT SEALED: the recorder ended without a seal, use frec --recover", facts.get("verdict", "")):
            problems.append(f"round {i}: verdict {facts.get('verdict')}")
        v = fanalyze(case, "--verify")
        if v.returncode != code or f"holds {f'{told:,}' if told else 'no'} more events" not in v.stdout:
            problems.append(f"round {i}: --verify: exit {v.returncode}: {v.stdout}")
        if sums(case, case + ".tail") != was:
            problems.append(f"round {i}: a file was changed by being read")
        first = everything(beside(case))
        r = frec("-q", "--recover", case)
        if r.returncode:
            problems.append(f"round {i}: --recover: exit {r.returncode}: {r.stderr}")
        code, facts, err = info(case)
        if code or facts["state"] != "sealed" or "tail" in facts:
            problems.append(f"round {i}: recovered: exit {code}, {facts} {err}")
        problems += [f"round {i}: recovered: {d}" for d in differences(first, everything(beside(case)))]
        problems += [f"round {i}: recovered, anew: {d}" for d in differences(first, anew(case))]
    ok(not problems, f"frec killed {rounds} times: every call of the target's own account is shown, the same after recovery",
       *problems[:12])
    ok(from_tail > 0, f"  {from_tail} of the events were in tails")
    return kept


kept = killed(40 if FULL else 5)


# ---- read again and again while frec writes ----

def growing():
    case = f"{fresh('growing')}/c.frz"
    script = f"cd {tmp}/growing; i=0; while :; do i=$((i+1)); echo $i >f$((i%7)); read x </etc/hostname; " \
             "test -e nothing$i; [ $((i%50)) = 0 ] && { cat f1 f2 >all; mv all all2; rm -f f3; }; done"
    p = start("/bin/sh", "-c", script)
    f = attach([p.pid], case, "-q")
    problems, seen, counts, nodes, states = [], [], [], set(), set()
    end = time.monotonic() + 7
    while time.monotonic() < end:
        r = fanalyze(case, "--info", "--format", "json")
        if r.returncode != 3:
            problems.append(f"exit {r.returncode}: {r.stderr}")
            break
        facts = {i["key"]: i["value"] for i in json.loads(r.stdout)}
        code, v = verify(case)
        if code != 3 or not v["being_written"] or not v["tail"]["readable"] or v["tail"]["unusable_bytes"]:
            problems.append(f"--verify: exit {code}, {v}")
        elif v["events"] + v["tail"]["events"] < int(facts["events"]):
            problems.append(f"--verify: {v['events']} and {v['tail']['events']} events, --info: {facts['events']}")
        states.add((facts["state"], facts["tail"]))
        nodes.add(os.stat(beside(case)).st_ino)
        con = sqlite3.connect(f"file:{beside(case)}?mode=ro", uri=True)
        now = con.execute("SELECT * FROM timeline ORDER BY seq").fetchall()
        con.close()
        if [t[0] for t in now] != list(range(1, len(now) + 1)):
            problems.append(f"{len(now)} rows that are not numbered 1 to {len(now)}")
        if now[:len(seen)] != seen:
            problems.append(f"{len(seen)} rows became {len(now)}, and others")
        counts.append(len(now) - len(seen))
        seen = now
        time.sleep(0.1)
    code, out, err = stop(f)
    p.kill()
    is_(code, 0, "a case is read while it is written, then sealed")
    ok(not problems, f"  {len(counts)} times: {len(seen)} rows, none changed, none twice, none missing", *problems[:6])
    ok(sum(n > 0 for n in counts) > len(counts) / 2, "  nearly each time with more of them", counts,
       one(case, "SELECT COUNT(*) FROM timeline"))
    is_(states, {("being written", "read")}, "  and it is said that it is being written")
    code, facts, err = info(case)
    is_((code, facts["state"]), (0, "sealed"), "  at the end that it is sealed")
    nodes.add(os.stat(beside(case)).st_ino)
    is_(len(nodes), 1, "  the database was gone on with all the time")
    bad = differences(anew(case), everything(beside(case)))
    ok(not bad, "  and is what it would be if it had been imported at once", *bad)


growing()


# ---- --follow ----

def following():
    case = f"{fresh('following')}/c.frz"
    go = tmp + "/go"
    os.mkfifo(go)
    target = start("/bin/sh", "-c", f"cd {tmp}/following; while read w; do echo $w > file-$w; done < {go}")
    fifo = open(go, "w", buffering=1)
    rec = attach([target.pid], case, "-q")
    f = start(FANALYZE, case, "--follow", "--format", "jsonl", "--path", "*file-*")
    os.set_blocking(f.stdout.fileno(), False)
    text, took = "", []

    def more():
        try:
            return os.read(f.stdout.fileno(), 1 << 20).decode()
        except BlockingIOError:
            return ""

    def printed(word):
        nonlocal text
        text += more()
        return f"file-{word}" in text

    time.sleep(1)
    for word in ("one", "two", "three", "four"):
        begin = time.monotonic()
        fifo.write(word + "\n")
        if wait_until(lambda: printed(word), 20):
            took.append(time.monotonic() - begin)
        if word == "two":       # another one brings the database up to date
            for _ in range(3):
                fanalyze(case, "--info")
                fifo.write(f"{word}-{_}\n")
        time.sleep(0.3)
    is_(len(took), 4, "--follow shows what is still in the tail")
    ok(took and sorted(took)[len(took) // 2] < SLOW, "  within a second", took)
    kill(rec, case)
    try:
        f.wait(timeout=20)
    except subprocess.TimeoutExpired:
        pass
    text += more()
    is_(f.returncode, 3, "  and ends with 3 when frec is killed")
    like(f.stderr.read(), "ended without a seal: use frec --recover", "  saying so")
    fifo.close()
    target.kill()
    lines = [json.loads(line) for line in text.split("\n") if line]
    want = [json.loads(line) for line in
            fanalyze(case, "--timeline", "--format", "jsonl", "--path", "*file-*").stdout.split("\n") if line]
    by_seq = lambda rows: sorted(rows, key=lambda r: r["seq"])
    ok(len(want) >= 4 and by_seq(lines) == by_seq(want), f"  each of {len(want)} rows once", len(lines))
    frec("-q", "--recover", case)
    is_(by_seq(rows(case, "SELECT * FROM timeline WHERE path GLOB '*file-*'")), by_seq(want), "  which are those of the recovered case")


following()


# ---- tails that are not what they should be ----

def limited():
    """Whatever a file claims, there is no more than this to be had."""
    if not os.environ.get("SANITIZE"):
        resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))


def seqs(case):
    return [r["seq"] for r in rows(case, "SELECT seq FROM timeline ORDER BY seq")]


def odd_tails():
    full = seqs(kept)
    tail = open(kept + ".tail", "rb").read()
    whole = open(kept, "rb").read()
    bare = copy(kept, "bare")
    os.unlink(bare + ".tail")
    code, facts, err = info(bare)
    is_((code, facts["tail"], facts["tail_events"]), (3, "none", "0"), "no tail: exit 3, and it is said")
    like(facts["verdict"], "no tail lies beside it", "  in the verdict too")
    blocks = seqs(bare)
    ok(blocks == full[:len(blocks)] and len(blocks) < len(full), f"  {len(blocks)} of {len(full)} events are in blocks")

    # what the tail gave goes when the tail goes, and comes back with it
    code, facts, err = info(kept)
    os.rename(kept + ".tail", kept + ".away")
    is_(seqs(kept), blocks, "a tail that is gone: its rows go too")
    os.rename(kept + ".away", kept + ".tail")
    is_(seqs(kept), full, "  and are there again with it")

    other, file = counting("other", 1)
    f = attach([other.pid], tmp + "/other.frz", "-q")
    time.sleep(0.5)
    kill(f, tmp + "/other.frz")
    other.kill()
    committed = [int.from_bytes(tail[a + 64:a + 72], "little") for a in (69632, 69632 + 4096 + (2 << 20))]
    at = 69632 + 4096 if committed[0] else 69632 + 4096 + (2 << 20) + 4096
    torn = bytearray(tail)
    torn[at + max(committed) // 2 if len([c for c in committed if c]) == 1 else at + 5000] ^= 0x10
    sizes = bytearray(tail)
    sizes[12:16] = b"\0\0\0\xff"
    odd = {
        "another case's tail": (open(tmp + "/other.frz.tail", "rb").read(), "belongs to another case", False),
        "a torn tail": (bytes(torn), "CANNOT be had", True),
        "a tail cut short": (tail[:len(tail) // 2], "shorter than its head", False),
        "a tail of 10 bytes": (tail[:10], "NOT read", False),
        "an empty tail": (b"", "NOT read", False),
        "a tail of zeros": (bytes(len(tail)), "NOT read: not a tail", False),
        "noise": (random.randbytes(len(tail)), "NOT read", False),
        "a tail that claims 4 GiB": (bytes(sizes), "NOT read", False),
    }
    for name, (data, says, some) in odd.items():
        c = copy(kept, name.replace(" ", "-"))
        with open(c + ".tail", "wb") as t:
            t.write(data)
        was = sums(c, c + ".tail")
        r = fanalyze(c, "--info", "--format", "json", preexec_fn=limited)
        facts = {i["key"]: i["value"] for i in json.loads(r.stdout or "[]")}
        is_(r.returncode, 3, f"{name}: exit 3")
        like(facts.get("verdict", r.stderr), says, "  and it is said")
        got = seqs(c)
        ok(got == full[:len(got)] and (len(got) == len(blocks) or some) and len(got) >= len(blocks),
           f"  {len(got)} events, none that is not so", len(blocks), len(full))
        code, v = verify(c)
        n = len(got) - len(blocks)
        is_((code, v["being_written"], v["events"], v["tail"]["events"]), (3, False, len(blocks), n), "  --verify: exit 3, and the same")
        ok(v["tail"]["why"] and v["tail"]["why"] in fanalyze(c, "--verify").stdout, "  and why", v["tail"])
        is_(sums(c, c + ".tail"), was, "  nothing is changed")
    c = copy(bare, "fifo")
    os.mkfifo(c + ".tail")
    r = fanalyze(c, "--info", timeout=20)
    ok(r.returncode == 3 and "NOT read" in r.stdout, "a FIFO as tail is not waited for", r.returncode, r.stdout)
    c = copy(bare, "folder")
    os.mkdir(c + ".tail")
    r = fanalyze(c, "--info")
    ok(r.returncode == 3 and "NOT read" in r.stdout, "a folder as tail", r.returncode, r.stdout)

    # the tail was believed, and then it was torn before frec --recover could use it
    c = copy(kept, "torn-later")
    is_(seqs(c), full, "a tail that is read,")
    with open(c + ".tail", "wb") as t:
        t.write(torn)
    frec("-q", "--recover", c)
    got = seqs(c)
    ok(got == full[:len(got)] and len(got) < len(full), f"  torn before it is recovered: the rows are those {len(got)} that are left")
    bad = differences(anew(c), everything(beside(c)))
    ok(not bad, "  as if imported at once", *bad)

    # frec, or its recovery, killed in the middle of a block
    recovered = copy(kept, "recovered")
    frec("-q", "--recover", recovered)
    rest = open(recovered, "rb").read()[len(whole):]
    for n in (1, 100, len(rest) // 2, len(rest) - 1):
        c = copy(kept, f"unfinished-block-{n}")
        append(c, rest[:n])
        code, facts, err = info(c)
        v = fanalyze(c, "--verify")
        ok(v.returncode == code and re.search(r"holds [\d,]+ more events|frec --recover", v.stdout), f"{n} bytes of another append: --verify",
           v.returncode, v.stdout)
        ok(code in (1, 3) and re.search("last block was not finished|whole to its last byte", facts.get("verdict", "")) and seqs_any(c) == full,
           "  nothing is missing", code, facts, err)
        r = frec("-q", "--recover", c)
        ok(r.returncode == 0 and seqs(c) == full, "  nor after recovery", r.stderr)
    c = copy(bare, "cut")
    append(c, rest[:100])
    r = fanalyze(c, "--info")
    ok(r.returncode == 1 and "truncated" in r.stderr, "the same without a tail: truncated, exit 1", r.returncode, r.stderr)
    c = copy(kept, "cut-before")
    with open(c, "r+b") as f:
        f.truncate(len(whole) // 2 - 17)
    r = fanalyze(c, "--info")
    ok(r.returncode == 1 and "truncated" in r.stderr, "cut in front of what the tail has: truncated, exit 1", r.returncode, r.stderr)


def seqs_any(case):
    """seqs, where exit 1 is right too."""
    r = fanalyze(case, "--sql", "SELECT seq FROM timeline ORDER BY seq", "--format", "csv")
    return [int(line) for line in r.stdout.split("\n")[1:] if line]


odd_tails()
done()
