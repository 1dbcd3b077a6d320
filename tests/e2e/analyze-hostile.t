#!/usr/bin/env python3
# Names that their makers chose against the reader: line ends, escape sequences, markup, bytes that
# are not UTF-8. What people see holds no control character; what programs read is exact.
import csv
import io
import sqlite3

from lib import *

need_ptrace()

w = fresh("w")
NAMES = [
    b"new\nline", b"tab\tand\rreturn", b"\x1b[2J\x1b[31mred\x1b[0m", b"\x1b]0;title\x07", b"bell\x07\x08\x7f",
    "c1\u009b31m".encode(), "evil\u202egpj.exe".encode(), "zero\u200bwidth\ufeff".encode(),
    b"\xff\xfe not utf-8 \xc3", b"\xed\xa0\x80surrogate", b"<script>alert('x')&\"<img src=x>", b"a,b;\"c\"", b"=1+1",
    b"-rf", b" leading and trailing ", b"'; DROP TABLE events; --", b"%s%n%x", b"x" * 255, "\u00e4\u65e5\U0001f600".encode(),
    b"back\\slash\\x41", b"{\"json\": 1}", b"${HOME}`id`$(id)",
]
script = f"""
import os, sys
os.chdir({w!r})
for name in {NAMES!r}:
    fd = os.open(name, os.O_WRONLY | os.O_CREAT, 0o600)
    os.write(fd, b"12345")
    os.close(fd)
    os.rename(name, name[:250] + b".old")
    os.unlink(name[:250] + b".old")
d = b"y" * 200
for i in range(22):                     # a path of more than 4,096 bytes, a step at a time
    os.mkdir(d); os.chdir(d)
try: os.open(b"z" * 5000, os.O_RDONLY)
except OSError: pass
os.close(os.open(b"deep", os.O_WRONLY | os.O_CREAT, 0o600))
if os.fork() == 0:
    os.execv("/bin/true", [b"tr\\x1b[2Jue", b"a\\nb", b"\\xff", b"two words", b"", b"it's"])
os.wait()
"""
case, db = tmp + "/h.frz", tmp + "/h.sqlite"
r = frec("-q", "-o", case, "--note", "a\x1b[2Jb", "--", sys.executable, "-S", "-c", script)
is_(r.returncode, 0, "recorded")
is_(fanalyze(case, "--verify").returncode, 0, "verifies")
is_(fanalyze(case).returncode, 0, "analyzed")

# ---- the database: the bytes are there, and everything is UTF-8 ----
con = sqlite3.connect(f"file:{db}?mode=ro", uri=True)
con.text_factory = bytes
stored = {r[0] for r in con.execute("SELECT coalesce(raw, text) FROM strings")}
prefix = w.encode() + b"/"
missing = [n for n in NAMES if prefix + n not in stored]
is_(missing, [], "every name is stored byte for byte")
bad = []
for table, in con.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
    names = [c[1].decode() for c in con.execute(f"PRAGMA table_info({table.decode()})") if c[2] != b"BLOB"]
    for r in con.execute(f"SELECT {', '.join(names)} FROM {table.decode()}"):
        for v in r:
            if isinstance(v, bytes):
                try:
                    if "\0" in v.decode():
                        bad.append(v)
                except UnicodeDecodeError:
                    bad.append(v)
is_(bad[:3], [], "and every text is UTF-8 without NUL")
con.text_factory = str


def shown(name):
    """As the database has it: stray bytes as \\xNN."""
    out = ""
    rest = name
    while rest:
        try:
            return out + rest.decode()
        except UnicodeDecodeError as e:
            out += rest[:e.start].decode() + f"\\x{rest[e.start]:02x}"
            rest = rest[e.start + 1:]
    return out


for n in NAMES:
    r = con.execute("SELECT writes, bytes_written, renamed FROM files_touched WHERE path = ?", (w + "/" + shown(n),)).fetchall()
    ok(r == [(1, 5, 1)], f"files_touched: {n[:40]!r}", r)
r = con.execute("SELECT cmdline FROM processes WHERE cmdline LIKE 'tr%' OR cmdline LIKE '''tr%'").fetchall()
ok(len(r) == 1 and r[0][0] == "'tr\x1b[2Jue' 'a\nb' '\\xff' 'two words' '' 'it'\\''s'", "processes: a command line that tells its arguments apart", r)
r = con.execute("SELECT errno FROM timeline WHERE detail LIKE '%zzzzzz%' OR path LIKE '%zzzzzz%'").fetchall()
ok(len(r) >= 1 and r[0][0] == "ENAMETOOLONG", "timeline: a path longer than the kernel takes", r)

# ---- what people see ----
NASTY = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")
for args in ([], ["--timeline"], ["--files"], ["--bytes"], ["--processes"], ["--failures"], ["--coverage"], ["--info"],
             ["--verify"], ["--query", "alerts"], ["--query", "destroyed"], ["--query", "renamed"], ["--export", "strace"],
             ["--sql", "SELECT * FROM timeline"], ["--sql", "SELECT path FROM files_touched"]):
    r = fanalyze(case, *args)
    m = NASTY.search(r.stdout + r.stderr)
    ok(r.returncode == 0 and not m, f"{' '.join(args) or 'the summary'}: no control character in text",
       r.returncode, m and repr(r.stdout[max(0, m.start() - 60):m.end() + 20]))
    try:
        r.stdout.encode()
        good = True
    except UnicodeEncodeError:
        good = False
    ok(good, f"{' '.join(args) or 'the summary'}: and it is UTF-8")
text = fanalyze(case, "--sql", "SELECT path FROM files_touched WHERE path LIKE '%red%' LIMIT 1").stdout
like(text, re.escape("\\x1b[2J\\x1b[31mred"), "an escape sequence is shown as what it is")
lines = fanalyze(case, "--sql", "SELECT path FROM files_touched WHERE writes > 0 AND path LIKE '/%'").stdout.split("\n")
ok(len(lines) >= len(NAMES), "a line end in a name does not make a row of its own")

# ---- what programs read ----
r = subprocess.run([FANALYZE, case, "--sql", "SELECT path FROM files_touched WHERE writes = 1", "--format", "csv"],
                   stdout=subprocess.PIPE)      # as bytes: a text pipe would translate line ends
got = {x[0] for x in csv.reader(io.StringIO(r.stdout.decode(), newline=""))}
is_([n for n in NAMES if w + "/" + shown(n) not in got], [], "CSV: every name, exactly")
odd, name = tmp + "/odd.frz", "a\x9b2J\u202eb\x7f\x1b[31m\u200b"
frec("-q", "-o", odd, "--exhibit", name, "--examiner", name, "--", "/bin/true")
for args in (["--verify"], ["--info"], ["--custody"]):
    r = fanalyze(odd, *args, "--format", "json")
    ok(not NASTY.search(r.stdout), f"{args[0]}: no control character in JSON", repr(r.stdout))
    json.loads(r.stdout)
is_(json.loads(fanalyze(odd, "--verify", "--format", "json").stdout)["exhibit"], name, "and it is all there")
for form in ("json", "jsonl"):
    r = fanalyze(case, "--sql", "SELECT path FROM files_touched WHERE writes = 1", "--format", form)
    got = json.loads(r.stdout) if form == "json" else [json.loads(x) for x in r.stdout.split("\n") if x]
    is_([n for n in NAMES if w + "/" + shown(n) not in [x["path"] for x in got]], [], f"{form}: every name, exactly")
    ok(not NASTY.search(r.stdout), f"{form}: and harmless on a terminal")
    if form == "jsonl":
        is_(len(r.stdout.split("\n")) - 1, len(got), "jsonl: one line a row")
if tool("script"):
    # util-linux script(1) gives it a terminal
    r = run("script", "-qec", f"'{FANALYZE}' '{case}' --files --format csv --quiet", "/dev/null")
    ok("\x1b" not in r.stdout and "\\x1b[2J" in r.stdout, "CSV on a terminal: no escape sequence", repr(r.stdout[:300]))
else:
    skip("CSV on a terminal", "script is not installed")
report = tmp + "/r.html"
is_(fanalyze(case, "--report", report).returncode, 0, "the report is made")
html = open(report, errors="strict").read()
ok("<script" not in html and "&lt;script&gt;alert(&#39;x&#39;)&amp;&quot;&lt;img" in html and not NASTY.search(html.replace("\t", "")),
   "HTML: no markup but ours, no control character")
r = fanalyze(case, "--files", "--path", w + "/back\\slash*", "--format", "csv")
ok(r.returncode == 0, "--path with a backslash", r.stderr)
r = fanalyze(case, "--timeline", "--path", w + "/'; DROP TABLE*", "--format", "jsonl")
ok(r.returncode == 0 and len(r.stdout.split("\n")) > 2, "--path is a value, not SQL", r.stderr)
con.close()

# a case and an output whose own names are nasty
evil = tmp + "/ev\x1b[2Jil\n.frz"
shutil.copy(case, evil)
r = fanalyze(evil, "--pid", "1", "--info")
ok("\x1b" not in r.stderr and len(r.stderr.strip().split("\n")) == 1, "a message about a nasty name is one harmless line", repr(r.stderr))
r = fanalyze(tmp + "/no\x1b[2J\nsuch.frz")
ok("\x1b" not in r.stderr and len(r.stderr.strip().split("\n")) == 1, "also about one that is not there", repr(r.stderr))
r = fanalyze(evil, "--info")
ok(r.returncode == 0 and not NASTY.search(r.stdout), "its --info is harmless too")
done()
