"""What compares tapes: diff, verify."""

import json
import os
import shutil

from badtapes import SUBJECT, TAPE_ROWS, blob_file, check_sentence, make_tape
from harness import PYTHON, case, expect, expect_equal, expect_status, expect_text, short
from tapes import diff, json_lines, tape_bytes

# --- diff ---------------------------------------------------------------------------------------

SCRIPT = "uname -s; echo \"$1\" >f; cat <f; sh -c \"$2\"; seq 2000\n"


def record_script(place, name, *args):
    place.write("s.sh", SCRIPT)
    tape = place.path(name)
    expect_status(place.sandtape("record", "-q", "-t", tape, "--", "/bin/sh", "s.sh", *args), 0,
                  "record")
    return tape


# (name, the second run's arguments, whether byte, semantic, outcome tell it)
DIFF_ROWS = [
    ("the same run again", ("x", "exit 0"), (False, False, False)),
    ("another output", ("y", "exit 0"), (True, True, False)),
    ("another command", ("x", ": other; exit 0"), (True, True, True)),
]


def check_diff(place, args, told):
    a = record_script(place, "a.tape", "x", "exit 0")
    b = record_script(place, "b.tape", *args)
    for fidelity, differs in zip(("byte", "semantic", "outcome"), told):
        for words in ([a, b], [b, a]):
            result = diff(place, "--fidelity", fidelity, *words)
            expect_status(result, 1 if differs else 0, fidelity)
            expect_equal("stderr", b"", result.err)
            quiet = diff(place, "-q", "--fidelity=" + fidelity, *words)
            expect_equal("-q", (result.status, b""), (quiet.status, quiet.out + quiet.err))
    by_default = diff(place, a, b)
    expect_equal("the default", diff(place, "--fidelity", "semantic", a, b).out, by_default.out)


def add_diff_rows():
    for name, *row in DIFF_ROWS:
        case("tape diff: " + name)(lambda place, row=tuple(row): check_diff(place, *row))


add_diff_rows()


@case("tape diff: what is printed")
def diff_text(place):
    a = record_script(place, "a.tape", "x", "exit 0")
    b = record_script(place, "b.tape", "y", ": other; exit 0")
    result = diff(place, a, b)
    expect_equal("stdout", f"""\
~ cat   (in $WORK)
    stdin        A 2 B $'x\\n'
                 B 2 B $'y\\n'
    stdout       A 2 B $'x\\n'
                 B 2 B $'y\\n'
- sh -c 'exit 0'   (in $WORK)
+ sh -c ': other; exit 0'   (in $WORK)
{a} and {b}: different (semantic): 2 commands alike, 1 changed, 1 only in A, 1 only in B
""", result.out.decode())


@case("tape diff --json")
def diff_json(place):
    a = record_script(place, "a.tape", "x", "exit 0")
    b = record_script(place, "b.tape", "y", "exit 0")
    result = diff(place, "--json", a, b)
    expect_status(result, 1)
    changed, total = json_lines(result)
    expect_equal("difference", ("changed", ["cat"], "$WORK"),
                 (changed["difference"], changed["argv"], changed["cwd"]))
    expect_equal("fields", [{"field": "stdin", "a": "2 B $'x\\n'", "b": "2 B $'y\\n'"},
                            {"field": "stdout", "a": "2 B $'x\\n'", "b": "2 B $'y\\n'"}],
                 changed["fields"])
    expect_equal("total", {"a": a, "b": b, "fidelity": "semantic", "same": False, "a_commands": 4,
                           "b_commands": 4, "alike": 3, "changed": 1, "moved": 0, "only_a": 0,
                           "only_b": 0}, total)


@case("tape diff: parallel commands in another order are alike")
def diff_parallel(place):
    tapes = []
    for name, delays in (("a.tape", "0.1 0.3"), ("b.tape", "0.3 0.1")):
        one, two = delays.split()
        place.write("s.sh", f"(sleep {one}; uname -s) & (sleep {two}; uname -m) & sleep 1; wait\n")
        tapes.append(place.path(name))
        expect_status(place.sandtape("record", "-q", "-t", tapes[-1], "--", "/bin/sh", "s.sh"), 0)
    result = diff(place, "--fidelity", "byte", *tapes)
    expect_status(result, 1, "byte")
    expect(b"> " in result.out, short(result.out))
    # sleep 0.1 and sleep 0.3 change places, too: all of it ran beside the long one.
    expect_status(diff(place, *tapes), 0, "semantic")
    expect_status(diff(place, "--fidelity", "outcome", *tapes), 0, "outcome")


def check_diff_of_bad(place, damage, words):
    good = record_script(place, "good.tape", "x", "exit 0")
    make_tape(place)
    damage(place.tape)
    for pair in ([good, place.tape], [place.tape, good], [place.tape, place.tape]):
        check_sentence("tape diff", diff(place, *pair), words)


def add_bad_rows():
    for name, damage, words, _ in TAPE_ROWS:
        case("tape diff: " + name)(
            lambda place, row=(damage, words): check_diff_of_bad(place, *row))


add_bad_rows()


@case("tape diff: a blob that is needed and damaged")
def diff_blob(place):
    tapes = []
    for name, content in (("a.tape", "a" * 5000), ("b.tape", "b" * 5000)):
        place.write("f", content)
        tapes.append(place.path(name))
        expect_status(place.sandtape("record", "-q", "-t", tapes[-1], "--", "/bin/sh", "-c",
                                     "cat f; exit"), 0, "record")
    expect_status(diff(place, *tapes), 1, "whole")
    os.remove(blob_file(tapes[1]))
    check_sentence("tape diff", diff(place, *tapes), ["b.tape/blobs/", "missing"])
    # Equal blobs are not looked at; `tape check` does that.
    expect_status(diff(place, tapes[1], tapes[1]), 0, "with itself")


@case("tape diff: standard output on a full disk")
def diff_full(place):
    make_tape(place)
    expect_status(place.sandtape("tape", "diff", place.tape, place.tape, mode="full"), 125)


# --- verify -------------------------------------------------------------------------------------

VERIFIED = "uname -s; cat f; sh -c \"exit $1\"; (cd sub; seq 1500) | cksum; exit 5\n"


def prepare_verify(place, content="same\n"):
    place.fresh({"s.sh": VERIFIED, "f": content, "sub": None})


def verify(place, argv, *options, **how):
    return place.sandtape("verify", "-t", place.tape, *options, "--", *argv, **how)


def record_verified(place, *options, **how):
    prepare_verify(place)
    argv = ["/bin/sh", "s.sh", "3"]
    expect_status(place.record(argv, "-q", *options, **how), 5, "record")
    return argv


@case("verify: a run that does what the tape says")
def verify_same(place):
    argv = record_verified(place)
    before = tape_bytes(place.tape)
    native = place.run(argv)
    for options in ([], ["--fidelity", "byte"], ["--fidelity=outcome"]):
        result = verify(place, argv, *options)
        expect_status(result, 0, str(options))
        expect_equal("stdout", native.out, result.out)
        expect_text(result, "does what the tape says (5 alike, 0 changed")
        quiet = verify(place, argv, "-q", *options)
        expect_equal("-q", (0, b""), (quiet.status, quiet.err))
    expect_equal("the tape", before, tape_bytes(place.tape))
    # Where its output goes is the caller's affair.
    expect_status(verify(place, argv, "-q", mode="file"), 0, "to a file")


@case("verify: drift is told for each command, with status 124")
def verify_drift(place):
    argv = record_verified(place)
    before = tape_bytes(place.tape)
    prepare_verify(place, "changed\n")
    result = verify(place, ["/bin/sh", "s.sh", "4"])
    expect_status(result, 124)
    expect_equal("stderr", f"""\
sandtape: ~ cat f   (in $WORK)
    stdout       A 5 B $'same\\n'
                 B 8 B $'changed\\n'
sandtape: - sh -c 'exit 3'   (in $WORK)
sandtape: + sh -c 'exit 4'   (in $WORK)
sandtape: {place.tape}: the run drifted (3 alike, 1 changed, 0 in another place, 1 only on the \
tape, 1 new)
""", result.err.decode())
    expect_status(verify(place, argv, "-q", "--fidelity", "outcome"), 0, "outcome")
    expect_status(verify(place, argv, "-q"), 124, "-q")
    report = place.path("report.json")
    expect_status(verify(place, argv, "--report", report), 124, "--report")
    with open(report, encoding="ascii") as f:
        told = [json.loads(line) for line in f]
    expect_equal("report", [("changed", ["cat", "f"])],
                 [(d["difference"], d["argv"]) for d in told])
    expect_equal("the tape", before, tape_bytes(place.tape))


@case("verify: the tape's own settings hold")
def verify_settings(place):
    os.makedirs(place.path("data"))
    argv = ["/bin/sh", "s.sh"]
    files = {"s.sh": './launch "$DATA"; date >/dev/null; sh -c "echo $MODE"\n',
             "launch": ("#!/bin/sh\nls $1/..; uname\n", 0o755)}
    place.fresh(files)
    env = {"MODE": "x", "DATA": place.path("data")}
    root = ["--root", "DATA=" + place.path("data")]
    expect_status(place.record(argv, "-q", "--env", "MODE", "--through", "launch", "--real", "date",
                               *root, env=env), 0, "record")
    os.makedirs(place.path("tmp2"))
    expect_status(verify(place, argv, *root, "--fidelity", "byte", env=env), 124, "tmp2 is new")
    os.rmdir(place.path("tmp2"))
    expect_status(verify(place, argv, *root, "--fidelity", "byte", env=env), 0, "verify")
    env["MODE"] = "y"
    expect_status(verify(place, argv, *root, "-q", env=env), 124, "another value")
    check_sentence("verify", verify(place, argv, env=env), ["the root DATA", "--root DATA=DIR"],
                   False)


@case("verify: parallel commands are no drift")
def verify_parallel(place):
    script = """
import subprocess, random, time
from concurrent.futures import ThreadPoolExecutor
def one(i):
    time.sleep(random.random() / 20)
    return subprocess.run(["sh", "-c", f"sleep 0.0{i % 7}; echo {i % 5}"], stdout=subprocess.PIPE)
with ThreadPoolExecutor(8) as pool:
    list(pool.map(one, range(32)))
"""
    argv = [PYTHON, "s.py"]
    place.fresh({"s.py": script})
    expect_status(place.record(argv, "-q"), 0, "record")
    for _ in range(3):
        result = verify(place, argv, "--fidelity", "byte")
        expect_equal("verify", 0, result.status)


@case("verify: the backend of the tape")
def verify_backend(place):
    for backend in ("preload", "path"):
        argv = record_verified(place, "--backend", backend)
        result = verify(place, argv)
        expect_status(result, 0, backend)
        expect_text(result, "by the backend " + backend)
        shutil.rmtree(place.tape)


@case("verify: refusals")
def verify_refusals(place):
    argv = record_verified(place)
    place.tape = place.path("none.tape")
    result = verify(place, argv)
    check_sentence("no tape", result, ["none.tape"], False)
    expect_equal("the subject ran", b"", result.out)
    place.tape = place.path("x.tape")
    result = verify(place, ["./none"])
    expect_status(result, 127, "no program")
    result = verify(place, argv, "--report", place.path("no", "file"))
    check_sentence("report", result, ["no/file"], False)
    expect_equal("the subject ran", b"", result.out)
    result = verify(place, argv, "--report", "/dev/full", "-q")
    expect_status(result, 0, "nothing to write")
    prepare_verify(place, "changed\n")
    check_sentence("a full disk", verify(place, argv, "--report", "/dev/full", "-q"),
                   ["cannot write /dev/full"], False)


def check_verify_of_bad(place, damage, words):
    make_tape(place)
    damage(place.tape)
    result = place.sandtape("verify", "-q", "-t", place.tape, "--", *SUBJECT)
    check_sentence("verify", result, words)
    expect_equal("the subject ran: stdout", b"", result.out)


def add_verify_rows():
    for name, damage, words, _ in TAPE_ROWS:
        case("verify: " + name)(lambda place, row=(damage, words): check_verify_of_bad(place, *row))


add_verify_rows()
