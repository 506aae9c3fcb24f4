"""The resident memory of a process, as Linux counts it in /proc."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

MIB = 1024 * 1024


@dataclass
class Memory:
    """Of a process while something was done, in MiB: the peak, and how far that is above what there was before."""

    peak: float = 0.0
    growth: float = 0.0


def resident(pid: int, field: str = "VmRSS") -> int:
    """Bytes: ``VmRSS`` now, ``VmHWM`` at the peak."""
    found = re.search(rf"{field}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) * 1024


@contextmanager
def memory_of(pid: int | None) -> Iterator[Memory]:
    """Watch a process; None for nobody. The kernel keeps the peak: nothing between two looks is missed."""
    memory = Memory()
    if pid is None:
        yield memory
        return
    before = resident(pid)
    Path(f"/proc/{pid}/clear_refs").write_text("5")  # the peak begins anew
    yield memory
    memory.peak = resident(pid, "VmHWM") / MIB
    memory.growth = (resident(pid, "VmHWM") - before) / MIB
