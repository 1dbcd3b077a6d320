#!/usr/bin/env python3
"""verify.t - `fanalyze --verify` as a user meets it, and the second reader against fanalyze.

The exhaustive changes are tests/tamper's; here a sample of them goes through the program.
"""
import hashlib
import random
import sys

from lib import *

golden = HERE + "/tests/golden/v1.frz"
reader = HERE + "/tests/reader/frzread.py"
with open(golden, "rb") as f:
    whole = f.read()
with open(HERE + "/tests/golden/v1.jsonl") as f:
    lines = [json.loads(line) for line in f]
blocks = [line for line in lines if "block" in line]
begins = [b["offset"] for b in blocks] + [len(whole)]
seal = next(b for b in blocks if b["type"] == "SEAL")


def case(data, name="case.frz"):
    path = tmp + "/" + name
    with open(path, "wb") as f:
        f.write(data)
    return path


def verify(path, *args):
    return fanalyze(path, "--verify", *args)


def verdict(path, *args):
    r = fanalyze(path, "--verify", "--format", "json", *args)
    return r.returncode, json.loads(r.stdout)


# ---- a good case ----

good = case(whole)
before = os.stat(good)
r = verify(good)
is_(r.returncode, 0, "a sealed case: exit 0")
like(r.stdout, r"^\S+case\.frz: intact and sealed\n", "and says so first")
for word in (seal["link"], blocks[-1]["link"], seal["fields"]["prefix-sha256"], "EX-7", "suspect"):
    ok(word in r.stdout, f"names {word[:16]}", r.stdout)
like(r.stdout, r"Not signed|NOT checked", "says that nobody vouches for it")
ok(all(len(line) <= 100 for line in r.stdout.splitlines() if tmp not in line), "within 100 columns")
command = re.search(r"head -c \d+ \S+ \| sha256sum", r.stdout)
ok(command and subprocess.run(command[0], shell=True, stdout=subprocess.PIPE, text=True)
   .stdout.split()[0] == seal["fields"]["prefix-sha256"], "the command that it gives confirms it", r.stdout)
code, v = verdict(good)
ok(code == 0 and v["exit"] == 0 and v["verdict"] == "intact" and v["sealed"] and not v["faults"],
   "as JSON too", v)
is_([v["chain_head"], v["seal"], v["blocks"], v["segments"], v["events"], v["events_read"], v["lost"]],
    [blocks[-1]["link"], seal["link"], len(blocks), 3, seal["fields"]["events"],
     seal["fields"]["events"], 3], "with the same numbers as the second reader")
after = os.stat(good)
ok((before.st_mtime_ns, before.st_size, before.st_mode) ==
   (after.st_mtime_ns, after.st_size, after.st_mode) and open(good, "rb").read() == whole,
   "the case is as it was")

# ---- the second reader and fanalyze see the same events ----

theirs = subprocess.run([sys.executable, reader, "--events", good], stdout=subprocess.PIPE, text=True)
theirs = [json.loads(line) for line in theirs.stdout.splitlines()]
calls = [e for e in theirs if e["record"] in (0x80, 0x81)]
ours = json.loads(fanalyze(good, "--sql", "SELECT seq, ts_ns, dur_ns, tid, ret, abi FROM timeline "
                           "ORDER BY seq", "--format", "json").stdout)
abi = ["x86_64", "i386", "x32", "aarch64"]
want = [{"seq": e["seq"], "ts_ns": e["real"] - e["dur"], "dur_ns": e["dur"], "tid": e["tid"],
         "ret": e.get("ret"), "abi": abi[e["abi"]] if e["record"] == 0x80 else None} for e in calls]
is_(ours, want, f"the second reader and fanalyze agree on {len(want)} events")

# ---- not sealed, cut, changed ----

unsealed = case(whole[:seal["offset"]], "unsealed.frz")
r = verify(unsealed)
is_(r.returncode, 3, "without its SEAL: exit 3")
like(r.stdout, r"Intact to event \d+ at 20\d\d-", "intact, to an event and a time")
like(r.stdout, r"Nothing can be said after that", "and what cannot be said")
like(r.stdout, r"No tail lies beside it", "its tail is missed")
open(unsealed + ".tail", "wb").close()
r = verify(unsealed)
like(r.stdout, r"A tail lies beside it that cannot be read", "or found to be none")
is_(r.returncode, 3, "which changes nothing for the case: exit 3")
os.unlink(unsealed + ".tail")
is_(verify(unsealed, "--require", "sealed").returncode, 3, "--require sealed: exit 3")

wrong = []
for n in list(range(1, 1500, 97)) + [s + k for s in begins[1:-1] for k in (1, 50)]:
    if n in begins:
        continue
    code, v = verdict(case(whole[:n], "cut.frz"))
    if code != 1 or not v["faults"] or v["faults"][0]["block"] != sum(s <= n for s in begins) - 1:
        wrong.append((n, code, v["faults"]))
ok(not wrong, "cut: exit 1, and where", *wrong)

rng = random.Random(5)
wrong = []
for _ in range(60):
    at = rng.randrange(len(whole))
    data = bytearray(whole)
    data[at] ^= 1 << rng.randrange(8)
    r = verify(case(data, "changed.frz"))
    block = sum(s <= at for s in begins) - 1
    if r.returncode != 1 or f"block {block} at offset " not in r.stdout:
        wrong.append((at, r.returncode, r.stdout[-300:]))
ok(not wrong, "60 changed bits: exit 1, block and offset named", *wrong)

data = bytearray(whole)
for b in (1, 3):
    data[begins[b] + 380] ^= 1
code, v = verdict(case(data, "two.frz"))
is_([(f["block"], f["error"]) for f in v["faults"]], [(1, "corrupt"), (3, "corrupt")],
    "one run names all damage")
ok(v["intact_to"]["blocks"] == 1 and v["intact_to"]["event"] == 0, "but what is intact ends at the first", v)

# ---- zstd's opinion of what is refused ----

tricks = {
    "a segment left out": whole[:begins[1]] + whole[begins[2]:],
    "two segments exchanged": whole[:begins[1]] + whole[begins[3]:begins[4]] + whole[begins[2]:begins[3]] +
                              whole[begins[1]:begins[2]] + whole[begins[4]:],
    "a block doubled": whole[:begins[3]] + whole[begins[2]:],
    "a skippable frame put in": whole[:begins[2]] + b"\x50\x2a\x4d\x18\0\0\0\0" + whole[begins[2]:],
    "a skippable frame behind the end": whole + b"\x57\x2a\x4d\x18\0\0\0\0",
}
for name, data in tricks.items():
    path = case(data, "trick.frz")
    r = verify(path)
    z = subprocess.run(["zstd", "-tq", path]).returncode
    ok(r.returncode == 1 and z == 0, f"{name}: zstd -t takes it, --verify does not", r.returncode, z, r.stdout)

# ---- anchors ----

for name, head in (("the seal", seal["link"]), ("the last block's link", blocks[-1]["link"].upper())):
    r = verify(good, "--expect-head", head, "--require", "anchored,sealed")
    ok(r.returncode == 0 and "--expect-head" in r.stdout, f"--expect-head with {name}: exit 0", r.stdout)
r = verify(good, "--expect-head", blocks[2]["link"])
ok(r.returncode == 0 and "behind block 2 is not anchored" in r.stdout, "with an earlier one: exit 0, and how far",
   r.stdout)
is_(verify(good, "--expect-head", blocks[2]["link"], "--require", "anchored").returncode, 1,
    "but that is not anchored: exit 1")
r = verify(good, "--expect-head", hashlib.sha256(b"x").hexdigest())
ok(r.returncode == 1 and "NO BLOCK" in r.stdout, "with another: exit 1", r.stdout)
r = verify(case(whole[:begins[3]], "cut.frz"), "--expect-head", blocks[4]["link"])
is_(r.returncode, 1, "a case that is not sealed, cut behind a block, and its later head: exit 1")
is_(verify(good, "--expect-head", "abc").returncode, 2, "a head that is none: exit 2")
is_(verify(good, "--require", "anchored").returncode, 2, "--require anchored without an anchor: exit 2")
is_(verify(good, "--require", "blessed").returncode, 2, "--require with another word: exit 2")
is_(verify(good, "--require", "signed").returncode, 4, "--require signed, and nobody to trust: exit 4")

# ---- what is no case ----

is_(verify(case(b"", "empty.frz")).returncode, 1, "an empty file: exit 1")
r = verify("/bin/sh")
ok(r.returncode == 1 and "not a case" in r.stdout + r.stderr, "a program: exit 1", r.stdout, r.stderr)
is_(verify(tmp).returncode, 2, "a directory: exit 2")
is_(verify(tmp + "/absent").returncode, 2, "nothing at all: exit 2")
data = bytearray(whole)
data[11] = 2
r = verify(case(data, "later.frz"))
ok(r.returncode == 1 and "version 2" in r.stdout, "a later version: exit 1, and which", r.stdout)
hostile = case(whole, "a\x1b[31mred\nname.frz")
r = verify(hostile)
ok(r.returncode == 0 and "\x1b" not in r.stdout and "\nname" not in r.stdout,
   "a name with control bytes is shown harmlessly", r.stdout)
r = verify(hostile, "--format", "json")
is_(json.loads(r.stdout)["case"], hostile, "and whole as JSON")
by_hand = lambda name: re.search(r"by hand +(head .*)", fanalyze("--verify", "--", name, cwd=tmp).stdout)[1]
n = seal["fields"]["prefix-bytes"]
is_(by_hand("./case.frz"), f"head -c {n} ./case.frz | sha256sum", "the command that confirms it")
for name in ("$(id).frz", "a b.frz", "x;id", "it's.frz", "-n", "~root", "`id`", "a\\b"):
    case(whole, name)
    is_(by_hand(name), f"head -c {n} CASE | sha256sum", f"  {name}: no name to be pasted")

done()
