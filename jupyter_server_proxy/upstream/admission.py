"""How many requests one origin server is sent at the same time; the others wait in line.

A browser page that opens connections without end, or a server that answers nothing, then uses up its own share of
Jupyter's descriptors and memory, and not those of every other server.
"""

from __future__ import annotations

import asyncio
from collections import deque

from ..errors import ServerUnavailable
from .address import Address


class Admission:
    """Counts requests under way, per address. Those that ask for another protocol have a count of their own.

    Args:
        limit: requests to one address at the same time.
        patience: seconds that a request waits in line.
    """

    def __init__(self, limit: int, patience: float) -> None:
        self._limit = limit
        self._patience = patience
        self._inside: dict[Address, int] = {}
        self._line: dict[Address, deque[asyncio.Future[None]]] = {}

    def inside(self, address: Address) -> int:
        """Requests under way."""
        return self._inside.get(address, 0)

    def enter_now(self, address: Address) -> bool:
        """Take a place if one is free; ``leave`` gives it back."""
        count = self._inside.get(address, 0)
        if count >= self._limit:
            return False
        self._inside[address] = count + 1
        return True

    async def enter(self, address: Address) -> None:
        """Take a place, first come, first served; ``leave`` gives it back.

        Raises:
            ServerUnavailable: none was free in time.
        """
        if self.enter_now(address):
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        line = self._line.setdefault(address, deque())
        line.append(turn)
        try:
            await asyncio.wait_for(asyncio.shield(turn), self._patience)
        except BaseException as error:
            if turn.done() and not turn.cancelled():
                self.leave(address)  # the place came just as we gave up
            elif turn in line:
                line.remove(turn)
            if isinstance(error, (TimeoutError, asyncio.TimeoutError)):
                raise ServerUnavailable(
                    f"{address} has {self._limit} requests under way already, and none of them ended in "
                    f"{self._patience:g} s.",
                    retry_after=self._patience,
                ) from None
            raise

    def leave(self, address: Address) -> None:
        """Give the place to the next in line, or back."""
        if self._line and self._admit_next(address):
            return
        count = self._inside[address] - 1
        if count:
            self._inside[address] = count
        else:
            del self._inside[address]

    def _admit_next(self, address: Address) -> bool:
        """Whether somebody still waits, who has got the place now."""
        line = self._line.get(address)
        while line:
            turn = line.popleft()
            if not turn.done():
                turn.set_result(None)
                return True
        self._line.pop(address, None)
        return False
