#!/usr/bin/env python3
# Threads that write through an fd while another replaces it: which file a write meant cannot always
# be known. Every such row says so; what the others say adds up with the files' sizes.
from lib import *

need_ptrace()
ROUNDS = 5000 if FULL else 800

for options in ([], ["--placement", "none"], ["-p"]):
    name = " ".join(options) or "launched"
    case, folder = f"{tmp}/{len(os.listdir(tmp))}.frz", fresh(name.strip("-").replace(" ", "") or "x")
    if options == ["-p"]:
        p = start(f"{BUILD}/targets/races", folder, str(ROUNDS), "wait", stdin=subprocess.PIPE)
        wait_until(lambda: len(os.listdir(f"/proc/{p.pid}/task")) == 4)
        f = attach([p.pid], case, "-q")
        out = p.communicate("x", timeout=120)[0]
        f.communicate(timeout=60)
    else:
        out = frec("-q", *options, "-o", case, "--", f"{BUILD}/targets/races", folder, str(ROUNDS)).stdout
    is_sealed(case, f"{name}: verifies")
    sizes = {folder + "/" + n: int(size) for n, size in (line.split("\t") for line in out.splitlines())}
    sure, doubtful = {}, {}
    for r in rows(case, "SELECT path, SUM(bytes) AS bytes, detail LIKE '%another thread was replacing this fd%' AS doubt "
                        "FROM timeline WHERE syscall = 'write' AND path LIKE '%/file_' GROUP BY 1, 3"):
        (doubtful if r["doubt"] else sure)[r["path"]] = r["bytes"]
    noted = one(case, "SELECT COALESCE(SUM(count), 0) AS n FROM coverage WHERE what = 'fd replaced while in use'")
    is_(sum(sure.values()) + sum(doubtful.values()), sum(sizes.values()), f"{name}: every byte is in a row")
    for path, size in sizes.items():
        got = sure.get(path, 0)
        ok(got <= size <= got + sum(doubtful.values()), f"{name}: {os.path.basename(path)} has what the sure rows say, and no less",
           f"size {size}, sure {got}, doubtful {doubtful}")
    ok(noted and doubtful, f"{name}: coverage names them ({noted})")
    compare_audit(case, name)

# Two processes with one file table, attached to: what one opens, the other writes to and closes.
if os.uname().machine != "x86_64":
    skip("a table of two processes", "the number of clone is known for x86_64 only")
    done()
PAIR = r"""
import ctypes, os, sys
os.chdir(sys.argv[1])
a, b = os.pipe(), os.pipe()
pid = ctypes.CDLL(None).syscall(56, 0x400 | 17, 0, 0, 0, 0)    # clone(CLONE_FILES | SIGCHLD)
if pid == 0:
    for i in range(50):
        fd = os.read(a[0], 10)
        os.write(int(fd), b"child"); os.close(int(fd)); os.write(b[1], b"x")
    os._exit(0)
print(pid, flush=True)
sys.stdin.read(1)
for i in range(50):
    fd = os.open("f%d" % i, os.O_RDWR | os.O_CREAT)
    os.write(fd, b"parent"); os.write(a[1], b"%d" % fd); os.read(b[0], 1)
os.waitpid(pid, 0)
"""
folder, case = fresh("pair"), tmp + "/pair.frz"
p = start(sys.executable, "-c", PAIR, folder, stdin=subprocess.PIPE)
child = int(p.stdout.readline())
f = attach([p.pid, child], case, "-q")
p.communicate("x", timeout=60)
is_(f.wait(60), 0, "pair: recorded to the end")
got = rows(case, f"SELECT path, COUNT(*) AS n, SUM(bytes_written) AS written, COUNT(closed) AS closed FROM fd_bytes "
                 f"WHERE path LIKE '{folder}/f%' GROUP BY path")
is_(len(got), 50, "pair: 50 files")
is_([r for r in got if (r["n"], r["written"], r["closed"]) != (1, 11, 1)], [],
    "pair: each was open once, written to by both, closed by the other")
done()
