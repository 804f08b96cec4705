"""`sandtape conformance`: the cases that the layers agree on, and where they cannot be measured."""

import json
import os

from conformance_self import ONE_USER, conformance, verdicts
from harness import (SANDTAPE, add_case, case, expect, expect_equal, expect_status, expect_text,
                     short)
from sandbox import IS_ROOT, outside_tmp

# Of one act in both layers, which any host with Landlock denies.
READ = "landlock-fs\\.read-file"


def of_layer(cases, layer):
    return sorted({verdict for key, verdict in verdicts(cases).items() if key[1] == layer})


@case("conformance: a scratch directory that a sandbox would hide is not measured")
def hidden_scratch(place):
    result, hidden = conformance(place, "-q", "-f", READ, "--scratch", "/tmp")
    expect_status(result, 0)
    expect_equal("raw", ["conforms"], of_layer(hidden, "raw"))
    expect_equal("policy", ["not_measured"], of_layer(hidden, "policy"))
    why = [c["reason"] for c in hidden.values() if c["layer"] == "policy"]
    expect(all("--scratch names another one" in text for text in why), f"it does not say why: {why}")
    with outside_tmp(place):
        os.chmod(place.far, 0o755)  # the user of the cases is another one
        result, seen = conformance(place, "-q", "-f", READ, "--scratch", place.far)
        expect_status(result, 0)
        expect_equal("policy", ["conforms"], of_layer(seen, "policy"))
        expect_equal("left behind", ["home", "work"], sorted(os.listdir(place.far)))


@case("conformance: a TMPDIR that a sandbox would hide is not worked in")
def hidden_tmpdir(place):
    result, seen = conformance(place, "-q", "-f", READ, env={"TMPDIR": "/tmp"})
    expect_status(result, 0)
    expect_equal("policy", ["conforms"], of_layer(seen, "policy"))


@case("conformance: what is not to be denied conforms without its mechanism, too")
def sabotaged_positive(place):
    pattern = "landlock-fs\\.(stat|read-file)/raw"
    result, seen = conformance(place, "-q", "-f", pattern, "--sabotage", "landlock-fs")
    expect_status(result, 1)
    for (name, _, _), verdict in verdicts(seen).items():
        expect_equal(name, "conforms" if name.endswith("stat") else "escaped", verdict)
    expect(len(seen) in (2, 4), "not all of them ran")


# --- Where it cannot work -------------------------------------------------------------------------

# In mounts of its own; an ordinary user has them with a user namespace only.
MOUNTS = "-m" if IS_ROOT else "-Urm"

PLACES = {
    "there is no /proc": ("mount -t tmpfs none /proc", "/proc"),
    "the scratch directory is full": ("mount -t tmpfs -o size=64k none /mnt", "No space left"),
    "the scratch directory fills up": ("mount -t tmpfs -o size=2500k none /mnt", "No space left"),
    "the scratch directory is read-only": ("mount -t tmpfs -o ro none /mnt", "Read-only"),
    "nothing can be executed in it": ("mount -t tmpfs -o noexec none /mnt", "noexec"),
}


def add_place(what, mount, says):
    def check_place(place):
        result = place.run(["unshare", MOUNTS, "sh", "-c", f"{mount} && exec \"$@\"", "sh", SANDTAPE,
                            "conformance", "-q", "-f", READ, "--user", "root", "--scratch", "/mnt"])
        expect_status(result, 2)
        expect_text(result, says)
        expect_equal("lines", 1, result.err.count(b"\n"))

    add_case(f"conformance: {what}: one sentence, and no verdict", check_place, ("unshare",))


for title, (command, text) in PLACES.items():
    add_place(title, command, text)


# --- What this host cannot do ---------------------------------------------------------------------

# Who has mounts of its own by a user namespace is an ordinary user again in another one.
AGAIN = () if IS_ROOT else ("unshare", "-U", f"--map-user={os.getuid()}",
                            f"--map-group={os.getgid()}")


def without(place, prepare, pattern):
    """The cases in mounts of their own, in which something of the host has been covered."""
    report = os.path.join(place.root, "report.json")
    result = place.run(["unshare", MOUNTS, "sh", "-c", f"{prepare} && exec \"$@\"", "sh", *AGAIN,
                        SANDTAPE, "conformance", "-q", "-f", pattern, *ONE_USER, "--format", "json",
                        "-o", report])
    expect(os.path.exists(report), short(result.err))
    with open(report, encoding="utf-8") as f:
        return result, json.load(f)["cases"]


@case("conformance: where no group can be made, what stands in for it is not taken for it",
      needs=("unshare",))
def no_groups(place):
    result, cases = without(place, "mount -t tmpfs none /sys/fs/cgroup", r"cgroup\..*")
    expect_status(result, 1)  # nothing was measured
    expect_equal("layers", ["policy", "raw"], sorted({c["layer"] for c in cases}))
    expect_equal("verdicts", {"not_enforced"}, {c["verdict"] for c in cases})
    why = {c["reason"] for c in cases if c["layer"] == "policy"}
    expect(all("no group can be made here" in text for text in why), f"it does not say why: {why}")


@case("conformance: a core that the host has handed to a program is not measured, and not made",
      needs=("unshare",))
def piped_cores(place):
    pattern = place.write("pattern", "|/bin/false %p\n")
    result, cases = without(place, f"mount --bind '{pattern}' /proc/sys/kernel/core_pattern",
                            r"rlimits\.dump-core.*")
    expect_status(result, 1)
    expect_equal("verdicts", {"not_measured"}, {c["verdict"] for c in cases})
    expect(all("core_pattern: EOPNOTSUPP" in c["reason"] for c in cases), f"it says: {cases}")
