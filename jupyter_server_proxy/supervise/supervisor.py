"""The owner of all configured servers, and of the guard process."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from .reaper import Reaper
from .server import ManagedServer


class Supervisor:
    """Owns all configured servers, and the guard process.

    Args:
        reaper: shared by the servers.
    """

    def __init__(self, reaper: Reaper) -> None:
        self.reaper = reaper
        self._servers: dict[str, ManagedServer] = {}

    def add(self, server: ManagedServer) -> None:
        """Take a server over; its name must be new."""
        assert server.spec.name not in self._servers
        self._servers[server.spec.name] = server

    def get(self, name: str) -> ManagedServer | None:
        """The server of that name."""
        return self._servers.get(name)

    def __iter__(self) -> Iterator[ManagedServer]:
        return iter(self._servers.values())

    async def stop_all(self) -> None:
        """End every server, all at the same time, and then the guard."""
        await asyncio.gather(*(server.close() for server in self), return_exceptions=True)
        await self.reaper.close()

    def kill_all_now(self) -> None:
        """The last resort, when Python exits and nobody has stopped the servers."""
        for server in self:
            server.kill_now()
        self.reaper.close_now()
