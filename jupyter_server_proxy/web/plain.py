"""Plain requests: those without an upgrade, or anything else that needs a second look.

What their fields mean is decided by tornado's own parser and request class, and remembered: the requests of a page, and
those of a program, come with few different blocks of fields.
"""

from __future__ import annotations

import re
import time
from functools import lru_cache
from typing import Any, cast

from tornado.httputil import HTTPHeaders, HTTPInputError, HTTPServerRequest, RequestStartLine

from ..errors import RequestRefused
from ..rules.fields import Fields
from ..rules.framing import check_request

#: A path, and perhaps a query, of visible ASCII characters (RFC 9112 3).
_REQUEST_LINE = re.compile(rb"([A-Z]+) (/[!-~]*) HTTP/1\.1")

VERSION = "HTTP/1.1"


class PlainHead:
    """A block of fields.

    Args:
        fields: shared by all requests that come with it: never changed.

    Raises:
        HTTPInputError: a request with these fields is none.
    """

    __slots__ = ("_pattern", "fields")

    def __init__(self, fields: Fields) -> None:
        self.fields = fields
        start_line = RequestStartLine("GET", "/", VERSION)
        self._pattern = vars(HTTPServerRequest(start_line=start_line, headers=cast(HTTPHeaders, fields)))

    def request(self, connection: Any, method: str, target: str) -> HTTPServerRequest:
        """A request with these fields.

        Args:
            connection: on which it came; its ``context`` tells who the client is.
            method: of the request line.
            target: of the request line.

        Raises:
            HTTPInputError: the query cannot be read.
        """
        headers: Any = self.fields.copy()
        if "?" in target:
            start_line = RequestStartLine(method, target, VERSION)
            return HTTPServerRequest(connection=connection, start_line=start_line, headers=headers)
        # Without a query, requests with the same fields differ in a few attributes only, and to let tornado find out
        # all the others again costs as much as everything else that is done to read one.
        attributes = self._pattern.copy()
        attributes["method"] = method
        attributes["uri"] = attributes["path"] = target
        attributes["headers"] = headers
        attributes["connection"] = connection
        attributes["remote_ip"] = connection.context.remote_ip
        attributes["protocol"] = connection.context.protocol
        attributes["files"], attributes["arguments"] = {}, {}
        attributes["query_arguments"], attributes["body_arguments"] = {}, {}
        attributes["_start_time"] = time.time()
        request = HTTPServerRequest.__new__(HTTPServerRequest)
        request.__dict__ = attributes  # to set one attribute after the other takes three times as long
        return request


def split_head(head: bytes) -> tuple[str, str, PlainHead] | None:
    """Take the head of a request apart, if it is plain and in order.

    Args:
        head: with the empty line at its end.

    Returns:
        Method, target and fields; None if tornado is to look at the request itself.
    """
    end = head.index(b"\r\n")
    line = _REQUEST_LINE.fullmatch(head, 0, end)
    plain = _plain_head(head[end + 2 : -2])
    if line is None or plain is None:
        return None
    return line[1].decode("ascii"), line[2].decode("ascii"), plain


@lru_cache(maxsize=128)
def _plain_head(block: bytes) -> PlainHead | None:
    """What stands between the request line and the empty line, each line with its line break."""
    if block.count(b"\n") != block.count(b"\r\n"):
        return None  # tornado takes a bare LF for a line break, too, and might see the end of the head before
    try:
        parsed = list(HTTPHeaders.parse(block.decode("latin-1")).get_all())
        check_request(parsed, VERSION)
        fields = Fields.of_parsed(parsed)
        if "Upgrade" in fields or not stays_open(fields) or not may_continue(fields):
            return None
        return PlainHead(fields)
    except (HTTPInputError, RequestRefused):
        return None


def stays_open(fields: Any) -> bool:
    """Whether the connection of a request is to stay open, and serves requests alone (RFC 9112 9.3, RFC 9110 7.6.1)."""
    return str(fields.get("Connection", "keep-alive")).lower() == "keep-alive"


def may_continue(fields: Any) -> bool:
    """Whether what a request expects is at most to be told that it may send its content (RFC 9110 10.1.1)."""
    return str(fields.get("Expect", "100-continue")).lower() == "100-continue"
