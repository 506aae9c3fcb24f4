"""Which URLs lead where, under several base URLs, with a real Jupyter."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from harness import APPS, Jupyter, Listener, background, free_port, listens

BASE_URLS = ["/", "/base/", "/user/a%40b/"]

SERVERS = """
c.ServerProxy.servers = {
    "echo": {"command": ECHO, "launcher_entry": {"icon_path": ICON, "title": "Echo <1>"}},
    "full": {"command": ECHO, "absolute_url": True},
    "with.dots-and_more~1": {"command": ECHO, "launcher_entry": {"icon_path": ICON}},
    "UPPER": {"command": ECHO},
    "desk/one": {"command": ECHO, "launcher_entry": {"icon_path": ICON}},
    "desk/one/two": {"command": ECHO, "new_browser_tab": False, "launcher_entry": {"enabled": False}},
    "a@b": {"command": ECHO},
}
"""
NAMES = ["echo", "full", "with.dots-and_more~1", "UPPER", "desk/one", "desk/one/two", "a@b"]
ICON = b'<svg xmlns="http://www.w3.org/2000/svg"/>'


def start(start_jupyter: Any, base_url: str, directory: Any) -> Jupyter:
    icon = directory / "icon.svg"
    icon.write_bytes(ICON)
    config = f"ICON = {str(icon)!r}\n{SERVERS}\nc.ServerProxy.host_allowlist = ['localhost', '127.0.0.1', '::1']\n"
    server: Jupyter = start_jupyter(config, base_url=base_url)
    return server


@pytest.fixture(scope="module", params=BASE_URLS)
def jupyter(request, start_jupyter, tmp_path_factory) -> Jupyter:
    return start(start_jupyter, request.param, tmp_path_factory.mktemp("icons"))


@pytest.fixture
def listener() -> Iterator[Listener]:
    listener = Listener()
    yield listener
    listener.close()


@pytest.fixture(scope="module")
def echo6_port() -> Iterator[int]:
    """Port of an echo application on ::1."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6 loopback address")
    port = free_port()
    command = [sys.executable, str(APPS / "echo.py"), f"--port={port}", "--host=::1"]
    with background(command, lambda: listens(port, "::1")):
        yield port


# ---- servers


def test_every_server_is_reached_by_its_name(jupyter: Jupyter) -> None:
    pids = set()
    for name in NAMES:
        answer = jupyter.get(f"{name}/some/path?x=1").json()
        assert answer["target"] == (jupyter.path("full") if name == "full" else "") + "/some/path?x=1"
        fields = dict(answer["headers"])
        assert fields.get("X-Forwarded-Prefix") == (None if name == "full" else jupyter.path(name))
        pids.add(answer["pid"])
        assert jupyter.get(f"{name}/").json()["target"] == (jupyter.path("full/") if name == "full" else "/")
    assert len(pids) == len(NAMES)


@pytest.mark.parametrize("query", ["", "?", "?a=b&c=%20+d", "?a=/../x?y"])
def test_a_missing_slash_is_added(jupyter: Jupyter, query: str) -> None:
    for name in NAMES:
        for method in ("GET", "HEAD"):
            answer = jupyter.request(method, name + query)
            assert (answer.status, answer.body) == (302, b"")
            assert answer.get("Location") == f"{jupyter.path(name)}/{query}"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PROPFIND"])
def test_other_methods_need_no_slash(jupyter: Jupyter, method: str) -> None:
    """A redirect would make a GET of it."""
    for name in ("echo", "desk/one"):
        answer = jupyter.request(method, f"{name}?a=b", body=b"some body")
        assert answer.status == 200
        told = answer.json()
        assert (told["method"], told["target"], told["length"]) == (method, "/?a=b", 9)
    assert jupyter.request("POST", "full?a=b", body=b"").json()["target"] == jupyter.path("full?a=b")


def test_websockets_need_no_slash(jupyter: Jupyter) -> None:
    headers = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    assert jupyter.get("echo/ws", headers=headers).status == 101
    assert jupyter.get("echo", headers=headers).status == 200  # the application says that it is none


@pytest.mark.parametrize(
    "path",
    [
        "nothing/", "nothing", "Echo/", "ECHO/", "upper/", "echo2/", "xecho/", "withXdots-and_more~1/", "desk/", "desk",
        "desk/two/", "desk/oneness/", "/echo/", "proxy", "proxy/", "proxy/abc/", "proxy/echo/", "proxy/absolute/",
        "proxy/absolute/abc/", "proxy/-1/", "proxy/+80/", "proxy/80x/", "proxy/0x50/", "proxy/8%30/",
        "proxy/%EF%BC%98%EF%BC%90/", "proxy/:80/", "proxy/localhost:/", "proxy/localhost/",
    ],
)  # fmt: skip
def test_what_names_nothing_is_left_to_jupyter(jupyter: Jupyter, path: str) -> None:
    assert jupyter.request("POST", path, body=b"").status in (403, 404, 405)
    assert is_not_found(jupyter, path)


def is_not_found(jupyter: Jupyter, path: str) -> bool:
    """Whether Jupyter itself answers 404, perhaps after it has taken away the slash at the end."""
    answer = jupyter.get(path)
    if answer.status == 302 and path.endswith("/"):
        answer = jupyter.get(path.rstrip("/"))
    return answer.status == 404 and answer.get("X-Content-Type-Options") == "nosniff" and answer.get("X-Echo") is None


def test_names_of_servers_are_not_decoded_into_others(jupyter: Jupyter) -> None:
    """What is a separator must be written as one: %2F in a name never reaches the server with a slash."""
    for path in ("desk%2Fone/", "desk%2fone/x", "ech%6F%2F..%2Fx/"):
        assert is_not_found(jupyter, path)


def test_dots_do_not_lead_elsewhere(jupyter: Jupyter) -> None:
    assert jupyter.get("echo/../api").json()["target"] == "/../api"
    assert jupyter.get("echo/%2e%2e/api").json()["target"] == "/%2e%2e/api"


def test_jupyters_own_urls_stay(jupyter: Jupyter) -> None:
    assert jupyter.get("api").json()["version"]
    assert jupyter.get("api/contents").status == 200


# ---- addresses


@pytest.mark.parametrize("host", ["", "127.0.0.1:", "localhost:", "LocalHost:", "%31%32%37.0.0.1:"])
@pytest.mark.behaviour("S6")
def test_ports_and_hosts(jupyter: Jupyter, echo_port: int, host: str) -> None:
    prefix = f"proxy/{host}{echo_port}"
    for path in ("/", "/some/path?x=1", "//a%2Fb"):
        answer = jupyter.get(prefix + path)
        assert answer.json()["target"] == path
        assert dict(answer.json()["headers"])["X-Forwarded-Prefix"] == jupyter.path(prefix)
        path = f"proxy/absolute/{host}{echo_port}{path}"
        assert jupyter.get(path).json()["target"] == jupyter.path(path)


@pytest.mark.behaviour("S6")
def test_ipv6_hosts(jupyter: Jupyter, echo6_port: int) -> None:
    for host in ("[::1]", "%5B::1%5D", "[0:0:0:0:0:0:0:1]", "[0::1]"):
        assert jupyter.get(f"proxy/{host}:{echo6_port}/x").json()["target"] == "/x"
        path = f"proxy/absolute/{host}:{echo6_port}/x"
        assert jupyter.get(path).json()["target"] == jupyter.path(path)


def test_a_missing_slash_of_an_address_is_added(jupyter: Jupyter, echo_port: int) -> None:
    for prefix in (f"proxy/{echo_port}", f"proxy/absolute/{echo_port}", f"proxy/127.0.0.1:{echo_port}"):
        answer = jupyter.get(f"{prefix}?a=%2F")
        assert (answer.status, answer.get("Location")) == (302, jupyter.path(f"{prefix}/?a=%2F"))
    told = jupyter.request("POST", f"proxy/{echo_port}?a=b", body=b"xyz").json()
    assert (told["method"], told["target"], told["length"]) == ("POST", "/?a=b", 3)
    path = f"proxy/absolute/{echo_port}?a=b"
    assert jupyter.request("POST", path, body=b"").json()["target"] == jupyter.path(path)


@pytest.mark.behaviour("S7")
@pytest.mark.parametrize("port", ["0", "00", "65536", "70000", "99999999", "9" * 1000, "000080"])
@pytest.mark.parametrize("prefix", ["proxy/", "proxy/absolute/", "proxy/localhost:", "proxy/absolute/127.0.0.1:"])
def test_ports_that_cannot_be(jupyter: Jupyter, prefix: str, port: str) -> None:
    for path in ("/", "", "/x?y"):
        answer = jupyter.get(f"{prefix}{port}{path}")
        assert answer.status == 400
        assert "ports are 1 to 65535" in answer.text
    assert jupyter.request("POST", f"{prefix}{port}/", body=b"x" * 100_000).status == 400


@pytest.mark.behaviour("S6")
@pytest.mark.parametrize(
    "host",
    [
        "user@127.0.0.1", "user%40127.0.0.1", "user:pass@localhost", "localhost%2F", "localhost%2f@127.0.0.1",
        "evil.example%23@localhost", "localhost%00", "localhost%20", "localhost%0d%0aX:y", "%6C%256Fcalhost",
        "127.0.0.1%25", "::1", "[::1%25lo]", "[127.0.0.1]", "[::1", "::1]", "[]", "[localhost]", "localhost:80",
        "a..b", "-a", "a" * 300, "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "127.0.0.1.", "localhost.1", "0x",
        "%C3%A9", "%FF", "*", "local_host*", "localhost\\", "localhost%5C", "localhost;x", "%2e%2e",
    ],
)  # fmt: skip
def test_hosts_that_cannot_be(jupyter: Jupyter, listener: Listener, host: str) -> None:
    for path in (f"proxy/{host}:{listener.port}/x", f"proxy/absolute/{host}:{listener.port}/"):
        answer = jupyter.get(path)
        assert answer.status == 400
        assert "neither a name nor an IP address" in answer.text or "IPv6 addresses are written" in answer.text
    assert not listener.dialled()


@pytest.mark.behaviour("S6", "S7")
@pytest.mark.parametrize(
    "host",
    [
        "evil.example", "127.0.0.2", "localhost.evil.example",
        "[::ffff:127.0.0.1]", "[::]", "0.0.0.0", "xn--lcalhost-x4a",
    ],
)  # fmt: skip
def test_hosts_that_are_not_allowed(jupyter: Jupyter, listener: Listener, host: str) -> None:
    answer = jupyter.get(f"proxy/{host}:{listener.port}/x")
    assert answer.status == 403
    assert "ServerProxy.host_allowlist" in answer.text
    assert not listener.dialled()


@pytest.mark.behaviour("H22")
@pytest.mark.parametrize("target", ["*", "http://127.0.0.1:{port}/", "127.0.0.1:{port}", "//127.0.0.1:{port}/"])
def test_no_other_form_of_target_makes_it_a_forward_proxy(jupyter: Jupyter, listener: Listener, target: str) -> None:
    for method in ("GET", "OPTIONS", "CONNECT", "POST"):
        with jupyter.raw() as client:
            head = f"{method} {target.format(port=listener.port)} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
            client.sendall(f"{head}Authorization: token {jupyter.token}\r\n\r\n".encode())
            status = client.makefile("rb").readline().split(b" ")
        assert status == [b""] or 300 <= int(status[1]) < 500
    assert not listener.dialled()


# ---- launchers


def test_servers_info(jupyter: Jupyter) -> None:
    answer = jupyter.get("server-proxy/servers-info")
    assert answer.status == 200
    assert (answer.get("Content-Type") or "").startswith("application/json")
    servers = {entry["name"]: entry for entry in answer.json()["server_processes"]}
    assert list(servers)[: len(NAMES)] == NAMES
    assert servers["echo"] == {
        "name": "echo",
        "new_browser_tab": True,
        "launcher_entry": {
            "enabled": True,
            "title": "Echo <1>",
            "path_info": "echo/",
            "category": "Notebook",
            "icon_url": jupyter.path("server-proxy/icon/echo"),
        },
    }
    hidden = servers["desk/one/two"]
    assert (hidden["launcher_entry"]["enabled"], hidden["new_browser_tab"]) == (False, False)
    assert "icon_url" not in hidden["launcher_entry"]


def test_icons(jupyter: Jupyter) -> None:
    for entry in jupyter.get("server-proxy/servers-info").json()["server_processes"]:
        url = entry["launcher_entry"].get("icon_url")
        path = url[len(jupyter.base_url) :] if url else f"server-proxy/icon/{entry['name']}"
        answer = jupyter.get(path)
        if not url:
            assert answer.status == 404
            continue
        assert (answer.status, answer.body) == (200, ICON)
        assert answer.get("Content-Type") == "image/svg+xml"
        assert "sandbox" in (answer.get("Content-Security-Policy") or "")
        head = jupyter.request("HEAD", path)
        assert (head.status, head.body) == (200, b"")
    for name in ("none", "", "../../../etc/passwd", "echo/..", "%2e%2e/x", "echo%00"):
        assert jupyter.get(f"server-proxy/icon/{name}").status == 404
    assert jupyter.request("POST", "server-proxy/icon/echo", body=b"").status in (403, 405)
