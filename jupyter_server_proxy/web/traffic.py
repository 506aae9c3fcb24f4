"""What went through one server: plain counters that a request adds to, and that others read when they are asked.

Each configured server has one ``Traffic``; everything below ``/proxy/`` shares another. For a request, the caller does:

::

    traffic.began(upgrade)
    traffic.received += len(chunk)  # of the request's body; all bytes from the client once it is upgraded
    traffic.sent += len(chunk)
    traffic.ended(status, seconds, upgrade)  # in a finally clause, with the same ``upgrade``

Nothing here is done by the clock or looks anything up: this is on the path of every request. ``web.metrics`` and
``web.rest`` read it, the former perhaps in another thread, so containers are copied before they are walked over.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

#: Upper bounds of the latencies that are told apart, in seconds; each bound belongs to its bucket.
LATENCY_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class Histogram:
    """How many values fell between fixed bounds.

    Args:
        bounds: upper bounds, ascending; one more bucket takes what is above the last.
    """

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(self.bounds) + 1)
        self.total = 0.0

    def add(self, value: float) -> None:
        """Count a value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def cumulative(self) -> list[tuple[float, int]]:
        """(upper bound, number of values up to it), the last bound being infinite."""
        buckets: list[tuple[float, int]] = []
        below = 0
        for bound, count in zip((*self.bounds, float("inf")), list(self.counts), strict=True):
            below += count
            buckets.append((bound, below))
        return buckets


class Traffic:
    """Counters of one server, all from zero when Jupyter starts.

    Attributes:
        open: requests under way that are not upgrades.
        websockets_open: upgrades under way, from their handshake on.
        requests: requests that have begun, upgrades included.
        errors: answers with a status of 500 or more, whether the application or the proxy gave them.
        received: bytes from clients.
        sent: bytes to clients.
        by_status: answers by their status; 499 counts clients that left before theirs was complete.
        latency: seconds from the head of a request to the end of its answer; how long an upgraded connection was
            open is no latency, and not among them.
    """

    __slots__ = (
        "by_status",
        "errors",
        "latency",
        "open",
        "received",
        "requests",
        "sent",
        "websockets_open",
    )

    def __init__(self) -> None:
        self.open = 0
        self.websockets_open = 0
        self.requests = 0
        self.errors = 0
        self.received = 0
        self.sent = 0
        self.by_status: dict[int, int] = {}
        self.latency = Histogram(LATENCY_BOUNDS)

    def began(self, upgrade: bool = False) -> None:
        """A request is served from now on.

        Args:
            upgrade: it asks for a websocket, or for another protocol.
        """
        self.requests += 1
        if upgrade:
            self.websockets_open += 1
        else:
            self.open += 1

    def ended(self, status: int, seconds: float, upgrade: bool = False, excused: bool = False) -> None:
        """It has been served, or given up.

        Args:
            status: of the answer; 499 if the client left before it was complete (as ``ClientResponse.status``).
            seconds: since it began.
            upgrade: as for ``began``.
            excused: it is no error that the status is 500 or more: the page that tells that a server is starting.
        """
        if upgrade:
            self.websockets_open -= 1
        else:
            self.open -= 1
        self.by_status[status] = self.by_status.get(status, 0) + 1
        if status >= 500 and not excused:
            self.errors += 1
        if status != 101:
            self.latency.add(seconds)
