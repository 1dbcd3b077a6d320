#!/usr/bin/env python3
"""planted.t - a database that comes with a case, its rows altered and everything else right: it is
not relied on, while one's own is used again.
"""
import sqlite3

from lib import *

need_ptrace()
os.chdir(fresh("work"))
me = {**os.environ, "XDG_CACHE_HOME": os.getcwd() + "/my-cache"}
forger = {**os.environ, "XDG_CACHE_HOME": os.getcwd() + "/forgers-cache"}
COUNT = "SELECT count(*) AS n FROM timeline"
r = frec("-q", "-o", "case.frz", "--", "cat", "/etc/passwd")
is_(r.returncode, 0, "a case")


def count(case, env=me, *args):
    """Rows of the timeline, and what is said."""
    r = fanalyze(case, "--sql", COUNT, "--format", "jsonl", *args, env=env)
    return (r.returncode, json.loads(r.stdout)["n"] if r.stdout else None, "not relied on" in r.stderr)


def alter(db):
    """Takes rows out, and leaves all else as it is."""
    c = sqlite3.connect(db)
    c.execute("DELETE FROM events WHERE seq > 3")
    c.commit()
    c.close()


def folder(name, *files):
    os.makedirs(name)
    for f in files:
        shutil.copy2(f, name)
    return name + "/case.frz"


whole = count("case.frz", forger)[1]
ok(whole and whole > 10, f"the forger imports {whole} events", whole)
alter("case.sqlite")
is_(count("case.frz", forger), (0, 3, False), "and alters the database, which fanalyze would not notice at home")
is_(count(folder("got", "case.frz", "case.sqlite")), (0, whole, True), "who receives both sees what the case says, and why it took longer")
inode = os.stat("got/case.sqlite").st_ino
is_(count("got/case.frz"), (0, whole, False), "and from then on relies on what was made here")
is_(os.stat("got/case.sqlite").st_ino, inode, "without making it anew")
os.rename("got", "moved")
is_((count("moved/case.frz"), os.stat("moved/case.sqlite").st_ino), ((0, whole, False), inode), "moved, it still is")
is_(count(folder("again", "moved/case.frz", "moved/case.sqlite")), (0, whole, True), "a copy is not")
alter("moved/case.sqlite")
is_(count(folder("back", "moved/case.frz", "moved/case.sqlite")), (0, whole, True), "nor is one that was handed out and came back altered")
shutil.copy2("case.sqlite", "named.sqlite")
is_(count("case.frz", me, "--db", "named.sqlite"), (0, whole, True), "nor one that is named")
is_(fanalyze("again/case.frz", "--info", env=me).stderr, "", "nothing is said of one's own")
r = fanalyze(folder("quiet", "case.frz", "case.sqlite"), "--sql", COUNT, "--format", "jsonl", "--quiet", env=me)
is_((r.returncode, json.loads(r.stdout)["n"], r.stderr), (0, whole, ""), "--quiet: it is made anew without a word")

key = "my-cache/fanalyze/key"
is_((os.stat(key).st_mode & 0o777, os.stat(key).st_size), (0o600, 32), "the secret is the user's alone")
os.chmod(key, 0o644)
is_(count("again/case.frz"), (0, whole, True), "one that others can read is none")
os.chmod(key, 0o600)
homeless = {k: v for k, v in me.items() if k not in ("HOME", "XDG_CACHE_HOME")}
is_([count("again/case.frz", homeless) for _ in range(2)], [(0, whole, True)] * 2, "without a place for one nothing is relied on")
# ---- what would make an open wait ----

for beside in ("case.sqlite", "case.sqlite-journal", "case.sqlite-wal", "case.sqlite-shm"):
    c = folder("fifo-" + beside, "case.frz")
    os.mkfifo(os.path.dirname(c) + "/" + beside)
    r = fanalyze(c, "--info", env=me, timeout=60)
    ok(r.returncode == 2 and f"{beside}: no regular file" in r.stderr, f"a FIFO named {beside} is refused at once", r.returncode, r.stderr)

done()
