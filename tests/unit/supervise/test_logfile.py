"""The file to which a server's output is appended."""

from __future__ import annotations

import logging
import os
import re
from pathlib import Path

import pytest

from jupyter_server_proxy.rules.spec import LogFileSpec
from jupyter_server_proxy.supervise.logfile import LogFile

LOG = logging.getLogger("test_logfile")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "app.log"


def log_file(path: Path | str, max_bytes: int = 10_000, count: int = 3) -> LogFile:
    return LogFile("app", LogFileSpec(str(path), max_bytes, count), LOG)


def texts(path: Path) -> list[str]:
    """The lines, without their dates."""
    return [
        re.sub(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} ", "", line) for line in path.read_text("utf-8").splitlines()
    ]


def test_no_file_is_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file = LogFile("app", LogFileSpec(), LOG)
    file.write("x")
    file.close()
    assert list(tmp_path.iterdir()) == []


def test_lines_are_dated_and_there_at_once(path: Path) -> None:
    file = log_file(path)
    file.write("100 %s of \u00e9")
    file.write("two")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} two", path.read_text("utf-8").splitlines()[1])
    assert texts(path) == ["100 %s of \u00e9", "two"]
    file.close()


def test_what_is_there_stays_and_a_closed_file_is_opened_again(path: Path) -> None:
    path.write_text("before\n")
    file = log_file(path)
    file.write("one")
    file.close()
    file.close()
    file.write("two")
    file.close()
    assert texts(path) == ["before", "one", "two"]


def test_characters_that_cannot_be_encoded_are_no_failure(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = log_file(path)
    file.write("a\ud800b")
    file.write("next")
    file.close()
    assert texts(path) == ["a\\ud800b", "next"]
    assert caplog.records == []


def test_the_file_is_renamed_and_begun_anew(path: Path) -> None:
    file = log_file(path, max_bytes=60, count=2)  # one line with its date has 34 bytes
    for number in range(9):
        file.write(f"line {number:4}")
    file.close()
    assert sorted(path.parent.iterdir()) == [path, path.with_name("app.log.1"), path.with_name("app.log.2")]
    kept = [number for name in ("app.log.2", "app.log.1", "app.log") for number in texts(path.with_name(name))]
    assert kept == ["line    6", "line    7", "line    8"]


def test_the_rest_of_an_earlier_session_counts(path: Path) -> None:
    path.write_text("x" * 59 + "\n")
    file = log_file(path, max_bytes=60)
    file.write("new")
    file.close()
    assert texts(path) == ["new"]
    assert path.with_name("app.log.1").read_text() == "x" * 59 + "\n"


def test_only_this_user_may_read_them_whatever_the_umask_says(path: Path) -> None:
    before = os.umask(0)
    try:
        file = log_file(path, max_bytes=60)
        for _ in range(3):
            file.write("some line")
        file.close()
    finally:
        os.umask(before)
    assert {one.name: one.stat().st_mode & 0o777 for one in path.parent.iterdir()} == {
        "app.log": 0o600,
        "app.log.1": 0o600,
        "app.log.2": 0o600,
    }


def test_a_file_that_cannot_be_opened_is_one_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = log_file(tmp_path / "missing" / "app.log")
    for _ in range(3):
        file.write("s3cret output")
    file.close()
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        (
            "WARNING",
            f"The output of server 'app' cannot be written to {tmp_path}/missing/app.log: No such file or directory",
        )
    ]


def test_a_file_that_cannot_be_written_any_more_is_one_warning(
    path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full:
        closed = False

        def write(self, text: str) -> None:
            raise OSError(28, "No space left on device")

        def flush(self) -> None:
            pass

        def close(self) -> None:
            self.closed = True

    file = log_file(path)
    file.write("fits")
    assert file._handler is not None
    file._handler.stream.close()
    stream = Full()
    monkeypatch.setattr(file._handler, "maxBytes", 0)
    monkeypatch.setattr(file._handler, "stream", stream)
    file.write("does not fit")
    file.write("nor does this")
    assert [record.getMessage() for record in caplog.records] == [
        f"The output of server 'app' cannot be written to {path}: No space left on device"
    ]
    assert stream.closed


def test_files_that_cannot_be_renamed_are_one_warning(
    path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(source: str, target: str) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("logging.handlers.os.rename", fail)
    file = log_file(path, max_bytes=60)
    for _ in range(4):
        file.write("some line")
    assert [record.getMessage() for record in caplog.records] == [
        f"The output of server 'app' cannot be written to {path}: Permission denied"
    ]
