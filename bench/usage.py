"""What a process uses, as Linux counts it in /proc: memory, and time of the processors."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

MIB = 1024 * 1024


@dataclass
class Usage:
    """Of a process while something was done.

    Args:
        peak: of its memory, in MiB.
        growth: how far that is above what there was before.
        seconds: of processors, its own and the kernel's on its behalf.
    """

    peak: float = 0.0
    growth: float = 0.0
    seconds: float = 0.0


def resident(pid: int, field: str = "VmRSS") -> int:
    """Bytes: ``VmRSS`` now, ``VmHWM`` at the peak."""
    found = re.search(rf"{field}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) * 1024


def processor_seconds(pid: int) -> float:
    """Spent since its start, in user and kernel mode."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def usage_of(pid: int | None) -> Iterator[Usage]:
    """Watch a process; None for nobody. The kernel keeps the peak: nothing between two looks is missed."""
    usage = Usage()
    if pid is None:
        yield usage
        return
    before, spent = resident(pid), processor_seconds(pid)
    Path(f"/proc/{pid}/clear_refs").write_text("5")  # the peak begins anew
    yield usage
    usage.seconds = processor_seconds(pid) - spent
    usage.peak = resident(pid, "VmHWM") / MIB
    usage.growth = (resident(pid, "VmHWM") - before) / MIB
