"""`sandtape run` in odd places, in itself and under a recording; `sandtape doctor`."""

import json
import os
import pwd
import shutil
import subprocess

from harness import (SANDTAPE, Skipped, case, expect, expect_equal, expect_status, expect_text,
                     short)
from sandbox import IS_ROOT, KEEP_MARK, PYTHON, inside, outside_tmp
from sandbox_ends import check_layers

TOUCH = ["/bin/sh", "-c", "echo x >new && cat new && pwd"]

NAMES = (b"a b", b"new\nline", b"\xff\xfe", "\u00e4\u2603".encode(), b"-x", b"quote'\"$", b"n" * 200)


@case("run: places: a workspace with an odd name")
def odd_names(place):
    for name in NAMES:
        path = os.path.join(os.fsencode(place.work), name)
        os.mkdir(path)
        result = inside(place, TOUCH, cwd=path)
        expect_status(result, 0, repr(name))
        expect_equal(repr(name), b"x\n" + path + b"\n", result.out)


@case("run: places: a root with an odd name")
def odd_roots(place):
    with outside_tmp(place):
        for name in NAMES:
            path = os.path.join(os.fsencode(place.far), name)
            os.mkdir(path)
            script = ["/bin/sh", "-c", 'echo x >"$1/new"', "sh", path]
            expect(inside(place, script).status != 0, f"{name!r}: control")
            expect_status(inside(place, script, "--write", path), 0, repr(name))


@case("run: places: a workspace that is a link")
def linked(place):
    with outside_tmp(place):
        link = os.path.join(place.far, "link")
        os.symlink("work", link)
        result = inside(place, TOUCH, cwd=link, env={"PWD": link})
        expect_status(result, 0)
        expect(os.path.exists(os.path.join(place.work, "new")), "it is not there")


@case("run: places: a root that is a link")
def linked_root(place):
    with outside_tmp(place):
        os.mkdir(os.path.join(place.far, "real"))
        link = os.path.join(place.far, "link")
        os.symlink("real", link)
        result = inside(place, ["/bin/sh", "-c", f"echo x >{link}/new"], "--write", link)
        expect_status(result, 0)


@case("run: places: a workspace that is deleted is one sentence")
def deleted(place):
    script = 'mkdir gone && cd gone && rmdir ../gone && exec "$@" -- /bin/true'
    result = place.run(["/bin/sh", "-c", script, "sh", SANDTAPE, "run"])
    expect_status(result, 125)
    expect_equal("lines", 1, result.err.count(b"\n"))


@case("run: places: HOME not set, empty, missing")
def homes(place):
    try:
        own = pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        own = None
    place.write("p.json", '{"version": 1}')
    for home in (None, "", "relative", "/none/x"):
        argv = ["env", "-u", "HOME"] if home is None else ["env", "HOME=" + home]
        result = place.run([*argv, SANDTAPE, "run", "--", *TOUCH])
        expect_status(result, 0, f"HOME={home!r}")
        told = b"" if home == "/none/x" else \
            b"keys and tokens in a home are not denied" if own is None else \
            b"the policy takes %s, of /etc/passwd" % own.encode()
        expect(told in result.err and (told or not result.err),
               f"HOME={home!r}: {short(result.err)}")
        place.run(["rm", "new"])
        # Its secrets are those of the user.
        result = place.run([*argv, SANDTAPE, "policy", "show", "p.json"])
        secrets = home if home == "/none/x" else own
        denied = [root for root in json.loads(result.out)["fs"]["deny"] if "/.npmrc" in root]
        expect_equal(f"HOME={home!r}", [f"?{secrets}/.npmrc"] if secrets else [], denied)


@case("run: places: HOME not set, of a user whom /etc/passwd does not have")
def homeless(place):
    if not IS_ROOT:
        raise Skipped("it takes root to become such a user")
    argv = ["setpriv", "--reuid=54321", "--regid=54321", "--clear-groups", "env", "-u", "HOME",
            SANDTAPE, "run", "--level", "none", "--", "true"]
    if place.run([*argv[:4], "test", "-x", SANDTAPE]).status != 0:
        raise Skipped("others may not execute what is tested")
    result = place.run(argv, cwd="/")
    expect_status(result, 0)
    expect_text(result, "keys and tokens in a home are not denied")


@case("learn: what HOME does not say is told once")
def told_once(place):
    result = place.run(["env", "-u", "HOME", SANDTAPE, "learn", "-o", "p.json", "--", "true"])
    expect_status(result, 0)
    expect_equal("times", 1, result.err.count(b"HOME is no absolute path"))


@case("run: places: TMPDIR not set, missing")
def tmpdirs(place):
    for argv in (["env", "-u", "TMPDIR"], ["env", "TMPDIR=/none/x"]):
        script = "f=$(mktemp) && echo x >$f && cat $f && rm $f"
        result = place.run([*argv, SANDTAPE, "run", "--", "/bin/sh", "-c", script])
        expect_status(result, 0, str(argv))
        expect_equal("stdout", b"x\n", result.out)


@case("run: places: the workspace is HOME")
def at_home(place):
    with outside_tmp(place):
        os.mkdir(os.path.join(place.home, ".ssh"))
        with open(os.path.join(place.home, ".ssh", "id"), "w", encoding="utf-8") as f:
            f.write("key")
        script = ["/bin/sh", "-c", "echo x >new && cat new; cat .ssh/id"]
        expect_equal("control", b"x\nkey", place.run(script, cwd=place.home).out)
        result = inside(place, script, cwd=place.home)
        expect_equal("stdout", b"x\n", result.out)
        expect(result.status != 0, "the key was read")


@case("run: places: the workspace is /, /usr, /tmp, /proc, /dev")
def system_places(place):
    for path in ("/", "/usr", "/tmp", "/proc", "/dev", "/var/tmp"):
        result = inside(place, ["/bin/sh", "-c", "echo ran"], cwd=path)
        expect(result.status in (0, 125), f"{path}: {result.status}: {short(result.err)}")
        expect(result.out == (b"" if result.status else b"ran\n"), f"{path}: {short(result.out)}")
        expect(not result.status or result.err.count(b"\n") == 1, f"{path}: {short(result.err)}")


@case("run: places: the workspace of the level none is not seen")
def level_none(place):
    with outside_tmp(place):
        place.write("f", "x")
        result = inside(place, ["/bin/cat", "f"], "--level", "none")
        expect_status(result, 1)
        expect_equal("stdout", b"", result.out)
        expect_status(inside(place, ["/bin/echo"], "--level", "none"), 0)


@case("run: places: a workspace that cannot be read")
def unreadable(place):
    path = os.path.join(place.work, "closed")
    os.mkdir(path)
    script = f'cd closed && chmod 0 . && exec "$@" -- /bin/true'
    result = place.run(["/bin/sh", "-c", script, "sh", SANDTAPE, "run"])
    os.chmod(path, 0o755)
    expect(result.status in (0, 125), f"status {result.status}")
    expect(result.err.count(b"\n") == (1 if result.status else 0), short(result.err))


@case("run: places: a working directory below a root that is granted")
def below(place):
    with outside_tmp(place):
        os.makedirs(os.path.join(place.work, "a", "b"))
        cwd = os.path.join(place.work, "a", "b")
        script = ["/bin/sh", "-c", "echo x >../../up && cat ../../up"]
        expect(inside(place, script, cwd=cwd).status != 0, "control")
        result = inside(place, script, "--write", place.work, cwd=cwd)
        expect_status(result, 0)
        expect_equal("stdout", b"x\n", result.out)


@case("run: places: 1,000 denied and 1,000 read-only files")
def many_roots(place):
    place.fresh({f"f{n}": "x" for n in range(1000)})
    for option in ("--deny", "--read-only"):
        options = [word for n in range(1000) for word in (option, f"f{n}")]
        script = "for i in 0 500 999; do echo y 2>/dev/null >f$i && echo wrote; done; " \
                 "cat f0 f999 2>/dev/null; echo y >free && cat free"
        result = inside(place, ["/bin/sh", "-c", script], *options)
        expect_status(result, 0, option + ": " + short(result.err))
        expect_equal(option, b"y\n" if option == "--deny" else b"xxy\n", result.out)


@case("run: places: what is in the private /tmp and /dev/shm is gone afterwards")
def private_tmp(place):
    for directory in ("/tmp", "/dev/shm"):
        path = f"{directory}/sandtape-e2e-{place.mark}"
        script = ["/bin/sh", "-c", f"echo x >{path} && cat {path}"]
        result = inside(place, script)
        expect_status(result, 0, directory)
        expect(not os.path.exists(path), path + " is there outside")
        result = inside(place, script, "--strictness", "namespaces=off")
        left = os.path.exists(path)
        if left:
            os.unlink(path)
        expect(result.status != 0 or left, "neither denied nor made")


@case("run: places: roots below /tmp are seen in the private /tmp")
def roots_below_tmp(place):
    place.fresh({"in": "x"})
    os.makedirs(place.path("extra", "deep"))
    script = f"cat in && echo y >{place.path('extra')}/deep/f && cat {place.path('extra')}/deep/f"
    result = inside(place, ["/bin/sh", "-c", script], "--write", place.path("extra"))
    expect_status(result, 0)
    expect_equal("stdout", b"xy\n", result.out)
    expect(os.path.exists(place.path("extra", "deep", "f")), "it is not there outside")


@case("run: places: a read-only root below /tmp is seen there, and cannot be written")
def read_only_below_tmp(place):
    place.fresh({})
    extra = place.path("extra")
    os.makedirs(extra)
    with open(os.path.join(extra, "f"), "w", encoding="ascii") as f:
        f.write("x")
    script = f"cat {extra}/f; echo y >{extra}/f; echo z >{extra}/new; ls {extra}"
    result = inside(place, ["/bin/sh", "-c", script], "--read-only", extra)
    expect_equal("stdout", b"xf\n", result.out)
    expect_equal("refused", 2, result.err.count(b"\n"))
    with open(os.path.join(extra, "f"), encoding="ascii") as f:
        expect_equal("outside", "x", f.read())
    result = inside(place, ["/bin/sh", "-c", script], "--write", extra)
    expect_equal("control", b"xf\nnew\n", result.out)


@case("run: places: python's pty.spawn")
def pty_spawn(place):
    if not PYTHON:
        raise Skipped("there is no python3 in /usr or /opt")
    place.fresh({"s.py": "import pty, sys\n"
                         "script = 'test -t 0 && tty && exit 7'\n"
                         "sys.exit(pty.spawn(['/bin/sh', '-c', script]) >> 8)\n"})
    result = inside(place, [PYTHON, "s.py"])
    expect_status(result, 7)
    expect(result.out.startswith(b"/dev/pts/"), short(result.out))


# --- In itself, and under a recording -------------------------------------------------------------


ITSELF = ("--write", os.path.dirname(SANDTAPE))


def within(argv, *options):
    return [SANDTAPE, "run", *KEEP_MARK, *options, "--", *argv]


def nested_layers(place, name):
    return json.loads(place.content(name))["layers"]


@case("run: nested: two and three deep, and says what is partial")
def nested(place):
    place.fresh({"in": "x"})
    script = ["/bin/sh", "-c", "cat in && echo y >out && echo z >$TMPDIR/f && cat out $TMPDIR/f"]
    result = inside(place, within(script, "--report", "two.json"), *ITSELF)
    expect_status(result, 0)
    expect_equal("stdout", b"xy\nz\n", result.out)
    expect_equal("stderr", b"", result.err)
    result = inside(place, within(within(script, "--report", "three.json"), *ITSELF), *ITSELF)
    expect_status(result, 0)
    expect_equal("stdout", b"xy\nz\n", result.out)
    for name in ("two.json", "three.json"):
        layers = nested_layers(place, name)
        expect_equal(name, "partial", layers["namespaces"]["state"])
        expect_equal(name, "partial", layers["landlock-fs"]["state"])
        expect_equal(name, "enforced", layers["no-new-privs"]["state"])


@case("run: nested: in a sandbox without namespaces, as containers have it")
def nested_in_container(place):
    place.fresh({})
    bare = ("--strictness", "namespaces=off")
    script = ["/bin/sh", "-c", "cat /etc/passwd >/dev/null && echo ran"]
    result = inside(place, within(within(script)), *ITSELF, *bare) if False else \
        inside(place, within(script, "--report", "r.json"), *ITSELF, *bare)
    expect_status(result, 0)
    expect_equal("stdout", b"ran\n", result.out)


@case("run: nested: what the inner one denies and what the outer one denies")
def nested_denials(place):
    place.fresh({"secret": "s", "open": "o", "own": "p"})
    script = ["/bin/sh", "-c", "cat open; cat secret; cat own; echo x >new; :"]
    result = inside(place, within(script, "--deny", place.path("work", "own")),
                    *ITSELF, "--deny", place.path("work", "secret"))
    expect_equal("stdout", b"o", result.out)
    expect_equal("refused", 3, result.err.count(b"ermission denied"))
    result = inside(place, within(script), *ITSELF)
    expect_equal("stdout", b"osp", result.out)
    expect_equal("stderr", b"", result.err)


@case("run: nested: each level inside each")
def nested_levels(place):
    levels = ("none", "read_only", "workspace_write", "process_exec", "network")
    place.fresh({})
    with outside_tmp(place):
        for inner in levels:
            result = inside(place, within(["/bin/echo", "ran"], "--level", inner), *ITSELF)
            expect_status(result, 0, inner)
            expect_equal(inner, b"ran\n", result.out)
        for outer in levels:
            result = inside(place, within(["/bin/echo", "ran"]), "--level", outer, *ITSELF)
            starts = outer in ("process_exec", "network")
            expect_status(result, 0 if starts else 125, outer)
            expect_equal(outer, b"ran\n" if starts else b"", result.out)
            if not starts:
                expect_equal("stderr", 1, result.err.count(b"\n"))
                expect(b"syscalls.processes" in result.err, short(result.err))


@case("run: nested: the lower limit holds")
def nested_limits(place):
    place.fresh({})
    script = ["/bin/sh", "-c", "ulimit -n"]
    result = inside(place, within(script, "--files", "100"), "--files", "200", *ITSELF)
    expect_equal("lower", b"100\n", result.out)
    result = inside(place, within(script, "--files", "300"), "--files", "200", *ITSELF)
    expect_equal("higher", b"200\n", result.out)


@case("run: nested: what a program leaves behind is killed, signals and statuses arrive")
def nested_ends(place):
    place.fresh({})
    result = inside(place, within(["/bin/sh", "-c", "setsid sleep 1000 & exit 7"]), *ITSELF)
    expect_status(result, 7)
    expect(b"left behind" in result.err, short(result.err))
    result = inside(place, within(["/bin/sh", "-c", "kill -TERM $$"]), *ITSELF)
    expect_status(result, 128 + 15)
    result = inside(place, within(["/bin/sh", "-c", "sleep 1000"], "--timeout", "300ms"), *ITSELF)
    expect_status(result, 124)


@case("run: nested: a project whose tests run, record and replay")
def nested_project(place):
    place.fresh({"policy.json": '{"version": 1, "syscalls": {"debug": "allow"}}', "Makefile": f"""
S = {SANDTAPE}
test:
\t$(S) run -- /bin/echo ran
\t$(S) record -q -t a.tape -- /bin/sh -c '/bin/echo taped; :'
\t$(S) replay -q -t a.tape -- /bin/sh -c '/bin/echo taped; :'
\t$(S) run -- /bin/cat a.tape/tape.jsonl >/dev/null
"""})
    result = inside(place, ["make", "-s", "test"], "--policy", "policy.json", *ITSELF)
    expect_status(result, 0)
    expect_equal("stdout", b"ran\ntaped\ntaped\n", result.out)


@case("run: under record and replay: works, or says in one sentence why not")
def recorded(place):
    place.fresh({})
    result = place.record([SANDTAPE, "run", "--", "/bin/sh", "-c", "echo ran"], "-q")
    if result.status == 0:
        expect_equal("stdout", b"ran\n", result.out)
    else:
        expect(result.status in (125, 126), f"status {result.status}: {short(result.err)}")
        expect(result.err.count(b"\n") <= 2, short(result.err))


@case("run: record inside: one sentence that names the ways out, and both work")
def record_inside(place):
    place.fresh({"policy.json": '{"version": 1, "syscalls": {"debug": "allow"}}'})
    argv = ["-q", "-t", "t.tape", "--", "/bin/sh", "-c", "/bin/echo ran; :"]
    result = inside(place, [SANDTAPE, "record", *argv], *ITSELF)
    expect_status(result, 125)
    expect_equal("stderr", 1, result.err.count(b"\n"))
    for way in (b"--backend preload", b"syscalls.debug"):
        expect(way in result.err, short(result.err))
    for outer, inner in ((), ("--backend", "preload")), (("--policy", "policy.json"), ()):
        for command in "record", "replay":
            result = inside(place, [SANDTAPE, command, *inner, *argv], *outer, *ITSELF)
            expect_status(result, 0, command)
            expect_equal(command, b"ran\n", result.out)


@case("run: twenty at once in one workspace")
def at_once(place):
    place.fresh({})
    started = [place.start([SANDTAPE, "run", *KEEP_MARK, "--", "/bin/sh", "-c",
                            f"echo {n} >f{n} && cat f{n}"]) for n in range(20)]
    for n, process in enumerate(started):
        out, err = place.finish(process)
        expect(process.returncode == 0, short(err))
        expect_equal("stdout", b"%d\n" % n, out)


# --- doctor ---------------------------------------------------------------------------------------

MORE = {"user namespace", "mount namespace", "pid namespace", "net namespace", "ipc namespace",
        "uts namespace", "loopback", "tcp ports"}


@case("doctor: as text and as JSON")
def doctor(place):
    text = place.sandtape("doctor")
    expect_status(text, 0)
    expect_equal("stderr", b"", text.err)
    result = place.sandtape("doctor", "--json")
    expect_status(result, 0)
    report = json.loads(result.out)
    check_layers(report["layers"])
    expect_equal("version", 1, report["version"])
    expect_equal("more", MORE, set(report["more"]))
    shown = {line.split()[0]: line.split()[1] for line in text.out.decode().splitlines()
             if len(line.split()) > 1}
    for name, layer in report["layers"].items():
        expect_equal(name, layer["state"], shown.get(name))


@case("doctor: says what a run then reports")
def doctor_is_right(place):
    place.fresh({})
    said = json.loads(place.sandtape("doctor", "--json").out)["layers"]
    inside(place, ["/bin/true"], "--report", "r.json")
    did = json.loads(place.content("r.json"))["layers"]
    for name, layer in said.items():
        expect_equal(name, layer["state"], did[name]["state"])


@case("doctor: in odd places and without variables")
def doctor_places(place):
    for argv in (["env", "-i"], ["env", "-u", "HOME"], ["env", "HOME=/none"], ["env", "PATH="]):
        result = place.run([*map(lambda w: shutil.which(w) or w, argv), SANDTAPE, "doctor"])
        expect_status(result, 0, str(argv))
    expect_status(place.run([SANDTAPE, "doctor"], cwd="/"), 0, "in /")
    script = 'mkdir gone && cd gone && rmdir ../gone && exec "$@"'
    result = place.run(["/bin/sh", "-c", script, "sh", SANDTAPE, "doctor"])
    expect(result.status in (0, 125), f"status {result.status}")
    expect(result.err.count(b"\n") <= 1, short(result.err))


@case("doctor: wrong arguments, and a full disk")
def doctor_wrong(place):
    result = place.sandtape("doctor", "extra")
    expect_status(result, 125)
    expect_text(result, "extra")
    with open("/dev/full", "wb") as full:
        done = subprocess.run([SANDTAPE, "doctor"], stdout=full, stderr=subprocess.PIPE,
                              env=place.env(), timeout=30, check=False)
    expect_equal("status", 125, done.returncode)
