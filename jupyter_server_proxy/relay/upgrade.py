"""After a 101: bytes both ways, not looked at (RFC 9110 7.8). Websockets, and whatever else both sides agreed on."""

from __future__ import annotations

from tornado.iostream import IOStream

from ..upstream.connection import UpstreamConnection
from .client import adopt
from .duplex import Duplex, End, OnData


async def tunnel(stream: IOStream, upstream: UpstreamConnection, head: bytes, on_data: OnData | None = None) -> None:
    """Relay until both sides have closed; cancelling it resets both.

    Args:
        stream: the client, detached from its HTTP connection.
        upstream: a connection whose response was 101.
        head: the 101 as the client is to see it.
        on_data: see ``Duplex``.
    """
    duplex = Duplex(on_data)
    client, server = End(duplex), End(duplex)
    duplex.join(client, server)
    # The origin server's socket is paused since its 101; it is joined first so that early bytes have somewhere to go.
    server.transport = upstream.transport
    try:
        await adopt(stream, client, head)
    except OSError:
        upstream.abort()
        return
    del stream
    upstream.take_over(server)
    if upstream.transport.is_closing():
        server.connection_lost(None)  # it closed before this end could be told
    await duplex.run()
