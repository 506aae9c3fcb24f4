"""Making a connection to an address."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from ..errors import ConnectFailed, TlsFailed, UpstreamTimeout
from .address import Address, TcpAddress, UnixAddress
from .connection import MAX_HEAD, UpstreamConnection
from .tls import client_context, expected_name

P = TypeVar("P", bound=asyncio.BaseProtocol)

#: Seconds that a connection may take to be accepted.
CONNECT_TIMEOUT = 10.0


async def open_connection(
    address: Address, timeout: float = CONNECT_TIMEOUT, max_head: int = MAX_HEAD
) -> UpstreamConnection:
    """Connect to the first of the address's hosts that accepts.

    Args:
        address: where to.
        timeout: seconds for each host.
        max_head: see ``UpstreamConnection``.

    Raises:
        ConnectFailed: no host accepts.
        TlsFailed: one of them accepts, and TLS cannot be agreed on.
        UpstreamTimeout: one of them did not answer in time.
    """
    return await dial(address, lambda: UpstreamConnection(address, max_head), timeout)


async def dial(address: Address, factory: Callable[[], P], timeout: float = CONNECT_TIMEOUT) -> P:
    """Connect any protocol to an address; see ``open_connection``."""
    if isinstance(address, UnixAddress):
        connecting = asyncio.get_running_loop().create_unix_connection(factory, address.path)
        return await _attempt(connecting, address, timeout)
    for host in address.hosts[:-1]:
        try:
            return await _attempt(_connect_tcp(address, host, factory), address, timeout)
        except ConnectFailed:
            continue
    return await _attempt(_connect_tcp(address, address.hosts[-1], factory), address, timeout)


async def _connect_tcp(address: TcpAddress, host: str, factory: Callable[[], P]) -> tuple[Any, P]:
    loop = asyncio.get_running_loop()
    if address.tls is None:
        return await loop.create_connection(factory, host, address.port)
    name = expected_name(address.tls, host)
    return await loop.create_connection(
        factory, host, address.port, ssl=client_context(address.tls), server_hostname=name
    )


async def _attempt(connecting: Coroutine[Any, Any, tuple[Any, P]], address: Address, timeout: float) -> P:
    try:
        _, protocol = await asyncio.wait_for(connecting, timeout)
    except (TimeoutError, asyncio.TimeoutError):
        raise UpstreamTimeout(f"{address} did not accept a connection within {timeout:g} s.") from None
    except ssl.SSLCertVerificationError as error:
        raise TlsFailed(
            f"The certificate of {address} is not trusted: {error.verify_message}. Name the CA that signed it in the "
            "server's option tls."
        ) from error
    except (ssl.SSLEOFError, ssl.SSLZeroReturnError) as error:
        raise ConnectFailed(f"{address} closed the connection during the TLS handshake.") from error
    except ssl.SSLError as error:
        raise TlsFailed(f"{address} does not speak TLS as it should: {error.reason or error}.") from error
    except OSError as error:
        raise ConnectFailed(f"Nothing answers on {address}.", detail=str(error)) from error
    return protocol
