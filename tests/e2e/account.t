#!/usr/bin/env python3
# Targets that know what they did: their own account is the timeline, their bytes are fd_bytes,
# and the kernel's counters agree. Once started by frec, once attached to.
from lib import *

need_ptrace()
TARGETS = ["io", "paths", "sideways", "sockets", "threads", "tree"]


def check(name, case, file, folder):
    is_sealed(case, f"{name}: verifies")
    calls = account(file)
    compare_account(case, calls, name)
    if name.split()[0] != "sockets":
        compare_bytes(case, calls, name, folder)
    compare_audit(case, name, unknown=2 if t == "tree" else 0)    # leader and sleeper of the threaded execve


for t in TARGETS:
    folder, file, case = fresh(t), f"{tmp}/{t}.account", f"{tmp}/{t}.frz"
    r = frec("-q", "-o", case, "--", f"{BUILD}/targets/{t}", file, folder)
    if ok(r.returncode == 0, f"{t}: recorded from its start", f"exit {r.returncode}", r.stderr):
        check(t, case, file, folder)

for t in TARGETS:
    name = f"{t} attached"
    folder, file, case = fresh(t + "2"), f"{tmp}/{t}2.account", f"{tmp}/{t}2.frz"
    p = start(f"{BUILD}/targets/{t}", file, folder, "wait", stdin=subprocess.PIPE)
    wait_until(lambda: " read" in open(f"/proc/{p.pid}/wchan").read() or
               open(f"/proc/{p.pid}/syscall").read().startswith("0 "), 5)
    f = attach([p.pid], case, "-q")
    p.stdin.write("x")
    p.stdin.flush()
    out, err = p.communicate(timeout=60)
    is_(p.returncode, 0, f"{name}: the target ended well")
    try:
        f.communicate(timeout=30)
    except subprocess.TimeoutExpired:
        f.kill()
    if is_(f.returncode, 0, f"{name}: frec ended with it"):
        check(name, case, file, folder)

done()
