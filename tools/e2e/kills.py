"""Kills at random moments: nothing that the subject saw is lost, nobody is left behind.

The moments come from a seed, which a failure names; SANDTAPE_SEED repeats it.
"""

import os
import random
import signal
import time

from harness import (SANDTAPE, Failed, case, expect, expect_equal, expect_status, shell_status)

# Commands one after the other and side by side; the subject notes each end that it has seen, with
# what came out. Every fourth output is a blob.
SUBJECT = """
one() {
    if [ $(($1 % 4)) = 0 ]
    then out=$(seq $1 1500 | cksum; exec seq $1 1500)
    else out=$(sh -c 'read line; echo "got $line"; exit 0' <<END
$1
END
    )
    fi
    echo "$1 $?" >>"$SEEN"
}
i=0
while [ $i -lt 12 ]
do one $i; i=$((i + 1))
done
while [ $i -lt 24 ]
do
    for k in 0 1 2 3
    do one $((i + k)) &
    done
    wait
    i=$((i + 4))
done
"""
ARGV = ["/bin/sh", "s.sh"]

# What ends sandtape, how many times, and the statuses that it may then have.
RECORD_ROWS = [
    (signal.SIGKILL, 50),
    (signal.SIGTERM, 8),
    (signal.SIGINT, 8),
    (signal.SIGHUP, 8),
]
REPLAY_ROWS = [(signal.SIGKILL, 12), (signal.SIGTERM, 4), (signal.SIGINT, 4), (signal.SIGHUP, 4)]


def wanted_output(number):
    if number % 4:
        return f"got {number}\n"
    return "".join(f"{i}\n" for i in range(number, 1501))


def seen_by_subject(place):
    try:
        with open(place.path("seen"), encoding="ascii") as f:
            return [int(line.split()[0]) for line in f.read().splitlines()]
    except FileNotFoundError:
        return []


def check_seen(place, tape):
    """Every command whose end the subject saw is on the tape, with all that it wrote."""
    outputs = [unit.get("stdout") for unit in place.units(tape) if unit["code"] == 0]
    for number in seen_by_subject(place):
        expect(wanted_output(number) in outputs, f"command {number} is not on the tape")


def check_next_recording(place, tape):
    """It works on what was left, and nothing else is left after it."""
    result = place.sandtape("record", "-q", "-t", tape, "--", "/bin/sh", "-c", "uname -s; exit")
    expect_status(result, 0, "the next recording")
    expect_equal("stderr", b"", result.err)
    units = place.units(tape)
    expect_equal("units", [["uname", "-s"]], [unit["argv"] for unit in units])
    expect_equal("files", ["blobs", "tape.jsonl", "timing.jsonl"], sorted(os.listdir(tape)))
    spools = [name for name in os.listdir(os.path.join(tape, "blobs")) if len(name) != 64]
    expect_equal("spools", [], spools)
    name = os.path.basename(tape)
    left = [entry for entry in os.listdir(place.root) if entry.startswith(name + ".")]
    expect_equal("left beside the tape", [], left)


def run_and_end(place, argv, after_s, how):
    """Starts and ends it so many seconds later; its status."""
    if os.path.exists(place.path("seen")):
        os.remove(place.path("seen"))
    process = place.start(argv, env={"SEEN": place.path("seen")})
    time.sleep(after_s)
    if process.poll() is None:
        process.send_signal(how)
    place.finish(process)
    place.check_nothing_runs()
    return shell_status(process.returncode)


def moments(place, count, argv, each):
    """Calls each(number, moment) for moments from before the start to behind the end of argv."""
    seed = int(os.environ.get("SANDTAPE_SEED") or random.SystemRandom().randrange(1 << 32))
    chance = random.Random(seed)
    begin = time.monotonic()
    process = place.start(argv, env={"SEEN": place.path("seen")})
    place.finish(process)
    expect_equal("status", 0, process.returncode)
    takes = time.monotonic() - begin
    for number in range(count):
        # Much happens in the first moments.
        moment = chance.uniform(0, 1.05 * takes if number % 3 else 0.01)
        try:
            each(number, moment)
        except Failed as e:
            raise Failed(f"at {moment:.4f} s (number {number}, SANDTAPE_SEED={seed}): {e}") from e


def check_record(place, how, count):
    place.fresh({"s.sh": SUBJECT})

    def each(number, moment):
        tape = place.path(f"{number}.tape")
        argv = [SANDTAPE, "record", "-q", "-t", tape, "--", *ARGV]
        status = run_and_end(place, argv, moment, how)
        expect(status in (0, 128 + how), f"status {status}")
        if os.path.exists(tape):
            check_seen(place, tape)
            complete = not os.path.exists(os.path.join(tape, "journal.jsonl"))
            expect(complete or how == signal.SIGKILL or not seen_by_subject(place),
                   "the recording was not brought to its end")
        else:
            expect_equal("seen without a tape", [], seen_by_subject(place))
        check_next_recording(place, tape)

    moments(place, count, [SANDTAPE, "record", "-q", "-t", place.tape, "--", *ARGV], each)


def tape_bytes(place):
    content = {}
    for directory, _, names in os.walk(place.tape):
        for name in names:
            with open(os.path.join(directory, name), "rb") as f:
                content[os.path.join(directory, name)] = f.read()
    return content


def check_replay(place, how, count):
    place.fresh({"s.sh": SUBJECT})
    seen = {"SEEN": place.path("seen")}
    expect_status(place.record(ARGV, "-q", env=seen), 0, "record")
    before = tape_bytes(place)
    argv = [SANDTAPE, "replay", "-q", "-t", place.tape, "--", *ARGV]

    def each(_, moment):
        status = run_and_end(place, argv, moment, how)
        expect(status in (0, 128 + how), f"status {status}")
        expect(tape_bytes(place) == before, "the tape was changed")

    moments(place, count, argv, each)


def add_rows():
    for what, check, rows in (("record", check_record, RECORD_ROWS),
                              ("replay", check_replay, REPLAY_ROWS)):
        for how, count in rows:
            case(f"{what} is ended by {how.name} at {count} random moments")(
                lambda place, row=(check, how, count): row[0](place, *row[1:]))


add_rows()
