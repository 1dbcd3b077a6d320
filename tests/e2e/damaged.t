#!/usr/bin/env python3
# --allow-damaged: what of a damaged case can be read is read, on both sides of the damage; what is
# gone is counted; the state, case id and chain head go with everything that is made of it.
import html
import struct

from counting import *

need_ptrace()


def blocks(data):
    """(offset, type, offset of its frame, end) of each block of a case (docs/frz.5)."""
    at, out = 0, []
    while at < len(data):
        size = 8 + struct.unpack_from("<I", data, at + 4)[0]
        frame, field = 0, at + 72
        for _ in range(struct.unpack_from("<I", data, at + 64)[0]):
            key, kind, flags, length = struct.unpack_from("<HBBI", data, field)
            if key == 48:
                frame = struct.unpack_from("<Q", data, field + 8)[0]
            field += 8 + length
        out.append((at, data[at + 12], at + size, at + size + frame))
        at += size + frame
    return out


def case(name, data, tail=None):
    path = fresh(name) + "/c.frz"
    with open(path, "wb") as f:
        f.write(data)
    if tail:
        shutil.copy(tail, path + ".tail")
    return path


def query(path, what, *args):
    """Rows, where exit 1 is right."""
    r = fanalyze(path, "--allow-damaged", "--sql", what, "--format", "jsonl", *args)
    return [json.loads(line) for line in r.stdout.split("\n") if line]


def seqs(path):
    return [r["seq"] for r in query(path, "SELECT seq FROM timeline ORDER BY seq")]


def flipped(data, *offsets):
    data = bytearray(data)
    for o in offsets:
        data[o] ^= 4
    return bytes(data)


# A case of some segments, sealed, and how it was before, with its tail.
p, file = counting("d", 2)
f = attach([p.pid], tmp + "/live.frz", "-q")
wait_until(lambda: len(blocks(open(tmp + "/live.frz", "rb").read())) > 5, 40)
f.kill()
f.communicate()
p.kill()
whole_tail = tmp + "/live.frz.tail"
unsealed = open(tmp + "/live.frz", "rb").read()
shutil.copy(whole_tail, tmp + "/kept.tail")
frec("-q", "--recover", tmp + "/live.frz")
sealed = open(tmp + "/live.frz", "rb").read()
layout = blocks(sealed)
segments = [b for b in layout if b[1] == 2]
seal = next(b for b in layout if b[1] == 4)
ok(len(segments) >= 4, f"a case of {len(segments)} segments")
good = case("good", sealed)
every = [r["seq"] for r in rows(good, "SELECT seq FROM timeline ORDER BY seq")]
info = {r["key"]: r["value"] for r in rows(good, "SELECT * FROM case_info")}
r = fanalyze(good, "--export", "csv")
is_((r.returncode, r.stderr), (0, ""), "an export of a sealed case has nothing to say beside it")

second, third = segments[1], segments[2]
damage = {
    # name: (bytes, case id is known, tail)
    "a bit of a frame": (flipped(sealed, second[2] + 50), True, None),
    "a bit of a SEGMENT block": (flipped(sealed, second[0] + 100), True, None),
    "bits of two frames": (flipped(sealed, second[2] + 50, third[2] + 51), True, None),
    "a segment left out": (sealed[:second[0]] + sealed[second[3]:], True, None),
    "a page of zeros": (sealed[:second[0] - 100] + bytes(4096) + sealed[second[0] + 3996:], True, None),
    "a bit of GENESIS": (flipped(sealed, 90), False, None),
    "a bit of the SEAL": (flipped(sealed, seal[0] + 100), True, None),
    "cut in a frame": (sealed[:third[2] + 40], True, None),
    "a bit of a frame, not sealed, with its tail": (flipped(unsealed, second[2] + 50), True, tmp + "/kept.tail"),
    "a bit of a SEGMENT block, not sealed, with its tail": (flipped(unsealed, second[0] + 100), True, tmp + "/kept.tail"),
    "zeros behind the end, with its tail": (unsealed + bytes(4096), True, tmp + "/kept.tail"),
}
for name, (data, known, tail) in damage.items():
    c = case(name.replace(" ", "-"), data, tail)
    r = fanalyze(c, "--info")
    ok(r.returncode == 1 and len(r.stderr.strip().split("\n")) == 1 and re.search(r"block \d+, offset \d+", r.stderr) and
       not r.stdout and not os.path.exists(c[:-4] + ".sqlite"), f"{name}: refused, and where is said", r.returncode, r.stdout, r.stderr)
    got = seqs(c)
    ok(0 < len(got) <= len(every) and set(got) <= set(every) and len(set(got)) == len(got),
       f"  --allow-damaged reads {len(got)} of {len(every)} events")
    if "cut" not in name:
        ok(got[-1] == every[-1], "  past the damage", got[-1])
    before = os.stat(c[:-4] + ".sqlite").st_ino
    r = fanalyze(c, "--allow-damaged", "--info", "--format", "json")
    facts = {i["key"]: i["value"] for i in json.loads(r.stdout)}
    is_(r.returncode, 1, "  exit 1")
    is_(os.stat(c[:-4] + ".sqlite").st_ino, before, "  the database is used again")
    like(facts["verdict"], "^DAMAGED", "  case_info says it")
    is_(facts["state"], "damaged", "  in a word too")
    is_(facts["case_id"], info["case_id"] if known else "not known: its GENESIS cannot be read", "  with its id")
    if "cut" not in name:
        is_(int(facts["events_unreadable"]), len(every) - len(got), "  and how many events are gone")
        gone = query(c, "SELECT sum(count) AS n FROM coverage WHERE what = 'damaged, events unreadable'")[0]["n"] or 0
        is_(gone, len(every) - len(got), "  as coverage counts them")
    places = query(c, "SELECT detail FROM coverage WHERE what GLOB 'damaged*' AND detail GLOB '*block*offset*'")
    ok(places, "  coverage names each place", places)
    for args in (["--timeline", "--limit", "1"], ["--export", "csv"], ["--export", "strace"]):
        r = fanalyze(c, "--allow-damaged", *args)
        ok(r.returncode == 1 and all(facts[k] in r.stderr for k in ("verdict", "case_id", "chain_head")) and
           len(r.stderr.split("\n")) == 2, f"  {args[0]} says it beside its rows", r.returncode, r.stderr)
    like(r.stdout[:400], "^# DAMAGED", "  a strace export in front of them")
    page = tmp + "/page.html"
    fanalyze(c, "--allow-damaged", "--report", page)
    text = html.unescape(open(page).read())
    os.unlink(page)
    is_([k for k in ("verdict", "case_id", "chain_head") if facts[k] not in text], [], "  the report carries it")
    like(fanalyze(c, "--allow-damaged").stdout, r"state\s+DAMAGED", "  so does the summary")
    r = fanalyze(c, "--timeline")
    ok(r.returncode == 1 and not r.stdout, "  without --allow-damaged nothing is shown, whatever the database has")

# not sealed, not damaged: an export says so too
c = case("plain", unsealed, tmp + "/kept.tail")
r = fanalyze(c, "--export", "jsonl")
ok(r.returncode == 3 and "NOT SEALED" in r.stderr and info["case_id"] in r.stderr, "an export of a case that is not sealed says so", r.stderr)
done()
