"""What the end-to-end tests share: a list of cases, a scratch place for each, runs with a limit.

A case is a function that gets a Place and raises Failed or Skipped. Each case has a place of its
own, so that cases can run side by side.
"""

import collections
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import uuid

# Tests get these from here.
from outcome import (Differs, Failed, Result, Skipped, expect, expect_equal,  # noqa: F401
                     expect_same, expect_status, expect_text, short)
from wiring import Wiring

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, os.environ.get("BUILD") or "build")
SANDTAPE = os.path.join(BUILD, "sandtape")
EXAMPLES = os.path.join(ROOT, "examples")
FIXTURES = os.path.join(BUILD, "fixtures")

PYTHON = os.path.realpath(sys.executable)
TIMEOUT = 30

MARK = "SANDTAPE_E2E_MARK"

# known: why a recording or a replay does otherwise than the program by itself, as far as it does.
Case = collections.namedtuple("Case", "name function needs known")
CASES = []


def add_case(name, function, needs=(), known=None):
    CASES.append(Case(name, function, tuple(needs), known))


def case(name, needs=()):
    """A decorator: adds the function to the cases."""

    def add(function):
        add_case(name, function, needs)
        return function

    return add


def find_program(name):
    """The absolute path of a program, past any shim that is a script; raises Skipped."""
    if name in ("python", "python3"):
        return PYTHON
    path = shutil.which(name)
    if not path:
        raise Skipped("there is no " + name)
    return os.path.realpath(path) if name == "node" else path


def is_closed(directory):
    try:
        os.stat(directory)
    except PermissionError:
        return True
    except OSError:
        return False
    return not os.access(directory, os.X_OK)


# Where a directory may not be searched, a program that is missing is EACCES (execvp(3)), and
# ENOENT once PATH hides it. That is the caller's PATH, and nothing to test.
SEARCHED = ":".join(directory for directory in os.environ.get("PATH", os.defpath).split(":")
                    if not is_closed(directory))


# --- Running ------------------------------------------------------------------------------------


def kill_group(process):
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


def named(process):
    return short(" ".join(map(os.fsdecode, process.args)))


def shell_status(returncode):
    return 128 - returncode if returncode < 0 else returncode


def wait_for_writers(path):
    """Until no process has the file open for writing, or its exec would fail (ETXTBSY): a child that
    another thread forked in the meantime has our descriptors until its exec. fcntl(2): a lease for
    reading is refused as long as there is a writer."""
    until = time.monotonic() + TIMEOUT
    with open(path, "rb") as f:
        while time.monotonic() < until:
            try:
                fcntl.fcntl(f, fcntl.F_SETLEASE, fcntl.F_RDLCK)
            except BlockingIOError:
                time.sleep(0.001)
                continue
            except OSError:  # this file system has no leases
                return
            fcntl.fcntl(f, fcntl.F_SETLEASE, fcntl.F_UNLCK)
            return
    raise Failed(f"{path} stays open for writing")


class Place:
    """The scratch directory of one case.

    work/   the current directory of the subject, made anew by fresh()
    home/ tmp/   $HOME and $TMPDIR: whatever is left in tmp/ fails the case
    none/   the PATH that hides all commands

    backend: that of record() and replay(), None for the default.
    within: a program with its arguments that executes sandtape.
    """

    backend = None
    within = ()

    def __init__(self, root):
        self.root = root
        self.work = os.path.join(root, "work")
        self.tape = os.path.join(root, "x.tape")
        self.home = os.path.join(root, "home")
        self.tmp = os.path.join(root, "tmp")
        self.none = os.path.join(root, "none")
        self.mark = uuid.uuid4().hex
        self.sessions = set()
        for directory in (self.home, self.tmp, self.none):
            os.makedirs(directory)
        self.fresh()

    def path(self, *parts):
        return os.path.join(self.root, *parts)

    def env(self, hidden=False, more=None):
        env = {
            "PATH": self.none if hidden else SEARCHED,
            "HOME": self.home,
            "TMPDIR": self.tmp,
            "LC_ALL": "C",
            "PYTHONDONTWRITEBYTECODE": "1",
            "SANDTAPE_EXAMPLE_DIR": os.path.join(self.work, "example"),
            MARK: self.mark,
        }
        env.update(more or {})
        return env

    def fresh(self, files=None):
        """An empty work/ with the files: name -> text, bytes, (text or bytes, mode), None for a
        directory."""
        shutil.rmtree(self.work, ignore_errors=True)
        os.makedirs(self.work)
        for name, content in (files or {}).items():
            self.write(name, content)

    def write(self, name, content):
        path = os.path.join(self.work, name)
        mode = 0o644
        if content is None:
            os.makedirs(path)
            return path
        if isinstance(content, tuple):
            content, mode = content
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            f.write(content.encode() if isinstance(content, str) else content)
        os.chmod(path, mode)
        if mode & 0o111:
            wait_for_writers(path)
        return path

    def snapshot(self, names=None):
        """Path in work/ -> content, of the named files or of all. Of what is not there, None."""
        if names is None:
            names = [os.path.relpath(os.path.join(directory, name), self.work)
                     for directory, _, files in os.walk(self.work) for name in files]
        return {name: self.content(name) for name in names}

    def content(self, name):
        path = os.path.join(self.work, name)
        if os.path.islink(path):
            return os.readlink(os.fsencode(path))
        if not os.path.isfile(path):
            return None
        with open(path, "rb") as f:
            return f.read()

    def start(self, argv, stdin=None, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=None,
              hidden=False, cwd=None, pass_fds=()):
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL if stdin is None else stdin,
            stdout=stdout,
            stderr=stderr,
            cwd=cwd or self.work,
            env=self.env(hidden, env),
            start_new_session=True,
            pass_fds=pass_fds,
        )
        self.sessions.add(process.pid)
        return process

    def finish(self, process, data=None):
        """Waits with a limit; (stdout, stderr), None for what is not a pipe."""
        try:
            return process.communicate(data, timeout=TIMEOUT)
        except subprocess.TimeoutExpired:
            kill_group(process)
            self.kill_marked()
            raise Failed(f"still ran after {TIMEOUT} s: {named(process)}") from None

    def run(self, argv, mode="pipe", stdin=None, env=None, hidden=False, cwd=None,
            patience=TIMEOUT):
        """mode: one of wiring.MODES. stdin: bytes, the name of a file, None for /dev/null, or a
        dialogue (mode "pty"). patience: seconds."""
        if isinstance(stdin, str):
            stdin = os.path.join(self.work, stdin)
        wiring = Wiring(mode, stdin, self.root)
        try:
            process = self.start(wiring.argv(argv), env=env, hidden=hidden, cwd=cwd,
                                 **wiring.popen_streams())
            wiring.started()
            try:
                wiring.talk(patience)
                process.wait(patience)
                return Result(shell_status(process.returncode), *wiring.outputs(), wiring.left())
            except subprocess.TimeoutExpired:
                raise Failed(f"still ran after {patience} s: {named(process)}") from None
            finally:
                if process.returncode is None:
                    kill_group(process)
        except Failed:
            self.kill_marked()
            raise
        finally:
            wiring.close()

    def sandtape(self, *args, **how):
        return self.run([*self.within, SANDTAPE, *args], **how)

    def backend_option(self):
        return ["--backend", self.backend] if self.backend else []

    def record(self, argv, *options, **how):
        return self.sandtape("record", "-t", self.tape, *self.backend_option(), *options, "--",
                             *argv, **how)

    def replay(self, argv, *options, **how):
        how.setdefault("hidden", True)
        return self.sandtape("replay", "-t", self.tape, *self.backend_option(), *options, "--",
                             *argv, **how)

    def record_script(self, script, *options, **how):
        """Records `sh s.sh`, which must end with status 0, and returns its argv."""
        argv = ["/bin/sh", "s.sh"]
        self.fresh({"s.sh": script})
        expect_status(self.record(argv, "-q", *options, **how), 0, "record")
        return argv

    def units(self, tape=None):
        """The records, as `tape show --json` has them."""
        shown = self.sandtape("tape", "show", "--json", tape or self.tape)
        expect_status(shown, 0, "tape show --json")
        try:
            return [json.loads(line) for line in shown.out.decode().splitlines()]
        except ValueError as e:
            raise Failed(f"tape show --json: {e}") from None

    # --- What is left behind --------------------------------------------------------------------

    def is_marked(self, pid):
        """By the mark in its environment; shims that the library starts have none."""
        with open(f"/proc/{pid}/environ", "rb") as f:
            if f"{MARK}={self.mark}".encode() in f.read().split(b"\0"):
                return True
        return (os.path.basename(os.readlink(f"/proc/{pid}/exe")) == "sandtape-shim"
                and os.getsid(int(pid)) in self.sessions)

    def marked(self):
        """The processes of this case that still run."""
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                if not self.is_marked(pid):
                    continue
                with open(f"/proc/{pid}/cmdline", "rb") as f:
                    line = f.read().replace(b"\0", b" ").decode("utf-8", "replace")
                found.append((int(pid), line))
            except OSError:
                continue
        return found

    def kill_marked(self):
        for pid, _ in self.marked():
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                pass

    def check_nothing_runs(self):
        for _ in range(100):
            left = self.marked()
            if not left:
                return
            time.sleep(0.02)
        self.kill_marked()
        raise Failed("still runs: " + "; ".join(short(line, 80) for _, line in left))

    def check_clean(self):
        self.check_nothing_runs()
        left = os.listdir(self.tmp)
        expect(not left, f"left in the temporary directory: {' '.join(left)}")


def wait_until(condition, what, limit=10):
    end = time.monotonic() + limit
    while not condition():
        if time.monotonic() > end:
            raise Failed("waited in vain until " + what)
        time.sleep(0.02)
