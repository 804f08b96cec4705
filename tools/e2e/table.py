"""The table of subjects: a row is one behaviour of a program that spawns others, a column one way
to connect its streams (wiring.MODES). In each of its cells the subject is run by itself, recorded,
and replayed with its commands hidden, and all that can be seen of the runs must be the same."""

from dataclasses import dataclass, field, replace

from harness import (EXAMPLES, FIXTURES, Differs, Failed, add_case, expect, expect_same,
                     expect_status, find_program)
from outcome import comparable

# Python rows begin with this.
PRELUDE = """\
import os, subprocess, sys
from concurrent.futures import ThreadPoolExecutor
PIPE, STDOUT, DEVNULL = subprocess.PIPE, subprocess.STDOUT, subprocess.DEVNULL
def put(*what):
    for one in what:
        sys.stdout.buffer.write(one if isinstance(one, bytes) else (str(one) + "\\n").encode())
    sys.stdout.buffer.flush()
def run(*argv, **how):
    how.setdefault("stdin", None if "input" in how else DEVNULL)
    return subprocess.run(argv, stdout=PIPE, stderr=PIPE, **how)
"""


ALL = ("pipe", "file", "null", "merged")
PLAIN = ("pipe", "file", "null")


@dataclass
class Row:
    """A subject: the text of a shell or Python script, or `argv`, whose first word is looked up
    before anything is hidden, and in which @EXAMPLES and @FIXTURES are replaced."""

    name: str
    sh: str = None
    py: str = None
    argv: list = None
    files: dict = field(default_factory=dict)
    # Its name -> its text; in a replay a program that fails has its place.
    commands: dict = field(default_factory=dict)
    stdin: object = None  # bytes, the name of one of the files, or a dialogue (wiring.py)
    env: dict = field(default_factory=dict)
    options: list = field(default_factory=list)
    status: int = 0
    units: int = None  # how many records there must be
    modes: tuple = ("pipe",)
    needs: tuple = ()
    keeps: tuple = ()  # files that a replay must leave as a native run does
    differs: tuple = ()  # globs of files that are never twice the same
    # Mode -> why a recording or replay differs there now ("" stands for all modes).
    known: dict = field(default_factory=dict)
    any_order: bool = False  # lines may change places from run to run
    by_chance: bool = False  # no two runs are the same, but a replay is as its recording
    hidden: bool = True
    replays: int = 1


def argv_of(row):
    if row.sh is not None:
        return ["/bin/sh", "s.sh"]
    if row.py is not None:
        return [find_program("python3"), "s.py"]
    words = [w.replace("@EXAMPLES", EXAMPLES).replace("@FIXTURES", FIXTURES) for w in row.argv]
    if "/" not in words[0] and row.hidden:
        words[0] = find_program(words[0])
    return words


BACKENDS = ("preload", "path")

FAILING = "#!/bin/sh\necho 'it was run in a replay' >&2\nexit 99\n"


def files_of(row, replayed):
    files = dict(row.files)
    if row.sh is not None:
        files["s.sh"] = row.sh
    if row.py is not None:
        files["s.py"] = PRELUDE + row.py
    for name, text in row.commands.items():
        files[name] = (FAILING if replayed else text, 0o755)
    return files


def check_row(place, row, mode, backend=None):
    place.backend = backend
    argv = argv_of(row)
    how = {"mode": mode, "stdin": row.stdin, "env": row.env}

    def once(run, *options, **more):
        place.fresh(files_of(row, run == place.replay))
        result = run(argv, *options, **how, **more)
        return comparable(row, result, place.snapshot())

    def kept(result):
        return replace(result, files={name: result.files.get(name) for name in row.keeps})

    native = once(place.run)
    expect_status(native, row.status, "native")
    recorded = once(place.record, "-q", *row.options)
    if row.by_chance:
        native = replace(native, out=recorded.out, err=recorded.err)
    expect_same("record", native, recorded)
    if row.units is not None:
        units = place.units()
        expect(len(units) == row.units, f"wanted {row.units} records, got {len(units)}: "
               + "; ".join(" ".join(map(str, u["argv"][:4])) for u in units[:12]))
    for _ in range(row.replays):
        # What its commands make is not there.
        replayed = once(place.replay, "-q", "--all-used", *row.options, hidden=row.hidden)
        expect_same("replay", kept(native), kept(replayed))


def add_rows(*tables):
    for row in (row for rows in tables for row in rows):
        for mode in row.modes:
            name = row.name + ("" if len(row.modes) == 1 else f" [{mode}]")
            add_case(name, lambda place, row=row, mode=mode: check_row(place, row, mode),
                     row.needs, row.known.get(mode) or row.known.get(""))


def check_backend_row(place, row, backend, why):
    """A row that the backend is blind for must show it. With the library the commands are the same
    as under ptrace, so their tape is good there, too."""
    try:
        check_row(place, row, row.modes[0], backend)
    except Failed as e:
        raise Differs(str(e)) if why else e
    if backend != "preload":
        return
    place.backend = None
    place.fresh(files_of(row, True))
    again = place.replay(argv_of(row), "-q", *row.options, mode=row.modes[0], stdin=row.stdin,
                         env=row.env, hidden=row.hidden)
    expect_status(again, row.status, "replay under ptrace")


def add_backend_rows(blind, unsure, *tables):
    """The rows once more, in their first mode, with each of the other backends, but for those in
    `unsure`, by their name alone or with that of a backend. `blind`: row -> backend -> why it does
    not see what ptrace does."""
    for row in (row for rows in tables for row in rows if row.name not in unsure):
        for backend in (b for b in BACKENDS if (row.name, b) not in unsure):
            why = blind.get(row.name, {}).get(backend)
            add_case(f"{row.name} [{backend}]",
                     lambda place, row=row, backend=backend, why=why:
                     check_backend_row(place, row, backend, why),
                     row.needs, why or row.known.get(row.modes[0]) or row.known.get(""))
