"""`sandtape run --explain`: what it tells of each denial is right, and what it says would allow it
does."""

import json
import os
import shlex
import signal
from dataclasses import dataclass, field

from harness import add_case, case, expect, expect_equal, expect_status, short
from sandbox import IS_ROOT, inside, script_argv
from sandbox_denials import (BIND, CONNECT, UDP, UNIX, Denial, attempt, denied_place, expect_denied,
                             expect_done, fill, is_errno)

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
    with denied_place(place, row) as options:
        if row.policy:
            options += write_policy(place, row.policy)
        wanted = {name: want and fill(want, place) for name, want in row.told.items()}
        answer, found = try_explained(place, row, *options)
        expect_denied(row, answer)
        denials = [d for d in found if is_as_told(d, wanted)]
        expect(len(denials) == 1, f"wanted {wanted}, told of {brief(found) or 'nothing'}")
        expect_equal("option", row.option, denials[0]["option"] is not None)
        if row.option:
            allow(place, row, list(options), wanted, denials[0])
        if denials[0]["policy"]:
            allow_by_policy(place, row, options, wanted, denials[0]["policy"])


LANDLOCK, SECCOMP, RLIMITS = "landlock-fs", "seccomp", "rlimits"

# struct open_how: flags, mode, resolve.
OPENAT2 = """call(437, -100, b"%s", struct.pack("QQQ", %s, 0, 0), 24)"""

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
    Told("files are exchanged", "call(316, -100, b'f', -100, b'@HOME/d/f', 2)", want="done",
         files={"f": "f"}, told={**told(LANDLOCK, "renameat2", "@WORK/f"),
                                 "arguments": 'AT_FDCWD, "@WORK/f", AT_FDCWD, "@HOME/d/f", '
                                              'RENAME_EXCHANGE',
                                 "option": "--write @HOME/d"}),
    Told("a program is executed", "subprocess.run(['@HOME/d/p']).returncode", want="0",
         files={"../home/d/p": ("#!/bin/sh\nexit 0\n", 0o755)},
         told=told(LANDLOCK, "execve", "@HOME/d/p")),
    Told("a file is written by openat2", OPENAT2 % ("@HOME/d/f", "os.O_RDWR"), want="done",
         told={**told(LANDLOCK, "openat2", "@HOME/d/f"),
               "arguments": 'AT_FDCWD, "@HOME/d/f", {flags=O_RDWR}, 24',
               "option": "--write @HOME/d/f"}),
    Told("a file is read by openat2", OPENAT2 % ("@HOME/d/f", "os.O_RDONLY"), want="done",
         told={**told(LANDLOCK, "openat2", "@HOME/d/f"),
               "arguments": 'AT_FDCWD, "@HOME/d/f", {flags=O_RDONLY}, 24',
               "option": "--read-only @HOME/d/f"}),
    Told("a script is executed, and what interprets it is elsewhere",
         "subprocess.run(['./script']).returncode", want="0", before="""
if not os.path.exists("@FAR/sh2"):
    subprocess.run(["cp", "/bin/sh", "@FAR/sh2"], check=True)
write("script", "#!@FAR/sh2\\nexit 0\\n")
os.chmod("script", 0o755)
""", told={**told(LANDLOCK, "execve", "@FAR/sh2"),
            "why": "it interprets what is executed: no root of the policy holds it"}),
    Told("a script is executed, and what interprets its interpreter is elsewhere",
         "subprocess.run(['./outer']).returncode", want="0", before="""
if not os.path.exists("@FAR/sh3"):
    subprocess.run(["cp", "/bin/sh", "@FAR/sh3"], check=True)
for name, text in ("inner", "@FAR/sh3"), ("middle", "@WORK/inner"), ("outer", "@WORK/middle"):
    write(name, "#!" + text + "\\nexit 0\\n")
    os.chmod(name, 0o755)
""", told={**told(LANDLOCK, "execve", "@FAR/sh3"),
            "why": "it interprets what is executed: no root of the policy holds it"}),
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
    call_row("umount2", "umount2", "166, None, 0", "EFAULT", "mount", root=True),
    call_row("personality", "personality", "135, 0x0400000", "done", "personality"),
    call_row("clock_settime", "clock_settime", "227, 0, None", "EFAULT", "clock",
             root=True),
    call_row("shmget", "shmget", "29, 0, 0, 0", "EINVAL", "ipc"),
    call_row("chmod, to set-user-ID", "chmod", "90, None, 0o4755", "EFAULT", "setid"),
]

PROCESS_ROWS = [
    Told("a signal to a process outside", "os.kill(@PID, signal.SIGCONT)", "EPERM",
         policy={"namespaces": {"pid": "off"}},
         told=told("landlock-scope", "kill", evidence="observed|inferred", error="EPERM")),
    Told("a signal to a process outside, of another pid namespace",
         "os.kill(@PID, signal.SIGCONT)", "ESRCH",
         told=told("namespaces", "kill", evidence="inferred", error="ESRCH"), option=False),
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
    Over("open files, whose limit is raised", ("--files", "40"),
         told(RLIMITS, "prlimit64|setrlimit", error="EPERM", what="RLIMIT_NOFILE"), """
import resource
try:
    resource.setrlimit(resource.RLIMIT_NOFILE, (60, 60))
except (OSError, ValueError):
    print("EPERM")
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
    Over("memory in pieces that brk(2) gives", ("--mem", "200M", "--strictness", "cgroup=off"),
         told(RLIMITS, "mmap", error="ENOMEM"), """
libc.malloc.restype = ctypes.c_void_p
print(all(libc.malloc(100000) for _ in range(3000)))
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
         "while time.process_time() < 4:\n    pass\n", status=(128 + signal.SIGXCPU,)),
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
    argv = script_argv(place, None, "while time.process_time() < 20:\n    pass\n")
    result = inside(place, argv, "--cpu", "1s", "--report", "r.json")
    expect_status(result, 128 + signal.SIGXCPU, "run")
    report = read_report(os.path.join(place.work, "r.json"))
    expect_equal("denials_known", False, report["denials_known"])
    expect_equal("signals", ["SIGXCPU"], [d["signal"] for d in report["denials"]])
    expect_equal("evidence", ["inferred"], [d["evidence"] for d in report["denials"]])
    inside(place, ["/bin/sh", "-c", "cat /etc/none; exit 3"], "--report", "r.json")
    report = read_report(os.path.join(place.work, "r.json"))
    expect_equal("denials", ([], 0, False), (report["denials"], report["denials_more"],
                                             report["denials_known"]))
