#!/usr/bin/env python3
# strace as an oracle: the same deterministic program, once under strace and once under frec,
# makes the same calls with the same paths and results, process by process.
from lib import *

if not tool("strace"):
    skip_all("strace is not installed")
need_ptrace()

# Given to strace by name, so that a call which frec's table lacks is missed by this test's eyes.
# Left out: what differs from run to run (addresses, random, futex), see RESULT_VARIES.
CALLS = """
    read write open openat creat close stat fstat lstat newfstatat statx lseek mmap pread64 pwrite64
    readv writev preadv pwritev preadv2 pwritev2 access faccessat faccessat2 pipe pipe2 dup dup2 dup3
    fcntl flock fsync fdatasync truncate ftruncate getdents64 getcwd chdir fchdir rename renameat
    renameat2 mkdir mkdirat rmdir unlink unlinkat link linkat symlink symlinkat readlink readlinkat
    chmod fchmod fchmodat chown fchown fchownat umask sendfile splice tee vmsplice copy_file_range
    close_range socket socketpair bind listen accept4 connect sendto recvfrom sendmsg recvmsg shutdown
    getsockname execve fork vfork clone clone3 exit exit_group
""".split()
RESULT_VARIES = {"mmap", "fork", "vfork", "clone", "clone3"}
NO_SUCH_PATH = {"mmap"}
# What an fd was opened as (frec) and what it is called after a rename (strace).
RENAMED = {(f"{tmp}/work/old", f"{tmp}/work/new")}

LINE = re.compile(r"(\d+)\s+([a-z0-9_]+)\((.*)\)\s+= (.*)$")
RESUMED = re.compile(r"(\d+)\s+<\.\.\. ([a-z0-9_]+) resumed>(.*)$")


def strace_lines(file):
    """strace's lines, unfinished ones joined with their rest."""
    open_calls = {}
    with open(file, errors="surrogateescape") as f:
        for line in f:
            line = line.rstrip("\n")
            pid = line.split(None, 1)[0]
            m = re.match(r"(.*)<(unfinished|pid changed to \d+) \.\.\.>$", line)
            if m:
                open_calls[pid] = m.group(1)
                continue
            m = re.match(r"(\d+)\s+\+\+\+ superseded by execve in pid (\d+)", line)
            if m:    # the leader's id now carries that thread's pending execve
                open_calls[m.group(1)] = re.sub(r"^\d+", m.group(1), open_calls.pop(m.group(2)))
                continue
            m = RESUMED.match(line)
            if m:
                line = open_calls.pop(pid) + m.group(3)
            yield line
        for line in open_calls.values():    # never returned
            yield line.rstrip() + ") = ?"


def strace_calls(file):
    """[(process number in order of birth, name, result, errno, path of fd result)]"""
    order = {}
    for line in strace_lines(file):
        m = LINE.match(re.sub(r"\s+", " ", line, count=1))
        if not m:
            continue
        pid, name, args, result = m.groups()
        if name == "mmap" and "MAP_ANONYMOUS" in args:
            continue    # concerns no file
        n = order.setdefault(pid, len(order))
        err = re.match(r"-1 (E[A-Z0-9]+)", result)
        ret = re.match(r"(0x[0-9a-f]+|-?\d+)", result)
        path = re.match(r"\d+<(/.*?)>(\(deleted\))?$", result)
        first = re.match(r"(\d+)<(/[^>]*)>", args)
        yield (n, name, None if err or not ret else number(ret.group(1)), err.group(1) if err else None,
               (path or (first if not err else None)) and unquote((path.group(1) if path else first.group(2))))


def number(s):
    """A result as strace shows it: decimal, hex, or octal (umask)."""
    return int(s, 8) if re.match(r"0[0-7]+$", s) else int(s, 0)


def unquote(s):
    """Undoes strace's escapes in <path>."""
    simple = {"n": "\n", "t": "\t", "r": "\r", "v": "\v", "f": "\f", "\\": "\\", '"': '"'}
    s = re.sub(r"\\(x[0-9a-f]{2}|[0-7]{1,3}|.)", lambda m: simple.get(m.group(1)) or
               chr(int(m.group(1)[1:], 16) if m.group(1)[0] == "x" else int(m.group(1), 8)), s)
    return shown(s.encode("latin-1", "surrogateescape"))


def frec_calls(case):
    order = {}
    for r in rows(case, "SELECT tid, syscall, ret, errno, path, detail FROM timeline ORDER BY ts_ns, seq"):
        if r["syscall"] in CALLS and not (r["syscall"] == "mmap" and "MAP_ANONYMOUS" in r["detail"]):
            n = order.setdefault(r["tid"], len(order))
            yield (n, r["syscall"], None if r["errno"] else r["ret"], r["errno"], r["path"])


def per_process(calls):
    """The calls of each process in order of birth: [[(name, result, errno, path)]]"""
    lists = {}
    for n, name, ret, err, path in calls:
        if ret is not None and (name in RESULT_VARIES or path == f"{tmp}/account"):
            ret = "any"    # the account's length hangs on how many digits a pid has
        if path is not None:
            path = re.sub(r"^/proc/\d+/", "/proc/PID/", path)
        lists.setdefault(n, []).append((name, ret, err, path))
    return list(lists.values())


def difference(theirs, ours):
    """None, or (where, what) of the first difference between two lists of calls."""
    for i, (a, b) in enumerate(zip(theirs, ours)):
        if a[:3] != b[:3] or (a[3] is not None and a[0] not in NO_SUCH_PATH and
                              a[3] != b[3] and (b[3], a[3]) not in RENAMED):
            return i, f"call {i}: strace {a}, frec {b}"
    if len(theirs) != len(ours):
        return min(len(theirs), len(ours)), f"strace has {len(theirs)} calls, frec {len(ours)}"
    return None


for t in ["io", "paths", "tree"]:
    # the same folder name and account name in both runs, so that even paths are the same
    folder, file, case, log = f"{tmp}/work", f"{tmp}/account", f"{tmp}/{t}.frz", f"{tmp}/{t}.strace"
    program = [f"{BUILD}/targets/{t}", file, folder]

    def clean():
        shutil.rmtree(folder, ignore_errors=True)
        os.mkdir(folder)
        if os.path.exists(file):
            os.unlink(file)

    clean()
    r = run("strace", "-f", "-y", "-o", log, "-e", "trace=?" + ",?".join(CALLS), *program)
    if not ok(r.returncode == 0, f"{t}: strace ran it", r.stderr):
        continue
    clean()
    r = frec("-q", "-e", "all", "-o", case, "--", *program)
    if not ok(r.returncode == 0, f"{t}: frec ran it", r.stderr):
        continue

    theirs, ours = per_process(strace_calls(log)), per_process(frec_calls(case))
    compared = sum(map(len, theirs))
    paths = sum(1 for calls in theirs for c in calls if c[3] is not None)
    problems = []
    # Birth order says which process is which, but for those that race: then the same calls do.
    for n, calls in enumerate(theirs):
        i = next((i for i, other in enumerate(ours) if not difference(calls, other)), None)
        if i is not None:
            ours.pop(i)
        elif ours:
            problems.append(f"process {n}: {min((difference(calls, o) for o in ours), key=lambda d: -d[0])[1]}")
        else:
            problems.append(f"process {n} is not in the case")
    problems += [f"not in strace: {calls[:3]}..." for calls in ours[len(problems):]]
    ok(compared > 50 and not problems,
       f"{t}: {compared} calls of {len(theirs)} processes, results as strace says", *problems[:8])
    ok(paths > 10, f"{t}: {paths} resolved paths compared")

done()
