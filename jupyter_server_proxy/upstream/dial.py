"""Making a connection to an address."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import functools
import os
import socket
import ssl
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from ..errors import ConnectFailed, TlsFailed, UpstreamTimeout
from .address import Address, TcpAddress, UnixAddress
from .connection import MAX_HEAD, UpstreamConnection
from .tls import client_context, expected_name
from .transport import SocketTransport

P = TypeVar("P", bound=asyncio.Protocol | asyncio.BufferedProtocol)
T = TypeVar("T")

#: Seconds that a connection may take to be accepted.
CONNECT_TIMEOUT = 10.0

#: Seconds until one is tried again for which there was no room.
RETRY = 0.005


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
        return await _attempt(_connect(socket.AF_UNIX, address.path, factory, timeout), address, timeout)
    for host in address.hosts[:-1]:
        try:
            return await _attempt(_connect_tcp(address, host, factory, timeout), address, timeout)
        except ConnectFailed:
            continue
    return await _attempt(_connect_tcp(address, address.hosts[-1], factory, timeout), address, timeout)


async def _connect_tcp(address: TcpAddress, host: str, factory: Callable[[], P], timeout: float) -> P:
    if address.tls is None:
        return await _connect_plain(host, address.port, factory, timeout)
    context, name = client_context(address.tls), expected_name(address.tls, host)
    loop = asyncio.get_running_loop()
    connecting = loop.create_connection(factory, host, address.port, ssl=context, server_hostname=name)
    return (await asyncio.wait_for(connecting, timeout))[1]


async def _connect_plain(host: str, port: int, factory: Callable[[], P], timeout: float) -> P:
    """Connect to an IP literal, or to the first address of a name that accepts it."""
    family = _family(host)
    if family is not None:
        return await _connect(family, (host, port), factory, timeout)
    loop = asyncio.get_running_loop()
    give_up = loop.time() + timeout
    looking = loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    failure: OSError = OSError(f"{host} has no address")
    for found, _, _, _, where in await asyncio.wait_for(looking, timeout):
        try:
            return await _connect(found, where, factory, give_up - loop.time())
        except TimeoutError:
            raise
        except OSError as error:
            failure = error
    raise failure


async def _connect(family: int, where: str | tuple[Any, ...], factory: Callable[[], P], timeout: float) -> P:
    """Connect to what needs no look-up and no handshake. Asyncio's way takes two tasks, and its transport more."""
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        await _connected(sock, where, timeout)
        if family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except BaseException:
        sock.close()
        raise
    protocol = factory()
    SocketTransport(sock, protocol).start()
    return protocol


async def _connected(sock: socket.socket, where: str | tuple[Any, ...], timeout: float) -> None:
    """Return when a socket is connected.

    Raises:
        OSError: it cannot be; of those, TimeoutError when time is up.
    """
    loop = asyncio.get_running_loop()
    give_up = loop.time() + timeout
    while True:
        failure = sock.connect_ex(where)
        if failure != errno.EAGAIN:
            break
        if loop.time() > give_up:
            raise TimeoutError
        await asyncio.sleep(RETRY)  # a unix socket before which as many wait to be accepted as may
    if failure == errno.EINPROGRESS:
        ready: asyncio.Future[bool] = loop.create_future()
        timer = loop.call_at(give_up, _settle, ready, False)
        loop.add_writer(sock.fileno(), _settle, ready, True)
        try:
            if not await ready:
                raise TimeoutError
        finally:
            timer.cancel()
            loop.remove_writer(sock.fileno())
        failure = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if failure:
        raise OSError(failure, os.strerror(failure))


def _settle(future: asyncio.Future[T], result: T) -> None:
    if not future.done():
        future.set_result(result)


@functools.lru_cache(maxsize=256)
def _family(host: str) -> int | None:
    """Of an IP literal; None for a name."""
    for family in (socket.AF_INET, socket.AF_INET6):
        with contextlib.suppress(OSError, ValueError):
            socket.inet_pton(family, host)
            return family
    return None


async def _attempt(connecting: Coroutine[Any, Any, P], address: Address, timeout: float) -> P:
    """Connect, and say what went wrong."""
    try:
        return await connecting
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
