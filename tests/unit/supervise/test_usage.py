"""Whether a server is in use, and since when it is not."""

from __future__ import annotations

import pytest

from jupyter_server_proxy.supervise import usage as module
from jupyter_server_proxy.supervise.usage import Usage


class Clock:
    """Both clocks; that of the wall may be set."""

    def __init__(self) -> None:
        self.steady = 10.0
        self.wall = 1_700_000_000.0

    def monotonic(self) -> float:
        return self.steady

    def time(self) -> float:
        return self.wall


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


def test_a_server_that_was_never_used(clock: Clock) -> None:
    usage = Usage()
    clock.steady += 3
    assert (usage.idle_seconds(), usage.last_time, usage.waiting) == (3, 0.0, 0)


def test_use_ends_idleness_and_is_dated(clock: Clock) -> None:
    usage = Usage()
    clock.steady += 3
    usage.touch()
    assert (usage.idle_seconds(), usage.last_time) == (0, clock.wall)
    clock.steady += 5
    assert usage.idle_seconds() == 5


def test_becoming_ready_is_no_use(clock: Clock) -> None:
    """A server that needs minutes to start is not idle as soon as it has."""
    usage = Usage()
    clock.steady += 300
    usage.rest()
    assert (usage.idle_seconds(), usage.last_time) == (0, 0.0)


def test_a_request_that_waits_for_its_response_keeps_it_in_use(clock: Clock) -> None:
    usage = Usage()
    usage.waiting = 2
    clock.steady += 3600
    assert usage.idle_seconds() == 0.0
    usage.waiting -= 1
    assert usage.idle_seconds() == 0.0
    usage.waiting -= 1
    assert usage.idle_seconds() == 3600


def test_setting_the_clock_of_the_wall_stops_nothing(clock: Clock) -> None:
    usage = Usage()
    usage.touch()
    clock.wall += 100_000
    assert usage.idle_seconds() == 0
