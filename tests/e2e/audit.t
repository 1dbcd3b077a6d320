#!/usr/bin/env python3
# io_audit: what frec recorded of each thread equals, to the byte, what the kernel counted for it
# (/proc/PID/task/TID/io), for ordinary programs from their start to their end. FREC_FULL=1 adds
# servers under load, with all their processes, and the same programs with more to do.
# ONLY=NAME[,NAME] runs these alone.
import socket

from lib import *

need_ptrace()
MUCH = 10 if FULL else 1
ONLY = os.environ.get("ONLY", "").split(",") if os.environ.get("ONLY") else None


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def audited(name, case, threads=1):
    """Every thread of the case balances; none is unknown."""
    audit = rows(case, "SELECT * FROM io_audit")
    bad = [a for a in audit if a["verdict"].split()[0] != "balanced"]      # "counted twice" where /tmp is an overlayfs
    read = sum(a["kernel_read"] or 0 for a in audit)
    written = sum(a["kernel_written"] or 0 for a in audit)
    return ok(len(audit) >= threads and not bad,
              f"{name}: {read} bytes read and {written} written by {len(audit)} threads balance", f"at least {threads} threads",
              *bad[:8])


def launched(name, argv, threads=1, setup="", env=None, timeout=300):
    if ONLY and name not in ONLY:
        return
    if not tool(argv[0]):
        skip(name, argv[0] + " is not installed")
        return
    d, case = fresh(name), f"{tmp}/{name}.frz"
    if setup:
        r = run("sh", "-ec", setup, cwd=d)
        if not ok(r.returncode == 0, f"{name}: prepared", r.stderr):
            return
    r = frec("-q", "-o", case, "--", *argv, cwd=d, env={**os.environ, **(env or {})}, timeout=timeout)
    if not ok(r.returncode == 0, f"{name}: ran", f"exit {r.returncode}", r.stdout[-500:], r.stderr[-500:]):
        return
    is_sealed(case, f"{name}: verifies")
    audited(name, case, threads)


TREE = f"i=0; while [ $i -lt {40 * MUCH} ]; do mkdir -p in/d$i; head -c $((i * 1777 % 60000)) /dev/urandom >in/d$i/f; i=$((i + 1)); done"
launched("failing execve", ["sh", "-c", "cat in/a; for p in ./plain ./lost ./cut ./none ./dir; do $p; cat in/a; done; cat in/a; exit 0"],
         threads=7, setup="""mkdir in dir; echo text >in/a; echo 'cat in/a' >plain
printf '#!/no/such/interpreter\\n' >lost; head -c 1000 /bin/true >cut; chmod +x plain lost cut""")
launched("cp", ["cp", "-a", "in", "out"], setup=TREE)
launched("tar", ["tar", "czf", "out.tar.gz", "in"], threads=2, setup=TREE)
REPO = TREE + "; git init -q repo; cp -r in repo; cd repo; git add .; git -c user.name=a -c user.email=a@b commit -q -m x"
launched("git", ["git", "clone", "-q", "--no-local", "repo", "copy"], threads=3, setup=REPO)
launched("git by links", ["git", "clone", "-q", "repo", "copy"], setup=REPO)
launched("gcc", ["make", "-s", "-j2"], threads=5, setup=f"""
i=0; while [ $i -lt {2 * MUCH} ]; do
    printf '#include <stdio.h>\\n#include <stdlib.h>\\nint f%d(void) {{ return %d; }}\\n' $i $i >f$i.c; objs="$objs f$i.o"; i=$((i + 1))
done
printf 'int main(void) {{ return 0; }}\\n' >main.c
printf 'CFLAGS = -O2 -g\\nprog: main.o %s\\n\\t$(CC) -o $@ $^\\n' "$objs" >Makefile""")
launched("sqlite3", ["sqlite3", "db", ".read load.sql"], setup=f"""
{{ echo 'create table t (a integer primary key, b text); begin;'
i=0; while [ $i -lt {500 * MUCH} ]; do echo "insert into t (b) values (hex(randomblob($((i % 300)))));"; i=$((i + 1)); done
echo 'commit; create index i on t (b); pragma journal_mode=wal; delete from t where a % 3 = 0; vacuum; select count(*) from t;'
}} >load.sql""")
launched("python", [sys.executable, "-c", f"""
import concurrent.futures, hashlib, os, socket, subprocess, tempfile
def work(i):
    with tempfile.NamedTemporaryFile() as f:
        f.write(os.urandom(1000 * i)); f.flush()
        with open(f.name, 'rb') as g: hashlib.sha256(g.read()).hexdigest()
    with open(f'out{{i}}', 'wb') as o, open('src', 'rb') as s:
        os.sendfile(o.fileno(), s.fileno(), 0, 50000)
        os.copy_file_range(s.fileno(), o.fileno(), 7777)
        os.writev(o.fileno(), [b'a' * 100, b'b' * 200]); os.pwrite(o.fileno(), b'c' * 50, 10)
    a, b = socket.socketpair(); a.sendall(b'x' * 3000); b.recv(1000); os.read(b.fileno(), 5000)
with concurrent.futures.ThreadPoolExecutor(4) as p: list(p.map(work, range({20 * MUCH})))
subprocess.run(['sort', '--parallel=2', __file__ if '__file__' in globals() else '/etc/services'], stdout=subprocess.DEVNULL)
pid = os.fork()
if pid == 0:
    work(5); os._exit(0)
os.waitpid(pid, 0)
"""], threads=6, setup="head -c 100000 /dev/zero >src")
launched("node", ["node", "-e", f"""
const fs = require('fs'), cp = require('child_process');
for (let i = 0; i < {10 * MUCH}; i++) fs.writeFile('f' + i, Buffer.alloc(i * 1000), () => fs.readFile('f' + i, () => 0));
cp.exec('cat /etc/services | wc -l', () => 0);
"""], threads=5, env={"NODE_OPTIONS": ""})
JAVA = r"""
import java.io.*; import java.net.*; import java.nio.*; import java.nio.channels.*; import java.nio.file.*;
import java.util.*; import java.util.concurrent.*;
public class Main {
    static void work(int i) throws Exception {
        Path p = Path.of("j" + i);
        byte[] data = new byte[1000 * (i % 20 + 1)];
        Files.write(p, data); Files.readAllBytes(p);
        try (FileChannel c = FileChannel.open(p, StandardOpenOption.READ, StandardOpenOption.WRITE);
             FileChannel o = FileChannel.open(Path.of("k" + i), StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
            c.write(ByteBuffer.wrap(data), 500); c.transferTo(0, 700, o);
            c.map(FileChannel.MapMode.READ_WRITE, 0, 100).put(0, (byte) 1);
        }
        try (ServerSocket s = new ServerSocket(0, 5, InetAddress.getLoopbackAddress())) {
            Thread t = new Thread(() -> {
                try (Socket a = s.accept()) { a.getInputStream().transferTo(a.getOutputStream()); }
                catch (IOException e) { throw new RuntimeException(e); }
            });
            t.start();
            try (Socket b = new Socket(s.getInetAddress(), s.getLocalPort())) {
                b.getOutputStream().write(data, 0, 900); b.shutdownOutput();
                if (b.getInputStream().readAllBytes().length != 900) throw new IOException("short");
            }
            t.join();
        }
        if (i % 10 == 0) new ProcessBuilder("cat", "j" + i).redirectOutput(new File("c" + i)).start().waitFor();
    }
    public static void main(String[] a) throws Exception {
        ExecutorService e = Executors.newFixedThreadPool(8);
        List<Future<?>> f = new ArrayList<>();
        for (int i = 0; i < Integer.parseInt(a[0]); i++) { int n = i; f.add(e.submit(() -> { work(n); return 0; })); }
        for (Future<?> x : f) x.get();
        e.shutdown();
    }
}
"""
if tool("javac"):      # compiles it and runs it: files, sockets, threads, children
    launched("java", ["java", "-XX:TieredStopAtLevel=1", "Main.java", str(10 * MUCH)], threads=20,
             setup=f"cat >Main.java <<'END'\n{JAVA}END\n")
else:
    launched("java", ["java", "-XX:TieredStopAtLevel=1", "-version"], threads=5)
launched("bash", ["bash", "-c", f"for i in $(seq {10 * MUCH}); do cat /etc/passwd | tr a b | wc -c; done >out; read x <out; cat <<E\n$x\nE"], threads=10)
launched("cat of /dev/zero", ["dd", "if=/dev/zero", "of=/dev/null", "bs=1", f"count={20000 * MUCH}", "status=none"])


# ---- servers, from their start to their end, with all that they fork -----------------------

def served(name, argv, ready, load, threads, end=signal.SIGTERM, cwd=None, more=()):
    """Starts it under frec, waits until ready(), calls load() with its pid, ends it."""
    case = f"{tmp}/{name}.frz"
    f = start(FREC, "-q", "-o", case, *more, "--", *argv, cwd=cwd)
    if not ok(wait_until(lambda: ready() or f.poll() is not None, 30) and f.poll() is None, f"{name}: started"):
        f.kill()
        diag(f.communicate()[1])
        return
    children = open(f"/proc/{f.pid}/task/{f.pid}/children").read().split()
    pid = next(int(c) for c in children if open(f"/proc/{c}/comm").read().strip() != "frec")
    ok(load(pid), f"{name}: carried its load")
    os.kill(pid, end)
    try:
        err = f.communicate(timeout=120)[1]
        ok(f.returncode is not None, f"{name}: ended", err)
    except subprocess.TimeoutExpired:
        f.kill()
        ok(False, f"{name}: ended")
        return
    is_sealed(case, f"{name}: verifies")
    audited(name, case, threads)


def answers(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


def nginx():
    d, port = fresh("nginx"), free_port()
    os.makedirs(d + "/www")
    for n, size in ("small", 200), ("big", 300000):
        with open(f"{d}/www/{n}", "wb") as f:
            f.write(b"x" * size)
    with open(d + "/nginx.conf", "w") as f:
        f.write(f"""
daemon off; worker_processes 2; pid {d}/nginx.pid; error_log {d}/error.log;
events {{ worker_connections 256; }}
http {{ access_log {d}/access.log; sendfile on;
    client_body_temp_path {d}/b; proxy_temp_path {d}/p; fastcgi_temp_path {d}/f; uwsgi_temp_path {d}/u; scgi_temp_path {d}/s;
    server {{ listen 127.0.0.1:{port}; root {d}/www; }} }}
""")

    def load(_):
        return all(run("wrk", "-t1", "-c8", "-d2s", f"http://127.0.0.1:{port}/{n}").returncode == 0 for n in ("small", "big"))

    served("nginx", ["nginx", "-p", d, "-e", d + "/error.log", "-c", d + "/nginx.conf"], lambda: answers(port), load, 3,
           end=signal.SIGQUIT)


def redis():
    d, port = fresh("redis"), free_port()

    def load(_):
        good = run("redis-benchmark", "-p", str(port), "-n", "5000", "-c", "8", "-t", "set,get,lpush", "-q").returncode == 0
        for command in ("BGSAVE", "BGREWRITEAOF", "SAVE"):
            run("redis-cli", "-p", str(port), command)
            time.sleep(1)
        return good and os.path.exists(d + "/dump.rdb")

    served("redis", ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", d, "--save", "1 100", "--appendonly",
                     "yes", "--appendfsync", "everysec"], lambda: answers(port), load, 6)


def postgres():
    import pwd
    d, port = fresh("postgres"), free_port()
    user = pwd.getpwnam("postgres")
    os.chown(d, user.pw_uid, user.pw_gid)
    drop = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"] if os.getuid() == 0 else []
    binaries = os.path.dirname(os.path.realpath(tool("postgres")))
    initdb = tool("initdb") or binaries + "/initdb"
    r = run(*drop, initdb, "-D", d + "/data", "-A", "trust", "-U", "postgres", cwd=d, timeout=300)
    if not ok(r.returncode == 0, "postgres: initdb", r.stderr):
        return

    def load(_):
        bench = ["pgbench", "-h", "127.0.0.1", "-p", str(port), "-U", "postgres"]
        # it listens before it lets anybody in
        return wait_until(lambda: run(*bench, "-i", "-q", "-s", "1", "postgres").returncode == 0, 30, 0.5) and \
            run(*bench, "-c", "4", "-T", "3", "postgres").returncode == 0

    served("postgres", drop + [tool("postgres"), "-D", d + "/data", "-h", "127.0.0.1", "-p", str(port), "-k", d], lambda: answers(port),
           load, 8, end=signal.SIGINT, cwd=d)


for server, needed in (nginx, ["nginx", "wrk"]), (redis, ["redis-server", "redis-benchmark"]), (postgres, ["postgres", "pgbench"]):
    missing = [n for n in needed if not tool(n)]
    if not FULL or ONLY and server.__name__ not in ONLY:
        continue
    if missing:
        skip(server.__name__, missing[0] + " is not installed")
        continue
    server()

done()
