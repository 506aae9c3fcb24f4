"""What keeps a server from being started: failures, and the pauses after them; or somebody who has stopped it."""

from __future__ import annotations

import enum
import time
from collections.abc import Callable

from ..errors import ProxyError, ServerUnavailable, StartFailed
from ..rules.backoff import next_delay
from ..rules.spec import LifecycleSpec
from .facts import Failure


class Hold(enum.Enum):
    """What does not start a stopped server again."""

    NOTHING = enum.auto()
    BACKGROUND = enum.auto()  # somebody stopped it: pages that are still open shall not bring it back
    REQUESTS = enum.auto()  # the restart policy leaves it to people


class Setbacks:
    """Counts failures of one server in a row, and remembers why it is not to be started.

    Args:
        name: of the server.
        lifecycle: how long the pauses are.
        clock: gives seconds.

    Attributes:
        hold: what does not start it.
    """

    def __init__(self, name: str, lifecycle: LifecycleSpec, clock: Callable[[], float]) -> None:
        self.hold = Hold.NOTHING
        self._name = name
        self._lifecycle = lifecycle
        self._clock = clock
        self._count = 0
        self._next_start = 0.0
        self._error: ProxyError | None = None
        self._failure: Failure | None = None

    def start_failed(self, error: ProxyError, command: str) -> None:
        """A start has failed.

        Args:
            error: why.
            command: what was started, secrets masked.
        """
        self._count += 1
        self._next_start = self._clock() + self._delay(self._count)
        self._error = error
        code, output = (error.exit_code, error.output) if isinstance(error, StartFailed) else (None, ())
        self._failure = Failure(error.message, code, time.time(), output, command)

    def ended(self, ready_for: float) -> None:
        """A server that was ready for so many seconds has ended by itself.

        The first such end is forgiven: what was ready once is likely to be so again.
        """
        if ready_for >= self._lifecycle.stable_after:
            self.forget()
            return
        self._count += 1
        self._next_start = self._clock() + self._delay(self._count - 1)

    def forget(self) -> None:
        """What was before does not matter any more."""
        self._count, self._next_start = 0, 0.0
        self.begin()

    def begin(self) -> None:
        """A start begins: its failure is not known yet."""
        self.hold = Hold.NOTHING
        self._error = self._failure = None

    def pause_left(self) -> float | None:
        """Seconds until the next start; None for at once."""
        left = self._next_start - self._clock()
        return left if left > 0 else None

    @property
    def failure(self) -> Failure | None:
        """Why the last start failed, if it did."""
        return self._failure._replace(retry_after=self.pause_left()) if self._failure else None

    def error(self) -> ProxyError | None:
        """A fresh copy of the error of the last start, if it failed, with the time that is left until the next."""
        error = self._error
        if error is None:
            return None
        left = self.pause_left() or 0.0
        if isinstance(error, StartFailed):
            return StartFailed(
                error.message, exit_code=error.exit_code, output=error.output, detail=error.detail, retry_after=left
            )
        return type(error)(error.message, detail=error.detail, retry_after=left)

    def refusal(self, output: tuple[str, ...], exit_code: int | None, *, background: bool) -> ProxyError | None:
        """Why the server is not started now, if there is a reason.

        Args:
            output: its last lines.
            exit_code: of its last process.
            background: a page that is open asks, not a person.
        """
        name = self._name
        if self.hold is Hold.REQUESTS:
            how = f"Start it in JupyterLab, or by: jupyter server-proxy start {name}"
            message = f"Server '{name}' has ended, and is not started again by itself. {how}"
            return self.error() or StartFailed(message, exit_code=exit_code, output=output)
        if self.hold is Hold.BACKGROUND and background:
            return ServerUnavailable(f"Server '{name}' was stopped. Open it anew to start it.")
        left = self.pause_left()
        if left is None:
            return None
        message = f"Server '{name}' keeps ending soon after it was started."
        return self.error() or StartFailed(message, output=output, retry_after=left)

    def _delay(self, failures: int) -> float:
        return next_delay(failures, self._lifecycle.restart_delay, self._lifecycle.restart_delay_max)
