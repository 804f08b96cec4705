"""What the sandbox denies. Each row is one small act: by itself it must succeed, inside it must fail as
the row says, and where the policy allows it, it must succeed again."""

import os
import socket
import tempfile
import threading
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from harness import Skipped, add_case, expect, expect_status, kill_group, short
from sandbox import IS_ROOT, inside, outside_tmp, script_argv

DENIED = "EACCES"


@dataclass
class Denial:
    """`act` is a Python expression that tell() prints. @WORK, @HOME and @FAR (the directory that has
    both) are replaced in it and in the options; @PORT and @OTHER are ports that are listened on."""

    name: str
    act: str
    denied: str = DENIED  # some of these, by a bar
    options: tuple = ()
    allowed: tuple = None  # options that let it, if there are any
    before: str = ""  # Python, run in each of the runs
    want: str = None  # of those that succeed, by a bar; else anything that is no errno
    files: dict = None
    undo: str = ""  # shell, run outside after each of the runs
    root: bool = False  # nobody else may do it anyway
    missing: str = ""  # what the act comes to on hosts where there is no such thing
    mode: str = "pipe"


def fill(text, place):
    values = {"@WORK": place.work, "@HOME": place.home, "@FAR": place.far,
              "@PORT": str(place.ports[0]), "@OTHER": str(place.ports[1]),
              "@PID": str(place.outsider.pid), "@ADDRESS": place.address, "@TMP": place.far_tmp,
              "@ABSTRACT": place.mark}
    for name, value in values.items():
        text = text.replace(name, value)
    return text


FILES = {"in": "inside", "d/f": "inside", "../home/secret": "secret", "../home/d/f": "home",
         "../home/.ssh/id": "key", "../home/.aws/credentials": "key", "../home/.gitconfig": "[a]\n"}


def attempt(place, row, run):
    place.fresh({**FILES, **(row.files or {})})
    for name in ("secret", "d/f"):
        os.chmod(os.path.join(place.home, name), 0o644)
    argv = script_argv(place, None, fill(row.before + f"\ntell('act', lambda: {row.act})\n", place))
    result = run(argv)
    expect_status(result, 0)
    if row.undo:
        place.run(["/bin/sh", "-c", fill(row.undo, place)])
    expect(b"act = " in result.out, f"no answer: {short(result.out)} {short(result.err or b'')}")
    return result.out.decode().split("act = ", 1)[1].split("\n")[0].strip()


def is_errno(answer):
    return answer[:1] == "E" and answer.isupper()


def expect_done(row, answer, what):
    if row.missing and answer in row.missing.split("|"):
        raise Skipped(f"{what}: {answer}")
    expect(answer in row.want.split("|") if row.want else not is_errno(answer),
           f"{what}: wanted {row.want or 'success'}, got {answer}")


def listen(stack):
    """A loopback listener that answers each connection with a byte; its port."""
    server = stack.enter_context(socket.create_server(("127.0.0.1", 0)))

    def serve():
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection:
                connection.sendall(b"x")

    threading.Thread(target=serve, daemon=True).start()
    stack.callback(server.shutdown, socket.SHUT_RDWR)
    return server.getsockname()[1]


def serve_unix(address, stack):
    server = stack.enter_context(socket.socket(socket.AF_UNIX))
    server.bind(address)
    server.listen()


def outsiders(place, stack):
    """A process, and unix sockets: in HOME, in /tmp, and without a path."""
    place.outsider = place.start(["sleep", "60"])
    stack.callback(kill_group, place.outsider)
    with open(f"/proc/{place.outsider.pid}/maps", encoding="utf-8") as f:
        place.address = "0x" + f.readline().split("-")[0]
    place.far_tmp = stack.enter_context(tempfile.TemporaryDirectory(dir="/tmp"))
    for address in place.home + "/sock", place.far_tmp + "/sock", "\0" + place.mark:
        serve_unix(address, stack)
    with open(place.far_tmp + "/file", "w", encoding="utf-8") as f:
        f.write("tmp")


@contextmanager
def denied_place(place, row):
    """The place of a denial whose act succeeds outside; the options of the row."""
    with ExitStack() as stack:
        stack.enter_context(outside_tmp(place))
        place.ports = listen(stack), listen(stack)
        outsiders(place, stack)
        expect_done(row, attempt(place, row, lambda argv: place.run(argv, mode=row.mode)),
                    "outside")
        yield [fill(o, place) for o in row.options]


def expect_denied(row, answer):
    expect(answer in row.denied.split("|"), f"inside: wanted {row.denied}, got {answer}")


def check_denial(place, row):
    with denied_place(place, row) as options:
        expect_denied(row, attempt(place, row, lambda argv: inside(place, argv, *options,
                                                                   mode=row.mode)))
        if row.allowed is not None:
            allowed = [fill(o, place) for o in row.allowed]
            expect_done(row, attempt(place, row, lambda argv: inside(place, argv, *allowed,
                                                               mode=row.mode)),
                        "where it is allowed")


HOME_OPEN = ("--write", "@HOME")

FILE_ROWS = [
    Denial("a file of HOME is read", "read('@HOME/secret')", allowed=("--read-only", "@HOME"),
           want="secret"),
    Denial("a file of HOME is read by ..", "read('../home/secret')",
           allowed=("--read-only", "@HOME"), want="secret"),
    Denial("a file of HOME is read by a link in the workspace", "read('link')",
           before="os.symlink('@HOME/secret', 'link')", allowed=("--read-only", "@HOME"),
           want="secret"),
    Denial("a file of HOME is read by /proc/self/root", "read('/proc/self/root@HOME/secret')",
           allowed=("--read-only", "@HOME"), want="secret"),
    Denial("a file of HOME is read by /proc/self/cwd", "read('/proc/self/cwd/../home/secret')",
           allowed=("--read-only", "@HOME"), want="secret"),
    Denial("HOME is listed", "'secret' in os.listdir('@HOME')", allowed=("--read-only", "@HOME"),
           want="True"),
    Denial("a file of HOME is written", "write('@HOME/secret')", allowed=HOME_OPEN),
    Denial("a file is made in HOME", "write('@HOME/new')", allowed=HOME_OPEN),
    Denial("a file is made beside the workspace", "write('@FAR/new')", allowed=("--write", "@FAR"),
           undo="rm -f @FAR/new"),
    Denial("a file of HOME is truncated", "os.truncate('@HOME/secret', 0)", allowed=HOME_OPEN),
    Denial("a file of HOME is removed", "os.unlink('@HOME/secret')", allowed=HOME_OPEN),
    Denial("a directory is made in HOME", "os.mkdir('@HOME/n')", allowed=HOME_OPEN,
           undo="rmdir @HOME/n"),
    Denial("a file of HOME is renamed into the workspace", "os.rename('@HOME/secret', 'mine')",
           denied="EACCES|EXDEV", allowed=HOME_OPEN),
    Denial("a file of HOME is linked into the workspace", "os.link('@HOME/secret', 'mine')",
           denied="EACCES|EXDEV|EPERM", allowed=HOME_OPEN),
    Denial("a program of HOME is executed", "subprocess.run(['@HOME/d/p']).returncode",
           files={"../home/d/p": ("#!/bin/sh\nexit 0\n", 0o755)}, allowed=HOME_OPEN, want="0"),
    Denial("a read-only file is written", "write('@HOME/secret')", options=("--read-only", "@HOME"),
           allowed=HOME_OPEN),
    Denial("a read-only program is executed", "subprocess.run(['@HOME/d/p']).returncode",
           files={"../home/d/p": ("#!/bin/sh\nexit 0\n", 0o755)}, options=("--read-only", "@HOME"),
           allowed=HOME_OPEN, want="0"),
    Denial("a key of a HOME that is granted is read", "read('@HOME/.ssh/id')",
           options=("--read-only", "@HOME")),
    Denial("a token of a HOME that is granted is read", "read('@HOME/.aws/credentials')",
           options=("--write", "@HOME")),
    Denial("git's configuration in HOME is written", "write('@HOME/.gitconfig')"),
    Denial("/etc/shadow is read", "read('/etc/shadow')[:0]", root=True),
    Denial("a file is made in /etc", "write('/etc/sandtape-e2e')", root=True,
           undo="rm -f /etc/sandtape-e2e", denied="EACCES|EROFS"),
    Denial("a file is made in /usr", "write('/usr/sandtape-e2e')", root=True,
           undo="rm -f /usr/sandtape-e2e", denied="EACCES|EROFS"),
    Denial("a file is made in /", "write('/sandtape-e2e')", root=True,
           undo="rm -f /sandtape-e2e", denied="EACCES|EROFS"),
    Denial("a sysctl is written", "write('/proc/sys/kernel/randomize_va_space', '2')", root=True,
           denied="EACCES|EROFS|EPERM"),
    Denial("core_pattern is opened for writing",
           "os.close(os.open('/proc/sys/kernel/core_pattern', os.O_WRONLY))", root=True,
           denied="EACCES|EROFS|EPERM"),
    Denial("/dev/kmsg is read", "os.close(os.open('/dev/kmsg', os.O_RDONLY))", root=True,
           missing="ENOENT|EPERM"),
    Denial("/dev/mem is opened", "os.close(os.open('/dev/mem', os.O_RDONLY))", root=True,
           missing="ENOENT|EPERM"),
]

INSIDE = {"top/deny/f": "hidden", "top/deny/p": ("#!/bin/sh\nexit 0\n", 0o755), "top/deny/d/f": "x",
          "link": "", "file": "hidden"}


def in_denied(name, act, denied=DENIED, **more):
    return Denial("in a denied directory of the workspace " + name, act, denied, files=INSIDE,
                  options=("--deny", "@WORK/top/deny"), allowed=(), **more)


def in_read_only(name, act, denied=DENIED, **more):
    return Denial("in a read-only directory of the workspace " + name, act, denied, files=INSIDE,
                  options=("--read-only", "@WORK/top/deny"), allowed=(), **more)


WORK_ROWS = [
    in_denied("a file is read", "read('top/deny/f')", want="hidden"),
    in_denied("a file is read by a link", "read('s')", before="os.symlink('top/deny/f', 's')",
              want="hidden"),
    in_denied("a file is read by /proc/self/cwd", "read('/proc/self/cwd/top/deny/f')"),
    in_denied("a file is read by /proc/self/root", "read('/proc/self/root@WORK/top/deny/f')"),
    in_denied("a file is read from a cwd above", "read('deny/f')", before="os.chdir('top')"),
    in_denied("a file is written", "write('top/deny/f')", denied="EACCES|EROFS"),
    in_denied("a file is made", "write('top/deny/new')", denied="EACCES|EROFS"),
    in_denied("a file is removed", "os.unlink('top/deny/f')", denied="EACCES|EROFS"),
    in_denied("a directory is listed", "len(os.listdir('top/deny'))"),
    in_denied("a program is executed", "subprocess.run(['top/deny/p']).returncode", want="0"),
    in_denied("a hard link to a file is made", "os.link('top/deny/f', 'mine')",
              denied="EACCES|EXDEV|EPERM"),
    in_denied("a file is renamed out", "os.rename('top/deny/f', 'mine')",
              denied="EACCES|EXDEV|EROFS"),
    in_denied("a file is renamed into it", "os.rename('file', 'top/deny/n')",
              denied="EACCES|EXDEV|EROFS"),
    in_denied("it is renamed itself", "os.rename('top/deny', 'mine')",
              denied="EACCES|EXDEV|EBUSY"),
    in_denied("it is read after the directory above was renamed",
              "(os.rename('top', 'moved'), read('moved/deny/f'))[1]", denied="EACCES|EBUSY"),
    in_denied("it is removed", "subprocess.run(['rm', '-r', 'top/deny'], stderr=-3).returncode",
              denied="1", want="0"),
    in_denied("chmod", "os.chmod('top/deny/f', 0o777)", denied="EACCES|EROFS|EPERM"),
    Denial("a denied file of the workspace is read", "read('file')", files=INSIDE,
           options=("--deny", "@WORK/file"), allowed=(), want="hidden"),
    Denial("a denied file of the workspace is written", "write('file')", files=INSIDE,
           options=("--deny", "@WORK/file"), denied="EACCES|EROFS", allowed=()),
    Denial("a denied file of the workspace is removed", "os.unlink('file')", files=INSIDE,
           options=("--deny", "@WORK/file"), denied="EACCES|EBUSY", allowed=()),
    Denial("a denied file of the workspace is replaced", "os.rename('in', 'file')", files=INSIDE,
           options=("--deny", "@WORK/file"), denied="EACCES|EBUSY", allowed=()),
    Denial("a denied file of the workspace is linked to", "(os.link('file', 'l'), read('l'))[1]",
           files=INSIDE, options=("--deny", "@WORK/file"), denied="EACCES|EXDEV|EPERM", allowed=()),
    in_read_only("a file is written", "write('top/deny/f')", denied="EACCES|EROFS"),
    in_read_only("a file is made", "write('top/deny/n')", denied="EACCES|EROFS"),
    in_read_only("a file is removed", "os.unlink('top/deny/f')", denied="EACCES|EROFS"),
    in_read_only("a file is truncated", "os.truncate('top/deny/f', 0)", denied="EACCES|EROFS"),
    in_read_only("a file is renamed within", "os.rename('top/deny/f', 'top/deny/g')",
                 denied="EACCES|EROFS"),
    in_read_only("a file is renamed into it", "os.rename('file', 'top/deny/n')",
                 denied="EACCES|EXDEV|EROFS"),
    in_read_only("a file is renamed out", "os.rename('top/deny/f', 'out')",
                 denied="EACCES|EXDEV|EROFS"),
    in_read_only("a program is executed", "subprocess.run(['top/deny/p']).returncode", want="0"),
    in_read_only("a file is linked out and written",
                 "(os.link('top/deny/f', 'l'), write('l'))[1]", denied="EACCES|EXDEV|EROFS|EPERM"),
    in_read_only("a file is written after the directory above was renamed",
                 "(os.rename('top', 'moved'), write('moved/deny/f'))[1]",
                 denied="EACCES|EBUSY|EROFS|EXDEV"),
]

CONNECT = "socket.create_connection(('127.0.0.1', @PORT), 5).recv(1)"
BIND = "socket.create_server(('127.0.0.1', 0)).close()"
UDP = "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', @PORT))"
NO_NET = "EACCES|ENETUNREACH|EPERM|EAFNOSUPPORT"

NET_ROWS = [
    Denial("TCP is connected", CONNECT, denied="EACCES", allowed=("--net", "full"), want="b'x'"),
    Denial("TCP is connected, from a loopback of its own", CONNECT, denied="ECONNREFUSED",
           options=("--net", "loopback"), allowed=("--tcp-connect", "@PORT"), want="b'x'"),
    Denial("TCP is connected to another port", CONNECT, options=("--tcp-connect", "@OTHER"),
           allowed=("--tcp-connect", "@PORT", "--tcp-connect", "@OTHER"), want="b'x'"),
    Denial("TCP is bound", BIND, denied=NO_NET, allowed=("--net", "loopback")),
    Denial("TCP is bound to another port", BIND, options=("--tcp-bind", "@PORT"),
           allowed=("--tcp-bind", "0")),
    Denial("TCP is listened on without a bind", "socket.socket().listen()", denied=NO_NET,
           allowed=("--net", "full")),
    Denial("TCP is listened on without a bind, where TCP is allowed", "socket.socket().listen()",
           options=("--tcp-connect", "@PORT"), allowed=("--tcp-bind", "0")),
    Denial("UDP is sent", UDP, denied=NO_NET, allowed=("--net", "full"), want="1"),
    Denial("UDP is sent where TCP is allowed", UDP, denied=NO_NET,
           options=("--tcp-connect", "@PORT"), allowed=("--net", "full"), want="1"),
    Denial("TCP Fast Open", "socket.socket().sendto(b'x', 0x20000000, ('127.0.0.1', @PORT))",
           options=("--tcp-connect", "@OTHER"), denied=NO_NET + "|ENOTSUP",
           allowed=("--net", "full"), want="1"),
    Denial("MPTCP", "socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262).connect("
           "('127.0.0.1', @PORT))", options=("--tcp-connect", "@OTHER"),
           denied=NO_NET + "|EPROTONOSUPPORT"),
    Denial("a packet socket", "socket.socket(socket.AF_PACKET, socket.SOCK_RAW).close()", root=True,
           denied=NO_NET),
    Denial("a raw socket", "socket.socket(socket.AF_INET, socket.SOCK_RAW, 1).close()", root=True,
           denied=NO_NET, options=("--net", "full")),
    Denial("an unusual family", "socket.socket(socket.AF_ALG, socket.SOCK_SEQPACKET).close()",
           denied="EAFNOSUPPORT", options=("--net", "full"), missing="EAFNOSUPPORT"),
]


# A bad pointer or a number that nothing has asks for a call and does nothing: whoever is not stopped
# gets the kernel's word on it.
NO_CALL = "EPERM|ENOSYS"


def bad_call(name, args, want, group=None, more_allowed=(), **more):
    """`group`: where this is allowed the kernel's word is the same as outside."""
    return Denial("the call " + name, f"call({args})", NO_CALL, want=want,
                  allowed=group and ("--allow", group, *more_allowed), **more)


CALL_ROWS = [
    bad_call("io_uring_setup", "425, 1, None", "EFAULT", missing="ENOSYS|EPERM"),
    bad_call("io_uring_enter", "426, -1, 0, 0, 0, None", "EBADF", missing="ENOSYS",
             group="io_uring", more_allowed=("--net", "full")),  # it makes sockets of all kinds
    bad_call("add_key", "248, None, None, None, 0, 0", "EFAULT", missing="ENOSYS",
             group="keyrings"),
    bad_call("keyctl", "250, 9999", "ENOTSUP", missing="ENOSYS", group="keyrings"),
    bad_call("bpf", "321, 0, None, 0", "EINVAL|EFAULT", missing="ENOSYS", root=True),
    bad_call("perf_event_open", "298, None, 0, 0, 0, 0", "EFAULT", missing="ENOSYS|EACCES"),
    bad_call("userfaultfd", "323, 0xffff", "EINVAL", missing="ENOSYS", root=True),
    bad_call("ptrace", "101, 0x4206, 999999999, 0, 0", "ESRCH", group="debug"),
    bad_call("process_vm_readv", "310, 999999999, None, 0, None, 0, 0", "ESRCH|EINVAL",
             group="debug"),
    bad_call("pidfd_getfd", "438, -1, 0, 0", "EBADF", group="debug"),
    bad_call("kcmp", "312, os.getpid(), os.getpid(), 0, 0, 0", "done", missing="ENOSYS",
             group="debug"),
    bad_call("prlimit64, of others", "302, 999999999, 0, 1, 0", "EFAULT", group="debug"),
    bad_call("unshare, of users", "272, 0x10000000", "done", missing="EPERM|ENOSPC"),
    bad_call("unshare, of mounts", "272, 0x00020000", "done", root=True),
    bad_call("setns", "308, -1, 0", "EBADF", group="namespaces"),
    bad_call("mount", "165, None, None, None, 0, None", "EFAULT|EPERM", root=True),
    bad_call("umount2", "166, None, 0", "EFAULT", group="mount"),
    bad_call("fsopen", "430, None, 0", "EFAULT", root=True),
    bad_call("open_tree", "428, -1, None, 0", "EFAULT", group="mount"),
    bad_call("move_mount", "429, -1, None, -1, None, 0", "EFAULT", root=True),
    bad_call("mount_setattr", "442, -1, None, 0, None, 0", "EINVAL|EFAULT", root=True),
    bad_call("pivot_root", "155, None, None", "EFAULT|EPERM", root=True),
    bad_call("chroot", "161, None", "EFAULT", group="mount"),
    bad_call("open_by_handle_at", "304, -1, None, 0", "EFAULT|EBADF", root=True),
    bad_call("personality", "135, 0x0400000", "done", group="personality"),
    bad_call("init_module", "175, None, 0, None", "EFAULT|ENOEXEC|EINVAL", root=True,
             missing="ENOSYS"),
    bad_call("kexec_load", "246, 0, 99, None, 0xff", "EINVAL", root=True, missing="ENOSYS|EPERM"),
    bad_call("iopl", "172, 9", "EINVAL", missing="ENOSYS", group="raw_io"),
    bad_call("modify_ldt", "154, 0, None, 0", "done", missing="ENOSYS", group="raw_io"),
    bad_call("clock_settime", "227, 0, None", "EFAULT", group="clock"),
    bad_call("sethostname", "170, None, 1", "EFAULT", root=True),
    bad_call("swapon", "167, None, 0", "EFAULT", root=True),
    bad_call("syslog", "103, 3, None, 0", "EINVAL|done", root=True),
    bad_call("shmget", "29, 0, 0, 0", "EINVAL", missing="ENOSYS", group="ipc"),
    bad_call("msgrcv", "70, -1, None, 0, 0, 0", "EINVAL", missing="ENOSYS", group="ipc"),
    bad_call("mq_open", "240, None, 0, 0, None", "EFAULT|EINVAL", missing="ENOSYS", group="ipc"),
    bad_call("chmod, to set-user-ID", "90, None, 0o4755", "EFAULT", group="setid"),
    bad_call("openat, of a set-user-ID file", "257, -1, None, os.O_CREAT, 0o4755", "EFAULT",
             group="setid"),
    bad_call("ustat, an old one", "136, -1, None", "EINVAL|EFAULT", missing="ENOSYS",
             group="obsolete"),
]

UNIX = "socket.socket(socket.AF_UNIX).connect(%s)"

PROCESS_ROWS = [
    Denial("a signal to a process outside", "os.kill(@PID, signal.SIGCONT)", "EPERM|ESRCH"),
    Denial("a signal to the parent", "os.kill(os.getppid(), 0)", "EPERM|ESRCH"),
    Denial("a signal to a process group outside", "os.killpg(@PID, signal.SIGCONT)", "EPERM|ESRCH"),
    Denial("a signal by a pidfd", "signal.pidfd_send_signal(os.pidfd_open(@PID), signal.SIGCONT)",
           "EPERM|ESRCH|ENOENT"),
    Denial("the environment of a process outside", "len(read('/proc/@PID/environ'))",
           "EACCES|EPERM|ENOENT"),
    Denial("the memory of a process outside", "os.close(os.open('/proc/@PID/mem', os.O_RDWR))",
           "EACCES|EPERM|ENOENT"),
    Denial("the root of a process outside", "len(os.listdir('/proc/@PID/root/'))",
           "EACCES|EPERM|ENOENT"),
    Denial("the descriptors of a process outside", "os.readlink('/proc/@PID/fd/0')",
           "EACCES|EPERM|ENOENT"),
    Denial("the working directory of a process outside", "len(os.listdir('/proc/@PID/cwd/..'))",
           "EACCES|EPERM|ENOENT"),
    Denial("the priority of a process outside", "os.setpriority(os.PRIO_PROCESS, @PID, 19)",
           "EPERM|ESRCH|EACCES", root=True),
    Denial("a unix socket in a denied directory", UNIX % "'@HOME/sock'", "EACCES|ENOENT",
           options=("--write", "@FAR", "--deny", "@HOME"), allowed=("--write", "@HOME")),
    Denial("a unix socket in /tmp", UNIX % "'@TMP/sock'", "EACCES|ENOENT",
           allowed=("--write", "@TMP")),
    Denial("an abstract unix socket", UNIX % "chr(0) + '@ABSTRACT'",
           "EPERM|ECONNREFUSED"),
    Denial("a file of the host's /tmp is read", "read('@TMP/file')", "EACCES|ENOENT",
           allowed=("--read-only", "@TMP"), want="tmp"),
    Denial("a file of the host's /tmp is written", "write('@TMP/file')", "EACCES|ENOENT",
           allowed=("--write", "@TMP")),
    Denial("a file is typed into the terminal",
           "__import__('fcntl').ioctl(0, 0x5412, b'\\n')", "EPERM|EIO", mode="pty", missing="EIO"),
    Denial("a device is made", "os.mknod('dev', 0o020600, os.makedev(1, 3))", "EPERM|EACCES",
           root=True),
    Denial("a file is given to another user", "os.chown('in', 1, 1)", "EPERM|EINVAL", root=True),
    Denial("another user becomes the own one", "os.setresuid(1, 1, 1)", "EPERM|EINVAL", root=True),
    Denial("the nice value is lowered", "os.setpriority(os.PRIO_PROCESS, 0, -5)", "EPERM|EACCES",
           root=True),
    Denial("a hard limit is raised", "__import__('resource').setrlimit(7, (3000, 3000))",
           "EPERM", root=True, missing="EPERM", before="""
import resource
resource.setrlimit(7, (500, 500))
def setrlimit(which, limits, real=resource.setrlimit):
    try:
        real(which, limits)
    except ValueError:
        raise PermissionError(errno.EPERM, "")
resource.setrlimit = setrlimit
"""),
]


ROOT_NAMES = set()  # of what only root has


def add_denials(rows):
    ROOT_NAMES.update("run: denied: " + row.name for row in rows if row.root)
    for row in (row for row in rows if IS_ROOT or not row.root):
        add_case("run: denied: " + row.name, lambda place, row=row: check_denial(place, row))


add_denials(FILE_ROWS)
add_denials(WORK_ROWS)
add_denials(NET_ROWS)
add_denials(CALL_ROWS)
add_denials(PROCESS_ROWS)
