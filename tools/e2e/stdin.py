"""What commands take of their stdin, what they leave, and how input and output meet."""

from harness import case, expect_equal, expect_status, find_program
from table import ALL, PLAIN, Row, add_rows

TEXT = "".join(f"line {i}\n" for i in range(1, 6))

# Reads a line from a descriptor, byte by byte, and leaves the rest.
LINE = """
def line(fd):
    text = b""
    while not text.endswith(b"\\n"):
        part = os.read(fd, 1)
        if not part:
            break
        text += part
    return text
"""

STDIN_ROWS = [
    Row("40 equal commands with input of their own, one after another", units=40, py="""
for i in range(40):
    put(run("git", "hash-object", "--stdin", input=b"input %d\\n" % i).stdout)
"""),
    Row("40 equal commands with input of their own, 8 at once", units=40, replays=2, py="""
def one(i):
    return run("git", "hash-object", "--stdin", input=b"input %d\\n" % (i * 7 % 40)).stdout
with ThreadPoolExecutor(8) as pool:
    put(*pool.map(one, range(40)))
"""),
    Row("40 equal commands whose input differs in its last byte", units=40, replays=2, py="""
def one(i):
    return run("sort", "-r", input=b"x" * 5000 + b"\\n" + bytes([65 + i])).stdout[-4:]
with ThreadPoolExecutor(8) as pool:
    put(*pool.map(one, range(40)))
"""),
    Row("equal commands with little, much and no input", units=12, py="""
sizes = [0, 1, 100, 4096, 65536, 65537, 300000, 0, 1, 65536, 5, 5]
with ThreadPoolExecutor(4) as pool:
    put(*(done.stdout for done in pool.map(lambda n: run("wc", "-c", input=b"y" * n), sizes)))
"""),
    Row("1 MB each way at once", units=2, py="""
data = bytes(i * 31 % 251 for i in range(1 << 20))
for argv in ("cat",), ("tr", "a-z", "A-Z"):
    out = run(*argv, input=data).stdout
    put(len(out), out == (data if argv[0] == "cat" else data.upper()))
"""),
    Row("a loop over a file whose commands read nothing", units=10, files={"f": TEXT},
        sh='while read -r l; do head -c0; echo "$l"; head -n0; done <f'),
    Row("a loop over a file whose commands read a line", files={"f": TEXT}, modes=PLAIN,
        sh='while read -r l; do echo "$l"; sh -c \'read -r m; echo "m $m"\'; done <f; echo $?'),
    Row("a loop over a file, one that reads by 3 bytes", files={"f": TEXT},
        sh='while dd bs=3 count=1 2>/dev/null; do read -r l || break; echo "[$l]"; done <f'),
    Row("equal commands with files that begin alike", units=6,
        files={"f": "b\na\nc\n", "g": "b\na\n", "h": "b\n"}, modes=PLAIN,
        sh="for f in f g h h g f; do sort <$f; done; exit"),
    Row("equal commands that read more or less of one file", units=4, files={"f": TEXT},
        modes=PLAIN, sh="""
        for n in 9 4 15 2; do N=$n sh -c 'dd bs=$N count=1 2>/dev/null; echo' <f; done; exit"""),
    Row("readers of one pipe, one after another", stdin=TEXT.encode(), 
        modes=("pipe", "file", "socket"), sh="""
        sh -c 'read -r l; echo "1 $l"'; sh -c 'read -r l; echo "2 $l"'; read -r l; echo "3 $l"
        sh -c 'read -r l; echo "4 $l"'; cat"""),
    Row("here-documents large and small", sh="""
        cat <<E
small $(uname)
E
        wc -c <<E
$(seq 30000)
E
        while read -r l; do echo "$l" | tr a-z A-Z; done <<E
one
two
E
        sh <<'E'
echo from sh; uname
E
        """),
    Row("a file offset that siblings share", files={"f": TEXT}, py="""
fd = os.open("f", os.O_RDONLY)
os.lseek(fd, 7, os.SEEK_SET)
put(subprocess.run(["dd", "bs=7", "count=1"], stdin=fd, stdout=PIPE, stderr=DEVNULL).stdout)
put(os.lseek(fd, 0, os.SEEK_CUR))
put(run("sh", "-c", "read -r l; echo $l", stdin=fd).stdout, os.lseek(fd, 0, os.SEEK_CUR))
os.lseek(fd, 0, os.SEEK_SET)
put(run("cat", stdin=fd).stdout, os.lseek(fd, 0, os.SEEK_CUR))
put(run("cat", stdin=fd).stdout)
"""),
    Row("an output offset that siblings share", keeps=("f",), py="""
with open("f", "wb", buffering=0) as f:
    f.write(b"0123456789")
    for i in range(3):
        subprocess.run(["sh", "-c", f"echo out {i}; echo err {i} >&2"], stdout=f, stderr=f)
        put(f.tell())
    f.seek(2)
    subprocess.run(["printf", "xx"], stdout=f)
    put(f.tell())
    f.seek(100)
    subprocess.run(["printf", "far"], stdout=f)
    put(f.tell())
with open("f", "rb") as f:
    put(f.read())
"""),
    Row("two commands that write one file at once", keeps=("f", "g"), replays=3, py="""
import time
def pair(f, g):
    several = [subprocess.Popen(["sh", "-c", "for i in 1 2 3 4 5; do read -r go; "
                                 f"echo {name} $i; done"], stdin=PIPE, stdout=file, bufsize=0)
               for name, file in (("a", f), ("b", g))]
    for i in range(5):
        for p in several[::-1] if i % 2 else several:
            size = os.stat(f.name).st_size
            p.stdin.write(b"go\\n")
            while os.stat(f.name).st_size == size:
                time.sleep(0.001)
    for p in several:
        p.stdin.close()
        put(p.wait())
with open("f", "w") as f:
    pair(f, f)
with open("g", "a") as f, open("g", "a") as g:
    pair(f, g)
for name in "fg":
    with open(name) as f:
        put(f.read())
"""),
    Row("background jobs that write one file", keeps=("g",), differs=("f",), replays=3, sh="""
        (sh -c 'for i in 1 2 3 4 5 6 7 8; do echo a $i; done' &
         sh -c 'for i in 1 2 3 4 5 6 7 8; do echo b $i; done' & wait) >f
        : >g; until_() { echo "until $1; do sleep 0.01; done"; }
        sh -c "echo a; $(until_ '[ -e go ]'); echo a; echo >second" >>g &
        sh -c "$(until_ '[ -s g ]'); echo b; $(until_ '[ -e second ]'); echo b" >>g &
        sh -c "$(until_ '[ "$(grep -c . g)" = 2 ]')"; echo c >>g; : >go; wait
        n=0; while read -r l; do n=$((n + 1)); done <f; echo $n
        while read -r l; do echo "$l"; done <g"""),
    Row("a log above 2", keeps=("f", "g"), modes=PLAIN, units=6, replays=2, sh="""
        exec 3>>f; sh -c 'echo one; echo two >&3; exit 2' >&3; echo $? >&3
        sh -c 'echo err >&3; echo out'; uname 3>&- >/dev/null; sh -c 'echo last >&3' 3>>f
        sh -c 'echo a >&4; echo b >&5; echo c >&4' 4>g 5>&4; sh -c 'echo d >&4' 4>>g
        while read -r l; do echo "$l"; done <f; while read -r l; do echo "$l"; done <g"""),
    Row("a file that is passed, and its offset", keeps=("f", "g"), units=4, replays=2, py="""
for how in "wb", "w+b":
    with open("f" if how == "wb" else "g", how, buffering=0) as f:
        f.write(b"before ")
        fd = f.fileno()
        for i in range(2):
            subprocess.run(["sh", "-c", f"echo {i} >&{fd}; echo out"], pass_fds=[fd])
            put(f.tell())
        f.write(b"after")
for name in "fg":
    with open(name) as f:
        put(f.read())
"""),
    Row("a log that another watches while it grows", units=1, replays=2, py="""
import time
def lines():
    with open("log", "rb") as f:
        return f.read().count(b"\\n")
with open("log", "wb") as log:
    p = subprocess.Popen(["sh", "-c", "echo 1; read -r x; echo $x; echo 3; exit 4"], stdin=PIPE,
                         stdout=log)
    while lines() < 1:
        time.sleep(0.01)
    p.stdin.write(b"two\\n")
    p.stdin.flush()
    while lines() < 3:
        time.sleep(0.01)
    put(p.wait())
with open("log") as log:
    put(log.read())
"""),
    Row("two openings of one file", keeps=("f",), sh="""
        sh -c 'echo out; echo err >&2' >f 2>f; uname >>f; sh -c 'echo a; echo b >&2' >>f 2>>f
        while read -r l; do echo "$l"; done <f"""),
    Row("a file that the subject and two commands write to", keeps=("f",), modes=PLAIN, units=2, py="""
import time
f = os.open("f", os.O_WRONLY | os.O_CREAT)
out = os.dup(1)
os.dup2(f, 1)
a, b = (subprocess.Popen(["cat"], stdin=subprocess.PIPE, bufsize=0) for _ in range(2))
def size(n):
    while os.stat("f").st_size < n:
        time.sleep(0.001)
os.write(1, b"mine\\n")
a.stdin.write(b"first\\n"); size(11)
b.stdin.write(b"second\\n"); size(18)
os.write(1, b"again\\n")
a.stdin.write(b"third\\n"); size(30)
a.communicate(); b.communicate()
os.dup2(out, 1)
"""),
    Row("the subject's own file, copied to and gone back in", keeps=("f",), modes=PLAIN,
        files={"g": TEXT}, sh="""
        exec 3>&1 >f 2>&1; echo first; cat g; dd if=g bs=7 count=3 2>/dev/null; cat g g
        python3 -c 'import os; w = os.write; w(1, b"abcdef"); os.lseek(1, -5, 1); w(1, b"X"); os.lseek(1, 0, 2)'
        sh -c 'echo out; echo err >&2; echo out' & wait; ls none; echo last; exec >&3"""),
    Row("stdout and stderr by their names", modes=ALL, sh="""
        for i in 1 2 3; do sh -c 'echo a; echo b >&2; echo c' 2>/dev/stdout; done
        sh -c 'echo a; echo b >&2; echo c' >/dev/stderr | cat"""),
    Row("one open file for both, in either order", keeps=("f", "g", "h"), modes=PLAIN, sh="""
        c='for i in 1 2 3; do echo o$i; echo e$i >&2; done'
        sh -c "$c" >f 2>&1; sh -c "$c" 2>g 1>&2; sh -c "$c" >>h 2>&1; sh -c "$c" 2>>h 1>&2
        for n in f g h; do while read -r l; do echo "$n $l"; done <$n; done"""),
    Row("input from a process that goes on writing", units=1, py=LINE + """
r, w = os.pipe()
p = subprocess.Popen(["sh", "-c", "read -r a; echo $a; read -r b; echo $b; exit 3"], stdin=r,
                     stdout=PIPE)
for word in b"one\\n", b"two\\n", b"three\\n":
    os.write(w, word)
    put(line(p.stdout.fileno()))
put(p.wait(), line(r))
"""),
    Row("a socket in both directions, and what is left in it", units=2, py="""
import socket
ours, theirs = socket.socketpair()
ours.sendall(b"one\\ntwo\\nthree\\n")
for i in range(2):
    p = subprocess.Popen(["sh", "-c", 'read -r l; echo "<$l>"'], stdin=theirs, stdout=theirs)
    put(p.wait(), ours.recv(100))
put(theirs.recv(100))
"""),
    # Equal but for what they are asked; inetd(8) starts programs so.
    Row("a socket that is stdin and stdout, written to by either number", units=4, replays=2, py="""
import socket
def all_of(n):
    return ours.recv(n, socket.MSG_WAITALL)
code = '''
import os
os.write(1, b"who? ")
name = os.read(0, 99)
os.write(0, b"hello " + name)
os.write(1, b"by 1 ")
os.write(0, b"by 0 ")
os.write(2, b"by 2")
os._exit(3)
'''
for name in b"joe", b"ann":
    for more in {"stdout": 0, "stderr": 0}, {"stderr": 0}:
        ours, theirs = socket.socketpair()
        how = {"stdout": DEVNULL, **{stream: theirs for stream in more}}
        p = subprocess.Popen([sys.executable, "-c", code], stdin=theirs, **how)
        theirs.close()
        if "stdout" in more:
            put(all_of(5))
        ours.sendall(name)
        put(all_of(9), ours.recv(100, socket.MSG_WAITALL), p.wait())
"""),
    Row("datagrams and packets on a socket", units=2, py="""
import socket
for kind in socket.SOCK_SEQPACKET, socket.SOCK_DGRAM:
    ours, theirs = socket.socketpair(socket.AF_UNIX, kind)
    ours.settimeout(1)
    ours.send(b"one packet")
    p = subprocess.Popen(["sh", "-c", "dd bs=100 count=1 2>/dev/null; echo more; echo last"],
                         stdin=theirs, stdout=theirs)
    put(p.wait(), *(ours.recv(100) for i in range(3)))
"""),
    Row("a socket above 2 in both directions", units=2, replays=2, py=LINE + """
import socket
code = 'while read -r l; do echo "<$l>"; done; echo end; exit 3'
for again in range(2):
    ours, theirs = socket.socketpair()
    fd = theirs.fileno()
    p = subprocess.Popen(["sh", "-c", f"exec <&{fd} >&{fd}; " + code], pass_fds=[fd], stdin=DEVNULL)
    theirs.close()
    for word in b"one\\n", b"two %d\\n" % again, b"x" * 5000 + b"\\n":
        ours.sendall(word)
        put(line(ours.fileno()))
    ours.shutdown(socket.SHUT_WR)
    put(ours.recv(100), p.wait(), ours.recv(100))
"""),
    Row("packets on sockets above 2", units=2, replays=2, py="""
import socket
for kind in socket.SOCK_SEQPACKET, socket.SOCK_DGRAM:
    ours, theirs = socket.socketpair(socket.AF_UNIX, kind)
    ours.settimeout(5)
    p = subprocess.Popen([sys.executable, "-c", f'''
import os
fd = {theirs.fileno()}
for i in range(3):
    packet = os.read(fd, 1000)
    os.write(fd, packet * 2)
    os.write(fd, b"and " + packet)
'''], pass_fds=[theirs.fileno()])
    for packet in b"a", b"bb" * 100, b"ccc":
        ours.send(packet)
        put(ours.recv(1000), ours.recv(1000))
    put(p.wait())
"""),
    Row("pipes above 2 that are only read", units=3, replays=2, py="""
r, w = os.pipe()
p = subprocess.Popen(["sh", "-c", f"cat <&{r}; echo end"], pass_fds=[r], stdout=PIPE)
os.close(r)
os.write(w, b"x" * 100000)
os.close(w)
put(len(p.stdout.read()), p.wait())
r, w = os.pipe()
os.write(w, b"one\\ntwo\\n")
put(subprocess.run(["sh", "-c", f"read -r l <&{r}; echo $l"], pass_fds=[r], stdout=PIPE).stdout)
put(os.read(r, 100))
put(subprocess.run(["true"], pass_fds=[r]).returncode)
"""),
    Row("process substitution that is read", argv=["bash", "s"], needs=("bash",), replays=2, files={
        "s": """
        cat <(seq 30000) <(echo b) | tail -n 2; diff <(seq 3) <(seq 4); echo $?
        sh -c 'read -r x <"$1"; echo "$x"' sh <(seq 100000); paste <(seq 2) <(seq 3 4)
        while read -r l; do echo "$l"; done < <(sort -r <(seq 3))"""}),
    Row("multiprocessing workers that are spawned, looked through", options=["--through", "python3*"],
        units=4, py="""
import multiprocessing
def work(pipe):
    while (question := pipe.recv()) is not None:
        pipe.send(run("echo", str(question)).stdout)
if __name__ == "__main__":
    for i in range(2):
        ours, theirs = multiprocessing.Pipe()
        worker = multiprocessing.get_context("spawn").Process(target=work, args=(theirs,))
        worker.start()
        for question in 1, "two":
            ours.send(question)
            put(ours.recv())
        ours.send(None)
        worker.join()
        put(worker.exitcode)
"""),
    Row("a TCP connection as stdin and stdout", units=1, py="""
import socket
with socket.create_server(("127.0.0.1", 0)) as server:
    ours = socket.create_connection(server.getsockname())
    theirs, _ = server.accept()
p = subprocess.Popen(["sort"], stdin=theirs, stdout=theirs)
theirs.close()
ours.sendall(b"b\\na\\n")
ours.shutdown(socket.SHUT_WR)
text = b""
while part := ours.recv(100):
    text += part
put(text, p.wait())
"""),
    Row("a FIFO by name", files={"f": ""}, units=2, py="""
os.mkfifo("pipe")
r, w = os.open("pipe", os.O_RDONLY | os.O_NONBLOCK), os.open("pipe", os.O_WRONLY)
os.set_blocking(r, True)
p = subprocess.Popen(["sh", "-c", "exec sort"], stdin=r, stdout=PIPE)
os.close(r)
os.write(w, b"b\\na\\n")
os.close(w)
put(p.communicate()[0], p.returncode)
r, w = os.open("pipe", os.O_RDONLY | os.O_NONBLOCK), os.open("pipe", os.O_WRONLY)
p = subprocess.Popen(["uname"], stdout=w)
put(p.wait(), os.read(r, 100))
os.remove("pipe")
"""),
    Row("stdin that does not block", units=2, py="""
r, w = os.pipe()
os.set_blocking(r, False)
put(run("sh", "-c", "cat; echo $?", stdin=r).stdout)
os.write(w, b"text")
os.close(w)
put(run("cat", stdin=r).stdout)
"""),
    Row("a command that polls before it reads", units=1, py="""
code = "import os, select; select.select([0], [], []); print(os.read(0, 9)); print(os.read(0, 9))"
p = subprocess.Popen([sys.executable, "-c", code], stdin=PIPE, stdout=PIPE)
p.stdin.write(b"hello")
p.stdin.close()
put(p.stdout.read(), p.wait())
"""),
    Row("readers by readv, recv, recvmsg and recv_into", units=4, py="""
import socket
for code in ("b = bytearray(9); os.readv(0, [memoryview(b)[:3], memoryview(b)[3:]]); print(b)",
             "import socket; print(socket.socket(fileno=0).recv(9))",
             "import socket; print(socket.socket(fileno=0).recvmsg(9)[0])",
             "import socket; b = bytearray(9); print(socket.socket(fileno=0).recv_into(b), b)"):
    ours, theirs = socket.socketpair()
    ours.sendall(b"0123456789abc")
    p = subprocess.run([sys.executable, "-c", "import os; " + code], stdin=theirs, stdout=PIPE)
    put(p.stdout, p.returncode, theirs.recv(100))
"""),
    Row("input that is peeked at and not taken", units=1, py="""
import socket
ours, theirs = socket.socketpair()
ours.sendall(b"0123456789abc")
code = "from socket import *; s = socket(fileno=0); print(s.recv(4, MSG_PEEK), s.recv(2))"
p = subprocess.run([sys.executable, "-c", code], stdin=theirs, stdout=PIPE)
put(p.stdout, theirs.recv(100))
"""),
]

add_rows(STDIN_ROWS)


@case("what is written to a socket that is stdin alone is told", ["python3"])
def stdin_alone(place):
    code = "import os; [os.write(0, b'x') for i in range(3)]; os.write(1, b'y')"
    argv = [find_program("python3"), "s.py"]
    place.fresh({"s.py": f"""
import socket, subprocess, sys
for n in range(2):
    ours, theirs = socket.socketpair()
    p = subprocess.run([sys.executable, "-c", {code!r}], stdin=theirs, stdout=subprocess.PIPE)
    print(ours.recv(9), p.stdout, flush=True)
ours.close()
subprocess.run(["cat"], stdin=theirs, stdout=subprocess.DEVNULL)
"""})
    result = place.record(argv)
    expect_status(result, 0)
    expect_equal("stdout", b"b'xxx' b'y'\n" * 2, result.out)
    told = [line for line in result.err.splitlines() if b"the socket that is its stdin" in line]
    expect_equal("warnings", 2, len(told))
