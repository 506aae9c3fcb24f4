"""How long Jupyter itself takes while something large passes through it, at the same bytes per second for each."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

from ..native import LoadFailed
from ..rig import Rig
from ..table import Effort, Table
from ..usage import MIB
from ..way import Way, in_turn, trying

#: Bytes per second; what 4.6 can do, too.
RATE = 32 * MIB
#: Of each body or transfer, of which one follows the other.
SIZE = 32 * MIB
PROBES = 100

LOADS: dict[str, tuple[str, str, dict[str, float]]] = {
    "nothing": ("", "", {}),
    "a download": ("download", f"/bytes/{SIZE}/{RATE}", {}),
    "an upload": ("upload", "/upload", {"s": SIZE, "r": RATE}),
    "a websocket to the client": ("pull", "/ws", {"s": SIZE, "m": 64 * 1024, "r": RATE}),
    "a websocket to the server": ("push", "/ws", {"s": SIZE, "m": 64 * 1024, "r": RATE}),
}


def status(rig: Rig, effort: Effort) -> list[Table]:
    """GETs of /api/status, 100 per second, while 32 MiB per second pass."""
    tables = []
    seconds = max(effort.seconds, 2.0)
    for what, (case, path, options) in LOADS.items():
        name = f"status-{case or 'idle'}"
        half = Table(f"{name}-p50", f"milliseconds, median: /api/status during {what}", False)
        most = Table(name, f"milliseconds, 99th percentile: /api/status during {what}", False)
        reached = Table(f"{name}-rate", f"MiB/s that passed meanwhile: {what}", None)
        for way in in_turn(effort, [rig.new(), rig.old()]):
            with trying(way, half, most), loaded(rig, way, case, path, options, seconds, reached):
                probed = way.at(way.prefix.partition("proxy/")[0])
                done = probed.load(rig.load, "probe", "api/status", r=PROBES, t=seconds)
                half.add(way.name, done["p50"] / 1000)
                most.add(way.name, done["p99"] / 1000)
        tables += [half, most, *([reached] if case else [])]
    return tables


@contextmanager
def loaded(
    rig: Rig, way: Way, case: str, path: str, options: dict[str, float], seconds: float, reached: Table
) -> Iterator[None]:
    """While a load runs, which lasts a little longer than what is measured."""
    if not case:
        yield
        return
    command = rig.load.command(case, way.port, way.prefix + path, way.headers, t=seconds + 0.5, **options)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        time.sleep(0.3)
        yield
    finally:
        output, complaint = process.communicate()
    if process.returncode:
        raise LoadFailed(complaint.strip())
    done = rig.load.parse(output)
    reached.add(way.name, done["bytes"] / MIB / done["seconds"])
