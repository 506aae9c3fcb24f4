"""Making a connection to an address."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from ..errors import ConnectFailed, UpstreamTimeout
from .address import Address, UnixAddress
from .connection import UpstreamConnection

P = TypeVar("P", bound=asyncio.Protocol)

#: Seconds that a connection may take to be accepted.
CONNECT_TIMEOUT = 10.0


async def open_connection(address: Address, timeout: float = CONNECT_TIMEOUT) -> UpstreamConnection:
    """Connect to the first of the address's hosts that accepts.

    Args:
        address: where to.
        timeout: seconds for each host.

    Raises:
        ConnectFailed: no host accepts.
        UpstreamTimeout: one of them did not answer in time.
    """
    return await dial(address, lambda: UpstreamConnection(address), timeout)


async def dial(address: Address, factory: Callable[[], P], timeout: float = CONNECT_TIMEOUT) -> P:
    """Connect any protocol to an address; see ``open_connection``."""
    loop = asyncio.get_running_loop()
    if isinstance(address, UnixAddress):
        return await _attempt(loop.create_unix_connection(factory, address.path), address, timeout)
    for host in address.hosts[:-1]:
        try:
            return await _attempt(loop.create_connection(factory, host, address.port), address, timeout)
        except ConnectFailed:
            continue
    return await _attempt(loop.create_connection(factory, address.hosts[-1], address.port), address, timeout)


async def _attempt(connecting: Coroutine[Any, Any, tuple[Any, P]], address: Address, timeout: float) -> P:
    try:
        _, protocol = await asyncio.wait_for(connecting, timeout)
    except (TimeoutError, asyncio.TimeoutError):
        raise UpstreamTimeout(f"{address} did not accept a connection within {timeout:g} s.") from None
    except OSError as error:
        raise ConnectFailed(f"Nothing answers on {address}.", detail=str(error)) from error
    return protocol
