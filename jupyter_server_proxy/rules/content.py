"""Where the content of a request ends, and which of its bytes are content (RFC 9112 6.3 and 7.1).

What tornado refuses is refused here, too: chunk extensions and trailers, which nobody sends.
"""

from __future__ import annotations

import enum
import re
from typing import Protocol

from ..errors import RequestRefused
from .fields import Fields

#: The size of a chunk. More digits than this overflow in other implementations.
_SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,16})\r\n")
_LONGEST_LINE = 18

#: Bytes of content for each frame, on average, from which on much may be read at once: frames are read one by one, and
#: the event loop must not be kept with thousands of small ones.
_COARSE = 4096


class Content(Protocol):
    """Takes the content of one request out of what a client sends.

    Attributes:
        ended: all of it has come.
        coarse: it comes in few large pieces.
    """

    ended: bool
    coarse: bool

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

    coarse = True

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
        self.coarse = False

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
            self.coarse = content >= _COARSE * len(pieces)
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


def content_of(fields: Fields) -> Content | None:
    """What reads the content of a request, or None if it has none.

    Args:
        fields: that ``framing.check_request`` has found in order.
    """
    if "Transfer-Encoding" in fields:
        return ChunkedContent()
    length = int(fields.get("Content-Length", "0"))
    return SizedContent(length) if length else None
