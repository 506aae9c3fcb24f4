"""What the REST API tells. That it is what the schemas say is for test_openapi and the integration tests."""

from __future__ import annotations

import json
import math
from types import SimpleNamespace
from typing import Any

import pytest

from jupyter_server_proxy.rules.spec import LauncherSpec, LifecycleSpec, ServerSpec
from jupyter_server_proxy.supervise.facts import Exit, Facts, FailedRequest, Failure, Stage, State
from jupyter_server_proxy.supervise.logs import Line
from jupyter_server_proxy.supervise.resources import Resources
from jupyter_server_proxy.web.model import (
    describe_failed_request,
    describe_failure,
    describe_line,
    describe_server,
    icon_path,
    server_path,
    timestamp,
)
from jupyter_server_proxy.web.traffic import Traffic

T0 = 1_700_000_000.25
T0_TEXT = "2023-11-14T22:13:20.250Z"


def managed(spec: ServerSpec | None = None, idle_timeout: float = 0.0, **facts: Any) -> Any:
    values: dict[str, Any] = dict.fromkeys(Facts._fields)
    values.update({"state": State.STOPPED, "since": T0, "managed": True, "starts": 0, "restarts": 0, **facts})
    return SimpleNamespace(
        spec=spec or ServerSpec("app", command=("run",)), idle_timeout=idle_timeout, facts=lambda: Facts(**values)
    )


def test_a_server_that_was_never_started() -> None:
    assert describe_server(managed(), Traffic(), "/base/") == {
        "name": "app",
        "title": "app",
        "url": "/base/app/",
        "icon_url": None,
        "new_browser_tab": True,
        "state": "stopped",
        "since": T0_TEXT,
        "stage": None,
        "managed": True,
        "autostart": False,
        "restart_policy": "on-request",
        "idle_timeout": None,
        "pid": None,
        "endpoint": None,
        "starts": 0,
        "restarts": 0,
        "started": None,
        "start_seconds": None,
        "expected_start_seconds": None,
        "failure": None,
        "last_exit": None,
        "requests_open": 0,
        "websockets_open": 0,
        "requests": 0,
        "errors": 0,
        "bytes_received": 0,
        "bytes_sent": 0,
        "last_used": None,
        "process": None,
    }


def test_a_server_of_which_everything_is_known() -> None:
    spec = ServerSpec(
        "team/app",
        command=("run", "--token=s3cret"),
        environment={"KEY": "s3cret"},
        launcher=LauncherSpec(icon_path="/i.svg", title="The app", path_info="team/app/lab?x=1"),
        lifecycle=LifecycleSpec(autostart=True, restart_policy="always"),
    )
    server = managed(
        spec, 600.0, state=State.STARTING, stage=Stage.PORT, managed=False, pid=42, endpoint="http://127.0.0.1:7",
        starts=3, restarts=2, started=T0 + 1, start_seconds=1.23456, expected_start_seconds=2.0004,
        failure=Failure("It ended.", 3, T0 + 2, ("a",), "run", 1.00049), last_exit=Exit(None, "SIGKILL", T0 + 3),
        last_used=T0 + 4,
    )  # fmt: skip
    traffic = Traffic()
    traffic.began()
    traffic.began(upgrade=True)
    traffic.began()
    traffic.ended(500, 0.1)
    traffic.received, traffic.sent = 10, 20
    told = describe_server(server, traffic, "/", Resources(12.5, 1024, 3))
    assert told == {
        "name": "team/app",
        "title": "The app",
        "url": "/team/app/lab?x=1",
        "icon_url": "/server-proxy/icon/team/app",
        "new_browser_tab": True,
        "state": "starting",
        "since": T0_TEXT,
        "stage": "port",
        "managed": False,
        "autostart": True,
        "restart_policy": "always",
        "idle_timeout": 600.0,
        "pid": 42,
        "endpoint": "http://127.0.0.1:7",
        "starts": 3,
        "restarts": 2,
        "started": "2023-11-14T22:13:21.250Z",
        "start_seconds": 1.235,
        "expected_start_seconds": 2.0,
        "failure": {
            "message": "It ended.",
            "exit_code": 3,
            "time": "2023-11-14T22:13:22.250Z",
            "retry_after": 1.0,
            "output": ["a"],
        },
        "last_exit": {"code": None, "signal": "SIGKILL", "time": "2023-11-14T22:13:23.250Z"},
        "requests_open": 1,
        "websockets_open": 1,
        "requests": 3,
        "errors": 1,
        "bytes_received": 10,
        "bytes_sent": 20,
        "last_used": "2023-11-14T22:13:24.250Z",
        "process": {"cpu_percent": 12.5, "memory_bytes": 1024, "count": 3},
    }
    assert "s3cret" not in json.dumps(told)


@pytest.mark.parametrize("state", list(State))
def test_states_are_told_by_their_values(state: State) -> None:
    assert describe_server(managed(state=state), Traffic(), "/")["state"] == state.value


@pytest.mark.parametrize("path_info", ["app/", "/app/"])
def test_the_url_is_below_the_base_url(path_info: str) -> None:
    spec = ServerSpec("app", launcher=LauncherSpec(path_info=path_info))
    assert describe_server(managed(spec), Traffic(), "/user/a%20b/")["url"] == "/user/a%20b/app/"


def test_paths_are_percent_encoded() -> None:
    assert server_path("/base/", "team/100%") == "/base/server-proxy/api/servers/team/100%25"
    spec = ServerSpec("100%", launcher=LauncherSpec(icon_path="/i.svg"))
    assert icon_path("/", managed(spec)) == "/server-proxy/icon/100%25"
    assert icon_path("/", managed()) is None


def test_a_failure_without_an_exit() -> None:
    assert describe_failure(Failure("No port.", None, T0, command="run --token=***")) == {
        "message": "No port.",
        "exit_code": None,
        "time": T0_TEXT,
        "retry_after": None,
        "output": [],
    }


def test_a_line_of_output() -> None:
    line = Line(7, 2, T0, "\x1b[31m<red>\x1b[0m")
    told = {"number": 7, "run": 2, "time": T0_TEXT, "text": "\x1b[31m<red>\x1b[0m"}
    assert describe_line(line) == told
    with_html = describe_line(line, with_html=True)
    html = with_html.pop("html")
    assert with_html == told
    assert "&lt;red&gt;" in html
    assert "\x1b" not in html


def test_a_failed_request_is_told_with_its_lines() -> None:
    failed = FailedRequest("id-1", T0, "POST", "/app/x", 502, 3, 5)
    assert describe_failed_request(failed, iter([Line(3, 1, T0, "Traceback")])) == {
        "request_id": "id-1",
        "time": T0_TEXT,
        "method": "POST",
        "path": "/app/x",
        "status": 502,
        "lines": [{"number": 3, "run": 1, "time": T0_TEXT, "text": "Traceback"}],
    }


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, None),
        (0.0, "1970-01-01T00:00:00.000Z"),
        (T0, T0_TEXT),
        (math.floor(T0), "2023-11-14T22:13:20.000Z"),
    ],
)
def test_times_are_utc_with_milliseconds(seconds: float | None, text: str | None) -> None:
    assert timestamp(seconds) == text
