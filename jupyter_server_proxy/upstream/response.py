"""What answers one request: bytes in any segmentation -> a head and the pieces of a body (RFC 9112).

The head and chunks are parsed by llhttp (httptools). A body that is as long as its head says, or that lasts until the
connection ends, is only counted: its bytes are handed on as they were read, without a copy.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import httptools

from ..errors import UpstreamError, UpstreamProtocolError
from ..rules.fields import Pairs
from ..rules.framing import FRAMING_FIELDS, Body, Framing, frame_response
from .address import Address


class ResponseHead(NamedTuple):
    """A final response's status line and field lines."""

    status: int
    reason: str
    fields: Pairs
    framing: Framing

    def get(self, name: str) -> str | None:
        """The first value of a field, or None; ``name`` in lower case."""
        return next((value for key, value in self.fields if key.lower() == name), None)


class ResponseReader:
    """Reads the response to one request.

    Args:
        address: of the origin server, for messages.
        method: of the request; decides whether the response has a body.
        upgrade: the request asks for another protocol; a 101 is then an acceptable answer.
        max_head: bytes of a response head (interim responses included) beyond which the origin server is broken.
        on_body: is given the pieces of the body. A view is of a buffer that is used again: it must not be kept.

    Attributes:
        head: of the final response, once it has arrived.
        head_bytes: how many bytes have arrived of heads; more when the body began along with its head.
        complete: whether all of the response has arrived.
    """

    def __init__(
        self,
        address: Address,
        method: str,
        upgrade: bool,
        max_head: int,
        on_body: Callable[[bytes | memoryview], None],
    ) -> None:
        self._address = address
        self._max_head = max_head
        self._on_body = on_body
        self._parser: Any = httptools.HttpResponseParser(self)
        self._begin(method, upgrade)

    def _begin(self, method: str, upgrade: bool) -> None:
        self._method = method
        self._upgrade = upgrade
        self._parser_at_end = False  # of a message, and ready for another
        self._fields: Pairs = []
        self._framing: Pairs = []  # those of the fields that tell where the response ends
        self._reason: list[bytes] = []
        self._parsed = 0  # bytes of the body that llhttp has seen
        self._left = 0  # bytes of the body that are to come, and that llhttp does not see
        self.head: ResponseHead | None = None
        self.head_bytes = 0
        self.complete = False

    def renew(self, method: str, upgrade: bool) -> bool:
        """Read the response to the next request on the same connection, if what came last was read to its end.

        Returns:
            False if that takes another reader: to make one costs as much as to read a small head.
        """
        if not (self.complete and self._parser_at_end) or self._parser is None:
            return False
        self._begin(method, upgrade)
        return True

    @property
    def counting(self) -> bool:
        """Whether bytes of the body come next, and are handed on as they are."""
        return self._left > 0

    def feed(self, data: bytes | memoryview) -> int | None:
        """Take bytes; nothing of them is kept.

        Returns:
            After a 101, how many of them belong to it; what follows is another protocol's. Otherwise None.

        Raises:
            UpstreamProtocolError: they are no HTTP/1.1, or more than one response.
        """
        if self._left:
            self._count(data)
            return None
        if self.head is None:
            self.head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            return int(upgrade.args[0])
        except httptools.HttpParserError as error:
            cause = error.__context__ if isinstance(error.__context__, UpstreamError) else None
            raise cause or UpstreamProtocolError(
                f"{self._address} does not speak HTTP/1.1 correctly: {error}."
            ) from None
        if self.head is None:
            if self.head_bytes > self._max_head:
                raise UpstreamProtocolError(
                    f"{self._address} sent a response head of more than {self._max_head} bytes."
                )
        elif not self.complete:
            self._left = self._bytes_to_count(self.head)
        return None

    def end(self) -> None:
        """The connection has ended in good order, which ends some bodies."""
        if self.head is not None and self.head.framing.body is Body.UNTIL_CLOSE:
            self.complete = True

    def let_go(self) -> None:
        """Nothing more comes."""
        self._parser = None  # it and its callbacks refer to each other, and need not wait for the garbage collector
        self._on_body = _drop
        self._left = 0

    # ---- httptools callbacks

    def on_message_begin(self) -> None:
        """Called by the parser."""
        if self.complete:
            raise UpstreamProtocolError(f"{self._address} sent a second response to one request.")

    def on_status(self, reason: bytes) -> None:
        """Called by the parser, perhaps in pieces."""
        if b"\0" in reason or b"\r" in reason:
            raise UpstreamProtocolError(f"{self._address} sent a status line with control characters.")
        self._reason.append(reason)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Called by the parser; after the head these are trailers, which are not passed on (RFC 9110 6.5.1)."""
        if self.head is None:
            line = (name.decode("latin-1"), value.decode("latin-1"))
            self._fields.append(line)
            if line[0].lower() in FRAMING_FIELDS:
                self._framing.append(line)

    def on_headers_complete(self) -> None:
        """Called by the parser."""
        status = self._parser.get_status_code()
        if status == 101:
            if not self._upgrade:
                raise UpstreamProtocolError(f"{self._address} switched protocols without being asked.")
        elif status < 200:
            self._fields, self._framing, self._reason = [], [], []
            return
        version = self._parser.get_http_version()
        try:
            framing = frame_response(self._method, status, version, self._framing)
        except ValueError as error:
            raise UpstreamProtocolError(f"{self._address} frames its response wrongly: {error}.") from None
        reason = b"".join(self._reason).decode("latin-1")
        self.head = ResponseHead(status, reason, self._fields, framing)
        if framing.body is Body.NONE and status != 101:
            self.complete = True

    def on_body(self, data: bytes) -> None:
        """Called by the parser."""
        if self.complete:
            raise UpstreamProtocolError(f"{self._address} sent a body where none belongs.")
        self._parsed += len(data)
        self._on_body(data)

    def on_message_complete(self) -> None:
        """Called by the parser, for interim responses too, and for a HEAD's only when it carries no length."""
        if self.head is not None and self.head.status != 101:
            self.complete = True
            # It knows of more that ends a connection than counts here, and reads nothing after that.
            self._parser_at_end = self._parser.should_keep_alive()

    # ---- private

    def _bytes_to_count(self, head: ResponseHead) -> int:
        if head.framing.body is Body.LENGTH:
            return head.framing.length - self._parsed
        return sys.maxsize if head.framing.body is Body.UNTIL_CLOSE else 0

    def _count(self, data: bytes | memoryview) -> None:
        size, left = len(data), self._left
        if size < left:
            self._left = left - size
            self._on_body(data)
            return
        self._left, self.complete = 0, True
        self._on_body(data[:left])
        if size > left:
            raise UpstreamProtocolError(f"{self._address} sent bytes that nobody asked for.")


def _drop(data: bytes | memoryview) -> None:
    """Stands in for ``on_body`` when nothing more comes."""
