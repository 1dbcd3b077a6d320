#!/usr/bin/env python3
# A command under frec at a terminal, in a shell with job control: Ctrl-C, Ctrl-Z, fg, bg, reading in
# the background. The same keys, the same screen as without frec.
import pty
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
    time.sleep(0.5 * SLOW)
    sh.keys(b"\x03")
    say(sh.expect(b"<prompt>"))
    say(sh.line("echo status $?"))


def ctrl_backslash(sh, frec, say):
    sh.line("ulimit -c 0")
    sh.keys(f"{frec}sleep 100\n".encode())
    time.sleep(0.5 * SLOW)
    sh.keys(b"\x1c")
    sh.expect(b"<prompt>")
    say(sh.line("echo status $?"))


def ctrl_z(sh, frec, say):
    sh.keys(f"{frec}cat\n".encode())
    sh.keys(b"one\n")
    say(sh.expect(b"one"))
    sh.keys(b"\x1a")
    say(sh.expect(b"<prompt>"))
    say(sh.line("jobs"))
    alive(sh, say)
    sh.keys(b"fg\n")
    sh.expect(b"cat")
    sh.keys(b"two\n")
    say(sh.expect(b"two"))
    sh.keys(b"\x1a")
    say(sh.expect(b"<prompt>"))
    sh.keys(b"fg\n")
    sh.expect(b"cat")
    sh.keys(b"three\n")
    say(sh.expect(b"three"))
    sh.keys(b"\x04")
    say(sh.expect(b"<prompt>"))
    say(sh.line("echo status $?"))


def background(sh, frec, say):
    say(sh.line(f"{frec}sh -c 'sleep 0.3; echo worked; exit 7' &"))
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
    sh.keys(f"{frec}sh -c 'sleep 1.5; echo worked'\n".encode())
    time.sleep(0.5 * SLOW)
    sh.keys(b"\x1a")
    say(sh.expect(b"<prompt>"))
    sh.line("bg")
    say(sh.line("wait %1; echo status $?"))
    alive(sh, say)


def pipeline(sh, frec, say):
    sh.keys(f"{frec}sh -c 'cat | tr a-z A-Z'\n".encode())
    time.sleep(0.5 * SLOW)
    sh.keys(b"\x1a")
    say(sh.expect(b"<prompt>"))
    sh.keys(b"fg\n")
    sh.expect(b"A-Z'")
    sh.keys(b"five\n\x04")
    say(sh.expect(b"FIVE"))
    say(sh.expect(b"<prompt>"))


def killed_job(sh, frec, say):
    say(sh.line(f"{frec}sleep 100 &"))
    time.sleep(0.5 * SLOW)
    sh.line("kill %1")
    say(sh.line("wait %1 2>/dev/null; echo status $?"))


def inner_shell(sh, frec, say):
    """A shell with job control of its own under frec."""
    sh.keys(f"PS1='<inner>' {frec}bash --norc --noprofile -i\n".encode())
    sh.expect(b"<inner>")
    sh.keys(b"sleep 100\n")
    time.sleep(0.5 * SLOW)
    sh.keys(b"\x1a")
    say(sh.expect(b"<inner>"))
    sh.keys(b"fg\n")
    sh.expect(b"sleep 100")
    time.sleep(0.3 * SLOW)
    sh.keys(b"\x03")
    say(sh.expect(b"<inner>"))
    sh.keys(b"echo inner $?\n")
    say(sh.expect(b"<inner>"))
    sh.keys(b"exit 5\n")
    sh.expect(b"<prompt>")
    say(sh.line("echo status $?"))


if not tool("bash"):
    skip_all("needs bash")
check("Ctrl-C", ctrl_c)
check("Ctrl-\\", ctrl_backslash)
check("Ctrl-Z and fg", ctrl_z)
check("in the background", background)
check("reading in the background", background_read)
check("Ctrl-Z and bg", stop_and_go)
check("a pipeline", pipeline)
check("kill %1", killed_job)
check("a shell in it", inner_shell)
done()
