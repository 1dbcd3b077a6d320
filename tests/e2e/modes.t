#!/usr/bin/env python3
# How a recording begins and ends: launch mode and its exit status, signals, limits, what is recorded.
from lib import *

need_ptrace()
n = 0


def new():
    global n
    n += 1
    return f"{tmp}/m{n}.frz"


def end_reason(case):
    info = {r["key"].replace("-", "_"): r["value"] for r in rows(case, "SELECT key, value FROM case_info")}
    return info.get("end_reason")


# ---- launch mode ----
for status in (0, 1, 3, 42, 255):
    case = new()
    r = frec("-q", "-o", case, "--", "/bin/sh", "-c", f"exit {status}")
    is_(r.returncode, status, f"exit status {status} of the command is frec's")
    is_sealed(case, "and the case is sealed")
case = new()
r = frec("-q", "-o", case, "--", "/bin/sh", "-c", "kill -TERM $$")
is_(r.returncode, -signal.SIGTERM, "a command dies of SIGTERM: so does frec, and a shell says 143")
is_sealed(case, "but not before the case is sealed")
p = rows(case, "SELECT exit_code, exit_signal FROM processes")
ok(len(p) == 1 and str(p[0]["exit_signal"]) in ("15", "SIGTERM") and p[0]["exit_code"] is None,
   "and processes says so", p)
case = new()
r = frec("-q", "-o", case, "--", "sh", "-c", "read x; echo got $x; echo err >&2", input="line\n", stdin=None)
is_((r.stdout, r.stderr), ("got line\n", "err\n"), "the command has our standard input, output and error")
case = new()
r = frec("-o", case, "--", "/bin/true")
is_(r.returncode, 0, "without -q")
ok(re.search("recording", r.stderr) and re.search(r"seal|[0-9a-f]{64}", r.stderr, re.I),
   "frec says what it records and prints the seal", r.stderr)
ok(not r.stdout, "on standard error only", r.stdout)
case = new()
is_(frec("-q", "-o", case, "--", "/bin/true").stderr, "", "-q is silent")
is_(end_reason(case), "targets exited", "the seal's reason: targets exited")

# ---- attached, ended by a signal ----
for sig in (signal.SIGINT, signal.SIGTERM):
    case = new()
    t = start("/bin/sh", "-c", "while :; do echo x >/dev/null; sleep 0.01; done")
    f = attach([t.pid], case)
    time.sleep(0.3)
    code, out, err = stop(f, sig)
    is_(code, 0, f"{sig.name}: exit 0")
    is_(end_reason(case), f"signal {sig.name}", f"{sig.name}: the seal says why")
    is_sealed(case, f"{sig.name}: sealed")
    is_(tracer_of(t.pid), 0, f"{sig.name}: detached")
    time.sleep(0.05)
    ok(t.poll() is None and open(f"/proc/{t.pid}/stat").read().rsplit(")", 1)[1].split()[0] in "SRD",
       f"{sig.name}: the target runs on")
    ok(one(case, "SELECT COUNT(*) FROM timeline WHERE syscall IN ('openat', 'dup2', 'write')") > 3,
       f"{sig.name}: events were recorded")
    like(err, str(t.pid), f"{sig.name}: the start-up lines name the pid")
    like(err, r"[0-9a-f]{64}", f"{sig.name}: the seal is printed")
    t.kill()

# A target that sleeps in the kernel for ever is detached at once too.
t = start("sleep", "1000")
case = new()
f = attach([t.pid], case)
begin = time.monotonic()
code, out, err = stop(f)
ok(code == 0 and time.monotonic() - begin < 3 * SLOW, "a sleeping target is detached without delay",
   code, time.monotonic() - begin)
ok(t.poll() is None, "and sleeps on")
# A stopped one stays stopped.
t.send_signal(signal.SIGSTOP)
wait_until(lambda: open(f"/proc/{t.pid}/stat").read().rsplit(")", 1)[1].split()[0] == "T")
case = new()
f = attach([t.pid], case)
time.sleep(0.2)
code, out, err = stop(f)
is_(code, 0, "a stopped target: recorded")
time.sleep(0.1)
is_(open(f"/proc/{t.pid}/stat").read().rsplit(")", 1)[1].split()[0], "T", "and still stopped")
t.send_signal(signal.SIGCONT)
ok(wait_until(lambda: open(f"/proc/{t.pid}/stat").read().rsplit(")", 1)[1].split()[0] == "S"),
   "and SIGCONT wakes it")
t.kill()

# The target exits while frec is attached.
case = new()
t = start("sleep", "0.5")
f = attach([t.pid], case)
t.wait()
f.communicate(timeout=20)
is_(f.returncode, 0, "the target exits: frec ends with 0")
is_(t.returncode, 0, "and its own status is its parent's to see")
is_(end_reason(case), "targets exited", "and the seal says why")

# ---- limits ----
case = new()
t = start("/bin/sh", "-c", "while :; do echo x >/dev/null; done")
begin = time.monotonic()
r = frec("-q", "--duration", "1s", "-p", t.pid and str(t.pid), "-o", case)
took = time.monotonic() - begin
is_(r.returncode, 0, "--duration: exit 0")
ok(0.9 < took < 1.0 + 3 * SLOW, "--duration 1s takes a second", took)
is_(end_reason(case), "duration", "--duration: the seal says so")
ok(t.poll() is None and tracer_of(t.pid) == 0, "--duration: the target runs on")
case = new()
r = frec("-q", "--max-events", "500", "-p", str(t.pid), "-o", case)
is_(r.returncode, 0, "--max-events: exit 0")
is_(one(case, "SELECT COUNT(*) FROM timeline"), 500, "--max-events 500 records 500")
is_(end_reason(case), "max-events", "--max-events: the seal says so")
case = new()
r = frec("-q", "--max-size", "300K", "-p", str(t.pid), "-o", case, timeout=120)
is_(r.returncode, 0, "--max-size: exit 0")
size = os.path.getsize(case)
ok(100 << 10 < size <= 400 << 10, "--max-size 300K is about kept", size)
is_(end_reason(case), "max-size", "--max-size: the seal says so")
ok(t.poll() is None and tracer_of(t.pid) == 0, "--max-size: the target runs on")
t.kill()

# ---- what is recorded ----
script = "cat /etc/passwd >/dev/null; mkdir %s/d$$; rmdir %s/d$$" % (tmp, tmp)


def classes(*options):
    case = new()
    r = frec("-q", *options, "-o", case, "--", "/bin/sh", "-c", script)
    if not ok(r.returncode == 0, "recorded with " + " ".join(options), r.stderr):
        return set()
    return {x["syscall"] for x in rows(case, "SELECT DISTINCT syscall FROM timeline")}


all_calls = classes("-e", "all")
ok({"openat", "read", "mmap", "execve", "mkdir", "close", "exit_group"} <= all_calls, "-e all", all_calls)
default = classes()
ok({"openat", "read", "mmap", "execve", "mkdir"} <= default <= all_calls, "the default is less than all", default)
io = classes("-e", "io")
ok("read" in io and not io & {"openat", "mkdir", "mmap", "close"}, "-e io", io)
file = classes("-e", "file")
ok({"openat", "mkdir", "rmdir"} <= file and not file & {"read", "write", "mmap"}, "-e file", file)
some = classes("-e", "openat,close")
is_(some - {"execve"}, {"openat", "close"}, "-e with single calls")
some = classes("-e", "file,io", "-e", "!read")
ok("openat" in some and "read" not in some, "-e with a call left out", some)
# A call that is not recorded still keeps the fd truth: paths of reads without seeing the opens.
case = new()
frec("-q", "-e", "read", "-o", case, "--", "/bin/sh", "-c", script)
ok(one(case, "SELECT COUNT(*) FROM timeline WHERE path = '/etc/passwd' AND bytes > 0") >= 1,
   "-e read still knows which file an fd is")
# What the kernel counted cannot be held against calls that were left out: said, and no alarm.
is_(rows(case, "SELECT DISTINCT verdict, kernel_read FROM io_audit"), [{"verdict": "not comparable", "kernel_read": None}],
    "-e read: the audit is not comparable")
like(fanalyze(case).stdout, r"(?m)^audit +not comparable\b", "-e read: so says the summary")
for options, value in (["-e", "read"], "recorded: -e read"), (["-e", "!poll"], "recorded: -e default,!poll"), ([], None), (["-e", "all"], None):
    case = new()
    frec("-q", *options, "-o", case, "--", "/bin/sh", "-c", script)
    is_([r["detail"] for r in rows(case, "SELECT detail FROM coverage WHERE what = 'calls left out'")], [value] if value else [],
        f"{' '.join(options) or 'the default'}: coverage says whether calls were left out")

# ---- children ----
case = new()
frec("-q", "-o", case, "--", "/bin/sh", "-c", "/bin/true; (exit 4); /bin/false; :")
ok(len(rows(case, "SELECT pid FROM processes")) == 4, "children are followed",
   rows(case, "SELECT pid, comm FROM processes"))
case = new()
r = frec("-q", "--no-follow", "-o", case, "--", "/bin/sh", "-c", "cat /etc/passwd >/dev/null; exit 5")
is_(r.returncode, 5, "--no-follow: exit status")
is_(one(case, "SELECT COUNT(DISTINCT pid) FROM timeline"), 1, "--no-follow records one process")
is_(rows(case, "SELECT count FROM coverage WHERE what = 'child not traced'"), [{"count": 1}], "--no-follow: coverage says that it had a child")
like(fanalyze(case).stdout, r"(?m)^not seen .*child not traced", "--no-follow: so does the summary")
is_(one(case, "SELECT COUNT(*) FROM timeline WHERE path = '/etc/passwd' AND syscall = 'read'"), 0,
    "--no-follow: not what the child did")

# ---- -v ----
case = new()
r = frec("-v", "-o", case, "--", "/bin/sh", "-c", "cat /etc/passwd >/dev/null")
ok("openat" in r.stderr + r.stdout and "/etc/passwd" in r.stderr + r.stdout, "-v prints events", r.stderr[-500:])
st = os.stat("/etc/passwd")
when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(st.st_mtime))
told = f"{{file {st.st_mode & 0o7777:04o} root:root size={st.st_size} mtime={when}}}"
ok(sum(told in line for line in r.stderr.splitlines()) == 1, "-v tells what was opened, once", told + "\n" + r.stderr[-900:])
case = new()
r = frec("-v", "-o", case, "--", "python3", "-c", """
import os, socket
s = socket.create_server(("127.0.0.1", 0))
c = socket.create_connection(s.getsockname())
a, _ = s.accept()
c.send(b"12345")
f = os.open("/etc/passwd", os.O_RDONLY)
os.sendfile(a.fileno(), f, 0, 7)
print(c.getsockname()[1], s.getsockname()[1])
""")
near, far = (int(p) for p in r.stdout.split())
lines = r.stderr.splitlines()
ok(any(f" sendto " in x and f"{{inet/stream 127.0.0.1:{near} > 127.0.0.1:{far}}}" in x and x.endswith("= 5")
       for x in lines), "-v tells a socket's addresses", r.stderr[-1500:])
ok(any(" sendfile " in x and f"{{inet/stream 127.0.0.1:{far} > 127.0.0.1:{near}}} <- /etc/passwd" in x
       for x in lines), "-v: bytes of sendfile go from the file to the socket", r.stderr[-1500:])
ok("<- /etc/passwd" in run(FANALYZE, case, "--timeline", "--syscall", "sendfile").stdout,
   "and so they do in the timeline")

# ---- calls that are interrupted ----
case = new()
t = start("cat", stdin=subprocess.PIPE)
f = attach([t.pid], case, "-e", "read")
wait_until(lambda: open(f"/proc/{t.pid}/syscall").read().startswith("0 "))
is_(stop(f)[0], 0, "recorded a read that waits")
is_(rows(case, "SELECT syscall, ret, errno FROM timeline"), [{"syscall": "read", "ret": None, "errno": None}],
    "a call that goes on when recording ends has not returned")
t.stdin.close()
case = new()
t = start("sleep", "3")
wait_until(lambda: open(f"/proc/{t.pid}/syscall").read().startswith("230 "))
f = attach([t.pid], case, "-e", "clock_nanosleep")
is_(f.wait(), 0, "attached to a sleep")
is_(rows(case, "SELECT syscall, ret, detail FROM timeline"),
    [{"syscall": "clock_nanosleep", "ret": 0, "detail": "CLOCK_REALTIME restart_syscall"}],
    "a call that goes on after attaching is called by its name")
case = new()
f = start(FREC, "-q", "-e", "clock_nanosleep", "-o", case, "--", "sleep", "1")
wait_until(lambda: children_of(f.pid) and open(f"/proc/{children_of(f.pid)[0]}/syscall").read().startswith("230 "))
t = children_of(f.pid)[0]
os.kill(t, signal.SIGSTOP)
wait_until(lambda: "\nState:\tT" in open(f"/proc/{t}/status").read())
os.kill(t, signal.SIGCONT)
is_(f.wait(), 0, "recorded a sleep that was stopped and goes on")
is_([r["errno"] for r in rows(case, "SELECT errno FROM timeline WHERE syscall = 'clock_nanosleep' ORDER BY seq")],
    ["ERESTART_RESTARTBLOCK", None], "the restart is a row of its own")
is_(json.loads(fanalyze(case, "--failures", "--format", "json").stdout), [], "and no failure: the program sees none")
is_(json.loads(fanalyze(case, "--timeline", "--failed", "--format", "json").stdout), [], "not with --failed either")

# ---- several targets ----
a, b = start("sleep", "100"), start("sleep", "100")
case = new()
f = start(FREC, "-q", "-p", f"{a.pid} {b.pid}", "-o", case)
ok(wait_until(lambda: tracer_of(a.pid) == f.pid == tracer_of(b.pid)), "-p with a space between two pids")
code, out, err = stop(f)
is_(code, 0, "and both are let go")
is_({r["pid"] for r in rows(case, "SELECT pid FROM processes")}, {a.pid, b.pid}, "both are in processes")
case = new()
f = start(FREC, "-q", "-p", str(a.pid), "-p", str(b.pid), "-o", case)
ok(wait_until(lambda: tracer_of(a.pid) == f.pid == tracer_of(b.pid)), "-p given twice")
is_(stop(f)[0], 0, "and both are let go")

is_(frec("--version").returncode, 0, "--version")
like(frec("--version").stdout, r"frec \d+\.\d+", "--version says which")
like(frec("--help").stdout, r"--max-events", "--help lists the options")
like(fanalyze("--help").stdout, r"--timeline", "fanalyze --help too")
like(fanalyze("--version").stdout, r"fanalyze \d+\.\d+", "fanalyze --version")
done()
