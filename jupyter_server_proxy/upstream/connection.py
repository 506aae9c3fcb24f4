"""One connection to an origin server: HTTP/1.1 exchanges one after the other, or one upgrade.

An asyncio protocol. Response bytes are taken apart as they arrive (``response``). Those of the body are offered to
whoever waits for them, and are kept when they cannot be passed on at once; when more than ``READ_HIGH`` bytes wait, the
socket is no longer read, so that a slow client slows the origin server down instead of filling memory.
"""

from __future__ import annotations

import asyncio
import enum
import socket
from collections import deque
from collections.abc import Callable, Sequence
from typing import cast

from ..errors import UpstreamClosed, UpstreamError, UpstreamProtocolError, UpstreamTimeout
from .address import Address
from .response import ResponseHead, ResponseReader
from .transport import SocketTransport, scratch

__all__ = ["ResponseHead", "UpstreamConnection"]

#: Response bytes that may wait to be read before the socket is paused.
READ_HIGH = 256 * 1024

#: Bytes that are read at once of what is parsed, which copies them; of what is passed on as it is, as many as there is
#: room for. Copies that are much larger get fresh pages from the system each time, which costs more than the copying.
READ_SIZE = 256 * 1024

#: Bytes that a response head (interim responses included) may have, unless told otherwise.
MAX_HEAD = 256 * 1024


#: Passes on what it can of some bytes, at once and without keeping any, and tells how many that were.
Offer = Callable[["bytes | memoryview"], int]


class Phase(enum.Enum):
    """Where in an exchange the connection is."""

    IDLE = "idle"
    HEAD = "waiting for a response head"
    BODY = "reading a response body"
    DONE = "response complete"
    UPGRADED = "upgraded"
    CLOSED = "closed"


class UpstreamConnection(asyncio.BufferedProtocol):
    """A connection; ``open_connection`` makes it, one exchange at a time uses it.

    Args:
        address: of the origin server.
        max_head: bytes of a response head beyond which the origin server is taken for broken.

    Attributes:
        address: whom it is connected to.
        peer: the ``host:port`` that was in fact connected to; "" for a unix socket.
        exchanges: how many requests were started on it.
        idle_since: when (``time.monotonic``) it went into the pool.
        on_answer: is called once, when the first byte of the first response arrives.
        write_paused: the origin server does not take what was sent.
        on_writable: is called when it takes more again, or is gone.
    """

    def __init__(self, address: Address, max_head: int = MAX_HEAD) -> None:
        self.address = address
        self._max_head = max_head
        self.peer = ""
        self.exchanges = 0
        self.idle_since = 0.0
        self.on_answer: Callable[[], None] | None = None
        self.transport: asyncio.Transport = cast(asyncio.Transport, None)
        self._loop: asyncio.AbstractEventLoop = cast(asyncio.AbstractEventLoop, None)
        self._phase = Phase.IDLE
        self._error: UpstreamError | None = None
        self._response: ResponseReader | None = None
        self._body: deque[bytes] = deque()
        self._buffered = 0
        self._offer: Offer | None = None
        self._reading_paused = False
        self._reader: asyncio.Future[None] | None = None
        self._drain: asyncio.Future[None] | None = None
        self.write_paused = False
        self.on_writable: Callable[[], None] | None = None
        self._leftover = b""
        self._last_progress = 0.0
        self._patience: float | None = None
        self._timer: asyncio.TimerHandle | None = None

    # ---- one exchange, as its user calls it

    def start(self, head: bytes, *, method: str, upgrade: bool = False) -> None:
        """Send a request head (with a body to follow through ``send``, where there is one).

        Args:
            head: serialized request line and fields.
            method: decides whether the response has a body.
            upgrade: the request asks for another protocol; a 101 is then an acceptable answer.

        Raises:
            UpstreamClosed: the connection is gone.
        """
        if self._phase is not Phase.IDLE:
            raise self._error or UpstreamClosed(f"The connection to {self.address} is gone.")
        self._phase = Phase.HEAD
        self.exchanges += 1
        if self._response is None or not self._response.renew(method, upgrade):
            self._let_go()
            self._response = ResponseReader(self.address, method, upgrade, self._max_head, self._take_body)
        self.transport.write(head)

    def send(self, pieces: Sequence[bytes | memoryview]) -> None:
        """Send bytes of the request body. More may be sent once it is ``drained``.

        Nothing of the buffers is kept: of transports that is so with ours alone. Those of asyncio may keep views, and
        in some releases of Python 3.12 and 3.13 never pause whoever gives them several pieces (CVE-2024-12254).

        Raises:
            UpstreamClosed: the origin server no longer takes the body. Its response may still be readable.
        """
        if self._error is not None or self.transport.is_closing():
            raise self._error or UpstreamClosed(f"{self.address} closed the connection.")
        if isinstance(self.transport, SocketTransport):
            self.transport.writelines(pieces)
        else:
            self.transport.write(b"".join(pieces))
        self._last_progress = self._loop.time()

    async def drained(self) -> None:
        """Return when the socket takes more.

        Raises:
            UpstreamClosed: as ``send``.
        """
        if self.write_paused:
            self._drain = self._loop.create_future()
            try:
                await self._drain
            finally:
                self._drain = None

    async def response(self, timeout: float) -> ResponseHead:
        """Wait for the final response's head.

        Args:
            timeout: seconds without any progress; a request body that is still being sent is progress.

        Raises:
            UpstreamTimeout: it did not come in time.
            UpstreamClosed: the connection ended before.
            UpstreamProtocolError: what came is not HTTP/1.1.
        """
        response = self._response
        assert response is not None
        if response.head is None and self._error is None:
            self._be_patient(timeout)
            try:
                while response.head is None and self._error is None:
                    await self._wait()  # a head may come in any number of pieces
            finally:
                self._patience = None
        if response.head is None:
            raise self._error or UpstreamClosed(f"{self.address} closed the connection without a response.")
        return response.head

    async def read(self, offer: Offer | None = None) -> bytes:
        """The next bytes of the response body, as many as have arrived; b"" at its end.

        Args:
            offer: is called with bytes that arrive while this waits, and returns how many it has passed on. This goes
                on waiting as long as it passes on all of them.

        Raises:
            UpstreamError: the body ended before it was complete.
        """
        while not self._body:
            if self.complete:
                return b""
            if self._error is not None:
                raise self._error
            self._offer = offer
            try:
                await self._wait()
            finally:
                self._offer = None
        return self.take()

    def take(self) -> bytes:
        """The bytes of the response body that have arrived already; b"" without any."""
        if not self._body:
            return b""
        data = self._body.popleft() if len(self._body) == 1 else b"".join(self._body)
        self._body.clear()
        self._buffered = 0
        if self._reading_paused and self._phase is not Phase.CLOSED:
            self._reading_paused = False
            self.transport.resume_reading()
        return data

    @property
    def complete(self) -> bool:
        """Whether the whole response has arrived (some of it may still wait to be read)."""
        return self._response is not None and self._response.complete

    @property
    def untouched(self) -> bool:
        """Whether not one byte of a response to the current request has arrived."""
        return self._response is None or self._response.head_bytes == 0

    @property
    def reusable(self) -> bool:
        """Whether another request can be sent: the exchange is over and both sides kept the connection in order."""
        if self._phase not in (Phase.DONE, Phase.IDLE) or self._error is not None or self.transport.is_closing():
            return False
        return not self.transport.get_write_buffer_size()  # behind the rest of a body it might not be read any more

    def rest(self) -> None:
        """Go from a complete exchange back to idle; only when ``reusable``."""
        self._phase = Phase.IDLE
        self.on_writable = None

    def close(self) -> None:
        """Close after what was written is sent."""
        self.transport.close()

    def abort(self) -> None:
        """Close at once; what was not sent, or not read, is lost."""
        # Exceptions and frames refer to each other, and to us: what waits here must not wait for the garbage collector.
        self._body.clear()
        self._buffered = 0
        self._phase = Phase.CLOSED
        self.transport.abort()

    def release_socket(self) -> tuple[socket.socket, bytes] | None:
        """The socket of an upgraded connection, and the bytes that followed the 101.

        None where it cannot be had apart from its transport, for which there is ``take_over``: under TLS, while not all
        of what was written has been sent, and when it is closed.
        """
        transport = self.transport
        if not isinstance(transport, SocketTransport) or transport.is_closing() or transport.get_write_buffer_size():
            return None
        return transport.detach(), self._end_upgrade()

    def take_over(self, protocol: asyncio.Protocol) -> None:
        """Give the transport of an upgraded connection to another protocol, with the bytes that followed the 101."""
        leftover = self._end_upgrade()
        self.transport.set_protocol(protocol)
        protocol.connection_made(self.transport)
        if leftover:
            protocol.data_received(leftover)
        self.transport.resume_reading()

    # ---- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the event loop."""
        self._loop = asyncio.get_running_loop()  # to ask for it each time is a call of the system before Python 3.12
        self.transport = cast(asyncio.Transport, transport)
        peer = transport.get_extra_info("peername")
        if isinstance(peer, tuple):
            self.peer = f"[{peer[0]}]:{peer[1]}" if ":" in peer[0] else f"{peer[0]}:{peer[1]}"

    def get_buffer(self, sizehint: int) -> memoryview:
        """Called by the event loop, which writes what comes in there."""
        if self._response is not None and self._response.counting:
            return scratch.buffer
        return scratch.buffer[:READ_SIZE]

    def buffer_updated(self, nbytes: int) -> None:
        """Called by the event loop."""
        self.data_received(scratch.buffer[:nbytes])

    def data_received(self, data: bytes | memoryview) -> None:
        """Take bytes; nothing of them is kept."""
        response = self._response
        if response is None or self._phase not in (Phase.HEAD, Phase.BODY):
            # Nothing was asked for: what comes now could be taken for the answer to the next request.
            self._fail(UpstreamProtocolError(f"{self.address} sent bytes that nobody asked for."))
            return
        if self.on_answer is not None:
            self.on_answer()
            self.on_answer = None
        try:
            end = response.feed(data)
        except UpstreamError as error:
            self._fail(error)
        else:
            if end is not None:
                self._switch(bytes(data[end:]))
            elif response.complete and response.head is not None:
                self._phase = Phase.DONE if response.head.framing.keep_alive else Phase.CLOSED
            elif self._phase is Phase.BODY and not self._body:
                return  # all of it has been passed on, or was the frame of a chunk
            elif response.head is not None:
                self._phase = Phase.BODY
        self._wake()

    def eof_received(self) -> bool | None:
        """Called by the event loop; the transport then closes itself."""
        return None

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the event loop."""
        if self._phase is Phase.BODY and self._response is not None and exc is None:
            self._response.end()
        if self._error is None and not self.complete:
            self._error = UpstreamClosed(f"{self.address} closed the connection before its response was complete.")
        if self._error is None:
            self._error = UpstreamClosed(f"The connection to {self.address} is gone.")
        self._phase = Phase.CLOSED
        if self._response is not None:
            self._response.let_go()
        self._stop_timer()
        self._wake()
        if self._drain is not None and not self._drain.done():
            self._drain.set_exception(self._error)
        self._tell_writable()

    def pause_writing(self) -> None:
        """Called by the event loop."""
        self.write_paused = True

    def resume_writing(self) -> None:
        """Called by the event loop."""
        self.write_paused = False
        if self._drain is not None and not self._drain.done():
            self._drain.set_result(None)
        self._tell_writable()

    # ---- private

    def _tell_writable(self) -> None:
        if self.on_writable is not None:
            on_writable, self.on_writable = self.on_writable, None
            on_writable()

    def _take_body(self, data: bytes | memoryview) -> None:
        """Offer bytes of the body to whoever waits for them; keep what cannot be passed on at once."""
        if self._offer is not None:
            taken = self._offer(data)
            if taken == len(data):
                return
            self._offer = None
            data = data[taken:]
        self._body.append(bytes(data))
        self._buffered += len(data)
        if self._buffered > READ_HIGH and not self._reading_paused:
            self._reading_paused = True
            self.transport.pause_reading()

    def _end_upgrade(self) -> bytes:
        """Be of no further use; returns the bytes that followed the 101."""
        assert self._phase is Phase.UPGRADED
        self._phase = Phase.CLOSED
        self._stop_timer()
        self._let_go()
        leftover, self._leftover = self._leftover, b""
        return leftover

    def _let_go(self) -> None:
        if self._response is not None:
            self._response.let_go()
            self._response = None

    def _switch(self, leftover: bytes) -> None:
        """The parser stopped behind the head of a 101: from here on the bytes are another protocol's."""
        self._phase = Phase.UPGRADED
        self._leftover = leftover
        self.transport.pause_reading()

    def _fail(self, error: UpstreamError) -> None:
        if self._error is None and not self.complete:
            self._error = error
        elif self._error is None:
            # The response is whole; only the connection is of no further use.
            self._error = UpstreamClosed(str(error))
        self._phase = Phase.CLOSED
        self.transport.abort()

    def _be_patient(self, timeout: float) -> None:
        """Give up when nothing has happened for so long. One timer serves many exchanges: most need none."""
        loop = self._loop
        self._patience, self._last_progress = timeout, loop.time()
        due = self._last_progress + timeout
        if self._timer is not None and self._timer.when() > due:
            self._stop_timer()
        if self._timer is None:
            self._timer = loop.call_at(due, self._check_time)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _check_time(self) -> None:
        self._timer = None
        if self._patience is None:
            return
        loop = self._loop
        due = self._last_progress + self._patience
        if loop.time() < due:
            self._timer = loop.call_at(due, self._check_time)
            return
        self._fail(UpstreamTimeout(f"{self.address} did not begin a response within {self._patience:g} s."))
        self._wake()

    async def _wait(self) -> None:
        self._reader = self._loop.create_future()
        try:
            await self._reader
        finally:
            self._reader = None

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)
