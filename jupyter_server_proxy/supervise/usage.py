"""Whether a server is in use, and since when it is not."""

from __future__ import annotations

import time


class Usage:
    """What the requests to a server tell about its use.

    Attributes:
        waiting: requests whose response has not begun.
        last_time: when it was last used, in seconds since the epoch; 0.0 for never.
    """

    def __init__(self) -> None:
        self.waiting = 0
        self.last_time = 0.0
        self._last = time.monotonic()

    def touch(self) -> None:
        """It is used now."""
        self.last_time = time.time()
        self._last = time.monotonic()

    def rest(self) -> None:
        """From now on it is not used; called when it has become ready."""
        self._last = time.monotonic()

    def idle_seconds(self) -> float:
        """Seconds since it was used or became ready; 0 while a request waits for its response."""
        return 0.0 if self.waiting else time.monotonic() - self._last
