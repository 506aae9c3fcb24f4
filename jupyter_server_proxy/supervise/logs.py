"""The output of a server: its last lines in memory, bounded in number and in length; and whoever follows them."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

#: Lines that are kept, and bytes after which a line is broken in two.
MAX_LINES = 1000
MAX_LINE_BYTES = 8 * 1024


class Line(NamedTuple):
    """One line of output.

    Args:
        number: grows by one with each line, for as long as Jupyter runs.
        run: which start of the server wrote it, from 1.
        time: when it came, in seconds since the epoch.
        text: without its end; may hold terminal sequences.
    """

    number: int
    run: int
    time: float
    text: str


class Follower:
    """Gets each new line; one that is too slow loses the oldest of them, and is told how many.

    Attributes:
        lost: lines that it has not got, since it last set this to 0.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._lines: deque[Line] = deque()
        self.lost = 0

    def put(self, line: Line) -> None:
        """Called with each new line."""
        if len(self._lines) >= MAX_LINES:
            self._lines.popleft()
            self.lost += 1
        self._lines.append(line)
        self._wake()

    def take(self) -> list[Line]:
        """The lines that have come since the last call."""
        lines = list(self._lines)
        self._lines.clear()
        return lines


class LogTail:
    """Collects output that arrives in any pieces, and keeps its last lines.

    Args:
        on_line: called with each whole line, without its end.
        max_lines: lines to keep.
    """

    def __init__(self, on_line: Callable[[str], None] | None = None, max_lines: int = MAX_LINES) -> None:
        self._on_line = on_line
        self._lines: deque[Line] = deque(maxlen=max_lines)
        self._partial = b""
        self._followers: list[Follower] = []
        self._run = 0
        self.next_number = 0

    def begin_run(self) -> None:
        """Another process begins; the lines of those before stay."""
        self.end()
        self._run += 1

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
        """The last lines of the latest process, oldest first; one that has no end yet is the last of them."""
        lines = [line.text for line in self._lines if line.run == self._run]
        if self._partial:
            lines.append(_decode(self._partial))
        return tuple(lines[-count:]) if count > 0 else ()

    def last(self, count: int) -> list[Line]:
        """The last lines of all processes, oldest first, without one that has no end yet."""
        return list(self._lines)[-count:] if count > 0 else []

    def between(self, first: int, end: int, until: float) -> list[Line]:
        """The lines from number ``first`` to before ``end``, and those that came until a time; as far as they are kept.

        Args:
            first: number of a line.
            end: number of a line, too.
            until: seconds since the epoch.
        """
        return [line for line in self._lines if line.number >= first and (line.number < end or line.time <= until)]

    @contextmanager
    def follow(self, wake: asyncio.Event) -> Iterator[Follower]:
        """Get each line from now on.

        Args:
            wake: set when there is something to take.
        """
        follower = Follower(wake.set)
        self._followers.append(follower)
        try:
            yield follower
        finally:
            self._followers.remove(follower)

    def _add(self, data: bytes) -> None:
        now = time.time()
        for start in range(0, max(1, len(data)), MAX_LINE_BYTES):
            line = Line(self.next_number, self._run, now, _decode(data[start : start + MAX_LINE_BYTES]))
            self.next_number += 1
            self._lines.append(line)
            for follower in self._followers:
                follower.put(line)
            if self._on_line is not None:
                self._on_line(line.text)


def _decode(line: bytes) -> str:
    return line.rstrip(b"\r").decode("utf-8", errors="replace")
