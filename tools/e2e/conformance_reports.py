"""Reports of sandtape conformance: their forms, baselines, shards, and what is refused. Which cases
there are, and what they find, is told elsewhere: here a few of them do."""

import json
import os
import re
import shutil
import subprocess
import tempfile
import xml.etree.ElementTree as ET

from harness import (ROOT, SANDTAPE, Skipped, case, expect, expect_equal, expect_status,
                     expect_text, short)

SCHEMA = os.path.join(ROOT, "conformance", "report.schema.json")

# Of two mechanisms; they conform wherever there is Landlock.
FEW = r"landlock-fs\.(read|write)-file|seccomp\.errno"
FILES = r"landlock-fs\.(read|write)-file"
FEW_MECHANISMS = ["landlock-fs", "seccomp"]


def conformance(place, *options, env=None, **how):
    """In a directory that the ordinary user of root's runs can reach, too; nothing is left there."""
    scratch = tempfile.mkdtemp(prefix="sandtape-e2e-", dir="/var/tmp")
    try:
        os.chmod(scratch, 0o755)
        result = place.sandtape("conformance", *options, env={"TMPDIR": scratch, **(env or {})},
                                **how)
        expect_equal("left in the scratch directory", [], os.listdir(scratch))
        return result
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def one_sentence(result, *words):
    expect_status(result, 2)
    lines = [line for line in result.err.decode(errors="replace").splitlines()
             if not line.startswith("usage: ")]
    expect(len(lines) == 1 and lines[0].startswith("sandtape: "),
           f"not one sentence: {short(result.err, 400)}")
    for word in words:
        expect(word in lines[0], f"lacks {word!r}: {lines[0]}")


def report(place, name, *options, status=0):
    """Runs with a report in a file, and reads it."""
    result = conformance(place, "--format", "json", "-q", "-o", name, *options)
    expect_status(result, status)
    expect_equal("stdout", b"", result.out)
    with open(os.path.join(place.work, name), encoding="utf-8") as f:
        return json.load(f)


def few(place, name="few.json", filter_=FEW):
    made = report(place, name, "--filter", filter_)
    if made["host"]["landlock_abi"] == 0:
        raise Skipped("this kernel has no Landlock")
    return made


def put(place, name, made):
    place.write(name, json.dumps(made))
    return name


def results(made):
    return {(c["id"], c["layer"], c["user"]): c["verdict"] for c in made["cases"]}


# --- Which cases -----------------------------------------------------------------------------------


@case("conformance: --list, a filter, a shard, and a layer of a case")
def listed(place):
    result = conformance(place, "--list")
    expect_status(result, 0)
    ids = result.out.decode().splitlines()
    expect(len(ids) == len(set(ids)) and "landlock-net.fast-open" in ids, "the list of cases")
    for id_ in ids:
        expect(re.fullmatch(r"[a-z-]+\.[a-z0-9-]+", id_), f"an odd id: {id_}")
    result = conformance(place, "--list", "--filter", r"landlock-net\..*")
    expect_equal("filter", [i for i in ids if i.startswith("landlock-net.")],
                 result.out.decode().splitlines())
    parts = [conformance(place, "--list", "--shard", f"{k}/3").out.decode().splitlines()
             for k in (1, 2, 3)]
    expect_equal("shards", sorted(ids), sorted(sum(parts, [])))
    expect(all(parts), "an empty shard")
    made = report(place, "r.json", "--filter", "seccomp.errno/raw")
    expect_equal("layers", {"raw"}, {c["layer"] for c in made["cases"]})


WRONG = [
    (["--filter", "no.such"], "no case is called 'no.such'"),
    (["--filter", ""], "no case is called ''"),
    (["--filter", "("], "no regular expression"),
    (["--filter", "no.such)|(seccomp.errno"], "no regular expression"),
    (["--shard", "3/2"], "a shard is K/N"),
    (["--filter", "seccomp.errno", "--shard", "x"], "a shard is K/N"),
    (["--format", "yaml"], "there is no format 'yaml'"),
    (["--require", "seccomp,selinux"], "there is no mechanism 'selinux': they are seccomp, "),
    (["--require", ""], "there is no mechanism ''"),
    (["--require", "seccomp,"], "there is no mechanism ''"),
    (["--sabotage", ""], "there is no mechanism ''"),
    (["--sabotage", "selinux"], "there is no mechanism 'selinux'"),
    (["--baseline", "none.json"], "none.json"),
    (["-o", "none/r.json"], "none"),
    (["-o", ""], "the name of a file to be written is empty"),
    (["--save-baseline", "none/r.json"], "none"),
    (["--save-baseline", "b.json", "--sabotage", "seccomp"], "no baseline"),
    (["--save-baseline", "b.json", "-o", "b.json"], "not both b.json"),
    (["--jobs", "0"], "--jobs"),
    (["--jobs", "4294967297"], "--jobs"),
    (["--jobs", " 1"], "--jobs"),
    (["--launcher", ""], "--launcher names no program"),
    (["--launcher", "  "], "--launcher names no program"),
    (["--launcher", "env " * 65], "--launcher has 65 words"),
    (["--user", "me"], "there is no user 'me'"),
    (["--scratch", "/proc"], "/proc"),
    (["--scratch", "/" + 66 * "x"], "longer than the 66 bytes"),
    (["--scratch", '/a"b'], "a quote"),
    (["--scratch", "/a\nb"], "a control character"),
    (["--scratch", b"/\xff"], "no UTF-8"),
    (["--compare", "a.json"], "two files"),
    (["--merge"], "--merge takes"),
    (["--merge", "--compare", "a", "b"], "two things"),
    (["--compare", "a", "b", "--baseline", "c"], "takes no other"),
    (["--merge", "none.json"], "none.json"),
    (["--merge", "none.json", "--filter", "seccomp.*"], "--merge runs nothing: it takes no --fil"),
    (["--compare", "a", "b", "--shard", "1/2"], "--compare runs nothing: it takes no --shard"),
    (["operand"], "takes no 'operand'"),
]


@case("conformance: what is refused before anything is run, each in one sentence")
def refused(place):
    for options, words in WRONG:
        one_sentence(conformance(place, *options), words)


# --- Forms -----------------------------------------------------------------------------------------


def check_keys(schema, value, whole, where):
    """Every member that is written is one that the schema tells of."""
    while "$ref" in schema:
        schema = whole["$defs"][schema["$ref"].rsplit("/", 1)[1]]
    if isinstance(value, dict):
        for key, one in value.items():
            known = schema.get("properties", {}).get(key, schema.get("additionalProperties"))
            expect(known is not None, f"{where}.{key} is not in the schema")
            check_keys(known, one, whole, f"{where}.{key}")
    elif isinstance(value, list):
        for one in value:
            check_keys(schema["items"], one, whole, where + "[]")


@case("conformance: JSON is as its schema says, with a baseline too")
def as_schema(place):
    try:
        import jsonschema
    except ImportError:
        raise Skipped("python has no jsonschema; a unit test compares the names") from None
    with open(SCHEMA, encoding="utf-8") as f:
        schema = json.load(f)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    made = few(place)
    for one in (made, report(place, "b.json", "--filter", FEW, "--baseline", "few.json")):
        validator.validate(one)
        check_keys(schema, one, schema, "")
    expect_equal("summary", len(made["cases"]), made["summary"]["results"])
    expect_equal("cases", 3, made["summary"]["cases"])
    expect_equal("verdicts", made["summary"]["results"], sum(made["summary"]["verdicts"].values()))
    made["cases"][0]["verdict"] = "passed"
    expect(not validator.is_valid(made), "the schema lets another verdict pass")


@case("conformance: the table goes to standard output, and beside a file")
def table(place):
    few(place)
    result = conformance(place, "--filter", FEW)
    expect_status(result, 0)
    expect_equal("stderr", b"", result.err)
    lines = result.out.decode().splitlines()
    expect(lines[0].startswith("Linux "), lines[0])
    expect_equal("mechanisms", sorted(FEW_MECHANISMS), sorted(l.split()[0] for l in lines[1:3]))
    expect(re.fullmatch(r"\d+ results of 3 cases in [\d.]+ s: \d+ conforms.*", lines[3]), lines[3])
    expect(b"\x1b" not in result.out, "colours in a pipe")
    result = conformance(place, "--filter", "seccomp.errno/raw", "--user", "ordinary")
    expect_text_out(result, "\n1 result of 1 case in ")
    result = conformance(place, "--filter", FEW, "--format", "tap", "-o", "r.tap")
    expect_status(result, 0)
    expect(b"3 cases" in result.out, "no table beside a file")
    expect(place.content("r.tap").startswith(b"TAP version 14\n1.."), "no TAP in the file")
    result = conformance(place, "--filter", FEW, "-o", "/dev/stdout", "--format", "tap")
    expect(result.out.startswith(b"TAP") and b"3 cases" not in result.out, "two in one stream")


@case("conformance: a terminal has lines of its width, and colours unless NO_COLOR is set")
def terminal(place):
    few(place, filter_=FILES)
    for no_colour in ("", "1"):
        result = conformance(place, "--filter", FILES, "--sabotage", "landlock-fs", mode="pty",
                             env={"NO_COLOR": no_colour, "TERM": "xterm"})
        expect_status(result, 1)
        expect_equal("colours", not no_colour, b"\x1b[1;31mescaped" in result.out)


@case("conformance: TAP and JUnit tell of a failure what the table tells")
def test_reports(place):
    few(place, filter_=FILES)
    result = conformance(place, "--filter", FILES, "--sabotage", "landlock-fs", "--format", "tap")
    expect_status(result, 1)
    tap = result.out.decode().splitlines()
    bad = [line for line in tap if line.startswith("not ok ")]
    points = [line for line in tap if line.startswith(("ok ", "not ok "))]
    expect_equal("plan", f"1..{len(points)}", tap[1])
    expect(bad and "# TODO" not in "".join(bad), "no failure")
    expect_equal("blocks", len(bad), tap.count("  ---"))
    expect('  verdict: "escaped"' in tap and '  expected: "EACCES"' in tap, "diagnostics")
    result = conformance(place, "--filter", FILES, "--sabotage", "landlock-fs", "--format", "junit")
    expect_status(result, 1)
    root = ET.fromstring(result.out)
    expect_equal("root", "testsuites", root.tag)
    expect_equal("tests", str(len(points)), root.get("tests"))
    failures = root.findall("./testsuite/testcase/failure")
    expect_equal("failures", str(len(failures)), root.get("failures"))
    expect_equal("as in TAP", len(bad), len(failures))
    expect(all(f.get("type") == "escaped" and f.get("message") for f in failures), "a failure")


@case("conformance: texts of a report are escaped in every form")
def escaped(place):
    made = few(place)
    odd = "<b>&\"'# \\ --> ]]> </script> \u20ac"
    made["cases"][0].update(verdict="escaped", reason=odd, fix=odd, why=odd, refs=odd)
    made["cases"][1].update(verdict="not_measured", reason=odd)
    put(place, "odd.json", made)

    result = conformance(place, "--merge", "odd.json", "--format", "junit")
    expect_status(result, 1)
    root = ET.fromstring(result.out)
    expect_equal("failure", odd, root.find(".//failure").get("message"))
    expect(odd in root.find(".//skipped").get("message"), "skipped")
    result = conformance(place, "--merge", "odd.json", "--format", "html")
    page = result.out.decode()
    data = re.search(r'<script type="application/json" id="report">(.*?)</script>', page, re.S)
    expect_equal("page", odd, json.loads(data.group(1))["cases"][0]["reason"])
    expect("<b>" not in page, "a tag of a report in the page")
    result = conformance(place, "--merge", "odd.json", "--format", "tap")
    tap = result.out.decode()
    expect("# SKIP not_measured: <b>&\"'\\# \\\\ " in tap, "SKIP")
    expect(f'  reason: {json.dumps(odd, ensure_ascii=False)}' in tap, "YAML")
    made["cases"][0]["reason"] = "two\nlines"
    one_sentence(conformance(place, "--merge", put(place, "odd.json", made)), "odd.json:",
                 "cases[0].reason", "one line")


# --- Baselines -------------------------------------------------------------------------------------


@case("conformance: a saved baseline holds, and stays the same")
def holds(place):
    result = conformance(place, "--filter", FEW, "--save-baseline", "b.json")
    expect_status(result, 0)
    few(place)
    result = conformance(place, "--filter", FEW, "--baseline", "b.json", "--save-baseline",
                         "again.json")
    expect_status(result, 0)
    expect_text_out(result, "as in the baseline")
    first, again = (json.loads(place.content(name)) for name in ("b.json", "again.json"))
    for made in (first, again):
        del made["summary"]["duration_s"]
    expect_equal("baseline", first, again)
    result = conformance(place, "--compare", "b.json", "again.json")
    expect_status(result, 0)
    expect_text_out(result, "as in the baseline")


def expect_text_out(result, text):
    expect(text.encode() in result.out, f"lacks {text!r}: {short(result.out, 400)}")


@case("conformance: what no longer conforms fails, and what is known does not")
def broken_and_known(place):
    few(place)
    result = conformance(place, "--filter", FEW, "--sabotage", "landlock-fs", "-b", "few.json")
    expect_status(result, 1)
    expect_text_out(result, "[broken: was conforms]")
    expect(b"worse than in the baseline: first landlock-fs." in result.err, short(result.err))
    report(place, "bad.json", "--filter", FEW, "--sabotage", "landlock-fs", status=1)
    made = json.loads(place.content("bad.json"))
    for c in made["cases"]:
        c["fix"] = "0123456789ab (Linux 9.9)"
    put(place, "bad.json", made)
    result = conformance(place, "--filter", FEW, "--sabotage", "landlock-fs", "-b", "bad.json")
    expect_status(result, 0)
    expect_text_out(result, "[known]")
    expect_equal("stderr", b"", result.err)
    result = conformance(place, "--compare", "bad.json", "bad.json")
    expect_status(result, 0)
    expect_text_out(result, "[known]")
    expect_text_out(result, "fix: 0123456789ab (Linux 9.9)")
    for format_, mark in (("tap", b"# TODO known; fix: 0123456789ab"), ("junit", b'"known, ')):
        result = conformance(place, "--compare", "bad.json", "bad.json", "--format", format_)
        expect_status(result, 0)
        expect(mark in result.out, f"{format_} does not say what is known")
    result = conformance(place, "--filter", FEW, "-b", "bad.json")
    expect_status(result, 0)
    expect_text_out(result, "[fixed: was escaped]")


@case("conformance: of a baseline, what is new, gone, or changed")
def other_changes(place):
    made = few(place)
    first = made["cases"][0]
    without = dict(made, cases=made["cases"][1:])
    result = conformance(place, "--filter", FEW, "-b", put(place, "b.json", without))
    expect_status(result, 0)
    expect_text_out(result, "1 new")
    bad = dict(made, cases=[dict(first, verdict="escaped"), *made["cases"][1:]])
    result = conformance(place, "--compare", "b.json", put(place, "new.json", bad))
    expect_status(result, 1)
    expect_text_out(result, "[new]")
    more = dict(made, cases=[*made["cases"], dict(first, id="landlock-fs.no-more")])
    result = conformance(place, "--filter", FEW, "-b", put(place, "more.json", more))
    expect_status(result, 0)
    expect_text_out(result, "gone landlock-fs.no-more")
    # What was not to be run is not gone.
    result = conformance(place, "--filter", "seccomp.errno", "-b", "few.json")
    expect_status(result, 0)
    expect_text_out(result, "as in the baseline")
    broken = dict(made, cases=[dict(first, verdict="probe_broken"), *made["cases"][1:]])
    put(place, "broken.json", broken)
    expect_status(conformance(place, "--compare", "broken.json", "broken.json"), 2)
    result = conformance(place, "--merge", "broken.json", "--save-baseline", "never.json")
    expect_status(result, 2)
    expect_equal("a baseline of a broken suite", None, place.content("never.json"))


@case("conformance: a required mechanism must be measured, all of it")
def required(place):
    made = few(place)
    expect_status(conformance(place, "--filter", FEW, "--require", ",".join(FEW_MECHANISMS)), 0)
    for name, known in ("env", "env"), ("cgroups", "cgroup"):
        result = conformance(place, "--filter", FEW, "--require", name)
        expect_status(result, 1)
        expect_text(result, f"{known} is required, and has no result")
    # Another one of the same mechanism conforms.
    one = next(c for c in made["cases"] if c["id"] == "landlock-fs.read-file")
    for verdict, status in (("not_measured", 1), ("not_enforced", 1), ("not_applicable", 0)):
        one.update(verdict=verdict, reason="because")
        put(place, "b.json", made)
        expect_status(conformance(place, "--merge", "b.json"), 0)
        options = ["--require", one["mechanism"], "--baseline", "b.json"]
        expect_status(conformance(place, "--merge", "b.json", *options), status)


@case("conformance: a run that measured nothing is a failure")
def nothing(place):
    made = few(place)
    for c in made["cases"]:
        c.update(verdict="not_measured", reason="because")
    result = conformance(place, "--merge", put(place, "none.json", made), "-b", "none.json")
    expect_status(result, 1)
    expect_text(result, "nothing was measured")


@case("conformance: files that are no reports of this host are refused")
def bad_files(place):
    made = few(place)
    text = place.content("few.json").decode()
    host = dict(made["host"], arch="riscv64" if made["host"]["arch"] != "riscv64" else "sparc")
    rows = [
        ("empty", "", "no whole JSON"),
        ("truncated", text[:len(text) // 2], "no whole JSON"),
        ("array", "[]", "it must be an object"),
        ("schema", json.dumps(dict(made, schema=2)), "is of schema 2, and this program reads 1"),
        ("keyless", json.dumps(dict(made, cases=[{}])), 'cases[0]: "id" is missing'),
        ("typed", json.dumps(dict(made, cases=7)), "cases: it must be an array"),
        ("shard", json.dumps(dict(made, shard="3/2")), "shard: a shard is K/N"),
        ("twice", json.dumps(dict(made, cases=made["cases"] + made["cases"][:1])), "twice"),
        ("arch", json.dumps(dict(made, host=host)), "of another architecture"),
    ]
    for name, content, words in rows:
        place.write(name + ".json", content)
        named = [] if name == "arch" else [name + ".json:1"] if name != "truncated" else [".json:"]
        one_sentence(conformance(place, "--filter", FEW, "-b", name + ".json"), words, *named)


# --- Shards ----------------------------------------------------------------------------------------


@case("conformance: the reports of all shards are that of the whole")
def shards(place):
    cases = r"seccomp\.errno|seccomp\.kill|landlock-fs\.(read|write|make|remove)-file"
    whole = few(place, filter_=cases)
    names = []
    for k in (1, 2):
        listed_ = conformance(place, "--list", "--filter", cases, "--shard", f"{k}/2")
        if listed_.status == 2:  # all are in the other one
            continue
        names.append(f"{k}.json")
        report(place, names[-1], "--filter", cases, "--shard", f"{k}/2")
    expect_equal("parts", 2, len(names))
    one_sentence(conformance(place, "--merge", names[0]),
                 "1.json is of the shard 1/2, and no report is of the shard 2/2")
    merged = report(place, "merged.json", "--merge", *reversed(names))
    expect_equal("cases", whole["cases"], merged["cases"])
    expect_equal("host", whole["host"], merged["host"])
    result = conformance(place, "--merge", *names, "--baseline", "few.json")
    expect_status(result, 0)
    expect_text_out(result, "as in the baseline")


@case("conformance: reports that contradict each other do not become one")
def contradict(place):
    made = few(place)
    other = json.loads(json.dumps(made))
    other["cases"][0]["verdict"] = "escaped"
    put(place, "other.json", other)
    one_sentence(conformance(place, "--merge", "few.json", "other.json"), "other.json",
                 made["cases"][0]["id"])
    other = dict(made, host=dict(made["host"], kernel="0.1"))
    put(place, "other.json", other)
    one_sentence(conformance(place, "--merge", "few.json", "other.json"), "no parts of one report")
    expect_status(conformance(place, "--merge", "few.json", "few.json"), 0)


# --- Places ----------------------------------------------------------------------------------------


@case("conformance: a full disk behind a report, a baseline, standard output")
def full(place):
    few(place)
    for option in ("-o", "--save-baseline"):
        one_sentence(conformance(place, "--merge", "few.json", option, "/dev/full"), "/dev/full")
    with open("/dev/full", "wb") as disk:
        result = subprocess.run([SANDTAPE, "conformance", "--merge", "few.json"], cwd=place.work,
                                env=place.env(), stdout=disk, stderr=subprocess.PIPE, check=False)
    expect_equal("status", 2, result.returncode)
    expect(b"standard output" in result.stderr, short(result.stderr))


@case("conformance: a baseline is replaced in one step, and left alone by a failure")
def replaced(place):
    few(place)
    place.write("b.json", "old")
    one_sentence(conformance(place, "--merge", "none.json", "--save-baseline", "b.json"), "none")
    expect_equal("after a failure", b"old", place.content("b.json"))
    expect_status(conformance(place, "--merge", "few.json", "--save-baseline", "b.json"), 0)
    json.loads(place.content("b.json"))
    expect_equal("files", ["b.json", "few.json"], sorted(os.listdir(place.work)))


# --- The page --------------------------------------------------------------------------------------

BROWSERS = ["chromium", "chromium-browser", "google-chrome", "chrome"]

FRAME = """<!doctype html><title>frame</title><pre id="seen">nothing</pre>
<iframe src="page.html" width="%d" height="800"></iframe>
<script>addEventListener("message", (e) => document.getElementById("seen").textContent = e.data);
</script>"""

LOOK = """<script>
{
const wrong = [];
const check = (ok, what) => ok || wrong.push(what);
const key = (name) => document.activeElement.dispatchEvent(
  new KeyboardEvent("keydown", {key: name, bubbles: true, cancelable: true}));
const all = (what) => [...document.querySelectorAll(what)];
const open = () => document.getElementById("sheet").open;
const type = (text) => { const i = document.getElementById("text"); i.value = text;
  i.dispatchEvent(new Event("input")); };
const shown = (what) => all(what).filter((e) => e.getClientRects().length).length;

const light = (colour) => {
  const [r, g, b] = colour.match(/[0-9.]+/g).map((c) => (c /= 255) <= .03928 ? c / 12.92
    : ((c + .055) / 1.055) ** 2.4);
  return .2126 * r + .7152 * g + .0722 * b;
};
const contrast = (a, b) => {
  const [x, y] = [light(a), light(b)].sort((one, two) => two - one);
  return (x + .05) / (y + .05);
};

try {
  const cells = all(".cell");
  check(cells.length === RESULTS, `${cells.length} cells`);
  check(document.documentElement.scrollWidth <= innerWidth, "it is too wide");
  check(cells.every((c) => c.tabIndex === 0 && c.getAttribute("aria-label")), "a cell without a name");
  for (const name of ["good", "bad", "known", "open", "none", "broken"]) {
    const tag = document.createElement("span");
    tag.className = "cell " + name;
    document.querySelector("section").append(tag);
    const style = getComputedStyle(tag);
    const back = style.backgroundColor === "rgba(0, 0, 0, 0)"
      ? getComputedStyle(tag.parentElement).backgroundColor : style.backgroundColor;
    const ratio = contrast(style.color, back);
    check(ratio >= 4.5, `${name}: contrast ${ratio.toFixed(2)}`);
    tag.remove();
  }
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  check(dark === DARK, "the colour scheme");
  check(light(getComputedStyle(document.body).backgroundColor) < .1 === DARK, "the background");

  const at = cells.findIndex((c) => c.ariaLabel.startsWith("landlock-fs.read-file, raw"));
  cells[at].focus();
  key("ArrowRight");
  check(document.activeElement === cells[at + 1], "the arrow to the right");
  key("ArrowLeft");
  document.activeElement.click();
  check(open(), "a cell opens nothing");
  const sheet = document.getElementById("sheet");
  check(sheet.contains(document.activeElement), "the focus is outside");
  for (const text of ["landlock-fs.read-file", "<i>because</i>", "EACCES", "0123456789ab"])
    check(sheet.textContent.includes(text), `the sheet lacks ${text}`);
  check(!sheet.querySelector("i"), "a tag of the report");
  const title = sheet.textContent;
  document.getElementById("next").click();
  check(sheet.textContent !== title, "the next one is the same");
  document.getElementById("close").click();
  check(!open() && document.activeElement === cells[at], "the focus does not come back");

  const before = shown("tbody tr");
  type("read-file eacces");
  check(shown("tbody tr") === 1, "the filter by words");
  type("no-such-word");
  check(shown("tbody tr") === 0 && shown("section") === 0, "a word that is nowhere");
  type("");
  check(shown("tbody tr") === before && before === 3, "the empty filter");
  const chip = all(".chip").find((c) => c.textContent.startsWith("escaped"));
  chip.click();
  check(chip.getAttribute("aria-pressed") === "true" && shown("tbody tr") === 1, "by verdict");
  chip.click();
  check(shown("tbody tr") === before, "and back");
} catch (e) {
  wrong.push(String(e));
}
parent.postMessage(wrong.length ? wrong.join("; ") : "all is well", "*");
}
</script>"""


def find_browser():
    for name in BROWSERS:
        if shutil.which(name):
            return shutil.which(name)
    raise Skipped("there is no browser, so that nobody has looked at the page: " +
                  ", ".join(BROWSERS))


def dump(place, browser, *options):
    result = place.run([browser, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom",
                        "--virtual-time-budget=5000", "--user-data-dir=" + place.path("browser"),
                        *options, "file://" + os.path.join(place.work, "frame.html")])
    seen = re.search(r'<pre id="seen">(.*?)</pre>', result.out.decode("utf-8", "replace"), re.S)
    if not seen:
        raise Skipped(f"{browser} shows no page here: {short(result.err, 200)}")
    return seen.group(1)


@case("conformance: the page in a browser, by keyboard, on a phone, in the dark")
def browsed(place):
    browser = find_browser()
    made = few(place)
    for c in made["cases"]:
        if c["id"] == "landlock-fs.read-file" and c["layer"] == "raw":
            c.update(verdict="escaped", reason="<i>because</i>", fix="0123456789ab")
    put(place, "made.json", made)
    result = conformance(place, "--merge", "made.json", "--format", "html", "-o", "page.html", "-q")
    expect_status(result, 1)
    page = place.content("page.html").decode()
    look = LOOK.replace("RESULTS", str(len(made["cases"])))
    for width, dark in ((360, True), (1200, False)):
        place.write("page.html", page + look.replace("DARK", "true" if dark else "false"))
        place.write("frame.html", FRAME % width)
        options = ["--force-dark-mode"] if dark else []
        expect_equal(f"{width} wide{', dark' if dark else ''}", "all is well",
                     dump(place, browser, "--window-size=1300,900", *options))


@case("conformance: the page needs nothing else, and is small with a thousand results")
def page_alone(place):
    made = few(place)
    one = dict(made["cases"][0], why="x" * 120, reason="y" * 120, fix="z" * 40)
    made["cases"] = [dict(one, id=f"landlock-fs.case-number-{i}") for i in range(1000)]
    put(place, "big.json", made)
    result = conformance(place, "--merge", "big.json", "--format", "html", "-o", "p.html", "-q")
    expect_status(result, 0)
    page = place.content("p.html")
    expect(len(page) < 1024 * 1024, f"{len(page)} bytes")
    outside = re.sub(rb'<script type="application/json".*?</script>', b"", page, flags=re.S)
    for mark in (b"http:", b"https:", b" src=", b" href=", b"url(", b"@import", b"fetch("):
        expect(mark not in outside, f"the page has {mark.decode()}")
