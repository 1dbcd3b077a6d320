#!/usr/bin/env python3
# Launch mode: what the command is started with is what frec was started with; set-user-ID
# programs; the end of frec while the command runs.
import resource

from hazlib import *

need_ptrace()
program = HAZARDS + "/hazards"
WAYS = [("behind the filter", []), ("without filter", ["--no-seccomp"])]


def captured(argv, **kw):
    with open(tmp + "/out", "w+") as out:
        p = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, **kw)
        code = wait_end(p, 60)
        left = left_over()
        out.seek(0)
        return code, out.read(), left


def diff(a, b):
    a, b = a.split("\n"), b.split("\n")
    return [f"- {x}" for x in a if x not in b] + [f"+ {x}" for x in b if x not in a]


# ---- inherited ----

def odd_signals():
    for s in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE, signal.SIGTSTP,
              signal.SIGALRM, signal.SIGTRAP, signal.SIGRTMIN, signal.SIGRTMIN + 1, signal.SIGRTMIN + 2):
        signal.signal(s, signal.SIG_IGN)


def odd_mask():
    signal.pthread_sigmask(signal.SIG_SETMASK,
                           [signal.SIGCHLD, signal.SIGUSR1, signal.SIGTERM, signal.SIGRTMIN, signal.SIGTSTP,
                            signal.SIGCONT, signal.SIGRTMIN + 1, signal.SIGRTMIN + 2])


def odd_limits():
    resource.setrlimit(resource.RLIMIT_CORE, (12345, 54321))
    resource.setrlimit(resource.RLIMIT_NOFILE, (77, 88))
    resource.setrlimit(resource.RLIMIT_STACK, (1 << 20, 1 << 21))
    os.nice(3)
    os.umask(0o147)
    os.chdir("/usr")


def odd_place():
    os.sched_setaffinity(0, {0})
    os.setsid()


for name, setup in (("plain", None), ("signals ignored", odd_signals), ("signals blocked", odd_mask),
                    ("limits, umask, nice, folder", odd_limits), ("one CPU, a session", odd_place)):
    alone = captured([program, "surroundings"], preexec_fn=setup)
    alone = (alone[0], alone[1].replace("session leader 1, group leader 1", "session leader 0, group leader 0"),
             alone[2])
    for how, options in WAYS:
        case = new_case()
        got = captured([FREC, "-q", *options, "-o", case, "--", program, "surroundings"], preexec_fn=setup)
        want = alone
        if not options and os.getuid() != 0:    # frec(1), CAVEATS
            want = (alone[0], alone[1].replace("NoNewPrivs:\t0", "NoNewPrivs:\t1"), alone[2])
        ok(got == want and got[0] == 0, f"started with {name}: {how}", got[0], got[2], *diff(want[1], got[1]))
        drop_case(case)

# ---- set-user-ID ----

nobody = 65534
suid = tmp + "/suid"
shutil.copy(program, suid)
shutil.copy(FREC, tmp + "/frec")
os.chmod(tmp + "/frec", 0o755)
if os.getuid() != 0:
    skip("set-user-ID programs", "needs root")
elif os.statvfs(tmp).f_flag & os.ST_NOSUID:
    skip("set-user-ID programs", f"{tmp} is mounted nosuid")
else:
    os.chown(suid, 0, 0)
    os.chmod(suid, 0o4755)
    os.mkdir(tmp + "/nobody")
    os.chown(tmp + "/nobody", nobody, nobody)

    def become_nobody():
        os.setgroups([])
        os.setresgid(nobody, nobody, nobody)
        os.setresuid(nobody, nobody, nobody)

    argv = [program, "runs-who", suid]
    alone = captured(argv, preexec_fn=become_nobody)
    like(alone[1], r"effective 0 saved 0", "untraced it gets its owner's privileges")
    for how, options in WAYS:
        # by root: setpriv is the launched command and drops the privileges itself
        case = new_case()
        got = captured([FREC, "-q", *options, "-o", case, "--", "setpriv", f"--reuid={nobody}",
                        f"--regid={nobody}", "--clear-groups", *argv])
        ok(got == alone, f"set-user-ID under root's frec, {how}: the same", got, alone)
        drop_case(case)
        # by nobody: the kernel gives no privileges to who is traced, and frec says so
        case = tmp + f"/nobody/{len(options)}.frz"
        got = captured([tmp + "/frec", "-q", *options, "-o", case, "--", *argv], preexec_fn=become_nobody)
        ok(got[0] == 0 and not got[2] and f"real {nobody} effective {nobody} saved {nobody}" in got[1] and
           "effective 0" not in got[1], f"set-user-ID under nobody's frec, {how}: runs, without privileges", got)
        told = rows(case, "SELECT what, detail FROM observer WHERE what LIKE 'set-user-ID%' OR what LIKE 'seccomp%'")
        ok(any(r["what"] == "set-user-ID without effect" for r in told), "which is in the observer ledger", told)
        ok(bool(options) != any(r["what"] == "seccomp filter installed" and r["detail"].startswith("with no_new")
                                for r in told), f"no_new_privs is, too, {how}", told)

    # attached by root to a process of nobody's that then runs it
    target = subprocess.Popen([program, "-w", "runs-who", suid], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              preexec_fn=become_nobody)
    t = Tracer([target.pid])
    ok(t.attached(), "attached to nobody's process", t.said())
    out = target.communicate(b"x")[0].decode()
    is_((target.returncode, out), alone[:2], "set-user-ID while root's frec is attached: the same")
    is_(t.end(None), 0, "frec ends with it")
    t.drop()
    left_over()

# ---- what cannot be followed is said ----

for name, what in (("clone-untraced", "child not traced"), ("seccomp-errno", "seccomp filter of its own")):
    case = new_case()
    captured([FREC, "-q", "-o", case, "--", program, name])
    told = rows(case, "SELECT what FROM coverage")
    ok(any(r["what"] == what for r in told), f"{name}: in the coverage ledger", told)
    drop_case(case)

# ---- the recording ends, the command goes on ----


def command(*options):
    """frec with a driven target as its command."""
    case = new_case()
    p = subprocess.Popen([FREC, "-q", *options, "-o", case, "--", program, "service"], stdin=subprocess.PIPE,
                         stdout=subprocess.PIPE, bufsize=0)
    p.stdout.readline()
    pid = next(pid for pid, (name, _) in descendants().items() if name == "hazards")
    return p, case, pid


def rounds(p):
    p.stdin.write(b"?\n")
    return int(p.stdout.readline().split()[0])


def goes_on(p):
    before = rounds(p)
    return wait_until(lambda: rounds(p) > before, 20)


for how, options in WAYS:
    for why, more in (("a limit", ["--max-events", "300"]), ("SIGTERM", []), ("SIGINT", [])):
        p, case, pid = command(*options, *more)
        time.sleep(0.1)
        if why.startswith("SIG"):
            p.send_signal(getattr(signal, why))
        ok(wait_until(lambda: not os.path.exists(case + ".tail"), 30), f"ended by {why}, {how}: the case is closed")
        is_sealed(case, "and sealed")
        ok(goes_on(p), "the command goes on")
        p.stdin.write(b"end 1\n")
        out = p.stdout.read()
        p.wait()
        is_((out, left_over()), (b"end\n", ""), "and ends well")
        drop_case(case)

p, case, pid = command("--no-seccomp")
p.kill()
p.wait()
ok(settles(lambda: unharmed(pid)) == "" and goes_on(p), "frec killed, --no-seccomp: the command lives on")
p.stdin.write(b"end 1\n")
is_((p.stdout.read(), left_over()), (b"end\n", ""), "and ends well")
drop_case(case)
p, case, pid = command()
p.kill()
p.wait()
ok(wait_until(lambda: not threads(pid) or status_of(pid).get("State", "Z")[0] == "Z", 20),
   "frec killed, behind the filter: the kernel ends the command, which could not go on")
is_(left_over(), "", "nothing is left")
drop_case(case)
done()
