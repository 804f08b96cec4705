"""`sandtape run`: exit statuses, the report, streams, options, and odd places to run in."""

import json
import os
import shutil
import stat
import subprocess
import tempfile
from dataclasses import dataclass, field

from harness import (SANDTAPE, Skipped, add_case, case, expect, expect_equal, expect_status,
                     expect_text, find_program, short)
from sandbox import IS_ROOT, KEEP_MARK, PYTHON, inside, outside_tmp

RUN = [SANDTAPE, "run"]


@dataclass
class Use:
    """`sandtape run ARGS`. @WORK is replaced in them."""

    name: str
    args: tuple
    status: int = 0
    out: bytes = None
    err: str = ""  # stderr has it; of "" nothing is said at all
    files: dict = field(default_factory=dict)
    env: dict = field(default_factory=dict)


def sh(script):
    return ("--", "/bin/sh", "-c", script)


STATUSES = [
    Use("of the program", sh("exit 7"), 7),
    Use("255 of the program", sh("exit 255"), 255),
    Use("125 of the program", sh("exit 125"), 125),
    Use("a signal", sh("kill -9 $$"), 137),
    Use("SIGTERM", sh("kill $$"), 143),
    Use("SIGSEGV", sh("kill -11 $$"), 139),
    Use("no such program", ("--", "no-such-program"), 127, err="no-such-program"),
    Use("no such file", ("--", "./none"), 127, err="./none"),
    Use("a file that is not executable", ("--", "./f"), 126, err="./f", files={"f": "x"}),
    Use("a directory", ("--", "./d"), 126, err="./d", files={"d": None}),
    Use("a script without a loader", ("--", "./f"), 127,
        err="cannot execute ./f: its interpreter /none/sh is not there",
        files={"f": ("#!/none/sh\n", 0o755)}),
    Use("a script of a script without a loader, at the end of a line of Windows", ("--", "./g"), 127,
        err="cannot execute ./g: its interpreter $'/none/sh\\x0d' is not there",
        files={"f": ("#!/none/sh\r\n", 0o755), "g": ("#!./f\n", 0o755)}),
    Use("a script that names no loader is the shell's", ("--", "./f"), 6,
        files={"f": ("exit 6\n", 0o755)}),
    Use("a program that the policy does not let", ("--deny", "@WORK/f", "--", "./f"), 126, err="./f",
        files={"f": ("#!/bin/sh\n", 0o755)}),
    Use("no program", (), 125, err="there is no program to run"),
    Use("an empty name", ("--", ""), 125, err="there is no program"),
    Use("a script of the workspace", ("--", "./f", "a"), 3, out=b"a\n",
        files={"f": ("#!/bin/sh\necho $1; exit 3\n", 0o755)}),
]

# A level below process_exec has no new processes.
NEW_PROCESS = ("--", PYTHON or "python3", "-c", """
import os
try:
    os.waitpid(os.fork() or os._exit(0), 0)
except OSError:
    os._exit(1)
""")

OPTIONS = [
    Use("an unknown option", ("--nonsense", "--", "true"), 125, err="--nonsense"),
    Use("an unknown network", ("--net", "some", "--", "true"), 125, err="--net: there is no 'some'"),
    Use("a port that is none", ("--tcp-connect", "70000", "--", "true"), 125, err="--tcp-connect"),
    Use("a port that is no number", ("--tcp-bind", "http", "--", "true"), 125, err="--tcp-bind"),
    Use("ports with --net full", ("--net", "full", "--tcp-connect", "80", "--", "true"), 125,
        err='ports are for the mode "tcp"'),
    Use("an unknown level", ("--level", "some", "--", "true"), 125, err="there is no 'some'"),
    Use("an unknown group of system calls", ("--allow", "some", "--", "true"), 125,
        err="--allow: there is no 'some': it is processes, foreign_abi, sockets, tty_inject, "
            "namespaces, mount, debug, io_uring, bpf, perf, userfaultfd, keyrings, ipc, handles, "
            "personality, modules, kexec, raw_io, clock, admin, obsolete or setid\n"),
    Use("a group without a name", ("--allow", "", "--", "true"), 125, err="--allow: there is no ''"),
    Use("a key of a policy that is no group", ("--allow", "memory_mb", "--", "true"), 125,
        err="--allow: there is no 'memory_mb'"),
    Use("a group that the level leaves out", ("--level", "workspace_write", *NEW_PROCESS), 1),
    Use("… is allowed", ("--level", "workspace_write", "--allow", "processes", "--allow", "debug",
                         *NEW_PROCESS), 0),
    Use("a size that is none", ("--mem", "much", "--", "true"), 125, err="--mem: 'much'"),
    Use("a negative size", ("--mem", "-1", "--", "true"), 125, err="--mem"),
    Use("no memory at all", ("--mem", "0", "--", "true"), 125, err="--mem"),
    Use("a size beyond all bounds", ("--fsize", "99999999999999999999", "--", "true"), 125,
        err="--fsize"),
    Use("a time that is none", ("--timeout", "1x", "--", "true"), 125, err="--timeout: '1x'"),
    Use("no time at all", ("--timeout", "0", "--", "true"), 125, err="--timeout"),
    Use("a variable without a name", ("--env", "=x", "--", "true"), 125, err="--env"),
    Use("LD_PRELOAD", ("--env", "LD_PRELOAD=x", "--", "true"), 125, err="LD_PRELOAD"),
    Use("a descriptor that is none", ("--keep-fd", "x", "--", "true"), 125, err="--keep-fd"),
    Use("a descriptor that is not open", ("--keep-fd", "77", "--", "/bin/true"), 125,
        err="descriptor 77, which is not open"),
    Use("a mechanism that is none", ("--strictness", "magic=off", "--", "true"), 125,
        err="there is no mechanism 'magic'"),
    Use("a strictness that is none", ("--strictness", "seccomp=maybe", "--", "true"), 125,
        err="there is no 'maybe'"),
    Use("a mechanism is switched off", ("--strictness", "landlock-fs=off", *sh("echo fine")), 0,
        out=b"fine\n"),
    Use("a root that is missing", ("--write", "@WORK/none", "--", "true"), 125, err="none"),
    Use("a denied root that is missing", ("--deny", "@WORK/none", *sh("cat none; exit 0")), 0,
        err="none"),
    Use("the same root as writable and denied", ("--write", "@WORK", "--deny", "@WORK", "--", "true"),
        125, err="@WORK"),
    Use("a policy that is not there", ("--policy", "none.json", "--", "true"), 125,
        err="none.json"),
    Use("a policy with an error", ("--policy", "p.json", "--", "true"), 125, err="p.json:2: ",
        files={"p.json": '{"version": 1,\n "nonsense": 2}\n'}),
    Use("a policy that is cut off", ("--policy", "p.json", "--", "true"), 125, err="p.json",
        files={"p.json": '{"version": 1'}),
    Use("a policy of another version", ("--policy", "p.json", "--", "true"), 125, err="version",
        files={"p.json": '{"version": 2}'}),
    Use("a policy with a level besides", ("--policy", "p.json", "--level", "none", "--", "true"), 125,
        err="--level", files={"p.json": '{"version": 1}'}),
    Use("a policy", ("--policy", "p.json", *sh("cat f; exit 4")), 4, err="f", files={
        "p.json": '{"version": 1, "fs": {"deny": ["$WORK/f"]}}', "f": "x"}),
    Use("the level read_only", ("--level", "read_only", "--", "/bin/cat", "f"), 0, out=b"x",
        files={"f": "x"}),
    Use("SANDTAPE_SANDBOX=off", sh("cat /proc/self/status | grep -c '^NoNewPrivs:.1'"), 1,
        out=b"0\n", err="not restricted", env={"SANDTAPE_SANDBOX": "off"}),
    Use("SANDTAPE_SANDBOX=warn", sh("cat /proc/self/status | grep -c '^NoNewPrivs:.1'"), 0,
        out=b"1\n", env={"SANDTAPE_SANDBOX": "warn"}),
    Use("SANDTAPE_SANDBOX=enforce", sh("grep -c '^NoNewPrivs:.1' /proc/self/status"), 0, out=b"1\n",
        env={"SANDTAPE_SANDBOX": "enforce"}),
    Use("SANDTAPE_SANDBOX=nonsense", ("--", "true"), 125, err="SANDTAPE_SANDBOX",
        env={"SANDTAPE_SANDBOX": "nonsense"}),
    Use("SANDTAPE_SANDBOX, empty", sh("grep -c '^NoNewPrivs:.1' /proc/self/status"), 0, out=b"1\n",
        env={"SANDTAPE_SANDBOX": ""}),
    Use("--no-sandbox", ("--no-sandbox", *sh("grep -c '^NoNewPrivs:.1' /proc/self/status")), 1,
        out=b"0\n", err="not restricted"),
    Use("--no-sandbox with a timeout", ("--no-sandbox", "--timeout", "200ms", "--", "sleep", "20"), 124,
        err="its time was over"),
    Use("--no-sandbox leaves all variables",
        ("-q", "--no-sandbox", *sh("echo $AWS_SECRET_ACCESS_KEY")), 0, out=b"x\n",
        env={"AWS_SECRET_ACCESS_KEY": "x"}),
]

SECRETS = {"AWS_SECRET_ACCESS_KEY": "x", "GITHUB_TOKEN": "x", "MY_API_KEY": "x", "PASSWORD": "x",
           "SSH_AUTH_SOCK": "x", "LD_LIBRARY_PATH": "/none", "BASH_ENV": "/none"}
TELL = "; ".join(f'echo "{name}=${{{name}-unset}}"' for name in SECRETS)

VARIABLES = [
    Use("secrets are gone", sh(TELL), 0, env=SECRETS,
        out="".join(name + "=unset\n" for name in SECRETS).encode()),
    Use("a secret that is named stays", ("--env", "GITHUB_TOKEN", *sh("echo $GITHUB_TOKEN")), 0,
        out=b"x\n", env=SECRETS),
    Use("one is set", ("--env", "NAME=a=b c", *sh('echo "$NAME"')), 0, out=b"a=b c\n"),
    Use("one is set to nothing", ("--env", "HOME=", *sh('echo "${HOME-unset}"')), 0, out=b"\n"),
    Use("one that is named and not set", ("--env", "NONE_SUCH", *sh('echo "${NONE_SUCH-unset}"')), 0,
        out=b"unset\n"),
    Use("the usual ones stay", sh('echo "$LC_ALL $PYTHONDONTWRITEBYTECODE ${PATH:+path}"'), 0,
        out=b"C 1 path\n"),
    Use("a program is looked for in the PATH that is set",
        ("--env", "PATH=@WORK/bin", "--", "only-here"), 0, out=b"here\n",
        files={"bin/only-here": ("#!/bin/sh\necho here\n", 0o755)}),
]


def check_use(place, row):
    place.fresh(row.files)
    args = [a.replace("@WORK", place.work) for a in row.args]
    result = place.sandtape("run", *KEEP_MARK, *args, env=row.env)
    expect_status(result, row.status)
    if row.out is not None:
        expect_equal("stdout", row.out, result.out)
    expect_text(result, row.err.replace("@WORK", place.work))
    expect(row.err or not result.err, "stderr is not empty: " + short(result.err))
    expect(result.err.count(b"\n") <= 2, short(result.err))


for prefix, rows in (("status", STATUSES), ("option", OPTIONS), ("variables", VARIABLES)):
    for r in rows:
        add_case(f"run: {prefix}: {r.name}", lambda place, row=r: check_use(place, row))


# --- The report -----------------------------------------------------------------------------------

MECHANISMS = {"seccomp", "landlock-fs", "landlock-net", "landlock-scope", "namespaces", "capabilities",
              "no-new-privs", "rlimits", "cgroup", "fds", "env", "tty", "proc"}
STATES = {"unused", "off", "unavailable", "partial", "enforced"}


def check_layers(layers):
    expect_equal("mechanisms", MECHANISMS, set(layers))
    for name, layer in layers.items():
        expect(layer["state"] in STATES, f"{name}: {layer}")
        expect(layer["why"] or layer["state"] in ("unused", "off"), f"{name} does not say why")


@dataclass
class Report:
    name: str
    script: str
    end: str
    status: int
    options: tuple = ()
    killed: int = 0


REPORTS = [
    Report("of a program that ends well", "exit 0", "exit", 0),
    Report("of one that fails", "exit 9", "exit", 9),
    Report("of one that a signal ends", "kill -9 $$", "signal", 9),
    Report("of one whose time is over", "sleep 30", "timeout", 9, ("--timeout", "200ms")),
    Report("of one that leaves a process", "sleep 30 >/dev/null 2>&1 & exit 1", "exit", 1, (), 1),
    Report("of no sandbox", "exit 2", "exit", 2, ("--no-sandbox",)),
]


def check_report(place, row):
    place.fresh({})
    inside(place, ["/bin/sh", "-c", row.script], "--report", "r.json", *row.options)
    report = json.loads(place.content("r.json"))
    expect_equal("end", row.end, report["end"])
    if row.end != "timeout":
        expect_equal("status", row.status, report["status"])
    expect_equal("argv", ["/bin/sh", "-c", row.script], report["argv"])
    if row.end != "timeout":
        # In a pid namespace it is the kernel that kills them, and nobody counts.
        expect(report["killed"] in (0, row.killed), f"killed: {report['killed']}")
    expect(0 < report["duration_s"] < 60, f"duration: {report['duration_s']}")
    for key in ("user_s", "system_s", "max_rss_kb"):
        expect(report[key] >= 0, f"{key}: {report[key]}")
    check_layers(report["layers"])
    if "--no-sandbox" in row.options:
        states = {layer["state"] for layer in report["layers"].values()}
        expect(not states & {"partial", "enforced"}, f"no sandbox, and {states}")
    else:
        expect_equal("seccomp", "enforced", report["layers"]["seccomp"]["state"])


for r in REPORTS:
    add_case("run: report: " + r.name, lambda place, row=r: check_report(place, row))


@case("run: report: of arguments that are no UTF-8")
def report_bytes(place):
    place.fresh({})
    expect_status(inside(place, ["/bin/echo", b"\xff"], "--report", "r.json"), 0)
    expect_equal("argv", ["/bin/echo", {"base64": "/w=="}],
                 json.loads(place.content("r.json"))["argv"])
    expect_status(inside(place, [b"/bin/none\xff"], "--report", "r.json"), 127)
    expect_equal("argv", [{"base64": "L2Jpbi9ub25l/w=="}],
                 json.loads(place.content("r.json"))["argv"])


@case("run: report: a directory that is not there stops the run before it begins")
def report_nowhere(place):
    place.fresh({})
    result = inside(place, ["/bin/sh", "-c", "echo ran"], "--report", "none/r.json")
    expect_status(result, 125)
    expect_text(result, "none/r.json")
    expect_equal("stdout", b"", result.out)


@case("run: report: a pipe, a device and a terminal stay what they are")
def report_special(place):
    place.fresh({})
    fifo = os.path.join(place.work, "fifo")
    os.mkfifo(fifo)
    with subprocess.Popen(["cat", fifo], stdout=subprocess.PIPE) as reader:
        result = inside(place, ["/bin/sh", "-c", "exit 3"], "--report", "fifo")
        if not stat.S_ISFIFO(os.stat(fifo).st_mode):
            reader.kill()
        text = reader.communicate(timeout=30)[0]
    expect(stat.S_ISFIFO(os.stat(fifo).st_mode), "the pipe was replaced")
    expect_status(result, 3)
    expect_equal("end", "exit", json.loads(text)["end"])
    os.symlink("/dev/null", os.path.join(place.work, "link"))
    expect_status(inside(place, ["/bin/true"], "--report", "link"), 0)
    expect(os.path.islink(os.path.join(place.work, "link")), "the link to a device was replaced")
    for mode in "pipe", "file":
        result = inside(place, ["/bin/echo", "before"], "--report", "/dev/fd/1", mode=mode)
        expect_status(result, 0, mode)
        expect_equal(mode, "exit", json.loads(result.out.removeprefix(b"before\n"))["end"])


# --- Streams --------------------------------------------------------------------------------------


@case("run: streams: stdin from a pipe, a file, /dev/null, a socket")
def stdin_kinds(place):
    place.fresh({"f": "in a file"})
    for mode, stdin, want in (("pipe", b"piped", b"piped"), ("file", b"filed", b"filed"),
                              ("socket", b"socketed", b"socketed"), ("pipe", None, b""),
                              ("pipe", "f", b"in a file")):
        result = inside(place, ["/bin/cat"], mode=mode, stdin=stdin)
        expect_status(result, 0)
        expect_equal(f"stdin {mode}", want, result.out)


@case("run: streams: what is not read of stdin is left for the next")
def stdin_left(place):
    place.fresh({"f": "one\ntwo\n"})
    for options in ((), ("--timeout", "20s")):
        script = f'"$@" -- /bin/sh -c "read x; echo \\$x"; cat'
        with open(os.path.join(place.work, "f"), "rb") as f:
            done = subprocess.run(["/bin/sh", "-c", script, "sh", *RUN, *options], stdin=f,
                                  stdout=subprocess.PIPE, cwd=place.work, env=place.env(),
                                  timeout=30, check=False)
        expect_equal("stdout", b"one\ntwo\n", done.stdout)


@case("run: streams: all closed")
def all_closed(place):
    place.fresh({})
    script = "import os; r = []\n" + "".join(
        f"try:\n os.fstat({n}); r.append('open')\nexcept OSError: r.append('closed')\n"
        for n in range(3)) + "open('out', 'w').write(' '.join(r))\n"
    native = place.run([PYTHON, "-c", script], mode="closed")
    want = place.content("out")
    result = inside(place, [PYTHON, "-c", script], mode="closed")
    expect_equal("status", native.status, result.status)
    # /dev/null may stand in, as it does for what nobody can tell from outside.
    expect(place.content("out") in (want, b"open open open"), f"{want} became {place.content('out')}")


@case("run: streams: stdout closed by its reader")
def reader_gone(place):
    place.fresh({})
    script = '{ "$@" -- /bin/sh -c "yes; echo \\$? >status"; echo $? >end; } | head -n1'
    done = subprocess.run(["/bin/sh", "-c", script, "sh", *RUN], stdout=subprocess.PIPE,
                          cwd=place.work, env=place.env(), timeout=30, check=False)
    expect_equal("stdout", b"y\n", done.stdout)
    expect(place.content("end") is not None, "no end")


@case("run: streams: 50 MB go through, whole and in order")
def big_output(place):
    place.fresh({"f": ("#!/bin/sh\nseq 6500000\n", 0o755)})
    native = place.run(["./f"], mode="file")
    # Where output has a limit it goes through a pipe of sandtape's.
    for options in ((), ("--policy", "p.json")):
        place.write("p.json", '{"version": 1, "limits": {"output_bytes": 99000000}}')
        result = inside(place, ["./f"], *options, mode="file")
        expect_status(result, 0)
        expect(result.out == native.out, f"{len(result.out)} of {len(native.out)} bytes, {options}")


@case("run: streams: output has a limit")
def output_limit(place):
    place.fresh({"p.json": '{"version": 1, "limits": {"output_bytes": 1000}}'})
    result = inside(place, ["/bin/sh", "-c", "seq 100000; sleep 20"], "--policy", "p.json")
    expect_equal("bytes", 1000, len(result.out))
    expect(result.status >= 128, f"status {result.status}")
    expect_text(result, "it wrote more than it may")


@case("run: streams: stdout and stderr in their order")
def merged_order(place):
    place.fresh({})
    script = "for i in 1 2 3 4 5; do echo o$i; echo e$i >&2; done"
    result = inside(place, ["/bin/sh", "-c", script], mode="merged")
    expect_equal("output", b"".join(b"o%d\ne%d\n" % (i, i) for i in range(1, 6)), result.out)


@case("run: a set-user-id program gains nothing")
def set_user_id(place):
    """Root makes a copy of id that is root's, and another user runs it."""
    if not IS_ROOT:
        raise Skipped("only root can make one")
    with outside_tmp(place):
        os.chmod(place.far, 0o755)
        os.chmod(place.work, 0o777)
        copy = os.path.join(place.work, "id")
        shutil.copy(find_program("id"), copy)
        os.chmod(copy, 0o4755)
        tool = os.path.join(place.far, "sandtape")
        shutil.copy(SANDTAPE, tool)
        user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        expect_equal("outside", b"0\n", place.run([*user, copy, "-u"]).out)
        result = place.run([*user, tool, "run", *KEEP_MARK, "--", copy, "-u"])
        expect_equal("inside", b"65534\n", result.out)


@case("run: a descriptor that is not kept is closed, one that is stays")
def descriptors(place):
    place.fresh({"f": "planted"})
    script = 'exec 9<f; exec "$@" -- /bin/cat /proc/self/fd/9'
    for options, status in (((), 1), (("--keep-fd", "9"), 0), (("--no-sandbox",), 0)):
        result = place.run(["/bin/sh", "-c", script, "sh", *RUN, *KEEP_MARK, *options])
        expect_status(result, status, str(options))
        expect_equal("stdout", b"" if status else b"planted", result.out)


# As sandtape-policy(5) has it: they are those over the sandbox's own user namespace.
@case("run: capabilities of an ordinary user hold in the sandbox alone")
def own_capabilities(place):
    with tempfile.TemporaryDirectory(prefix="sandtape-e2e-", dir="/var/tmp") as work:
        os.chmod(work, 0o755)
        argv = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if IS_ROOT else []
        if place.run([*argv, "test", "-x", SANDTAPE]).status != 0:
            raise Skipped("others may not execute what is tested")
        script = ("sed -n 's/^CapEff:[\t0]*//p' /proc/self/status; "
                  "cat /etc/shadow >/dev/null 2>&1 && echo read")
        for names, expected in (([], b"\n"), (["dac_override", "net_admin"], b"1002\n")):
            with open(os.path.join(work, "p.json"), "w", encoding="utf-8") as f:
                json.dump({"version": 1, "level": "process_exec", "capabilities": names,
                           "fs": {"workspace": [], "read": ["/etc/shadow", work]}}, f)
            result = place.run([*argv, SANDTAPE, "run", "--policy", "p.json", "--", "/bin/sh", "-c",
                                script], cwd=work)
            if b"namespace" in result.err:
                raise Skipped("no user namespace can be made here: " + short(result.err))
            expect_equal(f"{names}", expected, result.out)
