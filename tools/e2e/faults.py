"""Interruptions and damage: Ctrl-C, kill -9, two recorders, torn and damaged tapes."""

import json
import os
import shutil
import signal
import sys

from harness import (SANDTAPE, case, expect, expect_equal, expect_status, expect_text, kill_group,
                     shell_status, wait_until)

SLOW = "uname -s; sleep 20; uname -m\n"


def start_record(place, script, *options):
    place.fresh({"s.sh": script})
    argv = [SANDTAPE, "record", "-t", place.tape, *options, "--", "/bin/sh", "s.sh"]
    return place.start(argv)


def runs(place, *words):
    """A process of the place whose arguments begin so is there."""
    wanted = " ".join(words)
    return any(line.startswith(wanted) for _, line in place.marked())


def wait_for_unit(place, *words):
    wait_until(lambda: runs(place, *words), "the unit runs")


def wait_for_record(place, word):
    """A unit can run a moment before a busy recorder has written down that it does."""
    def is_there():
        try:
            with open(os.path.join(place.tape, "journal.jsonl"), "rb") as f:
                return word in f.read()
        except FileNotFoundError:
            return False
    wait_until(is_there, "the journal has the unit")


def expect_unfinished(units, argv):
    expect_equal("unfinished", [argv], [u["argv"] for u in units if u.get("unfinished")])


@case("Ctrl-C while a unit runs")
def interrupted(place):
    process = start_record(place, SLOW)
    wait_for_unit(place, "sleep 20")
    os.killpg(process.pid, signal.SIGINT)
    out, err = place.finish(process)
    expect_equal("status", 130, shell_status(process.returncode))
    expect_equal("stdout", os.uname().sysname.encode() + b"\n", out)
    units = place.units()
    expect_equal("units", [["sleep", "20"], ["uname", "-s"]], sorted(u["argv"] for u in units))
    slept = [u for u in units if u["argv"][0] == "sleep"][0]
    expect(slept["signal"] == "SIGINT" or slept.get("unfinished"), f"sleep ended with {slept}")


@case("Ctrl-C that the subject handles")
def interrupt_handled(place):
    # The group gets it, and so does sandtape, which passes it on: it may come twice.
    process = start_record(place, "trap 'trap \"\" INT; echo stopped; uname; exit 3' INT\n" + SLOW)
    wait_for_unit(place, "sleep 20")
    os.killpg(process.pid, signal.SIGINT)
    out, _ = place.finish(process)
    name = os.uname().sysname.encode() + b"\n"
    expect_equal("stdout", name + b"stopped\n" + name, out)
    expect_equal("status", 3, process.returncode)
    expect_equal("units", 3, len(place.units()))


@case("Ctrl-C in a replay")
def interrupt_replay(place):
    place.fresh({"s.sh": "uname; while :; do :; done\n"})
    expect_status(place.record(["/bin/sh", "-c", "uname"], "-q"), 0, "record")
    process = place.start([SANDTAPE, "replay", "-q", "-t", place.tape, "--", "/bin/sh", "s.sh"])
    expect_equal("stdout", os.uname().sysname.encode() + b"\n", process.stdout.readline())
    os.killpg(process.pid, signal.SIGINT)
    place.finish(process)
    expect_equal("status", 130, shell_status(process.returncode))


@case("kill -9 of the recorder leaves a readable tape, and nobody behind")
def recorder_killed(place):
    process = start_record(place, "for i in 1 2 3; do uname -s; done\n" + SLOW)
    wait_for_unit(place, "sleep 20")
    wait_for_record(place, b'"20"')
    os.kill(process.pid, signal.SIGKILL)
    place.finish(process)
    place.check_nothing_runs()
    units = place.units()
    expect_equal("units", 5, len(units))
    expect_equal("finished", 4, len([u for u in units if u["code"] == 0]))
    expect_unfinished(units, ["sleep", "20"])
    expect_status(place.sandtape("tape", "show", place.tape), 0, "tape show")
    result = place.replay(["/bin/sh", "-c", "uname -s"], "-q")
    expect_status(result, 0, "replay of the journal")
    # And the next recording is as if nothing had been.
    place.record_script("uname -m\n")
    expect_equal("units", [["uname", "-m"]], [u["argv"] for u in place.units()])
    expect("journal.jsonl" not in os.listdir(place.tape), "the journal is still there")


def break_off(place, script, *others):
    """Kills the recorder of the script in its `sleep 20`, and in others that have begun."""
    process = start_record(place, script)
    wait_for_unit(place, "sleep 20")
    for begun in b'"20"', *others:
        wait_for_record(place, begun)
    os.kill(process.pid, signal.SIGKILL)
    place.finish(process)
    place.check_nothing_runs()


@case("a replay of what broke off ends with a miss in the command that it broke off in")
def broken_off_replayed(place):
    break_off(place, SLOW)
    result = place.replay(["/bin/sh", "s.sh"], "--report", "r.json")
    expect_status(result, 123, "replay")
    expect_equal("stdout", os.uname().sysname.encode() + b"\n", result.out)
    expect_text(result, f"{place.tape}: the recording broke off in this command", "sleep 20",
                "record it again with: sandtape record -t")
    told = [(d["kind"], d["argv"]) for d in json.loads(place.content("r.json"))["divergences"]]
    expect_equal("told", [("unfinished", ["sleep", "20"]), ("no_record", ["uname", "-m"])], told)


@case("what broke off is waited for by a program that reads it, one after the other")
def broken_off_pipe(place):
    break_off(place, "sleep 20 | cat\n", b'"cat"')
    result = place.replay(["/bin/sh", "s.sh"], "-q")
    expect_status(result, 123, "replay")
    expect_text(result, "the recording broke off in this command", "cat")


@case("what broke off is waited for no longer by a program that asks again and again")
def broken_off_polled(place):
    break_off(place, f"exec {sys.executable} -c '\nimport subprocess, time\n"
                     "p = subprocess.Popen([\"sleep\", \"20\"])\n"
                     "while p.poll() is None:\n  time.sleep(0.01)\nprint(p.poll())'\n")
    result = place.replay(["/bin/sh", "s.sh"], "-q")
    expect_status(result, 123, "replay")
    expect_equal("stdout", b"123\n", result.out)
    expect_text(result, "the recording broke off in this command")


@case("a replay of what broke off goes on when the program kills the command")
def broken_off_killed(place):
    # What uname wrote is written again when its record is on the tape.
    script = "sleep 20 & p=$!; x=$(uname -s); echo $x; read line <fifo; kill $p; wait $p; echo $?\n"
    place.fresh({"s.sh": script})
    os.mkfifo(os.path.join(place.work, "fifo"))
    argv = ["/bin/sh", "s.sh"]
    process = place.start([SANDTAPE, "record", "-t", place.tape, "--", *argv])
    name = os.uname().sysname.encode() + b"\n"
    expect_equal("stdout", name, process.stdout.readline())
    wait_for_record(place, b'"20"')
    os.kill(process.pid, signal.SIGKILL)
    place.finish(process)
    os.remove(os.path.join(place.work, "fifo"))
    place.write("fifo", "go on\n")
    result = place.replay(argv, "-q")
    expect_status(result, 0, "replay")
    expect_equal("stdout", name + b"143\n", result.out)


@case("kill -9 of a re-recording keeps the old tape")
def rerecorder_killed(place):
    place.record_script("uname -m\n")
    process = start_record(place, SLOW)
    wait_for_unit(place, "sleep 20")
    os.kill(process.pid, signal.SIGKILL)
    place.finish(process)
    place.check_nothing_runs()
    result = place.sandtape("tape", "show", "--json", place.tape)
    expect_status(result, 0)
    expect_text(result, "warning", "interrupted")
    expect_equal("units", 1, len(result.out.splitlines()))
    expect_status(place.replay(["/bin/sh", "-c", "uname -m"], "-q"), 0, "replay")


@case("kill -9 of a replay leaves nobody behind")
def replayer_killed(place):
    place.record_script("uname\n")
    place.write("s.sh", "uname; while :; do :; done\n")
    process = place.start([SANDTAPE, "replay", "-q", "-t", place.tape, "--", "/bin/sh", "s.sh"])
    process.stdout.readline()
    os.kill(process.pid, signal.SIGKILL)
    place.finish(process)
    place.check_nothing_runs()


@case("a second recorder of the same tape is refused")
def second_recorder(place):
    process = start_record(place, SLOW)
    try:
        wait_for_unit(place, "sleep 20")
        for _ in range(2):
            result = place.record(["/bin/sh", "-c", "echo must not run"])
            expect_status(result, 125, "the second recorder")
            pids = [pid for pid, line in place.marked() if line.startswith(SANDTAPE)]
            expect(any(f"process {pid} " in result.err.decode() for pid in pids),
                   f"no recorder is named: {result.err}")
            expect_equal("stdout", b"", result.out)
        expect_status(place.sandtape("tape", "show", place.tape), 0, "tape show meanwhile")
    finally:
        kill_group(process)


@case("the subject ends before its units")
def background_units(place):
    argv = ["/bin/sh", "-c", "sleep 20 & sleep 0.3; exit 4"]
    expect_status(place.record(argv, "-q", "--daemons", "kill"), 4)
    place.check_nothing_runs()
    units = place.units()
    expect_unfinished(units, ["sleep", "20"])
    expect_status(place.replay(argv, "-q"), 4, "replay")


# --- Damage -------------------------------------------------------------------------------------


def make_tape(place):
    argv = place.record_script("for i in 1 2 3 4; do sh -c \"echo $i\"; done; seq 3000 | tail -1\n")
    with open(os.path.join(place.tape, "tape.jsonl"), "rb") as f:
        return argv, f.read()


def change_tape(place, content, name="tape.jsonl"):
    with open(os.path.join(place.tape, name), "wb") as f:
        f.write(content)
    # A cache must not hide the damage, nor be needed.
    index = os.path.join(place.tape, "index")
    if os.path.isdir(index):
        shutil.rmtree(index)
    elif os.path.exists(index):
        os.remove(index)


@case("a torn last line is a warning")
def torn(place):
    argv, content = make_tape(place)
    lines = content.splitlines(True)
    change_tape(place, b"".join(lines) + lines[1][: len(lines[1]) // 2])
    result = place.replay(argv)
    expect_status(result, 0, "replay")
    expect_text(result, "torn")
    expect_equal("stdout", b"1\n2\n3\n4\n3000\n", result.out)
    result = place.sandtape("tape", "show", place.tape)
    expect_status(result, 0, "tape show")
    expect_text(result, "warning", "torn")
    # Torn within the last record: that unit is unfinished, the others are whole.
    change_tape(place, content[:-10])
    result = place.sandtape("tape", "show", "--json", place.tape)
    expect_status(result, 0, "tape show, last record torn")
    expect_text(result, "torn")


@case("a damaged line in the middle is an error that names the line")
def damaged(place):
    argv, content = make_tape(place)
    lines = content.splitlines(True)
    for number in range(1, len(lines)):
        line = bytearray(lines[number - 1])
        line[len(line) // 2] ^= 1
        change_tape(place, b"".join(lines[: number - 1] + [bytes(line)] + lines[number:]))
        for what in ("replay", "tape show"):
            result = (place.replay(argv) if what == "replay"
                      else place.sandtape("tape", "show", place.tape))
            expect_status(result, 125, f"{what}, line {number}")
            expect_text(result, f"line {number}", "tape.jsonl")
            expect_equal("the subject ran: stdout", b"", result.out)


@case("a line that is missing, doubled or strange is an error")
def strange(place):
    argv, content = make_tape(place)
    lines = content.splitlines(True)
    for what, changed in (
            ("no head", lines[1:]),
            ("an empty line", lines[:2] + [b"\n"] + lines[2:]),
            ("not JSON", lines[:2] + [b"hello\n"] + lines[2:]),
            ("a doubled line", lines[:2] + [lines[1]] + lines[2:]),
            ("NUL bytes", lines[:2] + [b"\0" * 50 + b"\n"] + lines[2:])):
        change_tape(place, b"".join(changed))
        result = place.replay(argv)
        expect_status(result, 125, what)
        expect_text(result, "line ")
    change_tape(place, b"")
    expect_status(place.replay(argv), 125, "an empty file")


@case("a blob that is missing or damaged is an error")
def bad_blob(place):
    argv, _ = make_tape(place)
    blobs = os.path.join(place.tape, "blobs")
    name = os.listdir(blobs)[0]
    path = os.path.join(blobs, name)
    with open(path, "rb") as f:
        content = f.read()
    for what, changed in (("damaged", b"x" + content[1:]), ("shorter", content[:-1]),
                          ("missing", None)):
        os.remove(path)
        if changed is not None:
            with open(path, "wb") as f:
                f.write(changed)
        result = place.replay(argv, "-q")
        expect_status(result, 125, what)
        expect_text(result, name[:8])


@case("a tape that is cut off while it is replayed")
def cut_tape(place):
    place.fresh({"s.sh": 'uname -s; test -z "$CUT" || : >"$CUT"; uname -m; uname -s; uname -n; '
                           "exit 0"})
    argv = ["/bin/sh", "s.sh"]
    expect_status(place.record(argv, "-q"), 0, "record")
    result = place.replay(argv, "-q", env={"CUT": os.path.join(place.tape, "tape.jsonl")})
    expect_status(result, 125, "replay")
    lines = result.err.splitlines()
    expect(len(lines) == 1 and lines[0].startswith(b"sandtape: a file of the tape was cut off"),
           result.err)
    for left in os.listdir(place.tmp):  # a later replay removes it, when it has become old
        shutil.rmtree(os.path.join(place.tmp, left))


@case("timing and index can be missing or rubbish")
def volatile_files(place):
    argv, _ = make_tape(place)
    for name in ("timing.jsonl", "index"):
        with open(os.path.join(place.tape, name), "wb") as f:
            f.write(b"rubbish\n\0\xff")
        result = place.replay(argv)
        expect_status(result, 0, f"{name} is rubbish")
        expect_equal("stdout", b"1\n2\n3\n4\n3000\n", result.out)
        os.remove(os.path.join(place.tape, name))
        expect_status(place.replay(argv, "-q"), 0, f"{name} is missing")
    for u in place.units():
        expect(u["duration_ns"] is None, "a duration out of nothing")


@case("a tape of a newer format is refused, and kept")
def newer_format(place):
    argv, content = make_tape(place)
    head = content.splitlines(True)[0]
    # Without a right checksum it is only a damaged line: either way it is refused and named.
    newer = head.replace(b'"version":1', b'"version":99')
    change_tape(place, newer + content[len(head):])
    result = place.replay(argv)
    expect_status(result, 125)
    expect_text(result, "tape.jsonl")


@case("a read-only tape replays")
def read_only(place):
    argv, _ = make_tape(place)
    for directory, _, names in os.walk(place.tape):
        for name in names:
            os.chmod(os.path.join(directory, name), 0o444)
        os.chmod(directory, 0o555)
    try:
        expect_status(place.replay(argv, "-q"), 0, "replay")
        expect_status(place.sandtape("tape", "show", place.tape), 0, "tape show")
    finally:
        for directory, _, _ in os.walk(place.tape):
            os.chmod(directory, 0o755)


@case("replaying twice at once")
def two_replays(place):
    argv, _ = make_tape(place)
    several = [place.start([SANDTAPE, "replay", "-q", "-t", place.tape, "--", *argv])
               for _ in range(4)]
    for process in several:
        out, err = place.finish(process)
        expect_equal("status", 0, process.returncode)
        expect_equal("stdout", b"1\n2\n3\n4\n3000\n", out)
