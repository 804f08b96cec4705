"""The options of `sandtape run`: paths, the default workspace, what it leaves; reports of
failures; what messages say."""

import json
import os
import shutil
import subprocess

from harness import SANDTAPE, add_case, case, expect, expect_equal, expect_status, expect_text
from sandbox import IS_ROOT, KEEP_MARK, inside, outside_tmp


def refused(place, *options, text, **how):
    result = inside(place, ["/bin/echo", "ran"], *options, **how)
    expect_status(result, 125, str(options))
    expect_equal("stdout", b"", result.out)
    expect_equal("lines", 1, result.err.count(b"\n"))
    expect_text(result, text)


# --- Paths ----------------------------------------------------------------------------------------


@case("run: paths: a link that an earlier run could have made is refused")
def planted_link(place):
    with outside_tmp(place):
        os.mkdir(os.path.join(place.far, "other"))
        place.write("plain/f", "x")
        expect_status(inside(place, ["ln", "-s", "../other", "sub"]), 0, "first run")
        for option in ("--write", "--read-only", "--deny"):
            for path in ("sub", "./sub/", os.path.join(place.work, "sub")):
                refused(place, option, path, text="lets programs change the link")
        expect_status(inside(place, ["/bin/true"], "--write", "plain"), 0, "no link")
        other = os.path.join(place.far, "other")
        expect_status(inside(place, ["/bin/ls", other], "--write", other), 0, "named itself")


@case("run: paths: a link that nobody inside can change is followed")
def foreign_link(place):
    with outside_tmp(place):
        os.mkdir(os.path.join(place.far, "other"))
        os.symlink("other", os.path.join(place.far, "link"))
        script = ["/bin/sh", "-c", "echo x >../other/f && cat ../other/f"]
        expect(inside(place, script).status != 0, "control")
        for path in ("../link", "./.././link/", os.path.join(place.far, "link")):
            result = inside(place, script, "--write", path)
            expect_status(result, 0, path)
            expect_equal(path, b"x\n", result.out)


@case("run: paths: '..' is a directory above the working directory, or refused")
def dots(place):
    with outside_tmp(place):
        os.makedirs(os.path.join(place.far, "a", "b"))
        script = ["/bin/sh", "-c", "echo x >../f && cat ../f"]
        cwd = os.path.join(place.far, "a", "b")
        expect(inside(place, script, cwd=cwd).status != 0, "control")
        for path in ("..", "../", "./..", "../../a"):
            expect_status(inside(place, script, "--write", path, cwd=cwd), 0, path)
        for path in ("c/..", "../b/../b", os.path.join(cwd, "..")):
            for option in ("--write", "--read-only", "--deny"):
                refused(place, option, path, text="write where it leads to", cwd=cwd)
        refused(place, "--write", "", text="a path is empty")


@case("run: paths: a relative path is no variable of a policy")
def dollar(place):
    place.fresh({"$HOME/f": "x"})
    script = ["/bin/sh", "-c", "cat './$HOME/f'"]
    expect_equal("control", b"x", inside(place, script).out)
    expect_equal("denied", b"", inside(place, script, "--deny", "$HOME").out)


# --- The default workspace ------------------------------------------------------------------------


@case("run: workspace: a directory of the system is none that nobody has named")
def system_places(place):
    for path in ("/", "/etc", "/usr", "/usr/bin", "/boot", "/dev", "/proc", "/sys", "/sys/kernel",
                 "/var", "/run", "/home"):
        if os.path.realpath(path) != path or not os.access(path, os.X_OK):
            continue
        refused(place, cwd=path, text="say --write " + path)
        refused(place, "--level", "read_only", cwd=path, text="it is the system's")
    place.fresh({})
    policy = place.write("p.json", '{"version": 1}')
    script = ["/bin/sh", "-c", "echo ran"]
    for options in (("--level", "none"), ("--no-sandbox",), ("--strictness", "off"),
                    ("--write", "."), ("--write", "/usr/"), ("--policy", policy)):
        result = inside(place, script, *options, cwd="/usr")
        expect_status(result, 0, str(options))
        expect_equal(str(options), b"ran\n", result.out)


@case("run: workspace: what HOME is in is none, and HOME itself is told")
def home(place):
    with outside_tmp(place):
        env = {"HOME": place.home}
        refused(place, cwd=place.far, env=env, text="your home directory is in it")
        expect_status(inside(place, ["/bin/true"], "--write", ".", cwd=place.far, env=env), 0)
        result = inside(place, ["/bin/true"], cwd=place.home, env=env)
        expect_status(result, 0)
        expect_text(result, "the workspace is your home directory")
        for options in (("-q",), ("--write", "."), ("--level", "none")):
            result = inside(place, ["/bin/true"], *options, cwd=place.home, env=env)
            expect_status(result, 0, str(options))
            expect_equal(str(options), b"", result.err)
        expect_equal("elsewhere", b"", inside(place, ["/bin/true"], env=env).err)


# --- A directory in place of /tmp -----------------------------------------------------------------

FALLBACK = ("run", *KEEP_MARK, "--strictness", "namespaces=off", "--report", "r.json", "--")


def run_with_tmpdir(place, script, setup=":"):
    """As an ordinary user, who cannot do all that root can, and without a mount namespace."""
    tmp = os.path.join(place.far, "t")
    tool = os.path.join(place.far, "sandtape")
    shutil.copy(SANDTAPE, tool)
    for path in (place.far, place.work, place.home, tmp):
        os.makedirs(path, exist_ok=True)
        os.chmod(path, 0o777)
    user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if IS_ROOT else []
    argv = [*user, "/bin/sh", "-c", setup + '; exec "$@"', "sh", tool, *FALLBACK, "/bin/sh", "-c",
            'test "$(dirname "$TMPDIR")" = "$0" || exit 99; cd "$TMPDIR"; ' + script, tmp]
    return place.run(argv, env={"TMPDIR": tmp}), tmp


@case("run: TMPDIR: what is left there goes, whatever modes it has", needs=("setpriv",))
def closed_left(place):
    with outside_tmp(place):
        script = "mkdir -p a/b c && echo x >a/b/f && chmod 555 a/b a && chmod 0 c . && exit 7"
        result, tmp = run_with_tmpdir(place, script)
        expect_status(result, 7)
        expect_equal("stderr", b"", result.err)
        expect_equal("left", [], os.listdir(tmp))


@case("run: TMPDIR: what a killed one left is removed by the next, and what is in use is not")
def killed_left(place):
    with outside_tmp(place):
        tmp = os.path.join(place.far, "t")
        os.mkdir(tmp)
        script = 'echo x >$TMPDIR/f; echo there; exec sleep 60'
        argv = [SANDTAPE, *FALLBACK, "/bin/sh", "-c"]
        two = [place.start([*argv, script], env={"TMPDIR": tmp}) for _ in range(2)]
        for process in two:
            expect_equal("its first line", b"there\n", process.stdout.readline())
        expect_equal("in use", 2, len(os.listdir(tmp)))
        two[0].kill()
        place.finish(two[0])
        result = place.run([*argv, "exit 7"], env={"TMPDIR": tmp})
        expect_status(result, 7)
        left = os.listdir(tmp)
        expect_equal("left", 1, len(left))
        expect(os.path.exists(os.path.join(tmp, left[0], "f")), "the file in use is gone")
        two[1].terminate()
        place.finish(two[1])
        expect_equal("left at the end", [], os.listdir(tmp))


@case("run: TMPDIR: what cannot be removed is told, and the status stays", needs=("setpriv",))
def too_deep(place):
    """More directories in each other than descriptors can be open."""
    with outside_tmp(place):
        script = 'mkdir -p "$(printf "%01200d" 0 | sed "s|0|d/|g")" && exit 7'
        result, tmp = run_with_tmpdir(place, script, setup="ulimit -n 1024")
        subprocess.run(["rm", "-rf", tmp], check=True)
        expect_status(result, 7)
        expect_text(result, "cannot remove")
        expect_equal("lines", 1, result.err.count(b"\n"))
        expect(b'"end": "exit"' in place.content("r.json"), "no report")


# --- Reports of what failed -----------------------------------------------------------------------

FAILURES = {
    "no such program": (127, (), ["no-such-program"]),
    "a program that the policy does not let": (126, ("--deny", "f"), ["./f"]),
    "a root that is missing": (125, ("--write", "none"), ["/bin/true"]),
    "a policy that is none": (125, ("--policy", "f"), ["/bin/true"]),
}


def check_failure(place, status, options, argv):
    place.fresh({"f": ("#!/bin/sh\n", 0o755)})
    for to in ("r.json", "/dev/stdout"):
        result = inside(place, argv, *options, "--report", to)
        expect_status(result, status)
        report = json.loads(result.out if to == "/dev/stdout" else place.content(to))
        want = {"version": 1, "argv": argv, "end": "failed", "status": status}
        expect_equal("report", want, {key: report[key] for key in want})
        expect_equal("keys", {*want, "error"}, set(report))
        expect_text(result, "sandtape: " + report["error"])


for name, row in FAILURES.items():
    add_case("run: report: of " + name, lambda place, row=row: check_failure(place, *row))


@case("run: report: a place that is lost meanwhile costs the report only")
def report_lost(place):
    place.fresh({"d/f": "x"})
    result = inside(place, ["/bin/sh", "-c", "rm -r d; exit 7"], "--report", "d/r.json")
    expect_status(result, 7)
    expect_text(result, "there is no report: ")
    result = inside(place, ["/bin/sh", "-c", "exit 7"], "--report", "/dev/full")
    expect_status(result, 7)
    expect_text(result, "there is no report: ")
    result = inside(place, ["no-such-program"], "--report", "/dev/full")
    expect_status(result, 127)


# --- Messages: one sentence with a way out --------------------------------------------------------

MESSAGES = {
    "a program that is not in PATH": (127, (), "no-such-program", "no directory of PATH has it"),
    "one that the policy does not let": (126, ("--deny", "f"), "./f", "; --write DIR lets"),
    "an unknown network": (125, ("--net", "x"), "/bin/true", "none, loopback, tcp or full"),
    "an unknown level": (125, ("--level", "x"), "/bin/true",
                         "none, read_only, workspace_write, process_exec or network"),
    "an unknown strictness": (125, ("--strictness", "x"), "/bin/true", "enforce, warn or off"),
    "an unknown mechanism": (125, ("--strictness", "x=off"), "/bin/true", "sandtape doctor"),
    "no memory": (125, ("--mem", "0"), "/bin/true", "--mem 0 (none is no limit): "),
    "no time": (125, ("--timeout", "0s"), "/bin/true", "--timeout 0s (none is no limit): "),
    "an unknown unit": (125, ("--timeout", "5x"), "/bin/true", "'5x' is no amount, such as 10m"),
    "a port by name": (125, ("--tcp-connect", "http"), "/bin/true",
                       "sandtape: --tcp-connect: 'http' is no number\n"),
    "a policy with an error": (125, ("--policy", "p.json"), "/bin/true", "sandtape-policy(5)"),
    "no sandbox": (0, ("--no-sandbox",), "/bin/true",
                   "sandtape: --no-sandbox: the program is not restricted\n"),
    "no strictness": (0, ("--strictness", "off"), "/bin/true", "the program is not restricted"),
}


def check_message(place, status, options, program, text):
    place.fresh({"f": ("#!/bin/sh\n", 0o755), "p.json": '{"version": 1, "x": 1}'})
    result = inside(place, [program], *options)
    expect_status(result, status)
    expect_text(result, text)
    expect_equal("lines", 1, result.err.count(b"\n"))
    if status == 0:
        expect_equal("quiet", b"", inside(place, [program], "-q", *options).err)


for name, row in MESSAGES.items():
    add_case("run: message: " + name, lambda place, row=row: check_message(place, *row))


@case("run: message: a working directory that is not to be seen")
def cwd_hidden(place):
    elsewhere = place.path("elsewhere")
    os.mkdir(elsewhere)
    policy = {"version": 1, "fs": {"workspace": [elsewhere]}}
    place.fresh({"p.json": json.dumps(policy)})
    hidden = inside(place, ["/bin/sh", "-c", f"test -e {place.work}"], "--policy", "p.json",
                    cwd="/").status != 0  # below /tmp, which is another one inside
    result = inside(place, ["/bin/pwd"], "--level", "none")
    expect_status(result, 0)
    expect_equal("level none", b"/\n" if hidden else os.fsencode(place.work) + b"\n", result.out)
    expect_equal("told", 1 if hidden else 0, result.err.count(b"begins in /\n"))
    expect_equal("quiet", b"", inside(place, ["/bin/pwd"], "--level", "none", "-q").err)
    result = inside(place, ["/bin/pwd"], "--level", "none", "--write", ".")
    expect_equal("granted", os.fsencode(place.work) + b"\n", result.out)
    expect_equal("granted", b"", result.err)
    result = inside(place, ["/bin/pwd"], "--policy", "p.json")
    expect_status(result, 125 if hidden else 0)
    if hidden:
        expect_text(result, "or grant it by --write")


@case("run: message: the variable that switches it off is told, one that is overruled is not")
def variable_off(place):
    env = {"SANDTAPE_SANDBOX": "off"}
    result = inside(place, ["/bin/true"], env=env)
    expect_equal("off", b"sandtape: SANDTAPE_SANDBOX=off: the program is not restricted\n",
                 result.err)
    result = inside(place, ["/bin/true"], "--strictness", "enforce", env=env)
    expect_equal("overruled", b"", result.err)


@case("run: message: no program, and the help")
def no_program(place):
    result = place.sandtape("run")
    expect_status(result, 125)
    expect_text(result, "there is no program to run: name it behind the options")
    expect_text(result, "usage: sandtape run ")
    expect(b"none|loopback|tcp|full" in place.sandtape("run", "--help").out, "--net")


# --- What can be switched off ---------------------------------------------------------------------


@case("run: without no_new_privs: root is restricted all the same, others are refused")
def new_privileges(place):
    place.write("policy.json", '{"version": 1, "strictness": {"no-new-privs": "off"}}')
    argv = ["/bin/sh", "-c", "grep -E '^(CapBnd|NoNewPrivs|Seccomp):' /proc/self/status"]
    result = inside(place, argv, "--policy", "policy.json")
    if not IS_ROOT:
        expect_status(result, 125)
        expect_text(result, "without no_new_privs")
        return
    expect_status(result, 0)
    expect_equal("status", ["CapBnd:", "0000000000000000", "NoNewPrivs:", "0", "Seccomp:", "2"],
                 result.out.decode().split())
