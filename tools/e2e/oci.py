"""`sandtape policy import-oci`: profiles that container engines ship, as policies, and under them."""

import json
import os
import re
import shutil
import subprocess

from harness import ROOT, SANDTAPE, Skipped, add_case, case, expect, expect_equal, expect_status, \
    expect_text, short
from sandbox import inside, outside_tmp, script_argv

PROFILES = os.path.join(ROOT, "fixtures", "oci")
ENGINES = ("docker", "podman")

# What both refuse, by number where libc has no name. Each succeeds or fails otherwise outside, but
# for what nobody but root may do.
ACTS = {
    "mount": ("call(165, b'none', b'/none/x', b'tmpfs', 0, 0)", "EPERM"),
    "bpf": ("call(321, 0, 0, 0)", "EPERM"),
    "perf_event_open": ("call(298, 0, 0, -1, -1, 0)", "EPERM"),
    "add_key": ("call(248, b'user', b'x', b'y', 1, -3)", "EPERM|ENOSYS"),
    "open_by_handle_at": ("call(304, -1, 0, 0)", "EPERM"),
    "io_uring_setup": ("call(425, 0, 0)", "ENOSYS"),
    "kexec_load": ("call(246, 0, 0, 0, 0)", "EPERM"),
}
# And what both allow.
FINE = """
tell("shm", lambda: libc.shmctl(libc.shmget(0, 4096, 0o600), 0, None) == 0)
print(subprocess.run(["/bin/sh", "-c", "echo child | cat"], stdout=subprocess.PIPE).stdout)
write("made", "here")
print(read("made"))
"""


def import_profile(place, engine, *options):
    return place.sandtape("policy", "import-oci", os.path.join(PROFILES, engine + ".json"),
                          *options)


def check_engine(place, engine):
    """The default profile of an engine: it is a policy, and is kept."""
    with outside_tmp(place):
        result = import_profile(place, engine, "-o", "policy.json")
        expect_status(result, 0)
        expect_equal("stdout", b"", result.out)
        for text in ("syscalls.personality refuses what the profile allows: personality (some",
                     "allowed here, since no group has them, and refused by the profile: ",
                     "syscalls[3]: arguments with which it allows personality are refused here",
                     "no calls of this machine that are known here: "):
            expect_text(result, text)
        shutil.move(os.path.join(place.work, "policy.json"), place.home)
        policy = os.path.join(place.home, "policy.json")
        expect_status(place.sandtape("policy", "check", policy), 0)
        script = "".join(f"tell('{name}', lambda: {act})\n" for name, (act, _) in ACTS.items())
        native = place.run(script_argv(place, None, script + FINE))
        within = inside(place, script_argv(place, None, script + FINE), "-q", "--policy", policy)
        for result in native, within:
            expect_status(result, 0)
        told = dict(re.findall(r"^(\w+) = (\w+)$", within.out.decode(), re.M))
        for name, (_, errno) in ACTS.items():
            expect(told.get(name) in errno.split("|"), f"{name}: {told.get(name)}")
        expect_equal("mount outside", False, b"mount = EPERM" in native.out and os.geteuid() == 0)
        expect(b"shm = True" in within.out and b"b'child\\n'\nhere\n" in within.out,
               short(within.out))


for name in ENGINES:
    add_case(f"policy import-oci: the default profile of {name}",
             lambda place, name=name: check_engine(place, name))


PROFILE = """{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
  {"names": ["keyctl"], "action": "SCMP_ACT_ERRNO"}
]}
"""


@case("policy import-oci: standard output, files, and what is replaced")
def outputs(place):
    place.fresh({"p.json": PROFILE, "there.json": "old"})
    plain = place.sandtape("policy", "import-oci", "-q", "p.json")
    expect_status(plain, 0)
    expect_equal("stderr", b"", plain.err)
    policy = json.loads(plain.out)
    expect_equal("sections", ["version", "syscalls"], list(policy))
    expect_equal("keyrings", "EPERM", policy["syscalls"]["keyrings"])
    expect_equal("mount", "allow", policy["syscalls"]["mount"])
    for argv in (("-o", "there.json", "p.json"), ("p.json", "-o", "there.json"),
                 ("p.json", "--output=/dev/stdout")):
        result = place.sandtape("policy", "import-oci", *argv)
        expect_status(result, 0)
        expect_equal("stdout", plain.out if "there.json" not in argv else b"", result.out)
        expect_text(result, "sandtape: p.json: syscalls.keyrings refuses what the profile allows: "
                    "add_key, request_key\n")
        expect("there.json" not in argv or place.content("there.json") == plain.out, "another file")
    expect_equal("files", ["p.json", "there.json"], sorted(os.listdir(place.work)))
    place.write("none.json", PROFILE.replace("ALLOW", "ERRNO"))
    result = place.sandtape("policy", "import-oci", "-q", "none.json")
    expect_equal("unix sockets", "none", json.loads(result.out)["unix_sockets"]["mode"])


@case("policy import-oci: what is no profile, no file, or no place for a policy")
def bad_input(place):
    place.fresh({"p.json": PROFILE, "old.json": "old", "empty.json": "", "policy.json":
                 '{"version": 1}', "bad.json": PROFILE.replace("ERRNO", "ERNO")})
    for argv, text in (
            (["empty.json"], "empty.json:1: '[' or '{' expected near end of file"),
            (["policy.json"], 'policy.json:1: "defaultAction" is missing: this is no seccomp'),
            (["bad.json"], "bad.json:2: syscalls[0].action: there is no such action; did you mean "
             '"SCMP_ACT_ERRNO"?'),
            (["none.json"], "none.json"),
            (["p.json", "-o", "none/x.json"], "none/x.json"),
            (["p.json", "-o", "/dev/full"], "/dev/full"),
            (["p.json", "-o", "."], "."),
            (["p.json", "old.json"], "name one file"),
            ([], "name one file"),
            (["p.json", "-o"], "needs a value"),
            (["."], ".")):
        if argv[1:2] != ["-o"] and argv:
            argv = [*argv, "-o", "old.json"]
        result = place.sandtape("policy", "import-oci", *argv)
        expect(result.status == 125, f"{argv}: status {result.status}: {short(result.err)}")
        expect(text.encode() in result.err, f"{argv}: {short(result.err)}")
        expect_equal("the old file", b"old", place.content("old.json"))
    with open("/dev/full", "wb") as full:
        result = subprocess.run([SANDTAPE, "policy", "import-oci", "-q", "p.json"], cwd=place.work,
                                stdout=full, stderr=subprocess.PIPE, check=False)
    expect_equal("status", 125, result.returncode)
    expect(b"standard output" in result.stderr, short(result.stderr))


@case("policy import-oci: the names of calls are those of the kernel's headers")
def names(_place):
    compiler = shutil.which("cc")
    if not compiler:
        raise Skipped("there is no cc")
    macros = subprocess.run([compiler, "-E", "-dM", "-include", "asm/unistd.h", "-x", "c", "-"],
                            input=b"", stdout=subprocess.PIPE, check=True).stdout.decode()
    known = {int(number): name
             for name, number in re.findall(r"^#define __NR_(\w+) (\d+)$", macros, re.M)}
    with open(os.path.join(ROOT, "sandbox", "call_names_linux_x86_64.c"), encoding="utf-8") as f:
        table = f.read()
    number, ours = -1, {}
    for place, name in re.findall(r'(?:\[(\d+)\] = )?"(\w+)",', table[:table.index("};")]):
        number = int(place) if place else number + 1
        ours[number] = name
    expect(len(ours) > 360, f"only {len(ours)} names")
    wrong = {n: (ours.get(n), name) for n, name in known.items() if ours.get(n, name) != name}
    expect_equal("other names", {}, wrong)
    gone = {known[n] for n in known if n not in ours and n < 472}
    expect(gone <= {"_sysctl", "create_module", "get_kernel_syms", "query_module", "nfsservctl",
                    "getpmsg", "putpmsg", "afs_syscall", "tuxcall", "security", "vserver",
                    "epoll_ctl_old", "epoll_wait_old"}, f"missing: {gone}")
