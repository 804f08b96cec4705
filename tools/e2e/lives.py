"""How commands begin and end: every way to start one, to end one, and to learn of its end."""

import os

from harness import Skipped, case, expect_equal, expect_status, find_program
from table import PLAIN, Row, add_rows, check_row

# exec as C has it, with whatever argv.
EXEC = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
def execute(path, *argv):
    libc.execve(path.encode(), (ctypes.c_char_p * (len(argv) + 1))(*argv),
                (ctypes.c_char_p * 2)(b"PATH=" + os.environb[b"PATH"]))
    os._exit(99)
"""

BEGIN_ROWS = [
    Row("vfork, 20 times", units=20, py="""
for i in range(20):
    put(run("sh", "-c", f"echo {i}; exit {i}").returncode)
"""),
    Row("raw clone3, with a pidfd, and like vfork", units=3, py=EXEC + """
import struct, select
CLONE3, CLONE_PIDFD, CLONE_VFORK = 435, 0x1000, 0x4000
for flags in 0, CLONE_PIDFD, CLONE_VFORK:
    pidfd = ctypes.c_int(-1)
    args = struct.pack("8Q", flags, ctypes.addressof(pidfd), 0, 0, 17, 0, 0, 0)
    pid = libc.syscall(CLONE3, args, len(args))
    if pid == 0:
        execute("/bin/sh", b"sh", b"-c", b"echo cloned %d; exit 3" % flags)
    if flags == CLONE_PIDFD:
        select.select([pidfd.value], [], [])
    put(os.waitpid(pid, 0)[1] >> 8)
"""),
    Row("exec from a thread that is not the first", units=2, py=EXEC + """
import threading, time
for i in range(2):
    pid = os.fork()
    if pid == 0:
        threads = [threading.Thread(target=time.sleep, args=(20,), daemon=True) for _ in range(3)]
        threads.append(threading.Thread(
            target=execute, args=("/bin/sh", b"sh", b"-c", b"echo from a thread; exit %d" % i)))
        for t in threads:
            t.start()
        time.sleep(20)
    put(os.waitpid(pid, 0)[1] >> 8)
"""),
    # What it is told is not twice the same: pointers, as Java's is.
    Row("a helper that executes the command in its place", units=2, files={
        "jspawnhelper": ("#!/bin/sh\nread -r told <&$1; shift; exec \"$@\"\n", 0o755)}, py="""
for command in ("read -r x; echo got $x; exit 3", "echo e >&2"):
    r, w = os.pipe()
    os.write(w, b"%d\\n" % id(object()) + b"%d\\n" % os.getpid())
    done = run("./jspawnhelper", str(r), "sh", "-c", command, pass_fds=[r], input=b"in\\n")
    put(done.stdout, done.stderr, done.returncode)
    os.close(r), os.close(w)
"""),
    Row("an empty argv[0], and none", units=2, py=EXEC + """
for argv in (b"", b"-c", b"echo \\"<$0>\\"; exit 3"), ():
    pid = os.fork()
    if pid == 0:
        execute("/bin/sh", *argv)
    put(os.waitpid(pid, 0)[1] >> 8)
"""),
    Row("interpreter lines with and without an argument", files={
        "one": ("#!/bin/sh -e\nfalse\necho not reached\n", 0o755),
        "two": ("#!/usr/bin/env sh\necho \"$0 $*\"; exit 4\n", 0o755),
        "nested": ("#! ./two  a b \nnothing\n", 0o755)}, units=3,
        sh='./one x; echo $?; ./two y "z z"; echo $?; ./nested c; echo $?'),
    Row("a session of its own, a group of its own, posix_spawn with both", units=3, py="""
for how in {"setsid": True}, {"setpgroup": 0}, {"setsigmask": [15], "setsigdef": [13]}:
    r, w = os.pipe()
    ours, go = os.pipe()  # it must be there when it is looked at
    pid = os.posix_spawnp("sh", ["sh", "-c", "echo up; read -r x; exit 3"],
                          os.environ,
                          file_actions=[(os.POSIX_SPAWN_DUP2, w, 1), (os.POSIX_SPAWN_DUP2, ours, 0)],
                          **how)
    os.close(w)
    put(os.read(r, 100))
    put("setsid" in how and os.getsid(pid) == pid, os.getpgid(pid) == pid)
    os.write(go, b"go\\n")
    put(os.waitpid(pid, 0)[1] >> 8)
"""),
]

ENDS = """
        sleep 20 & kill -9 $!; wait $!; echo $?
        sh -c 'echo up; exec sleep 20' & sleep 0.2; kill $!; wait; echo $?
        timeout 0.2 sleep 20; echo $?; timeout -s KILL 0.2 sleep 20; echo $?
        sh -c 'kill -9 $$'; echo $?; sh -c 'kill -SEGV $$'; echo $?
        sh -c 'kill -PIPE $$'; echo $?"""

BY_NUMBER = "\nsleep 20 & kill %1; wait %1; echo $?"

LOCK = """
import fcntl
f = open("f", "w")
p = subprocess.Popen(["sh", "-c", "echo up; exec sleep 20"], stdout=PIPE, pass_fds=[f.fileno()],
                     preexec_fn=lambda: fcntl.{0}(f, fcntl.LOCK_EX))
put(p.stdout.readline())
for ended in False, True:
    if ended:
        p.terminate()
        put(p.wait())
    with open("f", "w") as other:
        try:
            fcntl.{0}(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
            put("is free")
        except OSError:
            put("is locked")
"""

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
    Row("what a command wrote before it stopped is there when it has", units=40, py="""
got = set()
for _ in range(40):
    p = subprocess.Popen(["sh", "-c", "echo up; kill -STOP $$"], stdout=PIPE, bufsize=0)
    os.waitpid(p.pid, os.WUNTRACED)
    os.set_blocking(p.stdout.fileno(), False)
    got.add(p.stdout.read(100))
    p.kill()
    p.wait()
put(got)
"""),
    Row("what a command wrote before it sends a signal is there when that comes", units=40, py="""
import signal, time
got, came = set(), []
signal.signal(signal.SIGUSR1, lambda *_: came.append(1))
for _ in range(40):
    p = subprocess.Popen(["sh", "-c", "echo up; kill -USR1 $PPID; exec sleep 20"], stdout=PIPE,
                         bufsize=0)
    end = time.monotonic() + 5
    while not came and time.monotonic() < end:
        time.sleep(0.001)
    os.set_blocking(p.stdout.fileno(), False)
    got.add((p.stdout.read(100), tuple(came)))
    p.kill()
    p.wait()
    if not came:
        break
    came.clear()
put(got)
"""),
    Row("signals that commands send to the program, and to its group", units=4, py="""
import signal
if os.getpgrp() != os.getpid():
    os.setpgid(0, 0)
came = []
for name in ("USR1", "USR2", "HUP"):
    signal.signal(getattr(signal, "SIG" + name), lambda number, _: came.append(number))
def call(script):
    p = run("sh", "-c", script)
    put(p.stdout, p.returncode, sorted(came))  # of two at once Python takes the lower first
    came.clear()
call("kill -USR1 $PPID; echo one; kill -USR2 $PPID; kill -0 $PPID; exit 3")
call("trap '' USR1; kill -USR1 0; echo two; (kill -HUP $PPID) & wait; exit 4")
call("setsid sh -c 'trap \"\" USR1; kill -USR1 0'; echo none")
call("kill -USR1 $PPID; kill -KILL $$")
"""),
    Row("a command that its own child makes go on", units=1, py="""
put(run("sh", "-c", "(sleep 0.2; kill -CONT $$) & kill -STOP $$; echo on; wait; exit 3").stdout)
"""),
    Row("a command that its own child makes go on, with its group", units=1, py="""
put(run("sh", "-c", "(sleep 0.2; kill -CONT 0; sleep 0.2) & kill -STOP $$; echo on; wait; exit 3",
        start_new_session=True).stdout)
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
    Row("memory that a limit refuses", units=2, py="""
import resource
def limit():
    resource.setrlimit(resource.RLIMIT_AS, (1 << 28, 1 << 28))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
code = "import os\\ntry:\\n    b'x' * (1 << 29)\\nexcept MemoryError:\\n    "
put(subprocess.run([sys.executable, "-c", code + "os.abort()"], preexec_fn=limit).returncode)
put(subprocess.run([sys.executable, "-c", code + "os._exit(7)"], preexec_fn=limit).returncode)
"""),
    # Whether a signal to the group finds a short sleep to end, which the shell tells, is chance.
    Row("timeout(1) in all its ways", units=5, by_chance=True, sh="""
        timeout 0.2 sleep 20; echo $?; timeout -s KILL 0.2 sleep 20; echo $?
        timeout 20 sh -c 'exit 7'; echo $?
        timeout -k 0.2 0.2 sh -c 'trap "" TERM; while :; do sleep 0.05; done'; echo $?
        timeout --preserve-status 0.2 sh -c 'trap "exit 5" TERM; while :; do sleep 0.05; done'
        echo $?"""),
    Row("a grandchild that keeps a pipe open", units=2, py="""
import time
p = subprocess.Popen(["sh", "-c", "(sleep 0.4; echo late) & echo early; exit 3"], stdout=PIPE,
                     bufsize=0)
put(p.wait(), p.stdout.read(6), p.stdout.read(), p.stdout.read())
p = subprocess.Popen(["sh", "-c", "sleep 0.4 & echo early; exit 4"], stdout=PIPE)
put(*p.communicate(), p.returncode)
"""),
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
    Row("SIGCHLD tells of each end", units=5, by_chance=True, replays=3, py="""
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
    Row("the end of a child interrupts nothing", units=8, modes=PLAIN, py="""
import ctypes, socket
libc = ctypes.CDLL(None, use_errno=True)
def two(script, **streams):
    short = subprocess.Popen(["sh", "-c", "sleep 0.1"])
    return short, subprocess.Popen(["sh", "-c", script], **streams)
def end(*children):
    return [child.wait() for child in children]
for make in os.pipe, lambda: [end.detach() for end in socket.socketpair()]:
    r, w = make()
    children = two("sleep 0.4; wc -c", stdin=r)
    os.close(r)
    put(os.write(w, bytes(1000000)))
    os.close(w)
    put(end(*children))
ours, theirs = socket.socketpair()
children = two("echo a; sleep 0.4; echo b", stdout=theirs)
theirs.close()
put(ours.recv(100, socket.MSG_WAITALL), end(*children))
r, w = os.pipe()
epoll = libc.epoll_create1(0)
event = (ctypes.c_uint32 * 3)(1)
libc.epoll_ctl(epoll, 1, r, ctypes.byref(event))
children = two("sleep 0.4; echo c", stdout=w)
put(libc.epoll_wait(epoll, ctypes.byref(event), 1, -1), end(*children))
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
    Row("a lock that a command holds from before its exec: flock", units=1, py=LOCK.format("flock")),
    Row("a lock that a command holds from before its exec: fcntl", units=1, py=LOCK.format("lockf")),
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


# Where a group can be made, and what its limit of memory is called there: cgroup v2, then v1.
GROUPS = (("/sys/fs/cgroup", "cgroup.controllers", "memory.max"),
          ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.limit_in_bytes"))

OOM = """
group = os.environ["GROUP"]
def enter():
    with open(group + "/cgroup.procs", "w") as f:
        f.write("0")
p = subprocess.Popen([sys.executable, "-c", "print('up', flush=True); x = b'x' * (1 << 28)"],
                     preexec_fn=enter, stdout=PIPE)
put(p.communicate()[0], p.returncode)
"""


def make_group(name):
    for base, mark, limit in GROUPS:
        group = os.path.join(base, name)
        if not os.path.exists(os.path.join(base, mark)):
            continue
        try:
            os.mkdir(group)
            with open(os.path.join(group, limit), "w") as f:
                f.write(str(1 << 26))
            return group
        except OSError as e:
            if os.path.isdir(group):
                os.rmdir(group)
            raise Skipped(f"no cgroup with a limit of memory can be made: {e}") from e
    raise Skipped("there is no cgroup whose memory can be limited")


@case("a command that the kernel kills for want of memory", ["python3"])
def out_of_memory(place):
    group = make_group(f"sandtape-e2e-{os.getpid()}")
    try:
        row = Row("", py=OOM, units=1, env={"GROUP": group})
        check_row(place, row, "pipe")
    finally:
        os.rmdir(group)


@case("a signal that did nothing is not waited for", ["python3"])
def nothing_done(place):
    argv = [find_program("python3"), "s.py"]
    place.fresh({"s.py": """
import signal, subprocess, sys
p = subprocess.Popen(["sleep", "0.2"])
for name in sys.argv[1:]:
    p.send_signal(signal.Signals[name])
print(p.wait())
"""})
    sent = ["SIGCONT", "SIGCHLD", "SIGURG", "SIGWINCH"]
    expect_status(place.record([*argv, *sent], "-q"), 0, "record")
    # A shell sends it, or does not, as time has it.
    for names in sent, []:
        result = place.replay([*argv, *names], "-q")
        expect_status(result, 0, "replay")
        expect_equal("stdout", b"0\n", result.out)
