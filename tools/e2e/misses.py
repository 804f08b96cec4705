"""Replays that ask for what is not on the tape: status 123, whatever the subject makes of it."""

import json
import os

from harness import case, expect, expect_equal, expect_status, expect_text, find_program

ARGV = ["/bin/sh", "s.sh"]
RECORDED = "uname -s >/dev/null\necho 'a b' | sort\nuname -s\n"

# (name, the script at replay, what standard error must say)
MISS_ROWS = [
    ("changed argv", RECORDED.replace("uname -s\n", "uname -m\n"), ["uname -m", "uname -s"]),
    ("another program", RECORDED.replace("sort", "tac"), ["tac"]),
    ("an extra call", RECORDED + "uname -s\n", ["uname -s"]),
    ("changed cwd", RECORDED.replace("uname -s >", "cd sub; uname -s >"), ["uname -s", "sub"]),
    ("the subject ignores it", "uname -x || :\n" + RECORDED + "exit 0\n", ["uname -x"]),
    ("the subject fails with it", "uname -x || exit 5\n", ["uname -x"]),
    ("the subject dies with it", "uname -x; kill -9 $$\n", ["uname -x"]),
    ("in the background", "uname -x & wait\n", ["uname -x"]),
    ("in a pipeline", "yes x | head -1; exit 0\n", ["yes x", "head -1"]),
    ("arguments with spaces and quotes", "uname 'a b' \"it's\"\n", ["'a b'"]),
]


def check_miss(place, script, texts):
    place.fresh({"s.sh": RECORDED, "sub": None})
    expect_status(place.record(ARGV, "-q"), 0, "record")
    for quiet in ([], ["-q"]):
        place.fresh({"s.sh": script, "sub": None})
        # Not hidden: a shell does not even try what it does not find.
        result = place.replay(ARGV, *quiet, hidden=False)
        expect_status(result, 123, f"replay {' '.join(quiet)}")
        expect_text(result, *texts, "sandtape record -t " + place.tape, "/bin/sh s.sh")


def add_miss_rows():
    for name, script, texts in MISS_ROWS:
        case("miss: " + name)(lambda place, row=(script, texts): check_miss(place, *row))


add_miss_rows()


@case("miss: nothing runs in its place")
def nothing_in_its_place(place):
    place.fresh({"s.sh": RECORDED})
    expect_status(place.record(ARGV, "-q"), 0, "record")
    place.write("s.sh", "touch made; /bin/sh -c 'echo >made'; echo $?\n")
    result = place.replay(ARGV, "-q", hidden=False)
    expect_status(result, 123)
    expect_equal("files", ["s.sh"], os.listdir(place.work))


@case("miss: how to record again has the options, and quotes")
def advice(place):
    argv = ["/bin/sh", "s.sh", "a b", "it's"]
    options = ["--through", "my launch*", "--env", "V"]
    place.fresh({"s.sh": "uname -s\n"})
    expect_status(place.record(argv, "-q", *options), 0, "record")
    place.write("s.sh", "uname -m\n")
    result = place.replay(argv, *options)
    expect_status(result, 123)
    lines = [l for l in result.err.decode().splitlines() if "sandtape record " in l]
    expect(len(lines) == 1, f"{len(lines)} lines tell how to record again")
    command = lines[0][lines[0].index("sandtape record ") + len("sandtape "):]
    # The advice, given to a shell, must be the words that recorded.
    said = place.run(["/bin/sh", "-c", "printf '%s\\n' " + command]).out.decode().splitlines()
    expect(said[said.index("--") + 1:] == argv, f"the advice is: {command}")
    for word in options:
        expect(word in said, f"the advice lacks {word}: {command}")


@case("miss: it says which record is nearest")
def nearest(place):
    argv = place.record_script("git-none --version; sort -k 2 -r /dev/null; uname -s\n")
    place.write("s.sh", "sort -k 3 -r /dev/null\n")
    result = place.replay(argv)
    expect_status(result, 123)
    expect_text(result, "sort -k 2 -r", "argv[2]", "recorded 2", "now      3")


@case("miss: another question over a socket above 2")
def another_question(place):
    script = """
import os, socket, subprocess, sys
ours, theirs = socket.socketpair()
fd = theirs.fileno()
p = subprocess.Popen(["sh", "-c", f"read -r l <&{fd}; echo $l"], pass_fds=[fd],
                     stdout=subprocess.PIPE)
ours.sendall(sys.argv[1].encode() + b"\\n")
print(p.communicate()[0], p.returncode)
"""
    python = find_program("python3")
    place.fresh({"s.py": script})
    expect_status(place.record([python, "s.py", "one"], "-q"), 0, "record")
    expect_status(place.replay([python, "s.py", "one"], "-q"), 0, "replay")
    result = place.replay([python, "s.py", "two"])
    expect_status(result, 123)
    expect_text(result, "descriptor 4")
    expect_equal("stdout", b"b'' 123\n", result.out)


@case("a warning tells that descriptors were passed", ["python3"])
def passed(place):
    script = """
import array, os, socket, subprocess, sys
code = '''
import array, os, socket, sys
ours = socket.socket(fileno=int(sys.argv[1]))
fds = array.array("i", [os.open("/dev/null", os.O_RDONLY)])
for _ in range(2):
    ours.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)])
'''
ours, theirs = socket.socketpair()
p = subprocess.Popen([sys.executable, "-c", code, str(theirs.fileno())], pass_fds=[theirs.fileno()])
theirs.close()
print(ours.recvmsg(2, 100)[0], p.wait())
"""
    place.fresh({"s.py": script})
    result = place.record([find_program("python3"), "s.py"])
    expect_status(result, 0)
    expect_equal("warnings", 1, result.err.count(b"(SCM_RIGHTS)"))


@case("records left unused, and --all-used")
def unused(place):
    argv = place.record_script("uname -s; uname -m; uname -n\n")
    place.write("s.sh", "uname -s; exit 4\n")
    result = place.replay(argv)
    expect_status(result, 4, "replay")
    expect_text(result, "2 records", "not asked for")
    result = place.replay(argv, "--all-used")
    expect_status(result, 123, "replay --all-used")
    expect_text(result, "2 records")
    place.write("s.sh", "uname -n; uname -m; uname -s\n")
    expect_status(place.replay(argv, "-q", "--all-used"), 0, "in another order")


@case("first in, first out within one key")
def fifo(place):
    argv = place.record_script(
        "for i in 1 2 3; do echo $i >n; sh -c 'read -r x <n; echo $x'; done\n")
    result = place.replay(argv, "-q", "--all-used")
    expect_status(result, 0)
    expect_equal("stdout", b"1\n2\n3\n", result.out)


@case("miss: in one of many threads")
def in_a_thread(place):
    script = """
import subprocess, sys
from concurrent.futures import ThreadPoolExecutor
def one(i):
    return subprocess.run(["sh", "-c", f"echo {i}"], stdout=subprocess.PIPE).stdout
with ThreadPoolExecutor(8) as pool:
    print(len(list(pool.map(one, range(int(sys.argv[1]))))))
"""
    python = find_program("python3")
    place.fresh({"s.py": script})
    expect_status(place.record([python, "s.py", "16"], "-q"), 0, "record")
    result = place.replay([python, "s.py", "17"])
    expect_status(result, 123)
    expect_text(result, "echo 16")
    expect_equal("stdout", b"17\n", result.out)


def read_report(place, name="report.json"):
    with open(os.path.join(place.work, name), encoding="utf-8") as f:
        return json.load(f)


@case("report: what did not agree, as JSON")
def report(place):
    argv = place.record_script("uname -s; sort -k 2 /dev/null; echo one | wc -c; uname -n\n")
    place.write("s.sh", "uname -s; sort -k 3 /dev/null; echo two | wc -c; exit 7\n")
    result = place.replay(argv, "-q", "--report", "report.json")
    expect_status(result, 123)
    told = read_report(place)
    expect_equal("tape", place.tape, told["tape"])
    expect_equal("command", argv, told["command"])
    expect_equal("status", 7, told["code"])
    expect_equal("numbers", (1, 2, 2), (told["answered"], told["diverged"], told["not_asked_for"]))
    expect_equal("kinds", ["no_record", "input"], [d["kind"] for d in told["divergences"]])
    sort, wc = told["divergences"]
    expect_equal("last that agreed", ["uname", "-s"], wc["last"]["argv"])
    expect_equal("argv", ["sort", "-k", "3", "/dev/null"], sort["argv"])
    expect_equal("differences", [{"field": "argv[2]", "recorded": "2", "now": "3"}],
                 sort["nearest"][0]["differences"])
    expect_equal("last", ["uname", "-s"], sort["last"]["argv"])
    expect_equal("stdin", (0, "one\n", "two\n"), (wc["offset"], wc["recorded"], wc["now"]))
    ids = {u["id"]: u["argv"] for u in place.units()}
    expect_equal("unused", [["sort", "-k", "2", "/dev/null"], ["uname", "-n"]],
                 [ids[i] for i in told["unused"]])
    expect(told["record_again"].startswith("sandtape record -t "), told["record_again"])


@case("report: also of a replay that agrees, and on a pipe")
def report_of_nothing(place):
    argv = place.record_script("uname -s\n")
    expect_status(place.replay(argv, "-q", "--report", "report.json"), 0)
    expect_equal("divergences", [], read_report(place)["divergences"])
    result = place.replay(argv, "-q", "--report", "/dev/stderr")
    expect_status(result, 0)
    expect_equal("answered", 1, json.loads(result.err)["answered"])


@case("report: where it cannot be written nothing runs")
def report_unwritable(place):
    argv = place.record_script("uname -s\n")
    place.write("s.sh", "uname -s; echo >ran\n")
    result = place.replay(argv, "--report", "no/report.json")
    expect_status(result, 125)
    expect_text(result, "no/report.json")
    expect(not os.path.exists(os.path.join(place.work, "ran")), "it ran")


# (script at replay; --order; status; what standard error says)
ORDER_SCRIPT = "uname -s; uname -m; uname -n\n"
ORDER_ROWS = [
    ("as recorded", ORDER_SCRIPT, "strict", 0, []),
    ("another order", "uname -m; uname -s; uname -n\n", "strict", 123,
     ["out of the recorded order", "uname -m", "the one that was to come"]),
    ("one is left out", "uname -s; uname -n\n", "strict", 123, ["out of the recorded order"]),
    ("the last is left out", "uname -s; uname -m\n", "strict", 0, []),
    ("another order", "uname -m; uname -s; uname -n\n", "causal", 0, []),
    ("another order", "uname -n; uname -s; uname -m\n", "any", 0, []),
    ("another command", "uname -r\n", "any", 123, ["no record for this command"]),
]


def check_order(place, script, order, status, texts):
    argv = place.record_script(ORDER_SCRIPT)
    place.write("s.sh", script)
    result = place.replay(argv, "-q", "--order", order)
    expect_status(result, status)
    expect_text(result, *texts)


for _name, *_row in ORDER_ROWS:
    case(f"order {_row[1]}: {_name}")(lambda place, row=_row: check_order(place, *row))


@case("order: a wrong word")
def wrong_order(place):
    argv = place.record_script("uname -s\n")
    result = place.replay(argv, "--order", "random")
    expect_status(result, 125)
    expect_text(result, "strict, causal or any", "random")
