"""What is measured. Each function takes the rig and returns rows: what it is, and one figure for each way and round.

Rounds are interleaved (A B C, A B C, ...), so that what else happens on the machine happens to all.
"""

from __future__ import annotations

import asyncio
import http.client
import os
import re
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import psutil

from . import environments
from .rig import COLD, ORIGIN, Rig, Way, free_port

MIB = 1024 * 1024


@dataclass
class Table:
    """Figures by way.

    Args:
        title: what was measured, and in which unit.
        base: the way that ratios are given against; "" for none.
        more_is_better: decides how ratios are formed; they are above 1 where a way is better than the base.
    """

    title: str
    base: str
    more_is_better: bool = True
    figures: dict[str, list[float]] = field(default_factory=dict)

    def add(self, way: str, figure: float) -> None:
        """One figure of one round."""
        self.figures.setdefault(way, []).append(figure)

    def median(self, way: str) -> float:
        """Over the rounds."""
        return statistics.median(self.figures[way])

    def ratio(self, way: str) -> float:
        """Of the medians, against the base; nan without one."""
        if self.base not in self.figures or not self.median(self.base) or not self.median(way):
            return float("nan")
        ratio = self.median(way) / self.median(self.base)
        return ratio if self.more_is_better else 1 / ratio


@dataclass
class Effort:
    """How long to measure: rounds, and seconds for each figure that is a rate."""

    rounds: int
    seconds: float


def ways(*made: Way | None) -> list[Way]:
    """Those that exist on this machine."""
    return [way for way in made if way is not None]


# ---- small requests


def get(rig: Rig, effort: Effort) -> list[Table]:
    """1 KiB GETs by wrk, 16 connections, one thread."""
    wrk = environments.program("wrk", "wrk")
    if wrk is None:
        return []
    table = Table("requests/s: GET of 1 KiB, 16 connections", "4.6, cookie")
    compared = ways(
        rig.direct(), rig.nginx(), rig.chp(), rig.new("cookie"), rig.new("token"), rig.old("cookie"), rig.old("token")
    )
    for _ in range(effort.rounds):
        for way in compared:
            fields = [word for name, value in way.headers.items() for word in ("-H", f"{name}: {value}")]
            command = [wrk, "-t1", "-c16", f"-d{max(1, round(effort.seconds))}s", *fields, way.url("/1k")]
            output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            if "Non-2xx" in output or "Socket errors" in output:
                raise RuntimeError(f"{way.name}: {output}")
            table.add(way.name, float(re.findall(r"Requests/sec:\s+([\d.]+)", output)[0]))
    return [table]


def latency(rig: Rig, effort: Effort) -> list[Table]:
    """The same on one connection, one request after the other."""
    half = Table("milliseconds: GET of 1 KiB, one connection, median", "4.6, cookie", more_is_better=False)
    most = Table("milliseconds: GET of 1 KiB, one connection, 99th percentile", "4.6, cookie", more_is_better=False)
    compared = ways(rig.direct(), rig.nginx(), rig.chp(), rig.new(), rig.old())
    for _ in range(effort.rounds):
        for way in compared:
            connection = way.connect()
            times = []
            for _ in range(300):
                began = time.perf_counter()
                request(connection, way, "/1k")
                times.append((time.perf_counter() - began) * 1000)
            connection.close()
            half.add(way.name, statistics.median(times))
            most.add(way.name, statistics.quantiles(times, n=100)[98])
    return [half, most]


def request(connection: http.client.HTTPConnection, way: Way, path: str) -> bytes:
    """One request; its body."""
    connection.request("GET", way.prefix + path, headers=way.headers)
    response = connection.getresponse()
    body = response.read()
    if response.status != 200:
        raise RuntimeError(f"{way.name}: {response.status} {body[:200]!r}")
    return body


# ---- large bodies


def bodies(rig: Rig, effort: Effort) -> list[Table]:
    """256 MiB each way; 64 MiB through 4.6, which fails beyond 100."""
    down = Table("MiB/s: download of 256 MiB (4.6: 64 MiB)", "4.6, cookie")
    up = Table("MiB/s: upload of 256 MiB (4.6: 64 MiB)", "4.6, cookie")
    grown_down = Table("MiB by which Jupyter grows at most during such a download", "")
    grown_up = Table("MiB by which Jupyter grows at most during such an upload", "")
    for _ in range(effort.rounds):
        for way in ways(rig.direct(), rig.nginx(), rig.new(), rig.old()):
            size = 64 if way.name.startswith("4.6") else 256
            for table, grown, transfer in ((down, grown_down, download), (up, grown_up, upload)):
                with growth(way) as grew:
                    began = time.perf_counter()
                    transfer(way, size * MIB)
                    table.add(way.name, size / (time.perf_counter() - began))
                if way.pid is not None:
                    grown.add(way.name, grew[0] / MIB)
    return [down, up, grown_down, grown_up]


def download(way: Way, size: int) -> None:
    """A large response, read and dropped."""
    connection = way.connect()
    connection.request("GET", f"{way.prefix}/bytes/{size}", headers=way.headers)
    response = connection.getresponse()
    buffer, left = bytearray(MIB), size
    while count := response.readinto(buffer):
        left -= count
    connection.close()
    if response.status != 200 or left:
        raise RuntimeError(f"{way.name}: {response.status}, {left} bytes are missing")


def upload(way: Way, size: int) -> None:
    """A large request."""
    connection = way.connect()
    connection.putrequest("PUT", f"{way.prefix}/upload")
    for name, value in {**way.headers, "Content-Length": str(size)}.items():
        connection.putheader(name, value)
    connection.endheaders()
    block = b"z" * MIB
    for _ in range(size // MIB):
        connection.send(block)
    response = connection.getresponse()
    body = response.read()
    connection.close()
    if body != str(size).encode():
        raise RuntimeError(f"{way.name}: {response.status} {body[:200]!r}")


@contextmanager
def growth(way: Way) -> Iterator[list[float]]:
    """The most by which the resident memory of a way's process grows, in bytes, looked at 50 times a second."""
    grew, done = [0.0], threading.Event()

    def look(process: psutil.Process) -> None:
        before = process.memory_info().rss
        while not done.wait(0.02):
            grew[0] = max(grew[0], process.memory_info().rss - before)

    watcher = threading.Thread(target=look, args=(psutil.Process(way.pid),)) if way.pid is not None else None
    if watcher is not None:
        watcher.start()
    try:
        yield grew
    finally:
        done.set()
        if watcher is not None:
            watcher.join()


# ---- websockets


def websocket(rig: Rig, effort: Effort) -> list[Table]:
    """Echo of 32-byte messages: one after the other on each connection."""
    tables = []
    for connections in (1, 16):
        table = Table(f"messages/s: websocket echo, {connections} connection(s)", "4.6, cookie")
        for _ in range(effort.rounds):
            for way in ways(rig.direct(), rig.new(), rig.old()):
                table.add(way.name, asyncio.run(echo(way, connections, effort.seconds)))
        tables.append(table)
    return tables


async def echo(way: Way, connections: int, seconds: float) -> float:
    """Messages per second."""
    deadline = time.perf_counter() + seconds
    counts = await asyncio.gather(*(talk(way, deadline) for _ in range(connections)))
    return sum(counts) / seconds


async def talk(way: Way, deadline: float) -> int:
    """Messages that came back on one connection until the deadline."""
    reader, writer = await asyncio.open_connection("127.0.0.1", way.port)
    fields = {
        "Host": f"127.0.0.1:{way.port}", "Upgrade": "websocket", "Connection": "Upgrade",
        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==", "Sec-WebSocket-Version": "13", **way.headers,
    }  # fmt: skip
    lines = [f"GET {way.prefix}/ws HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items()), "", ""]
    writer.write("\r\n".join(lines).encode())
    head = await reader.readuntil(b"\r\n\r\n")
    if b" 101 " not in head:
        raise RuntimeError(f"{way.name}: {head!r}")
    frame = b"\x82\xa0" + b"\1\2\3\4" + bytes(32)
    count = 0
    while time.perf_counter() < deadline:
        writer.write(frame)
        await reader.readexactly(34)
        count += 1
    writer.close()
    return count


# ---- starts


def cold(rig: Rig, effort: Effort) -> list[Table]:
    """The first request of a server that is not running; and the same server started and asked without a proxy."""
    tables = []
    kinds = {"slow": ([sys.executable, ORIGIN], ["--delay", "0.1"], "needs 100 ms to listen")}
    if rig.quick():
        kinds["quick"] = ([rig.quick()], [], "listens at once")
    for name, (command, options, what) in kinds.items():
        table = Table(f"milliseconds: first request of a server that {what}", "4.6, cookie", False)
        for number in range(min(max(effort.rounds, 5), COLD)):
            table.add("direct", alone(command, options) * 1000)
            for way in ways(rig.new(), rig.old()):
                connection = way.connect()
                base = way.prefix.partition("proxy/")[0]
                began = time.perf_counter()
                request(connection, Way(way.name, way.port, f"{base}{name}{number}", way.headers), "/1k")
                table.add(way.name, (time.perf_counter() - began) * 1000)
                connection.close()
        tables.append(table)
    return tables


def alone(command: list[str], options: list[str]) -> float:
    """Seconds from the start of a server until it has answered a request."""
    port = free_port()
    began = time.perf_counter()
    process = subprocess.Popen([*command, str(port), *options], stdin=subprocess.DEVNULL)
    try:
        while True:
            try:
                with socket.create_connection(("127.0.0.1", port)) as sock:
                    sock.sendall(b"GET /1k HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                    if sock.recv(65536):
                        return time.perf_counter() - began
            except ConnectionError:
                time.sleep(0.0002)
    finally:
        process.kill()
        process.wait()


IMPORT = """
import sys, time, jupyter_server.serverapp, jupyter_server.extension.application
modules, began = set(sys.modules), time.perf_counter()
import {modules}
print((time.perf_counter() - began) * 1000, len(set(sys.modules) - modules))
"""


def imports(rig: Rig, effort: Effort) -> list[Table]:
    """What Jupyter's start pays for the extension, when Jupyter Server itself is imported already."""
    spent = Table("milliseconds: import of the extension", "4.6", more_is_better=False)
    loaded = Table("modules that the import loads", "4.6", more_is_better=False)
    old = environments.old_python(rig.old_python)
    for _ in range(max(effort.rounds, 5)):
        for name, python, modules in (
            ("new", sys.executable, "jupyter_server_proxy.extension"),
            ("4.6", old, "jupyter_server_proxy.config, jupyter_server_proxy.handlers, jupyter_server_proxy.api"),
        ):
            code = IMPORT.format(modules=modules)
            output = subprocess.run(
                [python, "-c", code], check=True, capture_output=True, text=True, cwd=os.path.dirname(ORIGIN)
            )
            milliseconds, count = output.stdout.split()
            spent.add(name, float(milliseconds))
            loaded.add(name, float(count))
    return [spent, loaded]


MEASURES: dict[str, Callable[[Rig, Effort], Sequence[Table]]] = {
    "get": get, "latency": latency, "bodies": bodies, "websocket": websocket, "cold": cold, "imports": imports,
}  # fmt: skip
