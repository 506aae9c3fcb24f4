"""HTTP bodies, both ways, one piece at a time. Backpressure is the caller's await; nothing is kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from ..errors import UpstreamError, UpstreamProtocolError
from ..upstream.connection import UpstreamConnection


class Writer(Protocol):
    """Whoever takes the body of a response."""

    async def write(self, data: bytes) -> None:
        """Returns when the bytes have left."""

    def offer(self, data: bytes | memoryview) -> int:
        """Write, without waiting and without keeping any, what can be written; how many bytes that was."""


class Upload:
    """A request body on its way to the origin server.

    An origin server may answer, and stop reading, before it has the whole body (RFC 9112 9.3); the rest of the body is
    then taken from the client and dropped, so that the client gets to read the answer.

    Args:
        upstream: where the head was sent.
        chunked: the origin server was told so.
        on_received: told of the number of bytes that came, passed on or not.

    Attributes:
        ended: the whole body was passed on, so the connection can serve another request afterwards.
    """

    def __init__(self, upstream: UpstreamConnection, *, chunked: bool, on_received: Callable[[int], None]) -> None:
        self._upstream = upstream
        self._chunked = chunked
        self._on_received = on_received
        self._dropping = False
        self.ended = False

    @property
    def waits_for_client(self) -> bool:
        """Whether the rest of the body is what is missing: the origin server would take it."""
        return not (self.ended or self._dropping or self._upstream.write_paused)

    def pass_on(self, pieces: Sequence[bytes | memoryview]) -> None:
        """Pass on a part of the body, framed as the origin server was told (RFC 9112 7.1); nothing of it is kept."""
        size = sum(map(len, pieces))
        self._on_received(size)
        if self._dropping or not size:
            return
        try:
            self._upstream.send([b"%x\r\n" % size, *pieces, b"\r\n"] if self._chunked else pieces)
        except UpstreamError:
            self._dropping = True

    def pause(self, on_writable: Callable[[], None]) -> bool:
        """Whether the origin server cannot take more now; then this is called when it can."""
        if self._dropping or not self._upstream.write_paused:
            return False
        self._upstream.on_writable = on_writable
        return True

    async def send(self, data: bytes) -> None:
        """Pass on a piece, and wait until the origin server can take more."""
        self.pass_on([data])
        if not self._dropping:
            try:
                await self._upstream.drained()
            except UpstreamError:
                self._dropping = True

    def end(self) -> None:
        """The body is complete. Nobody waits until all of it has left: what counts is the response."""
        if self._dropping:
            return
        if self._chunked:
            self._upstream.transport.write(b"0\r\n\r\n")
        self.ended = True

    def drop(self) -> None:
        """Pass nothing more on."""
        self._dropping = True


async def relay_body(upstream: UpstreamConnection, client: Writer) -> None:
    """Write what is left of a response body to the client as it arrives.

    As long as the client takes everything at once, bytes go from socket to socket while this sleeps; otherwise it waits
    for the client.

    Raises:
        UpstreamError: the origin server did not send the whole body.
    """
    while data := await upstream.read(client.offer):
        await client.write(data)


async def collect_body(upstream: UpstreamConnection, limit: int) -> bytes:
    """A whole response body.

    Args:
        upstream: whose response head has been read.
        limit: bytes beyond which the body is refused.

    Raises:
        UpstreamProtocolError: it is larger than ``limit``.
        UpstreamError: the origin server did not send the whole body.
    """
    parts: list[bytes] = []
    size = 0
    while data := await upstream.read():
        size += len(data)
        if size > limit:
            raise UpstreamProtocolError(
                f"The response of {upstream.address} is larger than the {limit} bytes that may be held to rewrite it."
            )
        parts.append(data)
    return b"".join(parts)
