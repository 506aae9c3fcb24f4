"""Our side of the client's HTTP connection: one response, written once, and the end of the request it answers."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from functools import cached_property
from typing import cast

from tornado.http1connection import HTTP1Connection
from tornado.httputil import HTTPHeaders, ResponseStartLine
from tornado.iostream import IOStream, StreamClosedError

from ..errors import ProxyError
from ..rules.fields import Fields, Pairs
from .pages import reason_phrase

#: Status in the log for a client that left before its answer was complete (nginx's convention).
CLIENT_CLOSED = 499


class ClientResponse:
    """Writes a response, each write awaited.

    Args:
        connection: of the request.
        linger: seconds that the client gets to finish its request after the response is complete: closing before would
            reset the connection, and the client might never see the answer (RFC 9112 9.6).
        on_sent: told of the number of bytes that have left.

    Attributes:
        cookies: Set-Cookie values to add: what logging in has set.
        expects_continue: the client waits for a 100 before it sends its body (RFC 9110 10.1.1).
        ends_with_request: tornado has yet to notice that the request is complete. A response that ends before would
            look like one that does not wait for the request, after which tornado closes the connection.
        started: the response head was written.
        gone: the client has closed.
    """

    def __init__(
        self, connection: HTTP1Connection, *, linger: float, on_sent: Callable[[int], None] = lambda count: None
    ) -> None:
        self.connection = connection
        self.cookies: tuple[str, ...] = ()
        self.expects_continue = False
        self.ends_with_request = False
        self.started = False
        self.gone = False
        self._linger = linger
        self._on_sent = on_sent
        self._status = CLIENT_CLOSED
        self._sized = False
        self._streaming = False
        self._ended = False

    @cached_property
    def body_wanted(self) -> asyncio.Event:
        """Set when tornado may read the request's body."""
        return asyncio.Event()

    @cached_property
    def request_read(self) -> asyncio.Event:
        """Set when tornado has read all of the request."""
        return asyncio.Event()

    @property
    def status(self) -> int:
        """For the log: the status that was sent, or 499 when the client did not wait for the end."""
        return CLIENT_CLOSED if self.gone and not self._ended else self._status

    async def begin(self, status: int, reason: str, fields: Pairs, chunk: bytes | None = None) -> None:
        """Write the head, and perhaps the first bytes of the body."""
        self.started = True
        self._status = status
        headers = Fields.of_parsed(fields + self.cookie_fields())
        self._sized = "Content-Length" in headers
        start_line = ResponseStartLine("HTTP/1.1", status, reason or reason_phrase(status))
        await self.connection.write_headers(start_line, cast(HTTPHeaders, headers), chunk)
        if chunk:
            self._on_sent(len(chunk))

    async def write(self, data: bytes) -> None:
        """Write bytes of the body; returns when they have left."""
        if not self._streaming:
            self._streaming = True
            self.connection.stream.set_nodelay(True)  # the next piece may be long in coming
        await self.connection.write(data)
        self._on_sent(len(data))

    async def end(self) -> None:
        """The response is complete."""
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

    async def send(self, status: int, reason: str, fields: Pairs, body: bytes) -> None:
        """Write a whole response."""
        await self.begin(status, reason, fields, body)
        await self.end()

    async def redirect(self, path: str, query: str | None) -> None:
        """Send the client to another path of this host."""
        location = path if query is None else f"{path}?{query}"
        await self.send(302, "", [("Location", location), ("Content-Length", "0")], b"")

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

    def cookie_fields(self) -> Pairs:
        """The field lines that logging in asks for."""
        return [("Set-Cookie", cookie) for cookie in self.cookies]

    def detach(self) -> IOStream:
        """Take the socket away from HTTP, for an upgraded connection."""
        self.started = True
        self._status = 101
        self._ended = True
        return self.connection.detach()

    def truncate(self) -> None:
        """End a response that is not complete so that the client can tell.

        A missing last chunk or a short Content-Length shows by itself; where only the end of the connection marks the
        end of the body (HTTP/1.0), it must be reset.
        """
        if self._ended and self.connection.stream is None:
            return
        stream = self.connection.stream
        if stream is None or stream.closed():
            return
        if self.started and not self._sized and not self.connection._chunking_output:
            stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
