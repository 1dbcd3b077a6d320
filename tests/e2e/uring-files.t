#!/usr/bin/env python3
# What an operation through io_uring was about, where it is no fd of the process: registered files, rings
# that a thread enters by a number, members that look like an fd; addresses; what is destroyed.
import hashlib

from lib import *

need_ptrace()

for abi, program in others("uring"):
    case, folder, kept = f"{tmp}/{abi}.frz", fresh(abi), fresh(abi + "-kept")
    r = frec("-q", "--keep", kept, "-o", case, "--", program, folder, "files", stdin=subprocess.DEVNULL)
    if r.returncode == 77:
        skip(abi, "io_uring is not to be had here")
        continue
    if not is_(r.returncode, 0, f"{abi}: the target ended well"):
        diag(r.stderr)
        continue
    is_sealed(case, f"{abi}: verifies")
    want = [line.split("\t") for line in r.stdout.splitlines()]
    got = rows(case, "SELECT syscall, fd, path, ret, detail FROM timeline WHERE syscall LIKE 'io_uring.%' ORDER BY seq")
    is_(len(got), len(want), f"{abi}: as many operations as the target made")
    for g, (call, fd, path, res, has) in zip(got, want):
        fd, path = None if fd == "-" else int(fd), None if path == "-" else path
        ok(g["syscall"] == call and g["fd"] == fd and (path or "").endswith("*") | (g["path"] == path) and g["ret"] == int(res) and
           (has in g["detail"] if has != "-" else "registered" not in g["detail"]), f"{abi}: {call} {has}", g, (fd, path, res, has))
        if call == "io_uring.renameat":
            ok("was=" not in g["detail"], f"{abi}: names that are exchanged destroy nothing", g)
    is_([(r["fd"], r["path"]) for r in rows(case, "SELECT fd, path FROM timeline WHERE syscall = 'io_uring_enter'")],
        [(None, None)] * one(case, "SELECT count(*) FROM timeline WHERE syscall = 'io_uring_enter'"),
        f"{abi}: a registered ring's number is not taken for an fd")
    is_(one(case, "SELECT path FROM timeline WHERE syscall = 'read' AND fd = 0"), "/dev/null",
        f"{abi}: closing a registered file closes no fd")
    is_(one(case, "SELECT count(*) FROM fd_bytes WHERE fd = 0 AND path = '/dev/null'"), 1, f"{abi}: fd 0 was open once")
    is_(one(case, "SELECT SUM(count) FROM coverage WHERE what = 'io_uring registered file not known'"), 1,
        f"{abi}: coverage counts the operation whose file is not known")
    is_(one(case, "SELECT count(*) FROM coverage WHERE what = 'io_uring ring not followed'"), 0, f"{abi}: both rings were followed")
    is_(sorted(r["path"] for r in rows(case, "SELECT path FROM destroyed_rows")), [folder + "/b", folder + "/c"],
        f"{abi}: what was destroyed")
    ok(all(os.path.exists(f"{kept}/{hashlib.sha256(text).hexdigest()}") for text in (b"c" * 50, b"b" * 200)),
       f"{abi}: --keep has both", os.listdir(kept))
done()
