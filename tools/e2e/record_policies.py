"""record --policy: each command is restricted, the program itself is not; what a command was denied
is what a replay without the policy gives."""

import json
import os
import shutil

from cli import NOBODY, PROGRAM_32
from harness import (Skipped, case, expect, expect_equal, expect_same, expect_status,
                     find_program)
from outcome import expect_text
from sandbox import IS_ROOT, PYTHON


def restricted(place, files, *options, **policy):
    """Writes the files, a secret and a policy that denies it; the options that restrict."""
    place.fresh({"in/plain": "open\n", "in/out": None, "secret": "hidden\n", **files})
    policy = {"version": 1, "fs": {"workspace": [place.path("work", "in")]}, **policy}
    place.write("policy.json", json.dumps(policy))
    return ("--policy", place.path("work", "policy.json"), *options)


def check(place, argv, options, out, err=None, status=0):
    """Records under the policy, observed and not, and replays without it: all must write that."""
    for explain in ("--explain",), ():
        recorded = place.record(argv, "-q", *options, *explain)
        expect_status(recorded, status, "record")
        expect_equal("stdout", out.encode(), recorded.out)
        if err is not None:
            expect_equal("stderr", err.encode(), recorded.err)
        expect_same("replay", recorded, place.replay(argv, "-q"))


@case("record --policy: sh: a command reads what it may, the program all")
def shell(place):
    options = restricted(place, {"s.sh": """\
read line <secret; echo "the program: $line"
cat in/plain; echo $?
cat secret; echo $?
cp in/plain in/out/copy && cat in/out/copy
cp in/plain copy; echo $?
"""})
    check(place, ["/bin/sh", "s.sh"], options, "the program: hidden\nopen\n0\n1\nopen\n1\n", """\
cat: secret: Permission denied
cp: cannot create regular file 'copy': Permission denied
""")


@case("record --policy: no privileges, capabilities or descriptors are left to a command")
def privileges(place):
    options = restricted(place, {"s.sh": """\
exec 7<in/plain
exec 8<secret
grep -E 'NoNewPrivs|CapPrm|CapEff|CapAmb|Seccomp:' /proc/self/status
ls /proc/self/fd
sh -c 'ulimit -n; ulimit -Hn; grep Seccomp: /proc/self/status'
read line <&8; echo $line
sh -c 'ulimit -n'
"""}, inherit_fds=[7], limits={"files": 100})
    check(place, ["/bin/sh", "s.sh"], options,
          "CapPrm:\t0000000000000000\nCapEff:\t0000000000000000\nCapAmb:\t0000000000000000\n"
          "NoNewPrivs:\t1\nSeccomp:\t2\n0\n1\n2\n3\n7\n100\n100\nSeccomp:\t2\nhidden\n100\n", "")


@case("record --policy: errors of exec stay the kernel's own", needs=("python3",))
def exec_errors(place):
    options = restricted(place, {"in/none": ("#!/nowhere/at/all\n", 0o755),
                                 "in/bad": ("\0\1\2", 0o755), "p.py": """\
import os, subprocess
for name in ("/nowhere", "in/plain", "in/none", "in/bad", "in/plain/more"):
    try:
        print(subprocess.call([name]))
    except OSError as e:
        print(name, e.errno)
pid = os.fork()
if pid == 0:
    try:
        os.execv("/nowhere", ["x"])
    finally:
        os.execv("/bin/cat", ["cat", "secret"])
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""})
    check(place, [find_program("python3"), "p.py"], options, "/nowhere 2\nin/plain 13\nin/none 2\n"
          "in/bad 8\nin/plain/more 20\n1\n", "cat: secret: Permission denied\n")


@case("record --policy: a program that may not be executed is refused", needs=("python3",))
def unexecuted(place):
    script = ("#!/bin/sh\necho ran\n", 0o755)
    options = restricted(place, {"in/may": script, "far/may": script, "far/sh": ("", 0o755),
                                 "in/by": ("#!far/sh\n", 0o755),
                                 "in/by2": ("#! in/by\n", 0o755), "s.sh": """\
in/by2; echo $?
in/may; echo $?
far/may; echo $?
cd far; ./may; echo $?
cd ..; far/none 2>/dev/null; echo $?
PATH=$PWD/far:$PWD/in may
in/plain 2>/dev/null; echo $?
sh -c far/may; echo $?
"""})
    check(place, ["/bin/sh", "s.sh"], options,
          "126\nran\n0\n126\n126\n127\nran\n126\n126\n")
    errors = {unit["argv"][0]: unit.get("error") for unit in place.units()}
    expect_equal("recorded", ["EACCES", "EACCES", "EACCES", "ENOENT", None],
                 [errors[name] for name in ("in/by2", "far/may", "./may", "far/none", "in/may")])
    denied, = (unit["denied"] for unit in place.units() if unit["argv"][0] == "in/by2")
    expect_equal("because of", ["$WORK/far/sh"], [d["what"] for d in denied])


@case("record --policy: python3: a pipe, a child that shares memory, signals", needs=("python3",))
def python(place):
    options = restricted(place, {"p.py": """\
import subprocess
def run(*argv, **how):
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **how)
    print(done.returncode, done.stdout)
run("cat", "secret")
run("cat", "-", "in/plain", input=b"fed\\n")
run("@PYTHON", "-c", "import socket\\ntry: socket.socket(socket.AF_INET)\\n"
                     "except OSError as e: print(e.errno)")
run("sh", "-c", "kill -TERM $$")
run("sh", "-c", "kill -KILL $PPID 2>/dev/null || echo lives")
print(open("secret").read(), end="")
""".replace("@PYTHON", PYTHON)})
    check(place, [find_program("python3"), "p.py"], options, """\
1 b'cat: secret: Permission denied\\n'
0 b'fed\\nopen\\n'
0 b'13\\n'
-15 b''
0 b'lives\\n'
hidden
""", "")


@case("record --policy: make: recipes at the same time", needs=("make",))
def make(place):
    options = restricted(place, {"Makefile": """\
all: a b c d
\t@sort in/out/a in/out/b in/out/c in/out/d
a b c d:
\t@cat secret 2>/dev/null; echo $@ $$? >in/out/$@; ! (echo >$@.o) 2>/dev/null
"""})
    check(place, [find_program("make"), "-s", "-j4"], options, "a 1\nb 1\nc 1\nd 1\n", "")


@case("record --policy: what a command starts is restricted, too")
def descendants(place):
    options = restricted(place, {"s.sh": "sh -c 'cat secret; (sleep 0; cat secret) | cat; exec cat "
                                         "secret'; echo $?\n"})
    check(place, ["/bin/sh", "s.sh"], options, "1\n", "cat: secret: Permission denied\n" * 3)


@case("record --policy: launchers and what is real are not restricted")
def outside(place):
    options = restricted(place, {"s.sh": "env cat secret; cat secret; head secret\n"},
                         "--real", "head")
    recorded = place.record(["/bin/sh", "s.sh"], "-q", *options)
    expect_status(recorded, 0, "record")
    expect_equal("stdout", b"hidden\n", recorded.out)
    expect_equal("stderr", b"cat: secret: Permission denied\n" * 2, recorded.err)


@case("record --policy: --only runs its command under the policy")
def only(place):
    options = restricted(place, {"s.sh": "cat secret; echo $?\n"})
    argv = ["/bin/sh", "s.sh"]
    expect_equal("stdout", b"hidden\n0\n", place.record(argv, "-q").out)
    unit = place.units()[0]["id"]
    again = place.record(argv, "-q", "--only", unit, *options)
    expect_equal("stdout", b"1\n", again.out)
    expect_equal("replay", b"1\n", place.replay(argv, "-q").out)


@case("record --policy: a small stack, no standard streams")
def poor(place):
    options = restricted(place, {"s.sh": """\
ulimit -s 128; cat in/plain; cat secret
(exec <&- ; cat in/plain)
(exec 2>&-; cat secret; echo $?)
(exec 0<&- 1>&- 2>&-; cat secret)
"""})
    check(place, ["/bin/sh", "s.sh"], options, "open\nopen\n1\n",
          "cat: secret: Permission denied\n", status=1)


@case("record --policy: it says what holds, and what does not; the tape does, too")
def told(place):
    options = restricted(place, {"s.sh": "uname >/dev/null\n"})
    shown = place.record(["/bin/sh", "s.sh"], *options).err.decode()
    for words in ("restricts each command, and not the program itself: seccomp, landlock-fs",
                  "the environment"):
        expect(words in shown, f"'{words}' is not in: {shown}")
    with open(place.path("x.tape", "tape.jsonl"), encoding="utf-8") as tape:
        head = json.loads(tape.readline())
    expect_equal("the head", ["seccomp", "landlock-fs"], head["restricted"][:2])
    for name in ("namespaces", "cgroup", "env"):
        expect(name not in head["restricted"], f"{name} is in the head")
    unit = place.units()[0]["id"]
    for again in (place.record(["/bin/sh", "s.sh"], "--only", unit),
                  place.sandtape("verify", "-t", place.tape, "--", "/bin/sh", "s.sh")):
        expect(b"were restricted by a policy, and those" in again.err, f"no warning: {again.err}")
    place.write("s.sh", "uname -a\n")
    missed = place.replay(["/bin/sh", "s.sh"])
    expect(b" --policy POLICY -- " in missed.err, f"without the policy: {missed.err}")


@case("record --policy: refused: another backend, a bad policy, privileges to gain")
def refused(place):
    options = restricted(place, {"s.sh": "true\n"})
    for more, words in ((("--backend", "path"), "ptrace only"),
                        (("--policy", place.path("none")), "not a regular file")):
        got = place.record(["/bin/sh", "s.sh"], *options, *more)
        expect_status(got, 125, more[0])
        expect(words in got.err.decode(), f"'{words}' is not in: {got.err}")
    options = restricted(place, {"s.sh": "true\n"}, strictness={"no-new-privs": "off"})
    got = place.record(["/bin/sh", "s.sh"], *options)
    expect_status(got, 125, "no-new-privs")
    # An ordinary user is told first what else needs it.
    expect(b"new-privs cannot be switched off" in got.err or b"without no_new_privs" in got.err,
           f"{got.err}")


@case("record --policy: refused: what a command in its place cannot have, what is not there")
def not_to_be_had(place):
    for policy, words in (
            ({"namespaces": {"net": "on"}}, "in place: namespaces: "),
            ({"net": {"mode": "loopback"}}, "in place: namespaces: "),
            ({"inherit_fds": list(range(3, 303, 3))}, "more capabilities and descriptors than"),
            ({"fs": {"write": [place.path("none", "x")]}}, "there is no such file")):
        options = restricted(place, {"s.sh": "touch in/out/ran\n"}, **policy)
        got = place.record(["/bin/sh", "s.sh"], *options)
        expect_status(got, 125, words)
        expect(words in got.err.decode(), f"'{words}' is not in: {got.err}")
        expect_equal("the program has not run", None, place.content("in/out/ran"))


@case("record --policy: a 32-bit command ends the recording before it has run", needs=("as", "ld"))
def small(place):
    options = restricted(place, {"s.s": PROGRAM_32, "s.sh": "in/s; echo after\n",
                                 "x.sh": "sh -c in/s; echo $?\n"})
    for argv in (["as", "--32", "-o", "s.o", "s.s"], ["ld", "-m", "elf_i386", "-o", "in/s", "s.o"]):
        expect_status(place.run(argv), 0, argv[0])
    if place.run(["in/s"]).out != b"small\n":
        raise Skipped("32-bit programs do not run here")
    for explain in (), ("--explain",):
        got = place.record(["/bin/sh", "s.sh"], "-q", *options, *explain)
        expect_status(got, 125, "record")
        expect_equal("stdout", b"", got.out)
        expect(b"is a 32-bit program, which cannot be restricted by a policy (--real" in got.err,
               f"{got.err}")
    # One that a restricted command executes is: its calls are refused, that of its end, too.
    check(place, ["/bin/sh", "x.sh"], options, "139\n")


def copy_grep(place, owner):
    """A set-user-ID copy in the directory that commands may execute in."""
    copy = place.path("work", "in", "grep")
    shutil.copy(find_program("grep"), copy)
    if IS_ROOT:
        os.chown(copy, owner, owner)
    os.chmod(copy, 0o4755)


@case("record --policy: a set-user-ID command gains nothing")
def set_user_id(place):
    user = os.geteuid()
    rows = ((), 65534, "0\t65534"), (NOBODY, 0, "65534\t65534")
    for within, owner, ids in rows if IS_ROOT else (((), user, f"{user}\t{user}"),):
        options = restricted(place, {"s.sh": """\
in/grep -E '^(Uid|CapPrm|CapEff|NoNewPrivs|Seccomp):' /proc/self/status
in/grep hidden secret
in/grep open in/plain
"""})
        copy_grep(place, owner)
        shutil.rmtree(place.tape, ignore_errors=True)
        place.within = within
        for explain in (), ("--explain",):
            got = place.record(["/bin/sh", "s.sh"], "-q", *options, *explain)
            text = got.out.decode()
            expect(text.startswith(f"Uid:\t{ids}"), text)
            none = "0000000000000000"
            expect_equal("privileges", f"CapPrm:\t{none}\nCapEff:\t{none}\nNoNewPrivs:\t1\n"
                         "Seccomp:\t2\nopen\n", text.split("\n", 1)[1])
            expect(b"secret: Permission denied" in got.err, f"{got.err}")


@case("record --policy: verify holds under the same policy, and drifts under another or none")
def verified(place):
    options = restricted(place, {"s.sh": "cat secret\ncat in/plain\n:\n"})
    argv = ["/bin/sh", "s.sh"]
    place.record(argv, "-q", "--explain", *options)

    def verify(*more):
        return place.sandtape("verify", "-t", place.tape, *more, "--", *argv)

    same = verify("--fidelity", "byte", "--explain", *options)
    expect_status(same, 0, "the same policy")
    expect_text(same, "restricts each command", "does what the tape says (2 alike")
    # Without --explain the commands do the same, and their records have less.
    expect_status(verify(*options), 0, "unobserved")
    expect_text(verify("--fidelity", "byte", *options), "denied", "2 changed")
    none = verify()
    expect_status(none, 124, "no policy")
    expect_text(none, "those that run now are not", "1 changed")
    place.write("more.json", json.dumps({"version": 1, "fs": {"workspace": [place.path("work")]}}))
    more = verify("-q", "--policy", place.path("work", "more.json"))
    expect_status(more, 124, "a policy that grants it")
    refused = verify("--explain")
    expect_status(refused, 125, "--explain alone")
    expect_text(refused, "--policy")
