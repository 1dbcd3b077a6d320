#!/usr/bin/env python3
# Targets that lie about their memory (tests/targets/hostile.c): frec survives, every call is a row
# with the right result, what could not be read or kept whole is marked in `detail`, the
# case verifies, and frec's memory stays bounded.
import resource

from lib import *

need_ptrace()
HOSTILE = f"{BUILD}/targets/hostile"
MEMORY = (1024 if os.environ.get("SANITIZE") else 16) << 10    # KiB; what a sanitizer keeps is not frec's


def peak_of(pid):
    with open(f"/proc/{pid}/status") as f:
        return int(re.search(r"VmHWM:\s*(\d+)", f.read()).group(1))


def record(name, *argv, options=()):
    """Launches it under frec: (case, its output, frec's peak memory in KiB)."""
    case, folder = f"{tmp}/{name}.frz", fresh(name)
    p = start(FREC, "-q", *options, "-o", case, "--", HOSTILE, argv[0], folder, *argv[1:], stdin=subprocess.PIPE)
    out, line = "", p.stdout.readline()
    while line not in ("", "end\n"):
        if line == "begin\n":
            p.stdin.write("x")
            p.stdin.flush()
        else:
            out += line
        line = p.stdout.readline()
    peak = peak_of(p.pid)
    err = p.communicate("x")[1]
    is_(p.returncode, 0, f"{name}: frec and the target ended well") or diag(err)
    is_(err, "", f"{name}: nothing to complain about")
    is_sealed(case, f"{name}: verifies")
    return case, out, peak


def between(case):
    """The rows between the target's marks."""
    all_rows = rows(case, "SELECT seq, tid, syscall, ret, errno, path, path2, bytes, detail FROM timeline ORDER BY ts_ns, seq")
    marks = [i for i, r in enumerate(all_rows) if (r["path"] or "").startswith("/hostile/")]
    return [r for r in all_rows[marks[0] + 1:marks[-1]] if r["tid"] == all_rows[marks[0]]["tid"]] if marks else []


def compare(name, case, out):
    want = [line.split("\t") for line in out.splitlines()]
    names = {w[0] for w in want}
    got = [r for r in between(case) if r["syscall"] in names]
    problems = []
    for w, r in zip(want, got):
        call, ret, detail, path = w
        d = r["detail"] or ""
        if call != r["syscall"]:
            problems.append(f"{w} is {r}")
            break
        if int(ret) != r["ret"]:
            problems.append(f"{call} ret {ret}: {r}")
        if detail != "*" and detail not in d:
            problems.append(f"{call} lacks {detail}: {r}")
        if path != "*" and r["path"] != shown(bytes.fromhex(path)):
            problems.append(f"{call} path {shown(bytes.fromhex(path))!r}: {r}")
    ok(want and not problems and len(want) == len(got), f"{name}: its {len(want)} calls are the rows",
       f"{len(want)} wanted, {len(got)} there", *problems[:12])
    return got


def lost(case):
    return rows(case, "SELECT * FROM case_info WHERE key LIKE '%lost%' AND value NOT IN ('0', '')")


for name in ["paths", "pointers", "addresses", "control", "long-fds", "arguments", "flood"]:
    for options in ([], ["--snap", "64"]):
        what = name + "".join(options[:1])
        case, out, peak = record(what, name, options=options)
        got = compare(what, case, out)
        is_(lost(case), [], f"{what}: no event lost")
        ok(peak < MEMORY, f"{what}: frec took {peak} KiB at most")
        if name == "arguments" and not options:
            execs = rows(case, "SELECT ret, detail FROM timeline WHERE syscall = 'execve' AND path LIKE '%/true' AND ret = 0")
            is_(len(execs), 2, "both were executed")
            for e in execs:
                like(e["detail"], r"cut\(argv", "that argv was cut is said")
        if name == "long-fds":
            n = one(case, "SELECT COUNT(DISTINCT path) AS n FROM fd_bytes WHERE bytes_written = 1 AND length(path) > 3700")
            is_(n, 253, f"{what}: 253 received fds, each with its long path")
        if name == "addresses":
            short = [r for r in got if r["syscall"] == "getsockname" and r["ret"] == 0]
            ok(short and not any("ZZ" in r["detail"] for r in short), "no bytes behind a short address", *short)

case, out, peak = record("numbers", "numbers", options=["-e", "all"])
got = [(r["syscall"], r["errno"], r["path"]) for r in between(case)]
for number in (999, 0x3fffffff):        # the second with bit 30: an x32 number
    ok((f"syscall_{number}", "ENOSYS", None) in got, f"call {number}, which no kernel has, is a row")
n = one(case, "SELECT SUM(count) AS n FROM coverage WHERE what = 'syscall not in the table'")
ok(n and n >= 3, "and in coverage", n)
ok(rows(case, "SELECT 1 FROM coverage WHERE detail = 'x86_64 999'"), "with its number")
if os.uname().machine == "x86_64" and not any(r[0] == "syscall_9999" for r in got):
    skip("i386 calls", "this kernel has none")
elif os.uname().machine == "x86_64":
    for name, unreadable in ("open", "path"), ("socketcall", "args"), ("mmap", "addr"), ("execve", "argv"):
        r = next((r for r in between(case) if r["syscall"] == name), {})
        like(r.get("detail") or "", rf"unreadable\({unreadable}\)", f"i386 {name}: what could not be read is said")
        is_(r.get("path"), None, f"i386 {name}: and no path made up")

case, out, peak = record("racing", "racing")
counts = {r["syscall"]: r["n"] for r in rows(case, "SELECT syscall, COUNT(*) AS n FROM timeline GROUP BY syscall")}
for call in "rename unlink sendmsg recvmsg".split():
    is_(counts.get(call), 400, f"racing: every {call} is a row")
is_(counts.get("execve"), 401, "racing: every execve is a row")
ok(counts.get("openat", 0) >= 400, "racing: every openat is a row")
ok(peak < MEMORY, f"racing: frec took {peak} KiB at most")

begun = time.monotonic()
if run(HOSTILE, "rings", fresh("probe")).returncode == 77:
    skip("rings", "io_uring is not to be had here")
else:
    case, out, peak = record("rings", "rings")
    is_(lost(case), [], "rings: no event lost")
    n = one(case, "SELECT COUNT(*) AS n FROM timeline WHERE syscall = 'io_uring_enter'")
    ok(n >= 60, f"rings: every io_uring_enter is a row ({n})")
    ok(peak < MEMORY, f"rings: frec took {peak} KiB at most")
    ok(time.monotonic() - begun < 20 * SLOW, "rings: and no long time")

# memory whose faults the target answers itself: frec must not be the one who waits
FAULTS = f"{BUILD}/targets/faults"
folder = fresh("faults")
if run(FAULTS, folder).returncode == 77:
    skip("faults", "userfaultfd is not to be had here")
else:
    for how in "launched", "attached":
        case = f"{tmp}/faults-{how}.frz"
        try:
            if how == "launched":
                r = frec("-q", "-o", case, "--", FAULTS, folder, timeout=30 * SLOW).returncode
            else:
                p = start(FAULTS, folder, "wait", stdin=subprocess.PIPE)
                p.stdout.readline()
                f = attach([p.pid], case, "-q")
                p.communicate("x", timeout=30 * SLOW)
                f.communicate(timeout=30 * SLOW)
                r = p.returncode or f.returncode
        except subprocess.TimeoutExpired:
            r = "hangs"
        if not is_(r, 0, f"faults, {how}: frec and the target end well"):
            continue
        got = rows(case, f"SELECT ret, detail FROM timeline WHERE syscall = 'openat' AND path = '{folder}/file' AND detail LIKE '%O_RDONLY%'")
        is_(len(got), 3, f"faults, {how}: what was opened is known")
        ok(all("unreadable(path)" in g["detail"] for g in got), f"faults, {how}: and that its name could not be read", *got)

# a file server recorded with who uses it: nor must frec wait for its answers
folder = fresh("server")
if run(f"{BUILD}/targets/server", folder).returncode == 77:
    skip("server", "no FUSE mounts here")
else:
    case, folder = tmp + "/server.frz", fresh("server2")
    try:
        r = frec("-q", "--keep", fresh("copies"), "-o", case, "--", f"{BUILD}/targets/server", folder, timeout=30 * SLOW).returncode
    except subprocess.TimeoutExpired:
        r = "hangs"
    run("umount", "-l", folder + "/mnt")
    if is_(r, 0, "server: frec, the server and its user end well"):
        is_sealed(case, "server: verifies")
        got = rows(case, f"SELECT syscall, ret, detail FROM timeline WHERE detail LIKE '%not looked at: a recorded process serves it%'")
        is_([(g["syscall"], g["ret"] >= 0) for g in got], [(s, True) for s in ("openat", "truncate", "rename", "unlink")],
            "server: what was destroyed there is said not to be known")
        is_(one(case, "SELECT count FROM coverage WHERE what = 'file not looked at'"), 4, "server: so it is in coverage")
        got = rows(case, "SELECT detail FROM timeline WHERE syscall = 'faccessat' AND ret = 0")
        ok(any("unreadable(path)" in (g["detail"] or "") for g in got), "server: a path in a page that is still to come", *got)

case, out, peak = record("chain", "chain")
is_(one(case, "SELECT COUNT(*) AS n FROM processes"), 3001, "chain: 3000 forks followed")
ok(peak < MEMORY, f"chain: frec took {peak} KiB at most")

# very many fds, launched and attached to
N, hard = 1000000 if FULL else 100000, resource.getrlimit(resource.RLIMIT_NOFILE)[1]
if N > hard - 100 and hard != resource.RLIM_INFINITY:
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (1024, N + 100))
    except (ValueError, OSError):
        N = hard - 100
case, out, peak = record("many-fds", "many-fds", str(N))
wrote = one(case, "SELECT COUNT(*) AS n FROM timeline WHERE syscall = 'write' AND bytes = 1 AND path LIKE '%/many'")
is_(wrote, (N - 4 + 99) // 100 + N - 4, f"many-fds: a row for every write to {N} fds, with its path")
print(f"# {N} open fds: frec took {peak} KiB at most")
case = tmp + "/attached.frz"
p = start(HOSTILE, "many-fds", fresh("attached"), str(N), stdin=subprocess.PIPE)
is_(p.stdout.readline(), "begin\n", "many-fds, attached: they are open")
f = attach([p.pid], case, "-q")
p.stdin.write("x")
p.stdin.flush()
while p.stdout.readline() not in ("", "end\n"):
    pass
is_(stop(f)[0], 0, "many-fds, attached: frec ends well")
p.communicate("x")
wrote = one(case, "SELECT COUNT(*) AS n FROM timeline WHERE syscall = 'write' AND bytes = 1 AND path LIKE '%/many'")
is_(wrote, (N - 4 + 99) // 100 + N - 4, "many-fds, attached: a row for every write, with its path")
told = rows(case, "SELECT count, detail FROM coverage WHERE what = 'open fds not listed'")
ok(len(told) == 1 and told[0]["count"] in (1, N - 4096) and "resolved at first use" in told[0]["detail"],
   "many-fds, attached: coverage says how many were not listed", *told)

done()
