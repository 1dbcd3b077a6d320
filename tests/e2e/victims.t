#!/usr/bin/env python3
# What is about to be destroyed is found as the program finds it: by its own /proc/self, in its own
# root and mounts, with symlinks that are absolute there; and so are the paths of its calls.
import hashlib

from lib import *

need_ptrace()
TARGET = r"""
import ctypes, json, os, sys
libc = ctypes.CDLL(None, use_errno=True)
os.chdir(sys.argv[1])
top = os.getcwd()
said = []

def write(path, n, c="x"):
    with open(path, "w") as f: f.write(c * n)

def say(name, call, path, st, row, *more):
    # name of the check, the call, its argument, what is destroyed, the row's path
    said.append({"name": name, "call": call, "passed": path, "size": st.st_size, "ino": st.st_ino, "path": row})

def truncate(name, path, real, row):
    st = os.stat(real) if real else os.stat(path)
    say(name, "truncate", path, st, row)
    os.truncate(path, 1)

def unlink(name, path, real, row):
    say(name, "unlink", path, os.lstat(real), row)
    os.unlink(path)

def cut(name, path, real, row):
    say(name, "openat", path, os.stat(real), row)
    os.close(os.open(path, os.O_WRONLY | os.O_TRUNC))

# its own /proc/self: frec has one too, and fds of the same numbers
write("self", 31)
fd = os.open("self", os.O_RDWR)
os.dup2(fd, 1)
cut("/proc/self/fd", "/proc/self/fd/%d" % fd, "self", top + "/self")
write("self", 32)
cut("/proc/thread-self", "/proc/thread-self/fd/1", "self", top + "/self")
write("self", 33)
cut("/dev/stdout", "/dev/stdout", "self", top + "/self")
write("self", 34)
truncate("through cwd", "/proc/self/cwd/self", "self", "/proc/self/cwd/self")
# symlinks: relative, absolute, to symlinks, not followed, endless
os.makedirs("d/e")
write("d/file", 41)
os.symlink("../d/file", "d/rel")
os.symlink(top + "/d/rel", "abs")
truncate("a chain of symlinks", "abs", "d/file", top + "/abs")
write("d/file", 42)
os.symlink("d/e", "dir")
truncate("a folder through a symlink", "dir/../file", "d/file", top + "/dir/../file")
unlink("a symlink is not followed", "abs", "abs", top + "/abs")
os.symlink("loop", "loop")
try: os.truncate("loop", 0)
except OSError: pass
if os.getuid() == 0:
    # mounts of its own: the same path is another file for everybody else. In a child, since where frec
    # itself is in a chroot, the kernel shows it paths in other mounts from the outermost root on
    write("mnt-file", 71)
    os.mkdir("mnt"); write("mnt/v", 72)
    here, there = os.pipe()
    if os.fork() == 0:
        if libc.unshare(0x00020000) == 0 and libc.mount(b"none", b"/", None, 0x44000, None) == 0 and \
           libc.mount(b"none", b"mnt", b"tmpfs", 0, None) == 0:
            write("mnt/v", 7)
            unlink("in mounts of its own", top + "/mnt/v", "mnt/v", top + "/mnt/v")
            os.write(there, json.dumps(said[-1]).encode())
        os._exit(0)
    os.wait()
    os.close(there)
    said.append(json.loads(os.read(here, 4096)))
    # a root of its own, with the same names in it
    jail = top + "/jail"
    os.makedirs(jail + "/etc"); os.makedirs(jail + top)
    write(jail + "/etc/passwd", 51); write(top + "/twin", 152); write(jail + top + "/twin", 52)
    os.symlink(top + "/twin", jail + "/link"); os.symlink("/etc", jail + "/conf")
    st = os.stat(jail + "/etc/passwd")
    os.chroot(jail)
    os.chdir("/")
    truncate("an absolute symlink in a chroot", "/link", None, jail + "/link")
    truncate("out of it by ..", "/../../conf/../../etc/passwd", None, jail + "/../../conf/../../etc/passwd")
    unlink("an absolute path in a chroot", "/etc/passwd", "/etc/passwd", jail + "/etc/passwd")
    unlink("a relative one", "link", "link", jail + "/link")
print(json.dumps(said), file=sys.stderr)
"""
with open(tmp + "/target.py", "w") as f:
    f.write(TARGET)
case, work = tmp + "/case.frz", fresh("work")
r = frec("-q", "-o", case, "--", sys.executable, tmp + "/target.py", work)
if is_(r.returncode, 0, "recorded") or diag(r.stderr):
    said = json.loads(r.stderr.splitlines()[-1])
    got = rows(case, "SELECT seq, syscall, path, detail, ret FROM timeline WHERE detail LIKE '%was={%' ORDER BY ts_ns, seq")
    got = [g for g in got if not (g["detail"] or "").startswith("O_WRONLY|O_CREAT")]   # those that write() made again
    is_sealed(case, "verifies")
    is_(len(got), len(said), f"{len(said)} victims")
    for want, row in zip(said, got):
        kind = r"\S+" if want["call"] == "unlink" else "file"
        good = row["syscall"] == want["call"] and row["path"] == want["path"] and \
            re.search(rf"was={{{kind} size={want['size']} ino={want['ino']}\b", row["detail"])
        ok(good, want["name"], want, row)
    is_(len(said), 12 if os.getuid() == 0 else 7, "all were made")
    # whatever the path said, the file is called what the kernel calls it
    files = ["/self"] * 4 + ["/d/file"] * 2 + ["/abs"]
    if os.getuid() == 0:
        files += ["/mnt/v", f"/jail{work}/twin", "/jail/etc/passwd", "/jail/etc/passwd", "/jail/link"]
    called = {r["seq"]: r["path"] for r in rows(case, "SELECT seq, path FROM destroyed_rows")}
    names = [called.get(g["seq"]) or "" for g in got]
    # in a mount namespace of the target's own a name begins at that one's root: above ours, where we are in a chroot
    names = [n[n.rfind(work):] if n.endswith("/mnt/v") else n for n in names]
    is_(names, [work + f for f in files], "each is told by its own name, not by one that leads to it")
    if os.getuid() == 0:
        is_(rows(case, f"SELECT deleted FROM files_touched WHERE path = '/etc/passwd' AND deleted > 0"), [],
            "what was removed in a chroot is not said to be removed outside")
        is_(one(case, f"SELECT deleted FROM files_touched WHERE path = '{work}/jail/etc/passwd'"), 1, "but where it was")

# --keep copies the right one
case, work, keep = tmp + "/keep.frz", fresh("kept"), fresh("copies")
r = frec("-q", "--keep", keep, "-o", case, "--", sys.executable, tmp + "/target.py", work)
is_(r.returncode, 0, "--keep: recorded") or diag(r.stderr)
kept = {hashlib.sha256(open(os.path.join(d, n), "rb").read()).hexdigest() for d, _, names in os.walk(keep) for n in names}
sizes = [31, 32, 33, 34, 41, 42] + ([7, 51, 52] if os.getuid() == 0 else [])
is_([n for n in sizes if hashlib.sha256(b"x" * n).hexdigest() not in kept], [], f"--keep: copies of {len(sizes)} victims")

# a script is what is executed, and so is its interpreter
script, case, keep = tmp + "/script", tmp + "/script.frz", fresh("scripts")
with open(script, "w") as f:
    f.write("#!/bin/sh\nexit 5\n")
os.chmod(script, 0o755)
os.symlink("script", tmp + "/link")
is_(frec("-q", "--keep", keep, "-o", case, "--", tmp + "/link").returncode, 5, "recorded a script")
is_(rows(case, "SELECT path FROM timeline WHERE syscall = 'execve'"), [{"path": os.path.realpath(script)}],
    "the path of its execve is the script")
is_(rows(case, "SELECT exe FROM processes"), [{"exe": os.path.realpath("/bin/sh")}], "its interpreter is what ran")
ran = {hashlib.sha256(open(p, "rb").read()).hexdigest() for p in (script, "/bin/sh")}
is_(set(os.listdir(keep)), ran, "--keep: both are copied")
is_({r["sha256"] for r in json.loads(fanalyze(case, "--query", "hashes", "--format", "json").stdout)}, ran, "and hashed")
# two names exchanged (RENAME_EXCHANGE): nothing is destroyed; the same without the flag destroys one
folder, case = fresh("exchange"), tmp + "/exchange.frz"
r = frec("-q", "-o", case, "--", sys.executable, "-c", """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
for name in "a", "b":
    open(name, "w").write(name)
for flags in 2, 0:
    if libc.renameat2(-100, b"a", -100, b"b", flags): sys.exit(os.strerror(ctypes.get_errno()))
""", cwd=folder)
is_(r.returncode, 0, "exchange: the target ended well") or diag(r.stderr)
is_([r["path"] for r in rows(case, "SELECT path FROM destroyed_rows WHERE path LIKE '%/exchange/%'")], [folder + "/b"],
    "exchange: only the second rename destroyed a file")
is_(["was=" in r["detail"] for r in rows(case, "SELECT detail FROM timeline WHERE syscall LIKE 'renameat%' ORDER BY seq")], [False, True],
    "exchange: so say the rows")
done()
