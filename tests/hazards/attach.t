#!/usr/bin/env python3
# Attaching to and leaving processes in every state, again and again, and frec killed while
# attached: the target goes on as if nobody had been there.
import random

from hazlib import *

need_ptrace()
random.seed(1)
SCALE = 10 if FULL else 1


def cycle(target, seconds, *options):
    """One attach, some time, one detach. "" or what went wrong."""
    t = Tracer([target.pid], *options)
    wrong = ""
    if not t.attached():
        wrong = f"not attached: exit {t.p.poll()}: {t.said()}"
    time.sleep(seconds)
    code = t.end()
    if code != 0:
        wrong = wrong or f"frec ended with {code}: {t.said()}"
    wrong = wrong or settles(lambda: unharmed(target.pid, target.mask))
    t.drop()
    return wrong


def finish(target, name, cycles=0, want=(0, "end\n"), seconds=20):
    """Ends the target, looks around, and makes one check of it all."""
    got = target.end(cycles, seconds)
    left = left_over()
    ok(got == want and not left, name, got, left)


# ---- cycles ----

def cycles(name, n, longest, *options, arguments=()):
    target = Driven(name, *arguments)
    wrong = ""
    for i in range(n):
        wrong = cycle(target, random.random() * longest, *options) or \
            ("" if name == "sleeping" or target.works() else "it does nothing any more")
        if wrong:
            wrong = f"cycle {i}: {wrong}"
            break
    name = " ".join([name, *arguments])
    ok(not wrong, f"{name}: {n} times attached and left", wrong)
    finish(target, f"{name}: nothing lost, nothing broken, EINTR at most once each time", n)


cycles("sleeping", 6 * SCALE, 0.05)
cycles("sleeping", 4, 0, "-e", "file")
cycles("service", 100 if FULL else 12, 0.06)
cycles("service", 3 * SCALE, 0.05, "-e", "all", "--placement", "none")
cycles("service", 3 * SCALE, 0.05, "--placement", "colocate")
cycles("service", 3 * SCALE, 0.05, "--placement", "spin")
cycles("computing", 5 * SCALE, 0.1)
cycles("crowd", 5 * SCALE, 0.1)
cycles("crowd", 2, 0.3, arguments=["2000"])
cycles("forking", 6 * SCALE, 0.05)
cycles("numbered-signals", 8 * SCALE, 0.05)
cycles("numbered-signals", 4 * SCALE, 0.05, arguments=["flood"])

# ---- threads that are born and die meanwhile ----

target = Driven("breeding")
wrong = ""
for i in range(8 * SCALE):
    t = Tracer([target.pid])
    t.attached()

    def untraced():
        """A thread that has lived for a moment without its tracer."""
        first = [x for x in threads(target.pid) if status_of(target.pid, x).get("TracerPid") == "0"]
        time.sleep(0.02)
        return [x for x in first if status_of(target.pid, x).get("TracerPid") == "0"]

    time.sleep(0.01)
    missed = untraced()
    code = t.end()
    wrong = (f"threads {missed} not traced; {t.said()}" if missed else "") or (f"exit {code}: {t.said()}" if code else "") or \
        settles(lambda: unharmed(target.pid, target.mask)) or ("" if target.works() else "stands still")
    t.drop()
    if wrong:
        break
ok(not wrong, "breeding: every thread is found, none is left stopped", f"cycle {i}: {wrong}")
finish(target, "breeding: ends well")

# ---- stopped ----


def state(pid):
    return status_of(pid).get("State", "?")[0]


def stands(pid, letters="T"):
    return "" if state(pid) in letters else f"it is {status_of(pid).get('State')}"


def changes(pid, want=0):
    """What its parent, this test, is told of it; waits until it is told so many things."""
    told = []
    end = time.monotonic() + 20 * SLOW
    while True:
        p, status = os.waitpid(pid, os.WNOHANG | os.WUNTRACED | os.WCONTINUED)
        if p:
            told.append("stopped" if os.WIFSTOPPED(status) else "continued" if os.WIFCONTINUED(status) else "ended")
        elif len(told) >= want or time.monotonic() > end:
            return told
        else:
            time.sleep(0.002)


# a group of its own: SIGTSTP stops nobody in an orphaned one, which a test in the background has
target = Driven("computing", preexec_fn=os.setpgrp)
os.kill(target.pid, signal.SIGSTOP)
settles(lambda: stands(target.pid))
is_(changes(target.pid, 1), ["stopped"], "a stop is told to the parent")
for i in range(3):
    t = Tracer([target.pid])
    ok(t.attached(), "attached to a stopped process", t.said())
    time.sleep(0.03)
    is_(settles(lambda: stands(target.pid, "tT")), "", "it stays stopped while attached")
    is_(t.end(), 0, "frec leaves it")
    is_(settles(lambda: stands(target.pid) or
                ("" if tracer_of(target.pid) == 0 else "traced")), "", "it is still stopped")
    t.drop()
is_(changes(target.pid), [], "the parent is told nothing of it")
os.kill(target.pid, signal.SIGCONT)
ok(target.works(), "SIGCONT after all that: it runs")
is_(changes(target.pid, 1), ["continued"], "which is told once")

t = Tracer([target.pid])
t.attached()
time.sleep(0.02)
# the state is looked at when all its threads have stopped: each is in a tracer's stop on the way there, and runs again
os.kill(target.pid, signal.SIGSTOP)
is_(changes(target.pid, 1), ["stopped"], "SIGSTOP while attached: told once")
is_(stands(target.pid, "tT"), "", "stopped")
os.kill(target.pid, signal.SIGCONT)
ok(target.works(), "SIGCONT while attached: it runs")
is_(changes(target.pid, 1), ["continued"], "told once")
os.kill(target.pid, signal.SIGTSTP)
is_(changes(target.pid, 1), ["stopped"], "SIGTSTP while attached: told once")
is_(stands(target.pid, "tT"), "", "stopped")
is_(t.end(), 0, "left while it is stopped")
t.drop()
is_(settles(lambda: stands(target.pid)), "", "it stays so")
is_(changes(target.pid), [], "and is not told again")
os.kill(target.pid, signal.SIGCONT)
ok(target.works(), "SIGCONT: it runs")
changes(target.pid, 1)

os.kill(target.pid, signal.SIGSTOP)
settles(lambda: stands(target.pid))
t = Tracer([target.pid])
t.attached()
t.end(signal.SIGKILL)
is_(settles(lambda: stands(target.pid) or ("" if tracer_of(target.pid) == 0 else "traced")), "",
    "frec killed while its target is stopped: it stays so")
t.drop()
os.kill(target.pid, signal.SIGCONT)
ok(target.works(), "and goes on by SIGCONT")
os.kill(target.pid, signal.SIGSTOP)
t = Tracer([target.pid])
t.attached()
os.kill(target.pid, signal.SIGKILL)
is_(t.end(None), 0, "SIGKILL of one that is attached and stopped: frec ends")
t.drop()
is_(target.p.wait(), -signal.SIGKILL, "and its parent gets the status")
target.p.communicate()
left_over()

# ---- vfork ----

target = Driven("in-vfork", "-")
for i in range(3):
    t = Tracer([target.pid])
    ok(t.attached(), "attached to the parent inside vfork", t.said())
    time.sleep(0.02)
    before = time.monotonic()
    is_(t.end(), 0, "left inside vfork, which does not end meanwhile")
    t.drop()
inner = next(p for p in descendants() if status_of(p).get("PPid") == str(target.pid))
for pids in ([target.pid, inner], [inner, target.pid], [inner]):
    t = Tracer(pids)
    ok(t.attached(), "attached to both sides of a vfork, or to the child", t.said())
    is_(t.end(), 0, "left")
    t.drop()
is_(settles(lambda: "" if tracer_of(target.pid) == tracer_of(inner) == 0 else "traced"), "", "no tracer is left")
finish(target, "the vfork ends as ever", 1)
target = Driven("in-vfork", "-")
t = Tracer([target.pid])
t.attached()
got = target.end(1)
is_((got, t.end(None), t.said()), ((0, "end\n"), 0, ""), "a vfork that ends while attached: so does frec")
t.drop()
left_over()

# ---- execve without pause ----

target = Driven("exec-storm", 200 * SCALE)
tries, attached, wrong = 0, 0, ""
while target.p.poll() is None and not wrong:
    t = Tracer([target.pid])
    tries += 1
    t.attached()
    time.sleep(random.random() * 0.02)
    code = t.end()
    attached += code == 0
    if code is None:
        wrong = "frec hangs"
    elif code and not re.search("it ended while|no such process|zombie|told to stop", t.said()):
        wrong = t.said()
    t.drop()
ok(not wrong and attached, f"execve out of threads: {attached} of {tries} times attached", wrong)
if wrong:
    kill_everything()
try:
    out = target.p.communicate(timeout=60)[0].decode()
except subprocess.TimeoutExpired:
    out = "hangs: " + str(descendants())
    kill_everything()
is_((target.p.returncode, out[-11:]), (0, "0 left\nend\n"), "and it comes to its end")
left_over()

# ---- a leader that has ended ----

target = Driven("zombie-leader")
for i in range(3):
    t = Tracer([target.pid])
    ok(t.attached(), "attached to a process without a leader", t.said())
    time.sleep(0.02)
    ok(target.works(), "it works")
    is_(t.end(), 0, "left")
    is_(settles(lambda: unharmed(target.pid)), "", "unharmed")
    t.drop()
t = Tracer([target.pid])
t.attached()
got = target.end(-1)
is_(got, (0, "landed\nend\n"), "its thread calls execve and becomes the leader")
is_((t.end(None), t.said()), (0, ""), "which frec follows to the end")
t.drop()
is_(left_over(), "", "nothing is left")

# ---- frec killed at any instant ----

def speed(target):
    """Rounds per second of CPU time, which other programs do not change much."""
    def used():
        with open(f"/proc/{target.pid}/stat") as f:
            return sum(map(int, f.read().rsplit(")", 1)[1].split()[11:13])) / os.sysconf("SC_CLK_TCK")

    rounds, cpu = target.rounds(), used()
    wait_until(lambda: used() > cpu + 0.15, 30)
    return (target.rounds() - rounds) / (used() - cpu)


for name in "service", "computing", "crowd", "forking", "numbered-signals":
    target = Driven(name, *["flood"] * (name == "numbered-signals"))
    time.sleep(0.1)
    busy = name in ("service", "computing")         # the others sleep most of the time
    before = speed(target) if busy else 0
    wrong = ""
    n = (8 if name in ("service", "computing") else 5) * SCALE
    for i in range(n):
        t = Tracer([target.pid], *random.choice([[], ["--placement", "colocate"], ["-e", "all"]]))
        if i % 3:
            t.attached()
        time.sleep(random.random() * 0.08)
        t.end(signal.SIGKILL)
        wrong = settles(lambda: unharmed(target.pid, target.mask)) or ("" if target.works() else "stands still")
        t.drop()
        if wrong:
            wrong = f"kill {i}: {wrong}"
            break
    ok(not wrong, f"{name}: frec killed {n} times, it lives on, untraced, not stopped, its masks its own", wrong)
    if busy:
        after = max(speed(target) for _ in range(3))
        ok(after > before * 0.6, f"{name}: at full speed",
           f"{before:.0f} rounds a second of CPU time before, {after:.0f} after")
    finish(target, f"{name}: nothing lost", n)

# ---- the target killed at any instant ----

wrong = ""
for i in range(15 * SCALE):
    target = Driven(random.choice(["service", "breeding", "computing", "sleeping"]))
    t = Tracer([target.pid])
    time.sleep(random.random() * 0.03)
    if i % 2:
        t.attached()
    os.kill(target.pid, signal.SIGKILL)
    code = t.end(None)
    if code is None or code not in (0, 1) or (code == 1 and not re.search("no such process|zombie", t.said())):
        wrong = f"kill {i}: frec ends with {code}: {t.said()}"
    target.p.communicate()
    t.drop()
    left = left_over()
    wrong = wrong or left or ("" if target.p.returncode == -9 else f"status {target.p.returncode}")
    if wrong:
        break
ok(not wrong, "targets killed at any instant of attaching: frec ends, nothing is left", wrong)

# ---- many at once ----

crowd = [Driven("idle") for _ in range(64)]
t = Tracer([c.pid for c in crowd])
ok(t.attached(), "64 processes at once", t.said())
ok(all(c.rounds() == 0 for c in crowd), "all of them answer")
is_(t.end(), 0, "all are left")
is_([w for w in (settles(lambda: unharmed(c.pid, c.mask)) for c in crowd) if w], [], "unharmed")
is_({c.end() for c in crowd}, {(0, "end\n")}, "and end as they should")
t.drop()
is_(left_over(), "", "nothing is left")
done()
