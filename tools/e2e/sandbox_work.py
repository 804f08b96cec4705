"""Everyday work goes on in the default sandbox: each row is run by itself and inside, and must do
the same."""

from sandbox import Work, add_works

GIT = """\
set -e
export GIT_AUTHOR_DATE=2024-01-01T00:00:00Z GIT_COMMITTER_DATE=2024-01-01T00:00:00Z
export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
"""

GITS = [
    Work("git: init, commit, branch, merge, log", needs=("git",), differs=(".git/*",), sh=GIT + """
git init -q -b main . && echo one >a && git add a && git commit -qm one
git checkout -qb side && echo two >b && git add b && git commit -qm two
git checkout -q main && git merge -q --no-ff -m merged side
git log --oneline --graph && git status --short && git diff --stat HEAD~1
git fsck --strict && git gc -q && git rev-parse HEAD
"""),
    Work("git: a bare repository, clone, push, pull", needs=("git",), differs=("*/*",), sh=GIT + """
git init -q -b main --bare origin.git
git clone -q origin.git one 2>/dev/null && cd one
git checkout -qb main && echo x >x && git add x && git commit -qm x && git push -q origin main
cd .. && git clone -q origin.git two && cd two && cat x
echo y >>x && git commit -qam y && git push -q && cd ../one && git pull -q && git log --oneline
"""),
    Work("git: a clone by file://", needs=("git",), differs=("*/*",), sh=GIT + """
git init -q -b main one && cd one && echo x >x && git add x && git commit -qm x && cd ..
git clone -q "file://$PWD/one" two && cat two/x && git -C two log --format=%H
"""),
    Work("git: worktree, stash, tag, rebase, blame", needs=("git",), differs=("*/*", "wt/*"),
         sh=GIT + """
git init -q -b main r && cd r
for i in 1 2 3 4 5; do echo $i >f; git add f; git commit -qm $i; done
echo dirty >>f && git stash -q && cat f && git stash pop -q && tail -n1 f && git checkout -q f
git worktree add -q ../wt HEAD~2 && cat ../wt/f && git worktree list | wc -l
git tag -a -m t v1 && git describe
git checkout -qb side HEAD~3 && echo s >s && git add s && git commit -qm s && git rebase -q main
git log --format=%s
git log -S4 --format=%s && git blame -s f && git cherry-pick --no-commit main~4 2>/dev/null || echo $?
"""),
    Work("git: hooks, an editor, an archive", needs=("git",), differs=(".git/*",), sh=GIT + """
git init -q -b main . && echo a >a && git add a
printf '#!/bin/sh\\necho hook\\n' >.git/hooks/pre-commit && chmod +x .git/hooks/pre-commit
GIT_EDITOR='sh -c "echo edited >\\$1" sh' git commit -q && git log --format=%s
git archive HEAD | tar t
"""),
]

C_FILES = {
    "a.h": "int a(void);\n",
    "a.c": '#include "a.h"\nint a(void) { return 7; }\n',
    "b.c": '#include <stdio.h>\n#include "a.h"\nint main(void) { return printf("%d\\n", a()) != 2; }\n',
    "Makefile": """\
all: prog dyn
	./prog
	LD_LIBRARY_PATH=. ./dyn
%.o: %.c a.h
	cc -O1 -g -fPIC -c -o $@ $<
liba.a: a.o
	ar rcs $@ $^
libb.so: a.o
	cc -shared -o $@ $^
prog: b.o liba.a
	cc -o $@ b.o -L. -la
dyn: b.o libb.so
	cc -o $@ b.o -L. -lb
""",
}

BUILDS = [
    Work("make -j4, cc, ar, ld, shared libraries", needs=("make", "cc", "ar"), files=C_FILES,
         differs=("*.a",), any_order=True, sh="make -s -j4 && nm -g --defined-only prog | grep ' a$'",
         says="7\n"),
    Work("cc: -pipe, -S, LTO, -save-temps", needs=("cc",), files=C_FILES, differs=("p", "*.o"), sh="""
set -e
cc -pipe -S -o - a.c | grep -c a: && cc -flto -O2 a.c b.c -o p && ./p && strip p && ./p
cc -save-temps -c a.c && ls
"""),
    Work("make: a recursive one that fails", needs=("make",), status=2, differs=(), files={
        "Makefile": "all:\n\t@$(MAKE) -s -C sub\n", "sub/Makefile": "all:\n\t@echo hi; exit 3\n"},
         sh="make -s 2>err; s=$?; sed 's/make.*: //' err; rm err; exit $s"),
    Work("many builds at once", needs=("cc", "python3"), differs=("*.o",), py="""
from concurrent.futures import ThreadPoolExecutor
def job(n):
    if n % 10:
        return subprocess.run(["true"]).returncode
    with open(f"{n}.c", "w") as f:
        f.write(f"int f{n}(void) {{ return {n}; }}\\n")
    return subprocess.run(["cc", "-c", f"{n}.c"]).returncode
with ThreadPoolExecutor(8) as pool:
    print(sum(pool.map(job, range(200))), len([n for n in os.listdir() if n.endswith(".o")]))
""", says="0 20\n"),
]

PYTHONS = [
    Work("python: threads", py="""
import threading
from concurrent.futures import ThreadPoolExecutor
with ThreadPoolExecutor(16) as pool:
    print(sum(pool.map(lambda n: n * n, range(1000))))
lock, total = threading.Lock(), []
ts = [threading.Thread(target=lambda: total.append(1)) for _ in range(30)]
[t.start() for t in ts]; [t.join() for t in ts]; print(len(total))
"""),
    Work("python: multiprocessing.Pool, fork and spawn", py="""
import multiprocessing as mp
def square(n):
    return n * n
if __name__ == "__main__":
    for how in "fork", "spawn", "forkserver":
        with mp.get_context(how).Pool(4) as pool:
            print(how, sum(pool.map(square, range(100))))
    q, e = mp.Queue(), mp.Event()
    p = mp.Process(target=lambda: (e.wait(20), q.put("got")))
    p.start(); e.set(); print(q.get(timeout=20)); p.join(20); print(p.exitcode)
    with mp.Manager() as m:
        d = m.dict(a=1); print(dict(d))
"""),
    Work("python: ProcessPoolExecutor, shared memory", py="""
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import shared_memory
def fill(name):
    s = shared_memory.SharedMemory(name=name); s.buf[0] = 42; s.close(); return 1
if __name__ == "__main__":
    s = shared_memory.SharedMemory(create=True, size=4096)
    with ProcessPoolExecutor(2) as pool:
        print(sum(pool.map(fill, [s.name] * 4)), s.buf[0])
    s.close(); s.unlink()
    write("/dev/shm/x"); print(read("/dev/shm/x")); os.unlink("/dev/shm/x")
"""),
    Work("python: venv", py="""
print(subprocess.run([sys.executable, "-m", "venv", "--without-pip", "--symlinks", "v"]).returncode)
print(subprocess.run(["v/bin/python", "-c", "import sys; print(sys.prefix != sys.base_prefix)"],
                     capture_output=True, text=True).stdout)
""", differs=("v/pyvenv.cfg", "v/bin/*", "v/lib64/*")),
    Work("python: sqlite3", differs=("x.db*",), py="""
import sqlite3
for mode in "DELETE", "WAL":
    c = sqlite3.connect("x.db"); print(c.execute("pragma journal_mode=" + mode).fetchone())
    c.execute("create table if not exists t(a)")
    c.executemany("insert into t values(?)", [(n,) for n in range(100)]); c.commit()
    print(c.execute("select sum(a) from t").fetchone()); c.close()
"""),
    Work("python: tempfile", py="""
import tempfile
with tempfile.TemporaryDirectory() as d:
    write(d + "/x"); print(os.listdir(d))
with tempfile.TemporaryFile() as f:
    f.write(b"x"); print(f.tell())
with tempfile.NamedTemporaryFile("w+", dir=".") as f:
    f.write("x"); f.flush(); print(read(f.name))
made = subprocess.run(["mktemp", "-d"], stdout=subprocess.PIPE)
os.rmdir(made.stdout.decode().strip()); print(made.returncode)
"""),
    Work("python: subprocess", py="""
print(subprocess.run("exit 3", shell=True).returncode)
print(subprocess.check_output(["sort"], input=b"b\\na\\n"))
print(subprocess.Popen(["sleep", "30"], start_new_session=True).kill())
a = subprocess.Popen(["printf", "x\\ny\\n"], stdout=subprocess.PIPE)
b = subprocess.run(["wc", "-l"], stdin=a.stdout, capture_output=True); print(b.stdout.split())
a.wait()
tell("none", lambda: subprocess.run(["/none/x"]))
tell("noexec", lambda: subprocess.run(["./s.py"]))
try:
    subprocess.run(["sleep", "30"], timeout=0.2)
except subprocess.TimeoutExpired:
    print("timeout")
"""),
    Work("python: asyncio with subprocesses, sockets, signals", py="""
import asyncio
async def one(n):
    p = await asyncio.create_subprocess_exec("sh", "-c", f"echo {n}", stdout=-1)
    return (await p.communicate())[0]
async def serve(r, w):
    w.write((await r.readline()).upper()); await w.drain(); w.close()
async def main():
    print(await asyncio.gather(*(one(n) for n in range(20))))
    async with await asyncio.start_unix_server(serve, "sock"):
        r, w = await asyncio.open_unix_connection("sock")
        w.write(b"hello\\n"); print(await r.read()); w.close()
    loop, done = asyncio.get_running_loop(), asyncio.Event()
    loop.add_signal_handler(signal.SIGUSR1, done.set)
    os.kill(os.getpid(), signal.SIGUSR1); await asyncio.wait_for(done.wait(), 10); print("signal")
asyncio.run(main()); os.path.exists("sock") and os.unlink("sock")
"""),
    Work("python: unix sockets in the workspace and in /tmp", py="""
import tempfile
d = tempfile.mkdtemp()
for kind in socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET:
    for path in "w", d + "/t":
        s = socket.socket(socket.AF_UNIX, kind); s.bind(path)
        c = socket.socket(socket.AF_UNIX, kind)
        if kind != socket.SOCK_DGRAM:
            s.listen()
        c.connect(path); c.send(b"x")
        print(kind.name, (s if kind == socket.SOCK_DGRAM else s.accept()[0]).recv(9))
        os.unlink(path)
a = socket.socket(socket.AF_UNIX); a.bind(b"\\0mine" + str(os.getpid()).encode()); a.listen()
c = socket.socket(socket.AF_UNIX); c.connect(a.getsockname()); print("abstract")
x, y = socket.socketpair(); socket.send_fds(x, [b"f"], [0]); print(socket.recv_fds(y, 9, 1)[0])
os.rmdir(d)
"""),
    Work("python: a pty of its own", py="""
import pty
pid, master = pty.fork()
if pid == 0:
    os.execvp("sh", ["sh", "-c", "stty -echo; tty >/dev/null && echo yes; read x; echo got $x"])
text = b""
while b"yes" not in text:
    text += os.read(master, 1000)
os.write(master, b"typed\\n")
while b"got typed" not in text:
    text += os.read(master, 1000)
print(text, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""),
    Work("python: mmap, fcntl locks, inotify, eventfd, timers, memfd", py="""
import fcntl, mmap, select
with open("m", "wb+") as f:
    f.truncate(4096); m = mmap.mmap(f.fileno(), 4096); m[:1] = b"x"; m.flush(); m.close()
    fcntl.flock(f, fcntl.LOCK_EX); fcntl.lockf(f, fcntl.LOCK_EX); f.seek(0); print(f.read(1))
fd = libc.inotify_init(); libc.inotify_add_watch(fd, b".", 0x100); write("new")
print(b"new" in os.read(fd, 1000))
m = os.memfd_create("x"); os.write(m, b"y"); print(os.pread(m, 9, 0))
e = os.eventfd(3); print(os.eventfd_read(e)); p = select.epoll(); p.register(e); print(p.poll(0))
signal.signal(signal.SIGALRM, lambda *_: print("alarm")); signal.setitimer(signal.ITIMER_REAL, .01)
signal.pause(); print(os.sched_getaffinity(0) != set(), os.getpriority(os.PRIO_PROCESS, 0) >= -20)
"""),
]

QUIET_NPM = {"npm_config_update_notifier": "false"}

NODE = [
    Work("node: worker_threads, child_process, fs.watch", needs=("node",), files={"s.js": """
const { Worker, isMainThread, parentPort } = require('worker_threads');
const cp = require('child_process'), fs = require('fs');
if (!isMainThread) { parentPort.on('message', n => parentPort.postMessage(n * 2)); } else {
  const w = new Worker(__filename);
  w.on('message', n => { console.log('worker', n); w.terminate(); forked(); });
  w.postMessage(21);
  function forked() {
    console.log(cp.execSync('echo sync').toString(), cp.spawnSync('false').status);
    const f = cp.fork('f.js'); f.on('message', m => { console.log('fork', m); watched(); });
    f.send('hi');
  }
  function watched() {
    const t = fs.watch('.', (e, n) => { if (n === 'seen') { console.log('watch', n); t.close();
      promised(); } });
    fs.writeFileSync('seen', 'x');
  }
  async function promised() {
    await fs.promises.mkdir('d/e', { recursive: true });
    await fs.promises.rm('d', { recursive: true }); console.log(fs.readFileSync('seen', 'utf8'));
    require('dns').lookup('localhost', e => console.log('end'));
  }
}
""", "f.js": "process.on('message', m => { process.send(m + '!'); process.exit(); });\n"},
         sh="node s.js", says="end\n"),
    Work("node: a server on a unix socket", needs=("node",), files={"s.js": """
const http = require('http');
const s = http.createServer((q, r) => r.end('body')).listen('./sock', () => {
  http.get({ socketPath: './sock', path: '/' }, r => {
    r.on('data', d => console.log(d.toString())); r.on('end', () => s.close()); }); });
"""}, sh="node s.js", says="body\n"),
    Work("npm: a local package, a script", needs=("npm", "node"),
         differs=("app/package-lock.json", "app/node_modules/*"), env=QUIET_NPM, files={
             "pkg/package.json": '{"name": "pkg", "version": "1.0.0", "main": "i.js"}\n',
             "pkg/i.js": "module.exports = 'from pkg';\n",
             "app/package.json": '{"name": "app", "version": "1.0.0", "scripts": '
                                 '{"test": "node t.js"}}\n',
             "app/t.js": "console.log(require('pkg'));\n"},
         sh="cd app && npm install --offline --no-audit --no-fund ../pkg >/dev/null && npm -s test",
         says="from pkg\n"),
    Work("npm: a package as a file, of which npm has a copy in its cache", needs=("npm", "node"),
         differs=("app/package-lock.json", "app/node_modules/*", "*.tgz"), env=QUIET_NPM, files={
             "pkg/package.json": '{"name": "pkg", "version": "1.0.0", "main": "i.js"}\n',
             "pkg/i.js": "module.exports = 'from pkg';\n",
             "app/package.json": '{"name": "app", "version": "1.0.0"}\n'},
         sh="npm pack ./pkg >/dev/null && cd app && npm install --offline --no-audit --no-fund "
            "../pkg-1.0.0.tgz >/dev/null && node -p 'require(\"pkg\")'", says="from pkg\n"),
]

TOOLS = [
    Work("perl", needs=("perl",), sh=r"""
perl -e 'use POSIX; use File::Temp; $p = fork // die; if (!$p) { exit 3 } waitpid $p, 0;
print $? >> 8, "\n"; print `echo back`; open(F, "|sort"); print F "b\na\n"; close F;
my $t = File::Temp->new; print $t "x"; print -e "$t" ? "there\n" : "gone\n"'
perl -pe 's/a/b/' -i f && cat f
""", files={"f": "aaa\n"}),
    Work("tar, gzip, find, xargs, awk, sed, diff", needs=("tar", "gzip", "find", "xargs", "awk"),
         files={"d/a": "1\n2\n", "d/e/b": "3\n", "d/c x": "4\n"}, differs=("*.tar.gz",), sh=r"""
set -e
tar czf x.tar.gz d && mkdir o && tar xzf x.tar.gz -C o && diff -r d o/d && echo same
find . -type f -name '[abc]*' -print0 | sort -z | xargs -0 cat | awk '{s += $1} END {print s}'
find d -type f -exec grep -l 3 {} + ; find d -newer x.tar.gz -delete; ls d
sed -i s/1/9/ d/a && cat d/a; gzip -n d/a && zcat d/a.gz; sort -n -r d/e/b | uniq -c | tr -d ' '
dd if=/dev/zero bs=1k count=3 2>/dev/null | wc -c | tr -d ' '; cmp d/e/b o/d/e/b && md5sum d/e/b
"""),
    Work("files: mv, ln, mkfifo, chmod, touch, rename across directories", sh=r"""
set -e
mkdir -p a/b c && echo 1 >a/b/f && mv a/b/f c/g && mv c a/b/ && cat a/b/c/g
ln -s b/c a/l && cat a/l/g && ln a/b/c/g h && stat -c %h h && readlink a/l
mkfifo p && { echo through >p & } && cat p && wait && rm p && chmod 700 a && chmod 2755 h && stat -c %a h
touch -d 2001-01-01 h && stat -c %Y h && cp -a a z && diff -r a z && rm -r a && ls
truncate -s 100 t && stat -c %s t && mv -T z y && install -m 640 h i && stat -c %a i && rm -r y
mkdir d && cd d && mkdir e && cd .. && mv d f && rmdir f/e f
"""),
    Work("files: long names and paths", py="""
name, depth = "n" * 250, 40
top = os.getcwd()
for n in range(depth):
    os.mkdir(name); os.chdir(name)
    if n == 12:
        print(len(os.getcwd()) > 3000, subprocess.run(["ls"]).returncode)
write("deep"); print(read("deep")); os.unlink("deep")
for _ in range(depth):
    os.chdir(".."); os.rmdir(name)
print(os.getcwd() == top)
for odd in b"a b", b"new\\nline", b"\\xff\\xfe", "\u00e4".encode(), b"-rf", b"'\\"$":
    open(odd, "w").close(); print(odd, os.stat(odd).st_size); os.unlink(odd)
"""),
    Work("bash: pipelines, process substitution, here documents, coproc", needs=("bash",),
         files={"b.sh": r"""
diff <(printf 'a\nb\n') <(printf 'a\nc\n'); tee >(wc -c >n) <<<hello >/dev/null; sleep .2; cat n
cat <<-X | tr a-z A-Z
	here $((1 + 2))
X
set -o pipefail; false | true; echo $?; coproc cat; echo co >&${COPROC[1]}; read -u ${COPROC[0]} x
echo $x; exec {COPROC[1]}>&-; wait; mapfile -t m < <(seq 3); echo ${#m[@]}
trap 'echo trapped' USR1; kill -USR1 $$; ulimit -c; [[ -w . ]] && echo w; echo {1..5} >&2
"""}, sh="exec bash b.sh 2>&1"),
    Work("bash: job control in a script", needs=("bash",), files={"b.sh": r"""
set -m; sleep 30 & jobs -r | wc -l; kill %1; wait %1 2>/dev/null; echo $?
(exit 5) & wait $!; echo $?; for i in 1 2 3; do (sleep 0.0$i; exit $i) & done; wait; echo all
set +m; sleep 30 & kill -STOP $!; kill -CONT $!; kill -9 $!; wait $! 2>/dev/null; echo $?
timeout 0.1 sleep 30; echo $?; setsid -w sh -c 'echo session'; nohup echo nohup 2>/dev/null
"""}, sh="exec bash b.sh 2>/dev/null"),
    Work("300 spawns, and eight at a time", needs=("xargs",), sh="""
i=0; while [ $i -lt 300 ]; do /bin/true || echo bad; i=$((i + 1)); done; echo $i
seq 200 | xargs -P8 -n1 sh -c 'exit 0' && echo eight
seq 40 | xargs -P8 -n4 echo | tr ' ' '\\n' | sort -n | tail -n1
"""),
    Work("man", needs=("man",), sh="man -w ls >/dev/null 2>&1 || exit 0; man ls 2>&1 | head -n3"),
    Work("what apt and dpkg know", needs=("apt", "dpkg"),
         sh="dpkg -s dpkg | sed -n 1,2p; apt list --installed dpkg 2>/dev/null | grep -c ^dpkg/"),
    Work("script(1)", needs=("script",), differs=("log",),
         sh="script -q -e -c 'tty >/dev/null && echo on a terminal; exit 4' log </dev/null; echo $?",
         says="on a terminal"),
    Work("what a host tells", sh="""
id; whoami; getent passwd root | cut -d: -f1; getent hosts localhost | wc -l; date -u +%Y >/dev/null
date -d @0 -u; locale | head -n1; uname -s; hostname; nproc; df . | wc -l; ps | head -n1 | wc -l
ps -e >/dev/null; echo $?; pwd; umask; test -r /etc/passwd && echo passwd; ls /usr >/dev/null && echo usr
ldd /bin/sh >/dev/null && echo ldd; TZ=Europe/Berlin date -d @0 +%H; cat /proc/self/comm
free >/dev/null && uptime >/dev/null; echo $?; test -t 0; echo $?; sh -c 'kill -0 $PPID'; echo $?
"""),
    Work("on a terminal", mode="pty", stdin=b"typed\n", sh="""
test -t 0 && echo terminal; stty size; read x; echo "got $x"; echo to >/dev/tty
"""),
    Work("openssl, uuid, random devices", sh="""
head -c 16 /dev/urandom | wc -c; head -c 4 /dev/random | wc -c; echo x >/dev/null; echo x 2>/dev/full
cat /proc/sys/kernel/random/uuid | wc -c; head -c 3 /dev/zero | od -An -tx1; cat /proc/self/stat | wc -l
ls /proc/self/fd | wc -l; cat /proc/cpuinfo /proc/meminfo /proc/loadavg /proc/uptime >/dev/null; echo $?
"""),
]

add_works("run: everyday work", GITS)
add_works("run: everyday work", BUILDS)
add_works("run: everyday work", PYTHONS)
add_works("run: everyday work", NODE)
add_works("run: everyday work", TOOLS)
