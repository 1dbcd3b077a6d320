#!/usr/bin/env python3
# frec killed with SIGKILL at random moments under load, alone or together with its guardian: the
# targets live on, unpinned, and the recovered case holds every call that had returned to its target
# before the kill, without a hole. Killed at every system call of a whole recording, from the first
# byte of the case to the removal of the tail. Its recovery killed, again and again.
import hashlib
import random

from counting import *

need_ptrace()
seed = int(os.environ.get("FREC_SEED", os.getpid()))
random.seed(seed)
diag("FREC_SEED =", seed)
OWN = os.sched_getaffinity(0)


def guardians():
    found = set()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/comm") as f:
                if f.read() == "frec-guardian\n":
                    found.add(int(pid))
        except OSError:
            pass
    return found


def guardian_of(case):
    """The process that has the case's tail mapped and is not the recorder."""
    for pid in guardians():
        try:
            with open(f"/proc/{pid}/maps") as f:
                if case + ".tail" in f.read():
                    return pid
        except OSError:
            pass
    return None


def pinned(p):
    """How many threads do not have the mask they began with."""
    return sum(os.sched_getaffinity(int(t)) != OWN for t in os.listdir(f"/proc/{p.pid}/task"))


def sound(case, at_least):
    """Recovers and reads a case: what is wrong with it, a line each."""
    r = frec("--recover", case)
    if r.returncode or os.path.exists(case + ".tail"):
        return [f"--recover: exit {r.returncode}: {r.stderr}"]
    v = fanalyze(case, "--verify")
    if v.returncode:
        return [f"--verify: exit {v.returncode}: {v.stdout}"]
    return holes(case, at_least)


def killed(rounds, per_target=10):
    events, left, pins, problems = 0, 0, 0, []
    for i in range(rounds):
        if i % per_target == 0:
            p, file = counting(f"k{i}", 1 + i // per_target % 3)
        case = f"{tmp}/killed{i}.frz"
        f = attach([p.pid], case, "-q", "--sync", ("segment", "1")[i // 2 % 2])
        all_traced(f, file)
        before = counters(file)
        moved = lambda: {t: n for t, n in counters(file).items() if n > before[t] + 10}
        wait_until(lambda: len(moved()) == len(before), 30, every=0.001)
        time.sleep(random.random() * (1.0, 0.03, 0.2, 0.1)[i % 4])
        together = i % 2 == 1
        guardian = None
        if together:
            wait_until(lambda: guardian_of(case), every=0.001)
            guardian = guardian_of(case)
        if guardian:        # neither sees the other end
            os.kill(guardian, signal.SIGSTOP)
        at_least = moved()
        if guardian:
            f.kill()
            os.kill(guardian, signal.SIGKILL)
        else:
            f.kill()
        f.communicate()
        if together and not guardian:
            problems.append(f"round {i}: no guardian was found")
        if not alive(p, file):
            problems.append(f"round {i}: the target does not live on")
            break
        if guardian:
            left += 1
            pins += pinned(p) > 0
        elif not wait_until(lambda: not pinned(p)):
            problems.append(f"round {i}: the guardian left {pinned(p)} threads pinned")
        problems += [f"round {i}: {x}" for x in sound(case, at_least)]
        if pinned(p):
            problems.append(f"round {i}: {pinned(p)} threads are still pinned after --recover")
        events += one(case, "SELECT COUNT(*) FROM timeline")
        for name in (case, case[:-4] + ".sqlite"):
            os.unlink(name)
        if i % per_target == per_target - 1:
            p.kill()
            p.wait()
        if problems:
            break
    ok(not problems, f"frec killed {rounds} times: no call of the target's own account is missing, nobody stays pinned",
       *problems[:8])
    ok(left and (pins or len(OWN) < 2), f"  {left} times together with its guardian, {pins} times somebody was then left pinned")
    diag(events, "events in the cases")


# ---- at every system call of frec's own, by strace's fault injection ----

def every_call(samples):
    """What is left of a short recording whose recorder ended in its n-th system call, for each n, or
    for so many."""
    strace = tool("strace")
    if not strace:
        return skip("killed at every system call", "no strace")
    p, file = counting("calls", 1)

    def recording(case, *inject):
        # SIGKILL as the call is entered: what it would have done is not done
        return run(strace, "-qq", "-o", f"{tmp}/calls", *inject, FREC, "-q", "-p", str(p.pid), "-o", case, "--max-events", "20")

    def look(n):
        case = f"{fresh(f'call{n}')}/c.frz"
        name = calls[n]
        inject = f"inject={name}:signal=SIGKILL:when={calls[:n + 1].count(name)}"
        survived = recording(case, "-e", inject).returncode == 0
        wait_until(lambda: not guardian_of(case), every=0.001)
        size = os.path.getsize(case) if os.path.exists(case) else None
        r = frec("--recover", case)
        if size is None:
            state, good = "no case yet", r.returncode == 1 and "No such file" in r.stderr
        elif size == 0:
            state, good = "an empty case", r.returncode == 1 and "nothing was recorded" in r.stderr
        else:
            state = "not killed" if survived else "sealed already" if "sealed already" in r.stderr else "recovered"
            again = frec("--recover", case)
            good = r.returncode == 0 and fanalyze(case, "--verify").returncode == 0 and not os.path.exists(case + ".tail") \
                and again.returncode == 0 and "sealed already" in again.stderr
        shutil.rmtree(f"{tmp}/call{n}")
        return state, [] if good else [f"call {n}: {state}: {r.stderr}"]

    r = recording(f"{tmp}/whole.frz")
    with open(f"{tmp}/calls") as f:
        lines = [line for line in f if re.match(r"\w+\(", line)]
    calls = [line.split("(")[0] for line in lines]
    is_(r.returncode, 0, f"a recording of {len(calls)} system calls under strace")
    # the case is made, GENESIS written, the tail made: each of these. Of the rest some, the more so as
    # most of it depends on how often the target stopped.
    made = next(n for n, line in enumerate(lines) if "O_CREAT" in line)
    order = range(len(calls)) if FULL else [*range(made, made + 16), *random.sample(range(len(calls)), samples)]
    seen, problems = {}, []
    for n in order:
        state, bad = look(n)
        seen[state] = seen.get(state, 0) + 1
        problems += bad
    ok(alive(p, file), "  the target lives on each time")
    p.kill()
    ok(not problems, "killed in any of them: there is nothing yet, or a case that --recover finishes", *problems[:8])
    ok({"no case yet", "an empty case", "recovered"} <= set(seen), f"  {seen}")


killed(1000 if FULL else 12)
every_call(8)
done()
