"""Websocket messages <-> a raw TCP or unix stream, for servers that do not speak HTTP (``raw_socket_proxy``).

The payload of the client's messages, text or binary, becomes the stream; what the server sends comes back in binary
messages. Message boundaries carry no meaning.
"""

from __future__ import annotations

import asyncio
import functools
import os
import socket

from tornado.iostream import IOStream

from ..rules.websocket import (
    CLOSE_NORMAL,
    MAX_HEADER,
    Data,
    FrameDecoder,
    Opcode,
    Unmask,
    WebSocketError,
    apply_mask,
    encode_close,
    encode_frame,
    encode_header,
)
from ..upstream import splice
from ..upstream.address import Address
from ..upstream.dial import dial
from ..upstream.transport import Mover, SocketTransport
from .client import adopt
from .duplex import Duplex, End, OnData

#: Seconds that a client gets to answer our close frame before its connection is closed all the same.
CLOSE_TIMEOUT = 10.0


#: Bytes that are read at once, as asyncio does; and room in front of them for the header of a frame.
READ_SIZE = 256 * 1024
HEADROOM = MAX_HEADER

#: Pieces that are sent by one call without being joined; the system's limit is 1024, and many are small.
MAX_JOINED = 16

#: What comes in from any server stands here while it is passed on. One for each connection would be what an idle
#: conversation mostly consists of.
_BUFFER = memoryview(bytearray(HEADROOM + max(READ_SIZE, splice.MOVE_SIZE)))


@functools.cache
def _unmask() -> Unmask:
    """What ``apply_mask`` does, in C where that is to be had. Loaded when it is needed: the package takes a while."""
    try:
        from websockets.speedups import apply_mask as mask_in_c
    except ImportError:  # it was installed without its C extension
        return apply_mask

    def unmask(payload: bytes | memoryview, mask: bytes, offset: int) -> bytes:
        turn = offset % 4
        return mask_in_c(payload, mask[turn:] + mask[:turn] if turn else mask)

    return unmask


class MessageEnd(End, asyncio.BufferedProtocol):
    """The websocket side: unwraps what comes in, wraps what goes out, and answers control frames."""

    peer: SocketEnd

    __slots__ = ("_close_sent", "_decoder", "_timer")

    def __init__(self, duplex: Duplex) -> None:
        super().__init__(duplex)
        self._decoder = FrameDecoder(_unmask())
        self._close_sent = False
        self._timer: asyncio.TimerHandle | None = None

    def get_buffer(self, sizehint: int) -> memoryview:
        """Called by the transport, which writes what comes in there."""
        return _BUFFER

    def buffer_updated(self, nbytes: int) -> None:
        """Called by the transport, at once. Nothing of the buffer is kept."""
        self.data_received(_BUFFER[:nbytes])

    def data_received(self, data: bytes | memoryview) -> None:
        """Called by tornado's transport for TLS."""
        if self.ended:
            return
        self.duplex.note_progress(self, data)
        try:
            events = self._decoder.feed(data)
        except WebSocketError as error:
            self._close(encode_close(error.code, str(error)))
            return
        pieces: list[bytes] = []
        close: bytes | None = None
        for event in events:
            if isinstance(event, Data):
                pieces.append(event.payload)
            elif event.opcode is Opcode.PING:
                super().deliver(encode_frame(Opcode.PONG, event.payload))
            elif event.opcode is Opcode.CLOSE:
                close = event.payload[:2] if len(event.payload) > 1 else b""
                break
        self.peer.deliver_all(pieces)
        if close is not None:
            self._close(encode_frame(Opcode.CLOSE, close))

    def deliver(self, data: bytes) -> None:
        """Wrap bytes of the server into a message."""
        if not self._close_sent:
            super().deliver(encode_frame(Opcode.BINARY, data))

    def deliver_in_place(self, buffer: memoryview, size: int) -> None:
        """The same for bytes that begin at ``HEADROOM`` of a buffer; the header is written in front of them.

        The buffer may be used again afterwards: transports of clients copy what they cannot send at once.
        """
        if self._close_sent or self.transport.is_closing():
            return
        header = encode_header(Opcode.BINARY, size)
        start = HEADROOM - len(header)
        buffer[start:HEADROOM] = header
        self.transport.write(buffer[start : HEADROOM + size])

    def plain_socket(self) -> socket.socket | None:
        """The client's, if bytes may be written to it past the transport: not under TLS, not before others."""
        transport = self.transport
        if self._close_sent or not isinstance(transport, SocketTransport) or transport.is_closing():
            return None
        return None if transport.get_write_buffer_size() else transport.get_extra_info("socket")

    def begin_message(self, size: int) -> bytes:
        """Send the header of a message past the transport; returns what could not be sent of it."""
        header = encode_header(Opcode.BINARY, size)
        try:
            return header[self.transport.get_extra_info("socket").send(header, socket.MSG_MORE) :]
        except OSError:
            return header

    def finish(self) -> None:
        """The server has ended its stream: say so, and give the client time to answer (RFC 6455 7.1.1)."""
        self._send_close(encode_close(CLOSE_NORMAL))
        self._timer = asyncio.get_running_loop().call_later(CLOSE_TIMEOUT, self.transport.close)

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the event loop."""
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)

    def _close(self, frame: bytes) -> None:
        """The client ends the conversation, or broke the protocol: the server still gets all that came before."""
        self._send_close(frame)
        self.end_input()
        self.transport.close()

    def _send_close(self, frame: bytes) -> None:
        if not self._close_sent:
            self._close_sent = True
            super().deliver(frame)


class SocketEnd(End, asyncio.BufferedProtocol, Mover):
    """The server's side. What it sends before the client is connected is kept for it."""

    peer: MessageEnd

    def __init__(self, duplex: Duplex) -> None:
        super().__init__(duplex)
        self._kept: list[bytes] = []
        self._connected = False
        self._early_eof = False
        self._descriptor = -1  # to be written to past the transport; none under TLS

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the event loop."""
        sock = transport.get_extra_info("socket")
        if sock is not None and transport.get_extra_info("sslcontext") is None:
            self._descriptor = sock.fileno()
        super().connection_made(transport)

    def move(self, sock: socket.socket) -> bool:
        """See ``Mover``: what comes in goes to the client as a message, without having been seen here."""
        client = self.peer.plain_socket() if self._connected else None
        if client is None:
            return False
        moved = splice.move(sock.fileno(), client.fileno(), self.peer.begin_message)
        if moved is None:
            return False
        count, left = moved
        self.duplex.note_progress(self, _BUFFER[:count])  # whose number counts
        if left:
            self.peer.transport.write(left)
        return True

    def get_buffer(self, sizehint: int) -> memoryview:
        """Called by the event loop, which writes what comes in there."""
        return _BUFFER[HEADROOM:]

    def buffer_updated(self, nbytes: int) -> None:
        """Called by the event loop, at once. Nothing of the buffer is kept."""
        data = _BUFFER[HEADROOM : HEADROOM + nbytes]
        if not self._connected:
            self._kept.append(bytes(data))
            return
        self.duplex.note_progress(self, data)
        self.peer.deliver_in_place(_BUFFER, nbytes)

    def deliver_all(self, pieces: list[bytes]) -> None:
        """Send what came from the client at once, with one call of the system where that is possible."""
        if not pieces or self.transport.is_closing():
            return
        sent = self._send_now(pieces)
        if sent < sum(map(len, pieces)):
            self.transport.write(memoryview(b"".join(pieces))[sent:])

    def _send_now(self, pieces: list[bytes]) -> int:
        """How many bytes the socket has taken, without a copy to join them."""
        if self._descriptor < 0 or not 1 < len(pieces) <= MAX_JOINED or self.transport.get_write_buffer_size():
            return 0
        try:
            return os.writev(self._descriptor, pieces)
        except OSError:
            return 0  # the transport meets it, too

    def eof_received(self) -> bool:
        """Called by the event loop."""
        if self._connected:
            return super().eof_received()
        self._early_eof = True
        return True

    def client_connected(self) -> None:
        """From now on bytes can be delivered."""
        self._connected = True
        for data in self._kept:
            self.duplex.note_progress(self, data)
            self.peer.deliver(data)
        self._kept.clear()
        if self._early_eof or self.lost:
            self.end_input()
        else:
            self.transport.resume_reading()


class Bridge:
    """One conversation: ``connect`` to the server first, then ``run`` with a client that was accepted.

    Args:
        on_data: see ``Duplex``; what comes from the client are the bytes of frames.
    """

    def __init__(self, on_data: OnData | None = None) -> None:
        self._duplex = Duplex(on_data)
        self._client = MessageEnd(self._duplex)
        self._server = SocketEnd(self._duplex)
        self._duplex.join(self._client, self._server)

    async def connect(self, address: Address) -> None:
        """Open the stream to the server.

        Raises:
            ConnectFailed, UpstreamTimeout: as for ``dial``.
        """
        await dial(address, lambda: self._server)
        self._server.transport.pause_reading()

    def abort(self) -> None:
        """Give up before ``run``."""
        self._client.lost = True  # it was never there
        if not self._server.lost:
            self._server.transport.abort()

    def run(self, stream: IOStream, head: bytes) -> Duplex | None:
        """Relay until both sides have closed; this only begins it.

        Args:
            stream: the client, detached from its HTTP connection.
            head: the 101 as the client is to see it.

        Returns:
            What owns both connections from now on; None if the client has gone, and both are closed.
        """
        try:
            adopt(stream, self._client, head)
        except OSError:
            self.abort()
            return None
        self._server.client_connected()
        return self._duplex
