"""sandtape is killed by SIGKILL while commands wait for what does not come any more: for a signal,
for stdin, for a reader, to go on. Nobody stays behind, with whatever backend."""

import os
import signal
import subprocess
import time
from dataclasses import dataclass

from harness import (FIXTURES, SANDTAPE, case, expect, expect_equal, find_program, shell_status,
                     wait_until)
from table import BACKENDS
from wiring import Reader

@dataclass
class Row:
    """A subject that says with the file `up` that its command has begun, and may go on when
    somebody writes to the FIFO `go`."""

    name: str
    sh: str
    stdin: bool = False  # it reads its stdin to the end
    last: bytes = b""  # the end of its output
    recorded: bool = True  # it is killed in a recording, too
    shell: str = "sh"


ROWS = [
    Row("a signal", "sleep 1000 & : >up; read -r x <go; kill $!; wait"),
    Row("stdin", ": >up; cat >/dev/null; exit 0", stdin=True),
    Row("a reader", ": >up; seq 1 200000; exit 0", last=b"\n200000\n"),
    Row("SIGCONT, for it has stopped itself",
        # SIGCONT before it has stopped would do nothing: bash waits for that.
        "set -m; sh -c 'kill -STOP $$; exit 3' & : >up; wait $!; read -r x <go; kill -CONT $!;"
        "wait $!; exit 0", shell="bash"),
    Row("SIGCONT, for it was stopped",
        "sleep 1000 & : >up; sleep 0.1; kill -STOP $!; read -r x <go; kill -9 $!; wait"),
    # In a recording without ptrace, what a command has started goes on.
    Row("a reader of what comes after its end",
        "sh -c '(sleep 0.1; seq 1 200000) & exit 0'; : >up; read -r x <go; exit 0",
        last=b"\n200000\n", recorded=False),
    Row("another one, at whose turn it is",
        "sh -c 'sleep 0.3; echo a; exec sleep 1000' & p=$!; "
        "sh -c 'sleep 0.6; echo b; exec sleep 1000' & : >up; "
        "read -r x <go; kill $p $!; wait; exit 0", last=b"b\n"),
]


class Run:
    """A run of a row whose ends are here: its stdin, its output, its FIFO."""

    def __init__(self, place, row, command):
        place.fresh({"s.sh": row.sh})
        os.mkfifo(place.path("work", "go"))
        # Opened for both, it does not wait for the subject; nor does the subject for us.
        self.go = os.open(place.path("work", "go"), os.O_RDWR)
        self.stdin, self.stdout = os.pipe(), os.pipe()
        self.reader = None
        self.process = place.start(
            [SANDTAPE, command, "-q", "-t", place.tape, *place.backend_option(), "--",
             find_program(row.shell), "s.sh"],
            stdin=self.stdin[0] if row.stdin else None, stdout=self.stdout[1],
            stderr=subprocess.DEVNULL)
        os.close(self.stdin[0])
        os.close(self.stdout[1])
        wait_until(lambda: os.path.exists(place.path("work", "up")), "the command has begun")

    def let_go_on(self, row):
        os.close(self.stdin[1])
        self.reader = Reader(self.stdout[0])
        if row.last:
            self.reader.wait_for(row.last, 0, 20)
        os.write(self.go, b"\n")

    def close(self):
        os.close(self.go)
        if not self.reader:
            os.close(self.stdin[1])
            os.close(self.stdout[0])


def finish_recording(place, row):
    run = Run(place, row, "record")
    run.let_go_on(row)
    place.finish(run.process)
    run.close()


def kill_in(place, row, command):
    run = Run(place, row, command)
    time.sleep(0.3)  # what happens before is not what is meant, but must end as well
    os.kill(run.process.pid, signal.SIGKILL)
    run.process.wait()
    expect_equal("status", 137, shell_status(run.process.returncode))
    try:
        place.check_nothing_runs()
    finally:
        run.close()


def check(place, row, backend):
    place.backend = backend
    if row.recorded:
        kill_in(place, row, "record")
    finish_recording(place, row)
    kill_in(place, row, "replay")
    for name in os.listdir(place.tmp):  # private directories stay until the next one
        subprocess.run(["rm", "-r", place.path("tmp", name)], check=True)


COMMAND = ["sh", "-c", "trap 'exit 3' TERM; echo up; while :; do sleep 0.02; done"]
STEP = 3  # of each three places one, beginnings and ends of calls in turn
PLACES_MAX = 400


def check_places(place, backend):
    place.backend = backend
    place.record([os.path.join(FIXTURES, "early_signal"), "late", str(int(signal.SIGTERM)),
                  "default", *COMMAND], "-q")
    for n in range(0, PLACES_MAX, STEP):
        result = place.replay([os.path.join(FIXTURES, "orphan_at"), str(n), *COMMAND], "-q")
        expect_equal(f"status at place {n}", 137, result.status)
        place.check_nothing_runs()
        if os.path.exists(place.path("work", "waits")):
            break
    expect(os.path.exists(place.path("work", "waits")), "it never came to wait for the signal")
    for name in os.listdir(place.tmp):
        subprocess.run(["rm", "-r", place.path("tmp", name)], check=True)


def add_places():
    for backend in BACKENDS:
        case(f"killed while a stub is at any of its calls [{backend}]")(
            lambda place, backend=backend: check_places(place, backend))


def add_rows():
    for row in ROWS:
        for backend in ("ptrace", *BACKENDS):
            case(f"killed while a command waits for {row.name} [{backend}]")(
                lambda place, row=row, backend=backend: check(place, row, backend))


add_rows()
add_places()
