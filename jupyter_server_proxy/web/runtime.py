"""What all requests share: made once when the extension is loaded."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from tornado.httputil import HTTPServerRequest
from tornado.web import Application

from ..rules.activity import counts_as_activity
from ..upstream.pool import Pool
from .destinations import Handling

if TYPE_CHECKING:
    from ..supervise.server import Supervisor

HostAllowlist = Sequence[str] | Callable[..., Any]

#: Key of this package in Jupyter Server's ``last_activity_times``.
ACTIVITY_KEY = "jupyter-server-proxy"


@dataclass(frozen=True)
class Limits:
    """Bounds that protect Jupyter and its users from an origin server.

    Args:
        response_timeout: seconds without progress until a response begins; once it has begun there is no limit.
        rewrite_bytes: size of a response body that is held in memory for ``rewrite_response``.
        linger: seconds that a client gets to finish an upload whose answer it already has.
    """

    response_timeout: float = 300.0
    rewrite_bytes: int = 128 * 1024 * 1024
    linger: float = 30.0


@dataclass
class Runtime:
    """The application, the supervisor, the connection pool, and the journeys under way."""

    application: Application
    base_url: str
    supervisor: Supervisor
    pool: Pool
    host_allowlist: HostAllowlist
    log: logging.Logger
    limits: Limits = field(default_factory=Limits)
    journeys: set[asyncio.Task[None]] = field(default_factory=set)

    def own(self, journey: asyncio.Task[None]) -> None:
        """Keep hold of a task until it is done."""
        self.journeys.add(journey)
        journey.add_done_callback(self.journeys.discard)

    def record_activity(self, handling: Handling, request: HTTPServerRequest) -> bool:
        """Report activity to Jupyter Server's culling, if this request is any; see ``update_last_activity``."""
        try:
            active = counts_as_activity(
                handling.update_last_activity, handling.exclude_last_activity_patterns, request.path, request
            )
        except Exception:
            self.log.exception("update_last_activity failed; the request counts as activity")
            active = True
        if active:
            times = self.application.settings.setdefault("last_activity_times", {})
            times[ACTIVITY_KEY] = datetime.now(timezone.utc)
        return active

    async def close(self) -> None:
        """End every journey, every server, every connection."""
        journeys = list(self.journeys)
        for journey in journeys:
            journey.cancel()
        await asyncio.gather(*journeys, return_exceptions=True)
        await self.supervisor.stop_all()
        self.pool.close()
