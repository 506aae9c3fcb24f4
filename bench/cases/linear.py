"""Whether a request costs the same when there is more of everything else."""

from __future__ import annotations

import contextlib
import socket

from ..rig import Jupyter, Rig
from ..table import Effort, Table
from ..way import Way, trying
from .websocket import Held


def linear(rig: Rig, effort: Effort) -> list[Table]:
    """GETs of 1 KiB on 16 connections."""
    return [*websockets(rig, effort), *servers(rig, effort), *routes(rig, effort)]


def rate(rig: Rig, effort: Effort, way: Way, table: Table, name: str) -> None:
    """One figure."""
    with trying(way, table):
        table.add(name, rig.load.gets(way.url("/1k"), way.headers, 16, effort.seconds)[0])


def websockets(rig: Rig, effort: Effort) -> list[Table]:
    """While 10 and 1,000 idle websockets are open, to another port: requests to one port have a limit of 1,000."""
    table = Table("linear-websockets", "requests/s: GET of 1 KiB, 16 connections, beside idle websockets")
    way = rig.new()
    asked = way.at(way.prefix.replace(str(rig.origin), str(rig.neighbour)))
    for _ in range(effort.rounds):
        for number in (10, 1000):
            with Held(rig, way, number):
                rate(rig, effort, asked, table, f"new, {number:,} websockets")
    return [table]


def servers(rig: Rig, effort: Effort) -> list[Table]:
    """With 1 and 50 configured servers."""
    table = Table("linear-servers", "requests/s: GET of 1 KiB, 16 connections, to the last of the configured servers")
    ways = {}
    with contextlib.ExitStack() as stack:
        for number in (1, 50):
            options = {"command": [rig.origin_program, "{port}"], "timeout": 30}
            config = f"c.ServerProxy.servers = { ({f'app{n}': options for n in range(1, number + 1)})!r}\n"
            jupyter = rig.jupyter(f"servers-{number}", rig.new_python, config)
            stack.callback(jupyter.stop)
            way = rig.way_of(jupyter, "new").at(f"{jupyter.base_url}app{number}")
            connection = way.connect()
            way.get(connection, "/1k")
            connection.close()
            ways[f"new, {number} server(s)"] = way
        for _ in range(effort.rounds):
            for name, way in ways.items():
                rate(rig, effort, way, table, name)
    return [table]


def routes(rig: Rig, effort: Effort) -> list[Table]:
    """After 1 and 200 destinations below /proxy/ have been used."""
    table = Table("linear-routes", "requests/s: GET of 1 KiB, 16 connections, beside routes to other ports in use")
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(200)]
        ports = [one.getsockname()[1] for one in sockets]
    rig.start([rig.origin_program, *map(str, ports)], "many", ports[-1])

    def use(jupyter: Jupyter, number: int) -> Way:
        way = rig.way_of(jupyter, "new")
        for port in ports[:number]:
            connection = way.connect()
            way.at(f"{jupyter.base_url}proxy/{port}").get(connection, "/1k")
            connection.close()
        return way.at(f"{jupyter.base_url}proxy/{ports[0]}")

    with contextlib.ExitStack() as stack:
        ways = {}
        for number in (1, 200):
            jupyter = rig.jupyter(f"routes-{number}", rig.new_python)
            stack.callback(jupyter.stop)
            ways[f"new, {number} route(s)"] = use(jupyter, number)
        for _ in range(effort.rounds):
            for name, way in ways.items():
                rate(rig, effort, way, table, name)
    return [table]
