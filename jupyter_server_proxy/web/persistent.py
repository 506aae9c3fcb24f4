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

from ..errors import RequestRefused
from ..relay.client import take_socket
from ..relay.http import Upload
from ..rules.content import Content, content_of
from ..upstream.transport import PromptTransport, scratch
from .door import Pass, Refusal
from .gateway import Gateway
from .plain import may_continue, split_head, stays_open
from .response import ClientResponse, DirectResponse, TornadoResponse

#: Bytes of a head, and bytes that a client may send ahead of the answer, before it is no longer read.
MAX_HEAD = 64 * 1024

#: Bytes read at once: of heads; and of content that comes in small chunks, see ``content.Content``.
READ_HEADS = 64 * 1024
READ_FINE = 16 * 1024

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
        if not self._can_move(request, response):
            return
        if request.server_connection not in self._known:
            self._known.add(request.server_connection)
            return
        context = response.connection.context
        if (released := await response.release()) is not None:
            self._move(context, released, None)

    def take_body(self, journey: Gateway, request: HTTPServerRequest, response: TornadoResponse, verdict: Pass) -> bool:
        """Called when a request may pass, and before its body is read: it moves here at once, along with its body.

        Args:
            journey: of the request; it is continued here.
            request: as tornado parsed it.
            response: not begun.
            verdict: about the request.

        Returns:
            False if tornado has to read the body.
        """
        if not self._can_move(request, response) or not may_continue(request.headers):
            return False
        context = response.connection.context
        self._move(context, response.detach(), lambda connection: connection.begin(journey, request, verdict))
        return True

    def _can_move(self, request: HTTPServerRequest, response: TornadoResponse) -> bool:
        server, stream = self.server, response.connection.stream
        if server is None or isinstance(stream, SSLIOStream) or server.conn_params.no_keep_alive:
            return False  # TLS stays with tornado
        return request.version == "HTTP/1.1" and stays_open(request.headers)

    def _move(self, context: Any, stream: IOStream, begin: Callable[[PersistentConnection], None] | None) -> None:
        """Read a connection here."""
        server = self.server
        if server is not None and server.xheaders:
            context._unapply_xheaders()  # tornado does when it has read a request to its end
        try:
            sock, early = take_socket(stream)
        except OSError:
            return  # the client has gone, or there are no more descriptors
        try:
            if sock.family in (socket.AF_INET, socket.AF_INET6):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = PersistentConnection(self, context, early)
            if begin is not None:
                begin(connection)
            PromptTransport(sock, connection).start()
        except OSError:
            sock.close()

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


class PersistentConnection(asyncio.BufferedProtocol):
    """One of them: reads a request, has it served, and reads the next.

    Args:
        owner: knows the application and the server.
        context: of the connection, as tornado made it: who the client is.
        early: bytes that tornado has read already.

    Attributes:
        context: see above; requests read who their client is from here.
        lacks_content: the content of the current request has not come to its end.
    """

    def __init__(self, owner: PersistentConnections, context: Any, early: bytes) -> None:
        self.context = context
        self._owner = owner
        self._received = early
        self._method = ""
        self._pieces = 0
        self._transport: PromptTransport = cast(PromptTransport, None)
        self._descriptor = -1
        self._task: asyncio.Task[None] | None = None
        self._first: tuple[Gateway, Pass] | None = None
        self._response: DirectResponse | None = None
        self._closed = False
        self._reading_paused = False
        self._more: asyncio.Future[None] | None = None
        self._drained: asyncio.Future[None] | None = None
        self._write_paused = False
        self._on_close: Callable[[], None] | None = None
        self._idle_since = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self.lacks_content = False
        self._awaiting: Content | None = None  # will take what comes in, once somebody wants it, or it is dropped
        self._content: Content | None = None  # takes it now
        self._upload: Upload | None = None
        self._awaits_100 = False
        self._content_ended: asyncio.Future[None] | None = None

    def begin(self, journey: Gateway, request: HTTPServerRequest, verdict: Pass) -> None:
        """Have the connection begin with a request with content, whose head tornado has read; before it is made."""
        self._method = request.method or ""
        self._expect_content(request.headers)
        self._first = journey, verdict
        journey.move(self)

    # ---- for the response to the current request

    def respond(self, on_sent: Callable[[int], None], linger: float) -> ClientResponse:
        """The response to the request that was just read; the arguments are those of ``TornadoResponse``."""
        self._response = DirectResponse(self, on_sent, linger=linger, bodiless=self._method == "HEAD")
        return self._response

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

    # ---- for the content of the current request

    def pour(self, upload: Upload) -> None:
        """Pass the content on as it comes, from now on: each piece when it is read, and in the same turn.

        The client is told first, if it waits to be told (RFC 9110 10.1.1).

        Raises:
            StreamClosedError: the client has gone.
        """
        self._upload = upload
        if self._awaits_100:
            self._awaits_100 = False
            self.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self._read_content()

    async def drop_content(self, seconds: float) -> None:
        """Read what is left of the content, which nobody wants; for so long, unless it is not to come at all.

        Closing before would reset the connection, and the client might never see its answer (RFC 9112 9.6).
        """
        self._upload = None
        if self._awaits_100:
            return
        self._content_ended = asyncio.get_running_loop().create_future()
        self._read_content()
        try:
            await asyncio.wait({self._content_ended}, timeout=seconds)
        finally:
            self._content_ended = None

    # ---- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the event loop."""
        self._transport = cast(PromptTransport, transport)
        self._descriptor = transport.get_extra_info("socket").fileno()
        loop = asyncio.get_running_loop()
        self._idle_since = loop.time()
        self._check_idle()
        self._owner.add(self)
        self._task = loop.create_task(self._serve(), name="serve a persistent connection")

    def get_buffer(self, sizehint: int) -> memoryview:
        """Called by the event loop, which writes what comes in there."""
        if self._content is None:
            return scratch.buffer[:READ_HEADS]
        return scratch.buffer if self._content.coarse else scratch.buffer[:READ_FINE]

    def buffer_updated(self, nbytes: int) -> None:
        """Called by the event loop."""
        data = scratch.buffer[:nbytes]
        if self._content is not None:
            data = data[self._take_content(data) :]
            if not data:
                return
        self._received += data
        self._pieces += 1
        if len(self._received) > MAX_HEAD:
            self._pause_reading()
        if self._more is not None and not self._more.done():
            self._more.set_result(None)

    def eof_received(self) -> bool | None:
        """Called by the event loop; the transport then closes itself, as tornado's would."""
        return None

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the event loop."""
        self._closed = True
        self._let_go()
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
            if self._first is not None:
                (journey, verdict), self._first = self._first, None
                await self._travel(journey, verdict)
            while not self._closed:
                size = self._received.find(b"\r\n\r\n") + 4
                if size < 4 and self._pieces < MAX_PIECES and not self._reading_paused:
                    await self._wait()
                    continue
                head, self._received = self._received[:size], self._received[size:]
                if not 4 <= size <= MAX_HEAD or not await self._serve_one(head):
                    self._give_back(head)
                    return
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
        self._expect_content(request.headers)
        await self._travel(gateway, verdict)
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

    async def _travel(self, journey: Gateway, verdict: Pass) -> None:
        """Serve the current request."""
        try:
            await journey.travel_here(verdict)
        finally:
            self._on_close = None
        if self.lacks_content:
            self._transport.close()  # where the next request begins is not known
            return
        self._pieces = 1 if self._received else 0
        self._idle_since = asyncio.get_running_loop().time()
        if len(self._received) <= MAX_HEAD:
            self._resume_reading()

    async def _wait(self) -> None:
        self._more = asyncio.get_running_loop().create_future()
        try:
            await self._more
        finally:
            self._more = None

    # ---- content

    def _expect_content(self, fields: Any) -> None:
        if "Transfer-Encoding" in fields or "Content-Length" in fields:
            self._awaiting = content_of(fields)
            self.lacks_content = self._awaiting is not None
            self._awaits_100 = self.lacks_content and "Expect" in fields

    def _read_content(self) -> None:
        """From now on; what has come with the head is the beginning."""
        self._content, self._awaiting = self._awaiting or self._content, None
        early, self._received = self._received, b""
        if early and self._content is not None:
            early = early[self._take_content(memoryview(early)) :]
        self._received = early + self._received
        self._resume_reading()

    def _take_content(self, data: memoryview) -> int:
        """Pass content on, or drop it; how many bytes that were."""
        content, upload = self._content, self._upload
        assert content is not None
        try:
            pieces, size = content.feed(data)
        except RequestRefused as error:
            self._refuse_content(error)
            return len(data)
        if upload is not None:
            upload.pass_on(pieces)
            if upload.pause(self._resume_reading):
                self._pause_reading()
        if content.ended:
            self._content, self.lacks_content = None, False
            if upload is not None:
                upload.end()
            if self._content_ended is not None and not self._content_ended.done():
                self._content_ended.set_result(None)
        return size

    def _refuse_content(self, error: RequestRefused) -> None:
        """End the connection, and with it the request: where the next one begins cannot be told."""
        self._owner.log.info("Refused a request from %s: %s", self.context.remote_ip, error.message)
        if self._response is not None and not self._response.started and not self._transport.is_closing():
            self._transport.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        self._pause_reading()
        self._transport.close()

    # ---- the connection

    def _pause_reading(self) -> None:
        if not self._reading_paused:
            self._reading_paused = True
            self._transport.pause_reading()

    def _resume_reading(self) -> None:
        if self._reading_paused and not self._closed:
            self._reading_paused = False
            self._transport.resume_reading()

    def _give_back(self, head: bytes) -> None:
        """Let tornado go on, with what was received and not served."""
        server = self._owner.server
        if self._closed or self._transport.is_closing() or server is None:
            self._transport.abort()
            return
        sock = self._transport.detach()
        self._closed = True
        self._let_go()
        stream = ReturnedStream(
            sock,
            head + self._received,
            max_buffer_size=server.max_buffer_size,
            read_chunk_size=server.read_chunk_size,
        )
        server.handle_stream(stream, self.context.address)

    def _let_go(self) -> None:
        self._owner.discard(self)
        if self._timer is not None:
            self._timer.cancel()

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
