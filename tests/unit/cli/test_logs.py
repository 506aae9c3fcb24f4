"""Following a log over lost connections."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pytest

from jupyter_server_proxy.cli.console import Console
from jupyter_server_proxy.cli.failure import ExitCode, Failure
from jupyter_server_proxy.cli.logs import MAX_LINES, PATIENCE, Follower

LOST = Failure("gone", ExitCode.NO_JUPYTER)


class End(Exception):
    """The end of a test's script: a Follower never ends by itself."""


def line(number: int, second: int) -> tuple[str, dict[str, Any]]:
    return "line", {"number": number, "run": 1, "time": f"2030-01-01T00:00:{second:02}.000Z", "text": f"text {second}"}


def state(name: str, message: str = "") -> tuple[str, dict[str, Any]]:
    return "state", {"name": "app", "state": name, "failure": {"message": message} if message else None}


class FakeClient:
    """Its streams are played one after the other; an exception in one is raised."""

    def __init__(self, *streams: list[Any]) -> None:
        self.streams = list(streams)
        self.tails: list[int] = []

    def find(self, *names: str) -> None:
        pass

    def follow(self, name: str, tail: int) -> Iterator[tuple[str, dict[str, Any]]]:
        self.tails.append(tail)
        if not self.streams:
            raise End
        for item in self.streams.pop(0):
            if isinstance(item, Exception):
                raise item
            yield item


def follow(client: FakeClient, as_json: bool = False, connect: Any = None) -> tuple[str, str]:
    """What was written to stdout and stderr until the script's end."""
    out, err = io.StringIO(), io.StringIO()
    follower = Follower(Console(as_json, out, err), connect or (lambda: client), "app", sleep=lambda seconds: None)
    with pytest.raises(End):
        follower.run(client, 5)
    return out.getvalue(), err.getvalue()


def test_lines_that_were_shown_are_not_shown_again() -> None:
    client = FakeClient([line(1, 1), line(2, 2), LOST], [line(1, 1), line(2, 2), line(3, 3)])
    out, err = follow(client)
    assert out == "text 1\ntext 2\ntext 3\n"
    assert client.tails == [5, MAX_LINES, MAX_LINES]
    assert err.count("Waiting") == 2


def test_lines_of_another_jupyter_count_from_one() -> None:
    client = FakeClient([line(7, 1), line(8, 2)], [line(1, 3), line(2, 4)], [line(1, 3), line(2, 4), line(3, 5)])
    assert follow(client)[0] == "text 1\ntext 2\ntext 3\ntext 4\ntext 5\n"


def test_changes_of_the_state_are_told() -> None:
    client = FakeClient([state("ready"), state("ready"), state("stopping"), state("failed", "why")])
    out, err = follow(client)
    assert out == ""
    assert err.splitlines()[:2] == ["(app is stopping)", "(app is failed: why)"]


def test_lines_that_are_missing_are_told() -> None:
    assert "(12 lines are missing" in follow(FakeClient([("gap", {"lost": 12})]))[1]


def test_json() -> None:
    out, _ = follow(FakeClient([line(1, 1), state("ready")]), as_json=True)
    first, second = out.splitlines()
    assert first.startswith('{"event": "line", "number": 1, ')
    assert second.startswith('{"event": "state", "name": "app", ')


def test_jupyter_is_looked_for_until_patience_ends() -> None:
    moments = iter([0.0, PATIENCE / 2, PATIENCE + 1])

    def connect() -> Any:
        raise LOST

    console = Console(False, io.StringIO(), io.StringIO())
    follower = Follower(console, connect, "app", sleep=lambda seconds: None, clock=lambda: next(moments))
    client: Any = FakeClient([line(1, 1)])
    with pytest.raises(Failure, match="gone"):
        follower.run(client, 5)


def test_a_server_that_is_unknown_now_ends_it() -> None:
    unknown = Failure("no such server", ExitCode.UNKNOWN_SERVER)
    console = Console(False, io.StringIO(), io.StringIO())
    client: Any = FakeClient([unknown])
    with pytest.raises(Failure, match="no such server"):
        Follower(console, lambda: client, "app", sleep=lambda seconds: None).run(client, 5)
