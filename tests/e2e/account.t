#!/usr/bin/env python3
# Targets that know what they did: their own account is the timeline, their bytes are fd_bytes,
# and the kernel's counters agree. Once started by frec, once attached to; for each ABI that the kernel runs.
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


def launched(name, program, *options):
    folder, file, case = fresh(name), f"{tmp}/{name}.account", f"{tmp}/{name}.frz"
    r = frec("-q", *options, "-o", case, "--", program, file, folder)
    if ok(r.returncode == 0, f"{name}: recorded from its start", f"exit {r.returncode}", r.stderr):
        check(name, case, file, folder)


def attached(name, program):
    folder, file, case = fresh(name), f"{tmp}/{name}.account", f"{tmp}/{name}.frz"
    p = start(program, file, folder, "wait", stdin=subprocess.PIPE)
    wait_until(lambda: reads(p.pid))
    f = attach_surely(p.pid, case)
    p.stdin.write("x")
    p.stdin.flush()
    out, err = p.communicate(timeout=60 * SLOW)
    is_(p.returncode, 0, f"{name}: the target ended well")
    try:
        f.communicate(timeout=30 * SLOW)
    except subprocess.TimeoutExpired:
        f.kill()
    if is_(f.returncode, 0, f"{name}: frec ended with it"):
        check(name, case, file, folder)


for t in TARGETS:
    for abi, program in others(t):
        launched(f"{t} {abi}", program)
        if abi != "native":
            launched(f"{t} {abi} --no-seccomp", program, "--no-seccomp")
        attached(f"{t} {abi} attached", program)
done()
