#!/usr/bin/env python3
# The database: where it is made, when it is used again, gone on with, made anew or refused.
import sqlite3
import struct

from lib import *

need_ptrace()


def blocks(data):
    """(offset, type, length with its frame) of each block of a case (docs/frz.5)."""
    at, out = 0, []
    while at < len(data):
        size = 8 + struct.unpack_from("<I", data, at + 4)[0]
        frame, field = 0, at + 72
        for _ in range(struct.unpack_from("<I", data, at + 64)[0]):
            key, kind, flags, length = struct.unpack_from("<HBBI", data, field)
            if key == 48:
                frame = struct.unpack_from("<Q", data, field + 8)[0]
            field += 8 + length
        out.append((at, data[at + 12], size + frame))
        at += size + frame
    return out


def put(path, data):
    with open(path, "wb") as f:
        f.write(data)


def everything(db):
    con = sqlite3.connect(f"file:{db}?mode=ro", uri=True)
    views = ["timeline", "files_touched", "fd_bytes", "processes", "connections", "io_audit", "coverage", "observer"]
    all = {v: sorted(con.execute(f"SELECT * FROM {v}").fetchall(), key=repr) for v in views}
    all["case_info"] = [r for r in con.execute("SELECT * FROM case_info")]
    con.close()
    return all


def inode(path):
    return os.stat(path).st_ino


# A case of several segments takes a lot of events.
folder = fresh("case")
case, db = folder + "/long.frz", folder + "/long.sqlite"
script = "i=0; while [ $i -lt 4000 ]; do read x < /etc/hostname; echo $i > %s/out; i=$((i+1)); done; ls /etc > /dev/null; " \
         "cat /etc/passwd > /dev/null; rm %s/out" % (folder, folder)
is_(frec("-q", "-o", case, "--", "/bin/sh", "-c", script).returncode, 0, "recorded")
whole = open(case, "rb").read()
layout = blocks(whole)
segments = [i for i, b in enumerate(layout) if b[1] == 2]
ok(len(segments) >= 3, f"a case of {len(segments)} segments")

# ---- made, used again ----
is_(fanalyze(case).returncode, 0, "analyzed")
ok(os.path.exists(db), "CASE.sqlite stands beside the case")
is_(sorted(os.listdir(folder)), ["long.frz", "long.sqlite"], "and no temporary file")
is_(os.stat(db).st_mode & 0o777, 0o600, "which nobody can read who cannot read the case")
for mode in (0o640, 0o644):
    os.chmod(case, mode)
    fanalyze(case, "--db", f"{folder}/{mode}")
    is_(os.stat(f"{folder}/{mode}").st_mode & 0o777, mode, f"and {mode:o} like a case of that mode")
    os.unlink(f"{folder}/{mode}")
first = inode(db)
want = everything(db)
is_(fanalyze(case, "--timeline", "--limit", "1").returncode, 0, "analyzed again")
is_(inode(db), first, "with the same database")
os.utime(case)
r = fanalyze(case, "--info")
ok(r.returncode == 0, "analyzed after the case was touched", r.returncode, r.stderr)
is_(inode(db), first, "which is the same database, once the case was hashed again")
bad = bytearray(whole)
bad[layout[segments[0]][0] + layout[segments[0]][2] - 20] ^= 1
put(case, bad)
r = fanalyze(case, "--info")
ok(r.returncode == 1 and "block 1" in r.stderr, "a frame changed after the import is noticed", r.returncode, r.stderr)
put(case, whole)
is_(fanalyze(case).returncode, 0, "and the right one is good again")

# ---- made anew ----
con = sqlite3.connect(db)
con.execute("PRAGMA user_version = 77")
con.close()
is_(fanalyze(case).returncode, 0, "a database of another schema version")
con = sqlite3.connect(db)
is_(con.execute("PRAGMA user_version").fetchone()[0], 1, "is made anew")
con.execute("DROP VIEW timeline")
con.execute("CREATE VIEW timeline AS SELECT 'nothing happened' AS seq")
con.commit()
con.close()
r = fanalyze(case, "--sql", "SELECT count(*) AS n FROM timeline", "--format", "csv")
is_(r.stdout, f"n\n{len(want['timeline'])}\n", "a view that was tampered with does not survive")
is_(everything(db), want, "and everything is as it was")

# ---- gone on with ----
sizes = [sum(b[2] for b in layout[:segments[k]]) for k in range(1, len(segments))]
grown = fresh("grown")
gcase, gdb = grown + "/g.frz", grown + "/g.sqlite"
node = None
for k, size in enumerate(sizes):
    put(gcase, whole[:size])
    r = fanalyze(gcase, "--sql", "SELECT max(seq) AS n FROM timeline", "--format", "csv")
    is_(r.returncode, 3, f"a case of {k + 1} segments without a seal: exit 3")
    if k in (0, len(sizes) - 1):
        con = sqlite3.connect(gdb)
        like(con.execute("SELECT value FROM case_info WHERE key = 'verdict'").fetchone()[0], "NOT SEALED", "and case_info says so")
        con.close()
    ok(node in (None, inode(gdb)), "the database is gone on with, not made anew")
    node = inode(gdb)
put(gcase, whole)
is_(fanalyze(gcase).returncode, 0, "then the rest and the seal come")
is_(inode(gdb), node, "the database is gone on with")
got = everything(gdb)
for view in want:
    if view == "case_info":
        skip_keys = ("file",)
        is_({k: v for k, v in got[view] if k not in skip_keys}, {k: v for k, v in want[view] if k not in skip_keys},
            "case_info: as if imported at once")
    else:
        missing, surplus = set(want[view]) - set(got[view]), set(got[view]) - set(want[view])
        ok(got[view] == want[view], f"{view}: as if imported at once", f"missing: {list(missing)[:3]}",
           f"surplus: {list(surplus)[:3]}")

# ---- cut short: truncated ----
put(gcase, whole[:sizes[0] + 50])
r = fanalyze(gcase)
ok(r.returncode == 1 and "truncated" in r.stderr and len(r.stderr.strip().split("\n")) == 1, "cut in a block: one line, exit 1",
   r.returncode, r.stderr)

# ---- refused ----
other = folder + "/other.frz"
is_(frec("-q", "-o", other, "--", "/bin/true").returncode, 0, "another case")
before = open(db, "rb").read()
r = fanalyze(other, "--db", db)
ok(r.returncode == 2 and "another case" in r.stderr and db in r.stderr, "a database of another case is refused", r.stderr)
shutil.copy(other, folder + "/copy.frz")
shutil.copy(db, folder + "/copy.sqlite")
r = fanalyze(folder + "/copy.frz")
ok(r.returncode == 2 and "another case" in r.stderr and "--db" in r.stderr, "also beside the case", r.stderr)
is_(open(db, "rb").read(), before, "and stays what it is")

# ---- elsewhere ----
is_(fanalyze(other, "--db", folder + "/elsewhere.db").returncode, 0, "--db names it")
ok(os.path.exists(folder + "/elsewhere.db") and not os.path.exists(folder + "/other.sqlite"), "and it is there, nowhere else")
open(folder + "/empty.db", "w").close()
is_(fanalyze(other, "--db", folder + "/empty.db").returncode, 0, "an empty file will do as --db")
locked = fresh("locked")
shutil.copy(other, locked + "/o.frz")
os.chmod(locked, 0o555)
os.chmod(tmp, 0o755)


def nobody():
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)


if os.getuid() == 0:
    os.chmod(locked + "/o.frz", 0o644)
    cache = fresh("cache-of-nobody")
    os.chown(cache, 65534, 65534)
    theirs = shutil.copy(FANALYZE, tmp + "/fanalyze-copy")
    os.chmod(theirs, 0o755)
    env = dict(os.environ, XDG_CACHE_HOME=cache)
    r = run(theirs, locked + "/o.frz", preexec_fn=nobody, env=env)
    is_(r.returncode, 0, "a case in a folder that cannot be written to")
    is_(len([f for f in os.listdir(cache + "/fanalyze") if f.endswith(".sqlite")]), 1, "has its database in the cache folder")
    r = run(theirs, locked + "/o.frz", preexec_fn=nobody, env=dict(env, XDG_CACHE_HOME="/proc/no-such"))
    ok(r.returncode == 2 and "--db" in r.stderr, "and without a cache folder the remedy is named", r.returncode, r.stderr)
else:
    skip("a case in a read-only folder", "needs root to become nobody")

# ---- interrupted: nothing is left ----
spot = fresh("interrupted")
put(spot + "/i.frz", whole)
f = start(FANALYZE, spot + "/i.frz")
wait_until(lambda: f.poll() is not None or len(os.listdir(spot)) > 1, every=0.001)
f.send_signal(signal.SIGINT)
f.communicate(timeout=60)
is_([x for x in os.listdir(spot) if x not in ("i.frz", "i.sqlite")], [], f"an import that was interrupted (exit {f.returncode}) leaves no file")
ok(os.path.exists(spot + "/i.sqlite") == (f.returncode == 0), "and a database only if it was done")

# ---- damaged, and wanted nevertheless ----
put(folder + "/bad.frz", bad)
r = fanalyze(folder + "/bad.frz")
is_(r.returncode, 1, "a damaged case: exit 1")
ok(not os.path.exists(folder + "/bad.sqlite"), "and no database")
r = fanalyze(folder + "/bad.frz", "--allow-damaged", "--sql", "SELECT count(*) AS n FROM timeline", "--format", "csv")
is_(r.returncode, 1, "--allow-damaged: exit 1 still")
n = int(r.stdout.split()[1])
ok(0 < n < len(want["timeline"]), f"but {n} of {len(want['timeline'])} events are read")
r = fanalyze(folder + "/bad.frz", "--allow-damaged", "--info")
like(r.stdout, r"verdict\s+DAMAGED", "--info says so")
r = fanalyze(folder + "/bad.frz", "--allow-damaged", "--coverage")
like(r.stdout, r"damaged, events unreadable\s+\d+", "--coverage says how many are gone")
ok("1970-" not in fanalyze(folder + "/bad.frz", "--allow-damaged", "--coverage", "--format", "csv").stdout, "when is not known")
r = fanalyze(folder + "/bad.frz", "--timeline")
is_(r.returncode, 1, "and without it the same database is not used")
is_(r.stdout, "", "nothing is printed")

# ---- the schema's file is what stock SQLite takes for sound ----
con = sqlite3.connect(f"file:{db}?mode=ro", uri=True)
is_(con.execute("PRAGMA integrity_check").fetchone()[0], "ok", "integrity_check")
con.close()
done()
