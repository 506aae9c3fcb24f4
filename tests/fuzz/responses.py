"""``make fuzz``: bytes that an origin server might send, in whatever pieces, for a bounded time.

    python tests/fuzz/responses.py [--seconds 60]

Every input must come to a response or to an ``UpstreamError``, never to another exception, and a response that counts
as complete must be justified by its framing. What fails is shown, made as small as Hypothesis can.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import time
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from jupyter_server_proxy.errors import UpstreamError
from jupyter_server_proxy.rules.framing import Body
from jupyter_server_proxy.upstream.address import loopback
from jupyter_server_proxy.upstream.connection import ResponseHead, UpstreamConnection

LINES = st.sampled_from(
    [
        b"HTTP/1.1 200 OK",
        b"HTTP/1.0 200 OK",
        b"HTTP/1.1 204 No Content",
        b"HTTP/1.1 304 Not Modified",
        b"HTTP/1.1 100 Continue",
        b"HTTP/1.1 103 Early Hints",
        b"HTTP/1.1 101 Switching Protocols",
        b"HTTP/2.0 200 OK",
        b"HTTP/1.1 200",
        b"HTTP/1.1 99 Low",
        b"HTTP/1.1 1000 High",
        b"http/1.1 200 ok",
        b"",
        b" ",
        b"\x00",
    ]
)
FIELDS = st.sampled_from(
    [
        b"Content-Length: 0",
        b"Content-Length: 3",
        b"Content-Length: 03",
        b"content-length : 3",
        b"Content-Length: 3, 3",
        b"Content-Length: 4",
        b"Content-Length: -1",
        b"Content-Length: 99999999999999999999",
        b"Transfer-Encoding: chunked",
        b"Transfer-Encoding: Chunked",
        b"Transfer-Encoding: gzip",
        b"Transfer-Encoding: chunked, gzip",
        b"Transfer-Encoding:\tchunked",
        b"Connection: close",
        b"Connection: upgrade",
        b"Upgrade: websocket",
        b" folded",
        b"X: \x00",
        b"X: a\rb",
        b": empty",
        b"X" * 300 + b": y",
        b"Set-Cookie: a=1",
        b"no colon",
        b"\xff: \xfe",
    ]
)
BODIES = st.sampled_from(
    [
        b"",
        b"abc",
        b"abcd",
        b"3\r\nabc\r\n0\r\n\r\n",
        b"3;x=y\r\nabc\r\n0\r\nX: y\r\n\r\n",
        b"3\r\nabc\r\n",
        b"zz\r\n",
        b"3\nabc\n0\n\n",
        b"0\r\n\r\n",
        b"-1\r\n",
        b"ffffffffffffffffff\r\n",
        b"3\r\nabcX\r\n0\r\n\r\n",
        b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx",
    ]
)
ENDS = st.sampled_from([b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r"])


@st.composite
def streams(draw: st.DrawFn) -> list[bytes]:
    """Some messages, damaged now and then, in some pieces."""
    out = b""
    for _ in range(draw(st.integers(1, 2))):
        end = draw(ENDS)
        lines = [draw(LINES), *draw(st.lists(FIELDS, max_size=4)), b"", b""]
        out += end.join(lines) + draw(BODIES)
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(out)))
        out = out[:at] + draw(st.binary(max_size=3)) + out[at + draw(st.integers(0, 2)) :]
    cuts = sorted(draw(st.sets(st.integers(0, len(out)), max_size=5)))
    return [out[start:stop] for start, stop in zip([0, *cuts], [*cuts, len(out)], strict=True)]


class Transport:
    """As much of a transport as a connection uses."""

    closed = False

    def write(self, data: bytes) -> None:
        """Dropped."""

    def is_closing(self) -> bool:
        """Whether it was aborted."""
        return self.closed

    def abort(self) -> None:
        """Called by the connection."""
        self.closed = True

    close = abort

    def get_extra_info(self, name: str) -> Any:
        """The peer."""
        return ("127.0.0.1", 1)

    def pause_reading(self) -> None:
        """Called by the connection."""

    resume_reading = pause_reading


async def receive(pieces: list[bytes], method: str, upgrade: bool) -> None:
    """Feed the pieces, end the connection, and judge what came of it."""
    connection, transport = UpstreamConnection(loopback(1)), Transport()
    connection.connection_made(transport)  # type: ignore[arg-type]
    connection.start(b"", method=method, upgrade=upgrade)
    for piece in pieces:
        if not transport.closed:
            connection.data_received(piece)
    connection.connection_lost(None)
    try:
        head = await connection.response(1)
        body = b""
        if head.status != 101:
            while data := await connection.read():
                body += data
    except UpstreamError:
        return
    judge(head, body, b"".join(pieces), method)


def judge(head: ResponseHead, body: bytes, stream: bytes, method: str) -> None:
    """A complete response is what its fields and the bytes say."""
    assert 100 <= head.status <= 999
    assert head.status >= 200 or head.status == 101
    for name, value in head.fields:
        assert not set(name + value) & set("\r\n\0"), (name, value)
    kind = head.framing.body
    lengths = [value.strip() for name, value in head.fields if name.lower() == "content-length"]
    if method == "HEAD" or head.status in (101, 204, 304):
        assert body == b""
    elif kind is Body.LENGTH:
        assert lengths
        assert len(body) == int(lengths[0])
    elif kind is Body.CHUNKED:
        assert not lengths
        assert body in dechunked(stream)
    elif kind is Body.NONE:
        assert body == b""
    if kind is not Body.CHUNKED:
        assert body in stream


def dechunked(stream: bytes) -> list[bytes]:
    """The complete chunked bodies that begin behind any empty line, read by the letter of RFC 9112 7.1."""
    bodies = []
    for start in range(len(stream)):
        if stream[:start].endswith(b"\r\n\r\n"):
            body = dechunk(stream[start:])
            if body is not None:
                bodies.append(body)
    return bodies


def dechunk(data: bytes) -> bytes | None:
    """One chunked body; None when it is not complete."""
    body = b""
    while (found := re.match(rb"([0-9A-Fa-f]+)[ \t]*(?:;[^\r\n]*)?\r\n", data)) is not None:
        size = int(found[1], 16)
        data = data[found.end() :]
        if size == 0:
            return body if re.match(rb"(?:[^\r\n]+\r\n)*\r\n", data) else None
        if data[size : size + 2] != b"\r\n":
            return None
        body, data = body + data[:size], data[size + 2 :]
    return None


def main() -> None:
    """Try for as long as is asked."""
    parser = argparse.ArgumentParser(description="Fuzz the path of responses.")
    parser.add_argument("--seconds", type=float, default=60.0)
    deadline = time.monotonic() + parser.parse_args().seconds
    count = 0

    @settings(
        max_examples=2000,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(streams(), st.sampled_from(["GET", "HEAD", "POST"]), st.booleans())
    def attempt(pieces: list[bytes], method: str, upgrade: bool) -> None:
        nonlocal count
        if time.monotonic() < deadline:
            count += 1
            loop.run_until_complete(asyncio.wait_for(receive(pieces, method, upgrade), 5))

    loop = asyncio.new_event_loop()
    try:
        while time.monotonic() < deadline:
            attempt()
    finally:
        loop.close()
    print(f"{count} streams, nothing unexpected")


if __name__ == "__main__":
    main()
