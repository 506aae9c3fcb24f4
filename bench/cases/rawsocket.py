"""Raw sockets: messages of a websocket on one side, plain bytes on the other."""

from __future__ import annotations

from ..rig import Rig
from ..table import Effort, Table
from ..usage import MIB, usage_of
from ..way import Way, in_turn, trying

BULK = 256 * MIB
MESSAGE = 64 * 1024


def rawsocket(rig: Rig, effort: Effort) -> list[Table]:
    """256 MiB, each way; messages of 64 KiB where the client sends them."""
    tables = []
    ways = [at_raw(rig.new()), at_raw(rig.old())]
    for case, what in (("pull", "to the client"), ("push", "to the server")):
        rate = Table(f"raw-{case}", f"MiB/s: raw socket, 256 MiB {what}")
        grown = Table(f"raw-{case}-growth", f"MiB by which the proxy grows: the same {what}", None)
        for way in in_turn(effort, ways):
            with trying(way, rate), usage_of(way.pid) as usage:
                done = way.load(rig.load, case, "/", s=BULK, m=MESSAGE)
                rate.add(way.name, done["bytes"] / MIB / done["seconds"])
            if way.name not in rate.failures:
                grown.add(way.name, usage.growth)
        tables += [rate, grown]
    return tables


def at_raw(way: Way) -> Way:
    """To the server that speaks no HTTP."""
    return way.at(way.prefix.partition("proxy/")[0] + "raw")
