"""Websockets: messages there and back, one way, at a low rate; and what each costs."""

from __future__ import annotations

import subprocess
import time

from ..native import LoadFailed
from ..rig import Rig
from ..table import Effort, Table
from ..usage import MIB, resident, usage_of
from ..way import Way, in_turn, trying

#: Open at the same time.
IDLE = 1000
BULK = 256 * MIB
BULK_MESSAGE = 64 * 1024


def ways(rig: Rig) -> list[Way | None]:
    """nginx and configurable-http-proxy do not buffer websockets."""
    return [rig.direct(), rig.nginx(), rig.chp(), rig.standalone(), rig.new(), rig.old()]


def echo(rig: Rig, effort: Effort) -> list[Table]:
    """On each connection a message, and the next when it is back."""
    tables = []
    for connections in (1, 16):
        for size in (32, 1024, 64 * 1024):
            subject = f"websocket echo of {size} bytes, {connections} connection(s)"
            rate = Table(f"ws-{size}-{connections}", f"messages/s: {subject}")
            cost = Table(f"ws-{size}-{connections}-cpu", f"microseconds of processor: {subject}", False)
            for way in in_turn(effort, ways(rig)):
                with trying(way, rate), usage_of(way.pid) as usage:
                    done = way.load(rig.load, "echo", "/ws", c=connections, s=size, t=effort.seconds)
                    rate.add(way.name, done["rate"])
                if way.pid is not None and way.name not in rate.failures:
                    cost.add(way.name, usage.seconds / done["rate"] / effort.seconds * 1e6)
            tables += [rate, cost]
    return tables


def bulk(rig: Rig, effort: Effort) -> list[Table]:
    """One way, in messages of 64 KiB."""
    tables = []
    for case, what in (("pull", "to the client"), ("push", "to the server")):
        rate = Table(f"ws-{case}", f"MiB/s: websocket, 256 MiB in messages of 64 KiB {what}")
        grown = Table(f"ws-{case}-growth", f"MiB by which the proxy grows: the same {what}", None)
        for way in in_turn(effort, ways(rig)):
            with trying(way, rate), usage_of(way.pid) as usage:
                done = way.load(rig.load, case, "/ws", s=BULK, m=BULK_MESSAGE)
                rate.add(way.name, done["bytes"] / MIB / done["seconds"])
            if way.pid is not None and way.name not in rate.failures:
                grown.add(way.name, usage.growth)
        tables += [rate, grown]
    return tables


def pace(rig: Rig, effort: Effort) -> list[Table]:
    """One connection, 100 messages of 32 bytes per second."""
    half = Table("ws-pace", "milliseconds, median: websocket round trip at 100 messages/s", False)
    most = Table("ws-pace-p99", "milliseconds, 99th percentile: websocket round trip at 100 messages/s", False)
    for way in in_turn(effort, ways(rig)):
        with trying(way, half, most):
            done = way.load(rig.load, "pace", "/ws", s=32, r=100, t=effort.seconds)
            half.add(way.name, done["p50"] / 1000)
            most.add(way.name, done["p99"] / 1000)
    return [half, most]


def connect(rig: Rig, effort: Effort) -> list[Table]:
    """From the TCP connection until the handshake is answered."""
    table = Table("ws-connect", "milliseconds, median: opening a websocket", False)
    for way in in_turn(effort, ways(rig)):
        with trying(way, table):
            table.add(way.name, way.load(rig.load, "connect", "/ws", n=200)["p50"] / 1000)
    return [table]


def idle(rig: Rig, effort: Effort) -> list[Table]:
    """Memory for each of 1,000 that are open; each figure from a Jupyter Server of its own, whose memory is fresh."""
    table = Table("ws-idle", f"KiB of the proxy for each of {IDLE} idle websockets", False)
    pythons = {"new": rig.new_python, "4.6": rig.old_python}
    for _ in range(effort.rounds):
        for name, python in pythons.items():
            jupyter = rig.jupyter(f"idle-{name}", python)
            try:
                way = rig.way_of(jupyter, name)
                way.load(rig.load, "connect", "/ws", n=10)
                time.sleep(0.5)
                before = resident(jupyter.process.pid)
                with Held(rig, way, IDLE):
                    time.sleep(0.5)
                    table.add(way.name, (resident(jupyter.process.pid) - before) / 1024 / IDLE)
            finally:
                jupyter.stop()
    return [table]


class Held:
    """A context in which a number of idle websockets is open."""

    def __init__(self, rig: Rig, way: Way, number: int) -> None:
        command = rig.load.command("hold", way.port, f"{way.prefix}/ws", way.headers, n=number)
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def __enter__(self) -> None:
        assert self._process.stdout is not None
        if not self._process.stdout.readline():
            raise LoadFailed(self._process.communicate()[1].strip())

    def __exit__(self, *_: object) -> None:
        self._process.communicate()
