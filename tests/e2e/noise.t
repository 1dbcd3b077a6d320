#!/usr/bin/env python3
# A target that makes random calls with random pointers at full speed, by several threads, as a program
# of each ABI that the kernel runs (tests/targets/noise.c): frec survives, the case verifies, every call that a
# thread counted is a row of its own, and frec's memory stays bounded. FREC_FULL=1: for a minute each.
# NOISE=SEED repeats one; under SANITIZE=address,undefined frec complains of itself.
from lib import *

need_ptrace()
SECONDS = 60 if FULL else 2 * int(os.environ.get("SLOW", 1))
MEMORY = (2048 if os.environ.get("SANITIZE") else 16) << 10
seed = int(os.environ.get("NOISE", time.time_ns() % 1000000))


def noise(program, *options):
    global seed
    name = " ".join([program.rpartition("/")[2], *options, f"seed {seed}"])
    case, folder, peak = f"{tmp}/{seed}.frz", fresh(str(seed)), 0
    p = start(FREC, "-q", "-e", "all", *options, "-o", case, "--", program, folder, str(SECONDS), "3", str(seed))
    while p.poll() is None:
        try:
            with open(f"/proc/{p.pid}/status") as f:
                peak = max(peak, int((re.search(r"VmHWM:\s*(\d+)", f.read()) or [0, 0])[1]))
        except OSError:
            pass
        time.sleep(0.05)
    out, err = p.communicate()
    seed += 1
    if not ok(p.returncode == 0 and err == "", f"{name}: frec and the target end well", p.returncode, err):
        return
    is_sealed(case, f"{name}: verifies")
    made = dict(map(int, line.split()) for line in out.splitlines())
    problems = []
    for tid, calls in made.items():
        first, last = (one(case, f"SELECT seq FROM timeline WHERE tid = {tid} AND path = '/noise/{mark}'") for mark in ("begin", "end"))
        got = one(case, f"SELECT count(*) FROM timeline WHERE tid = {tid} AND seq BETWEEN {first} AND {last} "
                        "AND syscall NOT LIKE '%sigreturn'")     # the kernel's, of the signals that wake it
        if got != calls:
            problems.append(f"thread {tid} made {calls} calls, {got} are there")
    ok(len(made) == 3 and not problems, f"{name}: {sum(made.values())} calls of {len(made)} threads are rows", *problems)
    is_(rows(case, "SELECT * FROM case_info WHERE key LIKE '%lost%' AND value NOT IN ('0', '')"), [], f"{name}: no event lost")
    kinds = one(case, f"SELECT count(DISTINCT syscall) FROM timeline WHERE tid IN ({','.join(map(str, made))})")
    ok(kinds > 150, f"{name}: {kinds} different calls")
    is_(rows(case, "SELECT * FROM io_audit WHERE verdict LIKE 'differs%'"), [], f"{name}: no audit differs")
    ok(0 < peak < MEMORY, f"{name}: frec took {peak} KiB at most")


for abi, program in others("noise"):
    noise(program)
    noise(program, "--snap", "64", *([] if abi == "native" else ["--no-seccomp"]))
done()
