"""What processes use: CPU and memory of a server's whole tree."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

import psutil


@dataclass(frozen=True)
class Resources:
    """Of a process and all its descendants.

    Args:
        cpu_percent: since it was last measured, or since it was started; 100 is one processor.
        memory_bytes: resident, shared pages counted in each process.
        count: processes.
    """

    cpu_percent: float
    memory_bytes: int
    count: int


class ResourceMeter:
    """Measures trees of processes; remembers what CPU time they had before."""

    def __init__(self) -> None:
        self._before: dict[tuple[int, float], tuple[float, float]] = {}

    def measure(self, pids: Iterable[int]) -> dict[int, Resources]:
        """One walk over all processes of the system; blocks for some milliseconds.

        Args:
            pids: of the roots.

        Returns:
            By root; those that have ended are left out.
        """
        roots = set(pids)
        children: dict[int, list[psutil.Process]] = {}
        found: dict[int, psutil.Process] = {}
        running: set[int] = set()
        for process in psutil.process_iter():
            running.add(process.pid)
            try:
                children.setdefault(process.ppid(), []).append(process)
            except psutil.Error:
                continue
            if process.pid in roots:
                found[process.pid] = process
        measured: dict[int, Resources] = {}
        for pid, root in found.items():
            try:
                started = root.create_time()
            except psutil.Error:
                continue  # it has ended meanwhile
            measured[pid] = self._measure(_tree(root, children), started)
        # Of others than these roots, too, which are asked about at other times; a copy, for threads that do so now.
        self._before = {key: value for key, value in list(self._before.items()) if key[0] in running}
        return measured

    def _measure(self, tree: list[psutil.Process], started: float) -> Resources:
        cpu, memory, count = 0.0, 0, 0
        for process in tree:
            try:
                with process.oneshot():
                    times = process.cpu_times()
                    memory += process.memory_info().rss
            except psutil.Error:
                continue
            cpu += times.user + times.system
            count += 1
        key, now = (tree[0].pid, started), time.time()
        since, before = self._before.get(key, (started, 0.0))
        self._before[key] = (now, cpu)
        # Children that have ended take their time with them.
        percent = max(0.0, cpu - before) / max(now - since, 0.01) * 100
        return Resources(round(percent, 1), memory, count)


def _tree(root: psutil.Process, children: dict[int, list[psutil.Process]]) -> list[psutil.Process]:
    tree, seen = [root], {root.pid}
    for process in tree:
        for child in children.get(process.pid, ()):
            if child.pid not in seen:
                seen.add(child.pid)
                tree.append(child)
    return tree
