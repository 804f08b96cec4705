"""Policies: sandtape policy, and whether the JSON Schema says what the parser says."""

import json
import os
import subprocess

from harness import (ROOT, SANDTAPE, Skipped, case, expect, expect_equal, expect_status,
                     expect_text, short)

SAMPLES = os.path.join(ROOT, "fixtures", "policies")
SCHEMA = os.path.join(ROOT, "sandbox", "policy.schema.json")


def samples(*kinds):
    for kind in kinds:
        for name in sorted(os.listdir(os.path.join(SAMPLES, kind))):
            yield os.path.join(SAMPLES, kind, name)


def put(place, text):
    place.fresh({"policy.json": text})
    return "policy.json"


@case("policy check: a policy that is fine")
def check_fine(place):
    result = place.sandtape("policy", "check", put(place, '{"version": 1}'))
    expect_status(result, 0)
    expect_equal("stdout", b"policy.json: fine\n", result.out)
    expect_equal("stderr", b"", result.err)
    result = place.sandtape("policy", "check", "-q", "policy.json")
    expect_status(result, 0)
    expect_equal("stdout", b"", result.out)


@case("policy check: an error names file, line and key")
def check_wrong(place):
    text = '{\n  "version": 1,\n  "fs": {\n    "wrte": ["/tmp"]\n  }\n}\n'
    result = place.sandtape("policy", "check", put(place, text))
    expect_status(result, 1)
    expect_equal("stdout", b"", result.out)
    expect_equal("stderr", b'sandtape: policy.json:4: fs.wrte: there is no such key; did you mean '
                 b'"write"?\n', result.err)


@case("policy check: all bad samples are refused, whoever asks")
def check_bad(place):
    place.fresh({})
    count = 0
    for path in samples("bad", "refused"):
        result = place.sandtape("policy", "check", path)
        expect(result.status == 1, f"{path}: status {result.status}: {short(result.err)}")
        expect_text(result, os.path.basename(path) + ":")
        count += 1
    expect(count >= 40, f"only {count} samples")


@case("policy check: a root that is missing")
def check_missing(place):
    text = '{"version": 1, "fs": {"read": ["/usr",\n "/none/x"]}%s}'
    result = place.sandtape("policy", "check", put(place, text % ""))
    expect_status(result, 1)
    told = b"policy.json:2: fs.read[1]: the root /none/x"
    missing = b": there is no such file or directory"
    expect_equal("stderr", b"sandtape: " + told + missing +
                 b"; with a question mark in front it need not be there\n", result.err)
    result = place.sandtape("run", "--policy", "policy.json", "--", "true")
    expect_status(result, 125)
    expect(told + missing in result.err, short(result.err))
    # Not of the file.
    result = place.sandtape("run", "--write", "/none/y", "--", "true")
    expect_equal("stderr", b"sandtape: the root /none/y" + missing + b"\n", result.err)
    result = place.sandtape("policy", "check", put(place, text.replace("/none", "?/none") % ""))
    expect_status(result, 0)
    warn = text % ', "strictness": {"landlock-fs": "warn"}'
    result = place.sandtape("policy", "check", put(place, warn))
    expect_status(result, 0)
    expect_text(result, "sandtape: policy.json:2: fs.read[1]: the root /none/x grants nothing")
    result = place.sandtape("policy", "check", "-q", "policy.json")
    expect_status(result, 0)
    expect_equal("stderr", b"", result.err)


@case("policy check: a root by a link that programs could change")
def check_link(place):
    put(place, '{"version": 1, "fs": {"read": ["$WORK/link"]}}')
    os.symlink("/", os.path.join(place.work, "link"))
    result = place.sandtape("policy", "check", "policy.json")
    expect_status(result, 1)
    expect_text(result, "lets programs change the link")


@case("policy check: presets in what is denied or read-only, and links that lead there")
def check_presets(place):
    put(place, '{"version": 1, "fs": {"deny": ["$HOME"], "read_only": ["/dev"]}}')
    result = place.sandtape("policy", "show", "policy.json")
    expect_status(result, 0)
    granted = json.loads(result.out)["fs"]
    for kind in ("read", "write", "exec"):
        inside = [path for path in granted[kind] if path.startswith((f"?{place.home}", "?/dev/"))]
        expect_equal(kind, [], inside)
    link = os.path.join(place.home, "usr")
    os.symlink("/usr", link)
    put(place, json.dumps({"version": 1, "fs": {"deny": ["/usr"], "read": [link]}}))
    result = place.sandtape("policy", "check", "policy.json")
    expect_status(result, 1)
    expect_text(result, "it leads to /usr, and /usr is denied")


@case("policy show: reads back to the same, and grants what it says")
def show_reads_back(place):
    for path in samples("good"):
        place.fresh({})
        first = place.sandtape("policy", "show", path)
        expect_status(first, 0, path)
        put(place, first.out.decode())
        again = place.sandtape("policy", "show", "policy.json")
        expect_status(again, 0, path)
        expect_equal(path, first.out, again.out)
        shown = json.loads(first.out)
        expect_equal("presets", [], shown["fs"]["presets"])
        text = first.out.decode()
        expect("$WORK" not in text and "$TMP" not in text, "a place that is not expanded")


@case("policy show: all of it")
def show_all(place):
    result = place.sandtape("policy", "show", put(place, '{"version": 1}'))
    expect_status(result, 0)
    shown = json.loads(result.out)
    with open(SCHEMA, encoding="utf-8") as f:
        schema = json.load(f)
    def keys(properties):
        return sorted(set(properties) - {"comment"})

    expect_equal("keys", keys(schema["properties"]), sorted(shown))
    for name, value in schema["properties"].items():
        if "properties" in value:
            expect_equal("keys of " + name, keys(value["properties"]), sorted(shown[name]))
    expect_equal("workspace", [os.path.realpath(place.work)], shown["fs"]["workspace"])
    expect("?/usr" in shown["fs"]["exec"], "the system is not executable")
    expect("?/etc/shadow" in shown["fs"]["deny"], "/etc/shadow is not denied")
    expect(f"?{place.home}/.ssh" in shown["fs"]["deny"], "keys are not denied")
    expect_equal("network", "none", shown["net"]["mode"])


@case("policy show: standard output on a full disk")
def show_full(place):
    put(place, '{"version": 1}')
    with open("/dev/full", "wb") as full:
        result = subprocess.run([SANDTAPE, "policy", "show", "policy.json"], cwd=place.work,
                                stdout=full, stderr=subprocess.PIPE, check=False)
    expect_equal("status", 125, result.returncode)
    expect(b"standard output" in result.stderr, short(result.stderr))


def refuse_twice(pairs):
    if len(dict(pairs)) != len(pairs):
        raise ValueError("a key that is there twice")
    return dict(pairs)


@case("policy: the JSON Schema and the parser agree on the samples")
def schema_agrees(place):
    try:
        import jsonschema
    except ImportError:
        raise Skipped("python has no jsonschema; a unit test compares the keys") from None
    with open(SCHEMA, encoding="utf-8") as f:
        validator = jsonschema.Draft202012Validator(json.load(f))
    validator.check_schema(validator.schema)
    for path in samples("good", "bad", "refused"):
        try:
            with open(path, "rb") as f:
                value = json.loads(f.read().decode(), object_pairs_hook=refuse_twice)
            valid = validator.is_valid(value)
        except ValueError:
            valid = False
        expect_equal(path, os.path.basename(os.path.dirname(path)) != "bad", valid)
    for path in samples("good"):
        place.fresh({})
        shown = json.loads(place.sandtape("policy", "show", path).out)
        validator.validate(shown)
