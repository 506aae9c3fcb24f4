"""What all requests share: made once when the extension is loaded."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tornado.httputil import HTTPServerRequest
from tornado.web import Application

from ..rules.policy import HostList, has_port
from ..upstream.admission import Admission
from ..upstream.pool import Pool
from .traffic import Traffic

if TYPE_CHECKING:
    from ..supervise.supervisor import Supervisor
    from .door import Door


@dataclass(frozen=True)
class AddressPolicy:
    """Where ``/proxy/...`` may lead, and who in front of Jupyter is believed.

    Args:
        hosts_allowed: a list, or a function of the handler and the host.
        hosts_denied: wins over ``hosts_allowed``.
        ports_allowed, ports_denied: the same for ports, of this machine and of others.
        trusted_proxies: IP addresses of front proxies; "unix" when they connect by a unix socket.
    """

    hosts_allowed: HostList | Callable[..., Any] = field(default_factory=HostList)
    hosts_denied: HostList = field(default_factory=HostList)
    ports_allowed: Sequence[range] = (range(1, 65536),)
    ports_denied: Sequence[range] = ()
    trusted_proxies: HostList = field(default_factory=HostList)

    def allows_host(self, handler: Any, host: str) -> bool:
        """Whether ``/proxy/<host>:<port>`` may lead there; ``handler`` is for the function of the configuration."""
        if host in self.hosts_denied:
            return False
        allowed = self.hosts_allowed
        return bool(allowed(handler, host)) if callable(allowed) else host in allowed

    def allows_port(self, port: int) -> bool:
        """Whether ``/proxy/<port>`` and ``/proxy/<host>:<port>`` may lead there."""
        return has_port(self.ports_allowed, port) and not has_port(self.ports_denied, port)


#: Key of this package in Jupyter Server's ``last_activity_times``.
ACTIVITY_KEY = "jupyter-server-proxy"


#: Key of the runtime in the settings of an application.
RUNTIME_KEY = "jupyter_server_proxy_runtime"


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


@dataclass
class Runtime:
    """The application, the supervisor, the connection pool, and the journeys under way."""

    application: Application
    base_url: str
    supervisor: Supervisor
    pool: Pool
    admission: Admission
    policy: AddressPolicy
    door: Door
    log: logging.Logger
    limits: Limits = field(default_factory=Limits)
    journeys: set[asyncio.Task[None]] = field(default_factory=set)
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
        journeys = list(self.journeys)
        for journey in journeys:
            journey.cancel()
        await asyncio.gather(*journeys, return_exceptions=True)
        await self.supervisor.stop_all()
        for function in self.on_close:
            function()
        self.pool.close()
