#!/usr/bin/env python3
"""What many commands at once cost: native, recorded, replayed.

    python3 tools/bench/many.py BUILD [ROUNDS]

Subjects that keep several commands running all the time. Their commands are as short as commands
get, so the processes of sandtape have no idle time of anybody to hide in. Ratios are taken within
one round; their medians are printed.
"""
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROUNDS = 5
ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C"}

THREADS = """
import subprocess
from concurrent.futures import ThreadPoolExecutor
def one(i):
    return subprocess.run(["sh", "-c", f"echo {i}; exit {i % 3}"], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE).returncode
with ThreadPoolExecutor(16) as pool:
    print(sum(pool.map(one, range(1000))))
"""

STDIN = """
import subprocess
several = [subprocess.Popen(["git", "hash-object", "--stdin"], stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE) for i in range(40)]
for i in reversed(range(40)):
    print(several[i].communicate(b"%d" % i))
"""

MAKEFILE = """
all: $(foreach n,1 2 3 4 5 6 7 8,dir$n)
dir%:
	@$(MAKE) -s -f sub.mk N=$* all
"""

SUB_MAKEFILE = """
all: $(foreach n,1 2 3 4 5 6 7 8 9 10 11 12,$Nx$n)
$Nx%:
	@sh -c 'read -r x <Makefile; echo $@ $$x'
"""

SUBJECTS = [
    ("1,000 of `sh`, 16 at a time, by threads of Python", ["/usr/bin/python3", "threads.py"], []),
    ("40 of `git hash-object --stdin`, all at once", ["/usr/bin/python3", "stdin.py"], []),
    ("96 of `sh`, by `make -j4` over 8 makes", ["make", "-s", "-j4"], ["--through", "make"]),
]
FILES = {"threads.py": THREADS, "stdin.py": STDIN, "Makefile": MAKEFILE, "sub.mk": SUB_MAKEFILE}
RATIOS = [("record", "recorded / native", ""), ("replay", "replayed / native", "at most 1")]


def measure(argv, directory):
    began = time.monotonic()
    done = subprocess.run(argv, cwd=directory, env=ENVIRONMENT, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300)
    took = time.monotonic() - began
    if done.returncode != 0:
        sys.exit("bench: %s failed (%d): %s" % (argv, done.returncode, done.stdout.decode()))
    return took


def measure_round(sandtape, directory, tape, argv, options):
    shutil.rmtree(tape, ignore_errors=True)
    how = ["-q", "-t", tape, *options, "--", *argv]
    return {
        "native": measure(argv, directory),
        "record": measure([sandtape, "record", *how], directory),
        "replay": measure([sandtape, "replay", *how], directory),
    }


def measure_subject(sandtape, scratch, rounds, argv, options):
    tape = os.path.join(scratch, "many.tape")
    measure_round(sandtape, scratch, tape, argv, options)  # warms caches
    return [measure_round(sandtape, scratch, tape, argv, options) for _ in range(rounds)]


def main():
    sandtape = os.path.join(os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else "build"),
                            "sandtape")
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else ROUNDS
    scratch = tempfile.mkdtemp(prefix="sandtape-bench-")
    try:
        for name, text in FILES.items():
            with open(os.path.join(scratch, name), "w", encoding="ascii") as f:
                f.write(text)
        times = [measure_subject(sandtape, scratch, rounds, argv, options)
                 for _, argv, options in SUBJECTS]
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    print("| many at once | native s | %s |" % " | ".join(title for _, title, _ in RATIOS))
    print("|---|---:|%s" % ("---:|" * len(RATIOS)))
    for (title, _, _), runs in zip(SUBJECTS, times):
        cells = []
        for name, _, _ in RATIOS:
            values = sorted(t[name] / t["native"] for t in runs)
            cells.append("%.2f (%.2f to %.2f)" % (statistics.median(values), values[0], values[-1]))
        print("| %s | %.2f | %s |" % (title, statistics.median(t["native"] for t in runs),
                                      " | ".join(cells)))
    print("| goal | | %s |" % " | ".join(goal for _, _, goal in RATIOS))
    print("\n%d rounds, %d processors" % (rounds, len(os.sched_getaffinity(0))))


if __name__ == "__main__":
    main()
