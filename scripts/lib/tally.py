"""The closing lines of scripts/test: what each group of tests said, which judges ran, and the sum.

usage: tally.py REPORTS_FOLDER   exit status 1 when anything failed
"""

from __future__ import annotations

import sys
import xml.etree.ElementTree as xml
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from textwrap import indent

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests/services"))
import judges

GROUPS = {"python": "Python", "asan": "C++ under ASan+UBSan", "tsan": "C++ under TSan"}
TOLD_CASES = 5
TOLD_CHARACTERS = 4000


@dataclass
class Count:
    passed: int = 0
    failed: int = 0
    skipped: int = 0


def of_checks(file: Path) -> Count:
    """`file` holds "passed failed"; a run that died before writing it is one failure."""
    if not file.exists():
        return Count(failed=1)
    passed, failed = map(int, file.read_text().split())
    return Count(passed, failed)


def of_junit(file: Path) -> Count:
    """Counted from the single cases: a group without a report, or without a case, is one failure."""
    cases = list(xml.parse(file).getroot().iter("testcase")) if file.exists() else []
    if not cases:
        return Count(failed=1)
    count = Count()
    for case in cases:
        if case.find("failure") is not None or case.find("error") is not None:
            count.failed += 1
        elif case.find("skipped") is not None:
            count.skipped += 1
        else:
            count.passed += 1
    return count


def failures(file: Path) -> list[str]:
    """The name of each failed case with the end of what it said: `ctest --quiet` prints neither."""
    cases = xml.parse(file).getroot().iter("testcase") if file.exists() else ()
    told = []
    for case in cases:
        failed = next((found for found in map(case.find, ("failure", "error")) if found is not None), None)
        if failed is None:
            continue
        said = (case.findtext("system-out") or failed.text or failed.get("message") or "").strip()
        told.append(f"FAILED {case.get('name')}\n" + indent(said[-TOLD_CHARACTERS:], "    "))
    return told


def who_judged() -> str:
    """Per role those that ran, with their versions, and whoever should have."""
    found = {role: judges.running(role) for role in judges.ROLES}
    ran = [
        f"{role} by " + ", ".join(f"{name} {judges.KINDS[name].version}" for name in names)
        for role, names in found.items()
        if names
    ]
    ran.append(f"signatures by botocore {version('botocore')}")
    absent = [
        f"{kind.name} ({kind.needs})"
        for role, kinds in judges.ROLES.items()
        for kind in kinds
        if kind.name not in found[role]
    ]
    return f"judges: {'; '.join(ran)}; " + (f"MISSING: {', '.join(absent)}" if absent else "none missing")


def main(reports: Path) -> int:
    counts = {"checks": of_checks(reports / "check.count")}
    counts |= {name: of_junit(reports / f"{key}.xml") for key, name in GROUPS.items()}
    for name, count in counts.items():
        skipped = f", {count.skipped} skipped" if count.skipped else ""
        print(f"{name}: {count.passed} passed, {count.failed} failed{skipped}")
    for key in ("asan", "tsan"):  # pytest has told its own
        told = failures(reports / f"{key}.xml")
        print(*told[:TOLD_CASES], sep="\n", end="\n" if told else "")
    print(who_judged())
    failed = sum(count.failed for count in counts.values())
    print(f"{sum(count.passed for count in counts.values())} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
