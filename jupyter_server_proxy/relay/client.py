"""The client's side of an upgraded connection, taken over from tornado as an asyncio transport."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Any

from tornado.iostream import IOStream, SSLIOStream, StreamClosedError

from ..upstream.transport import SocketTransport
from .duplex import End

#: Bytes read at once, and bytes that may wait to be written before the other side is paused.
CHUNK = 64 * 1024
WRITE_HIGH = 64 * 1024

#: More than tornado ever has of what a client sent ahead: it reads 64 KiB when it looks for a head.
MAX_EARLY = 1024 * 1024 * 1024


def adopt(stream: IOStream, end: End, head: bytes) -> None:
    """Connect the client's end of a duplex to a stream that was detached from its HTTP connection.

    A plain socket moves to a transport that is several times as fast as the stream; TLS stays in tornado.
    The head is sent before bytes that the client sent early are delivered, so that nothing overtakes it.

    Args:
        stream: the client.
        end: what gets the client's bytes.
        head: the 101, to be written first.

    Raises:
        OSError: the client has gone.
    """
    if isinstance(stream, SSLIOStream):
        end.greeting = head
        StreamTransport(stream, end).start()
        return
    end.greeting = head
    sock, end.early = take_socket(stream)
    if sock.family in (socket.AF_INET, socket.AF_INET6):
        with contextlib.suppress(OSError):  # the client has just gone, which reading will tell
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    SocketTransport(sock, end).start()


def take_socket(stream: IOStream) -> tuple[socket.socket, bytes]:
    """The socket of a stream that was detached from its HTTP connection, and what the stream has read ahead.

    What it has not read waits in the socket.

    Raises:
        OSError: the client has gone.
    """
    early = _drain_early(stream)
    if stream.closed():
        raise ConnectionResetError("the client closed the connection")
    try:
        # A duplicate keeps the connection open while tornado lets go of its own descriptor.
        sock = stream.socket.dup()
    finally:
        stream.close()
    sock.setblocking(False)
    return sock, early


def _drain_early(stream: IOStream) -> bytes:
    """What tornado has read already; or if there is nothing, what it can read at once."""
    reading = stream.read_bytes(MAX_EARLY, partial=True)
    if not isinstance(reading, asyncio.Future) or not reading.done():
        return b""  # the pending read ends when the stream is closed
    try:
        return bytes(reading.result())
    except StreamClosedError:
        raise ConnectionResetError("the client closed the connection") from None


class StreamTransport(asyncio.Transport):
    """The part of asyncio's transport interface that ``Duplex`` uses, over a tornado stream."""

    def __init__(self, stream: IOStream, protocol: asyncio.Protocol) -> None:
        super().__init__()
        self._stream = stream
        self._protocol = protocol
        self._may_read = asyncio.Event()
        self._may_read.set()
        self._unsent = 0
        self._paused_peer = False
        self._closing = False
        self._lost = False
        self._reader: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Connect the protocol and begin to read."""
        self._protocol.connection_made(self)
        self._stream.set_close_callback(self._on_closed)
        self._reader = asyncio.get_running_loop().create_task(self._read(), name="read an upgraded TLS connection")

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        """See ``asyncio.Transport``."""
        if self._stream.closed() or self._closing:
            return
        size = len(data)
        self._unsent += size
        if self._unsent > WRITE_HIGH and not self._paused_peer:
            self._paused_peer = True
            self._protocol.pause_writing()
        try:
            sending = self._stream.write(bytes(data))
        except StreamClosedError:
            return
        sending.add_done_callback(lambda _: self._sent(size))

    def get_write_buffer_size(self) -> int:
        """See ``asyncio.WriteTransport``."""
        return self._unsent

    def pause_reading(self) -> None:
        """See ``asyncio.ReadTransport``."""
        self._may_read.clear()

    def resume_reading(self) -> None:
        """See ``asyncio.ReadTransport``."""
        self._may_read.set()

    def can_write_eof(self) -> bool:
        """TLS streams cannot be closed in one direction alone."""
        return False

    def is_closing(self) -> bool:
        """See ``asyncio.BaseTransport``."""
        return self._closing or self._stream.closed()

    def close(self) -> None:
        """Close after what was written is sent."""
        self._closing = True
        if self._unsent == 0:
            self._stream.close()

    def abort(self) -> None:
        """Close at once."""
        self._closing = True
        self._stream.close()

    def _sent(self, size: int) -> None:
        self._unsent -= size
        if self._unsent == 0 and self._closing:
            self._stream.close()
        elif self._paused_peer and self._unsent <= WRITE_HIGH // 4:
            self._paused_peer = False
            if not self._lost:
                self._protocol.resume_writing()

    async def _read(self) -> None:
        try:
            while True:
                await self._may_read.wait()
                self._protocol.data_received(await self._stream.read_bytes(CHUNK, partial=True))
        except StreamClosedError:
            return

    def _on_closed(self) -> None:
        if self._lost:
            return
        self._lost = True
        if self._reader is not None:
            self._reader.cancel()
        error = self._stream.error
        self._protocol.connection_lost(error if isinstance(error, Exception) else None)
