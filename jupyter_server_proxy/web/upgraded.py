"""What is left of a request once its connection speaks another protocol, and what is done when that connection ends.

A websocket may be open for days, and there may be thousands. So the journey ends with the 101: no task waits, and of
the request, its connection, and the exchange with the server nothing is kept but what is needed in the end.
"""

from __future__ import annotations

import asyncio
from typing import Any

from tornado.httputil import HTTPHeaders, HTTPServerRequest, RequestStartLine

from ..relay.duplex import Duplex
from ..rules.credentials import Credentials
from ..upstream.address import Address
from .accesslog import log_access
from .door import Pass
from .meter import Meter
from .runtime import Runtime


class Upgraded:
    """An upgraded connection, and the last duties of its journey. The runtime holds it until it has ended.

    Args:
        runtime: shared by all requests.
        duplex: the connection.
        meter: of the request.
        address: where the request has a place among the upgrades.
        request: as tornado parsed it; a few strings of it are kept.
        user: who sent it, as the identity provider knows them.
    """

    __slots__ = ("_address", "_duplex", "_meter", "_request", "_runtime", "_user", "_waiter")

    def __init__(
        self,
        runtime: Runtime,
        duplex: Duplex,
        meter: Meter,
        address: Address,
        request: HTTPServerRequest,
        user: Any,
    ) -> None:
        self._runtime = runtime
        self._duplex = duplex
        self._meter = meter
        self._address = address
        self._request = PackedRequest(request)
        self._user = user
        self._waiter: asyncio.Future[None] | None = None
        runtime.upgraded.add(self)
        duplex.when_closed(self._ended)

    def reset(self) -> None:
        """Reset both sides."""
        self._duplex.reset()

    async def wait(self) -> None:
        """Return when it has ended."""
        if self in self._runtime.upgraded:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter

    def _ended(self) -> None:
        self._runtime.upgraded.discard(self)
        self._runtime.upgrades.leave(self._address)
        self._meter.end(101)
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
        try:
            verdict = Pass(self._user, (), Credentials())
            log_access(self._request.unpacked(), 101, verdict, self._runtime)
        except Exception:  # of a log function of the configuration
            self._runtime.log.exception("The end of an upgraded connection could not be logged")


class PackedRequest:
    """A request as a few strings, for the access log: as tornado keeps it, it takes several KiB.

    Args:
        request: without its body and its connection.
    """

    __slots__ = ("_begun", "_fields", "_host", "_line", "_protocol", "_remote_ip")

    def __init__(self, request: HTTPServerRequest) -> None:
        self._line = f"{request.method} {request.uri} {request.version}"
        # Neither names nor values have line ends in them.
        self._fields = "\n".join(part for field in request.headers.get_all() for part in field)
        self._host = request.host
        self._remote_ip = request.remote_ip
        self._protocol = request.protocol
        self._begun = request._start_time

    def unpacked(self) -> HTTPServerRequest:
        """A request that tells the same."""
        method, _, rest = self._line.partition(" ")
        uri, _, version = rest.rpartition(" ")
        request = HTTPServerRequest(
            start_line=RequestStartLine(method, uri, version), headers=HTTPHeaders({"Host": self._host})
        )
        parts = self._fields.split("\n")
        request.headers = HTTPHeaders()
        for name, value in zip(parts[::2], parts[1::2], strict=False):
            request.headers.add(name, value)
        request.remote_ip, request.protocol, request._start_time = self._remote_ip, self._protocol, self._begun
        return request
