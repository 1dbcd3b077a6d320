#!/usr/bin/env python3
# frec at a terminal: the status line, Ctrl-C once and twice, Ctrl-Z, a command with a terminal.
import pty
import select
import threading

from lib import *

need_ptrace()


class Terminal:
    """Runs a program as the leader of a terminal of its own and collects what it shows."""

    def __init__(self, *argv):
        self.output = b""
        self.returncode = None
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execv(argv[0], argv)
        self.reader = threading.Thread(target=self.read)
        self.reader.start()

    def read(self):
        while True:
            try:
                data = os.read(self.fd, 65536)
            except OSError:
                return
            if not data:
                return
            self.output += data

    def type(self, keys):
        os.write(self.fd, keys)

    def shows(self, pattern, seconds=10):
        return wait_until(lambda: re.search(pattern, self.output), seconds)

    def state(self):
        with open(f"/proc/{self.pid}/stat") as f:
            return f.read().rsplit(")", 1)[1].split()[0]

    def wait(self, seconds=20):
        end = time.monotonic() + seconds * SLOW
        while self.returncode is None and time.monotonic() < end:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
            else:
                time.sleep(0.02)
        if self.returncode is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        self.reader.join(5)
        return self.returncode


def screen(output):
    """The lines a terminal shows in the end: a carriage return goes back, text overwrites."""
    lines = []
    for line in output.decode("utf-8", "replace").split("\n"):
        shown = []
        at = 0
        for c in line:
            if c == "\r":
                at = 0
                continue
            shown[at:at + 1] = [c]
            at += 1
        lines.append("".join(shown).rstrip())
    return lines


def busy():
    return start("dd", "if=/dev/zero", "of=/dev/null", "bs=1", "count=4000000000")


def reason(case):
    return one(case, "SELECT value FROM case_info WHERE key = 'end_reason'")


STATUS = rb"frec: \d+:\d\d  [\d,]+ events?  [\d,]+/s  [\d.]+ \w+  \d+ threads?"

# ---- attached: the line is drawn, moves, goes away ----
target = busy()
case = tmp + "/status.frz"
t = Terminal(FREC, "-p", str(target.pid), "-o", case)
ok(t.shows(STATUS), "the status line is drawn", t.output)
ok(t.shows(rb"frec: 0:01  [\d,]+ events  [1-9][\d,]*/s  [\d.]+ \w+  1 thread\b"), "and tells of the target", t.output)
begin = len(re.findall(STATUS, t.output))
time.sleep(1)
drawn = len(re.findall(STATUS, t.output)) - begin
ok(1 <= drawn <= 6, "four times a second at most", drawn)
t.type(b"\x1a")
time.sleep(0.3)
ok(t.state() not in "Tt" and target.poll() is None, "Ctrl-Z does not stop frec", t.state())
t.type(b"\x03")
t.type(b"\x03")
t.type(b"\x1c")
is_(t.wait(), 0, "Ctrl-C, pressed twice, and Ctrl-\\ end it cleanly")
lines = screen(t.output)
ok(not any(re.match(r".*\d/s  ", line) for line in lines), "the line is gone in the end", lines)
ok(sum(line.startswith("frec: seal ") or re.search(r"frec: seal [0-9a-f]{64}$", line) is not None
       for line in lines) == 1, "the seal is printed", lines)
is_(reason(case), "signal SIGINT", "the first of them is the reason")
is_sealed(case, "the case is sealed")
ok(target.poll() is None and tracer_of(target.pid) == 0, "the target lives, untraced")

# ---- no line where none is wanted ----
for option in ("-q", "-v"):
    case = tmp + f"/no{option}.frz"
    t = Terminal(FREC, option, "-e", "fork", "-p", str(target.pid), "-o", case, "--duration", "700ms")
    is_(t.wait(), 0, f"{option}: ends")
    ok(not re.search(STATUS, t.output), f"{option}: no status line", t.output)
    if option == "-q":
        is_(t.output, b"", "-q: nothing at all")
r = frec("-p", str(target.pid), "-o", tmp + "/pipe.frz", "--duration", "700ms", "-e", "fork")
ok("\r" not in r.stderr and not re.search(STATUS.decode(), r.stderr), "no terminal, no status line", r.stderr)

# ---- a terminal that nobody reads holds up neither frec nor the target ----
case = tmp + "/stuck.frz"
master, slave = pty.openpty()
os.set_blocking(slave, False)
try:
    while True:
        os.write(slave, b"." * 4096)
except BlockingIOError:
    pass
os.set_blocking(slave, True)
f = start(FREC, "-e", "fork", "-p", str(target.pid), "-o", case, "--duration", "1s",
          stderr=slave, preexec_fn=os.setsid)
attached = wait_until(lambda: tracer_of(target.pid) == f.pid)
began = time.monotonic()
free = wait_until(lambda: tracer_of(target.pid) == 0)
ok(attached and free and time.monotonic() - began < 8 * SLOW, "a stuck terminal: the target is let go in time",
   attached, free, time.monotonic() - began)
while f.poll() is None and select.select([master], [], [], 1)[0]:
    os.read(master, 65536)
f.wait(20)
os.close(slave)
os.close(master)
target.kill()
target.wait()

# ---- launched: the terminal belongs to the command ----
for keys, sig in ((b"\x03", "INT"), (b"\x1c", "QUIT")):
    case = tmp + f"/launch-{sig}.frz"
    script = f"trap 'echo caught; exit 7' {sig}; echo ready; while :; do sleep 0.05; done"
    t = Terminal(FREC, "-q", "-o", case, "--", "/bin/sh", "-c", script)
    ok(t.shows(rb"ready"), f"SIG{sig}: the command runs", t.output)
    t.type(keys)
    is_(t.wait(), 7, f"SIG{sig}: the command decides, and its status is frec's")
    ok(b"caught" in t.output, f"SIG{sig}: it was caught by the command", t.output)
    is_(reason(case), "targets exited", f"SIG{sig}: recorded to the command's end")

done()
