#!/usr/bin/env python3
# The views that others rely on: exact columns, values against what a script is known to have done,
# the canned queries, the filters, and the same rows in every format.
import csv
import fcntl
import io
import pty
import sqlite3
import struct
import termios

from lib import *

need_ptrace()

VIEWS = {
    "timeline": "seq time ts_ns dur_ns pid tid comm abi syscall fd path path2 ret errno bytes detail",
    "files_touched": "path kind dev ino mode owner grp size mtime opens failures reads writes bytes_read bytes_written "
                     "mapped created deleted renamed executed first_time last_time processes",
    "fd_bytes": "pid comm fd path kind opened closed reads writes bytes_read bytes_written",
    "processes": "pid ppid comm exe cmdline cwd user uid started ended exit_code exit_signal",
    "connections": "pid comm fd family type local remote direction opened closed bytes_read bytes_written",
    "io_audit": "pid tid kernel_read kernel_written recorded_read recorded_written verdict",
    "coverage": "pid tid what count first_time detail",
    "observer": "pid tid what count total_ns detail",
    "case_info": "key value",
}

w = fresh("w")
case, db = tmp + "/v.frz", tmp + "/v.sqlite"
script = f"""
import os, socket, sys
os.chdir({w!r})
with open("a", "w") as f: f.write("x" * 5000)
with open("a") as f: f.read()
os.chmod("a", 0o640)
os.rename("a", "b")
with open("victim", "w") as f: f.write("gone")
os.unlink("victim")
with open("cut", "w") as f: f.write("0123456789")
open("cut", "w").close()
os.mkdir("d"); os.rmdir("d")
os.symlink("b", "l")
try: open("/no/such/file")
except OSError: pass
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen()
c = socket.create_connection(s.getsockname()); t, _ = s.accept()
c.sendall(b"hello"); t.recv(100); c.close(); t.close(); s.close()
pid = os.fork()
if pid == 0:
    os.execv("/bin/sh", ["sh", "-c", "exit 3"])
os.waitpid(pid, 0)
pid = os.fork()
if pid == 0:
    os.kill(os.getpid(), 9)
os.waitpid(pid, 0)
"""
r = frec("-q", "-o", case, "--exhibit", "E-7", "--", sys.executable, "-S", "-c", script)
is_(r.returncode, 0, "recorded")
is_(fanalyze(case).returncode, 0, "analyzed")

# ---- columns, by other programs than ours ----
con = sqlite3.connect(f"file:{db}?mode=ro", uri=True)
con.row_factory = sqlite3.Row
for view, columns in VIEWS.items():
    cursor = con.execute(f"SELECT * FROM {view}")
    is_([c[0] for c in cursor.description], columns.split(), f"{view}: its columns")
if tool("sqlite3"):
    r = run("sqlite3", "-readonly", "-csv", "-header", db, "SELECT * FROM timeline LIMIT 3")
    is_(r.stdout.split("\n")[0].strip(), VIEWS["timeline"].replace(" ", ","), "the stock sqlite3 reads them")
else:
    skip("the stock sqlite3 reads them", "sqlite3 is not installed")


def q(sql, *args):
    return [dict(r) for r in con.execute(sql, args)]


def row(view, **want):
    """The rows of a view with these values."""
    return q(f"SELECT * FROM {view} WHERE " + " AND ".join(f"{k} = ?" for k in want), *want.values())


# ---- timeline ----
times = [r["ts_ns"] for r in q("SELECT ts_ns FROM timeline")]
is_(times, sorted(times), "timeline: in order of time as it comes")
bad = q("SELECT time, ts_ns FROM timeline WHERE time <> strftime('%Y-%m-%dT%H:%M:%S', ts_ns / 1000000000, 'unixepoch')"
        " || printf('.%09dZ', ts_ns % 1000000000)")
is_(bad, [], "timeline: time is ts_ns as ISO 8601")
r = q("SELECT * FROM timeline WHERE path = '/no/such/file'")
ok(len(r) == 1 and r[0]["errno"] == "ENOENT" and r[0]["ret"] == -2 and r[0]["bytes"] is None and "O_RDONLY" in r[0]["detail"],
   "timeline: a failed open", r)
r = q("SELECT * FROM timeline WHERE path = ? AND bytes = 5000 ORDER BY seq", w + "/a")
ok([x["syscall"] for x in r] == ["write", "read"] and all(x["fd"] is not None and x["ret"] == 5000 for x in r),
   "timeline: what was written and read", r)
r = q("SELECT * FROM timeline WHERE syscall = 'rename' OR syscall = 'renameat2'")
ok(len(r) == 1 and (r[0]["path"], r[0]["path2"]) == (w + "/a", w + "/b"), "timeline: both paths of a rename", r)
is_(len(q("SELECT * FROM timeline WHERE syscall = 'exit_group' AND ret IS NOT NULL")), 0, "timeline: exit_group never returns")
ok(len(q("SELECT * FROM timeline WHERE syscall = 'exit_group'")) >= 1, "timeline: but it is there")

# ---- files_touched ----
f = row("files_touched", path=w + "/a")[0]
ok((f["kind"], f["opens"], f["writes"], f["reads"] >= 1, f["bytes_written"], f["bytes_read"], f["created"], f["renamed"], f["deleted"]) ==
   ("file", 2, 1, True, 5000, 5000, 1, 1, 0), "files_touched: written, read and renamed", dict(f))
like(f["mtime"] or "", r"^\d{4}-\d\d-\d\dT", "files_touched: with its time")
f = row("files_touched", path=w + "/b")[0]
is_(len(row("files_touched", path=w + "/b")), 1, "files_touched: the new name is one row")
f = row("files_touched", path=w + "/victim")[0]
ok((f["deleted"], f["size"], f["created"], f["mode"], f["owner"] is not None) == (1, 4, 1, "0644", True),
   "files_touched: what was destroyed, as it was", dict(f))
f = row("files_touched", path=w + "/cut")[0]
ok((f["size"], f["opens"], f["deleted"]) == (10, 2, 0), "files_touched: what was cut, as it was", dict(f))
f = row("files_touched", path=w + "/d")[0]
ok((f["created"], f["deleted"]) == (1, 1), "files_touched: a directory made and removed", dict(f))
f = row("files_touched", path=w + "/l")[0]
is_(f["created"], 1, "files_touched: a link made")
f = row("files_touched", path="/no/such/file")[0]
ok((f["failures"], f["opens"], f["ino"], f["kind"]) == (1, 0, None, None), "files_touched: one that is not there", dict(f))
sh = [x for x in q("SELECT * FROM files_touched WHERE executed > 0") if x["path"].endswith("sh")]
ok(len(sh) == 1 and sh[0]["executed"] == 1, "files_touched: the shell was executed once", sh)
is_(len(q("SELECT path, dev, ino, count(*) AS n FROM files_touched GROUP BY 1, 2, 3 HAVING n > 1")), 0, "files_touched: no row twice")

# ---- processes ----
p = q("SELECT * FROM processes ORDER BY started")
is_(len(p), 3, "processes: three")
ok((p[0]["exit_code"], p[0]["exit_signal"]) == (0, None) and p[0]["cwd"] is not None, "processes: the first ended well", p[0])
ok((p[1]["exit_code"], p[1]["exit_signal"], p[1]["cmdline"], p[1]["ppid"]) == (3, None, "sh -c 'exit 3'", p[0]["pid"]),
   "processes: the second's code and command line", p[1])
ok((p[2]["exit_code"], p[2]["exit_signal"]) == (None, 9), "processes: the third's signal", p[2])
ok(all(x["started"] and x["ended"] and x["started"] < x["ended"] for x in p), "processes: each started before it ended", p)

# ---- connections, fd_bytes ----
c = q("SELECT * FROM connections WHERE family = 'inet'")
by = {x["direction"]: x for x in c}
ok(set(by) == {"in", "out", "listen"} and by["out"]["remote"] == by["in"]["local"] == by["listen"]["local"] and
   by["out"]["local"] == by["in"]["remote"] and by["out"]["bytes_written"] == 5 == by["in"]["bytes_read"] and
   by["out"]["type"] == "stream", "connections: both ends and the listener", c)
b = q("SELECT * FROM fd_bytes WHERE path = ?", w + "/a")
ok(len(b) == 2 and all(x["opened"] and x["closed"] and x["opened"] < x["closed"] for x in b) and
   sorted((x["bytes_read"], x["bytes_written"]) for x in b) == [(0, 5000), (5000, 0)], "fd_bytes: a row each time it was open", b)
is_(q("SELECT * FROM fd_bytes WHERE closed IS NULL"), [], "fd_bytes: all are closed at the end")
is_({r["verdict"] for r in q("SELECT verdict FROM io_audit")}, {"balanced"}, "io_audit: balanced")

# ---- every query, every format ----
names = [line.split()[0] for line in fanalyze("--list-queries").stdout.split("\n") if line]
ok(len(names) >= 30, f"--list-queries names {len(names)}")
for name in names:
    r = {f: fanalyze(case, "--query", name, "--format", f) for f in ("text", "csv", "json", "jsonl")}
    good = all(x.returncode == 0 and not x.stderr for x in r.values())
    try:
        c = list(csv.reader(io.StringIO(r["csv"].stdout, newline="")))
        j = json.loads(r["json"].stdout)
        l = [json.loads(x) for x in r["jsonl"].stdout.split("\n") if x]
        same = j == l and len(c) - 1 == len(j) and all(list(x) == c[0] for x in j) and \
            all([("" if v is None else str(v)) for v in x.values()] == y for x, y in zip(j, c[1:]))
    except ValueError as e:
        same, good = False, e
    ok(good is True and same, f"--query {name}: the same {len(j)} rows as csv, json and jsonl", good,
       *[x.stderr for x in r.values()])
    wide = [x for x in r["text"].stdout.split("\n") if len(x) > 100]
    is_(wide[:2], [], f"--query {name}: text within 100 columns")
for action in ("--timeline", "--files", "--bytes", "--processes", "--connections", "--failures", "--info", "--coverage"):
    a, b = fanalyze(case, action, "--format", "csv"), fanalyze(case, "--query", action[2:], "--format", "csv")
    ok(a.returncode == 0 and a.stdout == b.stdout, f"{action} is the query of that name")
is_(fanalyze(case, "--timeline", "--format", "csv").stdout.split("\n")[0], VIEWS["timeline"].replace(" ", ","), "CSV has a header row")

# ---- a terminal: as wide as it is, and no narrower than 80 ----
def on_terminal(columns, *args):
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    p = subprocess.Popen([FANALYZE, case, *args], stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs)
    os.close(theirs)
    out = b""
    while True:
        try:
            got = os.read(ours, 65536)
        except OSError:
            break
        if not got:
            break
        out += got
    os.close(ours)
    is_(p.wait(), 0, f"{args} on a terminal of {columns} columns")
    return [len(line) for line in out.decode().split("\r\n")]


for columns in (40, 80, 132):
    for action in ("--timeline", "--files", "--bytes", "--processes", "--connections", "--failures", "--info", "--verify"):
        n = max(on_terminal(columns, action))
        ok(n <= max(80, columns), f"{action}: the longest line has {n}")
ok(max(on_terminal(132, "--timeline")) > 80, "what there is room for is used")

# ---- filters ----
me, child = p[0]["pid"], p[1]["pid"]


def timeline(*filters):
    r = fanalyze(case, "--timeline", "--format", "jsonl", *filters)
    return [json.loads(x) for x in r.stdout.split("\n") if x]


every = timeline()
for filters, good in [
        (("--pid", str(child)), lambda x: x["pid"] == child),
        (("--pid", f"{child},{p[2]['pid']}"), lambda x: x["pid"] in (child, p[2]["pid"])),
        (("--syscall", "read,write"), lambda x: x["syscall"] in ("read", "write")),
        (("--failed",), lambda x: x["errno"] is not None),
        (("--path", w + "/*"), lambda x: any((x[k] or "").startswith(w + "/") for k in ("path", "path2"))),
        (("--since", every[50]["time"]), lambda x: x["ts_ns"] >= every[50]["ts_ns"]),
        (("--until", f"@{every[50]['ts_ns'] // 10**9}.{every[50]['ts_ns'] % 10**9:09}"), lambda x: x["ts_ns"] < every[50]["ts_ns"]),
        (("--failed", "--syscall", "openat", "--pid", str(me)),
         lambda x: x["errno"] and x["syscall"] == "openat" and x["pid"] == me)]:
    want = [x for x in every if good(x)]
    got = timeline(*filters)
    ok(want and got == want, f"--timeline {' '.join(filters).replace(tmp, '.')}: {len(want)} of {len(every)}", f"got {len(got)}")
is_(timeline("--limit", "7"), every[:7], "--limit")
is_(timeline("--path", "/nothing/*"), [], "a filter that nothing passes")
r = fanalyze(case, "--timeline", "--path", "/nothing/*")
is_((r.returncode, r.stdout), (0, "(none)\n"), "is not an error, and says so")
r = fanalyze(case, "--info", "--pid", "5")
ok(r.returncode == 2 and "--pid" in r.stderr, "a filter that does not apply is refused", r.stderr)

# ---- summary, export, report, output ----
r = fanalyze(case)
for word in ("case ", "E-7", "sealed and whole", "balances to the byte", "not seen", "Processes", "Destroyed"):
    ok(word in r.stdout, f"the summary says '{word}'")
r = fanalyze(case, "--format", "json")
ok({"key": "exhibit", "value": "E-7"} in json.loads(r.stdout), "the summary as JSON")
r = fanalyze(case, "--export", "strace")
lines = r.stdout.split("\n")[:-1]
is_(len(lines), len(every), "--export strace: a line a call")
bad = [x for x in lines if not re.match(r"^\d+ \d+\.\d{6} [\w.]+\(.*\) = (\?|-?\d+( [A-Z0-9]+)?) <\d+\.\d{6}>$", x)]
is_(bad[:3], [], "--export strace: each of the known form")
r = fanalyze(case, "--export", "nonsense")
ok(r.returncode == 2 and "nonsense" in r.stderr, "--export of an unknown format", r.stderr)
report = tmp + "/report.html"
is_(fanalyze(case, "--report", report).returncode, 0, "--report")
html = open(report).read()
info = {r["key"]: r["value"] for r in q("SELECT * FROM case_info")}
is_([k for k in ("case_id", "chain_head", "verdict") if info[k] not in html], [], "the report carries case id, chain head and verdict")
ok(not re.search(r"<script|src=|href=\"(?!#)|@import|url\(", html), "and needs nothing from elsewhere")
r = fanalyze(case, "--report", report)
ok(r.returncode == 2 and "exists" in r.stderr, "a report that exists is not overwritten", r.stderr)
is_(fanalyze(case, "--files", "--format", "csv", "--output", tmp + "/files.csv").returncode, 0, "--output")
is_(open(tmp + "/files.csv").read(), fanalyze(case, "--files", "--format", "csv").stdout, "has what standard output would have")
r = fanalyze(case, "--sql", "SELECT * FROM nowhere", "--output", tmp + "/never")
ok(r.returncode == 2 and not os.path.exists(tmp + "/never"), "SQL that fails leaves no file", r.stderr)

# ---- who it was, what it did to the system ----
system = tmp + "/system.frz"
r = frec("-q", "-o", system, "--", sys.executable, "-S", "-c", f"""
import ctypes, os, signal
libc = ctypes.CDLL(None)
os.chdir({w!r})
signal.signal(signal.SIGUSR1, lambda *a: None); os.kill(os.getpid(), signal.SIGUSR1)
libc.setxattr(b"b", b"user.x", b"y", 1, 0); libc.removexattr(b"b", b"user.x")     # worked or not
libc.unshare(0x400)                                     # CLONE_FILES
if os.getuid() == 0: os.setuid(65534)
""")
is_(r.returncode, 0, "recorded") or diag(r.stderr)
if os.getuid() == 0:
    is_(rows(system, "SELECT uid, user FROM processes"), [{"uid": 65534, "user": None}],
        "of who became another the name is not told, for it is not known")
    like(fanalyze(system, "--processes").stdout, r"\b65534\b", "people get the number")
said = {q: json.loads(fanalyze(system, "--query", q, "--format", "json").stdout) for q in ("xattrs", "namespaces", "signals")}
is_([(x["syscall"], x["path"]) for x in said["xattrs"]], [("setxattr", w + "/b"), ("removexattr", w + "/b")], "extended attributes")
is_([(x["syscall"], x["detail"]) for x in said["namespaces"]], [("unshare", "CLONE_FILES")], "namespaces")
is_([(x["signal"], x["name"], x["what"]) for x in said["signals"]], [(10, "SIGUSR1", "delivered")], "signals have their names")

# what the kernel wrote of a core is no call's, and it is said where that comes from
cored = tmp + "/cored.frz"
r = frec("-q", "-o", cored, "--", "sh", "-c", "ulimit -c unlimited; kill -SEGV $$", cwd=fresh("core"))
is_(r.returncode, -11, "recorded a crash")
like(one(cored, "SELECT verdict FROM io_audit"), r"^(balanced|differs by -\d+ written, and a core was dumped)$", "its audit explains the core")

# ---- the manual ----
manual = open(HERE + "/docs/fanalyze.1").read()
help = fanalyze("--help").stdout
is_([o for o in re.findall(r"^  --([a-z-]+)", help, re.M) if not re.search(rf"Fl -{o}\b", manual)], [],
    "the manual has every option of --help")
is_([x for x in help.split("\n") if len(x) > 80], [], "--help fits 80 columns")
is_([x for x in frec("--help").stdout.split("\n") if len(x) > 80], [], "and that of frec")
plain = re.sub(r"\s+", " ", manual)
is_([v for v, c in VIEWS.items() if c.replace(" ", ", ") not in plain], [], "the manual has every view's columns")

# ---- --sql ----
r = fanalyze(case, "--sql", "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5) SELECT sum(i) AS s FROM n",
             "--format", "csv")
is_(r.stdout, "s\n15\n", "--sql takes any SELECT")
r = fanalyze(case, "--sql", "SELECT NULL AS n, 1.5 AS f, x'00ff' AS b, '' AS e", "--format", "json")
is_(json.loads(r.stdout), [{"n": None, "f": 1.5, "b": "00ff", "e": ""}], "every kind of value")
for sql in ("SELECT load_extension('/tmp/x.so')", "SELECT writefile('/tmp/x', 'y')", "PRAGMA journal_mode = DELETE"):
    r = fanalyze(case, "--sql", sql)
    ok(r.returncode == 2 and len(r.stderr.strip().split("\n")) == 1, f"refused: {sql}", r.returncode, r.stderr)
r = fanalyze(case, "--sql", "SELECT zeroblob(2000000000)")
ok(r.returncode == 2 and len(r.stderr.strip().split("\n")) == 1, "refused: a value of 2 GB", r.returncode, r.stderr)
con.close()
done()
