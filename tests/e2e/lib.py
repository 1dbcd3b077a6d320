"""lib.py - what the end-to-end tests share: TAP, running the programs, reading a case back.

A test is a Python program: `from lib import *`, checks, `done()`. It works in a folder of its
own (`tmp`), which goes away when it ends well. FREC, FANALYZE and BUILD come from the Makefile.
"""
import atexit
import errno
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

BUILD = os.environ.get("BUILD", os.path.abspath("build"))
FREC = os.environ.get("FREC", BUILD + "/frec")
FANALYZE = os.environ.get("FANALYZE", BUILD + "/fanalyze")
HERE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FULL = bool(os.environ.get("FREC_FULL"))
SLOW = int(os.environ.get("SLOW") or (4 if os.environ.get("SANITIZE") else 1))  # how much longer to wait

# Without a controlling terminal, wherever the test is run: at one frec is two processes (recorder/front.h),
# and a test that kills frec means the one that records.
try:
    os.setsid()
except PermissionError:
    pass        # the leader of a group; a shell's own child

tmp = os.path.realpath(tempfile.mkdtemp(prefix="frec-test-"))
os.chmod(tmp, 0o755)
os.environ["XDG_CACHE_HOME"] = tmp + "/cache"
os.environ["PATH"] += ":/usr/sbin:/sbin"
sys.stdout.reconfigure(line_buffering=True, errors="backslashreplace")

_count = _failed = 0
_children = []


def _cleanup():
    for p in _children:
        if p.poll() is None:
            p.kill()
            p.wait()
    if _failed and os.environ.get("KEEP"):
        print("# kept:", tmp)
    else:
        shutil.rmtree(tmp, ignore_errors=True)


atexit.register(_cleanup)


# ---- TAP ----

def diag(*what, to=None):
    for line in " ".join(str(w) for w in what).split("\n"):
        print("#  ", line, file=to)


def ok(good, name, *explain):
    """True when good. explain: printed on failure, a line each."""
    global _count, _failed
    _count += 1
    name = name.replace("#", "\\#").replace("\n", " ")
    print(f"{'' if good else 'not '}ok {_count} - {name}")
    if not good:
        _failed += 1
        print(f"#  not ok {_count} - {name}", file=sys.stderr)
        for e in explain:
            diag(e, to=sys.stderr)
    return bool(good)


def is_(got, want, name):
    return ok(got == want, name, f"got:  {got!r}", f"want: {want!r}")


def like(got, pattern, name):
    return ok(re.search(pattern, got), name, f"got:  {got!r}", f"no match for: {pattern}")


def skip(name, why):
    """One check that cannot be made here. With FREC_MUST_WORK=1 it fails."""
    global _count
    if os.environ.get("FREC_MUST_WORK", "0") not in ("", "0"):
        return ok(False, name, "would skip, but FREC_MUST_WORK is set: " + why)
    _count += 1
    print(f"ok {_count} - {name} # SKIP {why}")


def skip_all(why):
    if os.environ.get("FREC_MUST_WORK", "0") not in ("", "0"):
        print(f"not ok 1 - would skip, but FREC_MUST_WORK is set: {why}\n1..1")
        sys.exit(1)
    print(f"1..0 # SKIP {why}")
    sys.exit(0)


def done():
    print(f"1..{_count}")
    sys.exit(1 if _failed or not _count else 0)


# ---- programs ----

def run(*argv, timeout=120, **kw):
    """Runs to the end; .returncode, .stdout and .stderr as text with surrogates for odd bytes."""
    kw.setdefault("stdout", subprocess.PIPE)
    kw.setdefault("stderr", subprocess.PIPE)
    kw.setdefault("stdin", subprocess.DEVNULL)
    return subprocess.run([os.fspath(a) for a in argv], timeout=timeout, errors="surrogateescape", **kw)


def start(*argv, **kw):
    """Starts a program that is killed when the test ends."""
    kw.setdefault("stdout", subprocess.PIPE)
    kw.setdefault("stderr", subprocess.PIPE)
    kw.setdefault("stdin", subprocess.DEVNULL)
    p = subprocess.Popen([os.fspath(a) for a in argv], errors="surrogateescape", **kw)
    _children.append(p)
    return p


def frec(*args, **kw):
    return run(FREC, *args, **kw)


def fanalyze(*args, **kw):
    return run(FANALYZE, *args, **kw)


def tool(name):
    """Path of an outside program, None when it is not installed."""
    return shutil.which(name)


def others(program):
    """What of targets/PROGRAM can be run here, by ABI: the native one, i386 (PROGRAM32), x32 (PROGRAMx32).
    Those that ABIS names, if it is set, and then they must run."""
    only = os.environ.get("ABIS", "").split()
    for abi, suffix in ("native", ""), ("i386", "32"), ("x32", "x32"):
        name = f"{BUILD}/targets/{program}{suffix}"
        if only and abi not in only:
            continue
        try:
            subprocess.run([name], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            yield abi, name
        except FileNotFoundError:
            skip(f"{program}, {abi}", "nothing here to build or load such a program")
        except OSError as e:
            if e.errno != errno.ENOEXEC or only:
                raise
            diag(f"{abi}: not with this kernel")    # tests/vm/vm.t has one that can


def wait_until(predicate, seconds=10.0, every=0.02):
    end = time.monotonic() + seconds * SLOW
    while time.monotonic() < end:
        if predicate():
            return True
        time.sleep(every)
    return bool(predicate())


def tracer_of(pid):
    try:
        with open(f"/proc/{pid}/status") as f:
            return int(re.search(r"TracerPid:\s*(\d+)", f.read()).group(1))
    except OSError:
        return 0


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def children_of(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as f:
        return [int(x) for x in f.read().split()]


def attach(pids, case, *options):
    """Starts frec on pids and returns once every one of them has it as tracer."""
    p = start(FREC, "-p", ",".join(map(str, pids)), "-o", case, *options)
    def traced(pid):
        return tracer_of(pid) == p.pid or not os.path.exists(f"/proc/{pid}")    # some end meanwhile

    if not wait_until(lambda: p.poll() is not None or all(map(traced, pids))):
        p.kill()
    if p.poll() is not None:
        out, err = p.communicate()
        raise RuntimeError(f"frec did not attach: exit {p.returncode}: {err}")
    return p


def attach_surely(pid, case, *options):
    """The same for one, once it says so: from then on no call goes unseen. Its standard error is a file."""
    name = case + ".said"
    with open(name, "w") as said:
        p = start(FREC, "-p", str(pid), "-o", case, *options, stderr=said)
    wait_until(lambda: p.poll() is not None or "frec: attached to" in open(name).read())
    if p.poll() is not None:
        raise RuntimeError(f"frec did not attach: exit {p.returncode}: {open(name).read()}")
    return p


def reads(pid):
    """Whether it is in read(2), by the number of any ABI."""
    with open(f"/proc/{pid}/syscall") as f:
        return f.read().split()[0] in ("0", "3", str(1 << 30))


def stop(p, sig=signal.SIGINT, timeout=60):
    """Ends a frec with a signal: (exit code, stdout, stderr)."""
    p.send_signal(sig)
    out, err = p.communicate(timeout=timeout)
    return p.returncode, out, err


def need_ptrace():
    """Skips the whole test where this environment does not let frec trace at all."""
    for program in (FREC, FANALYZE):
        if not os.access(program, os.X_OK):
            print(f"Bail out! {program} is not built")
            sys.exit(1)
    case = tmp + "/probe.frz"
    r = frec("-q", "-o", case, "--", "/bin/true")
    if r.returncode != 0 and re.search("permi", r.stderr):
        skip_all("ptrace is not permitted here: " + r.stderr.strip())
    for f in os.listdir(tmp):
        if f.startswith("probe."):
            os.unlink(tmp + "/" + f)


def fresh(name):
    """An empty folder."""
    d = tmp + "/" + name
    os.makedirs(d)
    return d


# ---- a case ----

def rows(case, sql):
    """The result of a SELECT as a list of dicts, by fanalyze itself."""
    r = fanalyze(case, "--sql", sql, "--format", "jsonl")
    if r.returncode not in (0, 3):
        raise RuntimeError(f"fanalyze --sql: exit {r.returncode}: {r.stderr}")
    return [json.loads(line) for line in r.stdout.split("\n") if line]


def one(case, sql):
    """The single value of a SELECT."""
    return list(rows(case, sql)[0].values())[0]


def is_sealed(case, name):
    r = fanalyze(case, "--verify")
    return ok(r.returncode == 0, name, f"exit {r.returncode}", r.stdout, r.stderr)


# ---- the account of a target (tests/targets/account.h) ----

READS = {"read", "readv", "pread64", "preadv", "preadv2", "recvfrom", "recvmsg"}
WRITES = {"write", "writev", "pwrite64", "pwritev", "pwritev2", "sendto", "sendmsg", "vmsplice"}
# bytes go from the first path to the second, or the other way round
FIRST_TO_SECOND = {"copy_file_range", "splice", "tee"}
SECOND_TO_FIRST = {"sendfile"}


def unescape(s):
    if s is None:
        return None
    return re.sub(r"\\x([0-9a-f]{2})", lambda m: chr(int(m.group(1), 16)), s).encode("latin-1")


class Call:
    """One line of an account."""

    def __init__(self, line):
        pid, tid, self.syscall, fd, ret, moved, path, path2 = line.split("\t")
        self.pid, self.tid, self.ret = int(pid), int(tid), int(ret)
        self.fd = None if fd == "*" else int(fd)
        self.bytes = None if moved == "-" else int(moved)
        self.path = None if path == "*" else shown(unescape(path))
        self.path2 = None if path2 == "*" else shown(unescape(path2))

    def __repr__(self):
        return (f"{self.pid}/{self.tid} {self.syscall} fd={self.fd} ret={self.ret} "
                f"bytes={self.bytes} path={self.path} path2={self.path2}")


def account(file):
    with open(file) as f:
        return [Call(line.rstrip("\n")) for line in f]


def same_call(call, row):
    """None, or what differs between a line of the account and a row of the timeline."""
    if call.syscall != row["syscall"]:
        return "syscall"
    if call.ret < 0:
        if row["errno"] != errno.errorcode[-call.ret]:
            return "errno"
    elif call.ret != row["ret"] or row["errno"] is not None:
        return "ret"
    if call.bytes != row["bytes"]:
        return "bytes"
    if call.fd is not None and call.fd != row["fd"]:
        return "fd"
    if call.path is not None and call.path != row["path"]:
        return "path"
    if call.path2 is not None and call.path2 != row["path2"]:
        return "path2"
    return None


def shown(path):
    """A path as the views have it: UTF-8, with a \\xNN for each byte that is not."""
    return None if path is None else path.decode("utf-8", "backslashreplace")


def compare_account(case, calls, name):
    """Checks that the timeline holds, thread by thread and in order, exactly the calls that the
    target says it made, between the markers of each of its processes."""
    names = sorted({c.syscall for c in calls})
    timeline = rows(case, "SELECT seq, pid, tid, syscall, fd, path, path2, ret, errno, bytes "
                          "FROM timeline ORDER BY seq")
    marks = {}
    for r in timeline:
        if r["syscall"] == "faccessat" and r["path"] in ("/account/begin", "/account/end"):
            marks.setdefault(r["pid"], []).append(r["seq"])
    want, got = {}, {}
    for c in calls:
        want.setdefault((c.pid, c.tid), []).append(c)
    for r in timeline:
        m = marks.get(r["pid"])
        if m and len(m) >= 2 and m[-2] < r["seq"] < m[-1] and r["syscall"] in names:
            got.setdefault((r["pid"], r["tid"]), []).append(r)
    problems = []
    for key in sorted(set(want) | set(got)):
        w, g = want.get(key, []), got.get(key, [])
        for call, row in zip(w, g):
            what = same_call(call, row)
            if what:
                problems.append(f"{what}: account {call}\n      timeline {row}")
                break
        if len(w) != len(g):
            problems.append(f"{key}: {len(w)} calls in the account, {len(g)} in the timeline")
    return ok(calls and not problems, f"{name}: {len(calls)} calls of {len(want)} threads are the timeline",
              *problems[:8])


def account_bytes(calls):
    """{path: [read, written]} as the target says, where it names the path."""
    total = {}

    def add(path, index, n):
        if path is not None:
            total.setdefault(path, [0, 0])[index] += n

    for c in calls:
        if c.bytes is None:
            continue
        if c.syscall in READS:
            add(c.path, 0, c.bytes)
        elif c.syscall in WRITES:
            add(c.path, 1, c.bytes)
        elif c.syscall in FIRST_TO_SECOND:
            add(c.path, 0, c.bytes)
            add(c.path2, 1, c.bytes)
        elif c.syscall in SECOND_TO_FIRST:
            add(c.path, 1, c.bytes)
            add(c.path2, 0, c.bytes)
    return {p: v for p, v in total.items() if v != [0, 0]}


def compare_bytes(case, calls, name, folder):
    """Checks fd_bytes against the account, for paths below folder."""
    want = {p: v for p, v in account_bytes(calls).items() if p.startswith(folder + "/")}
    got = {}
    for r in rows(case, "SELECT path, SUM(bytes_read) AS r, SUM(bytes_written) AS w "
                        "FROM fd_bytes GROUP BY path"):
        p = r["path"]
        if p and p.startswith(folder + "/") and (r["r"] or r["w"]):
            got[p] = [r["r"] or 0, r["w"] or 0]
    problems = [f"{p}: account {want.get(p)}, fd_bytes {got.get(p)}"
                for p in sorted(set(want) | set(got)) if want.get(p) != got.get(p)]
    return ok(want and not problems, f"{name}: bytes of {len(want)} files by fd are the account's", *problems[:8])


def compare_audit(case, name, unknown=0):
    """Checks that what was recorded equals what the kernel counted, thread by thread. unknown: so
    many threads may end without a last look at their counters (killed by another's execve)."""
    audit = rows(case, "SELECT * FROM io_audit")
    bad = [a for a in audit if a["verdict"].split()[0] != "balanced"]  # "counted twice" where /tmp is an overlayfs
    blind = [a for a in bad if a["kernel_read"] is None and a["recorded_read"] == 0 == a["recorded_written"]]
    if len(blind) <= unknown:
        bad = [a for a in bad if a not in blind]
    return ok(audit and not bad, f"{name}: the kernel counted the same bytes for {len(audit)} threads",
              *bad[:8])
