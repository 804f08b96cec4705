#!/usr/bin/env python3
"""What a command through the library costs: spawned natively, recorded, answered.

    python3 tools/bench/api.py BUILD

Medians of rounds; the ratio is one of times within a round.
"""
import os
import shutil
import statistics
import subprocess
import sys
import tempfile

ROUNDS = 9
COUNT = 1000


def main():
    build = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else "build")
    scratch = tempfile.mkdtemp(prefix="sandtape-bench-")
    command = [os.path.join(build, "bench_api"), os.path.join(scratch, "bench.tape"), str(COUNT),
               os.path.join(build, "fixtures", "empty_static")]
    try:
        rounds = [[int(word) for word in subprocess.run(command, stdout=subprocess.PIPE, check=True,
                                                        timeout=300).stdout.split()]
                  for _ in range(ROUNDS)]
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    names = ["an empty static program, posix_spawn and waitpid", "… recorded through the library",
             "… answered by the library"]
    print("| one command | median µs |")
    print("|---|---:|")
    for name, times in zip(names, zip(*rounds)):
        print("| %s | %.1f |" % (name, statistics.median(times) / 1e3))
    ratios = [native / answered for native, _, answered in rounds]
    print("\n| ratio within a round | median | least to most | goal |")
    print("|---|---:|---:|---|")
    goal = "at least 50" if statistics.median(ratios) >= 50 else "at least 50, **missed**"
    print("| native / answered by the library | %.0f | %.0f to %.0f | %s |" %
          (statistics.median(ratios), min(ratios), max(ratios), goal))


if __name__ == "__main__":
    main()
