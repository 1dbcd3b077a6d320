#!/usr/bin/env python3
# --query alerts: each pattern is found when somebody does it, and the innocent likeness of it is not.
from lib import *

need_ptrace()
w = fresh("alerts")
home = w + "/home"
os.makedirs(home + "/.ssh")
n = 0


def alerts(script):
    """What is said about a recorded Python script: a list of (alert, path)."""
    global n
    n += 1
    case = f"{tmp}/a{n}.frz"
    r = frec("-q", "-o", case, "--", sys.executable, "-S", "-c", "import ctypes, os, socket, subprocess\n" + script, cwd=w)
    is_(r.returncode, 0, "recorded: " + script)
    found = json.loads(fanalyze(case, "--query", "alerts", "--format", "json").stdout)
    return [(x["alert"], x["path"]) for x in found]


DEEDS = [
    ("set-user-ID or set-group-ID given", f"{w}/s",
     "open('s', 'w').close(); os.chmod('s', 0o4755)", "os.chmod('s', 0o644)"),
    ("set-user-ID or set-group-ID given", f"{w}/IMG_20210101.jpg",
     "open('IMG_20210101.jpg', 'w').close(); os.chmod('IMG_20210101.jpg', 0o2750)",
     "os.chmod('IMG_20210101.jpg', 0o640)"),
    ("a log was destroyed", f"{w}/x.log", "open('x.log', 'w').write('entry'); os.unlink('x.log')",
     "open('y.log', 'w').close(); open('y.log', 'a').write('entry')"),
    ("a log was destroyed", f"{w}/z.log",      # by another name for it
     "open('z.log', 'w').write('entry'); os.symlink('z.log', 'zl'); open('zl', 'w').close()", "open('zl').read()"),
    ("a secret was read", f"{home}/.ssh/id_ed25519",
     f"open('{home}/.ssh/id_ed25519', 'w').write('key'); open('{home}/.ssh/id_ed25519').read()",
     f"os.stat('{home}/.ssh/id_ed25519')"),
    ("a place that makes programs start was written", f"{home}/.ssh/authorized_keys",
     f"open('{home}/.ssh/authorized_keys', 'w').write('key')", f"open('{home}/.ssh/authorized_keys').read()"),
    ("a place that makes programs start was written", f"{home}/.profile",
     f"open('{home}/new', 'w').write('x'); os.rename('{home}/new', '{home}/.profile')", f"open('{home}/.profile').read()"),
    ("put here, then executed", f"{w}/tool",
     "open('tool', 'w').write('#!/bin/sh\\n'); os.chmod('tool', 0o700); subprocess.run(['./tool'])",
     "subprocess.run(['/bin/true'])"),
    ("put here, then executed", f"{w}/moved",
     "open('part', 'w').write('#!/bin/sh\\n'); os.chmod('part', 0o700); os.rename('part', 'moved'); subprocess.run(['./moved'])",
     "os.rename('moved', 'moved2')"),
    ("put here, then executed", f"{w}/linked",
     "os.link('moved2', 'linked'); subprocess.run(['./linked'])", "os.link('linked', 'linked2'); subprocess.run(['/bin/true'])"),
    ("executed and deleted", f"{w}/gone",
     "open('gone', 'w').write('#!/bin/sh\\n'); os.chmod('gone', 0o700); subprocess.run(['./gone']); os.unlink('gone')",
     "open('kept', 'w').close(); os.unlink('kept')"),
    ("file times set by hand", f"{w}/s", "os.utime('s', (1, 1))", "open('s', 'a').write('x')"),
    ("anonymous file in memory", None, "os.memfd_create('x')", "open('s').read()"),
    ("another process was reached into", None, "ctypes.CDLL(None).ptrace(0, 0, 0, 0)", "os.getpid()"),
    ("standard input or output became a socket", None,
     "s = socket.create_server(('127.0.0.1', 0)); c = socket.create_connection(s.getsockname()); os.dup2(c.fileno(), 0)",
     "s = socket.create_server(('127.0.0.1', 0)); c = socket.create_connection(s.getsockname()); os.dup2(c.fileno(), 9)"),
]
for what, path, deed, innocent in DEEDS:
    found = alerts(deed)
    ok(any(a == what and (path is None or p == path) for a, p in found), f"{what}: found", found)
    found = alerts(innocent)
    ok(not any(a == what for a, p in found), f"{what}: not found where it was not done", found)

# ---- what each says ----
case = f"{tmp}/who.frz"
r = frec("-q", "-o", case, "--", "sh", "-c", f"cat {home}/.ssh/id_ed25519 > copy; : {home}/.ssh/id_ed25519", cwd=w)
is_(r.returncode, 0, "recorded: cat reads a key, sh does not")
said = [x for x in json.loads(fanalyze(case, "--query", "alerts", "--format", "json").stdout) if "secret" in x["alert"]]
cat = one(case, "SELECT pid FROM processes WHERE comm = 'cat'")
is_([(x["pid"], x["comm"], x["detail"]) for x in said], [(cat, "cat", "3 bytes")], "a secret was read: by whom, and how much")
ok(said and said[0]["time"] == one(case, f"SELECT first_time FROM files_touched WHERE path = '{home}/.ssh/id_ed25519'"), "and when", said)
for pid, n in (cat, 1), (one(case, "SELECT min(pid) FROM processes WHERE comm = 'sh'"), 0):
    found = fanalyze(case, "--query", "alerts", "--pid", str(pid)).stdout
    is_(found.count("a secret was read"), n, f"--pid chooses who read it: {n}")
tool = f"{tmp}/a{1 + 2 * next(i for i, d in enumerate(DEEDS) if d[1] == w + '/tool')}.frz"
for comm, n in ("tool", 1), ("nobody", 0):
    pid = one(tool, f"SELECT max(pid) FROM processes WHERE comm = '{comm}'") or 1
    is_(fanalyze(tool, "--query", "alerts", "--pid", str(pid)).stdout.count("put here"), n, f"--pid chooses by what {comm} had to do with: {n}")

# ---- filters ----
case = f"{tmp}/a1.frz"
ok("IMG" not in fanalyze(case, "--query", "alerts", "--path", f"{w}/s").stdout, "--path chooses")
is_(len(json.loads(fanalyze(case, "--query", "alerts", "--pid", "1", "--format", "json").stdout)), 0, "--pid chooses")
done()
