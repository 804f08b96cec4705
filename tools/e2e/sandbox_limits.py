"""Limits of the sandbox; what a program leaves behind; signals that sandtape gets."""

import os
import signal
import subprocess
import time
from dataclasses import dataclass

from harness import (MARK, SANDTAPE, Failed, Skipped, add_case, case, expect, expect_equal,
                     expect_status, expect_text, kill_group, short, wait_until)
from sandbox import KEEP_MARK, inside, script_argv


@dataclass
class Limit:
    """A script that ends with 0 by itself and with the options `enough`, and otherwise with those of
    `limit`."""

    name: str
    limit: tuple
    enough: tuple
    status: tuple
    sh: str = None
    py: str = None
    says: str = ""  # on its stdout, with the limit


MANY = """
started = []
try:
    for _ in range({}):
        started.append(subprocess.Popen(["sleep", "20"]))
    print("all")
except BlockingIOError:
    print("EAGAIN")
for p in started:
    p.kill()
for p in started:
    p.wait()
"""

LIMITS = [
    Limit("memory", ("--mem", "100M"), ("--mem", "2G"), (0, 137), py="""
try:
    x = bytearray(200 << 20)
    print("has it")
except MemoryError:
    print("MemoryError")
""", says="MemoryError\n"),
    Limit("memory, of a program that does not look", ("--mem", "100M"), ("--mem", "none"), (1, 137),
          py="x = [bytearray(1 << 20) for _ in range(200)]\n"),
    Limit("processor time", ("--cpu", "1s"), ("--cpu", "1m"), (128 + signal.SIGXCPU, 137), py="""
while time.process_time() < 4:
    pass
"""),
    Limit("processes", ("--procs", "20"), ("--procs", "200"), (0,), py=MANY.format(40),
          says="EAGAIN\n"),
    Limit("processes, as many as the default", ("--procs", "64"), ("--procs", "200"), (0,),
          py=MANY.format(90), says="EAGAIN\n"),
    Limit("open files", ("--files", "40"), ("--files", "200"), (0,), py="""
opened = []
try:
    for _ in range(100):
        opened.append(os.open("/dev/null", 0))
    print("all")
except OSError as e:
    print(errno.errorcode[e.errno])
""", says="EMFILE\n"),
    Limit("the size of a file", ("--fsize", "1M"), ("--fsize", "4M"), (128 + signal.SIGXFSZ, 1),
          sh="exec dd if=/dev/zero of=big bs=1k count=2000 2>/dev/null"),
    Limit("time", ("--timeout", "300ms"), ("--timeout", "1m"), (124,), sh="sleep 1; exit 0"),
]


def check_limit(place, row):
    argv = script_argv(place, row.sh, row.py)
    for what, result in (("outside", place.run(argv)),
                         ("with enough", inside(place, argv, *row.enough))):
        if result.status == 125 and b"strictness." in result.err:
            raise Skipped("this host cannot: " + short(result.err))
        expect_status(result, 0, what)
        expect(not row.says or result.out != row.says.encode(), f"{what}: {short(result.out)}")
    result = inside(place, argv, *row.limit)
    expect(result.status in row.status, f"status {result.status}: {short(result.err, 300)}")
    if row.says and result.status == 0:
        expect_equal("stdout", row.says.encode(), result.out)


for r in LIMITS:
    add_case("run: limit: " + r.name, lambda place, row=r: check_limit(place, row))


# --- What is left behind --------------------------------------------------------------------------

# Each leaves a process behind that would run for a minute, and says when it is there.
LINGERERS = {
    "in the background": "sleep 60 >/dev/null 2>&1 & echo there",
    "of another session": "setsid sleep 60 >/dev/null 2>&1 & echo there",
    "forked twice": "(setsid sh -c 'sleep 60 & sleep 60' >/dev/null 2>&1 &) ; echo there",
    "that ignores SIGTERM": "(trap '' TERM HUP INT; setsid sleep 60 >/dev/null 2>&1 &); echo there",
    "stopped": "sleep 60 >/dev/null 2>&1 & kill -STOP $!; echo there",
    "with the output still open": "sleep 60 & echo there",
    "and 19 more": "i=0; while [ $i -lt 20 ]; do setsid sleep 60 >/dev/null 2>&1 & i=$((i+1)); done; "
            "echo there",
    "that forks again and again": "(while :; do sleep 0.01; done) >/dev/null 2>&1 & echo there",
}


def check_end(place, script):
    result = inside(place, ["/bin/sh", "-c", script + "; exit 5"])
    expect_status(result, 5)
    expect_equal("stdout", b"there\n", result.out)
    place.check_nothing_runs()


def check_timeout(place, script):
    result = inside(place, ["/bin/sh", "-c", script + "; sleep 60"], "--timeout", "500ms")
    expect_status(result, 124)
    expect_equal("stdout", b"there\n", result.out)
    expect_text(result, "its time was over")
    place.check_nothing_runs()


def start_inside(place, script, *options):
    process = place.start([SANDTAPE, "run", *KEEP_MARK, *options, "--", "/bin/sh", "-c", script])
    expect_equal("its first line", b"there\n", process.stdout.readline())
    return process


for what, text in LINGERERS.items():
    for how, check in (("a normal end", check_end), ("a timeout", check_timeout)):
        add_case(f"run: nothing stays after {how}: a process {what}",
                 lambda place, check=check, text=text: check(place, text))


def killed(place, *options):
    process = start_inside(place, "echo there; exec sleep 60", *options)
    process.kill()
    process.communicate(timeout=30)
    place.check_nothing_runs()


@case("run: a program that ignores SIGTERM ends by its timeout")
def stubborn(place):
    result = inside(place, ["/bin/sh", "-c", "trap '' TERM; while :; do sleep 0.1; done"],
                    "--timeout", "300ms")
    expect_status(result, 124)


# --- Signals --------------------------------------------------------------------------------------

PASSED_ON = ("TERM", "INT", "HUP", "USR1", "USR2", "QUIT")


def check_passed_on(place, name, *options):
    """The program gets it, and its own end is what counts."""
    script = f"trap 'echo got; exit 9' {name}; echo there; while :; do sleep 0.05; done"
    process = start_inside(place, script, *options)
    process.send_signal(getattr(signal, "SIG" + name))
    out, err = place.finish(process)
    expect_equal("status", 9, process.returncode)
    expect_equal("stdout", b"got\n", out)
    place.check_nothing_runs()
    expect(b"sandtape: cannot" not in err, short(err))


def terminated(place, *options):
    process = start_inside(place, "echo there; exec sleep 60", *options)
    wait_until(lambda: any("sleep" in line and "sandtape" not in line
                           for _, line in place.marked()), "sleep runs")
    process.send_signal(signal.SIGTERM)
    place.finish(process)
    expect_equal("status", 128 + signal.SIGTERM, process.returncode % 256)


def terminated_early(place, *options):
    place.fresh({f"f{n}": "" for n in range(999)})
    roots = [word for n in range(999) for word in ("--deny", f"f{n}")]  # so that it takes its time
    for step in range(20):
        process = place.start([SANDTAPE, "run", "-q", *KEEP_MARK, *options, *roots, "--", "sleep",
                               "20"])
        time.sleep(step * 0.005)
        process.send_signal(signal.SIGTERM)
        try:
            process.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            raise Failed(f"lost, {step * 5} ms after the start") from None
        expect(process.returncode in (-signal.SIGTERM, 128 + signal.SIGTERM),
               f"status {process.returncode}")


COUNT_INTERRUPTS = """
import signal
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
print("there", flush=True)
n = 0
while signal.sigtimedwait([signal.SIGINT], 5 if n == 0 else 0.3):
    n += 1
print("got", n, flush=True)
"""


def interrupted(place, *options):
    """Each is taken at once: one more, passed on by somebody else, would not be lost in it."""
    result = inside(place, script_argv(place, None, COUNT_INTERRUPTS), *options, mode="pty",
                    stdin=[(b"there", b"\x03")])
    expect_status(result, 0)
    expect(b"got 1" in result.out, f"how often: {result.out}")


def suspended(place, *options):
    """Under a shell with job control, as people use it."""
    place.fresh({"p.sh": "echo there; sleep 0.5; echo end\n"})
    line = f"{SANDTAPE} run --env {MARK} {' '.join(options)} -- /bin/sh p.sh"
    dialogue = [(b"ready>", line.encode() + b"\n"), (b"\nthere", b"\x1a"),
                (b"ready>", b"jobs | wc -l\n"), (b"\n1", b"fg\n"), (b"\nend", b"exit 7\n")]
    result = place.run(["bash", "--norc", "--noprofile", "-i"], mode="pty", stdin=dialogue,
                       env={"PS1": "ready>", "HISTFILE": "/dev/null"})
    expect_status(result, 7)


def stopped(place, *options):
    process = start_inside(place, "echo there; sleep 0.2; echo end", *options)
    os.kill(process.pid, signal.SIGSTOP)
    os.kill(process.pid, signal.SIGCONT)
    out, _ = place.finish(process)
    expect_equal("stdout", b"end\n", out)
    kill_group(process)


PASSED = {
    "SIGKILL to sandtape kills the program": (killed, ()),
    **{f"SIG{name} is passed on": (lambda place, *options, name=name:
                                   check_passed_on(place, name, *options), ())
       for name in PASSED_ON},
    "a SIGTERM that nobody catches ends the program, and its status says so": (terminated, ()),
    "a SIGTERM at any moment of the start is not lost": (terminated_early, ()),
    "Ctrl-C on a terminal reaches the program once": (interrupted, ()),
    "Ctrl-Z on a terminal stops the program, and fg goes on with it": (suspended, ("bash",)),
    "a program that is stopped and continued goes on": (stopped, ()),
}

for what, (act, programs) in PASSED.items():
    add_case("run: " + what, act, programs)
    add_case("run: explain: " + what,
             lambda place, act=act: act(place, "--explain"), programs)
