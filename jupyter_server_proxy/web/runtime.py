"""What all requests share: made once when the extension is loaded."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from tornado.httputil import HTTPMessageDelegate, HTTPServerRequest
from tornado.web import Application

from ..upstream.admission import Admission
from ..upstream.pool import Pool
from .destinations import Destination
from .door import Pass, Refusal
from .policy import AddressPolicy
from .response import TornadoResponse
from .traffic import Traffic

if TYPE_CHECKING:
    from ..supervise.supervisor import Supervisor


#: Key of this package in Jupyter Server's ``last_activity_times``.
ACTIVITY_KEY = "jupyter-server-proxy"


#: Key of the runtime in the settings of an application.
RUNTIME_KEY = "jupyter_server_proxy_runtime"


#: Seconds that journeys get to end.
_ENDING = 5.0


@dataclass(frozen=True)
class Limits:
    """Bounds that protect Jupyter and its users from an origin server.

    Args:
        rewrite_bytes: size of a response body that is held in memory for ``rewrite_response``.
        linger: seconds that a client gets to finish an upload whose answer it already has.
        waiting: seconds that a person at a browser waits for a server that starts before there is a page about it.
    """

    rewrite_bytes: int = 128 * 1024 * 1024
    linger: float = 30.0
    waiting: float = 1.0


class Lasting(Protocol):
    """A connection that was upgraded and is open."""

    def reset(self) -> None:
        """Reset both sides."""


class ConnectionReader(Protocol):
    """Reads connections in tornado's place; see ``persistent``."""

    def take_over(self, journey: Any, request: HTTPServerRequest, response: TornadoResponse, verdict: Pass) -> bool:
        """Go on with a journey that may pass, and with its connection; false leaves both to tornado."""


class Door(Protocol):
    """One for all requests."""

    async def authorize(
        self, runtime: Runtime, request: HTTPServerRequest, destination: Destination, *, upgrade: bool
    ) -> Pass | Refusal:
        """Decide about a request.

        Args:
            runtime: knows the policy for addresses.
            request: not changed.
            destination: where it is to go.
            upgrade: it asks for another protocol. Browsers send those across origins without asking first.
        """

    def refuse(
        self, runtime: Runtime, request: HTTPServerRequest, refusal: Refusal, *, has_body: bool
    ) -> HTTPMessageDelegate:
        """What takes over a request that may not pass: it leads people to the login, and tells programs."""

    def page_cookies(self, request: HTTPServerRequest) -> tuple[str, ...]:
        """Set-Cookie values for pages of ours: their scripts need the token against cross-site requests."""


@dataclass
class Runtime:
    """The application, the supervisor, the connection pool, the journeys under way, and what has come of some."""

    application: Application
    base_url: str
    supervisor: Supervisor
    pool: Pool
    admission: Admission
    upgrades: Admission  # of requests for another protocol: they last
    policy: AddressPolicy
    door: Door
    log: logging.Logger
    origin: Callable[[], str] = str  # scheme, host and port by which people reach us, or ""
    reader: ConnectionReader | None = None
    log_quickly: Callable[[HTTPServerRequest, int], bool] | None = None  # whether no ``AccessRecord`` is needed
    limits: Limits = field(default_factory=Limits)
    journeys: set[asyncio.Task[None]] = field(default_factory=set)
    upgraded: set[Lasting] = field(default_factory=set)  # connections that are open
    on_close: list[Callable[[], None]] = field(default_factory=list)
    traffic: dict[str, Traffic] = field(default_factory=dict)  # by name of the server; "" for all that URLs name

    def own(self, journey: asyncio.Task[None]) -> None:
        """Keep hold of a task until it is done."""
        self.journeys.add(journey)
        journey.add_done_callback(self.journeys.discard)

    def trusted_peer(self, request: HTTPServerRequest) -> str | None:
        """The address of the proxy that sent a request, if its forwarded fields are to be believed."""
        trusted = self.policy.trusted_proxies
        if not trusted:
            return None
        # Tornado replaces remote_ip by what X-Forwarded-For says where trust_xheaders is set; this is who connected.
        address = getattr(request.connection.context, "address", None)  # type: ignore[union-attr]
        peer = address[0] if isinstance(address, tuple) else "unix"
        return peer if peer in trusted else None

    async def close(self) -> None:
        """End every journey, every server, every connection."""
        self.reader = None
        journeys = list(self.journeys)
        for journey in journeys:
            journey.cancel()
        if journeys:  # code of others may take a cancellation for something else; Jupyter ends all the same
            await asyncio.wait(journeys, timeout=_ENDING)
        for connection in list(self.upgraded):
            connection.reset()
        await self.supervisor.stop_all()
        for function in self.on_close:
            function()
        self.pool.close()
