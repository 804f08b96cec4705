"""Many commands at once, in shells, make, Python and Node."""

import os
import subprocess
import sys

from harness import case, expect_equal, expect_status, find_program
from table import PRELUDE, Row, add_rows

# A project of directories that are made by makes below the first one, which share its jobs.
MAKEFILES = {
    "Makefile": """
all: a b c
a b c:
	@$(MAKE) -s -C $@
.PHONY: all a b c
""",
    **{f"{name}/Makefile": """
all: 1 2 3 4
1 2 3 4:
	@sh -c 'read -r x <in.$@; echo $(notdir $(CURDIR)) $@ $$x'
.PHONY: all 1 2 3 4
""" for name in "abc"},
    **{f"{name}/in.{i}": f"{name}{i}\n" for name in "abc" for i in range(1, 5)},
}

ASYNC = """
import asyncio
async def one(i):
    p = await asyncio.create_subprocess_exec("sh", "-c", f"read -r x; echo {i} $x; exit {i % 5}",
                                             stdin=PIPE, stdout=PIPE, stderr=PIPE)
    out, err = await p.communicate(b"in %d\\n" % i)
    return out, err, p.returncode
async def main():
    for done in await asyncio.gather(*map(one, range(40))):
        put(*done)
    p = await asyncio.create_subprocess_shell("echo a; echo b >&2; exit 3", stdout=PIPE,
                                              stderr=PIPE)
    put(*await p.communicate(), p.returncode)
    p = await asyncio.create_subprocess_exec("cat", stdin=PIPE, stdout=PIPE)
    for word in b"one\\n", b"two\\n":
        p.stdin.write(word)
        put(await p.stdout.readline())
    p.stdin.close()
    put(await p.wait())
    p = await asyncio.create_subprocess_exec("sleep", "20")
    try:
        await asyncio.wait_for(p.wait(), 0.2)
    except asyncio.TimeoutError:
        p.terminate()
        put(await p.wait())
asyncio.run(main())
"""

NODE = """
const {exec, execFile, execFileSync, execSync, fork, spawn, spawnSync} = require('child_process');
const {promisify} = require('util');
async function main() {
    const said = await Promise.all([...Array(12).keys()].map((i) =>
        promisify(exec)(`echo ${i}; echo err ${i} >&2`)));
    console.log(said.map((s) => s.stdout + s.stderr).join(''));
    console.log((await promisify(execFile)('printf', ['%s|', 'a b', 'c'])).stdout);
    await promisify(execFile)('sh', ['-c', 'echo half; exit 3']).catch((e) =>
        console.log(e.code, e.stdout));
    await promisify(execFile)('sandtape-none').catch((e) => console.log(e.code));
    await promisify(exec)('exec sleep 20', {timeout: 200}).catch((e) =>
        console.log(e.killed, e.signal));
    const sort = spawn('sort');
    sort.stdout.on('data', (text) => console.log(String(text)));
    sort.stdin.end('b\\na\\n');
    console.log(await new Promise((done) => sort.on('close', (...end) => done(end))));
    const killed = spawn('sleep', ['20']);
    killed.on('spawn', () => killed.kill('SIGKILL'));
    console.log(await new Promise((done) => killed.on('close', (...end) => done(end))));
    spawn('sh', ['-c', 'echo inherited; exit 4'], {stdio: 'inherit'}).on('close', (code) => {
        console.log(code);
        const both = spawnSync('sh', ['-c', 'cat; echo err >&2; kill $$'], {input: 'text'});
        console.log(both.status, both.signal, String(both.stdout), String(both.stderr));
        console.log(String(execSync('uname; echo $0')), String(execFileSync('uname')));
    });
}
main();
"""

MANY_ROWS = [
    Row("1,000 spawns, 16 at a time", units=1000, py="""
def one(i):
    return run("sh", "-c", f"echo {i}; exit {i % 3}")
with ThreadPoolExecutor(16) as pool:
    put(*(f"{done.stdout} {done.returncode}" for done in pool.map(one, range(1000))))
"""),
    Row("communicate with 20 children that were all started first", units=20, py="""
several = [subprocess.Popen(["sh", "-c", f"read -r x; echo {i} $x; cat >&2; exit {i}"], stdin=PIPE,
                            stdout=PIPE, stderr=PIPE) for i in range(20)]
for i in reversed(range(20)):
    put(*several[i].communicate(b"to %d\\nrest\\n" % i), several[i].wait())
"""),
    Row("20 children are waited for as they end", by_chance=True, replays=3, py="""
r, w = os.pipe()
kept = [subprocess.Popen(["sh", "-c", f"read x; sleep {i * 7 % 20 * 0.03}; exit {i}"], stdin=r)
        for i in range(20)]  # Popen reaps those that nobody keeps
os.close(w)  # all are there: now they begin
put(*(os.wait()[1] >> 8 for i in range(20)))
"""),
    # posix_spawn waits for a child that opens a FIFO: meanwhile two others end.
    Row("two end while their parent cannot look", by_chance=True, replays=3, py="""
import time
os.mkfifo("go")
def start(seconds, code):
    return os.spawnvp(os.P_NOWAIT, "sh", ["sh", "-c", f"sleep {seconds}; exit {code}"])
start(0.1, 3), start(0.02, 4)
if os.fork() == 0:
    time.sleep(0.25)
    os.close(os.open("go", os.O_WRONLY))
    os._exit(0)
os.posix_spawnp("uname", ["uname"], os.environ,
                file_actions=[(os.POSIX_SPAWN_OPEN, 0, "go", os.O_RDONLY, 0)])
put(*filter(None, (os.wait()[1] >> 8 for i in range(4))))
"""),
    Row("output of 6 children as it comes, one reader", by_chance=True, replays=3, py="""
r, w = os.pipe()
for i in range(6):
    subprocess.Popen(["sh", "-c", f"sleep 0.{i}; echo a {i}; sleep 0.3; echo b {i}"], stdout=w)
os.close(w)
with os.fdopen(r) as f:
    put(*f)
"""),
    Row("two pipes of one command as they come", units=1, by_chance=True, replays=3, py="""
import selectors
p = subprocess.Popen(["sh", "-c", "for i in 1 2 3; do echo o$i; sleep 0.2; echo e$i >&2;"
    "sleep 0.2; done"], stdout=PIPE, stderr=PIPE)
with selectors.DefaultSelector() as both:
    both.register(p.stdout, selectors.EVENT_READ, "out")
    both.register(p.stderr, selectors.EVENT_READ, "err")
    while both.get_map():
        for key, _ in both.select():
            got = os.read(key.fd, 100)
            if got:
                put(f"{key.data} {got}")
            else:  # of which end is seen first nothing tells: they come together
                both.unregister(key.fileobj)
put(p.wait())
"""),
    Row("wait -n over 8 jobs that end in another order", argv=["bash", "s"], needs=("bash",),
        by_chance=True, replays=3, files={"s": """
        for i in 5 1 7 3 8 2 6 4; do sh -c "sleep 0.$i; exit $i" & done
        for i in 1 2 3 4 5 6 7 8; do wait -n; echo $?; done; wait -n; echo $?"""}),
    Row("which of two has ended is asked for after a third", replays=5, py="""
import time
def start(seconds, code):
    return os.spawnvp(os.P_NOWAIT, "sh", ["sh", "-c", f"sleep {seconds}; exit {code}"])
def ended():
    ends = []
    while True:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return ends
        ends.append(status >> 8)
start(0.6, 3), start(0.1, 4)
time.sleep(0.01)
run("sleep", "0.3")
put(ended(), os.wait()[1] >> 8)
start(0.1, 5), start(0.8, 6), start(0.1, 7)
time.sleep(0.4)
put(run("uname").returncode, sorted(ended()), os.wait()[1] >> 8)
"""),
    Row("which have ended is asked for right after another spawn", replays=5, py="""
import time
def start(seconds, code):
    return subprocess.Popen(["sh", "-c", f"sleep {seconds}; exit {code}"])
def compute(seconds):
    end, own = time.monotonic() + seconds, time.process_time() + seconds
    while time.monotonic() < end or time.process_time() < own: # on a busy machine, too
        pass
for i in range(3):
    several = [start(0.1, 3), start(0.12, 4), subprocess.Popen(["sleep", "60"])]
    run("sleep", "0.05")
    compute(0.3)
    last = start(0.01, 6)
    put(*(p.poll() for p in several))
    several[2].kill()
    put(last.wait(), several[2].wait())
"""),
    Row("Popen.poll after others have run", replays=5, py="""
import time
def start(seconds, code):
    return subprocess.Popen(["sh", "-c", f"sleep {seconds}; exit {code}"])
a, b = start(0.6, 3), start(0.1, 4)
run("sleep", "0.3")
put(a.poll(), b.poll())
put(a.wait())
several = [start(0.1, i) for i in range(8)]
time.sleep(0.4)
run("uname")
put(*(p.poll() for p in several))
"""),
    Row("wait -n -p after another command", argv=["bash", "s"], needs=("bash",), replays=5, files={
        "s": """
        sh -c 'sleep 0.6; exit 3' & a=$!
        sh -c 'sleep 0.1; exit 4' & b=$!
        sleep 0.3
        wait -n -p p; echo $? $((p == a)) $((p == b))
        wait -n -p p; echo $? $((p == a)) $((p == b))
        sh -c 'sleep 0.1; exit 5' & sh -c 'exit 6' & sh -c 'sleep 2.5; exit 7' & sleep 1.2
        uname; jobs -r | grep -c Running; exit 0"""}),
    Row("wait for each job by its number", argv=["bash", "s"], needs=("bash",), files={"s": """
        for i in 1 2 3 4 5 6; do sh -c "exit $i" & pids[i]=$!; done
        for i in 6 2 4 1 3 5; do wait ${pids[i]}; echo $?; done"""}),
    Row("make -j4 with makes below it", argv=["make", "-j4"], needs=("make",), files=MAKEFILES,
        any_order=True, units=3),
    Row("make -j4 with makes below it that are looked through", argv=["make", "-j4"],
        needs=("make",), files=MAKEFILES, any_order=True, units=12, options=["--through", "make"]),
    Row("make -j2 -k goes on after an error", argv=["make", "-j2", "-k", "--output-sync=target"],
        needs=("make",), any_order=True, status=2, files={"Makefile": """
all: a b c d
a c d:
	@sh -c 'echo $@'
	@sh -c 'echo more $@'
b:
	@sh -c 'echo $@; exit 3'
.PHONY: all a b c d
"""}),
    Row("xargs -P4 that is looked through", hidden=False,
        options=["--through", "xargs"], units=20, any_order=True,
        sh="seq 20 >/dev/null; echo 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 "
        "| xargs -n1 -P4 sh -c 'echo \"<$0>\"'"),
    Row("asyncio", py=ASYNC, units=43),
    Row("node: exec, execFile, spawn and their kin", needs=("node",), argv=["node", "s.js"],
        files={"s.js": NODE}),
    Row("node: fork and messages", needs=("node",), argv=["node", "s.js"], units=1, replays=2,
        files={
        "s.js": """
            const child = require('child_process').fork('child.js', ['x'], {silent: true});
            child.on('message', (m) => { console.log('from the child', m); child.send('end'); });
            child.on('close', (code) => console.log('closed', code));""",
        "child.js": """
            process.on('message', (m) => { process.exitCode = 3; process.disconnect(); });
            process.send({hello: process.argv[2]});"""}),
    Row("node: workers that answer several questions", needs=("node",), argv=["node", "s.js"],
        units=3, replays=2, files={
        "s.js": """
            const {fork} = require('child_process');
            const workers = [0, 1, 2].map((i) => fork('worker.js', [String(i)]));
            const ask = (worker, question) => new Promise((done) => {
                worker.once('message', done);
                worker.send(question);
            });
            async function main() {
                const all = await Promise.all(workers.map(async (worker, i) => {
                    const answers = [];
                    for (let n = 0; n < 5; n++)
                        answers.push(await ask(worker, {n, text: 'x'.repeat(n * 100)}));
                    return answers;
                }));
                console.log(JSON.stringify(all));
                for (const worker of workers) {
                    const left = new Promise((done) => worker.on('exit', (...end) => done(end)));
                    worker.send({end: true});
                    console.log(await left);
                }
            }
            main();""",
        "worker.js": """
            let sum = 0;
            process.on('message', (m) => {
                if (m.end)
                    process.exit(Number(process.argv[2]));
                sum += m.text.length;
                process.send({i: process.argv[2], n: m.n, sum});
            });"""}),
    Row("node: the parent disconnects, the child disconnects, the child exits", needs=("node",),
        argv=["node", "s.js"], units=3, replays=2, files={
        "s.js": """
            const {fork} = require('child_process');
            async function one(kind) {
                const child = fork('child.js', [kind]);
                const said = [];
                child.on('message', (m) => {
                    said.push(m);
                    if (kind === 'parent')
                        child.disconnect();
                });
                child.on('disconnect', () => said.push('disconnected'));
                const end = await new Promise((done) => child.on('exit', (...e) => done(e)));
                await new Promise((done) => setTimeout(done, 50));
                console.log(kind, said.sort(), end);
            }
            one('parent').then(() => one('child')).then(() => one('exit'));""",
        "child.js": """
            const kind = process.argv[2];
            process.on('disconnect', () => { process.exitCode = 5; });
            process.on('message', () => {});
            process.send('hello ' + kind, () => {
                if (kind === 'child')
                    process.disconnect();
                if (kind === 'exit')
                    process.exit(6);
            });"""}),
    Row("node: a large message each way", needs=("node",), argv=["node", "s.js"], units=1, files={
        "s.js": """
            const child = require('child_process').fork('child.js');
            child.on('message', (m) => { console.log(m.length, m.slice(0, 3)); });
            child.on('exit', (code) => console.log(code));
            child.send('ab'.repeat(500000));""",
        "child.js": """
            process.on('message', (m) => process.send(m + 'c'.repeat(500000), () =>
                process.exit(m.length % 100)));"""}),
    Row("node: more pipes above 2, in both directions", needs=("node",), argv=["node", "s.js"],
        units=1, files={
        "s.js": """
            const {spawn} = require('child_process');
            const child = spawn('sh', ['-c', 'read -r a <&3; echo "<$a>" >&3; cat <&4 >&5; exit 2'],
                                {stdio: ['ignore', 'inherit', 'inherit', 'pipe', 'pipe', 'pipe']});
            child.stdio[3].on('data', (text) => {
                console.log('3', String(text));
                child.stdio[4].end('to four');
            });
            child.stdio[5].on('data', (text) => console.log('5', String(text)));
            child.on('close', (code) => console.log(code));
            child.stdio[3].write('question\\n');"""}),
    Row("pipelines at once, and ends in pipelines", argv=["bash", "s"], needs=("bash",), files={
        "s": """
        for i in 1 2 3 4; do (seq $((i * 1000)) | sort -r | head -n 2 | tr '\\n' ' ' >f$i) & done
        wait; for i in 1 2 3 4; do read -r x <f$i; echo "$x"; done
        yes | head -n 1; echo "${PIPESTATUS[*]}"; set -o pipefail; false | true; echo $?
        seq 100000 | head -n 1 >/dev/null; echo "${PIPESTATUS[*]}"
        (exit 3) | sh -c 'exit 4' | cat; echo "$? ${PIPESTATUS[*]}" """}),
]

add_rows(MANY_ROWS)


# Two equal commands that overlap. The one that starts first in the second recording stands second
# on its tape, which is in the order of the first.
EQUAL = PRELUDE + """
import time
from threading import Thread
last = "a" if sys.argv[1:] == ["a last"] else "b"
def work(name):
    if name == last:
        time.sleep(0.4)
    run("sh", "-c", "echo " + name)
    with open("f", "w") as f:
        f.write(name)
    out[name] = run("sh", "-c", "read -r x <f; sleep 1; echo $x").stdout
out = {}
others = [Thread(target=work, args=name) for name in "ab"]
for t in others:
    t.start()
for t in others:
    t.join()
put(out["a"], out["b"])
"""


@case("equal commands at once get the answer for which all is there", ["python3"])
def check_equal(place):
    argv = [find_program("python3"), "s.py"]
    place.fresh({"s.py": EQUAL})
    for again in ([], ["a last"]):
        result = place.record(argv + again, "-q")
        expect_status(result, 0, "record")
        expect_equal("stdout", b"a\nb\n", result.out)
    result = place.replay(argv + ["a last"], "-q")
    expect_status(result, 0, "replay")
    expect_equal("stdout of the replay", b"a\nb\n", result.out)


# A command that was over before the next. In the replay it comes late, and hardly gets a processor.
LATE = PRELUDE + """
import time
cpus = [int(cpu) for cpu in sys.argv[1:]]
if os.fork() == 0:
    if cpus:
        time.sleep(0.2)
        os.sched_setaffinity(0, cpus)
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    os.execvp("uname", ["uname"])
if not cpus:
    time.sleep(0.2)
run("sleep", "0.1")
os.write(1, b"next\\n")
os.wait()
"""


@case("what was over comes first, though it is late and slow", ["python3"])
def check_late(place):
    argv = [find_program("python3"), "s.py"]
    place.fresh({"s.py": LATE})
    expect_status(place.record(argv, "-q"), 0, "record")
    cpu = min(os.sched_getaffinity(0))
    busy = subprocess.Popen([sys.executable, "-c", "while True: pass"],
                            preexec_fn=lambda: os.sched_setaffinity(0, [cpu]))
    try:
        for _ in range(3):
            result = place.replay(argv + [str(cpu)], "-q")
            expect_status(result, 0, "replay")
            expect_equal("stdout", os.uname().sysname + "\nnext\n", result.out.decode())
    finally:
        busy.kill()
        busy.wait()
