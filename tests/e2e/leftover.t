#!/usr/bin/env python3
"""leftover.t - an import that was killed leaves a half-built database: the next one removes it, and
nothing that somebody else made or is still building."""
from lib import *

need_ptrace()
os.chdir(fresh("work"))
r = frec("-q", "-o", "c.frz", "--", "dd", "if=/dev/zero", "of=/dev/null", "bs=1", "count=150000")
is_(r.returncode, 0, "a case whose import takes a while")


def building():
    return {f for f in os.listdir(".") if re.fullmatch(r"c\.sqlite\.building-[A-Za-z0-9]{6}", f) and os.path.isfile(f)}


def catch(sig):
    """Starts an import and sends it a signal while it builds: the process, and its file."""
    before = building()
    p = start(FANALYZE, "c.frz", "--info", "--quiet")
    wait_until(lambda: building() - before or p.poll() is not None, every=0.002)
    p.send_signal(sig)
    return p, (building() - before or {None}).pop()


p, dead = catch(signal.SIGKILL)
p.wait()
ok(p.returncode == -signal.SIGKILL and dead and not os.path.exists("c.sqlite"), "an import is killed and leaves its file",
   p.returncode, os.listdir("."))
p, ended = catch(signal.SIGTERM)
p.wait()
ok(ended and not os.path.exists(ended) and p.returncode == -signal.SIGTERM, "one that is told to end removes it itself",
   p.returncode, ended)
ok(dead and not os.path.exists(dead), "and has removed what was left over before")
p, dead = catch(signal.SIGKILL)
p.wait()
held, file = catch(signal.SIGSTOP)
ok(file and not os.path.exists(dead), "another begins, removes that, and is stopped while it builds", file)

foreign = ["c.sqlite.backup", "c.sqlite.building-abcdefg", "c.sqlite.building-abc.ef", "cc.sqlite.building-abcdef",
           "c.sqlite.building-", "xc.sqlite.building-abcdef"]
for name in foreign:
    open(name, "w").close()
os.mkdir("c.sqlite.building-folder")
os.symlink("c.sqlite.backup", "c.sqlite.building-linked")
before = set(os.listdir("."))
r = fanalyze("c.frz", "--sql", "SELECT count(*) AS n FROM timeline", "--format", "jsonl")
ok(r.returncode == 0 and json.loads(r.stdout)["n"] > 300000, "a third imports meanwhile", r.returncode, r.stdout, r.stderr)
is_(set(os.listdir(".")) - before, {"c.sqlite"}, "it leaves nothing of its own")
is_(before - set(os.listdir(".")), set(), "and what others made, or build, alone")
held.send_signal(signal.SIGCONT)
out, err = held.communicate(timeout=120)
ok(held.returncode == 0 and not os.path.exists(file), "the one that was stopped comes to its end", held.returncode, err)
is_(fanalyze("c.frz", "--sql", "SELECT count(*) AS n FROM timeline", "--format", "jsonl").stdout, r.stdout, "with the same rows")
done()
