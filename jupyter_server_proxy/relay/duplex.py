"""Two byte streams joined back to back.

Each end of a ``Duplex`` is an asyncio protocol whose bytes go to the other end's transport. A transport whose buffer is
full stops the reading of the other one. End of file is passed on in each direction by itself; a reset resets both.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable
from typing import cast

#: Seconds that one direction may stay open, and silent, after the other has ended: an application that does not notice
#: that its client has left must not keep the connection for ever.
HALF_CLOSED_TIMEOUT = 60.0


#: Is told of bytes that came in: whether from the client, and which.
OnData = Callable[[bool, bytes | memoryview], None]


def reset(transport: asyncio.Transport) -> None:
    """Close at once, and so that the peer sees it is not an orderly end: ``abort`` by itself sends a FIN."""
    sock = transport.get_extra_info("socket")
    if sock is not None:
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


class End(asyncio.Protocol):
    """One of the two ends. Subclasses translate what passes: ``data_received`` for what comes in, ``deliver`` for what
    goes out.

    Args:
        duplex: the pair it belongs to.

    Attributes:
        greeting: raw bytes to send as soon as there is a transport.
        early: bytes that came in before there was a transport; they count as received when it is connected.
    """

    __slots__ = ("duplex", "early", "ended", "greeting", "lost", "peer", "transport")

    def __init__(self, duplex: Duplex) -> None:
        self.duplex = duplex
        self.transport: asyncio.Transport = cast(asyncio.Transport, None)
        self.peer: End = cast(End, None)
        self.ended = False
        self.lost = False
        self.greeting = b""
        self.early = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the event loop, or by whoever hands the transport over."""
        self.transport = cast(asyncio.Transport, transport)
        if self.greeting:
            self.transport.write(self.greeting)
        if self.early:
            early, self.early = self.early, b""
            self.data_received(early)

    def data_received(self, data: bytes) -> None:
        """Bytes came in: give them to the other end."""
        self.duplex.note_progress(self, data)
        self.peer.deliver(data)

    def deliver(self, data: bytes) -> None:
        """Send bytes out through this end."""
        if not self.transport.is_closing():
            self.transport.write(data)

    def finish(self) -> None:
        """Nothing more goes out through this end; called once."""
        if self.transport.can_write_eof():
            self.transport.write_eof()
        else:
            self.transport.close()  # TLS has no half-close: flush, then close

    def eof_received(self) -> bool:
        """The peer at this end has finished sending; True keeps the other direction open."""
        self.end_input()
        return True

    def end_input(self) -> None:
        """Nothing more comes in through this end."""
        if self.ended:
            return
        self.ended = True
        if not self.peer.lost:
            self.peer.finish()
        self.duplex.direction_ended()

    def pause_writing(self) -> None:
        """This end's buffer is full: stop reading at the other."""
        self.peer.transport.pause_reading()

    def resume_writing(self) -> None:
        """This end's buffer has drained."""
        self.peer.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """This end is closed. What was on its way to the other end still gets there, unless this was a reset."""
        if self.lost:
            return
        self.lost = True
        if self.peer.transport is not None:
            if exc is not None:
                reset(self.peer.transport)
            else:
                self.peer.transport.close()
        self.duplex.end_lost()


class Duplex:
    """The pair. Nobody waits for its end: there may be thousands of pairs, open for days.

    Args:
        on_data: called with what comes in, and whether it comes from the client; must be quick.

    Attributes:
        closed: both ends are closed, or are closed by a reset.
    """

    __slots__ = ("_last_progress", "_on_closed", "_on_data", "_watch", "client", "closed", "server")

    client: End
    server: End

    def __init__(self, on_data: OnData | None = None) -> None:
        self.closed = False
        self._on_data = on_data
        self._on_closed: Callable[[], None] | None = None
        self._last_progress = 0.0
        self._watch: asyncio.TimerHandle | None = None

    def join(self, client: End, server: End) -> None:
        """Make two ends each other's peer; before their transports are connected."""
        self.client, self.server = client, server
        client.peer, server.peer = server, client

    def when_closed(self, callback: Callable[[], None]) -> None:
        """Have one function called when both ends are closed; at once if they are."""
        if self.closed:
            callback()
        else:
            self._on_closed = callback

    def reset(self) -> None:
        """Reset both ends, and be closed without waiting for them."""
        if self.closed:
            return
        for end in (self.client, self.server):
            if not end.lost:
                reset(end.transport)
        self._close()

    def note_progress(self, end: End, data: bytes | memoryview) -> None:
        """Called by an end that received bytes."""
        if self._watch is not None:
            self._last_progress = asyncio.get_running_loop().time()
        if self._on_data is not None:
            self._on_data(end is self.client, data)

    def direction_ended(self) -> None:
        """Called by an end that received end of file."""
        if self.client.ended and self.server.ended:
            self.client.transport.close()
            self.server.transport.close()
        elif self._watch is None:
            self._check_progress()

    def end_lost(self) -> None:
        """Called by an end that is closed."""
        if self.client.lost and self.server.lost:
            self._close()
            # They hold each other, and would wait for the garbage collector.
            del self.client.peer, self.server.peer, self.client, self.server
        elif self._watch is None and not self.closed:
            self._check_progress()  # what is left to flush at the other end must not take for ever

    def _close(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        if not self.closed:
            self.closed = True
            callback, self._on_closed = self._on_closed, None
            if callback is not None:
                callback()

    def _check_progress(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        if self._watch is None:
            self._last_progress = now
        elif now - self._last_progress >= HALF_CLOSED_TIMEOUT:
            self.client.transport.abort()
            self.server.transport.abort()
            return
        self._watch = loop.call_at(self._last_progress + HALF_CLOSED_TIMEOUT, self._check_progress)
