"""From options, environment and configuration file to a service."""

from __future__ import annotations

from typing import Any

import pytest
from traitlets import TraitError

from jupyter_server_proxy.errors import ConfigurationError
from jupyter_server_proxy.standalone.app import START_TIMEOUT, StandaloneProxyServer

HUB = {
    "JUPYTERHUB_API_TOKEN": "t",
    "JUPYTERHUB_CLIENT_ID": "c",
    "JUPYTERHUB_API_URL": "http://hub:8081/hub/api",
    "JUPYTERHUB_SERVICE_URL": "http://0.0.0.0:8899",
    "JUPYTERHUB_SERVICE_PREFIX": "/user/ann/desk/",
    "JUPYTERHUB_SERVER_NAME": "desk",
    "JUPYTERHUB_ACTIVITY_URL": "http://hub:8081/hub/api/users/ann/activity",
    "JUPYTERHUB_ACTIVITY_INTERVAL": "42",
    "JUPYTERHUB_SSL_KEYFILE": "/k",
    "JUPYTERHUB_SSL_CERTFILE": "/c",
    "JUPYTERHUB_SSL_CLIENT_CA": "/a",
}


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in HUB:
        monkeypatch.delenv(name, raising=False)


def app(*words: str) -> StandaloneProxyServer:
    one = StandaloneProxyServer()
    one.parse_command_line(list(words))
    if one._words:
        one.command = list(one._words)
    return one


def test_without_a_hub() -> None:
    spec = app("--no-authentication", "--", "my-app").service_spec()
    assert (spec.address, spec.port, spec.base_url, spec.authenticate) == ("127.0.0.1", 8888, "/", False)
    assert not spec.checks.allow_remote_access
    assert not spec.trust_xheaders
    assert spec.tls.server_context() is None


def test_under_a_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in HUB.items():
        monkeypatch.setenv(name, value)
    spec = app("--", "my-app").service_spec()
    assert (spec.address, spec.port, spec.base_url, spec.authenticate) == ("0.0.0.0", 8899, "/user/ann/desk/", True)
    assert spec.checks.allow_remote_access
    assert spec.trust_xheaders
    assert (spec.hub.server_name, spec.hub.activity_interval, spec.hub.api_token) == ("desk", 42, "t")
    assert (spec.tls.key, spec.tls.certificate, spec.tls.client_ca) == ("/k", "/c", "/a")


def test_a_login_needs_a_hub() -> None:
    with pytest.raises(ConfigurationError, match=r"JUPYTERHUB_API_TOKEN.*--no-authentication"):
        app("--", "my-app").service_spec()


def test_the_command_is_what_follows_the_dashes() -> None:
    one = app("--timeout=7", "--absolute-url", "--", "my-app", "--timeout=9", "--", "x", "{port}")
    process = one.server_process()
    assert process.command == ["my-app", "--timeout=9", "--", "x", "{port}"]
    assert (process.name, process.timeout, process.absolute_url) == ("my-app", 7.0, True)


@pytest.mark.parametrize(
    ("words", "option", "value"),
    [
        (["--mappath={'/': '/first'}"], "mappath", {"/": "/first"}),
        (["--environment={'A': '{port}'}"], "environment", {"A": "{port}"}),
        (["--unix-socket=True"], "unix_socket", True),
        (["--unix-socket=/tmp/x"], "unix_socket", "/tmp/x"),
        (["--request-headers-override={'X': '1'}"], "request_headers_override", {"X": "1"}),
        (["--StandaloneProxyServer.stop_signal=SIGINT"], "stop_signal", 2),
        (["--ServerProcess.scope_cookies=True"], "scope_cookies", True),
        (["--no-autostart"], "autostart", False),
        (["--raw-socket-proxy"], "raw_socket_proxy", True),
        ([], "autostart", True),
        ([], "timeout", START_TIMEOUT),
    ],
)
def test_options_of_servers_are_options_here(words: list[str], option: str, value: Any) -> None:
    assert getattr(app(*words, "--", "my-app").server_process(), option) == value


@pytest.mark.parametrize("words", [["=a", "=b.*"], ["=['a', 'b.*']"]])
def test_options_that_are_lists(words: list[str]) -> None:
    one = app(*(f"--exclude-last-activity-patterns{word}" for word in words), "--", "my-app").server_process()
    assert [pattern.pattern for pattern in one.exclude_last_activity_patterns] == ["a", "b.*"]


def test_an_option_with_a_wrong_value_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        app("--exclude-last-activity-patterns=[", "--", "my-app")
    assert "option 'exclude_last_activity_patterns' must hold valid regular expressions" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "base_url"),
    [("", "/"), ("/", "/"), ("x", "/x/"), ("/x", "/x/"), ("x/y/", "/x/y/"), ("/a%40b/", "/a%40b/")],
)
def test_base_urls_are_brought_into_form(given: str, base_url: str) -> None:
    one = StandaloneProxyServer()
    one.base_url = given
    assert one.base_url == base_url


@pytest.mark.parametrize("given", ["/a b/", "/a?b", "/a#b", "//evil.example/"])
def test_base_urls_that_are_none(given: str) -> None:
    one = StandaloneProxyServer()
    with pytest.raises(TraitError, match="base_url must be a path"):
        one.base_url = given


def test_without_a_command_there_must_be_an_address() -> None:
    with pytest.raises(ConfigurationError, match="nothing tells how to reach it"):
        app().server_process()
    assert app("--server-port=99").server_process().port == 99


@pytest.mark.parametrize(
    ("words", "name"),
    [(["/usr/bin/R"], "R"), (["./my app"], "my-app"), (["--app-name=A/B", "--", "x"], "A-B"), (["..."], "app")],
)
def test_the_application_has_a_name(words: list[str], name: str) -> None:
    words = words if "--" in words else ["--", *words]
    assert app(*words).server_process().name == name


def test_remote_hosts_are_for_addresses_that_they_reach() -> None:
    assert app("--no-authentication", "--address=0.0.0.0", "--", "x").service_spec().checks.allow_remote_access
    assert not app("--no-authentication", "--", "x").service_spec().checks.allow_remote_access
