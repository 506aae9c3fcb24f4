"""``python -m bench [CASE ...]``; see README.md."""

from __future__ import annotations

import argparse
import contextlib
import math
import signal
import sys
import time

from . import environments, report
from .cases import CASES, GROUPS, chosen
from .native import LoadFailed
from .rig import Rig, allow_many_files
from .table import Effort, Table
from .targets import TARGETS


def main() -> None:
    """Measure, print, and keep the figures."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Speed and memory, side by side in one run.")
    names = f"of: {', '.join(CASES)}; or {', '.join(GROUPS)} for several (default: all)"
    parser.add_argument("cases", nargs="*", metavar="CASE", help=names)
    parser.add_argument("--rounds", type=int, help="figures per way; the median counts (default: 3)")
    parser.add_argument("--seconds", type=float, help="for each figure that is a rate (default: 2)")
    parser.add_argument("--quick", action="store_true", help="only see whether everything works: one round of 1 second")
    parser.add_argument("--new", metavar="PYTHON", help="of an environment that has this checkout already")
    parser.add_argument("--old", metavar="PYTHON", help="of an environment that has version 4.6 already")
    options = parser.parse_args()
    try:
        cases = chosen(options.cases)
    except KeyError as error:
        parser.error(f"there is no case {error.args[0]}; there are {', '.join([*CASES, *GROUPS])}")
    rounds, seconds = (1, 1.0) if options.quick else (3, 2.0)
    effort = Effort(options.rounds or rounds, options.seconds or seconds, options.quick)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started ends with us
    allow_many_files()
    measure(cases, effort, Rig(options.new, options.old))


def measure(cases: list[str], effort: Effort, fresh: Rig) -> None:
    """Case by case; a case that cannot be measured leaves the others be."""
    tables: list[Table] = []
    with contextlib.closing(fresh) as rig:
        for name in cases:
            began = time.monotonic()
            try:
                found = CASES[name](rig, effort)
            except (LoadFailed, OSError, RuntimeError, AssertionError) as error:
                print(f"\nfailed: {name}: {error}", flush=True)
                continue
            for table in found:
                show(table)
            print(f"({name}: {time.monotonic() - began:.0f} s)", flush=True)
            tables += found
            report.keep(tables, effort)
    by_name = {table.name: table for table in tables}
    print("\ntargets")
    for target in TARGETS:
        if (state := target.state(by_name)) != "not measured":
            print(f"  {state.upper() if state == 'not met' else state:8} {target.case}")
            for clause in target.clauses:
                print(f"             {clause.verdict(by_name).replace('**', '')}")
    print(f"\nkept in {report.RESULTS.relative_to(environments.ROOT)}")


def show(table: Table) -> None:
    """Print a table; the ratio is to 4.6, and above 1 where a way is better."""
    print(f"\n{table.title}")
    for way, figures in table.figures.items():
        ratio = table.ratio(way, report.base_of(table, way, "4.6"))
        times = "" if math.isnan(ratio) else f"{ratio:8.2f} x"
        print(
            f"  {way:26} {table.median(way):12,.2f}   ({min(figures):,.2f} - {max(figures):,.2f}) {times}", flush=True
        )
    for way in table.failures:
        print(f"  {way:26} failed")


if __name__ == "__main__":
    main()
