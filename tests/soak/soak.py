"""Mixed load on one Jupyter for some minutes: what it holds must not grow. Run it by ``make soak``.

Memory, descriptors, threads and children are sampled every few seconds. The first quarter of the time is the warm-up;
of the rest, the trend of each must be flat (``trend.py`` says how that is judged): at most 4 MiB or 3 % more memory, at
most 3 more descriptors and one more thread or child between the first sample and the last. When the load has ended,
descriptors, tasks and children must be exactly as many as before it, and at most 1 MiB more may be allocated. And no
conversation may go wrong.

Jupyter runs with a fixed MALLOC_TRIM_THRESHOLD_: by default glibc raises it when large blocks are freed, and then keeps
some 15 MiB of free memory for itself, which looks like a slow leak for as long as it lasts. For the same reason each
sample is taken after a garbage collection: those that Python starts by itself are minutes apart, and reference cycles
gather meanwhile.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "integration"))

from harness import APPS, ECHO, Jupyter, free_port, wait_until
from load import BROKEN, JOBS
from trend import Trend, judge

MIB = 1 << 20

#: Seconds between kills. A server that lives for less than ten seconds is kept waiting before its next start.
KILL_EVERY = 13.0
END_EVERY = 7.0

#: Allowed growth after the warm-up: absolute, and as a part of the first values.
LIMITS = {"rss": (4 * MIB, 0.03), "descriptors": (3, 0.0), "threads": (1, 0.0), "children": (1, 0.0)}


#: Bytes that may be allocated at rest beyond those before the load; caches and the tails of logs have a limit.
MAY_STAY = MIB


def configuration() -> str:
    tcp_echo = [sys.executable, str(APPS / "tcp_echo.py"), "--port={port}"]
    servers: dict[str, dict[str, Any]] = {
        "echo": {"command": ECHO},
        "sock": {"command": ECHO, "unix_socket": True},
        "victim": {"command": ECHO, "timeout": 30},
        "leaver": {"command": ECHO, "timeout": 30},
        "raw": {"command": tcp_echo, "raw_socket_proxy": True},
        "nobody": {"port": free_port()},
    }
    return f"""
c.ServerApp.extra_services = ["debug_state"]
c.ServerProxy.servers = {servers!r}
"""


class Soak:
    """The load, and what was seen.

    Args:
        jupyter: to put it on.
        seed: of everything that is left to chance.
    """

    def __init__(self, jupyter: Jupyter, seed: int) -> None:
        self.jupyter = jupyter
        self.seed = seed
        self.done: Counter[str] = Counter()
        self.wrong: list[str] = []
        self._over = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self, workers: int) -> None:
        """Begin, with so many clients at a time."""
        for target in (*([self._work] * workers), self._kill, self._let_end):
            thread = threading.Thread(target=target, args=(random.Random(self.seed + len(self._threads)),))
            self._threads.append(thread)
            thread.start()

    def stop(self) -> None:
        """Let every conversation end."""
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _work(self, choose: random.Random) -> None:
        jobs, weights = list(JOBS), list(JOBS.values())
        while not self._over.wait(choose.random() * 0.05):
            (job,) = choose.choices(jobs, weights)
            self.do(job, choose)

    def do(self, job: Any, choose: random.Random) -> None:
        """One conversation."""
        self.done[job.__name__] += 1
        try:
            job(self.jupyter, choose)
        except BROKEN as error:
            self.wrong.append(f"{job.__name__}: {error!r}")

    def _kill(self, choose: random.Random) -> None:
        while not self._over.wait(KILL_EVERY):
            with contextlib.suppress(*BROKEN):
                os.kill(self.jupyter.get("victim/environ").json()["pid"], signal.SIGKILL)
                self.done["killed"] += 1

    def _let_end(self, choose: random.Random) -> None:
        while not self._over.wait(END_EVERY):
            with contextlib.suppress(*BROKEN):
                self.jupyter.get("leaver/exit/0")
                self.done["ended"] += 1


# ---- measuring


def sample(process: psutil.Process) -> dict[str, int]:
    with process.oneshot():
        return {
            "rss": process.memory_info().rss,
            "descriptors": process.num_fds(),
            "threads": process.num_threads(),
            "children": len(process.children(recursive=True)),
        }


def at_rest(jupyter: Jupyter) -> tuple[dict[str, int], int]:
    """What Jupyter holds when nothing is under way: things that are counted, and bytes allocated."""
    seen: dict[str, Any] = {}

    def quiet() -> bool:
        for name in ("echo", "sock", "victim", "leaver"):
            if jupyter.get(f"{name}/page").status != 200:
                return False
        time.sleep(1)
        seen.update(jupyter.get("debug/state").json())
        return not seen["journeys"] and not seen["inside"] and not seen["in_line"]

    wait_until(quiet, "Jupyter to come to rest")
    counts = {
        "descriptors": len(seen["descriptors"]) - seen["idle"],
        "tasks": len(seen["tasks"]),
        "children": seen["children"],
    }
    return counts, seen["allocated"]


def measure(soak: Soak, seconds: float, interval: float) -> tuple[list[float], list[dict[str, int]]]:
    """Sample while the load runs, and print each sample."""
    process = psutil.Process(soak.jupyter.process.pid)
    times: list[float] = []
    samples: list[dict[str, int]] = []
    begin = time.monotonic()
    print(f"{'seconds':>8} {'RSS MiB':>8} {'fds':>5} {'threads':>8} {'children':>9} {'done':>8} {'wrong':>6}")
    while (passed := time.monotonic() - begin) < seconds:
        soak.jupyter.get("debug/state")  # which collects garbage
        times.append(passed)
        samples.append(now := sample(process))
        print(
            f"{passed:8.0f} {now['rss'] / MIB:8.1f} {now['descriptors']:5} {now['threads']:8} {now['children']:9}"
            f" {soak.done.total():8} {len(soak.wrong):6}",
            flush=True,
        )
        time.sleep(interval)
    return times, samples


def trends(times: list[float], samples: list[dict[str, int]]) -> list[Trend]:
    """Of what was sampled after the warm-up."""
    first = next(index for index, passed in enumerate(times) if passed >= times[-1] / 4)
    return [
        judge(name, times[first:], [values[name] for values in samples[first:]], *limits)
        for name, limits in LIMITS.items()
    ]


def report(
    soak: Soak, found: list[Trend], before: tuple[dict[str, int], int], after: tuple[dict[str, int], int]
) -> bool:
    """Print the verdict; whether all is well."""
    print("\nconversations:", ", ".join(f"{name} {count}" for name, count in sorted(soak.done.items())))
    for line in soak.wrong[:20]:
        print("WRONG", line)
    print("\nafter the warm-up      start    growth   allowed")
    for trend in found:
        unit = MIB if trend.name == "rss" else 1
        numbers = f"{trend.start / unit:10.1f}{trend.growth / unit:10.2f}{trend.limit / unit:10.2f}"
        print(f"{trend.name:16}{numbers}  {'flat' if trend.flat else 'GROWS'}")
    same, more = before[0] == after[0], after[1] - before[1]
    print("\nat rest, before:", before[0], "after:", after[0], "same" if same else "DIFFERENT")
    print(f"allocated at rest, before: {before[1] / MIB:.2f} MiB, after: {after[1] / MIB:.2f} MiB")
    return not soak.wrong and same and more <= MAY_STAY and all(trend.flat for trend in found)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--interval", type=float, default=5, help="seconds between samples")
    parser.add_argument("--workers", type=int, default=6, help="clients at a time")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    path = os.pathsep.join(filter(None, [str(APPS), os.environ.get("PYTHONPATH")]))
    environment = {"PYTHONPATH": path, "MALLOC_TRIM_THRESHOLD_": str(128 * 1024)}
    with tempfile.TemporaryDirectory(prefix="soak-") as directory:
        jupyter = Jupyter(Path(directory) / "server", configuration(), environment=environment)
        try:
            jupyter.wait_ready()
            soak = Soak(jupyter, arguments.seed)
            for job in JOBS:
                soak.do(job, random.Random(arguments.seed))
            before = at_rest(jupyter)
            soak.start(arguments.workers)
            try:
                times, samples = measure(soak, arguments.minutes * 60, arguments.interval)
            finally:
                soak.stop()
            well = report(soak, trends(times, samples), before, at_rest(jupyter))
        finally:
            jupyter.stop()
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
