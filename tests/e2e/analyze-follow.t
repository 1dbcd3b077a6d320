#!/usr/bin/env python3
# --follow: the timeline of a case while it is written; and a case that is not finished.
from lib import *

need_ptrace()

case = tmp + "/f.frz"
go = tmp + "/go"
os.mkfifo(go)
# reads one word at a time from the fifo, touches a file of that name, ends with the fifo
target = start("/bin/sh", "-c", f"cd {tmp}; while read w; do echo $w > file-$w; done < {go}")
fifo = open(go, "w", buffering=1)
rec = attach([target.pid], case, "-q")
wait_until(lambda: os.path.exists(case) and os.path.getsize(case) > 0)

# Not finished: exit 3, and what is there can be read.
r = fanalyze(case, "--info")
is_(r.returncode, 3, "a case that is being written: exit 3")
like(r.stdout, r"verdict\s+.*NOT SEALED", "and --info says why")

f = start(FANALYZE, case, "--follow", "--format", "jsonl", "--path", "*file-*")
for word in ("one", "two"):
    fifo.write(word + "\n")
    ok(wait_until(lambda: os.path.exists(f"{tmp}/file-{word}"), 20), f"the target does {word}")
fifo.close()
target.wait(timeout=60)
out, err = rec.communicate(timeout=60)
is_(rec.returncode, 0, "the recording ends with its target")
out, err = f.communicate(timeout=60)
is_((f.returncode, err), (0, ""), "--follow ends with the seal, exit 0")
followed = [json.loads(x) for x in out.split("\n") if x]
whole = [json.loads(x) for x in fanalyze(case, "--timeline", "--format", "jsonl", "--path", "*file-*").stdout.split("\n") if x]
ok(len(whole) >= 2 and sorted(followed, key=lambda x: x["seq"]) == sorted(whole, key=lambda x: x["seq"]),
   f"it printed each of the {len(whole)} calls once", f"{len(followed)} printed")
r = fanalyze(case, "--follow", "--format", "csv", "--syscall", "openat")
is_(r.stdout, fanalyze(case, "--timeline", "--format", "csv", "--syscall", "openat").stdout, "--follow of a sealed case is its timeline")
r = fanalyze(case, "--follow", "--format", "json")
ok(r.returncode == 2 and "jsonl" in r.stderr, "--follow has no end to a JSON list", r.stderr)

# Ctrl-C ends it with the state's exit code.
case = tmp + "/g.frz"
target = start("sleep", "60")
rec = attach([target.pid], case, "-q")
wait_until(lambda: os.path.exists(case) and os.path.getsize(case) > 0)
f = start(FANALYZE, case, "--follow")
time.sleep(1)
f.send_signal(signal.SIGINT)
out, err = f.communicate(timeout=30)
is_((f.returncode, err), (3, ""), "Ctrl-C: exit 3, the case is not sealed yet")
stop(rec)
target.kill()
done()
