#!/usr/bin/env python3
"""A small coding agent whose "model" is a list, to record and replay.

    sandtape record -t agent.tape -- python3 examples/agent.py
    sandtape replay -t agent.tape -- python3 examples/agent.py

It writes a C program with a mistake, lets the compiler find it, mends it, runs it, commits it and
looks things up on the way, in all the ways in which Python starts commands: subprocess.run, Popen
with pipes, a shell's pipeline, eight threads at once, a time limit, and commands that fail, are
killed or do not exist. What it prints holds no time, no process id and no path of this machine.

Needs Python 3.9 and the usual commands (sh, sort, wc, sleep ...); steps whose command is missing
(git, cc) are skipped. It works in $SANDTAPE_EXAMPLE_DIR, or in agent-work below the current
directory, which it removes first. Exit status: 0 when every step ended as the model expected,
1 when one did not.

In a replay only this file runs. So it uses what its commands print, never the files they make.
"""

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

WORK = os.path.abspath(os.environ.get("SANDTAPE_EXAMPLE_DIR") or "agent-work")

# The same wherever it runs: nobody's settings, one identity, one date.
ENV = dict(
    os.environ,
    LC_ALL="C",
    HOME=WORK,
    GIT_CONFIG_NOSYSTEM="1",
    GIT_CONFIG_GLOBAL=os.devnull,
    GIT_AUTHOR_NAME="Agent",
    GIT_AUTHOR_EMAIL="agent@example.org",
    GIT_AUTHOR_DATE="2024-02-29T12:00:00+0000",
    GIT_COMMITTER_NAME="Agent",
    GIT_COMMITTER_EMAIL="agent@example.org",
    GIT_COMMITTER_DATE="2024-02-29T12:00:00+0000",
)

# The @ is where the model first forgets a semicolon.
PRIMES_C = """\
#include <stdio.h>
#include <stdlib.h>

static int is_prime(int n)
{
    for (int d = 2; d * d <= n; d++)
        if (n % d == 0)
            return 0;
    return n > 1@
}

int main(int argc, char **argv)
{
    int limit = argc > 1 ? atoi(argv[1]) : 10;

    for (int n = 0; n < limit; n++)
        if (is_prime(n))
            printf("%d\\n", n);
    return 0;
}
"""

WORDS = "pear\napple\nfig\napple\nquince\nfig\napple\n"


# --- The tools: each returns (how it ended, what it printed) ------------------------------------


def ending(returncode):
    return f"signal {-returncode}" if returncode < 0 else f"exit {returncode}"


def write_file(path, text):
    full = os.path.join(WORK, path)
    os.makedirs(os.path.dirname(full), exist_ok=True)
    with open(full, "w", encoding="utf-8") as f:
        f.write(text)
    return "written", f"{len(text)} bytes"


def run(argv, cwd=".", stdin=None, timeout=20):
    try:
        done = subprocess.run(
            argv,
            cwd=os.path.join(WORK, cwd),
            env=ENV,
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            timeout=timeout,
        )
    except OSError:  # not there; or behind a directory of PATH that is closed to us
        return "not found", ""
    except subprocess.TimeoutExpired:
        return "timeout", ""
    return ending(done.returncode), done.stdout + done.stderr


def shell(line):
    done = subprocess.run(
        line,
        shell=True,
        cwd=WORK,
        env=ENV,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return ending(done.returncode), done.stdout


def converse(argv, lines):
    """Says a line, waits for the answer, says the next one: as to a language server."""
    process = subprocess.Popen(
        argv,
        cwd=WORK,
        env=ENV,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        bufsize=1,
    )
    heard = []
    for line in lines:
        process.stdin.write(line + "\n")
        heard.append(process.stdout.readline())
    process.stdin.close()
    heard.append(process.stdout.read() + process.stderr.read())
    return ending(process.wait()), "".join(heard)


def parallel(commands):
    with ThreadPoolExecutor(max_workers=8) as pool:
        results = list(pool.map(run, commands))
    endings = sorted({how for how, _ in results})
    return ", ".join(endings), "".join(output for _, output in results)


def compile_c(source, program):
    """The compiler's words differ from machine to machine: only what they are about is shown."""
    how, output = run(["cc", "-O2", "-Wall", "-o", program, source])
    return how, f"complains about {source}\n" if source in output else output


TOOLS = {
    "write_file": write_file,
    "run": run,
    "shell": shell,
    "converse": converse,
    "parallel": parallel,
    "compile": compile_c,
}


# --- The model: what to do, and how it must end -------------------------------------------------


def git(*args):
    return {"argv": ["git", *args], "cwd": "repo"}


def count_primes_below(n):
    return ["sh", "-c", f"seq {n} | sed 's/.*/& &/' | wc -l"]


# (tool, its arguments, the expected ending, the command without which the step is skipped)
PLAN = [
    ("write_file", {"path": "words.txt", "text": WORDS}, "written", None),
    ("shell", {"line": "sort words.txt | uniq -c | sort -rn | sed 's/^ *//'"}, "exit 0", None),
    ("run", {"argv": ["wc", "-lw"], "stdin": WORDS}, "exit 0", None),
    ("run", {"argv": ["sort", "-u", "words.txt"]}, "exit 0", None),
    ("write_file", {"path": "primes.c", "text": PRIMES_C.replace("@", "")}, "written", None),
    ("compile", {"source": "primes.c", "program": "primes"}, "exit 1", "cc"),
    ("write_file", {"path": "primes.c", "text": PRIMES_C.replace("@", ";")}, "written", None),
    ("compile", {"source": "primes.c", "program": "primes"}, "exit 0", "cc"),
    ("run", {"argv": ["./primes", "30"]}, "exit 0", "cc"),
    ("run", {"argv": ["sh", "-c", "sleep 1; echo 12 tests passed"]}, "exit 0", None),
    ("write_file", {"path": "repo/primes.c", "text": PRIMES_C.replace("@", ";")}, "written", None),
    ("write_file", {"path": "repo/words.txt", "text": WORDS}, "written", None),
    ("run", git("init", "-q"), "exit 0", "git"),
    ("run", git("checkout", "-q", "-b", "fix"), "exit 0", "git"),
    ("run", git("add", "."), "exit 0", "git"),
    ("run", git("commit", "-q", "-m", "Count primes"), "exit 0", "git"),
    ("run", git("rev-parse", "HEAD"), "exit 0", "git"),
    ("run", git("log", "--format=%h %an %ad %s", "--date=iso-strict"), "exit 0", "git"),
    ("run", git("show", "--stat", "--format=%s"), "exit 0", "git"),
    ("run", git("rev-parse", "no-such-branch"), "exit 128", "git"),
    ("parallel", {"commands": [count_primes_below(n) for n in range(100, 900, 100)]}, "exit 0",
     None),
    ("converse", {"argv": ["sh", "-c", 'while read -r w; do echo "you said $w"; done; echo bye'],
                  "lines": ["hello", "are you there?"]}, "exit 0", None),
    ("run", {"argv": ["sh", "-c", "echo half of it; echo oops >&2; exit 3"]}, "exit 3", None),
    ("run", {"argv": ["sh", "-c", "echo so far so good; kill -9 $$"]}, "signal 9", None),
    ("run", {"argv": ["sleep", "5"], "timeout": 0.3}, "timeout", None),
    ("run", {"argv": ["no-such-linter", "--strict"]}, "not found", None),
]


def describe(tool, args):
    if "argv" in args:
        return f"{tool}: {' '.join(args['argv'])}"
    return f"{tool}: {args.get('line') or args.get('path') or args.get('source') or '8 commands'}"


def take_step(number, tool, args, expected, needs):
    print(f"[{number:2}] {describe(tool, args)}")
    if needs and not shutil.which(needs):
        print(f"     skipped: there is no {needs}")
        return True
    how, output = TOOLS[tool](**args)
    for line in output.splitlines():
        print(f"     | {line}")
    print(f"     {how}" + ("" if how == expected else f", but expected {expected}"))
    return how == expected


def main():
    shutil.rmtree(WORK, ignore_errors=True)
    os.makedirs(os.path.join(WORK, "repo"))
    good = sum(take_step(i, *step) for i, step in enumerate(PLAN, 1))
    print(f"agent: {good} of {len(PLAN)} steps went as planned")
    return 0 if good == len(PLAN) else 1


if __name__ == "__main__":
    sys.exit(main())
