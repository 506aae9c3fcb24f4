"""The bookkeeping of one request: its id, what it moves, and whether it counts as use and as activity."""

from __future__ import annotations

import itertools
import re
import secrets
import time
from datetime import datetime, timezone

from tornado.httputil import HTTPServerRequest

from ..rules.activity import counts_as_activity
from ..rules.websocket import FrameWalker
from .destinations import Destination
from .runtime import ACTIVITY_KEY, Runtime

#: Names the requests of this process, together with a number.
_PREFIX = secrets.token_hex(4)
_numbers = itertools.count(1)

#: Ids of clients and front proxies that are taken over.
_GIVEN_ID = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")

#: Seconds between two reports of the activity of one connection.
_TOUCH_PAUSE = 1.0


def request_id(given: str | None) -> str:
    """The id under which a request is found in logs: the one that it brings along if that is harmless, or a new one."""
    if given is not None and _GIVEN_ID.fullmatch(given):
        return given
    return f"{_PREFIX}-{next(_numbers):x}"


class Meter:
    """Counts for one request; each method must be quick.

    Args:
        runtime: shared by all requests.
        request: the client's.
        destination: where it leads.
        upgrade: the protocol that it asks for.
    """

    __slots__ = (
        "_begun", "_counts", "_excused", "_handling", "_is_upgrade", "_next_touch", "_request", "_runtime", "_traffic",
        "_usage", "_waits", "_walkers",
    )  # fmt: skip

    def __init__(
        self, runtime: Runtime, request: HTTPServerRequest, destination: Destination, upgrade: str | None
    ) -> None:
        self._runtime = runtime
        self._request: HTTPServerRequest | None = request
        self._handling = destination.handling
        self._traffic = destination.traffic
        self._usage = destination.usage
        self._is_upgrade = upgrade is not None
        self._walkers = (
            (FrameWalker(), FrameWalker()) if upgrade is not None and upgrade.lower() == "websocket" else None
        )
        self._begun = 0.0
        self._waits = False
        self._excused = False
        self._counts = True
        self._next_touch = 0.0

    def begin(self) -> None:
        """The request has been let in."""
        self._begun = time.monotonic()
        self._traffic.began(self._is_upgrade)
        request, self._request = self._request, None  # for which a websocket that is open for days has no use
        assert request is not None
        self._counts = self._is_use(request)
        if self._usage is not None:
            self._waits = True
            self._usage.waiting += 1
        self._touch(self._begun)

    def answered(self) -> None:
        """Its response has begun, or it has none."""
        if self._waits and self._usage is not None:
            self._waits = False
            self._usage.waiting -= 1

    def excuse(self) -> None:
        """Its status will be no error, whatever it is."""
        self._excused = True

    def end(self, status: int) -> None:
        """It is over."""
        self.answered()
        now = time.monotonic()
        self._traffic.ended(status, now - self._begun, self._is_upgrade, self._excused)
        if now >= self._next_touch:
            self._touch(now)

    def received(self, count: int) -> None:
        """Bytes of its body came in."""
        self._traffic.received += count
        self._touch_at_times()

    def sent(self, count: int) -> None:
        """Bytes of the response have left."""
        self._traffic.sent += count
        self._touch_at_times()

    def streamed(self, from_client: bool, data: bytes | memoryview) -> None:
        """Bytes passed through an upgraded connection. Pings and pongs of a websocket are no use of the server."""
        if from_client:
            self._traffic.received += len(data)
        else:
            self._traffic.sent += len(data)
        if self._walkers is None or self._walkers[from_client].feed(data):
            self._touch_at_times()

    def without_frames_of_server(self) -> None:
        """What the server sends are no frames of a websocket: it speaks a protocol of its own."""
        if self._walkers is not None:
            self._walkers = (_Anything(), self._walkers[True])

    # ---- private

    def _touch_at_times(self) -> None:
        now = time.monotonic()
        if now >= self._next_touch:
            self._touch(now)

    def _touch(self, now: float) -> None:
        self._next_touch = now + _TOUCH_PAUSE
        if not self._counts:
            return
        if self._usage is not None:
            self._usage.touch()
        if self._handling.update_last_activity:
            times = self._runtime.application.settings.setdefault("last_activity_times", {})
            times[ACTIVITY_KEY] = datetime.now(timezone.utc)

    def _is_use(self, request: HTTPServerRequest) -> bool:
        """Whether this request counts; where requests are never activity of Jupyter, they are use of the server."""
        handling = self._handling
        policy = handling.update_last_activity if callable(handling.update_last_activity) else True
        if policy is True and not handling.exclude_last_activity_patterns:
            return True
        try:
            return counts_as_activity(
                policy,
                handling.exclude_last_activity_patterns,
                request.path,
                request,
            )
        except Exception:
            self._runtime.log.exception("update_last_activity failed; the request counts as activity")
            return True


class _Anything(FrameWalker):
    __slots__ = ()

    def feed(self, data: bytes | memoryview) -> bool:
        return True
