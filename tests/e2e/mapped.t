#!/usr/bin/env python3
# Files mapped shared: what is written through a mapping makes no call. coverage names each that
# could be written to, and whether the file's times had changed when the mapping ended.
from lib import *

need_ptrace()

TARGET = r"""
import ctypes, mmap, os, sys, time
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
libc.mprotect.argtypes = libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int][:3]
libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
libc.mremap.restype = ctypes.c_void_p
libc.mremap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t, ctypes.c_int]
R, W, SHARED, PRIVATE = 1, 2, 1, 2
os.chdir(sys.argv[1])

def make(name, size=16384):
    fd = os.open(name, os.O_RDWR | os.O_CREAT)
    os.ftruncate(fd, size)
    os.utime(name, (1e9, 1e9))
    return fd

def map_(name, prot, kind=SHARED, flags=os.O_RDWR, size=16384):
    fd = os.open(name, flags)
    a = libc.mmap(None, size, prot, kind, fd, 0)
    os.close(fd)                                # the mapping stays
    assert a != ctypes.c_void_p(-1).value, name
    return a

def write(a):
    ctypes.memset(a, 65, 10)

for n in "written untouched protected readonly private moved half byexec bychild before before-protected".split():
    os.close(make(n))
before = map_("before", R | W), map_("before-protected", R)
if len(sys.argv) > 2:
    print("ready", flush=True)
    sys.stdin.readline()
write(before[0]); libc.munmap(before[0], 16384)
libc.mprotect(before[1], 16384, R | W); write(before[1]); libc.munmap(before[1], 16384)

a = map_("written", R | W); write(a); libc.munmap(a, 16384)
a = map_("untouched", R | W); libc.munmap(a, 16384)
a = map_("protected", R); libc.mprotect(a, 4096, R | W); write(a); libc.munmap(a, 16384)
a = map_("readonly", R, flags=os.O_RDONLY); libc.munmap(a, 16384)
a = map_("private", R | W, PRIVATE); write(a); libc.munmap(a, 16384)
a = map_("moved", R | W); a = libc.mremap(a, 16384, 1 << 20, 1); write(a); libc.munmap(a, 1 << 20)
a = map_("half", R | W); libc.munmap(a, 8192); write(a + 8192); libc.munmap(a + 8192, 8192)
m = os.memfd_create("mem"); os.ftruncate(m, 4096); b = libc.mmap(None, 4096, R | W, SHARED, m, 0); libc.munmap(b, 4096)
a = map_("bychild", R | W)
pid = os.fork()
if pid == 0:
    write(a)
    os._exit(0)
os.waitpid(pid, 0)
a = map_("byexec", R | W); write(a)
os.execv("/bin/true", ["true"])
"""
with open(tmp + "/target.py", "w") as f:
    f.write(TARGET)


def check(name, case, folder, attached):
    is_sealed(case, f"{name}: verifies")
    got = {}
    for r in rows(case, "SELECT pid, what, detail FROM coverage WHERE what LIKE '%mapp%'"):
        m = re.match(r"(/memfd:mem|.*?/([\w-]+))([,:].*| \(.*)?$", r["detail"] or "")
        path = m and (m.group(2) or m.group(1))
        got.setdefault(path, []).append((r["what"], m.group(3) or "", r["pid"]))
    changed, not_seen, writable = "mapped file changed", "mapped file not seen to change", "writable shared mapping"
    want = {"written": [writable, changed], "untouched": [writable, not_seen], "protected": [writable, changed],
            "readonly": [], "private": [], "moved": [writable, changed], "half": [writable, changed],
            "before": [writable, changed], "before-protected": [writable, changed], "byexec": [writable, changed]}
    for path, what in want.items():
        is_(sorted(w for w, _, _ in got.get(path, [])), sorted(what), f"{name}: {path}")
    like(dict((w, d) for w, d, _ in got["written"])[changed],
         r": size 16384 to 16384, mtime 2001-09-09T01:46:40\.000000000Z to 20\d\d-\d\d-\d\dT.*Z \(munmap\)", f"{name}: what changed")
    like(dict((w, d) for w, d, _ in got["byexec"])[changed], r"\(execve\)$", f"{name}: ended by execve")
    like(dict((w, d) for w, d, _ in got["protected"])[writable], "by mprotect", f"{name}: made writable later")
    child = [(w, d) for w, d, pid in got["bychild"] if pid != got["written"][0][2]]
    is_(sorted(w for w, _ in child), [changed, writable], f"{name}: a child's inherited mapping")
    like(dict(child)[changed], r"\(exit\)$", f"{name}: ended by exit")
    ok("/memfd:mem" in got, f"{name}: a file without a name")
    if attached:
        like(dict((w, d) for w, d, _ in got["before"])[writable], "before frec attached", f"{name}: known from attach")


case, folder = tmp + "/launched.frz", fresh("launched")
r = frec("-q", "-o", case, "--", sys.executable, tmp + "/target.py", folder)
is_(r.returncode, 0, "launched: the target ended well") or diag(r.stderr)
check("launched", case, folder, False)

case, folder = tmp + "/attached.frz", fresh("attached")
p = start(sys.executable, tmp + "/target.py", folder, "wait", stdin=subprocess.PIPE)
is_(p.stdout.readline(), "ready\n", "attached: the files are mapped")
f = attach([p.pid], case, "-q")
p.stdin.write("\n")
p.stdin.flush()
is_(p.wait(30), 0, "attached: the target ended well")
f.communicate(timeout=30)
check("attached", case, folder, True)
# io_submit: its operations end by themselves, their bytes are in no sum; coverage names the files
folder, case = fresh("aio"), tmp + "/aio.frz"
r = frec("-q", "-o", case, "--", sys.executable, "-c", r"""
import ctypes, os, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
ctx, data = ctypes.c_ulong(0), ctypes.create_string_buffer(b"x" * 4096)
if libc.syscall(206, 8, ctypes.byref(ctx)): sys.exit(77)
files = [os.open(n, os.O_RDWR | os.O_CREAT, 0o644) for n in ("one", "two", "idle")]
iocbs = [ctypes.create_string_buffer(struct.pack("<QIIHhIQQqQII", i, 0, 0, 1, 0, fd, ctypes.addressof(data), 1000, 0, 0, 0, 0))
         for i, fd in enumerate((files[0], files[1], files[0]))]
assert libc.syscall(209, ctx, ctypes.c_long(3), (ctypes.c_void_p * 3)(*map(ctypes.addressof, iocbs))) == 3
assert libc.syscall(208, ctx, ctypes.c_long(3), ctypes.c_long(3), ctypes.create_string_buffer(96), None) == 3
""", cwd=folder)
if r.returncode == 77 or os.uname().machine != "x86_64":
    skip("aio", "io_setup is not to be had here")
elif is_(r.returncode, 0, "aio: the target ended well") or diag(r.stderr):
    is_([os.path.getsize(f"{folder}/{n}") for n in ("one", "two", "idle")], [1000, 1000, 0], "aio: it wrote")
    is_([(r["detail"], r["count"]) for r in rows(case, "SELECT detail, count FROM coverage WHERE what LIKE 'asynchronous%'")],
        [(folder + "/one", 1), (folder + "/two", 1)], "aio: each file is named once in coverage")
    like(fanalyze(case).stdout, r"(?m)^not seen .*asynchronous IO by io_submit \(2\)", "aio: so does the summary")
done()
