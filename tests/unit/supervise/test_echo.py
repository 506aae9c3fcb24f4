"""How much of a server's output Jupyter's log gets."""

from __future__ import annotations

import logging

import pytest

from jupyter_server_proxy.supervise.echo import MAX_LINES, LogEcho


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO)
    return caplog


def test_lines_are_passed_on(told: pytest.LogCaptureFixture) -> None:
    echo = LogEcho("app", logging.getLogger("test"))
    echo.write("hello %s")
    echo.end()
    assert told.messages == ["[app] hello %s"]


@pytest.mark.parametrize("how", ["next second", "end"])
def test_what_is_too_much_is_counted(told: pytest.LogCaptureFixture, how: str) -> None:
    now = [100.0]
    echo = LogEcho("app", logging.getLogger("test"), lambda: now[0])
    for number in range(MAX_LINES + 7):
        echo.write(str(number))
    assert len(told.messages) == MAX_LINES
    if how == "end":
        echo.end()
        echo.end()
    else:
        now[0] += 1.0
        echo.write("later")
    assert told.messages[MAX_LINES:] == ["[app] (7 more lines, which are in its own log)"] + (
        ["[app] later"] if how == "next second" else []
    )
