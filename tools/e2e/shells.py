"""Subjects that are shells: pipelines, descriptors, background jobs, terminals, signals."""

from table import ALL, PLAIN, Row, add_rows

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
    Row("the subject's own output through a command that ends after it", argv=["bash", "s"],
        needs=("bash",), status=3, units=4, replays=5, files={
            "s": "exec > >(tee log) 2>&1\necho a; uname; seq 3; sh -c 'echo e >&2'; exit 3\n"}),
    Row("appending, and a file open for both", sh="""
        (echo a; uname; echo b) >>f; (uname; echo c) >>f
        while read -r l; do echo "$l"; done <f
        echo 1234567890 >g; uname 1<>g; while read -r l; do echo "$l"; done <g""", units=3),
    Row("conversations at a terminal", files={"talk.py": TALK}, argv=["python3", "talk.py"],
        hidden=False),
    Row("equal commands, of which one reads and one does not", py="""
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
    Row("descriptors above 2", py="""
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
    Row("signals between output", py="""
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
    Row("stopped and continued", py="""
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

add_rows(SHELL_ROWS)
