#!/usr/bin/env python3
"""tamper.t - real cases changed, bit by bit and by somebody who makes every hash right.

tests/tamper does what can be done without new hashes to made-up cases, and here to recorded
ones: sealed and signed, not sealed, recovered after SIGKILL, handed over. Behind that a
forger's changes go through the program.
"""
import forge
from lib import *

need_ptrace()
if not tool("ssh-keygen"):
    skip_all("ssh-keygen is not installed")
os.chdir(fresh("work"))
for who in ("alice", "bob"):
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", who], check=True)


def read(name):
    with open(name, "rb") as f:
        return f.read()


def write(name, data):
    with open(name, "wb") as f:
        f.write(data)
    return name


def do(*args, out=os.devnull):
    r = fanalyze(*args)
    if r.returncode:
        raise RuntimeError(f"{args}: {r.returncode}: {r.stderr}")
    with open(out, "w") as f:
        f.write(r.stdout)


# ---- the cases ----

r = frec("-q", "-o", "sealed.frz", "-e", "openat", "--", "/bin/true")
is_(r.returncode, 0, "a case is recorded")
shutil.copy("sealed.frz", "signed.frz")
do("signed.frz", "--sign", "alice", "--as", "alice@ir")
shutil.copy("signed.frz", "custody.frz")
do("custody.frz", "--release", "--to", "bob@lab", "--purpose", "x", "--sign", "alice", "--as", "alice@ir", out="receipt")
do("custody.frz", "--receive", "--from", "alice@ir", "--receipt", "receipt", "--sign", "bob", "--as", "bob@lab")

target = start("sh", "-c", "while :; do : < /etc/hostname; sleep 0.05; done")
f = attach([target.pid], "killed.frz", "-q", "-e", "openat", "--no-follow")


def both():
    """A segment is in the case, and events behind it are in the tail."""
    v = json.loads(fanalyze("killed.frz", "--verify", "--format", "json").stdout)
    return v["segments"] and v["tail"]["events"]


wait_until(both, 20, 0.2)
f.kill()
f.communicate()
target.kill()
shutil.copy("killed.frz", "recovered.frz")
shutil.copy("killed.frz.tail", "recovered.frz.tail")
r = frec("--recover", "recovered.frz")
is_(r.returncode, 0, "what is left of another is recovered")
v = json.loads(fanalyze("recovered.frz", "--verify", "--format", "json").stdout)
ok(v["recoveries"] == 1 and v["sealed"] and v["events_recovered"] > 0, "which it says", v)
is_([fanalyze(c, "--verify").returncode for c in ("signed.frz", "custody.frz", "recovered.frz", "killed.frz")],
    [0, 0, 0, 3], "all are intact")

# ---- every bit, every length ----

for c in ("signed.frz", "killed.frz", "recovered.frz", "custody.frz"):
    r = run(BUILD + "/tamper/tamper", c, timeout=600)
    bad = re.findall(r"^not ok.*", r.stdout, re.M)
    size = re.findall(r"^# " + c + ": (.*)$", r.stdout, re.M)
    ok(r.returncode == 0 and size and not bad, f"{c}: every bit of {size} changed, cut at every length", r.returncode,
       r.stdout, r.stderr)

# ---- a cut that cannot be seen, and what is said of it ----

whole = read("signed.frz")
c = forge.Case(whole)
c.build()
seal = next(i for i, b in enumerate(c.blocks) if b.kind == forge.SEAL)
r = fanalyze(write("cut.frz", whole[:c.begins[seal]]), "--verify")
said = re.sub(r"\s+", " ", r.stdout)
is_(r.returncode, 3, "cut exactly in front of its SEAL: exit 3")
for what in ("Intact to event", "no SEAL", "was sealed and then cut", "--checkpoint", "--expect-head", "--receipt"):
    ok(what in said, f"it says: {what}", said)
is_(fanalyze("cut.frz", "--verify", "--expect-head", c.links[seal].hex()).returncode, 1, "with the chain head noted: exit 1")
do("signed.frz", "--print-receipt", "1", out="receipt")
is_(fanalyze("cut.frz", "--verify", "--receipt", "receipt").returncode, 1, "with the receipt: exit 1")

# ---- every hash made right ----


def forged(name, change, code=1, say=r"block \d+ at offset \d+: "):
    c = forge.Case(read("recovered.frz"))
    change(c)
    r = fanalyze(write("forged.frz", c.build()), "--verify")
    d = fresh(name)
    i = fanalyze("forged.frz", "--info", "--db", d + "/db")
    x = fanalyze("forged.frz", "--extract", d + "/part.frz")
    ok(r.returncode == code and re.search(say, re.sub(r"\s+", " ", r.stdout)), f"{name}: {code}", r.returncode, r.stdout)
    ok((i.returncode, x.returncode) == (code, code), "  and it is neither imported nor extracted from as if it were good",
       i.returncode, i.stdout, i.stderr, x.returncode, x.stderr)


def insert(i, kind):
    def change(c):
        c.blocks.insert(i if i >= 0 else len(c.blocks), next(b for b in c.blocks if b.kind == kind))
    return change


def index(extra):
    def change(c):
        c.extra_index = extra
    return change


def told(key, by, i=0):
    """Another number in a SEGMENT, and in all that follow from it."""
    def change(c):
        c.segments()[i].set(key, c.segments()[i].number(key) + by)
        if key == forge.EVENTS:
            for b in c.segments()[i + 1:]:
                b.set(52, b.number(52) + by)
            for b in c.blocks[c.blocks.index(c.segments()[i]):]:
                if b.kind in (forge.TICK, forge.RECOVERY, forge.SEAL):
                    b.set(forge.EVENTS, b.number(forge.EVENTS) + by)
    return change


def on(kind, key, by):
    def change(c):
        b = next(b for b in c.blocks if b.kind == kind)
        b.set(key, b.number(key) + by)
    return change


def take(i):
    def change(c):
        del c.blocks[i]
    return change


def exchange(c):
    i = c.blocks.index(c.segments()[0])
    c.blocks[i], c.blocks[i + 1] = c.blocks[i + 1], c.blocks[i]


def critical(c):
    c.blocks[0].fields[500] = (4, b"x")


def text_with_nul(c):
    c.blocks[0].set(5, b"ho\0st")


def unknown_type(c):
    c.blocks[-1].kind = 7


forged("nothing changed", lambda c: None, 0, "intact and sealed")
forged("a second GENESIS", insert(1, forge.GENESIS), say="a second GENESIS")
forged("a second SEAL", insert(-1, forge.SEAL), say="a block other than CUSTODY behind the SEAL")
forged("a SEGMENT behind the SEAL", insert(-1, forge.SEGMENT), say="behind the SEAL")
forged("a hidden index entry", index(forge.varint(9) + forge.varint(1)), say="SEAL: its index")
forged("an index that ends early", index(None), say="SEAL: its index")
forged("an event more in the block than in its frame", told(forge.EVENTS, 1), say="fewer events than its block says")
forged("an event less", told(forge.EVENTS, -1), say="more events than its block says")
forged("a segment closed before it ended", told(57, -10**9), say="a time after the end|ends before it begins")
forged("RECOVERY counts more events than it took", on(forge.RECOVERY, 84, 1), say="RECOVERY took 1 events")
forged("RECOVERY counts fewer", on(forge.RECOVERY, 84, -1), say="events from the tail, of which RECOVERY counts")
forged("an event of the tail and no RECOVERY", take(-3), say="events from the tail, of which RECOVERY counts 0")
forged("lost events beyond what can be counted", lambda c: [s.set(54, 2**63 - 1) for s in c.segments()] and c.blocks[-1].set(54, 2**64 - 1),
       say="beyond all bounds|lost events")
forged("a segment doubled", lambda c: c.blocks.insert(2, c.segments()[0]), say="first event")
forged("a block other than GENESIS first", take(0))
forged("the RECOVERY before what it counts", exchange, say="RECOVERY|events")
forged("a critical field from a later version", critical, say="critical")
forged("a NUL in a text", text_with_nul, say="NUL")
forged("a block of a later type", unknown_type)


def stolen(c):
    """A segment of another case of the same host, its numbers made to fit."""
    other = forge.Case(read("sealed.frz")).segments()[0]
    other.set(52, c.segments()[-1].number(52) + c.segments()[-1].number(53))
    c.blocks.insert(c.blocks.index(c.segments()[-1]) + 1, other)


forged("a segment of another case of this host", stolen, say="block \\d+ at offset \\d+: .*(in front of it|events|first event|count)")

# ---- custody: a bit of a statement or signature, every hash made right, nobody to trust ----

step = 1 if FULL else 11
missed = []
for key in (forge.STATEMENT, forge.SIGNATURE):
    good = forge.Case(whole).blocks[-1].get(key)
    for bit in range(0, 8 * len(good), step):
        c = forge.Case(whole)
        c.blocks[-1].set(key, good[:bit // 8] + bytes([good[bit // 8] ^ 1 << bit % 8]) + good[bit // 8 + 1:])
        r = fanalyze(write("bit.frz", c.build()), "--verify")
        if r.returncode not in (1, 4) or not re.search(r"block \d+ at\s+offset\s+\d+", r.stdout):
            missed.append((key, bit, r.returncode, r.stdout[-300:]))
ok(not missed, "each is found without --allowed-signers", *missed[:5])

done()
