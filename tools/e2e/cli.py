"""The command line: options, exit statuses, what is printed, and the views of a tape."""

import os
import re
import shutil
import signal
import stat
import struct

from harness import (BUILD, ROOT, SANDTAPE, Skipped, case, expect, expect_equal, expect_same,
                     expect_status, expect_text, find_program)

TRUE = ["/bin/true"]
HELLO = ["/bin/sh", "-c", "uname; exit 3"]

# (name, arguments, status, what standard error must say); @ is a tape of one command.
USAGE_ROWS = [
    ("no command", [], 125, "usage:"),
    ("unknown command", ["dance"], 125, "dance"),
    ("record without -t", ["record", "--", *TRUE], 125, "-t"),
    ("record without a program", ["record", "-t", "@"], 125, "program"),
    ("replay without -t", ["replay", "--", *TRUE], 125, "-t"),
    ("replay without a program", ["replay", "-t", "@"], 125, "program"),
    ("-t without a value", ["record", "-t"], 125, "-t"),
    ("record: unknown option", ["record", "-t", "@", "--dance", "--", *TRUE], 125, "--dance"),
    ("record: unknown letter", ["record", "-t", "@", "-Z", "--", *TRUE], 125, "-Z"),
    ("replay: unknown option", ["replay", "-t", "@", "--dance", "--", *TRUE], 125, "--dance"),
    ("a flag with a value", ["record", "-t", "@", "--quiet=yes", "--", *TRUE], 125, "--quiet"),
    ("verify without -t", ["verify", "--", *TRUE], 125, "-t"),
    ("verify without a program", ["verify", "-t", "@"], 125, "program"),
    ("verify: another fidelity", ["verify", "-t", "@", "--fidelity", "x", "--", *TRUE], 125, "'x'"),
    ("verify: another backend", ["verify", "-t", "@", "--backend", "x", "--", *TRUE], 125, "x"),
    ("tape without a command", ["tape"], 125, "command"),
    ("tape: unknown command", ["tape", "dance"], 125, "dance"),
    ("tape show without a tape", ["tape", "show"], 125, "tape"),
    ("tape show: two tapes", ["tape", "show", "@", "@"], 125, "tape"),
    ("tape show: unknown option", ["tape", "show", "--dance", "@"], 125, "--dance"),
    ("tape show: no such tape", ["tape", "show", "none.tape"], 125, "none.tape"),
    ("tape show: an empty directory", ["tape", "show", "empty"], 125, "not a tape"),
    ("tape show: a file", ["tape", "show", "file"], 125, "not a tape"),
    ("tape check without a tape", ["tape", "check"], 125, "tape"),
    ("tape check: unknown option", ["tape", "check", "--dance", "@"], 125, "--dance"),
    ("tape check: an empty directory", ["tape", "check", "empty"], 125, "not a tape"),
    ("tape check: a file", ["tape", "check", "file"], 125, "not a tape"),
    ("tape diff of one", ["tape", "diff", "@"], 125, "two tapes"),
    ("tape diff of three", ["tape", "diff", "@", "@", "@"], 125, "two tapes"),
    ("tape diff: another fidelity", ["tape", "diff", "--fidelity", "bit", "@", "@"], 125, "bit"),
    ("tape diff: no such tape", ["tape", "diff", "@", "none.tape"], 125, "none.tape"),
    ("tape gc without a tape", ["tape", "gc"], 125, "tape"),
    ("tape gc: a file", ["tape", "gc", "file"], 125, "not a tape"),
    ("tape gc: no such tape", ["tape", "gc", "none.tape"], 125, "none.tape"),
    ("tape merge of one", ["tape", "merge", "new.tape", "@"], 125, "two or more"),
    ("tape merge: no such tape", ["tape", "merge", "new.tape", "@", "none.tape"], 125,
     "none.tape"),
    ("tape import without a tape", ["tape", "import", "harn", "file"], 125, "format"),
    ("tape import: no tape of harn", ["tape", "import", "harn", "file", "new.tape"], 125, "harn"),
    ("tape import: a bad root", ["tape", "import", "--root", "X", "harn", "file", "new.tape"], 125,
     "NAME=DIR"),
    ("tape migrate without a tape", ["tape", "migrate"], 125, "tape"),
    ("tape migrate: a file", ["tape", "migrate", "file"], 125, "not a tape"),
    ("tape stats: a file", ["tape", "stats", "file"], 125, "not a tape"),
    ("policy without a command", ["policy"], 125, "command"),
    ("policy: unknown command", ["policy", "dance"], 125, "dance"),
    ("policy check without a file", ["policy", "check"], 125, "policy"),
    ("policy check: two files", ["policy", "check", "file", "file"], 125, "one file"),
    ("policy check: unknown option", ["policy", "check", "--dance", "file"], 125, "--dance"),
    ("policy check: no such file", ["policy", "check", "none.json"], 125, "none.json"),
    ("policy check: a directory", ["policy", "check", "empty"], 125, "empty"),
    ("policy check: no policy", ["policy", "check", "file"], 1, "file:1"),
    ("policy show: no policy", ["policy", "show", "file"], 125, "file:1"),
    ("policy show: no such file", ["policy", "show", "none.json"], 125, "none.json"),
    ("replay: no such tape", ["replay", "-t", "none.tape", "--", *TRUE], 125,
     "there is no tape none.tape; record it first: sandtape record -t none.tape -- /bin/true"),
    ("run replay: no such tape", ["run", "-t", "none.tape", "--mode", "replay", "--", *TRUE], 125,
     "record it first: sandtape record -t none.tape --"),
    ("verify: no such tape", ["verify", "-t", "none.tape", "--", *TRUE], 125,
     "record it first: sandtape record -t none.tape --"),
    ("replay: an empty directory", ["replay", "-t", "empty", "--", *TRUE], 125, "not a tape"),
    ("replay: a file", ["replay", "-t", "file", "--", *TRUE], 125, "not a tape"),
    ("record: the tape is a file", ["record", "-t", "file", "--", *TRUE], 125, "file"),
    ("record: the directory is missing", ["record", "-t", "none/x.tape", "--", *TRUE], 125, "none"),
    # /proc, because nobody can write there, not even root.
    ("record: an unwritable directory", ["record", "-t", "/proc/x.tape", "--", *TRUE], 125,
     "/proc/x.tape"),
    ("record: a directory that is no tape", ["record", "-t", "full", "--", *TRUE], 125, "full"),
    ("record: --env PATH", ["record", "-t", "@", "--env", "PATH", "--", *TRUE], 125, "PATH"),
    ("replay: --env PATH", ["replay", "-t", "@", "--env=PATH", "--", *TRUE], 125, "PATH"),
    ("record: --env A=1", ["record", "-t", "@", "--env", "A=1", "--", *TRUE], 125, "A=1"),
    ("record: --root without a directory", ["record", "-t", "@", "--root", "X", "--", *TRUE], 125,
     "NAME=DIR"),
    ("record: --root of no directory", ["record", "-t", "@", "--root", "X=/none/x", "--", *TRUE],
     125, "/none/x"),
    ("record: the subject does not exist", ["record", "-t", "@", "--", "./none"], 127, "./none"),
    ("record: the subject is not in PATH", ["record", "-t", "@", "--", "sandtape-none"], 127,
     "sandtape-none"),
    ("record: the subject is not executable", ["record", "-t", "@", "--", "./file"], 126, "./file"),
    ("record: the subject is a directory", ["record", "-t", "@", "--", "./empty"], 126, "./empty"),
    ("replay: the subject does not exist", ["replay", "-t", "@", "--", "./none"], 127, "./none"),
    ("replay: the subject is not executable", ["replay", "-t", "@", "--", "./file"], 126, "./file"),
]


def check_usage(place, words, status, text):
    place.fresh({"file": "not a tape\n", "empty": None, "full/something": "precious\n"})
    expect_status(place.record(HELLO, "-q"), 3, "record")
    result = place.sandtape(*[place.tape if word == "@" else word for word in words])
    expect_status(result, status)
    expect_text(result, text)
    expect_equal("stdout", b"", result.out)
    for line in result.err.splitlines():
        expect(line.startswith((b"sandtape: ", b"usage: ", b"  ", b"'sandtape")) or not line,
               f"a line that does not say whose it is: {line!r}")
    expect_equal("files", ["empty", "file", "full"], sorted(os.listdir(place.work)))


def add_usage_rows():
    for name, words, status, text in USAGE_ROWS:
        case("usage: " + name)(
            lambda place, row=(words, status, text): check_usage(place, *row))


add_usage_rows()


@case("--help and --version")
def help_and_version(place):
    for words in ([], ["record"], ["replay"], ["verify"], ["tape"], ["tape", "show"], ["tape", "stats"],
                  ["tape", "check"], ["tape", "diff"],
                  ["tape", "gc"], ["tape", "merge"],
                  ["tape", "import"], ["tape", "migrate"],
                  ["policy"], ["policy", "check"], ["policy", "show"]):
        for option in ("--help", "-h"):
            result = place.sandtape(*words, option)
            expect_status(result, 0, " ".join([*words, option]))
            expect_equal("stderr", b"", result.err)
            expect(result.out.startswith(b"usage: sandtape"), f"help begins {result.out[:40]!r}")
    for command, options in (("record", "-t --env --through --real --root -q --help"),
                             ("replay", "-t --env --through --real --root -q --all-used")):
        text = place.sandtape(command, "--help").out.decode()
        for option in options.split():
            expect(option in text, f"{command} --help does not tell of {option}")
    result = place.sandtape("--version")
    expect_status(result, 0)
    expect(re.fullmatch(rb"sandtape \d+\.\d+\.\d+\n", result.out), f"--version: {result.out!r}")
    expect_status(place.run([SANDTAPE, "--version"], mode="full"), 125,
                  "--version to a full disk")


@case("what is printed, and -q")
def quiet(place):
    argv = ["/bin/sh", "-c", "uname"]
    result = place.record(argv)
    expect_text(result, "sandtape: recorded 1 command in ")
    expect(all(l.startswith(b"sandtape: ") for l in result.err.splitlines()), f"{result.err!r}")
    expect_text(place.replay(argv), "sandtape: answered 1 command from ")
    for option in ("-q", "--quiet"):
        expect_equal("record " + option, b"", place.record(argv, option).err)
        expect_equal("replay " + option, b"", place.replay(argv, option).err)


@case("the demo")
def demo(place):
    result = place.run([os.path.join(ROOT, "tools", "demo.sh")], mode="merged",
                       env={"BUILD": BUILD, "PATH": os.environ["PATH"]})
    lines = result.out.decode().splitlines()
    expect(result.status == 0, f"status {result.status}: {' | '.join(lines[-3:])}")
    expect(len(lines) < 30, f"{len(lines)} lines")
    seconds = r"[\d.]+ s"
    closing = f"demo: recorded in {seconds}, replayed in {seconds}: {seconds} (saved|more), .*"
    expect(re.fullmatch(closing, lines[-1]), f"the last line is {lines[-1]}")


@case("the options of the subject are its own")
def options_of_subject(place):
    argv = ["/bin/sh", "-c", 'echo "$@"', "sh", "-t", "--help", "--", "-q"]
    result = place.record(argv, "-q")
    expect_equal("stdout", b"-t --help -- -q\n", result.out)
    # Without --, the first word that is no option is the program.
    result = place.sandtape("record", "-q", "-t", place.tape, *argv)
    expect_equal("stdout", b"-t --help -- -q\n", result.out)


@case("tape show --json")
def show_json(place):
    script = ("uname\n(cd sub && sh -c 'cat; echo oops >&2; exit 3' <../in)\n"
              "sh -c 'kill -9 $$'\n./plain\nenv printf '\\377'\nseq 2000 | tail -1\n")
    files = {"s.sh": script, "in": "input\n", "sub": None, "plain": "x"}
    place.fresh(files)
    place.record(["/bin/sh", "s.sh"], "-q")
    units = place.units()
    fields = "id parent argv cwd code signal duration_ns stdout stderr".split()
    for u in units:
        missing = [f for f in fields
                   if f not in u and not (u.get("error") and f.startswith("std"))]
        expect(not missing, f"{u['argv']} lacks {missing}")
    expect(len({u["id"] for u in units}) == len(units), "ids are not unique")
    by_name = {u["argv"][0] + str(len(u["argv"])): u for u in units}

    uname = by_name["uname1"]
    expect_equal("uname", (0, None, "$WORK"), (uname["code"], uname["signal"], uname["cwd"]))
    expect_equal("uname prints", (os.uname().sysname + "\n", "text"),
                 (uname["stdout"], uname["stdout_encoding"]))
    expect(isinstance(uname["duration_ns"], int) and 0 < uname["duration_ns"] < 30e9,
           f"duration_ns is {uname['duration_ns']}")
    first, second = sorted((u for u in units if u["argv"][0] == "sh"), key=lambda u: u["cwd"])
    expect_equal("the signal", (None, "SIGKILL"), (first["code"], first["signal"]))
    expect_equal("below a root", "$WORK/sub", second["cwd"])
    expect_equal("the second sh", (3, None, "input\n", "input\n", "oops\n"),
                 tuple(second[f] for f in ("code", "signal", "stdin", "stdout", "stderr")))
    expect_equal("not executable", "EACCES", by_name["./plain1"].get("error"))
    printf = by_name["env3"]
    expect_equal("bytes", ("/w==", "base64"), (printf["stdout"], printf["stdout_encoding"]))
    expect_equal("a long stream", len("".join(f"{i}\n" for i in range(1, 2001))),
                 len(by_name["seq2"]["stdout"]))


@case("tape show and tape stats")
def show_text(place):
    script = "uname; env printf 'a\\tb\\377'; sh -c 'exit 3'; uname -s"
    place.record(["/bin/sh", "-c", script], "-q")
    result = place.sandtape("tape", "show", place.tape)
    expect_status(result, 0)
    expect_equal("stderr", b"", result.err)
    for text in (b"4 commands", b"uname -s", b"exit 3", b"exit 0", os.uname().sysname.encode()):
        expect(text in result.out, f"tape show lacks {text!r}")
    expect(b"\xff" not in result.out, "tape show prints raw bytes")
    result = place.sandtape("tape", "stats", place.tape)
    expect_status(result, 0)
    rows = {line.split()[0]: line.split()[1:3] for line in result.out.decode().splitlines()}
    expect_equal("stats", (["2", "0"], ["1", "1"], ["4", "1"]),
                 (rows.get("uname"), rows.get("sh"), rows.get("total")))
    expect_status(place.run([SANDTAPE, "tape", "show", place.tape], mode="full"), 125,
                  "tape show to a full disk")


@case("tape show of an empty tape")
def show_empty(place):
    place.record(["/bin/sh", "-c", "exit 0"], "-q")
    expect_equal("units", [], place.units())
    expect_status(place.sandtape("tape", "show", place.tape), 0, "tape show")
    expect_status(place.sandtape("tape", "stats", place.tape), 0, "tape stats")


@case("--env tells commands apart")
def env_option(place):
    argv = ["/bin/sh", "s.sh"]
    files = {"s.sh": 'for v in "$FIRST" "$SECOND"; do V=$v sh -c "echo \\$V"; done\n'}
    usual = {"FIRST": "one", "SECOND": "two"}
    swapped = {"FIRST": "two", "SECOND": "one"}
    place.fresh(files)
    expect_status(place.record(argv, "-q", "--env", "V", "--env=OTHER", env=usual), 0, "record")
    expect_equal("env on the tape", [{"V": "one"}, {"V": "two"}],
                 sorted((u["env"] for u in place.units()), key=str))
    result = place.replay(argv, "-q", env=swapped)
    expect_equal("swapped", b"two\none\n", result.out)
    expect_status(result, 0, "swapped")
    strange = {"FIRST": "one", "SECOND": "three"}
    expect_status(place.replay(argv, "-q", env=strange), 123, "new value")
    # Without --env the variable does not count: first come, first served.
    expect_status(place.record(argv, "-q", env=usual), 0, "record")
    expect_equal("env on the tape", [{}, {}], [u["env"] for u in place.units()])
    expect_equal("without --env", b"one\ntwo\n", place.replay(argv, "-q", env=swapped).out)


@case("PATH never counts")
def path_never_counts(place):
    argv = place.record_script("uname\n")
    more = {"PATH": place.path("elsewhere")}
    expect_status(place.replay(argv, "-q", env=more), 0, "with another PATH")


@case("--root makes a tape portable")
def root_option(place):
    for name in ("data", "moved"):
        os.makedirs(place.path(name))
        with open(place.path(name, "f"), "w", encoding="ascii") as f:
            f.write("content\n")
    argv = ["/bin/sh", "s.sh"]
    place.fresh({"s.sh": 'cat "$DATA/f"; echo "in $DATA"; sh -c "echo $DATA/f"\n'})
    data, moved = place.path("data"), place.path("moved")
    result = place.record(argv, "-q", "--root", f"DATA={data}", env={"DATA": data})
    expect_status(result, 0, "record")
    argvs = [u["argv"][-1] for u in place.units()]
    expect("$DATA/f" in argvs, f"the tape has {argvs}")
    for directory, _, names in os.walk(place.tape):
        for name in names:
            with open(os.path.join(directory, name), "rb") as f:
                expect(data.encode() not in f.read(), f"{name} has a path of this machine")
    result = place.replay(argv, "-q", "--root", f"DATA={moved}", env={"DATA": moved})
    expect_status(result, 0, "replay elsewhere")
    expect_equal("replay elsewhere", f"content\nin {moved}\n{moved}/f\n".encode(), result.out)
    expect_status(place.replay(argv, "-q", env={"DATA": moved}), 123, "replay without --root")


@case("a tape replays in another working directory")
def another_directory(place):
    argv = ["/bin/sh", "s.sh"]
    files = {"s.sh": "pwd; sh -c pwd; (cd sub; sh -c pwd)\n", "sub": None}
    place.fresh(files)
    expect_status(place.record(argv, "-q"), 0, "record")
    old = place.work
    place.work = place.path("moved")
    place.fresh(files)
    result = place.replay(argv, "-q")
    new = place.work
    place.work = old
    expect_status(result, 0, "replay")
    expect_equal("stdout", f"{new}\n{new}\n{new}/sub\n".encode(), result.out)


@case("a record written by hand, without a cwd, answers in any directory")
def by_hand(place):
    shutil.copytree(os.path.join(ROOT, "fixtures", "tapes", "good", "by-hand.tape"), place.tape)
    place.fresh({"s.sh": "(cd sub; ls -l); /bin/false; echo $?\n", "sub": None})
    result = place.replay(["/bin/sh", "s.sh"], "-q", "--all-used", hidden=False)
    expect_status(result, 0)
    expect_equal("stdout", b"total 0\n1\n", result.out)


@case("--through: the children of a launcher are units")
def through_option(place):
    argv = ["/bin/sh", "s.sh"]
    files = {"s.sh": "./launch one\nuname -s\n",
             "launch": ("#!/bin/sh\nuname -m; echo launched $1; ./deeper\n", 0o755),
             "deeper": ("#!/bin/sh\nuname -n\n", 0o755)}

    def recorded(*options):
        place.fresh(files)
        expect_status(place.record(argv, "-q", *options), 0, "record")
        units = sorted(" ".join(u["argv"]) for u in place.units())
        place.fresh(files)
        expect_status(place.replay(argv, "-q", "--all-used", *options), 0, "replay")
        return units

    expect_equal("plain", ["./launch one", "uname -s"], recorded())
    expect_equal("by name", ["./deeper", "uname -m", "uname -s"], recorded("--through", "launch"))
    expect_equal("by glob", ["./deeper", "uname -m", "uname -s"], recorded("--through", "la*h"))
    expect_equal("both", ["uname -m", "uname -n", "uname -s"],
                 recorded("--through", "launch", "--through=deeper"))
    expect_equal("by path", ["./launch one", "uname -s"], recorded("--through", "/bin/launch"))


@case("--real: a command runs for real in replay")
def real_option(place):
    argv = ["/bin/sh", "s.sh"]
    script = "touch made\ncat f\nls\nuname >/dev/null\n"
    place.fresh({"s.sh": script, "f": "then\n"})
    result = place.record(argv, "-q", "--real", "cat", "--real", "l[s]")
    expect_equal("record", b"then\nf\nmade\ns.sh\n", result.out)
    expect_equal("units", [["touch", "made"], ["uname"]], sorted(u["argv"] for u in place.units()))
    place.fresh({"s.sh": script, "f": "now\n"})
    result = place.replay(argv, "-q", "--real", "cat", "--real", "ls", hidden=False)
    expect_status(result, 0, "replay")
    expect_equal("replay", b"now\nf\ns.sh\n", result.out)
    # A tape cannot make anything run.
    result = place.replay(argv, hidden=False)
    expect_status(result, 123, "replay without the options")
    expect_text(result, "recorded with --real 'cat'")


@case("what does not work below a tracer is named", needs=("cc",))
def limits(place):
    place.fresh({"leak.c": "#include <stdlib.h>\nvoid *p;\nint main(void) { p = malloc(7); p = 0; }\n",
                 "trace.c": "#include <sys/ptrace.h>\n"
                            "int main(void) { return ptrace(PTRACE_TRACEME, 0, 0, 0) ? 3 : 0; }\n"})
    for program, flags in (("leak", ["-fsanitize=address"]), ("trace", [])):
        built = place.run(["cc", *flags, "-o", program, program + ".c"])
        if built.status != 0 and flags:
            raise Skipped("no address sanitizer here")
        expect_status(built, 0, "cc")
    os.chmod(os.path.join(place.work, "trace"), 0o755)
    result = place.record(["/bin/sh", "-c", "./trace; ./trace; ./leak"])
    for program in ("trace", "leak"):
        told = [line for line in result.err.splitlines()
                if b"warning" in line and os.path.join(place.work, program).encode() + b" traces" in line]
        expect_equal(f"warnings about {program}", 1, len(told))


@case("a set-user-ID program without its privilege is named", needs=("su",))
def set_user_id(place):
    su = find_program("su")
    if not os.stat(su).st_mode & stat.S_ISUID:
        raise Skipped("su is not set-user-ID here")
    result = place.record(["/bin/sh", "-c", f"{su} --version"])
    warned = b"is set-user-ID" in result.err
    expect_equal("a warning", os.geteuid() != 0, warned)


# As an ordinary user who nevertheless may use this directory.
NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
          "--inh-caps=+dac_override", "--ambient-caps=+dac_override")

# struct vfs_cap_data of <linux/capability.h>: revision 2, effective; CAP_NET_RAW permitted.
NET_RAW = struct.pack("<5I", 0x02000001, 1 << 13, 0, 0, 0)


def set_capabilities(path):
    try:
        os.setxattr(path, "security.capability", NET_RAW)
    except OSError as e:
        raise Skipped(f"no program can be given capabilities here: {e}") from e


@case("a program without its group or its capabilities is named", needs=("setpriv", "true"))
def privileges_of_files(place):
    for name in "group", "plain", "locked", "capable":
        shutil.copy(find_program("true"), place.path("work", name))
    os.chmod(place.path("work", "group"), 0o2755)
    os.chmod(place.path("work", "locked"), 0o2745)
    set_capabilities(place.path("work", "capable"))
    argv = ["/bin/sh", "-c", "./group; ./locked; ./plain; ./capable; ./capable; exit 0"]
    told = [b"/group is set-group-ID", b"/capable has capabilities of its own (setcap)"]
    for within, wanted in ((), []), (NOBODY, told):
        place.within = within
        shutil.rmtree(place.tape, ignore_errors=True)
        result = place.record(argv)
        expect_status(result, 0)
        lines = [line for line in result.err.splitlines() if b"warning" in line]
        expect_equal("warnings", len(wanted), len(lines))
        for words, line in zip(wanted, lines):
            expect(words in line and b"run sandtape as root to keep" in line, line)


PROGRAM_32 = """
.globl _start
_start: mov $4, %eax; mov $1, %ebx; mov $text, %ecx; mov $6, %edx; int $0x80
        mov $1, %eax; mov $5, %ebx; int $0x80
.data
text: .ascii "small\\n"
"""


@case("a 32-bit command is let be, and told", needs=("as", "ld"))
def small(place):
    place.fresh({"s.s": PROGRAM_32})
    for argv in (["as", "--32", "-o", "s.o", "s.s"], ["ld", "-m", "elf_i386", "-o", "s", "s.o"]):
        expect_status(place.run(argv), 0, argv[0])
    argv = ["/bin/sh", "-c", "./s; echo $?; uname >/dev/null; ./s >f; while read x; do echo $x; done <f"]
    native = place.run(argv)
    if native.out != b"small\n5\nsmall\n":
        raise Skipped("32-bit programs do not run here")
    recorded = place.record(argv, "-q")
    expect_equal("stdout", native.out, recorded.out)
    expect_text(recorded, "is a 32-bit program")
    expect_equal("replay", b"5\nsmall\n", place.replay(argv, "-q").out)


@case("replay runs nothing")
def nothing_runs(place):
    script = ("touch relative; /bin/sh -c 'echo x >absolute'; sh -c 'touch through'\n"
              "python3 -c 'open(\"python\", \"w\")' 2>/dev/null; sort f -o sorted\n")
    files = {"s.sh": script, "f": "b\na\n"}
    argv = ["/bin/sh", "s.sh"]
    place.fresh(files)
    expect_status(place.record(argv, "-q"), 0, "record")
    expect("absolute" in os.listdir(place.work), "the recording made no files")
    place.fresh(files)
    expect_status(place.replay(argv, "-q", hidden=False), 0, "replay")
    expect_equal("files after the replay", ["f", "s.sh"], sorted(os.listdir(place.work)))


@case("programs that are not installed are found in replay")
def tools_not_installed(place):
    script = "command -v mytool >/dev/null && mytool a; mytool b | sort\n"
    place.fresh({"s.sh": script})
    os.makedirs(place.path("bin"))
    tool = place.path("bin", "mytool")
    with open(tool, "w", encoding="ascii") as f:
        f.write("#!/bin/sh\necho tool $1\n")
    os.chmod(tool, 0o755)
    argv = ["/bin/sh", "s.sh"]
    path = place.path("bin") + os.pathsep + os.environ["PATH"]
    native = place.run(argv, env={"PATH": path})
    expect_same("record", native, place.record(argv, "-q", env={"PATH": path}))
    os.remove(tool)
    expect_same("replay", native, place.replay(argv, "-q", hidden=False))
    expect_same("replay with nothing in PATH", native, place.replay(argv, "-q"))


@case("a changed script replaces the tape")
def replaced(place):
    place.record_script("uname; seq 3000\n")
    place.record_script("uname -s\n")
    expect_equal("units", [["uname", "-s"]], [u["argv"] for u in place.units()])
    expect_equal("files of the tape", ["blobs", "tape.jsonl", "timing.jsonl"],
                 sorted(set(os.listdir(place.tape)) - {"index"}))


@case("the tape is named with a slash at its end, relative, and from below")
def names_of_tape(place):
    argv = ["/bin/sh", "-c", "uname"]
    os.makedirs(os.path.join(place.work, "sub"))
    expect_status(place.sandtape("record", "-q", "-t", "rel.tape/", "--", *argv), 0, "record")
    expect_status(place.sandtape("replay", "-q", "-trel.tape", "--", *argv), 0, "replay -trel.tape")
    expect_status(place.sandtape("replay", "-q", "--tape=../rel.tape", "--", "/bin/sh", "-c", ":",
                                 cwd=os.path.join(place.work, "sub")), 0, "replay from below")


@case("the subject's descriptors and signals are untouched")
def untouched(place):
    # A trapped signal cannot be set in a shell that ignores it from its start.
    script = ("ls /proc/self/fd | tr '\\n' ' '; trap 'echo pipe' PIPE; kill -PIPE $$\n"
              "trap 'echo chld' CHLD; grep -E '^Sig(Blk|Ign)' /proc/self/status\n"
              "for fd in 3 4 5 6 7 8 9; do [ -e /proc/$$/fd/$fd ] && echo \"fd $fd\"; done; :\n")
    argv = ["/bin/sh", "-c", script]
    native = place.run(argv)
    expect_same("record", native, place.record(argv, "-q"))
    expect_same("replay", native, place.replay(argv, "-q"))


@case("signals sent to the recorder reach the subject")
def forwarded(place):
    argv = ["/bin/sh", "-c", "trap 'echo told; exit 7' TERM; echo up; while :; do sleep 0.05; done"]
    process = place.start([SANDTAPE, "record", "-q", "-t", place.tape, "--", *argv])
    expect_equal("the subject says", b"up\n", process.stdout.readline())
    os.kill(process.pid, signal.SIGTERM)
    out, _ = place.finish(process)
    expect_equal("stdout", b"told\n", out)
    expect_equal("status", 7, process.returncode)
    expect_status(place.sandtape("tape", "show", place.tape), 0, "tape show")


# A file, what it includes, and whether it may.
INCLUDES = [
    ("tape/a.c", "base/error.h", True),
    ("tape/a.c", "tape/intercept/intercept.h", True),
    ("tape/a.c", "tape/intercept/stub/answer.h", True),
    ("tape/a.c", "tape/intercept/stub/engine.h", False),
    ("tape/a.c", "tape/intercept/shim/wire.h", False),
    ("tape/a.c", "tools/tests.h", False),
    ("tape/a_test.c", "tools/tests.h", True),
    ("tape/intercept/a.c", "tape/intercept/shim/wire.h", True),
    ("tape/intercept/a.c", "tape/intercept/shim/shim.h", False),
    ("tape/intercept/a.c", "tape/intercept/preload/preload.h", False),
    ("tape/intercept/a.c", "tape/unit.h", False),
    ("tape/intercept/a_test.c", "tape/scratch_test.h", True),
    ("tape/intercept/shim/a.c", "tape/intercept/stub/engine.h", True),
    ("tape/intercept/shim/a.c", "tape/intercept/server.h", False),
    ("tape/intercept/shim/a.c", "tape/intercept/preload/preload.h", False),
    ("tape/intercept/shim/a.c", "base/error.h", False),
    ("tape/intercept/preload/a.c", "tape/intercept/shim/launch.h", True),
    ("tape/intercept/preload/a.c", "tape/intercept/shim/shim.h", False),
    ("tape/intercept/preload/a.c", "base/fs.h", False),
    ("tape/intercept/stub/a.c", "tape/intercept/shim/wire.h", False),
    ("tools/a.c", "tape/intercept/preload/preload.h", False),
    ("base/a.c", "tape/tape.h", False),
]


@case("who may include whom is held to")
def includes(place):
    for number, (name, target, may) in enumerate(INCLUDES):
        place.fresh({name: f'#include "{target}"\n'})
        result = place.run([os.path.join(ROOT, "tools", "check_includes.sh"), place.work])
        expect_status(result, 0 if may else 1, f"row {number}: {name} includes {target}")
