"""A connection of a client that is read by us: requests one after the other, and what they carry.

Nothing is waited for while content is passed on: it is read into a buffer that all connections share, and sent from
there in the same turn of the event loop. When the origin server does not take it, the client is no longer read.
"""

from __future__ import annotations

import asyncio
import logging
import os
import select
import socket
from collections.abc import Callable
from typing import Any, Protocol, cast

from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPInputError, HTTPMessageDelegate, HTTPServerRequest
from tornado.iostream import StreamClosedError

from ..errors import RequestRefused
from ..relay.http import Upload
from ..rules.content import Content, content_of
from ..upstream.transport import PromptTransport, scratch
from .door import Pass, Refusal
from .gateway import Gateway
from .plain import split_head
from .response import ClientResponse, DirectResponse

#: Bytes of a head, and bytes that a client may send ahead of the answer, before it is no longer read.
MAX_HEAD = 64 * 1024

#: Bytes of heads that are read at once.
READ_HEADS = 64 * 1024

#: Seconds between two looks whether a client that is not read has left.
LOOK_PAUSE = 0.5

#: What poll(2) says when it has closed its side. Where a system does not tell, the connection must be broken.
_LEFT = getattr(select, "POLLRDHUP", 0)

#: Pieces in which a head may arrive. Who sends it byte by byte is tornado's to deal with.
MAX_PIECES = 4


class Owner(Protocol):
    """Has all of the connections; see ``persistent``."""

    log: logging.Logger

    @property
    def server(self) -> HTTPServer | None: ...
    def find_handler(self, request: HTTPServerRequest) -> HTTPMessageDelegate | None: ...
    def give_back(self, sock: socket.socket, early: bytes, context: Any) -> None: ...
    def add(self, connection: PersistentConnection) -> None: ...
    def discard(self, connection: PersistentConnection) -> None: ...


class PersistentConnection(asyncio.BufferedProtocol):
    """One of them: reads a request, has it served, and reads the next.

    Args:
        owner: knows the application and the server.
        context: of the connection, as tornado made it: who the client is.
        early: bytes that tornado has read already.

    Attributes:
        context: see above; requests read who their client is from here.
        lacks_content: the content of the current request has not come to its end.
        awaits_continue: its client waits to be told that it may send the content.
    """

    def __init__(self, owner: Owner, context: Any, early: bytes) -> None:
        self.context = context
        self._owner = owner
        self._received = early
        self._method = ""
        self._pieces = 0
        self._transport: PromptTransport = cast(PromptTransport, None)
        self._loop: asyncio.AbstractEventLoop = cast(asyncio.AbstractEventLoop, None)
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
        self._watch: asyncio.TimerHandle | None = None
        self.lacks_content = False
        self._unread_content: Content | None = None  # will take what comes in, once somebody wants it, or it is dropped
        self._content: Content | None = None  # takes it now
        self._upload: Upload | None = None
        self.awaits_continue = False
        self._content_ended: asyncio.Future[None] | None = None

    def begin(self, journey: Gateway, request: HTTPServerRequest, verdict: Pass) -> None:
        """Have the connection begin with a request whose head tornado has read; before there is a transport."""
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
            self._drained = self._loop.create_future()
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
        if self.awaits_continue:
            self.awaits_continue = False
            self.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self._read_content()

    async def drop_content(self, seconds: float) -> None:
        """Read what is left of the content for so long, unless it is not to come at all.

        The origin server gets it as long as it takes any: its answer may have come early. Closing before would reset
        the connection, and the client might never see the answer (RFC 9112 9.6).
        """
        if self.awaits_continue:
            return
        self._content_ended = self._loop.create_future()
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
        self._loop = asyncio.get_running_loop()  # to ask for it each time is a call of the system before Python 3.12
        self._idle_since = self._loop.time()
        self._check_idle()
        self._owner.add(self)
        self._task = self._loop.create_task(self._serve(), name="serve a persistent connection")

    def get_buffer(self, sizehint: int) -> memoryview:
        """Called by the event loop, which writes what comes in there."""
        return scratch.buffer[: READ_HEADS if self._content is None else self._content.room]

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
            while not (self._closed or self._transport.is_closing()):
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
            self._on_close = self._response = self._upload = None
        if self.lacks_content:
            self._transport.close()  # where the next request begins is not known
            return
        self._pieces = 1 if self._received else 0
        self._idle_since = self._loop.time()
        if len(self._received) <= MAX_HEAD:
            self._resume_reading()

    async def _wait(self) -> None:
        self._more = self._loop.create_future()
        try:
            await self._more
        finally:
            self._more = None

    # ---- content

    def _expect_content(self, fields: Any) -> None:
        if "Transfer-Encoding" in fields or "Content-Length" in fields:
            self._unread_content = content_of(fields)
            self.lacks_content = self._unread_content is not None
            self.awaits_continue = self.lacks_content and "Expect" in fields

    def _read_content(self) -> None:
        """From now on; what has come with the head is the beginning."""
        if self._unread_content is not None:
            self._resume_reading()  # before: it may be paused again at once
            self._content, self._unread_content = self._unread_content, None
            taken = self._take_content(memoryview(self._received))
            self._received = self._received[taken:]

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
            if not content.ended and upload.pause(self._resume_reading):
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
        self._transport.abort()  # and does not wait for a client that does not read

    # ---- the connection

    def _pause_reading(self) -> None:
        if not self._reading_paused:
            self._reading_paused = True
            self._transport.pause_reading()
            if self._watch is None and hasattr(select, "poll"):
                self._watch = self._loop.call_later(LOOK_PAUSE, self._look)

    def _look(self) -> None:
        """Reading would tell that the client has left; now nobody reads."""
        self._watch = None
        if self._closed or not self._reading_paused:
            return
        poll = select.poll()
        poll.register(self._descriptor, _LEFT)
        if poll.poll(0):
            self._transport.abort()
        else:
            self._watch = self._loop.call_later(LOOK_PAUSE, self._look)

    def _resume_reading(self) -> None:
        if self._reading_paused and not self._closed:
            self._reading_paused = False
            self._transport.resume_reading()

    def _give_back(self, head: bytes) -> None:
        """Let tornado go on, with what was received and not served."""
        if self._closed or self._transport.is_closing():
            return
        sock = self._transport.detach()
        self._closed = True
        self._let_go()
        self._owner.give_back(sock, head + self._received, self.context)

    def _let_go(self) -> None:
        self._owner.discard(self)
        for timer in (self._timer, self._watch):
            if timer is not None:
                timer.cancel()

    def _check_idle(self) -> None:
        """Close when nothing was asked for as long as tornado would wait."""
        server = self._owner.server
        timeout = server.conn_params.header_timeout if server is not None else None
        if timeout is None:
            return
        loop = self._loop
        due = self._idle_since + timeout
        if self._more is not None and loop.time() >= due:
            self._transport.abort()
            return
        self._timer = loop.call_at(max(due, loop.time() + 1.0), self._check_idle)
