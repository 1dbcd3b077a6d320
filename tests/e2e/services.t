#!/usr/bin/env python3
# Real services, attached to by pid under load, let go, still serving; files and bytes are
# held against what the outside says: file sizes, the load generator's own count, the kernel's.
import pwd
import socket
import threading
import urllib.request

from lib import *

need_ptrace()


def answers(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


def written(case, path):
    return one(case, f"SELECT COALESCE(SUM(bytes_written), 0) FROM fd_bytes WHERE path = '{path}'")


def common_checks(name, case, pids, server):
    is_sealed(case, f"{name}: verifies")
    compare_audit(case, name)
    ok(server.poll() is None, f"{name}: runs on")
    is_([tracer_of(p) for p in pids], [0] * len(pids), f"{name}: nobody traces it any more")
    is_([r["pid"] for r in rows(case, "SELECT pid FROM processes ORDER BY pid") if r["pid"] in pids], sorted(pids),
        f"{name}: its processes are in the case")


def nginx():
    d, port = fresh("nginx"), free_port()
    os.makedirs(d + "/www")
    os.makedirs(d + "/logs")
    body = b"x" * 40000
    with open(d + "/www/big.html", "wb") as f:
        f.write(body)
    with open(d + "/www/small.html", "wb") as f:
        f.write(b"y" * 300)
    with open(d + "/nginx.conf", "w") as f:
        f.write(f"""
daemon off; worker_processes 2; pid {d}/nginx.pid; error_log {d}/logs/error.log;
{"user nobody nogroup;" if os.getuid() == 0 else ""}
events {{ worker_connections 256; }}
http {{
    access_log {d}/logs/access.log; sendfile on; keepalive_requests 100000;
    client_body_temp_path {d}/b; proxy_temp_path {d}/p; fastcgi_temp_path {d}/f;
    uwsgi_temp_path {d}/u; scgi_temp_path {d}/s;
    server {{ listen 127.0.0.1:{port}; root {d}/www; }}
}}
""")
    server = start("nginx", "-p", d, "-e", d + "/logs/error.log", "-c", d + "/nginx.conf")
    if not ok(wait_until(lambda: answers(port) and len(children_of(server.pid)) == 2), "nginx: started"):
        return
    time.sleep(0.2)
    log = d + "/logs/access.log"
    pids = [server.pid] + children_of(server.pid)
    case = tmp + "/nginx.frz"
    before = os.path.getsize(log)
    f = attach(pids, case)
    requests = 0
    sent = 0
    for page, count in (("big.html", 400), ("small.html", 1200)):
        r = run("ab", "-q", "-k", "-n", str(count), "-c", "8", f"http://127.0.0.1:{port}/{page}", timeout=300)
        m = re.search(r"Total transferred:\s+(\d+)", r.stdout)
        failed = re.search(r"Failed requests:\s+(\d+)", r.stdout)
        if not ok(r.returncode == 0 and m and failed and failed.group(1) == "0",
                  f"nginx: {count} requests for {page} all succeed while recorded", r.stdout, r.stderr):
            return
        requests += count
        sent += int(m.group(1))
    time.sleep(0.3)
    is_(stop(f)[0], 0, "nginx: frec ends well")
    common_checks("nginx", case, pids, server)
    is_(written(case, log), os.path.getsize(log) - before, "nginx: bytes written to access.log are its growth")
    is_(one(case, "SELECT COALESCE(SUM(bytes_written), 0) FROM connections WHERE family = 'inet'"), sent,
        f"nginx: bytes sent on connections are what ab says it got ({sent})")
    is_(one(case, f"SELECT SUM(bytes_read) FROM fd_bytes WHERE path = '{d}/www/big.html'"), 400 * len(body),
        "nginx: bytes read of big.html")
    is_(rows(case, f"SELECT kind, owner, size, bytes_read, bytes_written FROM files_touched "
                   f"WHERE path = '{d}/www/small.html'"),
        [{"kind": "file", "owner": pwd.getpwuid(os.getuid()).pw_name, "size": 300,
          "bytes_read": 300 * 1200, "bytes_written": 0}], "nginx: files_touched has small.html")
    users = {r["user"] for r in rows(case, "SELECT user FROM processes")}
    ok("nobody" in users or os.getuid() != 0, "nginx: the workers' user", users)
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/big.html", timeout=5) as r:
        is_(r.read(), body, "nginx: serves afterwards")
    # attached and let go in the middle of load, again and again
    load = start("ab", "-q", "-k", "-n", "20000", "-c", "8", f"http://127.0.0.1:{port}/small.html")
    codes = []
    for i in range(5):
        f = attach(pids, f"{tmp}/nginx-{i}.frz", "-q")
        time.sleep(0.2)
        codes.append(stop(f)[0])
    out, err = load.communicate(timeout=300)
    is_(codes, [0] * 5, "nginx: five short recordings under load")
    ok(load.returncode == 0 and re.search(r"Failed requests:\s+0\b", out),
       "nginx: not one of 20,000 requests failed meanwhile", out, err)
    for i in range(5):
        compare_audit(f"{tmp}/nginx-{i}.frz", f"nginx, recording {i}")
    server.terminate()
    ok(server.wait(10) == 0, "nginx: ends well")


def redis():
    d, port = fresh("redis"), free_port()
    server = start("redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", d, "--save", "",
                   "--appendonly", "yes", "--appendfsync", "no")
    if not ok(wait_until(lambda: answers(port)), "redis: started"):
        return
    time.sleep(0.3)
    case = tmp + "/redis.frz"
    aof = next(os.path.join(p, n) for p, _, names in os.walk(d) for n in names if n.endswith(".incr.aof"))
    before = os.path.getsize(aof)
    f = attach([server.pid], case)
    r = run("redis-benchmark", "-p", str(port), "-n", "2000", "-c", "5", "-t", "set,get", "-q", timeout=300)
    ok(r.returncode == 0 and "GET" in r.stdout, "redis: benchmark ran while recorded", r.stdout, r.stderr)
    time.sleep(0.2)
    is_(stop(f)[0], 0, "redis: frec ends well")
    common_checks("redis", case, [server.pid], server)
    is_(written(case, aof), os.path.getsize(aof) - before, "redis: bytes written to the AOF are its growth")
    ok(one(case, "SELECT COUNT(*) FROM connections WHERE direction = 'in'") >= 10, "redis: its clients are connections")
    ok(answers(port), "redis: answers afterwards")
    server.terminate()
    server.wait(10)


def python():
    d = fresh("python")
    program = """
import os, sys, threading
def work(n):
    for i in range(200):
        with open(f"f{n}-{i % 7}", "ab", buffering=0) as f:
            f.write(b"z" * (n * 100 + i))
os.chdir(sys.argv[1])
sys.stdin.read(1)
t = [threading.Thread(target=work, args=(n,)) for n in range(4)]
[x.start() for x in t]; [x.join() for x in t]
print("done", flush=True)
sys.stdin.read(1)
"""
    server = start(sys.executable, "-c", program, d, stdin=subprocess.PIPE)
    time.sleep(0.3)
    case = tmp + "/python.frz"
    f = attach([server.pid], case)
    server.stdin.write("g")
    server.stdin.flush()
    is_(server.stdout.readline(), "done\n", "python: four threads did their work while recorded")
    is_(stop(f)[0], 0, "python: frec ends well")
    common_checks("python", case, [server.pid], server)
    got = {r["path"]: r["w"] for r in rows(case, "SELECT path, SUM(bytes_written) AS w FROM fd_bytes GROUP BY path")}
    want = {f"{d}/{n}": os.path.getsize(f"{d}/{n}") for n in os.listdir(d)}
    is_({p: got.get(p) for p in want}, want, f"python: bytes of {len(want)} files are their sizes")
    server.stdin.write("g")
    server.stdin.close()
    is_(server.wait(10), 0, "python: ends well")


def postgres():
    d, port = fresh("pg"), free_port()
    user = pwd.getpwnam("postgres")
    os.chown(d, user.pw_uid, user.pw_gid)
    as_user = dict(user="postgres", group="postgres", cwd=d)
    r = run("initdb", "-D", d + "/data", "-A", "trust", "-N", **as_user)
    if not ok(r.returncode == 0, "postgres: initdb", r.stderr):
        return
    server = start("postgres", "-D", d + "/data", "-p", str(port), "-k", d, "-c", "listen_addresses=127.0.0.1",
                   "-c", "fsync=off", **as_user)
    psql = ["psql", "-h", "127.0.0.1", "-p", str(port), "-U", "postgres", "-qAt", "-c"]
    if not ok(wait_until(lambda: run(*psql, "SELECT 1").stdout.strip() == "1", 20), "postgres: started"):
        return
    time.sleep(0.5)     # the backend of the question above goes
    pids = [server.pid] + children_of(server.pid)
    case = tmp + "/postgres.frz"
    f = attach(pids, case)
    r = run(*psql, "CREATE TABLE t(i int, s text); INSERT INTO t SELECT g, repeat('x', 100) FROM "
                   "generate_series(1, 20000) g; CHECKPOINT; SELECT COUNT(*) FROM t;")
    is_(r.stdout.strip(), "20000", "postgres: a table was filled while recorded")
    path = run(*psql, "SELECT pg_relation_filepath('t')").stdout.strip()
    is_(stop(f)[0], 0, "postgres: frec ends well")
    common_checks("postgres", case, pids, server)
    size = os.path.getsize(f"{d}/data/{path}")
    got = written(case, f"{d}/data/{path}")
    ok(got >= size > 0, "postgres: the table's file was written in full", got, size)
    is_(run(*psql, "SELECT COUNT(*) FROM t").stdout.strip(), "20000", "postgres: answers afterwards")
    server.send_signal(signal.SIGINT)
    is_(server.wait(20), 0, "postgres: ends well")


for program, test in (("nginx", nginx), ("redis-server", redis), ("python3", python)):
    if tool(program):
        test()
    else:
        skip(program, "not installed")
if os.getuid() == 0 and all(tool(x) for x in ("postgres", "initdb", "psql")):
    postgres()      # where it happens to be installed
done()
