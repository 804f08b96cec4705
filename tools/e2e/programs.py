"""Subjects of many kinds, and what they spawn: examples, ends, what is missing, others."""

import os

from harness import EXAMPLES
from table import ALL, PLAIN, Row, add_rows


def copy_of(directory):
    """The files of a directory, for Row.files."""
    files = {}
    for entry in sorted(os.scandir(directory), key=lambda e: e.name):
        if entry.is_file():
            with open(entry.path, "rb") as f:
                files[entry.name] = f.read()
    return files


EXAMPLE_ROWS = [
    Row("agent.py", argv=["python3", "@EXAMPLES/agent.py"], modes=PLAIN,
        differs=("example/repo/.git/index",)),
    Row("build.sh", argv=["/bin/sh", "@EXAMPLES/build.sh"], status=4, modes=ALL),
    Row("build.sh in bash", argv=["bash", "@EXAMPLES/build.sh"], status=4, modes=("file",),
        needs=("bash",)),
    Row("tool.js", argv=["node", "@EXAMPLES/tool.js"], status=5, modes=PLAIN, needs=("node",)),
    Row("spawner_static", argv=["@FIXTURES/spawner_static"], status=6, modes=ALL),
    Row("make -j1", argv=["make", "-j1", "O=out", "check"], modes=ALL, needs=("make", "cc"),
        files=copy_of(os.path.join(EXAMPLES, "project")), units=10),
    Row("make -j4", argv=["make", "-j4", "O=out", "check"], modes=PLAIN, needs=("make", "cc"),
        files=copy_of(os.path.join(EXAMPLES, "project")), units=10, any_order=True),
]

END_ROWS = [
    Row("exit 0", sh="/bin/true", units=1),
    Row("exit 3", sh="sh -c 'exit 3'", status=3, units=1),
    Row("exit 255", sh="sh -c 'exit 255'", status=255),
    Row("the subject is killed by KILL", sh="echo a; kill -9 $$", status=137),
    Row("the subject is killed by TERM", sh="uname; kill -TERM $$", status=143),
    Row("the subject dies of SEGV", sh="ulimit -c 0; uname; kill -SEGV $$", status=139),
    Row("a unit is killed by each signal", sh="""
        ulimit -c 0
        for s in HUP INT QUIT KILL SEGV PIPE TERM USR1 ABRT; do
            sh -c "echo $s; kill -$s \\$\\$" 2>/dev/null
            echo "$?"
        done 2>/dev/null""", units=9, modes=PLAIN),
    Row("a subject that spawns nothing", sh="echo hello; echo oops >&2; exit 9", status=9,
        modes=ALL, units=0),
]

MISSING_ROWS = [
    Row("missing program, PATH searched", sh="sandtape-none a b; echo $?"),
    Row("missing program, path given", sh="./none; echo $?; /none/none; echo $?"),
    Row("missing program from Python, PATH searched", units=1, py="""
try:
    run("sandtape-none", "x")
except FileNotFoundError as e:
    put(e)
"""),
    Row("missing program from Python, path given", py="""
for name in ("./none", "./dir/none", "./file/none"):
    try:
        run(name)
    except OSError as e:
        put(type(e).__name__, e.errno)
""", files={"dir": None, "file": "x"}),
    Row("not executable", py="""
for name in ("./plain", "./dir"):
    try:
        run(name, "x")
    except OSError as e:
        put(type(e).__name__, e.errno)
""", files={"plain": "x", "dir": None}, units=2),
    Row("not executable, from the shell", sh="./plain; echo $?; ./dir; echo $?",
        files={"plain": "x", "dir": None}),
    Row("no valid format", py="""
try:
    run("./odd")
except OSError as e:
    put(type(e).__name__, e.errno)
""", files={"odd": (b"\x01\x02 no format\n", 0o755)}, units=1),
    Row("a script without an interpreter line", sh="./s a; echo $?",
        files={"s": ("uname\nexit 3\n", 0o755)}),
    Row("an interpreter that is missing", sh="./s a; echo $?",
        files={"s": ("#!/none/interpreter\n", 0o755)}),
    Row("PATH found a file that cannot be executed first", py="""
os.environ["PATH"] = os.getcwd() + os.pathsep + os.environ["PATH"]
put(run("uname").stdout, run("uname").stdout)
""", files={"uname": "not executable\n"}, units=2),
    Row("a directory that is missing", py="""
try:
    run("uname", cwd="none")
except FileNotFoundError as e:
    put(e)
""", units=0),
]

OTHER_ROWS = [
    Row("perl", needs=("perl",), argv=["perl", "s"], modes=PLAIN, files={"s": r"""
        $| = 1;
        print `uname`, $?, "\n"; system("exit 3"); print $? >> 8, "\n";
        open(my $p, "|-", "sort") or die; print $p "b\na\n"; close $p;
        open(my $r, "-|", "echo", "list form") or die; print <$r>; close $r;
        print defined(system { "sandtape-none" } "x") ? "ran" : "no", " $?\n";
        exit 5;"""}, status=5),
    Row("30 children of perl at once", needs=("perl",), argv=["perl", "s"], units=30,
        files={"s": """
        for my $i (1..30) { my $p = fork; if (!$p) { exec "sh", "-c", "exit $i" } }
        my $sum = 0; while ((my $p = wait) > 0) { $sum += $? >> 8 } print "$sum\\n";"""}),
    Row("fork of node", needs=("node",), argv=["node", "s.js"], units=1, files={"s.js": """
        const child = require('child_process').fork('child.js', [], {silent: true});
        child.stdout.on('data', (text) => console.log('child: ' + text));
        child.on('close', (code) => console.log('closed', code));
        """, "child.js": "console.log('hello'); process.exitCode = 3;"}),
    Row("bash", needs=("bash",), argv=["bash", "s"], modes=PLAIN, files={"s": """
        set -o pipefail
        mapfile -t lines < <(seq 3); echo "${lines[@]}"
        diff <(echo a) <(echo b); echo $?
        false | true; echo "$? ${PIPESTATUS[*]}"
        coproc cat; echo to >&${COPROC[1]}; read -r x <&${COPROC[0]}; echo "$x"
        kill $COPROC_PID; wait
        sort <<<$'b\\na'; command -v sort >/dev/null; type -t sort; hash sort; echo $?
        read -r x < <(uname); wait $!; echo "$x"
        exit 8"""}, status=8),
    Row("xargs and find are one unit each", sh="ls | xargs -n1 echo; find . -name f -exec cat {} +",
        files={"f": "text\n"}, units=3),
]

TABLES = (EXAMPLE_ROWS, END_ROWS, MISSING_ROWS, OTHER_ROWS)
add_rows(*TABLES)
