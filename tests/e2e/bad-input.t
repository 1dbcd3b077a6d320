#!/usr/bin/env python3
# Everything bad gets one line that names the object and the remedy, and the right exit code.
import ctypes
import sqlite3

from lib import *

need_ptrace()


def refused(result, code, name, *patterns):
    """One line on standard error, nothing on standard output, the exit code, and these words."""
    lines = [line for line in result.stderr.split("\n") if line]
    good = (result.returncode == code and len(lines) == 1 and not result.stdout and
            all(re.search(p, result.stderr, re.I) for p in patterns))
    ok(good, name, f"exit {result.returncode}, wanted {code}; patterns {patterns}",
       "stderr: " + result.stderr, "stdout: " + result.stdout[:200])


n = 0
def case_name():
    global n
    n += 1
    return f"{tmp}/n{n}.frz"


def no_case(path, name):
    ok(not os.path.exists(path) and not os.path.exists(path + ".tail"), f"{name}: leaves no file")


# ---- frec: the command line ----
USAGE = [
    ("no arguments", []),
    ("no output", ["-p", "1"]),
    ("no target", ["-o", "CASE"]),
    ("an unknown option", ["--frobnicate", "-o", "CASE", "-p", "1"]),
    ("an unknown letter", ["-Z", "-o", "CASE", "-p", "1"]),
    ("a pid that is no number", ["-p", "abc", "-o", "CASE"], "abc"),
    ("a pid with rubbish behind", ["-p", "12x", "-o", "CASE"], "12x"),
    ("a negative pid", ["-p", "-5", "-o", "CASE"], "-5"),
    ("pid 0", ["-p", "0", "-o", "CASE"], "0"),
    ("an overflowing pid", ["-p", "99999999999999999999", "-o", "CASE"], "99999999999999999999"),
    ("an empty pid", ["-p", "", "-o", "CASE"]),
    ("a pid and a command", ["-p", "1", "-o", "CASE", "--", "true"]),
    ("an unknown class", ["-e", "nonsense", "-o", "CASE", "--", "true"], "nonsense"),
    ("a bad duration", ["--duration", "soon", "-o", "CASE", "--", "true"], "soon"),
    ("a bad size", ["--max-size", "huge", "-o", "CASE", "--", "true"], "huge"),
    ("a bad count", ["--max-events", "-1", "-o", "CASE", "--", "true"], "-1"),
    ("a bad snap", ["--snap", "x", "-o", "CASE", "--", "true"], "snap"),
    ("a bad placement", ["--placement", "moon", "-o", "CASE", "--", "true"], "moon"),
    ("a bad case id", ["--case-id", "xyz", "-o", "CASE", "--", "true"], "xyz"),
]
for name, args, *patterns in USAGE:
    case = case_name()
    refused(frec(*[case if a == "CASE" else a for a in args]), 2, f"frec: {name}", *patterns)
    no_case(case, name)

# ---- frec: targets that cannot be traced ----
def pid_refused(pid, name, *patterns, **kw):
    case = case_name()
    refused(frec("-p", str(pid), "-o", case, timeout=30, **kw), 1, f"frec: {name}", *patterns)
    no_case(case, name)


p = start("/bin/true")
p.wait()
pid_refused(p.pid, "an absent process", str(p.pid), "no such process|not there|does not exist|gone")
zombie = os.fork()
if zombie == 0:
    os._exit(0)
wait_until(lambda: open(f"/proc/{zombie}/stat").read().rsplit(")", 1)[1].split()[0] == "Z")
pid_refused(zombie, "a zombie", str(zombie), "zombie")
os.waitpid(zombie, 0)
kthread = next((d for d in os.listdir("/proc") if d.isdigit() and d != "1" and
                int(open(f"/proc/{d}/stat").read().rsplit(")", 1)[1].split()[6]) & 0x200000), None)
if kthread:
    pid_refused(kthread, "a kernel thread", kthread, "kernel thread")
else:
    skip("frec: a kernel thread", "none is visible here")

if tool("strace"):
    victim = start("sleep", "60")
    other = start("strace", "-q", "-o", "/dev/null", "-p", str(victim.pid))
    wait_until(lambda: tracer_of(victim.pid) == other.pid)
    pid_refused(victim.pid, "already traced", str(victim.pid), "trace", str(other.pid))
    other.terminate()
    other.wait()
    wait_until(lambda: tracer_of(victim.pid) == 0)
    ok(victim.poll() is None, "the target of the other tracer lives")
    victim.kill()
else:
    skip("frec: already traced", "strace is not installed")

case = case_name()
me = start("/bin/sh", "-c", f'exec "{FREC}" -p $$ -o "{case}"')
out, err = me.communicate(timeout=30)
ok(me.returncode in (1, 2) and len(err.strip().split("\n")) == 1 and str(me.pid) in err,
   "frec: itself", me.returncode, err)
no_case(case, "itself")

# Not permitted: another user's process, as nobody.
if os.getuid() == 0:
    victim = start("sleep", "60")
    os.chmod(tmp, 0o777)
    # a copy that nobody can execute wherever the build folder is
    theirs = shutil.copy(FREC, tmp + "/frec-copy")
    os.chmod(theirs, 0o755)

    def nobody():
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)

    case = case_name()
    refused(run(theirs, "-p", str(victim.pid), "-o", case, preexec_fn=nobody), 1,
            "frec: not permitted", str(victim.pid), "permi|CAP_SYS_PTRACE|uid", "sudo|setcap|root")
    no_case(case, "not permitted")
    ok(victim.poll() is None, "the process that nobody may trace lives")
    victim.kill()
    os.chmod(tmp, 0o755)
else:
    skip("frec: not permitted", "needs root to become nobody")

# One of several is gone, as happens between pgrep and frec: a line says so and the others are recorded.
victim = start("sleep", "60")
case = case_name()
f = start(FREC, "-q", "-p", f"{victim.pid},{p.pid}", "-o", case)
wait_until(lambda: f.poll() is not None or tracer_of(victim.pid) == f.pid)
code, out, err = stop(f) if f.poll() is None else (f.returncode, *f.communicate())
ok(code == 0 and len(err.strip().split("\n")) == 1 and re.search(f"{p.pid}.*no such process", err),
   "frec: one absent among several: a line, and the others are recorded", code, err)
is_([r["pid"] for r in rows(case, "SELECT pid FROM processes")], [victim.pid], "the case has the one that is there")
is_(tracer_of(victim.pid), 0, "which is not traced any more")
ok(victim.poll() is None, "and lives")
case = case_name()
refused(frec("-p", f"{p.pid},{p.pid}", "-o", case), 1, "frec: the same absent one twice", str(p.pid))
no_case(case, "the same absent one twice")

# ---- frec: outputs ----
good = case_name()
is_(frec("-q", "-o", good, "--", "/bin/true").returncode, 0, "a good case for what follows")
before = open(good, "rb").read()
refused(frec("-o", good, "--", "/bin/true"), 1, "frec: an output that exists", re.escape(good), "exist")
refused(frec("-p", str(victim.pid), "-o", good), 1, "frec: the same when attaching", re.escape(good), "exist")
is_(open(good, "rb").read(), before, "and it is untouched")
refused(frec("-o", tmp, "--", "/bin/true"), 1, "frec: an output that is a directory", re.escape(tmp), "director|exist")
refused(frec("-o", tmp + "/no/such/x.frz", "--", "/bin/true"), 1, "frec: an output folder that is not there",
        re.escape(tmp + "/no/such"), "no such")
refused(frec("-o", good + "/x.frz", "--", "/bin/true"), 1, "frec: an output below a file", "not a directory")
refused(frec("-o", tmp + "/" + "x" * 300 + ".frz", "--", "/bin/true"), 1, "frec: a name too long", "too long")
os.symlink(tmp + "/nowhere", tmp + "/dangling.frz")
refused(frec("-o", tmp + "/dangling.frz", "--", "/bin/true"), 1, "frec: a dangling symlink as output", "exist")
ok(not os.path.exists(tmp + "/nowhere"), "and nothing was written through it")
is_(tracer_of(victim.pid), 0, "the target was let go of each time")
victim.kill()

case = case_name()
r = frec("-q", "-o", case, "--", "/no/such/program")
ok(r.returncode in (1, 126, 127) and "/no/such/program" in r.stderr and len(r.stderr.strip().split("\n")) == 1,
   "frec: a command that is not there", r.returncode, r.stderr)
case = case_name()
r = frec("-q", "-o", case, "--", good)
ok(r.returncode in (1, 126, 127) and good in r.stderr and len(r.stderr.strip().split("\n")) == 1,
   "frec: a command that cannot be executed", r.returncode, r.stderr)

# ---- fanalyze: cases ----
def bad_case(data, name, code, *patterns):
    case = case_name()
    with open(case, "wb") as f:
        f.write(data)
    for action in ([], ["--verify"], ["--timeline"]):
        r = fanalyze(case, *action)
        lines = [x for x in r.stderr.split("\n") if x]
        text = r.stderr + (r.stdout if action == ["--verify"] else "")
        ok(r.returncode == code and (len(lines) == 1 or action == ["--verify"] and len(lines) <= 1) and
           all(re.search(q, text, re.I) for q in patterns),
           f"fanalyze {' '.join(action) or '(summary)'}: {name}",
           f"exit {r.returncode}, wanted {code}; patterns {patterns}", r.stderr, r.stdout[:500])
    ok(not os.path.exists(case[:-4] + ".sqlite"), f"{name}: no database is left")


bad_case(b"", "an empty case", 1, "empty|truncated|not a")
bad_case(b"GIF89a" + bytes(500), "not a .frz", 1, "not a")
bad_case(open("/bin/true", "rb").read(), "an ELF file", 1, "not a")
bad_case(before[:40], "cut in the first block", 1, "truncated")
bad_case(before[:-10], "cut in the seal", 1, "truncated")
bad_case(before + b"x", "a byte behind the seal", 1, "trailing|truncated|corrupt|behind")
bad_case(before[:11] + b"\x63" + before[12:], "an unknown version", 1, "version")
half = len(before) // 2
bad_case(before[:half] + bytes([before[half] ^ 1]) + before[half + 1:], "a flipped bit", 1, "corrupt|block|offset")

FAN_USAGE = [
    ("no case", []),
    ("an unknown option", [good, "--frobnicate"]),
    ("two actions", [good, "--timeline", "--files"]),
    ("an unknown format", [good, "--timeline", "--format", "xml"], "xml"),
    ("an unknown query", [good, "--query", "no-such-query"], "no-such-query"),
    ("a bad limit", [good, "--timeline", "--limit", "many"], "many"),
    ("a bad pid", [good, "--timeline", "--pid", "abc"], "abc"),
    ("a bad time", [good, "--timeline", "--since", "yesterdayish"], "yesterdayish"),
    ("a day that there is not", [good, "--timeline", "--until", "2024-02-30"], "2024-02-30"),
    ("an unknown syscall", [good, "--timeline", "--syscall", "frobnicate"], "frobnicate"),
    ("a case that is not there", [tmp + "/absent.frz"], "absent", "no such"),
    ("a case that is a directory", [tmp], "directory"),
    ("SQL that fails", [good, "--sql", "SELECT x FROM nowhere"], "nowhere"),
    ("SQL that is no SQL", [good, "--sql", "hello"], "hello|syntax"),
    ("empty SQL", [good, "--sql", ""]),
    ("a requirement that nobody looks at", [good, "--require", "signed"], "--require", "--verify"),
    ("a head that nobody compares", [good, "--files", "--expect-head", "0" * 64], "--expect-head", "--verify"),
    ("signers that nobody asks", [good, "--info", "--allowed-signers", "x"], "--allowed-signers", "--verify"),
    ("rules for no extract", [good, "--files", "--rules", "x"], "--rules", "--extract"),
    ("a signer who does not sign", [good, "--files", "--as", "x@y"], "--as", "--sign"),
    ("a filter for --verify", [good, "--verify", "--pid", "1"], "--pid", "--verify"),
    ("a filter for --report", [good, "--report", tmp + "/r.html", "--path", "x"], "--path", "--report"),
    ("an action without its hyphens", [good, "timeline"], "--timeline"),
]
for name, args, *patterns in FAN_USAGE:
    refused(fanalyze(*args), 2, f"fanalyze: {name}", *patterns)

db = good[:-4] + ".sqlite"
fanalyze(good)
for sql in ("DELETE FROM case_info", "DROP VIEW timeline", "CREATE TABLE x(y)", "PRAGMA user_version = 9",
            "ATTACH '%s/evil.db' AS e" % tmp, "VACUUM INTO '%s/evil.db'" % tmp,
            "UPDATE case_info SET value = 'x'", "BEGIN; DROP VIEW timeline", "SELECT 1; DROP VIEW timeline"):
    h = open(db, "rb").read()
    refused(fanalyze(good, "--sql", sql), 2, f"fanalyze: {sql.replace(tmp, '.')}")
    ok(open(db, "rb").read() == h and not os.path.exists(tmp + "/evil.db"), "and nothing is changed or made")

# ---- fanalyze: databases ----
second = case_name()
frec("-q", "-o", second, "--", "/bin/true")
refused(fanalyze(second, "--db", db), 2, "fanalyze: a database that belongs to another case", re.escape(db))
with open(tmp + "/text.sqlite", "w") as f:
    f.write("this is no database " * 100)
refused(fanalyze(second, "--db", tmp + "/text.sqlite"), 2, "fanalyze: a --db that is no database", "text.sqlite")
ok(open(tmp + "/text.sqlite").read().startswith("this is no"), "and it is untouched")
con = sqlite3.connect(tmp + "/other.sqlite")
con.execute("CREATE TABLE diary(entry)")
con.commit()
con.close()
refused(fanalyze(second, "--db", tmp + "/other.sqlite"), 2, "fanalyze: a --db of another program", "other.sqlite")
con = sqlite3.connect(tmp + "/other.sqlite")
is_(con.execute("SELECT name FROM sqlite_master").fetchall(), [("diary",)], "and it is untouched")
con.close()
refused(fanalyze(second, "--db", tmp + "/no/such/x.sqlite"), 2, "fanalyze: a --db in no folder", "no/such")
with open(tmp + "/out.txt", "w") as f:
    f.write("mine")
refused(fanalyze(second, "--timeline", "--output", tmp + "/out.txt"), 2, "fanalyze: --output that exists",
        "out.txt", "exist")
is_(open(tmp + "/out.txt").read(), "mine", "and it is untouched")
r = subprocess.run([FANALYZE, second, "--timeline"], stdout=open("/dev/full", "w"), stderr=subprocess.PIPE, text=True)
ok(r.returncode in (1, 2) and "No space" in r.stderr, "fanalyze: a full standard output is an error", r.returncode, r.stderr)

done()
