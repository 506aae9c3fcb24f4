"""A resolver of 4.6 that leads every name to a unix socket."""

from __future__ import annotations

import socket
from typing import Any

from tornado.netutil import Resolver


class UnixResolver(Resolver):
    """For Tornado's clients.

    Args:
        socket_path: of the socket.
    """

    def initialize(self, socket_path: str) -> None:
        """Called by Tornado."""
        self.socket_path = socket_path

    async def resolve(self, host: str, port: int, *args: Any, **kwargs: Any) -> list[tuple[int, Any]]:
        """The socket, whatever the name."""
        return [(socket.AF_UNIX, self.socket_path)]
