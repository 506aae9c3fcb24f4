"""How long servers took to start before."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path
from typing import Any

import pytest

from jupyter_server_proxy.supervise import history
from jupyter_server_proxy.supervise.history import KEPT_SERVERS, KEPT_STARTS, StartTimes

LOG = logging.getLogger("test_history")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "below" / "starts.json"


def test_nothing_is_expected_of_an_unknown_server() -> None:
    assert StartTimes(None, LOG).expected("app") is None


def test_the_median_of_the_last_starts_is_expected() -> None:
    """One start that took long, because packages were read for the first time, is not what comes next."""
    times = StartTimes(None, LOG)
    for seconds in (30.0, 1.0, 2.0):
        times.record("app", seconds)
    times.record("other", 100.0)
    assert times.expected("app") == 2.0
    assert times.expected("other") == 100.0
    for _ in range(KEPT_STARTS):
        times.record("app", 4.0)
    assert times.expected("app") == 4.0


def test_old_starts_are_left_out(path: Path) -> None:
    times = StartTimes(path, LOG)
    for seconds in range(KEPT_STARTS + 2):
        times.record("app", float(seconds))
    assert json.loads(path.read_text()) == {"app": [2.0, 3.0, 4.0, 5.0, 6.0]}


def test_they_outlive_jupyter(path: Path) -> None:
    StartTimes(path, LOG).record("app", 1.23456)
    assert StartTimes(path, LOG).expected("app") == 1.235
    later = StartTimes(path, LOG)
    later.record("other", 2.0)
    assert StartTimes(path, LOG).expected("app") == 1.235


def test_the_file_is_private_and_nothing_else_is_left(path: Path) -> None:
    StartTimes(path, LOG).record("app", 1.0)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert list(path.parent.iterdir()) == [path]


def test_without_a_file_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    StartTimes(None, LOG).record("app", 1.0)
    assert list(tmp_path.iterdir()) == []


def test_servers_that_were_not_started_for_long_are_forgotten() -> None:
    times = StartTimes(None, LOG)
    for number in range(KEPT_SERVERS):
        times.record(f"app{number}", 1.0)
    times.record("app0", 1.0)  # used again, so app1 is the oldest
    times.record("new", 1.0)
    assert times.expected("app1") is None
    assert times.expected("app0") == 1.0
    assert times.expected("app2") == 1.0
    assert times.expected("new") == 1.0


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[1]", b'"x"', b"null", b'{"app": 3}', b'{"app": ["x"]}', b'{"app": [null]}', b"\xff\xfe"]
)
def test_a_file_that_cannot_be_read_is_passed_over_and_written_anew(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    times = StartTimes(path, LOG)
    assert times.expected("app") is None
    times.record("app", 1.0)
    assert json.loads(path.read_text()) == {"app": [1.0]}


def test_a_file_that_cannot_be_written_is_passed_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("")
    times = StartTimes(tmp_path / "file" / "starts.json", LOG)
    with caplog.at_level(logging.DEBUG):
        times.record("app", 1.0)
    assert times.expected("app") == 1.0
    assert {record.levelno for record in caplog.records} == {logging.DEBUG}
    assert "cannot be written" in caplog.text


def test_a_failed_write_leaves_no_temporary_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each start would add another."""

    def fail(source: Any, target: Any) -> None:
        raise OSError("no")

    monkeypatch.setattr(history.os, "replace", fail)
    times = StartTimes(path, LOG)
    times.record("app", 1.0)
    times.record("app", 2.0)
    assert os.listdir(path.parent) == []
    assert times.expected("app") == 1.5
