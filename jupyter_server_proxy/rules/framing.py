"""Where a message ends, and whether its connection can serve another one (RFC 9112 6.3 and 9.3)."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from typing import NamedTuple

from ..errors import RequestRefused
from .headers import tokens


class Body(enum.Enum):
    """How the end of a response body is known."""

    NONE = "none"
    LENGTH = "Content-Length"
    CHUNKED = "chunked"
    UNTIL_CLOSE = "until the connection closes"


#: Names, in lower case, of the fields that ``frame_response`` looks at.
FRAMING_FIELDS = frozenset({"connection", "content-length", "transfer-encoding"})


#: RFC 9110 5.6.3; what else Python strips (NBSP, NEL) belongs to a value.
_WHITESPACE = " \t"

#: Digits of the largest length: what does not fit into 63 bits is something else in other implementations.
_MAX_DIGITS = 18


class Framing(NamedTuple):
    """How one response is delimited.

    Args:
        body: how its end is known.
        keep_alive: the connection survives it.
        length: bytes of the body, where ``body`` is ``LENGTH``.
    """

    body: Body
    keep_alive: bool
    length: int = 0


def check_request(fields: Iterable[tuple[str, str]], version: str) -> None:
    """Refuse a request whose body could be taken to end in two places (RFC 9112 6.1 and 6.3), or that has two hosts.

    Args:
        fields: the request's field lines.
        version: "HTTP/1.1" or "HTTP/1.0".

    Raises:
        RequestRefused: nothing of it may be passed on.
    """
    coding: list[str] = []
    lengths: list[str] = []
    hosts = 0
    for name, value in fields:
        lower = name.lower()
        if lower == "transfer-encoding":
            coding.append(value.strip(_WHITESPACE).lower())
        elif lower == "content-length":
            lengths.append(value.strip(_WHITESPACE))
        elif lower == "host":
            hosts += 1
    if coding and (coding != ["chunked"] or version == "HTTP/1.0"):
        raise RequestRefused("This request has a transfer coding that is not understood; it can only be chunked.")
    if coding and lengths:
        raise RequestRefused("This request has both Transfer-Encoding and Content-Length.")
    if len(lengths) > 1 or not all(map(_is_length, lengths)):
        raise RequestRefused("The Content-Length of this request is not one number.")
    if hosts > 1:
        raise RequestRefused("This request has more than one Host field.")


def frame_response(method: str, status: int, version: str, fields: Iterable[tuple[str, str]]) -> Framing:
    """Decide the framing of a final response.

    Args:
        method: of the request that it answers.
        status: 200 to 999.
        version: "1.1" or "1.0".
        fields: the response's field lines; ``FRAMING_FIELDS`` suffice.

    Raises:
        ValueError: the fields contradict each other, or name a transfer coding other than chunked.
    """
    coding: list[str] = []
    lengths: list[str] = []
    connection: list[str] = []
    for name, value in fields:
        lower = name.lower()
        if lower == "transfer-encoding":
            coding += tokens(value)
        elif lower == "content-length":
            lengths.append(value.strip(_WHITESPACE))
        elif lower == "connection":
            connection += tokens(value)
    if version not in ("1.0", "1.1"):
        raise ValueError(f"version {version!r} is not HTTP/1")
    if coding and coding != ["chunked"]:
        raise ValueError(f"transfer coding {', '.join(coding)!r} is not understood")
    if coding and (lengths or version == "1.0"):
        raise ValueError("Transfer-Encoding together with Content-Length, or with HTTP/1.0")
    length = lengths[0] if lengths else "0"
    if lengths.count(length) < len(lengths) or not _is_length(length):
        raise ValueError("Content-Length is not one number")
    keep_alive = "close" not in connection and (version == "1.1" or "keep-alive" in connection)
    if method == "HEAD" or status in (204, 304):
        return Framing(Body.NONE, keep_alive)
    if coding:
        return Framing(Body.CHUNKED, keep_alive)
    if lengths:
        return Framing(Body.NONE, keep_alive) if length == "0" else Framing(Body.LENGTH, keep_alive, int(length))
    return Framing(Body.UNTIL_CLOSE, False)


def _is_length(value: str) -> bool:
    return value.isascii() and value.isdigit() and len(value) <= _MAX_DIGITS
