"""A server's output in Jupyter's log: line by line, as long as it is not too much to be read by anybody."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

#: Lines of one server that are written to Jupyter's log in one second.
MAX_LINES = 500


class LogEcho:
    """Passes lines on, and tells how many were left out. They are all in the server's own log.

    Args:
        name: of the server.
        log: Jupyter's.
        clock: seconds that only grow.
    """

    def __init__(self, name: str, log: logging.Logger, clock: Callable[[], float] = time.monotonic) -> None:
        self._name = name
        self._log = log
        self._clock = clock
        self._second = 0.0
        self._count = 0

    def write(self, text: str) -> None:
        """One line."""
        now = self._clock()
        if now - self._second >= 1.0:
            self._tell_of_lost()
            self._second, self._count = now, 0
        self._count += 1
        if self._count <= MAX_LINES:
            self._log.info("[%s] %s", self._name, text)

    def end(self) -> None:
        """There is no more output for now."""
        self._tell_of_lost()
        self._count = 0

    def _tell_of_lost(self) -> None:
        lost = self._count - MAX_LINES
        if lost > 0:
            self._log.info("[%s] (%d more lines, which are in its own log)", self._name, lost)
