"""Which page or answer an error becomes, with what is known about the server."""

from __future__ import annotations

import json
import logging
from types import SimpleNamespace
from typing import Any

import pytest
from tornado.httputil import HTTPHeaders

from jupyter_server_proxy.errors import (
    ConnectFailed,
    HostNotAllowed,
    ProxyError,
    ServerMisconfigured,
    ServerUnavailable,
    StartFailed,
    StillStarting,
    UpstreamTimeout,
)
from jupyter_server_proxy.rules.spec import LauncherSpec, ServerSpec
from jupyter_server_proxy.supervise.facts import Facts, Failure, Stage, State
from jupyter_server_proxy.supervise.logs import LogTail
from jupyter_server_proxy.web import explanation as module
from jupyter_server_proxy.web import ports
from jupyter_server_proxy.web.destinations import AddressDestination, Handling, Route, ServerDestination
from jupyter_server_proxy.web.explanation import explain
from jupyter_server_proxy.web.policy import AddressPolicy
from jupyter_server_proxy.web.traffic import Traffic

NOW = 1_700_000_000.0


class FakeServer:
    """A server that is starting, or has failed."""

    def __init__(self, spec: ServerSpec, is_managed: bool = True, **facts: Any) -> None:
        values: dict[str, Any] = dict.fromkeys(Facts._fields)
        values.update({"state": State.STARTING, "since": NOW - 7.5, **facts})
        self.spec = spec
        self.is_managed = is_managed
        self.usage = None
        self.logs = LogTail()
        self._facts = Facts(**values)

    def facts(self) -> Facts:
        return self._facts


APP = ServerSpec("app", command=("run",), launcher=LauncherSpec(title="The app", icon_path="/i.svg"))


class Lab:
    """What is rendered: the views are caught, so that this is about their content."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.servers: dict[str, FakeServer] = {}
        self.settings: dict[str, Any] = {}
        self.ports: list[dict[str, Any]] = []
        self.ports_error: Exception | None = None
        self.policy = AddressPolicy()
        self.rendered: list[tuple[str, Any, str]] = []
        for name in ("waiting", "failure", "dead_port"):
            monkeypatch.setattr(module, f"render_{name}", self._renderer(name))
        monkeypatch.setattr(ports, "describe_ports", self._describe_ports)
        monkeypatch.setattr(module, "time", SimpleNamespace(time=lambda: NOW))

    def _renderer(self, name: str) -> Any:
        def render(view: Any, *, frame_ancestors: str) -> tuple[list[tuple[str, str]], bytes]:
            self.rendered.append((name, view, frame_ancestors))
            return [], name.encode()

        return render

    async def _describe_ports(self, settings: Any, supervisor: Any, base_url: str, pid: int) -> list[dict[str, Any]]:
        assert (settings, base_url) == (self.settings, "/base/")
        if self.ports_error is not None:
            raise self.ports_error
        return self.ports

    @property
    def runtime(self) -> Any:
        return SimpleNamespace(
            supervisor=self.servers, base_url="/base/", policy=self.policy, log=logging.getLogger("test_explanation"),
            application=SimpleNamespace(settings=self.settings),
        )  # fmt: skip

    async def ask(
        self, error: ProxyError, destination: Any, accept: str = "text/html", method: str = "GET"
    ) -> tuple[dict[str, str], str]:
        request: Any = SimpleNamespace(method=method, headers=HTTPHeaders({"Accept": accept}))
        fields, body = await explain(error, request, Route(destination, "/base/x", "/", None, False), self.runtime)
        return dict(fields), body.decode()

    def server(self, spec: ServerSpec = APP, **values: Any) -> ServerDestination:
        self.servers[spec.name] = server = FakeServer(spec, **values)
        return ServerDestination(server, Handling())  # type: ignore[arg-type]


def port(number: int = 8000, host: str | None = None) -> AddressDestination:
    return AddressDestination(host, number, Handling(), Traffic())


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch) -> Lab:
    return Lab(monkeypatch)


# ---- a server that is starting


async def test_people_see_how_far_a_start_has_come(lab: Lab) -> None:
    destination = lab.server(stage=Stage.PORT, expected_start_seconds=12.0)
    lab.servers["app"].logs.feed(b"one\ntwo")
    _, body = await lab.ask(StillStarting("wait"), destination)
    ((name, view, ancestors),) = lab.rendered
    assert (name, body, ancestors) == ("waiting", "waiting", "'self'")
    assert (view.name, view.title) == ("app", "The app")
    assert (view.api_url, view.icon_url) == ("/base/server-proxy/api/servers/app", "/base/server-proxy/icon/app")
    assert (view.stage, view.elapsed, view.expected, view.output) == ("port", 7.5, 12.0, ("one", "two"))


async def test_a_start_of_which_nothing_is_known_yet(lab: Lab) -> None:
    await lab.ask(StillStarting("wait"), lab.server(ServerSpec("team/100%", command=("run",))))
    view = lab.rendered[0][1]
    assert (view.title, view.icon_url) == ("team/100%", "")
    assert view.api_url == "/base/server-proxy/api/servers/team/100%25"
    assert (view.stage, view.expected, view.output) == (None, None, ())


# ---- a server that has failed


@pytest.mark.behaviour("P9")
async def test_people_see_why_a_start_failed(lab: Lab) -> None:
    failure = Failure("It exited.", 3, NOW - 60, ("older",), "run --token=***", 4.0)
    error = StartFailed("Server 'app' exited.", exit_code=3, output=("bye",), detail="not to be told", retry_after=5.0)
    await lab.ask(error, lab.server(state=State.FAILED, failure=failure))
    ((name, view, _),) = lab.rendered
    assert name == "failure"
    assert (view.name, view.title, view.message) == ("app", "The app", "Server 'app' exited.")
    assert (view.exit_code, view.output, view.retry_after, view.status) == (3, ("bye",), 5.0, 503)
    assert (view.command, view.failed_at) == ("run --token=***", NOW - 60)
    assert view.api_url == "/base/server-proxy/api/servers/app"
    assert view.icon_url == "/base/server-proxy/icon/app"


async def test_people_see_that_a_server_was_stopped(lab: Lab) -> None:
    await lab.ask(ServerUnavailable("It was stopped."), lab.server(state=State.STOPPED))
    view = lab.rendered[0][1]
    assert (view.message, view.exit_code, view.output, view.command, view.failed_at) == (
        "It was stopped.", None, (), "", None
    )  # fmt: skip


# ---- the same errors for others, and other errors


@pytest.mark.parametrize(
    ("error", "status"),
    [(StillStarting("wait", retry_after=1), 503), (StartFailed("It exited.", exit_code=3, output=("bye",)), 503)],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_programs_get_no_page(lab: Lab, error: ProxyError, status: int, method: str) -> None:
    accept = "application/json" if method == "GET" else "text/html, application/json"
    fields, body = await lab.ask(error, lab.server(), accept, method)
    assert lab.rendered == []
    assert fields["Content-Type"] == "application/json"
    told = json.loads(body)
    assert (told["status"], told["message"]) == (status, error.message)


async def test_fetch_metadata_tells_people_from_scripts(lab: Lab) -> None:
    destination = lab.server()
    route = Route(destination, "/base/x", "/", None, False)
    for mode in ("cors", "navigate"):
        headers = HTTPHeaders({"Accept": "text/html", "Sec-Fetch-Mode": mode})
        request: Any = SimpleNamespace(method="GET", headers=headers)
        await explain(StillStarting("wait"), request, route, lab.runtime)
        assert len(lab.rendered) == (mode == "navigate")


@pytest.mark.parametrize(
    "error", [UpstreamTimeout("It is slow."), ConnectFailed("Nobody."), ServerMisconfigured("No.")]
)
async def test_other_errors_of_servers_have_the_general_page(lab: Lab, error: ProxyError) -> None:
    fields, body = await lab.ask(error, lab.server())
    assert lab.rendered == []
    assert fields["Content-Type"].startswith("text/html")
    assert error.message in body


async def test_servers_that_are_not_ours_have_no_buttons(lab: Lab) -> None:
    _, body = await lab.ask(ServerUnavailable("It is not there."), lab.server(is_managed=False))
    assert lab.rendered == []
    assert "It is not there." in body


async def test_a_server_that_is_not_supervised(lab: Lab) -> None:
    destination = lab.server()
    lab.servers.clear()
    _, body = await lab.ask(StartFailed("Gone."), destination)
    assert lab.rendered == []
    assert "Gone." in body


# ---- ports on which nobody listens


def described(number: int, owner: dict[str, Any] | None = None, **values: Any) -> dict[str, Any]:
    return {"port": number, "url": f"/base/proxy/{number}/", "process": "python", "owner": owner, **values}


async def test_people_see_on_which_ports_somebody_listens(lab: Lab) -> None:
    lab.policy = AddressPolicy(ports_denied=(range(9000, 9100),))
    lab.ports = [
        described(8001),
        described(8002, {"kind": "server", "name": "app"}),
        described(8888, {"kind": "jupyter"}),
        described(9001),
    ]
    _, body = await lab.ask(ConnectFailed("Nobody listens."), port())
    ((name, view, _),) = lab.rendered
    assert (name, body, view.port) == ("dead_port", "dead_port", 8000)
    assert [(row.port, row.url, row.process, row.owner) for row in view.ports] == [
        (8001, "/base/proxy/8001/", "python", ""),
        (8002, "/base/proxy/8002/", "python", "Server app"),
    ], "neither Jupyter itself nor what the policy forbids"


async def test_ports_that_cannot_be_listed_are_no_obstacle(lab: Lab, caplog: pytest.LogCaptureFixture) -> None:
    lab.ports_error = RuntimeError("no /proc")
    await lab.ask(ConnectFailed("Nobody listens."), port())
    assert lab.rendered[0][1].ports == ()
    assert "cannot be listed" in caplog.text


async def test_ports_are_told_to_nobody_else(lab: Lab) -> None:
    lab.ports = [described(8001)]
    for error, destination, accept in (
        (ConnectFailed("Nobody listens."), port(), "*/*"),
        (ConnectFailed("Nobody listens."), port(8000, "other.example"), "text/html"),
        (HostNotAllowed("No."), port(), "text/html"),
        (UpstreamTimeout("Slow."), port(), "text/html"),
    ):
        _, body = await lab.ask(error, destination, accept)
        assert error.message in body
        assert "8001" not in body
    assert lab.rendered == []


# ---- frames


@pytest.mark.parametrize(
    ("policy", "ancestors"),
    [
        (None, "'self'"),
        ("", "'self'"),
        ("default-src 'self'", "'self'"),
        ("frame-ancestors", "'self'"),
        ("frame-ancestors 'none'", "'none'"),
        ("default-src 'self'; Frame-Ancestors https://a.example  'self' ; x", "https://a.example  'self'"),
    ],
)
async def test_who_may_frame_jupyter_may_frame_the_pages(lab: Lab, policy: str | None, ancestors: str) -> None:
    lab.settings["headers"] = None if policy is None else {"Content-Security-Policy": policy}
    await lab.ask(StillStarting("wait"), lab.server())
    await lab.ask(StartFailed("failed"), lab.server())
    await lab.ask(ConnectFailed("nobody"), port())
    assert [frame_ancestors for _, _, frame_ancestors in lab.rendered] == [ancestors] * 3
    fields, _ = await lab.ask(UpstreamTimeout("slow"), lab.server())
    assert f"frame-ancestors {ancestors}" in fields["Content-Security-Policy"]
