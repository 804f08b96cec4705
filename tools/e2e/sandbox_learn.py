"""`sandtape learn`: a second run under what was learnt does the same, and what was not used is
denied under it."""

import json
import os
import shutil
import tempfile
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from harness import (SANDTAPE, Skipped, add_case, case, expect, expect_equal, expect_status,
                     expect_text, short)
from sandbox import KEEP_MARK, outside_tmp, script_argv
from sandbox_denials import listen, serve_unix
from sandbox_explain_run import NO_PTRACE


def learn(place, argv, *options, status=0):
    """The result, and the policy in place.policy."""
    place.policy = os.path.join(place.root, "learnt.json")
    result = place.sandtape("learn", *KEEP_MARK, "-o", place.policy, *options, "--", *argv)
    expect_status(result, status, "learn")
    with open(place.policy, encoding="utf-8") as f:
        return result, json.load(f)


def under(place, argv):
    return place.sandtape("run", "-q", "--policy", place.policy, "--", *argv)


def fill(text, place):
    for name in "far", "home", "port", "other":
        text = text.replace("@" + name, str(getattr(place, name, "")))
    return text


@dataclass
class Learnt:
    """`before` makes what is outside of the workspace; `script` is learnt, and run under the policy.
    Each of `denied` must fail under it, and not without it. `has`: what the policy must have."""

    name: str
    script: str
    before: str = ":"
    files: dict = field(default_factory=dict)
    denied: tuple = ()
    has: dict = field(default_factory=dict)
    needs: tuple = ()
    python: bool = False
    bash: bool = False


def prepare(place, row):
    place.fresh(row.files)
    shell = "/bin/bash" if row.bash else "/bin/sh"
    expect_status(place.run([shell, "-ec", fill(row.before, place)]), 0, "before")
    text = fill(row.script, place)
    if row.bash:
        return [shell, "-c", text]
    return script_argv(place, None if row.python else text, text)


def check(place, row):
    with ExitStack() as stack:
        stack.enter_context(outside_tmp(place))
        place.port, place.other = listen(stack), listen(stack)
        serve_unix(place.home + "/sock", stack)
        check_row(place, row)


def check_row(place, row):
    native = place.run(prepare(place, row))
    expect_status(native, 0, "native")
    first, policy = learn(place, prepare(place, row))
    expect_equal("learn: stdout", native.out, first.out)
    second = under(place, prepare(place, row))
    expect_equal(f"under the policy: status; {short(second.err)}; {policy}", 0, second.status)
    expect_equal("under the policy: stdout", native.out, second.out)
    for section, members in row.has.items():
        for name, value in members.items():
            if value is not None:
                value = json.loads(fill(json.dumps(value).replace('"@port"', "@port"), place))
            expect_equal(f"{section}.{name}", value, policy.get(section, {}).get(name))
    for script in row.denied:
        argv = ["/bin/bash", "-c", fill(script, place)]
        expect_status(place.run(argv), 0, "native: " + script)
        denied = under(place, argv)
        expect(denied.status != 0, f"not denied: {script}: {policy}")


EXCHANGE = """\
def exchange(a, b, flags=2): # RENAME_EXCHANGE
    done = libc.renameat2(-100, os.fsencode(a), -100, os.fsencode(b), flags)
    print(errno.errorcode[ctypes.get_errno()] if done else done)
"""
EXCHANGED = """\
rm -rf @far/a @far/b own; mkdir -p @far/a/d @far/b/sub/e
echo x >@far/a/x; echo x >@far/a/d/x; echo y >@far/b/sub/y; echo y >@far/b/sub/e/y
"""

ROWS = [
    Learnt("git: init, commit, a clone of what is outside",
           """\
export GIT_AUTHOR_DATE=2024-01-01T00:00:00Z GIT_COMMITTER_DATE=2024-01-01T00:00:00Z
set -e
git init -q -b main r && cd r && git config user.name a && git config user.email a@b
echo x >x && git add x && git commit -qm x && git rev-parse HEAD && cd ..
git clone -q @far/up.git up && cat up/f
""", before="""\
rm -rf @far/up.git @far/src @far/beside; mkdir @far/beside; echo s >@far/beside/f
git init -q -b main @far/src && cd @far/src && echo f >f && git add f
git -c user.name=a -c user.email=a@b commit -qm f && git clone -q --bare @far/src @far/up.git
""", has={"fs": {"read": ["@far/up.git"], "write": None, "exec": None}, "net": {"mode": "none"}},
           denied=("cat @far/beside/f", "cat @far/src/f", "echo x >@far/up.git/x"),
           needs=("git", "bash")),
    Learnt("make and cc", "make -s && ./p",
           files={"Makefile": "p: p.c\n\tcc -o p p.c\n",
                  "p.c": '#include <stdio.h>\nint main(void) { puts("made"); return 0; }\n'},
           before="mkdir -p @far/beside", needs=("make", "cc", "bash"),
           has={"fs": {"read": None, "write": None,
                       "operations": ["read_text", "list", "exists", "write_text", "exec"]}},
           denied=("ls @far/beside", "echo x >@far/beside/x", "rm Makefile")),
    Learnt("python3: a file outside, TCP of its own", """\
import threading
with open("@far/out/log", "w") as f:
    f.write("one")
server = socket.create_server(("127.0.0.1", 0))
def serve():
    s, _ = server.accept()
    s.sendall(b"hello")
    s.close()
threading.Thread(target=serve).start()
with socket.create_connection(server.getsockname()) as s:
    print(s.recv(9))
""", before="rm -rf @far/out; mkdir -p @far/out @far/beside", python=True, needs=("bash",),
           has={"fs": {"write": ["@far/out"], "read": None}, "net": {"mode": "loopback"}},
           denied=("echo x >@far/beside/x", "echo >/dev/tcp/127.0.0.1/@port", "echo >new")),
    Learnt("python3: which networks there are", "print(bool(socket.if_nameindex()))", python=True,
           has={"net": {"mode": "loopback"}}, denied=("echo >/dev/tcp/127.0.0.1/@port",),
           needs=("bash",)),
    Learnt("python3: TCP to a port of somebody else", """\
with socket.create_connection(("127.0.0.1", @port)) as s:
    print("connected")
""", python=True, has={"net": {"mode": "tcp", "tcp_connect": ["@port"], "tcp_bind": None}},
           denied=("echo >/dev/tcp/127.0.0.1/@other",), needs=("bash",)),
    Learnt("python3: a unix socket of somebody else, and one of its own", """\
for address in "@home/sock", "\\0own", "own":
    if address != "@home/sock":
        server = socket.socket(socket.AF_UNIX)
        server.bind(address)
        server.listen()
    s = socket.socket(socket.AF_UNIX)
    print(s.connect_ex(address))
""", before="rm -f own", python=True, needs=("bash",),
           has={"unix_sockets": {"paths": ["$HOME/sock"], "mode": None}, "net": {"mode": "none"}}),
    Learnt("node: files read outside", """\
node -e 'const fs = require("fs"); for (const n of ["a", "b"])
console.log(fs.readFileSync("@far/data/" + n, "utf8"));
fs.writeFileSync("w", "x"); console.log(fs.readdirSync("."))'
""", before="mkdir -p @far/data @far/beside; echo 1 >@far/data/a; echo 2 >@far/data/b; "
            "echo 3 >@far/beside/c", needs=("node", "bash"),
           has={"fs": {"read": ["@far/data"], "write": None}},
           denied=("cat @far/beside/c", "echo x >@far/data/c")),
    Learnt("sh: one file is granted alone, and HOME by a name", """\
cat @far/data/a @home/cfg; echo x >@home/made/x; echo y >/tmp/$$; cat /tmp/$$
""", before="rm -rf @home/made; mkdir -p @far/data @home/made; echo 1 >@far/data/a; "
            "echo 2 >@far/data/b; echo c >@home/cfg; echo d >@home/other",
           has={"fs": {"read": ["@far/data/a", "$HOME/cfg"], "write": ["$HOME/made"]}},
           denied=("cat @far/data/b", "cat @home/other", "echo x >@home/new"), needs=("bash",)),
    Learnt("python3: a group of system calls", """\
found = libc.shmget(0, 4096, 0o600)
print(found >= 0, libc.shmctl(found, 0, None))
""", python=True, has={"syscalls": {"ipc": "allow", "processes": "EPERM", "mount": None}}),
    Learnt("python3: processes that are waited for at the end", """\
for _ in range(70):
    if os.fork() == 0:
        os._exit(0)
print(sum(os.wait()[1] == 0 for _ in range(70)))
""", python=True, has={"limits": {"processes": 142}}),
    Learnt("sh: a limit of its own", "ulimit -n 4000; ulimit -c 2048; ulimit -n",
           has={"limits": {"files": 4000, "core_mb": 1}}),
    Learnt("python3: files without a name, of which one gets one", """\
for where in ".", "@far/out":
    fd = os.open(where, os.O_TMPFILE | os.O_RDWR)
    link = b"/proc/self/fd/%d" % fd
    print(os.write(fd, b"x"), libc.linkat(-100, link, -100, os.fsencode(where + "/named"), 0x400))
fd = os.open("@far/gone", os.O_TMPFILE | os.O_RDWR)
print(os.write(fd, b"y"))
""", before="rm -rf @far/out @far/gone; mkdir @far/out @far/gone", python=True, needs=("bash",),
           has={"fs": {"write": ["@far/gone", "@far/out"], "read": None,
                       "operations": ["read_text", "list", "exists", "write_text"]}},
           denied=("echo x >@far/x",)),
    Learnt("python3: renames and links between directories, out of the workspace and into it", """\
os.rename("@far/a/in", "in")
os.link("@far/a/linked", "linked") # names are removed from there anyway
os.rename("@far/a/up", "@far/b/sub/down")
for name in "out", "other":
    write(name)
os.rename("out", "@far/c/out")
os.link("other", "@far/c/other")
print(sorted(os.listdir(".")), os.listdir("@far/b/sub"), sorted(os.listdir("@far/c")))
""", before="rm -rf @far/[abcd]; mkdir -p @far/a @far/b/sub @far/c @far/d; "
            "for i in in linked up; do echo x >@far/a/$i; done", python=True, needs=("bash",),
           has={"fs": {"write": ["@far/a", "@far/b/sub", "@far/c"], "read": None,
                       "operations": ["read_text", "list", "exists", "write_text", "delete",
                                      "exec"]}},
           denied=("echo x >@far/d/x", "echo x >@far/b/x")),
    Learnt("python3: files and directories that are exchanged outside", EXCHANGE + """\
exchange("@far/a/x", "@far/b/sub/y")
exchange("@far/a/d", "@far/b/sub/e")
print(read("@far/a/x"), read("@far/a/d/y"), read("@far/b/sub/e/x"))
write("@far/a/d/new"); write("@far/b/sub/new")
""", before=EXCHANGED, python=True, needs=("bash",),
           has={"fs": {"write": ["@far/a", "@far/b/sub"], "read": None,
                       "operations": ["read_text", "list", "exists"]}},
           denied=("echo x >@far/b/x",)),
    Learnt("python3: a file of the workspace is exchanged for one outside", EXCHANGE + """\
exchange("own", "@far/a/x")
print(read("own"), read("@far/a/x"))
""", before=EXCHANGED + "echo own >own\n", python=True, has={"fs": {"write": ["@far/a"]}}),
    Learnt("python3: a file outside is exchanged for one of the workspace", EXCHANGE + """\
exchange("@far/a/x", "own")
print(read("own"), read("@far/a/x"))
""", before=EXCHANGED + "echo own >own\n", python=True, needs=("bash",),
           has={"fs": {"write": ["@far/a"], "read": None,
                       "operations": ["read_text", "list", "exists", "write_text", "delete",
                                      "exec"]}}, denied=("echo x >@far/b/x",)),
    Learnt("python3: files that are exchanged in the workspace, and moved to no other's name",
           EXCHANGE + """\
exchange("one", "d/two")
exchange("d/two", "@far/a/x", 1)
exchange("d/two", "@far/a/new", 1)
print(read("one"), read("@far/a/x"), read("@far/a/new"))
""", before=EXCHANGED + "mkdir -p d; echo 1 >one; echo 2 >d/two\n", python=True,
           has={"fs": {"write": ["@far/a"], "read": None}}),
    Learnt("sh: renames within the workspace, and within one directory, need no more",
           "mkdir d; echo x >d/x; mv d/x y; ln y z; mv z d; mv @far/a/x @far/a/y",
           before="rm -rf @far/a; mkdir @far/a; echo x >@far/a/x",
           has={"fs": {"write": ["@far/a"], "operations": ["read_text", "list", "exists",
                                                           "write_text", "delete"]}}),
    Learnt("sh: links that are made, moved and removed are not what they lead to",
           "ln -s @far/a/x l; ln -s nothing m; mv m n; readlink n; rm l n; ln -s @far/a/x @far/b/l",
           before="rm -rf @far/[ab]; mkdir @far/a @far/b; echo x >@far/a/x",
           has={"fs": {"write": ["@far/b"], "read": None}}, denied=("cat @far/b/l",),
           needs=("bash",)),
    Learnt("sh: a file that was there is written, and its directory is not granted",
           "echo new >@far/a/x; echo more >>@far/b/x",
           before="mkdir -p @far/a @far/b; test -e @far/a/x || { echo x >@far/a/x; echo x >@far/b/x; "
                  "sleep 0.05; }",
           has={"fs": {"write": ["@far/a/x", "@far/b/x"]}}, denied=("echo y >@far/a/y",),
           needs=("bash",)),
    Learnt("bash: names of any bytes, and such that look deleted", """\
cat @far/a/$'new\nline' "@far/b/x (deleted)" @far/c/$'\xff' '@far/d/$HOME'; rm @far/e/$'\xfe'
""", before="""\
cd @far; rm -rf [abcde]; mkdir a b c d e
for i in $'a/new\nline' "b/x (deleted)" $'c/\xff' 'd/$HOME' $'e/\xfe'; do echo x >"$i"; done
""", bash=True, needs=("bash",), has={"fs": {"write": ["@far/e"]}},
           denied=("ls @far/a",)),
    Learnt("sh: scripts, and an interpreter elsewhere", "@far/b/script; ./made",
           before="rm -rf @far/[bi]; mkdir @far/b @far/i; cp /bin/sh @far/i/sh2; "
                  "for i in @far/b/script made; do printf '#!@far/i/sh2\\necho run\\n' >$i; "
                  "chmod +x $i; done",
           has={"fs": {"exec": ["@far/b/script", "@far/i/sh2"], "read": None}}),
    Learnt("sh: a script whose interpreter is a script, elsewhere", "@far/o/outer",
           before="rm -rf @far/[oim]; mkdir @far/o @far/m @far/i; cp /bin/sh @far/i/sh2; "
                  "printf '#!@far/i/sh2\\necho run\\n' >@far/m/middle; "
                  "echo '#!@far/m/middle' >@far/o/outer; cp @far/o/outer @far/o/other; "
                  "chmod +x @far/m/middle @far/o/*",
           has={"fs": {"exec": ["@far/i/sh2", "@far/m/middle", "@far/o/outer"], "read": None}},
           denied=("@far/o/other",), needs=("bash",)),
    Learnt("python3: libraries that are built, and such elsewhere", """\
subprocess.run(["cc", "-shared", "-fPIC", "-o", "x.so", "x.c"], check=True)
print([ctypes.CDLL(name).x() for name in ("./x.so", "@far/l/y.so")])
""", before="mkdir -p @far/l; echo 'int x(void) { return 5; }' >x.c; "
            "cc -shared -fPIC -o @far/l/y.so x.c",
           python=True, needs=("cc",), has={"fs": {"exec": None, "read": ["@far/l/y.so"]}}),
    Learnt("python3: sqlite3 and compileall, in a directory elsewhere", """\
import compileall, sqlite3
for name in "w.db", "@far/db/far.db":
    db = sqlite3.connect(name)
    db.execute("create table t(x)")
    db.execute("insert into t values(1)")
    db.commit()
    print(db.execute("select * from t").fetchall())
print(compileall.compile_dir("@far/py", quiet=1), len(os.listdir("@far/py/__pycache__")))
""", before="rm -rf @far/db @far/py *.db; mkdir @far/db @far/py; echo x = 1 >@far/py/m.py",
           python=True, has={"fs": {"write": ["@far/db", "@far/py"], "read": None}}),
    Learnt("node: an http server of its own", """\
node -e 'const http = require("http"); const s = http.createServer((q, r) => r.end("served"));
s.listen(0, "127.0.0.1", () => http.get({host: "127.0.0.1", port: s.address().port},
r => r.on("data", d => console.log(String(d))).on("end", () => s.close())))'
""", needs=("node", "bash"), has={"net": {"mode": "loopback"}},
           denied=("echo >/dev/tcp/127.0.0.1/@port",)),
    Learnt("perl and bash: temporary files, here-documents", """\
perl -e 'use File::Temp; my $t = File::Temp->new; print $t 1; open F, "<", "@far/a/x"; print <F>'
bash -c 'cat <<<here; x=$(mktemp -d); echo y >$x/y; mv $x/y .; cat y; rmdir $x'
""", before="mkdir -p @far/a; echo x >@far/a/x", needs=("perl", "bash"),
           has={"fs": {"read": ["@far/a/x"], "write": None}}),
]

for _row in ROWS:
    add_case(f"learn: {_row.name}", lambda place, row=_row: check(place, row), _row.needs)


@case("learn: a secret is told and not granted, but by --secrets")
def secrets(place):
    with outside_tmp(place):
        os.mkdir(place.home + "/.ssh")
        place.write(place.home + "/.ssh/id", "key\n")
        argv = ["/bin/cat", place.home + "/.ssh/id"]
        first, policy = learn(place, argv)
        expect_equal("stdout", b"key\n", first.out)
        expect_text(first, ".ssh/id: a secret that the program has used, and it is not granted")
        expect("read" not in policy["fs"], str(policy))
        expect(under(place, argv).status != 0, "a secret is granted")
        _, policy = learn(place, argv, "--secrets")
        expect_equal("read", ["$HOME/.ssh/id"], policy["fs"]["read"])
        expect_equal("stdout", b"key\n", under(place, argv).out)


@case("learn: HOME, a place of the system and what is in / are not granted as such")
def too_much(place):
    with outside_tmp(place):
        place.fresh({})
        result, policy = learn(place, ["/bin/ls", place.home, "/"])
        expect("read" not in policy["fs"], str(policy))
        expect_text(result, f"{place.home}: something in it was read, and it is not granted")
        for script in f"echo x >{place.home}/x; rm {place.home}/x", f"mkdir {place.far}/x":
            result, policy = learn(place, ["/bin/sh", "-c", script])
            told = "x: this name was made or removed, and that is not granted" in result.err.decode()
            expect_equal(script, "rm" in script, told)
            expect_equal(script, None if told else ["?" + place.far + "/x"],
                         policy["fs"].get("write"))
        for name, argv in (("x", ["/bin/sh", "-c", "echo x >$HOME/x"]),
                           (".gitconfig", ["git", "config", "--global", "user.name", "x"])):
            place.fresh({})
            result, policy = learn(place, argv)
            expect_text(result, f"{place.home}/{name}: it was made, or took the place of another")
            expect_equal(name, ["?$HOME/" + name], policy["fs"]["write"])
            if name == "x":
                expect_status(under(place, argv), 0, "it is there")
                os.unlink(place.home + "/x")
                expect(under(place, argv).status not in (0, 125), "made in HOME")
        script = "import os; os.open(os.environ['HOME'], os.O_TMPFILE | os.O_RDWR)"
        result, policy = learn(place, script_argv(place, None, script))
        expect_text(result, f"{place.home}: something in it was made, changed or removed, and it is")
        expect("write" not in policy["fs"], str(policy))


@contextmanager
def in_tmp(place):
    """The workspace and HOME are in a /tmp, where what is not granted cannot be seen."""
    far = tempfile.mkdtemp(prefix="sandtape-e2e-", dir="/tmp")
    before = place.work, place.home
    place.far, place.work, place.home = far, far + "/work", far + "/home"
    try:
        os.mkdir(place.home)
        yield
    finally:
        place.work, place.home = before
        shutil.rmtree(far, ignore_errors=True)


@case("learn: a workspace in /tmp, and files beside it", needs=("bash",))
def workspace_in_tmp(place):
    with in_tmp(place):
        for row in (
                Learnt("only written", "echo x >new; cat new", before="rm -f new"),
                Learnt("only removed", "rm old; ls", before="echo x >old"),
                Learnt("files beside it", """\
cat @home/cfg @far/a/x @far/a/y; echo x >@far/b/new; x=$(mktemp -d); echo x >$x/x; mv $x/x .; rmdir $x
cd @far/c
""", before="rm -rf @far/[abc]; mkdir @far/a @far/b @far/c; echo c >@home/cfg; echo d >@home/other; echo x >@far/a/x; "
            "echo y >@far/a/y; echo z >@far/b/z",
                       has={"fs": {"read": ["@far/a", "@far/c", "$HOME/cfg"], "write": ["@far/b"]}},
                       denied=("echo x >@far/a/new", "cat @home/other"))):
            check_row(place, row)


@case("learn: a message queue of POSIX is told")
def message_queue(place):
    place.fresh({})
    script = """
name = b"/sandtape-e2e-%d" % os.getpid()
print(libc.mq_open(name, 0o102, 0o600, None) >= 0)
libc.mq_unlink(name)
"""
    result, policy = learn(place, script_argv(place, None, script))
    expect_equal("ipc", "allow", policy["syscalls"]["ipc"])
    expect_text(result, "a message queue of POSIX was opened, and it is not granted")
    expect_equal("under the policy", b"False\n", under(place, script_argv(place, None, script)).out)


# 240 is another call there, of futexes.
FOREIGN = """
import mmap
code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
code.write(bytes.fromhex("b8f0000000cd80c3"))
pid = os.fork()
if pid == 0:
    ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))()
    os._exit(0)
print(os.waitpid(pid, 0)[1])
"""


@case("learn: a 32-bit call is learnt as such, and what such programs use is told not to be")
def foreign(place):
    place.fresh({})
    argv = script_argv(place, None, FOREIGN)
    if place.run(argv).out != b"0\n":
        raise Skipped("32-bit calls cannot be made here")
    result, policy = learn(place, argv)
    expect_equal("foreign_abi", "allow", policy["syscalls"]["foreign_abi"])
    expect_equal("net", "loopback", policy["net"]["mode"])
    expect_text(result, "what 32-bit programs have used is not seen")
    expect(b"queue" not in result.err, short(result.err))
    expect_equal("under the policy", b"0\n", under(place, argv).out)


@case("learn: what makes sockets past the filter gets a policy that can be enforced")
def ways_around(place):
    place.fresh({})
    for group in "io_uring", "foreign_abi":
        _, policy = learn(place, ["/bin/true"], "--allow", group)
        expect_equal(group, ("allow", "loopback"), (policy["syscalls"][group], policy["net"]["mode"]))
        expect_status(under(place, ["/bin/true"]), 0, group)


@case("learn: what cannot be moved under the policy is told")
def apart(place):
    script = "import os, tempfile\nfd, name = tempfile.mkstemp()\nos.rename(name, 'moved')"
    with outside_tmp(place):
        result, _ = learn(place, script_argv(place, None, script))
        expect_text(result, "moved: moved or linked between places that are apart")
        expect(under(place, script_argv(place, None, script)).status != 0, "it was moved")
        os.mkdir(place.far + "/a")
        for name in "x", "y":
            place.write(place.far + "/a/" + name, name)
        result, policy = learn(place, ["/bin/ln", place.far + "/a/x", place.far + "/a/y", "."])
        expect_text(result, f"{place.far}/a/x, and more: moved or linked between")
        expect_equal("read", [place.far + "/a"], policy["fs"].get("read"))
        expect_equal("operations", 4, len(policy["fs"]["operations"]))


@case("learn: a policy that cannot be written is an error", needs=("bash",))
def no_room(place):
    place.fresh({})
    for where in ("2>/dev/full", "2>&-", "-o /dev/full"):
        script = f'"$0" learn {" ".join(KEEP_MARK)} {where} -- /bin/sh -c "echo >ran"'
        expect_status(place.run(["/bin/bash", "-c", script, SANDTAPE]), 125, where)
        expect(place.content("ran") is not None, where)


@case("learn: the status is the program's, and the policy is written and says what was done")
def fails(place):
    with outside_tmp(place):
        place.fresh({})
        argv = ["/bin/sh", "-c", f"mkdir {place.far}/d; cat {place.far}/none; exit 3"]
        result, policy = learn(place, argv, status=3)
        expect_text(result, "the program has failed")
        expect_equal("version", 1, policy["version"])
        expect_equal("-q", b"", place.sandtape("learn", "-q", *KEEP_MARK, "-o", place.policy, "--",
                                               "/bin/false").err)
        result = place.sandtape("learn", *KEEP_MARK, "--", "/bin/sh", "-c", "kill -9 $$")
        expect_status(result, 128 + 9)
        expect_text(result, '"version": 1')


@case("learn: what cannot be: no program, an option, a program that is not there, a file")
def bad_input(place):
    place.fresh({})
    for argv, status, text in (
            (["learn"], 125, "there is no program to run"),
            (["learn", "--what", "--", "true"], 125, "--what"),
            (["learn", "--allow", "x", "--", "true"], 125, "there is no 'x'"),
            (["learn", "--", "./nothing"], 127, "nothing"),
            (["learn", "-o", "no/dir/p.json", "--", "/bin/sh", "-c", "echo >ran"], 125,
             "no/dir/p.json")):
        result = place.sandtape(*argv)
        expect_status(result, status, str(argv))
        expect_text(result, text)
    expect_equal("ran", None, place.content("ran"))


@case("learn: a host that refuses ptrace is told, and nothing runs")
def refused(place):
    place.fresh({})
    around = script_argv(place, None, NO_PTRACE)
    result = place.run([*around, SANDTAPE, "learn", *KEEP_MARK, "-o", "p.json", "--", "/bin/sh",
                        "-c", "echo >ran"])
    expect_status(result, 125)
    expect_text(result, "ptrace")
    expect_equal("ran", None, place.content("ran"))
    place.check_nothing_runs()
