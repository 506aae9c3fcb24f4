"""The owner of all configured servers, and of the guard process."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator

from .facts import State
from .reaper import Reaper
from .server import ManagedServer

#: Is told of each change of a server's state: the server, the old state, the new one; the same one twice when a start
#: has come to another stage.
Watcher = Callable[[ManagedServer, State, State], None]


class Supervisor:
    """Owns all configured servers, and the guard process.

    Args:
        reaper: shared by the servers.
        log: for watchers that fail.
    """

    def __init__(self, reaper: Reaper, log: logging.Logger) -> None:
        self.reaper = reaper
        self._log = log
        self._watchers: list[Watcher] = []
        self._servers: dict[str, ManagedServer] = {}
        self._starting: set[asyncio.Task[None]] = set()

    def add(self, server: ManagedServer) -> None:
        """Take a server over; its name must be new."""
        assert server.spec.name not in self._servers
        server.on_change = self._tell
        self._servers[server.spec.name] = server

    def get(self, name: str) -> ManagedServer | None:
        """The server of that name."""
        return self._servers.get(name)

    def __iter__(self) -> Iterator[ManagedServer]:
        return iter(self._servers.values())

    def watch(self, watcher: Watcher) -> Callable[[], None]:
        """Tell somebody of each change of any server's state, at once; the result ends that."""
        self._watchers.append(watcher)
        return lambda: self._watchers.remove(watcher)

    def _tell(self, server: ManagedServer, old: State, new: State) -> None:
        for watcher in list(self._watchers):
            try:
                watcher(server, old, new)
            except Exception:
                self._log.exception("A watcher of server '%s' failed", server.spec.name)

    def autostart(self) -> None:
        """Start those servers that are to run with Jupyter; the event loop runs."""
        for server in self:
            if server.spec.lifecycle.autostart:
                task = asyncio.get_running_loop().create_task(server.start(), name=f"autostart {server.spec.name}")
                self._starting.add(task)
                task.add_done_callback(self._on_autostarted)

    def _on_autostarted(self, task: asyncio.Task[None]) -> None:
        self._starting.discard(task)
        if not task.cancelled() and isinstance(error := task.exception(), Exception):
            self._log.debug("%s: %s", task.get_name(), error)  # Jupyter stops already

    async def stop_all(self) -> None:
        """End every server, all at the same time, and then the guard."""
        await asyncio.gather(*(server.close() for server in self), return_exceptions=True)
        await self.reaper.close()

    def kill_all_now(self) -> None:
        """The last resort, when Python exits and nobody has stopped the servers."""
        for server in self:
            server.kill_now()
        self.reaper.close_now()
