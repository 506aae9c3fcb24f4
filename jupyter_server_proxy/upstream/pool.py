"""Keep-alive connections, per address."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial

from .address import Address
from .connection import UpstreamConnection
from .dial import open_connection

#: Seconds after which an unused connection is closed, unless told otherwise. Many servers close theirs after 5 s, and
#: ours should be first.
IDLE_TIMEOUT = 4.0

#: Seconds after which an unused connection no longer carries a request that must not be repeated: the origin server
#: could just be closing it, and such a request is never sent twice (RFC 9110 9.2.2).
FRESH_ENOUGH = 1.0

#: Addresses whose last connection is remembered.
MAX_PACED = 256

#: Unused connections that are kept for one address.
MAX_IDLE = 32


#: New connections that one address gets at once, and seconds between further ones, while none is answered. Simple
#: servers let five wait to be accepted (Python's http.server does); the system drops what is beyond, and tries again
#: after 1, 3, 7, 15 ... seconds.
DIAL_BURST = 5
DIAL_GAP = 0.002


class Pacer:
    """Spaces the new connections to each address.

    Those count that may still wait to be accepted: each for ``DIAL_GAP``, one after the other. One that is answered
    while nobody waits here no longer counts, so that who opens connections one after the other need not wait. In a
    crowd it is time alone that counts: answers as well would let in twice as many as are accepted.
    """

    def __init__(self) -> None:
        self._last: dict[Address, float] = {}  # event loop time at which the last of them no longer counts

    async def wait(self, address: Address) -> float:
        """Return when a connection may be made; what is returned stands for it in ``answered``."""
        now = asyncio.get_running_loop().time()
        if len(self._last) > MAX_PACED:
            self._last = {known: time for known, time in self._last.items() if time > now}
        last = max(self._last.get(address, 0.0), now)
        counts_until = self._last[address] = last + DIAL_GAP
        pause = last - now - DIAL_BURST * DIAL_GAP
        if pause > 0:
            await asyncio.sleep(pause)
        return counts_until

    def answered(self, address: Address, counts_until: float) -> None:
        """A connection was accepted, as the first byte that came shows."""
        now = asyncio.get_running_loop().time()
        last = self._last.get(address, 0.0)
        if counts_until > now and last - now <= (DIAL_BURST + 1) * DIAL_GAP:
            self._last[address] = last - DIAL_GAP


class Pool:
    """Owns the idle connections of all addresses. Decisions are synchronous; only dialling waits.

    Args:
        connect: makes a new connection.
        idle_timeout: seconds after which an unused connection is closed.
    """

    def __init__(
        self,
        connect: Callable[[Address], Awaitable[UpstreamConnection]] = open_connection,
        *,
        idle_timeout: float = IDLE_TIMEOUT,
    ) -> None:
        self._connect = connect
        self._idle_timeout = idle_timeout
        self._pacer = Pacer()
        self._idle: dict[Address, deque[UpstreamConnection]] = {}
        self._sweeper: asyncio.TimerHandle | None = None

    async def acquire(self, address: Address, *, fresh: bool = False, repeatable: bool = True) -> UpstreamConnection:
        """A connection on which a request can be started; it belongs to the caller until ``release``.

        Args:
            address: whom to talk to.
            fresh: take a new connection in any case.
            repeatable: whether the request may be sent again should the connection turn out to be stale.

        Raises:
            ConnectFailed, UpstreamTimeout: as for ``open_connection``.
        """
        if not fresh:
            connection = self.take_idle(address, repeatable=repeatable)
            if connection is not None:
                return connection
        counts_until = await self._pacer.wait(address)
        connection = await self._connect(address)
        connection.on_answer = partial(self._pacer.answered, address, counts_until)
        return connection

    def release(self, connection: UpstreamConnection) -> None:
        """Take a connection back; it is kept if it can serve another request, and closed otherwise."""
        if not connection.reusable:
            connection.abort()
            return
        connection.rest()
        idle = self._idle.get(connection.address)
        if idle is None:
            idle = self._idle[connection.address] = deque()
        elif len(idle) >= MAX_IDLE:
            idle.popleft().close()
        connection.idle_since = time.monotonic()
        idle.append(connection)
        if self._sweeper is None:
            self._sweeper = asyncio.get_running_loop().call_later(self._idle_timeout, self._sweep)

    def drop(self, address: Address) -> None:
        """Close the idle connections of an address whose server has gone."""
        for connection in self._idle.pop(address, ()):
            connection.close()

    def close(self) -> None:
        """Close all idle connections."""
        for address in list(self._idle):
            self.drop(address)
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None

    def idle_count(self, address: Address | None = None) -> int:
        """How many unused connections are kept, for one address or in all."""
        if address is not None:
            return len(self._idle.get(address, ()))
        return sum(map(len, self._idle.values()))

    def take_idle(self, address: Address, *, repeatable: bool) -> UpstreamConnection | None:
        """``acquire`` for those who cannot wait: a kept connection, or None; the arguments are the same."""
        idle = self._idle.get(address)
        while idle:
            connection = idle.pop()
            if connection.reusable and (repeatable or _is_fresh(connection)):
                return connection
            connection.close()
        return None

    def _sweep(self) -> None:
        self._sweeper = None
        oldest = time.monotonic() - self._idle_timeout
        for address, idle in list(self._idle.items()):
            while idle and (idle[0].idle_since <= oldest or not idle[0].reusable):
                idle.popleft().close()
            if not idle:
                del self._idle[address]
        if self._idle:
            self._sweeper = asyncio.get_running_loop().call_later(self._idle_timeout / 2, self._sweep)


def _is_fresh(connection: UpstreamConnection) -> bool:
    return time.monotonic() - connection.idle_since < FRESH_ENOUGH
