#!/usr/bin/env python3
# Calls whose arguments stand in structures, sets and strings, and depend on commands: what the
# target says of each (tests/targets/commands.c) is its row, word for word; as a 64-bit program and
# as those of other ABIs, whose structures have another layout.
from lib import *

need_ptrace()


def check(name, program):
    case, folder = f"{tmp}/{name}.frz", fresh(name)
    r = frec("-q", "-o", case, "--", program, folder)
    if not is_(r.returncode, 0, f"{name}: recorded"):
        diag(r.stderr)
        return
    is_sealed(case, f"{name}: verifies")
    got = rows(case, "SELECT syscall, ret, bytes, detail, path FROM timeline ORDER BY ts_ns, seq")
    marks = [i for i, r in enumerate(got) if (r["path"] or "").startswith("/commands/")]
    got = [r for r in got[marks[0] + 1:marks[-1]]] if len(marks) == 2 else []
    want = [line.split("\t") for line in r.stdout.splitlines()]
    at = 0
    for call, ret, moved, detail in want:
        # what the target does beside, to get there, is not in its account
        while at < len(got) and (got[at]["syscall"], str(got[at]["ret"])) != (call, ret):
            at += 1
        if at == len(got):
            ok(False, f"{name}: {call} {ret} {detail}", "no such row")
            return
        d = got[at]["detail"] or ""
        good = detail[1:] in d if detail.startswith("*") else d == detail
        ok(good and got[at]["bytes"] == (None if moved == "-" else int(moved)), f"{name}: {call} {ret} {detail}", got[at])
        at += 1
    ok(len(want) > 50, f"{name}: {len(want)} calls compared")


for abi, target in others("commands"):
    check(abi, target)
done()
