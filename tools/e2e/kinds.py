"""Commands on streams of every kind: what the subject gives to a command (fixtures/programs/wire.c
prints all that it can see of it), and what sandtape itself has and lets through."""

from table import Row, add_rows
from wiring import MODES

# stdin, stdout and stderr of the command, as wire has them.
WIRINGS = [
    "pipe pipe pipe", "pipe pipe stdout", "file file file", "file file stdout",
    "file append stdout", "append append append", "null null null", "null null pipe",
    "socket socket socket", "socket stdin stdin", "socket socket stdout", "pty stdin stdin",
    "pty pipe pipe", "pipe file pipe", "file pipe null", "keep pipe file",
    # Every combination of what is closed.
    "closed closed closed", "closed closed pipe", "closed pipe closed", "closed pipe pipe",
    "pipe closed closed", "pipe closed pipe", "pipe pipe closed",
]

LINES = "one\ntwo\nthree\n"

# Name -> what the command finds in its stdin, and itself.
COMMANDS = {
    "both streams": (LINES, ["sh", "-c", "for i in 1 2; do echo o$i; echo e$i >&2; done; exit 3"]),
    "cat": (LINES, ["cat"]),
    "a line is read": (LINES, ["sh", "-c", 'read -r l; echo "<$l>"; exit 4']),
    "a line is read, and stderr told": (LINES, ["sh", "-c", 'echo a >&2; read l; echo "<$l>" >&2']),
    "silence": (LINES, ["true"]),
    "death": (LINES, ["sh", "-c", "echo dying; kill -TERM $$"]),
    "100 KB": ("@100000", ["sh", "-c", "tr a-z A-Z | tail -c 80000; seq 20000 >&2"]),
    "no such program": (LINES, ["./none", "x"]),
}

# What a command may ask of its streams, which a recording may not change.
WATCHED = ["sh", "-c", "for i in 0 1 2; do test -t $i && echo t$i; test -p /dev/fd/$i && echo p$i; "
           "done; :"]

KIND_ROWS = [
    Row(f"{name} on {wiring}", argv=["@FIXTURES/wire", *wiring.split(), text, *command], units=1,
        keeps=("stdin", "stdout", "stderr"))
    for name, (text, command) in COMMANDS.items() for wiring in WIRINGS
    if not (text.startswith("@") and "pty" in wiring)  # a terminal takes lines, and not so many
] + [
    Row(f"the kinds of streams on {wiring}", units=1,
        argv=["@FIXTURES/wire", *wiring.split(), LINES, *WATCHED])
    for wiring in WIRINGS
]

OWN_MODES = tuple(mode for mode in MODES if mode != "full")

# Subjects whose commands have the streams of sandtape itself.
OWN_ROWS = [
    Row("own streams: both", modes=OWN_MODES, units=3, stdin=LINES.encode(),
        sh="echo a; sh -c 'echo b; echo c >&2'; echo d >&2; uname; uname -x; exit 3", status=3),
    Row("own streams: stdin is shared", modes=OWN_MODES, stdin=LINES.encode(),
        known={"pty": "what a command reads at sandtape's own terminal is not on the tape, and is "
                      "left to the next reader in a replay"}, sh="""
        read -r a; sh -c 'read -r b; echo "b $b"'; echo "a $a"; read -r c; echo "c $c $?"
        exit 0"""),
    Row("own streams: stdin is read to its end", modes=OWN_MODES, stdin=LINES.encode(),
        sh="cat; echo $?; cat; echo $?; exit 0"),
    Row("own streams: stdin is left alone", modes=OWN_MODES, stdin=LINES.encode(),
        sh="uname; echo x | cat; exit 0"),
    Row("own streams: what the subject sees is in a file", modes=OWN_MODES, stdin=LINES.encode(),
        keeps=("seen",), units=4, sh="""
        { sh -c 'exit 3'; echo $?; sh -c 'kill $$'; echo $?; } >seen
        echo "$(sh -c 'read -r x; echo "<$x>"')" >>seen; sh -c 'echo out; echo err >&2; exit 4'
        echo $? >>seen"""),
    Row("own streams: 100 KB", modes=OWN_MODES, sh="seq 20000; seq 20000 >&2; exit 1", status=1),
    Row("own streams: moved", modes=tuple(mode for mode in OWN_MODES if mode != "closed"),
        files={"f": ""}, keeps=("f",), sh="""
        exec 3>&1 4>&2; sh -c 'echo a; echo b >&2' 1>&4 2>&3; sh -c 'echo c; echo d >&2' >f 2>&1
        sh -c 'echo e; echo f >&2' 2>&1 >>f; { echo g; sh -c 'echo h >&2; echo i'; } 2>>f 1>&2"""),
]

add_rows(KIND_ROWS, OWN_ROWS)
