"""One way to the origin server, and the order in which ways are measured."""

from __future__ import annotations

import http.client
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from .native import Load, LoadFailed
from .table import Effort, Table


@dataclass(frozen=True)
class Way:
    """One way to the origin server.

    Args:
        name: for the tables.
        port: of 127.0.0.1.
        prefix: of the paths.
        headers: to send with each request.
        pid: of the process whose memory is looked at; None where nobody looks.
    """

    name: str
    port: int
    prefix: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    pid: int | None = None

    def url(self, path: str) -> str:
        """For tools that take one."""
        return f"http://127.0.0.1:{self.port}{self.prefix}{path}"

    def connect(self) -> http.client.HTTPConnection:
        """A connection."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def at(self, prefix: str) -> Way:
        """The same with another prefix."""
        return replace(self, prefix=prefix)

    def get(self, connection: http.client.HTTPConnection, path: str) -> bytes:
        """The body of one answer.

        Raises:
            LoadFailed: the answer is not 200.
        """
        connection.request("GET", self.prefix + path, headers=self.headers)
        response = connection.getresponse()
        body = response.read()
        if response.status != 200:
            raise LoadFailed(f"{self.name}: {response.status} {body[:200]!r}")
        return body

    def load(self, load: Load, case: str, path: str, **options: float) -> dict[str, Any]:
        """What a case of native/load.c measured."""
        return load.run(case, self.port, self.prefix + path, self.headers, **options)


def in_turn(effort: Effort, ways: Sequence[Way | None]) -> Iterator[Way]:
    """Those that exist on this machine, round by round: what else happens on it happens to all."""
    for _ in range(effort.rounds):
        for way in ways:
            if way is not None:
                yield way


@contextmanager
def trying(way: Way, *tables: Table) -> Iterator[None]:
    """What one way cannot do is noted in its tables, and the others are measured."""
    try:
        yield
    except LoadFailed as error:
        print(f"failed: {way.name}: {error}", flush=True)
        for table in tables:
            table.failures[way.name] = str(error)[:300]
