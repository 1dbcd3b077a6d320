#!/usr/bin/env python3
# Operations through io_uring: a target that drives its rings by hand and knows what it asked for
# and what came back, launched and attached to; the timeline must say the same.
from lib import *

need_ptrace()


def compare(name, case, text):
    want = []
    for line in text.splitlines():
        call, fd, path, res = line.split("\t")
        want.append((call, None if fd == "-" else int(fd), path, int(res)))
    got = [(r["syscall"], r["fd"], r["path"], r["ret"]) for r in
           rows(case, "SELECT syscall, fd, path, ret FROM timeline WHERE syscall LIKE 'io_uring.%' ORDER BY seq")]
    is_(len(got), len(want), f"{name}: as many operations as the target made")
    for g, w in zip(got, want):
        is_(g[0], w[0], f"{name}: {w[0]}")
        is_(g[3], w[3], f"{name}: {w[0]} result {w[3]}")
        # a file renamed while it is open has its new name from then on
        ok(g[2] == w[2] or (g[2] or "").replace("/two", "/one") == w[2], f"{name}: {w[0]} path", g[2], w[2])
        is_(g[1], w[1], f"{name}: {w[0]} fd")
    moved = rows(case, "SELECT SUM(bytes_read) AS r, SUM(bytes_written) AS w FROM fd_bytes WHERE path LIKE '%/one'")[0]
    is_((moved["r"], moved["w"]), (510, 5000), f"{name}: bytes of the file")
    gone = rows(case, "SELECT path, size FROM destroyed_rows WHERE path LIKE '%/two'")
    ok(any(r["size"] == 5000 for r in gone), f"{name}: what unlinkat destroyed is known", gone)


for abi, program in others("uring"):
    for options in ([], ["--no-seccomp"]):
        name = f"{abi}, launched" + "".join(options)
        case, folder = f"{tmp}/{name}.frz", fresh(name)
        r = frec("-q", *options, "-o", case, "--", program, folder)
        if r.returncode == 77:
            skip("io_uring", "not to be had here")
            done()
        is_(r.returncode, 0, f"{name}: the target ended well")
        is_sealed(case, f"{name}: verifies")
        compare(name, case, r.stdout)

    name = f"{abi}, attached"
    case, folder = f"{tmp}/{name}.frz", fresh(name)
    p = start(program, folder, "wait", stdin=subprocess.PIPE)
    wait_until(lambda: reads(p.pid))
    f = attach_surely(p.pid, case)
    p.stdin.write("x")
    p.stdin.flush()
    out, _ = p.communicate(timeout=30)
    is_(p.returncode, 0, f"{name}: the target ended well")
    f.communicate(timeout=30)
    is_sealed(case, f"{name}: verifies")
    compare(name, case, out)

# a kernel thread takes the submissions: what frec did not see it says, and guesses nothing
case, folder = f"{tmp}/sqpoll.frz", fresh("sqpoll")
r = frec("-q", "-o", case, "--", f"{BUILD}/targets/uring", folder, "sqpoll")
if is_(r.returncode, 0, "sqpoll: the target ended well"):
    is_sealed(case, "sqpoll: verifies")
    made = [tuple(line.split("\t")) for line in r.stdout.splitlines()]
    got = rows(case, "SELECT syscall, ret FROM timeline WHERE syscall LIKE 'io_uring.%'")
    ok(len(got) <= len(made) and all(any(g["syscall"] == m[0] and g["ret"] in (None, int(m[3])) for m in made) for g in got),
       "sqpoll: no operation is made up", *got)
    is_(one(case, "SELECT count(*) FROM coverage WHERE what = 'io_uring with SQPOLL'"), 1, "sqpoll: coverage names the ring")
    text = fanalyze(case).stdout
    like(text, r"(?m)^not seen .*io_uring with SQPOLL", "sqpoll: so does the summary")
    is_(rows(case, "SELECT * FROM io_audit WHERE verdict LIKE 'differs%'"), [], "sqpoll: no audit differs")

# a ring from before: once a kernel thread serves it no call need tell of it
case, folder = f"{tmp}/before.frz", fresh("before")
p = start(f"{BUILD}/targets/uring", folder, "before", stdin=subprocess.PIPE)
is_(p.stdout.readline(), "ready\n", "before: the ring is there")
f = attach([p.pid], case, "-q")
p.stdin.write("x")
p.stdin.flush()
p.communicate(timeout=30)
f.communicate(timeout=30)
is_((p.returncode, one(case, "SELECT count(*) FROM timeline WHERE syscall LIKE 'io_uring.%' OR syscall = 'io_uring_enter'")), (0, 0),
    "before: it worked without a call")
is_(one(case, "SELECT count(*) FROM coverage WHERE what = 'io_uring ring not followed'"), 1, "before: coverage names the ring")
done()
