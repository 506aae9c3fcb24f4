"""Large bodies, both ways, and the memory that they take."""

from __future__ import annotations

from collections.abc import Sequence

from ..rig import Rig
from ..table import Effort, Table
from ..usage import MIB, usage_of
from ..way import Way, in_turn, trying

OLD_LIMIT = "4.6 holds bodies in memory, and refuses those of more than 100 MiB."


def download(rig: Rig, effort: Effort) -> list[Table]:
    """64 MiB and 1 GiB, read and dropped."""
    proxies = [*rig.peers(), rig.new()]
    small = transfers(rig, effort, "download", "download of", 64, [*proxies, rig.old()])
    return [*small, *transfers(rig, effort, "download", "download of", 1024, proxies, OLD_LIMIT)]


def upload(rig: Rig, effort: Effort) -> list[Table]:
    """64 MiB and 1 GiB with Content-Length, and 1 GiB in chunks."""
    proxies = [*rig.peers(), rig.new()]
    return [
        *transfers(rig, effort, "upload", "upload with Content-Length of", 64, [*proxies, rig.old()]),
        *transfers(rig, effort, "upload", "upload with Content-Length of", 1024, proxies, OLD_LIMIT),
        *transfers(rig, effort, "upload-chunked", "upload in chunks of", 1024, proxies, OLD_LIMIT),
    ]


def transfers(
    rig: Rig, effort: Effort, name: str, what: str, size: int, ways: Sequence[Way | None], note: str = ""
) -> list[Table]:
    """MiB per second; the peak and the growth of the proxy's memory."""
    rate = Table(f"{name}-{size}", f"MiB/s: {what} {size} MiB", note=note)
    grown = Table(f"{name}-{size}-growth", f"MiB by which the proxy grows: {what} {size} MiB", None)
    peak = Table(f"{name}-{size}-peak", f"MiB that the proxy has at most: {what} {size} MiB", None)
    for way in in_turn(effort, ways):
        with trying(way, rate), usage_of(way.pid) as usage:
            if name == "download":
                done = way.load(rig.load, "download", f"/bytes/{size * MIB}")
            else:
                done = way.load(rig.load, "upload", "/upload", s=size * MIB, k=int(name == "upload-chunked"))
            rate.add(way.name, done["bytes"] / MIB / done["seconds"])
        if way.pid is not None and way.name not in rate.failures:
            grown.add(way.name, usage.growth)
            peak.add(way.name, usage.peak)
    return [rate, grown, peak]
