#!/usr/bin/env python3
"""What the conformance suite costs: all of its cases, and the page of a report.

    python3 tools/bench/conformance.py BUILD [ROUNDS]
"""
import json
import os
import statistics
import subprocess
import sys
import tempfile

ROUNDS = 3


def run(sandtape, directory, form):
    path = os.path.join(directory, "report." + form)
    done = subprocess.run([sandtape, "conformance", "-q", "--format", form, "-o", path],
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    if done.returncode not in (0, 1):
        sys.exit(f"conformance: the suite ended with {done.returncode}")
    return path


def main():
    sandtape = os.path.abspath(os.path.join(sys.argv[1], "sandtape"))
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else ROUNDS
    with tempfile.TemporaryDirectory() as directory:
        reports = []
        for _ in range(rounds):
            with open(run(sandtape, directory, "json"), encoding="utf-8") as f:
                reports.append(json.load(f)["summary"])
        page = os.path.getsize(run(sandtape, directory, "html"))
    times = [r["duration_s"] for r in reports]
    print("| `sandtape conformance` | median | least to most | goal |\n|---|---:|---:|---|")
    print(f"| all {reports[0]['results']} results of {reports[0]['cases']} cases, s | "
          f"{statistics.median(times):.1f} | {min(times):.1f} to {max(times):.1f} | at most 20 |")
    print(f"| the page of it, kB | {page // 1000} | | less than 1000 |")


if __name__ == "__main__":
    main()
