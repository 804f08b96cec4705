"""Subjects of many kinds, and what they spawn: examples, ends, shells, Python, others."""

import os

from harness import EXAMPLES
from table import ALL, PLAIN, PRELUDE, Row, add_rows

def copy_of(directory):
    """The files of a directory, for Row.files."""
    files = {}
    for entry in sorted(os.scandir(directory), key=lambda e: e.name):
        if entry.is_file():
            with open(entry.path, "rb") as f:
                files[entry.name] = f.read()
    return files


TEXT = "".join(f"line {i}\n" for i in range(1, 6))

# Speaks to commands through a pseudo-terminal: (wait for this, then send that or set that size).
TALK = """\
import fcntl, os, pty, select, struct, sys, termios

def resize(fd, rows, columns):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

def talk(argv, *script):
    go, start = os.pipe()
    pid, fd = pty.fork()
    if pid == 0:
        os.read(go, 1)
        os.execvp(argv[0], argv)
    resize(fd, 24, 80)
    os.write(start, b"x")
    seen = b""
    for wanted, answer in script + ((None, b""),):
        while wanted is None or wanted not in seen:
            ready = select.select([fd], [], [], 20)[0]
            try:
                more = os.read(fd, 4096) if ready else b"(nothing came)"
            except OSError:
                more = b""
            seen += more
            if not more or not ready:
                break
        if isinstance(answer, tuple):
            resize(fd, *answer)
        else:
            os.write(fd, answer) if answer else None
    status = os.waitpid(pid, 0)[1]
    os.close(fd)
    os.close(go)
    os.close(start)
    print(argv, seen, os.waitstatus_to_exitcode(status), flush=True)

talk(["sh", "-c", "printf 'name? '; read x; echo got $x"], (b"name? ", b"bob\\n"))
talk(["python3", "-c", "import getpass; print('pw', getpass.getpass('secret: '))"],
     (b"secret: ", b"hush\\n"))
talk(["sh", "-c", "stty size; tty >/dev/null && echo tty; echo err >&2"])
talk(["sh", "-c", "trap 'echo int; exit 3' INT; echo ready; while :; do sleep .05; done"],
     (b"ready\\r\\n", b"\\x03"))
talk(["sh", "-c", "echo ready; exec sleep 50"], (b"ready\\r\\n", b"\\x03"))
talk(["sh", "-c", "trap 'stty size; exit' WINCH; echo ready; while :; do sleep .05; done"],
     (b"ready\\r\\n", (30, 99)))
talk(["cat"], (b"", b"one\\n"), (b"one\\r\\none\\r\\n", b"two\\n"),
     (b"two\\r\\ntwo\\r\\n", b"\\x04"))
talk(["sh", "-c", "stty -echo; echo ready; read x; stty echo; echo \\"<$x>\\""], (b"ready", b"abc\\n"))
talk(["sh", "-c", "printf '\\\\377\\\\0\\\\033[1m'; head -c 100000 /dev/zero | tr '\\\\0' x; exit 7"])
"""

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

SHELL_ROWS = [
    Row("pipeline", sh="printf '%s\\n' c a b a | sort | uniq -c | sed 's/ *//'", modes=ALL),
    Row("pipeline whose reader leaves", sh="yes | head -1; yes no | head -n 2 | tail -1",
        modes=PLAIN, units=5),
    Row("long pipeline", sh="seq 20000 | sed 's/1/x/' | grep x | tac | sort | cat | wc",
        modes=PLAIN),
    Row("command substitution", sh='a=$(uname -s; echo more); b=`echo "$a" | wc -l`; echo $a $b',
        modes=PLAIN),
    Row("loop over a file, commands with their own stdin",
        sh='while read -r l; do echo "$l" | tr a-z A-Z </dev/null; echo "$l"; done <f',
        files={"f": TEXT}, units=5),
    Row("loop over a file, the first command eats the rest",
        sh='while read -r l; do echo "got $l"; cat; done <f', files={"f": TEXT}, units=1),
    Row("head shares a file as stdin",
        sh='{ head -n 1; read -r second; echo "read $second"; cat; } <f', files={"f": TEXT}),
    Row("dd shares a file as stdin",
        sh='{ dd bs=7 count=1 2>/dev/null; read -r x; echo "read $x"; cat; } <f',
        files={"f": TEXT}, units=2),
    Row("dd shares a pipe as stdin",
        sh='{ dd bs=7 count=1 2>/dev/null; read -r x; echo "read $x"; cat; }', stdin=TEXT.encode(),
        units=2),
    Row("dd shares a file that is the subject's stdin",
        sh='dd bs=7 count=1 2>/dev/null; read -r x; echo "read $x"; cat', stdin="f",
        files={"f": TEXT}, units=2),
    Row("loop over a pipe", sh='seq 5 | while read -r n; do echo "$n" | tr 1-5 a-e; done'),
    Row("stdin passed through", sh='sort; echo "then $?"', stdin=b"b\na\n", modes=PLAIN),
    Row("output to files", sh="""
        sort words >sorted 2>errors
        sort none >>sorted 2>>errors
        uname >>sorted
        while read -r l; do echo "$l"; done <sorted
        while read -r l; do echo "$l"; done <errors""", files={"words": "b\nc\na\n"}),
    Row("both streams to one file", sh="""
        sh -c 'for i in 1 2 3; do echo o$i; echo e$i >&2; done' >both 2>&1
        while read -r l; do echo "$l"; done <both""", modes=PLAIN),
    Row("order of stdout and stderr in one pipe",
        sh="sh -c 'for i in 1 2 3 4 5 6 7 8; do echo o$i; echo e$i >&2; done' 2>&1 | cat"),
    Row("a log that is read while it grows", sh="""
        sh -c 'sleep 0.2; echo ready; exec sleep 20' >log &
        until read -r l <log && [ "$l" = ready ]; do :; done
        kill $!; wait $! 2>/dev/null; echo "$l $?" """, files={"log": ""}),
    Row("units in subdirectories", sh="(cd a && cat f; cd ../b && cat f); cat a/f",
        files={"a/f": "in a\n", "b/f": "in b\n"}, units=3),
    Row("background jobs", sh="""
        (sleep 0.2; exit 4) & one=$!
        sh -c 'exit 5' & two=$!
        wait $two; echo $?; wait $one; echo $?; uname & wait""", units=3),
    Row("wait -n answers in the recorded order", argv=["bash", "s"], needs=("bash",), replays=5,
        files={"s": """
        sh -c 'sleep 0.6; exit 6' & sh -c 'sleep 0.2; exit 2' & sh -c 'sleep 0.4; exit 4' &
        for i in 1 2 3; do wait -n; echo $?; done"""}),
    Row("traps", sh="""
        trap 'echo usr1; uname' USR1; trap 'echo bye; uname -s' EXIT
        (sleep 0.1; kill -USR1 $$) & wait $!
        exit 2""", status=2),
    Row("the subject kills a unit", sh="""
        sleep 20 & sleep 0.2; kill -9 $!; wait $! 2>/dev/null; echo $?
        sleep 20 & sleep 0.2; kill $!; wait $! 2>/dev/null; echo $?"""),
    Row("here-documents", sh="cat <<E; tr a-z A-Z <<'E'\n$(uname)\nE\n$(uname)\nE\n", modes=PLAIN),
    Row("in-place exec stays subject", sh='echo a; exec /bin/sh b.sh', units=1, status=3,
        files={"b.sh": "uname; exit 3\n"}),
    Row("a subject started by a shebang line", argv=["./s"], units=1,
        files={"s": ("#!/bin/sh\nuname\n", 0o755)}),
    Row("a subject started through env", argv=["env", "A=1", "/bin/sh", "b.sh"], units=1,
        files={"b.sh": "sh -c 'echo $A'\n"}),
    Row("a subject found in PATH", argv=["sh", "b.sh"], hidden=False,
        files={"b.sh": "uname\n"}, units=1),
    Row("sh -c is one unit", sh="sh -c 'seq 3 | sort -r; uname | cat'", units=1),
    Row("eval and subshells", sh="eval 'uname | cat'; (uname; (uname | tr a-z A-Z)); { uname; }"),
    Row("deep forks of the subject",
        sh="f() { if [ $1 = 0 ]; then uname; else (f $(($1 - 1)); echo $1); fi; }; f 20", units=1),
    Row("the same command with changing answers",
        sh="for i in 1 2 3; do sh -c 'echo x >>log; wc -l <log'; done", files={"log": ""}, units=3),
    Row("the subject ends while a unit that it heard still runs", argv=["bash", "s"],
        needs=("bash",),
        files={"s": "read -r x < <(sh -c 'echo heard; sleep 1' 2>/dev/null); echo \"$x\"\n"}),
    Row("appending, and a file open for both", sh="""
        (echo a; uname; echo b) >>f; (uname; echo c) >>f
        while read -r l; do echo "$l"; done <f
        echo 1234567890 >g; uname 1<>g; while read -r l; do echo "$l"; done <g""", units=3),
    Row("conversations at a terminal", files={"talk.py": TALK}, argv=["python3", "talk.py"],
        hidden=False),
    Row("equal commands, of which one reads and one does not", py=PRELUDE + """
script = "read n <%s; case $n in 1) read x; echo got $x;; 2) echo first; read x; echo $x;; *) :; esac"
for n, text in (("1", b"in\\n"), ("0", None), ("2", b"answer\\n"), ("2", b"other\\n"), ("0", None)):
    with open("n", "w") as f:
        f.write(n + "\\n")
    p = subprocess.Popen(["sh", "-c", script % "n"], stdin=PIPE, stdout=PIPE)
    if n == "2":
        put(p.stdout.readline())
    if text:
        p.stdin.write(text)
        p.stdin.flush()
    put(p.stdout.readline(), p.wait())
""", units=5),
    Row("descriptors above 2", py=PRELUDE + """
r, w = os.pipe()
put(run("sh", "-c", f"echo status >&{w}; echo out; echo more >&{w}", pass_fds=[w]).stdout)
os.close(w)
put(os.read(r, 100), os.read(r, 10))
""", units=1),
    Row("process substitution", argv=["bash", "s"], needs=("bash",), modes=PLAIN, files={
        "s": "exec 3>&1\nx=$(sh -c 'echo three >&3; echo one'); echo \"x=$x\"\n"
             "cat <(uname) <(echo b)\n"
             "tee >(sh -c 'read y; echo \"sub $y\"') <<<hi; wait $!\n"}, hidden=False),
    Row("a background command that is over before the next", modes=PLAIN, units=3,
        sh="uname & sleep 0.3; echo next; sleep 0.1; echo end"),
    Row("signals between output", py=PRELUDE + """
import signal
p = subprocess.Popen(["sh", "-c", "trap 'echo usr' USR1; trap 'trap - TERM; echo term' TERM;"
    " echo ready; while :; do sleep .05; done"], stdin=DEVNULL, stdout=PIPE)
put(p.stdout.readline())
for name in ("SIGUSR1", "SIGUSR1", "SIGTERM"):
    p.send_signal(getattr(signal, name))
    put(name, p.stdout.readline())
put(p.poll())
p.send_signal(signal.SIGTERM)
put(p.wait())
""", units=1),
    Row("stopped and continued", py=PRELUDE + """
import signal
p = subprocess.Popen(["sleep", ".4"])
for number, option, seen in ((signal.SIGSTOP, os.WUNTRACED, os.WIFSTOPPED),
                             (signal.SIGCONT, os.WCONTINUED, os.WIFCONTINUED)):
    p.send_signal(number)
    put(seen(os.waitpid(p.pid, option)[1]))
put(p.wait())
""", units=1),
    Row("ignored signals", sh="trap '' INT; sh -c 'kill -INT $$; echo alive'; echo $?", units=1),
    Row("a unit with a time limit of its own", sh="timeout 0.3 sleep 20; echo $?", units=1),
    Row("400 spawns of the shell", units=400,
        sh="i=0; while [ $i -lt 400 ]; do /bin/true; i=$((i+1)); done; echo $i"),
    Row("closed stdin, stdout and stderr",
        sh="cat <&-; echo $?; sh -c 'echo a; echo b >&2' >&-; echo $?\n"
           "sh -c 'echo c >&2' 2>&-; echo $?"),
    Row("a command writes to a closed pipe",
        sh="{ sh -c 'trap \"\" PIPE; sleep 0.2; seq 100000 2>/dev/null; echo $? >&2'; } | true"),
    Row("background grandchild keeps the pipe",
        sh="sh -c '(sleep 0.3; echo late) & echo early' | cat"),
    Row("environment of units",
        sh="A=1 sh -c 'echo $A'; export B=2; sh -c 'echo $B'; env -i echo c"),
    Row("a launcher is looked through", sh="./launch 3; ./launch 4", units=4,
        options=["--through", "launch"],
        files={"launch": ("#!/bin/sh\nuname; echo $1 | tr 0-9 a-j\n", 0o755)}),
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

PYTHON_ROWS = [
    Row("8 threads of 20 spawns", units=160, replays=2, py="""
def one(i):
    return run("sh", "-c", f"echo {i} | cat; exit {i % 7}")
with ThreadPoolExecutor(8) as pool:
    for done in pool.map(one, range(160)):
        put(done.stdout, done.returncode)
"""),
    Row("8 threads of one command", units=64, replays=3, py="""
with ThreadPoolExecutor(8) as pool:
    done = list(pool.map(lambda i: run("sort", input=b"b\\na\\n").stdout, range(64)))
put(len(done), *set(done))
"""),
    Row("200 spawns one after another", units=200, py="""
for i in range(200):
    put(run("echo", str(i)).stdout)
"""),
    Row("inherited streams", modes=ALL, py="""
for i in range(5):
    put(f"py {i}")
    subprocess.run(["sh", "-c", f"echo out {i}; exit {i}"])
    subprocess.run(["sh", "-c", f"echo err {i} >&2"])
"""),
    Row("arguments and output that are not UTF-8", py="""
words = b"\\xff\\xfe", b"a\\x80b", "\\u00e9".encode(), b"\\xf0\\x9f\\x98"
put(run(b"printf", b"%s|", *words).stdout)
put(run("sh", "-c", "printf '\\\\377\\\\376' >&2; printf '\\\\300\\\\200'").stderr)
"""),
    Row("arguments of many kinds", py="""
words = "", " ", "a b", "'", '"', "$HOME", "a\\nb", "\\t", "\\\\", "*", "-n"
put(run("printf", "<%s>", *words).stdout)
put(len(run("echo", "x" * 100000).stdout), len(run("echo", *["y"] * 5000).stdout))
"""),
    Row("NUL bytes in output", modes=PLAIN, py="""
put(run("printf", "a\\\\0b\\\\0\\\\0c").stdout)
subprocess.run(["printf", "a\\\\0b\\\\0"])
"""),
    Row("3 MB on both streams at once", py="""
done = run("sh", "-c", "head -c 3000000 /dev/zero | tr '\\\\0' o & "
           "head -c 3000000 /dev/zero | tr '\\\\0' e >&2; wait")
put(done.returncode, len(done.stdout), len(done.stderr), set(done.stdout), set(done.stderr))
"""),
    Row("3 MB inherited", modes=("pipe", "file"), py="""
subprocess.run(["sh", "-c", "seq 400000"])
"""),
    Row("1 MB through sort", py="""
data = b"".join(b"%07d\\n" % (i * 7919 % 131072) for i in range(131072))
out = run("sort", input=data).stdout
put(len(out), out == b"".join(sorted(data.splitlines(True))))
"""),
    Row("1 MB through cat", py="""
data = bytes(i * 31 % 251 for i in range(1 << 20))
out = run("cat", input=data).stdout
put(len(out), out == data)
"""),
    Row("input that nobody reads", py="""
done = run("true", input=b"x" * 1000000)
put(done.returncode)
done = run("head", "-c", "10", input=b"x" * 1000000)
put(done.returncode, done.stdout)
"""),
    Row("a pipe inside a unit is not its stdin", py="""
p = subprocess.Popen(["sh", "-c", "printf 'b\\na\\n' | sort; read -r l; echo $l"],
                     stdin=PIPE, stdout=PIPE, bufsize=0)
put(p.stdout.read(4))
p.stdin.write(b"mine\\n")
put(p.stdout.read(), p.wait())
q = subprocess.Popen(["sh", "-c", "printf 'b\\na\\n' | sort"], stdin=PIPE, stdout=PIPE)
put(q.stdout.read(), q.wait())  # with its stdin still open
""", units=2),
    Row("both streams into one pipe", py="""
done = subprocess.run(["sh", "-c", "for i in 1 2 3 4 5; do echo o$i; echo e$i >&2; done"],
                      stdin=DEVNULL, stdout=PIPE, stderr=STDOUT)
put(done.stdout)
"""),
    Row("time limit", py="""
try:
    run("sleep", "20", timeout=0.3)
except subprocess.TimeoutExpired as e:
    put("timeout", e.timeout)
try:
    run("sh", "-c", "echo begun; exec sleep 20", timeout=0.5)
except subprocess.TimeoutExpired as e:
    put("timeout", e.stdout)
""", units=2),
    Row("terminate and kill", py="""
import signal, time
for sig in (signal.SIGTERM, signal.SIGKILL, signal.SIGINT):
    p = subprocess.Popen(["sleep", "20"], stdout=PIPE)
    time.sleep(0.1)
    p.send_signal(sig)
    put(p.communicate()[0], p.returncode)
p = subprocess.Popen(["sh", "-c", "sleep 20; :"], start_new_session=True)
time.sleep(0.1)
os.killpg(p.pid, signal.SIGTERM)
put(p.wait())
""", units=4),
    Row("killed before the exec", units=30, replays=2, py="""
import signal
for i in range(30):
    pid = os.fork()
    if pid == 0:
        os.execv("/bin/sleep", ["sleep", "20"])
    os.kill(pid, signal.SIGTERM if i % 2 else signal.SIGKILL)
    put(os.waitpid(pid, 0)[1])
"""),
    Row("a unit that is told to end and takes its time", py="""
import signal
p = subprocess.Popen(["sh", "-c", "trap 'echo told; exit 3' TERM; echo up; "
                      "while :; do sleep 0.02; done"], stdout=PIPE, bufsize=0)
put(p.stdout.read(3))
p.terminate()
put(p.stdout.read(), p.wait())
""", units=1),
    Row("conversation", py="""
p = subprocess.Popen(["sh", "-c", "while read -r l; do echo \\"<$l>\\"; done; echo bye; exit 3"],
                     stdin=PIPE, stdout=PIPE, bufsize=0)
answers = p.stdout
for word in (b"one", b"two", b"three"):
    p.stdin.write(word + b"\\n")
    line = b""
    while not line.endswith(b"\\n"):
        line += answers.read(1)
    put(line)
p.stdin.close()
put(answers.read(), p.wait())
""", units=1),
    Row("the same conversation twice", py="""
for _ in range(2):
    p = subprocess.Popen(["sh", "-c", "while read -r l; do echo \\"<$l>\\"; done"],
                         stdin=PIPE, stdout=PIPE, bufsize=0)
    for word in (b"one", b"two"):
        p.stdin.write(word + b"\\n")
        put(p.stdout.read(6))
    p.stdin.close()
    put(p.wait())
""", units=2),
    Row("conversation: no answer before its question", py="""
import select
p = subprocess.Popen(["sh", "-c", "echo up; while read -r l; do echo \\"<$l>\\"; done"],
                     stdin=PIPE, stdout=PIPE, bufsize=0)
put(p.stdout.read(3))
for word in (b"one", b"two"):
    put("early" if select.select([p.stdout], [], [], 0.1)[0] else "quiet")
    p.stdin.write(word + b"\\n")
    put(p.stdout.read(6 if word == b"two" else 6))
p.stdin.close()
put(p.wait())
"""),
    Row("fork, system, popen, posix_spawn, os.exec", units=7, modes=PLAIN, py="""
put(os.system("exit 3") >> 8, os.popen("uname; echo $0").read())
pid = os.fork()
if pid == 0:
    put("in the child", run("uname").stdout)
    os.execvp("echo", ["echo", "in place"])
put(os.waitpid(pid, 0)[1])
pid = os.posix_spawnp("sh", ["sh", "-c", "exit 4"], os.environ)
put(os.waitpid(pid, 0)[1] >> 8)
pid = os.spawnlp(os.P_NOWAIT, "sh", "sh", "-c", "exit 5")
put(os.waitpid(pid, 0)[1] >> 8)
put(subprocess.getstatusoutput("echo shell; exit 6"))
"""),
    Row("processes of the subject that spawn", units=4, py="""
import multiprocessing
def work(i):
    return run("sh", "-c", f"echo {i} $((i * 2))", env=dict(os.environ, i=str(i))).stdout
if __name__ == "__main__":
    with multiprocessing.get_context("fork").Pool(2) as pool:
        put(*pool.map(work, range(4)))
"""),
    Row("argv[0] and executable differ", py="""
put(subprocess.run(["other", "-c", "echo $0"], executable="/bin/sh", stdout=PIPE).stdout)
"""),
    Row("preexec, session, umask, closed descriptors", py="""
put(subprocess.run(["sh", "-c", "umask; echo ok"], stdout=PIPE, preexec_fn=lambda: os.umask(0o77),
                   start_new_session=True).stdout)
put(subprocess.run(["echo", "open"], stdout=PIPE, close_fds=False).stdout)
"""),
    Row("sockets as streams", py="""
import socket
ours, theirs = socket.socketpair()
p = subprocess.Popen(["sort"], stdin=theirs, stdout=theirs, stderr=theirs)
theirs.close()
ours.sendall(b"b\\na\\n")
ours.shutdown(socket.SHUT_WR)
text = b""
while True:
    part = ours.recv(100)
    if not part:
        break
    text += part
put(text, p.wait())
"""),
    Row("SIGCHLD and a non-blocking wait", py="""
import signal, time
told = []
signal.signal(signal.SIGCHLD, lambda *a: told.append(1))
p = subprocess.Popen(["sh", "-c", "sleep 0.1; exit 3"])
while p.poll() is None:
    time.sleep(0.01)
put(p.returncode, len(told))
"""),
    Row("a unit is killed whose output nobody reads", units=2, py="""
import signal, time
for sig in (signal.SIGKILL, signal.SIGTERM):
    p = subprocess.Popen(["yes"], stdout=PIPE)
    time.sleep(0.3)
    p.send_signal(sig)
    put(p.wait())
"""),
    Row("a slow reader, one that leaves, one that does not block", units=3, py="""
import time
p = subprocess.Popen(["seq", "30000"], stdout=PIPE)
time.sleep(0.3)
put(p.poll(), len(p.stdout.read()), p.wait())
p = subprocess.Popen(["yes"], stdout=PIPE)
put(p.stdout.read(4))
p.stdout.close()
put(p.wait())
r, w = os.pipe()
os.set_blocking(r, False)
p = subprocess.Popen(["seq", "30000"], stdout=w)
os.close(w)
size = 0
while True:
    try:
        part = os.read(r, 1000)
    except BlockingIOError:
        time.sleep(0.001)
        continue
    size += len(part)
    if not part:
        break
put(size, p.wait())
"""),
    Row("wait first, then read what fits a pipe", units=1, py="""
p = subprocess.Popen(["sh", "-c", "head -c 60000 /dev/zero; exit 3"], stdout=PIPE)
put(p.wait(), len(p.stdout.read()))
"""),
    Row("an exec that fails, in a child that goes on", units=2, py="""
pid = os.fork()
if pid == 0:
    try:
        os.execv("/none", ["x"])
    except OSError as e:
        put(e.errno, run("uname").stdout)
    os._exit(4)
put(os.waitpid(pid, 0)[1] >> 8)
"""),
    Row("exec in a thread", units=1, status=3, py="""
import threading, time
threading.Thread(target=os.execv, args=("/bin/sh", ["sh", "-c", "uname; (exit 3)"])).start()
time.sleep(20)
"""),
    Row("exec of a descriptor", units=1, py="""
fd = os.open("/bin/echo", os.O_RDONLY)
pid = os.fork()
if pid == 0:
    os.execve(fd, ["echo", "through a descriptor"], os.environ)
put(os.waitpid(pid, 0)[1])
"""),
    Row("a large environment", units=1, py="""
put(run("sh", "-c", "echo ${#BIG}", env=dict(os.environ, BIG="x" * 120000)).stdout)
"""),
    Row("a thread waits while another spawns", py="""
import threading
slow = subprocess.Popen(["sh", "-c", "sleep 0.3; exit 7"])
t = threading.Thread(target=slow.wait)
t.start()
for i in range(10):
    put(run("echo", str(i)).stdout)
t.join()
put(slow.returncode)
"""),
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

TABLES = (EXAMPLE_ROWS, END_ROWS, SHELL_ROWS, MISSING_ROWS, PYTHON_ROWS, OTHER_ROWS)
add_rows(*TABLES)
