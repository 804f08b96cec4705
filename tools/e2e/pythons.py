"""Subjects in Python: what its subprocess, its forks, its threads and its pools spawn."""

from table import ALL, PLAIN, Row, add_rows

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

add_rows(PYTHON_ROWS)
