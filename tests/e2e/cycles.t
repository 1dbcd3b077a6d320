#!/usr/bin/env python3
# Services attached to and let go of again and again while clients use them: not one client may
# see an error, no thread may be lost or stay stopped or traced, no CPU mask changed. 100 times in check-full,
# 3 in check; CYCLES=N says otherwise.
import pwd

from lib import *

need_ptrace()
CYCLES = int(os.environ.get("CYCLES") or ("100" if os.environ.get("FREC_FULL") else "3"))

JAVA = """
import com.sun.net.httpserver.*; import java.io.*; import java.net.*; import java.nio.file.*; import java.util.concurrent.*;
public class Server { public static void main(String[] a) throws Exception {
  for (int i = 0; i < 200; i++) { Thread t = new Thread(() -> { try { while (true) { Thread.sleep(20); Files.readAllBytes(Path.of(a[1])); } } catch (Exception e) { e.printStackTrace(); System.exit(9); } }); t.setDaemon(true); t.start(); }
  HttpServer s = HttpServer.create(new InetSocketAddress("127.0.0.1", Integer.parseInt(a[0])), 64);
  s.setExecutor(Executors.newFixedThreadPool(16));
  s.createContext("/", x -> { byte[] b = Files.readAllBytes(Path.of(a[1])); x.sendResponseHeaders(200, b.length); x.getResponseBody().write(b); x.close(); });
  s.start(); } }
"""
GO = """
package main
import ("net/http"; "os"; "time")
func main() {
	for i := 0; i < 50; i++ { go func() { for { time.Sleep(10 * time.Millisecond); if _, e := os.ReadFile(os.Args[2]); e != nil { panic(e) } } }() }
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { b, e := os.ReadFile(os.Args[2]); if e != nil { panic(e) }; w.Write(b) })
	panic(http.ListenAndServe("127.0.0.1:" + os.Args[1], nil))
}
"""
NODE = """
const fs = require('fs'), http = require('http');
http.createServer((q, r) => fs.readFile(process.argv[3], (e, b) => { if (e) { r.statusCode = 500; r.end(); } else r.end(b); }))
    .listen(+process.argv[2], '127.0.0.1');
"""


def threads(pids):
    out = {}
    for pid in pids:
        for tid in os.listdir(f"/proc/{pid}/task"):
            try:
                with open(f"/proc/{pid}/task/{tid}/status") as f:
                    out[int(tid)] = f.read()
            except OSError:
                pass
    return out


def cycles(name, pids, n=CYCLES):
    """Attaches and detaches n times; (failures, what is wrong with a thread afterwards)."""
    before = threads(pids)
    masks = {t: re.search(r"Cpus_allowed:\s*(\S+)", s).group(1) for t, s in before.items()}
    bad = []
    for i in range(n):
        case = f"{tmp}/{name}.frz"
        r = frec("-q", "-p", ",".join(map(str, pids)), "-o", case, "--duration", "30ms", timeout=60)
        if r.returncode != 0:
            bad.append((i, r.returncode, r.stderr))
        for f in (case, case + ".tail"):
            if os.path.exists(f):
                os.unlink(f)
    time.sleep(0.2)
    after = threads(pids)
    # a JVM ends and starts compiler threads as it likes
    wrong = [(tid, "lost", name) for tid, name in ((t, s.split("\n")[0]) for t, s in before.items())
             if tid not in after and "CompilerThre" not in name]
    diag(f"{name}: {len(before)} threads, {len(after)} after {n} cycles")
    for tid, status in after.items():
        state, tracer = re.search(r"State:\s*(\S)", status).group(1), re.search(r"TracerPid:\s*(\d+)", status).group(1)
        mask = re.search(r"Cpus_allowed:\s*(\S+)", status).group(1)
        if state in "tTZ" or tracer != "0" or mask != masks.get(tid, mask):
            wrong.append((tid, state, tracer, mask, masks.get(tid)))
    return bad, wrong


def under_wrk(name, server, port, pids):
    url = f"http://127.0.0.1:{port}/f"
    if not ok(wait_until(lambda: run("wrk", "-t1", "-c1", "-d1", url).stdout.count("Requests/sec") and
                         "Socket errors" not in run("wrk", "-t1", "-c1", "-d1", url).stdout, 30), f"{name}: serves"):
        return
    load = start("wrk", "-t1", "-c8", "-d900", "--timeout", "20s", url)
    time.sleep(0.5)
    bad, wrong = cycles(name, pids())
    load.send_signal(signal.SIGINT)
    out, _ = load.communicate(timeout=30)
    is_(bad, [], f"{name}: {CYCLES} times attached and let go")
    is_(wrong, [], f"{name}: no thread lost, stopped, traced or moved")
    errors = [l for l in out.splitlines() if "errors" in l or "Non-2xx" in l]
    # wrk counts its own end as read errors: none of another kind, and no reply but 200
    ok(not [l for l in errors if not re.search(r"connect 0, read \d, write 0, timeout 0", l)] and
       re.search(r"(\d+) requests in", out), f"{name}: not one client error", out)
    ok(server.poll() is None, f"{name}: still runs")
    server.kill()
    server.wait()


def nginx():
    d, port = fresh("nginx"), free_port()
    os.chmod(d, 0o755)
    for x in ("www", "tmp"):
        os.mkdir(f"{d}/{x}")
    open(f"{d}/www/f", "wb").write(b"x" * 5000)
    os.chmod(tmp, 0o755)
    conf = (f"worker_processes 2; daemon off; pid {d}/pid; error_log {d}/err;\nevents {{}}\nhttp {{ access_log {d}/log; " +
            "".join(f"{x}_temp_path {d}/tmp/{x}; " for x in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")) +
            f"server {{ listen 127.0.0.1:{port}; root {d}/www; }} }}\n")
    open(f"{d}/conf", "w").write(conf)
    s = start(tool("nginx") or "/usr/sbin/nginx", "-e", f"{d}/err", "-c", f"{d}/conf")
    wait_until(lambda: len(children_of(s.pid)) == 2, 10)
    kids = children_of(s.pid)
    under_wrk("nginx", s, port, lambda: [s.pid] + children_of(s.pid))
    for k in kids:
        try:
            os.kill(k, signal.SIGKILL)
        except OSError:
            pass


def program(name, *argv):
    d, port = fresh(name), free_port()
    open(f"{d}/f", "wb").write(b"x" * 5000)
    s = start(*[a.replace("PORT", str(port)).replace("FILE", f"{d}/f") for a in argv], stdout=subprocess.DEVNULL)
    under_wrk(name, s, port, lambda: [s.pid])


def java():
    d = fresh("javasrc")
    open(f"{d}/Server.java", "w").write(JAVA)
    is_(run("javac", "-d", d, f"{d}/Server.java").returncode, 0, "java: compiled")
    program("java", "java", "-Xmx128m", "-cp", d, "Server", "PORT", "FILE")


def go():
    d = fresh("gosrc")
    open(f"{d}/main.go", "w").write(GO)
    r = run("go", "build", "-o", f"{d}/server", f"{d}/main.go", env=dict(os.environ, GOFLAGS="-mod=mod", HOME=d))
    if is_(r.returncode, 0, "go: compiled"):
        program("go", f"{d}/server", "PORT", "FILE")


def node():
    d = fresh("nodesrc")
    open(f"{d}/server.js", "w").write(NODE)
    program("node", "node", f"{d}/server.js", "PORT", "FILE")


def redis():
    d, port = fresh("redis"), free_port()
    s = start("redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", d, "--save", "", "--io-threads", "4",
              "--io-threads-do-reads", "yes", stdout=subprocess.DEVNULL)
    if not ok(wait_until(lambda: run("redis-cli", "-p", str(port), "ping").stdout == "PONG\n", 30), "redis: serves"):
        return
    load = start("redis-benchmark", "-p", str(port), "-c", "20", "-l", "-q", "-t", "set,get", stdout=subprocess.DEVNULL)
    time.sleep(0.5)
    bad, wrong = cycles("redis", [s.pid])
    is_(bad, [], f"redis: {CYCLES} times attached and let go")
    is_(wrong, [], "redis: no thread lost, stopped, traced or moved")
    ok(load.poll() is None, "redis: the clients never stopped", load.poll())
    load.kill()
    is_(load.communicate()[1], "", "redis: not one client error")
    is_(run("redis-cli", "-p", str(port), "ping").stdout, "PONG\n", "redis: still serves")
    s.kill()
    s.wait()


def postgres():
    d, port = fresh("pg"), free_port()
    user = pwd.getpwnam("postgres")
    os.chown(d, user.pw_uid, user.pw_gid)
    os.chmod(tmp, 0o755)
    who = dict(user="postgres", group="postgres", cwd=d)
    if not is_(run("initdb", "-D", d + "/data", "-A", "trust", "-N", **who).returncode, 0, "postgres: initdb"):
        return
    s = start("postgres", "-D", d + "/data", "-p", str(port), "-k", d, "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", **who)
    client = ["-h", "127.0.0.1", "-p", str(port), "-U", "postgres"]
    ok(wait_until(lambda: run("pgbench", *client, "-i", "-q", "postgres").returncode == 0, 30), "postgres: serves")
    load = start("pgbench", *client, "-c", "4", "-T", "900", "postgres")
    time.sleep(1)
    bad, wrong = cycles("postgres", [s.pid] + children_of(s.pid))
    errors_before_end = load.poll()
    load.send_signal(signal.SIGINT)
    out, err = load.communicate(timeout=30)
    is_(bad, [], f"postgres: {CYCLES} times attached and let go")
    is_(wrong, [], "postgres: no thread lost, stopped, traced or moved")
    ok(errors_before_end is None and not re.search("error|abort|fail", err, re.I), "postgres: not one client error", out, err)
    s.send_signal(signal.SIGINT)
    is_(s.wait(30), 0, "postgres: ends well")


for what, needs, test in (("nginx", ["nginx", "wrk"], nginx), ("redis", ["redis-server", "redis-benchmark"], redis), ("java", ["java", "javac", "wrk"], java), ("go", ["go", "wrk"], go),
                          ("node", ["node", "wrk"], node), ("postgres", ["postgres", "initdb", "pgbench"], postgres)):
    if len(sys.argv) > 1 and what not in sys.argv[1:]:
        continue
    if all(tool(x) for x in needs) and (what != "postgres" or os.getuid() == 0):
        test()
    elif what == "nginx":
        skip(what, "nginx or wrk not installed")
    else:
        diag(f"{what}: not tried, {' and '.join(x for x in needs if not tool(x)) or 'not root'} not here")
done()
