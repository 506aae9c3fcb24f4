"""Where the content of a request ends, and which of its bytes are content (RFC 9112 6.3 and 7.1).

What tornado refuses is refused here, too: chunk extensions and trailers, which nobody sends.
"""

from __future__ import annotations

import enum
import re
import sys
from collections.abc import Mapping
from typing import Protocol

from ..errors import RequestRefused

#: The size of a chunk. More digits than this overflow in other implementations.
_SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,16})\r\n")
_LONGEST_LINE = 18

#: Bytes that are read at once of small chunks, and of large ones: those that hold so many bytes, on average. Chunks are
#: read one by one, and the event loop must not be kept with many thousands of them.
_FINE = 16 * 1024
_COARSE = 128 * 1024
_LARGE = 4096


class Content(Protocol):
    """Takes the content of one request out of what a client sends.

    Attributes:
        ended: all of it has come.
        room: bytes that may be read at once.
    """

    ended: bool
    room: int

    def feed(self, data: memoryview) -> tuple[list[memoryview], int]:
        """Take bytes.

        Returns:
            Pieces of content, which are views of ``data``; and how many bytes were taken: fewer than there are when the
            content has ended.

        Raises:
            RequestRefused: where it ends cannot be told.
        """


class SizedContent:
    """Content of a known length.

    Args:
        length: bytes, more than 0.
    """

    room = sys.maxsize

    def __init__(self, length: int) -> None:
        self._left = length
        self.ended = False

    def feed(self, data: memoryview) -> tuple[list[memoryview], int]:
        """See ``Content``."""
        piece = data[: self._left]
        self._left -= len(piece)
        self.ended = self._left == 0
        return [piece], len(piece)


class _Line(enum.Enum):
    """Which line comes next, once the content of a chunk has come."""

    SIZE = "the size of a chunk"
    END_OF_CHUNK = "the empty line behind the content of a chunk"
    END = "the empty line behind the last chunk"


class ChunkedContent:
    """Content in chunks."""

    def __init__(self) -> None:
        self._line = b""  # as much of the next line as has come
        self._next = _Line.SIZE
        self._left = 0  # bytes of the chunk that are to come
        self.ended = False
        self.room = _FINE

    def feed(self, data: memoryview) -> tuple[list[memoryview], int]:
        """See ``Content``."""
        pieces: list[memoryview] = []
        at, end, content = 0, len(data), 0
        while at < end and not self.ended:
            if self._left:
                piece = data[at : at + self._left]
                size = len(piece)
                self._left -= size
                at += size
                content += size
                pieces.append(piece)
            else:
                at += self._read_line(bytes(data[at : at + _LONGEST_LINE]))
        if pieces:
            self.room = _COARSE if content >= _LARGE * len(pieces) else _FINE
        return pieces, at

    def _read_line(self, data: bytes) -> int:
        """Take bytes of the next line; how many."""
        size = data.find(b"\n") + 1 or len(data)
        line = self._line + data[:size]
        if line.endswith(b"\n"):
            self._line = b""
            self._end_line(line)
        elif len(line) < _LONGEST_LINE:
            self._line = line
        else:
            raise _broken()
        return size

    def _end_line(self, line: bytes) -> None:
        if self._next is _Line.SIZE:
            match = _SIZE_LINE.fullmatch(line)
            if match is None:
                raise _broken()
            self._left = int(match[1], 16)
            self._next = _Line.END_OF_CHUNK if self._left else _Line.END
        elif line != b"\r\n":
            raise _broken()
        elif self._next is _Line.END:
            self.ended = True
        else:
            self._next = _Line.SIZE


def _broken() -> RequestRefused:
    return RequestRefused("The chunks of this request are malformed.")


def has_content(fields: Mapping[str, str]) -> bool:
    """Whether a request has any content; the fields may be out of order."""
    return "Transfer-Encoding" in fields or fields.get("Content-Length", "").strip(" \t").strip("0") != ""


def content_of(fields: Mapping[str, str]) -> Content | None:
    """What reads the content of a request, or None if it has none.

    Args:
        fields: that ``framing.check_request`` has found in order.
    """
    if not has_content(fields):
        return None
    return ChunkedContent() if "Transfer-Encoding" in fields else SizedContent(int(fields["Content-Length"]))
