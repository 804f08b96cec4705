"""A host that runs short: of disk, descriptors, processes, memory, file size. Nothing that the
subject saw is lost, nothing hangs, and one sentence says what was short."""

import json
import os

from harness import (SANDTAPE, Skipped, case, expect, expect_equal, expect_status,
                     short)
from kills import SUBJECT, check_next_recording, wanted_output

# --- File systems of our own ----------------------------------------------------------------------

NAMESPACE = ["unshare", "--user", "--map-root-user", "--mount", "/bin/sh", "-eu", "-c"]

FULL = """
mount -t tmpfs -o size=1m,mode=755 none "$AT"
head -c $(((1024 - SIZE) * 1024)) /dev/zero >"$AT/ballast"
set +e
"$SANDTAPE" record -q -t "$AT/x.tape" -- /bin/sh s.sh 2>"$TOLD"
echo "record $?"
if [ -e "$AT/x.tape" ]; then "$SANDTAPE" tape show --json "$AT/x.tape"; fi
echo "show $?"
rm "$AT/ballast"
"$SANDTAPE" record -q -t "$AT/x.tape" -- /bin/sh -c 'uname -s; exit'
echo "again $?"
echo left $(ls -A "$AT" "$AT/x.tape" | sort | grep -v :)
"""

READ_ONLY = """
mount --bind "$AT" "$AT"
mount -o remount,bind,ro "$AT"
set +e
"$SANDTAPE" record -q -t "$AT/x.tape" -- /bin/sh -c 'echo must not run; exit'
echo "old $?"
"$SANDTAPE" record -q -t "$AT/new.tape" -- /bin/sh -c 'echo must not run; exit'
echo "new $?"
"$SANDTAPE" replay -q -t "$AT/x.tape" -- /bin/sh -c 'uname -s; exit'
echo "replay $?"
"""

# In KiB; the whole takes about 120.
FULL_SIZES = [4, 8, 12, 16, 20, 24, 28, 32, 40, 48, 64, 80, 96, 104, 112, 120, 128, 136, 144, 160]


def in_namespace(place, script, **more):
    result = place.run([*NAMESPACE, "mount -t tmpfs none /mnt"])
    if result.status != 0:
        raise Skipped("this host allows no mount of our own: " + short(result.err))
    os.makedirs(place.path("at"), exist_ok=True)
    env = {"SANDTAPE": SANDTAPE, "AT": place.path("at"), "SEEN": place.path("seen"),
           "TOLD": place.path("told"), **more}
    return place.run([*NAMESPACE, script], env=env)


def check_sentence(what, err, *words):
    lines = [line for line in err.split(b"\n") if line]
    expect(len(lines) == 1 and lines[0].startswith(b"sandtape: "),
           f"{what}: not one sentence: {short(err, 400)}")
    for word in words:
        expect(word in lines[0], f"{what}: lacks {word!r}: {short(err, 400)}")


def check_full(place, size):
    place.fresh({"s.sh": SUBJECT})
    if os.path.exists(place.path("seen")):
        os.remove(place.path("seen"))
    result = in_namespace(place, FULL, SIZE=str(size))
    lines = result.out.decode().splitlines()
    status = int(next(line for line in lines if line.startswith("record ")).split()[1])
    with open(place.path("told"), "rb") as f:
        told = f.read()
    if status:
        expect_equal(f"{size} KiB: status", 125, status)
        check_sentence(f"{size} KiB", told, b"No space left on device", b"make room there")
    expect("show 0" in lines, f"{size} KiB: the tape cannot be read: {short(result.err)}")
    outputs = [unit.get("stdout") for unit in map(json.loads, lines[1:lines.index("show 0")])
               if unit["code"] == 0]
    try:
        with open(place.path("seen"), encoding="ascii") as f:
            seen = [int(line.split()[0]) for line in f]
    except FileNotFoundError:
        seen = []
    if status and seen and b".new: " not in told:
        expect(b"what was recorded before that is on the tape" in told, short(told))
    for number in seen:
        expect(wanted_output(number) in outputs, f"{size} KiB: command {number} is lost")
    expect("again 0" in lines, f"{size} KiB: no recording afterwards: {short(result.err)}")
    expect_equal(f"{size} KiB: files", "left blobs tape.jsonl timing.jsonl x.tape", lines[-1])
    return status


@case("the disk is full while it records")
def full_disk(place):
    statuses = [check_full(place, size) for size in FULL_SIZES]
    expect(125 in statuses and 0 in statuses, f"not both full and not full: {statuses}")


@case("a read-only file system")
def read_only(place):
    at = place.path("at")
    os.makedirs(at)
    expect_status(place.sandtape("record", "-q", "-t", at + "/x.tape", "--", "/bin/sh", "-c",
                                 "uname -s; exit"), 0, "record")
    result = in_namespace(place, READ_ONLY)
    expect_equal("stdout", f"old 125\nnew 125\n{os.uname().sysname}\nreplay 0\n".encode(),
                 result.out)
    lines = result.err.splitlines()
    expect(len(lines) == 2 and all(b"Read-only file system" in line for line in lines),
           short(result.err, 400))


# --- Limits of processes ----------------------------------------------------------------------------

SHORT = "head -c 900000 /dev/zero | cksum; seq 1500 | cksum; uname -s; exit"

# (what, prlimit's option, values, whether a replay has it as well)
LIMIT_ROWS = [
    ("open files", "nofile", [5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 16, 18, 20, 24, 28, 32], True),
    ("file size", "fsize", [0, 100, 300, 500, 700, 1000, 2000, 5000, 6393, 7000], True),
    # The first is as much as the program itself takes: with less it is not even begun.
    ("memory", "as", [k << 10 for k in (3200, *range(3600, 6800, 400), 8192)], True),
    ("processes", "nproc", [1, 2, 3], True),  # root has no such limit
]


def check_limited(place, what, argv):
    result = place.run(argv)
    place.check_nothing_runs()
    # The loader of sandtape or of the subject may fail first, and says so itself.
    ours = [line for line in result.err.split(b"\n") if line.startswith(b"sandtape: ")]
    expect(result.status != 125 or len(ours) == 1, f"{what}: {short(result.err, 400)}")
    expect(result.status < 128, f"{what}: ended with {result.status}: {short(result.err, 400)}")
    expect(b"vDSO" not in result.err, f"{what}: {short(result.err, 400)}")


def check_limit(place, option, values, in_replay):
    for value in values:
        limited = ["prlimit", f"--{option}={value}:{value}", "--", SANDTAPE]
        check_limited(place, f"record, {value}",
                      [*limited, "record", "-q", "-t", place.tape, "--", "/bin/sh", "-c", SHORT])
        if os.path.exists(place.tape):
            expect_status(place.sandtape("tape", "show", "--json", place.tape), 0, "tape show")
        check_next_recording(place, place.tape)
        if in_replay:
            check_limited(place, f"replay, {value}",
                          [*limited, "replay", "-q", "-t", place.tape, "--", "/bin/sh", "-c",
                           "uname -s; exit"])


def add_rows():
    for what, *row in LIMIT_ROWS:
        case("short of " + what, needs=["prlimit"])(
            lambda place, row=tuple(row): check_limit(place, *row))


add_rows()
