#!/usr/bin/env python3
# A command under frec at a terminal, in a shell with job control: Ctrl-C, Ctrl-Z, fg, bg, reading in
# the background, signals for one of the job only. The same keys, the same screen as without frec.
import pty
import random
import select
import termios

from hazlib import *

need_ptrace()


class Shell:
    """An interactive bash on a terminal of its own."""

    def __init__(self):
        self.out = b""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.update(PS1="<prompt>", TERM="dumb", HISTFILE="/dev/null")
            os.execvp("bash", ["bash", "--norc", "--noprofile", "-i"])
        a = termios.tcgetattr(self.fd)
        a[3] &= ~termios.ECHO
        termios.tcsetattr(self.fd, termios.TCSANOW, a)
        self.expect(b"<prompt>")
        self.line("bind 'set enable-bracketed-paste off' 2>/dev/null; stty -echo; set +o emacs +o vi")

    def read(self):
        if select.select([self.fd], [], [], 0.05)[0]:
            try:
                self.out += os.read(self.fd, 65536)
            except OSError:
                return False
        return True

    def expect(self, what, seconds=30):
        """Everything up to and with it."""
        end = time.monotonic() + seconds * SLOW
        while what not in self.out and time.monotonic() < end:
            if not self.read():
                break
        before, found, self.out = self.out.partition(what)
        if not found:
            raise TimeoutError(f"no {what!r} in {before!r}")
        return before.decode(errors="replace") + found.decode()

    def keys(self, k):
        os.write(self.fd, k)

    def line(self, text):
        """A command, and what it shows until the next prompt."""
        self.keys(text.encode() + b"\n")
        return self.expect(b"<prompt>")

    def job(self):
        """{name: state} of the shell's jobs, frec itself left out."""
        found = {}
        for d in os.listdir("/proc"):
            try:
                name, rest = open(f"/proc/{d}/stat").read().rsplit(")", 1) if d.isdigit() else ("", "")
            except OSError:
                continue
            (state, _, pgrp, session), name = (rest.split() + [""] * 4)[:4], name.partition("(")[2]
            mine = session == str(self.pid) and pgrp != str(self.pid)
            if mine and state != "Z" and not name.startswith("frec"):
                found[name] = state
        return found

    def asleep(self, *names):
        """Waits until all of these are there and wait for something."""
        if not wait_until(lambda: all(self.job().get(n) == "S" for n in names), 30, 0.01):
            raise TimeoutError(f"{names} do not sleep: {self.job()}")

    def stop(self, first=None):
        """Ctrl-Z, and the screen up to the prompt. The shell prompts when its own child has stopped;
        another of the job that still reads the terminal would take what is typed next."""
        self.keys(b"\x1a")
        shown = self.expect(first or b"<prompt>")
        if not wait_until(lambda: set(self.job().values()) <= {"T", "t"}, 30, 0.01):
            raise TimeoutError(f"not all are stopped: {self.job()}")
        return shown

    def end(self):
        self.keys(b"exit\nexit\n")
        end = time.monotonic() + 20
        while time.monotonic() < end:
            pid, _ = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                break
            self.read()
        else:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.fd)


def played(scene, prefix):
    """What a scene shows, with frec's own words taken out."""
    sh = Shell()
    shown = []
    try:
        scene(sh, prefix, shown.append)
    except (TimeoutError, OSError) as e:
        shown.append(f"FAILED: {e}")
        kill_everything()
    else:
        sh.end()
    text = "\n".join(shown).replace(prefix, "").replace("\r", "")
    return re.sub(r"\[(\d+)\] +\d+", r"[\1] PID", text), left_over()


def check(name, scene):
    alone, trouble = played(scene, "")
    if trouble or "FAILED" in alone:
        ok(False, f"{name}: without frec", alone, trouble)
        return
    for how, options in (("behind the filter", ""), ("without filter", "--no-seccomp ")):
        case = new_case()
        got, trouble = played(scene, f"{FREC} -q {options}-o {case} -- ")
        ok(got == alone and not trouble, f"{name}: {how}", "alone:", alone, "under frec:", got, trouble)
        drop_case(case)


def alive(sh, say):
    """The shell answers, and its terminal is its own."""
    say(sh.line("echo alive"))


def ctrl_c(sh, frec, say):
    sh.keys(f"{frec}sleep 100\n".encode())
    sh.asleep("sleep")
    sh.keys(b"\x03")
    say(sh.expect(b"<prompt>"))
    say(sh.line("echo status $?"))


def ctrl_c_at_once(options):
    """Ctrl-C at any instant of frec's start, and again if it was before the command was there."""
    sh = Shell()
    for _ in range(60 if FULL else 15):
        sh.keys(f"{FREC} -q {options}-o {new_case()} -- sleep 100\n".encode())
        wait_until(lambda: children_of(sh.pid), 30, 0.001)
        time.sleep(random.random() * 0.03)
        for _ in range(20):
            sh.keys(b"\x03")
            if wait_until(lambda: not children_of(sh.pid), 2, 0.01):
                break
        else:
            ok(False, f"{options}Ctrl-C at any instant of frec's start", descendants())
            kill_everything()
            return
        sh.out = b""
    sh.end()
    # a Ctrl-C between frec's last look and the command's birth ends frec only: the command may go on alone
    for pid, (name, _) in descendants().items():
        if name == "sleep":
            os.kill(pid, signal.SIGKILL)
    is_(left_over(), "", f"{options}Ctrl-C at any instant of frec's start ends frec")


def ctrl_backslash(sh, frec, say):
    sh.line("ulimit -c 0")
    sh.keys(f"{frec}sleep 100\n".encode())
    sh.asleep("sleep")
    sh.keys(b"\x1c")
    sh.expect(b"<prompt>")
    say(sh.line("echo status $?"))


def ctrl_z(sh, frec, say):
    sh.keys(f"{frec}cat\n".encode())
    sh.keys(b"one\n")
    say(sh.expect(b"one"))
    say(sh.stop())
    say(sh.line("jobs"))
    alive(sh, say)
    sh.keys(b"fg\n")
    sh.expect(b"cat")
    sh.keys(b"two\n")
    say(sh.expect(b"two"))
    say(sh.stop())
    sh.keys(b"fg\n")
    sh.expect(b"cat")
    sh.keys(b"three\n")
    say(sh.expect(b"three"))
    sh.keys(b"\x04")
    say(sh.expect(b"<prompt>"))
    say(sh.line("echo status $?"))


def background(sh, frec, say):
    say(sh.line(f"{frec}sh -c 'cat {tmp}/fifo; echo worked; exit 7' &"))
    feed()
    say(sh.expect(b"worked"))
    sh.line("wait %1; echo status $?")
    alive(sh, say)


def background_read(sh, frec, say):
    """One that reads in the background is stopped by the terminal."""
    sh.line(f"{frec}cat &")
    wait_until(lambda: "Stopped" in sh.line("jobs"), 20, 0.1)
    say(sh.line("jobs"))
    sh.keys(b"fg\n")
    sh.expect(b"cat")
    sh.keys(b"four\n")
    say(sh.expect(b"four"))
    sh.keys(b"\x04")
    say(sh.expect(b"<prompt>"))


def stop_and_go(sh, frec, say):
    sh.keys(f"{frec}sh -c 'cat {tmp}/fifo; echo worked'\n".encode())
    sh.asleep("cat")
    say(sh.stop())
    sh.line("bg")
    feed()
    say(sh.expect(b"worked"))
    sh.line("wait %1; echo status $?")
    alive(sh, say)


def pipeline(sh, frec, say):
    sh.keys(f"{frec}sh -c 'cat | tr a-z A-Z'\n".encode())
    sh.asleep("cat", "tr")
    say(sh.stop())
    sh.keys(b"fg\n")
    sh.expect(b"A-Z'")
    sh.keys(b"five\n\x04")
    say(sh.expect(b"FIVE"))
    say(sh.expect(b"<prompt>"))


def feed():
    """Lets the one go on that opens the pipe to read."""
    def opened():
        try:
            os.close(os.open(tmp + "/fifo", os.O_WRONLY | os.O_NONBLOCK))
            return True
        except OSError:
            return False

    if not wait_until(opened, 30, 0.01):
        raise TimeoutError("nobody reads the pipe")


def killed_job(sh, frec, say):
    say(sh.line(f"{frec}sleep 100 &"))
    sh.asleep("sleep")
    say(sh.line("kill %1; wait %1 2>/dev/null; echo status $?"))


def inner_shell(sh, frec, say):
    """A shell with job control of its own under frec."""
    sh.keys(f"PS1='<inner>' {frec}bash --norc --noprofile -i\n".encode())
    sh.expect(b"<inner>")
    sh.keys(b"sleep 100\n")
    sh.asleep("sleep")
    sh.keys(b"\x1a")
    say(sh.expect(b"<inner>"))
    sh.keys(b"fg\n")
    sh.expect(b"sleep 100")
    sh.asleep("sleep")
    sh.keys(b"\x03")
    say(sh.expect(b"<inner>"))
    sh.keys(b"echo inner $?\n")
    say(sh.expect(b"<inner>"))
    sh.keys(b"exit 5\n")
    sh.expect(b"<prompt>")
    say(sh.line("echo status $?"))


def suspended_shell(sh, frec, say):
    """A shell in it that suspends itself: the outer one goes on, and fg brings it back."""
    sh.keys(f"PS1='<inner>' {frec}bash --norc --noprofile -i\n".encode())
    sh.expect(b"<inner>")
    for how in "suspend", "kill -STOP $$", "suspend":
        sh.keys(how.encode() + b"\n")
        say(sh.expect(b"<prompt>"))
        say(sh.line("jobs"))
        say(sh.line("echo outer"))
        sh.keys(b"fg\n")
        sh.expect(b" -i")
        sh.keys(b"echo inner\n")
        say(sh.expect(b"inner\r\n"))
        say(sh.expect(b"<inner>"))
    sh.keys(b"sleep 100\n")
    sh.asleep("sleep")
    sh.keys(b"\x03")
    sh.expect(b"<inner>")
    sh.keys(b"exit 5\n")
    sh.expect(b"<prompt>")
    say(sh.line("echo status $?"))


def work_until(go, then):
    """A script that says its pid in a file and works without children until another file is there."""
    return f"sh -c 'echo $$ >{tmp}/pid; while [ ! -e {tmp}/{go} ]; do :; done; {then}'"


def started(sh):
    if not wait_until(lambda: os.path.exists(tmp + "/pid") and open(tmp + "/pid").read().endswith("\n"), 30, 0.01):
        raise TimeoutError("the script does not start")
    pid = int(open(tmp + "/pid").read())
    os.unlink(tmp + "/pid")
    return pid


def let_go(name):
    open(f"{tmp}/{name}", "w").close()


def clear(*names):
    for n in names:
        if os.path.exists(f"{tmp}/{n}"):
            os.unlink(f"{tmp}/{n}")


def continued_alone(sh, frec, say):
    """SIGCONT for the command only, while the job is stopped."""
    clear("go")
    sh.keys(f"{frec}{work_until('go', 'echo worked; exit 6')}\n".encode())
    pid = started(sh)
    say(sh.stop())
    os.kill(pid, signal.SIGCONT)
    wait_until(lambda: "Running" in sh.line("jobs"), 20, 0.1)
    say(sh.line("jobs").partition("sh -c")[0])
    let_go("go")
    say(sh.expect(b"worked"))
    sh.line("wait %1; echo status $?")
    alive(sh, say)


def stopped_alone(sh, frec, say):
    """SIGSTOP for the command only, again and again, and fg."""
    clear("go")
    sh.keys(f"{frec}{work_until('go', 'exit 8')}\n".encode())
    pid = started(sh)
    for _ in range(5):
        os.kill(pid, signal.SIGSTOP)
        say(sh.expect(b"<prompt>"))
        sh.keys(b"fg\n")
        sh.expect(b"exit 8'")
        wait_until(lambda: sh.job().get("sh") == "R", 20, 0.01)
    let_go("go")
    sh.expect(b"<prompt>")
    say(sh.line("echo status $?"))


def whole_job_stopped(sh, frec, say):
    """SIGSTOP for everybody in the job, SIGCONT for the command only: it goes on."""
    clear("go")
    sh.line(f"{frec}{work_until('go', 'echo worked; exit 9')} &")
    pid = started(sh)
    sh.line("kill -STOP %1")
    wait_until(lambda: "Stopped" in sh.line("jobs"), 20, 0.1)
    os.kill(pid, signal.SIGCONT)
    let_go("go")
    say(sh.expect(b"worked"))
    sh.line("kill -CONT %1; wait %1; echo status $?")
    alive(sh, say)


def killed_stopped(sh, frec, say):
    """The command is killed while its job is stopped: the shell learns it."""
    sh.keys(f"{frec}{work_until('never', ':')}\n".encode())
    pid = started(sh)
    say(sh.stop())
    os.kill(pid, signal.SIGKILL)
    # not before the shell has been told: a death between its looking and its prompt is told there, and forgotten
    wait_until(lambda: not children_of(sh.pid), 20, 0.01)
    say(sh.line("wait %1 2>/dev/null; echo status $?"))
    alive(sh, say)


def other_session(sh, frec, say):
    """One that has left the session goes on while the job is stopped."""
    clear("go", "seen")
    other = f"setsid sh -c \"echo >{tmp}/pid; while [ ! -e {tmp}/go ]; do :; done; echo >{tmp}/seen\" & cat"
    sh.keys(f"{frec}sh -c '{other}'\n".encode())
    wait_until(lambda: os.path.exists(tmp + "/pid"), 30, 0.01)
    clear("pid")
    sh.asleep("cat")
    say(sh.stop())
    let_go("go")
    if not wait_until(lambda: os.path.exists(tmp + "/seen"), 20, 0.01):
        say("it stands still")
    sh.keys(b"fg\n")
    sh.expect(b"& cat'")
    sh.keys(b"\x04")
    say(sh.expect(b"<prompt>"))


def killed_by(name):
    def scene(sh, frec, say):
        say(sh.line(f"{frec}sh -c 'kill -{name} $$'; echo status $?"))
    return scene


if not tool("bash"):
    skip_all("needs bash")
os.mkfifo(tmp + "/fifo")
check("Ctrl-C", ctrl_c)
check("Ctrl-\\", ctrl_backslash)
check("Ctrl-Z and fg", ctrl_z)
check("in the background", background)
check("reading in the background", background_read)
check("Ctrl-Z and bg", stop_and_go)
check("a pipeline", pipeline)
check("kill %1", killed_job)
check("a shell in it", inner_shell)
check("a shell in it that suspends itself", suspended_shell)
check("SIGCONT for the command only", continued_alone)
check("SIGSTOP for the command only", stopped_alone)
check("SIGSTOP for all, SIGCONT for the command", whole_job_stopped)
check("killed while stopped", killed_stopped)
check("a child in another session", other_session)
for name in "HUP", "INT", "TERM", "KILL", "PIPE", "USR1", "ALRM":
    check(f"ends by SIG{name}", killed_by(name))

# ---- what frec itself does at a terminal ----

ctrl_c_at_once("")
ctrl_c_at_once("--no-seccomp ")


def status_lines(sh):
    sh.read()
    return len(re.findall(rb"frec: \d+:\d\d  ", sh.out))


sh = Shell()
case = new_case()
sh.keys(f"{FREC} -o {case} -- cat\n".encode())
sh.asleep("cat")
ok(wait_until(lambda: status_lines(sh) > 1, 30), "the status line is drawn in the foreground")
sh.stop(b"Stopped")
sh.expect(b"<prompt>")
sh.out = b""
time.sleep(1)
is_(status_lines(sh), 0, "and not over the prompt while the job is stopped")
sh.keys(b"fg\n")
ok(wait_until(lambda: status_lines(sh) > 1, 30), "fg: it is drawn again")
sh.keys(b"\x04")
sh.expect(b"<prompt>")
is_sealed(case, "the case is sealed")
drop_case(case)

# Ctrl-C before the command has begun: frec waits for whoever reads its checkpoints
case = new_case()
sh.keys(f"{FREC} -q --checkpoint {tmp}/fifo -o {case} -- cat\n".encode())


def recorder(mask):
    """Whether the front's child sleeps and has SIGINT in this mask of /proc/PID/status."""
    for st in (status_of(pid) for front in children_of(sh.pid) for pid in children_of(front)):
        return st["State"][0] == "S" and int(st[mask], 16) & 1 << signal.SIGINT - 1


wait_until(lambda: recorder("SigBlk"), 30, 0.01)
sh.keys(b"\x03")
ok(wait_until(lambda: recorder("ShdPnd"), 30, 0.01), "Ctrl-C before there is a command reaches the recorder")
feeder = os.open(tmp + "/fifo", os.O_RDONLY | os.O_NONBLOCK)
like(sh.expect(b"<prompt>"), "frec: cat: not started: frec was told to stop", "which starts none")
os.close(feeder)
is_([f for f in (case, case + ".tail") if os.path.exists(f)], [], "and leaves no case")

# the shell's child is killed: the recorder finishes the case
for options in "", "--no-seccomp ":
    case = new_case()
    sh.line(f"{FREC} -q {options}-o {case} -- sleep 100 &")
    sh.asleep("sleep")
    sh.line("kill -KILL $!")
    ok(wait_until(lambda: not os.path.exists(case + ".tail"), 30), f"{options}front killed: the case is closed")
    is_sealed(case, "and sealed")
    ok(sh.job().get("sleep") == "S", "the command goes on", sh.job())
    sh.line("kill $(pgrep -s 0 -x sleep)")
    ok(wait_until(lambda: not sh.job(), 20), "and ends", sh.job())
    drop_case(case)
sh.end()
is_(left_over(), "", "nothing is left")
done()
