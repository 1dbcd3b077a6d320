"""hazlib.py - what the hazard tests share: targets run untraced, launched and attached, and the
look around afterwards: nothing left over, stopped, traced or pinned.

The test is a subreaper, so that whatever a target or frec leaves behind becomes its child.
"""
import ctypes
import os
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "e2e"))
from lib import *  # noqa: E402,F403
from lib import _children  # noqa: E402

HAZARDS = BUILD + "/hazards"
if os.environ.get("SANITIZE"):       # the sanitizer's own limit of core files would reach the command
    os.environ["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":disable_coredump=0"
PR_SET_CHILD_SUBREAPER = 36
ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
_case = 0


def new_case():
    global _case
    _case += 1
    return f"{tmp}/{_case}.frz"


def drop_case(case):
    for name in (case, case + ".tail"):
        if os.path.exists(name):
            os.unlink(name)


# ---- processes ----

def status_of(pid, tid=None):
    """/proc/PID/task/TID/status as a dict; empty when it is gone."""
    try:
        with open(f"/proc/{pid}/task/{tid or pid}/status") as f:
            return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)
    except OSError:
        return {}


def threads(pid):
    try:
        return sorted(map(int, os.listdir(f"/proc/{pid}/task")))
    except OSError:
        return []


def descendants():
    """Everything below this test, itself not: {pid: (name, state)}."""
    parent, info = {}, {}
    for d in os.listdir("/proc"):
        if d.isdigit():
            st = status_of(int(d))
            if st:
                parent[int(d)] = int(st["PPid"])
                info[int(d)] = (st["Name"], st["State"])
    found, me = {}, os.getpid()
    for pid in info:
        p = pid
        while p in parent and p != me:
            p = parent[p]
        if p == me and pid != me:
            found[pid] = info[pid]
    return found


def left_over(seconds=20.0):
    """Waits until this test has no child any more, as init would reap them. What is left after
    that time is killed and told. It takes the status of every child, so ask for those first."""
    end = time.monotonic() + seconds * SLOW
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return ""
        if pid:
            continue
        if time.monotonic() > end:
            break
        time.sleep(0.002)
    told = ", ".join(f"{n} {s}" for n, s in descendants().values())
    kill_everything()
    return "left over: " + told


def kill_everything():
    while True:
        for pid in descendants():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            time.sleep(0.01)


def unharmed(pid, masks=None):
    """What is wrong with a process that no tracer should have any more: "" or a line."""
    for tid in threads(pid):
        st = status_of(pid, tid)
        if not st:
            continue
        if st["TracerPid"] != "0":
            return f"thread {tid} is traced by {st['TracerPid']}"
        if st["State"][0] in "tT":
            return f"thread {tid} is {st['State']}"
        if masks is not None and st["Cpus_allowed"] != masks:
            return f"thread {tid} has the mask {st['Cpus_allowed']}, not {masks}"
    return ""


def settles(check, seconds=20.0):
    """check() returns "" when all is well; gives it time. The last answer."""
    answer = []
    wait_until(lambda: answer.append(check()) or answer[-1] == "", seconds, 0.005)
    return answer[-1]


def start_program(argv, stdin, out, **kw):
    return subprocess.Popen(argv, stdin=stdin, stdout=out, stderr=subprocess.STDOUT, **kw)


class Result:
    def __init__(self, out, code, trouble):
        self.out, self.code, self.trouble = out, code, trouble

    def __eq__(self, other):
        return (self.out, self.code) == (other.out, other.code)

    def text(self):
        return f"status {self.code} {self.trouble}\n{self.out}"


def wait_end(p, seconds):
    """The exit code as Popen has it, or None after killing everything."""
    try:
        return p.wait(timeout=seconds * SLOW)
    except subprocess.TimeoutExpired:
        return None


def complaints(said):
    """What frec says beside what it always says."""
    return "\n".join(line for line in said.splitlines() if not re.match(r"frec: (attached to |seal |\S*\.frz: )", line))


def run_target(argv, mode="alone", options=(), seconds=60):
    """Runs a target that waits for a byte first. mode: alone, launch, attach."""
    case, name, trouble, code = new_case(), f"{tmp}/out", "", None
    tracer = None
    r, w = os.pipe2(os.O_CLOEXEC)
    with open(name, "w+") as out, open(f"{tmp}/frec", "w+") as said:
        if mode == "launch":
            argv = [FREC, "-q", "-o", case, *options, "--", *argv]
        main = start_program(argv, r, out)
        os.close(r)
        if mode == "attach":
            tracer = start_program([FREC, "-p", str(main.pid), "-o", case, *options], subprocess.DEVNULL, said)
            # once it says so its interrupt has been sent, which else could hit what the target does next
            if not wait_until(lambda: "attached to" in open(said.name).read() or tracer.poll() is not None, 60, 0.002) \
                    or tracer.poll() is not None:
                trouble = "frec did not attach; "
        os.write(w, b"x")
        code = wait_end(main, seconds)
        if code is None:
            trouble += "did not end: " + ", ".join(f"{n} {s}" for n, s in descendants().values())
            kill_everything()
        if tracer and code is not None:
            ended = wait_end(tracer, 60)
            if ended is None:
                trouble += "frec did not end with its target; "
                kill_everything()
            elif ended:
                trouble += f"frec ended with {ended}; "
        os.close(w)
        trouble += left_over()
        trouble += complaints(open(said.name).read())
        out.seek(0)
        text = out.read()
    drop_case(case)
    return Result(text, code, trouble)


class Driven:
    """A target of tests/hazards/waits.c: started, asked, ended."""

    def __init__(self, name, *args, **kw):
        self.p = subprocess.Popen([HAZARDS + "/hazards", name, *map(str, args)], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, bufsize=0, **kw)
        self.pid = self.p.pid
        _children.append(self.p)
        self.first = self.p.stdout.readline().decode()
        self.mask = status_of(self.pid).get("Cpus_allowed")

    def rounds(self):
        self.p.stdin.write(b"?\n")
        line = self.p.stdout.readline().decode()
        if not line.endswith(" rounds\n"):
            raise RuntimeError(f"the target answers {line!r}")
        return int(line.split()[0])

    def works(self, seconds=20.0):
        """True when its account grows."""
        before = self.rounds()
        return wait_until(lambda: self.rounds() > before, seconds, 0.005)

    def end(self, cycles=0, seconds=60):
        """(exit code, rest of its output)."""
        try:
            out, _ = self.p.communicate(f"end {cycles}\n".encode(), timeout=seconds * SLOW)
        except subprocess.TimeoutExpired:
            told = ", ".join(f"{n} {s}" for n, s in descendants().values())
            self.p.kill()
            self.p.communicate()
            return None, "did not end: " + told
        return self.p.returncode, out.decode()


class Tracer:
    """frec attached to pids."""

    def __init__(self, pids, *options):
        self.case = new_case()
        self.err = open(f"{self.case}.err", "w+")
        self.pids = pids
        self.p = subprocess.Popen([FREC, "-p", ",".join(map(str, pids)), "-o", self.case, *options],
                                  stdin=subprocess.DEVNULL, stdout=self.err, stderr=self.err)
        self.pid = self.p.pid
        _children.append(self.p)

    def text(self):
        with open(self.err.name) as f:
            return f.read()

    def attached(self):
        """Waits until every thread of all of them is."""
        return wait_until(lambda: self.text().count("frec: attached to") == len(self.pids) or
                          self.p.poll() is not None, 240, 0.001) and self.p.poll() is None

    def said(self):
        """What it complains of."""
        return complaints(self.text())

    def end(self, sig=signal.SIGTERM, seconds=60):
        """Exit code, None when it hangs (and is killed)."""
        if sig and self.p.poll() is None:
            self.p.send_signal(sig)
        code = wait_end(self.p, seconds)
        if code is None:
            self.p.kill()
            self.p.wait()
        return code

    def drop(self):
        self.err.close()
        os.unlink(f"{self.case}.err")
        drop_case(self.case)
