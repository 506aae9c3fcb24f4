"""Server-sent events: each holds the time at which it was sent, on the clock that all processes share."""

from __future__ import annotations

from ..rig import Rig
from ..table import Effort, Table
from ..way import in_turn, trying

PAUSE = 10_000  # microseconds between two events
EVENTS = 20


def events(rig: Rig, effort: Effort) -> list[Table]:
    """The first event, and the delay of the others, with the Accept of EventSource and with any."""
    tables = []
    for name, accept in (("sse", "text/event-stream"), ("sse-any", "*/*")):
        first = Table(f"{name}-first", f"milliseconds: request until first event, Accept: {accept}", False)
        delay = Table(f"{name}-delay", f"milliseconds, median: delay of an event, Accept: {accept}", False)
        for way in in_turn(effort, [*rig.peers(), rig.new(), rig.old()]):
            with trying(way, first, delay):
                accepting = {**way.headers, "Accept": accept}
                path = f"{way.prefix}/events/{EVENTS}/{PAUSE}"
                done = rig.load.run("events", way.port, path, accepting, n=effort.many(10))
                first.add(way.name, done["first"] / 1000)
                delay.add(way.name, done["delay"] / 1000)
        tables += [first, delay]
    return tables
