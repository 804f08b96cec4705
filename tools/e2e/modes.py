"""sandtape run: modes; and record --only."""

import json
import os

from harness import PYTHON, SANDTAPE, case, expect, expect_equal, expect_status, expect_text

FIRST = "uname -s; echo one | wc -c; ./missing x\n"
MORE = ("uname -s; sh -c 'echo new; echo err >&2; exit 4'; echo $?\n"
        "echo one | wc -c; ./missing x; ./another-missing\n"
        "seq 30000 | tail -n 1; uname -s\n")
ARGV = ["/bin/sh", "s.sh"]


def run(place, mode, *options, **how):
    return place.sandtape("run", "-t", place.tape, "--mode", mode, *place.backend_option(),
                          *options, "--", *ARGV, **how)


def argvs(place):
    return [u["argv"] for u in place.units()]


def lines(place):
    with open(os.path.join(place.tape, "tape.jsonl"), "rb") as f:
        return f.read()


@case("run once: records, and then replays")
def once(place):
    place.fresh({"s.sh": FIRST})
    first = place.sandtape("run", "-t", place.tape, "--", *ARGV)
    expect_text(first, "recorded 3 commands")
    before = lines(place)
    second = place.sandtape("run", "-t", place.tape, "--", *ARGV, hidden=True)
    expect_text(second, "answered 3 commands")
    expect_equal("status", first.status, second.status)
    expect_equal("stdout", first.out, second.out)
    expect_equal("tape", before, lines(place))
    place.write("s.sh", MORE)
    expect_status(run(place, "once"), 123, "another program")
    expect_status(run(place, "replay"), 123, "replay")
    expect_status(run(place, "record"), 0, "record")
    expect_status(run(place, "replay", "--all-used", hidden=True), 0)


@case("a program that cannot be executed leaves the tape as it was")
def not_executed(place):
    place.fresh({"s.sh": FIRST, "file": "no program\n"})
    commands = [["record", "-t", "@"]]
    commands += [["run", "-t", "@", "--mode", mode] for mode in ("once", "record", "new-episodes")]
    for wanted in (None, "a tape"):
        if wanted:
            place.record(ARGV, "-q")
            wanted = lines(place)
        for command in [*commands, ["verify", "-t", "@"]][:5 if wanted else 4]:
            for subject, status in (("./typo.sh", 127), ("typo", 127), ("./file", 126)):
                words = [place.tape if word == "@" else word for word in command]
                result = place.sandtape(*words, "--", subject)
                expect_status(result, status)
                expect_text(result, f"cannot execute {subject}")
                expect(b"sandtape: recorded" not in result.err and b"drifted" not in result.err,
                       f"it tells more than that: {result.err!r}")
                if wanted:
                    expect_equal(f"the tape after {command}", wanted, lines(place))
                    expect_equal("files", ["tape.jsonl", "timing.jsonl"],
                                 sorted(n for n in os.listdir(place.tape) if n != "blobs"))
                else:
                    expect(not os.path.exists(place.tape), f"{command} made a tape")


@case("run: a mode that there is not")
def wrong_mode(place):
    place.fresh({"s.sh": "echo >ran\n"})
    result = run(place, "some")
    expect_status(result, 125)
    expect_text(result, "new-episodes", "'some'")
    expect(not os.path.exists(os.path.join(place.work, "ran")), "it ran")


@case("run: options of the sandbox are refused with a tape, and say what takes them")
def sandbox_with_tape(place):
    place.fresh({"s.sh": "echo >ran\n"})
    for options in (("--policy", "p.json"), ("--explain",), ("--net", "none"), ("--write", ".")):
        result = run(place, "once", *options)
        expect_status(result, 125)
        expect_text(result, "with a tape there is no sandbox", f"'{options[0]}'", "record --policy")
        expect(not os.path.exists(os.path.join(place.work, "ran")), "it ran")


@case("run new-episodes: no tape is a recording")
def episodes_of_nothing(place):
    place.fresh({"s.sh": FIRST})
    expect_text(run(place, "new-episodes"), "recorded 3 commands")


def check_episodes(place):
    place.fresh({"s.sh": FIRST})
    expect_status(place.record(ARGV, "-q"), 127, "record")
    old = argvs(place)
    place.write("s.sh", MORE)
    added = run(place, "new-episodes")
    expect_status(added, 0, "new-episodes")
    expect_equal("stderr", b"err\n", b"".join(l for l in added.err.splitlines(True)
                                              if l == b"err\n"))
    expect_text(added, "answered 3 commands", "ran 5 commands")
    name = os.uname().sysname.encode() + b"\n"
    expect_equal("stdout", name + b"new\n4\n4\n30000\n" + name, added.out)
    expect_equal("old records", old, argvs(place)[:3])
    expect_status(place.sandtape("tape", "check", place.tape), 0, "tape check")
    before = lines(place)
    again = run(place, "new-episodes", "--all-used")
    expect_status(again, 0, "again")
    expect_text(again, "stays as it was")
    expect_equal("tape", before, lines(place))
    replayed = place.replay(ARGV, "--all-used")
    expect_status(replayed, 0, "replay")
    expect_equal("stdout", added.out, replayed.out)


case("run new-episodes: adds what is not there")(check_episodes)


@case("run new-episodes: with the other backends")
def episodes_of_backends(place):
    script = "uname -s; echo one | wc -c\n"
    for backend in ("preload", "path"):
        place.backend = backend
        place.fresh({"s.sh": script})
        expect_status(place.record(ARGV, "-q"), 0, "record")
        place.write("s.sh", "uname -s; uname -m; echo one | wc -c\n")
        expect_text(run(place, "new-episodes"), "answered 2 commands", "ran 1 command")
        expect_status(place.replay(ARGV, "-q", "--all-used"), 0, "replay")


@case("run new-episodes: a stdin that no record has is a miss")
def episodes_of_stdin(place):
    place.fresh({"s.sh": "echo one | wc -c\n"})
    expect_status(place.record(ARGV, "-q"), 0, "record")
    before = lines(place)
    place.write("s.sh", "echo two | wc -c; uname -s\n")
    result = run(place, "new-episodes")
    expect_status(result, 123)
    expect_text(result, "the input of this command", "ran 1 command")
    expect(lines(place).startswith(before), "the old records changed")


@case("run new-episodes: killed in the middle, the tape is as it was")
def episodes_killed(place):
    place.fresh({"s.sh": FIRST})
    expect_status(place.record(ARGV, "-q"), 127, "record")
    before = lines(place)
    place.write("s.sh", "uname -s; uname -m; kill -9 $PPID; sleep 1\n")
    place.run([SANDTAPE, "run", "-t", place.tape, "--mode", "new-episodes", "--", *ARGV])
    expect_equal("tape", before, lines(place))
    place.write("s.sh", MORE)
    expect_text(run(place, "new-episodes"), "ran 5 commands")


@case("record --only: one command anew, the others as they are")
def only(place):
    place.fresh({"s.sh": "cat n1; cat n1; cat n2; cat n1\n", "n1": "old\n", "n2": "two\n"})
    expect_status(place.record(ARGV, "-q"), 0, "record")
    units = place.units()
    place.write("n1", "new\n")
    place.write("n2", "not asked for\n")
    result = place.record(ARGV, "--only", units[1]["id"])
    expect_status(result, 0, "record --only")
    expect_text(result, "answered 3 commands", "ran 1 command")
    expect_equal("stdout", b"old\nnew\ntwo\nold\n", result.out)
    expect_equal("outputs", ["old\n", "new\n", "two\n", "old\n"], [u["stdout"] for u in place.units()])
    expect_equal("ids", [u["id"] for u in units], [u["id"] for u in place.units()])
    expect_status(place.sandtape("tape", "check", place.tape), 0, "tape check")
    replayed = place.replay(ARGV, "--all-used", "--order", "strict")
    expect_status(replayed, 0, "replay")
    expect_equal("replayed", result.out, replayed.out)


SEARCHES = """import subprocess
for name in ("uname", "not-there", "echo"):
    try:
        print(subprocess.run([name, "a"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout)
    except OSError as e:
        print(e.errno)
"""


@case("run new-episodes, record --only: searches through PATH")
def searches(place):
    argv = [PYTHON, "s.py"]
    path = {"PATH": place.work + "/none:/none:" + os.environ["PATH"]}
    place.fresh({"s.py": "pass\n"})
    expect_status(place.record(argv, "-q"), 0, "record")
    place.write("s.py", SEARCHES)
    result = place.sandtape("run", "-t", place.tape, "--mode", "new-episodes", "--", *argv,
                            env=path)
    expect_status(result, 0)
    expect_text(result, "ran 3 commands")
    units = place.units()
    expect_equal("ends", [(1, None), (None, "ENOENT"), (0, None)],
                 [(u["code"], u.get("error")) for u in units])
    for unit in units:
        again = place.sandtape("record", "-t", place.tape, "--only", unit["id"], "--", *argv,
                               env=path)
        expect_status(again, 0, "record --only")
        expect_text(again, "answered 2 commands", "ran 1 command")
        expect_equal("stdout", result.out, again.out)
        expect_equal("units", [u["id"] for u in units], [u["id"] for u in place.units()])


@case("record --only: a miss beside it leaves the tape as it was")
def only_with_a_miss(place):
    place.fresh({"s.sh": "uname -s; uname -m\n"})
    expect_status(place.record(ARGV, "-q"), 0, "record")
    before = lines(place)
    unit = place.units()[0]["id"]
    for script in ("uname -s; uname -r\n", "uname -m\n"):
        place.write("s.sh", script)
        expect_status(place.record(ARGV, "--only", unit), 123)
        expect_equal("tape", before, lines(place))
        expect(not os.path.exists(os.path.join(place.tape, "journal.jsonl")), "a journal is left")


@case("record --only: an id that there is not")
def only_unknown(place):
    place.record_script("uname -s\n")
    for unit in ("x", "0123456789abcdef.0", "0123456789abcdef.00", "0123456789abcdef"):
        result = place.record(ARGV, "--only", unit)
        expect_status(result, 125)
        expect_text(result, unit, "tape show --json")


@case("record --only: without a tape")
def only_without_a_tape(place):
    place.fresh({"s.sh": "echo >ran\n"})
    expect_status(place.record(ARGV, "--only", "0123456789abcdef.0"), 125)
    expect(not os.path.exists(os.path.join(place.work, "ran")), "it ran")


@case("run --report: of new episodes, too")
def episodes_report(place):
    place.fresh({"s.sh": "echo one | wc -c\n"})
    expect_status(place.record(ARGV, "-q"), 0, "record")
    place.write("s.sh", "echo two | wc -c; uname -s\n")
    expect_status(run(place, "new-episodes", "-q", "--report", "r.json"), 123)
    with open(os.path.join(place.work, "r.json"), encoding="utf-8") as f:
        told = json.load(f)
    expect_equal("kinds", ["input"], [d["kind"] for d in told["divergences"]])
