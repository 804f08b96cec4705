#!/usr/bin/env python3
"""What a start in a sandbox costs: sandtape run and its peers, and sandbox_start() under a plan.

    python3 tools/bench/sandbox.py BUILD

The program that is started is an empty static one. Each figure is the median over rounds of the
median of a loop; each ratio is taken within one round, in which every way had its turn. Peers that
are not installed are left out.
"""
import os
import shutil
import statistics
import subprocess
import sys
import tempfile

ROUNDS = 9
LOOP = 40
API_LOOP = 150


def median_of(build, argv, cwd):
    """Nanoseconds, or None when the command fails."""
    done = subprocess.run([os.path.join(build, "bench_spawn"), str(LOOP), *argv], cwd=cwd,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=300)
    return int(done.stdout) if done.returncode == 0 else None


def commands(build, empty, cwd):
    run = [os.path.join(build, "sandtape"), "run"]
    policies = {"pids": '{"namespaces": {"pid": "off"}, "version": 1}',
                "none": '{"namespaces": {"mount": "off"}, "fs": {"tmp": "shared"}, "version": 1}'}
    for name, text in policies.items():
        with open(os.path.join(cwd, name), "w", encoding="ascii") as f:
            f.write(text)
    rows = {
        "`env`": ["/usr/bin/env", empty],
        "`sandtape run`": [*run, empty],
        "… without a pid namespace": [*run, "--policy", "pids", empty],
        "… without any namespace": [*run, "--policy", "none", empty],
        "… `--no-sandbox`": [*run, "-q", "--no-sandbox", empty],
        "`bwrap --unshare-all --ro-bind / / --dev /dev --proc /proc`":
            ["bwrap", "--unshare-all", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc",
             empty],
        "`firejail --quiet --noprofile`": ["firejail", "--quiet", "--noprofile", empty],
    }
    return {name: argv for name, argv in rows.items() if shutil.which(argv[0])}


def ratios(rounds, above, below):
    return [r[above] / r[below] for r in rounds if r.get(above) and r.get(below)]


def print_table(title, names, rounds, below):
    print("| %s | median µs | to %s |" % (title, below))
    print("|---|---:|---:|")
    for name in names:
        times = [r[name] for r in rounds if r.get(name)]
        if times:
            print("| %s | %.0f | %.2f |" % (name, statistics.median(times) / 1e3,
                                           statistics.median(ratios(rounds, name, below))))


def print_goals(goals):
    print("\n| ratio within a round | median | least to most | goal |")
    print("|---|---:|---:|---|")
    for name, values, goal in goals:
        if not values:
            continue
        middle = statistics.median(values)
        print("| %s | %.2f | %.2f to %.2f | at most %.2f%s |" %
              (name, middle, min(values), max(values), goal,
               "" if middle <= goal else ", **missed**"))


def measure_api(build, empty):
    names = ["posix_spawn and wait", "sandbox_start, without namespaces", "… with mounts",
             "… with mounts and pids"]
    done = subprocess.run([os.path.join(build, "bench_start"), str(API_LOOP), empty],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True,
                          timeout=300)
    return dict(zip(names, map(int, done.stdout.split())))


def main():
    build = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else "build")
    with tempfile.TemporaryDirectory() as cwd:
        empty = os.path.join(cwd, "empty")
        shutil.copy(os.path.join(build, "fixtures", "empty_static"), empty)
        rows = commands(build, empty, cwd)
        rounds = [{name: median_of(build, argv, cwd) for name, argv in rows.items()}
                  for _ in range(ROUNDS)]
        api = [measure_api(build, empty) for _ in range(ROUNDS)]
    print_table("an empty program, by", rows, rounds, "`env`")
    print()
    print_table("in a program", list(api[0]), api, "posix_spawn and wait")
    bwrap = next((name for name in rows if name.startswith("`bwrap")), None)
    print_goals([
        ("`sandtape run` / `env`", ratios(rounds, "`sandtape run`", "`env`"), 1.5),
        ("… / `bwrap`", ratios(rounds, "`sandtape run`", bwrap), 0.4),
        ("sandbox_start without namespaces / posix_spawn",
         ratios(api, "sandbox_start, without namespaces", "posix_spawn and wait"), 1.35),
    ])


if __name__ == "__main__":
    main()
