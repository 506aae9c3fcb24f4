"""What the soak test's clients do. Each job is one small conversation, and raises when it goes wrong."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.client
import os
import random
import struct
from collections.abc import Callable

from harness import Jupyter
from wire import Wire, connect

MIB = 1 << 20
CONTENT = random.Random(1).randbytes(2 * MIB)


class Wrong(Exception):
    """An outcome that must not be."""


Job = Callable[[Jupyter, random.Random], None]


def healthy(choose: random.Random) -> str:
    """A server that nobody kills: over TCP, or over a unix socket."""
    return choose.choice(["echo", "sock"])


def expect(condition: bool, what: str) -> None:
    if not condition:
        raise Wrong(what)


# ---- conversations that end well


def some_gets(jupyter: Jupyter, choose: random.Random) -> None:
    """Several requests on one connection."""
    with contextlib.closing(connect(jupyter, healthy(choose) + "/")) as client:
        for number in range(choose.randrange(1, 20)):
            client.send(f"GET {{path}}page?n={number} HTTP/1.1", "Host: {host}", "{auth}", "", "")
            response = client.response()
            expect(response.complete and response.status == 200, f"GET: {response.start}")
            expect(f"/page?n={number}".encode() in response.body, "GET: the answer to another request")


def upload(jupyter: Jupyter, choose: random.Random) -> None:
    body = CONTENT[: choose.randrange(1, len(CONTENT))]
    answer = jupyter.request("POST", healthy(choose) + "/take", body=body)
    expect(answer.status == 200, f"upload: {answer.status}")
    expect(answer.json()["sha256"] == hashlib.sha256(body).hexdigest(), "upload: changed on its way")


def download(jupyter: Jupyter, choose: random.Random) -> None:
    size = choose.randrange(1, 8 * MIB)
    answer = jupyter.get(f"{healthy(choose)}/bytes/{size}")
    expect(answer.status == 200 and len(answer.body) == size, f"download: {len(answer.body)} of {size} bytes")


def stream(jupyter: Jupyter, choose: random.Random) -> None:
    answer = jupyter.get(f"{healthy(choose)}/stream/10")
    expect(answer.text.count("\n") == 10, "stream: lines are missing")


def websocket(jupyter: Jupyter, choose: random.Random) -> None:
    with contextlib.closing(open_websocket(jupyter, healthy(choose) + "/ws")) as client:
        for _ in range(choose.randrange(1, 50)):
            message = os.urandom(choose.randrange(1, 20000))
            client.send(frame(2, message))
            expect(read_frame(client) == (2, message), "websocket: not the message that was sent")
        client.send(frame(8, struct.pack("!H", 1000)))
        expect(read_frame(client)[0] == 8, "websocket: no close frame")


def raw_socket(jupyter: Jupyter, choose: random.Random) -> None:
    message = os.urandom(choose.randrange(1, 20000))
    with contextlib.closing(open_websocket(jupyter, "raw/")) as client:
        client.send(frame(2, message))
        received = b""
        while len(received) < len(message):
            received += read_frame(client)[1]
        expect(received == message, "raw socket: not the bytes that were sent")


# ---- conversations that the client leaves


def end(client: Wire, choose: random.Random) -> None:
    """Leave in one way or the other."""
    choose.choice([client.close, client.reset])()


def leave_download(jupyter: Jupyter, choose: random.Random) -> None:
    client = connect(jupyter, healthy(choose) + "/")
    client.send(f"GET {{path}}bytes/{64 * MIB} HTTP/1.1", "Host: {host}", "{auth}", "", "")
    client.read(choose.randrange(1, MIB))
    end(client, choose)


def leave_upload(jupyter: Jupyter, choose: random.Random) -> None:
    client = connect(jupyter, healthy(choose) + "/")
    client.send("PUT {path}take HTTP/1.1", "Host: {host}", "{auth}", f"Content-Length: {64 * MIB}", "", "")
    client.send(CONTENT[: choose.randrange(1, len(CONTENT))])
    end(client, choose)


def leave_events(jupyter: Jupyter, choose: random.Random) -> None:
    client = connect(jupyter, healthy(choose) + "/")
    client.send("GET {path}sse HTTP/1.1", "Host: {host}", "{auth}", "", "")
    client.read_until(b"data: 1")
    end(client, choose)


def leave_early(jupyter: Jupyter, choose: random.Random) -> None:
    client = connect(jupyter, healthy(choose) + "/")
    client.send("GET {path}slow/5 HTTP/1.1", "Host: {host}", "{auth}", "", "")
    end(client, choose)


def leave_websocket(jupyter: Jupyter, choose: random.Random) -> None:
    client = open_websocket(jupyter, choose.choice(["echo/ws", "sock/ws", "raw/"]))
    client.send(frame(2, CONTENT[:50000]))
    client.read(100)
    end(client, choose)


# ---- servers that come and go


def ask_mortal(jupyter: Jupyter, choose: random.Random) -> None:
    """A server that is killed, or ends, now and then: any error of ours will do, but nothing that only looks whole."""
    server = choose.choice(["victim", "leaver"])
    path, size = choose.choice([("page", None), ("stream/10", 10), ("bytes/3000000", 3000000)])
    try:
        answer = jupyter.get(f"{server}/{path}")
    except (http.client.HTTPException, ConnectionError):
        return  # it was cut
    expect(answer.status in (200, 502, 503), f"{server}: {answer.status}")
    if answer.status == 200 and size is not None:
        found = answer.body.count(b"\n") if size == 10 else len(answer.body)
        expect(found == size, f"{server}: {found} of {size} looked whole")


def ask_nobody(jupyter: Jupyter, choose: random.Random) -> None:
    answer = jupyter.get("nobody/")
    expect(answer.status == 502, f"nobody: {answer.status}")


#: How often each job is done, in proportion.
JOBS: dict[Job, int] = {
    some_gets: 20, upload: 8, download: 8, stream: 4, websocket: 10, raw_socket: 6,
    leave_download: 5, leave_upload: 5, leave_events: 8, leave_early: 6, leave_websocket: 6,
    ask_mortal: 12, ask_nobody: 2,
}  # fmt: skip


# ---- a websocket client, as much of it as is needed


def open_websocket(jupyter: Jupyter, path: str) -> Wire:
    client = connect(jupyter, path)
    key = base64.b64encode(os.urandom(16)).decode()
    client.send(
        "GET {path} HTTP/1.1", "Host: {host}", "{auth}", "Connection: Upgrade", "Upgrade: websocket",
        "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}", "", "",
    )  # fmt: skip
    head = client.head()
    if head.status != 101:
        client.close()
        raise Wrong(f"websocket: {head.start}")
    return client


def frame(opcode: int, payload: bytes) -> bytes:
    """A masked frame (RFC 6455 5.2); the mask of zeros is one, too."""
    size = len(payload)
    length = bytes([0x80 | size]) if size < 126 else struct.pack("!BH", 0xFE, size)
    return bytes([0x80 | opcode]) + length + bytes(4) + payload


def read_frame(client: Wire) -> tuple[int, bytes]:
    first, size = client.read(2)
    if size == 126:
        (size,) = struct.unpack("!H", client.read(2))
    elif size == 127:
        (size,) = struct.unpack("!Q", client.read(8))
    return first & 15, client.read(size)


#: What a job raises when something is broken.
BROKEN = (Wrong, AssertionError, OSError, ValueError, http.client.HTTPException)
