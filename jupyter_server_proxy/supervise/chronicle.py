"""What has happened to a server so far: counted and dated. It decides nothing."""

from __future__ import annotations

import time

from .facts import Exit, Stage


class Chronicle:
    """Notes the course of one server's life; all times are seconds since the epoch.

    Attributes:
        since: when its state was entered.
        stage: how far its start has come; None when it is not starting.
        starts: how often its process was started.
        restarts: those of them that followed an end of the process by itself, or were asked for as restarts.
        is_restart: the next start will be one.
        start_seconds: that the last successful start took.
        last_exit: of the last process that has ended.
    """

    def __init__(self) -> None:
        self.since = time.time()
        self.stage: Stage | None = None
        self.starts = 0
        self.restarts = 0
        self.is_restart = False
        self.start_seconds: float | None = None
        self.last_exit: Exit | None = None

    def enter_state(self) -> None:
        """It is in another state."""
        self.since = time.time()
        self.stage = None

    def reach(self, stage: Stage) -> bool:
        """Its start has come so far; whether that is news."""
        if self.stage is stage:
            return False
        if stage is Stage.PROCESS:
            self.starts += 1
            self.restarts += self.is_restart
            self.is_restart = False
        self.stage = stage
        return True

    @property
    def ended_well(self) -> bool:
        """Whether its last process has exited with 0."""
        return self.last_exit is not None and self.last_exit.code == 0
