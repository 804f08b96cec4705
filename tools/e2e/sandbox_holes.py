"""Ways around the sandbox that are known: each is tried, by itself with success, and inside in vain.
SECURITY.md has a table of them, and what it names must be there."""

import glob
import json
import os
import re
import tempfile
from contextlib import ExitStack
from dataclasses import replace

from harness import (CASES, ROOT, SANDTAPE, Skipped, add_case, case, expect, expect_equal,
                     expect_status, short)
from sandbox import IS_ROOT, KEEP_MARK, PYTHON, inside, outside_tmp, script_argv
from sandbox_denials import (ROOT_NAMES, Denial, add_denials, bad_call, check_denial, serve_unix)

# --- Calls ----------------------------------------------------------------------------------------

# getpid of 32-bit programs, in a process of its own: a kernel without such calls ends it.
INT80 = """
import mmap
def int80():
    code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    code.write(bytes.fromhex("b814000000cd80c3"))
    start = ctypes.addressof(ctypes.c_char.from_buffer(code))
    ends, starts = os.pipe()
    pid = os.fork()
    if pid == 0:
        got = ctypes.CFUNCTYPE(ctypes.c_int)(start)()
        os.write(starts, b"done" if got == os.getpid() else errno.errorcode[-got].encode())
        os._exit(0)
    os.close(starts)
    said = os.read(ends, 100).decode()
    os.waitpid(pid, 0)
    return said or "there is none"
"""

# A ring with one OP_SOCKET: what it makes no rule on socket(2) sees.
RING = """
import mmap, struct
def ring_socket(family):
    params = bytearray(120)
    fd = libc.syscall(425, 4, (ctypes.c_char * 120).from_buffer(params))
    if fd < 0:
        raise OSError(ctypes.get_errno(), "")
    sq, cq = struct.unpack_from("10I", params, 40), struct.unpack_from("10I", params, 80)
    ring = mmap.mmap(fd, max(sq[6] + 16, cq[5] + 16 * 8 + 64), offset=0)
    entries = mmap.mmap(fd, 64 * 4, offset=0x10000000)
    entries[0:64] = struct.pack("<BBHiQQIIQ", 45, 0, 0, family, socket.SOCK_STREAM, 0, 0, 0, 7) \\
        .ljust(64, b"\\0")
    struct.pack_into("I", ring, sq[6], 0)
    struct.pack_into("I", ring, sq[1], 1)
    if libc.syscall(426, fd, 1, 1, 1, None, 0) < 0:
        raise OSError(ctypes.get_errno(), "")
    data, result = struct.unpack_from("<Qi", ring, cq[5])
    if data != 7 or result < 0:
        raise OSError(-result if data == 7 else errno.EIO, "")
    return socket.socket(fileno=result).family == family
"""

CALL_ROWS = [
    Denial("a call of 32-bit programs", "int80()", "EPERM|ENOSYS", before=INT80, want="done",
           missing="there is none"),
    bad_call("getpid of x32 programs", "0x40000000 | 39", "done|ENOSYS"),
    Denial("a socket by io_uring", "ring_socket(socket.AF_INET)", "ENOSYS|EPERM", before=RING,
           want="True", missing="ENOSYS|EPERM|EINVAL"),
    bad_call("io_uring_register", "427, -1, 0, None, 0", "EINVAL|EBADF", missing="ENOSYS"),
    bad_call("clone3", "435, None, 0", "EINVAL", missing="ENOSYS"),
    bad_call("clone, of users", "56, 0x10000800, None, None, None, None", "EINVAL"),
    bad_call("clone, of networks", "56, 0x40000800, None, None, None, None", "EINVAL"),
    bad_call("open_tree_attr", "467, -1, None, 0, None, 0", "EINVAL|EFAULT", missing="ENOSYS"),
    bad_call("fsconfig", "431, -1, 0, None, None, 0", "EINVAL", missing="ENOSYS"),
    bad_call("fsmount", "432, -1, 0, 0", "EBADF", root=True, missing="ENOSYS"),
    bad_call("fspick", "433, -1, None, 0", "EFAULT", root=True, missing="ENOSYS"),
    bad_call("kexec_file_load", "320, -1, -1, 0, None, 0", "EBADF|EINVAL", root=True,
             missing="ENOSYS|EPERM"),
    bad_call("finit_module", "313, -1, None, 0", "EBADF|EFAULT", root=True, missing="ENOSYS"),
    bad_call("delete_module", "176, None, 0", "EFAULT", root=True, missing="ENOSYS"),
    bad_call("request_key", "249, None, None, None, 0", "EFAULT", missing="ENOSYS"),
    # Without a session keyring of its own the caller has nothing to give away.
    bad_call("keyctl, a session to the parent", "250, 18", "done|EPERM|ENOKEY|ENOTSUP",
             missing="ENOSYS", before="pid = os.fork()\nif pid:\n    os.waitpid(pid, 0)\n"
             "    os._exit(0)\n"),
    bad_call("semget", "64, 0, 0, 0", "EINVAL", missing="ENOSYS"),
    bad_call("userfaultfd, of what users do", "323, 1", "done", missing="ENOSYS|EPERM"),
    bad_call("personality, without random addresses", "135, 0x0040000", "done"),
    bad_call("personality, that makes memory executable", "135, 0x0400000", "done"),
    Denial("a file by its handle",
           "call(304, os.open('@HOME', os.O_RDONLY), handle('@HOME/secret'), 0)",
           "EPERM|EACCES", root=True, options=("--read-only", "@HOME"), before="""
def handle(path):
    got, mount = (ctypes.c_uint * 34)(128), ctypes.c_int()
    call(303, -100, path.encode(), got, ctypes.byref(mount), 0)
    return got
""", missing="EOPNOTSUPP|ENOTSUP"),
    Denial("shared memory of System V", "shm()", "ENOSYS|EPERM", missing="ENOSYS", before="""
def shm():
    number = libc.shmget(0, 4096, 0o1600)
    if number < 0:
        raise OSError(ctypes.get_errno(), "")
    libc.shmctl(number, 0, None)
    return "done"
"""),
    Denial("a message queue of POSIX", "queue()", "ENOSYS|EPERM", missing="ENOSYS", before="""
def queue():
    name = f"sandtape-e2e-{os.getpid()}".encode()
    if libc.syscall(240, name, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600, None) < 0:
        raise OSError(ctypes.get_errno(), "")
    return call(241, name)
"""),
]

# --- Sockets --------------------------------------------------------------------------------------

NO_KIND = "EACCES|EAFNOSUPPORT|EPERM"
TO_OTHER = ("--tcp-connect", "@OTHER")


def odd_socket(name, arguments, missing="EAFNOSUPPORT|EPROTONOSUPPORT|ESOCKTNOSUPPORT", **more):
    return Denial(name + " where TCP is allowed", f"socket.socket({arguments}).close()", NO_KIND,
                  options=TO_OTHER, missing=missing, **more)


# Connects by itself, and then sends.
FAST = """
def fast(by):
    s, to = socket.socket(), ("127.0.0.1", @PORT)
    if by == "sendmsg":
        return s.sendmsg([b"x"], [], 0x20000000, to)
    s.setsockopt(socket.IPPROTO_TCP, 30, 1)
    s.connect(to)
    return s.send(b"x")
"""

NET_ROWS = [
    odd_socket("SCTP", "socket.AF_INET, socket.SOCK_STREAM, 132"),
    odd_socket("UDP-Lite", "socket.AF_INET, socket.SOCK_DGRAM, 136"),
    odd_socket("vsock", "40, socket.SOCK_STREAM"),
    odd_socket("netlink of devices", "socket.AF_NETLINK, socket.SOCK_RAW, 15"),
    odd_socket("a raw socket", "socket.AF_INET, socket.SOCK_RAW, 6", root=True),
    odd_socket("a packet socket", "socket.AF_PACKET, socket.SOCK_DGRAM", root=True),
    Denial("TCP Fast Open by sendmsg", "fast('sendmsg')", "EOPNOTSUPP|ENOTSUP", options=TO_OTHER,
           allowed=("--net", "full"), before=FAST, want="1", missing="EOPNOTSUPP|ENOTSUP"),
    Denial("TCP Fast Open by a connect that waits", "fast('connect')", options=TO_OTHER,
           allowed=("--tcp-connect", "@PORT"), before=FAST, want="1"),
    Denial("a unix socket listens where nothing is bound",
           "(lambda s: (s.bind('sock'), s.listen()))(socket.socket(socket.AF_UNIX))",
           options=TO_OTHER, allowed=("--tcp-bind", "0")),
]

# --- Processes outside, with and without a pid namespace --------------------------------------------

# Landlock and the filter are then alone.
ALONE = ("--strictness", "namespaces=off")
FAR = "EACCES|EPERM|ENOENT|ESRCH"

PEEK = """
def peek():
    vector = (ctypes.c_ulong * 2)(ctypes.addressof(ctypes.create_string_buffer(8)), 8)
    there = (ctypes.c_ulong * 2)(@ADDRESS, 8)
    return call(310, @PID, vector, 1, there, 1, ctypes.c_ulong(0))
def seize():
    return call(101, 0x4206, @PID, None, None)
"""


def proc_row(name, act, **more):
    return Denial("in /proc of a process outside " + name, act, FAR, **more)


OUTSIDER_ROWS = [
    proc_row("the maps", "len(read('/proc/@PID/maps'))"),
    proc_row("the memory", "os.close(os.open('/proc/@PID/mem', os.O_RDWR))"),
    proc_row("the environment", "len(read('/proc/@PID/environ'))"),
    proc_row("a descriptor", "os.readlink('/proc/@PID/fd/0')"),
    proc_row("a descriptor that is opened", "os.close(os.open('/proc/@PID/fd/0', os.O_RDONLY))"),
    proc_row("the root", "len(os.listdir('/proc/@PID/root/'))"),
    proc_row("the working directory", "len(os.listdir('/proc/@PID/cwd/..'))"),
    proc_row("the program", "os.readlink('/proc/@PID/exe')"),
    Denial("the memory of a process outside by process_vm_readv", "peek()", "EPERM|ESRCH",
           before=PEEK, missing="EPERM"),
    Denial("a process outside is traced", "seize()", "EPERM|ESRCH", before=PEEK, missing="EPERM"),
    Denial("a descriptor of a process outside by pidfd_getfd",
           "call(438, os.pidfd_open(@PID), 0, 0)", "EPERM|ESRCH", missing="EPERM"),
    Denial("a signal to a process outside by kill", "os.kill(@PID, signal.SIGCONT)", "EPERM|ESRCH"),
    Denial("a signal to a thread outside", "call(200, @PID, 18)", "EPERM|ESRCH"),
]


def check_alone(place, row):
    if inside(place, ["/bin/true"], *ALONE).status == 125:
        raise Skipped("this host keeps its promises by namespaces only")
    check_denial(place, row)


# --- The rest -------------------------------------------------------------------------------------

with open("/bin/true", "rb") as binary:
    TRUE = binary.read()

OTHER_ROWS = [
    Denial("a file of HOME after a change of directory", "read('secret')",
           before="os.chdir('@HOME')"),
    Denial("a program that may be read only is executed by its descriptor",
           "run(lambda: os.execve(os.open('@HOME/d/true', os.O_RDONLY), ['true'], {}))",
           options=("--read-only", "@HOME"), allowed=("--write", "@HOME"), want="0",
           files={"../home/d/true": (TRUE, 0o755)}, before="""
def run(act):
    ends, starts = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            act()
        except OSError as e:
            os.write(starts, errno.errorcode[e.errno].encode())
        os._exit(1)
    os.close(starts)
    said = os.read(ends, 100).decode()
    status = os.waitpid(pid, 0)[1]
    return said or os.waitstatus_to_exitcode(status)
"""),
    Denial("a node of a disk is made", "os.mknod('dev', 0o060600, os.makedev(7, 0))",
           "EPERM|EACCES", root=True, undo="rm -f dev"),
    Denial("a node of memory is made", "os.mknod('dev', 0o020600, os.makedev(1, 1))",
           "EPERM|EACCES", root=True, undo="rm -f dev"),
    Denial("/dev/loop-control is opened", "os.close(os.open('/dev/loop-control', os.O_RDWR))",
           "EACCES|ENOENT", root=True, missing="ENOENT|EPERM"),
    Denial("a disk is opened", "os.close(os.open('/dev/loop0', os.O_RDONLY))", "EACCES|ENOENT",
           root=True, missing="ENOENT|EPERM|ENXIO"),
    Denial("/dev/kvm is opened", "os.close(os.open('/dev/kvm', os.O_RDWR))", "EACCES|ENOENT",
           root=True, missing="ENOENT|EPERM|ENXIO"),
]

add_denials(CALL_ROWS)
add_denials(NET_ROWS)
add_denials(OUTSIDER_ROWS)
add_denials(OTHER_ROWS)
for outsider in OUTSIDER_ROWS:
    alone = replace(outsider, name=outsider.name + ", without namespaces", options=ALONE)
    add_case("run: denied: " + alone.name, lambda place, row=alone: check_alone(place, row))


def answers(place, py, *options, run=None):
    """What each tell() of a script said, by itself (options None) or inside."""
    argv = script_argv(place, None, py)
    result = run(argv) if run else inside(place, argv, *options)
    expect_status(result, 0, short(result.err))
    return dict(line.split(" = ", 1) for line in result.out.decode().splitlines())


# --- Races ----------------------------------------------------------------------------------------

# A child exchanges what a name leads to, over and over; `secret` must not be read. Both what is
# granted and what is denied (or, by itself, the secret) must have been seen, or there was no race.
RACE = """
def race(path, exchange):
    pid = os.fork()
    if pid == 0:
        while os.getppid() != 1:
            exchange()
        os._exit(0)
    seen = {}
    try:
        for _ in range(1000000):
            try:
                fd = os.open(path, os.O_RDWR)
                what = os.read(fd, 100).decode()
                os.close(fd)
            except OSError as e:
                what = errno.errorcode[e.errno]
            seen[what] = seen.get(what, 0) + 1
            if what == "secret" or min(seen.get("EACCES", 0), seen.get("inside", 0)) >= 2000:
                break
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    return "secret" if "secret" in seen else \
        "EACCES" if seen.get("EACCES") and seen.get("inside") else f"no race: {seen}"
"""

BY_LINKS = """
def exchange():
    for target in "in", "@HOME/secret":
        os.symlink(target, "t")
        os.rename("t", "link")
exchange()
"""

BY_RENAMES = """
os.symlink("@HOME", "other")
def exchange():
    call(316, -100, b"d", -100, b"other", 2)
"""

RACE_ROWS = [
    Denial("a file of HOME by a link that changes all the time", "race('link', exchange)",
           before=RACE + BY_LINKS, want="secret"),
    Denial("a file of HOME by a directory that becomes a link to it and back",
           "race('d/secret', exchange)", before=RACE + BY_RENAMES, want="secret",
           files={"d/secret": "inside"}),
]

add_denials(RACE_ROWS)

# --- Signals by descriptors -----------------------------------------------------------------------

# Tells each SIGUSR1 until a SIGTERM; of two that wait, SIGUSR1 comes first.
WAITS = """
import signal
both = {signal.SIGUSR1, signal.SIGTERM}
signal.pthread_sigmask(signal.SIG_BLOCK, both)
print("ready", flush=True)
while (got := signal.sigwait(both)) != signal.SIGTERM:
    print("SIGUSR1", flush=True)
"""

SENDS = """
import fcntl, struct
def send(set_owner):
    mine, other = socket.socketpair()
    set_owner(mine)
    fcntl.fcntl(mine, 10, signal.SIGUSR1)
    fcntl.fcntl(mine, fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK)
    return other.send(b"x")
tell("act", lambda: send(lambda fd: fcntl.fcntl(fd, @HOW)))
"""

OWNERS = {"to a process": "fcntl.F_SETOWN, @PID", "to a group": "fcntl.F_SETOWN, -@PID",
          "to a process, by F_SETOWN_EX": "15, struct.pack('ii', 1, @PID)",
          "to a thread": "15, struct.pack('ii', 0, @PID)"}


def check_sigio(place, how, *options):
    def arrived(run):
        waits = place.start([PYTHON, "-c", WAITS])
        try:
            expect_equal("ready", b"ready\n", waits.stdout.readline())
            py = SENDS.replace("@HOW", how.replace("@PID", str(waits.pid)))
            said = answers(place, py, *options, run=run)
        finally:
            waits.terminate()
        return said["act"], place.finish(waits)[0]

    expect_equal("outside", ("1", b"SIGUSR1\n"), arrived(place.run))
    said, told = arrived(None)
    expect(said in ("1", "ESRCH", "EPERM"), said)
    expect_equal("inside", b"", told)


for owner, how_owned in OWNERS.items():
    add_case(f"run: denied: SIGIO {owner} outside",
             lambda place, how=how_owned: check_sigio(place, how))


@case("run: denied: SIGIO outside, without namespaces")
def sigio_alone(place):
    """Not that to a group, which some kernels let pass."""
    if inside(place, ["/bin/true"], *ALONE).status == 125:
        raise Skipped("this host keeps its promises by namespaces only")
    for name, how in OWNERS.items():
        if name != "to a group":
            check_sigio(place, how, *ALONE)


# --- Places of the host ---------------------------------------------------------------------------


def connects(path):
    return f"tell('act', lambda: socket.socket(socket.AF_UNIX).connect({path!r}))"


@case("run: denied: the socket of a daemon in /run")
def daemon_socket(place):
    """As docker's and the session bus's."""
    directory = next((d for d in ("/run", "/run/lock") if os.access(d, os.W_OK | os.X_OK)), None)
    if not directory:
        raise Skipped("no directory below /run can be written")
    path = os.path.join(directory, "e2e-" + place.mark)
    with ExitStack() as stack:
        stack.callback(lambda: os.path.exists(path) and os.unlink(path))
        serve_unix(path, stack)
        expect_equal("outside", "None", answers(place, connects(path), run=place.run)["act"])
        for options in ((), ("--net", "full"), ALONE):
            said = answers(place, connects(path), *options)["act"]
            expect(said in ("EACCES", "ENOENT"), f"{options}: {said}")


@case("run: denied: a file of HOME by a directory that was left open")
def inherited_directory(place):
    py = """
tell("by name", lambda: os.close(os.open("secret", os.O_RDONLY, dir_fd=9)))
tell("made", lambda: os.close(os.open("new", os.O_WRONLY | os.O_CREAT, dir_fd=9)))
tell("from there", lambda: (os.fchdir(9), read("secret"))[1])
"""
    inherit = [SANDTAPE, "run", *KEEP_MARK]
    with outside_tmp(place):
        with open(os.path.join(place.home, "secret"), "w", encoding="utf-8") as f:
            f.write("secret")
        argv = script_argv(place, None, py)
        script = ["/bin/sh", "-c", f'exec 9<"{place.home}"; exec "$@"', "sh"]
        for run, want in (([], ("None", "None", "secret")), ([*inherit, "--"], ("EBADF",) * 3),
                          ([*inherit, "--keep-fd", "9", "--"], ("EACCES",) * 3)):
            result = place.run([*script, *run, *argv])
            said = tuple(line.split(" = ")[1] for line in result.out.decode().splitlines())
            expect_equal(f"said: {short(result.err)}", want, said)


@case("run: denied: what lies in the host's /dev/shm")
def shared_memory(place):
    """Shared memory and semaphores of POSIX are files there."""
    with tempfile.NamedTemporaryFile(dir="/dev/shm", prefix="sandtape-e2e-") as f:
        f.write(b"shared")
        f.flush()
        py = f"tell('act', lambda: read({f.name!r}))"
        expect_equal("outside", "shared", answers(place, py, run=place.run)["act"])
        for options in ((), ALONE):
            said = answers(place, py, *options)["act"]
            expect(said in ("EACCES", "ENOENT"), f"{options}: {said}")


@case("run: denied: core_pattern to root of a user namespace")
def core_pattern(place):
    if not IS_ROOT:
        raise Skipped("it belongs to root")
    py = "tell('act', lambda: os.close(os.open('/proc/sys/kernel/core_pattern', os.O_WRONLY)))"
    expect_equal("outside", "None", answers(place, py, run=place.run)["act"])
    policy = place.write("../p.json", '{"version": 1, "level": "process_exec", '
                         '"namespaces": {"user": "on"}}')
    said = answers(place, py, "--policy", policy)["act"]
    expect(said in ("EACCES", "EROFS", "EPERM"), said)


CRASH = """
import resource
soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
subprocess.run(["/bin/sh", "-c", "kill -s QUIT $$"])
tell("limit", lambda: hard)
tell("cores", lambda: len([name for name in os.listdir(".") if name.startswith("core")]))
"""


@case("run: denied: a core is dumped")
def cores(place):
    """1 is a limit that also keeps the kernel from handing a core to a program."""
    place.fresh({})
    outside = answers(place, CRASH, run=place.run)
    place.fresh({})
    within = answers(place, CRASH)
    expect_equal("inside, the limit", "1", within["limit"])
    expect_equal("inside", "0", within["cores"])
    if outside["cores"] == "0":
        raise Skipped("this host leaves no cores here")


@case("run: a program is in its group of processes before it begins")
def group_first(place):
    """The first thing that it does is to ask; a fork before it is in the group would be no part."""
    place.fresh({})
    argv = ["cat", "/proc/self/cgroup"]
    expect(b"/sandtape-" not in place.run(argv).out, "there is a group outside")
    result = inside(place, argv, "--procs", "20", "--report", "r.json")
    expect_status(result, 0)
    state = json.loads(place.content("r.json"))["layers"]["cgroup"]["state"]
    if state == "unavailable":
        raise Skipped("no group can be made here")
    expect(b"/sandtape-" in result.out, f"{state}, and {short(result.out)}")


# --- The table ------------------------------------------------------------------------------------

TITLE = "## Holes that were closed on purpose"


def unit_tests():
    """"suite: test" of each unit test of the sandbox."""
    for path in glob.glob(os.path.join(ROOT, "sandbox", "*_test.c")):
        with open(path, encoding="utf-8") as f:
            text = f.read()
        for suite in re.findall(r'suite_create\("(\w+)"\)', text):
            yield from (f"{suite}: {name}" for name in re.findall(r"START_TEST\((\w+)\)", text))


def table_rows(text):
    section = text.split(TITLE + "\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


@case("SECURITY.md: each hole that was closed names tests that are there")
def table(_place):
    with open(os.path.join(ROOT, "SECURITY.md"), encoding="utf-8") as f:
        rows = table_rows(f.read())
    there = {c.name for c in CASES} | ROOT_NAMES | set(unit_tests())
    expect(len(rows) > 30, f"{len(rows)} rows")
    for row in rows:
        expect(len(row) == 4 and all(row), f"not four cells: {row}")
        expect("todo" not in " ".join(row).lower(), f"not done: {row[0]}")
        names = re.findall(r"`([^`]*)`", row[3])
        expect(names, f"no test: {row[0]}")
        for name in names:
            expect(name in there, f"{row[0]}: there is no test {name}")
