"""Makes a baseline of the failures of reports, and of nothing else: on any kernel, what else fails
is told then. Those of several kernels may be taken together; the host is that of the first, and of
what fails on two the first says how. Usage: known_failures.py REPORT... >BASELINE"""

import json
import sys

FAILURES = {"escaped", "misclassified", "overrefused", "contradiction"}


def main():
    reports = []
    for name in sys.argv[1:]:
        with open(name, encoding="utf-8") as f:
            reports.append(json.load(f))
    report, found = reports[0], {}
    for case in (case for one in reports for case in one["cases"]):
        if case["verdict"] in FAILURES:
            found.setdefault((case["id"], case["layer"], case["user"]), case)
    report["cases"] = list(found.values())
    summary = report["summary"]
    summary["cases"] = len({case["id"] for case in report["cases"]})
    summary["results"] = len(report["cases"])
    for verdict in summary["verdicts"]:
        summary["verdicts"][verdict] = sum(c["verdict"] == verdict for c in report["cases"])
    json.dump(report, sys.stdout, indent=2, ensure_ascii=False)
    print()


if __name__ == "__main__":
    main()
