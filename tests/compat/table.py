"""Write the tables of ``docs/compatibility.md`` from the results of the last run: ``python tests/compat/table.py``."""

from __future__ import annotations

import html
import json
import sys
from collections.abc import Iterable
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
RESULTS = ROOT / ".cache/compat/results.json"
PAGE = ROOT / "docs/compatibility.md"
ENTRY_POINTS = "test_entry_points.py"

Row = dict[str, str]


def table(rows: Iterable[Row]) -> str:
    """A line for each package, or for several that were exercised by the same tests; in the order of the tests."""
    packages: dict[str, list[Row]] = {}
    for row in rows:
        packages.setdefault(row["package"], []).append(row)
    together: dict[tuple[str, ...], list[str]] = {}
    for package, tests in packages.items():
        key = tuple(test["test"] for test in tests)
        together.setdefault(key, []).append(package)
    lines = ["| Package | Version | Exercised | Result |", "| --- | --- | --- | --- |"]
    for names in together.values():
        tests = packages[names[0]]
        exercised = "; ".join(dict.fromkeys(test["exercised"] for test in tests))
        versions = ", ".join(packages[name][0]["version"] for name in names)
        bad = [test["exercised"] for test in tests if test["result"] != "passed"]
        result = f"**failed:** {cell('; '.join(bad))}" if bad else "passed"
        lines.append(f"| {', '.join(names)} | {versions} | {cell(exercised)} | {result} |")
    return "\n".join(lines)


def cell(text: str) -> str:
    """As text within a table of Markdown."""
    return html.escape(text, quote=False).replace("|", "\\|")


def left_out() -> str:
    """A list of what is not tested, and why."""
    lines = (HERE / "left-out.txt").read_text().splitlines()
    return "\n".join(f"- {line}" for line in lines if not line.startswith("#"))


def main() -> None:
    """Replace what stands between the markers of the page."""
    rows: list[Row] = json.loads(RESULTS.read_text())
    parts = {
        "used": table(row for row in rows if ENTRY_POINTS not in row["test"]),
        "loaded": table(row for row in rows if ENTRY_POINTS in row["test"]),
        "left out": left_out(),
    }
    page = PAGE.read_text()
    for name, text in parts.items():
        begin, end = f"<!-- begin: {name} -->\n", f"<!-- end: {name} -->"
        before, found, rest = page.partition(begin)
        _, found_end, after = rest.partition(end)
        if not found or not found_end:
            sys.exit(f"{PAGE} has no place for {name!r}")
        page = f"{before}{begin}\n{text}\n\n{end}{after}"
    PAGE.write_text(page)


if __name__ == "__main__":
    main()
