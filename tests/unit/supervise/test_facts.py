"""Data about servers that is more than fields."""

from __future__ import annotations

import signal

import pytest

from jupyter_server_proxy.supervise.facts import Exit


@pytest.mark.parametrize(
    ("number", "code", "name"),
    [
        (0, 0, None),
        (3, 3, None),
        (255, 255, None),
        (-signal.SIGKILL, None, "SIGKILL"),
        (-signal.SIGTERM, None, "SIGTERM"),
        (-120, None, "signal 120"),
    ],
)
def test_how_a_process_ended(number: int, code: int | None, name: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: 5.0)
    assert Exit.of(number) == Exit(code, name, 5.0)
