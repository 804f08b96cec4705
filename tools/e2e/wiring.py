"""How the three streams of a program are connected: the columns of the table of subjects."""

import fcntl
import os
import pty
import socket
import subprocess
import termios
import threading

from outcome import Failed

# What a program has as its stdin, stdout and stderr. "same": the same open file as its stdout.
MODES = {
    "pipe": ("pipe", "pipe", "pipe"),
    "file": ("file", "file", "file"),
    "null": ("pipe", "null", "pipe"),
    "merged": ("pipe", "pipe", "same"),
    "shared": ("file", "file", "same"),
    "append": ("file", "append", "same"),
    "socket": ("socket", "socket", "socket"),
    "closed": ("closed", "closed", "closed"),
    "pty": ("pty", "pty", "same"),
    "full": ("pipe", "full", "pipe"),  # a disk that is full
}

LIMIT = 30  # seconds for what may still be in a pipe after its writers have ended


class Reader(threading.Thread):
    """Takes all that comes from a descriptor, which becomes its own, until the end."""

    def __init__(self, fd, wanted=None):
        super().__init__(daemon=True)
        self.fd = fd
        self.data = b""
        self.grown = threading.Condition()
        self.ended = False
        self.start()

    def run(self):
        while True:
            try:
                part = os.read(self.fd, 1 << 16)
            except OSError:  # a terminal whose other side is gone
                part = b""
            with self.grown:
                self.data += part
                self.ended = not part
                self.grown.notify_all()
            if not part:
                os.close(self.fd)
                return

    def wait_for(self, text, since, limit):
        """Where the text ends that comes after the byte `since`."""
        def found():
            return self.data.find(text, since)

        with self.grown:
            self.grown.wait_for(lambda: found() >= 0 or self.ended, limit)
            if found() < 0:
                raise Failed(f"waited in vain for {text!r} after {self.data[since:]!r}")
            return found() + len(text)

    def finish(self):
        self.join(LIMIT)
        if not self.ended:
            raise Failed(f"its output did not end within {LIMIT} s")
        return self.data


class Writer(threading.Thread):
    """Writes into a descriptor, which becomes its own, and closes it."""

    def __init__(self, fd, data):
        super().__init__(daemon=True)
        self.fd, self.data = fd, data
        self.start()

    def run(self):
        try:
            view = memoryview(self.data)
            while view:
                view = view[os.write(self.fd, view):]
        except OSError:  # nobody reads any more
            pass
        os.close(self.fd)


class Wiring:
    """The streams of one run. `stdin` is bytes, the path of a file, or None: /dev/null. On a
    terminal it is a dialogue instead: what must have come before what is typed, in pairs."""

    def __init__(self, mode, stdin, scratch):
        self.scratch = scratch  # where files of ours go
        self.files = {}  # stdout, stderr -> path
        self.readers = {}  # stdout, stderr -> Reader
        self.dialogue = []
        self.terminal = None
        self.theirs = []  # descriptors for the program: stdin, stdout, stderr; None when closed
        in_kind, out_kind, err_kind = MODES[mode]
        try:
            self.theirs.append(self.open_input(in_kind, stdin))
            self.theirs.append(self.open_output(out_kind, "stdout"))
            self.theirs.append(self.theirs[1] if err_kind == "same"
                               else self.open_output(err_kind, "stderr"))
        except BaseException:
            self.close()
            raise

    def open_terminal(self):
        master, slave = pty.openpty()
        size = bytes((24, 0, 80, 0, 0, 0, 0, 0))  # struct winsize: 24 rows, 80 columns
        fcntl.ioctl(slave, termios.TIOCSWINSZ, size)
        self.terminal = os.ttyname(slave)
        self.typing = os.dup(master)
        self.readers["stdout"] = Reader(master)
        return slave

    def open_input(self, kind, stdin):
        if kind == "closed":
            return None
        if kind == "pty":
            slave = self.open_terminal()
            if isinstance(stdin, bytes):
                stdin = [(b"", stdin + b"\x04\x04")]  # two may read to the end
                # The kernel would put the echo anywhere among the output.
                modes = termios.tcgetattr(slave)
                modes[3] &= ~termios.ECHO
                termios.tcsetattr(slave, termios.TCSANOW, modes)
            self.dialogue = stdin or []
            return slave
        if stdin is None:
            return os.open(os.devnull, os.O_RDONLY)
        if isinstance(stdin, str):
            return os.open(stdin, os.O_RDONLY)
        if kind == "file":
            path = os.path.join(self.scratch, "input")
            with open(path, "wb") as f:
                f.write(stdin)
            return os.open(path, os.O_RDONLY)
        theirs, ours = self.pair(kind)
        Writer(ours, stdin)
        return theirs

    def open_output(self, kind, name):
        if kind == "closed":
            return None
        if kind == "pty":
            return os.dup(self.theirs[0])
        if kind in ("null", "full"):
            return os.open("/dev/" + kind, os.O_WRONLY)
        if kind in ("file", "append"):
            path = self.files[name] = os.path.join(self.scratch, name)
            with open(path, "wb") as f:
                f.write(b"before\n" if kind == "append" else b"")
            return os.open(path, os.O_WRONLY | (os.O_APPEND if kind == "append" else 0))
        ours, theirs = self.pair(kind)
        self.readers[name] = Reader(ours)
        return theirs

    @staticmethod
    def pair(kind):
        """What is read from, and what is written to."""
        if kind == "pipe":
            return os.pipe()
        return [s.detach() for s in socket.socketpair()]

    def argv(self, argv):
        """The program as it must be started: by a shell where Popen cannot do it."""
        if self.terminal:  # a new session's first terminal becomes its own
            name = self.terminal
            return ["/bin/sh", "-c", f'exec "$@" <{name} >{name} 2>&1', "sh", *argv]
        if None in self.theirs:
            return ["/bin/sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *argv]
        return argv

    def popen_streams(self):
        names = ("stdin", "stdout", "stderr")
        return {n: subprocess.DEVNULL if fd is None else fd for n, fd in zip(names, self.theirs)}

    def started(self):
        """The program has its descriptors. Ours of its outputs must go, or they never end."""
        first = 0 if self.terminal else 1  # of the others, stdin is looked at in the end
        for fd in set(self.theirs[first:]) - {None}:
            os.close(fd)
        self.theirs[first:] = [None] * (3 - first)

    def talk(self, limit):
        at = 0
        for awaited, typed in self.dialogue:
            at = self.readers["stdout"].wait_for(awaited, at, limit)
            os.write(self.typing, typed)

    def left(self):
        """What is left in stdin for whoever shares it: an offset, or bytes."""
        fd = self.theirs[0]
        if fd is None or self.terminal:
            return None
        try:
            return os.lseek(fd, 0, os.SEEK_CUR)
        except OSError:
            pass
        self.theirs[0] = None
        return Reader(fd).finish()

    def outputs(self):
        """stdout, stderr: bytes, or None for what cannot be seen."""
        return [self.output("stdout"), self.output("stderr")]

    def output(self, name):
        if name in self.readers:
            return self.readers[name].finish()
        if name in self.files:
            with open(self.files[name], "rb") as f:
                return f.read()
        return None

    def close(self):
        for fd in set(self.theirs) - {None}:
            os.close(fd)
        self.theirs = []
        if self.terminal:
            os.close(self.typing)
