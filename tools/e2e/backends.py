"""The backends without ptrace: the subjects of the table once more, and what is theirs alone."""

import json
import os
import signal

from harness import (FIXTURES, SANDTAPE, case, expect, expect_equal, expect_same, expect_status, expect_text,
                     find_program, wait_until)
import lives
import many
import programs
import pythons
import shells
from table import BACKENDS, add_backend_rows

STDIN = "what a command reads from a pipe is not seen, so a replay cannot take part of it"
EARLY = "what a command reads from a pipe is not seen, so its answer does not wait for the question"
HIGH = "descriptors above 2 are not handed to the recorder"
TERMINAL = "calls on a terminal are not seen"
UNBORN = "a command that is killed before its shim speaks leaves no record"
STATIC = "a library cannot be loaded into a static program"
NO_PATH = "a program that is called by its path is not looked for in PATH"
CORE = "the shim ends by the same signal, and the core is the command's"
PARENT = "the parent of a command is the shim, which gets what the command sends to it"
NO_ERROR = "an exec that fails does not reach the shim"

# What a backend cannot see: row -> backend -> why. A row that passes in spite of it fails.
BLIND = {
    "spawner_static": {"preload": STATIC},
    "dd shares a pipe as stdin": {"preload": STDIN, "path": STDIN},
    "conversation: no answer before its question": {"preload": EARLY, "path": EARLY},
    "descriptors above 2": {"preload": HIGH, "path": HIGH},
    "process substitution": {"preload": HIGH, "path": HIGH},
    "conversations at a terminal": {"preload": TERMINAL, "path": TERMINAL},
    "killed before the exec": {"preload": UNBORN, "path": NO_PATH},
    "agent.py": {"path": NO_PATH},
    "make -j1": {"path": NO_PATH},
    "make -j4": {"path": NO_PATH},
    "exit 0": {"path": NO_PATH},
    "400 spawns of the shell": {"path": NO_PATH},
    "fork, system, popen, posix_spawn, os.exec": {"path": NO_PATH},
    "exec of a descriptor": {"path": NO_PATH},
    "fork of node": {"path": NO_PATH},
    "not executable": {"path": NO_PATH},
    "no valid format": {"path": NO_PATH},
    "missing program from Python, PATH searched": {"path": NO_ERROR},
    "an exec that fails, in a child that goes on": {"path": NO_ERROR},
    "arguments of 128 KiB, and 2,000 variables": {"path": NO_ERROR},
    "a core is dumped, or not": {"preload": CORE, "path": CORE},
    "make -j4 with makes below it": {"path": NO_PATH},
    "asyncio": {"path": NO_PATH},
    "node: fork and messages": {"preload": HIGH, "path": NO_PATH},
    "node: workers that answer several questions": {"preload": HIGH, "path": NO_PATH},
    "node: the parent disconnects, the child disconnects, the child exits": {"preload": HIGH,
                                                                           "path": NO_PATH},
    "node: a large message each way": {"preload": HIGH, "path": NO_PATH},
    "node: more pipes above 2, in both directions": {"preload": HIGH, "path": HIGH},
    "raw clone3, with a pidfd, and like vfork": {"path": NO_PATH},
    "exec from a thread that is not the first": {"path": NO_PATH},
    "an empty argv[0], and none": {"path": NO_PATH},
    "interpreter lines with and without an argument": {"path": NO_PATH},
    "memory that a limit refuses": {"path": NO_PATH},
    "what a command wrote before it sends a signal is there when that comes":
        {"preload": PARENT, "path": PARENT},
    "signals that commands send to the program, and to its group":
        {"preload": PARENT, "path": PARENT},
}

# Where chance decides what comes of it, it is not run: with none of them, or not with one.
UNSURE = {
    # the command reads, its stub does not, and may have ended when its parent writes
    "a pipe inside a unit is not its stdin",
    "equal commands, of which one reads and one does not",
    # equal but for their stdin: used in the order of the tape, which may happen to be right
    "40 equal commands with input of their own, 8 at once",
    "40 equal commands whose input differs in its last byte",
    "equal commands with little, much and no input",
    # it is killed as soon as it has been stopped and continued: perhaps before its shim has said a
    # word
    "stop and continue as the parent sees it",
    # the lock is the shim's, which lets go of it soon after the command has begun
    "a lock that a command holds from before its exec: fcntl",
    # killed right after the fork: perhaps before the shim has said a word
    "jobs that bash ends",
    "jobs that bash ends, with job control",
    "jobs that dash ends",
    "every signal ends a unit that its parent sends it to",
    # no spawn waits for the ends that came before it
    "which of two has ended is asked for after a third",
    "which have ended is asked for right after another spawn",
    # killed right after the exec, of which the library has asked before it, and a link has not
    ("node: exec, execFile, spawn and their kin", "path"),
}

TABLES = (*programs.TABLES, shells.SHELL_ROWS, pythons.PYTHON_ROWS, lives.BEGIN_ROWS, lives.END_ROWS,
          lives.DATA_ROWS, many.MANY_ROWS)
add_backend_rows(BLIND, UNSURE, *TABLES)

SCRIPT = "printf 'b\\na\\n' | sort; sh -c 'echo out; echo err >&2; exit 3'; uname >f; exit 4"
ARGV = ["/bin/sh", "-c", SCRIPT]


def head_of(place):
    with open(os.path.join(place.tape, "tape.jsonl")) as f:
        return json.loads(f.readline())


@case("the backend is named in the tape and on stderr")
def named(place):
    for backend in (None, "ptrace", *BACKENDS):
        place.backend = backend
        recorded = place.record(ARGV)
        expect_status(recorded, 4)
        expect_equal("backend", backend or "ptrace", head_of(place)["backend"])
        for result in (recorded, place.replay(ARGV, hidden=False)):
            said = f"by the backend {backend}".encode() in result.err
            expect_equal(f"{backend} is named", backend in BACKENDS, said)
    result = place.sandtape("record", "-t", "new.tape", "--backend", "magic", "--", *ARGV)
    expect_status(result, 125)
    expect_text(result, "'magic' is no backend", "usage:")
    expect(not os.path.exists(place.path("work", "new.tape")), "there is a tape of no backend")


@case("a tape of one backend replays under another")
def crosswise(place):
    native = place.run(ARGV)
    for by in (None, *BACKENDS):
        place.backend = by
        expect_same(f"record with {by}", native, place.record(ARGV, "-q"))
        for under in (None, *BACKENDS):
            place.backend = under
            expect_same(f"replay of {by} with {under}", native,
                        place.replay(ARGV, "-q", "--all-used"))


CONFINED = (os.path.join(FIXTURES, "confined"),)


@case("ptrace is refused: told before anything runs, with the way out")
def ptrace_refused(place):
    argv = ["/bin/sh", "-c", "echo >ran; " + SCRIPT]
    place.record(ARGV, "-q")
    tape = open(os.path.join(place.tape, "tape.jsonl"), "rb").read()
    was = sorted(os.listdir(place.tape))
    place.fresh()
    place.within = CONFINED
    for backend in (None, "ptrace"):
        place.backend = backend
        for run in (place.record, place.replay):
            result = run(argv, "-q")
            expect_status(result, 125)
            expect_text(result, "does not allow tracing (ptrace: Operation not permitted)",
                        "--backend preload")
            expect_equal("stdout", b"", result.out)
            expect_equal("files", {}, place.snapshot())
            expect_equal("files of the tape", was, sorted(os.listdir(place.tape)))
    expect_equal("tape", tape, open(os.path.join(place.tape, "tape.jsonl"), "rb").read())
    expect_status(place.sandtape("record", "-t", "new.tape", "--", *ARGV), 125)
    expect_equal("left of a new tape", [], os.listdir(place.work))


@case("a signal that a command sends to its parent is sent by the other backends, too")
def parent_signalled(place):
    argv = ["/bin/sh", "-c", "trap 'echo got it' USR1; sh -c 'echo a; kill -USR1 $PPID; exit 3'; "
            "echo $?"]
    recorded = place.record(argv, "-q")
    expect_equal("stdout", b"a\ngot it\n3\n", recorded.out)
    expect_equal("sent", [["SIGUSR1"]], [u["sent"] for u in place.units()])
    for place.backend in BACKENDS:
        expect_same(f"replay with {place.backend}", recorded,
                    place.replay(argv, "-q", hidden=False))


@case("ptrace is refused: the other backends record and replay")
def ptrace_refused_others(place):
    native = place.run(ARGV)
    for backend in BACKENDS:
        place.backend = backend
        place.within = CONFINED
        expect_same(f"record with {backend}", native, place.record(ARGV, "-q"))
        expect_equal("units", 3, len(place.units()))
        for under in BACKENDS:
            place.backend = under
            expect_same(f"replay of {backend} with {under}", native,
                        place.replay(ARGV, "-q", "--all-used"))
        place.backend, place.within = None, ()
        expect_same("replay elsewhere", native, place.replay(ARGV, "-q", "--all-used"))


@case("preload: every function that executes something")
def execs(place):
    argv = [os.path.join(FIXTURES, "execs")]
    files = {"odd": (b"\x01\x02 no format\n", 0o755)}
    native = None
    for backend in (None, "preload"):
        place.backend = backend
        place.fresh(files)
        native = native or place.run(argv)
        expect_status(native, 6)
        place.fresh(files)
        expect_same(f"record with {backend}", native, place.record(argv, "-q"))
        units = [u["argv"] for u in place.units()]
        wanted = wanted if backend else units
        expect_equal("units", wanted, units)
        place.fresh(files)
        expect_same("replay", native, place.replay(argv, "-q", "--all-used"))


@case("preload: the subject does not see it, nor does a command")
def hidden(place):
    argv = [find_program("python3"), "s.py"]
    place.backend = "preload"
    script = """
import os, subprocess, sys
print(os.environ.get("LD_PRELOAD"), flush=True)
subprocess.run(["env"], env={"A": "1"})
subprocess.run(["sh", "-c", "echo $LD_PRELOAD; tr '\\\\0' '\\\\n' </proc/self/environ | grep -c PRELOAD"])
if len(sys.argv) == 1:
    os.execv(sys.executable, [sys.executable, "s.py", "again"])
"""
    place.fresh({"s.py": script})
    native = place.run(argv)
    for run in (place.record, place.replay):
        expect_same(run.__name__, native, run(argv, "-q"))
    expect_equal("units", 4, len(place.units()))
    place.fresh({"s.py": script})
    own = place.run(argv, env={"LD_PRELOAD": "libc.so.6"})
    expect_same("with one of its own", own, place.record(argv, "-q", env={"LD_PRELOAD": "libc.so.6"}))


@case("preload: a library's constructor spawns before ours has run")
def early(place):
    argv = [find_program("env"), "EARLY=1", "LD_PRELOAD=" + os.path.join(FIXTURES, "early_library"),
            "/bin/sh", "-c", "echo $LD_PRELOAD; uname; exit 3"]
    native = place.run(argv)
    expect_status(native, 3)
    expect(native.out.startswith(b"vfork early\nsystem early\n"), native.out)
    for place.backend in (None, "preload"):
        expect_same("record", native, place.record(argv, "-q"))
        expect_equal("units", 3, len(place.units()))
        expect_same("replay", native, place.replay(argv, "-q", "--all-used"))


@case("path: commands do not see it")
def path_is_clean(place):
    place.backend = "path"
    argv = ["/bin/sh", "-c", "sh -c 'echo $PATH; command -v sort'; exec sort /dev/null"]
    native = place.run(argv)
    for run in (place.record, place.replay):
        expect_same(run.__name__, native, run(argv, "-q", hidden=False))
    expect_equal("units", 1, len(place.units()))


@case("preload: a static or set-user-ID program is refused before it runs")
def refused(place):
    place.backend = "preload"
    argv = [os.path.join(FIXTURES, "spawner_static")]
    place.write("s", (f"#!{argv[0]}\n", 0o755))
    for words in (argv, ["./s"]):
        result = place.record(words)
        expect_status(result, 125)
        expect_text(result, "is a static program", "--backend path")
        expect_equal("stdout", b"", result.out)
        expect(not os.path.exists(place.tape), "a tape of nothing is left")
    place.backend = None
    place.record(["/bin/sh", "-c", "uname; " + argv[0]], "-q")
    place.backend = "preload"
    result = place.replay(["/bin/sh", "-c", f"{argv[0]}; uname"], "-q", "--through",
                          "spawner_static")
    expect_status(result, 125)
    expect_text(result, "is a static program")


@case("path: what is called by its path runs for real")
def by_path(place):
    place.backend = "path"
    argv = ["/bin/sh", "-c", "/bin/echo real; uname -s; exit 0"]
    expect_status(place.record(argv, "-q"), 0)
    expect_equal("units", [["uname", "-s"]], [u["argv"] for u in place.units()])


HANDLED = """
import signal, subprocess
names = ["SIGCONT", "SIGURG", "SIGWINCH"]
plain = subprocess.Popen(["sleep", "0.4"])
for name in names + ["SIGCHLD"]:
    plain.send_signal(signal.Signals[name])
print(plain.wait())
code = "".join(f"trap 'echo {n}' {n[3:]}; " for n in names)
p = subprocess.Popen(["sh", "-c", code + "echo up; while [ ! -e end ]; do sleep 0.02; done; exit 3"],
                     stdout=subprocess.PIPE, text=True)
print(p.stdout.readline())
for name in names:
    p.send_signal(signal.Signals[name])
    print(p.stdout.readline())
open("end", "w").close()
print(p.wait())
"""


@case("all backends have the same signals on the tape: those that did something", ["python3"])
def same_signals(place):
    argv = [find_program("python3"), "s.py"]
    for place.backend in ("ptrace", *BACKENDS):
        place.fresh({"s.py": HANDLED})
        native = place.run(argv)
        os.remove(os.path.join(place.work, "end"))
        expect_same(f"record with {place.backend}", native, place.record(argv, "-q"))
        expect_equal(f"signals with {place.backend}",
                     [("sleep", []), ("sh", ["SIGCONT", "SIGURG", "SIGWINCH"])],
                     [(u["argv"][0], u.get("signals") or []) for u in place.units()])
        os.remove(os.path.join(place.work, "end"))
        expect_same(f"replay with {place.backend}", native, place.replay(argv, "-q", "--all-used"))


# How the signal finds the command -> the command. What nobody takes there comes to nothing.
EARLY_SIGNALS = [
    (signal.SIGWINCH, "default", "trap 'echo caught; exit 3' WINCH; echo up; while :; do sleep 0.02; done"),
    (signal.SIGURG, "default", "trap 'echo caught' URG; echo up; sleep 0.2; sleep 0.1; exit 3"),
    (signal.SIGINT, "ignored", "echo up; sleep 0.2; exit 3"),
]


@case("without ptrace: a signal comes before the first instruction of a stub, and is lost")
def early_signals(place):
    for number, how, code in EARLY_SIGNALS:
        words = [str(int(number)), how, "sh", "-c", code]
        late, early = ([os.path.join(FIXTURES, "early_signal"), when, *words]
                       for when in ("late", "early"))
        place.backend = None
        native = place.run(late)
        expect_status(native, 3)
        for place.backend in BACKENDS:
            expect_same(f"record with {place.backend}", native, place.record(late, "-q"))
            expect_equal("signals", [number.name], place.units()[0].get("signals"))
            for argv in late, early:
                expect_same(f"{place.backend}: {argv[1]}", native,
                            place.replay(argv, "-q", "--all-used"))


@case("each backend, with --sync: commands that overlap, fail to start, and end")
def synced(place):
    argv = ["/bin/sh", "-c", "/nonexistent; ./odd; (uname; false) & (uname -s; true) & wait; "
            "uname | cat; exit 4"]
    files = {"odd": (b"\x01\x02 no format\n", 0o755)}
    place.fresh(files)
    native = place.run(argv)
    for place.backend in ("ptrace", *BACKENDS):
        place.fresh(files)
        expect_same(f"record with {place.backend}", native, place.record(argv, "-q", "--sync"))
        place.fresh(files)
        expect_same(f"replay with {place.backend}", native, place.replay(argv, "-q"))


@case("a command and its shim end together")
def shim_killed(place):
    for backend in BACKENDS:
        place.backend = backend
        script = ("sh -c 'echo $$ >inner; exec sleep 30' & until [ -s inner ]; do :; done; "
                  "kill -9 $!; wait $!; echo $?; read -r p <inner; "
                  "while kill -0 $p 2>/dev/null; do :; done; echo gone")
        place.fresh()
        result = place.record(["/bin/sh", "-c", script], "-q")
        expect_equal(f"{backend}: stdout", b"137\ngone\n", result.out)
        unit = place.units()[0]
        expect_equal("signal", "SIGKILL", unit["signal"])
        place.write("inner", "1")
        expect_equal("signals", ["SIGKILL"], unit["signals"])


@case("without ptrace: sandtape is killed, and nothing is left")
def killed(place):
    for backend in BACKENDS:
        place.backend = backend
        place.fresh()
        process = place.start([SANDTAPE, "record", "-q", "-t", place.tape, "--backend", backend,
                               "--daemons", "kill", "--", "/bin/sh", "-c",
                               "sh -c 'echo >up; exec sleep 30'; uname; sh -c 'echo >after'"])
        wait_until(lambda: os.path.exists(os.path.join(place.work, "up")), "the command runs")
        process.send_signal(signal.SIGKILL)
        process.wait()
        wait_until(lambda: not place.marked(), "nothing runs")
        expect(not os.path.exists(os.path.join(place.work, "after")), "the subject went on")
    # What it was killed over stays until the next one.
    expect(os.listdir(place.tmp), "it has left nothing to be cleared up")
    expect_status(place.record(["/bin/sh", "-c", "uname"], "-q"), 0, "the next one")
    expect_equal("what is left", [], os.listdir(place.tmp))



LIMITED = """
import resource, signal, subprocess, sys
FSIZE, NOFILE = resource.RLIMIT_FSIZE, resource.RLIMIT_NOFILE
hard = resource.getrlimit(NOFILE)[1]
fds = []
if sys.argv[1:] == ["full"]:  # all descriptors that this process may have
    resource.setrlimit(NOFILE, (300, hard))
    import os
    try:
        while True:
            fds.append(os.open("/dev/null", os.O_RDONLY))
    except OSError:
        os.closerange(fds[-6], fds[-1] + 1)  # two pipes, and one to report errors
def limit(what, *values):
    return lambda: resource.setrlimit(what, values)
def run(argv, **how):
    try:
        p = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                           close_fds=False, **how)
        print(p.returncode, p.stdout)
    except OSError as e:
        print(e)
run(["sh", "-c", "echo a; ulimit -f"], preexec_fn=limit(FSIZE, 0, 0))
for n in 4, 5, 12:
    run(["sh", "-c", "echo b; ulimit -n"], preexec_fn=limit(NOFILE, n, hard))
run(["uname", "x" * (20 << 20)])
run(["uname", *["x" * 100000] * 80])
run(["uname", *["x" * 100000] * 12])
run(["sleep", "20"], preexec_fn=lambda: signal.setitimer(signal.ITIMER_REAL, 0.2))
"""


@case("without ptrace: limits, long arguments and timers are the command's own")
def limits_are_its_own(place):
    for backend in BACKENDS:
        for more in ([], ["full"]):
            argv = [find_program("python3"), "s.py", *more]
            place.backend = backend
            place.fresh({"s.py": LIMITED})
            native = place.run(argv)
            expect(native.out.endswith(b"-14 b''\n"), native.out)
            for run in (place.record, place.replay):
                expect_same(f"{backend}: {run.__name__}", native, run(argv, "-q", hidden=False))


@case("without ptrace: no descriptor at all for the server is told")
def no_descriptor(place):
    script = """
import os, resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))
try:
    os.execv(sys.argv[1], ["uname"])  # execvp may import a module, which takes a descriptor
except OSError as e:
    os.write(1, e.strerror.encode())
"""
    argv = [find_program("python3"), "s.py", find_program("uname")]
    place.fresh({"s.py": script})
    place.backend = "preload"
    result = place.record(argv, "-q")
    expect_equal("stdout", b"Input/output error", result.out)
    expect_text(result, "sandtape: cannot be reached from this process")


LIVES_ON = """
import os, subprocess, time
if os.fork() == 0:
    os.setsid()
    null = os.open("/dev/null", os.O_RDWR)
    for fd in range(3):
        os.dup2(null, fd)
    while not os.path.exists("go"):
        time.sleep(0.01)
    try:
        out = subprocess.run(["uname"], stdout=subprocess.PIPE).stdout
    except OSError as e:
        out = str(e).encode()
    open("new", "wb").write(out)
    os.rename("new", "done")
    os._exit(0)
print("ends", flush=True)
"""


@case("without ptrace: a fork that lives on can execute something later")
def fork_lives_on(place):
    argv = [find_program("python3"), "s.py"]
    for backend in BACKENDS:
        place.backend = backend
        place.fresh({"s.py": LIVES_ON})
        result = place.record(argv, "-q")
        expect_equal("stdout", b"ends\n", result.out)
        place.write("go", "")
        wait_until(lambda: os.path.exists(os.path.join(place.work, "done")), "it has run uname")
        expect_equal("it said", (os.uname().sysname + "\n").encode(), place.content("done"))
        place.check_clean()
