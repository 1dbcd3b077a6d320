#!/usr/bin/env python3
# The medium fails while frec records: it fills up, is limited, turns read-only, gives I/O errors, is
# unmounted; the folder is moved or deleted, memory runs out. Each time frec says so at once in one line
# and ends with 1, the target lives on untraced, unpinned and at full speed, and what had returned to
# it before is in the case, if need be after --recover. Mounting takes a right that not everybody has.
# `media.t NAME...` does these only.
import atexit
import fcntl
import resource
import select

from counting import *

need_ptrace()
OWN = os.sched_getaffinity(0)
EXT4_IOC_SHUTDOWN = 0x8004587D


def cannot(name, why):
    """Like skip(), also where everything else must work: no kernel has it all."""
    diag(f"{name}: not tried: {why}")


def rate(p, file):
    """Calls in a second of the target's own CPU time, which a busy machine does not change much."""
    def now():
        ns = 0
        for tid in counters(file):
            with open(f"/proc/{p.pid}/task/{tid}/schedstat") as f:
                ns += int(f.read().split()[0])
        return sum(counters(file).values()), ns

    calls, ns = now()
    wait_until(lambda: now()[1] > ns + 50_000_000)
    after, end = now()
    return (after - calls) * 1e9 / max(end - ns, 1)


class Recording:
    """A counting target that is recorded to `case` until something happens to the medium."""

    def __init__(self, name, case, *options):
        self.name, self.case = name, case
        self.target, self.file = counting(name.replace(" ", "-"), 2)
        self.frec = attach([self.target.pid], case, "-q", *options)
        all_traced(self.frec, self.file)
        before = counters(self.file)
        wait_until(lambda: all(n > before[t] + 1000 for t, n in counters(self.file).items()))
        self.traced = rate(self.target, self.file)

    def size(self):
        return os.path.getsize(self.case)

    def wait_for_block(self, more=1):
        """Until the case has grown."""
        was = self.size()
        wait_until(lambda: self.size() > was + more, 15)

    def fails(self, happen, says, within, synced=False):
        """What is to happen makes frec end with 1 and one line. synced: what was committed a moment
        before can be lost, as when the power fails."""
        self.at_least = counters(self.file)
        if synced:
            time.sleep(2.5)
        happen()
        begin = time.monotonic()
        try:
            out, err = self.frec.communicate(timeout=30 * SLOW)
        except subprocess.TimeoutExpired:
            self.frec.kill()
            out, err = self.frec.communicate()
        took = time.monotonic() - begin
        is_(self.frec.returncode, 1, f"{self.name}: frec ends with 1")
        diag(err.strip())
        like(err, rf"\Afrec: [^\n]*{says}[^\n]*\n\Z", "  and one line says why")
        ok(took < within * SLOW, f"  after {took:.1f} s", f"expected: {within} s")
        self.lives_on()

    def lives_on(self):
        ok(alive(self.target, self.file), "  the target lives on")
        now = rate(self.target, self.file)
        ok(now > 5 * self.traced, f"  at full speed: {now:,.0f} calls in a second of its CPU, traced {self.traced:,.0f}")
        ok(wait_until(lambda: all(os.sched_getaffinity(int(t)) == OWN for t in os.listdir(f"/proc/{self.target.pid}/task"))),
           "  unpinned")
        self.target.kill()
        self.target.wait()

    def holds(self, case=None):
        """The case, or a copy elsewhere, is finished and has everything."""
        case = case or self.case
        r = frec("--recover", case)
        is_(r.returncode, 0, f"  it is recovered: {r.stderr.strip()}")
        if os.stat(case).st_dev != os.stat(tmp).st_dev:     # there may be no room for a database
            case = shutil.copy(case, f"{tmp}/{self.name.replace(' ', '-')}.frz")
        is_sealed(case, "  and whole")
        problems = holes(case, self.at_least)
        ok(not problems, "  with every call before it happened", *problems)


# ---- without any right ----

def limited():
    r = Recording("RLIMIT_FSIZE", f"{fresh('fsize')}/c.frz")
    r.wait_for_block()
    r.fails(lambda: resource.prlimit(r.frec.pid, resource.RLIMIT_FSIZE, (r.size() + 100,) * 2),
            r"c\.frz: cannot be written: File too large; .*c\.frz\.tail.*frec --recover", 8)
    r.holds()


def deleted():
    r = Recording("the folder is deleted", f"{fresh('deleted')}/c.frz")
    r.fails(lambda: shutil.rmtree(f"{tmp}/deleted"), r"c\.frz: was deleted", 3)


def cut():
    r = Recording("the case is cut", f"{fresh('cut')}/c.frz")
    r.wait_for_block()
    r.fails(lambda: os.truncate(r.case, 1000), r"c\.frz: was changed by another while it was written", 3)
    ok(os.path.exists(r.case + ".tail"), "  the tail is kept")


def added_to():
    def happen():
        with open(r.case, "ab") as f:
            f.write(b"one line more\n")

    r = Recording("the case is added to", f"{fresh('added')}/c.frz")
    r.wait_for_block()
    r.fails(happen, r"c\.frz: was changed by another while it was written: it has \d+ bytes, and \d+ were", 3)
    is_(fanalyze(r.case, "--verify").returncode, 1, "  and the case is damaged")


def tail_deleted():
    r = Recording("the tail is deleted", f"{fresh('tail-deleted')}/c.frz")
    r.fails(lambda: os.unlink(r.case + ".tail"), r"c\.frz\.tail: was deleted", 3)
    r.holds()


def tail_overwritten():
    """By zeros, in the middle of what is committed."""
    r = Recording("the tail is overwritten", f"{fresh('overwritten')}/c.frz")
    r.wait_for_block()

    def happen():
        with open(r.case + ".tail", "r+b") as f:
            f.seek(4096)
            f.write(bytes(os.path.getsize(r.case + ".tail") - 4096))

    r.fails(happen, r"c\.frz\.tail: records in it were destroyed", 10)
    is_sealed(r.case, "  what is left is whole")
    n = one(r.case, "SELECT COUNT(*) FROM timeline")
    lost = one(r.case, "SELECT SUM(count) FROM coverage WHERE what = 'events lost'")
    ok(n > 100 and lost and lost > 100, f"  {n} events, and it says that {lost} are lost")


def moved():
    r = Recording("the folder is moved", f"{fresh('moved')}/c.frz")
    r.at_least = counters(r.file)
    os.rename(f"{tmp}/moved", f"{tmp}/elsewhere")
    line = r.frec.stderr.readline()
    like(line, r"\Afrec: .*c\.frz: has no longer that name", "the folder is moved: it is said, ")
    ok(r.frec.poll() is None, "  recording goes on")
    r.at_least = counters(r.file)
    code, out, err = stop(r.frec)
    is_(code, 1, "  at the end frec ends with 1")
    like(err, r"\Afrec: [^\n]*c\.frz: is sealed, but has no longer that name[^\n]*\n\Z", "  and says why")
    r.lives_on()
    is_(os.listdir(f"{tmp}/elsewhere"), ["c.frz"], "  the case is there, the tail is gone")
    r.holds(f"{tmp}/elsewhere/c.frz")


# ---- with the right to mount ----

mounted = []


def unmount_all():
    for d in reversed(mounted):
        run("umount", "-l", d)


atexit.register(unmount_all)


def mount(name, *args):
    """A medium mounted in a folder of this name; None after saying why not."""
    d = fresh(name)
    r = run("mount", *args, d)
    if r.returncode:
        cannot(name, "it cannot be mounted: " + r.stderr.strip())
        return None
    mounted.append(d)
    return d


def unmount(d):
    run("umount", d)
    mounted.remove(d)


def ext4(name, mib=16):
    image = f"{tmp}/{name}.img"
    if not tool("mkfs.ext4"):
        return cannot(name, "no mkfs.ext4")
    with open(image, "wb") as f:
        f.truncate(mib << 20)
    r = run("mkfs.ext4", "-q", "-m", "0", "-O", "^has_journal" if "bare" in name else "has_journal", image)
    if r.returncode:
        return cannot(name, r.stderr.strip())
    return mount(name, "-o", "loop", image)


def fill(d, leave=0):
    """All of a medium but so many bytes."""
    with open(d + "/ballast", "wb", buffering=0) as f:
        try:
            while f.write(b"x" * 65536) == 65536:
                pass
            while f.write(b"x" * 512) == 512:
                pass
        except OSError:
            pass
        f.truncate(max(0, f.tell() - leave))
        os.fsync(f.fileno())


def full(name, d):
    if not d:
        return
    r = Recording(name, d + "/c.frz")
    r.wait_for_block()
    r.fails(lambda: fill(d), r"c\.frz: cannot be written( to its medium)?: No space left on device; .*c\.frz\.tail.*frec --recover", 10)
    ok(os.path.exists(r.case + ".tail"), "  the tail is kept")
    is_(fanalyze(r.case, "--verify", "--db", f"{tmp}/{name}.sqlite").returncode, 3, "  the case is intact, not sealed")
    before = open(r.case, "rb").read()
    fill(d + "/.")
    x = frec("--recover", r.case)
    is_(x.returncode, 1, "  recovery on the full disk fails")
    like(x.stderr, "no room", "  and says so")
    ok(open(r.case, "rb").read() == before and os.path.exists(r.case + ".tail"), "  and changes nothing")
    os.unlink(d + "/ballast")
    r.holds()
    unmount(d)


def read_only():
    """As after an error that the file system met."""
    d = ext4("read-only")
    if not d:
        return
    r = Recording("read-only", d + "/c.frz")
    r.fails(lambda: run("mount", "-o", "remount,abort", d), r"c\.frz(\.tail)?: .*(Read-only file system|Input/output error|read-only)", 10, synced=True)
    unmount(d)
    mount("read-only-again", "-o", "loop", f"{tmp}/read-only.img")
    r.holds(f"{tmp}/read-only-again/c.frz")
    unmount(f"{tmp}/read-only-again")


def shut_down():
    """The medium is gone: nothing more can be written or read."""
    d = ext4("gone")
    if not d:
        return
    r = Recording("gone", d + "/c.frz")
    fd = os.open(d, os.O_RDONLY)
    r.fails(lambda: fcntl.ioctl(fd, EXT4_IOC_SHUTDOWN, (2).to_bytes(4, "little")), r"c\.frz(\.tail)?: .*(Input/output error|Read-only file system)", 10, synced=True)
    os.close(fd)
    unmount(d)
    mount("gone-again", "-o", "loop", f"{tmp}/gone.img")
    r.holds(f"{tmp}/gone-again/c.frz")


def io_errors():
    """A block device that became smaller than its file system: what lies beyond gives EIO."""
    d = ext4("io-errors", 64)
    if not d:
        return
    image = f"{tmp}/io-errors.img"
    loop = run("losetup", "-j", image).stdout.split(":")[0]
    with open(d + "/first", "wb") as f:     # so that the case lies behind it
        f.write(b"x" * (40 << 20))
        os.fsync(f.fileno())
    r = Recording("io-errors", d + "/c.frz")
    size = os.path.getsize(image)

    def happen():
        os.truncate(image, 8 << 20)
        run("losetup", "-c", loop)

    r.fails(happen, r"c\.frz(\.tail)?: .*(Input/output error|Read-only file system)", 10)
    unmount(d)


def broken():
    """From one moment on nothing of the device can be read or written: device-mapper's error target."""
    name, image, sectors = f"frec-test-{os.getpid()}", f"{tmp}/broken.img", 64 << 11
    os.environ["DM_DISABLE_UDEV"] = "1"
    if not tool("dmsetup") or run("dmsetup", "targets").returncode:
        return cannot("broken", "no device-mapper")
    with open(image, "wb") as f:
        f.truncate(sectors * 512)
    loop = run("losetup", "-f", "--show", image).stdout.strip()
    atexit.register(run, "losetup", "-d", loop)
    good = f"0 {sectors} linear {loop} 0"

    def becomes(table):
        for step in ["load", "--table", table], ["suspend", "--noflush", "--nolockfs"], ["resume"]:
            subprocess.run(["dmsetup", step[0], name, *step[1:]], check=True)

    if run("mkfs.ext4", "-q", loop).returncode or run("dmsetup", "create", name, "--table", good).returncode:
        return cannot("broken", "no ext4, no device")
    atexit.register(run, "dmsetup", "remove", "--retry", name)
    d = mount("broken", "/dev/mapper/" + name)
    r = Recording("broken", d + "/c.frz")
    r.fails(lambda: becomes(f"0 {sectors} error"), r"c\.frz(\.tail)?: .*(Input/output error|Read-only file system)", 10, synced=True)
    unmount(d)
    becomes(good)
    d = mount("broken-again", "/dev/mapper/" + name)
    r.holds(d + "/c.frz")
    unmount(d)


def unmounted():
    """umount -l while it is written: the medium can be taken out when frec has ended."""
    d = ext4("unmounted")
    if not d:
        return
    r = Recording("unmounted", d + "/c.frz")
    run("umount", "-l", d)
    mounted.remove(d)
    like(r.frec.stderr.readline(), r"\Afrec: .*c\.frz: has no longer that name", "the medium is unmounted: it is said")
    ok(r.frec.poll() is None, "  recording goes on")
    r.at_least = counters(r.file)
    code, out, err = stop(r.frec)
    is_(code, 1, "  at the end frec ends with 1")
    like(err, r"\Afrec: [^\n]*c\.frz: is sealed, but has no longer that name[^\n]*\n\Z", "  and says why")
    r.lives_on()
    is_(os.listdir(d), [], "  nothing was written where it had been mounted")
    if ok(wait_until(lambda: not run("losetup", "-j", f"{tmp}/unmounted.img").stdout), "  the medium is free"):
        mount("mounted-again", "-o", "loop", f"{tmp}/unmounted.img")
        is_(sorted(os.listdir(f"{tmp}/mounted-again")), ["c.frz", "lost+found"], "  the case is on it, the tail is gone")
        r.holds(f"{tmp}/mounted-again/c.frz")
        unmount(f"{tmp}/mounted-again")


def frozen():
    """A file system that takes no write for a while, as when a snapshot is made."""
    d = ext4("frozen") if tool("fsfreeze") else cannot("frozen", "no fsfreeze")
    if not d:
        return
    r = Recording("frozen", d + "/c.frz")
    if run("fsfreeze", "-f", d).returncode:
        return cannot("frozen", "it cannot be frozen")
    began = time.monotonic()
    said = select.select([r.frec.stderr], [], [], 10 * SLOW)[0]
    took = time.monotonic() - began
    run("fsfreeze", "-u", d)
    like(r.frec.stderr.readline() if said else "", r"\Afrec: .*c\.frz: its medium has not taken a write for 2000 ms", "a medium that hangs: it is said")
    diag(f"after {took:.1f} s")
    before = counters(r.file)
    ok(wait_until(lambda: all(n > before[t] for t, n in counters(r.file).items())), "  it is thawed, and recording goes on")
    r.at_least = counters(r.file)
    code, out, err = stop(r.frec)
    is_((code, err), (0, ""), "  to its end")
    r.lives_on()
    r.holds()
    unmount(d)


# ---- quota ----

def quota():
    """A limit on what may be written, on a medium that has room."""
    if not tool("mkfs.btrfs"):
        return cannot("quota", "no mkfs.btrfs, and no other file system has quota in every kernel")
    image = f"{tmp}/quota.img"
    with open(image, "wb") as f:
        f.truncate(256 << 20)
    x = run("mkfs.btrfs", "-q", image)
    d = mount("quota", "-o", "loop", image) if x.returncode == 0 else cannot("quota", x.stderr)
    if not d:
        return
    run("btrfs", "quota", "enable", d)
    r = Recording("quota", d + "/c.frz")
    r.fails(lambda: run("btrfs", "qgroup", "limit", "4500K", "0/5", d), r"c\.frz(\.tail)?: cannot be written( to its medium)?: Disk quota exceeded", 20)
    x = frec("--recover", r.case)
    is_(x.returncode, 1, "  recovery fails")
    like(x.stderr, "no room.*Disk quota exceeded", "  and says so")
    run("btrfs", "qgroup", "limit", "none", "0/5", d)
    r.holds()
    unmount(d)


# ---- a command that frec started ----

def launched():
    """Behind its filter the command needs a tracer: frec stays until it ends."""
    case = f"{fresh('launched')}/c.frz"
    file = f"{tmp}/launched.counters"
    f = start(FREC, "-o", case, "--", f"{BUILD}/targets/counter", file, "2")
    wait_until(lambda: os.path.exists(file) and len(counters(file)) == 2 and os.path.getsize(case) > 2000, 20)
    at_least = counters(file)
    command = next(int(p) for p in os.listdir("/proc") if p.isdigit() and read(f"/proc/{p}/comm") == "counter\n" and file in read(f"/proc/{p}/cmdline"))
    recorder = tracer_of(command)
    resource.prlimit(recorder, resource.RLIMIT_FSIZE, (os.path.getsize(case) + 100,) * 2)
    lines = [f.stderr.readline() for _ in range(3)]
    like("".join(lines), r"cannot be written: File too large", "a launched command, and the case cannot be written: it is said")
    before = counters(file)
    ok(wait_until(lambda: all(n > before[t] + 1000 for t, n in counters(file).items())), "  the command goes on")
    ok(f.poll() is None and tracer_of(command) == recorder, "  frec stays with it")
    os.kill(command, signal.SIGTERM)
    f.communicate(timeout=20)
    is_(f.returncode, 1, "  and ends with 1 when it ends")
    x = frec("--recover", case)
    is_(x.returncode, 0, f"  the case is recovered: {x.stderr.strip()}")
    problems = holes(case, at_least)
    ok(not problems, "  with every call before it happened", *problems)


def read(path):
    try:
        with open(path, errors="replace") as f:
            return f.read()
    except OSError:
        return ""


def memory():
    """No more memory than it has: what it needs only now, to compress the first segment, is not to be had."""
    r = Recording("RLIMIT_AS", f"{fresh('memory')}/c.frz")
    vm = int(re.search(r"VmSize:\s*(\d+)", read(f"/proc/{r.frec.pid}/status")).group(1)) * 1024
    resource.prlimit(r.frec.pid, resource.RLIMIT_AS, (vm, vm))
    r.at_least = counters(r.file)
    if wait_until(lambda: r.frec.poll() is not None, 6):
        out, err = r.frec.communicate()
        is_(r.frec.returncode, 1, "no memory: frec ends with 1")
        like(err, r"\Afrec: [^\n]*c\.frz: cannot be written: out of memory; [^\n]*--recover[^\n]*\n\Z", "  and one line says why")
    else:       # it had compressed before
        is_(stop(r.frec)[0], 0, "no more memory: frec goes on with what it has")
    r.lives_on()
    r.holds()


def full_tmpfs():
    full("tmpfs", mount("tmpfs", "-t", "tmpfs", "-o", "size=16m", "tmpfs"))


def full_ext4():
    full("ext4", ext4("ext4"))


for test in (limited, deleted, cut, added_to, tail_deleted, tail_overwritten, moved, memory, launched, full_tmpfs, full_ext4,
             read_only, shut_down, io_errors, broken, unmounted, frozen, quota):
    if test.__name__ in sys.argv[1:] or not sys.argv[1:]:
        test()
done()
