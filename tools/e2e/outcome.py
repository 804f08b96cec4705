"""What a test can come to, what a run of a program did, and how two of them are compared."""

import difflib
from dataclasses import dataclass, field, replace
from fnmatch import fnmatch


class Failed(Exception):
    """The message is one line: what differed."""


class Differs(Failed):
    """A recording or a replay did otherwise than the program by itself: may be known."""


class Skipped(Exception):
    """The message says what is missing."""


@dataclass
class Result:
    """What can be seen of a run. Streams are None where nothing can be seen."""

    status: int  # as a shell has it: 128+n for a signal
    out: bytes
    err: bytes
    left: object = None  # of stdin, for whoever shares it: an offset, or bytes
    files: dict = field(default_factory=dict)  # path -> content, of those that are compared


def sort_lines(text):
    return text and b"".join(sorted(text.splitlines(True)))


def comparable(row, result, files):
    """What must be the same in each run of a row: with `any_order` its lines as a set, and but for
    those that it `differs` in, the files that it has left."""
    if row.any_order:
        result = replace(result, out=sort_lines(result.out), err=sort_lines(result.err))
    return replace(result, files={name: content for name, content in files.items()
                                  if not any(fnmatch(name, glob) for glob in row.differs)})


def short(text, most=160):
    if isinstance(text, bytes):
        text = text.decode("utf-8", "backslashreplace")
    text = text.rstrip("\n").replace("\n", "\\n")
    return text if len(text) <= most else text[: most - 4] + " ..."


def first_difference(want, got):
    """One line on how two byte strings differ."""
    if len(want) + len(got) > 200000:
        same = zip(want, got)
        at = next((i for i, (a, b) in enumerate(same) if a != b), min(len(want), len(got)))
        return f"{len(want)} bytes wanted, {len(got)} came; they differ from byte {at} on"
    lines = difflib.unified_diff(
        want.decode("utf-8", "backslashreplace").splitlines(),
        got.decode("utf-8", "backslashreplace").splitlines(),
        lineterm="",
        n=0,
    )
    changes = [short(line, 90) for line in list(lines)[2:] if not line.startswith("@@")]
    return " | ".join(changes[:6]) or "only the line ends differ"


def expect(condition, message):
    if not condition:
        raise Failed(short(message, 600))


def expect_equal(what, want, got):
    if want == got:
        return
    if isinstance(want, bytes) and isinstance(got, bytes):
        raise Failed(f"{what}: {first_difference(want, got)}")
    raise Failed(f"{what}: wanted {short(repr(want))}, got {short(repr(got))}")


def expect_same(what, want, got):
    """Two runs did the same; else Differs."""
    try:
        if want.status != got.status:
            raise Failed(f"{what}: wanted status {want.status}, got {got.status}; "
                         f"stderr: {short(got.err or b'')}")
        for stream in ("out", "err"):
            expect_equal(f"{what}: std{stream}", getattr(want, stream), getattr(got, stream))
        expect_equal(what + ": what is left in stdin", want.left, got.left)
        expect_equal(what + ": files", sorted(want.files), sorted(got.files))
        for name, content in want.files.items():
            expect_equal(f"{what}: {name}", content, got.files[name])
    except Failed as e:
        raise Differs(str(e)) from None


def expect_status(result, status, what="status"):
    expect(result.status == status,
           f"{what}: wanted {status}, got {result.status}; stderr: {short(result.err or b'', 300)}")


def expect_text(result, *texts):
    """stderr has each of the texts."""
    for text in texts:
        expect(text.encode() in result.err,
               f"stderr lacks {text!r}: {short(result.err, 400)}")
