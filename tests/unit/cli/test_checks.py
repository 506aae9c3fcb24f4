"""Doctor's checks that look at nothing but the configuration."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from jupyter_server_proxy.cli.checks import check_address, check_name, check_servers, check_times
from jupyter_server_proxy.cli.finding import Finding, mask_text
from jupyter_server_proxy.cli.programs import Command, render
from jupyter_server_proxy.rules.paths import JUPYTER_PATHS
from jupyter_server_proxy.rules.spec import LifecycleSpec, LogFileSpec, ServerSpec


def spec(name: str = "app", command: Any = ("true", "{port}"), **options: Any) -> ServerSpec:
    return ServerSpec(name, command, **options)


def severities(findings: Iterable[Finding]) -> list[str]:
    return [finding.severity for finding in findings]


@pytest.mark.parametrize("name", sorted(JUPYTER_PATHS))
def test_names_of_jupyter(name: str) -> None:
    assert severities(check_name(spec(name))) == ["error"]
    assert severities(check_name(spec(name + "/app"))) == ["error"]
    assert severities(check_name(spec(f"app/{name}"))) == []
    assert severities(check_name(spec(name + "2"))) == []


@pytest.mark.parametrize(
    ("options", "count"),
    [
        ({}, 0), ({"timeout": 0.5}, 1), ({"timeout": 1.0}, 0), ({"timeout": 601.0}, 1),
        ({"lifecycle": LifecycleSpec(stop_timeout=61)}, 1), ({"lifecycle": LifecycleSpec(idle_timeout=59)}, 1),
        ({"lifecycle": LifecycleSpec(idle_timeout=0)}, 0), ({"command": (), "timeout": 0.5}, 0),
    ],
)  # fmt: skip
def test_times(options: dict[str, Any], count: int) -> None:
    assert severities(check_times(spec(**options))) == ["warning"] * count


def test_addresses_that_several_have() -> None:
    log = LifecycleSpec(log_file=LogFileSpec("/x/log"))
    servers = [
        spec("a", port=61001), spec("b", port=61001), spec("c", (), port=61002), spec("d", (), port=61002),
        spec("e", unix_socket="/x/s"), spec("f", unix_socket="/x/s", port=61001),
        spec("g", lifecycle=log), spec("h", lifecycle=log),
    ]  # fmt: skip
    found = [item for item in check_servers(servers, "/", 0) if "It has" in item.what]
    assert [(item.server, item.severity) for item in found] == [
        ("a", "error"), ("b", "error"), ("e", "error"), ("f", "error"), ("g", "warning"), ("h", "warning"),
    ]  # fmt: skip


def test_the_port_of_jupyter_itself() -> None:
    (found,) = check_address(spec(port=8888), Command(("true",)), jupyter_port=8888)
    assert (found.severity, "Jupyter itself" in found.what) == ("error", True)


def test_nothing_to_start_and_nowhere_to_connect() -> None:
    assert severities(check_address(spec(command=lambda: []), Command(()), 0)) == ["error"]


def test_what_cannot_be_filled_in_is_told_once() -> None:
    server = spec(command=("true", "{prot}"))
    command = render(server, "/")
    assert severities(command.findings) == ["error"]
    assert "{prot}" in command.findings[0].what
    assert severities(check_address(server, command, 0)) == []


def test_what_is_shown_has_placeholders_and_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTER_TOKEN", "of-the-environment")
    words = ("app", "--port={port}", "--base={base_url}x", "--password", "hunter2", "of-the-environment")
    assert render(spec(command=words), "/b/").shown == "app --port={port} --base=/b/x --password '***' '***'"
    socket = spec(command=("app", "{unix_socket}", "{port}"), unix_socket=True)
    assert render(socket, "/").shown == "app {unix_socket} 0"


def test_messages_of_others_have_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTER_TOKEN", "of-the-environment")
    text = "cannot reach https://me:hunter2@host/?token=hunter2 with of-the-environment"
    assert mask_text(text) == "cannot reach https://***@host/?token=*** with ***"


def test_callables_that_exit_do_not_end_doctor() -> None:
    def leave() -> None:
        raise SystemExit(3)

    assert severities(render(spec(command=leave), "/").findings) == ["error"]
