#!/usr/bin/env python3
"""What a spawn costs: native, recorded, replayed, and only observed.

    python3 tools/bench/spawn.py BUILD

Each figure is the median over rounds of the median that bench_spawn prints for its loop; each
ratio is taken within one round, where both loops met the same machine, and its median is printed.
The loops spawn one command after the other, with its output on a pipe that is read to the end.
"""
import os
import shutil
import statistics
import subprocess
import sys
import tempfile

ROUNDS = 9
LOOP = 200

# A PATH as Debian gives it: every directory in it before git's costs an attempt.
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": os.environ.get("HOME", "/"),
    "LC_ALL": "C",
}


def run(argv, cwd):
    done = subprocess.run(argv, cwd=cwd, env=ENVIRONMENT, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)
    if done.returncode != 0:
        sys.exit("bench: %s failed (%d): %s" % (argv, done.returncode, done.stderr.decode()))
    return done.stdout


def make_repository(directory):
    git = ["git", "-c", "user.name=bench", "-c", "user.email=bench@localhost"]
    run(git + ["init", "-q", directory], "/")
    run(git + ["commit", "-q", "--allow-empty", "-m", "one"], directory)


def measure_round(build, scratch):
    """Nanoseconds by name."""
    sandtape = os.path.join(build, "sandtape")
    loop = [os.path.join(build, "bench_spawn"), str(LOOP)]
    empty = loop + [os.path.join(build, "fixtures", "empty_static")]
    git = loop + ["git", "rev-parse", "HEAD"]
    tape = os.path.join(scratch, "bench.tape")
    repository = os.path.join(scratch, "repository")
    shutil.rmtree(tape, ignore_errors=True)
    # The shell is the subject, the loop one unit, and what the loop spawns is only observed.
    observed = ["sh", "-c", '"$@"; exit $?', "sh"] + empty
    return {
        "empty": int(run(empty, repository)),
        "git": int(run(git, repository)),
        "record": int(run([sandtape, "record", "-q", "-t", tape, "--"] + git, repository)),
        "replay": int(run([sandtape, "replay", "-q", "-t", tape, "--"] + git, repository)),
        "observed": int(run([sandtape, "record", "-q", "-t", os.path.join(scratch, "o.tape"),
                             "--"] + observed, repository)),
    }


ROWS = [
    ("spawn of an empty static program, native", "empty"),
    ("spawn of `git rev-parse`, native", "git"),
    ("the same, recorded", "record"),
    ("the same, replayed", "replay"),
    ("the empty program below a recorded command (only observed)", "observed"),
]

RATIOS = [
    ("replayed git / native empty program", lambda r: r["replay"] / r["empty"], "at most 1.5"),
    ("native git / replayed git", lambda r: r["git"] / r["replay"], "at least 5"),
    ("recorded git / native git", lambda r: r["record"] / r["git"], "at most 1.5"),
    ("an observed exec, added µs", lambda r: (r["observed"] - r["empty"]) / 1e3, "at most 100"),
]


def main():
    build = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else "build")
    scratch = tempfile.mkdtemp(prefix="sandtape-bench-")
    try:
        make_repository(os.path.join(scratch, "repository"))
        measure_round(build, scratch)  # warms caches
        rounds = [measure_round(build, scratch) for _ in range(ROUNDS)]
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    print("| one spawn | median µs |\n|---|---:|")
    for title, name in ROWS:
        print("| %s | %.0f |" % (title, statistics.median(r[name] for r in rounds) / 1e3))
    print("\n| ratio within a round | median | least to most | goal |\n|---|---:|---:|---|")
    for title, ratio, goal in RATIOS:
        values = sorted(ratio(r) for r in rounds)
        print("| %s | %.2f | %.2f to %.2f | %s |" % (
            title, statistics.median(values), values[0], values[-1], goal))
    print("\n%d rounds of %d spawns, %d processors, Linux %s" % (
        ROUNDS, LOOP, len(os.sched_getaffinity(0)), os.uname().release))


if __name__ == "__main__":
    main()
