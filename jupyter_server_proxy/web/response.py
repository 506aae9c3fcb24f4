"""Our side of the client's HTTP connection: one response, written once, and the end of the request it answers."""

from __future__ import annotations

import abc
import asyncio
import socket
import struct
import sys
from collections.abc import Callable
from functools import cached_property
from typing import Protocol, cast

from tornado.http1connection import HTTP1Connection
from tornado.httputil import HTTPHeaders, ResponseStartLine
from tornado.iostream import IOStream, SSLIOStream, StreamClosedError

from ..errors import ProxyError
from ..relay.http import Upload
from ..rules.fields import Fields, Pairs
from ..rules.headers import serialize_head
from .pages import reason_phrase

#: Status in the log for a client that left before its answer was complete (nginx's convention).
CLIENT_CLOSED = 499


#: RFC 9112 7.1
_LAST_CHUNK = b"0\r\n\r\n"


class ClientResponse(abc.ABC):
    """Writes a response, each write awaited.

    Args:
        on_sent: told of the number of bytes that have left.

    Attributes:
        cookies: Set-Cookie values to add: what logging in has set.
        started: the response head was written.
        gone: the client has closed.
    """

    def __init__(self, on_sent: Callable[[int], None]) -> None:
        self.cookies: tuple[str, ...] = ()
        self.started = False
        self.gone = False
        self._on_sent = on_sent
        self._status = CLIENT_CLOSED
        self._ended = False

    @property
    def status(self) -> int:
        """For the log: the status that was sent, or 499 when the client did not wait for the end."""
        return CLIENT_CLOSED if self.gone and not self._ended else self._status

    @abc.abstractmethod
    async def begin(self, status: int, reason: str, fields: Pairs, chunk: bytes | None = None) -> None:
        """Write the head, and perhaps the first bytes of the body."""

    @abc.abstractmethod
    async def write(self, data: bytes) -> None:
        """Write bytes of the body; returns when they have left."""

    @abc.abstractmethod
    def offer(self, data: bytes | memoryview) -> int:
        """Write, without waiting and without keeping any, what the socket takes of the body; how many bytes that was.

        None of a body that has to be framed, or encrypted. Errors are left to the ``write`` that follows.
        """

    @abc.abstractmethod
    async def end(self) -> None:
        """The response is complete."""

    @abc.abstractmethod
    def truncate(self) -> None:
        """End a response that is not complete so that the client can tell."""

    @abc.abstractmethod
    def want_body(self, upload: Upload) -> None:
        """The request's body is to be read now, and passed on.

        Raises:
            StreamClosedError: the client has gone.
        """

    @abc.abstractmethod
    def give_up_body(self) -> None:
        """Nobody wants the request's body, or what is left of it."""

    @abc.abstractmethod
    def watch(self, on_close: Callable[[], None]) -> None:
        """Have it called when the client closes its connection; the request has no body."""

    async def send(self, status: int, reason: str, fields: Pairs, body: bytes) -> None:
        """Write a whole response."""
        await self.begin(status, reason, fields, body)
        await self.end()

    async def redirect(self, path: str, query: str | None) -> None:
        """Send the client to another path of this host."""
        location = path if query is None else f"{path}?{query}"
        await self.send(302, "", [("Location", location), ("Content-Length", "0")], b"")

    def cookie_fields(self) -> Pairs:
        """The field lines that logging in asks for."""
        return [("Set-Cookie", cookie) for cookie in self.cookies]


class TornadoResponse(ClientResponse):
    """The response to a request that tornado reads.

    Args:
        connection: of the request.
        linger: seconds that the client gets to finish its request after the response is complete: closing before would
            reset the connection, and the client might never see the answer (RFC 9112 9.6).
        on_sent: told of the number of bytes that have left.

    Attributes:
        expects_continue: the client waits for a 100 before it sends its body (RFC 9110 10.1.1).
        ends_with_request: tornado has yet to notice that the request is complete. A response that ends before would
            look like one that does not wait for the request, after which tornado closes the connection.
    """

    def __init__(
        self, connection: HTTP1Connection, *, linger: float, on_sent: Callable[[int], None] = lambda count: None
    ) -> None:
        super().__init__(on_sent)
        self.connection = connection
        self.expects_continue = False
        self.ends_with_request = False
        self._linger = linger
        self._sized = False
        self._streaming = False

    @cached_property
    def body_wanted(self) -> asyncio.Event:
        """Set when tornado may read the request's body."""
        return asyncio.Event()

    @cached_property
    def request_read(self) -> asyncio.Event:
        """Set when tornado has read all of the request."""
        return asyncio.Event()

    def want_body(self, upload: Upload) -> None:
        """See ``ClientResponse``. Whoever is driven by tornado passes it on."""
        self.body_wanted.set()

    def give_up_body(self) -> None:
        """See ``ClientResponse``."""
        self.body_wanted.set()

    def watch(self, on_close: Callable[[], None]) -> None:
        """See ``ClientResponse``."""
        self.ends_with_request = True
        # Of the stream itself: tornado hands its connection's callback on to it only when the request has been read.
        self.connection.stream.set_close_callback(on_close)

    def watch_upload(self, on_close: Callable[[], None]) -> None:
        """The same for a request whose body, of any size, is read while it is served."""
        self.connection.set_close_callback(on_close)
        self.connection.set_max_body_size(sys.maxsize)

    async def begin(self, status: int, reason: str, fields: Pairs, chunk: bytes | None = None) -> None:
        """See ``ClientResponse``."""
        self.started = True
        self._status = status
        headers = Fields.of_parsed(fields + self.cookie_fields())
        self._sized = "Content-Length" in headers
        start_line = ResponseStartLine("HTTP/1.1", status, reason or reason_phrase(status))
        await self.connection.write_headers(start_line, cast(HTTPHeaders, headers), chunk)
        if chunk:
            self._on_sent(len(chunk))

    async def write(self, data: bytes) -> None:
        """See ``ClientResponse``."""
        if not self._streaming:
            self._streaming = True
            self.connection.stream.set_nodelay(True)  # the next piece may be long in coming
        await self.connection.write(data)
        self._on_sent(len(data))

    def offer(self, data: bytes | memoryview) -> int:
        """See ``ClientResponse``."""
        connection, stream = self.connection, self.connection.stream
        left = connection._expected_content_remaining
        if left is None or not self._streaming or stream is None or isinstance(stream, SSLIOStream):
            return 0
        if stream.writing() or stream.closed():
            return 0
        try:
            count = stream.socket.send(data)
        except OSError:
            return 0
        connection._expected_content_remaining = left - count
        self._on_sent(count)
        return count

    async def end(self) -> None:
        """See ``ClientResponse``."""
        self._ended = True
        if self.ends_with_request:
            return  # ``take_end_of_request`` does it
        self.body_wanted.set()
        if not self.request_read.is_set() and not self.expects_continue:
            try:
                await asyncio.wait_for(self.request_read.wait(), self._linger)
            except (TimeoutError, asyncio.TimeoutError):
                pass
        self.connection.finish()

    def take_end_of_request(self) -> None:
        """Tornado has read all of the request."""
        if not self.ends_with_request:
            self.request_read.set()
        elif self._ended:
            self.connection.finish()

    async def break_off(self, error: ProxyError) -> None:
        """Answer a request whose end cannot be told, and close: what follows could be anything."""
        body = f"{error.message}\n"
        fields = [
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Length", str(len(body))),
            ("Connection", "close"),
        ]
        try:
            await self.begin(error.status, "", fields, body.encode())
        except StreamClosedError:
            pass
        self.connection.close()

    def detach(self) -> IOStream:
        """Take the socket away: for an upgraded connection, or for another reader."""
        self.started = True
        self._status = 101
        self._ended = True
        return self.connection.detach()

    def truncate(self) -> None:
        """See ``ClientResponse``.

        A missing last chunk or a short Content-Length shows by itself; where only the end of the connection marks the
        end of the body (HTTP/1.0), it must be reset.
        """
        stream = self.connection.stream
        if stream is None or stream.closed():
            return
        if self.started and not self._sized and not self.connection._chunking_output:
            stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()


class Connection(Protocol):
    """What a ``DirectResponse`` is written to: a connection that is read by us."""

    lacks_content: bool
    awaits_continue: bool

    def watch(self, on_close: Callable[[], None]) -> None: ...
    def pour(self, upload: Upload) -> None: ...
    async def drop_content(self, seconds: float) -> None: ...
    def write(self, data: bytes) -> bool: ...
    async def drained(self) -> None: ...
    def offer(self, data: bytes | memoryview) -> int: ...
    def close(self) -> None: ...


class DirectResponse(ClientResponse):
    """The response to a request that was read here. It is HTTP/1.1, and its connection stays open.

    Args:
        connection: of the request.
        on_sent: see ``ClientResponse``.
        linger: see ``TornadoResponse``.
        bodiless: it answers a HEAD.
    """

    def __init__(
        self, connection: Connection, on_sent: Callable[[int], None], *, linger: float, bodiless: bool
    ) -> None:
        super().__init__(on_sent)
        self._connection = connection
        self._linger = linger
        self._bodiless = bodiless
        self._chunked = False

    def watch(self, on_close: Callable[[], None]) -> None:
        """See ``ClientResponse``."""
        self._connection.watch(on_close)

    def want_body(self, upload: Upload) -> None:
        """See ``ClientResponse``."""
        self._connection.pour(upload)

    def give_up_body(self) -> None:
        """See ``ClientResponse``. Nobody waits for it; what has not come by the end of the response is dropped."""

    async def begin(self, status: int, reason: str, fields: Pairs, chunk: bytes | None = None) -> None:
        """See ``ClientResponse``."""
        head = self._head(status, reason, fields)
        await self._write(head + self._framed(chunk) if chunk else head)
        if chunk:
            self._on_sent(len(chunk))

    async def write(self, data: bytes) -> None:
        """See ``ClientResponse``."""
        await self._write(self._framed(data))
        self._on_sent(len(data))

    def offer(self, data: bytes | memoryview) -> int:
        """See ``ClientResponse``."""
        count = 0 if self._chunked else self._connection.offer(data)
        if count:
            self._on_sent(count)
        return count

    async def end(self) -> None:
        """See ``ClientResponse``."""
        if self._chunked:
            await self._write(_LAST_CHUNK)
        await self._finish()

    async def send(self, status: int, reason: str, fields: Pairs, body: bytes) -> None:
        """See ``ClientResponse``. All of it leaves in one piece."""
        head = self._head(status, reason, fields)
        if body:
            head += self._framed(body)
        if not self._connection.write(head + _LAST_CHUNK if self._chunked else head):
            await self._connection.drained()
        self._on_sent(len(body))
        await self._finish()

    def truncate(self) -> None:
        """See ``ClientResponse``. The missing end shows by itself: there is a length, or a last chunk."""
        self._connection.close()

    async def _finish(self) -> None:
        self._ended = True
        if self._connection.lacks_content:
            await self._connection.drop_content(self._linger)

    def _head(self, status: int, reason: str, fields: Pairs) -> bytes:
        if self.cookies:
            fields += self.cookie_fields()
        # RFC 9112 6.1: a response to HEAD, and these, have no body to be framed.
        has_body = not self._bodiless and status not in (204, 304)
        self._chunked = has_body and not any(name.lower() == "content-length" for name, _ in fields)
        if self._chunked:
            fields.append(("Transfer-Encoding", "chunked"))
        if self._connection.awaits_continue:
            fields.append(
                ("Connection", "close")
            )  # the client need not send what nobody wants, and may do so all the same
        head = serialize_head(f"HTTP/1.1 {status} {reason or reason_phrase(status)}", fields)
        self.started = True
        self._status = status
        return head

    async def _write(self, data: bytes) -> None:
        if not self._connection.write(data):
            await self._connection.drained()

    def _framed(self, data: bytes) -> bytes:
        return b"%x\r\n%b\r\n" % (len(data), data) if self._chunked else data
