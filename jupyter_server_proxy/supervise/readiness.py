"""When is a server that was just started ready? Probes, quick at first."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import replace

from ..errors import ProxyError, StartFailed
from ..upstream.address import Address, TcpAddress
from ..upstream.dial import dial
from .endpoint import Endpoint, is_answered
from .ownership import listeners, tree_holds_socket, tree_ports
from .process import Process

#: One try to talk to a server at an address; the second argument is a timeout in seconds.
Probe = Callable[[Address, float], Awaitable[bool]]

#: Seconds between probes: at first short enough for a server that is up in no time, then a share of the time that has
#: passed, so that waiting never makes a start longer by much more than that share.
FIRST_PAUSE = 0.002
LONGEST_PAUSE = 0.1
SHARE = 0.03


def pause_after(elapsed: float) -> float:
    """Seconds to wait between one probe and the next, ``elapsed`` seconds after the start."""
    return min(LONGEST_PAUSE, max(FIRST_PAUSE, elapsed * SHARE))


async def accepts_connections(address: Address, timeout: float) -> bool:
    """The probe for servers that do not speak HTTP: a connection is accepted."""
    try:
        protocol = await dial(address, _Silent, timeout)
    except ProxyError:
        return False
    assert protocol.transport is not None
    protocol.transport.close()
    return True


class _Silent(asyncio.Protocol):
    transport: asyncio.BaseTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport


class Readiness:
    """Looks for one server at its endpoint, and makes sure that it is ours before anything is sent to it.

    Args:
        name: of the server, for messages.
        endpoint: where it is to listen.
        probe: asks it.

    Attributes:
        taken: somebody of this user listened at its endpoint before it was started.
    """

    def __init__(self, name: str, endpoint: Endpoint, probe: Probe) -> None:
        self._name = name
        self._endpoint = endpoint
        self._probe = probe
        self.taken = False
        self._is_ours = False

    def look_before_start(self) -> None:
        """Notice, before the server is started, who listens there already.

        Raises:
            StartFailed: another user does.
        """
        self._is_ours = False
        self.taken = is_answered(self._endpoint.path) if self._endpoint.is_unix else bool(self._owners(None))

    def still_ours(self) -> bool:
        """Whether somebody of this user listens there; asked where no process of ours runs: the server daemonized."""
        if self._endpoint.is_unix:
            return is_answered(self._endpoint.path)
        try:
            return self._owners(None) != set()
        except StartFailed:
            return False

    async def find(self, process: Process, timeout: float) -> Address | None:
        """One round of probes.

        Args:
            process: what was started.
            timeout: seconds for each probe.

        Returns:
            Where the server answered, or None.

        Raises:
            StartFailed: somebody else's server listens on the port.
        """
        if self.taken and process.running and not self._belongs_to(process):
            return None  # it is still the one who was there before
        for address in self._endpoint.candidates:
            if isinstance(address, TcpAddress):
                # Trying to connect costs nothing where nobody listens, while the system's table of sockets may be long.
                if not await accepts_connections(replace(address, tls=None), timeout):
                    continue
                if not self._is_ours:
                    self._owners(process)
                    self._is_ours = True
            if await self._probe(address, timeout):
                return address
        return None

    def _belongs_to(self, process: Process) -> bool:
        pid, endpoint = process.pid, self._endpoint
        if endpoint.is_unix:
            return tree_holds_socket(pid, pid, endpoint.path)
        return endpoint.port in tree_ports(pid, pid)

    def _owners(self, process: Process | None) -> set[int] | None:
        """Users whose sockets listen on the port; None where the system does not tell."""
        port = self._endpoint.port
        found = listeners(port)
        if found is None:
            return None
        owners = {listener.uid for listener in found}
        if owners - {os.geteuid()} and not (process and port in tree_ports(process.pid, process.pid)):
            raise StartFailed(
                f"Server '{self._name}' cannot listen on port {port}: another user's process does already."
            )
        return owners
