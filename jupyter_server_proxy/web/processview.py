"""The dictionary in which 4.6 keeps a server's process: some packages look it up in the routes, to end a server.

state["proc_lock"]   an asyncio.Lock
state["proc"]        once the server was started: ``running``, ``terminate()``, ``kill()``, ``proc``
"""

from __future__ import annotations

import asyncio
from typing import Any

from ..supervise.facts import State
from ..supervise.server import ManagedServer


class _Child:
    """What is looked at of an ``asyncio.subprocess.Process``."""

    def __init__(self, server: ManagedServer) -> None:
        self._server = server

    @property
    def pid(self) -> int | None:
        """While it runs."""
        return self._server.pid

    @property
    def returncode(self) -> int | None:
        """None while it runs."""
        if self._server.pid is not None:
            return None
        ended = self._server.facts().last_exit
        return ended.code if ended is not None else None

    async def wait(self) -> int:
        """Until it has ended; until there is one, while the server starts."""
        while self._server.pid is not None or self._server.state is State.STARTING:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        return self.returncode or 0


class ProcessView:
    """What is looked at of a supervised process; to end it is to stop the server, which the next request starts again.

    Args:
        server: the supervised one.
    """

    def __init__(self, server: ManagedServer) -> None:
        self._server = server
        self.proc = _Child(server)

    @property
    def pid(self) -> int | None:
        """While it runs."""
        return self._server.pid

    @property
    def running(self) -> bool:
        """Whether the server is there, or is about to be."""
        return self._server.state in (State.STARTING, State.READY)

    @property
    def returncode(self) -> int | None:
        """None while it runs."""
        return self.proc.returncode

    async def terminate(self) -> None:
        """Stop the server."""
        await self._server.stop()

    kill = terminate


def watched_state(server: ManagedServer, state: dict[str, Any] | None = None) -> dict[str, Any]:
    """A dictionary as 4.6 has it: without a process before the first start, or once somebody has deleted it.

    Args:
        server: whose it is; its supervisor must know it already, if one is to.
        state: gets the entries; without it, a new one does.
    """
    watched: dict[str, Any] = {} if state is None else state
    watched.setdefault("proc_lock", asyncio.Lock())
    earlier = server.on_change

    def follow(changed: ManagedServer, old: State, new: State) -> None:
        if new is State.STARTING and old is not new:
            watched["proc"] = ProcessView(changed)
        if earlier is not None:
            earlier(changed, old, new)

    server.on_change = follow
    return watched
