#!/usr/bin/env python3
# Where targets run while they are recorded, and that nothing of it stays, however frec ends.
from lib import *
import random
import statistics

need_ptrace()
random.seed(5)
OWN = os.sched_getaffinity(0)
if len(OWN) < 2:
    skip_all("needs two CPUs")
WHERE = BUILD + "/targets/where"
KILLS = 20
n = 0


def new():
    global n
    n += 1
    return f"{tmp}/p{n}.frz"


def target(*args, **kw):
    """A target that has started all its threads."""
    t = start(WHERE, *map(str, args), stdin=subprocess.PIPE, **kw)
    if t.stdout.readline() != "ready\n":
        raise RuntimeError("where did not start: " + t.stderr.read())
    return t


def go(t):
    t.stdin.write("g")
    t.stdin.flush()


def tasks(pid):
    return [int(x) for x in os.listdir(f"/proc/{pid}/task")]


def masks(pid):
    """What the kernel shows of each thread, as a set of texts."""
    found = set()
    for tid in tasks(pid):
        with open(f"/proc/{pid}/task/{tid}/status") as f:
            found.add(re.search(r"Cpus_allowed:\s*(\S+)", f.read()).group(1))
    return found


def children(pid):
    return [int(x) for x in run("pgrep", "-P", str(pid)).stdout.split()]


def family_masks(pid):
    return set().union(masks(pid), *(masks(c) for c in children(pid)))


def pinned(pid):
    return any(len(os.sched_getaffinity(x)) == 1 for x in tasks(pid))


def affinity_rows(case):
    return rows(case, "SELECT tid, what, detail FROM observer WHERE what LIKE 'affinity%'")


def guardians(pid):
    """The guardians that watch the process: by the pidfd they hold."""
    found = []
    for p in run("pgrep", "-x", "frec-guardian").stdout.split():
        try:
            fds = os.listdir(f"/proc/{p}/fdinfo")
            if any(re.search(rf"^Pid:\t{pid}$", open(f"/proc/{p}/fdinfo/{f}").read(), re.M) for f in fds):
                found.append(int(p))
        except OSError:
            pass
    return found


def end(t):
    t.kill()
    t.wait()


# ---- clean ends ----
t = target("hot", 2, 1)
before = masks(t.pid)
for sig in (signal.SIGINT, signal.SIGTERM):
    case = new()
    f = attach([t.pid], case)
    ok(wait_until(lambda: pinned(t.pid), 5), f"{sig.name}: a hot thread shares the tracer's CPU")
    wait_until(lambda: guardians(f.pid))
    g = guardians(f.pid)
    ok(len(g) == 1, f"{sig.name}: with one guardian", g)
    is_(os.getsid(g[0]) if g else 0, g[0] if g else -1, f"{sig.name}: in a session of its own")
    stop(f, sig)
    is_(masks(t.pid), before, f"{sig.name}: masks after it are those before")
    ok(wait_until(lambda: not guardians(f.pid), 5), f"{sig.name}: the guardian is gone")
    r = affinity_rows(case)
    was = [x for x in r if x["what"] == "affinity set"]
    ok(was and all(re.fullmatch(r"[0-9a-f,]+ -> [0-9a-f,]+", x["detail"]) for x in r),
       f"{sig.name}: the ledger has each change with the old mask", r)
    is_(len([x for x in r if x["what"] == "affinity restored"]), len(was), f"{sig.name}: and each return")

for mode in ("none", "spin"):
    case = new()
    f = attach([t.pid], case, "--placement", mode)
    time.sleep(0.2)
    ok(not pinned(t.pid) and not guardians(f.pid), f"--placement {mode} pins nothing and has no guardian")
    stop(f)
    is_(affinity_rows(case), [], f"--placement {mode}: the ledger is empty of it")

# ---- killed at random moments ----
good = was = 0
for i in range(KILLS):
    f = attach([t.pid], new())
    time.sleep(random.random() * (0.004 if i % 2 else 0.08))
    was += pinned(t.pid)
    f.kill()
    f.wait()
    good += wait_until(lambda: masks(t.pid) == before and tracer_of(t.pid) == 0, 5)
diag(f"{was} of {KILLS} were killed while a thread was pinned")
is_(good, KILLS, f"SIGKILL at {KILLS} moments: masks after it are those before")
ok(was > 0, "some of them while a thread was pinned")

# ---- the guardian killed as well ----
case = new()
f = attach([t.pid], case)


def stands_with_a_pin():
    """Stopped in a moment when it has pinned a thread: pins come and go."""
    f.send_signal(signal.SIGSTOP)
    time.sleep(0.01)
    if not pinned(t.pid):
        f.send_signal(signal.SIGCONT)
    return pinned(t.pid)


wait_until(stands_with_a_pin, 20)
for g in guardians(f.pid):
    os.kill(g, signal.SIGKILL)
f.kill()
f.wait()
time.sleep(0.1)
ok(pinned(t.pid), "without its guardian a killed frec leaves a pin")
r = frec("--recover", case)
is_(masks(t.pid), before, "which frec --recover puts back")
diag(r.stderr.strip())
end(t)

# ---- targets that look ----
for options in ((), ("--no-seccomp",)):
    r = frec("-q", *options, "-o", new(), "--", WHERE, "looks", "12", input="g", stdin=None)
    ok(re.search(r"^looks 24 bad 0$", r.stdout, re.M), f"launched {' '.join(options)}: a target that looks sees its own masks",
       r.stdout, r.stderr)
t = target("looks", 12)
case = new()
f = attach([t.pid], case)
go(t)
out = t.stdout.read()
f.communicate(timeout=60)
is_(out, "looks 24 bad 0\n", "attached: a target that looks sees its own masks")
ok(affinity_rows(case), "though it was pinned between")

# ---- children ----
for options in ((), ("--no-follow",)):
    name = " ".join(("attached",) + options)
    t = target("births", 10)
    before = masks(t.pid)
    case = new()
    f = attach([t.pid], case, *options)
    go(t)
    t.stdout.readline()
    is_(len(children(t.pid)), 10, f"{name}: ten children")
    ok(wait_until(lambda: family_masks(t.pid) == before, 5), f"{name}: they and ten threads have the mask of their parent",
       family_masks(t.pid))
    stop(f)
    ok(affinity_rows(case), f"{name}: it was pinned between births")
    is_(family_masks(t.pid), before, f"{name}: masks after it are those before")
    end(t)
good = 0
for i in range(6):
    t = target("births", 10)
    before = masks(t.pid)
    f = attach([t.pid], new())
    go(t)
    time.sleep(random.random() * 0.3)
    f.kill()
    f.wait()
    t.stdout.readline()
    good += wait_until(lambda: family_masks(t.pid) == before, 5)
    end(t)
is_(good, 6, "SIGKILL between births: all have the mask of their parent")



def orphan_masks(session):
    """Of the processes named orphan in the session: the masks, and how many they are."""
    found = []
    for p in run("pgrep", "-s", str(session), "-x", "orphan").stdout.split():
        try:
            found += masks(int(p))
        except OSError:
            pass
    return set(found), len(found)


t = target("orphans", 0, start_new_session=True)
before = masks(t.pid)
go(t)
good = seen = 0
for i in range(6):
    f = attach([t.pid], new(), "--no-follow")
    wait_until(lambda: pinned(t.pid), 5, 0.001)
    time.sleep(random.random() * 0.02)
    f.kill()
    f.wait()
    wait_until(lambda: masks(t.pid) == before and not guardians(f.pid), 10)
    now, many = orphan_masks(t.pid)
    seen += many
    good += now <= before
end(t)
is_(good, 6, f"SIGKILL between births of orphans: all {seen} have the mask of their parent")
ok(seen > 0, "and there were some")

# ---- restricted targets ----
cpu = min(OWN)
t = target("hot", 2, 0, preexec_fn=lambda: os.sched_setaffinity(0, {cpu}))
before = masks(t.pid)
case = new()
f = attach([t.pid], case)
seen = set()
for i in range(30):
    seen |= masks(t.pid)
    time.sleep(0.01)
stop(f)
is_(seen, before, "a target on one CPU stays there while it is recorded")
is_(affinity_rows(case), [], "and is not touched")
f = start(FREC, "-p", str(t.pid), "-o", new(), preexec_fn=lambda: os.sched_setaffinity(0, {max(OWN)}))
wait_until(lambda: tracer_of(t.pid) == f.pid, 5)
time.sleep(0.2)
is_(masks(t.pid), before, "also when frec itself is kept on another")
stop(f)
end(t)

# ---- many threads ----
def per_call(idle):
    t = target("time", 5000, idle)
    f = start(FREC, "-p", str(t.pid), "-o", new())
    f.stderr.readline()             # attached to: no call goes unseen from now on
    go(t)
    line = t.stdout.readline()
    end(t)
    f.communicate(timeout=60)
    return int(line.split()[1])


cost = {k: [] for k in (0, 999)}
for i in range(5):
    for k in cost:
        cost[k].append(per_call(k))
one, thousand = (min(v) for v in cost.values())
diag(f"us per call (two stops): {one / 1000:.1f} of 1 thread, {thousand / 1000:.1f} of 1,000; ratio {thousand / one:.2f}")
ok(thousand < 2 * one, "a stop with 1,000 threads does not cost twice one with 1")

done()
