#!/usr/bin/env python3
# Every hazard target untraced, launched with and without the seccomp filter, and attached to:
# the same output, the same end, and nothing left over.
import difflib

from hazlib import *

need_ptrace()
program = HAZARDS + "/hazards"
only = sys.argv[1:] or os.environ.get("HAZARDS_ONLY", "").split()

MODES = [
    ("behind the filter", "launch", []),
    ("launched without filter", "launch", ["--no-seccomp"]),
    ("attached", "attach", ["-e", "all"]),
]


def differences(alone, traced):
    return difflib.unified_diff(alone.text().split("\n"), traced.text().split("\n"), "untraced", "traced",
                                lineterm="", n=0)


def check(argv, name, flags):
    alone = run_target(argv)
    if "MISMATCH" in alone.out or alone.trouble or alone.code is None:
        ok(False, f"{name}: untraced", alone.text())
        return
    # frec(1), CAVEATS: the filter takes no_new_privs where there is no CAP_SYS_ADMIN
    filtered = run_target(["setpriv", "--no-new-privs", *argv]) if os.getuid() else alone
    for what, mode, options in MODES:
        if "nofilter" in flags and what == "behind the filter":
            continue
        if "nofollow" in flags:
            options = options + ["--no-follow"]
        want = filtered if what == "behind the filter" else alone
        for _ in range(5 if FULL else 1):
            traced = run_target(argv, mode, options)
            if traced != want or traced.trouble:
                break
        ok(traced == want and not traced.trouble, f"{name}: {what}", *differences(want, traced))


targets = [(n, f.split()) for n, _, f in
           (line.partition(" ") for line in run(program, "--list").stdout.splitlines())]
ok(len(targets) >= 60, f"{len(targets)} targets")
for name, flags in targets:
    if {"driven", "inner"} & set(flags) or (only and name not in only):
        continue
    if "root" in flags and os.getuid() != 0:
        skip(name, "needs root")
        continue
    check([program, "-w", name], name, flags)
if os.uname().machine == "x86_64":
    for abi in "i386", "x32":
        # a kernel without x32 refuses it: the same refusal, traced and untraced
        check([program, "-w", "exec-other", f"{HAZARDS}/{abi}"], f"a program for {abi}", [])
done()
