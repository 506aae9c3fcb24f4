"""What the project wants to reach, and what a run says about it. Never an error: a text."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from .table import Table

Tables = Mapping[str, Table]


@dataclass(frozen=True)
class Clause:
    """One comparison of two medians, or of one with a number.

    Args:
        table: name of the table.
        way: whose median it is.
        base: the way that it is compared with; "" compares the median itself.
        least: of the quotient way / base; None where there is a most.
        most: of the quotient.
        base_table: where the base's median stands, if not in the same table.
    """

    table: str
    way: str
    base: str = ""
    least: float | None = None
    most: float | None = None
    base_table: str = ""

    def value(self, tables: Tables) -> float:
        """nan where it was not measured."""
        ours = median(tables, self.table, self.way)
        if not self.base:
            return ours
        theirs = median(tables, self.base_table or self.table, self.base)
        return ours / theirs if theirs else math.nan

    def is_met(self, value: float) -> bool:
        """Whether a value is good enough."""
        return (self.least is None or value >= self.least) and (self.most is None or value <= self.most)

    def verdict(self, tables: Tables) -> str:
        """In words."""
        value = self.value(tables)
        limit = f"at least {self.least:g}" if self.least is not None else f"at most {self.most:g}"
        of = f" of {self.base}" if self.base else ""
        told = f"{self.way}: {value:.3g}{of} ({limit})"
        if math.isnan(value):
            return f"{self.way}{of}: not measured"
        if self.is_met(value):
            return f"{told}: met"
        if self.least is not None:
            return f"**{told}: not met, {100 * (1 - value / self.least):.0f} % too little**"
        assert self.most is not None
        return f"**{told}: not met, {100 * (value / self.most - 1):.0f} % too much**"


def median(tables: Tables, table: str, way: str) -> float:
    """nan where there is none."""
    return tables[table].median(way) if table in tables else math.nan


@dataclass(frozen=True)
class Target:
    """One line of the table: the case and the target in words, and what they mean."""

    case: str
    words: str
    clauses: tuple[Clause, ...]

    def state(self, tables: Tables) -> str:
        """ "met", "not met", "met as far as measured", or "not measured"."""
        values = [(clause, clause.value(tables)) for clause in self.clauses]
        measured = [(clause, value) for clause, value in values if not math.isnan(value)]
        if not measured:
            return "not measured"
        if not all(clause.is_met(value) for clause, value in measured):
            return "not met"
        return "met" if len(measured) == len(values) else "met as far as measured"


CHP, NGINX = "configurable-http-proxy", "nginx, buffering off"
NEW, OLD, ALONE = "new, cookie", "4.6, cookie", "new, standalone"


def each(*clauses: Clause) -> tuple[Clause, ...]:
    """For long lists."""
    return clauses


TARGETS = (
    Target(
        "GET, 16 connections, token and cookie, stock identity provider",
        "at least 11 times 4.6 and 1.1 times configurable-http-proxy",
        tuple(
            clause
            for login in ("token", "cookie")
            for clause in (
                Clause("get-16", f"new, {login}", f"4.6, {login}", least=11),
                Clause("get-16", f"new, {login}", CHP, least=1.1),
            )
        ),
    ),
    Target("GET, 1 connection, p50", "at most 0.15 of 4.6",
           tuple(Clause("get-1-p50", f"new, {login}", f"4.6, {login}", most=0.15) for login in ("token", "cookie"))),
    Target("GET, every request through a custom identity provider (no login cache)", "at least 5 times 4.6",
           tuple(Clause("get-custom-16", f"new, {login}", f"4.6, {login}", least=5) for login in ("token", "cookie"))),
    Target(
        "1 GiB download",
        "at least 5 times 4.6's rate at 64 MiB, 2.5 times nginx with buffering off; memory growth up to 4 MiB",
        each(
            Clause("download-1024", NEW, OLD, least=5, base_table="download-64"),
            Clause("download-1024", NEW, NGINX, least=2.5),
            Clause("download-1024-growth", NEW, most=4),
        ),
    ),
    Target(
        "1 GiB upload, Content-Length and chunked",
        "at least 1.1 times configurable-http-proxy; growth up to 4 MiB",
        tuple(
            clause
            for name in ("upload-1024", "upload-chunked-1024")
            for clause in (Clause(name, NEW, CHP, least=1.1), Clause(f"{name}-growth", NEW, most=4))
        ),
    ),
    Target(
        "SSE, any Accept",
        "delay and first event at most 1.2 times configurable-http-proxy",
        tuple(
            Clause(f"{name}-{what}", NEW, CHP, most=1.2) for name in ("sse", "sse-any") for what in ("delay", "first")
        ),
    ),
    Target("websocket, 1 KiB, 16 connections", "at least 6 times 4.6, 0.6 of nginx",
           each(Clause("ws-1024-16", NEW, OLD, least=6), Clause("ws-1024-16", NEW, NGINX, least=0.6))),
    Target("websocket, 64 KiB, 16 connections", "at least 4 times 4.6",
           each(Clause("ws-65536-16", NEW, OLD, least=4))),
    Target("websocket, bulk", "at least 2 times 4.6",
           tuple(Clause(f"ws-{case}", NEW, OLD, least=2) for case in ("pull", "push"))),
    Target("websocket round trip p50 at low rate", "0.7 of 4.6", each(Clause("ws-pace", NEW, OLD, most=0.7))),
    Target("websocket, memory per idle one", "5 KiB", each(Clause("ws-idle", NEW, most=5))),
    Target("websocket, connect", "half of 4.6", each(Clause("ws-connect", NEW, OLD, most=0.5))),
    Target("raw socket bulk, both ways", "at least 2 times 4.6",
           tuple(Clause(f"raw-{case}", NEW, OLD, least=2) for case in ("pull", "push"))),
    Target(
        "/api/status p99 under the same number of bytes per second",
        "not above 4.6's",
        tuple(Clause(f"status-{load}", NEW, OLD, most=1) for load in ("download", "upload", "pull", "push")),
    ),
    Target("cold start added", "5 ms", each(Clause("cold-quick-added", NEW, most=5))),
    Target("import time added", "60 ms", each(Clause("import", "new", most=60))),
    Target("100-asset page in the browser", "at most a third of 4.6's time",
           each(Clause("page", NEW, OLD, most=1 / 3))),
    Target("standalone GET, 16 connections", "at least 1.2 times configurable-http-proxy",
           each(Clause("get-16", ALONE, CHP, least=1.2))),
    Target(
        "cost grows linearly: a request beside 1,000 websockets, 50 servers, 200 routes",
        "the same as beside 10, 1 and 1, but for a tenth",
        each(
            Clause("linear-websockets", "new, 1,000 websockets", "new, 10 websockets", least=0.9),
            Clause("linear-servers", "new, 50 server(s)", "new, 1 server(s)", least=0.9),
            Clause("linear-routes", "new, 200 route(s)", "new, 1 route(s)", least=0.9),
        ),
    ),
)  # fmt: skip
