#!/usr/bin/env python3
"""How fast whole tapes are checked and compared.

    python3 tools/bench/tapes.py BUILD

A tape of small commands, and one of a few large blobs. Megabytes are those of all the files of the
tapes that are named; the figures are medians of new processes.
"""
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

COMMANDS = 300000
BLOBS = 8
BLOB_SIZE = 16 << 20
ROUNDS = 5


def size_of(tape):
    return sum(os.path.getsize(os.path.join(directory, name))
               for directory, _, names in os.walk(tape) for name in names)


def seconds(argv, status):
    began = time.monotonic()
    done = subprocess.run(argv, stdout=subprocess.DEVNULL, timeout=300)
    if done.returncode != status:
        sys.exit(f"{' '.join(argv)}: status {done.returncode}")
    return time.monotonic() - began


def measure(argv, tapes, status=0):
    took = statistics.median(seconds(argv, status) for _ in range(ROUNDS))
    return sum(size_of(tape) for tape in tapes) / 1e6, took


def make_blobs(build, scratch, tape):
    source = os.path.join(scratch, "source")
    with open(source, "wb") as f:
        f.write(os.urandom(BLOB_SIZE))
    subprocess.run([os.path.join(build, "sandtape"), "record", "-q", "-t", tape, "--", "/bin/sh",
                    "-c", f"for i in $(seq {BLOBS}); do echo $i | cat - {source}; done"],
                   stdout=subprocess.DEVNULL, check=True)


def main():
    build = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else "build")
    sandtape = os.path.join(build, "sandtape")
    scratch = tempfile.mkdtemp(prefix="sandtape-bench-")
    a, b, other, blobs = (os.path.join(scratch, name)
                          for name in ("a.tape", "b.tape", "other.tape", "blobs.tape"))
    try:
        writer = os.path.join(build, "bench_tape")
        subprocess.run([writer, "write", a, str(COMMANDS)], stdout=subprocess.DEVNULL, check=True)
        shutil.copytree(a, b)
        subprocess.run([writer, "write", other, str(COMMANDS // 2)], stdout=subprocess.DEVNULL,
                       check=True)
        make_blobs(build, scratch, blobs)
        rows = [
            (f"check, {COMMANDS} commands", [sandtape, "tape", "check", a], [a], 0),
            (f"check, {BLOBS} blobs of {BLOB_SIZE >> 20} MiB",
             [sandtape, "tape", "check", blobs], [blobs], 0)]
        for fidelity in ("byte", "semantic", "outcome"):
            rows.append((f"diff of equal tapes, {fidelity}",
                         [sandtape, "tape", "diff", "--fidelity", fidelity, a, b], [a, b], 0))
        rows.append(("diff, half of it missing", [sandtape, "tape", "diff", a, other], [a, other],
                     1))
        print("| on whole tapes | MB | s | MB/s |")
        print("|---|---:|---:|---:|")
        for name, argv, tapes, status in rows:
            megabytes, took = measure(argv, tapes, status)
            print("| %s | %.0f | %.2f | %.0f |" % (name, megabytes, took, megabytes / took))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    main()
