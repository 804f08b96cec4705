"""The manual pages say what there is: each option of each command, and all of the public headers
of the library. What they say of it, a reader has to judge."""

import os
import re

from harness import ROOT, SANDTAPE, case, expect, expect_equal, expect_status

MAN = os.path.join(ROOT, "tools", "man")
HEADERS = ("tape/tape.h", "tape/command.h", "tape/clock.h", "base/error.h",
           "sandbox/sandbox.h", "sandbox/plan.h", "sandbox/denial.h")
COMMANDS = ("record", "replay", "run", "verify", "tape show", "tape stats", "tape check",
            "tape diff", "tape gc", "tape merge", "tape import", "tape migrate", "policy check",
            "policy show", "policy import-oci", "learn", "doctor", "conformance")
SESSION = {"--backend", "--env", "--real", "--root", "--through"}


def read(*parts):
    with open(os.path.join(*parts), encoding="utf-8") as f:
        return f.read()


def options_in(text):
    """Of a page: Fl \\-name is --name, and Fl nq stands for -n and -q."""
    names = set()
    for word in re.findall(r"\bFl (\S+)", text):
        word = word.replace("\\", "")
        names |= {"-" + word} if word.startswith("-") else {"-" + letter for letter in word}
    return names


def options_of(place, command):
    """Of a command, as its help has them: a set of names for each option."""
    shown = place.run([SANDTAPE, *command.split(), "--help"])
    expect_status(shown, 0, command)
    rows = re.findall(r"^ +(?:(-\w), )?(--[\w-]+)", shown.out.decode(), re.M)
    expect(rows, f"{command} --help names no options")
    return [set(row) - {""} for row in rows]


def synopses(page):
    """What the synopsis has of each command; run has two forms."""
    text = page[page.index(".Sh SYNOPSIS"):page.index(".Sh DESCRIPTION")]
    found = {}
    for part in text.split(".Nm\n")[1:]:
        match = re.match(r"\.Cm ([a-z -]+)\n", part)
        if match:
            found[match[1].strip()] = found.get(match[1].strip(), "") + part
    return found


@case("manual: sandtape(1) has each option of each command, and no other")
def options(place):
    page = read(MAN, "sandtape.1")
    listed = options_in("\n".join(re.findall(r"^\.It (Fl .*)$", page, re.M)))
    shown = synopses(page)
    expect_equal("commands of the synopsis", sorted(COMMANDS), sorted(shown))
    every = {"--", "--version"}
    for command in COMMANDS:
        in_synopsis = options_in(shown[command])
        for names in options_of(place, command):
            every |= names
            expect(names <= listed, f"{command}: {names} are not explained")
            session = "session-options" in shown[command] and names & SESSION
            expect(names & in_synopsis or session or "--help" in names,
                   f"{command}: {names} are not in its synopsis")
    expect_equal("options that no command has", set(), options_in(page) - every)


@case("manual: libsandtape(3) has each function, constant and member of the public headers")
def library(_place):
    page = read(MAN, "libsandtape.3")
    code = re.sub(r"/\*.*?\*/", "", "".join(read(ROOT, name) for name in HEADERS), flags=re.S)
    functions = re.findall(r"^(?:TAPE|SANDBOX)_API [^(]*?(\w+)\(", code, re.M)
    expect(len(functions) > 65, f"found only {functions}")
    names = page[page.index(".Sh NAME"):page.index(".Sh LIBRARY")]
    synopsis = page[page.index(".Sh SYNOPSIS"):page.index(".Sh DESCRIPTION")]
    for name in functions:
        expect(re.search(rf"\.Nm {name}\b", names), f"{name} is not in NAME")
        expect(re.search(rf"\.F[no] {name}\b", synopsis), f"{name} is not in SYNOPSIS")
    words = set(re.findall(r"\w+", page[page.index(".Sh DESCRIPTION"):]))
    constants = [name for body in re.findall(r"^enum \w+ \{(.*?)\}", code, re.M | re.S)
                 for name in re.findall(r"\b(?:TAPE|ERR|SANDBOX)_\w+", body)]
    members = [name for body in re.findall(r"^struct \w+ \{(.*?)^\};", code, re.M | re.S)
               for pair in re.findall(r"(\w+)(?:\[\w+\])?;|\(\*(\w+)\)\(", body)
               for name in pair if name]
    expect(len(constants) > 140 and len(members) > 95, f"{len(constants)}, {len(members)}")
    expect_equal("not told of", set(), set(constants + members) - words)


# Pages that are not installed where the tests run, and a section that no list of mandoc's has.
NOT_OURS = re.compile(r"mandoc\.db|referenced manual not found|Sh REPORTS instead of ERRORS")


@case("manual: mandoc has nothing to say of the pages", needs=("mandoc",))
def lint(place):
    for name in sorted(os.listdir(MAN)):
        said = place.run(["mandoc", "-Tlint", "-W", "style", os.path.join(MAN, name)])
        expect_equal(name, [], [line for line in (said.out + said.err).decode().splitlines()
                                if not NOT_OURS.search(line)])
