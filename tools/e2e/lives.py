"""How commands begin and end: every way to start one, to end one, and to learn of its end."""

from table import PLAIN, Row, add_rows

BEGIN_ROWS = []

ENDS = """
        sleep 20 & kill -9 $!; wait $!; echo $?
        sh -c 'echo up; exec sleep 20' & sleep 0.2; kill $!; wait; echo $?
        timeout 0.2 sleep 20; echo $?; timeout -s KILL 0.2 sleep 20; echo $?
        sh -c 'kill -9 $$'; echo $?; sh -c 'kill -SEGV $$'; echo $?
        sh -c 'kill -PIPE $$'; echo $?"""

BY_NUMBER = "\nsleep 20 & kill %1; wait %1; echo $?"

END_ROWS = [
    Row("jobs that bash ends", argv=["bash", "s"], needs=("bash",), files={
        "s": "ulimit -c 0; exec 2>/dev/null" + ENDS + BY_NUMBER}),
    Row("jobs that bash ends, with job control", argv=["bash", "s"], needs=("bash",), files={
        "s": "ulimit -c 0; set -m; exec 2>/dev/null" + ENDS + BY_NUMBER}),
    Row("jobs that dash ends", sh="ulimit -c 0; exec 2>/dev/null" + ENDS),
    Row("a core is dumped, or not", differs=("core*",), py="""
import resource, signal
hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
for limit in 0, min(hard, 1 << 30) if hard >= 0 else 1 << 30:
    resource.setrlimit(resource.RLIMIT_CORE, (limit, hard))
    for name in "SEGV", "ABRT", "TERM", "QUIT":
        p = os.spawnvp(os.P_NOWAIT, "sh", ["sh", "-c", f"kill -{name} $$"])
        status = os.waitpid(p, 0)[1]
        put(name, os.WTERMSIG(status), os.WCOREDUMP(status))
"""),
    Row("every signal ends a unit that its parent sends it to", py="""
import resource, signal
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
ends = [n for n in range(1, 65) if n not in (17, 18, 19, 20, 21, 22, 23, 28, 32, 33)]
for n in ends:
    p = subprocess.Popen(["sleep", "20"])
    p.send_signal(n)
    put(n, p.wait())
"""),
    Row("signals that end nothing", units=4, py="""
import signal
for n in signal.SIGCHLD, signal.SIGURG, signal.SIGWINCH, signal.SIGCONT:
    p = subprocess.Popen(["sh", "-c", "sleep 0.2; exit 3"])
    p.send_signal(n)
    put(n, p.wait())
"""),
    Row("signals that a command inherits as ignored or blocked", units=3, py="""
import signal
def ignore():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
def block():
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
code = "kill -TERM $$; echo alive; exit 3"
put(run("sh", "-c", code, preexec_fn=ignore).returncode)
put(run("sh", "-c", code, preexec_fn=block).returncode)
put(run("sh", "-c", code).returncode)
"""),
    Row("stop and continue as the parent sees it", replays=2, units=1, py="""
import signal
p = subprocess.Popen(["sleep", "20"])
for n, option in (signal.SIGSTOP, os.WUNTRACED), (signal.SIGCONT, os.WCONTINUED):
    os.kill(p.pid, n)
    status = os.waitpid(p.pid, option)[1]
    put(os.WIFSTOPPED(status), os.WIFCONTINUED(status))
p.kill()
put(os.waitpid(p.pid, 0)[1])
p.returncode = 0
"""),
    Row("a command that stops itself", units=5, replays=2, py="""
import signal
signal.alarm(20)
def stopped(p):
    status = os.waitpid(p.pid, os.WUNTRACED)[1]
    put(os.WIFSTOPPED(status) and os.WSTOPSIG(status))
for code in ("kill -STOP $$", "/bin/kill -STOP $$", "kill -TSTP $$", "kill -TTIN $$; kill -TTOU $$"):
    p = subprocess.Popen(["sh", "-c", "echo up; " + code + "; echo on; exit 3"], stdout=PIPE,
                         bufsize=0, process_group=0)
    for i in range(code.count("$$")):
        stopped(p)
        if i == 0:
            put(p.stdout.read(3))
        os.kill(p.pid, signal.SIGCONT)
    put(p.stdout.read(), p.wait())
p = subprocess.Popen(["sh", "-c", "kill -STOP $$; echo not reached"], stdout=PIPE)
stopped(p)
p.terminate()
p.send_signal(signal.SIGCONT)
put(p.stdout.read(), p.wait())
"""),
    Row("a command that stops itself and is killed", units=1, py="""
p = subprocess.Popen(["sh", "-c", "kill -STOP $$; echo not reached"], stdout=PIPE)
put(os.WSTOPSIG(os.waitpid(p.pid, os.WUNTRACED)[1]))
p.kill()
put(p.stdout.read(), p.wait())
"""),
    Row("a command that its own child makes go on", units=1, py="""
put(run("sh", "-c", "(sleep 0.2; kill -CONT $$) & kill -STOP $$; echo on; wait; exit 3").stdout)
"""),
    Row("a command that handles what would stop it", units=1, py="""
import signal
p = subprocess.Popen(["sh", "-c", "trap 'echo kept' TSTP; kill -TSTP $$; echo up; read -r x; "
                      "echo $x"], stdin=PIPE, stdout=PIPE, bufsize=0)
put(p.stdout.read(8))
p.send_signal(signal.SIGCONT)
put(p.communicate(b"end\\n")[0], p.returncode)
"""),
    Row("jobs that stop themselves", argv=["bash", "s"], needs=("bash",), replays=2, files={"s": """
        set -m
        sh -c 'echo up; kill -STOP $$; echo on; exit 3' & wait $!; echo $?
        jobs; fg; echo $?
        sh -c 'kill -TSTP $$; echo on; exit 4'; echo $?; jobs -s; bg; wait %1; echo $?"""}),
    Row("process groups and sessions", units=5, py="""
import signal, time
def spawn(code, **how):
    return subprocess.Popen(["sh", "-c", code], stdout=PIPE, **how)
a = spawn("sleep 20 & wait", preexec_fn=os.setpgrp)
put(os.getpgid(a.pid) == a.pid)
b = spawn("sleep 20; :", preexec_fn=lambda: os.setpgid(0, a.pid))
put(os.getpgid(b.pid) == a.pid)
time.sleep(0.2)
os.killpg(a.pid, signal.SIGTERM)
put(a.communicate()[0], a.returncode, b.communicate()[0], b.returncode)
c = spawn("echo up; sleep 20; :", start_new_session=True)
put(c.stdout.readline(), os.getsid(c.pid) == c.pid)
os.killpg(c.pid, signal.SIGHUP)
put(c.wait())
d = subprocess.Popen(["setsid", "sh", "-c", "echo in a session of its own"], stdout=PIPE)
put(d.communicate()[0], d.returncode)
put(run("sh", "-c", "kill 0; echo not reached", start_new_session=True).returncode)
"""),
    Row("a signal to a command that is exiting", py="""
for i in range(20):
    p = subprocess.Popen([sys.executable, "-S", "-E", "-c", "print(1)"], stdout=PIPE)
    put(p.stdout.read())  # to its end: it has closed its files
    p.terminate()
    put(p.wait())
"""),
    Row("ends without a wait: SIGCHLD ignored", units=3, py="""
import signal, time
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
for i in range(3):
    pid = os.spawnvp(os.P_NOWAIT, "sh", ["sh", "-c", f"echo {i}; exit {i}"])
    try:
        put(os.waitpid(pid, 0))
    except ChildProcessError as e:
        put(e.errno)
"""),
    Row("waitid with WNOWAIT, and pidfds", units=2, py="""
import select
for code in "exit 3", "kill -9 $$":
    pid = os.spawnvp(os.P_NOWAIT, "sh", ["sh", "-c", code])
    fd = os.pidfd_open(pid)
    select.select([fd], [], [])
    for options in os.WEXITED | os.WNOWAIT, os.WEXITED | os.WNOWAIT, os.WEXITED:
        end = os.waitid(os.P_PIDFD, fd, options)
        put(end.si_code, end.si_status, end.si_signo)
"""),
    Row("SIGCHLD tells of each end", units=5, py="""
import signal, time
ends = []
def told(*_):
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        ends.append(status >> 8)
signal.signal(signal.SIGCHLD, told)
for i in range(5):
    os.spawnvp(os.P_NOWAIT, "sh", ["sh", "-c", f"sleep 0.{i}2; exit {i}"])
while len(ends) < 5:
    time.sleep(0.01)
put(ends)
"""),
    Row("the subject's alarm ends a unit", units=2, py="""
import signal
p = subprocess.Popen(["sh", "-c", "echo up; exec sleep 20"], stdout=PIPE)
signal.signal(signal.SIGALRM, lambda *_: p.kill())
put(p.stdout.readline())
signal.setitimer(signal.ITIMER_REAL, 0.2)
put(p.wait())
pid = os.fork()
if pid == 0:
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    os.execvp("sleep", ["sleep", "20"])
put(os.waitpid(pid, 0)[1])
"""),
    Row("usage of resources can be asked for", units=2, py="""
import resource
for i in range(2):
    pid = os.spawnvp(os.P_NOWAIT, "sh", ["sh", "-c", f"exit {i}"])
    _, status, usage = os.wait4(pid, 0)
    put(status >> 8, usage.ru_maxrss > 0, usage.ru_utime >= 0)
put(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss > 0)
"""),
    Row("a daemon by two forks that ends before the subject", units=1, py="""
r, w = os.pipe()
pid = os.fork()
if pid == 0:
    os.setsid()
    if os.fork() == 0:
        os.dup2(w, 1)
        os.execvp("sh", ["sh", "-c", "sleep 0.1; echo from the daemon"])
    os._exit(3)
os.close(w)
put(os.waitpid(pid, 0)[1] >> 8, os.read(r, 100), os.read(r, 100))
"""),
    Row("a command that leaves a daemon behind that ends soon", units=1, py="""
p = subprocess.Popen(["sh", "-c", "(sleep 0.3; echo late) & echo early"], stdout=PIPE)
put(p.wait(), p.stdout.read())
"""),
    Row("orphans come to the subject", units=1, py="""
import ctypes
put(ctypes.CDLL(None).prctl(36, 1, 0, 0, 0))  # PR_SET_CHILD_SUBREAPER
pid = os.fork()
if pid == 0:
    if os.fork() == 0:
        os.execvp("sh", ["sh", "-c", "sleep 0.2; exit 7"])
    os._exit(3)
put(os.wait()[1] >> 8, os.wait()[1] >> 8)
"""),
    Row("early readers and their writers", argv=["bash", "s"], needs=("bash",), modes=PLAIN,
        files={"s": """
        yes | head -n 1; echo "${PIPESTATUS[*]}"
        seq 1000000 | { read -r x; echo "$x"; }; echo "${PIPESTATUS[*]}"
        sh -c 'trap "" PIPE; seq 1000000 2>/dev/null; echo $? >&2' | head -n 1
        echo "${PIPESTATUS[*]}"
        (trap '' PIPE; seq 1000000 2>/dev/null; echo "$?" >&2) | true
        echo "${PIPESTATUS[*]}" """}),
    Row("a deleted directory, and a umask", units=3, files={"d": None}, py="""
os.chdir("d")
os.rmdir("../d")
put(run("sh", "-c", "echo here; exit 3").stdout)
os.mkdir("../d")
put(run("sh", "-c", "echo there; exit 3").returncode)
os.chdir("..")
os.umask(0o027)
put(run("sh", "-c", "umask").stdout)
"""),
    Row("a parent that dies before its unit", units=1, py="""
r, w = os.pipe()
if os.fork() == 0:
    subprocess.Popen(["sh", "-c", "sleep 0.3; echo orphan"], stdout=w)
    os._exit(0)
os.close(w)
put(os.wait()[1], os.read(r, 100), os.read(r, 100))
"""),
    Row("PDEATHSIG ends a unit with its parent", units=1, py="""
import ctypes
prctl = ctypes.CDLL(None).prctl
r, w = os.pipe()
if os.fork() == 0:
    subprocess.Popen(["sh", "-c", "echo up; exec sleep 20"], stdout=w,
                     preexec_fn=lambda: prctl(1, 9))
    os.close(w)
    os.read(r, 3)
    os._exit(0)
os.close(w)
put(os.wait()[1], os.read(r, 100))
"""),
    Row("a fork that goes on, next to one that executes", units=2, py="""
r, w = os.pipe()
if os.fork() == 0:
    put(run("uname").stdout)
    if os.fork() == 0:
        os.execvp("sh", ["sh", "-c", "echo grandchild; exit 5"])
    os._exit(os.wait()[1] >> 8)
put(os.wait()[1] >> 8)
"""),
]

DATA_ROWS = [
    Row("no output, one byte, and 1 MB to each kind", modes=PLAIN, keeps=("f",), sh="""
        true; printf x; head -c 1000000 /dev/zero | tr '\\0' x >f; head -c 1000000 /dev/zero"""),
    Row("200 MB of output", py="""
p = subprocess.Popen(["sh", "-c", "head -c 200000000 /dev/zero"], stdout=PIPE)
size = 0
while part := p.stdout.read(1 << 20):
    size += len(part)
put(size, p.wait())
"""),
    Row("invalid UTF-8 everywhere", units=4, py="""
os.mkdir(b"d\\xff\\xfe")
put(run("sh", "-c", "pwd", cwd=b"d\\xff\\xfe").stdout[-4:])
put(run(b"printf", b"%s|", b"\\xff\\x00"[:1], b"a\\xc0\\x80").stdout)
put(run("sh", "-c", 'printf %s "$V"', env={b"V": b"\\x80\\xff", b"PATH": os.environb[b"PATH"],
                                           b"\\xfe": b"1"}).stdout)
put(run("sh", "-c", "printf '\\\\200\\\\377\\\\n\\\\355\\\\240\\\\200'").stdout)
"""),
    Row("arguments of 128 KiB, and 2,000 variables", units=3, py="""
put(len(run("printf", "%s", "x" * (128 * 1024 - 1)).stdout))
try:
    run("printf", "%s", "x" * (128 * 1024))
except OSError as e:
    put(e.errno)
many = {f"V{i}": "v" * 50 for i in range(2000)}
put(run("sh", "-c", "echo $V0 $V1999", env={**os.environ, **many}).stdout)
"""),
    Row("output that names the host's directories", units=2, sh="""
        d=$(pwd); sh -c 'pwd; echo $HOME:$TMPDIR' | while read -r l; do
        case $l in $d|$HOME:$TMPDIR) echo same;; *) echo "other $l";; esac; done
        printf '%s' "$d/a\\n" | cat; printf '$WORK $$WORK $HOME'"""),
]

add_rows(BEGIN_ROWS, END_ROWS, DATA_ROWS)
