#!/usr/bin/env python3
# What a process was when it was met, forked and executed: user, groups, capabilities, namespaces and
# the rest of its context, as the process itself reads it in /proc; and changes of credentials as rows.
import shlex

from lib import *

need_ptrace()
TARGET = r"""
import ctypes, json, os, signal, struct, sys
libc = ctypes.CDLL(None, use_errno=True)

def own(what):
    def text(name):
        try:
            with open("/proc/self/" + name, errors="surrogateescape") as f: return f.read()
        except OSError: return ""
    def line(name): return next((" ".join(l.split()[1:]) for l in text("status").splitlines() if l.startswith(name + ":")), None)
    ns = " ".join(os.readlink("/proc/self/ns/" + n) for n in ("cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"))
    d = {"what": what, "pid": os.getpid(), "exe": os.readlink("/proc/self/exe"), "cwd": os.getcwd(), "root": os.readlink("/proc/self/root"),
         "cmdline": text("cmdline"), "uids": line("Uid"), "gids": line("Gid"), "groups": line("Groups"), "namespaces": ns,
         "capabilities": " ".join(line(n) for n in ("CapEff", "CapPrm", "CapInh", "CapBnd", "CapAmb")),
         "cgroup": text("cgroup").strip(), "seccomp": line("Seccomp"), "session": str(os.getsid(0)),
         "loginuid": text("loginuid").strip().replace("4294967295", "unset"), "label": text("attr/current").strip().strip("\0")}
    print(json.dumps(d), flush=True)

os.chdir(sys.argv[1])
if sys.argv[2] == "leaf":
    own("exec")
    sys.exit(0)
own("start")
if sys.argv[2] == "wait":
    sys.stdin.readline()
pid = os.fork()
if pid == 0:
    os.setsid(); os.nice(1)
    own("fork")
    # every way to change what one may do
    libc.prctl(39, 0, 0, 0, 0); libc.prctl(7, 0, 0, 0, 0); libc.prctl(23, 31, 0, 0, 0); libc.prctl(47, 1, 3, 0, 0)     # only asked
    libc.prctl(38, 1, 0, 0, 0)                  # PR_SET_NO_NEW_PRIVS
    libc.prctl(8, 1, 0, 0, 0)                   # PR_SET_KEEPCAPS
    if os.getuid() == 0:
        libc.prctl(24, 31, 0, 0, 0)             # PR_CAPBSET_DROP setfcap
        os.setgroups([7, 8, 9])
        os.setresgid(65534, 65534, 65534)
        os.setresuid(65534, 0, 65534)
        os.seteuid(65534)
        os.setreuid(-1, 65534)
    libc.setfsuid(65534); libc.setfsgid(65534)
    head, data = struct.pack("Ii", 0x20080522, 0), struct.pack("6I", 0, 0, 0, 0, 0, 0)
    libc.capset(head, data)
    own("dropped")
    os.execv(sys.executable, [sys.executable, sys.argv[0], sys.argv[1], "leaf", "arg with space", "\udcff\n"])
os.waitpid(pid, 0)
"""
with open(tmp + "/target.py", "w") as f:
    f.write(TARGET)
os.chmod(tmp, 0o755)
KEYS = "exe cwd root cmdline uids gids groups capabilities cgroup namespaces seccomp session loginuid label".split()


def contexts(case):
    """{(pid, reason): {key: value}}"""
    got = {}
    for line in fanalyze(case, "--query", "context", "--format", "jsonl").stdout.splitlines():
        r = json.loads(line)
        got.setdefault((r["pid"], r["reason"]), {})[r["key"]] = r["value"]
    return got


def compare(name, got, want, but=()):
    for key in KEYS:
        w = want[key]
        if key in but:
            continue
        g = got.get(key) or ""
        if key == "cmdline":        # shown as a shell would take it
            is_(shlex.split(g), [shown(a.encode("utf-8", "surrogateescape")) for a in w.split("\0")[:-1]], f"{name}: {key}")
            continue
        is_(same_text(key, g), same_text(key, shown(w.encode("utf-8", "surrogateescape"))), f"{name}: {key}")


def same_text(key, s):
    return re.sub(r"[\s\0]+", " ", s).strip() if key != "cgroup" else s


def check(name, case, out, first):
    is_sealed(case, f"{name}: verifies")
    said = {d["what"]: d for d in map(json.loads, out.splitlines())}
    got = contexts(case)
    compare(f"{name}: at {first}", got.get((said["start"]["pid"], first), {}), said["start"])
    child = said["fork"]["pid"]
    compare(f"{name}: at fork", got.get((child, "fork"), {}), said["fork"], but=["session"])    # setsid came later
    compare(f"{name}: at exec", got.get((child, "exec"), {}), said["exec"])
    ok(got[(child, "exec")].get("started", "0").isdigit() and "user" in got[(child, "exec")], f"{name}: start and user's name")
    rows_ = rows(case, f"SELECT syscall, ret FROM timeline WHERE pid = {child} AND syscall IN ('setgroups', 'setresgid', 'setresuid', "
                       "'setreuid', 'setfsuid', 'setfsgid', 'capset', 'prctl') ORDER BY ts_ns, seq")
    marked = [json.loads(l)["syscall"] for l in fanalyze(case, "--query", "credentials", "--pid", str(child), "--format", "jsonl").stdout.splitlines()]
    want = ["prctl", "prctl"]
    if os.getuid() == 0:
        want += ["prctl", "setgroups", "setresgid", "setresuid", "setresuid", "setreuid"]
    want += ["setfsuid", "setfsgid", "capset"]
    is_([r["syscall"] for r in rows_][4:4 + len(want)], want, f"{name}: changes of credentials are rows")
    is_(marked, want, f"{name}: and found by --query credentials")
    if os.getuid() == 0:
        is_(one(case, f"SELECT uid FROM processes WHERE pid = {child}"), 65534, f"{name}: the process's user is the one it became")
    ok(not any("environment" in c for c in got.values()), f"{name}: no environment unless asked for")


work = fresh("work")
# others must be able to run it, too
python = next(x for x in ("/usr/bin/python3", sys.executable) if os.path.exists(x))
argv = [python, tmp + "/target.py", work]
case = tmp + "/launched.frz"
r = frec("-q", "-o", case, "--", *argv, "go", cwd=work)
is_(r.returncode, 0, "launched: the target ended well") or diag(r.stderr)
check("launched", case, r.stdout, "launch")

case = tmp + "/attached.frz"
p = start(*argv, "wait", stdin=subprocess.PIPE, cwd=work)
line = p.stdout.readline()
f = attach([p.pid], case, "-q")
out, _ = p.communicate("\n", timeout=60)
is_(p.returncode, 0, "attached: the target ended well")
f.communicate(timeout=30)
check("attached", case, line + out, "attach")

# signs of a program that looks for whoever traces it; and what looks like one and is none
with open(tmp + "/signs.py", "w") as f:
    f.write(r"""
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace(0, 0, 0, 0)                                 # PTRACE_TRACEME
if os.fork() == 0:
    libc.ptrace(0x4206, os.getppid(), 0, 0)             # PTRACE_SEIZE its parent
    os._exit(0)
os.wait()
libc.prctl(4, 0, 0, 0, 0); libc.prctl(4, 1, 0, 0, 0)    # PR_SET_DUMPABLE off and on
libc.prctl(0x59616d61, os.getppid(), 0, 0, 0)           # PR_SET_PTRACER
libc.prctl(26, 2, 0, 0, 0); libc.prctl(26, 1, 0, 0, 0)  # PR_SET_TSC: trap, and not
open("/proc/self/status").close()
open("/proc/%d/task/%d/status" % (os.getpid(), os.getpid())).close()
os.chdir("/proc/self"); open("status").close()
d = os.open("/proc", os.O_RDONLY); os.close(os.open("self/status", os.O_RDONLY, dir_fd=d))
open("/proc/self/stat").close()
try: open("/status")
except OSError: pass
""")
case = tmp + "/signs.frz"
is_(frec("-q", "-o", case, "--", sys.executable, "-S", tmp + "/signs.py").returncode, 0, "signs: recorded")
got = [(r["syscall"], re.search(r"anti-debugging: [\w ,]+|may read TracerPid", r["detail"]).group(0).strip()) for r in
       rows(case, "SELECT syscall, detail FROM timeline WHERE detail LIKE '%anti-debugging%' OR detail LIKE '%TracerPid%' ORDER BY seq")]
is_(got, [("ptrace", "anti-debugging: PTRACE_TRACEME"), ("ptrace", "anti-debugging: traces its parent"),
          ("prctl", "anti-debugging: PR_SET_DUMPABLE"), ("prctl", "anti-debugging: PR_SET_PTRACER"),
          ("prctl", "anti-debugging: timing trap, a signal for reading the clock")] + 4 * [("openat", "may read TracerPid")],
    "signs: marked, and nothing else is")
is_(len(fanalyze(case, "--query", "signs", "--format", "jsonl").stdout.splitlines()), 9, "signs: --query signs has them")

case = tmp + "/env.frz"
env = {"PATH": os.environ["PATH"], "PLAIN": "seen", "API_TOKEN": "secret-value", "PASSWORD_FILE": "hidden\nvalue"}
r = frec("-q", "--env", "--redact", "*TOKEN*", "--redact", "PASS*", "-o", case, "--", "/bin/true", env=env)
is_(r.returncode, 0, "--env: recorded")
text = " ".join(c.get("environment", "") for c in contexts(case).values())
ok("PLAIN=seen" in text, "--env: the environment is there", text)
ok("API_TOKEN=[redacted]" in text and "PASSWORD_FILE=[redacted]" in text, "--redact: names stay, values go", text)
ok(b"secret-value" not in subprocess.run(["zstd", "-dc", case], stdout=subprocess.PIPE).stdout, "--redact: the value is nowhere in the case")
done()
