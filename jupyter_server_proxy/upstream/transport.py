"""A connected socket as an asyncio transport that costs little to make, and next to nothing while it is idle.

An upgraded connection is two sockets that may be open for days, most of that time idle. Asyncio's own transport takes
1.4 KiB for each, by tracemalloc on Python 3.11, and this one 0.55: there is no dictionary of attributes, none of what
can be asked for, no addresses, and no buffer.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import socket
import threading
from collections.abc import Iterable, Sequence
from typing import Any, cast

#: Bytes read at once, as asyncio does.
READ_SIZE = 256 * 1024

#: Bytes of the buffer that connections share.
SCRATCH_SIZE = 512 * 1024

#: Buffers that one call of the system may take (IOV_MAX is at least this much on what is in use; Windows has no such).
MAX_PIECES = 1024 if hasattr(socket.socket, "sendmsg") else 0

#: See ``SocketTransport.high`` and ``low``.
WRITE_HIGH = 64 * 1024
WRITE_LOW = 16 * 1024


class _Scratch(threading.local):
    """What connections of a thread read into, one after the other: nothing stays there between two events."""

    def __init__(self) -> None:
        self.buffer = memoryview(bytearray(SCRATCH_SIZE))


scratch = _Scratch()


class Mover:
    """A protocol that can do without the bytes, as long as they get where they belong."""

    __slots__ = ()

    def move(self, sock: socket.socket) -> bool:
        """Called when there is something to be read from a socket; false leaves it to be read in the usual way.

        Raises:
            OSError: of the socket; the connection is lost.
        """
        raise NotImplementedError


class SocketTransport(asyncio.Transport):
    """The part of asyncio's transport interface that is used here, over a socket.

    Args:
        sock: connected, and not blocking; it is closed with the transport.
        protocol: is given bytes, or lends a buffer for them.
    """

    __slots__ = ("_closing", "_ended", "_full", "_loop", "_lost", "_paused", "_protocol", "_sock", "_unsent")

    #: Bytes that may wait to be sent before the protocol is told to pause, and the level at which it may go on.
    high = WRITE_HIGH
    low = WRITE_LOW

    def __init__(self, sock: socket.socket, protocol: asyncio.Protocol | asyncio.BufferedProtocol) -> None:
        # Not asyncio's constructor: it makes a dictionary for ``get_extra_info``.
        self._loop = asyncio.get_running_loop()
        self._sock = sock
        self._protocol = protocol
        self._paused = True
        self._unsent: bytearray | None = None
        self._full = False  # the protocol was told to pause
        self._ended = False  # nothing more will be written
        self._closing = False
        self._lost = False  # the protocol will be told, or was

    def start(self) -> None:
        """Connect the protocol, and begin to read."""
        # The event loop keeps the context with a callback. That of a request would keep the request, and its handler.
        contextvars.Context().run(self.resume_reading)
        self._protocol.connection_made(self)  # afterwards: it may pause

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """See ``asyncio.BaseTransport``; there is nothing but the socket and its peer."""
        if name == "socket":
            return self._sock
        if name == "peername":
            with contextlib.suppress(OSError):
                return self._sock.getpeername()
        return default

    def detach(self) -> socket.socket:
        """Give the socket away; nothing may wait to be sent. The protocol is told nothing more."""
        assert self._unsent is None
        self.pause_reading()
        self._closing = self._lost = True
        self._protocol = cast(asyncio.Protocol, None)  # each of them holds the other
        return self._sock

    # ---- what comes in

    def pause_reading(self) -> None:
        """See ``asyncio.ReadTransport``."""
        if not self._paused and not self._closing:
            self._paused = True
            self._loop.remove_reader(self._sock.fileno())

    def resume_reading(self) -> None:
        """See ``asyncio.ReadTransport``."""
        if self._paused and not self._closing:
            self._paused = False
            self._loop.add_reader(self._sock.fileno(), self._read)

    def _read(self) -> None:
        protocol = self._protocol
        try:
            if isinstance(protocol, Mover) and protocol.move(self._sock):
                return
            if isinstance(protocol, asyncio.BufferedProtocol):
                count = self._sock.recv_into(protocol.get_buffer(-1))
            else:
                count = len(data := self._sock.recv(READ_SIZE))
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._lose(error)
            return
        except Exception as error:
            self._lose(error)
            raise  # to the event loop, which logs it
        try:
            if not count:
                self.pause_reading()
                if not protocol.eof_received():
                    self.close()
            elif isinstance(protocol, asyncio.BufferedProtocol):
                protocol.buffer_updated(count)
            else:
                protocol.data_received(data)
        except Exception as error:
            self._lose(error)
            raise

    # ---- what goes out

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        """See ``asyncio.WriteTransport``. Nothing of a buffer is kept."""
        if self._closing:
            return
        if self._unsent is None:
            try:
                sent = self._sock.send(data)
            except (BlockingIOError, InterruptedError):
                sent = 0
            except OSError as error:
                self._lose(error)
                return
            if sent == len(data):
                return
            self._keep([memoryview(data)[sent:]])
        else:
            self._keep([data])

    def writelines(self, pieces: Iterable[bytes | bytearray | memoryview[Any]]) -> None:
        """See ``asyncio.WriteTransport``. Nothing of the buffers is kept, and they are not joined to be sent."""
        pieces = list(pieces)
        if self._closing:
            return
        if self._unsent is None:
            try:
                if len(pieces) <= MAX_PIECES:
                    sent = self._sock.sendmsg(pieces)
                else:
                    pieces = [b"".join(pieces)]
                    sent = self._sock.send(pieces[0])
            except (BlockingIOError, InterruptedError):
                sent = 0
            except OSError as error:
                self._lose(error)
                return
            pieces = _without(sent, pieces)
        if pieces:
            self._keep(pieces)

    def get_write_buffer_size(self) -> int:
        """See ``asyncio.WriteTransport``."""
        return len(self._unsent or b"")

    def can_write_eof(self) -> bool:
        """See ``asyncio.WriteTransport``."""
        return True

    def write_eof(self) -> None:
        """See ``asyncio.WriteTransport``."""
        if self._ended or self._closing:
            return
        self._ended = True
        if self._unsent is None:
            self._shut_down()

    def _keep(self, pieces: Sequence[bytes | bytearray | memoryview[Any]]) -> None:
        """Send later what could not be sent."""
        if self._unsent is None:
            self._unsent = bytearray()
            self._loop.add_writer(self._sock.fileno(), self._flush)
        for piece in pieces:
            self._unsent += piece
        if len(self._unsent) > self.high and not self._full:
            self._full = True
            self._protocol.pause_writing()

    def _flush(self) -> None:
        assert self._unsent is not None
        try:
            sent = self._sock.send(self._unsent)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._lose(error)
            return
        del self._unsent[:sent]
        if self._full and len(self._unsent) <= self.low:
            self._full = False
            self._protocol.resume_writing()
        if self._unsent:
            return
        self._forget_unsent()
        if self._closing:
            self._lose(None)
        elif self._ended:
            self._shut_down()

    def _forget_unsent(self) -> None:
        if self._unsent is not None:
            self._unsent = None
            self._loop.remove_writer(self._sock.fileno())

    def _shut_down(self) -> None:
        with contextlib.suppress(OSError):  # the peer has reset the connection, which reading will tell
            self._sock.shutdown(socket.SHUT_WR)

    # ---- the end

    def is_closing(self) -> bool:
        """See ``asyncio.BaseTransport``."""
        return self._closing

    def close(self) -> None:
        """Close after what was written is sent."""
        self.pause_reading()
        self._closing = True
        if self._unsent is None:
            self._lose(None)

    def abort(self) -> None:
        """Close at once."""
        self._lose(None)

    def _lose(self, error: Exception | None) -> None:
        if self._lost:
            return
        self.pause_reading()
        self._forget_unsent()
        self._closing = self._lost = True
        self._loop.call_soon(self._tell, error)

    def _tell(self, error: Exception | None) -> None:
        protocol, self._protocol = self._protocol, cast(asyncio.Protocol, None)  # each of them holds the other
        try:
            protocol.connection_lost(error)
        finally:
            self._sock.close()


class PromptTransport(SocketTransport):
    """One whose protocol is told to pause as long as anything waits to be sent: a write is over when it has left."""

    __slots__ = ()

    high = low = 0


def _without(sent: int, pieces: list[bytes | bytearray | memoryview[Any]]) -> list[bytes | bytearray | memoryview[Any]]:
    """What is left of some pieces, of which so many bytes have been sent."""
    for index, piece in enumerate(pieces):
        if sent < len(piece):
            return [memoryview(piece)[sent:], *pieces[index + 1 :]]
        sent -= len(piece)
    return []
