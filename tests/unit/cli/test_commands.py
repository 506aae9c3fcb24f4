"""What commands do and write, with an API of the test."""

from __future__ import annotations

import io
import json
import webbrowser
from argparse import Namespace
from typing import Any

import pytest

from jupyter_server_proxy.cli import commands
from jupyter_server_proxy.cli.console import Console
from jupyter_server_proxy.cli.failure import ExitCode, Failure
from jupyter_server_proxy.cli.running import RunningJupyter


def server(name: str, state: str = "stopped", **more: Any) -> dict[str, Any]:
    return {
        "name": name, "state": state, "since": "2030-01-01T00:00:00.000Z", "pid": None, "process": None, "requests": 0,
        "url": f"/base/{name}/", "managed": True,
        "restart_policy": "on-request", "failure": None, **more,
    }  # fmt: skip


class FakeClient:
    """Has some servers, and notes what is done to them."""

    def __init__(self, *servers: dict[str, Any], failing: dict[str, Failure] | None = None) -> None:
        self.jupyter = RunningJupyter("http://localhost:8888/base/", "/base/", "t0ken")
        self.known = {item["name"]: item for item in servers}
        self.failing = failing or {}
        self.done: list[tuple[str, str, bool]] = []

    def servers(self) -> list[dict[str, Any]]:
        return list(self.known.values())

    def find(self, *names: str) -> list[dict[str, Any]]:
        if unknown := [name for name in names if name not in self.known]:
            raise Failure(f"no {unknown[0]}", ExitCode.UNKNOWN_SERVER)
        return [self.known[name] for name in names]

    def act(self, name: str, action: str, wait: bool = False) -> dict[str, Any]:
        self.done.append((name, action, wait))
        if name in self.failing:
            raise self.failing[name]
        return {**self.known[name], "state": "stopped" if action == "stop" else "ready" if wait else "starting"}


def run(function: Any, client: FakeClient, as_json: bool = False, **arguments: Any) -> tuple[str, str]:
    """What was written to stdout and stderr."""
    out, err = io.StringIO(), io.StringIO()
    function(Console(as_json, out, err), lambda: client, Namespace(**arguments))
    return out.getvalue(), err.getvalue()


def test_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands.time, "time", lambda: 1893456000.0 + 90)
    client = FakeClient(
        server("app", "ready", pid=123, process={"memory_bytes": 52_000_000}, requests=7),
        server("broken-app", "failed", failure={"message": "It ended."}),
    )
    out, err = run(commands.list_servers, client)
    assert err == ""
    assert out.splitlines() == [
        "NAME        STATE   SINCE  PID  MEMORY  REQUESTS  URL",
        "app         ready   1 min  123   52 MB         7  http://localhost:8888/base/app/",
        "broken-app  failed  1 min    -       -         0  http://localhost:8888/base/broken-app/",
        "",
        "broken-app: It ended.",
    ]


def test_no_servers() -> None:
    assert run(commands.list_servers, FakeClient()) == ("", "No server is configured.\n")
    assert json.loads(run(commands.list_servers, FakeClient(), as_json=True)[0]) == {"servers": []}


def test_waiting_or_not() -> None:
    client = FakeClient(server("app"))
    out, _ = run(commands.start, client, name="app", no_wait=False)
    assert out == "app is ready: http://localhost:8888/base/app/\n"
    out, _ = run(commands.restart, client, name="app", no_wait=True)
    assert out == "app is starting: http://localhost:8888/base/app/\n"
    assert client.done == [("app", "start", True), ("app", "restart", False)]


def test_stopping_all_means_those_that_run_and_are_ours() -> None:
    client = FakeClient(
        server("a", "ready"), server("b"), server("c", "starting"), server("d", "failed"),
        server("e", "ready", managed=False), server("f", "failed", restart_policy="always"),
    )  # fmt: skip
    run(commands.stop, client, name=[], all=True)
    assert [name for name, _, _ in client.done] == ["a", "c", "f"]


def test_nothing_is_stopped_where_one_name_is_unknown() -> None:
    client = FakeClient(server("a", "ready"))
    with pytest.raises(Failure, match="no b"):
        run(commands.stop, client, name=["a", "b"], all=False)
    assert client.done == []


def test_one_that_cannot_be_stopped_leaves_the_others_to_be() -> None:
    client = FakeClient(server("a", "ready"), server("b", "ready"), failing={"a": Failure("a is stuck")})
    with pytest.raises(Failure, match="a is stuck") as raised:
        run(commands.stop, client, name=["a", "b", "a"], all=False)
    assert [name for name, _, _ in client.done] == ["a", "b"]
    assert [item["name"] for item in raised.value.details["stopped"]] == ["b"]

    lost = FakeClient(server("a"), server("b"), failing={"a": Failure("gone", ExitCode.NO_JUPYTER)})
    with pytest.raises(Failure, match="gone"):
        run(commands.stop, lost, name=["a", "b"], all=False)
    assert [name for name, _, _ in lost.done] == ["a"]


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the browser was given."""
    urls: list[str] = []

    def open_url(url: str) -> bool:
        urls.append(url)
        return True

    monkeypatch.setattr(webbrowser, "open", open_url)
    return urls


def test_the_browser_is_not_given_the_token(opened: list[str]) -> None:
    client = FakeClient(server("app", url="/base/app/?x=1"))
    url = "http://localhost:8888/base/app/?x=1"
    run_open = {"name": "app", "print": False, "show_token": False}
    assert run(commands.open_server, client, **run_open) == ("", f"Opened {url}\n")
    out, _ = run(commands.open_server, client, **{**run_open, "show_token": True})
    assert out == f"{url}&token=t0ken\n"
    assert opened == [url, url]
    out, _ = run(commands.open_server, client, **{**run_open, "print": True})
    assert out == f"{url}\n"
    assert len(opened) == 2


def test_no_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(url: str) -> bool:
        raise webbrowser.Error("none")

    client = FakeClient(server("app"))
    for function in (fail, lambda url: False):
        monkeypatch.setattr(webbrowser, "open", function)
        out, err = run(commands.open_server, client, name="app", print=False, show_token=False)
        assert out == "http://localhost:8888/base/app/\n"
        assert "no browser" in err
        out, _ = run(commands.open_server, client, as_json=True, name="app", print=False, show_token=False)
        assert json.loads(out) == {"name": "app", "url": "http://localhost:8888/base/app/", "opened": False}
