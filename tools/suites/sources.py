"""Sources of the Debian packages whose test suites are run, each with its version and checksum.

They are fetched with apt's own downloader from the mirrors that this machine has, unpacked and,
where a suite needs programs of its own, built; all of it in a directory outside of the tree, so
that it is done once: $SUITE_SOURCES, or sandtape-suites below the user's cache directory.
"""

import collections
import hashlib
import os
import shutil
import subprocess

HELPER = "/usr/lib/apt/apt-helper"
FETCH_SECONDS = 300
BUILD_SECONDS = 900

# archive: its path below a mirror; parts: what is unpacked of it, in the words of tar, all of it
# when there are none; build: commands, in the unpacked directory.
Source = collections.namedtuple("Source", "archive sha256 parts build", defaults=((), ()))

# Nothing that the suite does not ask for.
GIT_BUILD = ("make", "-s", "-j2", "NO_OPENSSL=1", "NO_CURL=1", "NO_EXPAT=1", "NO_GETTEXT=1",
             "NO_PERL=1", "NO_TCLTK=1", "NO_PYTHON=1", "CFLAGS=-O0")

SOURCES = {
    "bash-5.2.15": Source(
        "pool/main/b/bash/bash_5.2.15.orig.tar.gz",
        "7a315bc0e9d90713159e4390ec1096a41e4f33cd8cc3d1a749a8e5ad56600f51", (),
        (("sh", "-c", r"printf '#define HAVE_%s 1\n' STRING_H STDLIB_H UNISTD_H >config.h"),
         ("make", "-s", "-C", "tests", "-f", "/dev/null", "CC=cc",
          "CPPFLAGS=-DHAVE_CONFIG_H -I.. -I../include", "VPATH=../support",
          "recho", "zecho", "xcase"))),
    "git-2.39.5": Source(
        "pool/main/g/git/git_2.39.5.orig.tar.xz",
        "c58da92c378df4a986ca33266897a7397e86c22ee266a284d8c2432c39066b59", (),
        (GIT_BUILD + ("GIT-BUILD-OPTIONS", "t/helper/test-tool"),
         GIT_BUILD + ("-C", "templates"))),
    "nodejs-18.20.4": Source(
        "pool/updates/main/n/nodejs/nodejs_18.20.4+dfsg.orig.tar.xz",
        "6ce58062c71eae37d9c5ac31eeaeff9c2d48561d21c2849179d056c9c1bd9ebc",
        ("*/test/common", "*/test/fixtures", "*/test/parallel")),
    "zsh-5.9": Source(
        "pool/main/z/zsh/zsh_5.9.orig.tar.xz",
        "9b8d1ecedd5b5e81fbf1918e876752a7dd948e05c1a0dba10ab863842d45acd5"),
}


class Unavailable(Exception):
    """One sentence: why a source is not to be had."""


def cache():
    chosen = os.environ.get("SUITE_SOURCES")
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.path.abspath(chosen or os.path.join(base, "sandtape-suites"))


def path(name, *parts):
    return os.path.join(cache(), name, *parts)


def run(argv, cwd, seconds):
    """(it went well, the last line that it said)"""
    try:
        done = subprocess.run(argv, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=seconds, check=False)
    except (OSError, subprocess.TimeoutExpired) as e:
        return False, str(e)
    lines = done.stdout.decode("utf-8", "replace").strip().split("\n")
    return done.returncode == 0, lines[-1]


def mirrors():
    """Those that apt takes packages of Debian from."""
    argv = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages",
            "Origin: Debian", "Component: main"]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as e:
        raise Unavailable(f"apt does not tell its mirrors: {e}") from e
    return sorted(set(done.stdout.split()))


def has_checksum(archive, sha256):
    with open(archive, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest() == sha256


def fetch(source, archive):
    if os.path.exists(archive) and has_checksum(archive, source.sha256):
        return
    said = "apt has no mirror of Debian, see apt-get update"
    for mirror in mirrors():
        partial = archive + ".partial"
        argv = [HELPER, "download-file", mirror + source.archive, partial,
                "SHA256:" + source.sha256]
        good, last = run(argv, cache(), FETCH_SECONDS)
        if good and has_checksum(partial, source.sha256):
            os.rename(partial, archive)
            return
        said = last or said
    raise Unavailable(f"{os.path.basename(archive)} cannot be fetched: {said}")


def unpack(name, source, archive):
    """Appears under its name only when it is whole."""
    partial = path(name) + ".partial"
    shutil.rmtree(partial, ignore_errors=True)
    os.mkdir(partial)
    steps = [("tar", "-xf", archive, "--no-same-owner", "--strip-components=1", "--wildcards",
              *source.parts)]
    for argv in steps + list(source.build):
        good, last = run(argv, partial, BUILD_SECONDS)
        if not good:
            raise Unavailable(f"{name}: {argv[0]} failed: {last}")
    os.rename(partial, path(name))


def get(name):
    """Its directory, fetched, unpacked and built when it is not there. Raises Unavailable."""
    if os.path.isdir(path(name)):
        return path(name)
    source = SOURCES[name]
    try:
        os.makedirs(cache(), exist_ok=True)
        archive = os.path.join(cache(), os.path.basename(source.archive))
        fetch(source, archive)
        unpack(name, source, archive)
    except OSError as e:
        raise Unavailable(f"{name}: {e}") from e
    return path(name)
