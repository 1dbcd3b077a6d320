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
done()
