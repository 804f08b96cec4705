"""`sandtape run --explain`: what is no denial is told as none; how it is told; the program does what
it does without."""

import os
import re
import signal
import subprocess
import tempfile

from harness import (SANDTAPE, Skipped, add_case, case, expect, expect_equal, expect_status,
                     expect_text, short)
from sandbox import IS_ROOT, KEEP_MARK, Work, add_works, inside, outside_tmp, script_argv
from sandbox_explain import brief, explain, read_report

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
    "a name of the host": ("tell('act', lambda: socket.sethostname('other'))", "EPERM"),
    "a mount": ("tell('act', lambda: call(165, b'none', b'd', b'tmpfs', 0, None))", "EPERM"),
    "a clock": ("tell('act', lambda: time.clock_settime(time.CLOCK_REALTIME, 0))", "EPERM"),
    "ports of the machine": ("tell('act', lambda: call(172, 3))", "EPERM|ENOSYS"),
    "namespaces, without one of users": ("tell('act', lambda: call(272, 0x00020000))", "EPERM"),
    "a process that is not there": ("tell('act', lambda: os.kill(99999999, 15))", "ESRCH"),
    "the own limit of open files": ("""
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (20, 20))
tell('act', lambda: [os.open('/dev/null', 0) for _ in range(30)])
""", "EMFILE"),
    "the own limit of open files is raised again": ("""
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (20, 20))
tell('act', lambda: call(160, 7, struct.pack("QQ", 30, 30)))
""", "EPERM"),
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
    "an address of no network": ("tell('act', lambda: socket.socket().bind(('192.0.2.77', 0)))",
                                 "EADDRNOTAVAIL"),
    "another user": ("tell('act', lambda: os.setuid(0))", "EPERM|EINVAL"),
}
NETWORK = {"a socket where nobody listens": "full", "an address of no network": "loopback"}


def check_users_own(place, name, script, want):
    with outside_tmp(place):
        place.write("f", "x")
        os.chmod(os.path.join(place.work, "f"), 0o644)
        if IS_ROOT:
            os.chown(os.path.join(place.work, "f"), 65534, 65534)
        result, found = explain_as_user(place, script, *(("--net", NETWORK[name]) if name in NETWORK else ()))
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
    "its own SIGXFSZ": ("kill -25 $$", 153),
    "another's SIGXFSZ": ("sleep 9 & kill -25 $!; wait $!", 153),
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


@case("run: explain: a move between roots in /tmp is told, and none to another file system",
      needs=("mv",))
def moved(place):
    if not place.work.startswith("/tmp/"):
        raise Skipped("the workspace is not in /tmp")
    with tempfile.TemporaryDirectory(dir=place.root) as near, \
            tempfile.TemporaryDirectory(dir="/dev/shm") as far:
        for beside in near, far:
            place.fresh({"f": "x"})
            same = os.stat(beside).st_dev == os.stat(place.work).st_dev
            result, found = explain(place, ["mv", "f", beside], "--write", beside)
            expect_status(result, 0)
            expect(os.path.exists(beside + "/f"), "it was not copied")
            expect_equal("denials", [("namespaces", "inferred", "EXDEV")] if same else [],
                         [(d["mechanism"], d["evidence"], d["errno"]) for d in found])


@case("run: explain: that nothing is denied is told, unless quietly")
def nothing(place):
    result = inside(place, ["/bin/echo", "out"], "--explain")
    expect_status(result, 0)
    expect_equal("stdout", b"out\n", result.out)
    expect_equal("stderr", b"sandtape: the sandbox denied nothing\n", result.err)
    expect_equal("quiet", b"", inside(place, ["/bin/echo", "out"], "--explain", "-q").err)


@case("run: explain: where 32-bit calls are allowed it is told that they are not looked at",
      needs=("unshare",))
def unseen(place):
    told = b"sandtape: what 32-bit programs are denied is not seen\n"
    options = ("--explain", "--allow", "foreign_abi", "--net", "loopback")
    expect_equal("stderr", told + b"sandtape: the sandbox denied nothing else\n",
                 inside(place, ["/bin/true"], *options, "--report", "r.json").err)
    expect_equal("known", False, read_report(os.path.join(place.work, "r.json"))["denials_known"])
    result = inside(place, ["/usr/bin/unshare", "-U", "true"], *options)
    expect_text(result, "sandtape: what 32-bit programs are denied is not seen\nsandtape: 1 denial:")


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
    count = int(os.environ.get("SANDTAPE_E2E_FORKS", "10000"))
    with outside_tmp(place):
        script = f'i=0; while [ $i -lt {count} ]; do (: >"{place.home}/$i") 2>/dev/null; ' \
                 "i=$((i+1)); done; exit 7"
        report = os.path.join(place.far, "r.json")
        result = place.run(["/bin/sh", "-c", 'ulimit -v 200000; exec "$@"', "sh", SANDTAPE, "run",
                            *KEEP_MARK, "--explain", "--report", report, "--", "/bin/sh", "-c", script],
                           patience=240)
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
