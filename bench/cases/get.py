"""Small requests: rates and times, by wrk."""

from __future__ import annotations

from collections.abc import Sequence

from ..rig import Jupyter, Rig
from ..table import Effort, Table
from ..usage import usage_of
from ..way import Way, in_turn, trying

#: For Jupyter's configuration. A subclass may decide anew with every request, even where this one does not.
CUSTOM = """
from jupyter_server.auth.identity import PasswordIdentityProvider
class Custom(PasswordIdentityProvider):
    pass
c.ServerApp.identity_provider_class = Custom
"""


def get(rig: Rig, effort: Effort) -> list[Table]:
    """GETs of 1 KiB on 1, 16 and 64 connections."""
    ways = [*rig.peers(), rig.new("cookie"), rig.new("token"), rig.old("cookie"), rig.old("token")]
    return [table for connections in (1, 16, 64) for table in rates(rig, effort, ways, "get", connections)]


def custom(rig: Rig, effort: Effort) -> list[Table]:
    """The same with an identity provider that is not one of Jupyter's own: nobody may remember its answers."""
    jupyters: list[tuple[str, Jupyter]] = []
    try:
        for name, python in (("new", rig.new_python), ("4.6", rig.old_python)):
            jupyters.append((name, rig.jupyter(f"custom-{name}", python, CUSTOM)))
        ways = [rig.direct(), *(rig.way_of(jupyter, name, login) for login in ("cookie", "token")
                                for name, jupyter in jupyters)]  # fmt: skip
        return rates(rig, effort, ways, "get-custom", 16, "custom identity provider, ")
    finally:
        for _, jupyter in jupyters:
            jupyter.stop()


def rates(
    rig: Rig, effort: Effort, ways: Sequence[Way | None], name: str, connections: int, what: str = ""
) -> list[Table]:
    """Requests per second, the median of their times, and what each costs the proxy."""
    subject = f"GET of 1 KiB, {what}{connections} connection(s)"
    rate = Table(f"{name}-{connections}", f"requests/s: {subject}")
    half = Table(f"{name}-{connections}-p50", f"milliseconds, median: {subject}", False)
    cost = Table(f"{name}-{connections}-cpu", f"microseconds of processor: {subject}", False)
    for way in in_turn(effort, ways):
        with trying(way, rate, half), usage_of(way.pid) as usage:
            per_second, median, requests = rig.load.gets(way.url("/1k"), way.headers, connections, effort.seconds)
            rate.add(way.name, per_second)
            half.add(way.name, median)
        if way.pid is not None and way.name not in rate.failures:
            cost.add(way.name, usage.seconds / requests * 1e6)
    return [rate, half, cost]
