"""stracelog.py - what strace -f -yy -ttt -xx wrote, as calls that can be compared with a timeline.

-xx makes every string and path hexadecimal, so that commas, quotes and brackets are strace's own.
A Call has the absolute paths that strace names: of fds as /proc said, of path arguments joined to
the directory they were relative to, which for the calls without a dirfd is followed through chdir.
"""
import os
import re

# Which arguments are paths; "at" ones have their directory fd in front. Written down here and not
# taken from common/syscalls.tab, which is what is being tested.
PATHS = {}
for _names, _where in [
        ("open creat stat lstat access truncate chdir rmdir unlink mkdir mknod chmod chown lchown utime utimes "
         "readlink statfs chroot execve swapon acct setxattr lsetxattr getxattr lgetxattr listxattr llistxattr "
         "removexattr lremovexattr umount2", (0,)),
        ("rename link", (0, 1)),
        ("openat openat2 newfstatat statx faccessat faccessat2 unlinkat mkdirat mknodat fchmodat fchmodat2 fchownat "
         "readlinkat utimensat futimesat execveat name_to_handle_at inotify_add_watch", (1,)),
        ("renameat renameat2 linkat", (1, 3)),
        ("symlink", (1,)), ("symlinkat", (2,)), ("mount pivot_root", (0, 1))]:
    for _n in _names.split():
        PATHS[_n] = _where
AT = {n for n in PATHS if "at" in n and n not in ("stat", "lstat", "statfs", "creat", "truncate")} - {"inotify_add_watch"}

BIRTHS = {"fork", "vfork", "clone", "clone3"}


class Call:
    """name, args (text), result (int or None), errno, fds [(number, path)], paths [bytes], gone"""

    def __init__(self, tid, name, args, result, err, result_path):
        self.tid, self.name, self.args, self.result, self.errno = tid, name, args, result, err
        self.result_path = result_path
        self.fds = [fd_of(a) for a in args]
        self.paths = []

    def __repr__(self):
        return f"{self.tid} {self.name}({', '.join(self.args)}) = {self.result} {self.errno} {self.paths}"


def unhex(s):
    """Bytes of strace's \\xNN text, with whatever else stands in it."""
    return re.sub(rb"\\x([0-9a-f]{2})", lambda m: bytes([int(m.group(1), 16)]), s.encode("latin-1", "replace"))


def fd_of(arg):
    """(number, what it is) of `3<...>`; (None, path) of AT_FDCWD<...>; None of anything else."""
    m = re.match(r"(-?\d+|AT_FDCWD)<(.*)>(\(deleted\))?$", arg, re.S)
    if not m:
        return None
    what = m.group(2)
    if what.startswith("\\x"):
        what = re.match(r"(?:\\x[0-9a-f]{2})+", what).group(0)    # without <char 1:3>
    return (None if m.group(1) == "AT_FDCWD" else int(m.group(1))), unhex(what)


def split_args(s):
    """The arguments at the top level of a call, and what stands behind its closing bracket."""
    args, depth, start, i = [], 0, 0, 0
    while i < len(s):
        c = s[i]
        if c == '"':
            i = s.index('"', i + 1)
        elif c in "([{":
            depth += 1
        elif c == "<" and (s[i - 1].isdigit() or s[i - 1] in "DrkC") and s[i + 1:i + 2] not in ("<", " ", "="):
            depth += 1
        elif c in ")]}" or c == ">" and s[i - 1] != "-":
            if c == ")" and depth == 0:
                last = s[start:i].strip()
                return args + [last] if last or args else [], s[i + 1:]
            if depth:
                depth -= 1
        elif c == "," and depth == 0:
            args.append(s[start:i].strip())
            start = i + 1
        i += 1
    return None, None


def joined(file):
    """strace's lines, unfinished ones joined with their rest."""
    waiting = {}
    with open(file, errors="surrogateescape") as f:
        for line in f:
            tid, _, rest = line.rstrip("\n").split(None, 2)
            m = re.match(r"(.*?)\s*<unfinished \.\.\.>$", rest)
            if m:
                waiting[tid] = m.group(1)
                continue
            m = re.match(r"<\.\.\. \w+ resumed>(.*)$", rest)
            if m:
                rest = waiting.pop(tid, "?(") + m.group(1)
            yield int(tid), rest
    for tid, rest in waiting.items():
        yield int(tid), rest.rstrip(", ") + ") = ?"


def number(s):
    return int(s, 8) if re.match(r"0[0-7]+$", s) else int(s, 0)


def parse(file):
    for tid, rest in joined(file):
        m = re.match(r"(\w+)\(", rest)
        if not m:
            continue    # +++ and ---
        args, tail = split_args(rest[m.end():])
        if args is None:
            raise ValueError("not understood: " + rest)
        err = re.search(r"= (?:-1|\?) (E[A-Z0-9]+)", tail)
        ret = re.search(r"= (0x[0-9a-f]+|-?\d+)(<.*)?", tail)
        path = None
        if ret and not err and ret.group(2):
            path = fd_of(re.match(r"= (\d+<.*>(?:\(deleted\))?)", ret.group(0)).group(1))[1]
        yield Call(tid, m.group(1), args, None if err or not ret else number(ret.group(1)), err and err.group(1), path)


def absolute(directory, path):
    return path if path.startswith(b"/") or directory is None else directory.rstrip(b"/") + b"/" + path


def string(arg):
    m = re.match(r'"((?:\\x[0-9a-f]{2})*)"(\.\.\.)?$', arg)
    return unhex(m.group(1)) if m else None


def calls(file, cwd):
    """All calls in the order of the log. cwd: of the first process, bytes."""
    all_calls = list(parse(file))
    where = {all_calls[0].tid: cwd} if all_calls else {}
    # a child's first lines may stand above its parent's clone: its directory is that of the parent
    parent = {c.result: c for c in all_calls if c.name in BIRTHS and c.result}
    waiting = {}

    def resolve(c):
        here = where[c.tid]
        for i in PATHS.get(c.name, ()):
            if i >= len(c.args):
                continue
            text = string(c.args[i])
            if text is None:
                continue
            base = c.fds[i - 1][1] if c.name in AT and i and c.fds[i - 1] else here
            if text or c.name not in AT:
                c.paths.append(absolute(base, text))
            elif c.fds[i - 1]:
                c.paths.append(c.fds[i - 1][1])
        if c.name == "chdir" and c.result == 0:
            where[c.tid] = os.path.realpath(c.paths[0]) if os.path.exists(c.paths[0]) else os.path.normpath(c.paths[0])
        elif c.name == "fchdir" and c.result == 0:
            where[c.tid] = c.fds[0][1]
        elif c.name in BIRTHS and c.result:
            where[c.result] = where[c.tid]
            for later in waiting.pop(c.result, []):
                resolve(later)

    for c in all_calls:
        if c.tid in where:
            resolve(c)
        elif c.tid in parent:
            waiting.setdefault(c.tid, []).append(c)
        else:
            raise ValueError(f"{c.tid} was not born")
    return all_calls


def family(first, births):
    """{tid: key}: a key tells a thread by its place in the tree, as () (0,) (0, 1), the same in
    every run. births: [(tid, child)], each thread's own in order."""
    children, key, todo = {}, {first: ()}, [first]
    for tid, child in births:
        children.setdefault(tid, []).append(child)
    while todo:
        tid = todo.pop()
        for n, child in enumerate(children.get(tid, ())):
            if child not in key:
                key[child] = key[tid] + (n,)
                todo.append(child)
    return key
