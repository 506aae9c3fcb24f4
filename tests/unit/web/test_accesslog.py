"""Records that nobody would see are not made."""

from __future__ import annotations

import logging

import pytest

from jupyter_server_proxy.web.accesslog import Heard


class Keeping(logging.Handler):
    def __init__(self, level: int) -> None:
        super().__init__(level)
        self.kept: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.kept.append(record.getMessage())


@pytest.fixture
def family() -> tuple[logging.Logger, logging.Logger]:
    parent, child = logging.Logger("parent", logging.DEBUG), logging.Logger("child", logging.DEBUG)
    child.parent = parent
    return parent, child


@pytest.mark.parametrize(
    ("level", "told"),
    [
        (logging.DEBUG, ["debug 1", "info 1", "warning"]),
        (logging.INFO, ["info 1", "warning"]),
        (logging.WARNING, ["warning"]),
    ],
)
@pytest.mark.parametrize("whose", [0, 1])
def test_what_a_handler_would_write_is_written(
    family: tuple[logging.Logger, logging.Logger], whose: int, level: int, told: list[str]
) -> None:
    handler = Keeping(level)
    family[whose].addHandler(handler)
    heard = Heard(family[1])
    heard.debug("debug %d", 1)
    heard.info("info %d", 1)
    heard.warning("warning")
    assert handler.kept == told


def test_what_nobody_would_write_is_not_made(
    family: tuple[logging.Logger, logging.Logger], monkeypatch: pytest.MonkeyPatch
) -> None:
    parent, child = family
    parent.addHandler(Keeping(logging.DEBUG))
    child.propagate = False
    child.addHandler(Keeping(logging.WARNING))
    monkeypatch.setattr(child, "makeRecord", None)
    Heard(child).debug("x")
    Heard(child).info("x")


def test_the_level_of_the_log_counts_too(family: tuple[logging.Logger, logging.Logger]) -> None:
    handler = Keeping(logging.DEBUG)
    family[1].addHandler(handler)
    family[1].setLevel(logging.INFO)
    Heard(family[1]).debug("x")
    assert handler.kept == []
