"""After a 101: bytes both ways, not looked at (RFC 9110 7.8). Websockets, and whatever else both sides agreed on."""

from __future__ import annotations

from tornado.iostream import IOStream

from ..upstream.connection import UpstreamConnection
from ..upstream.transport import SocketTransport
from .client import adopt
from .duplex import Duplex, End, OnData


def tunnel(stream: IOStream, upstream: UpstreamConnection, head: bytes, on_data: OnData | None = None) -> Duplex | None:
    """Relay until both sides have closed; this only begins it.

    Args:
        stream: the client, detached from its HTTP connection.
        upstream: a connection whose response was 101.
        head: the 101 as the client is to see it.
        on_data: see ``Duplex``.

    Returns:
        What owns both connections from now on; None if the client has gone, and both are closed.
    """
    duplex = Duplex(on_data)
    client, server = End(duplex), End(duplex)
    duplex.join(client, server)
    # Nothing is read from the origin server since its 101. It is joined first so that early bytes of the client have
    # somewhere to go; what it sent behind the 101 is delivered when the client is there.
    own: SocketTransport | None = None
    if (released := upstream.release_socket()) is not None:
        sock, server.early = released
        own = SocketTransport(sock, server)
    server.transport = own or upstream.transport
    try:
        adopt(stream, client, head)
    except OSError:
        client.lost = True  # it was never there
        server.transport.abort()
        return None
    if own is not None:
        own.start()
        return duplex
    upstream.take_over(server)
    if upstream.transport.is_closing():
        server.connection_lost(None)  # it closed before this end could be told
    return duplex
