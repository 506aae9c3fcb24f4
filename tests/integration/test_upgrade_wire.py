"""Upgraded connections between a scripted client and a scripted origin server: TCP and unix, Jupyter plain and TLS."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import psutil
import pytest
from harness import Jupyter, lines_of, wait_until
from wire import Backend, Wire, connect, socket_path

H = pytest.mark.behaviour

KEY = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
SWITCH = ("HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade", "", "")

#: Masked and unmasked frames: fragments, RSV1 as permessage-deflate sets it, ping, pong, a close with code and reason.
MASKED = (
    b"\x01\x83abcd\x00\x00\x00\x80\x80abcd\xc1\x82abcd\x01\x02\x89\x81abcd\x19\x8a\x80abcd\x88\x84abcd\x6e\x93\x0b\x0d"
)
UNMASKED = b"\x01\x03abc\x80\x00\xc1\x02\x4a\x04\x89\x01x\x8a\x00\xf2\x01y\x88\x04\x0f\xa1no"


@pytest.fixture(scope="module", params=["tcp", "unix", "tcp-tls", "unix-tls"])
def pair(request, start_jupyter, certificate) -> Iterator[tuple[Jupyter, Backend, int]]:
    """Jupyter, the test's own origin server, and how many descriptors Jupyter had at first."""
    origin = Backend(socket_path() if request.param.startswith("unix") else None)
    where = f'"unix_socket": {origin.path!r}' if origin.path else f'"port": {origin.port}'
    tls = request.param.endswith("tls")
    jupyter = start_jupyter(
        f'c.ServerProxy.servers = {{"wire": {{{where}}}}}\n', certificate=certificate if tls else None
    )
    jupyter.login_cookie()
    yield jupyter, origin, psutil.Process(jupyter.process.pid).num_fds()
    origin.close()


@pytest.fixture
def backend(pair) -> Iterator[Backend]:
    yield pair[1]
    pair[1].drop_connections()


@pytest.fixture
def client(pair) -> Iterator[Wire]:
    wire = connect(pair[0], "wire/")
    yield wire
    wire.close()


def ask(client: Wire, *fields: str, early: bytes = b"", upgrade: str = "websocket") -> None:
    client.send("GET {path}x HTTP/1.1", "Host: {host}", "{auth}", "Connection: keep-alive, Upgrade",
                f"Upgrade: {upgrade}", *fields, "", early)  # fmt: skip


def upgraded(client: Wire, backend: Backend) -> Wire:
    ask(client, KEY, "Sec-WebSocket-Version: 13")
    server = backend.accept()
    server.head()
    server.send(*SWITCH)
    assert client.head().status == 101
    return server


@H("W1")
def test_w1_the_answer_is_the_origin_servers(client: Wire, backend: Backend) -> None:
    ask(client, KEY, "Sec-WebSocket-Protocol: a, b")
    server = backend.accept()
    assert server.head().get("Sec-WebSocket-Protocol") == "a, b"
    server.send("HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade, X-Hop", "X-Hop: 1",
                "Sec-WebSocket-Protocol: b", "Set-Cookie: app=1", "Set-Cookie: two=2", "X-Own: 1",
                "Sec-WebSocket-Extensions: permessage-deflate", "", "")  # fmt: skip
    head = client.head()
    assert head.status == 101
    assert head.get("Sec-WebSocket-Protocol") == "b"
    assert head.get("Sec-WebSocket-Extensions") == "permessage-deflate"
    assert head.get_all("Set-Cookie") == ["app=1", "two=2"]
    assert (head.get("X-Own"), head.get("X-Hop")) == ("1", None)


@H("W1", "W8")
@pytest.mark.parametrize("key", ["Sec-WebSocket-Key: short", "X-No-Key: 1"])
def test_w8_a_malformed_key_is_the_origin_servers_to_judge(client: Wire, backend: Backend, key: str) -> None:
    ask(client, key)
    server = backend.accept()
    name, value = key.split(": ")
    assert server.head().get(name) == value
    server.send("HTTP/1.1 400 Bad Request", "Content-Length: 3", "", "key")
    response = client.response()
    assert (response.status, response.body) == (400, b"key")


@H("W2", "W5", "W6")
def test_w6_frames_pass_unchanged(client: Wire, backend: Backend) -> None:
    server = upgraded(client, backend)
    client.send(MASKED)
    server.send(UNMASKED, slices=1)
    assert server.read(len(MASKED)) == MASKED
    assert client.read(len(UNMASKED)) == UNMASKED
    assert server.silent(0.1)
    assert client.silent(0.1)


@H("W7", "H1")
@pytest.mark.parametrize("protocol", ["websocket", "WebSocket", "tcp"])
def test_w7_protocols_pass_as_they_are_written(client: Wire, backend: Backend, protocol: str) -> None:
    ask(client, upgrade=protocol)
    server = backend.accept()
    head = server.head()
    assert head.get("Upgrade") == protocol
    assert (head.get("Connection") or "").lower() == "upgrade"
    server.send("HTTP/1.1 101 Switching Protocols", f"Upgrade: {protocol}", "Connection: Upgrade", "", "")
    assert client.head().get("Upgrade") == protocol


@H("W8")
def test_w8_early_bytes_of_both_sides_come_after_the_101(client: Wire, backend: Backend) -> None:
    ask(client, KEY, early=b"early client")
    server = backend.accept()
    server.head()
    server.send(*SWITCH[:-1], b"early server")
    assert server.read(12) == b"early client"
    assert client.head().status == 101
    assert client.read(12) == b"early server"


@H("W8")
@pytest.mark.parametrize("end", ["close", "reset"])
def test_w8_either_side_may_end_it(client: Wire, backend: Backend, end: str, pair) -> None:
    server = upgraded(client, backend)
    getattr(server, end)()
    assert client.closed()
    other = connect(pair[0], "wire/")
    server = upgraded(other, backend)
    getattr(other, end)()
    assert server.closed()


@H("W8")
def test_w8_resets_amid_the_handshake(client: Wire, backend: Backend, pair) -> None:
    ask(client, KEY)
    server = backend.accept()
    server.head()
    client.reset()
    assert server.closed()
    other = connect(pair[0], "wire/")
    ask(other, KEY)
    server = backend.accept()
    server.head()
    server.reset()
    assert other.response().status == 502
    other.close()


@H("W3")
@pytest.mark.parametrize("slow", ["client", "server"])
def test_w3_a_side_that_does_not_read_stops_the_other(client: Wire, backend: Backend, slow: str) -> None:
    server = upgraded(client, backend)
    sender = server if slow == "client" else client
    sender.sock.settimeout(1.0)
    sent = 0
    with contextlib.suppress(TimeoutError):
        while sent < 200_000_000:
            sent += sender.sock.send(b"x" * 65536)
    assert sent < 50_000_000


@H("W9")
def test_half_closed_connections_go_on_in_the_other_direction(client: Wire, backend: Backend, pair) -> None:
    server = upgraded(client, backend)
    server.send("last words")
    server.finish()
    assert client.read(10) == b"last words"
    if pair[0].certificate is None:  # TLS ends both directions at once
        client.send("still there")
        assert server.read(11) == b"still there"
    client.close()
    assert server.closed()


@H("H1", "C7", "S3")
def test_h1_fields_around_an_upgrade(client: Wire, backend: Backend) -> None:
    client.send("GET {path}x HTTP/1.1", "Host: {host}", "{auth}", "Connection: keep-alive, Upgrade, X-Hop", "X-Hop: 1",
                "Upgrade: websocket", KEY, "TE: trailers", "Proxy-Connection: x", "Origin: {origin}",
                "X-Forwarded-For: 6.6.6.6", "", "")  # fmt: skip
    server = backend.accept()
    head = server.head()
    assert not {name.lower() for name, _ in head.fields} & {"x-hop", "te", "proxy-connection", "keep-alive"}
    assert head.get_all("Connection") == ["Upgrade"]
    assert head.get_all("X-Forwarded-For") == ["127.0.0.1"]
    assert head.get("X-Forwarded-Prefix") == client.names["path"].rstrip("/")
    assert head.get("Host") == client.names["host"]
    assert head.get("Origin") == client.names["origin"]
    server.send(*SWITCH)
    assert client.head().status == 101


@H("W1")
@pytest.mark.parametrize(
    "lines",
    [
        ("HTTP/1.1 200 OK", "Content-Length: 2", "", "hi"),
        ("HTTP/1.1 302 Found", "Location: /login", "Content-Length: 2", "", "hi"),
        ("HTTP/1.1 426 Upgrade Required", "Upgrade: h3", "Content-Length: 2", "", "hi"),
    ],
)
def test_w1_an_answer_other_than_101_is_an_ordinary_response(
    client: Wire, backend: Backend, lines: tuple[str, ...]
) -> None:
    ask(client, KEY)
    server = backend.accept()
    server.head()
    server.send(*lines)
    response = client.response()
    assert response.start == lines[0]
    assert response.body == b"hi"
    client.send("GET {path}next HTTP/1.1", "Host: {host}", "{auth}", "", "")  # the connection is still HTTP's
    assert server.head().start == "GET /next HTTP/1.1"
    server.send("HTTP/1.1 200 OK", "Content-Length: 2", "", "ok")
    assert client.response().body == b"ok"


@H("W7", "H16")
@pytest.mark.parametrize(
    ("line", "fields"),
    [
        ("GET {path}x HTTP/1.1", ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk")),
        ("GET {path}x HTTP/1.1", ("Upgrade: websocket",)),
        ("GET {path}x HTTP/1.0", ("Connection: Upgrade", "Upgrade: websocket")),
        ("POST {path}x HTTP/1.1", ("Connection: Upgrade", "Upgrade: websocket", "Content-Length: 0")),
    ],
)
def test_w7_what_is_no_upgrade_is_an_ordinary_request(
    client: Wire, backend: Backend, line: str, fields: tuple[str, ...]
) -> None:
    client.send(line, "Host: {host}", "{auth}", *fields, "", "")
    server = backend.accept()
    head = server.head()
    assert not {name.lower() for name, _ in head.fields} & {"upgrade", "http2-settings"}
    server.send("HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade", "", "")
    assert client.response().status == 502


@H("S2")
def test_s2_another_origin_is_refused_before_the_origin_server_is_asked(client: Wire, backend: Backend) -> None:
    ask(client, KEY, "Origin: http://evil.example")
    assert client.head().status == 403
    assert backend.untouched(0.2)


def test_jupyter_survives_all_of_this(pair) -> None:
    jupyter, origin, descriptors = pair
    origin.drop_connections()
    assert jupyter.get("api").status == 200
    process = psutil.Process(jupyter.process.pid)
    wait_until(lambda: process.num_fds() <= descriptors + 1, "descriptors to be closed", 20)
    assert not lines_of(jupyter.log(), r'File ".*/jupyter_server_proxy/|never awaited|was never retrieved')
