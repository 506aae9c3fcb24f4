"""``python -m bench [MEASURE ...]``; see README.md."""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
from datetime import datetime, timezone

from . import environments
from .measures import MEASURES, Effort, Table
from .rig import Rig


def main() -> None:
    """Measure, print, and keep the figures."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Speed and memory, side by side in one run.")
    parser.add_argument("measures", nargs="*", metavar="MEASURE", help=f"of: {', '.join(MEASURES)} (default: all)")
    parser.add_argument("--rounds", type=int, default=3, help="figures per way; the median counts (default: 3)")
    parser.add_argument("--seconds", type=float, default=3.0, help="for each figure that is a rate (default: 3)")
    parser.add_argument("--old", metavar="PYTHON", help="of an environment that has version 4.6 already")
    options = parser.parse_args()
    unknown = set(options.measures) - set(MEASURES)
    if unknown:
        parser.error(f"there is no measure {', '.join(sorted(unknown))}; there are {', '.join(MEASURES)}")
    tables: list[Table] = []
    rig = Rig(options.old)
    try:
        for name in options.measures or MEASURES:
            for table in MEASURES[name](rig, Effort(options.rounds, options.seconds)):
                show(table)
                tables.append(table)
    finally:
        rig.close()
    keep(tables)


def show(table: Table) -> None:
    """Print a table."""
    print(f"\n{table.title}")
    for way in table.figures:
        figures = table.figures[way]
        ratio = table.ratio(way)
        times = "" if math.isnan(ratio) else f"{ratio:8.2f} x"
        print(
            f"  {way:26} {table.median(way):12,.1f}   ({min(figures):,.1f} - {max(figures):,.1f}) {times}", flush=True
        )


def keep(tables: list[Table]) -> None:
    """Write the figures where they can be compared later."""
    environments.BENCH.mkdir(exist_ok=True)
    path = environments.BENCH / "results.json"
    machine = {"machine": platform.machine(), "cpus": os.cpu_count(), "python": platform.python_version()}
    measured = [{"title": table.title, "base": table.base, "figures": table.figures} for table in tables]
    when = datetime.now(timezone.utc).isoformat(timespec="seconds")
    path.write_text(json.dumps({"when": when, **machine, "tables": measured}, indent=1))
    print(f"\nkept in {path.relative_to(environments.ROOT)}")


if __name__ == "__main__":
    main()
