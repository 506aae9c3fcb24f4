"""Where a command writes: results to stdout, messages to stderr, colours to terminals alone."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from typing import Any, TextIO

from . import ansi

_STYLES = {
    "red": "31", "green": "32", "yellow": "33", "blue": "34", "grey": "90", "bold": "1",
}  # fmt: skip


class Console:
    """The two streams of a command.

    Args:
        as_json: results are JSON, and nothing else is written to stdout.
        out: for results.
        err: for messages.
    """

    def __init__(self, as_json: bool = False, out: TextIO | None = None, err: TextIO | None = None) -> None:
        self.as_json = as_json
        self._out = out or sys.stdout
        self._err = err or sys.stderr

    @property
    def has_colours(self) -> bool:
        """Whether results may have colours (https://no-color.org)."""
        return _may_have_colours(self._out)

    def style(self, text: str, style: str) -> str:
        """The text in a colour, where that is possible."""
        return f"\x1b[{_STYLES[style]}m{text}{ansi.RESET}" if style and self.has_colours else text

    def print(self, text: str = "") -> None:
        """A line of the result."""
        self._write(self._out, text)

    def print_json(self, value: Any, compact: bool = False) -> None:
        """The result, or a part of it, as JSON.

        Args:
            value: any JSON value.
            compact: on one line.
        """
        self._write(self._out, json.dumps(value) if compact else json.dumps(value, indent=2))

    def print_output(self, lines: Iterable[str]) -> None:
        """Lines that a server wrote."""
        self._write_output(self._out, lines)

    def tell(self, text: str) -> None:
        """A message."""
        self._write(self._err, text)

    def tell_output(self, lines: Iterable[str]) -> None:
        """Lines that a server wrote, as a part of a message."""
        self._write_output(self._err, lines)

    def tell_progress(self, text: str) -> None:
        """A message for somebody who waits."""
        if self._err.isatty() and not self.as_json:
            self.tell(text)

    def _write_output(self, stream: TextIO, lines: Iterable[str]) -> None:
        clean = ansi.keep_colours if _may_have_colours(stream) else ansi.strip
        for line in lines:
            self._write(stream, clean(line))

    def _write(self, stream: TextIO, text: str) -> None:
        # What the stream's encoding does not have is escaped: a command must not fail for that.
        encoding = getattr(stream, "encoding", None) or "utf-8"
        stream.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")
        stream.flush()


def _may_have_colours(stream: TextIO) -> bool:
    return stream.isatty() and not os.environ.get("NO_COLOR")
