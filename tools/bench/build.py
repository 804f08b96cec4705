#!/usr/bin/env python3
"""What a whole build costs: native, recorded, replayed, in a sandbox, with each denial explained,
and observed for a policy.

    python3 tools/bench/build.py BUILD [ROUNDS]

The build is `make -j2` of generated C files, where each command of make's is the compiler driver
with two or three processes below it. Ratios are taken within one round; their medians are printed.
"""
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROUNDS = 5
FILES = 150
ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C"}

SOURCE = """#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int part_%(n)d(int x)
{
	char text[64];

	for (int i = 0; i < x; i++) {
		snprintf(text, sizeof(text), "%%d", i * %(n)d);
		x += (int)strlen(text) - atoi(text) %% 3;
	}
	return x;
}
"""

MAKEFILE = """OBJECTS := $(patsubst %.c,%.o,$(wildcard part*.c))
program: $(OBJECTS) main.o
	cc -o $@ $^
%.o: %.c
	cc -O1 -c -o $@ $<
"""


RATIOS = [
    ("recorded / native", "record", "native", 0, "at most 1.1"),
    ("the same, of processors", "record", "native", 1, ""),
    ("replayed / native", "replay", "native", 0, "at most 1"),
    ("`run` / native", "run", "native", 0, ""),
    ("`run --explain` / `run`", "explain", "run", 0, "at most 2"),
    ("the same, of processors", "explain", "run", 1, ""),
    ("`learn` / native", "learn", "native", 0, "at most 3"),
]


def generate(directory):
    os.mkdir(directory)
    names = ["part_%d" % n for n in range(FILES)]
    for n, name in enumerate(names):
        with open(os.path.join(directory, name + ".c"), "w", encoding="ascii") as f:
            f.write(SOURCE % {"n": n})
    with open(os.path.join(directory, "main.c"), "w", encoding="ascii") as f:
        f.write("".join("int %s(int);\n" % name for name in names))
        f.write("int main(void)\n{\n\treturn (%s) < 0;\n}\n" % " + ".join(
            "%s(1)" % name for name in names))
    with open(os.path.join(directory, "Makefile"), "w", encoding="ascii") as f:
        f.write(MAKEFILE)


def clean(directory):
    for name in os.listdir(directory):
        if name.endswith(".o") or name == "program":
            os.unlink(os.path.join(directory, name))


def processor_seconds():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measure(argv, directory):
    """(seconds, seconds of processors)"""
    clean(directory)
    used = processor_seconds()
    began = time.monotonic()
    done = subprocess.run(argv, cwd=directory, env=ENVIRONMENT, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300)
    took = time.monotonic() - began
    if done.returncode != 0:
        sys.exit("bench: %s failed (%d): %s" % (argv, done.returncode, done.stdout.decode()))
    return took, processor_seconds() - used


def measure_round(sandtape, directory, tape):
    build = ["make", "-s", "-j2"]
    shutil.rmtree(tape, ignore_errors=True)
    return {
        "native": measure(build, directory),
        "record": measure([sandtape, "record", "-q", "-t", tape, "--"] + build, directory),
        "replay": measure([sandtape, "replay", "-q", "-t", tape, "--"] + build, directory),
        "run": measure([sandtape, "run", "-q", "--"] + build, directory),
        "explain": measure([sandtape, "run", "-q", "--explain", "--"] + build, directory),
        "learn": measure([sandtape, "learn", "-q", "-o", tape + ".json", "--"] + build, directory),
    }


def main():
    sandtape = os.path.join(os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else "build"),
                            "sandtape")
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else ROUNDS
    scratch = tempfile.mkdtemp(prefix="sandtape-bench-")
    directory = os.path.join(scratch, "source")
    tape = os.path.join(scratch, "build.tape")
    try:
        generate(directory)
        measure_round(sandtape, directory, tape)  # warms caches
        times = [measure_round(sandtape, directory, tape) for _ in range(rounds)]
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    print("| a build of %d commands, `make -j2` | median s | of processors |\n|---|---:|---:|" %
          (FILES + 2))
    for name, title in (("native", "native"), ("record", "record"), ("replay", "replay"),
                        ("run", "`run`"), ("explain", "`run --explain`"), ("learn", "`learn`")):
        print("| %s | %.2f | %.2f |" % (title, *(statistics.median(t[name][i] for t in times)
                                               for i in (0, 1))))
    print("\n| ratio within a round | median | least to most | goal |\n|---|---:|---:|---|")
    for title, name, below, i, goal in RATIOS:
        values = sorted(t[name][i] / t[below][i] for t in times)
        print("| %s | %.2f | %.2f to %.2f | %s |" % (
            title, statistics.median(values), values[0], values[-1], goal))
    print("\n%d rounds, %d processors" % (rounds, len(os.sched_getaffinity(0))))


if __name__ == "__main__":
    main()
