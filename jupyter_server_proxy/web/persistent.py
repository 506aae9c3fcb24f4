"""Connections of clients that keep asking for what is proxied, read by asyncio and not by tornado.

Tornado's reader of requests costs more than all that is done for a small one. So a connection on which two requests of
ours were served is taken over from tornado. From then on requests are read and answered here as long as each of them is
plain: it has arrived whole, has no body, asks for no upgrade, is ours, and may pass. With the first that is not, the
connection goes back to tornado, together with the bytes of that request: nothing is refused or handled in a second way.

What a field block means is decided by tornado's own parser, as is which handler a request belongs to.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Callable
from typing import Any, cast
from weakref import WeakSet

from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPInputError, HTTPMessageDelegate, HTTPServerRequest
from tornado.iostream import IOStream, SSLIOStream, StreamClosedError
from tornado.routing import Router, RuleRouter
from tornado.web import Application

from ..relay.client import take_socket
from .door import Refusal
from .gateway import Gateway
from .plain import split_head, stays_open
from .response import ClientResponse, DirectResponse, TornadoResponse

#: Bytes of a head, and bytes that a client may send ahead of the answer, before it is no longer read.
MAX_HEAD = 64 * 1024

#: Pieces in which a head may arrive. Who sends it byte by byte is tornado's to deal with.
MAX_PIECES = 4


class PersistentConnections:
    """All of them (RFC 9112 9.3).

    Args:
        application: whose requests are served.
        table: of our routes, which is in a group of rules for every host.
        server: gives the HTTP server that takes connections back; None before there is one.
        log: for what should not happen.
    """

    def __init__(
        self, application: Application, table: Router, server: Callable[[], HTTPServer | None], log: logging.Logger
    ) -> None:
        self.application = application
        self._table = table
        self.log = log
        self._server = server
        self._known: WeakSet[Any] = WeakSet()
        self._connections: set[PersistentConnection] = set()

    @property
    def server(self) -> HTTPServer | None:
        """The HTTP server, once it listens."""
        return self._server()

    def find_handler(self, request: HTTPServerRequest) -> HTTPMessageDelegate | None:
        """Who serves a request, as tornado finds it: where our table is asked first, what it says is what counts."""
        first = self.application.default_router.rules[0].target
        if isinstance(first, RuleRouter) and first.rules and first.rules[0].target is self._table:
            found = self._table.find_handler(request)
            if found is not None:
                return cast(HTTPMessageDelegate, found)
        return self.application.find_handler(request)

    async def take_over(self, request: HTTPServerRequest, response: TornadoResponse) -> None:
        """Called when a plain request was served in tornado's task: with the second of a connection, it moves here.

        Args:
            request: as tornado parsed it.
            response: complete, but for the last chunk.
        """
        server, stream = self.server, response.connection.stream
        if server is None or isinstance(stream, SSLIOStream) or server.conn_params.no_keep_alive:
            return  # TLS stays with tornado
        if request.version != "HTTP/1.1" or not stays_open(request.headers):
            return
        if request.server_connection not in self._known:
            self._known.add(request.server_connection)
            return
        context = response.connection.context
        released = await response.release()
        if released is None:
            return
        if server.xheaders:
            cast(Any, context)._unapply_xheaders()  # tornado does when it has read a request to its end
        try:
            sock, early = take_socket(released)
        except OSError:
            return  # the client has gone, or there are no more descriptors
        connection = PersistentConnection(self, context, early)
        try:
            await asyncio.get_running_loop().connect_accepted_socket(lambda: connection, sock)
        except OSError:
            sock.close()
        except BaseException:
            sock.close()
            raise

    def add(self, connection: PersistentConnection) -> None:
        """It is open."""
        self._connections.add(connection)

    def discard(self, connection: PersistentConnection) -> None:
        """It is closed, or with tornado again."""
        self._connections.discard(connection)

    def close(self) -> None:
        """Close all of them."""
        for connection in list(self._connections):
            connection.close()


class PersistentConnection(asyncio.Protocol):
    """One of them: reads a request, has it served, and reads the next.

    Args:
        owner: knows the application and the server.
        context: of the connection, as tornado made it: who the client is.
        early: bytes that tornado has read already.

    Attributes:
        context: see above; requests read who their client is from here.
    """

    def __init__(self, owner: PersistentConnections, context: Any, early: bytes) -> None:
        self.context = context
        self._owner = owner
        self._received = early
        self._method = ""
        self._pieces = 0
        self._transport: asyncio.Transport = cast(asyncio.Transport, None)
        self._descriptor = -1
        self._task: asyncio.Task[None] | None = None
        self._closed = False
        self._reading_paused = False
        self._more: asyncio.Future[None] | None = None
        self._drained: asyncio.Future[None] | None = None
        self._write_paused = False
        self._on_close: Callable[[], None] | None = None
        self._idle_since = 0.0
        self._timer: asyncio.TimerHandle | None = None

    # ---- for the response to the current request

    def respond(self, on_sent: Callable[[int], None]) -> ClientResponse:
        """The response to the request that was just read."""
        return DirectResponse(self, on_sent, bodiless=self._method == "HEAD")

    def set_close_callback(self, callback: Callable[[], None] | None) -> None:
        """See ``HTTP1Connection``. Handlers that carry a request to those who decide about it set one for themselves,
        which nobody needs: they do not answer.
        """

    def watch(self, on_close: Callable[[], None]) -> None:
        """Have it called when the client closes, until the current request has been served."""
        self._on_close = on_close

    def write(self, data: bytes) -> bool:
        """Write; whether all of it has left. If not, wait until it has ``drained``.

        Raises:
            StreamClosedError: the client has gone.
        """
        if self._closed or self._transport.is_closing():
            raise StreamClosedError
        self._transport.write(data)
        return not self._write_paused

    async def drained(self) -> None:
        """Return when everything written has left.

        Raises:
            StreamClosedError: the client has gone.
        """
        if self._write_paused:
            self._drained = asyncio.get_running_loop().create_future()
            try:
                await self._drained
            finally:
                self._drained = None

    def offer(self, data: bytes | memoryview) -> int:
        """Send, past the transport, what the socket takes at once; errors are left to ``write``."""
        if self._closed or self._write_paused or self._transport.is_closing():
            return 0
        try:
            return os.write(self._descriptor, data)
        except OSError:
            return 0

    def close(self) -> None:
        """Close at once."""
        self._transport.abort()

    # ---- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the event loop."""
        self._transport = cast(asyncio.Transport, transport)
        self._descriptor = transport.get_extra_info("socket").fileno()
        self._transport.set_write_buffer_limits(0)  # a write is over when nothing is left of it
        loop = asyncio.get_running_loop()
        self._idle_since = loop.time()
        self._check_idle()
        self._owner.add(self)
        self._task = loop.create_task(self._serve(), name="serve a persistent connection")

    def data_received(self, data: bytes) -> None:
        """Called by the event loop."""
        self._received = self._received + data if self._received else data
        self._pieces += 1
        if len(self._received) > MAX_HEAD and not self._reading_paused:
            self._reading_paused = True
            self._transport.pause_reading()
        if self._more is not None and not self._more.done():
            self._more.set_result(None)

    def eof_received(self) -> bool | None:
        """Called by the event loop; the transport then closes itself, as tornado's would."""
        return None

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the event loop."""
        self._closed = True
        self._owner.discard(self)
        if self._timer is not None:
            self._timer.cancel()
        if self._on_close is not None:
            self._on_close()
        if self._drained is not None and not self._drained.done():
            self._drained.set_exception(StreamClosedError())
        if self._more is not None and not self._more.done():
            self._more.set_result(None)

    def pause_writing(self) -> None:
        """Called by the event loop."""
        self._write_paused = True

    def resume_writing(self) -> None:
        """Called by the event loop."""
        self._write_paused = False
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)

    # ---- requests, one after the other

    async def _serve(self) -> None:
        try:
            while not self._closed:
                size = self._received.find(b"\r\n\r\n") + 4
                if size < 4 and self._pieces < MAX_PIECES and not self._reading_paused:
                    await self._wait()
                    continue
                if not 4 <= size <= MAX_HEAD or not await self._serve_one(self._received[:size]):
                    self._give_back()
                    return
                self._go_on(size)
                if self._received:
                    await asyncio.sleep(0)  # others get their turn between two requests that were sent together
        except asyncio.CancelledError:
            self._transport.abort()
            raise
        except Exception:
            self._owner.log.exception("Serving a persistent connection failed")
            self._transport.abort()

    async def _serve_one(self, head: bytes) -> bool:
        """Whether the request was served; False leaves it to tornado."""
        request = self._read(head)
        if request is None:
            return False
        gateway = self._owner.find_handler(request)
        if not isinstance(gateway, Gateway):
            return False
        if isinstance(verdict := await gateway.authorize(), Refusal):
            return False
        if self._closed:
            return True  # the client left meanwhile, and nobody would tell the journey
        try:
            await gateway.travel_here(verdict)
        finally:
            self._on_close = None
        return True

    def _read(self, head: bytes) -> HTTPServerRequest | None:
        """The request, if it is plain and in order."""
        split = split_head(head)
        if split is None:
            return None
        self._method, target, plain = split
        server = self._owner.server
        believes = server is not None and server.xheaders
        if believes:
            self.context._apply_xheaders(plain.fields)
        try:
            return plain.request(self, self._method, target)
        except HTTPInputError:
            return None
        finally:
            if believes:
                self.context._unapply_xheaders()

    def _go_on(self, size: int) -> None:
        """The request is over: on to what came after it."""
        self._received = self._received[size:]
        self._pieces = 1 if self._received else 0
        self._idle_since = asyncio.get_running_loop().time()
        if self._reading_paused and not self._closed and len(self._received) <= MAX_HEAD:
            self._reading_paused = False
            self._transport.resume_reading()

    async def _wait(self) -> None:
        self._more = asyncio.get_running_loop().create_future()
        try:
            await self._more
        finally:
            self._more = None

    def _give_back(self) -> None:
        """Let tornado go on, with what was received and not served."""
        server = self._owner.server
        if self._closed or self._transport.is_closing() or server is None:
            self._transport.abort()
            return
        # A duplicate keeps the connection open while asyncio lets go of its own descriptor.
        sock = self._transport.get_extra_info("socket").dup()
        sock.setblocking(False)
        self._transport.abort()
        stream = ReturnedStream(
            sock,
            self._received,
            max_buffer_size=server.max_buffer_size,
            read_chunk_size=server.read_chunk_size,
        )
        server.handle_stream(stream, self.context.address)

    def _check_idle(self) -> None:
        """Close when nothing was asked for as long as tornado would wait."""
        server = self._owner.server
        timeout = server.conn_params.header_timeout if server is not None else None
        if timeout is None:
            return
        loop = asyncio.get_running_loop()
        due = self._idle_since + timeout
        if self._more is not None and loop.time() >= due:
            self._transport.abort()
            return
        self._timer = loop.call_at(max(due, loop.time() + 1.0), self._check_idle)


class ReturnedStream(IOStream):
    """A connection that tornado gets back.

    Args:
        sock: not blocking.
        early: bytes that were read from it already.
        options: of ``IOStream``.
    """

    def __init__(self, sock: socket.socket, early: bytes, **options: Any) -> None:
        self._early = early
        super().__init__(sock, **options)
        # All of it in one read: of what was left the system would not tell that it can be read.
        self._usual_chunk_size = self.read_chunk_size
        self.read_chunk_size = max(self.read_chunk_size, len(early))

    def read_from_fd(self, buf: bytearray | memoryview) -> int | None:
        """See ``BaseIOStream``; what came early comes first."""
        if not self._early:
            return super().read_from_fd(buf)
        count = len(self._early)
        buf[:count] = self._early
        self._early, self.read_chunk_size = b"", self._usual_chunk_size
        return count
