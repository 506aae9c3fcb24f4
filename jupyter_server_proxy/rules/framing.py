"""Where a response ends, and whether its connection can serve another request (RFC 9112 6.3 and 9.3)."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass

from .headers import tokens


class Body(enum.Enum):
    """How the end of a response body is known."""

    NONE = "none"
    LENGTH = "Content-Length"
    CHUNKED = "chunked"
    UNTIL_CLOSE = "until the connection closes"


@dataclass(frozen=True)
class Framing:
    """How one response is delimited; ``keep_alive``: the connection survives it."""

    body: Body
    keep_alive: bool


def frame_response(method: str, status: int, version: str, fields: Iterable[tuple[str, str]]) -> Framing:
    """Decide the framing of a final response.

    Args:
        method: of the request that it answers.
        status: 200 to 999.
        version: "1.1" or "1.0".
        fields: the response's field lines.

    Raises:
        ValueError: the fields contradict each other, or name a transfer coding other than chunked.
    """
    coding: list[str] = []
    lengths: set[str] = set()
    connection: list[str] = []
    for name, value in fields:
        lower = name.lower()
        if lower == "transfer-encoding":
            coding += tokens(value)
        elif lower == "content-length":
            lengths.add(value.strip())
        elif lower == "connection":
            connection += tokens(value)
    if coding and coding != ["chunked"]:
        raise ValueError(f"transfer coding {', '.join(coding)!r} is not understood")
    if coding and (lengths or version == "1.0"):
        raise ValueError("Transfer-Encoding together with Content-Length, or with HTTP/1.0")
    if len(lengths) > 1 or any(not (length.isascii() and length.isdigit()) for length in lengths):
        raise ValueError("Content-Length is not one number")
    keep_alive = "close" not in connection and (version == "1.1" or "keep-alive" in connection)
    if method == "HEAD" or status in (204, 304):
        return Framing(Body.NONE, keep_alive)
    if coding:
        return Framing(Body.CHUNKED, keep_alive)
    if lengths:
        return Framing(Body.NONE if lengths == {"0"} else Body.LENGTH, keep_alive)
    return Framing(Body.UNTIL_CLOSE, False)
