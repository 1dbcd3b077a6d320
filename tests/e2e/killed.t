#!/usr/bin/env python3
# frec killed with SIGKILL at random moments under load: the targets live on, and the recovered case
# holds every call that had returned to its target before the kill, without a hole. Then a medium
# that fills up.
import random

from counting import *

need_ptrace()
seed = int(os.environ.get("FREC_SEED", os.getpid()))
random.seed(seed)
diag("FREC_SEED =", seed)


def killed(rounds):
    good, events, problems = 0, 0, []
    for i in range(rounds):
        case = f"{tmp}/killed{i}.frz"
        p, file = counting(f"k{i}", 1 + i % 3)
        f = attach([p.pid], case, "-q", "--sync", "segment")
        before = counters(file)
        wait_until(lambda: all(n > before[t] + 10 for t, n in counters(file).items()))
        time.sleep(random.random() * (0.05 if i % 2 else 1.5))
        at_least = counters(file)
        f.kill()
        f.communicate()
        if not alive(p, file):
            problems.append(f"round {i}: the target does not live on")
        p.kill()
        p.wait()
        r = frec("--recover", case)
        if r.returncode or os.path.exists(case + ".tail"):
            problems.append(f"round {i}: --recover: exit {r.returncode}: {r.stderr}")
            break
        v = fanalyze(case, "--verify")
        if v.returncode:
            problems.append(f"round {i}: --verify: exit {v.returncode}: {v.stdout}")
        problems += [f"round {i}: {h}" for h in holes(case, at_least)]
        events += sum(at_least.values())
        os.unlink(case)
    ok(not problems, f"frec killed {rounds} times: no call of the target's own account is missing", *problems[:8])
    diag(events, "calls in the accounts")


def small_disk():
    """A tmpfs that gets full. Needs the right to mount."""
    disk = fresh("disk")
    if run("mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", disk).returncode:
        return skip("a disk that fills up", "no right to mount a tmpfs")
    try:
        case = disk + "/full.frz"
        frec("-q", "-o", disk + "/probe.frz", "--", "/bin/sh", "-c", f"stat -c %s '{disk}'/*.tail >'{tmp}/size'")
        os.unlink(disk + "/probe.frz")
        with open(disk + "/ballast", "wb") as f:
            f.write(b"x" * (6 * 1024 * 1024 - int(open(tmp + "/size").read()) - 120 * 1024))
        p, file = counting("full", 2)
        f = attach([p.pid], case, "-q")
        try:
            out, err = f.communicate(timeout=60 * SLOW)
        except subprocess.TimeoutExpired:
            f.kill()
            out, err = f.communicate()
        is_(f.returncode, 1, "a full disk ends frec with 1")
        like(err, r"full\.frz: cannot be written: No space left on device", "  which says what and why")
        ok(alive(p, file), "  the target lives on")
        threads = {tid: 0 for tid in counters(file)}
        p.kill()
        p.wait()
        ok(os.path.exists(case + ".tail"), "  the tail is kept")
        is_(fanalyze(case, "--verify", "--db", tmp + "/full.sqlite").returncode, 3, "  the case is intact, not sealed")
        before = open(case, "rb").read()
        with open(disk + "/more", "wb", buffering=0) as more:
            try:
                while more.write(b"x" * 4096) == 4096:
                    pass
            except OSError:
                pass
        r = frec("--recover", case)
        is_(r.returncode, 1, "recovery on the full disk fails")
        like(r.stderr, "no room", "  and says so")
        ok(open(case, "rb").read() == before and os.path.exists(case + ".tail"), "  and changes nothing")
        os.unlink(disk + "/ballast")
        os.unlink(disk + "/more")
        r = frec("--recover", case)
        is_(r.returncode, 0, "with room again it succeeds")
        shutil.copy(case, tmp + "/full.frz")
        is_sealed(tmp + "/full.frz", "  and the case is whole")
        problems = holes(tmp + "/full.frz", threads)
        n = one(tmp + "/full.frz", "SELECT COUNT(*) FROM timeline WHERE syscall = 'lseek'")
        ok(n > 1000 and not problems, f"  with {n} calls and no hole", *problems)
    finally:
        run("umount", "-l", disk)


killed(200 if FULL else 6)
small_disk()
done()
