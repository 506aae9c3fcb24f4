"""Secrets that must not get anywhere: each is unique, and looked for in everything that applications and logs get."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import pytest
from harness import Answer, Jupyter, wait_until, words_of
from wire import Backend, Wire, connect

CHILD = str(Path(__file__).parent / "children" / "child.py")
B = pytest.mark.behaviour


def canary(name: str) -> str:
    """A secret that cannot occur by chance, and tells which it is."""
    return f"canary-{name}-{secrets.token_hex(8)}"


@dataclass
class Cage:
    """The secrets of Jupyter and the Hub, and those of the application itself."""

    environment: dict[str, str] = field(
        default_factory=lambda: {
            name: canary(name)
            for name in ("JUPYTERHUB_API_TOKEN", "JPY_API_TOKEN", "CONFIGPROXY_AUTH_TOKEN", "JUPYTERHUB_CRYPT_KEY")
        }
    )
    cookies: dict[str, str] = field(
        default_factory=lambda: {
            name: canary(name)
            for name in ("_xsrf", "jupyterhub-user-ann", "jupyterhub-session-id", "__Host-jupyterhub-user-ann")
        }
    )
    own: dict[str, str] = field(
        default_factory=lambda: {
            name: canary(f"own-{name}") for name in ("cookie", "bearer", "query", "field", "variable")
        }
    )
    word: str = field(default_factory=lambda: canary("word"))


@pytest.fixture(scope="module")
def cage() -> Cage:
    return Cage()


@pytest.fixture(scope="module")
def origin() -> Iterator[Backend]:
    backend = Backend()
    yield backend
    backend.close()


@pytest.fixture(scope="module")
def jupyter(start_jupyter: Callable[..., Jupyter], cage: Cage, origin: Backend) -> Jupyter:
    child = [sys.executable, CHILD, "--port={port}"]
    return start_jupyter(
        f"""
c.ServerProxy.servers = {{
    "app": {{"port": {origin.port}}},
    "open": {{"port": {origin.port}, "forward_credentials": True}},
    "raw": {{"port": {origin.port}, "raw_socket_proxy": True}},
    "child": {{"command": {child!r}, "timeout": 60, "environment": {{"APP_SECRET": {cage.own["variable"]!r}}}}},
    "given": {{"command": {child!r}, "timeout": 60,
              "environment": {{"JUPYTERHUB_API_TOKEN": {cage.environment["JUPYTERHUB_API_TOKEN"]!r}}}}},
    "fails": {{"environment": {{"API_KEY": {cage.own["variable"]!r}}}, "command": [
        sys.executable, "-c", "raise SystemExit(3)", "--token", {cage.word!r}, "--url=x?key={cage.word}",
        "http://me:{cage.word}@host/", {cage.own["variable"]!r}]}},
    "broken": {{"command": lambda: 1 / 0, "environment": {{"APP_SECRET": {cage.own["variable"]!r}}}}},
    "wrong": {{"command": [{cage.word!r}, None], "environment": {{"A": 5, "B": {cage.own["variable"]!r}}}}},
}}
""",
        environment=cage.environment,
    )


@pytest.fixture
def backend(origin: Backend) -> Iterator[Backend]:
    yield origin
    origin.drop_connections()


def jupyters_secrets(jupyter: Jupyter, cage: Cage) -> list[str]:
    """What no application may see."""
    login = jupyter.login_cookie().partition("=")[2].strip('"')
    return [jupyter.token, login, *cage.environment.values(), *cage.cookies.values()]


def send_everything(client: Wire, jupyter: Jupyter, cage: Cage, *more: str, method: str = "GET") -> None:
    """A request that holds every secret in every place where it belongs."""
    cookies = "; ".join(f"{name}={value}" for name, value in cage.cookies.items())
    token, own = jupyter.token, cage.own
    client.send(
        f"{method} {{path}}x?token={token}&a={own['query']}&%74oken={quote(token)} HTTP/1.1",
        "Host: {host}",
        f"{{auth}}; {cookies}; mine={own['cookie']}",
        f"Cookie: second=1; {cookies}",
        f"Authorization: token {token}",
        f"Referer: http://{{host}}/lab?token={token}&a={own['query']}",
        f"X-Mine: {own['field']}",
        *more,
        "",
        "",
    )


def assert_without(where: str, seen: bytes | str, hidden: list[str]) -> None:
    """None of the secrets is in what was seen."""
    text = seen.decode("latin-1") if isinstance(seen, bytes) else seen
    found = [secret for secret in hidden if secret in text]
    assert not found, f"{where} has {found}"


@B("C1", "C2")
@pytest.mark.parametrize("upgrade", [False, True])
def test_c1_applications_get_none_of_jupyters_secrets(
    jupyter: Jupyter, cage: Cage, backend: Backend, upgrade: bool
) -> None:
    client = connect(jupyter, "app/")
    more = ("Connection: Upgrade", "Upgrade: websocket") if upgrade else ()
    send_everything(client, jupyter, cage, *more)
    server = backend.accept()
    received = server.read_until(b"\r\n\r\n")
    assert_without("the request", received, jupyters_secrets(jupyter, cage))
    for name in ("cookie", "query", "field"):
        assert cage.own[name].encode() in received
    server.send("HTTP/1.1 200 OK", "Content-Length: 0", "", "")
    client.response()
    client.close()


@B("C2")
def test_c2_an_applications_own_bearer_token_arrives(jupyter: Jupyter, cage: Cage, backend: Backend) -> None:
    client = connect(jupyter, "app/")
    client.send("GET {path}x HTTP/1.1", "Host: {host}", "{auth}", f"Authorization: Bearer {cage.own['bearer']}", "", "")
    server = backend.accept()
    assert server.head().get("Authorization") == f"Bearer {cage.own['bearer']}"
    server.send("HTTP/1.1 200 OK", "Content-Length: 0", "", "")
    client.response()
    client.close()


@B("C1", "C2")
def test_c1_forwarding_them_is_a_choice(jupyter: Jupyter, cage: Cage, backend: Backend) -> None:
    client = connect(jupyter, "open/")
    send_everything(client, jupyter, cage)
    server = backend.accept()
    received = server.read_until(b"\r\n\r\n").decode("latin-1")
    for secret in (jupyter.token, *cage.cookies.values()):
        assert secret in received
    server.send("HTTP/1.1 200 OK", "Content-Length: 0", "", "")
    client.response()
    client.close()


@B("C1", "W9")
def test_c1_a_raw_socket_gets_nothing_of_the_handshake(jupyter: Jupyter, cage: Cage, backend: Backend) -> None:
    client = connect(jupyter, "raw/")
    send_everything(client, jupyter, cage, "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
                    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==")  # fmt: skip
    assert client.head().status == 101
    server = backend.accept()
    client.send(b"\x82\x82\0\0\0\0hi")
    assert server.read(2) == b"hi"
    assert server.silent(0.1)
    client.close()


@B("C4")
def test_c4_children_inherit_no_secret(jupyter: Jupyter, cage: Cage) -> None:
    pid = int(jupyter.get("child/").text)
    environment = Path(f"/proc/{pid}/environ").read_bytes()
    assert_without("the environment", environment, [jupyter.token, *cage.environment.values()])
    assert f"APP_SECRET={cage.own['variable']}".encode() in environment
    assert b"PATH=" in environment


@B("C4")
def test_c4_a_secret_can_be_handed_out(jupyter: Jupyter, cage: Cage) -> None:
    pid = int(jupyter.get("given/").text)
    variable = f"JUPYTERHUB_API_TOKEN={cage.environment['JUPYTERHUB_API_TOKEN']}"
    assert variable.encode() in Path(f"/proc/{pid}/environ").read_bytes()


def every_answer(jupyter: Jupyter, cage: Cage) -> Iterator[Answer]:
    """Pages and errors of every kind, asked for with all secrets."""
    cookies = "; ".join(f"{name}={value}" for name, value in cage.cookies.items())
    token = jupyter.token
    for accept in ("text/html", "application/json", "*/*"):
        fields = {"Accept": accept, "Cookie": cookies, "Referer": f"http://h/?token={token}"}
        for path in ("fails/", "broken/", "wrong/", "proxy/1/", "proxy/0/", "proxy/evil.example:80/", "raw/", "child/x",
                     "server-proxy/icon/none", "server-proxy/servers-info"):  # fmt: skip
            yield jupyter.get(f"{path}?token={token}", login=False, headers=fields)
            yield jupyter.get(f"{path}?token={token}wrong", login=False, headers=fields)


@B("C5", "S9")
def test_c5_no_secret_is_in_any_page_or_in_the_log(jupyter: Jupyter, cage: Cage) -> None:
    hidden = [*jupyters_secrets(jupyter, cage), cage.word, cage.own["variable"]]
    for answer in every_answer(jupyter, cage):
        assert_without(f"the body of a {answer.status}", answer.body, hidden)
        fields = [
            f"{name}: {value}" for name, value in answer.headers if name.lower() not in ("set-cookie", "location")
        ]
        assert_without(f"a field of a {answer.status}", "\n".join(fields), hidden)
    wait_until(lambda: "server-proxy/servers-info" in jupyter.log(), "the log to be written")
    assert_without("the log", jupyter.log(), hidden)


def test_nothing_is_left_in_the_process_list(jupyter: Jupyter, cage: Cage) -> None:
    """The guard process is started by us: its command line and environment hold nothing."""
    assert jupyter.get("child/").status == 200  # the guard comes with the first process
    for process in jupyter.descendants():
        if any("reaper_script" in word for word in words_of(process)):
            seen = Path(f"/proc/{process.pid}/environ").read_bytes() + os.fsencode(" ".join(process.cmdline()))
            assert_without("the guard", seen, jupyters_secrets(jupyter, cage))
            return
    pytest.fail("there is no guard")
