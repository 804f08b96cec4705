"""What the end-to-end tests share: a list of cases, a scratch place for each, runs with a limit.

A case is a function that gets a Place and raises Failed or Skipped. Each case has a place of its
own, so that cases can run side by side.
"""

import collections
import difflib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import uuid

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, os.environ.get("BUILD") or "build")
SANDTAPE = os.path.join(BUILD, "sandtape")
EXAMPLES = os.path.join(ROOT, "examples")
FIXTURES = os.path.join(BUILD, "fixtures")

PYTHON = os.path.realpath(sys.executable)
TIMEOUT = 30

MARK = "SANDTAPE_E2E_MARK"


class Failed(Exception):
    """The message is one line: what differed."""


class Skipped(Exception):
    """The message says what is missing."""


Case = collections.namedtuple("Case", "name function needs")
CASES = []

# status as a shell has it: 128+n for a signal. out is None when stdout was /dev/null.
Result = collections.namedtuple("Result", "status out err")


def add_case(name, function, needs=()):
    CASES.append(Case(name, function, tuple(needs)))


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


# --- Judging ------------------------------------------------------------------------------------


def short(text, most=160):
    if isinstance(text, bytes):
        text = text.decode("utf-8", "backslashreplace")
    text = text.rstrip("\n").replace("\n", "\\n")
    return text if len(text) <= most else text[: most - 4] + " ..."


def first_difference(want, got):
    """One line on how two byte strings differ."""
    if len(want) + len(got) > 200000:
        same = zip(want, got)
        at = next((i for i, (a, b) in enumerate(same) if a != b), min(len(want), len(got)))
        return f"{len(want)} bytes wanted, {len(got)} came; they differ from byte {at} on"
    lines = difflib.unified_diff(
        want.decode("utf-8", "backslashreplace").splitlines(),
        got.decode("utf-8", "backslashreplace").splitlines(),
        lineterm="",
        n=0,
    )
    changes = [short(line, 90) for line in list(lines)[2:] if not line.startswith("@@")]
    return " | ".join(changes[:6]) or "only the line ends differ"


def expect(condition, message):
    if not condition:
        raise Failed(short(message, 600))


def expect_equal(what, want, got):
    if want == got:
        return
    if isinstance(want, bytes) and isinstance(got, bytes):
        raise Failed(f"{what}: {first_difference(want, got)}")
    raise Failed(f"{what}: wanted {short(repr(want))}, got {short(repr(got))}")


def expect_same(what, want, got):
    """Two results are alike in status, stdout and stderr."""
    if want.status != got.status:
        raise Failed(f"{what}: wanted status {want.status}, got {got.status}; "
                     f"stderr: {short(got.err)}")
    if want.out is not None:
        expect_equal(what + ": stdout", want.out, got.out)
    expect_equal(what + ": stderr", want.err, got.err)


def expect_status(result, status, what="status"):
    expect(result.status == status,
           f"{what}: wanted {status}, got {result.status}; stderr: {short(result.err, 300)}")


def expect_text(result, *texts):
    """stderr has each of the texts."""
    for text in texts:
        expect(text.encode() in result.err,
               f"stderr lacks {text!r}: {short(result.err, 400)}")


# --- Running ------------------------------------------------------------------------------------


def kill_group(process):
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


def shell_status(returncode):
    return 128 - returncode if returncode < 0 else returncode


class Place:
    """The scratch directory of one case.

    work/   the current directory of the subject, made anew by fresh()
    home/ tmp/   $HOME and $TMPDIR: whatever is left in tmp/ fails the case
    none/   the PATH that hides all commands
    """

    def __init__(self, root):
        self.root = root
        self.work = os.path.join(root, "work")
        self.tape = os.path.join(root, "x.tape")
        self.home = os.path.join(root, "home")
        self.tmp = os.path.join(root, "tmp")
        self.none = os.path.join(root, "none")
        self.mark = uuid.uuid4().hex
        for directory in (self.home, self.tmp, self.none):
            os.makedirs(directory)
        self.fresh()

    def path(self, *parts):
        return os.path.join(self.root, *parts)

    def env(self, hidden=False, more=None):
        env = {
            "PATH": self.none if hidden else os.environ.get("PATH", os.defpath),
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
        return path

    def start(self, argv, stdin=None, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=None,
              hidden=False, cwd=None, pass_fds=()):
        return subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL if stdin is None else stdin,
            stdout=stdout,
            stderr=stderr,
            cwd=cwd or self.work,
            env=self.env(hidden, env),
            start_new_session=True,
            pass_fds=pass_fds,
        )

    def finish(self, process, data=None):
        """Waits with a limit; (stdout, stderr), None for what is not a pipe."""
        try:
            return process.communicate(data, timeout=TIMEOUT)
        except subprocess.TimeoutExpired:
            kill_group(process)
            self.kill_marked()
            raise Failed(f"still ran after {TIMEOUT} s: "
                         f"{short(' '.join(map(os.fsdecode, process.args)))}") from None

    def run(self, argv, mode="pipe", stdin=None, **how):
        """mode: where stdout goes: pipe, file, null, or merged (both streams into one pipe).
        stdin: bytes for a pipe, the name of a file, or None for /dev/null."""
        output = self.path("output")
        opened = []
        if mode == "file":
            opened.append(open(output, "wb"))
            how["stdout"] = opened[0]
        elif mode == "null":
            how["stdout"] = subprocess.DEVNULL
        elif mode == "merged":
            how["stderr"] = subprocess.STDOUT
        if isinstance(stdin, str):
            opened.append(open(os.path.join(self.work, stdin), "rb"))
            how["stdin"] = opened[-1]
        elif stdin is not None:
            how["stdin"] = subprocess.PIPE
        try:
            process = self.start(argv, **how)
            out, err = self.finish(process, stdin if isinstance(stdin, bytes) else None)
        finally:
            for f in opened:
                f.close()
        if mode == "file":
            with open(output, "rb") as f:
                out = f.read()
        return Result(shell_status(process.returncode), out, err or b"")

    def sandtape(self, *args, **how):
        return self.run([SANDTAPE, *args], **how)

    def record(self, argv, *options, **how):
        return self.sandtape("record", "-t", self.tape, *options, "--", *argv, **how)

    def replay(self, argv, *options, **how):
        how.setdefault("hidden", True)
        return self.sandtape("replay", "-t", self.tape, *options, "--", *argv, **how)

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

    def marked(self):
        """The processes that still run with the mark of this case in their environment."""
        wanted = f"{MARK}={self.mark}".encode()
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/environ", "rb") as f:
                    if wanted not in f.read().split(b"\0"):
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
