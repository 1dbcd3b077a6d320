#!/usr/bin/env python3
"""custody.t - evidence that is signed, handed over and received: what holds, and what is refused.

Keys are made for the test. Forgeries have every hash made right (forge.py).
"""
import hashlib
import random
import resource

import forge
from lib import *

need_ptrace()
if not tool("ssh-keygen"):
    skip_all("ssh-keygen is not installed")
NS = "frec-custody@v1"
os.chdir(fresh("work"))


def key(name, *args):
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", name, *args], check=True)
    with open(name + ".pub") as f:
        return f.read().strip()


PUB = {name: key(name) for name in ("alice", "bob", "carol", "mallory")}


def write(name, data):
    with open(name, "wb" if isinstance(data, bytes) else "w") as f:
        f.write(data)
    return name


def read(name):
    with open(name, "rb") as f:
        return f.read()


def signers(name="signers", **lines):
    """An allowed-signers file: principal with options in front of each key."""
    lines = lines or {"alice": "alice@ir", "bob": "bob@lab", "carol": "carol@court"}
    return write(name, "".join(f"{who} {PUB[k]}\n" for k, who in lines.items()))


SIGNERS = signers()
CHECKPOINTS = "checkpoints"


def record(name, *options):
    with open("secret.txt", "w") as f:
        f.write("attack at dawn\n")
    r = frec("-q", "-o", name, *options, "--", "cat", "secret.txt")
    if r.returncode:
        raise RuntimeError(r.stderr)
    return read(name)


def verify(case, *args, signers=SIGNERS):
    return fanalyze(case, "--verify", *(("--allowed-signers", signers) if signers else ()), *args)


def verdict(name, case, code, *args, say=None, **kw):
    r = verify(case, *args, **kw)
    good = r.returncode == code and (say is None or re.search(say, re.sub(r"\s+", " ", r.stdout)))
    return ok(good, f"{name}: {code}", f"exit {r.returncode}, wanted {code} and {say}", r.stdout, r.stderr)


def refused(name, code, pattern, *args, case=None):
    """One line, the exit code, and the case as it was."""
    before = read(case) if case else None
    r = fanalyze(*([case] if case else []), *args)
    lines = [x for x in r.stderr.split("\n") if x]
    ok(r.returncode == code and re.search(pattern, r.stderr) and not r.stdout and len(lines) == 1 and
       (case is None or read(case) == before), f"refused: {name}",
       f"exit {r.returncode}, wanted {code} and {pattern}", r.stderr, r.stdout[:200])


def as_(who):
    return ["--sign", who, "--as", {"alice": "alice@ir", "bob": "bob@lab", "carol": "carol@court",
                                    "mallory": "mallory@x"}[who]]


def custody(case, *args):
    r = fanalyze(case, "--custody", "--format", "json", *args)
    return r.returncode, json.loads(r.stdout)


def do(case, *args, receipt=None):
    """An action that must work; its receipt goes to a file."""
    r = fanalyze(case, *args)
    if r.returncode:
        raise RuntimeError(f"{args}: exit {r.returncode}: {r.stderr}")
    if receipt:
        write(receipt, r.stdout)
    return r


def sign(case, who="alice", receipt=None):
    return do(case, *as_(who), receipt=receipt)


def release(case, who, to, receipt):
    return do(case, "--release", "--to", to, "--purpose", "analysis", *as_(who), receipt=receipt)


def receive(case, who, frm, receipt, own):
    return do(case, "--receive", "--from", frm, "--receipt", receipt, *as_(who), receipt=own)


def ssh_sign(who, statement, namespace=NS):
    return subprocess.run(["ssh-keygen", "-q", "-Y", "sign", "-f", who, "-n", namespace], input=statement,
                          stdout=subprocess.PIPE, check=True).stdout


def statement(forgery, who, kind="sign", **values):
    """The statement that is right for a further entry of a forge.Case, or altered by values."""
    data = forgery.build()
    s = {"frz-custody": 1, "kind": kind, "case": forgery.blocks[0].get(1).hex(),
         "entry": len(forgery.custody()) + 1, "block": len(forgery.blocks), "prefix-bytes": len(data),
         "prefix-sha256": hashlib.sha256(data).hexdigest(), "before": forgery.links[-1].hex(), "who": who}
    if kind == "release":
        s["to"] = values.pop("to")
        s["purpose"] = "analysis"
    if kind == "receive":
        s["from"] = values.pop("frm")
        s["release-entry"] = values.pop("release_entry")
    s["claimed-time"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    for k, v in values.items():
        s[k.replace("_", "-")] = v
    return "".join(f"{k}: {v}\n" for k, v in s.items()).encode()


def forged(data, who, name="forged.frz", key=None, namespace=NS, **values):
    """data with one more entry, signed with a real key, whatever it says."""
    c = forge.Case(data)
    st = statement(c, who, **values)
    c.add_custody(st, ssh_sign(key or who.split("@")[0], st, namespace))
    return write(name, c.build())


# ---- the way it goes ----

bare = record("a.frz", "--checkpoint", CHECKPOINTS)
verdict("a case without signatures", "a.frz", 0, say="Not signed")
verdict("which must be signed", "a.frz", 4, "--require", "signed")
is_(custody("a.frz")[1]["custodian"], None, "is in nobody's custody")
r = fanalyze("a.frz", *as_("alice"))
ok(r.returncode == 0 and "entry 1: signed by alice@ir" in r.stderr, "--sign", r.stderr)
write("r1", r.stdout)
signed = read("a.frz")
ok(signed.startswith(bare) and len(signed) > len(bare), "writes behind what is there, and nothing else")
verdict("signed", "a.frz", 0, "--require", "sealed,signed", say="good signatures by keys that signers allows")
r = do("a.frz", "--release", "--to", "bob@lab", "--purpose", "analysis", "--authority", "order 12", "--via",
       "courier", "--place", "Bönn", "--note", "bag $(touch pwned) `touch pwned` \\ 7", *as_("alice"), receipt="r2")
released = read("a.frz")
ok(released.startswith(signed), "--release writes behind it")
verdict("released", "a.frz", 0, say="In the custody of alice@ir .* Released to bob@lab .* NOT YET RECEIVED")
code, c = custody("a.frz", "--allowed-signers", SIGNERS)
ok(code == 0 and c["open_to"] == "bob@lab" and c["entries"][1]["transfer"] == "open" and
   c["entries"][1]["place"] == "Bönn" and c["entries"][1]["note"] == "bag $(touch pwned) `touch pwned` \\ 7",
   "--custody shows the open transfer", c)
ok(not os.path.exists("pwned"), "no shell saw it")
r = fanalyze("a.frz", "--receive", "--from", "alice@ir", "--receipt", "r2", *as_("bob"), "--allowed-signers", SIGNERS)
ok(r.returncode == 0, "--receive", r.stderr)
write("r3", r.stdout)
received = read("a.frz")
ok(received.startswith(released), "writes behind it, too")
verdict("received", "a.frz", 0, "--require", "sealed,signed,anchored", "--checkpoint", CHECKPOINTS, "--receipt", "r3",
        say="In the custody of bob@lab since")
code, c = custody("a.frz", "--allowed-signers", SIGNERS)
is_([(e["kind"], e["who"], e["to"], e["from"], e["signature"], e["transfer"]) for e in c["entries"]],
    [("sign", "alice@ir", None, None, "good", None), ("release", "alice@ir", "bob@lab", None, "good", "received"),
     ("receive", "bob@lab", None, "alice@ir", "good", None)], "--custody names everything")
r = fanalyze("a.frz", "--custody", "--allowed-signers", SIGNERS)
ok(r.returncode == 0 and all(x in r.stdout for x in ("alice@ir to bob@lab", "order 12", "courier", "claimed time")),
   "as text, too", r.stdout)
r = fanalyze("a.frz", "--verify", "--format", "json", "--allowed-signers", SIGNERS, "--receipt", "r3")
v = json.loads(r.stdout)
ok(v["signatures"] == "trusted" and v["anchored"] and v["custody_entries"] == 3, "--verify as JSON", v)
verdict("with nobody to trust", "a.frz", 0, say="NOT checked: give --allowed-signers", signers=None)
verdict("that is not signed as required", "a.frz", 4, "--require", "signed", signers=None)
release("a.frz", "bob", "carol@court", "r4")
receive("a.frz", "carol", "bob@lab", "r4", "r5")
verdict("handed on", "a.frz", 0, "--receipt", "r2", say="In the custody of carol@court")
for n in (1, 2, 3, 4, 5):
    verdict(f"receipt {n} still holds", "a.frz", 0, "--receipt", f"r{n}", "--require", "anchored")
is_(fanalyze("a.frz", "--print-receipt", "3").stdout, read("r3").decode(), "a receipt can be had again")
is_(one("a.frz", "SELECT count(*) FROM timeline WHERE path GLOB '*/secret.txt' AND syscall = 'openat'"), 1,
    "what was recorded can be read as before")

# ---- stock tools ----

whole = read("a.frz")
for n, who in ((1, "alice@ir"), (2, "alice@ir"), (3, "bob@lab")):
    st = fanalyze("a.frz", "--statement", str(n)).stdout
    write("sig", fanalyze("a.frz", "--signature", str(n)).stdout)
    r = run("ssh-keygen", "-Y", "verify", "-f", SIGNERS, "-I", who, "-n", NS, "-s", "sig",
            stdin=open(write("st", st)))
    ok(r.returncode == 0, f"ssh-keygen -Y verify takes entry {n}", r.stdout, r.stderr)
    said = dict(line.split(": ", 1) for line in st.splitlines())
    sha = run("sh", "-c", f"head -c {said['prefix-bytes']} a.frz | sha256sum").stdout.split()[0]
    is_(sha, said["prefix-sha256"], "head -c N | sha256sum is what it says")
    receipt = dict(re.findall(r"^([\w-]+): (.*)$", read(f"r{n}").decode().split("\n\n")[0], re.M))
    sha = run("sh", "-c", f"head -c {receipt['case-bytes']} a.frz | sha256sum").stdout.split()[0]
    is_(sha, receipt["case-sha256"], "and what its receipt says")
is_(run("zstd", "-tq", "a.frz").returncode, 0, "zstd -t takes a case in custody")
refused("an entry that is not there", 2, "has 5 custody entries, no entry 6", "--statement", "6", case="a.frz")
refused("entry 0", 2, "not the number", "--signature", "0", case="a.frz")

# ---- whom to trust ----

write("s.frz", signed)
verdict("the wrong key", "s.frz", 4, signers=signers("w", mallory="alice@ir"), say="not one that may sign as alice@ir")
verdict("the wrong principal", "s.frz", 4, signers=signers("w", alice="alicia@ir"), say="block 3 at offset \\d+")
verdict("a key for another purpose", "s.frz", 4, signers=signers("w", alice='alice@ir namespaces="git"'))
verdict("a key for this purpose", "s.frz", 0, "--require", "signed",
        signers=signers("w", alice=f'alice@ir namespaces="git,{NS}"'))
verdict("an empty list", "s.frz", 4, signers=write("w", "# nobody\n"))
verdict("an expired key", "s.frz", 4, signers=signers("w", alice='alice@ir valid-before="20200101Z"'), say="had expired")
verdict("a key that is not valid yet", "s.frz", 4, signers=signers("w", alice='alice@ir valid-after="20900101Z"'),
        say="not valid yet")
verdict("a key that is valid", "s.frz", 0,
        signers=signers("w", alice='alice@ir valid-after="20200101Z",valid-before="20900101Z"'))
said = dict(line.split(": ", 1) for line in fanalyze("s.frz", "--statement", "1").stdout.splitlines())
then = time.strptime(said["claimed-time"], "%Y-%m-%dT%H:%M:%SZ")
end = time.strftime("%Y%m%d%H%M%SZ", time.gmtime(__import__("calendar").timegm(then) + 1))
wait_until(lambda: time.strftime("%Y%m%d%H%M%SZ", time.gmtime()) > end)
verdict("a key that expired later", "s.frz", 0, "--require", "signed",
        signers=signers("w", alice=f'alice@ir valid-before="{end}"'), say="The key of entry 1 has expired since")
verdict("a revoked key", "s.frz", 4, "--revoked", write("gone", PUB["alice"] + "\n"), say="its key is revoked by gone")
subprocess.run(["ssh-keygen", "-q", "-k", "-f", "krl", "alice.pub"], check=True)
verdict("a key in a revocation list", "s.frz", 4, "--revoked", "krl", say="revoked")
verdict("another one's revoked key", "s.frz", 0, "--revoked", write("gone", PUB["mallory"] + "\n"))
is_(verify("s.frz", "--revoked", "absent").returncode, 2, "a list of revoked keys that is not there: 2")
is_(verify("s.frz", signers="absent").returncode, 2, "a list of signers that is not there: 2")
refused("--revoked without signers", 2, "--revoked needs --allowed-signers", "--verify", "--revoked", "krl",
        case="s.frz")
for name, who in (("*", "*"), ("*@ir", "*@ir"), ("alice@i?", "alice@i?"), ("a list with one", "bob@lab,*"),
                  ("a negated one", "!bob@lab,alice@ir"), ("a quoted one", '"*@ir"'), ("behind blanks", "  *@ir"),
                  ("behind a blank in quotes", '"a b,*"'), ("in quotes that begin later", 'x"a b,*"')):
    r = verify("s.frz", "--require", "signed", signers=signers("w", alice=who))
    ok(r.returncode == 4 and "w line 1: names signers by a wildcard" in r.stderr, f"wildcard signers, {name}: 4",
       r.returncode, r.stdout, r.stderr)
r = verify("s.frz", signers=write("w", f"# list\n* {PUB['mallory']}\nalice@ir {PUB['alice']}\n"))
ok(r.returncode == 0 and "w line 2" in r.stderr, "but the other lines count", r.stdout, r.stderr)

# certificates: an authority for one name is as good as a key, one for any name is not
key("authority")
with open("authority.pub") as f:
    PUB["authority"] = f.read().strip()
subprocess.run(["ssh-keygen", "-q", "-s", "authority", "-I", "id", "-n", "alice@ir", "alice.pub"], check=True)
write("cert.frz", bare)
os.rename("alice.pub", "alice.plain")
os.rename("alice-cert.pub", "alice.pub")
r = fanalyze("cert.frz", *as_("alice"))
ok(r.returncode == 0, "a key with a certificate signs", r.stderr)
os.rename("alice.pub", "alice-cert.pub")
os.rename("alice.plain", "alice.pub")
verdict("a certificate by an authority for that name", "cert.frz", 0, "--require", "signed",
        signers=signers("w", authority="alice@ir cert-authority"))
verdict("by an authority for any name", "cert.frz", 4, signers=signers("w", authority="* cert-authority"))

# ---- forged entries: real signatures on what is not so ----

verdict("an entry made by hand, as it should be", forged(bare, "alice@ir"), 0, "--require", "signed")
verdict("made for another purpose (namespace)", forged(bare, "alice@ir", namespace="git"), 4,
        say="another purpose \\(namespace\\)")
verdict("in another's name", forged(bare, "alice@ir", key="mallory"), 4)
verdict("by a stranger", forged(bare, "mallory@x"), 4, say="may sign as mallory@x")
verdict("a statement of another case", forged(bare, "alice@ir", case="0" * 32), 4, say="about another case")
verdict("of another place", forged(bare, "alice@ir", entry=2), 4, say="another place")
verdict("of another block", forged(bare, "alice@ir", block=1), 4, say="another place")
verdict("of another content", forged(bare, "alice@ir", prefix_sha256="0" * 64), 4, say="other content")
verdict("of another length", forged(bare, "alice@ir", prefix_bytes=len(bare) - 1), 4, say="other content")
verdict("of another chain", forged(bare, "alice@ir", before="0" * 64), 4, say="other content")
verdict("with a line that is not known", forged(bare, "alice@ir", extra="x"), 4, say="cannot be read")
verdict("with control characters", forged(bare, "alice@ir", note="\x1b[31mred"), 4, say="cannot be read")
verdict("without signers to trust, still seen", "forged.frz", 4, signers=None)
verdict("released by one who has it not", forged(signed, "bob@lab", kind="release", to="carol@court"), 4,
        say="released by bob@lab, but it is in the custody of alice@ir")
verdict("released to oneself", forged(signed, "alice@ir", kind="release", to="alice@ir"), 4)
verdict("received by another than named", forged(released, "carol@court", kind="receive", frm="alice@ir",
                                                 release_entry=2), 4, say="to whom nobody released it")
verdict("received as from another", forged(released, "bob@lab", kind="receive", frm="carol@court", release_entry=2), 4)
verdict("received by another entry", forged(released, "bob@lab", kind="receive", frm="alice@ir", release_entry=1), 4)
verdict("received twice", forged(received, "bob@lab", kind="receive", frm="alice@ir", release_entry=2), 4)
verdict("received at first", forged(bare, "bob@lab", kind="receive", frm="alice@ir", release_entry=1), 4)
verdict("released after it was handed over", forged(received, "alice@ir", kind="release", to="carol@court"), 4,
        say="in the custody of bob@lab")
verdict("a witness signs while it is in transit", forged(released, "carol@court"), 0, "--require", "signed",
        say="In the custody of alice@ir")
verdict("a time that has not come", forged(bare, "alice@ir", claimed_time="2090-01-01T00:00:00Z"), 0,
        say="claims a time that has not come")
verdict("a time before that of the entry in front", forged(signed, "alice@ir", claimed_time="2001-01-01T00:00:00Z"), 0,
        say="Entry 2 claims a time before that of an entry in front")
verdict("with an expired key that goes back behind it", "forged.frz", 4, say="Entry|entry 2",
        signers=write("w", f'alice@ir valid-before="20020101Z" {PUB["alice"]}\nbob@lab {PUB["bob"]}\n'))

other = record("b.frz")
do("b.frz", *as_("alice"))
c, d = forge.Case(bare), forge.Case(read("b.frz"))
c.blocks += d.custody()
verdict("an entry taken from another case", write("forged.frz", c.build()), 4, say="about another case")
c = forge.Case(signed)
c.blocks += c.custody()
verdict("an entry doubled", write("forged.frz", c.build()), 4, say="another place")
c = forge.Case(received)
c.blocks[-3:] = [c.blocks[-3], c.blocks[-1]]
verdict("an entry left out in the middle", write("forged.frz", c.build()), 4)
c = forge.Case(received)
c.blocks[-3:] = [c.blocks[-2], c.blocks[-3], c.blocks[-1]]
verdict("entries exchanged", write("forged.frz", c.build()), 4)
c = forge.Case(signed)
c.custody()[0].set(forge.SIGNATURE, b"-----BEGIN SSH SIGNATURE-----\n\x1b[31m\n-----END SSH SIGNATURE-----\n")
verdict("a signature that is none", write("forged.frz", c.build()), 4, say="is none")
ok("\x1b" not in fanalyze("forged.frz", "--custody").stdout, "is not shown to a terminal")
c.custody()[0].set(forge.STATEMENT, b"\x1b[31m\xff")
r = fanalyze(write("forged.frz", c.build()), "--custody")
ok(r.returncode == 4 and "\x1b" not in r.stdout and "cannot be read" in r.stdout, "nor a statement that is none", r.stdout)
is_(run(FANALYZE, "forged.frz", "--statement", "1").stdout.encode(errors="surrogateescape"), b"\x1b[31m\xff",
    "but can be had, raw")

for key, option in ((forge.STATEMENT, "--statement"), (forge.SIGNATURE, "--signature")):
    c = forge.Case(signed)
    c.custody()[0].set(key, c.custody()[0].get(key) * 3000)
    verdict(f"{option[2:]}s of a megabyte", write("forged.frz", c.build()), 4, say="too long|is none", signers=None)
    refused(f"{option} of it", 4, "entry 1: too long to be one", option, "1", case="forged.frz")

# ---- a forger who makes every hash right ----

c = forge.Case(bare)
content = forge.raw(c.segments()[0])
ok(b"secret.txt" in content, "the case names the file")
forge.set_raw(c.segments()[0], content.replace(b"secret.txt", b"public.txt"), "raw")
write("rewritten.frz", c.build())
ok(one("rewritten.frz", "SELECT count(*) FROM timeline WHERE path GLOB '*/public.txt'") > 0, "a rewritten case tells it otherwise")
verdict("rewritten, not signed: nothing shows it", "rewritten.frz", 0, say="short of computing every hash anew")
verdict("but it is not signed", "rewritten.frz", 4, "--require", "signed")
verdict("nor is it what was noted (--expect-head)", "rewritten.frz", 1, "--expect-head",
        json.loads(fanalyze("b.frz", "--verify", "--format", "json").stdout)["seal"])
verdict("(--checkpoint)", "rewritten.frz", 1, "--checkpoint", CHECKPOINTS, say="ANOTHER chain head")
verdict("(--receipt)", "rewritten.frz", 1, "--receipt", "r1", say="NO BLOCK")
c.blocks += forge.Case(signed).custody()
verdict("rewritten, the old signature put behind it", write("forged.frz", c.build()), 4, say="other content")
c.blocks.pop()
verdict("rewritten and signed by a stranger", forged(c.build(), "mallory@x"), 4)

# ---- entries cut off ----

cut = write("cut.frz", whole[:len(released)])
verdict("the last entries cut off: nothing in the file shows it", cut, 0)
for n in (3, 4, 5):
    verdict(f"the receipt of entry {n} does", cut, 1, "--receipt", f"r{n}", say="NO BLOCK")
verdict("that of an entry still there does not", cut, 0, "--receipt", "r2")
verdict("all entries cut off", write("cut.frz", bare), 1, "--receipt", "r1")
changed = read("r3").replace(b"from: alice@ir", b"from: alicX@ir")
is_(verify("a.frz", "--receipt", write("rx", changed)).returncode, 2, "a changed receipt contradicts itself: 2")
altered = re.sub(rb"(case-sha256: )..", rb"\g<1>00", read("r3"))
verdict("a receipt whose hash of the file was altered", "a.frz", 1, "--receipt", write("rx", altered), say="was altered")
verdict("a receipt of another case", "b.frz", 1, "--receipt", "r1", say="NOTHING of this case, only of others")

# ---- checkpoints ----

lines = read(CHECKPOINTS).decode().splitlines()
verdict("checkpoints with what a log puts around them", "a.frz", 0, "--require", "anchored", "--checkpoint",
        write("log", "Nov 23 00:00:00 host sshd[1]: hello\n" +
              "".join(f"Nov 23 06:00:00 host frec[9]: {x}\n" for x in reversed(lines))))
verdict("only the first of them", "a.frz", 0, "--checkpoint", write("log", lines[0] + "\n"), say="not anchored")
verdict("which is not enough", "a.frz", 1, "--require", "anchored", "--checkpoint", "log")
verdict("another count of events", "a.frz", 1, "--checkpoint",
        write("log", re.sub(r"events=(\d+)", lambda m: f"events={int(m[1]) + 1}", lines[-1]) + "\n"),
        say="ANOTHER number of events")
verdict("another head", "a.frz", 1, "--checkpoint", write("log", re.sub(r"head=..", "head=00", lines[-1]) + "\n"))
verdict("more blocks than there are", "a.frz", 1, "--checkpoint",
        write("log", re.sub(r"blocks=\d+", "blocks=99", lines[-1]) + "\n"), say="FEWER: the case was cut")
verdict("a file that says nothing of it", "a.frz", 1, "--checkpoint", write("log", "nothing\n"), say="NOTHING")
is_(verify("a.frz", "--checkpoint", write("log", "frz-checkpoint case=zz\n")).returncode, 2, "a line that is none: 2")
verdict("a last line that was cut short", "a.frz", 0, "--checkpoint", write("log", "\n".join(lines) + "\n" + lines[0][:60]),
        say="cut short and is left out")
seal = forge.Case(bare)
seal.build()
verdict("a case cut at a block boundary, and its checkpoints", write("cut.frz", bare[:seal.begins[-1]]), 1,
        "--checkpoint", CHECKPOINTS, say="FEWER")
verdict("and without them", "cut.frz", 3)

# ---- what takes no entry ----

refused("a case that is not sealed", 3, "not sealed: end the recording", *as_("alice"), case="cut.frz")
damaged = bytearray(signed)
damaged[700] ^= 1
refused("a damaged case", 1, "block \\d+ at offset \\d+: .*; a damaged case takes no custody entry", *as_("alice"),
        case=write("damaged.frz", bytes(damaged)))
refused("a case whose custody is not good", 4, "NOT TRUSTED", *as_("alice"), case=forged(bare, "alice@ir", entry=2))
refused("a case whose signer is not trusted", 4, "NOT TRUSTED", *as_("bob"), "--allowed-signers",
        signers("w", bob="bob@lab"), case="s.frz")
refused("a key that would not be trusted", 4, "would not trust it", *as_("bob"), "--allowed-signers",
        signers("w", alice="alice@ir"), case="s.frz")
refused("release by another than the custodian", 2, "in the custody of alice@ir", "--release", "--to", "carol@court",
        "--purpose", "x", *as_("bob"), "--quiet", case="s.frz")
refused("release to oneself", 2, "is the one who releases it", "--release", "--to", "alice@ir", "--purpose", "x",
        *as_("alice"), "--quiet", case="s.frz")
refused("receiving what nobody released", 2, "nobody released it", "--receive", "--from", "alice@ir", "--receipt", "r2",
        *as_("bob"), "--quiet", case="s.frz")
write("x.frz", released)
refused("receiving what is for another", 2, "released to bob@lab", "--receive", "--from", "alice@ir", "--receipt", "r2",
        *as_("carol"), "--quiet", case="x.frz")
refused("receiving from another", 2, "released by alice@ir, not by", "--receive", "--from", "carol@court", "--receipt",
        "r2", *as_("bob"), "--quiet", case="x.frz")
refused("receiving with the receipt of another entry", 1, "not what was released", "--receive", "--from", "alice@ir",
        "--receipt", "r1", *as_("bob"), "--quiet", case="x.frz")
refused("receiving with a receipt that was altered", 1, "not what was released", "--receive", "--from", "alice@ir",
        "--receipt", write("rx", re.sub(rb"(case-sha256: )..", rb"\g<1>00", read("r2"))), *as_("bob"), "--quiet", case="x.frz")
for name, args in (("--sign without a name", ["--sign", "alice"]), ("--release without a key", ["--release", "--as", "a"]),
                   ("--release without purpose", ["--release", "--to", "bob@lab", *as_("alice")]),
                   ("--receive without receipt", ["--receive", "--from", "alice@ir", *as_("bob")]),
                   ("a name with a wildcard", ["--sign", "alice", "--as", "*@ir"]),
                   ("a name with a space", ["--sign", "alice", "--as", "alice ir"]),
                   ("a remark with a newline", ["--note", "a\nb", *as_("alice")]),
                   ("a remark that is too long", ["--note", "a" * 1001, *as_("alice")]),
                   ("--purpose elsewhere", ["--timeline", "--purpose", "x"]),
                   ("--sign elsewhere", ["--timeline", "--sign", "alice"]),
                   ("--release and --receive", ["--release", "--receive", *as_("alice")])):
    refused(name, 2, "--", *args, case="s.frz")
r = fanalyze("s.frz", "--sign", "absent", "--as", "alice@ir")
ok(r.returncode == 2 and "not signed: ssh-keygen" in r.stderr and read("s.frz") == signed, "refused: a key that is not there",
   r.stderr)
r = fanalyze("s.frz", *as_("alice"), "--output", "r1")
ok(r.returncode == 2 and read("s.frz") == signed, "refused: a receipt over an existing file", r.stderr)
empty = fresh("empty")
r = fanalyze("s.frz", *as_("alice"), env=dict(os.environ, PATH=empty))
ok(r.returncode == 4 and "ssh-keygen cannot be started" in r.stderr and read("s.frz") == signed,
   "refused: no ssh-keygen", r.stderr)
r = run(FANALYZE, "s.frz", "--verify", "--allowed-signers", SIGNERS, env=dict(os.environ, PATH=empty))
ok(r.returncode == 4 and re.search(r"cannot\s+be\s+started", r.stdout), "and --verify says that it could not check: 4", r.stdout)
r = run(FANALYZE, "s.frz", "--verify", env=dict(os.environ, PATH=empty))
ok(r.returncode == 0 and "NOT checked" in r.stdout, "unless it was not asked to", r.stdout)


def fake(name, *lines):
    """A folder with an ssh-keygen of our own."""
    d = fresh(name)
    write(d + "/ssh-keygen", "#!/bin/sh\n" + "\n".join(lines) + "\n")
    os.chmod(d + "/ssh-keygen", 0o755)
    return dict(os.environ, PATH=d + ":/usr/bin:/bin")


for name, say, lines in (("that is too old", "too old to check", ["echo 'unknown option -- Y' >&2", "echo 'usage: ssh-keygen' >&2",
                                                                  "exit 1"]),
                         ("that does not know its options", "too old to check", ["echo 'Invalid option \"x\"' >&2", "exit 255"]),
                         ("without a user", "No user exists for uid", ["echo 'No user exists for uid 7' >&2", "exit 255"]),
                         ("that is killed", "killed by signal 9", ["kill -9 $$"])):
    env = fake(name.replace(" ", "-"), *lines)
    codes = [(x.returncode, bool(re.search("NOT checked.*" + say, re.sub(r"\s+", " ", x.stdout)))) for x in
             (run(FANALYZE, "s.frz", "--verify", *a, env=env) for a in ([], ["--allowed-signers", SIGNERS]))]
    is_(codes, [(0, True), (4, True)], f"an ssh-keygen {name}: nothing was checked, and that is said")

# a key with a passphrase, and nobody to ask: said, and not waited for
subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "secret", "-f", "locked"], check=True)
plain = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY", "SSH_ASKPASS", "SSH_AUTH_SOCK")}
write("locked.frz", bare)
r = run(FANALYZE, "locked.frz", "--sign", "locked", "--as", "alice@ir", env=plain, start_new_session=True, timeout=30)
ok(r.returncode == 2 and "needs a terminal, or ssh-agent" in r.stderr and not r.stdout and read("locked.frz") == bare,
   "a key with a passphrase and no terminal: refused at once", r.returncode, r.stderr)
os.rename("locked", "locked.away")
r = run(FANALYZE, "locked.frz", "--sign", "locked.pub", "--as", "alice@ir", env=plain, start_new_session=True, timeout=30)
ok(r.returncode == 2 and "failed" in r.stderr and read("locked.frz") == bare, "a public key and no agent: refused", r.stderr)

busy = attach([start("sleep", "60").pid], "busy.frz")
r = fanalyze("busy.frz", *as_("alice"))
ok(r.returncode == 2 and "in use" in r.stderr, "refused: a case that is being recorded", r.stderr)
stop(busy)

# a second release takes the place of one that nobody received
write("x.frz", released)
r = release("x.frz", "alice", "carol@court", "ry")
ok("takes its place" in r.stderr, "another release before it is received", r.stderr)
code, c = custody("x.frz", "--allowed-signers", SIGNERS)
ok([e["transfer"] for e in c["entries"]] == [None, "withdrawn", "open"] and c["open_to"] == "carol@court",
   "withdraws the first", c)
refused("the first recipient then", 2, "released to carol@court", "--receive", "--from", "alice@ir", "--receipt", "r2",
        *as_("bob"), "--quiet", case="x.frz")

# ---- writing that does not come to its end ----

wrong = []
ends = range(len(signed) + 1, len(released))
for n in (ends if FULL else [*range(len(signed) + 1, len(signed) + 90, 11), *range(len(signed) + 90, len(released), 97)]):
    write("torn.frz", released[:n])
    a = verify("torn.frz").returncode
    b = fanalyze("torn.frz", *as_("alice"))
    if a != 1 or b.returncode != 1 or "--drop-torn-entry" not in b.stderr or read("torn.frz") != released[:n]:
        wrong.append(("seen", n, a, b.returncode, b.stderr))
    r = fanalyze("torn.frz", "--drop-torn-entry")
    if r.returncode != 0 or read("torn.frz") != signed:
        wrong.append(("dropped", n, r.returncode, r.stderr))
ok(not wrong, "an entry cut short is seen, refused, and dropped when asked", *wrong[:5])
refused("dropping what is whole", 2, "no custody entry is cut short", "--drop-torn-entry", case="a.frz")
refused("dropping what is no entry", 1, "", "--drop-torn-entry", case=write("torn.frz", signed + bare[:60]))
refused("dropping the end of a case that is not sealed", 2, "no custody entry", "--drop-torn-entry",
        case=write("torn.frz", bare[:seal.begins[-1] + 20]))


def small():
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(signed) + 300, len(signed) + 300))


write("full.frz", signed)
r = fanalyze("full.frz", *as_("alice"), preexec_fn=small)
ok(r.returncode == 2 and "the case is as it was" in r.stderr and read("full.frz") == signed and not r.stdout,
   "no room for an entry: what was written is taken back", r.returncode, r.stderr)

# ---- keys elsewhere ----

agent = run("ssh-agent", "-s")
env = dict(os.environ, **dict(re.findall(r"(SSH_A\w+)=([^;]+);", agent.stdout)))
if agent.returncode == 0 and "SSH_AUTH_SOCK" in env:
    run("ssh-add", "-q", "bob", env=env)
    os.rename("bob", "bob.away")
    write("agent.frz", bare)
    r = fanalyze("agent.frz", "--sign", "bob.pub", "--as", "bob@lab", env=env)
    ok(r.returncode == 0, "a key in ssh-agent signs", r.stderr)
    verdict("and is as good", "agent.frz", 0, "--require", "signed")
    os.rename("bob.away", "bob")
    os.kill(int(env["SSH_AGENT_PID"]), signal.SIGTERM)
else:
    skip("ssh-agent", "it cannot be started")
if tool("ssh-keygen"):
    for kind in ("rsa", "ecdsa"):
        subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", kind, "-f", kind], check=True)
        write("k.frz", bare)
        r = fanalyze("k.frz", "--sign", kind, "--as", "dave@ir")
        verdict(f"an {kind} key", "k.frz", 0, "--require", "signed",
                signers=write("w", "dave@ir " + read(kind + ".pub").decode()))

# ---- every byte counts ----

rng = random.Random(7)
wrong = []
places = range(len(received)) if FULL else sorted(rng.sample(range(len(received)), 150) +
                                                  rng.sample(range(len(bare), len(received)), 100))
for at in places:
    data = bytearray(received)
    data[at] ^= 1 << rng.randrange(8)
    r = fanalyze(write("bit.frz", bytes(data)), "--verify", "--allowed-signers", SIGNERS)
    if r.returncode != 1 or not re.search(r"block \d+ at offset \d+", r.stdout):
        wrong.append((at, r.returncode, r.stdout[-200:]))
ok(not wrong, f"{len(places)} changed bits of a case in custody: 1, block and offset named", *wrong[:5])

done()
