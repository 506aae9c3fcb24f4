"""``raw_socket_proxy``: websockets to a server that does not speak HTTP, frame by frame."""

from __future__ import annotations

import contextlib
import hashlib
import os
import struct
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from harness import APPS, PATIENCE, Jupyter, process_gone, wait_until, words_of
from tornado.httpclient import HTTPRequest
from tornado.util import _websocket_mask
from tornado.websocket import websocket_connect

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
HANDSHAKE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}
MIB = 1024 * 1024


@pytest.fixture(scope="module")
def jupyter(start_jupyter):
    command = [sys.executable, str(APPS / "tcp_echo.py"), "--port={port}", "--unix-socket={unix_socket}"]
    return start_jupyter(
        f"""
raw = {{"command": {command!r} + ["--report=report"], "raw_socket_proxy": True, "timeout": 30}}
c.ServerProxy.servers = {{
    "tcp": raw,
    "unix": {{**raw, "unix_socket": True}},
    "down": {{"port": 1, "raw_socket_proxy": True}},
}}
""",
        base_url="/base/",
    )


@pytest.fixture(params=["tcp", "unix"])
def server(request) -> str:
    return str(request.param)


@dataclass
class Frame:
    final: bool
    opcode: int
    payload: bytes


class Client:
    """A websocket client that sends exactly the frames it is told."""

    def __init__(self, jupyter: Jupyter, server: str, protocols: str = "", early: bytes = b"") -> None:
        self.socket = jupyter.raw()
        lines = [f"GET {jupyter.path(server)}/ HTTP/1.1", f"Host: 127.0.0.1:{jupyter.port}"]
        lines += [f"{name}: {value}" for name, value in HANDSHAKE.items()]
        lines.append(f"Authorization: token {jupyter.token}")
        if protocols:
            lines.append(f"Sec-WebSocket-Protocol: {protocols}")
        self.socket.sendall("\r\n".join([*lines, "", ""]).encode() + early)
        self.input = self.socket.makefile("rb")
        self.status = self.input.readline()
        self.headers = {}
        while (line := self.input.readline()) not in (b"\r\n", b""):
            name, _, value = line.decode().partition(":")
            self.headers[name.lower()] = value.strip()
        if not self.status.startswith(b"HTTP/1.1 101 "):
            self.close()
            raise AssertionError(self.status)

    def send(self, opcode: int, payload: bytes, **options: bool) -> None:
        self.socket.sendall(frame(opcode, payload, **options))

    def receive(self) -> Frame | None:
        """The next frame; None at the end of the stream."""
        head = self.input.read(2)
        if len(head) < 2:
            return None
        assert not head[1] & 0x80, "a server must not mask"
        size = head[1] & 0x7F
        if size == 126:
            (size,) = struct.unpack(">H", self.input.read(2))
        elif size == 127:
            (size,) = struct.unpack(">Q", self.input.read(8))
        return Frame(bool(head[0] & 0x80), head[0] & 0x0F, self.input.read(size))

    def receive_bytes(self, count: int) -> bytes:
        """The payload of binary messages, until there are that many bytes."""
        got = b""
        while len(got) < count:
            received = self.receive()
            assert received is not None
            assert received.opcode == BINARY
            got += received.payload
        return got

    def receive_close(self) -> int:
        """The code of the close frame that comes next, after which the server closes the connection."""
        received = self.receive()
        assert received is not None
        assert received.opcode == CLOSE
        return int.from_bytes(received.payload[:2], "big")

    def close(self) -> None:
        self.input.close()
        self.socket.close()


def frame(opcode: int, payload: bytes, *, final: bool = True, masked: bool = True, reserved: bool = False) -> bytes:
    first = bytes([opcode | (0x80 if final else 0) | (0x40 if reserved else 0)])
    flag, size = (0x80 if masked else 0), len(payload)
    if size < 126:
        head = first + bytes([flag | size])
    elif size < 65536:
        head = first + bytes([flag | 126]) + size.to_bytes(2, "big")
    else:
        head = first + bytes([flag | 127]) + size.to_bytes(8, "big")
    if not masked:
        return head + payload
    mask = os.urandom(4)
    return head + mask + bytes(_websocket_mask(mask, payload))


@contextlib.contextmanager
def connected(jupyter: Jupyter, server: str, **options) -> Iterator[Client]:
    client = Client(jupyter, server, **options)
    try:
        yield client
    finally:
        client.close()


def last_report(jupyter: Jupyter, digest: str) -> bool:
    """Whether the server has told that it received exactly this, up to the end of the stream."""
    report = jupyter.directory / "report"
    return report.exists() and digest in report.read_text().split()


@pytest.mark.behaviour("W9")
def test_text_and_binary_become_bytes(jupyter: Jupyter, server: str) -> None:
    with connected(jupyter, server) as client:
        for opcode, payload in (
            (TEXT, "grüße".encode()),
            (BINARY, bytes(range(256))),
            (BINARY, b"x" * 125),
            (BINARY, b"x" * 126),
            (TEXT, b"y" * 65535),
            (BINARY, b"z" * 65536),
        ):
            client.send(opcode, payload)
            assert client.receive_bytes(len(payload)) == payload


@pytest.mark.behaviour("W9")
def test_fragments_with_a_ping_between_them(jupyter: Jupyter, server: str) -> None:
    with connected(jupyter, server) as client:
        client.send(TEXT, b"ab", final=False)
        client.send(PING, b"are you there")
        client.send(0, b"", final=False)
        client.send(0, b"cd")
        client.send(PONG, b"unasked")
        client.send(BINARY, b"")
        client.send(BINARY, b"ef")
        payloads = {BINARY: b"", PONG: b""}
        while payloads != {BINARY: b"abcdef", PONG: b"are you there"}:
            received = client.receive()
            assert received is not None
            payloads[received.opcode] += received.payload


@pytest.mark.behaviour("W9")
def test_frames_in_any_segmentation(jupyter: Jupyter) -> None:
    with connected(jupyter, "tcp") as client:
        for byte in frame(BINARY, b"slowly") + frame(PING, b"p") + frame(BINARY, b"a" * 130):
            client.socket.sendall(bytes([byte]))
        received, pongs = b"", 0
        while len(received) < 136:
            got = client.receive()
            assert got is not None
            pongs += got.opcode == PONG
            received += got.payload if got.opcode == BINARY else b""
        assert (received, pongs) == (b"slowly" + b"a" * 130, 1)


@pytest.mark.behaviour("W8", "W9")
def test_frames_sent_with_the_handshake(jupyter: Jupyter, server: str) -> None:
    with connected(jupyter, server, early=frame(BINARY, b"early") + frame(TEXT, b" bird")) as client:
        assert client.receive_bytes(10) == b"early bird"


@pytest.mark.behaviour("W9")
def test_64_mib_both_ways(jupyter: Jupyter, server: str) -> None:
    piece = os.urandom(MIB)
    sent = hashlib.sha256(piece * 64).hexdigest()
    framed = frame(BINARY, piece)
    with connected(jupyter, server) as client:

        def feed() -> None:
            for _ in range(64):
                client.socket.sendall(framed)

        feeder = threading.Thread(target=feed, daemon=True)
        feeder.start()
        digest, left = hashlib.sha256(), 64 * MIB
        while left:
            received = client.receive()
            assert received is not None
            digest.update(received.payload)
            left -= len(received.payload)
        feeder.join(PATIENCE)
        assert digest.hexdigest() == sent


@pytest.mark.behaviour("W3", "W9")
def test_a_client_that_does_not_read_stops_the_server(jupyter: Jupyter) -> None:
    """The proxy must not collect what the client does not take: its memory stays as it was."""
    import psutil

    process = psutil.Process(jupyter.process.pid)
    with connected(jupyter, "tcp") as client:
        before = process.memory_info().rss
        client.send(TEXT, b"SEND %d" % (512 * MIB))
        time.sleep(2)
        assert process.memory_info().rss - before < 64 * MIB
    assert jupyter.get("api").status == 200


@pytest.mark.behaviour("W9")
def test_the_servers_end_is_a_close_frame_after_all_it_sent(jupyter: Jupyter, server: str) -> None:
    with connected(jupyter, server) as client:
        client.send(TEXT, b"SEND %d" % (3 * MIB + 5))
        got = client.receive_bytes(3 * MIB + 5)
        assert got == (bytes(range(256)) * (MIB // 64))[: len(got)]
        assert client.receive_close() == 1000
        client.send(BINARY, b"the server still listens")
        client.send(CLOSE, b"\x03\xe8")
        assert client.receive() is None
    whole = b"SEND %d" % (3 * MIB + 5) + b"the server still listens"
    digest = hashlib.sha256(whole).hexdigest()
    wait_until(lambda: last_report(jupyter, digest), "what came after the server's end to arrive", timeout=10)


@pytest.mark.behaviour("W9")
@pytest.mark.parametrize("payload", [b"\x03\xe8", b"\x03\xe9going away", b""])
def test_the_clients_close_is_answered_and_ends_the_servers_input(
    jupyter: Jupyter, server: str, payload: bytes
) -> None:
    data = b"HASH" + os.urandom(2 * MIB)
    with connected(jupyter, server) as client:
        client.send(BINARY, data)
        client.send(CLOSE, payload)
        received = client.receive()
        assert received is not None
        assert (received.opcode, received.payload) == (CLOSE, payload[:2])
        assert client.receive() is None
    digest = hashlib.sha256(data).hexdigest()
    wait_until(lambda: last_report(jupyter, digest), "the server to see all, and the end", timeout=20)


@pytest.mark.behaviour("W9")
def test_a_client_that_just_leaves_ends_the_servers_input(jupyter: Jupyter, server: str) -> None:
    data = b"HASH" + os.urandom(MIB)
    with connected(jupyter, server) as client:
        client.send(BINARY, data)
    digest = hashlib.sha256(data).hexdigest()
    wait_until(lambda: last_report(jupyter, digest), "the server to see all, and the end", timeout=20)


@pytest.mark.behaviour("W9")
@pytest.mark.parametrize(
    "bad",
    [
        frame(BINARY, b"unmasked", masked=False),
        frame(TEXT, b"x", reserved=True),
        frame(3, b"unknown opcode"),
        frame(0, b"continues nothing"),
        frame(TEXT, b"x", final=False) + frame(TEXT, b"another"),
        frame(PING, b"x", final=False),
        frame(PING, b"x" * 126),
    ],
    ids=["unmasked", "reserved bit", "unknown opcode", "nothing to continue", "interrupted", "split ping", "long ping"],
)
def test_broken_frames_are_refused(jupyter: Jupyter, bad: bytes) -> None:
    with connected(jupyter, "tcp") as client:
        client.send(BINARY, b"HASH")
        client.socket.sendall(bad)
        assert client.receive_close() == 1002
        assert client.receive() is None
    assert jupyter.get("api").status == 200


@pytest.mark.behaviour("W9")
@pytest.mark.parametrize(
    ("offered", "chosen"),
    [("binary", "binary"), ("binary, base64", "binary"), ("base64, binary", "binary"), ("", None)],
)
def test_subprotocols(jupyter: Jupyter, offered: str, chosen: str | None) -> None:
    """noVNC offers "binary"; "base64" would mean that the payload is encoded, which it is not."""
    with connected(jupyter, "tcp", protocols=offered) as client:
        assert client.headers.get("sec-websocket-protocol") == chosen
        assert client.headers["sec-websocket-accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        assert client.headers["upgrade"].lower() == "websocket"


@pytest.mark.behaviour("W9")
async def test_an_ordinary_client(jupyter: Jupyter, server: str) -> None:
    request = HTTPRequest(jupyter.websocket_url(f"{server}/any/path?x=y"))
    client = await websocket_connect(request, compression_options={}, subprotocols=["binary"])
    assert client.selected_subprotocol == "binary"
    await client.write_message("grüße")
    assert await client.read_message() == "grüße".encode()
    client.close(1000)
    assert await client.read_message() is None
    assert client.close_code == 1000


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "OPTIONS", "PROPFIND"])
def test_plain_http_is_405(jupyter: Jupyter, server: str, method: str) -> None:
    """RFC 9110 15.5.6: the answer names the methods there are; the only one is the websocket's GET."""
    answer = jupyter.request(method, f"{server}/x", body=b"x" if method in ("POST", "PUT") else None)
    assert answer.status == 405
    assert answer.get("Allow") is not None
    assert method == "HEAD" or "websocket" in answer.text


@pytest.mark.parametrize(
    "change",
    [{"Sec-WebSocket-Version": "8"}, {"Sec-WebSocket-Key": "short"}, {"Sec-WebSocket-Key": ""}, {"Upgrade": "tcp"}],
)
@pytest.mark.behaviour("W8")
def test_a_malformed_handshake_is_refused(jupyter: Jupyter, change: dict) -> None:
    answer = jupyter.get("tcp/", headers={**HANDSHAKE, **change})
    assert answer.status in (400, 405, 426)
    if "Sec-WebSocket-Version" in change:  # RFC 6455 4.2.2
        assert answer.get("Sec-WebSocket-Version") == "13"


def test_nobody_listens(jupyter: Jupyter) -> None:
    for _ in range(2):
        assert jupyter.get("down/", headers=HANDSHAKE).status in (502, 503)


@pytest.mark.behaviour("P4")
def test_a_server_that_died_is_started_again(jupyter: Jupyter, server: str) -> None:
    with connected(jupyter, server) as client:
        client.send(BINARY, b"hello")
        assert client.receive_bytes(5) == b"hello"
        word = "--unix-socket=/" if server == "unix" else "--unix-socket="
        (process,) = [p for p in jupyter.descendants() if any(_is(word, a) for a in words_of(p))]
        process.kill()
        wait_until(lambda: process_gone(process.pid), "the server to die")
        received = client.receive()
        assert received is None or received.opcode == CLOSE
    wait_until(lambda: _echoes(jupyter, server), "the server to be started again")


def _is(word: str, argument: str) -> bool:
    return argument.startswith(word) if word.endswith("/") else argument == word


def _echoes(jupyter: Jupyter, server: str) -> bool:
    try:
        with connected(jupyter, server) as client:
            client.send(BINARY, b"again")
            return client.receive_bytes(5) == b"again"
    except (AssertionError, OSError):
        return False
