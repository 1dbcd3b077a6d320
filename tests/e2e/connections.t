#!/usr/bin/env python3
# Sockets: family, type, addresses and direction as the target itself was told them by the kernel,
# for sockets opened before frec attached and after, in a network namespace of the target's own.
from lib import *

need_ptrace()

TARGET = r"""
import ctypes, fcntl, json, os, socket, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
if libc.unshare(0x40000000):        # CLONE_NEWNET
    print("unshare: " + os.strerror(ctypes.get_errno()), flush=True)
    sys.exit(77)
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
fcntl.ioctl(s, 0x8914, struct.pack("16sh14x", b"lo", 0x1 | 0x40))       # SIOCSIFFLAGS: up, running
s.close()
opened = []

def text(a):
    if isinstance(a, tuple) and len(a) >= 2:
        return "[%s]:%d" % (a[0], a[1]) if ":" in str(a[0]) else "%s:%d" % (a[0], a[1])
    if isinstance(a, bytes):
        return "@" + a[1:].decode() if a[:1] == b"\0" else a.decode()
    return "unnamed" if a == "" else a

def note(s, direction, **more):
    '''What is expected of connections for this fd.'''
    row = {"fd": s.fileno(), "family": s.family.name[3:].lower(), "direction": direction, "local": None, "remote": None}
    for key, ask in ("local", s.getsockname), ("remote", s.getpeername):
        try:
            row[key] = more[key] if key in more else text(ask())
        except OSError:
            pass
    row["read"], row["written"] = 0, 0
    opened.append(row)
    return row

def world(tag):
    '''Every family once; the fds stay open.'''
    keep = []
    # TCP over IPv4 and IPv6
    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        l = socket.socket(family, socket.SOCK_STREAM); l.bind((host, 0)); l.listen(5)
        c = socket.socket(family, socket.SOCK_STREAM); c.connect(l.getsockname())
        a, _ = l.accept()
        keep += [l, c, a]
        yield note(l, "listen"), None, None
        yield note(c, "out" if tag == "after" else None), c, a      # else nobody knows
        yield note(a, "in"), a, c
        # a connect that goes on when the call has returned
        c = socket.socket(family, socket.SOCK_STREAM); c.setblocking(False)
        c.connect_ex(l.getsockname())
        keep.append(c)
        note(c, "out" if tag == "after" else None)
    # UDP: bound, connected; and one that never bound itself
    u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.bind(("127.0.0.1", 0))
    v = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); v.connect(u.getsockname())
    w = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); w.sendto(b"first", u.getsockname()); u.recv(10)
    keep += [u, v, w]
    r = note(u, None)
    yield note(v, "out" if tag == "after" else None), v, u
    n = note(w, None); n["written"] = 5 if tag == "after" else 0; r["read"] = 5 if tag == "after" else 0
    n["remote"] = text(u.getsockname()) if tag == "after" else None     # where it sent to, connected or not
    yield n, None, None
    # unix: a path, an abstract name, a pair
    for name in (tag + ".sock", "\0abstract-" + tag):
        l = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM); l.bind(name); l.listen(5)
        c = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM); c.connect(name)
        a, _ = l.accept()
        keep += [l, c, a]
        yield note(l, "listen"), None, None
        yield note(c, "out"), c, a
        yield note(a, "in"), a, c
    a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    keep += [a, b]
    yield note(a, None), a, b
    yield note(b, None), b, a
    # the kernel's own
    n = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0); n.bind((0, 0))
    keep.append(n)
    note(n, None, local="netlink:%d" % n.getsockname()[0], remote="netlink:0")
    try:
        p = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0x0300)    # ETH_P_ALL
        keep.append(p)
        note(p, None, remote=None, local="packet:if0:0x3")
    except OSError as e:
        print("# packet:", e, file=sys.stderr)
    try:
        l = socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM); l.bind((socket.VMADDR_CID_ANY, 5000 + len(tag)))
        l.listen(1)
        keep.append(l)
        note(l, "listen", remote=None, local="vsock:%d:%d" % l.getsockname())
    except (OSError, AttributeError) as e:
        print("# vsock:", e, file=sys.stderr)
    world.keep += keep

world.keep = []
os.chdir(sys.argv[1])
pairs = list(world("before")) if sys.argv[2] == "before" else []
if sys.argv[2] == "before":
    print("ready", flush=True)
    sys.stdin.readline()
else:
    pairs = list(world("after"))
byfd = {r["fd"]: r for r in opened}
n = 0
for row, s, peer in pairs:
    if not s:
        continue
    n += 1
    size = 1000 + n
    how = n % 3
    if how == 0:
        s.sendall(b"x" * size)
    elif how == 1:
        os.write(s.fileno(), b"x" * size)
    else:
        s.sendmsg([b"x" * (size - 1), b"y"])
    got = 0
    while got < size:
        got += len(peer.recv(5000)) if how else len(os.read(peer.fileno(), 5000))
    byfd[s.fileno()]["written"] += size
    byfd[peer.fileno()]["read"] += size
json.dump(opened, open(sys.argv[2] + ".json", "w"))
os._exit(0)
"""

folder = fresh("work")
with open(tmp + "/target.py", "w") as f:
    f.write(TARGET)


def check(name, case):
    is_sealed(case, f"{name}: verifies")
    with open(f"{folder}/{name}.json") as f:
        want = json.load(f)
    got = rows(case, "SELECT * FROM connections ORDER BY opened")
    by_fd = {}
    for r in got:
        by_fd.setdefault(r["fd"], []).append(r)
    for w in want:
        r = by_fd.get(w["fd"], [{}])[-1]
        what = f"{name}: {w['family']} fd {w['fd']} {w['direction'] or ''}"
        g = {k: r.get(k) for k in ("family", "direction", "local", "remote")}
        g["read"], g["written"] = r.get("bytes_read"), r.get("bytes_written")
        is_(g, {k: w[k] for k in g}, what)
    return want


case = tmp + "/after.frz"
r = frec("-q", "-o", case, "--", sys.executable, tmp + "/target.py", folder, "after")
if r.returncode == 77:
    skip_all("no network namespace of one's own here: " + r.stdout.strip())
is_(r.returncode, 0, "after: the target ended well") or diag(r.stderr)
check("after", case)

case = tmp + "/before.frz"
p = start(sys.executable, tmp + "/target.py", folder, "before", stdin=subprocess.PIPE)
is_(p.stdout.readline(), "ready\n", "before: its sockets are open")
f = attach([p.pid], case, "-q")
p.stdin.write("\n")
p.stdin.flush()
p.wait(30)
f.communicate(timeout=30)
check("before", case)

# many datagrams by one call: each address that its messages went to or came from
MANY = r"""
import ctypes, json, socket
libc = ctypes.CDLL(None, use_errno=True)
class Iov(ctypes.Structure): _fields_ = [("base", ctypes.c_char_p), ("len", ctypes.c_size_t)]
class Msg(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("namelen", ctypes.c_uint32), ("iov", ctypes.POINTER(Iov)), ("iovlen", ctypes.c_size_t),
                ("control", ctypes.c_void_p), ("controllen", ctypes.c_size_t), ("flags", ctypes.c_int)]
class Many(ctypes.Structure): _fields_ = [("m", Msg), ("len", ctypes.c_uint32)]
def udp():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("127.0.0.1", 0)); return s
def packed(port): return socket.AF_INET.to_bytes(2, "little") + port.to_bytes(2, "big") + bytes([127, 0, 0, 1]) + bytes(8)
def many(n, names, room):
    a = (Many * n)(); keep = []
    for i in range(n):
        b = ctypes.create_string_buffer(names[i], room); v = Iov(b"x" * 10, 10); keep += [b, v]
        a[i].m = Msg(ctypes.cast(b, ctypes.c_char_p), room, ctypes.pointer(v), 1, None, 0, 0)
    return a, keep
to = [udp() for _ in range(3)]; me = udp()
port = lambda s: s.getsockname()[1]
order = [0, 0, 1, 2, 1]
a, keep = many(5, [packed(port(to[i])) for i in order], 16)
assert libc.sendmmsg(me.fileno(), a, 5, 0) == 5
for s in (to[0], to[2], to[2], to[1]): s.sendto(b"hello", me.getsockname())
b, keep = many(4, [b""] * 4, 16)
assert libc.recvmmsg(me.fileno(), b, 4, 0, None) == 4
c, keep = many(70, [packed(port(to[i % 2])) for i in range(70)], 16)
assert libc.sendmmsg(me.fileno(), c, 70, 0) == 70
print(json.dumps([port(s) for s in to]))
"""
with open(tmp + "/many.py", "w") as f:
    f.write(MANY)
case = tmp + "/many.frz"
r = frec("-q", "-o", case, "--", sys.executable, tmp + "/many.py")
is_(r.returncode, 0, "many: the target ended well") or diag(r.stderr)
is_sealed(case, "many: verifies")
a, b, c = ("127.0.0.1:%d" % p for p in json.loads(r.stdout))
sent, received, more = (r["detail"].split() for r in rows(case, "SELECT detail FROM timeline WHERE syscall LIKE '%mmsg' ORDER BY seq"))
is_(sent, [a, b, c, b, "vlen=5"], "many: whom sendmmsg's messages went to, without repetition")
is_(received, [a, c, b, "vlen=4"], "many: whom recvmmsg's came from")
is_((more[:32], more[32:]), ([a, b] * 16, ["vlen=70", "cut(msgs)"]), "many: beyond 32 changes of address the row is marked as cut")

# messages to and from several: a row for each other side, which add up to what the fd moved
got = [(r["remote"], r["bytes_read"], r["bytes_written"])
       for r in rows(case, "SELECT * FROM connections WHERE bytes_written >= 750 ORDER BY opened, remote")]
is_(got, [(None, 20, 750)], "many: two messages in a row for one are not ascribed by guess")
PEERS = r"""
import ctypes, json, os, socket
exec(open(__file__.replace("peers", "udp")).read())
to = [udp() for _ in range(4)]; me = udp(); A, B, C, D = (s.getsockname() for s in to)
sums = {}
def add(who, read, written):
    s = sums.setdefault(who and "%s:%d" % who, [0, 0]); s[0] += read; s[1] += written
add(A, 0, me.sendto(b"x" * 10, A))
add(B, 0, me.sendto(b"x" * 20, B))
to[1].sendto(b"y" * 5, me.getsockname()); add(B, len(me.recvfrom(99)[0]), 0)
to[0].sendto(b"y" * 7, me.getsockname()); add(None, len(os.read(me.fileno(), 99)), 0)
a, keep = many(3, [packed(s[1]) for s in (A, B, A)], 16)
assert libc.sendmmsg(me.fileno(), a, 3, 0) == 3
add(A, 0, 20); add(B, 0, 10)
a, keep = many(2, [packed(C[1])] * 2, 16)
assert libc.sendmmsg(me.fileno(), a, 2, 0) == 2
add(C, 0, 20)
me.connect(A); add(A, 0, me.send(b"z" * 3))
add(B, 0, me.sendto(b"z" * 4, B))
me.connect(D); add(D, 0, me.send(b"z" * 6))
two = udp(); two.connect(A); two.send(b"!"); two.connect(B); two.send(b"??")
other = {"%s:%d" % A: [0, 1], "%s:%d" % B: [0, 2]}
plain = udp(); plain.sendto(b"x" * 9, A)
os.mkdir("s"); l = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); l.bind("s/log")
u = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); u.sendto(b"x" * 8, "s/log"); l.recvfrom(99)
t = socket.socket(); t.bind(("127.0.0.1", 0)); t.listen(1)
o = socket.socket(); o.connect(t.getsockname()); i, _ = t.accept()
libc.sendto(o.fileno(), b"x" * 11, 11, 0, packed(9), 16); i.recvfrom(99)      # an address that TCP does not look at
print(json.dumps({me.fileno(): sums, two.fileno(): other, plain.fileno(): {"%s:%d" % A: [0, 9]},
    u.fileno(): {"s/log": [0, 8]}, l.fileno(): {None: [8, 0]},
    o.fileno(): {"%s:%d" % t.getsockname(): [0, 11]}, i.fileno(): {"%s:%d" % o.getsockname(): [11, 0]}}))
"""
with open(tmp + "/udp.py", "w") as f:
    f.write(MANY[:MANY.index("to = [")])
with open(tmp + "/peers.py", "w") as f:
    f.write(PEERS)
case = tmp + "/peers.frz"
r = frec("-q", "-o", case, "--", sys.executable, tmp + "/peers.py", cwd=fresh("peers"))
is_(r.returncode, 0, "peers: the target ended well") or diag(r.stderr)
for fd, want in json.loads(r.stdout).items():
    got = {}
    for c in rows(case, f"SELECT * FROM connections WHERE fd = {fd}"):
        key = str(c["remote"]) if c["remote"] is None else c["remote"]
        if key in got:
            diag(f"fd {fd}: {key} twice")
        got[key] = [c["bytes_read"], c["bytes_written"]]
    is_(got, {("None" if k == "null" else k): v for k, v in want.items()}, f"peers: fd {fd} by its own account")
    sums = rows(case, f"SELECT sum(bytes_read) AS r, sum(bytes_written) AS w FROM fd_bytes WHERE fd = {fd}")[0]
    is_([sums["r"], sums["w"]], [sum(v[0] for v in got.values()), sum(v[1] for v in got.values())], f"peers: fd {fd} adds up")

# who made a connection made it under all its numbers, and so did those who were given them
HANDED = r"""
import os, socket
l = socket.create_server(("127.0.0.1", 0))
c = socket.create_connection(l.getsockname()); a, _ = l.accept()
os.dup2(c.fileno(), 50); os.dup2(a.fileno(), 51)
if os.fork() == 0:
    os.write(50, b"out"); os.write(51, b"in"); os._exit(0)
os.wait(); os.write(50, b"out"); os.write(51, b"in")
"""
case = tmp + "/handed.frz"
is_(frec("-q", "-o", case, "--", sys.executable, "-c", HANDED).returncode, 0, "handed on: recorded")
got = rows(case, "SELECT fd, direction, bytes_written AS n FROM connections WHERE fd >= 50 ORDER BY fd, opened IS NULL")
is_([tuple(r.values()) for r in got], [(50, "out", 3)] * 2 + [(51, "in", 2)] * 2, "handed on: a duplicate and a child's have its direction")
done()
