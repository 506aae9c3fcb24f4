"""The results of a run, as JSON for programs and as Markdown for people."""

from __future__ import annotations

import json
import math
import os
import platform
import subprocess
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from . import plot
from .environments import BENCH, ROOT
from .table import Effort, Table
from .targets import CHP, NGINX, TARGETS, Tables

RESULTS = BENCH / "results"

#: Where direct is less than this many times as good as the best proxy, the load may be the limit.
HEADROOM = 2.0


def keep(tables: Sequence[Table], effort: Effort) -> None:
    """Write results.json, results.md and results.svg; called after each case, so that a run that ends early counts."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    facts = circumstances(effort)
    measured = [
        {
            "name": table.name,
            "title": table.title,
            "more_is_better": table.more_is_better,
            "medians": {way: table.median(way) for way in table.figures},
            "figures": table.figures,
            "failures": table.failures,
        }
        for table in tables
    ]
    (RESULTS / "results.json").write_text(json.dumps({**facts, "tables": measured}, indent=1) + "\n")
    (RESULTS / "results.md").write_text(markdown(tables, facts))
    (RESULTS / "results.svg").write_text(plot.drawing(tables))


def circumstances(effort: Effort) -> dict[str, Any]:
    """What figures depend on."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in read("/proc/cpuinfo").splitlines()
            if line.startswith("model name")
        ),
        "",
    )
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return {
        "when": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "commit": commit.stdout.strip(),
        "machine": platform.machine(),
        "processor": model,
        "cpus": os.cpu_count(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "rounds": effort.rounds,
        "seconds": effort.seconds,
        "quick": effort.quick,
        "load_before": round(os.getloadavg()[2], 2),
    }


def read(path: str) -> str:
    """The text of a file; "" where there is none."""
    try:
        return Path(path).read_text()
    except OSError:
        return ""


# ---- Markdown


def markdown(tables: Sequence[Table], facts: dict[str, Any]) -> str:
    """Circumstances, targets, tables."""
    quick = "\n**A quick run: it shows whether everything works; its figures are not to be quoted.**\n"
    parts = [
        "# Results\n",
        ", ".join(f"{key}: {value}" for key, value in facts.items()) + "\n",
        quick if facts["quick"] else "",
        targets({table.name: table for table in tables}),
        "![medians](results.svg)\n",
        *(section(table) for table in tables),
    ]
    return "\n".join(part for part in parts if part)


def targets(tables: Tables) -> str:
    """The table of targets, as far as they were measured."""
    rows = []
    for target in TARGETS:
        state = target.state(tables)
        verdicts = "" if state == "not measured" else "<br>".join(one.verdict(tables) for one in target.clauses)
        rows.append(
            f"| {target.case} | {target.words} | {f'**{state}**' if state == 'not met' else state} | {verdicts} |"
        )
    return "## Targets\n\n| case | target | | in this run |\n|---|---|---|---|\n" + "\n".join(rows) + "\n"


def section(table: Table) -> str:
    """One table; ratios are above 1 where a way is better."""
    bases = [
        (f"x {name}", name) for name in ("4.6", CHP, NGINX) if base_of(table, "new, cookie", name) in table.figures
    ]
    if table.more_is_better is None:
        bases = []
    head = ["way", "median", "least", "most", *(title for title, _ in bases)]
    rows = [
        [way, number(table.median(way)), number(min(figures)), number(max(figures)),
         *(times(table.ratio(way, base_of(table, way, name))) for _, name in bases)]
        for way, figures in table.figures.items()
    ]  # fmt: skip
    rows += [[way, "failed", "", "", *("" for _ in bases)] for way in table.failures if way not in table.figures]
    lines = [f"### {table.title}\n", "| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    notes = [table.note, limits(table), *(f"{way} failed: {why}" for way, why in table.failures.items())]
    return "\n".join([*lines, "", *(f"{note}\n" for note in notes if note)])


def base_of(table: Table, way: str, name: str) -> str:
    """The way that one is compared with: 4.6 with the same login, where it has one."""
    if name != "4.6":
        return name
    same = f"4.6, {way.partition(', ')[2]}"
    return next((base for base in (same, "4.6, cookie", "4.6") if base in table.figures), "")


def limits(table: Table) -> str:
    """Whether the load generator or the origin server may be what was measured."""
    headroom = table.headroom()
    if math.isnan(headroom) or table.more_is_better is not True:
        return ""
    if headroom < HEADROOM:
        return f"Direct is only {headroom:.1f} times the best proxy: its ratios to slower ones are lower bounds."
    return f"Direct is {headroom:.1f} times the best proxy: the load is not the limit."


def number(value: float) -> str:
    """With three figures or more."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def times(ratio: float) -> str:
    """A ratio, or nothing."""
    return "" if math.isnan(ratio) else f"{ratio:.2f}"
