"""What outlives the subject: it lives on as it would natively, or is killed when that is asked for;
and job control of `sandtape record`, which is two processes for that."""

import os
import pty
import select
import signal
import time
from contextlib import suppress

from harness import (SANDTAPE, Failed, case, expect, expect_equal, expect_same, expect_status,
                     expect_text, find_program, shell_status, wait_until)


def running(place, words):
    return [pid for pid, line in place.marked() if line.startswith(words)]


def others_files(pid):
    """What it has open besides its own; one that it closes meanwhile is none."""
    names = []
    for fd in os.listdir(f"/proc/{pid}/fd"):
        with suppress(FileNotFoundError):
            names.append(os.readlink(f"/proc/{pid}/fd/{fd}"))
    return [name for name in names if name != "/dev/null" and not name.startswith("anon_inode:")]


def end(place, pids):
    for pid in pids:
        os.kill(pid, signal.SIGTERM)
    place.check_nothing_runs()  # the keeper neither


@case("a daemon lives on")
def lives_on(place):
    argv = ["/bin/sh", "-c", "setsid sleep 300 </dev/null >/dev/null 2>&1 & "
            "sleep 0.3; uname; exit 4"]
    native = place.run(argv)
    expect_status(native, 4, "native")
    end(place, running(place, "sleep 300"))
    result = place.record(argv, "-q")
    expect_same("record", native, result)
    expect_equal("daemons", 1, len(running(place, "sleep 300")))
    keeper = running(place, SANDTAPE)
    expect_equal("keepers", 1, len(keeper))
    expect_equal("its directory", "/", os.readlink(f"/proc/{keeper[0]}/cwd"))
    # The front ends by what the keeper has told it, a moment before the keeper closes that pipe.
    wait_until(lambda: not others_files(keeper[0]), "the keeper has nothing open that is others'")
    end(place, running(place, "sleep 300"))
    units = place.units()
    expect_equal("unfinished", [["setsid", "sleep", "300"]],
                 [u["argv"] for u in units if u.get("unfinished")])
    expect_same("replay", native, place.replay(argv, "-q", hidden=False))
    place.check_nothing_runs()
    result = place.record(argv)
    expect_text(result, "1 process still ran", "lives on", "--daemons kill")
    end(place, running(place, "sleep 300"))


@case("a daemon is killed with --daemons kill")
def killed(place):
    argv = ["/bin/sh", "-c", "sleep 300 & sleep 0.1; exit 4"]
    result = place.record(argv, "--daemons", "kill")
    expect_status(result, 4)
    expect_text(result, "1 process still ran", "was ended with it")
    place.check_nothing_runs()


SERVER = """
import os, socket, subprocess, sys
s = socket.socket(socket.AF_UNIX)
s.bind("sock")
s.listen()
sys.stdout.write("listening\\n")
sys.stdout.flush()
while True:
    c, _ = s.accept()
    if c.recv(100) == b"end":
        break
    sleeper = subprocess.Popen(["sleep", "300"])
    pid = os.fork()
    if pid == 0:
        os.execvp("sh", ["sh", "-c", "exit 7"])
    sleeper.terminate()
    seen = sleeper.wait(), os.waitpid(pid, 0)[1] >> 8, subprocess.getoutput("echo heard | cat")
    c.sendall(repr(seen).encode())
    c.close()
"""


def talk(place, what):
    import socket
    here = os.getcwd()
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(10)
        # The path may be too long for an address.
        directory = os.open(place.work, os.O_RDONLY)
        try:
            s.connect(f"/proc/self/fd/{directory}/sock")
        finally:
            os.close(directory)
        s.sendall(what)
        answer = s.recv(1000)
    expect_equal("cwd", here, os.getcwd())
    return answer


@case("a server lives on: it forks, executes and kills", needs=("python3",))
def server(place):
    script = (f"nohup {find_program('python3')} server.py </dev/null >log 2>&1 &\n"
              "until read -r l <log && [ \"$l\" = listening ]; do :; done\nexit 3\n")
    # By the subject's own forks, too: nothing of it has been executed when the subject ends.
    fork = "import os\nif os.fork() == 0:\n    os.setsid()\n    " + "\n    ".join(
        ["for fd in 0, 1, 2: os.close(fd)", "os.open('/dev/null', 2)", "os.open('log', 1)",
         "os.dup(1)", "exec(open('server.py').read())", "os._exit(0)"]) + (
        "\nwhile open('log').read() != 'listening\\n': pass\nraise SystemExit(3)\n")
    for argv in (["/bin/sh", "s.sh"], [find_program("python3"), "s.py"]):
        for run in (place.run, lambda argv: place.record(argv, "-q")):
            place.fresh({"server.py": SERVER, "s.sh": script, "s.py": fork, "log": ""})
            expect_status(run(argv), 3)
            for _ in range(2):
                expect_equal("answer", b"(-15, 7, 'heard')", talk(place, b"go"))
            talk(place, b"end")
            place.check_nothing_runs()


@case("output after the end of the subject")
def late_output(place):
    for script in ("(sleep 0.5; echo late; uname; sh -c 'echo unit; exit 3'; echo $?) & echo early",
                   "sh -c 'sleep 0.5; echo late; seq 100000; echo late >&2' & sleep 0.1",
                   "sleep 0.3 | cat & (sleep 0.2; echo x | cat; sleep 9 & kill $!; wait; echo $?) & exit 3"):
        argv = ["/bin/sh", "-c", script]
        native = place.run(argv)
        expect_same("record", native, place.record(argv, "-q"))
        place.check_nothing_runs()


@case("a daemon meets the end of its reader")
def reader_gone(place):
    argv = ["/bin/sh", "-c", f"{SANDTAPE} record -q -t {place.tape} -- sh -c "
            "'sh -c \"while echo y; do sleep 0.02; done\" & sleep 0.1; exit 5' | head -n 1"]
    result = place.run(argv)
    expect_equal("stdout", b"y\n", result.out)
    place.check_nothing_runs()


@case("what was given to sandtape is held no longer than by the daemons")
def given(place):
    reading, writing = os.pipe()
    script = ("import subprocess as s\n"
              "s.Popen(['sleep', '300'], stdin=s.DEVNULL, stdout=s.DEVNULL, stderr=s.DEVNULL)")
    process = place.start([SANDTAPE, "record", "-q", "-t", place.tape, "--",
                           find_program("python3"), "-c", script], pass_fds=(writing,))
    os.close(writing)
    place.finish(process)
    expect(select.select([reading], [], [], 5)[0], "the descriptor is still open")
    os.close(reading)
    end(place, running(place, "sleep 300"))


@case("kill -9 of the recording process is told")
def worker_killed(place):
    process = place.start([SANDTAPE, "record", "-q", "-t", place.tape, "--", "/bin/sh", "-c",
                           "uname; sleep 300; :"])
    wait_until(lambda: running(place, "sleep 300"), "the unit runs")
    worker = [pid for pid in running(place, SANDTAPE) if pid != process.pid]
    expect_equal("workers", 1, len(worker))
    os.kill(worker[0], signal.SIGKILL)
    _, err = place.finish(process)
    expect_equal("status", 125, process.returncode)
    expect(b"was killed (Killed)" in err, f"stderr: {err}")
    place.check_nothing_runs()
    # What has ended is there; the other one runs a moment before it is.
    argvs = [unit["argv"] for unit in place.units()]
    expect(argvs in ([["uname"]], [["uname"], ["sleep", "300"]]), f"units: {argvs}")


@case("signals to the front reach the subject")
def signals(place):
    for sig in (signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP):
        process = place.start([SANDTAPE, "record", "-q", "-t", place.tape, "--", "/bin/sh", "-c",
                               "echo up; while :; do :; done"])
        process.stdout.readline()
        os.kill(process.pid, sig)
        place.finish(process)
        expect_equal("status", 128 + sig, shell_status(process.returncode))
        place.check_nothing_runs()


class Terminal:
    """An interactive shell on a pseudo-terminal."""

    def __init__(self, place, shell):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(place.work)
            os.execve(shell, [shell, "--norc", "--noprofile", "-i"],
                      dict(place.env(), PS1="", TERM="dumb", HISTFILE="/dev/null"))
        self.text = b""

    def send(self, text):
        os.write(self.fd, text)

    def expect(self, text, limit=20):
        end_time = time.monotonic() + limit
        while text not in self.text:
            left = end_time - time.monotonic()
            if left <= 0 or not select.select([self.fd], [], [], left)[0]:
                raise Failed(f"the terminal lacks {text}: {self.text[-300:]}")
            self.text += os.read(self.fd, 4096)
        self.text = self.text.split(text, 1)[1]

    def close(self):
        os.close(self.fd)
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


@case("Ctrl-C, Ctrl-Z, fg and the end of the terminal", needs=("bash",))
def job_control(place):
    place.fresh({"s.sh": "echo u''p; sleep 2; echo do''ne; uname; read -r l; echo \"got<$l>\"; "
                         "sleep 300; echo no\n"})
    for command in ("sh s.sh", f"{SANDTAPE} record -q -t {place.tape} -- sh s.sh"):
        terminal = Terminal(place, find_program("bash"))
        try:
            terminal.send(b"PS1=; stty -echo\n" + command.encode() + b"\n")
            terminal.expect(b"up\r\n")
            # Nothing stops while a shell is between its vfork and the exec.
            wait_until(lambda: running(place, "sleep 2"), "the first command runs")
            terminal.send(b"\x1a")
            terminal.expect(b"Stopped")
            time.sleep(0.2)
            terminal.send(b"echo status $?; jobs; fg\n")
            terminal.expect(b"status 148")
            terminal.expect(b"done\r\n" + os.uname().sysname.encode() + b"\r\n")
            terminal.send(b"line\n")
            terminal.expect(b"got<line>\r\n")
            wait_until(lambda: running(place, "sleep 300"), "the last command runs")
            terminal.send(b"\x03")
            time.sleep(0.2)
            terminal.send(b"echo status $?\n")
            terminal.expect(b"status 130")
            terminal.send(command.encode() + b"\n")
            terminal.expect(b"up\r\n")
        finally:
            terminal.close()
        place.check_nothing_runs()


@case("what has closed its stdin gets to its end", ["bash"])
def closed_stdin(place):
    place.fresh({"s.sh": "exec > >(exec sh -c 'exec <&-; sleep 0.3; exit 3')\nexit 0\n"})
    expect_status(place.record([find_program("bash"), "s.sh"], "-q"), 0, "record")
    expect_equal("ends", [3], [u["code"] for u in place.units()])
