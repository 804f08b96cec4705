"""`sandtape run` in odd places, in itself and under a recording; `sandtape doctor`."""

import json
import os
import shutil
import subprocess

from harness import (SANDTAPE, case, expect, expect_equal, expect_status, expect_text, short)
from sandbox import KEEP_MARK, inside, outside_tmp
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
    for home, status in ((None, 0), ("/none/x", 0), ("", 0)):
        argv = ["env", "-u", "HOME"] if home is None else ["env", "HOME=" + home]
        result = place.run([*argv, SANDTAPE, "run", "--", *TOUCH])
        expect(result.status == status, f"HOME={home!r}: {result.status}: {short(result.err)}")


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


# --- In itself, and under a recording -------------------------------------------------------------


@case("run: nested: works, or says in one sentence why not")
def nested(place):
    argv = [SANDTAPE, "run", "--", "/bin/sh", "-c", "echo ran"]
    place.fresh({})
    granted = ["--write", os.path.dirname(SANDTAPE)]
    result = inside(place, argv, *granted)
    if result.status == 0:
        expect_equal("stdout", b"ran\n", result.out)
    else:
        expect_status(result, 125)
        expect_equal("stderr", 1, result.err.count(b"\n"))


@case("run: under record and replay: works, or says in one sentence why not")
def recorded(place):
    place.fresh({})
    result = place.record([SANDTAPE, "run", "--", "/bin/sh", "-c", "echo ran"], "-q")
    if result.status == 0:
        expect_equal("stdout", b"ran\n", result.out)
    else:
        expect(result.status in (125, 126), f"status {result.status}: {short(result.err)}")
        expect(result.err.count(b"\n") <= 2, short(result.err))


@case("run: record inside works, or says in one sentence why not")
def record_inside(place):
    place.fresh({})
    argv = [SANDTAPE, "record", "-q", "-t", "t.tape", "--", "/bin/sh", "-c", "/bin/echo ran; :"]
    result = inside(place, argv, "--write", os.path.dirname(SANDTAPE))
    if result.status == 0:
        expect_equal("stdout", b"ran\n", result.out)
    else:
        expect(result.status in (125, 126), f"status {result.status}: {short(result.err)}")
        expect(0 < result.err.count(b"\n") <= 2, short(result.err))


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
