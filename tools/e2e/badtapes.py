"""Tapes that are damaged or no tapes: one sentence with the file, the place and the way out."""

import ctypes
import os
import shutil

from harness import (ROOT, Skipped, case, expect, expect_equal, expect_status, expect_text, short)

SUBJECT = ["/bin/sh", "-c", "seq 1500; uname -s; exit"]
SAMPLES = os.path.join(ROOT, "fixtures", "tapes", "bad")

# The way out; a sentence has one of these.
WAYS_OUT = ("restore", "record the tape again", "record again", "name a tape", "name another",
            "remove it", "newer sandtape", "make it first", "free some", "raise")


def tape_file(name):
    return lambda tape: os.path.join(tape, name)


def blob_file(tape):
    blobs = os.path.join(tape, "blobs")
    return os.path.join(blobs, sorted(os.listdir(blobs))[0])


TAPE, TIMING = tape_file("tape.jsonl"), tape_file("timing.jsonl")
JOURNAL, BLOBS = tape_file("journal.jsonl"), tape_file("blobs")


def rewrite(which, change):
    """Changes the bytes of a file."""

    def damage(tape):
        path = which(tape)
        with open(path, "rb") as f:
            content = f.read()
        with open(path, "wb") as f:
            f.write(change(content))

    return damage


def lines(change):
    """Changes the list of lines of tape.jsonl."""
    return rewrite(TAPE, lambda content: b"".join(change(content.splitlines(True))))


def line(number, change):
    return lines(lambda all_: all_[: number - 1] + [change(all_[number - 1])] + all_[number:])


def seal(line):
    """The line with the checksum that it should have."""
    try:
        xxhash = ctypes.CDLL("libxxhash.so.0")
    except OSError as e:
        raise Skipped(str(e)) from None
    xxhash.XXH3_64bits.restype = ctypes.c_uint64
    xxhash.XXH3_64bits.argtypes = (ctypes.c_char_p, ctypes.c_size_t)
    body = line[:line.rindex(b',"c":"')]
    return body + b',"c":"%016x"}\n' % xxhash.XXH3_64bits(body, len(body))


def instead(which, make):
    """Something else of that name."""

    def damage(tape):
        path = which(tape)
        if os.path.isdir(path):
            shutil.rmtree(path)
        elif os.path.lexists(path):
            os.remove(path)
        make(path)

    return damage


def link_to(target):
    return lambda path: os.symlink(target, path)


def nothing(_path):
    pass


def empty_file(path):
    with open(path, "wb"):
        pass


def both(*damages):
    def damage(tape):
        for each in damages:
            each(tape)

    return damage


# (what, how, words of the error, what a recording over it says: None when it works)
TAPE_ROWS = [
    ("an empty tape.jsonl", rewrite(TAPE, lambda c: b""), ["tape.jsonl", "empty"], None),
    ("no tape at all", rewrite(TAPE, lambda c: b"hello\n"), ["tape.jsonl: line 1", "not a record"],
     None),
    ("no head", lines(lambda all_: all_[1:]), ["tape.jsonl: line 1", "head"], None),
    ("a second head", lines(lambda all_: all_ + all_[:1]), ["tape.jsonl: line 6", "head"], None),
    ("a changed line", line(3, lambda l: l.replace(b"code", b"Code")),
     ["tape.jsonl: line 3", "checksum"], None),
    ("a cut line in the middle", line(2, lambda l: l[:40] + b"\n"), ["tape.jsonl: line 2"], None),
    ("an empty line", lines(lambda all_: all_[:2] + [b"\n"] + all_[2:]), ["tape.jsonl: line 3"],
     None),
    ("the marks of a merge", lines(lambda all_: all_[:3] + [b"<<<<<<< ours\n"] + all_[3:]),
     ["tape.jsonl: line 4", "merge", "git checkout"], None),
    ("a mark at the end", lines(lambda all_: all_ + [b">>>>>>> theirs"]),
     ["tape.jsonl: line 6", "merge"], None),
    ("CR LF", rewrite(TAPE, lambda c: c.replace(b"\n", b"\r\n")),
     ["tape.jsonl: line 1", "CR LF", "autocrlf"], None),
    ("a byte order mark", rewrite(TAPE, lambda c: b"\xef\xbb\xbf" + c),
     ["tape.jsonl: line 1", "byte order mark"], None),
    ("UTF-16", rewrite(TAPE, lambda c: c.decode().encode("utf-16")), ["tape.jsonl: line 1"], None),
    ("NUL bytes", lines(lambda all_: all_[:2] + [b"\0" * 99 + b"\n"] + all_[2:]),
     ["tape.jsonl: line 3"], None),
    ("invalid UTF-8", line(2, lambda l: l.replace(b"seq", b"s\xffq")), ["tape.jsonl: line 2"],
     None),
    ("a line of 17 MiB", line(2, lambda l: l.replace(b"seq", b"q" * (17 << 20))),
     ["tape.jsonl: line 2", "16 MiB"], None),
    ("a doubled line", lines(lambda all_: all_[:2] + all_[1:]),
     ["tape.jsonl: line 3", "second time"], None),
    ("a missing line", lines(lambda all_: all_[:1] + all_[2:]), ["tape.jsonl: line 2", "spawn"],
     None),
    ("a FIFO as tape.jsonl", instead(TAPE, os.mkfifo), ["tape.jsonl", "not a regular file"],
     None),
    ("a device as tape.jsonl", instead(TAPE, link_to("/dev/zero")),
     ["tape.jsonl", "not a regular file"], None),
    ("a directory as tape.jsonl", instead(TAPE, os.mkdir), ["tape.jsonl", "not a regular file"],
     ["tape.jsonl", "remove it"]),
    ("a dangling link as tape.jsonl", instead(TAPE, link_to("nowhere")),
     ["neither tape.jsonl nor"], ["neither tape.jsonl nor"]),
    ("neither file", instead(TAPE, nothing), ["neither tape.jsonl nor"],
     ["neither tape.jsonl nor"]),
    ("a FIFO as the only journal", both(instead(TAPE, nothing), instead(JOURNAL, os.mkfifo)),
     ["journal.jsonl", "not a regular file"], ["journal.jsonl", "remove it"]),
    ("an empty journal", both(instead(TAPE, nothing), instead(JOURNAL, empty_file)),
     ["journal.jsonl", "empty"], None),
]

# The payload is not what it should be: told when it is used.
BLOB_ROWS = [
    ("a missing blob", instead(blob_file, nothing), ["missing"]),
    ("a blob of other bytes", rewrite(blob_file, lambda c: b"x" + c[1:]), ["SHA-256"]),
    ("a shorter blob", rewrite(blob_file, lambda c: c[:-1]), ["bytes"]),
    ("a longer blob", rewrite(blob_file, lambda c: c + b"x"), ["bytes"]),
    ("an empty blob", rewrite(blob_file, lambda c: b""), ["0 bytes"]),
    ("a FIFO as a blob", instead(blob_file, os.mkfifo), ["not a regular file"]),
    ("a device as a blob", instead(blob_file, link_to("/dev/zero")), ["not a regular file"]),
    ("a directory as a blob", instead(blob_file, os.mkdir), ["not a regular file"]),
    ("no blobs", instead(BLOBS, nothing), ["missing"]),
]

# (what, the path below the case's directory, what is made there, words of the error of a
# recording, of a reader)
PATH_ROWS = [
    ("a file", "x", empty_file, ["not a directory", "name another"],
     ["not a directory"]),
    ("below a file", "f/x.tape", lambda p: empty_file(os.path.dirname(p)),
     ["Not a directory"], ["no tape"]),
    ("a dangling link", "x", link_to("nowhere"), ["link that leads nowhere", "remove it"],
     ["no tape"]),
    ("a loop of links", "x", lambda p: os.symlink(p, p), ["symbolic links"], ["symbolic links"]),
    ("in a missing directory", "a/b/x.tape", nothing, ["a/b", "make it first"], ["no tape"]),
    ("an empty directory", "x", os.mkdir, ["no tape", "name another"], ["not a tape"]),
    ("a long name", "x" * 300, nothing, ["File name too long"], ["File name too long"]),
    ("an unwritable place", "/proc/x.tape", nothing, ["/proc"], ["no tape"]),
]


def check_sentence(what, result, words, way_out=True):
    expect_status(result, 125, what)
    got = [each for each in result.err.split(b"\n") if each]
    expect(len(got) == 1 and got[0].startswith(b"sandtape: "),
           f"{what}: not one sentence: {short(result.err, 400)}")
    expect_text(result, *words)
    expect(not way_out or any(way.encode() in result.err for way in WAYS_OUT),
           f"{what}: no way out: {short(result.err, 400)}")


def make_tape(place):
    expect_status(place.record(SUBJECT, "-q"), 0, "record")


def readings(place, tape):
    return [
        ("tape show", lambda: place.sandtape("tape", "show", "--json", tape)),
        ("tape stats", lambda: place.sandtape("tape", "stats", tape)),
        ("replay", lambda: place.sandtape("replay", "-q", "-t", tape, "--", *SUBJECT)),
    ]


def check_tape_row(place, damage, words, recording):
    make_tape(place)
    damage(place.tape)
    for what, read in readings(place, place.tape):
        result = read()
        check_sentence(what, result, words)
        expect_equal(what + ": stdout", b"", result.out)
    result = place.record(SUBJECT, "-q")
    if recording:
        check_sentence("record", result, recording)
        expect_equal("the subject ran: stdout", b"", result.out)
        return
    expect_status(result, 0, "record over it")
    expect_equal("units", 2, len(place.units()))


def check_blob_row(place, damage, words):
    make_tape(place)
    name = os.path.basename(blob_file(place.tape))
    damage(place.tape)
    for what, read in readings(place, place.tape):
        if what != "tape stats":
            check_sentence(what, read(), [name, *words])
    if os.path.isdir(os.path.join(place.tape, "blobs", name)):
        os.rmdir(os.path.join(place.tape, "blobs", name))
    expect_status(place.record(SUBJECT, "-q"), 0, "record over it")
    expect_equal("units", 2, len(place.units()))


def check_path_row(place, path, make, recording, reading):
    path = os.path.join(place.work, path)
    make(path)
    before = sorted(os.listdir(place.work))
    result = place.sandtape("record", "-q", "-t", path, "--", *SUBJECT)
    check_sentence("record", result, recording, False)
    expect_equal("the subject ran: stdout", b"", result.out)
    for what, read in readings(place, path):
        check_sentence(what, read(), reading, False)
    expect_equal("files", before, sorted(os.listdir(place.work)))


def check_sample(place, name):
    """Those whose fault only a reader of payloads sees are told by `tape show`, too."""
    place.tape = os.path.join(SAMPLES, name)
    result = place.sandtape("tape", "show", "--json", place.tape)
    expect_status(result, 125)
    expect_text(result, name)
    told = [line for line in result.err.splitlines() if b"warning" not in line]
    expect(len(told) == 1, f"not one sentence: {short(result.err, 400)}")
    expect(any(way.encode() in result.err for way in WAYS_OUT), short(result.err, 400))


def add_rows():
    for name, *row in TAPE_ROWS:
        case("bad tape: " + name)(lambda place, row=tuple(row): check_tape_row(place, *row))
    for name, *row in BLOB_ROWS:
        case("bad tape: " + name)(lambda place, row=tuple(row): check_blob_row(place, *row))
    for name, *row in PATH_ROWS:
        case("bad place for a tape: " + name)(
            lambda place, row=tuple(row): check_path_row(place, *row))
    for name in sorted(os.listdir(SAMPLES)):
        case("bad sample: " + name)(lambda place, name=name: check_sample(place, name))


add_rows()
