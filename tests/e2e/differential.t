#!/usr/bin/env python3
# strace as an oracle for ordinary programs: each is run under strace and under frec, with the same
# input in a folder of the same name, and makes the same calls on the same files with the same
# results. Nothing that strace's sets hold may be missing from the case, and the other way round.
# What may differ, and why, is listed below; nothing else may.
#
# FREC_FULL=1 adds the slow programs. DIFF=NAME[,NAME] runs these alone; KEEP=1 keeps the logs.
import collections
import difflib

from lib import *
import stracelog

if not tool("strace"):
    skip_all("strace is not installed")
need_ptrace()

# In none of strace's sets but recorded by default: named, so that they are compared too.
SETS = "%file,%desc,%network,%process,%memory,%creds,?umask,?prlimit64,?close_range,?ptrace,?setrlimit"

# ---- differences that are right; nothing else may differ -----------------------------------

# Identities asked for change nothing and say nothing that is not in the process's context: `other`.
ONLY_STRACE = {"geteuid", "getuid", "getgid", "getegid", "getresuid", "getresgid", "getgroups"}


def anonymous(c):
    """A mapping of no file is recorded with -e all only."""
    return c.name == "mmap" and "MAP_ANONYMOUS" in c.args[3]


# Addresses differ from run to run.
RESULT_IS_ADDRESS = {"mmap", "brk", "mremap", "shmat"}
# The result is a process: compared by its place in the tree.
RESULT_IS_PROCESS = stracelog.BIRTHS | {"wait4", "getpid", "gettid", "getppid", "set_tid_address"}
# How often and when these are called is the scheduler's, where processes race.
WAITS = {"wait4", "waitid", "poll", "ppoll", "select", "pselect6", "epoll_wait", "epoll_pwait", "brk"}
# Further down: an fd of a renamed file has the name it was opened by (same()), an execve that
# succeeded the file that was named and not the symlink to it.

OPENS = {"open", "openat", "openat2", "creat", "open_by_handle_at"}

# ---- the programs --------------------------------------------------------------------------

FILES = r"""
mkdir -p in/sub 'in/sub/with space'
i=0; while [ $i -lt 40 ]; do printf 'line %d of the text, %d\n' $i $((i * 7919 % 101)); i=$((i + 1)); done >in/text
head -c 100000 /dev/zero >in/zeros
cp in/text in/sub/other; cp in/text 'in/sub/with space/name with space'
ln -s text in/link; ln in/text in/hard
printf '#include <stdio.h>\nint main(void) { puts("x"); return 0; }\n' >in/x.c
find in -exec touch -h -d 2024-01-02T03:04:05Z {} +
"""

Program = collections.namedtuple("Program", "name argv setup full loose temp")
PROGRAMS = []


def program(name, argv, setup="", full=False, loose="", temp=()):
    """loose: what is compared when processes or threads race:
      ""        every call of a process, in order
      "order"   every call of a process, in any order, but for those that wait (WAITS)
      "files"   of all threads together which path was given to which call with which outcome
    temp: patterns of names that are random."""
    if isinstance(argv, str):
        argv = argv.split()
    PROGRAMS.append(Program(name, argv, FILES + setup, full, loose, temp))


program("cp", "cp -a in out", loose="order")    # it copies a folder in the order of inode numbers
program("mv", "mv in/text in/sub/moved")
program("rm", "rm -r in")
program("ln", "ln -s in/text in/zeros .")
program("mkdir", "mkdir -p -m 750 a/b/c")
program("tar create", "tar cf out.tar in")
program("tar extract", "tar xf out.tar -C to", "tar cf out.tar in; mkdir to")
program("gzip", "gzip -k in/text")
program("sort", "sort -n -k 6 in/text -o sorted")
program("find", ["find", "in", "-type", "f", "-size", "+1", "-newermt", "2020-01-01"])
program("grep", "grep -rn 17 in")
program("sed", ["sed", "-i", "s/line/row/", "in/text"], temp=[r"/sed[A-Za-z0-9]{6}$"])
program("awk", ["awk", "{ n += $6 } END { print n > \"sum\" }", "in/text"])
program("dd", "dd if=in/zeros of=out bs=1000 count=50 seek=3 conv=fsync status=none")
program("install", "install -m 640 -D in/text a/b/installed")
program("touch", "touch -d 2023-05-06 in/text new")
program("chmod", "chmod -R u+x,g-w in")
program("stat", "stat in/text in/link nothing")
program("ls -laR", "ls -laR in")
program("cat", "cat in/text nothing in/sub")
program("head, tail", ["bash", "-c", "tail -n 5 in/text; head -c 10 in/zeros"])
program("tee", ["tee", "-a", "out1", "out2"])
program("xargs", ["xargs", "-a", "in/text", "-n", "80", "echo"])
program("bash pipe", ["bash", "-c", "cat in/text | cat >out"], loose="order")
program("bash here-doc", ["bash", "-c", "cat <<X >out\n$HOME $(echo inner)\nX\nread a <in/text; echo $a >>out; "
                          "exec 5<>in/text 6>&5; echo x >&6; [ -f out ] && cd in && pwd; ulimit -n"],
        loose="order", temp=[r"/sh-thd\.\w+"])
program("script", ["./script"], "printf '#!/bin/sh\necho x >out\n' >script; chmod +x script")
program("python", [sys.executable, "-c", "import json, os; open('out', 'w').write(json.dumps(os.listdir('in')))"])
program("python tempfile", [sys.executable, "-c", """
import tempfile, os, shutil
with tempfile.TemporaryFile(dir='.') as f: f.write(b'x' * 10000); f.flush(); os.fsync(f)
d = tempfile.mkdtemp(dir='.'); open(d + '/x', 'w').write('y'); shutil.rmtree(d)
"""], temp=[r"/tmp[a-z0-9_]{8}\b", r"/#\d+"])
program("python subprocess", [sys.executable, "-c", """
import subprocess
print(subprocess.run(['sort', 'in/text'], stdout=subprocess.PIPE, check=True).stdout[:10])
subprocess.run('echo $((1+1)) >out', shell=True)
"""], loose="order")
program("python sqlite3", [sys.executable, "-c", """
import sqlite3
c = sqlite3.connect('db'); c.execute('create table t (a, b)')
c.executemany('insert into t values (?, ?)', [(i, 'x' * i) for i in range(300)]); c.commit()
c.execute('pragma journal_mode=wal'); c.execute('delete from t where a % 2'); c.commit(); c.close()
"""])
program("python socket", [sys.executable, "-c", """
import socket, os, array
a, b = socket.socketpair()
f = open('in/text')
socket.send_fds(a, [b'x'], [f.fileno()]); m, fds, _, _ = socket.recv_fds(b, 10, 3); os.read(fds[0], 50)
s = socket.create_server(('127.0.0.1', 0)); c = socket.create_connection(s.getsockname()); d, _ = s.accept()
c.sendall(b'hello'); d.recv(100, socket.MSG_WAITALL if 0 else 0)
u = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); u.bind('sock'); u.sendto(b'dgram', 'sock'); u.recvfrom(100)
i = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); i.bind(('::1', 0)); i.sendto(b'x', i.getsockname()); i.recvmsg(10)
"""])
program("python multiprocessing", [sys.executable, "-c", """
import multiprocessing
def f(x): return x * x
if __name__ == '__main__':
    p = multiprocessing.get_context('fork').Process(target=f, args=(3,)); p.start(); p.join()
"""], loose="order")
program("perl", ["perl", "-e", "open F, '<', 'in/text'; open O, '>', 'out'; while (<F>) { print O lc if /7/ } "
                 "close O; rename 'out', 'out2'; print `ls in`; unlink 'in/zeros'; mkdir 'd'; symlink 'x', 'y'"],
        loose="order")
PROBE = r"/\.git/t[A-Za-z0-9]{6}$"      # a symlink that git tries out
program("git init", "git init -q repo", temp=[PROBE])
GIT = "git init -q repo; cp in/text repo; cd repo; git config user.name a; git config user.email a@b; git config gc.auto 0; "
program("git add", "git -C repo add text", GIT, temp=[r"/tmp_obj_\w+"])
program("git commit", "git -C repo commit -q -m x", GIT + "git add text",
        loose="order", temp=[r"/tmp_obj_\w+"])
program("git clone", "git clone -q --no-hardlinks repo copy", GIT + "git add text; git commit -q -m x",
        loose="order", temp=[PROBE, r"/tmp_obj_\w+"])
program("gcc", "gcc -O1 -o x in/x.c", temp=[r"/cc[A-Za-z0-9]{6}\.\w+"])
program("make", "make -s", "printf 'out: in/text\n\tsort in/text >out\nall2: out\n\tcp out out2\n' >Makefile", loose="order")
program("sqlite3", ["sqlite3", "db", "create table t (a); insert into t values (1), (2); select sum(a) from t; vacuum"])
program("zstd", "zstd -q -3 --single-thread in/zeros -o zeros.zst")
program("openssl dgst", "openssl dgst -sha256 in/text in/zeros")
program("ssh-keygen", "ssh-keygen -q -t ed25519 -N x -C x -f key")
program("mandoc", "mandoc -T ascii page.1", "printf '.Dd Jan 1, 2024\n.Dt X 1\n.Os\n.Sh NAME\n.Nm x\n.Nd y\n' >page.1")
program("less", "less -F in/text")
program("diff", "diff -r in other", "cp -a in other; echo x >>other/text")
program("patch", "patch -s in/text p", "cp in/text t; sed -i 's/line 7/row 7/' t; diff -u in/text t >p || true",
        temp=[r"/text\.o\w{6}$"])
program("xz", "xz -k -T1 in/text")
program("curl", "curl -s -o out file://" + tmp + "/work/in/text", loose="order")
program("flock", ["flock", "lock", "mkfifo", "fifo"])
program("truncate", "truncate -s 50 in/text in/zeros")
program("split", "split -n 4 in/zeros part.")
program("sha256sum", "sha256sum in/text in/zeros in/sub/other")
program("du", "du -a in")
program("id", "id root")
program("strip", "strip -o x2 x", "gcc -o x in/x.c", temp=[r"/st\w{6}$"])
program("zstd threads", "zstd -q -T2 in/zeros -o zeros.zst", loose="files")
program("node", ["node", "-e", "const f = require('fs'); f.writeFileSync('out', f.readFileSync('in/text')); f.readdir('in', () => 0)"],
        full=True, loose="files")
program("java", "java -Xint -XX:+UseSerialGC -version", full=True, loose="files", temp=[r"/(\.java_pid|hsperfdata_\w+/)\d+$"])

# ---- a run and its calls -------------------------------------------------------------------

work = tmp + "/work"
ENV = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin", "HOME": work, "LC_ALL": "C.UTF-8", "TZ": "UTC0",
       "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1", "GIT_CONFIG_NOSYSTEM": "1",
       "GIT_AUTHOR_DATE": "2024-01-01T00:00:00Z", "GIT_COMMITTER_DATE": "2024-01-01T00:00:00Z"}

Row = collections.namedtuple("Row", "name fd paths result")


def prepare(p):
    subprocess.run(["chmod", "-R", "u+w", work], stderr=subprocess.DEVNULL)
    shutil.rmtree(work, ignore_errors=True)
    os.mkdir(work)
    subprocess.run(["sh", "-ec", p.setup], cwd=work, env=ENV, check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)


def plain(path, p):
    """A path as text without what differs from run to run: pids, numbers of pipes, temporary names."""
    path = re.sub(r"^(pipe|socket):\[\d+\]$", r"\1", shown(path) if isinstance(path, bytes) else path)
    path = re.sub(r"^(UNIX|UNIX-STREAM|UNIX-DGRAM|UNIX-SEQPACKET|TCP|UDP|TCPv6|UDPv6|NETLINK|ICMP):\[.*\]$", "socket", path)
    path = re.sub(r"/proc/\d+", "/proc/PID", path)
    for t in p.temp:
        path = re.sub(t, "/TEMP", path)
    return os.path.normpath(path) if path.startswith("/") else path


def result(name, value, err, key):
    if err:
        return err
    if value is None:
        return None
    if name in RESULT_IS_ADDRESS:
        return "an address"
    if name in RESULT_IS_PROCESS and value:
        return f"process {key[value]}" if value in key else "a process"
    return value


def by_strace(log, p):
    """{key of the thread: [Row]}, renames seen"""
    all_calls = stracelog.calls(log, work.encode())
    key = stracelog.family(all_calls[0].tid, [(c.tid, c.result) for c in all_calls if c.name in stracelog.BIRTHS and c.result])
    lists, renamed = {}, {}
    for c in all_calls:
        if anonymous(c):
            continue
        fds = [f for f in c.fds if f and f[0] is not None]
        paths = list(c.paths)
        if c.errno == "EBADF" and not fds and re.match(r"-?\d+$", c.args[0]):
            fds = [(int(c.args[0]) if int(c.args[0]) >= 0 else None, b"")]
        if paths and c.name in stracelog.AT and not any(f[1] in paths for f in fds):
            fds = []        # the directory's fd: in the path
        if c.result_path is not None:
            if not fds or c.name in OPENS:
                fds, paths = [(c.result, c.result_path)], []
            elif c.name not in ("fcntl", "dup", "dup2", "dup3"):
                fds.append((c.result, c.result_path))
        if c.name in ("dup2", "dup3"):
            fds = fds[:1]
        if not paths:
            paths = [f[1] for f in fds[:2] if f[1]]
        if c.name.startswith("symlink"):
            paths.append(stracelog.string(c.args[0]))
        if c.name == "execve" and c.result == 0:
            paths = [os.path.realpath(c.paths[0])]
        if c.name.startswith("rename") and c.result == 0:
            renamed[plain(c.paths[0], p)] = plain(c.paths[1], p)
        lists.setdefault(key[c.tid], []).append(
            Row(c.name, fds[0][0] if fds else None, tuple(plain(x, p) for x in paths), result(c.name, c.result, c.errno, key)))
    return lists, renamed


def by_frec(case, p):
    timeline = rows(case, "SELECT tid, syscall, fd, path, path2, ret, errno FROM timeline ORDER BY ts_ns, seq")
    key = stracelog.family(timeline[0]["tid"], [(r["tid"], r["ret"]) for r in timeline
                                                if r["syscall"] in stracelog.BIRTHS and (r["ret"] or 0) > 0])
    lists = {}
    for r in timeline:
        paths = [x for x in (r["path"], r["path2"]) if x is not None]
        lists.setdefault(key[r["tid"]], []).append(
            Row(r["syscall"], r["fd"], tuple(plain(x, p) for x in paths), result(r["syscall"], r["ret"], r["errno"], key)))
    return lists


def same(a, b, renamed):
    """Is strace's row a frec's row b?"""
    if a == b:
        return True
    return (a.name == b.name and a.result == b.result and a.fd == b.fd and
            all(x == y or renamed.get(y) == x for x, y in zip(a.paths, b.paths)) and len(a.paths) == len(b.paths))


def in_order(theirs, ours, renamed):
    problems = []
    for key in sorted(set(theirs) | set(ours)):
        t, o = theirs.get(key, []), ours.get(key, [])
        i = next((i for i, (a, b) in enumerate(zip(t, o)) if not same(a, b, renamed)), None)
        if i is None and len(t) != len(o):
            i = min(len(t), len(o))
        if i is not None:
            problems.append(f"process {key}, call {i} of {len(t)} and {len(o)}:")
            problems += [f"  strace {r}" for r in t[i:i + 3]] + [f"  frec   {r}" for r in o[i:i + 3]]
    return problems


def in_any_order(theirs, ours, renamed):
    problems = []
    for key in sorted(set(theirs) | set(ours)):
        t = collections.Counter(r for r in theirs.get(key, []) if r.name not in WAITS)
        o = collections.Counter(r for r in ours.get(key, []) if r.name not in WAITS)
        t, o = t - o, o - t
        for a in list(t):
            for b in list(o):
                n = min(t[a], o[b])
                if n and same(a, b, renamed):
                    t[a] -= n
                    o[b] -= n
        problems += [f"process {key}, only strace: {r}" for r in t.elements()]
        problems += [f"process {key}, only frec: {r}" for r in o.elements()]
    return problems


def by_file(theirs, ours, renamed):
    def outcomes(lists):
        return {(r.name, r.paths, r.result if isinstance(r.result, str) else "good") for l in lists.values() for r in l
                if r.name in stracelog.PATHS}

    t, o = outcomes(theirs), outcomes(ours)
    return [f"only strace: {x}" for x in sorted(t - o)] + [f"only frec: {x}" for x in sorted(o - t)]


COMPARE = {"": in_order, "order": in_any_order, "files": by_file}


only = os.environ.get("DIFF", "").split(",") if os.environ.get("DIFF") else None
for p in PROGRAMS:
    if only and p.name not in only:
        continue
    if p.full and not FULL and not only:
        continue
    if "/" not in p.argv[0] and not shutil.which(p.argv[0], path=ENV["PATH"]):
        diag(f"{p.name}: not tried, {p.argv[0]} is not here")
        continue
    case, log = f"{tmp}/{len(os.listdir(tmp))}.frz", tmp + "/log"
    prepare(p)
    with open("/dev/null", "r+") as null:
        a = run("strace", "-f", "-yy", "-ttt", "-xx", "-o", log, "-e", "trace=" + SETS, *p.argv, cwd=work, env=ENV,
                stdin=null, stdout=null, stderr=null).returncode
    prepare(p)
    with open("/dev/null", "r+") as null:
        b = frec("-q", "-o", case, "--", *p.argv, cwd=work, env=ENV, stdin=null, stdout=null, stderr=null).returncode
    if not is_(b, a, f"{p.name}: ends alike"):
        continue
    theirs, renamed = by_strace(log, p)
    ours = by_frec(case, p)
    theirs = {k: [r for r in v if r.name not in ONLY_STRACE] for k, v in theirs.items()}
    problems = COMPARE[p.loose](theirs, ours, renamed)
    n = sum(map(len, theirs.values()))
    ok(n and not problems, f"{p.name}: {n} calls of {len(theirs)} processes as strace has them", *problems[:40])

done()
