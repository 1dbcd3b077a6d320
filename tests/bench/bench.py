#!/usr/bin/env python3
"""bench.py - frec beside nothing, a bare ptrace loop and strace, in one run.

    bench.py [--json FILE] [--rounds N] [--only NAME[,NAME]] [--scale X]

- Variants of one workload alternate within a round, so that a slow minute hits all of them;
  what counts is the median over the rounds. All samples are in the JSON.
- Where variants differ in speed by orders of magnitude they do different amounts of work and
  the cost of one call is compared.
- The limit is tests/bench/limit.c with the better of its placements.
"""
import argparse
import json
import os
import platform
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

BUILD = os.environ.get("BUILD", os.path.abspath("build"))
FREC = os.environ.get("FREC", BUILD + "/frec")
FANALYZE = os.environ.get("FANALYZE", BUILD + "/fanalyze")
LIMIT = BUILD + "/bench/limit"
LAST_CPU = str(max(os.sched_getaffinity(0)))
LIMIT_MODES = ("colocate", "spin")
STRACE = ["strace", "-f", "-ttt", "-T", "-yy", "-o"]

tmp = tempfile.mkdtemp(prefix="frec-bench-")
samples = {}        # {workload: {variant: [value of each round]}}
table = []          # rows of the table


def note(text):
    print(text, file=sys.stderr, flush=True)


def sample(workload, variant, value):
    samples.setdefault(workload, {}).setdefault(variant, []).append(value)


def median(workload, variant):
    v = samples.get(workload, {}).get(variant)
    return statistics.median(v) if v else None


def limit_of(workload, best=min):
    got = [median(workload, "limit " + m) for m in LIMIT_MODES]
    got = [g for g in got if g is not None]
    return best(got) if got else None


def row(what, value, unit, goal=None, atleast=False, digits=2):
    """One line of the table. goal: None for a line that only informs."""
    met = None if goal is None or value is None else (value >= goal if atleast else value <= goal)
    table.append({"what": what, "value": value, "unit": unit, "goal": goal,
                  "sense": ">=" if atleast else "<=", "met": met, "digits": digits})


def ratio(a, b):
    return a / b if a is not None and b else None


def fresh(name):
    p = f"{tmp}/{name}"
    for x in (p, p + ".tail"):
        if os.path.exists(x):
            os.unlink(x)
    return p


def timed(argv, **kw):
    start = time.monotonic()
    r = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **kw)
    took = time.monotonic() - start
    if r.returncode != 0:
        sys.exit(f"bench: {' '.join(argv)}: exit {r.returncode}: {r.stderr.decode(errors='replace')}")
    return took


def query(case, sql):
    r = subprocess.run([FANALYZE, case, "--sql", sql, "--format", "jsonl"], stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, text=True)
    if r.returncode not in (0, 3):
        sys.exit(f"bench: {sql}: {r.stderr}")
    return json.loads(r.stdout.split("\n")[0])


def events_of(case):
    return list(query(case, "SELECT COUNT(*) AS n FROM timeline").values())[0]


def zstd_size(file):
    return len(subprocess.run(["zstd", "-3", "-q", "-c", file], stdout=subprocess.PIPE, check=True).stdout)


# ---- dd bs=1: nothing but system calls ----

def dd(rounds, scale):
    def cmd(n):
        return ["dd", "if=/dev/zero", "of=/dev/null", "bs=1", f"count={n}", "status=none"]
    log, case = f"{tmp}/dd.strace", None
    n_free, n_fast, n_slow = int(2e6 * scale), int(1e5 * scale), int(2e4 * scale)
    for r in range(rounds):
        note(f"dd, round {r + 1} of {rounds}")
        sample("dd", "untraced", timed(cmd(n_free)) / (2 * n_free) * 1e6)
        for m in LIMIT_MODES:
            sample("dd", "limit " + m, timed([LIMIT, "--placement", m, "--"] + cmd(n_fast)) / (2 * n_fast) * 1e6)
        case = fresh("dd.frz")
        sample("dd", "frec", timed([FREC, "-q", "-o", case, "--"] + cmd(n_fast)) / (2 * n_fast) * 1e6)
        for m in LIMIT_MODES:
            c = fresh("dd-place.frz")
            sample("dd", "frec " + m, timed([FREC, "-q", "--placement", m, "-o", c, "--"] + cmd(n_fast)) /
                   (2 * n_fast) * 1e6)
        sample("dd", "strace", timed(STRACE + [log] + cmd(n_slow)) / (2 * n_slow) * 1e6)
        sample("dd", "strace pinned", timed(["taskset", "-c", LAST_CPU] + STRACE + [log] + cmd(n_slow)) /
               (2 * n_slow) * 1e6)
    frec, limit = median("dd", "frec"), limit_of("dd")
    for v in samples["dd"]:
        row(f"dd bs=1, {v}", median("dd", v), "us per call")
    row("dd bs=1, frec / limit", ratio(frec, limit), "", 1.15)
    row("dd bs=1, frec / strace", ratio(frec, median("dd", "strace")), "", 0.15, digits=3)
    row("dd bs=1, frec / strace pinned", ratio(frec, median("dd", "strace pinned")), "", 0.6)
    row("dd bs=1, bytes per event", os.path.getsize(case) / events_of(case), "bytes", 3.5)
    row("dd bs=1, strace's text under zstd -3", zstd_size(log) / sum(1 for _ in open(log)), "bytes per line")


# ---- gcc: many processes, opens, maps ----

def gcc(rounds, scale):
    d = f"{tmp}/gcc"
    os.makedirs(d, exist_ok=True)
    for i in range(8):
        with open(f"{d}/f{i}.c", "w") as f:
            f.write("#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n#include <unistd.h>\n"
                    "#include <sys/stat.h>\n#include <sys/socket.h>\n#include <signal.h>\n#include <errno.h>\n")
            for j in range(3):
                f.write(f"""
int f{i}_{j}(const char *s, int n)
{{
	char buf[{64 + j}];
	int i, sum = {j};

	for (i = 0; i < n && s[i]; i++)
		sum += s[i] * (i ^ {i}) + (int)strlen(s + i);
	snprintf(buf, sizeof(buf), "%d %s", sum, s);
	return sum % 7 ? puts(buf) : (int)strtol(buf, NULL, 10);
}}
""")
    cmd = ["/bin/sh", "-c", f"cd {d} && for i in 0 1 2 3 4 5 6 7; do gcc -O2 -c f$i.c -o f$i.o; done"]
    log, case = f"{tmp}/gcc.strace", None
    sets = "trace=%file,%desc,%network,%process,%memory"
    for r in range(rounds):
        note(f"gcc, round {r + 1} of {rounds}")
        sample("gcc", "untraced", timed(cmd))
        for m in LIMIT_MODES:
            sample("gcc", "limit " + m, timed([LIMIT, "--placement", m, "--"] + cmd))
        case = fresh("gcc.frz")
        sample("gcc", "frec", timed([FREC, "-q", "-o", case, "--"] + cmd))
        sample("gcc", "strace --seccomp-bpf", timed(["strace", "-f", "--seccomp-bpf", "-e", sets, "-ttt", "-T", "-yy",
                                                     "-o", log] + cmd))
    frec = median("gcc", "frec")
    for v in samples["gcc"]:
        row(f"gcc -O2 x8, {v}", median("gcc", v), "s")
    row("gcc -O2 x8, frec / untraced", ratio(frec, median("gcc", "untraced")), "", 2.2)
    row("gcc -O2 x8, frec / strace --seccomp-bpf", ratio(frec, median("gcc", "strace --seccomp-bpf")), "", 0.25)
    row("gcc -O2 x8, bytes per event", os.path.getsize(case) / events_of(case), "bytes", 6)
    row("gcc -O2 x8, strace's text under zstd -3", zstd_size(log) / sum(1 for _ in open(log)), "bytes per line")


# ---- redis GET: a service under load, attached ----

def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def tracer_of(pid):
    with open(f"/proc/{pid}/status") as f:
        return int(re.search(r"TracerPid:\s*(\d+)", f.read()).group(1))


def attached(argv, pid, body):
    """Runs body while argv, which attaches to pid, is attached; stops argv with SIGINT."""
    p = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    end = time.monotonic() + 30
    while tracer_of(pid) == 0 and p.poll() is None and time.monotonic() < end:
        time.sleep(0.01)
    time.sleep(0.1)
    if p.poll() is not None or tracer_of(pid) == 0:
        p.kill()
        sys.exit(f"bench: {' '.join(argv)}: did not attach: {p.communicate()[1].decode(errors='replace')}")
    try:
        return body(p)
    finally:
        p.send_signal(signal.SIGINT)
        try:
            p.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            p.kill()
            sys.exit(f"bench: {' '.join(argv)}: does not end")


def redis(rounds, scale):
    port = free_port()
    server = subprocess.Popen(["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", tmp],
                              stdout=subprocess.DEVNULL)
    pid = str(server.pid)

    def get(n):
        r = subprocess.run(["redis-benchmark", "-p", str(port), "-t", "get", "-c", "20", "-n", str(int(n * scale)),
                            "--csv"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True)
        return float(re.search(r'"GET[^"]*","([0-9.]+)"', r.stdout).group(1))

    try:
        time.sleep(0.5)
        get(20000)
        for r in range(rounds):
            note(f"redis, round {r + 1} of {rounds}")
            sample("redis", "untraced", get(150000))
            for m in LIMIT_MODES:
                sample("redis", "limit " + m, attached([LIMIT, "--placement", m, "-p", pid], server.pid,
                                                       lambda p: get(20000)))
            case = fresh("redis.frz")
            sample("redis", "frec", attached([FREC, "-q", "-p", pid, "-o", case], server.pid, lambda p: get(20000)))
            sample("redis", "strace", attached(STRACE + [f"{tmp}/redis.strace", "-p", pid], server.pid,
                                               lambda p: get(4000)))
    finally:
        server.terminate()
        server.wait()
    frec = median("redis", "frec")
    for v in samples["redis"]:
        row(f"redis GET, {v}", median("redis", v), "requests/s", digits=0)
    row("redis GET, frec / limit", ratio(frec, limit_of("redis", max)), "", 0.85, True)
    row("redis GET, frec / strace", ratio(frec, median("redis", "strace")), "", 6, True)


# ---- the latency that clients see while frec comes and goes and records nothing ----

CYCLE_ATTACHED, CYCLE_PAUSE = "30ms", 0.2


def cycling(pids, body):
    """body() while frec attaches to pids and lets go again without end; (its value, how many times)."""
    over, made = threading.Event(), []

    def cycle():
        while not over.wait(CYCLE_PAUSE):
            made.append(timed([FREC, "-q", "-p", pids(), "-e", "swapon", "--duration", CYCLE_ATTACHED, "-o",
                               fresh("cycle.frz")]))

    t = threading.Thread(target=cycle)
    t.start()
    try:
        return body(), len(made)
    finally:
        over.set()
        t.join()


def compare_latency(service, rounds, pids, load):
    """load() gives the p99 in ms; with and without, one after the other."""
    load()
    for r in range(rounds):
        note(f"latency, {service}, round {r + 1} of {rounds}")
        sample("latency " + service, "untouched", load())
        p99, cycles = cycling(pids, load)
        sample("latency " + service, "attach-detach", p99)
        sample("latency " + service, "cycles", cycles)
    untouched, cycled = (median("latency " + service, v) for v in ("untouched", "attach-detach"))
    row(f"p99 {service}, untouched", untouched, "ms")
    row(f"p99 {service}, attach-detach", cycled, "ms")
    row(f"p99 {service}, attach-detach / untouched", ratio(cycled, untouched), "")
    row(f"p99 {service}, cycles in a round", median("latency " + service, "cycles"), "", digits=0)


def latency(rounds, scale):
    port, d = free_port(), f"{tmp}/nginx"
    for x in ("", "/www", "/tmp"):
        os.makedirs(d + x)
    with open(d + "/www/f", "wb") as f:
        f.write(b"x" * 5000)
    for x in (tmp, d, d + "/www"):
        os.chmod(x, 0o755)
    with open(d + "/conf", "w") as f:
        f.write(f"worker_processes 2; daemon off; pid {d}/pid; error_log {d}/err;\nevents {{}}\nhttp {{ access_log off; " +
                "".join(f"{x}_temp_path {d}/tmp/{x}; " for x in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")) +
                f"server {{ listen 127.0.0.1:{port}; root {d}/www; }} }}\n")
    seconds = max(1, round(3 * scale))

    def family(pid):
        with open(f"/proc/{pid}/task/{pid}/children") as f:
            return " ".join([str(pid), *f.read().split()])

    def wrk():
        out = subprocess.run(["wrk", "-t1", "-c8", f"-d{seconds}", "--latency", f"http://127.0.0.1:{port}/f"],
                             stdout=subprocess.PIPE, text=True, check=True).stdout
        if re.search("errors|Non-2xx", out):
            sys.exit(f"bench: wrk had errors: {out}")
        value, unit = re.search(r"99%\s+([0-9.]+)(us|ms|s)\b", out).groups()
        return float(value) * {"us": 0.001, "ms": 1, "s": 1000}[unit]

    server = subprocess.Popen([shutil.which("nginx") or "/usr/sbin/nginx", "-e", f"{d}/err", "-c", f"{d}/conf"])
    try:
        time.sleep(0.5)
        compare_latency("nginx", 2 * rounds, lambda: family(server.pid), wrk)
    finally:
        server.terminate()
        server.wait()

    port = free_port()
    server = subprocess.Popen(["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", tmp],
                              stdout=subprocess.DEVNULL)

    def benchmark():
        r = subprocess.run(["redis-benchmark", "-p", str(port), "-t", "get", "-c", "20", "-n", str(int(150000 * scale)),
                            "--csv"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=True)
        head, values = ([x.strip('"') for x in line.split(",")] for line in r.stdout.splitlines()[:2])
        return float(values[head.index("p99_latency_ms")])

    try:
        time.sleep(0.5)
        compare_latency("redis GET", 2 * rounds, lambda: str(server.pid), benchmark)
    finally:
        server.terminate()
        server.wait()


# ---- many threads ----

def threads(rounds, scale):
    calls = int(20000 * scale)

    def hot(n, tracer, *more):
        t = subprocess.Popen([BUILD + "/bench/threads", str(n), str(calls), *more], stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, text=True)
        t.stdout.readline()

        def body(p):
            if n > 1:    # the tracer has every thread before the clock starts
                end = time.monotonic() + 60
                last = f"/proc/{t.pid}/task/" + max(os.listdir(f"/proc/{t.pid}/task"), key=int) + "/status"
                while "TracerPid:\t0\n" in open(last).read() and time.monotonic() < end:
                    time.sleep(0.05)
            t.stdin.write("\n")
            t.stdin.flush()
            ns = float(t.stdout.readline())
            with open(f"/proc/{p.pid}/status") as f:
                s = f.read()
            mem = {k: int(re.search(k + r":\s*(\d+)", s).group(1)) / 1024 for k in ("VmHWM", "RssAnon")}
            return ns / 1000, mem
        try:
            return attached(tracer + ["-p", str(t.pid)], t.pid, body)
        finally:
            t.kill()
            t.wait()

    for r in range(rounds):
        note(f"threads, round {r + 1} of {rounds}")
        for n in (1, 1000):
            sample("threads", f"frec {n}", hot(n, [FREC, "-q", "-o", fresh("t.frz")])[0])
            sample("threads", f"limit {n}", hot(n, [LIMIT, "--placement", "colocate"])[0])
        us, mem = hot(64, [FREC, "-q", "-o", fresh("t64.frz")], "busy")
        for k, v in mem.items():
            sample("threads", k, v)
    for who in ("limit", "frec"):
        for n in (1, 1000):
            row(f"write, one hot thread of {n}, {who}", median("threads", f"{who} {n}"), "us per call")
    row("cost of a call, 1000 threads / 1", ratio(median("threads", "frec 1000"), median("threads", "frec 1")), "", 1.5)
    row("frec's peak memory, 64 busy threads", median("threads", "VmHWM"), "MiB resident", 16, digits=1)
    row("of which anonymous", median("threads", "RssAnon"), "MiB", digits=1)


# ---- import ----

def import_of(what, cmd, rounds):
    case = fresh(f"import-{what}.frz")
    timed([FREC, "-q", "-o", case, "--"] + cmd)
    events = events_of(case)
    db, scratch = f"{tmp}/import.sqlite", f"{tmp}/scratch.sqlite"
    for r in range(rounds):
        note(f"import of {what}, {events} events, round {r + 1} of {rounds}")
        for f in (db, scratch):
            if os.path.exists(f):
                os.unlink(f)
        sample(f"import {what}", "fanalyze", events / timed([FANALYZE, case, "--db", db]))
        out = subprocess.run([BUILD + "/bench/inserts", db, scratch], stdout=subprocess.PIPE, text=True, check=True)
        name, rows, seconds = out.stdout.split()
        sample(f"import {what}", "bare inserts", int(rows) / float(seconds))
        sample(f"import {what}", "verify", events / timed([FANALYZE, case, "--verify"]))
    for v in samples[f"import {what}"]:
        row(f"import of {events} events, {what}, {v}", median(f"import {what}", v), "rows/s", digits=0)
    rate = median(f"import {what}", "fanalyze")
    row(f"import, {what}, fanalyze / bare inserts", ratio(rate, median(f"import {what}", "bare inserts")), "", 0.9, True)
    row(f"import, {what}, events/s", rate, "", 300000, True, digits=0)


def imports(rounds, scale):
    """Of reads and writes alone, and of programs that open, look at and read many files."""
    import_of("dd", ["dd", "if=/dev/zero", "of=/dev/null", "bs=1", f"count={int(250000 * scale)}", "status=none"], rounds)
    times = " ".join(str(i) for i in range(max(1, int(10 * scale))))
    import_of("mixed", ["sh", "-c", f"for i in {times}; do tar cf - /usr/include | cat >/dev/null; "
                        "grep -rq 'no such words' /usr/include; find /usr/include -newer /etc/passwd >/dev/null; done"], rounds)


# ---- size ----

def size(rounds, scale):
    note("static frec")
    out = f"{BUILD}/static"
    subprocess.run(["make", "-s", "STATIC=1", f"BUILD={out}", f"{out}/frec"], check=True, stdout=subprocess.DEVNULL,
                   env={**os.environ, "MAKEFLAGS": "", "SANITIZE": ""})
    stripped = f"{tmp}/frec-static"
    subprocess.run(["strip", "-o", stripped, f"{out}/frec"], check=True)
    row("static frec, stripped", os.path.getsize(stripped) / (1 << 20), "MiB", 1.5)


WORKLOADS = {"dd": dd, "gcc": gcc, "redis": redis, "latency": latency, "threads": threads, "import": imports, "size": size}


def show(value, digits):
    return "-" if value is None else f"{value:,.{digits}f}"


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--json")
    ap.add_argument("--rounds", type=int, default=5)
    ap.add_argument("--only", default=",".join(WORKLOADS))
    ap.add_argument("--scale", type=float, default=1.0)
    a = ap.parse_args()
    load = os.getloadavg()[0]
    if load > 0.5:
        note(f"the load average is {load:.1f}: other work on this machine will show in the figures")
    try:
        for name in a.only.split(","):
            if name not in WORKLOADS:
                sys.exit(f"bench: no workload {name}; there are {', '.join(WORKLOADS)}")
            WORKLOADS[name](a.rounds, a.scale)
    finally:
        shutil.rmtree(tmp, ignore_errors=True)
    width = max(len(r["what"]) for r in table)
    print(f"{'what':{width}}  {'measured':>12}  {'unit':14} {'goal':>10}")
    for r in table:
        goal = "" if r["goal"] is None else f"{r['sense']} {r['goal']:,}"
        met = {None: "", True: "met", False: "MISSED"}[r["met"]]
        print(f"{r['what']:{width}}  {show(r['value'], r['digits']):>12}  {r['unit']:14} {goal:>10} {met}".rstrip())
    if a.json:
        with open(a.json + ".new", "w") as f:
            json.dump({"machine": {"kernel": platform.release(), "cpus": os.cpu_count(), "arch": platform.machine(), "load_before": load},
                       "rounds": a.rounds, "scale": a.scale, "table": table, "samples": samples}, f, indent=1)
        os.rename(a.json + ".new", a.json)
        note(f"written: {a.json}")


main()
