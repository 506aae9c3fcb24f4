"""Connections of clients that ask for what is proxied, read by us and not by tornado.

What tornado does to read and to answer a small request costs more than all else that is done for it, and its reader of
bodies more than all that is done to pass one on. So with its first request that is ours, a connection is taken over
from tornado. From then on requests are read and answered here as long as each of them is plain: it asks for no upgrade,
is ours, and may pass. With the first that is not, the connection goes back to tornado, together with the bytes of that
request: nothing is refused or handled in a second way.

What a field block means is decided by tornado's own parser, as is which handler a request belongs to.
"""

from __future__ import annotations

import contextvars
import logging
import socket
from collections.abc import Callable
from typing import Any, cast

from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPMessageDelegate, HTTPServerRequest
from tornado.iostream import IOStream, SSLIOStream
from tornado.routing import Router, RuleRouter
from tornado.web import Application

from ..relay.client import take_socket
from ..upstream.transport import PromptTransport
from .connection import PersistentConnection
from .door import Pass
from .gateway import Gateway
from .plain import may_continue, stays_open
from .response import TornadoResponse


class PersistentConnections:
    """All of them (RFC 9112 9.3).

    Args:
        application: whose requests are served.
        table: of our routes, which is in a group of rules for every host.
        server: gives the HTTP server that takes connections back; None before there is one.
        log: for what should not happen.
    """

    def __init__(
        self, application: Application, table: Router, server: Callable[[], HTTPServer | None], log: logging.Logger
    ) -> None:
        self.application = application
        self._table = table
        self.log = log
        self._server = server
        self._connections: set[PersistentConnection] = set()

    @property
    def server(self) -> HTTPServer | None:
        """The HTTP server, once it listens."""
        return self._server()

    def find_handler(self, request: HTTPServerRequest) -> HTTPMessageDelegate | None:
        """Who serves a request, as tornado finds it: where our table is asked first, what it says is what counts."""
        first = self.application.default_router.rules[0].target
        if isinstance(first, RuleRouter) and first.rules and first.rules[0].target is self._table:
            found = self._table.find_handler(request)
            if found is not None:
                return cast(HTTPMessageDelegate, found)
        return self.application.find_handler(request)

    def take_over(self, journey: Gateway, request: HTTPServerRequest, response: TornadoResponse, verdict: Pass) -> bool:
        """Called when a request may pass: it is served here, and so is what comes after it on its connection.

        Args:
            journey: of the request; it goes on here.
            request: as tornado parsed it. Its body has not been read.
            response: not begun.
            verdict: about the request.

        Returns:
            False if tornado has to go on with it.
        """
        server, stream = self.server, response.connection.stream
        if server is None or isinstance(stream, SSLIOStream) or server.conn_params.no_keep_alive:
            return False  # TLS stays with tornado
        if request.version != "HTTP/1.1" or not stays_open(request.headers) or not may_continue(request.headers):
            return False
        context = response.connection.context
        if server.xheaders:
            cast(Any, context)._unapply_xheaders()  # tornado does when it has read a request to its end
        try:
            sock, early = take_socket(response.detach())
        except OSError:
            return True  # the client has gone, or there are no more descriptors
        try:
            if sock.family in (socket.AF_INET, socket.AF_INET6):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = PersistentConnection(self, context, early)
            connection.begin(journey, request, verdict)
            # What the first request has set is no context for those that follow.
            contextvars.Context().run(PromptTransport(sock, connection).start)
        except BaseException as error:
            sock.close()
            if not isinstance(error, OSError):
                raise
        return True

    def give_back(self, sock: socket.socket, early: bytes, context: Any) -> None:
        """Let tornado go on with a connection.

        Args:
            sock: not blocking.
            early: bytes that were read from it and not served.
            context: of the connection, as tornado made it.
        """
        server = self.server
        if server is None:
            sock.close()
            return
        stream = ReturnedStream(
            sock, early, max_buffer_size=server.max_buffer_size, read_chunk_size=server.read_chunk_size
        )
        server.handle_stream(stream, context.address)

    def add(self, connection: PersistentConnection) -> None:
        """It is open."""
        self._connections.add(connection)

    def discard(self, connection: PersistentConnection) -> None:
        """It is closed, or with tornado again."""
        self._connections.discard(connection)

    def close(self) -> None:
        """Close all of them."""
        for connection in list(self._connections):
            connection.close()


class ReturnedStream(IOStream):
    """A connection that tornado gets back.

    Args:
        sock: not blocking.
        early: bytes that were read from it already.
        options: of ``IOStream``.
    """

    def __init__(self, sock: socket.socket, early: bytes, **options: Any) -> None:
        self._early = early
        super().__init__(sock, **options)
        # All of it in one read: of what was left the system would not tell that it can be read.
        self._usual_chunk_size = self.read_chunk_size
        self.read_chunk_size = max(self.read_chunk_size, len(early))

    def read_from_fd(self, buf: bytearray | memoryview) -> int | None:
        """See ``BaseIOStream``; what came early comes first."""
        if not self._early:
            return super().read_from_fd(buf)
        count = len(self._early)
        buf[:count] = self._early
        self._early, self.read_chunk_size = b"", self._usual_chunk_size
        return count
