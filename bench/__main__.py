"""``python -m bench [MEASURE ...]``; see README.md."""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import platform
import signal
import sys
from datetime import datetime, timezone

from . import environments
from .measures import MEASURES, Effort, Table
from .rig import Rig
from .standalone import standalone

ALL = {**MEASURES, "standalone": standalone}
RESULTS = environments.BENCH / "results.json"


def main() -> None:
    """Measure, print, and keep the figures."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Speed and memory, side by side in one run.")
    parser.add_argument("measures", nargs="*", metavar="MEASURE", help=f"of: {', '.join(ALL)} (default: all)")
    parser.add_argument("--rounds", type=int, default=3, help="figures per way; the median counts (default: 3)")
    parser.add_argument("--seconds", type=float, default=3.0, help="for each figure that is a rate (default: 3)")
    parser.add_argument("--old", metavar="PYTHON", help="of an environment that has version 4.6 already")
    options = parser.parse_args()
    unknown = set(options.measures) - set(ALL)
    if unknown:
        parser.error(f"there is no measure {', '.join(sorted(unknown))}; there are {', '.join(ALL)}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started ends with us
    tables: list[Table] = []
    with contextlib.closing(Rig(options.old)) as rig:
        for name in options.measures or ALL:
            for table in ALL[name](rig, Effort(options.rounds, options.seconds)):
                show(table)
                tables.append(table)
                keep(tables)
    print(f"\nkept in {RESULTS.relative_to(environments.ROOT)}")


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
    RESULTS.parent.mkdir(exist_ok=True)
    machine = {"machine": platform.machine(), "cpus": os.cpu_count(), "python": platform.python_version()}
    measured = [
        {
            "title": table.title,
            "base": table.base,
            "figures": table.figures,
            "medians": {way: table.median(way) for way in table.figures},
        }
        for table in tables
    ]
    when = datetime.now(timezone.utc).isoformat(timespec="seconds")
    RESULTS.write_text(json.dumps({"when": when, **machine, "tables": measured}, indent=1))


if __name__ == "__main__":
    main()
