"""The last lines of a server's output, bounded in number and in length."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

#: Lines that are kept, and bytes after which a line is broken in two.
MAX_LINES = 1000
MAX_LINE_BYTES = 8 * 1024


class LogTail:
    """Collects output that arrives in any pieces, and keeps its last lines.

    Args:
        on_line: called with each whole line, without its end.
        max_lines: lines to keep.
    """

    def __init__(self, on_line: Callable[[str], None] | None = None, max_lines: int = MAX_LINES) -> None:
        self._on_line = on_line
        self._lines: deque[str] = deque(maxlen=max_lines)
        self._partial = b""

    def feed(self, data: bytes) -> None:
        """Take bytes of the output."""
        *whole, self._partial = (self._partial + data).split(b"\n")
        for line in whole:
            self._add(line)
        while len(self._partial) > MAX_LINE_BYTES:
            self._add(self._partial[:MAX_LINE_BYTES])
            self._partial = self._partial[MAX_LINE_BYTES:]

    def end(self) -> None:
        """The output has ended: what is left is a line, too."""
        if self._partial:
            self._add(self._partial)
            self._partial = b""

    def tail(self, count: int) -> tuple[str, ...]:
        """The last lines, oldest first; one that has no end yet is the last of them."""
        lines = list(self._lines)
        if self._partial:
            lines.append(_decode(self._partial))
        return tuple(lines[-count:]) if count > 0 else ()

    def clear(self) -> None:
        """Forget everything: another process begins."""
        self._lines.clear()
        self._partial = b""

    def _add(self, line: bytes) -> None:
        for start in range(0, max(1, len(line)), MAX_LINE_BYTES):
            text = _decode(line[start : start + MAX_LINE_BYTES])
            self._lines.append(text)
            if self._on_line is not None:
                self._on_line(text)


def _decode(line: bytes) -> str:
    return line.rstrip(b"\r").decode("utf-8", errors="replace")
