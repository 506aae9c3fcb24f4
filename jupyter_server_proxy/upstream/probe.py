"""One quick question to a server that is starting: does it answer?"""

from __future__ import annotations

from ..errors import ProxyError, TlsFailed
from .address import Address
from .dial import open_connection

_REQUEST = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: jupyter-server-proxy\r\nAccept: */*\r\nConnection: close\r\n\r\n"
)


async def answers_http(address: Address, timeout: float) -> bool:
    """Whether the server gives any HTTP response, whatever its status, to ``GET /``.

    Args:
        address: of the server.
        timeout: seconds for connecting, and again for the response to begin.

    Raises:
        TlsFailed: it answers, and TLS cannot be agreed on. That will not pass by itself.
    """
    try:
        connection = await open_connection(address, timeout)
    except TlsFailed:
        raise
    except ProxyError:
        return False
    try:
        connection.start(_REQUEST, method="GET")
        await connection.response(timeout)
    except ProxyError:
        return False
    finally:
        connection.abort()
    return True
