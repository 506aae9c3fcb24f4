"""The journey of one request: authorize -> ensure running -> connect -> relay -> response.

``Journey._serve`` is what reads best. Who reads the request, and so drives the journey, is another matter: tornado, or
a handler of a subclass (``gateway``), or this package itself (``persistent``). Nothing of a body is kept, in either
direction, except for ``rewrite_response``.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeVar

from tornado.http1connection import HTTP1Connection
from tornado.httputil import HTTPServerRequest
from tornado.iostream import StreamClosedError

from ..errors import (
    ConnectFailed,
    ProxyError,
    RequestTimeout,
    StillStarting,
    UpgradeRequired,
    UpstreamClosed,
    UpstreamError,
    UpstreamTimeout,
)
from ..relay.duplex import Duplex
from ..relay.http import Upload, collect_body, relay_body
from ..relay.rawsocket import Bridge
from ..relay.upgrade import tunnel
from ..rules.content import has_content
from ..rules.credentials import Credentials
from ..rules.headers import is_background, is_navigation, requested_upgrade, serialize_head
from ..rules.identity import Identity
from ..rules.rewrite import OriginalResponse, rewrite
from ..supervise.facts import FailedRequest
from ..upstream.address import Address
from ..upstream.connection import ResponseHead, UpstreamConnection
from .accesslog import log_access
from .destinations import Route
from .door import Pass, Refusal
from .explanation import explain
from .meter import Meter, request_id
from .outgoing import OutgoingRequest, websocket_answer
from .response import TornadoResponse
from .runtime import Runtime
from .upgraded import Upgraded

T = TypeVar("T")

_NO_CREDENTIALS = Credentials()

#: Requests that may be sent a second time when a kept connection turns out to be closed (RFC 9110 9.2.1).
_REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


class Journey:
    """Serves one request.

    Args:
        runtime: shared by all requests.
        request: as tornado parsed it; never changed.
        route: where it leads.
    """

    def __init__(self, runtime: Runtime, request: HTTPServerRequest, route: Route) -> None:
        self._runtime = runtime
        self._request = request
        self._route = route
        headers = request.headers
        # One look at all lines: most of what follows is not there, and to ask for it is slow.
        names = dict(headers.get_all())
        self._upgrade = None
        if "Upgrade" in names:
            self._upgrade = requested_upgrade(request.method or "", request.version, headers.get)
        self._expects = names.get("Expect")
        self._meter = Meter(runtime, request, route.destination, self._upgrade)
        self._client = _response_on(request.connection, runtime, self._meter)
        self._journey: asyncio.Task[None] | None = None
        self._upload: Upload | None = None
        self._upgraded: Upgraded | None = None
        self._user: Any = None
        self._credentials = _NO_CREDENTIALS
        self._identity: Identity | None = None
        self._id = request_id(names.get("X-Request-Id"))
        self._chunked = "Transfer-Encoding" in names
        self._has_body = (self._chunked or "Content-Length" in names) and has_content(headers)

    def on_connection_close(self) -> None:
        """The client has gone, before or after its request was complete."""
        if self._journey is not None:
            self._client.gone = True
            self._journey.cancel()

    def move(self, connection: Any) -> None:
        """Go on with a connection of ours that the request's was taken over by; nothing has been answered."""
        self._request.connection = connection
        self._client = _response_on(connection, self._runtime, self._meter)

    def authorize(self) -> Awaitable[Pass | Refusal]:
        """Whether the request may pass."""
        upgrade = self._upgrade is not None
        door, destination = self._runtime.door, self._route.destination
        return door.authorize(self._runtime, self._request, destination, upgrade=upgrade)

    async def travel_here(self, verdict: Pass) -> None:
        """Travel in the task that reads the connection, which has nothing else to do: the request has no body, or one
        that is passed on without a task.

        That spares a task, and two turns of the event loop, in which other connections would be served first.
        """
        self._client.watch(self.on_connection_close)
        self._journey = journey = asyncio.current_task()
        assert journey is not None
        self._runtime.journeys.add(journey)
        try:
            await self._travel(verdict)
        except asyncio.CancelledError:
            # With its connection the task ends, too; a cancellation tornado would log as an error.
            self._client.truncate()
        finally:
            self._runtime.journeys.discard(journey)
            self._journey = None

    async def _travel(self, verdict: Pass) -> None:
        """Serve, and turn what goes wrong into an answer, or into a visible end of one that has begun."""
        client = self._client
        self._meter.begin()  # here: a task that is cancelled before its first step would never end it
        client.cookies, self._user = verdict.cookies, verdict.user
        self._credentials, self._identity = verdict.credentials, verdict.identity
        try:
            await self._serve_or_report()
        except StreamClosedError:
            client.gone = True
        except asyncio.CancelledError:
            client.truncate()
            if not client.gone:
                raise
        finally:
            if self._has_body:
                client.give_up_body()
            if self._upgraded is None:
                self._meter.end(client.status)
                log_access(self._request, client.status, verdict, self._runtime)

    async def _serve_or_report(self) -> None:
        try:
            await self._serve()
        except StreamClosedError:
            raise
        except ProxyError as error:
            await self._report(error)
        except Exception:
            self._runtime.log.exception("Serving %s failed", self._route.destination.name)
            await self._report(ProxyError("The proxy failed. The log of the Jupyter server has the details."))

    async def _serve(self) -> None:
        route, client = self._route, self._client
        destination = route.destination
        if route.lacks_slash and self._upgrade is None and self._request.method in ("GET", "HEAD"):
            await client.redirect(route.prefix + "/", route.query)
            return
        address = destination.address or await self._locate()
        admission = self._runtime.admission if self._upgrade is None else self._runtime.upgrades
        if not admission.enter_now(address):
            await admission.enter(address)
        try:
            if destination.handling.raw_socket_proxy:
                await self._serve_raw_socket(address)
            else:
                await self._serve_http(address)
        finally:
            if self._upgraded is None:
                admission.leave(address)

    async def _locate(self) -> Address:
        """Start the server, if need be. A person at a browser does not wait for long without seeing anything."""
        destination, method, get = self._route.destination, self._request.method or "", self._request.headers.get
        if self._has_body or not is_navigation(method, get):
            return await destination.locate(background=is_background(method, get))
        locating = asyncio.ensure_future(destination.locate())
        try:
            await asyncio.wait({locating}, timeout=self._runtime.limits.waiting)
            if not locating.done():
                self._meter.excuse()
                raise StillStarting(f"Server '{destination.name}' is starting.", retry_after=1)
            return locating.result()
        finally:
            locating.cancel()  # the start itself goes on

    async def _serve_http(self, address: Address) -> None:
        client, destination = self._client, self._route.destination
        first_line = destination.log_position()
        upstream, head, outgoing = await self._exchange(address)
        self._meter.answered()
        status = head.status
        try:
            fields = outgoing.response_fields(head, upstream)
            if status >= 500:
                fields.append(("X-Request-ID", self._id))
            if status == 101:
                start = serialize_head("HTTP/1.1 101 Switching Protocols", fields)
                self._hand_over(tunnel(client.detach(), upstream, start, self._meter.streamed), address)
            elif destination.handling.rewrite_response and not _is_event_stream(head):
                await self._rewrite(upstream, head, outgoing)
            else:
                body = upstream.take()
                if upstream.complete:
                    await client.send(status, head.reason, fields, body)
                else:
                    await client.begin(status, head.reason, fields, body)
                    await relay_body(upstream, client)
                    await client.end()
        except UpstreamError:
            upstream.abort()
            raise
        finally:
            if self._upgraded is None:
                self._release(upstream)
            if status >= 500:
                self._report_failed_request(status, first_line)

    async def _exchange(self, address: Address) -> tuple[UpstreamConnection, ResponseHead, OutgoingRequest]:
        """Connect, send the request, and wait for the head of the response.

        A request that is safe to repeat is sent once more when its connection is closed before any byte of a response,
        if it was a kept one, or if the server has ended: the sockets of a dying process accept connections until its
        last thread is gone.
        """
        destination, request, pool = self._route.destination, self._request, self._runtime.pool
        repeatable = request.method in _REPEATABLE and not self._has_body
        fresh = restarted = False
        while True:
            upstream = None if fresh else pool.take_idle(address, repeatable=repeatable)
            if upstream is None:
                upstream = await self._connect(address, partial(pool.acquire, fresh=fresh, repeatable=repeatable))
            try:
                outgoing = OutgoingRequest(
                    request,
                    self._route,
                    self._runtime,
                    self._credentials,
                    request_id=self._id,
                    upgrade=self._upgrade,
                    chunked=self._chunked,
                    identity=self._identity,
                )
                upstream.start(outgoing.head(), method=request.method or "", upgrade=self._upgrade is not None)
                if self._has_body:
                    self._upload = Upload(upstream, chunked=self._chunked, on_received=self._meter.received)
                    self._client.want_body(self._upload)
                return upstream, await upstream.response(destination.handling.response_timeout), outgoing
            except UpstreamTimeout:
                upstream.abort()
                if self._upload is not None and self._upload.waits_for_client:
                    raise RequestTimeout("The rest of this request has not come in time.") from None
                raise
            except UpstreamClosed:
                upstream.abort()
                if not (repeatable and upstream.untouched):
                    raise
                if upstream.exchanges > 1 and not fresh:
                    fresh = True
                elif not restarted and await destination.has_ended():
                    restarted = True
                    address = await self._locate()
                else:
                    raise
            except BaseException:
                upstream.abort()
                raise

    async def _connect(self, address: Address, connect: Callable[[Address], Awaitable[T]]) -> T:
        """Connect; a server of ours that no longer listens has gone, and is started once more."""
        destination = self._route.destination
        try:
            return await connect(address)
        except ConnectFailed:
            destination.report_connect_failure(address)
            if destination.address is not None and not await destination.has_ended():
                raise
            return await connect(await self._locate())

    async def _rewrite(self, upstream: UpstreamConnection, head: ResponseHead, outgoing: OutgoingRequest) -> None:
        """The one case in which a response is held: ``rewrite_response`` wants all of it."""
        handling = self._route.destination.handling
        body = await collect_body(upstream, self._runtime.limits.rewrite_bytes)
        response = rewrite(
            handling.rewrite_response,
            OriginalResponse(head.status, head.reason, outgoing.original_fields(head), body),
            request=self._request,
            host=self._route.destination.host or "localhost",
            port=self._route.destination.port,
            path=outgoing.path,
        )
        fields = outgoing.rewritten_fields(response, upstream)
        bodiless = self._request.method == "HEAD" or response.code in (204, 304)  # whatever the functions made
        await self._client.send(response.code, response.reason, fields, b"" if bodiless else response.body)

    async def _serve_raw_socket(self, address: Address) -> None:
        """Websocket messages to and from a server that does not speak HTTP."""
        client = self._client
        if self._upgrade is None or self._upgrade.lower() != "websocket":
            raise UpgradeRequired(f"Server '{self._route.destination.name}' takes websocket connections only.")
        answer = websocket_answer(self._request.headers)
        self._meter.without_frames_of_server()
        bridge = Bridge(self._meter.streamed)
        await self._connect(address, bridge.connect)
        try:
            self._meter.answered()
            start = serialize_head("HTTP/1.1 101 Switching Protocols", answer + client.cookie_fields())
            self._hand_over(bridge.run(client.detach(), start), address)
        except BaseException:
            bridge.abort()
            raise

    # ---- private

    def _hand_over(self, duplex: Duplex | None, address: Address) -> None:
        """The journey ends with the 101; what it has to do in the end is done by another when the connection ends."""
        if duplex is not None:
            self._upgraded = Upgraded(self._runtime, duplex, self._meter, address, self._request, self._user)

    def _release(self, upstream: UpstreamConnection) -> None:
        """Give the connection back, if both its response and our request were complete."""
        if self._upload is not None and not self._upload.ended:
            self._upload.drop()
            upstream.abort()
        elif not upstream.complete:
            upstream.abort()
        else:
            self._runtime.pool.release(upstream)

    async def _report(self, error: ProxyError) -> None:
        """Answer with an error, if the response has not begun; else end it so that the client sees it is not whole."""
        client = self._client
        if error.detail:
            self._runtime.log.warning("%s: %s (%s)", self._route.destination.name, error.message, error.detail)
        if client.started:
            client.truncate()
            return
        fields, body = await explain(error, self._request, self._route, self._runtime)
        fields.append(("X-Request-ID", self._id))
        if is_navigation(self._request.method or "", self._request.headers.get):
            client.cookies += self._runtime.door.page_cookies(self._request)
        await client.send(error.status, "", fields, b"" if self._request.method == "HEAD" else body)

    def _report_failed_request(self, status: int, first_line: int) -> None:
        """The application has failed: let people find the lines that it wrote meanwhile."""
        destination, path = self._route.destination, self._route.prefix + self._route.path
        self._runtime.log.warning(
            "Server '%s' answered %d to %s %r (request id %s)",
            destination.name, status, self._request.method, path, self._id,
        )  # fmt: skip
        end = destination.log_position()
        destination.report_failed_request(
            FailedRequest(self._id, time.time(), self._request.method or "", path, status, first_line, end)
        )


def _response_on(connection: Any, runtime: Runtime, meter: Meter) -> Any:
    """The response to a request that has arrived on a connection of tornado's, or on one of ours (``persistent``)."""
    if isinstance(connection, HTTP1Connection):
        return TornadoResponse(connection, linger=runtime.limits.linger, on_sent=meter.sent)
    return connection.respond(meter.sent, runtime.limits.linger)


def _is_event_stream(head: ResponseHead) -> bool:
    """Server-sent events never end, so they are relayed and not rewritten."""
    return (head.get("content-type") or "").lower().startswith("text/event-stream")
