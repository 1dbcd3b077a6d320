#!/usr/bin/env python3
"""extract.t - part of a case as a case of its own: what is in it, what is not, and that it never
passes for the original.
"""
import resource

import forge
from lib import *

need_ptrace()
os.chdir(fresh("work"))
READER = HERE + "/tests/reader/frzread.py"
COLUMNS = ("ts_ns, dur_ns, pid, tid, comm, abi, syscall, fd, path, path2, ret, errno, bytes, detail")
# what of the canned queries tells of a case as a whole, or says of itself when it was asked
OTHER = {"info", "summary"}


def queries():
    names = re.findall(r"^([a-z][a-z-]*) ", fanalyze("--list-queries").stdout, re.M)
    return [n for n in names if n not in OTHER]


def extract(case, out, *args):
    r = fanalyze(case, "--extract", out, *args)
    if r.returncode:
        raise RuntimeError(f"--extract: exit {r.returncode}: {r.stderr}")
    return r


def dump(case):
    """Every record, by the second reader."""
    r = run(sys.executable, READER, case)
    if r.returncode not in (0, 3):
        raise RuntimeError(r.stderr)
    return [json.loads(line) for line in r.stdout.splitlines()]


def sound(case, name):
    r = fanalyze(case, "--verify")
    s = run(sys.executable, READER, "--events", case)
    ok(r.returncode == 0 and s.returncode == 0, f"{name}: both readers take it", r.stdout, r.stderr, s.stderr)


def timeline(case, *filters):
    r = fanalyze(case, "--timeline", "--format", "jsonl", *filters)
    rows = [json.loads(line) for line in r.stdout.splitlines()]
    for row in rows:
        del row["seq"]
    return rows


def same_rows(case, out, name, *filters):
    """The extract's timeline is the original's under these filters."""
    want, got = timeline(case, *filters), timeline(out)
    diff = next(((w, g) for w, g in zip(want, got) if w != g), None)
    return ok(want and want == got, f"{name}: its timeline is the original's with the same filters ({len(want)})",
              f"{len(got)} rows, wanted {len(want)}", f"first difference: {diff}")


def origin(case):
    return json.loads(fanalyze(case, "--verify", "--format", "json").stdout)["extract_of"]


def count(case, what):
    return int(re.search(rf"^{what}: (\d+)$", origin(case)["left_out"], re.M)[1])


# ---- everything ----

with open("script.py", "w") as f:
    f.write("""
import os, socket, subprocess, sys, threading, time
def hosts():
    for _ in range(50):
        os.stat('/etc/hosts')
threads = [threading.Thread(target=hosts) for _ in range(4)]
[t.start() for t in threads]; [t.join() for t in threads]
with open('one', 'w') as f: f.write('x' * 1000)
fd = os.open('one', os.O_RDONLY); os.read(fd, 10); copy = os.dup(fd); os.close(fd); os.read(copy, 10)
time.sleep(0.2)
os.read(copy, 10); os.close(copy)
os.rename('one', 'two'); os.unlink('two')
a, b = socket.socketpair()
a.send(b'x'); socket.send_fds(a, [b'y'], [0]); socket.recv_fds(b, 9, 2)
subprocess.run(['sh', '-c', 'cat < /etc/passwd | wc -l > three'])
try: open('/absent/file')
except OSError: pass
""")
r = frec("-q", "-o", "a.frz", "--snap", "32", "--", sys.executable, "script.py")
is_(r.returncode, 0, "a case to extract from")
extract("a.frz", "all.frz")
sound("all.frz", "an extract of everything")
differ = [q for q in queries() if fanalyze("a.frz", "--query", q, "--format", "jsonl").stdout !=
          fanalyze("all.frz", "--query", q, "--format", "jsonl").stdout]
ok(not differ, f"says the same in {len(queries())} queries", differ)
is_(count("all.frz", "events") + count("all.frz", "notes"), 0, "nothing was left out")

# ---- it is another case ----

a, e = (json.loads(fanalyze(c, "--verify", "--format", "json").stdout) for c in ("a.frz", "all.frz"))
ok(a["case_id"] != e["case_id"] and a["chain_head"] != e["chain_head"] and e["sealed"], "it has its own id and chain")
is_([e["extract_of"][k] for k in ("case_id", "chain_head", "events", "state", "filter", "rules_sha256")],
    [a["case_id"], a["chain_head"], a["events"], "sealed", "everything\n", None], "and names its origin")
is_(a["extract_of"], None, "which names none")
like(fanalyze("all.frz", "--verify").stdout, r"an EXTRACT of another case[^$]*This is NOT the original", "--verify says so")
like(fanalyze("all.frz").stdout, "an EXTRACT of case " + a["case_id"], "so does the summary")
fanalyze("all.frz", "--report", "report.html")
like(open("report.html").read(), "an EXTRACT of case " + a["case_id"], "and a report")
r = fanalyze("all.frz", "--export", "strace")
ok(r.returncode == 0 and r.stdout.startswith("# an EXTRACT of case " + a["case_id"]), "and an export as strace", r.stdout[:300])
r = fanalyze("all.frz", "--export", "csv")
ok(r.returncode == 0 and r.stdout.startswith("seq,") and "an EXTRACT of case " + a["case_id"] in r.stderr,
   "one as CSV says it beside its rows", r.stderr)
is_(fanalyze("a.frz", "--export", "csv").stderr, "", "of the original there is nothing to say")
is_(one("all.frz", "SELECT value FROM case_info WHERE key = 'extract_of_chain_head'"), a["chain_head"], "case_info names it")
is_(fanalyze("all.frz", "--verify", "--expect-head", a["chain_head"]).returncode, 1, "the original's chain head is none of it")
for drop in (20, 21, 23, 26, 28, 29):
    c = forge.Case(open("all.frz", "rb").read())
    del c.blocks[0].fields[drop]
    with open("half.frz", "wb") as f:
        f.write(c.build())
    r, s = fanalyze("half.frz", "--verify"), run(sys.executable, READER, "half.frz")
    ok(r.returncode == 1 and s.returncode == 1, f"without field {drop} it is refused", r.stdout, s.stderr)
c = forge.Case(open("a.frz", "rb").read())
c.blocks[0].set(27, bytes(32))
with open("half.frz", "wb") as f:
    f.write(c.build())
r, s = fanalyze("half.frz", "--verify"), run(sys.executable, READER, "half.frz")
ok(r.returncode == 1 and s.returncode == 1, "so is a field of it in an original", r.stdout, s.stderr)
if tool("ssh-keygen"):
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "key"], check=True)
    run(FANALYZE, "a.frz", "--sign", "key", "--as", "alice@ir", "--output", "receipt")
    extract("a.frz", "signed.frz")
    is_([fanalyze("signed.frz", "--verify", *x).returncode for x in (["--require", "signed"], ["--receipt", "receipt"])],
        [4, 1], "signatures and receipts of the original are none of it")
    is_(count("signed.frz", "custody-entries"), 1, "it counts them as left out")
    is_(run(FANALYZE, "signed.frz", "--sign", "key", "--as", "alice@ir").returncode, 0, "it can be signed itself")
    like(fanalyze("signed.frz", "--custody").stdout, "^signed.frz: .*, an EXTRACT of another case, 1 custody",
         "and its custody is that of an extract")
    is_(json.loads(fanalyze("signed.frz", "--custody", "--format", "json").stdout)["extract_of"], a["case_id"], "as JSON, too")

# ---- part of it ----

pids = [r["pid"] for r in rows("a.frz", "SELECT pid FROM processes ORDER BY started")]
extract("a.frz", "pid.frz", "--pid", f"{pids[0]},{pids[-1]}")
sound("pid.frz", "by pid")
same_rows("a.frz", "pid.frz", "by pid", "--pid", f"{pids[0]},{pids[-1]}")
is_({r["pid"] for r in rows("pid.frz", "SELECT pid FROM processes")}, {pids[0], pids[-1]}, "no other process is in it")
is_(one("pid.frz", "SELECT count(*) FROM io_audit WHERE verdict NOT GLOB 'balanced*'"), 0, "its byte counts still balance")
ok(count("pid.frz", "events") > 0 and origin("pid.frz")["filter"] == f"pid: {pids[0]},{pids[-1]}\n", "it says what is missing",
   origin("pid.frz"))
want = rows("a.frz", f"SELECT * FROM fd_bytes WHERE pid IN ({pids[0]}, {pids[-1]})")
is_(sorted(map(str, rows("pid.frz", "SELECT * FROM fd_bytes"))), sorted(map(str, want)), "and every fd is as it was")

for glob in ("/etc/*", os.getcwd() + "/one", "*/three", "*"):
    extract("a.frz", "path.frz", "--path", glob)
    sound("path.frz", f"by path {glob}")
    same_rows("a.frz", "path.frz", f"by path {glob}", "--path", glob)
    os.unlink("path.frz")
    os.unlink("path.sqlite")
extract("a.frz", "path.frz", "--path", os.getcwd() + "/one")
is_({r["path"] for r in rows("path.frz", "SELECT path FROM files_touched WHERE reads + writes + opens > 0")},
    {os.getcwd() + "/one"}, "no other file was touched in it")

times = [r["ts_ns"] for r in rows("a.frz", "SELECT ts_ns FROM timeline ORDER BY ts_ns")]
reads = [r["ts_ns"] for r in rows("a.frz", "SELECT ts_ns FROM timeline WHERE syscall = 'read' AND path GLOB '*/one' ORDER BY ts_ns")]
naps = (reads[-2] + reads[-1]) // 2     # while the script slept


def at(ns):
    return f"@{ns // 10**9}.{ns % 10**9:09d}"


for name, args in (("since", ["--since", at(naps)]), ("until", ["--until", at(naps)]),
                   ("a span", ["--since", at(times[len(times) // 3]), "--until", at(times[-10])]),
                   ("a span of a process", ["--since", at(times[len(times) // 3]), "--pid", str(pids[0])])):
    out = name.replace(" ", "-") + ".frz"
    extract("a.frz", out, *args)
    sound(out, f"by time, {name}")
    same_rows("a.frz", out, f"by time, {name}", *args)
is_(one("since.frz", f"SELECT count(*) FROM processes WHERE cmdline GLOB '*script.py*'"), 1, "who it was is told from before")
read_later = rows("since.frz", "SELECT path, reads FROM fd_bytes WHERE path GLOB '*/one' AND reads > 0")
is_(read_later, [{"path": os.getcwd() + "/one", "reads": 1}], "an fd that was opened before is known")
extract("a.frz", "none.frz", "--until", "@0")
sound("none.frz", "with nothing in it")
is_(one("none.frz", "SELECT count(*) FROM timeline"), 0, "it has no events")

# ---- names ----

os.makedirs("home/alice/secret-project")
with open("alices-tool.py", "w") as f:
    f.write("""
import os, socket, ctypes
base = os.getcwd() + '/home/alice/'
open(base + 'secret-project/plan.txt', 'w').write('the plan of alice')
os.rename(base + 'secret-project/plan.txt', base + 'secret-project/plan2.txt')
os.symlink('../alice/secret-project', base + 'link')
try: os.setxattr(base + 'link', 'user.alice', b'alice', follow_symlinks=False)
except OSError: pass
s = socket.socket(socket.AF_UNIX); s.bind(base + 'sock'); s.listen(); c = socket.socket(socket.AF_UNIX); c.connect(base + 'sock')
d = socket.socket(socket.AF_UNIX); d.bind('\\0alice-abstract')
ctypes.CDLL(None).prctl(15, b'x-of-alice-and', 0, 0, 0)
os.chdir(base); os.stat('secret-project')
os.system('cd ' + base + '; cat secret-project/plan2.txt > /dev/null; /bin/true --user=alice')
""")
env = dict(os.environ, OWNER="alice", HOME=os.getcwd() + "/home/alice")
r = frec("-q", "-o", "n.frz", "--snap", "64", "--env", "--note", "about alice", "--", sys.executable, "alices-tool.py", env=env)
is_(r.returncode, 0, "a case with names in it")


def told(case, word):
    """Where a word is found: in the file, in what its segments hold, in what a reader makes of them."""
    with open(case, "rb") as f:
        data = f.read()
    return [where for where, text in (("file", data), ("segments", run_bytes("zstd", "-dcq", case)),
                                      ("records", json.dumps(dump(case)).encode())) if word in text]


def run_bytes(*argv):
    return subprocess.run(argv, stdout=subprocess.PIPE, check=True).stdout


def rules(name, text):
    with open(name, "w") as f:
        f.write(text)
    return name


ok(len(told("n.frz", b"alice")) >= 2, "the original names alice")
extract("n.frz", "r.frz", "--rules", rules("rules", "# who must not be named\nredact part alice\nredact whole */plan*.txt\n"))
sound("r.frz", "with names redacted")
is_(told("r.frz", b"alice"), [], "the extract does not")
is_(one("r.frz", "SELECT count(*) FROM timeline WHERE path GLOB '*plan*' OR path2 GLOB '*plan*'"), 0, "nor is there that file")
is_(told("r.frz", b"the plan of"), [], "nor what was written to it")
ok(count("r.frz", "buffers") > 0, "which is counted as left out")
want, got = timeline("n.frz"), timeline("r.frz")
ok(len(want) == len(got) and all(w[k] == g[k] for w, g in zip(want, got) for k in
                                 ("ts_ns", "dur_ns", "pid", "tid", "syscall", "fd", "ret", "errno", "bytes")),
   "everything but names is as it was")
ok(any(g["path"] and "[redacted]" in g["path"] for g in got), "with [redacted] for them")
sha = run("sha256sum", "rules").stdout.split()[0]
is_(origin("r.frz")["rules_sha256"], sha, "the rules' hash is in it")
like(fanalyze("r.frz", "--verify").stdout, f"replaced by rules whose SHA-256 is\\s+{sha}", "and told")
key = "key " + "ab" * 32 + "\n"
base = os.getcwd() + "/home"
extract("n.frz", "p1.frz", "--rules", rules("rules", f"pseudonym names {base}\npseudonym part alice\n"))
extract("n.frz", "p2.frz", "--rules", rules("rules", f"pseudonym names {base}\npseudonym part alice\n"))
is_(told("p1.frz", b"alice"), [], "pseudonyms do not name her, either")
names = [{m for r in rows(c, "SELECT path FROM files_touched") for m in re.findall(r"/home/(name-[0-9a-f]{16})", r["path"] or "")}
         for c in ("p1.frz", "p2.frz")]
ok(len(names[0]) == 1 and len(names[1]) == 1 and names[0] != names[1], "a name is the same in an extract, another in another",
   names)
extract("n.frz", "p3.frz", "--rules", rules("rules", key + f"pseudonym names {base}\npseudonym part alice\n"))
extract("n.frz", "p4.frz", "--rules", rules("rules", key + f"pseudonym names {base}\npseudonym part alice\n"), "--path", "*/home/*")
names = [{m for r in rows(c, "SELECT path FROM files_touched") for m in re.findall(r"/home/(name-[0-9a-f]{16})", r["path"] or "")}
         for c in ("p3.frz", "p4.frz")]
ok(len(names[0]) == 1 and names[0] == names[1], "unless the rules have a key", names)
extract("n.frz", "f.frz", "--rules", rules("rules", "redact part alice\n"), "--path", "*/alice/*")
is_(told("f.frz", b"alice"), [], "a filter that names her is not told, either")
ok(one("f.frz", "SELECT count(*) FROM timeline") > 0, "but works")

# ---- names told in other ways than the rules name them ----

with open("tool.py", "w") as f:
    f.write("""
import ctypes, os, socket, struct, sys
name, base = bytes.fromhex('616c696365').decode(), sys.argv[1]
libc = ctypes.CDLL(None, use_errno=True)
os.chdir(base)
open(name + '/in.txt', 'w').close()                             # relative to the folder of names
os.chdir(name)
try: open('../' + name + '/out.txt')
except OSError: pass
try: open('/srv/..' + base + '/./' + name + '/none')            # by a way that is none
except OSError: pass
try: os.stat('../bob/../' + name)
except OSError: pass
fd = os.open('..', os.O_RDONLY | os.O_DIRECTORY)
os.stat(name + '/in.txt', dir_fd=fd)
try: os.stat('carol/none', dir_fd=fd)                           # a name that nothing stands behind
except OSError: pass
try: os.stat('carol')
except OSError: pass
os.rename('in.txt', 'diary.txt')                                # for a `whole`, by its last part only
os.symlink('diary.txt', 'link')
junk = b' '.join([name.encode()] * 12)
for family, address in ((1, b'sock' + bytes(1) + junk), (1, bytes(1) + b'x' + bytes(3) + junk), (1, b'q'),
                        (2, struct.pack('>HI', 9, 0x7f000001) + junk), (16, bytes(10) + junk), (38, junk), (10, bytes(26) + junk)):
    address = struct.pack('<H', family) + address
    s = socket.socket(family if family in (1, 2, 10) else 1, socket.SOCK_DGRAM)
    libc.bind(s.fileno(), address, len(address))
    libc.connect(s.fileno(), address, len(address))
    libc.sendto(s.fileno(), b'x', 1, 0, address, len(address))
    if family == 1: os.fstat(s.fileno())
libc.prctl(15, name.encode() + b' at work', 0, 0, 0)
os.system('echo ' + name + ' ' + name + '@host ' + name + '.txt -u' + ' ' + name + ' > /dev/null')
""")
os.makedirs("homes/alice")
homes = os.getcwd() + "/homes"
env = dict(os.environ, USER="alice", LOGNAME="alice", HOME=homes + "/alice", MAIL="/var/mail/alice")
r = frec("-q", "-o", "o.frz", "--env", "--note", "asked by alice", "--examiner", "alice", "--", sys.executable, "tool.py", homes,
         env=env)
is_(r.returncode, 0, "a case that tells a name in many ways")
ok(len(told("o.frz", b"alice")) >= 2, "it does")
for kind in ("redact", "pseudonym"):
    out = kind + "-names.frz"
    extract("o.frz", out, "--rules", rules("rules", f"{kind} names {homes}\n"))
    sound(out, f"{kind} names")
    is_(told(out, b"alice"), [], "  not told in any way")
    is_(told(out, b"carol"), [], "  nor is one that there was not")
    is_(told(out, b"bob"), [], "  nor one that was passed by")
    ok(told(out, b"diary.txt"), "  everything else is")
want, got = timeline("o.frz"), timeline("pseudonym-names.frz")
ok(len(want) == len(got) and all(w[k] == g[k] for w, g in zip(want, got) for k in
                                 ("ts_ns", "dur_ns", "pid", "tid", "syscall", "fd", "ret", "errno", "bytes")),
   "  everything but names is as it was")
is_(one("pseudonym-names.frz", "SELECT count(*) FROM timeline WHERE detail GLOB '*127.0.0.1:9*'"),
    one("o.frz", "SELECT count(*) FROM timeline WHERE detail GLOB '*127.0.0.1:9*'"), "  and internet addresses are")
extract("o.frz", "part.frz", "--rules", rules("rules", "redact part alice\n"))
sound("part.frz", "redact part")
is_(told("part.frz", b"alice"), [], "  not told in any way")
ok(told("o.frz", b"diary.txt"), "a file that is named by its last part only")
extract("o.frz", "whole.frz", "--rules", rules("rules", f"redact whole {homes}/*/diary*\n"))
sound("whole.frz", "redact whole")
is_(told("whole.frz", b"diary"), [], "  not told in any way")
c = forge.Case(open("o.frz", "rb").read())
for b in c.blocks:
    for key in (10, 13, 16, 64):
        if key in b.fields:
            b.set(key, b.get(key) + b" alice")
with open("o2.frz", "wb") as f:
    f.write(c.build())
extract("o2.frz", "texts.frz", "--rules", rules("rules", "redact part alice\n"))
sound("texts.frz", "names in what a block tells of the recording")
is_(told("texts.frz", b"alice"), [], "  not told, either")

# ---- many events, more than one segment ----

r = frec("-q", "-o", "big.frz", "--", "dd", "if=/dev/zero", "of=/dev/null", "bs=1", "count=300000")
extract("big.frz", "big2.frz")
v = json.loads(fanalyze("big.frz", "--verify", "--format", "json").stdout)
w = json.loads(fanalyze("big2.frz", "--verify", "--format", "json").stdout)
ok(v["segments"] > 1 and w["events"] == v["events"] and w["exit"] == 0, f"{v['segments']} segments", w)
differ = [q for q in ("bytes", "files", "audit", "syscalls", "coverage") if
          fanalyze("big.frz", "--query", q, "--format", "jsonl").stdout !=
          fanalyze("big2.frz", "--query", q, "--format", "jsonl").stdout]
ok(not differ, "come out the same", differ)

# ---- every type of record ----

with open(HERE + "/tests/golden/v1.frz", "rb") as f:
    golden = f.read()
with open("g.frz", "wb") as f:
    f.write(golden)
extract("g.frz", "g2.frz")
sound("g2.frz", "every type of record")
types = [[r["record"] for r in dump(c) if "record" in r] for c in ("g.frz", "g2.frz")]
is_(set(types[1]), set(types[0]) - {0x7f, 0xbf, 0xff}, "the known ones are kept, others dropped")
is_(count("g2.frz", "unknown-records"), 3, "and counted")
is_(count("g2.frz", "unknown-attachments"), 1, "so are attachments")
kinds = [{a["kind"] for r in dump(c) for a in r.get("atts", [])} for c in ("g.frz", "g2.frz")]
is_(kinds[1], kinds[0] - {300}, "whose known kinds are kept")
is_([b["type"] for b in dump("g2.frz") if "block" in b].count("RECOVERY"), 1, "that it was recovered stays known")
extract("g.frz", "g3.frz", "--rules", rules("rules", "redact part a\nredact part e\npseudonym part i\n"))
sound("g3.frz", "nearly every string replaced")

# ---- an original that is not whole ----

c = forge.Case(golden)
c.build()
seal = next(i for i, b in enumerate(c.blocks) if b.kind == forge.SEAL)
with open("u.frz", "wb") as f:
    f.write(golden[:c.begins[seal]])
extract("u.frz", "u2.frz")
sound("u2.frz", "of a case that is not sealed")
is_(origin("u2.frz")["state"], "not sealed", "which it says")
bad = bytearray(golden)
bad[c.begins[2] + 400] ^= 1
with open("d.frz", "wb") as f:
    f.write(bad)
r = fanalyze("d.frz", "--extract", "d2.frz")
ok(r.returncode == 1 and re.search(r"block \d+ at offset \d+", r.stderr) and not os.path.exists("d2.frz"),
   "a damaged case: exit 1, and nothing is left", r.stderr)
extract("d.frz", "d2.frz", "--allow-damaged")
sound("d2.frz", "of a damaged case, when asked for")
ok(origin("d2.frz")["state"] == "damaged" and count("d2.frz", "damaged-places") > 0, "which it says")

# ---- what is refused ----

for name, code, args in (("an existing file", 2, ["a.frz", "--extract", "all.frz"]),
                         ("over itself", 2, ["a.frz", "--extract", "a.frz"]),
                         ("a folder that is not there", 2, ["a.frz", "--extract", "absent/x.frz"]),
                         ("a filter that does not apply", 2, ["a.frz", "--extract", "x.frz", "--failed"]),
                         ("an output besides", 2, ["a.frz", "--extract", "x.frz", "--output", "y"]),
                         ("rules that are none", 2, ["a.frz", "--extract", "x.frz", "--rules", rules("bad", "hide it\n")]),
                         ("rules that are not there", 2, ["a.frz", "--extract", "x.frz", "--rules", "absent"]),
                         ("rules elsewhere", 2, ["a.frz", "--timeline", "--rules", "rules"]),
                         ("what is no case", 1, ["/bin/sh", "--extract", "x.frz"]),
                         ("what is not there", 2, ["absent", "--extract", "x.frz"])):
    before = open("all.frz", "rb").read(), open("a.frz", "rb").read()
    r = fanalyze(*args)
    ok(r.returncode == code and len(r.stderr.strip().split("\n")) == 1 and not os.path.exists("x.frz") and
       before == (open("all.frz", "rb").read(), open("a.frz", "rb").read()), f"refused: {name}", r.returncode, r.stderr)
r = fanalyze("a.frz", "--extract", "x.frz",
             preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000)))
ok(r.returncode == 2 and "cannot be written" in r.stderr and not os.path.exists("x.frz"), "no room: nothing is left", r.stderr)

done()
