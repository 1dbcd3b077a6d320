#!/usr/bin/env python3
# What this machine's kernel may not do, in a virtual machine that is emulated: Debian's own kernel
# with x32 switched on, this machine's files under it. Programs for x32 and i386 and what they say of
# themselves, and the hazards of a kernel that is years older; each test as it runs here, its result there.
#
# `vm.t TEST...` runs these in it, and only these.
import glob
import shlex
import sys
sys.path.insert(0, __file__.rsplit("/", 2)[0] + "/e2e")
from lib import *

MINUTES = 40    # on a busy machine; 5 to 10 on one that is not
TESTS = sys.argv[1:] or [
    "tests/e2e/commands.t",
    "ABIS=x32 tests/e2e/account.t",
    "ABIS=x32 tests/e2e/uring.t",
    "ABIS=x32 tests/e2e/noise.t",
    # these, and execve to and from programs of each ABI
    "tests/hazards/run.t registers restart-block sa-restart all-threads-stop exec-thread vfork-signal "
    "clone-ptrace seccomp-trap int-0x80 x32-numbers surroundings end-rt",
    "modprobe -a loop ext4 dm_mod; tests/e2e/media.t broken",
]
folder = BUILD + "/vm"
MODULES = ["virtio_pci", "9pnet_virtio", "9p", "overlay"]


def apt(*command):
    r = run(*command, cwd=folder, timeout=600)
    return r if r.returncode == 0 else None


def kernel():
    """The version of Debian's kernel; it and its modules are in folder then. Nothing is installed."""
    os.makedirs(folder, exist_ok=True)
    if not glob.glob(folder + "/boot/vmlinuz-*"):
        name = lambda: (re.findall(r"Depends: (linux-image-\S+)", run("apt-cache", "depends", "linux-image-amd64").stdout) or [None])[0]
        if not name() or not apt("apt-get", "download", name()):
            apt("apt-get", "update")
            if not name() or not apt("apt-get", "download", name()):
                return None
        for package in glob.glob(folder + "/*.deb"):
            subprocess.run(["dpkg", "-x", package, folder + "/new"], check=True)
            os.unlink(package)
        for part in "lib", "boot":
            os.rename(f"{folder}/new/{part}", f"{folder}/{part}")
    version = glob.glob(folder + "/boot/vmlinuz-*")[0].partition("vmlinuz-")[2]
    if not os.path.exists(f"{folder}/lib/modules/{version}/modules.dep"):
        subprocess.run(["busybox", "depmod", "-b", folder, version], check=True)
    return version


def initramfs(version):
    """busybox, init, the modules that it takes to see the host's files."""
    top, modules = tmp + "/initramfs", f"lib/modules/{version}"
    os.makedirs(f"{top}/bin")
    shutil.copy(tool("busybox"), top + "/bin/busybox")
    shutil.copy(HERE + "/tests/vm/init", top + "/init")
    os.chmod(top + "/init", 0o755)
    with open(f"{folder}/{modules}/modules.dep") as f:
        needs = dict(line.rstrip("\n").split(":") for line in f)
    want = [m for m in needs if m.rpartition("/")[2].partition(".ko")[0].replace("-", "_") in MODULES]
    for m in want:
        want += [n for n in needs[m].split() if n not in want]
    for m in want:
        os.makedirs(os.path.dirname(f"{top}/{modules}/{m}"), exist_ok=True)
        shutil.copy(f"{folder}/{modules}/{m}", f"{top}/{modules}/{m}")
    shutil.copy(f"{folder}/{modules}/modules.dep", f"{top}/{modules}/modules.dep")
    subprocess.run("find . | busybox cpio -o -H newc | gzip -1 >../initramfs.gz", shell=True, cwd=top, check=True,
                   stderr=subprocess.DEVNULL)
    return tmp + "/initramfs.gz"


if os.uname().machine != "x86_64":
    skip_all("the machine's programs are this machine's, and x32 is of x86-64")
if not os.path.exists(BUILD + "/targets/iox32"):     # its compiler came after make had looked for it
    r = run("make", "-C", HERE, *([] if "MAKEFLAGS" in os.environ else ["BUILD=" + BUILD]), "check-programs", timeout=1200)
    ok(r.returncode == 0, "programs for x32 are built", r.stdout[-1000:], r.stderr[-1000:])
version = kernel()
if not version:
    skip_all("there is no linux-image-amd64 here")
out = fresh("out")
signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))      # the machine ends with its test
environment = {"BUILD": BUILD, "FREC": FREC, "FANALYZE": FANALYZE, "LC_ALL": "C.UTF-8", "TZ": "UTC0", "SLOW": "5",
               "PATH": "/run/frec:" + os.environ["PATH"], "HOME": "/dev/shm", "TMPDIR": "/dev/shm", "FREC_MUST_WORK": "1",
               "PYTHONDONTWRITEBYTECODE": "1"}
with open(out + "/tests", "w") as f:
    f.write("".join(f"export {k}={shlex.quote(v)}\n" for k, v in environment.items()))
    f.write(f"cd {shlex.quote(HERE)}\nmount --bind {shlex.quote(folder)}/lib/modules /lib/modules\n")
    for i, t in enumerate(TESTS):
        f.write(f"echo {shlex.quote(t)}\nsetsid sh -c {shlex.quote(t)} >/mnt/{i} 2>&1 </dev/null\necho \"# exit $?\" | tee -a /mnt/{i}\n")
    f.write("sync\necho o >/proc/sysrq-trigger\nsleep 60\n")
qemu = start("nice", "qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", "2048", "-display", "none",
             "-no-reboot", "-serial", "file:" + tmp + "/console",
             "-kernel", f"{folder}/boot/vmlinuz-{version}", "-initrd", initramfs(version),
             "-append", "console=ttyS0 quiet panic=-1 syscall.x32=y mitigations=off",
             "-virtfs", "local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap",
             "-virtfs", f"local,path={out},mount_tag=out,security_model=none", stdout=None, stderr=None)
try:
    qemu.wait(timeout=60 * MINUTES)
except subprocess.TimeoutExpired:
    qemu.kill()
with open(tmp + "/console", errors="backslashreplace") as f:
    console = f.read()
if os.environ.get("CONSOLE"):
    diag(console)
for i, t in enumerate(TESTS):
    try:
        with open(f"{out}/{i}", errors="backslashreplace") as f:
            text = f.read()
    except OSError:
        ok(False, f"{t}: ran under Linux {version}", console[-3000:])
        continue
    for good, what in re.findall(r"^(ok|not ok) \d+ - (.*)", text, re.M):
        ok(good == "ok", f"{t}: {what}")
    ok(text.endswith("# exit 0\n"), f"{t}: well under Linux {version}", text[-3000:])
done()
