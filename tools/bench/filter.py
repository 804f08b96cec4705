#!/usr/bin/env python3
"""What the filter of the default policy costs: prepared, installed, and at each call.

    python3 tools/bench/filter.py BUILD

Medians of rounds; the ratio is one of times within a round. The least filter is one instruction,
which allows everything: what any filter costs on this kernel.
"""
import os
import statistics
import subprocess
import sys

ROUNDS = 9
GOAL = 1.15


def main():
    build = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else "build")
    rounds = [[int(word) for word in subprocess.run([os.path.join(build, "bench_filter")],
                                                    stdout=subprocess.PIPE, check=True,
                                                    timeout=300).stdout.split()]
              for _ in range(ROUNDS)]
    names = ["the filter of the default policy, prepared", "… installed",
             "the least filter, installed", "getppid without a filter", "… under the least filter",
             "… under that of the policy"]
    print("| the filter of system calls | median µs |")
    print("|---|---:|")
    for name, times in zip(names, zip(*rounds)):
        print("| %s | %.3f |" % (name, statistics.median(times) / 1e3))
    print("\n| ratio within a round | median | least to most | goal |")
    print("|---|---:|---:|---|")
    for name, at, goal in [("getppid, the least filter / none", 4, None),
                           ("getppid, that of the policy / none", 5, GOAL)]:
        ratios = [times[at] / times[3] for times in rounds]
        middle = statistics.median(ratios)
        text = "" if goal is None else "at most %.2f%s" % (
            goal, "" if middle <= goal else ", **missed**")
        print("| %s | %.2f | %.2f to %.2f | %s |" %
              (name, middle, min(ratios), max(ratios), text))


if __name__ == "__main__":
    main()
