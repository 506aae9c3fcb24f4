"""Upgraded connections through ``/proxy/<port>``, with Jupyter in the clear and under TLS."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import threading
from typing import Any

import pytest
from harness import Jupyter, free_port, wait_until
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.websocket import websocket_connect


@pytest.fixture(scope="module", params=["plain", "tls"])
def jupyter(request, start_jupyter, certificate):
    options: dict[str, Any] = {"certificate": certificate} if request.param == "tls" else {}
    return start_jupyter("", base_url="/base/", **options)


async def connect(jupyter: Jupyter, path: str, *, login: bool = True, headers: Any = None, **options: Any) -> Any:
    request = HTTPRequest(jupyter.websocket_url(path, login=login), validate_cert=False, headers=headers)
    return await websocket_connect(request, **options)


async def test_echo_text_and_binary(jupyter: Jupyter, echo_port: int) -> None:
    client = await connect(jupyter, f"proxy/{echo_port}/ws")
    for message in ("hello", "ü" * 1000, b"\x00\xff" * 10, b"x" * 3_000_000):
        await client.write_message(message, binary=isinstance(message, bytes))
        assert await client.read_message() == message
    client.close()


async def test_w1_the_backend_chooses_the_subprotocol(jupyter: Jupyter, echo_port: int) -> None:
    client = await connect(jupyter, f"proxy/{echo_port}/ws", subprotocols=["one", "two", "three"])
    assert client.selected_subprotocol == "two"
    client.close()


async def test_w1_a_refusal_of_the_backend_reaches_the_client(jupyter: Jupyter, echo_port: int) -> None:
    with pytest.raises(HTTPClientError) as refused:
        await connect(jupyter, f"proxy/{echo_port}/ws-refused")
    assert refused.value.code == 403
    assert refused.value.response is not None
    assert refused.value.response.headers["X-Reason"] == "because"


async def test_w1_nobody_listens(jupyter: Jupyter) -> None:
    with pytest.raises(HTTPClientError) as refused:
        await connect(jupyter, f"proxy/{free_port()}/ws")
    assert refused.value.code == 502


async def test_w2_close_codes_reach_the_client(jupyter: Jupyter, echo_port: int) -> None:
    client = await connect(jupyter, f"proxy/{echo_port}/ws")
    await client.write_message("close")
    assert await client.read_message() is None
    assert (client.close_code, client.close_reason) == (4001, "as you wish")


async def test_w6_extensions_pass(jupyter: Jupyter, echo_port: int) -> None:
    client = await connect(jupyter, f"proxy/{echo_port}/ws-info", compression_options={})
    assert client.headers["Sec-WebSocket-Extensions"].startswith("permessage-deflate")
    told = json.loads(await client.read_message())
    assert any(name == "Sec-Websocket-Extensions" for name, _ in told["headers"])
    client.close()


async def test_c7_the_backend_learns_where_it_is_proxied(jupyter: Jupyter, echo_port: int) -> None:
    lies = {"X-Forwarded-For": "6.6.6.6", "X-Forwarded-Proto": "gopher", "X-Forwarded-Host": "evil.example"}
    client = await connect(jupyter, f"proxy/{echo_port}/ws-info", headers=lies)
    fields = dict(json.loads(await client.read_message())["headers"])
    prefix = f"/base/proxy/{echo_port}"
    assert fields["X-Forwarded-Prefix"] == fields["X-Forwarded-Context"] == fields["X-Proxycontextpath"] == prefix
    assert fields["X-Forwarded-For"] == "127.0.0.1"
    assert fields["X-Forwarded-Proto"] == ("https" if jupyter.certificate else "http")
    assert fields["X-Forwarded-Host"] == fields["Host"] == f"127.0.0.1:{jupyter.port}"
    client.close()


async def test_s1_without_login_a_websocket_gets_403_and_the_backend_nothing(jupyter: Jupyter) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.settimeout(0.3)
        with pytest.raises(HTTPClientError) as refused:
            await connect(jupyter, f"proxy/{listener.getsockname()[1]}/ws", login=False)
        assert refused.value.code == 403
        with pytest.raises(TimeoutError):
            listener.accept()


async def login_cookie(jupyter: Jupyter) -> str:
    answer = await asyncio.to_thread(jupyter.get, "api/status")
    return next(c.partition(";")[0] for c in answer.get_all("Set-Cookie") if c.startswith("username-"))


async def test_s2_cross_origin_is_refused_for_cookies(jupyter: Jupyter, echo_port: int) -> None:
    cookie = await login_cookie(jupyter)
    headers = {"Cookie": cookie, "Origin": "http://evil.example"}
    with pytest.raises(HTTPClientError) as refused:
        await connect(jupyter, f"proxy/{echo_port}/ws", login=False, headers=headers)
    assert refused.value.code == 403
    scheme = "https" if jupyter.certificate else "http"
    headers["Origin"] = f"{scheme}://127.0.0.1:{jupyter.port}"
    client = await connect(jupyter, f"proxy/{echo_port}/ws", login=False, headers=headers)
    await client.write_message("same origin")
    assert await client.read_message() == "same origin"
    client.close()


async def test_the_end_of_the_client_ends_the_backends_connection(jupyter: Jupyter) -> None:
    ended = threading.Event()
    port = serve_once(upgrade_then(lambda sock: ended.set() if not sock.recv(10) else None))
    sock = await asyncio.to_thread(handshake, jupyter, port)
    sock.close()
    assert await asyncio.to_thread(ended.wait, 10)


async def test_the_end_of_the_backend_ends_the_clients_connection(jupyter: Jupyter) -> None:
    port = serve_once(upgrade_then(lambda sock: sock.sendall(b"last words")))
    sock = await asyncio.to_thread(handshake, jupyter, port)
    assert await asyncio.to_thread(read_to_end, sock) == b"last words"


async def test_w8_bytes_sent_together_with_the_upgrade_request_arrive_first(jupyter: Jupyter) -> None:
    got: list[bytes] = []

    def backend(sock: socket.socket) -> None:
        got.append(read_to_end(sock))

    port = serve_once(upgrade_then(backend))
    sock = await asyncio.to_thread(handshake, jupyter, port, b"early ")
    sock.sendall(b"late")
    sock.close()
    await asyncio.to_thread(wait_until, lambda: got, "the backend to read", 10)
    assert got == [b"early late"]


async def test_w3_a_backend_that_does_not_read_stops_the_client(jupyter: Jupyter) -> None:
    go_on = threading.Event()
    port = serve_once(upgrade_then(lambda sock: go_on.wait(60)))
    sock = await asyncio.to_thread(handshake, jupyter, port)
    sock.settimeout(1.0)
    sent = 0
    try:
        while sent < 200 << 20:
            sent += await asyncio.to_thread(sock.send, b"x" * 65536)
    except (TimeoutError, ssl.SSLWantWriteError):
        pass
    go_on.set()
    sock.close()
    assert sent < 100 << 20


# ---- byte-level helpers


def serve_once(serve: Any) -> int:
    """Accept one connection in a thread; returns the port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def run() -> None:
        sock, _ = listener.accept()
        with listener, sock:
            sock.settimeout(30)
            serve(sock)

    threading.Thread(target=run, daemon=True).start()
    return int(listener.getsockname()[1])


def upgrade_then(serve: Any) -> Any:
    """Answer a handshake with 101 for a protocol of our own, then hand the socket on."""

    def run(sock: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += sock.recv(1)
        sock.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: test\r\nConnection: keep-alive, Upgrade\r\n\r\n")
        serve(sock)

    return run


def handshake(jupyter: Jupyter, port: int, early: bytes = b"") -> socket.socket:
    """Upgrade to ``test`` as a client (W7: any protocol, and Connection with several members)."""
    sock: socket.socket = jupyter.raw(30)
    if jupyter.certificate:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        sock = context.wrap_socket(sock)
    sock.sendall(
        f"GET {jupyter.path(f'proxy/{port}/x')} HTTP/1.1\r\nHost: 127.0.0.1:{jupyter.port}\r\n"
        f"Authorization: token {jupyter.token}\r\nConnection: keep-alive, Upgrade\r\nUpgrade: test\r\n\r\n".encode()
        + early
    )
    head = b""
    while b"\r\n\r\n" not in head:
        piece = sock.recv(1)
        assert piece, head
        head += piece
    assert head.startswith(b"HTTP/1.1 101 "), head
    assert b"\r\nUpgrade: test\r\n" in head
    return sock


def read_to_end(sock: socket.socket) -> bytes:
    data = b""
    while piece := sock.recv(65536):
        data += piece
    return data
