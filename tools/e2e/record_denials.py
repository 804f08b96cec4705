"""record --policy --explain: what each command was denied is on the tape, and nothing else; without
--explain what the kernel tells of by itself."""

import json
import os

from harness import case, expect, expect_equal, expect_status, find_program, wait_until
from record_policies import check, restricted
from sandbox import PRELUDE, PYTHON


def denials(place, which=0, tape=None):
    """Of one unit: (mechanism, evidence, call, what, errno or signal)."""
    unit = place.units(tape)[which]
    return [(d["mechanism"], d["evidence"], d.get("call"), d.get("what"),
             d.get("error") or d.get("signal")) for d in unit.get("denied", [])]


def observed(place, script, *options, files=None, **policy):
    """Records a script, in which each line is a command, under --explain."""
    options = restricted(place, {"s.sh": script, **(files or {})}, *options, **policy)
    recorded = place.record(["/bin/sh", "s.sh"], "-q", "--explain", *options)
    return recorded, options


def secret(place):
    return ("landlock-fs", "observed", "openat", "$WORK/secret", "EACCES")


@case("record --explain: each denial is on the record of its command, and no other failure is")
def each(place):
    recorded, _ = observed(place, """\
cat secret
cat in/plain none; cat /etc/passwd in/out/none 2>&1 >/dev/null
sh -c 'cat secret secret; cat in/plain; cat <secret; echo permission denied >&2; exit 159'
mkdir made in/out/made
""")
    expect(b"Permission denied" in recorded.err, f"{recorded.err}")
    units = place.units()
    expect_equal("explained", [True] * 5, [unit.get("explained") for unit in units])
    expect_equal("cat", [secret(place)], denials(place, 0))
    expect_equal("files that are not there", [[], []], [denials(place, 1), denials(place, 2)])
    shell = units[3]["denied"]
    # The shell's own open has other flags than those of cat, of which there were two.
    expect_equal("sh", [secret(place)] * len(shell), denials(place, 3))
    expect_equal("times", 3, sum(d["count"] for d in shell))
    expect(all(d["pid"] > 0 for d in shell), f"{shell}")
    expect_equal("mkdir", [("landlock-fs", "observed", "mkdir", "$WORK/made", "EACCES")],
                 denials(place, 4))


@case("record --explain: the network, signals, capabilities and limits; a program that swallows it",
      needs=("python3",))
def kinds(place):
    options = restricted(place, {"s.sh": f"{PYTHON} in/p.py\n", "in/p.py": PRELUDE + """\
def attempt(act):
    try:
        act()
    except OSError:
        pass
attempt(lambda: socket.socket())
attempt(lambda: os.kill(int(os.environ["SUBJECT"]), signal.SIGUSR1))
attempt(lambda: [open("/dev/null") for _ in range(100)])
attempt(lambda: call(101, 0x4206, 999999999, 0, 0))
attempt(lambda: open("/nowhere"))
attempt(lambda: os.open("in", os.O_RDWR))
"""}, limits={"files": 50})
    argv = ["/bin/sh", "-c", "export SUBJECT=$$; . ./s.sh; :"]
    expect_status(place.record(argv, "-q", "--explain", *options), 0, "record")
    # EMFILE: also of what python opens for what it tells of.
    found = {(mechanism, call, error) for mechanism, _, call, _, error in denials(place)}
    for wanted in (("seccomp", "socket", "EACCES"), ("landlock-scope", "kill", "EPERM"),
                   ("rlimits", "openat", "EMFILE"), ("seccomp", "ptrace", "EPERM")):
        expect(wanted in found, f"{wanted} is not in {found}")
    expect_equal("no other calls", {"socket", "kill", "openat", "ptrace"},
                 {call for _, call, _ in found})
    killed, = (d for d in place.units()[0]["denied"] if d["call"] == "kill")
    expect_equal("a number that is another one each time", "PID, SIGUSR1", killed["arguments"])


@case("record --explain: what would allow it, put into the policy, does")
def allowed(place):
    script = "cat other >in/out/copy; cat secret; mkdir -p far/made; far/run\n"
    files = {"other": "other\n", "far/run": ("#!/bin/sh\necho ran\n", 0o755)}
    observed(place, script, files=files)
    pieces = [d["policy"] for unit in place.units() for d in unit["denied"] if "policy" in d]
    expect_equal("pieces", 4, len(pieces))
    expect_status(place.sandtape("tape", "check", place.tape), 0, "check")
    with open(place.path("work", "policy.json"), encoding="utf-8") as f:
        policy = json.load(f)
    for piece in pieces:
        text = json.dumps(piece).replace("$WORK", place.path("work"))
        for section, keys in json.loads(text).items():
            for key, value in keys.items():
                old = policy.setdefault(section, {}).get(key, [])
                policy[section][key] = old + [v for v in value if v not in old]
    observed(place, script, files=files, **{k: v for k, v in policy.items() if k != "version"})
    expect_equal("still denied", [], [d for i in range(4) for d in denials(place, i)])
    expect_equal("replay", b"hidden\nran\n", place.replay(["/bin/sh", "s.sh"], "-q").out)


@case("record --explain: a recording that changes nothing leaves the tape as it is",
      needs=("make",))
def canonical(place):
    options = restricted(place, {"Makefile": """\
all: a b c d
a b c d:
\t@cat secret 2>/dev/null & cat secret 2>/dev/null; mkdir $@ 2>/dev/null; kill -0 1; \\
kill -USR1 $$PPID 2>/dev/null; wait
"""})
    argv = [find_program("make"), "-s", "-k", "-j4"]
    texts = []
    for _ in range(3):
        place.record(argv, "-q", "--explain", *options)
        with open(os.path.join(place.tape, "tape.jsonl"), "rb") as f:
            texts.append(f.read())
    expect(texts[0].count(b'"denied":[') == 4, f"{texts[0]}")
    expect_equal("the tape", texts[0], texts[2])
    merged = place.path("merged.tape")
    expect_status(place.sandtape("tape", "merge", merged, place.tape, place.tape), 0, "merge")
    expect_equal("merged", denials(place, 1), denials(place, 1, merged))
    shown = place.sandtape("tape", "show", merged).out.decode()
    expect("denied  openat(AT_FDCWD, \"$WORK/secret\", O_RDONLY): EACCES, 2 times"
           in shown and "by landlock-fs (observed): " in shown, shown)


@case("record --explain: --only explains its command, and leaves the others as they were")
def only(place):
    _, options = observed(place, "cat secret\nmkdir made\ncat in/plain\n")
    ids = [unit["id"] for unit in place.units()]
    before = [denials(place, i) for i in range(3)]
    for unit in ids[:2]:
        place.record(["/bin/sh", "s.sh"], "-q", "--only", unit, "--explain", *options)
    expect_equal("denied", before, [denials(place, i) for i in range(3)])
    place.record(["/bin/sh", "s.sh"], "-q", "--only", ids[0], *options)
    expect_equal("without --explain", [[], before[1]], [denials(place, 0), denials(place, 1)])
    expect_equal("explained", [None, True], [unit.get("explained") for unit in place.units()[:2]])


BY_SIGNAL = {"syscalls": {"keyrings": "trap", "bpf": "kill"},
             "limits": {"file_mb": 1, "cpu_s": 1}}


@case("record --policy: without --explain: signals, their calls, ends, and what was not executed",
      needs=("python3",))
def unobserved(place):
    options = restricted(place, {
        "far/run": ("#!/bin/sh\n", 0o755),
        "in/p.py": PRELUDE + "call(int(sys.argv[1]), 0, 0, 0, 0)\n",
        "in/q.py": PRELUDE + """\
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
with open("in/out/big", "wb") as f:
    f.write(bytes(3 << 20))
""",
        "in/r.py": PRELUDE + "signal.signal(signal.SIGXCPU, signal.SIG_IGN)\nwhile True: pass\n",
        "s.sh": f"""\
cat secret; far/run; {PYTHON} in/p.py 250; {PYTHON} in/p.py 321; {PYTHON} in/q.py; {PYTHON} in/r.py
{PYTHON} -c 'import os; os.kill(os.getpid(), 31)'; {PYTHON} -c 'import os; os.kill(os.getpid(), 9)'
"""}, **BY_SIGNAL)
    place.record(["/bin/sh", "s.sh"], "-q", *options)
    units = place.units()
    expect_equal("how they ended", ["SIGSYS", "SIGSYS", "SIGXFSZ", "SIGKILL", "SIGSYS", "SIGKILL"],
                 [unit["signal"] for unit in units[2:]])
    expect_equal("explained", [None] * 8, [unit.get("explained") for unit in units])
    expect_equal("denied", [
        [],
        [("landlock-fs", "observed", "execve", "$WORK/far/run", "EACCES")],
        [("seccomp", "kernel", "keyctl", None, "SIGSYS")],
        [("seccomp", "kernel", "bpf", None, "SIGSYS")],
        [("rlimits", "inferred", None, None, "SIGXFSZ")],
        [("rlimits", "inferred", None, None, "SIGKILL"),
         ("rlimits", "kernel", None, None, "SIGXCPU")],
        [], [],
    ], [denials(place, i) for i in range(8)])


@case("record --explain: what is refused by a signal is told once", needs=("python3",))
def by_signal(place):
    options = restricted(place, {
        "in/p.py": PRELUDE + """\
caught = []
signal.signal(signal.SIGSYS, lambda *_: caught.append(1))
libc.syscall(250, 0, 0, 0, 0)
pid = os.fork()
if pid == 0:
    libc.syscall(321, 0, 0, 0)
print(len(caught), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
""",
        "s.sh": f"{PYTHON} in/p.py\n"}, **BY_SIGNAL)
    argv = ["/bin/sh", "s.sh"]
    check(place, argv, options, "1 -31\n")
    for explain in (), ("--explain",):
        place.record(argv, "-q", *options, *explain)
        expect_equal("denied", [("seccomp", "kernel", "bpf", None, "SIGSYS"),
                                ("seccomp", "kernel", "keyctl", None, "SIGSYS")], denials(place))
        expect_equal("times", [1, 1], [d["count"] for d in place.units()[0]["denied"]])


ESCAPES = PRELUDE + """\
import struct
tell("before", lambda: socket.socket())
# A filter that asks for a tracer at each socket(2), as ours do.
code = b"".join(struct.pack("HBBI", *op) for op in (
    (0x20, 0, 0, 0), (0x15, 0, 1, 41), (0x06, 0, 0, 0x7ff00000 | int(sys.argv[1], 16)),
    (0x06, 0, 0, 0x7fff0000)))
buffer = ctypes.create_string_buffer(code)
program = struct.pack("HxxxxxxQ", 4, ctypes.addressof(buffer))
tell("filter", lambda: call(317, 1, 0, program))
tell("behind a filter", lambda: socket.socket())
tell("listener", lambda: call(317, 1, 8, program))
pid = libc.syscall(56, 0x800000 | signal.SIGCHLD, 0, 0, 0, 0)  # CLONE_UNTRACED
if pid == 0:
    tell("untraced", lambda: socket.socket())
    os._exit(0)
os.waitpid(pid, 0)
tell("traceme", lambda: call(101, 0, 0, 0, 0))
tell("foreign", lambda: call(0x40000000 | 41, 2, 1, 0))
"""


@case("record --explain: a command gets around the observer in no way", needs=("python3",))
def escapes(place):
    cookies = ("1", "2", "3", "5000", "500d", "ffff")
    options = restricted(place, {"in/p.py": ESCAPES, "s.sh": "".join(
        f"{PYTHON} in/p.py {cookie}\n" for cookie in cookies)}, "--explain")
    check(place, ["/bin/sh", "s.sh"], options, """\
before = EACCES
filter = done
behind a filter = EACCES
listener = EBUSY
untraced = EACCES
traceme = EPERM
foreign = ENOSYS
""" * len(cookies), "")


@case("record --explain: observed streams, an exec of a thread, what outlives the program",
      needs=("python3",))
def together(place):
    options = restricted(place, {"in/p.py": PRELUDE + """\
import threading
print(os.read(0, 4).decode(), end="", flush=True)
def run():
    os.execv("/bin/sh", ["sh", "-c", "cat secret; read more; echo $more; cat"])
threading.Thread(target=run).start()
time.sleep(60)
""", "s.sh": f"""\
printf 'one\\ntwo\\nthree\\n' | {PYTHON} in/p.py
sh -c 'exec >/dev/null 2>&1
(while ! [ -e in/go ]; do sleep 0.01; done; cat secret; echo $? >in/out/late) &'
"""}, "--explain")
    argv = ["/bin/sh", "s.sh"]
    recorded = place.record(argv, "-q", *options)
    expect_equal("stdout", b"one\ntwo\nthree\n", recorded.out)
    reader, = (i for i, unit in enumerate(place.units()) if "in/p.py" in unit["argv"])
    expect_equal("denied", [secret(place)], denials(place, reader))
    place.write("in/go", "")
    late = place.path("work", "in", "out", "late")
    wait_until(lambda: os.path.exists(late) and os.path.getsize(late) > 0, "what was left behind")
    expect_equal("late", "1\n", place.content("in/out/late").decode())
    expect_equal("replay", recorded.out, place.replay(argv, "-q").out)


# What is left behind goes on when the program says so, and the program when it has.
LEFT = """\
sh -c '{ read x <in/out/go; %s
echo >in/out/done; } >in/out/null 2>&1 & cat secret'
echo >in/out/go
read x <in/out/done
"""


def record_left(place, script, *options):
    options = restricted(place, {"s.sh": LEFT % script, "far/run": ("#!/bin/sh\n", 0o755)}, *options)
    for name in "go", "done":
        os.mkfifo(place.path("work", "in", "out", name))
    return options


@case("record --explain: what a command's other processes are denied after its end is in its tail")
def tails(place):
    options = record_left(place, "cat secret secret in/plain /none; far/run; mkdir made")
    argv = ["/bin/sh", "s.sh"]
    texts = []
    for _ in range(2):
        expect_status(place.record(argv, "-q", "--explain", *options), 0, "record")
        with open(os.path.join(place.tape, "tape.jsonl"), "rb") as f:
            texts.append(f.read())
    expect_equal("the tape", texts[0], texts[1])
    expect_equal("until its end", [secret(place)], denials(place))
    unit, = place.units()
    expect_equal("after its end", [
        ("landlock-fs", "execve", "$WORK/far/run", "EACCES"),
        ("landlock-fs", "mkdir", "$WORK/made", "EACCES"),
        ("landlock-fs", "openat", "$WORK/secret", "EACCES"),
    ], [(d["mechanism"], d["call"], d.get("what"), d["error"]) for d in unit["denied_tail"]])
    expect(all("count" not in d and "pid" not in d for d in unit["denied_tail"]), f"{unit}")
    expect_status(place.sandtape("tape", "check", place.tape), 0, "check")
    shown = place.sandtape("tape", "show", place.tape).out.decode()
    expect_equal("shown", 3, shown.count("denied later  "))
    other = place.path("other.tape")
    place.record(argv, "-q", "-t", other, *options)
    compared = place.sandtape("tape", "diff", "--fidelity", "byte", place.tape, other)
    expect_status(compared, 1, "diff")
    expect(b"denied later" in compared.out, f"{compared.out}")


@case("record --policy: a signal to what a command has left behind is in its tail",
      needs=("python3",))
def tail_signals(place):
    options = record_left(place, f"{PYTHON} in/p.py 250; {PYTHON} in/p.py 321")
    place.write("in/p.py", PRELUDE + "call(int(sys.argv[1]), 0, 0, 0, 0)\n")
    policy = json.loads(place.content("policy.json"))
    place.write("policy.json", json.dumps({**policy, **BY_SIGNAL}))
    expect_status(place.record(["/bin/sh", "s.sh"], "-q", *options), 0, "record")
    unit, = place.units()
    expect_equal("after its end", [("keyctl", "SIGSYS"), ("bpf", "SIGSYS")][::-1],
                 [(d["call"], d["signal"]) for d in unit["denied_tail"]])


@case("record --explain: what is denied to a daemon is on the tape until the program ends")
def tail_of_daemon(place):
    options = record_left(place, "cat secret; echo >in/out/done; read x <in/out/go; cat far/run")
    expect_status(place.record(["/bin/sh", "s.sh"], "-q", "--explain", *options), 0, "record")
    unit, = place.units()
    expect_equal("so far", {"$WORK/secret"}, {d["what"] for d in unit["denied_tail"]})
    with open(place.path("work", "in", "out", "go"), "w", encoding="utf-8") as f:
        f.write("\n")
    with open(place.path("work", "in", "out", "done"), encoding="utf-8") as f:
        f.read()
    expect_status(place.sandtape("tape", "check", place.tape), 0, "check")


@case("record --policy: what is left is killed, also where exits stop")
def left(place):
    options = restricted(place, {"s.sh": "sh -c 'echo >in/out/on; sleep 60 & sleep 60' >/dev/null &\n"
                                         "until [ -e in/out/on ]; do sleep 0.01; done\n"},
                         "--daemons", "kill", **BY_SIGNAL)
    for explain in (), ("--explain",):
        got = place.record(["/bin/sh", "s.sh"], "-q", *options, *explain)
        expect_status(got, 0, "record")
        place.check_nothing_runs()
        os.unlink(place.path("work", "in", "out", "on"))


@case("record --explain: it is about a policy")
def misused(place):
    place.fresh({"s.sh": "true\n"})
    got = place.record(["/bin/sh", "s.sh"], "--explain")
    expect_status(got, 125, "without a policy")
    expect(b"--policy" in got.err, f"{got.err}")
