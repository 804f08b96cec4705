#!/usr/bin/env python3
"""What a record costs on tapes of a thousand to a million commands.

    python3 tools/bench/tape.py BUILD [SVG]

Each tape is written and then read by new processes, without any index file; the figures are medians.
With SVG, the cost of an answer and that of the opening, a command, are drawn there.
"""
import math
import os
import shutil
import statistics
import subprocess
import sys
import tempfile

SIZES = [1000, 10000, 100000, 1000000]
SYNCED = 1000
WRITES = 3
ROUNDS = 5


def bench(build, *words):
    program = os.path.join(build, "bench_tape")
    done = subprocess.run([program, *map(str, words)], stdout=subprocess.PIPE, check=True,
                          timeout=300)
    return [int(word) for word in done.stdout.split()]


def measure(build, scratch, size):
    """(records a second, s of the end, s to the first answer, µs an answer, MB anonymous)"""
    tape = os.path.join(scratch, "bench.tape")
    writes = []
    for _ in range(WRITES):
        shutil.rmtree(tape, ignore_errors=True)
        writes.append(bench(build, "write", tape, size))
    written, end = (statistics.median(column) for column in zip(*writes))
    rounds = [bench(build, "read", tape, size) for _ in range(ROUNDS)]
    shutil.rmtree(tape)
    first, answer, memory = (statistics.median(column) for column in zip(*rounds))
    return size / written * 1e9, end / 1e9, first / 1e9, answer / 1e3, memory / 1e6


def measure_synced(build, scratch, how):
    """records a second"""
    tape = os.path.join(scratch, "sync.tape")
    times = []
    for _ in range(ROUNDS):
        times.append(bench(build, how, tape, SYNCED)[0])
        shutil.rmtree(tape)
    return SYNCED / statistics.median(times) * 1e9


def place(size):
    """On a logarithmic scale."""
    return 90 + 80 * (math.log10(size) - 3)


def draw_series(color, top, points):
    """`points`: size and µs."""
    places = [(place(size), 210 - 180 * value / top, value)
              for size, value in points]
    yield '<polyline fill="none" stroke="%s" points="%s"/>' % (
        color, " ".join(f"{x:.0f},{y:.1f}" for x, y, _ in places))
    for x, y, value in places:
        yield f'<circle cx="{x:.0f}" cy="{y:.1f}" r="3" fill="{color}"/>'
        yield f'<text x="{x:.0f}" y="{y - 8:.1f}" text-anchor="middle">{value:.1f}</text>'


def draw(rows):
    """Both axes begin at their left and lower ends, the left one at 0."""
    answers = [(size, row[3]) for size, row in rows]
    opening = [(size, row[2] * 1e6 / size) for size, row in rows]
    top = max(10, *(math.ceil(value) for _, value in answers + opening))
    lines = ['<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 420 260" '
             'font-family="sans-serif" font-size="11">',
             '<rect width="420" height="260" fill="white"/>',
             '<path d="M60 30V210H350" fill="none" stroke="black"/>',
             '<text x="10" y="18">median µs: <tspan fill="#0060a0">an answer</tspan>, '
             '<tspan fill="#a04000">opening the tape, for each command</tspan></text>',
             '<text x="210" y="246" text-anchor="middle">commands on the tape</text>',
             f'<text x="52" y="34" text-anchor="end">{top}</text>',
             '<text x="52" y="214" text-anchor="end">0</text>',
             *draw_series("#0060a0", top, answers),
             *draw_series("#a04000", top, opening)]
    for size, _ in rows:
        lines.append(f'<text x="{place(size):.0f}" y="228" '
                     f'text-anchor="middle">{size:,}</text>')
    return "\n".join([*lines, "</svg>", ""])


def main():
    build = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else "build")
    scratch = tempfile.mkdtemp(prefix="sandtape-bench-")
    try:
        rows = [(size, measure(build, scratch, size)) for size in SIZES]
        synced = tuple(measure_synced(build, scratch, how) for how in ("sync", "group"))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    print("| commands on the tape | recorded a second | end of the recording, s | "
          "first answer, s | an answer, µs | anonymous memory, MB |")
    print("|---:|---:|---:|---:|---:|---:|")
    for size, row in rows:
        print("| %d | %.0f | %.3f | %.4f | %.1f | %.1f |" % (size, *row))
    print("\nwith --sync, %.0f commands recorded a second one after the other, and %.0f when each 16 "
          "end at about the same time" % synced)
    if len(sys.argv) > 2:
        os.makedirs(os.path.dirname(os.path.abspath(sys.argv[2])), exist_ok=True)
        with open(sys.argv[2], "w", encoding="utf-8") as f:
            f.write(draw(rows))


if __name__ == "__main__":
    main()
