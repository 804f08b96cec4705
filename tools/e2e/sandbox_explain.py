"""`sandtape run --explain`: what it tells of each denial is right, and what it says would allow it
does; what is no denial is told as none; the program does what it does without."""

import json
import os
import re
import shlex
import signal
import subprocess
from contextlib import ExitStack
from dataclasses import dataclass, field

from harness import (SANDTAPE, Skipped, add_case, case, expect, expect_equal, expect_status,
                     expect_text, short)
from sandbox import IS_ROOT, KEEP_MARK, Work, add_works, inside, outside_tmp, script_argv
from sandbox_denials import (BIND, CONNECT, UDP, UNIX, Denial, attempt, expect_done, fill, is_errno,
                             listen, outsiders)

MEMBERS = {"mechanism", "evidence", "call", "arguments", "what", "errno", "signal", "why", "option",
           "policy", "count", "pid", "process"}


def read_report(path):
    with open(path, encoding="utf-8") as f:
        report = json.load(f)
    for denial in report.get("denials", ()):
        expect_equal("members", MEMBERS, set(denial))
        expect(denial["count"] > 0 and denial["why"], str(denial))
    return report


def explain(place, argv, *options, **how):
    """The result, and the denials of the report."""
    path = os.path.join(getattr(place, "far", place.root), "report.json")
    result = inside(place, argv, "-q", "--explain", "--report", path, *options, **how)
    report = read_report(path)
    expect("error" not in report, f"not started: {report.get('error')}")
    expect(report["denials_known"] is True, "denials_known")
    return result, report["denials"]


def is_as_told(denial, told):
    """`told`: what members are, or one of several, by a bar; None: null."""
    return all(denial[name] is None if want is None else str(denial[name]) in want.split("|")
               for name, want in told.items())


def brief(denials):
    names = ("mechanism", "evidence", "call", "arguments", "what", "errno", "signal", "option")
    return "; ".join(" ".join(str(d[name]) for name in names) for d in denials)


# --- Denials --------------------------------------------------------------------------------------


@dataclass
class Told(Denial):
    """What the report must have of it. Its option is applied, and that of what is denied then, until
    the act succeeds."""

    told: dict = field(default_factory=dict)
    option: bool = True  # there is one
    steps: int = 1  # so many options
    policy: dict = field(default_factory=dict)  # besides the default one


def told(mechanism, call, what=None, error="EACCES", evidence="observed", sig=None):
    wanted = {"mechanism": mechanism, "evidence": evidence, "call": call, "errno": error,
              "signal": sig}
    return {**wanted, "what": what} if what else wanted


def try_explained(place, row, *options):
    """What the act came to, and the denials."""
    found = []

    def run(argv):
        result, denials = explain(place, argv, *options, mode=row.mode)
        found.extend(denials)
        return result

    return attempt(place, row, run), found


def allow(place, row, options, wanted, denial):
    """By the options that are named, one after the other."""
    for step in range(row.steps):
        options += shlex.split(denial["option"])
        answer, found = try_explained(place, row, *options)
        left = [d for d in found if is_as_told(d, wanted)]
        expect(not left, f"with {options}: {brief(left)}")
        if not is_errno(answer) or step + 1 == row.steps:
            break
        denial = next((d for d in found if d["option"]), None)
        expect(denial, f"with {options}: {answer}, and nothing allows it: {brief(found)}")
    expect_done(row, answer, f"with {shlex.join(options)}")


def merge(policy, more):
    """As a JSON merge patch (RFC 7386), but that nothing is removed."""
    for key, value in more.items():
        if isinstance(value, dict):
            merge(policy.setdefault(key, {}), value)
        else:
            policy[key] = value


def write_policy(place, *parts):
    """The options that make use of it."""
    policy = {"version": 1}
    for part in parts:
        merge(policy, part)
    path = os.path.join(place.far, "policy.json")
    with open(path, "w", encoding="utf-8") as f:
        json.dump(policy, f)
    return ["--policy", path]


def allow_by_policy(place, row, options, wanted, more):
    policy = write_policy(place, row.policy, more)
    answer, found = try_explained(place, row, *policy, *options)
    left = [d for d in found if is_as_told(d, wanted)]
    expect(not left, f"with {more}: {brief(left)}")
    if row.steps == 1:
        expect_done(row, answer, f"with {more}")


def check_told(place, row):
    with ExitStack() as stack:
        stack.enter_context(outside_tmp(place))
        place.ports = listen(stack), listen(stack)
        outsiders(place, stack)
        expect_done(row, attempt(place, row, lambda argv: place.run(argv, mode=row.mode)),
                    "outside")
        options = [fill(o, place) for o in row.options]
        if row.policy:
            options += write_policy(place, row.policy)
        wanted = {name: want and fill(want, place) for name, want in row.told.items()}
        answer, found = try_explained(place, row, *options)
        expect(answer in row.denied.split("|"), f"inside: wanted {row.denied}, got {answer}")
        denials = [d for d in found if is_as_told(d, wanted)]
        expect(len(denials) == 1, f"wanted {wanted}, told of {brief(found) or 'nothing'}")
        expect_equal("option", row.option, denials[0]["option"] is not None)
        if row.option:
            allow(place, row, list(options), wanted, denials[0])
        if denials[0]["policy"]:
            allow_by_policy(place, row, options, wanted, denials[0]["policy"])


LANDLOCK, SECCOMP, RLIMITS = "landlock-fs", "seccomp", "rlimits"

FILE_ROWS = [
    Told("a file is read", "read('@HOME/secret')", want="secret",
         told=told(LANDLOCK, "openat", "@HOME/secret")),
    Told("a file is read by a link in the workspace", "read('link')", want="secret",
         before="os.symlink('@HOME/secret', 'link')",
         told=told(LANDLOCK, "openat", "@HOME/secret")),
    Told("a file is read by a name with ..", "read('../home/d/f')", want="home",
         told=told(LANDLOCK, "openat", "@HOME/d/f")),
    Told("a directory is listed", "'secret' in os.listdir('@HOME')", want="True",
         told=told(LANDLOCK, "openat", "@HOME")),
    Told("a file is written", "write('@HOME/secret')",
         told={**told(LANDLOCK, "openat", "@HOME/secret"), "option": "--write @HOME/secret"}),
    Told("a file is made", "write('@FAR/new')", undo="rm -f @FAR/new",
         told=told(LANDLOCK, "openat", "@FAR/new")),
    Told("a file is truncated", "os.truncate('@HOME/secret', 0)",
         told=told(LANDLOCK, "truncate", "@HOME/secret")),
    Told("a file is removed", "os.unlink('@HOME/secret')",
         told=told(LANDLOCK, "unlink", "@HOME/secret")),
    Told("a directory is made", "os.mkdir('@HOME/n')", undo="rmdir @HOME/n",
         told=told(LANDLOCK, "mkdir", "@HOME/n")),
    Told("a directory is removed", "os.rmdir('@HOME/e')", files={"../home/e": None},
         undo="rm -rf @HOME/e", told=told(LANDLOCK, "rmdir", "@HOME/e")),
    Told("a program is executed", "subprocess.run(['@HOME/d/p']).returncode", want="0",
         files={"../home/d/p": ("#!/bin/sh\nexit 0\n", 0o755)},
         told=told(LANDLOCK, "execve", "@HOME/d/p")),
    Told("a read-only file is written", "os.close(os.open('@HOME/secret', os.O_WRONLY))",
         options=("--read-only", "@HOME"),
         told=told("landlock-fs|namespaces", "openat", "@HOME/secret", "EACCES|EROFS"),
         denied="EACCES|EROFS"),
    Told("a denied file of the workspace is read", "read('in')", options=("--deny", "@WORK/in"),
         told=told("landlock-fs|namespaces", "openat", "@WORK/in",
                   evidence="observed|inferred"), option=False),
    Told("a file of the host's /tmp is read", "read('@TMP/file')", "ENOENT|EACCES", want="tmp",
         told=told("namespaces|landlock-fs", "openat", "@TMP/file", "ENOENT|EACCES",
                   "inferred|observed")),
    Told("a password is read", "read('/etc/shadow')[:0]", root=True,
         told=told("landlock-fs|namespaces", "openat", "/etc/shadow")),
]

NET_ROWS = [
    Told("a socket", CONNECT, want="b'x'", steps=2,
         told=told(SECCOMP, "socket", evidence="kernel", error="EACCES|EPERM")),
    Told("TCP to another port", CONNECT, options=("--tcp-connect", "@OTHER"), want="b'x'",
         told=told("landlock-net", "connect", "127.0.0.1:@PORT")),
    Told("TCP on another port", BIND.replace(", 0)", ", 4711)"), options=("--tcp-bind", "@PORT"),
         told=told("landlock-net", "bind", "127.0.0.1:4711")),
    Told("UDP where TCP is allowed", UDP, denied="EACCES|EPERM", want="1",
         policy={"net": {"mode": "tcp", "tcp_connect": [443]}},
         told=told(SECCOMP, "socket", evidence="kernel", error="EACCES|EPERM"), option=False),
    Told("a unix socket in /tmp", UNIX % "'@TMP/sock'", "ENOENT|EACCES",
         told=told("namespaces|landlock-fs", "connect", "@TMP/sock", "ENOENT|EACCES",
                   "inferred|observed"), option=False),
    Told("an abstract unix socket", UNIX % "chr(0) + '@ABSTRACT'", "EPERM|ECONNREFUSED",
         told=told("landlock-scope", "connect", error="EPERM"), option=False),
]


def call_row(name, call, args, want, group, denied="EPERM|ENOSYS", **more):
    return Told("the call " + name, f"call({args})", denied, want=want,
                told={**told(SECCOMP, call, evidence="kernel", error=denied),
                      "option": "--allow " + group}, **more)


CALL_ROWS = [
    call_row("keyctl", "keyctl", "250, 9999", "ENOTSUP", "keyrings"),
    call_row("ptrace", "ptrace", "101, 0x4206, 999999999, 0, 0", "ESRCH", "debug"),
    call_row("kcmp", "kcmp", "312, os.getpid(), os.getpid(), 0, 0, 0", "done", "debug"),
    call_row("setns", "setns", "308, -1, 0", "EBADF", "namespaces"),
    call_row("umount2", "umount2", "166, None, 0", "EFAULT", "mount"),
    call_row("personality", "personality", "135, 0x0400000", "done", "personality"),
    call_row("clock_settime", "clock_settime", "227, 0, None", "EFAULT", "clock"),
    call_row("shmget", "shmget", "29, 0, 0, 0", "EINVAL", "ipc"),
    call_row("chmod, to set-user-ID", "chmod", "90, None, 0o4755", "EFAULT", "setid"),
]

PROCESS_ROWS = [
    Told("a signal to a process outside", "os.kill(@PID, signal.SIGCONT)", "EPERM",
         policy={"namespaces": {"pid": "off"}},
         told=told("landlock-scope", "kill", evidence="observed|inferred", error="EPERM")),
    Told("a device is made", "os.mknod('dev', 0o020600, os.makedev(1, 3))", "EPERM|EACCES",
         root=True, told=told(LANDLOCK, "mknod|mknodat", "@WORK/dev"), option=False),
    Told("a file is given to another user", "os.chown('in', 1, 1)", "EPERM|EINVAL", root=True,
         told=told("capabilities|namespaces", "chown|fchownat", "@WORK/in", "EPERM|EINVAL"),
         option=False),
]

for prefix, rows in (("files", FILE_ROWS), ("network", NET_ROWS), ("calls", CALL_ROWS),
                     ("processes", PROCESS_ROWS)):
    for r in (row for row in rows if IS_ROOT or not row.root):
        add_case(f"run: explain: {prefix}: {r.name}", lambda place, row=r: check_told(place, row))


# --- Limits, and ends ------------------------------------------------------------------------------


@dataclass
class Over:
    """A program that comes to a limit: what is told of it, and that it is not told with what its
    option gives it."""

    name: str
    options: tuple
    told: dict
    py: str
    status: tuple = (0,)


OVERS = [
    Over("open files", ("--files", "40"), told(RLIMITS, "openat", error="EMFILE"), """
try:
    for _ in range(60):
        os.open("/dev/null", 0)
except OSError:
    print("EMFILE")
"""),
    Over("processes", ("--procs", "10"),
         told("rlimits|cgroup", "clone|clone3|vfork|fork", error="EAGAIN",
              evidence="observed|inferred"), """
started = []
try:
    for _ in range(15):
        started.append(subprocess.Popen(["sleep", "20"]))
except BlockingIOError:
    print("EAGAIN")
for p in started:
    p.kill()
for p in started:
    p.wait()
"""),
    Over("memory of a process", ("--mem", "200M", "--strictness", "cgroup=off"),
         told(RLIMITS, "mmap|brk", error="ENOMEM"), """
try:
    x = bytearray(300 << 20)
except MemoryError:
    print("MemoryError")
"""),
    Over("memory", ("--mem", "200M"), {"mechanism": "rlimits|cgroup"}, """
try:
    x = bytearray(300 << 20)
except MemoryError:
    print("MemoryError")
""", status=(0, 128 + signal.SIGKILL)),
    Over("the size of a file, by a signal that is ignored", ("--fsize", "1M"),
         {"mechanism": RLIMITS, "signal": "SIGXFSZ"}, """
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
try:
    with open("big", "wb", 0) as f:
        for _ in range(3):
            f.write(bytes(1 << 20))
except OSError:
    print("EFBIG")
"""),
    Over("the size of a file, by a signal", ("--fsize", "1M"),
         {"mechanism": RLIMITS, "signal": "SIGXFSZ"}, """
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
with open("big", "wb", 0) as f:
    for _ in range(3):
        f.write(bytes(1 << 20))
""", status=(128 + signal.SIGXFSZ,)),
    Over("processor time", ("--cpu", "1s"), {"mechanism": RLIMITS, "signal": "SIGXCPU"},
         "while time.process_time() < 1.5:\n    pass\n", status=(128 + signal.SIGXCPU,)),
    Over("a call that kills", ("--policy", "kill.json"),
         {"mechanism": SECCOMP, "evidence": "kernel", "call": "kcmp", "signal": "SIGSYS"},
         "call(312, os.getpid(), os.getpid(), 0, 0, 0)\n", status=(128 + signal.SIGSYS,)),
    Over("a call that traps", ("--policy", "trap.json"),
         {"mechanism": SECCOMP, "evidence": "kernel", "call": "kcmp", "signal": "SIGSYS"},
         "call(312, os.getpid(), os.getpid(), 0, 0, 0)\n", status=(128 + signal.SIGSYS,)),
]

POLICIES = {f"{kind}.json": json.dumps({"version": 1, "syscalls": {"debug": kind}})
            for kind in ("kill", "trap")}


def check_over(place, row):
    place.fresh(POLICIES)
    argv = script_argv(place, None, row.py)
    wanted = {name: want and want.replace("@WORK", place.work) for name, want in row.told.items()}
    result, found = explain(place, argv, *row.options)
    expect(result.status in row.status, f"status {result.status}: {short(result.err)}")
    denials = [d for d in found if is_as_told(d, wanted)]
    expect(denials, f"wanted {wanted}, told of {brief(found) or 'nothing'}")
    expect(denials[0]["option"], "no option allows it")
    for _ in range(4):  # as much again, and again
        more = shlex.split(denials[0]["option"])
        place.fresh(POLICIES)
        argv = script_argv(place, None, row.py)
        result, found = explain(place, argv, *row.options, *more)
        if not found:
            break
        denials = found
    expect_status(result, 0, f"with {more}")
    expect_equal(f"with {more}", "", brief(found))


for r in OVERS:
    add_case(f"run: explain: {r.name}", lambda place, row=r: check_over(place, row))


@case("run: explain: without it the report has what the end tells, and says so")
def plain_report(place):
    place.fresh({})
    argv = script_argv(place, None, "while time.process_time() < 1.5:\n    pass\n")
    inside(place, argv, "--cpu", "1s", "--report", "r.json")
    report = read_report(os.path.join(place.work, "r.json"))
    expect_equal("denials_known", False, report["denials_known"])
    expect_equal("signals", ["SIGXCPU"], [d["signal"] for d in report["denials"]])
    expect_equal("evidence", ["inferred"], [d["evidence"] for d in report["denials"]])
    inside(place, ["/bin/sh", "-c", "cat /etc/none; exit 3"], "--report", "r.json")
    report = read_report(os.path.join(place.work, "r.json"))
    expect_equal("denials", ([], 0, False), (report["denials"], report["denials_more"],
                                             report["denials_known"]))


# --- What is none ----------------------------------------------------------------------------------

USER = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]


def explain_as_user(place, script, *options, setup=":"):
    """The result, and the denials, of a Python script that an ordinary user runs in place.work."""
    tool, report = os.path.join(place.far, "sandtape"), os.path.join(place.far, "out", "r.json")
    # By a program of its own: what other threads start would have it open for writing.
    subprocess.run(["cp", SANDTAPE, tool], check=True)
    os.makedirs(os.path.dirname(report), exist_ok=True)
    argv = script_argv(place, None, script)
    for path in (place.far, place.work, place.home, os.path.dirname(report)):
        os.chmod(path, 0o777)
    how = [*(USER if IS_ROOT else []), "/bin/sh", "-c", setup + '; exec "$@"', "sh", tool, "run", "-q",
           *KEEP_MARK, "--explain", "--report", report, *options, "--", *argv]
    result = place.run(how)
    expect(os.path.exists(report), f"no report: {result.status} {short(result.err)}")
    return result, read_report(report)["denials"]


# What an ordinary user cannot do: (Python, what tell() prints).
USERS_OWN = {
    "a file whose mode forbids it is read":
        ("os.chmod('f', 0); tell('act', lambda: read('f'))", "EACCES"),
    "a file in a directory whose mode forbids it":
        ("os.mkdir('d', 0o600); tell('act', lambda: write('d/f'))", "EACCES"),
    "a file of a directory that cannot be written":
        ("os.mkdir('d', 0o500); tell('act', lambda: write('d/f'))", "EACCES"),
    "a file that is not executable": ("tell('act', lambda: os.execv('./f', ['f']))", "EACCES"),
    "another's file gets a mode": ("tell('act', lambda: os.chmod('/etc/passwd', 0o777))",
                                   "EPERM|EROFS"),
    "another's file gets an owner": ("tell('act', lambda: os.chown('/etc/passwd', 65534, 65534))",
                                     "EPERM|EROFS"),
    "another's file is written": ("tell('act', lambda: write('/etc/passwd'))", "EACCES|EROFS"),
    "a file is made in a directory of the system":
        ("tell('act', lambda: write('/usr/sandtape-e2e'))", "EACCES|EROFS"),
    "a password": ("tell('act', lambda: read('/etc/shadow'))", "EACCES"),
    "a file that is not there": ("tell('act', lambda: read('none'))", "ENOENT"),
    "a file that is not there, elsewhere": ("tell('act', lambda: read('/var/tmp/none/none'))",
                                            "ENOENT"),
    "a process that is not there": ("tell('act', lambda: os.kill(99999999, 15))", "ESRCH"),
    "the own limit of open files": ("""
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (20, 20))
tell('act', lambda: [os.open('/dev/null', 0) for _ in range(30)])
""", "EMFILE"),
    "the own limit of a file's size": ("""
import resource
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (5, 5))
tell('act', lambda: os.write(os.open('g', 0o102), b'123456789') and os.write(3, b'x'))
""", "EFBIG"),
    "a directory is removed that has files":
        ("os.mkdir('d'); write('d/f'); tell('act', lambda: os.rmdir('d'))", "ENOTEMPTY"),
    "a socket where nobody listens": ("tell('act', lambda: socket.create_connection(("
                                      "'127.0.0.1', 1), 5))", "ECONNREFUSED"),
    "another user": ("tell('act', lambda: os.setuid(0))", "EPERM|EINVAL"),
}
NETWORK = {"a socket where nobody listens"}


def check_users_own(place, name, script, want):
    with outside_tmp(place):
        place.write("f", "x")
        os.chmod(os.path.join(place.work, "f"), 0o644)
        if IS_ROOT:
            os.chown(os.path.join(place.work, "f"), 65534, 65534)
        result, found = explain_as_user(place, script, *(("--net", "full") if name in NETWORK else ()))
        answer = result.out.decode().partition("act = ")[2].strip()
        expect(answer in want.split("|"), f"wanted {want}, got {short(result.out + result.err)}")
        expect_equal("denials", "", brief(found))


for n, (s, w) in USERS_OWN.items():
    add_case(f"run: explain: none: {n}",
             lambda place, n=n, s=s, w=w: check_users_own(place, n, s, w),
             ("setpriv",) if IS_ROOT else ())

NONE = {
    "words on stdout and stderr": ("echo 'openat: EACCES'; echo 'x: Permission denied (EPERM)' >&2", 0),
    "the status 126": ("exit 126", 126),
    "the status 159": ("exit 159", 159),
    "the status 137": ("exit 137", 137),
    "its own SIGKILL": ("kill -9 $$", 137),
    "its own SIGSYS": ("kill -31 $$", 159),
    "its own SIGXCPU": ("kill -24 $$", 152),
    "SIGSEGV": ("kill -11 $$", 139),
    "a command that is not there": ("none-such", 127),
    "a script that cannot be executed": ("echo x >f; ./f", 126),
}


def check_none(place, script, status):
    place.fresh({})
    result, found = explain(place, ["/bin/sh", "-c", script])
    expect_status(result, status)
    expect_equal("denials", "", brief(found))


for n, (s, w) in NONE.items():
    add_case(f"run: explain: none: {n}", lambda place, s=s, w=w: check_none(place, s, w))


# --- What is told, and how -------------------------------------------------------------------------


@case("run: explain: a denial that the program swallows is told, with its process, once")
def swallowed(place):
    with outside_tmp(place):
        secret = os.path.join(place.home, "secret")
        place.write("../home/secret", "x")
        script = f"for i in 1 2 3; do cat {secret} 2>/dev/null; done; exit 0"
        result = inside(place, ["/bin/sh", "-c", script], "--explain")
        expect_status(result, 0)
        expect_equal("stdout", b"", result.out)
        want = (rf'sandtape: 1 denial:\n'
                rf'    openat\((AT_FDCWD, )?"{secret}", O_RDONLY[A-Z_|]*\): EACCES, 3 times, in process '
                rf'\d+ \(cat\)\n'
                rf'        by landlock-fs \(observed\): .+\n'
                rf'        to allow it: --read-only {secret}, or \{{.+\}}\n')
        expect(re.fullmatch(want, result.err.decode()), short(result.err, 600))


@case("run: explain: that nothing is denied is told, unless quietly")
def nothing(place):
    result = inside(place, ["/bin/echo", "out"], "--explain")
    expect_status(result, 0)
    expect_equal("stdout", b"out\n", result.out)
    expect_equal("stderr", b"sandtape: the sandbox denied nothing\n", result.err)
    expect_equal("quiet", b"", inside(place, ["/bin/echo", "out"], "--explain", "-q").err)


@case("run: explain: no program, one that cannot be executed, one that is denied")
def not_started(place):
    place.fresh({"f": "x", "p": ("#!/bin/sh\n", 0o755)})
    for program, status, options in (("no-such-program", 127, ()), ("./f", 126, ()),
                                     ("./p", 126, ("--deny", "p"))):
        result = inside(place, [program], "--explain", "--report", "r.json", *options)
        expect_status(result, status, program)
        expect_equal("lines", 1, result.err.count(b"\n"))
        expect_equal("stderr", inside(place, [program], *options).err, result.err)
        expect_equal("end", "failed", read_report(os.path.join(place.work, "r.json"))["end"])


@case("run: explain: a program that forks again and again and fails differently each time")
def many_forks(place):
    """Little memory is enough, however many they are."""
    count = int(os.environ.get("SANDTAPE_E2E_FORKS", "2000"))
    with outside_tmp(place):
        script = f'i=0; while [ $i -lt {count} ]; do (: >"{place.home}/$i") 2>/dev/null; ' \
                 "i=$((i+1)); done; exit 7"
        report = os.path.join(place.far, "r.json")
        result = place.run(["/bin/sh", "-c", 'ulimit -v 200000; exec "$@"', "sh", SANDTAPE, "run",
                            *KEEP_MARK, "--explain", "--report", report, "--", "/bin/sh", "-c", script])
        expect_status(result, 7)
        expect_text(result, f"sandtape: 1000 denials:\n")
        expect_text(result, f"\n    and {count - 1000} more, each unlike the 1000 above\n")
        told_of = read_report(report)
        expect_equal("denials", 1000, len(told_of["denials"]))
        expect_equal("more", count - 1000, told_of["denials_more"])
        expect_equal("of each", {1}, {d["count"] for d in told_of["denials"]})
        expect_equal("what", {f"{place.home}/{n}" for n in range(1000)},
                     {d["what"] for d in told_of["denials"]})


NO_PTRACE = """
import struct
code = [(0x20, 0, 0, 0), (0x15, 0, 1, 101), (0x06, 0, 0, 0x00050001), (0x06, 0, 0, 0x7fff0000)]
rows = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *row) for row in code))
program = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(code), ctypes.addressof(rows)))
if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, program):
    raise OSError(ctypes.get_errno(), "")
os.execv(sys.argv[1], sys.argv[1:])
"""


@case("run: explain: a host that refuses ptrace is told in one sentence, and nothing runs")
def refused(place):
    place.fresh({})
    around = script_argv(place, None, NO_PTRACE)
    argv = [SANDTAPE, "run", *KEEP_MARK, "--report", "r.json"]
    program = ["--", "/bin/sh", "-c", "echo ran; sleep 1; echo on >f"]
    expect_equal("control", b"ran\n", place.run([*around, *argv, *program]).out)
    os.unlink(os.path.join(place.work, "f"))
    result = place.run([*around, *argv, "--explain", *program])
    expect_status(result, 125)
    expect_equal("stdout", b"", result.out)
    expect_equal("lines", 1, result.err.count(b"\n"))
    expect_text(result, "ptrace")
    expect_text(result, "run it without --explain")
    expect_equal("end", "failed", read_report(os.path.join(place.work, "r.json"))["end"])
    place.check_nothing_runs()
    expect_equal("f", None, place.content("f"))


@case("run: explain: what holds on a host that refuses namespaces is what is explained",
      needs=("unshare",))
def no_namespaces(place):
    """The process that explains is not the one that has found out."""
    place.fresh({})
    script = script_argv(place, None, "tell('act', lambda: socket.socket(socket.AF_INET).close())")
    setup = 'for n in mnt user net pid; do echo 0 >/proc/sys/user/max_${n}_namespaces; done; exec "$@"'
    report = place.path("r.json")
    result = place.run(["unshare", "-Ur", "/bin/sh", "-c", setup, "sh", SANDTAPE, "run", *KEEP_MARK,
                        "-q", "--explain", "--report", report, "--net", "loopback", "--strictness",
                        "warn", "--", *script])
    if result.status == 1 and b"unshare" in result.err:
        raise Skipped(short(result.err))
    expect_equal("stdout", b"act = EACCES\n", result.out)
    found = read_report(report)["denials"]
    expect(len(found) == 1 and found[0]["mechanism"] == "seccomp", brief(found))
    expect("no network namespace can be made" in found[0]["why"], found[0]["why"])


@case("run: explain: in a sandbox: works, or says in one sentence why not")
def nested(place):
    place.fresh({})
    # The sandbox around it tells, unless it is quiet, that a process was killed with its runner.
    result = inside(place, [SANDTAPE, "run", "--explain", "--", "/bin/sh", "-c", "echo ran"],
                    "-q", "--write", os.path.dirname(SANDTAPE))
    if result.status == 0:
        expect_equal("stdout", b"ran\n", result.out)
    else:
        expect_status(result, 125)
        expect_equal("stdout", b"", result.out)
        expect_equal("lines", 1, result.err.count(b"\n"))


@case("run: explain: who runs the program is killed, and so is the program")
def runner_killed(place):
    place.fresh({})
    process = place.start([SANDTAPE, "run", *KEEP_MARK, "--explain", "--", "/bin/sh", "-c",
                           "echo there; exec sleep 60"])
    expect_equal("its first line", b"there\n", process.stdout.readline())
    with open(f"/proc/{process.pid}/task/{process.pid}/children", encoding="ascii") as f:
        runner = int(f.read().split()[0])
    os.kill(runner, signal.SIGKILL)
    err = place.finish(process)[1]
    expect_equal("status", 125, process.returncode)
    expect_equal("lines", 1, err.count(b"\n"))
    expect(b"was killed (Killed)" in err, short(err))
    place.check_nothing_runs()


@case("run: explain: who reads what is told has gone, and the status stays")
def reader_gone(place):
    place.fresh({})
    script = '"$@" 2>&1 >out | head -n0; cat status'
    inner = '"$@"; echo $? >status'
    argv = [SANDTAPE, "run", "--explain", "--", "/bin/sh", "-c", "sleep 0.3; exit 6"]
    result = place.run(["/bin/bash", "-c", script, "sh", "/bin/sh", "-c", inner, "sh", *argv])
    expect_equal("status", b"6\n", result.out)


# --- The program does what it does without ---------------------------------------------------------

add_works("run: explain: same", [
    Work("python3", options=("--explain",), status=3, py="""
import threading
done = []
threads = [threading.Thread(target=lambda n=n: done.append(n)) for n in range(8)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print(sorted(done), subprocess.run(["sh", "-c", "kill -9 $$"]).returncode)
print(subprocess.check_output("seq 3 | sort -r", shell=True))
sys.exit(3)
"""),
    Work("node", options=("--explain", "--mem", "none"), needs=("node",), sh="""
node -e '
const { execFileSync, spawn } = require("child_process");
console.log(execFileSync("echo", ["sub"]).toString());
const p = spawn("sh", ["-c", "cat; exit 4"], { stdio: ["pipe", "inherit", "inherit"] });
p.stdin.end("typed\\n");
p.on("exit", (code) => { console.log(code); setTimeout(() => process.exit(0), 20); });
'
"""),
    Work("make", options=("--explain",), needs=("make",), sh="exec make -s -j4 all\n",
         any_order=True, files={"Makefile": "all: a b c d\n\t@cat a b c d\n%:\n\t@echo $@ >$@\n"
                                            "\t@sleep 0.01; echo made $@\n"}),
    Work("a compiler", options=("--explain",), needs=("cc",), differs=("x",), says="fine",
         sh="cc -o x x.c && ./x\n",
         files={"x.c": '#include <stdio.h>\nint main(void)\n{\n\tputs("fine");\n\treturn 0;\n}\n'}),
    Work("job control, stops and signals", options=("--explain",), sh="""
sh -c 'kill -STOP $$; echo went on' & p=$!
while ! grep -q 'State:.[Tt]' /proc/$p/status; do sleep 0.01; done
kill -CONT $p; wait $p; echo $?
trap 'echo trapped' USR1; kill -USR1 $$
(trap '' TERM; kill -TERM $(exec sh -c 'echo $PPID'); echo ignored)
sh -c 'kill -TERM $$'; echo $?
"""),
    Work("what ends with a signal", options=("--explain",), status=139, sh="echo x; kill -11 $$\n"),
    Work("a great output", options=("--explain",), sh="seq 300000\n"),
    Work("a terminal", options=("--explain",), mode="pty", stdin=b"typed\n", sh="""
test -t 0 && test -t 1 && test -t 2 && read x && echo "got $x"
"""),
    Work("merged streams", options=("--explain",), mode="merged",
         sh="for i in 1 2 3; do echo o$i; echo e$i >&2; done\n"),
    Work("calls that fail", options=("--explain", "--net", "full"), py="""
tell("bind", lambda: socket.create_server(("127.0.0.1", 0)).close())
tell("none", lambda: read("none"))
"""),
])
