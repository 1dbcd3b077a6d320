#!/usr/bin/env python3
# What tools that know nothing of us say about a case and its database.
import hashlib
import sqlite3

from lib import *

need_ptrace()
folder, case = fresh("w"), tmp + "/case.frz"
r = frec("-q", "--exhibit", "E-7", "--examiner", "A. Nonymous", "-o", case, "--",
         f"{BUILD}/targets/io", tmp + "/account", folder)
is_(r.returncode, 0, "a case was recorded")
is_sealed(case, "it verifies")
ok(not os.path.exists(case + ".tail"), "no tail is left")

if tool("zstd"):
    r = run("zstd", "-t", "-q", case)
    ok(r.returncode == 0, "zstd -t accepts it", r.stderr)
    raw = subprocess.run(["zstd", "-dc", case], stdout=subprocess.PIPE).stdout
    ok(len(raw) > 1000, "zstd -dc decompresses it")
    info = {r["key"]: r["value"] for r in rows(case, "SELECT key, value FROM case_info")}
    diag("case_info:", ", ".join(sorted(info)))
else:
    skip("zstd -t", "zstd is not installed")

# The seal's prefix, taken from --info as a person would.
r = fanalyze(case, "--info")
is_(r.returncode, 0, "--info works")
m = re.search(r"prefix[ _-]bytes\W+([0-9][0-9,]*)", r.stdout)
h = re.search(r"prefix[ _-]sha256\W+([0-9a-f]{64})", r.stdout)
if ok(m and h, "--info names prefix-bytes and prefix-sha256", r.stdout):
    n = int(m.group(1).replace(",", ""))
    with open(case, "rb") as f:
        got = hashlib.sha256(f.read(n)).hexdigest()
    is_(got, h.group(1), f"SHA-256 of the first {n} bytes is the seal's")
    size = os.path.getsize(case)
    ok(0 < n < size, f"the prefix ({n}) is shorter than the case ({size})")
    sh = subprocess.run(f"head -c {n} '{case}' | sha256sum", shell=True, stdout=subprocess.PIPE, text=True)
    is_(sh.stdout.split()[0], h.group(1), "head -c N | sha256sum agrees")
for text in ("E-7", "A. Nonymous"):
    ok(text in r.stdout, f"--info shows {text}")

# The views: exactly the names and columns that are promised.
VIEWS = {
    "timeline": "seq time ts_ns dur_ns pid tid comm abi syscall fd path path2 ret errno bytes detail",
    "files_touched": "path kind dev ino mode owner grp size mtime opens failures reads writes bytes_read "
                     "bytes_written mapped created deleted renamed executed first_time last_time processes",
    "fd_bytes": "pid comm fd path kind opened closed reads writes bytes_read bytes_written",
    "processes": "pid ppid comm exe cmdline cwd user uid started ended exit_code exit_signal",
    "connections": "pid comm fd family type local remote direction opened closed bytes_read bytes_written",
    "io_audit": "pid tid kernel_read kernel_written recorded_read recorded_written verdict",
    "coverage": "pid tid what count first_time detail",
    "observer": "pid tid what count total_ns detail",
    "case_info": "key value",
}
db = tmp + "/case.sqlite"
ok(os.path.exists(db), "the database lies beside the case")
con = sqlite3.connect(f"file:{db}?mode=ro", uri=True)
for view, columns in VIEWS.items():
    got = [d[1] for d in con.execute(f"PRAGMA table_info({view})")]
    is_(got, columns.split(), f"columns of {view}")
    is_(con.execute("SELECT type FROM sqlite_master WHERE name = ?", (view,)).fetchone(), ("view",),
        f"{view} is a view")
if tool("sqlite3"):
    for view in VIEWS:
        r = run("sqlite3", "-readonly", db, f"SELECT COUNT(*) FROM {view}")
        is_(r.stdout.strip(), str(one(case, f"SELECT COUNT(*) FROM {view}")),
            f"sqlite3 counts the rows of {view} as fanalyze does")
    r = run("sqlite3", "-readonly", db, "PRAGMA integrity_check; PRAGMA foreign_key_check;")
    is_(r.stdout.strip(), "ok", "sqlite3 finds the database sound")
else:
    skip("sqlite3", "sqlite3 is not installed")
total = con.execute("SELECT COUNT(*), MIN(seq), MAX(seq) FROM timeline").fetchone()
is_(total[1:], (1, total[0]), "seq runs from 1 to the number of events without a gap")
con.close()

# The first row is the command's own execve; time is ISO 8601 with nanoseconds and agrees with ts_ns.
first = rows(case, "SELECT * FROM timeline ORDER BY seq LIMIT 1")[0]
is_(first["syscall"], "execve", "the first row is the command's execve")
like(first["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$", "time is ISO 8601, ns, UTC")
age = time.time() - first["ts_ns"] / 1e9
ok(-1 < age < 600, "ts_ns is real time in nanoseconds", age)
last = rows(case, "SELECT * FROM timeline ORDER BY seq DESC LIMIT 1")[0]
is_((last["syscall"], last["ret"]), ("exit_group", None), "the last row is exit_group, which never returns")

done()
