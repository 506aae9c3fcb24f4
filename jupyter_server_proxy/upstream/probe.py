"""One quick question to a server that is starting: does it answer?"""

from __future__ import annotations

from ..errors import ProxyError, TlsFailed
from .address import Address
from .dial import open_connection

_REQUEST = (
    "GET {} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: jupyter-server-proxy\r\nAccept: */*\r\nConnection: close\r\n\r\n"
)


async def ask_http(address: Address, timeout: float, target: str = "/") -> int | None:
    """The status of the response to a GET, or None if there is none.

    Args:
        address: of the server.
        timeout: seconds for connecting, and again for the response to begin.
        target: path and query, percent-encoded where that is needed.

    Raises:
        TlsFailed: it answers, and TLS cannot be agreed on. That will not pass by itself.
    """
    try:
        connection = await open_connection(address, timeout)
    except TlsFailed:
        raise
    except ProxyError:
        return None
    try:
        connection.start(_REQUEST.format(target).encode("ascii", "replace"), method="GET")
        head = await connection.response(timeout)
    except ProxyError:
        return None
    finally:
        connection.abort()
    return head.status
